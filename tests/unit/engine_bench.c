/* The bench for the rollout engine, and what must hold after every step. */
#include "engine_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Check writes a record for every assertion that holds; here there are millions of them. */
#define hold(condition)                     \
    do {                                    \
        if (!(condition)) {                 \
            ck_abort_msg("%s", #condition); \
        }                                   \
    } while (0)
#define hold_msg(condition, ...)       \
    do {                               \
        if (!(condition)) {            \
            ck_abort_msg(__VA_ARGS__); \
        }                              \
    } while (0)

uint64_t bench_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

struct serin_policy bench_policy(void)
{
    struct serin_policy policy;
    serin_policy_default(&policy);
    strcpy(policy.product, "lamp");
    strcpy(policy.channel, "stable");
    policy.offer_count = 1;
    policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 3, .manifest_id = {0xA5}};
    for (size_t i = 0; i < policy.stage_count; i++) {
        policy.stages[i].soak_s = BENCH_SOAK_S;
    }
    /* Whole stages at once, and a test that minds nothing: what is tried is tried by itself. */
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 200, .minimum = 1};
    policy.ramp.first = 0;
    policy.test.accepted_permyriad = 8000;
    policy.test.rejected_permyriad = 9000;
    policy.patience_s = 600;
    policy.deadline_s = 1200;
    return policy;
}

static uint32_t site_of(const void *sites, uint32_t device)
{
    return ((const uint32_t *)sites)[device];
}

/* Good until the next call, as the contract has it. */
static const char *site_name(const void *sites, uint32_t site)
{
    static char name[16];
    (void)sites;
    hold(site != SERIN_SITE_DIRECT); /* nobody stands behind a direct device */
    (void)snprintf(name, sizeof name, "gw-%u", site);
    return name;
}

struct serin_policy bench_tested_policy(void)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        policy.gates[i].max_permyriad = 10000;
    }
    policy.test = (struct serin_test_policy){.accepted_permyriad = 50,
                                             .rejected_permyriad = 200,
                                             .alpha_permyriad = 100,
                                             .beta_permyriad = 500};
    return policy;
}

struct serin_policy bench_staged_policy(uint32_t first)
{
    struct serin_policy policy = bench_tested_policy();
    policy.stage_count = 2;
    policy.stages[1] = policy.stages[0];
    policy.stages[0] = (struct serin_stage_policy){.count = first, .soak_s = BENCH_SOAK_S};
    return policy;
}

void bench_make(struct bench *bench, const struct serin_policy *policy, uint32_t count,
                uint64_t seed)
{
    static const uint8_t salt[SERIN_SALT_SIZE] = {7};
    memset(bench, 0, sizeof *bench);
    bench->check = count <= 1000;
    bench->now_ms = BENCH_START_MS;
    bench->capacity = count + 64;
    bench->members.list = calloc(bench->capacity, sizeof *bench->members.list);
    bench->shadow = calloc(bench->capacity, sizeof *bench->shadow);
    ck_assert_ptr_nonnull(bench->members.list);
    ck_assert_ptr_nonnull(bench->shadow);
    bench->offered_ms = malloc(bench->capacity * sizeof *bench->offered_ms);
    ck_assert_ptr_nonnull(bench->offered_ms);
    memset(bench->offered_ms, 0xFF, bench->capacity * sizeof *bench->offered_ms);
    bench->sites = calloc(bench->capacity, sizeof *bench->sites);
    ck_assert_ptr_nonnull(bench->sites);
    bench->members.site = site_of;
    bench->members.site_name = site_name;
    bench->members.sites = bench->sites;
    ck_assert_int_eq(serin_rollout_init(&bench->rollout, 9, policy, salt, 1, bench->now_ms),
                     SERIN_OK);
    for (uint32_t i = 0; i < count; i++) {
        bench->members.list[i] = serin_rollout_member(&bench->rollout, bench_random(&seed), i);
    }
    bench->members.count = count;
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    memcpy(bench->shadow, bench->members.list, count * sizeof *bench->shadow);
    bench_do(bench, SERIN_ROLLOUT_REPORTS_UP);
}

void bench_free(struct bench *bench)
{
    free(bench->members.list);
    free(bench->shadow);
    free(bench->sites);
    free(bench->offered_ms);
}

uint32_t bench_join(struct bench *bench, uint64_t rank)
{
    ck_assert_uint_lt(bench->members.count, bench->capacity);
    uint32_t device = bench->members.count;
    bench->members.list[bench->members.count++] =
        serin_rollout_member(&bench->rollout, rank, device);
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    memcpy(bench->shadow, bench->members.list, bench->members.count * sizeof *bench->shadow);
    if (bench->rollout.stage > 0 && rank <= bench->rollout.threshold) {
        bench->offered_ms[device] = 0; /* no step of the ramp has offered it */
    }
    for (uint32_t i = 0; i < bench->members.count; i++) {
        if (bench->members.list[i].device == device) {
            return i;
        }
    }
    ck_abort();
}

void bench_behind(struct bench *bench, uint32_t member, uint32_t site)
{
    bench->sites[bench->members.list[member].device] = site;
}

void bench_sites(struct bench *bench, const uint32_t *sites, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bench_behind(bench, i, sites[i]);
    }
}

uint32_t bench_site(const struct bench *bench, uint32_t member)
{
    return bench->sites[bench->members.list[member].device];
}

/* ---- what must hold after every step ---- */

static bool in(uint8_t state, const enum serin_state *states)
{
    for (; *states != SERIN_STATE_INVALID; states++) {
        if (state == *states) {
            return true;
        }
    }
    return false;
}

/* Counts the books again from the members alone, in other words than the engine's. */
static void check_books(const struct bench *bench)
{
    static const enum serin_state failures[] = {SERIN_STATE_ROLLED_BACK, SERIN_STATE_FAILED,
                                                SERIN_STATE_TIMED_OUT,   SERIN_STATE_REGRESSED,
                                                SERIN_STATE_REVERTED,    SERIN_STATE_INVALID};
    static const enum serin_state unheard[] = {SERIN_STATE_IDLE, SERIN_STATE_UNREACHED,
                                               SERIN_STATE_INVALID};
    static const enum serin_state others[] = {SERIN_STATE_SUPERSEDED, SERIN_STATE_CANCELLED,
                                              SERIN_STATE_INVALID};
    static const enum serin_state later[] = {SERIN_STATE_REGRESSED, SERIN_STATE_REVERTED,
                                             SERIN_STATE_INVALID};
    struct serin_tally tally = {0};
    uint32_t reasons = 0;
    for (uint32_t i = 0; i < bench->members.count; i++) {
        const struct serin_member *m = &bench->members.list[i];
        hold(i == 0 || bench->members.list[i - 1].rank <= m->rank);
        if (bench->rollout.stage == 0 || m->rank > bench->rollout.threshold) {
            hold(m->stage == 0);
            continue;
        }
        bool ahead = m->state == SERIN_STATE_REJECTED && m->reason == SERIN_REASON_NOT_NEWER;
        hold(m->stage >= 1);
        hold(m->stage <= bench->rollout.stage);
        hold(m->rank <= bench->rollout.thresholds[m->stage - 1]);
        tally.offered++;
        tally.accepted += !in(m->state, unheard);
        tally.confirmed += m->state == SERIN_STATE_CONFIRMED;
        tally.failed += in(m->state, failures);
        tally.rejected += m->state == SERIN_STATE_REJECTED && !ahead;
        tally.unreached += m->state == SERIN_STATE_UNREACHED;
        tally.regressed += in(m->state, later);
        tally.other += in(m->state, others) || ahead;
    }
    hold(memcmp(&tally, &bench->rollout.tally, sizeof tally) == 0);
    for (size_t i = 0; i < SERIN_REASON_COUNT; i++) {
        reasons += bench->rollout.reasons[i];
    }
    hold(reasons == tally.failed + tally.rejected);
}

/* What a step may do to a member: only what an action names, and never leave an end. */
static void check_members(struct bench *bench)
{
    static const enum serin_state ends[] = {
        SERIN_STATE_ROLLED_BACK, SERIN_STATE_FAILED,   SERIN_STATE_REJECTED, SERIN_STATE_TIMED_OUT,
        SERIN_STATE_REGRESSED,   SERIN_STATE_REVERTED, SERIN_STATE_INVALID};
    /* Left only for what a device says of an attempt that it takes anew. */
    static const enum serin_state called_off[] = {SERIN_STATE_SUPERSEDED, SERIN_STATE_CANCELLED,
                                                  SERIN_STATE_INVALID};
    static const enum serin_state servers[] = {SERIN_STATE_IDLE, SERIN_STATE_UNREACHED,
                                               SERIN_STATE_TIMED_OUT, SERIN_STATE_INVALID};
    for (size_t i = 0; i < bench->actions.count; i++) {
        const struct serin_rollout_action *action = &bench->actions.list[i];
        if (action->kind != SERIN_ROLLOUT_ACT_SAVE_MEMBER) {
            continue;
        }
        struct serin_member *was = &bench->shadow[action->member];
        const struct serin_member *is = &bench->members.list[action->member];
        bool again = bench->retrying && is->state == SERIN_STATE_IDLE &&
                     was->state != SERIN_STATE_REGRESSED && was->state != SERIN_STATE_REVERTED;
        hold_msg(!in(was->state, ends) || again, "%s was left for %s",
                 serin_state_text((enum serin_state)was->state),
                 serin_state_text((enum serin_state)is->state));
        hold(was->state != SERIN_STATE_CONFIRMED || is->state == SERIN_STATE_REGRESSED ||
             is->state == SERIN_STATE_REVERTED);
        hold(!in(was->state, called_off) || !in(is->state, servers));
        hold(action->before.state == was->state);
        *was = *is;
    }
    for (uint32_t i = 0; i < bench->members.count; i++) {
        bench->shadow[i].stage = bench->members.list[i].stage; /* follows from the rank */
    }
    hold(memcmp(bench->shadow, bench->members.list, bench->members.count * sizeof *bench->shadow) ==
         0);
}

/* Which members a question about sites is about. */
enum asked { ASKED_FAILED, ASKED_RESOLVED, ASKED_IN_REACH };

static bool is_asked(const struct serin_member *m, enum asked asked)
{
    static const enum serin_state gone[] = {SERIN_STATE_UNREACHED, SERIN_STATE_SUPERSEDED,
                                            SERIN_STATE_CANCELLED, SERIN_STATE_INVALID};
    static const enum serin_state open[] = {
        SERIN_STATE_IDLE,   SERIN_STATE_PENDING, SERIN_STATE_DOWNLOADING, SERIN_STATE_VERIFYING,
        SERIN_STATE_STAGED, SERIN_STATE_TRIAL,   SERIN_STATE_INVALID};
    bool out = in(m->state, gone) ||
               (m->state == SERIN_STATE_REJECTED && m->reason == SERIN_REASON_NOT_NEWER);
    bool resolved = !out && !in(m->state, open);
    return asked == ASKED_IN_REACH   ? !out
           : asked == ASKED_RESOLVED ? resolved
                                     : resolved && m->state != SERIN_STATE_CONFIRMED;
}

/* How many of the offered are asked about, and how many of these stand behind `site`. */
static uint32_t count_asked(const struct bench *bench, enum asked asked, uint32_t site,
                            uint32_t *there)
{
    uint32_t all = 0;
    *there = 0;
    for (uint32_t i = 0; i < bench->rollout.tally.offered; i++) {
        if (is_asked(&bench->members.list[i], asked)) {
            all++;
            *there += bench_site(bench, i) == site;
        }
    }
    return all;
}

/* The gateway that alone is to blame (docs/spec/rollout.md, section 6); 0: none is. */
static uint32_t blamed(const struct bench *bench)
{
    for (uint32_t i = 0; i < bench->rollout.tally.offered; i++) {
        uint32_t site = bench_site(bench, i);
        uint32_t there, resolved_there;
        uint32_t failed = count_asked(bench, ASKED_FAILED, site, &there);
        uint32_t resolved = count_asked(bench, ASKED_RESOLVED, site, &resolved_there);
        if (is_asked(&bench->members.list[i], ASKED_FAILED)) {
            uint32_t well = resolved - resolved_there;
            return site != 0 && there == failed && failed >= 2 && well >= 2 && well >= failed ? site
                                                                                              : 0;
        }
    }
    return 0;
}

/* Whether the gate, with its minimum reached, trips without the gateway that has more than half of
 * the resolved members behind gateways. */
static bool outvoted(const struct bench *bench)
{
    const struct serin_gate_policy *gate = &bench->rollout.policy.gates[SERIN_GATE_FAILURES];
    uint32_t sites[8], behind = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench->rollout.tally.offered; i++) {
        uint32_t site = bench_site(bench, i);
        bool counts = site != 0 && is_asked(&bench->members.list[i], ASKED_RESOLVED);
        behind += counts;
        bool seen = false;
        for (uint32_t j = 0; j < count; j++) {
            seen |= sites[j] == site;
        }
        if (counts && !seen && count < 8) {
            sites[count++] = site;
        }
    }
    for (uint32_t j = 0; j < count; j++) {
        uint32_t there, failed_there;
        uint64_t resolved = count_asked(bench, ASKED_RESOLVED, sites[j], &there);
        uint64_t failed = count_asked(bench, ASKED_FAILED, sites[j], &failed_there);
        resolved -= there;
        failed -= failed_there;
        if (2 * there > behind && resolved >= gate->minimum &&
            failed * 10000 > gate->max_permyriad * resolved) {
            return true;
        }
    }
    return false;
}

/* Whether those who are asked about are of one gateway while somebody elsewhere could be had. */
static bool is_lone(const struct bench *bench, enum asked asked)
{
    uint32_t offered = bench->rollout.tally.offered;
    for (uint32_t i = 0; i < offered; i++) {
        uint32_t site = bench_site(bench, i);
        uint32_t there;
        if (!is_asked(&bench->members.list[i], asked)) {
            continue;
        }
        bool alone = site != 0 && count_asked(bench, asked, site, &there) == there;
        uint32_t end = offered + SERIN_ENGINE_ELSEWHERE_MAX;
        for (uint32_t j = offered; alone && j < bench->members.count && j < end; j++) {
            if (bench_site(bench, j) != site && is_asked(&bench->members.list[j], ASKED_IN_REACH)) {
                return true;
            }
        }
        return false;
    }
    return false;
}

/* Whether the stage was offered to so many that it looks for nobody more. */
static bool has_searched(const struct serin_rollout *rollout)
{
    uint32_t target = rollout->target;
    uint32_t most = target < 16 ? target + 16 : 2 * target;
    return rollout->stage < rollout->policy.stage_count &&
           rollout->tally.offered >= most + rollout->tally.other;
}

/* What follows from who stands behind whom. */
static void check_sites(struct bench *bench, const struct serin_rollout *before,
                        const struct serin_rollout_event *event)
{
    const struct serin_rollout *after = &bench->rollout;
    bool became = after->state != before->state;
    if (became && after->state == SERIN_ROLLOUT_HALTED && event->kind != SERIN_ROLLOUT_HALT) {
        hold(blamed(bench) == 0);
    }
    if (became && after->state == SERIN_ROLLOUT_PAUSED && event->kind != SERIN_ROLLOUT_PAUSE) {
        char words[48];
        (void)snprintf(words, sizeof words, "are behind gateway gw-%u, 0 of ", blamed(bench));
        bench->site_pauses++;
        hold(blamed(bench) != 0);
        hold(strstr(after->why, words) != NULL);
        hold(after->judged ==
             after->tally.failed + after->tally.rejected - after->evidence.excused);
    }
    if (became && after->state == SERIN_ROLLOUT_SOAKING && before->state == SERIN_ROLLOUT_ROLLING &&
        event->kind != SERIN_ROLLOUT_ADVANCE) {
        hold(has_searched(after) || !is_lone(bench, ASKED_RESOLVED));
    }
    bool paced = after->policy.in_flight_max != 0 || after->policy.rate_per_hour != 0;
    if (after->stage != before->stage && !paced) {
        hold(has_searched(after) || !is_lone(bench, ASKED_IN_REACH));
    }
    bool goes_on = after->state == SERIN_ROLLOUT_ROLLING || after->state == SERIN_ROLLOUT_SOAKING ||
                   after->state == SERIN_ROLLOUT_AWAITING;
    /* Whom a threshold covers anew is judged with the TICK that is asked for at once. */
    if (goes_on && after->threshold == before->threshold &&
        after->tally.failed + after->tally.rejected > after->judged) {
        hold(!outvoted(bench));
    }
    hold(after->judged >= before->judged || before->retrying);
    hold(after->judged <= after->tally.failed + after->tally.rejected);
    static const char waits[] = "waits for devices that were offered it: ";
    static const char nobody[] = "waits for a first device to offer it to";
    hold(after->state != SERIN_ROLLOUT_ROLLING || after->why[0] == '\0' ||
         strncmp(after->why, waits, sizeof waits - 1) == 0 || strcmp(after->why, nobody) == 0);
}

static void check_step(struct bench *bench, const struct serin_rollout *before,
                       const struct serin_rollout_event *event)
{
    const struct serin_rollout *after = &bench->rollout;
    unsigned publishes = 0;
    for (size_t i = 0; i < bench->actions.count; i++) {
        publishes += bench->actions.list[i].kind == SERIN_ROLLOUT_ACT_PUBLISH;
    }
    hold(after->threshold >= before->threshold);
    hold(after->stage - before->stage <= 1);
    hold(publishes <= 1);
    if (after->stage != before->stage || after->threshold != before->threshold) {
        hold(publishes == 1);
    }
    if (before->state == SERIN_ROLLOUT_HALTED) {
        hold(after->state == SERIN_ROLLOUT_HALTED || after->state == SERIN_ROLLOUT_ABORTED);
        hold(after->stage == before->stage);
    }
    hold(after->policy.window_count > 0 || after->soaked_ms <= after->watch_ms + BENCH_SOAK_MS);
    hold((after->resume_to != SERIN_ROLLOUT_INVALID) == (after->state == SERIN_ROLLOUT_PAUSED));
    if (bench->check) {
        check_books(bench);
        check_members(bench);
        check_sites(bench, before, event);
        bench_check_evidence(bench, before, event);
    }
}

/* ---- steps ---- */

static enum serin_error step(struct bench *bench, const struct serin_rollout_event *event)
{
    struct serin_rollout before = bench->rollout;
    bench->retrying = before.retrying;
    enum serin_error error =
        serin_rollout_step(&bench->rollout, &bench->members, bench->now_ms, event, &bench->actions);
    if (error != SERIN_OK) {
        hold(memcmp(&before, &bench->rollout, sizeof before) == 0);
        hold(bench->actions.count == 0);
        return error;
    }
    for (size_t i = 0; i < bench->actions.count; i++) {
        enum serin_rollout_action_kind kind = bench->actions.list[i].kind;
        bench->publishes += kind == SERIN_ROLLOUT_ACT_PUBLISH;
        bench->promotes += kind == SERIN_ROLLOUT_ACT_PROMOTE;
        bench->saves += kind == SERIN_ROLLOUT_ACT_SAVE_MEMBER;
        bench->audits += kind == SERIN_ROLLOUT_ACT_AUDIT;
    }
    hold(bench->rollout.publishes == bench->publishes);
    check_step(bench, &before, event);
    return SERIN_OK;
}

enum serin_error bench_send(struct bench *bench, enum serin_rollout_event_kind kind)
{
    return step(bench, &(struct serin_rollout_event){.kind = kind});
}

enum serin_error bench_note(struct bench *bench, enum serin_rollout_event_kind kind,
                            const char *note)
{
    return step(bench, &(struct serin_rollout_event){.kind = kind, .note = note});
}

enum serin_error bench_member(struct bench *bench, uint32_t member, enum serin_state state,
                              enum serin_reason reason)
{
    return step(bench, &(struct serin_rollout_event){.kind = SERIN_ROLLOUT_MEMBER,
                                                     .member = member,
                                                     .state = state,
                                                     .reason = reason});
}

enum serin_error bench_late(struct bench *bench, uint32_t member, enum serin_state state)
{
    return step(bench, &(struct serin_rollout_event){.kind = SERIN_ROLLOUT_MEMBER,
                                                     .member = member,
                                                     .state = state,
                                                     .reason = SERIN_REASON_CRASH,
                                                     .before_retry = true});
}

void bench_do(struct bench *bench, enum serin_rollout_event_kind kind)
{
    enum serin_error error = bench_send(bench, kind);
    hold_msg(error == SERIN_OK, "%s in %s: %s", serin_rollout_event_text(kind),
             serin_rollout_state_text(bench->rollout.state), serin_error_text(error));
}

void bench_set(struct bench *bench, uint32_t member, enum serin_state state)
{
    hold(bench_member(bench, member, state, SERIN_REASON_NONE) == SERIN_OK);
}

void bench_fail(struct bench *bench, uint32_t member)
{
    hold(bench_member(bench, member, SERIN_STATE_ROLLED_BACK, SERIN_REASON_NOT_CONFIRMED) ==
         SERIN_OK);
}

void bench_settle(struct bench *bench)
{
    for (int i = 0; i < 10000; i++) {
        if (serin_rollout_deadline_ms(&bench->rollout, &bench->members) > bench->now_ms) {
            return;
        }
        bench_do(bench, SERIN_ROLLOUT_TICK);
    }
    ck_abort_msg("the engine asks for ticks without end");
}

void bench_pass(struct bench *bench, uint64_t ms)
{
    uint64_t end_ms = bench->now_ms + ms;
    bench_settle(bench);
    while (bench->now_ms < end_ms) {
        uint64_t due_ms = serin_rollout_deadline_ms(&bench->rollout, &bench->members);
        bench->now_ms = due_ms < end_ms ? due_ms : end_ms;
        bench_do(bench, SERIN_ROLLOUT_TICK);
        bench_settle(bench);
    }
}

void bench_confirm_offered(struct bench *bench)
{
    uint32_t offered = bench->rollout.tally.offered; /* a stage may open on the way */
    for (uint32_t i = 0; i < offered; i++) {
        const struct serin_member *m = &bench->members.list[i];
        if ((m->state == SERIN_STATE_IDLE || m->state == SERIN_STATE_PENDING ||
             m->state == SERIN_STATE_TRIAL)) {
            bench_set(bench, i, SERIN_STATE_CONFIRMED);
        }
    }
}

bool bench_acted(const struct bench *bench, enum serin_rollout_action_kind kind)
{
    for (size_t i = 0; i < bench->actions.count; i++) {
        if (bench->actions.list[i].kind == kind) {
            return true;
        }
    }
    return false;
}

bool bench_said(const struct bench *bench, const char *words)
{
    for (size_t i = 0; i < bench->actions.count; i++) {
        if (strstr(bench->actions.list[i].text, words) != NULL) {
            return true;
        }
    }
    return strstr(bench->rollout.why, words) != NULL;
}

void bench_start(struct bench *bench, const struct serin_policy *policy, uint32_t count)
{
    bench_make(bench, policy, count, count);
    bench_do(bench, SERIN_ROLLOUT_START);
}

void bench_confirm(struct bench *bench, uint32_t from, uint32_t until)
{
    for (uint32_t i = from; i < until; i++) {
        bench_set(bench, i, SERIN_STATE_CONFIRMED);
    }
}

/*
 * Who enters a rollout, and the way back of a halted one: every stand of a device, every verdict,
 * when devices are looked at, and what is left of the halted one's policy.
 */
#include "check_main.h"

#include <serin/orchestrator/way_back.h>

#include <string.h>

#define OLD   1 /* the first byte of a manifest's id */
#define BAD   2
#define OTHER 3

static const uint8_t ids[][SERIN_SHA256_SIZE] = {{0}, {OLD}, {BAD}, {OTHER}};

static struct serin_rollout rollout;

/* A rollout of BAD for hardware 1 to 5, halted in its first stage, that asks for a way back. */
static struct serin_rollout *halted(void)
{
    memset(&rollout, 0, sizeof rollout);
    serin_policy_default(&rollout.policy);
    rollout.policy.offer_count = 1;
    rollout.policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 5, .manifest_id = {BAD}};
    rollout.policy.on_halt = SERIN_ON_HALT_REVERT;
    rollout.id = 7;
    rollout.state = SERIN_ROLLOUT_HALTED;
    rollout.stage = 1;
    return &rollout;
}

static struct serin_entrant device(uint16_t hardware, int runs)
{
    return (struct serin_entrant){.hardware = hardware,
                                  .floor = 4,
                                  .running = ids[runs],
                                  .tried = ids[0],
                                  .state = SERIN_STATE_IDLE};
}

static struct serin_entrant tries(int runs, int tried, enum serin_state state, bool final)
{
    struct serin_entrant entrant = device(1, runs);
    entrant.tried = ids[tried];
    entrant.attempt = 9;
    entrant.state = state;
    entrant.final = final;
    return entrant;
}

/* ---- who enters ---- */

/* Caught: who runs the release confirmed while it is still trying another, or was before. */
START_TEST(only_who_runs_it_and_tries_nothing_is_confirmed)
{
    const struct serin_policy *policy = &halted()->policy;
    const struct {
        struct serin_entrant entrant;
        enum serin_entry entry;
    } rows[] = {
        {device(0, BAD), SERIN_ENTRY_NONE},
        {device(6, BAD), SERIN_ENTRY_NONE},
        {device(5, BAD), SERIN_ENTRY_CONFIRMED},
        {device(5, OLD), SERIN_ENTRY_OPEN},
        {tries(BAD, OTHER, SERIN_STATE_TRIAL, false), SERIN_ENTRY_OPEN},
        {tries(BAD, OTHER, SERIN_STATE_ROLLED_BACK, true), SERIN_ENTRY_CONFIRMED},
        {tries(BAD, BAD, SERIN_STATE_CONFIRMED, true), SERIN_ENTRY_CONFIRMED},
        {tries(OLD, BAD, SERIN_STATE_TRIAL, false), SERIN_ENTRY_OPEN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(serin_rollout_entry(policy, &rows[i].entrant) == rows[i].entry, "row %zu", i);
    }
    ck_assert(serin_policy_offers(policy, ids[BAD], 0));
    ck_assert(!serin_policy_offers(policy, ids[BAD], 6));
    ck_assert(!serin_policy_offers(policy, ids[OLD], 0));
    struct serin_member there = serin_rollout_entered(&rollout, 11, 3, true, 99);
    ck_assert(there.state == SERIN_STATE_CONFIRMED && there.ran_before == 1 && there.since_s == 99);
    there = serin_rollout_entered(&rollout, 11, 3, false, 99);
    ck_assert(there.state == SERIN_STATE_IDLE && there.ran_before == 0 && there.since_s == 0);
}
END_TEST

/* ---- whom a way back is for ---- */

START_TEST(each_device_stands_somewhere)
{
    static const struct serin_way_back_offer stable = {
        .offer = {.hw_min = 1, .hw_max = 3, .manifest_id = {OLD}}, .security_counter = 4};
    struct serin_entrant above = device(3, BAD);
    struct serin_entrant elsewhere = device(3, OTHER);
    above.floor = elsewhere.floor = 5;
    const struct {
        struct serin_entrant entrant;
        enum serin_way_back_stand stand;
    } rows[] = {
        {device(3, BAD), SERIN_STAND_RUNS},
        {device(4, BAD), SERIN_STAND_LOST},
        {device(6, BAD), SERIN_STAND_AWAY}, /* it was not offered to that hardware */
        {above, SERIN_STAND_ABOVE},
        {elsewhere, SERIN_STAND_AWAY},
        {device(1, OLD), SERIN_STAND_AWAY},
        {tries(OLD, BAD, SERIN_STATE_STAGED, false), SERIN_STAND_MAY},
        {tries(OLD, BAD, SERIN_STATE_TIMED_OUT, true), SERIN_STAND_MAY},
        {tries(OLD, BAD, SERIN_STATE_ROLLED_BACK, true), SERIN_STAND_AWAY},
        {tries(OLD, OTHER, SERIN_STATE_TRIAL, false), SERIN_STAND_AWAY},
        {tries(BAD, BAD, SERIN_STATE_TRIAL, false), SERIN_STAND_RUNS},
        {tries(BAD, BAD, SERIN_STATE_REGRESSED, true), SERIN_STAND_RUNS},
    };
    struct serin_way_back back = {.halted = halted(), .offers = &stable, .offer_count = 1};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(serin_way_back_look(&back, &rows[i].entrant) == rows[i].stand, "row %zu", i);
    }
    ck_assert_uint_eq(back.runs, 3);
    ck_assert_uint_eq(back.may, 2);
    ck_assert_uint_eq(back.above, 1);
    ck_assert_uint_eq(back.lost, 1);
}
END_TEST

/* Caught: a way back for nobody, and none for who fell silent while trying the release; whoever is
 * at it not waited for, or waited for although others run it already. */
START_TEST(every_verdict)
{
    const struct {
        uint32_t offers, open, runs, may, above, lost;
        enum serin_way_back_verdict verdict;
    } rows[] = {
        {1, 0, 0, 0, 0, 0, SERIN_WAY_BACK_NOBODY},    {0, 0, 0, 0, 0, 0, SERIN_WAY_BACK_NOBODY},
        {1, 1, 0, 0, 0, 0, SERIN_WAY_BACK_WAIT},      {1, 1, 0, 1, 0, 0, SERIN_WAY_BACK_WAIT},
        {0, 1, 0, 1, 0, 0, SERIN_WAY_BACK_WAIT},      {1, 0, 0, 1, 0, 0, SERIN_WAY_BACK_GO},
        {1, 0, 1, 0, 0, 0, SERIN_WAY_BACK_GO},        {1, 3, 1, 3, 0, 0, SERIN_WAY_BACK_GO},
        {0, 0, 0, 1, 0, 0, SERIN_WAY_BACK_NO_STABLE}, {0, 0, 0, 0, 0, 1, SERIN_WAY_BACK_NO_STABLE},
        {1, 0, 9, 0, 1, 0, SERIN_WAY_BACK_ABOVE},     {1, 1, 0, 0, 1, 1, SERIN_WAY_BACK_ABOVE},
        {1, 0, 9, 0, 0, 1, SERIN_WAY_BACK_LOST},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct serin_way_back back = {.halted = halted(),
                                      .offer_count = rows[i].offers,
                                      .runs = rows[i].runs,
                                      .may = rows[i].may,
                                      .above = rows[i].above,
                                      .lost = rows[i].lost};
        rollout.tally = (struct serin_tally){
            .accepted = 4 + rows[i].open, .confirmed = 1, .failed = 1, .rejected = 1, .other = 1};
        ck_assert_msg(serin_way_back_judge(&back) == rows[i].verdict, "row %zu", i);
    }
}
END_TEST

/* ---- when ---- */

static bool due_without(void (*change)(struct serin_rollout *))
{
    const struct serin_way_back_seen none = {.looked = false};
    change(halted());
    return serin_way_back_due(&rollout, &none);
}

static void nothing(struct serin_rollout *at)
{
    (void)at;
}

static void runs_on(struct serin_rollout *at)
{
    at->state = SERIN_ROLLOUT_PAUSED;
}

static void holds(struct serin_rollout *at)
{
    at->policy.on_halt = SERIN_ON_HALT_HOLD;
}

static void is_back(struct serin_rollout *at)
{
    at->policy.revert = true;
}

static void not_begun(struct serin_rollout *at)
{
    at->stage = 0;
}

static void made(struct serin_rollout *at)
{
    at->reverted_by = 8;
}

static void refused(struct serin_rollout *at)
{
    strcpy(at->revert_why, "the depot is empty");
}

static void needless(struct serin_rollout *at)
{
    strcpy(at->revert_why, SERIN_WAY_BACK_NOBODY_TEXT);
}

START_TEST(it_is_due_once)
{
    ck_assert(due_without(nothing) && due_without(needless));
    ck_assert(serin_way_back_needless(&rollout));
    ck_assert(!due_without(runs_on) && !due_without(holds) && !due_without(is_back));
    ck_assert(!due_without(not_begun) && !due_without(made) && !due_without(refused));
    ck_assert(!serin_way_back_needless(&rollout));
}
END_TEST

/* Caught: a look at each turn; none when somebody ended on it, or the last one's time was over. */
START_TEST(a_look_is_for_news)
{
    struct serin_way_back_seen seen = {.looked = false};
    struct serin_rollout *at = halted();
    at->tally.accepted = 3;
    serin_way_back_saw(at, &seen);
    ck_assert(!serin_way_back_due(at, &seen));
    at->tally.failed = 2; /* they rolled back: the third is still at it */
    ck_assert(!serin_way_back_due(at, &seen));
    at->tally.confirmed = 1;
    ck_assert(serin_way_back_due(at, &seen));
    at->tally.confirmed = 0;
    at->tally.failed = 3;
    ck_assert(serin_way_back_due(at, &seen));
    serin_way_back_saw(at, &seen);
    needless(at);
    ck_assert(!serin_way_back_due(at, &seen));
    at->tally.accepted = 4; /* an unreached one is heard, */
    at->tally.confirmed = 1;
    ck_assert(serin_way_back_due(at, &seen));
    serin_way_back_saw(at, &seen);
    at->tally.confirmed = 0; /* and turns out to be ill */
    at->tally.failed = 4;
    at->tally.regressed = 1;
    ck_assert(!serin_way_back_due(at, &seen));
}
END_TEST

/* ---- by which policy ---- */

/* Caught: an approval, a window or a start that is asked again; a way back that goes back. */
START_TEST(its_policy_asks_nobody)
{
    struct serin_policy policy;
    struct serin_rollout *at = halted();
    at->policy.stages[0].approval = at->policy.stages[3].approval = true;
    at->policy.window_count = 1;
    at->policy.windows[0] = (struct serin_window){.days = 1, .from_min = 1, .until_min = 2};
    at->policy.start_s = 99;
    at->policy.in_flight_max = 50;
    strcpy(at->policy.name, "spring");
    serin_way_back_policy(at, &policy);
    ck_assert_str_eq(policy.name, "spring-revert");
    ck_assert(policy.revert && policy.supersede && policy.on_halt == SERIN_ON_HALT_HOLD);
    ck_assert_uint_eq(policy.offer_count, 0);
    ck_assert_uint_eq(policy.window_count, 0);
    ck_assert_uint_eq(policy.windows[0].days, 0);
    ck_assert_uint_eq(policy.start_s, 0);
    ck_assert_uint_eq(policy.in_flight_max, 50);
    ck_assert_uint_eq(policy.stage_count, at->policy.stage_count);
    for (size_t i = 0; i < policy.stage_count; i++) {
        ck_assert(!policy.stages[i].approval);
        ck_assert_uint_eq(policy.stages[i].soak_s, at->policy.stages[i].soak_s);
    }
    at->policy.name[0] = '\0';
    serin_way_back_policy(at, &policy);
    ck_assert_str_eq(policy.name, "rollout-revert");
    memset(at->policy.name, 'x', sizeof at->policy.name - 1);
    serin_way_back_policy(at, &policy);
    ck_assert_uint_eq(strlen(policy.name), SERIN_POLICY_NAME_MAX);
    ck_assert_str_eq(policy.name + SERIN_POLICY_NAME_MAX - strlen("-revert"), "-revert");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        only_who_runs_it_and_tries_nothing_is_confirmed,
        each_device_stands_somewhere,
        every_verdict,
        it_is_due_once,
        a_look_is_for_news,
        its_policy_asks_nobody,
        NULL,
    };
    return check_run("way_back", tests);
}

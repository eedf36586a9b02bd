/* A rollout's policy: its defaults and its rules (docs/spec/policy.md). */
#include <serin/orchestrator/policy.h>

#include <string.h>

#define HOUR_S 3600u
#define DAY_S  86400u

/* The longest patience and deadline: long enough for a boat that comes home once a month. */
#define WAIT_MAX_S         (30u * DAY_S)
#define SPREAD_MAX_S       DAY_S
#define SITE_FAILURES_MAX  1000000u
#define GATE_MINIMUM_MAX   1000000u
#define RAMP_FIRST_MAX     1000000u
#define PERMYRIAD_ALL      10000u
#define REJECTED_MAX       9000u /* permyriad */
#define ERROR_BOUND_MAX    2000u /* permyriad: a chance of a fifth is no bound worth the name */
#define START_MAX_S        UINT64_C(253402300799) /* the end of the year 9999 */
#define DAY_MIN            1440u
#define OFFER_HARDWARE_MIN 1u

/* The same sentence for each stage, so that the message names it from static storage. */
#define STAGES_16(rule)                                                                           \
    {                                                                                             \
        "stages[0]" rule, "stages[1]" rule, "stages[2]" rule, "stages[3]" rule, "stages[4]" rule, \
            "stages[5]" rule, "stages[6]" rule, "stages[7]" rule, "stages[8]" rule,               \
            "stages[9]" rule, "stages[10]" rule, "stages[11]" rule, "stages[12]" rule,            \
            "stages[13]" rule, "stages[14]" rule, "stages[15]" rule                               \
    }
_Static_assert(SERIN_STAGES_MAX == 16, "STAGES_16 lists every stage");

static const char *const stage_size_rule[SERIN_STAGES_MAX] =
    STAGES_16(": exactly one of percent (0.01 to 100) and count must be given");
static const char *const stage_soak_rule[SERIN_STAGES_MAX] =
    STAGES_16(".soak: must be at most 30 days");
static const char *const stage_order_rule[SERIN_STAGES_MAX] =
    STAGES_16(": must be larger than the stage before");

void serin_policy_default(struct serin_policy *policy)
{
    *policy = (struct serin_policy){
        .stage_count = 4,
        .stages = {{.permyriad = 100, .soak_s = DAY_S},
                   {.permyriad = 1000, .soak_s = DAY_S},
                   {.permyriad = 5000, .soak_s = DAY_S},
                   {.permyriad = PERMYRIAD_ALL, .soak_s = DAY_S}},
        .gates = {[SERIN_GATE_FAILURES] = {.max_permyriad = 5000, .minimum = 2},
                  [SERIN_GATE_BOOTS] = {.max_permyriad = 1000, .minimum = 30},
                  [SERIN_GATE_ROLLBACKS] = {.max_permyriad = 1000, .minimum = 30},
                  [SERIN_GATE_REGRESSIONS] = {.max_permyriad = 200, .minimum = 100},
                  [SERIN_GATE_SILENCE] = {.max_permyriad = 500, .minimum = 30},
                  [SERIN_GATE_ERRORS] = {.max_permyriad = 500, .minimum = 30}},
        .control_minimum = 30,
        .test = {.accepted_permyriad = 50,
                 .rejected_permyriad = 200,
                 .alpha_permyriad = 100,
                 .beta_permyriad = 500},
        .ramp = {.first = 8, .growth_percent = 12, .settle_s = 600},
        .on_halt = SERIN_ON_HALT_HOLD,
        .patience_s = 6 * HOUR_S,
        .deadline_s = 24 * HOUR_S,
        .lease_s = 6 * HOUR_S,
    };
}

static bool text_ok(const char *text, size_t room, bool (*valid)(const char *text, size_t size))
{
    const char *end = memchr(text, '\0', room);
    return end != NULL && valid(text, (size_t)(end - text));
}

static bool name_valid(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-') {
            return false;
        }
    }
    return true;
}

static const char *names_wrong(const struct serin_policy *policy)
{
    if (!text_ok(policy->name, sizeof policy->name, name_valid)) {
        return "name: may hold only A-Z, a-z, 0-9, '_', '.' and '-'";
    }
    if (!text_ok(policy->product, sizeof policy->product, serin_product_valid)) {
        return "product: must be 1 to 32 of A-Z, a-z, 0-9, '_' and '-'";
    }
    if (!text_ok(policy->channel, sizeof policy->channel, serin_channel_valid)) {
        return "channel: must be 1 to 32 of A-Z, a-z, 0-9, '_' and '-'";
    }
    return NULL;
}

static const char *offers_wrong(const struct serin_policy *policy)
{
    if (policy->offer_count < 1 || policy->offer_count > SERIN_DIRECTIVE_OFFERS_MAX) {
        return "releases: must be 1 or 2";
    }
    for (size_t i = 0; i < policy->offer_count; i++) {
        const struct serin_offer *offer = &policy->offers[i];
        if (offer->hw_min < OFFER_HARDWARE_MIN || offer->hw_min > offer->hw_max) {
            return "releases: a hardware range must be LOW-HIGH with 1 <= LOW <= HIGH";
        }
        if (serin_bytes_all(offer->manifest_id, sizeof offer->manifest_id, 0)) {
            return "releases: a manifest id must not be all zero";
        }
        if (i > 0 && offer->hw_min <= policy->offers[0].hw_max &&
            policy->offers[0].hw_min <= offer->hw_max) {
            return "releases: hardware ranges must not overlap";
        }
    }
    return NULL;
}

/* Whether stage `i` is larger than the one before it, as far as both speak of the same thing. */
static bool stage_grows(const struct serin_stage_policy *stages, size_t i)
{
    if (i == 0) {
        return true;
    }
    if (stages[i - 1].permyriad == PERMYRIAD_ALL) {
        return false; /* nothing is larger than everyone */
    }
    if (stages[i].permyriad != 0) {
        return stages[i].permyriad > stages[i - 1].permyriad;
    }
    return stages[i - 1].count == 0 || stages[i].count > stages[i - 1].count;
}

static const char *stages_wrong(const struct serin_policy *policy)
{
    if (policy->stage_count < 1 || policy->stage_count > SERIN_STAGES_MAX) {
        return "stages: must be 1 to 16";
    }
    for (size_t i = 0; i < policy->stage_count; i++) {
        const struct serin_stage_policy *stage = &policy->stages[i];
        if ((stage->permyriad == 0) == (stage->count == 0) || stage->permyriad > PERMYRIAD_ALL) {
            return stage_size_rule[i];
        }
        if (stage->soak_s > SERIN_POLICY_SOAK_MAX_S) {
            return stage_soak_rule[i];
        }
        if (!stage_grows(policy->stages, i)) {
            return stage_order_rule[i];
        }
    }
    if (policy->stages[policy->stage_count - 1].permyriad != PERMYRIAD_ALL) {
        return "stages: the last must be 100 percent";
    }
    return NULL;
}

static const char *const gate_limit_rule[SERIN_GATE_COUNT] = {
    [SERIN_GATE_FAILURES] = "gates.failures: max_percent must be 0 to 100",
    [SERIN_GATE_BOOTS] = "gates.boot_success: min_percent must be 0 to 100",
    [SERIN_GATE_ROLLBACKS] = "gates.rollbacks: max_percent must be 0 to 100",
    [SERIN_GATE_REGRESSIONS] = "gates.regressions: max_percent must be 0 to 100",
    [SERIN_GATE_SILENCE] = "gates.silence: max_percent must be 0 to 100",
    [SERIN_GATE_ERRORS] = "gates.errors: max_percent must be 0 to 100",
};
static const char *const gate_minimum_rule[SERIN_GATE_COUNT] = {
    [SERIN_GATE_FAILURES] = "gates.failures: minimum must be 1 to 1000000",
    [SERIN_GATE_BOOTS] = "gates.boot_success: minimum must be 1 to 1000000",
    [SERIN_GATE_ROLLBACKS] = "gates.rollbacks: minimum must be 1 to 1000000",
    [SERIN_GATE_REGRESSIONS] = "gates.regressions: minimum must be 1 to 1000000",
    [SERIN_GATE_SILENCE] = "gates.silence: minimum must be 1 to 1000000",
    [SERIN_GATE_ERRORS] = "gates.errors: minimum must be 1 to 1000000",
};

static bool minimum_ok(uint32_t minimum)
{
    return minimum >= 1 && minimum <= GATE_MINIMUM_MAX;
}

/* Whether the reason at `i` is one that a device can fail for, and not listed before. */
static bool reason_ok(const struct serin_policy *policy, size_t i)
{
    enum serin_reason reason = policy->reasons[i].reason;
    bool ok = reason > SERIN_REASON_NONE && reason < SERIN_REASON_COUNT;
    for (size_t j = 0; j < i; j++) {
        ok = ok && policy->reasons[j].reason != reason;
    }
    return ok;
}

static const char *gates_wrong(const struct serin_policy *policy)
{
    for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        if (policy->gates[i].max_permyriad > PERMYRIAD_ALL) {
            return gate_limit_rule[i];
        }
        if (!minimum_ok(policy->gates[i].minimum)) {
            return gate_minimum_rule[i];
        }
    }
    if (policy->reason_count > SERIN_GATE_REASONS_MAX) {
        return "gates.reasons: must be at most 8";
    }
    for (size_t i = 0; i < policy->reason_count; i++) {
        if (!reason_ok(policy, i)) {
            return "gates.reasons: each must be a reason of failing, listed once";
        }
        if (policy->reasons[i].gate.max_permyriad > PERMYRIAD_ALL) {
            return "gates.reasons: max_percent must be 0 to 100";
        }
        if (!minimum_ok(policy->reasons[i].gate.minimum)) {
            return "gates.reasons: minimum must be 1 to 1000000";
        }
    }
    return minimum_ok(policy->control_minimum) ? NULL : "control_minimum: must be 1 to 1000000";
}

static const char *test_wrong(const struct serin_test_policy *test)
{
    if (test->accepted_permyriad < 1 || test->accepted_permyriad >= REJECTED_MAX) {
        return "test.accepted_percent: must be 0.01 to below 90";
    }
    if (test->rejected_permyriad <= test->accepted_permyriad) {
        return "test.rejected_percent: must be above accepted_percent";
    }
    if (test->rejected_permyriad > REJECTED_MAX) {
        return "test.rejected_percent: must be at most 90";
    }
    if (test->alpha_permyriad < 1 || test->alpha_permyriad > ERROR_BOUND_MAX) {
        return "test.alpha_percent: must be 0.01 to 20";
    }
    if (test->beta_permyriad < 1 || test->beta_permyriad > ERROR_BOUND_MAX) {
        return "test.beta_percent: must be 0.01 to 20";
    }
    return NULL;
}

static const char *pace_wrong(const struct serin_policy *policy)
{
    if (policy->ramp.first > RAMP_FIRST_MAX) {
        return "ramp.first: must be at most 1000000";
    }
    if (policy->ramp.growth_percent < 1 || policy->ramp.growth_percent > 100) {
        return "ramp.growth_percent: must be 1 to 100";
    }
    if (policy->ramp.settle_s < 1 || policy->ramp.settle_s > WAIT_MAX_S) {
        return "ramp.settle: must be 1 second to 30 days";
    }
    if (policy->start_s > START_MAX_S) {
        return "start: must be before the year 10000";
    }
    if (policy->window_count > SERIN_WINDOWS_MAX) {
        return "windows: must be at most 8";
    }
    for (size_t i = 0; i < policy->window_count; i++) {
        const struct serin_window *window = &policy->windows[i];
        if (window->days < 1 || window->days > 127) {
            return "windows: days must be some of mon to sun";
        }
        if (window->from_min >= DAY_MIN || window->until_min > DAY_MIN) {
            return "windows: from must be 00:00 to 23:59, to at most 24:00";
        }
        /* It might mean all of the day or nothing of it. */
        if (window->from_min == window->until_min) {
            return "windows: from and to must differ";
        }
    }
    return NULL;
}

static const char *limits_wrong(const struct serin_policy *policy)
{
    if (policy->patience_s < 1 || policy->patience_s > WAIT_MAX_S) {
        return "patience: must be 1 second to 30 days";
    }
    if (policy->deadline_s < 1 || policy->deadline_s > WAIT_MAX_S) {
        return "deadline: must be 1 second to 30 days";
    }
    if (policy->lease_s < SERIN_LEASE_MIN_S || policy->lease_s > SERIN_LEASE_MAX_S) {
        return "lease: must be 1 minute to 30 days";
    }
    if (policy->spread_s > SPREAD_MAX_S) {
        return "spread: must be at most 1 day";
    }
    /* A device that waits for its turn must not be taken for a silent or a stuck one. */
    if (policy->spread_s >= policy->patience_s || policy->spread_s >= policy->deadline_s) {
        return "spread: must be shorter than patience and deadline";
    }
    if (policy->site_failures_max > SITE_FAILURES_MAX) {
        return "site_failures_max: must be at most 1000000";
    }
    if (policy->on_halt != SERIN_ON_HALT_HOLD && policy->on_halt != SERIN_ON_HALT_REVERT) {
        return "on_halt: must be hold or revert";
    }
    return NULL;
}

enum serin_error serin_policy_check(const struct serin_policy *policy, const char **field)
{
    const char *wrong = names_wrong(policy);
    if (wrong == NULL) {
        wrong = offers_wrong(policy);
    }
    if (wrong == NULL) {
        wrong = stages_wrong(policy);
    }
    if (wrong == NULL) {
        wrong = gates_wrong(policy);
    }
    if (wrong == NULL) {
        wrong = test_wrong(&policy->test);
    }
    if (wrong == NULL) {
        wrong = limits_wrong(policy);
    }
    if (wrong == NULL) {
        wrong = pace_wrong(policy);
    }
    if (wrong == NULL) {
        return SERIN_OK;
    }
    if (field != NULL) {
        *field = wrong;
    }
    return SERIN_ERR_INVALID;
}

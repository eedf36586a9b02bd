/* A rollout's policy: the defaults, and every rule with the sentence that names it. */
#include "check_main.h"

#include <serin/orchestrator/policy.h>

#include <string.h>

static struct serin_policy good(void)
{
    struct serin_policy policy;
    serin_policy_default(&policy);
    strcpy(policy.product, "lamp");
    strcpy(policy.channel, "stable");
    policy.offer_count = 1;
    policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 3, .manifest_id = {1}};
    return policy;
}

START_TEST(defaults_are_those_of_the_design)
{
    struct serin_policy policy = good();
    static const uint32_t shares[] = {100, 1000, 5000, 10000};
    ck_assert_int_eq(serin_policy_check(&policy, NULL), SERIN_OK);
    ck_assert_uint_eq(policy.stage_count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(policy.stages[i].permyriad, shares[i]);
        ck_assert_uint_eq(policy.stages[i].soak_s, 86400);
        ck_assert(!policy.stages[i].approval);
    }
    ck_assert_uint_eq(policy.gates[SERIN_GATE_FAILURES].max_permyriad, 5000);
    ck_assert_uint_eq(policy.gates[SERIN_GATE_FAILURES].minimum, 2);
    ck_assert_uint_eq(policy.lease_s, 6 * 3600);
    struct serin_policy none;
    serin_policy_default(&none);
    ck_assert_uint_eq(none.offer_count, 0); /* a policy without a release is not one */
    ck_assert_int_eq(serin_policy_check(&none, NULL), SERIN_ERR_INVALID);
}
END_TEST

/* What a rule's planted violation does, and the words that must come back. */
static void no_product(struct serin_policy *p)
{
    p->product[0] = '\0';
}
static void bad_channel(struct serin_policy *p)
{
    strcpy(p->channel, "a/b");
}
static void bad_name(struct serin_policy *p)
{
    strcpy(p->name, "spring release");
}
static void no_end(struct serin_policy *p)
{
    memset(p->name, 'a', sizeof p->name);
}
static void no_offer(struct serin_policy *p)
{
    p->offer_count = 0;
}
static void three_offers(struct serin_policy *p)
{
    p->offer_count = 3;
}
static void zero_hardware(struct serin_policy *p)
{
    p->offers[0].hw_min = 0;
}
static void turned_hardware(struct serin_policy *p)
{
    p->offers[0].hw_min = 4;
}
static void zero_manifest(struct serin_policy *p)
{
    memset(p->offers[0].manifest_id, 0, 32);
}
static void overlap(struct serin_policy *p)
{
    p->offer_count = 2;
    p->offers[1] = (struct serin_offer){.hw_min = 3, .hw_max = 9, .manifest_id = {2}};
}
static void no_stage(struct serin_policy *p)
{
    p->stage_count = 0;
}
static void many_stages(struct serin_policy *p)
{
    p->stage_count = SERIN_STAGES_MAX + 1;
}
static void both_sizes(struct serin_policy *p)
{
    p->stages[1].count = 5;
}
static void no_size(struct serin_policy *p)
{
    p->stages[2].permyriad = 0;
}
static void over_all(struct serin_policy *p)
{
    p->stages[3].permyriad = 10001;
}
static void long_soak(struct serin_policy *p)
{
    p->stages[1].soak_s = 30 * 86400 + 1;
}
static void not_larger(struct serin_policy *p)
{
    p->stages[1].permyriad = 100;
}
static void not_more(struct serin_policy *p)
{
    p->stages[0] = p->stages[1] = (struct serin_stage_policy){.count = 7};
}
static void after_all(struct serin_policy *p)
{
    p->stages[2].permyriad = 10000;
    p->stages[3] = (struct serin_stage_policy){.count = 7};
}
static void not_all(struct serin_policy *p)
{
    p->stage_count = 3;
}
static void over_hundred(struct serin_policy *p)
{
    p->gates[SERIN_GATE_FAILURES].max_permyriad = 10001;
}
static void no_minimum(struct serin_policy *p)
{
    p->gates[SERIN_GATE_FAILURES].minimum = 0;
}
static void no_patience(struct serin_policy *p)
{
    p->patience_s = 0;
}
static void no_deadline(struct serin_policy *p)
{
    p->deadline_s = 0;
}
static void long_deadline(struct serin_policy *p)
{
    p->deadline_s = 30 * 86400 + 1;
}
static void short_lease(struct serin_policy *p)
{
    p->lease_s = 59;
}
static void long_spread(struct serin_policy *p)
{
    p->spread_s = 86401;
}
static void impatient(struct serin_policy *p)
{
    p->spread_s = p->patience_s;
}
static void many_failures(struct serin_policy *p)
{
    p->site_failures_max = 1000001;
}

static void gate_over(struct serin_policy *p)
{
    p->gates[SERIN_GATE_ERRORS].max_permyriad = 10001;
}
static void gate_no_minimum(struct serin_policy *p)
{
    p->gates[SERIN_GATE_BOOTS].minimum = 0;
}
static void gate_huge_minimum(struct serin_policy *p)
{
    p->gates[SERIN_GATE_SILENCE].minimum = 1000001;
}
static void nine_reasons(struct serin_policy *p)
{
    p->reason_count = 9;
}
static void reason_twice(struct serin_policy *p)
{
    p->reason_count = 2;
    p->reasons[0] = (struct serin_reason_policy){SERIN_REASON_FLASH, {100, 1}};
    p->reasons[1] = p->reasons[0];
}
static void reason_none(struct serin_policy *p)
{
    p->reason_count = 1;
    p->reasons[0] = (struct serin_reason_policy){SERIN_REASON_NONE, {100, 1}};
}
static void reason_over(struct serin_policy *p)
{
    p->reason_count = 1;
    p->reasons[0] = (struct serin_reason_policy){SERIN_REASON_CRASH, {10001, 1}};
}
static void reason_no_minimum(struct serin_policy *p)
{
    p->reason_count = 1;
    p->reasons[0] = (struct serin_reason_policy){SERIN_REASON_CRASH, {100, 0}};
}
static void no_control(struct serin_policy *p)
{
    p->control_minimum = 0;
}
static void nothing_accepted(struct serin_policy *p)
{
    p->test.accepted_permyriad = 0;
}
static void rejected_not_above(struct serin_policy *p)
{
    p->test.rejected_permyriad = p->test.accepted_permyriad;
}
static void rejected_nearly_all(struct serin_policy *p)
{
    p->test.rejected_permyriad = 9001;
}
static void no_alpha(struct serin_policy *p)
{
    p->test.alpha_permyriad = 0;
}
static void large_beta(struct serin_policy *p)
{
    p->test.beta_permyriad = 2001;
}
static void large_first(struct serin_policy *p)
{
    p->ramp.first = 1000001;
}
static void no_growth(struct serin_policy *p)
{
    p->ramp.growth_percent = 0;
}
static void much_growth(struct serin_policy *p)
{
    p->ramp.growth_percent = 101;
}
static void no_settle(struct serin_policy *p)
{
    p->ramp.settle_s = 0;
}
static void far_start(struct serin_policy *p)
{
    p->start_s = UINT64_C(253402300800);
}
static void many_windows(struct serin_policy *p)
{
    p->window_count = SERIN_WINDOWS_MAX + 1;
}
static void window_of(struct serin_policy *p, unsigned days, unsigned from, unsigned until)
{
    p->window_count = 1;
    p->windows[0] = (struct serin_window){(uint8_t)days, (uint16_t)from, (uint16_t)until};
}
static void window_no_day(struct serin_policy *p)
{
    window_of(p, 0, 1, 2);
}
static void window_eighth_day(struct serin_policy *p)
{
    window_of(p, 128, 1, 2);
}
static void window_late(struct serin_policy *p)
{
    window_of(p, 1, 1440, 2);
}
static void window_longer(struct serin_policy *p)
{
    window_of(p, 1, 0, 1441);
}
static void window_empty(struct serin_policy *p)
{
    window_of(p, 1, 60, 60);
}
static void no_halt(struct serin_policy *p)
{
    p->on_halt = SERIN_ON_HALT_INVALID;
}

/* Caught: each rule taken out by hand once. */
START_TEST(every_rule_is_named)
{
    static const struct {
        void (*plant)(struct serin_policy *policy);
        const char *words;
    } rules[] = {
        {no_product, "product: "},
        {bad_channel, "channel: "},
        {bad_name, "name: "},
        {no_end, "name: "},
        {no_offer, "releases: must be 1 or 2"},
        {three_offers, "releases: must be 1 or 2"},
        {zero_hardware, "releases: a hardware range"},
        {turned_hardware, "releases: a hardware range"},
        {zero_manifest, "releases: a manifest id"},
        {overlap, "releases: hardware ranges must not overlap"},
        {no_stage, "stages: must be 1 to 16"},
        {many_stages, "stages: must be 1 to 16"},
        {both_sizes, "stages[1]: exactly one of"},
        {no_size, "stages[2]: exactly one of"},
        {over_all, "stages[3]: exactly one of"},
        {long_soak, "stages[1].soak: "},
        {not_larger, "stages[1]: must be larger"},
        {not_more, "stages[1]: must be larger"},
        {after_all, "stages[3]: must be larger"},
        {not_all, "stages: the last must be 100 percent"},
        {over_hundred, "gates.failures: max_percent"},
        {no_minimum, "gates.failures: minimum"},
        {no_patience, "patience: "},
        {no_deadline, "deadline: "},
        {long_deadline, "deadline: "},
        {short_lease, "lease: "},
        {long_spread, "spread: must be at most 1 day"},
        {impatient, "spread: must be shorter"},
        {many_failures, "site_failures_max: "},
        {gate_over, "gates.errors: max_percent"},
        {gate_no_minimum, "gates.boot_success: minimum"},
        {gate_huge_minimum, "gates.silence: minimum"},
        {nine_reasons, "gates.reasons: must be at most 8"},
        {reason_twice, "gates.reasons: each must be"},
        {reason_none, "gates.reasons: each must be"},
        {reason_over, "gates.reasons: max_percent"},
        {reason_no_minimum, "gates.reasons: minimum"},
        {no_control, "control_minimum: "},
        {nothing_accepted, "test.accepted_percent: "},
        {rejected_not_above, "test.rejected_percent: must be above"},
        {rejected_nearly_all, "test.rejected_percent: must be at most"},
        {no_alpha, "test.alpha_percent: "},
        {large_beta, "test.beta_percent: "},
        {large_first, "ramp.first: "},
        {no_growth, "ramp.growth_percent: "},
        {much_growth, "ramp.growth_percent: "},
        {no_settle, "ramp.settle: "},
        {far_start, "start: "},
        {many_windows, "windows: must be at most 8"},
        {window_no_day, "windows: days"},
        {window_eighth_day, "windows: days"},
        {window_late, "windows: from must be"},
        {window_longer, "windows: from must be"},
        {window_empty, "windows: from and to"},
        {no_halt, "on_halt: "},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct serin_policy policy = good();
        const char *field = "(none)";
        rules[i].plant(&policy);
        ck_assert_msg(serin_policy_check(&policy, &field) == SERIN_ERR_INVALID, "not refused: %s",
                      rules[i].words);
        ck_assert_msg(strncmp(field, rules[i].words, strlen(rules[i].words)) == 0, "%s, not %s",
                      field, rules[i].words);
    }
}
END_TEST

START_TEST(the_edges_are_allowed)
{
    struct serin_policy policy = good();
    strcpy(policy.name, "spring_release-2.0");
    policy.reason_count = 8;
    for (size_t i = 0; i < 8; i++) {
        policy.reasons[i] = (struct serin_reason_policy){
            (enum serin_reason)(SERIN_REASON_NONE + 1 + i), {10000, 1000000}};
    }
    policy.test = (struct serin_test_policy){8999, 9000, 2000, 1, true};
    policy.ramp = (struct serin_ramp_policy){0, 100, 30 * 86400};
    policy.start_s = UINT64_C(253402300799);
    window_of(&policy, 127, 0, 1440);
    policy.on_halt = SERIN_ON_HALT_REVERT;
    policy.offer_count = 2;
    policy.offers[1] = (struct serin_offer){.hw_min = 4, .hw_max = UINT16_MAX, .manifest_id = {2}};
    policy.stages[0] = (struct serin_stage_policy){.count = 10};
    policy.stages[1] = (struct serin_stage_policy){.count = 11, .soak_s = 30 * 86400};
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 10000, .minimum = 1};
    policy.lease_s = SERIN_LEASE_MIN_S;
    policy.spread_s = policy.patience_s - 1;
    ck_assert_int_eq(serin_policy_check(&policy, NULL), SERIN_OK);
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000};
    ck_assert_int_eq(serin_policy_check(&policy, NULL), SERIN_OK);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {defaults_are_those_of_the_design, every_rule_is_named,
                                  the_edges_are_allowed, NULL};
    return check_run("policy", tests);
}

/*
 * Spells in which devices are cut off, or the engine is, or its clock jumps: at whatever minute of
 * the hour they begin, they halt no good release, though devices that were updated together beat
 * together; and what makes devices deaf halts all the same (docs/spec/rollout.md, section 5). Drawn
 * fleets (tests/bench/drawn.h).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "drawn.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>

#define DEVICES   12000u
#define PERCENT   (DRAWN_ALL / 100u)
#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define STEP_MS   (10 * MINUTE_MS) /* six starts in an hour */
/* A day of beats, an hour for the ramp of the first stage, and some of its soak; and shortly before
 * the second one opens. */
#define SOAKS_MS (UINT64_C(27) * HOUR_MS)
#define OPENS_MS (UINT64_C(35) * HOUR_MS)

/* 1 % for 12 hours, 5 % for 6, and then everyone. */
static struct drawn_config config_of(uint64_t seed)
{
    struct drawn_config config = {.devices = DEVICES, .beats = true, .seed = seed};
    serin_policy_default(&config.policy);
    (void)snprintf(config.policy.product, sizeof config.policy.product, "lamp");
    (void)snprintf(config.policy.channel, sizeof config.policy.channel, "stable");
    config.policy.offer_count = 1;
    config.policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 9, .manifest_id = {1}};
    config.policy.stage_count = 3;
    config.policy.stages[0] = (struct serin_stage_policy){.permyriad = 100, .soak_s = 12 * 3600};
    config.policy.stages[1] = (struct serin_stage_policy){.permyriad = 500, .soak_s = 6 * 3600};
    config.policy.stages[2] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = 3600};
    return config;
}

static const struct {
    const char *what;
    uint32_t offline; /* of all, for good */
    struct drawn_storm storm;
    uint64_t jump_by_ms;
} spells[] = {
    {"a fifth is cut off for the night", 0, {.for_ms = 8 * HOUR_MS, .share = 20 * PERCENT}, 0},
    {"the same where a tenth is never reached",
     10 * PERCENT,
     {.for_ms = 8 * HOUR_MS, .share = 20 * PERCENT},
     0},
    {"half are cut off for little more than two hours",
     0,
     {.for_ms = 130 * MINUTE_MS, .share = 50 * PERCENT},
     0},
    {"all are, for some hours", 0, {.for_ms = 5 * HOUR_MS, .share = DRAWN_ALL}, 0},
    {"the engine's broker is down",
     0,
     {.for_ms = 130 * MINUTE_MS, .share = DRAWN_ALL, .noticed = true},
     0},
    {"its clock is set two hours forward", 0, {.share = 0}, 125 * MINUTE_MS},
};
#define SPELLS (sizeof spells / sizeof spells[0])

static void befall(struct drawn_config *config, int spell, uint64_t from_ms)
{
    config->offline = spells[spell].offline;
    config->storm_count = 1;
    config->storms[0] = spells[spell].storm;
    config->storms[0].from_ms = from_ms;
    config->jump_ms = spells[spell].jump_by_ms != 0 ? from_ms : 0;
    config->jump_by_ms = spells[spell].jump_by_ms;
}

static void try_good(int spell, uint64_t from_ms)
{
    for (uint64_t after_ms = 0; after_ms < HOUR_MS; after_ms += STEP_MS) {
        struct drawn_config config = config_of(1 + after_ms / STEP_MS);
        struct drawn_result result;
        befall(&config, spell, from_ms + after_ms);
        ck_assert_msg(drawn_run(&config, &result), "%s", result.why);
        ck_assert_msg(result.state == SERIN_ROLLOUT_COMPLETED,
                      "%s, from minute %u on: %s in stage %u: %s", spells[spell].what,
                      (unsigned)((from_ms + after_ms) / MINUTE_MS),
                      serin_rollout_state_text(result.state), result.stage, result.why);
        /* What seems to be silence at a stage's end delays it while it may be. */
        ck_assert_uint_le(result.held_ms, 3 * HOUR_MS);
    }
}

/* Caught: what would halt does so at once, or when it lasts for a comparison; while reports are
 * down, or the clock has jumped, it counts. */
START_TEST(no_spell_halts_a_good_release)
{
    try_good(_i, SOAKS_MS);
    try_good(_i, OPENS_MS);
}
END_TEST

/* Caught: silence that never lasts; one that begins anew with each comparison. */
START_TEST(what_makes_devices_deaf_halts_through_every_spell)
{
    for (uint64_t after_ms = 0; after_ms < HOUR_MS; after_ms += STEP_MS) {
        struct drawn_config config = config_of(1 + after_ms / STEP_MS);
        struct drawn_result result;
        befall(&config, _i, SOAKS_MS + after_ms);
        config.deaf = 60 * PERCENT; /* of those that the night leaves */
        ck_assert_msg(drawn_run(&config, &result), "%s", result.why);
        ck_assert_msg(result.state == SERIN_ROLLOUT_HALTED && result.stage == 1,
                      "%s, from minute %u on: %s in stage %u: %s", spells[_i].what,
                      (unsigned)((SOAKS_MS + after_ms) / MINUTE_MS),
                      serin_rollout_state_text(result.state), result.stage, result.why);
    }
}
END_TEST

/* Within one usual gap and two comparisons of when they are silent. Caught: three gaps more. */
START_TEST(what_makes_devices_deaf_halts_soon)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct drawn_config config = config_of(seed);
        struct drawn_result result;
        config.deaf = DRAWN_ALL;
        config.later_min_ms = 60000;
        config.later_max_ms = 120000;
        ck_assert_msg(drawn_run(&config, &result), "%s", result.why);
        ck_assert_msg(result.state == SERIN_ROLLOUT_HALTED && result.stage == 1, "%s", result.why);
        /* The day before, the first steps of the ramp, three gaps, and what must last. */
        ck_assert_uint_le(result.ended_ms, (24 + 1 + 3 + 1) * HOUR_MS + 45 * MINUTE_MS);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine_spells");
    TCase *tests = tcase_create("spells");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, no_spell_halts_a_good_release, 0, (int)SPELLS);
    tcase_add_loop_test(tests, what_makes_devices_deaf_halts_through_every_spell, 0, (int)SPELLS);
    tcase_add_test(tests, what_makes_devices_deaf_halts_soon);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

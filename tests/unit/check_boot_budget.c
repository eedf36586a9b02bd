/*
 * The budget of a trial, where it is easily given back: a place of the log that a reset may have
 * torn, and the part of a second that a window's entry would leave out.
 */
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"

#include <string.h>

#define STRIDE 64u

static struct bench bench;
static struct bench_release *v1, *v2;

/* The place of the newest record in the first bank of the boot log. */
static uint32_t newest_place(void)
{
    const struct serin_region *log = &bench.layout.boot_log;
    uint32_t place = 0, sequence = 0;
    for (uint32_t index = 0; index < log->size / 2u / STRIDE; index++) {
        uint8_t head[8];
        serin_flash_emulator_peek(bench.emulator, log->address + index * STRIDE, head, sizeof head);
        if (serin_get_le32(head) == 0x424E5253u && serin_get_le32(head + 4) > sequence) {
            sequence = serin_get_le32(head + 4);
            place = index;
        }
    }
    ck_assert_uint_ne(sequence, 0);
    return place;
}

/* The power may go, and a pin, a watchdog or a crash may reset, while a record is programmed: cut
 * at its very beginning it reads erased, and its place is not clean. */
START_TEST(after_each_reset_but_the_agents_own_a_place_is_left_out)
{
    static const enum serin_reset_cause causes[] = {SERIN_RESET_UNKNOWN, SERIN_RESET_POWER,
                                                    SERIN_RESET_REQUESTED, SERIN_RESET_WATCHDOG,
                                                    SERIN_RESET_CRASH};
    struct serin_boot_choice choice;
    bench_begin(&bench, &v1, &v2);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_REQUESTED, &choice), SERIN_OK);
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        uint32_t before = newest_place();
        ck_assert_int_eq(serin_boot_select(&bench.boot, causes[i], &choice), SERIN_OK);
        uint32_t left_out = newest_place() - before - 1u;
        ck_assert_msg(left_out == (causes[i] == SERIN_RESET_REQUESTED ? 0u : 1u),
                      "cause %d: %u places", (int)causes[i], left_out);
    }
    bench_end(&bench, v1, v2, NULL);
}
END_TEST

/* What has passed of the window is never logged as less: rounded down, each boot of a trial would
 * give the rest of a second back. */
START_TEST(what_has_passed_of_a_window_is_rounded_up)
{
    struct serin_agent_event tick = {.kind = SERIN_AGENT_TICK};
    struct serin_boot_state state;
    bench_begin(&bench, &v1, &v2);
    v2->app = BENCH_SILENT;
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 3000));
    static const uint64_t moments[] = {10999, 21001, 32000};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        (void)serin_agent_step(&bench.agent, moments[i], &tick);
        ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
        ck_assert_int_eq(state.phase, SERIN_BOOT_TRIAL);
        ck_assert_uint_ge(UINT64_C(1000) * state.elapsed_s, moments[i]);
        ck_assert_uint_le(UINT64_C(1000) * state.elapsed_s, moments[i] + 1000u * (i + 1u));
    }
    bench_end(&bench, v1, v2, NULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {after_each_reset_but_the_agents_own_a_place_is_left_out,
                                  what_has_passed_of_a_window_is_rounded_up, NULL};
    bench_open_keys();
    return check_run("boot_budget", tests);
}

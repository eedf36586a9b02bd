/*
 * The bootloader: its table of phases, its record, and what it chooses whatever has happened to log
 * and slots.
 */
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"
#include "slot.h"

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_SILENT);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench.one_slot = true;
    bench_provision(&bench, v1);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

/* ---- the table ---- */

#define S SERIN_BOOT_STEADY
#define G SERIN_BOOT_STAGED
#define T SERIN_BOOT_TRIAL

/* Written down a second time, by hand: columns as in enum serin_boot_event. */
static const enum serin_boot_phase expected[4][SERIN_BOOT_EVENT_COUNT] = {
    /*          stage unst. try elapse confirm abandon rollback fallback give_up commit forget */
    [0] = {0},
    [S] = {G, 0, 0, 0, 0, 0, 0, S, S, S, S},
    [G] = {0, S, T, 0, 0, 0, S, 0, 0, 0, 0},
    [T] = {0, 0, T, T, S, T, S, 0, 0, 0, 0},
};

START_TEST(every_phase_and_event)
{
    static const uint8_t id[SERIN_SHA256_SIZE] = {9};
    for (int phase = 0; phase < 5; phase++) {
        for (int event = 0; event <= SERIN_BOOT_EVENT_COUNT; event++) {
            struct serin_boot_state state = {.phase = (enum serin_boot_phase)phase,
                                             .active = SERIN_SLOT_A,
                                             .trial = phase >= G ? SERIN_SLOT_B : SERIN_SLOT_NONE,
                                             .tries_left = phase >= G ? 2 : 0,
                                             .window_s = 60,
                                             .floor = 3};
            struct serin_boot_state before = state;
            struct serin_boot_change change = {.event = (enum serin_boot_event)event,
                                               .slot = SERIN_SLOT_B,
                                               .tries = 3,
                                               .seconds = 60,
                                               .floor = 5,
                                               .reason = SERIN_REASON_CRASH,
                                               .cause = SERIN_RESET_CRASH,
                                               .manifest_id = id};
            enum serin_boot_phase next =
                phase < 4 && event < SERIN_BOOT_EVENT_COUNT ? expected[phase][event] : 0;
            enum serin_error error = serin_boot_apply(&state, &change);
            if (next == 0) {
                ck_assert_int_eq(error, SERIN_ERR_STATE);
                ck_assert(memcmp(&state, &before, sizeof(state)) == 0);
            } else {
                ck_assert_int_eq(error, SERIN_OK);
                ck_assert_int_eq(state.phase, next);
                ck_assert_int_eq(state.trial == SERIN_SLOT_NONE, next == S);
            }
        }
    }
}
END_TEST

START_TEST(changes_do_what_they_say)
{
    static const uint8_t id[SERIN_SHA256_SIZE] = {9};
    struct serin_boot_state state = {
        .phase = SERIN_BOOT_STEADY, .active = SERIN_SLOT_A, .floor = 7};
    struct serin_boot_change commit = {.event = SERIN_BOOT_EVENT_COMMIT, .floor = 5};
    ck_assert_int_eq(serin_boot_apply(&state, &commit), SERIN_OK);
    ck_assert_uint_eq(state.floor, 7); /* never lowered */
    commit.floor = 8;
    ck_assert_int_eq(serin_boot_apply(&state, &commit), SERIN_OK);
    ck_assert_uint_eq(state.floor, 8);
    struct serin_boot_change change = {.event = SERIN_BOOT_EVENT_STAGE,
                                       .slot = SERIN_SLOT_B,
                                       .tries = 1,
                                       .seconds = 60,
                                       .manifest_id = id};
    ck_assert_int_eq(serin_boot_apply(&state, &change), SERIN_OK);
    ck_assert_uint_eq(state.tries_left, 1);
    change.event = SERIN_BOOT_EVENT_TRY;
    ck_assert_int_eq(serin_boot_apply(&state, &change), SERIN_OK);
    ck_assert_int_eq(serin_boot_apply(&state, &change), SERIN_ERR_STATE); /* used up */
    change.event = SERIN_BOOT_EVENT_ELAPSE;
    change.seconds = 65530;
    ck_assert_int_eq(serin_boot_apply(&state, &change), SERIN_OK);
    ck_assert_int_eq(serin_boot_apply(&state, &change), SERIN_OK);
    ck_assert_uint_eq(state.elapsed_s, UINT16_MAX); /* saturates */
    change.event = SERIN_BOOT_EVENT_CONFIRM;
    ck_assert_int_eq(serin_boot_apply(&state, &change), SERIN_OK);
    ck_assert_int_eq(state.active, SERIN_SLOT_B);
    ck_assert(state.active_confirmed);
    ck_assert_int_eq(state.last_outcome, SERIN_STATE_CONFIRMED);
    ck_assert(memcmp(state.last_manifest_id, id, sizeof(id)) == 0);
    change.event = SERIN_BOOT_EVENT_FORGET;
    ck_assert_int_eq(serin_boot_apply(&state, &change), SERIN_OK);
    ck_assert_int_eq(state.active, SERIN_SLOT_B);
    ck_assert_int_eq(state.last_outcome, SERIN_STATE_INVALID);
    ck_assert(serin_bytes_all(state.last_manifest_id, SERIN_SHA256_SIZE, 0));
}
END_TEST

START_TEST(the_record_survives_encoding_and_refuses_nonsense)
{
    struct serin_boot_state state = {.phase = SERIN_BOOT_TRIAL,
                                     .active = SERIN_SLOT_A,
                                     .trial = SERIN_SLOT_B,
                                     .tries_left = 2,
                                     .elapsed_s = 513,
                                     .window_s = 1027,
                                     .floor = 0x01020304,
                                     .boots = 0xFFFFFFFE,
                                     .last_manifest_id = {1, 2, 3},
                                     .last_outcome = SERIN_STATE_ROLLED_BACK,
                                     .last_reason = SERIN_REASON_CRASH,
                                     .last_cause = SERIN_RESET_WATCHDOG,
                                     .active_confirmed = true};
    uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE];
    struct serin_boot_state back;
    memset(&back, 0, sizeof(back));
    serin_boot_encode(&state, payload);
    ck_assert_int_eq(serin_boot_decode(payload, &back), SERIN_OK);
    uint8_t again[SERIN_BOOT_PAYLOAD_SIZE];
    serin_boot_encode(&back, again);
    ck_assert_mem_eq(payload, again, sizeof(again));
    ck_assert(back.active_confirmed && back.boots == state.boots && back.elapsed_s == 513);
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 0},
                 {0, 4},
                 {1, 3},
                 {2, 3},
                 {2, 0},
                 {16, SERIN_STATE_COUNT},
                 {17, SERIN_REASON_COUNT},
                 {18, SERIN_RESET_CRASH + 1},
                 {19, 4}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        serin_boot_encode(&state, payload);
        payload[wrong[i].at] = wrong[i].value;
        ck_assert_int_eq(serin_boot_decode(payload, &back), SERIN_ERR_FORMAT);
    }
}
END_TEST

/* ---- choosing ---- */

static struct serin_boot_choice choose(enum serin_reset_cause cause)
{
    struct serin_boot_choice choice;
    ck_assert_int_eq(serin_boot_select(&bench.boot, cause, &choice), SERIN_OK);
    return choice;
}

static struct serin_boot_state read_state(void)
{
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    return state;
}

/* Writes a release into a slot, as a download does. */
static void install(const struct bench_release *release, enum serin_slot slot)
{
    const struct serin_flash *flash = bench.boot.flash;
    struct serin_slot_map map;
    serin_slot_map(flash, &bench.layout, &map);
    uint32_t address = serin_slot_address(&bench.boot, slot, 0);
    ck_assert_int_eq(flash->ops->erase(flash->ctx, address, bench.layout.slot[0].size), SERIN_OK);
    uint8_t last[8];
    uint32_t size = release->manifest.image_size_bytes;
    uint32_t whole = size / 8 * 8;
    memset(last, flash->erased_value, sizeof(last));
    memcpy(last, release->image + whole, size - whole);
    address += map.image_offset;
    ck_assert_int_eq(flash->ops->program(flash->ctx, address, release->image, whole), SERIN_OK);
    if (whole < size) {
        ck_assert_int_eq(flash->ops->program(flash->ctx, address + whole, last, 8), SERIN_OK);
    }
    ck_assert_int_eq(serin_slot_manifest_program(&bench.boot, slot, release->manifest_bytes,
                                                 sizeof(release->manifest_bytes)),
                     SERIN_OK);
}

static void rot_image(enum serin_slot slot)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    serin_flash_emulator_rot(bench.emulator,
                             serin_slot_address(&bench.boot, slot, map.image_offset + 8999), 1);
}

static void lose_boot_log(void)
{
    const struct serin_flash *flash = bench.boot.flash;
    const struct serin_region *log = &bench.layout.boot_log;
    ck_assert_int_eq(flash->ops->erase(flash->ctx, log->address, log->size), SERIN_OK);
}

START_TEST(the_factory_image_boots_and_is_counted)
{
    set_up();
    for (uint32_t boot = 1; boot <= 40; boot++) {
        struct serin_boot_choice choice = choose(SERIN_RESET_POWER);
        ck_assert_int_eq(choice.slot, SERIN_SLOT_A);
        ck_assert(!choice.trial && !choice.log_failed);
        ck_assert_uint_eq(choice.image_size, 9000);
        ck_assert_mem_eq(choice.manifest_id, v1->id, 32);
        ck_assert_uint_eq(read_state().boots, boot);
    }
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_A), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_unstage(&bench.boot), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_elapse(&bench.boot, 1), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_abandon(&bench.boot, SERIN_REASON_CRASH), SERIN_ERR_STATE);
    tear_down();
}
END_TEST

struct ending {
    enum serin_reset_cause cause;
    uint16_t elapsed;
    enum serin_reason reason;
};

static const struct ending endings[] = {
    {SERIN_RESET_CRASH, 0, SERIN_REASON_CRASH},
    {SERIN_RESET_WATCHDOG, 0, SERIN_REASON_WATCHDOG},
    {SERIN_RESET_POWER, 0, SERIN_REASON_POWER},
    {SERIN_RESET_UNKNOWN, 0, SERIN_REASON_POWER},
    {SERIN_RESET_REQUESTED, 0, SERIN_REASON_NOT_CONFIRMED},
    {SERIN_RESET_WATCHDOG, 60, SERIN_REASON_NOT_CONFIRMED},
    {SERIN_RESET_POWER, 60, SERIN_REASON_NOT_CONFIRMED},
    {SERIN_RESET_CRASH, 60, SERIN_REASON_CRASH},
};

START_TEST(a_trial_ends_for_its_reason)
{
    const struct ending *ending = &endings[_i];
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_commit(&bench.boot, 9), SERIN_ERR_STATE);
    unsigned tries = 0;
    struct serin_boot_choice choice = choose(SERIN_RESET_REQUESTED);
    while (choice.trial) {
        tries++;
        ck_assert_int_eq(choice.slot, SERIN_SLOT_B);
        ck_assert_uint_eq(read_state().tries_left, 3 - tries);
        if (ending->elapsed > 0) {
            ck_assert_int_eq(serin_boot_elapse(&bench.boot, ending->elapsed), SERIN_OK);
        }
        choice = choose(ending->cause);
    }
    ck_assert_uint_eq(tries, ending->elapsed > 0 ? 1 : 3);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_A);
    struct serin_boot_state state = read_state();
    ck_assert_int_eq(state.phase, SERIN_BOOT_STEADY);
    ck_assert_int_eq(state.last_outcome, SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(state.last_reason, ending->reason);
    ck_assert_int_eq(state.last_cause, ending->cause);
    ck_assert_mem_eq(state.last_manifest_id, v2->id, 32);
    tear_down();
}
END_TEST

START_TEST(an_abandoned_trial_does_not_run_again)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert(choose(SERIN_RESET_REQUESTED).trial);
    ck_assert_int_eq(serin_boot_abandon(&bench.boot, SERIN_REASON_HEALTH), SERIN_OK);
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_A);
    ck_assert_int_eq(read_state().last_reason, SERIN_REASON_HEALTH);
    tear_down();
}
END_TEST

START_TEST(window_left_is_what_is_not_elapsed)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert_uint_eq(choose(SERIN_RESET_REQUESTED).window_left_s, 60);
    ck_assert_int_eq(serin_boot_elapse(&bench.boot, 10), SERIN_OK);
    ck_assert_uint_eq(choose(SERIN_RESET_POWER).window_left_s, 50);
    tear_down();
}
END_TEST

START_TEST(an_image_that_rots_while_staged_does_not_run)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    rot_image(SERIN_SLOT_B);
    ck_assert_int_eq(choose(SERIN_RESET_REQUESTED).slot, SERIN_SLOT_A);
    ck_assert_int_eq(read_state().last_reason, SERIN_REASON_BOOT_VERIFY);
    tear_down();
}
END_TEST

START_TEST(another_image_than_the_staged_one_does_not_run)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    v2->manifest.version.patch = 1;
    bench_release_seal(v2);
    install(v2, SERIN_SLOT_B); /* it verifies, but nobody staged it */
    ck_assert_int_eq(choose(SERIN_RESET_REQUESTED).slot, SERIN_SLOT_A);
    ck_assert_int_eq(read_state().last_reason, SERIN_REASON_BOOT_VERIFY);
    tear_down();
}
END_TEST

START_TEST(a_confirmed_image_stays_and_marks_its_slot)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert(choose(SERIN_RESET_REQUESTED).trial);
    ck_assert(!serin_slot_marked(&bench.boot, SERIN_SLOT_B, v2->id));
    ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_OK);
    ck_assert(serin_slot_marked(&bench.boot, SERIN_SLOT_B, v2->id));
    struct serin_boot_choice choice = choose(SERIN_RESET_POWER);
    ck_assert(!choice.trial);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_B);
    ck_assert_int_eq(read_state().last_outcome, SERIN_STATE_CONFIRMED);
    tear_down();
}
END_TEST

START_TEST(a_cut_in_a_confirmation_is_decided_by_the_marker)
{
    /* Operation 1 programs the marker, 2 and 3 the record. The last try is running: no boot is
     * left.
     */
    for (uint64_t at = 1; at <= 3; at++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            set_up();
            v2->manifest.confirm_tries = 1;
            bench_release_seal(v2);
            install(v2, SERIN_SLOT_B);
            ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
            ck_assert(choose(SERIN_RESET_REQUESTED).trial);
            serin_flash_emulator_cut(bench.emulator, at, (enum serin_cut)how);
            ck_assert_int_ne(serin_boot_confirm(&bench.boot), SERIN_OK);
            ck_assert(serin_flash_emulator_is_off(bench.emulator));
            serin_flash_emulator_power_on(bench.emulator);
            bool marked = serin_slot_marked(&bench.boot, SERIN_SLOT_B, v2->id);
            ck_assert_int_eq(marked, at >= 2 || how == SERIN_CUT_AFTER);
            ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, marked ? SERIN_SLOT_B : SERIN_SLOT_A);
            tear_down();
        }
    }
}
END_TEST

START_TEST(a_torn_marker_leaves_the_next_one)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    for (uint32_t torn = 1; torn <= SERIN_MARKERS_MAX; torn++) {
        serin_flash_emulator_cut(bench.emulator, 1, SERIN_CUT_INSIDE);
        ck_assert_int_ne(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v2->id), SERIN_OK);
        serin_flash_emulator_power_on(bench.emulator);
        ck_assert(!serin_slot_marked(&bench.boot, SERIN_SLOT_B, v2->id));
    }
    ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v2->id), SERIN_ERR_NO_SPACE);
    /* The boot log alone then says `confirmed`. */
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert(choose(SERIN_RESET_REQUESTED).trial);
    ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_OK);
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    tear_down();
}
END_TEST

START_TEST(rot_of_the_active_slot_falls_back_to_the_other)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    rot_image(SERIN_SLOT_A);
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    ck_assert_int_eq(read_state().active, SERIN_SLOT_A); /* nobody ever confirmed the other */
    ck_assert(read_state().last_resort);
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    struct serin_boot_choice choice;
    rot_image(SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice),
                     SERIN_ERR_NOT_FOUND);
    tear_down();
}
END_TEST

START_TEST(nothing_below_the_floor_boots)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert(choose(SERIN_RESET_REQUESTED).trial);
    ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_OK);
    ck_assert_int_eq(serin_boot_commit(&bench.boot, 2), SERIN_OK);
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    rot_image(SERIN_SLOT_B);
    struct serin_boot_choice choice;
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice),
                     SERIN_ERR_NOT_FOUND);
    tear_down();
}
END_TEST

START_TEST(the_bootloaders_own_floor_counts)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    bench.boot.floor_constant = 2;
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    tear_down();
}
END_TEST

START_TEST(a_lost_log_is_derived_from_the_slots)
{
    struct serin_boot_state state;
    set_up();
    install(v2, SERIN_SLOT_B);
    lose_boot_log();
    /* Both verify; A alone is marked. */
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(state.active, SERIN_SLOT_A);
    /* Both are marked: the higher version. */
    ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v2->id), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(state.active, SERIN_SLOT_B);
    /* Equal in all: A. */
    install(v1, SERIN_SLOT_B);
    ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v1->id), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(state.active, SERIN_SLOT_A);
    /* A mark counts more than a version, in either slot. */
    install(v2, SERIN_SLOT_A);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(state.active, SERIN_SLOT_B);
    ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_A, v2->id), SERIN_OK);
    /* The next boot writes a log again. */
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_A);
    ck_assert_int_eq(read_state().active, SERIN_SLOT_A);
    tear_down();
}
END_TEST

START_TEST(an_unmarked_slot_is_the_last_resort)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    rot_image(SERIN_SLOT_A);
    lose_boot_log();
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    ck_assert(!serin_slot_marked(&bench.boot, SERIN_SLOT_B, v2->id));
    ck_assert(!read_state().active_confirmed);
    tear_down();
}
END_TEST

/* Slot A rots, and reads right again. */
static void flip_image_a(void)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    serin_flash_emulator_rot(bench.emulator, bench.layout.slot[0].address + map.image_offset + 9u,
                             4);
}

START_TEST(a_last_resort_is_for_one_boot)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    flip_image_a();
    for (unsigned boots = 0; boots < 5; boots++) {
        struct serin_boot_choice choice = choose(SERIN_RESET_POWER);
        ck_assert_int_eq(choice.slot, SERIN_SLOT_B);
        ck_assert(!choice.trial);
        struct serin_boot_state state = read_state();
        ck_assert_int_eq(state.active, SERIN_SLOT_A);
        ck_assert(state.last_resort && state.active_confirmed);
        ck_assert(!serin_slot_marked(&bench.boot, SERIN_SLOT_B, v2->id));
    }
    flip_image_a();
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_A);
    ck_assert(!read_state().last_resort && read_state().active_confirmed);
    /* One that is marked takes over for good. */
    flip_image_a();
    ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v2->id), SERIN_OK);
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    ck_assert_int_eq(read_state().active, SERIN_SLOT_B);
    ck_assert(!read_state().last_resort && read_state().active_confirmed);
    flip_image_a();
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    tear_down();
}
END_TEST

START_TEST(what_is_filled_in_beside_a_last_resort_does_not_boot_without_a_trial)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_give_up(&bench.boot, SERIN_SLOT_B, v1->id), SERIN_OK);
    ck_assert_int_eq(read_state().active, SERIN_SLOT_A); /* B is not active: nothing to do */
    flip_image_a();
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_give_up(&bench.boot, SERIN_SLOT_A, v2->id), SERIN_OK);
    struct serin_boot_state state = read_state();
    ck_assert_int_eq(state.active, SERIN_SLOT_B);
    ck_assert(!state.active_confirmed && !state.last_resort);
    install(v2, SERIN_SLOT_A); /* sealed, and not armed yet */
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_A), SERIN_OK);
    ck_assert(choose(SERIN_RESET_POWER).trial);
    tear_down();
}
END_TEST

START_TEST(a_log_that_cannot_be_written_stops_trials_not_boots)
{
    set_up();
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    serin_flash_emulator_break(bench.emulator, bench.layout.boot_log.address,
                               bench.layout.boot_log.size, SERIN_BREAKAGE_FAILS);
    struct serin_boot_choice choice = choose(SERIN_RESET_POWER);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_A);
    ck_assert(!choice.trial);
    ck_assert(choice.log_failed); /* the trial still stands there */
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    choice = choose(SERIN_RESET_POWER);
    ck_assert(choice.trial && !choice.log_failed);
    ck_assert_int_eq(serin_boot_abandon(&bench.boot, SERIN_REASON_CRASH), SERIN_OK);
    ck_assert_int_eq(choose(SERIN_RESET_POWER).slot, SERIN_SLOT_A);
    serin_flash_emulator_break(bench.emulator, bench.layout.boot_log.address,
                               bench.layout.boot_log.size, SERIN_BREAKAGE_FAILS);
    ck_assert(choose(SERIN_RESET_POWER).log_failed);
    tear_down();
}
END_TEST

START_TEST(no_trust_record_no_boot)
{
    set_up();
    struct serin_boot_choice choice;
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(
        flash->ops->erase(flash->ctx, bench.layout.trust.address, bench.layout.trust.size),
        SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice),
                     SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, NULL, NULL),
                     SERIN_ERR_NOT_FOUND);
    tear_down();
}
END_TEST

START_TEST(verify_names_what_is_wrong)
{
    set_up();
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, NULL, NULL), SERIN_OK);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 2, NULL, NULL),
                     SERIN_ERR_COUNTER);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                     SERIN_ERR_NOT_FOUND);
    v2->manifest.slot_mask = SERIN_SLOT_MASK_A;
    bench_release_seal(v2);
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                     SERIN_ERR_UNSUPPORTED);
    v2->manifest.slot_mask = SERIN_SLOT_MASK_B;
    v2->manifest.image_sha256[31] ^= 1;
    bench_release_seal(v2);
    install(v2, SERIN_SLOT_B);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                     SERIN_ERR_DIGEST);
    rot_image(SERIN_SLOT_A);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, NULL, NULL),
                     SERIN_ERR_CRC);
    tear_down();
}
END_TEST

START_TEST(provisioning_checks_before_it_erases)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_GOOD);
    uint8_t record[SERIN_TRUST_SIZE_P256] = {0};
    struct serin_factory_image image = {.manifest = v1->manifest_bytes,
                                        .manifest_size = sizeof(v1->manifest_bytes)};
    ck_assert_int_ne(serin_boot_provision(&bench.boot, record, sizeof(record), &image), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), 0);
    bench_provision(&bench, v1);
    bench_provision(&bench, v2); /* again, over an older one */
    ck_assert_uint_eq(choose(SERIN_RESET_POWER).manifest.version.minor, 2);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("boot");
    TCase *tests = tcase_create("boot");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_phase_and_event);
    tcase_add_test(tests, changes_do_what_they_say);
    tcase_add_test(tests, the_record_survives_encoding_and_refuses_nonsense);
    tcase_add_test(tests, the_factory_image_boots_and_is_counted);
    tcase_add_loop_test(tests, a_trial_ends_for_its_reason, 0,
                        sizeof(endings) / sizeof(endings[0]));
    tcase_add_test(tests, an_abandoned_trial_does_not_run_again);
    tcase_add_test(tests, window_left_is_what_is_not_elapsed);
    tcase_add_test(tests, an_image_that_rots_while_staged_does_not_run);
    tcase_add_test(tests, another_image_than_the_staged_one_does_not_run);
    tcase_add_test(tests, a_confirmed_image_stays_and_marks_its_slot);
    tcase_add_test(tests, a_cut_in_a_confirmation_is_decided_by_the_marker);
    tcase_add_test(tests, a_torn_marker_leaves_the_next_one);
    tcase_add_test(tests, rot_of_the_active_slot_falls_back_to_the_other);
    tcase_add_test(tests, nothing_below_the_floor_boots);
    tcase_add_test(tests, the_bootloaders_own_floor_counts);
    tcase_add_test(tests, a_lost_log_is_derived_from_the_slots);
    tcase_add_test(tests, an_unmarked_slot_is_the_last_resort);
    tcase_add_test(tests, a_last_resort_is_for_one_boot);
    tcase_add_test(tests, what_is_filled_in_beside_a_last_resort_does_not_boot_without_a_trial);
    tcase_add_test(tests, a_log_that_cannot_be_written_stops_trials_not_boots);
    tcase_add_test(tests, no_trust_record_no_boot);
    tcase_add_test(tests, verify_names_what_is_wrong);
    tcase_add_test(tests, provisioning_checks_before_it_erases);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * One reading of the bootloader that comes wrong by a bit, or fails, whichever it is: what boots is
 * the same, and so is what its log remembers. The cells are sound all the time.
 */
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"
#include "slot.h"

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2;
static const struct serin_flash *below;
static struct serin_flash above;
static uint64_t readings, wrong; /* so many there were; that one comes wrong, 0: none */
static bool fails;               /* instead of a bit that is wrong */
static struct serin_region dark; /* no reading of it comes; size 0: all do */
static unsigned blinks;          /* so many readings at the addresses below come wrong, once each */
static uint32_t blink_at[2];

static enum serin_error glance_read(void *ctx, uint32_t address, void *out, size_t size)
{
    enum serin_error error = below->ops->read(ctx, address, out, size);
    if (address >= dark.address && address - dark.address < dark.size) {
        return SERIN_ERR_FLASH;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (blinks > 0 && size > 8 && address == blink_at[i]) {
            blinks--;
            blink_at[i] = UINT32_MAX;
            ((uint8_t *)out)[12] ^= 4;
        }
    }
    if (++readings == wrong) {
        uint64_t bit = readings * 7919u % (8u * size);
        ((uint8_t *)out)[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        return fails ? SERIN_ERR_FLASH : error;
    }
    return error;
}

static void set_up(void)
{
    static struct serin_flash_ops ops;
    bench_begin(&bench, &v1, &v2);
    below = bench.boot.flash;
    ops = *below->ops;
    ops.read = glance_read;
    above = *below;
    above.ops = &ops;
    bench.boot.flash = &above;
    wrong = blinks = dark.size = 0;
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

/* What a boot decides, and what it leaves. */
struct decision {
    struct serin_boot_choice choice;
    struct serin_boot_state state;
    bool kept; /* false: the log is as empty as before */
};

static void decide(struct decision *decision)
{
    memset(decision, 0, sizeof *decision);
    readings = 0;
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &decision->choice),
                     SERIN_OK);
    uint64_t made = readings;
    wrong = 0;
    decision->kept = serin_boot_read(&bench.boot, &decision->state) == SERIN_OK;
    ck_assert(decision->kept || decision->choice.log_failed); /* the next reset writes it */
    readings = made;
    decision->state.sequence = 0; /* a place that reads wrong may be left out */
}

static bool alike(const struct decision *a, const struct decision *b)
{
    uint8_t one[SERIN_BOOT_PAYLOAD_SIZE], other[SERIN_BOOT_PAYLOAD_SIZE];
    serin_boot_encode(&a->state, one);
    serin_boot_encode(&b->state, other);
    return a->choice.slot == b->choice.slot && a->choice.trial == b->choice.trial &&
           (a->choice.log_failed == b->choice.log_failed || !b->kept) &&
           (memcmp(one, other, sizeof one) == 0 || !b->kept);
}

/* Boots from what flash is now with each reading wrong in its turn. Gives back the undisturbed
 * decision. */
static struct decision boot_at_a_glance(void)
{
    struct serin_flash_snapshot *before;
    struct decision sound, glanced;
    ck_assert_int_eq(serin_flash_emulator_snapshot(bench.emulator, &before), SERIN_OK);
    decide(&sound);
    ck_assert(sound.kept);
    uint64_t all = readings;
    ck_assert_uint_gt(all, 100);
    for (unsigned how = 0; how < 2; how++) {
        fails = how == 1;
        for (uint64_t n = 1; n <= all; n++) {
            serin_flash_emulator_restore(bench.emulator, before);
            wrong = n;
            decide(&glanced);
            ck_assert_uint_ge(readings, n);
            ck_assert_msg(alike(&sound, &glanced), "reading %llu of %llu, %s",
                          (unsigned long long)n, (unsigned long long)all,
                          fails ? "failed" : "wrong");
        }
    }
    serin_flash_emulator_restore(bench.emulator, before);
    serin_flash_snapshot_free(before);
    return sound;
}

START_TEST(what_is_confirmed_and_not_committed_stays)
{
    set_up();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 3000));
    bench_run_for(&bench, 60000);
    struct decision sound = boot_at_a_glance();
    ck_assert_mem_eq(sound.choice.manifest_id, v2->id, sizeof v2->id);
    ck_assert(!sound.choice.trial);
    tear_down();
}
END_TEST

/* The release waits for its trial, and the slot is armed. */
static void arm(void)
{
    struct serin_boot_state state;
    set_up();
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 3000));
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    if (state.phase == SERIN_BOOT_STEADY) {
        ck_assert_int_eq(serin_boot_stage(&bench.boot, serin_slot_other(state.active)), SERIN_OK);
    }
}

START_TEST(what_is_staged_has_its_trial)
{
    arm();
    struct decision sound = boot_at_a_glance();
    ck_assert(sound.choice.trial);
    ck_assert_uint_eq(sound.state.tries_left, 2);
    tear_down();
}
END_TEST

/* The last try is used up, and the power went between the marker and the record. */
START_TEST(a_marker_that_stands_is_found)
{
    struct serin_boot_choice choice;
    struct serin_boot_state state;
    arm();
    for (unsigned tries = 0; tries < 3; tries++) {
        ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
        ck_assert(choice.trial);
    }
    ck_assert_int_eq(serin_slot_mark(&bench.boot, choice.slot, choice.manifest_id), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_int_eq(state.phase, SERIN_BOOT_TRIAL);
    struct decision sound = boot_at_a_glance();
    ck_assert_int_eq(sound.choice.slot, choice.slot);
    ck_assert_int_eq(sound.state.last_outcome, SERIN_STATE_CONFIRMED);
    tear_down();
}
END_TEST

/* The newest record reads wrong in both of its banks in one look: the one before it would give a
 * try back. */
START_TEST(no_look_at_the_log_gives_a_try_back)
{
    struct serin_boot_choice choice;
    const struct serin_region *log = &bench.layout.boot_log;
    arm();
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    for (unsigned tries = 1; tries < 3; tries++) {
        uint32_t newest[2] = {0, 0}, sequence[2] = {0, 0};
        for (uint32_t at = 0; at < log->size; at += 64) {
            uint8_t head[8];
            uint32_t bank = at / (log->size / 2u);
            serin_flash_emulator_peek(bench.emulator, log->address + at, head, sizeof head);
            bool newer =
                serin_get_le32(head) == 0x424E5253u && serin_get_le32(head + 4) > sequence[bank];
            newest[bank] = newer ? log->address + at : newest[bank];
            sequence[bank] = newer ? serin_get_le32(head + 4) : sequence[bank];
        }
        ck_assert_uint_eq(sequence[0], sequence[1]);
        memcpy(blink_at, newest, sizeof blink_at);
        blinks = 2;
        ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
        ck_assert_uint_eq(blinks, 0);
        ck_assert(choice.trial);
    }
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    ck_assert(!choice.trial); /* three boots, and no more */
    tear_down();
}
END_TEST

/* The log is lost while an image that was never confirmed stands in the other slot. */
START_TEST(what_the_slots_tell_needs_no_lucky_reading)
{
    arm();
    const struct serin_region *log = &bench.layout.boot_log;
    ck_assert_int_eq(below->ops->erase(below->ctx, log->address, log->size), SERIN_OK);
    struct decision sound = boot_at_a_glance();
    ck_assert_mem_eq(sound.choice.manifest_id, v1->id, sizeof v1->id);
    ck_assert(sound.state.active_confirmed);
    tear_down();
}
END_TEST

/* No reading of the log comes while the bootloader runs: it begins one bank anew, and finds it dark
 * as well. The other is left, and tells all of it when it is light. */
START_TEST(a_log_that_is_dark_for_a_boot_is_not_lost)
{
    struct serin_boot_choice choice;
    struct serin_boot_state before, after;
    arm();
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &before), SERIN_OK);
    dark = bench.layout.boot_log;
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    ck_assert(!choice.trial);
    ck_assert(choice.log_failed);
    dark.size = 0;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &after), SERIN_OK);
    ck_assert_int_eq(after.phase, SERIN_BOOT_TRIAL);
    ck_assert_uint_eq(after.tries_left, before.tries_left);
    ck_assert_uint_eq(after.sequence, before.sequence);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    ck_assert(choice.trial);
    tear_down();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_confirmed_and_not_committed_stays,
                                  what_is_staged_has_its_trial,
                                  a_marker_that_stands_is_found,
                                  no_look_at_the_log_gives_a_try_back,
                                  what_the_slots_tell_needs_no_lucky_reading,
                                  a_log_that_is_dark_for_a_boot_is_not_lost,
                                  NULL};
    bench_open_keys();
    return check_run("boot_glance", tests);
}

/*
 * A second copy of everything that a boot needs: rot of any bit, the loss of any sector, and a cut
 * anywhere in what writes the copies leave a device that boots, at its floor.
 */
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"
#include "slot.h"
#include "trust_region.h"

#include <string.h>

/* Of the bytes that rot. */
#define STRIDE_FIXED 3u
#define STRIDE_SLOTS 17u

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 5000, BENCH_GOOD);
    v2 = bench_release(2, 9000, BENCH_GOOD);
    bench_release_seal_second(v2);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench.emulator), 0);
    bench_close(&bench);
    bench_release_free(v1);
    bench_release_free(v2);
}

/* A key is rotated, and v2, which the new one signs, confirmed; then committed and mirrored. */
static void take_v2(bool commit)
{
    bench_publish_trust(&bench, 2, true);
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    if (commit) {
        directive = bench_directive(&bench, v2, NULL);
        directive.stable.flags = SERIN_RELEASE_COMMIT;
        bench_publish(&bench, &directive);
        bench_run_for(&bench, 10000);
        ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    }
}

/* The device a second time, to be damaged. */
struct twin {
    struct serin_flash_emulator *emulator;
    struct serin_boot boot;
};

static void twin_open(struct twin *twin)
{
    twin->boot = bench.boot;
    ck_assert_int_eq(serin_flash_emulator_copy(&twin->emulator, bench.emulator), SERIN_OK);
    twin->boot.flash = serin_flash_emulator_flash(twin->emulator);
}

static void twin_close(struct twin *twin)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(twin->emulator), 0);
    serin_flash_emulator_close(twin->emulator);
}

static void wipe(const struct twin *twin, uint32_t address, uint32_t size)
{
    const struct serin_flash *flash = twin->boot.flash;
    ck_assert_int_eq(flash->ops->erase(flash->ctx, address, size), SERIN_OK);
}

static uint32_t bank_size(const struct serin_region *region)
{
    return region->size / 2;
}

/* The version that a twin boots, whose floor is to be `floor`. */
static unsigned boots(const struct twin *twin, uint32_t floor, const char *what, uint32_t where)
{
    struct serin_boot_choice choice;
    struct serin_boot_state state;
    enum serin_error error = serin_boot_select(&twin->boot, SERIN_RESET_POWER, &choice);
    ck_assert_msg(error == SERIN_OK, "%s at %u: nothing boots", what, where);
    ck_assert_int_eq(serin_boot_read(&twin->boot, &state), SERIN_OK);
    ck_assert_msg(state.floor == floor, "%s at %u: floor %u", what, where, state.floor);
    return choice.manifest.version.minor;
}

/* Rot of one bit, anywhere: the log reads the same, and what ran runs, or `other` where that is
 * what rotted. */
static void rot_everywhere(uint32_t floor, unsigned running, unsigned other)
{
    struct serin_boot_state before, after;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &before), SERIN_OK);
    for (uint32_t at = 0; at < bench.boot.flash->size_bytes;
         at += at < bench.layout.slot[0].address ? STRIDE_FIXED : STRIDE_SLOTS) {
        struct twin twin;
        twin_open(&twin);
        serin_flash_emulator_rot(twin.emulator, at, (uint8_t)(1u << (at % 8u)));
        ck_assert_int_eq(serin_boot_read(&twin.boot, &after), SERIN_OK);
        ck_assert_msg(before.sequence == after.sequence, "rot at %u changes the log", at);
        unsigned minor = boots(&twin, floor, "rot", at);
        ck_assert_msg(minor == running || (at >= bench.layout.slot[0].address && minor == other),
                      "rot at %u: 1.%u runs", at, minor);
        twin_close(&twin);
    }
}

START_TEST(a_fresh_device_survives_rot_of_any_bit)
{
    set_up();
    bench_boot(&bench, SERIN_RESET_POWER);
    rot_everywhere(1, 1, 1);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    tear_down();
}
END_TEST

START_TEST(a_confirmed_image_and_what_was_before_survive_rot_of_any_bit)
{
    set_up();
    take_v2(false);
    rot_everywhere(1, 2, 1);
    tear_down();
}
END_TEST

START_TEST(a_committed_image_survives_rot_of_any_bit)
{
    set_up();
    take_v2(true);
    rot_everywhere(2, 2, 2);
    tear_down();
}
END_TEST

/* Every sector in turn, lost as an erase loses it. */
START_TEST(any_lost_sector_is_survived)
{
    set_up();
    take_v2(true);
    uint32_t sector = bench.boot.flash->sector_size;
    for (uint32_t at = 0; at < bench.boot.flash->size_bytes; at += sector) {
        struct twin twin;
        twin_open(&twin);
        wipe(&twin, at, sector);
        ck_assert_uint_eq(boots(&twin, 2, "lost sector", at), 2);
        /* What a boot wrote, and an agent mended, has two copies again. */
        ck_assert_int_eq(serin_trust_region_mend(&twin.boot, 0), SERIN_OK);
        wipe(&twin, bench.layout.trust.address, bank_size(&bench.layout.trust));
        wipe(&twin, bench.layout.boot_log.address, bank_size(&bench.layout.boot_log));
        ck_assert_uint_eq(boots(&twin, 2, "lost banks after sector", at), 2);
        twin_close(&twin);
    }
    tear_down();
}
END_TEST

/* ---- the floor ---- */

START_TEST(the_floor_has_other_witnesses_than_the_boot_log)
{
    set_up();
    take_v2(true);
    const struct serin_layout *layout = &bench.layout;
    for (int lost = 0; lost < 2; lost++) {
        struct twin twin;
        twin_open(&twin);
        wipe(&twin, layout->boot_log.address, layout->boot_log.size);
        if (lost == 1) {
            /* Then the image that stands confirmed in both slots is all that tells. */
            wipe(&twin, layout->agent_log.address, layout->agent_log.size);
        }
        ck_assert_uint_eq(boots(&twin, 2, "lost logs", 0), 2);
        twin_close(&twin);
    }
    /* With one slot alone nothing is proved: it may be confirmed and not committed. */
    struct twin twin;
    twin_open(&twin);
    wipe(&twin, layout->boot_log.address, layout->boot_log.size);
    wipe(&twin, layout->agent_log.address, layout->agent_log.size);
    wipe(&twin, layout->slot[0].address, layout->slot[0].size);
    ck_assert_uint_eq(boots(&twin, 0, "lost logs and slot", 0), 2);
    twin_close(&twin);
    tear_down();
}
END_TEST

START_TEST(what_is_confirmed_in_two_slots_is_not_committed_while_they_differ)
{
    set_up();
    take_v2(false);
    struct twin twin;
    twin_open(&twin);
    wipe(&twin, bench.layout.boot_log.address, bench.layout.boot_log.size);
    /* The factory's, which the agent found at its start; v2 was never committed. */
    ck_assert_uint_eq(boots(&twin, 1, "lost boot log", 0), 2);
    twin_close(&twin);
    tear_down();
}
END_TEST

START_TEST(nothing_below_a_witnessed_floor_boots)
{
    set_up();
    take_v2(true);
    struct twin twin;
    struct serin_boot_choice choice;
    twin_open(&twin);
    /* The boot log is lost, and so is v2; v1 is put back by whoever has hands on the flash. */
    wipe(&twin, bench.layout.boot_log.address, bench.layout.boot_log.size);
    wipe(&twin, bench.layout.slot[0].address, bench.layout.slot[0].size);
    wipe(&twin, bench.layout.slot[1].address, bench.layout.slot[1].size);
    struct serin_slot_map map;
    serin_slot_map(twin.boot.flash, twin.boot.layout, &map);
    const struct serin_flash *flash = twin.boot.flash;
    ck_assert_int_eq(flash->ops->program(flash->ctx,
                                         bench.layout.slot[0].address + map.image_offset, v1->image,
                                         5000),
                     SERIN_OK);
    ck_assert_int_eq(serin_slot_manifest_program(&twin.boot, SERIN_SLOT_A, v1->manifest_bytes,
                                                 sizeof(v1->manifest_bytes)),
                     SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&twin.boot, SERIN_RESET_POWER, &choice),
                     SERIN_ERR_NOT_FOUND);
    wipe(&twin, bench.layout.agent_log.address, bench.layout.agent_log.size);
    ck_assert_int_eq(serin_boot_select(&twin.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    twin_close(&twin);
    tear_down();
}
END_TEST

START_TEST(counters_at_their_maximum)
{
    set_up();
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    state.boots = UINT32_MAX - 1u;
    ck_assert_int_eq(serin_boot_log_append(&bench.boot, &state, false), SERIN_OK);
    for (int boot = 0; boot < 3; boot++) {
        struct twin twin;
        twin_open(&twin);
        ck_assert_uint_eq(boots(&twin, 1, "many boots", 0), 1);
        twin_close(&twin);
        bench_boot(&bench, SERIN_RESET_POWER);
        ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
        ck_assert_uint_eq(state.boots, UINT32_MAX);
    }
    tear_down();
    /* The last floor that there is. */
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 5000, BENCH_GOOD);
    v2 = bench_release(2, 5000, BENCH_GOOD);
    v1->manifest.security_counter = UINT32_MAX;
    bench_release_seal(v1);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
    ck_assert_int_eq(serin_boot_commit(&bench.boot, UINT32_MAX), SERIN_OK);
    ck_assert_int_eq(serin_boot_commit(&bench.boot, 0), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_uint_eq(state.floor, UINT32_MAX);
    bench_boot(&bench, SERIN_RESET_POWER);
    tear_down();
}
END_TEST

/* ---- a trial ---- */

static struct serin_boot_state read_state(const struct twin *twin)
{
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&twin->boot, &state), SERIN_OK);
    return state;
}

START_TEST(a_lost_bank_gives_no_try_back)
{
    set_up();
    v2->app = BENCH_SILENT;
    bench_publish_trust(&bench, 2, true);
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    struct twin twin;
    twin_open(&twin);
    unsigned tries = 1;
    for (struct serin_boot_choice choice = {.trial = true}; choice.trial;) {
        ck_assert_uint_eq(read_state(&twin).tries_left, 3 - tries);
        wipe(&twin,
             bench.layout.boot_log.address +
                 (tries + (unsigned)_i) % 2 * bank_size(&bench.layout.boot_log),
             bank_size(&bench.layout.boot_log));
        ck_assert_uint_eq(read_state(&twin).tries_left, 3 - tries);
        ck_assert_int_eq(serin_boot_select(&twin.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
        tries += choice.trial ? 1 : 0;
    }
    ck_assert_uint_eq(tries, 3);
    ck_assert_int_eq(read_state(&twin).last_outcome, SERIN_STATE_ROLLED_BACK);
    twin_close(&twin);
    tear_down();
}
END_TEST

/* ---- the trust region ---- */

static size_t trust_record(uint32_t version, uint8_t record[SERIN_TRUST_SIZE_P256])
{
    struct serin_trust trust;
    test_trust(&trust, "pump");
    trust.version = version;
    test_trust_add(&trust, SERIN_KEY_ROLE_RELEASE, TEST_STRANGER);
    ck_assert_int_eq(serin_trust_seal(bench_crypto(), &test_keys[TEST_ROOT].signer, &trust, record),
                     SERIN_OK);
    return SERIN_TRUST_SIZE_P256;
}

/* Whether the trust record reads as `version` from either bank alone. */
static void check_both_banks(const struct serin_boot *boot, uint32_t version)
{
    for (uint32_t bank = 0; bank < 2; bank++) {
        struct twin twin;
        struct serin_trust trust;
        twin_open(&twin);
        uint32_t size = bank_size(&boot->layout->trust);
        wipe(&twin, boot->layout->trust.address + bank * size, size);
        ck_assert_int_eq(serin_trust_region_read(&twin.boot, &trust), SERIN_OK);
        ck_assert_uint_eq(trust.version, version);
        twin_close(&twin);
    }
}

START_TEST(a_trust_update_ends_with_two_equal_banks)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    set_up();
    check_both_banks(&bench.boot, 1);
    for (uint32_t version = 2; version < 6; version++) {
        size_t size = trust_record(version, record);
        ck_assert_int_eq(serin_trust_region_update(&bench.boot, record, size), SERIN_OK);
        ck_assert_int_eq(serin_trust_region_mend(&bench.boot, version), SERIN_OK);
        check_both_banks(&bench.boot, version);
        uint64_t operations = serin_flash_emulator_operations(bench.emulator);
        ck_assert_int_eq(serin_trust_region_update(&bench.boot, record, size), SERIN_ERR_STALE);
        ck_assert_int_eq(serin_trust_region_mend(&bench.boot, 0), SERIN_OK);
        ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    }
    tear_down();
}
END_TEST

/* The power goes in an update, then in what mends it, at every operation of both. */
START_TEST(a_trust_update_that_is_cut_is_completed_by_the_agent)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    for (uint64_t at = 1; at <= 6; at++) {
        for (uint64_t mend = 0; mend <= 6; mend++) {
            set_up();
            size_t size = trust_record(2, record);
            serin_flash_emulator_cut(bench.emulator, (at + 2) / 3,
                                     (enum serin_cut)((at - 1) % 3 + 1));
            (void)!serin_trust_region_update(&bench.boot, record, size);
            ck_assert(serin_flash_emulator_is_off(bench.emulator));
            serin_flash_emulator_power_on(bench.emulator);
            if (mend > 0) {
                serin_flash_emulator_cut(bench.emulator, (mend + 2) / 3,
                                         (enum serin_cut)((mend - 1) % 3 + 1));
                (void)!serin_trust_region_mend(&bench.boot, 0);
                serin_flash_emulator_power_on(bench.emulator);
                serin_flash_emulator_cut(bench.emulator, 1, SERIN_CUT_NONE);
            }
            struct serin_trust trust;
            ck_assert_int_eq(serin_trust_region_read(&bench.boot, &trust), SERIN_OK);
            bench_boot(&bench, SERIN_RESET_POWER);
            check_both_banks(&bench.boot, trust.version);
            ck_assert(!bench.agent.trust_single);
            tear_down();
        }
    }
}
END_TEST

START_TEST(a_trust_record_with_one_copy_is_no_redundancy)
{
    set_up();
    uint32_t size = bank_size(&bench.layout.trust);
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(flash->ops->erase(flash->ctx, bench.layout.trust.address + size, size),
                     SERIN_OK);
    serin_flash_emulator_break(bench.emulator, bench.layout.trust.address + size, size,
                               SERIN_BREAKAGE_FAILS);
    bench_boot(&bench, SERIN_RESET_POWER);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_NONE);
    ck_assert_int_eq(serin_trust_region_mend(&bench.boot, 0), SERIN_ERR_FLASH);
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    bench_power_cycle(&bench);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    check_both_banks(&bench.boot, 1);
    tear_down();
}
END_TEST

/* ---- the factory ---- */

START_TEST(a_provisioning_that_is_cut_boots_whole_or_not_at_all)
{
    bool one_slot = _i % 2 == 1;
    bool again = _i >= 2; /* over a device that has lived */
    uint64_t at = 0;
    for (bool fired = true; fired;) {
        at++;
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            set_up();
            bench.one_slot = one_slot;
            if (again) {
                take_v2(true);
            } else {
                const struct serin_flash *flash = bench.boot.flash;
                ck_assert_int_eq(flash->ops->erase(flash->ctx, 0, flash->size_bytes), SERIN_OK);
            }
            serin_flash_emulator_cut(bench.emulator, at, (enum serin_cut)how);
            enum serin_error error = bench_try_provision(&bench, v1);
            fired = serin_flash_emulator_is_off(bench.emulator);
            ck_assert_int_eq(error == SERIN_OK, !fired);
            serin_flash_emulator_power_on(bench.emulator);
            serin_flash_emulator_cut(bench.emulator, 1, SERIN_CUT_NONE);
            struct serin_boot_choice choice;
            struct serin_boot_state state;
            if (serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice) == SERIN_OK) {
                ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
                /* The old device, untouched, or the new one, whole but for a copy of the trust. */
                bool old = again && at == 1;
                ck_assert_uint_eq(state.floor, old ? 2 : 1);
                ck_assert_uint_eq(state.boots, old ? state.boots : 1);
                ck_assert_uint_eq(choice.manifest.version.minor, old ? 2 : 1);
                bench_boot(&bench, SERIN_RESET_POWER);
                ck_assert_int_eq(bench.agent.redundancy, one_slot && !old
                                                             ? SERIN_REDUNDANCY_NONE
                                                             : SERIN_REDUNDANCY_MIRRORED);
                check_both_banks(&bench.boot, old ? 2 : 1);
            } else {
                ck_assert_msg(fired, "provisioned, and nothing boots");
            }
            bench_provision(&bench, v1);
            bench_boot(&bench, SERIN_RESET_POWER);
            ck_assert_uint_eq(bench_running(&bench), 1);
            tear_down();
        }
    }
    ck_assert_uint_gt(at, 15);
}
END_TEST

START_TEST(an_image_for_slot_a_alone_stands_there_alone)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 5000, BENCH_GOOD);
    v2 = bench_release(2, 5000, BENCH_GOOD);
    v1->manifest.slot_mask = SERIN_SLOT_MASK_A;
    bench_release_seal(v1);
    bench_serve(&bench, v1);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_NONE);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                     SERIN_ERR_NOT_FOUND);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("boot_copies");
    TCase *tests = tcase_create("boot_copies");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_fresh_device_survives_rot_of_any_bit);
    tcase_add_test(tests, a_confirmed_image_and_what_was_before_survive_rot_of_any_bit);
    tcase_add_test(tests, a_committed_image_survives_rot_of_any_bit);
    tcase_add_test(tests, any_lost_sector_is_survived);
    tcase_add_test(tests, the_floor_has_other_witnesses_than_the_boot_log);
    tcase_add_test(tests, what_is_confirmed_in_two_slots_is_not_committed_while_they_differ);
    tcase_add_test(tests, nothing_below_a_witnessed_floor_boots);
    tcase_add_test(tests, counters_at_their_maximum);
    tcase_add_loop_test(tests, a_lost_bank_gives_no_try_back, 0, 2);
    tcase_add_test(tests, a_trust_update_ends_with_two_equal_banks);
    tcase_add_test(tests, a_trust_update_that_is_cut_is_completed_by_the_agent);
    tcase_add_test(tests, a_trust_record_with_one_copy_is_no_redundancy);
    tcase_add_loop_test(tests, a_provisioning_that_is_cut_boots_whole_or_not_at_all, 0, 4);
    tcase_add_test(tests, an_image_for_slot_a_alone_stands_there_alone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

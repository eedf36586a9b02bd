/*
 * A device that is provisioned anew because nothing boots: what its floor and its trust record kept
 * out stays out, whatever the port does, and whenever the power goes meanwhile.
 */
#include "check_main.h"
#include "device_bench.h"

#include <string.h>

#define FLOOR 7u
#define TRUST 5u

static struct bench bench;
static struct bench_release *v1, *v2;

/* What the port saw, and what it does: NULL: nothing. */
static struct {
    struct serin_recovery_account account;
    unsigned calls;
    const struct bench_release *brings;
    uint32_t trust_version;
    bool like_a_factory;
    enum serin_error error; /* of its provisioning */
} seen;

static enum serin_error read_image(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct bench_release *release = ctx;
    memcpy(out, release->image + offset, size);
    return SERIN_OK;
}

static enum serin_error put_in(const struct bench_release *release, uint32_t trust_version)
{
    struct serin_trust trust;
    uint8_t record[SERIN_TRUST_SIZE_P256];
    test_trust(&trust, "pump");
    trust.version = trust_version;
    ck_assert_int_eq(serin_trust_seal(bench_crypto(), &test_keys[TEST_ROOT].signer, &trust, record),
                     SERIN_OK);
    const struct serin_factory_image image = {.manifest = release->manifest_bytes,
                                              .manifest_size = sizeof(release->manifest_bytes),
                                              .read = read_image,
                                              .ctx = (void *)(uintptr_t)release};
    return seen.like_a_factory ? serin_boot_provision(&bench.boot, record, sizeof(record), &image)
                               : serin_boot_provision_anew(&bench.boot, &seen.account, record,
                                                           sizeof(record), &image);
}

static enum serin_error nothing_boots(void *ctx, const struct serin_recovery_account *account)
{
    (void)ctx;
    seen.account = *account;
    seen.calls++;
    if (seen.brings == NULL) {
        return SERIN_ERR_NOT_FOUND;
    }
    seen.error = put_in(seen.brings, seen.trust_version);
    return seen.error;
}

static const struct serin_recovery_ops recovery_ops = {.nothing_boots = nothing_boots};
static const struct serin_recovery recovery = {.ops = &recovery_ops};

static enum serin_error select_boot(struct serin_boot_choice *choice)
{
    return serin_boot_select(&bench.boot, SERIN_RESET_POWER, choice);
}

static void lose(const struct serin_region *region)
{
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(flash->ops->erase(flash->ctx, region->address, region->size), SERIN_OK);
}

/* A device that took a trust record of version 5, then a release of counter 7, committed. */
static void set_up(void)
{
    memset(&seen, 0, sizeof(seen));
    bench_begin(&bench, &v1, &v2);
    v2->manifest.security_counter = FLOOR;
    bench_release_seal(v2);
    bench_boot(&bench, SERIN_RESET_POWER);
    bench_publish_trust(&bench, TRUST, false);
    bench_run_for(&bench, 2000);
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 5000));
    bench_run_for(&bench, 200000);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    bench.boot.recovery = &recovery;
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

static void check_device(void)
{
    struct serin_boot_state state;
    struct serin_trust trust;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_uint_eq(state.floor, FLOOR);
    ck_assert_int_eq(serin_trust_region_read(&bench.boot, &trust), SERIN_OK);
    ck_assert_uint_eq(trust.version, TRUST);
}

START_TEST(an_old_release_and_old_keys_stay_out)
{
    struct serin_boot_choice choice;
    set_up();
    lose(&bench.layout.trust);
    if (_i == 1) {
        lose(&bench.layout.boot_log); /* the agent's log tells the same */
    }
    uint64_t before = serin_flash_emulator_operations(bench.emulator);
    seen.trust_version = TRUST;
    seen.brings = v1;
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_uint_eq(seen.account.floor, FLOOR);
    ck_assert_uint_eq(seen.account.trust_version, TRUST);
    ck_assert_int_eq(seen.error, SERIN_ERR_COUNTER);
    seen.brings = v2;
    seen.trust_version = 1;
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(seen.error, SERIN_ERR_STALE);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), before);
    seen.trust_version = TRUST;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_uint_eq(choice.manifest.security_counter, FLOOR);
    check_device();
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

START_TEST(a_floor_above_the_images_counter_stands_in_the_first_record)
{
    struct serin_boot_choice choice;
    struct serin_boot_state state;
    set_up();
    lose(&bench.layout.trust);
    v2->manifest.security_counter = FLOOR + 2u;
    bench_release_seal(v2);
    seen.brings = v2;
    seen.trust_version = TRUST + 1u;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_uint_eq(state.floor, FLOOR + 2u);
    tear_down();
}
END_TEST

/* It does as the factory does, and brings what is older: that boots neither now nor later. */
START_TEST(a_port_that_forgets_the_floor_does_not_lower_it)
{
    struct serin_boot_choice choice;
    set_up();
    lose(&bench.layout.trust);
    seen.like_a_factory = true;
    seen.brings = v1;
    seen.trust_version = TRUST;
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(seen.error, SERIN_OK);
    seen.brings = NULL;
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(seen.account.floor, FLOOR);
    ck_assert_int_eq(seen.account.slots[0], SERIN_ERR_COUNTER);
    /* Where the log takes nothing it holds at least for this boot. */
    seen.brings = v2;
    seen.like_a_factory = false;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    check_device();
    tear_down();
}
END_TEST

/* The newest record of the trust region counts, too, and what the agent knows of the factory's. */
START_TEST(both_witnesses_of_the_trust_version_are_asked)
{
    struct serin_boot_choice choice;
    set_up();
    lose(&bench.layout.slot[0]);
    lose(&bench.layout.slot[1]);
    lose(&bench.layout.agent_log);
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(seen.account.trust, SERIN_OK);
    ck_assert_uint_eq(seen.account.trust_version, TRUST);
    tear_down();

    memset(&seen, 0, sizeof(seen));
    bench_begin(&bench, &v1, &v2);
    bench.boot.recovery = &recovery;
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 5000));
    lose(&bench.layout.trust);
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(seen.account.trust, SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(seen.account.trust_version, 1);
    lose(&bench.layout.agent_log);
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(seen.account.trust_version, 0);
    tear_down();
}
END_TEST

/* Whoever takes the power away during a recovery finds the floor where it was, whichever log tells
 * it. */
START_TEST(a_recovery_that_is_cut_keeps_the_floor)
{
    static struct serin_flash_snapshot *lost;
    unsigned cuts = 0, versions_lost = 0;
    struct serin_boot_choice choice;
    set_up();
    lose(&bench.layout.trust);
    if (_i > 0) {
        lose(_i == 1 ? &bench.layout.boot_log : &bench.layout.agent_log);
    }
    ck_assert_int_eq(serin_flash_emulator_snapshot(bench.emulator, &lost), SERIN_OK);
    for (bool fired = true; fired; cuts++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            serin_flash_emulator_restore(bench.emulator, lost);
            seen.brings = v2;
            seen.trust_version = TRUST;
            serin_flash_emulator_cut(bench.emulator, cuts + 1u, (enum serin_cut)how);
            (void)!select_boot(&choice);
            fired = serin_flash_emulator_is_off(bench.emulator);
            serin_flash_emulator_power_on(bench.emulator);
            serin_flash_emulator_cut(bench.emulator, 1, SERIN_CUT_NONE);
            seen.brings = NULL;
            if (select_boot(&choice) != SERIN_OK) {
                ck_assert(fired);
                ck_assert_uint_eq(seen.account.floor, FLOOR);
                versions_lost += seen.account.trust_version != TRUST;
                seen.brings = v2;
                ck_assert_int_eq(select_boot(&choice), SERIN_OK);
            }
            ck_assert_uint_eq(choice.manifest.security_counter, FLOOR);
            check_device();
        }
    }
    ck_assert_uint_gt(cuts, 15);
    /* From inside the erase of the agent's log to inside the program of the trust record, with the
     * erase before that: the last operations but one. */
    ck_assert(versions_lost <= 7 || _i == 2);
    serin_flash_snapshot_free(lost);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("boot recovery");
    TCase *tests = tcase_create("recovery");
    tcase_set_timeout(tests, 60); /* a machine may be busy */
    tcase_add_loop_test(tests, an_old_release_and_old_keys_stay_out, 0, 2);
    tcase_add_test(tests, a_floor_above_the_images_counter_stands_in_the_first_record);
    tcase_add_test(tests, a_port_that_forgets_the_floor_does_not_lower_it);
    tcase_add_test(tests, both_witnesses_of_the_trust_version_are_asked);
    tcase_add_loop_test(tests, a_recovery_that_is_cut_keeps_the_floor, 0, 3);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * What a cut leaves in logs and trust region, by every fault that the emulator can name: cells that
 * read erased and are not, that read differently each time, that read right now and wrong later.
 */
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"
#include "reclog.h"
#include "slot.h"

#include <stdio.h>
#include <string.h>

#define PAYLOAD 52

/* ---- logs ---- */

static struct serin_flash_emulator *emulator;
static struct serin_reclog log_;
static char replay[SERIN_FLASH_FAULT_TEXT_MAX + 64];

static const struct geometry {
    uint32_t unit;
    uint8_t erased;
    bool ecc;
} geometries[] = {{8, 0xFF, false},   {32, 0x00, false}, {64, 0xFF, true},  {256, 0xFF, true},
                  {256, 0x00, false}, {512, 0xFF, true}, {512, 0x00, false}};

static void open_log(const struct geometry *geometry)
{
    struct serin_flash_emulator_config config = {.size_bytes = 4096,
                                                 .sector_size = 512,
                                                 .write_unit = geometry->unit,
                                                 .erased_value = geometry->erased,
                                                 .ecc = geometry->ecc,
                                                 .seed = 1};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    log_ = (struct serin_reclog){.flash = serin_flash_emulator_flash(emulator),
                                 .region = {.address = 1024, .size = 1024},
                                 .magic = 0x424E5253u,
                                 .payload_size = PAYLOAD};
}

static enum serin_error append(uint32_t value)
{
    uint8_t payload[PAYLOAD];
    memset(payload, (int)(value & 0xFF), sizeof(payload));
    serin_put_le32(payload, value);
    return serin_reclog_append(&log_, payload);
}

/* The value of the newest record, 0 where there is none: always one that was appended. */
static uint32_t newest(void)
{
    uint8_t payload[PAYLOAD];
    if (serin_reclog_read(&log_, payload, NULL) != SERIN_OK) {
        return 0;
    }
    uint32_t value = serin_get_le32(payload);
    ck_assert_msg(serin_bytes_all(payload + 4, PAYLOAD - 4, (uint8_t)value),
                  "a record that nobody wrote: %s", replay);
    return value;
}

/* As a device does: a log that does not read three times counts as lost. */
static enum serin_error append_surely(uint32_t value)
{
    enum serin_error error = SERIN_ERR_AGAIN;
    for (int tries = 0; tries < 6 && error == SERIN_ERR_AGAIN; tries++) {
        log_.begin_anew = tries == 3;
        error = append(value);
    }
    log_.begin_anew = false;
    return error;
}

/* What a device does at each start: it reads, and writes the state afresh. */
static void start(uint32_t value, uint32_t last, uint32_t torn)
{
    for (int reading = 0; reading < 8; reading++) {
        uint32_t found = newest();
        ck_assert_msg(found == last || found == torn, "%u after %u: %s", found, torn, replay);
    }
    log_.after_reset = true;
    enum serin_error error = append_surely(value);
    if (log_.flash->write_unit == 512) {
        /* A bank of one place: a torn record that read well, and then not, leaves no bank that may
         * be erased. That append fails, and the last record stands; the next one sees it as it is.
         */
        for (int again = 0; error != SERIN_OK && again < 4; again++) {
            uint32_t found = newest();
            ck_assert_msg(found == last || found == torn, "%u after %u: %s", found, torn, replay);
            error = append_surely(value);
        }
    }
    ck_assert_msg(error == SERIN_OK, "not written: %s", replay);
    log_.after_reset = false;
    for (int reading = 0; reading < 8; reading++) {
        ck_assert_msg(newest() == value, "%u instead of %u: %s", newest(), value, replay);
    }
}

/* Appends until the fault fires; returns the value that it hit. */
static uint32_t append_to_fault(const struct serin_flash_fault *fault)
{
    uint32_t value = 1;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, fault), SERIN_OK);
    while (append(value) == SERIN_OK && !serin_flash_emulator_is_off(emulator)) {
        value++;
        ck_assert_uint_lt(value, 200);
    }
    return value;
}

static void one_fault(const struct geometry *geometry, const struct serin_flash_fault *fault)
{
    char text[SERIN_FLASH_FAULT_TEXT_MAX];
    serin_flash_fault_print(fault, text);
    snprintf(replay, sizeof(replay), "unit %u, %s", geometry->unit, text);
    open_log(geometry);
    uint32_t torn = append_to_fault(fault);
    serin_flash_emulator_power_on(emulator);
    start(1000, torn - 1, torn);
    ck_assert_int_eq(append(1001), SERIN_OK);
    for (uint32_t boot = 0; boot < 3; boot++) {
        serin_flash_emulator_power_off(emulator);
        serin_flash_emulator_power_on(emulator);
        start(1002 + boot, 1001 + boot, 1001 + boot);
    }
    struct serin_flash_figures figures;
    serin_flash_emulator_figures(emulator, &figures);
    ck_assert_msg(figures.breaches == 0, "a rule was broken: %s", replay);
    ck_assert_msg(figures.fired == 1, "fired %u times: %s", (unsigned)figures.fired, replay);
    ck_assert_msg(figures.refused == 0, "a torn place was programmed: %s", replay);
    serin_flash_emulator_close(emulator);
}

/* The operations of `appends` appends. */
static uint64_t learn(const struct geometry *geometry, uint32_t appends,
                      struct serin_flash_operation *operations, uint64_t max)
{
    open_log(geometry);
    for (uint32_t value = 1; value <= appends; value++) {
        ck_assert_int_eq(append(value), SERIN_OK);
    }
    uint64_t count = serin_flash_emulator_operations(emulator);
    ck_assert_uint_le(count, max);
    for (uint64_t n = 0; n < count; n++) {
        ck_assert(serin_flash_emulator_operation(emulator, n, &operations[n]));
    }
    return count;
}

START_TEST(a_torn_record_is_old_or_new_and_never_programmed_again)
{
    const struct geometry *geometry = &geometries[_i];
    struct serin_flash_operation operations[128];
    /* Through three banks. */
    uint64_t count = learn(geometry, geometry->unit >= 256 ? 6 : 18, operations, 128);
    struct serin_flash_emulator *learned = emulator;
    unsigned long points = 0;
    for (uint64_t n = 0; n < count; n++) {
        uint64_t faults = serin_flash_fault_count(learned, &operations[n], 1);
        uint64_t step = faults / 50 + 1;
        for (uint64_t index = n % step; index < faults; index += step) {
            struct serin_flash_fault fault;
            serin_flash_fault_nth(learned, &operations[n], 1, index, &fault);
            if (serin_flash_fault_is_cut(&fault)) {
                one_fault(geometry, &fault);
                points++;
            }
        }
    }
    serin_flash_emulator_close(learned);
    ck_assert_uint_gt(points, 150);
}
END_TEST

/* ---- a device ---- */

static struct bench bench;
static struct bench_release *v1;
static uint8_t trust_record[SERIN_TRUST_SIZE_P256];

static void set_up(void)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 5000, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_provision(&bench, v1);
    struct serin_trust trust;
    test_trust(&trust, "pump");
    trust.version = 2;
    test_trust_add(&trust, SERIN_KEY_ROLE_RELEASE, TEST_STRANGER);
    ck_assert_int_eq(
        serin_trust_seal(bench_crypto(), &test_keys[TEST_ROOT].signer, &trust, trust_record),
        SERIN_OK);
}

static void tear_down(void)
{
    bench_close(&bench);
    bench_release_free(v1);
}

/* The device a second time, to be cut. */
static struct serin_boot twin_open(void)
{
    struct serin_boot boot = bench.boot;
    ck_assert_int_eq(serin_flash_emulator_copy(&emulator, bench.emulator), SERIN_OK);
    boot.flash = serin_flash_emulator_flash(emulator);
    return boot;
}

static void twin_close(void)
{
    struct serin_flash_figures figures;
    serin_flash_emulator_figures(emulator, &figures);
    ck_assert_msg(figures.breaches == 0, "a rule was broken: %s", replay);
    ck_assert_msg(figures.fired > 0, "no fault fired: %s", replay);
    ck_assert_msg(figures.refused == 0, "a torn place was programmed: %s", replay);
    serin_flash_emulator_close(emulator);
}

static void power_cycle(void)
{
    serin_flash_emulator_power_off(emulator);
    serin_flash_emulator_power_on(emulator);
}

static void must_boot(const struct serin_boot *boot, const char *when)
{
    for (int reading = 0; reading < 4; reading++) {
        struct serin_trust trust;
        ck_assert_msg(serin_trust_region_read(boot, &trust) == SERIN_OK, "no trust record %s: %s",
                      when, replay);
    }
    struct serin_boot_choice choice;
    ck_assert_msg(serin_boot_select(boot, SERIN_RESET_POWER, &choice) == SERIN_OK,
                  "nothing boots %s: %s", when, replay);
}

/* The next operation is cut, whichever it is, and leaves what reads now so, now so. */
static void arm_second(uint64_t operation)
{
    const enum serin_flash_fault_kind kinds[] = {SERIN_FLASH_FAULT_ERASE_GARBAGE,
                                                 SERIN_FLASH_FAULT_PROGRAM_SCATTER};
    for (size_t i = 0; i < 2; i++) {
        const struct serin_flash_fault fault = {
            .operation = operation, .kind = kinds[i], .torn = SERIN_FLASH_TORN_UNSTABLE, .seed = 3};
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
    }
}

/* What the agent does: `note` stands for its record, which is durable. */
static enum serin_error mend(const struct serin_boot *boot, uint32_t *note)
{
    enum serin_error error = serin_trust_region_mend(boot, *note);
    if (error == SERIN_ERR_AGAIN) {
        *note = 2;
        error = serin_trust_region_mend(boot, *note);
    }
    return error;
}

static enum serin_error update(const struct serin_boot *boot, uint32_t *note)
{
    enum serin_error error = serin_trust_region_update(boot, trust_record, sizeof(trust_record));
    if (error == SERIN_OK) {
        *note = 2;
        error = mend(boot, note);
    }
    return error;
}

/* An update that is cut by `fault`, then, unless `second` is 0, its mend at its n-th operation. */
static void cut_update(const struct serin_flash_fault *fault, uint64_t second)
{
    char text[SERIN_FLASH_FAULT_TEXT_MAX];
    serin_flash_fault_print(fault, text);
    snprintf(replay, sizeof(replay), "%s, then %u", text, (unsigned)second);
    struct serin_boot boot = twin_open();
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, fault), SERIN_OK);
    uint32_t note = 0;
    enum serin_error error = update(&boot, &note);
    ck_assert_msg(serin_flash_emulator_is_off(emulator), "%d: %s", (int)error, replay);
    serin_flash_emulator_power_on(emulator);
    must_boot(&boot, "after the cut");
    if (second > 0) {
        arm_second(serin_flash_emulator_operations(emulator) + second - 1);
        (void)!mend(&boot, &note);
        serin_flash_emulator_power_on(emulator);
        serin_flash_emulator_disarm(emulator);
        must_boot(&boot, "after the second cut");
    }
    for (int cycle = 0; cycle < 3; cycle++) {
        ck_assert_msg(mend(&boot, &note) == SERIN_OK, "not mended: %s", replay);
        power_cycle();
        must_boot(&boot, "once mended");
    }
    twin_close();
}

/* What reads right although it was at work when the power went, and goes bad later: the last unit
 * of a record, and the first sector of an erase. */
static void cut_at_the_last_moment(const struct serin_flash_operation operations[4])
{
    for (uint64_t n = 0; n < 4; n++) {
        bool program = operations[n].kind == SERIN_FLASH_PROGRAM;
        for (int torn = SERIN_FLASH_TORN_FAULTING; torn <= SERIN_FLASH_TORN_WEAK_POWER; torn++) {
            const struct serin_flash_fault fault = {
                .operation = operations[n].number,
                .kind = program ? SERIN_FLASH_FAULT_PROGRAM_NEW : SERIN_FLASH_FAULT_ERASE_OLD,
                .at = program ? operations[n].size - bench_small.unit : 0,
                .torn = (enum serin_flash_torn)torn,
                .reads = torn == SERIN_FLASH_TORN_WEAK_READ ? 60 : 0,
                .seed = 9};
            for (uint64_t second = 0; second <= 4; second++) {
                cut_update(&fault, second);
            }
        }
    }
}

START_TEST(a_torn_trust_update_never_leaves_a_device_without)
{
    set_up();
    struct serin_flash_operation operations[4];
    struct serin_boot boot = twin_open();
    uint64_t first = serin_flash_emulator_operations(emulator);
    uint32_t note = 0;
    ck_assert_int_eq(update(&boot, &note), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_operations(emulator) - first, 4);
    for (uint64_t n = 0; n < 4; n++) {
        ck_assert(serin_flash_emulator_operation(emulator, first + n, &operations[n]));
    }
    serin_flash_emulator_close(emulator);
    unsigned long points = 0;
    for (uint64_t n = 0; n < 4; n++) {
        uint64_t faults = serin_flash_fault_count(bench.emulator, &operations[n], 1);
        uint64_t step = faults / 70 + 1;
        for (uint64_t index = n % step; index < faults; index += step) {
            struct serin_flash_fault fault;
            serin_flash_fault_nth(bench.emulator, &operations[n], 1, index, &fault);
            for (uint64_t second = 0; serin_flash_fault_is_cut(&fault) && second <= 4; second++) {
                cut_update(&fault, second);
                points++;
            }
        }
    }
    ck_assert_uint_gt(points, 1000);
    cut_at_the_last_moment(operations);
    tear_down();
}
END_TEST

/* An erase that was cut may read as if it were done. */
START_TEST(a_slot_is_erased_even_where_it_reads_so)
{
    set_up();
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    const uint32_t sectors = map.manifest_size / bench.boot.flash->sector_size;
    for (uint32_t sector = 0; sector < sectors; sector++) {
        for (int torn = SERIN_FLASH_TORN_STABLE; torn <= SERIN_FLASH_TORN_WEAK_POWER; torn++) {
            struct serin_boot boot = twin_open();
            const struct serin_flash_fault fault = {
                .operation = serin_flash_emulator_operations(emulator),
                .kind = SERIN_FLASH_FAULT_ERASE_ERASED,
                .at = sector * bench.boot.flash->sector_size,
                .torn = (enum serin_flash_torn)torn,
                .reads = torn == SERIN_FLASH_TORN_WEAK_READ ? 1 : 0,
                .seed = 5};
            snprintf(replay, sizeof(replay), "sector %u, torn %d", sector, torn);
            ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
            enum serin_error error = _i == 0 ? serin_slot_invalidate(&boot, SERIN_SLOT_B)
                                             : serin_slot_forget(&boot, SERIN_SLOT_B);
            if (serin_flash_emulator_is_off(emulator)) {
                serin_flash_emulator_power_on(emulator);
                ck_assert_int_ne(error, SERIN_OK);
                uint64_t before = serin_flash_emulator_operations(emulator);
                error = _i == 0 ? serin_slot_invalidate(&boot, SERIN_SLOT_B)
                                : serin_slot_forget(&boot, SERIN_SLOT_B);
                ck_assert_uint_gt(serin_flash_emulator_operations(emulator), before);
                ck_assert_int_eq(error, SERIN_OK);
                if (_i == 0) {
                    ck_assert_int_eq(serin_slot_manifest_program(&boot, SERIN_SLOT_B,
                                                                 v1->manifest_bytes,
                                                                 sizeof(v1->manifest_bytes)),
                                     SERIN_OK);
                }
                power_cycle();
                ck_assert_int_eq(serin_boot_verify_slot(&boot, SERIN_SLOT_B, 0, NULL, NULL),
                                 SERIN_OK);
                twin_close();
            } else {
                ck_assert(_i == 1 && sector > 0); /* the journal has fewer sectors */
                serin_flash_emulator_close(emulator);
            }
        }
    }
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("boot_torn");
    TCase *tests = tcase_create("boot_torn");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_torn_record_is_old_or_new_and_never_programmed_again, 0,
                        sizeof geometries / sizeof geometries[0]);
    tcase_add_test(tests, a_torn_trust_update_never_leaves_a_device_without);
    tcase_add_loop_test(tests, a_slot_is_erased_even_where_it_reads_so, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * Heads that lead to no whole record, in any number, as a bank is left by an erase that was cut, or
 * by cells that are worn: the log is found as before, and in a time that grows with its places, not
 * with their square.
 */
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"
#include "reclog.h"

#include <string.h>

#define SECTOR 16384u
#define STRIDE 64u
#define PLACES (2u * SECTOR / STRIDE) /* of both banks */
#define PASSES UINT64_C(16)           /* over them, for one look */

static const struct serin_flash *below;
static struct serin_flash above;
static uint64_t readings, bytes, failing; /* the reading that fails, 0: none */

static enum serin_error counted_read(void *ctx, uint32_t address, void *out, size_t size)
{
    (void)ctx;
    bytes += size;
    return ++readings == failing ? SERIN_ERR_FLASH
                                 : below->ops->read(below->ctx, address, out, size);
}

static void count_readings(const struct serin_flash *flash)
{
    static struct serin_flash_ops ops;
    below = flash;
    ops = *flash->ops;
    ops.read = counted_read;
    above = *flash;
    above.ops = &ops;
    readings = bytes = failing = 0;
}

/* ---- a log ---- */

static struct serin_flash_emulator *emulator;
static struct serin_reclog log_;

static void set_up(void)
{
    struct serin_flash_emulator_config config = {.size_bytes = 4u * SECTOR,
                                                 .sector_size = SECTOR,
                                                 .write_unit = 8,
                                                 .erased_value = 0xFF,
                                                 .seed = 1};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    count_readings(serin_flash_emulator_flash(emulator));
    log_ = (struct serin_reclog){.flash = &above,
                                 .region = {.address = SECTOR, .size = 2u * SECTOR},
                                 .magic = 0x424E5253u,
                                 .payload_size = STRIDE - SERIN_RECLOG_OVERHEAD};
    uint8_t payload[STRIDE];
    for (uint32_t value = 1; value <= PLACES / 2u; value++) {
        memset(payload, 0, sizeof payload);
        serin_put_le32(payload, value);
        ck_assert_int_eq(serin_reclog_append(&log_, payload), SERIN_OK);
    }
}

static void tear_down(void)
{
    serin_flash_emulator_close(emulator);
}

/* One bit of the payload of record `value` in that bank. */
static void spoil(uint32_t bank, uint32_t value)
{
    serin_flash_emulator_rot(emulator, (1u + bank) * SECTOR + (value - 1u) * STRIDE + 40u, 0x10);
}

/* The newest value, in a bounded number of readings; 0 with `error`. */
static uint32_t newest(enum serin_error *error)
{
    uint8_t payload[STRIDE];
    uint32_t sequence;
    readings = 0;
    *error = serin_reclog_read(&log_, payload, &sequence);
    ck_assert_uint_le(readings, PASSES * PLACES);
    return *error == SERIN_OK ? serin_get_le32(payload) : 0;
}

START_TEST(the_newest_whole_record_is_found_behind_any_number_of_heads)
{
    static const uint32_t bad[] = {0, 1, 7, 8, 9, 10, 100, PLACES / 2u - 1u};
    enum serin_error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        set_up();
        for (uint32_t value = PLACES / 2u; value > PLACES / 2u - bad[i]; value--) {
            spoil(0, value);
            spoil(1, value);
        }
        ck_assert_uint_eq(newest(&error), PLACES / 2u - bad[i]);
        ck_assert(!serin_reclog_suspect(&log_));
        tear_down();
    }
}
END_TEST

START_TEST(a_bank_of_bad_records_beside_a_sound_one_costs_a_pass)
{
    enum serin_error error;
    for (uint32_t bank = 0; bank < 2; bank++) {
        set_up();
        for (uint32_t value = 1; value <= PLACES / 2u; value++) {
            spoil(bank, value);
        }
        ck_assert_uint_eq(newest(&error), PLACES / 2u);
        readings = 0;
        ck_assert(serin_reclog_suspect(&log_));
        ck_assert_uint_le(readings, PASSES * PLACES);
        uint8_t payload[STRIDE] = {7};
        readings = 0;
        ck_assert_int_eq(serin_reclog_append(&log_, payload), SERIN_OK);
        ck_assert_uint_le(readings, 4u * PASSES * PLACES);
        ck_assert_uint_eq(newest(&error), 7);
        ck_assert(!serin_reclog_suspect(&log_));
        tear_down();
    }
}
END_TEST

START_TEST(with_no_whole_record_a_reading_that_fails_is_told_from_none)
{
    enum serin_error error;
    set_up();
    for (uint32_t value = 1; value <= PLACES / 2u; value++) {
        spoil(0, value);
        spoil(1, value);
    }
    (void)newest(&error);
    ck_assert_int_eq(error, SERIN_ERR_NOT_FOUND);
    uint64_t all = readings;
    for (failing = 1; failing <= all; failing++) {
        (void)newest(&error);
        ck_assert_int_eq(error, SERIN_ERR_FLASH);
    }
    tear_down();
}
END_TEST

/* ---- a device ---- */

#define LARGE 131072u

static struct bench bench;
static struct bench_release *v1, *v2;

/* Heads of newer records behind the newest, up to the end of both banks. */
static void fill_with_heads(void)
{
    const struct serin_region *log = &bench.layout.boot_log;
    const struct serin_flash *flash = serin_flash_emulator_flash(bench.emulator);
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_log_read(&bench.boot, &state), SERIN_OK);
    uint32_t sequence = state.sequence + 1000u;
    for (uint32_t at = log->address; at < log->address + log->size; at += STRIDE) {
        uint8_t head[STRIDE];
        serin_flash_emulator_peek(bench.emulator, at, head, sizeof head);
        if (!serin_bytes_all(head, sizeof head, 0xFF)) {
            continue;
        }
        memset(head, 0x5a, sizeof head);
        serin_put_le32(head, 0x424E5253u);
        serin_put_le32(head + 4, sequence++);
        ck_assert_int_eq(flash->ops->program(flash->ctx, at, head, sizeof head), SERIN_OK);
    }
}

START_TEST(the_bound_between_two_feeds_holds_for_a_log_full_of_them)
{
    const struct bench_geometry large = {
        .size = 32u * LARGE, .sector = LARGE, .unit = 8, .erased = 0xFF, .seed = 1};
    struct serin_agent_work work;
    bench_open(&bench, &large);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_SILENT);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    count_readings(bench.boot.flash);
    bench.boot.flash = &above;
    bench_boot(&bench, SERIN_RESET_POWER);
    memset(&work, 0, sizeof work);
    serin_agent_work_max(&bench.config, false, &work);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 5000));
    fill_with_heads();
    uint64_t most = 0;
    for (bytes = 0; bench.now_ms < 15000 && bench_step(&bench, 15000); bytes = 0) {
        most = bytes > most ? bytes : most;
    }
    ck_assert_uint_gt(most,
                      (uint64_t)bench.layout.boot_log.size / STRIDE * 8u); /* a pass at least */
    ck_assert_uint_le(most, work.read_bytes);
    bench_close(&bench);
    bench_release_free(v1);
    bench_release_free(v2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_newest_whole_record_is_found_behind_any_number_of_heads,
                                  a_bank_of_bad_records_beside_a_sound_one_costs_a_pass,
                                  with_no_whole_record_a_reading_that_fails_is_told_from_none,
                                  the_bound_between_two_feeds_holds_for_a_log_full_of_them, NULL};
    bench_open_keys();
    return check_run("reclog_heads", tests);
}

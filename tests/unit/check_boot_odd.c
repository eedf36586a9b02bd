/*
 * The boot state's functions on flash that holds what it should not: logs that are lost or say
 * nonsense under a right CRC, trust records of other products, slots that rot while a trial cannot
 * be recorded, factories that are given the wrong input.
 */
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"
#include "flash_io.h"
#include "slot.h"
#include "trust_region.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>

#include <string.h>

#define BOOT_LOG_MAGIC 0x424E5253u

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

static void wipe(const struct serin_region *region)
{
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(flash->ops->erase(flash->ctx, region->address, region->size), SERIN_OK);
}

/* v2 stands in slot B, unmarked, and is armed for its trial. */
static void stage_b(void)
{
    const struct serin_flash *flash = bench.boot.flash;
    struct serin_slot_map map;
    serin_slot_map(flash, &bench.layout, &map);
    wipe(&bench.layout.slot[1]);
    uint32_t address = serin_slot_address(&bench.boot, SERIN_SLOT_B, map.image_offset);
    ck_assert_int_eq(serin_flash_program(flash, address, v2->image, v2->manifest.image_size_bytes),
                     SERIN_OK);
    ck_assert_int_eq(serin_slot_manifest_program(&bench.boot, SERIN_SLOT_B, v2->manifest_bytes,
                                                 sizeof(v2->manifest_bytes)),
                     SERIN_OK);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
}

/* ---- a state that is not there ---- */

START_TEST(nothing_is_changed_where_nothing_boots)
{
    set_up();
    wipe(&bench.layout.trust);
    wipe(&bench.layout.boot_log);
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(state.active, SERIN_SLOT_NONE);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_boot_unstage(&bench.boot), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_elapse(&bench.boot, 10), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_abandon(&bench.boot, SERIN_REASON_CRASH), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_commit(&bench.boot, 9), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_boot_forget(&bench.boot), SERIN_OK);
    ck_assert_int_eq(serin_boot_end_trial(&bench.boot, SERIN_RESET_POWER), SERIN_ERR_STATE);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    tear_down();
}
END_TEST

START_TEST(what_is_for_a_trial_alone_is_refused_without_one)
{
    set_up();
    struct serin_boot_state before, after;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &before), SERIN_OK);
    ck_assert_int_eq(serin_boot_unstage(&bench.boot), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_elapse(&bench.boot, 10), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_abandon(&bench.boot, SERIN_REASON_CRASH), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_end_trial(&bench.boot, SERIN_RESET_POWER), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_A), SERIN_ERR_STATE); /* it runs */
    ck_assert_int_eq(serin_boot_forget(&bench.boot), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &after), SERIN_OK);
    ck_assert_uint_eq(after.sequence, before.sequence);
    stage_b();
    ck_assert_int_eq(serin_boot_commit(&bench.boot, 9), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_forget(&bench.boot), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_ERR_STATE); /* it has not booted yet */
    tear_down();
}
END_TEST

START_TEST(a_record_that_says_nonsense_under_a_right_crc_is_no_record)
{
    set_up();
    struct serin_boot_state state;
    struct serin_boot_choice choice;
    uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE];
    memset(payload, 0xEE, sizeof(payload));
    const struct serin_reclog log = {.flash = bench.boot.flash,
                                     .region = bench.layout.boot_log,
                                     .magic = BOOT_LOG_MAGIC,
                                     .payload_size = SERIN_BOOT_PAYLOAD_SIZE};
    ck_assert_int_eq(serin_reclog_append(&log, payload), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(state.active, SERIN_SLOT_A); /* as the slots tell */
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(an_agent_log_of_another_format_is_no_witness_of_the_floor)
{
    set_up();
    struct serin_boot_choice choice;
    uint8_t payload[SERIN_AGENT_PAYLOAD_SIZE] = {0};
    const struct serin_reclog log = {.flash = bench.boot.flash,
                                     .region = bench.layout.agent_log,
                                     .magic = SERIN_AGENT_LOG_MAGIC,
                                     .payload_size = SERIN_AGENT_PAYLOAD_SIZE};
    serin_put_le16(payload, SERIN_AGENT_FORMAT + 1);
    serin_put_le32(payload + SERIN_AGENT_FLOOR_OFFSET, UINT32_MAX);
    ck_assert_int_eq(serin_reclog_append(&log, payload), SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    serin_put_le16(payload, SERIN_AGENT_FORMAT);
    ck_assert_int_eq(serin_reclog_append(&log, payload), SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice),
                     SERIN_ERR_NOT_FOUND); /* this one is: nothing reaches that floor */
    tear_down();
}
END_TEST

/* ---- a trial that cannot be recorded ---- */

START_TEST(rot_while_a_trial_waits_that_no_log_can_take_boots_the_other_slot_unrecorded)
{
    set_up();
    stage_b();
    struct serin_slot_map map;
    struct serin_boot_choice choice;
    struct serin_boot_state before, after;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &before), SERIN_OK);
    serin_flash_emulator_rot(
        bench.emulator, serin_slot_address(&bench.boot, SERIN_SLOT_A, map.image_offset + 77), 4);
    serin_flash_emulator_break(bench.emulator, bench.layout.boot_log.address,
                               bench.layout.boot_log.size, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_REQUESTED, &choice), SERIN_OK);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_B);
    ck_assert(!choice.trial);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &after), SERIN_OK);
    ck_assert_int_eq(after.phase, SERIN_BOOT_STAGED);
    ck_assert_uint_eq(after.tries_left, before.tries_left);
    tear_down();
}
END_TEST

START_TEST(a_trial_is_ended_for_what_ended_it_and_else_for_the_flash)
{
    static const struct {
        enum serin_reset_cause cause;
        bool abandoned;
        enum serin_reason reason;
    } ends[] = {{SERIN_RESET_CRASH, true, SERIN_REASON_CRASH},
                {SERIN_RESET_POWER, false, SERIN_REASON_FLASH}};
    set_up();
    stage_b();
    struct serin_boot_choice choice;
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_REQUESTED, &choice), SERIN_OK);
    ck_assert(choice.trial);
    if (ends[_i].abandoned) {
        ck_assert_int_eq(serin_boot_abandon(&bench.boot, SERIN_REASON_CRASH), SERIN_OK);
    }
    ck_assert_int_eq(serin_boot_end_trial(&bench.boot, ends[_i].cause), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_int_eq(state.phase, SERIN_BOOT_STEADY);
    ck_assert_int_eq(state.last_outcome, SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(state.last_reason, ends[_i].reason);
    tear_down();
}
END_TEST

START_TEST(a_trial_that_bears_its_marker_ends_confirmed)
{
    set_up();
    stage_b();
    struct serin_boot_choice choice;
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_REQUESTED, &choice), SERIN_OK);
    ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v2->id), SERIN_OK);
    ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v2->id), SERIN_OK); /* once */
    ck_assert_int_eq(serin_boot_end_trial(&bench.boot, SERIN_RESET_POWER), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_int_eq(state.active, SERIN_SLOT_B);
    ck_assert_int_eq(state.last_outcome, SERIN_STATE_CONFIRMED);
    tear_down();
}
END_TEST

/* ---- the trust record ---- */

static void trust_of(const char *product, uint32_t version, uint8_t record[SERIN_TRUST_SIZE_P256])
{
    struct serin_trust trust;
    test_trust(&trust, product);
    trust.version = version;
    ck_assert_int_eq(
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record),
        SERIN_OK);
}

START_TEST(a_trust_record_of_another_product_is_refused)
{
    set_up();
    uint8_t record[SERIN_TRUST_MAX] = {0};
    struct serin_trust trust;
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    trust_of("valve", 9, record);
    ck_assert_int_eq(serin_trust_region_update(&bench.boot, record, SERIN_TRUST_SIZE_P256),
                     SERIN_ERR_PRODUCT);
    trust_of("pump", 9, record);
    ck_assert_int_eq(serin_trust_region_update(&bench.boot, record, sizeof(record)),
                     SERIN_ERR_TOO_LARGE);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    ck_assert_int_eq(serin_trust_region_read(&bench.boot, &trust), SERIN_OK);
    ck_assert_uint_eq(trust.version, 1);
    tear_down();
}
END_TEST

/* Programs both banks anew: a head of its own making, and what it covers. */
static void forge_banks(uint32_t size, const uint8_t *record, bool head_right)
{
    uint8_t bytes[16 + SERIN_TRUST_SIZE_P256 + SERIN_FLASH_UNIT_MAX] = {0};
    const struct serin_flash *flash = bench.boot.flash;
    const struct serin_region *region = &bench.layout.trust;
    uint32_t covered = size < SERIN_TRUST_SIZE_P256 ? size : SERIN_TRUST_SIZE_P256;
    /* The magic stands in the region already: it is taken from there, not written down twice. */
    ck_assert_int_eq(flash->ops->read(flash->ctx, region->address, bytes, 4), SERIN_OK);
    memcpy(bytes + 16, record, SERIN_TRUST_SIZE_P256);
    serin_put_le32(bytes + 4, size);
    serin_put_le32(bytes + 8, serin_crc32(0, record, covered));
    serin_put_le32(bytes + 12, serin_crc32(0, bytes, 12) ^ (head_right ? 0u : 1u));
    wipe(region);
    uint32_t whole = serin_round_up(16 + SERIN_TRUST_SIZE_P256, flash->write_unit);
    for (uint32_t bank = 0; bank < 2; bank++) {
        uint32_t address = region->address + bank * (region->size / 2);
        ck_assert_int_eq(flash->ops->program(flash->ctx, address, bytes, whole), SERIN_OK);
    }
}

START_TEST(a_bank_whose_head_or_size_is_wrong_is_none)
{
    set_up();
    struct serin_trust trust;
    struct serin_boot_choice choice;
    uint8_t record[SERIN_TRUST_SIZE_P256];
    trust_of("pump", 1, record);
    forge_banks(SERIN_TRUST_SIZE_P256, record, true);
    ck_assert_int_eq(serin_trust_region_read(&bench.boot, &trust), SERIN_OK);
    ck_assert_int_eq(serin_trust_region_mend(&bench.boot, 0), SERIN_OK);
    static const struct {
        uint32_t size;
        bool head_right;
        const char *product;
    } wrong[] = {{SERIN_TRUST_SIZE_P256, false, "pump"},
                 {SERIN_TRUST_SIZE_P256 + 1, true, "pump"},
                 {UINT32_MAX, true, "pump"},
                 {SERIN_TRUST_BODY_SIZE - 1, true, "pump"},
                 {0, true, "pump"},
                 {SERIN_TRUST_SIZE_P256, true, "valve"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        trust_of(wrong[i].product, 2, record);
        forge_banks(wrong[i].size, record, wrong[i].head_right);
        ck_assert_msg(serin_trust_region_read(&bench.boot, &trust) == SERIN_ERR_NOT_FOUND,
                      "case %zu counts", i);
        ck_assert_int_eq(serin_trust_region_mend(&bench.boot, 0), SERIN_ERR_NOT_FOUND);
        ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice),
                         SERIN_ERR_NOT_FOUND);
    }
    /* The factory, or a service tool, can put one there again: nothing has to be kept bootable. */
    trust_of("pump", 3, record);
    ck_assert_int_eq(serin_trust_region_update(&bench.boot, record, sizeof(record)), SERIN_OK);
    ck_assert_int_eq(serin_trust_region_mend(&bench.boot, 3), SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(a_record_counts_before_there_is_anything_to_boot)
{
    set_up();
    uint8_t record[SERIN_TRUST_SIZE_P256];
    struct serin_trust trust;
    wipe(&bench.layout.slot[0]);
    wipe(&bench.layout.slot[1]);
    wipe(&bench.layout.boot_log);
    trust_of("pump", 2, record);
    ck_assert_int_eq(serin_trust_region_update(&bench.boot, record, sizeof(record)), SERIN_OK);
    /* An update that was cut there: the newer one is written afresh, told, and completed. */
    ck_assert_int_eq(serin_trust_region_mend(&bench.boot, 0), SERIN_ERR_AGAIN);
    ck_assert_int_eq(serin_trust_region_mend(&bench.boot, 2), SERIN_OK);
    ck_assert_int_eq(serin_trust_region_read(&bench.boot, &trust), SERIN_OK);
    ck_assert_uint_eq(trust.version, 2);
    tear_down();
}
END_TEST

/* ---- the factory ---- */

static unsigned image_reads, image_fails_at;

static enum serin_error read_v1(void *ctx, uint32_t offset, void *out, size_t size)
{
    (void)ctx;
    if (++image_reads == image_fails_at) {
        return SERIN_ERR_IO;
    }
    memcpy(out, v1->image + offset, size);
    return SERIN_OK;
}

static enum serin_error provision(const uint8_t *record, size_t manifest_size)
{
    struct serin_factory_image image = {
        .manifest = v1->manifest_bytes, .manifest_size = manifest_size, .read = read_v1};
    image_reads = 0;
    return serin_boot_provision(&bench.boot, record, SERIN_TRUST_SIZE_P256, &image);
}

START_TEST(a_factory_with_the_wrong_input_erases_nothing)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_GOOD);
    image_fails_at = 0;
    uint8_t record[SERIN_TRUST_SIZE_P256], other[SERIN_TRUST_SIZE_P256];
    trust_of("pump", 1, record);
    trust_of("valve", 1, other);
    size_t right = sizeof(v1->manifest_bytes);
    ck_assert_int_eq(provision(other, right), SERIN_ERR_PRODUCT);
    ck_assert_int_eq(provision(record, SERIN_MANIFEST_SIZE_P256 + 1), SERIN_ERR_TOO_LARGE);
    ck_assert_int_ne(provision(record, right - 1), SERIN_OK);
    struct serin_layout good = bench.layout;
    bench.layout.slot[1] = bench.layout.slot[0];
    ck_assert_int_eq(provision(record, right), SERIN_ERR_LAYOUT);
    bench.layout = good;
    bench.boot.floor_constant = v1->manifest.security_counter + 1;
    ck_assert_int_eq(provision(record, right), SERIN_ERR_COUNTER);
    bench.boot.floor_constant = 0;
    record[40] ^= 1;
    ck_assert_int_ne(provision(record, right), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), 0);
    tear_down();
}
END_TEST

START_TEST(an_image_that_cannot_be_read_leaves_nothing_that_boots)
{
    set_up();
    uint8_t record[SERIN_TRUST_SIZE_P256];
    struct serin_boot_choice choice;
    trust_of("pump", 1, record);
    image_fails_at = 0;
    ck_assert_int_eq(provision(record, sizeof(v1->manifest_bytes)), SERIN_OK);
    unsigned total = image_reads;
    ck_assert_uint_gt(total, 2);
    for (image_fails_at = 1; image_fails_at <= total; image_fails_at++) {
        ck_assert_int_eq(provision(record, sizeof(v1->manifest_bytes)), SERIN_ERR_IO);
        ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice),
                         SERIN_ERR_NOT_FOUND);
    }
    image_fails_at = 0;
    ck_assert_int_eq(provision(record, sizeof(v1->manifest_bytes)), SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(a_part_that_fails_anywhere_is_not_shipped)
{
    set_up();
    const struct serin_region regions[] = {bench.layout.boot_log,  bench.layout.trust,
                                           bench.layout.agent_log, bench.layout.scratch,
                                           bench.layout.slot[0],   bench.layout.slot[1]};
    uint8_t record[SERIN_TRUST_SIZE_P256];
    trust_of("pump", 1, record);
    image_fails_at = 0;
    for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        serin_flash_emulator_break(bench.emulator, regions[i].address, regions[i].size,
                                   SERIN_BREAKAGE_FAILS);
        ck_assert_msg(provision(record, sizeof(v1->manifest_bytes)) == SERIN_ERR_FLASH,
                      "region %zu", i);
        serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    }
    ck_assert_int_eq(provision(record, sizeof(v1->manifest_bytes)), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(verifying_tells_manifest_and_id_to_who_asks)
{
    set_up();
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, &manifest, NULL),
                     SERIN_OK);
    ck_assert_uint_eq(manifest.version.minor, 1);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, NULL, id), SERIN_OK);
    ck_assert_mem_eq(id, v1->id, sizeof(id));
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("boot odd");
    TCase *tests = tcase_create("odd");
    tcase_add_test(tests, nothing_is_changed_where_nothing_boots);
    tcase_add_test(tests, what_is_for_a_trial_alone_is_refused_without_one);
    tcase_add_test(tests, a_record_that_says_nonsense_under_a_right_crc_is_no_record);
    tcase_add_test(tests, an_agent_log_of_another_format_is_no_witness_of_the_floor);
    tcase_add_test(tests,
                   rot_while_a_trial_waits_that_no_log_can_take_boots_the_other_slot_unrecorded);
    tcase_add_loop_test(tests, a_trial_is_ended_for_what_ended_it_and_else_for_the_flash, 0, 2);
    tcase_add_test(tests, a_trial_that_bears_its_marker_ends_confirmed);
    tcase_add_test(tests, a_trust_record_of_another_product_is_refused);
    tcase_add_test(tests, a_bank_whose_head_or_size_is_wrong_is_none);
    tcase_add_test(tests, a_record_counts_before_there_is_anything_to_boot);
    tcase_add_test(tests, a_factory_with_the_wrong_input_erases_nothing);
    tcase_add_test(tests, an_image_that_cannot_be_read_leaves_nothing_that_boots);
    tcase_add_test(tests, a_part_that_fails_anywhere_is_not_shipped);
    tcase_add_test(tests, verifying_tells_manifest_and_id_to_who_asks);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

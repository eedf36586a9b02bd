/*
 * A patch applied from one slot into the other: the power goes in every operation, torn or not, and
 * again while it goes on; what comes out is the new image and its piece table, nothing outside of
 * their place is touched, and little is made twice.
 */
#include "check_main.h"
#include "delta_images.h"
#include "flash_io.h"
#include "patching_keep.h"

#include <serin/adapters/divsufsort.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/emulator/flash_emulator.h>
#include <serin/piece.h>

#include <string.h>

#define PARTS     28u /* pairs of small images, one behind the other */
#define IMAGE_MAX (PARTS * DELTA_IMAGE_MAX)
#define REGION    0x20000u /* of each of: old image, new image, table, banks */
#define BASE      0u
#define IMAGE     REGION
#define TABLE     (2u * REGION)
#define BANKS     (3u * REGION)
#define BANK_SIZE (REGION / 2u)

static uint8_t old_image[IMAGE_MAX], new_image[IMAGE_MAX];
static uint32_t old_size, new_size;
static uint8_t rows[IMAGE_MAX / SERIN_PIECE_SIZE * SERIN_SHA256_SIZE];
static struct serin_delta_patch patch;
static uint8_t patch_sha256[SERIN_SHA256_SIZE], base_sha256[SERIN_SHA256_SIZE];
static struct serin_manifest manifest;
static struct serin_patching_job job;
static struct serin_patching patching;
static struct serin_flash_emulator *emulator;
static struct serin_flash_snapshot *fresh; /* the old image stands, all else holds something */

struct goods {
    enum serin_delta_ram ram;
    uint32_t sector, unit;
    bool ecc;
};

static void make_images(enum serin_delta_ram ram)
{
    static struct delta_pair pair;
    old_size = new_size = 0;
    for (uint32_t i = 0; i < PARTS; i++) {
        delta_images(SERIN_DELTA_ARCH_THUMB, 1 + i, &pair);
        memcpy(old_image + old_size, pair.old, pair.old_size);
        memcpy(new_image + new_size, pair.new, pair.new_size);
        old_size += pair.old_size;
        new_size += pair.new_size;
    }
    struct serin_delta_job making = {.old = old_image,
                                     .new = new_image,
                                     .old_size = old_size,
                                     .new_size = new_size,
                                     .ram = ram,
                                     .suffixes = &serin_divsufsort};
    ck_assert_int_eq(serin_delta_make(&making, &patch), SERIN_OK);
    const struct serin_crypto *crypto = serin_wolfcrypt();
    for (uint32_t i = 0; i < serin_piece_count(new_size); i++) {
        serin_sha256_of(crypto, new_image + i * SERIN_PIECE_SIZE, serin_piece_size(new_size, i),
                        rows + i * SERIN_SHA256_SIZE);
    }
    serin_sha256_of(crypto, old_image, old_size, base_sha256);
    serin_sha256_of(crypto, new_image, new_size, manifest.image_sha256);
    serin_sha256_of(crypto, rows, serin_piece_table_size(new_size), manifest.pieces_sha256);
    /* The encoder hashes nothing: who calls it says what the images are. */
    memcpy(patch.header.base, base_sha256, SERIN_DELTA_PREFIX_SIZE);
    memcpy(patch.header.target, manifest.image_sha256, SERIN_DELTA_PREFIX_SIZE);
    serin_delta_header_write(&patch.header, patch.bytes);
    serin_sha256_of(crypto, patch.bytes, patch.size, patch_sha256);
    manifest.image_size_bytes = new_size;
    manifest.image_crc32 = serin_crc32(0, new_image, new_size);
}

static void set_up(struct goods goods)
{
    static uint8_t stale[4096];
    make_images(goods.ram);
    struct serin_flash_emulator_config config = {.size_bytes = 4u * REGION,
                                                 .sector_size = goods.sector,
                                                 .write_unit = goods.unit,
                                                 .erased_value = 0xFF,
                                                 .ecc = goods.ecc};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    memset(stale, 0x5a, sizeof stale);
    ck_assert_int_eq(serin_flash_program(flash, BASE, old_image, old_size), SERIN_OK);
    for (uint32_t at = IMAGE; at < 4u * REGION; at += sizeof stale) {
        ck_assert_int_eq(flash->ops->program(flash->ctx, at, stale, sizeof stale), SERIN_OK);
    }
    ck_assert_int_eq(serin_flash_emulator_snapshot(emulator, &fresh), SERIN_OK);
    size_t size = serin_delta_memory(patch.header.backend);
    job = (struct serin_patching_job){
        .flash = flash,
        .crypto = serin_wolfcrypt(),
        .patch_sha256 = patch_sha256,
        .attempt = 3,
        .base_address = BASE,
        .base_size = old_size,
        .base_sha256 = base_sha256,
        .manifest = &manifest,
        .image_address = IMAGE,
        .table = {.address = TABLE, .size = REGION},
        .bank = {{BANKS, BANK_SIZE}, {BANKS + BANK_SIZE, BANK_SIZE}},
        .memory = malloc(size),
        .memory_size = size,
    };
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    serin_flash_snapshot_free(fresh);
    serin_flash_emulator_close(emulator);
    free(job.memory);
    free(patch.bytes);
}

/* After a reset nothing is left in RAM. */
static enum serin_error begin(bool *resumed)
{
    memset(job.memory, 0xa5, job.memory_size);
    memset(&patching, 0xa5, sizeof patching);
    enum serin_error error = serin_patching_resume(&patching, &job);
    *resumed = error == SERIN_OK;
    return error == SERIN_ERR_NOT_FOUND ? serin_patching_start(&patching, &job, patch.bytes)
                                        : error;
}

/* A step with a block of the patch, as an agent would have it. */
static enum serin_error step(void)
{
    uint32_t from = serin_patching_wanted(&patching);
    size_t left = patch.size - from;
    size_t taken;
    return serin_patching_step(&patching, patch.bytes + from, left < 200 ? left : 200, &taken);
}

static enum serin_error finish(void)
{
    enum serin_error error;
    do {
        error = step();
    } while (error == SERIN_ERR_AGAIN);
    return error;
}

static void expect_made(void)
{
    static uint8_t found[IMAGE_MAX];
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    ck_assert_int_eq(job.flash->ops->read(job.flash->ctx, IMAGE, found, new_size), SERIN_OK);
    ck_assert_mem_eq(found, new_image, new_size);
    uint32_t size = serin_piece_table_size(new_size);
    ck_assert_int_eq(job.flash->ops->read(job.flash->ctx, TABLE, found, size), SERIN_OK);
    ck_assert_mem_eq(found, rows, size);
}

static void expect_base(void)
{
    static uint8_t found[IMAGE_MAX];
    serin_flash_emulator_peek(emulator, BASE, found, old_size);
    ck_assert_mem_eq(found, old_image, old_size);
}

/* How much of the image lies between two checkpoints: more than what one takes. */
static uint32_t distance(uint32_t sector)
{
    uint32_t record = serin_round_up(serin_patching_record_size(&patching), sector);
    uint32_t size = serin_round_up(record > sector ? record : sector, SERIN_PIECE_SIZE);
    return serin_round_up(size, sector);
}

/* From `begin` on until the power goes or it is done; how far the image was. */
static enum serin_error live(uint32_t *position)
{
    bool resumed;
    enum serin_error error = begin(&resumed);
    *position = error == SERIN_OK && resumed ? patching.position : 0;
    while (error == SERIN_OK || error == SERIN_ERR_AGAIN) {
        error = step();
        if (patching.phase == SERIN_PATCHING_MAKE) {
            *position = patching.position;
        }
        if (error == SERIN_OK) {
            break;
        }
    }
    return error;
}

/* The power is cut by what was armed; then it goes on, and comes to its end. */
static void expect_to_go_on(struct goods goods, uint64_t fired)
{
    uint32_t reached;
    bool resumed;
    struct serin_flash_figures figures;
    ck_assert_int_eq(live(&reached), SERIN_ERR_FLASH);
    serin_flash_emulator_figures(emulator, &figures);
    ck_assert_uint_eq(figures.fired, fired + 1);
    serin_flash_emulator_power_on(emulator);
    ck_assert_int_eq(begin(&resumed), SERIN_OK);
    uint32_t lost = reached > patching.position ? reached - patching.position : 0;
    ck_assert_uint_le(lost, distance(goods.sector) + SERIN_PIECE_SIZE);
    ck_assert_int_eq(finish(), SERIN_OK);
    expect_made();
    expect_base();
}

static uint64_t count_operations(void)
{
    bool resumed;
    serin_flash_emulator_restore(emulator, fresh);
    uint64_t before = serin_flash_emulator_operations(emulator);
    ck_assert_int_eq(begin(&resumed), SERIN_OK);
    ck_assert(!resumed);
    ck_assert_int_eq(finish(), SERIN_OK);
    expect_made();
    return serin_flash_emulator_operations(emulator) - before;
}

static void cut_everywhere(struct goods goods, uint32_t samples)
{
    set_up(goods);
    uint64_t count = count_operations();
    uint64_t first = serin_flash_emulator_operations(emulator) - count;
    for (uint64_t n = 0; n < count; n++) {
        struct serin_flash_operation operation;
        for (enum serin_cut cut = SERIN_CUT_BEFORE; cut <= SERIN_CUT_AFTER; cut++) {
            serin_flash_emulator_restore(emulator, fresh);
            serin_flash_emulator_cut(emulator, n + 1, cut);
            expect_to_go_on(goods, 0);
        }
        /* The last life had the same operation there. */
        ck_assert(serin_flash_emulator_operation(emulator, first + n, &operation));
        uint64_t faults = serin_flash_fault_count(emulator, &operation, 1);
        for (uint32_t i = 0; i < samples; i++) {
            struct serin_flash_fault fault;
            serin_flash_fault_nth(emulator, &operation, 1,
                                  (n * 7919u + i * faults / samples) % faults, &fault);
            serin_flash_emulator_restore(emulator, fresh);
            if (serin_flash_fault_is_cut(&fault)) {
                ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
                expect_to_go_on(goods, 0);
            }
        }
    }
    tear_down();
}

START_TEST(the_power_goes_in_every_operation_of_a_small_one)
{
    cut_everywhere((struct goods){SERIN_DELTA_RAM_8K, 4096, 8, false}, 2);
}
END_TEST

START_TEST(the_power_goes_in_every_operation_of_a_best_one)
{
    cut_everywhere((struct goods){SERIN_DELTA_RAM_16K, 2048, 16, true}, 1);
}
END_TEST

START_TEST(the_power_goes_in_every_operation_with_large_sectors)
{
    cut_everywhere((struct goods){SERIN_DELTA_RAM_8K, 16384, 512, false}, 1);
}
END_TEST

START_TEST(the_power_goes_again_and_again)
{
    set_up((struct goods){SERIN_DELTA_RAM_8K, 4096, 8, false});
    uint32_t random = 77;
    for (uint32_t round = 0; round < 40; round++) {
        serin_flash_emulator_restore(emulator, fresh);
        enum serin_error error;
        uint32_t lives = 0, reached = 0, furthest = 0;
        do {
            bool resumed;
            ck_assert_int_eq(begin(&resumed), SERIN_OK);
            /* One of the two banks holds, whichever the power goes in. */
            uint32_t lost = furthest - patching.position;
            ck_assert(furthest < patching.position ||
                      lost <= 2u * distance(4096) + SERIN_PIECE_SIZE);
            serin_flash_emulator_cut(emulator, 1 + delta_random(&random) % 90,
                                     (enum serin_cut)(1 + delta_random(&random) % 3));
            error = live(&reached);
            furthest = reached > furthest ? reached : furthest;
            serin_flash_emulator_power_on(emulator);
        } while (error == SERIN_ERR_FLASH && ++lives < 200);
        ck_assert_int_eq(error, SERIN_OK);
        ck_assert_uint_gt(lives, 1);
        expect_made();
        expect_base();
    }
    tear_down();
}
END_TEST

/* What the decoder held of the old image is not in a checkpoint; it is asked for once more, and
 * that alone costs no progress. */
START_TEST(a_reset_behind_each_checkpoint_costs_no_more_than_reading)
{
    for (unsigned ram = SERIN_DELTA_RAM_8K; ram <= SERIN_DELTA_RAM_16K; ram++) {
        set_up((struct goods){(enum serin_delta_ram)ram, 4096, 8, false});
        bool resumed;
        uint32_t checkpoints = 0, last = 0;
        ck_assert_int_eq(begin(&resumed), SERIN_OK);
        enum serin_error error;
        do {
            uint32_t sequence = patching.sequence;
            uint32_t position = patching.position, fed = serin_patching_wanted(&patching);
            error = step();
            if (patching.sequence != sequence && position != last) {
                last = position;
                checkpoints++;
                ck_assert_int_eq(begin(&resumed), SERIN_OK);
                ck_assert(resumed);
                ck_assert_uint_eq(patching.position, position);
                ck_assert_uint_eq(serin_patching_wanted(&patching), fed);
                /* With one before it, it is written again before anything else. */
                sequence = patching.sequence;
                if (checkpoints > 1) {
                    ck_assert_int_eq(step(), SERIN_ERR_AGAIN);
                    ck_assert_uint_eq(patching.sequence, sequence + 1);
                    ck_assert_uint_eq(patching.position, position);
                }
            }
        } while (error == SERIN_ERR_AGAIN);
        ck_assert_int_eq(error, SERIN_OK);
        ck_assert_uint_ge(checkpoints, ram == SERIN_DELTA_RAM_8K ? 3 : 2);
        ck_assert_uint_lt(checkpoints * serin_patching_record_size(&patching), new_size);
        expect_made();
        tear_down();
    }
}
END_TEST

START_TEST(what_does_not_belong_together_is_refused_before_a_write)
{
    set_up((struct goods){SERIN_DELTA_RAM_8K, 4096, 8, false});
    uint64_t before = serin_flash_emulator_operations(emulator);
    base_sha256[15] ^= 1;
    ck_assert_int_eq(serin_patching_start(&patching, &job, patch.bytes), SERIN_ERR_DIGEST);
    base_sha256[15] ^= 1;
    job.base_size--;
    ck_assert_int_eq(serin_patching_start(&patching, &job, patch.bytes), SERIN_ERR_DIGEST);
    job.base_size++;
    manifest.image_sha256[0] ^= 1;
    ck_assert_int_eq(serin_patching_start(&patching, &job, patch.bytes), SERIN_ERR_DIGEST);
    manifest.image_sha256[0] ^= 1;
    job.memory_size--;
    ck_assert_int_eq(serin_patching_start(&patching, &job, patch.bytes), SERIN_ERR_NO_SPACE);
    job.memory_size++;
    job.bank[0].size = job.bank[1].size = 4096;
    ck_assert_int_eq(serin_patching_start(&patching, &job, patch.bytes), SERIN_ERR_NO_SPACE);
    patch.bytes[0] ^= 1;
    ck_assert_int_eq(serin_patching_start(&patching, &job, patch.bytes), SERIN_ERR_FORMAT);
    ck_assert_uint_eq(serin_flash_emulator_operations(emulator), before);
    tear_down();
}
END_TEST

START_TEST(a_damaged_patch_is_told_and_harms_nothing_else)
{
    set_up((struct goods){SERIN_DELTA_RAM_8K, 4096, 8, false});
    for (size_t at = SERIN_DELTA_HEADER_SIZE; at < patch.size; at += patch.size / 40) {
        bool resumed;
        serin_flash_emulator_restore(emulator, fresh);
        patch.bytes[at] ^= 0x10;
        ck_assert_int_eq(begin(&resumed), SERIN_OK);
        enum serin_error error = finish();
        ck_assert(error == SERIN_ERR_FORMAT || error == SERIN_ERR_CRC);
        expect_base();
        patch.bytes[at] ^= 0x10;
    }
    tear_down();
}
END_TEST

/* Those of another attempt, patch or image, and those of which a bit is wrong. */
START_TEST(a_checkpoint_of_something_else_is_not_gone_on_from)
{
    set_up((struct goods){SERIN_DELTA_RAM_8K, 4096, 8, false});
    (void)count_operations();
    ck_assert_int_eq(serin_patching_resume(&patching, &job), SERIN_OK);
    job.attempt++;
    ck_assert_int_eq(serin_patching_resume(&patching, &job), SERIN_ERR_NOT_FOUND);
    job.attempt--;
    patch_sha256[0] ^= 1;
    ck_assert_int_eq(serin_patching_resume(&patching, &job), SERIN_ERR_NOT_FOUND);
    patch_sha256[0] ^= 1;
    for (uint32_t at = 0; at < serin_patching_record_size(&patching) - 8; at += 97) {
        uint32_t which = at % 2;
        serin_flash_emulator_rot(emulator, job.bank[which].address + at, 4);
        ck_assert_int_eq(serin_patching_resume(&patching, &job), SERIN_OK);
        serin_flash_emulator_rot(emulator, job.bank[1 - which].address + at, 4);
        ck_assert_int_eq(serin_patching_resume(&patching, &job), SERIN_ERR_NOT_FOUND);
        serin_flash_emulator_rot(emulator, job.bank[0].address + at, 4);
        serin_flash_emulator_rot(emulator, job.bank[1].address + at, 4);
    }
    tear_down();
}
END_TEST

START_TEST(banks_are_what_the_scratch_region_leaves)
{
    const struct serin_flash flash = {.size_bytes = 1u << 20, .sector_size = 4096};
    struct serin_layout layout = {
        .scratch = {.address = 0x8000, .size = 12288},
        .slot = {{.address = 0x40000, .size = 0x40000}, {.address = 0x80000, .size = 0x40000}}};
    struct serin_region bank[2];
    ck_assert_int_eq(serin_patching_banks(&flash, &layout, bank), SERIN_ERR_NO_SPACE);
    layout.scratch.size += 4096;
    ck_assert_int_eq(serin_patching_banks(&flash, &layout, bank), SERIN_ERR_NO_SPACE);
    layout.scratch.size += 2u * 4096u;
    ck_assert_int_eq(serin_patching_banks(&flash, &layout, bank), SERIN_OK);
    ck_assert_uint_eq(bank[0].address, 0x8000 + 12288);
    ck_assert_uint_eq(bank[0].size, 4096);
    layout.scratch.size += 4096u;
    ck_assert_int_eq(serin_patching_banks(&flash, &layout, bank), SERIN_OK);
    ck_assert_uint_eq(bank[1].address, bank[0].address + 8192);
    ck_assert_uint_eq(bank[1].size, 8192);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {the_power_goes_in_every_operation_of_a_small_one,
                            the_power_goes_in_every_operation_of_a_best_one,
                            the_power_goes_in_every_operation_with_large_sectors,
                            the_power_goes_again_and_again,
                            a_reset_behind_each_checkpoint_costs_no_more_than_reading,
                            what_does_not_belong_together_is_refused_before_a_write,
                            a_damaged_patch_is_told_and_harms_nothing_else,
                            a_checkpoint_of_something_else_is_not_gone_on_from,
                            banks_are_what_the_scratch_region_leaves,
                            NULL};
    return check_run("patching", tests);
}

/*
 * Geometry and layout: every rule broken once, and the map of a slot over all geometries that are
 * allowed.
 */
#include "check_main.h"

#include "flash_io.h"
#include "journal.h"
#include "slot.h"

#include <serin/piece.h>

#include <string.h>

static struct serin_flash flash_of(uint32_t size, uint32_t sector, uint32_t unit, uint8_t erased)
{
    return (struct serin_flash){
        .size_bytes = size, .sector_size = sector, .write_unit = unit, .erased_value = erased};
}

static const char *fault(const struct serin_flash *flash, const struct serin_layout *layout)
{
    const char *what = "nothing";
    enum serin_error error = serin_layout_check(flash, layout, &what);
    ck_assert_int_eq(error, what == NULL ? SERIN_OK : SERIN_ERR_LAYOUT);
    ck_assert_int_eq(serin_layout_check(flash, layout, NULL), error);
    return what == NULL ? "" : what;
}

START_TEST(the_default_layout_is_right_for_every_geometry)
{
    static const uint8_t erased[] = {0xFF, 0x00};
    for (uint32_t sector = 256; sector <= SERIN_FLASH_SECTOR_MAX; sector *= 2) {
        for (uint32_t unit = 1; unit <= 512 && unit <= sector; unit *= 2) {
            uint32_t least = sector <= 4096 ? 128 * 1024 : 32 * sector;
            for (uint32_t size = least; size <= 64 * 1024 * 1024; size *= 4) {
                struct serin_flash flash = flash_of(size, sector, unit, erased[unit % 2]);
                struct serin_layout layout;
                ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_OK);
                ck_assert_str_eq(fault(&flash, &layout), "");
            }
        }
    }
}
END_TEST

START_TEST(the_parts_of_a_slot_follow_each_other_and_fill_it)
{
    for (uint32_t sector = 256; sector <= SERIN_FLASH_SECTOR_MAX; sector *= 2) {
        for (uint32_t unit = 1; unit <= 512 && unit <= sector; unit *= 2) {
            for (uint32_t slot = sector <= 4096 ? 24 * 1024 : 5 * sector; slot <= 4096 * 1024;
                 slot = slot * 3 / 2) {
                uint32_t size = slot / sector * sector;
                struct serin_flash flash = flash_of(0x80000000u, sector, unit, 0xFF);
                struct serin_layout layout = {.slot = {{.size = size}, {.size = size}}};
                struct serin_slot_map map;
                serin_slot_map(&flash, &layout, &map);
                uint32_t pieces = map.image_capacity / SERIN_PIECE_SIZE;
                ck_assert_uint_eq(map.image_capacity % SERIN_PIECE_SIZE, 0);
                ck_assert_uint_eq(map.marker_offset % unit, 0);
                ck_assert_uint_ge(map.marker_offset, SERIN_MANIFEST_MAX);
                ck_assert_uint_ge(map.marker_count, 1);
                uint32_t stride = SERIN_MARKER_SIZE > unit ? SERIN_MARKER_SIZE : unit;
                ck_assert_uint_le(map.marker_offset + map.marker_count * stride, map.manifest_size);
                ck_assert_uint_eq(map.pieces_offset, map.manifest_size);
                ck_assert_uint_ge(map.pieces_size, pieces * SERIN_SHA256_SIZE);
                ck_assert_uint_eq(map.journal_offset, map.pieces_offset + map.pieces_size);
                ck_assert_uint_ge(map.journal_size, (pieces + 2) * map.journal_stride);
                ck_assert_uint_eq(map.image_offset, map.journal_offset + map.journal_size);
                ck_assert_uint_eq(map.image_offset % sector, 0);
                ck_assert_uint_le(map.image_offset + map.image_capacity, size);
                /* No piece more would have fitted. */
                ck_assert_uint_gt(map.image_offset + map.image_capacity + SERIN_PIECE_SIZE +
                                      map.journal_stride + 32 + 2 * sector,
                                  size);
            }
        }
    }
}
END_TEST

struct bad_geometry {
    uint32_t size, sector, unit;
    uint8_t erased;
    const char *what;
};

static const struct bad_geometry bad_geometries[] = {
    {65536, 128, 1, 0xFF, "an erase sector is not a power of two of 256 bytes to 128 KiB"},
    {65536, 1000, 1, 0xFF, "an erase sector is not a power of two of 256 bytes to 128 KiB"},
    {65536, 0, 1, 0xFF, "an erase sector is not a power of two of 256 bytes to 128 KiB"},
    {1048576, 262144, 1, 0xFF, "an erase sector is not a power of two of 256 bytes to 128 KiB"},
    {65536, 1024, 0, 0xFF,
     "the write unit is not a power of two of 1 to 512 bytes within a sector"},
    {65536, 1024, 3, 0xFF,
     "the write unit is not a power of two of 1 to 512 bytes within a sector"},
    {65536, 4096, 1024, 0xFF,
     "the write unit is not a power of two of 1 to 512 bytes within a sector"},
    {65536, 256, 512, 0xFF,
     "the write unit is not a power of two of 1 to 512 bytes within a sector"},
    {65536, 1024, 1, 0x55, "the erased value is neither 0xFF nor 0x00"},
    {0, 1024, 1, 0xFF, "the size is not a multiple of the sector, or over 2 GiB"},
    {65535, 1024, 1, 0xFF, "the size is not a multiple of the sector, or over 2 GiB"},
    {0x80001000u, 4096, 1, 0xFF, "the size is not a multiple of the sector, or over 2 GiB"},
};

START_TEST(a_bad_geometry_is_named)
{
    const struct bad_geometry *bad = &bad_geometries[_i];
    struct serin_flash good = flash_of(65536, 1024, 8, 0xFF);
    struct serin_layout layout;
    ck_assert_int_eq(serin_layout_default(&good, &layout), SERIN_OK);
    struct serin_flash flash = flash_of(bad->size, bad->sector, bad->unit, bad->erased);
    ck_assert_str_eq(fault(&flash, &layout), bad->what);
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_ERR_LAYOUT);
}
END_TEST

START_TEST(a_bad_layout_is_named)
{
    struct serin_flash flash = flash_of(65536, 1024, 8, 0xFF);
    struct serin_layout good;
    ck_assert_int_eq(serin_layout_default(&flash, &good), SERIN_OK);
    static const char *const empty =
        "a region is empty, outside the flash, or not made of whole sectors";

    struct serin_layout layout = good;
    layout.scratch.size = 0;
    ck_assert_str_eq(fault(&flash, &layout), empty);
    layout = good;
    layout.scratch.address += 8;
    ck_assert_str_eq(fault(&flash, &layout), empty);
    layout = good;
    layout.slot[1].address = 65536;
    ck_assert_str_eq(fault(&flash, &layout), empty);
    layout = good;
    layout.slot[1].address = 0xFFFFFC00u; /* address + size wraps */
    ck_assert_str_eq(fault(&flash, &layout), empty);
    layout = good;
    layout.trust.address = layout.boot_log.address;
    ck_assert_str_eq(fault(&flash, &layout), "two regions overlap");
    layout = good;
    layout.slot[1].address -= 1024;
    ck_assert_str_eq(fault(&flash, &layout), "two regions overlap");
    layout = good;
    layout.boot_log.size = 1024;
    ck_assert_str_eq(fault(&flash, &layout), "the boot log does not hold two banks of a record");
    layout = good;
    layout.trust.size = 1024;
    ck_assert_str_eq(fault(&flash, &layout), "the trust region does not hold two records");
    layout = good;
    layout.agent_log.size = 1024;
    ck_assert_str_eq(fault(&flash, &layout), "the agent log does not hold two banks of a record");
    layout = good;
    layout.scratch.size = 4096;
    ck_assert_str_eq(fault(&flash, &layout),
                     "the scratch region does not hold a download record and a spare sector");
    layout = good;
    layout.slot[1].size -= 1024;
    ck_assert_str_eq(fault(&flash, &layout), "the slots differ in size");
    layout = good;
    layout.slot[0].size = layout.slot[1].size = 5 * 1024;
    ck_assert_str_eq(fault(&flash, &layout), "a slot is too small for an image of one piece");
}
END_TEST

/* Parts whose sectors are not all equal, as they are sold. */
struct part {
    struct serin_flash_run runs[6];
    uint8_t count;
    uint32_t pieces; /* of an image, at least; 0: nothing fits */
};

static const struct part parts[] = {
    {{{4, 16384}, {1, 65536}, {7, 131072}}, 3, 0}, /* 1 MiB: the logs alone take half of it */
    {{{4, 16384}, {1, 65536}, {7, 131072}, {4, 16384}, {1, 65536}, {7, 131072}}, 6, 128},
    {{{2, 16384}, {1, 65536}, {7, 131072}, {4, 16384}, {1, 65536}, {7, 131072}}, 6, 64},
    {{{8, 8192}, {127, 65536}}, 2, 790}, /* a boot block of small sectors, 8 MiB */
    {{{127, 65536}, {8, 8192}}, 2, 790}, /* the same at the end */
    {{{32, 4096}, {30, 32768}}, 2, 80},
    {{{64, 512}, {64, 1024}, {64, 2048}, {64, 4096}}, 4, 24},
};

static struct serin_flash flash_of_part(const struct part *part, uint32_t unit)
{
    struct serin_flash flash = flash_of(0, 0, unit, 0xFF);
    flash.runs = part->runs;
    flash.run_count = part->count;
    for (uint32_t i = 0; i < part->count; i++) {
        flash.size_bytes += part->runs[i].count * part->runs[i].size;
    }
    return flash;
}

START_TEST(unequal_sectors_have_a_default_layout)
{
    const struct part *part = &parts[_i];
    for (uint32_t unit = 1; unit <= 512; unit *= 8) {
        struct serin_flash flash = flash_of_part(part, unit);
        struct serin_layout layout;
        struct serin_slot_map map;
        enum serin_error error = serin_layout_default(&flash, &layout);
        ck_assert_int_eq(error, part->pieces == 0 ? SERIN_ERR_LAYOUT : SERIN_OK);
        if (part->pieces == 0) {
            continue;
        }
        ck_assert_str_eq(fault(&flash, &layout), "");
        serin_slot_map(&flash, &layout, &map);
        ck_assert_uint_ge(map.image_capacity / SERIN_PIECE_SIZE, part->pieces);
        uint32_t address = layout.slot[0].address;
        ck_assert(serin_flash_border(&flash, address + map.pieces_offset));
        ck_assert(serin_flash_border(&flash, address + map.journal_offset));
        ck_assert(serin_flash_border(&flash, address + map.image_offset));
    }
}
END_TEST

START_TEST(a_bad_run_is_named)
{
    struct part part = {{{32, 4096}, {16, 65536}}, 2, 0};
    struct serin_flash flash = flash_of_part(&part, 8);
    struct serin_layout layout;
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_OK);
    flash.size_bytes -= 4096;
    ck_assert_str_eq(fault(&flash, &layout), "the size is not the sum of the runs, or over 2 GiB");
    flash.size_bytes += 4096;
    part.runs[0].size = 3000;
    ck_assert_str_eq(fault(&flash, &layout),
                     "an erase sector is not a power of two of 256 bytes to 128 KiB");
    part.runs[0] = (struct serin_flash_run){0, 4096};
    ck_assert_str_eq(fault(&flash, &layout), "a run of sectors is empty");
    flash.run_count = 9;
    ck_assert_str_eq(fault(&flash, &layout), "there are more than 8 runs of sectors");
}
END_TEST

/* The second of the parts above: more than what is laid out by hand with whole sectors of a kind.
 */
START_TEST(a_part_of_two_equal_halves_has_a_layout)
{
    struct serin_flash flash = flash_of_part(&parts[1], 32);
    const uint32_t kib = 1024, half = 1024 * 1024;
    struct serin_layout layout = {.boot_log = {0, 32 * kib},
                                  .trust = {32 * kib, 32 * kib},
                                  .agent_log = {half, 32 * kib},
                                  .scratch = {half + 32 * kib, 224 * kib},
                                  .slot = {{128 * kib, 768 * kib}, {half + 256 * kib, 768 * kib}}};
    struct serin_slot_map map;
    ck_assert_str_eq(fault(&flash, &layout), "");
    serin_slot_map(&flash, &layout, &map);
    ck_assert_uint_eq(map.image_capacity, 384 * kib);
    layout.scratch.size -= 128 * kib;
    ck_assert_str_eq(fault(&flash, &layout),
                     "the scratch region does not hold a download record and a spare sector");
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_OK);
    serin_slot_map(&flash, &layout, &map);
    ck_assert_uint_ge(map.image_capacity, 512 * kib);
}
END_TEST

/* The same part with each sector a fraction as large, behind so many small ones that there are more
 * sectors than are searched. */
START_TEST(parts_of_many_sectors_are_not_searched)
{
    struct part part = {{{4, 2048}, {1, 8192}, {7, 16384}, {4, 2048}, {1, 8192}, {7, 16384}}, 6, 0};
    struct serin_flash flash = flash_of_part(&part, 8);
    struct serin_layout layout;
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_OK);
    part.runs[0] = (struct serin_flash_run){44, 256};
    flash = flash_of_part(&part, 8);
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_OK); /* 64 of them */
    part.runs[0].count++;
    flash = flash_of_part(&part, 8);
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_ERR_LAYOUT);
}
END_TEST

/* 16 sectors of 4 KiB, 16 of 64 KiB: what a layout must not do with them. */
START_TEST(a_layout_that_unequal_sectors_forbid_is_named)
{
    const struct part part = {{{16, 4096}, {2, 2048}, {16, 65536}}, 3, 0};
    struct serin_flash flash = flash_of_part(&part, 8);
    struct serin_layout good = {
        .boot_log = {0, 8192},
        .trust = {8192, 8192},
        .agent_log = {16384, 8192},
        .scratch = {69632, 2 * 65536},
        .slot = {{69632 + 2 * 65536, 6 * 65536}, {69632 + 8 * 65536, 6 * 65536}}};
    ck_assert_str_eq(fault(&flash, &good), "");
    struct serin_layout layout = good;
    layout.scratch = (struct serin_region){24576, 4 * 4096};
    ck_assert_str_eq(fault(&flash, &layout),
                     "the scratch region does not hold a download record and a spare sector");
    layout.scratch = (struct serin_region){24576, 69632 + 65536 - 24576};
    ck_assert_str_eq(fault(&flash, &layout), "");
    layout = good;
    layout.slot[0] = (struct serin_region){24576, 69632 - 24576};
    layout.slot[1].size = layout.slot[0].size;
    ck_assert_str_eq(fault(&flash, &layout),
                     "a region is empty, outside the flash, or not made of whole sectors");
    layout = good;
    layout.boot_log = (struct serin_region){61440, 8192}; /* 4096 and twice 2048 */
    ck_assert_str_eq(fault(&flash, &layout), "");
    layout.boot_log = (struct serin_region){65536 + 2048, 2048 + 65536};
    layout.scratch = (struct serin_region){69632 + 65536, 2 * 65536};
    layout.slot[0].address += 65536;
    layout.slot[0].size = layout.slot[1].size = 5 * 65536;
    ck_assert_str_eq(fault(&flash, &layout), "the boot log does not hold two banks of a record");
    /* A slot that begins in small sectors, and one that does not. */
    layout = good;
    layout.slot[0] = (struct serin_region){24576, 45056 + 5 * 65536};
    layout.scratch = (struct serin_region){69632 + 5 * 65536, 2 * 65536};
    layout.slot[1] = (struct serin_region){69632 + 7 * 65536, 9 * 65536};
    ck_assert_str_eq(fault(&flash, &layout), "the slots differ in size");
}
END_TEST

START_TEST(slots_of_other_sectors_or_torn_pieces_are_named)
{
    /* Two halves that are cut alike, but for one run. */
    struct part part = {{{32, 4096}, {8, 4096}, {8, 16384}, {8, 4096}, {8, 16384}}, 5, 0};
    struct serin_flash flash = flash_of_part(&part, 8);
    struct serin_layout layout = {.boot_log = {0, 8192},
                                  .trust = {8192, 8192},
                                  .agent_log = {16384, 8192},
                                  .scratch = {24576, 65536},
                                  .slot = {{131072, 163840}, {294912, 163840}}};
    ck_assert_str_eq(fault(&flash, &layout), "");
    part.runs[3] = (struct serin_flash_run){16, 2048};
    ck_assert_str_eq(fault(&flash, &layout), "the slots differ in their sectors");
    /* A piece of which a half lies in small sectors, and a half in a large one. */
    const struct part torn = {{{32, 4096}, {21, 2048}, {8, 16384}, {21, 2048}, {8, 16384}}, 5, 0};
    flash = flash_of_part(&torn, 8);
    layout.slot[0] = (struct serin_region){131072, 21 * 2048 + 131072};
    layout.slot[1] = (struct serin_region){131072 + 21 * 2048 + 131072, 21 * 2048 + 131072};
    struct serin_slot_map map;
    serin_slot_map(&flash, &layout, &map);
    const char *expected = (21u * 2048u - map.image_offset) % SERIN_PIECE_SIZE == 0
                               ? ""
                               : "a piece of the image (4096 bytes) shares a sector with a part of "
                                 "another one";
    ck_assert_str_ne(expected, "");
    ck_assert_str_eq(fault(&flash, &layout), expected);
}
END_TEST

START_TEST(a_small_flash_has_no_default_layout)
{
    struct serin_flash flash = flash_of(32 * 1024, 1024, 8, 0xFF);
    struct serin_layout layout;
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_ERR_LAYOUT);
    flash.size_bytes = 8 * 1024;
    ck_assert_int_eq(serin_layout_default(&flash, &layout), SERIN_ERR_LAYOUT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash_layout");
    TCase *tests = tcase_create("flash_layout");
    tcase_set_timeout(tests, 60); /* a machine may be busy */
    tcase_add_test(tests, the_default_layout_is_right_for_every_geometry);
    tcase_add_test(tests, the_parts_of_a_slot_follow_each_other_and_fill_it);
    tcase_add_loop_test(tests, a_bad_geometry_is_named, 0,
                        sizeof(bad_geometries) / sizeof(bad_geometries[0]));
    tcase_add_test(tests, a_bad_layout_is_named);
    tcase_add_loop_test(tests, unequal_sectors_have_a_default_layout, 0,
                        sizeof parts / sizeof parts[0]);
    tcase_add_test(tests, a_bad_run_is_named);
    tcase_add_test(tests, a_part_of_two_equal_halves_has_a_layout);
    tcase_add_test(tests, parts_of_many_sectors_are_not_searched);
    tcase_add_test(tests, a_layout_that_unequal_sectors_forbid_is_named);
    tcase_add_test(tests, slots_of_other_sectors_or_torn_pieces_are_named);
    tcase_add_test(tests, a_small_flash_has_no_default_layout);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

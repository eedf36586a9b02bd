/*
 * Geometry and layout: every rule broken once, and the map of a slot over all geometries that are
 * allowed.
 */
#include "check_main.h"

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
    for (uint32_t sector = 256; sector <= 4096; sector *= 2) {
        for (uint32_t unit = 1; unit <= 512 && unit <= sector; unit *= 2) {
            for (uint32_t size = 128 * 1024; size <= 16 * 1024 * 1024; size *= 4) {
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
    for (uint32_t sector = 256; sector <= 4096; sector *= 2) {
        for (uint32_t unit = 1; unit <= 512 && unit <= sector; unit *= 2) {
            for (uint32_t slot = 24 * 1024; slot <= 4096 * 1024; slot = slot * 3 / 2) {
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
    {65536, 128, 1, 0xFF, "the erase sector is not a power of two of at least 256 bytes"},
    {65536, 1000, 1, 0xFF, "the erase sector is not a power of two of at least 256 bytes"},
    {65536, 0, 1, 0xFF, "the erase sector is not a power of two of at least 256 bytes"},
    {1048576, 8192, 1, 0xFF, "erase sectors larger than a piece (4096 bytes) are not supported"},
    {1048576, 131072, 1, 0xFF, "erase sectors larger than a piece (4096 bytes) are not supported"},
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
    tcase_add_test(tests, the_default_layout_is_right_for_every_geometry);
    tcase_add_test(tests, the_parts_of_a_slot_follow_each_other_and_fill_it);
    tcase_add_loop_test(tests, a_bad_geometry_is_named, 0,
                        sizeof(bad_geometries) / sizeof(bad_geometries[0]));
    tcase_add_test(tests, a_bad_layout_is_named);
    tcase_add_test(tests, a_small_flash_has_no_default_layout);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

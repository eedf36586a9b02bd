/*
 * The flash emulator keeps its promises: rules, power, tearing, wear, history.
 */
#include "check_main.h"

#include <serin/emulator/flash_emulator.h>

#include <string.h>

static struct serin_flash_emulator *emulator;
static const struct serin_flash *flash;

static void set_up(uint8_t erased, bool ecc)
{
    struct serin_flash_emulator_config config = {.size_bytes = 4096,
                                                 .sector_size = 1024,
                                                 .write_unit = 16,
                                                 .erased_value = erased,
                                                 .ecc = ecc,
                                                 .seed = 42};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    flash = serin_flash_emulator_flash(emulator);
}

static void tear_down(void)
{
    serin_flash_emulator_close(emulator);
}

static enum serin_error program(uint32_t address, const void *data, size_t size)
{
    return flash->ops->program(flash->ctx, address, data, size);
}

static enum serin_error erase(uint32_t address, size_t size)
{
    return flash->ops->erase(flash->ctx, address, size);
}

static void expect(uint32_t address, uint8_t value, size_t size)
{
    uint8_t bytes[1024];
    ck_assert_int_eq(flash->ops->read(flash->ctx, address, bytes, size), SERIN_OK);
    ck_assert(serin_bytes_all(bytes, size, value));
}

START_TEST(the_rules_hold)
{
    uint8_t erased = _i == 0 ? 0xFF : 0x00;
    uint8_t data[64], back[64];
    memset(data, 0x5A, sizeof(data));
    set_up(erased, false);
    expect(0, erased, 1024);
    ck_assert_int_eq(program(16, data, 32), SERIN_OK);
    ck_assert_int_eq(flash->ops->read(flash->ctx, 17, back, 30), SERIN_OK);
    ck_assert_mem_eq(back, data, 30);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    /* Each of these is refused, counted, and changes nothing. */
    uint64_t breaches = 0;
    ck_assert_int_eq(program(16, data, 16), SERIN_ERR_FLASH); /* programmed */
    ck_assert_int_eq(program(0, data, 32), SERIN_ERR_FLASH);  /* half of it is */
    expect(0, erased, 16);
    ck_assert_int_eq(program(8, data, 16), SERIN_ERR_FLASH);    /* address */
    ck_assert_int_eq(program(64, data, 8), SERIN_ERR_FLASH);    /* size */
    ck_assert_int_eq(program(64, data, 0), SERIN_ERR_FLASH);    /* nothing */
    ck_assert_int_eq(program(4096, data, 16), SERIN_ERR_FLASH); /* outside */
    ck_assert_int_eq(program(4080, data, 32), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(16, 1024), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(0, 16), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(3072, 2048), SERIN_ERR_FLASH);
    breaches = 10;
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), breaches);
    ck_assert_int_eq(flash->ops->read(flash->ctx, 4090, back, 10), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(0, 2048), SERIN_OK);
    expect(0, erased, 1024);
    ck_assert_int_eq(program(16, data, 16), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 1023), 1);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 2048), 0);
    tear_down();
}
END_TEST

START_TEST(bytes_of_the_erased_value_count_as_programmed)
{
    uint8_t data[16];
    memset(data, 0xFF, sizeof(data));
    set_up(0xFF, false);
    ck_assert_int_eq(program(0, data, 16), SERIN_OK);
    ck_assert_int_eq(program(0, data, 16), SERIN_ERR_FLASH);
    tear_down();
}
END_TEST

START_TEST(a_cut_program_leaves_a_beginning)
{
    uint8_t data[256], back[256];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    bool middle = false;
    for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
        for (int i = 0; i < 20; i++) {
            struct serin_flash_emulator_config config = {.size_bytes = 4096,
                                                         .sector_size = 1024,
                                                         .write_unit = 16,
                                                         .erased_value = 0xFF,
                                                         .seed = (uint64_t)i};
            ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
            flash = serin_flash_emulator_flash(emulator);
            serin_flash_emulator_cut(emulator, 2, (enum serin_cut)how);
            ck_assert_int_eq(program(1024, data, 16), SERIN_OK);
            ck_assert(!serin_flash_emulator_is_off(emulator));
            ck_assert_int_eq(program(0, data, sizeof(data)), SERIN_ERR_FLASH);
            ck_assert(serin_flash_emulator_is_off(emulator));
            ck_assert_int_eq(program(512, data, 16), SERIN_ERR_FLASH);
            ck_assert_int_eq(erase(0, 1024), SERIN_ERR_FLASH);
            ck_assert_int_eq(flash->ops->read(flash->ctx, 0, back, 1), SERIN_ERR_FLASH);
            serin_flash_emulator_power_on(emulator);
            ck_assert_int_eq(flash->ops->read(flash->ctx, 0, back, sizeof(back)), SERIN_OK);
            size_t same = 0;
            while (same < sizeof(back) && back[same] == data[same]) {
                same++;
            }
            if (how == SERIN_CUT_BEFORE) {
                ck_assert_uint_eq(same, 0);
                ck_assert_int_eq(program(0, data, 16), SERIN_OK);
            } else if (how == SERIN_CUT_AFTER) {
                ck_assert_uint_eq(same, sizeof(back));
            } else {
                middle = middle || (same > 0 && same < sizeof(back));
                ck_assert_int_eq(program(0, data, 16), SERIN_ERR_FLASH); /* torn: erase it first */
            }
            ck_assert_uint_eq(serin_flash_emulator_breaches(emulator),
                              how == SERIN_CUT_INSIDE ? 1 : 0);
            tear_down();
        }
    }
    ck_assert(middle);
}
END_TEST

START_TEST(a_cut_erase_leaves_a_mess_that_must_be_erased_again)
{
    uint8_t data[1024], back[1024];
    memset(data, 0x00, sizeof(data));
    set_up(0xFF, _i == 1);
    ck_assert_int_eq(program(0, data, sizeof(data)), SERIN_OK);
    serin_flash_emulator_cut(emulator, 1, SERIN_CUT_INSIDE);
    ck_assert_int_eq(erase(0, 1024), SERIN_ERR_FLASH);
    serin_flash_emulator_power_on(emulator);
    enum serin_error error = flash->ops->read(flash->ctx, 0, back, sizeof(back));
    if (_i == 1) {
        ck_assert_int_eq(error, SERIN_ERR_FLASH); /* ECC words */
        ck_assert_int_eq(flash->ops->read(flash->ctx, 1024, back, 16), SERIN_OK);
    } else {
        ck_assert(!serin_bytes_all(back, sizeof(back), 0xFF));
        ck_assert(!serin_bytes_all(back, sizeof(back), 0x00));
    }
    ck_assert_int_eq(program(0, data, 16), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(0, 1024), SERIN_OK);
    ck_assert_int_eq(program(0, data, 16), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(history_rot_breaks_and_copies)
{
    uint8_t data[16] = {1}, byte;
    struct serin_flash_operation operation;
    set_up(0xFF, false);
    ck_assert(!serin_flash_emulator_operation(emulator, 0, &operation));
    ck_assert_int_eq(program(32, data, 16), SERIN_OK);
    ck_assert_int_eq(erase(1024, 2048), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_operations(emulator), 2);
    ck_assert(serin_flash_emulator_operation(emulator, 1, &operation));
    ck_assert_int_eq(operation.kind, SERIN_FLASH_ERASE);
    ck_assert_uint_eq(operation.address, 1024);
    ck_assert_uint_eq(operation.size, 2048);
    ck_assert_uint_eq(operation.number, 1);
    struct serin_flash_emulator *copy;
    ck_assert_int_eq(serin_flash_emulator_copy(&copy, emulator), SERIN_OK);
    serin_flash_emulator_rot(emulator, 32, 0x80);
    ck_assert_int_eq(flash->ops->read(flash->ctx, 32, &byte, 1), SERIN_OK);
    ck_assert_uint_eq(byte, 0x81);
    const struct serin_flash *other = serin_flash_emulator_flash(copy);
    ck_assert_int_eq(other->ops->read(other->ctx, 32, &byte, 1), SERIN_OK);
    ck_assert_uint_eq(byte, 1);
    ck_assert_int_eq(other->ops->program(other->ctx, 32, data, 16), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_operations(copy), 2);
    serin_flash_emulator_close(copy);
    serin_flash_emulator_break(emulator, 64, 32, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(program(48, data, 16), SERIN_OK);
    ck_assert_int_eq(program(80, data, 16), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(0, 1024), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator),
                      0); /* the flash's fault, not the code's */
    serin_flash_emulator_break(emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(program(80, data, 16), SERIN_OK);
    serin_flash_emulator_break(emulator, 128, 16, SERIN_BREAKAGE_STUCK);
    ck_assert_int_eq(program(128, data, 16), SERIN_OK);
    expect(128, 0xFF, 16);
    tear_down();
}
END_TEST

START_TEST(sectors_need_not_be_equal)
{
    /* As of many microcontrollers: four small ones, a middle one, large ones. */
    struct serin_flash_emulator_config config = {
        .write_unit = 32, .erased_value = 0xFF, .runs = {{4, 1024}, {1, 4096}, {2, 8192}}};
    static const uint32_t starts[] = {0, 1024, 2048, 3072, 4096, 8192, 16384, 24576};
    struct serin_region region;
    uint8_t data[8192];
    memset(data, 0x5A, sizeof(data));
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    flash = serin_flash_emulator_flash(emulator);
    ck_assert_uint_eq(flash->size_bytes, 24576);
    ck_assert_uint_eq(flash->sector_size, 8192);
    ck_assert_uint_eq(serin_flash_emulator_sector_count(emulator), 7);
    for (uint32_t i = 0; i < 7; i++) {
        serin_flash_emulator_sector(emulator, i, &region);
        ck_assert_uint_eq(region.address, starts[i]);
        ck_assert_uint_eq(region.size, starts[i + 1] - starts[i]);
        ck_assert_uint_eq(serin_flash_emulator_sector_at(emulator, starts[i]), i);
        ck_assert_uint_eq(serin_flash_emulator_sector_at(emulator, starts[i + 1] - 1), i);
    }
    ck_assert_int_eq(program(3072, data, 8192), SERIN_OK);
    ck_assert_int_eq(erase(3072, 1024 + 4096), SERIN_OK); /* across runs */
    expect(3072, 0xFF, 1024);
    expect(8192 - 1024, 0xFF, 1024);
    expect(8192, 0x5A, 1024);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 3072), 1);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 5000), 1);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 2048), 0);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 8192), 0);
    ck_assert_int_eq(erase(4096, 1024), SERIN_ERR_FLASH); /* small ones end before it */
    ck_assert_int_eq(erase(8192, 4096), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(1024, 8192), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(24576, 8192), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 4);
    ck_assert_str_eq(serin_flash_emulator_breach(emulator), "an erase is outside the flash");
    /* A cut in the large one tears all of it, and nothing else. */
    struct serin_flash_fault fault = {.operation = serin_flash_emulator_operations(emulator),
                                      .kind = SERIN_FLASH_FAULT_ERASE_ERASED,
                                      .at = 5000};
    ck_assert_int_eq(program(16384, data, 8192), SERIN_OK);
    fault.operation++;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
    ck_assert_int_eq(erase(4096, 4096 + 8192), SERIN_ERR_FLASH);
    serin_flash_emulator_power_on(emulator);
    ck_assert_int_eq(program(8160, data, 32), SERIN_OK);
    ck_assert_int_eq(program(8192, data, 32), SERIN_ERR_FLASH);
    ck_assert_int_eq(program(16352, data, 32), SERIN_ERR_FLASH);
    expect(16384, 0x5A, 1024);
    tear_down();
}
END_TEST

START_TEST(faults_wait_for_their_operation)
{
    uint8_t data[32] = {1, 2, 3};
    struct serin_flash_figures figures;
    struct serin_flash_fault cut = {.operation = 1, .kind = SERIN_FLASH_FAULT_BEFORE};
    set_up(0xFF, false);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &cut), SERIN_OK);
    cut.operation = 2;
    cut.kind = SERIN_FLASH_FAULT_AFTER;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &cut), SERIN_OK);
    serin_flash_emulator_cut(emulator, 4, SERIN_CUT_AFTER);
    serin_flash_emulator_figures(emulator, &figures);
    ck_assert_uint_eq(figures.armed, 3);
    ck_assert_int_eq(program(0, data, 16), SERIN_OK);
    ck_assert_int_eq(program(16, data, 16), SERIN_ERR_FLASH); /* before */
    serin_flash_emulator_power_on(emulator);
    expect(16, 0xFF, 16);
    ck_assert_int_eq(program(16, data, 16), SERIN_ERR_FLASH); /* after */
    serin_flash_emulator_power_on(emulator);
    ck_assert_int_eq(program(16, data, 16), SERIN_ERR_FLASH); /* a breach is no operation */
    ck_assert_int_eq(program(32, data, 16), SERIN_ERR_FLASH); /* serin_flash_emulator_cut */
    serin_flash_emulator_power_on(emulator);
    serin_flash_emulator_figures(emulator, &figures);
    ck_assert_uint_eq(figures.fired, 3);
    ck_assert_uint_eq(figures.armed, 0);
    ck_assert_uint_eq(figures.operations, 4);
    ck_assert_uint_eq(figures.breaches, 1);
    tear_down();
}
END_TEST

START_TEST(a_fault_that_does_not_fit_does_not_fire)
{
    static const struct serin_flash_fault of_erase[] = {
        {.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX},
        {.kind = SERIN_FLASH_FAULT_PROGRAM_NEW},
        {.kind = SERIN_FLASH_FAULT_PROGRAM_SUBSET},
        {.kind = SERIN_FLASH_FAULT_PROGRAM_SCATTER},
        {.kind = SERIN_FLASH_FAULT_ERASE_OLD, .at = 2048},
        {.kind = SERIN_FLASH_FAULT_ERASE_PART, .at = 512},
    };
    static const struct serin_flash_fault of_program[] = {
        {.kind = SERIN_FLASH_FAULT_ERASE_PART},
        {.kind = SERIN_FLASH_FAULT_ERASE_OLD},
        {.kind = SERIN_FLASH_FAULT_ERASE_ERASED},
        {.kind = SERIN_FLASH_FAULT_ERASE_HALF},
        {.kind = SERIN_FLASH_FAULT_ERASE_GARBAGE},
        {.kind = SERIN_FLASH_FAULT_ERASE_MIX},
        {.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 17},
        {.kind = SERIN_FLASH_FAULT_PROGRAM_NEW, .at = 16},
        {.kind = SERIN_FLASH_FAULT_PROGRAM_SUBSET, .at = 16},
    };
    uint8_t data[16] = {1};
    struct serin_flash_figures figures;
    struct serin_flash_fault fault;
    set_up(0xFF, false);
    for (size_t i = 0; i < sizeof(of_erase) / sizeof(of_erase[0]); i++) {
        fault = of_erase[i];
        fault.operation = serin_flash_emulator_operations(emulator);
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
        ck_assert_int_eq(erase(0, 2048), SERIN_OK);
    }
    for (size_t i = 0; i < sizeof(of_program) / sizeof(of_program[0]); i++) {
        fault = of_program[i];
        fault.operation = serin_flash_emulator_operations(emulator);
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
        ck_assert_int_eq(program((uint32_t)i * 16, data, 16), SERIN_OK);
    }
    serin_flash_emulator_figures(emulator, &figures);
    ck_assert_uint_eq(figures.fired, 0);
    ck_assert_uint_eq(figures.armed, 0);
    tear_down();
}
END_TEST

START_TEST(what_cannot_be_armed_is_refused)
{
    static const struct serin_flash_fault wrong[] = {
        {.operation = 1},
        {.operation = 1, .kind = (enum serin_flash_fault_kind)SERIN_FLASH_FAULT_KIND_COUNT},
        {.operation = 0, .kind = SERIN_FLASH_FAULT_BEFORE}, /* it is over */
        {.operation = 1, .kind = SERIN_FLASH_FAULT_BEFORE, .at = 1},
        {.operation = 1, .kind = SERIN_FLASH_FAULT_FAILS, .seed = 1},
        {.operation = 1, .kind = SERIN_FLASH_FAULT_AFTER, .torn = SERIN_FLASH_TORN_UNSTABLE},
        {.operation = 1, .kind = SERIN_FLASH_FAULT_ERASE_OLD, .mask = 1},
        {.operation = 1, .kind = SERIN_FLASH_FAULT_ERASE_OLD, .reads = 1},
        {.operation = 1,
         .kind = SERIN_FLASH_FAULT_ERASE_OLD,
         .torn = (enum serin_flash_torn)SERIN_FLASH_TORN_COUNT},
        {.operation = 1,
         .kind = SERIN_FLASH_FAULT_ERASE_OLD,
         .again = (enum serin_flash_again)SERIN_FLASH_AGAIN_COUNT},
        {.operation = 1,
         .kind = SERIN_FLASH_FAULT_ERASE_OLD,
         .torn = SERIN_FLASH_TORN_WEAK_READ,
         .reads = 256},
        {.operation = 1, .kind = SERIN_FLASH_FAULT_ROT, .at = 5},
        {.operation = 1, .kind = SERIN_FLASH_FAULT_ROT, .at = 4096, .mask = 1},
    };
    uint8_t data[16] = {1};
    struct serin_flash_figures figures;
    set_up(0xFF, false);
    ck_assert_int_eq(program(0, data, 16), SERIN_OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &wrong[i]), SERIN_ERR_INVALID);
    }
    struct serin_flash_fault fault = {.operation = 1, .kind = SERIN_FLASH_FAULT_BEFORE};
    for (uint32_t i = 0; i < SERIN_FLASH_EMULATOR_FAULTS; i++) {
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
    }
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_ERR_NO_SPACE);
    serin_flash_emulator_cut(emulator, 1, SERIN_CUT_INSIDE);
    serin_flash_emulator_disarm(emulator);
    serin_flash_emulator_figures(emulator, &figures);
    ck_assert_uint_eq(figures.armed, 0);
    ck_assert_int_eq(program(16, data, 16), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(several_parts_may_be_broken)
{
    uint8_t data[16] = {1}, byte;
    set_up(0xFF, false);
    ck_assert_int_eq(program(256, data, 16), SERIN_OK);
    serin_flash_emulator_break(emulator, 0, 16, SERIN_BREAKAGE_FAILS);
    serin_flash_emulator_break(emulator, 64, 8, SERIN_BREAKAGE_STUCK);
    serin_flash_emulator_break(emulator, 256, 1, SERIN_BREAKAGE_UNREADABLE);
    ck_assert_int_eq(program(0, data, 16), SERIN_ERR_FLASH);
    ck_assert_int_eq(program(64, data, 16), SERIN_OK);
    expect(64, 0xFF, 8);
    expect(72, 0, 8);
    ck_assert_int_eq(flash->ops->read(flash->ctx, 256, &byte, 1), SERIN_ERR_FLASH);
    ck_assert_int_eq(flash->ops->read(flash->ctx, 257, &byte, 1), SERIN_OK);
    ck_assert_int_eq(erase(0, 1024), SERIN_ERR_FLASH);
    serin_flash_emulator_break(emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(flash->ops->read(flash->ctx, 256, &byte, 1), SERIN_OK);
    ck_assert_int_eq(erase(0, 1024), SERIN_OK);
    ck_assert_int_eq(program(64, data, 16), SERIN_OK);
    expect(65, 0, 15);
    tear_down();
}
END_TEST

START_TEST(a_wrong_geometry_is_refused)
{
    static const struct serin_flash_emulator_config wrong[] = {
        {.size_bytes = 0, .sector_size = 1024, .write_unit = 1},
        {.size_bytes = 1024, .sector_size = 0, .write_unit = 1},
        {.size_bytes = 1024, .sector_size = 1024, .write_unit = 0},
        {.size_bytes = 1500, .sector_size = 1000, .write_unit = 1},
        {.size_bytes = 1000, .sector_size = 1000, .write_unit = 16},
        {.size_bytes = 2048, .sector_size = 2048, .write_unit = 1024},
        {.size_bytes = 1024, .sector_size = 1024, .write_unit = 1, .erased_value = 0x55},
        {.size_bytes = 1024,
         .sector_size = 1024,
         .write_unit = 1,
         .ecc = true,
         .programming = SERIN_FLASH_AND},
        {.size_bytes = 0x80000400, .sector_size = 1024, .write_unit = 1},
        {.write_unit = 16, .runs = {{4, 1000}}},
        {.write_unit = 16, .runs = {{4, 1024}, {1, 0}}},
        {.size_bytes = 1024, .write_unit = 16, .runs = {{4, 1024}}},
        {.write_unit = 16, .runs = {{0x200000, 1024}, {1, 16}}},
        {.write_unit = 16, .runs = {{UINT32_MAX, 1024}}},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_int_eq(serin_flash_emulator_open(&emulator, &wrong[i]), SERIN_ERR_INVALID);
        ck_assert_ptr_null(emulator);
    }
    serin_flash_emulator_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash_emulator");
    TCase *tests = tcase_create("flash_emulator");
    tcase_add_loop_test(tests, the_rules_hold, 0, 2);
    tcase_add_test(tests, bytes_of_the_erased_value_count_as_programmed);
    tcase_add_test(tests, a_cut_program_leaves_a_beginning);
    tcase_add_loop_test(tests, a_cut_erase_leaves_a_mess_that_must_be_erased_again, 0, 2);
    tcase_add_test(tests, history_rot_breaks_and_copies);
    tcase_add_test(tests, sectors_need_not_be_equal);
    tcase_add_test(tests, faults_wait_for_their_operation);
    tcase_add_test(tests, a_fault_that_does_not_fit_does_not_fire);
    tcase_add_test(tests, what_cannot_be_armed_is_refused);
    tcase_add_test(tests, several_parts_may_be_broken);
    tcase_add_test(tests, a_wrong_geometry_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

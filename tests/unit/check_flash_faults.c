/*
 * Every kind of fault of the flash emulator leaves what its contract says, and fires once: contents
 * byte by byte, how torn units read, what a second program does, the rules of both kinds of part.
 */
#include "check_main.h"

#include <serin/emulator/flash_emulator.h>

#include <stdlib.h>
#include <string.h>

#define SECTOR 1024u
#define SIZE   8192u

static struct serin_flash_emulator *emulator;
static const struct serin_flash *flash;

static void open_part(const struct serin_flash_emulator_config *config)
{
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, config), SERIN_OK);
    flash = serin_flash_emulator_flash(emulator);
}

static void open_plain(uint32_t unit, uint8_t erased)
{
    open_part(&(struct serin_flash_emulator_config){
        .size_bytes = SIZE, .sector_size = SECTOR, .write_unit = unit, .erased_value = erased});
}

static void open_ecc(uint32_t unit)
{
    open_part(&(struct serin_flash_emulator_config){.size_bytes = SIZE,
                                                    .sector_size = SECTOR,
                                                    .write_unit = unit,
                                                    .erased_value = 0xFF,
                                                    .ecc = true});
}

static void close_part(void)
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

static enum serin_error read_at(uint32_t address, void *out, size_t size)
{
    return flash->ops->read(flash->ctx, address, out, size);
}

static void power_cycle(void)
{
    serin_flash_emulator_power_off(emulator);
    serin_flash_emulator_power_on(emulator);
}

static struct serin_flash_figures figures(void)
{
    struct serin_flash_figures now;
    serin_flash_emulator_figures(emulator, &now);
    return now;
}

/* Sets the fault for the next operation. */
static void arm(struct serin_flash_fault fault)
{
    fault.operation = serin_flash_emulator_operations(emulator);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
}

/* Programs or erases, loses power in it, and has power again. */
static void cut_program(struct serin_flash_fault fault, uint32_t address, const void *data,
                        size_t size)
{
    uint64_t fired = figures().fired;
    arm(fault);
    ck_assert_int_eq(program(address, data, size), SERIN_ERR_FLASH);
    ck_assert(serin_flash_emulator_is_off(emulator));
    ck_assert_uint_eq(figures().fired, fired + 1u);
    serin_flash_emulator_power_on(emulator);
}

static void cut_erase(struct serin_flash_fault fault, uint32_t address, size_t size)
{
    uint64_t fired = figures().fired;
    arm(fault);
    ck_assert_int_eq(erase(address, size), SERIN_ERR_FLASH);
    ck_assert(serin_flash_emulator_is_off(emulator));
    ck_assert_uint_eq(figures().fired, fired + 1u);
    serin_flash_emulator_power_on(emulator);
}

/* Bytes none of which is erased. */
static const uint8_t *pattern(void)
{
    static uint8_t data[SIZE];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i % 97u * 2u + 1u);
    }
    return data;
}

static void expect(uint32_t address, const uint8_t *bytes, size_t size)
{
    uint8_t back[SIZE];
    ck_assert_int_eq(read_at(address, back, size), SERIN_OK);
    ck_assert_mem_eq(back, bytes, size);
}

static void expect_all(uint32_t address, uint8_t value, size_t size)
{
    uint8_t back[SIZE];
    ck_assert_int_eq(read_at(address, back, size), SERIN_OK);
    ck_assert(serin_bytes_all(back, size, value));
}

static const uint32_t units[] = {1, 2, 8, 24, 32, 512};

/* ---- programs ---- */

START_TEST(every_prefix_of_a_program_is_exact)
{
    uint32_t unit = units[_i % 6];
    uint8_t erased = _i < 6 ? 0xFF : 0x00;
    uint32_t size = unit == 512u ? 1024u : 4u * unit;
    struct serin_flash_emulator_config config = {.size_bytes = unit * 64u,
                                                 .sector_size = unit * 8u,
                                                 .write_unit = unit,
                                                 .erased_value = erased};
    uint64_t breaches = 0, refused = 0;
    open_part(&config);
    for (uint32_t k = 0; k <= size; k++) {
        ck_assert_int_eq(erase(0, unit * 8u), SERIN_OK);
        cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = k},
                    unit, pattern(), size);
        expect_all(0, erased, unit);
        expect(unit, pattern(), k);
        expect_all(unit + k, erased, unit * 7u - k);
        /* Units before the torn one are programmed, those after it are erased. */
        uint32_t torn = (k < size ? k : size - 1u) / unit;
        for (uint32_t i = 0; i < size / unit; i++) {
            enum serin_error error = program(unit + i * unit, pattern(), unit);
            ck_assert_int_eq(error, i > torn ? SERIN_OK : SERIN_ERR_FLASH);
            refused += i == torn && k % unit == 0 && k < size;
            breaches += i < torn || (i == torn && (k % unit != 0 || k == size));
        }
        ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), breaches);
        ck_assert_uint_eq(figures().refused, refused);
    }
    close_part();
}
END_TEST

START_TEST(a_unit_that_is_new_throughout_may_be_torn)
{
    open_plain(16, 0xFF);
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                           .at = 17,
                                           .torn = SERIN_FLASH_TORN_FAULTING},
                0, pattern(), 64);
    expect(0, pattern(), 16);
    uint8_t back[16];
    ck_assert_int_eq(read_at(16, back, 1), SERIN_ERR_FLASH);
    serin_flash_emulator_peek(emulator, 16, back, 16);
    ck_assert_mem_eq(back, pattern() + 16, 16);
    expect_all(32, 0xFF, 32);
    close_part();
}
END_TEST

/* Bits that stand where neither the old nor the new ones do. */
static unsigned strange_bits(const uint8_t *held, const uint8_t *new, size_t size, uint8_t erased)
{
    unsigned strange = 0;
    for (size_t i = 0; i < size; i++) {
        strange |= (unsigned)((held[i] ^ erased) & ~(new[i] ^ erased)) & 0xFFu;
    }
    return strange;
}

START_TEST(random_subsets_of_bits_come_from_the_seed)
{
    uint8_t erased = _i == 0 ? 0xFF : 0x00;
    uint8_t held[20][64];
    bool scattered = _i == 1, end_differs = false;
    for (uint64_t i = 0; i < 20u; i++) {
        open_plain(16, erased);
        struct serin_flash_fault fault = {.kind = scattered ? SERIN_FLASH_FAULT_PROGRAM_SCATTER
                                                            : SERIN_FLASH_FAULT_PROGRAM_SUBSET,
                                          .at = scattered ? 0 : 21,
                                          .seed = i / 2u};
        cut_program(fault, 0, pattern(), 64);
        ck_assert_int_eq(read_at(0, held[i], 64), SERIN_OK);
        ck_assert_uint_eq(strange_bits(held[i], pattern(), 64, erased), 0);
        if (!scattered) {
            ck_assert_mem_eq(held[i], pattern(), 21);
            ck_assert(serin_bytes_all(held[i] + 32, 32, erased));
        }
        end_differs = end_differs || memcmp(held[i] + 48, pattern() + 48, 16) != 0;
        if (i % 2u == 1u) { /* the same seed, the same bytes; another one, others */
            ck_assert_mem_eq(held[i], held[i - 1u], 64);
        } else if (i > 0) {
            ck_assert_mem_ne(held[i], held[i - 1u], 64);
        }
        ck_assert_int_eq(program(32, pattern(), 32), scattered ? SERIN_ERR_FLASH : SERIN_OK);
        close_part();
    }
    ck_assert(end_differs);
}
END_TEST

/* ---- erases ---- */

/* Three sectors of which the second is torn. */
static void tear_second(struct serin_flash_fault fault)
{
    ck_assert_int_eq(program(SECTOR, pattern(), 4u * SECTOR), SERIN_OK);
    cut_erase(fault, SECTOR, 3u * SECTOR);
    expect_all(SECTOR, 0xFF, SECTOR);
    expect(3u * SECTOR, pattern() + 2u * SECTOR, 2u * SECTOR);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, SECTOR), 1);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 3u * SECTOR), 0);
    ck_assert_int_eq(program(SECTOR, pattern(), SECTOR), SERIN_OK);
}

START_TEST(an_erase_that_was_cut_between_sectors)
{
    open_plain(8, 0xFF);
    tear_second((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_PART, .at = SECTOR});
    expect(2u * SECTOR, pattern() + SECTOR, SECTOR);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 2u * SECTOR), 0);
    close_part();
}
END_TEST

START_TEST(an_erase_that_left_old_bytes)
{
    open_plain(8, 0xFF);
    tear_second((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_OLD, .at = SECTOR});
    expect(2u * SECTOR, pattern() + SECTOR, SECTOR);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 2u * SECTOR), 1);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 1);
    close_part();
}
END_TEST

START_TEST(an_erase_that_reads_erased_but_is_not)
{
    open_plain(8, 0xFF);
    tear_second((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_ERASED, .at = SECTOR});
    expect_all(2u * SECTOR, 0xFF, SECTOR);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_int_eq(program(3u * SECTOR - 8u, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    ck_assert_uint_eq(figures().refused, 2);
    ck_assert_int_eq(erase(2u * SECTOR, SECTOR), SERIN_OK);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_OK);
    close_part();
}
END_TEST

START_TEST(an_erase_that_was_done_half)
{
    open_plain(8, 0xFF);
    tear_second(
        (struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_HALF, .at = SECTOR + 300u});
    expect_all(2u * SECTOR, 0xFF, 300);
    expect(2u * SECTOR + 300u, pattern() + SECTOR + 300u, SECTOR - 300u);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(figures().refused, 1); /* it reads erased; the other half does not */
    ck_assert_int_eq(program(3u * SECTOR - 8u, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 1);
    close_part();
}
END_TEST

START_TEST(an_erase_that_left_garbage)
{
    uint8_t held[4][SECTOR];
    bool mix = _i == 1;
    for (uint64_t i = 0; i < 4u; i++) {
        open_plain(8, 0xFF);
        tear_second((struct serin_flash_fault){.kind = mix ? SERIN_FLASH_FAULT_ERASE_MIX
                                                           : SERIN_FLASH_FAULT_ERASE_GARBAGE,
                                               .at = SECTOR + 5u,
                                               .seed = i / 2u});
        ck_assert_int_eq(read_at(2u * SECTOR, held[i], SECTOR), SERIN_OK);
        unsigned old = 0, erased = 0, other = 0;
        for (uint32_t at = 0; at < SECTOR; at++) {
            bool is_old = held[i][at] == pattern()[SECTOR + at];
            old += is_old;
            erased += held[i][at] == 0xFF;
            other += !is_old && held[i][at] != 0xFF;
        }
        ck_assert_uint_ge(other, SECTOR / 8u);
        if (mix) {
            ck_assert_uint_ge(old, SECTOR / 8u);
            ck_assert_uint_ge(erased, SECTOR / 4u);
        } else {
            ck_assert_uint_le(old + erased, SECTOR / 16u);
        }
        close_part();
    }
    ck_assert_mem_eq(held[0], held[1], SECTOR);
    ck_assert_mem_eq(held[2], held[3], SECTOR);
    ck_assert_mem_ne(held[0], held[2], SECTOR);
}
END_TEST

/* ---- how torn units read ---- */

static void tear_unit(enum serin_flash_torn torn, uint32_t reads, enum serin_flash_again again)
{
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                           .at = 16,
                                           .torn = torn,
                                           .reads = reads,
                                           .again = again,
                                           .seed = 3},
                0, pattern(), 48);
}

START_TEST(an_unstable_unit_reads_differently)
{
    uint8_t back[48];
    unsigned right = 0, kinds = 0;
    uint8_t seen[48] = {0};
    open_plain(16, 0xFF);
    tear_unit(SERIN_FLASH_TORN_UNSTABLE, 0, SERIN_FLASH_AGAIN_REFUSED);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(read_at(0, back, 48), SERIN_OK);
        ck_assert_mem_eq(back, pattern(), 16); /* the units beside it are sound */
        ck_assert(serin_bytes_all(back + 32, 16, 0xFF));
        right += memcmp(back + 16, pattern() + 16, 16) == 0;
        kinds += memcmp(back + 16, seen + 16, 16) != 0;
        memcpy(seen, back, sizeof seen);
        /* Only bits that were to move are loose: others read as both old and new do. */
        for (int at = 16; at < 32; at++) {
            ck_assert_uint_eq((uint8_t)(back[at] & pattern()[at]), pattern()[at]);
        }
    }
    ck_assert_uint_gt(right, 50);
    ck_assert_uint_lt(right, 150);
    ck_assert_uint_gt(kinds, 50);
    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    for (int i = 0; i < 50; i++) {
        expect_all(0, 0xFF, 48);
    }
    close_part();
}
END_TEST

START_TEST(an_unstable_unit_of_ecc_faults_now_and_then)
{
    uint8_t back[16];
    unsigned right = 0;
    open_ecc(16);
    tear_unit(SERIN_FLASH_TORN_UNSTABLE, 0, SERIN_FLASH_AGAIN_REFUSED);
    for (int i = 0; i < 200; i++) {
        if (read_at(16, back, 16) == SERIN_OK) {
            ck_assert_mem_eq(back, pattern() + 16, 16);
            right++;
        }
    }
    ck_assert_uint_gt(right, 50);
    ck_assert_uint_lt(right, 150);
    close_part();
}
END_TEST

START_TEST(a_weak_unit_flips_at_its_read)
{
    uint8_t back[16], after[16];
    bool ecc = _i == 1;
    if (ecc) {
        open_ecc(16);
    } else {
        open_plain(16, 0xFF);
    }
    tear_unit(SERIN_FLASH_TORN_WEAK_READ, 3, SERIN_FLASH_AGAIN_REFUSED);
    expect(0, pattern(), 16); /* reads beside it do not count */
    for (int i = 0; i < 3; i++) {
        power_cycle();
        expect(16, pattern() + 16, 16);
    }
    if (ecc) {
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
    } else {
        ck_assert_int_eq(read_at(16, after, 16), SERIN_OK);
        ck_assert_mem_ne(after, pattern() + 16, 16);
        for (int i = 0; i < 20; i++) {
            power_cycle();
            expect(16, after, 16); /* for good */
        }
    }
    close_part();
}
END_TEST

START_TEST(a_weak_unit_flips_at_the_next_power_cycle)
{
    uint8_t back[16], after[16];
    bool ecc = _i == 1;
    if (ecc) {
        open_ecc(16);
    } else {
        open_plain(16, 0xFF);
    }
    tear_unit(SERIN_FLASH_TORN_WEAK_POWER, 0, SERIN_FLASH_AGAIN_REFUSED);
    for (int i = 0; i < 20; i++) {
        expect(16, pattern() + 16, 16);
        serin_flash_emulator_power_on(emulator); /* it is on: no cycle */
    }
    power_cycle();
    if (ecc) {
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
    } else {
        ck_assert_int_eq(read_at(16, after, 16), SERIN_OK);
        ck_assert_mem_ne(after, pattern() + 16, 16);
        power_cycle();
        expect(16, after, 16);
    }
    close_part();
}
END_TEST

START_TEST(an_ecc_word_that_is_half_done_faults_whatever_is_asked)
{
    uint8_t back[SECTOR];
    open_ecc(16);
    for (int torn = 0; torn < (int)SERIN_FLASH_TORN_COUNT; torn++) {
        struct serin_flash_fault fault = {.torn = (enum serin_flash_torn)torn,
                                          .reads = torn == SERIN_FLASH_TORN_WEAK_READ ? 9 : 0};
        fault.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX;
        fault.at = 20;
        ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
        cut_program(fault, 0, pattern(), 48);
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
        expect(0, pattern(), 16);
        expect_all(32, 0xFF, 16);
        fault.kind = SERIN_FLASH_FAULT_ERASE_GARBAGE;
        fault.at = 0;
        cut_erase(fault, 0, SECTOR);
        for (uint32_t at = 0; at < SECTOR; at += 16u) {
            ck_assert_int_eq(read_at(at, back, 1), SERIN_ERR_FLASH);
        }
    }
    /* Whole words, old or new, may read. */
    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 16}, 0,
                pattern(), 48);
    expect_all(16, 0xFF, 32);
    ck_assert_int_eq(program(16, pattern(), 16), SERIN_ERR_FLASH);
    ck_assert_uint_eq(figures().refused, 1);
    close_part();
}
END_TEST

/* ---- a second program of a torn unit that reads erased ---- */

static void tear_blank(enum serin_flash_torn torn, enum serin_flash_again again)
{
    cut_program(
        (struct serin_flash_fault){
            .kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 16, .torn = torn, .again = again},
        0, pattern(), 48);
}

START_TEST(what_reads_erased_takes_a_program_as_the_fault_says)
{
    uint8_t back[16];
    unsigned right = 0;
    open_plain(16, 0xFF);
    tear_blank(SERIN_FLASH_TORN_STABLE, SERIN_FLASH_AGAIN_REFUSED);
    ck_assert_int_eq(program(16, pattern() + 16, 32), SERIN_ERR_FLASH);
    expect_all(16, 0xFF, 32); /* nothing of it */
    ck_assert_uint_eq(figures().refused, 1);

    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    tear_blank(SERIN_FLASH_TORN_STABLE, SERIN_FLASH_AGAIN_FINE);
    ck_assert_int_eq(program(16, pattern() + 16, 16), SERIN_OK);
    for (int i = 0; i < 50; i++) {
        expect(0, pattern(), 32);
    }

    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    tear_blank(SERIN_FLASH_TORN_STABLE, SERIN_FLASH_AGAIN_UNSTABLE);
    expect_all(16, 0xFF, 16);
    ck_assert_int_eq(program(16, pattern() + 16, 32), SERIN_OK);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(read_at(16, back, 16), SERIN_OK);
        right += memcmp(back, pattern() + 16, 16) == 0;
        expect(32, pattern() + 32, 16);
    }
    ck_assert_uint_gt(right, 50);
    ck_assert_uint_lt(right, 150);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    ck_assert_int_eq(program(16, pattern(), 16), SERIN_ERR_FLASH); /* now it could be seen */
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 1);
    close_part();
}
END_TEST

START_TEST(what_an_unstable_unit_gave_last_decides)
{
    uint8_t back[1];
    unsigned blank = 0, filled = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        open_plain(1, 0xFF);
        struct serin_flash_fault fault = {.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                          .torn = SERIN_FLASH_TORN_UNSTABLE,
                                          .again = SERIN_FLASH_AGAIN_FINE,
                                          .seed = seed};
        cut_program(fault, 0, "\xFE", 1); /* one bit, which is loose */
        ck_assert_int_eq(read_at(0, back, 1), SERIN_OK);
        bool erased = back[0] == 0xFF;
        ck_assert_int_eq(program(0, "\x0F", 1), erased ? SERIN_OK : SERIN_ERR_FLASH);
        ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), erased ? 0 : 1);
        blank += erased;
        filled += !erased;
        close_part();
    }
    ck_assert_uint_gt(blank, 0);
    ck_assert_uint_gt(filled, 0);
}
END_TEST

/* ---- parts that take a second program ---- */

START_TEST(plain_nor_clears_bits_one_by_one)
{
    struct serin_flash_emulator_config config = {.size_bytes = SIZE,
                                                 .sector_size = SECTOR,
                                                 .write_unit = 1,
                                                 .erased_value = _i == 0 ? 0xFF : 0x00,
                                                 .programming = SERIN_FLASH_AND};
    uint8_t invert = config.erased_value ^ 0xFF;
    uint8_t back, bytes[] = {0xF0 ^ invert, 0xC0 ^ invert, 0x0F ^ invert};
    open_part(&config);
    ck_assert_int_eq(program(5, &bytes[0], 1), SERIN_OK);
    ck_assert_int_eq(program(5, &bytes[1], 1), SERIN_OK); /* fewer bits */
    ck_assert_int_eq(program(5, &bytes[1], 1), SERIN_OK); /* the same */
    ck_assert_uint_eq(figures().reprogrammed, 2);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    ck_assert_int_eq(program(5, &bytes[0], 1), SERIN_ERR_FLASH); /* back */
    ck_assert_int_eq(program(5, &bytes[2], 1), SERIN_ERR_FLASH);
    ck_assert_int_eq(read_at(5, &back, 1), SERIN_OK);
    ck_assert_uint_eq(back, bytes[1]);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 2);
    ck_assert_str_eq(serin_flash_emulator_breach(emulator),
                     "a program moves a bit back to the erased value");
    /* The same on a part that is written once: the first repetition is one too many. */
    close_part();
    config.programming = SERIN_FLASH_WRITE_ONCE;
    open_part(&config);
    ck_assert_ptr_null(serin_flash_emulator_breach(emulator));
    ck_assert_int_eq(program(5, &bytes[0], 1), SERIN_OK);
    ck_assert_int_eq(program(5, &bytes[1], 1), SERIN_ERR_FLASH);
    ck_assert_str_eq(serin_flash_emulator_breach(emulator), "a write unit is programmed twice");
    ck_assert_uint_eq(figures().reprogrammed, 0);
    close_part();
}
END_TEST

START_TEST(plain_nor_torn_over_old_bits)
{
    struct serin_flash_emulator_config config = {.size_bytes = SIZE,
                                                 .sector_size = SECTOR,
                                                 .write_unit = 4,
                                                 .erased_value = 0xFF,
                                                 .programming = SERIN_FLASH_AND};
    static const uint8_t first[4] = {0xF0, 0xF0, 0xF0, 0xF0}, second[4] = {0x10, 0x10, 0x10, 0x10};
    static const uint8_t left[4] = {0x10, 0x10, 0xF0, 0xF0};
    open_part(&config);
    ck_assert_int_eq(program(0, first, 4), SERIN_OK);
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 2}, 0,
                second, 4);
    expect(0, left, 4);
    ck_assert_int_eq(program(0, second, 4), SERIN_OK); /* again: the bits only go on */
    expect(0, second, 4);
    /* What reads erased but is torn is refused here, too. */
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX}, 8, first, 4);
    ck_assert_int_eq(program(8, first, 4), SERIN_ERR_FLASH);
    ck_assert_uint_eq(figures().refused, 1);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    close_part();
}
END_TEST

/* ---- faults that leave the power on ---- */

START_TEST(an_operation_that_fails)
{
    open_plain(16, 0xFF);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS});
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_ERR_FLASH);
    expect_all(0, 0xFF, 16);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS_DONE});
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_ERR_FLASH);
    expect(0, pattern(), 16);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS});
    ck_assert_int_eq(erase(0, SECTOR), SERIN_ERR_FLASH);
    expect(0, pattern(), 16);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS_DONE});
    ck_assert_int_eq(erase(0, SECTOR), SERIN_ERR_FLASH);
    expect_all(0, 0xFF, 16);
    ck_assert_uint_eq(figures().fired, 4);
    ck_assert(!serin_flash_emulator_is_off(emulator));
    close_part();
}
END_TEST

START_TEST(rot_comes_at_its_operation)
{
    uint8_t back[16];
    open_plain(16, 0xFF);
    struct serin_flash_fault rot = {
        .operation = 2, .kind = SERIN_FLASH_FAULT_ROT, .at = 3, .mask = 0x81};
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_OK);
    expect(0, pattern(), 16);
    ck_assert_uint_eq(figures().fired, 0);
    ck_assert_int_eq(program(16, pattern(), 16), SERIN_OK);
    ck_assert_uint_eq(figures().fired, 1);
    ck_assert_int_eq(read_at(0, back, 16), SERIN_OK);
    ck_assert_uint_eq(back[3], pattern()[3] ^ 0x81);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK); /* now, and back */
    ck_assert_uint_eq(figures().fired, 2);
    expect(0, pattern(), 16);

    rot.torn = SERIN_FLASH_TORN_UNSTABLE;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    unsigned wrong = 0, seen = 0;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(read_at(0, back, 16), SERIN_OK);
        wrong += back[3] != pattern()[3];
        seen |= (unsigned)(back[3] ^ pattern()[3]);
        ck_assert_mem_eq(back, pattern(), 3);
    }
    ck_assert_uint_gt(wrong, 10);
    ck_assert_uint_eq(seen, 0x81);

    rot.torn = SERIN_FLASH_TORN_WEAK_POWER;
    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_OK);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    expect(0, pattern(), 16);
    power_cycle();
    ck_assert_int_eq(read_at(0, back, 16), SERIN_OK);
    ck_assert_mem_ne(back, pattern(), 16);

    rot.torn = SERIN_FLASH_TORN_FAULTING;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    ck_assert_int_eq(read_at(15, back, 1), SERIN_ERR_FLASH);
    ck_assert_int_eq(read_at(16, back, 16), SERIN_OK);
    ck_assert_uint_eq(figures().fired, 5);
    close_part();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash_faults");
    TCase *tests = tcase_create("flash_faults");
    tcase_add_loop_test(tests, every_prefix_of_a_program_is_exact, 0, 12);
    tcase_add_test(tests, a_unit_that_is_new_throughout_may_be_torn);
    tcase_add_loop_test(tests, random_subsets_of_bits_come_from_the_seed, 0, 2);
    tcase_add_test(tests, an_erase_that_was_cut_between_sectors);
    tcase_add_test(tests, an_erase_that_left_old_bytes);
    tcase_add_test(tests, an_erase_that_reads_erased_but_is_not);
    tcase_add_test(tests, an_erase_that_was_done_half);
    tcase_add_loop_test(tests, an_erase_that_left_garbage, 0, 2);
    tcase_add_test(tests, an_unstable_unit_reads_differently);
    tcase_add_test(tests, an_unstable_unit_of_ecc_faults_now_and_then);
    tcase_add_loop_test(tests, a_weak_unit_flips_at_its_read, 0, 2);
    tcase_add_loop_test(tests, a_weak_unit_flips_at_the_next_power_cycle, 0, 2);
    tcase_add_test(tests, an_ecc_word_that_is_half_done_faults_whatever_is_asked);
    tcase_add_test(tests, what_reads_erased_takes_a_program_as_the_fault_says);
    tcase_add_test(tests, what_an_unstable_unit_gave_last_decides);
    tcase_add_loop_test(tests, plain_nor_clears_bits_one_by_one, 0, 2);
    tcase_add_test(tests, plain_nor_torn_over_old_bits);
    tcase_add_test(tests, an_operation_that_fails);
    tcase_add_test(tests, rot_comes_at_its_operation);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * A record whose second copy cannot be had: the one that is left counts once it has read well four
 * times more than it was read back, and not before.
 */
#include "check_main.h"
#include "reclog.h"

#include <serin/emulator/flash_emulator.h>

#include <limits.h>
#include <string.h>

#define SECTOR  1024u
#define STRIDE  64u
#define PAYLOAD (STRIDE - SERIN_RECLOG_OVERHEAD)

static struct serin_flash_emulator *emulator;
static const struct serin_flash *below;
static struct serin_flash above;
static struct serin_reclog log_;
static uint32_t worn;        /* the bank that takes nothing */
static uint32_t copy;        /* where the copy of the other one went; 0: not yet */
static unsigned looks, good; /* at it since; from the one behind `good` on it reads wrong */

static bool in_bank(uint32_t bank, uint32_t address)
{
    return address / SECTOR == bank + 1u;
}

static enum serin_error fading_read(void *ctx, uint32_t address, void *out, size_t size)
{
    (void)ctx;
    enum serin_error error = below->ops->read(below->ctx, address, out, size);
    if (copy != 0 && address == copy && size > 8 && ++looks > good) {
        ((uint8_t *)out)[10] ^= 1;
    }
    return error;
}

static enum serin_error worn_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    (void)ctx;
    if (in_bank(worn, address)) {
        return SERIN_ERR_FLASH;
    }
    copy = address;
    return below->ops->program(below->ctx, address, data, size);
}

static enum serin_error plain_erase(void *ctx, uint32_t address, size_t size)
{
    (void)ctx;
    return below->ops->erase(below->ctx, address, size);
}

static const struct serin_flash_ops ops = {
    .read = fading_read, .program = worn_program, .erase = plain_erase};

static enum serin_error append(uint8_t value)
{
    uint8_t payload[PAYLOAD];
    memset(payload, value, sizeof payload);
    return serin_reclog_append(&log_, payload);
}

static void set_up(uint32_t bank)
{
    struct serin_flash_emulator_config config = {.size_bytes = 4u * SECTOR,
                                                 .sector_size = SECTOR,
                                                 .write_unit = 8,
                                                 .erased_value = 0xFF,
                                                 .seed = 1};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    below = serin_flash_emulator_flash(emulator);
    above = *below;
    above.ops = &ops;
    log_ = (struct serin_reclog){.flash = below,
                                 .region = {.address = SECTOR, .size = 2u * SECTOR},
                                 .magic = 0x424E5253u,
                                 .payload_size = PAYLOAD};
    ck_assert_int_eq(append(1), SERIN_OK);
    log_.flash = &above;
    worn = bank;
    copy = looks = 0;
}

static void try_bank(uint32_t bank)
{
    unsigned enough = 0;
    for (unsigned most = 0; most < 12; most++) {
        set_up(bank);
        good = most;
        enum serin_error error = append(2);
        ck_assert_uint_ne(copy, 0);
        ck_assert(error == SERIN_OK || error == SERIN_ERR_FLASH);
        if (error == SERIN_OK && enough == 0) {
            enough = most;
        }
        ck_assert(error == SERIN_OK || enough == 0); /* more readings are not less */
        serin_flash_emulator_close(emulator);
    }
    ck_assert_uint_ge(enough, 5); /* read back once, then four times */
    set_up(bank);
    good = UINT_MAX;
    ck_assert_int_eq(append(2), SERIN_OK);
    serin_flash_emulator_close(emulator);
}

START_TEST(one_copy_counts_after_four_readings_more)
{
    try_bank(0);
    try_bank(1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {one_copy_counts_after_four_readings_more, NULL};
    return check_run("reclog_alone", tests);
}

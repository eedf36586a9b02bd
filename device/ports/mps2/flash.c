/*
 * The flash: 16 MiB of memory that a file backs, so that it outlives the power, under the rules of
 * a NOR part with ECC, which the memory itself does not have: a word is programmed whole and once,
 * programming only clears bits, erasing works on sectors of 4 KiB. What breaks them is refused.
 */
#include "board.h"

#include <string.h>

#define ERASED 0xffffffffu

/* Two parts: Serin's, and the application's own. `ctx` is where one begins, for the processor. */
#define PART(offset) ((void *)(BOARD_FLASH_ADDRESS + (offset)))

static volatile uint32_t *word_at(void *part, uint32_t address)
{
    return (volatile uint32_t *)((uintptr_t)part + address);
}

static enum serin_error flash_read(void *ctx, uint32_t address, void *out, size_t size)
{
    memcpy(out, (const uint8_t *)ctx + address, size);
    return SERIN_OK;
}

static enum serin_error flash_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if ((address | size) % BOARD_FLASH_WORD != 0) {
        return SERIN_ERR_FLASH;
    }
    for (; size > 0; size -= BOARD_FLASH_WORD) {
        volatile uint32_t *word = word_at(ctx, address);
        if (*word != ERASED) {
            return SERIN_ERR_FLASH;
        }
        *word &= serin_get_le32(bytes);
        address += BOARD_FLASH_WORD;
        bytes += BOARD_FLASH_WORD;
    }
    return SERIN_OK;
}

static enum serin_error flash_erase(void *ctx, uint32_t address, size_t size)
{
    if ((address | size) % BOARD_FLASH_SECTOR != 0) {
        return SERIN_ERR_FLASH;
    }
    for (; size > 0; size -= BOARD_FLASH_WORD) {
        *word_at(ctx, address) = ERASED;
        address += BOARD_FLASH_WORD;
    }
    return SERIN_OK;
}

/* Bootloaders and images are compiled for this geometry (CMakeLists.txt). */
static const struct serin_flash_ops ops = {
    .read = flash_read, .program = flash_program, .erase = flash_erase};

const struct serin_flash board_flash = {.ops = &ops,
                                        .ctx = PART(BOARD_SERIN_OFFSET),
                                        .size_bytes = BOARD_SERIN_SIZE,
                                        .sector_size = BOARD_FLASH_SECTOR,
                                        .write_unit = BOARD_FLASH_WORD,
                                        .erased_value = 0xFF};

const struct serin_flash board_application_flash = {.ops = &ops,
                                                    .ctx = PART(BOARD_APPLICATION),
                                                    .size_bytes = BOARD_APPLICATION_SIZE,
                                                    .sector_size = BOARD_FLASH_SECTOR,
                                                    .write_unit = BOARD_FLASH_WORD,
                                                    .erased_value = 0xFF};

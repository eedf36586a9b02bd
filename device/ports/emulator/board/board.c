/* What bootloader, application and factory share (board.h). */
#include "board.h"

#include <serin/crc32.h>

#include <string.h>

/* ---- the flash port ---- */

static enum serin_error flash_read(void *ctx, uint32_t address, void *out, size_t size)
{
    struct board *board = ctx;
    return hw_flash_read(&board->hw, BOARD_SERIN_ADDRESS + address, out, (uint32_t)size) == 0
               ? SERIN_OK
               : SERIN_ERR_FLASH;
}

static enum serin_error flash_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    struct board *board = ctx;
    return hw_flash_write(&board->hw, BOARD_SERIN_ADDRESS + address, data, (uint32_t)size) == 0
               ? SERIN_OK
               : SERIN_ERR_FLASH;
}

static enum serin_error flash_erase(void *ctx, uint32_t address, size_t size)
{
    struct board *board = ctx;
    for (uint32_t done = 0; done < size; done += HW_FLASH_PAGE) {
        if (hw_flash_erase_page(&board->hw, BOARD_SERIN_ADDRESS + address + done) != 0) {
            return SERIN_ERR_FLASH;
        }
    }
    return SERIN_OK;
}

static const struct serin_flash_ops flash_ops = {
    .read = flash_read, .program = flash_program, .erase = flash_erase};

/* As `flash-layout 491520 2048 8` prints it. Constants: what the factory wrote stays where it is,
 * whatever a later version of Serin would choose. */
const struct serin_layout board_layout = {
    .boot_log = {.address = 0x00000000, .size = 0x1000},
    .trust = {.address = 0x00001000, .size = 0x1000},
    .agent_log = {.address = 0x00002000, .size = 0x2000},
    .scratch = {.address = 0x00004000, .size = 0x3000},
    .slot = {{.address = 0x00007000, .size = 0x38800}, {.address = 0x0003F800, .size = 0x38800}},
};

/* ---- identity ---- */

/* Its page, in whole words, names padded with zeros:
 *
 *   0   device id, 64    96  channel, 32       132  root key, 64
 *  64   product, 32     128  hardware, 4       196  CRC-32 of all before */
#define IDENTITY_SIZE 200u
_Static_assert(IDENTITY_SIZE % HW_FLASH_WORD == 0, "whole words");

enum serin_error board_identity_write(struct board *board, const struct board_identity *burnt)
{
    uint8_t page[IDENTITY_SIZE];
    memcpy(page, burnt->identity.device_id, 64);
    memcpy(page + 64, burnt->identity.product, 32);
    memcpy(page + 96, burnt->identity.channel, 32);
    serin_put_le32(page + 128, burnt->identity.hardware);
    memcpy(page + 132, burnt->root_key, sizeof burnt->root_key);
    serin_put_le32(page + 196, serin_crc32(0, page, 196));
    bool written = hw_flash_erase_page(&board->hw, BOARD_IDENTITY_ADDRESS) == 0 &&
                   hw_flash_write(&board->hw, BOARD_IDENTITY_ADDRESS, page, sizeof page) == 0;
    return written ? SERIN_OK : SERIN_ERR_FLASH;
}

static bool identity_read(struct board *board)
{
    struct board_identity *burnt = &board->burnt;
    uint8_t page[IDENTITY_SIZE];
    if (hw_flash_read(&board->hw, BOARD_IDENTITY_ADDRESS, page, sizeof page) != 0 ||
        serin_get_le32(page + 196) != serin_crc32(0, page, 196)) {
        return false;
    }
    memset(burnt, 0, sizeof *burnt);
    memcpy(burnt->identity.device_id, page, 64);
    memcpy(burnt->identity.product, page + 64, 32);
    memcpy(burnt->identity.channel, page + 96, 32);
    burnt->identity.hardware = serin_get_le16(page + 128);
    burnt->identity.bootloader = BOARD_BOOTLOADER;
    memcpy(burnt->root_key, page + 132, sizeof burnt->root_key);
    return true;
}

enum serin_error board_open(struct board *board, struct serin_boot *boot)
{
    if (!identity_read(board)) {
        return SERIN_ERR_NOT_FOUND;
    }
    board->flash = (struct serin_flash){.ops = &flash_ops,
                                        .ctx = board,
                                        .size_bytes = BOARD_SERIN_SIZE,
                                        .sector_size = HW_FLASH_PAGE,
                                        .write_unit = HW_FLASH_WORD,
                                        .erased_value = 0xFF};
    *boot = (struct serin_boot){.crypto = board->crypto,
                                .flash = &board->flash,
                                .layout = &board_layout,
                                .root_key = board->burnt.root_key,
                                .identity = &board->burnt.identity,
                                .floor_constant = 0};
    return SERIN_OK;
}

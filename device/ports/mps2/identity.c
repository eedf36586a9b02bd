/*
 * Who the device is, as the factory wrote it. In whole words, names padded with zeros:
 *
 *   0   device id, 64    96  channel, 32       132  root key, 64
 *  64   product, 32     128  hardware, 4       196  CRC-32 of all before
 */
#include "identity.h"

#include "board.h"

#include <serin/crc32.h>

#include <string.h>

struct serin_identity board_identity;
uint8_t board_root_key[SERIN_P256_PUBLIC_SIZE];

enum serin_error board_identity_read(void)
{
    struct serin_identity *identity = &board_identity;
    uint8_t page[BOARD_IDENTITY_SIZE];
    memcpy(page, (const void *)(BOARD_FLASH_ADDRESS + BOARD_IDENTITY_OFFSET), sizeof page);
    if (serin_get_le32(page + BOARD_IDENTITY_CRC) != serin_crc32(0, page, BOARD_IDENTITY_CRC)) {
        return SERIN_ERR_NOT_FOUND;
    }
    memcpy(identity->device_id, page, SERIN_ID_MAX);
    memcpy(identity->product, page + BOARD_IDENTITY_PRODUCT, SERIN_PRODUCT_MAX);
    memcpy(identity->channel, page + BOARD_IDENTITY_CHANNEL, SERIN_CHANNEL_MAX);
    identity->hardware = serin_get_le16(page + BOARD_IDENTITY_HARDWARE);
    identity->bootloader = BOARD_BOOTLOADER;
    memcpy(board_root_key, page + BOARD_IDENTITY_ROOT, sizeof board_root_key);
    return SERIN_OK;
}

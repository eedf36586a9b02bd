/*
 * Who the device is, as the factory wrote it. In whole words, names padded with zeros:
 *
 *   0   device id, 64    96  channel, 32       132  root key, 64
 *  64   product, 32     128  hardware, 4       196  CRC-32 of all before
 */
#include "identity.h"

#include "board.h"

#include <serin/assert.h>
#include <serin/crc32.h>

#include <string.h>

struct serin_identity board_identity;

uint8_t board_identity_page[BOARD_IDENTITY_SIZE];

/* Copies a name; what stands there has a CRC, so each fits. */
static void take_name(char *name, uint32_t offset, size_t size)
{
    enum serin_error error = serin_field_get(board_identity_page + offset, size, name);
    SERIN_ASSERT(error == SERIN_OK);
}

enum serin_error board_identity_read(void)
{
    struct serin_identity *identity = &board_identity;
    uint8_t *page = board_identity_page;
    memcpy(page, (const void *)(BOARD_FLASH_ADDRESS + BOARD_IDENTITY_OFFSET), BOARD_IDENTITY_SIZE);
    if (serin_get_le32(page + BOARD_IDENTITY_CRC) != serin_crc32(0, page, BOARD_IDENTITY_CRC)) {
        return SERIN_ERR_NOT_FOUND;
    }
    take_name(identity->device_id, 0, SERIN_ID_MAX);
    take_name(identity->product, BOARD_IDENTITY_PRODUCT, SERIN_PRODUCT_MAX);
    take_name(identity->channel, BOARD_IDENTITY_CHANNEL, SERIN_CHANNEL_MAX);
    identity->hardware = serin_get_le16(page + BOARD_IDENTITY_HARDWARE);
    identity->bootloader = BOARD_BOOTLOADER;
    return SERIN_OK;
}

/*
 * The credentials, in the first sector of the application's part, 4096 bytes:
 *
 *    0  "SERINTLS"            16  size of certificate, 2    84  seed, 32
 *    8  address, 4            18  size of key, 2           116  DER: CA, certificate, key
 *   12  port, 2               20  server name, 64, padded
 *   14  size of CA, 2             with zeros             4092  CRC-32 of all before
 */
#include "credentials.h"

#include "board.h"

#include <serin/crc32.h>

#include <string.h>

#define PAGE_ADDRESS     0x008u
#define PAGE_PORT        0x00Cu
#define PAGE_CA_SIZE     0x00Eu
#define PAGE_CERTIFICATE 0x010u
#define PAGE_KEY         0x012u
#define PAGE_NAME        0x014u
#define PAGE_SEED        0x054u
#define PAGE_DER         0x074u
#define PAGE_CRC         0xFFCu
#define PAGE_NAME_SIZE   64u
_Static_assert(PAGE_NAME + PAGE_NAME_SIZE == PAGE_SEED, "the picture above");
_Static_assert(PAGE_SEED + SERIN_SEED_SIZE == PAGE_DER, "the picture above");
_Static_assert(sizeof((struct board_credentials *)0)->server_name == PAGE_NAME_SIZE, "a field");

static const char magic[] = "SERINTLS";

enum serin_error board_credentials_open(struct board_credentials *credentials)
{
    const uint8_t *page = (const uint8_t *)board_application_flash.ctx;
    struct serin_tls_der *parts[] = {&credentials->ca, &credentials->certificate,
                                     &credentials->key};
    const uint32_t sizes[] = {PAGE_CA_SIZE, PAGE_CERTIFICATE, PAGE_KEY};
    if (memcmp(page, magic, sizeof magic - 1) != 0) {
        return SERIN_ERR_NOT_FOUND;
    }
    if (serin_get_le32(page + PAGE_CRC) != serin_crc32(0, page, PAGE_CRC)) {
        return SERIN_ERR_CRC;
    }
    memcpy(credentials->address, page + PAGE_ADDRESS, sizeof credentials->address);
    credentials->port = serin_get_le16(page + PAGE_PORT);
    memcpy(credentials->server_name, page + PAGE_NAME, PAGE_NAME_SIZE);
    credentials->server_name[PAGE_NAME_SIZE - 1] = '\0';
    memcpy(credentials->seed, page + PAGE_SEED, SERIN_SEED_SIZE);
    uint32_t at = PAGE_DER;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint32_t size = serin_get_le16(page + sizes[i]);
        if (size == 0 || size > PAGE_CRC - at) {
            return SERIN_ERR_FORMAT;
        }
        *parts[i] = (struct serin_tls_der){.data = page + at, .size = size};
        at += size;
    }
    return credentials->port != 0 ? SERIN_OK : SERIN_ERR_FORMAT;
}

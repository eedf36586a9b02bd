/*
 * CRC-32/ISO-HDLC with a table of sixteen entries: a bootloader has 64 bytes to spare for it, not a
 * kilobyte, and the SHA-256 that always runs beside it costs more.
 */
#include <serin/crc32.h>

/* Entry i is the remainder of the nibble i under the reflected polynomial 0xEDB88320. */
static const uint32_t nibbles[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t serin_crc32(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ nibbles[crc & 0x0f];
        crc = crc >> 4 ^ nibbles[crc & 0x0f];
    }
    return ~crc;
}

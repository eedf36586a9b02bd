/*
 * CRC-32/ISO-HDLC (polynomial 0x04C11DB7 reflected, initial and final value 0xFFFFFFFF), the CRC of
 * zlib and Ethernet. Check value: serin_crc32(0, "123456789", 9) == 0xCBF43926.
 */
#ifndef SERIN_CRC32_H
#define SERIN_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` over `size` bytes; start with 0.
 * Results chain: crc(crc(0, a), b) == crc(0, a ‖ b). */
uint32_t serin_crc32(uint32_t crc, const void *data, size_t size);

#endif

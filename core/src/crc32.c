/*
 * CRC-32/ISO-HDLC, three times. Hosts take eight bytes at a time, because the plugin checks every
 * block that it sends and must not spend more on that than on sending it (slicing by 8: Kounavis
 * and Berry, "Novel table lookup-based algorithms for high-performance CRC generation", 2008).
 * Boards define SERIN_CRC32_SMALL and take four bits at a time: a bootloader has 64 bytes to spare
 * for a table, not 8 KiB, and the SHA-256 that always runs beside it costs more there. Hosts that
 * can multiply without carries fold all lanes of 16 bytes into one (Gopal et al., "Fast CRC
 * computation for generic polynomials using PCLMULQDQ instruction", Intel, 2009).
 */
#include <serin/crc32.h>

#if defined(SERIN_CRC32_SMALL)

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

#else

#include <serin/bytes.h>

/* The remainder is linear: an entry is the sum of those of its bits. So eight constants make a
 * table. */
#define BIT(i, n, c) (((i) >> (n)&1u) * (c))
#define ENTRY(i, c0, c1, c2, c3, c4, c5, c6, c7)                                     \
    (BIT(i, 0, c0) ^ BIT(i, 1, c1) ^ BIT(i, 2, c2) ^ BIT(i, 3, c3) ^ BIT(i, 4, c4) ^ \
     BIT(i, 5, c5) ^ BIT(i, 6, c6) ^ BIT(i, 7, c7))
#define T4(i, ...)                                                                     \
    ENTRY(i, __VA_ARGS__), ENTRY((i) + 1u, __VA_ARGS__), ENTRY((i) + 2u, __VA_ARGS__), \
        ENTRY((i) + 3u, __VA_ARGS__)
#define T16(i, ...)                                                           \
    T4(i, __VA_ARGS__), T4((i) + 4u, __VA_ARGS__), T4((i) + 8u, __VA_ARGS__), \
        T4((i) + 12u, __VA_ARGS__)
#define T64(i, ...)                                                                \
    T16(i, __VA_ARGS__), T16((i) + 16u, __VA_ARGS__), T16((i) + 32u, __VA_ARGS__), \
        T16((i) + 48u, __VA_ARGS__)
#define T256(...) \
    T64(0u, __VA_ARGS__), T64(64u, __VA_ARGS__), T64(128u, __VA_ARGS__), T64(192u, __VA_ARGS__)

/* slices[k][i] is the remainder of the byte i followed by k zero bytes; row k gives those of the
 * bytes 1, 2, 4, ‥ 128. check_crc32 holds both variants against the definition, bit by bit. */
/* clang-format off */
static const uint32_t slices[8][256] = {
    {T256(0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u,
          0x1db71064u, 0x3b6e20c8u, 0x76dc4190u, 0xedb88320u)},
    {T256(0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u,
          0x4ac21251u, 0x958424a2u, 0xf0794f05u, 0x3b83984bu)},
    {T256(0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u,
          0x1c26a370u, 0x384d46e0u, 0x709a8dc0u, 0xe1351b80u)},
    {T256(0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu,
          0x5019579fu, 0xa032af3eu, 0x9b14583du, 0xed59b63bu)},
    {T256(0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u,
          0x60e09782u, 0xc1c12f04u, 0x58f35849u, 0xb1e6b092u)},
    {T256(0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du,
          0x03d6029bu, 0x07ac0536u, 0x0f580a6cu, 0x1eb014d8u)},
    {T256(0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u,
          0x67de9cceu, 0xcfbd399cu, 0x440b7579u, 0x8816eaf2u)},
    {T256(0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u,
          0x7cbb312bu, 0xf9766256u, 0x299dc2edu, 0x533b85dau)},
};
/* clang-format on */

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t size)
{
    for (; size >= 8; size -= 8, bytes += 8) {
        uint32_t low = crc ^ serin_get_le32(bytes);
        uint32_t high = serin_get_le32(bytes + 4);
        crc = slices[7][low & 0xff] ^ slices[6][low >> 8 & 0xff] ^ slices[5][low >> 16 & 0xff] ^
              slices[4][low >> 24] ^ slices[3][high & 0xff] ^ slices[2][high >> 8 & 0xff] ^
              slices[1][high >> 16 & 0xff] ^ slices[0][high >> 24];
    }
    for (; size > 0; size--, bytes++) {
        crc = crc >> 8 ^ slices[0][(crc ^ *bytes) & 0xff];
    }
    return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)

#include <string.h>

#define LANE_SIZE ((size_t)16)
#define FOLD_SIZE (4 * LANE_SIZE)
#define FOLDING   __attribute__((target("pclmul")))

typedef long long lane __attribute__((vector_size(LANE_SIZE)));

/* What a lane becomes when it moves on by some bytes: each half times a power of x modulo the
 * polynomial. */
FOLDING static inline lane moved(lane from, lane powers)
{
    return __builtin_ia32_pclmulqdq128(from, powers, 0x00) ^
           __builtin_ia32_pclmulqdq128(from, powers, 0x11);
}

static inline lane lane_at(const uint8_t *bytes)
{
    lane read;
    memcpy(&read, bytes, sizeof read);
    return read;
}

static inline lane word(uint64_t value)
{
    return (lane){(long long)value, 0};
}

/* The remainder of a lane: its first half moves on to the second and the first half of that on
 * again, until 64 bits are left, which are reduced as Barrett did it: by way of the quotient of
 * x^64 and the polynomial. */
FOLDING static inline uint32_t remainder_of(lane from)
{
    const lane powers = {0x0163cd6124, 0x00ccaa009e}; /* x^64, x^96 */
    const lane divide = {0x01db710641, 0x01f7011641}; /* the polynomial, the quotient */
    lane at = __builtin_ia32_pclmulqdq128(from, powers, 0x10) ^ word((uint64_t)from[1]);
    uint64_t low = (uint64_t)at[0];
    at = __builtin_ia32_pclmulqdq128(word(low & UINT32_MAX), powers, 0x00) ^
         word(low >> 32 | (uint64_t)at[1] << 32);
    uint64_t left = (uint64_t)at[0];
    at = __builtin_ia32_pclmulqdq128(word(left & UINT32_MAX), divide, 0x10);
    at = __builtin_ia32_pclmulqdq128(word((uint64_t)at[0] & UINT32_MAX), divide, 0x00);
    return (uint32_t)((left ^ (uint64_t)at[0]) >> 32);
}

/* Folds whole lanes, at least one, into one that leaves the same remainder: four at a time while
 * there are so many, for a multiplication need not wait for the last one. */
FOLDING static uint32_t by_folding(uint32_t crc, const uint8_t *bytes, size_t size)
{
    const lane by_64 = {0x0154442bd4, 0x01c6e41596}; /* x^(512 + 32), x^(512 - 32) */
    const lane by_16 = {0x01751997d0, 0x00ccaa009e}; /* x^(128 + 32), x^(128 - 32) */
    lane first = lane_at(bytes) ^ word(crc);
    size_t at = LANE_SIZE;
    if (size >= FOLD_SIZE) {
        lane second = lane_at(bytes + LANE_SIZE);
        lane third = lane_at(bytes + 2 * LANE_SIZE);
        lane fourth = lane_at(bytes + 3 * LANE_SIZE);
        for (at = FOLD_SIZE; size - at >= FOLD_SIZE; at += FOLD_SIZE) {
            first = moved(first, by_64) ^ lane_at(bytes + at);
            second = moved(second, by_64) ^ lane_at(bytes + at + LANE_SIZE);
            third = moved(third, by_64) ^ lane_at(bytes + at + 2 * LANE_SIZE);
            fourth = moved(fourth, by_64) ^ lane_at(bytes + at + 3 * LANE_SIZE);
        }
        second ^= moved(first, by_16);
        third ^= moved(second, by_16);
        first = fourth ^ moved(third, by_16);
    }
    for (; at < size; at += LANE_SIZE) {
        first = moved(first, by_16) ^ lane_at(bytes + at);
    }
    return remainder_of(first);
}

uint32_t serin_crc32(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    size_t folded = size / LANE_SIZE * LANE_SIZE;
    crc = ~crc;
    if (folded > 0 && __builtin_cpu_supports("pclmul")) {
        crc = by_folding(crc, bytes, folded);
        bytes += folded;
        size -= folded;
    }
    return ~by_table(crc, bytes, size);
}

#else

uint32_t serin_crc32(uint32_t crc, const void *data, size_t size)
{
    return ~by_table(~crc, data, size);
}

#endif

#endif

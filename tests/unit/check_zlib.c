/*
 * Deflate and inflate: both ways, exact sizes, room that is too small, streams that are cut,
 * damaged, followed by more, or that grow without end.
 */
#include "check_main.h"

#include <serin/adapters/zlib.h>

#include <string.h>

#define ROOM (256u * 1024u)

static uint8_t plain[ROOM], packed[ROOM + 4096], back[ROOM + 64];

/* xorshift64: bytes that do not compress. */
static void fill_noise(uint8_t *out, size_t size)
{
    uint64_t state = 0x5e71a5e71a5e71a5u;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out[i] = (uint8_t)state;
    }
}

static void fill_words(uint8_t *out, size_t size)
{
    static const char words[] = "sensor-0001 lamp stable confirmed ";
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)words[(i + i / 512) % (sizeof words - 1)];
    }
}

static size_t pack(size_t size)
{
    size_t packed_size = 0;
    ck_assert_int_eq(serin_deflate(plain, size, packed, sizeof packed, &packed_size), SERIN_OK);
    ck_assert_uint_ge(packed_size, 1);
    return packed_size;
}

/* Inflates from memory of its exact size into memory of its exact size, so that AddressSanitizer
 * sees a byte too many on either side. */
static enum serin_error unpack(const uint8_t *data, size_t size, size_t plain_size)
{
    uint8_t *in = malloc(size), *out = malloc(plain_size);
    ck_assert(in != NULL && out != NULL);
    memcpy(in, data, size);
    enum serin_error error = serin_inflate(in, size, out, plain_size);
    memcpy(back, out, error == SERIN_OK ? plain_size : 0);
    free(in);
    free(out);
    return error;
}

START_TEST(both_ways_give_the_same_bytes)
{
    static const size_t sizes[] = {1, 2, 255, 4096, 65535, 65536, ROOM};
    void (*const fills[])(uint8_t *, size_t) = {fill_noise, fill_words};
    for (size_t f = 0; f < 2; f++) {
        fills[f](plain, sizeof plain);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            size_t size = pack(sizes[i]);
            ck_assert_int_eq(unpack(packed, size, sizes[i]), SERIN_OK);
            ck_assert_mem_eq(back, plain, sizes[i]);
        }
    }
    ck_assert_uint_lt(pack(ROOM), ROOM / 10); /* what repeats gets smaller */
}
END_TEST

/* The first two bytes of RFC 1950: deflate, a window of 32 KiB, a header that divides by 31. */
START_TEST(the_format_is_zlibs)
{
    fill_words(plain, sizeof plain);
    (void)pack(4096);
    ck_assert_uint_eq(packed[0], 0x78);
    ck_assert_uint_eq((packed[0] * 256u + packed[1]) % 31, 0);
}
END_TEST

START_TEST(too_little_room_is_said)
{
    size_t size = 0;
    fill_words(plain, sizeof plain);
    size_t whole = pack(4096);
    uint8_t *room = malloc(whole);
    ck_assert_ptr_nonnull(room);
    ck_assert_int_eq(serin_deflate(plain, 4096, room, whole, &size), SERIN_OK);
    for (size_t capacity = 1; capacity < whole; capacity++) {
        ck_assert_int_eq(serin_deflate(plain, 4096, room, capacity, &size), SERIN_ERR_NO_SPACE);
        ck_assert_uint_eq(size, 0);
    }
    free(room);
    fill_noise(plain, sizeof plain); /* nothing to gain: the sender goes on with the plain bytes */
    ck_assert_int_eq(serin_deflate(plain, 4096, packed, 4095, &size), SERIN_ERR_NO_SPACE);
}
END_TEST

START_TEST(the_size_must_be_exact)
{
    fill_words(plain, sizeof plain);
    size_t size = pack(4096);
    ck_assert_int_eq(unpack(packed, size, 4096), SERIN_OK);
    for (size_t wrong = 1; wrong < 4096; wrong += 7) {
        ck_assert_int_eq(unpack(packed, size, wrong), SERIN_ERR_TOO_LARGE);
    }
    ck_assert_int_eq(unpack(packed, size, 4095), SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(unpack(packed, size, 4097), SERIN_ERR_FORMAT);
    ck_assert_int_eq(unpack(packed, size, ROOM), SERIN_ERR_FORMAT);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    fill_words(plain, sizeof plain);
    size_t size = pack(4096);
    for (size_t cut = 1; cut < size; cut++) {
        ck_assert_int_eq(unpack(packed, cut, 4096), SERIN_ERR_FORMAT);
    }
}
END_TEST

/* Every bit counts: the checksum covers what the bits of the stream do not. */
START_TEST(every_flipped_bit_is_refused)
{
    fill_words(plain, sizeof plain);
    size_t size = pack(2048);
    size_t accepted = 0;
    for (size_t i = 0; i < size * 8; i++) {
        packed[i / 8] ^= (uint8_t)(1u << i % 8);
        enum serin_error error = unpack(packed, size, 2048);
        ck_assert(error == SERIN_OK || error == SERIN_ERR_FORMAT || error == SERIN_ERR_TOO_LARGE);
        if (error == SERIN_OK) {
            ck_assert_mem_eq(back, plain, 2048); /* padding before the checksum says nothing */
            accepted++;
        }
        packed[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    ck_assert_uint_lt(accepted, 8);
}
END_TEST

START_TEST(bytes_behind_the_end_are_refused)
{
    fill_words(plain, sizeof plain);
    size_t size = pack(4096);
    packed[size] = 0;
    ck_assert_int_eq(unpack(packed, size + 1, 4096), SERIN_ERR_FORMAT);
    memmove(packed + size, packed, size); /* a second stream is no part of the first */
    ck_assert_int_eq(unpack(packed, 2 * size, 4096), SERIN_ERR_FORMAT);
}
END_TEST

START_TEST(a_bomb_stops_at_its_size)
{
    static const size_t bomb_size = SERIN_ZLIB_MAX;
    uint8_t *zeros = calloc(1, bomb_size);
    size_t size = 0;
    ck_assert_ptr_nonnull(zeros);
    ck_assert_int_eq(serin_deflate(zeros, bomb_size, packed, sizeof packed, &size), SERIN_OK);
    free(zeros);
    ck_assert_uint_lt(size, 20000); /* a thousand times smaller */
    ck_assert_int_eq(unpack(packed, size, 1), SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(unpack(packed, size, 4096), SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(unpack(packed, size, ROOM), SERIN_ERR_TOO_LARGE);
}
END_TEST

START_TEST(a_dictionary_is_refused)
{
    /* FDICT, a dictionary's checksum, then an empty last block. */
    static const uint8_t wants[] = {0x78, 0xbb, 1, 2, 3, 4, 0x03, 0x00, 0, 0, 0, 1};
    ck_assert_int_eq(unpack(wants, sizeof wants, 16), SERIN_ERR_FORMAT);
}
END_TEST

START_TEST(sizes_out_of_range_are_refused)
{
    size_t size = 7;
    ck_assert_int_eq(serin_deflate(plain, 0, packed, 10, &size), SERIN_ERR_INVALID);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(serin_deflate(plain, 1, packed, 0, &size), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_deflate(plain, SERIN_ZLIB_MAX + 1, packed, 10, &size),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_deflate(plain, 1, packed, SERIN_ZLIB_MAX + 1, &size), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_inflate(packed, 0, back, 1), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_inflate(packed, 1, back, 0), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_inflate(packed, SERIN_ZLIB_MAX + 1, back, 1), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_inflate(packed, 1, back, SERIN_ZLIB_MAX + 1), SERIN_ERR_INVALID);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        both_ways_give_the_same_bytes,
        the_format_is_zlibs,
        too_little_room_is_said,
        the_size_must_be_exact,
        every_truncation_is_refused,
        every_flipped_bit_is_refused,
        bytes_behind_the_end_are_refused,
        a_bomb_stops_at_its_size,
        a_dictionary_is_refused,
        sizes_out_of_range_are_refused,
        NULL,
    };
    return check_run("zlib", tests);
}

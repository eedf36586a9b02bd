/*
 * Inflate of hostile bytes: the first two bytes say how much is promised, the rest is the stream.
 * What is accepted is exactly as long, and comes back through deflate.
 */
#include "fuzz.h"

#include <serin/adapters/zlib.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t packed[128 * 1024], again[65536];
    size_t packed_size = 0;
    if (size < 3) {
        return 0;
    }
    size_t plain_size = ((size_t)data[0] << 8 | data[1]) + 1u;
    uint8_t *plain = malloc(plain_size); /* of its exact size: one byte too many is seen */
    SERIN_ASSERT(plain != NULL);
    if (serin_inflate(data + 2, size - 2, plain, plain_size) == SERIN_OK) {
        SERIN_ASSERT(serin_deflate(plain, plain_size, packed, sizeof packed, &packed_size) ==
                     SERIN_OK);
        SERIN_ASSERT(serin_inflate(packed, packed_size, again, plain_size) == SERIN_OK);
        SERIN_ASSERT(memcmp(again, plain, plain_size) == 0);
    }
    free(plain);
    return 0;
}

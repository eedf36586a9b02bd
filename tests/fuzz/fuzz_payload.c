/*
 * One kind of payload (SERIN_FUZZ_KIND): what decodes must encode, and what was encoded must decode
 * to the same again.
 */
#include "fuzz.h"

#include "wire_values.h"

#include <serin/adapters/protobufc.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wire_kind *kind;
    static union wire_value value;
    static union wire_value back;
    static uint8_t first[WIRE_PAYLOAD_MAX];
    static uint8_t second[WIRE_PAYLOAD_MAX];
    size_t first_size = 0;
    size_t second_size = 0;
    const struct serin_codec *codec = serin_protobufc();
    if (kind == NULL) {
        kind = wire_kind_named(SERIN_FUZZ_KIND);
    }
    memset(&value, 0, sizeof value);
    if (kind->decode(codec, data, size, &value) != SERIN_OK) {
        return 0;
    }
    memset(&back, 0, sizeof back);
    SERIN_ASSERT(size <= kind->limit);
    SERIN_ASSERT(kind->encode(codec, &value, first, sizeof first, &first_size) == SERIN_OK);
    SERIN_ASSERT(kind->decode(codec, first, first_size, &back) == SERIN_OK);
    SERIN_ASSERT(kind->encode(codec, &back, second, sizeof second, &second_size) == SERIN_OK);
    SERIN_ASSERT(first_size == second_size && memcmp(first, second, first_size) == 0);
    return 0;
}

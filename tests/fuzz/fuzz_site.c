/*
 * What only hosts say to each other: the first byte chooses the kind, in the order of site_kinds;
 * the rest is the payload. What decodes must encode, and what was encoded must decode to the same
 * again.
 */
#include "fuzz.h"

#include "site_values.h"

#include <string.h>

/* Items of which no kind is known are nothing to send on. */
static bool nothing_left(const struct site_kind *kind, const union site_value *value)
{
    return strcmp(kind->name, "batch_items") == 0 && value->batch_items.count == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static union site_value value;
    static union site_value back;
    static uint8_t first[SITE_PAYLOAD_MAX];
    static uint8_t second[SITE_PAYLOAD_MAX];
    size_t first_size = 0;
    size_t second_size = 0;
    if (size < 1) {
        return 0;
    }
    const struct site_kind *kind = &site_kinds[data[0] % SITE_KIND_COUNT];
    data++;
    size--;
    if (kind->decode(data, size, &value) != SERIN_OK || nothing_left(kind, &value)) {
        return 0;
    }
    SERIN_ASSERT(size <= kind->limit);
    SERIN_ASSERT(kind->encode(&value, first, sizeof first, &first_size) == SERIN_OK);
    SERIN_ASSERT(kind->decode(first, first_size, &back) == SERIN_OK);
    SERIN_ASSERT(kind->encode(&back, second, sizeof second, &second_size) == SERIN_OK);
    SERIN_ASSERT(first_size == second_size && memcmp(first, second, first_size) == 0);
    return 0;
}

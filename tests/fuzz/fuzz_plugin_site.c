/*
 * What the plugin of a site keeps of the gateway's words, while nodes ask: any sequence of
 * depot/have messages, questions, parked requests and wants. What decodes must keep the promises of
 * serin/site.h that the plugin builds on, and the modules theirs.
 *
 *   have   0 mod 4, size (2, little-endian), payload
 *   query  1 mod 4, object (1), offset (4), length (4)
 *   park   2 mod 4, session (1), object (1)
 *   want   3 mod 4, object (1), offset (4), length (4)
 */
#include "fuzz.h"

#include <serin/adapters/protobufc.h>
#include <serin/plugin/park.h>
#include <serin/plugin/partial.h>
#include <serin/plugin/pieces.h>
#include <serin/plugin/wants.h>

#include <string.h>

#define OBJECTS  8u
#define SESSIONS 16u

static struct serin_partial partial;
static struct serin_pieces pieces;
static struct serin_wants wants;
static struct serin_park park;
static struct serin_parked places[SESSIONS];
static uint8_t objects[OBJECTS][SERIN_SHA256_SIZE];
static unsigned object_turn;
static uint64_t now_ms;

struct input {
    const uint8_t *at, *end;
};

static uint32_t take(struct input *input, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size && input->at < input->end; i++) {
        value |= (uint32_t)*input->at++ << 8 * i;
    }
    return value;
}

static void check_promises(const struct serin_have *have)
{
    SERIN_ASSERT(have->object_size <= SERIN_SITE_OBJECT_MAX);
    SERIN_ASSERT((have->object_size > 0) == (have->kind != SERIN_HAVE_ABSENT));
    for (size_t i = 0; i < have->range_count; i++) {
        const struct serin_range *range = &have->ranges[i];
        SERIN_ASSERT(range->start < range->end && range->end <= have->object_size);
        SERIN_ASSERT(range->start % SERIN_PIECE_SIZE == 0);
        SERIN_ASSERT(range->end % SERIN_PIECE_SIZE == 0 || range->end == have->object_size);
    }
    if (have->kind == SERIN_HAVE_DATA) {
        uint32_t index = have->data_offset / SERIN_PIECE_SIZE;
        SERIN_ASSERT(have->data_offset % SERIN_PIECE_SIZE == 0);
        SERIN_ASSERT(index < serin_piece_count(have->object_size));
        SERIN_ASSERT(have->data_size == serin_piece_size(have->object_size, index));
    }
}

static void check_heard(const struct serin_have *have)
{
    enum serin_block_status status = SERIN_BLOCK_INVALID;
    uint32_t retry_ms = 0;
    bool absent = serin_partial_absent(&partial, have->object, now_ms, &status, &retry_ms);
    SERIN_ASSERT(absent == (have->kind == SERIN_HAVE_ABSENT && have->retry_ms > 0));
    SERIN_ASSERT(!absent || (status == have->status && retry_ms == have->retry_ms));
    uint32_t size = serin_partial_size(&partial, have->object);
    SERIN_ASSERT(have->kind != SERIN_HAVE_WHOLE || size == 0);
    if (have->kind == SERIN_HAVE_PART) {
        SERIN_ASSERT(size == have->object_size);
        for (size_t i = 0; i < have->range_count; i++) {
            const struct serin_range *range = &have->ranges[i];
            SERIN_ASSERT(serin_partial_end(&partial, have->object, range->start, range->end) ==
                         range->end);
        }
    }
}

static void hear(struct input *input)
{
    struct serin_have have;
    size_t size = take(input, 2);
    size_t left = (size_t)(input->end - input->at);
    size = size < left ? size : left;
    enum serin_error error = serin_protobufc_site()->decode_have(input->at, size, &have);
    input->at += size;
    if (error != SERIN_OK) {
        return;
    }
    check_promises(&have);
    memcpy(objects[object_turn++ % OBJECTS], have.object, SERIN_SHA256_SIZE);
    serin_partial_hear(&partial, &have, now_ms);
    check_heard(&have);
    if (have.kind == SERIN_HAVE_DATA) {
        uint32_t index = have.data_offset / SERIN_PIECE_SIZE;
        (void)serin_pieces_put(&pieces, have.object, have.object_size, index, have.data);
        const struct serin_pieces_place *place = serin_pieces_find(&pieces, have.object, index);
        SERIN_ASSERT(place != NULL && memcmp(place->data, have.data, have.data_size) == 0);
    }
}

static void query(struct input *input)
{
    const uint8_t *object = objects[take(input, 1) % OBJECTS];
    uint32_t offset = take(input, 4);
    uint64_t limit = (uint64_t)offset + take(input, 4);
    limit = limit < UINT32_MAX ? limit : UINT32_MAX;
    uint32_t size = serin_partial_size(&partial, object);
    uint32_t end = serin_partial_end(&partial, object, offset, (uint32_t)limit);
    SERIN_ASSERT(end >= offset && end <= limit);
    SERIN_ASSERT(end == offset || end <= size);
    if (end > offset) {
        serin_partial_lose(&partial, object, offset);
        SERIN_ASSERT(serin_partial_end(&partial, object, offset, end) == offset);
    }
}

static void ask(struct input *input)
{
    struct serin_get get = {.length = 1, .token = 1};
    uint32_t session = take(input, 1) % (2 * SESSIONS);
    memcpy(get.object, objects[take(input, 1) % OBJECTS], SERIN_SHA256_SIZE);
    if (session < SESSIONS) {
        serin_park_put(&park, session, &get, now_ms);
    } else {
        (void)serin_park_drop(&park, session - SESSIONS);
    }
    uint32_t count = 0;
    for (uint32_t at = serin_park_next(&park, NULL, SERIN_SESSION_NONE); at != SERIN_SESSION_NONE;
         at = serin_park_next(&park, NULL, at)) {
        count++;
    }
    SERIN_ASSERT(count == park.count && count <= SESSIONS);
}

static void want(struct input *input)
{
    const uint8_t *object = objects[take(input, 1) % OBJECTS];
    uint32_t offset = take(input, 4);
    uint32_t length = 1 + take(input, 4) % (4u * 1024u * 1024u);
    length = length - 1 <= UINT32_MAX - offset ? length : UINT32_MAX - offset + 1;
    enum serin_want_kind kind = (offset & 1) != 0 ? SERIN_WANT_MISSING : SERIN_WANT_ROTTEN;
    if (serin_wants_say(&wants, kind, object, offset, length, now_ms)) {
        SERIN_ASSERT(!serin_wants_say(&wants, kind, object, offset, length, now_ms));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const acts[])(struct input * input) = {hear, query, ask, want};
    struct input input = {.at = data, .end = data + size};
    serin_partial_init(&partial);
    serin_pieces_init(&pieces);
    serin_wants_init(&wants);
    memset(places, 0, sizeof places);
    serin_park_init(&park, places, SESSIONS, 100);
    memset(objects, 0, sizeof objects);
    object_turn = 0;
    now_ms = 1;
    while (input.at < input.end) {
        uint32_t op = take(&input, 1);
        now_ms += op / 4; /* 0 .. 63 ms pass */
        acts[op % 4](&input);
    }
    return 0;
}

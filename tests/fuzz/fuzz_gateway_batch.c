/*
 * What serind does with the payload of gw/<gw>/reports: outer message, inflating, items, the
 * message in each. The first byte says what the rest is:
 *
 *   0 the whole payload   1 items, plain   2 items, to be deflated   3 a deflated stream; the first
 *   three bytes promise its plain size
 *
 * What is accepted is within its bounds, and names the node that it is about.
 */
#include "fuzz.h"

#include <shell/items.h>

#include <serin/adapters/protobufc.h>
#include <serin/adapters/zlib.h>

#include <stdlib.h>
#include <string.h>

static bool inside(const uint8_t *at, size_t size, const uint8_t *from, size_t from_size)
{
    return at >= from && size <= from_size && (size_t)(at - from) <= from_size - size;
}

static void check_item(const struct serin_batch_item *from)
{
    struct serind_item *item = malloc(sizeof *item);
    SERIN_ASSERT(item != NULL);
    SERIN_ASSERT(serin_id_valid(from->node, strlen(from->node)));
    SERIN_ASSERT(from->payload_size >= 1 && from->payload_size <= SERIN_REPORT_MAX);
    if (serind_batch_item(serin_protobufc(), from, item) == SERIN_OK) {
        SERIN_ASSERT(strcmp(item->id, from->node) == 0);
        SERIN_ASSERT(item->kind != SERIND_ITEM_REPORT ||
                     strcmp(item->report.device_id, from->node) == 0);
        SERIN_ASSERT(item->kind != SERIND_ITEM_BEAT ||
                     strcmp(item->beat.device_id, from->node) == 0);
    }
    free(item);
}

static void check(const uint8_t *payload, size_t size)
{
    struct serind_unpacked *unpacked = malloc(sizeof *unpacked);
    SERIN_ASSERT(unpacked != NULL);
    if (serind_batch_unpack(serin_protobufc_site(), payload, size, unpacked) == SERIN_OK) {
        bool plain = unpacked->batch.encoding == SERIN_BATCH_PLAIN;
        SERIN_ASSERT(unpacked->items.count <= SERIN_BATCH_ITEMS_MAX);
        SERIN_ASSERT(unpacked->batch.plain_size <= SERIN_BATCH_PLAIN_MAX);
        for (size_t i = 0; i < unpacked->items.count; i++) {
            const struct serin_batch_item *item = &unpacked->items.list[i];
            SERIN_ASSERT(inside(item->payload, item->payload_size,
                                plain ? payload : unpacked->plain,
                                plain ? size : unpacked->batch.plain_size));
            check_item(item);
        }
    }
    free(unpacked);
}

static void wrap(enum serin_batch_encoding encoding, size_t plain_size, const uint8_t *items,
                 size_t size)
{
    static uint8_t payload[SERIN_BATCH_MAX];
    const struct serin_batch batch = {.incarnation = 1,
                                      .number = 1,
                                      .encoding = encoding,
                                      .plain_size = (uint32_t)plain_size,
                                      .items = items,
                                      .items_size = size};
    size_t payload_size = 0;
    if (size > 0 && serin_protobufc_site()->encode_batch(&batch, payload, sizeof payload,
                                                         &payload_size) == SERIN_OK) {
        check(payload, payload_size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t deflated[SERIN_BATCH_MAX];
    size_t deflated_size = 0;
    if (size < 5) {
        return 0;
    }
    switch (data[0]) {
    case 0:
        check(data + 1, size - 1);
        break;
    case 1:
        wrap(SERIN_BATCH_PLAIN, size - 1, data + 1, size - 1);
        break;
    case 2:
        if (serin_deflate(data + 1, size - 1, deflated, sizeof deflated, &deflated_size) ==
            SERIN_OK) {
            wrap(SERIN_BATCH_DEFLATE, size - 1, deflated, deflated_size);
        }
        break;
    default:
        wrap(SERIN_BATCH_DEFLATE, (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3], data + 4,
             size - 4);
        break;
    }
    return 0;
}

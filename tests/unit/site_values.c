/*
 * The small and the large value of every kind between hosts.
 */
#include "site_values.h"

#include <serin/adapters/protobufc.h>
#include <serin/piece.h>

#include <assert.h>
#include <string.h>

#define BATCH_AROUND 32u   /* bytes of a batch around its items, every field at its longest */
#define ITEM_AROUND  74u   /* of an item around its payload, with the longest node */
#define ITEM_SHARE   1024u /* 256 of them are SERIN_BATCH_PLAIN_MAX */

static uint8_t item_bytes[SERIN_BATCH_MAX - BATCH_AROUND];
static uint8_t node_bytes[SERIN_REPORT_MAX];
static uint8_t piece_bytes[SERIN_PIECE_SIZE];

static void fill_bytes(uint8_t *out, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(first + i);
    }
}

static void fill_text(char *out, size_t length, char letter)
{
    memset(out, letter, length);
    out[length] = '\0';
}

/* ---- batches ---- */

static void small_batch(void *value)
{
    static const uint8_t items[1] = {0x0a};
    struct serin_batch *batch = value;
    *batch = (struct serin_batch){.incarnation = 1,
                                  .number = 1,
                                  .encoding = SERIN_BATCH_PLAIN,
                                  .plain_size = sizeof(items),
                                  .items = items,
                                  .items_size = sizeof(items)};
}

static void large_batch(void *value)
{
    struct serin_batch *batch = value;
    fill_bytes(item_bytes, sizeof(item_bytes), 0);
    *batch = (struct serin_batch){.incarnation = UINT64_MAX,
                                  .number = UINT64_MAX,
                                  .encoding = SERIN_BATCH_DEFLATE,
                                  .plain_size = SERIN_BATCH_PLAIN_MAX,
                                  .items = item_bytes,
                                  .items_size = sizeof(item_bytes)};
}

static void small_batch_items(void *value)
{
    static const uint8_t payload[1] = {0x08};
    struct serin_batch_items *items = value;
    memset(items, 0, sizeof(*items));
    items->count = 1;
    items->list[0] = (struct serin_batch_item){
        .node = "n", .kind = SERIN_BATCH_REPORT, .payload = payload, .payload_size = 1};
}

/* 256 items, one of them with the longest payload, and not a byte left. */
static void large_batch_items(void *value)
{
    struct serin_batch_items *items = value;
    size_t share = ITEM_SHARE - ITEM_AROUND, more = SERIN_REPORT_MAX - share;
    fill_bytes(node_bytes, sizeof(node_bytes), 7);
    memset(items, 0, sizeof(*items));
    items->count = SERIN_BATCH_ITEMS_MAX;
    for (size_t i = 0; i < items->count; i++) {
        struct serin_batch_item *item = &items->list[i];
        fill_text(item->node, SERIN_ID_MAX, (char)('A' + i % 26));
        item->kind = (enum serin_batch_kind)(SERIN_BATCH_REPORT + i % SERIN_BATCH_PRESENCE);
        item->payload = node_bytes;
        item->payload_size = share;
    }
    items->list[0].payload_size = SERIN_REPORT_MAX;
    items->list[1].payload_size -= more / 2;
    items->list[2].payload_size -= more - more / 2;
}

static void small_ack_batch(void *value)
{
    struct serin_ack_batch *acks = value;
    memset(acks, 0, sizeof(*acks));
    acks->count = 1;
    strcpy(acks->list[0].node, "n");
    acks->list[0].ack = (struct serin_ack){.incarnation = 1, .status = SERIN_ACK_STORED};
}

static void large_ack_batch(void *value)
{
    struct serin_ack_batch *acks = value;
    memset(acks, 0, sizeof(*acks));
    acks->count = SERIN_ACK_BATCH_ITEMS_MAX;
    for (size_t i = 0; i < acks->count; i++) {
        fill_text(acks->list[i].node, SERIN_ID_MAX, (char)('a' + i % 26));
        acks->list[i].ack = (struct serin_ack){.incarnation = UINT64_MAX,
                                               .number = UINT64_MAX - i,
                                               .status = SERIN_ACK_PENDING,
                                               .retry_s = 86400};
    }
    acks->batch_count = SERIN_ACK_BATCH_BATCHES_MAX;
    for (size_t i = 0; i < acks->batch_count; i++) {
        acks->batches[i] = (struct serin_batch_ack){
            .incarnation = UINT64_MAX, .number = UINT64_MAX - i, .crc32 = UINT32_MAX};
    }
}

/* ---- status ---- */

static void small_gw_status(void *value)
{
    struct serin_gw_status *status = value;
    memset(status, 0, sizeof(*status));
    strcpy(status->gateway, "g");
    status->incarnation = 1;
}

static void large_fleet(struct serin_gw_fleet *fleet, uint8_t first)
{
    fill_text(fleet->product, SERIN_PRODUCT_MAX, (char)('a' + first));
    fill_text(fleet->channel, SERIN_CHANNEL_MAX, 'c');
    fleet->order = (struct serin_order){UINT32_MAX, UINT32_MAX};
    fleet->lease_left_s = SERIN_LEASE_MAX_S;
    fleet->hold = SERIN_HOLD_CAUSE_FAILURES;
    fleet->failures = UINT32_MAX;
    fleet->failures_max = UINT32_MAX - 1;
    fill_bytes(fleet->manifest_id, sizeof(fleet->manifest_id), first);
    fleet->held_since_s = SERIN_TIME_MAX_S;
}

static void large_gw_status(void *value)
{
    struct serin_gw_status *status = value;
    memset(status, 0, sizeof(*status));
    fill_text(status->gateway, SERIN_ID_MAX, 'g');
    status->incarnation = UINT64_MAX;
    fill_text(status->software, SERIN_GW_SOFTWARE_MAX, '~');
    status->time_s = SERIN_TIME_MAX_S;
    status->uptime_s = UINT64_MAX;
    status->nodes = UINT32_MAX;
    status->nodes_online = UINT32_MAX - 1;
    status->depot_bytes = UINT64_MAX - 2;
    status->depot_budget_bytes = UINT64_MAX - 3;
    status->objects = UINT32_MAX - 4;
    status->filling = UINT32_MAX - 5;
    status->pass_through = true;
    status->served_bytes = UINT64_MAX - 6;
    status->fetched_bytes = UINT64_MAX - 7;
    status->refetched_bytes = UINT64_MAX - 8;
    status->uplink_sent = UINT64_MAX - 9;
    status->uplink_got = UINT64_MAX - 10;
    status->uplink_messages = UINT64_MAX - 11;
    status->transitions = UINT64_MAX - 12;
    status->queued = UINT32_MAX - 13;
    status->queue_oldest_s = UINT64_MAX - 14;
    status->rotten = UINT32_MAX - 15;
    status->fleet_count = SERIN_GW_FLEETS_MAX;
    for (size_t i = 0; i < SERIN_GW_FLEETS_MAX; i++) {
        large_fleet(&status->fleets[i], (uint8_t)i);
    }
}

/* ---- want, have ---- */

static void small_want(void *value)
{
    struct serin_want *want = value;
    *want = (struct serin_want){.kind = SERIN_WANT_SERVED};
}

static void large_want(void *value)
{
    struct serin_want *want = value;
    *want = (struct serin_want){.kind = SERIN_WANT_ROTTEN,
                                .offset = UINT32_C(0x80000000),
                                .length = UINT32_C(0x7fffffff),
                                .served_bytes = UINT64_MAX};
    fill_bytes(want->object, sizeof(want->object), 0x10);
}

static void small_have(void *value)
{
    struct serin_have *have = value;
    *have = (struct serin_have){.kind = SERIN_HAVE_WHOLE, .object_size = 1};
}

static void large_have(void *value)
{
    struct serin_have *have = value;
    fill_bytes(piece_bytes, sizeof(piece_bytes), 3);
    *have = (struct serin_have){.kind = SERIN_HAVE_DATA,
                                .object_size = SERIN_SITE_OBJECT_MAX,
                                .data_offset = SERIN_SITE_OBJECT_MAX - SERIN_PIECE_SIZE,
                                .data = piece_bytes,
                                .data_size = sizeof(piece_bytes)};
    fill_bytes(have->object, sizeof(have->object), 0x20);
}

static void small_have_part(void *value)
{
    struct serin_have *have = value;
    *have = (struct serin_have){.kind = SERIN_HAVE_PART, .object_size = 1};
}

static void large_have_part(void *value)
{
    struct serin_have *have = value;
    uint32_t first = SERIN_SITE_OBJECT_MAX - 2 * SERIN_HAVE_RANGES_MAX * SERIN_PIECE_SIZE;
    *have = (struct serin_have){.kind = SERIN_HAVE_PART,
                                .object_size = SERIN_SITE_OBJECT_MAX - 1,
                                .fresh = true,
                                .range_count = SERIN_HAVE_RANGES_MAX};
    fill_bytes(have->object, sizeof(have->object), 0x40);
    for (uint32_t i = 0; i < SERIN_HAVE_RANGES_MAX; i++) {
        have->ranges[i].start = first + (2 * i + 1) * SERIN_PIECE_SIZE;
        have->ranges[i].end = first + (2 * i + 2) * SERIN_PIECE_SIZE;
    }
    have->ranges[SERIN_HAVE_RANGES_MAX - 1].end = have->object_size;
}

/* ---- the table ---- */

#define ADAPT(row, kind)                                                               \
    static enum serin_error encode_##row(const void *value, uint8_t *out, size_t size, \
                                         size_t *written)                              \
    {                                                                                  \
        return serin_protobufc_site()->encode_##kind(value, out, size, written);       \
    }                                                                                  \
    static enum serin_error decode_##row(const uint8_t *data, size_t size, void *out)  \
    {                                                                                  \
        return serin_protobufc_site()->decode_##kind(data, size, out);                 \
    }
ADAPT(batch, batch)
ADAPT(batch_items, batch_items)
ADAPT(ack_batch, ack_batch)
ADAPT(gw_status, gw_status)
ADAPT(want, want)
ADAPT(have, have)
ADAPT(have_part, have)

#define KIND(row, kind, most, version)                                            \
    {                                                                             \
        .name = #row, .limit = (most), .value_size = sizeof(struct serin_##kind), \
        .versioned = (version), .small = small_##row, .large = large_##row,       \
        .encode = encode_##row, .decode = decode_##row                            \
    }
const struct site_kind site_kinds[SITE_KIND_COUNT] = {
    KIND(batch, batch, SERIN_BATCH_MAX, true),
    KIND(batch_items, batch_items, SERIN_BATCH_PLAIN_MAX, false), /* its batch has one */
    KIND(ack_batch, ack_batch, SERIN_ACK_BATCH_MAX, true),
    KIND(gw_status, gw_status, SERIN_GW_STATUS_MAX, true),
    KIND(want, want, SERIN_WANT_MAX, true),
    KIND(have, have, SERIN_HAVE_MAX, true),
    KIND(have_part, have, SERIN_HAVE_MAX, true),
};

const struct site_kind *site_kind_named(const char *name)
{
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        if (strcmp(site_kinds[i].name, name) == 0) {
            return &site_kinds[i];
        }
    }
    assert(!"no such kind");
    return NULL;
}

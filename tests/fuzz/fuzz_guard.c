/*
 * The order guard's records: what restores is remembered, recalls the payload that stands in it, is
 * encoded to the same bytes again, and lets nothing lower pass. Each input is also tried with a
 * magic, size and CRC that are right, or little would ever get behind them.
 */
#include "fuzz.h"

#include <serin/crc32.h>
#include <serin/plugin/guard.h>

#include <string.h>

#define PLACES   4u
#define CRC_SIZE 4u
#define AT_SIZE  (SERIN_GUARD_HEAD_SIZE - 4u)

static struct serin_guard_entry entries[PLACES];
static struct serin_guard_object objects[PLACES];

static struct {
    uint8_t record[SERIN_GUARD_RECORD_MAX];
    size_t size;
} saved;

static enum serin_error save(void *ctx, const char *key, const uint8_t *record, size_t size)
{
    (void)ctx;
    SERIN_ASSERT(strchr(key, '/') == NULL && size <= sizeof saved.record);
    memcpy(saved.record, record, size);
    saved.size = size;
    return SERIN_OK;
}

static void lookup(void *ctx, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                   struct serin_guard_objects *named)
{
    (void)ctx;
    (void)manifest_id;
    *named = (struct serin_guard_objects){.known = false};
}

/* No route table is here. */
static bool no_routes(void *ctx, const uint8_t name[SERIN_SHA256_SIZE], struct serin_routes *routes)
{
    (void)ctx;
    (void)name;
    (void)routes;
    return false;
}

static void start(struct serin_guard *guard)
{
    static const struct serin_guard_ops ops = {.save = save, .lookup = lookup, .routes = no_routes};
    memset(entries, 0, sizeof entries);
    memset(objects, 0, sizeof objects);
    saved.size = 0;
    serin_guard_init(guard, &ops, NULL, entries, PLACES, objects, PLACES, UINT32_MAX);
}

static struct serin_guard_view remembered(void)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (entries[i].topic[0] != '\0') {
            return entries[i].view;
        }
    }
    SERIN_ASSERT(false);
    return (struct serin_guard_view){0};
}

/* What was restored goes on as what was accepted would. */
static void try_orders(struct serin_guard *guard, const char *topic, struct serin_guard_view view,
                       const uint8_t *payload, size_t payload_size)
{
    SERIN_ASSERT(serin_guard_deliver(guard, topic, view.order) == SERIN_OK);
    SERIN_ASSERT(serin_guard_accept(guard, topic, &view, payload, payload_size) == SERIN_OK);
    SERIN_ASSERT(saved.size == 0); /* the same again needs no write */
    (void)serin_guard_rule(guard, "d", view.candidate[0], 0);
    view.content[0] ^= 1;
    SERIN_ASSERT(serin_guard_accept(guard, topic, &view, payload, payload_size) == SERIN_ERR_STATE);
    if (view.order.sequence > 1) {
        view.order.sequence--;
        SERIN_ASSERT(serin_guard_deliver(guard, topic, view.order) == SERIN_ERR_STALE);
        SERIN_ASSERT(serin_guard_accept(guard, topic, &view, payload, payload_size) ==
                     SERIN_ERR_STALE);
    }
}

static void try_record(const uint8_t *record, size_t size)
{
    struct serin_guard guard;
    char topic[SERIN_TOPIC_MAX];
    const uint8_t *payload = NULL;
    size_t payload_size = 0;
    start(&guard);
    enum serin_error error = serin_guard_restore(&guard, record, size);
    SERIN_ASSERT(serin_guard_recall(record, size, topic, &payload, &payload_size) == error);
    SERIN_ASSERT(guard.entry_count == (error == SERIN_OK));
    if (error != SERIN_OK) {
        return;
    }
    SERIN_ASSERT(serin_guard_restore(&guard, record, size) == SERIN_ERR_EXISTS);
    SERIN_ASSERT(payload == record + SERIN_GUARD_HEAD_SIZE && payload_size > 0 &&
                 payload_size == size - SERIN_GUARD_HEAD_SIZE - CRC_SIZE);
    struct serin_topic parsed;
    SERIN_ASSERT(serin_topic_parse(topic, &parsed) == SERIN_OK);
    SERIN_ASSERT(parsed.kind == SERIN_TOPIC_DIRECTIVE || parsed.kind == SERIN_TOPIC_DEV_DIRECTIVE ||
                 parsed.kind == SERIN_TOPIC_TRUST);
    struct serin_guard_view view = remembered();
    try_orders(&guard, topic, view, payload, payload_size);

    start(&guard);
    SERIN_ASSERT(serin_guard_accept(&guard, topic, &view, payload, payload_size) == SERIN_OK);
    SERIN_ASSERT(saved.size == size && memcmp(saved.record, record, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_record(data, size);
    uint8_t record[SERIN_GUARD_RECORD_MAX];
    if (size < SERIN_GUARD_HEAD_SIZE + CRC_SIZE || size > sizeof record) {
        return 0;
    }
    memcpy(record, data, size);
    memcpy(record, "SRNG", 4);
    serin_put_le16(record + AT_SIZE, (uint16_t)(size - SERIN_GUARD_HEAD_SIZE - CRC_SIZE));
    serin_put_le32(record + size - CRC_SIZE, serin_crc32(0, record, size - CRC_SIZE));
    try_record(record, size);
    return 0;
}

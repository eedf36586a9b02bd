/* Items (items.h). */
#include "items.h"

#include <serin/adapters/zlib.h>
#include <serin/assert.h>

#include <string.h>

/* ---- what reports and beats have in common ---- */

static bool is_report(const struct serind_item *item)
{
    SERIN_ASSERT(item->kind == SERIND_ITEM_REPORT || item->kind == SERIND_ITEM_BEAT);
    return item->kind == SERIND_ITEM_REPORT;
}

const char *serind_item_product(const struct serind_item *item)
{
    return is_report(item) ? item->report.product : item->beat.product;
}

const char *serind_item_channel(const struct serind_item *item)
{
    return is_report(item) ? item->report.channel : item->beat.channel;
}

uint16_t serind_item_hardware(const struct serind_item *item)
{
    return is_report(item) ? item->report.hardware : item->beat.hardware;
}

uint64_t serind_item_incarnation(const struct serind_item *item)
{
    return is_report(item) ? item->report.incarnation : item->beat.incarnation;
}

const struct serin_running *serind_item_running(const struct serind_item *item)
{
    return is_report(item) ? &item->report.running : &item->beat.running;
}

/* ---- decoding ---- */

enum serin_error serind_item_decode(const struct serin_codec *codec, enum serind_item_kind kind,
                                    const char *id, const uint8_t *payload, size_t size,
                                    struct serind_item *item)
{
    const char *named = id; /* presence names nobody */
    enum serin_error error = SERIN_ERR_UNSUPPORTED;
    if (kind == SERIND_ITEM_REPORT) {
        error = codec->decode_report(payload, size, &item->report);
        named = item->report.device_id;
    } else if (kind == SERIND_ITEM_BEAT) {
        error = codec->decode_beat(payload, size, &item->beat);
        named = item->beat.device_id;
    } else if (kind == SERIND_ITEM_PRESENCE) {
        error = codec->decode_presence(payload, size, &item->presence);
    }
    if (error == SERIN_OK && strcmp(named, id) != 0) {
        error = SERIN_ERR_DEVICE;
    }
    if (error != SERIN_OK) {
        return error;
    }
    item->kind = kind;
    return serin_text_copy(item->id, sizeof item->id, id);
}

enum serin_error serind_batch_unpack(const struct serin_site_codec *codec, const uint8_t *payload,
                                     size_t size, struct serind_unpacked *unpacked)
{
    struct serin_batch *batch = &unpacked->batch;
    enum serin_error error = codec->decode_batch(payload, size, batch);
    if (error != SERIN_OK) {
        return error;
    }
    const uint8_t *plain = batch->items;
    if (batch->encoding == SERIN_BATCH_DEFLATE) {
        error = serin_inflate(batch->items, batch->items_size, unpacked->plain, batch->plain_size);
        plain = unpacked->plain;
    }
    return error == SERIN_OK ? codec->decode_batch_items(plain, batch->plain_size, &unpacked->items)
                             : error;
}

enum serin_error serind_batch_item(const struct serin_codec *codec,
                                   const struct serin_batch_item *from, struct serind_item *item)
{
    static const struct {
        enum serin_batch_kind wire;
        enum serind_item_kind kind;
    } kinds[] = {
        {SERIN_BATCH_REPORT, SERIND_ITEM_REPORT},
        {SERIN_BATCH_BEAT, SERIND_ITEM_BEAT},
        {SERIN_BATCH_PRESENCE, SERIND_ITEM_PRESENCE},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].wire == from->kind) {
            return serind_item_decode(codec, kinds[i].kind, from->node, from->payload,
                                      from->payload_size, item);
        }
    }
    return SERIN_ERR_UNSUPPORTED;
}

/*
 * The bounds of serin/site.h, enforced.
 */
#include "site_bounds.h"

#include <serin/piece.h>
#include <serin/wire_bounds.h>

#include <string.h>

#define RETRY_MAX_MS 3600000u

bool serin_bounds_none(const uint8_t digest[SERIN_SHA256_SIZE])
{
    static const uint8_t none[SERIN_SHA256_SIZE];
    return memcmp(digest, none, sizeof(none)) == 0;
}

/* ---- batches ---- */

bool serin_bounds_batch(const struct serin_batch *batch)
{
    if (batch->incarnation == 0 || batch->number < 1 || batch->plain_size < 1 ||
        batch->plain_size > SERIN_BATCH_PLAIN_MAX || batch->items == NULL ||
        batch->items_size < 1) {
        return false;
    }
    switch (batch->encoding) {
    case SERIN_BATCH_PLAIN:
        return batch->items_size == batch->plain_size;
    case SERIN_BATCH_DEFLATE:
        return batch->items_size < batch->plain_size;
    case SERIN_BATCH_ENCODING_INVALID:
        break;
    }
    return false;
}

bool serin_bounds_batch_item(const struct serin_batch_item *item)
{
    return serin_bounds_name(item->node, sizeof(item->node), serin_id_valid) &&
           item->kind >= SERIN_BATCH_REPORT && item->kind <= SERIN_BATCH_PRESENCE &&
           item->payload != NULL && item->payload_size >= 1 &&
           item->payload_size <= SERIN_REPORT_MAX;
}

bool serin_bounds_ack_item(const struct serin_ack_item *item)
{
    return serin_bounds_name(item->node, sizeof(item->node), serin_id_valid) &&
           serin_bounds_ack(&item->ack);
}

bool serin_bounds_batch_ack(const struct serin_batch_ack *ack)
{
    return ack->incarnation != 0 && ack->number >= 1;
}

/* ---- status ---- */

/* What stands in a log or on a page as it is: terminated, printable ASCII, may be empty. */
static bool text_ok(const char *text, size_t capacity)
{
    const char *end = memchr(text, '\0', capacity);
    if (end == NULL) {
        return false;
    }
    for (; text < end; text++) {
        if (*text < ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

/* A candidate stands exactly where it is the cause, a beginning only where something began. */
static bool hold_ok(const struct serin_gw_fleet *fleet)
{
    switch (fleet->hold) {
    case SERIN_HOLD_CAUSE_NONE:
        return serin_bounds_none(fleet->manifest_id) && fleet->held_since_s == 0;
    case SERIN_HOLD_CAUSE_LEASE:
        return serin_bounds_none(fleet->manifest_id);
    case SERIN_HOLD_CAUSE_FAILURES:
        return !serin_bounds_none(fleet->manifest_id);
    case SERIN_HOLD_CAUSE_INVALID:
        break;
    }
    return false;
}

static bool fleet_ok(const struct serin_gw_fleet *fleet)
{
    return serin_bounds_name(fleet->product, sizeof(fleet->product), serin_product_valid) &&
           serin_bounds_name(fleet->channel, sizeof(fleet->channel), serin_channel_valid) &&
           (fleet->order.sequence >= 1 || fleet->order.epoch == 0) &&
           fleet->lease_left_s <= SERIN_LEASE_MAX_S && fleet->held_since_s <= SERIN_TIME_MAX_S &&
           hold_ok(fleet);
}

bool serin_bounds_gw_status(const struct serin_gw_status *status)
{
    if (!serin_bounds_name(status->gateway, sizeof(status->gateway), serin_id_valid) ||
        status->incarnation == 0 || !text_ok(status->software, sizeof(status->software)) ||
        status->time_s > SERIN_TIME_MAX_S || status->fleet_count > SERIN_GW_FLEETS_MAX) {
        return false;
    }
    for (size_t i = 0; i < status->fleet_count; i++) {
        if (!fleet_ok(&status->fleets[i])) {
            return false;
        }
    }
    return true;
}

/* ---- depot/want, depot/have ---- */

bool serin_bounds_want(const struct serin_want *want)
{
    switch (want->kind) {
    case SERIN_WANT_MISSING:
    case SERIN_WANT_ROTTEN:
        return want->length >= 1 && want->length <= UINT32_MAX - want->offset;
    case SERIN_WANT_SERVED:
        return serin_bounds_none(want->object) && want->offset == 0 && want->length == 0;
    case SERIN_WANT_INVALID:
        break;
    }
    return false;
}

static bool ranges_ok(const struct serin_have *have)
{
    uint32_t last = 0;
    if (have->range_count > SERIN_HAVE_RANGES_MAX) {
        return false;
    }
    for (size_t i = 0; i < have->range_count; i++) {
        const struct serin_range *range = &have->ranges[i];
        if (range->start < last || range->start >= range->end || range->end > have->object_size ||
            range->start % SERIN_PIECE_SIZE != 0 ||
            (range->end % SERIN_PIECE_SIZE != 0 && range->end != have->object_size)) {
            return false;
        }
        last = range->end;
    }
    return true;
}

/* One piece, whole: only the object's last may be shorter. */
static bool piece_ok(const struct serin_have *have)
{
    if (have->data == NULL || have->data_offset >= have->object_size ||
        have->data_offset % SERIN_PIECE_SIZE != 0) {
        return false;
    }
    uint32_t left = have->object_size - have->data_offset;
    return have->data_size == (left < SERIN_PIECE_SIZE ? left : SERIN_PIECE_SIZE);
}

static bool absent_ok(const struct serin_have *have)
{
    bool status_ok = have->status == SERIN_BLOCK_BUSY || have->status == SERIN_BLOCK_NOT_FOUND ||
                     have->status == SERIN_BLOCK_REFUSED;
    return status_ok && have->retry_ms <= RETRY_MAX_MS;
}

bool serin_bounds_have(const struct serin_have *have)
{
    bool sized = have->object_size >= 1 && have->object_size <= SERIN_SITE_OBJECT_MAX;
    bool no_ranges = !have->fresh && have->range_count == 0;
    bool no_status = have->status == SERIN_BLOCK_INVALID && have->retry_ms == 0;
    bool no_data = have->data_offset == 0 && have->data_size == 0;
    switch (have->kind) {
    case SERIN_HAVE_PART:
        return sized && ranges_ok(have) && no_status && no_data;
    case SERIN_HAVE_WHOLE:
        return sized && no_ranges && no_status && no_data;
    case SERIN_HAVE_ABSENT:
        return have->object_size == 0 && no_ranges && absent_ok(have) && no_data;
    case SERIN_HAVE_DATA:
        return sized && no_ranges && no_status && piece_ok(have);
    case SERIN_HAVE_INVALID:
        break;
    }
    return false;
}

/* Batches and status of gateways (batches.h). */
#include "batches.h"

#include "serind.h"

#include <serin/adapters/fault.h>

#include <string.h>

#define LOST_MAX UINT64_C(1000000000000) /* a gateway may write any number: the sum stays one */

/* The gateway speaks: its number, or 0 where it is not to be heard. */
static uint32_t speaker(struct serind *serind, const char *gateway)
{
    uint32_t number = serind_sites_make(serind, gateway);
    if (number == 0) {
        return 0;
    }
    struct serind_site *site = serind_site(serind, number);
    site->record.last_heard_s = serind_now_s(serind);
    if (site->record.standing != SERIN_GATEWAY_KNOWN) {
        return 0;
    }
    serind_index_online(&serind->sites.ids, number - 1, true);
    serind_site_changed(serind, number);
    return number;
}

/* Counts the numbers that are left out: batches that a broker dropped. One that comes again, or was
 * overtaken, is no loss. */
static void count_lost(struct serin_gateway_record *record, const struct serin_batch *batch)
{
    if (record->incarnation != batch->incarnation) {
        record->incarnation = batch->incarnation;
        record->batch = batch->number;
        return;
    }
    if (batch->number > record->batch) {
        uint64_t lost = batch->number - record->batch - 1;
        bool many = lost > LOST_MAX || record->batches_lost > LOST_MAX - lost;
        record->batches_lost = many ? LOST_MAX : record->batches_lost + lost;
        record->batch = batch->number;
    }
}

enum serin_error serind_batch_heard(struct serind *serind, size_t broker, const char *gateway,
                                    const uint8_t *payload, size_t size)
{
    struct serind_unpacked *unpacked = serind->intake.unpacked;
    enum serin_error error = serind_batch_unpack(serind->site_codec, payload, size, unpacked);
    if (error != SERIN_OK) {
        return error;
    }
    uint32_t site = speaker(serind, gateway);
    if (site == 0) {
        return SERIN_OK;
    }
    SERIN_FAULT_POINT("serind.batch.heard");
    count_lost(&serind_site(serind, site)->record, &unpacked->batch);
    for (size_t i = 0; i < unpacked->items.count; i++) {
        serind_intake_batch_item(serind, broker, site, &unpacked->items.list[i]);
    }
    return SERIN_OK;
}

enum serin_error serind_status_heard(struct serind *serind, const char *gateway,
                                     const uint8_t *payload, size_t size)
{
    struct serin_gw_status status;
    enum serin_error error = serind->site_codec->decode_gw_status(payload, size, &status);
    if (error == SERIN_OK && strcmp(status.gateway, gateway) != 0) {
        error = SERIN_ERR_DEVICE;
    }
    uint32_t site = error == SERIN_OK ? speaker(serind, gateway) : 0;
    if (site != 0) {
        serind_site_status(serind, site, &status);
    }
    return error;
}

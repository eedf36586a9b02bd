/* Batches and status of gateways (batches.h). */
#include "batches.h"

#include "serind.h"

#include <serin/adapters/fault.h>
#include <serin/assert.h>
#include <serin/crc32.h>

#include <string.h>

#define LOST_MAX UINT64_C(1000000000000) /* a gateway may write any number: the sum stays one */

/* The gateway speaks: its number, or 0 where it is not to be heard. Asked before its payload is
 * looked at, so that one that says too much costs no more than its bytes. */
static uint32_t speaker(struct serind *serind, const char *gateway)
{
    uint32_t number = serind_sites_make(serind, gateway);
    if (number == 0) {
        return 0;
    }
    struct serind_site *site = serind_site(serind, number);
    site->record.last_heard_s = serind_now_s(serind);
    if (site->record.standing != SERIN_GATEWAY_KNOWN || !serind_site_paced(serind, number)) {
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

/* ---- tickets ---- */

static struct serind_ticket *ticket_at(const struct serind *serind, uint32_t ticket)
{
    SERIN_ASSERT(ticket >= 1 && ticket <= serind->intake.ticket_count);
    return &serind->intake.tickets[ticket - 1];
}

/* The number of a new ticket, counted from 1; 0: there is none. */
static uint32_t open_ticket(struct serind *serind, const struct serind_unpacked *unpacked,
                            const uint8_t *payload, size_t size)
{
    struct serind_intake *intake = &serind->intake;
    if (intake->ticket_count == SERIND_TICKETS_MAX) {
        return 0;
    }
    struct serind_ticket *ticket = &intake->tickets[intake->ticket_count];
    *ticket = (struct serind_ticket){
        .ack = {.incarnation = unpacked->batch.incarnation,
                .number = unpacked->batch.number,
                .crc32 = serin_crc32(0, payload, size)},
    };
    for (size_t i = 0; i < unpacked->items.count; i++) {
        ticket->reports += unpacked->items.list[i].kind == SERIN_BATCH_REPORT ? 1u : 0u;
    }
    return ticket->reports > 0 ? ++intake->ticket_count : 0;
}

void serind_batch_report_stored(struct serind *serind, uint32_t ticket)
{
    ticket_at(serind, ticket)->stored++;
}

const struct serind_ticket *serind_batch_stored(const struct serind *serind, uint32_t ticket)
{
    const struct serind_ticket *at = ticket_at(serind, ticket);
    return at->stored == at->reports ? at : NULL;
}

bool serind_batch_answer(struct serind *serind, uint32_t ticket)
{
    struct serind_ticket *at = ticket_at(serind, ticket);
    bool first = !at->answered;
    at->answered = true;
    return first;
}

/* ---- what is heard ---- */

enum serin_error serind_batch_heard(struct serind *serind, size_t broker, const char *gateway,
                                    const uint8_t *payload, size_t size)
{
    struct serind_unpacked *unpacked = serind->intake.unpacked;
    uint32_t site = speaker(serind, gateway);
    if (site == 0) {
        return SERIN_OK;
    }
    enum serin_error error = serind_batch_unpack(serind->site_codec, payload, size, unpacked);
    if (error != SERIN_OK) {
        return error;
    }
    SERIN_FAULT_POINT("serind.batch.heard");
    count_lost(&serind_site(serind, site)->record, &unpacked->batch);
    uint32_t ticket = open_ticket(serind, unpacked, payload, size);
    for (size_t i = 0; i < unpacked->items.count; i++) {
        serind_intake_batch_item(serind, broker, site, ticket, &unpacked->items.list[i]);
    }
    return SERIN_OK;
}

enum serin_error serind_status_heard(struct serind *serind, const char *gateway,
                                     const uint8_t *payload, size_t size)
{
    struct serin_gw_status status;
    uint32_t site = speaker(serind, gateway);
    if (site == 0) {
        return SERIN_OK;
    }
    enum serin_error error = serind->site_codec->decode_gw_status(payload, size, &status);
    if (error == SERIN_OK && strcmp(status.gateway, gateway) != 0) {
        error = SERIN_ERR_DEVICE;
    }
    if (error == SERIN_OK) {
        serind_site_status(serind, site, &status);
    }
    return error;
}

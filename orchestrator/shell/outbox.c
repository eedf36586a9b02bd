/* The outbox (outbox.h). */
#include "outbox.h"

#include "batches.h"
#include "serind.h"

#include <serin/adapters/log.h>
#include <serin/topic.h>

#include <stdlib.h>
#include <string.h>

enum serin_error serind_outbox_init(struct serind *serind)
{
    serind->outbox = (struct serind_outbox){
        .list = calloc(SERIND_OUTBOX_MAX, sizeof *serind->outbox.list),
    };
    return serind->outbox.list != NULL ? SERIN_OK : SERIN_ERR_MEMORY;
}

void serind_outbox_free(struct serind *serind)
{
    free(serind->outbox.list);
    serind->outbox.list = NULL;
}

void serind_outbox_ack(struct serind *serind, size_t broker, uint32_t site, uint32_t ticket,
                       const char *device_id, const struct serin_ack *ack)
{
    struct serind_outbox *outbox = &serind->outbox;
    if (outbox->count == SERIND_OUTBOX_MAX) {
        outbox->dropped++;
        return;
    }
    struct serind_letter *letter = &outbox->list[outbox->count];
    letter->broker = broker;
    letter->site = site;
    letter->gone = letter->whole = false;
    letter->ticket = ticket;
    letter->ack = *ack;
    if (serin_text_copy(letter->device_id, sizeof letter->device_id, device_id) == SERIN_OK) {
        outbox->count++;
    }
}

void serind_outbox_fold(struct serind *serind)
{
    struct serind_outbox *outbox = &serind->outbox;
    size_t kept = outbox->committed;
    for (size_t i = outbox->committed; i < outbox->count; i++) {
        struct serind_letter *letter = &outbox->list[kept];
        const struct serind_ticket *ticket = NULL;
        *letter = outbox->list[i];
        if (letter->ticket != 0) {
            ticket = serind_batch_stored(serind, letter->ticket);
        }
        if (ticket != NULL) {
            letter->whole = true;
            letter->batch = ticket->ack;
        }
        /* The first of a batch's letters stands for all of them. */
        if (ticket == NULL || serind_batch_answer(serind, letter->ticket)) {
            kept++;
        }
        letter->ticket = 0;
    }
    outbox->count = kept;
}

void serind_outbox_keep(struct serind *serind)
{
    serind->outbox.committed = serind->outbox.count;
}

void serind_outbox_undo(struct serind *serind)
{
    serind->outbox.count = serind->outbox.committed;
}

/* ---- sending ---- */

static enum serin_error publish(struct serind *serind, const struct serind_letter *letter,
                                enum serin_topic_kind kind, const char *id, const uint8_t *payload,
                                size_t size)
{
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(kind, id, topic);
    return serin_mqtt_publish(serind->brokers[letter->broker].mqtt, topic, payload, size, 1, false,
                              NULL);
}

static enum serin_error send_one(struct serind *serind, struct serind_letter *letter)
{
    uint8_t payload[SERIN_ACK_MAX];
    size_t size = 0;
    enum serin_error error =
        serind->codec->encode_ack(&letter->ack, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        error = publish(serind, letter, SERIN_TOPIC_DEV_ACK, letter->device_id, payload, size);
    }
    letter->gone = error == SERIN_OK;
    return error;
}

/* Whether a letter goes to the gateway, on the broker. */
static bool same_way(const struct serind_letter *letter, size_t broker, uint32_t site)
{
    return letter->site == site && letter->broker == broker;
}

/* Puts the letter at `first` and those behind it that go the same way into one message; none of
 * them is gone, since they go in their order. In a message batches stand before items, so one that
 * follows an item begins the next. Returns the place behind the last of them. */
static size_t gather(const struct serind_outbox *outbox, size_t first,
                     struct serin_ack_batch *batch)
{
    const struct serind_letter *like = &outbox->list[first];
    size_t at = first;
    batch->count = batch->batch_count = 0;
    for (; at < outbox->committed && batch->count < SERIN_ACK_BATCH_ITEMS_MAX &&
           batch->batch_count < SERIN_ACK_BATCH_BATCHES_MAX;
         at++) {
        const struct serind_letter *letter = &outbox->list[at];
        if (!same_way(letter, like->broker, like->site)) {
            continue;
        }
        if (letter->whole && batch->count > 0) {
            break;
        }
        if (letter->whole) {
            batch->batches[batch->batch_count++] = letter->batch;
        } else {
            struct serin_ack_item *item = &batch->list[batch->count++];
            memcpy(item->node, letter->device_id, sizeof item->node);
            item->ack = letter->ack;
        }
    }
    return at;
}

/* As many acks as there may be fit SERIN_ACK_BATCH_MAX whatever they hold. */
static enum serin_error send_batch(struct serind *serind, size_t first)
{
    struct serind_outbox *outbox = &serind->outbox;
    size_t broker = outbox->list[first].broker;
    uint32_t site = outbox->list[first].site;
    struct serin_ack_batch batch;
    uint8_t payload[SERIN_ACK_BATCH_MAX];
    size_t size = 0;
    size_t end = gather(outbox, first, &batch);
    enum serin_error error =
        serind->site_codec->encode_ack_batch(&batch, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        error = publish(serind, &outbox->list[first], SERIN_TOPIC_GW_ACKS,
                        serind_site_name(serind, site), payload, size);
    }
    for (size_t i = first; error == SERIN_OK && i < end; i++) {
        outbox->list[i].gone |= same_way(&outbox->list[i], broker, site);
    }
    return error;
}

void serind_outbox_send(struct serind *serind)
{
    struct serind_outbox *outbox = &serind->outbox;
    bool full[SERIN_SERIND_BROKERS_MAX] = {false};
    size_t kept = 0;
    for (size_t i = 0; i < outbox->committed; i++) {
        struct serind_letter *letter = &outbox->list[i];
        if (letter->gone) {
            continue;
        }
        bool connected = serind->brokers[letter->broker].connected;
        enum serin_error error = !connected             ? SERIN_ERR_NETWORK
                                 : full[letter->broker] ? SERIN_ERR_AGAIN
                                 : letter->site != 0    ? send_batch(serind, i)
                                                        : send_one(serind, letter);
        if (error == SERIN_ERR_AGAIN) {
            full[letter->broker] = true;
            outbox->list[kept++] = *letter;
        } else if (error != SERIN_OK) {
            outbox->dropped++;
        }
    }
    outbox->committed = outbox->count = kept;
    if (outbox->dropped > 0) {
        serin_log(SERIN_LOG_WARN, "acks dropped, their devices will resend count=%llu",
                  (unsigned long long)outbox->dropped);
        outbox->dropped = 0;
    }
}

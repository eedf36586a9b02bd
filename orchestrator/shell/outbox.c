/* The outbox (outbox.h). */
#include "outbox.h"

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

void serind_outbox_ack(struct serind *serind, size_t broker, uint32_t site, const char *device_id,
                       const struct serin_ack *ack)
{
    struct serind_outbox *outbox = &serind->outbox;
    if (outbox->count == SERIND_OUTBOX_MAX) {
        outbox->dropped++;
        return;
    }
    struct serind_letter *letter = &outbox->list[outbox->count];
    letter->broker = broker;
    letter->site = site;
    letter->gone = false;
    letter->ack = *ack;
    if (serin_text_copy(letter->device_id, sizeof letter->device_id, device_id) == SERIN_OK) {
        outbox->count++;
    }
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

/* Puts the letter at `first` and those behind it that go the same way into one message. */
static void gather(const struct serind_outbox *outbox, size_t first, struct serin_ack_batch *batch,
                   struct serind_letter *taken[SERIN_ACK_BATCH_ITEMS_MAX])
{
    const struct serind_letter *like = &outbox->list[first];
    batch->count = 0;
    for (size_t i = first; i < outbox->committed && batch->count < SERIN_ACK_BATCH_ITEMS_MAX; i++) {
        struct serind_letter *letter = &outbox->list[i];
        if (letter->gone || letter->site != like->site || letter->broker != like->broker) {
            continue;
        }
        struct serin_ack_item *item = &batch->list[batch->count];
        memcpy(item->node, letter->device_id, sizeof item->node);
        item->ack = letter->ack;
        taken[batch->count++] = letter;
    }
}

/* SERIN_ACK_BATCH_ITEMS_MAX acks fit SERIN_ACK_BATCH_MAX whatever they hold. */
static enum serin_error send_batch(struct serind *serind, size_t first)
{
    struct serind_outbox *outbox = &serind->outbox;
    const struct serind_letter *letter = &outbox->list[first];
    struct serind_letter *taken[SERIN_ACK_BATCH_ITEMS_MAX];
    struct serin_ack_batch batch;
    uint8_t payload[SERIN_ACK_BATCH_MAX];
    size_t size = 0;
    gather(outbox, first, &batch, taken);
    enum serin_error error =
        serind->site_codec->encode_ack_batch(&batch, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        error = publish(serind, letter, SERIN_TOPIC_GW_ACKS, serind_site_name(serind, letter->site),
                        payload, size);
    }
    for (size_t i = 0; error == SERIN_OK && i < batch.count; i++) {
        taken[i]->gone = true;
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

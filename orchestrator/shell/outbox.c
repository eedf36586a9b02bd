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

void serind_outbox_ack(struct serind *serind, size_t broker, const char *device_id,
                       const struct serin_ack *ack)
{
    struct serind_outbox *outbox = &serind->outbox;
    if (outbox->count == SERIND_OUTBOX_MAX) {
        outbox->dropped++;
        return;
    }
    struct serind_letter *letter = &outbox->list[outbox->count];
    letter->broker = broker;
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

static enum serin_error send(struct serind *serind, const struct serind_letter *letter)
{
    uint8_t payload[SERIN_ACK_MAX];
    size_t size = 0;
    enum serin_error error =
        serind->codec->encode_ack(&letter->ack, payload, sizeof payload, &size);
    if (error != SERIN_OK) {
        return error;
    }
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(SERIN_TOPIC_DEV_ACK, letter->device_id, topic);
    return serin_mqtt_publish(serind->brokers[letter->broker].mqtt, topic, payload, size, 1, false,
                              NULL);
}

void serind_outbox_send(struct serind *serind)
{
    struct serind_outbox *outbox = &serind->outbox;
    bool full[SERIN_SERIND_BROKERS_MAX] = {false};
    size_t kept = 0;
    for (size_t i = 0; i < outbox->committed; i++) {
        struct serind_letter *letter = &outbox->list[i];
        bool connected = serind->brokers[letter->broker].connected;
        enum serin_error error = !connected             ? SERIN_ERR_NETWORK
                                 : full[letter->broker] ? SERIN_ERR_AGAIN
                                                        : send(serind, letter);
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

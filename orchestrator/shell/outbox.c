/* The outbox (outbox.h). */
#include "outbox.h"

#include "serind.h"

#include <serin/adapters/log.h>
#include <serin/topic.h>

void serind_outbox_ack(struct serind *serind, size_t broker, const char *device_id,
                       const struct serin_ack *ack)
{
    struct serind_outbox *outbox = &serind->outbox;
    if (outbox->count == SERIND_OUTBOX_MAX) {
        return;
    }
    struct serind_letter *letter = &outbox->list[outbox->count];
    letter->broker = broker;
    letter->ack = *ack;
    if (serin_text_copy(letter->device_id, sizeof letter->device_id, device_id) == SERIN_OK) {
        outbox->count++;
    }
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
    size_t dropped = 0;
    for (size_t i = 0; i < outbox->count; i++) {
        /* An ack that cannot be sent now is dropped: the device resends, and is answered then. */
        if (send(serind, &outbox->list[i]) != SERIN_OK) {
            dropped++;
        }
    }
    if (dropped > 0) {
        serin_log(SERIN_LOG_WARN, "acks dropped, their devices will resend count=%zu", dropped);
    }
    outbox->count = 0;
}

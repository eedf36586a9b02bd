/* The server of a life: retained messages, blocks from memory, acks (life.h). */
#include "life.h"

#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>

#include <string.h>

static const struct serin_credit_limits limits = {.window_bytes_max = SERIN_BLOCK_DATA_MAX,
                                                  .window_blocks_max = 4,
                                                  .forget_ms = 10000,
                                                  .retry_ms = 200};

static const enum serin_topic_kind topics[CUTS_TOPICS] = {
    [CUTS_TOPIC_TRUST] = SERIN_TOPIC_TRUST, [CUTS_TOPIC_DIRECTIVE] = SERIN_TOPIC_DIRECTIVE};

static void post(struct cuts_life *life, const struct cuts_post *message)
{
    if (life->queue_count == CUTS_QUEUE) {
        cuts_fail(life, "the device asks for more than the queue holds", "%u", CUTS_QUEUE);
        return;
    }
    life->queue[(life->queue_first + life->queue_count++) % CUTS_QUEUE] = *message;
}

void cuts_server_publish(struct cuts_life *life, enum cuts_topic topic,
                         const struct cuts_message *message)
{
    life->retained[topic] = *message;
    if (life->mode == CUTS_RUNNING) {
        post(life, &(struct cuts_post){.kind = CUTS_POST_RETAINED, .topic = topic});
    }
}

void cuts_server_connect(struct cuts_life *life)
{
    life->queue_count = 0;
    memset(&life->credit, 0, sizeof life->credit);
    for (enum cuts_topic topic = 0; topic < CUTS_TOPICS; topic++) {
        if (life->retained[topic].size > 0) {
            post(life, &(struct cuts_post){.kind = CUTS_POST_RETAINED, .topic = topic});
        }
    }
}

/* ---- blocks ---- */

struct object {
    const uint8_t *data; /* NULL: unknown */
    uint32_t size;
    unsigned image_of; /* release; 0: it is no image */
};

static struct object find_object(const struct cuts_goods *goods, const uint8_t *name)
{
    for (unsigned i = 0; i < CUTS_RELEASES; i++) {
        const struct cuts_release *release = &goods->releases[i];
        if (memcmp(name, release->id, SERIN_SHA256_SIZE) == 0) {
            return (struct object){release->manifest_bytes, sizeof release->manifest_bytes, 0};
        }
        if (memcmp(name, release->manifest.pieces_sha256, SERIN_SHA256_SIZE) == 0) {
            return (struct object){release->table, release->table_size, 0};
        }
        if (memcmp(name, release->manifest.image_sha256, SERIN_SHA256_SIZE) == 0) {
            return (struct object){release->image, release->manifest.image_size_bytes, i + 1u};
        }
    }
    return (struct object){.data = NULL};
}

static void answer_get(struct cuts_life *life, const struct serin_get *get)
{
    struct object object = find_object(life->goods, get->object);
    life->gets++;
    struct serin_grant grant = {.status = SERIN_BLOCK_NOT_FOUND, .retry_ms = 500};
    if (object.data != NULL) {
        grant = serin_credit_request(&life->credit, &limits, get, object.size, life->now_ms);
    }
    struct cuts_post message = {.kind = CUTS_POST_BLOCK};
    message.block = (struct serin_block){.token = get->token,
                                         .status = grant.status,
                                         .offset = get->offset,
                                         .retry_ms = grant.retry_ms};
    if (grant.status != SERIN_BLOCK_DATA) {
        post(life, &message);
        return;
    }
    for (uint32_t at = grant.offset; at < grant.end;) {
        uint32_t size = grant.end - at < get->block_size ? grant.end - at : get->block_size;
        if (object.image_of != 0) {
            cuts_judge_served(life, object.image_of, at, size);
        }
        uint32_t end = at + size;
        message.spoiled = object.image_of != 0 &&
                          (end % SERIN_PIECE_SIZE == 0 || end == object.size) &&
                          cuts_story_spoils(life, object.image_of, at / SERIN_PIECE_SIZE);
        message.block = (struct serin_block){.token = get->token,
                                             .status = SERIN_BLOCK_DATA,
                                             .offset = at,
                                             .object_size = object.size,
                                             .window_end = grant.end,
                                             .crc32 = serin_crc32(0, object.data + at, size),
                                             .data = object.data + at,
                                             .data_size = size};
        post(life, &message);
        at += size;
    }
}

static void answer_report(struct cuts_life *life, const struct serin_report *report)
{
    struct cuts_post message = {.kind = CUTS_POST_ACK};
    message.ack = (struct serin_ack){
        .incarnation = report->incarnation, .number = report->number, .status = SERIN_ACK_STORED};
    life->reports++;
    post(life, &message);
}

enum serin_error cuts_server_hear(struct cuts_life *life, enum serin_topic_kind kind,
                                  const uint8_t *payload, size_t size)
{
    static struct serin_report report;
    static struct serin_beat beat;
    const struct serin_codec *codec = serin_protobufc();
    struct serin_get get;
    enum serin_error error = SERIN_OK;
    if (serin_flash_emulator_is_off(life->emulator)) {
        return SERIN_OK; /* the processor is off, too: nobody hears this */
    }
    if (kind == SERIN_TOPIC_DEV_GET) {
        error = codec->decode_get(payload, size, &get);
        if (error == SERIN_OK) {
            answer_get(life, &get);
        }
    } else if (kind == SERIN_TOPIC_DEV_REPORT) {
        error = codec->decode_report(payload, size, &report);
        if (error == SERIN_OK) {
            answer_report(life, &report);
        }
    } else {
        error = codec->decode_beat(payload, size, &beat);
    }
    if (error != SERIN_OK) {
        cuts_fail(life, "the device says what cannot be read", "%s", serin_error_text(error));
    }
    return SERIN_OK;
}

/* A block of a damaged piece, as a cache may hold one: what it says of itself is right. */
static void spoil(struct serin_block *block)
{
    static uint8_t data[SERIN_BLOCK_DATA_MAX];
    memcpy(data, block->data, block->data_size);
    data[block->data_size / 2u] ^= 0x20u;
    block->data = data;
    block->crc32 = serin_crc32(0, data, block->data_size);
}

bool cuts_server_deliver(struct cuts_life *life)
{
    static uint8_t payload[CUTS_MESSAGE_MAX + 1024u];
    if (life->queue_count == 0) {
        return false;
    }
    struct cuts_post message = life->queue[life->queue_first];
    life->queue_first = (life->queue_first + 1u) % CUTS_QUEUE;
    life->queue_count--;
    struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE, .payload = payload};
    enum serin_error error = SERIN_OK;
    switch (message.kind) {
    case CUTS_POST_RETAINED:
        event.topic = topics[message.topic];
        event.payload = life->retained[message.topic].bytes;
        event.payload_size = life->retained[message.topic].size;
        break;
    case CUTS_POST_BLOCK:
        event.topic = SERIN_TOPIC_DEV_BLOCK;
        if (message.spoiled) {
            spoil(&message.block);
        }
        error = serin_protobufc()->encode_block(&message.block, payload, sizeof payload,
                                                &event.payload_size);
        break;
    case CUTS_POST_ACK:
        event.topic = SERIN_TOPIC_DEV_ACK;
        error = serin_protobufc()->encode_ack(&message.ack, payload, sizeof payload,
                                              &event.payload_size);
        break;
    }
    if (error != SERIN_OK) {
        cuts_fail(life, "a message cannot be encoded", "%s", serin_error_text(error));
    }
    life->now_ms++;
    (void)serin_agent_step(&life->agent, life->now_ms, &event);
    return true;
}

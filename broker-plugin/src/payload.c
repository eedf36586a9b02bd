/* One checker a topic kind. */
#include <serin/plugin/payload.h>

#include <serin/assert.h>
#include <serin/directive.h>

#include <string.h>

typedef enum serin_error (*checker)(const struct serin_payload_ports *ports,
                                    const struct serin_topic *topic, const uint8_t *data,
                                    size_t size, struct serin_payload *payload);

static enum serin_error check_directive(const struct serin_payload_ports *ports,
                                        const struct serin_topic *topic, const uint8_t *data,
                                        size_t size, struct serin_payload *payload)
{
    struct serin_envelope envelope;
    struct serin_directive *directive = &payload->directive;
    enum serin_error error = ports->codec->decode_envelope(data, size, &envelope);
    if (error == SERIN_OK) {
        error = ports->codec->decode_directive(envelope.body, envelope.body_size, directive);
    }
    if (error == SERIN_OK) {
        error = serin_directive_check(directive, NULL);
    }
    if (error != SERIN_OK) {
        return error;
    }
    serin_sha256_of(ports->crypto, envelope.body, envelope.body_size, payload->content);
    /* A channel's topic has no id, and a channel's directive has none either. */
    if (strcmp(directive->device_id, topic->id) != 0) {
        return SERIN_ERR_DEVICE;
    }
    if (topic->kind == SERIN_TOPIC_DEV_DIRECTIVE) {
        return SERIN_OK;
    }
    if (strcmp(directive->product, topic->product) != 0) {
        return SERIN_ERR_PRODUCT;
    }
    return strcmp(directive->channel, topic->channel) == 0 ? SERIN_OK : SERIN_ERR_CHANNEL;
}

static enum serin_error check_trust(const struct serin_payload_ports *ports,
                                    const struct serin_topic *topic, const uint8_t *data,
                                    size_t size, struct serin_payload *payload)
{
    struct serin_trust_payload wrapped;
    struct serin_signature_area area;
    struct serin_trust trust;
    enum serin_error error = ports->codec->decode_trust_payload(data, size, &wrapped);
    if (error == SERIN_OK) {
        error = serin_signature_area_decode(wrapped.record, wrapped.record_size,
                                            SERIN_TRUST_BODY_SIZE, &area);
    }
    if (error == SERIN_OK) {
        error = serin_trust_decode(ports->crypto, wrapped.record, wrapped.record_size, &trust);
    }
    if (error != SERIN_OK) {
        return error;
    }
    payload->trust_version = trust.version;
    serin_sha256_of(ports->crypto, wrapped.record, SERIN_TRUST_BODY_SIZE, payload->content);
    return strcmp(trust.product, topic->product) == 0 ? SERIN_OK : SERIN_ERR_PRODUCT;
}

static enum serin_error check_report(const struct serin_payload_ports *ports,
                                     const struct serin_topic *topic, const uint8_t *data,
                                     size_t size, struct serin_payload *payload)
{
    (void)payload;
    struct serin_report report;
    enum serin_error error = ports->codec->decode_report(data, size, &report);
    if (error != SERIN_OK) {
        return error;
    }
    return strcmp(report.device_id, topic->id) == 0 ? SERIN_OK : SERIN_ERR_DEVICE;
}

static enum serin_error check_beat(const struct serin_payload_ports *ports,
                                   const struct serin_topic *topic, const uint8_t *data,
                                   size_t size, struct serin_payload *payload)
{
    (void)payload;
    struct serin_beat beat;
    enum serin_error error = ports->codec->decode_beat(data, size, &beat);
    if (error != SERIN_OK) {
        return error;
    }
    return strcmp(beat.device_id, topic->id) == 0 ? SERIN_OK : SERIN_ERR_DEVICE;
}

static enum serin_error check_ack(const struct serin_payload_ports *ports,
                                  const struct serin_topic *topic, const uint8_t *data, size_t size,
                                  struct serin_payload *payload)
{
    (void)topic;
    (void)payload;
    struct serin_ack ack;
    return ports->codec->decode_ack(data, size, &ack);
}

static enum serin_error check_get(const struct serin_payload_ports *ports,
                                  const struct serin_topic *topic, const uint8_t *data, size_t size,
                                  struct serin_payload *payload)
{
    (void)topic;
    return ports->codec->decode_get(data, size, &payload->get);
}

static enum serin_error check_block(const struct serin_payload_ports *ports,
                                    const struct serin_topic *topic, const uint8_t *data,
                                    size_t size, struct serin_payload *payload)
{
    (void)topic;
    (void)payload;
    struct serin_block block;
    return ports->codec->decode_block(data, size, &block);
}

static enum serin_error check_hold(const struct serin_payload_ports *ports,
                                   const struct serin_topic *topic, const uint8_t *data,
                                   size_t size, struct serin_payload *payload)
{
    (void)topic;
    (void)payload;
    struct serin_hold hold;
    return ports->codec->decode_hold(data, size, &hold);
}

static enum serin_error check_presence(const struct serin_payload_ports *ports,
                                       const struct serin_topic *topic, const uint8_t *data,
                                       size_t size, struct serin_payload *payload)
{
    (void)topic;
    return ports->codec->decode_presence(data, size, &payload->presence);
}

static enum serin_error check_batch(const struct serin_payload_ports *ports,
                                    const struct serin_topic *topic, const uint8_t *data,
                                    size_t size, struct serin_payload *payload)
{
    (void)topic;
    (void)payload;
    struct serin_batch batch;
    return ports->site_codec->decode_batch(data, size, &batch);
}

static enum serin_error check_ack_batch(const struct serin_payload_ports *ports,
                                        const struct serin_topic *topic, const uint8_t *data,
                                        size_t size, struct serin_payload *payload)
{
    (void)topic;
    (void)payload;
    struct serin_ack_batch acks;
    return ports->site_codec->decode_ack_batch(data, size, &acks);
}

static enum serin_error check_gw_status(const struct serin_payload_ports *ports,
                                        const struct serin_topic *topic, const uint8_t *data,
                                        size_t size, struct serin_payload *payload)
{
    (void)payload;
    struct serin_gw_status status;
    enum serin_error error = ports->site_codec->decode_gw_status(data, size, &status);
    if (error != SERIN_OK) {
        return error;
    }
    return strcmp(status.gateway, topic->id) == 0 ? SERIN_OK : SERIN_ERR_DEVICE;
}

static enum serin_error check_want(const struct serin_payload_ports *ports,
                                   const struct serin_topic *topic, const uint8_t *data,
                                   size_t size, struct serin_payload *payload)
{
    (void)topic;
    (void)payload;
    struct serin_want want;
    return ports->site_codec->decode_want(data, size, &want);
}

static enum serin_error check_have(const struct serin_payload_ports *ports,
                                   const struct serin_topic *topic, const uint8_t *data,
                                   size_t size, struct serin_payload *payload)
{
    (void)topic;
    return ports->site_codec->decode_have(data, size, &payload->have);
}

static const checker checkers[SERIN_TOPIC_COUNT] = {
    [SERIN_TOPIC_DIRECTIVE] = check_directive, [SERIN_TOPIC_DEV_DIRECTIVE] = check_directive,
    [SERIN_TOPIC_DEV_REPORT] = check_report,   [SERIN_TOPIC_DEV_ACK] = check_ack,
    [SERIN_TOPIC_DEV_BEAT] = check_beat,       [SERIN_TOPIC_DEV_GET] = check_get,
    [SERIN_TOPIC_DEV_BLOCK] = check_block,     [SERIN_TOPIC_GW_REPORTS] = check_batch,
    [SERIN_TOPIC_GW_ACKS] = check_ack_batch,   [SERIN_TOPIC_GW_STATUS] = check_gw_status,
    [SERIN_TOPIC_GW_GET] = check_get,          [SERIN_TOPIC_GW_BLOCK] = check_block,
    [SERIN_TOPIC_TRUST] = check_trust,         [SERIN_TOPIC_HOLD] = check_hold,
    [SERIN_TOPIC_DEPOT_HAVE] = check_have,     [SERIN_TOPIC_DEPOT_WANT] = check_want,
    [SERIN_TOPIC_PRESENCE] = check_presence,
};

enum serin_error serin_payload_check(const struct serin_payload_ports *ports,
                                     const struct serin_topic *topic, const uint8_t *data,
                                     size_t size, struct serin_payload *payload)
{
    SERIN_ASSERT(topic->kind > SERIN_TOPIC_INVALID && topic->kind < SERIN_TOPIC_COUNT);
    return checkers[topic->kind](ports, topic, data, size, payload);
}

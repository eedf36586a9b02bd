/*
 * Codecs of what is signed: envelope, directive, trust payload (docs/spec/directive.md,
 * docs/spec/trust.md).
 */
#include "codecs.h"
#include "npb.h"

#include "serin.pb.h"

#include <serin/directive.h>
#include <serin/wire_bounds.h>

#include <string.h>

/* ---- envelope ---- */

enum serin_error serin_npb_encode_envelope(const struct serin_envelope *value, uint8_t *out,
                                           size_t capacity, size_t *size)
{
    if (!serin_bounds_envelope(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_Envelope message = {
        .version = SERIN_WIRE_VERSION,
        .key_id = serin_npb_bytes(value->key_id, sizeof(value->key_id)),
        .body = serin_npb_bytes(value->body, value->body_size),
        .signature = serin_npb_bytes(value->signature, sizeof(value->signature)),
    };
    return serin_npb_encode(serin_v1_Envelope_fields, &message, SERIN_DIRECTIVE_MAX, out, capacity,
                            size);
}

enum serin_error serin_npb_decode_envelope(const uint8_t *data, size_t size,
                                           struct serin_envelope *value)
{
    serin_v1_Envelope message = {0};
    enum serin_error error =
        serin_npb_decode(serin_v1_Envelope_fields, data, size, SERIN_DIRECTIVE_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.body.seen > 1) {
        return SERIN_ERR_FORMAT; /* which of two is meant must not be a matter of the decoder */
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->body = message.body.bytes;
    value->body_size = message.body.size;
    bool ok = serin_npb_get_fixed(&message.key_id, value->key_id, sizeof(value->key_id)) &&
              serin_npb_get_fixed(&message.signature, value->signature, sizeof(value->signature));
    return ok && serin_bounds_envelope(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- directive ---- */

static bool decode_offer(pb_istream_t *stream, void *item, bool *fits)
{
    struct serin_offer *value = item;
    serin_v1_Offer message = {0};
    if (!serin_npb_decode_item(stream, serin_v1_Offer_fields, &message)) {
        return false;
    }
    *fits =
        serin_npb_get_u16(message.hw_min, &value->hw_min) &&
        serin_npb_get_u16(message.hw_max, &value->hw_max) &&
        serin_npb_get_fixed(&message.manifest_id, value->manifest_id, sizeof(value->manifest_id));
    return true;
}

static bool encode_offer(pb_ostream_t *stream, const void *item)
{
    const struct serin_offer *value = item;
    const serin_v1_Offer message = {
        .hw_min = value->hw_min,
        .hw_max = value->hw_max,
        .manifest_id = serin_npb_bytes(value->manifest_id, sizeof(value->manifest_id)),
    };
    return pb_encode(stream, serin_v1_Offer_fields, &message);
}

static const struct serin_npb_items offers = {.item_size = sizeof(struct serin_offer),
                                              .most = SERIN_DIRECTIVE_OFFERS_MAX,
                                              .decode = decode_offer,
                                              .encode = encode_offer};

static serin_v1_Release put_release(const struct serin_release *value)
{
    return (serin_v1_Release){
        .offers = {.kind = &offers, .in = value->offers, .count = value->offer_count},
        .attempt = value->attempt,
        .flags = value->flags,
    };
}

/* A directive names a release or leaves it out. */
static bool names(const struct serin_release *value)
{
    return value->offer_count != 0 || value->attempt != 0 || value->flags != 0;
}

static bool get_release(const serin_v1_Release *message, struct serin_release *value)
{
    value->attempt = message->attempt;
    value->flags = message->flags;
    return serin_npb_get_list(&message->offers, &value->offer_count);
}

/* A rollout has a salt; without one the field is not sent. */
static size_t salt_size(const struct serin_directive *value)
{
    return value->candidate_state == SERIN_CANDIDATE_NONE ? 0 : sizeof(value->salt);
}

enum serin_error serin_npb_encode_directive(const struct serin_directive *value, uint8_t *out,
                                            size_t capacity, size_t *size)
{
    if (serin_directive_check(value, NULL) != SERIN_OK) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_Directive message = {
        .version = SERIN_WIRE_VERSION,
        .required_features = value->required_features,
        .product = serin_npb_text(value->product),
        .channel = serin_npb_text(value->channel),
        .device_id = serin_npb_text(value->device_id),
        .has_order = true,
        .order = {.epoch = value->order.epoch, .sequence = value->order.sequence},
        .issued_s = value->issued_s,
        .lease_s = value->lease_s,
        .flags = value->flags,
        .has_stable = names(&value->stable),
        .stable = put_release(&value->stable),
        .has_candidate = names(&value->candidate),
        .candidate = put_release(&value->candidate),
        .candidate_state = (uint32_t)value->candidate_state,
        .salt = serin_npb_bytes(value->salt, salt_size(value)),
        .threshold = value->threshold,
        .spread_s = value->spread_s,
        .site_failures_max = value->site_failures_max,
        .route_table = serin_npb_bytes(value->route_table,
                                       value->has_route_table ? sizeof(value->route_table) : 0),
    };
    return serin_npb_encode(serin_v1_Directive_fields, &message, SERIN_DIRECTIVE_MAX, out, capacity,
                            size);
}

static bool get_directive_texts(const serin_v1_Directive *message, struct serin_directive *value)
{
    return serin_npb_get_text(&message->product, value->product, sizeof(value->product)) &&
           serin_npb_get_text(&message->channel, value->channel, sizeof(value->channel)) &&
           serin_npb_get_text(&message->device_id, value->device_id, sizeof(value->device_id));
}

/* Salt and route table stand in full or not at all; the salt exactly when there is a candidate. */
static bool get_directive_bytes(const serin_v1_Directive *message, struct serin_directive *value)
{
    size_t salt = salt_size(value);
    value->has_route_table = message->route_table.size != 0;
    if (message->salt.size != salt) {
        return false;
    }
    bool salt_ok = salt == 0 || serin_npb_get_fixed(&message->salt, value->salt, salt);
    return salt_ok && (!value->has_route_table ||
                       serin_npb_get_fixed(&message->route_table, value->route_table,
                                           sizeof(value->route_table)));
}

enum serin_error serin_npb_decode_directive(const uint8_t *data, size_t size,
                                            struct serin_directive *value)
{
    memset(value, 0, sizeof(*value));
    serin_v1_Directive message = {0};
    message.stable.offers = (struct serin_npb_list){.kind = &offers, .out = value->stable.offers};
    message.candidate.offers =
        (struct serin_npb_list){.kind = &offers, .out = value->candidate.offers};
    enum serin_error error =
        serin_npb_decode(serin_v1_Directive_fields, data, size, SERIN_DIRECTIVE_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    if ((message.required_features & ~SERIN_DIRECTIVE_FEATURES_KNOWN) != 0) {
        return SERIN_ERR_FEATURE; /* before any bound: a feature may change what the fields hold */
    }
    value->required_features = message.required_features;
    value->order = (struct serin_order){message.order.epoch, message.order.sequence};
    value->issued_s = message.issued_s;
    value->lease_s = message.lease_s;
    value->flags = message.flags;
    value->candidate_state = (enum serin_candidate_state)message.candidate_state;
    value->threshold = message.threshold;
    value->spread_s = message.spread_s;
    value->site_failures_max = message.site_failures_max;
    bool ok = get_directive_texts(&message, value) && get_directive_bytes(&message, value) &&
              get_release(&message.stable, &value->stable) &&
              get_release(&message.candidate, &value->candidate);
    return ok ? serin_directive_check(value, NULL) : SERIN_ERR_INVALID;
}

/* ---- trust payload ---- */

enum serin_error serin_npb_encode_trust_payload(const struct serin_trust_payload *value,
                                                uint8_t *out, size_t capacity, size_t *size)
{
    if (!serin_bounds_trust_payload(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_TrustPayload message = {
        .version = SERIN_WIRE_VERSION,
        .record = serin_npb_bytes(value->record, value->record_size),
    };
    return serin_npb_encode(serin_v1_TrustPayload_fields, &message, SERIN_TRUST_PAYLOAD_MAX, out,
                            capacity, size);
}

enum serin_error serin_npb_decode_trust_payload(const uint8_t *data, size_t size,
                                                struct serin_trust_payload *value)
{
    serin_v1_TrustPayload message = {0};
    enum serin_error error = serin_npb_decode(serin_v1_TrustPayload_fields, data, size,
                                              SERIN_TRUST_PAYLOAD_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.record.seen > 1) {
        return SERIN_ERR_FORMAT;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->record = message.record.bytes;
    value->record_size = message.record.size;
    return serin_bounds_trust_payload(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/*
 * Codecs of what is signed: envelope, directive, trust payload (docs/spec/directive.md,
 * docs/spec/trust.md).
 */
#include "codecs.h"
#include "pbc.h"

#include "serin.pb-c.h"

#include <serin/directive.h>
#include <serin/wire_bounds.h>

#include <string.h>

/* Numbers of the fields that are cut out, as in serin.proto. */
#define ENVELOPE_BODY 3u
#define TRUST_RECORD  2u

/* ---- envelope ---- */

enum serin_error serin_pbc_encode_envelope(const struct serin_envelope *value, uint8_t *out,
                                           size_t capacity, size_t *size)
{
    if (!serin_bounds_envelope(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__Envelope message;
    serin__v1__envelope__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.key_id = serin_pbc_bytes(value->key_id, sizeof(value->key_id));
    message.body = serin_pbc_bytes(value->body, value->body_size);
    message.signature = serin_pbc_bytes(value->signature, sizeof(value->signature));
    return serin_pbc_pack(&message.base, SERIN_DIRECTIVE_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_envelope(const uint8_t *data, size_t size,
                                           struct serin_envelope *value)
{
    struct serin_pbc_cut cut;
    enum serin_error error = serin_pbc_cut(data, size, SERIN_DIRECTIVE_MAX, ENVELOPE_BODY, &cut);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__Envelope *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__envelope__descriptor, cut.rest, cut.rest_size,
                             sizeof(cut.rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->body = cut.bytes;
    value->body_size = cut.bytes_size;
    bool ok = serin_pbc_get_fixed(&message->key_id, value->key_id, sizeof(value->key_id)) &&
              serin_pbc_get_fixed(&message->signature, value->signature, sizeof(value->signature));
    return ok && serin_bounds_envelope(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- directive ---- */

/* A release with all that its message points to. */
struct release_parts {
    Serin__V1__Release message;
    Serin__V1__Offer offers[SERIN_DIRECTIVE_OFFERS_MAX];
    Serin__V1__Offer *pointers[SERIN_DIRECTIVE_OFFERS_MAX];
};

static Serin__V1__Release *put_release(const struct serin_release *value,
                                       struct release_parts *parts)
{
    if (value->offer_count == 0 && value->attempt == 0 && value->flags == 0) {
        return NULL;
    }
    serin__v1__release__init(&parts->message);
    for (size_t i = 0; i < value->offer_count; i++) {
        const struct serin_offer *offer = &value->offers[i];
        serin__v1__offer__init(&parts->offers[i]);
        parts->offers[i].hw_min = offer->hw_min;
        parts->offers[i].hw_max = offer->hw_max;
        parts->offers[i].manifest_id =
            serin_pbc_bytes(offer->manifest_id, sizeof(offer->manifest_id));
        parts->pointers[i] = &parts->offers[i];
    }
    parts->message.n_offers = value->offer_count;
    parts->message.offers = parts->pointers;
    parts->message.attempt = value->attempt;
    parts->message.flags = value->flags;
    return &parts->message;
}

static bool get_release(const Serin__V1__Release *message, struct serin_release *value)
{
    memset(value, 0, sizeof(*value));
    if (message == NULL) {
        return true;
    }
    if (message->n_offers > SERIN_DIRECTIVE_OFFERS_MAX) {
        return false;
    }
    value->offer_count = message->n_offers;
    value->attempt = message->attempt;
    value->flags = message->flags;
    for (size_t i = 0; i < value->offer_count; i++) {
        const Serin__V1__Offer *offer = message->offers[i];
        struct serin_offer *out = &value->offers[i];
        if (!serin_pbc_get_u16(offer->hw_min, &out->hw_min) ||
            !serin_pbc_get_u16(offer->hw_max, &out->hw_max) ||
            !serin_pbc_get_fixed(&offer->manifest_id, out->manifest_id, sizeof(out->manifest_id))) {
            return false;
        }
    }
    return true;
}

/* A rollout has a salt; without one the field is not sent. */
static size_t salt_size(const struct serin_directive *value)
{
    return value->candidate_state == SERIN_CANDIDATE_NONE ? 0 : sizeof(value->salt);
}

enum serin_error serin_pbc_encode_directive(const struct serin_directive *value, uint8_t *out,
                                            size_t capacity, size_t *size)
{
    if (serin_directive_check(value, NULL) != SERIN_OK) {
        return SERIN_ERR_INVALID;
    }
    struct release_parts stable, candidate;
    Serin__V1__Order order;
    serin__v1__order__init(&order);
    order.epoch = value->order.epoch;
    order.sequence = value->order.sequence;
    Serin__V1__Directive message;
    serin__v1__directive__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.required_features = value->required_features;
    message.product = serin_pbc_text(value->product);
    message.channel = serin_pbc_text(value->channel);
    message.device_id = serin_pbc_text(value->device_id);
    message.order = &order;
    message.issued_s = value->issued_s;
    message.lease_s = value->lease_s;
    message.flags = value->flags;
    message.stable = put_release(&value->stable, &stable);
    message.candidate = put_release(&value->candidate, &candidate);
    message.candidate_state = value->candidate_state;
    message.salt = serin_pbc_bytes(value->salt, salt_size(value));
    message.threshold = value->threshold;
    message.spread_s = value->spread_s;
    message.site_failures_max = value->site_failures_max;
    message.route_table = serin_pbc_bytes(value->route_table,
                                          value->has_route_table ? sizeof(value->route_table) : 0);
    return serin_pbc_pack(&message.base, SERIN_DIRECTIVE_MAX, out, capacity, size);
}

static bool get_directive_texts(const struct serin_pbc_arena *arena,
                                const Serin__V1__Directive *message, struct serin_directive *value)
{
    return serin_pbc_get_text(arena, message->product, value->product, sizeof(value->product)) &&
           serin_pbc_get_text(arena, message->channel, value->channel, sizeof(value->channel)) &&
           serin_pbc_get_text(arena, message->device_id, value->device_id,
                              sizeof(value->device_id));
}

/* Salt and route table stand in full or not at all; the salt exactly when there is a candidate. */
static bool get_directive_bytes(const Serin__V1__Directive *message, struct serin_directive *value)
{
    value->has_route_table = message->route_table.len != 0;
    if (message->salt.len != salt_size(value)) {
        return false;
    }
    bool salt_ok = message->salt.len == 0 ||
                   serin_pbc_get_fixed(&message->salt, value->salt, sizeof(value->salt));
    return salt_ok && (!value->has_route_table ||
                       serin_pbc_get_fixed(&message->route_table, value->route_table,
                                           sizeof(value->route_table)));
}

enum serin_error serin_pbc_decode_directive(const uint8_t *data, size_t size,
                                            struct serin_directive *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__Directive *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__directive__descriptor, data, size,
                                              SERIN_DIRECTIVE_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    if ((message->required_features & ~SERIN_DIRECTIVE_FEATURES_KNOWN) != 0) {
        return SERIN_ERR_FEATURE; /* before any bound: a feature may change what the fields hold */
    }
    memset(value, 0, sizeof(*value));
    value->required_features = message->required_features;
    if (message->order != NULL) {
        value->order.epoch = message->order->epoch;
        value->order.sequence = message->order->sequence;
    }
    value->issued_s = message->issued_s;
    value->lease_s = message->lease_s;
    value->flags = message->flags;
    value->candidate_state = (enum serin_candidate_state)message->candidate_state;
    value->threshold = message->threshold;
    value->spread_s = message->spread_s;
    value->site_failures_max = message->site_failures_max;
    bool ok = get_directive_texts(&arena, message, value) && get_directive_bytes(message, value) &&
              get_release(message->stable, &value->stable) &&
              get_release(message->candidate, &value->candidate);
    return ok ? serin_directive_check(value, NULL) : SERIN_ERR_INVALID;
}

/* ---- trust payload ---- */

enum serin_error serin_pbc_encode_trust_payload(const struct serin_trust_payload *value,
                                                uint8_t *out, size_t capacity, size_t *size)
{
    if (!serin_bounds_trust_payload(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__TrustPayload message;
    serin__v1__trust_payload__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.record = serin_pbc_bytes(value->record, value->record_size);
    return serin_pbc_pack(&message.base, SERIN_TRUST_PAYLOAD_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_trust_payload(const uint8_t *data, size_t size,
                                                struct serin_trust_payload *value)
{
    struct serin_pbc_cut cut;
    enum serin_error error = serin_pbc_cut(data, size, SERIN_TRUST_PAYLOAD_MAX, TRUST_RECORD, &cut);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__TrustPayload *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__trust_payload__descriptor, cut.rest, cut.rest_size,
                             sizeof(cut.rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->record = cut.bytes;
    value->record_size = cut.bytes_size;
    return serin_bounds_trust_payload(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

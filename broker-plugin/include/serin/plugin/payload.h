/*
 * What a payload must be to pass the broker (docs/broker-plugin.md, section 2). Pure; decodes
 * through the codec port.
 *
 * The plugin holds no trust record: it checks structure, bounds, and that a payload belongs to its
 * topic. Signatures are the receivers' to verify.
 */
#ifndef SERIN_PLUGIN_PAYLOAD_H
#define SERIN_PLUGIN_PAYLOAD_H

#include <serin/codec.h>
#include <serin/site_codec.h>
#include <serin/topic.h>
#include <serin/trust.h>

struct serin_payload_ports {
    const struct serin_codec *codec;
    const struct serin_site_codec *site_codec;
    const struct serin_crypto *crypto; /* hashing only */
};

/* What the plugin goes on to work with. */
struct serin_payload {
    struct serin_directive directive;   /* of directive topics */
    uint32_t trust_version;             /* of trust topics */
    uint8_t content[SERIN_SHA256_SIZE]; /* of both: SHA-256 of the signed body */
    struct serin_get get;               /* of get topics */
    struct serin_presence presence;     /* of presence topics */
    struct serin_have have;             /* of depot/have; its data points into the payload */
};

/* Checks a payload on a parsed topic. SERIN_ERR_DEVICE, SERIN_ERR_PRODUCT, SERIN_ERR_CHANNEL: it
 * belongs to another device, product or channel than its topic says; otherwise the errors of
 * decoding. Of a batch of reports the outer message alone is looked at: its items may be
 * compressed, and are serind's to judge one by one. `payload` is unspecified after an error. */
SERIN_MUST_USE enum serin_error serin_payload_check(const struct serin_payload_ports *ports,
                                                    const struct serin_topic *topic,
                                                    const uint8_t *data, size_t size,
                                                    struct serin_payload *payload);

#endif

/*
 * Records of the gateway's store as bytes (docs/spec/gateway-store.md). Their frame is frame.h's.
 */
#ifndef SERIN_LMDB_GATEWAY_RECORD_H
#define SERIN_LMDB_GATEWAY_RECORD_H

#include "frame.h"

#include <serin/gateway/store.h>

enum gateway_kind {
    GATEWAY_INVALID = 0,
    GATEWAY_META = 1,
    GATEWAY_NODE = 2,
    GATEWAY_ORDER = 3,
    GATEWAY_KIND_COUNT
};

union gateway_value {
    struct serin_gateway_meta meta;
    struct serin_node_record node;
    struct serin_order_record order;
};

/* Writes a record under its key; `value` comes back as it was. SERIN_ERR_INVALID: a value is
 * outside its bounds. */
SERIN_MUST_USE enum serin_error gateway_record_encode(enum gateway_kind kind,
                                                      const struct record_key *key,
                                                      union gateway_value *value,
                                                      uint8_t out[RECORD_MAX], size_t *size);

/* Reads a record that was found under `key`. SERIN_ERR_CRC, SERIN_ERR_TRUNCATED, SERIN_ERR_VERSION
 * (a newer one), SERIN_ERR_FORMAT (kind, bounds, trailing bytes); `value` is then unspecified. */
SERIN_MUST_USE enum serin_error gateway_record_decode(enum gateway_kind kind, const void *key,
                                                      size_t key_size, const uint8_t *data,
                                                      size_t size, union gateway_value *value);

#endif

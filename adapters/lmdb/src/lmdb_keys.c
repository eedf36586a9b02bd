/* Keys of the tables (docs/spec/store.md, section 4). What does not fit is a programmer error: ids,
 * products, channels and topics are bounded. */
#include "lmdb_internal.h"

#include <string.h>

static void key_bytes(struct record_key *key, const void *bytes, size_t size)
{
    SERIN_ASSERT(size <= sizeof key->bytes - key->size);
    memcpy(key->bytes + key->size, bytes, size);
    key->size += size;
}

static void key_text(struct record_key *key, const char *text)
{
    key_bytes(key, text, strlen(text));
}

static void key_byte(struct record_key *key, uint8_t byte)
{
    key_bytes(key, &byte, 1);
}

/* Big-endian, so that numbers stand in their order. */
static void key_number(struct record_key *key, uint64_t number, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--) {
        key_byte(key, (uint8_t)(number >> (8 * (i - 1))));
    }
}

struct record_key serin_lmdb_pair_key(const char *first, const char *second)
{
    struct record_key key = serin_lmdb_text_key(first);
    key_byte(&key, 0);
    key_text(&key, second);
    return key;
}

struct record_key serin_lmdb_fleet_key(const char *product, const char *channel, const char *id)
{
    struct record_key key = serin_lmdb_pair_key(product, channel);
    key_byte(&key, 0);
    key_text(&key, id);
    return key;
}

struct record_key serin_lmdb_id_key(const uint8_t id[SERIN_SHA256_SIZE])
{
    struct record_key key = {.size = 0};
    key_bytes(&key, id, SERIN_SHA256_SIZE);
    return key;
}

struct record_key serin_lmdb_rollout_key(uint64_t id)
{
    struct record_key key = {.size = 0};
    key_number(&key, id, 8);
    return key;
}

struct record_key serin_lmdb_member_key(uint64_t rollout_id, const char *device_id)
{
    struct record_key key = serin_lmdb_rollout_key(rollout_id);
    key_text(&key, device_id);
    return key;
}

struct record_key serin_lmdb_attempts_prefix(const char *device_id)
{
    struct record_key key = serin_lmdb_text_key(device_id);
    key_byte(&key, 0);
    return key;
}

struct record_key serin_lmdb_attempt_key(const char *device_id,
                                         const uint8_t manifest_id[SERIN_SHA256_SIZE],
                                         uint32_t attempt)
{
    struct record_key key = serin_lmdb_attempts_prefix(device_id);
    key_bytes(&key, manifest_id, SERIN_SHA256_SIZE);
    key_number(&key, attempt, 4);
    return key;
}

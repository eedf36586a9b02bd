/*
 * Trust records: one a product, root-signed, each must list our director key. What is in the store
 * is what is retained; a higher version, from a file, the API or a broker, takes its place.
 */
#ifndef SERIND_TRUSTS_H
#define SERIND_TRUSTS_H

#include <serin/trust.h>

struct serind;

#define SERIND_TRUSTS_MAX 256u

struct serind_trust {
    struct serin_trust trust;
    size_t record_size;
    uint8_t record[SERIN_TRUST_MAX];
};

struct serind_trusts {
    size_t count;
    struct serind_trust *list[SERIND_TRUSTS_MAX];
};

/* Loads what the store has; inside a transaction. Errors of the store; SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_trusts_load(struct serind *serind);
void serind_trusts_free(struct serind *serind);

const struct serind_trust *serind_trusts_find(const struct serind *serind, const char *product);

/* Verifies a record with the root keys and checks that it names our director key. SERIN_ERR_KEY
 * (signed by no root key of ours, or our director key is not in it), SERIN_ERR_SIGNATURE and those
 * of decoding. `why` (of `why_size` bytes) says what and what to do. */
SERIN_MUST_USE enum serin_error serind_trusts_verify(const struct serind *serind,
                                                     const uint8_t *record, size_t size,
                                                     struct serin_trust *trust, char *why,
                                                     size_t why_size);

/* Takes a record of higher version (or the first of its product), in a pass of its own, and asks
 * for its publish. SERIN_ERR_EXISTS: the very same is there. SERIN_ERR_STALE: its version is not
 * higher. Errors as serind_trusts_verify and of the store. */
SERIN_MUST_USE enum serin_error serind_trusts_take(struct serind *serind, const uint8_t *record,
                                                   size_t size, const char *actor,
                                                   struct serin_trust *trust, char *why,
                                                   size_t why_size);

/* The record that lists `key_id` as a release key, or NULL. */
const struct serind_trust *serind_trusts_of_release_key(const struct serind *serind,
                                                        const uint8_t key_id[SERIN_KEY_ID_SIZE]);

#endif

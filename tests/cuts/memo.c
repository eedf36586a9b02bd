/* The crypto port, real or remembering (memo.h). */
#include "memo.h"

#include <serin/adapters/wolfcrypt.h>

#include <stdlib.h>
#include <string.h>

#define SIGNATURES 256u
#define HASHES     4096u
#define WAYS       4u /* places that one fingerprint may stand in */

struct fingerprint {
    uint64_t a, b;
};

struct signature {
    bool used;
    uint8_t key[SERIN_P256_PUBLIC_SIZE], digest[SERIN_SHA256_SIZE];
    uint8_t bytes[SERIN_P256_SIGNATURE_SIZE];
    uint32_t verdict;
};

/* The real context after an update, by the fingerprint of the context before it and the bytes. */
struct hash {
    struct fingerprint key;
    struct serin_sha256 after;
};

static struct memo {
    struct serin_crypto crypto;
    uint64_t *random_state;
    bool real;
    struct signature signatures[SIGNATURES];
    struct hash *hashes; /* NULL: nothing is remembered */
    unsigned turn;       /* which place makes room */
    struct cuts_crypto_figures figures;
} memo;

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static void fingerprint(struct fingerprint *print, const uint8_t *data, size_t size)
{
    size_t at = 0;
    for (uint64_t word; at + sizeof word <= size; at += sizeof word) {
        memcpy(&word, data + at, sizeof word);
        print->a = mix(print->a, word);
        print->b = mix(print->b, word + print->a);
    }
    uint64_t rest = size;
    memcpy(&rest, data + at, size - at);
    print->a = mix(print->a, rest);
    print->b = mix(print->b, rest + size);
}

static void sha_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    memset(sha, 0, sizeof *sha); /* the adapter need not fill it: a fingerprint is of all of it */
    serin_wolfcrypt()->ops->sha256_init(serin_wolfcrypt()->ctx, sha);
}

/* Where `key` stands, or what makes room for it. */
static struct hash *find_hash(const struct fingerprint *key)
{
    struct hash *set = &memo.hashes[key->a % (HASHES / WAYS) * WAYS];
    for (unsigned way = 0; way < WAYS; way++) {
        if (set[way].key.a == key->a && set[way].key.b == key->b) {
            return &set[way];
        }
    }
    return &set[memo.turn++ % WAYS];
}

static void sha_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    (void)ctx;
    struct fingerprint key = {.a = size, .b = ~(uint64_t)size};
    struct hash *hash = NULL;
    memo.figures.hashes++;
    if (!memo.real && memo.hashes != NULL) {
        fingerprint(&key, sha->opaque, sizeof sha->opaque);
        fingerprint(&key, data, size);
        hash = find_hash(&key);
        if (hash->key.a == key.a && hash->key.b == key.b) {
            *sha = hash->after;
            return;
        }
    }
    memo.figures.hashed++;
    serin_wolfcrypt()->ops->sha256_update(serin_wolfcrypt()->ctx, sha, data, size);
    if (hash != NULL) {
        *hash = (struct hash){.key = key, .after = *sha};
    }
}

static void sha_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    (void)ctx;
    serin_wolfcrypt()->ops->sha256_final(serin_wolfcrypt()->ctx, sha, digest);
}

static bool is_signature(const struct signature *known, const uint8_t *key, const uint8_t *digest,
                         const uint8_t *bytes)
{
    return known->used && memcmp(known->key, key, sizeof known->key) == 0 &&
           memcmp(known->digest, digest, sizeof known->digest) == 0 &&
           memcmp(known->bytes, bytes, sizeof known->bytes) == 0;
}

/* Where a signature stands, or what makes room for it. */
static struct signature *find_signature(const uint8_t *key, const uint8_t *digest,
                                        const uint8_t *bytes)
{
    struct fingerprint print = {.a = 0};
    fingerprint(&print, digest, SERIN_SHA256_SIZE);
    struct signature *set = &memo.signatures[print.a % (SIGNATURES / WAYS) * WAYS];
    for (unsigned way = 0; way < WAYS; way++) {
        if (is_signature(&set[way], key, digest, bytes)) {
            return &set[way];
        }
    }
    return &set[memo.turn++ % WAYS];
}

static uint32_t verify(void *ctx, uint32_t run, const uint8_t key[SERIN_P256_PUBLIC_SIZE],
                       const uint8_t digest[SERIN_SHA256_SIZE],
                       const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    struct signature *known = find_signature(key, digest, signature);
    memo.figures.verifications++;
    if (!memo.real && is_signature(known, key, digest, signature)) {
        return known->verdict ^ run;
    }
    memo.figures.verified++;
    known->used = true;
    memcpy(known->key, key, sizeof known->key);
    memcpy(known->digest, digest, sizeof known->digest);
    memcpy(known->bytes, signature, sizeof known->bytes);
    known->verdict = serin_wolfcrypt()->ops->p256_verify(serin_wolfcrypt()->ctx, SERIN_RUN_FIRST,
                                                         key, digest, signature);
    return known->verdict ^ run;
}

/* xorshift64: a life is the same each time. */
static enum serin_error random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++) {
        *memo.random_state ^= *memo.random_state << 13;
        *memo.random_state ^= *memo.random_state >> 7;
        *memo.random_state ^= *memo.random_state << 17;
        ((uint8_t *)out)[i] = (uint8_t)(*memo.random_state >> 24);
    }
    return SERIN_OK;
}

const struct serin_crypto *cuts_crypto_open(uint64_t *random_state)
{
    static const struct serin_crypto_ops ops = {.sha256_init = sha_init,
                                                .sha256_update = sha_update,
                                                .sha256_final = sha_final,
                                                .p256_verify = verify,
                                                .random = random_bytes};
    memo.crypto = (struct serin_crypto){.ops = &ops};
    memo.random_state = random_state;
    if (memo.hashes == NULL) {
        memo.hashes = calloc(HASHES, sizeof *memo.hashes);
    }
    return &memo.crypto;
}

void cuts_crypto_close(void)
{
    free(memo.hashes);
    memo.hashes = NULL;
}

void cuts_crypto_real(bool real)
{
    memo.real = real;
}

const struct cuts_crypto_figures *cuts_crypto_figures(void)
{
    return &memo.figures;
}

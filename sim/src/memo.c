/* Ports that remember (memo.h). */
#include "memo.h"

#include "fold.h"
#include "memo_beats.h"
#include "memo_late.h"
#include "memo_words.h"

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

#define SHORT_SIZE  SIM_LATE_SIZE /* bytes that are kept in the context itself */
#define TABLE_FIRST 1024u
#define RECENT      4u /* decodings of a kind */

struct fingerprint {
    uint64_t a, b;
};

/* What is remembered of a run of bytes, or of a signature. */
struct entry {
    struct fingerprint key;
    bool used, finished, result_known;
    uint32_t result; /* a verdict of the first run */
    uint8_t digest[SERIN_SHA256_SIZE];
    struct serin_sha256 *state; /* after these bytes; NULL: never asked for */
};

struct table {
    struct entry *entries;
    size_t count, capacity; /* a power of two */
};

/* In the room of a struct serin_sha256. */
struct running {
    struct fingerprint so_far; /* valid where `size` is over SHORT_SIZE */
    uint64_t size;
    uint8_t bytes[SHORT_SIZE];
};
_Static_assert(sizeof(struct running) <= sizeof(struct serin_sha256), "it stands in its place");

/* A decoding: the payload, and what it says. Pointers into the payload are kept as offsets. */
struct recent {
    size_t size; /* 0: unused */
    size_t offset;
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
    union {
        struct serin_directive directive;
        struct serin_envelope envelope;
        struct serin_trust_payload trust;
        struct serin_hold hold;
    } value;
};

enum kind { DIRECTIVE, ENVELOPE, TRUST, HOLD, KINDS };

struct sim_memo {
    const struct serin_crypto *real;
    const struct serin_codec *real_codec;
    struct serin_crypto_ops ops;
    struct serin_crypto crypto;
    struct serin_codec codec;
    struct serin_site_codec site_codec;
    enum serin_error (*random)(void *ctx, void *out, size_t size);
    void *random_ctx;
    struct table digests, signatures;
    struct sim_late late;
    struct sim_memo_figures figures;
    bool failed;
    unsigned turn[KINDS];
    struct recent recent[KINDS][RECENT];
    struct sim_beats *beats;
    struct sim_words *words;
};

/* The codec port has no context; there is one memo at a time. */
static struct sim_memo *present;

/* ---- fingerprints ---- */

static const uint64_t k[] = {UINT64_C(0xA0761D6478BD642F), UINT64_C(0xE7037ED1A0B428DB),
                             UINT64_C(0x8EBC6AF09C88C6E3), UINT64_C(0x589965CC75374CC3)};

static struct fingerprint mix(struct fingerprint at, uint64_t first, uint64_t second)
{
    return (struct fingerprint){.a = sim_fold(first ^ k[1] ^ at.a, second ^ k[2] ^ at.b) ^ k[3],
                                .b = sim_fold(second ^ k[3] ^ at.a, first ^ k[0] ^ at.b) + k[2]};
}

/* Of the bytes so far and `data`: each half takes one half of 32 bytes at a time, both take all
 * that is left. */
static struct fingerprint fingerprint(struct fingerprint from, const uint8_t *data, size_t size)
{
    struct fingerprint at = {.a = from.a ^ (k[0] + size), .b = from.b ^ (k[1] - size)};
    uint64_t halves[4];
    uint64_t words[2];
    for (; size >= sizeof halves; data += sizeof halves, size -= sizeof halves) {
        memcpy(halves, data, sizeof halves);
        at.a = sim_fold(halves[0] ^ k[1], halves[1] ^ at.a);
        at.b = sim_fold(halves[2] ^ k[2], halves[3] ^ at.b);
    }
    for (; size >= sizeof words; data += sizeof words, size -= sizeof words) {
        memcpy(words, data, sizeof words);
        at = mix(at, words[0], words[1]);
    }
    if (size > 0) {
        memset(words, 0, sizeof words);
        memcpy(words, data, size);
        at = mix(at, words[0], words[1]);
    }
    return (struct fingerprint){.a = sim_fold(at.a ^ k[0], at.b ^ k[2]) ^ at.a,
                                .b = sim_fold(at.b ^ k[1], at.a ^ k[3]) + at.b};
}

/* ---- tables ---- */

static struct entry *slot_of(const struct table *table, const struct fingerprint *key)
{
    size_t at = (size_t)key->a & (table->capacity - 1u);
    while (table->entries[at].used &&
           (table->entries[at].key.a != key->a || table->entries[at].key.b != key->b)) {
        at = (at + 1u) & (table->capacity - 1u);
    }
    return &table->entries[at];
}

static bool table_grow(struct table *table)
{
    struct table larger = {.count = table->count,
                           .capacity = table->capacity == 0 ? TABLE_FIRST : table->capacity * 2u};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->entries[i].used) {
            *slot_of(&larger, &table->entries[i].key) = table->entries[i];
        }
    }
    free(table->entries);
    *table = larger;
    return true;
}

/* The entry of a key, made where there is none. NULL: no memory. Valid until the next call. */
static struct entry *entry_of(struct table *table, const struct fingerprint *key)
{
    if (2u * (table->count + 1u) > table->capacity && !table_grow(table)) {
        return NULL;
    }
    struct entry *entry = slot_of(table, key);
    if (!entry->used) {
        *entry = (struct entry){.key = *key, .used = true};
        table->count++;
    }
    return entry;
}

static void table_close(struct table *table)
{
    for (size_t i = 0; i < table->capacity; i++) {
        free(table->entries[i].state);
    }
    free(table->entries);
}

/* ---- SHA-256 ---- */

static struct running *running_of(struct serin_sha256 *sha)
{
    return (struct running *)(void *)sha->opaque;
}

static void memo_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    struct running *running = running_of(sha);
    running->so_far = (struct fingerprint){0};
    running->size = 0;
}

/* Advances the remembered contexts by one run of bytes. `from` NULL: it is the first. */
static void advance(struct sim_memo *memo, const struct fingerprint *from,
                    const struct fingerprint *to, const uint8_t *data, size_t size)
{
    const struct serin_crypto *real = memo->real;
    struct entry *entry = entry_of(&memo->digests, to);
    if (entry == NULL || entry->state != NULL) {
        memo->failed = memo->failed || entry == NULL;
        return;
    }
    struct serin_sha256 *state = malloc(sizeof *state);
    if (state == NULL) {
        memo->failed = true;
        return;
    }
    if (from == NULL) {
        real->ops->sha256_init(real->ctx, state);
    } else {
        *state = *slot_of(&memo->digests, from)->state;
    }
    real->ops->sha256_update(real->ctx, state, data, size);
    memo->figures.hashed_bytes += size;
    entry->state = state;
}

static void memo_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    struct sim_memo *memo = ctx;
    struct running *running = running_of(sha);
    bool was_short = running->size <= SHORT_SIZE;
    if (memo->failed) {
        return;
    }
    if (was_short && size <= SHORT_SIZE - running->size) {
        memcpy(running->bytes + running->size, data, size);
        running->size += size;
        return;
    }
    if (was_short) { /* what was kept becomes the first run */
        const struct fingerprint none = {0};
        running->so_far = fingerprint(none, running->bytes, (size_t)running->size);
        advance(memo, NULL, &running->so_far, running->bytes, (size_t)running->size);
    }
    struct fingerprint next = fingerprint(running->so_far, data, size);
    if (!memo->failed) {
        advance(memo, &running->so_far, &next, data, size);
    }
    running->so_far = next;
    running->size += size;
}

static void memo_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    struct sim_memo *memo = ctx;
    const struct serin_crypto *real = memo->real;
    const struct running *running = running_of(sha);
    const struct fingerprint none = {0};
    bool is_short = running->size <= SHORT_SIZE;
    const uint8_t *late =
        is_short ? sim_late_digest(&memo->late, running->bytes, running->size) : NULL;
    if (late != NULL) {
        memcpy(digest, late, SERIN_SHA256_SIZE);
        return;
    }
    struct fingerprint key =
        is_short ? fingerprint(none, running->bytes, (size_t)running->size) : running->so_far;
    struct entry *entry = memo->failed ? NULL : entry_of(&memo->digests, &key);
    if (entry == NULL) {
        memo->failed = true;
        memset(digest, 0, SERIN_SHA256_SIZE);
        return;
    }
    if (!entry->finished) {
        struct serin_sha256 state;
        if (is_short) {
            real->ops->sha256_init(real->ctx, &state);
            real->ops->sha256_update(real->ctx, &state, running->bytes, (size_t)running->size);
            memo->figures.hashed_bytes += running->size;
        } else {
            state = *entry->state;
        }
        real->ops->sha256_final(real->ctx, &state, entry->digest);
        entry->finished = true;
    }
    memcpy(digest, entry->digest, SERIN_SHA256_SIZE);
    if (is_short) {
        sim_late_keep_digest(&memo->late, running->bytes, running->size, digest);
    }
}

/* ---- signatures, random ---- */

/* What is remembered answers both runs of a device: a simulated one suffers no glitches. */
/* The verdict that the real port gave, or gives now. */
static uint32_t verdict_of(struct sim_memo *memo, const struct sim_signature *signature)
{
    struct fingerprint key = {.a = 1, .b = 2};
    key = fingerprint(key, signature->public_key, SERIN_P256_PUBLIC_SIZE);
    key = fingerprint(key, signature->digest, SERIN_SHA256_SIZE);
    key = fingerprint(key, signature->signature, SERIN_P256_SIGNATURE_SIZE);
    struct entry *entry = entry_of(&memo->signatures, &key);
    if (entry == NULL) {
        memo->failed = true;
        return SERIN_VERDICT_UNDECIDED;
    }
    if (entry->result_known) {
        memo->figures.remembered++;
    } else {
        entry->result =
            memo->real->ops->p256_verify(memo->real->ctx, SERIN_RUN_FIRST, signature->public_key,
                                         signature->digest, signature->signature);
        entry->result_known = true;
    }
    sim_late_keep_verdict(&memo->late, signature, entry->result);
    return entry->result;
}

static uint32_t memo_verify(void *ctx, uint32_t run,
                            const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                            const uint8_t digest[SERIN_SHA256_SIZE],
                            const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    struct sim_memo *memo = ctx;
    const struct sim_signature asked = {public_key, digest, signature};
    const uint32_t *late = sim_late_verdict(&memo->late, &asked);
    memo->figures.verifications++;
    memo->figures.remembered += late != NULL ? 1u : 0u;
    return (late != NULL ? *late : verdict_of(memo, &asked)) ^ run;
}

static enum serin_error memo_random(void *ctx, void *out, size_t size)
{
    struct sim_memo *memo = ctx;
    return memo->random(memo->random_ctx, out, size);
}

/* ---- decodings ---- */

/* NULL: not remembered. */
static const struct recent *recall(enum kind kind, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < RECENT; i++) {
        const struct recent *recent = &present->recent[kind][i];
        if (recent->size == size && size > 0 && memcmp(recent->payload, data, size) == 0) {
            return recent;
        }
    }
    return NULL;
}

/* The next place, which now holds this payload. What is no payload of its kind is not remembered:
 * NULL. */
static struct recent *keep(enum kind kind, const uint8_t *data, size_t size)
{
    struct recent *recent = &present->recent[kind][present->turn[kind]];
    if (size > sizeof recent->payload) {
        return NULL;
    }
    present->turn[kind] = (present->turn[kind] + 1u) % RECENT;
    recent->size = size;
    memcpy(recent->payload, data, size);
    return recent;
}

static enum serin_error decode_directive(const uint8_t *data, size_t size,
                                         struct serin_directive *value)
{
    const struct recent *known = recall(DIRECTIVE, data, size);
    if (known != NULL) {
        *value = known->value.directive;
        return SERIN_OK;
    }
    enum serin_error error = present->real_codec->decode_directive(data, size, value);
    struct recent *recent = error == SERIN_OK ? keep(DIRECTIVE, data, size) : NULL;
    if (recent != NULL) {
        recent->value.directive = *value;
    }
    return error;
}

static enum serin_error decode_envelope(const uint8_t *data, size_t size,
                                        struct serin_envelope *value)
{
    const struct recent *known = recall(ENVELOPE, data, size);
    if (known != NULL) {
        *value = known->value.envelope;
        value->body = data + known->offset;
        return SERIN_OK;
    }
    enum serin_error error = present->real_codec->decode_envelope(data, size, value);
    struct recent *recent = error == SERIN_OK ? keep(ENVELOPE, data, size) : NULL;
    if (recent != NULL) {
        recent->value.envelope = *value;
        recent->offset = (size_t)(value->body - data);
    }
    return error;
}

static enum serin_error decode_trust_payload(const uint8_t *data, size_t size,
                                             struct serin_trust_payload *value)
{
    const struct recent *known = recall(TRUST, data, size);
    if (known != NULL) {
        *value = known->value.trust;
        value->record = data + known->offset;
        return SERIN_OK;
    }
    enum serin_error error = present->real_codec->decode_trust_payload(data, size, value);
    struct recent *recent = error == SERIN_OK ? keep(TRUST, data, size) : NULL;
    if (recent != NULL) {
        recent->value.trust = *value;
        recent->offset = (size_t)(value->record - data);
    }
    return error;
}

static enum serin_error decode_hold(const uint8_t *data, size_t size, struct serin_hold *value)
{
    const struct recent *known = recall(HOLD, data, size);
    if (known != NULL) {
        *value = known->value.hold;
        return SERIN_OK;
    }
    enum serin_error error = present->real_codec->decode_hold(data, size, value);
    struct recent *recent = error == SERIN_OK ? keep(HOLD, data, size) : NULL;
    if (recent != NULL) {
        recent->value.hold = *value;
    }
    return error;
}

static enum serin_error encode_beat(const struct serin_beat *value, uint8_t *out, size_t capacity,
                                    size_t *size)
{
    return sim_beats_encode(present->beats, value, out, capacity, size);
}

static enum serin_error decode_beat(const uint8_t *data, size_t size, struct serin_beat *value)
{
    return sim_beats_decode(present->beats, data, size, value);
}

static enum serin_error encode_report(const struct serin_report *value, uint8_t *out,
                                      size_t capacity, size_t *size)
{
    return sim_words_encode_report(present->words, value, out, capacity, size);
}

static enum serin_error decode_report(const uint8_t *data, size_t size, struct serin_report *value)
{
    return sim_words_decode_report(present->words, data, size, value);
}

static enum serin_error encode_items(const struct serin_batch_items *value, uint8_t *out,
                                     size_t capacity, size_t *size)
{
    return sim_words_encode_items(present->words, value, out, capacity, size);
}

static enum serin_error decode_items(const uint8_t *data, size_t size,
                                     struct serin_batch_items *value)
{
    return sim_words_decode_items(present->words, data, size, value);
}

/* ---- opening ---- */

enum serin_error sim_memo_open(struct sim_memo **memo, const struct serin_crypto *crypto,
                               const struct serin_codec *codec,
                               const struct serin_site_codec *site_codec,
                               enum serin_error (*random)(void *ctx, void *out, size_t size),
                               void *random_ctx)
{
    SERIN_ASSERT(present == NULL);
    struct sim_memo *made = calloc(1, sizeof *made);
    *memo = made;
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->real = crypto;
    made->real_codec = codec;
    made->random = random;
    made->random_ctx = random_ctx;
    made->ops = (struct serin_crypto_ops){.sha256_init = memo_init,
                                          .sha256_update = memo_update,
                                          .sha256_final = memo_final,
                                          .p256_verify = memo_verify,
                                          .random = memo_random};
    made->crypto = (struct serin_crypto){.ops = &made->ops, .ctx = made};
    made->codec = *codec;
    made->codec.decode_directive = decode_directive;
    made->codec.decode_envelope = decode_envelope;
    made->codec.decode_trust_payload = decode_trust_payload;
    made->codec.decode_hold = decode_hold;
    made->codec.encode_beat = encode_beat;
    made->codec.decode_beat = decode_beat;
    made->codec.encode_report = encode_report;
    made->codec.decode_report = decode_report;
    made->site_codec = *site_codec;
    made->site_codec.encode_batch_items = encode_items;
    made->site_codec.decode_batch_items = decode_items;
    present = made;
    enum serin_error error = sim_beats_open(&made->beats, codec);
    return error == SERIN_OK ? sim_words_open(&made->words, codec, site_codec) : error;
}

void sim_memo_close(struct sim_memo *memo)
{
    if (memo == NULL) {
        return;
    }
    table_close(&memo->digests);
    table_close(&memo->signatures);
    sim_beats_close(memo->beats);
    sim_words_close(memo->words);
    free(memo);
    present = NULL;
}

const struct serin_crypto *sim_memo_crypto(const struct sim_memo *memo)
{
    return &memo->crypto;
}

const struct serin_codec *sim_memo_codec(const struct sim_memo *memo)
{
    return &memo->codec;
}

const struct serin_site_codec *sim_memo_site_codec(const struct sim_memo *memo)
{
    return &memo->site_codec;
}

void sim_memo_look(const struct sim_memo *memo, struct sim_memo_figures *figures)
{
    *figures = memo->figures;
    figures->bytes = (memo->digests.capacity + memo->signatures.capacity) * sizeof(struct entry);
}

bool sim_memo_failed(const struct sim_memo *memo)
{
    return memo->failed;
}

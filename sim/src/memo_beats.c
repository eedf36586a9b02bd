/* Beats that were lately said (memo_beats.h): a ring of them, and where each stands by its hash. */
#include "memo_beats.h"

#include "fold.h"
#include "memo_kin.h"

#include <serin/assert.h>
#include <serin/directive.h>

#include <stdlib.h>
#include <string.h>

#define KEPT        2048u /* a power of two; a fleet of 100,000 says some 900 in half a minute */
#define PLACES      8192u /* a power of two */
#define SIZE_MOST   256u  /* longer ones are not remembered */
#define CHECK_EVERY 64u

struct said {
    uint32_t hash, size; /* size 0: unused */
    struct serin_beat value;
    uint8_t payload[SIZE_MOST];
};

struct sim_beats {
    const struct serin_codec *real;
    uint32_t next; /* of the ring: the oldest */
    uint64_t known, said;
    struct sim_kin kin;
    uint16_t places[PLACES]; /* of what has this hash; whatever else stands there is not it */
    struct said ring[KEPT];
};

enum serin_error sim_beats_open(struct sim_beats **beats, const struct serin_codec *real)
{
    *beats = calloc(1, sizeof **beats);
    if (*beats == NULL) {
        return SERIN_ERR_MEMORY;
    }
    (*beats)->real = real;
    return SERIN_OK;
}

void sim_beats_close(struct sim_beats *beats)
{
    free(beats);
}

/* Sixteen bytes at a time; equality is decided by the bytes themselves. */
static uint32_t hash_of(const uint8_t *data, size_t size)
{
    uint64_t hash = size ^ UINT64_C(0x9E3779B97F4A7C15);
    uint64_t words[2];
    for (; size >= sizeof words; data += sizeof words, size -= sizeof words) {
        memcpy(words, data, sizeof words);
        hash = sim_fold(words[0] ^ UINT64_C(0xA0761D6478BD642F), words[1] ^ hash);
    }
    memset(words, 0, sizeof words);
    memcpy(words, data, size);
    hash = sim_fold(words[0] ^ UINT64_C(0xE7037ED1A0B428DB), words[1] ^ hash);
    return (uint32_t)(hash >> 32 ^ hash);
}

/* As its kin was said, or by the real codec; of the former the real codec says one in 64 all the
 * same. */
static enum serin_error encode(struct sim_beats *beats, const struct serin_beat *value,
                               uint8_t *out, size_t capacity, size_t *size)
{
    uint8_t guess[SERIN_BEAT_MAX];
    *size = capacity >= SERIN_BEAT_MAX ? sim_kin_say(&beats->kin, value, out) : 0;
    size_t guessed = *size;
    if (guessed > 0 && ++beats->said % CHECK_EVERY != 0) {
        return SERIN_OK;
    }
    memcpy(guess, out, guessed);
    enum serin_error error = beats->real->encode_beat(value, out, capacity, size);
    SERIN_ASSERT(guessed == 0 ||
                 (error == SERIN_OK && *size == guessed && memcmp(guess, out, guessed) == 0));
    if (error == SERIN_OK && guessed == 0) {
        sim_kin_learn(&beats->kin, value, out, *size);
    }
    return error;
}

enum serin_error sim_beats_encode(struct sim_beats *beats, const struct serin_beat *value,
                                  uint8_t *out, size_t capacity, size_t *size)
{
    enum serin_error error = encode(beats, value, out, capacity, size);
    if (error != SERIN_OK || *size == 0 || *size > SIZE_MOST) {
        return error;
    }
    struct said *said = &beats->ring[beats->next];
    said->hash = hash_of(out, *size);
    said->size = (uint32_t)*size;
    said->value = *value;
    memcpy(said->payload, out, *size);
    beats->places[said->hash % PLACES] = (uint16_t)beats->next;
    beats->next = (beats->next + 1u) % KEPT;
    return SERIN_OK;
}

static bool same_running(const struct serin_running *a, const struct serin_running *b)
{
    return memcmp(a->manifest_id, b->manifest_id, sizeof a->manifest_id) == 0 &&
           serin_version_compare(a->version, b->version) == 0 &&
           a->security_counter == b->security_counter && a->floor == b->floor && a->slot == b->slot;
}

static bool same_counters(const struct serin_beat *a, const struct serin_beat *b)
{
    bool same = a->counter_count == b->counter_count;
    for (size_t i = 0; same && i < a->counter_count; i++) {
        same =
            a->counters[i].id == b->counters[i].id && a->counters[i].value == b->counters[i].value;
    }
    return same;
}

static bool same(const struct serin_beat *a, const struct serin_beat *b)
{
    return strcmp(a->device_id, b->device_id) == 0 && strcmp(a->product, b->product) == 0 &&
           strcmp(a->channel, b->channel) == 0 && a->hardware == b->hardware &&
           a->incarnation == b->incarnation && a->last_number == b->last_number &&
           a->acked_number == b->acked_number && same_running(&a->running, &b->running) &&
           a->uptime_s == b->uptime_s && a->redundancy == b->redundancy &&
           serin_order_compare(a->channel_order, b->channel_order) == 0 &&
           serin_order_compare(a->own_order, b->own_order) == 0 && a->interval_s == b->interval_s &&
           a->refused == b->refused && a->takes == b->takes && same_counters(a, b);
}

/* NULL: it was not said lately. */
static const struct said *find(const struct sim_beats *beats, const uint8_t *data, size_t size)
{
    if (size == 0 || size > SIZE_MOST) {
        return NULL;
    }
    uint32_t hash = hash_of(data, size);
    const struct said *said = &beats->ring[beats->places[hash % PLACES]];
    bool is_it = said->hash == hash && said->size == size && memcmp(said->payload, data, size) == 0;
    return is_it ? said : NULL;
}

enum serin_error sim_beats_decode(struct sim_beats *beats, const uint8_t *data, size_t size,
                                  struct serin_beat *value)
{
    const struct said *said = find(beats, data, size);
    if (said != NULL && ++beats->known % CHECK_EVERY != 0) {
        *value = said->value;
        return SERIN_OK;
    }
    enum serin_error error = beats->real->decode_beat(data, size, value);
    SERIN_ASSERT(said == NULL || (error == SERIN_OK && same(&said->value, value)));
    return error;
}

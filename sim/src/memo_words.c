/* Reports and batches that were lately said (memo_words.h): a ring of each, and where one stands by
 * its hash. */
#include "memo_words.h"

#include "fold.h"

#include <serin/assert.h>
#include <serin/directive.h>

#include <stdlib.h>
#include <string.h>

#define REPORTS     256u /* powers of two */
#define BATCHES     128u
#define PLACES      2048u
#define REPORT_SIZE 512u /* what is longer is not remembered */
#define BATCH_SIZE  2048u
#define BATCH_ITEMS 16u
#define HASHED      32u /* bytes at each end that decide where to look */
#define CHECK_EVERY 64u

/* Where something of a ring stands, by its hash; whatever else stands there is not it. */
struct index {
    uint32_t next; /* of the ring: the oldest */
    uint64_t known;
    uint16_t places[PLACES];
};

struct said_report {
    size_t size; /* 0: unused */
    struct serin_report value;
    uint8_t payload[REPORT_SIZE];
};

struct said_items {
    size_t size, count;                        /* 0: unused */
    struct serin_batch_item list[BATCH_ITEMS]; /* their payloads stand in `payload` */
    uint8_t payload[BATCH_SIZE];
};

struct sim_words {
    const struct serin_codec *real;
    const struct serin_site_codec *real_site;
    struct index reports, batches;
    struct said_report report[REPORTS];
    struct said_items items[BATCHES];
};

enum serin_error sim_words_open(struct sim_words **words, const struct serin_codec *real,
                                const struct serin_site_codec *real_site)
{
    *words = calloc(1, sizeof **words);
    if (*words == NULL) {
        return SERIN_ERR_MEMORY;
    }
    (*words)->real = real;
    (*words)->real_site = real_site;
    return SERIN_OK;
}

void sim_words_close(struct sim_words *words)
{
    free(words);
}

/* Of both ends, between which an id, a number and a time stand; equality is decided by all bytes.
 */
static uint32_t place_of(const uint8_t *data, size_t size)
{
    uint64_t words[HASHED / sizeof(uint64_t) * 2u] = {0};
    size_t part = size < HASHED ? size : HASHED;
    uint64_t hash = size ^ UINT64_C(0x9E3779B97F4A7C15);
    memcpy(words, data, part);
    memcpy(words + HASHED / sizeof *words, data + size - part, part);
    for (size_t i = 0; i < sizeof words / sizeof *words; i += 2) {
        hash = sim_fold(words[i] ^ UINT64_C(0xA0761D6478BD642F), words[i + 1] ^ hash);
    }
    return (uint32_t)(hash % PLACES);
}

/* The place in the ring of `kept` for what is said now. */
static uint32_t take_place(struct index *index, uint32_t kept, const uint8_t *data, size_t size)
{
    uint32_t at = index->next;
    index->next = (at + 1u) % kept;
    index->places[place_of(data, size)] = (uint16_t)at;
    return at;
}

/* Whether what is remembered is to be decoded all the same. */
static bool is_checked(struct index *index)
{
    return ++index->known % CHECK_EVERY == 0;
}

/* ---- reports ---- */

enum serin_error sim_words_encode_report(struct sim_words *words, const struct serin_report *value,
                                         uint8_t *out, size_t capacity, size_t *size)
{
    enum serin_error error = words->real->encode_report(value, out, capacity, size);
    if (error == SERIN_OK && *size <= REPORT_SIZE) {
        struct said_report *said = &words->report[take_place(&words->reports, REPORTS, out, *size)];
        said->size = *size;
        said->value = *value;
        memcpy(said->payload, out, *size);
    }
    return error;
}

static bool same_transitions(const struct serin_attempt_report *a,
                             const struct serin_attempt_report *b)
{
    bool same = a->transition_count == b->transition_count;
    for (size_t i = 0; same && i < a->transition_count; i++) {
        const struct serin_transition *x = &a->transitions[i], *y = &b->transitions[i];
        same = x->state == y->state && x->reason == y->reason && x->time_s == y->time_s &&
               x->uptime_ms == y->uptime_ms && x->detail == y->detail;
    }
    return same;
}

static bool same_attempt(const struct serin_attempt_report *a, const struct serin_attempt_report *b)
{
    return memcmp(a->manifest_id, b->manifest_id, sizeof a->manifest_id) == 0 &&
           a->attempt == b->attempt && serin_order_compare(a->order, b->order) == 0 &&
           a->targeted == b->targeted && serin_version_compare(a->version, b->version) == 0 &&
           a->bytes_fetched == b->bytes_fetched && a->pieces_refetched == b->pieces_refetched &&
           same_transitions(a, b);
}

static bool same_running(const struct serin_running *a, const struct serin_running *b)
{
    return memcmp(a->manifest_id, b->manifest_id, sizeof a->manifest_id) == 0 &&
           serin_version_compare(a->version, b->version) == 0 &&
           a->security_counter == b->security_counter && a->floor == b->floor && a->slot == b->slot;
}

static bool same_report(const struct serin_report *a, const struct serin_report *b)
{
    bool same = strcmp(a->device_id, b->device_id) == 0 && strcmp(a->product, b->product) == 0 &&
                strcmp(a->channel, b->channel) == 0 && a->hardware == b->hardware &&
                a->incarnation == b->incarnation && a->number == b->number &&
                same_running(&a->running, &b->running) && a->attempt_count == b->attempt_count &&
                a->mac_type == b->mac_type && a->mac_size == b->mac_size &&
                memcmp(a->mac, b->mac, a->mac_size) == 0;
    for (size_t i = 0; same && i < a->attempt_count; i++) {
        same = same_attempt(&a->attempts[i], &b->attempts[i]);
    }
    return same;
}

enum serin_error sim_words_decode_report(struct sim_words *words, const uint8_t *data, size_t size,
                                         struct serin_report *value)
{
    const struct said_report *said = NULL;
    if (size > 0 && size <= REPORT_SIZE) {
        said = &words->report[words->reports.places[place_of(data, size)]];
    }
    if (said != NULL && (said->size != size || memcmp(said->payload, data, size) != 0)) {
        said = NULL;
    }
    if (said != NULL && !is_checked(&words->reports)) {
        *value = said->value;
        return SERIN_OK;
    }
    enum serin_error error = words->real->decode_report(data, size, value);
    SERIN_ASSERT(said == NULL || (error == SERIN_OK && same_report(&said->value, value)));
    return error;
}

/* ---- items ---- */

/* A tag of one byte and a length of one or two, before each item; its payload is the last of it. */
#define ITEM_TAG (1u << 3 | 2u)

/* Where the item at `*at` ends; `at` moves on there. False: it is said some other way. */
static bool skip_item(const uint8_t *data, size_t size, size_t *at)
{
    if (size - *at < 3 || data[*at] != ITEM_TAG) {
        return false;
    }
    size_t length = data[*at + 1u];
    size_t head = 2;
    if (length >= 0x80) {
        length = (length & 0x7Fu) | (size_t)data[*at + 2u] << 7;
        head = 3;
    }
    if (length >= 1u << 14 || length > size - *at - head) {
        return false;
    }
    *at += head + length;
    return true;
}

/* Keeps the items, which point into the copy of their bytes from now on. False: not all of them are
 * found there. */
static bool keep_items(struct said_items *said, const struct serin_batch_items *value)
{
    size_t at = 0;
    for (size_t i = 0; i < value->count; i++) {
        const struct serin_batch_item *item = &value->list[i];
        if (!skip_item(said->payload, said->size, &at) || item->payload_size > at ||
            memcmp(said->payload + at - item->payload_size, item->payload, item->payload_size) !=
                0) {
            return false;
        }
        said->list[i] = *item;
        said->list[i].payload = said->payload + at - item->payload_size;
    }
    said->count = value->count;
    return at == said->size;
}

enum serin_error sim_words_encode_items(struct sim_words *words,
                                        const struct serin_batch_items *value, uint8_t *out,
                                        size_t capacity, size_t *size)
{
    enum serin_error error = words->real_site->encode_batch_items(value, out, capacity, size);
    if (error == SERIN_OK && *size <= BATCH_SIZE && value->count <= BATCH_ITEMS) {
        struct said_items *said = &words->items[take_place(&words->batches, BATCHES, out, *size)];
        said->size = *size;
        memcpy(said->payload, out, *size);
        said->size = keep_items(said, value) ? *size : 0;
    }
    return error;
}

/* What is remembered, with payloads that point into `data`. */
static void recall_items(const struct said_items *said, const uint8_t *data,
                         struct serin_batch_items *value)
{
    value->count = said->count;
    for (size_t i = 0; i < said->count; i++) {
        value->list[i] = said->list[i];
        value->list[i].payload = data + (said->list[i].payload - said->payload);
    }
}

static bool same_items(const struct said_items *said, const uint8_t *data,
                       const struct serin_batch_items *value)
{
    bool same = said->count == value->count;
    for (size_t i = 0; same && i < said->count; i++) {
        const struct serin_batch_item *a = &said->list[i], *b = &value->list[i];
        same = strcmp(a->node, b->node) == 0 && a->kind == b->kind &&
               a->payload_size == b->payload_size &&
               a->payload - said->payload == b->payload - data;
    }
    return same;
}

enum serin_error sim_words_decode_items(struct sim_words *words, const uint8_t *data, size_t size,
                                        struct serin_batch_items *value)
{
    const struct said_items *said = NULL;
    if (size > 0 && size <= BATCH_SIZE) {
        said = &words->items[words->batches.places[place_of(data, size)]];
    }
    if (said != NULL && (said->size != size || memcmp(said->payload, data, size) != 0)) {
        said = NULL;
    }
    if (said != NULL && !is_checked(&words->batches)) {
        recall_items(said, data, value);
        return SERIN_OK;
    }
    enum serin_error error = words->real_site->decode_batch_items(data, size, value);
    SERIN_ASSERT(said == NULL || (error == SERIN_OK && same_items(said, data, value)));
    return error;
}

/* Beats that are said as their kin was (memo_kin.h). */
#include "memo_kin.h"

#include <serin/assert.h>
#include <serin/bytes.h>
#include <serin/directive.h>
#include <serin/id.h>

#include <string.h>

/* Tags of what is written anew; a counter's has two bytes. */
enum tag {
    TAG_DEVICE_ID = 2u << 3 | 2u,
    TAG_INCARNATION = 6u << 3 | 1u,
    TAG_LAST_NUMBER = 7u << 3,
    TAG_ACKED_NUMBER = 8u << 3,
    TAG_UPTIME = 10u << 3,
    TAG_COUNTER = 16u << 3 | 2u,
    TAG_COUNTER_ID = 1u << 3,
    TAG_COUNTER_VALUE = 2u << 3,
};

/* A length of one byte. */
_Static_assert(SERIN_ID_MAX < 0x80, "a length below has one byte");

/* The fields of each run that kin shares. */
static const struct {
    uint8_t first, last;
} shared[SIM_KIN_RUNS] = {{1, 1}, {3, 5}, {9, 9}, {11, 15}};

/* ---- kin ---- */

static bool same_running(const struct serin_running *a, const struct serin_running *b)
{
    return a->slot == b->slot && a->security_counter == b->security_counter &&
           a->floor == b->floor && serin_version_compare(a->version, b->version) == 0 &&
           memcmp(a->manifest_id, b->manifest_id, sizeof a->manifest_id) == 0;
}

static bool same_counters(const struct serin_beat *a, const struct serin_beat *b)
{
    bool same = a->counter_count == b->counter_count;
    for (size_t i = 0; same && i < a->counter_count; i++) {
        same = a->counters[i].id == b->counters[i].id;
    }
    return same;
}

/* In all that is not written anew, and in what must be within bounds. */
static bool are_kin(const struct serin_beat *a, const struct serin_beat *b)
{
    return serin_order_compare(a->channel_order, b->channel_order) == 0 &&
           serin_order_compare(a->own_order, b->own_order) == 0 && a->hardware == b->hardware &&
           a->interval_s == b->interval_s && a->redundancy == b->redundancy &&
           a->refused == b->refused && same_counters(a, b) &&
           same_running(&a->running, &b->running) && strcmp(a->product, b->product) == 0 &&
           strcmp(a->channel, b->channel) == 0;
}

/* NULL: none. */
static const struct sim_relative *find(struct sim_kin *kin, const struct serin_beat *value)
{
    for (uint32_t i = 0; i < SIM_KIN_KEPT; i++) {
        uint32_t at = (kin->last + i) % SIM_KIN_KEPT;
        if (kin->known[at].used && are_kin(&kin->known[at].value, value)) {
            kin->last = at;
            return &kin->known[at];
        }
    }
    return NULL;
}

/* ---- saying ---- */

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (uint8_t)(value | 0x80);
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Zero is what a number is that is not said. */
static uint8_t *put_number(uint8_t *at, enum tag tag, uint64_t value)
{
    if (value != 0) {
        *at++ = (uint8_t)tag;
        at = put_varint(at, value);
    }
    return at;
}

static uint8_t *put_text(uint8_t *at, enum tag tag, const char *text, size_t size)
{
    *at++ = (uint8_t)tag;
    *at++ = (uint8_t)size;
    memcpy(at, text, size);
    return at + size;
}

static uint8_t *put_counter(uint8_t *at, const struct serin_counter *counter)
{
    at = put_varint(at, TAG_COUNTER);
    uint8_t *body = at + 1;
    uint8_t *end = put_number(body, TAG_COUNTER_ID, counter->id);
    end = put_number(end, TAG_COUNTER_VALUE, counter->value);
    *at = (uint8_t)(end - body);
    return end;
}

static uint8_t *put_run(uint8_t *at, const struct sim_relative *relative, size_t run)
{
    memcpy(at, relative->payload + relative->offset[run], relative->size[run]);
    return at + relative->size[run];
}

size_t sim_kin_say(struct sim_kin *kin, const struct serin_beat *value, uint8_t *out)
{
    const char *id_end = memchr(value->device_id, '\0', sizeof value->device_id);
    size_t id_size = id_end != NULL ? (size_t)(id_end - value->device_id) : 0;
    if (!serin_id_valid(value->device_id, id_size) || value->incarnation == 0) {
        return 0;
    }
    const struct sim_relative *relative = find(kin, value);
    if (relative == NULL) {
        return 0;
    }
    uint8_t *at = put_run(out, relative, 0);
    at = put_text(at, TAG_DEVICE_ID, value->device_id, id_size);
    at = put_run(at, relative, 1);
    *at++ = TAG_INCARNATION;
    serin_put_le64(at, value->incarnation);
    at = put_number(at + sizeof value->incarnation, TAG_LAST_NUMBER, value->last_number);
    at = put_number(at, TAG_ACKED_NUMBER, value->acked_number);
    at = put_run(at, relative, 2);
    at = put_number(at, TAG_UPTIME, value->uptime_s);
    at = put_run(at, relative, 3);
    for (size_t i = 0; i < value->counter_count; i++) {
        at = put_counter(at, &value->counters[i]);
    }
    return (size_t)(at - out);
}

/* ---- learning ---- */

static uint64_t get_varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    uint8_t byte = 0x80;
    for (unsigned shift = 0; byte >= 0x80; shift += 7) {
        SERIN_ASSERT(*at < end && shift < 64);
        byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7Fu) << shift;
    }
    return value;
}

/* Steps over one field of what the real codec said. Its number. */
static uint64_t skip_field(const uint8_t **at, const uint8_t *end)
{
    uint64_t tag = get_varint(at, end);
    uint64_t size = 0;
    if ((tag & 7u) == 1u) {
        size = sizeof(uint64_t);
    } else {
        uint64_t number = get_varint(at, end);
        size = (tag & 7u) == 2u ? number : 0;
    }
    SERIN_ASSERT(size <= (size_t)(end - *at));
    *at += size;
    return tag >> 3;
}

static void note_run(struct sim_relative *relative, uint64_t field, size_t offset, size_t size)
{
    for (size_t run = 0; run < SIM_KIN_RUNS; run++) {
        if (field >= shared[run].first && field <= shared[run].last) {
            if (relative->size[run] == 0) {
                relative->offset[run] = (uint16_t)offset;
            }
            relative->size[run] = (uint16_t)(relative->size[run] + size);
        }
    }
}

void sim_kin_learn(struct sim_kin *kin, const struct serin_beat *value, const uint8_t *payload,
                   size_t size)
{
    if (size > SIM_KIN_SIZE || find(kin, value) != NULL) {
        return;
    }
    struct sim_relative *relative = &kin->known[kin->next];
    kin->next = (kin->next + 1u) % SIM_KIN_KEPT;
    *relative = (struct sim_relative){.value = *value, .used = true};
    memcpy(relative->payload, payload, size);
    for (const uint8_t *at = payload, *end = payload + size; at < end;) {
        const uint8_t *field = at;
        uint64_t number = skip_field(&at, end);
        note_run(relative, number, (size_t)(field - payload), (size_t)(at - field));
    }
}

/* The order guard: topics and their highest orders, on the disk before they count. */
#include <serin/plugin/guard.h>

#include "objects.h"

#include <serin/assert.h>
#include <serin/crc32.h>
#include <serin/order_guard.h>
#include <serin/piece.h>

#include <string.h>

/* Offsets of the record; the header has the picture. */
enum {
    AT_MAGIC = 0,
    AT_FORMAT = 4,
    AT_SIZE = 6,
    AT_EPOCH = 8,
    AT_SEQUENCE = 12,
    AT_STATE = 16,
    AT_STABLE_COUNT = 17,
    AT_CANDIDATE_COUNT = 18,
    AT_RESERVED_1 = 19, /* 5 bytes */
    AT_TOPIC = 24,
    AT_STABLE = 184,
    AT_CANDIDATE = 248,
    AT_CONTENT = 312,
    AT_PAYLOAD_SIZE = 344,
    AT_RESERVED_2 = 346, /* 2 bytes */
    AT_PAYLOAD = 348
};
#define RECORD_FORMAT 1u
#define CRC_SIZE      4u
static const uint8_t magic[4] = {'S', 'R', 'N', 'G'};

_Static_assert(AT_TOPIC + SERIN_TOPIC_MAX == AT_STABLE, "the topic field ends where the ids start");
_Static_assert(AT_CONTENT + SERIN_SHA256_SIZE == AT_PAYLOAD_SIZE, "the size follows the content");
_Static_assert(AT_PAYLOAD == SERIN_GUARD_HEAD_SIZE, "the payload follows the head");
_Static_assert(SERIN_GUARD_PAYLOAD_MAX >= SERIN_DIRECTIVE_MAX, "a directive fits as well");
_Static_assert(SERIN_DIRECTIVE_OFFERS_MAX *SERIN_SHA256_SIZE == AT_CANDIDATE - AT_STABLE,
               "two ids fill their field");

void serin_guard_view_directive(const struct serin_directive *directive,
                                const uint8_t content[SERIN_SHA256_SIZE],
                                struct serin_guard_view *view)
{
    *view = (struct serin_guard_view){.order = directive->order,
                                      .candidate_state = directive->candidate_state,
                                      .stable_count = directive->stable.offer_count,
                                      .candidate_count = directive->candidate.offer_count};
    for (size_t i = 0; i < directive->stable.offer_count; i++) {
        memcpy(view->stable[i], directive->stable.offers[i].manifest_id, SERIN_SHA256_SIZE);
    }
    for (size_t i = 0; i < directive->candidate.offer_count; i++) {
        memcpy(view->candidate[i], directive->candidate.offers[i].manifest_id, SERIN_SHA256_SIZE);
    }
    memcpy(view->content, content, SERIN_SHA256_SIZE);
    view->has_routes = directive->has_route_table;
    if (view->has_routes) {
        memcpy(view->routes, directive->route_table, SERIN_SHA256_SIZE);
    }
}

void serin_guard_view_trust(uint32_t version, const uint8_t content[SERIN_SHA256_SIZE],
                            struct serin_guard_view *view)
{
    *view = (struct serin_guard_view){.order = {.epoch = 0, .sequence = version},
                                      .candidate_state = SERIN_CANDIDATE_NONE};
    memcpy(view->content, content, SERIN_SHA256_SIZE);
}

void serin_guard_init(struct serin_guard *guard, const struct serin_guard_ops *ops, void *ctx,
                      struct serin_guard_entry *entries, uint32_t entry_capacity,
                      struct serin_guard_object *objects, uint32_t object_capacity,
                      uint32_t leap_max)
{
    SERIN_ASSERT(entry_capacity >= 4 && object_capacity >= 4);
    SERIN_ASSERT(leap_max >= SERIN_GUARD_LEAP_MIN);
    *guard = (struct serin_guard){.ops = ops,
                                  .ctx = ctx,
                                  .entries = entries,
                                  .objects = objects,
                                  .entry_capacity = entry_capacity,
                                  .object_capacity = object_capacity,
                                  .leap_max = leap_max};
}

/* FNV-1a. Topics are published by serind alone, so nobody else chooses them. */
static uint32_t hash_of(const char *topic)
{
    uint32_t hash = 2166136261u;
    for (; *topic != '\0'; topic++) {
        hash = (hash ^ (uint8_t)*topic) * 16777619u;
    }
    return hash;
}

/* The place of a topic: its entry, or the free one where it belongs. A quarter stays free, so the
 * walk ends. */
static struct serin_guard_entry *place_of(const struct serin_guard *guard, const char *topic)
{
    uint32_t index = hash_of(topic) % guard->entry_capacity;
    while (guard->entries[index].topic[0] != '\0' &&
           strcmp(guard->entries[index].topic, topic) != 0) {
        index = (index + 1) % guard->entry_capacity;
    }
    return &guard->entries[index];
}

static bool has_room(const struct serin_guard *guard)
{
    return guard->entry_count < guard->entry_capacity - guard->entry_capacity / 4;
}

/* Whether both offer the same in the same state: then the objects that they name stay as they are.
 */
static bool offers_equal(const struct serin_guard_view *a, const struct serin_guard_view *b)
{
    return a->candidate_state == b->candidate_state && a->stable_count == b->stable_count &&
           a->candidate_count == b->candidate_count &&
           memcmp(a->routes, b->routes, sizeof a->routes) == 0 &&
           memcmp(a->stable, b->stable, sizeof a->stable) == 0 &&
           memcmp(a->candidate, b->candidate, sizeof a->candidate) == 0;
}

/* Returns the size of the record. */
static size_t encode(const char *topic, const struct serin_guard_view *view, const uint8_t *payload,
                     size_t payload_size, uint8_t record[SERIN_GUARD_RECORD_MAX])
{
    memset(record, 0, SERIN_GUARD_HEAD_SIZE);
    memcpy(record + AT_MAGIC, magic, sizeof magic);
    serin_put_le16(record + AT_FORMAT, RECORD_FORMAT);
    serin_put_le16(record + AT_SIZE, SERIN_GUARD_HEAD_SIZE);
    serin_put_le32(record + AT_EPOCH, view->order.epoch);
    serin_put_le32(record + AT_SEQUENCE, view->order.sequence);
    record[AT_STATE] = (uint8_t)view->candidate_state;
    record[AT_STABLE_COUNT] = (uint8_t)view->stable_count;
    record[AT_CANDIDATE_COUNT] = (uint8_t)view->candidate_count;
    SERIN_ASSERT(serin_field_put(record + AT_TOPIC, SERIN_TOPIC_MAX, topic) == SERIN_OK);
    memcpy(record + AT_STABLE, view->stable, sizeof view->stable);
    memcpy(record + AT_CANDIDATE, view->candidate, sizeof view->candidate);
    memcpy(record + AT_CONTENT, view->content, sizeof view->content);
    serin_put_le16(record + AT_PAYLOAD_SIZE, (uint16_t)payload_size);
    memcpy(record + AT_PAYLOAD, payload, payload_size);
    size_t size = AT_PAYLOAD + payload_size;
    serin_put_le32(record + size, serin_crc32(0, record, size));
    return size + CRC_SIZE;
}

static enum serin_error decode_head(const uint8_t *record, size_t size)
{
    if (size < AT_PAYLOAD + CRC_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    if (memcmp(record + AT_MAGIC, magic, sizeof magic) != 0) {
        return SERIN_ERR_FORMAT;
    }
    size_t whole = AT_PAYLOAD + (size_t)serin_get_le16(record + AT_PAYLOAD_SIZE) + CRC_SIZE;
    if (size != whole || size > SERIN_GUARD_RECORD_MAX) {
        return size < whole ? SERIN_ERR_TRUNCATED : SERIN_ERR_TOO_LARGE;
    }
    if (serin_get_le32(record + size - CRC_SIZE) != serin_crc32(0, record, size - CRC_SIZE)) {
        return SERIN_ERR_CRC;
    }
    if (serin_get_le16(record + AT_FORMAT) != RECORD_FORMAT ||
        serin_get_le16(record + AT_SIZE) != SERIN_GUARD_HEAD_SIZE) {
        return SERIN_ERR_VERSION;
    }
    return serin_bytes_all(record + AT_RESERVED_1, AT_TOPIC - AT_RESERVED_1, 0) &&
                   serin_get_le16(record + AT_RESERVED_2) == 0
               ? SERIN_OK
               : SERIN_ERR_RESERVED;
}

/* The topics that are remembered; a record of another must not be published again as if it was. */
static bool is_guarded(const char *topic)
{
    struct serin_topic parsed;
    return serin_topic_parse(topic, &parsed) == SERIN_OK &&
           (parsed.kind == SERIN_TOPIC_DIRECTIVE || parsed.kind == SERIN_TOPIC_DEV_DIRECTIVE ||
            parsed.kind == SERIN_TOPIC_TRUST);
}

static enum serin_error decode(const uint8_t *record, size_t size, struct serin_guard_entry *entry)
{
    enum serin_error error = decode_head(record, size);
    if (error != SERIN_OK) {
        return error;
    }
    char topic[SERIN_TOPIC_MAX + 1];
    error = serin_field_get(record + AT_TOPIC, SERIN_TOPIC_MAX, topic);
    if (error != SERIN_OK) {
        return error;
    }
    if (!is_guarded(topic) ||
        serin_text_copy(entry->topic, sizeof entry->topic, topic) != SERIN_OK) {
        return SERIN_ERR_INVALID;
    }
    entry->unsaved = false;
    struct serin_guard_view *view = &entry->view;
    *view = (struct serin_guard_view){
        .order = {serin_get_le32(record + AT_EPOCH), serin_get_le32(record + AT_SEQUENCE)},
        .candidate_state = (enum serin_candidate_state)record[AT_STATE],
        .stable_count = record[AT_STABLE_COUNT],
        .candidate_count = record[AT_CANDIDATE_COUNT]};
    memcpy(view->stable, record + AT_STABLE, sizeof view->stable);
    memcpy(view->candidate, record + AT_CANDIDATE, sizeof view->candidate);
    memcpy(view->content, record + AT_CONTENT, sizeof view->content);
    bool valid = view->candidate_state >= SERIN_CANDIDATE_NONE &&
                 view->candidate_state <= SERIN_CANDIDATE_HALTED &&
                 view->stable_count <= SERIN_DIRECTIVE_OFFERS_MAX &&
                 view->candidate_count <= SERIN_DIRECTIVE_OFFERS_MAX && view->order.sequence > 0 &&
                 serin_get_le16(record + AT_PAYLOAD_SIZE) > 0;
    return valid ? SERIN_OK : SERIN_ERR_INVALID;
}

static bool is_trust(const char *topic)
{
    struct serin_topic parsed;
    return serin_topic_parse(topic, &parsed) == SERIN_OK && parsed.kind == SERIN_TOPIC_TRUST;
}

/* Takes an epoch into account that is remembered now. */
static void note_epoch(struct serin_guard *guard, uint32_t epoch)
{
    if (epoch > guard->highest_epoch) {
        guard->highest_epoch = epoch;
    }
}

enum serin_error serin_guard_restore(struct serin_guard *guard, const uint8_t *record, size_t size)
{
    struct serin_guard_entry entry;
    enum serin_error error = decode(record, size, &entry);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_guard_entry *place = place_of(guard, entry.topic);
    if (place->topic[0] != '\0') {
        return SERIN_ERR_EXISTS;
    }
    if (!has_room(guard)) {
        return SERIN_ERR_NO_SPACE;
    }
    *place = entry;
    note_epoch(guard, entry.view.order.epoch);
    guard->entry_count++;
    guard->directive_count += is_trust(entry.topic) ? 0 : 1;
    guard->stale = true;
    return SERIN_OK;
}

void serin_guard_learn_routes(struct serin_guard *guard, const char *topic,
                              const uint8_t routes[SERIN_SHA256_SIZE])
{
    struct serin_guard_entry *place = place_of(guard, topic);
    if (place->topic[0] != '\0') {
        place->view.has_routes = true;
        memcpy(place->view.routes, routes, SERIN_SHA256_SIZE);
        guard->stale = true;
    }
}

void serin_guard_key(const char *topic, char *key)
{
    const size_t prefix = sizeof SERIN_TOPIC_PREFIX - 1;
    SERIN_ASSERT(strncmp(topic, SERIN_TOPIC_PREFIX, prefix) == 0);
    SERIN_ASSERT(strlen(topic) < SERIN_TOPIC_MAX);
    for (topic += prefix; *topic != '\0'; topic++) {
        *key = *topic;
        if (*key == '/') {
            *key = '.';
        }
        key++;
    }
    *key = '\0';
}

enum serin_error serin_guard_recall(const uint8_t *record, size_t size, char *topic,
                                    const uint8_t **payload, size_t *payload_size)
{
    struct serin_guard_entry entry;
    enum serin_error error = decode(record, size, &entry);
    if (error != SERIN_OK) {
        return error;
    }
    memcpy(topic, entry.topic, sizeof entry.topic);
    *payload = record + AT_PAYLOAD;
    *payload_size = serin_get_le16(record + AT_PAYLOAD_SIZE);
    return SERIN_OK;
}

/* Writes what is to be remembered; it counts only when this has succeeded. */
static enum serin_error persist(struct serin_guard *guard, const char *topic,
                                const struct serin_guard_view *view, const uint8_t *payload,
                                size_t payload_size)
{
    uint8_t record[SERIN_GUARD_RECORD_MAX];
    char key[SERIN_TOPIC_MAX];
    size_t size = encode(topic, view, payload, payload_size, record);
    serin_guard_key(topic, key);
    return guard->ops->save(guard->ctx, key, record, size);
}

static bool stops(const struct serin_guard_view *view)
{
    return view->candidate_state == SERIN_CANDIDATE_HALTED ||
           view->candidate_state == SERIN_CANDIDATE_PAUSED;
}

/* The remembered order once more: one order says one thing. */
static enum serin_error repeated(struct serin_guard *guard, struct serin_guard_entry *place,
                                 const struct serin_guard_view *view, const uint8_t *payload,
                                 size_t payload_size)
{
    if (memcmp(place->view.content, view->content, SERIN_SHA256_SIZE) != 0) {
        return SERIN_ERR_STATE;
    }
    if (place->unsaved) {
        place->unsaved = persist(guard, place->topic, view, payload, payload_size) != SERIN_OK;
    }
    return SERIN_OK;
}

/* Whether an order is further above what is remembered than any honest one. */
static bool leaps(const struct serin_guard *guard, const char *topic, struct serin_order remembered,
                  struct serin_order order)
{
    uint32_t from = is_trust(topic) ? remembered.sequence : guard->highest_epoch;
    uint32_t to = is_trust(topic) ? order.sequence : order.epoch;
    return to > from && to - from > guard->leap_max;
}

enum serin_error serin_guard_accept(struct serin_guard *guard, const char *topic,
                                    const struct serin_guard_view *view, const uint8_t *payload,
                                    size_t payload_size)
{
    SERIN_ASSERT(strlen(topic) < SERIN_TOPIC_MAX && view->order.sequence > 0);
    SERIN_ASSERT(payload_size > 0 && payload_size <= SERIN_GUARD_PAYLOAD_MAX);
    struct serin_guard_entry *place = place_of(guard, topic);
    bool known = place->topic[0] != '\0';
    if (known) {
        switch (serin_order_judge(place->view.order, view->order)) {
        case SERIN_ORDER_OLDER:
            return SERIN_ERR_STALE;
        case SERIN_ORDER_SAME:
            return repeated(guard, place, view, payload, payload_size);
        case SERIN_ORDER_NEWER:
            break;
        }
    } else if (!has_room(guard)) {
        return SERIN_ERR_NO_SPACE;
    }
    if (leaps(guard, topic, place->view.order, view->order)) {
        return SERIN_ERR_INVALID;
    }
    enum serin_error error = persist(guard, topic, view, payload, payload_size);
    if (error != SERIN_OK && !(known && stops(view))) {
        return error;
    }
    place->unsaved = error != SERIN_OK;
    /* A renewed lease changes the order alone, and then the objects stay as they are. */
    guard->stale = guard->stale || !known || !offers_equal(&place->view, view);
    memcpy(place->topic, topic, strlen(topic) + 1);
    place->view = *view;
    note_epoch(guard, view->order.epoch);
    guard->entry_count += known ? 0 : 1;
    guard->directive_count += known || is_trust(topic) ? 0 : 1;
    return SERIN_OK;
}

enum serin_error serin_guard_deliver(const struct serin_guard *guard, const char *topic,
                                     struct serin_order order)
{
    const struct serin_guard_entry *place = place_of(guard, topic);
    bool stale =
        place->topic[0] != '\0' && serin_order_judge(place->view.order, order) == SERIN_ORDER_OLDER;
    return stale ? SERIN_ERR_STALE : SERIN_OK;
}

/* Whether the client's own targeted directive offers the object. */
static struct serin_guard_answer offered_to(const struct serin_guard *guard, const char *id,
                                            const uint8_t object[SERIN_SHA256_SIZE])
{
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(SERIN_TOPIC_DEV_DIRECTIVE, id, topic);
    const struct serin_guard_entry *entry = place_of(guard, topic);
    return entry->topic[0] != '\0' ? guard_view_offers(guard, &entry->view, object)
                                   : (struct serin_guard_answer){.offer = SERIN_GUARD_NOT_OFFERED};
}

struct serin_guard_ruling serin_guard_rule(struct serin_guard *guard, const char *id,
                                           const uint8_t object[SERIN_SHA256_SIZE], uint64_t now_ms)
{
    guard_objects_refresh(guard, now_ms);
    const struct serin_guard_object *known = guard_objects_find(guard, object);
    if (known == NULL) {
        return (struct serin_guard_ruling){.refused = false};
    }
    bool refused =
        known->halted && !known->live && offered_to(guard, id, object).offer != SERIN_GUARD_OFFERED;
    return (struct serin_guard_ruling){.refused = refused, .expected_size = known->size};
}

static struct serin_guard_answer answer_of(const struct serin_guard_object *known)
{
    struct serin_guard_answer answer = {
        .offer = SERIN_GUARD_OFFERED, .kind = known->kind, .size = known->size};
    if (known->kind == SERIN_GUARD_IMAGE) {
        answer.pieces_size = serin_piece_table_size(known->size);
        memcpy(answer.pieces, known->pieces, SERIN_SHA256_SIZE);
    }
    return answer;
}

struct serin_guard_answer serin_guard_ask(struct serin_guard *guard, const char *id,
                                          const uint8_t object[SERIN_SHA256_SIZE], uint64_t now_ms)
{
    if (guard->directive_count == 0) {
        return (struct serin_guard_answer){.offer = SERIN_GUARD_NO_DIRECTIVE};
    }
    guard_objects_refresh(guard, now_ms);
    const struct serin_guard_object *known = guard_objects_find(guard, object);
    if (known != NULL && known->live) {
        return answer_of(known);
    }
    struct serin_guard_answer own = offered_to(guard, id, object);
    if (own.offer != SERIN_GUARD_OFFERED && known != NULL && known->halted) {
        own.offer = SERIN_GUARD_NOT_OFFERED; /* whatever else could not be read */
    } else if (own.offer == SERIN_GUARD_NOT_OFFERED && guard->unsure) {
        own.offer = SERIN_GUARD_UNSURE;
        memcpy(own.lacking, guard->lacking, SERIN_SHA256_SIZE);
    }
    return own;
}

struct serin_guard_answer serin_guard_know(struct serin_guard *guard,
                                           const uint8_t object[SERIN_SHA256_SIZE], uint64_t now_ms)
{
    guard->stale = guard->stale || !guard->knows_all;
    guard->knows_all = true;
    guard_objects_refresh(guard, now_ms);
    const struct serin_guard_object *known = guard_objects_find(guard, object);
    return known != NULL ? answer_of(known)
                         : (struct serin_guard_answer){.offer = SERIN_GUARD_NOT_OFFERED};
}

void serin_guard_look_again(struct serin_guard *guard)
{
    guard->stale = guard->stale || guard->incomplete;
}

/*
 * The index of objects. Channels' directives make objects live; halted candidates make them halted;
 * an object that is both is served, for another release that needs it is still offered. Targeted
 * directives halt for everyone but offer to their device alone, which serin_guard_rule looks up.
 */
#include "objects.h"

#include <serin/assert.h>

#include <string.h>

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SERIN_SHA256_SIZE) == 0;
}

/* Names are SHA-256 digests: any four bytes of them are a hash. */
static uint32_t slot_of(const struct serin_guard *guard, const uint8_t *name)
{
    SERIN_ASSERT(guard->object_capacity > 0);
    uint32_t index = serin_get_le32(name) % guard->object_capacity;
    while (guard->objects[index].used && !same(guard->objects[index].name, name)) {
        index = (index + 1) % guard->object_capacity;
    }
    return index;
}

const struct serin_guard_object *guard_objects_find(const struct serin_guard *guard,
                                                    const uint8_t name[SERIN_SHA256_SIZE])
{
    const struct serin_guard_object *object = &guard->objects[slot_of(guard, name)];
    return object->used ? object : NULL;
}

static void note_object(struct serin_guard *guard, const uint8_t *name, uint32_t size, bool halted)
{
    struct serin_guard_object *object = &guard->objects[slot_of(guard, name)];
    if (!object->used) {
        if (guard->object_count >= guard->object_capacity - guard->object_capacity / 4) {
            guard->incomplete = true;
            return;
        }
        *object = (struct serin_guard_object){.used = true, .size = size};
        memcpy(object->name, name, SERIN_SHA256_SIZE);
        guard->object_count++;
    }
    object->halted = object->halted || halted;
    object->live = object->live || !halted;
}

static void note_manifest(struct serin_guard *guard, const uint8_t *manifest_id, bool halted)
{
    note_object(guard, manifest_id, 0, halted);
    struct serin_guard_objects named = {.known = false};
    guard->ops->lookup(guard->ctx, manifest_id, &named);
    if (named.known) {
        note_object(guard, named.image, named.image_size, halted);
        note_object(guard, named.pieces, named.pieces_size, halted);
    } else {
        guard->incomplete = true;
    }
}

static void note_halted(struct serin_guard *guard, const struct serin_guard_view *view)
{
    if (view->candidate_state == SERIN_CANDIDATE_HALTED) {
        for (size_t i = 0; i < view->candidate_count; i++) {
            note_manifest(guard, view->candidate[i], true);
        }
    }
}

static void note_live(struct serin_guard *guard, const struct serin_guard_view *view)
{
    for (size_t i = 0; i < view->stable_count; i++) {
        note_manifest(guard, view->stable[i], false);
    }
    for (size_t i = 0; i < view->candidate_count; i++) {
        if (view->candidate_state != SERIN_CANDIDATE_HALTED) {
            note_manifest(guard, view->candidate[i], false);
        }
    }
}

static bool is_channel(const char *topic)
{
    static const char start[] = SERIN_TOPIC_PREFIX "directive/";
    return strncmp(topic, start, sizeof start - 1) == 0;
}

void guard_objects_refresh(struct serin_guard *guard, uint64_t now_ms)
{
    bool again = guard->incomplete && now_ms - guard->built_ms >= SERIN_GUARD_REBUILD_MS;
    if (!guard->stale && !again) {
        return;
    }
    for (uint32_t i = 0; i < guard->object_capacity; i++) {
        guard->objects[i].used = false;
    }
    guard->object_count = 0;
    guard->incomplete = false;
    /* Halted ones first: if room runs out, a halt is kept and a size check is lost, not the other
     * way round. */
    for (uint32_t i = 0; i < guard->entry_capacity; i++) {
        if (guard->entries[i].topic[0] != '\0') {
            note_halted(guard, &guard->entries[i].view);
        }
    }
    for (uint32_t i = 0; i < guard->entry_capacity; i++) {
        if (is_channel(guard->entries[i].topic)) {
            note_live(guard, &guard->entries[i].view);
        }
    }
    guard->stale = false;
    guard->built_ms = now_ms;
}

static bool manifest_names(const struct serin_guard *guard, const uint8_t *manifest_id,
                           const uint8_t *name)
{
    if (same(manifest_id, name)) {
        return true;
    }
    struct serin_guard_objects named = {.known = false};
    guard->ops->lookup(guard->ctx, manifest_id, &named);
    return named.known && (same(named.image, name) || same(named.pieces, name));
}

bool guard_view_offers(const struct serin_guard *guard, const struct serin_guard_view *view,
                       const uint8_t name[SERIN_SHA256_SIZE])
{
    for (size_t i = 0; i < view->stable_count; i++) {
        if (manifest_names(guard, view->stable[i], name)) {
            return true;
        }
    }
    for (size_t i = 0; i < view->candidate_count; i++) {
        if (view->candidate_state != SERIN_CANDIDATE_HALTED &&
            manifest_names(guard, view->candidate[i], name)) {
            return true;
        }
    }
    return false;
}

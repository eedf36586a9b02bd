/* The index of known devices (fleet_index.h): an array, and a hash table of positions in it. */
#include "fleet_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void serind_index_init(struct serind_index *index, uint32_t limit)
{
    *index = (struct serind_index){.limit = limit};
}

void serind_index_free(struct serind_index *index)
{
    free(index->list);
    free(index->health);
    free(index->slots);
    *index = (struct serind_index){.limit = index->limit};
}

/* FNV-1a. Ids come from certificates of our own CA, so nobody can choose many that collide. */
static uint32_t hash(const char *id)
{
    uint32_t value = 2166136261u;
    for (; *id != '\0'; id++) {
        value = (value ^ (uint8_t)*id) * 16777619u;
    }
    return value;
}

/* The slot that holds `id`, or the free one where it belongs. There is always a free one. */
static uint32_t slot_of(const struct serind_index *index, const char *id)
{
    uint32_t slot = hash(id) & (index->slot_count - 1);
    while (index->slots[slot] != 0 && strcmp(index->list[index->slots[slot] - 1].id, id) != 0) {
        slot = (slot + 1) & (index->slot_count - 1);
    }
    return slot;
}

uint32_t serind_index_find(const struct serind_index *index, const char *id)
{
    if (index->slot_count == 0) {
        return SERIND_NO_DEVICE;
    }
    uint32_t held = index->slots[slot_of(index, id)];
    return held != 0 ? held - 1 : SERIND_NO_DEVICE;
}

/* Doubles both tables; the slots stay at most half full. */
static enum serin_error grow(struct serind_index *index)
{
    uint32_t capacity = index->capacity == 0 ? 64 : index->capacity * 2;
    struct serind_device *list = realloc(index->list, (size_t)capacity * sizeof *list);
    if (list == NULL) {
        return SERIN_ERR_MEMORY;
    }
    index->list = list;
    struct serin_health *health = realloc(index->health, (size_t)capacity * sizeof *health);
    if (health == NULL) {
        return SERIN_ERR_MEMORY;
    }
    index->health = health;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (slots == NULL) {
        return SERIN_ERR_MEMORY;
    }
    free(index->slots);
    index->slots = slots;
    index->slot_count = capacity * 2;
    index->capacity = capacity;
    for (uint32_t i = 0; i < index->count; i++) {
        index->slots[slot_of(index, index->list[i].id)] = i + 1;
    }
    return SERIN_OK;
}

enum serin_error serind_index_add(struct serind_index *index, const char *id, uint32_t *number)
{
    assert(strlen(id) <= SERIN_ID_MAX);
    *number = serind_index_find(index, id);
    if (*number != SERIND_NO_DEVICE) {
        return SERIN_OK;
    }
    if (index->count >= index->limit) {
        return SERIN_ERR_NO_SPACE;
    }
    if (index->count == index->capacity) {
        enum serin_error error = grow(index);
        if (error != SERIN_OK) {
            return error;
        }
    }
    struct serind_device *device = &index->list[index->count];
    *device = (struct serind_device){.online = false};
    memcpy(device->id, id, strlen(id) + 1);
    index->health[index->count] = (struct serin_health){.beat_s = 0};
    *number = index->count++;
    index->slots[slot_of(index, id)] = index->count;
    return SERIN_OK;
}

void serind_index_online(struct serind_index *index, uint32_t number, bool online)
{
    assert(number < index->count);
    index->list[number].online = online;
}

bool serind_index_allow(struct serind_index *index, uint32_t number, unsigned kind,
                        uint64_t mono_ms, uint32_t per_minute)
{
    assert(number < index->count && kind < 2);
    struct serind_device *device = &index->list[number];
    uint32_t minute = (uint32_t)(mono_ms / 60000);
    if (device->rate_minute != minute) {
        device->rate_minute = minute;
        device->rate_used[0] = device->rate_used[1] = 0;
    }
    if (device->rate_used[kind] >= per_minute) {
        return false;
    }
    device->rate_used[kind]++;
    return true;
}

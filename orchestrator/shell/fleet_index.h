/*
 * The index of known devices: an id to a small number and back, and what changes too often to be
 * stored. A device once in it stays; that its record is in the store is for the store to say.
 */
#ifndef SERIND_FLEET_INDEX_H
#define SERIND_FLEET_INDEX_H

#include <serin/error.h>
#include <serin/id.h>
#include <serin/orchestrator/health.h>

#include <stdint.h>

#define SERIND_NO_DEVICE UINT32_MAX

struct serind_device {
    char id[SERIN_ID_MAX + 1];
    bool online;           /* by the last presence, or a live message since */
    bool pending;          /* it waits for an operator, by the last that was read or decided */
    bool unknown_said;     /* that it names a manifest which is no release here */
    uint16_t hardware;     /* its revision; 0: not known */
    uint16_t rate_used[2]; /* reports, beats in the minute `rate_minute` */
    uint32_t joining_pass; /* the pass in which it was last found to join a rollout */
    uint32_t rate_minute;  /* minutes since the start of the monotonic clock */
    uint32_t site;         /* 0: direct; else the number of the gateway that speaks for it */
};

struct serind_index {
    struct serind_device *list;
    struct serin_health *health; /* of each of them */
    uint32_t count, capacity, limit;
    uint32_t *slots; /* open addressing; index + 1, 0: free */
    uint32_t slot_count;
};

/* An empty index of at most `limit` devices. */
void serind_index_init(struct serind_index *index, uint32_t limit);
void serind_index_free(struct serind_index *index);

/* The number of a device, or SERIND_NO_DEVICE. */
uint32_t serind_index_find(const struct serind_index *index, const char *id);

/* Adds a device unless it is there. SERIN_ERR_NO_SPACE: the limit; SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_index_add(struct serind_index *index, const char *id,
                                                 uint32_t *number);

void serind_index_online(struct serind_index *index, uint32_t number, bool online);

/* Counts one report (`kind` 0), or beat or presence (1); false: more than `per_minute` in this
 * minute. */
bool serind_index_allow(struct serind_index *index, uint32_t number, unsigned kind,
                        uint64_t mono_ms, uint32_t per_minute);

#endif

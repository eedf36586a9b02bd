/* The store of the simulated serind: a working copy, and a log that takes it back to what was
 * committed (server.h). */
#include "server.h"

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

enum serin_error server_store_init(struct server_store *store, uint32_t count)
{
    store->count = count;
    store->records = calloc(count, sizeof *store->records);
    store->members = calloc(count, sizeof *store->members);
    store->committed = calloc(count, sizeof *store->committed);
    store->health = calloc(count, sizeof *store->health);
    bool made = store->records != NULL && store->members != NULL && store->committed != NULL &&
                store->health != NULL;
    return made ? SERIN_OK : SERIN_ERR_MEMORY;
}

void server_store_free(struct server_store *store)
{
    for (size_t i = 0; i < SERIN_SIM_EVENTS_MAX; i++) {
        free(store->backups[i].records);
        free(store->backups[i].members);
        free(store->backups[i].health);
    }
    free(store->records);
    free(store->members);
    free(store->committed);
    free(store->health);
    free(store->undo);
}

void server_store_begin(struct server_store *store)
{
    SERIN_ASSERT(!store->open);
    store->open = true;
    store->touched = store->failed = false;
    store->undo_count = 0;
}

void server_store_touch(struct server_store *store)
{
    SERIN_ASSERT(store->open);
    if (!store->touched) {
        store->touched = true;
        store->head_before = store->head;
    }
}

static struct server_undo *undo_add(struct server_store *store)
{
    SERIN_ASSERT(store->open);
    if (store->undo_count == store->undo_capacity) {
        size_t capacity = store->undo_capacity == 0 ? 1024 : store->undo_capacity * 2;
        struct server_undo *grown = realloc(store->undo, capacity * sizeof *grown);
        if (grown == NULL) {
            store->failed = true;
            return NULL;
        }
        store->undo = grown;
        store->undo_capacity = capacity;
    }
    return &store->undo[store->undo_count++];
}

bool server_store_save(struct server_store *store, uint32_t device)
{
    struct server_undo *undo = undo_add(store);
    if (undo != NULL) {
        undo->index = device;
        undo->is_member = false;
        undo->record = store->records[device];
    }
    return undo != NULL;
}

bool server_store_save_member(struct server_store *store, uint32_t index,
                              const struct serin_member *before)
{
    struct server_undo *undo = undo_add(store);
    if (undo != NULL) {
        undo->index = index;
        undo->is_member = true;
        undo->member = *before;
    }
    return undo != NULL;
}

void server_store_commit(struct server_store *store)
{
    SERIN_ASSERT(store->open && !store->failed);
    for (size_t i = 0; i < store->undo_count; i++) {
        const struct server_undo *undo = &store->undo[i];
        if (!undo->is_member) {
            store->committed[undo->index] = store->records[undo->index].cursor;
        }
    }
    store->open = false;
    store->undo_count = 0;
}

/* Takes every change of the open transaction back in copies of the records and members. */
static void take_back(const struct server_store *store, struct server_head *head,
                      struct server_record *records, struct serin_member *members)
{
    for (size_t i = store->undo_count; store->open && i > 0; i--) {
        const struct server_undo *undo = &store->undo[i - 1];
        if (undo->is_member) {
            members[undo->index] = undo->member;
        } else {
            records[undo->index] = undo->record;
        }
    }
    if (store->open && store->touched) {
        *head = store->head_before;
    }
}

/* What the record of a rollout does not hold is gone with serind's memory. */
static void read_back(struct server_store *store, struct serin_rollout *rollout)
{
    enum serin_error error = store->stored(rollout);
    store->lost = store->lost == SERIN_OK ? error : store->lost;
}

/* A store that was loaded: what is derived is made anew, and reports are down. */
static void loaded(struct server_store *store, struct serin_members *members)
{
    store->open = false;
    store->undo_count = 0;
    members->count = store->head.has_rollout ? store->head.member_count : 0;
    if (store->head.has_rollout) {
        read_back(store, &store->head.rollout);
        serin_rollout_rebuild(&store->head.rollout, members);
    }
    if (store->head.reverting) {
        read_back(store, &store->head.halted);
    }
}

void server_store_abort(struct server_store *store, struct serin_members *members)
{
    take_back(store, &store->head, store->records, store->members);
    loaded(store, members);
}

enum serin_error server_store_backup(struct server_store *store, uint32_t event, uint64_t at_ms)
{
    SERIN_ASSERT(event < SERIN_SIM_EVENTS_MAX);
    struct server_backup *backup = &store->backups[event];
    free(backup->records);
    free(backup->members);
    free(backup->health);
    *backup = (struct server_backup){
        .head = store->head,
        .at_ms = at_ms,
        .records = malloc(store->count * sizeof *backup->records),
        .members = malloc(store->count * sizeof *backup->members),
        .health = malloc(store->count * sizeof *backup->health),
    };
    if (backup->records == NULL || backup->members == NULL || backup->health == NULL) {
        return SERIN_ERR_MEMORY;
    }
    memcpy(backup->health, store->health, store->count * sizeof *backup->health);
    memcpy(backup->records, store->records, store->count * sizeof *backup->records);
    memcpy(backup->members, store->members, store->count * sizeof *backup->members);
    take_back(store, &backup->head, backup->records, backup->members);
    return SERIN_OK;
}

bool server_store_restore(struct server_store *store, uint64_t at_ms, struct serin_members *members)
{
    const struct server_backup *backup = NULL;
    SERIN_ASSERT(!store->open);
    for (size_t i = 0; i < SERIN_SIM_EVENTS_MAX; i++) {
        if (store->backups[i].records != NULL && store->backups[i].at_ms == at_ms) {
            backup = &store->backups[i];
        }
    }
    if (backup == NULL) {
        return false;
    }
    store->head = backup->head;
    memcpy(store->records, backup->records, store->count * sizeof *store->records);
    memcpy(store->members, backup->members, store->count * sizeof *store->members);
    memcpy(store->health, backup->health, store->count * sizeof *store->health);
    for (uint32_t i = 0; i < store->count; i++) {
        store->committed[i] = store->records[i].cursor;
    }
    loaded(store, members);
    return true;
}

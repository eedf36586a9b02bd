/* Patches made in threads: the owner's side (serin/adapters/patches.h). */
#include "internal.h"

#include <serin/adapters/log.h>
#include <serin/piece.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool patches_same_key(const struct serin_patches_key *a, const struct serin_patches_key *b)
{
    return a->backend == b->backend && memcmp(a->base, b->base, sizeof a->base) == 0 &&
           memcmp(a->target, b->target, sizeof a->target) == 0;
}

struct job *patches_first(struct serin_patches *patches, enum job_state state)
{
    struct job *first = NULL;
    for (size_t i = 0; i < SERIN_PATCHES_QUEUE_MAX; i++) {
        struct job *job = &patches->jobs[i];
        if (job->state == state && (first == NULL || job->turn < first->turn)) {
            first = job;
        }
    }
    return first;
}

/* ---- the handle ---- */

static enum serin_error start(struct serin_patches *patches)
{
    while (patches->thread_count < patches->config.thread_count) {
        if (pthread_create(&patches->threads[patches->thread_count], NULL, patches_work, patches) !=
            0) {
            return SERIN_ERR_MEMORY;
        }
        patches->thread_count++;
    }
    return SERIN_OK;
}

enum serin_error serin_patches_open(struct serin_patches **patches,
                                    const struct serin_patches_config *config)
{
    assert(config->thread_count >= 1 && config->thread_count <= SERIN_PATCHES_THREADS_MAX);
    struct serin_patches *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->config = *config;
    made->entries = calloc(SERIN_PATCHES_INDEX_MAX, sizeof *made->entries);
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->wake, NULL);
    enum serin_error error = made->entries == NULL ? SERIN_ERR_MEMORY : patches_index_read(made);
    if (error == SERIN_OK) {
        error = start(made);
    }
    if (error != SERIN_OK) {
        serin_patches_close(made);
        return error;
    }
    *patches = made;
    return SERIN_OK;
}

void serin_patches_close(struct serin_patches *patches)
{
    if (patches == NULL) {
        return;
    }
    pthread_mutex_lock(&patches->mutex);
    patches->closing = true;
    pthread_cond_broadcast(&patches->wake);
    pthread_mutex_unlock(&patches->mutex);
    for (size_t i = 0; i < patches->thread_count; i++) {
        pthread_join(patches->threads[i], NULL);
    }
    for (size_t i = 0; i < SERIN_PATCHES_QUEUE_MAX; i++) {
        struct job *job = &patches->jobs[i];
        if (job->state == JOB_DONE && job->error == SERIN_OK) {
            free(job->patch.bytes);
        }
    }
    pthread_cond_destroy(&patches->wake);
    pthread_mutex_destroy(&patches->mutex);
    free(patches->entries);
    free(patches);
}

/* ---- asking and taking ---- */

enum serin_error serin_patches_find(struct serin_patches *patches, struct serin_depot *depot,
                                    const struct serin_patches_key *key,
                                    struct serin_patches_entry *entry)
{
    for (size_t i = 0; i < patches->entry_count; i++) {
        const struct serin_patches_entry *known = &patches->entries[i];
        if (!patches_same_key(&known->key, key)) {
            continue;
        }
        uint32_t size = 0;
        enum serin_error error = serin_depot_size(depot, known->object, &size);
        if (error == SERIN_OK) {
            error = serin_depot_size(depot, known->pieces_sha256, &size);
        }
        if (error == SERIN_OK) {
            *entry = *known;
        }
        return error;
    }
    return SERIN_ERR_NOT_FOUND;
}

static enum serin_error place(struct serin_patches *patches, const struct serin_patches_key *key,
                              struct job **job)
{
    *job = NULL;
    for (size_t i = 0; i < SERIN_PATCHES_QUEUE_MAX; i++) {
        struct job *at = &patches->jobs[i];
        if (at->state == JOB_FREE) {
            *job = at;
        } else if (patches_same_key(&at->key, key)) {
            return SERIN_ERR_EXISTS;
        }
    }
    return *job == NULL ? SERIN_ERR_BUSY : SERIN_OK;
}

enum serin_error serin_patches_ask(struct serin_patches *patches,
                                   const struct serin_patches_key *key, uint32_t limit_bytes)
{
    assert(key->backend == SERIN_DELTA_SMALL || key->backend == SERIN_DELTA_BEST);
    pthread_mutex_lock(&patches->mutex);
    struct job *job = NULL;
    enum serin_error error = place(patches, key, &job);
    if (error == SERIN_OK) {
        *job = (struct job){
            .state = JOB_WAITING, .turn = ++patches->turn, .key = *key, .limit_bytes = limit_bytes};
        pthread_cond_signal(&patches->wake);
    }
    pthread_mutex_unlock(&patches->mutex);
    return error;
}

static enum serin_error put_pieces(const struct serin_crypto *crypto, struct serin_depot *depot,
                                   const struct serin_delta_patch *patch,
                                   uint8_t name[SERIN_SHA256_SIZE])
{
    uint32_t size = (uint32_t)patch->size;
    uint32_t count = serin_piece_count(size);
    uint32_t table_size = serin_piece_table_size(size);
    uint8_t *table = malloc(table_size);
    if (table == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        serin_sha256_of(crypto, patch->bytes + (size_t)i * SERIN_PIECE_SIZE,
                        serin_piece_size(size, i), table + (size_t)i * SERIN_SHA256_SIZE);
    }
    serin_sha256_of(crypto, table, table_size, name);
    enum serin_error error = serin_depot_put(depot, name, table, table_size);
    free(table);
    return error;
}

/* The piece table first: what the depot holds a patch of, it holds the means to check of. */
static enum serin_error put(const struct serin_crypto *crypto, struct serin_depot *depot,
                            const struct serin_delta_patch *patch,
                            struct serin_patches_entry *entry)
{
    entry->size_bytes = (uint32_t)patch->size;
    entry->backend = patch->header.backend;
    serin_sha256_of(crypto, patch->bytes, patch->size, entry->object);
    enum serin_error error = put_pieces(crypto, depot, patch, entry->pieces_sha256);
    return error == SERIN_OK ? serin_depot_put(depot, entry->object, patch->bytes, patch->size)
                             : error;
}

enum serin_error serin_patches_take(struct serin_patches *patches, struct serin_depot *depot,
                                    struct serin_patches_entry *entry)
{
    pthread_mutex_lock(&patches->mutex);
    struct job *job = patches_first(patches, JOB_DONE);
    struct job done = {.state = JOB_FREE};
    if (job != NULL) {
        done = *job;
        job->state = JOB_FREE;
    }
    pthread_mutex_unlock(&patches->mutex);
    if (job == NULL) {
        return SERIN_ERR_AGAIN;
    }
    *entry = (struct serin_patches_entry){.key = done.key};
    if (done.error != SERIN_OK) {
        return done.error;
    }
    enum serin_error error = put(patches->config.crypto, depot, &done.patch, entry);
    free(done.patch.bytes);
    if (error == SERIN_OK) {
        enum serin_error noted = patches_index_add(patches, entry);
        if (noted != SERIN_OK) {
            serin_log(SERIN_LOG_WARN, "the index of patches %s cannot be written: %s",
                      patches->config.index_file, serin_error_text(noted));
        }
    }
    return error;
}

/* The threads that make patches (serin/adapters/patches.h). */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Reads a whole image, and hashes it: a patch for bytes that rotted would fail at each device. */
static enum serin_error read_image(const struct serin_patches_config *config,
                                   struct serin_depot *depot, const uint8_t name[SERIN_SHA256_SIZE],
                                   uint8_t **bytes, uint32_t *size)
{
    enum serin_error error = serin_depot_size(depot, name, size);
    if (error != SERIN_OK) {
        return error;
    }
    if (*size == 0 || *size > SERIN_DELTA_IMAGE_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    *bytes = malloc(*size);
    if (*bytes == NULL) {
        return SERIN_ERR_MEMORY;
    }
    error = serin_depot_read(depot, name, 0, *bytes, *size);
    if (error != SERIN_OK) {
        return error;
    }
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_sha256_of(config->crypto, *bytes, *size, digest);
    return memcmp(digest, name, sizeof digest) == 0 ? SERIN_OK : SERIN_ERR_DIGEST;
}

static enum serin_error make(const struct serin_patches_config *config, struct serin_depot *depot,
                             const struct job *job, struct serin_delta_patch *patch)
{
    struct serin_delta_job delta = {
        .suffixes = config->suffixes,
        .ram = job->key.backend == SERIN_DELTA_BEST ? SERIN_DELTA_RAM_16K : SERIN_DELTA_RAM_8K};
    memcpy(delta.base, job->key.base, sizeof delta.base);
    memcpy(delta.target, job->key.target, sizeof delta.target);
    uint8_t *old = NULL;
    uint8_t *new = NULL;
    enum serin_error error = read_image(config, depot, job->key.base, &old, &delta.old_size);
    if (error == SERIN_OK) {
        error = read_image(config, depot, job->key.target, &new, &delta.new_size);
    }
    if (error == SERIN_OK) {
        delta.old = old;
        delta.new = new;
        error = serin_delta_make(&delta, patch);
    }
    if (error == SERIN_OK && patch->size > job->limit_bytes) {
        free(patch->bytes);
        error = SERIN_ERR_TOO_LARGE;
    }
    free(old);
    free(new);
    return error;
}

/* A handle on the depot for each patch: its open files would outlive images that were removed. */
static void run(const struct serin_patches_config *config, struct job *job)
{
    struct serin_depot *depot = NULL;
    job->error = serin_depot_open(&depot, config->depot_root);
    if (job->error == SERIN_OK) {
        job->error = make(config, depot, job, &job->patch);
        serin_depot_close(depot);
    }
}

void *patches_work(void *arg)
{
    struct serin_patches *patches = arg;
    pthread_mutex_lock(&patches->mutex);
    while (!patches->closing) {
        struct job *job = patches_first(patches, JOB_WAITING);
        if (job == NULL) {
            pthread_cond_wait(&patches->wake, &patches->mutex);
            continue;
        }
        job->state = JOB_WORKING;
        pthread_mutex_unlock(&patches->mutex);
        run(&patches->config, job);
        pthread_mutex_lock(&patches->mutex);
        job->turn = ++patches->turn;
        job->state = JOB_DONE;
    }
    pthread_mutex_unlock(&patches->mutex);
    return NULL;
}

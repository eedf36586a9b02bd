/* What the files of the patches share (serin/adapters/patches.h). */
#ifndef SERIN_PATCHES_INTERNAL_H
#define SERIN_PATCHES_INTERNAL_H

#include <serin/adapters/patches.h>

#include <pthread.h>

enum job_state { JOB_FREE, JOB_WAITING, JOB_WORKING, JOB_DONE };

/* A patch that was asked for. While it is JOB_WORKING it is its thread's, otherwise the owner's. */
struct job {
    enum job_state state;
    uint64_t turn; /* when it was asked for, then when it was finished */
    struct serin_patches_key key;
    uint32_t limit_bytes;
    enum serin_error error;
    struct serin_delta_patch patch; /* where error is SERIN_OK */
};

struct serin_patches {
    struct serin_patches_config config;
    pthread_mutex_t mutex; /* guards jobs, turn and closing */
    pthread_cond_t wake;   /* a job waits, or the threads are to end */
    bool closing;
    uint64_t turn;
    struct job jobs[SERIN_PATCHES_QUEUE_MAX];
    size_t thread_count;
    pthread_t threads[SERIN_PATCHES_THREADS_MAX];
    size_t entry_count; /* the owner's alone */
    struct serin_patches_entry *entries;
};

bool patches_same_key(const struct serin_patches_key *a, const struct serin_patches_key *b);

/* The job in `state` whose turn came first; NULL: there is none. With the mutex held. */
struct job *patches_first(struct serin_patches *patches, enum job_state state);

/* What each thread runs; `arg` is the serin_patches. */
void *patches_work(void *arg);

/* The index (index.c); entries has room for SERIN_PATCHES_INDEX_MAX. */
SERIN_MUST_USE enum serin_error patches_index_read(struct serin_patches *patches);
/* Adds an entry in place of that of its key, and writes the file. Errors of serin_atomicfile_write,
 * SERIN_ERR_MEMORY; the entry then counts until the handle is closed. */
SERIN_MUST_USE enum serin_error patches_index_add(struct serin_patches *patches,
                                                  const struct serin_patches_entry *entry);

#endif

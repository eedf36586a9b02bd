/*
 * A fleet store on LMDB in a folder of its own, which every test gets anew. What goes wrong here
 * fails the test.
 */
#ifndef SERIN_STORE_BENCH_H
#define SERIN_STORE_BENCH_H

#include "store_samples.h"

#include <serin/adapters/lmdb_store.h>

#define MIB (UINT64_C(1) << 20)

extern char folder[64];
extern struct serin_lmdb_store *lmdb; /* NULL while a test holds it closed */
extern struct serin_store store;      /* the port on it */

void setup(void); /* the fixture: makes the folder and opens a store of 64 MiB in it */
void teardown(void);

void open_store(uint64_t size); /* bytes of the map */
void reopen(void);              /* closes it, and opens it with 64 MiB */
void begin(bool write);
void commit(void);

enum serin_error put_device(const char *id, uint64_t seed);
void put_placed(const char *id, const char *product, const char *channel);

/* Whether the device `id` is there as `seed` made it; seed 0: whether it is not there. */
bool device_is(const char *id, uint64_t seed);

/* What a walk has seen. */
struct list {
    char text[256];
    int left; /* visits before the visitor says stop */
};

/* A visitor that writes the ids of devices into a struct list, each with a space behind. */
bool note_device(void *arg, const struct serin_device_record *record);
/* The ids of a walk over all devices behind `after`; static storage. */
const char *devices(const char *after, int left);

#endif

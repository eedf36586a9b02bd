/*
 * A folder of small records, each a file of its own that is replaced atomically and durably: the
 * plugin's memory of directive orders.
 *
 * One process at a time: an exclusive lock on <path>/lock is held while it is open. Names
 * are 1..160 characters of [A-Za-z0-9_.-] and do not start with a dot; a record has at most
 * SERIN_RECORDS_SIZE_MAX bytes.
 */
#ifndef SERIN_ADAPTERS_RECORDS_H
#define SERIN_ADAPTERS_RECORDS_H

#include <serin/error.h>

#include <stddef.h>
#include <stdint.h>

#define SERIN_RECORDS_NAME_MAX 160u
#define SERIN_RECORDS_SIZE_MAX 8192u

struct serin_records; /* opaque; one thread */

/* Opens the folder, making its last component if missing. SERIN_ERR_NOT_FOUND (no parent folder),
 * SERIN_ERR_BUSY (another process has it), SERIN_ERR_IO (not writable, or another reason: errno),
 * SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serin_records_open(struct serin_records **records,
                                                   const char *path);
void serin_records_close(struct serin_records *records); /* NULL is fine */

/* Replaces the record `name`; on the disk when it returns SERIN_OK. SERIN_ERR_NO_SPACE,
 * SERIN_ERR_IO: the old record is still there (or, after a failed fsync of the folder, perhaps the
 * new one). */
SERIN_MUST_USE enum serin_error serin_records_save(struct serin_records *records, const char *name,
                                                   const void *data, size_t size);

/* What serin_records_each calls; an error ends the walk and is returned by it. `data` lives during
 * the call. */
typedef enum serin_error (*serin_records_visit)(void *ctx, const char *name, const uint8_t *data,
                                                size_t size);

/* Visits every record once, in no order. SERIN_ERR_IO, SERIN_ERR_TOO_LARGE (a file is no record),
 * and what `visit` returns; `name_out` then holds the name (SERIN_RECORDS_NAME_MAX + 1 bytes). */
SERIN_MUST_USE enum serin_error serin_records_each(struct serin_records *records,
                                                   serin_records_visit visit, void *ctx,
                                                   char *name_out);

#endif

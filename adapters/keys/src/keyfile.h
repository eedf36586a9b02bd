/*
 * Small files of secrets: read under a bound, made anew and durable, never overwritten.
 */
#ifndef SERIN_KEYFILE_H
#define SERIN_KEYFILE_H

#include <serin/adapters/keys.h>

#include <sys/types.h>

#define SERIN_KEYFILE_MAX 16384u

/* Fills `why`, which may be NULL, in the manner of printf, and returns `error`. */
__attribute__((format(printf, 3, 4))) enum serin_error
serin_keyfile_explain(struct serin_key_why *why, enum serin_error error, const char *format, ...);

/* Reads a whole file of at most SERIN_KEYFILE_MAX bytes into `out`, which has room for that and a
 * terminator, which is added. *mode, where `mode` is not NULL, is that of the file which was read.
 * SERIN_ERR_NOT_FOUND, SERIN_ERR_IO, SERIN_ERR_FORMAT (not a plain file, or too large). */
SERIN_MUST_USE enum serin_error serin_keyfile_read(const char *path,
                                                   char out[SERIN_KEYFILE_MAX + 1], size_t *size,
                                                   mode_t *mode, struct serin_key_why *why);

/* SERIN_ERR_DENIED where `mode`, that of a private key's file, lets users outside its group in. */
SERIN_MUST_USE enum serin_error serin_keyfile_check_mode(const char *path, mode_t mode,
                                                         struct serin_key_why *why);

/* Makes a file with `mode`, whatever the umask allows less, and writes it durably.
 * SERIN_ERR_EXISTS: there is something of this name, which is not touched. SERIN_ERR_NOT_FOUND: its
 * folder does not exist. SERIN_ERR_IO: nothing is left behind. */
SERIN_MUST_USE enum serin_error serin_keyfile_create(const char *path, mode_t mode,
                                                     const char *data, size_t size,
                                                     struct serin_key_why *why);

/* Overwrites memory that held a secret, in a way that the compiler keeps. */
void serin_keyfile_wipe(void *memory, size_t size);

#endif

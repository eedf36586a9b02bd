/*
 * Runs a real program to its end and keeps what it said; temporary folders for its files.
 */
#ifndef SERIN_TESTS_PROGRAM_H
#define SERIN_TESTS_PROGRAM_H

#include <stddef.h>

#define PROGRAM_ARGS_MAX 48

struct program_result {
    int status; /* exit status; 128 + signal where it was killed */
    char out[65536];
    char err[8192];
};

/* Runs argv (ends with NULL; argv[0] is a path) in `folder`, with `environment` ("NAME=value"
 * pairs, ends with NULL, may be NULL) added. The result is static: the next run overwrites it. */
const struct program_result *program_run(const char *folder, const char *const *environment,
                                         const char *const *argv);

/* Makes a temporary folder; `path` holds 64 bytes. */
void folder_make(char *path);
void folder_remove(const char *path);

/* Reads a whole file of at most `size` bytes; the size read. */
size_t file_read(const char *path, void *data, size_t size);
void file_write(const char *path, const void *data, size_t size);

#endif

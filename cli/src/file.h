/*
 * Files of the command: read whole and bounded, written whole or not at all. Every function
 * complains for itself and returns the exit status.
 */
#ifndef SERIN_CLI_FILE_H
#define SERIN_CLI_FILE_H

#include <serin/cli/cli.h>

#define SERIN_CLI_PATH_MAX 1024u

/* Complains about `path` by errno: NOT_FOUND where it, or its folder, does not exist, else FAILED.
 */
enum serin_cli_exit serin_cli_fail_path(const struct serin_cli *cli, const char *path);

/* Reads a plain file of at most `max` bytes into *data (allocated with a terminator; the caller
 * frees it); where `max` is 256 KiB or less a pipe too. */
enum serin_cli_exit serin_cli_read(const struct serin_cli *cli, const char *path, size_t max,
                                   uint8_t **data, size_t *size);

/* Writes a file with mode 0640 so that it is there whole or, as before, after a power cut.
 * `replace`: over an old one. */
enum serin_cli_exit serin_cli_write(const struct serin_cli *cli, const char *path,
                                    const uint8_t *data, size_t size, bool replace);

/* Lets all users that the umask does not shut out read a file: it has mode 0644 then. As far as the
 * file system can. */
void serin_cli_make_public(const char *path);

/* Joins a folder and a name. False: too long; complained. */
bool serin_cli_join(const struct serin_cli *cli, const char *folder, const char *name,
                    char path[SERIN_CLI_PATH_MAX]);

/* Makes the names in a folder outlive a power cut, as far as the file system can. */
void serin_cli_sync_folder(const char *path);

/* Whether there is something of this name. */
bool serin_cli_exists(const char *path);

/* Whether both paths lead to one file, through whatever links; false where one leads nowhere. */
bool serin_cli_same_file(const char *path, const char *other);

/* Whether a plain file of this name can be read and begins with `magic`. */
bool serin_cli_begins_with(const char *path, const char *magic);

/* Removes a folder with all in it, as far as that goes; at most four levels deep. */
void serin_cli_remove_folder(const char *path);

#endif

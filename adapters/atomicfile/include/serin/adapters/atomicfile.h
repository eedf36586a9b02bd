/*
 * Files that exist whole or not at all: temporary file, fsync, rename, fsync of the folder.
 *
 * After SERIN_OK the file is on the disk under its name, across a power cut. After an error the old
 * file of that name, or none, is there; no temporary file is left unless the process died.
 */
#ifndef SERIN_ADAPTERS_ATOMICFILE_H
#define SERIN_ADAPTERS_ATOMICFILE_H

#include <serin/error.h>

#include <stddef.h>

/* Writes `size` bytes (0 is allowed) as `name` in the folder `folder_fd`, mode 0640, replacing what
 * was there. The temporary file is `temporary` in the folder `temporary_fd`, on the same file
 * system; a left-over of that name is overwritten. SERIN_ERR_NO_SPACE (disk, quota or file size
 * limit), SERIN_ERR_IO (anything else; errno tells). A failed fsync of the folder, after the
 * rename, is SERIN_ERR_IO too: the new content is there but may not outlive a power cut.
 */
SERIN_MUST_USE enum serin_error serin_atomicfile_write(int temporary_fd, const char *temporary,
                                                       int folder_fd, const char *name,
                                                       const void *data, size_t size);

/* Makes the folder `name` in `parent_fd` unless it exists, makes that durable, and opens it:
 * *folder_fd is the caller's to close. SERIN_ERR_NO_SPACE, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error serin_atomicfile_folder(int parent_fd, const char *name,
                                                        int *folder_fd);

#endif

/*
 * A flash in a file: the flash port (serin/device/flash.h) for Linux.
 *
 * The file is the plain image of the flash, byte for byte; erased bytes are 0xFF. It obeys the
 * rules of NOR: a write unit that holds anything but erased bytes is refused, so that code which
 * would rewrite in place fails here too. Programming and erasing are durable (fdatasync) when they
 * return. A file is locked by the one process that writes it.
 */
#ifndef SERIN_PORTS_LINUX_FILE_FLASH_H
#define SERIN_PORTS_LINUX_FILE_FLASH_H

#include <serin/device/flash.h>

#define SERIN_FILE_FLASH_ERASED   0xFFu
#define SERIN_FILE_FLASH_WHY_SIZE 256u

struct serin_file_flash; /* opaque */

struct serin_file_flash_geometry {
    uint32_t size_bytes, sector_size, write_unit; /* as in struct serin_flash */
};

enum serin_file_flash_mode {
    SERIN_FILE_FLASH_READ, /* no lock: for looking on while an agent runs; program and erase fail */
    SERIN_FILE_FLASH_WRITE /* exclusive */
};

/* Makes a file of erased flash, with all its blocks allocated, and opens it for writing. What is
 * written is durable only after serin_file_flash_settle: a factory writes much, and starts over
 * when its power fails. After an error the file is gone. SERIN_ERR_EXISTS; SERIN_ERR_NO_SPACE;
 * SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error
serin_file_flash_create(struct serin_file_flash **flash, const char *path,
                        const struct serin_file_flash_geometry *geometry,
                        char why[SERIN_FILE_FLASH_WHY_SIZE]);

/* Makes everything so far durable, and each operation from now on. SERIN_ERR_FLASH: it could not be
 * made durable. */
SERIN_MUST_USE enum serin_error serin_file_flash_settle(struct serin_file_flash *flash);

/* Opens an existing file. SERIN_ERR_NOT_FOUND; SERIN_ERR_LAYOUT: its size is not that of the
 * geometry; SERIN_ERR_BUSY: another process writes it; SERIN_ERR_IO. After an error *flash is NULL
 * and `why` says what to do, in words. */
SERIN_MUST_USE enum serin_error serin_file_flash_open(
    struct serin_file_flash **flash, const char *path, enum serin_file_flash_mode mode,
    const struct serin_file_flash_geometry *geometry, char why[SERIN_FILE_FLASH_WHY_SIZE]);

/* Gives the lock back and frees. NULL is fine. */
void serin_file_flash_close(struct serin_file_flash *flash);

/* The port; valid until closed. Its calls return SERIN_ERR_FLASH on every failure and log the
 * cause. */
const struct serin_flash *serin_file_flash_port(const struct serin_file_flash *flash);

#endif

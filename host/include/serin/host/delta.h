/*
 * The delta encoder (docs/spec/delta.md): makes the patch that a device turns its old image into
 * the new one with.
 *
 * It finds what the new image has in common with the old one (delta_match.c), how the addresses
 * moved that both refer to (delta_fit.c), and codes what is left by the decoder's own model
 * (delta_encode.c): once for each architecture, and for each back end that the device has room for.
 * The smallest is kept. The same images give the same patch on every machine.
 */
#ifndef SERIN_HOST_DELTA_H
#define SERIN_HOST_DELTA_H

#include <serin/delta.h>

/* A port: sorts the suffixes of `text`, `size` bytes from 1 to SERIN_DELTA_IMAGE_MAX: `order` has
 * room for as many. SERIN_ERR_MEMORY. */
struct serin_suffixes {
    enum serin_error (*sort)(const uint8_t *text, int32_t *order, uint32_t size);
};

/* What a device spends on the decoder. */
enum serin_delta_ram {
    SERIN_DELTA_RAM_TEST, /* the back end "store" alone */
    SERIN_DELTA_RAM_8K,   /* "small" */
    SERIN_DELTA_RAM_16K   /* "best", or "small" where that is no larger */
};

struct serin_delta_job {
    const uint8_t *old, *new;    /* lent; NULL is fine for one without bytes */
    uint32_t old_size, new_size; /* at most SERIN_DELTA_IMAGE_MAX */
    uint8_t base[SERIN_DELTA_PREFIX_SIZE], target[SERIN_DELTA_PREFIX_SIZE]; /* of their SHA-256 */
    enum serin_delta_ram ram;
    const struct serin_suffixes *suffixes;
};

/* A patch, header and all; its `bytes` are the caller's to free. */
struct serin_delta_patch {
    struct serin_delta_header header;
    uint8_t *bytes;
    size_t size;
};

/* Makes the patch of a job. SERIN_ERR_TOO_LARGE: an image has more than SERIN_DELTA_IMAGE_MAX
 * bytes. SERIN_ERR_MEMORY. `patch` is then empty. Threads: any number, each with a job of its own.
 */
SERIN_MUST_USE enum serin_error serin_delta_make(const struct serin_delta_job *job,
                                                 struct serin_delta_patch *patch);

/* The words of the command line and of JSON: "store", "small", "best"; "none", "thumb", "xtensa",
 * "riscv". */
const char *serin_delta_backend_name(enum serin_delta_backend backend);
const char *serin_delta_arch_name(enum serin_delta_arch arch);

#endif

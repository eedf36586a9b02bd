/*
 * A patch becomes an image (docs/spec/flash.md, section 6): the delta decoder reads the old image
 * where it stands, and the new one goes into the other slot, piece by piece. It stands by itself;
 * whoever fetches the patch feeds it.
 *
 *   start, or resume ─▶ step, fed from serin_patching_wanted on, until it is SERIN_OK
 *
 * What a decoder knows is kept as a checkpoint, in two banks of the scratch region used in turn:
 *
 *   offset size  field of a bank
 *        0    4  magic "SRNP"
 *        4    4  sequence, from 1 on
 *        8    4  n: size of the checkpoint
 *       12    n  the checkpoint of the decoder (serin/delta.h)
 *   12 + n    4  CRC-32, begun with the attempt, of the SHA-256 of the patch, that of the new
 * image, and bytes 0 .. 11 + n
 *
 * A checkpoint is taken where a piece and an erase sector of the image end, once what was made
 * since the last one is more than what is written for it. What stands in the slot behind it is
 * erased and made again, so that nothing is believed that the power may have gone in.
 */
#ifndef SERIN_DEVICE_SRC_PATCHING_H
#define SERIN_DEVICE_SRC_PATCHING_H

#include <serin/crypto.h>
#include <serin/delta.h>
#include <serin/device/flash.h>
#include <serin/manifest.h>

/* What belongs together. All that is pointed to stays as it is as long as it is worked at. */
struct serin_patching_job {
    const struct serin_flash *flash;
    const struct serin_crypto *crypto;
    const uint8_t *patch_sha256; /* SERIN_SHA256_SIZE bytes: the whole patch, header included */
    uint32_t attempt;            /* checkpoints of another one are not valid */
    /* The old image, which was verified, and what its manifest says of it. */
    uint32_t base_address, base_size;
    const uint8_t *base_sha256; /* SERIN_SHA256_SIZE bytes */
    /* Where the new one goes: no manifest stands in that slot any more. */
    const struct serin_manifest *manifest;
    uint32_t image_address;
    struct serin_region table;   /* the place of its piece table, whole sectors */
    struct serin_region bank[2]; /* of checkpoints: serin_patching_banks */
    void *memory;                /* the decoder's, aligned as malloc does */
    size_t memory_size;
};

enum serin_patching_phase { SERIN_PATCHING_MAKE, SERIN_PATCHING_MEASURE, SERIN_PATCHING_MADE };

struct serin_patching {
    struct serin_patching_job job;
    struct serin_delta *delta;
    enum serin_patching_phase phase;
    uint32_t position; /* MAKE: bytes of the image taken; MEASURE: bytes of it that were hashed */
    uint32_t flushed;  /* of the image, or of the table, in flash and read back */
    uint32_t kept;     /* up to where the image stands when a checkpoint was last taken */
    uint32_t sequence; /* of the next checkpoint, */
    uint32_t next;     /* and its bank */
    bool renew;        /* the power may have gone in the one gone on from: it is written again */
    uint32_t crc;      /* of the image */
    struct serin_sha256 image, table;
    uint8_t chunk[SERIN_FLASH_UNIT_MAX]; /* what comes next into flash */
};

/* The two banks that a layout has behind the download record, the spare sector and a place for a
 * piece of the patch: equal, each of whole sectors. SERIN_ERR_NO_SPACE: its scratch region ends
 * before. */
SERIN_MUST_USE enum serin_error serin_patching_banks(const struct serin_flash *flash,
                                                     const struct serin_layout *layout,
                                                     struct serin_region bank[2]);

/* Begins with a patch of this header (the first SERIN_DELTA_HEADER_SIZE bytes of it), and erases
 * both banks. Before anything is written: errors of serin_delta_header_read and serin_delta_init;
 * SERIN_ERR_DIGEST: made for another old image, or makes another new one; SERIN_ERR_NO_SPACE: the
 * memory or a bank is too small for its back end. Then SERIN_ERR_FLASH. */
SERIN_MUST_USE enum serin_error serin_patching_start(struct serin_patching *patching,
                                                     const struct serin_patching_job *job,
                                                     const uint8_t header[SERIN_DELTA_HEADER_SIZE]);

/* Goes on after a reset, or after a step that failed with SERIN_ERR_FLASH, from the newest
 * checkpoint that can be read. SERIN_ERR_NOT_FOUND: there is none; start. Nothing is written. */
SERIN_MUST_USE enum serin_error serin_patching_resume(struct serin_patching *patching,
                                                      const struct serin_patching_job *job);

/* The next byte of the patch that is wanted, counted from the beginning of its header. */
uint32_t serin_patching_wanted(const struct serin_patching *patching);

/* Takes bytes of the patch from serin_patching_wanted on, verified, and works: writes a piece at
 * most, or a checkpoint, or measures a piece. `*taken` of them are used up.
 * SERIN_OK: image and piece table are in flash and are those of the manifest.
 * SERIN_ERR_AGAIN: call again, with the next bytes where `*taken` is `size`.
 * SERIN_ERR_FORMAT: the patch is damaged. SERIN_ERR_CRC, SERIN_ERR_DIGEST: something else came out.
 * Either way it ends here, and only start begins again. SERIN_ERR_FLASH: resume. */
SERIN_MUST_USE enum serin_error serin_patching_step(struct serin_patching *patching,
                                                    const uint8_t *bytes, size_t size,
                                                    size_t *taken);

#endif

/*
 * The delta decoder (docs/spec/delta.md): an old image and a patch make the new image.
 *
 *   offset size field                          offset size field
 *   ------ ---- ------------------------       ------ ---- ---------------------------------
 *        0    4 magic "SRND"                       40    4 size of the old image
 *        4    1 format = 1                         44    4 size of the new image
 *        5    1 back end                           48    4 size of what follows the header
 *        6    1 architecture                       52    4 CRC-32 of bytes 0 to 51
 *        7    1 zero                               56      the coded symbols
 *        8   16 old image, SHA-256, first half
 *       24   16 new image, SHA-256, first half
 *
 * The decoder reads the patch forwards, writes the new image forwards, and reads the old one
 * anywhere; it never reads what it wrote. It calls nobody: serin_delta_run works until it wants
 * something, and says what.
 *
 *   PATCH   serin_delta_feed takes as many bytes of the patch behind its header as there are, from
 * 1 on OLD     serin_delta_old_want names a range of the old image, serin_delta_old takes its bytes
 *   OUTPUT  serin_delta_output lends the next bytes of the new image, serin_delta_written takes
 * them back END     the whole new image was written
 *
 * Whether the old image is the one that the patch was made for, and whether the new one came out
 * right, is for the caller to hash; neither keeps the decoder inside of its memory, of the old
 * image, and of the size that the caller allowed. Thread: one at a time.
 */
#ifndef SERIN_DELTA_H
#define SERIN_DELTA_H

#include <serin/delta_symbols.h>

#define SERIN_DELTA_HEADER_SIZE 56u
#define SERIN_DELTA_PREFIX_SIZE 16u
#define SERIN_DELTA_FORMAT      1u
#define SERIN_DELTA_WINDOW_SIZE \
    256u                            /* of the old image, held at once; the most that OLD asks for */
#define SERIN_DELTA_OUTPUT_SIZE 64u /* the most that OUTPUT lends */
#define SERIN_DELTA_IMAGE_MAX   (256u * 1024u * 1024u) /* of either image, as in a manifest */

/* What is at the other end of the symbols. */
enum serin_delta_backend {
    SERIN_DELTA_STORE, /* a bit each: for tests */
    SERIN_DELTA_SMALL, /* a device with 8 KiB to spare */
    SERIN_DELTA_BEST,  /* … with 16 KiB */
    SERIN_DELTA_BACKEND_COUNT
};

struct serin_delta_header {
    enum serin_delta_backend backend;
    enum serin_delta_arch arch;
    uint8_t base[SERIN_DELTA_PREFIX_SIZE], target[SERIN_DELTA_PREFIX_SIZE];
    uint32_t base_size, target_size; /* bytes, at most SERIN_DELTA_IMAGE_MAX */
    uint32_t patch_size;             /* bytes behind the header */
};

enum serin_delta_want {
    SERIN_DELTA_WANT_PATCH,
    SERIN_DELTA_WANT_OLD,
    SERIN_DELTA_WANT_OUTPUT,
    SERIN_DELTA_WANT_END
};

/* Where the decoder is in the patch. */
enum serin_delta_state {
    SERIN_DELTA_STATE_START,
    SERIN_DELTA_STATE_COUNTS,
    SERIN_DELTA_STATE_MAPS,
    SERIN_DELTA_STATE_OPEN,
    SERIN_DELTA_STATE_COPY,
    SERIN_DELTA_STATE_END,
    SERIN_DELTA_STATE_COUNT
};

/* What a back end has room for. Its memory is sizeof (struct serin_delta), 8 bytes for each
 * breakpoint and 2 for each slot. */
struct serin_delta_room {
    uint32_t breaks, slots;
    uint32_t history; /* bytes of the new image, where there is no old one */
};

struct serin_delta {
    struct serin_delta_header header;
    uint32_t state;   /* enum serin_delta_state */
    uint32_t fed;     /* bytes of the patch taken */
    uint32_t written; /* bytes of the new image that the caller has */
    uint32_t relative_count, absolute_count, read_count; /* breakpoints */
    uint32_t output_size;
    uint32_t window_from, window_size;
    uint32_t want_from, want_size;
    struct serin_delta_symbols symbols;
    uint8_t output[SERIN_DELTA_OUTPUT_SIZE];
    uint8_t window[SERIN_DELTA_WINDOW_SIZE];
    struct serin_delta_break *breaks;
    uint8_t *history; /* where there is no old image: byte n of the new one at n modulo its size */
};

/* The header's codec. SERIN_ERR_FORMAT (no magic, or a value outside its range), VERSION, FEATURE
 * (a back end or an architecture that is not known), CRC; `header` is then unspecified. */
SERIN_MUST_USE enum serin_error
serin_delta_header_read(const uint8_t bytes[SERIN_DELTA_HEADER_SIZE],
                        struct serin_delta_header *header);
void serin_delta_header_write(const struct serin_delta_header *header,
                              uint8_t bytes[SERIN_DELTA_HEADER_SIZE]);

/* What a back end takes: the room, `alone` for a patch without an old image, and the bytes of
 * memory for either. */
struct serin_delta_room serin_delta_room_of(enum serin_delta_backend backend, bool alone);
size_t serin_delta_memory(enum serin_delta_backend backend);

/* Begins with a patch in `memory` of `size` bytes, aligned as malloc does; the caller keeps it as
 * long as the decoder is used. SERIN_ERR_NO_SPACE: the back end takes more. SERIN_ERR_TOO_LARGE:
 * the new image has more than `limit` bytes, as the manifest says that it has. */
SERIN_MUST_USE enum serin_error serin_delta_init(void *memory, size_t size,
                                                 const struct serin_delta_header *header,
                                                 uint32_t limit, struct serin_delta **delta);

/* Works until something is wanted: a bounded number of steps, as each makes at least a byte of the
 * output that it then wants taken. SERIN_ERR_FORMAT: the patch is none, or was damaged; the decoder
 * is then of no more use. */
SERIN_MUST_USE enum serin_error serin_delta_run(struct serin_delta *delta,
                                                enum serin_delta_want *want);

/* The next bytes of the patch; returns how many were taken: at least one where PATCH was wanted,
 * and none behind the end that the header gives. */
size_t serin_delta_feed(struct serin_delta *delta, const uint8_t *bytes, size_t size);

/* The range of the old image that is wanted, within it, at most SERIN_DELTA_WINDOW_SIZE; and
 * exactly its bytes. */
void serin_delta_old_want(const struct serin_delta *delta, uint32_t *from, uint32_t *size);
void serin_delta_old(struct serin_delta *delta, const uint8_t *bytes);

/* The next bytes of the new image, lent until serin_delta_written, which says that the caller has
 * them all. */
const uint8_t *serin_delta_output(const struct serin_delta *delta, size_t *size);
void serin_delta_written(struct serin_delta *delta);

/* Within the decoder: the maps of its walk lie where its counts say. */
void serin_delta_maps(struct serin_delta *delta);

/* ---- checkpoints ----
 *
 * What a decoder knows, so that a device goes on after its power was cut: to be had between any two
 * calls, and smaller than its memory. The caller keeps the patch; it goes on feeding from byte
 * `fed` behind the header, and writes the new image on from byte `written`.
 *
 *   "SRNC"  format = 1, 4 bytes  the patch's header  fields, breakpoints, slots  CRC-32 of all
 * before
 */
#define SERIN_DELTA_CHECKPOINT_FORMAT 1u

/* How far a checkpoint was saved or loaded. All zero: at its beginning. */
struct serin_delta_cursor {
    uint32_t field, at; /* where in the list of fields */
    uint32_t crc;
    bool failed;
};

/* The bytes of a checkpoint of this decoder, whatever its state. */
size_t serin_delta_checkpoint_size(const struct serin_delta *delta);

/* The next bytes of a checkpoint, at most `size`; returns how many: 0 behind its end. The decoder
 * does not run between the first and the last. */
size_t serin_delta_save(const struct serin_delta *delta, struct serin_delta_cursor *cursor,
                        uint8_t *bytes, size_t size);

/* The reverse, into a decoder that was just initialised with the header of the same patch: takes
 * the next bytes of a checkpoint, and returns how many: fewer than `size` behind its end. */
size_t serin_delta_load(struct serin_delta *delta, struct serin_delta_cursor *cursor,
                        const uint8_t *bytes, size_t size);

/* Whether a whole checkpoint of this patch was loaded; the decoder then goes on.
 * SERIN_ERR_TRUNCATED, CRC (damaged, or of another patch or format), FORMAT (a value outside its
 * range): the decoder is then of no more use. */
SERIN_MUST_USE enum serin_error serin_delta_loaded(struct serin_delta *delta,
                                                   const struct serin_delta_cursor *cursor);

#endif

/*
 * What a site's gateway has said of objects that do not stand whole in the depot
 * (docs/spec/site.md, sections 3 and 4): which pieces of a part file hold, and which objects are
 * not to be had. Pure; time is passed in, monotonic.
 *
 * It is told by depot/have alone. What it does not know, or no longer knows because its tables are
 * full, costs a question to the gateway.
 */
#ifndef SERIN_PLUGIN_PARTIAL_H
#define SERIN_PLUGIN_PARTIAL_H

#include <serin/piece.h>
#include <serin/site.h>

#define SERIN_PARTIAL_FILES    16u /* as many as a gateway fills at a time */
#define SERIN_PARTIAL_VERDICTS 64u
#define SERIN_PARTIAL_PIECES   (SERIN_SITE_OBJECT_MAX / SERIN_PIECE_SIZE)

/* One part file; `size` 0: the place is free. */
struct serin_partial_file {
    uint8_t name[SERIN_SHA256_SIZE];
    uint32_t size;                             /* bytes of the whole object */
    uint64_t used;                             /* turn of its last use */
    uint32_t known[SERIN_PARTIAL_PIECES / 32]; /* one bit a piece */
};

/* An object that is not to be had; INVALID: the place is free. */
struct serin_partial_verdict {
    uint8_t name[SERIN_SHA256_SIZE];
    enum serin_block_status status;
    uint64_t until_ms;
};

struct serin_partial {
    struct serin_partial_file files[SERIN_PARTIAL_FILES];
    struct serin_partial_verdict verdicts[SERIN_PARTIAL_VERDICTS];
    uint64_t turn;
};

void serin_partial_init(struct serin_partial *partial);

/* Takes a decoded depot/have. PART adds ranges (`fresh` forgets those before; another size is
 * another file); WHOLE ends the part file; ABSENT is kept for its retry_ms. Whatever says that
 * there is something ends an earlier ABSENT. Where all places are taken, the part file that was not
 * used for the longest time gives way, and the verdict that ends first. */
void serin_partial_hear(struct serin_partial *partial, const struct serin_have *have,
                        uint64_t now_ms);

/* The size of an object of which there is a part file; 0: there is none. */
uint32_t serin_partial_size(struct serin_partial *partial, const uint8_t name[SERIN_SHA256_SIZE]);

/* How far from `offset` on the part file is known to hold, without a gap: an end in `offset` ..
 * `limit`, and `offset` itself where its piece is not known. `limit` ≥ `offset`. */
uint32_t serin_partial_end(struct serin_partial *partial, const uint8_t name[SERIN_SHA256_SIZE],
                           uint32_t offset, uint32_t limit);

/* The piece at `offset` did not verify: it is no longer known. */
void serin_partial_lose(struct serin_partial *partial, const uint8_t name[SERIN_SHA256_SIZE],
                        uint32_t offset);

/* Whether the object is said to be absent; then what to answer, and how long that still holds. */
bool serin_partial_absent(const struct serin_partial *partial,
                          const uint8_t name[SERIN_SHA256_SIZE], uint64_t now_ms,
                          enum serin_block_status *status, uint32_t *retry_ms);

#endif

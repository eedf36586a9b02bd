/*
 * The slot being filled, between the files that fill it: where its parts lie, what counts as in
 * place, and how a piece gets an erased place (agent_room.c).
 */
#ifndef SERIN_DEVICE_SRC_AGENT_FILL_H
#define SERIN_DEVICE_SRC_AGENT_FILL_H

#include "agent_internal.h"
#include "journal.h"

#include <serin/piece.h>

/* Where the parts of the slot being filled are, and what is expected in them. */
struct serin_filling {
    struct serin_slot_map map;
    uint32_t base;
    uint32_t image_size, piece_count, table_size;
    struct serin_journal journal;
};

struct serin_filling serin_filling_of(const struct serin_agent *agent);

/* Where piece `index` of the image stands. */
static inline uint32_t serin_filling_piece(const struct serin_filling *fill, uint32_t index)
{
    return fill->base + fill->map.image_offset + index * SERIN_PIECE_SIZE;
}

/* Reads the piece that stands, or stood, at `index` from `address` into the scratch buffer. Whether
 * it has the digest of the table. */
bool serin_filling_read(struct serin_agent *agent, const struct serin_filling *fill, uint32_t index,
                        uint32_t address);

/* Whether piece `index` has its digest, and the power may not have gone in it. Reads it into the
 * scratch buffer. */
bool serin_filling_holds(struct serin_agent *agent, const struct serin_filling *fill,
                         uint32_t index);

/* Makes the place of piece `index` erased. In a sector larger than a piece those pieces that are in
 * place stay. Overwrites the scratch buffer. SERIN_ERR_FLASH: it may be tried again. */
SERIN_MUST_USE enum serin_error serin_room_make(struct serin_agent *agent,
                                                const struct serin_filling *fill, uint32_t index);

/* Brings back the pieces of a sector whose rewriting was cut. SERIN_ERR_FLASH: likewise. */
SERIN_MUST_USE enum serin_error serin_room_resume(struct serin_agent *agent,
                                                  const struct serin_filling *fill);

#endif

/*
 * The site role (docs/spec/site.md, sections 3 and 4): its state, what the rest of the shell calls,
 * and what site.c and verify.c ask of each other.
 */
#ifndef SERIN_BROKER_SITE_H
#define SERIN_BROKER_SITE_H

#include "serve.h"

#include <serin/plugin/park.h>
#include <serin/plugin/partial.h>
#include <serin/plugin/pieces.h>
#include <serin/plugin/wants.h>

/* Objects that were verified as a whole and are kept: piece tables and manifests. One as large as
 * any fits beside another. */
#define SITE_WHOLES           32u
#define SITE_WHOLES_BYTES_MAX (2u * SERIN_SITE_WHOLE_MAX)
#define SITE_WHOLE_PIECES     (SERIN_SITE_WHOLE_MAX / SERIN_PIECE_SIZE)

/* Most pieces of a table that the gateway is asked for at a time: as many as it hands over for one
 * want. */
#define SITE_COLLECT_PIECES 64u

/* Most pieces of one answer. All of them stay in the memory of pieces while it is sent. */
#define SITE_WINDOW_PIECES 128u
_Static_assert(SITE_WINDOW_PIECES < SERIN_PIECES_PLACES, "a window stays in memory");

/* How often parked requests are tried again without a word from the gateway, and how often it hears
 * how much was served. */
#define SITE_RETRY_MS  1000u
#define SITE_SERVED_MS 10000u

/* Questions to the gateway about objects that may or may not be on offer, a second. */
#define SITE_UNSURE_PER_S 8u
#define SITE_UNSURE_BURST 16u

/* An object that is verified, or is collected from the pieces that the gateway hands over. */
struct site_whole {
    uint8_t *data; /* NULL: the place is free */
    uint32_t size;
    uint32_t missing; /* pieces that are still to come; 0: it is verified */
    uint64_t used;    /* turn of its last use */
    uint8_t name[SERIN_SHA256_SIZE];
    uint32_t here[SITE_WHOLE_PIECES / 32u]; /* of one that is collected: pieces, as bits */
};

/* What a piece from the gateway changes. */
enum site_news {
    SITE_NEWS_NONE,  /* nothing yet, or it is wrong and not kept */
    SITE_NEWS_PIECE, /* who waits for it may be served */
    SITE_NEWS_OPENED /* a manifest or table is here, and opens what it names */
};

struct site {
    struct serin_partial partial;
    struct serin_wants wants;
    struct serin_pieces pieces;
    struct serin_park park;
    struct serin_parked *parked; /* the park's memory */
    struct site_whole wholes[SITE_WHOLES];
    uint32_t wholes_bytes;
    uint64_t wholes_turn;
    struct serin_bucket unsure;
    uint64_t retried_ms;
    uint64_t served_bytes, served_told; /* block payload given to nodes; what the gateway knows */
    uint64_t served_told_ms;
};

/* ---- site.c ---- */

/* False: no memory, and a line in the log says so. */
bool site_open(struct shell *shell, uint32_t sessions);
void site_close(struct shell *shell); /* of a cloud's shell: nothing */

/* Answers a request that is admitted, or parks it. Its session has nothing parked. */
void site_answer(const struct request *request, uint64_t now_ms);
/* Nothing waits for the session any more. */
void site_forget(struct shell *shell, uint32_t session);
/* What the gateway says on depot/have. */
void site_hear(struct shell *shell, const struct serin_have *have, uint64_t now_ms);
/* A directive was taken: what waits for something that it has closed is told so. */
void site_orders_changed(struct shell *shell, uint64_t now_ms);
void site_tick(struct shell *shell, uint64_t now_ms);

/* Tells the gateway that [offset, offset + length) of an object is MISSING or ROTTEN, unless it
 * was told lately or is not connected. The range is widened to whole pieces at its start, and
 * clipped to the object (of `object_size` bytes; 0: not known) and to a window. */
void site_say(struct shell *shell, enum serin_want_kind kind, const uint8_t *object,
              uint32_t object_size, uint32_t offset, uint32_t length, uint64_t now_ms);

/* ---- verify.c ---- */

/* What a node asks for: where the gateway is to look first. */
struct site_ask {
    const uint8_t *object;
    uint32_t offset, length; /* length ≥ 1 */
    uint64_t now_ms;
};

/* A manifest or piece table whose digest holds, of `size` bytes, until the next call. NULL: it is
 * not here or rotten, and the gateway was told of it. `expected_size` 0: any. */
const uint8_t *site_whole(struct shell *shell, const struct site_ask *ask,
                          enum serin_guard_kind kind, uint32_t expected_size, uint32_t *size);

/* Reads and verifies the pieces of an image in [ask->offset, limit), each unless it is remembered,
 * and returns how far they hold without a gap. Where that is before `limit` the gateway was told of
 * what stopped it. Then all of them are in the memory of pieces. `limit` ≤ image->size, and at most
 * SITE_WINDOW_PIECES pieces are covered. */
uint32_t site_verify(struct shell *shell, const struct site_ask *ask,
                     const struct serin_guard_answer *image, uint32_t limit);

/* Copies verified bytes of an image that site_verify has covered. */
void site_copy(struct site *site, const uint8_t *object, uint32_t offset, uint32_t size,
               uint8_t *out);

/* A piece from the gateway (depot/have, DATA). Of a manifest or table it is collected, and the
 * gateway is asked for the rest; of anything else it is verified now, or, where that cannot be done
 * yet, before it goes out. */
enum site_news site_take_data(struct shell *shell, const struct serin_have *have, uint64_t now_ms);

/* The body of a manifest that is verified and in memory. */
bool site_manifest_body(struct shell *shell, const uint8_t *id,
                        uint8_t body[SERIN_MANIFEST_BODY_SIZE]);
/* The same of a route table, which is verified as a whole. */
bool site_routes(struct shell *shell, const uint8_t *name, uint8_t out[SERIN_ROUTES_SIZE_MAX],
                 uint32_t *size);

#endif

/*
 * What stands in nanopb's messages where text, bytes and lists belong (serin.options): nothing is
 * copied on the way in or out. The generated header includes this file.
 */
#ifndef SERIN_NPB_FIELD_H
#define SERIN_NPB_FIELD_H

#include <pb.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text or bytes. Decoded: where they lie in the payload. Encoded: where they lie in the value; or,
 * where `type` is given, one message of this type, of which the encoding is the field. */
struct serin_npb_slice {
    const void *bytes;
    size_t size;
    unsigned seen; /* decoded: how often the field stood; the last one counts */
    const pb_msgdesc_t *type;
};

/* One kind of item. */
struct serin_npb_items {
    size_t item_size; /* of the value's item, not of nanopb's message */
    size_t most;      /* places in the value */
    /* Decodes one into its place. false: not the message. *fits: it is within what its place can
     * hold. */
    bool (*decode)(pb_istream_t *stream, void *item, bool *fits);
    /* Encodes one, without its tag. */
    bool (*encode)(pb_ostream_t *stream, const void *item);
};

/* A list that lies in the value itself. */
struct serin_npb_list {
    const struct serin_npb_items *kind;
    void *out;      /* decoding: places for kind->most items */
    const void *in; /* encoding: `count` items */
    size_t count;   /* decoded: how many came, also past the most */
    bool misfit;    /* decoded: one was out of bounds */
};

/* The callback of all these fields, in both directions, by nanopb's contract. */
bool serin_npb_field(pb_istream_t *istream, pb_ostream_t *ostream, const pb_field_t *field);

#endif

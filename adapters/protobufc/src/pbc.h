/*
 * What all codecs of this adapter share: a bounded arena for protobuf-c, packing and unpacking
 * under limits, and checked copies between protobuf-c's types and wire values.
 */
#ifndef SERIN_PBC_H
#define SERIN_PBC_H

#include <serin/wire.h>

#include <protobuf-c/protobuf-c.h>

/*
 * All memory that one decode may use. The largest legal message is a report of two attempts with 16
 * transitions each: about 8 KiB unpacked, with protobuf-c's tables of scanned fields; the rest is
 * room for unknown fields. A hostile payload of thousands of repeated items runs out of it and is
 * refused. It lies on the stack of the decoder, so decoding is thread-safe and leaves nothing
 * behind.
 */
#define SERIN_PBC_ARENA_SIZE 16384u

struct serin_pbc_arena {
    ProtobufCAllocator allocator;
    size_t used;
    bool exhausted;
    _Alignas(16) uint8_t memory[SERIN_PBC_ARENA_SIZE];
};

/* Checks `size` against `limit` (SERIN_ERR_TOO_LARGE), then unpacks into the arena, which it starts
 * afresh. NULL in *message and SERIN_ERR_FORMAT: not the message; SERIN_ERR_TOO_LARGE: it does not
 * fit the arena. The message lives as long as the arena and needs no freeing. */
SERIN_MUST_USE enum serin_error serin_pbc_unpack(struct serin_pbc_arena *arena,
                                                 const ProtobufCMessageDescriptor *type,
                                                 const uint8_t *data, size_t size, size_t limit,
                                                 void *message);

/* Packs a message. SERIN_ERR_NO_SPACE: larger than `limit` or `capacity`. */
SERIN_MUST_USE enum serin_error serin_pbc_pack(const ProtobufCMessage *message, size_t limit,
                                               uint8_t *out, size_t capacity, size_t *size);

/* As serin_pbc_pack, of a message that its bounds keep within `most` bytes: where there is room for
 * as many, they are not counted first. */
SERIN_MUST_USE enum serin_error serin_pbc_pack_bounded(const ProtobufCMessage *message, size_t most,
                                                       uint8_t *out, size_t capacity, size_t *size);

/* ---- the top level of a payload, field by field ---- */

/* A walk over the occurrences of one length-delimited field; all other fields are copied to `rest`,
 * in their order. So a list of any length is decoded item by item, in the memory of one item. */
struct serin_pbc_walk {
    const uint8_t *data;
    size_t size, offset;
    uint32_t number;
    uint8_t *rest; /* of the caller */
    size_t rest_capacity, rest_size;
};

void serin_pbc_walk_start(struct serin_pbc_walk *walk, const uint8_t *data, size_t size,
                          uint32_t number, uint8_t *rest, size_t rest_capacity);

/* The next occurrence, inside the payload; NULL in *bytes at the end, when `rest` is complete.
 * SERIN_ERR_FORMAT: not a sequence of fields, or the rest is larger than its room. The walk is over
 * after an error. */
SERIN_MUST_USE enum serin_error serin_pbc_walk_next(struct serin_pbc_walk *walk,
                                                    const uint8_t **bytes, size_t *size);

/* The whole walk over a field that may stand only once. SERIN_ERR_FORMAT also where it stands
 * twice. */
SERIN_MUST_USE enum serin_error serin_pbc_walk_once(struct serin_pbc_walk *walk,
                                                    const uint8_t **bytes, size_t *size);

/* A payload with one large bytes field taken out. protobuf-c copies every bytes field; a block of
 * 64 KiB would need an arena of that size, and the value could not point into the payload. */
#define SERIN_PBC_REST_MAX 512u

struct serin_pbc_cut {
    const uint8_t *bytes; /* the field, inside the payload; NULL where it is absent */
    size_t bytes_size;
    size_t rest_size;
    uint8_t rest[SERIN_PBC_REST_MAX]; /* all other fields, in their order */
};

/* Takes the length-delimited field `number` out of the top level of a payload. SERIN_ERR_TOO_LARGE:
 * the payload is larger than `limit`. SERIN_ERR_FORMAT: the payload is not a sequence of fields,
 * the field stands twice, or the rest is larger than SERIN_PBC_REST_MAX. */
SERIN_MUST_USE enum serin_error serin_pbc_cut(const uint8_t *data, size_t size, size_t limit,
                                              uint32_t number, struct serin_pbc_cut *cut);

/* ---- wire value to protobuf-c; nothing is copied, packing only reads ---- */

char *serin_pbc_text(const char *text);
ProtobufCBinaryData serin_pbc_bytes(const uint8_t *bytes, size_t size);

/* ---- protobuf-c to wire value; false: it does not fit ---- */

/* Copies a string of the arena into `out` of `capacity` bytes; false also for one that contains a
 * NUL, which protobuf-c hides. */
bool serin_pbc_get_text(const struct serin_pbc_arena *arena, const char *text, char *out,
                        size_t capacity);
/* Copies a field of exactly `size` bytes. */
bool serin_pbc_get_fixed(const ProtobufCBinaryData *bytes, uint8_t *out, size_t size);
bool serin_pbc_get_u16(uint32_t value, uint16_t *out);

#endif

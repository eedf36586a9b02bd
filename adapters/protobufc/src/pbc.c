/*
 * The arena, packing and unpacking under limits, and checked copies.
 */
#include "pbc.h"

#include <serin/assert.h>

#include <string.h>

/* ---- arena ---- */

/* Each allocation stands behind its size, so that a string's true length can be told from what
 * protobuf-c keeps of it. */
#define ARENA_ALIGN  16u
#define ARENA_HEADER 16u

static void *arena_alloc(void *data, size_t size)
{
    struct serin_pbc_arena *arena = data;
    size_t left = sizeof(arena->memory) - arena->used;
    if (size > left || left - size < ARENA_HEADER + ARENA_ALIGN) {
        arena->exhausted = true;
        return NULL;
    }
    uint8_t *header = arena->memory + arena->used;
    memcpy(header, &size, sizeof(size));
    size_t padded = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    arena->used += ARENA_HEADER + padded;
    return header + ARENA_HEADER;
}

static void arena_free(void *data, void *pointer)
{
    (void)data; /* the arena goes as a whole, with the decoder's stack frame */
    (void)pointer;
}

static void arena_start(struct serin_pbc_arena *arena)
{
    arena->allocator.alloc = arena_alloc;
    arena->allocator.free = arena_free;
    arena->allocator.allocator_data = arena;
    arena->used = 0;
    arena->exhausted = false;
}

/* ---- unpack and pack ---- */

enum serin_error serin_pbc_unpack(struct serin_pbc_arena *arena,
                                  const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                  size_t size, size_t limit, void *message)
{
    void *unpacked = NULL;
    memcpy(message, &unpacked, sizeof(unpacked));
    if (size > limit) {
        return SERIN_ERR_TOO_LARGE;
    }
    if (size == 0) {
        return SERIN_ERR_FORMAT;
    }
    arena_start(arena);
    unpacked = protobuf_c_message_unpack(type, &arena->allocator, size, data);
    if (unpacked == NULL) {
        return arena->exhausted ? SERIN_ERR_TOO_LARGE : SERIN_ERR_FORMAT;
    }
    memcpy(message, &unpacked, sizeof(unpacked));
    return SERIN_OK;
}

enum serin_error serin_pbc_pack(const ProtobufCMessage *message, size_t limit, uint8_t *out,
                                size_t capacity, size_t *size)
{
    size_t packed = protobuf_c_message_get_packed_size(message);
    if (packed > limit || packed > capacity) {
        return SERIN_ERR_NO_SPACE;
    }
    size_t written = protobuf_c_message_pack(message, out);
    SERIN_ASSERT(written == packed);
    *size = written;
    return SERIN_OK;
}

enum serin_error serin_pbc_pack_bounded(const ProtobufCMessage *message, size_t most, uint8_t *out,
                                        size_t capacity, size_t *size)
{
    if (capacity < most) {
        return serin_pbc_pack(message, most, out, capacity, size);
    }
    *size = protobuf_c_message_pack(message, out);
    SERIN_ASSERT(*size <= most);
    return SERIN_OK;
}

/* ---- values ---- */

/* protobuf-c's message structs serve packing and unpacking, so their pointers lack const; packing
 * only reads. */
static void *without_const(const void *pointer)
{
    union {
        const void *in;
        void *out;
    } both = {.in = pointer};
    return both.out;
}

char *serin_pbc_text(const char *text)
{
    return without_const(text);
}

ProtobufCBinaryData serin_pbc_bytes(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = without_const(bytes)};
}

bool serin_pbc_get_text(const struct serin_pbc_arena *arena, const char *text, char *out,
                        size_t capacity)
{
    out[0] = '\0';
    uintptr_t address = (uintptr_t)text, memory = (uintptr_t)arena->memory;
    if (address < memory || address - memory >= sizeof(arena->memory)) {
        return true; /* absent: protobuf-c's shared empty string */
    }
    size_t allocated = 0; /* the string's length on the wire and its terminator */
    memcpy(&allocated, text - ARENA_HEADER, sizeof(allocated));
    if (allocated > capacity || strlen(text) + 1 != allocated) {
        return false;
    }
    memcpy(out, text, allocated);
    return true;
}

bool serin_pbc_get_fixed(const ProtobufCBinaryData *bytes, uint8_t *out, size_t size)
{
    if (bytes->len != size) {
        return false;
    }
    memcpy(out, bytes->data, size);
    return true;
}

bool serin_pbc_get_u16(uint32_t value, uint16_t *out)
{
    *out = (uint16_t)value;
    return value <= UINT16_MAX;
}

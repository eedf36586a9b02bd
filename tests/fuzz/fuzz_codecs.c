/*
 * The hosts' codec and the boards' (serin/codec.h), given the same bytes: the same verdict, the
 * same value, the same encoding again. The first byte chooses the kind of payload.
 *
 * It holds for every payload that some encoder of Protocol Buffers writes, whatever stands in it,
 * in whatever order, with whatever unknown fields. What none writes (`plain` below) both must
 * survive, and may judge differently: docs/porting.md says how.
 */
#include "fuzz.h"

#include "wire_values.h"

#include <serin/adapters/protobufc.h>
#include <serin/ports/nanopb.h>

#include "serin.pb-c.h"

#include <string.h>

/* ---- what an encoder writes ---- */

/* A payload's descriptor; its field of opaque bytes, which the hosts' codec cuts out before the
 * rest is decoded; and the message in there, where it is one. */
static const struct shape {
    const char *kind;
    const ProtobufCMessageDescriptor *type;
    uint32_t cut;
    const ProtobufCMessageDescriptor *cut_type;
} shapes[] = {
    {"envelope", &serin__v1__envelope__descriptor, 3, NULL},
    {"directive", &serin__v1__directive__descriptor, 0, NULL},
    {"trust_payload", &serin__v1__trust_payload__descriptor, 2, NULL},
    {"report", &serin__v1__report__descriptor, 2, &serin__v1__report_body__descriptor},
    {"ack", &serin__v1__ack__descriptor, 0, NULL},
    {"beat", &serin__v1__beat__descriptor, 0, NULL},
    {"get", &serin__v1__get__descriptor, 0, NULL},
    {"block", &serin__v1__block__descriptor, 9, NULL},
    {"hold", &serin__v1__hold__descriptor, 0, NULL},
    {"presence", &serin__v1__presence__descriptor, 0, NULL},
};

struct reader {
    const uint8_t *at, *end;
};

/* A number as short as it can be said, and no wider than 64 bits. */
static bool read_number(struct reader *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        *value |= (uint64_t)(byte & 0x7fu) << shift;
        if ((byte & 0x80u) == 0) {
            return byte != 0 || shift == 0;
        }
    }
    return false;
}

/* The value of a field: its number, or how many bytes it takes, which are skipped. */
static bool read_value(struct reader *reader, unsigned wire_type, uint64_t *value)
{
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT) {
        return read_number(reader, value);
    }
    if (wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
        if (!read_number(reader, value)) {
            return false;
        }
    } else {
        *value = wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
    }
    if (*value > (uint64_t)(reader->end - reader->at)) {
        return false;
    }
    reader->at += *value;
    return true;
}

/* protobuf-c does not look at how a truth value was written, so none may come as anything else. */
static bool number_fits(const ProtobufCFieldDescriptor *field, unsigned wire_type, uint64_t value)
{
    bool number = wire_type == PROTOBUF_C_WIRE_TYPE_VARINT;
    return (field->type != PROTOBUF_C_TYPE_UINT32 || !number || value <= UINT32_MAX) &&
           (field->type != PROTOBUF_C_TYPE_BOOL || (number && value <= 1));
}

/* Whether some encoder writes this message: numbers in their shortest form and no wider than their
 * type, and a message that is not in a list stands once. (A decoder may merge one that stands
 * twice, cut a number that is too wide, and so on.) It goes as deep as the messages do: three. */
static bool plain(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    struct reader reader = {data, data + size};
    uint64_t seen = 0;
    while (reader.at < reader.end) {
        uint64_t tag = 0, value = 0;
        if (!read_number(&reader, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) {
            return false;
        }
        unsigned wire_type = (unsigned)(tag & 7u);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (!read_value(&reader, wire_type, &value)) {
            return false;
        }
        if (field == NULL) {
            continue;
        }
        if (!number_fits(field, wire_type, value)) {
            return false;
        }
        if (field->type == PROTOBUF_C_TYPE_MESSAGE &&
            wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            uint64_t bit = UINT64_C(1) << field->id % 64;
            if ((field->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit) != 0) ||
                !plain(field->descriptor, reader.at - value, (size_t)value)) {
                return false;
            }
            seen |= bit;
        }
    }
    return true;
}

/* The first occurrence of a field's bytes. */
static const uint8_t *find_bytes(const uint8_t *data, size_t size, uint32_t number, size_t *length)
{
    struct reader reader = {data, data + size};
    uint64_t tag = 0, value = 0;
    while (reader.at < reader.end && read_number(&reader, &tag) &&
           read_value(&reader, (unsigned)(tag & 7u), &value)) {
        if (tag == ((uint64_t)number << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)) {
            *length = (size_t)value;
            return reader.at - value;
        }
    }
    return NULL;
}

static bool payload_plain(const struct shape *shape, const uint8_t *data, size_t size)
{
    size_t length = 0;
    if (!plain(shape->type, data, size)) {
        return false;
    }
    const uint8_t *cut = find_bytes(data, size, shape->cut, &length);
    return cut == NULL || shape->cut_type == NULL || plain(shape->cut_type, cut, length);
}

/* ---- both ---- */

/* What the hosts' codec has room for: an arena, which a payload full of unknown or repeated fields
 * exhausts, and CUT_REST bytes beside a field that it cuts out. The boards' needs neither. Nothing
 * at all beside that field is to the one not the message, and to the other one without a version.
 */
#define CUT_REST 512u

static bool alike(const struct shape *shape, enum serin_error host, enum serin_error board,
                  const uint8_t *data, size_t size)
{
    if (host == board || host == SERIN_ERR_TOO_LARGE) {
        return true; /* check_codec sees that a payload over its limit is to both */
    }
    if (host != SERIN_ERR_FORMAT || shape->cut == 0) {
        return false;
    }
    size_t length = 0;
    const uint8_t *cut = find_bytes(data, size, shape->cut, &length);
    bool alone = cut != NULL && cut + length == data + size;
    return size - length > CUT_REST || (board == SERIN_ERR_VERSION && alone);
}

static void same_encoding(const struct wire_kind *kind, const void *host, const void *board)
{
    static uint8_t first[WIRE_PAYLOAD_MAX], second[WIRE_PAYLOAD_MAX];
    size_t first_size = 0, second_size = 0;
    enum serin_error error =
        kind->encode(serin_protobufc(), host, first, sizeof first, &first_size);
    SERIN_ASSERT(error == SERIN_OK);
    error = kind->encode(serin_nanopb(), board, second, sizeof second, &second_size);
    SERIN_ASSERT(error == SERIN_OK);
    SERIN_ASSERT(first_size == second_size && memcmp(first, second, first_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static union wire_value host, board;
    if (size < 1 || data[0] >= WIRE_KIND_COUNT) {
        return 0;
    }
    const struct wire_kind *kind = &wire_kinds[data[0]];
    const struct shape *shape = &shapes[data[0]];
    SERIN_ASSERT(strcmp(shape->kind, kind->name) == 0);
    data++;
    size--;
    memset(&host, 0, sizeof host);
    memset(&board, 0xa5, sizeof board);
    enum serin_error by_host = kind->decode(serin_protobufc(), data, size, &host);
    enum serin_error by_board = kind->decode(serin_nanopb(), data, size, &board);
    if (by_host == SERIN_OK && by_board == SERIN_OK && payload_plain(shape, data, size)) {
        same_encoding(kind, &host, &board);
    } else if (by_board == SERIN_OK) {
        same_encoding(kind, &board, &board);
    }
    if (!alike(shape, by_host, by_board, data, size)) {
        SERIN_ASSERT(!payload_plain(shape, data, size));
    }
    return 0;
}

/*
 * Each codec (codec_ports.h), for all kinds alike: both directions, sizes at their worst, cut and
 * mutated payloads, and payloads that ask for memory. Bounds one by one are in check_codec_bounds.
 */
#include "codec_ports.h"
#include "wire_values.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A payload in memory of its exact size, so that AddressSanitizer sees any byte read past its end.
 */
static uint8_t *exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, size);
    return copy;
}

static uint8_t payload[WIRE_PAYLOAD_MAX + 64], again[WIRE_PAYLOAD_MAX + 64];
static union wire_value value, decoded;

static size_t encode(const struct wire_kind *kind, void (*fill)(void *value))
{
    size_t size = 0;
    fill(&value);
    enum serin_error error = kind->encode(codec_table(), &value, payload, sizeof(payload), &size);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind->name, serin_error_text(error));
    return size;
}

/* The codec is complete: what was decoded encodes to the very same bytes. */
static void check_round_trip(const struct wire_kind *kind, const uint8_t *data, size_t size)
{
    size_t again_size = 0;
    memset(&decoded, 0xa5, sizeof(decoded));
    uint8_t *copy = exact(data, size);
    enum serin_error error = kind->decode(codec_table(), copy, size, &decoded);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind->name, serin_error_text(error));
    error = kind->encode(codec_table(), &decoded, again, sizeof(again), &again_size);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind->name, serin_error_text(error));
    ck_assert_uint_eq(again_size, size);
    ck_assert_mem_eq(again, data, size);
    free(copy);
}

START_TEST(every_kind_goes_both_ways)
{
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        size_t small = encode(kind, kind->small);
        check_round_trip(kind, payload, small);
        size_t large = encode(kind, kind->large);
        ck_assert_uint_gt(large, small);
        check_round_trip(kind, payload, large);
    }
}
END_TEST

START_TEST(values_survive)
{
    /* Byte equality of encodings says nothing about a field that neither direction handles; these
     * do. */
    const struct serin_codec *codec = codec_table();
    static struct serin_report report, report_in;
    static struct serin_beat beat, beat_in;
    static struct serin_directive directive, directive_in;
    size_t size = 0;
    memset(&report, 0, sizeof(report));
    memset(&beat, 0, sizeof(beat));
    wire_kind_named("report")->large(&report_in);
    ck_assert_int_eq(codec->encode_report(&report_in, payload, sizeof(payload), &size), SERIN_OK);
    ck_assert_int_eq(codec->decode_report(payload, size, &report), SERIN_OK);
    ck_assert_mem_eq(&report, &report_in, sizeof(report));
    wire_kind_named("beat")->large(&beat_in);
    ck_assert_int_eq(codec->encode_beat(&beat_in, payload, sizeof(payload), &size), SERIN_OK);
    ck_assert_int_eq(codec->decode_beat(payload, size, &beat), SERIN_OK);
    ck_assert_mem_eq(&beat, &beat_in, sizeof(beat));
    wire_large_channel_directive(&directive_in);
    ck_assert_int_eq(codec->encode_directive(&directive_in, payload, sizeof(payload), &size),
                     SERIN_OK);
    ck_assert_int_eq(codec->decode_directive(payload, size, &directive), SERIN_OK);
    ck_assert_mem_eq(&directive, &directive_in, sizeof(directive));
}
END_TEST

START_TEST(pointers_lead_into_the_payload)
{
    const struct serin_codec *codec = codec_table();
    struct serin_block block;
    struct serin_envelope envelope;
    struct serin_trust_payload trust;
    size_t size = encode(wire_kind_named("block"), wire_kind_named("block")->large);
    ck_assert_int_eq(codec->decode_block(payload, size, &block), SERIN_OK);
    ck_assert(block.data > payload && block.data + block.data_size <= payload + size);
    ck_assert_mem_eq(block.data, value.block.data, block.data_size);
    size = encode(wire_kind_named("block"), wire_kind_named("block")->small);
    memcpy(payload + size, "\x4a\x00", 2); /* no data, though the field is there */
    ck_assert_int_eq(codec->decode_block(payload, size + 2, &block), SERIN_OK);
    ck_assert_ptr_null(block.data);
    size = encode(wire_kind_named("envelope"), wire_kind_named("envelope")->large);
    ck_assert_int_eq(codec->decode_envelope(payload, size, &envelope), SERIN_OK);
    ck_assert(envelope.body > payload && envelope.body + envelope.body_size <= payload + size);
    size = encode(wire_kind_named("trust_payload"), wire_kind_named("trust_payload")->large);
    ck_assert_int_eq(codec->decode_trust_payload(payload, size, &trust), SERIN_OK);
    ck_assert(trust.record > payload && trust.record + trust.record_size <= payload + size);
}
END_TEST

START_TEST(the_longest_payloads_keep_their_limits)
{
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        size_t size = encode(&wire_kinds[i], wire_kinds[i].large);
        ck_assert_msg(size <= wire_kinds[i].limit, "%s: %zu bytes", wire_kinds[i].name, size);
    }
    /* A signed directive, whole: two offers in each release, longest names, every field maximal. */
    static const char *const shapes[] = {"targeted", "channel"};
    for (size_t i = 0; i < 2; i++) {
        static struct serin_directive directive;
        uint8_t body[SERIN_DIRECTIVE_MAX];
        struct serin_envelope envelope = {.body = body};
        size_t size = 0;
        if (i == 0) {
            wire_kind_named("directive")->large(&directive);
        } else {
            wire_large_channel_directive(&directive);
        }
        ck_assert_int_eq(
            codec_table()->encode_directive(&directive, body, sizeof(body), &envelope.body_size),
            SERIN_OK);
        enum serin_error error =
            codec_table()->encode_envelope(&envelope, payload, sizeof(payload), &size);
        ck_assert_msg(error == SERIN_OK && size <= SERIN_DIRECTIVE_MAX, "%s: %zu bytes", shapes[i],
                      envelope.body_size);
    }
}
END_TEST

START_TEST(encoders_keep_within_their_room)
{
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        size_t whole = encode(kind, kind->large), size = 0;
        uint8_t *room = malloc(whole);
        ck_assert_int_eq(kind->encode(codec_table(), &value, room, whole, &size), SERIN_OK);
        ck_assert_uint_eq(size, whole);
        for (size_t less = 1; less <= whole && less < 64; less++) {
            ck_assert_int_eq(kind->encode(codec_table(), &value, room, whole - less, &size),
                             SERIN_ERR_NO_SPACE);
        }
        free(room);
    }
}
END_TEST

START_TEST(no_payload_is_made_over_its_limit)
{
    static uint8_t body[SERIN_DIRECTIVE_MAX];
    struct serin_envelope envelope = {.body = body, .body_size = sizeof(body)};
    size_t size = 0;
    ck_assert_int_eq(codec_table()->encode_envelope(&envelope, payload, sizeof(payload), &size),
                     SERIN_ERR_NO_SPACE);
}
END_TEST

START_TEST(empty_and_oversized_payloads_are_refused)
{
    static uint8_t zeros[WIRE_PAYLOAD_MAX + 2];
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        ck_assert_int_eq(kind->decode(codec_table(), NULL, 0, &decoded), SERIN_ERR_FORMAT);
        ck_assert_int_eq(kind->decode(codec_table(), zeros, kind->limit + 1, &decoded),
                         SERIN_ERR_TOO_LARGE);
        ck_assert_int_eq(kind->decode(codec_table(), zeros, kind->limit, &decoded),
                         SERIN_ERR_FORMAT);
    }
}
END_TEST

START_TEST(other_versions_are_refused)
{
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        size_t size = encode(kind, kind->small);
        /* Field 1 comes first in every payload. */
        ck_assert_uint_eq(payload[0], 0x08);
        ck_assert_uint_eq(payload[1], SERIN_WIRE_VERSION);
        for (unsigned version = 0; version < 128; version++) {
            payload[1] = (uint8_t)version;
            enum serin_error error = kind->decode(codec_table(), payload, size, &decoded);
            ck_assert_int_eq(error, version == 1 ? SERIN_OK : SERIN_ERR_VERSION);
        }
    }
}
END_TEST

/* A cut payload may still be a message, without its last fields; then it must be one that encodes.
 */
static void check_sane(const struct wire_kind *kind, const uint8_t *data, size_t size)
{
    size_t again_size = 0;
    uint8_t *copy = exact(data, size);
    memset(&decoded, 0xa5, sizeof(decoded));
    switch (kind->decode(codec_table(), copy, size, &decoded)) {
    case SERIN_OK:
        ck_assert_int_eq(kind->encode(codec_table(), &decoded, again, sizeof(again), &again_size),
                         SERIN_OK);
        ck_assert_uint_le(again_size, kind->limit);
        break;
    case SERIN_ERR_FORMAT:
    case SERIN_ERR_TOO_LARGE:
    case SERIN_ERR_VERSION:
    case SERIN_ERR_INVALID:
    case SERIN_ERR_FEATURE:
        break;
    default:
        ck_abort_msg("%s: an error that decoders do not have", kind->name);
    }
    free(copy);
}

START_TEST(every_truncation_is_safe)
{
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        size_t whole = encode(kind, kind->large);
        size_t step = whole > 8192 ? 97 : 1;
        for (size_t size = 0; size < whole; size += step) {
            check_sane(kind, payload, size);
        }
        for (size_t less = 1; less <= 64 && less < whole; less++) {
            check_sane(kind, payload, whole - less);
        }
    }
}
END_TEST

/* xorshift64: the same mutations on every machine. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t mutate(uint64_t *state, uint8_t *data, size_t size)
{
    uint64_t random = next_random(state);
    size_t at = (size_t)(next_random(state) % size);
    size_t head = size < 96 ? size : 96; /* most structure is near the start of a payload */
    switch (random % 6) {
    case 0:
        data[at] ^= (uint8_t)(1u << (random >> 8) % 8);
        return size;
    case 1:
        data[(random >> 8) % head] = (uint8_t)(random >> 16);
        return size;
    case 2: /* a run is taken out */
        memmove(data + at, data + at + 1, size - at - 1);
        return size - 1;
    case 3: /* a byte is put in */
        memmove(data + at + 1, data + at, size - at);
        data[at] = (uint8_t)(random >> 16);
        return size + 1;
    case 4: /* a length or number at its largest */
        data[(random >> 8) % head] = (random >> 24) % 2 != 0 ? 0xff : 0x7f;
        return size;
    default: /* a run repeated */
        memmove(data + at, data + size / 2, size - at < size / 2 ? size - at : size / 2);
        return size;
    }
}

START_TEST(mutations_are_safe)
{
    static uint8_t mutant[WIRE_PAYLOAD_MAX + 64];
    const uint64_t seed = 0x5e71a5e71a5e71a5u;
    uint64_t state = seed;
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        for (size_t turn = 0; turn < 4000; turn++) {
            size_t size = encode(kind, turn % 2 == 0 ? kind->small : kind->large);
            if (size > 8192 && turn % 20 != 1) {
                continue; /* a whole block now and then is enough */
            }
            memcpy(mutant, payload, size);
            for (size_t times = 1 + turn % 4; times > 0 && size > 1; times--) {
                size = mutate(&state, mutant, size);
            }
            check_sane(kind, mutant, size);
        }
    }
}
END_TEST

/* ---- payloads that ask for memory ---- */

/* Appends `count` length-delimited fields of number `field` and content `data`. */
static size_t append_fields(uint8_t *out, size_t size, unsigned field, size_t count,
                            const char *data, size_t data_size)
{
    for (size_t i = 0; i < count; i++) {
        unsigned tag = field << 3 | 2u;
        if (tag >= 128) {
            out[size++] = (uint8_t)(tag | 128u);
            tag >>= 7;
        }
        out[size++] = (uint8_t)tag;
        out[size++] = (uint8_t)data_size;
        memcpy(out + size, data, data_size);
        size += data_size;
    }
    return size;
}

START_TEST(thousands_of_items_do_not_take_memory)
{
    const struct serin_codec *codec = codec_table();
    static const uint8_t version[] = {0x08, 0x01};
    const enum serin_error too_many = codec_port->arena ? SERIN_ERR_TOO_LARGE : SERIN_ERR_INVALID;
    size_t size = 0;
    /* A beat of 300 empty counters. */
    memcpy(payload, version, sizeof(version));
    size = append_fields(payload, sizeof(version), 16, 300, "", 0);
    ck_assert_uint_le(size, SERIN_BEAT_MAX);
    ck_assert_int_eq(codec->decode_beat(payload, size, &decoded.beat), too_many);
    /* A directive of 250 copies of an empty release: merged by protobuf-c, each copy allocated. */
    memcpy(payload, version, sizeof(version));
    size = append_fields(payload, sizeof(version), 10, 250, "", 0);
    ck_assert_int_ne(codec->decode_directive(payload, size, &decoded.directive), SERIN_OK);
    /* A report of 900 empty attempts. */
    uint8_t body[SERIN_REPORT_MAX];
    memcpy(body, version, sizeof(version));
    size_t body_size = append_fields(body, sizeof(version), 9, 900, "", 0);
    memcpy(payload, version, sizeof(version));
    payload[2] = 0x12;
    payload[3] = (uint8_t)(body_size % 128 + 128);
    payload[4] = (uint8_t)(body_size / 128);
    memcpy(payload + 5, body, body_size);
    ck_assert_int_eq(codec->decode_report(payload, body_size + 5, &decoded.report), too_many);
    /* A block with more beside its data than an honest one ever has. */
    memcpy(payload, version, sizeof(version));
    size = append_fields(payload, sizeof(version), 100, 200, "x", 1);
    ck_assert_int_eq(codec->decode_block(payload, size, &decoded.block),
                     codec_port->arena ? SERIN_ERR_FORMAT : SERIN_ERR_INVALID);
}
END_TEST

START_TEST(unknown_fields_are_skipped)
{
    /* So that a later minor addition does not cut off what is in the field today. */
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        size_t size = encode(kind, kind->small);
        size_t longer = append_fields(payload, size, 100, 4, "later", 5), again_size = 0;
        ck_assert_int_eq(kind->decode(codec_table(), payload, longer, &decoded),
                         longer > kind->limit ? SERIN_ERR_TOO_LARGE : SERIN_OK);
        if (longer <= kind->limit) {
            ck_assert_int_eq(
                kind->encode(codec_table(), &decoded, again, sizeof(again), &again_size), SERIN_OK);
            ck_assert_uint_eq(again_size, size);
        }
    }
}
END_TEST

START_TEST(a_doubled_body_is_refused)
{
    /* Which of two bodies counts must not be a matter of the decoder. */
    static const struct {
        const char *kind;
        unsigned field;
    } bodies[] = {{"envelope", 3}, {"trust_payload", 2}, {"report", 2}, {"block", 9}};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const struct wire_kind *kind = wire_kind_named(bodies[i].kind);
        size_t size = encode(kind, kind->small);
        size = append_fields(payload, size, bodies[i].field, bodies[i].field == 9 ? 2 : 1, "x", 1);
        ck_assert_int_eq(kind->decode(codec_table(), payload, size, &decoded), SERIN_ERR_FORMAT);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_kind_goes_both_ways,
        values_survive,
        pointers_lead_into_the_payload,
        the_longest_payloads_keep_their_limits,
        encoders_keep_within_their_room,
        no_payload_is_made_over_its_limit,
        empty_and_oversized_payloads_are_refused,
        other_versions_are_refused,
        every_truncation_is_safe,
        mutations_are_safe,
        thousands_of_items_do_not_take_memory,
        unknown_fields_are_skipped,
        a_doubled_body_is_refused,
        NULL,
    };
    return codec_ports_run("codec", tests);
}

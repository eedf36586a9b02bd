/*
 * The site's codec on protobuf-c, for all kinds alike: both directions, sizes at their worst, cut
 * and mutated payloads, payloads that ask for memory, and what must pass a gateway untouched.
 * Bounds one by one are in check_site_bounds.
 */
#include "check_main.h"
#include "site_values.h"

#include <serin/adapters/protobufc.h>

#include <string.h>

static uint8_t payload[SITE_PAYLOAD_MAX + 64], again[SITE_PAYLOAD_MAX + 64];
static union site_value value, decoded;

/* A payload in memory of its exact size, so that AddressSanitizer sees any byte read past its end.
 */
static uint8_t *exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, size);
    return copy;
}

static size_t encode(const struct site_kind *kind, void (*fill)(void *value))
{
    size_t size = 0;
    fill(&value);
    enum serin_error error = kind->encode(&value, payload, sizeof(payload), &size);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind->name, serin_error_text(error));
    return size;
}

static void check_round_trip(const struct site_kind *kind, size_t size)
{
    size_t again_size = 0;
    memset(&decoded, 0xa5, sizeof(decoded));
    uint8_t *copy = exact(payload, size);
    enum serin_error error = kind->decode(copy, size, &decoded);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind->name, serin_error_text(error));
    error = kind->encode(&decoded, again, sizeof(again), &again_size);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind->name, serin_error_text(error));
    ck_assert_uint_eq(again_size, size);
    ck_assert_mem_eq(again, payload, size);
    free(copy);
}

START_TEST(every_kind_goes_both_ways)
{
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        const struct site_kind *kind = &site_kinds[i];
        size_t small = encode(kind, kind->small);
        check_round_trip(kind, small);
        size_t large = encode(kind, kind->large);
        ck_assert_uint_gt(large, small);
        check_round_trip(kind, large);
    }
}
END_TEST

START_TEST(values_survive)
{
    /* Byte equality of encodings says nothing about a field that neither direction handles; these
     * do. */
    static const char *const plain[] = {"ack_batch", "gw_status", "want", "have_part"};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        const struct site_kind *kind = site_kind_named(plain[i]);
        memset(&value, 0, sizeof(value));
        memset(&decoded, 0, sizeof(decoded));
        size_t size = encode(kind, kind->large);
        ck_assert_int_eq(kind->decode(payload, size, &decoded), SERIN_OK);
        ck_assert_mem_eq(&decoded, &value, sizeof(value));
    }
}
END_TEST

static bool inside(const uint8_t *bytes, size_t bytes_size, size_t size)
{
    return bytes > payload && bytes + bytes_size <= payload + size;
}

START_TEST(pointers_lead_into_the_payload)
{
    size_t size = encode(site_kind_named("batch"), site_kind_named("batch")->large);
    ck_assert_int_eq(serin_protobufc_site()->decode_batch(payload, size, &decoded.batch), SERIN_OK);
    ck_assert(inside(decoded.batch.items, decoded.batch.items_size, size));
    ck_assert_uint_eq(decoded.batch.number, UINT64_MAX);
    ck_assert_uint_eq(decoded.batch.incarnation, UINT64_MAX);
    ck_assert_int_eq(decoded.batch.encoding, SERIN_BATCH_DEFLATE);
    ck_assert_uint_eq(decoded.batch.items_size, value.batch.items_size);
    ck_assert_mem_eq(decoded.batch.items, value.batch.items, value.batch.items_size);

    size = encode(site_kind_named("batch_items"), site_kind_named("batch_items")->large);
    ck_assert_int_eq(
        serin_protobufc_site()->decode_batch_items(payload, size, &decoded.batch_items), SERIN_OK);
    ck_assert_uint_eq(decoded.batch_items.count, SERIN_BATCH_ITEMS_MAX);
    for (size_t i = 0; i < SERIN_BATCH_ITEMS_MAX; i++) {
        const struct serin_batch_item *in = &value.batch_items.list[i],
                                      *out = &decoded.batch_items.list[i];
        ck_assert_str_eq(out->node, in->node);
        ck_assert_int_eq(out->kind, in->kind);
        ck_assert_uint_eq(out->payload_size, in->payload_size);
        ck_assert(inside(out->payload, out->payload_size, size));
        ck_assert_mem_eq(out->payload, in->payload, in->payload_size);
    }

    size = encode(site_kind_named("have"), site_kind_named("have")->large);
    ck_assert_int_eq(serin_protobufc_site()->decode_have(payload, size, &decoded.have), SERIN_OK);
    ck_assert(inside(decoded.have.data, decoded.have.data_size, size));
    ck_assert_uint_eq(decoded.have.data_size, 4096);
    ck_assert_mem_eq(decoded.have.data, value.have.data, 4096);
    ck_assert_uint_eq(decoded.have.data_offset, SERIN_SITE_OBJECT_MAX - 4096);
}
END_TEST

START_TEST(the_longest_payloads_keep_their_limits)
{
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        size_t size = encode(&site_kinds[i], site_kinds[i].large);
        ck_assert_msg(size <= site_kinds[i].limit, "%s: %zu bytes", site_kinds[i].name, size);
    }
    /* These reach theirs, and one byte more is not sent. */
    const struct site_kind *items = site_kind_named("batch_items");
    const struct site_kind *batch = site_kind_named("batch");
    size_t size = encode(items, items->large);
    ck_assert_uint_eq(size, SERIN_BATCH_PLAIN_MAX);
    value.batch_items.list[9].payload_size++;
    ck_assert_int_eq(items->encode(&value, payload, sizeof(payload), &size), SERIN_ERR_NO_SPACE);
    size = encode(batch, batch->large);
    ck_assert_uint_eq(size, SERIN_BATCH_MAX);
    value.batch.items = payload;
    value.batch.items_size++;
    ck_assert_int_eq(batch->encode(&value, again, sizeof(again), &size), SERIN_ERR_NO_SPACE);
}
END_TEST

START_TEST(encoders_keep_within_their_room)
{
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        const struct site_kind *kind = &site_kinds[i];
        size_t whole = encode(kind, kind->large), size = 0;
        uint8_t *room = malloc(whole);
        ck_assert_int_eq(kind->encode(&value, room, whole, &size), SERIN_OK);
        ck_assert_uint_eq(size, whole);
        for (size_t less = 1; less <= whole && less < 64; less++) {
            ck_assert_int_eq(kind->encode(&value, room, whole - less, &size), SERIN_ERR_NO_SPACE);
        }
        free(room);
    }
}
END_TEST

START_TEST(empty_and_oversized_payloads_are_refused)
{
    static uint8_t zeros[SITE_PAYLOAD_MAX + 2];
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        const struct site_kind *kind = &site_kinds[i];
        ck_assert_int_eq(kind->decode(NULL, 0, &decoded), SERIN_ERR_FORMAT);
        ck_assert_int_eq(kind->decode(zeros, kind->limit + 1, &decoded), SERIN_ERR_TOO_LARGE);
        ck_assert_int_eq(kind->decode(zeros, kind->limit, &decoded), SERIN_ERR_FORMAT);
    }
}
END_TEST

START_TEST(other_versions_are_refused)
{
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        const struct site_kind *kind = &site_kinds[i];
        size_t size = encode(kind, kind->small);
        if (!kind->versioned) {
            continue;
        }
        ck_assert_uint_eq(payload[0], 0x08);
        for (unsigned version = 0; version < 128; version++) {
            payload[1] = (uint8_t)version;
            enum serin_error error = kind->decode(payload, size, &decoded);
            ck_assert_int_eq(error, version == 1 ? SERIN_OK : SERIN_ERR_VERSION);
        }
    }
}
END_TEST

/* A cut payload may still be a message, without its last fields; then it must be one that encodes.
 */
static void check_sane(const struct site_kind *kind, const uint8_t *data, size_t size)
{
    size_t again_size = 0;
    uint8_t *copy = exact(data, size);
    memset(&decoded, 0xa5, sizeof(decoded));
    enum serin_error error = kind->decode(copy, size, &decoded);
    bool skipped = strcmp(kind->name, "batch_items") == 0 && decoded.batch_items.count == 0;
    if (error == SERIN_OK && !skipped) {
        ck_assert_int_eq(kind->encode(&decoded, again, sizeof(again), &again_size), SERIN_OK);
        ck_assert_uint_le(again_size, kind->limit);
    }
    ck_assert_msg(error == SERIN_OK || error == SERIN_ERR_FORMAT || error == SERIN_ERR_TOO_LARGE ||
                      error == SERIN_ERR_VERSION || error == SERIN_ERR_INVALID,
                  "%s: an error that decoders do not have", kind->name);
    free(copy);
}

START_TEST(every_truncation_is_safe)
{
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        const struct site_kind *kind = &site_kinds[i];
        size_t whole = encode(kind, kind->large);
        size_t step = whole / 3000 + 1;
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

START_TEST(mutations_are_safe)
{
    uint64_t state = 0x5e71a5e71a5e71a5u;
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        const struct site_kind *kind = &site_kinds[i];
        for (size_t turn = 0; turn < 3000; turn++) {
            size_t size = encode(kind, turn % 2 == 0 ? kind->small : kind->large);
            if (size > 8192 && turn % 20 != 1) {
                continue; /* a whole batch now and then is enough */
            }
            for (size_t times = 1 + turn % 4; times > 0; times--) {
                uint64_t random = next_random(&state);
                size_t head = size < 128 || random % 2 != 0 ? size : 128;
                payload[(random >> 8) % head] = (uint8_t)(random % 3 == 0 ? 0xff : random >> 40);
            }
            check_sane(kind, payload, size - (size_t)(next_random(&state) % 2));
        }
    }
}
END_TEST

/* ---- lists, unknown fields, doubled bytes ---- */

/* Appends `count` length-delimited fields of number `field` < 2048, `data` of less than 128 bytes.
 */
static size_t append_fields(size_t size, unsigned field, size_t count, const char *data,
                            size_t data_size)
{
    for (size_t i = 0; i < count; i++) {
        unsigned tag = field << 3 | 2u;
        if (tag >= 128) {
            payload[size++] = (uint8_t)(tag | 128u);
            tag >>= 7;
        }
        payload[size++] = (uint8_t)tag;
        payload[size++] = (uint8_t)data_size;
        memcpy(payload + size, data, data_size);
        size += data_size;
    }
    return size;
}

/* An item of a batch, "n" with one byte of this kind, as it stands in the list. */
#define ITEM(kind) "\x0a\x01n\x10" kind "\x1a\x01x"

START_TEST(lists_are_bounded)
{
    const struct serin_site_codec *codec = serin_protobufc_site();
    size_t size = append_fields(0, 1, 256, ITEM("\x02"), 8);
    ck_assert_int_eq(codec->decode_batch_items(payload, size, &decoded.batch_items), SERIN_OK);
    ck_assert_uint_eq(decoded.batch_items.count, 256);
    size = append_fields(size, 1, 1, ITEM("\x02"), 8);
    ck_assert_int_eq(codec->decode_batch_items(payload, size, &decoded.batch_items),
                     SERIN_ERR_INVALID);
    /* Those that are skipped count too. */
    size = append_fields(0, 1, 257, ITEM("\x63"), 8);
    ck_assert_int_eq(codec->decode_batch_items(payload, size, &decoded.batch_items),
                     SERIN_ERR_INVALID);
    static const char ack[] = "\x0a\x01n\x12\x0d\x08\x01\x11\1\0\0\0\0\0\0\0\x20\x01";
    memcpy(payload, "\x08\x01", 2);
    size = append_fields(2, 2, 128, ack, sizeof(ack) - 1);
    ck_assert_int_eq(codec->decode_ack_batch(payload, size, &decoded.ack_batch), SERIN_OK);
    ck_assert_uint_eq(decoded.ack_batch.count, 128);
    size = append_fields(size, 2, 1, ack, sizeof(ack) - 1);
    ck_assert_int_eq(codec->decode_ack_batch(payload, size, &decoded.ack_batch), SERIN_ERR_INVALID);
    static const char batch[] = "\x09\1\0\0\0\0\0\0\0\x10\x07";
    size = append_fields(2, 3, 16, batch, sizeof(batch) - 1);
    ck_assert_int_eq(codec->decode_ack_batch(payload, size, &decoded.ack_batch), SERIN_OK);
    ck_assert_uint_eq(decoded.ack_batch.count, 0);
    ck_assert_uint_eq(decoded.ack_batch.batch_count, 16);
    size = append_fields(size, 3, 1, batch, sizeof(batch) - 1);
    ck_assert_int_eq(codec->decode_ack_batch(payload, size, &decoded.ack_batch), SERIN_ERR_INVALID);
    size = append_fields(2, 3, 1000, "", 0);
    ck_assert_int_eq(codec->decode_ack_batch(payload, size, &decoded.ack_batch), SERIN_ERR_FORMAT);
    /* Thousands of empty ones do not take memory. */
    memcpy(payload, "\x08\x01", 2);
    size = append_fields(2, 6, 1000, "", 0);
    ck_assert_int_eq(codec->decode_have(payload, size, &decoded.have), SERIN_ERR_TOO_LARGE);
    size = append_fields(2, 6, 4000, "", 0);
    ck_assert_int_eq(codec->decode_have(payload, size, &decoded.have), SERIN_ERR_FORMAT);
    ck_assert_int_eq(codec->decode_ack_batch(payload, size, &decoded.ack_batch), SERIN_ERR_FORMAT);
    size = append_fields(2, 24, 1300, "", 0);
    ck_assert_int_eq(codec->decode_gw_status(payload, size, &decoded.gw_status),
                     SERIN_ERR_TOO_LARGE);
}
END_TEST

START_TEST(items_of_unknown_kinds_are_skipped)
{
    const struct serin_site_codec *codec = serin_protobufc_site();
    /* A later kind may follow rules of its own: no node, no payload. */
    size_t size = append_fields(0, 1, 1, "\x10\x04", 2);
    ck_assert_int_eq(codec->decode_batch_items(payload, size, &decoded.batch_items), SERIN_OK);
    ck_assert_uint_eq(decoded.batch_items.count, 0);
    size = append_fields(size, 1, 1, ITEM("\x03"), 8);
    size = append_fields(size, 1, 2, ITEM("\x7f"), 8);
    size = append_fields(size, 1, 1, ITEM("\x01"), 8);
    ck_assert_int_eq(codec->decode_batch_items(payload, size, &decoded.batch_items), SERIN_OK);
    ck_assert_uint_eq(decoded.batch_items.count, 2);
    ck_assert_int_eq(decoded.batch_items.list[0].kind, SERIN_BATCH_PRESENCE);
    ck_assert_int_eq(decoded.batch_items.list[1].kind, SERIN_BATCH_REPORT);
    size = append_fields(size, 1, 1, ITEM("\x00"), 8); /* 0 is no later kind, it is none */
    ck_assert_int_eq(codec->decode_batch_items(payload, size, &decoded.batch_items),
                     SERIN_ERR_INVALID);
}
END_TEST

START_TEST(unknown_fields_are_skipped)
{
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        const struct site_kind *kind = &site_kinds[i];
        size_t size = encode(kind, kind->small), again_size = 0;
        size_t longer = append_fields(size, 100, 4, "later", 5);
        ck_assert_int_eq(kind->decode(payload, longer, &decoded), SERIN_OK);
        ck_assert_int_eq(kind->encode(&decoded, again, sizeof(again), &again_size), SERIN_OK);
        ck_assert_uint_eq(again_size, size);
    }
}
END_TEST

/* An empty field of bytes is as none; a pointer to nothing would ask to be followed. */
START_TEST(empty_data_is_none)
{
    size_t size = encode(site_kind_named("have"), site_kind_named("have")->small);
    size = append_fields(size, 10, 1, "", 0);
    ck_assert_int_eq(serin_protobufc_site()->decode_have(payload, size, &decoded.have), SERIN_OK);
    ck_assert_ptr_null(decoded.have.data);
    ck_assert_uint_eq(decoded.have.data_size, 0);
}
END_TEST

START_TEST(doubled_bytes_are_refused)
{
    /* Which of two counts must not be a matter of the decoder. */
    const struct serin_site_codec *codec = serin_protobufc_site();
    size_t size = encode(site_kind_named("batch"), site_kind_named("batch")->small);
    size = append_fields(size, 6, 1, "x", 1);
    ck_assert_int_eq(codec->decode_batch(payload, size, &decoded.batch), SERIN_ERR_FORMAT);
    size = encode(site_kind_named("have"), site_kind_named("have")->large);
    size = append_fields(size, 10, 1, "", 0);
    ck_assert_int_eq(codec->decode_have(payload, size, &decoded.have), SERIN_ERR_FORMAT);
    size = append_fields(0, 1, 1, ITEM("\x01") "\x1a\x01y", 11);
    ck_assert_int_eq(codec->decode_batch_items(payload, size, &decoded.batch_items),
                     SERIN_ERR_FORMAT);
    memcpy(payload, "\x08\x01", 2);
    size = append_fields(2, 2, 1, "\x0a\x01n\x12\x02\x08\x01\x12\x02\x08\x01", 11);
    ck_assert_int_eq(codec->decode_ack_batch(payload, size, &decoded.ack_batch), SERIN_ERR_FORMAT);
}
END_TEST

/* ---- what passes a gateway ---- */

/* A report with a MAC (docs/spec/report.md), one field that this codec does not know behind it, as
 * a later node may send it: serind gets the very bytes. */
START_TEST(a_report_with_a_mac_passes_byte_for_byte)
{
    const struct serin_site_codec *site = serin_protobufc_site();
    static const uint8_t later[] = {0xa2, 0x06, 3, 'n', 'e', 'w'};
    static struct serin_report report, back;
    static struct serin_batch_items items, out;
    uint8_t sent[SERIN_REPORT_MAX];
    size_t sent_size = 0, items_size = 0, size = 0;
    report = (struct serin_report){.device_id = "node-7",
                                   .product = "lamp",
                                   .channel = "stable",
                                   .hardware = 1,
                                   .incarnation = 9,
                                   .number = 4,
                                   .running = {.slot = 1},
                                   .attempt_count = 1,
                                   .mac_type = 7,
                                   .mac_size = 32};
    report.attempts[0].attempt = 1;
    report.attempts[0].transition_count = 1;
    report.attempts[0].transitions[0] =
        (struct serin_transition){.state = SERIN_STATE_PENDING, .reason = SERIN_REASON_NONE};
    for (size_t i = 0; i < sizeof(report.mac); i++) {
        report.mac[i] = (uint8_t)(0xf0 ^ i);
    }
    ck_assert_int_eq(serin_protobufc()->encode_report(&report, sent, sizeof(sent), &sent_size),
                     SERIN_OK);
    memcpy(sent + sent_size, later, sizeof(later));
    sent_size += sizeof(later);

    items.count = 1;
    items.list[0] = (struct serin_batch_item){
        .node = "node-7", .kind = SERIN_BATCH_REPORT, .payload = sent, .payload_size = sent_size};
    ck_assert_int_eq(site->encode_batch_items(&items, payload, sizeof(payload), &items_size),
                     SERIN_OK);
    struct serin_batch batch = {.incarnation = 1,
                                .number = 1,
                                .encoding = SERIN_BATCH_PLAIN,
                                .plain_size = (uint32_t)items_size,
                                .items = payload,
                                .items_size = items_size};
    ck_assert_int_eq(site->encode_batch(&batch, again, sizeof(again), &size), SERIN_OK);
    memset(&batch, 0, sizeof(batch));
    ck_assert_int_eq(site->decode_batch(again, size, &batch), SERIN_OK);
    ck_assert_int_eq(site->decode_batch_items(batch.items, batch.items_size, &out), SERIN_OK);
    ck_assert_uint_eq(out.count, 1);
    ck_assert_uint_eq(out.list[0].payload_size, sent_size);
    ck_assert_mem_eq(out.list[0].payload, sent, sent_size);
    ck_assert_int_eq(
        serin_protobufc()->decode_report(out.list[0].payload, out.list[0].payload_size, &back),
        SERIN_OK);
    ck_assert_uint_eq(back.mac_type, 7);
    ck_assert_uint_eq(back.mac_size, 32);
    ck_assert_mem_eq(back.mac, report.mac, 32);
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
        empty_and_oversized_payloads_are_refused,
        other_versions_are_refused,
        every_truncation_is_safe,
        mutations_are_safe,
        lists_are_bounded,
        items_of_unknown_kinds_are_skipped,
        unknown_fields_are_skipped,
        empty_data_is_none,
        doubled_bytes_are_refused,
        a_report_with_a_mac_passes_byte_for_byte,
        NULL,
    };
    return check_run("site_codec", tests);
}

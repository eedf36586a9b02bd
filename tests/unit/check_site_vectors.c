/*
 * The golden vectors of what sites say: the codec makes and reads exactly these bytes, and refuses
 * each wrong payload with its error. protoc wrote the bytes (tests/vectors/v1/site/README.md), so
 * this also proves the codec against another one.
 */
#include "check_main.h"
#include "site_values.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/zlib.h>
#include <serin/bytes.h>

#include <stdio.h>
#include <string.h>

#define FILE_MAX 16384u

static uint8_t file[FILE_MAX], payload[SITE_PAYLOAD_MAX];
static union site_value value;

static size_t read_vector(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s.bin", SERIN_VECTORS, name);
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "no vector %s", path);
    size_t size = fread(file, 1, sizeof(file), stream);
    fclose(stream);
    ck_assert_uint_lt(size, sizeof(file));
    return size;
}

static const struct {
    const char *name, *kind;
} vectors[] = {
    {"site/batch-small", "batch"},
    {"site/batch-plain", "batch"},
    {"site/batch-deflate", "batch"},
    {"site/batch_items-small", "batch_items"},
    {"site/batch_items-typical", "batch_items"},
    {"site/ack_batch-small", "ack_batch"},
    {"site/ack_batch-typical", "ack_batch"},
    {"site/ack_batch-batches", "ack_batch"},
    {"site/ack_batch-mixed", "ack_batch"},
    {"site/gw_status-small", "gw_status"},
    {"site/gw_status-held", "gw_status"},
    {"site/gw_status-large", "gw_status"},
    {"site/want-small", "want"},
    {"site/want-missing", "want"},
    {"site/want-large", "want"},
    {"site/have-small", "have"},
    {"site/have-part", "have"},
    {"site/have-absent", "have"},
    {"site/have-data", "have"},
    {"site/have_part-small", "have"},
    {"site/have_part-large", "have"},
};
#define VECTOR_COUNT (sizeof(vectors) / sizeof(vectors[0]))

START_TEST(each_is_read_and_written_again_as_it_was)
{
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        const char *name = vectors[i].name;
        const struct site_kind *kind = site_kind_named(vectors[i].kind);
        size_t size = read_vector(name), again = 0;
        enum serin_error error = kind->decode(file, size, &value);
        ck_assert_msg(error == SERIN_OK, "%s: %s", name, serin_error_text(error));
        error = kind->encode(&value, payload, sizeof(payload), &again);
        ck_assert_msg(error == SERIN_OK, "%s: %s", name, serin_error_text(error));
        ck_assert_msg(again == size && memcmp(file, payload, size) == 0, "%s differs", name);
    }
}
END_TEST

static void expect_same(const struct site_kind *kind, void (*fill)(void *value), const char *name)
{
    size_t size = 0;
    fill(&value);
    ck_assert_int_eq(kind->encode(&value, payload, sizeof(payload), &size), SERIN_OK);
    ck_assert_msg(read_vector(name) == size && memcmp(file, payload, size) == 0, "%s differs",
                  name);
}

/* The fields, too, are where they belong: values made here give the bytes that protoc made of the
 * text. */
START_TEST(small_and_large_values_give_these_bytes)
{
    static const char *const large[] = {"gw_status", "want",
                                        "have_part"}; /* others are too large */
    char name[64];
    for (size_t i = 0; i < SITE_KIND_COUNT; i++) {
        snprintf(name, sizeof(name), "site/%s-small", site_kinds[i].name);
        expect_same(&site_kinds[i], site_kinds[i].small, name);
    }
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        snprintf(name, sizeof(name), "site/%s-large", large[i]);
        expect_same(site_kind_named(large[i]), site_kind_named(large[i])->large, name);
    }
}
END_TEST

/* A batch's items are what its nodes sent, byte for byte, plain or deflated. */
START_TEST(batches_hold_what_nodes_sent)
{
    static const char *const batches[] = {"site/batch-plain", "site/batch-deflate"};
    static const char *const nodes[] = {"wire/report-typical", "wire/beat-typical",
                                        "wire/presence-large"};
    static uint8_t batch_bytes[FILE_MAX], items[FILE_MAX];
    const struct serin_site_codec *codec = serin_protobufc_site();
    for (size_t i = 0; i < 2; i++) {
        struct serin_batch batch;
        size_t size = read_vector(batches[i]);
        memcpy(batch_bytes, file, size);
        ck_assert_int_eq(codec->decode_batch(batch_bytes, size, &batch), SERIN_OK);
        ck_assert_uint_eq(batch.number, 5 + i);
        ck_assert_uint_eq(batch.incarnation, 0x123456789abcdef);
        if (batch.encoding == SERIN_BATCH_DEFLATE) {
            ck_assert_int_eq(serin_inflate(batch.items, batch.items_size, items, batch.plain_size),
                             SERIN_OK);
        } else {
            memcpy(items, batch.items, batch.items_size);
        }
        ck_assert_int_eq(codec->decode_batch_items(items, batch.plain_size, &value.batch_items),
                         SERIN_OK);
        ck_assert_uint_eq(value.batch_items.count, 3);
        for (size_t j = 0; j < 3; j++) {
            const struct serin_batch_item *item = &value.batch_items.list[j];
            ck_assert_int_eq(item->kind, SERIN_BATCH_REPORT + j);
            ck_assert_uint_eq(read_vector(nodes[j]), item->payload_size);
            ck_assert_mem_eq(file, item->payload, item->payload_size);
        }
    }
}
END_TEST

START_TEST(a_held_site_says_why)
{
    const struct site_kind *kind = site_kind_named("gw_status");
    const struct serin_gw_status *status = &value.gw_status;
    ck_assert_int_eq(kind->decode(file, read_vector("site/gw_status-held"), &value), SERIN_OK);
    ck_assert_str_eq(status->gateway, "gw-north");
    ck_assert_uint_eq(status->fleet_count, 3);
    ck_assert_int_eq(status->fleets[0].hold, SERIN_HOLD_CAUSE_FAILURES);
    ck_assert_uint_eq(status->fleets[0].failures, 4);
    ck_assert_uint_eq(status->fleets[0].failures_max, 3);
    ck_assert_uint_eq(status->fleets[0].manifest_id[0], 0xe7);
    ck_assert_uint_eq(status->fleets[0].held_since_s, 1700000000);
    ck_assert_int_eq(status->fleets[1].hold, SERIN_HOLD_CAUSE_LEASE);
    ck_assert_str_eq(status->fleets[1].channel, "beta");
    ck_assert_uint_eq(status->fleets[1].order.epoch, 0);
    ck_assert_int_eq(status->fleets[2].hold, SERIN_HOLD_CAUSE_NONE);
    ck_assert_uint_eq(status->fleets[2].lease_left_s, 21000);
}
END_TEST

/* Each line: kind, error, hexadecimal or "-", words. */
START_TEST(wrong_payloads_are_refused)
{
    static char line[FILE_MAX], hex[FILE_MAX];
    char path[1024], kind_name[32], error_name[32];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/site/refused.txt", SERIN_VECTORS);
    FILE *stream = fopen(path, "r");
    ck_assert_ptr_nonnull(stream);
    while (fgets(line, sizeof(line), stream) != NULL) {
        if (line[0] == '#') {
            continue;
        }
        ck_assert_int_eq(sscanf(line, "%31s %31s %16383s", kind_name, error_name, hex), 3);
        size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
        if (size > 0) {
            ck_assert_int_eq(serin_hex_decode(hex, payload, size), SERIN_OK);
        }
        enum serin_error error = site_kind_named(kind_name)->decode(payload, size, &value);
        ck_assert_msg(strcmp(serin_error_name(error), error_name) == 0, "%s instead of: %s",
                      serin_error_name(error), line);
        count++;
    }
    fclose(stream);
    ck_assert_uint_ge(count, 70);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_is_read_and_written_again_as_it_was,
        small_and_large_values_give_these_bytes,
        batches_hold_what_nodes_sent,
        a_held_site_says_why,
        wrong_payloads_are_refused,
        NULL,
    };
    return check_run("site_vectors", tests);
}

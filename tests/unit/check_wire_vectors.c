/*
 * The golden vectors of the wire: each codec makes and reads exactly these bytes, and refuses each
 * wrong payload with its error. protoc wrote the bytes (tests/vectors/v1/wire/README.md), so this
 * also proves the codec against another one.
 */
#include "codec_ports.h"
#include "wire_values.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/directive.h>

#include <stdio.h>
#include <string.h>

#define FILE_MAX 16384u

static uint8_t file[FILE_MAX], payload[WIRE_PAYLOAD_MAX];
static union wire_value value;

static size_t read_vector(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", SERIN_VECTORS, name);
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
    {"envelope-small", "envelope"},
    {"envelope-large", "envelope"},
    {"directive-channel", "envelope"},
    {"directive-targeted", "envelope"},
    {"directive-small", "directive"},
    {"directive-large", "directive"},
    {"directive-large-channel", "directive"},
    {"directive-channel-body", "directive"},
    {"directive-targeted-body", "directive"},
    {"trust_payload-small", "trust_payload"},
    {"trust_payload-signed", "trust_payload"},
    {"report-small", "report"},
    {"report-typical", "report"},
    {"report-large", "report"},
    {"ack-small", "ack"},
    {"ack-typical", "ack"},
    {"ack-large", "ack"},
    {"beat-small", "beat"},
    {"beat-typical", "beat"},
    {"beat-large", "beat"},
    {"get-small", "get"},
    {"get-large", "get"},
    {"block-busy", "block"},
    {"block-data", "block"},
    {"block-range", "block"},
    {"hold-small", "hold"},
    {"hold-large", "hold"},
    {"presence-small", "presence"},
    {"presence-large", "presence"},
};
#define VECTOR_COUNT (sizeof(vectors) / sizeof(vectors[0]))

START_TEST(each_is_read_and_written_again_as_it_was)
{
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        char name[64];
        size_t again = 0;
        const struct wire_kind *kind = wire_kind_named(vectors[i].kind);
        snprintf(name, sizeof(name), "wire/%s.bin", vectors[i].name);
        size_t size = read_vector(name);
        enum serin_error error = kind->decode(codec_table(), file, size, &value);
        ck_assert_msg(error == SERIN_OK, "%s: %s", name, serin_error_text(error));
        error = kind->encode(codec_table(), &value, payload, sizeof(payload), &again);
        ck_assert_msg(error == SERIN_OK, "%s: %s", name, serin_error_text(error));
        ck_assert_msg(again == size && memcmp(file, payload, size) == 0, "%s differs", name);
    }
}
END_TEST

/* The fields, too, are where they belong: values made here give the bytes that protoc made of the
 * text. */
START_TEST(small_and_large_values_give_these_bytes)
{
    size_t compared = 0;
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i];
        for (int large = 0; large < 2; large++) {
            char name[64];
            size_t size = 0;
            if ((strcmp(kind->name, "trust_payload") == 0 && large) ||
                strcmp(kind->name, "block") == 0) {
                continue; /* their largest are kept out of the folder for their size */
            }
            (large ? kind->large : kind->small)(&value);
            ck_assert_int_eq(kind->encode(codec_table(), &value, payload, sizeof(payload), &size),
                             SERIN_OK);
            snprintf(name, sizeof(name), "wire/%s-%s.bin", kind->name, large ? "large" : "small");
            ck_assert_msg(read_vector(name) == size && memcmp(file, payload, size) == 0,
                          "%s differs", name);
            compared++;
        }
    }
    ck_assert_uint_eq(compared, 2 * WIRE_KIND_COUNT - 3);
}
END_TEST

START_TEST(blocks_say_what_the_text_says)
{
    struct serin_block block;
    size_t size = read_vector("wire/block-data.bin");
    ck_assert_int_eq(codec_table()->decode_block(file, size, &block), SERIN_OK);
    ck_assert_uint_eq(block.token, 0x12345678);
    ck_assert_int_eq(block.status, SERIN_BLOCK_DATA);
    ck_assert_uint_eq(block.offset, 4096);
    ck_assert_uint_eq(block.object_size, 10000);
    ck_assert_uint_eq(block.window_end, 8192);
    ck_assert_uint_eq(block.data_size, 512);
    ck_assert_uint_eq(block.data[511], 255);
    size = read_vector("wire/block-range.bin");
    ck_assert_int_eq(codec_table()->decode_block(file, size, &block), SERIN_OK);
    ck_assert_int_eq(block.status, SERIN_BLOCK_RANGE);
    ck_assert_ptr_null(block.data);
}
END_TEST

static void open_trust(struct serin_trust *trust)
{
    uint8_t root[SERIN_P256_PUBLIC_SIZE];
    ck_assert_uint_eq(read_vector("root-public.bin"), sizeof(root));
    memcpy(root, file, sizeof(root));
    /* Through its payload, as a device gets it. */
    struct serin_trust_payload record;
    size_t size = read_vector("wire/trust_payload-signed.bin");
    ck_assert_int_eq(codec_table()->decode_trust_payload(file, size, &record), SERIN_OK);
    ck_assert_int_eq(
        serin_trust_open(serin_wolfcrypt(), root, record.record, record.record_size, trust),
        SERIN_OK);
}

START_TEST(signed_directives_open)
{
    struct serin_trust trust;
    struct serin_directive directive;
    open_trust(&trust);
    size_t size = read_vector("wire/directive-channel.bin");
    ck_assert_int_eq(
        serin_directive_open(serin_wolfcrypt(), codec_table(), &trust, file, size, &directive),
        SERIN_OK);
    ck_assert_str_eq(directive.device_id, "");
    ck_assert_uint_eq(directive.order.sequence, 12);
    ck_assert_uint_eq(directive.candidate.attempt, 2);
    ck_assert_uint_eq(directive.candidate.flags, SERIN_RELEASE_COMMIT);
    for (size_t i = 0; i < size * 8; i += 5) {
        file[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_int_ne(
            serin_directive_open(serin_wolfcrypt(), codec_table(), &trust, file, size, &directive),
            SERIN_OK);
        file[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    size = read_vector("wire/directive-targeted.bin");
    ck_assert_int_eq(
        serin_directive_open(serin_wolfcrypt(), codec_table(), &trust, file, size, &directive),
        SERIN_OK);
    ck_assert_str_eq(directive.device_id, "lamp-0007");
    ck_assert_uint_eq(directive.threshold, SERIN_COHORT_EVERYONE);
}
END_TEST

/* Each line: kind, error, hexadecimal or "-", words. */
START_TEST(wrong_payloads_are_refused)
{
    static char line[FILE_MAX], hex[FILE_MAX];
    char path[1024], kind_name[32], error_name[32];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/wire/refused.txt", SERIN_VECTORS);
    FILE *stream = fopen(path, "r");
    ck_assert_ptr_nonnull(stream);
    while (fgets(line, sizeof(line), stream) != NULL) {
        if (line[0] == '#') {
            continue;
        }
        ck_assert_int_eq(sscanf(line, "%31s %31s %16383s", kind_name, error_name, hex), 3);
        const struct wire_kind *kind = wire_kind_named(kind_name);
        size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
        if (size > 0) {
            ck_assert_int_eq(serin_hex_decode(hex, payload, size), SERIN_OK);
        }
        enum serin_error error = kind->decode(codec_table(), payload, size, &value);
        if (!codec_port->arena && strcmp(error_name, "TOO_LARGE") == 0 && size <= kind->limit) {
            strcpy(error_name, "INVALID"); /* it is the list that is too long, not the payload */
        }
        ck_assert_msg(strcmp(serin_error_name(error), error_name) == 0, "%s instead of: %s",
                      serin_error_name(error), line);
        count++;
    }
    fclose(stream);
    ck_assert_uint_ge(count, 80);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_is_read_and_written_again_as_it_was,
        small_and_large_values_give_these_bytes,
        blocks_say_what_the_text_says,
        signed_directives_open,
        wrong_payloads_are_refused,
        NULL,
    };
    return codec_ports_run("wire_vectors", tests);
}

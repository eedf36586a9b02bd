/* Payloads at the broker: each belongs to its topic, and a damaged one does not pass. */
#include "check_main.h"
#include "wire_values.h"

#include <serin/adapters/openssl.h>
#include <serin/adapters/protobufc.h>
#include <serin/plugin/payload.h>

#include <string.h>

static struct serin_payload_ports ports;
static struct serin_payload payload;
static uint8_t data[SERIN_BLOCK_MAX];

static enum serin_error check(enum serin_topic_kind kind, const char *id, const char *product,
                              const char *channel, size_t size)
{
    struct serin_topic topic = {.kind = kind};
    strcpy(topic.id, id);
    strcpy(topic.product, product);
    strcpy(topic.channel, channel);
    ports = (struct serin_payload_ports){serin_protobufc(), serin_openssl_hashing()};
    return serin_payload_check(&ports, &topic, data, size, &payload);
}

static size_t make_directive(const char *device_id)
{
    struct serin_directive directive = {.product = "lamp",
                                        .channel = "stable",
                                        .order = {1, 2},
                                        .lease_s = 3600,
                                        .candidate_state = SERIN_CANDIDATE_NONE};
    uint8_t body[SERIN_DIRECTIVE_MAX];
    struct serin_envelope envelope = {.body = body};
    size_t size = 0;
    strcpy(directive.device_id, device_id);
    directive.stable.offer_count = 1;
    directive.stable.attempt = 1;
    directive.stable.offers[0].hw_min = directive.stable.offers[0].hw_max = 1;
    memset(directive.stable.offers[0].manifest_id, 7, 32);
    const struct serin_codec *codec = serin_protobufc();
    ck_assert_int_eq(codec->encode_directive(&directive, body, sizeof body, &envelope.body_size),
                     SERIN_OK);
    ck_assert_int_eq(codec->encode_envelope(&envelope, data, SERIN_DIRECTIVE_MAX, &size), SERIN_OK);
    return size;
}

START_TEST(test_directives)
{
    size_t size = make_directive("");
    ck_assert_int_eq(check(SERIN_TOPIC_DIRECTIVE, "", "lamp", "stable", size), SERIN_OK);
    ck_assert_uint_eq(payload.directive.order.sequence, 2);
    ck_assert_int_eq(check(SERIN_TOPIC_DIRECTIVE, "", "lock", "stable", size), SERIN_ERR_PRODUCT);
    ck_assert_int_eq(check(SERIN_TOPIC_DIRECTIVE, "", "lamp", "beta", size), SERIN_ERR_CHANNEL);
    ck_assert_int_eq(check(SERIN_TOPIC_DEV_DIRECTIVE, "a", "", "", size), SERIN_ERR_DEVICE);
    for (size_t cut = 0; cut < size; cut++) {
        ck_assert_int_ne(check(SERIN_TOPIC_DIRECTIVE, "", "lamp", "stable", cut), SERIN_OK);
    }
    size = make_directive("a");
    ck_assert_int_eq(check(SERIN_TOPIC_DEV_DIRECTIVE, "a", "", "", size), SERIN_OK);
    ck_assert_int_eq(check(SERIN_TOPIC_DEV_DIRECTIVE, "b", "", "", size), SERIN_ERR_DEVICE);
    ck_assert_int_eq(check(SERIN_TOPIC_DIRECTIVE, "", "lamp", "stable", size), SERIN_ERR_DEVICE);
    memset(data, 0xFF, size);
    ck_assert_int_ne(check(SERIN_TOPIC_DEV_DIRECTIVE, "a", "", "", size), SERIN_OK);
}
END_TEST

START_TEST(test_trust)
{
    struct serin_trust trust = {.version = 9, .product = "lamp", .key_count = 1};
    trust.keys[0].role = SERIN_KEY_ROLE_DIRECTOR;
    memset(trust.keys[0].public_key, 5, sizeof trust.keys[0].public_key);
    serin_key_id(serin_openssl_hashing(), trust.keys[0].public_key, trust.keys[0].key_id);
    uint8_t record[SERIN_TRUST_SIZE_P256];
    uint8_t key_id[SERIN_KEY_ID_SIZE] = {1};
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE] = {1};
    ck_assert_int_eq(serin_trust_encode(&trust, record), SERIN_OK);
    ck_assert_uint_eq(
        serin_signature_area_encode_p256(record, SERIN_TRUST_BODY_SIZE, key_id, signature),
        sizeof record);
    struct serin_trust_payload value = {.record = record, .record_size = sizeof record};
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc()->encode_trust_payload(&value, data, sizeof data, &size),
                     SERIN_OK);
    ck_assert_int_eq(check(SERIN_TOPIC_TRUST, "", "lamp", "", size), SERIN_OK);
    ck_assert_uint_eq(payload.trust_version, 9);
    ck_assert_int_eq(check(SERIN_TOPIC_TRUST, "", "lock", "", size), SERIN_ERR_PRODUCT);
    for (size_t cut = 0; cut < size; cut++) {
        ck_assert_int_ne(check(SERIN_TOPIC_TRUST, "", "lamp", "", cut), SERIN_OK);
    }
    value.record_size--;
    ck_assert_int_eq(serin_protobufc()->encode_trust_payload(&value, data, sizeof data, &size),
                     SERIN_OK);
    ck_assert_int_ne(check(SERIN_TOPIC_TRUST, "", "lamp", "", size), SERIN_OK);
}
END_TEST

/* The kinds with a format, by the names of the shared wire values. */
static const struct {
    enum serin_topic_kind kind;
    const char *name;
} simple[] = {
    {SERIN_TOPIC_DEV_REPORT, "report"}, {SERIN_TOPIC_DEV_ACK, "ack"},
    {SERIN_TOPIC_DEV_BEAT, "beat"},     {SERIN_TOPIC_DEV_GET, "get"},
    {SERIN_TOPIC_DEV_BLOCK, "block"},   {SERIN_TOPIC_GW_GET, "get"},
    {SERIN_TOPIC_GW_BLOCK, "block"},    {SERIN_TOPIC_HOLD, "hold"},
    {SERIN_TOPIC_PRESENCE, "presence"},
};

START_TEST(test_plain_kinds)
{
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        const struct wire_kind *kind = wire_kind_named(simple[i].name);
        for (int large = 0; large < 2; large++) {
            static union wire_value value;
            size_t size = 0;
            memset(&value, 0, sizeof value);
            (large ? kind->large : kind->small)(&value);
            ck_assert_int_eq(kind->encode(serin_protobufc(), &value, data, sizeof data, &size),
                             SERIN_OK);
            const char *id = strcmp(simple[i].name, "report") == 0 ? value.report.device_id
                             : strcmp(simple[i].name, "beat") == 0 ? value.beat.device_id
                                                                   : "any";
            ck_assert_msg(check(simple[i].kind, id, "p", "c", size) == SERIN_OK, "%s",
                          simple[i].name);
            bool has_id = strcmp(id, "any") != 0;
            ck_assert_int_eq(check(simple[i].kind, "somebody-else", "p", "c", size),
                             has_id ? SERIN_ERR_DEVICE : SERIN_OK);
            /* Cut anywhere, it must not be read past its end; the sanitizers watch. The first byte
             * is part of the version, so what is cut there never passes. */
            for (size_t cut = 0; cut < size && cut < 2100; cut++) {
                uint8_t *exact = malloc(cut + 1);
                struct serin_topic topic = {.kind = simple[i].kind, .id = "any"};
                memcpy(exact, data, cut);
                enum serin_error error = serin_payload_check(&ports, &topic, exact, cut, &payload);
                ck_assert(cut > 1 || error != SERIN_OK);
                free(exact);
            }
            data[0] ^= 0x80;
            ck_assert_int_ne(check(simple[i].kind, id, "p", "c", size), SERIN_OK);
        }
    }
}
END_TEST

START_TEST(test_kinds_without_a_format)
{
    static const enum serin_topic_kind kinds[] = {SERIN_TOPIC_GW_REPORTS, SERIN_TOPIC_GW_ACKS,
                                                  SERIN_TOPIC_GW_STATUS, SERIN_TOPIC_DEPOT_HAVE,
                                                  SERIN_TOPIC_DEPOT_WANT};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        ck_assert_int_eq(check(kinds[i], "g", "", "", 5), SERIN_OK);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_directives, test_trust, test_plain_kinds,
                                  test_kinds_without_a_format, NULL};
    return check_run("plugin_payload", tests);
}

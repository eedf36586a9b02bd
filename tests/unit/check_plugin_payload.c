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
    ports = (struct serin_payload_ports){.codec = serin_protobufc(),
                                         .site_codec = serin_protobufc_site(),
                                         .crypto = serin_openssl_hashing()};
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

/* ---- what sites say ---- */

static size_t make_batch(void)
{
    static const uint8_t items[] = {1, 2, 3};
    const struct serin_batch batch = {.incarnation = 7,
                                      .number = 1,
                                      .encoding = SERIN_BATCH_DEFLATE,
                                      .plain_size = 900,
                                      .items = items,
                                      .items_size = sizeof items};
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc_site()->encode_batch(&batch, data, sizeof data, &size),
                     SERIN_OK);
    return size;
}

static size_t make_acks(void)
{
    static struct serin_ack_batch acks = {.count = SERIN_ACK_BATCH_ITEMS_MAX};
    size_t size = 0;
    for (size_t i = 0; i < acks.count; i++) {
        strcpy(acks.list[i].node, "node");
        acks.list[i].ack = (struct serin_ack){7, 1, SERIN_ACK_STORED, 0};
    }
    ck_assert_int_eq(serin_protobufc_site()->encode_ack_batch(&acks, data, sizeof data, &size),
                     SERIN_OK);
    return size;
}

static size_t make_status(void)
{
    const struct serin_gw_status status = {.gateway = "gw-1", .incarnation = 7, .software = "1"};
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc_site()->encode_gw_status(&status, data, sizeof data, &size),
                     SERIN_OK);
    return size;
}

static size_t make_want(void)
{
    const struct serin_want want = {.kind = SERIN_WANT_MISSING, .object = {9}, .length = 1};
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc_site()->encode_want(&want, data, sizeof data, &size),
                     SERIN_OK);
    return size;
}

static size_t make_have(void)
{
    const struct serin_have have = {.kind = SERIN_HAVE_PART,
                                    .object = {9},
                                    .object_size = 9000,
                                    .range_count = 1,
                                    .ranges = {{0, 9000}}};
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc_site()->encode_have(&have, data, sizeof data, &size),
                     SERIN_OK);
    return size;
}

START_TEST(test_site_kinds)
{
    static const struct {
        enum serin_topic_kind kind;
        size_t (*make)(void);
        bool named; /* it carries the id of its topic */
    } kinds[] = {
        {SERIN_TOPIC_GW_REPORTS, make_batch, false}, {SERIN_TOPIC_GW_ACKS, make_acks, false},
        {SERIN_TOPIC_GW_STATUS, make_status, true},  {SERIN_TOPIC_DEPOT_WANT, make_want, false},
        {SERIN_TOPIC_DEPOT_HAVE, make_have, false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t size = kinds[i].make();
        ck_assert_int_eq(check(kinds[i].kind, "gw-1", "", "", size), SERIN_OK);
        ck_assert_int_eq(check(kinds[i].kind, "gw-2", "", "", size),
                         kinds[i].named ? SERIN_ERR_DEVICE : SERIN_OK);
        ck_assert_int_ne(check(kinds[i].kind, "gw-1", "", "", size / 2), SERIN_OK);
        ck_assert_int_ne(check(kinds[i].kind, "gw-1", "", "", 0), SERIN_OK);
        memset(data, 0xFF, size);
        ck_assert_int_ne(check(kinds[i].kind, "gw-1", "", "", size), SERIN_OK);
        memset(data, 0, size);
        ck_assert_int_ne(check(kinds[i].kind, "gw-1", "", "", size), SERIN_OK);
    }
    size_t size = make_have();
    ck_assert_int_eq(check(SERIN_TOPIC_DEPOT_HAVE, "", "", "", size), SERIN_OK);
    ck_assert_uint_eq(payload.have.object_size, 9000);
    ck_assert_uint_eq(payload.have.ranges[0].end, 9000);
}
END_TEST

/* No kind passes unchecked. */
START_TEST(test_every_kind_is_checked)
{
    memset(data, 0xFF, sizeof data);
    for (int kind = SERIN_TOPIC_INVALID + 1; kind < SERIN_TOPIC_COUNT; kind++) {
        ck_assert_int_ne(check((enum serin_topic_kind)kind, "a", "p", "c", 40), SERIN_OK);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_directives,
                                  test_trust,
                                  test_plain_kinds,
                                  test_site_kinds,
                                  test_every_kind_is_checked,
                                  NULL};
    return check_run("plugin_payload", tests);
}

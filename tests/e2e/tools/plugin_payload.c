/* Payloads in Serin's format, from options on the command line. */
#include "plugin_tool.h"

#include <serin/adapters/openssl.h>
#include <serin/adapters/protobufc.h>
#include <serin/topic.h>
#include <serin/trust.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int option_count;
static char **options;

static const char *option(const char *key, const char *otherwise)
{
    size_t length = strlen(key);
    for (int i = 0; i < option_count; i++) {
        if (strncmp(options[i], key, length) == 0 && options[i][length] == '=') {
            return options[i] + length + 1;
        }
    }
    return otherwise;
}

static uint32_t number(const char *key, uint32_t otherwise)
{
    const char *text = option(key, NULL);
    return text == NULL ? otherwise : (uint32_t)strtoul(text, NULL, 10);
}

static void copy(char *out, size_t room, const char *text)
{
    must(serin_text_copy(out, room, text), text);
}

static void offer(struct serin_release *release, const char *hex)
{
    if (hex != NULL) {
        release->offer_count = 1;
        release->attempt = 1;
        release->offers[0].hw_min = 1;
        release->offers[0].hw_max = 9;
        must(serin_hex_decode(hex, release->offers[0].manifest_id, SERIN_SHA256_SIZE), hex);
    }
}

static size_t make_directive(uint8_t *out)
{
    static const char *const states[] = {"", "none", "rolling", "paused", "halted"};
    struct serin_directive directive = {.order = {number("epoch", 1), number("sequence", 1)},
                                        .issued_s = 1700000000,
                                        .lease_s = 3600,
                                        .candidate_state = SERIN_CANDIDATE_NONE};
    const char *state = option("state", "none");
    for (unsigned i = 1; i < 5; i++) {
        directive.candidate_state = strcmp(state, states[i]) == 0 ? (enum serin_candidate_state)i
                                                                  : directive.candidate_state;
    }
    copy(directive.product, sizeof directive.product, option("product", "lamp"));
    copy(directive.channel, sizeof directive.channel, option("channel", "stable"));
    copy(directive.device_id, sizeof directive.device_id, option("id", ""));
    offer(&directive.stable, option("stable", NULL));
    offer(&directive.candidate, option("candidate", NULL));
    directive.has_route_table = option("routes", NULL) != NULL;
    if (directive.has_route_table) {
        must(serin_hex_decode(option("routes", ""), directive.route_table, SERIN_SHA256_SIZE),
             "routes=");
    }
    if (directive.candidate.offer_count > 0) {
        memset(directive.salt, 1, sizeof directive.salt);
        directive.threshold = UINT64_MAX;
    }
    uint8_t body[SERIN_DIRECTIVE_MAX];
    struct serin_envelope envelope = {.body = body};
    memset(envelope.signature, 3, sizeof envelope.signature);
    size_t size = 0;
    const struct serin_codec *codec = serin_protobufc();
    must(codec->encode_directive(&directive, body, sizeof body, &envelope.body_size), "directive");
    must(codec->encode_envelope(&envelope, out, SERIN_DIRECTIVE_MAX, &size), "envelope");
    return size;
}

static size_t make_trust(uint8_t *out)
{
    struct serin_trust trust = {.version = number("version", 1), .key_count = 1};
    copy(trust.product, sizeof trust.product, option("product", "lamp"));
    trust.keys[0].role = SERIN_KEY_ROLE_DIRECTOR;
    memset(trust.keys[0].public_key, 5, sizeof trust.keys[0].public_key);
    serin_key_id(serin_openssl_hashing(), trust.keys[0].public_key, trust.keys[0].key_id);
    uint8_t record[SERIN_TRUST_SIZE_P256];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE] = {1};
    must(serin_trust_encode(&trust, record), "trust record");
    (void)serin_signature_area_encode_p256(record, SERIN_TRUST_BODY_SIZE, trust.keys[0].key_id,
                                           signature);
    struct serin_trust_payload wrapped = {record, sizeof record};
    size_t size = 0;
    must(serin_protobufc()->encode_trust_payload(&wrapped, out, SERIN_TRUST_PAYLOAD_MAX, &size),
         "trust");
    return size;
}

static size_t make_report(uint8_t *out)
{
    struct serin_report report = {
        .hardware = 1, .incarnation = 7, .number = number("number", 1), .attempt_count = 1};
    copy(report.device_id, sizeof report.device_id, option("id", "sensor-01"));
    copy(report.product, sizeof report.product, option("product", "lamp"));
    copy(report.channel, sizeof report.channel, option("channel", "stable"));
    report.running.slot = 1;
    struct serin_attempt_report *attempt = &report.attempts[0];
    memset(attempt->manifest_id, 9, sizeof attempt->manifest_id);
    attempt->attempt = 1;
    attempt->order.sequence = 1;
    attempt->transition_count = 1;
    attempt->transitions[0] =
        (struct serin_transition){.state = SERIN_STATE_PENDING, .reason = SERIN_REASON_NONE};
    size_t size = 0;
    must(serin_protobufc()->encode_report(&report, out, SERIN_REPORT_MAX, &size), "report");
    return size;
}

static size_t make_beat(uint8_t *out)
{
    struct serin_beat beat = {.hardware = 1,
                              .incarnation = 7,
                              .redundancy = SERIN_REDUNDANCY_NONE,
                              .interval_s = 60,
                              .refused = SERIN_REASON_NONE};
    copy(beat.device_id, sizeof beat.device_id, option("id", "sensor-01"));
    copy(beat.product, sizeof beat.product, option("product", "lamp"));
    copy(beat.channel, sizeof beat.channel, option("channel", "stable"));
    beat.running.slot = 1;
    size_t size = 0;
    must(serin_protobufc()->encode_beat(&beat, out, SERIN_BEAT_MAX, &size), "beat");
    return size;
}

static size_t make_ack(uint8_t *out)
{
    const struct serin_ack ack = {.incarnation = 7, .number = 1, .status = SERIN_ACK_STORED};
    size_t size = 0;
    must(serin_protobufc()->encode_ack(&ack, out, SERIN_ACK_MAX, &size), "ack");
    return size;
}

static size_t make_get(uint8_t *out)
{
    struct serin_get get = {.length = number("length", 4096),
                            .block_size = number("block", 4096),
                            .offset = number("offset", 0),
                            .token = number("token", 1)};
    must(serin_hex_decode(option("object", ""), get.object, SERIN_SHA256_SIZE), "object=");
    size_t size = 0;
    must(serin_protobufc()->encode_get(&get, out, SERIN_GET_MAX, &size), "get");
    return size;
}

static size_t make_block(uint8_t *out)
{
    const struct serin_block block = {.token = 1, .status = SERIN_BLOCK_BUSY, .retry_ms = 10};
    size_t size = 0;
    must(serin_protobufc()->encode_block(&block, out, SERIN_BLOCK_MAX, &size), "block");
    return size;
}

static size_t make_batch(uint8_t *out)
{
    static const uint8_t items[] = {1, 2, 3};
    const struct serin_batch batch = {.incarnation = 7,
                                      .number = number("number", 1),
                                      .encoding = SERIN_BATCH_DEFLATE,
                                      .plain_size = 900,
                                      .items = items,
                                      .items_size = sizeof items};
    size_t size = 0;
    must(serin_protobufc_site()->encode_batch(&batch, out, SERIN_BLOCK_MAX, &size), "batch");
    return size;
}

static size_t make_gw_acks(uint8_t *out)
{
    static struct serin_ack_batch acks = {.count = 1};
    copy(acks.list[0].node, sizeof acks.list[0].node, "sensor-01");
    acks.list[0].ack = (struct serin_ack){7, 1, SERIN_ACK_STORED, 0};
    size_t size = 0;
    must(serin_protobufc_site()->encode_ack_batch(&acks, out, SERIN_BLOCK_MAX, &size), "acks");
    return size;
}

static size_t make_gw_status(uint8_t *out)
{
    struct serin_gw_status status = {.incarnation = 7, .software = "0"};
    copy(status.gateway, sizeof status.gateway, option("id", "gw-1"));
    size_t size = 0;
    must(serin_protobufc_site()->encode_gw_status(&status, out, SERIN_BLOCK_MAX, &size), "status");
    return size;
}

static size_t make_hold(uint8_t *out)
{
    const struct serin_hold hold = {.held = true, .reason = SERIN_REASON_NONE};
    size_t size = 0;
    must(serin_protobufc()->encode_hold(&hold, out, SERIN_HOLD_MAX, &size), "hold");
    return size;
}

static size_t make_have(uint8_t *out)
{
    struct serin_have have = {.kind = SERIN_HAVE_WHOLE, .object_size = 5};
    have.object[0] = 1;
    size_t size = 0;
    must(serin_protobufc_site()->encode_have(&have, out, SERIN_HAVE_MAX, &size), "have");
    return size;
}

static size_t make_presence(uint8_t *out)
{
    const struct serin_presence presence = {.online = true, .time_s = 1};
    size_t size = 0;
    must(serin_protobufc()->encode_presence(&presence, out, SERIN_PRESENCE_MAX, &size), "presence");
    return size;
}

int payload(const char *kind, int count, char **given)
{
    static const struct {
        const char *name;
        size_t (*make)(uint8_t *out);
    } kinds[] = {{"directive", make_directive},
                 {"trust", make_trust},
                 {"report", make_report},
                 {"beat", make_beat},
                 {"ack", make_ack},
                 {"get", make_get},
                 {"block", make_block},
                 {"presence", make_presence},
                 {"batch", make_batch},
                 {"gw_acks", make_gw_acks},
                 {"gw_status", make_gw_status},
                 {"hold", make_hold},
                 {"have", make_have}};
    static uint8_t out[SERIN_BLOCK_MAX];
    options = given;
    option_count = count;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            size_t size = kinds[i].make(out);
            return fwrite(out, 1, size, stdout) == size ? 0 : 1;
        }
    }
    fail(kind, "no such kind");
}

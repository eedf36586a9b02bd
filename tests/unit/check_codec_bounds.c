/*
 * Every bound of serin/wire.h, violated one by one: an encoder does not send it, a decoder does not
 * take it. For decoders the payload is made with the generated messages, which know no bounds.
 */
#include "codec_ports.h"
#include "wire_values.h"

#include "serin.pb-c.h"

#include <stdio.h>
#include <string.h>

static uint8_t payload[WIRE_PAYLOAD_MAX + 4096];
static union wire_value value;

/* ---- values out of bounds are not sent ---- */

#define LONGEST_PLUS_ONE \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" /* 65 characters */

/* X(kind, what, statement on `v`, the large value of the kind) */
#define VALUE_CASES(X)                                                                \
    X(envelope, no_body, v->body_size = 0)                                            \
    X(envelope, null_body, v->body = NULL)                                            \
    X(envelope, long_body, v->body_size = SERIN_DIRECTIVE_MAX + 1)                    \
    X(directive, unknown_feature, v->required_features = 1)                           \
    X(directive, no_product, v->product[0] = '\0')                                    \
    X(directive, product_without_end, memset(v->product, 'p', sizeof(v->product)))    \
    X(directive, product_letter, v->product[0] = '/')                                 \
    X(directive, no_channel, v->channel[0] = '\0')                                    \
    X(directive, channel_letter, v->channel[0] = '+')                                 \
    X(directive, device_letter, v->device_id[3] = ' ')                                \
    X(directive, sequence_0, v->order.sequence = 0)                                   \
    X(directive, issued_late, v->issued_s = SERIN_TIME_MAX_S + 1)                     \
    X(directive, lease_short, v->lease_s = SERIN_LEASE_MIN_S - 1)                     \
    X(directive, lease_long, v->lease_s = SERIN_LEASE_MAX_S + 1)                      \
    X(directive, flag, v->flags = SERIN_DIRECTIVE_FLAGS_KNOWN + 1)                    \
    X(directive, offers_3, v->stable.offer_count = 3)                                 \
    X(directive, hw_0, v->stable.offers[0].hw_min = 0)                                \
    X(directive, hw_reversed, v->candidate.offers[1].hw_max = 1)                      \
    X(directive, attempt_0, v->candidate.attempt = 0)                                 \
    X(directive, release_flag, v->stable.flags = SERIN_RELEASE_FLAGS_KNOWN + 1)       \
    X(directive, state_0, v->candidate_state = SERIN_CANDIDATE_INVALID)               \
    X(directive, state_5, v->candidate_state = (enum serin_candidate_state)5)         \
    X(directive, spread_long, v->spread_s = SERIN_SPREAD_MAX_S + 1)                   \
    X(trust_payload, no_record, v->record_size = 0)                                   \
    X(trust_payload, null_record, v->record = NULL)                                   \
    X(trust_payload, long_record, v->record_size = SERIN_TRUST_MAX + 1)               \
    X(report, no_device, v->device_id[0] = '\0')                                      \
    X(report, device_without_end, memset(v->device_id, 'd', sizeof(v->device_id)))    \
    X(report, product_letter, v->product[0] = '#')                                    \
    X(report, no_channel, v->channel[0] = '\0')                                       \
    X(report, hardware_0, v->hardware = 0)                                            \
    X(report, incarnation_0, v->incarnation = 0)                                      \
    X(report, number_0, v->number = 0)                                                \
    X(report, slot_0, v->running.slot = 0)                                            \
    X(report, slot_3, v->running.slot = 3)                                            \
    X(report, attempts_0, v->attempt_count = 0)                                       \
    X(report, attempts_3, v->attempt_count = 3)                                       \
    X(report, attempt_0, v->attempts[1].attempt = 0)                                  \
    X(report, transitions_0, v->attempts[0].transition_count = 0)                     \
    X(report, transitions_17, v->attempts[0].transition_count = 17)                   \
    X(report, state_0, v->attempts[1].transitions[15].state = SERIN_STATE_INVALID)    \
    X(report, state_17, v->attempts[1].transitions[15].state = SERIN_STATE_COUNT)     \
    X(report, reason_0, v->attempts[0].transitions[3].reason = SERIN_REASON_INVALID)  \
    X(report, reason_last, v->attempts[0].transitions[3].reason = SERIN_REASON_COUNT) \
    X(report, mac_without_type, v->mac_type = 0)                                      \
    X(report, type_without_mac, v->mac_size = 0)                                      \
    X(report, mac_33, v->mac_size = 33)                                               \
    X(ack, incarnation_0, v->incarnation = 0)                                         \
    X(ack, status_0, v->status = SERIN_ACK_INVALID)                                   \
    X(ack, status_5, v->status = (enum serin_ack_status)5)                            \
    X(ack, retry_long, v->retry_s = 86401)                                            \
    X(beat, no_device, v->device_id[0] = '\0')                                        \
    X(beat, product_letter, v->product[31] = '.')                                     \
    X(beat, no_channel, v->channel[0] = '\0')                                         \
    X(beat, hardware_0, v->hardware = 0)                                              \
    X(beat, incarnation_0, v->incarnation = 0)                                        \
    X(beat, slot_0, v->running.slot = 0)                                              \
    X(beat, redundancy_0, v->redundancy = SERIN_REDUNDANCY_INVALID)                   \
    X(beat, redundancy_4, v->redundancy = (enum serin_redundancy)4)                   \
    X(beat, interval_0, v->interval_s = 0)                                            \
    X(beat, interval_long, v->interval_s = 604801)                                    \
    X(beat, refused_0, v->refused = SERIN_REASON_INVALID)                             \
    X(beat, refused_last, v->refused = SERIN_REASON_COUNT)                            \
    X(beat, counters_9, v->counter_count = 9)                                         \
    X(beat, counter_0, v->counters[7].id = 0)                                         \
    X(beat, counter_twice, v->counters[7].id = v->counters[0].id)                     \
    X(get, length_0, v->length = 0)                                                   \
    X(get, block_small, v->block_size = SERIN_BLOCK_DATA_MIN - 1)                     \
    X(get, block_large, v->block_size = SERIN_BLOCK_DATA_MAX + 1)                     \
    X(get, token_0, v->token = 0)                                                     \
    X(get, token_again, v->token = v->done_token)                                     \
    X(block, token_0, v->token = 0)                                                   \
    X(block, status_0, v->status = SERIN_BLOCK_INVALID)                               \
    X(block, status_6, v->status = (enum serin_block_status)6)                        \
    X(block, retry_long, v->retry_ms = 3600001)                                       \
    X(block, no_data, v->data_size = 0)                                               \
    X(block, null_data, v->data = NULL)                                               \
    X(block, long_data, v->data_size = SERIN_BLOCK_DATA_MAX + 1)                      \
    X(block, data_without_cause, v->status = SERIN_BLOCK_BUSY)                        \
    X(block, past_window, v->window_end--)                                            \
    X(block, before_window, v->window_end = v->offset - 1)                            \
    X(block, past_object, v->object_size--)                                           \
    X(hold, time_late, v->time_s = SERIN_TIME_MAX_S + 1)                              \
    X(hold, reason_0, v->reason = SERIN_REASON_INVALID)                               \
    X(hold, reason_last, v->reason = SERIN_REASON_COUNT)

#define VALUE_FUNCTION(kind, what, ...)          \
    static void value_##kind##_##what(void *bad) \
    {                                            \
        struct serin_##kind *v = bad;            \
        __VA_ARGS__;                             \
    }
VALUE_CASES(VALUE_FUNCTION)

#define VALUE_ROW(kind, what, ...) {#kind, #what, value_##kind##_##what},
static const struct {
    const char *kind, *what;
    void (*spoil)(void *value);
} value_cases[] = {VALUE_CASES(VALUE_ROW)};

START_TEST(values_out_of_bounds_are_not_sent)
{
    for (size_t i = 0; i < sizeof(value_cases) / sizeof(value_cases[0]); i++) {
        const struct wire_kind *kind = wire_kind_named(value_cases[i].kind);
        size_t size = 0;
        kind->large(&value);
        ck_assert_int_eq(kind->encode(codec_table(), &value, payload, sizeof(payload), &size),
                         SERIN_OK);
        value_cases[i].spoil(&value);
        ck_assert_msg(kind->encode(codec_table(), &value, payload, sizeof(payload), &size) ==
                          SERIN_ERR_INVALID,
                      "%s: %s is sent", value_cases[i].kind, value_cases[i].what);
    }
}
END_TEST

/* ---- messages out of bounds are not taken ---- */

static uint8_t junk[SERIN_BLOCK_DATA_MAX + 1];

static ProtobufCBinaryData junk_of(size_t size)
{
    memset(junk, 0x5a, sizeof(junk));
    return (ProtobufCBinaryData){.len = size, .data = junk};
}

/* Copies of an item for a list that is too long. */
#define LIST_MAX 20
static void *list[LIST_MAX];

static void *list_of(void *item)
{
    for (size_t i = 0; i < LIST_MAX; i++) {
        list[i] = item;
    }
    return list;
}

/* X(kind, message type, what, statement on `m`, the message of the large value) */
#define MESSAGE_CASES(X)                                                                          \
    X(envelope, Envelope, key_id_0, m->key_id = junk_of(0))                                       \
    X(envelope, Envelope, key_id_7, m->key_id = junk_of(7))                                       \
    X(envelope, Envelope, key_id_9, m->body.len = 9, m->key_id = junk_of(9))                      \
    X(envelope, Envelope, signature_0, m->signature = junk_of(0))                                 \
    X(envelope, Envelope, signature_63, m->signature = junk_of(63))                               \
    X(envelope, Envelope, signature_65, m->body.len = 9, m->signature = junk_of(65))              \
    X(envelope, Envelope, no_body, m->body.len = 0)                                               \
    X(directive, Directive, no_product, m->product = NULL)                                        \
    X(directive, Directive, product_long, m->product = &LONGEST_PLUS_ONE[32])                     \
    X(directive, Directive, product_letter, m->product = "a b")                                   \
    X(directive, Directive, product_utf8, m->product = "caf\xc3\xa9")                             \
    X(directive, Directive, no_channel, m->channel = NULL)                                        \
    X(directive, Directive, channel_long, m->channel = &LONGEST_PLUS_ONE[32])                     \
    X(directive, Directive, channel_letter, m->channel = "stable/")                               \
    X(directive, Directive, device_long, m->device_id = LONGEST_PLUS_ONE)                         \
    X(directive, Directive, device_letter, m->device_id = "d+")                                   \
    X(directive, Directive, no_order, m->order = NULL)                                            \
    X(directive, Directive, sequence_0, m->order->sequence = 0)                                   \
    X(directive, Directive, issued_late, m->issued_s = SERIN_TIME_MAX_S + 1)                      \
    X(directive, Directive, lease_short, m->lease_s = SERIN_LEASE_MIN_S - 1)                      \
    X(directive, Directive, lease_long, m->lease_s = SERIN_LEASE_MAX_S + 1)                       \
    X(directive, Directive, flag, m->flags = SERIN_DIRECTIVE_FLAGS_KNOWN + 1)                     \
    X(directive, Directive, offers_3, m->stable->n_offers = 3,                                    \
      m->stable->offers = list_of(m->stable->offers[0]))                                          \
    X(directive, Directive, offers_many, m->device_id = NULL, m->stable->n_offers = 5,            \
      m->stable->offers = list_of(m->stable->offers[0]))                                          \
    X(directive, Directive, overlap, m->stable->offers[1] = m->stable->offers[0])                 \
    X(directive, Directive, hw_0, m->stable->offers[0]->hw_min = 0)                               \
    X(directive, Directive, hw_65536, m->stable->offers[1]->hw_max = 65536)                       \
    X(directive, Directive, hw_wraps, m->stable->offers[1]->hw_min = 65536 + 7)                   \
    X(directive, Directive, hw_reversed, m->stable->offers[1]->hw_max = 1)                        \
    X(directive, Directive, manifest_0, m->stable->offers[1]->manifest_id = junk_of(0))           \
    X(directive, Directive, manifest_31, m->stable->offers[1]->manifest_id = junk_of(31))         \
    X(directive, Directive, manifest_33, m->candidate->offers[1]->manifest_id = junk_of(33))      \
    X(directive, Directive, attempt_0, m->candidate->attempt = 0)                                 \
    X(directive, Directive, release_flag, m->stable->flags = SERIN_RELEASE_FLAGS_KNOWN + 1)       \
    X(directive, Directive, candidate_lost, m->candidate = NULL)                                  \
    X(directive, Directive, state_0, m->candidate_state = 0)                                      \
    X(directive, Directive, state_none, m->candidate_state = SERIN_CANDIDATE_NONE)                \
    X(directive, Directive, state_5, m->candidate_state = 5)                                      \
    X(directive, Directive, state_most, m->candidate_state = UINT32_MAX)                          \
    X(directive, Directive, salt_0, m->salt = junk_of(0))                                         \
    X(directive, Directive, salt_15, m->salt = junk_of(15))                                       \
    X(directive, Directive, salt_17, m->salt = junk_of(17))                                       \
    X(directive, Directive, salt_alone, m->candidate = NULL,                                      \
      m->candidate_state = SERIN_CANDIDATE_NONE, m->threshold = 0)                                \
    X(directive, Directive, spread_long, m->spread_s = SERIN_SPREAD_MAX_S + 1)                    \
    X(directive, Directive, route_31, m->route_table = junk_of(31))                               \
    X(directive, Directive, route_33, m->route_table = junk_of(33))                               \
    X(trust_payload, TrustPayload, no_record, m->record = junk_of(0))                             \
    X(trust_payload, TrustPayload, long_record, m->record = junk_of(SERIN_TRUST_MAX + 1))         \
    X(report, ReportBody, no_device, m->device_id = NULL)                                         \
    X(report, ReportBody, device_long, m->device_id = LONGEST_PLUS_ONE)                           \
    X(report, ReportBody, device_letter, m->device_id = "d\n")                                    \
    X(report, ReportBody, no_product, m->product = NULL)                                          \
    X(report, ReportBody, product_long, m->product = &LONGEST_PLUS_ONE[32])                       \
    X(report, ReportBody, no_channel, m->channel = NULL)                                          \
    X(report, ReportBody, channel_long, m->channel = &LONGEST_PLUS_ONE[32])                       \
    X(report, ReportBody, hardware_0, m->hardware = 0)                                            \
    X(report, ReportBody, hardware_65537, m->hardware = 65537)                                    \
    X(report, ReportBody, incarnation_0, m->incarnation = 0)                                      \
    X(report, ReportBody, number_0, m->number = 0)                                                \
    X(report, ReportBody, no_running, m->running = NULL)                                          \
    X(report, ReportBody, running_31, m->running->manifest_id = junk_of(31))                      \
    X(report, ReportBody, running_0, m->running->manifest_id = junk_of(0))                        \
    X(report, ReportBody, slot_0, m->running->slot = 0)                                           \
    X(report, ReportBody, slot_3, m->running->slot = 3)                                           \
    X(report, ReportBody, slot_257, m->running->slot = 257)                                       \
    X(report, ReportBody, major_65536, m->running->firmware->major = 65536)                       \
    X(report, ReportBody, minor_65536, m->running->firmware->minor = 65536)                       \
    X(report, ReportBody, patch_65536, m->running->firmware->patch = 65536)                       \
    X(report, ReportBody, attempts_0, m->n_attempts = 0)                                          \
    X(report, ReportBody, attempts_3, m->attempts[0]->n_transitions = 1, m->n_attempts = 3,       \
      m->attempts = list_of(m->attempts[0]))                                                      \
    X(report, ReportBody, attempt_0, m->attempts[1]->attempt = 0)                                 \
    X(report, ReportBody, manifest_31, m->attempts[1]->manifest_id = junk_of(31))                 \
    X(report, ReportBody, version_65536, m->attempts[1]->firmware->patch = 65536)                 \
    X(report, ReportBody, transitions_0, m->attempts[0]->n_transitions = 0)                       \
    X(report, ReportBody, transitions_17, m->attempts[0]->n_transitions = 17,                     \
      m->attempts[0]->transitions = list_of(m->attempts[0]->transitions[0]))                      \
    X(report, ReportBody, transitions_many, m->attempts[1]->n_transitions = LIST_MAX,             \
      m->attempts[0]->n_transitions = 1,                                                          \
      m->attempts[1]->transitions = list_of(m->attempts[0]->transitions[0]))                      \
    X(report, ReportBody, state_0, m->attempts[1]->transitions[15]->state = 0)                    \
    X(report, ReportBody, state_17, m->attempts[1]->transitions[15]->state = SERIN_STATE_COUNT)   \
    X(report, ReportBody, reason_0, m->attempts[1]->transitions[0]->reason = 0)                   \
    X(report, ReportBody, reason_last,                                                            \
      m->attempts[1]->transitions[0]->reason = SERIN_REASON_COUNT)                                \
    X(ack, Ack, incarnation_0, m->incarnation = 0)                                                \
    X(ack, Ack, status_0, m->status = 0)                                                          \
    X(ack, Ack, status_5, m->status = 5)                                                          \
    X(ack, Ack, retry_long, m->retry_s = 86401)                                                   \
    X(beat, Beat, no_device, m->device_id = NULL)                                                 \
    X(beat, Beat, device_long, m->device_id = LONGEST_PLUS_ONE)                                   \
    X(beat, Beat, product_letter, m->product = "$SYS")                                            \
    X(beat, Beat, no_channel, m->channel = NULL)                                                  \
    X(beat, Beat, hardware_0, m->hardware = 0)                                                    \
    X(beat, Beat, hardware_65536, m->hardware = 65536)                                            \
    X(beat, Beat, incarnation_0, m->incarnation = 0)                                              \
    X(beat, Beat, no_running, m->running = NULL)                                                  \
    X(beat, Beat, slot_258, m->running->slot = 258)                                               \
    X(beat, Beat, redundancy_0, m->redundancy = 0)                                                \
    X(beat, Beat, redundancy_4, m->redundancy = 4)                                                \
    X(beat, Beat, interval_0, m->interval_s = 0)                                                  \
    X(beat, Beat, interval_long, m->interval_s = 604801)                                          \
    X(beat, Beat, refused_0, m->refused = 0)                                                      \
    X(beat, Beat, refused_last, m->refused = SERIN_REASON_COUNT)                                  \
    X(beat, Beat, takes_256, m->takes = 256)                                                      \
    X(beat, Beat, counters_9, m->n_counters = 9, m->counters = list_of(m->counters[0]))           \
    X(beat, Beat, counters_many, m->n_counters = LIST_MAX, m->counters = list_of(m->counters[0])) \
    X(beat, Beat, counter_0, m->counters[0]->id = 0)                                              \
    X(beat, Beat, counter_twice, m->counters[0] = m->counters[7])                                 \
    X(get, Get, object_0, m->object = junk_of(0))                                                 \
    X(get, Get, object_31, m->object = junk_of(31))                                               \
    X(get, Get, object_33, m->object = junk_of(33))                                               \
    X(get, Get, length_0, m->length = 0)                                                          \
    X(get, Get, block_small, m->block_size = SERIN_BLOCK_DATA_MIN - 1)                            \
    X(get, Get, block_large, m->block_size = SERIN_BLOCK_DATA_MAX + 1)                            \
    X(get, Get, token_0, m->token = 0)                                                            \
    X(get, Get, token_again, m->token = m->done_token)                                            \
    X(block, Block, token_0, m->token = 0)                                                        \
    X(block, Block, status_0, m->status = 0)                                                      \
    X(block, Block, status_6, m->status = 6)                                                      \
    X(block, Block, retry_long, m->retry_ms = 3600001)                                            \
    X(block, Block, no_data, m->data = junk_of(0))                                                \
    X(block, Block, long_data, m->offset = 0, m->data = junk_of(SERIN_BLOCK_DATA_MAX + 1))        \
    X(block, Block, data_without_cause, m->status = SERIN_BLOCK_BUSY)                             \
    X(block, Block, past_window, m->window_end--)                                                 \
    X(block, Block, before_window, m->window_end = m->offset - 1)                                 \
    X(block, Block, past_object, m->object_size--)                                                \
    X(hold, Hold, time_late, m->time_s = SERIN_TIME_MAX_S + 1)                                    \
    X(hold, Hold, reason_0, m->reason = 0)                                                        \
    X(hold, Hold, reason_last, m->reason = SERIN_REASON_COUNT)

#define MESSAGE_FUNCTION(kind, type, what, ...)    \
    static void message_##kind##_##what(void *bad) \
    {                                              \
        Serin__V1__##type *m = bad;                \
        __VA_ARGS__;                               \
    }
MESSAGE_CASES(MESSAGE_FUNCTION)

#define MESSAGE_ROW(kind, type, what, ...) {#kind, #what, message_##kind##_##what},
static const struct {
    const char *kind, *what;
    void (*spoil)(void *message);
} message_cases[] = {MESSAGE_CASES(MESSAGE_ROW)};

static const struct {
    const char *kind;
    const ProtobufCMessageDescriptor *type;
} message_types[] = {
    {"envelope", &serin__v1__envelope__descriptor},
    {"directive", &serin__v1__directive__descriptor},
    {"trust_payload", &serin__v1__trust_payload__descriptor},
    {"report", &serin__v1__report_body__descriptor},
    {"ack", &serin__v1__ack__descriptor},
    {"beat", &serin__v1__beat__descriptor},
    {"get", &serin__v1__get__descriptor},
    {"block", &serin__v1__block__descriptor},
    {"hold", &serin__v1__hold__descriptor},
};

/* Memory for messages whose pointers the cases exchange; it goes as a whole. */
static _Alignas(16) uint8_t arena[1u << 18];
static size_t arena_used;

static void *arena_alloc(void *unused, size_t size)
{
    (void)unused;
    void *block = arena + arena_used;
    arena_used += (size + 15) / 16 * 16;
    ck_assert_uint_le(arena_used, sizeof(arena));
    return block;
}

static void arena_free(void *unused, void *block)
{
    (void)unused;
    (void)block;
}

static ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free};

/* The message of the large value; a report's is its body. */
static ProtobufCMessage *large_message(const struct wire_kind *kind)
{
    size_t size = 0, i = 0;
    while (strcmp(message_types[i].kind, kind->name) != 0) {
        i++;
    }
    arena_used = 0;
    kind->large(&value);
    ck_assert_int_eq(kind->encode(codec_table(), &value, payload, sizeof(payload), &size),
                     SERIN_OK);
    ProtobufCBinaryData packed = {.len = size, .data = payload};
    if (strcmp(kind->name, "report") == 0) {
        packed = serin__v1__report__unpack(&allocator, size, payload)->body;
    }
    ProtobufCMessage *message =
        protobuf_c_message_unpack(message_types[i].type, &allocator, packed.len, packed.data);
    ck_assert_ptr_nonnull(message);
    return message;
}

static size_t pack(const struct wire_kind *kind, const ProtobufCMessage *message)
{
    if (strcmp(kind->name, "report") != 0) {
        return protobuf_c_message_pack(message, payload);
    }
    static uint8_t body[8192];
    Serin__V1__Report report = SERIN__V1__REPORT__INIT;
    report.version = SERIN_WIRE_VERSION;
    report.body.data = body;
    report.body.len = protobuf_c_message_pack(message, body);
    return serin__v1__report__pack(&report, payload);
}

START_TEST(messages_out_of_bounds_are_not_taken)
{
    for (size_t i = 0; i < sizeof(message_cases) / sizeof(message_cases[0]); i++) {
        const struct wire_kind *kind = wire_kind_named(message_cases[i].kind);
        ProtobufCMessage *message = large_message(kind);
        size_t size = pack(kind, message);
        ck_assert_int_eq(kind->decode(codec_table(), payload, size, &value), SERIN_OK);
        message_cases[i].spoil(message);
        size = pack(kind, message);
        /* In memory of its exact size, so that AddressSanitizer sees what is written past a list.
         */
        void *exact = malloc(kind->value_size);
        enum serin_error error = kind->decode(codec_table(), payload, size, exact);
        free(exact);
        ck_assert_msg(error == SERIN_ERR_INVALID, "%s: %s gives: %s", message_cases[i].kind,
                      message_cases[i].what, serin_error_name(error));
    }
}
END_TEST

START_TEST(report_macs_are_bounded)
{
    static const struct {
        uint32_t type;
        size_t size;
        enum serin_error expected;
    } macs[] = {
        {0, 0, SERIN_OK},          {7, 32, SERIN_OK},          {7, 1, SERIN_OK},
        {7, 0, SERIN_ERR_INVALID}, {0, 32, SERIN_ERR_INVALID}, {7, 33, SERIN_ERR_INVALID},
    };
    const struct wire_kind *kind = wire_kind_named("report");
    for (size_t i = 0; i < sizeof(macs) / sizeof(macs[0]); i++) {
        uint8_t body[SERIN_REPORT_MAX];
        Serin__V1__Report report = SERIN__V1__REPORT__INIT;
        report.version = SERIN_WIRE_VERSION;
        report.body.len = protobuf_c_message_pack(large_message(kind), body);
        report.body.data = body;
        report.mac_type = macs[i].type;
        report.mac = junk_of(macs[i].size);
        size_t size = serin__v1__report__pack(&report, payload);
        ck_assert_int_eq(kind->decode(codec_table(), payload, size, &value), macs[i].expected);
    }
}
END_TEST

START_TEST(an_unknown_feature_is_told_apart)
{
    const struct wire_kind *kind = wire_kind_named("directive");
    for (unsigned bit = 0; bit < 32; bit++) {
        Serin__V1__Directive *message = (Serin__V1__Directive *)large_message(kind);
        message->required_features = UINT32_C(1) << bit;
        message->candidate_state = 99; /* what an unknown feature may bring along */
        size_t size = pack(kind, &message->base);
        enum serin_error error = kind->decode(codec_table(), payload, size, &value);
        ck_assert(error == SERIN_ERR_FEATURE);
    }
}
END_TEST

START_TEST(a_nul_inside_a_name_is_refused)
{
    /* protobuf-c gives such a string as its first part; "dev" and "dev\0evil" are not one id. */
    static const char *const kinds[] = {"directive", "report", "beat"};
    static const char letters[] = {'d', 'p', 'c'};
    for (size_t i = 0; i < 3; i++) {
        const struct wire_kind *kind = wire_kind_named(kinds[i]);
        for (size_t letter = 0; letter < sizeof(letters); letter++) {
            size_t size = 0;
            kind->large(&value);
            ck_assert_int_eq(kind->encode(codec_table(), &value, payload, sizeof(payload), &size),
                             SERIN_OK);
            char name[5];
            memset(name, letters[letter], sizeof(name));
            size_t at = 0;
            while (memcmp(payload + at, name, sizeof(name)) != 0) {
                at++;
                ck_assert_uint_lt(at + sizeof(name), size);
            }
            payload[at + 4] = '\0';
            ck_assert_int_eq(kind->decode(codec_table(), payload, size, &value), SERIN_ERR_INVALID);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        values_out_of_bounds_are_not_sent, messages_out_of_bounds_are_not_taken,
        report_macs_are_bounded,           an_unknown_feature_is_told_apart,
        a_nul_inside_a_name_is_refused,    NULL,
    };
    return codec_ports_run("codec_bounds", tests);
}

/*
 * Every bound of serin/site.h, violated one by one: an encoder does not send it, a decoder does not
 * take it. For decoders the payload is made with the generated messages, which know no bounds.
 */
#include "check_main.h"
#include "site_values.h"

#include <serin/adapters/protobufc.h>

#include "serin.pb-c.h"

#include <string.h>

static uint8_t payload[SITE_PAYLOAD_MAX + 4096];
static union site_value value;
static const uint8_t some_bytes[SERIN_REPORT_MAX + 1];

/* ---- values out of bounds are not sent ---- */

/* X(kind, what, statement on `v`, the large value of the kind) */
#define VALUE_CASES(X)                                                                       \
    X(batch, incarnation_0, v->incarnation = 0)                                              \
    X(batch, number_0, v->number = 0)                                                        \
    X(batch, encoding_0, v->encoding = SERIN_BATCH_ENCODING_INVALID)                         \
    X(batch, encoding_3, v->encoding = (enum serin_batch_encoding)3)                         \
    X(batch, plain_size_0, v->plain_size = 0)                                                \
    X(batch, plain_size_long, v->plain_size = SERIN_BATCH_PLAIN_MAX + 1)                     \
    X(batch, null_items, v->items = NULL)                                                    \
    X(batch, no_items, v->items_size = 0)                                                    \
    X(batch, plain_of_another_size, v->encoding = SERIN_BATCH_PLAIN)                         \
    X(batch, no_gain, v->plain_size = (uint32_t)v->items_size)                               \
    X(batch_items, items_0, v->count = 0)                                                    \
    X(batch_items, items_257, v->count = SERIN_BATCH_ITEMS_MAX + 1)                          \
    X(batch_items, no_node, v->list[255].node[0] = '\0')                                     \
    X(batch_items, node_letter, v->list[0].node[63] = '/')                                   \
    X(batch_items, node_without_end, memset(v->list[7].node, 'n', sizeof(v->list[7].node)))  \
    X(batch_items, kind_0, v->list[3].kind = SERIN_BATCH_KIND_INVALID)                       \
    X(batch_items, kind_4, v->list[3].kind = (enum serin_batch_kind)4)                       \
    X(batch_items, null_payload, v->list[3].payload = NULL)                                  \
    X(batch_items, no_payload, v->list[3].payload_size = 0)                                  \
    X(batch_items, long_payload, v->count = 1, v->list[0].payload = some_bytes,              \
      v->list[0].payload_size = SERIN_REPORT_MAX + 1)                                        \
    X(ack_batch, nothing, v->count = v->batch_count = 0)                                     \
    X(ack_batch, batches_17, v->batch_count = SERIN_ACK_BATCH_BATCHES_MAX + 1)               \
    X(ack_batch, batch_incarnation_0, v->batches[15].incarnation = 0)                        \
    X(ack_batch, batch_number_0, v->batches[15].number = 0)                                  \
    X(ack_batch, items_129, v->count = SERIN_ACK_BATCH_ITEMS_MAX + 1)                        \
    X(ack_batch, no_node, v->list[127].node[0] = '\0')                                       \
    X(ack_batch, node_letter, v->list[127].node[0] = '+')                                    \
    X(ack_batch, node_without_end, memset(v->list[7].node, 'n', sizeof(v->list[7].node)))    \
    X(ack_batch, incarnation_0, v->list[127].ack.incarnation = 0)                            \
    X(ack_batch, status_0, v->list[0].ack.status = SERIN_ACK_INVALID)                        \
    X(ack_batch, status_5, v->list[0].ack.status = (enum serin_ack_status)5)                 \
    X(ack_batch, retry_long, v->list[0].ack.retry_s = 86401)                                 \
    X(gw_status, no_gateway, v->gateway[0] = '\0')                                           \
    X(gw_status, gateway_letter, v->gateway[5] = ' ')                                        \
    X(gw_status, gateway_without_end, memset(v->gateway, 'g', sizeof(v->gateway)))           \
    X(gw_status, incarnation_0, v->incarnation = 0)                                          \
    X(gw_status, software_without_end, memset(v->software, 's', sizeof(v->software)))        \
    X(gw_status, software_control, v->software[2] = '\n')                                    \
    X(gw_status, software_delete, v->software[2] = '\x7f')                                   \
    X(gw_status, software_utf8, v->software[2] = '\xc3')                                     \
    X(gw_status, time_late, v->time_s = SERIN_TIME_MAX_S + 1)                                \
    X(gw_status, fleets_9, v->fleet_count = SERIN_GW_FLEETS_MAX + 1)                         \
    X(gw_status, no_product, v->fleets[7].product[0] = '\0')                                 \
    X(gw_status, channel_letter, v->fleets[7].channel[0] = '#')                              \
    X(gw_status, sequence_0, v->fleets[0].order.sequence = 0)                                \
    X(gw_status, lease_long, v->fleets[0].lease_left_s = SERIN_LEASE_MAX_S + 1)              \
    X(gw_status, hold_0, v->fleets[0].hold = SERIN_HOLD_CAUSE_INVALID)                       \
    X(gw_status, hold_4, v->fleets[0].hold = (enum serin_hold_cause)4)                       \
    X(gw_status, failures_of_nothing, memset(v->fleets[0].manifest_id, 0, 32))               \
    X(gw_status, lease_of_a_candidate, v->fleets[0].hold = SERIN_HOLD_CAUSE_LEASE)           \
    X(gw_status, none_of_a_candidate, v->fleets[0].hold = SERIN_HOLD_CAUSE_NONE,             \
      v->fleets[0].held_since_s = 0)                                                         \
    X(gw_status, none_since, v->fleets[0].hold = SERIN_HOLD_CAUSE_NONE,                      \
      memset(v->fleets[0].manifest_id, 0, 32))                                               \
    X(gw_status, since_late, v->fleets[0].held_since_s = SERIN_TIME_MAX_S + 1)               \
    X(want, kind_0, v->kind = SERIN_WANT_INVALID)                                            \
    X(want, kind_4, v->kind = (enum serin_want_kind)4)                                       \
    X(want, length_0, v->length = 0)                                                         \
    X(want, wraps, v->offset++)                                                              \
    X(want, served_object, v->kind = SERIN_WANT_SERVED, v->offset = v->length = 0)           \
    X(want, served_offset, *v = (struct serin_want){.kind = SERIN_WANT_SERVED, .offset = 1}) \
    X(want, served_length, *v = (struct serin_want){.kind = SERIN_WANT_SERVED, .length = 1}) \
    X(have, kind_0, v->kind = SERIN_HAVE_INVALID)                                            \
    X(have, kind_5, v->kind = (enum serin_have_kind)5)                                       \
    X(have, size_0, v->object_size = 0)                                                      \
    X(have, size_long, v->object_size = SERIN_SITE_OBJECT_MAX + 1)                           \
    X(have, data_fresh, v->fresh = true)                                                     \
    X(have, data_ranges, v->range_count = 1, v->ranges[0].end = SERIN_SITE_OBJECT_MAX)       \
    X(have, data_status, v->status = SERIN_BLOCK_BUSY)                                       \
    X(have, data_retry, v->retry_ms = 1)                                                     \
    X(have, data_offset_odd, v->data_offset -= 2048)                                         \
    X(have, data_past_the_end, v->data_offset += 4096)                                       \
    X(have, data_of_nothing, v->data_offset = v->object_size -= 4096, v->data_size = 0)      \
    X(have, data_null, v->data = NULL)                                                       \
    X(have, data_none, v->data_size = 0)                                                     \
    X(have, data_short, v->data_size--)                                                      \
    X(have, data_long, v->data_offset -= 4096, v->data_size++)                               \
    X(have, data_longer_than_the_last, v->object_size--)                                     \
    X(have, whole_data, v->kind = SERIN_HAVE_WHOLE)                                          \
    X(have, whole_fresh, have_of(v, SERIN_HAVE_WHOLE, 1)->fresh = true)                      \
    X(have, whole_ranges, have_of(v, SERIN_HAVE_WHOLE, 1)->range_count = 1)                  \
    X(have, whole_status, have_of(v, SERIN_HAVE_WHOLE, 1)->status = SERIN_BLOCK_BUSY)        \
    X(have, whole_retry, have_of(v, SERIN_HAVE_WHOLE, 1)->retry_ms = 1)                      \
    X(have, whole_data_offset, have_of(v, SERIN_HAVE_WHOLE, 1)->data_offset = 4096)          \
    X(have, whole_size_0, have_of(v, SERIN_HAVE_WHOLE, 0)->retry_ms = 0)                     \
    X(have, absent_size, have_of(v, SERIN_HAVE_ABSENT, 1)->status = SERIN_BLOCK_BUSY)        \
    X(have, absent_without_status, have_of(v, SERIN_HAVE_ABSENT, 0)->retry_ms = 1)           \
    X(have, absent_with_data, have_of(v, SERIN_HAVE_ABSENT, 0)->status = SERIN_BLOCK_DATA)   \
    X(have, absent_range, have_of(v, SERIN_HAVE_ABSENT, 0)->status = SERIN_BLOCK_RANGE)      \
    X(have, absent_status_6, have_of(v, SERIN_HAVE_ABSENT, 0)->status = 6)                   \
    X(have, absent_fresh, have_of(v, SERIN_HAVE_ABSENT, 0)->status = SERIN_BLOCK_REFUSED,    \
      v->fresh = true)                                                                       \
    X(have, absent_retry_long, have_of(v, SERIN_HAVE_ABSENT, 0)->status = SERIN_BLOCK_BUSY,  \
      v->retry_ms = 3600001)                                                                 \
    X(have_part, ranges_65, v->range_count = SERIN_HAVE_RANGES_MAX + 1)                      \
    X(have_part, range_empty, v->ranges[5].end = v->ranges[5].start)                         \
    X(have_part, range_reversed, v->ranges[5].end = v->ranges[5].start - SERIN_SITE_PIECE)   \
    X(have_part, range_start_odd, v->ranges[5].start++)                                      \
    X(have_part, range_end_odd, v->ranges[5].end--)                                          \
    X(have_part, range_past_the_end, v->ranges[63].end++)                                    \
    X(have_part, ranges_not_ascending, v->ranges[6] = v->ranges[4])                          \
    X(have_part, ranges_overlap, v->ranges[5].end += 2 * SERIN_SITE_PIECE)                   \
    X(have_part, part_status, v->status = SERIN_BLOCK_BUSY)                                  \
    X(have_part, part_retry, v->retry_ms = 1)                                                \
    X(have_part, part_data_offset, v->data_offset = SERIN_SITE_PIECE)                        \
    X(have_part, part_data, v->data = some_bytes, v->data_size = 1)                          \
    X(have_part, part_size_0, v->range_count = 0, v->object_size = 0)

#define SERIN_SITE_PIECE 4096u
#define serin_have_part  serin_have

static struct serin_have *have_of(struct serin_have *have, enum serin_have_kind kind,
                                  uint32_t object_size)
{
    *have = (struct serin_have){.kind = kind, .object_size = object_size};
    return have;
}

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
        const struct site_kind *kind = site_kind_named(value_cases[i].kind);
        size_t size = 0;
        kind->large(&value);
        ck_assert_int_eq(kind->encode(&value, payload, sizeof(payload), &size), SERIN_OK);
        value_cases[i].spoil(&value);
        ck_assert_msg(kind->encode(&value, payload, sizeof(payload), &size) == SERIN_ERR_INVALID,
                      "%s: %s is sent", value_cases[i].kind, value_cases[i].what);
    }
}
END_TEST

/* ---- values at their bounds are sent ---- */

static void expect_sent(const char *kind, const void *good)
{
    size_t size = 0;
    enum serin_error error = site_kind_named(kind)->encode(good, payload, sizeof(payload), &size);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind, serin_error_text(error));
    error = site_kind_named(kind)->decode(payload, size, &value);
    ck_assert_msg(error == SERIN_OK, "%s: %s", kind, serin_error_text(error));
}

START_TEST(what_is_just_within_is_sent)
{
    static const enum serin_block_status statuses[] = {SERIN_BLOCK_BUSY, SERIN_BLOCK_NOT_FOUND,
                                                       SERIN_BLOCK_REFUSED};
    struct serin_have have;
    for (size_t i = 0; i < 3; i++) {
        have_of(&have, SERIN_HAVE_ABSENT, 0)->status = statuses[i];
        have.retry_ms = 3600000;
        expect_sent("have", &have);
        ck_assert_int_eq(value.have.status, statuses[i]);
        ck_assert_uint_eq(value.have.retry_ms, 3600000);
        ck_assert_ptr_null(value.have.data);
    }
    expect_sent("have", have_of(&have, SERIN_HAVE_WHOLE, SERIN_SITE_OBJECT_MAX));
    /* The last piece of an object, shorter; two ranges that touch; none, which is fresh. */
    have_of(&have, SERIN_HAVE_DATA, 4097)->data_offset = 4096;
    have.data = some_bytes;
    have.data_size = 1;
    expect_sent("have", &have);
    have_of(&have, SERIN_HAVE_PART, 8193)->range_count = 2;
    have.ranges[0] = (struct serin_range){0, 4096};
    have.ranges[1] = (struct serin_range){4096, 8193};
    expect_sent("have", &have);
    have_of(&have, SERIN_HAVE_PART, 8193)->fresh = true;
    expect_sent("have", &have);
    ck_assert(value.have.fresh);

    /* Batches alone, and items alone; a checksum may be anything. */
    static struct serin_ack_batch acks;
    site_kind_named("ack_batch")->large(&acks);
    acks.count = 0;
    acks.batches[0] = (struct serin_batch_ack){.incarnation = 1, .number = 1, .crc32 = 0};
    expect_sent("ack_batch", &acks);
    ck_assert_uint_eq(value.ack_batch.count, 0);
    ck_assert_uint_eq(value.ack_batch.batch_count, SERIN_ACK_BATCH_BATCHES_MAX);
    ck_assert_uint_eq(value.ack_batch.batches[0].crc32, 0);
    ck_assert_uint_eq(value.ack_batch.batches[15].number, UINT64_MAX - 15);
    site_kind_named("ack_batch")->small(&acks);
    expect_sent("ack_batch", &acks);
    ck_assert_uint_eq(value.ack_batch.batch_count, 0);

    struct serin_want want = {.kind = SERIN_WANT_MISSING, .offset = UINT32_MAX - 1, .length = 1};
    expect_sent("want", &want); /* an object of zeros is an object */
    want = (struct serin_want){.kind = SERIN_WANT_SERVED, .served_bytes = 7};
    expect_sent("want", &want);
    ck_assert_uint_eq(value.want.served_bytes, 7);

    static struct serin_gw_status status;
    site_kind_named("gw_status")->large(&status);
    struct serin_gw_fleet *fleet = &status.fleets[0];
    memset(fleet->manifest_id, 0, sizeof(fleet->manifest_id));
    fleet->hold = SERIN_HOLD_CAUSE_LEASE;
    fleet->order = (struct serin_order){0, 0}; /* none yet */
    expect_sent("gw_status", &status);
    static const uint8_t none[SERIN_SHA256_SIZE];
    ck_assert_mem_eq(value.gw_status.fleets[0].manifest_id, none, sizeof(none));
    memcpy(status.software, " ~", 3);
    fleet->hold = SERIN_HOLD_CAUSE_NONE;
    fleet->held_since_s = 0;
    fleet->order = (struct serin_order){UINT32_MAX, 1};
    expect_sent("gw_status", &status);
}
END_TEST

/* ---- messages out of bounds are not taken ---- */

static uint8_t junk[SERIN_REPORT_MAX + 1];

static ProtobufCBinaryData junk_of(size_t size)
{
    memset(junk, 0x5a, sizeof(junk));
    return (ProtobufCBinaryData){.len = size, .data = junk};
}

#define LONGEST_PLUS_ONE \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" /* 65 characters */

/* Copies of an item for a list that is too long. */
#define LIST_MAX 70
static void *list[LIST_MAX];

static void *list_of(void *item)
{
    for (size_t i = 0; i < LIST_MAX; i++) {
        list[i] = item;
    }
    return list;
}

/* X(kind, message type, what, statement on `m`, the message of the large value) */
#define MESSAGE_CASES(X)                                                                        \
    X(batch, Batch, incarnation_0, m->incarnation = 0)                                          \
    X(batch, Batch, number_0, m->number = 0)                                                    \
    X(batch, Batch, encoding_0, m->encoding = 0)                                                \
    X(batch, Batch, encoding_3, m->encoding = 3)                                                \
    X(batch, Batch, plain_size_0, m->plain_size = 0)                                            \
    X(batch, Batch, plain_size_long, m->plain_size = SERIN_BATCH_PLAIN_MAX + 1)                 \
    X(batch, Batch, no_items, m->items.len = 0)                                                 \
    X(batch, Batch, plain_of_another_size, m->encoding = 1)                                     \
    X(batch, Batch, no_gain, m->plain_size = (uint32_t)m->items.len)                            \
    X(batch_items, BatchItems, no_node, m->items[9]->node = NULL)                               \
    X(batch_items, BatchItems, node_long, m->n_items = 9, m->items[8]->node = LONGEST_PLUS_ONE) \
    X(batch_items, BatchItems, node_letter, m->items[9]->node = "a/b")                          \
    X(batch_items, BatchItems, kind_0, m->items[255]->kind = 0)                                 \
    X(batch_items, BatchItems, no_payload, m->items[255]->payload.len = 0)                      \
    X(batch_items, BatchItems, payload_long, m->n_items = 1,                                    \
      m->items[0]->payload = junk_of(SERIN_REPORT_MAX + 1))                                     \
    X(ack_batch, AckBatch, nothing, m->n_items = m->n_batches = 0)                              \
    X(ack_batch, AckBatch, batches_17, m->n_batches = 17, m->batches = list_of(m->batches[0]))  \
    X(ack_batch, AckBatch, batch_incarnation_0, m->batches[15]->incarnation = 0)                \
    X(ack_batch, AckBatch, batch_number_0, m->batches[15]->number = 0)                          \
    X(ack_batch, AckBatch, node_long, m->items[9]->node = LONGEST_PLUS_ONE)                     \
    X(ack_batch, AckBatch, node_letter, m->items[9]->node = "a b")                              \
    X(gw_status, GatewayStatus, no_gateway, m->gateway = NULL)                                  \
    X(gw_status, GatewayStatus, gateway_long, m->gateway = LONGEST_PLUS_ONE)                    \
    X(gw_status, GatewayStatus, incarnation_0, m->incarnation = 0)                              \
    X(gw_status, GatewayStatus, software_long, m->software = &LONGEST_PLUS_ONE[33])             \
    X(gw_status, GatewayStatus, software_utf8, m->software = "caf\xc3\xa9")                     \
    X(gw_status, GatewayStatus, time_late, m->time_s = SERIN_TIME_MAX_S + 1)                    \
    X(gw_status, GatewayStatus, fleets_9, m->n_fleets = 9, m->fleets = list_of(m->fleets[0]))   \
    X(gw_status, GatewayStatus, no_product, m->fleets[7]->product = NULL)                       \
    X(gw_status, GatewayStatus, channel_long, m->fleets[7]->channel = &LONGEST_PLUS_ONE[32])    \
    X(gw_status, GatewayStatus, sequence_0, m->fleets[7]->order->sequence = 0)                  \
    X(gw_status, GatewayStatus, lease_long, m->fleets[7]->lease_left_s = SERIN_LEASE_MAX_S + 1) \
    X(gw_status, GatewayStatus, hold_0, m->fleets[7]->hold = 0)                                 \
    X(gw_status, GatewayStatus, hold_4, m->fleets[7]->hold = 4)                                 \
    X(gw_status, GatewayStatus, hold_wraps, m->fleets[7]->hold = 0x80000001u)                   \
    X(gw_status, GatewayStatus, manifest_31, m->fleets[7]->manifest_id = junk_of(31))           \
    X(gw_status, GatewayStatus, manifest_33, m->fleets[7]->manifest_id = junk_of(33))           \
    X(gw_status, GatewayStatus, manifest_none, m->fleets[7]->manifest_id.len = 0)               \
    X(gw_status, GatewayStatus, lease_of_a_candidate, m->fleets[7]->hold = 2)                   \
    X(gw_status, GatewayStatus, since_late, m->fleets[7]->held_since_s = SERIN_TIME_MAX_S + 1)  \
    X(want, Want, kind_0, m->kind = 0)                                                          \
    X(want, Want, kind_4, m->kind = 4)                                                          \
    X(want, Want, no_object, m->object.len = 0)                                                 \
    X(want, Want, object_31, m->object = junk_of(31))                                           \
    X(want, Want, object_33, m->object = junk_of(33))                                           \
    X(want, Want, length_0, m->length = 0)                                                      \
    X(want, Want, wraps, m->length++)                                                           \
    X(want, Want, served_object, m->kind = 3, m->offset = m->length = 0)                        \
    X(want, Want, served_offset, m->kind = 3, m->object.len = m->length = 0)                    \
    X(want, Want, served_zeros, m->kind = 3, m->offset = m->length = 0,                         \
      memset(m->object.data, 0, 32))                                                            \
    X(have, Have, kind_0, m->kind = 0)                                                          \
    X(have, Have, kind_5, m->kind = 5)                                                          \
    X(have, Have, no_object, m->object.len = 0)                                                 \
    X(have, Have, object_31, m->object = junk_of(31))                                           \
    X(have, Have, size_0, m->object_size = 0)                                                   \
    X(have, Have, size_long, m->object_size = SERIN_SITE_OBJECT_MAX + 1)                        \
    X(have, Have, fresh, m->fresh = 1)                                                          \
    X(have, Have, status, m->status = 2)                                                        \
    X(have, Have, retry, m->retry_ms = 1)                                                       \
    X(have, Have, data_offset_odd, m->data_offset += 1)                                         \
    X(have, Have, data_past_the_end, m->data_offset += 4096)                                    \
    X(have, Have, no_data, m->data.len = 0)                                                     \
    X(have, Have, data_short, m->data.len--)                                                    \
    X(have, Have, whole_with_data, m->kind = 2, m->data_offset = 0)                             \
    X(have_part, Have, ranges_65, m->n_ranges = 65, m->ranges = list_of(m->ranges[0]))          \
    X(have_part, Have, range_reversed, m->ranges[1]->end = m->ranges[1]->start - 4096)          \
    X(have_part, Have, range_start_odd, m->ranges[1]->start++)                                  \
    X(have_part, Have, range_end_odd, m->ranges[1]->end--)                                      \
    X(have_part, Have, range_past_the_end, m->ranges[63]->end++)                                \
    X(have_part, Have, ranges_twice, m->ranges[2] = m->ranges[1])                               \
    X(have_part, Have, part_status, m->status = 2)                                              \
    X(have_part, Have, absent_with_ranges, m->kind = 3, m->status = 2, m->object_size = 0)

#define MESSAGE_FUNCTION(kind, type, what, ...)        \
    static void message_##kind##_##what(void *message) \
    {                                                  \
        Serin__V1__##type *m = message;                \
        __VA_ARGS__;                                   \
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
    {"batch", &serin__v1__batch__descriptor},
    {"batch_items", &serin__v1__batch_items__descriptor},
    {"ack_batch", &serin__v1__ack_batch__descriptor},
    {"gw_status", &serin__v1__gateway_status__descriptor},
    {"want", &serin__v1__want__descriptor},
    {"have", &serin__v1__have__descriptor},
    {"have_part", &serin__v1__have__descriptor},
};

/* Memory for messages whose pointers the cases exchange; it goes as a whole. */
static _Alignas(16) uint8_t arena[1u << 20];
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

static ProtobufCMessage *large_message(const struct site_kind *kind)
{
    size_t size = 0, i = 0;
    while (strcmp(message_types[i].kind, kind->name) != 0) {
        i++;
    }
    arena_used = 0;
    kind->large(&value);
    ck_assert_int_eq(kind->encode(&value, payload, sizeof(payload), &size), SERIN_OK);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(message_types[i].type, &allocator, size, payload);
    ck_assert_ptr_nonnull(message);
    return message;
}

START_TEST(messages_out_of_bounds_are_not_taken)
{
    for (size_t i = 0; i < sizeof(message_cases) / sizeof(message_cases[0]); i++) {
        const struct site_kind *kind = site_kind_named(message_cases[i].kind);
        ProtobufCMessage *message = large_message(kind);
        message_cases[i].spoil(message);
        ck_assert_uint_le(protobuf_c_message_get_packed_size(message), kind->limit);
        size_t size = protobuf_c_message_pack(message, payload);
        /* In memory of its exact size, so that AddressSanitizer sees what is written past a list.
         */
        void *exact = malloc(kind->value_size);
        enum serin_error error = kind->decode(payload, size, exact);
        free(exact);
        ck_assert_msg(error == SERIN_ERR_INVALID, "%s: %s gives %s", message_cases[i].kind,
                      message_cases[i].what, serin_error_name(error));
    }
}
END_TEST

/* An ack in a batch fails as it would on its own. */
START_TEST(a_wrong_ack_is_refused_as_on_its_own)
{
    static const struct {
        uint8_t ack[2];
        size_t size;
        enum serin_error error;
    } cases[] = {
        {{0, 0}, 0, SERIN_ERR_FORMAT},
        {{0x08, 0x02}, 2, SERIN_ERR_VERSION},
        {{0x08, 0x01}, 2, SERIN_ERR_INVALID}, /* incarnation 0 */
        {{0x08, 0x80}, 2, SERIN_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t batch[32] = {0x08, 0x01, 0x12, 0, 0x0a, 0x01, 'n', 0x12, 0};
        batch[3] = (uint8_t)(5 + cases[i].size);
        batch[8] = (uint8_t)cases[i].size;
        memcpy(batch + 9, cases[i].ack, cases[i].size);
        ck_assert_int_eq(
            serin_protobufc_site()->decode_ack_batch(batch, 9 + cases[i].size, &value.ack_batch),
            cases[i].error);
    }
    static const uint8_t no_node[] = {0x08, 0x01, 0x12, 0x04, 0x12, 0x02, 0x08, 0x01};
    ck_assert_int_eq(
        serin_protobufc_site()->decode_ack_batch(no_node, sizeof(no_node), &value.ack_batch),
        SERIN_ERR_FORMAT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        values_out_of_bounds_are_not_sent,
        what_is_just_within_is_sent,
        messages_out_of_bounds_are_not_taken,
        a_wrong_ack_is_refused_as_on_its_own,
        NULL,
    };
    return check_run("site_bounds", tests);
}

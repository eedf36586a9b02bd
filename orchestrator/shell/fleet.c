/* The fleet (fleet.h). A batch is taken in three walks: who is new is enrolled, who joins a running
 * rollout joins it (one sorting for all of them), and then every message is applied in its order.
 */
#include "fleet.h"

#include "attempts.h"
#include "pass.h"
#include "serind.h"

#include <serin/adapters/log.h>
#include <serin/directive.h>

#include <string.h>

#define REFUSALS_PER_MINUTE 600u

/* ---- what reports and beats have in common ---- */

static const char *item_id(const struct serind_item *item)
{
    return item->kind == SERIND_ITEM_REPORT ? item->report.device_id : item->beat.device_id;
}

static const char *item_product(const struct serind_item *item)
{
    return item->kind == SERIND_ITEM_REPORT ? item->report.product : item->beat.product;
}

static const char *item_channel(const struct serind_item *item)
{
    return item->kind == SERIND_ITEM_REPORT ? item->report.channel : item->beat.channel;
}

static uint16_t item_hardware(const struct serind_item *item)
{
    return item->kind == SERIND_ITEM_REPORT ? item->report.hardware : item->beat.hardware;
}

static uint64_t item_incarnation(const struct serind_item *item)
{
    return item->kind == SERIND_ITEM_REPORT ? item->report.incarnation : item->beat.incarnation;
}

static const struct serin_running *item_running(const struct serind_item *item)
{
    return item->kind == SERIND_ITEM_REPORT ? &item->report.running : &item->beat.running;
}

const char *serind_enrolment_text(enum serin_enrolment enrolment)
{
    switch (enrolment) {
    case SERIN_ENROLMENT_PENDING:
        return "pending";
    case SERIN_ENROLMENT_ENROLLED:
        return "enrolled";
    case SERIN_ENROLMENT_REFUSED:
        return "refused";
    case SERIN_ENROLMENT_INVALID:
    default:
        return "invalid";
    }
}

/* What the device says it runs, and where it belongs. */
static void describe(struct serin_device_record *record, const struct serind_item *item)
{
    memcpy(record->product, item_product(item), sizeof record->product);
    memcpy(record->channel, item_channel(item), sizeof record->channel);
    record->hardware = item_hardware(item);
    record->running = *item_running(item);
}

static void answer(struct serind *serind, const struct serind_item *item, uint64_t number,
                   enum serin_ack_status status, uint32_t retry_s)
{
    const struct serin_ack ack = {
        .incarnation = item_incarnation(item),
        .number = number,
        .status = status,
        .retry_s = retry_s,
    };
    serind_outbox_ack(serind, item->broker, item_id(item), &ack);
}

static void put_device(struct serind *serind, const struct serin_device_record *record)
{
    (void)serind_pass_check(serind, serind->store.ops->put_device(serind->store.ctx, record));
}

/* ---- enrolment ---- */

/* Turned away: nothing of the device is kept, or anybody with a certificate could fill the store.
 */
static void turn_away(struct serind *serind, struct serind_item *item, const char *why)
{
    struct serind_intake *intake = &serind->intake;
    uint32_t minute = (uint32_t)(serind->mono_ms / 60000);
    if (intake->refusal_minute != minute) {
        intake->refusal_minute = minute;
        intake->refusals = 0;
    }
    item->device = SERIND_NO_DEVICE;
    if (intake->refusals++ >= REFUSALS_PER_MINUTE) {
        return;
    }
    if (item->kind == SERIND_ITEM_REPORT) {
        answer(serind, item, 0, SERIN_ACK_REFUSED, SERIND_REFUSED_RETRY_S);
    }
    serind_audit(serind,
                 &(struct serind_audit_line){
                     .actor = "device", .what = "enrolment", .device = item_id(item)},
                 "refused: %s", why);
}

static void enrol(struct serind *serind, struct serind_item *item)
{
    if (serind->config->enrolment == SERIN_ENROL_REFUSE) {
        turn_away(serind, item, "enrolment is 'refuse'");
        return;
    }
    if (serind_index_add(&serind->index, item_id(item), &item->device) != SERIN_OK) {
        serind_alarm_raise(serind, "devices", "no room for more than %u devices: raise devices_max",
                           serind->config->devices_max);
        turn_away(serind, item, "devices_max is reached");
        return;
    }
    bool at_once = serind->config->enrolment == SERIN_ENROL_AUTO;
    struct serin_device_record record = {
        .enrolment = at_once ? SERIN_ENROLMENT_ENROLLED : SERIN_ENROLMENT_PENDING,
        .cursor = {.incarnation = item_incarnation(item)},
        .redundancy = SERIN_REDUNDANCY_NONE,
        .refused = SERIN_REASON_NONE,
        .first_seen_s = serind_now_s(serind),
    };
    memcpy(record.id, item_id(item), sizeof record.id);
    describe(&record, item);
    put_device(serind, &record);
    serind_audit(
        serind,
        &(struct serind_audit_line){.actor = "device", .what = "enrolment", .device = record.id},
        "%s: %s %s, hardware %u", serind_enrolment_text(record.enrolment), record.product,
        record.channel, record.hardware);
}

/* First walk: gives every item its device's number. The store is asked, not the index, since a
 * device may be in the index only because a pass that enrolled it failed. */
static void identify(struct serind *serind, struct serind_item *item)
{
    struct serin_device_record record;
    enum serin_error error =
        serind->store.ops->get_device(serind->store.ctx, item_id(item), &record);
    item->joins = false;
    if (error == SERIN_ERR_NOT_FOUND) {
        enrol(serind, item);
    } else if (serind_pass_check(serind, error)) {
        (void)serind_pass_check(serind, serind_index_add(&serind->index, record.id, &item->device));
    }
    if (serind->pass_error == SERIN_OK && item->device != SERIND_NO_DEVICE) {
        serind_index_online(&serind->index, item->device, true);
    }
}

/* ---- joining a running rollout ---- */

static struct serind_slot *slot_of(struct serind *serind, const struct serind_item *item)
{
    return serind_rollouts_latest(serind, item_product(item), item_channel(item));
}

static bool offered(const struct serin_rollout *rollout, uint16_t hardware)
{
    for (size_t i = 0; i < rollout->policy.offer_count; i++) {
        if (hardware >= rollout->policy.offers[i].hw_min &&
            hardware <= rollout->policy.offers[i].hw_max) {
            return true;
        }
    }
    return false;
}

/* Whether the device belongs to the population of the running rollout and is not in it yet. */
static bool should_join(struct serind *serind, const struct serind_item *item)
{
    struct serind_slot *slot = slot_of(serind, item);
    if (item->device == SERIND_NO_DEVICE || slot == NULL ||
        serind_rollout_over(slot->rollout.state) || !offered(&slot->rollout, item_hardware(item)) ||
        serind->index.list[item->device].joining_pass == serind->pass_number ||
        serind_slot_position(serind, slot, item->device) != UINT32_MAX) {
        return false;
    }
    struct serin_device_record record;
    enum serin_error error =
        serind->store.ops->get_device(serind->store.ctx, item_id(item), &record);
    if (!serind_pass_check(serind, error) || record.enrolment != SERIN_ENROLMENT_ENROLLED) {
        return false;
    }
    serind->index.list[item->device].joining_pass = serind->pass_number;
    return true;
}

static void join(struct serind *serind, const struct serind_item *item)
{
    struct serind_slot *slot = slot_of(serind, item);
    bool runs_it =
        serind_rollout_offers(&slot->rollout, item_running(item)->manifest_id, item_hardware(item));
    if (serind_pass_check(serind, serind_slot_join(serind, slot, item->device, runs_it))) {
        serind_audit(serind,
                     &(struct serind_audit_line){
                         .what = "join", .rollout = slot->rollout.id, .device = item_id(item)},
                     "the device joined the population%s", runs_it ? ", it runs the release" : "");
    }
}

/* ---- leaving ---- */

/* A device that is no longer of the rollout's population says nothing about its release: without
 * this it would time out, a failure. One that ended before keeps its end. */
static void leave(struct serind *serind, const struct serin_device_record *record)
{
    struct serind_slot *slot = serind_rollouts_latest(serind, record->product, record->channel);
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (slot != NULL && device != SERIND_NO_DEVICE) {
        serind_attempts_step(serind, slot, device, SERIN_STATE_CANCELLED, SERIN_REASON_NONE);
    }
}

/* The device says that it belongs elsewhere than `record` has it. */
static void move(struct serind *serind, const struct serind_item *item,
                 const struct serin_device_record *record)
{
    bool same_fleet = strcmp(record->product, item_product(item)) == 0 &&
                      strcmp(record->channel, item_channel(item)) == 0;
    if (same_fleet && record->hardware == item_hardware(item)) {
        return;
    }
    serind_audit(
        serind,
        &(struct serind_audit_line){.actor = "device", .what = "moved", .device = record->id},
        "from %s %s hardware %u to %s %s hardware %u", record->product, record->channel,
        record->hardware, item_product(item), item_channel(item), item_hardware(item));
    const struct serind_slot *slot = slot_of(serind, item);
    if (!same_fleet || (slot != NULL && !offered(&slot->rollout, item_hardware(item)))) {
        leave(serind, record);
    }
}

/* ---- reports ---- */

static void take_report(struct serind *serind, const struct serind_item *item,
                        struct serin_device_record *record)
{
    const struct serin_report *report = &item->report;
    enum serin_ledger_verdict verdict = serin_ledger_judge(&record->cursor, report);
    if (verdict == SERIN_LEDGER_DUPLICATE) {
        answer(serind, item, record->cursor.number, SERIN_ACK_STORED, 0);
        return;
    }
    if (verdict == SERIN_LEDGER_REBORN && record->cursor.number != 0) {
        serind_audit(
            serind,
            &(struct serind_audit_line){.actor = "device", .what = "reborn", .device = record->id},
            "its store was made anew: its numbers start again");
    }
    move(serind, item, record);
    describe(record, item);
    for (size_t i = 0; i < report->attempt_count; i++) {
        serind_attempts_merge(serind, record, &report->attempts[i]);
    }
    serind_attempts_running(serind, record);
    record->cursor.incarnation = report->incarnation;
    record->cursor.number = report->number;
    record->last_report_s = serind_now_s(serind);
    put_device(serind, record);
    answer(serind, item, report->number, SERIN_ACK_STORED, 0);
}

/* ---- beats ---- */

static void take_beat(struct serind *serind, const struct serind_item *item,
                      struct serin_device_record *record)
{
    const struct serin_beat *beat = &item->beat;
    bool same_stream = beat->incarnation == record->cursor.incarnation;
    move(serind, item, record);
    describe(record, item);
    record->redundancy = beat->redundancy;
    record->channel_order = beat->channel_order;
    record->own_order = beat->own_order;
    record->refused = beat->refused;
    record->beat_interval_s = beat->interval_s;
    record->last_beat_s = serind_now_s(serind);
    record->counter_count = beat->counter_count;
    memcpy(record->counters, beat->counters, sizeof record->counters);
    /* What runs is compared with the attempt of the last committed report, and reverted is final: a
     * beat that is older, or runs ahead of a report still on its way, speaks of another attempt. */
    if (same_stream && beat->last_number == record->cursor.number) {
        serind_attempts_running(serind, record);
    }
    put_device(serind, record);
    bool own_higher = serin_order_compare(beat->own_order, beat->channel_order) > 0;
    serind_publisher_claim(serind, record, own_higher ? beat->own_order : beat->channel_order);
    if (beat->last_number > (same_stream ? record->cursor.number : 0)) {
        answer(serind, item, same_stream ? record->cursor.number : 0, SERIN_ACK_RESEND, 0);
    }
}

/* ---- the batch ---- */

/* A device that waits for approval, or was refused, is shown with what it says and when. */
static void keep_waiting(struct serind *serind, const struct serind_item *item,
                         struct serin_device_record *record)
{
    bool pending = record->enrolment == SERIN_ENROLMENT_PENDING;
    describe(record, item);
    record->cursor = (struct serin_report_cursor){.incarnation = item_incarnation(item)};
    if (item->kind == SERIND_ITEM_BEAT) {
        record->last_beat_s = serind_now_s(serind);
    } else {
        answer(serind, item, 0, pending ? SERIN_ACK_PENDING : SERIN_ACK_REFUSED,
               pending ? SERIND_PENDING_RETRY_S : SERIND_REFUSED_RETRY_S);
    }
    put_device(serind, record);
}

/* Third walk. */
static void apply(struct serind *serind, const struct serind_item *item)
{
    struct serin_device_record record;
    if (item->device == SERIND_NO_DEVICE ||
        !serind_index_allow(&serind->index, item->device, item->kind == SERIND_ITEM_BEAT ? 1 : 0,
                            serind->mono_ms, serind->config->report_rate_per_minute)) {
        return;
    }
    enum serin_error error =
        serind->store.ops->get_device(serind->store.ctx, item_id(item), &record);
    if (!serind_pass_check(serind, error)) {
        return;
    }
    if (record.enrolment != SERIN_ENROLMENT_ENROLLED) {
        keep_waiting(serind, item, &record);
    } else if (item->kind == SERIND_ITEM_REPORT) {
        take_report(serind, item, &record);
    } else {
        take_beat(serind, item, &record);
    }
}

void serind_fleet_take(struct serind *serind)
{
    struct serind_intake *intake = &serind->intake;
    serind->pass_reports = intake->urgent;
    if (serind->index.count < serind->index.limit) {
        serind_alarm_clear(serind, "devices");
    }
    for (size_t i = 0; i < intake->count && serind->pass_error == SERIN_OK; i++) {
        identify(serind, &intake->batch[i]);
    }
    for (size_t i = 0; i < intake->count && serind->pass_error == SERIN_OK; i++) {
        intake->batch[i].joins = should_join(serind, &intake->batch[i]);
    }
    for (size_t i = 0; i < intake->count && serind->pass_error == SERIN_OK; i++) {
        if (intake->batch[i].joins) {
            join(serind, &intake->batch[i]);
        }
    }
    for (size_t i = 0; i < intake->count && serind->pass_error == SERIN_OK; i++) {
        apply(serind, &intake->batch[i]);
    }
    intake->count = 0;
    intake->urgent = false;
}

/* ---- operators and loading ---- */

enum serin_error serind_fleet_decide(struct serind *serind, const char *id,
                                     enum serin_enrolment enrolment,
                                     struct serin_device_record *record)
{
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, id, record);
    if (error != SERIN_OK || record->enrolment == enrolment) {
        return error;
    }
    record->enrolment = enrolment;
    put_device(serind, record);
    if (enrolment == SERIN_ENROLMENT_REFUSED) {
        leave(serind, record);
    }
    serind_audit(
        serind, &(struct serind_audit_line){.actor = "operator", .what = "enrolment", .device = id},
        "%s", serind_enrolment_text(enrolment));
    if (enrolment == SERIN_ENROLMENT_ENROLLED && record->cursor.incarnation != 0) {
        const struct serin_ack ack = {
            .incarnation = record->cursor.incarnation,
            .number = record->cursor.number,
            .status = SERIN_ACK_RESEND,
        };
        for (size_t i = 0; i < serind->broker_count; i++) {
            serind_outbox_ack(serind, i, id, &ack);
        }
    }
    return SERIN_OK;
}

struct loading {
    struct serind *serind;
    enum serin_error error;
};

static bool load(void *arg, const struct serin_device_record *record)
{
    struct loading *loading = arg;
    uint32_t number = 0;
    loading->error = serind_index_add(&loading->serind->index, record->id, &number);
    return loading->error == SERIN_OK;
}

enum serin_error serind_fleet_load(struct serind *serind)
{
    struct loading loading = {.serind = serind};
    enum serin_error error =
        serind->store.ops->each_device(serind->store.ctx, NULL, load, &loading);
    return error != SERIN_OK ? error : loading.error;
}

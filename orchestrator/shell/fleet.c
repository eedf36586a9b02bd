/* The fleet (fleet.h). A batch is taken in three walks: who is new is enrolled, who joins a running
 * rollout joins it (one sorting for all of them), and then every message is applied in its order.
 */
#include "fleet.h"

#include "attempts.h"
#include "beats.h"
#include "enrol.h"
#include "pass.h"
#include "serind.h"

#include <serin/adapters/log.h>
#include <serin/directive.h>
#include <serin/route.h>

#include <string.h>

void serind_fleet_describe(struct serin_device_record *record, const struct serind_item *item)
{
    memcpy(record->product, serind_item_product(item), sizeof record->product);
    memcpy(record->channel, serind_item_channel(item), sizeof record->channel);
    record->hardware = serind_item_hardware(item);
    record->running = *serind_item_running(item);
    record->online = true;
}

/* With what its beats come to by now: a start goes on from there. */
static void put_device(struct serind *serind, const struct serind_item *item,
                       struct serin_device_record *record)
{
    record->health = serind->index.health[item->device];
    (void)serind_pass_check(serind, serind->store.ops->put_device(serind->store.ctx, record));
}

/* ---- joining a running rollout ---- */

static struct serind_slot *slot_of(struct serind *serind, const struct serind_item *item)
{
    return serind_rollouts_latest(serind, serind_item_product(item), serind_item_channel(item));
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
    if (item->device == SERIND_NO_DEVICE) {
        return false;
    }
    struct serind_slot *slot = slot_of(serind, item);
    if (slot == NULL || serind_rollout_over(slot->rollout.state) ||
        !offered(&slot->rollout, serind_item_hardware(item)) ||
        serind->index.list[item->device].joining_pass == serind->pass_number ||
        serind_slot_position(serind, slot, item->device) != UINT32_MAX) {
        return false;
    }
    struct serin_device_record record;
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, item->id, &record);
    if (!serind_pass_check(serind, error) || record.enrolment != SERIN_ENROLMENT_ENROLLED) {
        return false;
    }
    serind->index.list[item->device].joining_pass = serind->pass_number;
    return true;
}

static void join(struct serind *serind, const struct serind_item *item)
{
    struct serind_slot *slot = slot_of(serind, item);
    bool runs_it = serind_rollout_offers(&slot->rollout, serind_item_running(item)->manifest_id,
                                         serind_item_hardware(item));
    if (serind_pass_check(serind, serind_slot_join(serind, slot, item->device, runs_it))) {
        serind_audit(serind,
                     &(struct serind_audit_line){
                         .what = "join", .rollout = slot->rollout.id, .device = item->id},
                     "the device joined the population%s", runs_it ? ", it runs the release" : "");
    }
}

/* ---- leaving ---- */

/* A device that is no longer of the rollout's population says nothing about its release: without
 * this it would time out, a failure. One that ended before keeps its end. */
void serind_fleet_leave(struct serind *serind, const struct serin_device_record *record)
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
    bool same_fleet = strcmp(record->product, serind_item_product(item)) == 0 &&
                      strcmp(record->channel, serind_item_channel(item)) == 0;
    if (same_fleet && record->hardware == serind_item_hardware(item)) {
        return;
    }
    if (serind_site_tells(serind, item->site)) {
        serind_audit(
            serind,
            &(struct serind_audit_line){.actor = "device", .what = "moved", .device = record->id},
            "from %s %s hardware %u to %s %s hardware %u", record->product, record->channel,
            record->hardware, serind_item_product(item), serind_item_channel(item),
            serind_item_hardware(item));
    }
    const struct serind_slot *slot = slot_of(serind, item);
    if (!same_fleet || (slot != NULL && !offered(&slot->rollout, serind_item_hardware(item)))) {
        serind_fleet_leave(serind, record);
    }
}

/* ---- reports ---- */

static void take_report(struct serind *serind, const struct serind_item *item,
                        struct serin_device_record *record)
{
    const struct serin_report *report = &item->report;
    enum serin_ledger_verdict verdict = serin_ledger_judge(&record->cursor, report);
    if (verdict == SERIN_LEDGER_DUPLICATE) {
        serind_enrol_answer(serind, item, record->cursor.number, SERIN_ACK_STORED, 0);
        return;
    }
    if (verdict == SERIN_LEDGER_REBORN && record->cursor.number != 0 &&
        serind_site_tells(serind, item->site)) {
        serind_audit(
            serind,
            &(struct serind_audit_line){.actor = "device", .what = "reborn", .device = record->id},
            "its store was made anew: its numbers start again");
    }
    move(serind, item, record);
    serind_fleet_describe(record, item);
    for (size_t i = 0; i < report->attempt_count; i++) {
        serind_attempts_merge(serind, record, &report->attempts[i]);
    }
    serind_attempts_running(serind, record);
    record->cursor.incarnation = report->incarnation;
    record->cursor.number = report->number;
    record->last_report_s = serind_now_s(serind);
    put_device(serind, item, record);
    serind_enrol_answer(serind, item, report->number, SERIN_ACK_STORED, 0);
}

/* ---- beats ---- */

static void take_beat(struct serind *serind, const struct serind_item *item,
                      struct serin_device_record *record)
{
    const struct serin_beat *beat = &item->beat;
    if (record->cursor.incarnation == 0) { /* an operator gave it to a gateway */
        record->cursor.incarnation = beat->incarnation;
    }
    bool same_stream = beat->incarnation == record->cursor.incarnation;
    move(serind, item, record);
    serind_fleet_describe(record, item);
    record->redundancy = beat->redundancy;
    record->takes = beat->takes & SERIN_TAKES_KNOWN;
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
    put_device(serind, item, record);
    bool own_higher = serin_order_compare(beat->own_order, beat->channel_order) > 0;
    serind_publisher_claim(serind, record, own_higher ? beat->own_order : beat->channel_order);
    if (beat->last_number > (same_stream ? record->cursor.number : 0)) {
        serind_enrol_answer(serind, item, same_stream ? record->cursor.number : 0, SERIN_ACK_RESEND,
                            0);
    }
}

/* ---- the batch ---- */

/* A device that waits for approval, or was refused, is shown with what it says and when. */
static void keep_waiting(struct serind *serind, const struct serind_item *item,
                         struct serin_device_record *record)
{
    bool pending = record->enrolment == SERIN_ENROLMENT_PENDING;
    serind_fleet_describe(record, item);
    record->cursor = (struct serin_report_cursor){.incarnation = serind_item_incarnation(item)};
    if (item->kind == SERIND_ITEM_BEAT) {
        record->last_beat_s = serind_now_s(serind);
    } else {
        serind_enrol_answer(serind, item, 0, pending ? SERIN_ACK_PENDING : SERIN_ACK_REFUSED,
                            pending ? SERIND_PENDING_RETRY_S : SERIND_REFUSED_RETRY_S);
    }
    put_device(serind, item, record);
}

/* Third walk. Whoever was moved by a later item of the same batch is not spoken for by the earlier
 * one any more. */
static void apply(struct serind *serind, const struct serind_item *item)
{
    struct serin_device_record record;
    if (item->device == SERIND_NO_DEVICE || serind->index.list[item->device].site != item->site ||
        !serind_index_allow(&serind->index, item->device, item->kind == SERIND_ITEM_BEAT ? 1 : 0,
                            serind->mono_ms, serind->config->report_rate_per_minute)) {
        return;
    }
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, item->id, &record);
    if (!serind_pass_check(serind, error)) {
        return;
    }
    if (serind_enrol_strays(item, &record)) {
        return; /* by an earlier word of this pass */
    }
    serind_beats_heard(serind, item, &record);
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
        serind_enrol_identify(serind, &intake->batch[i]);
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
    serind_outbox_fold(serind);
    serind_intake_empty(serind);
}

/* ---- loading ---- */

struct loading {
    struct serind *serind;
    enum serin_error error;
};

/* A gateway whose record was lost is known again by its nodes. */
static bool load(void *arg, const struct serin_device_record *record)
{
    struct loading *loading = arg;
    struct serind *serind = loading->serind;
    uint32_t device = 0;
    loading->error = serind_index_add(&serind->index, record->id, &device);
    if (loading->error == SERIN_OK && record->gateway[0] != '\0') {
        uint32_t site = serind_sites_make(serind, record->gateway);
        loading->error = site != 0 ? SERIN_OK : SERIN_ERR_NO_SPACE;
        if (site != 0) {
            serind_sites_assign(serind, device, site);
            /* No broker retains the presence of nodes for us, as it does of direct devices. */
            serind_index_online(&serind->index, device, record->online);
        }
    }
    return loading->error == SERIN_OK;
}

enum serin_error serind_fleet_load(struct serind *serind)
{
    struct loading loading = {.serind = serind};
    enum serin_error error =
        serind->store.ops->each_device(serind->store.ctx, NULL, load, &loading);
    return error != SERIN_OK ? error : loading.error;
}

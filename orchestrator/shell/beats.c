/* Health and comparison (beats.h). */
#include "beats.h"

#include "pass.h"
#include "serind.h"

#include <string.h>

/* What the ERRORS gate judges: what went wrong on the device by its own account. Boots, reconnects
 * and refused directives are the network's and ours as much as the image's. */
static uint64_t errors_of(const struct serin_counter *counters, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t id = counters[i].id;
        bool judged = id == SERIN_COUNTER_CRASHES || id == SERIN_COUNTER_WATCHDOGS ||
                      id == SERIN_COUNTER_ERRORS || id >= SERIN_COUNTER_APPLICATION;
        uint64_t value = judged ? counters[i].value : 0;
        sum = value <= UINT64_MAX - sum ? sum + value : UINT64_MAX;
    }
    return sum;
}

/* Whether a rollout of its product and channel is under way: then what is usual of it stays what it
 * was before, updated or not. */
static bool is_watched(struct serind *serind, const struct serind_item *item)
{
    const struct serind_slot *slot =
        serind_rollouts_latest(serind, serind_item_product(item), serind_item_channel(item));
    return slot != NULL && !serind_rollout_over(slot->rollout.state);
}

void serind_beats_describe(struct serind *serind, uint32_t device, uint16_t hardware)
{
    struct serind_device *known = &serind->index.list[device];
    known->hardware = hardware;
    serind_strata_note(&serind->strata, known->site, hardware);
}

void serind_beats_heard(struct serind *serind, const struct serind_item *item,
                        const struct serin_device_record *before)
{
    struct serin_health *health = &serind->index.health[item->device];
    serind_beats_describe(serind, item->device, serind_item_hardware(item));
    if (memcmp(before->running.manifest_id, serind_item_running(item)->manifest_id,
               sizeof before->running.manifest_id) != 0) {
        serin_health_updated(health);
    }
    if (item->kind != SERIND_ITEM_BEAT) {
        serin_health_heard(health, serind_now_s(serind));
        return;
    }
    const struct serin_beat *beat = &item->beat;
    const struct serin_health_beat told = {
        .interval_s = beat->interval_s,
        .uptime_s = beat->uptime_s,
        .errors = errors_of(beat->counters, beat->counter_count),
    };
    serin_health_beat(health, serind_now_s(serind), &told, is_watched(serind, item));
}

/* ---- a clock that was set back ---- */

bool serind_beats_due(const struct serind *serind)
{
    return serind->now_ms + SERIN_ENGINE_SLEW_MS < serind->beats_ms;
}

/* A record that cannot be read stays as it is: its next word says so. */
static bool set_back(struct serind *serind, uint32_t device)
{
    const struct serin_store_ops *ops = serind->store.ops;
    struct serin_device_record record;
    if (ops->get_device(serind->store.ctx, serind->index.list[device].id, &record) != SERIN_OK ||
        !serin_health_set_back(&record.health, serind_now_s(serind))) {
        return true;
    }
    serind->index.health[device] = record.health;
    return serind_pass_check(serind, ops->put_device(serind->store.ctx, &record));
}

void serind_beats_tend(struct serind *serind)
{
    bool sound = serind_beats_due(serind);
    for (uint32_t i = 0; sound && i < serind->index.count; i++) {
        sound = set_back(serind, i);
    }
}

void serind_beats_keep(struct serind *serind)
{
    serind->beats_ms = serind->now_ms;
}

/* ---- at the start ---- */

struct loading {
    struct serind *serind;
    uint64_t newest_s; /* when serind last took anything in, by what it kept, but nothing to come */
    bool ahead;        /* somebody's word seems to come from the future */
};

static uint64_t heard_s(const struct serin_device_record *record)
{
    return record->last_beat_s > record->last_report_s ? record->last_beat_s
                                                       : record->last_report_s;
}

static bool find_newest(void *arg, const struct serin_device_record *record)
{
    struct loading *loading = arg;
    uint64_t heard = heard_s(record);
    bool later = heard > loading->newest_s && heard <= serind_now_s(loading->serind);
    loading->newest_s = later ? heard : loading->newest_s;
    return true;
}

static bool load(void *arg, const struct serin_device_record *record)
{
    struct loading *loading = arg;
    struct serind *serind = loading->serind;
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (device == SERIND_NO_DEVICE) {
        return true;
    }
    serind_beats_describe(serind, device, record->hardware);
    if (record->last_beat_s == 0 || record->beat_interval_s == 0) {
        return true; /* it never beat: of its silence nothing is known */
    }
    struct serin_health *health = &serind->index.health[device];
    if (record->health.beats > 0) {
        *health = record->health;
        loading->ahead = loading->ahead || health->beat_s > serind_now_s(serind);
        serin_health_resume(health, loading->newest_s, serind_now_s(serind));
        return true;
    }
    const struct serin_health_beat told = {
        .interval_s = record->beat_interval_s,
        .errors = errors_of(record->counters, record->counter_count),
    };
    serin_health_begin_anew(health, heard_s(record), &told, loading->newest_s,
                            serind_now_s(serind));
    return true;
}

enum serin_error serind_beats_load(struct serind *serind)
{
    struct loading loading = {.serind = serind};
    const struct serin_store_ops *ops = serind->store.ops;
    enum serin_error error = ops->each_device(serind->store.ctx, NULL, find_newest, &loading);
    if (error == SERIN_OK) {
        error = ops->each_device(serind->store.ctx, NULL, load, &loading);
    }
    serind->beats_ms = loading.ahead ? UINT64_MAX : serind->now_ms;
    return error;
}

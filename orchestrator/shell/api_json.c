/* The objects of the API, as docs/spec/http-api.md names their members. */
#include "api.h"
#include "enrol.h"
#include "text.h"

#include <serin/route.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- releases ---- */

struct serin_json *serind_release_json(const struct serin_release_record *record)
{
    const struct serin_manifest *manifest = &record->manifest;
    struct serin_json *object = serin_json_object();
    serind_put_hash(object, "manifest_id", record->manifest_id);
    serin_json_put_text(object, "product", manifest->product);
    serin_json_put_text(object, "vendor", manifest->vendor);
    serin_json_put_text(object, "component", manifest->component);
    serind_put_version(object, "version", manifest->version);
    serin_json_put_number(object, "security_counter", manifest->security_counter);
    serin_json_put_number(object, "hw_min", manifest->hw_min);
    serin_json_put_number(object, "hw_max", manifest->hw_max);
    struct serin_json *channels = serin_json_array();
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS && manifest->channels[i][0] != '\0'; i++) {
        serin_json_add(channels, serin_json_text(manifest->channels[i]));
    }
    serin_json_put(object, "channels", channels);
    serin_json_put_number(object, "image_size", manifest->image_size_bytes);
    serind_put_hash(object, "image_sha256", manifest->image_sha256);
    char crc[9];
    (void)snprintf(crc, sizeof crc, "%08" PRIx32, manifest->image_crc32);
    serin_json_put_text(object, "image_crc32", crc);
    serin_json_put_number(object, "confirm_window_s", manifest->confirm_window_s);
    serin_json_put_number(object, "confirm_tries", manifest->confirm_tries);
    serind_put_time(object, "created", manifest->created_s);
    serind_put_time(object, "published", record->published_s);
    return object;
}

/* The version of a manifest, where its release is known here. */
static void put_version_of(struct serind *serind, struct serin_json *object,
                           const uint8_t manifest_id[32])
{
    struct serin_release_record release;
    if (serind->store.ops->get_release(serind->store.ctx, manifest_id, &release) == SERIN_OK) {
        serind_put_version(object, "version", release.manifest.version);
    } else {
        serin_json_put_null(object, "version");
    }
}

struct serin_json *serind_offers_json(struct serind *serind, const struct serin_offer *offers,
                                      size_t count)
{
    struct serin_json *array = serin_json_array();
    for (size_t i = 0; i < count; i++) {
        struct serin_json *object = serin_json_object();
        serin_json_put_number(object, "hw_min", offers[i].hw_min);
        serin_json_put_number(object, "hw_max", offers[i].hw_max);
        serind_put_hash(object, "manifest_id", offers[i].manifest_id);
        put_version_of(serind, object, offers[i].manifest_id);
        serin_json_add(array, object);
    }
    return array;
}

/* ---- devices ---- */

enum serin_state serind_device_state(struct serind *serind,
                                     const struct serin_device_record *record)
{
    struct serind_slot *slot = serind_rollouts_latest(serind, record->product, record->channel);
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (slot != NULL && device != SERIND_NO_DEVICE && slot->rollout.tally.unreached > 0) {
        uint32_t position = serind_slot_position(serind, slot, device);
        if (position != UINT32_MAX && slot->members.list[position].state == SERIN_STATE_UNREACHED) {
            return SERIN_STATE_UNREACHED;
        }
    }
    return record->last_attempt.attempt == 0 ? SERIN_STATE_IDLE : record->last_attempt.state;
}

static const char *redundancy_text(enum serin_redundancy redundancy)
{
    switch (redundancy) {
    case SERIN_REDUNDANCY_OLDER:
        return "older";
    case SERIN_REDUNDANCY_MIRRORED:
        return "mirrored";
    case SERIN_REDUNDANCY_NONE:
    case SERIN_REDUNDANCY_INVALID:
    default:
        return "none";
    }
}

static const char *takes_text(uint8_t takes)
{
    bool small = (takes & SERIN_TAKES_SMALL) != 0;
    bool best = (takes & SERIN_TAKES_BEST) != 0;
    if (small && best) {
        return "both";
    }
    return small ? "small" : best ? "best" : "none";
}

static struct serin_json *counters_json(const struct serin_device_record *record)
{
    static const char *const names[] = {
        [SERIN_COUNTER_BOOTS] = "boots",
        [SERIN_COUNTER_CRASHES] = "crashes",
        [SERIN_COUNTER_WATCHDOGS] = "watchdogs",
        [SERIN_COUNTER_ERRORS] = "errors",
        [SERIN_COUNTER_RECONNECTS] = "reconnects",
        [SERIN_COUNTER_REFUSED_DIRECTIVES] = "refused_directives",
    };
    struct serin_json *object = serin_json_object();
    for (size_t i = 0; i < record->counter_count; i++) {
        const struct serin_counter *counter = &record->counters[i];
        char name[32];
        if (counter->id < sizeof names / sizeof names[0] && names[counter->id] != NULL) {
            (void)snprintf(name, sizeof name, "%s", names[counter->id]);
        } else if (counter->id >= SERIN_COUNTER_APPLICATION) {
            (void)snprintf(name, sizeof name, "application_%" PRIu32,
                           counter->id - SERIN_COUNTER_APPLICATION);
        } else {
            (void)snprintf(name, sizeof name, "counter_%" PRIu32, counter->id);
        }
        uint64_t value = counter->value <= INT64_MAX ? counter->value : INT64_MAX;
        serin_json_put_number(object, name, value);
    }
    return object;
}

static void put_slot(struct serin_json *object, uint8_t slot)
{
    if (slot == 1 || slot == 2) {
        serin_json_put_text(object, "slot", slot == 1 ? "A" : "B");
    } else {
        serin_json_put_null(object, "slot");
    }
}

/* What a gateway said of a node is old once the gateway is gone. */
bool serind_device_reachable(const struct serind *serind, uint32_t device)
{
    if (!serind->index.list[device].online) {
        return false;
    }
    uint32_t site = serind->index.list[device].site;
    return site == 0 || serind->sites.ids.list[site - 1].online;
}

struct serin_json *serind_device_json(struct serind *serind,
                                      const struct serin_device_record *record)
{
    const struct serin_attempt_record *attempt = &record->last_attempt;
    const struct serin_running *running = &record->running;
    uint32_t device = serind_index_find(&serind->index, record->id);
    bool has_attempt = attempt->attempt != 0;
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "id", record->id);
    serin_json_put_text(object, "product", record->product);
    serin_json_put_text(object, "channel", record->channel);
    serin_json_put_number(object, "hardware", record->hardware);
    serin_json_put_text(object, "enrolment", serind_enrolment_text(record->enrolment));
    if (record->gateway[0] != '\0') {
        serin_json_put_text(object, "gateway", record->gateway);
    } else {
        serin_json_put_null(object, "gateway");
    }
    serin_json_put_text(object, "state", serin_state_text(serind_device_state(serind, record)));
    serin_json_put_text(object, "reason",
                        serin_reason_word(has_attempt ? attempt->reason : SERIN_REASON_NONE));
    serind_put_version(object, "version", running->version);
    serind_put_hash(object, "manifest_id", running->manifest_id);
    put_slot(object, running->slot);
    serin_json_put_number(object, "security_counter", running->security_counter);
    serin_json_put_number(object, "floor", running->floor);
    serin_json_put_text(object, "redundancy", redundancy_text(record->redundancy));
    serin_json_put_text(object, "takes", takes_text(record->takes));
    serin_json_put_bool(object, "online",
                        device != SERIND_NO_DEVICE && serind_device_reachable(serind, device));
    serind_put_time(object, "last_report", record->last_report_s);
    serind_put_time(object, "last_beat", record->last_beat_s);
    serin_json_put_text(object, "refused", serin_reason_word(record->refused));
    serin_json_put(object, "order", serind_order_json(record->channel_order));
    serin_json_put(object, "counters", counters_json(record));
    return object;
}

static struct serin_json *transition_json(const struct serin_transition *transition)
{
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "state", serin_state_text(transition->state));
    serin_json_put_text(object, "reason", serin_reason_word(transition->reason));
    serind_put_time(object, "time", transition->time_s);
    serin_json_put_number(object, "uptime_ms",
                          transition->uptime_ms <= INT64_MAX ? transition->uptime_ms : INT64_MAX);
    serin_json_put_number(object, "detail", transition->detail);
    return object;
}

struct serin_json *serind_attempt_json(struct serind *serind,
                                       const struct serin_attempt_record *record)
{
    struct serin_json *object = serin_json_object();
    serind_put_hash(object, "manifest_id", record->manifest_id);
    put_version_of(serind, object, record->manifest_id);
    serin_json_put_number(object, "attempt", record->attempt);
    serin_json_put_text(object, "state", serin_state_text(record->state));
    serin_json_put_text(object, "reason", serin_reason_word(record->reason));
    serin_json_put_text(object, "text", serin_reason_text(record->reason));
    serin_json_put_number(object, "bytes_fetched",
                          record->bytes_fetched <= INT64_MAX ? record->bytes_fetched : INT64_MAX);
    serin_json_put_number(object, "pieces_refetched", record->pieces_refetched);
    struct serin_json *transitions = serin_json_array();
    for (size_t i = 0; i < record->transition_count; i++) {
        serin_json_add(transitions, transition_json(&record->transitions[i]));
    }
    serin_json_put(object, "transitions", transitions);
    return object;
}

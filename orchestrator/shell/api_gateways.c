/* The API's gateways, and whose a device is. */
#include "api.h"
#include "enrol.h"
#include "pass.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAYS_PER_PAGE_MAX 1000u

/* ---- objects ---- */

/* A gateway may count as high as it likes. */
static void put_count(struct serin_json *object, const char *key, uint64_t count)
{
    serin_json_put_number(object, key, count <= INT64_MAX ? count : INT64_MAX);
}

static void put_incarnation(struct serin_json *object, uint64_t incarnation)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016" PRIx64, incarnation);
    serin_json_put_text(object, "incarnation", text);
}

static void put_text_or_null(struct serin_json *object, const char *key, const char *text)
{
    if (text[0] != '\0') {
        serin_json_put_text(object, key, text);
    } else {
        serin_json_put_null(object, key);
    }
}

static const char *hold_text(enum serin_hold_cause cause)
{
    switch (cause) {
    case SERIN_HOLD_CAUSE_LEASE:
        return "lease";
    case SERIN_HOLD_CAUSE_FAILURES:
        return "failures";
    case SERIN_HOLD_CAUSE_NONE:
    case SERIN_HOLD_CAUSE_INVALID:
    default:
        return "none";
    }
}

static struct serin_json *fleet_json(const struct serin_gw_fleet *fleet)
{
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "product", fleet->product);
    serin_json_put_text(object, "channel", fleet->channel);
    serin_json_put(object, "order", serind_order_json(fleet->order));
    serin_json_put_number(object, "lease_left_s", fleet->lease_left_s);
    serin_json_put_text(object, "hold", hold_text(fleet->hold));
    serin_json_put_number(object, "failures", fleet->failures);
    serin_json_put_number(object, "failures_max", fleet->failures_max);
    serind_put_hash(object, "manifest_id", fleet->manifest_id);
    serind_put_time(object, "held_since", fleet->held_since_s);
    return object;
}

/* Of the bytes that nodes were given, the share that did not cross the uplink for it. */
static void put_hit_rate(struct serin_json *object, const struct serin_gw_status *status)
{
    if (status->served_bytes == 0) {
        serin_json_put_null(object, "hit_rate");
        return;
    }
    double missed = (double)status->fetched_bytes / (double)status->served_bytes;
    serin_json_put_real(object, "hit_rate", missed < 1 ? 1 - missed : 0);
}

static struct serin_json *status_json(const struct serin_gateway_record *record)
{
    const struct serin_gw_status *status = &record->status;
    struct serin_json *object = serin_json_object();
    serind_put_time(object, "heard", record->status_s);
    serin_json_put_text(object, "software", status->software);
    put_incarnation(object, status->incarnation);
    serind_put_time(object, "time", status->time_s);
    put_count(object, "uptime_s", status->uptime_s);
    serin_json_put_number(object, "nodes", status->nodes);
    serin_json_put_number(object, "nodes_online", status->nodes_online);
    put_count(object, "depot_bytes", status->depot_bytes);
    put_count(object, "depot_budget_bytes", status->depot_budget_bytes);
    serin_json_put_number(object, "objects", status->objects);
    serin_json_put_number(object, "filling", status->filling);
    serin_json_put_bool(object, "pass_through", status->pass_through);
    put_count(object, "served_bytes", status->served_bytes);
    put_count(object, "fetched_bytes", status->fetched_bytes);
    put_count(object, "refetched_bytes", status->refetched_bytes);
    put_hit_rate(object, status);
    put_count(object, "uplink_sent", status->uplink_sent);
    put_count(object, "uplink_got", status->uplink_got);
    put_count(object, "uplink_messages", status->uplink_messages);
    put_count(object, "transitions", status->transitions);
    serin_json_put_number(object, "queued", status->queued);
    put_count(object, "queue_oldest_s", status->queue_oldest_s);
    serin_json_put_number(object, "rotten", status->rotten);
    struct serin_json *fleets = serin_json_array();
    for (size_t i = 0; i < status->fleet_count; i++) {
        serin_json_add(fleets, fleet_json(&status->fleets[i]));
    }
    serin_json_put(object, "fleets", fleets);
    return object;
}

static struct serin_json *gateway_json(const struct serind *serind, uint32_t number)
{
    const struct serind_site *site = serind_site(serind, number);
    const struct serin_gateway_record *record = &site->record;
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "id", record->id);
    serin_json_put_text(object, "standing",
                        record->standing == SERIN_GATEWAY_REFUSED ? "refused" : "known");
    serin_json_put_bool(object, "online", serind->sites.ids.list[number - 1].online);
    serin_json_put_number(object, "nodes", site->nodes);
    serind_put_time(object, "first_seen", record->first_seen_s);
    serind_put_time(object, "last_heard", record->last_heard_s);
    struct serin_json *batches = serin_json_object();
    put_incarnation(batches, record->incarnation);
    put_count(batches, "number", record->batch);
    put_count(batches, "lost", record->batches_lost);
    serin_json_put(object, "batches", batches);
    struct serin_json *claims = serin_json_object();
    put_count(claims, "count", record->claims);
    serind_put_time(claims, "last", record->last_claim_s);
    put_text_or_null(claims, "device", record->last_claimed);
    serin_json_put(object, "claims", claims);
    if (record->status_s != 0) {
        serin_json_put(object, "status", status_json(record));
    } else {
        serin_json_put_null(object, "status");
    }
    return object;
}

/* ---- reading ---- */

struct entry {
    const char *id;
    uint32_t number;
};

static int by_id(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    return strcmp(left->id, right->id);
}

/* The gateways behind `after` in the order of their ids; the caller frees them. NULL: memory. */
static struct entry *sort_sites(const struct serind *serind, const char *after, size_t *count)
{
    const struct serind_sites *sites = &serind->sites;
    struct entry *sorted = calloc(sites->ids.count + 1, sizeof *sorted);
    *count = 0;
    for (uint32_t number = 1; sorted != NULL && number <= sites->ids.count; number++) {
        const char *id = serind_site_name(serind, number);
        if (after == NULL || strcmp(id, after) > 0) {
            sorted[(*count)++] = (struct entry){.id = id, .number = number};
        }
    }
    if (*count > 1) {
        qsort(sorted, *count, sizeof *sorted, by_id);
    }
    return sorted;
}

void serind_get_gateways(struct serind_call *call)
{
    uint64_t limit = 0;
    size_t count = 0;
    if (!serind_query_page(call, GATEWAYS_PER_PAGE_MAX, &limit)) {
        return;
    }
    struct entry *sorted =
        sort_sites(call->serind, serin_http_query(call->request, "after"), &count);
    if (sorted == NULL) {
        serind_fail(call, SERIN_ERR_MEMORY, "memory is exhausted");
        return;
    }
    struct serin_json *array = serin_json_array();
    for (size_t i = 0; i < count && i < limit; i++) {
        serin_json_add(array, gateway_json(call->serind, sorted[i].number));
    }
    struct serin_json *object = serin_json_object();
    serin_json_put(object, "gateways", array);
    put_text_or_null(object, "next",
                     serind_site_name(call->serind, count > limit ? sorted[limit - 1].number : 0));
    free(sorted);
    serind_answer(call, 200, object);
}

/* The gateway of the path, or 0 and the call is answered. */
static uint32_t gateway_of(struct serind_call *call)
{
    uint32_t number = serind_sites_find(call->serind, call->argument[0]);
    if (number == 0) {
        serind_fail(call, SERIN_ERR_NOT_FOUND, "there is no gateway %s", call->argument[0]);
    }
    return number;
}

void serind_get_gateway(struct serind_call *call)
{
    uint32_t number = gateway_of(call);
    if (number == 0) {
        return;
    }
    struct serin_json *object = gateway_json(call->serind, number);
    if (serind_devices_page(call, number, object)) {
        serind_answer(call, 200, object);
    } else {
        serin_json_free(object);
    }
}

/* ---- commands ---- */

void serind_post_gateway(struct serind_call *call)
{
    struct serind *serind = call->serind;
    bool refuse = strcmp(call->argument[1], "refuse") == 0;
    if (!refuse && strcmp(call->argument[1], "allow") != 0) {
        serind_fail(call, SERIN_ERR_NOT_FOUND, "a gateway is refused or allowed, nothing else");
        return;
    }
    uint32_t number = gateway_of(call);
    if (number == 0) {
        return;
    }
    enum serin_error error = serind_pass_begin(serind);
    if (error == SERIN_OK) {
        serind_site_decide(serind, number, refuse ? SERIN_GATEWAY_REFUSED : SERIN_GATEWAY_KNOWN);
        error = serind_pass_end(serind);
    }
    if (error != SERIN_OK) {
        serind_fail(call, error, "the decision on gateway %s was not stored", call->argument[0]);
    } else {
        serind_answer(call, 200, gateway_json(serind, number));
    }
}

/* {"to": "gw-1"} or {"to": ""}. False: something else, and the call is answered. */
static bool read_to(struct serind_call *call, char to[SERIN_ID_MAX + 1])
{
    char why[160];
    struct serin_json *body = NULL;
    enum serin_error error =
        serin_json_parse(call->request->body, call->request->body_size, &body, why, sizeof why);
    const char *text = error == SERIN_OK ? serin_json_as_text(serin_json_get(body, "to")) : NULL;
    bool sound = text != NULL && (text[0] == '\0' || serin_id_valid(text, strlen(text)));
    if (sound) {
        (void)snprintf(to, SERIN_ID_MAX + 1, "%s", text);
    } else {
        serind_fail(call, SERIN_ERR_FORMAT,
                    "the body must be {\"to\": \"…\"} with the id of a gateway, or \"\": direct");
    }
    serin_json_free(body);
    return sound;
}

void serind_post_move(struct serind_call *call)
{
    struct serind *serind = call->serind;
    struct serin_device_record record;
    struct serind_refusal refusal = {.line = 0};
    char to[SERIN_ID_MAX + 1];
    if (!read_to(call, to)) {
        return;
    }
    enum serin_error error = serind_pass_begin(serind);
    if (error == SERIN_OK) {
        error = serind_enrol_move(serind, call->argument[0], to, &record, &refusal);
        if (error == SERIN_OK) {
            error = serind_pass_end(serind);
        } else {
            serind_pass_cancel(serind);
        }
    }
    if (error != SERIN_OK && refusal.message[0] != '\0') {
        serind_fail_refusal(call, error, &refusal);
    } else if (error != SERIN_OK) {
        serind_fail(call, error, "the move of device %s was not stored", call->argument[0]);
    } else if (serind_read_begin(call)) {
        serind_answer(call, 200, serind_device_json(serind, &record));
        serind_read_end(call);
    }
}

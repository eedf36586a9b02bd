/* The API's status, audit log and devices. */
#include "api.h"
#include "enrol.h"
#include "pass.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define DEVICES_PER_PAGE_MAX 1000u
#define DEVICES_PER_LOOK_MAX \
    20000u /* so that a search that finds little does not hold the loop up */
#define AUDIT_LINES_MAX 1000u

void serind_get_status(struct serind_call *call)
{
    struct serind *serind = call->serind;
    struct serin_json *object = serin_json_object();
    char time[SERIND_TIME_SIZE];
    serind_time_s(serind_now_s(serind), time);
    uint64_t online = 0;
    uint64_t pending = 0;
    for (uint32_t i = 0; i < serind->index.count; i++) {
        online += serind_device_reachable(serind, i) ? 1 : 0;
        pending += serind->index.list[i].pending ? 1 : 0;
    }
    uint64_t active = 0;
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        active += serind_rollout_over(serind->rollouts.slots[i]->rollout.state) ? 0 : 1;
    }
    struct serin_json *alarms = serin_json_array();
    for (size_t i = 0; i < serind->alarms.count; i++) {
        serin_json_add(alarms, serin_json_text(serind->alarms.list[i].text));
    }
    serin_json_put_text(object, "version", SERIND_VERSION);
    serin_json_put_bool(object, "connected", serind_reports_up(serind));
    serin_json_put_text(object, "time", time);
    serin_json_put(object, "order", serind_order_json(serind->meta.order));
    serin_json_put_number(object, "devices", serind->index.count);
    serin_json_put_number(object, "online", online);
    serin_json_put_number(object, "pending", pending);
    serin_json_put_number(object, "gateways", serind->sites.ids.count);
    serin_json_put_number(object, "rollouts_active", active);
    serin_json_put(object, "alarms", alarms);
    serind_answer(call, 200, object);
}

/* ---- audit ---- */

/* Adds each line of the text to the array; a line that was cut by a full disk is left out. */
static void add_lines(struct serin_json *array, char *text)
{
    char why[160];
    for (char *line = text; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        struct serin_json *value = NULL;
        if (size > 0 && serin_json_parse(line, size, &value, why, sizeof why) == SERIN_OK) {
            serin_json_add(array, value);
        }
        line += size + (line[size] == '\n' ? 1 : 0);
    }
}

void serind_get_audit(struct serind_call *call)
{
    uint64_t after = 0;
    uint64_t limit = 0;
    if (!serind_query_number(call, "after", INT64_MAX, 0, &after) ||
        !serind_query_number(call, "limit", AUDIT_LINES_MAX, 100, &limit)) {
        return;
    }
    char *text = NULL;
    uint64_t next = 0;
    enum serin_error error = serind_audit_read(call->serind, after, (unsigned)limit, &text, &next);
    if (error != SERIN_OK) {
        serind_fail(call, error, "the audit log cannot be read: %s", serin_error_text(error));
        return;
    }
    struct serin_json *lines = serin_json_array();
    add_lines(lines, text);
    free(text);
    struct serin_json *object = serin_json_object();
    serin_json_put(object, "lines", lines);
    serin_json_put_number(object, "next", next);
    serind_answer(call, 200, object);
}

/* What is surely on the disk: whoever keeps it can tell later whether the log was cut or rewritten.
 */
void serind_get_audit_head(struct serind_call *call)
{
    const struct serin_audit_head *head = &call->serind->audit.durable;
    char hash[SERIN_SHA256_HEX_SIZE];
    char text[SERIN_AUDIT_HEAD_SIZE];
    serin_hex_encode(head->hash, sizeof head->hash, hash);
    serin_audit_head_print(head, text);
    struct serin_json *object = serin_json_object();
    serin_json_put_number(object, "seq", head->seq);
    serin_json_put_text(object, "hash", hash);
    serin_json_put_text(object, "head", text);
    serind_answer(call, 200, object);
}

/* ---- devices ---- */

struct listing {
    struct serind *serind;
    const char *product, *channel, *state, *enrolment; /* NULL: any */
    uint32_t site;                                     /* 0: any */
    uint64_t limit, taken;
    unsigned looked;
    char last[SERIN_ID_MAX + 1]; /* the last device looked at */
    bool more;
    struct serin_json *array;
};

static bool wanted(const struct listing *listing, const struct serin_device_record *record)
{
    const char *gateway = serind_site_name(listing->serind, listing->site);
    return (listing->site == 0 || strcmp(gateway, record->gateway) == 0) &&
           (listing->product == NULL || strcmp(listing->product, record->product) == 0) &&
           (listing->channel == NULL || strcmp(listing->channel, record->channel) == 0) &&
           (listing->enrolment == NULL ||
            strcmp(listing->enrolment, serind_enrolment_text(record->enrolment)) == 0) &&
           (listing->state == NULL || strcmp(listing->state, serin_state_text(serind_device_state(
                                                                 listing->serind, record))) == 0);
}

static bool list_device(void *arg, const struct serin_device_record *record)
{
    struct listing *listing = arg;
    if (listing->taken == listing->limit || listing->looked == DEVICES_PER_LOOK_MAX) {
        listing->more = true;
        return false;
    }
    listing->looked++;
    memcpy(listing->last, record->id, sizeof listing->last);
    if (wanted(listing, record)) {
        listing->taken++;
        serin_json_add(listing->array, serind_device_json(listing->serind, record));
    }
    return true;
}

static enum serin_error walk(struct listing *listing, const char *after)
{
    const struct serin_store *store = &listing->serind->store;
    if (listing->product != NULL && listing->channel != NULL) {
        return store->ops->each_fleet_device(store->ctx, listing->product, listing->channel, after,
                                             list_device, listing);
    }
    return store->ops->each_device(store->ctx, after, list_device, listing);
}

static bool state_known(const char *text)
{
    for (unsigned state = 1; state < SERIN_STATE_COUNT; state++) {
        if (strcmp(text, serin_state_text((enum serin_state)state)) == 0) {
            return true;
        }
    }
    return false;
}

static bool enrolment_known(const char *text)
{
    return strcmp(text, serind_enrolment_text(SERIN_ENROLMENT_PENDING)) == 0 ||
           strcmp(text, serind_enrolment_text(SERIN_ENROLMENT_ENROLLED)) == 0 ||
           strcmp(text, serind_enrolment_text(SERIN_ENROLMENT_REFUSED)) == 0;
}

/* Reads product, channel, state and enrolment. False: the call is answered. */
static bool read_filters(struct serind_call *call, struct listing *listing)
{
    listing->product = serin_http_query(call->request, "product");
    listing->channel = serin_http_query(call->request, "channel");
    listing->state = serin_http_query(call->request, "state");
    listing->enrolment = serin_http_query(call->request, "enrolment");
    if ((listing->product != NULL &&
         !serin_product_valid(listing->product, strlen(listing->product))) ||
        (listing->channel != NULL &&
         !serin_channel_valid(listing->channel, strlen(listing->channel)))) {
        serind_fail(call, SERIN_ERR_INVALID, "'product' or 'channel' is no valid name");
        return false;
    }
    if (listing->state != NULL && !state_known(listing->state)) {
        serind_fail(call, SERIN_ERR_INVALID,
                    "'state' must be a state of an attempt, such as idle, downloading, confirmed "
                    "or rolled_back");
        return false;
    }
    if (listing->enrolment != NULL && !enrolment_known(listing->enrolment)) {
        serind_fail(call, SERIN_ERR_INVALID, "'enrolment' must be pending, enrolled or refused");
        return false;
    }
    return true;
}

bool serind_devices_page(struct serind_call *call, uint32_t site, struct serin_json *object)
{
    struct listing listing = {.serind = call->serind, .site = site};
    if (!read_filters(call, &listing) ||
        !serind_query_page(call, DEVICES_PER_PAGE_MAX, &listing.limit) ||
        !serind_read_begin(call)) {
        return false;
    }
    listing.array = serin_json_array();
    enum serin_error error = walk(&listing, serin_http_query(call->request, "after"));
    serind_read_end(call);
    if (error != SERIN_OK) {
        serin_json_free(listing.array);
        serind_fail(call, error, "the devices cannot be read: %s", serin_error_text(error));
        return false;
    }
    serin_json_put(object, "devices", listing.array);
    if (listing.more) {
        serin_json_put_text(object, "next", listing.last);
    } else {
        serin_json_put_null(object, "next");
    }
    return true;
}

void serind_get_devices(struct serind_call *call)
{
    const char *gateway = serin_http_query(call->request, "gateway");
    uint32_t site = gateway != NULL ? serind_sites_find(call->serind, gateway) : 0;
    if (gateway != NULL && site == 0) {
        serind_fail(call, SERIN_ERR_NOT_FOUND, "there is no gateway %.64s", gateway);
        return;
    }
    struct serin_json *object = serin_json_object();
    if (serind_devices_page(call, site, object)) {
        serind_answer(call, 200, object);
    } else {
        serin_json_free(object);
    }
}

/* More than are kept of a device, for a store that an older serind filled. */
#define SERIND_HISTORY_MAX 64u

struct history {
    struct serind *serind;
    size_t count;
    struct serin_json *array;
};

static bool list_attempt(void *arg, const struct serin_attempt_record *record)
{
    struct history *history = arg;
    serin_json_add(history->array, serind_attempt_json(history->serind, record));
    return ++history->count < SERIND_HISTORY_MAX;
}

void serind_get_device(struct serind_call *call)
{
    struct serind *serind = call->serind;
    const char *id = call->argument[0];
    struct serin_device_record record;
    if (!serind_read_begin(call)) {
        return;
    }
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, id, &record);
    struct history history = {.serind = serind, .array = serin_json_array()};
    if (error == SERIN_OK) {
        error = serind->store.ops->each_attempt(serind->store.ctx, id, list_attempt, &history);
    }
    if (error != SERIN_OK) {
        serin_json_free(history.array);
        serind_fail(call, error,
                    error == SERIN_ERR_NOT_FOUND ? "there is no device %s"
                                                 : "the record of device %s cannot be read",
                    id);
    } else {
        struct serin_json *object = serind_device_json(serind, &record);
        serin_json_put(object, "attempts", history.array);
        serind_answer(call, 200, object);
    }
    serind_read_end(call);
}

void serind_post_device(struct serind_call *call)
{
    struct serind *serind = call->serind;
    const char *id = call->argument[0];
    bool approve = strcmp(call->argument[1], "approve") == 0;
    if (!approve && strcmp(call->argument[1], "refuse") != 0) {
        serind_fail(call, SERIN_ERR_NOT_FOUND,
                    "a device is approved, refused or moved, nothing else");
        return;
    }
    struct serin_device_record record;
    enum serin_error error = serind_pass_begin(serind);
    if (error == SERIN_OK) {
        error = serind_enrol_decide(
            serind, id, approve ? SERIN_ENROLMENT_ENROLLED : SERIN_ENROLMENT_REFUSED, &record);
        if (error == SERIN_OK) {
            error = serind_pass_end(serind);
        } else {
            serind_pass_cancel(serind);
        }
    }
    if (error != SERIN_OK) {
        serind_fail(call, error,
                    error == SERIN_ERR_NOT_FOUND ? "there is no device %s"
                                                 : "the decision on device %s was not stored",
                    id);
        return;
    }
    uint32_t device = serind_index_find(&serind->index, id);
    if (device != SERIND_NO_DEVICE) {
        serind->index.list[device].pending = false;
    }
    if (serind_read_begin(call)) {
        serind_answer(call, 200, serind_device_json(serind, &record));
        serind_read_end(call);
    }
}

/*
 * What the gateway says of itself (gateway.h): upstream on gw/<gw>/status (docs/spec/batch.md,
 * section 4), and to operators of its machine on the control socket (docs/serin-gateway.md).
 *
 *   request         answer, one line of JSON
 *   "status"        all of it
 *   "nodes" SP from the nodes from number `from` on, a page; "next": where the next page starts
 */
#include "gateway.h"

#include <serin/adapters/json.h>
#include <serin/adapters/log.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS     1000u  /* how often a change of the holds is looked for */
#define RETRY_MS    1000u  /* after the uplink had no room */
#define SAMPLE_MS   10000u /* over which rates are measured */
#define NODES_PAGE  150u   /* at most 300 bytes each: they fit an answer */
#define NUMBER_DIGS 9u

/* Bytes over the uplink at a time. */
struct sample {
    uint64_t at_ms, sent, got;
};

struct gateway_status {
    struct serin_control *control;
    uint64_t due_ms;  /* when it is to be said again */
    uint64_t look_ms; /* when the holds are looked at again */
    bool up_before;
    enum serin_hold_cause said[SERIN_GW_FLEETS_MAX]; /* upstream */
    struct sample last, now;
};

/* ---- what there is to say ---- */

/* The order of each fleet, from the directive of its channel. */
static bool fill_order(void *arg, const struct gateway_order *order)
{
    struct serin_gw_status *status = arg;
    const struct serin_directive *directive = &order->directive;
    for (size_t i = 0; i < status->fleet_count && directive->device_id[0] == '\0'; i++) {
        struct serin_gw_fleet *fleet = &status->fleets[i];
        if (strcmp(fleet->product, directive->product) == 0 &&
            strcmp(fleet->channel, directive->channel) == 0) {
            fleet->order = directive->order;
        }
    }
    return true;
}

static void fill(const struct gateway *gateway, struct serin_gw_status *status)
{
    const struct serin_gateway_config *config = gateway->config;
    const struct serin_gateway_meta *meta = &gateway->meta;
    *status = (struct serin_gw_status){
        .incarnation = meta->incarnation,
        .time_s = gateway_words_signed_s(gateway),
        .uptime_s = (gateway->mono_ms - gateway->started_ms) / 1000,
        .depot_budget_bytes = config->depot_budget_bytes,
        .served_bytes = meta->served_bytes,
        .fetched_bytes = meta->fetched_bytes,
        .refetched_bytes = meta->refetched_bytes,
        .uplink_sent = meta->uplink_sent,
        .uplink_got = meta->uplink_got,
        .uplink_messages = meta->uplink_messages,
        .transitions = meta->transitions,
        .rotten = meta->rotten,
        .fleet_count = config->fleet_count,
    };
    (void)snprintf(status->gateway, sizeof status->gateway, "%s", config->id);
    (void)snprintf(status->software, sizeof status->software, "%s", GATEWAY_SOFTWARE);
    for (size_t i = 0; i < config->fleet_count; i++) {
        struct serin_gw_fleet *fleet = &status->fleets[i];
        (void)snprintf(fleet->product, sizeof fleet->product, "%s", config->fleets[i].product);
        (void)snprintf(fleet->channel, sizeof fleet->channel, "%s", config->fleets[i].channel);
        fleet->hold = SERIN_HOLD_CAUSE_NONE;
    }
    gateway_orders_each(gateway, fill_order, status);
    gateway_bytes_status(gateway, status);
    gateway_words_status(gateway, status);
}

/* ---- upstream ---- */

static bool holds_differ(const struct gateway_status *status, const struct serin_gw_status *now)
{
    for (size_t i = 0; i < now->fleet_count; i++) {
        if (status->said[i] != now->fleets[i].hold) {
            return true;
        }
    }
    return false;
}

static void say(struct gateway *gateway, const struct serin_gw_status *now)
{
    struct gateway_status *status = gateway->status;
    uint8_t payload[SERIN_GW_STATUS_MAX];
    size_t size = 0;
    enum serin_error error =
        gateway->site_codec->encode_gw_status(now, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        error = gateway_publish_up(gateway, SERIN_TOPIC_GW_STATUS, payload, size, NULL);
    }
    if (error == SERIN_ERR_AGAIN) {
        status->due_ms = gateway->mono_ms + RETRY_MS;
        return;
    }
    if (error != SERIN_OK) {
        serin_log(SERIN_LOG_ERROR, "the status is not said: %s", serin_error_text(error));
    }
    for (size_t i = 0; i < now->fleet_count; i++) {
        status->said[i] = now->fleets[i].hold;
    }
    status->due_ms = gateway->mono_ms + gateway->config->status_s * UINT64_C(1000);
}

static void sample_take(struct gateway *gateway)
{
    struct gateway_status *status = gateway->status;
    if (gateway->mono_ms - status->now.at_ms >= SAMPLE_MS) {
        status->last = status->now;
        status->now =
            (struct sample){gateway->mono_ms, gateway->meta.uplink_sent, gateway->meta.uplink_got};
    }
}

void gateway_status_tick(struct gateway *gateway)
{
    struct gateway_status *status = gateway->status;
    sample_take(gateway);
    if (gateway->up_connected && !status->up_before) {
        status->due_ms = 0; /* the cloud has not heard of us for as long as it was away */
    }
    status->up_before = gateway->up_connected;
    if (!gateway->up_connected ||
        (gateway->mono_ms < status->due_ms && gateway->mono_ms < status->look_ms)) {
        return;
    }
    struct serin_gw_status now;
    fill(gateway, &now);
    status->look_ms = gateway->mono_ms + LOOK_MS;
    if (gateway->mono_ms >= status->due_ms || holds_differ(status, &now)) {
        say(gateway, &now);
    }
}

uint64_t gateway_status_deadline_ms(const struct gateway *gateway)
{
    const struct gateway_status *status = gateway->status;
    if (!gateway->up_connected) {
        return UINT64_MAX;
    }
    return status->due_ms < status->look_ms ? status->due_ms : status->look_ms;
}

/* ---- in JSON: the names of the API's GatewayStatus (docs/openapi.yaml) ---- */

static const char *hold_word(enum serin_hold_cause cause)
{
    static const char *const words[] = {
        [SERIN_HOLD_CAUSE_INVALID] = "invalid",
        [SERIN_HOLD_CAUSE_NONE] = "none",
        [SERIN_HOLD_CAUSE_LEASE] = "lease",
        [SERIN_HOLD_CAUSE_FAILURES] = "failures",
    };
    return (size_t)cause < sizeof words / sizeof words[0] ? words[cause] : words[0];
}

static const char *standing_word(enum serin_ack_status standing)
{
    static const char *const words[] = {
        [SERIN_ACK_INVALID] = "unheard", [SERIN_ACK_STORED] = "stored",
        [SERIN_ACK_RESEND] = "resend",   [SERIN_ACK_REFUSED] = "refused",
        [SERIN_ACK_PENDING] = "pending",
    };
    return (size_t)standing < sizeof words / sizeof words[0] ? words[standing] : words[0];
}

/* Bytes a second since the older sample. */
static uint64_t rate(const struct gateway *gateway, uint64_t now, uint64_t then)
{
    uint64_t ms = gateway->mono_ms - gateway->status->last.at_ms;
    return ms > 0 && now > then ? (now - then) * 1000 / ms : 0;
}

/* "uplink_away_s" and "uplink_why": 0 and null while it is there. */
static void put_outage(struct serin_json *json, const struct gateway *gateway, bool site)
{
    struct gateway_outage outage;
    bool away = gateway_links_outage(gateway, site, &outage);
    const char *why = site ? "site_why" : "uplink_why";
    serin_json_put_number(json, site ? "site_away_s" : "uplink_away_s",
                          away ? (gateway->mono_ms - outage.since_ms) / 1000 : 0);
    if (away && outage.why[0] != '\0') {
        serin_json_put_text(json, why, outage.why);
    } else {
        serin_json_put_null(json, why);
    }
}

/* What only the gateway itself knows of its links. */
static void put_links(struct serin_json *json, const struct gateway *gateway)
{
    const struct sample *last = &gateway->status->last;
    serin_json_put_bool(json, "uplink_connected", gateway->up_connected);
    serin_json_put_bool(json, "site_connected", gateway->site_connected);
    put_outage(json, gateway, false);
    put_outage(json, gateway, true);
    serin_json_put_number(json, "uplink_sent_per_s",
                          rate(gateway, gateway->meta.uplink_sent, last->sent));
    serin_json_put_number(json, "uplink_got_per_s",
                          rate(gateway, gateway->meta.uplink_got, last->got));
    serin_json_put_number(json, "uplink_limit_per_s", gateway->config->rate_bytes_per_s);
}

/* Of the bytes that nodes were given, the share that did not cross the uplink for it. */
static void put_hit_rate(struct serin_json *json, const struct serin_gw_status *now)
{
    if (now->served_bytes == 0) {
        serin_json_put_null(json, "hit_rate");
        return;
    }
    double missed = (double)now->fetched_bytes / (double)now->served_bytes;
    serin_json_put_real(json, "hit_rate", missed < 1 ? 1 - missed : 0);
}

static void put_counts(struct serin_json *json, const struct serin_gw_status *now)
{
    const struct {
        const char *key;
        uint64_t number;
    } counts[] = {
        {"time_s", now->time_s},
        {"uptime_s", now->uptime_s},
        {"nodes", now->nodes},
        {"nodes_online", now->nodes_online},
        {"depot_bytes", now->depot_bytes},
        {"depot_budget_bytes", now->depot_budget_bytes},
        {"objects", now->objects},
        {"filling", now->filling},
        {"served_bytes", now->served_bytes},
        {"fetched_bytes", now->fetched_bytes},
        {"refetched_bytes", now->refetched_bytes},
        {"uplink_sent", now->uplink_sent},
        {"uplink_got", now->uplink_got},
        {"uplink_messages", now->uplink_messages},
        {"transitions", now->transitions},
        {"queued", now->queued},
        {"queue_oldest_s", now->queue_oldest_s},
        {"rotten", now->rotten},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        serin_json_put_number(json, counts[i].key, counts[i].number);
    }
    serin_json_put_bool(json, "pass_through", now->pass_through);
    put_hit_rate(json, now);
}

static struct serin_json *fleet_json(const struct serin_gw_fleet *fleet)
{
    char id[SERIN_SHA256_HEX_SIZE];
    struct serin_json *json = serin_json_object();
    struct serin_json *order = serin_json_object();
    serin_json_put_number(order, "epoch", fleet->order.epoch);
    serin_json_put_number(order, "sequence", fleet->order.sequence);
    serin_json_put_text(json, "product", fleet->product);
    serin_json_put_text(json, "channel", fleet->channel);
    serin_json_put(json, "order", order);
    serin_json_put_number(json, "lease_left_s", fleet->lease_left_s);
    serin_json_put_text(json, "hold", hold_word(fleet->hold));
    serin_json_put_number(json, "failures", fleet->failures);
    serin_json_put_number(json, "failures_max", fleet->failures_max);
    serin_json_put_number(json, "held_since_s", fleet->held_since_s);
    if (fleet->hold == SERIN_HOLD_CAUSE_FAILURES) {
        serin_hex_encode(fleet->manifest_id, SERIN_SHA256_SIZE, id);
        serin_json_put_text(json, "manifest_id", id);
    } else {
        serin_json_put_null(json, "manifest_id");
    }
    return json;
}

static struct serin_json *status_json(const struct gateway *gateway)
{
    struct serin_gw_status now;
    char incarnation[17];
    fill(gateway, &now);
    (void)snprintf(incarnation, sizeof incarnation, "%016llx", (unsigned long long)now.incarnation);
    struct serin_json *json = serin_json_object();
    struct serin_json *fleets = serin_json_array();
    serin_json_put_text(json, "gateway", now.gateway);
    serin_json_put_text(json, "software", now.software);
    serin_json_put_text(json, "incarnation", incarnation);
    put_links(json, gateway);
    put_counts(json, &now);
    for (size_t i = 0; i < now.fleet_count; i++) {
        serin_json_add(fleets, fleet_json(&now.fleets[i]));
    }
    serin_json_put(json, "fleets", fleets);
    return json;
}

/* A page of nodes as it is gathered. */
struct page {
    struct serin_json *list;
    size_t from, seen;
    bool more;
};

static bool page_node(void *arg, const struct serin_node_record *node, bool online)
{
    struct page *page = arg;
    size_t number = page->seen++;
    if (number < page->from) {
        return true;
    }
    if (number == page->from + NODES_PAGE) {
        page->more = true;
        return false;
    }
    struct serin_json *json = serin_json_object();
    serin_json_put_text(json, "node", node->id);
    serin_json_put_text(json, "product", node->product);
    serin_json_put_text(json, "channel", node->channel);
    serin_json_put_number(json, "hardware", node->hardware);
    serin_json_put_bool(json, "online", online);
    serin_json_put_text(json, "standing", standing_word(node->standing));
    serin_json_put_bool(json, "queued", node->queue_number != 0);
    serin_json_put_number(json, "last_seen_s", node->last_seen_s);
    serin_json_put_bool(json, "failed", node->failed_attempt != 0);
    serin_json_add(page->list, json);
    return true;
}

static struct serin_json *nodes_json(struct gateway *gateway, size_t from)
{
    struct serin_json *json = serin_json_object();
    struct page page = {.list = serin_json_array(), .from = from};
    gateway_words_each_node(gateway, page_node, &page);
    serin_json_put(json, "nodes", page.list);
    if (page.more) {
        serin_json_put_number(json, "next", from + NODES_PAGE);
    }
    return json;
}

/* ---- the control socket ---- */

/* "nodes 150": the number, at most nine digits. */
static bool page_parse(const char *line, size_t *from)
{
    if (strncmp(line, "nodes ", 6) != 0) {
        return false;
    }
    const char *digits = line + 6;
    size_t size = strspn(digits, "0123456789");
    *from = (size_t)strtoul(digits, NULL, 10);
    return size > 0 && size <= NUMBER_DIGS && digits[size] == '\0';
}

static void control_answer(void *ctx, pid_t pid, const char *line, char *answer, size_t capacity)
{
    struct gateway *gateway = ctx;
    struct serin_json *json = NULL;
    size_t from = 0;
    (void)pid;
    if (strcmp(line, "status") == 0) {
        json = status_json(gateway);
    } else if (page_parse(line, &from)) {
        json = nodes_json(gateway, from);
    } else {
        (void)snprintf(answer, capacity, "error INVALID no such request; use status or nodes FROM");
        return;
    }
    size_t size = 0;
    char *text = serin_json_print(json, &size);
    if (size < capacity) {
        memcpy(answer, text, size + 1);
    } else {
        (void)snprintf(answer, capacity, "error TOO_LARGE the answer is too long");
    }
    free(text);
    serin_json_free(json);
}

size_t gateway_status_fds(const struct gateway *gateway, struct pollfd *fds)
{
    return serin_control_fds(gateway->status->control, fds);
}

void gateway_status_serve(struct gateway *gateway, const struct pollfd *fds, size_t count)
{
    serin_control_serve(gateway->status->control, fds, count, gateway->mono_ms);
}

enum serin_error gateway_status_open(struct gateway *gateway)
{
    static const struct serin_control_ops ops = {.answer = control_answer};
    const char *path = gateway->config->control_socket;
    gateway->status = calloc(1, sizeof *gateway->status);
    if (gateway->status == NULL) {
        return gateway_fail(gateway, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    const struct sample begin = {gateway->mono_ms, gateway->meta.uplink_sent,
                                 gateway->meta.uplink_got};
    gateway->status->last = begin;
    gateway->status->now = begin;
    for (size_t i = 0; i < SERIN_GW_FLEETS_MAX; i++) {
        gateway->status->said[i] = SERIN_HOLD_CAUSE_NONE;
    }
    enum serin_error error = serin_control_open(&gateway->status->control, path,
                                                SERIN_CONTROL_ANSWER_MAX, &ops, gateway);
    switch ((int)error) {
    case SERIN_OK:
        return SERIN_OK;
    case SERIN_ERR_BUSY:
        return gateway_fail(gateway, error, "control_socket: another gateway listens at %s", path);
    case SERIN_ERR_EXISTS:
        return gateway_fail(gateway, SERIN_ERR_CONFIG,
                            "control_socket: something that is no socket stands at %s", path);
    default:
        return gateway_fail(gateway, SERIN_ERR_CONFIG, "control_socket: %s cannot be made: %s",
                            path, strerror(errno));
    }
}

void gateway_status_close(struct gateway *gateway)
{
    if (gateway->status != NULL) {
        serin_control_close(gateway->status->control);
        free(gateway->status);
        gateway->status = NULL;
    }
}

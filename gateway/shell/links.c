/*
 * Both connections (gateway.h): what is subscribed, whose each message is, and what goes out, with
 * the QoS and retain flag of its topic (docs/spec/topics.md, section 1).
 *
 * Upstream the session is clean: what is retained is shown again at each connection, and what is
 * not is repeated by whoever said it. At the site it is kept, so that reports wait at the broker
 * while the gateway is away.
 */
#include "gateway.h"

#include <serin/adapters/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_ALIVE_S 30u
#define UP_QUEUE_MAX 1024u
#define DRAIN_MAX    256u   /* events of one connection in a turn */
#define SAY_MS       60000u /* an outage whose reason keeps changing is not a line each second */
#define SITE_QUEUE(n) \
    ((size_t)(n) + 1024u) /* presence of every node is retained, and comes at once */

/* Of an end that is away. */
struct away {
    uint64_t since_ms;
    uint64_t said_ms;                                     /* when its reason was logged last */
    char why[sizeof((struct serin_mqtt_event *)0)->why];  /* of the last attempt */
    char said[sizeof((struct serin_mqtt_event *)0)->why]; /* as logged last; "": nothing yet */
};

struct gateway_links {
    uint64_t up_dropped, site_dropped; /* as last logged */
    struct away up_away, site_away;
};

/* How a kind is published, by serind in the cloud and by a gateway at its site. */
static const struct {
    int qos;
    bool retained;
} manners[SERIN_TOPIC_COUNT] = {
    [SERIN_TOPIC_DIRECTIVE] = {1, true},   [SERIN_TOPIC_DEV_DIRECTIVE] = {1, true},
    [SERIN_TOPIC_TRUST] = {1, true},       [SERIN_TOPIC_HOLD] = {1, true},
    [SERIN_TOPIC_DEV_ACK] = {1, false},    [SERIN_TOPIC_DEPOT_HAVE] = {0, false},
    [SERIN_TOPIC_GW_REPORTS] = {1, false}, [SERIN_TOPIC_GW_STATUS] = {1, false},
    [SERIN_TOPIC_GW_GET] = {0, false},
};

/* ---- out ---- */

enum serin_error gateway_publish_up(struct gateway *gateway, enum serin_topic_kind kind,
                                    const void *payload, size_t size, int *token)
{
    struct serin_topic topic = {.kind = kind};
    char text[SERIN_TOPIC_MAX];
    enum serin_error error = serin_text_copy(topic.id, sizeof topic.id, gateway->config->id);
    if (error != SERIN_OK) {
        return error;
    }
    serin_topic_format(&topic, text);
    error = serin_mqtt_publish(gateway->up, text, payload, size, manners[kind].qos,
                               manners[kind].retained, token);
    if (error == SERIN_OK) {
        gateway->meta.uplink_sent += size;
        gateway->meta.uplink_messages += kind != SERIN_TOPIC_GW_GET;
        gateway_meta_changed(gateway);
    }
    return error;
}

enum serin_error gateway_publish_site(struct gateway *gateway, const struct serin_topic *topic,
                                      const void *payload, size_t size)
{
    char text[SERIN_TOPIC_MAX];
    serin_topic_format(topic, text);
    return serin_mqtt_publish(gateway->site, text, payload, size, manners[topic->kind].qos,
                              manners[topic->kind].retained, NULL);
}

void gateway_follow_node(struct gateway *gateway, const char *node)
{
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(SERIN_TOPIC_DEV_DIRECTIVE, node, topic);
    enum serin_error error = serin_mqtt_follow(gateway->up, topic, 1);
    if (error != SERIN_OK) {
        serin_log(SERIN_LOG_WARN, "the directives of a node are not followed node=%s: %s", node,
                  serin_error_text(error));
    }
}

void gateway_forget_node(struct gateway *gateway, const char *node)
{
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(SERIN_TOPIC_DEV_DIRECTIVE, node, topic);
    serin_mqtt_unfollow(gateway->up, topic);
    gateway_orders_forget(gateway, node);
}

/* ---- in ---- */

static void up_message(struct gateway *gateway, const struct serin_topic *topic,
                       const struct serin_mqtt_event *event)
{
    switch ((int)topic->kind) {
    case SERIN_TOPIC_DIRECTIVE:
    case SERIN_TOPIC_DEV_DIRECTIVE:
    case SERIN_TOPIC_TRUST:
        gateway_orders_message(gateway, topic, event->payload, event->payload_size);
        break;
    case SERIN_TOPIC_GW_BLOCK:
        gateway_bytes_block(gateway, event->payload, event->payload_size);
        break;
    case SERIN_TOPIC_GW_ACKS:
        gateway_words_acks(gateway, event->payload, event->payload_size);
        break;
    default:
        break;
    }
}

static void site_message(struct gateway *gateway, const struct serin_topic *topic,
                         const struct serin_mqtt_event *event)
{
    switch ((int)topic->kind) {
    case SERIN_TOPIC_DEV_REPORT:
    case SERIN_TOPIC_DEV_BEAT:
    case SERIN_TOPIC_PRESENCE:
        gateway_words_node(gateway, topic, event->payload, event->payload_size);
        break;
    case SERIN_TOPIC_DEPOT_WANT:
        gateway_bytes_want(gateway, event->payload, event->payload_size);
        break;
    case SERIN_TOPIC_DIRECTIVE:
    case SERIN_TOPIC_DEV_DIRECTIVE:
    case SERIN_TOPIC_TRUST:
        gateway_orders_site_message(gateway, topic, event->payload, event->payload_size);
        break;
    default:
        break;
    }
}

static void up_turned(struct gateway *gateway, bool connected)
{
    gateway->up_connected = connected;
    gateway_words_up(gateway, connected);
    gateway_bytes_up(gateway, connected);
}

/* Orders first: what the holds and the announcements are about. */
static void site_turned(struct gateway *gateway, bool connected)
{
    gateway->site_connected = connected;
    if (connected) {
        gateway_orders_site_connected(gateway);
        gateway_words_site_connected(gateway);
        gateway_bytes_site_connected(gateway);
    }
}

/* One end of the gateway. */
struct end {
    const char *name;
    bool (*connected)(const struct gateway *gateway);
    struct away *(*away)(const struct gateway *gateway);
    void (*turned)(struct gateway *gateway, bool connected);
    void (*message)(struct gateway *gateway, const struct serin_topic *topic,
                    const struct serin_mqtt_event *event);
};

static bool up_connected(const struct gateway *gateway)
{
    return gateway->up_connected;
}

static bool site_connected(const struct gateway *gateway)
{
    return gateway->site_connected;
}

static struct away *up_away(const struct gateway *gateway)
{
    return &gateway->links->up_away;
}

static struct away *site_away(const struct gateway *gateway)
{
    return &gateway->links->site_away;
}

static const struct end up_end = {"uplink", up_connected, up_away, up_turned, up_message};
static const struct end site_end = {"site", site_connected, site_away, site_turned, site_message};

/* An outage is one line, and one more for another reason, however often it is tried to end it. What
 * never connected is an outage from the start. */
static void away_note(struct gateway *gateway, const struct end *end, const char *why)
{
    struct away *away = end->away(gateway);
    if (end->connected(gateway)) {
        *away = (struct away){.since_ms = gateway->mono_ms};
    }
    (void)snprintf(away->why, sizeof away->why, "%s", why[0] != '\0' ? why : "no reason is known");
    bool news = away->said[0] == '\0' ||
                (strcmp(away->why, away->said) != 0 && gateway->mono_ms - away->said_ms >= SAY_MS);
    serin_log(news ? SERIN_LOG_WARN : SERIN_LOG_DEBUG, "not connected broker=%s: %s", end->name,
              away->why);
    if (news) {
        memcpy(away->said, away->why, sizeof away->said);
        away->said_ms = gateway->mono_ms;
    }
}

bool gateway_links_outage(const struct gateway *gateway, bool site, struct gateway_outage *outage)
{
    const struct end *end = site ? &site_end : &up_end;
    const struct away *away = end->away(gateway);
    *outage = (struct gateway_outage){away->since_ms, away->why};
    return !end->connected(gateway);
}

static void turned(struct gateway *gateway, const struct end *end,
                   const struct serin_mqtt_event *event)
{
    bool connected = event->kind == SERIN_MQTT_CONNECTED;
    bool before = end->connected(gateway);
    if (connected) {
        serin_log(SERIN_LOG_INFO, "connected broker=%s", end->name);
    } else {
        away_note(gateway, end, event->why);
    }
    if (connected != before || connected) {
        end->turned(gateway, connected);
    }
}

static void event_take(struct gateway *gateway, const struct end *end,
                       const struct serin_mqtt_event *event)
{
    struct serin_topic topic;
    switch (event->kind) {
    case SERIN_MQTT_CONNECTED:
    case SERIN_MQTT_DISCONNECTED:
        turned(gateway, end, event);
        break;
    case SERIN_MQTT_MESSAGE:
        if (end == &up_end) {
            gateway->meta.uplink_got += event->payload_size;
            gateway_meta_changed(gateway);
        }
        if (serin_topic_parse(event->topic, &topic) == SERIN_OK) {
            end->message(gateway, &topic, event);
        }
        break;
    case SERIN_MQTT_DELIVERED:
        if (end == &up_end) {
            gateway_words_delivered(gateway, event->token);
        }
        break;
    case SERIN_MQTT_REFUSED:
        serin_log(SERIN_LOG_WARN, "not granted broker=%s topic=%s", end->name, event->topic);
        break;
    default:
        break;
    }
}

/* True: it stopped at its share of the turn. */
static bool drain(struct gateway *gateway, struct serin_mqtt *mqtt, const struct end *end)
{
    struct serin_mqtt_event event;
    for (size_t i = 0; i < DRAIN_MAX; i++) {
        if (!serin_mqtt_next(mqtt, &event)) {
            return false;
        }
        event_take(gateway, end, &event);
        serin_mqtt_event_free(&event);
    }
    return true;
}

static void drops_log(const struct serin_mqtt *mqtt, const struct end *end, uint64_t *logged)
{
    uint64_t dropped = serin_mqtt_dropped(mqtt);
    if (dropped != *logged) {
        serin_log(SERIN_LOG_WARN, "messages came faster than they were taken broker=%s lost=%llu",
                  end->name, (unsigned long long)(dropped - *logged));
        *logged = dropped;
    }
}

bool gateway_links_drain(struct gateway *gateway)
{
    bool more = drain(gateway, gateway->up, &up_end);
    more = drain(gateway, gateway->site, &site_end) || more;
    drops_log(gateway->up, &up_end, &gateway->links->up_dropped);
    drops_log(gateway->site, &site_end, &gateway->links->site_dropped);
    return more;
}

/* ---- opening ---- */

static enum serin_error client_open(struct gateway *gateway, struct serin_mqtt **mqtt,
                                    const char *field, const struct serin_gateway_broker *broker,
                                    bool clean, size_t queue_max)
{
    const struct serin_mqtt_config config = {
        .uri = broker->uri,
        .client_id = gateway->config->id,
        .ca_file = broker->ca,
        .cert_file = broker->certificate,
        .key_file = broker->key,
        .keep_alive_s = KEEP_ALIVE_S,
        .reconnect_min_ms = broker->reconnect_min_ms,
        .reconnect_max_ms = broker->reconnect_max_ms,
        .clean_session = clean,
        .queue_max = queue_max,
    };
    enum serin_error error = serin_mqtt_open(mqtt, &config);
    if (error == SERIN_ERR_CONFIG) {
        return gateway_fail(gateway, error,
                            "%s: the uri, or the file of ca, certificate or key, cannot be used",
                            field);
    }
    return error == SERIN_OK
               ? error
               : gateway_fail(gateway, error, "%s: %s", field, serin_error_text(error));
}

/* Trust records before directives, since these are verified with them. */
static enum serin_error up_subscribe(const struct gateway *gateway)
{
    const struct serin_gateway_config *config = gateway->config;
    struct serin_topic own = {.kind = SERIN_TOPIC_GW_ACKS};
    char topic[SERIN_TOPIC_MAX];
    enum serin_error error = serin_text_copy(own.id, sizeof own.id, config->id);
    for (size_t i = 0; error == SERIN_OK && i < config->fleet_count; i++) {
        size_t first = 0;
        while (strcmp(config->fleets[first].product, config->fleets[i].product) != 0) {
            first++;
        }
        if (first == i) {
            serin_topic_trust(config->fleets[i].product, topic);
            error = serin_mqtt_subscribe(gateway->up, topic, 1);
        }
    }
    for (size_t i = 0; error == SERIN_OK && i < config->fleet_count; i++) {
        serin_topic_directive(config->fleets[i].product, config->fleets[i].channel, topic);
        error = serin_mqtt_subscribe(gateway->up, topic, 1);
    }
    if (error == SERIN_OK) {
        serin_topic_format(&own, topic);
        error = serin_mqtt_subscribe(gateway->up, topic, 1);
    }
    if (error == SERIN_OK) {
        own.kind = SERIN_TOPIC_GW_BLOCK;
        serin_topic_format(&own, topic);
        error = serin_mqtt_subscribe(gateway->up, topic, 0);
    }
    return error;
}

static enum serin_error site_subscribe(const struct gateway *gateway)
{
    static const struct {
        const char *filter;
        int qos;
    } filters[] = {
        {"serin/1/dev/+/report", 1},
        {"serin/1/dev/+/beat", 0},
        {"serin/1/presence/+", 1},
        {"serin/1/depot/want", 0},
        /* What nodes can read, to see that it is what was published. */
        {"serin/1/directive/+/+", 1},
        {"serin/1/dev/+/directive", 1},
        {"serin/1/trust/+", 1},
    };
    enum serin_error error = SERIN_OK;
    for (size_t i = 0; error == SERIN_OK && i < sizeof filters / sizeof filters[0]; i++) {
        error = serin_mqtt_subscribe(gateway->site, filters[i].filter, filters[i].qos);
    }
    return error;
}

enum serin_error gateway_links_open(struct gateway *gateway)
{
    const struct serin_gateway_config *config = gateway->config;
    gateway->links = calloc(1, sizeof *gateway->links);
    if (gateway->links == NULL) {
        return gateway_fail(gateway, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    gateway->links->up_away.since_ms = gateway->mono_ms;
    gateway->links->site_away.since_ms = gateway->mono_ms;
    enum serin_error error =
        client_open(gateway, &gateway->up, "uplink", &config->uplink, true, UP_QUEUE_MAX);
    if (error == SERIN_OK) {
        error = client_open(gateway, &gateway->site, "site", &config->site, false,
                            SITE_QUEUE(config->nodes_max));
    }
    if (error != SERIN_OK) {
        return error;
    }
    error = up_subscribe(gateway);
    if (error == SERIN_OK) {
        error = site_subscribe(gateway);
    }
    return error == SERIN_OK ? error
                             : gateway_fail(gateway, error, "the subscriptions cannot be made: %s",
                                            serin_error_text(error));
}

enum serin_error gateway_links_start(struct gateway *gateway)
{
    enum serin_error error = serin_mqtt_start(gateway->site);
    if (error == SERIN_OK) {
        error = serin_mqtt_start(gateway->up);
    }
    return error == SERIN_OK ? error
                             : gateway_fail(gateway, error, "the connections cannot be begun: %s",
                                            serin_error_text(error));
}

void gateway_links_close(struct gateway *gateway)
{
    serin_mqtt_close(gateway->up);
    serin_mqtt_close(gateway->site);
    free(gateway->links);
    gateway->up = NULL;
    gateway->site = NULL;
    gateway->links = NULL;
}

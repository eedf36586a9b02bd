/*
 * The agent on the boards' MQTT client (serin/ports/agent_link.h).
 */
#include <serin/ports/agent_link.h>

#include <serin/assert.h>

#include <string.h>

#define TICK_MS 100u

enum link_state {
    LINK_NONE,    /* of a transition that does not exist */
    LINK_WAITING, /* for the time to connect */
    LINK_CONNECTING,
    LINK_ASKING, /* connected; not all subscriptions are queued */
    LINK_READY,  /* and the agent knows it */
    LINK_STATES
};

enum link_happening { LINK_OPENED, LINK_ACCEPTED, LINK_ASKED, LINK_GONE, LINK_HAPPENINGS };

static const uint8_t transitions[LINK_STATES][LINK_HAPPENINGS] = {
    [LINK_WAITING] = {[LINK_OPENED] = LINK_CONNECTING},
    [LINK_CONNECTING] = {[LINK_ACCEPTED] = LINK_ASKING, [LINK_GONE] = LINK_WAITING},
    [LINK_ASKING] = {[LINK_ASKED] = LINK_READY, [LINK_GONE] = LINK_WAITING},
    [LINK_READY] = {[LINK_GONE] = LINK_WAITING},
};

static void change(struct serin_agent_link *link, enum link_happening what)
{
    uint8_t next = transitions[link->state][what];
    SERIN_ASSERT(next != LINK_NONE);
    link->state = next;
}

/* ---- the link port ---- */

static enum serin_error publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                size_t size)
{
    struct serin_agent_link *link = ctx;
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(kind, link->config.device_id, topic);
    int qos = kind == SERIN_TOPIC_DEV_REPORT ? 1 : 0;
    enum serin_error error =
        serin_mqtt_client_publish(link->config.client, topic, qos, false, payload, size, NULL);
    return error == SERIN_OK ? SERIN_OK : SERIN_ERR_AGAIN;
}

const struct serin_link_ops serin_agent_link_ops = {.publish = publish};

/* ---- when to connect ---- */

/* A time between `least` and the limit. Without a random number it is the limit: a device that
 * cannot draw one waits longest. */
static uint32_t jitter(const struct serin_agent_link *link, uint32_t least)
{
    const struct serin_crypto *crypto = link->config.crypto;
    uint8_t bytes[4];
    uint32_t span = link->limit_ms - least;
    if (crypto->ops->random(crypto->ctx, bytes, sizeof bytes) != SERIN_OK) {
        return link->limit_ms;
    }
    return least + (uint32_t)((uint64_t)serin_get_le32(bytes) * span >> 32);
}

static void put_off(struct serin_agent_link *link, uint64_t now_ms)
{
    const struct serin_agent_link_config *config = &link->config;
    bool more = link->limit_ms <= config->retry_max_ms / 2;
    link->limit_ms = more ? link->limit_ms * 2 : config->retry_max_ms;
    link->due_ms = now_ms + jitter(link, config->retry_min_ms);
}

enum serin_error serin_agent_link_init(struct serin_agent_link *link,
                                       const struct serin_agent_link_config *config,
                                       uint64_t now_ms)
{
    if (config->client == NULL || config->agent == NULL || config->crypto == NULL ||
        config->device_id == NULL ||
        !serin_id_valid(config->device_id, strlen(config->device_id)) ||
        config->client->config.outbox_size < SERIN_AGENT_LINK_OUTBOX_MIN ||
        config->retry_min_ms < 1 || config->retry_min_ms > config->retry_max_ms) {
        return SERIN_ERR_CONFIG;
    }
    memset(link, 0, sizeof *link);
    link->config = *config;
    link->state = LINK_WAITING;
    link->limit_ms = config->retry_min_ms;
    link->due_ms = now_ms + jitter(link, 0);
    link->ticked_ms = now_ms;
    return SERIN_OK;
}

static void connect_when_due(struct serin_agent_link *link, uint64_t now_ms)
{
    if (link->state != LINK_WAITING || now_ms < link->due_ms) {
        return;
    }
    if (serin_mqtt_client_connect(link->config.client, now_ms) == SERIN_OK) {
        change(link, LINK_OPENED);
    } else {
        put_off(link, now_ms);
    }
}

/* ---- what the client tells ---- */

static void step_agent(struct serin_agent_link *link, uint64_t now_ms,
                       const struct serin_agent_event *event)
{
    /* What the agent refuses it tells its server itself. */
    (void)serin_agent_step(link->config.agent, now_ms, event);
    link->ticked_ms = now_ms;
}

static void lost(struct serin_agent_link *link, uint64_t now_ms)
{
    const struct serin_agent_event event = {.kind = SERIN_AGENT_DISCONNECTED};
    bool known = link->state == LINK_READY;
    change(link, LINK_GONE);
    put_off(link, now_ms);
    if (known) {
        step_agent(link, now_ms, &event);
    }
}

/* Queues what subscriptions there is room for; the agent is told once all are. */
static void ask(struct serin_agent_link *link, uint64_t now_ms)
{
    const struct serin_agent_event event = {.kind = SERIN_AGENT_CONNECTED};
    char filter[SERIN_TOPIC_MAX];
    int qos = 0;
    while (serin_agent_subscription(link->config.agent, link->asked, filter, &qos)) {
        if (serin_mqtt_client_subscribe(link->config.client, filter, qos, NULL) != SERIN_OK) {
            return; /* later */
        }
        link->asked++;
    }
    change(link, LINK_ASKED);
    step_agent(link, now_ms, &event);
}

/* Hands a message to the agent where it is one of Serin's for this device. */
static void hear(struct serin_agent_link *link, uint64_t now_ms,
                 const struct serin_mqtt_client_event *message)
{
    struct serin_topic topic;
    if (serin_topic_parse(message->topic, &topic) != SERIN_OK ||
        (topic.id[0] != '\0' && strcmp(topic.id, link->config.device_id) != 0)) {
        return;
    }
    const struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                            .topic = topic.kind,
                                            .retained = message->retained,
                                            .payload = message->payload,
                                            .payload_size = message->size};
    step_agent(link, now_ms, &event);
}

/* A broker that refuses what the agent must hear is as good as none. */
static void take_answer(struct serin_agent_link *link, uint64_t now_ms,
                        const struct serin_mqtt_client_event *event)
{
    if (event->error != SERIN_OK && link->state != LINK_WAITING) {
        link->refused++;
        serin_mqtt_client_close(link->config.client);
        lost(link, now_ms);
    }
}

static void take_event(struct serin_agent_link *link, uint64_t now_ms,
                       const struct serin_mqtt_client_event *event)
{
    switch (event->kind) {
    case SERIN_MQTT_CONNECTED:
        change(link, LINK_ACCEPTED);
        link->asked = 0;
        link->limit_ms = link->config.retry_min_ms;
        break;
    case SERIN_MQTT_LOST:
        lost(link, now_ms);
        break;
    case SERIN_MQTT_MESSAGE:
        hear(link, now_ms, event);
        break;
    case SERIN_MQTT_SUBSCRIBED:
        take_answer(link, now_ms, event);
        break;
    case SERIN_MQTT_NOTHING:
    case SERIN_MQTT_PUBLISHED:
    default:
        break;
    }
}

enum serin_mqtt_event_kind serin_agent_link_step(struct serin_agent_link *link, uint64_t now_ms,
                                                 struct serin_mqtt_client_event *event)
{
    const struct serin_agent_event tick = {.kind = SERIN_AGENT_TICK};
    connect_when_due(link, now_ms);
    serin_mqtt_client_step(link->config.client, now_ms, event);
    take_event(link, now_ms, event);
    if (link->state == LINK_ASKING) {
        ask(link, now_ms);
    }
    if (now_ms - link->ticked_ms >= TICK_MS ||
        now_ms >= serin_agent_deadline_ms(link->config.agent)) {
        step_agent(link, now_ms, &tick);
    }
    return event->kind;
}

uint64_t serin_agent_link_deadline_ms(const struct serin_agent_link *link)
{
    uint64_t agent_ms = serin_agent_deadline_ms(link->config.agent);
    uint64_t link_ms = link->state == LINK_WAITING
                           ? link->due_ms
                           : serin_mqtt_client_deadline_ms(link->config.client);
    return agent_ms < link_ms ? agent_ms : link_ms;
}

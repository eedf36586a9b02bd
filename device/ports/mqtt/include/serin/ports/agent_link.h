/*
 * The agent on the boards' MQTT client: its link port (serin/device/agent.h), its subscriptions,
 * and when to connect again. What every board with an agent would write, and none has to.
 *
 *   serin_agent_link_init     before serin_agent_init, whose configuration names
 * serin_agent_link_ops serin_agent_link_step     in every turn of the main loop, in place of the
 * client's and the agent's
 *
 * After a lost connection, and at the start, it waits for a random time (full jitter), whose limit
 * doubles with each failure: a site whose power comes back does not come back as one. No heap, no
 * clock; one thread.
 */
#ifndef SERIN_PORTS_AGENT_LINK_H
#define SERIN_PORTS_AGENT_LINK_H

#include <serin/device/agent.h>
#include <serin/ports/mqtt.h>

/* Of the client: its largest publish is a report. */
#define SERIN_AGENT_LINK_OUTBOX_MIN (SERIN_REPORT_MAX + SERIN_TOPIC_MAX + 16u)

/* What it points to must outlive the link, and stay as it is. */
struct serin_agent_link_config {
    /* Initialised, with an outbox of SERIN_AGENT_LINK_OUTBOX_MIN at least. Its inbox holds a block
     * with 128 bytes around it, or a trust record's payload (2048 bytes are enough for most), and a
     * topic: a message that does not fit is skipped, and never reaches the agent. */
    struct serin_mqtt_client *client;
    struct serin_agent *agent; /* initialised by the first step */
    const struct serin_crypto *crypto;
    const char *device_id;               /* of the agent's identity */
    uint32_t retry_min_ms, retry_max_ms; /* 1 ≤ min ≤ max */
};

struct serin_agent_link {
    struct serin_agent_link_config config;
    uint8_t state;
    uint32_t limit_ms; /* of the next wait */
    size_t asked;      /* subscriptions of this connection */
    uint64_t due_ms;   /* of the next connection */
    uint64_t ticked_ms;
    uint32_t refused; /* subscriptions */
};

/* The agent's link port; its ctx is the link. SERIN_ERR_AGAIN while there is no room, nor, before
 * all is subscribed to, a connection. */
extern const struct serin_link_ops serin_agent_link_ops;

/* SERIN_ERR_CONFIG: something is missing, or a value out of its range. The first connection begins
 * within retry_min_ms after `now_ms`. */
SERIN_MUST_USE enum serin_error serin_agent_link_init(struct serin_agent_link *link,
                                                      const struct serin_agent_link_config *config,
                                                      uint64_t now_ms);

/* Connects where it is time, steps the client, and the agent: with what came for it, or by a TICK
 * when that is due, and ten times a second at most. Returns what the client told, for the
 * application's own messages and for its log; the agent has had its part by then. */
enum serin_mqtt_event_kind serin_agent_link_step(struct serin_agent_link *link, uint64_t now_ms,
                                                 struct serin_mqtt_client_event *event);

/* When the next step is due though no byte comes, in ms since boot. */
uint64_t serin_agent_link_deadline_ms(const struct serin_agent_link *link);

#endif

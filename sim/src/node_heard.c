/*
 * What a device can know: kept beside its agent, from the same messages, so that the judges need
 * not believe what the agent says of itself.
 */
#include "seat.h"

#include <string.h>

/* The time by all that the device has: its clock, else signed time and its uptime since. */
static uint64_t time_s(const struct sim *sim, const struct sim_node *node)
{
    if (node->clock) {
        return sim_unix_s(sim);
    }
    return node->time_s + (sim->now_ms - node->time_ms) / 1000u;
}

/* What is in force: its own directive's word, or the channel's; never longer than `hold` allows. */
static void combine(struct sim_node *node)
{
    bool held = node->heard.held;
    node->heard = node->of[node->targeted ? SERIN_AGENT_OWN : SERIN_AGENT_CHANNEL];
    node->heard.held = held;
    if (node->hold_end_ms < node->heard.lease_end_ms) {
        node->heard.lease_end_ms = node->hold_end_ms;
    }
}

void sim_heard_reset(struct sim *sim, struct sim_node *node)
{
    for (size_t i = 0; i < SERIN_AGENT_SOURCES; i++) {
        node->of[i].any = false;
        node->of[i].lease_end_ms = 0;
    }
    node->time_ms = sim->now_ms; /* uptime begins anew; what was signed is on record */
    node->hold_end_ms = SIM_NEVER_MS;
    node->heard.held = false;
    combine(node);
}

static void hear_hold(struct sim *sim, struct sim_node *node, const uint8_t *payload, size_t size)
{
    struct serin_hold hold;
    if (size == 0) {
        node->heard.held = false;
        node->hold_end_ms = SIM_NEVER_MS;
    } else if (sim->codec->decode_hold(payload, size, &hold) == SERIN_OK) {
        node->heard.held = hold.held;
        node->hold_end_ms = sim->now_ms + (uint64_t)hold.lease_left_s * 1000u;
    }
    combine(node);
}

/* Without a clock only what is new since the boot proves that a lease runs. */
static uint64_t lease_end_ms(const struct sim *sim, const struct sim_node *node, bool fresh,
                             const struct serin_directive *directive)
{
    uint64_t end_s = directive->issued_s + directive->lease_s;
    uint64_t now_s = time_s(sim, node);
    bool runs = (node->clock || fresh) && now_s < end_s;
    return runs ? sim->now_ms + (end_s - now_s) * 1000u : 0;
}

static void hear_directive(struct sim *sim, struct sim_node *node, enum serin_agent_source source,
                           const struct serin_directive *directive)
{
    struct sim_heard *heard = &node->of[source];
    int newer = serin_order_compare(directive->order, heard->order);
    if (newer < 0) {
        return;
    }
    bool fresh = newer > 0 || (heard->any && heard->lease_end_ms > 0);
    if (directive->issued_s > time_s(sim, node)) {
        node->time_s = directive->issued_s;
        node->time_ms = sim->now_ms;
    }
    heard->any = true;
    heard->order = directive->order;
    heard->candidate_state = directive->candidate_state;
    heard->lease_end_ms = lease_end_ms(sim, node, fresh, directive);
    memset(heard->candidate, 0, sizeof heard->candidate);
    const struct serin_offer *offer = serin_release_offer(&directive->candidate, node->hardware);
    if (offer != NULL) {
        memcpy(heard->candidate, offer->manifest_id, sizeof heard->candidate);
    }
    if (source == SERIN_AGENT_OWN) {
        node->targeted = directive->stable.offer_count > 0 || directive->candidate.offer_count > 0;
    }
    combine(node);
}

/* What was damaged under way is known to nobody. */
static bool sound(struct sim *sim, const uint8_t *payload, size_t size)
{
    struct serin_directive directive;
    return sim->config->scenario.corrupt == 0 ||
           serin_directive_open(sim->crypto, sim->codec, &sim->trust, payload, size, &directive) ==
               SERIN_OK;
}

void sim_heard_message(struct sim *sim, struct sim_node *node, struct sim_topic topic,
                       const uint8_t *payload, size_t size)
{
    struct serin_envelope envelope;
    struct serin_directive directive;
    if (topic.kind == SERIN_TOPIC_HOLD) {
        hear_hold(sim, node, payload, size);
        return;
    }
    enum serin_agent_source source =
        topic.kind == SERIN_TOPIC_DEV_DIRECTIVE ? SERIN_AGENT_OWN : SERIN_AGENT_CHANNEL;
    if ((topic.kind == SERIN_TOPIC_DIRECTIVE || topic.kind == SERIN_TOPIC_DEV_DIRECTIVE) &&
        sound(sim, payload, size) &&
        sim->codec->decode_envelope(payload, size, &envelope) == SERIN_OK &&
        sim->codec->decode_directive(envelope.body, envelope.body_size, &directive) == SERIN_OK) {
        hear_directive(sim, node, source, &directive);
    }
}

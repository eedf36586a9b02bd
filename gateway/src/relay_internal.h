/* What the files of the relay share. */
#ifndef SERIN_GATEWAY_RELAY_INTERNAL_H
#define SERIN_GATEWAY_RELAY_INTERNAL_H

#include <serin/assert.h>
#include <serin/gateway/relay.h>

/* The node at an index, which must be in use. */
static inline struct serin_relay_node *serin_relay_at(const struct serin_relay *relay,
                                                      uint32_t node)
{
    SERIN_ASSERT(node < relay->nodes_max && relay->nodes[node].id[0] != '\0');
    return &relay->nodes[node];
}

/* Nothing later than this may be slept over. */
static inline void serin_relay_wake(struct serin_relay *relay, uint64_t at_ms)
{
    if (at_ms < relay->wake_ms) {
        relay->wake_ms = at_ms;
    }
}

/* relay_queue.c: a beat or a presence of the node waits from now on, or none does any more. */
void serin_relay_ride(struct serin_relay *relay, uint32_t node);
void serin_relay_alight(struct serin_relay *relay, uint32_t node);
/* relay_queue.c: a report was handed to the broker. */
void serin_relay_report_left(struct serin_relay *relay, uint32_t node, uint64_t now_ms);

#endif

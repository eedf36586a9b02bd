/* The index of nodes (relay.h): by id, in memory of the caller. */
#include "relay_internal.h"

#include <serin/id.h>

#include <string.h>

/* FNV-1a: ids come from certificates that the site's operator signed, not from strangers. */
static uint32_t bucket_of(const struct serin_relay *relay, const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id != '\0'; id++) {
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    }
    return hash & (relay->bucket_count - 1u);
}

void serin_relay_init(struct serin_relay *relay, const struct serin_relay_config *config,
                      struct serin_relay_node *nodes, uint32_t nodes_max, uint32_t *buckets,
                      uint32_t bucket_count)
{
    SERIN_ASSERT(nodes_max >= 1 && nodes_max <= SERIN_RELAY_NODES_MAX);
    SERIN_ASSERT(bucket_count >= 1 && (bucket_count & (bucket_count - 1u)) == 0);
    memset(relay, 0, sizeof *relay);
    memset(nodes, 0, nodes_max * sizeof *nodes);
    relay->config = *config;
    relay->nodes = nodes;
    relay->nodes_max = nodes_max;
    relay->buckets = buckets;
    relay->bucket_count = bucket_count;
    relay->first = relay->last = SERIN_RELAY_NONE;
    relay->first_ride = relay->last_ride = SERIN_RELAY_NONE;
    relay->heard = true;
    for (uint32_t i = 0; i < bucket_count; i++) {
        buckets[i] = SERIN_RELAY_NONE;
    }
    for (uint32_t i = 0; i < nodes_max; i++) {
        nodes[i].chain = i + 1 < nodes_max ? i + 1 : SERIN_RELAY_NONE;
    }
}

uint32_t serin_relay_find(const struct serin_relay *relay, const char *id)
{
    uint32_t node = relay->buckets[bucket_of(relay, id)];
    while (node != SERIN_RELAY_NONE && strcmp(relay->nodes[node].id, id) != 0) {
        node = relay->nodes[node].chain;
    }
    return node;
}

uint32_t serin_relay_add(struct serin_relay *relay, const char *id)
{
    SERIN_ASSERT(serin_id_valid(id, strlen(id)));
    SERIN_ASSERT(serin_relay_find(relay, id) == SERIN_RELAY_NONE);
    uint32_t node = relay->free_head;
    if (node == SERIN_RELAY_NONE) {
        return SERIN_RELAY_NONE;
    }
    struct serin_relay_node *at = &relay->nodes[node];
    relay->free_head = at->chain;
    uint32_t *bucket = &relay->buckets[bucket_of(relay, id)];
    *at = (struct serin_relay_node){
        .chain = *bucket, .before = SERIN_RELAY_NONE, .after = SERIN_RELAY_NONE};
    memcpy(at->id, id, strlen(id) + 1);
    *bucket = node;
    relay->node_count++;
    return node;
}

/* Whether `a` was unseen for longer than `b`. */
static bool longer_unseen(const struct serin_relay_node *a, const struct serin_relay_node *b)
{
    return a->seen_ms != b->seen_ms ? a->seen_ms < b->seen_ms : a->seen_s < b->seen_s;
}

uint32_t serin_relay_victim(const struct serin_relay *relay)
{
    uint32_t found = SERIN_RELAY_NONE;
    for (uint32_t i = 0; i < relay->nodes_max; i++) {
        const struct serin_relay_node *node = &relay->nodes[i];
        if (node->id[0] == '\0' || node->online || node->keep || node->state != SERIN_RELAY_IDLE) {
            continue;
        }
        if (found == SERIN_RELAY_NONE || longer_unseen(node, &relay->nodes[found])) {
            found = i;
        }
    }
    return found;
}

void serin_relay_remove(struct serin_relay *relay, uint32_t node)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    SERIN_ASSERT(at->state == SERIN_RELAY_IDLE);
    uint32_t *link = &relay->buckets[bucket_of(relay, at->id)];
    while (*link != node) {
        SERIN_ASSERT(*link != SERIN_RELAY_NONE);
        link = &relay->nodes[*link].chain;
    }
    *link = at->chain;
    at->beat_due_ms = at->presence_due_ms = 0;
    serin_relay_alight(relay, node);
    relay->node_count--;
    relay->online_count -= at->online ? 1u : 0u;
    *at = (struct serin_relay_node){.chain = relay->free_head};
    relay->free_head = node;
}

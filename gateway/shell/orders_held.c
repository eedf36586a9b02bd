/* What is held of orders, in memory (orders_internal.h): a place a product, a row of topics. */
#include "orders_internal.h"

#include <stdlib.h>
#include <string.h>

struct orders_trust *orders_trust_find(struct gateway_orders *orders, const char *product)
{
    for (size_t i = 0; i < orders->trust_count; i++) {
        if (strcmp(orders->trusts[i].product, product) == 0) {
            return &orders->trusts[i];
        }
    }
    return NULL;
}

const struct serin_trust *gateway_orders_trust(const struct gateway *gateway, const char *product)
{
    const struct orders_trust *place = orders_trust_find(gateway->orders, product);
    return place != NULL && place->held ? &place->trust : NULL;
}

bool orders_fleet_ours(const struct gateway *gateway, const char *product, const char *channel)
{
    for (size_t i = 0; i < gateway->config->fleet_count; i++) {
        const struct serin_gateway_fleet *fleet = &gateway->config->fleets[i];
        if (strcmp(fleet->product, product) == 0 && strcmp(fleet->channel, channel) == 0) {
            return true;
        }
    }
    return false;
}

bool orders_find(const struct gateway_orders *orders, const char *topic, size_t *index)
{
    size_t low = 0;
    size_t high = orders->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int side = strcmp(orders->held[middle]->order.topic, topic);
        if (side == 0) {
            *index = middle;
            return true;
        }
        if (side < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = low;
    return false;
}

void gateway_orders_each(const struct gateway *gateway,
                         bool (*visit)(void *arg, const struct gateway_order *order), void *arg)
{
    const struct gateway_orders *orders = gateway->orders;
    for (size_t i = 0; i < orders->count && visit(arg, &orders->held[i]->order); i++) {
    }
}

bool orders_full(const struct gateway *gateway)
{
    return gateway->orders->count >= gateway->config->fleet_count + gateway->config->nodes_max;
}

/* A place for a topic that is not held yet, at its index. */
static enum serin_error held_insert(struct gateway *gateway, size_t index)
{
    struct gateway_orders *orders = gateway->orders;
    if (orders_full(gateway)) {
        return SERIN_ERR_BUSY;
    }
    if (orders->count == orders->capacity) {
        size_t capacity = orders->capacity > 0 ? orders->capacity * 2 : 16;
        struct orders_held **grown = realloc(orders->held, capacity * sizeof(struct orders_held *));
        if (grown == NULL) {
            return SERIN_ERR_MEMORY;
        }
        orders->held = grown;
        orders->capacity = capacity;
    }
    struct orders_held *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    memmove(orders->held + index + 1, orders->held + index,
            (orders->count - index) * sizeof(struct orders_held *));
    orders->held[index] = made;
    orders->count++;
    return SERIN_OK;
}

enum serin_error orders_hold(struct gateway *gateway, const struct serin_order_record *record,
                             const struct serin_directive *directive)
{
    struct gateway_orders *orders = gateway->orders;
    size_t index = 0;
    enum serin_error error =
        orders_find(orders, record->topic, &index) ? SERIN_OK : held_insert(gateway, index);
    if (error == SERIN_OK) {
        struct orders_held *held = orders->held[index];
        error = serin_text_copy(held->order.topic, sizeof held->order.topic, record->topic);
        held->order.directive = *directive;
        held->order.taken_ms = record->taken_at_ms;
        held->order.this_boot =
            serin_bytes_equal(record->boot_id, gateway->boot_id, SERIN_BOOT_ID_SIZE);
        held->shown = held->seen = false;
        free(held->unsaved);
        held->unsaved = NULL;
        orders->to_show = true;
        orders->changed = true;
    }
    return error;
}

void gateway_orders_forget(struct gateway *gateway, const char *node)
{
    struct gateway_orders *orders = gateway->orders;
    char topic[SERIN_TOPIC_MAX];
    size_t index = 0;
    serin_topic_device(SERIN_TOPIC_DEV_DIRECTIVE, node, topic);
    if (orders_find(orders, topic, &index)) {
        free(orders->held[index]->unsaved);
        free(orders->held[index]);
        orders->count--;
        memmove(orders->held + index, orders->held + index + 1,
                (orders->count - index) * sizeof(struct orders_held *));
        orders->changed = true;
    }
}

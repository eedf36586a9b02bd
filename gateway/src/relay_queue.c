/* The queue of reports (relay.h): what a node's report has come to, and its place. */
#include "relay_internal.h"

static const struct {
    bool allowed;
    enum serin_relay_state next;
} transitions[SERIN_RELAY_STATE_COUNT][SERIN_RELAY_EVENT_COUNT] = {
    [SERIN_RELAY_IDLE] = {[SERIN_RELAY_HEARD] = {true, SERIN_RELAY_FRESH}},
    [SERIN_RELAY_FRESH] = {[SERIN_RELAY_HEARD] = {true, SERIN_RELAY_FRESH},
                           [SERIN_RELAY_STORED] = {true, SERIN_RELAY_DUE},
                           [SERIN_RELAY_ACKED] = {true, SERIN_RELAY_IDLE}},
    [SERIN_RELAY_DUE] = {[SERIN_RELAY_HEARD] = {true, SERIN_RELAY_FRESH},
                         [SERIN_RELAY_LEFT] = {true, SERIN_RELAY_SENT},
                         [SERIN_RELAY_LOST] = {true, SERIN_RELAY_DUE},
                         [SERIN_RELAY_ACKED] = {true, SERIN_RELAY_IDLE}},
    [SERIN_RELAY_SENT] = {[SERIN_RELAY_HEARD] = {true, SERIN_RELAY_FRESH},
                          [SERIN_RELAY_LEFT] = {true, SERIN_RELAY_SENT},
                          [SERIN_RELAY_LOST] = {true, SERIN_RELAY_DUE},
                          [SERIN_RELAY_ACKED] = {true, SERIN_RELAY_IDLE}},
};

bool serin_relay_next(enum serin_relay_state state, enum serin_relay_event event,
                      enum serin_relay_state *next)
{
    SERIN_ASSERT((unsigned)state < SERIN_RELAY_STATE_COUNT &&
                 (unsigned)event < SERIN_RELAY_EVENT_COUNT);
    *next = transitions[state][event].next;
    return transitions[state][event].allowed;
}

/* ---- places ---- */

/* Puts a node into the queue by its number: at the end, or before what came later. */
static void enqueue(struct serin_relay *relay, uint32_t node, uint64_t queue_number)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    uint32_t before = relay->last;
    while (before != SERIN_RELAY_NONE && relay->nodes[before].queue_number > queue_number) {
        before = relay->nodes[before].before;
    }
    uint32_t after = before != SERIN_RELAY_NONE ? relay->nodes[before].after : relay->first;
    at->queue_number = queue_number;
    at->before = before;
    at->after = after;
    *(before != SERIN_RELAY_NONE ? &relay->nodes[before].after : &relay->first) = node;
    *(after != SERIN_RELAY_NONE ? &relay->nodes[after].before : &relay->last) = node;
    relay->queued++;
}

static void dequeue(struct serin_relay *relay, struct serin_relay_node *at)
{
    *(at->before != SERIN_RELAY_NONE ? &relay->nodes[at->before].after : &relay->first) = at->after;
    *(at->after != SERIN_RELAY_NONE ? &relay->nodes[at->after].before : &relay->last) = at->before;
    at->before = at->after = SERIN_RELAY_NONE;
    at->queue_number = 0;
    at->waited_ms = 0;
    relay->queued--;
}

void serin_relay_ride(struct serin_relay *relay, uint32_t node)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    if (at->rides) {
        return;
    }
    at->rides = true;
    at->ride_before = relay->last_ride;
    at->ride_after = SERIN_RELAY_NONE;
    *(at->ride_before != SERIN_RELAY_NONE ? &relay->nodes[at->ride_before].ride_after
                                          : &relay->first_ride) = node;
    relay->last_ride = node;
}

void serin_relay_alight(struct serin_relay *relay, uint32_t node)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    if (!at->rides || at->beat_due_ms != 0 || at->presence_due_ms != 0) {
        return;
    }
    at->rides = false;
    *(at->ride_before != SERIN_RELAY_NONE ? &relay->nodes[at->ride_before].ride_after
                                          : &relay->first_ride) = at->ride_after;
    *(at->ride_after != SERIN_RELAY_NONE ? &relay->nodes[at->ride_after].ride_before
                                         : &relay->last_ride) = at->ride_before;
}

/* ---- the one place that changes a report's state ---- */

static bool enter(struct serin_relay *relay, struct serin_relay_node *at,
                  enum serin_relay_event event)
{
    enum serin_relay_state next = SERIN_RELAY_IDLE;
    if (!serin_relay_next(at->state, event, &next)) {
        return false;
    }
    if (at->state == SERIN_RELAY_DUE) {
        relay->due_count--;
        relay->due_bytes -= at->report_size;
    }
    at->state = next;
    if (next == SERIN_RELAY_DUE) {
        relay->due_count++;
        relay->due_bytes += at->report_size;
    }
    return true;
}

/* ---- events ---- */

enum serin_relay_verdict serin_relay_judge(const struct serin_relay_node *node,
                                           uint64_t incarnation, uint64_t number)
{
    if (node->incarnation == 0) {
        return SERIN_RELAY_NEWER;
    }
    if (node->incarnation != incarnation) {
        return SERIN_RELAY_REBORN;
    }
    if (number != node->number) {
        return number > node->number ? SERIN_RELAY_NEWER : SERIN_RELAY_OVERTAKEN;
    }
    return node->state == SERIN_RELAY_IDLE ? SERIN_RELAY_REPEATED : SERIN_RELAY_DUPLICATE;
}

static uint64_t delay_ms(const struct serin_relay *relay, enum serin_relay_class kind)
{
    static const uint32_t delays[] = {
        [SERIN_RELAY_URGENT] = 0,
        [SERIN_RELAY_FINAL] = 1,
        [SERIN_RELAY_STEP] = SERIN_RELAY_STEP_DELAYS,
    };
    SERIN_ASSERT(kind >= SERIN_RELAY_URGENT && kind <= SERIN_RELAY_STEP);
    return (uint64_t)delays[kind] * relay->config.batch_delay_ms;
}

void serin_relay_heard(struct serin_relay *relay, uint32_t node, uint64_t incarnation,
                       uint64_t number, uint32_t report_size, enum serin_relay_class kind,
                       uint64_t now_ms)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    enum serin_relay_state was = at->state;
    bool entered = enter(relay, at, SERIN_RELAY_HEARD);
    SERIN_ASSERT(entered);
    if (kind == SERIN_RELAY_URGENT && at->urgent_ms != 0 &&
        now_ms < at->urgent_ms + SERIN_RELAY_URGENT_MS) {
        kind = SERIN_RELAY_FINAL;
    }
    at->urgent_ms = kind == SERIN_RELAY_URGENT ? now_ms + 1 : at->urgent_ms;
    uint64_t due_ms = now_ms + delay_ms(relay, kind);
    if (was == SERIN_RELAY_IDLE) {
        at->queued_ms = now_ms;
        enqueue(relay, node, ++relay->queue_number);
    } else if ((was == SERIN_RELAY_FRESH || was == SERIN_RELAY_DUE) && at->due_ms < due_ms) {
        due_ms = at->due_ms; /* what waited already waits no longer for saying more */
    }
    at->acked_number = incarnation == at->incarnation ? at->acked_number : 0;
    at->incarnation = incarnation;
    at->number = number;
    at->report_size = report_size;
    at->due_ms = due_ms;
    at->urgent = kind == SERIN_RELAY_URGENT || (at->urgent && was != SERIN_RELAY_IDLE);
}

void serin_relay_stored(struct serin_relay *relay, uint32_t node)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    if (enter(relay, at, SERIN_RELAY_STORED)) {
        bool full = relay->due_count >= SERIN_RELAY_FULL_ITEMS ||
                    relay->due_bytes >= SERIN_RELAY_FULL_BYTES;
        serin_relay_wake(relay, full ? 0 : at->due_ms);
    }
}

void serin_relay_restore(struct serin_relay *relay, uint32_t node, uint64_t queue_number,
                         uint64_t waited_ms, uint32_t report_size, uint64_t now_ms)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    bool entered = enter(relay, at, SERIN_RELAY_HEARD);
    SERIN_ASSERT(entered && queue_number != 0 && at->queue_number == 0);
    at->report_size = report_size;
    at->queued_ms = now_ms;
    at->waited_ms = waited_ms;
    at->due_ms = now_ms;
    at->urgent = false;
    enqueue(relay, node, queue_number);
    if (queue_number > relay->queue_number) {
        relay->queue_number = queue_number;
    }
    serin_relay_stored(relay, node);
}

/* Beats and presence that may have gone down with the connection are told anew in time. */
static void tell_anew(struct serin_relay *relay, uint64_t now_ms)
{
    uint64_t due_ms = now_ms + (uint64_t)SERIN_RELAY_LAX_DELAYS * relay->config.batch_delay_ms;
    for (uint32_t i = 0; i < relay->nodes_max; i++) {
        struct serin_relay_node *at = &relay->nodes[i];
        if (at->id[0] != '\0' && at->presence_told) {
            at->presence_due_ms = at->presence_due_ms != 0 ? at->presence_due_ms : due_ms;
            serin_relay_ride(relay, i);
        }
        at->presence_told = at->beat_told = false;
    }
}

void serin_relay_link(struct serin_relay *relay, bool connected, uint64_t now_ms)
{
    if (relay->flights > 0) {
        tell_anew(relay, now_ms);
    }
    relay->connected = connected;
    relay->flights = 0; /* the connection's tokens went with it */
    relay->silence = 0;
    relay->heard = true;
    relay->pace_ms = 0;
    relay->wake_ms = 0;
    if (!connected) {
        return;
    }
    for (uint32_t node = relay->first; node != SERIN_RELAY_NONE; node = relay->nodes[node].after) {
        struct serin_relay_node *at = &relay->nodes[node];
        if (at->state == SERIN_RELAY_SENT && enter(relay, at, SERIN_RELAY_LOST)) {
            at->due_ms = now_ms;
        }
    }
}

/* A report that serind wants once more: at most one a second of a node. */
static void send_again(struct serin_relay *relay, struct serin_relay_node *at, uint64_t now_ms)
{
    if (at->state == SERIN_RELAY_SENT && enter(relay, at, SERIN_RELAY_LOST)) {
        uint64_t next_ms = at->sent_ms + 1000u;
        at->due_ms = next_ms > now_ms ? next_ms : now_ms;
        serin_relay_wake(relay, at->due_ms);
    } else if (at->state == SERIN_RELAY_DUE && at->due_ms > now_ms) {
        at->due_ms = now_ms; /* serind waits for it: it waits for no others */
        serin_relay_wake(relay, now_ms);
    }
}

bool serin_relay_ack(struct serin_relay *relay, uint32_t node, const struct serin_ack *ack,
                     uint64_t now_ms)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    relay->heard = true;
    relay->silence = 0;
    if (at->incarnation == 0 || ack->incarnation != at->incarnation) {
        return false; /* of an earlier life of the node, or false: the node judges it itself */
    }
    if (at->quiet_ms != 0) {
        at->quiet_ms = 0;
        relay->wake_ms = 0; /* it may be due since long */
    }
    if (ack->status == SERIN_ACK_STORED && ack->number >= at->number) {
        at->acked_number = at->number;
        if (enter(relay, at, SERIN_RELAY_ACKED)) {
            dequeue(relay, at);
            return true;
        }
    } else if (ack->status == SERIN_ACK_STORED && ack->number > at->acked_number) {
        at->acked_number = ack->number; /* of an earlier report: the present one still waits */
    } else if (ack->status == SERIN_ACK_RESEND) {
        send_again(relay, at, now_ms);
    } else if (ack->status == SERIN_ACK_REFUSED || ack->status == SERIN_ACK_PENDING) {
        at->quiet_ms = now_ms + (uint64_t)ack->retry_s * 1000u;
    }
    if (ack->status == SERIN_ACK_REFUSED && enter(relay, at, SERIN_RELAY_ACKED)) {
        dequeue(relay, at); /* its node keeps it; a node that moved away must not be spoken for */
        return true;
    }
    return false;
}

uint64_t serin_relay_oldest_ms(const struct serin_relay *relay, uint64_t now_ms)
{
    if (relay->first == SERIN_RELAY_NONE) {
        return 0;
    }
    const struct serin_relay_node *at = &relay->nodes[relay->first];
    return at->waited_ms + (now_ms > at->queued_ms ? now_ms - at->queued_ms : 0);
}

/* ---- what leaves (relay.c knows when) ---- */

void serin_relay_report_left(struct serin_relay *relay, uint32_t node, uint64_t now_ms)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    bool entered = enter(relay, at, SERIN_RELAY_LEFT);
    SERIN_ASSERT(entered);
    at->sent_ms = now_ms;
}

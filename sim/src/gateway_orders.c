/* Directives and trust at a simulated site, and what its nodes may start (gateway.h;
 * gateway/shell/orders.c and words_hold.c have the rules). */
#include "gateway.h"

#include <string.h>

/* ---- time and lease ---- */

static void step(struct sim_gateway *gateway, const struct serin_hold_event *event)
{
    serin_hold_step(&gateway->book, gateway_now_ms(gateway), event);
    if (event->kind == SERIN_HOLD_DIRECTIVE || event->kind == SERIN_HOLD_FAILURES) {
        gateway->failures = event->failures;
    }
    if (gateway->directive.held && gateway->sim->config->check) {
        struct serin_hold hold;
        serin_hold_value(&gateway->book, gateway_now_ms(gateway), 0, &hold);
        sim_check_site(gateway->sim, gateway->index, &gateway->directive.value, gateway->failures,
                       hold.held);
    }
}

static void tell_book(struct sim_gateway *gateway)
{
    const struct gateway_directive *held = &gateway->directive;
    if (held->held) {
        step(gateway, &(struct serin_hold_event){
                          .kind = SERIN_HOLD_DIRECTIVE,
                          .directive = &held->value,
                          .this_boot = held->this_boot,
                          .taken_ms = held->taken_ms,
                          .failures = gateway_failures(gateway, &held->value.candidate)});
    }
}

void gateway_orders_load(struct sim_gateway *gateway, bool same_boot)
{
    const struct serin_policy *policy = &gateway->sim->config->policy;
    const struct gateway_saved *saved = &gateway->saved;
    serin_hold_init(&gateway->book);
    enum serin_error error = serin_hold_serve(&gateway->book, policy->product, policy->channel);
    if (error != SERIN_OK) {
        sim_failed(gateway->sim, error);
        return;
    }
    serin_hold_heard(&gateway->book, saved->signed_s,
                     same_boot ? saved->signed_at_ms : gateway_now_ms(gateway));
    gateway->has_trust = saved->has_trust;
    if (!same_boot) {
        gateway->saved.directive.this_boot = false;
    }
    gateway->directive = gateway->saved.directive;
    gateway->taking.held = false;
    gateway->told = gateway->owed = false;
    gateway->failures = 0;
}

void gateway_orders_begin(struct sim_gateway *gateway)
{
    tell_book(gateway);
    gateway_fill_orders(gateway);
}

bool gateway_halted(const struct sim_gateway *gateway)
{
    return gateway->book.fleets[0].halted;
}

/* ---- from the cloud ---- */

static void take_trust(struct sim_gateway *gateway, const uint8_t *payload, size_t size)
{
    const struct sim *sim = gateway->sim;
    struct serin_trust_payload outer;
    struct serin_trust trust;
    if (gateway->has_trust || sim->codec->decode_trust_payload(payload, size, &outer) != SERIN_OK ||
        serin_trust_open(sim->crypto, sim->root_key, outer.record, outer.record_size, &trust) !=
            SERIN_OK) {
        return;
    }
    gateway->has_trust = gateway->saved.has_trust = true;
    gateway->owed = true;
    gateway_fill_orders(gateway);
}

/* Verified, and newer than what is held or on its way to the disk. */
static void take_directive(struct sim_gateway *gateway, const uint8_t *payload, size_t size)
{
    struct gateway_directive *taking = &gateway->taking;
    const struct gateway_directive *known = taking->held ? taking : &gateway->directive;
    struct serin_directive directive;
    if (size == 0 || size > SERIN_DIRECTIVE_MAX || !gateway->has_trust ||
        serin_directive_open(gateway->sim->crypto, gateway->sim->codec, &gateway->sim->trust,
                             payload, size, &directive) != SERIN_OK ||
        directive.device_id[0] != '\0') {
        return;
    }
    if (known->held && serin_order_compare(directive.order, known->value.order) <= 0) {
        return;
    }
    *taking = (struct gateway_directive){.held = true,
                                         .this_boot = true,
                                         .taken_ms = gateway_now_ms(gateway),
                                         .size = size,
                                         .value = directive};
    memcpy(taking->payload, payload, size);
    gateway_dirty(gateway);
}

void gateway_orders_message(struct sim_gateway *gateway, enum serin_topic_kind kind,
                            const uint8_t *payload, size_t size)
{
    if (kind == SERIN_TOPIC_TRUST) {
        take_trust(gateway, payload, size);
    } else if (kind == SERIN_TOPIC_DIRECTIVE) {
        take_directive(gateway, payload, size);
    }
}

void gateway_orders_commit(struct sim_gateway *gateway)
{
    if (!gateway->taking.held) {
        return;
    }
    gateway->saved.directive = gateway->directive = gateway->taking;
    gateway->taking.held = false;
    gateway->owed = true;
    tell_book(gateway);
    gateway->saved.signed_s = gateway->book.signed_s;
    gateway->saved.signed_at_ms = gateway->book.signed_at_ms;
    gateway_fill_orders(gateway);
}

void gateway_orders_recount(struct sim_gateway *gateway)
{
    bool was = gateway_halted(gateway);
    step(gateway, &(struct serin_hold_event){
                      .kind = SERIN_HOLD_FAILURES,
                      .fleet = 0,
                      .failures = gateway_failures(gateway, &gateway->book.fleets[0].candidate)});
    if (gateway_halted(gateway) && !was) {
        sim_note(gateway->sim, SIM_NOTE_GATEWAY, gateway->index, 2);
        gateway_fill_orders(gateway);
    }
}

/* ---- to the site ---- */

static void show(struct sim_gateway *gateway)
{
    const struct sim *sim = gateway->sim;
    const struct serin_trust_payload value = {.record = sim->trust_record,
                                              .record_size = sizeof sim->trust_record};
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
    size_t size = 0;
    gateway->owed = false;
    if (gateway->has_trust &&
        sim->codec->encode_trust_payload(&value, payload, sizeof payload, &size) == SERIN_OK &&
        !gateway->trust_shown) {
        gateway->trust_shown = true;
        gateway_publish(gateway, SIM_SITE, SERIN_TOPIC_TRUST, SIM_NOBODY, payload, size);
    }
    if (gateway->directive.held) {
        gateway_publish(gateway, SIM_SITE, SERIN_TOPIC_DIRECTIVE, SIM_NOBODY,
                        gateway->directive.payload, gateway->directive.size);
    }
}

/* What a node heard stays true while time passes, since it counts the lease down by itself: the
 * repetition of every minute is for those who connect, and they are told when they do. */
static bool has_news(const struct sim_gateway *gateway)
{
    return !gateway->told || gateway->told_state != gateway->book.products[0].state ||
           gateway->told_end_s != gateway->book.fleets[0].lease_end_s;
}

static size_t encode_hold(struct sim_gateway *gateway, uint8_t payload[SERIN_HOLD_MAX])
{
    struct serin_hold hold;
    size_t size = 0;
    serin_hold_value(&gateway->book, gateway_now_ms(gateway), 0, &hold);
    enum serin_error error =
        gateway->sim->codec->encode_hold(&hold, payload, SERIN_HOLD_MAX, &size);
    if (error != SERIN_OK) {
        sim_failed(gateway->sim, error);
    }
    return size;
}

static void tell_hold(struct sim_gateway *gateway)
{
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size = encode_hold(gateway, payload);
    serin_hold_told(&gateway->book, gateway_now_ms(gateway), 0);
    gateway->told = true;
    gateway->told_state = gateway->book.products[0].state;
    gateway->told_end_s = gateway->book.fleets[0].lease_end_s;
    gateway_publish(gateway, SIM_SITE, SERIN_TOPIC_HOLD, SIM_NOBODY, payload, size);
}

void gateway_orders_site(struct sim_gateway *gateway)
{
    gateway->owed = true;
    gateway->trust_shown = gateway->told = false;
    step(gateway, &(struct serin_hold_event){.kind = SERIN_HOLD_CONNECTED});
}

void gateway_orders_tick(struct sim_gateway *gateway)
{
    step(gateway, &(struct serin_hold_event){.kind = SERIN_HOLD_TIME});
    if (!gateway->linked[SIM_SITE]) {
        return;
    }
    if (gateway->owed) {
        show(gateway);
    }
    if (has_news(gateway)) {
        tell_hold(gateway);
    }
}

uint64_t gateway_orders_deadline_ms(const struct sim_gateway *gateway)
{
    const struct serin_hold_book *book = &gateway->book;
    const struct serin_hold_product *product = &book->products[0];
    if (gateway->linked[SIM_SITE] && (gateway->owed || has_news(gateway))) {
        return gateway_now_ms(gateway);
    }
    uint64_t end_s = book->fleets[0].lease_end_s;
    if (product->state == SERIN_HOLD_OPEN && end_s > book->signed_s) {
        return book->signed_at_ms + (end_s - book->signed_s) * 1000u;
    }
    return UINT64_MAX;
}

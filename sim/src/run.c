/* A run: the configuration, the world, the loop, the moments and the digest (sim.h). */
#include "flash.h"
#include "memo.h"
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_DEFAULT  8192u
#define IMAGE_LEAST    256u
#define IMAGE_MOST     (16u * 1024u * 1024u)
#define BEAT_DEFAULT_S 3600u
#define BEAT_MOST_S    604800u
#define LIMIT_DEFAULT  (UINT64_C(60) * 86400000u)
#define LOOK_MS        60000u
#define MESSAGE_HEAD   200u   /* of a payload: all of a beat, and the start of others */
#define PROGRESS_EVERY 32768u /* events: some ten milliseconds */
/* So many events may stand in one millisecond: what is due at once, and what follows from it. */
#define AT_ONCE_LEAST  UINT64_C(1000000)
#define AT_ONCE_DEVICE UINT64_C(1000)

/* ---- the configuration ---- */

/* Whether the policy holds, once its offer is filled in. */
static enum serin_error check_policy(const struct serin_sim_config *config, const char **field)
{
    struct serin_policy policy = config->policy;
    if (policy.offer_count == 0) {
        policy.offer_count = 1;
        policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = UINT16_MAX};
    }
    for (size_t i = 0; i < policy.offer_count && i < SERIN_DIRECTIVE_OFFERS_MAX; i++) {
        memset(policy.offers[i].manifest_id, 1, sizeof policy.offers[i].manifest_id);
    }
    return serin_policy_check(&policy, field);
}

static const char *config_fault(const struct serin_sim_config *config)
{
    if (config->devices < 1 || config->devices > SERIN_SIM_DEVICES_MAX) {
        return "devices: 1 to 1,000,000";
    }
    if (config->gateways > SERIN_SIM_GATEWAYS_MAX) {
        return "gateways: 0 to 65,535";
    }
    if (config->image_size != 0 &&
        (config->image_size < IMAGE_LEAST || config->image_size > IMAGE_MOST)) {
        return "image_size: 256 bytes to 16 MiB";
    }
    if (config->beat_interval_s > BEAT_MOST_S) {
        return "beat_interval_s: 1 second to 7 days";
    }
    return NULL;
}

static enum serin_error check_config(const struct serin_sim_config *config, const char **field)
{
    const char *fault = config_fault(config);
    if (fault != NULL) {
        if (field != NULL) {
            *field = fault;
        }
        return SERIN_ERR_INVALID;
    }
    enum serin_error error = check_policy(config, field);
    return error == SERIN_OK ? serin_sim_scenario_check(&config->scenario, field) : error;
}

/* ---- what everybody calls ---- */

void sim_at(struct sim *sim, uint64_t at_ms, enum sim_actor actor, uint32_t index, uint32_t what)
{
    const struct sim_event event = {
        .at_ms = at_ms, .what = what, .index_actor = index << 8 | (uint32_t)actor};
    if (sim_queue_put(sim->queue, &event) != SERIN_OK) {
        sim_failed(sim, SERIN_ERR_MEMORY);
    }
}

void sim_failed(struct sim *sim, enum serin_error error)
{
    sim->error = sim->error == SERIN_OK ? error : sim->error;
    sim->over = true;
}

void sim_broken(struct sim *sim, enum serin_sim_invariant invariant, const char *format, ...)
{
    struct serin_sim_result *result = sim->result;
    if (result->broken != SERIN_SIM_SOUND) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(result->breach, sizeof result->breach, format, arguments);
    va_end(arguments);
    result->broken = invariant;
    sim->over = true;
}

/* Four lanes that each mix in one word, and never lose what they hold. */
void sim_note(struct sim *sim, enum sim_note_kind kind, uint32_t index, uint64_t value)
{
    const uint64_t words[] = {sim->now_ms, (uint64_t)kind << 32 | index, value,
                              value ^ sim->now_ms << 20 ^ index};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        uint64_t lane = (sim->digest[i] ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15);
        sim->digest[i] = lane ^ lane >> 32;
    }
}

static void tell(struct sim *sim, const char *text,
                 void (*moment)(void *ctx, const struct serin_sim_moment *moment))
{
    struct serin_sim_moment now = {.at_ms = sim->now_ms,
                                   .exposed = sim->exposed,
                                   .trial = sim->trial,
                                   .running = sim->running,
                                   .cloud_bytes =
                                       sim->result->direct_bytes + sim->result->uplink_bytes,
                                   .text = text};
    if (moment != NULL) {
        sim_server_moment(sim, &now);
        moment(sim->config->ctx, &now);
    }
}

void sim_say(struct sim *sim, const char *text)
{
    tell(sim, text, sim->config->moment);
}

/* Random bytes of whoever's code runs. */
static enum serin_error random_bytes(void *ctx, void *out, size_t size)
{
    struct sim *sim = ctx;
    static const enum sim_purpose purposes[SIM_ACTOR_COUNT] = {
        [SIM_WORLD] = SIM_DICE_SERVER,    [SIM_NODE] = SIM_DICE_AGENT,
        [SIM_GATEWAY] = SIM_DICE_GATEWAY, [SIM_SERVER] = SIM_DICE_SERVER,
        [SIM_BROKER] = SIM_DICE_SERVER,
    };
    bool many = sim->actor.actor == SIM_NODE || sim->actor.actor == SIM_GATEWAY;
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t dice = sim_dice(sim, purposes[sim->actor.actor], many ? sim->actor.index : 0);
        for (size_t j = i; j < size && j < i + 8u; j++) {
            bytes[j] = (uint8_t)(dice >> 8u * (j - i));
        }
    }
    return SERIN_OK;
}

/* ---- the world ---- */

static enum serin_error dice_open(struct sim *sim)
{
    size_t most =
        sim->config->devices > sim->config->gateways ? sim->config->devices : sim->config->gateways;
    sim->dice = calloc(most, sizeof *sim->dice);
    sim->places = calloc(sim->config->devices, sizeof *sim->places);
    return sim->dice != NULL && sim->places != NULL ? SERIN_OK : SERIN_ERR_MEMORY;
}

static enum serin_error ports_open(struct sim *sim)
{
    const struct serin_sim_config *config = sim->config;
    enum serin_error error = sim_memo_open(&sim->memo, config->crypto, config->codec,
                                           config->site_codec, random_bytes, sim);
    if (error == SERIN_OK) {
        sim->crypto = sim_memo_crypto(sim->memo);
        sim->codec = sim_memo_codec(sim->memo);
        sim->site_codec = sim_memo_site_codec(sim->memo);
    }
    return error;
}

static enum serin_error gateways_open(struct sim *sim)
{
    enum serin_error error = SERIN_OK;
    sim->gateways = calloc(sim->config->gateways + 1u, sizeof(struct sim_gateway *));
    if (sim->gateways == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; error == SERIN_OK && i < sim->config->gateways; i++) {
        sim->actor = (struct sim_from){.actor = SIM_GATEWAY, .index = i};
        error = sim_gateway_open(sim, i);
    }
    for (uint32_t i = 0; error == SERIN_OK && i < sim->config->gateways; i++) {
        sim_net_gateway(sim, i, true);
    }
    return error;
}

static enum serin_error server_open(struct sim *sim)
{
    sim->actor = (struct sim_from){.actor = SIM_SERVER};
    enum serin_error error = sim_server_open(sim);
    if (error == SERIN_OK) {
        sim_net_server(sim, true);
    }
    return error;
}

/* In the order in which each part needs the one before. */
static enum serin_error (*const opens[])(struct sim *sim) = {
    dice_open,    ports_open,       sim_release_open, sim_factory_open, sim_depots_open,
    sim_net_open, sim_brokers_open, sim_plugins_open, sim_nodes_open,   sim_invariants_open,
    server_open,  gateways_open,    sim_events_open,
};

/* Fetches what an event will need: its message, and whom it is for. Whose beat a gateway will hear
 * stands in the message's head, which most often was written just now. */
static void look_ahead(void *ctx, const struct sim_event *event)
{
    const struct sim *sim = ctx;
    uint32_t index = event->index_actor >> 8;
    if (event->message != NULL) {
        sim_prefetch(event->message, sizeof *event->message + MESSAGE_HEAD);
    }
    switch ((enum sim_actor)(event->index_actor & 0xFFu)) {
    case SIM_NODE:
        sim_node_prefetch(sim, index, event->message);
        break;
    case SIM_GATEWAY:
        sim_gateway_prefetch(sim, index);
        break;
    case SIM_BROKER:
        if (index != SIM_CLOUD && event->message != NULL &&
            event->message->from.actor == SIM_NODE) {
            sim_gateway_prefetch(sim, index - 1u);
            sim_gateway_prefetch_node(sim, event->message->from.index);
        }
        break;
    case SIM_WORLD:
    case SIM_SERVER:
    case SIM_ACTOR_COUNT:
        break;
    }
}

/* What follows from what was fetched by then: where its device stands, and the flash in which it
 * stores a directive. */
static void look_at_next(const struct sim *sim)
{
    const struct sim_event *next = sim_queue_peek(sim->queue);
    if (next == NULL || (next->index_actor & 0xFFu) != SIM_NODE) {
        return;
    }
    sim_node_prefetch_state(sim, next->index_actor >> 8);
    if (next->message != NULL && next->message->topic.kind == SERIN_TOPIC_DIRECTIVE) {
        sim_node_prefetch_log(sim, next->index_actor >> 8);
    }
}

static enum serin_error sim_open(struct sim *sim)
{
    enum serin_error error = sim_queue_open(&sim->queue, look_ahead, sim);
    for (size_t i = 0; error == SERIN_OK && i < sizeof opens / sizeof opens[0]; i++) {
        sim->actor = (struct sim_from){.actor = SIM_WORLD};
        error = opens[i](sim);
        error = error == SERIN_OK ? sim->error : error;
    }
    if (error == SERIN_OK) {
        sim_at(sim, LOOK_MS, SIM_WORLD, 0, SIM_WORLD_LOOK);
    }
    return error;
}

/* What is still under way belongs to nobody any more. The queue looks ahead even now, so that all
 * whom it looks at must still be there. */
static void drain(struct sim *sim)
{
    struct sim_event event;
    while (sim_queue_take(sim->queue, &event)) {
        sim_message_drop(sim, event.message);
    }
    sim_net_drop_trains(sim);
}

static void sim_close(struct sim *sim)
{
    if (sim->queue != NULL && sim->net != NULL) {
        drain(sim);
    }
    sim_events_close(sim);
    for (uint32_t i = 0; sim->gateways != NULL && i < sim->config->gateways; i++) {
        sim_gateway_close(sim, i);
    }
    free(sim->gateways);
    sim_server_close(sim);
    sim_invariants_close(sim);
    sim_nodes_close(sim);
    sim_plugins_close(sim);
    sim_brokers_close(sim);
    sim_net_close(sim);
    sim_depots_close(sim);
    sim_factory_close(sim);
    sim_release_close(sim);
    sim_memo_close(sim->memo);
    sim_queue_close(sim->queue);
    free(sim->places);
    free(sim->dice);
}

/* ---- the loop ---- */

static void look(struct sim *sim)
{
    if (sim_memo_failed(sim->memo)) {
        sim_failed(sim, SERIN_ERR_MEMORY);
    }
    sim->over = sim->over || sim_server_over(sim);
    sim_at(sim, sim->now_ms + LOOK_MS, SIM_WORLD, 0, SIM_WORLD_LOOK);
}

void sim_world_due(struct sim *sim, uint32_t index, uint32_t what)
{
    if (what == SIM_WORLD_LOOK) {
        look(sim);
    } else {
        sim_events_due(sim, index, what);
    }
}

static void (*const handlers[SIM_ACTOR_COUNT])(struct sim *sim, uint32_t index, uint32_t what) = {
    [SIM_WORLD] = sim_world_due,   [SIM_NODE] = sim_node_due,     [SIM_GATEWAY] = sim_gateway_due,
    [SIM_SERVER] = sim_server_due, [SIM_BROKER] = sim_broker_due,
};

static void dispatch(struct sim *sim, const struct sim_event *event)
{
    enum sim_actor actor = (enum sim_actor)(event->index_actor & 0xFFu);
    uint32_t index = event->index_actor >> 8;
    sim->now_ms = event->at_ms;
    sim->actor = (struct sim_from){.actor = actor, .index = index};
    sim->result->events++;
    if (event->message != NULL) {
        sim_net_arrived(sim, event);
    } else {
        handlers[actor](sim, index, event->what);
    }
    if (sim->result->events % PROGRESS_EVERY == 0) {
        tell(sim, NULL, sim->config->progress);
    }
}

/* Samples lie between the events of the world and are none: who looks on changes nothing. Each
 * stands after all events of its own millisecond. */
static void sample_before(struct sim *sim, uint64_t at_ms)
{
    while (sim->config->sample_ms > 0 && sim->sample_ms < at_ms) {
        sim->now_ms = sim->sample_ms;
        sim_say(sim, NULL);
        sim->sample_ms += sim->config->sample_ms;
    }
}

/* Counts what happens in one millisecond: whatever wants its next turn at once, for ever, would
 * stop time, and the run with it. */
static void keep_going(struct sim *sim, uint64_t at_ms)
{
    sim->at_once = at_ms == sim->now_ms ? sim->at_once + 1u : 0;
    if (sim->at_once > AT_ONCE_LEAST + AT_ONCE_DEVICE * sim->config->devices) {
        sim_broken(sim, SERIN_SIM_SPIN, "%llu events in one millisecond",
                   (unsigned long long)sim->at_once);
    }
}

/* Until the run is over: by itself, by a breach or an error, or by its limit. */
static void loop(struct sim *sim)
{
    struct sim_event event;
    while (!sim->over) {
        if (!sim_queue_take(sim->queue, &event)) {
            sim_failed(sim, SERIN_ERR_MEMORY); /* a world is never without something to come */
            return;
        }
        sample_before(sim, event.at_ms <= sim->limit_ms ? event.at_ms : sim->limit_ms);
        if (event.at_ms > sim->limit_ms) {
            sim_message_drop(sim, event.message);
            sim->now_ms = sim->limit_ms;
            return;
        }
        look_at_next(sim);
        keep_going(sim, event.at_ms);
        dispatch(sim, &event);
    }
}

/* ---- the result ---- */

/* The digest covers what was counted, too. */
static void finish_digest(struct sim *sim)
{
    const struct serin_sim_result *result = sim->result;
    const uint64_t counts[] = {result->direct_bytes, result->uplink_bytes, result->site_bytes,
                               result->messages,     result->events,       result->boots,
                               sim->now_ms};
    uint8_t bytes[sizeof sim->digest];
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        sim_note(sim, SIM_NOTE_EVENT, (uint32_t)i, counts[i]);
    }
    for (size_t i = 0; i < sizeof sim->digest / sizeof sim->digest[0]; i++) {
        serin_put_le64(bytes + 8u * i, sim->digest[i]);
    }
    serin_sha256_of(sim->crypto, bytes, sizeof bytes, sim->result->digest);
}

static void finish(struct sim *sim)
{
    struct sim_memo_figures figures;
    sim_memo_look(sim->memo, &figures);
    sim->result->devices = sim->config->devices;
    sim->result->verifications = figures.verifications;
    sim->result->remembered = figures.remembered;
    sim->result->flash_bytes = sim_pool_bytes(sim->pool);
    if (sim->config->check && sim->result->broken == SERIN_SIM_SOUND && sim->error == SERIN_OK) {
        sim_check_end(sim);
    }
    sim_say(sim, NULL);
    sim_result_fill(sim);
    finish_digest(sim);
}

enum serin_error serin_sim_run(const struct serin_sim_config *config,
                               struct serin_sim_result *result, const char **field)
{
    memset(result, 0, sizeof *result);
    enum serin_error error = check_config(config, field);
    if (error != SERIN_OK) {
        return error;
    }
    struct sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL) {
        return SERIN_ERR_MEMORY;
    }
    sim->config = config;
    sim->result = result;
    sim->limit_ms = config->limit_ms != 0 ? config->limit_ms : LIMIT_DEFAULT;
    sim->image_size = config->image_size != 0 ? config->image_size : IMAGE_DEFAULT;
    sim->beat_interval_s = config->beat_interval_s != 0 ? config->beat_interval_s : BEAT_DEFAULT_S;
    error = sim_open(sim);
    if (error == SERIN_OK) {
        loop(sim);
        error = sim->error;
    }
    if (error == SERIN_OK) {
        finish(sim);
        error = sim->error;
    }
    sim_close(sim);
    free(sim);
    return error;
}

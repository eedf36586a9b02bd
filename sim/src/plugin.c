/*
 * The plugin of a broker, as far as blocks go: one bounded window in flight to each client, nothing
 * of a halted candidate, at a site only what the gateway has filled; what is not here yet waits,
 * and the gateway is told (docs/spec/blocks.md; docs/spec/site.md).
 */
#include "world.h"

#include <serin/crc32.h>
#include <serin/piece.h>

#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES  65536u
#define WINDOW_BLOCKS 16u
#define FORGET_MS     30000u
#define RETRY_MS      2000u
#define PARK_MS       20000u /* a request waits so long for its pieces */
#define TICK_MS       5000u  /* what waits is tried again, and wanted again */

static const struct serin_credit_limits limits = {.window_bytes_max = WINDOW_BYTES,
                                                  .window_blocks_max = WINDOW_BLOCKS,
                                                  .forget_ms = FORGET_MS,
                                                  .retry_ms = RETRY_MS};

/* A request that waits. */
struct parked {
    uint32_t node;
    uint64_t since_ms;
    struct serin_get get;
};

struct plugin {
    bool any; /* the guard has a directive, which says: */
    bool halted;
    size_t stable_count, candidate_count;
    uint8_t stable[SERIN_DIRECTIVE_OFFERS_MAX][SERIN_SHA256_SIZE];
    uint8_t candidate[SERIN_DIRECTIVE_OFFERS_MAX][SERIN_SHA256_SIZE];
    bool ticking;
    struct parked *parked;
    uint32_t parked_count, parked_capacity;
    /* ABSENT: the object is not to be had before then. */
    uint64_t absent_until_ms;
    uint8_t absent[SERIN_SHA256_SIZE];
    enum serin_block_status absent_status;
};

struct sim_plugins {
    struct plugin *list; /* by broker */
    struct serin_credit *nodes, *gateways;
};

/* A request being answered. */
struct request {
    struct plugin *plugin;
    uint32_t broker;
    struct sim_from client;
    struct serin_credit *credit;
    const struct serin_get *get;
};

/* ---- what is offered ---- */

static size_t copy_offers(const struct serin_release *release, uint8_t (*ids)[SERIN_SHA256_SIZE])
{
    for (size_t i = 0; i < release->offer_count; i++) {
        memcpy(ids[i], release->offers[i].manifest_id, SERIN_SHA256_SIZE);
    }
    return release->offer_count;
}

void sim_plugin_directive(struct sim *sim, uint32_t broker, const struct serin_directive *directive)
{
    struct plugin *plugin = &sim->plugins->list[broker];
    plugin->any = true;
    plugin->halted = directive->candidate_state == SERIN_CANDIDATE_HALTED;
    plugin->stable_count = copy_offers(&directive->stable, plugin->stable);
    plugin->candidate_count = copy_offers(&directive->candidate, plugin->candidate);
}

static bool names(uint8_t (*ids)[SERIN_SHA256_SIZE], size_t count, const uint8_t *id)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(ids[i], id, SERIN_SHA256_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a device's own directive offers the release to it. */
static bool own_offers(struct sim *sim, const struct request *request, const uint8_t *id)
{
    const struct sim_message *message =
        request->client.actor == SIM_NODE
            ? sim_broker_own(sim, request->broker, request->client.index)
            : NULL;
    struct serin_envelope envelope;
    struct serin_directive directive;
    uint8_t ids[SERIN_DIRECTIVE_OFFERS_MAX][SERIN_SHA256_SIZE];
    if (message == NULL ||
        sim->codec->decode_envelope(message->payload, message->size, &envelope) != SERIN_OK ||
        sim->codec->decode_directive(envelope.body, envelope.body_size, &directive) != SERIN_OK) {
        return false;
    }
    bool halted = directive.candidate_state == SERIN_CANDIDATE_HALTED;
    return names(ids, copy_offers(&directive.stable, ids), id) ||
           (!halted && names(ids, copy_offers(&directive.candidate, ids), id));
}

static const struct sim_release *release_of(const struct sim *sim, const struct sim_object *object)
{
    for (size_t i = 0; i < SIM_RELEASES; i++) {
        const struct sim_release *release = &sim->releases[i];
        if (object == &release->image || object == &release->pieces ||
            object == &release->manifest) {
            return release;
        }
    }
    return NULL;
}

/* Refused: a halted candidate's object that nothing else offers to this client; at a site, which
 * fills what is on offer alone, any that is not. */
static bool refused(struct sim *sim, const struct request *request, const struct sim_object *object)
{
    struct plugin *plugin = request->plugin;
    const uint8_t *id = release_of(sim, object)->manifest_id;
    bool stable = names(plugin->stable, plugin->stable_count, id);
    bool candidate = names(plugin->candidate, plugin->candidate_count, id);
    if (stable || (candidate && !plugin->halted)) {
        return false;
    }
    bool matters = candidate || request->broker != SIM_CLOUD;
    return matters && !own_offers(sim, request, id);
}

/* ---- answers ---- */

static void answer(struct sim *sim, const struct request *request, const struct serin_block *block)
{
    uint8_t payload[SERIN_BLOCK_MAX];
    size_t size = 0;
    struct serin_block told = *block;
    told.token = request->get->token;
    if (sim->codec->encode_block(&told, payload, sizeof payload, &size) != SERIN_OK) {
        sim_failed(sim, SERIN_ERR_INVALID);
        return;
    }
    struct sim_message *message = sim_message_new(sim, payload, size);
    if (message == NULL) {
        return;
    }
    message->topic.index = request->client.index;
    if (request->client.actor == SIM_NODE) {
        message->topic.kind = SERIN_TOPIC_DEV_BLOCK;
        sim_net_to_node(sim, request->client.index, message, false);
    } else {
        message->topic.kind = SERIN_TOPIC_GW_BLOCK;
        sim_net_to_gateway(sim, request->client.index, SIM_UPLINK, message, false);
    }
    sim_message_drop(sim, message);
}

static void status(struct sim *sim, const struct request *request, enum serin_block_status what,
                   uint32_t object_size, uint32_t retry_ms)
{
    const struct serin_block block = {
        .status = what, .object_size = object_size, .retry_ms = retry_ms};
    answer(sim, request, &block);
}

static bool settle(struct sim *sim, const struct request *request, enum serin_block_status what,
                   uint32_t retry_ms)
{
    serin_credit_settle(request->credit, request->get->done_token);
    status(sim, request, what, 0, retry_ms);
    return true;
}

static const uint8_t *bytes_of(struct sim *sim, const struct request *request,
                               const struct sim_object *object, uint32_t offset, uint32_t size,
                               uint8_t *room)
{
    if (request->broker == SIM_CLOUD) {
        return object->bytes + offset;
    }
    enum serin_error error = sim_depot_read(sim, request->broker - 1u, object, offset, room, size);
    return error == SERIN_OK ? room : NULL;
}

static void send_window(struct sim *sim, const struct request *request,
                        const struct sim_object *object, const struct serin_grant *grant)
{
    uint8_t room[SERIN_BLOCK_DATA_MAX];
    for (uint32_t offset = grant->offset; offset < grant->end;) {
        uint32_t left = grant->end - offset;
        uint32_t size = left < request->get->block_size ? left : request->get->block_size;
        const uint8_t *data = bytes_of(sim, request, object, offset, size, room);
        if (data == NULL) {
            return; /* forgotten since: the client asks again */
        }
        const struct serin_block block = {.status = SERIN_BLOCK_DATA,
                                          .offset = offset,
                                          .object_size = object->size,
                                          .window_end = grant->end,
                                          .crc32 = serin_crc32(0, data, size),
                                          .data = data,
                                          .data_size = size};
        answer(sim, request, &block);
        offset += size;
    }
}

/* The end of what is here from the request's offset on; at the cloud that is all of it. */
static uint32_t here_until(const struct sim *sim, const struct request *request,
                           const struct sim_object *object)
{
    uint32_t end = object->size;
    if (request->broker == SIM_CLOUD || request->get->offset >= end) {
        return end;
    }
    uint32_t piece = request->get->offset / SERIN_PIECE_SIZE;
    while (sim_depot_holds(sim, request->broker - 1u, object, piece)) {
        piece++;
    }
    uint64_t until = (uint64_t)piece * SERIN_PIECE_SIZE;
    return until < end ? (uint32_t)until : end;
}

/* Answers if that can be done now. False: it has to wait for its pieces. */
static bool try_answer(struct sim *sim, const struct request *request)
{
    struct serin_get get = *request->get;
    struct plugin *plugin = request->plugin;
    bool site = request->broker != SIM_CLOUD;
    const struct sim_object *object = sim_object_find(sim, get.object);
    if (object == NULL || (site && !plugin->any)) {
        return settle(sim, request, SERIN_BLOCK_NOT_FOUND, RETRY_MS);
    }
    if (refused(sim, request, object)) {
        return settle(sim, request, SERIN_BLOCK_REFUSED, 0);
    }
    if (site && sim->now_ms < plugin->absent_until_ms &&
        memcmp(plugin->absent, get.object, SERIN_SHA256_SIZE) == 0) {
        return settle(sim, request, plugin->absent_status,
                      (uint32_t)(plugin->absent_until_ms - sim->now_ms));
    }
    uint32_t until = here_until(sim, request, object);
    if (get.offset < object->size && until <= get.offset) {
        serin_credit_settle(request->credit, get.done_token);
        return false;
    }
    if (get.offset < until && get.length > until - get.offset) {
        get.length = until - get.offset;
    }
    struct serin_grant grant =
        serin_credit_request(request->credit, &limits, &get, object->size, sim->now_ms);
    if (grant.status == SERIN_BLOCK_DATA) {
        send_window(sim, request, object, &grant);
    } else {
        status(sim, request, grant.status, object->size, grant.retry_ms);
    }
    return true;
}

/* ---- what waits ---- */

static void say_want(struct sim *sim, uint32_t broker, const struct serin_get *get)
{
    const struct sim_object *object = sim_object_find(sim, get->object);
    uint32_t start = get->offset - get->offset % SERIN_PIECE_SIZE;
    uint64_t end = (uint64_t)get->offset + get->length;
    uint8_t payload[SERIN_WANT_MAX];
    size_t size = 0;
    if (object != NULL && end > object->size) {
        end = object->size;
    }
    if (object == NULL || end <= start) {
        return;
    }
    struct serin_want want = {
        .kind = SERIN_WANT_MISSING, .offset = start, .length = (uint32_t)(end - start)};
    memcpy(want.object, get->object, SERIN_SHA256_SIZE);
    if (sim->site_codec->encode_want(&want, payload, sizeof payload, &size) != SERIN_OK) {
        sim_failed(sim, SERIN_ERR_INVALID);
        return;
    }
    struct sim_message *message = sim_message_new(sim, payload, size);
    if (message != NULL) {
        message->topic = (struct sim_topic){.kind = SERIN_TOPIC_DEPOT_WANT, .index = SIM_NOBODY};
        sim_net_to_gateway(sim, broker - 1u, SIM_SITE, message, false);
        sim_message_drop(sim, message);
    }
}

/* Whether somebody else waits for the same piece: the gateway was told of it. */
static bool wanted(const struct plugin *plugin, const struct serin_get *get)
{
    for (uint32_t i = 0; i < plugin->parked_count; i++) {
        const struct serin_get *other = &plugin->parked[i].get;
        if (other->offset / SERIN_PIECE_SIZE == get->offset / SERIN_PIECE_SIZE &&
            memcmp(other->object, get->object, SERIN_SHA256_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

static void drop_parked(struct plugin *plugin, uint32_t place)
{
    plugin->parked_count--;
    memmove(&plugin->parked[place], &plugin->parked[place + 1u],
            (plugin->parked_count - place) * sizeof *plugin->parked);
}

static void forget_node(struct plugin *plugin, uint32_t node)
{
    for (uint32_t i = 0; i < plugin->parked_count; i++) {
        if (plugin->parked[i].node == node) {
            drop_parked(plugin, i);
            return;
        }
    }
}

static void park(struct sim *sim, const struct request *request)
{
    struct plugin *plugin = request->plugin;
    if (plugin->parked_count == plugin->parked_capacity) {
        uint32_t capacity = plugin->parked_capacity == 0 ? 8u : plugin->parked_capacity * 2u;
        struct parked *larger = realloc(plugin->parked, capacity * sizeof *larger);
        if (larger == NULL) {
            sim_failed(sim, SERIN_ERR_MEMORY);
            return;
        }
        plugin->parked = larger;
        plugin->parked_capacity = capacity;
    }
    if (!wanted(plugin, request->get)) {
        say_want(sim, request->broker, request->get);
    }
    plugin->parked[plugin->parked_count++] = (struct parked){
        .node = request->client.index, .since_ms = sim->now_ms, .get = *request->get};
    if (!plugin->ticking) {
        plugin->ticking = true;
        sim_at(sim, sim->now_ms + TICK_MS, SIM_BROKER, request->broker, SIM_BROKER_PARKED);
    }
}

static struct request request_of(struct sim *sim, uint32_t broker, struct sim_from client,
                                 const struct serin_get *get)
{
    struct sim_plugins *plugins = sim->plugins;
    return (struct request){.plugin = &plugins->list[broker],
                            .broker = broker,
                            .client = client,
                            .credit = client.actor == SIM_NODE ? &plugins->nodes[client.index]
                                                               : &plugins->gateways[client.index],
                            .get = get};
}

/* Tries again what waits for an object, or for any where it is NULL; in the order in which it
 * came. */
static void retry(struct sim *sim, uint32_t broker, const uint8_t *object)
{
    struct plugin *plugin = &sim->plugins->list[broker];
    for (uint32_t i = 0; i < plugin->parked_count;) {
        struct parked parked = plugin->parked[i];
        struct request request = request_of(
            sim, broker, (struct sim_from){.actor = SIM_NODE, .index = parked.node}, &parked.get);
        bool meant = object == NULL || memcmp(object, parked.get.object, SERIN_SHA256_SIZE) == 0;
        if (meant && try_answer(sim, &request)) {
            drop_parked(plugin, i);
        } else {
            i++;
        }
    }
}

void sim_plugin_tick(struct sim *sim, uint32_t broker)
{
    struct plugin *plugin = &sim->plugins->list[broker];
    retry(sim, broker, NULL);
    for (uint32_t i = 0; i < plugin->parked_count;) {
        struct parked parked = plugin->parked[i];
        if (sim->now_ms - parked.since_ms < PARK_MS) {
            i++;
            continue;
        }
        struct request request = request_of(
            sim, broker, (struct sim_from){.actor = SIM_NODE, .index = parked.node}, &parked.get);
        status(sim, &request, SERIN_BLOCK_BUSY, 0, RETRY_MS);
        drop_parked(plugin, i);
    }
    for (uint32_t i = 0; i < plugin->parked_count; i++) {
        say_want(sim, broker, &plugin->parked[i].get); /* what was said may have been lost */
    }
    plugin->ticking = plugin->parked_count > 0;
    if (plugin->ticking) {
        sim_at(sim, sim->now_ms + TICK_MS, SIM_BROKER, broker, SIM_BROKER_PARKED);
    }
}

/* ---- what comes ---- */

void sim_plugin_get(struct sim *sim, uint32_t broker, const struct sim_message *message)
{
    struct serin_get get;
    if (sim->codec->decode_get(message->payload, message->size, &get) != SERIN_OK) {
        return;
    }
    struct request request = request_of(sim, broker, message->from, &get);
    if (message->from.actor == SIM_NODE) {
        forget_node(request.plugin, message->from.index);
    }
    if (!try_answer(sim, &request)) {
        park(sim, &request);
    }
}

void sim_plugin_have(struct sim *sim, uint32_t broker, const struct sim_message *message)
{
    struct plugin *plugin = &sim->plugins->list[broker];
    struct serin_have have;
    if (sim->site_codec->decode_have(message->payload, message->size, &have) != SERIN_OK) {
        return;
    }
    if (have.kind == SERIN_HAVE_ABSENT) {
        memcpy(plugin->absent, have.object, SERIN_SHA256_SIZE);
        plugin->absent_status = have.status;
        plugin->absent_until_ms = sim->now_ms + (have.retry_ms > 0 ? have.retry_ms : 1u);
    } else if (memcmp(plugin->absent, have.object, SERIN_SHA256_SIZE) == 0) {
        plugin->absent_until_ms = 0;
    }
    retry(sim, broker, have.object);
}

void sim_plugin_leave(struct sim *sim, struct sim_from client)
{
    if (client.actor == SIM_NODE) {
        sim->plugins->nodes[client.index] = (struct serin_credit){0};
        forget_node(&sim->plugins->list[sim_node_broker(&sim->nodes[client.index])], client.index);
    } else {
        sim->plugins->gateways[client.index] = (struct serin_credit){0};
    }
}

enum serin_error sim_plugins_open(struct sim *sim)
{
    struct sim_plugins *plugins = calloc(1, sizeof *plugins);
    sim->plugins = plugins;
    if (plugins == NULL) {
        return SERIN_ERR_MEMORY;
    }
    plugins->list = calloc(sim->config->gateways + 1u, sizeof *plugins->list);
    plugins->nodes = calloc(sim->config->devices, sizeof *plugins->nodes);
    plugins->gateways = calloc(sim->config->gateways + 1u, sizeof *plugins->gateways);
    bool there = plugins->list != NULL && plugins->nodes != NULL && plugins->gateways != NULL;
    return there ? SERIN_OK : SERIN_ERR_MEMORY;
}

void sim_plugins_close(struct sim *sim)
{
    struct sim_plugins *plugins = sim->plugins;
    if (plugins == NULL) {
        return;
    }
    for (uint32_t i = 0; plugins->list != NULL && i <= sim->config->gateways; i++) {
        free(plugins->list[i].parked);
    }
    free(plugins->list);
    free(plugins->nodes);
    free(plugins->gateways);
    free(plugins);
}

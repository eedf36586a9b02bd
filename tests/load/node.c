/* One node (node.h). */
#include "node.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/topic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTING_MAX     64u /* at a time: below the backlog of a broker */
#define CONNECT_TIMEOUT_MS 20000u
#define RETRY_MIN_MS       500u
#define RETRY_MAX_MS       30000u
#define RESET_SPREAD_MS    20u /* for each node of the fleet, as for --start-spread */
#define RESET_SPREAD_MAX   10000u
#define KEEP_MS            1000u
#define CLOCK_KNOWN_S      1577836800 /* 2020: a clock below it was never set */

static uint32_t jitter(uint32_t range_ms)
{
    uint8_t bytes[4] = {0};
    const struct serin_crypto *crypto = serin_wolfcrypt();
    if (crypto->ops->random(crypto->ctx, bytes, sizeof bytes) != SERIN_OK) {
        return range_ms / 2u;
    }
    return (uint32_t)(serin_get_le32(bytes) % ((uint64_t)range_ms + 1u));
}

static void count(struct load_traffic *traffic, enum serin_topic_kind kind, size_t size)
{
    traffic->messages[kind]++;
    traffic->bytes[kind] += size;
}

/* ---- the ports of the agent ---- */

static enum serin_error link_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size)
{
    struct load_node *node = ctx;
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(kind, node->identity.device_id, topic);
    enum serin_error error = load_client_publish(&node->client, topic, payload, size,
                                                 kind == SERIN_TOPIC_DEV_REPORT ? 1 : 0);
    if (error == SERIN_OK) {
        count(&node->shared->sent, kind, size);
        node->account.gets += kind == SERIN_TOPIC_DEV_GET ? 1u : 0u;
    }
    return error;
}

static void platform_reset(void *ctx)
{
    struct load_node *node = ctx;
    node->reset_asked = true;
}

static uint64_t platform_unix_time_s(void *ctx)
{
    (void)ctx;
    time_t now = time(NULL);
    return now >= CLOCK_KNOWN_S ? (uint64_t)now : 0;
}

static void platform_transition(void *ctx, const struct serin_attempt_report *attempt)
{
    struct load_node *node = ctx;
    struct load_account *account = &node->account;
    const struct serin_transition *last = &attempt->transitions[attempt->transition_count - 1u];
    account->state = last->state;
    account->reason = last->reason;
    account->offered = attempt->version;
    account->bytes_fetched = attempt->bytes_fetched;
    account->pieces_refetched = attempt->pieces_refetched;
    if (last->state == SERIN_STATE_PENDING) {
        account->accepted_ms = node->now_ms;
        account->held_ms = account->confirmed_ms = LOAD_NEVER_MS;
    } else if (last->state == SERIN_STATE_STAGED) {
        account->held_ms = node->now_ms;
    } else if (last->state == SERIN_STATE_CONFIRMED) {
        account->confirmed_ms = node->now_ms;
        account->trial = false;
    }
}

static const struct serin_link_ops link_ops = {.publish = link_publish};
static const struct serin_platform_ops platform_ops = {
    .reset = platform_reset,
    .unix_time_s = platform_unix_time_s,
    .transition = platform_transition,
};

static void agent_event(struct load_node *node, const struct serin_agent_event *event)
{
    if (node->agent != NULL && !node->reset_asked) {
        (void)serin_agent_step(node->agent, node->now_ms - node->booted_ms, event);
    }
}

/* ---- booting ---- */

static void agent_stop(struct load_node *node)
{
    free(node->agent);
    node->agent = NULL;
}

/* What a board does after a reset. A node that cannot boot is broken, and stays so. */
static void boot(struct load_node *node, enum serin_reset_cause cause)
{
    struct serin_boot_choice choice;
    agent_stop(node);
    node->reset_asked = false;
    node->booted = true;
    node->booted_ms = node->now_ms;
    node->account.broken = true;
    if (serin_boot_select(&node->boot, cause, &choice) != SERIN_OK) {
        return;
    }
    node->account.running = choice.manifest.version;
    node->account.trial = choice.trial;
    node->agent = calloc(1, serin_agent_size());
    if (node->agent == NULL) {
        return;
    }
    struct serin_agent_boot_info info = {
        .slot = choice.slot, .trial = choice.trial, .cause = cause};
    if (serin_agent_init(node->agent, &node->config, &info, 0) != SERIN_OK) {
        agent_stop(node);
        return;
    }
    node->account.broken = false;
}

/* ---- the connection ---- */

void load_node_file(const struct load_options *options, const char *id, const char *suffix,
                    char path[LOAD_PATH_MAX])
{
    (void)snprintf(path, LOAD_PATH_MAX, "%s/%s.%s", options->certs, id, suffix);
}

static bool client_subscription(void *ctx, size_t n, char *text, int *qos)
{
    const struct load_node *node = ctx;
    return node->agent != NULL && serin_agent_subscription(node->agent, n, text, qos);
}

static void tell_up(struct load_node *node)
{
    if (!node->told_up && node->client.link == LOAD_LINK_UP) {
        node->told_up = true;
        node->retry_ms = RETRY_MIN_MS;
        node->keep_ms = node->now_ms + KEEP_MS;
        node->shared->connecting--;
        agent_event(node, &(struct serin_agent_event){.kind = SERIN_AGENT_CONNECTED});
    }
}

static void client_message(void *ctx, const char *name, const void *payload, size_t size,
                           bool retained)
{
    struct load_node *node = ctx;
    struct serin_topic topic;
    if (serin_topic_parse(name, &topic) != SERIN_OK) {
        return; /* nothing that was subscribed to */
    }
    tell_up(node);
    count(&node->shared->received, topic.kind, size);
    agent_event(node, &(struct serin_agent_event){.kind = SERIN_AGENT_MESSAGE,
                                                  .topic = topic.kind,
                                                  .retained = retained,
                                                  .payload = payload,
                                                  .payload_size = size});
}

/* Ends the connection, if there is one; the next is tried after up to `wait_ms`. */
static void disconnect(struct load_node *node, uint32_t wait_ms)
{
    if (node->client.link != LOAD_LINK_DOWN && !node->told_up) {
        node->shared->connecting--;
    }
    load_client_drop(&node->client, false);
    if (node->told_up) {
        node->told_up = false;
        agent_event(node, &(struct serin_agent_event){.kind = SERIN_AGENT_DISCONNECTED});
    }
    node->connect_ms = node->now_ms + 1u + jitter(wait_ms);
}

static void retry_later(struct load_node *node)
{
    node->account.reconnects += node->told_up ? 1u : 0u;
    node->shared->failures++;
    if (node->client.why != NULL) {
        node->shared->last_failure = node->client.why;
    }
    disconnect(node, node->retry_ms);
    node->retry_ms = node->retry_ms < RETRY_MAX_MS / 2u ? node->retry_ms * 2u : RETRY_MAX_MS;
}

static void connect_now(struct load_node *node)
{
    const char *id = node->identity.device_id;
    char cert[LOAD_PATH_MAX], key[LOAD_PATH_MAX];
    if (node->shared->connecting >= CONNECTING_MAX) {
        node->connect_ms = node->now_ms + 1u + jitter(RETRY_MIN_MS);
        return;
    }
    load_node_file(node->shared->options, id, "pem", cert);
    load_node_file(node->shared->options, id, "key", key);
    if (load_client_connect(&node->client, id, cert, key) == SERIN_OK) {
        node->shared->connecting++;
        node->connect_ms = node->now_ms + CONNECT_TIMEOUT_MS;
    } else {
        node->client.why = "the broker cannot be reached";
        retry_later(node);
    }
}

/* What the last call left to do: the connection stands, is lost, or a reset is asked for. */
static void settle(struct load_node *node)
{
    tell_up(node);
    if (node->client.failed) {
        retry_later(node);
    }
    if (node->reset_asked) {
        uint32_t spread_ms = node->shared->options->nodes * RESET_SPREAD_MS;
        disconnect(node, spread_ms < RESET_SPREAD_MAX ? spread_ms : RESET_SPREAD_MAX);
        node->account.resets++;
        boot(node, SERIN_RESET_REQUESTED);
    }
}

static void serve_link(struct load_node *node)
{
    switch (node->client.link) {
    case LOAD_LINK_DOWN:
        if (node->now_ms >= node->connect_ms) {
            connect_now(node);
        }
        break;
    case LOAD_LINK_CONNECTING:
        if (node->now_ms >= node->connect_ms) {
            load_client_fail(&node->client, "no answer");
        }
        break;
    case LOAD_LINK_UP:
        if (node->now_ms >= node->keep_ms) {
            node->keep_ms = node->now_ms + KEEP_MS;
            load_client_keep(&node->client);
        }
        break;
    }
}

/* ---- the fleet's calls ---- */

void load_node_serve(struct load_node *node, uint64_t now_ms)
{
    node->now_ms = now_ms;
    if (!node->booted) {
        if (now_ms < node->wake_ms) {
            return;
        }
        boot(node, SERIN_RESET_POWER);
    }
    if (node->agent == NULL) {
        return;
    }
    serve_link(node);
    if (now_ms - node->booted_ms >= serin_agent_deadline_ms(node->agent)) {
        agent_event(node, &(struct serin_agent_event){.kind = SERIN_AGENT_TICK});
    }
    settle(node);
}

void load_node_pump(struct load_node *node, uint64_t now_ms, uint32_t events)
{
    node->now_ms = now_ms;
    if (node->client.mosquitto != NULL) {
        load_client_pump(&node->client, events);
        settle(node);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t load_node_due_ms(const struct load_node *node)
{
    if (!node->booted) {
        return node->wake_ms;
    }
    if (node->agent == NULL) {
        return LOAD_NEVER_MS;
    }
    uint64_t link_ms = node->client.link == LOAD_LINK_UP ? node->keep_ms : node->connect_ms;
    uint64_t deadline_ms = serin_agent_deadline_ms(node->agent);
    return deadline_ms < LOAD_NEVER_MS - node->booted_ms
               ? earlier(link_ms, node->booted_ms + deadline_ms)
               : link_ms;
}

const struct load_account *load_node_account(struct load_node *node)
{
    if (node->agent != NULL) {
        struct serin_agent_view view;
        serin_agent_inspect(node->agent, &view);
        node->account.acked = view.acked_number >= view.report_number;
        node->account.trial = view.trial;
        if (view.bytes_fetched > node->account.bytes_fetched) {
            node->account.bytes_fetched = view.bytes_fetched;
        }
    }
    return &node->account;
}

enum serin_error load_node_open(struct load_node *node, struct load_shared *shared, uint32_t index,
                                uint64_t wake_ms)
{
    const struct load_options *options = shared->options;
    *node = (struct load_node){.shared = shared, .index = index, .wake_ms = wake_ms};
    node->retry_ms = RETRY_MIN_MS;
    node->account.accepted_ms = node->account.held_ms = node->account.confirmed_ms = LOAD_NEVER_MS;
    enum serin_error error = load_flash_copy(&node->flash, shared->factory->flash);
    if (error != SERIN_OK) {
        return error;
    }
    node->boot = (struct serin_boot){
        .crypto = serin_wolfcrypt(),
        .flash = load_flash_port(node->flash),
        .layout = &shared->factory->layout,
        .root_key = shared->factory->root_key,
        .identity = &node->identity,
    };
    load_factory_identity(options, options->first + index, &node->identity);
    node->config = (struct serin_agent_config){
        .boot = &node->boot,
        .codec = serin_protobufc(),
        .link = &link_ops,
        .link_ctx = node,
        .platform = &platform_ops,
        .platform_ctx = node,
        .block_size = load_block_size(options, index),
        .window_blocks = options->window_blocks,
        .beat_interval_s = options->beat_s,
        .report_retry_min_ms = 5000,
        .report_retry_max_ms = 3600000,
        .block_timeout_ms = 5000,
        .confirm_needs_directive = true,
        .auto_confirm = true,
        .scratch = node->scratch,
        .scratch_size = sizeof node->scratch,
    };
    node->client_config = (struct load_client_config){
        .host = options->host,
        .port = options->port,
        .keep_alive_s = options->keep_alive_s,
        .ca_file = options->ca,
        .subscription = client_subscription,
        .message = client_message,
        .ctx = node,
    };
    node->client.config = &node->client_config;
    return SERIN_OK;
}

void load_node_close(struct load_node *node)
{
    load_client_drop(&node->client, true);
    agent_stop(node);
    load_flash_close(node->flash);
}

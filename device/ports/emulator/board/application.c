/* The application of the example board: the agent, and what it needs around it. */
#include "board.h"

#include <string.h>

/* ---- the link port: topics and messages of the MQTT client ---- */

static enum serin_error link_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size)
{
    struct board *board = ctx;
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(kind, board->burnt.identity.device_id, topic);
    int qos = kind == SERIN_TOPIC_DEV_REPORT ? 1 : 0;
    return board->client->publish(board->client->ctx, topic, qos, payload, size) ? SERIN_OK
                                                                                 : SERIN_ERR_AGAIN;
}

static const struct serin_link_ops link_ops = {.publish = link_publish};

void application_message(struct board *board, const char *topic, bool retained,
                         const uint8_t *payload, size_t size)
{
    struct application *app = &board->app;
    if (app->inbox_count == BOARD_INBOX || size > BOARD_MESSAGE_MAX) {
        return;
    }
    struct board_message *message =
        &app->inbox[(app->inbox_first + app->inbox_count) % BOARD_INBOX];
    if (serin_topic_parse(topic, &message->topic) == SERIN_OK) {
        message->retained = retained;
        message->size = size;
        memcpy(message->payload, payload, size);
        app->inbox_count++;
    }
}

void application_connected(struct board *board, bool connected)
{
    struct serin_agent *agent = &board->app.agent;
    char filter[SERIN_TOPIC_MAX];
    int qos;
    for (size_t n = 0; connected && serin_agent_subscription(agent, n, filter, &qos); n++) {
        board->client->subscribe(board->client->ctx, filter, qos);
    }
    const struct serin_agent_event event = {.kind = connected ? SERIN_AGENT_CONNECTED
                                                              : SERIN_AGENT_DISCONNECTED};
    (void)serin_agent_step(agent, board->hw.uptime_ms, &event);
}

/* ---- the platform port ---- */

static void platform_reset(void *ctx)
{
    ((struct board *)ctx)->app.reset_asked = true; /* after this step, not inside it */
}

static void platform_feed(void *ctx)
{
    hw_watchdog_feed(&((struct board *)ctx)->hw);
}

static uint64_t platform_unix_time_s(void *ctx)
{
    (void)ctx;
    return 0; /* the board has no clock */
}

static const struct serin_platform_ops platform_ops = {
    .reset = platform_reset, .feed = platform_feed, .unix_time_s = platform_unix_time_s};

/* ---- the loop ---- */

void application_start(struct board *board)
{
    struct application *app = &board->app;
    struct serin_agent_boot_info info;
    memset(app, 0, sizeof *app);
    if (!board_take_over(board, &info) || board_open(board, &app->boot) != SERIN_OK) {
        board_farewell(board, BOARD_FAREWELL_CRASHED); /* not started by the bootloader */
        return;
    }
    app->config = (struct serin_agent_config){.boot = &app->boot,
                                              .codec = board->codec,
                                              .link = &link_ops,
                                              .link_ctx = board,
                                              .platform = &platform_ops,
                                              .platform_ctx = board,
                                              .block_size = BOARD_BLOCK_SIZE,
                                              .window_blocks = 4,
                                              .beat_interval_s = 3600,
                                              .report_retry_min_ms = 5000,
                                              .report_retry_max_ms = 3600000,
                                              .block_timeout_ms = 10000,
                                              .confirm_needs_directive = true,
                                              .scratch = app->scratch,
                                              .scratch_size = sizeof app->scratch};
    if (serin_agent_init(&app->agent, &app->config, &info, board->hw.uptime_ms) != SERIN_OK) {
        board_farewell(board, BOARD_FAREWELL_CRASHED);
    }
}

/* The product's own work would stand here, and in its health whatever it knows of itself. */
static void confirm_where_healthy(struct application *app, uint64_t now_ms)
{
    const struct serin_agent_event confirm = {.kind = SERIN_AGENT_CONFIRM};
    if (app->healthy && !app->confirmed) {
        app->confirmed = serin_agent_step(&app->agent, now_ms, &confirm) == SERIN_OK;
    }
}

void application_pass(struct board *board)
{
    struct application *app = &board->app;
    uint64_t now_ms = board->hw.uptime_ms;
    struct serin_agent_event event = {.kind = SERIN_AGENT_TICK};
    if (app->inbox_count > 0) {
        const struct board_message *message = &app->inbox[app->inbox_first];
        event = (struct serin_agent_event){.kind = SERIN_AGENT_MESSAGE,
                                           .topic = message->topic.kind,
                                           .retained = message->retained,
                                           .payload = message->payload,
                                           .payload_size = message->size};
    }
    (void)serin_agent_step(&app->agent, now_ms, &event);
    if (event.kind == SERIN_AGENT_MESSAGE) {
        app->inbox_first = (app->inbox_first + 1u) % BOARD_INBOX;
        app->inbox_count--;
    }
    confirm_where_healthy(app, now_ms);
    if (app->reset_asked) {
        board_farewell(board, BOARD_FAREWELL_REQUESTED);
    }
}

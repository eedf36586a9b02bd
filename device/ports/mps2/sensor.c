/*
 * serin-sensor: a small product with Serin in it. It measures a temperature once a second (this
 * board has no sensor, so the value is made up), publishes it on telemetry/ID, and takes updates.
 *
 * What Serin adds to such a product stands between the two lines that bear its name, and in the
 * calls that are marked.
 */
#include "sensor.h"

#include "board.h"
#include "credentials.h"
#include "hardware.h"
#include "network.h"
#include "random.h"
#include "startup.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/device/agent_state.h>
#include <serin/piece.h>
#include <serin/ports/agent_link.h>
#include <serin/ports/nanopb.h>
#include <serin/ports/tcp_stream.h>
#include <serin/ports/tls_stream.h>

#include <string.h>

#define MEASURE_MS   1000u
#define CONNECT_MS   20000u
#define ANSWER_MS    20000u
#define KEEP_ALIVE_S 30u
#define INBOX_SIZE   2560u /* trust records; blocks are smaller */
#define OUTBOX_SIZE  SERIN_AGENT_LINK_OUTBOX_MIN
#define TOPIC        "telemetry/"

static struct {
    struct board_credentials credentials;
    struct serin_tcp_stream tcp;
    struct serin_tls_stream_config tls_config;
    struct serin_tls_stream tls;
    struct serin_mqtt_client client;
    uint8_t inbox[INBOX_SIZE], outbox[OUTBOX_SIZE];
    uint64_t now_ms, measure_ms;
    uint32_t measured; /* since the boot */
    char topic[sizeof TOPIC + SERIN_ID_MAX];
} sensor;

/* SysTick's count, which begins anew after 49 days. */
static uint64_t time_ms(void)
{
    sensor.now_ms += (uint32_t)(hw_time_ms() - (uint32_t)sensor.now_ms);
    return sensor.now_ms;
}

/* Not there in the product. */
__attribute__((weak)) void sensor_fault_point(void *ctx, const char *name);

/* ==== Serin ==== */

static struct {
    struct serin_boot boot;
    struct serin_agent_config config;
    struct serin_agent agent;
    struct serin_agent_link link;
    uint8_t scratch[SERIN_PIECE_SIZE];
    bool reset_asked, confirmed;
} update;

static void platform_reset(void *ctx)
{
    (void)ctx;
    update.reset_asked = true; /* after this step, not inside it */
}

static void platform_feed(void *ctx)
{
    (void)ctx;
    hw_watchdog_feed();
}

static uint64_t platform_unix_time_s(void *ctx)
{
    (void)ctx;
    return 0; /* the board has no clock */
}

static void platform_log(void *ctx, const char *line)
{
    (void)ctx;
    hw_print(line);
    hw_print("\n");
}

static const struct serin_platform_ops platform_ops = {.reset = platform_reset,
                                                       .feed = platform_feed,
                                                       .unix_time_s = platform_unix_time_s,
                                                       .log = platform_log,
                                                       .fault_point = sensor_fault_point};

static enum serin_error update_start(void)
{
    struct serin_agent_boot_info info;
    if (!board_take_over(&info)) {
        return SERIN_ERR_STATE; /* not started by the bootloader */
    }
    update.boot = (struct serin_boot){.crypto = serin_wolfcrypt(),
                                      .flash = &board_flash,
                                      .layout = &board_layout,
                                      .root_key = BOARD_ROOT_KEY,
                                      .identity = &board_identity};
    update.config = (struct serin_agent_config){.boot = &update.boot,
                                                .codec = serin_nanopb_agent(),
                                                .link = &serin_agent_link_ops,
                                                .link_ctx = &update.link,
                                                .platform = &platform_ops,
                                                .block_size = 1024,
                                                .window_blocks = 4,
                                                .beat_interval_s = 60,
                                                .report_retry_min_ms = 5000,
                                                .report_retry_max_ms = 3600000,
                                                .block_timeout_ms = 10000,
                                                .confirm_needs_directive = true,
                                                .scratch = update.scratch,
                                                .scratch_size = sizeof update.scratch};
    const struct serin_agent_link_config link = {.client = &sensor.client,
                                                 .agent = &update.agent,
                                                 .crypto = serin_wolfcrypt(),
                                                 .device_id = board_identity.device_id,
                                                 .retry_min_ms = 500,
                                                 .retry_max_ms = 60000};
    enum serin_error error = serin_agent_link_init(&update.link, &link, time_ms());
    return error == SERIN_OK ? serin_agent_init(&update.agent, &update.config, &info, time_ms())
                             : error;
}

/* After each turn. The product works when it measures: it says so until it is heard. */
static void update_turn(bool works)
{
    const struct serin_agent_event confirm = {.kind = SERIN_AGENT_CONFIRM};
    if (works && !update.confirmed) {
        update.confirmed = serin_agent_step(&update.agent, time_ms(), &confirm) == SERIN_OK;
    }
    if (update.reset_asked) {
        board_farewell(BOARD_FAREWELL_REQUESTED);
    }
}

/* ==== the product ==== */

/* Tenths of a degree. */
static uint32_t temperature(void)
{
    return 210u + board_random() % 20u;
}

static void measure(void)
{
    uint32_t tenths = temperature();
    const uint8_t text[] = {(uint8_t)('0' + tenths / 100), (uint8_t)('0' + tenths / 10 % 10), '.',
                            (uint8_t)('0' + tenths % 10)};
    enum serin_error error =
        serin_mqtt_client_publish(&sensor.client, sensor.topic, 0, false, text, sizeof text, NULL);
    sensor.measured += error == SERIN_OK ? 1 : 0; /* one that is lost is followed by the next */
    sensor.measure_ms = time_ms() + MEASURE_MS;
}

__attribute__((weak)) bool sensor_works(uint32_t measured)
{
    return measured >= 2;
}

static void turn(void)
{
    struct serin_mqtt_client_event event;
    board_network_poll();
    serin_tls_stream_poll(&sensor.tls);
    switch (serin_agent_link_step(&update.link, time_ms(), &event)) { /* Serin */
    case SERIN_MQTT_CONNECTED:
        hw_print("connected\n");
        break;
    case SERIN_MQTT_LOST:
        hw_print("disconnected\n");
        break;
    case SERIN_MQTT_NOTHING:
        board_network_wait();
        break;
    case SERIN_MQTT_MESSAGE: /* one of the product's own would be here */
    case SERIN_MQTT_PUBLISHED:
    case SERIN_MQTT_SUBSCRIBED:
        break;
    }
    if (time_ms() >= sensor.measure_ms) {
        measure();
    }
    update_turn(sensor_works(sensor.measured)); /* Serin */
}

static enum serin_error connection_start(void)
{
    const struct board_credentials *credentials = &sensor.credentials;
    const uint8_t *address = credentials->address;
    ip_addr_t broker;
    IP_ADDR4(&broker, address[0], address[1], address[2], address[3]);
    serin_tcp_stream_init(&sensor.tcp, &broker, credentials->port);
    sensor.tls_config = (struct serin_tls_stream_config){.lower = &serin_tcp_stream_ops,
                                                         .lower_ctx = &sensor.tcp,
                                                         .ca = credentials->ca,
                                                         .certificate = credentials->certificate,
                                                         .key = credentials->key,
                                                         .server_name = credentials->server_name};
    memcpy(sensor.topic, TOPIC, sizeof TOPIC);
    enum serin_error error = serin_text_copy(sensor.topic + sizeof TOPIC - 1, SERIN_ID_MAX + 1,
                                             board_identity.device_id);
    if (error == SERIN_OK) {
        error = serin_tls_stream_init(&sensor.tls, &sensor.tls_config);
    }
    if (error != SERIN_OK) {
        return error;
    }
    const struct serin_mqtt_client_config config = {.stream = &serin_tls_stream_ops,
                                                    .stream_ctx = &sensor.tls,
                                                    .client_id = board_identity.device_id,
                                                    .keep_alive_s = KEEP_ALIVE_S,
                                                    .connect_ms = CONNECT_MS,
                                                    .answer_ms = ANSWER_MS,
                                                    .inbox = sensor.inbox,
                                                    .inbox_size = sizeof sensor.inbox,
                                                    .outbox = sensor.outbox,
                                                    .outbox_size = sizeof sensor.outbox};
    return serin_mqtt_client_init(&sensor.client, &config);
}

int main(void)
{
    hw_uart_init();
    hw_time_start();
    enum serin_error error = board_credentials_open(&sensor.credentials);
    if (error == SERIN_OK) {
        error = board_random_start(serin_wolfcrypt(), sensor.credentials.seed);
    }
    if (error == SERIN_OK) {
        error = board_identity_read();
    }
    if (error == SERIN_OK) {
        error = connection_start();
    }
    if (error == SERIN_OK) {
        error = update_start(); /* Serin: early, before what may wait for hardware */
    }
    if (error == SERIN_OK && !board_network_start()) {
        error = SERIN_ERR_NOT_FOUND;
    }
    hw_print("sensor ");
    hw_print_hex((uint32_t)error);
    hw_print("\n");
    if (error != SERIN_OK) {
        board_farewell(BOARD_FAREWELL_CRASHED);
    }
    for (;;) {
        turn();
    }
}

/*
 * Tries the board's network against a real broker: connects by TLS with the device's certificate,
 * says hello, and answers each message with its size and checksum. For tests/board/network.sh, and
 * for whoever brings up another board.
 *
 *   publishes   probe/up     "hello BOOT", "got SIZE CRC-32", "figures HEAP PEAK STACK":
 * hexadecimal listens to  probe/down   "reset", "figures", "leave" (and come back), anything else
 */
#include "board.h"
#include "credentials.h"
#include "hardware.h"
#include "network.h"
#include "random.h"
#include "startup.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/ports/mqtt.h>
#include <serin/ports/tcp_stream.h>
#include <serin/ports/tls_heap.h>
#include <serin/ports/tls_stream.h>

#include <lwip/pbuf.h>

#include <string.h>

#define INBOX_SIZE    5120u
#define OUTBOX_SIZE   2048u
#define RETRY_MS      500u
#define CONNECT_MS    5000u
#define ANSWER_MS     5000u
#define KEEP_ALIVE_S  4u
#define STACK_PAINTED 8192u
#define STACK_PAINT   0xA5A5A5A5u
#define TEXT_SIZE     64u
#define HOARD_MS      1500u

static struct {
    struct board_credentials credentials;
    struct serin_tcp_stream tcp;
    struct serin_tls_stream_config tls_config;
    struct serin_tls_stream tls;
    struct serin_mqtt_client client;
    uint8_t inbox[INBOX_SIZE], outbox[OUTBOX_SIZE];
    struct pbuf *hoard;
    uint64_t now_ms, retry_ms, hoard_ms;
    bool leaving;
} probe;

/* ---- figures ---- */

static uint32_t *stack_painted(void)
{
    return (uint32_t *)((uintptr_t)board_stack_top - STACK_PAINTED);
}

/* As the first of main: below it nothing is in use. */
static void stack_paint(void)
{
    const uint32_t *here = __builtin_frame_address(0);
    for (volatile uint32_t *word = stack_painted(); word < here - 16; word++) {
        *word = STACK_PAINT;
    }
}

static uint32_t stack_deepest(void)
{
    const uint32_t *word = stack_painted();
    while (*word == STACK_PAINT) {
        word++;
    }
    return (uint32_t)(board_stack_top - word) * (uint32_t)sizeof *word;
}

/* SysTick's count, which begins anew after 49 days. */
static uint64_t time_ms(void)
{
    probe.now_ms += (uint32_t)(hw_time_ms() - (uint32_t)probe.now_ms);
    return probe.now_ms;
}

/* ---- words ---- */

struct text {
    char bytes[TEXT_SIZE];
    size_t size;
};

static void word_add(struct text *text, const char *word)
{
    while (*word != '\0' && text->size < TEXT_SIZE) {
        text->bytes[text->size++] = *word++;
    }
}

static void number_add(struct text *text, uint32_t number)
{
    static const char digits[] = "0123456789abcdef";
    word_add(text, " ");
    for (int shift = 28; shift >= 0; shift -= 4) {
        const char digit[] = {digits[number >> shift & 0xFu], '\0'};
        word_add(text, digit);
    }
}

static void print(const char *word, uint32_t number)
{
    hw_print(word);
    hw_print(" ");
    hw_print_hex(number);
    hw_print("\n");
}

/* What finds no room is lost, and is said here: a test that misses an answer fails. */
static void tell(const struct text *text)
{
    enum serin_error error = serin_mqtt_client_publish(
        &probe.client, "probe/up", 0, false, (const uint8_t *)text->bytes, text->size, NULL);
    if (error != SERIN_OK) {
        print("untold", (uint32_t)error);
    }
}

/* ---- what happens ---- */

static bool is(const struct serin_mqtt_client_event *event, const char *word)
{
    return event->size == strlen(word) && memcmp(event->payload, word, event->size) == 0;
}

static void hoard(void)
{
    struct pbuf *one = NULL;
    while ((one = pbuf_alloc(PBUF_RAW, 1, PBUF_POOL)) != NULL) {
        if (probe.hoard == NULL) {
            probe.hoard = one;
        } else {
            pbuf_cat(probe.hoard, one);
        }
    }
    probe.hoard_ms = time_ms() + HOARD_MS;
}

static void message(const struct serin_mqtt_client_event *event)
{
    struct text text = {.size = 0};
    if (is(event, "reset")) {
        hw_reset();
    } else if (is(event, "leave")) {
        probe.leaving = true;
    } else if (is(event, "full")) {
        hoard();
    } else if (is(event, "figures")) {
        struct serin_tls_heap_usage heap = serin_tls_heap_usage();
        word_add(&text, "figures");
        number_add(&text, (uint32_t)heap.used);
        number_add(&text, (uint32_t)heap.peak);
        number_add(&text, stack_deepest());
        tell(&text);
    } else {
        word_add(&text, "got");
        number_add(&text, (uint32_t)event->size);
        number_add(&text, serin_crc32(0, event->payload, event->size));
        tell(&text);
    }
}

static void handle(const struct serin_mqtt_client_event *event)
{
    struct text text = {.size = 0};
    switch (event->kind) {
    case SERIN_MQTT_NOTHING:
    case SERIN_MQTT_PUBLISHED:
        break;
    case SERIN_MQTT_CONNECTED:
        hw_print("connected\n");
        if (serin_mqtt_client_subscribe(&probe.client, "probe/down", 1, NULL) != SERIN_OK) {
            serin_mqtt_client_close(&probe.client); /* begun anew by the next turn */
        }
        break;
    case SERIN_MQTT_SUBSCRIBED:
        word_add(&text, "hello");
        number_add(&text, board_boots());
        tell(&text);
        break;
    case SERIN_MQTT_MESSAGE:
        message(event);
        break;
    case SERIN_MQTT_LOST:
        print("lost", (uint32_t)event->error);
        print("tls", (uint32_t)-serin_tls_stream_why(&probe.tls));
        print("heap", (uint32_t)serin_tls_heap_usage().used);
        probe.retry_ms = time_ms() + RETRY_MS;
        break;
    }
}

static void turn(void)
{
    struct serin_mqtt_client_event event;
    board_network_poll();
    serin_tls_stream_poll(&probe.tls);
    if (serin_mqtt_client_step(&probe.client, time_ms(), &event) == SERIN_MQTT_NOTHING) {
        board_network_wait();
    }
    handle(&event);
    if (probe.leaving && serin_mqtt_client_disconnect(&probe.client) == SERIN_OK) {
        probe.leaving = false;
    }
    if (probe.hoard != NULL && time_ms() >= probe.hoard_ms) {
        pbuf_free(probe.hoard);
        probe.hoard = NULL;
    }
    if (board_network_up() && time_ms() >= probe.retry_ms &&
        serin_mqtt_client_connect(&probe.client, time_ms()) != SERIN_ERR_STATE) {
        probe.retry_ms = time_ms() + RETRY_MS;
    }
}

/* ---- the start ---- */

static enum serin_error client_start(void)
{
    const struct board_credentials *credentials = &probe.credentials;
    const uint8_t *address = credentials->address;
    ip_addr_t broker;
    IP_ADDR4(&broker, address[0], address[1], address[2], address[3]);
    serin_tcp_stream_init(&probe.tcp, &broker, credentials->port);
    probe.tls_config = (struct serin_tls_stream_config){.lower = &serin_tcp_stream_ops,
                                                        .lower_ctx = &probe.tcp,
                                                        .ca = credentials->ca,
                                                        .certificate = credentials->certificate,
                                                        .key = credentials->key,
                                                        .server_name = credentials->server_name};
    enum serin_error error = serin_tls_stream_init(&probe.tls, &probe.tls_config);
    if (error != SERIN_OK) {
        return error;
    }
    const struct serin_mqtt_client_config config = {.stream = &serin_tls_stream_ops,
                                                    .stream_ctx = &probe.tls,
                                                    .client_id = "probe",
                                                    .keep_alive_s = KEEP_ALIVE_S,
                                                    .connect_ms = CONNECT_MS,
                                                    .answer_ms = ANSWER_MS,
                                                    .inbox = probe.inbox,
                                                    .inbox_size = sizeof probe.inbox,
                                                    .outbox = probe.outbox,
                                                    .outbox_size = sizeof probe.outbox};
    return serin_mqtt_client_init(&probe.client, &config);
}

int main(void)
{
    stack_paint();
    hw_uart_init();
    hw_time_start();
    enum serin_error error = board_credentials_open(&probe.credentials);
    if (error == SERIN_OK) {
        error = board_random_start(serin_wolfcrypt(), probe.credentials.seed);
    }
    if (error == SERIN_OK && !board_network_start()) {
        error = SERIN_ERR_NOT_FOUND;
    }
    if (error == SERIN_OK) {
        error = client_start();
    }
    print("probe", (uint32_t)error);
    for (;;) {
        if (error == SERIN_OK) {
            turn();
        }
    }
}

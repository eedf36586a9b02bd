/*
 * A board's MQTT client (serin/ports/mqtt.h) on a stream that is played by the test: what comes is
 * written out in hexadecimal, comes in pieces of any size, and what goes out is kept.
 */
#ifndef SERIN_TESTS_MQTT_CLIENT_BENCH_H
#define SERIN_TESTS_MQTT_CLIENT_BENCH_H

#include "check_main.h"

#include <serin/ports/mqtt.h>

#include <string.h>

#define BENCH_BYTES  200000u
#define BENCH_INBOX  256u
#define BENCH_OUTBOX 256u

struct played_stream {
    bool open;
    enum serin_error open_error;
    bool send_fails, receive_fails; /* receive: once all that came is taken */
    size_t send_piece;              /* most bytes taken by one call; SIZE_MAX: all */
    size_t receive_piece;
    size_t send_room; /* bytes taken in all, until the test makes more room; SIZE_MAX: any number */
    uint8_t in[BENCH_BYTES];
    size_t in_size, in_at;
    uint8_t out[BENCH_BYTES];
    size_t out_size;
    unsigned opened, closed;
};

struct mqtt_bench {
    struct played_stream stream;
    struct serin_mqtt_client_config config;
    struct serin_mqtt_client client;
    struct serin_mqtt_client_event event;
    uint64_t now_ms;
    /* Of their exact size on the heap, so that AddressSanitizer sees what is past them. */
    uint8_t *inbox, *outbox;
};

extern struct mqtt_bench bench;

/* A client in the state CLOSED, all else as usual. */
void bench_start(void);
/* With another inbox and outbox. */
void bench_start_sized(size_t inbox, size_t outbox);
/* The broker says these bytes; spaces are for the reader. */
void bench_say(const char *hex);
void bench_say_bytes(const uint8_t *bytes, size_t size);
/* A PUBLISH with a payload of `size` bytes, 0, 1, 2 … */
void bench_say_publish(uint8_t flags, const char *topic, uint16_t id, size_t size);
/* One step. */
enum serin_mqtt_event_kind bench_step(void);
/* Steps until nothing comes in and nothing goes out; asserts that no event is told. */
void bench_quiet(void);
/* Steps until an event is told; asserts that it is of this kind. */
void bench_expect(enum serin_mqtt_event_kind kind);
/* LOST, with this error. */
void bench_expect_lost(enum serin_error error);
/* Connected, and what was sent for it forgotten. */
void bench_connected(void);
/* Asserts that exactly these bytes went out, and forgets them. */
void bench_sent(const char *hex);

#endif

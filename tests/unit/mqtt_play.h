/*
 * A board's MQTT client (serin/ports/mqtt.h) on a stream that is played by the test: what comes is
 * written out in hexadecimal, comes in pieces of any size, and what goes out is kept.
 */
#ifndef SERIN_TESTS_MQTT_CLIENT_PLAY_H
#define SERIN_TESTS_MQTT_CLIENT_PLAY_H

#include "check_main.h"

#include <serin/ports/mqtt.h>

#include <string.h>

#define PLAY_BYTES  200000u
#define PLAY_INBOX  256u
#define PLAY_OUTBOX 256u

struct played_stream {
    bool open;
    enum serin_error open_error;
    bool send_fails, receive_fails; /* receive: once all that came is taken */
    size_t send_piece;              /* most bytes taken by one call; SIZE_MAX: all */
    size_t receive_piece;
    size_t send_room; /* bytes taken in all, until the test makes more room; SIZE_MAX: any number */
    uint8_t in[PLAY_BYTES];
    size_t in_size, in_at;
    uint8_t out[PLAY_BYTES];
    size_t out_size;
    unsigned opened, closed;
};

struct mqtt_play {
    struct played_stream stream;
    struct serin_mqtt_client_config config;
    struct serin_mqtt_client client;
    struct serin_mqtt_client_event event;
    uint64_t now_ms;
    /* Of their exact size on the heap, so that AddressSanitizer sees what is past them. */
    uint8_t *inbox, *outbox;
};

extern struct mqtt_play play;

/* A client in the state CLOSED, all else as usual. */
void play_start(void);
/* With another inbox and outbox. */
void play_start_sized(size_t inbox, size_t outbox);
/* The broker says these bytes; spaces are for the reader. */
void play_say(const char *hex);
void play_say_bytes(const uint8_t *bytes, size_t size);
/* A PUBLISH with a payload of `size` bytes, 0, 1, 2 … */
void play_say_publish(uint8_t flags, const char *topic, uint16_t id, size_t size);
/* One step. */
enum serin_mqtt_event_kind play_step(void);
/* Steps until nothing comes in and nothing goes out; asserts that no event is told. */
void play_quiet(void);
/* Steps until an event is told; asserts that it is of this kind. */
void play_expect(enum serin_mqtt_event_kind kind);
/* LOST, with this error. */
void play_expect_lost(enum serin_error error);
/* Connected, and what was sent for it forgotten. */
void play_connected(void);
/* Asserts that exactly these bytes went out, and forgets them. */
void play_sent(const char *hex);

#endif

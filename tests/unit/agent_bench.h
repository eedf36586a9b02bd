/*
 * A device on the bench: a real serin-agent with its flash and its application, a real Mosquitto,
 * and the test itself in the place of serind and the plugin. It signs releases and directives,
 * answers requests for blocks from memory, and acks reports.
 */
#ifndef SERIN_TESTS_AGENT_BENCH_H
#define SERIN_TESTS_AGENT_BENCH_H

#include <serin/adapters/mqtt.h>
#include <serin/codec.h>

#include "broker.h"

#define BENCH_OBJECTS_MAX 32

struct bench_object {
    uint8_t name[SERIN_SHA256_SIZE];
    uint8_t *data;
    size_t size;
};

struct bench_release {
    uint8_t id[SERIN_SHA256_SIZE];
    uint8_t *image;
    size_t image_size;
    char bundle[128]; /* file */
};

struct bench {
    struct broker broker;
    char folder[64], config[96], socket[96], trust[96], log[96];
    struct serin_mqtt *mqtt;
    pid_t agent; /* 0: not running */
    size_t object_count;
    struct bench_object objects[BENCH_OBJECTS_MAX];
    uint32_t sequence;     /* of the last directive */
    unsigned watchdog_s;   /* of the application, for bench_configure; 1 */
    unsigned corrupt;      /* blocks that are still to be damaged on their way: every fifth, once */
    size_t corrupt_from;   /* the offset that they are not before */
    uint64_t served_bytes; /* of images */
    unsigned reports;
    struct serin_report report; /* the last one */
    struct serin_beat beat;     /* the last one */
};

/* What a release is made of; 0 and NULL take defaults. */
struct bench_make {
    const char *version, *image_file;
    const void *image; /* instead of image_file */
    size_t image_size;
    uint16_t window_s; /* 60 */
    const char *product;
};

void bench_open(struct bench *bench);
void bench_close(struct bench *bench); /* everything ends and vanishes */

/* Writes the agent's configuration: `exec` and lines to add. */
void bench_configure(struct bench *bench, bool exec, const char *more);

/* Signs a release, writes its bundle and puts its objects where blocks come from. */
void bench_release(struct bench *bench, struct bench_release *release,
                   const struct bench_make *make);
void bench_release_free(struct bench_release *release);

/* Makes `release` the stable one of the channel, in a new directive. */
void bench_offer(struct bench *bench, const struct bench_release *release, uint32_t attempt);

/* Runs serin-agent with these arguments (NULL ends them); returns its exit status, 128 + n after
 * signal n. `output`, which may be NULL, gets at most `capacity` - 1 bytes of what it says on both
 * outputs. */
int bench_command(const struct bench *bench, char *output, size_t capacity, ...);

/* Makes the device anew from `release`; asserts. */
void bench_provision(struct bench *bench, const struct bench_release *release);

/* Starts and ends `serin-agent run`. `fault`: a plan for SERIN_FAULT, or NULL. bench_agent_stop
 * asserts a clean end; bench_agent_gone waits for an end that the test has arranged and returns its
 * status as bench_command does. */
void bench_agent_start(struct bench *bench, const char *fault);
void bench_agent_stop(struct bench *bench);
int bench_agent_gone(struct bench *bench, int seconds);

/* Serves the device for `ms`. */
void bench_serve(struct bench *bench, int ms);

/* Serves the device until the latest attempt is `state`, or fails after `seconds`. */
void bench_until_state(struct bench *bench, enum serin_state state, int seconds);

/* Serves the device until the agent's log has `text`, or fails. */
void bench_until_log(struct bench *bench, const char *text, int seconds);

/* The last transition of the latest attempt in the last report. */
const struct serin_transition *bench_last(const struct bench *bench);

/* Whether a text stands in the agent's log. */
bool bench_log_has(const struct bench *bench, const char *text);

#endif

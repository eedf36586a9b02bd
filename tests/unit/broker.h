/*
 * A real Mosquitto for one test: on free loopback ports, in a temporary folder, killed by its own
 * pid.
 */
#ifndef SERIN_TESTS_BROKER_H
#define SERIN_TESTS_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct broker {
    char folder[64];
    uint16_t port;     /* plain */
    uint16_t tls_port; /* 0: none */
    pid_t pid;         /* 0: not running */
};

/* A temporary folder for the test's files; asserts on failure. */
void broker_folder(struct broker *broker);
/* Starts Mosquitto and waits until it listens. With `tls` the folder holds ca.pem, broker.pem and
 * broker.key, and a client needs a certificate. Started again after broker_kill it takes the same
 * ports. `extra`: lines for its configuration, or NULL. */
void broker_start(struct broker *broker, bool tls, const char *extra);
void broker_kill(struct broker *broker);
/* Kills and removes the folder. */
void broker_end(struct broker *broker);

/* A port of 127.0.0.1 that was free a moment ago. */
uint16_t free_port(void);

#endif

/*
 * What the commands of serin-gateway share (main.c; docs/serin-gateway.md).
 */
#ifndef SERIN_GATEWAY_PROGRAM_H
#define SERIN_GATEWAY_PROGRAM_H

#include <serin/adapters/gateway_config.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_REFUSED = 4 /* another gateway runs, or none answers */
};

/* Prints "serin-gateway: …" as one line on standard error; returns `code`. */
enum exit_code complain(enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define GATEWAY_CHECK_WHY_MAX 1024u

/* What can be known of a configuration without starting: keys, trust record, certificates' files,
 * URIs. SERIN_ERR_CONFIG: `why` says what is wrong. */
SERIN_MUST_USE enum serin_error gateway_check(const struct serin_gateway_config *config,
                                              char why[GATEWAY_CHECK_WHY_MAX]);

/* `serin-gateway status`: asks the gateway that listens at `socket` and prints what it says, as a
 * table or as JSON; with its nodes, too. */
enum exit_code command_status(const char *socket, bool json, bool nodes);

#endif

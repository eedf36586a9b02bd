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

/* What can be known of a configuration without starting: keys, trust record, URIs, certificates
 * (whose they are, and that their keys are theirs), and that its folders can be written. Whether a
 * certificate is still valid is the broker's affair: a site goes on without its uplink.
 * SERIN_ERR_CONFIG: `wrong` names file, line and key. */
SERIN_MUST_USE enum serin_error gateway_check(const struct serin_gateway_config *config,
                                              struct serin_yaml_error *wrong);

/* `serin-gateway status`: asks the gateway that listens at `socket` and prints what it says, as a
 * table or as JSON; with its nodes, too. */
enum exit_code command_status(const char *socket, bool json, bool nodes);

#endif

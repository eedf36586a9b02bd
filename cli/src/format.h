/*
 * Small texts: hashes, times, sizes.
 */
#ifndef SERIN_CLI_FORMAT_H
#define SERIN_CLI_FORMAT_H

#include <serin/cli/cli.h>

#define SERIN_CLI_TIME_SIZE  24u
#define SERIN_CLI_KEY_SIZE   17u
#define SERIN_CLI_SHORT_SIZE 32u

/* "2026-01-31T12:00:00Z"; "-" for 0 and for what no calendar holds. */
void serin_cli_format_time(uint64_t unix_s, char text[SERIN_CLI_TIME_SIZE]);
/* "512 bytes", "12.3 KiB", "1.0 MiB". */
void serin_cli_format_size(uint64_t bytes, char text[SERIN_CLI_SHORT_SIZE]);
/* "90s", "24h", "2d 3h". */
void serin_cli_format_seconds(uint64_t seconds, char text[SERIN_CLI_SHORT_SIZE]);

/* Prints how much of `whole` is done, as a bar of twenty blocks. */
void serin_cli_print_bar(const struct serin_cli *cli, uint64_t part, uint64_t whole,
                         enum serin_cli_colour colour);

#endif

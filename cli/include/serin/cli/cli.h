/*
 * The operator's command: what every command gets to work with, and how it speaks.
 *
 * main.c gives the outside world as `struct serin_cli_world`, so that a test can run any command in
 * its own process. Results go to `out`; complaints and progress go to `err`.
 */
#ifndef SERIN_CLI_CLI_H
#define SERIN_CLI_CLI_H

#include <serin/cli/args.h>
#include <serin/crypto.h>

#include <stdio.h>

#define SERIN_CLI_DEFAULT_SERVER "http://127.0.0.1:8470"

/* The outside world. */
struct serin_cli_world {
    FILE *out, *err;
    bool out_terminal, err_terminal;
    const char *(*environment)(const char *name); /* NULL: not set */
    uint64_t (*unix_time_s)(void);
    void (*pause_ms)(uint32_t ms);
};

struct serin_json;
struct serin_http_client;

struct serin_cli {
    const struct serin_cli_world *world;
    struct serin_cli_args args;
    const struct serin_crypto *crypto;
    bool json;
    struct serin_http_client *client; /* opened by the first request */
};

/* Runs the program: parses, runs, closes. The return value is the exit status. */
enum serin_cli_exit serin_cli_main(const struct serin_cli_world *world, int argc, char **argv);

/* ---- options of the running command; a programmer error where it has no such option ---- */

bool serin_cli_has(const struct serin_cli *cli, const char *option); /* given on the command line */
/* The text of a value, or NULL where it is neither given nor has a fallback. */
const char *serin_cli_text(const struct serin_cli *cli, const char *option);
uint64_t serin_cli_number(const struct serin_cli *cli, const char *option);
const struct serin_cli_value *serin_cli_value(const struct serin_cli *cli, const char *option);

/* ---- speaking ---- */

/* Complains on standard error, one line that begins with the program's name and the command;
 * returns `exit`. */
__attribute__((format(printf, 3, 4))) enum serin_cli_exit
serin_cli_fail(const struct serin_cli *cli, enum serin_cli_exit exit, const char *format, ...);

/* Says something on the side, in the same form; not an error. */
__attribute__((format(printf, 2, 3))) void serin_cli_note(const struct serin_cli *cli,
                                                          const char *format, ...);

/* Prints to the result. */
__attribute__((format(printf, 2, 3))) void serin_cli_print(const struct serin_cli *cli,
                                                           const char *format, ...);

/* Prints a JSON value and a newline, and frees it. */
void serin_cli_print_json(const struct serin_cli *cli, struct serin_json *value);

/* Prints a text that another party chose, with '?' for control characters, which could take over a
 * terminal; padded with spaces to `width` columns. */
void serin_cli_print_foreign(const struct serin_cli *cli, const char *text, unsigned width);

/* The exit status for an error of a file or of its content. */
enum serin_cli_exit serin_cli_exit_of(enum serin_error error);

enum serin_cli_colour {
    SERIN_CLI_PLAIN,
    SERIN_CLI_GOOD,
    SERIN_CLI_BAD,
    SERIN_CLI_BUSY,
    SERIN_CLI_DIM,
    SERIN_CLI_BOLD
};
/* The terminal's sequence for a colour, PLAIN ends it; "" where the result is no terminal or
 * NO_COLOR is set. */
const char *serin_cli_colour(const struct serin_cli *cli, enum serin_cli_colour colour);
/* The colour of a state of devices and rollouts, by its word. */
enum serin_cli_colour serin_cli_state_colour(const char *state);

/* ---- help ---- */

/* Prints the help of the program, a group or a command. */
void serin_cli_help(const struct serin_cli *cli, const struct serin_cli_table *table, FILE *file);

/* ---- the commands ---- */

extern const struct serin_cli_table serin_cli_table;

#endif

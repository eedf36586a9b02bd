/*
 * The frame of the program: parse, run, speak.
 */
#include <serin/adapters/http_client.h>
#include <serin/adapters/json.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/cli/cli.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "0.1.0"

/* ---- options ---- */

bool serin_cli_has(const struct serin_cli *cli, const char *option)
{
    return serin_cli_given(&cli->args, option)->given;
}

const struct serin_cli_value *serin_cli_value(const struct serin_cli *cli, const char *option)
{
    return &serin_cli_given(&cli->args, option)->value;
}

const char *serin_cli_text(const struct serin_cli *cli, const char *option)
{
    return serin_cli_value(cli, option)->text;
}

uint64_t serin_cli_number(const struct serin_cli *cli, const char *option)
{
    return serin_cli_value(cli, option)->number;
}

/* ---- speaking ---- */

/* One line, whatever the message holds: a newline of a file's name or of the server would make two.
 */
__attribute__((format(printf, 2, 0))) static void say(const struct serin_cli *cli,
                                                      const char *format, va_list arguments)
{
    const struct serin_cli_args *args = &cli->args;
    const char *name = args->command != NULL ? args->command->name
                       : args->group != NULL ? args->group->name
                                             : NULL;
    char line[2048];

    (void)vsnprintf(line, sizeof(line), format, arguments);
    for (char *p = line; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
    (void)fprintf(cli->world->err, "serin%s%s: %s\n", name != NULL ? " " : "",
                  name != NULL ? name : "", line);
}

enum serin_cli_exit serin_cli_fail(const struct serin_cli *cli, enum serin_cli_exit exit,
                                   const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);
    return exit;
}

void serin_cli_note(const struct serin_cli *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);
}

void serin_cli_print(const struct serin_cli *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vfprintf(cli->world->out, format, arguments);
    va_end(arguments);
}

void serin_cli_print_json(const struct serin_cli *cli, struct serin_json *value)
{
    char *text = serin_json_print(value, NULL);

    serin_cli_print(cli, "%s\n", text);
    free(text);
    serin_json_free(value);
}

void serin_cli_print_foreign(const struct serin_cli *cli, const char *text, unsigned width)
{
    unsigned done = 0;

    for (const char *p = text; *p != '\0'; p++) {
        unsigned char byte = (unsigned char)*p;
        (void)fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, cli->world->out);
        done += (byte & 0xc0u) != 0x80u ? 1 : 0; /* one column each code point */
    }
    for (; done < width; done++) {
        (void)fputc(' ', cli->world->out);
    }
}

enum serin_cli_exit serin_cli_exit_of(enum serin_error error)
{
    /* What a file says and may not be believed is refused; what it cannot even say is wrong input.
     */
    static const enum serin_cli_exit exits[SERIN_ERROR_COUNT] = {
        [SERIN_ERR_INVALID] = SERIN_CLI_INPUT,       [SERIN_ERR_FORMAT] = SERIN_CLI_INPUT,
        [SERIN_ERR_TRUNCATED] = SERIN_CLI_INPUT,     [SERIN_ERR_TOO_LARGE] = SERIN_CLI_INPUT,
        [SERIN_ERR_CONFIG] = SERIN_CLI_INPUT,        [SERIN_ERR_RESERVED] = SERIN_CLI_REFUSED,
        [SERIN_ERR_VERSION] = SERIN_CLI_REFUSED,     [SERIN_ERR_FEATURE] = SERIN_CLI_REFUSED,
        [SERIN_ERR_SIGNATURE] = SERIN_CLI_REFUSED,   [SERIN_ERR_KEY] = SERIN_CLI_REFUSED,
        [SERIN_ERR_PRODUCT] = SERIN_CLI_REFUSED,     [SERIN_ERR_CHANNEL] = SERIN_CLI_REFUSED,
        [SERIN_ERR_HARDWARE] = SERIN_CLI_REFUSED,    [SERIN_ERR_DEVICE] = SERIN_CLI_REFUSED,
        [SERIN_ERR_COUNTER] = SERIN_CLI_REFUSED,     [SERIN_ERR_DIGEST] = SERIN_CLI_REFUSED,
        [SERIN_ERR_CRC] = SERIN_CLI_REFUSED,         [SERIN_ERR_EXISTS] = SERIN_CLI_REFUSED,
        [SERIN_ERR_STATE] = SERIN_CLI_REFUSED,       [SERIN_ERR_DENIED] = SERIN_CLI_REFUSED,
        [SERIN_ERR_UNSUPPORTED] = SERIN_CLI_INPUT,   [SERIN_ERR_NOT_FOUND] = SERIN_CLI_NOT_FOUND,
        [SERIN_ERR_NETWORK] = SERIN_CLI_UNREACHABLE, [SERIN_ERR_TIMEOUT] = SERIN_CLI_UNREACHABLE,
    };

    if (error == SERIN_OK) {
        return SERIN_CLI_DONE;
    }
    return exits[error] != SERIN_CLI_DONE ? exits[error] : SERIN_CLI_FAILED;
}

const char *serin_cli_colour(const struct serin_cli *cli, enum serin_cli_colour colour)
{
    static const char *const sequences[] = {
        [SERIN_CLI_PLAIN] = "\x1b[0m", [SERIN_CLI_GOOD] = "\x1b[32m", [SERIN_CLI_BAD] = "\x1b[31m",
        [SERIN_CLI_BUSY] = "\x1b[33m", [SERIN_CLI_DIM] = "\x1b[2m",   [SERIN_CLI_BOLD] = "\x1b[1m",
    };
    const char *no_color = cli->world->environment("NO_COLOR");

    if (!cli->world->out_terminal || (no_color != NULL && no_color[0] != '\0')) {
        return "";
    }
    return sequences[colour];
}

enum serin_cli_colour serin_cli_state_colour(const char *state)
{
    static const struct {
        const char *state;
        enum serin_cli_colour colour;
    } colours[] = {
        {"confirmed", SERIN_CLI_GOOD},   {"completed", SERIN_CLI_GOOD},
        {"failed", SERIN_CLI_BAD},       {"rolled_back", SERIN_CLI_BAD},
        {"rejected", SERIN_CLI_BAD},     {"timed_out", SERIN_CLI_BAD},
        {"regressed", SERIN_CLI_BAD},    {"reverted", SERIN_CLI_BAD},
        {"halted", SERIN_CLI_BAD},       {"aborted", SERIN_CLI_BAD},
        {"unreached", SERIN_CLI_BUSY},   {"pending", SERIN_CLI_BUSY},
        {"downloading", SERIN_CLI_BUSY}, {"verifying", SERIN_CLI_BUSY},
        {"staged", SERIN_CLI_BUSY},      {"trial", SERIN_CLI_BUSY},
        {"rolling", SERIN_CLI_BUSY},     {"soaking", SERIN_CLI_BUSY},
        {"paused", SERIN_CLI_BUSY},      {"awaiting", SERIN_CLI_BUSY},
    };

    for (size_t i = 0; state != NULL && i < sizeof(colours) / sizeof(colours[0]); i++) {
        if (strcmp(state, colours[i].state) == 0) {
            return colours[i].colour;
        }
    }
    return SERIN_CLI_PLAIN;
}

/* ---- the program ---- */

static enum serin_cli_exit usage(struct serin_cli *cli)
{
    const struct serin_cli_args *args = &cli->args;
    const char *name = args->command != NULL ? args->command->name
                       : args->group != NULL ? args->group->name
                                             : NULL;

    (void)serin_cli_fail(cli, SERIN_CLI_USAGE, "%s", args->message);
    (void)fprintf(cli->world->err, "Try 'serin%s%s --help'.\n", name != NULL ? " " : "",
                  name != NULL ? name : "");
    return SERIN_CLI_USAGE;
}

/* A result that could not be written is no result: a full disk or a closed pipe must not look like
 * success. */
static enum serin_cli_exit flush(const struct serin_cli *cli, enum serin_cli_exit exit)
{
    if ((fflush(cli->world->out) != 0 || ferror(cli->world->out)) && exit == SERIN_CLI_DONE) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "cannot write to standard output");
    }
    return exit;
}

enum serin_cli_exit serin_cli_main(const struct serin_cli_world *world, int argc, char **argv)
{
    static struct serin_cli cli; /* too large for a stack frame; zeroed for each run */
    enum serin_cli_exit exit = SERIN_CLI_DONE;

    memset(&cli, 0, sizeof(cli));
    cli.world = world;
    cli.crypto = serin_wolfcrypt();
    serin_cli_parse(&serin_cli_table, argc, argv, &cli.args);
    switch (cli.args.ask) {
    case SERIN_CLI_ASK_WRONG:
        return usage(&cli);
    case SERIN_CLI_ASK_HELP:
        serin_cli_help(&cli, &serin_cli_table, world->out);
        return flush(&cli, SERIN_CLI_DONE);
    case SERIN_CLI_ASK_VERSION:
        serin_cli_print(&cli, "serin " VERSION "\n");
        return flush(&cli, SERIN_CLI_DONE);
    case SERIN_CLI_ASK_RUN:
        break;
    }
    cli.json = serin_cli_has(&cli, "json");
    exit = cli.args.command->run(&cli);
    serin_http_client_close(cli.client);
    cli.client = NULL;
    return flush(&cli, exit);
}

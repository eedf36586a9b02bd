/*
 * The command that simulates the same again, for people and for shells.
 */
#include "simulate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct replay {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void replay_add(struct replay *replay,
                                                             const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(replay->text + replay->size, SERIN_CLI_REPLAY_SIZE - replay->size, format,
                         arguments);
    va_end(arguments);
    if (size > 0 && replay->size + (size_t)size < SERIN_CLI_REPLAY_SIZE) {
        replay->size += (size_t)size;
    }
}

/* A word for the shell, in quotes where it needs them. */
static void replay_quoted(struct replay *replay, const char *word)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-";

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        replay_add(replay, "%s", word);
        return;
    }
    replay_add(replay, "'");
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            replay_add(replay, "'\\''");
        } else {
            replay_add(replay, "%c", *word);
        }
    }
    replay_add(replay, "'");
}

/* A name that begins as an option does is none after `=`. */
static void replay_value(struct replay *replay, const char *option, const char *value)
{
    replay_add(replay, " --%s%s", option, value[0] == '-' ? "=" : " ");
    replay_quoted(replay, value);
}

/* Whoever copies the command is told, in a comment of the shell, that what it names is gone. */
static void replay_piped(struct replay *replay, const char *path)
{
    struct stat info;

    if (path != NULL && (stat(path, &info) != 0 || !S_ISREG(info.st_mode))) {
        replay_add(replay, "  # %s was a pipe: save what it says in a file, and name that", path);
    }
}

void serin_cli_simulation_replay(const struct serin_cli_simulation *simulation,
                                 char text[SERIN_CLI_REPLAY_SIZE])
{
    static const char *const values[] = {"image-size", "beat", "limit"};
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_config *config = &simulation->config;
    struct replay replay = {.text = text};

    text[0] = '\0';
    replay_add(&replay, "serin simulate");
    /* More may be added behind: a `--` would make operands of it. */
    replay_add(&replay, " %s", cli->args.operands[0][0] == '-' ? "./" : "");
    replay_quoted(&replay, cli->args.operands[0]);
    replay_add(&replay, " --devices %u --gateways %u --seed %llu", (unsigned)config->devices,
               (unsigned)config->gateways, (unsigned long long)config->seed);
    if (serin_cli_text(cli, "scenario") != NULL) {
        replay_value(&replay, "scenario", serin_cli_text(cli, "scenario"));
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (serin_cli_has(cli, values[i])) {
            replay_value(&replay, values[i], serin_cli_text(cli, values[i]));
        }
    }
    replay_add(&replay, "%s%s", config->raises_counter ? " --raises-counter" : "",
               config->check ? "" : " --unchecked");
    replay_piped(&replay, cli->args.operands[0]);
    replay_piped(&replay, serin_cli_text(cli, "scenario"));
}

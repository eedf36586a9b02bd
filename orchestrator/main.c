/*
 * serind: the orchestrator (docs/serind.md). Composition root: reads arguments and configuration,
 * opens everything, runs the loop, closes everything.
 */
#define _POSIX_C_SOURCE 200809L
#include "shell/config_check.h"
#include "shell/serind.h"
#include "shell/start.h"

#include <serin/adapters/log.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_REFUSED = 4,
};

#define AHEAD_MAX_S 2592000u

struct arguments {
    const char *config;
    bool check;
    struct serind_start start;
};

static const char help[] =
    "serind - firmware rollouts over MQTT: the orchestrator\n"
    "\n"
    "  serind --config FILE [options]\n"
    "\n"
    "  --config FILE        the configuration, such as /etc/serin/serind.yaml\n"
    "  --check              read the configuration, say what is wrong with it, and end\n"
    "  --new-epoch[=N]      start with a new epoch of directive orders, above N where given: "
    "after\n"
    "                       restoring a backup, when serind could not learn that by itself\n"
    "  --signed-ahead SECONDS\n"
    "                       start once with signed time so much further ahead, up to 2592000: "
    "when\n"
    "                       devices take leases for over too early; the alarm on it says so\n"
    "  --log-level LEVEL    debug, info, warn or error; info is the default\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM ends it, SIGHUP opens the audit log again after a log rotation. Operate it with "
    "`serin`.\n"
    "Exit status: 0 ended on a signal, 1 failed, 2 usage, 3 configuration or a file of it wrong,\n"
    "4 refused: keys and trust records do not fit, or another serind is running.\n";

static int usage(const char *what, const char *value)
{
    (void)fprintf(stderr, "serind: %s%s%s; see serind --help\n", what, value != NULL ? ": " : "",
                  value != NULL ? value : "");
    return EXIT_USAGE;
}

/* A whole number of at most `limit`. */
static bool read_number(const char *text, uint32_t limit, uint32_t *number)
{
    char *end = NULL;
    if (*text < '0' || *text > '9' || strlen(text) > 10) {
        return false;
    }
    unsigned long value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return *end == '\0' && value <= limit;
}

/* Reads the arguments. Less than 0: go on; else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    enum { CONFIG = 'c', CHECK = 256, EPOCH, AHEAD, LEVEL, HELP = 'h', VERSION = 'V' };
    static const struct option options[] = {
        {"config", required_argument, NULL, CONFIG},
        {"check", no_argument, NULL, CHECK},
        {"new-epoch", optional_argument, NULL, EPOCH},
        {"signed-ahead", required_argument, NULL, AHEAD},
        {"log-level", required_argument, NULL, LEVEL},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (;;) {
        int option = getopt_long(argc, argv, "c:hV", options, NULL);
        switch (option) {
        case -1:
            if (optind < argc) {
                return usage("too many arguments", argv[optind]);
            }
            return arguments->config != NULL ? -1 : usage("--config is missing", NULL);
        case CONFIG:
            arguments->config = optarg;
            break;
        case CHECK:
            arguments->check = true;
            break;
        case EPOCH:
            arguments->start.new_epoch = true;
            if (optarg != NULL &&
                !read_number(optarg, UINT32_MAX - 1, &arguments->start.epoch_above)) {
                return usage("--new-epoch takes a whole number below 4294967295", optarg);
            }
            break;
        case AHEAD:
            if (optarg == NULL || !read_number(optarg, AHEAD_MAX_S, &arguments->start.ahead_s)) {
                return usage("--signed-ahead takes a whole number of seconds up to 2592000",
                             optarg);
            }
            break;
        case LEVEL:
            if (!serin_log_level_text(optarg)) {
                return usage("--log-level takes debug, info, warn or error", optarg);
            }
            break;
        case HELP:
            (void)fputs(help, stdout);
            return EXIT_DONE;
        case VERSION:
            (void)puts("serind " SERIND_VERSION);
            return EXIT_DONE;
        default:
            return usage("an option is unknown or lacks its value", argv[optind - 1]);
        }
    }
}

static int exit_status(enum serin_error error)
{
    switch ((int)error) {
    case SERIN_ERR_CONFIG:
    case SERIN_ERR_NOT_FOUND:
        return EXIT_CONFIG;
    case SERIN_ERR_BUSY:
    case SERIN_ERR_KEY:
    case SERIN_ERR_SIGNATURE:
    case SERIN_ERR_STALE:
        return EXIT_REFUSED;
    default:
        return EXIT_FAILED;
    }
}

static int run(const struct serind_start *start)
{
    static char why[SERIND_START_WHY_MAX];
    struct serind *serind = NULL;
    serind_signals_block();
    enum serin_error error = serind_open(&serind, start, why);
    if (error != SERIN_OK) {
        (void)fprintf(stderr, "serind: %s\n", why);
        return exit_status(error);
    }
    serind_run(serind);
    serind_close(serind);
    serin_log(SERIN_LOG_INFO, "ended");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config = NULL};
    int status = read_arguments(argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    struct serin_serind_config config;
    struct serin_yaml_error wrong;
    if (serin_serind_config_open(&config, arguments.config, &wrong) != SERIN_OK) {
        (void)fprintf(stderr, "serind: %s\n", wrong.text);
        return EXIT_CONFIG;
    }
    arguments.start.config = &config;
    static char why[SERIND_START_WHY_MAX];
    enum serin_error error = serind_check(&config, why);
    if (error != SERIN_OK) {
        (void)fprintf(stderr, "serind: %s\n", why);
        status = exit_status(error);
    } else if (arguments.check) {
        (void)printf("%s: good\n", arguments.config);
        status = EXIT_DONE;
    } else {
        status = run(&arguments.start);
    }
    serin_serind_config_close(&config);
    return status;
}

/*
 * serin-gateway: one download per site (docs/serin-gateway.md). Composition root: reads arguments
 * and configuration, opens everything, runs the loop, closes everything.
 */
#define _POSIX_C_SOURCE 200809L
#include "shell/gateway.h"
#include "shell/program.h"

#include <serin/adapters/log.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "serin-gateway - firmware for a site: one download, whatever happens to the uplink\n"
    "\n"
    "  serin-gateway run    --config FILE [--log-level debug|info|warn|error]\n"
    "  serin-gateway check  --config FILE\n"
    "  serin-gateway status --config FILE | --socket PATH [--nodes] [--json]\n"
    "  serin-gateway help | --help | --version\n"
    "\n"
    "run      connects the site's broker and the cloud's, until SIGTERM or SIGINT\n"
    "check    reads the configuration and the files that it names, says what is wrong, and ends\n"
    "status   asks the gateway that runs: depot, hit rate, nodes, queue, leases, uplink;\n"
    "         --nodes lists the nodes, --json prints what it said as it said it\n"
    "\n"
    "Exit status: 0 done, or ended on a signal; 1 failed; 2 usage; 3 configuration or a file of it "
    "wrong;\n"
    "4 refused: another gateway runs, or none answers.\n";

struct options {
    const char *config, *socket, *level;
    bool json, nodes;
};

enum {
    OPTION_CONFIG = 1 << 0,
    OPTION_SOCKET = 1 << 1,
    OPTION_LEVEL = 1 << 2,
    OPTION_JSON = 1 << 3,
    OPTION_NODES = 1 << 4
};

enum exit_code complain(enum exit_code code, const char *format, ...)
{
    va_list arguments;
    (void)fputs("serin-gateway: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return code;
}

/* ---- commands ---- */

static enum exit_code exit_code_of(enum serin_error error)
{
    switch ((int)error) {
    case SERIN_OK:
        return EXIT_DONE;
    case SERIN_ERR_CONFIG:
    case SERIN_ERR_NOT_FOUND:
        return EXIT_CONFIG;
    case SERIN_ERR_BUSY:
        return EXIT_REFUSED;
    default:
        return EXIT_FAILED;
    }
}

/* Reads the configuration; `deep`: the files that it names, too. */
static enum exit_code config_load(struct serin_gateway_config *config, const char *path, bool deep)
{
    struct serin_yaml_error wrong;
    if (serin_gateway_config_open(config, path, &wrong) != SERIN_OK) {
        return complain(EXIT_CONFIG, "%s", wrong.text);
    }
    if (deep && gateway_check(config, &wrong) != SERIN_OK) {
        serin_gateway_config_close(config);
        return complain(EXIT_CONFIG, "%s", wrong.text);
    }
    return EXIT_DONE;
}

static enum exit_code serve(const struct serin_gateway_config *config)
{
    static struct gateway gateway;
    gateway_signals_block();
    enum serin_error error = gateway_open(&gateway, config);
    if (error == SERIN_OK) {
        error = gateway_run(&gateway);
        gateway_close(&gateway);
    }
    if (error != SERIN_OK) {
        return complain(exit_code_of(error), "%s", gateway.why);
    }
    serin_log(SERIN_LOG_INFO, "ended");
    return EXIT_DONE;
}

static enum exit_code command_run(const struct options *options)
{
    struct serin_gateway_config config;
    if (options->level != NULL && !serin_log_level_text(options->level)) {
        return complain(EXIT_USAGE, "--log-level takes debug, info, warn or error, not '%s'",
                        options->level);
    }
    enum exit_code code = config_load(&config, options->config, true);
    if (code == EXIT_DONE) {
        code = serve(&config);
        serin_gateway_config_close(&config);
    }
    return code;
}

static enum exit_code command_check(const struct options *options)
{
    struct serin_gateway_config config;
    enum exit_code code = config_load(&config, options->config, true);
    if (code == EXIT_DONE) {
        (void)printf("%s: good\n", options->config);
        serin_gateway_config_close(&config);
    }
    return code;
}

static enum exit_code command_ask(const struct options *options)
{
    struct serin_gateway_config config = {0};
    if ((options->socket == NULL) == (options->config == NULL)) {
        return complain(EXIT_USAGE, "either --config or --socket is needed");
    }
    enum exit_code code = EXIT_DONE;
    const char *socket = options->socket;
    if (socket == NULL) {
        code = config_load(&config, options->config, false);
        socket = config.control_socket;
    }
    if (code == EXIT_DONE) {
        code = command_status(socket, options->json, options->nodes);
    }
    if (options->socket == NULL && code != EXIT_CONFIG) {
        serin_gateway_config_close(&config);
    }
    return code;
}

static const struct command {
    const char *name;
    enum exit_code (*run)(const struct options *options);
    unsigned known, needed;
} commands[] = {
    {"run", command_run, OPTION_CONFIG | OPTION_LEVEL, OPTION_CONFIG},
    {"check", command_check, OPTION_CONFIG, OPTION_CONFIG},
    {"status", command_ask, OPTION_CONFIG | OPTION_SOCKET | OPTION_JSON | OPTION_NODES, 0},
};

/* ---- arguments ---- */

/* Reads the options behind the command. Less than 0: go on; else the exit code. */
static int options_read(const struct command *command, int argc, char **argv,
                        struct options *options)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"socket", required_argument, NULL, 's'},
        {"log-level", required_argument, NULL, 'l'},
        {"json", no_argument, NULL, 'j'},
        {"nodes", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    unsigned given = 0;
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        switch (letter) {
        case 'c':
            options->config = optarg;
            given |= OPTION_CONFIG;
            break;
        case 's':
            options->socket = optarg;
            given |= OPTION_SOCKET;
            break;
        case 'l':
            options->level = optarg;
            given |= OPTION_LEVEL;
            break;
        case 'j':
            options->json = true;
            given |= OPTION_JSON;
            break;
        case 'n':
            options->nodes = true;
            given |= OPTION_NODES;
            break;
        case 'h':
            (void)fputs(help, stdout);
            return EXIT_DONE;
        default:
            return EXIT_USAGE; /* getopt has complained */
        }
    }
    if (optind < argc) {
        return (int)complain(EXIT_USAGE, "'%s' is one argument too many; see serin-gateway --help",
                             argv[optind]);
    }
    if ((given & ~command->known) != 0 || (command->needed & ~given) != 0) {
        return (int)complain(EXIT_USAGE, "%s %s; see serin-gateway --help", command->name,
                             (given & ~command->known) != 0 ? "does not know one of the options"
                                                            : "needs --config FILE");
    }
    return -1;
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int main(int argc, char **argv)
{
    static char name[] = "serin-gateway"; /* what getopt's own complaints start with */
    struct options options = {0};
    if (argc < 2) {
        return (int)complain(EXIT_USAGE, "a command is missing; see serin-gateway --help");
    }
    if (is_help(argv[1]) || strcmp(argv[1], "--version") == 0) {
        if (argc > 2) {
            return (int)complain(
                EXIT_USAGE, "'%s' is one argument too many; see serin-gateway --help", argv[2]);
        }
        (void)fputs(is_help(argv[1]) ? help : GATEWAY_SOFTWARE "\n", stdout);
        return EXIT_DONE;
    }
    const struct command *command = command_find(argv[1]);
    if (command == NULL) {
        return (int)complain(EXIT_USAGE, "there is no command '%s'; see serin-gateway --help",
                             argv[1]);
    }
    argv[1] = name;
    int status = options_read(command, argc - 1, argv + 1, &options);
    return status >= 0 ? status : (int)command->run(&options);
}

/*
 * serin-agent: the device's side of Serin on Linux. This file reads the command line; each command
 * has a file of its own.
 */
#include "agent.h"

#include <serin/adapters/log.h>

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#ifndef SERIN_PROGRAM_VERSION
#error "CMakeLists.txt gives the version"
#endif

/* The options, as bits: which command knows which. */
enum {
    OPTION_CONFIG = 1 << 0,
    OPTION_BUNDLE = 1 << 1,
    OPTION_TRUST = 1 << 2,
    OPTION_SOCKET = 1 << 3,
    OPTION_SLOT = 1 << 4,
    OPTION_OUTPUT = 1 << 5,
    OPTION_LOG = 1 << 6,
    OPTION_FORCE = 1 << 7,
    OPTION_JSON = 1 << 8,
    OPERAND = 1 << 9
};

static const struct command {
    const char *name;
    enum exit_code (*run)(const struct options *options);
    unsigned known, needed; /* bits of the options */
    const char *usage, *help;
} commands[] = {
    {"provision", command_provision, OPTION_CONFIG | OPTION_BUNDLE | OPTION_TRUST | OPTION_FORCE,
     OPTION_CONFIG | OPTION_BUNDLE | OPTION_TRUST,
     "provision --config FILE --bundle FILE --trust FILE [--force]",
     "Makes a factory-fresh device: creates the flash file of the configuration, puts the trust "
     "record and the\n"
     "first release into it, and confirms that release. Everything is verified first. --force "
     "replaces a flash\n"
     "file that exists, with all that the device remembers.\n\n"
     "  serin-agent provision --config agent.yaml --bundle 1.0.0.serin --trust trust.bin\n"},
    {"run", command_run, OPTION_CONFIG | OPTION_LOG, OPTION_CONFIG,
     "run --config FILE [--log debug|info|warn|error]",
     "Boots the device and runs it until SIGTERM: chooses the slot, verifies its image, executes "
     "it, and follows the\n"
     "directives of the fleet. The log goes to standard error.\n\n"
     "  serin-agent run --config /etc/serin/agent.yaml\n"},
    {"status", command_status, OPTION_CONFIG | OPTION_SOCKET | OPTION_JSON, 0,
     "status (--config FILE | --socket PATH) [--json]",
     "Shows what the running agent does.\n\n  serin-agent status --config agent.yaml --json | jq "
     ".state\n"},
    {"confirm", command_confirm, OPTION_CONFIG | OPTION_SOCKET | OPTION_JSON, 0,
     "confirm (--config FILE | --socket PATH) [--json]",
     "Tells the agent that the running image is healthy, as an application does by itself. Refused "
     "(exit status 4)\n"
     "where nothing is on trial, or the image has not heard a directive yet.\n\n"
     "  serin-agent confirm --socket \"$SERIN_SOCKET\"\n"},
    {"unhealthy", command_unhealthy, OPTION_CONFIG | OPTION_SOCKET | OPTION_JSON | OPERAND, 0,
     "unhealthy (--config FILE | --socket PATH) [--json] [TEXT]",
     "Tells the agent that the running image is not healthy: a trial ends in the old image, a "
     "confirmed image is\n"
     "reported. TEXT goes into the agent's log.\n\n"
     "  serin-agent unhealthy --config agent.yaml \"sensor does not answer\"\n"},
    {"dump", command_dump, OPTION_CONFIG | OPTION_SLOT | OPTION_OUTPUT,
     OPTION_CONFIG | OPTION_SLOT | OPTION_OUTPUT, "dump --config FILE --slot a|b -o FILE",
     "Verifies the image in a slot and writes it to a file (\"-\": standard output). The agent may "
     "be running.\n\n"
     "  serin-agent dump --config agent.yaml --slot b -o image.bin\n"},
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"bundle", required_argument, NULL, 'b'},
    {"trust", required_argument, NULL, 't'},
    {"socket", required_argument, NULL, 's'},
    {"slot", required_argument, NULL, 'S'},
    {"output", required_argument, NULL, 'o'},
    {"log", required_argument, NULL, 'l'},
    {"force", no_argument, NULL, 'f'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static void help_print(void)
{
    (void)printf(
        "serin-agent: staged, self-halting, unbrickable firmware updates; the device's side\n\n"
        "Usage:\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        (void)printf("  serin-agent %s\n", commands[i].usage);
    }
    (void)printf(
        "  serin-agent COMMAND --help\n"
        "  serin-agent --version\n\n"
        "Exit status: 0 done, 1 failed, 2 usage, 3 a configuration or input file is wrong,\n"
        "4 refused, 5 no agent can be reached, 6 not found.\n");
}

/* Where the text of an option goes, and its bit. */
static const char **option_place(struct options *options, int letter, unsigned *bit)
{
    switch (letter) {
    case 'c':
        *bit = OPTION_CONFIG;
        return &options->config;
    case 'b':
        *bit = OPTION_BUNDLE;
        return &options->bundle;
    case 't':
        *bit = OPTION_TRUST;
        return &options->trust;
    case 's':
        *bit = OPTION_SOCKET;
        return &options->socket;
    case 'S':
        *bit = OPTION_SLOT;
        return &options->slot;
    case 'o':
        *bit = OPTION_OUTPUT;
        return &options->output;
    case 'l':
        *bit = OPTION_LOG;
        return &options->log;
    default:
        return NULL;
    }
}

/* The name of the lowest option in `bits`. */
static const char *option_name(unsigned bits)
{
    for (size_t i = 0; i < COUNT_OF(long_options); i++) {
        struct options unused;
        unsigned bit = 0;
        if (option_place(&unused, long_options[i].val, &bit) != NULL && (bits & bit) != 0) {
            return long_options[i].name;
        }
    }
    return (bits & OPTION_FORCE) != 0 ? "force" : "json";
}

static enum exit_code options_read(const struct command *command, int argc, char **argv,
                                   struct options *options, bool *help)
{
    unsigned given = 0;
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1) {
        unsigned bit = letter == 'f' ? OPTION_FORCE : OPTION_JSON;
        const char **place = option_place(options, letter, &bit);
        if (letter == 'h') {
            *help = true;
            return EXIT_DONE;
        }
        if (letter == '?') {
            return EXIT_USAGE; /* getopt has complained */
        }
        if ((given & bit) != 0) {
            return complain(EXIT_USAGE, "--%s is given twice", option_name(bit));
        }
        if ((command->known & bit) == 0) {
            return complain(EXIT_USAGE, "%s does not know --%s; usage: serin-agent %s",
                            command->name, option_name(bit), command->usage);
        }
        given |= bit;
        options->force |= letter == 'f';
        options->json |= letter == 'j';
        if (place != NULL) {
            *place = optarg;
        }
    }
    if ((command->needed & ~given) != 0) {
        return complain(EXIT_USAGE, "%s needs --%s; usage: serin-agent %s", command->name,
                        option_name(command->needed & ~given), command->usage);
    }
    int operands = argc - optind;
    if (operands > ((command->known & OPERAND) != 0 ? 1 : 0)) {
        return complain(EXIT_USAGE, "'%s' is one argument too many; usage: serin-agent %s",
                        argv[argc - 1], command->usage);
    }
    options->operand = operands > 0 ? argv[optind] : NULL;
    return EXIT_DONE;
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static enum exit_code program_run(int argc, char **argv)
{
    static char name[] = "serin-agent"; /* what getopt's own complaints start with */
    if (argc < 2) {
        return complain(EXIT_USAGE, "a command is missing; try serin-agent --help");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help_print();
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("serin-agent %s\n", SERIN_PROGRAM_VERSION);
        return EXIT_DONE;
    }
    const struct command *command = command_find(argv[1]);
    if (command == NULL) {
        return complain(EXIT_USAGE, "there is no command '%s'; try serin-agent --help", argv[1]);
    }
    struct options options = {0};
    bool help = false;
    argv[1] = name;
    enum exit_code code = options_read(command, argc - 1, argv + 1, &options, &help);
    if (help) {
        (void)printf("Usage: serin-agent %s\n\n%s", command->usage, command->help);
        return EXIT_DONE;
    }
    if (code != EXIT_DONE) {
        return code;
    }
    if (options.log != NULL && !serin_log_level_text(options.log)) {
        return complain(EXIT_USAGE, "--log must be debug, info, warn or error, not '%s'",
                        options.log);
    }
    return command->run(&options);
}

int main(int argc, char **argv)
{
    return (int)program_run(argc, argv);
}

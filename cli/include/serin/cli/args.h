/*
 * The command line as data: tables of commands and options, and the parser that reads argv by them.
 *
 * A command is one row of a table; the parser, the help and the completion all read the same rows.
 * Values are checked while they are parsed, so a command that runs has only sound ones. Nothing
 * here prints.
 */
#ifndef SERIN_CLI_ARGS_H
#define SERIN_CLI_ARGS_H

#include <serin/cli/values.h>

#define SERIN_CLI_OPTIONS_MAX  32u  /* options of one command, with the common ones */
#define SERIN_CLI_MESSAGE_SIZE 512u /* the parser's complaint */

/* Exit statuses of the program. */
enum serin_cli_exit {
    SERIN_CLI_DONE = 0,
    SERIN_CLI_FAILED = 1,      /* anything that has no status of its own */
    SERIN_CLI_USAGE = 2,       /* the command line is wrong */
    SERIN_CLI_INPUT = 3,       /* a file that was given is not what it should be */
    SERIN_CLI_REFUSED = 4,     /* verification, authorisation, or the present state forbids it */
    SERIN_CLI_UNREACHABLE = 5, /* the server cannot be reached */
    SERIN_CLI_NOT_FOUND = 6,   /* a file or an id that was named does not exist */
    SERIN_CLI_BREACH = 7       /* an invariant broke in a simulation */
};

/* Where the list of options ends. */
#define SERIN_CLI_END \
    {                 \
        .name = NULL  \
    }

struct serin_cli_option {
    const char *name; /* without dashes; NULL ends a list */
    char letter;      /* for the short form; 0: none */
    bool required;
    enum serin_cli_kind kind;
    const char *value; /* what the help calls the value; NULL for FLAG */
    const char *help;
    uint64_t min, max;    /* NUMBER; milliseconds of a DURATION */
    const char *fallback; /* parsed where the option is not given; NULL: none */
    /* The words that it takes, by number from 0 on, NULL behind the last, for help and completion;
     * NULL: not a few words. */
    const char *(*word)(size_t number);
};

struct serin_cli;

struct serin_cli_command {
    const char *name;     /* one word, or a group and a word: "rollout create" */
    const char *operands; /* for the help: "FILE", "DIR ID…"; "" for none */
    size_t operand_min, operand_max;
    const struct serin_cli_option *options; /* ends with SERIN_CLI_END; NULL: none of its own */
    bool alone;                             /* the word of its group alone stands for it too */
    bool online;                            /* talks to serind: --server and --token-file apply */
    bool grave; /* it changes what devices do: suggested for one slip of a key, for no more */
    const char *summary;  /* half a line */
    const char *details;  /* paragraphs; "" for none */
    const char *examples; /* lines, each a comment or a command */
    enum serin_cli_exit (*run)(struct serin_cli *cli);
};

/* A word of a group that other programs have, and what to say where it is tried: the nearest word
 * by its letters may do the opposite. */
struct serin_cli_other {
    const char *name;   /* "rollout revert" */
    const char *answer; /* the second half of a sentence */
};

/* A first word that only groups commands. */
struct serin_cli_group {
    const char *name;
    const char *summary;
};

struct serin_cli_table {
    const struct serin_cli_command *commands;
    size_t command_count;
    const struct serin_cli_group *groups;
    size_t group_count;
    const struct serin_cli_other *others;
    size_t other_count;
};

/* What argv asks for. */
enum serin_cli_ask {
    SERIN_CLI_ASK_RUN,     /* `command` with `args` */
    SERIN_CLI_ASK_HELP,    /* of `command`, else of `group`, else of the program */
    SERIN_CLI_ASK_VERSION, /* of the program */
    SERIN_CLI_ASK_WRONG    /* `message` says what is wrong, `group` and `command` how far it was
                              understood */
};

/* What is known of one option. */
struct serin_cli_given {
    const struct serin_cli_option *option;
    bool given; /* on the command line, not by its fallback */
    struct serin_cli_value value;
};

struct serin_cli_args {
    enum serin_cli_ask ask;
    const struct serin_cli_group *group;
    const struct serin_cli_command *command;
    size_t option_count;
    struct serin_cli_given options[SERIN_CLI_OPTIONS_MAX];
    const char *const *operands; /* points into argv, which is reordered */
    size_t operand_count;
    char message[SERIN_CLI_MESSAGE_SIZE];
};

/* The options that every command has, and those of commands that talk to serind. */
extern const struct serin_cli_option serin_cli_common_options[];
extern const struct serin_cli_option serin_cli_online_options[];

/* Reads argv (argv[0] is the program's name). Operands are moved together inside argv. */
void serin_cli_parse(const struct serin_cli_table *table, int argc, char **argv,
                     struct serin_cli_args *args);

/* The command that the word of a group alone stands for; NULL: none, or `group` is NULL. */
const struct serin_cli_command *serin_cli_alone(const struct serin_cli_table *table,
                                                const struct serin_cli_group *group);

/* What is known of the option `name` of the command. A programmer error where it has none. */
const struct serin_cli_given *serin_cli_given(const struct serin_cli_args *args, const char *name);

#endif

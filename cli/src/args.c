/*
 * Reads argv by the table of commands (serin/cli/args.h).
 */
#include <serin/assert.h>
#include <serin/cli/args.h>

#include <serin/nearest.h>
#include <serin/states.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX 64u /* candidates for a suggestion */

const struct serin_cli_option serin_cli_common_options[] = {
    {.name = "json", .kind = SERIN_CLI_FLAG, .help = "print JSON instead of text"},
    {.name = "help", .letter = 'h', .kind = SERIN_CLI_FLAG, .help = "show this help"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_online_options[] = {
    {.name = "server",
     .kind = SERIN_CLI_TEXT,
     .value = "URL",
     .help = "serind's API; default $SERIN_SERVER or http://127.0.0.1:8470"},
    {.name = "token-file",
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the API's token; default $SERIN_TOKEN_FILE or ~/.config/serin/token"},
    SERIN_CLI_END,
};

/* The parser's place in argv. */
struct reader {
    const struct serin_cli_table *table;
    struct serin_cli_args *args;
    char **argv;
    int argc, next;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct serin_cli_args *args,
                                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(args->message, sizeof(args->message), format, arguments);
    va_end(arguments);
    args->ask = SERIN_CLI_ASK_WRONG;
    return false;
}

/* ---- the command's words ---- */

static const struct serin_cli_group *find_group(const struct serin_cli_table *table,
                                                const char *word)
{
    for (size_t i = 0; i < table->group_count; i++) {
        if (strcmp(table->groups[i].name, word) == 0) {
            return &table->groups[i];
        }
    }
    return NULL;
}

/* The command `word`, or `word` of a group. */
static const struct serin_cli_command *find_command(const struct serin_cli_table *table,
                                                    const struct serin_cli_group *group,
                                                    const char *word)
{
    for (size_t i = 0; i < table->command_count; i++) {
        const char *name = table->commands[i].name;
        if (group != NULL) {
            size_t size = strlen(group->name);
            if (strncmp(name, group->name, size) != 0 || name[size] != ' ') {
                continue;
            }
            name += size + 1;
        }
        if (strcmp(name, word) == 0) {
            return &table->commands[i];
        }
    }
    return NULL;
}

const struct serin_cli_command *serin_cli_alone(const struct serin_cli_table *table,
                                                const struct serin_cli_group *group)
{
    for (size_t i = 0; group != NULL && i < table->command_count; i++) {
        const struct serin_cli_command *command = &table->commands[i];
        if (command->alone && strncmp(command->name, group->name, strlen(group->name)) == 0) {
            return command;
        }
    }
    return NULL;
}

/* Whether `name` may be suggested for `word`: not where it is too far for what it does. */
static bool suggestible(const struct serin_cli_command *command, const char *name, const char *word)
{
    return !command->grave || serin_nearest_edits(name, word) <= 1;
}

/* The words that could have been meant with `word`: of a group, or the first words. */
static size_t candidates(const struct serin_cli_table *table, const struct serin_cli_group *group,
                         const char *word, const char *words[WORDS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; group == NULL && i < table->group_count && count < WORDS_MAX; i++) {
        words[count++] = table->groups[i].name;
    }
    for (size_t i = 0; i < table->command_count && count < WORDS_MAX; i++) {
        const char *space = strchr(table->commands[i].name, ' ');
        if (group == NULL && space == NULL) {
            words[count++] = table->commands[i].name;
        } else if (group != NULL && space != NULL &&
                   find_command(table, group, space + 1) == &table->commands[i] &&
                   suggestible(&table->commands[i], space + 1, word)) {
            words[count++] = space + 1;
        }
    }
    return count;
}

/* What is said of a word that other programs have; NULL: it is none. */
static const char *other_answer(const struct serin_cli_table *table,
                                const struct serin_cli_group *group, const char *word)
{
    size_t size = group != NULL ? strlen(group->name) : 0;

    for (size_t i = 0; group != NULL && i < table->other_count; i++) {
        const char *name = table->others[i].name;
        if (strncmp(name, group->name, size) == 0 && name[size] == ' ' &&
            strcmp(name + size + 1, word) == 0) {
            return table->others[i].answer;
        }
    }
    return NULL;
}

static bool unknown_word(struct reader *reader, const char *word)
{
    const struct serin_cli_group *group = reader->args->group;
    const char *answer = other_answer(reader->table, group, word);
    const char *words[WORDS_MAX] = {NULL};
    size_t count = candidates(reader->table, group, word, words);
    const char *nearest = serin_nearest_word(word, words, count);

    if (answer != NULL) {
        return wrong(reader->args, "there is no '%s %s': %s", group->name, word, answer);
    }
    if (nearest != NULL) {
        return wrong(reader->args, "there is no '%s%s%.60s'; did you mean '%s'?",
                     group != NULL ? group->name : "", group != NULL ? " " : "", word, nearest);
    }
    return wrong(reader->args, "there is no '%s%s%.60s'; 'serin%s%s --help' lists what there is",
                 group != NULL ? group->name : "", group != NULL ? " " : "", word,
                 group != NULL ? " " : "", group != NULL ? group->name : "");
}

/* "serin rollout help" is "serin rollout --help". */
static bool is_help_word(const struct serin_cli_args *args, const char *word)
{
    return args->group != NULL && strcmp(word, "help") == 0;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Reads the first one or two words. False: the answer stands (help, version or a complaint). */
static bool read_words(struct reader *reader)
{
    struct serin_cli_args *args = reader->args;

    /* "serin help rollout create" is "serin rollout create --help". */
    bool help = reader->argc > reader->next && strcmp(reader->argv[reader->next], "help") == 0;
    reader->next += help ? 1 : 0;
    for (; reader->next < reader->argc && args->command == NULL; reader->next++) {
        const char *word = reader->argv[reader->next];
        if (is_help(word)) {
            help = true;
            break;
        }
        if (is_help_word(args, word)) {
            help = true;
            continue;
        }
        if (args->group == NULL && strcmp(word, "--version") == 0) {
            args->ask = SERIN_CLI_ASK_VERSION;
            return false;
        }
        if (word[0] == '-' && serin_cli_alone(reader->table, args->group) != NULL) {
            break; /* options of the command that the group's word stands for */
        }
        if (word[0] == '-') {
            return wrong(args, "a command comes before the options; '%.60s' is none", word);
        }
        if (args->group == NULL) {
            args->group = find_group(reader->table, word);
            if (args->group != NULL) {
                continue;
            }
        }
        args->command = find_command(reader->table, args->group, word);
        if (args->command == NULL) {
            return unknown_word(reader, word);
        }
    }
    if (help) {
        args->ask = SERIN_CLI_ASK_HELP;
        return false;
    }
    if (args->command == NULL) {
        args->command = serin_cli_alone(reader->table, args->group);
    }
    if (args->command == NULL) {
        return wrong(
            args, args->group != NULL ? "'%s' needs a command behind it" : "%sa command is missing",
            args->group != NULL ? args->group->name : "");
    }
    return true;
}

/* ---- options ---- */

static void add_options(struct serin_cli_args *args, const struct serin_cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        SERIN_ASSERT(args->option_count < SERIN_CLI_OPTIONS_MAX);
        args->options[args->option_count++] = (struct serin_cli_given){.option = options};
    }
}

static struct serin_cli_given *find_name(struct serin_cli_args *args, const char *name, size_t size)
{
    for (size_t i = 0; i < args->option_count; i++) {
        const char *other = args->options[i].option->name;
        if (strlen(other) == size && memcmp(other, name, size) == 0) {
            return &args->options[i];
        }
    }
    return NULL;
}

static struct serin_cli_given *find_letter(struct serin_cli_args *args, char letter)
{
    for (size_t i = 0; i < args->option_count; i++) {
        if (args->options[i].option->letter == letter) {
            return &args->options[i];
        }
    }
    return NULL;
}

static bool unknown_option(struct serin_cli_args *args, const char *word, size_t size)
{
    const char *names[SERIN_CLI_OPTIONS_MAX];
    char name[32] = "";

    for (size_t i = 0; i < args->option_count; i++) {
        names[i] = args->options[i].option->name;
    }
    if (size > 2 && size - 2 < sizeof(name)) {
        memcpy(name, word + 2, size - 2);
    }
    const char *nearest =
        name[0] != '\0' ? serin_nearest_word(name, names, args->option_count) : NULL;
    if (nearest != NULL) {
        return wrong(args, "there is no option '%.*s'; did you mean '--%s'?", (int)size, word,
                     nearest);
    }
    return wrong(args, "there is no option '%.*s'", size > 60 ? 60 : (int)size, word);
}

static const char *nearest_state(const char *text)
{
    const char *words[SERIN_STATE_COUNT - 1];

    for (unsigned i = 0; i < SERIN_STATE_COUNT - 1; i++) {
        words[i] = serin_state_text((enum serin_state)(SERIN_STATE_INVALID + 1 + i));
    }
    return serin_nearest_word(text, words, SERIN_STATE_COUNT - 1);
}

static bool take_value(struct serin_cli_args *args, struct serin_cli_given *given, const char *text)
{
    char expected[SERIN_CLI_EXPECTED_SIZE];
    const struct serin_cli_option *option = given->option;

    if (given->given && option->kind != SERIN_CLI_FILES) {
        return wrong(args, "--%s is given twice", option->name);
    }
    given->given = true;
    if (option->kind == SERIN_CLI_FLAG) {
        return true;
    }
    if (!serin_cli_value_parse(option->kind, option->min, option->max, text, &given->value,
                               expected, sizeof(expected))) {
        const char *nearest = option->kind == SERIN_CLI_STATE ? nearest_state(text) : NULL;
        return wrong(args, "--%s takes %s, not '%.60s'%s%s%s", option->name, expected, text,
                     nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "'?" : "");
    }
    return true;
}

/* Whether argv goes on with a value: anything that does not look like an option. A lone "-" is a
 * file; "-1" for a number is a value too, which is refused with the bounds that it should keep. */
static bool value_follows(const struct reader *reader, enum serin_cli_kind kind)
{
    const char *word = reader->next < reader->argc ? reader->argv[reader->next] : NULL;

    if (word != NULL && (kind == SERIN_CLI_NUMBER || kind == SERIN_CLI_DURATION) &&
        word[0] == '-' && word[1] >= '0' && word[1] <= '9') {
        return true;
    }
    return word != NULL && (word[0] != '-' || word[1] == '\0');
}

/* Reads one option with its values; `word` is it, reader->next what follows. */
static bool read_option(struct reader *reader, const char *word)
{
    struct serin_cli_args *args = reader->args;
    bool named = word[1] == '-';
    const char *equals = named ? strchr(word, '=') : NULL;
    size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    struct serin_cli_given *given =
        named ? find_name(args, word + 2, size - 2) : find_letter(args, word[1]);

    if (given == NULL || (!named && word[2] != '\0')) {
        return unknown_option(args, word, size);
    }
    if (given->option->kind == SERIN_CLI_FLAG) {
        return equals == NULL ? take_value(args, given, NULL)
                              : wrong(args, "--%s takes no value", given->option->name);
    }
    if (equals != NULL) {
        return take_value(args, given, equals + 1);
    }
    if (!value_follows(reader, given->option->kind)) {
        return wrong(args, "--%s needs a value: %s", given->option->name, given->option->value);
    }
    do {
        if (!take_value(args, given, reader->argv[reader->next++])) {
            return false;
        }
    } while (given->option->kind == SERIN_CLI_FILES && args->command->operand_max == 0 &&
             value_follows(reader, given->option->kind));
    return true;
}

/* Reads options and gathers operands at the front of argv. */
static bool read_rest(struct reader *reader)
{
    struct serin_cli_args *args = reader->args;
    int kept = reader->next;
    bool options_over = false;

    args->operands = (const char *const *)&reader->argv[kept];
    while (reader->next < reader->argc) {
        char *word = reader->argv[reader->next++];
        if (!options_over && strcmp(word, "--") == 0) {
            options_over = true;
        } else if (options_over || word[0] != '-' || word[1] == '\0') {
            reader->argv[kept++] = word;
            args->operand_count++;
        } else if (is_help(word)) {
            args->ask = SERIN_CLI_ASK_HELP;
            return false;
        } else if (!read_option(reader, word)) {
            return false;
        }
    }
    return true;
}

static bool check_operands(struct serin_cli_args *args)
{
    const struct serin_cli_command *command = args->command;

    if (args->operand_count < command->operand_min) {
        return wrong(args, "something is missing: %s", command->operands);
    }
    if (args->operand_count > command->operand_max) {
        return wrong(args, "'%.60s' is one too many", args->operands[command->operand_max]);
    }
    for (size_t i = 0; i < args->operand_count; i++) {
        if (args->operands[i][0] == '\0') {
            return wrong(args, "an empty text is given where %s is expected", command->operands);
        }
    }
    return true;
}

/* Required ones must be given; fallbacks stand in for the others. */
static bool complete_options(struct serin_cli_args *args)
{
    for (size_t i = 0; i < args->option_count; i++) {
        struct serin_cli_given *given = &args->options[i];
        const struct serin_cli_option *option = given->option;
        if (given->given) {
            continue;
        }
        if (option->required) {
            return wrong(args, "--%s %s is missing: %s", option->name, option->value, option->help);
        }
        if (option->fallback != NULL) {
            char expected[SERIN_CLI_EXPECTED_SIZE];
            bool sound =
                serin_cli_value_parse(option->kind, option->min, option->max, option->fallback,
                                      &given->value, expected, sizeof(expected));
            SERIN_ASSERT(sound);
        }
    }
    return true;
}

void serin_cli_parse(const struct serin_cli_table *table, int argc, char **argv,
                     struct serin_cli_args *args)
{
    struct reader reader = {.table = table, .args = args, .argv = argv, .argc = argc, .next = 1};

    memset(args, 0, sizeof(*args));
    args->ask = SERIN_CLI_ASK_RUN;
    if (!read_words(&reader)) {
        return;
    }
    add_options(args, args->command->options);
    if (args->command->online) {
        add_options(args, serin_cli_online_options);
    }
    add_options(args, serin_cli_common_options);
    if (read_rest(&reader) && complete_options(args)) {
        (void)check_operands(args);
    }
}

const struct serin_cli_given *serin_cli_given(const struct serin_cli_args *args, const char *name)
{
    for (size_t i = 0; i < args->option_count; i++) {
        if (strcmp(args->options[i].option->name, name) == 0) {
            return &args->options[i];
        }
    }
    SERIN_ASSERT(false);
    return NULL;
}

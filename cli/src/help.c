/*
 * The help, from the same tables that the parser reads.
 */
#include <serin/cli/table.h>

#include <string.h>

#define INDENT 26
#define WIDTH  100

static void print_option(FILE *file, const struct serin_cli_option *option)
{
    char left[64];

    (void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s", option->letter != 0 ? "-" : " ",
                   option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ", " : "  ",
                   option->name, option->value != NULL ? " " : "",
                   option->value != NULL ? option->value : "");
    /* A left side that is too long gets a line of its own. */
    size_t width = serin_cli_width(left);
    if (width > INDENT - 4) {
        (void)fprintf(file, "  %s\n%*s", left, INDENT, "");
    } else {
        (void)fprintf(file, "  %s%*s", left, INDENT - 2 - (int)width, "");
    }
    (void)fprintf(file, "%s", option->help);
    if (option->required) {
        (void)fprintf(file, " (required)");
    } else if (option->fallback != NULL) {
        (void)fprintf(file, " (default %s)", option->fallback);
    }
    (void)fputc('\n', file);
}

/* "one of: idle, pending, …", over as many lines as it takes: completion reads it. */
static void print_words(FILE *file, const struct serin_cli_option *option)
{
    size_t column = INDENT + strlen("one of:");

    (void)fprintf(file, "%*sone of:", INDENT, "");
    for (size_t i = 0; option->word(i) != NULL; i++) {
        const char *word = option->word(i);
        if (column + strlen(word) + 2 > WIDTH) {
            (void)fprintf(file, "\n%*s", INDENT - 1, "");
            column = INDENT - 1;
        }
        column += (size_t)fprintf(file, " %s%s", word, option->word(i + 1) != NULL ? "," : "");
    }
    (void)fputc('\n', file);
}

static void print_options(FILE *file, const struct serin_cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        print_option(file, options);
        if (options->word != NULL) {
            print_words(file, options);
        }
    }
}

static void print_examples(FILE *file, const char *examples)
{
    if (examples[0] == '\0') {
        return;
    }
    (void)fprintf(file, "\nExamples:\n");
    while (*examples != '\0') {
        size_t size = strcspn(examples, "\n");
        (void)fprintf(file, "  %.*s\n", (int)size, examples);
        examples += size + (examples[size] == '\n' ? 1 : 0);
    }
}

static void help_command(FILE *file, const struct serin_cli_command *command)
{
    (void)fprintf(file, "serin %s: %s\n\nUsage: serin %s%s%s [options]\n", command->name,
                  command->summary, command->name, command->operands[0] != '\0' ? " " : "",
                  command->operands);
    if (command->details[0] != '\0') {
        (void)fprintf(file, "\n%s\n", command->details);
    }
    (void)fprintf(file, "\nOptions:\n");
    print_options(file, command->options);
    if (command->online) {
        print_options(file, serin_cli_online_options);
    }
    print_options(file, serin_cli_common_options);
    print_examples(file, command->examples);
}

/* Whether a command is of a group; with none, whether it stands alone. */
static bool belongs(const struct serin_cli_command *command, const struct serin_cli_group *group)
{
    const char *space = strchr(command->name, ' ');

    if (group == NULL || space == NULL) {
        return group == NULL && space == NULL;
    }
    size_t size = (size_t)(space - command->name);
    return strlen(group->name) == size && strncmp(command->name, group->name, size) == 0;
}

static void list_commands(FILE *file, const struct serin_cli_table *table,
                          const struct serin_cli_group *group)
{
    for (size_t i = 0; i < table->command_count; i++) {
        const struct serin_cli_command *command = &table->commands[i];
        if (belongs(command, group)) {
            (void)fprintf(file, "  %-*s%s\n", INDENT - 2, command->name, command->summary);
        }
    }
}

static void help_group(FILE *file, const struct serin_cli_table *table,
                       const struct serin_cli_group *group)
{
    (void)fprintf(file, "serin %s: %s\n\nUsage: serin %s COMMAND [options]\n\nCommands:\n",
                  group->name, group->summary, group->name);
    list_commands(file, table, group);
    const struct serin_cli_command *alone = serin_cli_alone(table, group);
    if (alone != NULL) {
        (void)fprintf(file, "\n'serin %s' alone is 'serin %s', with these options:\n", group->name,
                      alone->name);
        print_options(file, alone->options);
        if (alone->online) {
            print_options(file, serin_cli_online_options);
        }
        print_options(file, serin_cli_common_options);
    }
    (void)fprintf(file, "\n'serin %s COMMAND --help' explains a command with examples.\n",
                  group->name);
}

static void help_program(FILE *file, const struct serin_cli_table *table)
{
    (void)fprintf(file, "serin: firmware for fleets, in stages that halt by themselves\n\n"
                        "Usage: serin COMMAND [options]\n\nCommands:\n");
    list_commands(file, table, NULL);
    for (size_t i = 0; i < table->group_count; i++) {
        (void)fprintf(file, "\n%s: %s\n", table->groups[i].name, table->groups[i].summary);
        list_commands(file, table, &table->groups[i]);
    }
    (void)fprintf(
        file,
        "\nA release, from the keys to the fleet:\n"
        "  serin pki init pki --product lamp --device-count 10\n"
        "  serin pack --product lamp --version 2.0.0 --image fw.bin --key pki/keys/release.key "
        "-o fw.serin\n"
        "  serin verify fw.serin --trust pki/trust.bin --root pki/keys/root.pub\n"
        "  serin policy check policy.yaml --devices 10       # what the policy comes to\n"
        "  serin simulate policy.yaml --devices 10           # rehearsed, nothing is sent\n"
        "  serin publish fw.serin\n"
        "  serin rollout create --policy policy.yaml\n"
        "  serin rollout watch 1\n"
        "\n'serin COMMAND --help' explains each with examples. Exit status: 0 done, 1 failed, "
        "2 usage,\n3 an input file is wrong, 4 refused, does not hold, or ended otherwise than "
        "expected, 5 the server\ncannot be reached, 6 not found, 7 a simulation broke an "
        "invariant.\n");
}

void serin_cli_help(const struct serin_cli *cli, const struct serin_cli_table *table, FILE *file)
{
    if (cli->args.command != NULL) {
        help_command(file, cli->args.command);
    } else if (cli->args.group != NULL) {
        help_group(file, table, cli->args.group);
    } else {
        help_program(file, table);
    }
}

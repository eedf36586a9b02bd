/*
 * The command line of serin: words, options, values, suggestions. The checks of options run over
 * the real table, so that a new option is covered when it is added.
 */
#include "check_main.h"

#include <serin/cli/cli.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct serin_cli_args args;

/* Parses the words of a line; no quotes. */
static enum serin_cli_ask parse(const char *format, ...)
{
    static char line[1024];
    static char *argv[64];
    int argc = 0;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    serin_cli_parse(&serin_cli_table, argc, argv, &args);
    return args.ask;
}

static void expect_wrong(const char *part)
{
    ck_assert_int_eq(args.ask, SERIN_CLI_ASK_WRONG);
    ck_assert_msg(strstr(args.message, part) != NULL, "'%s' is not in: %s", part, args.message);
}

START_TEST(understands_words)
{
    ck_assert_int_eq(parse("serin status"), SERIN_CLI_ASK_RUN);
    ck_assert_str_eq(args.command->name, "status");
    ck_assert_int_eq(parse("serin rollout show 3"), SERIN_CLI_ASK_RUN);
    ck_assert_str_eq(args.command->name, "rollout show");
    ck_assert_uint_eq(args.operand_count, 1);
    ck_assert_str_eq(args.operands[0], "3");

    ck_assert_int_eq(parse("serin --version"), SERIN_CLI_ASK_VERSION);
    ck_assert_int_eq(parse("serin --help"), SERIN_CLI_ASK_HELP);
    ck_assert_ptr_null(args.group);
    ck_assert_int_eq(parse("serin help"), SERIN_CLI_ASK_HELP);
    ck_assert_int_eq(parse("serin rollout -h"), SERIN_CLI_ASK_HELP);
    ck_assert_str_eq(args.group->name, "rollout");
    ck_assert_ptr_null(args.command);
    ck_assert_int_eq(parse("serin help rollout"), SERIN_CLI_ASK_HELP);
    ck_assert_str_eq(args.group->name, "rollout");
    ck_assert_int_eq(parse("serin help rollout show"), SERIN_CLI_ASK_HELP);
    ck_assert_str_eq(args.command->name, "rollout show");
    /* Help wins over what is missing or wrong before it. */
    ck_assert_int_eq(parse("serin pack --product lamp --help"), SERIN_CLI_ASK_HELP);

    /* The word of a group that stands for one of its commands. */
    for (int i = 0; i < 3; i++) {
        static const char *const lines[] = {"serin audit", "serin audit -f",
                                            "serin audit list --json"};
        ck_assert_int_eq(parse("%s", lines[i]), SERIN_CLI_ASK_RUN);
        ck_assert_str_eq(args.command->name, "audit list");
    }
    ck_assert_int_eq(parse("serin audit verify a b"), SERIN_CLI_ASK_RUN);
    ck_assert_uint_eq(args.operand_count, 2);
    ck_assert_int_eq(parse("serin audit --help"), SERIN_CLI_ASK_HELP);
    ck_assert_str_eq(args.group->name, "audit");
    ck_assert_ptr_null(args.command);
    parse("serin audit verfy a");
    expect_wrong("did you mean 'verify'?");
    parse("serin rollout --json");
    expect_wrong("before the options");

    parse("serin");
    expect_wrong("a command is missing");
    parse("serin rollout");
    expect_wrong("needs a command");
    parse("serin --json status");
    expect_wrong("before the options");
}
END_TEST

START_TEST(suggests_the_nearest_word)
{
    parse("serin pakc");
    expect_wrong("did you mean 'pack'?");
    parse("serin rolout list");
    expect_wrong("did you mean 'rollout'?");
    parse("serin rollout wacth 3");
    expect_wrong("did you mean 'watch'?");
    parse("serin rollout hlat 3");
    expect_wrong("did you mean 'halt'?");
    parse("serin status --jsno");
    expect_wrong("did you mean '--json'?");
    parse("serin device list --state roled_back");
    expect_wrong("idle pending");
    expect_wrong("not 'roled_back'; did you mean 'rolled_back'?");
    parse("serin gatway list");
    expect_wrong("did you mean 'gateway'?");
    parse("serin gateway refues gw-1");
    expect_wrong("did you mean 'refuse'?");
    parse("serin device move d --ot gw-1");
    expect_wrong("did you mean '--to'?");
    parse("serin device list --state bad");
    expect_wrong("not 'bad'");
    ck_assert_ptr_null(strstr(args.message, "did you mean"));
    parse("serin xyzzy");
    expect_wrong("--help");
    ck_assert_ptr_null(strstr(args.message, "did you mean"));
    parse("serin abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    ck_assert_ptr_null(strstr(args.message, "did you mean"));
}
END_TEST

/* What changes devices is suggested for one slip of a key only, and words that other programs have
 * are answered by what they mean there. */
START_TEST(suggests_nothing_grave_for_another_word)
{
    static const struct {
        const char *word, *answer;
    } others[] = {
        {"revert", "'halt' stops the release; to take devices back"},
        {"rollback", "create a rollout of the older release with 'revert: true'"},
        {"undo", "on_halt: revert"},
        {"cancel", "'abort' withdraws it"},
        {"stop", "'pause' stops it for a while"},
        {"approve", "'advance' lets the next stage begin"},
        {"unpause", "'resume' goes on"},
        {"restart", "'retry' offers the release again"},
        {"haul", "--help' lists what there is"},
        {"retort", "--help' lists what there is"},
        {"about", "did you mean 'abort'?"},
        {"retrys", "did you mean 'retry'?"},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        parse("serin rollout %s 1", others[i].word);
        expect_wrong(others[i].answer);
        bool near = strncmp(others[i].answer, "did", 3) == 0;
        ck_assert(near == (strstr(args.message, "did you mean") != NULL));
    }
    ck_assert_int_eq(parse("serin rollout help"), SERIN_CLI_ASK_HELP);
    ck_assert_str_eq(args.group->name, "rollout");
    ck_assert_ptr_null(args.command);
    ck_assert_int_eq(parse("serin rollout help halt"), SERIN_CLI_ASK_HELP);
    ck_assert_str_eq(args.command->name, "rollout halt");
}
END_TEST

START_TEST(counts_operands)
{
    parse("serin inspect");
    expect_wrong("something is missing: FILE");
    parse("serin inspect a b");
    expect_wrong("'b' is one too many");
    parse("serin status x");
    expect_wrong("'x' is one too many");
    ck_assert_int_eq(parse("serin pki device pki a b c"), SERIN_CLI_ASK_RUN);
    ck_assert_uint_eq(args.operand_count, 4);
    /* Options stand anywhere; what follows "--" is no option; a lone "-" is an operand. */
    ck_assert_int_eq(parse("serin pki device --days 3 pki --json a"), SERIN_CLI_ASK_RUN);
    ck_assert_uint_eq(args.operand_count, 2);
    ck_assert_str_eq(args.operands[1], "a");
    ck_assert_int_eq(parse("serin inspect -- --json"), SERIN_CLI_ASK_RUN);
    ck_assert_str_eq(args.operands[0], "--json");
    ck_assert_int_eq(parse("serin inspect -"), SERIN_CLI_ASK_RUN);
    static char empty[] = "";
    static char *argv[] = {"serin", "inspect", empty};
    serin_cli_parse(&serin_cli_table, 3, argv, &args);
    expect_wrong("empty");
}
END_TEST

/* For each kind a value that is taken (within any bounds of the table) and values that are not. */
static const struct {
    enum serin_cli_kind kind;
    const char *good;
    const char *bad[8];
} samples[] = {
    {SERIN_CLI_NUMBER,
     "7",
     {"x", "1x", "-1", "99999999999999999999", "0x", "1.5", "18446744073709551616"}},
    {SERIN_CLI_DURATION, "60s", {"60", "s", "1w", "1.5s", "-1s", "99999999999999999999s", "366d"}},
    {SERIN_CLI_VERSION, "1.2.3", {"1.2", "1.2.3.4", "01.2.3", "1.2.65536", "v1.2.3", "1..3"}},
    {SERIN_CLI_HARDWARE, "1-3", {"0", "3-1", "1-", "-3", "1-65536", "a", "1-2-3"}},
    {SERIN_CLI_NAME, "lamp", {"la mp", "lämp", "a/b", "a234567890123456789012345678901234"}},
    {SERIN_CLI_CHANNELS, "stable,beta", {"stable,", ",", "a,b,c,d,e", "a,a", "a b"}},
    {SERIN_CLI_IDS, "a,b", {"a,", "a,,b", "a b", "a.b"}},
    {SERIN_CLI_ID, "a-b", {"a,b", "a b", "a.b"}},
    {SERIN_CLI_SLOTS, "ab", {"c", "ba", "A"}},
    {SERIN_CLI_STATE, "rolled_back", {"bad", "rolled", "Idle", "invalid", "idle,failed"}},
    {SERIN_CLI_RAM, "8k", {"8", "32k", "16K", "16kk"}},
    {SERIN_CLI_ENROLMENT, "pending", {"waiting", "Pending", "pend", "pending,refused"}},
    {SERIN_CLI_REASON, "because", {"two\nlines", "bell\a"}},
    {SERIN_CLI_TEXT, "text", {NULL}},
    {SERIN_CLI_FILE, "file", {NULL}},
    {SERIN_CLI_FILES, "file", {NULL}},
};

static const char *good_value(enum serin_cli_kind kind)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        if (samples[i].kind == kind) {
            return samples[i].good;
        }
    }
    ck_abort_msg("kind %d has no sample", (int)kind);
    return NULL;
}

/* Parses `command` with all its required operands and options, one of them (`skip`) left out, and
 * two more words where they are given. */
static void parse_with(const struct serin_cli_command *command, const struct serin_cli_option *skip,
                       char *word, char *value)
{
    static char words[64][80];
    static char *argv[64];
    int argc = 0;

    strcpy(words[argc++], "serin");
    char name[80];
    strcpy(name, command->name);
    for (char *part = strtok(name, " "); part != NULL; part = strtok(NULL, " ")) {
        strcpy(words[argc++], part);
    }
    for (const struct serin_cli_option *o = command->options; o != NULL && o->name != NULL; o++) {
        if (o->required && o != skip) {
            snprintf(words[argc++], 80, "--%s", o->name);
            strcpy(words[argc++], good_value(o->kind));
        }
    }
    for (size_t i = 0; i < command->operand_min; i++) {
        strcpy(words[argc++], "3");
    }
    for (int i = 0; i < argc; i++) {
        argv[i] = words[i];
    }
    if (word != NULL) {
        argv[argc++] = word;
    }
    if (value != NULL) {
        argv[argc++] = value;
    }
    serin_cli_parse(&serin_cli_table, argc, argv, &args);
}

static void try_bad_values(const struct serin_cli_command *command,
                           const struct serin_cli_option *option, char *word)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        for (size_t j = 0; samples[i].kind == option->kind && j < 8; j++) {
            char value[80];
            bool negative = option->kind == SERIN_CLI_NUMBER || option->kind == SERIN_CLI_DURATION;
            if (samples[i].bad[j] == NULL || (samples[i].bad[j][0] == '-' && !negative)) {
                continue; /* what begins with a dash is an option, not a value */
            }
            strcpy(value, samples[i].bad[j]);
            parse_with(command, option, word, value);
            ck_assert_msg(args.ask == SERIN_CLI_ASK_WRONG && strstr(args.message, "takes") != NULL,
                          "%s %s %s: %s", command->name, word, value, args.message);
        }
    }
}

static void try_option(const struct serin_cli_command *command,
                       const struct serin_cli_option *option)
{
    char word[64];
    char joined[96];
    char good[80];
    static char empty[] = "";

    snprintf(word, sizeof(word), "--%s", option->name);
    if (option->kind == SERIN_CLI_FLAG) {
        parse_with(command, NULL, word, word);
        if (strcmp(option->name, "help") != 0) {
            expect_wrong("given twice");
        }
        snprintf(joined, sizeof(joined), "--%s=1", option->name);
        parse_with(command, NULL, joined, NULL);
        expect_wrong("takes no value");
        return;
    }
    strcpy(good, good_value(option->kind));
    parse_with(command, option, word, NULL);
    expect_wrong("needs a value");
    parse_with(command, option, word, empty);
    expect_wrong("takes");
    parse_with(command, option, word, good);
    ck_assert_msg(args.ask == SERIN_CLI_ASK_RUN, "%s %s: %s", command->name, word, args.message);
    snprintf(joined, sizeof(joined), "--%s=%s", option->name, good);
    parse_with(command, option, joined, NULL);
    ck_assert_msg(args.ask == SERIN_CLI_ASK_RUN, "%s: %s", joined, args.message);
    parse_with(command, option, joined, joined);
    if (option->kind == SERIN_CLI_FILES) {
        ck_assert_int_eq(args.ask, SERIN_CLI_ASK_RUN);
    } else {
        expect_wrong("given twice");
    }
    try_bad_values(command, option, word);
    if (option->required) {
        parse_with(command, option, NULL, NULL);
        snprintf(joined, sizeof(joined), "--%s ", option->name);
        expect_wrong(joined);
        expect_wrong("is missing");
    }
    if (option->kind == SERIN_CLI_NUMBER && option->max < UINT64_MAX) {
        snprintf(good, sizeof(good), "%llu", (unsigned long long)option->max + 1);
        parse_with(command, option, word, good);
        expect_wrong("takes a number from");
        snprintf(good, sizeof(good), "0x%llx", (unsigned long long)option->max);
        parse_with(command, option, word, good);
        ck_assert_msg(args.ask == SERIN_CLI_ASK_RUN, "%s %s: %s", word, good, args.message);
    }
    if (option->kind == SERIN_CLI_NUMBER && option->min > 0) {
        snprintf(good, sizeof(good), "%llu", (unsigned long long)option->min - 1);
        parse_with(command, option, word, good);
        expect_wrong("takes a number from");
    }
}

START_TEST(bounds_are_told_in_the_form_they_are_given_in)
{
    parse("serin pack --confirm-window 24h");
    expect_wrong("takes a duration from 1s to 1h, such as 60s or 5m, not '24h'");
    parse("serin pack --confirm-window -5s");
    expect_wrong("takes a duration from 1s to 1h");
    parse("serin pack --counter -1");
    expect_wrong("--counter takes a number from 0 to 4294967295, not '-1'");
    parse("serin pack --counter --hw 1");
    expect_wrong("--counter needs a value");
    parse("serin pack --counter -o x");
    expect_wrong("--counter needs a value");
}
END_TEST

START_TEST(checks_every_option_of_every_command)
{
    size_t tried = 0;

    for (size_t i = 0; i < serin_cli_table.command_count; i++) {
        const struct serin_cli_command *command = &serin_cli_table.commands[i];
        const struct serin_cli_option *lists[] = {command->options,
                                                  command->online ? serin_cli_online_options : NULL,
                                                  serin_cli_common_options};
        parse_with(command, NULL, NULL, NULL);
        ck_assert_msg(args.ask == SERIN_CLI_ASK_RUN, "%s: %s", command->name, args.message);
        for (size_t list = 0; list < 3; list++) {
            for (const struct serin_cli_option *o = lists[list]; o != NULL && o->name != NULL;
                 o++) {
                try_option(command, o);
                tried++;
            }
        }
    }
    ck_assert_uint_ge(tried, 100);
}
END_TEST

/* Each row of the table can be helped with: a summary, a runner, an example that parses as that
 * command. */
START_TEST(every_example_parses)
{
    for (size_t i = 0; i < serin_cli_table.command_count; i++) {
        const struct serin_cli_command *command = &serin_cli_table.commands[i];
        ck_assert_ptr_nonnull(command->run);
        ck_assert_uint_gt(strlen(command->summary), 5);
        char example[512];
        snprintf(example, sizeof(example), "%s", command->examples);
        ck_assert_msg(strncmp(example, "serin ", 6) == 0, "%s has no example", command->name);
        example[strcspn(example, "\n|&")] = '\0';
        char *quote = strchr(example, '\''); /* a quoted reason is one word */
        for (; quote != NULL && *quote != '\0'; quote++) {
            *quote = *quote == ' ' || *quote == '\'' ? '_' : *quote;
        }
        char *backslash = strchr(example, '\\');
        if (backslash != NULL) {
            continue; /* goes on in the next line */
        }
        ck_assert_msg(parse("%s", example) == SERIN_CLI_ASK_RUN, "%s: %s", example, args.message);
        ck_assert_ptr_eq(args.command, command);
    }
}
END_TEST

START_TEST(gives_typed_values)
{
    parse("serin pack --product lamp --version 1.2.3 --image i --key k -o f --hw 2-5 --slots b "
          "--channels beta,stable --confirm-window 2m --load-address 0x8000");
    ck_assert_int_eq(args.ask, SERIN_CLI_ASK_RUN);
    ck_assert_uint_eq(serin_cli_given(&args, "version")->value.version.patch, 3);
    ck_assert_uint_eq(serin_cli_given(&args, "hw")->value.hw_min, 2);
    ck_assert_uint_eq(serin_cli_given(&args, "hw")->value.hw_max, 5);
    ck_assert_uint_eq(serin_cli_given(&args, "slots")->value.number, SERIN_SLOT_MASK_B);
    ck_assert_uint_eq(serin_cli_given(&args, "channels")->value.channel_count, 2);
    ck_assert_str_eq(serin_cli_given(&args, "channels")->value.channels[1], "stable");
    ck_assert_uint_eq(serin_cli_given(&args, "confirm-window")->value.number, 120000);
    ck_assert_uint_eq(serin_cli_given(&args, "load-address")->value.number, 0x8000);
    ck_assert_str_eq(serin_cli_given(&args, "output")->value.text, "f");
    /* Fallbacks. */
    ck_assert(!serin_cli_given(&args, "confirm-tries")->given);
    ck_assert_uint_eq(serin_cli_given(&args, "confirm-tries")->value.number, 3);
    ck_assert_str_eq(serin_cli_given(&args, "vendor")->value.text, "serin");

    parse("serin trust make --root r --product p --version 2 --release a b --director c --release "
          "d -o t");
    ck_assert_msg(args.ask == SERIN_CLI_ASK_RUN, "%s", args.message);
    ck_assert_uint_eq(serin_cli_given(&args, "release")->value.text_count, 3);
    ck_assert_str_eq(serin_cli_given(&args, "release")->value.texts[2], "d");
    ck_assert_uint_eq(serin_cli_given(&args, "director")->value.text_count, 1);
}
END_TEST

START_TEST(reads_numbers_and_durations)
{
    static const struct {
        const char *text;
        bool sound;
        uint64_t value;
    } numbers[] = {{"0", true, 0},
                   {"18446744073709551615", true, UINT64_MAX},
                   {"18446744073709551616", false, 0},
                   {"0xffffffffffffffff", true, UINT64_MAX},
                   {"0x10000000000000000", false, 0},
                   {"0XfF", true, 255},
                   {"", false, 0},
                   {"0x", false, 0},
                   {"+1", false, 0},
                   {" 1", false, 0},
                   {"1 ", false, 0},
                   {"0b1", false, 0}};
    static const struct {
        const char *text;
        bool sound;
        uint64_t ms;
    } durations[] = {{"0", true, 0},
                     {"1ms", true, 1},
                     {"2s", true, 2000},
                     {"3m", true, 180000},
                     {"4h", true, 14400000},
                     {"5d", true, 432000000},
                     {"5", false, 0},
                     {"5 s", false, 0},
                     {"s", false, 0},
                     {"", false, 0},
                     {"213503982334602d", false, 0}};
    uint64_t value = 0;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        bool sound = serin_cli_parse_number(numbers[i].text, &value);
        ck_assert_msg(sound == numbers[i].sound && (!sound || value == numbers[i].value), "'%s'",
                      numbers[i].text);
    }
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        bool sound = serin_cli_parse_duration(durations[i].text, &value);
        ck_assert_msg(sound == durations[i].sound && (!sound || value == durations[i].ms), "'%s'",
                      durations[i].text);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {understands_words,
                                  suggests_the_nearest_word,
                                  suggests_nothing_grave_for_another_word,
                                  counts_operands,
                                  bounds_are_told_in_the_form_they_are_given_in,
                                  checks_every_option_of_every_command,
                                  every_example_parses,
                                  gives_typed_values,
                                  reads_numbers_and_durations,
                                  NULL};
    return check_run("cli_args", tests);
}

/*
 * The load tool's command line: what is taken, and each bound.
 */
#include <options.h>

#include "check_main.h"

#include <string.h>

#define ARGUMENTS_MAX 32

static struct load_options options;

/* Reads `more` (ends with NULL) behind everything that is needed. */
static enum load_exit read_with(const char *const *more)
{
    static char texts[ARGUMENTS_MAX][128];
    static const char *const needed[] = {"serin-load", "--broker",    "127.0.0.1:8883", "--ca",
                                         "ca.pem",     "--certs",     "devices",        "--product",
                                         "lamp",       "--provision", "1.serin",        "--trust",
                                         "trust.bin",  "--root-key",  "root.pub",       NULL};
    char *argv[ARGUMENTS_MAX + 1];
    int argc = 0;
    for (int part = 0; part < 2; part++) {
        const char *const *from = part == 0 ? needed : more;
        for (int i = 0; from[i] != NULL; i++) {
            ck_assert_int_lt(argc, ARGUMENTS_MAX);
            strncpy(texts[argc], from[i], sizeof texts[argc] - 1);
            argv[argc] = texts[argc];
            argc++;
        }
    }
    argv[argc] = NULL;
    extern int optind;
    optind = 0; /* getopt starts anew */
    return load_options_read(&options, argc, argv);
}

static enum load_exit read_one(const char *name, const char *value)
{
    const char *const more[] = {name, value, NULL};
    return read_with(more);
}

START_TEST(defaults_are_those_of_the_help)
{
    const char *const none[] = {NULL};
    ck_assert_int_eq(read_with(none), LOAD_EXIT_DONE);
    ck_assert_uint_eq(options.nodes, 300);
    ck_assert_uint_eq(options.first, 1);
    ck_assert_str_eq(options.id_prefix, "node-");
    ck_assert_str_eq(options.host, "127.0.0.1");
    ck_assert_int_eq(options.port, 8883);
    ck_assert_str_eq(options.channel, "stable");
    ck_assert_uint_eq(options.block_size, 4096);
    ck_assert_uint_eq(options.window_blocks, 4);
    ck_assert_uint_eq(options.start_spread_ms, 300 * 20);
    ck_assert_uint_eq(options.beat_s, 60);
    ck_assert(!options.until_given && !options.json);
}
END_TEST

START_TEST(values_are_taken)
{
    const char *const more[] = {"--nodes", "5000",   "--block",        "mixed", "--until",
                                "2.1.3",   "--json", "--start-spread", "2m",    NULL};
    ck_assert_int_eq(read_with(more), LOAD_EXIT_DONE);
    ck_assert_uint_eq(options.nodes, 5000);
    ck_assert_uint_eq(options.start_spread_ms, 120000);
    ck_assert(options.until_given && options.json);
    ck_assert(options.until.major == 2 && options.until.minor == 1 && options.until.patch == 3);
    static const uint32_t sizes[] = {256, 512, 1024, 4096, 16384, 65536, 256};
    for (uint32_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(load_block_size(&options, i), sizes[i]);
    }
    ck_assert_int_eq(read_one("--block", "64KiB"), LOAD_EXIT_DONE);
    ck_assert_uint_eq(load_block_size(&options, 3), 65536);
}
END_TEST

START_TEST(bounds_are_kept)
{
    static const char *const wrong[][2] = {
        {"--nodes", "0"},          {"--nodes", "5001"},      {"--nodes", "-1"},
        {"--nodes", "12x"},        {"--nodes", ""},          {"--block", "255"},
        {"--block", "65KiB"},      {"--block", "300"},       {"--window", "0"},
        {"--window", "1025"},      {"--hardware", "0"},      {"--hardware", "65536"},
        {"--broker", "localhost"}, {"--broker", ":8883"},    {"--broker", "h:0"},
        {"--broker", "h:65536"},   {"--until", "2.0"},       {"--timeout", "0"},
        {"--timeout", "10"},       {"--beat", "999ms"},      {"--keep-alive", "1s"},
        {"--id-prefix", "a/b"},    {"--product", "no name"}, {"--channel", "#"},
        {"--flash", "1KiB"},       {"--flash", "3GiB"},      {"--start-spread", "25h"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(read_one(wrong[i][0], wrong[i][1]) == LOAD_EXIT_USAGE, "%s %s", wrong[i][0],
                      wrong[i][1]);
    }
    const char *const extra[] = {"file", NULL}, *const unknown[] = {"--fast", NULL};
    ck_assert_int_eq(read_with(extra), LOAD_EXIT_USAGE);
    ck_assert_int_eq(read_with(unknown), LOAD_EXIT_USAGE);
}
END_TEST

START_TEST(what_is_needed_is_asked_for)
{
    char name[] = "serin-load", help[] = "--help";
    char *argv[] = {name, NULL, NULL};
    extern int optind;
    optind = 0;
    ck_assert_int_eq(load_options_read(&options, 1, argv), LOAD_EXIT_USAGE);
    argv[1] = help;
    optind = 0;
    ck_assert_int_eq(load_options_read(&options, 2, argv), LOAD_EXIT_DONE);
    ck_assert(options.help);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {defaults_are_those_of_the_help, values_are_taken, bounds_are_kept,
                                 what_is_needed_is_asked_for, NULL};
    return check_run("load options", list);
}

/*
 * serin delta as a real program in a temporary folder: both ways, what it says, and each refusal
 * with its exit status and without an output file.
 */
#include "check_main.h"
#include "delta_images.h"
#include "program.h"

#include <serin/cli/args.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static const struct program_result *result;

static int serin(const char *format, ...)
{
    static char line[1024];
    const char *argv[PROGRAM_ARGS_MAX] = {SERIN_PROGRAM};
    size_t argc = 1;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    result = program_run(folder, NULL, argv);
    ck_assert_msg(strstr(result->err, "Sanitizer") == NULL, "%s", result->err);
    return result->status;
}

#define SUCCEEDS(...) \
    ck_assert_msg(serin(__VA_ARGS__) == SERIN_CLI_DONE, "%d: %s", result->status, result->err)
/* The status, one line on standard error with a part of it, and no file "out". */
#define FAILS(status_, part, ...)                                                              \
    do {                                                                                       \
        ck_assert_msg(serin(__VA_ARGS__) == (status_), "%d: %s", result->status, result->err); \
        ck_assert_msg(strstr(result->err, (part)) != NULL, "'%s' not in: %s", (part),          \
                      result->err);                                                            \
        ck_assert((status_) == SERIN_CLI_USAGE ||                                              \
                  strchr(result->err, '\n') == strrchr(result->err, '\n'));                    \
        ck_assert_int_ne(access(path_of("out"), F_OK), 0);                                     \
    } while (0)

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(path_of(name), "wb");
    ck_assert(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static size_t read_file(const char *name, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path_of(name), "rb");
    ck_assert_msg(file != NULL, "%s", name);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

static struct delta_pair pair;

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/serin-delta-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    delta_images(SERIN_DELTA_ARCH_THUMB, 9, &pair);
    write_file("old", pair.old, pair.old_size);
    write_file("new", pair.new, pair.new_size);
}

static void teardown(void)
{
    static const char *const names[] = {"old", "new", "p", "out", "bad", "other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(path_of(names[i]));
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static void expect_out(void)
{
    static uint8_t out[DELTA_IMAGE_MAX];
    ck_assert_uint_eq(read_file("out", out, sizeof out), pair.new_size);
    ck_assert_mem_eq(out, pair.new, pair.new_size);
    ck_assert_int_eq(unlink(path_of("out")), 0);
}

START_TEST(a_patch_goes_both_ways)
{
    setup();
    SUCCEEDS("delta make old new -o p");
    ck_assert_ptr_nonnull(strstr(result->out, "architecture thumb"));
    SUCCEEDS("delta apply old p -o out");
    expect_out();
    /* An older patch gives way. */
    SUCCEEDS("delta make old new -o p --ram 8k --json");
    ck_assert_ptr_nonnull(strstr(result->out, "\"back_end\":\"small\""));
    ck_assert_ptr_nonnull(strstr(result->out, "\"architecture\":\"thumb\""));
    SUCCEEDS("delta apply old p -o out --json");
    ck_assert_ptr_nonnull(strstr(result->out, "\"file\":\"out\""));
    expect_out();
    SUCCEEDS("delta info p");
    ck_assert_ptr_nonnull(strstr(result->out, "back end      small"));
    SUCCEEDS("delta info p --json");
    ck_assert_ptr_nonnull(strstr(result->out, "\"new_sha256_prefix\":\""));
    teardown();
}
END_TEST

START_TEST(an_image_is_compressed_alone)
{
    setup();
    SUCCEEDS("delta make --no-base new -o p");
    SUCCEEDS("delta info p");
    ck_assert_ptr_nonnull(strstr(result->out, "old image     none"));
    SUCCEEDS("delta apply p -o out");
    expect_out();
    SUCCEEDS("delta make --no-base new -o p --ram 8k --json");
    ck_assert_ptr_nonnull(strstr(result->out, "\"old_size\":0"));
    ck_assert_ptr_nonnull(strstr(result->out, "\"back_end\":\"small\""));
    SUCCEEDS("delta apply p -o out --json");
    expect_out();
    FAILS(SERIN_CLI_REFUSED, "another image", "delta apply old p -o out");
    FAILS(SERIN_CLI_USAGE, "alone", "delta make --no-base old new -o out");
    FAILS(SERIN_CLI_USAGE, "--no-base", "delta make new -o out");
    SUCCEEDS("delta make old new -o p");
    FAILS(SERIN_CLI_USAGE, "needs the old image", "delta apply p -o out");
    write_file("bad", "", 0);
    FAILS(SERIN_CLI_INPUT, "empty", "delta make bad new -o out");
    teardown();
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    setup();
    SUCCEEDS("delta make old new -o p");
    FAILS(SERIN_CLI_REFUSED, "another image", "delta apply new p -o out");
    write_file("other", pair.old, pair.old_size - 1);
    FAILS(SERIN_CLI_REFUSED, "another image", "delta apply other p -o out");
    FAILS(SERIN_CLI_INPUT, "no patch", "delta apply old new -o out");
    FAILS(SERIN_CLI_INPUT, "no patch", "delta info old");
    FAILS(SERIN_CLI_NOT_FOUND, "none", "delta apply old none -o out");
    FAILS(SERIN_CLI_NOT_FOUND, "none", "delta make old none -o out");
    FAILS(SERIN_CLI_USAGE, "8k or 16k", "delta make old new -o out --ram 4k");
    FAILS(SERIN_CLI_REFUSED, "not overwritten", "delta make old new -o new");
    FAILS(SERIN_CLI_REFUSED, "no patch", "delta make old new -o other");
    FAILS(SERIN_CLI_REFUSED, "not overwritten", "delta apply old p -o other");
    teardown();
}
END_TEST

START_TEST(a_damaged_patch_leaves_no_file)
{
    static uint8_t bytes[DELTA_IMAGE_MAX];
    setup();
    SUCCEEDS("delta make old new -o p");
    size_t size = read_file("p", bytes, sizeof bytes);
    write_file("bad", bytes, size - 1);
    FAILS(SERIN_CLI_INPUT, "bytes, where its header tells", "delta apply old bad -o out");
    FAILS(SERIN_CLI_INPUT, "bytes, where its header tells", "delta info bad");
    write_file("bad", bytes, 40);
    FAILS(SERIN_CLI_INPUT, "no patch", "delta apply old bad -o out");
    for (size_t at = 0; at < size - 1; at += at < SERIN_DELTA_HEADER_SIZE ? 9 : 5) {
        bytes[at] ^= 0x10;
        write_file("bad", bytes, size);
        FAILS(SERIN_CLI_INPUT, "bad", "delta apply old bad -o out");
        bytes[at] ^= 0x10;
    }
    teardown();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_patch_goes_both_ways, an_image_is_compressed_alone,
                                  what_does_not_fit_is_refused, a_damaged_patch_leaves_no_file,
                                  NULL};
    return check_run("cli_delta", tests);
}

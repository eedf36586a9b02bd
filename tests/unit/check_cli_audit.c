/*
 * serin audit verify, as a real program on files of a log: what it prints and how it ends.
 */
#include "api_server.h"
#include "check_main.h"
#include "program.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/cli/args.h>
#include <serin/host/audit_chain.h>

#include <stdio.h>
#include <string.h>

#define LOG_MAX 16384u

static char folder[64];
static struct api_server server;
static const struct program_result *result;

static char bytes[LOG_MAX];
static size_t size, starts[16];
static char heads[16][SERIN_AUDIT_HEAD_SIZE]; /* by seq */

static int serin(const char *one, const char *two, const char *three, const char *four)
{
    const char *argv[] = {SERIN_PROGRAM, "audit", "verify", one, two, three, four, NULL};
    const char *environment[] = {"SERIN_TOKEN_FILE=token", NULL};
    result = program_run(folder, environment, argv);
    ck_assert_msg(strstr(result->err, "Sanitizer") == NULL, "%s", result->err);
    return result->status;
}

static void expect(const char *part)
{
    ck_assert_msg(strstr(result->out, part) != NULL, "'%s' not in: %s", part, result->out);
}

static void expect_complaint(const char *part)
{
    ck_assert_msg(strstr(result->err, part) != NULL, "'%s' not in: %s", part, result->err);
}

static void save(const char *name, size_t from, size_t to)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file_write(path, bytes + from, to - from);
}

/* Ten lines, of which `old` and `new` have five each. */
static void make(void)
{
    struct serin_audit_head head = {.seq = 0}, after;
    folder_make(folder);
    size = 0;
    for (size_t i = 0; i < 10; i++) {
        char object[160];
        size_t line = 0;
        snprintf(object, sizeof object, "{\"time\":\"2026-01-31T12:00:0%zu.000Z\",\"text\":\"\"}",
                 i);
        starts[i] = size;
        static char out[SERIN_AUDIT_LINE_MAX];
        ck_assert_int_eq(serin_audit_seal(serin_wolfcrypt(), object, strlen(object), NULL, &head,
                                          out, &line, &after),
                         SERIN_OK);
        memcpy(bytes + size, out, line);
        size += line;
        bytes[size++] = '\n';
        head = after;
        serin_audit_head_print(&head, heads[head.seq]);
    }
    starts[10] = size;
    save("log", 0, size);
    save("old", 0, starts[5]);
    save("new", starts[5], size);
}

START_TEST(sound_files_are_told_of)
{
    char line[160];
    make();
    ck_assert_int_eq(serin("log", NULL, NULL, NULL), SERIN_CLI_DONE);
    ck_assert_str_eq(result->err, "");
    expect("lines     10, seq 1 to 10\n");
    expect("time      2026-01-31T12:00:00.000Z to 2026-01-31T12:00:09.000Z\n");
    snprintf(line, sizeof line, "head      %s\n", heads[10]);
    expect(line);
    ck_assert_ptr_null(strstr(result->out, "begins"));
    expect("end       not proven, lines cut off there do not show: give --live or --head\n");

    ck_assert_int_eq(serin("old", "new", "--head", heads[10]), SERIN_CLI_DONE);
    expect("the head that was given is in it");
    ck_assert_ptr_null(strstr(result->out, "\nend "));
    ck_assert_int_eq(serin("old", "new", "--head", heads[7]), SERIN_CLI_DONE);
    expect("end       proven up to seq 7, where the head that was given stands\n");
    ck_assert_int_eq(serin("new", "--head", heads[5], NULL), SERIN_CLI_DONE);
    snprintf(line, sizeof line, "begins    at seq 6, chained to %s\n", heads[5]);
    expect(line);

    ck_assert_int_eq(serin("log", "--json", NULL, NULL), SERIN_CLI_DONE);
    expect("{\"valid\":true,\"lines\":10,\"unchained\":0,\"torn\":0,\"seq_first\":1,");
    expect("\"known\":\"none\",\"proven_to\":0,\"fault_count\":0,\"faults\":[]}\n");

    /* The last three are cut off: sound all the same, and only a head tells. */
    save("cut", 0, starts[7]);
    ck_assert_int_eq(serin("cut", NULL, NULL, NULL), SERIN_CLI_DONE);
    expect("end       not proven");
    ck_assert_int_eq(serin("cut", "--head", heads[10], NULL), SERIN_CLI_REFUSED);
    expect("removed: the files end with seq 7, and the head is seq 10\n");
    ck_assert_int_eq(serin("log", "--json", "--head", heads[7]), SERIN_CLI_DONE);
    expect("\"known\":\"matched\",\"proven_to\":7,");
    folder_remove(folder);
}
END_TEST

START_TEST(faults_have_file_line_and_status)
{
    make();
    memmove(bytes + starts[6], bytes + starts[8], size - starts[8]);
    save("bad", starts[5], size - (starts[8] - starts[6]));
    ck_assert_int_eq(serin("old", "bad", NULL, NULL), SERIN_CLI_REFUSED);
    expect("bad:2: removed: seq 7 to 8 missing before this line\n");
    expect_complaint("serin audit verify: the audit log does not hold: 1 fault\n");
    ck_assert_int_eq(serin("old", "bad", "--json", NULL), SERIN_CLI_REFUSED);
    expect("{\"valid\":false,");
    expect("\"fault_count\":1,\"faults\":[{\"file\":\"bad\",\"line\":2,\"line_last\":2,"
           "\"kind\":\"removed\",\"seq_first\":7,\"seq_last\":8,\"text\":\"removed: seq 7 to 8 "
           "missing before this line\"}]}\n");

    ck_assert_int_eq(serin("new", "old", NULL, NULL), SERIN_CLI_REFUSED);
    expect_complaint("given oldest first");
    expect("old:1: reordered: seq 1 stands behind seq 10\n");
    ck_assert_int_eq(serin("new", "--whole", NULL, NULL), SERIN_CLI_REFUSED);
    expect("removed: the files begin with seq 6, and not with the first line\n");
    ck_assert_int_eq(serin("log", "--whole", NULL, NULL), SERIN_CLI_DONE);
    folder_remove(folder);
}
END_TEST

/* Another file was given, or one that nothing was written to yet: not a log that was harmed.
 * Caught: a log whose hashes were taken out told as no log; an emptied one told so though its head
 * is known.
 */
START_TEST(what_is_no_log_is_told_apart_from_one_that_was_harmed)
{
    char path[160];
    make();
    snprintf(path, sizeof path, "%s/empty", folder);
    file_write(path, "", 0);
    snprintf(path, sizeof path, "%s/other", folder);
    file_write(path, "\177ELF\nno log\n", 12);
    snprintf(path, sizeof path, "%s/bare", folder);
    file_write(path, "{\"time\":\"\"}\n", 12);

    ck_assert_int_eq(serin("empty", NULL, NULL, NULL), SERIN_CLI_INPUT);
    ck_assert_str_eq(result->err,
                     "serin audit verify: there is nothing to verify: not a line is in empty\n");
    ck_assert_str_eq(result->out, "");
    ck_assert_int_eq(serin("other", NULL, NULL, NULL), SERIN_CLI_INPUT);
    ck_assert_str_eq(result->err, "serin audit verify: this is no audit log: other\n");
    ck_assert_int_eq(serin("empty", "other", "--json", NULL), SERIN_CLI_INPUT);
    expect("{\"valid\":false,\"lines\":0,");
    expect_complaint("this is no audit log: empty and the others\n");

    ck_assert_int_eq(serin("bare", NULL, NULL, NULL), SERIN_CLI_REFUSED);
    expect("bare: unchained: no line has a hash\n");
    ck_assert_int_eq(serin("empty", "--head", heads[10], NULL), SERIN_CLI_REFUSED);
    ck_assert_int_eq(serin("other", "--head", heads[10], NULL), SERIN_CLI_REFUSED);
    ck_assert_int_eq(serin("log", "empty", NULL, NULL), SERIN_CLI_DONE);
    folder_remove(folder);
}
END_TEST

START_TEST(a_head_finds_what_was_cut_off)
{
    make();
    ck_assert_int_eq(serin("old", "--head", heads[10], NULL), SERIN_CLI_REFUSED);
    expect("removed: the files end with seq 5, and the head is seq 10\n");
    expect_complaint("1 fault\n");
    ck_assert_int_eq(serin("old", "--json", "--head", heads[10]), SERIN_CLI_REFUSED);
    expect("{\"valid\":false,");
    expect("\"known\":\"behind\",\"proven_to\":0,\"message\":\"removed: ");
    ck_assert_int_eq(serin("new", "--head", heads[3], NULL), SERIN_CLI_REFUSED);
    expect("not compared: the head is seq 3, and the files begin with seq 6: give older ones too");
    heads[4][5] = heads[4][5] == '0' ? '1' : '0';
    ck_assert_int_eq(serin("log", "--head", heads[4], NULL), SERIN_CLI_REFUSED);
    expect("forged: seq 4 is not the line of the head; it was written anew\n");

    ck_assert_int_eq(serin("log", "--head", "12", NULL), SERIN_CLI_USAGE);
    expect_complaint("SEQ:HASH");
    ck_assert_int_eq(serin("log", "--live", "--head", heads[4]), SERIN_CLI_USAGE);
    ck_assert_int_eq(serin("none", NULL, NULL, NULL), SERIN_CLI_NOT_FOUND);
    expect_complaint("none: No such file");
    ck_assert_int_eq(serin(".", NULL, NULL, NULL), SERIN_CLI_INPUT);
    expect_complaint(".: not a plain file");
    folder_remove(folder);
}
END_TEST

/* The server is asked for --live alone. */
START_TEST(a_live_head_is_asked_for)
{
    char body[256], path[160];
    make();
    snprintf(body, sizeof body, "{\"seq\":10,\"hash\":\"x\",\"head\":\"%s\"}", heads[10]);
    const struct api_answer answers[] = {{"GET /v1/audit/head", 200, body},
                                         {"GET /v1/audit/head", 200, "{\"seq\":10}"},
                                         {NULL, 0, NULL}};
    api_server_start(&server, folder, answers);
    snprintf(path, sizeof path, "--server=%s", server.url);
    char token[160];
    snprintf(token, sizeof token, "%s/token", folder);
    file_write(token, "secret-of-serind\n", 17);
    ck_assert_int_eq(serin("log", path, NULL, NULL), SERIN_CLI_DONE);
    ck_assert_str_eq(api_server_log(&server), "");
    ck_assert_int_eq(serin("old", "--live", path, NULL), SERIN_CLI_REFUSED);
    expect("removed: the files end with seq 5, and the head is seq 10\n");
    ck_assert_int_eq(serin("log", "--live", path, NULL), SERIN_CLI_FAILED);
    expect_complaint("no head");
    api_server_stop(&server);
    ck_assert_int_eq(serin("log", "--live", path, NULL), SERIN_CLI_UNREACHABLE);
    folder_remove(folder);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        sound_files_are_told_of,
        faults_have_file_line_and_status,
        what_is_no_log_is_told_apart_from_one_that_was_harmed,
        a_head_finds_what_was_cut_off,
        a_live_head_is_asked_for,
        NULL,
    };
    return check_run("cli_audit", tests);
}

/*
 * serin and the API of serind: what each command asks, what it shows, and how each answer exits.
 * The server is the test's own, with answers of docs/spec/http-api.md.
 */
#include "api_server.h"
#include "program.h"

#include <serin/cli/args.h>

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64];
static struct api_server server;
static const struct program_result *result;

static void setup(void)
{
    memset(&server, 0, sizeof(server));
    folder_make(folder);
}

static void teardown(void)
{
    api_server_stop(&server);
    folder_remove(folder);
}

static const char *path_of(const char *name)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* Runs serin with the words of a line; an underscore stands for a space inside a word. */
static int serin(const char *format, ...)
{
    static char line[1024];
    char url[96];
    const char *argv[PROGRAM_ARGS_MAX] = {SERIN_PROGRAM};
    const char *environment[] = {url, "SERIN_TOKEN_FILE=token", NULL};
    size_t argc = 1;
    va_list arguments;

    snprintf(url, sizeof(url), "SERIN_SERVER=%s", server.url);
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
        for (char *p = word; argc > 4 && *p != '\0'; p++) {
            *p = *p == '_' ? ' ' : *p;
        }
    }
    result = program_run(folder, environment, argv);
    ck_assert_msg(strstr(result->err, "Sanitizer") == NULL, "%s", result->err);
    return result->status;
}

static void start(const struct api_answer *answers)
{
    api_server_start(&server, folder, answers);
    file_write(path_of("token"), "secret-of-serind\n", 17);
}

static void expect_asked(const char *request)
{
    ck_assert_msg(strstr(api_server_log(&server), request) != NULL, "'%s' not in: %s", request,
                  api_server_log(&server));
}

static void expect_shown(const char *part)
{
    ck_assert_msg(strstr(result->out, part) != NULL, "'%s' not in: %s", part, result->out);
}

#define SUCCEEDS(...) \
    ck_assert_msg(serin(__VA_ARGS__) == SERIN_CLI_DONE, "%d: %s", result->status, result->err)
#define FAILS(status_, part, ...)                                                              \
    do {                                                                                       \
        ck_assert_msg(serin(__VA_ARGS__) == (status_), "%d: %s", result->status, result->err); \
        ck_assert_msg(strncmp(result->err, "serin ", 6) == 0, "%s", result->err);              \
        ck_assert_msg(strstr(result->err, (part)) != NULL, "'%s' not in: %s", (part),          \
                      result->err);                                                            \
    } while (0)

#define ROLLOUT(state_, why_, stage_, confirmed_, failed_)                                     \
    "{\"id\":3,\"name\":\"spring\",\"product\":\"lamp\",\"channel\":\"stable\",\"state\":"     \
    "\"" state_ "\",\"why\":\"" why_ "\",\"stage\":" stage_                                    \
    ",\"stages\":[{\"percent\":1.0,\"soak_s\":60,\"devices\":1,\"approval\":false},"           \
    "{\"percent\":100.0,\"soak_s\":60,\"devices\":100,\"approval\":false}],\"target\":1,"      \
    "\"releases\":[{\"hw_min\":1,\"hw_max\":3,\"manifest_id\":\"ab\",\"version\":\"2.0.0\"}]," \
    "\"population\":100,\"tally\":{\"offered\":1,\"accepted\":1,\"confirmed\":" confirmed_     \
    ",\"failed\":" failed_ ",\"rejected\":0,\"unreached\":0,\"regressed\":0,\"other\":0},"     \
    "\"soaked_s\":1,\"soak_left_s\":59,\"publishes\":1,\"created\":null,\"ended\":null"

START_TEST(every_command_asks_what_the_api_says)
{
    static const struct {
        const char *line, *request, *body;
    } cases[] = {
        {"status", "GET /v1/status", ""},
        {"release list", "GET /v1/releases", ""},
        {"rollout list", "GET /v1/rollouts", ""},
        {"rollout show 3", "GET /v1/rollouts/3", ""},
        {"rollout create --policy policy", "POST /v1/rollouts", "product: lamp"},
        {"rollout pause 3", "POST /v1/rollouts/3/pause", ""},
        {"rollout resume 3", "POST /v1/rollouts/3/resume", ""},
        {"rollout halt 3 --reason too_hot", "POST /v1/rollouts/3/halt", "{\"reason\":\"too hot\"}"},
        {"rollout advance 3", "POST /v1/rollouts/3/advance", ""},
        {"rollout retry 3 --reason again", "POST /v1/rollouts/3/retry", "{\"reason\":\"again\"}"},
        {"rollout abort 3 --reason no", "POST /v1/rollouts/3/abort", "{\"reason\":\"no\"}"},
        {"device list", "GET /v1/devices?limit=1000", ""},
        {"device list --product lamp --state confirmed --channel beta",
         "GET /v1/devices?limit=1000&product=lamp&channel=beta&state=confirmed", ""},
        {"device show sensor-1", "GET /v1/devices/sensor-1", ""},
        {"device approve sensor-1", "POST /v1/devices/sensor-1/approve", ""},
        {"device refuse sensor-1", "POST /v1/devices/sensor-1/refuse", ""},
        {"device list --gateway gw-1", "GET /v1/devices?limit=1000&gateway=gw-1", ""},
        {"device list --enrolment pending", "GET /v1/devices?limit=1000&enrolment=pending", ""},
        {"device move sensor-1 --to gw-2", "POST /v1/devices/sensor-1/move", "{\"to\":\"gw-2\"}"},
        {"device move sensor-1 --to direct", "POST /v1/devices/sensor-1/move", "{\"to\":\"\"}"},
        {"gateway list", "GET /v1/gateways?limit=1000", ""},
        {"gateway show gw-1", "GET /v1/gateways/gw-1?limit=1000", ""},
        {"gateway refuse gw-1", "POST /v1/gateways/gw-1/refuse", ""},
        {"gateway allow gw-1", "POST /v1/gateways/gw-1/allow", ""},
        {"audit", "GET /v1/audit?after=0&limit=500", ""},
        {"audit head", "GET /v1/audit/head", ""},
    };
    struct api_answer answers[40] = {0};
    const size_t count = sizeof(cases) / sizeof(cases[0]);

    for (size_t i = 0; i < count; i++) {
        answers[i] = (struct api_answer){cases[i].request, 200, "{\"id\":3}"};
    }
    start(answers);
    file_write(path_of("policy"), "product: lamp", 13);
    for (size_t i = 0; i < count; i++) {
        char expected[512];
        SUCCEEDS("%s", cases[i].line);
        snprintf(expected, sizeof(expected), "%s\ntoken=secret-of-serind\n", cases[i].request);
        expect_asked(expected);
        if (cases[i].body[0] != '\0') {
            snprintf(expected, sizeof(expected), "body=%s\n", cases[i].body);
            expect_asked(expected);
        }
    }
}
END_TEST

START_TEST(every_status_has_its_exit)
{
    static const struct {
        unsigned status;
        int exit;
    } cases[] = {{200, SERIN_CLI_DONE},    {201, SERIN_CLI_DONE},      {400, SERIN_CLI_INPUT},
                 {401, SERIN_CLI_REFUSED}, {404, SERIN_CLI_NOT_FOUND}, {409, SERIN_CLI_REFUSED},
                 {413, SERIN_CLI_INPUT},   {422, SERIN_CLI_REFUSED},   {500, SERIN_CLI_FAILED},
                 {507, SERIN_CLI_FAILED},  {302, SERIN_CLI_FAILED}};
    static const char body[] =
        "{\"error\":{\"code\":\"CONFIG\",\"message\":\"percent is 200; at most 100\","
        "\"field\":\"stages[1].percent\",\"line\":12}}";
    struct api_answer answers[20] = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answers[i] = (struct api_answer){"GET /v1/status", cases[i].status, body};
    }
    answers[sizeof(cases) / sizeof(cases[0])] = (struct api_answer){"POST /v1/rollouts", 400, body};
    start(answers);
    /* The line is one of the operator's file. */
    file_write(path_of("policy"), "product: lamp", 13);
    FAILS(SERIN_CLI_INPUT, "policy:12: percent is 200", "rollout create --policy policy");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(serin("status") == cases[i].exit, "%u: %d", cases[i].status, result->status);
        if (cases[i].exit != SERIN_CLI_DONE) {
            ck_assert_ptr_nonnull(strstr(result->err, "percent is 200; at most 100 (CONFIG; field "
                                                      "stages[1].percent)"));
        }
    }
}
END_TEST

START_TEST(odd_answers_are_survived)
{
    const struct api_answer answers[] = {
        {"GET /v1/status", 200, "<html>"},
        {"GET /v1/status", 500, "<html>"},
        {"GET /v1/status", 0, NULL},
        {"GET /v1/status", 200, "[]"},
        {"GET /v1/status", 200, "{\"alarms\":[\"\\u001b[2Jgone\"]}"},
        {"GET /v1/rollouts", 200, "{\"rollouts\":[{},{\"releases\":[1],\"id\":-1}]}"},
        {"GET /v1/devices?limit=1000", 200, "{\"devices\":[{}]}"},
        {"GET /v1/gateways?limit=1000", 200,
         "{\"gateways\":[{},{\"status\":[],\"claims\":3},{\"status\":{\"hit_rate\":1e300,"
         "\"depot_bytes\":9223372036854775807,\"depot_budget_bytes\":1}}]}"},
        {"GET /v1/gateways/gw-1?limit=1000", 200,
         "{\"id\":\"\\u001b[2J\",\"status\":{\"software\":\"\\u001b\",\"depot_bytes\":9,"
         "\"depot_budget_bytes\":1,\"fleets\":[1,{}]},\"devices\":[7],\"next\":\"x\"}"},
        {NULL, 0, NULL}};
    start(answers);
    FAILS(SERIN_CLI_FAILED, "no JSON", "status");
    FAILS(SERIN_CLI_FAILED, "status 500", "status");
    FAILS(SERIN_CLI_UNREACHABLE, "is serind running?", "status");
    SUCCEEDS("status");
    /* What the server says cannot take over the terminal. */
    SUCCEEDS("status");
    expect_shown("?[2Jgone");
    ck_assert_ptr_null(strchr(result->out, '\x1b'));
    SUCCEEDS("rollout list");
    SUCCEEDS("device list");
    SUCCEEDS("gateway list");
    SUCCEEDS("gateway show gw-1");
    ck_assert_ptr_null(strchr(result->out, '\x1b'));
}
END_TEST

START_TEST(finds_server_and_token)
{
    const struct api_answer answers[] = {{"GET /v1/status", 200, "{}"}, {NULL, 0, NULL}};

    start(answers);
    file_write(path_of("other"), "other-token", 11);
    SUCCEEDS("status --token-file other");
    expect_asked("token=other-token\n");
    FAILS(SERIN_CLI_NOT_FOUND, "none", "status --token-file none");
    ck_assert_ptr_nonnull(strstr(result->err, "--token-file or SERIN_TOKEN_FILE"));
    FAILS(SERIN_CLI_USAGE, "unencrypted", "status --server http://serind.example:8470");
    FAILS(SERIN_CLI_USAGE, "is no server", "status --server 127.0.0.1:8470");
    FAILS(SERIN_CLI_UNREACHABLE, "cannot reach", "status --server http://127.0.0.1:1");
    /* The default place, under the home folder. */
    char home[128];
    snprintf(home, sizeof(home), "HOME=%s", folder);
    mkdir(path_of(".config"), 0700);
    mkdir(path_of(".config/serin"), 0700);
    file_write(path_of(".config/serin/token"), "home-token\n", 11);
    const char *argv[] = {SERIN_PROGRAM, "status", "--server", server.url, NULL};
    const char *environment[] = {home, "SERIN_TOKEN_FILE=", "XDG_CONFIG_HOME=", NULL};
    result = program_run(folder, environment, argv);
    ck_assert_msg(result->status == SERIN_CLI_DONE, "%s", result->err);
    expect_asked("token=home-token\n");
    FAILS(SERIN_CLI_USAGE, "is no rollout", "rollout show x");
    FAILS(SERIN_CLI_USAGE, "is no rollout", "rollout show 0");
    FAILS(SERIN_CLI_USAGE, "is no device id", "device show a/b");
    FAILS(SERIN_CLI_USAGE, "is no gateway id", "gateway show a/b");
    FAILS(SERIN_CLI_USAGE, "--to", "device move a");
}
END_TEST

START_TEST(json_is_passed_on)
{
    static const char status[] = "{\"version\":\"0.1.0\",\"connected\":true,\"alarms\":[]}";
    const struct api_answer answers[] = {
        {"GET /v1/status", 200, status},
        {"GET /v1/devices?limit=1000", 200,
         "{\"devices\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"next\":\"b\"}"},
        {"GET /v1/devices?limit=1000&after=b", 200, "{\"devices\":[{\"id\":\"c\"}],\"next\":null}"},
        {"GET /v1/audit?after=0&limit=500", 200,
         "{\"lines\":[{\"time\":\"t\",\"what\":\"x\"},{\"time\":\"u\",\"what\":\"y\"}],\"next\":"
         "77}"},
        {"GET /v1/audit?after=77&limit=500", 200, "{\"lines\":[],\"next\":77}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("status --json");
    ck_assert_mem_eq(result->out, status, strlen(status));
    ck_assert_str_eq(result->out + strlen(status), "\n");
    /* All pages become one. */
    SUCCEEDS("device list --json");
    ck_assert_str_eq(
        result->out,
        "{\"devices\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}],\"next\":null}\n");
    SUCCEEDS("audit --json");
    ck_assert_str_eq(result->out,
                     "{\"time\":\"t\",\"what\":\"x\"}\n{\"time\":\"u\",\"what\":\"y\"}\n");
}
END_TEST

START_TEST(tables_align)
{
    const struct api_answer answers[] = {
        {"GET /v1/devices?limit=1000", 200,
         "{\"devices\":[{\"id\":\"sensor-1\",\"product\":\"lamp\",\"channel\":\"stable\","
         "\"hardware\":2,\"state\":\"rolled_back\",\"reason\":\"crash\",\"version\":\"2.0.0\","
         "\"online\":true,\"redundancy\":\"older\",\"gateway\":\"gw-1\","
         "\"enrolment\":\"pending\",\"last_report\":\"2026-01-31T12:00:00Z\"},"
         "{\"id\":\"a\",\"product\":\"lamp\",\"channel\":\"st\u00e4ble\",\"hardware\":10,"
         "\"state\":\"idle\",\"version\":\"10.0.0\",\"online\":false}],\"next\":null}"},
        {"GET /v1/rollouts/3", 200,
         ROLLOUT("rolling", "", "1", "0", "1") ",\"failures\":[{\"device\":"
                                               "\"sensor-1\",\"state\":\"rolled_back\",\"reason\":"
                                               "\"crash\",\"text\":\"it crashed\"}]}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("device list");
    ck_assert_str_eq(result->out,
                     "DEVICE    PRODUCT  CHANNEL  HW  ENROLMENT  VERSION  STATE        "
                     "REASON  LINK     VIA     REDUNDANCY  LAST REPORT\n"
                     "sensor-1  lamp     stable    2  pending      2.0.0  rolled_back  "
                     "crash   online   gw-1    older       2026-01-31T12:00:00Z\n"
                     "a         lamp     st\u00e4ble   10  -           10.0.0  idle      "
                     "   -       offline  direct  -           never\n");
    SUCCEEDS("rollout show 3");
    expect_shown("rollout 3 spring (lamp/stable): rolling\n");
    expect_shown("0 confirmed, 1 failed");
    expect_shown("\npopulation 100: 1 offered, 1 accepted,");
    expect_shown("sensor-1  rolled_back  crash   it crashed\n");
}
END_TEST

/* A stage may be offered to more than its share: in place of silent ones, or so that it does not
 * stand behind one gateway. */
START_TEST(what_was_offered_is_shown_and_not_the_share)
{
#define WIDER                                                                                 \
    "{\"id\":3,\"name\":\"spring\",\"product\":\"lamp\",\"channel\":\"stable\",\"state\":"    \
    "\"halted\","                                                                             \
    "\"why\":\"\",\"stage\":1,\"stages\":[{\"percent\":30.0,\"devices\":1},"                  \
    "{\"percent\":100.0,\"devices\":3}],\"target\":1,\"releases\":[{\"version\":\"2.0.0\"}]," \
    "\"population\":3,\"tally\":{\"offered\":2,\"accepted\":2,\"confirmed\":1,\"failed\":1}}"
    const struct api_answer answers[] = {{"GET /v1/rollouts/3", 200, WIDER},
                                         {"GET /v1/rollouts", 200, "{\"rollouts\":[" WIDER "]}"},
                                         {NULL, 0, NULL}};
#undef WIDER

    start(answers);
    ck_assert_int_eq(serin("rollout watch 3"), SERIN_CLI_REFUSED);
    ck_assert_str_eq(result->out, "halted stage 1/2, offered to 2 of 3: 2 accepted, 1 confirmed, 1 "
                                  "failed, 0 regressed\n");
    SUCCEEDS("rollout show 3");
    expect_shown("   1      30 %        2 devices  ");
    expect_shown("   2     100 %        3 devices  ");
    expect_shown("\npopulation 3: 2 offered, 2 accepted, 1 confirmed, 1 failed,");
    ck_assert_ptr_null(strstr(result->out, "cohort"));
    SUCCEEDS("rollout list");
    expect_shown("  1/2        1/2       1  ");
}
END_TEST

/* What a rollout is judged by, in words and figures; what is not told is not shown. Caught: a share
 * of nobody; a signed figure read as none; an older serind's rollout without any of it. */
START_TEST(what_judges_a_rollout_is_shown)
{
    const struct api_answer answers[] = {
        {"GET /v1/rollouts/3", 200,
         ROLLOUT(
             "rolling", "", "1", "0",
             "1") ",\"ramp\":{\"reached\":24,\"target\":41,"
                  "\"in_flight\":8},\"held\":false,\"closed\":true,"
                  "\"next_edge\":\"2026-12-01T02:00:00Z\",\"start\":null,"
                  "\"test\":{\"accepted_percent\":0.5,\"rejected_percent\":2.0,\"resolved\":312,"
                  "\"failed\":2,\"against\":-1.5,\"reject_at\":4.605,\"more_failures\":3,"
                  "\"stage_well\":115,\"stage_need\":200,\"accepted\":false},"
                  "\"gates\":[{\"gate\":\"failures\",\"max_percent\":50.0,\"minimum\":2,\"bad\":2,"
                  "\"of\":312},{\"gate\":\"silence\",\"max_percent\":100.0,\"minimum\":1,\"bad\":0,"
                  "\"of\":0}],\"comparison\":{\"time\":\"2026-12-01T01:00:00Z\",\"updated\":300,"
                  "\"updated_silent\":3,\"updated_unwell\":1,\"control\":700,\"control_silent\":9,"
                  "\"control_unwell\":2,\"expected_silent_percent\":1.3,"
                  "\"expected_unwell_percent\":0.2},\"on_halt\":\"revert\",\"reverted_by\":null,"
                  "\"revert_why\":\"\"}"},
        {"GET /v1/rollouts/4", 200,
         ROLLOUT(
             "halted", "", "1", "0",
             "1") ",\"test\":{\"resolved\":3,\"failed\":3,\"more_failures\":1,\"stage_need\":380},"
                  "\"on_halt\":\"revert\",\"reverted_by\":5,\"replaced_by\":5,"
                  "\"revert_why\":\"\"}"},
        {"GET /v1/rollouts/5", 200,
         ROLLOUT("awaiting", "", "1", "0",
                 "1") ",\"held\":true,\"on_halt\":\"revert\","
                      "\"reverted_by\":null,\"revert_why\":\"there is no stable release\"}"},
        {"GET /v1/rollouts/8", 200,
         "{\"id\":8,\"state\":\"halted\",\"stage\":2,\"ended\":\"2026-12-01T03:00:00Z\",\"stages\":"
         "["
         "{\"percent\":30.0,\"devices\":3},{\"percent\":60.0,\"devices\":6}],\"replaced_by\":null,"
         "\"tally\":{\"offered\":2},\"ramp\":{\"reached\":1,\"target\":1}}"},
        {"GET /v1/rollouts/10", 200,
         "{\"id\":10,\"state\":\"halted\",\"ended\":\"2026-12-01T03:00:00Z\",\"replaced_by\":11,"
         "\"reverted_by\":11,\"on_halt\":\"revert\"}"},
        {"GET /v1/rollouts/9", 200,
         "{\"id\":9,\"state\":\"superseded\",\"ended\":\"2026-12-01T03:00:00Z\",\"replaced_by\":"
         "11}"},
        {"GET /v1/rollouts/6", 200, ROLLOUT("rolling", "", "1", "0", "1") "}"},
        {"GET /v1/rollouts/7", 200,
         ROLLOUT("rolling", "", "1", "0",
                 "1") ",\"test\":{\"resolved\":3,\"failed\":0,\"more_failures\":64}}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("rollout show 3");
    expect_shown("  step   24 of the stage's 41 devices reached, 8 under way\n");
    expect_shown(
        "  test   2 failures of 312 resolved; 3 more would halt it; accepted: no, needs 85 "
        "more without a failure\n");
    expect_shown("0.5 % against 2 %: evidence 0.00 of the 4.61 that halt\n");
    expect_shown("updated: 3 of 300 silent, 1 with more errors; control: 9 of 700 silent, 2 with");
    expect_shown(
        "would show 1.3 % silent and 0.2 % with more errors; compared 2026-12-01T01:00:00Z");
    expect_shown("  hours  closed, the next window opens 2026-12-01T02:00:00Z\n");
    expect_shown("  halt   takes the devices back to the stable release\n");
    expect_shown("failures  2 of 312  0.64 %   50 %     2\n");
    expect_shown("silence     0 of 0       -    off     1\n");
    expect_shown("outside of its windows");
    expect_shown("   1       1 %        1 device   ");
    expect_shown(", step 24/41");
    SUCCEEDS("rollout show 4");
    expect_shown(
        "  halt   reverted: rollout 5 takes its devices back, in this one's stages; 'serin "
        "rollout advance 5' skips a soak\n");
    expect_shown("  test   3 failures of 3 resolved; accepted: no\n");
    SUCCEEDS("rollout show 5");
    expect_shown("held: waits for more evidence; 'serin rollout advance' goes on without it, "
                 "'serin rollout halt' or 'abort' ends it");
    expect_shown("  halt   not reverted: there is no stable release\n");
    SUCCEEDS("rollout show 6");
    ck_assert_ptr_null(strstr(result->out, "  test "));
    ck_assert_ptr_null(strstr(result->out, "GATE"));
    ck_assert_ptr_null(strstr(result->out, "  halt "));
    SUCCEEDS("rollout show 8");
    expect_shown("   1      30 %        3 devices  ");
    expect_shown("   2      60 %        6 devices  ");
    expect_shown(
        "  step   1 of the stage's 1 device reached, 0 under way; silent and withdrawn ones "
        "apart\n");
    expect_shown("  halted 2026-12-01T03:00:00Z; nobody else starts it, and devices that confirmed "
                 "stay on it\n  next   a rollout of a corrected release, with 'from: 8' to begin");
    expect_shown("'serin rollout abort 8' withdraws it");
    SUCCEEDS("rollout show 9");
    expect_shown("  ended  2026-12-01T03:00:00Z\n  then   rollout 11 took its place\n");
    SUCCEEDS("rollout show 10");
    expect_shown("  halted 2026-12-01T03:00:00Z; nobody else starts it\n"
                 "  then   rollout 11 took its place\n");
    ck_assert_ptr_null(strstr(result->out, "  next "));
    SUCCEEDS("rollout show 7");
    expect_shown("; 64 or more would halt it; ");
}
END_TEST

#define AWAITING(first_, second_, more_)                                                      \
    "{\"id\":3,\"name\":\"spring\",\"product\":\"lamp\",\"channel\":\"stable\",\"state\":"    \
    "\"awaiting\",\"why\":\"\",\"stage\":" first_                                             \
    ",\"stages\":[{\"percent\":1.0,\"devices\":1,\"approval\":true},{\"percent\":100.0,"      \
    "\"devices\":100,\"approval\":" second_                                                   \
    "}],\"releases\":[{\"version\":\"2.0.0\"}],\"population\":100,\"tally\":{\"offered\":1}," \
    "\"held\":false" more_ "}"

/* Caught: an approval that is not asked for, or asked for once it was given; the approval of one
 * stage read of another; a window that nobody tells of. */
START_TEST(what_a_stage_waits_for_is_told)
{
    const struct api_answer answers[] = {
        {"GET /v1/rollouts/1", 200, AWAITING("0", "false", "")},
        {"GET /v1/rollouts/2", 200, AWAITING("1", "true", ",\"approved\":false")},
        {"GET /v1/rollouts/3", 200, AWAITING("1", "true", ",\"approved\":true")},
        {"GET /v1/rollouts/4", 200, AWAITING("1", "false", ",\"closed\":true")},
        {"GET /v1/rollouts", 200,
         "{\"rollouts\":[" AWAITING("0", "false",
                                    "") ",{\"id\":4,\"state\":\"superseded\","
                                        "\"why\":\"\",\"replaced_by\":5,\"releases\":[{}]}]}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("rollout show 1");
    expect_shown("  because stage 1 waits for 'serin rollout advance'\n");
    expect_shown(" waits for 'serin rollout advance'\n   2 ");
    SUCCEEDS("rollout show 2");
    expect_shown("  because stage 2 waits for 'serin rollout advance'\n");
    SUCCEEDS("rollout show 3");
    expect_shown(" approved, opens as soon as its start and windows allow\n");
    ck_assert_ptr_null(strstr(result->out, "advance"));
    SUCCEEDS("rollout show 4");
    expect_shown("  because stage 2 waits for its start or a window\n");
    SUCCEEDS("rollout list");
    expect_shown("  stage 1 waits for 'serin rollout advance'\n");
    expect_shown("  rollout 5 took its place\n");
}
END_TEST

/* Caught: a retry that does not say which attempt it began; a share of failures under the name of
 * the gate on successes. */
START_TEST(a_retry_tells_its_attempt_and_gates_are_named_as_in_the_policy)
{
    const struct api_answer answers[] = {
        {"POST /v1/rollouts/3/retry", 200, ROLLOUT("rolling", "", "1", "0", "1") ",\"attempt\":4}"},
        {"POST /v1/rollouts", 201, ROLLOUT("rolling", "", "1", "0", "1") ",\"halted_before\":2}"},
        {"POST /v1/rollouts/3/pause", 200, ROLLOUT("paused", "", "1", "0", "1") ",\"attempt\":4}"},
        {"GET /v1/rollouts/3", 200,
         ROLLOUT("rolling", "", "1", "0",
                 "1") ",\"gates\":[{\"gate\":\"boot_success\",\"max_percent\":10.0,"
                      "\"minimum\":30,\"bad\":3,\"of\":60}]}"},
        {"GET /v1/rollouts/9", 404,
         "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"there is no rollout 9\"}}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("rollout retry 3");
    expect_shown("attempt 4: the devices that failed are offered it again\n");
    SUCCEEDS("rollout pause 3");
    ck_assert_ptr_null(strstr(result->out, "attempt"));
    expect_shown(", 'serin rollout resume' goes on, 'halt' or 'abort' ends it\n");
    FAILS(SERIN_CLI_NOT_FOUND, "there is no rollout 9 (NOT_FOUND); 'serin rollout list' shows",
          "rollout show 9");
    SUCCEEDS("rollout show 3");
    expect_shown("boot_success  57 of 60  95.00 %  min 90 %    30\n");
    file_write(path_of("policy"), "product: lamp", 13);
    SUCCEEDS("rollout create --policy policy");
    expect_shown("Its release was halted before: 'serin rollout show 2' says why.\n");
}
END_TEST

/* Adopting a site is one command, not one for each of its nodes. */
START_TEST(many_devices_are_decided_at_once)
{
#define WAITING "GET /v1/devices?limit=1000&enrolment=pending&gateway=gw-1"
    const struct api_answer answers[] = {
        {"POST /v1/devices/a/approve", 200, "{\"id\":\"a\",\"enrolment\":\"enrolled\"}"},
        {"POST /v1/devices/b/approve", 200, "{\"id\":\"b\",\"enrolment\":\"enrolled\"}"},
        {"POST /v1/devices/c/approve", 200, "{\"id\":\"c\",\"enrolment\":\"enrolled\"}"},
        {"POST /v1/devices/a/refuse", 200, "{\"id\":\"a\",\"enrolment\":\"refused\"}"},
        {"POST /v1/devices/c/refuse", 200, "{\"id\":\"c\",\"enrolment\":\"refused\"}"},
        {WAITING, 200, "{\"devices\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"next\":\"b\"}"},
        {WAITING, 200, "{\"devices\":[{\"id\":\"a\"}],\"next\":null}"},
        {WAITING, 200, "{\"devices\":[],\"next\":null}"},
        {WAITING, 200, "{\"devices\":[],\"next\":null}"},
        {WAITING, 200, "{\"devices\":[{\"id\":\"a/b\"}],\"next\":null}"},
        {WAITING "&after=b", 200, "{\"devices\":[{\"id\":\"c\"}],\"next\":null}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("device approve a b c");
    ck_assert_str_eq(result->out, "a: enrolled\nb: enrolled\nc: enrolled\n");
    SUCCEEDS("device refuse a c --json");
    ck_assert_str_eq(result->out, "{\"devices\":[{\"id\":\"a\",\"enrolment\":\"refused\"},"
                                  "{\"id\":\"c\",\"enrolment\":\"refused\"}]}\n");
    SUCCEEDS("device approve a --json");
    ck_assert_str_eq(result->out, "{\"id\":\"a\",\"enrolment\":\"enrolled\"}\n");
    /* All pages of those that wait. */
    SUCCEEDS("device approve --gateway gw-1");
    ck_assert_str_eq(result->out, "a: enrolled\nb: enrolled\nc: enrolled\n");
    SUCCEEDS("device refuse --gateway gw-1 --json");
    ck_assert_str_eq(result->out, "{\"devices\":[{\"id\":\"a\",\"enrolment\":\"refused\"}]}\n");
    SUCCEEDS("device approve --gateway gw-1");
    ck_assert_str_eq(result->out, "no device waits behind gw-1\n");
    SUCCEEDS("device approve --gateway gw-1 --json");
    ck_assert_str_eq(result->out, "{\"devices\":[]}\n");
    /* The first one that fails ends it; those before it stay. */
    FAILS(SERIN_CLI_NOT_FOUND, "approve", "device approve a nobody c");
    ck_assert_str_eq(result->out, "a: enrolled\n");
    FAILS(SERIN_CLI_NOT_FOUND, "approve", "device approve a nobody c --json");
    ck_assert_str_eq(result->out, "{\"devices\":[{\"id\":\"a\",\"enrolment\":\"enrolled\"}]}\n");
    /* What a server lists is not put into a path unseen. */
    FAILS(SERIN_CLI_FAILED, "is no device id", "device approve --gateway gw-1");
    FAILS(SERIN_CLI_NOT_FOUND, "approve", "device approve --gateway gw-9");
    /* A slip is found before anything is decided. */
    size_t before = strlen(api_server_log(&server));
    FAILS(SERIN_CLI_USAGE, "is no device id", "device approve a b/c");
    FAILS(SERIN_CLI_USAGE, "--gateway", "device approve");
    FAILS(SERIN_CLI_USAGE, "not both", "device refuse a --gateway gw-1");
    ck_assert_uint_eq(strlen(api_server_log(&server)), before);
#undef WAITING
}
END_TEST

START_TEST(status_says_who_waits)
{
    const struct api_answer answers[] = {
        {"GET /v1/status", 200, "{\"devices\":9,\"online\":7,\"pending\":3,\"alarms\":[]}"},
        {"GET /v1/status", 200, "{\"devices\":9,\"online\":7,\"pending\":0,\"alarms\":[]}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("status");
    expect_shown("waiting           3 for 'serin device approve'; "
                 "'serin device list --enrolment pending' names them\n");
    SUCCEEDS("status");
    expect_shown("waiting           0\n");
}
END_TEST

#define GATEWAY                                                                                    \
    "{\"id\":\"gw-1\",\"standing\":\"known\",\"online\":true,\"nodes\":30,"                        \
    "\"last_heard\":\"2026-01-31T12:00:00Z\",\"batches\":{\"number\":41,\"lost\":1},"              \
    "\"claims\":{\"count\":2,\"last\":\"2026-01-31T11:00:00Z\",\"device\":\"s-9\"},"               \
    "\"status\":{\"software\":\"serin-gateway 0.1.0\",\"uptime_s\":90000,\"nodes\":31,"            \
    "\"nodes_online\":29,\"depot_bytes\":33554432,\"depot_budget_bytes\":67108864,"                \
    "\"objects\":4,\"filling\":1,\"pass_through\":false,\"served_bytes\":10485760,"                \
    "\"fetched_bytes\":524288,\"refetched_bytes\":4096,\"hit_rate\":0.95,\"uplink_sent\":2048,"    \
    "\"uplink_got\":530000,\"uplink_messages\":12,\"transitions\":400,\"queued\":3,"               \
    "\"queue_oldest_s\":75,\"rotten\":0,\"fleets\":[{\"product\":\"lamp\",\"channel\":\"stable\"," \
    "\"order\":{\"epoch\":1,\"sequence\":7},\"lease_left_s\":3600,\"hold\":\"failures\","          \
    "\"failures\":4,\"failures_max\":3,\"held_since\":\"2026-01-31T10:00:00Z\"}]}"

START_TEST(gateways_are_shown)
{
    const struct api_answer answers[] = {
        {"GET /v1/gateways?limit=1000", 200,
         "{\"gateways\":[" GATEWAY "},{\"id\":\"gw-22\",\"standing\":\"refused\",\"online\":true,"
         "\"nodes\":0,\"status\":null}],\"next\":null}"},
        {"GET /v1/gateways/gw-1?limit=1000", 200,
         GATEWAY ",\"devices\":[{\"id\":\"s-1\",\"enrolment\":\"enrolled\",\"version\":\"2.0.0\","
                 "\"state\":\"confirmed\",\"online\":true}],\"next\":\"s-1\"}"},
        {"POST /v1/gateways/gw-1/refuse", 200, "{\"id\":\"gw-1\",\"standing\":\"refused\"}"},
        {"POST /v1/devices/s-1/move", 200, "{\"id\":\"s-1\",\"gateway\":\"gw-1\"}"},
        {NULL, 0, NULL}};

    start(answers);
    SUCCEEDS("gateway list");
    ck_assert_str_eq(result->out,
                     "GATEWAY  LINK     NODES  ONLINE  DEPOT  HITS  QUEUE  HOLD      CLAIMS  LAST "
                     "HEARD\n"
                     "gw-1     online      30      29   50 %  95 %      3  failures       2  "
                     "2026-01-31T12:00:00Z\n"
                     "gw-22    refused      0       -      -     -      -  -              0  -\n");
    SUCCEEDS("gateway show gw-1");
    expect_shown("nodes             30\n");
    expect_shown(
        "depot             "
        "\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2591\u2591\u2591\u2591\u2591"
        "\u2591\u2591\u2591\u2591\u2591 32.0 MiB of 64.0 MiB, 4 objects, 1 being filled\n");
    expect_shown("hit rate          95 %: 10.0 MiB served to nodes, 512.0 KiB fetched, 4.0 KiB of "
                 "it again\n");
    expect_shown("12 messages for 400 transitions\n");
    expect_shown("queue             3 reports, the oldest waits for 1m 15s\n");
    expect_shown("batches           41, 1 lost\n");
    expect_shown("claims            2 of devices that are not its own, the last for s-9 at "
                 "2026-01-31T11:00:00Z\n");
    expect_shown("lamp     stable     1.7          1h  failures    4 of 3  2026-01-31T10:00:00Z\n");
    expect_shown("s-1   enrolled     2.0.0  confirmed  online  -\n");
    expect_shown("serin device list --gateway gw-1\n");
    SUCCEEDS("gateway refuse gw-1");
    ck_assert_str_eq(result->out, "gw-1: refused\n");
    SUCCEEDS("device move s-1 --to gw-1");
    ck_assert_str_eq(result->out, "s-1: gw-1\n");
}
END_TEST

START_TEST(watch_ends_with_the_rollout)
{
    const struct api_answer good[] = {
        {"GET /v1/rollouts/3", 200, ROLLOUT("rolling", "", "1", "0", "0") "}"},
        {"GET /v1/rollouts/3", 200, ROLLOUT("rolling", "", "1", "0", "0") "}"},
        {"GET /v1/rollouts/3", 0, NULL}, /* serind restarts */
        {"GET /v1/rollouts/3", 200, ROLLOUT("soaking", "", "1", "1", "0") "}"},
        {"GET /v1/rollouts/3", 200, ROLLOUT("completed", "", "2", "100", "0") "}"},
        {NULL, 0, NULL}};
    const struct api_answer bad[] = {
        {"GET /v1/rollouts/3", 200, ROLLOUT("halted", "1 of 1 failed", "1", "0", "1") "}"},
        {"GET /v1/rollouts/4", 200, ROLLOUT("aborted", "", "1", "0", "1") "}"},
        {NULL, 0, NULL}};

    start(good);
    SUCCEEDS("rollout watch 3");
    /* One line for each change, none for what stayed. */
    ck_assert_str_eq(
        result->out,
        "rolling stage 1/2, offered to 1 of 100: 1 accepted, 0 confirmed, 0 failed, 0 regressed\n"
        "soaking stage 1/2, offered to 1 of 100: 1 accepted, 1 confirmed, 0 failed, 0 regressed\n"
        "completed stage 2/2, offered to 1 of 100: 1 accepted, 100 confirmed, 0 failed, 0 "
        "regressed\n");
    api_server_stop(&server);
    start(bad);
    ck_assert_int_eq(serin("rollout watch 3 --json"), SERIN_CLI_REFUSED);
    ck_assert_str_eq(result->out, ROLLOUT("halted", "1 of 1 failed", "1", "0", "1") "}\n");
    ck_assert_int_eq(serin("rollout watch 4"), SERIN_CLI_REFUSED);
    ck_assert_int_eq(serin("rollout watch 5"), SERIN_CLI_NOT_FOUND);
    api_server_stop(&server);
    ck_assert_int_eq(serin("rollout watch 3"), SERIN_CLI_UNREACHABLE);
}
END_TEST

START_TEST(why_does_not_say_the_state_again)
{
#define HALTED ROLLOUT("halted", "halted: 1 of 1 failed", "1", "0", "1") "}"
    const struct api_answer answers[] = {
        {"GET /v1/rollouts", 200, "{\"rollouts\":[" HALTED "]}"},
        {"GET /v1/rollouts/3", 200, HALTED},
        {"GET /v1/rollouts/3", 200, HALTED},
        {"GET /v1/rollouts/4", 200,
         ROLLOUT("halted", "halted by an operator: hot", "1", "0", "1") "}"},
        {"GET /v1/rollouts/5", 200, ROLLOUT("halted", "1 of 1 failed", "1", "0", "1") "}"},
        {NULL, 0, NULL}};
#undef HALTED

    start(answers);
    SUCCEEDS("rollout list");
    expect_shown("  1 of 1 failed\n");
    ck_assert_ptr_null(strstr(result->out, "halted:"));
    SUCCEEDS("rollout show 3");
    expect_shown("): halted\n  because 1 of 1 failed\n");
    ck_assert_int_eq(serin("rollout watch 3"), SERIN_CLI_REFUSED);
    expect_shown("regressed; 1 of 1 failed\n");
    /* Who halted it is no repetition. */
    SUCCEEDS("rollout show 4");
    expect_shown("  because halted by an operator: hot\n");
    SUCCEEDS("rollout show 5");
    expect_shown("  because 1 of 1 failed\n");
}
END_TEST

START_TEST(publishes_sound_files_only)
{
    const struct api_answer answers[] = {
        {"PUT /v1/bundles", 201,
         "{\"product\":\"lamp\",\"version\":\"1.0.0\",\"manifest_id\":\"ab12\"}"},
        {"PUT /v1/trust", 201, "{}"},
        {NULL, 0, NULL}};

    start(answers);
    file_write(path_of("fw"), "firmware", 8);
    SUCCEEDS("pki init pki --product lamp");
    SUCCEEDS("pack --product lamp --version 1.0.0 --image fw --key pki/keys/release.key -o v1");
    SUCCEEDS("publish v1");
    expect_shown("sending v1, ");
    expect_shown("published lamp 1.0.0, manifest ab12\n");
    ck_assert_ptr_null(strchr(result->out, '\x1b'));
    ck_assert_str_eq(result->err, "");
    expect_asked(
        "PUT /v1/bundles\ntoken=secret-of-serind\ntype=application/octet-stream\nbody=664 bytes\n");
    SUCCEEDS("trust publish pki/trust.bin");
    expect_asked("PUT /v1/trust\n");
    FAILS(SERIN_CLI_INPUT, "not a bundle; see 'serin trust publish'", "publish pki/trust.bin");
    FAILS(SERIN_CLI_INPUT, "not a trust record", "trust publish v1");
    /* A damaged bundle is not sent at all. */
    static unsigned char bundle[4096];
    size_t size = file_read(path_of("v1"), bundle, sizeof(bundle));
    bundle[size - 1] ^= 1;
    file_write(path_of("v1"), bundle, size);
    size_t before = strlen(api_server_log(&server));
    FAILS(SERIN_CLI_REFUSED, "is damaged: image piece", "publish v1");
    ck_assert_uint_eq(strlen(api_server_log(&server)), before);
    /* Nothing is said to be under way before a server is reached. */
    api_server_stop(&server);
    FAILS(SERIN_CLI_UNREACHABLE, "is serind running?", "trust publish pki/trust.bin");
    ck_assert_str_eq(result->out, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_api");
    TCase *tests = tcase_create("api");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_command_asks_what_the_api_says);
    tcase_add_test(tests, every_status_has_its_exit);
    tcase_add_test(tests, odd_answers_are_survived);
    tcase_add_test(tests, finds_server_and_token);
    tcase_add_test(tests, json_is_passed_on);
    tcase_add_test(tests, tables_align);
    tcase_add_test(tests, what_was_offered_is_shown_and_not_the_share);
    tcase_add_test(tests, what_judges_a_rollout_is_shown);
    tcase_add_test(tests, what_a_stage_waits_for_is_told);
    tcase_add_test(tests, a_retry_tells_its_attempt_and_gates_are_named_as_in_the_policy);
    tcase_add_test(tests, many_devices_are_decided_at_once);
    tcase_add_test(tests, status_says_who_waits);
    tcase_add_test(tests, gateways_are_shown);
    tcase_add_test(tests, watch_ends_with_the_rollout);
    tcase_add_test(tests, why_does_not_say_the_state_again);
    tcase_add_test(tests, publishes_sound_files_only);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

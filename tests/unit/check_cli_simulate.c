/*
 * `serin simulate` as a real program in a temporary folder: what it prints, that the same seed
 * prints the same bytes, what it writes, and every refusal with its exit status.
 */
#include "check_main.h"
#include "program.h"

#include <serin/cli/args.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL "--devices 60 --gateways 3 "

static char folder[64];
static const struct program_result *result;

/* Runs serin with the words of a line; no quotes. */
static int serin(const char *format, ...)
{
    static char line[1024];
    const char *argv[PROGRAM_ARGS_MAX] = {SERIN_PROGRAM, "simulate"};
    size_t argc = 2;
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

#define SUCCEEDS(...)                                                                            \
    ck_assert_msg(serin(__VA_ARGS__) == SERIN_CLI_DONE, "%d: %s%s", result->status, result->err, \
                  result->out)
/* The status, one line on standard error that begins with the program's name, and a part of it. */
#define FAILS(status_, part, ...)                                                              \
    do {                                                                                       \
        ck_assert_msg(serin(__VA_ARGS__) == (status_), "%d: %s", result->status, result->err); \
        ck_assert_msg(strncmp(result->err, "serin simulate: ", 16) == 0, "%s", result->err);   \
        ck_assert_msg(strstr(result->err, (part)) != NULL, "'%s' not in: %s", (part),          \
                      result->err);                                                            \
    } while (0)
#define SAYS(part) \
    ck_assert_msg(strstr(result->out, (part)) != NULL, "'%s' not in:\n%s", (part), result->out)

static const char *path_of(const char *name)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    file_write(path_of(name), text, strlen(text));
}

static void setup(void)
{
    folder_make(folder);
    write_text("policy.yaml", "name: spring\nproduct: lamp\nchannel: stable\n"
                              "releases: [{version: 7.1.0}]\nfrom: 12\n"
                              "stages:\n  - {percent: 10, soak: 1h}\n"
                              "  - {percent: 100, soak: 2h}\n");
    write_text("crash.yaml", "image: [{fault: crash, percent: 100}]\n");
    write_text("back.yaml", "product: lamp\nchannel: stable\nreleases: [{version: 7.1.0}]\n"
                            "on_halt: revert\n"
                            "stages:\n  - {percent: 10, soak: 10m}\n"
                            "  - {percent: 100, soak: 2h}\n");
    write_text("ask.yaml", "product: lamp\nchannel: stable\nreleases: [{version: 7.1.0}]\n"
                           "stages:\n  - {percent: 10, soak: 10m, approval: true}\n"
                           "  - {percent: 100, soak: 2h}\n");
    write_text("lax.yaml", "product: lamp\nchannel: stable\nreleases: [{version: 7.1.0}]\n"
                           "test: {accepted_percent: 15, rejected_percent: 60}\n"
                           "gates: {failures: {max_percent: 60}, regressions: {max_percent: 60}}\n"
                           "stages:\n  - {percent: 30, soak: 2h}\n"
                           "  - {percent: 100, soak: 2h}\n");
    write_text("late.yaml", "image: [{fault: regress, percent: 8, after: 40m}]\n");
    write_text("storm.yaml",
               "image: [{fault: regress, percent: 20, after: 1h}, {fault: hang, percent: 0.0001}]\n"
               "links: {drop: 1, duplicate: 1, reorder: 1, corrupt: 1}\n"
               "weather: [{from: 10m, for: 1h, offline: 20, drop: 5}]\n"
               "events:\n  - {at: 2m, event: gateway_crash, gateway: 2, for: 3m}\n"
               "  - {at: 3m, event: gateway_away, percent: 100, for: 90s}\n"
               "  - {at: 5m, event: serind_crash, for: 1m}\n"
               "  - {at: 7m, event: broker_restart, for: 30s}\n"
               "  - {at: 8m, event: power_cut, percent: 0.0001, for: 1m}\n"
               "  - {at: 9m, event: resume}\n"
               "  - {at: 300d, event: pause}\n");
    write_text("site.yaml", "image: [{fault: crash, percent: 100, sites: [4]}]\n");
    write_text("wrong.yaml", "fleet:\n  offline: 101\n");
}

static void teardown(void)
{
    folder_remove(folder);
}

/* A number of the JSON's top level. */
static unsigned long long number(const char *name)
{
    char key[64];
    unsigned long long value = 0;

    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(result->out, key);
    ck_assert_msg(at != NULL && sscanf(at + strlen(key), "%llu", &value) == 1, "%s: %s", name,
                  result->out);
    return value;
}

START_TEST(a_good_release_completes)
{
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --expect completed");
    SAYS("spring on lamp/stable: completed in stage 2 of 2, after ");
    SAYS("STAGE  SHARE  DEVICES  OPENED");
    SAYS("invariants: 19 held");
    SAYS("seed 1, 60 devices, 3 gateways, image of 8.0 KiB, a beat every 1h");
    SAYS("stood in for by 2.0.0, over 1.0.0; ignored of it: from");
    SAYS("flash is copied on write");
    SAYS("were remembered");
    ck_assert_str_eq(result->err, "");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --json");
    ck_assert_uint_eq(number("exposed"), 60);
    ck_assert_uint_eq(number("confirmed"), 60);
    ck_assert_uint_eq(number("still_on_it"), 60);
    ck_assert_uint_eq(number("failed"), 0);
    ck_assert_uint_gt(number("uplink_bytes"), 0);
    ck_assert_uint_gt(number("site_bytes"), number("uplink_bytes"));
    SAYS("\"halted_ms\":null,\"first_fail_ms\":null");
    SAYS("\"broken\":null");
    /* Without gateways everybody is direct. */
    SUCCEEDS("policy.yaml --devices 30 --gateways 0 --seed 1 --json --expect completed");
    ck_assert_uint_eq(number("uplink_bytes"), 0);
    ck_assert_uint_eq(number("site_bytes"), 0);
    ck_assert_uint_gt(number("direct_bytes"), 30 * 8192);
}
END_TEST

START_TEST(a_bad_release_halts_early)
{
    SUCCEEDS("policy.yaml " SMALL "--seed 2 --scenario crash.yaml --expect halted --json");
    ck_assert_uint_ge(number("exposed"), 1);
    ck_assert_uint_le(number("exposed"), 8);
    ck_assert_uint_eq(number("failed"), number("exposed"));
    ck_assert_uint_eq(number("still_on_it"), 0);
    ck_assert_uint_ge(number("halted_ms"), number("first_fail_ms"));
    ck_assert_uint_gt(number("crash"), 0);
    FAILS(SERIN_CLI_REFUSED,
          "the rollout is halted, not completed; again: serin simulate policy.yaml --devices 60 "
          "--gateways 3 --seed 2 --scenario crash.yaml",
          "policy.yaml " SMALL "--seed 2 --scenario crash.yaml --expect completed");
    SAYS("first failure after ");
    SAYS(" later\n");
    SAYS("the new image crashed before it confirmed");
}
END_TEST

/* The same seed prints the same bytes and writes the same time line; another seed does not. */
START_TEST(the_same_seed_is_the_same_bytes)
{
    static struct program_result first;
    static char line[262144], again[262144];

    for (int json = 0; json < 2; json++) {
        const char *form = json ? "--json" : "";
        SUCCEEDS("policy.yaml " SMALL "--seed 7 --timeline l.csv %s", form);
        first = *result;
        size_t size = file_read(path_of("l.csv"), line, sizeof(line));
        SUCCEEDS("policy.yaml " SMALL "--seed 7 --timeline l.csv %s", form);
        ck_assert_str_eq(first.out, result->out);
        ck_assert_uint_eq(file_read(path_of("l.csv"), again, sizeof(again)), size);
        ck_assert_mem_eq(line, again, size);
        SUCCEEDS("policy.yaml " SMALL "--seed 8 %s", form);
        ck_assert_str_ne(first.out, result->out);
    }
    /* Without a seed there is a new one each time, and it is told. */
    SUCCEEDS("policy.yaml " SMALL "--json");
    unsigned long long seed = number("seed");
    first = *result;
    SUCCEEDS("policy.yaml " SMALL "--json");
    ck_assert_uint_ne(seed, number("seed"));
    SUCCEEDS("policy.yaml " SMALL "--json --seed %llu", seed);
    ck_assert_str_eq(first.out, result->out);
}
END_TEST

START_TEST(the_time_line_is_csv)
{
    static char line[262144];
    double last = 0;
    size_t rows = 0, texts = 0;

    SUCCEEDS("policy.yaml " SMALL "--seed 7 --timeline l.csv");
    line[file_read(path_of("l.csv"), line, sizeof(line) - 1)] = '\0';
    char *at = strtok(line, "\n");
    ck_assert_str_eq(at, "time_s,rollout,state,stage,offered,exposed,trial,running,confirmed,"
                         "failed,rejected,regressed,unreached,cloud_bytes,text");
    for (at = strtok(NULL, "\n"); at != NULL; at = strtok(NULL, "\n"), rows++) {
        double time = 0;
        size_t commas = 0;
        ck_assert_int_eq(sscanf(at, "%lf,", &time), 1);
        ck_assert(time >= last && time - last <= 600.001);
        last = time;
        for (const char *c = at; *c != '\0' && *c != '"'; c++) {
            commas += *c == ',';
        }
        ck_assert_uint_eq(commas, 14);
        ck_assert(rows > 0 || strncmp(at, "0.000,1,created,0,", 18) == 0);
        texts += strchr(at, '"') != NULL;
    }
    ck_assert_uint_gt(rows, 20);
    ck_assert_uint_gt(texts, 3);
    write_text("mine.csv", "dear diary\n");
    FAILS(SERIN_CLI_REFUSED, "it is not replaced", "policy.yaml --seed 1 --timeline mine.csv");
    /* Before the run, which may take its time. */
    FAILS(SERIN_CLI_NOT_FOUND, "No such file",
          "policy.yaml " SMALL "--seed 1 --timeline nowhere/l.csv");
    ck_assert_str_eq(result->out, "");
    write_text("empty.csv", "");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --timeline empty.csv");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --timeline empty.csv");
}
END_TEST

START_TEST(a_time_line_changes_nothing)
{
    static struct program_result first;

    for (int json = 0; json < 2; json++) {
        const char *form = json ? "--json" : "";
        SUCCEEDS("back.yaml " SMALL "--seed 5 --scenario storm.yaml %s", form);
        first = *result;
        SUCCEEDS("back.yaml " SMALL "--seed 5 --scenario storm.yaml --timeline l.csv %s", form);
        ck_assert_str_eq(first.out, result->out);
    }
}
END_TEST

struct row {
    double time_s;
    unsigned rollout, stage, exposed, confirmed, failed, rejected;
    unsigned long long cloud_bytes;
    char state[16];
};

/* The next line of a time line; `line` is cut up. */
static bool row_next(char **line, struct row *row)
{
    unsigned offered = 0, trial = 0, running = 0, regressed = 0, unreached = 0;
    char *at = strsep(line, "\n");

    if (at == NULL || *at == '\0') {
        return false;
    }
    ck_assert_int_eq(sscanf(at, "%lf,%u,%15[a-z],%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%llu,", &row->time_s,
                            &row->rollout, row->state, &row->stage, &offered, &row->exposed, &trial,
                            &running, &row->confirmed, &row->failed, &row->rejected, &regressed,
                            &unreached, &row->cloud_bytes),
                     14);
    return true;
}

/* That the first stage of the list that follows `list` in the JSON ended with these figures. */
static void ended_as(const char *list, unsigned stage, const struct row *row)
{
    char want[128];
    const char *at = strstr(result->out, list);

    ck_assert_ptr_nonnull(at);
    snprintf(want, sizeof(want), "\"ended_ms\":%.0f,\"exposed\":%u,\"confirmed\":%u,\"failed\":%u}",
             row->time_s * 1000, row->exposed, row->confirmed, row->failed + row->rejected);
    for (unsigned i = 0; i < stage; i++) {
        at = strstr(at + 1, "{\"stage\":");
        ck_assert_ptr_nonnull(at);
    }
    const char *end = strchr(at, '}');
    const char *found = strstr(at, want);
    ck_assert_msg(found != NULL && found < end, "%s not in %.200s", want, at);
}

/* Stages stand as the time line has them when they ended; the last row has the final figures. */
START_TEST(stages_stand_as_they_ended)
{
    static char line[524288];
    struct row row, second = {.stage = 0}, halted = {.stage = 0};

    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario storm.yaml --timeline l.csv "
             "--json --expect halted");
    line[file_read(path_of("l.csv"), line, sizeof(line) - 1)] = '\0';
    char *at = strchr(line, '\n') + 1;
    while (row_next(&at, &row)) {
        second = row.rollout == 1 && row.stage == 2 && second.stage == 0 ? row : second;
        halted = strcmp(row.state, "halted") == 0 && halted.stage == 0 ? row : halted;
    }
    ck_assert_uint_eq(second.stage, 2);
    ck_assert_uint_eq(halted.stage, 2);
    ended_as("\"stages\":", 1, &second);
    ended_as("\"stages\":", 2, &halted);
    ck_assert_uint_eq(number("ended_ms"), number("halted_ms"));
    ck_assert_uint_eq(row.cloud_bytes, number("direct_bytes") + number("uplink_bytes"));
    ck_assert_str_eq(row.state, "completed");
    ck_assert_uint_eq(row.rollout, 2);
}
END_TEST

/* Without samples nothing is said between the beginning of a soak and its end. */
START_TEST(a_stage_stands_with_what_its_soak_showed)
{
    static char line[524288];
    struct row row, second = {.stage = 0}, completed = {.stage = 0};

    SUCCEEDS("lax.yaml --devices 200 --gateways 4 --seed 1 --scenario late.yaml --timeline l.csv");
    line[file_read(path_of("l.csv"), line, sizeof(line) - 1)] = '\0';
    char *at = strchr(line, '\n') + 1;
    while (row_next(&at, &row)) {
        second = row.stage == 2 && second.stage == 0 ? row : second;
        completed = strcmp(row.state, "completed") == 0 && completed.stage == 0 ? row : completed;
    }
    ck_assert_uint_gt(second.failed, 0);
    SUCCEEDS("lax.yaml --devices 200 --gateways 4 --seed 1 --scenario late.yaml --json --expect "
             "completed");
    ended_as("\"stages\":", 1, &second);
    ended_as("\"stages\":", 2, &completed);
}
END_TEST

/* serind comes back as it was in the soak of the first stage: its row goes on, the second's is
 * forgotten and made anew. */
START_TEST(an_older_store_takes_rows_back)
{
    static char line[524288];
    struct row row, soaking = {.stage = 0}, second = {.stage = 0};
    char want[64];

    write_text("old.yaml", "events: [{at: 80m, event: serind_restore, back: 60m, for: 1m}]\n");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --scenario old.yaml --timeline l.csv --json --expect "
             "completed");
    line[file_read(path_of("l.csv"), line, sizeof(line) - 1)] = '\0';
    char *at = strchr(line, '\n') + 1;
    for (unsigned stage = 0; row_next(&at, &row); stage = row.stage) {
        soaking = strcmp(row.state, "soaking") == 0 && soaking.stage == 0 ? row : soaking;
        second = row.stage == 2 && stage == 1 ? row : second; /* the last time that it opened */
    }
    ck_assert(second.time_s > 80 * 60);
    ended_as("\"stages\":", 1, &second);
    snprintf(want, sizeof(want), "\"soaking_ms\":%.0f,", soaking.time_s * 1000);
    SAYS(want);
}
END_TEST

/* Those that the second stage adds, and that never left the stable release, are not the first's. */
START_TEST(a_way_back_counts_each_stage_by_itself)
{
    unsigned first = 0, exposed = 0;
    write_text("late.yaml", "product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\n"
                            "on_halt: revert\ngates: {regressions: {max_percent: 2, minimum: 3}}\n"
                            "stages: [{percent: 10, soak: 1h}, {percent: 100, soak: 24h}]\n");
    write_text("regress.yaml", "image: [{fault: regress, percent: 60, after: 20m}]\n");
    SUCCEEDS("late.yaml --devices 200 --gateways 2 --seed 1 --scenario regress.yaml --json");
    const char *stages = strstr(strstr(result->out, "\"revert\":{"), "\"stages\":[");
    ck_assert_int_eq(sscanf(stages, "\"stages\":[{\"stage\":1,\"devices\":%u,", &first), 1);
    ck_assert_int_eq(sscanf(strstr(stages, "\"exposed\":"), "\"exposed\":%u,", &exposed), 1);
    ck_assert_uint_eq(first, 20);
    ck_assert_uint_eq(exposed, first);
}
END_TEST

START_TEST(a_way_back_stands_by_itself)
{
    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario storm.yaml --json");
    SAYS("\"revert\":{\"state\":\"completed\",\"stage\":2,\"began_ms\":");
    ck_assert_uint_ge(number("began_ms"), number("halted_ms"));
    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario storm.yaml");
    SAYS("lamp/stable: halted in stage 2 of 2, after ");
    SAYS("\nthe way back to 1.0.0: completed, from ");
    SUCCEEDS("policy.yaml --devices 200 --gateways 4 --seed 5 --scenario storm.yaml --json");
    SAYS("\"revert\":null");
}
END_TEST

/* Caught: an operator who asks for a way back and is not told why there is none. */
START_TEST(why_there_is_no_way_back_is_told)
{
    write_text("crash.yaml", "image: [{fault: crash, percent: 100}]\n");
    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario crash.yaml");
    SAYS("\nno way back to 1.0.0: nobody runs it or is trying it");
    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario crash.yaml --json");
    SAYS("\"revert\":null,\"revert_why\":\"nobody runs it");
    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario storm.yaml --json");
    SAYS("\"revert_why\":\"\"");
}
END_TEST

START_TEST(what_befell_is_told)
{
    static char line[524288];
    static const char *const texts[] = {
        "\"1 of 4 gateways crash: 2\"",
        "\"1 of 4 gateways are back from their crash: 2\"",
        "\"4 of 4 gateways lose their uplink: 1, 2, 3, 4\"",
        "\"4 of 4 gateways have their uplink again: 1, 2, 3, 4\"",
        "\"serind crashes\"",
        "\"serind is back\"",
        "\"the cloud's broker goes down\"",
        "\"the cloud's broker is back\"",
        "\"0 of 200 devices lose power\"",
        "\"the operator resumes: refused\"",
    };

    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario storm.yaml --timeline "
             "l.csv");
    SAYS("\nBEFALLEN\n");
    SAYS("messages overtaken by others");
    SAYS("devices cut off by bad weather");
    SAYS("hang                      0  asked for, and it struck nobody");
    SAYS("gateway_crash             1  gateways struck\n");
    SAYS("gateway_away              4  gateways struck\n");
    SAYS("power_cut                 0  devices struck: nobody was in its share\n");
    SAYS("resume                    0  done, the others refused\n");
    SAYS("pause                     0  done; 0 of 1 events came before the end\n");
    line[file_read(path_of("l.csv"), line, sizeof(line) - 1)] = '\0';
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(strstr(line, texts[i]) != NULL, "%s", texts[i]);
    }
    ck_assert_ptr_nonnull(strstr(line, "\"bad weather begins: "));
    ck_assert_ptr_nonnull(strstr(line, "\"bad weather ends: "));
    SUCCEEDS("back.yaml --devices 200 --gateways 4 --seed 5 --scenario storm.yaml --json");
    SAYS("\"crashes\":{\"devices\":0,\"gateways\":1,\"serind\":1}");
    SUCCEEDS("policy.yaml " SMALL "--seed 1");
    ck_assert_ptr_null(strstr(result->out, "BEFALLEN"));
    write_text("fleet.yaml", "\xef\xbb\xbf"
                             "fleet:\n  direct: 20\nlinks: {drop: 0}\n");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --scenario fleet.yaml");
    ck_assert_ptr_null(strstr(result->out, "BEFALLEN"));
}
END_TEST

START_TEST(who_waits_for_an_operator_says_so)
{
    SUCCEEDS("ask.yaml " SMALL "--seed 1 --expect awaiting");
    SAYS("lamp/stable: awaiting before stage 1 of 2, after 1d");
    SAYS("  because stage 1 waits for approval\n");
    write_text("yes.yaml", "events: [{at: 1h, event: advance}]\n");
    SUCCEEDS("ask.yaml " SMALL "--seed 1 --scenario yes.yaml --expect completed");
    write_text("stop.yaml", "events: [{at: 20m, event: pause}]\n");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --scenario stop.yaml --expect paused");
    SAYS("after 1d");
    SAYS("  because paused by an operator");
}
END_TEST

START_TEST(the_replay_is_the_same_again)
{
    static struct program_result first;
    char command[512];

    write_text("-q.yaml", "product: lamp\nchannel: stable\nreleases: [{version: 7.1.0}]\n"
                          "stages: [{percent: 100, soak: 1h}]\n");
    write_text("-s.yaml", "image: [{fault: crash, percent: 10}]\n");
    SUCCEEDS("--devices 40 --gateways 2 --seed 3 --unchecked --image-size 9KiB "
             "--scenario=-s.yaml --json -- -q.yaml");
    first = *result;
    const char *at = strstr(first.out, "\"replay\":\"serin simulate ");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at + strlen("\"replay\":\"serin simulate "), "%511[^\"]", command), 1);
    SUCCEEDS("%s --json", command);
    ck_assert_str_eq(first.out, result->out);
    SUCCEEDS("./-q.yaml " SMALL "--seed 1 --image-size 64KiB");
    SAYS("image of 64.0 KiB");
}
END_TEST

/* What a shell gives as `<(…)`. */
START_TEST(a_scenario_may_come_from_a_pipe)
{
    static const char *const texts[] = {"image: [{fault: crash, percent: 100}]\n", ""};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
        pid_t writer = fork();
        if (writer == 0) {
            write_text("pipe", texts[i]);
            _exit(0);
        }
        int status = serin("policy.yaml " SMALL "--seed 2 --scenario pipe --expect halted");
        ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
        ck_assert_msg(status == (i == 0 ? SERIN_CLI_DONE : SERIN_CLI_INPUT), "%s", result->err);
        if (i == 0) {
            ck_assert_int_eq(unlink(path_of("pipe")), 0);
            ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
            writer = fork();
            if (writer == 0) {
                write_text("pipe", texts[i]);
                _exit(0);
            }
            status = serin("policy.yaml " SMALL "--seed 2 --scenario pipe --expect completed");
            ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
            ck_assert_int_eq(status, SERIN_CLI_REFUSED);
            ck_assert_ptr_nonnull(strstr(result->err, " --scenario pipe  # pipe was a pipe: "));
        }
        ck_assert_int_eq(unlink(path_of("pipe")), 0);
    }
    ck_assert_ptr_nonnull(strstr(result->err, "pipe: nothing came out of it"));
}
END_TEST

START_TEST(wrong_inputs_are_refused)
{
    FAILS(SERIN_CLI_NOT_FOUND, "nowhere.yaml", "nowhere.yaml");
    FAILS(SERIN_CLI_INPUT, "wrong.yaml:1: ", "wrong.yaml");
    FAILS(SERIN_CLI_INPUT, "wrong.yaml:2: 'fleet.offline' must be a percentage",
          "policy.yaml --scenario wrong.yaml");
    FAILS(SERIN_CLI_INPUT, "site.yaml:1: 'image[0].sites[0]' names a gateway that is not there",
          "policy.yaml --scenario site.yaml --gateways 3");
    FAILS(SERIN_CLI_USAGE, "--expect takes a state", "policy.yaml --expect good");
    FAILS(SERIN_CLI_USAGE, "whole seconds", "policy.yaml --beat 60500ms");
    FAILS(SERIN_CLI_USAGE, "--image-size takes 256 to 16MiB", "policy.yaml --image-size 255");
    FAILS(SERIN_CLI_USAGE, "--image-size takes 256 to 16MiB", "policy.yaml --image-size 17MiB");
    FAILS(SERIN_CLI_USAGE, "--image-size takes 256 to 16MiB", "policy.yaml --image-size big");
    write_text("nobody.yaml", "fleet: {}\nimage: [{fault: crash, percent: 1, hardware: 2}]\n");
    FAILS(SERIN_CLI_INPUT, "nobody.yaml:2: 'image[0].hardware' names a revision",
          "policy.yaml --scenario nobody.yaml");
    write_text("nobody.yaml", "events: [{at: 0, event: gateway_away, percent: 50, for: 1h}]\n");
    FAILS(SERIN_CLI_INPUT, "'events[0].percent' does not go with a fleet that has no gateways",
          "policy.yaml --scenario nobody.yaml --gateways 0");
    FAILS(SERIN_CLI_USAGE, "--devices", "policy.yaml --devices 0");
    FAILS(SERIN_CLI_USAGE, "--devices", "policy.yaml --devices 1000001");
    FAILS(SERIN_CLI_USAGE, "--gateways", "policy.yaml --gateways 65536");
    ck_assert_str_eq(result->out, "");
}
END_TEST

/* What it cost is said on the side only. */
START_TEST(cost_stands_on_the_side)
{
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --verbose");
    ck_assert_ptr_nonnull(strstr(result->err, "events"));
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --unchecked");
    SAYS("invariants: not checked");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --limit 1h --json");
    ck_assert_ptr_null(strstr(result->out, "\"state\":\"completed\""));
}
END_TEST

/* The figures are the devices' own; serind's books stand beside them where they differ. */
START_TEST(books_stand_beside_the_truth)
{
    write_text("once.yaml", "product: lamp\nchannel: stable\nreleases: [{version: 7.1.0}]\n"
                            "stages: [{percent: 100, soak: 1h}]\nramp: {first: 0}\n");
    write_text("gone.yaml", "links: {rate: 200}\n"
                            "events:\n  - {at: 4m, event: gateway_crash, percent: 100, for: 300d}\n"
                            "  - {at: 12h, event: halt}\n");
    SUCCEEDS("once.yaml " SMALL "--seed 1 --scenario gone.yaml");
    SAYS("\n  serind's books say: exposed ");
    SUCCEEDS("once.yaml " SMALL "--seed 1 --scenario gone.yaml --json");
    unsigned long long truth = number("exposed"), book = 0;
    const char *books = strstr(result->out, "\"books\":{\"exposed\":");
    ck_assert_ptr_nonnull(books);
    ck_assert_int_eq(sscanf(books, "\"books\":{\"exposed\":%llu", &book), 1);
    ck_assert_uint_gt(truth, book);
    ck_assert_uint_eq(truth, number("confirmed") + number("failed") + number("withdrawn") +
                                 number("open"));
    SUCCEEDS("policy.yaml " SMALL "--seed 1");
    ck_assert_ptr_null(strstr(result->out, "books say"));
}
END_TEST

START_TEST(what_is_left_out_is_told)
{
    char digest[SERIN_SHA256_HEX_SIZE], line[sizeof(digest) + 16];

    /* Of the policy: keys without a meaning, and hardware that is not offered anything. */
    write_text("keys.yaml", "product: lamp\nchannel: stable\nrevert: true\nsupersede: true\n"
                            "start: 2027-01-01T00:00:00Z\n"
                            "releases: [{version: 7.1.0, hardware: 1-3}]\n"
                            "stages: [{count: 1, soak: 1h}, {percent: 100, soak: 1h}]\n");
    write_text("half.yaml",
               "fleet: {hardware: [{revision: 2, share: 1}, {revision: 7, share: 1}]}\n");
    SUCCEEDS("keys.yaml " SMALL "--seed 1 --scenario half.yaml --expect completed");
    SAYS("ignored of it: start, supersede, revert\n");
    SAYS("  the release is for their hardware\n");
    SAYS("more are exposed than a stage is for: it looked behind a second gateway");
    ck_assert_ptr_null(strstr(result->out, "the way back"));
    const char *at = strstr(result->out, "\n  digest ");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at, " digest %64[0-9a-f]", digest), 1);
    SUCCEEDS("keys.yaml " SMALL "--seed 1 --scenario half.yaml --json");
    ck_assert_uint_lt(number("members"), 50);
    ck_assert_uint_eq(number("members"), number("still_on_it"));
    SAYS("\"scenario\":\"half.yaml\",\"hardware\":[{\"from\":1,\"to\":3}]");
    SAYS("\"broken\":null,\"breach\":null");
    snprintf(line, sizeof(line), "\"digest\":\"%s\"", digest);
    SAYS(line);
    write_text("none.yaml", "fleet: {hardware: [{revision: 7, share: 1}]}\n");
    FAILS(SERIN_CLI_INPUT, "keys.yaml:6: 'releases[0].hardware' is of no device",
          "keys.yaml " SMALL "--seed 1 --scenario none.yaml");
    /* Of the fleet: who was never reached, though the rollout is completed; of the time: all. */
    write_text("away.yaml", "fleet: {offline: 20}\n");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --scenario away.yaml --expect completed");
    SAYS("\n  but ");
    SAYS(" of 60 devices are unreached: ");
    ck_assert_ptr_nonnull(strstr(result->err, " of 60 devices are unreached: "));
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --limit 1s");
    SAYS("created before stage 1 of 2, after 1.000s");
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --limit 1s --json");
    SAYS("\"state\":\"created\"");
    SAYS("\"scenario\":null,\"hardware\":[]");
}
END_TEST

/* Every member of the JSON's top level is in the specification's table. */
START_TEST(each_member_is_documented)
{
    static char page[65536];
    int depth = 0;
    size_t members = 0;

    FILE *file = fopen(SIMULATION_MD, "rb");
    ck_assert_ptr_nonnull(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
    SUCCEEDS("policy.yaml " SMALL "--seed 1 --json");
    for (const char *c = result->out; *c != '\0'; c++) {
        depth += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
        if (*c != '"') {
            continue;
        }
        const char *end = strchr(c + 1, '"');
        if (end[1] == ':' && depth <= 2) {
            char name[64];
            snprintf(name, sizeof(name), "`%.*s`", (int)(end - c - 1), c + 1);
            ck_assert_msg(strstr(page, name) != NULL || depth == 2, "%s", name);
            members += depth == 1;
        }
        c = end;
    }
    ck_assert_uint_ge(members, 30);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_good_release_completes,
        a_bad_release_halts_early,
        the_same_seed_is_the_same_bytes,
        the_time_line_is_csv,
        a_scenario_may_come_from_a_pipe,
        wrong_inputs_are_refused,
        cost_stands_on_the_side,
        a_time_line_changes_nothing,
        stages_stand_as_they_ended,
        a_way_back_counts_each_stage_by_itself,
        a_way_back_stands_by_itself,
        why_there_is_no_way_back_is_told,
        what_befell_is_told,
        who_waits_for_an_operator_says_so,
        the_replay_is_the_same_again,
        a_stage_stands_with_what_its_soak_showed,
        an_older_store_takes_rows_back,
        books_stand_beside_the_truth,
        what_is_left_out_is_told,
        each_member_is_documented,
    };
    Suite *suite = suite_create("cli_simulate");
    TCase *tcase = tcase_create("cli_simulate");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

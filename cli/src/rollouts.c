/*
 * `serin rollout`: creating, listing, showing and commanding rollouts. `watch` is in watch.c.
 */
#include "rollouts.h"

#include "commands.h"
#include "file.h"

#include <serin/cli/table.h>

#include <stdlib.h>
#include <string.h>

#define POLICY_MAX 65536u
#define PATH_SIZE  128u

bool serin_cli_rollout_path(const struct serin_cli *cli, const char *verb, char *path, size_t size)
{
    uint64_t id = 0;

    if (!serin_cli_parse_number(cli->args.operands[0], &id) || id == 0) {
        (void)serin_cli_fail(cli, SERIN_CLI_USAGE,
                             "'%s' is no rollout; 'serin rollout list' shows their numbers",
                             cli->args.operands[0]);
        return false;
    }
    (void)snprintf(path, size, "/v1/rollouts/%llu%s", (unsigned long long)id, verb);
    return true;
}

enum serin_cli_exit serin_cli_run_rollout_create(struct serin_cli *cli)
{
    const char *policy = serin_cli_text(cli, "policy");
    struct serin_cli_answer answer = {.text = NULL};
    struct serin_cli_request request = {
        .method = "POST", .path = "/v1/rollouts", .content_type = "application/yaml"};
    uint8_t *data = NULL;

    request.file = policy;
    enum serin_cli_exit exit = serin_cli_read(cli, policy, POLICY_MAX, &data, &request.body_size);
    if (exit == SERIN_CLI_DONE) {
        request.body = data;
        exit = serin_cli_ask(cli, &request, &answer);
    }
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        (void)serin_cli_rollout_print(cli, answer.json);
        uint64_t halted = serin_cli_count(answer.json, "halted_before");
        if (halted != 0) {
            serin_cli_print(
                cli, "\nIts release was halted before: 'serin rollout show %llu' says why.\n",
                (unsigned long long)halted);
        }
        serin_cli_print(cli, "\nFollow it with 'serin rollout watch %llu'.\n",
                        (unsigned long long)serin_cli_count(answer.json, "id"));
    }
    serin_cli_answer_close(&answer);
    free(data);
    return exit;
}

static void add_row(struct serin_cli_grid *grid, const struct serin_json *rollout)
{
    const struct serin_json *tally = serin_json_get(rollout, "tally");
    const struct serin_json *release = serin_json_at(serin_json_get(rollout, "releases"), 0);
    const char *state = serin_cli_member(rollout, "state");
    char why[SERIN_CLI_WHY_SIZE];

    serin_cli_grid_format(grid, "%llu", (unsigned long long)serin_cli_count(rollout, "id"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(rollout, "name"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(rollout, "product"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(rollout, "channel"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(release, "version"));
    serin_cli_grid_cell(grid, serin_cli_state_colour(state), state);
    serin_cli_grid_format(grid, "%llu/%zu", (unsigned long long)serin_cli_count(rollout, "stage"),
                          serin_json_count(serin_json_get(rollout, "stages")));
    serin_cli_grid_format(grid, "%llu/%llu",
                          (unsigned long long)serin_cli_count(tally, "confirmed"),
                          (unsigned long long)serin_cli_count(tally, "offered"));
    serin_cli_grid_format(grid, "%llu", (unsigned long long)serin_cli_count(tally, "failed"));
    serin_cli_rollout_why(rollout, why);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, why);
}

enum serin_cli_exit serin_cli_run_rollout_list(struct serin_cli *cli)
{
    static const struct serin_cli_column columns[] = {{.title = "ID", .right = true},
                                                      {.title = "NAME"},
                                                      {.title = "PRODUCT"},
                                                      {.title = "CHANNEL"},
                                                      {.title = "VERSION"},
                                                      {.title = "STATE"},
                                                      {.title = "STAGE", .right = true},
                                                      {.title = "CONFIRMED", .right = true},
                                                      {.title = "FAILED", .right = true},
                                                      {.title = "WHY"}};
    struct serin_cli_answer answer;

    enum serin_cli_exit exit = serin_cli_get(cli, "/v1/rollouts", &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        const struct serin_json *rollouts = serin_json_get(answer.json, "rollouts");
        struct serin_cli_grid *grid = serin_cli_grid_open(columns, 10);
        for (size_t i = 0; i < serin_json_count(rollouts); i++) {
            const struct serin_json *rollout = serin_json_at(rollouts, i);
            if (serin_json_count(serin_json_get(rollout, "releases")) > 0) {
                add_row(grid, rollout);
            }
        }
        serin_cli_grid_print(cli, grid);
    }
    serin_cli_answer_close(&answer);
    return exit;
}

static void print_failures(const struct serin_cli *cli, const struct serin_json *rollout)
{
    static const struct serin_cli_column columns[] = {
        {.title = "DEVICE"}, {.title = "STATE"}, {.title = "REASON"}, {.title = "MEANING"}};
    const struct serin_json *failures = serin_json_get(rollout, "failures");

    if (serin_json_count(failures) == 0) {
        return;
    }
    serin_cli_print(cli, "\n");
    struct serin_cli_grid *grid = serin_cli_grid_open(columns, 4);
    for (size_t i = 0; i < serin_json_count(failures); i++) {
        const struct serin_json *failure = serin_json_at(failures, i);
        const char *state = serin_cli_member(failure, "state");
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(failure, "device"));
        serin_cli_grid_cell(grid, serin_cli_state_colour(state), state);
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(failure, "reason"));
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(failure, "text"));
    }
    serin_cli_grid_print(cli, grid);
}

enum serin_cli_exit serin_cli_run_rollout_show(struct serin_cli *cli)
{
    struct serin_cli_answer answer;
    char path[PATH_SIZE];

    if (!serin_cli_rollout_path(cli, "", path, sizeof(path))) {
        return SERIN_CLI_USAGE;
    }
    enum serin_cli_exit exit = serin_cli_get(cli, path, &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        const struct serin_json *tally = serin_json_get(answer.json, "tally");
        static const char *const counts[] = {"offered",  "accepted",  "confirmed", "failed",
                                             "rejected", "unreached", "regressed", "other"};
        (void)serin_cli_rollout_print(cli, answer.json);
        serin_cli_rollout_judge(cli, answer.json);
        serin_cli_print(cli, "\npopulation %llu:",
                        (unsigned long long)serin_cli_count(answer.json, "population"));
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            serin_cli_print(cli, "%s %llu %s", i > 0 ? "," : "",
                            (unsigned long long)serin_cli_count(tally, counts[i]), counts[i]);
        }
        serin_cli_print(cli, "\n");
        print_failures(cli, answer.json);
    }
    serin_cli_answer_close(&answer);
    return exit;
}

enum serin_cli_exit serin_cli_run_rollout_command(struct serin_cli *cli)
{
    const char *verb = strrchr(cli->args.command->name, ' ') + 1;
    const char *reason = serin_cli_text(cli, "reason");
    struct serin_cli_request request = {.method = "POST"};
    struct serin_cli_answer answer;
    char tail[32];
    char path[PATH_SIZE];
    char *body = NULL;

    (void)snprintf(tail, sizeof(tail), "/%s", verb);
    if (!serin_cli_rollout_path(cli, tail, path, sizeof(path))) {
        return SERIN_CLI_USAGE;
    }
    request.path = path;
    if (reason != NULL) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "reason", reason);
        body = serin_json_print(json, &request.body_size);
        serin_json_free(json);
        request.body = body;
        request.content_type = "application/json";
    }
    enum serin_cli_exit exit = serin_cli_ask(cli, &request, &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        (void)serin_cli_rollout_print(cli, answer.json);
        if (strcmp(verb, "retry") == 0) {
            serin_cli_print(cli, "attempt %llu: the devices that failed are offered it again\n",
                            (unsigned long long)serin_cli_count(answer.json, "attempt"));
        }
    }
    serin_cli_answer_close(&answer);
    free(body);
    return exit;
}

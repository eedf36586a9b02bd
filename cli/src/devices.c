/*
 * `serin device`: the fleet, device by device.
 */
#include "api.h"
#include "commands.h"

#include <serin/cli/table.h>

#include <stdlib.h>
#include <string.h>

#define PAGE      1000u
#define PAGES_MAX 10000u /* ten million devices; a server that pages for ever ends here */
#define PATH_SIZE 512u

static const char *or_never(const char *time)
{
    return time[0] != '\0' ? time : "never";
}

/* Adds "&key=value" where the option is given. */
static bool add_filter(const struct serin_cli *cli, const char *option, char path[PATH_SIZE])
{
    const char *value = serin_cli_text(cli, option);
    size_t used = strlen(path);

    if (value == NULL) {
        return true;
    }
    (void)snprintf(path + used, PATH_SIZE - used, "&%s=", option);
    return serin_cli_encode(path, PATH_SIZE, value);
}

static bool page_path(const struct serin_cli *cli, const char *after, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "/v1/devices?limit=%u", PAGE);
    if (!add_filter(cli, "product", path) || !add_filter(cli, "channel", path) ||
        !add_filter(cli, "state", path)) {
        return false;
    }
    if (after[0] == '\0') {
        return true;
    }
    size_t used = strlen(path);
    (void)snprintf(path + used, PATH_SIZE - used, "&after=");
    return serin_cli_encode(path, PATH_SIZE, after);
}

static void add_row(struct serin_cli_grid *grid, const struct serin_json *device)
{
    const char *state = serin_cli_member(device, "state");
    const char *reason = serin_cli_member(device, "reason");
    bool online = serin_cli_truth(device, "online");

    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "id"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "product"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "channel"));
    serin_cli_grid_format(grid, "%u", (unsigned)serin_cli_count(device, "hardware"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "version"));
    serin_cli_grid_cell(grid, serin_cli_state_colour(state), state);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, strcmp(reason, "none") != 0 ? reason : "");
    serin_cli_grid_cell(grid, online ? SERIN_CLI_GOOD : SERIN_CLI_DIM,
                        online ? "online" : "offline");
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "redundancy"));
    serin_cli_grid_cell(grid, SERIN_CLI_DIM, or_never(serin_cli_member(device, "last_report")));
}

/* One page: into the table, or as elements of a JSON array. */
static void take_page(const struct serin_cli *cli, struct serin_cli_grid *grid,
                      const struct serin_json *devices, size_t *shown)
{
    for (size_t i = 0; i < serin_json_count(devices); i++, (*shown)++) {
        const struct serin_json *device = serin_json_at(devices, i);
        if (cli->json) {
            char *text = serin_json_print(device, NULL);
            serin_cli_print(cli, "%s%s", *shown == 0 ? "" : ",", text);
            free(text);
        } else {
            add_row(grid, device);
        }
    }
}

enum serin_cli_exit serin_cli_run_device_list(struct serin_cli *cli)
{
    static const struct serin_cli_column columns[] = {{.title = "DEVICE"},
                                                      {.title = "PRODUCT"},
                                                      {.title = "CHANNEL"},
                                                      {.title = "HW", .right = true},
                                                      {.title = "VERSION", .right = true},
                                                      {.title = "STATE"},
                                                      {.title = "REASON"},
                                                      {.title = "LINK"},
                                                      {.title = "REDUNDANCY"},
                                                      {.title = "LAST REPORT"}};
    struct serin_cli_grid *grid = serin_cli_grid_open(columns, 10);
    enum serin_cli_exit exit = SERIN_CLI_DONE;
    char after[256] = "";
    size_t pages = 0;
    size_t shown = 0;

    for (bool more = true; more && exit == SERIN_CLI_DONE && pages < PAGES_MAX; pages++) {
        struct serin_cli_answer answer = {.text = NULL};
        char path[PATH_SIZE];
        if (!page_path(cli, after, path)) {
            exit = serin_cli_fail(cli, SERIN_CLI_USAGE, "the filters are too long");
            break;
        }
        exit = serin_cli_get(cli, path, &answer);
        if (exit == SERIN_CLI_DONE) {
            if (pages == 0 && cli->json) {
                serin_cli_print(cli, "{\"devices\":[");
            }
            take_page(cli, grid, serin_json_get(answer.json, "devices"), &shown);
            (void)snprintf(after, sizeof(after), "%s", serin_cli_member(answer.json, "next"));
            more = after[0] != '\0';
        }
        serin_cli_answer_close(&answer);
    }
    if (exit == SERIN_CLI_DONE && cli->json) {
        serin_cli_print(cli, "],\"next\":null}\n");
    } else if (exit == SERIN_CLI_DONE) {
        serin_cli_grid_print(cli, grid);
        return exit;
    }
    serin_cli_grid_free(grid);
    return exit;
}

/* ---- one device ---- */

static void print_attempt(const struct serin_cli *cli, const struct serin_json *attempt)
{
    const struct serin_json *transitions = serin_json_get(attempt, "transitions");
    const char *state = serin_cli_member(attempt, "state");

    serin_cli_print(cli, "\nattempt %llu at ",
                    (unsigned long long)serin_cli_count(attempt, "attempt"));
    serin_cli_print_foreign(cli, serin_cli_member(attempt, "version"), 0);
    serin_cli_print(cli, ": %s", serin_cli_colour(cli, serin_cli_state_colour(state)));
    serin_cli_print_foreign(cli, state, 0);
    serin_cli_print(cli, "%s, %llu bytes fetched, %llu pieces fetched again\n",
                    serin_cli_colour(cli, SERIN_CLI_PLAIN),
                    (unsigned long long)serin_cli_count(attempt, "bytes_fetched"),
                    (unsigned long long)serin_cli_count(attempt, "pieces_refetched"));
    if (strcmp(serin_cli_member(attempt, "reason"), "none") != 0) {
        serin_cli_print(cli, "  because ");
        serin_cli_print_foreign(cli, serin_cli_member(attempt, "text"), 0);
        serin_cli_print(cli, "\n");
    }
    for (size_t i = 0; i < serin_json_count(transitions); i++) {
        const struct serin_json *transition = serin_json_at(transitions, i);
        const char *time = serin_cli_member(transition, "time");
        serin_cli_print(cli, "  ");
        serin_cli_print_foreign(cli, time[0] != '\0' ? time : "(no clock)", 22);
        serin_cli_print_foreign(cli, serin_cli_member(transition, "state"), 14);
        serin_cli_print_foreign(cli, serin_cli_member(transition, "reason"), 0);
        serin_cli_print(cli, "\n");
    }
}

static void print_device(const struct serin_cli *cli, const struct serin_json *device)
{
    static const struct {
        const char *title, *key;
    } lines[] = {
        {"device", "id"},
        {"product", "product"},
        {"channel", "channel"},
        {"hardware", "hardware"},
        {"enrolment", "enrolment"},
        {"state", "state"},
        {"reason", "reason"},
        {"version", "version"},
        {"manifest", "manifest_id"},
        {"slot", "slot"},
        {"security counter", "security_counter"},
        {"floor", "floor"},
        {"redundancy", "redundancy"},
        {"online", "online"},
        {"last report", "last_report"},
        {"last beat", "last_beat"},
        {"last refusal", "refused"},
    };
    const struct serin_json *attempts = serin_json_get(device, "attempts");

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        serin_cli_print_member(cli, lines[i].title, device, lines[i].key);
    }
    for (size_t i = 0; i < serin_json_count(attempts); i++) {
        print_attempt(cli, serin_json_at(attempts, i));
    }
}

/* "/v1/devices/ID" and what follows. An id of another alphabet is none; asking for it would be a
 * riddle. */
static bool device_path(const struct serin_cli *cli, const char *id, const char *verb,
                        char path[PATH_SIZE])
{
    if (!serin_id_valid(id, strlen(id))) {
        (void)serin_cli_fail(cli, SERIN_CLI_USAGE,
                             "'%s' is no device id (1 to %u of A-Z a-z 0-9 _ -)", id, SERIN_ID_MAX);
        return false;
    }
    (void)snprintf(path, PATH_SIZE, "/v1/devices/%s%s", id, verb);
    return true;
}

enum serin_cli_exit serin_cli_run_device_show(struct serin_cli *cli)
{
    struct serin_cli_answer answer;
    char path[PATH_SIZE];

    if (!device_path(cli, cli->args.operands[0], "", path)) {
        return SERIN_CLI_USAGE;
    }
    enum serin_cli_exit exit = serin_cli_get(cli, path, &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        print_device(cli, answer.json);
    }
    serin_cli_answer_close(&answer);
    return exit;
}

enum serin_cli_exit serin_cli_run_device_decide(struct serin_cli *cli)
{
    const char *verb = strrchr(cli->args.command->name, ' ') + 1;
    struct serin_cli_request request = {.method = "POST"};
    struct serin_cli_answer answer;
    char path[PATH_SIZE];
    char tail[32];

    (void)snprintf(tail, sizeof(tail), "/%s", verb);
    if (!device_path(cli, cli->args.operands[0], tail, path)) {
        return SERIN_CLI_USAGE;
    }
    request.path = path;
    enum serin_cli_exit exit = serin_cli_ask(cli, &request, &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        serin_cli_print(cli, "%s: ", cli->args.operands[0]);
        serin_cli_print_foreign(cli, serin_cli_member(answer.json, "enrolment"), 0);
        serin_cli_print(cli, "\n");
    }
    serin_cli_answer_close(&answer);
    return exit;
}

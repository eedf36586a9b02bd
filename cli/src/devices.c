/*
 * `serin device`: the fleet, device by device.
 */
#include "commands.h"
#include "pages.h"

#include <string.h>

static const char *or_never(const char *time)
{
    return time[0] != '\0' ? time : "never";
}

/* Who speaks for it. */
static const char *via(const struct serin_json *device)
{
    const char *gateway = serin_cli_member(device, "gateway");

    return gateway[0] != '\0' ? gateway : "direct";
}

static void add_row(struct serin_cli_grid *grid, const struct serin_json *device)
{
    const char *enrolment = serin_cli_member(device, "enrolment");
    const char *state = serin_cli_member(device, "state");
    const char *reason = serin_cli_member(device, "reason");
    bool online = serin_cli_truth(device, "online");

    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "id"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "product"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "channel"));
    serin_cli_grid_format(grid, "%u", (unsigned)serin_cli_count(device, "hardware"));
    serin_cli_grid_cell(grid, strcmp(enrolment, "pending") == 0 ? SERIN_CLI_BUSY : SERIN_CLI_PLAIN,
                        enrolment);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "version"));
    serin_cli_grid_cell(grid, serin_cli_state_colour(state), state);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, strcmp(reason, "none") != 0 ? reason : "");
    serin_cli_grid_cell(grid, online ? SERIN_CLI_GOOD : SERIN_CLI_DIM,
                        online ? "online" : "offline");
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, via(device));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "redundancy"));
    serin_cli_grid_cell(grid, SERIN_CLI_DIM, or_never(serin_cli_member(device, "last_report")));
}

enum serin_cli_exit serin_cli_run_device_list(struct serin_cli *cli)
{
    static const struct serin_cli_column columns[] = {
        {.title = "DEVICE"},     {.title = "PRODUCT"},
        {.title = "CHANNEL"},    {.title = "HW", .right = true},
        {.title = "ENROLMENT"},  {.title = "VERSION", .right = true},
        {.title = "STATE"},      {.title = "REASON"},
        {.title = "LINK"},       {.title = "VIA"},
        {.title = "REDUNDANCY"}, {.title = "LAST REPORT"}};
    char path[SERIN_CLI_PATH_SIZE];
    const struct serin_cli_list list = {.key = "devices",
                                        .path = path,
                                        .columns = columns,
                                        .column_count = sizeof(columns) / sizeof(columns[0]),
                                        .row = add_row};

    (void)snprintf(path, sizeof(path), "/v1/devices?limit=%u", SERIN_CLI_PAGE);
    if (!serin_cli_add_filter(cli, "product", path) ||
        !serin_cli_add_filter(cli, "channel", path) || !serin_cli_add_filter(cli, "state", path) ||
        !serin_cli_add_filter(cli, "enrolment", path) ||
        !serin_cli_add_filter(cli, "gateway", path)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "the filters are too long");
    }
    return serin_cli_print_list(cli, &list);
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
        {"takes patches", "takes"},
        {"online", "online"},
        {"last report", "last_report"},
        {"last beat", "last_beat"},
        {"last refusal", "refused"},
    };
    const struct serin_json *attempts = serin_json_get(device, "attempts");

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        serin_cli_print_member(cli, lines[i].title, device, lines[i].key);
    }
    serin_cli_print(cli, "%-17s ", "via");
    serin_cli_print_foreign(cli, via(device), 0);
    serin_cli_print(cli, "\n");
    for (size_t i = 0; i < serin_json_count(attempts); i++) {
        print_attempt(cli, serin_json_at(attempts, i));
    }
}

/* "/v1/devices/ID" and what follows. An id of another alphabet is none; asking for it would be a
 * riddle. */
static bool device_path(const struct serin_cli *cli, const char *id, const char *verb,
                        char path[SERIN_CLI_PATH_SIZE])
{
    if (!serin_id_valid(id, strlen(id))) {
        (void)serin_cli_fail(cli, SERIN_CLI_USAGE,
                             "'%s' is no device id (1 to %u of A-Z a-z 0-9 _ -)", id, SERIN_ID_MAX);
        return false;
    }
    (void)snprintf(path, SERIN_CLI_PATH_SIZE, "/v1/devices/%s%s", id, verb);
    return true;
}

enum serin_cli_exit serin_cli_run_device_show(struct serin_cli *cli)
{
    struct serin_cli_answer answer;
    char path[SERIN_CLI_PATH_SIZE];

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

/* ---- decisions ---- */

/* Decisions on one device, or on many: then a JSON array of them. */
struct decisions {
    struct serin_cli *cli;
    const char *verb;
    bool many;
    size_t count; /* made so far */
};

static enum serin_cli_exit decide(struct decisions *decisions, const char *id)
{
    struct serin_cli *cli = decisions->cli;
    struct serin_cli_request request = {.method = "POST"};
    struct serin_cli_answer answer;
    char path[SERIN_CLI_PATH_SIZE];
    char tail[32];

    (void)snprintf(tail, sizeof(tail), "/%s", decisions->verb);
    if (!device_path(cli, id, tail, path)) {
        return SERIN_CLI_USAGE;
    }
    request.path = path;
    enum serin_cli_exit exit = serin_cli_ask(cli, &request, &answer);
    if (exit == SERIN_CLI_DONE && cli->json && decisions->many) {
        serin_cli_print_element(cli, "devices", decisions->count, answer.json);
    } else if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        serin_cli_print(cli, "%s: ", id);
        serin_cli_print_foreign(cli, serin_cli_member(answer.json, "enrolment"), 0);
        serin_cli_print(cli, "\n");
    }
    decisions->count += exit == SERIN_CLI_DONE ? 1 : 0;
    serin_cli_answer_close(&answer);
    return exit;
}

static enum serin_cli_exit decide_listed(void *ctx, const struct serin_json *device)
{
    enum serin_cli_exit exit = decide(ctx, serin_cli_member(device, "id"));

    /* The server's slip, not the operator's. */
    return exit == SERIN_CLI_USAGE ? SERIN_CLI_FAILED : exit;
}

/* All that wait behind the gateway. */
static enum serin_cli_exit decide_waiting(struct decisions *decisions, const char *gateway)
{
    char path[SERIN_CLI_PATH_SIZE];

    (void)snprintf(path, sizeof(path), "/v1/devices?limit=%u&enrolment=pending&gateway=%s",
                   SERIN_CLI_PAGE, gateway);
    enum serin_cli_exit exit =
        serin_cli_each(decisions->cli, path, "devices", decide_listed, decisions);
    if (exit == SERIN_CLI_DONE && decisions->count == 0 && !decisions->cli->json) {
        serin_cli_print(decisions->cli, "no device waits behind %s\n", gateway);
    }
    return exit;
}

/* A slip in the last id is found before the first one is decided. */
static bool ids_sound(const struct serin_cli *cli)
{
    char path[SERIN_CLI_PATH_SIZE];

    for (size_t i = 0; i < cli->args.operand_count; i++) {
        if (!device_path(cli, cli->args.operands[i], "", path)) {
            return false;
        }
    }
    return true;
}

enum serin_cli_exit serin_cli_run_device_decide(struct serin_cli *cli)
{
    const char *gateway = serin_cli_text(cli, "gateway");
    size_t named = cli->args.operand_count;
    struct decisions decisions = {.cli = cli,
                                  .verb = strrchr(cli->args.command->name, ' ') + 1,
                                  .many = gateway != NULL || named > 1};
    enum serin_cli_exit exit = SERIN_CLI_DONE;

    if ((gateway != NULL) == (named > 0)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "takes devices, or --gateway GW for all that wait behind it%s",
                              named > 0 ? ", not both" : "");
    }
    if (!ids_sound(cli)) {
        return SERIN_CLI_USAGE;
    }
    if (gateway != NULL) {
        exit = decide_waiting(&decisions, gateway);
    }
    for (size_t i = 0; exit == SERIN_CLI_DONE && i < named; i++) {
        exit = decide(&decisions, cli->args.operands[i]);
    }
    /* What was decided before a failure stays, and is shown. */
    if (cli->json && decisions.many && (exit == SERIN_CLI_DONE || decisions.count > 0)) {
        serin_cli_print_element(cli, "devices", decisions.count, NULL);
        serin_cli_print(cli, "]}\n");
    }
    return exit;
}

enum serin_cli_exit serin_cli_run_device_move(struct serin_cli *cli)
{
    const char *to = serin_cli_text(cli, "to");
    struct serin_cli_request request = {.method = "POST", .content_type = "application/json"};
    struct serin_cli_answer answer;
    char path[SERIN_CLI_PATH_SIZE];
    char body[SERIN_ID_MAX + 16];

    if (!device_path(cli, cli->args.operands[0], "/move", path)) {
        return SERIN_CLI_USAGE;
    }
    int size = snprintf(body, sizeof(body), "{\"to\":\"%s\"}",
                        strcmp(to, SERIN_CLI_DIRECT) != 0 ? to : "");
    request.path = path;
    request.body = body;
    request.body_size = (size_t)size;
    enum serin_cli_exit exit = serin_cli_ask(cli, &request, &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        serin_cli_print(cli, "%s: ", cli->args.operands[0]);
        serin_cli_print_foreign(cli, via(answer.json), 0);
        serin_cli_print(cli, "\n");
    }
    serin_cli_answer_close(&answer);
    return exit;
}

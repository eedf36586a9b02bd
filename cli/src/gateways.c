/*
 * `serin gateway`: the sites, gateway by gateway.
 */
#include "commands.h"
#include "format.h"
#include "pages.h"

#include <string.h>

/* ---- the list ---- */

/* The worst that one of its fleets is held for. */
static const char *worst_hold(const struct serin_json *status)
{
    const struct serin_json *fleets = serin_json_get(status, "fleets");
    const char *worst = "";

    for (size_t i = 0; i < serin_json_count(fleets); i++) {
        const char *hold = serin_cli_member(serin_json_at(fleets, i), "hold");
        if (strcmp(hold, "failures") == 0) {
            return hold;
        }
        worst = strcmp(hold, "lease") == 0 ? hold : worst;
    }
    return worst;
}

/* A share in whole percent; "" where it is not known. */
static void percent_text(const struct serin_json *object, const char *key, char out[16])
{
    double share = 0;

    out[0] = '\0';
    if (serin_json_as_real(serin_json_get(object, key), &share) && share >= 0 && share <= 1) {
        (void)snprintf(out, 16, "%.0f %%", share * 100);
    }
}

static void depot_text(const struct serin_json *status, char out[16])
{
    double used = (double)serin_cli_count(status, "depot_bytes");
    double budget = (double)serin_cli_count(status, "depot_budget_bytes");

    out[0] = '\0';
    if (budget > 0) {
        (void)snprintf(out, 16, "%.0f %%", used / budget * 100);
    }
}

static void number_cell(struct serin_cli_grid *grid, const struct serin_json *object,
                        const char *key)
{
    uint64_t number = 0;

    if (serin_json_as_number(serin_json_get(object, key), &number)) {
        serin_cli_grid_format(grid, "%llu", (unsigned long long)number);
    } else {
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, "");
    }
}

static void add_row(struct serin_cli_grid *grid, const struct serin_json *gateway)
{
    const struct serin_json *status = serin_json_get(gateway, "status");
    const char *standing = serin_cli_member(gateway, "standing");
    const char *hold = worst_hold(status);
    uint64_t claims = serin_cli_count(serin_json_get(gateway, "claims"), "count");
    bool online = serin_cli_truth(gateway, "online");
    bool refused = strcmp(standing, "refused") == 0;
    char text[16];

    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(gateway, "id"));
    serin_cli_grid_cell(grid,
                        refused  ? SERIN_CLI_BAD
                        : online ? SERIN_CLI_GOOD
                                 : SERIN_CLI_DIM,
                        refused  ? standing
                        : online ? "online"
                                 : "offline");
    number_cell(grid, gateway, "nodes");
    number_cell(grid, status, "nodes_online");
    depot_text(status, text);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, text);
    percent_text(status, "hit_rate", text);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, text);
    number_cell(grid, status, "queued");
    serin_cli_grid_cell(grid, hold[0] != '\0' ? SERIN_CLI_BAD : SERIN_CLI_PLAIN, hold);
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)claims);
    serin_cli_grid_cell(grid, claims > 0 ? SERIN_CLI_BAD : SERIN_CLI_PLAIN, text);
    serin_cli_grid_cell(grid, SERIN_CLI_DIM, serin_cli_member(gateway, "last_heard"));
}

enum serin_cli_exit serin_cli_run_gateway_list(struct serin_cli *cli)
{
    static const struct serin_cli_column columns[] = {{.title = "GATEWAY"},
                                                      {.title = "LINK"},
                                                      {.title = "NODES", .right = true},
                                                      {.title = "ONLINE", .right = true},
                                                      {.title = "DEPOT", .right = true},
                                                      {.title = "HITS", .right = true},
                                                      {.title = "QUEUE", .right = true},
                                                      {.title = "HOLD"},
                                                      {.title = "CLAIMS", .right = true},
                                                      {.title = "LAST HEARD"}};
    char path[SERIN_CLI_PATH_SIZE];
    const struct serin_cli_list list = {.key = "gateways",
                                        .path = path,
                                        .columns = columns,
                                        .column_count = sizeof(columns) / sizeof(columns[0]),
                                        .row = add_row};

    (void)snprintf(path, sizeof(path), "/v1/gateways?limit=%u", SERIN_CLI_PAGE);
    return serin_cli_print_list(cli, &list);
}

/* ---- one gateway ---- */

static void print_title(const struct serin_cli *cli, const char *title)
{
    serin_cli_print(cli, "%-17s ", title);
}

static const char *size_of(const struct serin_json *object, const char *key,
                           char text[SERIN_CLI_SHORT_SIZE])
{
    serin_cli_format_size(serin_cli_count(object, key), text);
    return text;
}

static void print_depot(const struct serin_cli *cli, const struct serin_json *status)
{
    uint64_t used = serin_cli_count(status, "depot_bytes");
    uint64_t budget = serin_cli_count(status, "depot_budget_bytes");
    bool full = serin_cli_truth(status, "pass_through");
    char have[SERIN_CLI_SHORT_SIZE];
    char most[SERIN_CLI_SHORT_SIZE];

    print_title(cli, "depot");
    serin_cli_print_bar(cli, used, budget, full ? SERIN_CLI_BAD : SERIN_CLI_GOOD);
    serin_cli_print(cli, " %s of %s, %llu objects, %llu being filled%s\n",
                    size_of(status, "depot_bytes", have),
                    size_of(status, "depot_budget_bytes", most),
                    (unsigned long long)serin_cli_count(status, "objects"),
                    (unsigned long long)serin_cli_count(status, "filling"),
                    full ? "; the disk is full: bytes pass through" : "");
}

static void print_traffic(const struct serin_cli *cli, const struct serin_json *status)
{
    char first[SERIN_CLI_SHORT_SIZE];
    char second[SERIN_CLI_SHORT_SIZE];
    char third[SERIN_CLI_SHORT_SIZE];
    char hits[16];

    percent_text(status, "hit_rate", hits);
    print_title(cli, "hit rate");
    serin_cli_print(cli, "%s: %s served to nodes, %s fetched, %s of it again\n",
                    hits[0] != '\0' ? hits : "-", size_of(status, "served_bytes", first),
                    size_of(status, "fetched_bytes", second),
                    size_of(status, "refetched_bytes", third));
    print_title(cli, "uplink");
    serin_cli_print(cli, "%s sent, %s received; %llu messages for %llu transitions\n",
                    size_of(status, "uplink_sent", first), size_of(status, "uplink_got", second),
                    (unsigned long long)serin_cli_count(status, "uplink_messages"),
                    (unsigned long long)serin_cli_count(status, "transitions"));
}

static void print_queue(const struct serin_cli *cli, const struct serin_json *status)
{
    uint64_t queued = serin_cli_count(status, "queued");
    char age[SERIN_CLI_SHORT_SIZE];

    print_title(cli, "queue");
    serin_cli_format_seconds(serin_cli_count(status, "queue_oldest_s"), age);
    if (queued > 0) {
        serin_cli_print(cli, "%llu report%s, the oldest waits for %s\n", (unsigned long long)queued,
                        queued == 1 ? "" : "s", age);
    } else {
        serin_cli_print(cli, "empty\n");
    }
}

static void print_claims(const struct serin_cli *cli, const struct serin_json *gateway)
{
    const struct serin_json *claims = serin_json_get(gateway, "claims");
    const struct serin_json *batches = serin_json_get(gateway, "batches");
    uint64_t count = serin_cli_count(claims, "count");

    print_title(cli, "batches");
    serin_cli_print(cli, "%llu, %llu lost\n",
                    (unsigned long long)serin_cli_count(batches, "number"),
                    (unsigned long long)serin_cli_count(batches, "lost"));
    print_title(cli, "claims");
    if (count == 0) {
        serin_cli_print(cli, "none of devices that are not its own\n");
        return;
    }
    serin_cli_print(cli, "%s%llu of devices that are not its own%s, the last for ",
                    serin_cli_colour(cli, SERIN_CLI_BAD), (unsigned long long)count,
                    serin_cli_colour(cli, SERIN_CLI_PLAIN));
    serin_cli_print_foreign(cli, serin_cli_member(claims, "device"), 0);
    serin_cli_print(cli, " at ");
    serin_cli_print_foreign(cli, serin_cli_member(claims, "last"), 0);
    serin_cli_print(cli, "\n");
}

static void add_fleet(struct serin_cli_grid *grid, const struct serin_json *fleet)
{
    const struct serin_json *order = serin_json_get(fleet, "order");
    const char *hold = serin_cli_member(fleet, "hold");
    bool held = strcmp(hold, "none") != 0;
    char lease[SERIN_CLI_SHORT_SIZE];
    char limit[SERIN_CLI_SHORT_SIZE];

    serin_cli_format_seconds(serin_cli_count(fleet, "lease_left_s"), lease);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(fleet, "product"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(fleet, "channel"));
    serin_cli_grid_format(grid, "%llu.%llu", (unsigned long long)serin_cli_count(order, "epoch"),
                          (unsigned long long)serin_cli_count(order, "sequence"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, lease);
    serin_cli_grid_cell(grid, held ? SERIN_CLI_BAD : SERIN_CLI_PLAIN, held ? hold : "");
    (void)snprintf(limit, sizeof(limit), "%llu",
                   (unsigned long long)serin_cli_count(fleet, "failures_max"));
    serin_cli_grid_format(grid, "%llu%s%s", (unsigned long long)serin_cli_count(fleet, "failures"),
                          strcmp(limit, "0") != 0 ? " of " : "",
                          strcmp(limit, "0") != 0 ? limit : ", no limit");
    serin_cli_grid_cell(grid, SERIN_CLI_DIM, serin_cli_member(fleet, "held_since"));
}

static void print_fleets(const struct serin_cli *cli, const struct serin_json *status)
{
    static const struct serin_cli_column columns[] = {{.title = "PRODUCT"},
                                                      {.title = "CHANNEL"},
                                                      {.title = "ORDER", .right = true},
                                                      {.title = "LEASE LEFT", .right = true},
                                                      {.title = "HOLD"},
                                                      {.title = "FAILURES", .right = true},
                                                      {.title = "SINCE"}};
    const struct serin_json *fleets = serin_json_get(status, "fleets");
    struct serin_cli_grid *grid =
        serin_cli_grid_open(columns, sizeof(columns) / sizeof(columns[0]));

    for (size_t i = 0; i < serin_json_count(fleets); i++) {
        add_fleet(grid, serin_json_at(fleets, i));
    }
    serin_cli_print(cli, "\n");
    serin_cli_grid_print(cli, grid);
}

static void print_status(const struct serin_cli *cli, const struct serin_json *status)
{
    char uptime[SERIN_CLI_SHORT_SIZE];

    if (!serin_json_is_object(status)) {
        print_title(cli, "status");
        serin_cli_print(cli, "it has told none yet\n");
        return;
    }
    serin_cli_print_member(cli, "status heard", status, "heard");
    serin_cli_print_member(cli, "software", status, "software");
    serin_cli_format_seconds(serin_cli_count(status, "uptime_s"), uptime);
    print_title(cli, "uptime");
    serin_cli_print(cli, "%s\n", uptime);
    print_title(cli, "nodes online");
    serin_cli_print(cli, "%llu of %llu that it knows\n",
                    (unsigned long long)serin_cli_count(status, "nodes_online"),
                    (unsigned long long)serin_cli_count(status, "nodes"));
    print_depot(cli, status);
    print_traffic(cli, status);
    print_queue(cli, status);
    serin_cli_print_member(cli, "rotten pieces", status, "rotten");
    print_fleets(cli, status);
}

static void add_node(struct serin_cli_grid *grid, const struct serin_json *device)
{
    const char *state = serin_cli_member(device, "state");
    bool online = serin_cli_truth(device, "online");

    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "id"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "enrolment"));
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(device, "version"));
    serin_cli_grid_cell(grid, serin_cli_state_colour(state), state);
    serin_cli_grid_cell(grid, online ? SERIN_CLI_GOOD : SERIN_CLI_DIM,
                        online ? "online" : "offline");
    serin_cli_grid_cell(grid, SERIN_CLI_DIM, serin_cli_member(device, "last_report"));
}

static void print_nodes(const struct serin_cli *cli, const struct serin_json *gateway)
{
    static const struct serin_cli_column columns[] = {
        {.title = "NODE"},  {.title = "ENROLMENT"}, {.title = "VERSION", .right = true},
        {.title = "STATE"}, {.title = "LINK"},      {.title = "LAST REPORT"}};
    const struct serin_json *devices = serin_json_get(gateway, "devices");
    struct serin_cli_grid *grid =
        serin_cli_grid_open(columns, sizeof(columns) / sizeof(columns[0]));

    for (size_t i = 0; i < serin_json_count(devices); i++) {
        add_node(grid, serin_json_at(devices, i));
    }
    serin_cli_print(cli, "\n");
    serin_cli_grid_print(cli, grid);
    if (serin_cli_member(gateway, "next")[0] != '\0') {
        serin_cli_print(cli, "… and more: serin device list --gateway ");
        serin_cli_print_foreign(cli, serin_cli_member(gateway, "id"), 0);
        serin_cli_print(cli, "\n");
    }
}

static void print_gateway(const struct serin_cli *cli, const struct serin_json *gateway)
{
    static const struct {
        const char *title, *key;
    } lines[] = {
        {"gateway", "id"},  {"standing", "standing"},     {"online", "online"},
        {"nodes", "nodes"}, {"first seen", "first_seen"}, {"last heard", "last_heard"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        serin_cli_print_member(cli, lines[i].title, gateway, lines[i].key);
    }
    print_claims(cli, gateway);
    print_status(cli, serin_json_get(gateway, "status"));
    print_nodes(cli, gateway);
}

/* "/v1/gateways/GW" and what follows. */
static bool gateway_path(const struct serin_cli *cli, const char *tail,
                         char path[SERIN_CLI_PATH_SIZE])
{
    const char *id = cli->args.operands[0];

    if (!serin_id_valid(id, strlen(id))) {
        (void)serin_cli_fail(cli, SERIN_CLI_USAGE,
                             "'%s' is no gateway id (1 to %u of A-Z a-z 0-9 _ -)", id,
                             SERIN_ID_MAX);
        return false;
    }
    (void)snprintf(path, SERIN_CLI_PATH_SIZE, "/v1/gateways/%s%s", id, tail);
    return true;
}

enum serin_cli_exit serin_cli_run_gateway_show(struct serin_cli *cli)
{
    struct serin_cli_answer answer;
    char path[SERIN_CLI_PATH_SIZE];
    char tail[32];

    (void)snprintf(tail, sizeof(tail), "?limit=%u", SERIN_CLI_PAGE);
    if (!gateway_path(cli, tail, path)) {
        return SERIN_CLI_USAGE;
    }
    enum serin_cli_exit exit = serin_cli_get(cli, path, &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        print_gateway(cli, answer.json);
    }
    serin_cli_answer_close(&answer);
    return exit;
}

enum serin_cli_exit serin_cli_run_gateway_decide(struct serin_cli *cli)
{
    struct serin_cli_request request = {.method = "POST"};
    struct serin_cli_answer answer;
    char path[SERIN_CLI_PATH_SIZE];
    char tail[32];

    (void)snprintf(tail, sizeof(tail), "/%s", strrchr(cli->args.command->name, ' ') + 1);
    if (!gateway_path(cli, tail, path)) {
        return SERIN_CLI_USAGE;
    }
    request.path = path;
    enum serin_cli_exit exit = serin_cli_ask(cli, &request, &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        serin_cli_print(cli, "%s: ", cli->args.operands[0]);
        serin_cli_print_foreign(cli, serin_cli_member(answer.json, "standing"), 0);
        serin_cli_print(cli, "\n");
    }
    serin_cli_answer_close(&answer);
    return exit;
}

/* `serin-gateway status`: the control socket's answers as tables (program.h). */
#include "program.h"

#include <serin/adapters/control.h>
#include <serin/adapters/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_MS 10000 /* the gateway may be busy with its disk */
#define BAR_CELLS      20u
#define PAGES_MAX      1000u /* of nodes: more than a gateway has */

/* ---- asking ---- */

/* Asks and parses; `*json` is the caller's. `text` is the answer as it came. */
static enum exit_code ask(const char *socket, const char *request, char *text,
                          struct serin_json **json)
{
    char why[128];
    *json = NULL;
    enum serin_error error =
        serin_control_ask(socket, request, text, SERIN_CONTROL_ANSWER_MAX, ASK_TIMEOUT_MS);
    if (error == SERIN_ERR_NOT_FOUND) {
        return complain(EXIT_REFUSED, "no gateway answers at %s; start it with serin-gateway run",
                        socket);
    }
    if (error == SERIN_ERR_DENIED) {
        return complain(EXIT_REFUSED,
                        "%s: permission denied; ask as the gateway's user, or as root", socket);
    }
    if (error == SERIN_ERR_TIMEOUT) {
        return complain(EXIT_REFUSED, "the gateway at %s does not answer in time", socket);
    }
    if (error != SERIN_OK) {
        return complain(EXIT_FAILED, "%s: %s", socket, serin_error_text(error));
    }
    if (serin_json_parse(text, strlen(text), json, why, sizeof why) != SERIN_OK) {
        return complain(EXIT_FAILED, "the gateway gave no sense: %s", text);
    }
    return EXIT_DONE;
}

static uint64_t number(const struct serin_json *json, const char *key)
{
    uint64_t value = 0;
    (void)serin_json_as_number(serin_json_get(json, key), &value);
    return value;
}

static bool truth(const struct serin_json *json, const char *key)
{
    bool value = false;
    (void)serin_json_as_bool(serin_json_get(json, key), &value);
    return value;
}

static const char *text_of(const struct serin_json *json, const char *key)
{
    const char *text = serin_json_as_text(serin_json_get(json, key));
    return text != NULL ? text : "";
}

/* ---- quantities ---- */

struct quantity {
    char text[32];
};

/* "12.3 MiB" */
static struct quantity size_text(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct quantity out;
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out.text, sizeof out.text, unit == 0 ? "%.0f %s" : "%.1f %s", value,
                   units[unit]);
    return out;
}

/* "5h 12m": the two largest units. */
static struct quantity time_text(uint64_t seconds)
{
    struct quantity out;
    unsigned long long s = seconds;
    if (s >= 86400) {
        (void)snprintf(out.text, sizeof out.text, "%llud %lluh", s / 86400, s % 86400 / 3600);
    } else if (s >= 3600) {
        (void)snprintf(out.text, sizeof out.text, "%lluh %llum", s / 3600, s % 3600 / 60);
    } else if (s >= 60) {
        (void)snprintf(out.text, sizeof out.text, "%llum %llus", s / 60, s % 60);
    } else {
        (void)snprintf(out.text, sizeof out.text, "%llus", s);
    }
    return out;
}

/* ---- the table ---- */

static void row(const char *label, const char *state, const char *rest)
{
    if (rest[0] == '\0') {
        (void)printf("%-10s %s\n", label, state);
    } else {
        (void)printf("%-10s %-12s %s\n", label, state, rest);
    }
}

/* "for 2m 3s: why"; "" while it is there. */
static void away_text(char *text, size_t size, const struct serin_json *status, bool site)
{
    const char *why = text_of(status, site ? "site_why" : "uplink_why");
    text[0] = '\0';
    if (!truth(status, site ? "site_connected" : "uplink_connected")) {
        (void)snprintf(text, size, "for %s%s%.128s",
                       time_text(number(status, site ? "site_away_s" : "uplink_away_s")).text,
                       why[0] != '\0' ? ": " : "", why);
    }
}

static void uplink_print(const struct serin_json *status)
{
    uint64_t limit = number(status, "uplink_limit_per_s");
    char text[256];
    (void)snprintf(text, sizeof text, "in %s (%s/s), out %s (%s/s), %" PRIu64 " messages",
                   size_text(number(status, "uplink_got")).text,
                   size_text(number(status, "uplink_got_per_s")).text,
                   size_text(number(status, "uplink_sent")).text,
                   size_text(number(status, "uplink_sent_per_s")).text,
                   number(status, "uplink_messages"));
    row("uplink", truth(status, "uplink_connected") ? "connected" : "AWAY", text);
    away_text(text, sizeof text, status, false);
    if (text[0] != '\0') {
        row("", "", text);
    }
    (void)snprintf(text, sizeof text, "images may take %s/s", size_text(limit).text);
    row("", "", limit > 0 ? text : "images may take all of it");
    away_text(text, sizeof text, status, true);
    row("site", truth(status, "site_connected") ? "connected" : "AWAY", text);
}

static void bar_print(uint64_t used, uint64_t budget)
{
    char bar[BAR_CELLS + 1];
    double share = budget > 0 ? (double)used / (double)budget : 0.0;
    size_t full = share < 1.0 ? (size_t)(share * BAR_CELLS) : BAR_CELLS;
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', full);
    bar[BAR_CELLS] = '\0';
    (void)printf("%-10s [%s] %.0f %%: %s of %s\n", "depot", bar, share * 100.0,
                 size_text(used).text, size_text(budget).text);
}

static void depot_print(const struct serin_json *status)
{
    char text[256];
    char hits[32] = "-";
    double rate = 0.0;
    bar_print(number(status, "depot_bytes"), number(status, "depot_budget_bytes"));
    (void)snprintf(text, sizeof text,
                   "%" PRIu64 " objects, %" PRIu64 " being filled, %" PRIu64 " pieces found rotten",
                   number(status, "objects"), number(status, "filling"), number(status, "rotten"));
    row("", truth(status, "pass_through") ? "PASS-THROUGH" : "storing", text);
    (void)snprintf(text, sizeof text, "served %s, fetched %s, of them again %s",
                   size_text(number(status, "served_bytes")).text,
                   size_text(number(status, "fetched_bytes")).text,
                   size_text(number(status, "refetched_bytes")).text);
    if (serin_json_as_real(serin_json_get(status, "hit_rate"), &rate)) {
        (void)snprintf(hits, sizeof hits, "%.1f %%", rate * 100.0);
    }
    row("hit rate", hits, text);
}

static void nodes_line_print(const struct serin_json *status)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%" PRIu64 " known, %" PRIu64 " transitions",
                   number(status, "nodes"), number(status, "transitions"));
    char state[32];
    (void)snprintf(state, sizeof state, "%" PRIu64 " online", number(status, "nodes_online"));
    row("nodes", state, text);
    (void)snprintf(state, sizeof state, "%" PRIu64 " reports", number(status, "queued"));
    (void)snprintf(text, sizeof text, "the oldest has waited for %s",
                   time_text(number(status, "queue_oldest_s")).text);
    row("queue", state, number(status, "queued") > 0 ? text : "all acknowledged");
}

/* "no", "since 2m 3s (lease)": how long is told where both times are known. */
static void fleet_print(const struct serin_json *status, const struct serin_json *fleet)
{
    const struct serin_json *order = serin_json_get(fleet, "order");
    uint64_t since = number(fleet, "held_since_s");
    uint64_t now = number(status, "time_s");
    const char *hold = text_of(fleet, "hold");
    char name[80];
    char number_text[32];
    char held[64] = "no";
    char failures[32];
    (void)snprintf(name, sizeof name, "%s/%s", text_of(fleet, "product"),
                   text_of(fleet, "channel"));
    (void)snprintf(number_text, sizeof number_text, "%" PRIu64 ".%" PRIu64, number(order, "epoch"),
                   number(order, "sequence"));
    if (strcmp(hold, "none") != 0 && since > 0 && now >= since) {
        (void)snprintf(held, sizeof held, "%.16s, %s", hold, time_text(now - since).text);
    } else if (strcmp(hold, "none") != 0) {
        (void)snprintf(held, sizeof held, "%.16s", hold);
    }
    if (number(fleet, "failures_max") > 0) {
        (void)snprintf(failures, sizeof failures, "%" PRIu64 " of %" PRIu64,
                       number(fleet, "failures"), number(fleet, "failures_max"));
    } else {
        (void)snprintf(failures, sizeof failures, "%" PRIu64, number(fleet, "failures"));
    }
    (void)printf("%-24s %-10s %-12s %-20s %s\n", name, number_text,
                 time_text(number(fleet, "lease_left_s")).text, held, failures);
}

static void status_print(const struct serin_json *status)
{
    const struct serin_json *fleets = serin_json_get(status, "fleets");
    (void)printf("%-10s %s, up %s\n", text_of(status, "gateway"), text_of(status, "software"),
                 time_text(number(status, "uptime_s")).text);
    uplink_print(status);
    depot_print(status);
    nodes_line_print(status);
    (void)printf("\n%-24s %-10s %-12s %-20s %s\n", "FLEET", "ORDER", "LEASE LEFT", "HELD",
                 "FAILURES");
    for (size_t i = 0; i < serin_json_count(fleets); i++) {
        fleet_print(status, serin_json_at(fleets, i));
    }
}

/* ---- nodes ---- */

static void node_print(const struct serin_json *node)
{
    char fleet[80];
    (void)snprintf(fleet, sizeof fleet, "%s/%s", text_of(node, "product"),
                   text_of(node, "channel"));
    (void)printf("%-24s %-20s %4" PRIu64 "  %-7s %-8s %-6s %s\n", text_of(node, "node"), fleet,
                 number(node, "hardware"), truth(node, "online") ? "online" : "offline",
                 text_of(node, "standing"), truth(node, "queued") ? "waits" : "-",
                 truth(node, "failed") ? "failed" : "-");
}

/* Page by page, since a site's nodes do not fit one answer. */
static enum exit_code nodes_print(const char *socket, bool json, char *text)
{
    uint64_t from = 0;
    if (!json) {
        (void)printf("\n%-24s %-20s %4s  %-7s %-8s %-6s %s\n", "NODE", "FLEET", "HW", "LINK",
                     "CLOUD", "REPORT", "ATTEMPT");
    }
    for (size_t i = 0; i < PAGES_MAX; i++) {
        char request[32];
        struct serin_json *page = NULL;
        (void)snprintf(request, sizeof request, "nodes %" PRIu64, from);
        enum exit_code code = ask(socket, request, text, &page);
        if (code != EXIT_DONE) {
            return code;
        }
        const struct serin_json *list = serin_json_get(page, "nodes");
        for (size_t n = 0; !json && n < serin_json_count(list); n++) {
            node_print(serin_json_at(list, n));
        }
        if (json) {
            (void)printf("%s\n", text);
        }
        bool more = serin_json_as_number(serin_json_get(page, "next"), &from);
        serin_json_free(page);
        if (!more) {
            break;
        }
    }
    return EXIT_DONE;
}

enum exit_code command_status(const char *socket, bool json, bool nodes)
{
    static char text[SERIN_CONTROL_ANSWER_MAX];
    struct serin_json *status = NULL;
    enum exit_code code = ask(socket, "status", text, &status);
    if (code != EXIT_DONE) {
        return code;
    }
    if (json) {
        (void)printf("%s\n", text);
    } else {
        status_print(status);
    }
    serin_json_free(status);
    return nodes ? nodes_print(socket, json, text) : EXIT_DONE;
}

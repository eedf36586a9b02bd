/*
 * `serin audit list` and `serin audit head`: what serind did, and how far its log goes.
 */
#include "api.h"
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#define AUDIT_PAGE     500u
#define AUDIT_PAUSE_MS 1000u

/* "2026-01-31T12:00:00Z serind rollout 3: halted: …" */
static void print_line(const struct serin_cli *cli, const struct serin_json *line)
{
    uint64_t rollout = serin_cli_count(line, "rollout");
    const char *device = serin_cli_member(line, "device");
    const char *topic = serin_cli_member(line, "topic");

    serin_cli_print(cli, "%s", serin_cli_colour(cli, SERIN_CLI_DIM));
    serin_cli_print_foreign(cli, serin_cli_member(line, "time"), 24);
    serin_cli_print(cli, "%s ", serin_cli_colour(cli, SERIN_CLI_PLAIN));
    serin_cli_print_foreign(cli, serin_cli_member(line, "actor"), 9);
    serin_cli_print_foreign(cli, serin_cli_member(line, "what"), 0);
    if (rollout > 0) {
        serin_cli_print(cli, " %llu", (unsigned long long)rollout);
    }
    if (device[0] != '\0') {
        serin_cli_print(cli, " ");
        serin_cli_print_foreign(cli, device, 0);
    }
    if (topic[0] != '\0') {
        serin_cli_print(cli, " ");
        serin_cli_print_foreign(cli, topic, 0);
    }
    serin_cli_print(cli, ": ");
    serin_cli_print_foreign(cli, serin_cli_member(line, "text"), 0);
    serin_cli_print(cli, "\n");
}

static void print_page(const struct serin_cli *cli, const struct serin_json *lines)
{
    for (size_t i = 0; i < serin_json_count(lines); i++) {
        const struct serin_json *line = serin_json_at(lines, i);
        if (cli->json) {
            char *text = serin_json_print(line, NULL);
            serin_cli_print(cli, "%s\n", text);
            free(text);
        } else {
            print_line(cli, line);
        }
    }
    (void)fflush(cli->world->out);
}

enum serin_cli_exit serin_cli_run_audit_list(struct serin_cli *cli)
{
    bool follow = serin_cli_has(cli, "follow");
    enum serin_cli_exit exit = SERIN_CLI_DONE;
    uint64_t after = 0;
    bool more = true;

    while (more && exit == SERIN_CLI_DONE) {
        struct serin_cli_answer answer;
        char path[128];
        (void)snprintf(path, sizeof(path), "/v1/audit?after=%llu&limit=%u",
                       (unsigned long long)after, AUDIT_PAGE);
        exit = serin_cli_get(cli, path, &answer);
        if (exit == SERIN_CLI_DONE) {
            const struct serin_json *lines = serin_json_get(answer.json, "lines");
            print_page(cli, lines);
            after = serin_cli_count(answer.json, "next");
            more = serin_json_count(lines) > 0;
        }
        serin_cli_answer_close(&answer);
        if (follow && exit == SERIN_CLI_DONE && !more) {
            cli->world->pause_ms(AUDIT_PAUSE_MS);
            more = true;
        }
    }
    return exit;
}

enum serin_cli_exit serin_cli_run_audit_head(struct serin_cli *cli)
{
    struct serin_cli_answer answer;
    enum serin_cli_exit exit = serin_cli_get(cli, "/v1/audit/head", &answer);

    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        serin_cli_print_foreign(cli, serin_cli_member(answer.json, "head"), 0);
        serin_cli_print(cli, "\n");
    }
    serin_cli_answer_close(&answer);
    return exit;
}

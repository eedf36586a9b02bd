/*
 * `serin rollout watch`: a rollout, live until it ends.
 *
 * On a terminal a picture that is drawn again in place; elsewhere a line for each change, in JSON a
 * line of JSON for each.
 */
#include "commands.h"
#include "format.h"
#include "rollouts.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS      500u
#define PATIENCE_MAX 120u /* polls without an answer: a minute, in which serind may restart */
#define DIGEST_SIZE  512u

/* What counts as a change: everything but the seconds of the soak. */
static void digest(const struct serin_json *rollout, char out[DIGEST_SIZE])
{
    static const char *const counts[] = {"offered",  "accepted",  "confirmed", "failed",
                                         "rejected", "unreached", "regressed", "other"};
    const struct serin_json *tally = serin_json_get(rollout, "tally");
    int used = snprintf(
        out, DIGEST_SIZE, "%.40s|%.160s|%llu|%llu|%llu|%llu|%llu|%d%d",
        serin_cli_member(rollout, "state"), serin_cli_member(rollout, "why"),
        (unsigned long long)serin_cli_count(rollout, "stage"),
        (unsigned long long)serin_cli_count(rollout, "target"),
        (unsigned long long)serin_cli_count(rollout, "population"),
        (unsigned long long)serin_cli_count(rollout, "publishes"),
        (unsigned long long)serin_cli_count(serin_json_get(rollout, "ramp"), "reached"),
        serin_cli_truth(rollout, "closed") ? 1 : 0, serin_cli_truth(rollout, "approved") ? 1 : 0);

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        used += snprintf(out + used, DIGEST_SIZE - (size_t)used, "|%llu",
                         (unsigned long long)serin_cli_count(tally, counts[i]));
    }
}

struct watch {
    unsigned lines; /* of the picture that stands on the terminal */
    char last[DIGEST_SIZE];
};

static void show(const struct serin_cli *cli, struct watch *watch,
                 const struct serin_cli_answer *answer)
{
    char now[DIGEST_SIZE];
    bool picture = cli->world->out_terminal && !cli->json;

    digest(answer->json, now);
    bool changed = strcmp(now, watch->last) != 0;
    memcpy(watch->last, now, sizeof(now));
    if (picture) {
        /* Back to the first line of the last picture, then erase to the end of the screen. */
        if (watch->lines > 0) {
            serin_cli_print(cli, "\x1b[%uA\r\x1b[J", watch->lines);
        }
        watch->lines = serin_cli_rollout_print(cli, answer->json);
    } else if (changed && !serin_cli_printed(cli, answer)) {
        serin_cli_rollout_line(cli, answer->json);
    }
    (void)fflush(cli->world->out);
}

enum serin_cli_exit serin_cli_run_rollout_watch(struct serin_cli *cli)
{
    struct watch watch = {.lines = 0};
    struct serin_cli_request request = {.method = "GET", .quiet = true};
    enum serin_cli_exit exit = SERIN_CLI_DONE;
    unsigned silent = 0;
    bool over = false;
    char path[128];

    if (!serin_cli_rollout_path(cli, "", path, sizeof(path))) {
        return SERIN_CLI_USAGE;
    }
    request.path = path;
    while (!over) {
        struct serin_cli_answer answer = {.text = NULL};
        /* The first answer must come; later silence may be a restart of serind. */
        request.quiet = watch.last[0] != '\0' && silent < PATIENCE_MAX;
        exit = serin_cli_ask(cli, &request, &answer);
        if (exit == SERIN_CLI_DONE) {
            silent = 0;
            show(cli, &watch, &answer);
            over = serin_cli_rollout_over(serin_cli_member(answer.json, "state"), &exit);
        } else if (exit == SERIN_CLI_UNREACHABLE && request.quiet) {
            silent++;
        } else {
            over = true;
        }
        serin_cli_answer_close(&answer);
        if (!over) {
            cli->world->pause_ms(POLL_MS);
        }
    }
    return exit;
}

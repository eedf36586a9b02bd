/*
 * What a rollout looks like (rollouts.h).
 */
#include "format.h"
#include "rollouts.h"

#include <stdlib.h>
#include <string.h>

bool serin_cli_rollout_over(const char *state, enum serin_cli_exit *exit)
{
    static const struct {
        const char *state;
        enum serin_cli_exit exit;
    } ends[] = {{"completed", SERIN_CLI_DONE},
                {"halted", SERIN_CLI_REFUSED},
                {"aborted", SERIN_CLI_REFUSED},
                {"superseded", SERIN_CLI_REFUSED}};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (strcmp(state, ends[i].state) == 0) {
            *exit = ends[i].exit;
            return true;
        }
    }
    return false;
}

/* "10 %" or "5 devices": what the policy says of a stage. */
static void share_text(const struct serin_json *stage, char *out, size_t size)
{
    double percent = 0;

    if (serin_json_as_real(serin_json_get(stage, "percent"), &percent) && percent > 0) {
        (void)snprintf(out, size, "%g %%", percent);
    } else {
        (void)snprintf(out, size, "count");
    }
}

/* Whether the ramp is below what the stage covers in the end; then how far it has got. */
static bool on_ramp(const struct serin_json *rollout, uint64_t *reached, uint64_t *target)
{
    const struct serin_json *ramp = serin_json_get(rollout, "ramp");

    *reached = serin_cli_count(ramp, "reached");
    *target = serin_cli_count(ramp, "target");
    return *reached < *target;
}

/* The stage that is under way. */
static void print_current(const struct serin_cli *cli, const struct serin_json *rollout,
                          uint64_t devices)
{
    const struct serin_json *tally = serin_json_get(rollout, "tally");
    const char *state = serin_cli_member(rollout, "state");
    uint64_t confirmed = serin_cli_count(tally, "confirmed");
    uint64_t failed = serin_cli_count(tally, "failed") + serin_cli_count(tally, "rejected");
    uint64_t left = serin_cli_count(rollout, "soak_left_s");
    uint64_t reached = 0;
    uint64_t target = 0;
    char text[SERIN_CLI_SHORT_SIZE];

    serin_cli_print_bar(cli, confirmed, devices, serin_cli_state_colour(state));
    serin_cli_print(cli, " %llu confirmed", (unsigned long long)confirmed);
    if (failed > 0) {
        serin_cli_print(cli, ", %s%llu failed%s", serin_cli_colour(cli, SERIN_CLI_BAD),
                        (unsigned long long)failed, serin_cli_colour(cli, SERIN_CLI_PLAIN));
    }
    if (on_ramp(rollout, &reached, &target)) {
        serin_cli_print(cli, ", step %llu/%llu", (unsigned long long)reached,
                        (unsigned long long)target);
    }
    if (strcmp(state, "soaking") == 0) {
        serin_cli_format_seconds(left, text);
        serin_cli_print(cli, ", soaking for another %s", text);
    } else if (strcmp(state, "awaiting") == 0 && serin_cli_truth(rollout, "held")) {
        serin_cli_print(cli, ", held: waits for more evidence; 'serin rollout advance' goes on "
                             "without it, 'serin rollout halt' or 'abort' ends it");
    } else if (strcmp(state, "paused") == 0) {
        serin_cli_print(cli, ", 'serin rollout resume' goes on, 'halt' or 'abort' ends it");
    } else if (serin_cli_truth(rollout, "closed")) {
        serin_cli_print(cli, ", outside of its windows");
    }
}

/* What the next stage waits for, where that is not the evidence on the present one; "": nothing of
 * that. */
static const char *next_waits(const struct serin_json *rollout)
{
    const struct serin_json *stages = serin_json_get(rollout, "stages");
    const struct serin_json *next = serin_json_at(stages, serin_cli_count(rollout, "stage"));

    if (strcmp(serin_cli_member(rollout, "state"), "awaiting") != 0 ||
        serin_cli_truth(rollout, "held")) {
        return "";
    }
    if (serin_cli_truth(rollout, "approved")) {
        return "approved, opens as soon as its start and windows allow";
    }
    if (serin_cli_truth(next, "approval")) {
        return "waits for 'serin rollout advance'";
    }
    bool hours =
        serin_cli_truth(rollout, "closed") || serin_cli_member(rollout, "next_edge")[0] != '\0';
    return hours ? "waits for its start or a window" : "";
}

/* A stage's share; of the present one all that were offered it, where they are more: in place of
 * silent devices, or so that not all stand behind one gateway. */
static uint64_t stage_devices(const struct serin_json *rollout, const struct serin_json *stage,
                              bool current)
{
    uint64_t offered = serin_cli_count(serin_json_get(rollout, "tally"), "offered");
    uint64_t share = serin_cli_count(stage, "devices");

    return current && offered > share ? offered : share;
}

static void print_stage(const struct serin_cli *cli, const struct serin_json *rollout,
                        const struct serin_json *stage, uint64_t number, uint64_t current)
{
    uint64_t devices = stage_devices(rollout, stage, number == current);
    bool completed = strcmp(serin_cli_member(rollout, "state"), "completed") == 0;
    char share[32];

    share_text(stage, share, sizeof(share));
    serin_cli_print(cli, "  %2llu  %8s  %7llu device%s  ", (unsigned long long)number, share,
                    (unsigned long long)devices, devices == 1 ? " " : "s");
    if (number < current || completed) {
        serin_cli_print_bar(cli, 1, 1, SERIN_CLI_GOOD);
        serin_cli_print(cli, " done");
    } else if (number == current) {
        print_current(cli, rollout, devices);
    } else {
        serin_cli_print_bar(cli, 0, 1, SERIN_CLI_DIM);
        const char *waits = number == current + 1 ? next_waits(rollout) : "";
        serin_cli_print(cli, "%s%s", waits[0] != '\0' ? " " : "", waits);
    }
    serin_cli_print(cli, "\n");
}

/* Without the state's word in front. */
static const char *told_why(const struct serin_json *rollout)
{
    const char *state = serin_cli_member(rollout, "state");
    const char *why = serin_cli_member(rollout, "why");
    size_t size = strlen(state);

    return size > 0 && strncmp(why, state, size) == 0 && strncmp(why + size, ": ", 2) == 0
               ? why + size + 2
               : why;
}

void serin_cli_rollout_why(const struct serin_json *rollout, char out[SERIN_CLI_WHY_SIZE])
{
    uint64_t by = serin_cli_count(rollout, "replaced_by");
    const char *waits = next_waits(rollout);

    (void)snprintf(out, SERIN_CLI_WHY_SIZE, "%s", told_why(rollout));
    if (out[0] != '\0') {
        return;
    }
    if (waits[0] != '\0') {
        (void)snprintf(out, SERIN_CLI_WHY_SIZE, "stage %llu %s",
                       (unsigned long long)serin_cli_count(rollout, "stage") + 1u, waits);
    } else if (strcmp(serin_cli_member(rollout, "state"), "superseded") == 0 && by != 0) {
        (void)snprintf(out, SERIN_CLI_WHY_SIZE, "rollout %llu took its place",
                       (unsigned long long)by);
    }
}

unsigned serin_cli_rollout_print(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const struct serin_json *stages = serin_json_get(rollout, "stages");
    const char *state = serin_cli_member(rollout, "state");
    char why[SERIN_CLI_WHY_SIZE];
    unsigned lines = 1;

    serin_cli_rollout_why(rollout, why);
    serin_cli_print(cli, "rollout %llu ", (unsigned long long)serin_cli_count(rollout, "id"));
    serin_cli_print_foreign(cli, serin_cli_member(rollout, "name"), 0);
    serin_cli_print(cli, " (");
    serin_cli_print_foreign(cli, serin_cli_member(rollout, "product"), 0);
    serin_cli_print(cli, "/");
    serin_cli_print_foreign(cli, serin_cli_member(rollout, "channel"), 0);
    serin_cli_print(cli, "): %s", serin_cli_colour(cli, serin_cli_state_colour(state)));
    serin_cli_print_foreign(cli, state, 0);
    serin_cli_print(cli, "%s\n", serin_cli_colour(cli, SERIN_CLI_PLAIN));
    if (why[0] != '\0') {
        serin_cli_print(cli, "  because ");
        serin_cli_print_foreign(cli, why, 0);
        serin_cli_print(cli, "\n");
        lines++;
    }
    for (size_t i = 0; i < serin_json_count(stages); i++, lines++) {
        print_stage(cli, rollout, serin_json_at(stages, i), i + 1,
                    serin_cli_count(rollout, "stage"));
    }
    return lines;
}

void serin_cli_rollout_line(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const struct serin_json *tally = serin_json_get(rollout, "tally");
    char why[SERIN_CLI_WHY_SIZE];
    uint64_t reached = 0;
    uint64_t target = 0;

    serin_cli_rollout_why(rollout, why);
    serin_cli_print_foreign(cli, serin_cli_member(rollout, "state"), 0);
    serin_cli_print(cli, " stage %llu/%zu, offered to %llu of %llu:",
                    (unsigned long long)serin_cli_count(rollout, "stage"),
                    serin_json_count(serin_json_get(rollout, "stages")),
                    (unsigned long long)serin_cli_count(tally, "offered"),
                    (unsigned long long)serin_cli_count(rollout, "population"));
    if (on_ramp(rollout, &reached, &target)) {
        serin_cli_print(cli, " step %llu/%llu,", (unsigned long long)reached,
                        (unsigned long long)target);
    }
    serin_cli_print(cli, " %llu accepted, %llu confirmed, %llu failed, %llu regressed",
                    (unsigned long long)serin_cli_count(tally, "accepted"),
                    (unsigned long long)serin_cli_count(tally, "confirmed"),
                    (unsigned long long)serin_cli_count(tally, "failed"),
                    (unsigned long long)serin_cli_count(tally, "regressed"));
    if (why[0] != '\0') {
        serin_cli_print(cli, "; ");
        serin_cli_print_foreign(cli, why, 0);
    }
    serin_cli_print(cli, "\n");
}

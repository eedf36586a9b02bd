/*
 * What a rollout is judged by, as `show` prints it (rollouts.h): how far the stage has got, the
 * sequential test, the gates, the control group, hours, and what a halt does.
 */
#include "rollouts.h"

#include <serin/cli/table.h>

#include <stdlib.h>
#include <string.h>

#define MORE_MAX 64 /* failures that serind tries: so many, or more */

typedef unsigned long long number;

static double real_of(const struct serin_json *object, const char *key)
{
    double value = 0;

    return serin_json_as_real(serin_json_get(object, key), &value) ? value : 0;
}

static const char *plural(number count)
{
    return count == 1 ? "" : "s";
}

/* Devices of the present stage by its share of the population; 0: not told. */
static number stage_share(const struct serin_json *rollout)
{
    uint64_t stage = serin_cli_count(rollout, "stage");

    return stage == 0 ? 0
                      : serin_cli_count(
                            serin_json_at(serin_json_get(rollout, "stages"), (size_t)stage - 1),
                            "devices");
}

/* How it ended, what that means for devices, and what may follow. */
static void print_end(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const char *ended = serin_cli_member(rollout, "ended");
    bool halted = strcmp(serin_cli_member(rollout, "state"), "halted") == 0;
    number id = serin_cli_count(rollout, "id");
    number by = serin_cli_count(rollout, "replaced_by");
    bool back = serin_cli_count(rollout, "reverted_by") != 0;

    if (ended[0] == '\0') {
        return;
    }
    serin_cli_print(cli, "  %s ", halted ? "halted" : "ended ");
    serin_cli_print_foreign(cli, ended, 0);
    serin_cli_print(cli, "%s%s\n", halted ? "; nobody else starts it" : "",
                    halted && !back ? ", and devices that confirmed stay on it" : "");
    if (by != 0) {
        serin_cli_print(cli, "  then   rollout %llu took its place\n", by);
    } else if (halted) {
        serin_cli_print(
            cli,
            "  next   a rollout of a corrected release, with 'from: %llu' to begin with "
            "the devices that this one touched;\n"
            "         'serin rollout abort %llu' withdraws it without another\n",
            id, id);
    }
}

static void print_ramp(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const struct serin_json *ramp = serin_json_get(rollout, "ramp");
    number reached = serin_cli_count(ramp, "reached");
    number target = serin_cli_count(ramp, "target");
    number flying = serin_cli_count(ramp, "in_flight");

    if (target > 0) {
        serin_cli_print(cli,
                        "  step   %llu of the stage's %llu device%s reached, %llu under way%s\n",
                        reached, target, plural(target), flying,
                        target < stage_share(rollout) ? "; silent and withdrawn ones apart" : "");
    }
}

/* "accepted: no, needs 85 more without a failure"; nothing is needed of one that is over. */
static void print_acceptance(const struct serin_cli *cli, const struct serin_json *rollout,
                             const struct serin_json *test)
{
    enum serin_cli_exit unused;
    bool over = serin_cli_rollout_over(serin_cli_member(rollout, "state"), &unused);
    number well = serin_cli_count(test, "stage_well");
    number need = serin_cli_count(test, "stage_need");

    if (serin_cli_truth(test, "accepted")) {
        serin_cli_print(cli, "accepted: yes\n");
    } else if (need > well && !over) {
        serin_cli_print(cli, "accepted: no, needs %llu more without a failure\n", need - well);
    } else {
        serin_cli_print(cli, "accepted: no\n");
    }
}

/* "3 more would halt it"; of a rollout that is over there is nothing to say. */
static void print_more(const struct serin_cli *cli, const struct serin_json *rollout,
                       const struct serin_json *test)
{
    number more = serin_cli_count(test, "more_failures");
    enum serin_cli_exit unused;

    if (serin_cli_rollout_over(serin_cli_member(rollout, "state"), &unused) ||
        serin_json_get(test, "more_failures") == NULL) {
        return;
    }
    if (more == 0) {
        serin_cli_print(cli, "as many as halt it; ");
    } else {
        serin_cli_print(cli, "%llu%s more would halt it; ", more, more >= MORE_MAX ? " or" : "");
    }
}

static void print_test(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const struct serin_json *test = serin_json_get(rollout, "test");
    number failed = serin_cli_count(test, "failed");
    number excused = serin_cli_count(test, "excused");
    double reject_at = real_of(test, "reject_at");

    if (!serin_json_is_object(test)) {
        return;
    }
    serin_cli_print(cli, "  test   %llu failure%s of %llu resolved; ", failed, plural(failed),
                    (number)serin_cli_count(test, "resolved"));
    print_more(cli, rollout, test);
    print_acceptance(cli, rollout, test);
    if (excused > 0) {
        serin_cli_print(cli, "         of the failures %llu timed out in a dark network: excused\n",
                        excused);
    }
    serin_cli_print(cli, "         %g %% against %g %%: evidence %.2f of the %.2f that halt\n",
                    real_of(test, "accepted_percent"), real_of(test, "rejected_percent"),
                    real_of(test, "against") > 0 ? real_of(test, "against") : 0.0, reject_at);
}

static void print_comparison(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const struct serin_json *made = serin_json_get(rollout, "comparison");

    if (serin_cli_count(made, "updated") == 0 && serin_cli_count(made, "control") == 0) {
        return; /* not made yet, or of nobody whose past is known */
    }
    serin_cli_print(cli, "  beats  updated: %llu of %llu silent, %llu with more errors; ",
                    (number)serin_cli_count(made, "updated_silent"),
                    (number)serin_cli_count(made, "updated"),
                    (number)serin_cli_count(made, "updated_unwell"));
    serin_cli_print(cli, "control: %llu of %llu silent, %llu with more errors\n",
                    (number)serin_cli_count(made, "control_silent"),
                    (number)serin_cli_count(made, "control"),
                    (number)serin_cli_count(made, "control_unwell"));
    serin_cli_print(cli,
                    "         such a control group would show %g %% silent and %g %% with more "
                    "errors; compared ",
                    real_of(made, "expected_silent_percent"),
                    real_of(made, "expected_unwell_percent"));
    serin_cli_print_foreign(cli, serin_cli_member(made, "time"), 0);
    serin_cli_print(cli, "\n");
}

static void print_hours(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const char *edge = serin_cli_member(rollout, "next_edge");
    bool waits = strcmp(serin_cli_member(rollout, "state"), "awaiting") == 0 &&
                 serin_cli_count(rollout, "stage") == 0 &&
                 serin_cli_member(rollout, "start")[0] != '\0';

    if (edge[0] == '\0') {
        return;
    }
    serin_cli_print(cli, "  hours  %s ",
                    waits                                ? "not before"
                    : serin_cli_truth(rollout, "closed") ? "closed, the next window opens"
                                                         : "open until");
    serin_cli_print_foreign(cli, waits ? serin_cli_member(rollout, "start") : edge, 0);
    serin_cli_print(cli, "\n");
}

static void print_on_halt(const struct serin_cli *cli, const struct serin_json *rollout)
{
    const char *why = serin_cli_member(rollout, "revert_why");
    number by = serin_cli_count(rollout, "reverted_by");

    if (strcmp(serin_cli_member(rollout, "on_halt"), "revert") != 0) {
        return;
    }
    serin_cli_print(cli, "  halt   ");
    if (by != 0) {
        serin_cli_print(cli,
                        "reverted: rollout %llu takes its devices back, in this one's stages; "
                        "'serin rollout advance %llu' skips a soak\n",
                        by, by);
    } else if (why[0] != '\0') {
        serin_cli_print(cli, "not reverted: ");
        serin_cli_print_foreign(cli, why, 0);
        serin_cli_print(cli, "\n");
    } else {
        serin_cli_print(cli, "takes the devices back to the stable release\n");
    }
}

static void add_gate(struct serin_cli_grid *grid, const struct serin_json *gate)
{
    number bad = serin_cli_count(gate, "bad");
    number of = serin_cli_count(gate, "of");
    double limit = real_of(gate, "max_percent");
    const char *name = serin_cli_member(gate, "gate");
    /* The one gate that a policy says the other way round: shown as it stands there. */
    bool least = strcmp(name, "boot_success") == 0;

    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, name);
    bad = least && bad <= of ? of - bad : bad;
    serin_cli_grid_format(grid, "%llu of %llu", bad, of);
    if (of > 0) {
        serin_cli_grid_format(grid, "%.2f %%", 100.0 * (double)bad / (double)of);
    } else {
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, NULL);
    }
    if (limit >= 100) {
        serin_cli_grid_cell(grid, SERIN_CLI_DIM, "off");
    } else {
        serin_cli_grid_format(grid, least ? "min %g %%" : "%g %%", least ? 100 - limit : limit);
    }
    serin_cli_grid_format(grid, "%llu", (number)serin_cli_count(gate, "minimum"));
}

static void print_gates(const struct serin_cli *cli, const struct serin_json *rollout)
{
    static const struct serin_cli_column columns[] = {{.title = "GATE"},
                                                      {.title = "DEVICES", .right = true},
                                                      {.title = "SHARE", .right = true},
                                                      {.title = "LIMIT", .right = true},
                                                      {.title = "FROM", .right = true}};
    const struct serin_json *gates = serin_json_get(rollout, "gates");

    if (serin_json_count(gates) == 0) {
        return;
    }
    serin_cli_print(cli, "\n");
    struct serin_cli_grid *grid = serin_cli_grid_open(columns, 5);
    for (size_t i = 0; i < serin_json_count(gates); i++) {
        add_gate(grid, serin_json_at(gates, i));
    }
    serin_cli_grid_print(cli, grid);
}

void serin_cli_rollout_judge(const struct serin_cli *cli, const struct serin_json *rollout)
{
    print_end(cli, rollout);
    print_ramp(cli, rollout);
    print_test(cli, rollout);
    print_comparison(cli, rollout);
    print_hours(cli, rollout);
    print_on_halt(cli, rollout);
    print_gates(cli, rollout);
}

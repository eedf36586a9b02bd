/*
 * `serin simulate`: a rollout by the operator's own policy, over a whole fleet, in one program and
 * in simulated time, before anything is sent.
 */
#include "simulate.h"

#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A word of a rollout's state, or INVALID. */
static enum serin_rollout_state state_of(const char *word)
{
    for (int i = 1; i < SERIN_ROLLOUT_STATE_COUNT; i++) {
        if (strcmp(word, serin_rollout_state_text((enum serin_rollout_state)i)) == 0) {
            return (enum serin_rollout_state)i;
        }
    }
    return SERIN_ROLLOUT_INVALID;
}

static enum serin_cli_exit expect_check(const struct serin_cli *cli)
{
    const char *word = serin_cli_text(cli, "expect");

    if (word != NULL && state_of(word) == SERIN_ROLLOUT_INVALID) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "--expect takes a state of a rollout, such as completed or halted, "
                              "not '%s'",
                              word);
    }
    return SERIN_CLI_DONE;
}

static double wall_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* On the side, and only where it is asked for: the result itself is the same each time. */
static void cost_note(const struct serin_cli_simulation *simulation, double seconds)
{
    const struct serin_sim_result *result = &simulation->result;

    if (serin_cli_has(simulation->cli, "verbose")) {
        serin_cli_note(simulation->cli,
                       "%.2f s, %llu events, %.0f a second, %llu verifications of which %llu were "
                       "remembered",
                       seconds, (unsigned long long)result->events,
                       seconds > 0 ? (double)result->events / seconds : 0,
                       (unsigned long long)result->verifications,
                       (unsigned long long)result->remembered);
    }
}

static enum serin_cli_exit verdict(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_result *result = &simulation->result;
    const char *expected = serin_cli_text(cli, "expect");

    if (result->broken != SERIN_SIM_SOUND) {
        return serin_cli_fail(cli, SERIN_CLI_BREACH, "an invariant broke: %s",
                              serin_sim_invariant_text(result->broken));
    }
    if (expected != NULL && state_of(expected) != result->state) {
        char replay[SERIN_CLI_REPLAY_SIZE];
        serin_cli_simulation_replay(simulation, replay);
        return serin_cli_fail(cli, SERIN_CLI_REFUSED, "the rollout is %s, not %s; again: %s",
                              serin_rollout_state_text(result->state), expected, replay);
    }
    if (expected != NULL && result->state == SERIN_ROLLOUT_COMPLETED && result->unreached > 0) {
        serin_cli_note(cli, "completed, but %s", result->why);
    }
    return SERIN_CLI_DONE;
}

static enum serin_cli_exit simulate(struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const char *field = NULL;
    double began = wall_s();

    enum serin_error error = serin_sim_run(&simulation->config, &simulation->result, &field);
    serin_cli_simulation_quiet(simulation);
    if (error == SERIN_ERR_INVALID) {
        return serin_cli_fail(cli, SERIN_CLI_INPUT, "this cannot be simulated: %s",
                              field != NULL ? field : serin_error_text(error));
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "the simulation failed: %s",
                              serin_error_text(error));
    }
    cost_note(simulation, wall_s() - began);
    if (cli->json) {
        serin_cli_simulation_print_json(simulation);
    } else {
        serin_cli_simulation_print(simulation);
    }
    enum serin_cli_exit exit = serin_cli_line_write(simulation);
    return exit == SERIN_CLI_DONE ? verdict(simulation) : exit;
}

enum serin_cli_exit serin_cli_run_simulate(struct serin_cli *cli)
{
    enum serin_cli_exit exit = expect_check(cli);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    /* Policy, scenario and configuration are too large for a stack. */
    struct serin_cli_simulation *simulation = calloc(1, sizeof(*simulation));
    if (simulation == NULL) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "memory is exhausted");
    }
    simulation->cli = cli;
    exit = serin_cli_simulation_open(simulation);
    if (exit == SERIN_CLI_DONE) {
        exit = simulate(simulation);
    }
    serin_cli_simulation_close(simulation);
    free(simulation);
    return exit;
}

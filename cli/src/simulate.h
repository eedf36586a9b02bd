/*
 * `serin simulate`: what its parts share. The outcome of a run is the same for the same inputs, so
 * nothing here knows the time, or what a run cost.
 */
#ifndef SERIN_CLI_SIMULATE_H
#define SERIN_CLI_SIMULATE_H

#include <serin/adapters/keys.h>
#include <serin/adapters/policy.h>
#include <serin/adapters/scenario.h>
#include <serin/cli/cli.h>
#include <serin/sim/sim.h>

#include <stdio.h>

/* A stage as it went by, in simulated ms since the start; 0: did not come to that (a stage that
 * opens at the start has `opened` too). */
struct serin_cli_stage {
    bool opened;
    uint64_t opened_ms, soaking_ms, ended_ms;
    uint32_t target; /* devices that it covers */
    /* Over all stages: when it ended, or with the rollout, or at the end of the run. */
    uint32_t exposed, confirmed, failed;
    /* The same when the audit log had something to say of this stage, the last time. */
    uint32_t told_exposed, told_confirmed, told_failed;
};

/* The stages of one rollout. */
struct serin_cli_course {
    uint32_t count;
    struct serin_cli_stage stages[SERIN_STAGES_MAX];
};

enum serin_cli_simulate_key { SERIN_CLI_KEY_ROOT, SERIN_CLI_KEY_RELEASE, SERIN_CLI_KEY_DIRECTOR };

struct serin_cli_simulation {
    struct serin_cli *cli;
    struct serin_policy_file policy;
    struct serin_scenario_file scenario; /* document NULL: there is no file */
    struct serin_key_signer *keys[3];    /* by enum serin_cli_simulate_key */
    struct serin_signer signers[3];
    uint32_t image_size;
    struct serin_sim_config config;
    struct serin_sim_result result;
    struct serin_cli_course course;
    struct serin_cli_course revert; /* of the rollout that takes devices back after a halt */
    FILE *line;                     /* the time line, in memory; NULL: none is asked for */
    char *line_text;
    size_t line_size;
    bool progress_shown;
};

/* ---- what goes in (simulate_setup.c) ---- */

/* Reads policy, scenario and options, makes keys, fills `config`. Complains; closes nothing. */
enum serin_cli_exit serin_cli_simulation_open(struct serin_cli_simulation *simulation);
void serin_cli_simulation_close(struct serin_cli_simulation *simulation);

/* ---- what happens (simulate_watch.c) ---- */

/* The callbacks of the configuration; `ctx` is the simulation. */
void serin_cli_simulation_moment(void *ctx, const struct serin_sim_moment *moment);
void serin_cli_simulation_progress(void *ctx, const struct serin_sim_moment *moment);
/* Takes the progress line away. */
void serin_cli_simulation_quiet(struct serin_cli_simulation *simulation);
/* Begins the time line, where one is asked for. Complains where its file is something else, or
 * cannot be written: before the run, which may take its time. */
enum serin_cli_exit serin_cli_line_open(struct serin_cli_simulation *simulation);
/* Writes the time line to its file, whole or not at all. */
enum serin_cli_exit serin_cli_line_write(struct serin_cli_simulation *simulation);

/* ---- what comes out (simulate_view.c, simulate_json.c, simulate_replay.c) ---- */

#define SERIN_CLI_REPLAY_SIZE 4096u
/* The command that runs the same again. */
void serin_cli_simulation_replay(const struct serin_cli_simulation *simulation,
                                 char text[SERIN_CLI_REPLAY_SIZE]);
void serin_cli_simulation_print(const struct serin_cli_simulation *simulation);
void serin_cli_simulation_print_json(const struct serin_cli_simulation *simulation);

#define SERIN_CLI_IGNORED_SIZE 48u
/* The keys of the policy that have no meaning in a simulation: "from, start"; "" where none is set.
 */
void serin_cli_simulation_ignored(const struct serin_cli_simulation *simulation,
                                  char text[SERIN_CLI_IGNORED_SIZE]);

#endif

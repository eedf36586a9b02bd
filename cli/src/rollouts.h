/*
 * Showing a rollout, shared by `show` and `watch`.
 */
#ifndef SERIN_CLI_ROLLOUTS_H
#define SERIN_CLI_ROLLOUTS_H

#include "api.h"

/* The path of a rollout's API with `verb` ("" or "/halt") behind; false and a complaint where the
 * operand is no number. */
bool serin_cli_rollout_path(const struct serin_cli *cli, const char *verb, char *path, size_t size);

/* Whether a rollout in `state` has ended, and how that exits: 0 completed, 4 otherwise. */
bool serin_cli_rollout_over(const char *state, enum serin_cli_exit *exit);

/* Prints name, state and stages with their progress; returns how many lines. */
unsigned serin_cli_rollout_print(const struct serin_cli *cli, const struct serin_json *rollout);

/* Why the rollout is in its state, without the state's word in front, which is printed beside it,
 * or what it waits for, or what took its place; "" where nothing of that is told. */
#define SERIN_CLI_WHY_SIZE 512u
void serin_cli_rollout_why(const struct serin_json *rollout, char out[SERIN_CLI_WHY_SIZE]);

/* Prints how it ended and what may follow, and what it is judged by: the step of its ramp, the
 * sequential test, gates, control group, hours, and what a halt does. An older serind tells nothing
 * of them, and nothing is printed. */
void serin_cli_rollout_judge(const struct serin_cli *cli, const struct serin_json *rollout);

/* One line: state, stage and tally. */
void serin_cli_rollout_line(const struct serin_cli *cli, const struct serin_json *rollout);

#endif

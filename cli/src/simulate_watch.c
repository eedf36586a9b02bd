/*
 * What is seen of a simulation while it runs: the stages, the time line, and on a terminal a line
 * that tells how far it is.
 */
#include "file.h"
#include "format.h"
#include "simulate.h"

#include <stdlib.h>
#include <string.h>

#define BAR_WIDTH 20u
#define LINE_HEAD                                                                           \
    "time_s,state,stage,offered,exposed,trial,running,confirmed,failed,rejected,regressed," \
    "unreached,cloud_bytes,text\n"

/* ---- stages ---- */

static bool is_over(enum serin_rollout_state state)
{
    return state == SERIN_ROLLOUT_HALTED || state == SERIN_ROLLOUT_COMPLETED ||
           state == SERIN_ROLLOUT_ABORTED || state == SERIN_ROLLOUT_SUPERSEDED;
}

static void stage_note(struct serin_cli_simulation *simulation,
                       const struct serin_sim_moment *moment)
{
    const struct serin_rollout *rollout = moment->rollout;

    if (rollout->stage == 0 || rollout->stage > SERIN_STAGES_MAX ||
        (is_over(rollout->state) && simulation->stage_count == 0)) {
        return;
    }
    /* A step opens at most one stage, but a moment may come after several steps. */
    while (simulation->stage_count < rollout->stage) {
        if (simulation->stage_count > 0) {
            simulation->stages[simulation->stage_count - 1].ended_ms = moment->at_ms;
        }
        simulation->stages[simulation->stage_count++] =
            (struct serin_cli_stage){.opened = true, .opened_ms = moment->at_ms};
    }
    struct serin_cli_stage *stage = &simulation->stages[simulation->stage_count - 1];
    stage->target = rollout->target;
    stage->exposed = moment->exposed;
    stage->confirmed = rollout->tally.confirmed;
    stage->failed = rollout->tally.failed + rollout->tally.rejected;
    if (rollout->state == SERIN_ROLLOUT_SOAKING && stage->soaking_ms == 0) {
        stage->soaking_ms = moment->at_ms;
    }
    if (is_over(rollout->state) && stage->ended_ms == 0) {
        stage->ended_ms = moment->at_ms;
    }
}

/* ---- the time line ---- */

/* RFC 4180: quoted, quotes doubled. */
static void line_text(FILE *line, const char *text)
{
    (void)fputc('"', line);
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            (void)fputc('"', line);
        }
        (void)fputc((unsigned char)*text < 0x20 ? ' ' : *text, line);
    }
    (void)fputc('"', line);
}

static void line_add(FILE *line, const struct serin_sim_moment *moment)
{
    const struct serin_rollout *rollout = moment->rollout;
    const struct serin_tally *tally = &rollout->tally;

    (void)fprintf(line, "%llu.%03u,%s,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%llu,",
                  (unsigned long long)(moment->at_ms / 1000), (unsigned)(moment->at_ms % 1000),
                  serin_rollout_state_text(rollout->state), (unsigned)rollout->stage,
                  (unsigned)tally->offered, (unsigned)moment->exposed, (unsigned)moment->trial,
                  (unsigned)moment->running, (unsigned)tally->confirmed, (unsigned)tally->failed,
                  (unsigned)tally->rejected, (unsigned)tally->regressed, (unsigned)tally->unreached,
                  (unsigned long long)moment->cloud_bytes);
    if (moment->text != NULL) {
        line_text(line, moment->text);
    }
    (void)fputc('\n', line);
}

enum serin_cli_exit serin_cli_line_open(struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const char *path = serin_cli_text(cli, "timeline");

    if (path == NULL) {
        return SERIN_CLI_DONE;
    }
    if (serin_cli_exists(path) && !serin_cli_begins_with(path, "time_s,state,")) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                              "%s is there and is no time line; it is not replaced", path);
    }
    simulation->line = open_memstream(&simulation->line_text, &simulation->line_size);
    if (simulation->line == NULL || fputs(LINE_HEAD, simulation->line) < 0) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "memory is exhausted");
    }
    return SERIN_CLI_DONE;
}

enum serin_cli_exit serin_cli_line_write(struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;

    if (simulation->line == NULL) {
        return SERIN_CLI_DONE;
    }
    bool whole = ferror(simulation->line) == 0;
    whole = fclose(simulation->line) == 0 && whole;
    simulation->line = NULL;
    if (!whole) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "memory is exhausted");
    }
    return serin_cli_write(cli, serin_cli_text(cli, "timeline"),
                           (const uint8_t *)simulation->line_text, simulation->line_size, true);
}

/* ---- callbacks ---- */

void serin_cli_simulation_moment(void *ctx, const struct serin_sim_moment *moment)
{
    struct serin_cli_simulation *simulation = ctx;

    stage_note(simulation, moment);
    if (simulation->line != NULL) {
        line_add(simulation->line, moment);
    }
}

void serin_cli_simulation_progress(void *ctx, const struct serin_sim_moment *moment)
{
    struct serin_cli_simulation *simulation = ctx;
    const struct serin_rollout *rollout = moment->rollout;
    char time[SERIN_CLI_SHORT_SIZE], bar[BAR_WIDTH + 1];
    uint64_t done = (uint64_t)moment->exposed * BAR_WIDTH / simulation->config.devices;

    serin_cli_format_seconds(moment->at_ms / 1000, time);
    memset(bar, '-', BAR_WIDTH);
    memset(bar, '#', done < BAR_WIDTH ? (size_t)done : BAR_WIDTH);
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(simulation->cli->world->err,
                  "\r%9s [%s] %s, stage %u/%zu: %u exposed, %u confirmed, %u failed\x1b[K", time,
                  bar, serin_rollout_state_text(rollout->state), (unsigned)rollout->stage,
                  rollout->policy.stage_count, (unsigned)moment->exposed,
                  (unsigned)rollout->tally.confirmed,
                  (unsigned)(rollout->tally.failed + rollout->tally.rejected));
    (void)fflush(simulation->cli->world->err);
    simulation->progress_shown = true;
}

void serin_cli_simulation_quiet(struct serin_cli_simulation *simulation)
{
    if (simulation->progress_shown) {
        (void)fprintf(simulation->cli->world->err, "\r\x1b[K");
        (void)fflush(simulation->cli->world->err);
        simulation->progress_shown = false;
    }
}

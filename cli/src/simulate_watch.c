/*
 * What is seen of a simulation while it runs: the stages, the time line, and on a terminal a line
 * that tells how far it is.
 */
#include "file.h"
#include "format.h"
#include "simulate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAR_WIDTH 20u
#define LINE_MAGIC \
    "time_s,rollout," /* and "time_s,state,", as it was before there was a column more */
#define LINE_HEAD                                                                               \
    LINE_MAGIC "state,stage,offered,exposed,trial,running,confirmed,failed,rejected,regressed," \
               "unreached,cloud_bytes,text\n"

/* ---- stages ---- */

static bool is_over(enum serin_rollout_state state)
{
    return state == SERIN_ROLLOUT_HALTED || state == SERIN_ROLLOUT_COMPLETED ||
           state == SERIN_ROLLOUT_ABORTED || state == SERIN_ROLLOUT_SUPERSEDED;
}

/* The figures that the time line has at this moment, which is after all that was done at once. */
static void stage_count(struct serin_cli_stage *stage, const struct serin_sim_moment *moment)
{
    const struct serin_tally *tally = &moment->rollout->tally;

    stage->exposed = moment->rollout->policy.revert ? tally->accepted : moment->exposed;
    stage->confirmed = tally->confirmed;
    stage->failed = tally->failed + tally->rejected;
    if (moment->text != NULL) {
        stage->told_exposed = stage->exposed;
        stage->told_confirmed = stage->confirmed;
        stage->told_failed = stage->failed;
    }
}

/* The next stage is open. On the way back it covers many at once that run the stable release
 * already, and count with the moment, but not with this stage. */
static void stage_end(struct serin_cli_stage *stage, const struct serin_sim_moment *moment)
{
    stage->ended_ms = moment->at_ms;
    if (moment->rollout->policy.revert) {
        stage->exposed = stage->told_exposed;
        stage->confirmed = stage->told_confirmed;
        stage->failed = stage->told_failed;
    } else {
        stage_count(stage, moment);
    }
}

/* The row of the stage that the rollout is in: stages before it have ended by now, and one after it
 * was forgotten when serind came back with an older store. */
static struct serin_cli_stage *stage_of(struct serin_cli_course *course,
                                        const struct serin_sim_moment *moment)
{
    uint32_t stage = moment->rollout->stage;

    if (course->count > stage) {
        course->count = stage;
        course->stages[stage - 1].ended_ms = 0;
    }
    while (course->count < stage) {
        if (course->count > 0) {
            stage_end(&course->stages[course->count - 1], moment);
        }
        course->stages[course->count++] =
            (struct serin_cli_stage){.opened = true, .opened_ms = moment->at_ms};
    }
    return &course->stages[stage - 1];
}

static void stage_note(struct serin_cli_simulation *simulation,
                       const struct serin_sim_moment *moment)
{
    const struct serin_rollout *rollout = moment->rollout;
    struct serin_cli_course *course =
        rollout->policy.revert ? &simulation->revert : &simulation->course;

    if (rollout->stage == 0 || rollout->stage > SERIN_STAGES_MAX) {
        return;
    }
    struct serin_cli_stage *stage = stage_of(course, moment);
    bool over = is_over(rollout->state);
    if (over && stage->ended_ms > 0) {
        return; /* what comes in late is no longer this row's */
    }
    stage->target = rollout->target;
    stage_count(stage, moment);
    stage->ended_ms = over ? moment->at_ms : 0;
    if (rollout->state == SERIN_ROLLOUT_ROLLING) {
        stage->soaking_ms = 0; /* a retry, or an older store: it will soak anew */
    } else if (rollout->state == SERIN_ROLLOUT_SOAKING && stage->soaking_ms == 0) {
        stage->soaking_ms = moment->at_ms;
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
    bool made = rollout->state != SERIN_ROLLOUT_INVALID;

    (void)fprintf(line, "%llu.%03u,%llu,%s,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%llu,",
                  (unsigned long long)(moment->at_ms / 1000), (unsigned)(moment->at_ms % 1000),
                  made ? (unsigned long long)rollout->id : 1ull,
                  serin_rollout_state_text(made ? rollout->state : SERIN_ROLLOUT_CREATED),
                  (unsigned)rollout->stage, (unsigned)tally->offered, (unsigned)moment->exposed,
                  (unsigned)moment->trial, (unsigned)moment->running, (unsigned)tally->confirmed,
                  (unsigned)tally->failed, (unsigned)tally->rejected, (unsigned)tally->regressed,
                  (unsigned)tally->unreached, (unsigned long long)moment->cloud_bytes);
    if (moment->text != NULL) {
        line_text(line, moment->text);
    }
    (void)fputc('\n', line);
}

/* An empty file is nobody's loss. */
static bool line_replaceable(const char *path)
{
    struct stat info;

    return serin_cli_begins_with(path, LINE_MAGIC) ||
           serin_cli_begins_with(path, "time_s,state,") ||
           (stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 0);
}

/* The file is written beside its name first, so that it is the folder that must take it. */
static enum serin_cli_exit line_folder(const struct serin_cli *cli, const char *path)
{
    char folder[SERIN_CLI_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    if (size >= sizeof(folder)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "'%s' is too long", path);
    }
    memcpy(folder, path, size);
    folder[size] = '\0';
    return access(size > 0 ? folder : ".", W_OK | X_OK) == 0 ? SERIN_CLI_DONE
                                                             : serin_cli_fail_path(cli, path);
}

enum serin_cli_exit serin_cli_line_open(struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const char *path = serin_cli_text(cli, "timeline");

    if (path == NULL) {
        return SERIN_CLI_DONE;
    }
    if (serin_cli_exists(path) && !line_replaceable(path)) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                              "%s is there and is no time line; it is not replaced", path);
    }
    enum serin_cli_exit exit = line_folder(cli, path);
    if (exit != SERIN_CLI_DONE) {
        return exit;
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

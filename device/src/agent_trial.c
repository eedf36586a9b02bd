/* Staged, trial, confirmed, committed: the agent against the boot log (design decisions 5, 19 and
 * 20). */
#include "agent_internal.h"
#include "boot_state.h"

#include <string.h>

#define ELAPSE_STEP_MS 10000u
#define ENTRY_RETRY_MS 1000u  /* an entry that the log did not take */
#define ABANDON_MS     10000u /* for the log to take the end of a window */
#define ARMINGS_MAX    3u     /* before what does not verify counts as lost */

static const struct serin_boot *boot_of(const struct serin_agent *agent)
{
    return agent->config->boot;
}

static void ask_reset(struct serin_agent *agent)
{
    agent->stopped = true;
    agent->config->platform->reset(agent->config->platform_ctx);
}

/* Whether the boot log's trial, running or over, is of the current attempt. */
static bool of_current(const struct serin_agent *agent, const struct serin_boot_state *state)
{
    const struct serin_attempt_report *current = serin_attempt_current(agent);
    return current != NULL &&
           serin_bytes_equal(state->last_manifest_id, current->manifest_id, SERIN_SHA256_SIZE);
}

/* Whether what runs is the current attempt's image. */
static bool runs_current(const struct serin_agent *agent)
{
    const struct serin_attempt_report *current = serin_attempt_current(agent);
    return current != NULL &&
           serin_bytes_equal(current->manifest_id, agent->running.manifest_id, SERIN_SHA256_SIZE);
}

/* The end of a trial that the boot log knows and the account does not. */
static enum serin_error close_account(struct serin_agent *agent,
                                      const struct serin_boot_state *state)
{
    if (!of_current(agent, state) || (state->last_outcome != SERIN_STATE_CONFIRMED &&
                                      state->last_outcome != SERIN_STATE_ROLLED_BACK)) {
        /* The boot log was lost in between. What runs tells the outcome. */
        bool runs = runs_current(agent) && agent->confirmed;
        return serin_attempt_move(agent, runs ? SERIN_ATTEMPT_CONFIRM : SERIN_ATTEMPT_ROLL_BACK,
                                  runs ? SERIN_REASON_NONE : SERIN_REASON_INTERNAL, 0);
    }
    if (state->last_outcome == SERIN_STATE_CONFIRMED) {
        return serin_attempt_move(agent, SERIN_ATTEMPT_CONFIRM, SERIN_REASON_NONE, 0);
    }
    return serin_attempt_move(agent, SERIN_ATTEMPT_ROLL_BACK, state->last_reason,
                              (uint32_t)state->last_cause);
}

/* The log is due again after `wait_ms`, and at the window's end at the latest. */
static void next_entry(struct serin_agent *agent, uint32_t wait_ms)
{
    uint32_t left_ms = agent->wait_ms[SERIN_WAIT_WINDOW];
    agent->wait_ms[SERIN_WAIT_ELAPSE] = left_ms > 0 ? serin_earlier(wait_ms, left_ms) : wait_ms;
}

static void set_window(struct serin_agent *agent, uint32_t left_ms)
{
    agent->wait_ms[SERIN_WAIT_WINDOW] = left_ms;
    agent->wait_ms[SERIN_WAIT_ABANDON] = left_ms + ABANDON_MS;
}

/* The window of a trial runs from the agent's start on, by what the log tells of it. */
static void start_window(struct serin_agent *agent, const struct serin_boot_state *state)
{
    uint32_t left_s =
        state->window_s > state->elapsed_s ? (uint32_t)state->window_s - state->elapsed_s : 0;
    uint64_t gone_ms = agent->now_ms - agent->elapsed_to_ms;
    uint32_t left_ms = left_s * 1000u;
    agent->windowed = true;
    set_window(agent, left_ms > gone_ms ? left_ms - (uint32_t)gone_ms : 0);
    next_entry(agent, ELAPSE_STEP_MS);
}

/* Ends the trial that runs, or whose window is over. Where the log knows of none any more it is
 * lost: the bootloader then chooses among what is confirmed. Where it cannot be written, tries and
 * window are given once more at most, as the bootloader starts no trial that it cannot record. A
 * trial without a window waits for no log: it has no time. */
static enum serin_error abandon(struct serin_agent *agent)
{
    enum serin_error error = serin_boot_abandon(boot_of(agent), agent->trial_reason);
    bool late = serin_agent_over(agent, SERIN_WAIT_ABANDON);
    if (error == SERIN_ERR_FLASH && agent->windowed && !late) {
        next_entry(agent, ENTRY_RETRY_MS);
        return error;
    }
    serin_agent_fault_point(agent, "agent.abandoned");
    agent->trial = false;
    ask_reset(agent);
    return SERIN_OK;
}

/* Ends the window, and the trial with it: whether or not the log takes that at once, nothing
 * confirms it any more. */
static enum serin_error abandon_for(struct serin_agent *agent, enum serin_reason reason)
{
    if (!serin_agent_over(agent, SERIN_WAIT_WINDOW)) {
        set_window(agent, 0);
        agent->trial_reason = reason;
    }
    return abandon(agent);
}

/* Brings the account up to what the boot log tells. */
static enum serin_error settle_account(struct serin_agent *agent,
                                       const struct serin_boot_state *state)
{
    enum serin_state attempt = serin_attempt_state(agent);
    bool mine = of_current(agent, state);
    if (agent->trial) {
        if (attempt == SERIN_STATE_FAILED && mine) {
            return abandon_for(agent, SERIN_REASON_FLASH); /* it could not be disarmed in time */
        }
        return attempt == SERIN_STATE_STAGED && mine
                   ? serin_attempt_move(agent, SERIN_ATTEMPT_BOOTED, SERIN_REASON_NONE,
                                        state->tries_left)
                   : SERIN_OK;
    }
    if (state->phase != SERIN_BOOT_STEADY) {
        return SERIN_OK; /* abandoned: the next boot ends it */
    }
    enum serin_error error = SERIN_OK;
    bool over = state->last_outcome == SERIN_STATE_CONFIRMED ||
                state->last_outcome == SERIN_STATE_ROLLED_BACK;
    if (attempt == SERIN_STATE_STAGED && mine && over) {
        /* The image never came so far as to tell. */
        error = serin_attempt_move(agent, SERIN_ATTEMPT_BOOTED, SERIN_REASON_NONE, 0);
        attempt = serin_attempt_state(agent);
    } else if (serin_attempt_in_progress(attempt) && runs_current(agent)) {
        /* The old image has rotted, and what waited for its trial runs as the last resort: without
         * a trial, and so without a confirmation. */
        error = serin_attempt_move(agent, SERIN_ATTEMPT_FAIL, SERIN_REASON_BOOT_VERIFY, 0);
    }
    if (error == SERIN_OK && attempt == SERIN_STATE_TRIAL) {
        error = close_account(agent, state);
    }
    return error;
}

/* A trial that this boot should have run, or ended, and could not record. It is over: asking for
 * another reset would ask for ever where the log has worn out. Brings `state` up to date. */
static enum serin_error end_unrecorded(struct serin_agent *agent, struct serin_boot_state *state)
{
    bool waits = state->phase == SERIN_BOOT_STAGED && of_current(agent, state) &&
                 serin_attempt_state(agent) == SERIN_STATE_STAGED;
    enum serin_error error = serin_boot_end_trial(boot_of(agent), agent->info.cause);
    if (waits) {
        /* Whether or not it is disarmed already: serind need not wait for that. */
        enum serin_error told =
            serin_attempt_move(agent, SERIN_ATTEMPT_FAIL, SERIN_REASON_FLASH, 0);
        error = error == SERIN_OK ? told : error;
    }
    if (error == SERIN_OK) {
        error = serin_trial_ask(agent, state);
        agent->confirmed = state->active == agent->info.slot && state->active_confirmed;
    }
    return error;
}

enum serin_error serin_trial_ask(const struct serin_agent *agent, struct serin_boot_state *state)
{
    const struct serin_boot *boot = boot_of(agent);
    enum serin_error error = serin_boot_log_read(boot, state);
    if (error == SERIN_OK) {
        return error;
    }
    memset(state, 0, sizeof *state);
    state->phase = SERIN_BOOT_STEADY;
    state->active = agent->info.slot;
    state->active_confirmed = serin_boot_marked(boot, agent->info.slot, agent->running.manifest_id);
    if (!state->active_confirmed && agent->redundancy > SERIN_REDUNDANCY_NONE) {
        /* It runs as the last resort, or was on trial. */
        state->active = serin_agent_spare(agent);
        state->active_confirmed = true;
        state->last_resort = true;
    }
    state->floor = agent->running.floor;
    state->boots = agent->boots;
    return error;
}

/* Begins a log that is lost with what the agent knows. An agent that does not know what runs, or
 * whether that may, leaves it to the next reset. */
static enum serin_error begin_log(const struct serin_agent *agent)
{
    struct serin_boot_state state;
    bool known = !serin_bytes_all(agent->running.manifest_id, SERIN_SHA256_SIZE, 0);
    if (!known || (agent->info.trial && !agent->confirmed)) {
        return SERIN_ERR_NOT_FOUND;
    }
    return serin_trial_ask(agent, &state) == SERIN_OK
               ? SERIN_OK
               : serin_boot_log_begin(boot_of(agent), &state);
}

enum serin_error serin_trial_raise(const struct serin_agent *agent, uint32_t floor)
{
    struct serin_boot_state state;
    enum serin_error error = serin_boot_log_read(boot_of(agent), &state);
    if (error == SERIN_ERR_NOT_FOUND) {
        error = begin_log(agent);
    }
    return error == SERIN_OK ? serin_boot_commit(boot_of(agent), floor) : error;
}

enum serin_error serin_trial_changed(struct serin_agent *agent, enum serin_error error)
{
    struct serin_boot_state state;
    if (error == SERIN_ERR_FLASH && !agent->boot_log_erased &&
        serin_boot_log_read(boot_of(agent), &state) == error &&
        serin_agent_lost(agent, &agent->boot_log_dark)) {
        agent->boot_log_erased = true; /* what stays dark is not worn out by it */
        if (begin_log(agent) == SERIN_OK) {
            serin_agent_log(agent, "the boot log did not read", "it is begun anew");
        }
    }
    if (error == SERIN_OK) {
        agent->boot_log_dark.readings = 0;
    }
    return error;
}

/* What the boot log tells, or the agent where it is lost. SERIN_ERR_FLASH: it does not read, but
 * may the next time; it is no trial's time that passes meanwhile. */
static enum serin_error ask_log(struct serin_agent *agent, struct serin_boot_state *state)
{
    bool was_dark = agent->boot_log_dark.readings > 0;
    enum serin_error error = serin_trial_ask(agent, state);
    if (error == SERIN_ERR_FLASH && (agent->trial || !serin_agent_is_lost(&agent->boot_log_dark))) {
        agent->errors++;
        return agent->trial ? error : serin_trial_changed(agent, error);
    }
    if (error != SERIN_OK) {
        agent->errors++;
    } else if (was_dark) {
        agent->boot_log_dark.readings = 0;
        serin_agent_learn(agent); /* what was learnt came from what runs alone */
    }
    return SERIN_OK;
}

enum serin_error serin_trial_settle(struct serin_agent *agent)
{
    struct serin_boot_state state;
    enum serin_error error = ask_log(agent, &state);
    if (error != SERIN_OK) {
        agent->unsettled = true;
        return error;
    }
    if (agent->trial && !agent->windowed && state.phase == SERIN_BOOT_TRIAL) {
        start_window(agent, &state);
    }
    if (state.phase != SERIN_BOOT_STEADY && !agent->info.trial) {
        error = end_unrecorded(agent, &state);
    }
    if (error == SERIN_OK) {
        error = settle_account(agent, &state);
    }
    agent->unsettled = error != SERIN_OK || (agent->trial && !agent->windowed);
    return error;
}

void serin_trial_resume(struct serin_agent *agent)
{
    /* What the bootloader started as a trial is one, whatever its log tells a moment later. Without
     * a window it ends at the first step, unless the log can be read by then. */
    agent->trial = agent->info.trial;
    agent->trial_reason = SERIN_REASON_NOT_CONFIRMED;
    agent->elapsed_to_ms = agent->now_ms;
    if (!agent->trial && serin_agent_waits_for_trust(agent)) {
        agent->unsettled = true; /* what runs is not known yet */
    } else if (serin_trial_settle(agent) != SERIN_OK) {
        serin_agent_log(agent, "the account could not be written", "trying again");
    }
    if (agent->trial && !agent->windowed) {
        serin_agent_log(agent, "the boot log knows no window of this trial", NULL);
    }
}

enum serin_error serin_trial_disarm(struct serin_agent *agent)
{
    if (!agent->armed) {
        return SERIN_OK;
    }
    enum serin_error error = serin_boot_unstage(boot_of(agent));
    if (error == SERIN_OK) {
        agent->armed = false;
        agent->stopped = false;
        serin_agent_log(agent, "staged image taken back", NULL);
    }
    return error;
}

/* Whether the other slot holds what is to be tried: it may have rotted, or its key been retired. */
static enum serin_error spare_ready(const struct serin_agent *agent)
{
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    enum serin_error error = serin_check_manifest(agent, serin_agent_spare(agent), &manifest, id);
    if (error == SERIN_OK &&
        !serin_bytes_equal(id, serin_attempt_current(agent)->manifest_id, sizeof id)) {
        error = SERIN_ERR_DIGEST;
    }
    return error == SERIN_ERR_NOT_FOUND ? SERIN_ERR_DIGEST : error;
}

/* Arms the bootloader and asks for the reset. */
static enum serin_error arm(struct serin_agent *agent)
{
    struct serin_boot_state state;
    enum serin_error error = spare_ready(agent);
    if (error != SERIN_OK) {
        return error;
    }
    error = serin_boot_log_read(boot_of(agent), &state);
    if (error == SERIN_OK && state.phase == SERIN_BOOT_STEADY) {
        error = serin_boot_stage(boot_of(agent), serin_agent_spare(agent));
    }
    if (error == SERIN_ERR_NOT_FOUND) {
        return SERIN_ERR_FLASH; /* the logs are lost: the next boot writes a new one, this one does
                                   not dare */
    }
    if (error == SERIN_OK) {
        agent->armed = true;
        serin_agent_fault_point(agent, "agent.armed");
        ask_reset(agent);
    }
    return error;
}

bool serin_trial_due(const struct serin_agent *agent, const struct serin_agent_standing *standing)
{
    bool asked = standing != NULL &&
                 (standing->kind == SERIN_WISH_STABLE || standing->kind == SERIN_WISH_CANDIDATE);
    return serin_attempt_state(agent) == SERIN_STATE_STAGED && !agent->armed && asked &&
           serin_intake_lease(agent, standing);
}

enum serin_error serin_trial_start(struct serin_agent *agent,
                                   const struct serin_agent_standing *standing)
{
    if (!serin_trial_due(agent, standing)) {
        return SERIN_OK;
    }
    enum serin_error error = arm(agent);
    for (unsigned armings = 1;
         error != SERIN_OK && error != SERIN_ERR_FLASH && armings < ARMINGS_MAX; armings++) {
        error = arm(agent); /* one reading may have been wrong, and this would end it for good */
    }
    if (error != SERIN_OK && error != SERIN_ERR_FLASH) {
        error = serin_attempt_move(agent, SERIN_ATTEMPT_FAIL, serin_intake_reason(error), 0);
    }
    return error;
}

/* Logs what is over of the window, in whole seconds, rounded up: time is never given twice. */
static void log_elapsed(struct serin_agent *agent)
{
    uint64_t seconds = (agent->now_ms - agent->elapsed_to_ms + 999u) / 1000u;
    uint32_t wait_ms = ENTRY_RETRY_MS;
    if (serin_boot_elapse(boot_of(agent),
                          (uint16_t)(seconds < UINT16_MAX ? seconds : UINT16_MAX)) == SERIN_OK) {
        agent->elapsed_to_ms = agent->now_ms;
        wait_ms = ELAPSE_STEP_MS;
    }
    next_entry(agent, wait_ms);
}

static bool may_confirm(const struct serin_agent *agent)
{
    /* Not before the account has the trial: a later boot would take the end for another's. */
    return agent->trial && !agent->unsettled && !agent->unborn &&
           !serin_agent_over(agent, SERIN_WAIT_WINDOW) &&
           (!agent->config->confirm_needs_directive || (agent->connected && agent->directive_seen));
}

enum serin_error serin_trial_run(struct serin_agent *agent)
{
    bool due = serin_agent_over(agent, SERIN_WAIT_ELAPSE);
    if (serin_agent_over(agent, SERIN_WAIT_WINDOW)) {
        return due ? abandon(agent) : SERIN_OK;
    }
    if (due) {
        log_elapsed(agent);
    }
    if (agent->config->auto_confirm && may_confirm(agent) &&
        serin_agent_over(agent, SERIN_WAIT_RETRY)) {
        return serin_trial_confirm(agent);
    }
    return SERIN_OK;
}

enum serin_error serin_trial_confirm(struct serin_agent *agent)
{
    if (!agent->trial) {
        /* An application confirms at each of its starts; once is enough. */
        return agent->stopped ? SERIN_ERR_STATE : SERIN_OK;
    }
    if (!may_confirm(agent)) {
        return SERIN_ERR_STATE;
    }
    serin_agent_fault_point(agent, "agent.confirmed.before");
    enum serin_error error = serin_boot_confirm(boot_of(agent));
    if (error != SERIN_OK) {
        return serin_agent_failed(agent, error);
    }
    serin_agent_fault_point(agent, "agent.confirmed.booted");
    agent->trial = false;
    agent->confirmed = true;
    serin_mirror_learn(agent);
    if (serin_attempt_state(agent) == SERIN_STATE_TRIAL) {
        error = serin_attempt_move(agent, SERIN_ATTEMPT_CONFIRM, SERIN_REASON_NONE, 0);
        agent->unsettled = error != SERIN_OK; /* the boot log has it: nobody need say it again */
    }
    return error;
}

enum serin_error serin_trial_unhealthy(struct serin_agent *agent, enum serin_reason reason,
                                       uint32_t detail)
{
    agent->errors++;
    agent->crashes += reason == SERIN_REASON_CRASH ? 1u : 0u;
    agent->watchdogs += reason == SERIN_REASON_WATCHDOG ? 1u : 0u;
    if (reason == SERIN_REASON_INVALID || (unsigned)reason >= SERIN_REASON_COUNT) {
        reason = SERIN_REASON_HEALTH;
    }
    if (agent->trial) {
        return abandon_for(agent, reason);
    }
    serin_beat_soon(agent);
    if (runs_current(agent) && serin_attempt_state(agent) == SERIN_STATE_CONFIRMED) {
        return serin_attempt_move(agent, SERIN_ATTEMPT_REGRESS, reason, detail);
    }
    return SERIN_OK;
}

bool serin_trial_commits(const struct serin_agent *agent)
{
    /* An image that runs as the last resort was never confirmed. */
    return agent->confirmed && agent->running.security_counter > agent->running.floor;
}

enum serin_error serin_trial_commit(struct serin_agent *agent)
{
    uint32_t counter = agent->running.security_counter;
    if (!serin_trial_commits(agent)) {
        return SERIN_OK;
    }
    serin_agent_fault_point(agent, "agent.commit.before");
    enum serin_error error = serin_trial_changed(agent, serin_trial_raise(agent, counter));
    if (error != SERIN_OK) {
        return error == SERIN_ERR_STATE ? SERIN_OK : error;
    }
    serin_agent_fault_point(agent, "agent.commit.after");
    agent->running.floor = counter;
    serin_mirror_learn(agent); /* the old image may have fallen below the floor */
    serin_agent_log(agent, "security counter committed", NULL);
    serin_beat_soon(agent);
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    next.floor = counter;
    return serin_record_store(agent, &next);
}

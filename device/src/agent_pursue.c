/* What to do next: the directive in force against the state of the current attempt. */
#include "agent_internal.h"

/* Ends an attempt that the directive no longer asks for. */
static enum serin_error drop(struct serin_agent *agent, enum serin_attempt_event event,
                             enum serin_reason reason)
{
    enum serin_error error = serin_trial_disarm(agent);
    if (error == SERIN_OK) {
        error = serin_attempt_move(agent, event, reason, 0);
    }
    if (error == SERIN_OK) {
        serin_download_stop(agent);
    }
    return error;
}

/* Whether the attempt in progress goes on; ends it where not. */
static enum serin_error weigh_current(struct serin_agent *agent,
                                      const struct serin_agent_standing *standing)
{
    const struct serin_attempt_report *current = serin_attempt_current(agent);
    bool same = serin_bytes_equal(current->manifest_id, standing->manifest_id, SERIN_SHA256_SIZE);
    if (standing->kind == SERIN_WISH_STOP) {
        return drop(agent, SERIN_ATTEMPT_CANCEL,
                    same ? SERIN_REASON_HALTED : SERIN_REASON_WITHDRAWN);
    }
    if (standing->kind == SERIN_WISH_NOTHING) {
        return drop(agent, SERIN_ATTEMPT_CANCEL, SERIN_REASON_WITHDRAWN);
    }
    if (!same || current->attempt < standing->attempt) {
        return drop(agent, SERIN_ATTEMPT_SUPERSEDE, SERIN_REASON_NEWER_DIRECTIVE);
    }
    return SERIN_OK;
}

/* Whether the directive asks for an attempt that this device has not made. */
static bool asks(const struct serin_agent *agent, const struct serin_agent_standing *standing)
{
    if (standing->kind != SERIN_WISH_STABLE && standing->kind != SERIN_WISH_CANDIDATE) {
        return false;
    }
    return !serin_bytes_equal(standing->manifest_id, agent->running.manifest_id,
                              SERIN_SHA256_SIZE) &&
           !serin_attempt_tried(agent, standing->manifest_id, standing->attempt);
}

/* Begins an attempt at what the directive asks for, where it is worth one and there is room for its
 * account: two others that nobody acknowledges keep it waiting, and nothing else. */
static enum serin_error begin(struct serin_agent *agent,
                              const struct serin_agent_standing *standing)
{
    enum serin_peek_verdict verdict = serin_peek_weigh(agent, standing);
    agent->peeking = verdict == SERIN_PEEK_LOOK;
    if (verdict != SERIN_PEEK_TAKE ||
        !serin_attempt_has_room(agent, standing->manifest_id, standing->attempt)) {
        return SERIN_OK;
    }
    serin_mirror_stop(agent);
    serin_download_stop(agent);
    /* Before the account: how the last trial ended must not close a retry's. */
    enum serin_error error = serin_trial_changed(agent, serin_boot_forget(agent->config->boot));
    return error == SERIN_OK ? serin_attempt_open(agent, standing, agent->record.targeted) : error;
}

static enum serin_error weigh(struct serin_agent *agent,
                              const struct serin_agent_standing *standing)
{
    enum serin_error error = SERIN_OK;
    if (serin_attempt_in_progress(serin_attempt_state(agent))) {
        error = weigh_current(agent, standing);
    }
    enum serin_state state = serin_attempt_state(agent);
    if (error == SERIN_OK && !serin_attempt_in_progress(state) && state != SERIN_STATE_TRIAL &&
        !agent->trial && asks(agent, standing)) {
        error = begin(agent, standing);
    }
    return error;
}

/* Whether what runs may be committed now: a lease that is over allows nothing that cannot be taken
 * back, and a candidate that was halted allows nothing at all, whatever its flags say. */
static bool may_commit(const struct serin_agent *agent, const struct serin_agent_standing *standing)
{
    if (standing == NULL || !standing->may_commit || !serin_intake_lease(agent, standing)) {
        return false;
    }
    enum serin_agent_source source = agent->record.targeted ? SERIN_AGENT_OWN : SERIN_AGENT_CHANNEL;
    bool runs =
        serin_bytes_equal(standing->manifest_id, agent->running.manifest_id, SERIN_SHA256_SIZE);
    if (standing->kind == SERIN_WISH_STOP) {
        return !runs; /* the halted one is what this device was offered: the stable one allows it */
    }
    return !agent->record.halted[source] || (standing->kind == SERIN_WISH_STABLE && runs);
}

static enum serin_error act(struct serin_agent *agent, const struct serin_agent_standing *standing)
{
    enum serin_state state = serin_attempt_state(agent);
    if (state == SERIN_STATE_STAGED) {
        return serin_trial_start(agent, standing);
    }
    if (serin_attempt_in_progress(state)) {
        return serin_download_pursue(agent, standing);
    }
    if (serin_peek_due(agent)) {
        serin_peek_run(agent);
        return SERIN_OK;
    }
    serin_peek_stop(agent);
    return serin_mirror_run(agent, may_commit(agent, standing));
}

/* Brings the account up to date, then the attempt on, each only where the one before it is durable.
 */
static enum serin_error advance(struct serin_agent *agent)
{
    enum serin_error error = serin_agent_find_lacking(agent);
    const struct serin_agent_standing *standing = serin_intake_standing(agent);
    if (error == SERIN_OK && agent->unsettled) {
        error = serin_trial_settle(agent);
    }
    agent->peeking = false;
    if (error == SERIN_OK && standing != NULL) {
        error = weigh(agent, standing);
    }
    if (error == SERIN_OK && !agent->stopped && !agent->trial) {
        error = act(agent, standing);
    }
    return error;
}

void serin_agent_pursue(struct serin_agent *agent)
{
    if (serin_agent_over(agent, SERIN_WAIT_RETRY) && advance(agent) == SERIN_ERR_FLASH) {
        (void)serin_agent_failed(agent, SERIN_ERR_FLASH);
    }
    /* A trial is over in time, whatever could not be written before, and waits for nothing. */
    if (agent->trial && !agent->stopped && serin_trial_run(agent) == SERIN_ERR_FLASH) {
        (void)serin_agent_failed(agent, SERIN_ERR_FLASH);
    }
    serin_report_poll(agent);
}

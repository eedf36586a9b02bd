/* The attempt: its table of states, its account, and what counts as tried (docs/spec/states.md;
 * design decision 6). */
#include "agent_internal.h"

#include <string.h>

#define STATE(name) (1u << SERIN_STATE_##name)

/* Before the new image has run: an attempt that still may be given up. */
#define IN_PROGRESS (STATE(PENDING) | STATE(DOWNLOADING) | STATE(VERIFYING) | STATE(STAGED))

struct transition {
    uint16_t from; /* a bit for each state; those that have an event are among the first 16 */
    uint8_t to;    /* enum serin_state */
};

/* By event. What is not listed is refused. */
static const struct transition table[SERIN_ATTEMPT_EVENT_COUNT] = {
    [SERIN_ATTEMPT_ACCEPT] = {STATE(IDLE), SERIN_STATE_PENDING},
    [SERIN_ATTEMPT_SUITS] = {STATE(PENDING), SERIN_STATE_DOWNLOADING},
    [SERIN_ATTEMPT_FETCHED] = {STATE(DOWNLOADING), SERIN_STATE_VERIFYING},
    [SERIN_ATTEMPT_VERIFIED] = {STATE(VERIFYING), SERIN_STATE_STAGED},
    [SERIN_ATTEMPT_BOOTED] = {STATE(STAGED), SERIN_STATE_TRIAL},
    [SERIN_ATTEMPT_CONFIRM] = {STATE(TRIAL), SERIN_STATE_CONFIRMED},
    [SERIN_ATTEMPT_ROLL_BACK] = {STATE(TRIAL), SERIN_STATE_ROLLED_BACK},
    [SERIN_ATTEMPT_REGRESS] = {STATE(CONFIRMED), SERIN_STATE_REGRESSED},
    [SERIN_ATTEMPT_REJECT] = {IN_PROGRESS, SERIN_STATE_REJECTED},
    [SERIN_ATTEMPT_FAIL] = {IN_PROGRESS, SERIN_STATE_FAILED},
    [SERIN_ATTEMPT_CANCEL] = {IN_PROGRESS, SERIN_STATE_CANCELLED},
    [SERIN_ATTEMPT_SUPERSEDE] = {IN_PROGRESS, SERIN_STATE_SUPERSEDED},
};

/* Where a test may take the power: the transition is durable, nothing has followed from it. */
static const char *const fault_points[SERIN_STATE_COUNT] = {
    [SERIN_STATE_PENDING] = "agent.accepted",
    [SERIN_STATE_DOWNLOADING] = "agent.download.started",
    [SERIN_STATE_VERIFYING] = "agent.downloaded",
    [SERIN_STATE_STAGED] = "agent.staged",
    [SERIN_STATE_TRIAL] = "agent.trial.started",
    [SERIN_STATE_CONFIRMED] = "agent.confirmed.after",
    [SERIN_STATE_ROLLED_BACK] = "agent.rolled_back",
    [SERIN_STATE_CANCELLED] = "agent.cancelled",
};

enum serin_state serin_attempt_next(enum serin_state state, enum serin_attempt_event event)
{
    if ((unsigned)state >= SERIN_STATE_COUNT || (unsigned)event >= SERIN_ATTEMPT_EVENT_COUNT) {
        return SERIN_STATE_INVALID;
    }
    bool allowed = (table[event].from >> (unsigned)state & 1u) != 0;
    return allowed ? (enum serin_state)table[event].to : SERIN_STATE_INVALID;
}

static enum serin_state state_of(const struct serin_attempt_report *attempt)
{
    return attempt->transition_count == 0
               ? SERIN_STATE_IDLE
               : attempt->transitions[attempt->transition_count - 1u].state;
}

const struct serin_attempt_report *serin_attempt_current(const struct serin_agent *agent)
{
    const struct serin_agent_record *record = &agent->record;
    return record->attempt_count == 0 ? NULL : &record->attempts[record->attempt_count - 1u];
}

enum serin_state serin_attempt_state(const struct serin_agent *agent)
{
    const struct serin_attempt_report *current = serin_attempt_current(agent);
    return current == NULL ? SERIN_STATE_IDLE : state_of(current);
}

static bool same(const struct serin_attempt_report *report, const uint8_t *manifest_id,
                 uint32_t attempt)
{
    return report->attempt == attempt &&
           serin_bytes_equal(report->manifest_id, manifest_id, SERIN_SHA256_SIZE);
}

bool serin_attempt_is(const struct serin_agent *agent, const uint8_t *manifest_id, uint32_t attempt)
{
    const struct serin_attempt_report *current = serin_attempt_current(agent);
    return current != NULL && same(current, manifest_id, attempt);
}

bool serin_attempt_in_progress(enum serin_state state)
{
    return (IN_PROGRESS >> (unsigned)state & 1u) != 0;
}

/* The n-th of all, whichever topic asked for it. */
static const struct serin_agent_tried *tried_at(const struct serin_agent *agent, unsigned n)
{
    return &agent->record.tried[n / SERIN_AGENT_TRIED_MAX][n % SERIN_AGENT_TRIED_MAX];
}

bool serin_attempt_any_tried(const struct serin_agent *agent, const uint8_t *manifest_id)
{
    for (unsigned n = 0; n < SERIN_AGENT_SOURCES * SERIN_AGENT_TRIED_MAX; n++) {
        const struct serin_agent_tried *tried = tried_at(agent, n);
        if (tried->attempt != 0 &&
            serin_bytes_equal(tried->manifest_id, manifest_id, SERIN_AGENT_TRIED_ID)) {
            return true;
        }
    }
    return false;
}

bool serin_attempt_tried(const struct serin_agent *agent, const uint8_t *manifest_id,
                         uint32_t attempt)
{
    for (unsigned n = 0; n < SERIN_AGENT_SOURCES * SERIN_AGENT_TRIED_MAX; n++) {
        const struct serin_agent_tried *tried = tried_at(agent, n);
        if (tried->attempt == attempt &&
            serin_bytes_equal(tried->manifest_id, manifest_id, SERIN_AGENT_TRIED_ID)) {
            return true;
        }
    }
    /* Confirmed, and yet another image runs: its slot has rotted. Taking it again is for the
     * operator to say. */
    enum serin_state state = serin_attempt_state(agent);
    return serin_attempt_is(agent, manifest_id, attempt) &&
           (state == SERIN_STATE_CONFIRMED || state == SERIN_STATE_REGRESSED);
}

/* Each topic has places of its own, so that what one asks for takes nothing from what is remembered
 * of the other: the same directive may be retained there for long. */
static void remember_tried(struct serin_agent_record *record,
                           const struct serin_attempt_report *attempt)
{
    struct serin_agent_tried *tried =
        record->tried[attempt->targeted ? SERIN_AGENT_OWN : SERIN_AGENT_CHANNEL];
    memmove(&tried[1], &tried[0], (SERIN_AGENT_TRIED_MAX - 1u) * sizeof tried[0]);
    memcpy(tried[0].manifest_id, attempt->manifest_id, SERIN_AGENT_TRIED_ID);
    tried[0].attempt = attempt->attempt;
}

/* The one function that changes a state: `next` is a copy of the record whose last attempt moves.
 */
static enum serin_error enter(struct serin_agent *agent, struct serin_agent_record *next,
                              enum serin_attempt_event event, enum serin_reason reason,
                              uint32_t detail)
{
    struct serin_attempt_report *attempt = &next->attempts[next->attempt_count - 1u];
    enum serin_state state = serin_attempt_next(state_of(attempt), event);
    if (state == SERIN_STATE_INVALID) {
        return SERIN_ERR_STATE;
    }
    SERIN_ASSERT(attempt->transition_count < SERIN_REPORT_TRANSITIONS_MAX);
    attempt->transitions[attempt->transition_count++] =
        (struct serin_transition){.state = state,
                                  .reason = reason,
                                  .time_s = serin_agent_clock_s(agent),
                                  .uptime_ms = agent->now_ms,
                                  .detail = detail};
    if (state == SERIN_STATE_FAILED || state == SERIN_STATE_REJECTED ||
        state == SERIN_STATE_ROLLED_BACK) {
        remember_tried(next, attempt);
    }
    next->number++;
    enum serin_error error = serin_record_store(agent, next);
    if (error != SERIN_OK) {
        return error;
    }
    if (fault_points[state] != NULL) {
        serin_agent_fault_point(agent, fault_points[state]);
    }
    serin_agent_log(agent, serin_state_text(state),
                    reason == SERIN_REASON_NONE ? NULL : serin_reason_text(reason));
    if (agent->config->platform->transition != NULL) {
        agent->config->platform->transition(agent->config->platform_ctx,
                                            serin_attempt_current(agent));
    }
    serin_report_due(agent);
    return SERIN_OK;
}

enum serin_error serin_attempt_move(struct serin_agent *agent, enum serin_attempt_event event,
                                    enum serin_reason reason, uint32_t detail)
{
    if (agent->record.attempt_count == 0) {
        return SERIN_ERR_STATE;
    }
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    return enter(agent, &next, event, reason, detail);
}

/* Room for one more account: the last one is kept until serind has acknowledged it, but not beside
 * another of the same (manifest, attempt), which takes its place: an attempt that was cancelled may
 * be offered again. False: two others stand unacknowledged, and none of them is dropped
 * (docs/adr/0003). */
static bool make_room(struct serin_agent_record *record, const uint8_t *manifest_id,
                      uint32_t attempt)
{
    size_t kept = 0;
    bool acked = record->acked >= record->number;
    for (size_t i = 0; i < record->attempt_count; i++) {
        if (!acked && !same(&record->attempts[i], manifest_id, attempt)) {
            record->attempts[kept++] = record->attempts[i];
        }
    }
    record->attempt_count = kept;
    return kept < SERIN_REPORT_ATTEMPTS_MAX;
}

/* Its stack is not needed any more when the attempt is opened. */
__attribute__((noinline)) bool serin_attempt_has_room(const struct serin_agent *agent,
                                                      const uint8_t *manifest_id, uint32_t attempt)
{
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    return make_room(&next, manifest_id, attempt);
}

/* The end of the spread, in time that a reset does not take back. */
static uint64_t start_s(const struct serin_agent *agent,
                        const struct serin_agent_standing *standing)
{
    uint64_t now_s = serin_agent_time_s(agent);
    uint32_t wait_s = standing->wait_ms / 1000u + (standing->wait_ms % 1000u != 0 ? 1u : 0u);
    return now_s < UINT64_MAX - wait_s ? now_s + wait_s : UINT64_MAX;
}

enum serin_error serin_attempt_open(struct serin_agent *agent,
                                    const struct serin_agent_standing *standing, bool targeted)
{
    enum serin_state state = serin_attempt_state(agent);
    if (serin_attempt_in_progress(state) || state == SERIN_STATE_TRIAL) {
        return SERIN_ERR_STATE;
    }
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    if (!make_room(&next, standing->manifest_id, standing->attempt)) {
        return SERIN_ERR_BUSY; /* until an ack comes */
    }
    struct serin_attempt_report *attempt = &next.attempts[next.attempt_count++];
    memset(attempt, 0, sizeof *attempt);
    memcpy(attempt->manifest_id, standing->manifest_id, SERIN_SHA256_SIZE);
    attempt->attempt = standing->attempt;
    attempt->order = standing->order;
    attempt->targeted = targeted;
    next.start_s = start_s(agent, standing);
    next.journal_generation = 0; /* its base still bounds what the old journal may claim */
    return enter(agent, &next, SERIN_ATTEMPT_ACCEPT, SERIN_REASON_NONE, 0);
}

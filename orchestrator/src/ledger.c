/* The ledger: merging cumulative reports into attempts that become final exactly once
 * (docs/spec/report.md; docs/spec/rollout.md, section 9). */
#include <serin/orchestrator/ledger.h>

#include <string.h>

enum serin_ledger_verdict serin_ledger_judge(const struct serin_report_cursor *cursor,
                                             const struct serin_report *report)
{
    if (cursor->incarnation == 0) {
        return SERIN_LEDGER_NEW; /* its first report */
    }
    if (cursor->incarnation != report->incarnation) {
        return SERIN_LEDGER_REBORN;
    }
    return report->number > cursor->number ? SERIN_LEDGER_NEW : SERIN_LEDGER_DUPLICATE;
}

/* Whether the transitions are a walk from IDLE through the table of states.h. */
static bool walk_valid(const struct serin_attempt_report *report)
{
    if (report->transition_count < 1 || report->transition_count > SERIN_REPORT_TRANSITIONS_MAX) {
        return false;
    }
    enum serin_state state = SERIN_STATE_IDLE;
    for (size_t i = 0; i < report->transition_count; i++) {
        if (!serin_state_allows(state, report->transitions[i].state)) {
            return false;
        }
        state = report->transitions[i].state;
    }
    return true;
}

/* Whether a record may go on to a state. The device's own table decides as long as the attempt is
 * open, and has been checked for the whole walk; an end is an end, but what was confirmed can go
 * wrong later. */
static bool may_move(const struct serin_attempt_record *record, enum serin_state to)
{
    if (!record->final) {
        return record->state != to;
    }
    return record->state == SERIN_STATE_CONFIRMED &&
           (to == SERIN_STATE_REGRESSED || to == SERIN_STATE_REVERTED);
}

/* Ends that were not the image's fault: the same attempt may be offered again, and the account then
 * begins anew (docs/spec/states.md, section 5). Nothing follows such an end in one walk, and a
 * report that gets here is newer than what told of it: what it says is all that counts. */
static const bool reopens[SERIN_STATE_COUNT] = {
    [SERIN_STATE_SUPERSEDED] = true,
    [SERIN_STATE_CANCELLED] = true,
};

/* An empty account of the report's attempt. */
static void begin(struct serin_attempt_record *record, const struct serin_attempt_report *report)
{
    *record = (struct serin_attempt_record){
        .attempt = report->attempt, .state = SERIN_STATE_IDLE, .reason = SERIN_REASON_NONE};
    memcpy(record->manifest_id, report->manifest_id, sizeof record->manifest_id);
}

/* The only place that changes the state of an attempt. */
static bool enter(struct serin_attempt_record *record, enum serin_state state,
                  enum serin_reason reason, uint64_t now_s)
{
    if (!may_move(record, state)) {
        return false;
    }
    record->state = state;
    record->reason = reason;
    record->final = serin_state_final(state) || state == SERIN_STATE_TIMED_OUT ||
                    state == SERIN_STATE_REGRESSED || state == SERIN_STATE_REVERTED;
    record->updated_s = now_s;
    return true;
}

enum serin_error serin_ledger_merge(struct serin_attempt_record *record,
                                    const struct serin_attempt_report *report, uint64_t now_s,
                                    bool *changed)
{
    *changed = false;
    bool fresh = record->attempt == 0;
    if (report->attempt == 0 || !walk_valid(report) ||
        (!fresh &&
         (record->attempt != report->attempt ||
          memcmp(record->manifest_id, report->manifest_id, sizeof record->manifest_id) != 0))) {
        return SERIN_ERR_INVALID;
    }
    enum serin_state before = record->state;
    if (fresh || reopens[record->state]) {
        begin(record, report);
    }
    if (report->bytes_fetched > record->bytes_fetched) {
        record->bytes_fetched = report->bytes_fetched;
    }
    if (report->pieces_refetched > record->pieces_refetched) {
        record->pieces_refetched = report->pieces_refetched;
    }
    if (report->transition_count < record->transition_count) {
        return SERIN_OK; /* overtaken by a report that knew more */
    }
    record->transition_count = report->transition_count;
    memcpy(record->transitions, report->transitions,
           report->transition_count * sizeof report->transitions[0]);
    record->updated_s = now_s;
    const struct serin_transition *last = &report->transitions[report->transition_count - 1];
    *changed = enter(record, last->state, last->reason, now_s) && record->state != before;
    return SERIN_OK;
}

void serin_ledger_expire(struct serin_attempt_record *record, uint64_t now_s, bool *changed)
{
    *changed =
        record->attempt != 0 && enter(record, SERIN_STATE_TIMED_OUT, SERIN_REASON_DEADLINE, now_s);
}

void serin_ledger_running(struct serin_attempt_record *record, const struct serin_running *running,
                          uint64_t now_s, bool *changed)
{
    *changed = record->attempt != 0 && record->state == SERIN_STATE_CONFIRMED &&
               memcmp(record->manifest_id, running->manifest_id, sizeof record->manifest_id) != 0 &&
               enter(record, SERIN_STATE_REVERTED, SERIN_REASON_OTHER_IMAGE, now_s);
}

void serin_ledger_taken_anew(struct serin_attempt_record *record,
                             const struct serin_attempt_report *report, uint64_t now_s,
                             bool *changed)
{
    *changed = record->state == SERIN_STATE_CONFIRMED && report->attempt > record->attempt &&
               memcmp(record->manifest_id, report->manifest_id, sizeof record->manifest_id) == 0 &&
               enter(record, SERIN_STATE_REVERTED, SERIN_REASON_OTHER_IMAGE, now_s);
}

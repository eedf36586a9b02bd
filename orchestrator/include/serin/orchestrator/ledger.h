/*
 * The ledger: one device's account of its attempts, from its cumulative reports
 * (docs/spec/report.md; design decisions 12 and 13). Pure. It accepts duplicates, reordered and
 * lost reports, and makes attempts final exactly once.
 */
#ifndef SERIN_ORCHESTRATOR_LEDGER_H
#define SERIN_ORCHESTRATOR_LEDGER_H

#include <serin/wire.h>

/* What the store keeps of one attempt of one device. */
struct serin_attempt_record {
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    uint32_t attempt;
    enum serin_state state; /* as the server sees it: adds timed_out, regressed, reverted */
    enum serin_reason reason;
    /* Never leaves but for regressed and reverted after confirmed, and where the device takes anew
     * what was superseded or cancelled. */
    bool final;
    uint64_t updated_s; /* server's clock */
    uint64_t bytes_fetched;
    uint32_t pieces_refetched;
    size_t transition_count;
    struct serin_transition transitions[SERIN_REPORT_TRANSITIONS_MAX];
};

/* What the store keeps of a device's report stream. */
struct serin_report_cursor {
    uint64_t incarnation;
    uint64_t number; /* highest committed */
};

enum serin_ledger_verdict {
    SERIN_LEDGER_NEW,       /* store it, then ack its number */
    SERIN_LEDGER_DUPLICATE, /* ack the committed number; nothing to store */
    SERIN_LEDGER_REBORN     /* a new incarnation: store it, and say so in the audit log */
};

enum serin_ledger_verdict serin_ledger_judge(const struct serin_report_cursor *cursor,
                                             const struct serin_report *report);

/* Merges one attempt of a report, which serin_ledger_judge has found NEW or REBORN, into the record
 * of the same (manifest, attempt); a record with attempt 0 is new and takes both from the report.
 * `changed`: whether the state seen by the server changed. The longer list of transitions is kept,
 * so that a report that was overtaken takes nothing back. A superseded or cancelled record gives
 * way to the report's whole account: any other walk is the same attempt, offered and taken again. A
 * record made final by the server (timed_out) stays final; what the device says later is kept in
 * the transitions. SERIN_ERR_INVALID: the transitions do not follow states.h, or the record is of
 * another manifest or attempt; the record is unchanged. */
SERIN_MUST_USE enum serin_error serin_ledger_merge(struct serin_attempt_record *record,
                                                   const struct serin_attempt_report *report,
                                                   uint64_t now_s, bool *changed);

/* The engine gave up on the device (TIMED_OUT in a SAVE_MEMBER action): the record becomes final. A
 * record that is final already stays. `changed` as above. */
void serin_ledger_expire(struct serin_attempt_record *record, uint64_t now_s, bool *changed);

/* A beat or report shows what runs: a confirmed attempt whose manifest no longer runs is reverted.
 * `changed` as above. For the device's latest attempt only (an upgrade ends an older one rightly),
 * and only for news as fresh as the committed report: a beat of another incarnation, or whose
 * last_number is below the cursor's, says nothing. */
void serin_ledger_running(struct serin_attempt_record *record, const struct serin_running *running,
                          uint64_t now_s, bool *changed);

/* A report tells of another attempt than the device's latest one, `record` (attempt 0: none). No
 * device takes an image that it runs: where that is a later attempt at an image that was confirmed,
 * the image was left since, though the word of it was lost, and the confirmed attempt is reverted.
 * `changed` as above. Call it before the attempt of the report is merged. */
void serin_ledger_taken_anew(struct serin_attempt_record *record,
                             const struct serin_attempt_report *report, uint64_t now_s,
                             bool *changed);

#endif

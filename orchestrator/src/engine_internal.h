/*
 * What the files of the rollout engine share (docs/spec/rollout.md). Nothing here leaves the
 * folder.
 *
 *   engine.c           the transition table, the one function that changes a rollout's state
 *   engine_clock.c     the watch: what time counts, and when the next TICK is due
 *   engine_stage.c     effects of transitions: stages, thresholds, soak
 *   engine_operator.c  effects of what operators do
 *   engine_hold.c      what lets a stage pass, and what holds it
 *   engine_ramp.c      how exposure grows inside a stage: steps, flight, rate
 *   engine_window.c    when devices may start: start time and windows
 *   engine_test.c      the sequential test: halts, accepts a stage, or holds it
 *   engine_marks.c     what the watch showed when, and when reports could not arrive
 *   engine_spells.c    when the network was dark, and whose time-out that excuses
 *   engine_retry.c     failed devices that may try again
 *   engine_gates.c     the gates: what halts (engine_gates.h: what these share)
 *   engine_doubt.c     what halts nothing and may not pass either
 *   engine_health.c    how a device is, and how updated ones compare with others
 *   engine_lost.c      who is silent by its own last word: no stage passes over the lost
 *   engine_expect.c    what the updated would show if the release changed nothing
 *   engine_lasting.c   since when devices could be heard, and how long an excess must last
 *   engine_sites.c     what stands behind one gateway or on one revision: failures, and a stage
 *   engine_members.c   the one function that changes a member's state, the books, the deadlines
 *   engine_evidence.c  what members are to the test
 *   engine_sort.c      the order of members
 *   engine_words.c     what people read: reasons and audit lines
 *   engine_directive.c what devices read: the candidate, and what it becomes
 */
#ifndef SERIN_ENGINE_INTERNAL_H
#define SERIN_ENGINE_INTERNAL_H

#include "engine_gates.h"

#include <serin/assert.h>
#include <serin/orchestrator/engine.h>

#define NEVER UINT64_MAX

/* The events of engine.h, and after them what the engine concludes by itself. Both go through the
 * same table. */
enum serin_signal {
    SERIN_SIGNAL_NONE = 0,
    SERIN_SIGNAL_GATE = SERIN_ROLLOUT_EVENT_COUNT, /* too many failed */
    SERIN_SIGNAL_SITE,                             /* the same, but all behind one gateway */
    SERIN_SIGNAL_RESOLVED,                         /* nobody is left to wait for */
    SERIN_SIGNAL_HOLD,                             /* the evidence lets it not pass */
    SERIN_SIGNAL_HEARD,                            /* nobody was left to wait for: somebody is */
    SERIN_SIGNAL_ASK,                              /* soaked; the next stage asks for approval */
    SERIN_SIGNAL_NEXT,                             /* soaked; the next stage may start */
    SERIN_SIGNAL_DONE,                             /* the last stage is soaked, and may end */
    SERIN_SIGNAL_COUNT
};

/* What goes on in a state. */
struct serin_rollout_traits {
    bool watch;    /* the watch runs while reports are up */
    bool soak;     /* and so does the soak */
    bool gate;     /* too many failures halt */
    bool patience; /* silent devices become unreached */
    bool deadline; /* accepted ones time out */
    bool over;     /* an end: `ended_ms` is set */
};

/* One step in progress. */
struct serin_step {
    struct serin_rollout *rollout;
    const struct serin_members *members;
    uint64_t now_ms;
    const struct serin_rollout_event *event;
    struct serin_rollout_actions *actions;
    bool publish; /* the directive changed: one PUBLISH ends the actions */
    bool opened;  /* a stage began: no second one in this step */
};

/* Room that a TICK leaves for whatever is not a SAVE_MEMBER: PROMOTE, PUBLISH and audit lines. */
#define SERIN_STEP_ROOM 12u

/* ---- engine.c ---- */
const struct serin_rollout_traits *serin_rollout_traits(enum serin_rollout_state state);
/* What the engine concludes from the rollout as it stands, NONE if nothing. */
enum serin_signal serin_rollout_conclude(const struct serin_rollout *rollout,
                                         const struct serin_members *members);
/* Adds an action; there is room, or it is a programmer error. */
struct serin_rollout_action *serin_step_act(struct serin_step *step,
                                            enum serin_rollout_action_kind kind);

/* ---- engine_clock.c ---- */
void serin_step_clock(struct serin_step *step);
/* Shows or hides the candidate when a window opens or closes. */
void serin_step_windows(struct serin_step *step);

/* ---- engine_stage.c: effects, named after the signal that has them ---- */
void serin_effect_start(struct serin_step *step);
void serin_effect_member(struct serin_step *step);
void serin_effect_tick(struct serin_step *step);
void serin_effect_reports_up(struct serin_step *step);
void serin_effect_reports_down(struct serin_step *step);
void serin_effect_gate(struct serin_step *step);
void serin_effect_site(struct serin_step *step);
void serin_effect_resolved(struct serin_step *step);
void serin_effect_hold(struct serin_step *step);
void serin_effect_heard(struct serin_step *step);
void serin_effect_ask(struct serin_step *step);
void serin_effect_open_stage(struct serin_step *step);
void serin_effect_done(struct serin_step *step);

/* The directive changed, if it ever had this candidate. */
void serin_step_republish(struct serin_step *step);
/* Whether the present stage still waits for devices, so that a minimum can wait for them too. Once
 * it does not, nothing more will come before the next stage: then the ratio is all there is, and a
 * minimum above an early stage's size would carry a failed release on to everyone. */
bool serin_stage_open(const struct serin_rollout *rollout);
/* What the present stage still has to soak. */
uint64_t serin_soak_left_ms(const struct serin_rollout *rollout);
/* Compares once more where the stage may pass now, whatever event found that. */
void serin_stage_compare(struct serin_step *step);
/* The same where nothing but that keeps it from passing, be it that it was held, or waited for an
 * approval, until now. True: a comparison was made, and the conclusion is to be drawn anew. */
bool serin_stage_compare_last(struct serin_step *step);
/* Notes whether the test accepts the stage as it stands. */
void serin_stage_accept(struct serin_step *step);
/* Whether the stage would pass on the word of one gateway, and one elsewhere could speak too, and
 * may still be asked. */
bool serin_stage_lone(const struct serin_rollout *rollout, const struct serin_members *members);
/* When the rate lets it go on to one elsewhere (Unix ms); NEVER: it need not, or waits for more
 * than the rate. */
uint64_t serin_stage_aside_due_ms(const struct serin_rollout *rollout,
                                  const struct serin_members *members);
/* Raises the threshold by a step of the ramp, to cover replacements, or one who is elsewhere, if
 * the stage needs any of them and may have it now. */
void serin_stage_widen(struct serin_step *step);
/* Offered members that can still give evidence; those of them that the stage waits for; and those
 * that count for the gate. */
uint32_t serin_tally_reach(const struct serin_tally *tally);
uint32_t serin_tally_waiting(const struct serin_rollout *rollout);
uint32_t serin_tally_resolved(const struct serin_tally *tally);
uint32_t serin_tally_failures(const struct serin_tally *tally);

/* ---- engine_operator.c: the same of what operators do ---- */
void serin_effect_pause(struct serin_step *step);
void serin_effect_resume(struct serin_step *step);
void serin_effect_halt(struct serin_step *step);
void serin_effect_skip_soak(struct serin_step *step);
void serin_effect_approve(struct serin_step *step);
void serin_effect_retry(struct serin_step *step);
void serin_effect_abort(struct serin_step *step);
void serin_effect_supersede(struct serin_step *step);
/* Whether it is paused for failures that were judged, and are not accepted yet. */
bool serin_stage_judged(const struct serin_rollout *rollout);

/* ---- engine_hold.c ---- */

/* What does not let a stage pass: a bit each, 0: nothing. */
enum serin_stage_doubt {
    SERIN_STAGE_UNPROVEN = 1,     /* nobody is left who could show anything */
    SERIN_STAGE_SPENT = 2,        /* it looked long enough for devices in reach */
    SERIN_STAGE_LONE = 4,         /* or elsewhere: all who resolved stand behind one gateway */
    SERIN_STAGE_UNDECIDED = 8,    /* the test is */
    SERIN_STAGE_REGRESSIONS = 16, /* gates */
    SERIN_STAGE_SILENCE = 32,
    SERIN_STAGE_ERRORS = 64,
    SERIN_STAGE_EXCUSED = 128 /* more time-outs are excused than the network explains */
};
uint32_t serin_stage_doubts(const struct serin_rollout *rollout,
                            const struct serin_members *members);
/* Whether nothing holds the stage but what an operator waived, with no failure since. */
bool serin_stage_passes(const struct serin_rollout *rollout, const struct serin_members *members);
/* Whether somebody resolved, and of those whom this stage added somebody too, if it added any. One
 * that looked long enough for somebody goes on, to be held. */
bool serin_stage_proven(const struct serin_rollout *rollout);
/* Whether a stage that is not over has nobody left to wait for, and may offer it to nobody else. */
bool serin_stage_unproven(const struct serin_rollout *rollout);
/* Whether `why` says what the stage waits for, and nothing of why it is held or over. */
bool serin_stage_says(const struct serin_rollout *rollout);
/* Has `why` say what a stage waits for, where it is neither devices at it nor the soak. */
void serin_stage_say(struct serin_step *step);

/* ---- engine_ramp.c ---- */

/* Whether the stage does not cover all its devices yet, and others can be offered: because its ramp
 * is under way, or because some are out of its reach. */
bool serin_stage_short(const struct serin_rollout *rollout);
/* Whether the stage has offered it to as many again as it is for: then it looks for no more, be it
 * in place of silent ones or behind other gateways. */
bool serin_stage_searched(const struct serin_rollout *rollout);
/* Whether it has, and still does not reach as many as it is for: then it is held when it is soaked,
 * for an operator to decide. */
bool serin_stage_spent(const struct serin_rollout *rollout);
/* Devices that were offered it and have not come to an end, silent and unreached ones included:
 * they hold the directive, and may all start at once. */
uint32_t serin_ramp_unresolved(const struct serin_rollout *rollout);
/* Whom an operator went on without is waited for like any other once it is not that any more: after
 * a member has changed. */
void serin_ramp_remember(struct serin_rollout *rollout);
/* Whether a stage that wants more devices may offer it to none, whatever lands or passes, before
 * some of those have come to an end. */
bool serin_ramp_stalled(const struct serin_rollout *rollout);
/* Whether so many more may be in flight, and be offered it, at once: for RETRY. */
bool serin_ramp_flight_allows(const struct serin_rollout *rollout, uint32_t count);
bool serin_ramp_rate_allows(const struct serin_rollout *rollout, uint32_t count);
/* Takes so many from the rate's allowance. */
void serin_ramp_take(struct serin_rollout *rollout, uint32_t count);
/* Devices that a step would offer now to a stage that is short; 0: none, as too many are in flight
 * or the rate is used up. */
uint32_t serin_ramp_step(const struct serin_rollout *rollout);
/* When that changes by itself (Unix ms); NEVER: reports have to come. */
uint64_t serin_ramp_due_ms(const struct serin_rollout *rollout);
/* How many of `want` more, besides the steps of the ramp, may be offered it now; and when the rate
 * allows them (Unix ms), NEVER: reports have to come. */
uint32_t serin_ramp_aside(const struct serin_rollout *rollout, uint32_t want);
uint64_t serin_ramp_aside_due_ms(const struct serin_rollout *rollout, uint32_t want);
/* Offers to so many more devices that can give evidence, as far as the stage wants them; returns
 * how many the threshold covered in all. */
uint32_t serin_ramp_cover(struct serin_rollout *rollout, const struct serin_members *members,
                          uint32_t size);

/* ---- engine_window.c ---- */

/* Whether a window is open at a time; none: always. */
bool serin_window_open(const struct serin_policy *policy, uint64_t now_ms);
/* Whether no device may start now; and whether the next stage may open. */
bool serin_time_closed(const struct serin_rollout *rollout);
bool serin_time_allows(const struct serin_rollout *rollout);
/* When either may change next (Unix ms), or NEVER. */
uint64_t serin_time_edge_ms(const struct serin_rollout *rollout);

/* ---- engine_retry.c ---- */

/* Devices that would try again. They may start as soon as they see the new attempt, all at once. */
uint32_t serin_retry_count(const struct serin_rollout *rollout);
/* Why RETRY is refused, or NULL: it is allowed; serin_retry_possible is that. */
const char *serin_retry_refusal(const struct serin_rollout *rollout);
bool serin_retry_possible(const struct serin_rollout *rollout);
/* Whether a device whose attempt ended so takes the next one. */
bool serin_retry_again(enum serin_state state, enum serin_reason reason);
/* Lets the next failed members try again, as far as the step has room for. */
void serin_retry_sweep(struct serin_step *step);

/* ---- engine_test.c ---- */

/* The root of x ≥ 0, below 10^18. */
double serin_test_root(double x);
/* The block of evidence of the member at `index`; below SERIN_ENGINE_BLOCKS_MAX. */
uint32_t serin_test_block(uint32_t population, uint32_t index);
/* Computes the halt statistic and what the stage needs, after failures, withdrawals, or another
 * comparison. */
void serin_test_update(struct serin_rollout *rollout);
/* Whether the release is rejected; failures that were judged alone reject nothing. */
bool serin_test_trips(const struct serin_rollout *rollout);
/* Whether the stage is accepted now; whether it is too small to be, even without a failure; and
 * whether it may not pass. */
bool serin_test_accepts(const struct serin_rollout *rollout);
bool serin_test_small(const struct serin_rollout *rollout);
bool serin_test_holds(const struct serin_rollout *rollout);
/* Whether the evidence speaks rather against the release: then exposure grows more slowly. */
bool serin_test_leans(const struct serin_rollout *rollout);
void serin_test_words_halt(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                           const struct serin_members *members);
void serin_test_words_hold(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                           const struct serin_members *members);
void serin_test_words_accept(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout);

/* ---- engine_marks.c ---- */

/* Notes what the watch shows, with each comparison. */
void serin_marks_note(struct serin_rollout *rollout);
/* Who was not heard after this (Unix seconds) was silent for `span_s` on the watch; 0: nobody is
 * known to be. */
uint32_t serin_marks_heard_before_s(const struct serin_rollout *rollout, uint64_t span_s);
/* The most that the watch can have shown at a time (Unix seconds), in seconds: it runs no faster
 * than the clock, and before the first mark nothing is known. */
uint64_t serin_marks_shown_s(const struct serin_rollout *rollout, uint64_t at_s);
/* Notes an outage of reports that is over. */
void serin_outages_note(struct serin_rollout *rollout, uint64_t now_ms);
/* Of devices that beat once in `gap_s`, the part of which outages can have kept every beat from
 * being heard since the watch showed `gaps` times as much less: no more than of those beats that
 * came in that one of these gaps in which reports were down least. 1: it is not known. */
double serin_outages_share(const struct serin_rollout *rollout, uint32_t gap_s, uint32_t gaps);

/* ---- engine_spells.c ---- */

/* Of how many it is asked whether the network is dark, and what they show. */
struct serin_dark {
    uint32_t of, lasting, longs;
    uint32_t pieced;           /* of `lasting`: only in pieces, between outages of reports */
    uint64_t silence_s, gap_s; /* sums over those that are lasting */
};
/* Counts one more device, of which enough is known. */
void serin_spells_count(struct serin_dark *dark, const struct serin_rollout *rollout,
                        const struct serin_health *health, uint64_t now_s);
/* Puts into the comparison what those show that do not run the release, or, where these are fewer
 * than `minimum`, what those do that an earlier stage confirmed. */
void serin_spells_note(struct serin_comparison *found, const struct serin_dark *others,
                       const struct serin_dark *confirmed, uint32_t minimum);

/* What a time-out is to the test. */
enum serin_excuse {
    SERIN_EXCUSE_NONE,
    SERIN_EXCUSE_OPEN, /* the spell that it came in may go on: it is not known yet */
    SERIN_EXCUSE_NETWORK
};
/* Of a device that timed out when the watch showed that: a function of that and the spells. */
enum serin_excuse serin_spells_excuse(const struct serin_rollout *rollout, uint32_t timed_out_s);
/* Whether a device was heard in the last half of a deadline that is over now. */
bool serin_spells_heard(const struct serin_rollout *rollout, const struct serin_health *health);
/* Notes what the last comparison says of the network. True: it is dark, so that others may be
 * excused than before, and the evidence is to be counted anew. */
bool serin_spells_compared(struct serin_rollout *rollout);
/* Counts the evidence anew where a spell settled since it was counted last. In each step, after the
 * clock. */
void serin_spells_settle(struct serin_step *step);
/* When the watch shows that one settles (ms); NEVER: none will, or nobody timed out. */
uint64_t serin_spells_due_ms(const struct serin_rollout *rollout);
/* Whether more of the stage's devices are excused than what was seen of others, and the accepted
 * rate, let expect, or more were heard late than that rate does; and what people read of it. */
bool serin_spells_hold(const struct serin_rollout *rollout);
void serin_spells_words(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout);

/* ---- engine_sites.c ---- */

/* Failures of the offered members by site, and by hardware revision. */
struct serin_cluster {
    uint32_t site;      /* the gateway that most of them stand behind, or SERIN_SITE_DIRECT: none */
    uint32_t failures;  /* behind it */
    uint32_t elsewhere; /* members anywhere else that have resolved */
    uint16_t hardware;  /* the revision that most of them are, or 0: none is known */
    uint32_t hardware_failures, hardware_elsewhere; /* the same figures of it */
};
struct serin_cluster serin_sites_cluster(const struct serin_rollout *rollout,
                                         const struct serin_members *members);
/* Whether all failures are one gateway's, or one revision's, and enough members elsewhere are well:
 * then it is that to blame, as far as anyone can tell from here. serin_cluster_alone is either. */
bool serin_cluster_alone(const struct serin_rollout *rollout, const struct serin_cluster *cluster);
bool serin_cluster_site_alone(const struct serin_rollout *rollout,
                              const struct serin_cluster *cluster);
bool serin_cluster_hardware_alone(const struct serin_rollout *rollout,
                                  const struct serin_cluster *cluster);
/* Whether so many failures are the site's, or the revision's, that a reader should know. */
bool serin_cluster_named(const struct serin_rollout *rollout, const struct serin_cluster *cluster);
bool serin_cluster_hardware_named(const struct serin_rollout *rollout,
                                  const struct serin_cluster *cluster);

/* The figures without the gateway behind which most of those stand that resolved. */
struct serin_without {
    uint32_t
        site; /* SERIN_SITE_DIRECT: no gateway's can matter, and the figures are those of all */
    uint32_t resolved, failures; /* of all members but its */
};
/* Looks where those stand that resolved, if that could matter to FAILURES in this step and is not
 * known from before: `seen`. Of a few thousand offered members nothing is kept, and nothing is
 * guessed; of more, what is kept rules a trip out, or is at most a part in 32 old while devices are
 * waited for. Ask it in each step before conclusions are drawn. */
void serin_sites_look(struct serin_step *step);
/* What it found; walks over the members where they are few and one gateway could matter. */
struct serin_without serin_sites_without(const struct serin_rollout *rollout,
                                         const struct serin_members *members);

/* A stage behind one gateway, and how many more in rank it takes until it no longer is. */
struct serin_lone {
    uint32_t site;
    uint32_t count;
};
/* Whether all offered members that `counts` takes stand behind one gateway, and the population has
 * another elsewhere; `*lone` is set only then. */
bool serin_sites_lone(const struct serin_rollout *rollout, const struct serin_members *members,
                      bool (*counts)(const struct serin_member *member), struct serin_lone *lone);

/* ---- engine_members.c ---- */
/* A failure by the gate's books; a member that counts for the gate; and one that can give evidence,
 * being neither silent for too long nor withdrawn. */
bool serin_member_failed(const struct serin_member *member);
bool serin_member_resolved(const struct serin_member *member);
bool serin_member_in_reach(const struct serin_member *member);
/* Whether the member came to this stage by joining the population while it ran. One that the stage
 * was widened to reach is not late: it was chosen, and is waited for. */
bool serin_member_late(const struct serin_rollout *rollout, const struct serin_member *member);
/* Moves one member, keeps the books, adds SAVE_MEMBER. False: its state does not allow it. */
bool serin_member_enter(struct serin_step *step, uint32_t index, enum serin_state state,
                        enum serin_reason reason);
/* The same for an attempt before the last RETRY that ended so: it may try again, and is idle. */
bool serin_member_failed_earlier(struct serin_step *step, uint32_t index, enum serin_state state);
/* Has silent members up to the threshold no longer count as in flight. */
void serin_members_settle(struct serin_rollout *rollout);
/* Takes the present threshold for that at which the stage began, after a step of the ramp: so that
 * joiners and patience count from it. */
void serin_members_restage(struct serin_rollout *rollout, const struct serin_members *members);
/* Raises the threshold and books whom it now covers. */
void serin_members_cover(struct serin_rollout *rollout, const struct serin_members *members,
                         uint64_t threshold);
/* The threshold that offers to `target` members that can still give evidence, or to everyone known.
 */
uint64_t serin_members_threshold(const struct serin_rollout *rollout,
                                 const struct serin_members *members, uint32_t target);
/* Looks at the next SERIN_ENGINE_SWEEP_MAX members for deadlines that have passed. */
void serin_members_sweep(struct serin_step *step);
/* Notes that a deadline will pass when the watch shows `due_ms`. */
void serin_members_due(struct serin_rollout *rollout, uint64_t due_ms);

/* ---- engine_evidence.c ---- */

/* What a member is to the test. */
enum serin_evidence_kind {
    SERIN_EVIDENCE_NONE,
    SERIN_EVIDENCE_OPEN, /* offered, and not at its end: for the halt statistic it is well so far */
    SERIN_EVIDENCE_WELL,
    SERIN_EVIDENCE_FAILED,
    SERIN_EVIDENCE_SILENT, /* timed out, and excused */
    SERIN_EVIDENCE_PENDING /* timed out, and perhaps excused: for the halt statistic it is open */
};
static inline void serin_figure_count(uint32_t *figure, bool add)
{
    *figure = add ? *figure + 1 : *figure - 1;
}
enum serin_evidence_kind serin_evidence_of(const struct serin_rollout *rollout,
                                           const struct serin_member *member);
/* Adds what a member at `index` is to the test, or takes it off. */
void serin_evidence_book(struct serin_rollout *rollout, const struct serin_member *member,
                         uint32_t index, bool add);
/* Whether the halt statistic may have grown, or the stage's need changed: by a failure, and by one
 * who is withdrawn. What goes well only makes it fall, and that changes no decision. */
bool serin_evidence_tests_anew(uint8_t stage, enum serin_evidence_kind had,
                               enum serin_evidence_kind has);
/* Keeps how an attempt ended that the member leaves for another one. */
void serin_evidence_keep(struct serin_rollout *rollout, struct serin_member *member,
                         enum serin_evidence_kind end);
/* Counts the evidence anew, after failures were accepted. */
void serin_evidence_recount(struct serin_rollout *rollout, const struct serin_members *members);

/* ---- engine_sort.c ---- */
void serin_members_sort(struct serin_members *members);

/* ---- engine_words.c ---- */
void serin_step_audit(struct serin_step *step, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The ending of a word that is counted: "" of one, else "s". */
const char *serin_words_plural(uint32_t count);
/* What follows on figures of failures that so many time-outs are no part of, as the network excuses
 * them; "": 0 are. */
#define SERIN_SILENT_TEXT_MAX 48u
void serin_words_silent(char out[SERIN_SILENT_TEXT_MAX], uint32_t count);
/* `what`, and after it the operator's note, if there is one. */
void serin_words_noted(char out[SERIN_ROLLOUT_WHY_MAX], const char *what, const char *note);
/* Adds the same behind what `out` says already: where both do not fit, the beginning of either. */
void serin_words_also(char out[SERIN_ROLLOUT_WHY_MAX], const char *what, const char *note);
/* Room for a gateway's id, or for its number. */
#define SERIN_SITE_TEXT_MAX (SERIN_ID_MAX + 1u)
/* The reason that most devices failed for, but for excused time-outs; the lowest number among
 * equals. */
enum serin_reason serin_words_commonest(const struct serin_rollout *rollout);
/* What a site is called. */
void serin_words_site_name(char out[SERIN_SITE_TEXT_MAX], const struct serin_members *members,
                           uint32_t site);
/* Adds to a text of SERIN_ROLLOUT_WHY_MAX where most failures are, if they are of one gateway or
 * revision. */
void serin_words_cluster(char *out, const struct serin_rollout *rollout,
                         const struct serin_members *members);
/* The same behind figures of one stage: of how many failures in all. False: nothing was added. */
bool serin_words_cluster_held(char *out, const struct serin_rollout *rollout,
                              const struct serin_members *members);
/* What the present stage passes on, as it stands: of its own devices, of all that ever confirmed,
 * and of the last comparison, if one was made. */
void serin_words_passes(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                        const char *verb);
/* Why a gate halted: the figures, the gateway or revision where most failures are of one, the limit
 * and the commonest reason; and why one holds. */
void serin_words_trip(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_trip *trip);
/* Why a stage that found too few devices holds, and one that found nobody behind another gateway.
 */
void serin_words_spent(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout);
void serin_words_lone(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_lone *lone);
/* Why one holds of which nobody is left who could show anything; and what a ramp waits for. */
void serin_words_unproven(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout);
void serin_words_stalled(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout);
void serin_words_hold(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_trip *trip);
/* Why it paused instead: the gateway or the revision, its failures, and what became of the others.
 */
void serin_words_site(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_cluster *cluster);

#endif

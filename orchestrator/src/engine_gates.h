/* What the gates, and the comparison that they ask of silence and errors, share
 * (docs/spec/rollout.md, section 5). Nothing here leaves the folder. */
#ifndef SERIN_ENGINE_GATES_H
#define SERIN_ENGINE_GATES_H

#include <serin/orchestrator/engine.h>

struct serin_step;

/* ---- engine_gates.c ---- */

/* Why a stage may not pass though nothing trips. */
enum serin_doubt {
    SERIN_DOUBT_NONE = 0,
    SERIN_DOUBT_CONTROL_SMALL, /* too few are left to compare with, and never were enough */
    SERIN_DOUBT_CONTROL_OLD,   /* the control group was last large enough some time ago */
    SERIN_DOUBT_SITE,          /* without one gateway's devices nothing would be wrong */
    SERIN_DOUBT_UNSURE,        /* above the limit, and too few for certainty */
    SERIN_DOUBT_FEW,           /* the same, with fewer updated than the gate's minimum */
    SERIN_DOUBT_CHANCE,        /* REGRESSIONS: above the limit, and the test says not yet why */
    SERIN_DOUBT_UNKNOWN,       /* of many updated devices nothing is known any more */
    SERIN_DOUBT_UNJUDGED,      /* of many too little is known to judge them, but not of others */
    SERIN_DOUBT_UNHEARD,       /* many were not heard yet since reports are up */
    SERIN_DOUBT_LOST,          /* many that some stage updated are silent, more than others */
    SERIN_DOUBT_BEFORE,        /* the same, with those that ran it, and were silent, before */
    SERIN_DOUBT_MOST,          /* LOST, but so many others are that these tell nothing */
    SERIN_DOUBT_YOUNG          /* it would halt, but was not found for long enough */
};

/* A gate that tripped, or holds, with the figures that it was judged on. */
struct serin_trip {
    enum serin_gate gate;     /* INVALID: the gate of `reason` */
    enum serin_reason reason; /* INVALID but for the gate of one reason */
    enum serin_doubt doubt;   /* of serin_gates_hold */
    struct serin_gate_policy limit;
    uint32_t bad, of; /* without those behind `without` */
    uint32_t without; /* the gateway left out, or SERIN_SITE_DIRECT */
    /* SILENCE and ERRORS: the control group, what it let expect, and how old its figures are. Of
     * those that are lost: all others. */
    uint32_t control_bad, control_of, expected_permyriad, age_s;
};

/* What chance alone exceeds: a difference between the groups halts when it is more than four
 * standard errors, which it is once in 30,000 comparisons; it may not pass above three, and a few
 * not above two. */
#define SERIN_HALT_ERRORS 4.0
#define SERIN_HOLD_ERRORS 3.0
#define SERIN_FEW_ERRORS  2.0
/* The same in hundredths. */
#define SERIN_HALT_DEVIATION 400u
#define SERIN_HOLD_DEVIATION 300u

/* Whether a gate is asked at all; whether a share is above its limit; and above it after what was
 * to be expected anyway. */
bool serin_gate_on(const struct serin_gate_policy *limit);
bool serin_gate_above(const struct serin_gate_policy *limit, uint64_t bad, uint64_t of);
bool serin_gate_exceeds(const struct serin_gate_policy *limit, uint64_t bad, uint64_t of,
                        uint32_t expected_permyriad);

/* The figures of one question of the last comparison. */
struct serin_symptom {
    uint32_t bad, of;           /* updated */
    uint32_t site_bad, site_of; /* of them, behind the gateway that has most */
    uint32_t control_bad;
    uint32_t expected_permyriad, deviation;
};
struct serin_symptom serin_symptom_of(const struct serin_comparison *comparison,
                                      enum serin_gate gate);
/* A trip of these figures. */
void serin_symptom_fill(struct serin_trip *trip, const struct serin_rollout *rollout,
                        enum serin_gate gate, const struct serin_symptom *s);
/* Whether a comparison was made for the gate, if it is on; and with enough updated devices to speak
 * of. */
bool serin_gates_compared(const struct serin_rollout *rollout, enum serin_gate gate);
bool serin_gates_enough(const struct serin_rollout *rollout, enum serin_gate gate);

/* Members that have come to an end, the failures among them, and those of these that the network
 * may have silenced. */
struct serin_ends {
    uint32_t resolved, failures, excused;
};

/* Whether a member timed out, perhaps because of the network. */
bool serin_gates_excuse(const struct serin_rollout *rollout, const struct serin_member *member);
/* What gates count of some members: `excused` are left out of both, but no more than the network
 * silences of so many. */
struct serin_ends serin_gates_count(const struct serin_rollout *rollout,
                                    const struct serin_ends *all);
/* All members that were offered it; and these as gates count them, which may take a root: in a
 * report ask once. */
struct serin_ends serin_gates_all(const struct serin_rollout *rollout);
struct serin_ends serin_gates_counted(const struct serin_rollout *rollout);
uint32_t serin_gates_failures(const struct serin_rollout *rollout);
uint32_t serin_gates_resolved(const struct serin_rollout *rollout);
/* Of those failures, the ones since the last judgement of a gateway's or a revision's: where there
 * are none no gate on failures is asked. */
uint32_t serin_gates_unjudged(const struct serin_rollout *rollout);
uint32_t serin_gates_reason(const struct serin_rollout *rollout, enum serin_reason reason);
/* Whether any gate with a limit trips now: all but the sequential test. Failures that were
 * judged trip none again; SILENCE and ERRORS are judged on the last comparison. Cheap
 * while few fail: it is asked after every report. */
bool serin_gates_trip(const struct serin_rollout *rollout, const struct serin_members *members,
                      struct serin_trip *trip);
/* Whether the last comparison found what halts, if it lasts: SILENCE or ERRORS. */
bool serin_gates_exceeds(const struct serin_rollout *rollout, enum serin_gate gate);
/* Whether more went wrong after confirmation than the gate's limit. */
bool serin_gates_regressed(const struct serin_rollout *rollout, struct serin_trip *trip);

/* Whether it is failures that tripped it: then those of one gateway or one hardware revision alone
 * pause instead of halting. */
bool serin_trip_of_failures(const struct serin_trip *trip);
/* Whether a device that rolled back for this reason had booted the image and did not stay on it. */
bool serin_gate_boot_reason(enum serin_reason reason);

/* ---- engine_doubt.c ---- */

/* Whether the stage may not pass though nothing trips. Ask after serin_gates_compare. */
bool serin_gates_hold(const struct serin_rollout *rollout, const struct serin_members *members,
                      struct serin_trip *trip);
/* The same of one gate: REGRESSIONS, SILENCE or ERRORS. */
bool serin_gate_holds(const struct serin_rollout *rollout, enum serin_gate gate,
                      struct serin_trip *trip);

/* ---- engine_health.c ---- */

/* The comparison is made at most so often, by the wall clock: it walks over the fleet, and what it
 * finds (three gaps between beats, rates of hours) changes slowly. */
#define SERIN_COMPARE_MS       900000u
#define SERIN_COMPARE_SOON_MS  60000u
#define SERIN_COMPARE_LEAST_MS 1000u /* and never more often */
/* Compares now if a comparison is due, and once more when a soak is over; walks over the members.
 * Call it on each TICK of a state with a gate, before conclusions are drawn. */
void serin_gates_compare(struct serin_step *step);
/* Compares now, whatever is due, for a stage that is about to pass. False: that was done in this
 * step, or no gate asks for it. */
bool serin_gates_compare_last(struct serin_step *step);
/* The gateway behind which most of the silent, or of the unwell, stand; walks over the members. */
uint32_t serin_gates_site(const struct serin_rollout *rollout, const struct serin_members *members,
                          enum serin_gate gate);
/* Whether silence and errors may be judged as they were found last: reports are up, and a
 * comparison was made since, where a gate asks for any. Without it no stage passes. */
bool serin_gates_current(const struct serin_rollout *rollout, const struct serin_members *members);
/* When the next comparison is due (Unix ms); NEVER where no gate asks for one. */
uint64_t serin_gates_compare_due_ms(const struct serin_rollout *rollout,
                                    const struct serin_members *members);

/* ---- engine_expect.c ---- */

/* Revisions with figures of their own; the last row is of all others. */
#define SERIN_REVISION_ROWS 16u
/* Sums over groups of the updated, each with the control group that stands for it. */
struct serin_expectation {
    double silent, unwell; /* updated devices that would show it anyway */
    double spread;         /* Σ updated² ÷ control: how unsure the control groups leave it */
};
/* Of the strata of `members`, of hardware revisions, and of all. */
struct serin_expectation serin_gates_expect(const struct serin_members *members,
                                            const struct serin_stratum rows[SERIN_REVISION_ROWS],
                                            const struct serin_stratum *all);
/* Hundredths of a percent, rounded; at most all. */
uint32_t serin_gates_share_permyriad(double part, uint32_t of);
/* By how many hundredths of a standard error `bad` is above what was expected of a control group;
 * `ratio`: those that it is counted of, to the group's size. */
uint32_t serin_gates_deviation(uint32_t bad, double expected, double ratio);
/* Whether `bad` are more than so many standard errors above what was expected, both counted as for
 * a deviation. `ratio` 0: `expected` is a limit, and known. */
bool serin_gates_unlikely(uint32_t bad, double expected, double ratio, double errors);
/* Whether more than half show it, and twice as many as others let expect. */
bool serin_gates_most(uint64_t bad, uint64_t of, uint32_t expected_permyriad);

/* ---- engine_lost.c ---- */

/* What a device's own last word says of it, whatever is known of it else. */
enum serin_word {
    SERIN_WORD_NONE, /* it never beat, and nobody expects it to; or it was silent before */
    SERIN_WORD_HEARD,
    SERIN_WORD_UNHEARD, /* not for long, but it had no time to be since reports are up */
    SERIN_WORD_SILENT
};
/* Who is silent, while a comparison counts. */
struct serin_lost {
    uint64_t now_s, created_s, asked_from_s;
    uint32_t earlier, earlier_lost; /* confirmed by earlier stages; and not heard any more */
};
/* Counts an updated device, or another one. What it says then; NONE: it is in no figure of its
 * group, but may be in those of before. */
enum serin_word serin_lost_count(const struct serin_lost *lost, struct serin_comparison *found,
                                 const struct serin_member *member,
                                 const struct serin_health *health, bool other);
/* When all are counted: what is expected of the updated, of `last` where too few others are left.
 */
void serin_lost_settle(const struct serin_lost *lost, struct serin_comparison *found,
                       const struct serin_comparison *last, uint32_t minimum);
/* What share earlier stages show to be silent, with what chance may hide of it. False: there are
 * none. */
bool serin_lost_share(const struct serin_lost *lost, uint32_t *permyriad);
/* Of those that an operator went on over, who is heard or well again is waived no longer: or others
 * could fall silent in their place. After a comparison. */
void serin_lost_keep_waived(struct serin_rollout *rollout);
/* Updated devices that are silent, or not heard, by their own last word. */
uint32_t serin_gates_lost(const struct serin_rollout *rollout);
/* Whether more show silence, or errors, than an operator went on over, by more than the gate's
 * limit. */
bool serin_gates_worse(const struct serin_rollout *rollout, enum serin_gate gate);
/* Whether too many of the updated were not heard yet since reports are up: at once those that had
 * no time to be, and then more than others. */
bool serin_lost_unheard(const struct serin_rollout *rollout);
/* Whether the lost hold the stage, and the figures. */
bool serin_lost_holds(const struct serin_rollout *rollout, struct serin_trip *trip);

/* ---- engine_lasting.c ---- */

/* How long to wait for the next comparison: less than SERIN_COMPARE_MS while there is something
 * that would halt if it lasts, of devices that are heard more often. */
uint64_t serin_gates_pause_ms(const struct serin_rollout *rollout);

/* Usual gaps of devices, by rows of four to an octave. */
#define SERIN_GAP_ROWS 80u
struct serin_gaps {
    uint32_t count[SERIN_GAP_ROWS];
    uint32_t longest_s[SERIN_GAP_ROWS]; /* of those in the row */
};
void serin_gaps_add(struct serin_gaps *gaps, uint32_t gap_s);
/* The least gap of which, with all that are shorter, there are more than `few`: what remains is too
 * little to matter. 0: there are not so many at all. */
uint32_t serin_gaps_matter(const struct serin_gaps *gaps, uint64_t few);
/* From now on everybody has to be heard anew, and nothing lasts: after REPORTS_UP, and after a jump
 * of the clock. */
void serin_gates_unsettle(struct serin_rollout *rollout, uint64_t now_ms);
/* Whether what would halt was found for so long that it does: longer than any two devices can
 * differ in when they are missed, or heard again, though the same befell them. */
bool serin_gates_lasts(const struct serin_rollout *rollout, enum serin_gate gate);
/* Goes on from what it was at the comparison before; `gaps` are of those of the updated that show
 * it. */
void serin_gates_go_on(struct serin_rollout *rollout, enum serin_gate gate,
                       const struct serin_lasting *before, const struct serin_gaps *gaps);

#endif

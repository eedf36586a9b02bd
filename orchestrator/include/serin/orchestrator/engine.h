/*
 * The rollout engine: pure and table-driven (docs/spec/rollout.md; design decisions 2, 3, 12 to
 * 14).
 *
 *   step(rollout, now, event) → actions
 *
 * One struct serin_rollout is one rollout on one product and channel. Its members, the devices of
 * that product and channel in order of rank, are an array that the caller gives. The engine does no
 * I/O, knows no store, no revision and no leader: the caller persists the rollout and the members
 * that an action names in one transaction, and only then carries the other actions out (persist,
 * then act). If persisting fails it restores the copies that it took before the step.
 *
 * Time: `now_ms` is wall-clock Unix time in milliseconds. It may jump; a jump backwards, or
 * forwards by more than SERIN_ENGINE_JUMP_MS between two events while reports are up, stops the
 * soak from counting that span and is reported with an AUDIT action. Soak, patience and deadline
 * are all measured on the rollout's own watch (`watch_ms`), which runs only while reports can
 * arrive, the rollout is not paused and the clock does not jump: an outage of serind makes nobody
 * silent.
 *
 * After serin_rollout_init and after loading from a store, reports are down: send REPORTS_UP as
 * soon as they can arrive, or no soak will ever end, and no stage pass.
 */
#ifndef SERIN_ORCHESTRATOR_ENGINE_H
#define SERIN_ORCHESTRATOR_ENGINE_H

#include <serin/orchestrator/health.h>
#include <serin/orchestrator/policy.h>

#define SERIN_ENGINE_JUMP_MS 600000u /* ten minutes */
/* A step back by no more than this is the noise of a disciplined clock: nothing is counted until
 * the clock has caught up, and nothing is said. */
#define SERIN_ENGINE_SLEW_MS 1000u
/* Members that one TICK looks at for deadlines. */
#define SERIN_ENGINE_SWEEP_MAX 4096u
/* A stage behind one gateway goes on at most so many members in rank to find one elsewhere: where
 * none stands that near, the fleet is one site's, and a canary stays a canary. */
#define SERIN_ENGINE_ELSEWHERE_MAX 16u

enum serin_rollout_state {
    SERIN_ROLLOUT_INVALID = 0,
    SERIN_ROLLOUT_AWAITING = 1,   /* the next stage waits: for approval, the start, or evidence */
    SERIN_ROLLOUT_ROLLING = 2,    /* devices of the stage are being resolved */
    SERIN_ROLLOUT_SOAKING = 3,    /* all resolved; being watched */
    SERIN_ROLLOUT_PAUSED = 4,     /* by an operator, or because one site fails alone */
    SERIN_ROLLOUT_HALTED = 5,     /* by a gate or an operator; final but for abort */
    SERIN_ROLLOUT_COMPLETED = 6,  /* candidate promoted to stable; final */
    SERIN_ROLLOUT_ABORTED = 7,    /* withdrawn; final */
    SERIN_ROLLOUT_SUPERSEDED = 8, /* another took its place; final */
    SERIN_ROLLOUT_CREATED = 9,    /* not started: START is to come */
    SERIN_ROLLOUT_STATE_COUNT
};

enum serin_rollout_event_kind {
    SERIN_ROLLOUT_EVENT_INVALID = 0,
    SERIN_ROLLOUT_START = 1,
    SERIN_ROLLOUT_MEMBER = 2, /* a member's attempt reached `state` for `reason` */
    SERIN_ROLLOUT_TICK = 3,
    SERIN_ROLLOUT_REPORTS_UP = 4, /* reports can arrive (connected to the brokers) */
    SERIN_ROLLOUT_REPORTS_DOWN = 5,
    SERIN_ROLLOUT_PAUSE = 6,
    SERIN_ROLLOUT_RESUME = 7,
    SERIN_ROLLOUT_HALT = 8,
    /* Skips the rest of the soak, or approves the next stage, or goes on where a stage is held,
     * without proof; what it waives is what holds the stage then. In ROLLING it is refused, but
     * where a stage has nobody left to wait for and to offer it to. */
    SERIN_ROLLOUT_ADVANCE = 9,
    SERIN_ROLLOUT_ABORT = 10,
    SERIN_ROLLOUT_SUPERSEDE = 11,
    /* Devices that failed may try again: the attempt number rises, and members that had failed
     * (rolled_back, failed, rejected, timed_out) become idle again over the next TICKs. Their
     * failures stay evidence against the image. */
    SERIN_ROLLOUT_RETRY = 12,
    SERIN_ROLLOUT_EVENT_COUNT
};

struct serin_rollout_event {
    enum serin_rollout_event_kind kind;
    uint32_t member; /* MEMBER: index into the members */
    enum serin_state state;
    enum serin_reason reason;
    /* MEMBER: of an attempt before the last RETRY. What ended badly may then be tried again at
     * once, as by all that had failed when RETRY came: its failure stays evidence. */
    bool before_retry;
    /* PAUSE, HALT: no operator's order, but what the caller found to have been published before its
     * store was restored; `note` says what, and is the reason. */
    bool restored;
    /* PAUSE, RESUME, HALT, ADVANCE, ABORT, RETRY: the operator's words, or NULL. They go into `why`
     * and the audit text, cut to fit, bytes outside printable ASCII as '?'. */
    const char *note;
};

/* One device of the population, 24 bytes. `rank` orders the array, ties by `device`. */
struct serin_member {
    uint64_t rank;
    uint32_t device;   /* the caller's own index; what the look-up of its site is asked with */
    uint32_t since_s;  /* Unix seconds: accepted, then final; 0: nothing heard */
    uint8_t state;     /* enum serin_state; IDLE: not offered or nothing heard */
    uint8_t reason;    /* enum serin_reason */
    uint8_t stage : 5; /* 1-based stage that first offered it; 0: not offered */
    /* It timed out, though it was heard in the last half of its deadline. */
    uint8_t heard_late : 1;
    uint8_t joined : 5; /* stage during which it joined the population; 0: there from the start */
    /* An attempt before this one ended badly for it, or in silence, and RETRY let it try again: the
     * failure stays evidence against the image. Both: in silence, and it was not known yet whether
     * the network excuses that (`retried_s`). */
    uint8_t failed_before : 1;
    uint8_t silent_before : 1;
    /* It ran the release before it was offered it: no evidence for the test, either way. Who makes
     * a member that is CONFIRMED sets it; the engine does where one confirms above the threshold.
     */
    uint8_t ran_before : 1;
    uint32_t watch_s; /* the rollout's watch at since_s, or at joining */
};
_Static_assert(sizeof(struct serin_member) == 24, "members are stored by the hundred thousand");

struct serin_tally {
    uint32_t offered;   /* at or below the threshold */
    uint32_t accepted;  /* ever reached pending */
    uint32_t confirmed; /* now confirmed */
    uint32_t failed;    /* rolled_back, failed, timed_out, and what went wrong after confirmation */
    uint32_t rejected;  /* the device refused the manifest: resolved, and a failure */
    uint32_t unreached;
    uint32_t regressed; /* part of failed: confirmed, then regressed or reverted */
    uint32_t other;     /* superseded, cancelled: out of the books of the gate */
};

#define SERIN_ROLLOUT_WHY_MAX 160u

/* Evidence is kept by blocks of members in order of rank: a change of the image's luck anywhere in
 * the fleet is found from the block on in which it began (docs/spec/rollout.md, section 11). */
#define SERIN_ENGINE_BLOCKS_MAX 192u

struct serin_evidence {
    uint32_t exposed[SERIN_ENGINE_BLOCKS_MAX]; /* offered; unreached and withdrawn ones apart */
    /* Of them: failed, in this attempt or in one before it; without those below, and without those
     * that an operator accepted with RESUME. */
    uint32_t failed[SERIN_ENGINE_BLOCKS_MAX];
    /* Timed out, and excused: the network may be the reason. Those of which it is not known yet
     * are in neither. */
    uint32_t silent[SERIN_ENGINE_BLOCKS_MAX];
    uint32_t population; /* members when the blocks were laid out */
    /* Resolved, of who was offered this stage; silent also where the excuse is not known yet. */
    uint32_t stage_well, stage_failed, stage_silent;
    /* Part of stage_silent: heard late in their deadlines all the same. */
    uint32_t stage_heard;
    uint32_t stage_need; /* the stage is accepted when stage_well is at least so many */
    uint32_t stage_even; /* below so many the evidence leans towards the rejected rate */
    uint32_t stage_offered, stage_resolved; /* of who was offered this stage, for whatever reason */
    uint32_t settled;                       /* silent members at or below `settled_rank` */
    uint32_t excused;                       /* timed out, and perhaps because of the network */
    /* Failed since the last judgement of a gateway's or a revision's failures; and of them, those
     * that are among `excused`. */
    uint32_t unjudged, unjudged_excused;
    /* Of the latter, those that the network may yet excuse, or not; and members of which that was
     * not known when RETRY let them try again. */
    uint32_t undecided, undecided_before;
    double against; /* the halt statistic as it stood at the last failure */
};

/* How long what would halt was found, without a break. */
struct serin_lasting {
    uint64_t from_ms; /* the first comparison that found it (Unix); 0: the last one did not */
    uint32_t gap_s;   /* it halts when it was found for so long, and one comparison more */
};

/* A time, on the watch in seconds, in which devices that do not run the release were silent beyond
 * chance (docs/spec/rollout.md, section 11). */
struct serin_spell {
    uint32_t from_s, until_s; /* when they were last heard, and when they were last seen silent */
    uint32_t settled_s;       /* from then on it is known that the spell did not go on */
    uint32_t lit_s; /* of the time from the one to the other they were heard: two in one */
};
#define SERIN_ENGINE_SPELLS_MAX 16u

/* A moment by the clock, in Unix seconds, and what the watch showed then, in seconds: silence is
 * known by the clock, and a deadline passes on the watch. */
struct serin_mark {
    uint32_t at_s, watch_s;
};
#define SERIN_ENGINE_MARKS_MAX 16u

/* An outage of reports: what the watch showed, which stood, in seconds, and how long it was. */
struct serin_outage {
    uint32_t watch_s, for_s; /* UINT32_MAX: not known */
};
#define SERIN_ENGINE_OUTAGES_MAX 16u

/* What the comparison with the control group last gave (docs/spec/rollout.md, section 5). Of both
 * groups only devices count of which enough was heard before, and that were not silent when the
 * stage opened: so a stage answers for what fell silent during it.
 *
 * The control group are devices that were not offered the release yet. When fewer than
 * `control_minimum` are left its figures stay as they were last, and `control_at_ms` says when. */
struct serin_comparison {
    uint64_t at_ms;         /* Unix; 0: never made */
    uint64_t control_at_ms; /* when the control group was counted: at_ms while it is large enough */
    uint32_t updated, updated_silent, updated_unwell;
    uint32_t control, control_silent, control_unwell;
    /* What the control group would show if it were made up, by hardware and site, as those that
     * were updated: hundredths of a percent. */
    uint32_t expected_silent_permyriad, expected_unwell_permyriad;
    /* By how many hundredths of a standard error the updated are above what was expected. */
    uint32_t silent_deviation, unwell_deviation;
    /* Of the updated, those behind the gateway behind which more than half of the silent, or of the
     * unwell, stand: how many they are and how many of them show it; 0 and 0 where none has. */
    uint32_t silent_site_updated, silent_site_silent;
    uint32_t unwell_site_updated, unwell_site_unwell;
    /* Of all that spoke of the release, those of which enough was heard to judge them: now, and at
     * most in this rollout. A restart of the caller, which forgets beats, shows as a fall. */
    uint32_t known, known_most;
    /* All that the rollout updated and that ever beat, in whatever stage they fell silent, and
     * whether or not enough is known of them: no stage passes over those of them that are silent by
     * their own last word, but as others are. Who ran the release before, and was silent when the
     * rollout was created, is counted apart. Unwell are those of which enough is known. */
    uint32_t ever_updated, ever_silent, ever_unwell;
    /* All that were not offered the release, ever beat and were not silent when the rollout was
     * created, and of them those that are silent now: what is expected of the former. As they were
     * when they were last `control_minimum` or more. */
    uint32_t rest, rest_silent;
    /* Besides `rest`, those that were silent when the rollout was created, and still are. */
    uint32_t rest_before;
    /* What follows is not stored: nothing is taken for lasting after a restart of the caller, and
     * nothing passes before it was counted anew (`compared`). */
    struct serin_lasting silent_lasting, unwell_lasting;
    /* Of control_silent, those that are silent for one more of their usual gaps: whoever was cut
     * off together with them has been silent since. */
    uint32_t control_lasting;
    /* Whether the network is dark is asked of so many: of the control group, or, where that is too
     * small, of those that an earlier stage confirmed. Of them: silent as those above; and for
     * three quarters of a deadline. Of the first, the mean silence (at most 12 hours of each) and
     * the mean usual gap. */
    uint32_t dark_of, dark_lasting, dark_long;
    /* Of dark_lasting, those that reports could not have told for so long without an outage. */
    uint32_t dark_pieced;
    uint32_t dark_silence_s, dark_gap_s;
    /* Of ever_updated, those that are silent by their own last word, but had no time to be heard
     * since reports are up, and of them those that had a quarter more than a usual gap at most; and
     * those of which enough is known to judge them. Of `rest`, those that had more than that, but
     * no time either; 0 where it is of before. */
    uint32_t ever_unheard, ever_early, ever_known;
    uint32_t rest_unheard;
    /* Besides ever_updated, those that ran the release when the rollout was created, were silent
     * then, and still are: an earlier rollout may have killed them. */
    uint32_t ever_before;
    /* All that accepted, and all that were not offered it; and of them those of which too little
     * was heard to judge them. */
    uint32_t accepted, accepted_unknown;
    uint32_t others, others_unknown;
};

/* Where those stood that had resolved when the engine last looked: it need not look again before
 * `margin` is used up (docs/spec/rollout.md, section 6). */
struct serin_sites_seen {
    uint64_t looked_ms;
    int64_t margin; /* a failure takes 10,000 of it; 0 or more: no gateway can matter before */
    uint32_t resolved, failures; /* as gates count them: without those that the network excuses */
    uint32_t excused;
    uint32_t site; /* the gateway that most of them were behind; and without it, as gates count: */
    uint32_t rest_resolved, rest_failures;
};

struct serin_rollout {
    uint64_t id; /* the caller's; never 0 */
    struct serin_policy policy;
    uint8_t salt[SERIN_SALT_SIZE];
    uint32_t attempt;
    uint32_t attempt_first; /* at its creation: those from it to `attempt` are this rollout's */
    enum serin_rollout_state state;
    enum serin_rollout_state resume_to; /* in PAUSED */
    uint32_t stage;                     /* 1-based; 0 before the start */
    uint64_t threshold;                 /* never falls */
    uint32_t target; /* devices this stage covers, apart from unreached and withdrawn ones */
    uint64_t created_ms, stage_started_ms, ended_ms;
    uint64_t soaked_ms; /* of this stage, while reports could arrive */
    uint64_t last_ms;   /* time of the last event */
    bool reports_up;    /* not stored: false after loading */
    /* A comparison was made since reports are up and no pause holds it (not stored): what an older
     * one found, or what a restart left of it, passes no stage. */
    bool compared;
    /* Since when reports arrive and the clock goes steadily (Unix ms; not stored): no device is
     * silent before it had time enough to be heard since then. */
    uint64_t heard_from_ms;
    /* The same, or when the last pause ended: in one no time is told from a jump of the clock. No
     * stage passes over who was heard before only (not stored). */
    uint64_t asked_from_ms;
    uint64_t watch_ms;       /* time in which reports could arrive, since the start, all stages */
    uint64_t stage_watch_ms; /* the watch when this stage started */
    /* The watch when the threshold of this stage last rose to replace silent devices. */
    uint64_t widened_watch_ms;
    uint64_t stage_threshold;              /* the threshold at which this stage started */
    uint64_t thresholds[SERIN_STAGES_MAX]; /* of each stage begun, as they stand now */
    struct serin_tally tally;
    uint32_t reasons[SERIN_REASON_COUNT]; /* failed and rejected devices by reason */
    /* Of a halt, an abort, and of a pause until it is resumed: with the figures it was taken on, or
     * the operator's words; of an abort of what was halted or paused both. Else: what it waits for,
     * where that is neither time nor the reports of devices that are at it; "": nothing else. */
    char why[SERIN_ROLLOUT_WHY_MAX];
    uint32_t publishes; /* PUBLISH actions so far: one a step, one for each other change */
    /* Failures that were found to stand behind one gateway, for people; which they are follows from
     * `judging_watch_s`. */
    uint32_t judged;
    /* The watch, in seconds, at the last judgement that RESUME accepted: failures that ended by
     * then are no evidence any more. 0: none are. */
    uint32_t judged_watch_s;
    uint32_t reached;      /* the ramp: devices that the stage covers so far, at most `target` */
    uint64_t settled_rank; /* silent members up to here were offered before the last settle time */
    uint64_t rate_ms;      /* when the allowance of the rate was last empty, or would have been */
    bool accepted;         /* the test accepts this stage as it stands: the ramp may grow */
    bool approved;         /* an operator lets the rollout leave AWAITING as soon as time allows */
    bool held; /* AWAITING because a gate or the test does not let it pass; `why` says which */
    uint32_t held_for; /* what `why` says that holds it, as the engine counts; 0: of before */
    /* AWAITING because nobody is left who could show anything of the stage: it has not soaked, and
     * rolls again when somebody is heard. */
    bool unproven;
    bool closed;   /* outside of the windows: the candidate is shown as paused */
    bool retrying; /* failed members are becoming idle */
    /* What `approved` waives of what held the stage, a bit a doubt, and how many had failed then:
     * another doubt, or more failures, ask the operator again. */
    uint32_t waived, waived_failures;
    /* The same of those that were lost (silent or not heard by their own last word) and unwell, but
     * for those of them that were heard, or well, since: more of them ask again where the more
     * alone are above the gate's limit. Version 6 of the record; of before none were waived. */
    uint32_t waived_lost, waived_unwell;
    /* Devices that were offered it and had not come to an end when an operator went on without
     * them: the ramp waits for so many no longer, or for as many as are left. */
    uint32_t forgiven;
    uint64_t retry_watch_ms; /* the watch at the last RETRY: who failed later keeps that */
    struct serin_comparison comparison;
    /* The share of a large enough control group that was silent, in hundredths of a percent, at
     * most: since the rollout began, with what chance may have hidden; and as it was counted, since
     * this stage did. 0: never beyond chance. */
    uint32_t silenced_permyriad, silenced_stage_permyriad;
    /* When that was so, in order, apart from each other: a device whose deadline ran then may have
     * timed out because of the network. */
    uint32_t spell_count;
    struct serin_spell spells[SERIN_ENGINE_SPELLS_MAX];
    /* Of so many devices that do not run the release (`of`) so many were silent for three quarters
     * of a deadline, on the watch, in that comparison of this stage in which it was the largest
     * share. */
    uint32_t long_silent, long_silent_of;
    /* The last comparisons, in order, at least a twelfth of a deadline apart on the watch. */
    uint32_t mark_count;
    struct serin_mark marks[SERIN_ENGINE_MARKS_MAX];
    /* What became of `on_halt: revert`: the caller's books, which the engine only keeps. The
     * rollout that takes the devices back, 0: none; or why there is none, "": not refused. */
    uint64_t reverted_by;
    char revert_why[SERIN_ROLLOUT_WHY_MAX];
    /* The threshold at the last judgement, and at the one that RESUME accepted: a device that ran
     * the release without having been offered it was no part of either. */
    uint64_t judging_threshold, judged_threshold;
    /* The watch, in seconds, at the last judgement: whatever had failed by then asks no gate again,
     * and RESUME accepts it. 0: there was none, or a version that did not say when made it. */
    uint32_t judging_watch_s;
    /* The watch, in seconds, at the first time-out that RETRY let try again before it was known
     * whether the network excuses it; 0: there was none. */
    uint32_t retried_s;
    /* The last outages of reports, in order; of before the first nothing is known. */
    uint32_t outage_count;
    struct serin_outage outages[SERIN_ENGINE_OUTAGES_MAX];
    /* Derived; serin_rollout_rebuild sets them. */
    uint32_t late; /* open devices that joined during this stage: it does not wait for them */
    uint32_t rolled_back; /* part of tally.failed */
    uint32_t boots;       /* part of rolled_back: they booted it and did not stay */
    uint32_t retry_next;  /* member at which the next TICK looks for who may try again */
    uint32_t counted_s;   /* the watch that the evidence was counted for: spells settle */
    struct serin_evidence evidence;
    uint64_t stood_watch_ms; /* the watch when it last stood still; not stored */
    /* Since when reports are down (Unix ms), 0: not known. Not stored: on loading it is the last
     * step, until which the caller was surely up. */
    uint64_t down_ms;
    struct serin_sites_seen seen;
    uint32_t sweep_next;   /* member at which the next TICK looks for deadlines */
    bool sweeping;         /* a pass over the members is under way */
    uint64_t sweep_due_ms; /* no deadline passes before the watch shows this */
};

enum serin_rollout_action_kind {
    SERIN_ROLLOUT_ACT_INVALID = 0,
    SERIN_ROLLOUT_ACT_SAVE_MEMBER, /* `member` changed: persist it */
    SERIN_ROLLOUT_ACT_PUBLISH,     /* the directive changed: publish it (once per broker) */
    SERIN_ROLLOUT_ACT_PROMOTE,     /* the candidate is stable now */
    SERIN_ROLLOUT_ACT_AUDIT        /* `text` belongs in the audit log */
};

struct serin_rollout_action {
    enum serin_rollout_action_kind kind;
    uint32_t member;
    struct serin_member before; /* SAVE_MEMBER: what it was, for serin_rollout_undo */
    char text[SERIN_ROLLOUT_WHY_MAX];
};

/* Bounded: one step changes few members, but for deadlines; a TICK that would need more stops, and
 * says so by asking for another TICK at once (serin_rollout_deadline_ms returns now). */
#define SERIN_ROLLOUT_ACTIONS_MAX 64u

struct serin_rollout_actions {
    size_t count;
    struct serin_rollout_action list[SERIN_ROLLOUT_ACTIONS_MAX];
};

/* What speaks for a member. A direct device has its own key and is a site of its own; the nodes of
 * a gateway are one site, since a gateway can say anything for all of them. */
#define SERIN_SITE_DIRECT 0u

struct serin_members {
    struct serin_member *list; /* sorted; the caller's memory */
    uint32_t count;
    /* The site of a device: SERIN_SITE_DIRECT, or the caller's number of its gateway, from 1. It
     * may change between two steps. NULL: all devices are direct. */
    uint32_t (*site)(const void *sites, uint32_t device);
    /* The id of a gateway, for what people read; it is good until the next call. NULL, the function
     * or its result: the number is named instead. */
    const char *(*site_name)(const void *sites, uint32_t site);
    /* An upper bound of the devices that stand behind one gateway: with none, or few, the engine
     * need not look for those who speak through one. NULL: it is not known. */
    uint32_t (*site_most)(const void *sites);
    const void *sites; /* given to all of them */
    /* The hardware revision of a device; 0 or NULL: not known. */
    uint16_t (*hardware)(const void *sites, uint32_t device);
    /* Health by device, see health.h; NULL: there are no beats, and SILENCE and ERRORS are off. The
     * engine reads it only. */
    const struct serin_health *health;
    /* Room for the comparison by hardware and site: `stratum` gives a device's place, below
     * `stratum_count`; devices that share it are compared with each other. Contents are scratch.
     * NULL: all are compared with all. */
    uint32_t (*stratum)(const void *sites, uint32_t device);
    struct serin_stratum *strata;
    uint32_t stratum_count;
};

/* Scratch of the comparison. */
struct serin_stratum {
    uint32_t updated, control, control_silent, control_unwell;
    uint32_t revision; /* its row of the figures by hardware revision */
};

/* Begins a rollout: checks the policy, sets every field; the state is CREATED: send START.
 * SERIN_ERR_INVALID: the policy, an id or attempt of 0; `rollout` is then unspecified. */
SERIN_MUST_USE enum serin_error serin_rollout_init(struct serin_rollout *rollout, uint64_t id,
                                                   const struct serin_policy *policy,
                                                   const uint8_t salt[SERIN_SALT_SIZE],
                                                   uint32_t attempt, uint64_t now_ms);

/* A member as it enters the population of `rollout`: with every other at its creation, or later,
 * when a device joins. A stage counts a device that joins while it runs, but does not wait for it,
 * or a steady stream of new devices would hold the last stage open for ever. A joiner goes to the
 * end of the array; then call serin_rollout_rebuild. */
struct serin_member serin_rollout_member(const struct serin_rollout *rollout, uint64_t rank,
                                         uint32_t device);

/* Handles one event. A step publishes at most once and opens at most one stage. The members have
 * been through serin_rollout_rebuild since the array last grew. Actions come in the order in which
 * they are to be carried out: what is persisted and PROMOTE stand before PUBLISH.
 *
 * MEMBER: `state` is what the ledger holds; UNREACHED and TIMED_OUT are the engine's own to give. A
 * device that runs a manifest of the policy already is a member with CONFIRMED. Final states are
 * never left, but CONFIRMED for REGRESSED or REVERTED, and SUPERSEDED or CANCELLED when the device
 * takes the attempt anew: an event that would is SERIN_OK and changes
 * nothing, as does a duplicate. REJECTED for NOT_NEWER counts as `other`: the device is ahead, not
 * broken.
 *
 * SERIN_ERR_STATE: the event is not allowed in this state; nothing changed and `rollout->why` is as
 * before. SERIN_ERR_INVALID: the event is malformed (programmer or store error); nothing changed.
 */
SERIN_MUST_USE enum serin_error serin_rollout_step(struct serin_rollout *rollout,
                                                   const struct serin_members *members,
                                                   uint64_t now_ms,
                                                   const struct serin_rollout_event *event,
                                                   struct serin_rollout_actions *actions);

/* Takes a step back whose result could not be persisted: `rollout` becomes `*before`, the copy from
 * before the step, and the members become what they were. */
void serin_rollout_undo(struct serin_rollout *rollout, const struct serin_rollout *before,
                        const struct serin_members *members,
                        const struct serin_rollout_actions *actions);

/* Why `kind` is refused now, with what to do instead: a sentence for the operator, in static
 * storage; NULL: it is allowed. */
const char *serin_rollout_refusal(const struct serin_rollout *rollout,
                                  enum serin_rollout_event_kind kind);

/* Whether an operator paused it, and nothing was found since that pauses it by itself. */
bool serin_rollout_paused_by_operator(const struct serin_rollout *rollout);

/* The test as it stands, for people: chances against the release and for it, as natural logarithms
 * in thousandths. HALT at or above `reject_at`; a stage passes at or below `accept_at`. */
struct serin_test_view {
    int32_t against, reject_at; /* of the whole rollout */
    int32_t leaning, accept_at; /* of the present stage */
    uint32_t resolved, failed;
    /* The least number of further failures by which the test would halt it, if nothing else came:
     * of devices that accepted it, or would; SERIN_ENGINE_MORE_MAX: so many, or more. 0: it is
     * over, or halts as it is. Failures that stand behind one gateway alone may pause it instead.
     */
    uint32_t more_failures;
};
#define SERIN_ENGINE_MORE_MAX 64u
/* Walks over the offered members. */
void serin_rollout_test(const struct serin_rollout *rollout, const struct serin_members *members,
                        struct serin_test_view *view);

/* Time-outs that no gate counts, neither as failed nor as resolved: those that the network excuses,
 * but no more than it can have silenced (docs/spec/rollout.md, section 5). */
uint32_t serin_rollout_left_out(const struct serin_rollout *rollout);

/* When the next TICK is due (Unix ms), UINT64_MAX for never; a time in the past means at once. Ask
 * again after every step and every rebuild. */
uint64_t serin_rollout_deadline_ms(const struct serin_rollout *rollout,
                                   const struct serin_members *members);

/* When the start time comes, or the next window opens or closes (Unix ms); UINT64_MAX: never. */
uint64_t serin_rollout_edge_ms(const struct serin_rollout *rollout);

/* Sorts members by rank, then device, and rebuilds from them whatever is derived: tally, reasons,
 * the search for deadlines (after loading from a store, and after devices joined). Indices of
 * members change. Linear where only a few members at the end are out of order. */
void serin_rollout_rebuild(struct serin_rollout *rollout, struct serin_members *members);

/* The candidate part of the channel's directive as it should be published now: candidate,
 * candidate_state, salt, threshold, spread, site limit, lease, flags. The caller fills in stable,
 * order, issued_s, product and channel. */
void serin_rollout_candidate(const struct serin_rollout *rollout,
                             struct serin_directive *directive);

/* The stable release that PROMOTE makes of `*stable`: the rollout's offers, with the permission to
 * commit, and what of the old offers is for hardware that they do not cover, as far as there is
 * room (an old offer that overlaps is dropped whole where cutting it would leave two pieces). */
void serin_rollout_promote(const struct serin_rollout *rollout, struct serin_release *stable);

const char *serin_rollout_state_text(enum serin_rollout_state state);
const char *serin_rollout_event_text(enum serin_rollout_event_kind kind);

#endif

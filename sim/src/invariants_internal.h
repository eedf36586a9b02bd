/*
 * What the judges share:
 *
 *   invariants.c          moments: boots, trials, transitions, steps, directives
 *   invariants_books.c    a recount of the books; cohorts; the end
 *   invariants_gates.c    the limits on what devices report
 *   invariants_pace.c     approvals, soaks, hours, what is in flight and offered in an hour
 *   invariants_restart.c  what passes after a restart, and over the dead
 *   invariants_told.c     what devices are told, and what they may commit
 */
#ifndef SERIN_SIM_INVARIANTS_INTERNAL_H
#define SERIN_SIM_INVARIANTS_INTERNAL_H

#include "invariants.h"

struct judged_device {
    /* The highest attempts at the candidate that ended badly, and that it confirmed; 0: none. */
    uint32_t ended, confirmed;
    uint64_t changed_ms; /* its attempt at the candidate, the last time */
    /* The last report of it that came to serind. */
    uint64_t incarnation, number;
    uint64_t deaf_ms; /* when it was first seen to be silent for good; 0: it is not */
};

struct judged_step {
    enum serin_rollout_event_kind event;
    uint64_t threshold;
    uint32_t publishes, stage, attempt;
    enum serin_rollout_state state;
    bool retrying, completed, closed;
};

/* What the gates ask about, counted from members: of all at or below the threshold. */
struct judged_ends {
    uint32_t confirmed, regressed;
    uint32_t failures;  /* for whatever reason, regressed ones too, but for those that timed out */
    uint32_t timed_out; /* the network may excuse any of them */
    uint32_t rolled_back; /* of failures */
    uint32_t boots;       /* of these: it did not boot, or did not come to confirm */
    uint32_t reasons[SERIN_REASON_COUNT];
};

/* How much the engine did in one minute. */
struct judged_spin {
    uint64_t minute;
    uint64_t steps;
};

struct judged_directive {
    struct serin_order order;
    bool has_candidate, promotes;
    uint64_t threshold;
};

/* What the last directive published says. */
struct judged_told {
    enum serin_candidate_state state; /* INVALID: none was */
    uint32_t attempt;
    uint64_t threshold;
};

/* A site whose gateway holds a newer directive than its broker shows: which, and since when. */
struct judged_site {
    struct serin_order untold; /* 0.0: it shows what it should */
    uint64_t untold_ms;
};

/* What operators ordered of a rollout, and how long its stages soaked. */
struct judged_stages {
    uint64_t rollout; /* its id */
    /* A bit a stage: ADVANCE came in it; and while it waited, so that the next one may open. */
    uint32_t advanced, approved;
    uint64_t soaked_ms[SERIN_STAGES_MAX];
    uint64_t at_ms, wall_ms; /* of the last step */
};

#define JUDGED_MINUTES 60u

struct judged_minute {
    uint64_t minute;
    uint32_t offered;
};

struct judged_rate {
    int64_t jump_ms; /* of serind's clock, when these were counted */
    struct judged_minute minutes[JUDGED_MINUTES];
};

struct sim_invariants {
    uint8_t *states;  /* by device: what the engine had of it last */
    uint8_t *reasons; /* the same: why */
    uint64_t *ranks;  /* by device */
    struct judged_device *devices;
    struct judged_site *sites; /* by gateway */
    struct judged_step before;
    struct judged_spin spin;
    struct judged_stages stages;
    struct judged_rate rate;
    struct judged_ends ends;
    bool paused; /* the rollout was once: failures may be accepted since */
    struct judged_directive made;
    struct judged_told told;
    bool untold; /* the store has had something else, since then */
    uint64_t untold_ms;
    bool published, promoted; /* a candidate was; it became the stable release */
    uint64_t threshold;       /* the highest published */
    bool sent;
    struct serin_order sent_order;
    bool went_back; /* serind's store did, once at least */
    bool unseen;    /* serind has compared nothing since it came back */
    uint64_t hour;
};

/* The threshold rose in this step: `elsewhere` where the engine said that it looks behind other
 * gateways. */
void sim_judge_threshold(struct sim *sim, const struct serin_rollout *rollout,
                         const struct serin_members *members, uint64_t before, bool elsewhere);
/* The rollout goes on: what became of its devices must allow it. */
void sim_judge_gates(struct sim *sim, const struct serin_rollout *rollout);
/* Counts all ends anew: the threshold rose, or the members are others. */
void sim_judge_ends(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members);
/* A member's state changed from what the judges have of it. */
void sim_judge_end(struct sim *sim, const struct serin_rollout *rollout,
                   const struct serin_member *member);

/* A step is over: whether a stage passed that must not. */
void sim_judge_passed(struct sim *sim, const struct serin_rollout *rollout,
                      const struct serin_members *members);
/* serind comes back. */
void sim_judge_restored(struct sim *sim);
/* Notes who is silent for good. */
void sim_judge_deaf(struct sim *sim);

/* A step is over, which asked for so many publishes: whether devices are told what it changed. */
void sim_judge_told(struct sim *sim, const struct serin_rollout *rollout, uint32_t publishes);
/* A directive was made: it says how the rollout stands, and what the policy says. */
void sim_judge_says(struct sim *sim, const struct serin_directive *directive,
                    const struct serin_rollout *rollout);
/* A device has booted: its floor rises with the stable release alone. */
void sim_judge_floor(struct sim *sim, uint32_t node);
/* What serind holds is published; this is what it says. */
void sim_judge_publish(struct sim *sim);
void sim_judge_sent(struct sim *sim, const struct serin_directive *directive);
/* serind's turn: what it stored is what it published last, or was a moment ago. `able_ms`: since
 * when it could; SIM_NEVER_MS: it cannot. */
void sim_judge_broker(struct sim *sim, const struct serin_rollout *rollout);
void sim_judge_shown(struct sim *sim, const struct serin_rollout *rollout, uint64_t able_ms);
/* A gateway that is connected to its site's broker holds a directive of this order, and the broker
 * shows one of that. */
void sim_judge_site(struct sim *sim, uint32_t gateway, struct serin_order held,
                    struct serin_order shown);

/* A step is over: whether the policy allows what it opened, offered and let try again. */
void sim_judge_pace(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members);
void sim_judge_pace_created(struct sim *sim, const struct serin_rollout *rollout);
void sim_judge_pace_restored(struct sim *sim, const struct serin_rollout *rollout);
/* Whether the time lies outside of all windows of the policy. */
bool sim_judge_closed(const struct serin_policy *policy, uint64_t wall_ms);

#endif

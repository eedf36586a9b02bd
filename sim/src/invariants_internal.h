/* What invariants.c and invariants_books.c share. */
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
struct judged_pace {
    uint64_t minute;
    uint64_t steps;
};

struct judged_directive {
    struct serin_order order;
    bool has_candidate, promotes;
    uint64_t threshold;
};

struct sim_invariants {
    uint8_t *states;  /* by device: what the engine had of it last */
    uint8_t *reasons; /* the same: why */
    uint64_t *ranks;  /* by device */
    struct judged_device *devices;
    struct judged_step before;
    struct judged_pace pace;
    struct judged_ends ends;
    bool paused; /* the rollout was once: failures may be accepted since */
    struct judged_directive made;
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

#endif

/*
 * Who enters a rollout at its creation, and the way back of one that was halted (`on_halt: revert`;
 * docs/serind.md, "Going back"): whether there is one, for whom, and by which policy. serind and
 * the fleet simulator decide by these functions alone, so that what is rehearsed is what happens.
 *
 *   halted ─▶ due? ─▶ look at each device ─▶ judge ─┬▶ WAIT     until one of them says more
 *               ▲                              │    ├▶ NOBODY   until somebody turns up on it
 *               └── saw: not before it changes ┘    ├▶ GO       the rollout back is created
 *                                                   └▶ else     refused, for good
 */
#ifndef SERIN_ORCHESTRATOR_WAY_BACK_H
#define SERIN_ORCHESTRATOR_WAY_BACK_H

#include <serin/orchestrator/engine.h>

/* Whether the policy offers the manifest to the hardware (0: to any). */
bool serin_policy_offers(const struct serin_policy *policy,
                         const uint8_t manifest_id[SERIN_SHA256_SIZE], uint16_t hardware);

/* ---- who enters ---- */

/* What the books have of a device. The pointers are the caller's, for the time of the call. */
struct serin_entrant {
    uint16_t hardware;
    uint32_t floor;         /* the security counter that it committed */
    const uint8_t *running; /* SERIN_SHA256_SIZE bytes: the manifest of what it last said it runs */
    const uint8_t *tried;   /* the same of its latest attempt; not looked at where there is none */
    uint32_t attempt;       /* number of its latest attempt; 0: none */
    bool final;             /* that attempt has come to its end */
    enum serin_state state; /* of that attempt */
};

enum serin_entry {
    SERIN_ENTRY_INVALID = 0,
    SERIN_ENTRY_NONE = 1,     /* nothing is offered to its hardware: no member */
    SERIN_ENTRY_OPEN = 2,     /* it is to take the release */
    SERIN_ENTRY_CONFIRMED = 3 /* it runs the release already, and tries nothing else */
};

/* How a device enters a rollout of this policy. Who is still trying something may come to run that:
 * its entry is OPEN whatever it runs now, and it is confirmed when it says so. */
enum serin_entry serin_rollout_entry(const struct serin_policy *policy,
                                     const struct serin_entrant *entrant);

/* serin_rollout_member, confirmed from `now_s` (Unix) on where it runs the release already. */
struct serin_member serin_rollout_entered(const struct serin_rollout *rollout, uint64_t rank,
                                          uint32_t device, bool runs_it, uint64_t now_s);

/* ---- the way back ---- */

/* What the last look was made on. All zero: there was none, as after a start. */
struct serin_way_back_seen {
    bool looked, open;
    uint32_t touched;
};

/* Whether the devices are to be looked at now: the rollout was halted after it had begun, its
 * policy asks for a way back, and nothing is decided; or nobody ran the release, and that may have
 * changed. False again once serin_way_back_saw was called, until its books change. O(1). */
bool serin_way_back_due(const struct serin_rollout *halted, const struct serin_way_back_seen *seen);
void serin_way_back_saw(const struct serin_rollout *halted, struct serin_way_back_seen *seen);

/* One offer of the stable release. */
struct serin_way_back_offer {
    struct serin_offer offer;
    uint32_t security_counter;
};

/* A look at all devices: the caller sets the first three, and zero. */
struct serin_way_back {
    const struct serin_rollout *halted;
    const struct serin_way_back_offer *offers; /* of the stable release, as far as they matter */
    size_t offer_count;                        /* 0: there is no stable release */
    uint32_t runs;                             /* run the halted release, and can go back */
    uint32_t above, lost;                      /* run it, and cannot; below */
    uint32_t may;                              /* of whom it is not known whether they run it */
};

enum serin_way_back_stand {
    SERIN_STAND_INVALID = 0,
    SERIN_STAND_AWAY = 1,  /* it does not run the halted release, and is not about to */
    SERIN_STAND_RUNS = 2,  /* it runs it, and the stable release can take its place */
    SERIN_STAND_MAY = 3,   /* it was trying it when it was last heard */
    SERIN_STAND_ABOVE = 4, /* it runs it, and committed a higher security counter than stable's */
    SERIN_STAND_LOST = 5   /* it runs it, and no stable release is for its hardware */
};

/* Counts one enrolled device of the product and channel, and says as what. Who does not run the
 * halted release has no way to go: what it says of its floor stops nobody. */
enum serin_way_back_stand serin_way_back_look(struct serin_way_back *back,
                                              const struct serin_entrant *entrant);

enum serin_way_back_verdict {
    SERIN_WAY_BACK_INVALID = 0,
    SERIN_WAY_BACK_WAIT = 1,   /* nobody runs it, but some are at it: they end, or their deadline */
    SERIN_WAY_BACK_NOBODY = 2, /* nobody runs it or is at it: nothing is to be done */
    SERIN_WAY_BACK_GO = 3,     /* somebody runs it, or fell silent while trying it */
    SERIN_WAY_BACK_NO_STABLE = 4, /* refused, as are these: there is nothing to go back to */
    SERIN_WAY_BACK_ABOVE = 5,
    SERIN_WAY_BACK_LOST = 6
};

/* Once every device was looked at. */
enum serin_way_back_verdict serin_way_back_judge(const struct serin_way_back *back);

/* What `revert_why` says after NOBODY: no refusal, and no alarm. */
#define SERIN_WAY_BACK_NOBODY_TEXT "nobody runs it or is trying it: there is nobody to take back"
bool serin_way_back_needless(const struct serin_rollout *halted);

/* The policy of the rollout back: the halted one's, with its stages, gates, test and ramp; without
 * its start, windows and approvals, since whoever asked for a way back approved of it then; older
 * content is allowed, it takes the halted one's place, and it is never followed by another. It has
 * no offers yet: the caller adds those of the stable release. `policy` is not the halted one's. */
void serin_way_back_policy(const struct serin_rollout *halted, struct serin_policy *policy);

#endif

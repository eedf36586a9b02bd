/*
 * Orders and repair: what serind does about the directive that a broker shows on a topic
 * (docs/spec/directive.md, section 5; design decision 4). Pure: the decisions alone, in tables.
 *
 * serind's store is the truth about what should be retained; a broker may have forgotten it (killed
 * before it saved), show an older one (restored), or a newer one (serind itself was restored from a
 * backup). The last is why there are epochs: a directive of a new epoch is above whatever the lost
 * serind gave out.
 */
#ifndef SERIN_ORCHESTRATOR_REPAIR_H
#define SERIN_ORCHESTRATOR_REPAIR_H

#include <serin/orchestrator/engine.h>

/* What a broker shows on one directive topic, against what serind holds for it. */
enum serin_sight {
    SERIN_SIGHT_NOTHING, /* no retained directive, or an empty one */
    SERIN_SIGHT_SAME,    /* ours, byte for byte */
    SERIN_SIGHT_OLDER,   /* signed by a director of ours, with a lower order */
    SERIN_SIGHT_FORK,    /* signed by a director of ours, same order, other bytes */
    SERIN_SIGHT_NEWER,   /* signed by a director of ours, with a higher order */
    SERIN_SIGHT_FOREIGN, /* not signed by a director of ours */
    SERIN_SIGHT_COUNT
};

enum serin_repair {
    SERIN_REPAIR_KEEP,     /* all is well */
    SERIN_REPAIR_PUBLISH,  /* publish what the store holds, again, to this broker */
    SERIN_REPAIR_REISSUE,  /* there is nothing in the store for the topic: make a new directive */
    SERIN_REPAIR_NEW_EPOCH /* start a new epoch and reissue every directive in it */
};

/* What serind holds for the topic and has given out. */
struct serin_repair_own {
    bool held;              /* the store has a directive for the topic */
    const uint8_t *payload; /* of it; NULL where not held */
    size_t payload_size;
    struct serin_order order; /* of it; where not held: the highest order given out at all */
};

/* Compares what a broker shows with what serind holds. `verified`: the payload's signature is that
 * of a director of ours, and `seen` is its order; else `seen` is not read. Size 0 is NOTHING. */
enum serin_sight serin_repair_look(const struct serin_repair_own *own, const uint8_t *payload,
                                   size_t payload_size, bool verified, struct serin_order seen);

/* What to do about it. */
enum serin_repair serin_repair_decide(bool held, enum serin_sight sight);

/* What a directive of ours that a broker shows teaches about the rollout of its product and
 * channel, where the store may be a backup. */
struct serin_lesson {
    enum serin_rollout_event_kind event; /* HALT, PAUSE; INVALID: none */
    bool unknown;       /* the directive is newer and does not name the rollout: it may be over */
    uint64_t threshold; /* above the rollout's own; 0: it is not */
};

/* Compares an active rollout with a verified directive of its topic; `newer`: the directive's order
 * is not below that of ours. A halt is never taken back and a threshold never falls, so these count
 * whatever the order; a pause, and the silence about a rollout, only where newer. A rollout that is
 * over, or not started, learns nothing. */
struct serin_lesson serin_repair_learn(const struct serin_rollout *rollout,
                                       const struct serin_directive *shown, bool newer);

bool serin_lesson_empty(const struct serin_lesson *lesson);

/* Publishes that the broker acknowledged but did not show in return, after which serind takes it
 * that the broker's order guard remembers a higher order than the retained message shows. */
#define SERIN_REPAIR_UNANSWERED_MAX 3u

/* Epochs that an unsigned claim may lie above our own. */
#define SERIN_CLAIM_EPOCHS_MAX 8u

/* What to make of an order that somebody says to have seen. */
enum serin_claim {
    SERIN_CLAIM_KNOWN,  /* not above what was given out */
    SERIN_CLAIM_HIGHER, /* serind lost its memory: start a new epoch above it */
    SERIN_CLAIM_ABSURD  /* an unsigned claim too far above ours: an operator must decide */
};

/* Judges `claimed` against the highest order given out. A signed directive is proof. A beat is only
 * a device's word: it can raise the epoch by SERIN_CLAIM_EPOCHS_MAX + 1 at most, and the caller
 * grants one such raise in SERIN_CLAIM_REST_MS, so that a lying device would need thousands of
 * years to use up the 2^32 epochs. */
enum serin_claim serin_claim_judge(struct serin_order given_out, struct serin_order claimed,
                                   bool is_signed);
#define SERIN_CLAIM_REST_MS UINT64_C(600000)

/* The order after `order`: the next sequence, or the first of the next epoch. SERIN_ERR_NO_SPACE:
 * there is none. */
SERIN_MUST_USE enum serin_error serin_order_next(struct serin_order order,
                                                 struct serin_order *next);

/* The position before the first order of an epoch above both: serin_order_next gives that first
 * one. SERIN_ERR_NO_SPACE: there is no such epoch. */
SERIN_MUST_USE enum serin_error serin_order_new_epoch(struct serin_order given_out,
                                                      struct serin_order seen,
                                                      struct serin_order *start);

const char *serin_sight_text(enum serin_sight sight);

#endif

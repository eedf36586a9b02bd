/*
 * A rollout's policy, as plain values (docs/spec/policy.md). The YAML that an operator writes is
 * turned into this by adapters/yaml; the engine sees nothing else.
 */
#ifndef SERIN_ORCHESTRATOR_POLICY_H
#define SERIN_ORCHESTRATOR_POLICY_H

#include <serin/wire.h>

#define SERIN_STAGES_MAX        16u
#define SERIN_POLICY_NAME_MAX   64u
#define SERIN_POLICY_SOAK_MAX_S (30u * 86400u)

struct serin_stage_policy {
    uint32_t permyriad; /* share of the population in hundredths of a percent, 1..10000, or 0 */
    uint32_t count;     /* a number of devices, or 0; exactly one of the two is given */
    uint32_t soak_s;    /* watched for so long after its devices are resolved; 86400 by default */
    bool approval;      /* waits for `advance` before the stage starts */
};

/* What is judged, each by a share of the devices that it can be said of (docs/spec/rollout.md,
 * section 5). */
enum serin_gate {
    SERIN_GATE_INVALID = 0,
    SERIN_GATE_FAILURES = 1,    /* failed ÷ resolved, for whatever reason, soon or late */
    SERIN_GATE_BOOTS = 2,       /* booted and did not stay ÷ resolved of those that booted */
    SERIN_GATE_ROLLBACKS = 3,   /* rolled_back ÷ resolved */
    SERIN_GATE_REGRESSIONS = 4, /* regressed or reverted ÷ ever confirmed */
    SERIN_GATE_SILENCE = 5,     /* updated devices that fell silent, less the control group's */
    SERIN_GATE_ERRORS = 6,      /* updated devices with more errors than before, less the same */
    SERIN_GATE_COUNT
};

/* A share above `max_permyriad` (10000: the gate is off) of at least `minimum` devices halts. While
 * a stage waits for nobody FAILURES, ROLLBACKS and BOOTS are judged without the minimum: nothing
 * more will come. */
struct serin_gate_policy {
    uint32_t max_permyriad; /* 0..10000 */
    uint32_t minimum;       /* devices in the denominator; 1..1,000,000 */
};

#define SERIN_GATE_REASONS_MAX 8u

/* The same for one reason of failing: failed for it ÷ resolved. */
struct serin_reason_policy {
    enum serin_reason reason;
    struct serin_gate_policy gate;
};

/* The sequential test on resolved devices (docs/spec/rollout.md, section 11; Wald 1945). All in
 * hundredths of a percent. */
struct serin_test_policy {
    uint32_t accepted_permyriad; /* p0, a failure rate that is fine: 50 by default; 1.. */
    uint32_t rejected_permyriad; /* p1, one that is not: 200; above p0, ..9000 */
    uint32_t alpha_permyriad;    /* chance to halt a release that fails at p0: 100; 1..2000 */
    uint32_t beta_permyriad;     /* chance to pass a stage at p1: 500; 1..2000 */
    /* A stage too small to be accepted even without a failure: holds, or (the default) passes where
     * the evidence does not lean towards p1. */
    bool small_stages_hold;
};

/* How exposure grows inside a stage (docs/spec/rollout.md, section 12). */
struct serin_ramp_policy {
    uint32_t first; /* devices of the first step; 8 by default; 0: the whole stage at once */
    /* At most so many of those resolved are in flight: 1 .. 100, 12 by default; 4 times as many
     * while none failed, 8 times once the stage is accepted, never more than are resolved. */
    uint32_t growth_percent;
    /* A silent device counts as in flight for so long after it was offered: one that is online has
     * accepted by then. 600 by default; 1 s .. 30 days, and patience ends it too. */
    uint32_t settle_s;
};

#define SERIN_WINDOWS_MAX 8u

/* Hours in which devices may start: UTC, from `from_min` until before `until_min`, minutes of the
 * day; until before from goes over midnight and belongs to the day on which it begins. */
struct serin_window {
    uint8_t days;                 /* bit 0 is Monday; 1..127 */
    uint16_t from_min, until_min; /* 0..1439, until 1440 as well (24:00); not equal */
};

enum serin_on_halt {
    SERIN_ON_HALT_INVALID = 0,
    SERIN_ON_HALT_HOLD = 1,  /* devices that confirmed it stay on it; the default */
    SERIN_ON_HALT_REVERT = 2 /* a staged rollout of the stable release takes them back */
};

struct serin_policy {
    char name[SERIN_POLICY_NAME_MAX + 1]; /* "" or [A-Za-z0-9_.-]+ */
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    size_t offer_count; /* 1 .. SERIN_DIRECTIVE_OFFERS_MAX */
    struct serin_offer offers[SERIN_DIRECTIVE_OFFERS_MAX];
    size_t stage_count; /* 1 .. SERIN_STAGES_MAX; they grow strictly; the last is everyone */
    struct serin_stage_policy stages[SERIN_STAGES_MAX];
    struct serin_gate_policy gates[SERIN_GATE_COUNT]; /* [INVALID] is unused and zero */
    size_t reason_count;                              /* 0 .. SERIN_GATE_REASONS_MAX, distinct */
    struct serin_reason_policy reasons[SERIN_GATE_REASONS_MAX];
    /* A comparison with fewer devices that are not updated yet is no comparison: the stage holds.
     * 1..1,000,000, 30 by default. */
    uint32_t control_minimum;
    struct serin_test_policy test;
    struct serin_ramp_policy ramp;
    /* Accepted and not resolved, at most, and with those that are silent, while their patience
     * lasts, four times as many; 0: no limit. */
    uint32_t in_flight_max;
    uint32_t rate_per_hour; /* devices newly offered in any hour, at most; 0: no limit */
    uint64_t start_s;       /* Unix seconds before which stage 1 does not open; 0: at once */
    size_t window_count;    /* 0: always; .. SERIN_WINDOWS_MAX */
    struct serin_window windows[SERIN_WINDOWS_MAX];
    enum serin_on_halt on_halt;
    uint32_t patience_s;        /* silent before accepting for so long: unreached, and replaced */
    uint32_t deadline_s;        /* accepted and not final after so long: timed_out, a failure */
    uint32_t lease_s;           /* SERIN_LEASE_MIN_S .. SERIN_LEASE_MAX_S */
    uint32_t spread_s;          /* at most a day, shorter than patience and deadline */
    uint32_t site_failures_max; /* at most a million; 0: no limit */
    bool revert;                /* the release may be older than what runs */
    bool emergency;             /* skips soak, spread and windows, never the ramp */
    bool supersede;             /* may take the place of a running rollout */
};

/* The policy with every default: 1-10-50-100 %, 24 h soaks, no offers. */
void serin_policy_default(struct serin_policy *policy);

/* Whether every field is in range and they agree. SERIN_ERR_INVALID; `*field` (may be NULL) names
 * the field and rule in static storage. */
SERIN_MUST_USE enum serin_error serin_policy_check(const struct serin_policy *policy,
                                                   const char **field);

#endif

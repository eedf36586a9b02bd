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

struct serin_gate_policy {
    uint32_t failures_max_permyriad; /* failed ÷ resolved above this halts; 200 (2 %) by default */
    /* But while a stage waits for devices, not before so many are resolved; 1 by default. A stage
     * that waits for nobody is judged without it. */
    uint32_t resolved_min;
};

struct serin_policy {
    char name[SERIN_POLICY_NAME_MAX + 1]; /* "" or [A-Za-z0-9_.-]+ */
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    size_t offer_count; /* 1 .. SERIN_DIRECTIVE_OFFERS_MAX */
    struct serin_offer offers[SERIN_DIRECTIVE_OFFERS_MAX];
    size_t stage_count; /* 1 .. SERIN_STAGES_MAX; they grow strictly; the last is everyone */
    struct serin_stage_policy stages[SERIN_STAGES_MAX];
    struct serin_gate_policy gate;
    uint32_t patience_s;        /* silent before accepting for so long: unreached, and replaced */
    uint32_t deadline_s;        /* accepted and not final after so long: timed_out, a failure */
    uint32_t lease_s;           /* SERIN_LEASE_MIN_S .. SERIN_LEASE_MAX_S */
    uint32_t spread_s;          /* at most a day, shorter than patience and deadline */
    uint32_t site_failures_max; /* at most a million; 0: no limit */
    bool revert;                /* the release may be older than what runs */
    bool emergency;             /* skips soak and spread, never the ramp */
    bool supersede;             /* may take the place of a running rollout */
};

/* The policy with every default: 1-10-50-100 %, 24 h soaks, 2 %, no offers. */
void serin_policy_default(struct serin_policy *policy);

/* Whether every field is in range and they agree. SERIN_ERR_INVALID; `*field` (may be NULL) names
 * the field and rule in static storage. */
SERIN_MUST_USE enum serin_error serin_policy_check(const struct serin_policy *policy,
                                                   const char **field);

#endif

/*
 * What a scenario may say (docs/spec/scenario.md): limits, words, and which fields an event takes,
 * for those who read scenarios from a file or write them.
 */
#ifndef SERIN_SIM_SCENARIO_H
#define SERIN_SIM_SCENARIO_H

#include <serin/sim/sim.h>

#define SERIN_SIM_SHARE_MAX      1000000u                   /* of a hardware revision */
#define SERIN_SIM_TIME_MAX_MS    (UINT64_C(365) * 86400000) /* of anything in a scenario */
#define SERIN_SIM_SLEEP_MIN_MS   1000u
#define SERIN_SIM_LATENCY_MAX_MS 300000u
#define SERIN_SIM_RATE_MIN       16u /* bytes a second; less would be no link */
#define SERIN_SIM_POWER_CUTS_MAX 100000u
#define SERIN_SIM_ERRORS_MAX     100000u

/* What an event of a kind says besides its time. */
struct serin_sim_event_rule {
    const char *word; /* "gateway_crash" */
    bool lasts;       /* for_ms, at least 1 */
    bool back;        /* back_ms, at least 1 */
    bool gateways;    /* a share of the gateways, at least 1, or one of them by its number */
    bool devices;     /* a share of the devices, at least 1 */
    bool jump;        /* jump_ms, not 0 */
};

/* NULL: `kind` is none. Static storage. */
const struct serin_sim_event_rule *serin_sim_event_rule(enum serin_sim_event_kind kind);

/* Whether a fault begins some time after the confirmation: `after_ms` is its own. */
bool serin_sim_fault_waits(enum serin_sim_fault fault);

/* Whether a fault makes sense of an image that the fleet begins with: 1.0.0 has been confirmed. */
bool serin_sim_fault_before(enum serin_sim_fault fault);

#endif

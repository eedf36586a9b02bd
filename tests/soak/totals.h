/* What came of all runs together. */
#ifndef SERIN_SOAK_TOTALS_H
#define SERIN_SOAK_TOTALS_H

#include "options.h"

#include <serin/sim/scenario.h>

/* Sorts of trouble besides faults and events. */
enum soak_trouble {
    SOAK_DROPPED,
    SOAK_DUPLICATED,
    SOAK_REORDERED,
    SOAK_CORRUPTED,
    SOAK_CUTS,
    SOAK_SLEEPS,
    SOAK_OFFLINE,
    SOAK_WEATHERED,
    SOAK_POWER_CUTS,
    SOAK_AWAITING, /* restarts of serind, by what they came upon */
    SOAK_SOAKING,
    SOAK_AGAIN,
    SOAK_DOWN,
    SOAK_TROUBLE_COUNT
};

struct soak_totals {
    uint64_t runs, breaches, simulated_h;
    uint64_t states[SERIN_ROLLOUT_STATE_COUNT];
    uint64_t devices, exposed, failed, confirmed, boots, messages, events;
    uint64_t trouble[SOAK_TROUBLE_COUNT];
    uint64_t faults[SERIN_SIM_FAULT_COUNT];
    uint64_t struck[SERIN_SIM_EVENT_COUNT];
};

void soak_totals_add(struct soak_totals *totals, const struct serin_sim_config *config,
                     const struct serin_sim_result *result);
void soak_totals_join(struct soak_totals *totals, const struct soak_totals *other);
void soak_totals_print(const struct soak_totals *totals, const struct soak_options *options,
                       double seconds);
/* Whether every sort of trouble came and every end was met that a fleet can come to; complains. */
bool soak_totals_whole(const struct soak_totals *totals);

#endif

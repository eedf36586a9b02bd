/* What came of all runs together (totals.h). */
#include "totals.h"

#include <stdio.h>

static const char *const trouble_words[SOAK_TROUBLE_COUNT] = {
    [SOAK_DROPPED] = "dropped",
    [SOAK_DUPLICATED] = "duplicated",
    [SOAK_REORDERED] = "reordered",
    [SOAK_CORRUPTED] = "corrupted",
    [SOAK_CUTS] = "cut",
    [SOAK_SLEEPS] = "slept",
    [SOAK_OFFLINE] = "offline",
    [SOAK_WEATHERED] = "weathered",
    [SOAK_POWER_CUTS] = "power cuts",
    [SOAK_AWAITING] = "restarts awaiting",
    [SOAK_SOAKING] = "restarts soaking",
    [SOAK_AGAIN] = "restarts within minutes",
    [SOAK_DOWN] = "restarts without a broker",
};

void soak_totals_add(struct soak_totals *totals, const struct serin_sim_config *config,
                     const struct serin_sim_result *result)
{
    const uint64_t trouble[SOAK_TROUBLE_COUNT] = {
        [SOAK_DROPPED] = result->dropped,
        [SOAK_DUPLICATED] = result->duplicated,
        [SOAK_REORDERED] = result->reordered,
        [SOAK_CORRUPTED] = result->corrupted,
        [SOAK_CUTS] = result->cuts,
        [SOAK_SLEEPS] = result->sleeps,
        [SOAK_OFFLINE] = result->offline,
        [SOAK_WEATHERED] = result->weathered,
        [SOAK_POWER_CUTS] = result->power_cuts,
        [SOAK_AWAITING] = result->restarts.awaiting,
        [SOAK_SOAKING] = result->restarts.soaking,
        [SOAK_AGAIN] = result->restarts.again,
        [SOAK_DOWN] = result->restarts.down,
    };
    totals->runs++;
    totals->simulated_h += result->ended_ms / 3600000;
    if (result->state < SERIN_ROLLOUT_STATE_COUNT) {
        totals->states[result->state]++;
    }
    totals->devices += config->devices;
    totals->exposed += result->exposed;
    totals->failed += result->failed;
    totals->confirmed += result->confirmed;
    totals->boots += result->boots;
    totals->messages += result->messages;
    totals->events += result->events;
    for (size_t i = 0; i < SOAK_TROUBLE_COUNT; i++) {
        totals->trouble[i] += trouble[i];
    }
    for (size_t i = 0; i < SERIN_SIM_FAULT_COUNT; i++) {
        totals->faults[i] += result->faults[i];
    }
    for (size_t i = 0; i < SERIN_SIM_EVENT_COUNT; i++) {
        totals->struck[i] += result->struck[i];
    }
}

/* All members are numbers of one size: totals of totals are sums. */
void soak_totals_join(struct soak_totals *totals, const struct soak_totals *other)
{
    _Static_assert(sizeof(struct soak_totals) % sizeof(uint64_t) == 0, "numbers only");
    uint64_t *to = (uint64_t *)totals;
    const uint64_t *from = (const uint64_t *)other;
    for (size_t i = 0; i < sizeof *totals / sizeof *to; i++) {
        to[i] += from[i];
    }
}

void soak_totals_print(const struct soak_totals *totals, const struct soak_options *options,
                       double seconds)
{
    (void)printf("%llu runs in %.1f s from seed %llu on: fleets of up to %u devices, %llu devices, "
                 "%llu simulated hours, %llu messages, %llu boots\n",
                 (unsigned long long)totals->runs, seconds, (unsigned long long)options->seed,
                 (unsigned)options->devices_max, (unsigned long long)totals->devices,
                 (unsigned long long)totals->simulated_h, (unsigned long long)totals->messages,
                 (unsigned long long)totals->boots);
    (void)printf("ended:");
    for (int i = 1; i < SERIN_ROLLOUT_STATE_COUNT; i++) {
        if (totals->states[i] > 0) {
            (void)printf("  %s %llu", serin_rollout_state_text((enum serin_rollout_state)i),
                         (unsigned long long)totals->states[i]);
        }
    }
    (void)printf("\ndevices:  exposed %llu  confirmed %llu  failed %llu\ntrouble:",
                 (unsigned long long)totals->exposed, (unsigned long long)totals->confirmed,
                 (unsigned long long)totals->failed);
    for (size_t i = 0; i < SOAK_TROUBLE_COUNT; i++) {
        (void)printf("  %s %llu", trouble_words[i], (unsigned long long)totals->trouble[i]);
    }
    (void)printf("\nimages:");
    for (int i = 1; i < SERIN_SIM_FAULT_COUNT; i++) {
        (void)printf("  %s %llu", serin_sim_fault_text((enum serin_sim_fault)i),
                     (unsigned long long)totals->faults[i]);
    }
    (void)printf("\nevents:");
    for (int i = 1; i < SERIN_SIM_EVENT_COUNT; i++) {
        (void)printf("  %s %llu", serin_sim_event_rule((enum serin_sim_event_kind)i)->word,
                     (unsigned long long)totals->struck[i]);
    }
    if (totals->breaches == 0) {
        (void)printf("\ninvariants: all %u held in all runs\n",
                     (unsigned)SERIN_SIM_INVARIANT_COUNT - 1);
    } else {
        (void)printf("\nBROKEN: %llu seeds\n", (unsigned long long)totals->breaches);
    }
}

static bool came(uint64_t count, const char *word)
{
    if (count == 0) {
        (void)printf("never came: %s\n", word);
    }
    return count > 0;
}

bool soak_totals_whole(const struct soak_totals *totals)
{
    static const enum serin_rollout_state ends[] = {SERIN_ROLLOUT_COMPLETED, SERIN_ROLLOUT_HALTED,
                                                    SERIN_ROLLOUT_ABORTED};
    bool whole = true;
    for (size_t i = 0; i < SOAK_TROUBLE_COUNT; i++) {
        whole = came(totals->trouble[i], trouble_words[i]) && whole;
    }
    for (int i = 1; i < SERIN_SIM_FAULT_COUNT; i++) {
        whole = came(totals->faults[i], serin_sim_fault_text((enum serin_sim_fault)i)) && whole;
    }
    for (int i = 1; i < SERIN_SIM_EVENT_COUNT; i++) {
        whole = came(totals->struck[i], serin_sim_event_rule((enum serin_sim_event_kind)i)->word) &&
                whole;
    }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        whole = came(totals->states[ends[i]], serin_rollout_state_text(ends[i])) && whole;
    }
    return whole;
}

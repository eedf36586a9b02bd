/*
 * The judges: a plain reading of the limits on what devices report (invariants.h). What goes on
 * above one, with enough resolved, has looked the other way.
 *
 * Of devices that timed out the network may excuse any, which is the engine's to judge, so that a
 * quotient counts here as it is at the least: with all of them left out, or in, whichever makes it
 * smaller. Without a time-out that is the quotient itself.
 */
#include "invariants_internal.h"

#define ALL_PERMYRIAD 10000u

/* ---- ends ---- */

/* A reset into the old image, or none at all: what the gate on boots is about. */
static bool of_boot(enum serin_reason reason)
{
    static const enum serin_reason reasons[] = {SERIN_REASON_CRASH, SERIN_REASON_WATCHDOG,
                                                SERIN_REASON_NOT_CONFIRMED,
                                                SERIN_REASON_BOOT_VERIFY, SERIN_REASON_POWER};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i] == reason) {
            return true;
        }
    }
    return false;
}

static bool is_failure(enum serin_state state, enum serin_reason reason)
{
    return state == SERIN_STATE_ROLLED_BACK || state == SERIN_STATE_FAILED ||
           state == SERIN_STATE_REGRESSED || state == SERIN_STATE_REVERTED ||
           (state == SERIN_STATE_REJECTED && reason != SERIN_REASON_NOT_NEWER);
}

static void count(uint32_t *figure, bool holds, bool add)
{
    *figure += holds ? (add ? 1u : UINT32_MAX) : 0;
}

static void count_end(struct judged_ends *ends, enum serin_state state, enum serin_reason reason,
                      bool add)
{
    bool failed = is_failure(state, reason);
    bool back = state == SERIN_STATE_ROLLED_BACK;
    count(&ends->confirmed, state == SERIN_STATE_CONFIRMED, add);
    count(&ends->regressed, state == SERIN_STATE_REGRESSED || state == SERIN_STATE_REVERTED, add);
    count(&ends->failures, failed, add);
    count(&ends->timed_out, state == SERIN_STATE_TIMED_OUT, add);
    count(&ends->rolled_back, back, add);
    count(&ends->boots, back && of_boot(reason), add);
    if (reason < SERIN_REASON_COUNT) {
        count(&ends->reasons[reason], failed, add);
    }
}

void sim_judge_ends(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members)
{
    struct sim_invariants *judge = sim->invariants;
    judge->ends = (struct judged_ends){.confirmed = 0};
    for (uint32_t i = 0; i < members->count; i++) {
        const struct serin_member *member = &members->list[i];
        judge->reasons[member->device] = member->reason;
        if (rollout->stage > 0 && member->rank <= rollout->threshold) {
            count_end(&judge->ends, (enum serin_state)member->state,
                      (enum serin_reason)member->reason, true);
        }
    }
}

void sim_judge_end(struct sim *sim, const struct serin_rollout *rollout,
                   const struct serin_member *member)
{
    struct sim_invariants *judge = sim->invariants;
    if (rollout->stage > 0 && member->rank <= rollout->threshold) {
        count_end(&judge->ends, (enum serin_state)judge->states[member->device],
                  (enum serin_reason)judge->reasons[member->device], false);
        count_end(&judge->ends, (enum serin_state)member->state, (enum serin_reason)member->reason,
                  true);
    }
    judge->reasons[member->device] = member->reason;
}

/* ---- gates ---- */

/* A quotient at its least: `bad` of `of`, of which `sure` count whatever the network excuses. */
struct share {
    const char *what;
    uint32_t bad, of, sure;
};

static void judge_share(struct sim *sim, const struct serin_rollout *rollout,
                        const struct serin_gate_policy *gate, const struct share *share)
{
    bool on = gate->minimum != 0 && gate->max_permyriad < ALL_PERMYRIAD;
    if (on && share->sure >= gate->minimum &&
        (uint64_t)share->bad * ALL_PERMYRIAD > (uint64_t)share->of * gate->max_permyriad) {
        sim_broken(sim, SERIN_SIM_GATE,
                   "%u of %u resolved devices %s, above %u.%02u %%, and the "
                   "rollout is %s",
                   share->bad, share->of, share->what, gate->max_permyriad / 100u,
                   gate->max_permyriad % 100u, serin_rollout_state_text(rollout->state));
    }
}

/* Failures that an operator may have accepted, which takes a pause, are none of it. */
void sim_judge_gates(struct sim *sim, const struct serin_rollout *rollout)
{
    const struct judged_ends *ends = &sim->invariants->ends;
    const struct serin_policy *policy = &rollout->policy;
    uint32_t sure = ends->confirmed + ends->failures;
    uint32_t all = sure + ends->timed_out;
    uint32_t booted = ends->confirmed + ends->regressed + ends->boots;
    bool goes_on = rollout->state == SERIN_ROLLOUT_ROLLING ||
                   rollout->state == SERIN_ROLLOUT_SOAKING ||
                   rollout->state == SERIN_ROLLOUT_AWAITING;
    if (!goes_on || sim->invariants->paused) {
        return;
    }
    judge_share(sim, rollout, &policy->gates[SERIN_GATE_FAILURES],
                &(struct share){"have failed", ends->failures, sure, sure});
    judge_share(sim, rollout, &policy->gates[SERIN_GATE_BOOTS],
                &(struct share){"did not boot it", ends->boots, booted, booted});
    judge_share(sim, rollout, &policy->gates[SERIN_GATE_ROLLBACKS],
                &(struct share){"were rolled back", ends->rolled_back, all, sure});
    for (size_t i = 0; i < policy->reason_count; i++) {
        const struct serin_reason_policy *own = &policy->reasons[i];
        judge_share(
            sim, rollout, &own->gate,
            &(struct share){serin_reason_word(own->reason), ends->reasons[own->reason], all, sure});
    }
}

/* What a run came to: words, and what follows from books and devices at the end. */
#include "invariants.h"
#include "server.h"

#include <stdio.h>
#include <string.h>

const char *serin_sim_invariant_text(enum serin_sim_invariant invariant)
{
    static const char *const texts[SERIN_SIM_INVARIANT_COUNT] = {
        [SERIN_SIM_SOUND] = "sound",
        [SERIN_SIM_BELOW_COUNTER] = "no device runs below its security counter",
        [SERIN_SIM_UNVERIFIED] = "no device runs bytes that no manifest signed",
        [SERIN_SIM_LOST] = "every device is in exactly one book",
        [SERIN_SIM_FINAL_LEFT] = "no final state is left",
        [SERIN_SIM_TWICE] = "no attempt is taken twice",
        [SERIN_SIM_COHORT] = "cohorts are exact",
        [SERIN_SIM_PUBLISHES] = "one publish for a step and broker",
        [SERIN_SIM_TRIAL_TOO_LATE] = "no trial starts after a lease or a halt was known",
        [SERIN_SIM_ACK_EARLY] = "nothing is acknowledged before it is committed",
        [SERIN_SIM_BRICKED] = "every device boots",
        [SERIN_SIM_BOOKS] = "the engine's books agree with a recount",
        [SERIN_SIM_SILENCE] = "silence past the deadline is a failure",
        [SERIN_SIM_GATE] = "no rollout goes on above its own limit",
    };
    bool known = invariant >= SERIN_SIM_SOUND && invariant < SERIN_SIM_INVARIANT_COUNT;
    return known ? texts[invariant] : "unknown";
}

/* Such a rollout has no reason of its own for how it stands. */
static void fill_waiting(const struct serin_rollout *rollout, struct serin_sim_result *result)
{
    if (result->why[0] == '\0' && rollout->state == SERIN_ROLLOUT_PAUSED) {
        (void)snprintf(result->why, sizeof result->why, "paused by an operator, and not resumed");
    } else if (result->why[0] == '\0' && sim_waits_for_approval(rollout)) {
        (void)snprintf(result->why, sizeof result->why, "stage %u waits for approval",
                       rollout->stage + 1u);
    }
}

static void fill_rollout(const struct server_head *head, struct serin_sim_result *result)
{
    const struct serin_rollout *rollout = head->reverting ? &head->halted : &head->rollout;
    const struct serin_tally *tally = &rollout->tally;
    if (!head->has_rollout) {
        return;
    }
    result->state = rollout->state;
    result->stage = rollout->stage;
    memcpy(result->why, rollout->why, sizeof result->why);
    result->offered = tally->offered;
    result->exposed = tally->accepted;
    result->confirmed = tally->confirmed;
    result->failed = tally->failed + tally->rejected;
    result->rejected = tally->rejected;
    result->regressed = tally->regressed;
    result->unreached = tally->unreached;
    memcpy(result->reasons, rollout->reasons, sizeof result->reasons);
    fill_waiting(rollout, result);
}

static void fill_revert(const struct sim_server *server, struct serin_sim_result *result)
{
    const struct serin_rollout *rollout = &server->store.head.rollout;
    struct serin_sim_revert *revert = &result->revert;
    if (!server->store.head.reverting) {
        *revert = (struct serin_sim_revert){0}; /* or a restore has forgotten it */
        return;
    }
    revert->state = rollout->state;
    revert->stage = rollout->stage;
    revert->ended_ms = server->ended_ms;
    revert->offered = rollout->tally.offered;
    revert->exposed = rollout->tally.accepted;
    revert->confirmed = rollout->tally.confirmed;
    revert->failed = rollout->tally.failed + rollout->tally.rejected;
}

void sim_result_fill(struct sim *sim)
{
    struct serin_sim_result *result = sim->result;
    const struct sim_server *server = sim->server;
    fill_rollout(&server->store.head, result);
    fill_revert(server, result);
    result->ended_ms = server->ended_ms != 0 ? server->ended_ms : sim->now_ms;
    if (server->store.head.reverting) {
        result->ended_ms = result->halted_ms;
    }
    result->devices = sim->config->devices;
    result->still_on_it = 0;
    result->rolled_back = server->store.head.reverting ? server->store.head.halted.rolled_back
                                                       : server->store.head.rollout.rolled_back;
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        result->still_on_it += sim->nodes[i].running_release == SIM_CANDIDATE ? 1u : 0u;
    }
}

/* A device that can be heard has told all that it did by now, and what the server knows of it is
 * so. What the server added by itself stands beside it. */
void sim_check_end(struct sim *sim)
{
    const struct sim_server *server = sim->server;
    const struct serin_rollout *rollout = &server->store.head.rollout;
    if (!server->store.head.has_rollout) {
        return;
    }
    sim_check_books(sim, rollout, &server->members);
    if (!sim_server_over(sim) || server->store.head.reverting) {
        return; /* the limit came first, so that words may be under way; or these are other books */
    }
    for (uint32_t i = 0; i < server->members.count; i++) {
        sim_check_known(sim, server->members.list[i].device, rollout->attempt,
                        &server->members.list[i]);
    }
}

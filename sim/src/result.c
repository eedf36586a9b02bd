/* What a run came to: words, the truth by the devices, and serind's books beside it. */
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
        [SERIN_SIM_STALE] = "no stage passes on figures of before a restart",
        [SERIN_SIM_DEAD] = "no stage follows on one whose devices are all dead",
        [SERIN_SIM_SPIN] = "time goes on",
        [SERIN_SIM_TOLD] = "devices are told how the rollout stands",
        [SERIN_SIM_PACE] = "no rollout goes faster than its policy allows",
        [SERIN_SIM_COMMIT] = "no counter is committed before the release is stable",
    };
    bool known = invariant >= SERIN_SIM_SOUND && invariant < SERIN_SIM_INVARIANT_COUNT;
    return known ? texts[invariant] : "unknown";
}

bool sim_is_offered(const struct sim *sim, uint16_t hardware)
{
    const struct serin_policy *policy = &sim->config->policy;
    bool offered = policy->offer_count == 0;
    for (size_t i = 0; i < policy->offer_count; i++) {
        offered = offered ||
                  (hardware >= policy->offers[i].hw_min && hardware <= policy->offers[i].hw_max);
    }
    return offered;
}

/* ---- the devices ---- */

static bool failed(enum serin_state state)
{
    return state == SERIN_STATE_ROLLED_BACK || state == SERIN_STATE_FAILED ||
           state == SERIN_STATE_REGRESSED;
}

static void count_failed(enum serin_reason reason, struct serin_sim_result *result)
{
    result->failed++;
    if (reason > SERIN_REASON_INVALID && reason < SERIN_REASON_COUNT) {
        result->reasons[reason]++;
    }
}

/* What became of the release on a device, by what the device itself has on record. Silence is no
 * failure here: whoever is silent is on its way, or has come to an end that nobody heard of. */
static void count_device(const struct sim_node *node, struct serin_sim_result *result)
{
    result->exposed += node->exposed ? 1u : 0u;
    result->still_on_it += node->running_release == SIM_CANDIDATE ? 1u : 0u;
    if (failed(node->state)) {
        count_failed(node->reason, result);
        result->rolled_back += node->state == SERIN_STATE_ROLLED_BACK ? 1u : 0u;
        result->regressed += node->state == SERIN_STATE_REGRESSED ? 1u : 0u;
    } else if (node->state == SERIN_STATE_REJECTED && node->reason != SERIN_REASON_NOT_NEWER) {
        count_failed(node->reason, result);
        result->rejected++;
    } else if (node->state == SERIN_STATE_CONFIRMED && node->reverted) {
        count_failed(SERIN_REASON_OTHER_IMAGE, result);
        result->regressed++;
    } else if (node->state == SERIN_STATE_CONFIRMED) {
        result->confirmed++;
    } else if (serin_state_final(node->state)) {
        result->withdrawn++;
    } else if (node->state != SERIN_STATE_IDLE) {
        result->open++;
    }
}

/* ---- the rollout, and serind's books ---- */

/* Such a rollout has no reason of its own for how it stands; one that is completed without all of
 * its devices says so, lest it be taken for done. */
static void fill_why(const struct serin_rollout *rollout, struct serin_sim_result *result)
{
    if (rollout->state == SERIN_ROLLOUT_COMPLETED && rollout->tally.unreached > 0) {
        (void)snprintf(result->why, sizeof result->why,
                       "%u of %u devices are unreached: they take the release when they come, and "
                       "no gate looks at them then",
                       rollout->tally.unreached, result->members);
    } else if (result->why[0] != '\0') {
        return;
    } else if (sim_waits_for_approval(rollout)) {
        (void)snprintf(result->why, sizeof result->why, "stage %u waits for approval",
                       rollout->stage + 1u);
    }
}

static void fill_books(const struct serin_rollout *rollout, struct serin_sim_books *books)
{
    const struct serin_tally *tally = &rollout->tally;
    books->exposed = tally->accepted;
    books->confirmed = tally->confirmed;
    books->failed = tally->failed + tally->rejected;
    books->rolled_back = rollout->rolled_back;
    books->regressed = tally->regressed;
    books->rejected = tally->rejected;
    memcpy(books->reasons, rollout->reasons, sizeof books->reasons);
}

static void fill_rollout(const struct server_head *head, struct serin_sim_result *result)
{
    const struct serin_rollout *rollout = head->reverting ? &head->halted : &head->rollout;
    if (!head->has_rollout) {
        result->state = SERIN_ROLLOUT_CREATED;
        (void)snprintf(result->why, sizeof result->why, "serind had not begun it at the end");
        return;
    }
    result->state = rollout->state;
    result->stage = rollout->stage;
    result->members = head->reverting ? head->halted_count : head->member_count;
    memcpy(result->why, rollout->why, sizeof result->why);
    memcpy(result->revert_why, rollout->revert_why, sizeof result->revert_why);
    result->offered = rollout->tally.offered;
    result->unreached = rollout->tally.unreached;
    fill_books(rollout, &result->books);
    fill_why(rollout, result);
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
    result->run_ms = sim->now_ms;
    result->ended_ms = server->ended_ms != 0 ? server->ended_ms : sim->now_ms;
    if (server->store.head.reverting) {
        result->ended_ms = result->halted_ms;
    }
    result->devices = sim->config->devices;
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        count_device(&sim->nodes[i], result);
    }
}

/* ---- the judges' last look ---- */

/* Nobody took what was not offered to its hardware. */
static void check_hardware(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        if (sim->nodes[i].exposed && !sim_is_offered(sim, sim->nodes[i].hardware)) {
            sim_broken(sim, SERIN_SIM_COHORT,
                       "d%07u took the candidate, which is not for its hardware %u", i,
                       sim->nodes[i].hardware);
        }
    }
}

/* A device that can be heard has told all that it did by now, and what the server knows of it is
 * so. What the server added by itself stands beside it. */
void sim_check_end(struct sim *sim)
{
    const struct sim_server *server = sim->server;
    const struct serin_rollout *rollout = &server->store.head.rollout;
    check_hardware(sim);
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

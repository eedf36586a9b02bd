/* The judges: moments and devices (invariants.h; invariants_internal.h has the other files). */
#include "invariants_internal.h"
#include "world.h"

#include <serin/directive.h>

#include <stdlib.h>
#include <string.h>

#define MINUTE_MS UINT64_C(60000)
/* So many steps of the engine may fall into one minute: a device has some ten reports to make, and
 * each may come more than once. */
#define STEPS_LEAST  UINT64_C(4096)
#define STEPS_DEVICE UINT64_C(64)

#define ENDS_BADLY(state)                                                   \
    ((state) == SERIN_STATE_FAILED || (state) == SERIN_STATE_ROLLED_BACK || \
     (state) == SERIN_STATE_REJECTED)

enum serin_error sim_invariants_open(struct sim *sim)
{
    uint32_t count = sim->config->devices;
    struct sim_invariants *judge = calloc(1, sizeof *judge);
    if (judge == NULL) {
        return SERIN_ERR_MEMORY;
    }
    sim->invariants = judge;
    judge->states = calloc(count, sizeof *judge->states);
    judge->reasons = calloc(count, sizeof *judge->reasons);
    judge->ranks = calloc(count, sizeof *judge->ranks);
    judge->devices = calloc(count, sizeof *judge->devices);
    judge->sites = calloc(sim->config->gateways + 1u, sizeof *judge->sites);
    bool made = judge->states != NULL && judge->reasons != NULL && judge->ranks != NULL &&
                judge->devices != NULL && judge->sites != NULL;
    return made ? SERIN_OK : SERIN_ERR_MEMORY;
}

void sim_invariants_close(struct sim *sim)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge != NULL) {
        free(judge->states);
        free(judge->reasons);
        free(judge->ranks);
        free(judge->devices);
        free(judge->sites);
        free(judge);
        sim->invariants = NULL;
    }
}

/* ---- devices ---- */

void sim_check_boot(struct sim *sim, uint32_t node, bool verified)
{
    const struct sim_node *at = &sim->nodes[node];
    if (!verified || at->running_release >= SIM_RELEASES) {
        sim_broken(sim, SERIN_SIM_UNVERIFIED, "d%07u booted bytes of no signed release in slot %d",
                   node, (int)at->slot);
    }
    if (at->counter < at->floor) {
        sim_broken(sim, SERIN_SIM_BELOW_COUNTER,
                   "d%07u runs an image of security counter %u, below its own %u", node,
                   at->counter, at->floor);
    }
    sim_judge_floor(sim, node);
}

void sim_check_bricked(struct sim *sim, uint32_t node)
{
    sim_broken(sim, SERIN_SIM_BRICKED, "d%07u boots nothing", node);
}

void sim_check_armed(struct sim *sim, uint32_t node)
{
    const struct sim_heard *heard = &sim->nodes[node].heard;
    const char *why = NULL;
    if (!heard->any) {
        why = "it had heard no directive since its boot";
    } else if (heard->held) {
        why = "its gateway held it";
    } else if (heard->candidate_state == SERIN_CANDIDATE_HALTED) {
        why = "it knew of the halt";
    } else if (heard->candidate_state == SERIN_CANDIDATE_PAUSED) {
        why = "it knew of the pause";
    } else if (heard->lease_end_ms < sim->now_ms) {
        why = "its lease was over";
    }
    if (why != NULL) {
        sim_broken(sim, SERIN_SIM_TRIAL_TOO_LATE, "d%07u began a trial although %s", node, why);
    }
}

/* What was armed may have been halted before the reset came, and must have been taken back. A halt
 * that the power cut off before it was stored was not heard. */
void sim_check_trial(struct sim *sim, uint32_t node)
{
    const struct sim_node *at = &sim->nodes[node];
    const struct sim_heard *heard = &at->heard;
    size_t source = at->targeted ? SERIN_AGENT_OWN : SERIN_AGENT_CHANNEL;
    bool stored = serin_order_compare(at->agent.record.order[source], heard->order) >= 0;
    bool named = memcmp(heard->candidate, sim->releases[SIM_CANDIDATE].manifest_id,
                        sizeof heard->candidate) == 0;
    if (heard->candidate_state == SERIN_CANDIDATE_HALTED && named && stored) {
        sim_broken(sim, SERIN_SIM_TRIAL_TOO_LATE,
                   "d%07u booted into its trial although it had heard of the halt", node);
    }
}

void sim_check_site(struct sim *sim, uint32_t gateway, const struct serin_directive *directive,
                    uint32_t failures, bool held)
{
    bool offers = directive->candidate.offer_count > 0 &&
                  directive->candidate_state != SERIN_CANDIDATE_HALTED;
    uint32_t most = directive->site_failures_max;
    if (offers && most > 0 && failures > most && !held) {
        sim_broken(sim, SERIN_SIM_TRIAL_TOO_LATE,
                   "g%07u lets its nodes start although %u of them failed, and %u may",
                   gateway + 1u, failures, most);
    }
    if (sim->brokers != NULL && sim_gateway_connected(sim, gateway, SIM_SITE)) {
        sim_judge_site(sim, gateway, directive->order, sim_broker_order(sim, gateway + 1u));
    }
}

static bool of_candidate(const struct sim *sim, const struct serin_attempt_report *attempt)
{
    return memcmp(attempt->manifest_id, sim->releases[SIM_CANDIDATE].manifest_id,
                  SERIN_SHA256_SIZE) == 0;
}

/* Whoever takes the candidate is one of those to whom a directive has offered it. */
static void judge_accepted(struct sim *sim, uint32_t node,
                           const struct serin_attempt_report *attempt)
{
    const struct sim_invariants *judge = sim->invariants;
    const struct judged_device *device = &judge->devices[node];
    if (device->ended >= attempt->attempt || device->confirmed >= attempt->attempt) {
        sim_broken(sim, SERIN_SIM_TWICE,
                   "d%07u took attempt %u again, which had come to its end there", node,
                   attempt->attempt);
    }
    if (!judge->promoted && (!judge->published || judge->ranks[node] > judge->threshold)) {
        sim_broken(sim, SERIN_SIM_COHORT,
                   "d%07u took the candidate, and its rank %016llx is above %016llx, the highest "
                   "threshold published",
                   node, (unsigned long long)judge->ranks[node],
                   (unsigned long long)judge->threshold);
    }
}

void sim_check_transition(struct sim *sim, uint32_t node,
                          const struct serin_attempt_report *attempt)
{
    enum serin_state from = SERIN_STATE_IDLE;
    for (size_t i = 0; i < attempt->transition_count; i++) {
        enum serin_state to = attempt->transitions[i].state;
        if (!serin_state_allows(from, to)) {
            sim_broken(sim, SERIN_SIM_FINAL_LEFT, "d%07u went from %s to %s in attempt %u", node,
                       serin_state_text(from), serin_state_text(to), attempt->attempt);
        }
        from = to;
    }
    struct judged_device *device = &sim->invariants->devices[node];
    if (!of_candidate(sim, attempt)) {
        device->confirmed = 0; /* it was taken back: what it ran before may be offered again */
        return;
    }
    device->changed_ms = sim->now_ms;
    if (attempt->transition_count == 1) {
        judge_accepted(sim, node, attempt);
    }
    if (ENDS_BADLY(from) && attempt->attempt > device->ended) {
        device->ended = attempt->attempt;
    } else if (from == SERIN_STATE_CONFIRMED) {
        device->confirmed = attempt->attempt;
    }
}

/* ---- serind ---- */

/* [from]: what may follow. An end is an end, but what was confirmed can go wrong, and what was no
 * fault of the image may be taken again. */
static bool may_follow(enum serin_state from, enum serin_state to, bool retrying)
{
    switch (from) {
    case SERIN_STATE_CONFIRMED:
        return to == SERIN_STATE_REGRESSED || to == SERIN_STATE_REVERTED;
    case SERIN_STATE_ROLLED_BACK:
    case SERIN_STATE_FAILED:
    case SERIN_STATE_REJECTED:
    case SERIN_STATE_TIMED_OUT:
        return retrying && to == SERIN_STATE_IDLE;
    case SERIN_STATE_REGRESSED:
    case SERIN_STATE_REVERTED:
        return false;
    case SERIN_STATE_INVALID:
    case SERIN_STATE_COUNT:
        return false;
    case SERIN_STATE_IDLE:
    case SERIN_STATE_PENDING:
    case SERIN_STATE_DOWNLOADING:
    case SERIN_STATE_VERIFYING:
    case SERIN_STATE_STAGED:
    case SERIN_STATE_TRIAL:
    case SERIN_STATE_SUPERSEDED:
    case SERIN_STATE_CANCELLED:
    case SERIN_STATE_UNREACHED:
    default:
        return true;
    }
}

void sim_check_ledger(struct sim *sim, uint32_t device, enum serin_state from, enum serin_state to)
{
    if (sim->invariants != NULL && from != to && !may_follow(from, to, false)) {
        sim_broken(sim, SERIN_SIM_FINAL_LEFT, "the ledger took d%07u from %s to %s", device,
                   serin_state_text(from), serin_state_text(to));
    }
}

void sim_check_ack(struct sim *sim, uint32_t device, const struct serin_ack *ack,
                   const struct serin_report_cursor *committed)
{
    if (sim->invariants == NULL || ack->status != SERIN_ACK_STORED) {
        return;
    }
    if (committed->incarnation != ack->incarnation || committed->number < ack->number) {
        sim_broken(sim, SERIN_SIM_ACK_EARLY,
                   "report %llu of d%07u was acknowledged, and the store holds %llu",
                   (unsigned long long)ack->number, device, (unsigned long long)committed->number);
    }
}

void sim_check_created(struct sim *sim, const struct serin_rollout *rollout,
                       const struct serin_members *members)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge == NULL) {
        return;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        judge->ranks[members->list[i].device] = members->list[i].rank;
        judge->states[members->list[i].device] = members->list[i].state;
    }
    judge->paused = false;
    sim_judge_pace_created(sim, rollout);
    sim_judge_ends(sim, rollout, members);
    sim_check_books(sim, rollout, members);
}

void sim_check_restored(struct sim *sim, const struct serin_rollout *rollout,
                        const struct serin_members *members)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge == NULL) {
        return;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        judge->states[members->list[i].device] = members->list[i].state;
    }
    judge->went_back = true;
    sim_judge_pace_restored(sim, rollout);
    sim_judge_ends(sim, rollout, members);
    sim_judge_restored(sim);
}

void sim_check_step_before(struct sim *sim, const struct serin_rollout *rollout,
                           enum serin_rollout_event_kind event)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge != NULL) {
        judge->before = (struct judged_step){
            .event = event,
            .threshold = rollout->threshold,
            .publishes = rollout->publishes,
            .stage = rollout->stage,
            .attempt = rollout->attempt,
            .state = rollout->state,
            .closed = rollout->closed,
            .retrying = rollout->retrying,
            .completed = rollout->state == SERIN_ROLLOUT_COMPLETED,
        };
    }
}

static void judge_member(struct sim *sim, const struct serin_rollout *rollout,
                         const struct serin_member *member)
{
    struct sim_invariants *judge = sim->invariants;
    enum serin_state from = (enum serin_state)judge->states[member->device];
    enum serin_state to = (enum serin_state)member->state;
    bool retrying = judge->before.retrying || rollout->retrying;
    if (from != to && !may_follow(from, to, retrying)) {
        sim_broken(sim, SERIN_SIM_FINAL_LEFT, "the engine took d%07u from %s to %s", member->device,
                   serin_state_text(from), serin_state_text(to));
    }
    sim_judge_end(sim, rollout, member);
    judge->states[member->device] = member->state;
}

/* Whether a directive says something else than before the step: each one reaches every device of
 * the channel, and none is for nothing. Renewals and repairs are no step's. */
static bool says_more(const struct judged_step *before, const struct serin_rollout *rollout)
{
    return rollout->threshold != before->threshold || rollout->stage != before->stage ||
           rollout->state != before->state || rollout->attempt != before->attempt ||
           rollout->closed != before->closed;
}

/* What has ended stays so; a halted rollout may be aborted, and goes on in no other way. */
static bool has_left_its_end(enum serin_rollout_state from, enum serin_rollout_state to)
{
    bool ended = from == SERIN_ROLLOUT_HALTED || from == SERIN_ROLLOUT_COMPLETED ||
                 from == SERIN_ROLLOUT_ABORTED || from == SERIN_ROLLOUT_SUPERSEDED;
    return ended && from != to && !(from == SERIN_ROLLOUT_HALTED && to == SERIN_ROLLOUT_ABORTED);
}

/* An engine that wants ever more at once would keep the run in one day for ever. */
static void judge_spin(struct sim *sim)
{
    struct judged_spin *spin = &sim->invariants->spin;
    uint64_t minute = sim->now_ms / MINUTE_MS;
    if (spin->minute != minute) {
        *spin = (struct judged_spin){.minute = minute};
    }
    spin->steps++;
    if (spin->steps > STEPS_LEAST + STEPS_DEVICE * sim->config->devices) {
        sim_broken(sim, SERIN_SIM_SPIN, "%llu steps of the engine in one minute",
                   (unsigned long long)spin->steps);
    }
}

void sim_check_step(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members,
                    const struct serin_rollout_actions *actions)
{
    struct sim_invariants *judge = sim->invariants;
    uint32_t publishes = 0;
    bool elsewhere = false;
    if (judge == NULL) {
        return;
    }
    for (size_t i = 0; i < actions->count; i++) {
        const struct serin_rollout_action *action = &actions->list[i];
        if (action->kind == SERIN_ROLLOUT_ACT_SAVE_MEMBER) {
            judge_member(sim, rollout, &members->list[action->member]);
        } else if (action->kind == SERIN_ROLLOUT_ACT_AUDIT) {
            elsewhere = elsewhere || strstr(action->text, "so that not all stand") != NULL;
        }
        publishes += action->kind == SERIN_ROLLOUT_ACT_PUBLISH ? 1u : 0u;
    }
    if (publishes > 1 || rollout->publishes - judge->before.publishes != publishes ||
        rollout->stage > judge->before.stage + 1u) {
        sim_broken(sim, SERIN_SIM_PUBLISHES, "one step of the engine asked for %u publishes",
                   publishes);
    }
    if (publishes == 1 && !says_more(&judge->before, rollout)) {
        sim_broken(sim, SERIN_SIM_PUBLISHES,
                   "a step asked for a publish that says nothing new: "
                   "stage %u, %u offered",
                   rollout->stage, rollout->tally.offered);
    }
    if (has_left_its_end(judge->before.state, rollout->state)) {
        sim_broken(sim, SERIN_SIM_FINAL_LEFT, "the engine took the rollout from %s to %s",
                   serin_rollout_state_text(judge->before.state),
                   serin_rollout_state_text(rollout->state));
    }
    judge_spin(sim);
    sim_judge_told(sim, rollout, publishes);
    sim_judge_pace(sim, rollout, members);
    judge->paused = judge->paused || rollout->state == SERIN_ROLLOUT_PAUSED;
    sim_judge_passed(sim, rollout, members);
    if (rollout->threshold != judge->before.threshold) {
        sim_judge_threshold(sim, rollout, members, judge->before.threshold, elsewhere);
    } else {
        sim_judge_gates(sim,
                        rollout); /* whom a threshold covers anew is judged with the next step */
    }
}

static bool names_candidate(const struct sim *sim, const struct serin_release *release)
{
    return release->offer_count > 0 &&
           memcmp(release->offers[0].manifest_id, sim->releases[SIM_CANDIDATE].manifest_id,
                  SERIN_SHA256_SIZE) == 0;
}

void sim_check_directive(struct sim *sim, const struct serin_directive *directive,
                         const struct serin_rollout *rollout, const struct serin_members *members)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge == NULL) {
        return;
    }
    judge->made = (struct judged_directive){
        .order = directive->order,
        .has_candidate = names_candidate(sim, &directive->candidate),
        .threshold = directive->threshold,
        .promotes = names_candidate(sim, &directive->stable),
    };
    if (members->count > 0) {
        sim_judge_says(sim, directive, rollout);
        sim_check_books(sim, rollout, members);
    }
}

void sim_check_publish(struct sim *sim, struct serin_order order, bool repair)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge == NULL) {
        return;
    }
    /* Nobody but devices remembers an order that serind's store and the broker's disk have both
     * been set back from: they refuse it, and say so. */
    bool forgotten = judge->went_back && sim->result->came[SERIN_SIM_EVENT_BROKER_OLD] > 0;
    if (!repair && judge->sent && !forgotten &&
        serin_order_compare(order, judge->sent_order) == 0) {
        sim_broken(sim, SERIN_SIM_PUBLISHES, "order %u.%u was published twice", order.epoch,
                   order.sequence);
    }
    judge->sent = true;
    judge->sent_order = order;
    sim_judge_publish(sim);
    if (serin_order_compare(order, judge->made.order) != 0) {
        return; /* a repair of what was made before a crash: it is known already */
    }
    judge->promoted = judge->promoted || judge->made.promotes;
    if (judge->made.has_candidate) {
        judge->threshold = judge->published && judge->threshold > judge->made.threshold
                               ? judge->threshold
                               : judge->made.threshold;
        judge->published = true;
    }
}

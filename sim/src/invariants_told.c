/* The judges of what devices are told (invariants.h): a halt, a pause, a retry or a promotion that
 * no directive says stops nobody, however right the books are. */
#include "invariants_internal.h"
#include "server.h"
#include "world.h"

#include <string.h>

/* serind publishes what its store has at once; after a connection it hears what the broker retains
 * first, and another of its publishes may have to be answered before. */
#define TOLD_MS (UINT64_C(2) * (SERVER_SETTLE_MS + SERVER_ANSWER_MS))

/* What devices have to read of a rollout that stands so. */
static enum serin_candidate_state must_read(enum serin_rollout_state state, uint32_t stage,
                                            bool closed)
{
    static const enum serin_candidate_state reads[SERIN_ROLLOUT_STATE_COUNT] = {
        [SERIN_ROLLOUT_AWAITING] = SERIN_CANDIDATE_ROLLING, /* the stages that are open */
        [SERIN_ROLLOUT_ROLLING] = SERIN_CANDIDATE_ROLLING,
        [SERIN_ROLLOUT_SOAKING] = SERIN_CANDIDATE_ROLLING,
        [SERIN_ROLLOUT_PAUSED] = SERIN_CANDIDATE_PAUSED,
        [SERIN_ROLLOUT_HALTED] = SERIN_CANDIDATE_HALTED,
    };
    if (stage == 0 || reads[state] == SERIN_CANDIDATE_INVALID) {
        return SERIN_CANDIDATE_NONE;
    }
    bool waits = closed && reads[state] == SERIN_CANDIDATE_ROLLING;
    return waits ? SERIN_CANDIDATE_PAUSED : reads[state];
}

static const char *words_of(enum serin_candidate_state state)
{
    static const char *const words[] = {[SERIN_CANDIDATE_INVALID] = "nothing yet",
                                        [SERIN_CANDIDATE_NONE] = "nothing",
                                        [SERIN_CANDIDATE_ROLLING] = "rolling",
                                        [SERIN_CANDIDATE_PAUSED] = "paused",
                                        [SERIN_CANDIDATE_HALTED] = "halted"};
    return (size_t)state < sizeof words / sizeof words[0] ? words[state] : "no known state";
}

static bool names(const struct serin_release *release, const uint8_t id[SERIN_SHA256_SIZE])
{
    return release->offer_count > 0 &&
           memcmp(release->offers[0].manifest_id, id, SERIN_SHA256_SIZE) == 0;
}

/* ---- a step ---- */

/* What stops devices, lets them go on, or is offered to more of them is told at once. Who takes the
 * place of a superseded rollout tells for it. */
void sim_judge_told(struct sim *sim, const struct serin_rollout *rollout, uint32_t publishes)
{
    const struct judged_step *before = &sim->invariants->before;
    bool other = must_read(before->state, before->stage, before->closed) !=
                     must_read(rollout->state, rollout->stage, rollout->closed) ||
                 (rollout->stage > 0 &&
                  (rollout->attempt != before->attempt || rollout->threshold != before->threshold));
    if (other && publishes == 0 && rollout->state != SERIN_ROLLOUT_SUPERSEDED) {
        sim_broken(sim, SERIN_SIM_TOLD,
                   "the rollout went from %s to %s, attempt %u, and no device is told",
                   serin_rollout_state_text(before->state),
                   serin_rollout_state_text(rollout->state), rollout->attempt);
    }
}

/* ---- a directive ---- */

static void judge_terms(struct sim *sim, const struct serin_directive *directive,
                        const struct serin_policy *policy)
{
    uint32_t spread_s = policy->emergency ? 0 : policy->spread_s;
    bool emergency = (directive->flags & SERIN_DIRECTIVE_EMERGENCY) != 0;
    bool revert = (directive->candidate.flags & SERIN_RELEASE_REVERT) != 0;
    bool offers = directive->candidate_state != SERIN_CANDIDATE_NONE;
    if (directive->lease_s != policy->lease_s || directive->spread_s != spread_s ||
        directive->site_failures_max != policy->site_failures_max ||
        emergency != policy->emergency || (offers && revert != policy->revert)) {
        sim_broken(sim, SERIN_SIM_TOLD,
                   "a directive has a lease of %u s, %u s of spread and %u failures a site, and "
                   "the policy %u, %u and %u",
                   directive->lease_s, directive->spread_s, directive->site_failures_max,
                   policy->lease_s, spread_s, policy->site_failures_max);
    }
}

/* Devices commit a counter for good: only with the last stage's soak behind it. */
static void judge_commit(struct sim *sim, const struct serin_directive *directive,
                         const struct serin_rollout *rollout)
{
    bool completed = rollout->state == SERIN_ROLLOUT_COMPLETED;
    bool stable = names(&directive->stable, rollout->policy.offers[0].manifest_id);
    if (completed && !stable) {
        sim_broken(sim, SERIN_SIM_TOLD, "the rollout is completed, and its release is not stable");
    } else if (stable && !completed && !rollout->policy.revert) {
        sim_broken(sim, SERIN_SIM_COMMIT, "the release is stable, and its rollout is %s",
                   serin_rollout_state_text(rollout->state));
    } else if ((directive->candidate.flags & SERIN_RELEASE_COMMIT) != 0) {
        sim_broken(sim, SERIN_SIM_COMMIT, "a candidate may commit, and its rollout is %s",
                   serin_rollout_state_text(rollout->state));
    }
}

void sim_judge_says(struct sim *sim, const struct serin_directive *directive,
                    const struct serin_rollout *rollout)
{
    enum serin_candidate_state must = must_read(rollout->state, rollout->stage, rollout->closed);
    bool offers = directive->candidate_state != SERIN_CANDIDATE_NONE;
    bool as_kept = directive->candidate.attempt == rollout->attempt &&
                   directive->threshold == rollout->threshold &&
                   names(&directive->candidate, rollout->policy.offers[0].manifest_id);
    if (directive->candidate_state != must || (offers && !as_kept)) {
        sim_broken(sim, SERIN_SIM_TOLD,
                   "the rollout is %s, attempt %u, and a directive says %s of attempt %u, up to "
                   "%016llx",
                   serin_rollout_state_text(rollout->state), rollout->attempt,
                   words_of(directive->candidate_state), directive->candidate.attempt,
                   (unsigned long long)directive->threshold);
    }
    judge_terms(sim, directive, &rollout->policy);
    judge_commit(sim, directive, rollout);
}

void sim_judge_floor(struct sim *sim, uint32_t node)
{
    const struct sim_node *at = &sim->nodes[node];
    if (!sim->invariants->promoted && at->floor > sim->releases[SIM_STABLE].counter) {
        sim_broken(sim, SERIN_SIM_COMMIT,
                   "d%07u has committed security counter %u, and no directive made the release "
                   "stable",
                   node, at->floor);
    }
}

/* ---- the broker ---- */

static struct judged_told told_by(const struct serin_directive *directive)
{
    return (struct judged_told){
        .state = directive->candidate_state,
        .attempt = directive->candidate.attempt,
        .threshold = directive->threshold,
    };
}

/* The codec that remembers nothing: what judges read is in no figure of the run. */
static bool read_payload(const struct sim *sim, const uint8_t *payload, size_t size,
                         struct judged_told *told)
{
    const struct serin_codec *codec = sim->config->codec;
    struct serin_envelope envelope;
    struct serin_directive directive;
    if (codec->decode_envelope(payload, size, &envelope) != SERIN_OK ||
        codec->decode_directive(envelope.body, envelope.body_size, &directive) != SERIN_OK) {
        return false;
    }
    *told = told_by(&directive);
    return true;
}

void sim_judge_sent(struct sim *sim, const struct serin_directive *directive)
{
    sim->invariants->told = told_by(directive);
}

/* The bytes that serind's store holds are those that go out. */
void sim_judge_publish(struct sim *sim)
{
    if (sim->server != NULL) {
        const struct server_directive *held = &sim->server->store.head.directive;
        (void)read_payload(sim, held->payload, held->size, &sim->invariants->told);
    }
}

static bool agrees(const struct judged_told *told, const struct serin_rollout *rollout,
                   enum serin_candidate_state must)
{
    bool offers = told->state != SERIN_CANDIDATE_NONE && told->state != SERIN_CANDIDATE_INVALID;
    bool as_kept = told->attempt == rollout->attempt && told->threshold == rollout->threshold;
    return must == SERIN_CANDIDATE_NONE ? !offers : told->state == must && as_kept;
}

/* A broker that came back with an older disk may show what a restored serind has stored, so that
 * there is nothing to publish. */
static bool broker_agrees(const struct sim *sim, const struct serin_rollout *rollout,
                          enum serin_candidate_state must)
{
    struct judged_told shown;
    const struct sim_message *retained =
        sim->brokers != NULL ? sim_broker_directive(sim, SIM_CLOUD) : NULL;
    return retained != NULL && read_payload(sim, retained->payload, retained->size, &shown) &&
           agrees(&shown, rollout, must);
}

void sim_judge_shown(struct sim *sim, const struct serin_rollout *rollout, uint64_t able_ms)
{
    struct sim_invariants *judge = sim->invariants;
    const struct judged_told *told = &judge->told;
    bool closed = sim_judge_closed(&rollout->policy, sim_wall_ms(sim));
    enum serin_candidate_state must = must_read(rollout->state, rollout->stage, closed);
    bool asked =
        able_ms != SIM_NEVER_MS && rollout->stage > 0 && rollout->state != SERIN_ROLLOUT_SUPERSEDED;
    if (!asked || agrees(told, rollout, must) || broker_agrees(sim, rollout, must)) {
        judge->untold = false;
        return;
    }
    if (!judge->untold) {
        judge->untold = true;
        judge->untold_ms = sim->now_ms;
    }
    uint64_t since_ms = judge->untold_ms > able_ms ? judge->untold_ms : able_ms;
    if (sim->now_ms > since_ms + TOLD_MS) {
        sim_broken(sim, SERIN_SIM_TOLD,
                   "the rollout is %s, attempt %u, and for %llu s the last directive published "
                   "says %s of attempt %u",
                   serin_rollout_state_text(rollout->state), rollout->attempt,
                   (unsigned long long)((sim->now_ms - since_ms) / 1000u), words_of(told->state),
                   told->attempt);
    }
}

void sim_judge_broker(struct sim *sim, const struct serin_rollout *rollout)
{
    const struct sim_server *server = sim->server;
    if (server == NULL || !server->store.head.has_rollout) {
        return;
    }
    /* Between a pass and its commit the store has something else than what is seen here. */
    bool able = server->up && server->connected && server->settled && !server->committing;
    sim_judge_shown(sim, rollout, able ? server->connected_ms : SIM_NEVER_MS);
}

/* ---- the sites ---- */

void sim_judge_site(struct sim *sim, uint32_t gateway, struct serin_order held,
                    struct serin_order shown)
{
    struct judged_site *site = &sim->invariants->sites[gateway];
    if (serin_order_compare(shown, held) >= 0) {
        site->untold = (struct serin_order){0, 0};
    } else if (serin_order_compare(site->untold, held) != 0) {
        *site = (struct judged_site){.untold = held, .untold_ms = sim->now_ms};
    } else if (sim->now_ms > site->untold_ms + TOLD_MS) {
        sim_broken(sim, SERIN_SIM_TOLD,
                   "g%07u holds directive %u.%u, and for %llu s its site's broker shows %u.%u",
                   gateway + 1u, held.epoch, held.sequence,
                   (unsigned long long)((sim->now_ms - site->untold_ms) / 1000u), shown.epoch,
                   shown.sequence);
    }
}

void sim_check_site_link(struct sim *sim, uint32_t gateway)
{
    sim->invariants->sites[gateway].untold = (struct serin_order){0, 0};
}

/* A rollout as the API shows it, as docs/spec/http-api.md names its members. */
#include "api.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

static struct serin_json *stages_json(const struct serin_policy *policy, uint32_t population)
{
    struct serin_json *array = serin_json_array();
    for (size_t i = 0; i < policy->stage_count; i++) {
        const struct serin_stage_policy *stage = &policy->stages[i];
        struct serin_json *object = serin_json_object();
        uint32_t devices = stage->count < population ? stage->count : population;
        if (stage->permyriad > 0) {
            serin_json_put_real(object, "percent", stage->permyriad / 100.0);
            devices = serin_cohort_count(population, stage->permyriad);
        } else {
            serin_json_put_number(object, "count", stage->count);
        }
        serin_json_put_number(object, "soak_s", stage->soak_s);
        serin_json_put_number(object, "devices", devices);
        serin_json_put_bool(object, "approval", stage->approval);
        serin_json_add(array, object);
    }
    return array;
}

static struct serin_json *tally_json(const struct serin_tally *tally)
{
    struct serin_json *object = serin_json_object();
    serin_json_put_number(object, "offered", tally->offered);
    serin_json_put_number(object, "accepted", tally->accepted);
    serin_json_put_number(object, "confirmed", tally->confirmed);
    serin_json_put_number(object, "failed", tally->failed);
    serin_json_put_number(object, "rejected", tally->rejected);
    serin_json_put_number(object, "unreached", tally->unreached);
    serin_json_put_number(object, "regressed", tally->regressed);
    serin_json_put_number(object, "other", tally->other);
    return object;
}

/* Seconds of soak that are still to come in the present stage. */
static uint64_t soak_left_s(const struct serin_rollout *rollout)
{
    if (rollout->stage == 0 || rollout->policy.emergency || serind_rollout_over(rollout->state)) {
        return 0;
    }
    uint64_t soak_ms = (uint64_t)rollout->policy.stages[rollout->stage - 1].soak_s * 1000u;
    return rollout->soaked_ms < soak_ms ? (soak_ms - rollout->soaked_ms + 999u) / 1000u : 0;
}

/* The ramp inside the stage. */
static struct serin_json *ramp_json(const struct serin_rollout *rollout)
{
    const struct serin_tally *tally = &rollout->tally;
    uint32_t ended = tally->confirmed + tally->failed + tally->rejected + tally->other;
    struct serin_json *object = serin_json_object();
    serin_json_put_number(object, "reached", rollout->reached);
    serin_json_put_number(object, "target", rollout->target);
    serin_json_put_number(object, "in_flight",
                          tally->accepted > ended ? tally->accepted - ended : 0);
    serin_json_put_number(object, "first", rollout->policy.ramp.first);
    serin_json_put_number(object, "growth_percent", rollout->policy.ramp.growth_percent);
    return object;
}

/* When devices may start. */
static void put_hours(struct serin_json *object, const struct serin_rollout *rollout)
{
    serin_json_put_bool(object, "closed", rollout->closed);
    serind_put_time(object, "start", rollout->policy.start_s);
    uint64_t edge_ms =
        serind_rollout_over(rollout->state) ? UINT64_MAX : serin_rollout_edge_ms(rollout);
    serind_put_time(object, "next_edge", edge_ms != UINT64_MAX ? edge_ms / 1000u : 0);
}

/* The sequential test as it stands. */
static struct serin_json *test_json(struct serind *serind, struct serind_slot *slot)
{
    const struct serin_rollout *rollout = &slot->rollout;
    const struct serin_test_policy *policy = &rollout->policy.test;
    const struct serin_evidence *evidence = &rollout->evidence;
    struct serin_test_view view;
    serind_slot_attach(serind, slot);
    serin_rollout_test(rollout, &slot->members, &view);
    struct serin_json *object = serin_json_object();
    serin_json_put_real(object, "accepted_percent", policy->accepted_permyriad / 100.0);
    serin_json_put_real(object, "rejected_percent", policy->rejected_permyriad / 100.0);
    serin_json_put_number(object, "resolved", view.resolved);
    serin_json_put_number(object, "failed", view.failed);
    serin_json_put_number(object, "excused", evidence->excused);
    serin_json_put_real(object, "against", view.against / 1000.0);
    serin_json_put_real(object, "reject_at", view.reject_at / 1000.0);
    if (!serind_rollout_over(rollout->state)) {
        serin_json_put_number(object, "more_failures", view.more_failures);
    }
    serin_json_put_real(object, "leaning", view.leaning / 1000.0);
    serin_json_put_real(object, "accept_at", view.accept_at / 1000.0);
    serin_json_put_number(object, "stage_well", evidence->stage_well);
    serin_json_put_number(object, "stage_failed", evidence->stage_failed + evidence->stage_silent);
    serin_json_put_number(object, "stage_need", evidence->stage_need);
    serin_json_put_bool(object, "accepted", rollout->accepted);
    return object;
}

/* One gate with what it judges by; `bad` of `of` devices. */
static void add_gate(struct serin_json *array, const char *name,
                     const struct serin_gate_policy *gate, uint32_t bad, uint32_t of)
{
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "gate", name);
    serin_json_put_real(object, "max_percent", gate->max_permyriad / 100.0);
    serin_json_put_number(object, "minimum", gate->minimum);
    serin_json_put_number(object, "bad", bad);
    serin_json_put_number(object, "of", of);
    serin_json_add(array, object);
}

/* Without those that the network excuses. `whole`: what is derived from the members is there, and
 * so is their number. */
static struct serin_json *gates_json(const struct serin_rollout *rollout, bool whole)
{
    const struct serin_gate_policy *gates = rollout->policy.gates;
    const struct serin_tally *tally = &rollout->tally;
    const struct serin_comparison *comparison = &rollout->comparison;
    uint32_t left_out = serin_rollout_left_out(rollout);
    uint32_t failed = tally->failed + tally->rejected - left_out;
    uint32_t resolved = tally->confirmed + failed;
    uint32_t stayed = tally->confirmed + tally->regressed;
    struct serin_json *array = serin_json_array();
    add_gate(array, "failures", &gates[SERIN_GATE_FAILURES], failed, resolved);
    if (whole) {
        add_gate(array, "boot_success", &gates[SERIN_GATE_BOOTS], rollout->boots,
                 stayed + rollout->boots);
        add_gate(array, "rollbacks", &gates[SERIN_GATE_ROLLBACKS], rollout->rolled_back, resolved);
    }
    add_gate(array, "regressions", &gates[SERIN_GATE_REGRESSIONS], tally->regressed, stayed);
    add_gate(array, "silence", &gates[SERIN_GATE_SILENCE], comparison->updated_silent,
             comparison->updated);
    add_gate(array, "errors", &gates[SERIN_GATE_ERRORS], comparison->updated_unwell,
             comparison->updated);
    for (size_t i = 0; i < rollout->policy.reason_count; i++) {
        const struct serin_reason_policy *own = &rollout->policy.reasons[i];
        uint32_t bad = rollout->reasons[own->reason];
        bad -= own->reason == SERIN_REASON_DEADLINE ? left_out : 0;
        add_gate(array, serin_reason_word(own->reason), &own->gate, bad, resolved);
    }
    return array;
}

/* The updated devices and the control group. */
static struct serin_json *comparison_json(const struct serin_comparison *comparison)
{
    struct serin_json *object = serin_json_object();
    serind_put_time(object, "time", comparison->at_ms / 1000u);
    serind_put_time(object, "control_time", comparison->control_at_ms / 1000u);
    serin_json_put_number(object, "updated", comparison->updated);
    serin_json_put_number(object, "updated_silent", comparison->updated_silent);
    serin_json_put_number(object, "updated_unwell", comparison->updated_unwell);
    serin_json_put_number(object, "control", comparison->control);
    serin_json_put_number(object, "control_silent", comparison->control_silent);
    serin_json_put_number(object, "control_unwell", comparison->control_unwell);
    serin_json_put_real(object, "expected_silent_percent",
                        comparison->expected_silent_permyriad / 100.0);
    serin_json_put_real(object, "expected_unwell_percent",
                        comparison->expected_unwell_permyriad / 100.0);
    return object;
}

/* What the rollout is judged by. Without its members the test is null and the gates on boot_success
 * and rollbacks are left out, since their evidence is not stored; the comparison is null where none
 * was made. */
static void put_judgement(struct serind *serind, struct serin_json *object,
                          const struct serin_rollout *rollout, struct serind_slot *slot)
{
    if (slot != NULL) {
        serin_json_put(object, "test", test_json(serind, slot));
    } else {
        serin_json_put_null(object, "test");
    }
    serin_json_put(object, "gates", gates_json(rollout, slot != NULL));
    if (rollout->comparison.at_ms != 0) {
        serin_json_put(object, "comparison", comparison_json(&rollout->comparison));
    } else {
        serin_json_put_null(object, "comparison");
    }
}

/* What the policy wants of a halt, and what became of it. */
static void put_on_halt(struct serin_json *object, const struct serin_rollout *rollout)
{
    bool reverts = rollout->policy.on_halt == SERIN_ON_HALT_REVERT;
    serin_json_put_text(object, "on_halt", reverts ? "revert" : "hold");
    if (rollout->reverted_by != 0) {
        serin_json_put_number(object, "reverted_by", rollout->reverted_by);
    } else {
        serin_json_put_null(object, "reverted_by");
    }
    serin_json_put_text(object, "revert_why", rollout->revert_why);
    serin_json_put_bool(object, "revert", rollout->policy.revert);
}

struct serin_json *serind_rollout_json(struct serind *serind, const struct serin_rollout *rollout,
                                       struct serind_slot *slot, uint32_t population)
{
    const struct serin_policy *policy = &rollout->policy;
    struct serin_json *object = serin_json_object();
    serin_json_put_number(object, "id", rollout->id);
    serin_json_put_text(object, "name", policy->name);
    serin_json_put_text(object, "product", policy->product);
    serin_json_put_text(object, "channel", policy->channel);
    serin_json_put_text(object, "state", serin_rollout_state_text(rollout->state));
    serin_json_put_text(object, "why", rollout->why);
    serin_json_put_number(object, "stage", rollout->stage);
    serin_json_put(object, "stages", stages_json(policy, population));
    serin_json_put_number(object, "target", rollout->target);
    serin_json_put(object, "ramp", ramp_json(rollout));
    serin_json_put_bool(object, "held", rollout->held);
    serin_json_put_bool(object, "approved", rollout->approved);
    put_hours(object, rollout);
    char threshold[17];
    (void)snprintf(threshold, sizeof threshold, "%016" PRIx64, rollout->threshold);
    serin_json_put_text(object, "threshold", threshold);
    serin_json_put_number(object, "attempt", rollout->attempt);
    serin_json_put(object, "releases",
                   serind_offers_json(serind, policy->offers, policy->offer_count));
    serin_json_put_number(object, "population", population);
    serin_json_put(object, "tally", tally_json(&rollout->tally));
    put_judgement(serind, object, rollout, slot);
    put_on_halt(object, rollout);
    serin_json_put_number(object, "soaked_s", rollout->soaked_ms / 1000);
    serin_json_put_number(object, "soak_left_s", soak_left_s(rollout));
    serin_json_put_number(object, "publishes", rollout->publishes);
    serind_put_time(object, "created", rollout->created_ms / 1000);
    serind_put_time(object, "ended", rollout->ended_ms / 1000);
    return object;
}

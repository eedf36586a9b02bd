/*
 * The outcome of a simulation as JSON (docs/spec/simulation.md, section 5).
 */
#include "simulate.h"

#include <serin/adapters/json.h>

#define PUT(member) serin_json_put_number(json, #member, result->member)

static struct serin_json *stages_json(const struct serin_cli_course *course)
{
    struct serin_json *list = serin_json_array();

    for (size_t i = 0; i < course->count; i++) {
        const struct serin_cli_stage *stage = &course->stages[i];
        struct serin_json *json = serin_json_object();
        serin_json_put_number(json, "stage", i + 1);
        serin_json_put_number(json, "devices", stage->target);
        serin_json_put_number(json, "opened_ms", stage->opened_ms);
        if (stage->soaking_ms > 0) {
            serin_json_put_number(json, "soaking_ms", stage->soaking_ms);
        } else {
            serin_json_put_null(json, "soaking_ms");
        }
        if (stage->ended_ms > 0) {
            serin_json_put_number(json, "ended_ms", stage->ended_ms);
        } else {
            serin_json_put_null(json, "ended_ms");
        }
        serin_json_put_number(json, "exposed", stage->exposed);
        serin_json_put_number(json, "confirmed", stage->confirmed);
        serin_json_put_number(json, "failed", stage->failed);
        serin_json_add(list, json);
    }
    return list;
}

/* Where a halt had its devices taken back. */
static void put_revert(const struct serin_cli_simulation *simulation, struct serin_json *parent)
{
    const struct serin_sim_revert *result = &simulation->result.revert;

    if (result->state == SERIN_ROLLOUT_INVALID) {
        serin_json_put_null(parent, "revert");
        return;
    }
    struct serin_json *json = serin_json_object();
    serin_json_put_text(json, "state", serin_rollout_state_text(result->state));
    PUT(stage);
    PUT(began_ms);
    if (result->ended_ms > 0) {
        PUT(ended_ms);
    } else {
        serin_json_put_null(json, "ended_ms");
    }
    PUT(offered);
    PUT(exposed);
    PUT(confirmed);
    PUT(failed);
    serin_json_put(json, "stages", stages_json(&simulation->revert));
    serin_json_put(parent, "revert", json);
}

static void put_crashes(const struct serin_sim_result *result, struct serin_json *parent)
{
    struct serin_json *json = serin_json_object();

    serin_json_put_number(json, "devices", result->crashes);
    serin_json_put_number(json, "gateways", result->gateway_crashes);
    serin_json_put_number(json, "serind", result->serind_crashes);
    serin_json_put(parent, "crashes", json);
}

static void put_text_or_null(struct serin_json *json, const char *key, const char *text)
{
    if (text != NULL) {
        serin_json_put_text(json, key, text);
    } else {
        serin_json_put_null(json, key);
    }
}

/* The ranges of revisions that the release is offered to; without any it is for all. */
static struct serin_json *hardware_json(const struct serin_policy *policy)
{
    struct serin_json *list = serin_json_array();

    for (size_t i = 0; i < policy->offer_count; i++) {
        struct serin_json *range = serin_json_object();
        serin_json_put_number(range, "from", policy->offers[i].hw_min);
        serin_json_put_number(range, "to", policy->offers[i].hw_max);
        serin_json_add(list, range);
    }
    return list;
}

static void put_settings(const struct serin_cli_simulation *simulation, struct serin_json *json)
{
    const struct serin_sim_config *config = &simulation->config;
    struct serin_json *settings = serin_json_object();
    char ignored[SERIN_CLI_IGNORED_SIZE];

    serin_json_put_number(settings, "seed", config->seed);
    serin_json_put_number(settings, "devices", config->devices);
    serin_json_put_number(settings, "gateways", config->gateways);
    serin_json_put_number(settings, "image_size", config->image_size);
    serin_json_put_number(settings, "beat_s", config->beat_interval_s);
    serin_json_put_number(settings, "limit_ms", config->limit_ms);
    serin_json_put_bool(settings, "raises_counter", config->raises_counter);
    serin_json_put_bool(settings, "flash_copy_on_write", true);
    serin_json_put_bool(settings, "verification_remembered", true);
    put_text_or_null(settings, "scenario", serin_cli_text(simulation->cli, "scenario"));
    serin_json_put(settings, "hardware", hardware_json(&config->policy));
    serin_cli_simulation_ignored(simulation, ignored);
    serin_json_put_text(settings, "ignored", ignored);
    serin_json_put(json, "settings", settings);
}

static void put_reasons(const uint32_t reasons[SERIN_REASON_COUNT], struct serin_json *parent)
{
    struct serin_json *json = serin_json_object();

    for (int i = SERIN_REASON_INVALID + 1; i < SERIN_REASON_COUNT; i++) {
        if (reasons[i] > 0) {
            serin_json_put_number(json, serin_reason_word((enum serin_reason)i), reasons[i]);
        }
    }
    serin_json_put(parent, "reasons", json);
}

/* What serind knew of the same devices. */
static void put_books(const struct serin_sim_books *result, struct serin_json *parent)
{
    struct serin_json *json = serin_json_object();

    PUT(exposed);
    PUT(confirmed);
    PUT(failed);
    PUT(rolled_back);
    PUT(regressed);
    PUT(rejected);
    put_reasons(result->reasons, json);
    serin_json_put(parent, "books", json);
}

static void put_devices(const struct serin_sim_result *result, struct serin_json *json)
{
    PUT(devices);
    PUT(members);
    PUT(offered);
    PUT(exposed);
    PUT(confirmed);
    PUT(failed);
    PUT(rolled_back);
    PUT(regressed);
    PUT(rejected);
    PUT(withdrawn);
    PUT(open);
    PUT(unreached);
    PUT(still_on_it);
    put_reasons(result->reasons, json);
    put_books(&result->books, json);
}

static void put_befallen(const struct serin_sim_result *result, struct serin_json *parent)
{
    struct serin_json *json = serin_json_object();
    struct serin_json *faults = serin_json_object();
    struct serin_json *events = serin_json_object();

    PUT(dropped);
    PUT(duplicated);
    PUT(reordered);
    PUT(corrupted);
    PUT(cuts);
    PUT(sleeps);
    PUT(offline);
    PUT(weathered);
    PUT(power_cuts);
    for (int i = 1; i < SERIN_SIM_FAULT_COUNT; i++) {
        serin_json_put_number(faults, serin_sim_fault_text((enum serin_sim_fault)i),
                              result->faults[i]);
    }
    for (int i = 1; i < SERIN_SIM_EVENT_COUNT; i++) {
        serin_json_put_number(events, serin_sim_event_rule((enum serin_sim_event_kind)i)->word,
                              result->struck[i]);
    }
    serin_json_put(json, "faults", faults);
    serin_json_put(json, "events", events);
    serin_json_put(parent, "befallen", json);
}

static void put_invariants(const struct serin_cli_simulation *simulation, struct serin_json *json)
{
    const struct serin_sim_result *result = &simulation->result;
    char replay[SERIN_CLI_REPLAY_SIZE];
    char digest[SERIN_SHA256_HEX_SIZE];

    serin_json_put_bool(json, "checked", simulation->config.check);
    if (result->broken == SERIN_SIM_SOUND) {
        serin_json_put_null(json, "broken");
        serin_json_put_null(json, "breach");
    } else {
        serin_json_put_text(json, "broken", serin_sim_invariant_text(result->broken));
        serin_json_put_text(json, "breach", result->breach);
    }
    serin_hex_encode(result->digest, sizeof(result->digest), digest);
    serin_json_put_text(json, "digest", digest);
    serin_cli_simulation_replay(simulation, replay);
    serin_json_put_text(json, "replay", replay);
}

void serin_cli_simulation_print_json(const struct serin_cli_simulation *simulation)
{
    const struct serin_sim_result *result = &simulation->result;
    struct serin_json *json = serin_json_object();

    serin_json_put_text(json, "state", serin_rollout_state_text(result->state));
    serin_json_put_text(json, "why", result->why);
    PUT(stage);
    PUT(ended_ms);
    PUT(run_ms);
    if (result->halted_ms > 0) {
        PUT(halted_ms);
    } else {
        serin_json_put_null(json, "halted_ms");
    }
    if (result->first_fail_ms > 0) {
        PUT(first_fail_ms);
    } else {
        serin_json_put_null(json, "first_fail_ms");
    }
    put_devices(result, json);
    serin_json_put(json, "stages", stages_json(&simulation->course));
    put_revert(simulation, json);
    serin_json_put_text(json, "revert_why", result->revert_why);
    PUT(direct_bytes);
    PUT(uplink_bytes);
    PUT(objects_bytes);
    PUT(site_bytes);
    PUT(messages);
    PUT(beats);
    PUT(publishes);
    PUT(boots);
    put_crashes(result, json);
    PUT(events);
    PUT(verifications);
    PUT(remembered);
    PUT(flash_bytes);
    put_befallen(result, json);
    put_settings(simulation, json);
    put_invariants(simulation, json);
    serin_cli_print_json(simulation->cli, json);
}

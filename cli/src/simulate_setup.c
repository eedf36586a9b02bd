/*
 * What a simulation runs on: the operator's policy, the scenario, options, and keys that protect
 * nothing.
 */
#include "file.h"
#include "policy.h"
#include "simulate.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/stored_rollout.h>

#include <stdlib.h>
#include <string.h>

#define IMAGE_MIN 256u        /* an image has room for its own version */
#define IMAGE_MAX (16u << 20) /* serin/sim/sim.h */
#define SAMPLE_MS 600000u     /* of the time line, where nothing happens */

/* ---- files ---- */

static enum serin_cli_exit yaml_failed(const struct serin_cli *cli, enum serin_error error,
                                       const struct serin_yaml_error *why)
{
    return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why->text);
}

static enum serin_cli_exit scenario_read(struct serin_cli_simulation *simulation, uint32_t gateways)
{
    const struct serin_cli *cli = simulation->cli;
    const char *path = serin_cli_text(cli, "scenario");
    struct serin_yaml_error why;
    uint8_t *text = NULL;
    size_t size = 0;

    if (path == NULL) {
        serin_sim_scenario_default(&simulation->scenario.scenario);
        return SERIN_CLI_DONE;
    }
    enum serin_cli_exit exit = serin_cli_read(cli, path, SERIN_YAML_SIZE_MAX, &text, &size);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    enum serin_error error =
        serin_scenario_file_open(&simulation->scenario, path, text, size, &why);
    free(text);
    if (error == SERIN_OK) {
        error = serin_scenario_file_fits(&simulation->scenario, gateways, &why);
    }
    return error == SERIN_OK ? SERIN_CLI_DONE : yaml_failed(cli, error, &why);
}

/* ---- keys ---- */

/* The same in every run, so that key ids and manifest ids are: a digest of a name is a number below
 * the order of the curve, but for a chance of 2^-32 that these three do not take. */
static enum serin_cli_exit keys_make(struct serin_cli_simulation *simulation)
{
    static const char *const names[] = {
        [SERIN_CLI_KEY_ROOT] = "serin simulate: root",
        [SERIN_CLI_KEY_RELEASE] = "serin simulate: release",
        [SERIN_CLI_KEY_DIRECTOR] = "serin simulate: director",
    };
    const struct serin_cli *cli = simulation->cli;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint8_t number[SERIN_SHA256_SIZE];
        serin_sha256_of(cli->crypto, names[i], strlen(names[i]), number);
        enum serin_error error = serin_key_signer_of(&simulation->keys[i], number);
        if (error != SERIN_OK) {
            return serin_cli_fail(cli, SERIN_CLI_FAILED, "a key could not be made: %s",
                                  serin_error_text(error));
        }
        simulation->signers[i] = serin_key_signer_port(simulation->keys[i]);
    }
    return SERIN_CLI_DONE;
}

/* ---- all of it ---- */

/* A seed of 32 bits is short enough to be read out, and there are more of them than runs. */
static enum serin_cli_exit seed_choose(const struct serin_cli *cli, uint64_t *seed)
{
    uint8_t bytes[4];

    if (serin_cli_has(cli, "seed")) {
        *seed = serin_cli_number(cli, "seed");
        return SERIN_CLI_DONE;
    }
    if (cli->crypto->ops->random(cli->crypto->ctx, bytes, sizeof(bytes)) != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "no random seed can be had; give --seed");
    }
    *seed = serin_get_le32(bytes);
    /* The result says it too; but a run that does not come to its end has none. */
    serin_cli_note(cli, "seed %llu", (unsigned long long)*seed);
    return SERIN_CLI_DONE;
}

/* Of the policy what has a meaning outside of a simulation only: other rollouts, a date, and a
 * release that is older than what runs. */
void serin_cli_simulation_ignored(const struct serin_cli_simulation *simulation,
                                  char text[SERIN_CLI_IGNORED_SIZE])
{
    const struct serin_policy_file *file = &simulation->policy;
    const struct {
        const char *key;
        bool set;
    } keys[] = {{"from", file->from != 0},
                {"start", file->policy.start_s != 0},
                {"supersede", file->policy.supersede},
                {"revert", file->policy.revert}};
    size_t size = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].set) {
            size += (size_t)snprintf(text + size, SERIN_CLI_IGNORED_SIZE - size, "%s%s",
                                     size > 0 ? ", " : "", keys[i].key);
        }
    }
}

/* 2.0.0 stands in for each release of the policy on the hardware that it is for. Of a release that
 * does not say the manifest would: it is for whatever hardware there is. */
static void offers_fill(const struct serin_policy_file *file, struct serin_policy *policy)
{
    policy->offer_count = 0;
    for (size_t i = 0; i < file->release_count; i++) {
        if (!file->releases[i].has_hardware) {
            policy->offer_count = 0;
            return;
        }
        policy->offers[policy->offer_count++] = (struct serin_offer){
            .hw_min = file->releases[i].hw_min, .hw_max = file->releases[i].hw_max};
    }
}

static bool is_offered(const struct serin_policy *policy, uint16_t revision)
{
    bool found = policy->offer_count == 0;

    for (size_t i = 0; i < policy->offer_count; i++) {
        found =
            found || (policy->offers[i].hw_min <= revision && revision <= policy->offers[i].hw_max);
    }
    return found;
}

/* A rollout for nobody at all rehearses nothing. */
static enum serin_cli_exit hardware_check(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_policy *policy = &simulation->config.policy;
    const struct serin_sim_scenario *scenario = &simulation->config.scenario;
    bool found = scenario->hardware_count == 0 && is_offered(policy, 1);

    for (size_t i = 0; i < scenario->hardware_count; i++) {
        found = found || is_offered(policy, scenario->hardware[i].revision);
    }
    if (!found) {
        struct serin_yaml_error why;
        enum serin_error error =
            serin_yaml_fail(simulation->policy.document, &why, "releases[0].hardware",
                            "is of no device: the scenario's fleet.hardware says which revisions "
                            "there are, 1 alone "
                            "without it");
        return yaml_failed(cli, error, &why);
    }
    return SERIN_CLI_DONE;
}

static enum serin_cli_exit image_size_read(struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const char *text = serin_cli_text(cli, "image-size");
    uint64_t size = 0;

    if (!serin_size_parse(text, &size) || size < IMAGE_MIN || size > IMAGE_MAX) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "--image-size takes 256 to 16MiB, such as 10000 or 64KiB, not '%s'",
                              text);
    }
    simulation->image_size = (uint32_t)size;
    return SERIN_CLI_DONE;
}

static void config_fill(struct serin_cli_simulation *simulation, uint64_t seed)
{
    const struct serin_cli *cli = simulation->cli;

    simulation->config = (struct serin_sim_config){
        .policy = simulation->policy.policy,
        .devices = (uint32_t)serin_cli_number(cli, "devices"),
        .gateways = (uint32_t)serin_cli_number(cli, "gateways"),
        .seed = seed,
        .scenario = simulation->scenario.scenario,
        .image_size = simulation->image_size,
        .beat_interval_s = (uint32_t)(serin_cli_number(cli, "beat") / 1000),
        .limit_ms = serin_cli_number(cli, "limit"),
        .raises_counter = serin_cli_has(cli, "raises-counter"),
        .check = !serin_cli_has(cli, "unchecked"),
        .crypto = cli->crypto,
        .codec = serin_protobufc(),
        .site_codec = serin_protobufc_site(),
        .stored = serin_stored_rollout,
        .root = &simulation->signers[SERIN_CLI_KEY_ROOT],
        .release = &simulation->signers[SERIN_CLI_KEY_RELEASE],
        .director = &simulation->signers[SERIN_CLI_KEY_DIRECTOR],
        .sample_ms = simulation->line != NULL ? SAMPLE_MS : 0,
        .moment = serin_cli_simulation_moment,
        .progress = cli->world->err_terminal ? serin_cli_simulation_progress : NULL,
        .ctx = simulation,
    };
    simulation->config.policy.start_s = 0;
    simulation->config.policy.supersede = simulation->config.policy.revert = false;
    offers_fill(&simulation->policy, &simulation->config.policy);
}

enum serin_cli_exit serin_cli_simulation_open(struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    uint32_t gateways = (uint32_t)serin_cli_number(cli, "gateways");
    uint64_t seed = 0;

    if (serin_cli_number(cli, "beat") % 1000 != 0) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "--beat takes whole seconds");
    }
    enum serin_cli_exit exit = image_size_read(simulation);
    if (exit == SERIN_CLI_DONE) {
        exit = serin_cli_policy_read(cli, cli->args.operands[0], &simulation->policy);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = scenario_read(simulation, gateways);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = serin_cli_line_open(simulation);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = seed_choose(cli, &seed);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = keys_make(simulation);
    }
    if (exit == SERIN_CLI_DONE) {
        config_fill(simulation, seed);
        exit = hardware_check(simulation);
    }
    return exit;
}

void serin_cli_simulation_close(struct serin_cli_simulation *simulation)
{
    if (simulation->line != NULL) {
        (void)fclose(simulation->line);
    }
    free(simulation->line_text);
    for (size_t i = 0; i < sizeof(simulation->keys) / sizeof(simulation->keys[0]); i++) {
        serin_key_signer_close(simulation->keys[i]);
    }
    serin_policy_file_close(&simulation->policy);
    serin_scenario_file_close(&simulation->scenario);
}

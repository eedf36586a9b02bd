/* A fleet on the bench (sim_bench.h). */
#include "sim_bench.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/stored_rollout.h>
#include <serin/adapters/wolfcrypt.h>

#include <check.h>
#include <string.h>

void sim_bench_open(struct sim_bench *bench, uint32_t devices, uint32_t gateways, uint64_t seed)
{
    struct serin_sim_config *config = &bench->config;
    memset(bench, 0, sizeof *bench);
    for (size_t i = 0; i < 3; i++) {
        const uint8_t number[32] = {[31] = (uint8_t)(i + 1)};
        ck_assert_int_eq(serin_key_signer_of(&bench->keys[i], number), SERIN_OK);
        bench->signers[i] = serin_key_signer_port(bench->keys[i]);
    }
    config->root = &bench->signers[0];
    config->release = &bench->signers[1];
    config->director = &bench->signers[2];
    config->crypto = serin_wolfcrypt();
    config->codec = serin_protobufc();
    config->site_codec = serin_protobufc_site();
    config->stored = serin_stored_rollout;
    config->devices = devices;
    config->gateways = gateways;
    config->seed = seed;
    config->check = true;
    serin_sim_scenario_default(&config->scenario);
    struct serin_policy *policy = &config->policy;
    serin_policy_default(policy);
    strcpy(policy->product, "lamp");
    strcpy(policy->channel, "stable");
    policy->stage_count = 3;
    const uint32_t shares[] = {1000, 5000, 10000};
    for (size_t i = 0; i < 3; i++) {
        policy->stages[i] = (struct serin_stage_policy){.permyriad = shares[i], .soak_s = 3600};
    }
}

void sim_bench_close(struct sim_bench *bench)
{
    for (size_t i = 0; i < 3; i++) {
        serin_key_signer_close(bench->keys[i]);
    }
}

void sim_bench_try(struct sim_bench *bench)
{
    const char *field = NULL;
    enum serin_error error = serin_sim_run(&bench->config, &bench->result, &field);
    ck_assert_msg(error == SERIN_OK, "seed %llu: %s (%s)", (unsigned long long)bench->config.seed,
                  serin_error_text(error), field != NULL ? field : "-");
}

void sim_bench_run(struct sim_bench *bench)
{
    sim_bench_try(bench);
    ck_assert_msg(bench->result.broken == SERIN_SIM_SOUND, "seed %llu: %s: %s",
                  (unsigned long long)bench->config.seed,
                  serin_sim_invariant_text(bench->result.broken), bench->result.breach);
}

/* A fleet on the bench: a configuration with the real ports and keys of its own, and the run of it.
 */
#ifndef SERIN_SIM_BENCH_H
#define SERIN_SIM_BENCH_H

#include <serin/sim/scenario.h>

struct serin_key_signer;

struct sim_bench {
    struct serin_sim_config config;
    struct serin_sim_result result;
    struct serin_key_signer *keys[3];
    struct serin_signer signers[3];
};

/* A quiet scenario, stages of 10, 50 and 100 % with soaks of an hour, checked. */
void sim_bench_open(struct sim_bench *bench, uint32_t devices, uint32_t gateways, uint64_t seed);
void sim_bench_close(struct sim_bench *bench);
/* Runs it; no invariant may break. */
void sim_bench_run(struct sim_bench *bench);
/* Runs it, whatever breaks. */
void sim_bench_try(struct sim_bench *bench);

#endif

/* Records of every kind of the fleet store, filled from a seed within their bounds. */
#ifndef SERIN_STORE_SAMPLES_H
#define SERIN_STORE_SAMPLES_H

#include <serin/orchestrator/store.h>

#include <stdlib.h>

/* Every field is set, lists are full when `full`, so that the record is as large as it can be. */
struct serin_meta_record sample_meta(uint64_t seed);
struct serin_device_record sample_device(uint64_t seed, const char *id, bool full);
struct serin_attempt_record sample_attempt(uint64_t seed, bool full);
struct serin_release_record sample_release(uint64_t seed);
struct serin_stable_record sample_stable(uint64_t seed, const char *product, const char *channel);
struct serin_rollout sample_rollout(uint64_t seed, uint64_t id);
struct serin_member_record sample_member(uint64_t seed, uint64_t rollout_id, const char *device_id);
/* With a status where it was `heard`. */
struct serin_gateway_record sample_gateway(uint64_t seed, const char *id, bool heard);
struct serin_directive_record sample_directive(uint64_t seed, const char *topic);

#endif

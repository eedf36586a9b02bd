/*
 * A bench for the rollout engine: a fleet with known ranks, a clock, and after every step the
 * checks that must hold whatever the test is about (docs/spec/rollout.md, section 10).
 */
#ifndef SERIN_ENGINE_BENCH_H
#define SERIN_ENGINE_BENCH_H

#include <check.h>

#include <serin/orchestrator/engine.h>

#define BENCH_START_MS UINT64_C(1800000000000)
#define BENCH_SOAK_S   600u
#define BENCH_SOAK_MS  (BENCH_SOAK_S * UINT64_C(1000))

struct bench {
    struct serin_rollout rollout;
    struct serin_members members;
    struct serin_rollout_actions actions; /* of the last step */
    uint64_t now_ms;
    unsigned publishes, promotes, saves, audits; /* since the start */
    unsigned site_pauses;
    bool check;                  /* recount everything after every step */
    struct serin_member *shadow; /* the members as the store would have them */
    uint32_t *sites;             /* by device; all direct unless a test says otherwise */
    uint64_t *offered_ms;        /* by device: the watch when it was offered; UINT64_MAX: not yet */
    bool retrying;               /* before the last step */
    uint32_t capacity;
};

/* 1-10-50-100 %, soaks of BENCH_SOAK_S, 2 % and a minimum of 1, patience 600 s, deadline 1200 s. */
struct serin_policy bench_policy(void);

/* One stage of everyone at once, 0.5 % against 2 %, and no gate but the test. */
struct serin_policy bench_tested_policy(void);
/* The same with a first stage of `first` devices, and then everyone. */
struct serin_policy bench_staged_policy(uint32_t first);

/* A created rollout over `count` devices whose ranks follow from `seed`; reports are up. */
void bench_make(struct bench *bench, const struct serin_policy *policy, uint32_t count,
                uint64_t seed);
void bench_free(struct bench *bench);
/* The same, and started. */
void bench_start(struct bench *bench, const struct serin_policy *policy, uint32_t count);

/* One event now. */
enum serin_error bench_send(struct bench *bench, enum serin_rollout_event_kind kind);
enum serin_error bench_note(struct bench *bench, enum serin_rollout_event_kind kind,
                            const char *note);
enum serin_error bench_member(struct bench *bench, uint32_t member, enum serin_state state,
                              enum serin_reason reason);
/* The same of an attempt before the last RETRY. */
enum serin_error bench_late(struct bench *bench, uint32_t member, enum serin_state state);
/* One event, which must succeed. */
void bench_do(struct bench *bench, enum serin_rollout_event_kind kind);
void bench_set(struct bench *bench, uint32_t member, enum serin_state state);
void bench_fail(struct bench *bench, uint32_t member);
/* Confirms those in the places from `from` to before `until`. */
void bench_confirm(struct bench *bench, uint32_t from, uint32_t until);

/* A device joins; its place among the members. */
uint32_t bench_join(struct bench *bench, uint64_t rank);
/* The device in this place stands behind gateway "gw-<site>" from now on; 0: it is direct. */
void bench_behind(struct bench *bench, uint32_t member, uint32_t site);
/* The same for the first `count` devices by rank, in order. */
void bench_sites(struct bench *bench, const uint32_t *sites, uint32_t count);
uint32_t bench_site(const struct bench *bench, uint32_t member);

/* Lets `ms` pass in steps that no clock jump could be taken for, ticking when the engine asks. */
void bench_pass(struct bench *bench, uint64_t ms);
/* Carries out at once what the engine asks for now. */
void bench_settle(struct bench *bench);
/* Confirms every offered member that is still open or silent. */
void bench_confirm_offered(struct bench *bench);

/* Whether the last step has an action of a kind; and an audit line or reason with these words. */
bool bench_acted(const struct bench *bench, enum serin_rollout_action_kind kind);
bool bench_said(const struct bench *bench, const char *words);

/* The next number of a seeded sequence (SplitMix64). */
uint64_t bench_random(uint64_t *seed);

/* What must hold of evidence, test and ramp after a step: engine_bench_evidence.c. */
void bench_check_evidence(struct bench *bench, const struct serin_rollout *before,
                          const struct serin_rollout_event *event);

#define ck_state(bench, name) \
    ck_assert_str_eq(serin_rollout_state_text((bench)->rollout.state), name)

#endif

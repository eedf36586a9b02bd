/*
 * A bench for the shell of serind: its own files on a real store in a temporary folder, with one
 * broker that is only remembered: what is published lies in the bench, and nothing is sent.
 */
#ifndef SERIND_BENCH_H
#define SERIND_BENCH_H

#include <check.h>

#include <shell/create.h>
#include <shell/enrol.h>
#include <shell/fleet.h>
#include <shell/pass.h>
#include <shell/serind.h>

#define SERIND_BENCH_START_MS UINT64_C(1800000000000)
#define SERIND_BENCH_SENT_MAX 32u

/* A message that is not retained: acks. */
struct serind_bench_sent {
    char topic[SERIN_TOPIC_MAX];
    size_t size;
    uint8_t payload[SERIN_ACK_BATCH_MAX];
};

struct serind_bench {
    struct serind serind;
    struct serin_serind_config config;
    struct serin_trust trust;
    struct serind_trust kept;
    char folder[64], data[80], audit[80];
    unsigned publishes;             /* retained ones that the client took */
    enum serin_error publish_says;  /* what the client answers */
    const struct serin_mqtt *asked; /* the client asked for events first since this was NULL */
    unsigned sent_count; /* since the caller set it to 0; the first of them are in `sent` */
    struct serind_bench_sent sent[SERIND_BENCH_SENT_MAX];
};

/* The keys must be open (test_keys.h). One bench at a time: the client finds it by itself. */
void serind_bench_open(struct serind_bench *bench);
void serind_bench_close(struct serind_bench *bench);

/* The release of product "lamp", channel "stable", hardware 1 to 3, whose id begins with `name`. */
void serind_bench_release(struct serind_bench *bench, uint8_t name);

/* A rollout of it in stages of 50 and 100 %, an hour of soak each. */
struct serind_slot *serind_bench_rollout(struct serind_bench *bench, uint8_t name);

/* A report of one attempt at the release `name`, walked up to `state`; a beat. Both run `runs` (0:
 * the factory image) on channel "stable". The caller may change them before they are taken. */
struct serin_report serind_bench_report(const char *id, uint64_t number, uint8_t name,
                                        uint32_t attempt, enum serin_state state, uint8_t runs);
struct serin_beat serind_bench_beat(const char *id, uint64_t last_number, uint8_t runs);
void serind_bench_take_report(struct serind_bench *bench, const struct serin_report *report);
void serind_bench_take_beat(struct serind_bench *bench, const struct serin_beat *beat);

/* One pass of what is due, as the loop makes it. */
void serind_bench_turn(struct serind_bench *bench);

/* The state of a device in the rollout, and how often the audit log has these words. */
enum serin_state serind_bench_member(struct serind_bench *bench, struct serind_slot *slot,
                                     const char *id);
unsigned serind_bench_audited(struct serind_bench *bench, const char *words);

#endif

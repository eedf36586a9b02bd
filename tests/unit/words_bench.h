/*
 * The gateway's words between links that only remember: the real shell files, the real store, the
 * real codecs. What goes wrong here fails the test.
 */
#ifndef SERIN_WORDS_BENCH_H
#define SERIN_WORDS_BENCH_H

#include "shell/words_internal.h"

#include <serin/adapters/gateway_store.h>

#define T0   UINT64_C(1700000000) /* signed time of directives */
#define LOTS 400u

struct up_message {
    uint8_t *payload;
    size_t size;
    int token;
};

struct site_message {
    struct serin_topic topic;
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size;
};

struct bench {
    char folder[64];
    struct serin_lmdb_gateway *lmdb;
    struct gateway gateway;
    struct serin_gateway_config config;
    /* What was published since the last look, and what the links answer. */
    struct up_message up[LOTS];
    struct site_message site[LOTS];
    size_t up_count, site_count, followed, forgotten, meta_changes;
    enum serin_error up_says, site_says;
    int tokens;
    /* The directives that are held. */
    struct gateway_order orders[4];
    size_t order_count;
    bool store_full; /* commits of writing transactions fail */
    uint32_t commits;
};
extern struct bench bench;

void bench_setup(void); /* fixtures: a folder of its own, opened at 1,000 s of the machine */
void bench_teardown(void);
void bench_open(void);
void bench_close(void);
/* The program is started anew; uplink and site are away until they are connected. */
void bench_restart(void);
void bench_up(bool connected);
void bench_site(bool connected);
/* Lets time pass and the loop turn, as often as deadlines ask for it. Fails where they ask again
 * and again without moving time. */
void bench_pass(uint64_t ms);
void bench_look(void); /* forgets what was published */

/* A directive of lamp/stable, a lease of an hour; heard now, or held since another boot. */
struct serin_directive bench_directive(uint32_t sequence);
void bench_order(const struct serin_directive *directive, bool this_boot);

struct serin_report bench_report(const char *id, uint64_t number, enum serin_state last);
void bench_say(const struct serin_report *report);
size_t bench_encode(const struct serin_report *report, uint8_t out[SERIN_REPORT_MAX]);
void bench_beat(const char *id, uint64_t last_number, uint8_t manifest);
void bench_presence(const char *id, bool online);
void bench_ack(const char *id, uint64_t number, enum serin_ack_status status, uint32_t retry_s);
/* The word that serind gives for what went up at `index`, and its telling. */
struct serin_batch_ack bench_batch_ack(size_t index);
void bench_ack_batch(const struct serin_ack_batch *acks);
void bench_ack_whole(const struct serin_batch_ack *ack);

/* The items of the batch at `index` of what went up; inflated; static storage. */
const struct serin_batch_items *bench_items(size_t index, struct serin_batch *batch);
/* How many of what went down on a topic kind; the last of them is left in `last`. */
size_t bench_down(enum serin_topic_kind kind, const char *name, struct site_message *last);
struct serin_hold bench_hold(const char *product);
/* What the store holds of a node; false: nothing. */
bool bench_stored(const char *id, struct serin_node_record *out);

#endif

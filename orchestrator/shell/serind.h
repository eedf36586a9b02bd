/*
 * The shell of serind: what its files share. One thread owns all of it.
 *
 *   main.c ── loop.c ──┬─ intake.c ── fleet.c      what devices send (attempts.c, beats.c)
 *                      ├─ tend.c ──── publisher.c  what is retained, its order, repair (learn.c,
 *                      │                           clock.c)
 *                      ├─ revert.c ── create.c     what a halt is followed by
 *                      └─ api*.c ──── rollouts.c   commands of operators (create.c, retry.c)
 *   pass.c     one transaction around each piece of work
 *   lookups.c  what the engine asks of a device (strata.c)
 *
 * Persist, then act: whatever changes something runs inside a pass (pass.h). Audit lines, publishes
 * and acks that a pass makes are held back until its transaction is committed, and dropped, with
 * the copies in memory restored, where it is not.
 */
#ifndef SERIND_H
#define SERIND_H

#include "alarms.h"
#include "audit.h"
#include "fleet_index.h"
#include "intake.h"
#include "outbox.h"
#include "publisher.h"
#include "rollouts.h"
#include "sites.h"
#include "strata.h"
#include "trusts.h"

#include <serin/adapters/depot.h>
#include <serin/adapters/http.h>
#include <serin/adapters/mqtt.h>
#include <serin/adapters/serind_config.h>
#include <serin/codec.h>
#include <serin/host/bundle.h>
#include <serin/orchestrator/store.h>

#define SERIND_VERSION "0.1.0"

struct serin_key_signer;
struct serin_lmdb_store;

/* One connection to a broker. */
struct serind_broker {
    struct serin_mqtt *mqtt;
    const char *uri;
    uint64_t dropped; /* messages of QoS 0 lost so far */
    bool connected;
    bool settled;             /* its retained messages have been heard */
    bool heard;               /* so they were once since the start */
    uint64_t connected_at_ms; /* monotonic */
    uint64_t heard_at_ms;     /* monotonic; of the last retained directive or trust record */
};

struct serind {
    const struct serin_serind_config *config;
    const struct serin_crypto *crypto;
    const struct serin_codec *codec;
    const struct serin_site_codec *site_codec;
    struct serin_key_signer *director_key;
    struct serin_signer director; /* on director_key */
    uint8_t director_key_id[SERIN_KEY_ID_SIZE];
    size_t root_count;
    uint8_t roots[SERIN_SERIND_FILES_MAX][SERIN_P256_PUBLIC_SIZE];
    struct serin_lmdb_store *lmdb;
    struct serin_store store; /* on lmdb */
    struct serin_depot *depot;
    struct serin_http *http;
    size_t broker_count;
    struct serind_broker brokers[SERIN_SERIND_BROKERS_MAX];

    uint64_t now_ms;  /* Unix time of this turn of the loop */
    uint64_t mono_ms; /* monotonic time of it */

    struct serin_meta_record meta; /* as committed, or as the pass under way will commit it */
    struct serind_audit audit;
    struct serind_alarms alarms;
    struct serind_index index;
    struct serind_sites sites;
    struct serind_strata strata;
    struct serind_trusts trusts;
    struct serind_rollouts rollouts;
    struct serind_publisher publisher;
    struct serind_outbox outbox;
    struct serind_intake intake;
    uint64_t beats_ms; /* Unix; when words from the future were last looked for (beats.h) */

    /* The pass under way (pass.h). */
    bool in_pass;
    uint64_t pass_retry_at_ms; /* monotonic; 0: the last one was sound */
    bool pass_reports;         /* it takes reports in */
    uint32_t pass_number;
    enum serin_error pass_error;
    struct serin_meta_record meta_before;
};

/* Unix seconds of this turn. */
static inline uint64_t serind_now_s(const struct serind *serind)
{
    return serind->now_ms / 1000;
}

/* Reads both clocks. */
void serind_clock(struct serind *serind);

/* Whether a broker is connected whose retained messages were never heard. They may say more than
 * our store, which may be a backup: nothing is decided, and nothing sent there, before. */
bool serind_brokers_unheard(const struct serind *serind);

/* Whether every broker is connected and heard: reports can arrive. */
bool serind_reports_up(const struct serind *serind);

#endif

/*
 * The publisher: what should be retained on every broker, and what each broker shows (design
 * decision 4).
 *
 * For each topic it holds the payload of the store, the last one that each broker showed (retained
 * or in return to our own publish: we subscribe to our own topics), and what was sent. A PUBACK is
 * no proof that a broker took a publish, since MQTT 3.1.1 acknowledges refused ones too; what it
 * shows in return is.
 */
#ifndef SERIND_PUBLISHER_H
#define SERIND_PUBLISHER_H

#include <serin/adapters/serind_config.h>
#include <serin/orchestrator/repair.h>
#include <serin/orchestrator/signed_time.h>
#include <serin/orchestrator/store.h>
#include <serin/topic.h>

#define SERIND_TOPICS_MAX    4096u
#define SERIND_ANSWER_MS     3000u  /* a publish that is not shown by then is sent again */
#define SERIND_HALT_MS       10000u /* a halt that is not on every broker by then is an alarm */
#define SERIND_GUARD_REST_MS 60000u /* between two epochs begun for a broker's silence */
#define SERIND_TEND_MS       200u
#define SERIND_LEASE_S       21600u /* where no rollout says otherwise */
#define SERIND_EPOCH_WHY_MAX 256u
/* Signed time is kept at least so often, since what a crash meets with a clock that is then set is
 * lost from there on. */
#define SERIND_SIGNED_KEEP_MS 600000u
/* And at most so often where the wall clock is set again and again. */
#define SERIND_SIGNED_REST_MS 1000u

struct serind;

/* One topic as one broker has it. */
struct serind_view {
    uint8_t *payload; /* last shown; NULL: nothing */
    size_t payload_size;
    bool verified; /* signed by a director of ours, with `order` */
    struct serin_order order;
    bool teaches;   /* it says of our rollout what the store does not know */
    bool in_flight; /* sent, not yet shown in return */
    bool acked;     /* and acknowledged */
    int token;
    unsigned unanswered; /* sends that were acknowledged but not shown */
    uint64_t sent_at_ms; /* monotonic */
};

struct serind_topic {
    struct serin_topic topic;
    char name[SERIN_TOPIC_MAX];
    uint8_t *payload; /* what should be retained */
    size_t payload_size;
    struct serin_directive_record own;  /* directive topics: the committed one */
    struct serin_directive_record next; /* made in this pass */
    uint64_t changed_at_ms;             /* monotonic; when the payload changed last */
    uint64_t rollout;                   /* whose change it is, 0: none */
    const char *reason;                 /* of the change: static text, for the audit log */
    struct serind_view views[SERIN_SERIND_BROKERS_MAX];
    struct serin_order doubted; /* somebody took this order, which no broker shows; {0, 0}: none */
    bool held;                  /* there is a payload, and it is committed */
    bool halt;                  /* the directive says that its candidate is halted */
    bool next_halt;             /* so will the next one */
    bool renew;                 /* ask for a new directive in the next pass, for `reason` */
    bool wanted;                /* a new directive is asked for in this pass */
    bool pending;               /* `next` was made in this pass */
};

struct serind_publisher {
    size_t count;
    struct serind_topic *topics[SERIND_TOPICS_MAX];
    struct serin_signed_time time; /* of what was committed, or shown by a broker */
    uint64_t kept_at_ms;           /* monotonic; when the store was last given it */
    bool want_epoch;               /* start a new epoch in the next pass */
    struct serin_order want_above;
    char want_why[SERIND_EPOCH_WHY_MAX];
    bool due;                        /* a pass is needed */
    bool agreed;                     /* a broker retained what our store holds, unasked */
    uint64_t tend_at_ms;             /* monotonic: when to look again */
    char claimant[SERIN_ID_MAX + 1]; /* who claimed a higher order, alone so far: device, gateway */
    char absurd[SERIN_ID_MAX + 1];   /* whose claim is the alarm "claim" */
    uint64_t claim_rest_until_ms;    /* monotonic: no epoch on a device's word before this */
    uint64_t guard_rest_until_ms;    /* monotonic: no epoch on a broker's silence before this */
};

/* Loads the directives of the store; inside a transaction. */
SERIN_MUST_USE enum serin_error serind_publisher_load(struct serind *serind);
void serind_publisher_free(struct serind *serind);

/* Asks, inside a pass, for a new directive on a product and channel; made once at the end of the
 * pass however often it is asked for. `reason` is static text. */
void serind_publisher_want(struct serind *serind, const char *product, const char *channel,
                           uint64_t rollout, const char *reason);

/* The trust record of a product changed (called when that is committed, or at the start). */
void serind_publisher_trust(struct serind *serind, const char *product, const uint8_t *record,
                            size_t size);

/* Asks for a new epoch above `above`, in the next pass. */
void serind_publisher_want_epoch(struct serind *serind, struct serin_order above,
                                 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A device says that `claimed` is the highest order that it accepted, on whatever topic. Once a
 * broker has agreed with our store, one device alone is not believed. */
void serind_publisher_claim(struct serind *serind, const struct serin_device_record *device,
                            struct serin_order claimed);

/* The first thing in a pass: rollouts become what directives of ours say, where a broker shows that
 * the store is a backup (learn.c). */
void serind_publisher_learn(struct serind *serind);

/* The end of a pass: makes and stores the directives asked for; then publishes them, or forgets
 * them. */
void serind_publisher_store(struct serind *serind);
void serind_publisher_keep(struct serind *serind);
void serind_publisher_undo(struct serind *serind);

/* An operator says, before the first pass, that signed time lacks so much (--signed-ahead). */
void serind_publisher_ahead(struct serind *serind, uint32_t ahead_s);

/* What brokers tell; outside of passes. `shown` takes directive and trust topics. */
void serind_publisher_disconnected(struct serind *serind, size_t broker);
void serind_publisher_shown(struct serind *serind, size_t broker, const struct serin_topic *topic,
                            const uint8_t *payload, size_t size);
void serind_publisher_delivered(struct serind *serind, size_t broker, int token);

/* Every turn of the loop: sends, repairs, raises and clears alarms. Where that needs a pass
 * (renewals, a new epoch, withdrawals), serind_publisher_due says so; in that pass call
 * serind_publisher_renew. */
void serind_publisher_tend(struct serind *serind);
bool serind_publisher_due(const struct serind *serind);
void serind_publisher_renew(struct serind *serind);

#endif

/*
 * What the parts of the simulation share (sim.h says what it is; docs/spec/simulation.md how).
 *
 *   world      run.c queue.c dice.c names.c events.c memo*.c flash.c flash_pool.c release.c depot.c
 *              net.c net_links.c broker.c plugin.c node*.c
 *   server     server*.c: serind's shell in simulated time, around the real engine and ledger
 *   gateways   gateway*.c: serin-gateway's shell, around the real relay, fill, hold, uplink, sent
 *   judges     invariants*.c (invariants_internal.h says which)
 *   result     result.c: what a run came to
 *
 * To be read first; then world.h (what the parts of the world share), server.h or gateway.h (the
 * shells), seat.h (a device), invariants.h (the judges).
 *
 * One thread. Times are ms since the start (`sim->now_ms`), which never run backwards. Devices and
 * gateways are numbered from 0; broker 0 is the cloud's, broker g + 1 that of gateway g's site.
 * There is one product and one channel, those of the policy.
 *
 * Nothing may follow from an address, from the order of a hash table, or from a signature's bytes:
 * the same configuration and seed give the same digest.
 */
#ifndef SERIN_SIM_INTERNAL_H
#define SERIN_SIM_INTERNAL_H

#include <serin/assert.h>
#include <serin/device/agent_state.h>
#include <serin/sim/sim.h>
#include <serin/topic.h>

#define SIM_NOBODY     UINT32_MAX
#define SIM_NEVER_MS   UINT64_MAX
#define SIM_START_S    UINT64_C(1767225600) /* Unix seconds at the start: Thursday, 1 January 2026 */
#define SIM_CLOUD      0u                   /* the cloud's broker */
#define SIM_ID_SIZE    10u                  /* "d0000001", "g0000001", with the terminator */
#define SIM_BLOCK_SIZE 1024u                /* of a device's requests */
#define SIM_LINE       64u                  /* of the cache, on most hosts */

struct sim;
struct sim_server;     /* server.c */
struct sim_gateway;    /* gateway.c */
struct sim_invariants; /* invariants_internal.h */
struct sim_pool;       /* flash_pool.c */
struct sim_memo;       /* memo.c */
struct sim_net;        /* net.h */
struct sim_queue;      /* queue.c */
struct sim_depots;     /* depot.c */
struct sim_brokers;    /* broker.c */
struct sim_plugins;    /* plugin.c */
struct sim_seat;       /* node_boot.c */
struct sim_events;     /* events.c */

/* ---- who acts, and when (queue.c) ---- */

enum sim_actor { SIM_WORLD = 1, SIM_NODE, SIM_GATEWAY, SIM_SERVER, SIM_BROKER, SIM_ACTOR_COUNT };

/* Calls sim_<actor>_due(sim, index, what) at `at_ms`, or now where that is past. What stands at the
 * same time is called in the order in which it was asked for. Nothing is ever taken out: an actor
 * that changed its mind finds that nothing is due. */
void sim_at(struct sim *sim, uint64_t at_ms, enum sim_actor actor, uint32_t index, uint32_t what);

/* ---- chance (dice.c) ---- */

/* One stream a purpose and actor, so that one more draw in one place moves nothing elsewhere. Add
 * purposes at the end of their owner's group. */
enum sim_purpose {
    SIM_DICE_LAYOUT,    /* world: hardware, direct, offline, sleeping */
    SIM_DICE_BEHAVIOUR, /* world: who does what under the candidate, and when */
    SIM_DICE_BOOT,
    SIM_DICE_LINK,
    SIM_DICE_FAULT, /* drop, duplicate, reorder, corrupt, cut */
    SIM_DICE_POWER,
    SIM_DICE_ERRORS,
    SIM_DICE_AGENT,   /* the crypto port of a device: jitter, incarnation */
    SIM_DICE_WEATHER, /* world: who is struck by weather and events */
    SIM_DICE_GATEWAY, /* by gateway */
    SIM_DICE_UPLINK,  /* by gateway: latency and faults of its uplink */
    SIM_DICE_SERVER,  /* index 0 */
    SIM_DICE_COUNT
};

/* 64 even bits. `index` is a device, a gateway or 0, below the larger of the two counts. */
uint64_t sim_dice(struct sim *sim, enum sim_purpose purpose, uint32_t index);
/* low .. high, both included. */
uint64_t sim_dice_between(struct sim *sim, enum sim_purpose purpose, uint32_t index, uint64_t low,
                          uint64_t high);
/* True in `share` millionths of all cases; draws nothing where the share is 0. */
bool sim_dice_share(struct sim *sim, enum sim_purpose purpose, uint32_t index, uint32_t share);

/* ---- names ---- */

void sim_node_id(uint32_t node, char id[SIM_ID_SIZE]);
void sim_gateway_id(uint32_t gateway, char id[SIM_ID_SIZE]);
/* SIM_NOBODY: it is none of this fleet. */
uint32_t sim_node_index(const struct sim *sim, const char *id);
uint32_t sim_gateway_index(const struct sim *sim, const char *id);

/* ---- messages (net.c, broker.c) ---- */

/* A topic: its kind, and whose it is: the device for dev/… and presence/…, the gateway for gw/…,
 * SIM_NOBODY for the others. */
struct sim_topic {
    enum serin_topic_kind kind;
    uint32_t index;
};

struct sim_from {
    enum sim_actor actor; /* NODE, GATEWAY or SERVER */
    uint32_t index;
};

enum sim_side { SIM_SITE, SIM_UPLINK }; /* the two connections of a gateway */

/* Publishes to a broker. `payload` is copied. Whether the sender is connected was its own to know;
 * what is sent over a connection that is down is lost. Who gets it:
 *
 *   from      broker  kind                                        to
 *   NODE      its     DEV_REPORT DEV_BEAT                         site: the gateway; cloud: server
 *   NODE      its     DEV_GET                                     the plugin, which answers
 *   GATEWAY   site    DIRECTIVE TRUST HOLD (retained)             all nodes of the site
 *   GATEWAY   site    DEV_DIRECTIVE (retained) DEV_ACK            that node
 *   GATEWAY   site    DEPOT_HAVE                                  the plugin
 *   GATEWAY   cloud   GW_REPORTS GW_STATUS                        server
 *   GATEWAY   cloud   GW_GET                                      the plugin, which answers
 *   SERVER    cloud   DIRECTIVE TRUST (retained)                  direct nodes, all gateways,
 *                                                              server
 *   SERVER    cloud   DEV_DIRECTIVE (retained)                    that node, or its gateway;
 *                                                              server
 *   SERVER    cloud   DEV_ACK, GW_ACKS                            that node; that gateway
 *   plugin    site    DEPOT_WANT                                  the gateway
 *   plugin    both    PRESENCE                                    site: the gateway; cloud: server
 *
 * The order guard of the broker refuses directives and trust records that are empty, or below what
 * it remembers. A connection that comes up gets what is retained for it, flagged so. */
void sim_publish(struct sim *sim, uint32_t broker, struct sim_from from, struct sim_topic topic,
                 const uint8_t *payload, size_t size, bool retained);

/* Whether a connection stands. */
bool sim_server_connected(const struct sim *sim);
bool sim_gateway_connected(const struct sim *sim, uint32_t gateway, enum sim_side side);

/* A gateway or the server goes (crash) or comes back: its connections fall, or are made anew; the
 * calls sim_gateway_link and sim_server_link below tell. */
void sim_net_server(struct sim *sim, bool there);
void sim_net_gateway(struct sim *sim, uint32_t gateway, bool there);

/* ---- the release, and the depots (release.c, depot.c) ---- */

enum sim_object_kind { SIM_OBJECT_MANIFEST = 1, SIM_OBJECT_PIECES, SIM_OBJECT_IMAGE };

struct sim_object {
    enum sim_object_kind kind;
    uint8_t name[SERIN_SHA256_SIZE]; /* a manifest's: its id */
    const uint8_t *bytes;
    uint32_t size;
};

/* The bytes of a release (offer): version 1.0.0, which the factory installed, or 2.0.0. */
struct sim_release {
    struct serin_version version;
    uint32_t counter;
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    struct sim_object manifest, pieces, image;
};

enum { SIM_STABLE, SIM_CANDIDATE, SIM_RELEASES };

/* NULL: there is no such object. The cloud's depot holds all of them. */
const struct sim_object *sim_object_find(const struct sim *sim,
                                         const uint8_t name[SERIN_SHA256_SIZE]);

/* A site's depot: pieces (SERIN_PIECE_SIZE) of objects, verified by the gateway before it writes
 * them; it outlives crashes of gateway and broker. Writing is SERIN_ERR_DIGEST where the bytes are
 * not the object's: the gateway has not verified. */
SERIN_MUST_USE enum serin_error sim_depot_write(struct sim *sim, uint32_t gateway,
                                                const uint8_t name[SERIN_SHA256_SIZE],
                                                uint32_t piece, const uint8_t *data, size_t size);
bool sim_depot_holds(const struct sim *sim, uint32_t gateway, const struct sim_object *object,
                     uint32_t piece);
/* SERIN_ERR_NOT_FOUND: it does not hold all of the range. With a stale cache these are the bytes
 * of the older image. */
SERIN_MUST_USE enum serin_error sim_depot_read(const struct sim *sim, uint32_t gateway,
                                               const struct sim_object *object, uint32_t offset,
                                               uint8_t *out, size_t size);
void sim_depot_forget(struct sim *sim, uint32_t gateway, const struct sim_object *object);

/* ---- flash (flash.c) ---- */

/* One device's: NOR rules and torn units as serin/emulator/flash_emulator.h; equal sectors exist
 * once in all of the fleet. Fields belong to flash.c. */
struct sim_flash {
    struct sim_pool *pool;
    struct sim_sector **sectors; /* NULL: erased */
    struct sim_units *flat_units;
    uint8_t *flat;
    uint32_t tears; /* units or sectors torn, ever */
    uint64_t operations;
    uint64_t cut_at; /* operation at which the power goes; 0: none */
    uint64_t noise;
    bool off;
    uint8_t cut; /* before, inside or after the operation */
    uint32_t breaches;
};

/* ---- a device (node.c): the truth ---- */

enum sim_power {
    SIM_POWER_OFF, /* before its first boot, or while the power is cut */
    SIM_POWER_BOOTING,
    SIM_POWER_ON,
    SIM_POWER_BRICKED /* nothing boots */
};

/* What a device's agent has taken in, as far as a trial depends on it. */
struct sim_heard {
    bool any;  /* since its last boot: a directive that is in force */
    bool held; /* its gateway's `hold` says so */
    enum serin_candidate_state candidate_state; /* of the directive in force */
    struct serin_order order;
    uint8_t candidate[SERIN_SHA256_SIZE / 4]; /* first bytes of the manifest id that it offers */
    /* When its lease is over by all that the device can know: its clock, signed time and its
     * uptime, its gateway's `hold`; in ms since the start. 0: it is over. */
    uint64_t lease_end_ms;
};

/* Without holes: one line more of each is fetched otherwise. */
struct sim_node {
    /* What each message and each alarm looks at, side by side. */
    _Alignas(SIM_LINE) enum sim_power power;
    uint16_t connection; /* number of its connection: what is under way in another is lost */
    bool connected;
    bool hung;                         /* the watchdog will end it */
    uint64_t boot_ms;                  /* when this boot began */
    uint64_t alarm_ms;                 /* its one pending timer; SIM_NEVER_MS: none */
    uint64_t up_free_ms, down_free_ms; /* a link keeps the order of its messages */
    uint64_t train_ms;                 /* when a message arrives that others follow; net.c's */
    struct sim_follower *train;
    /* What is due when; SIM_NEVER_MS: not. */
    uint64_t power_ms; /* the next cut, or the end of one */
    uint64_t sleep_ms, link_ms, app_ms, fault_ms;
    uint64_t reset_ms; /* of the reset that its agent asked for */

    struct serin_agent agent; /* valid while power is ON */
    struct sim_flash flash;
    uint8_t *scratch; /* while an attempt is in progress; else NULL */

    /* what it is */
    uint32_t gateway; /* SIM_NOBODY: direct */
    uint16_t hardware;
    bool clock;              /* it has one */
    bool offline;            /* never reached */
    bool sleeps;             /* by turns */
    bool asleep, away, deaf; /* now; cut off by weather; for good */

    /* what befalls it */
    bool cut_armed;
    bool reset_asked;
    uint8_t cause;       /* of the reset that it boots from; enum serin_reset_cause */
    bool targeted;       /* its own directive is in force; node_heard.c's */
    uint32_t off_for_ms; /* how long the power stays off */

    /* what runs */
    struct serin_version running;
    uint8_t running_release; /* SIM_STABLE, SIM_CANDIDATE, or SIM_RELEASES: nothing yet */
    bool trial;
    enum serin_slot slot;
    uint32_t counter, floor; /* security counter of what runs; the highest it has committed */
    struct sim_heard heard;

    /* its attempts at the candidate; an attempt at the stable release leaves all but `busy` */
    bool busy;     /* an attempt, at whatever, is in progress */
    bool exposed;  /* took the candidate, once at least */
    bool touched;  /* ran the candidate, once at least */
    bool drops;    /* its download is cut once */
    bool reverted; /* somebody put the old image back after it had confirmed */
    /* what an image does on it */
    bool erring;
    uint8_t behaviour;         /* enum serin_sim_fault; INVALID: it works */
    uint8_t behaviour_release; /* under which image: SIM_CANDIDATE, SIM_STABLE */

    enum serin_state state; /* as last told by its agent; IDLE: none */
    enum serin_reason reason;
    uint32_t attempt;                 /* the last taken; 0: none */
    struct serin_order attempt_order; /* of the directive that it was taken from */
    uint32_t taken;                   /* attempts taken so far */
    uint64_t accepted_ms;             /* the last */
    uint64_t final_ms;                /* 0: not final */

    uint64_t after_ms;          /* after the candidate's confirmation */
    uint64_t errors, errors_ms; /* counted since boot; up to when */

    /* what heard follows from; node_heard.c's */
    struct sim_heard of[SERIN_AGENT_SOURCES];
    uint64_t time_s, time_ms; /* the largest signed time, and when it was that late */
    uint64_t hold_end_ms;     /* SIM_NEVER_MS: it heard none */
};

/* ---- the simulation ---- */

/* A run of one kind of thing that only grows; for the digest. */
enum sim_note_kind {
    SIM_NOTE_BOOT = 1,
    SIM_NOTE_STATE,
    SIM_NOTE_MESSAGE,
    SIM_NOTE_POWER,
    SIM_NOTE_LINK,
    SIM_NOTE_ROLLOUT, /* server: state, stage, offered … */
    SIM_NOTE_PUBLISH, /* server */
    SIM_NOTE_COMMIT,  /* server, gateways */
    SIM_NOTE_GATEWAY,
    SIM_NOTE_EVENT
};

/* Where a gateway keeps what it knows of a device, to look ahead; NULL: nothing, as far as known.
 */
struct sim_place {
    const void *relay, *account, *beat;
};

struct sim {
    const struct serin_sim_config *config;
    struct serin_sim_result *result; /* whoever does it counts it */
    uint64_t now_ms;
    uint64_t limit_ms;
    int64_t jump_ms; /* serind's wall clock is off by so much */
    uint32_t image_size, beat_interval_s;
    bool over; /* the loop ends after this event */

    /* The ports, wrapped: everybody uses these. */
    const struct serin_crypto *crypto;
    const struct serin_codec *codec;
    const struct serin_site_codec *site_codec;

    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
    uint8_t trust_record[SERIN_TRUST_SIZE_P256];
    struct serin_trust trust; /* opened */
    struct sim_release releases[SIM_RELEASES];
    struct serin_layout layout; /* of every device's flash */

    struct sim_node *nodes; /* config->devices */
    /* Nodes by broker: those of broker b are members[first[b]] .. members[first[b + 1] - 1]. */
    uint32_t *members, *first;
    uint32_t exposed, trial, running; /* devices, now */

    struct sim_gateway **gateways; /* config->gateways; gateway.c's */
    struct sim_server *server;
    struct sim_invariants *invariants;

    struct sim_queue *queue;
    struct sim_memo *memo;
    struct sim_pool *pool;
    struct sim_net *net;
    struct sim_brokers *brokers;
    struct sim_plugins *plugins;
    struct sim_depots *depots;
    struct sim_flash *factory; /* of a device as it is shipped */
    struct sim_seat *seat;     /* where the device sits whose code runs */
    struct sim_events *events; /* what the scenario has under way */
    struct sim_place *places;  /* by device */
    /* Draws so far, by actor, then by purpose: whoever acts throws for several. */
    uint32_t (*dice)[SIM_DICE_COUNT];
    uint64_t digest[4];
    uint64_t sample_ms;     /* of the next sample */
    uint64_t at_once;       /* events before this one in the same millisecond */
    struct sim_from actor;  /* whose handler runs: whose dice the crypto port throws */
    enum serin_error error; /* memory or a port failed: the run ends with it */
};

/* serind's wall clock, Unix milliseconds: it jumps. */
uint64_t sim_wall_ms(const struct sim *sim);
/* The true time, Unix seconds: the clock of gateways and devices that have one. */
uint64_t sim_unix_s(const struct sim *sim);

/* Into the digest, with the time. */
void sim_note(struct sim *sim, enum sim_note_kind kind, uint32_t index, uint64_t value);
/* A moment of the time line with this text (audit lines, events of the world). */
void sim_say(struct sim *sim, const char *text);
/* An invariant is broken: the run ends after this event; the first that broke counts. */
void sim_broken(struct sim *sim, enum serin_sim_invariant invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Memory is exhausted, or a port failed: the run ends. */
void sim_failed(struct sim *sim, enum serin_error error);

/* ---- to look ahead ---- */

/* Asks for memory before it is needed: for each line of the cache that has a byte of it. */
static inline void sim_prefetch(const void *from, size_t size)
{
    const uint8_t *bytes = from;
    size_t before = (uintptr_t)bytes % SIM_LINE;
    for (size_t at = 0; at < before + size; at += SIM_LINE) {
        __builtin_prefetch(bytes - before + at, 0, 2);
    }
}

/* ---- what the world calls: due and told ---- */

void sim_world_due(struct sim *sim, uint32_t index, uint32_t what);
void sim_node_due(struct sim *sim, uint32_t index, uint32_t what);
void sim_broker_due(struct sim *sim, uint32_t index, uint32_t what);

/* server.c */
SERIN_MUST_USE enum serin_error sim_server_open(struct sim *sim); /* before any device boots */
void sim_server_close(struct sim *sim); /* also where it was never opened */
void sim_server_due(struct sim *sim, uint32_t index, uint32_t what);
void sim_server_link(struct sim *sim, bool up); /* its connection to the cloud's broker */
void sim_server_message(struct sim *sim, struct sim_topic topic, const uint8_t *payload,
                        size_t size, bool retained);
void sim_server_crash(struct sim *sim);  /* memory is lost; its connection is down already */
void sim_server_revive(struct sim *sim); /* it starts; its connection comes soon */
/* As revive, with the store as of `at_ms`. */
void sim_server_restore(struct sim *sim, uint64_t at_ms);
/* PAUSE, RESUME, HALT, ADVANCE, RETRY, ABORT; false: refused. */
bool sim_server_verb(struct sim *sim, enum serin_sim_event_kind verb);
/* The wall clock has just jumped. */
void sim_server_jumped(struct sim *sim);
/* Whether the rollout has ended and nothing is left to wait for: the run may end. */
bool sim_server_over(const struct sim *sim);
/* Whether serind has committed the last report that the device has made. */
bool sim_server_heard_all(const struct sim *sim, uint32_t device);
/* Fills rollout and whatever is the server's to know. */
void sim_server_moment(const struct sim *sim, struct serin_sim_moment *moment);

/* gateway.c */
SERIN_MUST_USE enum serin_error sim_gateway_open(struct sim *sim, uint32_t gateway);
void sim_gateway_close(struct sim *sim, uint32_t gateway); /* also where it was never opened */
void sim_gateway_due(struct sim *sim, uint32_t gateway, uint32_t what);
void sim_gateway_link(struct sim *sim, uint32_t gateway, enum sim_side side, bool up);
void sim_gateway_message(struct sim *sim, uint32_t gateway, enum sim_side side,
                         struct sim_topic topic, const uint8_t *payload, size_t size,
                         bool retained);
/* What it looks at in each turn; what it knows of a device. */
void sim_gateway_prefetch(const struct sim *sim, uint32_t gateway);
void sim_gateway_prefetch_node(const struct sim *sim, uint32_t node);
void sim_gateway_crash(struct sim *sim, uint32_t gateway);
void sim_gateway_revive(struct sim *sim, uint32_t gateway);

/* invariants.c; called only where config->check */
SERIN_MUST_USE enum serin_error sim_invariants_open(struct sim *sim);
void sim_invariants_close(struct sim *sim); /* also where it was never opened */
/* A bootloader has decided: node->slot, running, trial, counter, floor are those of this boot.
 * `verified`: the simulation has compared all bytes of the booted slot with the release. */
void sim_check_boot(struct sim *sim, uint32_t node, bool verified);
/* An agent has armed a trial: node->heard is what it knew. */
void sim_check_armed(struct sim *sim, uint32_t node);
/* It has booted into a trial of the candidate that it was not in before. What it heard before the
 * boot still stands in `heard`, and what its agent had on record in `agent`. */
void sim_check_trial(struct sim *sim, uint32_t node);
/* What a gateway tells its nodes may have changed: its directive, how many of its nodes failed the
 * candidate by their reports, and whether it holds them. */
void sim_check_site(struct sim *sim, uint32_t gateway, const struct serin_directive *directive,
                    uint32_t failures, bool held);
/* Its connection to the site's broker has come, or gone. */
void sim_check_site_link(struct sim *sim, uint32_t gateway);
/* An agent has made a transition, durable: the attempt as it stands, the last transition new. */
void sim_check_transition(struct sim *sim, uint32_t node,
                          const struct serin_attempt_report *attempt);
/* Nothing boots. */
void sim_check_bricked(struct sim *sim, uint32_t node);
/* The run has ended. */
void sim_check_end(struct sim *sim);

/* result.c: whether the policy has an offer for this hardware revision. */
bool sim_is_offered(const struct sim *sim, uint16_t hardware);
/* Fills what follows from books and nodes at the end. */
void sim_result_fill(struct sim *sim);

#endif

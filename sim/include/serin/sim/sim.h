/*
 * The fleet simulator: one rollout over a whole fleet, in one program and in simulated time
 * (docs/spec/simulation.md).
 *
 * The engine, the ledger, the gateways' cores and the devices' bootloader and agent are the real
 * ones; the network, the brokers, the clock, the flash and the power are simulated, and so is the
 * shell of serind and of serin-gateway. Everything follows from the configuration and the seed: the
 * same two give the same bytes, whatever the machine.
 *
 * One thread; memory comes from the heap. While it runs, invariants are checked (section 6 of the
 * specification); the first that breaks ends the run and is named in the result.
 */
#ifndef SERIN_SIM_SIM_H
#define SERIN_SIM_SIM_H

#include <serin/codec.h>
#include <serin/crypto.h>
#include <serin/host/bundle.h>
#include <serin/orchestrator/engine.h>
#include <serin/site_codec.h>

#define SERIN_SIM_DEVICES_MAX    1000000u
#define SERIN_SIM_GATEWAYS_MAX   65535u
#define SERIN_SIM_HARDWARE_MAX   8u
#define SERIN_SIM_BEHAVIOURS_MAX 32u
#define SERIN_SIM_WEATHER_MAX    16u
#define SERIN_SIM_EVENTS_MAX     64u
#define SERIN_SIM_SITES_MAX      16u /* gateways that one rule names */

/* Shares are in millionths, so that 0.1 % of a percent can be said; 1,000,000 is all. */
#define SERIN_SIM_ALL 1000000u

/* ---- the fleet ---- */

struct serin_sim_hardware {
    uint16_t revision;
    uint32_t share; /* of the fleet, relative to the other revisions' */
};

/* ---- what the image does on a device ---- */

enum serin_sim_fault {
    SERIN_SIM_FAULT_INVALID = 0,
    SERIN_SIM_FAULT_CRASH = 1,      /* at start, before it confirms: a reset of cause crash */
    SERIN_SIM_FAULT_HANG = 2,       /* the watchdog ends it */
    SERIN_SIM_FAULT_NO_CONFIRM = 3, /* runs, and never confirms */
    SERIN_SIM_FAULT_REGRESS = 4,    /* confirms, and reports bad health `after_ms` later */
    SERIN_SIM_FAULT_ERRORS = 5,     /* confirms, and counts errors from `after_ms` later on */
    SERIN_SIM_FAULT_DEAF = 6,       /* confirms, and is silent from `after_ms` later on */
    SERIN_SIM_FAULT_REVERT = 7,     /* confirms, and somebody boots the old image later */
    SERIN_SIM_FAULT_COUNT
};

/* A share of the devices that the rule fits do this under the image of its version; which ones
 * follows from the seed. The first rule that takes a device counts, whatever its version. */
struct serin_sim_behaviour {
    enum serin_sim_fault fault;
    uint32_t share; /* millionths */
    /* REGRESS, ERRORS, DEAF, REVERT: since the confirmation, or the start of the simulation where
     * the image is 1.0.0; spread by ±50 % */
    uint64_t after_ms;
    /* Of the image: 2.0.0, the candidate, where there is none. 1.0.0 is what the fleet begins with:
     * ERRORS and DEAF alone. Another is nobody's. */
    bool has_version;
    struct serin_version version;
    uint16_t hardware;                   /* 0: any */
    size_t site_count;                   /* 0: any */
    uint32_t sites[SERIN_SIM_SITES_MAX]; /* gateways by number, from 1; 0 is the direct devices */
};

/* ---- the world ---- */

struct serin_sim_weather { /* a bad network day, for some devices, updated or not */
    uint64_t from_ms, for_ms;
    uint32_t offline; /* share that is cut off for the whole of it */
    uint32_t drop;    /* share of messages lost, of everybody's */
};

enum serin_sim_event_kind {
    SERIN_SIM_EVENT_INVALID = 0,
    SERIN_SIM_EVENT_GATEWAY_CRASH = 1,  /* memory is lost, its store is not; back after `for_ms` */
    SERIN_SIM_EVENT_GATEWAY_AWAY = 2,   /* no uplink for `for_ms` */
    SERIN_SIM_EVENT_STALE_CACHE = 3,    /* what its depot serves is of an older image, `for_ms` */
    SERIN_SIM_EVENT_SERIND_CRASH = 4,   /* back after `for_ms` */
    SERIN_SIM_EVENT_SERIND_RESTORE = 5, /* comes back with its store as of `back_ms` before */
    SERIN_SIM_EVENT_BROKER_RESTART = 6, /* messages under way are lost; back after `for_ms` */
    SERIN_SIM_EVENT_BROKER_OLD = 7, /* and its retained messages are those of `back_ms` before */
    SERIN_SIM_EVENT_POWER_CUT = 8,  /* a share of the devices: power is off for `for_ms` */
    SERIN_SIM_EVENT_PAUSE = 9,      /* the operator's verbs */
    SERIN_SIM_EVENT_RESUME = 10,
    SERIN_SIM_EVENT_HALT = 11,
    SERIN_SIM_EVENT_ADVANCE = 12,
    SERIN_SIM_EVENT_RETRY = 13,
    SERIN_SIM_EVENT_ABORT = 14,
    SERIN_SIM_EVENT_CLOCK_JUMP = 15, /* serind's wall clock jumps by `jump_ms` */
    SERIN_SIM_EVENT_COUNT
};

struct serin_sim_event {
    enum serin_sim_event_kind kind;
    uint64_t at_ms, for_ms, back_ms;
    int64_t jump_ms;
    uint32_t share; /* of gateways or devices; millionths */
    uint32_t site;  /* GATEWAY_*, STALE_CACHE: this gateway, from 1, instead of a share; 0: none */
};

struct serin_sim_scenario {
    size_t hardware_count; /* 0: all are revision 1 */
    struct serin_sim_hardware hardware[SERIN_SIM_HARDWARE_MAX];
    uint32_t direct;              /* share of devices without a gateway; 0 with gateways > 0 */
    uint32_t offline;             /* share that is never reached */
    uint32_t sleeping;            /* share that sleeps */
    uint64_t asleep_ms, awake_ms; /* by turns, from a random moment on */
    uint32_t drop, duplicate, reorder, corrupt; /* shares of messages on every link */
    uint32_t cut;    /* share of downloads whose link drops at `cut_at` */
    uint32_t cut_at; /* share of the image; 800,000 by default */
    uint32_t latency_min_ms, latency_max_ms;
    uint32_t bytes_per_s;         /* of a device's link; 0: no limit */
    uint32_t power_cuts_per_year; /* of each device, at random moments, flash operations included */
    uint32_t errors_per_day;      /* that a healthy device counts, on average */
    size_t behaviour_count;
    struct serin_sim_behaviour behaviours[SERIN_SIM_BEHAVIOURS_MAX];
    size_t weather_count;
    struct serin_sim_weather weather[SERIN_SIM_WEATHER_MAX];
    size_t event_count;
    struct serin_sim_event events[SERIN_SIM_EVENTS_MAX];
};

/* No faults, 20 to 200 ms of latency, one error a device and day. */
void serin_sim_scenario_default(struct serin_sim_scenario *scenario);
/* SERIN_ERR_INVALID; `*field` (may be NULL) names the field and the rule, in static storage. */
SERIN_MUST_USE enum serin_error serin_sim_scenario_check(const struct serin_sim_scenario *scenario,
                                                         const char **field);
/* A random scenario of the seed, for soak runs: anything the structure can say, within reason. */
void serin_sim_scenario_random(struct serin_sim_scenario *scenario, uint64_t seed);

/* ---- a run ---- */

/* What happened, as it happens: for a time line. */
struct serin_sim_moment {
    uint64_t at_ms; /* since the start */
    /* With state INVALID before serind has made it. While devices are taken back after a halt it
     * is the rollout that does so (`policy.revert`). */
    const struct serin_rollout *rollout;
    uint32_t exposed;     /* accepted the directive, so far */
    uint32_t trial;       /* in their trial now */
    uint32_t running;     /* run the candidate now, confirmed or not */
    uint64_t cloud_bytes; /* payload over all uplinks and direct links so far */
    const char *text;     /* an audit line of the engine or of the world; NULL: a sample */
};

struct serin_sim_config {
    /* Of its offers only the hardware counts, the release is 2.0.0; without offers it is for all.
     */
    struct serin_policy policy;
    uint32_t devices, gateways; /* ≥ 1; 0: all direct */
    uint64_t seed;
    struct serin_sim_scenario scenario;
    uint32_t image_size;      /* bytes; 8192 by default (0) */
    uint32_t beat_interval_s; /* 3600 by default (0) */
    uint64_t limit_ms;        /* of simulated time; 0: 60 days */
    bool raises_counter;      /* the candidate's security counter is above the stable one's */
    bool check;               /* invariants throughout; off only to measure what they cost */

    /* The real ones; the simulation remembers what the crypto port found out (signatures, digests
     * of the same bytes), so that a fleet of equal images is verified once. */
    const struct serin_crypto *crypto;
    const struct serin_codec *codec;
    const struct serin_site_codec *site_codec;
    /* What serind's store gives back of a rollout that it was given: a restart loses the rest. An
     * error ends the run with it. */
    enum serin_error (*stored)(struct serin_rollout *rollout);
    /* Sign the trust record, manifests and directives of the simulation. The signatures need not be
     * the same in each run: nothing of them is in the digest. */
    const struct serin_signer *root, *release, *director;

    /* Moments have a text, but for one at the end, and one at every multiple of this. Looking on
     * changes nothing: these are no events, and the result is the same without. 0: none. */
    uint64_t sample_ms;
    void (*moment)(void *ctx, const struct serin_sim_moment *moment);
    /* The console: simulated time passes; once in about 100 ms of wall time, as often as it is
     * called. May be NULL. */
    void (*progress)(void *ctx, const struct serin_sim_moment *moment);
    void *ctx;
};

enum serin_sim_invariant {
    SERIN_SIM_SOUND = 0,
    SERIN_SIM_BELOW_COUNTER = 1, /* a device runs below its security counter */
    SERIN_SIM_UNVERIFIED = 2,    /* a device runs bytes that no manifest signed */
    SERIN_SIM_LOST = 3,          /* a device is in no book of the server, or in two */
    SERIN_SIM_FINAL_LEFT = 4,    /* a final state was left */
    SERIN_SIM_TWICE = 5,         /* an attempt was taken twice */
    SERIN_SIM_COHORT = 6, /* a device outside the cohort took the candidate, or it is not exact */
    SERIN_SIM_PUBLISHES = 7, /* more than one publish for a step and broker, or one for nothing */
    SERIN_SIM_TRIAL_TOO_LATE =
        8,                   /* a trial began where the end of the lease, or a halt, was known */
    SERIN_SIM_ACK_EARLY = 9, /* an acknowledgement of what the store had not committed */
    SERIN_SIM_BRICKED = 10,  /* a device boots nothing */
    SERIN_SIM_BOOKS = 11,    /* the engine's books differ from a recount */
    SERIN_SIM_SILENCE =
        12, /* a device that accepted and went silent past its deadline counts as nothing */
    SERIN_SIM_GATE = 13,  /* the rollout went on where its own figures forbade it */
    SERIN_SIM_STALE = 14, /* a stage passed on figures of before serind's restart */
    SERIN_SIM_DEAD = 15, /* a stage passed though all that confirmed it are dead, and others live */
    SERIN_SIM_SPIN = 16, /* so much was done in so little time that it would go on for ever */
    SERIN_SIM_TOLD = 17, /* what devices are told is not how the rollout stands */
    SERIN_SIM_PACE = 18, /* a stage opened, or devices were offered it, before the policy allows */
    SERIN_SIM_COMMIT = 19, /* a counter may be committed before the release is the stable one */
    SERIN_SIM_INVARIANT_COUNT
};

/* The rollout that takes devices back after a halt. */
struct serin_sim_revert {
    enum serin_rollout_state state; /* INVALID: there was none */
    uint32_t stage;
    uint64_t began_ms, ended_ms; /* ended_ms 0: it has not */
    uint32_t offered, exposed, confirmed, failed;
};

/* What serind's books say of the devices, which hear of them late, or never. */
struct serin_sim_books {
    uint32_t exposed, confirmed, failed, rolled_back, regressed, rejected;
    uint32_t reasons[SERIN_REASON_COUNT];
};

/* What serind came back to. */
struct serin_sim_restarts {
    uint64_t awaiting, soaking; /* the rollout's state */
    uint64_t again;             /* within ten minutes of the last time */
    uint64_t down;              /* while the cloud's broker was down */
};

struct serin_sim_result {
    /* Of the rollout; where devices were taken back, of the halted one, as it stood then: what
     * devices did with its release is counted to the end of the run all the same. */
    enum serin_rollout_state state;
    char why[SERIN_ROLLOUT_WHY_MAX]; /* or for whom it waits, or what `completed` leaves out */
    uint32_t stage;
    uint32_t devices, members;   /* members: of the rollout; 0: serind had not begun it */
    uint32_t offered, unreached; /* by the books, as nobody else knows */
    /* The truth, as the devices have it at the end of the run: of those exposed each is confirmed,
     * failed, withdrawn or open. */
    uint32_t exposed;                          /* accepted the directive, once at least */
    uint32_t confirmed;                        /* and did not fail later */
    uint32_t failed;                           /* in the end, whatever way */
    uint32_t rolled_back, regressed, rejected; /* of these */
    uint32_t withdrawn;                   /* came to no end of their own: superseded, cancelled */
    uint32_t open;                        /* came to no end yet */
    uint32_t still_on_it;                 /* run the candidate at the end */
    uint32_t reasons[SERIN_REASON_COUNT]; /* of `failed` */
    struct serin_sim_books books;         /* of the same rollout as `state`, as long as it ran */
    uint64_t ended_ms;                    /* simulated time of the rollout's end, or of the run's */
    uint64_t run_ms;        /* of the run's end: by then devices have told what they did */
    uint64_t halted_ms;     /* when it halted; 0: it did not */
    uint64_t first_fail_ms; /* when the first failure became final on a device; 0: none */
    uint64_t direct_bytes, uplink_bytes,
        site_bytes;         /* payload: direct links; gateways' uplinks; at sites */
    uint64_t objects_bytes; /* of the uplink's: pieces of images */
    uint64_t messages, beats, events, boots, power_cuts;
    uint64_t crashes; /* devices reset by a crash or by the watchdog */
    uint64_t gateway_crashes, serind_crashes;
    struct serin_sim_restarts restarts;
    uint64_t publishes;                 /* of directives, per broker */
    uint64_t verifications, remembered; /* asked of the crypto port, and answered from memory */
    uint64_t flash_bytes;               /* memory that all flashes took at the end */
    /* What befell the run, so that a scenario that never came true is seen. */
    uint64_t faults[SERIN_SIM_FAULT_COUNT]; /* how often a device did it */
    uint64_t struck[SERIN_SIM_EVENT_COUNT]; /* events: once for each gateway or device, serind,
                                               broker or verb that was not refused */
    uint32_t came[SERIN_SIM_EVENT_COUNT];   /* events whose time came before the run was over */
    struct serin_sim_revert revert;
    char revert_why[SERIN_ROLLOUT_WHY_MAX]; /* why none was made though the policy asks; "" */
    uint64_t dropped, duplicated, reordered, corrupted; /* messages */
    uint64_t cuts;                                      /* downloads whose link dropped */
    uint64_t sleeps, offline; /* times that a device fell asleep; devices never reached */
    uint64_t weathered;       /* devices that bad weather cut off */
    uint8_t
        digest[SERIN_SHA256_SIZE]; /* over everything that happened: equal runs are equal here */
    enum serin_sim_invariant broken;
    char breach[256]; /* what broke it: device, time, states */
};

/* Runs to the rollout's end (and until every exposed device has come to its own), a breach, or the
 * limit. SERIN_OK also where an invariant broke: result->broken says so. SERIN_ERR_INVALID: the
 * configuration (`*field` as above); SERIN_ERR_MEMORY; errors of the ports. */
SERIN_MUST_USE enum serin_error serin_sim_run(const struct serin_sim_config *config,
                                              struct serin_sim_result *result, const char **field);

const char *serin_sim_invariant_text(enum serin_sim_invariant invariant);
const char *serin_sim_fault_text(enum serin_sim_fault fault);

#endif

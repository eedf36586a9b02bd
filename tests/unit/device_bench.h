/*
 * A device on the flash emulator, and a server small enough to read: it answers requests from
 * memory, acknowledges reports, and keeps what the device said. Time is simulated; a run is the
 * same each time.
 *
 * The bench plays the board, too: an application that behaves as the running release says (good,
 * crashing, hanging, silent), resets, and power that comes back after a cut.
 */
#ifndef SERIN_TESTS_DEVICE_BENCH_H
#define SERIN_TESTS_DEVICE_BENCH_H

#include "test_keys.h"

#include <serin/credit.h>
#include <serin/device/agent_state.h>
#include <serin/emulator/flash_emulator.h>
#include <serin/topic.h>

#define BENCH_RELEASES 8
#define BENCH_QUEUE    256
#define BENCH_LOG      64

/* How the application of a release behaves. */
enum bench_app { BENCH_GOOD, BENCH_CRASH, BENCH_HANG, BENCH_SILENT };

struct bench_release {
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    uint8_t manifest_bytes[SERIN_MANIFEST_SIZE_P256];
    uint8_t *image;
    uint8_t *table;
    size_t table_size;
    enum bench_app app;
};

struct bench_message {
    enum serin_topic_kind topic;
    bool retained;
    uint8_t *payload;
    size_t size;
};

/* What goes wrong on the way of blocks. */
struct bench_faults {
    uint32_t corrupt_block; /* n-th block of an image: payload and CRC damaged alike, as a bad cache
                               does; 0: none */
    uint32_t corrupt_always; /* piece index + 1 that always comes damaged */
    uint32_t flip_block;     /* n-th block arrives with a wrong CRC */
    uint32_t drop_block;     /* n-th block is lost */
    uint32_t busy_requests;  /* so many requests are answered "busy" */
    bool missing_image;      /* the image is "not found" */
    bool bad_table;          /* the piece table comes damaged */
    bool bad_manifest;       /* the manifest comes damaged */
    uint32_t huge_manifests; /* so many blocks of it tell a size that no manifest has */
    bool refuse;             /* every request is refused */
};

struct bench {
    /* the board */
    struct serin_flash_emulator *emulator;
    struct serin_layout layout;
    struct serin_identity identity;
    struct serin_boot boot;
    struct serin_agent_config config;
    struct serin_agent agent;
    struct serin_boot_choice choice;
    uint8_t scratch[4096];
    uint64_t now_ms;
    bool running, reset_asked, confirmed_sent;
    uint64_t clock_s; /* 0: the board has none */
    bool one_slot;    /* set before bench_provision: slot B is left empty */
    unsigned boots, cuts, transitions;
    unsigned confirm_refused;
    const char *kill_point; /* the power goes at this fault point ... */
    unsigned kill_nth;      /* ... when it is passed for the n-th time */
    bool killed;
    /* Called between the bootloader's choice and the agent's start; NULL: nothing happens there. */
    void (*between)(struct bench *bench);
    uint64_t second_cut_nth; /* once the power is back from the first cut; 0: none */
    enum serin_cut second_cut;
    /* the server */
    struct bench_release *releases[BENCH_RELEASES];
    size_t release_count;
    struct bench_message queue[BENCH_QUEUE];
    size_t queue_first, queue_count;
    uint8_t retained[3][1024]; /* trust, own directive, channel directive */
    size_t retained_size[3];
    bool ack, online;
    struct serin_credit credit;
    struct serin_credit_limits limits;
    struct bench_faults faults;
    uint32_t image_blocks, gets;
    uint64_t image_bytes;       /* served */
    uint32_t journaled_at_boot; /* pieces from the first on */
    unsigned fetched_again;     /* blocks served of pieces that were in place by then */
    unsigned journal_lies;      /* found at boots */
    struct serin_report report;
    unsigned reports, beats;
    struct serin_beat beat;
    struct serin_order order;
    char log[BENCH_LOG][160];
    size_t log_count;
};

/* Opens the keys and the memory of signature checks; once per program. */
void bench_open_keys(void);
/* wolfCrypt, with signatures that were checked before remembered, and random numbers that repeat.
 */
const struct serin_crypto *bench_crypto(void);
/* Starts the random numbers again. */
void bench_seed(void);

/* The geometry of a bench. */
struct bench_geometry {
    uint32_t size, sector, unit;
    uint8_t erased;
    bool ecc;
    uint64_t seed;
};
extern const struct bench_geometry bench_small; /* 64 KiB; sectors of 1 KiB, units of 8 bytes */

void bench_open(struct bench *bench, const struct bench_geometry *geometry);
void bench_close(struct bench *bench);

/* A release of product "pump" for channels "stable", versions as in 1.<minor>.0; image bytes from
 * the version. */
struct bench_release *bench_release(uint16_t minor, size_t image_size, enum bench_app app);
/* Seals it again after a change of its manifest. */
void bench_release_seal(struct bench_release *release);
/* The same by TEST_STRANGER, which only a trust record with the second key names. */
void bench_release_seal_second(struct bench_release *release);
/* Makes piece `index` the same as in `other`; sealed by the first key. */
void bench_release_share(struct bench_release *release, const struct bench_release *other,
                         uint32_t index);
void bench_release_free(struct bench_release *release);
void bench_serve(struct bench *bench, struct bench_release *release);

/* What most tests begin with: a small flash, a server with a good 1.1.0 of 9000 bytes and a good
 * 1.2.0 of 9500, and the first provisioned; it has not booted. */
void bench_begin(struct bench *bench, struct bench_release **v1, struct bench_release **v2);
/* The end of a test: no rule of the flash was broken. Closes the bench and frees what was made for
 * it; NULL: there is no third. */
void bench_end(struct bench *bench, struct bench_release *v1, struct bench_release *v2,
               struct bench_release *v3);

/* Provisions the release, in both slots or as `one_slot` says, and stores the trust record. */
void bench_provision(struct bench *bench, const struct bench_release *release);
/* The same, where it may fail. */
enum serin_error bench_try_provision(struct bench *bench, const struct bench_release *release);

/* Publishes a trust record of `version`, with a second release key (TEST_STRANGER) or without. */
void bench_publish_trust(struct bench *bench, uint32_t version, bool second_key);

/* A directive with the next order that offers `stable` and `candidate` (each may be NULL) to
 * everyone. */
struct serin_directive bench_directive(struct bench *bench, const struct bench_release *stable,
                                       const struct bench_release *candidate);
/* Seals it with the director key, keeps it retained on its topic, and delivers it where the device
 * is online. */
void bench_publish(struct bench *bench, const struct serin_directive *directive);
void bench_publish_raw(struct bench *bench, bool targeted, const uint8_t *payload, size_t size);
size_t bench_seal(const struct serin_directive *directive, enum test_key_name key,
                  uint8_t *payload);

/* Boots: what the bootloader chooses, then the agent, then the connection. Fails the test where
 * nothing boots. */
void bench_boot(struct bench *bench, enum serin_reset_cause cause);
/* The device loses power and boots again. */
void bench_power_cycle(struct bench *bench);
/* Delivers one message, or passes time up to the next deadline; resets and cuts are followed by a
 * boot. False: nothing happens any more before `until_ms` of this boot. */
bool bench_step(struct bench *bench, uint64_t until_ms);
/* Steps until the attempt reaches `state`; false after `limit` steps. */
bool bench_run_to(struct bench *bench, enum serin_state state, unsigned limit);
/* Steps for `ms` of simulated time in this boot, or until it ends and another has passed as much.
 */
void bench_run_for(struct bench *bench, uint64_t ms);
void bench_online(struct bench *bench, bool online);
void bench_send(struct bench *bench, enum serin_topic_kind topic, const uint8_t *payload,
                size_t size);
enum serin_error bench_event(struct bench *bench, enum serin_agent_event_kind kind,
                             enum serin_reason reason);

enum serin_state bench_state(const struct bench *bench);
enum serin_reason bench_reason(const struct bench *bench);
/* Whether piece `index` of the download under way stands in the journal, read by the test's own
 * eyes. False without a download. */
bool bench_journaled(const struct bench *bench, uint32_t index);
/* Whether piece `index` of `image` is in the slot being filled. */
bool bench_in_place(const struct bench *bench, const uint8_t *image, uint32_t size, uint32_t index);
/* Pieces that stand in the journal and are not what the server has. */
unsigned bench_journal_lies(const struct bench *bench);
/* Version that runs: the minor. */
unsigned bench_running(const struct bench *bench);
bool bench_logged(const struct bench *bench, const char *text);

#endif

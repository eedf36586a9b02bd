/*
 * The simulated serind: the real engine, ledger, repair and sealing of directives, in a shell that
 * lives in simulated time (docs/spec/simulation.md, section 4). It keeps the rules of
 * orchestrator/shell: a pass takes in what came, and only once its transaction is committed are
 * directives published and acknowledgements sent.
 *
 *   message ─▶ intake ─▶ pass (server.c, server_fleet.c) ─▶ commit (server_store.c) ─▶ publish
 *                                                                  │     (server_publish.c) ─▶ acks
 *                                                                  └ a crash before it: nothing was
 */
#ifndef SERIN_SIM_SERVER_H
#define SERIN_SIM_SERVER_H

#include "sim_internal.h"

#include <serin/orchestrator/engine.h>
#include <serin/orchestrator/ledger.h>
#include <serin/orchestrator/repair.h>
#include <serin/orchestrator/signed_time.h>
#include <serin/orchestrator/way_back.h>

#define SERVER_COMMIT_MS    5u    /* a transaction reaches the disk so long after its work */
#define SERVER_SETTLE_MS    1000u /* retained messages have arrived so long after connecting */
#define SERVER_BEAT_WAIT_MS 1000u /* beats wait so long for others */
#define SERVER_ANSWER_MS    3000u /* a publish that is not shown by then is sent again */
#define SERVER_TEND_MS      200u  /* between two looks at what the broker shows, where it matters */
#define SERVER_REST_MS      60000u /* between two epochs begun for a broker's silence */
#define SERVER_LEASE_S      21600u /* where no rollout says otherwise */
#define SERVER_INTAKE_MAX   768u
#define SERVER_INTAKE_FULL  (SERVER_INTAKE_MAX - SERIN_BATCH_ITEMS_MAX)
#define SERVER_TICKETS_MAX  64u
#define SERVER_LETTERS_MAX  2048u
#define SERVER_TICKS        16        /* of the engine in one pass */
#define SERVER_AFTER_MS     3600000u  /* late words are waited for so long after a rollout's end */
#define SERVER_STILL_MS     86400000u /* a rollout that waits for nobody who comes; see still_ms */

/* ---- the store ---- */

/* A ledger's record without the transitions themselves: only their number decides anything. */
struct server_attempt {
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    uint32_t attempt; /* 0: none */
    uint32_t updated_s, pieces_refetched;
    uint8_t state, reason, transition_count;
    bool final;
    uint64_t bytes_fetched;
};

#define SERVER_ATTEMPTS 2u /* of one device that are kept; a report tells of no more */

struct server_record {
    struct serin_report_cursor cursor;
    struct serin_running running;
    struct server_attempt attempts[SERVER_ATTEMPTS]; /* the latest first */
};

/* The directive of the channel, as it is held. */
struct server_directive {
    bool held, halt;
    struct serin_order order;
    uint64_t issued_s;
    uint32_t lease_s;
    size_t size;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
};

/* What is one of its kind. */
struct server_head {
    bool has_rollout;
    struct serin_rollout rollout;
    uint32_t member_count; /* of it: devices whose hardware it is for */
    /* It takes back what this one did. */
    bool reverting;
    struct serin_rollout halted;
    uint32_t halted_count;
    struct serin_order order; /* given out last */
    struct serin_release stable;
    uint32_t attempts[SIM_RELEASES]; /* the last number at each release that is known of */
    struct server_directive directive;
    struct serin_signed_mark signed_mark; /* signed time as it stood when this was stored */
};

struct server_undo {
    uint32_t index;
    bool is_member;
    union {
        struct server_record record;
        struct serin_member member;
    };
};

/* A copy of everything that was committed. */
struct server_backup {
    struct server_head head;
    uint64_t at_ms;
    struct server_record *records; /* NULL: it was not made yet */
    struct serin_member *members;
    struct serin_health *health; /* which each word of a device commits */
};

/* The working copy, and what takes it back to the committed one. */
struct server_store {
    uint32_t count; /* devices, and members once there is a rollout */
    struct server_head head, head_before;
    struct server_record *records; /* by device */
    struct serin_member *members;  /* in order of rank */
    struct serin_health *health;   /* by device; stored with each beat */
    /* What the disk holds, by device: never changed but by a commit or a restore. */
    struct serin_report_cursor *committed;
    struct server_undo *undo;
    size_t undo_count, undo_capacity;
    bool open, touched, failed;
    enum serin_error (*stored)(struct serin_rollout *rollout); /* sim.h */
    enum serin_error lost; /* a rollout that its record cannot hold; SERIN_OK: there was none */
    struct server_backup backups[SERIN_SIM_EVENTS_MAX]; /* by event */
};

SERIN_MUST_USE enum serin_error server_store_init(struct server_store *store, uint32_t count);
void server_store_free(struct server_store *store);
void server_store_begin(struct server_store *store);
/* The head is about to change. */
void server_store_touch(struct server_store *store);
/* To be called before a record or member changes. False: memory; the pass fails. */
bool server_store_save(struct server_store *store, uint32_t device);
bool server_store_save_member(struct server_store *store, uint32_t index,
                              const struct serin_member *before);
void server_store_commit(struct server_store *store);
/* Back to what was committed, as a record gives it back; the engine's derived figures are rebuilt.
 */
void server_store_abort(struct server_store *store, struct serin_members *members);
/* A backup of what is committed now, under the number of an event and the time that it stands for;
 * and back to that of a time. False: there is none. */
SERIN_MUST_USE enum serin_error server_store_backup(struct server_store *store, uint32_t event,
                                                    uint64_t at_ms);
bool server_store_restore(struct server_store *store, uint64_t at_ms,
                          struct serin_members *members);

/* ---- what waits ---- */

struct server_item {
    bool is_beat;
    uint32_t device;
    uint32_t site;   /* the gateway that it came through, from 1; 0: the device itself */
    uint32_t ticket; /* its batch's, from 1; 0: none */
    union {
        struct serin_report report;
        struct serin_beat beat;
    };
};

struct server_ticket {
    struct serin_batch_ack ack;
    uint32_t reports, stored;
    bool answered;
};

struct server_letter {
    uint32_t site, device, ticket;
    bool whole; /* it says what `batch` says */
    bool gone;
    struct serin_ack ack;
    struct serin_batch_ack batch;
    bool passed; /* a later report of this pass began another stream: the cursor is not its own */
};

/* What the broker shows on the directive's topic. */
struct server_view {
    size_t size;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    bool verified, teaches, in_flight;
    struct serin_order order;
    unsigned unanswered;
    uint64_t sent_ms;
};

/* What the engine asks of a device. */
struct server_kind {
    uint32_t site;
    uint16_t hardware, revision; /* its number among the scenario's */
};

struct server_scratch {
    char site_name[SIM_ID_SIZE];
};

struct sim_server {
    struct sim *sim;
    struct server_store store;
    struct serin_members members;
    uint32_t *places;          /* by device: its place among the members, or SIM_NOBODY */
    struct server_kind *kinds; /* by device */
    uint32_t site_most;
    struct server_scratch *scratch;

    uint64_t connected_ms, heard_ms;
    uint64_t revived_ms; /* the last time; 0: never */
    uint64_t wake_ms;    /* the wake that counts; UINT64_MAX: none */
    uint64_t state_ms;   /* when the rollout's state changed last */
    uint64_t ended_ms;   /* when it ended; 0: it has not */
    uint64_t commit_ms;  /* of the pass that waits for its commit */
    bool up, connected, settled, heard;
    bool committing;
    bool urgent; /* there is a report in the intake */

    struct server_item *intake;
    size_t intake_count;
    uint64_t oldest_ms;
    struct server_ticket tickets[SERVER_TICKETS_MAX];
    uint32_t ticket_count;
    struct server_letter *letters; /* SERVER_LETTERS_MAX of them */
    size_t letter_count;

    struct server_view view;
    bool want, made, agreed, renew;
    bool want_epoch;
    struct serin_order want_above, doubted;
    uint32_t claimant; /* device + 1 of the witness, alone so far; 0: none */
    uint64_t claim_rest_ms, guard_rest_ms, tend_ms;
    struct serin_signed_time time;       /* lost with its memory, but for the mark of the store */
    struct serin_way_back_seen way_back; /* lost with its memory */

    struct serin_batch_items items; /* scratch of a batch */
};

/* serind's wall clock. */
static inline uint64_t server_now_s(const struct sim_server *server)
{
    return sim_wall_ms(server->sim) / 1000u;
}
/* Something has changed: looks when to wake. */
void server_wake(struct sim_server *server);

/* A pass: work between the two; what it made waits for its commit. */
void server_begin(struct sim_server *server);
void server_end(struct sim_server *server);
void server_commit(struct sim_server *server);
bool server_ended(enum serin_rollout_state state);
/* Whether only an operator's ADVANCE opens the next stage. */
bool sim_waits_for_approval(const struct serin_rollout *rollout);

/* One step of the engine inside a pass; its actions are carried out. */
enum serin_error server_step(struct sim_server *server, const struct serin_rollout_event *event);

/* ---- server_create.c ---- */

void server_create(struct sim_server *server);
/* An attempt at a release has this number: the next one has a higher one. */
void server_attempted(struct sim_server *server, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                      uint32_t attempt);
/* The store has other members than before. */
void server_members_changed(struct sim_server *server);
/* A halted rollout wants its devices back on the stable release, or it is to be seen whether. */
bool server_revert_due(const struct sim_server *server);
void server_revert(struct sim_server *server);

/* ---- server_fleet.c ---- */

void server_fleet_take(struct sim_server *server);
/* The engine gave a device up. */
void server_fleet_expire(struct sim_server *server, uint32_t device);
/* Decodes what a device or gateway said into the intake. */
void server_fleet_heard(struct sim_server *server, struct sim_topic topic, const uint8_t *payload,
                        size_t size);
void server_fleet_send(struct sim_server *server);
void server_answer(struct sim_server *server, const struct server_item *item, uint64_t number,
                   enum serin_ack_status status);

/* ---- server_publish.c ---- */

/* A new directive is made at the end of the pass. */
void server_want(struct sim_server *server);
void server_want_epoch(struct sim_server *server, struct serin_order above);
/* A device says that it accepted this order. */
void server_claim(struct sim_server *server, uint32_t device, struct serin_order claimed);
void server_learn(struct sim_server *server);
void server_make(struct sim_server *server);
/* It starts: signed time goes on from what the store has of it. */
void server_resume_time(struct sim_server *server);
/* The pass is committed: what it made goes out. */
void server_publish(struct sim_server *server);
void server_forget(struct sim_server *server); /* or never will */
void server_shown(struct sim_server *server, const uint8_t *payload, size_t size);
void server_tend(struct sim_server *server);
bool server_publish_due(const struct sim_server *server);
uint64_t server_tend_deadline_ms(const struct sim_server *server);

#endif

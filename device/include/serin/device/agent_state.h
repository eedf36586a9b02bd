/*
 * The memory of an agent: for whoever places one (a static variable on a board, a field in a test).
 * Its fields belong to device/src and to nobody else.
 */
#ifndef SERIN_DEVICE_AGENT_STATE_H
#define SERIN_DEVICE_AGENT_STATE_H

#include <serin/device/agent.h>

#define SERIN_AGENT_TRIED_MAX 4u /* of each directive topic */
#define SERIN_AGENT_TRIED_ID  8u
#define SERIN_AGENT_SAID_SIZE 16u

/* An attempt that failed, was rejected or rolled back: it is not taken again. */
struct serin_agent_tried {
    uint8_t manifest_id[SERIN_AGENT_TRIED_ID]; /* its first bytes */
    uint32_t attempt;                          /* 0: unused */
};

/* The two directive topics, each with an order of its own. */
enum serin_agent_source { SERIN_AGENT_CHANNEL, SERIN_AGENT_OWN, SERIN_AGENT_SOURCES };

/* What survives a reset: one record of the agent log (docs/spec/agent-log.md). */
struct serin_agent_record {
    uint64_t incarnation;
    uint64_t number, acked;
    struct serin_order order[SERIN_AGENT_SOURCES]; /* highest accepted */
    /* First bytes of the SHA-256 of that directive's body: an order says one thing, for good. */
    uint8_t said[SERIN_AGENT_SOURCES][SERIN_AGENT_SAID_SIZE];
    /* The key that signed it: with that key its order goes. All zero: there is none, or an older
     * agent did not write it down. */
    uint8_t director[SERIN_AGENT_SOURCES][SERIN_KEY_ID_SIZE];
    bool halted[SERIN_AGENT_SOURCES];         /* that directive's candidate was halted */
    bool targeted;                            /* the device's own directive is in force */
    uint64_t signed_time_s;                   /* the largest seen in a directive, */
    uint8_t time_director[SERIN_KEY_ID_SIZE]; /* and the key that signed that one */
    uint32_t floor; /* committed: kept here, too, should the boot log be lost */
    /* By the topic that asked for them, newest first. */
    struct serin_agent_tried tried[SERIN_AGENT_SOURCES][SERIN_AGENT_TRIED_MAX];
    /* A stable release that is not newer than what runs, and what ran: first bytes of manifests. */
    uint8_t left[SERIN_AGENT_TRIED_ID], left_over[SERIN_AGENT_TRIED_ID];
    uint64_t start_s; /* signed time from which the current one may start: its spread is over */
    uint32_t trust_proved; /* version that was proved last, in one bank at least; 0: none */
    /* The journal of the current attempt: 0, or how often it was begun anew; up to where everything
     * was in place then, and the highest position that it knew (device/src/journal.h). */
    uint32_t journal_generation, journal_base, journal_reached;
    uint32_t rewrites; /* of large sectors, begun: marks of earlier ones mean nothing */
    size_t attempt_count;
    struct serin_attempt_report attempts[SERIN_REPORT_ATTEMPTS_MAX]; /* the current one last */
};

/* What an agent waits for, each as the milliseconds that are left of it: 0, it is over. A step
 * takes what has passed since the one before from all of them. */
enum serin_agent_wait {
    SERIN_WAIT_RETRY,      /* after a failed write: nothing is tried before */
    SERIN_WAIT_TRUST,      /* no trust record up to version trust_tried is written before */
    SERIN_WAIT_ELAPSE,     /* until the next part of the window, or its end, is logged */
    SERIN_WAIT_WINDOW,     /* of a trial */
    SERIN_WAIT_ABANDON,    /* for the log to take the end of the window */
    SERIN_WAIT_HOLD,       /* until the lease ends that a hold told of; with hold_heard */
    SERIN_WAIT_FETCH,      /* in flight: to give the window up; else: to ask */
    SERIN_WAIT_PEEK,       /* to look, */
    SERIN_WAIT_PEEK_END,   /* and for an answer */
    SERIN_WAIT_REPORT,     /* to send it (again), */
    SERIN_WAIT_REPORT_GAP, /* and before an ack can ask for that */
    SERIN_WAIT_BEAT,
    SERIN_WAIT_BEAT_GAP, /* before an extra one */
    SERIN_WAIT_COUNT
};

/* A directive as it concerns this device; heard since boot. */
struct serin_agent_standing {
    bool heard;
    bool fresh;      /* its order was new when it was heard: a renewal, not a replay */
    bool may_commit; /* it allows to commit what runs */
    enum serin_wish_kind kind;
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    uint32_t attempt, flags;
    struct serin_order order;
    uint64_t lease_end_s; /* signed time */
    uint32_t wait_ms;     /* that is left of the spread against herds */
};

/* One object being fetched, block by block, in order (docs/spec/blocks.md). */
struct serin_agent_fetch {
    bool active;
    bool in_flight; /* a request waits for its blocks */
    bool granted;   /* it was not refused, so that the next one must acknowledge it */
    uint8_t object[SERIN_SHA256_SIZE];
    uint32_t size;     /* 0: not known yet */
    uint32_t end;      /* nothing is wanted from here on; `size` but in a run of pieces */
    uint32_t position; /* next byte wanted */
    uint32_t window_end;
    uint32_t received; /* payload bytes of the last block, of use or not */
    uint32_t token, done_token;
    uint32_t silences; /* windows given up in a row */
    uint32_t misses;   /* "not found" in a row */
    uint32_t refusals; /* "refused" in a row */
};

enum serin_agent_target {
    SERIN_AGENT_TARGET_NONE,
    SERIN_AGENT_TARGET_MANIFEST, /* into scratch */
    SERIN_AGENT_TARGET_TABLE,    /* into the slot's piece table */
    SERIN_AGENT_TARGET_IMAGE,    /* into the slot's image */
    SERIN_AGENT_TARGET_PEEK      /* a manifest into scratch, before there is an attempt */
};

/* What an entry of a journal remembers besides its position. */
struct serin_journal_account {
    uint32_t bytes_fetched;
    uint32_t pieces_refetched;
};

/* What a journal was found to hold, and where it goes on (device/src/journal.h). */
struct serin_journal_end {
    bool started;                         /* it bears an entry of this download; if so: */
    uint32_t reached;                     /* the highest position that does, */
    struct serin_journal_account account; /* and what the last one remembers */
    uint32_t
        claimed;   /* the highest position that any entry claims, of whatever download; 0: none */
    uint32_t next; /* place of the next entry; the number of places: there is none */
};

/* Pieces of one large sector that are known to be erased, since boot. */
struct serin_agent_room {
    uint32_t sector; /* its address */
    uint32_t clean;  /* a bit for each of its pieces; 0: none is known to be */
};

struct serin_agent_download {
    enum serin_agent_target target;
    bool have_manifest; /* `manifest` is opened and suits */
    bool proved;        /* what runs was verified, or nothing else that boots is given up */
    bool rotten;        /* what runs did not verify: does the other slot? */
    uint8_t doubts;     /* proofs in a row that did not hold, of the slot that is asked */
    bool prepared;      /* the slot is invalidated, its journal belongs to this attempt */
    bool sealed;        /* the image verified, and its manifest is in the slot */
    bool over;          /* the attempt is, for what follows; not durable yet */
    uint8_t end_event;  /* enum serin_attempt_event, of device/src */
    enum serin_reason end_reason;
    uint32_t end_detail;
    bool recheck;          /* verification failed: what is in place is looked at afresh */
    bool table_clean;      /* the place of the piece table was just erased */
    uint32_t suspect[2];   /* positions that the power may have gone in; 0: in none */
    uint32_t next_part;    /* in order of the journal: what lies before it was in place */
    uint32_t rechecks;     /* since boot: times that it was not any more */
    uint32_t bad_rows;     /* failures in a row of the part being fetched */
    uint32_t pieces_found; /* from the first on, since boot or since the attempt began */
    struct serin_journal_end journal; /* valid with `prepared` */
    struct serin_agent_room room;
    struct serin_manifest manifest;
};

/* Whether a release is worth an attempt (device/src/agent_peek.c). */
enum serin_peek_verdict {
    SERIN_PEEK_LOOK,  /* not known: its manifest is looked at first */
    SERIN_PEEK_TAKE,  /* it is */
    SERIN_PEEK_LEAVE, /* it is the stable one, and not newer than what runs */
};

struct serin_agent_peek {
    uint8_t manifest_id[SERIN_SHA256_SIZE]; /* all zero: none yet */
    enum serin_peek_verdict verdict;        /* of that one */
};

enum serin_agent_job {
    SERIN_AGENT_JOB_NONE,
    SERIN_AGENT_JOB_LOOK,  /* is the other slot's image sound? */
    SERIN_AGENT_JOB_PROVE, /* does what runs still verify, before the other slot is given up? */
    SERIN_AGENT_JOB_COPY,  /* the running image into the other slot */
    SERIN_AGENT_JOB_CHECK  /* the copy, before it gets its manifest */
};

/* A log, or the trust region, that cannot be read: how often, in a row. */
struct serin_agent_dark {
    uint32_t read_ms; /* the last time that counts: the lower half */
    uint8_t readings; /* a second apart at least; 0: it reads */
};

/* What is looked at most stands first: a Thumb processor reaches a byte within 32 of the start, and
 * a word within 128, by its short instructions, and 64 bits within 1024 by one. */
struct serin_agent {
    const struct serin_agent_config *config;
    struct serin_agent_boot_info info;
    enum serin_slot spare; /* the slot that does not run */
    /* the state of this boot */
    bool have_trust;
    bool connected;
    bool armed;     /* the boot log is staged; a reset is asked for */
    bool stopped;   /* a reset is asked for; nothing is done any more */
    bool trial;     /* what runs is on trial, as the bootloader said */
    bool windowed;  /* its window is known; else it has none */
    bool confirmed; /* what runs is, by the boot log */
    bool unsettled; /* what the last boots did is not in the account yet */
    bool unborn;    /* there is no record, and the first one could not be stored yet */
    bool unread;    /* there may be one, in a log that cannot be read: nothing is stored */
    bool stored;    /* a record, since boot */
    bool checking;  /* `check` runs over an image */
    bool peeking;   /* the directive in force waits for the verdict of `peek` */
    bool looked;    /* the other slot was checked since boot */
    bool held, hold_heard;
    bool linked;          /* was connected since boot */
    bool directive_seen;  /* verified one since boot */
    bool trust_single;    /* the trust record has no second copy: rot of it would leave nothing */
    bool boot_log_erased; /* begun anew, or tried to be, since boot: once is all that it gets */
    bool job_begun;  /* the slot is invalidated, and job_position is where an earlier boot was */
    bool job_forced; /* every piece is written, whatever the slot seems to hold, */
    bool job_writes; /* or those of the sector at work are */
    enum serin_agent_job job;
    enum serin_redundancy redundancy;
    enum serin_reason trial_reason; /* why it ends, once its window is over */
    enum serin_reason refused;      /* the last directive that was */
    uint8_t trust_failures;         /* writes of the trust record in a row that did not stay */

    uint32_t wait_ms[SERIN_WAIT_COUNT];
    uint64_t now_ms;
    uint32_t errors, crashes, watchdogs, reconnects, refusals;
    uint32_t boots;        /* resets seen, as the boot log told at the start; 0: it is lost */
    uint32_t job_position; /* pieces copied */
    uint32_t job_failures; /* proofs and copies since boot that did not hold */
    uint32_t job_suspect;  /* the piece that the power may have gone in */
    uint32_t report_tries; /* of the present number */
    uint32_t trust_tried;  /* the newest record that did not stay */
    uint16_t kept[SERIN_AGENT_SOURCES]; /* bytes of a directive that waits in the scratch memory */
    struct serin_running running;

    uint64_t time_base_s, time_base_ms; /* the largest time heard, and the uptime at which it was */
    uint64_t elapsed_to_ms;             /* what is logged so far of a trial's window */
    /* Valid with hold_heard: the time that it told, and the uptime at which it did. */
    uint64_t hold_time_s, hold_time_ms;
    uint64_t acked_stored; /* what flash has of record.acked */
    struct serin_agent_dark account_dark, boot_log_dark, trust_dark;

    /* the download, and the other slot */
    struct serin_agent_fetch fetch;
    struct serin_agent_peek peek;
    struct serin_journal_end job_journal; /* valid with job_begun */
    struct serin_agent_download download;
    struct serin_agent_record record;

    /* large, and known by their addresses alone */
    struct serin_image_check check;
    struct serin_agent_standing standing[SERIN_AGENT_SOURCES];
    struct serin_trust trust; /* valid with have_trust */
};

_Static_assert(sizeof(struct serin_agent) <= 4096u,
               "an agent fits 4 KiB of RAM beside its scratch");

#endif

/*
 * The life of one device: board, bootloader, agent, application, and a server small enough to read.
 * It goes in steps (a boot, a message, a moment); after each the rules are judged, and the first
 * that is broken is told in `failure`. Nothing asserts, and nothing is signed.
 *
 * A life stands at one address. cuts_life_save and cuts_life_restore keep what it was before a
 * step, so that a cut costs only what follows it.
 */
#ifndef SERIN_TESTS_CUTS_LIFE_H
#define SERIN_TESTS_CUTS_LIFE_H

#include "goods.h"

#include <serin/credit.h>
#include <serin/device/agent_state.h>
#include <serin/emulator/flash_emulator.h>
#include <serin/piece.h>

#define CUTS_QUEUE     64u
#define CUTS_SETTLE_MS 61000u /* a boot that lasts longer than a trial's window: it has settled */

#define CUTS_RUNS SERIN_FLASH_RUNS_MAX
#define CUTS_NAME 96u /* of a part, with its NUL */

struct cuts_geometry {
    char name[CUTS_NAME];
    uint32_t size, sector, unit;
    uint8_t erased;
    bool ecc;
    bool and; /* bits may be cleared one by one, else a unit is programmed once */
    struct serin_flash_run runs[CUTS_RUNS]; /* with unequal sectors, beside size and the largest */
};

enum cuts_topic { CUTS_TOPIC_TRUST, CUTS_TOPIC_DIRECTIVE, CUTS_TOPICS };

/* Encoded when it is delivered, so that a life is small. */
struct cuts_post {
    enum { CUTS_POST_RETAINED, CUTS_POST_BLOCK, CUTS_POST_ACK } kind;
    enum cuts_topic topic;    /* RETAINED: what is retained by then */
    struct serin_block block; /* its data stay in the goods */
    struct serin_ack ack;
    bool spoiled; /* one byte of the block is wrong, and its CRC fits it */
};

/* What strikes beside faults of the flash. */
enum cuts_event {
    CUTS_EVENT_NONE,
    CUTS_EVENT_CRASH, /* the application crashes some steps after the last cut; power stays */
    CUTS_EVENT_LOSE_BOOT_LOG, /* both banks are lost while the power is off */
    CUTS_EVENT_ROT_BOOT_LOG,  /* the same while the device runs, and it runs on */
    CUTS_EVENT_LOSE_TRUST,    /* both trust records are lost while the power is off */
    CUTS_EVENTS
};

enum cuts_mode { CUTS_FACTORY, CUTS_OFF, CUTS_RUNNING, CUTS_OVER };

/* What a chapter costs when nobody cuts: the measure of those that are cut. */
struct cuts_uncut {
    unsigned boots;       /* of the whole life up to its end */
    uint64_t image_bytes; /* served in it */
};

/* What the judge has seen; never more than the device has durably said. */
struct cuts_seen {
    uint32_t floor; /* the highest that was durable */
    uint32_t trust; /* version likewise */
    bool trial;     /* the candidate ran on trial in this chapter */
    unsigned trial_boots;
    uint64_t trial_ms;    /* that it ran unconfirmed */
    uint32_t journaled;   /* pieces whose entries were durable before any cut, a bit each; */
    uint32_t doubtful;    /* those that the power went in: they may still turn out as torn */
    uint64_t image_bytes; /* served in this chapter */
    uint64_t again_bytes; /* over all chapters: more than an uncut life fetches */
    unsigned rotten;      /* a slot that the story let rot, until something else is in it */
    bool rotten_piece;    /* its first piece, where it is still being downloaded */
    uint32_t spoiled;     /* pieces that arrived damaged in this chapter, a bit each */
    bool rotted, bad_trust_sent;
    bool turned;    /* the chapter's own offer is published, not the first one any more */
    bool restarted; /* the application has crashed as the chapter says */
};

struct cuts_life {
    /* the board */
    const struct cuts_goods *goods;
    const struct cuts_geometry *geometry;
    struct serin_flash_emulator *emulator;
    struct serin_layout layout;
    struct serin_slot_map map;
    struct serin_boot boot;
    const struct serin_boot *bootloader; /* the same, by the ports that the bootloader has */
    struct serin_recovery recovery;
    struct serin_ram_loader ram; /* on parts with ECC words images run from a copy */
    struct serin_image_loader loader;
    struct serin_agent_config config;
    struct serin_agent agent;
    struct serin_boot_choice choice;
    uint8_t scratch[SERIN_PIECE_SIZE];
    uint64_t random;
    uint64_t now_ms, app_ms;
    enum cuts_mode mode;
    enum serin_reset_cause cause; /* of the boot to come */
    bool reset_asked, app_done;
    unsigned boots, cuts, steps;
    unsigned crashes; /* resets that the point asked for, beside those of the story */
    bool telling;     /* each line that the agent logs is printed */
    /* the server */
    struct cuts_message retained[CUTS_TOPICS];
    struct cuts_post queue[CUTS_QUEUE];
    unsigned queue_first, queue_count;
    struct serin_credit credit;
    unsigned gets, reports;
    /* the story */
    unsigned chapter;   /* that is being told; CUTS_CHAPTERS: all are */
    unsigned last;      /* the life is over when this one is */
    unsigned idle_gets; /* when the chapter's end was reached: nothing is fetched any more */
    bool lingering;     /* the end was reached: a power cycle and half a minute more */
    uint64_t linger_ms;
    unsigned chapter_steps, chapter_cuts; /* since it began; before it began */
    const struct cuts_uncut *uncut;       /* of each chapter; NULL: this is the uncut life */
    struct cuts_seen seen;
    /* Harm that is no cut (rot, an operation that fails): the story need not end as told, but the
     * device settles, and every other rule holds. */
    bool harm_armed, harmed; /* it is to strike; it has */
    enum cuts_event event;   /* that is to strike, */
    unsigned event_cuts;     /* CRASH: after so many cuts, */
    unsigned event_step;     /* and so many steps, at least one; others: before this step */
    unsigned calm;   /* from this chapter on nothing strikes any more, and what is offered must get
                        in, harmed or not; CUTS_CHAPTERS: there is none */
    unsigned doubts; /* faults of this life that leave cells in doubt */
    unsigned strikes, strikes_before; /* readings in trouble that passes; before this boot */
    bool booting;                     /* the bootloader runs */
    bool dim;                         /* a region was dark to it in this boot */
    bool struck;                      /* it has */
    unsigned recoveries;              /* calls of the recovery port */
    enum serin_slot harmed_slot;      /* that rot struck; NONE: it struck another place */
    const char *failure; /* the rule that broke, in static storage; NULL: all have held */
    char detail[160];    /* how */
};

/* Opens flash of this geometry, erased; the device waits in the factory. False: `failure` says why.
 */
bool cuts_life_open(struct cuts_life *life, const struct cuts_goods *goods,
                    const struct cuts_geometry *geometry, uint64_t seed);
void cuts_life_close(struct cuts_life *life);

/* One step. False: the life is over, well (`failure` is NULL) or not. */
bool cuts_life_step(struct cuts_life *life);

/* What a life was, with its flash. Restoring leaves `saved` as it is. */
struct cuts_saved {
    struct cuts_life life;
    struct serin_flash_snapshot *flash;
};
/* False: no memory. */
bool cuts_life_save(const struct cuts_life *life, struct cuts_saved *saved);
void cuts_life_restore(struct cuts_life *life, const struct cuts_saved *saved);
void cuts_saved_close(struct cuts_saved *saved);

/* ---- between the parts of a life ---- */

/* The copy that runs, NULL where images run in place. */
const uint8_t *cuts_life_copy(const struct cuts_life *life);

/* Tells the first broken rule, and how it broke; later ones are lost. */
void cuts_fail(struct cuts_life *life, const char *failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether harm has struck by now. */
bool cuts_is_harmed(struct cuts_life *life);

/* The next step is a boot. With `power` the power goes and comes: cells that hold what they hold
 * only as long as it stays are told by that. */
void cuts_life_reset(struct cuts_life *life, enum serin_reset_cause cause, bool power);

/* server.c */
enum serin_error cuts_server_hear(struct cuts_life *life, enum serin_topic_kind kind,
                                  const uint8_t *payload, size_t size);
void cuts_server_publish(struct cuts_life *life, enum cuts_topic topic,
                         const struct cuts_message *message);
void cuts_server_connect(struct cuts_life *life);
/* Delivers the next message; false where there is none. */
bool cuts_server_deliver(struct cuts_life *life);

/* So many readings in one boot come wrong in trouble, at most: a third proof may not. */
#define CUTS_GLANCES 2u

/* judge.c */
/* What stands before a boot: what is confirmed, and what waits for its trial. */
struct cuts_standing {
    unsigned confirmed, trial; /* releases that are whole in their slots; 0: there is none */
};
void cuts_judge_standing(const struct cuts_life *life, struct cuts_standing *standing);
/* After the bootloader's choice. */
void cuts_judge_boot(struct cuts_life *life, const struct cuts_standing *before);
void cuts_judge_agent(struct cuts_life *life); /* after the agent's start */
void cuts_judge_step(struct cuts_life *life);  /* after a step that wrote, and the power stayed */
void cuts_judge_time(struct cuts_life *life);  /* after each step */
/* Whether the other slot may take over when rot strikes this one: else two slots do not help. */
bool cuts_judge_spare(const struct cuts_life *life, enum serin_slot slot);
void cuts_judge_end(struct cuts_life *life); /* at a chapter's end */
void cuts_judge_served(struct cuts_life *life, unsigned release, uint32_t offset, uint32_t size);
/* The pieces that stand in the journal of the download under way, a bit each. */
uint32_t cuts_judge_journaled(const struct cuts_life *life);

/* story.c */
void cuts_story_begin(struct cuts_life *life);
void cuts_story_step(struct cuts_life *life);    /* after a step in which the power stayed */
void cuts_story_disturb(struct cuts_life *life); /* after each step: what others do */
/* What is offered now; candidate 0: nothing. */
const struct cuts_offer *cuts_story_offer(const struct cuts_life *life);
/* Whether piece `index` arrives damaged this time. */
bool cuts_story_spoils(struct cuts_life *life, unsigned release, uint32_t index);
/* How the application on this device behaves now. */
enum cuts_app cuts_story_app(const struct cuts_life *life);

#endif

/*
 * Sites: the gateways that serind knows, and which devices each of them speaks for
 * (docs/spec/batch.md, section 3).
 *
 * Site 0 is nobody's: a device there speaks for itself. The others are numbered from 1, in this run
 * only. What changes of a gateway's record is stored by the next pass, which comes within
 * SERIND_BEAT_WAIT_MS. Whose a device is stands in the device's record; here is the copy of it.
 */
#ifndef SERIND_SITES_H
#define SERIND_SITES_H

#include "fleet_index.h"

#include <serin/orchestrator/store.h>

#define SERIND_SITES_MAX      65536u
#define SERIND_CLAIM_REST_MS  3600000u /* an alarm of claims ends so long after the last */
#define SERIND_CLAIM_AUDIT_MS 60000u   /* of one gateway, one line so often */
/* Messages of one gateway that are looked at: so many at once, and so many a second. A gateway has
 * two batches on their way, and a full one holds 256 reports. */
#define SERIND_SITE_BURST      32u
#define SERIND_SITE_PER_SECOND 8u
#define SERIND_FLOOD_REST_MS   60000u /* the alarm ends so long after the last that was dropped */
#define SERIND_HOLD_STANDS_MS  60000u /* the alarm of a hold stands at least so long */
/* Refusals that go to one gateway in a minute: as many as its nodes by default may be. */
#define SERIND_CLAIM_ANSWERS_PER_MINUTE 1000u

/* Lines of the audit log about what the nodes of one gateway say of themselves. */
#define SERIND_NODE_LINES_PER_MINUTE 30u

struct serind;

struct serind_site {
    struct serin_gateway_record record; /* where `changed`, newer than what is stored */
    uint32_t nodes;                     /* devices that are assigned to it */
    bool changed;                       /* the next pass stores it */
    bool crowded;                       /* it spoke for more nodes than it may have */
    bool held;                          /* the alarm of its holds stands, or would with more room */
    bool unlisted;                      /* an alarm of it does not stand for want of room */
    uint64_t held_at_ms;                /* monotonic, when `held` began */
    uint32_t answer_minute, answers;
    uint32_t line_minute, lines;
    uint64_t
        heard_at_ms;  /* monotonic, when all its messages so far would have been within the rate */
    uint64_t dropped; /* messages above the rate, in this run */
    uint64_t flooded_at_ms; /* monotonic, of the last of them; 0: the alarm does not stand */
    uint64_t audit_at_ms;   /* monotonic: no line about its claims before */
    uint64_t claimed_at_ms; /* monotonic, of the last claim; 0: the alarm does not stand */
};

/* What the pass under way has changed, for its undoing. */
struct serind_move {
    uint32_t device, from; /* its site before */
};

struct serind_sites {
    struct serind_index ids; /* of gateways, and who is online: a number there is a site's less 1 */
    struct serind_site **list;
    uint32_t capacity;
    uint32_t most; /* devices that were assigned to one gateway at once in this run, at most */
    struct serind_move *moves;
    size_t move_count, move_capacity;
    uint32_t decided; /* the site on which an operator decided in this pass; 0: none */
    enum serin_gateway_standing decided_before;
    bool changed;
    uint64_t changed_at_ms; /* monotonic; since when something waits to be stored */
    uint64_t tend_at_ms;    /* monotonic */
};

void serind_sites_init(struct serind *serind);
void serind_sites_free(struct serind *serind);

/* Loads the gateways; inside a transaction, before the devices. Errors of the store;
 * SERIN_ERR_NO_SPACE: more than SERIND_SITES_MAX; SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_sites_load(struct serind *serind);

/* The number of a gateway; 0: it is not known. */
uint32_t serind_sites_find(const struct serind *serind, const char *id);
/* The same, made where it is not known; 0: there is no room, and an alarm says so. */
uint32_t serind_sites_make(struct serind *serind, const char *id);
/* The gateway of a number ≥ 1 that one of these gave. */
struct serind_site *serind_site(const struct serind *serind, uint32_t number);
/* Its id; "" for 0. */
const char *serind_site_name(const struct serind *serind, uint32_t number);

/* The record of a gateway changed: it is stored by the next pass. */
void serind_site_changed(struct serind *serind, uint32_t number);

/* Assigns a device to a site, in memory; inside a pass (whose failure takes it back), or while
 * devices are loaded. The device's record is the caller's. */
void serind_sites_assign(struct serind *serind, uint32_t device, uint32_t number);

/* Whether one more message of it is looked at; else it is to be dropped as if it had not come, and
 * an alarm says so. */
bool serind_site_paced(struct serind *serind, uint32_t number);
/* It spoke for a device that is not its own: counted, raised as an alarm, now and then audited. */
void serind_site_claimed(struct serind *serind, uint32_t number,
                         const struct serin_device_record *device);
/* It says that its node is of another product or channel than it is: the same. */
void serind_site_strayed(struct serind *serind, uint32_t number,
                         const struct serin_device_record *device, const char *product,
                         const char *channel);
/* It speaks for more nodes than it may have. */
void serind_site_crowded(struct serind *serind, uint32_t number);
/* An operator gave it a device: what it claimed before is no alarm any more. */
void serind_site_absolved(struct serind *serind, uint32_t number);
/* Whether a line about what it does wrong may go to the audit log: one a minute. */
bool serind_site_says(struct serind *serind, uint32_t number);
/* Whether a line about what one of its nodes says may: SERIND_NODE_LINES_PER_MINUTE. Site 0, of
 * devices that speak for themselves, may always: each has a rate of its own. */
bool serind_site_tells(struct serind *serind, uint32_t number);
/* Whether one more refusal may go to it in this minute. */
bool serind_site_answers(struct serind *serind, uint32_t number);

/* Raises the alarms of the status that was loaded; ends those of a gateway that is refused. */
void serind_site_alarms(struct serind *serind, uint32_t number);
void serind_site_silence(struct serind *serind, uint32_t number);

/* Its status came: kept, and compared with the one before. `status` names it. */
void serind_site_status(struct serind *serind, uint32_t number,
                        const struct serin_gw_status *status);

/* Refuses a gateway, whose nodes leave the running rollouts then, or lets it speak again; inside a
 * pass. */
void serind_site_decide(struct serind *serind, uint32_t number,
                        enum serin_gateway_standing standing);

/* Whether a pass should store what changed. */
bool serind_sites_due(const struct serind *serind);

/* Every turn of the loop: alarms that end with time. */
void serind_sites_tend(struct serind *serind);

/* The end of a pass: stores what changed; then keeps it, or takes it back. */
void serind_sites_store(struct serind *serind);
void serind_sites_keep(struct serind *serind);
void serind_sites_undo(struct serind *serind);

#endif

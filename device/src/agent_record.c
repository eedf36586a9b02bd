/*
 * What survives a reset (docs/spec/agent-log.md).
 *
 *   offset size  field of the payload                 offset size  field of an attempt
 *   ------ ----  ------------------------------       ------ ----  ------------------------------
 *        0    2  format = 1                                0   32  manifest id
 *        2    1  flags                                    32    4  attempt
 *        3    1  number of attempts, 0..2                 36    8  order: epoch, sequence
 *        4    4  floor                                    44    6  version: major, minor, patch
 *        8    8  incarnation                              50    1  targeted
 *       16    8  report number                            51    1  number of transitions, 1..8
 *       24    8  acked number                             52    8  bytes fetched
 *       32    8  order of the channel                     60    4  pieces refetched
 *       40    8  order of the device's own topic          64  176  transitions, 8 × 22
 *       48    8  largest signed time, Unix seconds       240  176  zero, but for the first's: below
 *       56   48  tried, asked for by the channel,        416       end
 *                4 × (8 id, 4 attempt)
 *      104  832  attempts, 2 × 416                    a transition: state 1, reason 1, time 8,
 *      936    8  when the last attempt starts         uptime 8, detail 4
 *      944   32  what the orders said, 2 × 16
 *      976    4  trust version that was proved last
 *      980    4  generation of the journal
 *      984    8  base of the journal, the highest position that it knew
 *      992    4  rewritings of large sectors
 *      996   16  reserved, zero
 *     1012       end
 *
 *   offset size  what later agents added, where earlier ones have room for transitions 9 to 16 of
 *   ------ ----  the first attempt, which no walk has: they leave it zero, and pass it over
 *      344    1  revision: 0, or 1 and the fields below are there
 *      345    7  zero
 *      352   16  the directors that signed what the orders said, 2 × 8 of the key id
 *      368    8  the director that signed the largest signed time
 *      376   48  tried, asked for by the device's own directives
 *      424    8  a stable release that is left alone, as it is not newer, 8 of its manifest's id
 *      432    8  than what ran, 8 of its manifest's id
 *      440   80  zero
 *      520       end
 */
#include "agent_internal.h"
#include "boot_state.h"

#include <stddef.h>
#include <string.h>

#define FLAG_TARGETED       1u
#define FLAG_HALTED_CHANNEL 2u
#define FLAG_HALTED_OWN     4u
#define FLAGS_KNOWN         7u

#define OFFSET_ORDERS   32u
#define OFFSET_SIGNED   48u
#define OFFSET_TRIED    56u
#define OFFSET_ATTEMPTS 104u
#define OFFSET_START    936u
#define OFFSET_SAID     944u
#define OFFSET_TRUST    SERIN_AGENT_TRUST_OFFSET
#define OFFSET_JOURNAL  980u
#define OFFSET_REWRITES 992u
#define OFFSET_RESERVED 996u

#define REVISION             1u
#define TRANSITIONS_KEPT     8u
#define OFFSET_REVISION      (OFFSET_ATTEMPTS + ATTEMPT_HEAD + TRANSITIONS_KEPT * TRANSITION_SIZE)
#define OFFSET_DIRECTORS     352u
#define OFFSET_TIME_DIRECTOR 368u
#define OFFSET_TRIED_OWN     376u
#define OFFSET_LEFT          424u
#define OFFSET_LEFT_OVER     432u
#define REVISION_END         520u

#define TRIED_SIZE        (SERIN_AGENT_TRIED_ID + 4u)
#define TRANSITION_SIZE   22u
#define ATTEMPT_HEAD      64u
#define ATTEMPT_SIZE      416u
#define ATTEMPT_VERSION   44u
#define ATTEMPT_TARGETED  50u
#define ATTEMPT_COUNT     51u
#define ATTEMPT_BYTES     52u
#define ATTEMPT_REFETCHED 60u

_Static_assert(ATTEMPT_HEAD + SERIN_REPORT_TRANSITIONS_MAX * TRANSITION_SIZE == ATTEMPT_SIZE,
               "docs/spec/agent-log.md");
_Static_assert(OFFSET_REVISION == 344u && OFFSET_ATTEMPTS + ATTEMPT_SIZE == REVISION_END &&
                   OFFSET_DIRECTORS + SERIN_AGENT_SOURCES * SERIN_KEY_ID_SIZE ==
                       OFFSET_TIME_DIRECTOR &&
                   OFFSET_TIME_DIRECTOR + SERIN_KEY_ID_SIZE == OFFSET_TRIED_OWN &&
                   OFFSET_TRIED_OWN + SERIN_AGENT_TRIED_MAX * TRIED_SIZE == OFFSET_LEFT &&
                   OFFSET_LEFT + SERIN_AGENT_TRIED_ID == OFFSET_LEFT_OVER &&
                   OFFSET_LEFT_OVER + SERIN_AGENT_TRIED_ID <= REVISION_END,
               "docs/spec/agent-log.md");
_Static_assert(OFFSET_TRIED + SERIN_AGENT_TRIED_MAX * TRIED_SIZE == OFFSET_ATTEMPTS,
               "docs/spec/agent-log.md");
_Static_assert(OFFSET_ATTEMPTS + SERIN_REPORT_ATTEMPTS_MAX * ATTEMPT_SIZE == OFFSET_START,
               "docs/spec/agent-log.md");
_Static_assert(OFFSET_SAID + SERIN_AGENT_SOURCES * SERIN_AGENT_SAID_SIZE == OFFSET_TRUST,
               "docs/spec/agent-log.md");
_Static_assert(SERIN_RECORD_PAYLOAD_SIZE == SERIN_AGENT_PAYLOAD_SIZE, "docs/spec/agent-log.md");
_Static_assert(OFFSET_RESERVED <= SERIN_RECORD_PAYLOAD_SIZE, "docs/spec/agent-log.md");

/* ---- fields ---- */

/* A field of a record, an attempt or a transition, and where it stands in the payload: `count`
 * little-endian numbers of `width` bytes; bytes are numbers of one. */
struct field {
    uint16_t payload, member;
    uint8_t width, count;
};

#define FIELD(at, type, name, bytes)                                       \
    {                                                                      \
        .payload = (at), .member = offsetof(type, name), .width = (bytes), \
        .count = sizeof(((type *)0)->name) / (bytes)                       \
    }
#define FIELDS(table) (table), sizeof(table) / sizeof((table)[0])

static const struct field record_fields[] = {
    FIELD(SERIN_AGENT_FLOOR_OFFSET, struct serin_agent_record, floor, 4),
    FIELD(8, struct serin_agent_record, incarnation, 8),
    FIELD(16, struct serin_agent_record, number, 8),
    FIELD(24, struct serin_agent_record, acked, 8),
    FIELD(OFFSET_ORDERS, struct serin_agent_record, order, 4),
    FIELD(OFFSET_SIGNED, struct serin_agent_record, signed_time_s, 8),
    FIELD(OFFSET_START, struct serin_agent_record, start_s, 8),
    FIELD(OFFSET_SAID, struct serin_agent_record, said, 1),
    FIELD(OFFSET_TRUST, struct serin_agent_record, trust_proved, 4),
    FIELD(OFFSET_JOURNAL, struct serin_agent_record, journal_generation, 4),
    FIELD(OFFSET_JOURNAL + 4u, struct serin_agent_record, journal_base, 4),
    FIELD(OFFSET_JOURNAL + 8u, struct serin_agent_record, journal_reached, 4),
    FIELD(OFFSET_REWRITES, struct serin_agent_record, rewrites, 4),
};

/* What later agents added. */
static const struct field revision_fields[] = {
    FIELD(OFFSET_DIRECTORS, struct serin_agent_record, director, 1),
    FIELD(OFFSET_TIME_DIRECTOR, struct serin_agent_record, time_director, 1),
    FIELD(OFFSET_LEFT, struct serin_agent_record, left, 1),
    FIELD(OFFSET_LEFT_OVER, struct serin_agent_record, left_over, 1),
};

static const struct field tried_fields[] = {
    FIELD(0, struct serin_agent_tried, manifest_id, 1),
    FIELD(SERIN_AGENT_TRIED_ID, struct serin_agent_tried, attempt, 4),
};

static const struct field attempt_fields[] = {
    FIELD(0, struct serin_attempt_report, manifest_id, 1),
    FIELD(32, struct serin_attempt_report, attempt, 4),
    FIELD(36, struct serin_attempt_report, order, 4),
    FIELD(ATTEMPT_VERSION, struct serin_attempt_report, version, 2),
    FIELD(ATTEMPT_BYTES, struct serin_attempt_report, bytes_fetched, 8),
    FIELD(ATTEMPT_REFETCHED, struct serin_attempt_report, pieces_refetched, 4),
};

static const struct field transition_fields[] = {
    FIELD(2, struct serin_transition, time_s, 8),
    FIELD(10, struct serin_transition, uptime_ms, 8),
    FIELD(18, struct serin_transition, detail, 4),
};

_Static_assert(sizeof(struct serin_order) == 8u && sizeof(struct serin_version) == 6u,
               "orders and versions are their numbers, one behind the other");

/* Copies the numbers of a field: between the order of a processor's bytes and that of the payload.
 */
static void copy_field(const struct field *field, uint8_t *to, const uint8_t *from)
{
    size_t size = (size_t)field->width * field->count;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, from, size);
#else
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i / field->width * field->width + (field->width - 1u - i % field->width)];
    }
#endif
}

static void put_fields(const struct field *fields, size_t count, const void *from, uint8_t *payload)
{
    for (const struct field *field = fields; field < fields + count; field++) {
        copy_field(field, payload + field->payload, (const uint8_t *)from + field->member);
    }
}

static void get_fields(const struct field *fields, size_t count, const uint8_t *payload, void *to)
{
    for (const struct field *field = fields; field < fields + count; field++) {
        copy_field(field, (uint8_t *)to + field->member, payload + field->payload);
    }
}

/* ---- tried, attempts ---- */

static void put_tried(uint8_t *p, const struct serin_agent_tried *tried)
{
    for (size_t i = 0; i < SERIN_AGENT_TRIED_MAX; i++) {
        put_fields(FIELDS(tried_fields), &tried[i], p + i * TRIED_SIZE);
    }
}

static void get_tried(const uint8_t *p, struct serin_agent_tried *tried)
{
    for (size_t i = 0; i < SERIN_AGENT_TRIED_MAX; i++) {
        get_fields(FIELDS(tried_fields), p + i * TRIED_SIZE, &tried[i]);
    }
}

static void put_attempt(uint8_t *p, const struct serin_attempt_report *attempt)
{
    SERIN_ASSERT(attempt->transition_count <= TRANSITIONS_KEPT); /* the longest walk has seven */
    put_fields(FIELDS(attempt_fields), attempt, p);
    p[ATTEMPT_TARGETED] = attempt->targeted ? 1 : 0;
    p[ATTEMPT_COUNT] = (uint8_t)attempt->transition_count;
    for (size_t i = 0; i < attempt->transition_count; i++) {
        const struct serin_transition *transition = &attempt->transitions[i];
        uint8_t *q = p + ATTEMPT_HEAD + i * TRANSITION_SIZE;
        q[0] = (uint8_t)transition->state;
        q[1] = (uint8_t)transition->reason;
        put_fields(FIELDS(transition_fields), transition, q);
    }
}

static enum serin_error get_attempt(const uint8_t *p, struct serin_attempt_report *attempt)
{
    get_fields(FIELDS(attempt_fields), p, attempt);
    attempt->targeted = p[ATTEMPT_TARGETED] != 0;
    attempt->transition_count = p[ATTEMPT_COUNT];
    if (attempt->transition_count == 0 || attempt->transition_count > TRANSITIONS_KEPT ||
        attempt->attempt == 0) {
        return SERIN_ERR_FORMAT;
    }
    enum serin_state before = SERIN_STATE_IDLE;
    for (size_t i = 0; i < attempt->transition_count; i++) {
        const uint8_t *q = p + ATTEMPT_HEAD + i * TRANSITION_SIZE;
        struct serin_transition *transition = &attempt->transitions[i];
        if (q[0] >= SERIN_STATE_COUNT || q[1] >= SERIN_REASON_COUNT ||
            !serin_state_allows(before, (enum serin_state)q[0])) {
            return SERIN_ERR_FORMAT;
        }
        before = transition->state = (enum serin_state)q[0];
        transition->reason = (enum serin_reason)q[1];
        get_fields(FIELDS(transition_fields), q, transition);
    }
    return SERIN_OK;
}

/* ---- the record ---- */

void serin_record_encode(const struct serin_agent_record *record, uint8_t *payload)
{
    memset(payload, 0, SERIN_RECORD_PAYLOAD_SIZE);
    serin_put_le16(payload, SERIN_AGENT_FORMAT);
    payload[2] = (uint8_t)((record->targeted ? FLAG_TARGETED : 0u) |
                           (record->halted[SERIN_AGENT_CHANNEL] ? FLAG_HALTED_CHANNEL : 0u) |
                           (record->halted[SERIN_AGENT_OWN] ? FLAG_HALTED_OWN : 0u));
    payload[3] = (uint8_t)record->attempt_count;
    put_fields(FIELDS(record_fields), record, payload);
    put_tried(payload + OFFSET_TRIED, record->tried[SERIN_AGENT_CHANNEL]);
    for (size_t i = 0; i < record->attempt_count; i++) {
        put_attempt(payload + OFFSET_ATTEMPTS + i * ATTEMPT_SIZE, &record->attempts[i]);
    }
    payload[OFFSET_REVISION] = REVISION;
    put_fields(FIELDS(revision_fields), record, payload);
    put_tried(payload + OFFSET_TRIED_OWN, record->tried[SERIN_AGENT_OWN]);
}

enum serin_error serin_record_decode(const uint8_t *payload, struct serin_agent_record *record)
{
    memset(record, 0, sizeof *record);
    if (serin_get_le16(payload) != SERIN_AGENT_FORMAT || (payload[2] & ~FLAGS_KNOWN) != 0 ||
        payload[3] > SERIN_REPORT_ATTEMPTS_MAX ||
        !serin_bytes_all(payload + OFFSET_RESERVED, SERIN_RECORD_PAYLOAD_SIZE - OFFSET_RESERVED,
                         0)) {
        return SERIN_ERR_FORMAT;
    }
    record->targeted = (payload[2] & FLAG_TARGETED) != 0;
    record->halted[SERIN_AGENT_CHANNEL] = (payload[2] & FLAG_HALTED_CHANNEL) != 0;
    record->halted[SERIN_AGENT_OWN] = (payload[2] & FLAG_HALTED_OWN) != 0;
    record->attempt_count = payload[3];
    get_fields(FIELDS(record_fields), payload, record);
    get_tried(payload + OFFSET_TRIED, record->tried[SERIN_AGENT_CHANNEL]);
    for (size_t i = 0; i < record->attempt_count; i++) {
        enum serin_error error =
            get_attempt(payload + OFFSET_ATTEMPTS + i * ATTEMPT_SIZE, &record->attempts[i]);
        if (error != SERIN_OK) {
            return error;
        }
    }
    if (payload[OFFSET_REVISION] != 0) {
        get_fields(FIELDS(revision_fields), payload, record);
        get_tried(payload + OFFSET_TRIED_OWN, record->tried[SERIN_AGENT_OWN]);
    }
    return record->incarnation != 0 ? SERIN_OK : SERIN_ERR_FORMAT;
}

void serin_record_copy(struct serin_agent_record *to, const struct serin_agent_record *from)
{
    size_t used = offsetof(struct serin_agent_record, attempts);
    memcpy(to, from, used + from->attempt_count * sizeof from->attempts[0]);
}

static struct serin_reclog log_of(const struct serin_boot *boot)
{
    return (struct serin_reclog){.flash = boot->flash,
                                 .region = boot->layout->agent_log,
                                 .magic = SERIN_AGENT_LOG_MAGIC,
                                 .payload_size = SERIN_RECORD_PAYLOAD_SIZE};
}

enum serin_error serin_record_load(const struct serin_boot *boot, struct serin_agent_record *record)
{
    uint8_t payload[SERIN_RECORD_PAYLOAD_SIZE];
    struct serin_reclog log = log_of(boot);
    enum serin_error error = serin_reclog_read(&log, payload, NULL);
    if (error == SERIN_OK) {
        error = serin_record_decode(payload, record);
    }
    return error == SERIN_OK || error == SERIN_ERR_FLASH ? error : SERIN_ERR_NOT_FOUND;
}

static enum serin_error append(struct serin_agent *agent, const struct serin_agent_record *record)
{
    uint8_t payload[SERIN_RECORD_PAYLOAD_SIZE];
    if (agent->unread) {
        return serin_agent_failed(agent, SERIN_ERR_FLASH); /* it would erase what may read again */
    }
    struct serin_reclog log = log_of(agent->config->boot);
    log.after_reset = !agent->stored && agent->info.cause != SERIN_RESET_REQUESTED;
    serin_record_encode(record, payload);
    enum serin_error error = serin_reclog_append(&log, payload);
    if (error == SERIN_ERR_AGAIN && serin_agent_lost(agent, &agent->account_dark)) {
        log.begin_anew = true;
        error = serin_reclog_append(&log, payload);
    }
    if (error != SERIN_OK) {
        return serin_agent_failed(agent, SERIN_ERR_FLASH);
    }
    agent->account_dark.readings = 0;
    agent->acked_stored = record->acked;
    agent->stored = true;
    agent->unborn = false;
    return SERIN_OK;
}

enum serin_error serin_record_store(struct serin_agent *agent,
                                    const struct serin_agent_record *next)
{
    enum serin_error error = append(agent, next);
    if (error == SERIN_OK) {
        serin_record_copy(&agent->record, next);
    }
    return error;
}

enum serin_error serin_record_again(struct serin_agent *agent)
{
    return append(agent, &agent->record);
}

void serin_record_refresh(struct serin_agent *agent)
{
    const struct serin_reclog log = log_of(agent->config->boot);
    if (serin_reclog_suspect(&log) && append(agent, &agent->record) != SERIN_OK) {
        serin_agent_log(agent, "a doubtful record could not be written afresh",
                        "the next boot tries");
    }
}

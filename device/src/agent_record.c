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

static void put_order(uint8_t *p, struct serin_order order)
{
    serin_put_le32(p, order.epoch);
    serin_put_le32(p + 4, order.sequence);
}

static struct serin_order get_order(const uint8_t *p)
{
    return (struct serin_order){.epoch = serin_get_le32(p), .sequence = serin_get_le32(p + 4)};
}

static void put_tried(uint8_t *p, const struct serin_agent_tried *tried)
{
    for (size_t i = 0; i < SERIN_AGENT_TRIED_MAX; i++, p += TRIED_SIZE) {
        memcpy(p, tried[i].manifest_id, SERIN_AGENT_TRIED_ID);
        serin_put_le32(p + SERIN_AGENT_TRIED_ID, tried[i].attempt);
    }
}

static void get_tried(const uint8_t *p, struct serin_agent_tried *tried)
{
    for (size_t i = 0; i < SERIN_AGENT_TRIED_MAX; i++, p += TRIED_SIZE) {
        memcpy(tried[i].manifest_id, p, SERIN_AGENT_TRIED_ID);
        tried[i].attempt = serin_get_le32(p + SERIN_AGENT_TRIED_ID);
    }
}

static void put_attempt(uint8_t *p, const struct serin_attempt_report *attempt)
{
    SERIN_ASSERT(attempt->transition_count <= TRANSITIONS_KEPT); /* the longest walk has seven */
    memcpy(p, attempt->manifest_id, SERIN_SHA256_SIZE);
    serin_put_le32(p + 32, attempt->attempt);
    put_order(p + 36, attempt->order);
    serin_put_le16(p + ATTEMPT_VERSION, attempt->version.major);
    serin_put_le16(p + ATTEMPT_VERSION + 2, attempt->version.minor);
    serin_put_le16(p + ATTEMPT_VERSION + 4, attempt->version.patch);
    p[ATTEMPT_TARGETED] = attempt->targeted ? 1 : 0;
    p[ATTEMPT_COUNT] = (uint8_t)attempt->transition_count;
    serin_put_le64(p + ATTEMPT_BYTES, attempt->bytes_fetched);
    serin_put_le32(p + ATTEMPT_REFETCHED, attempt->pieces_refetched);
    for (size_t i = 0; i < attempt->transition_count; i++) {
        const struct serin_transition *transition = &attempt->transitions[i];
        uint8_t *q = p + ATTEMPT_HEAD + i * TRANSITION_SIZE;
        q[0] = (uint8_t)transition->state;
        q[1] = (uint8_t)transition->reason;
        serin_put_le64(q + 2, transition->time_s);
        serin_put_le64(q + 10, transition->uptime_ms);
        serin_put_le32(q + 18, transition->detail);
    }
}

static enum serin_error get_attempt(const uint8_t *p, struct serin_attempt_report *attempt)
{
    memcpy(attempt->manifest_id, p, SERIN_SHA256_SIZE);
    attempt->attempt = serin_get_le32(p + 32);
    attempt->order = get_order(p + 36);
    attempt->version.major = serin_get_le16(p + ATTEMPT_VERSION);
    attempt->version.minor = serin_get_le16(p + ATTEMPT_VERSION + 2);
    attempt->version.patch = serin_get_le16(p + ATTEMPT_VERSION + 4);
    attempt->targeted = p[ATTEMPT_TARGETED] != 0;
    attempt->transition_count = p[ATTEMPT_COUNT];
    attempt->bytes_fetched = serin_get_le64(p + ATTEMPT_BYTES);
    attempt->pieces_refetched = serin_get_le32(p + ATTEMPT_REFETCHED);
    if (attempt->transition_count == 0 || attempt->transition_count > TRANSITIONS_KEPT ||
        attempt->attempt == 0) {
        return SERIN_ERR_FORMAT;
    }
    enum serin_state before = SERIN_STATE_IDLE;
    for (size_t i = 0; i < attempt->transition_count; i++) {
        const uint8_t *q = p + ATTEMPT_HEAD + i * TRANSITION_SIZE;
        if (q[0] >= SERIN_STATE_COUNT || q[1] >= SERIN_REASON_COUNT ||
            !serin_state_allows(before, (enum serin_state)q[0])) {
            return SERIN_ERR_FORMAT;
        }
        before = (enum serin_state)q[0];
        attempt->transitions[i] = (struct serin_transition){.state = before,
                                                            .reason = (enum serin_reason)q[1],
                                                            .time_s = serin_get_le64(q + 2),
                                                            .uptime_ms = serin_get_le64(q + 10),
                                                            .detail = serin_get_le32(q + 18)};
    }
    return SERIN_OK;
}

void serin_record_encode(const struct serin_agent_record *record, uint8_t *payload)
{
    memset(payload, 0, SERIN_RECORD_PAYLOAD_SIZE);
    serin_put_le16(payload, SERIN_AGENT_FORMAT);
    payload[2] = (uint8_t)((record->targeted ? FLAG_TARGETED : 0u) |
                           (record->halted[SERIN_AGENT_CHANNEL] ? FLAG_HALTED_CHANNEL : 0u) |
                           (record->halted[SERIN_AGENT_OWN] ? FLAG_HALTED_OWN : 0u));
    payload[3] = (uint8_t)record->attempt_count;
    serin_put_le32(payload + SERIN_AGENT_FLOOR_OFFSET, record->floor);
    serin_put_le64(payload + 8, record->incarnation);
    serin_put_le64(payload + 16, record->number);
    serin_put_le64(payload + 24, record->acked);
    for (size_t i = 0; i < SERIN_AGENT_SOURCES; i++) {
        put_order(payload + OFFSET_ORDERS + 8u * i, record->order[i]);
    }
    serin_put_le64(payload + OFFSET_SIGNED, record->signed_time_s);
    put_tried(payload + OFFSET_TRIED, record->tried[SERIN_AGENT_CHANNEL]);
    for (size_t i = 0; i < record->attempt_count; i++) {
        put_attempt(payload + OFFSET_ATTEMPTS + i * ATTEMPT_SIZE, &record->attempts[i]);
    }
    payload[OFFSET_REVISION] = REVISION;
    memcpy(payload + OFFSET_DIRECTORS, record->director, sizeof record->director);
    memcpy(payload + OFFSET_TIME_DIRECTOR, record->time_director, sizeof record->time_director);
    put_tried(payload + OFFSET_TRIED_OWN, record->tried[SERIN_AGENT_OWN]);
    memcpy(payload + OFFSET_LEFT, record->left, sizeof record->left);
    memcpy(payload + OFFSET_LEFT_OVER, record->left_over, sizeof record->left_over);
    serin_put_le64(payload + OFFSET_START, record->start_s);
    memcpy(payload + OFFSET_SAID, record->said, sizeof record->said);
    serin_put_le32(payload + OFFSET_TRUST, record->trust_proved);
    serin_put_le32(payload + OFFSET_JOURNAL, record->journal_generation);
    serin_put_le32(payload + OFFSET_JOURNAL + 4, record->journal_base);
    serin_put_le32(payload + OFFSET_JOURNAL + 8, record->journal_reached);
    serin_put_le32(payload + OFFSET_REWRITES, record->rewrites);
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
    record->floor = serin_get_le32(payload + SERIN_AGENT_FLOOR_OFFSET);
    record->incarnation = serin_get_le64(payload + 8);
    record->number = serin_get_le64(payload + 16);
    record->acked = serin_get_le64(payload + 24);
    for (size_t i = 0; i < SERIN_AGENT_SOURCES; i++) {
        record->order[i] = get_order(payload + OFFSET_ORDERS + 8u * i);
    }
    record->signed_time_s = serin_get_le64(payload + OFFSET_SIGNED);
    get_tried(payload + OFFSET_TRIED, record->tried[SERIN_AGENT_CHANNEL]);
    for (size_t i = 0; i < record->attempt_count; i++) {
        enum serin_error error =
            get_attempt(payload + OFFSET_ATTEMPTS + i * ATTEMPT_SIZE, &record->attempts[i]);
        if (error != SERIN_OK) {
            return error;
        }
    }
    record->start_s = serin_get_le64(payload + OFFSET_START);
    memcpy(record->said, payload + OFFSET_SAID, sizeof record->said);
    record->trust_proved = serin_get_le32(payload + OFFSET_TRUST);
    record->journal_generation = serin_get_le32(payload + OFFSET_JOURNAL);
    record->journal_base = serin_get_le32(payload + OFFSET_JOURNAL + 4);
    record->journal_reached = serin_get_le32(payload + OFFSET_JOURNAL + 8);
    record->rewrites = serin_get_le32(payload + OFFSET_REWRITES);
    if (payload[OFFSET_REVISION] != 0) {
        memcpy(record->director, payload + OFFSET_DIRECTORS, sizeof record->director);
        memcpy(record->time_director, payload + OFFSET_TIME_DIRECTOR, sizeof record->time_director);
        get_tried(payload + OFFSET_TRIED_OWN, record->tried[SERIN_AGENT_OWN]);
        memcpy(record->left, payload + OFFSET_LEFT, sizeof record->left);
        memcpy(record->left_over, payload + OFFSET_LEFT_OVER, sizeof record->left_over);
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

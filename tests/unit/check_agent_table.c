/*
 * The attempt's table against a second one written by hand and against serin_state_allows; the
 * record of the agent log.
 */
#include "agent_internal.h"
#include "check_main.h"

#include <string.h>

/* What each event does from each state, by name; what is missing is refused. */
static const struct row {
    enum serin_state from;
    enum serin_attempt_event event;
    enum serin_state to;
} rows[] = {
    {SERIN_STATE_IDLE, SERIN_ATTEMPT_ACCEPT, SERIN_STATE_PENDING},
    {SERIN_STATE_PENDING, SERIN_ATTEMPT_SUITS, SERIN_STATE_DOWNLOADING},
    {SERIN_STATE_PENDING, SERIN_ATTEMPT_REJECT, SERIN_STATE_REJECTED},
    {SERIN_STATE_PENDING, SERIN_ATTEMPT_FAIL, SERIN_STATE_FAILED},
    {SERIN_STATE_PENDING, SERIN_ATTEMPT_CANCEL, SERIN_STATE_CANCELLED},
    {SERIN_STATE_PENDING, SERIN_ATTEMPT_SUPERSEDE, SERIN_STATE_SUPERSEDED},
    {SERIN_STATE_DOWNLOADING, SERIN_ATTEMPT_FETCHED, SERIN_STATE_VERIFYING},
    {SERIN_STATE_DOWNLOADING, SERIN_ATTEMPT_REJECT, SERIN_STATE_REJECTED},
    {SERIN_STATE_DOWNLOADING, SERIN_ATTEMPT_FAIL, SERIN_STATE_FAILED},
    {SERIN_STATE_DOWNLOADING, SERIN_ATTEMPT_CANCEL, SERIN_STATE_CANCELLED},
    {SERIN_STATE_DOWNLOADING, SERIN_ATTEMPT_SUPERSEDE, SERIN_STATE_SUPERSEDED},
    {SERIN_STATE_VERIFYING, SERIN_ATTEMPT_VERIFIED, SERIN_STATE_STAGED},
    {SERIN_STATE_VERIFYING, SERIN_ATTEMPT_REJECT, SERIN_STATE_REJECTED},
    {SERIN_STATE_VERIFYING, SERIN_ATTEMPT_FAIL, SERIN_STATE_FAILED},
    {SERIN_STATE_VERIFYING, SERIN_ATTEMPT_CANCEL, SERIN_STATE_CANCELLED},
    {SERIN_STATE_VERIFYING, SERIN_ATTEMPT_SUPERSEDE, SERIN_STATE_SUPERSEDED},
    {SERIN_STATE_STAGED, SERIN_ATTEMPT_BOOTED, SERIN_STATE_TRIAL},
    {SERIN_STATE_STAGED, SERIN_ATTEMPT_REJECT, SERIN_STATE_REJECTED},
    {SERIN_STATE_STAGED, SERIN_ATTEMPT_FAIL, SERIN_STATE_FAILED},
    {SERIN_STATE_STAGED, SERIN_ATTEMPT_CANCEL, SERIN_STATE_CANCELLED},
    {SERIN_STATE_STAGED, SERIN_ATTEMPT_SUPERSEDE, SERIN_STATE_SUPERSEDED},
    {SERIN_STATE_TRIAL, SERIN_ATTEMPT_CONFIRM, SERIN_STATE_CONFIRMED},
    {SERIN_STATE_TRIAL, SERIN_ATTEMPT_ROLL_BACK, SERIN_STATE_ROLLED_BACK},
    {SERIN_STATE_CONFIRMED, SERIN_ATTEMPT_REGRESS, SERIN_STATE_REGRESSED},
};

static enum serin_state expected(int state, int event)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].from == (enum serin_state)state &&
            rows[i].event == (enum serin_attempt_event)event) {
            return rows[i].to;
        }
    }
    return SERIN_STATE_INVALID;
}

START_TEST(every_state_and_event)
{
    unsigned allowed = 0;
    for (int state = 0; state <= SERIN_STATE_COUNT; state++) {
        for (int event = 0; event <= SERIN_ATTEMPT_EVENT_COUNT; event++) {
            enum serin_state next =
                serin_attempt_next((enum serin_state)state, (enum serin_attempt_event)event);
            ck_assert_msg(next == expected(state, event), "%s x %d gives %s",
                          serin_state_text((enum serin_state)state), event, serin_state_text(next));
            if (next != SERIN_STATE_INVALID) {
                allowed++;
                ck_assert(serin_state_allows((enum serin_state)state, next));
            }
        }
    }
    ck_assert_uint_eq(allowed, sizeof(rows) / sizeof(rows[0]));
}
END_TEST

START_TEST(every_way_that_the_states_allow_is_in_the_table)
{
    for (int from = 0; from < SERIN_STATE_COUNT; from++) {
        for (int to = 0; to < SERIN_STATE_COUNT; to++) {
            bool found = false;
            for (int event = 0; event < SERIN_ATTEMPT_EVENT_COUNT; event++) {
                found = found || (to != 0 && serin_attempt_next((enum serin_state)from,
                                                                (enum serin_attempt_event)event) ==
                                                 (enum serin_state)to);
            }
            ck_assert_int_eq(found,
                             serin_state_allows((enum serin_state)from, (enum serin_state)to));
        }
    }
}
END_TEST

static struct serin_agent_record full_record(void)
{
    static const enum serin_state path[] = {
        SERIN_STATE_PENDING, SERIN_STATE_DOWNLOADING, SERIN_STATE_VERIFYING, SERIN_STATE_STAGED,
        SERIN_STATE_TRIAL,   SERIN_STATE_CONFIRMED,   SERIN_STATE_REGRESSED};
    struct serin_agent_record record;
    memset(&record, 0, sizeof(record));
    record.incarnation = 0x1122334455667788u;
    record.number = UINT64_MAX;
    record.acked = UINT64_MAX - 1;
    record.order[0] = (struct serin_order){0xFFFFFFFF, 1};
    record.order[1] = (struct serin_order){2, 0xFFFFFFFE};
    record.halted[0] = true;
    record.targeted = true;
    record.signed_time_s = UINT64_MAX;
    record.floor = 0xDEADBEEF;
    record.start_s = UINT64_MAX - 1;
    record.trust_proved = 7;
    record.journal_generation = 3;
    record.journal_base = 0x01020304;
    record.journal_reached = 0x05060708;
    record.rewrites = UINT32_MAX;
    memset(record.said, 0x5A, sizeof(record.said));
    memset(record.director[SERIN_AGENT_CHANNEL], 0x11, SERIN_KEY_ID_SIZE);
    memset(record.director[SERIN_AGENT_OWN], 0x22, SERIN_KEY_ID_SIZE);
    memset(record.time_director, 0x33, SERIN_KEY_ID_SIZE);
    record.attempt_count = 2;
    for (size_t i = 0; i < SERIN_AGENT_TRIED_MAX; i++) {
        record.tried[SERIN_AGENT_CHANNEL][i].manifest_id[7] = (uint8_t)i;
        record.tried[SERIN_AGENT_CHANNEL][i].attempt = 100 + (uint32_t)i;
        record.tried[SERIN_AGENT_OWN][i].manifest_id[0] = (uint8_t)(i + 1);
        record.tried[SERIN_AGENT_OWN][i].attempt = 200 + (uint32_t)i;
    }
    for (size_t i = 0; i < 2; i++) {
        struct serin_attempt_report *attempt = &record.attempts[i];
        memset(attempt->manifest_id, (int)(0x40 + i), 32);
        attempt->attempt = 7;
        attempt->order = (struct serin_order){3, 4};
        attempt->targeted = i == 1;
        attempt->version = (struct serin_version){1, 65535, 3};
        attempt->bytes_fetched = 1ull << 40;
        attempt->pieces_refetched = 5;
        attempt->transition_count = 7;
        for (size_t n = 0; n < 7; n++) {
            attempt->transitions[n] = (struct serin_transition){.state = path[n],
                                                                .reason = SERIN_REASON_NONE,
                                                                .time_s = 1767225600 + n,
                                                                .uptime_ms = 1ull << 33,
                                                                .detail = 0xFFFFFFFF};
        }
    }
    return record;
}

START_TEST(the_record_survives_encoding)
{
    struct serin_agent_record record = full_record();
    uint8_t payload[SERIN_RECORD_PAYLOAD_SIZE], again[SERIN_RECORD_PAYLOAD_SIZE];
    serin_record_encode(&record, payload);
    struct serin_agent_record back;
    ck_assert_int_eq(serin_record_decode(payload, &back), SERIN_OK);
    serin_record_encode(&back, again);
    ck_assert_mem_eq(payload, again, sizeof(payload));
    ck_assert_uint_eq(back.incarnation, record.incarnation);
    ck_assert_uint_eq(back.acked, record.acked);
    ck_assert_uint_eq(back.start_s, record.start_s);
    ck_assert_mem_eq(back.said, record.said, sizeof(back.said));
    ck_assert_uint_eq(back.order[1].sequence, 0xFFFFFFFE);
    ck_assert(back.halted[0] && !back.halted[1] && back.targeted);
    ck_assert_mem_eq(back.tried, record.tried, sizeof(back.tried));
    ck_assert_mem_eq(back.director, record.director, sizeof(back.director));
    ck_assert_mem_eq(back.time_director, record.time_director, sizeof(back.time_director));
    ck_assert_uint_eq(back.attempts[1].transitions[6].detail, 0xFFFFFFFF);
    ck_assert(back.attempts[1].targeted && !back.attempts[0].targeted);
    ck_assert_uint_eq(back.trust_proved, 7);
    ck_assert_uint_eq(back.journal_generation, 3);
    ck_assert_uint_eq(back.journal_base, 0x01020304);
    ck_assert_uint_eq(back.journal_reached, 0x05060708);
    ck_assert_uint_eq(back.rewrites, UINT32_MAX);
}
END_TEST

/* An older agent left zero where later fields stand, and reads a record that has them as one that
 * has not: they stand where no walk has a transition. */
START_TEST(a_record_of_an_older_agent_is_read)
{
    struct serin_agent_record record = full_record(), back;
    uint8_t payload[SERIN_RECORD_PAYLOAD_SIZE], none[SERIN_RECORD_PAYLOAD_SIZE] = {0};
    serin_record_encode(&record, payload);
    ck_assert_uint_eq(payload[0], 1);
    ck_assert_uint_eq(payload[344], 1);
    ck_assert_uint_eq(payload[104 + 51], 7); /* transitions of the first attempt: 168 .. 322 */
    memset(payload + 344, 0, 520 - 344);
    ck_assert_int_eq(serin_record_decode(payload, &back), SERIN_OK);
    ck_assert_mem_eq(back.tried[SERIN_AGENT_CHANNEL], record.tried[SERIN_AGENT_CHANNEL],
                     sizeof(back.tried[SERIN_AGENT_CHANNEL]));
    ck_assert_mem_eq(back.tried[SERIN_AGENT_OWN], none, sizeof(back.tried[SERIN_AGENT_OWN]));
    ck_assert_mem_eq(back.director, none, sizeof(back.director));
    ck_assert_mem_eq(back.time_director, none, sizeof(back.time_director));
    ck_assert_uint_eq(back.attempts[1].transitions[6].detail, 0xFFFFFFFF);
    /* And where there is no attempt at all. */
    record.attempt_count = 0;
    serin_record_encode(&record, payload);
    ck_assert_int_eq(serin_record_decode(payload, &back), SERIN_OK);
    ck_assert_mem_eq(back.tried, record.tried, sizeof(back.tried));
}
END_TEST

START_TEST(a_record_of_nonsense_is_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 2},
                 {2, 8},
                 {3, 3},
                 {996, 1},
                 {1011, 1},
                 {104 + 51, 0},
                 {104 + 51, 9},
                 {104 + 64, 0},
                 {104 + 64, SERIN_STATE_COUNT},
                 {104 + 64, SERIN_STATE_TRIAL},
                 {104 + 65, SERIN_REASON_COUNT}};
    struct serin_agent_record record = full_record(), back;
    uint8_t payload[SERIN_RECORD_PAYLOAD_SIZE];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        serin_record_encode(&record, payload);
        payload[wrong[i].at] = wrong[i].value;
        ck_assert_msg(serin_record_decode(payload, &back) == SERIN_ERR_FORMAT, "case %zu", i);
    }
    record.incarnation = 0;
    serin_record_encode(&record, payload);
    ck_assert_int_eq(serin_record_decode(payload, &back), SERIN_ERR_FORMAT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_state_and_event,           every_way_that_the_states_allow_is_in_the_table,
        the_record_survives_encoding,    a_record_of_an_older_agent_is_read,
        a_record_of_nonsense_is_refused, NULL};
    return check_run("agent_table", tests);
}

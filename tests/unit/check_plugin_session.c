/* Sessions: every state × event, takeovers, full tables, and buckets. */
#include "check_main.h"

#include <serin/plugin/session.h>

#include <stdio.h>
#include <string.h>

#define CAPACITY 8u
static struct serin_sessions sessions;
static struct serin_session slots[CAPACITY];
static uint32_t heads[CAPACITY];
static int here, there;

static void fresh(void)
{
    memset(slots, 0xA5, sizeof slots); /* their content must not matter */
    serin_sessions_init(&sessions, slots, heads, CAPACITY);
}

static uint32_t join(const char *id, const void *connection)
{
    uint32_t index = SERIN_SESSION_NONE;
    ck_assert_int_eq(serin_sessions_join(&sessions, id, SERIN_ROLE_DEVICE, connection, &index),
                     SERIN_OK);
    ck_assert_str_eq(slots[index].id, id);
    return index;
}

START_TEST(test_every_state_and_event)
{
    static const int expected[SERIN_SESSION_STATE_COUNT][SERIN_SESSION_EVENT_COUNT] = {
        /* JOIN ANNOUNCE DROP KEEP EVICT; -1: not listed */
        {SERIN_SESSION_JOINED, -1, -1, -1, -1},
        {SERIN_SESSION_JOINED, SERIN_SESSION_ONLINE, SERIN_SESSION_ABSENT, SERIN_SESSION_KEPT, -1},
        {SERIN_SESSION_ONLINE, SERIN_SESSION_ONLINE, SERIN_SESSION_ABSENT, SERIN_SESSION_KEPT, -1},
        {SERIN_SESSION_JOINED, -1, -1, -1, SERIN_SESSION_ABSENT},
    };
    for (int state = 0; state < SERIN_SESSION_STATE_COUNT; state++) {
        for (int event = 0; event < SERIN_SESSION_EVENT_COUNT; event++) {
            struct serin_session_step step = serin_session_table((enum serin_session_state)state,
                                                                 (enum serin_session_event)event);
            ck_assert_msg(step.listed == (expected[state][event] >= 0), "%d × %d", state, event);
            ck_assert_int_eq((int)step.next, step.listed ? expected[state][event] : 0);
        }
    }
}
END_TEST

START_TEST(test_presence_is_told_once)
{
    fresh();
    uint32_t index = join("a", &here);
    ck_assert(serin_sessions_connected(&sessions, "a"));
    ck_assert(serin_sessions_announce(&sessions, index));
    ck_assert(!serin_sessions_announce(&sessions, index));
    ck_assert(serin_sessions_leave(&sessions, "a", &here, false));
    ck_assert(!serin_sessions_leave(&sessions, "a", &here, false));
    ck_assert(!serin_sessions_connected(&sessions, "a"));
    ck_assert_uint_eq(serin_sessions_find(&sessions, "a"), SERIN_SESSION_NONE);

    join("b", &here);
    ck_assert(!serin_sessions_leave(&sessions, "b", &here, false)); /* nothing was told of it */
}
END_TEST

/* Both orders of a takeover end with the new connection online, and with one word about it. */
START_TEST(test_takeover)
{
    fresh();
    serin_sessions_announce(&sessions, join("a", &here));
    uint32_t index = join("a", &there);
    ck_assert(!serin_sessions_announce(&sessions, index)); /* it never was away */
    ck_assert(!serin_sessions_leave(&sessions, "a", &here, false));
    ck_assert(serin_sessions_connected(&sessions, "a"));
    ck_assert_ptr_eq(slots[index].connection, &there);

    ck_assert(serin_sessions_leave(&sessions, "a", &there, false));
    serin_sessions_announce(&sessions, join("a", &here));
    ck_assert(serin_sessions_leave(&sessions, "a", &here, false));
    ck_assert(serin_sessions_announce(&sessions, join("a", &there)));
    ck_assert(serin_sessions_connected(&sessions, "a"));
    ck_assert_uint_eq(sessions.used, 1);
}
END_TEST

START_TEST(test_kept_sessions_give_way)
{
    fresh();
    char id[8];
    for (unsigned i = 0; i < CAPACITY; i++) {
        snprintf(id, sizeof id, "d%u", i);
        serin_sessions_announce(&sessions, join(id, &here));
    }
    uint32_t index;
    ck_assert_int_eq(serin_sessions_join(&sessions, "x", SERIN_ROLE_DEVICE, &here, &index),
                     SERIN_ERR_NO_SPACE);
    ck_assert(serin_sessions_leave(&sessions, "d3", &here, true));
    ck_assert_uint_ne(serin_sessions_find(&sessions, "d3"), SERIN_SESSION_NONE);
    ck_assert(!serin_sessions_connected(&sessions, "d3"));
    join("x", &here);
    ck_assert_uint_eq(serin_sessions_find(&sessions, "d3"), SERIN_SESSION_NONE);
    for (unsigned i = 0; i < CAPACITY; i++) {
        snprintf(id, sizeof id, "d%u", i);
        ck_assert_int_eq(serin_sessions_connected(&sessions, id), i != 3);
    }
    /* A kept one that comes back is joined anew, and its presence told again. */
    ck_assert(serin_sessions_leave(&sessions, "d4", &here, true));
    ck_assert(serin_sessions_announce(&sessions, join("d4", &there)));
}
END_TEST

START_TEST(test_a_window_must_be_released_first)
{
    fresh();
    uint32_t index = join("a", &here);
    slots[index].credit.token = 1;
    ck_assert_int_eq(serin_sessions_join(&sessions, "a", SERIN_ROLE_DEVICE, &there, &index),
                     SERIN_ERR_STATE);
}
END_TEST

/* Ten thousand random joins and leaves against a plain list of the truth. */
START_TEST(test_random_life)
{
    fresh();
    bool truth[16] = {false};
    uint32_t seed = 7;
    for (unsigned round = 0; round < 10000; round++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned who = (seed >> 16) % 16;
        char id[8];
        snprintf(id, sizeof id, "d%u", who);
        unsigned count = 0;
        for (unsigned i = 0; i < 16; i++) {
            count += truth[i];
        }
        if (truth[who]) {
            (void)serin_sessions_leave(&sessions, id, &here, false);
            truth[who] = false;
        } else {
            uint32_t index;
            enum serin_error error =
                serin_sessions_join(&sessions, id, SERIN_ROLE_DEVICE, &here, &index);
            ck_assert_int_eq(error, count < CAPACITY ? SERIN_OK : SERIN_ERR_NO_SPACE);
            truth[who] = error == SERIN_OK;
        }
        for (unsigned i = 0; i < 16; i++) {
            snprintf(id, sizeof id, "d%u", i);
            ck_assert_int_eq(serin_sessions_connected(&sessions, id), truth[i]);
        }
    }
}
END_TEST

START_TEST(test_bucket)
{
    struct serin_bucket bucket = {0};
    for (int i = 0; i < 10; i++) {
        ck_assert(serin_bucket_take(&bucket, 5, 10, 1000));
    }
    ck_assert(!serin_bucket_take(&bucket, 5, 10, 1000));
    ck_assert(!serin_bucket_take(&bucket, 5, 10, 1199));
    ck_assert(serin_bucket_take(&bucket, 5, 10, 1200));
    ck_assert(!serin_bucket_take(&bucket, 5, 10, 1100)); /* the clock ran backwards */
    int taken = 0;
    while (serin_bucket_take(&bucket, 5, 10, UINT64_MAX)) {
        taken++;
    }
    ck_assert_int_eq(taken, 10);
    struct serin_bucket large = {0};
    ck_assert(serin_bucket_take(&large, 100000, 200000, 0));
    ck_assert(serin_bucket_take(&large, 100000, 200000, UINT64_MAX));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_every_state_and_event,
                                  test_presence_is_told_once,
                                  test_takeover,
                                  test_kept_sessions_give_way,
                                  test_a_window_must_be_released_first,
                                  test_random_life,
                                  test_bucket,
                                  NULL};
    return check_run("plugin_session", tests);
}

/* Sessions: every state × event, takeovers, full tables, and buckets. */
#include "check_main.h"

#include <serin/plugin/session.h>

#include <stdio.h>
#include <string.h>

#define CAPACITY 8u
static struct serin_sessions sessions;
#define GATEWAYS 2u
#define SERINDS  1u
#define PLACES   (CAPACITY + GATEWAYS + SERINDS)
static struct serin_session slots[PLACES];
static uint32_t heads[PLACES];
static int here, there;

static void fresh(void)
{
    memset(slots, 0xA5, sizeof slots); /* their content must not matter */
    const struct serin_session_places places = {
        .any = CAPACITY, .gateway = GATEWAYS, .serind = SERINDS};
    serin_sessions_init(&sessions, slots, heads, &places);
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

static enum serin_error join_as(enum serin_role role, const char *prefix, unsigned number)
{
    char id[16];
    uint32_t index;
    snprintf(id, sizeof id, "%s%u", prefix, number);
    return serin_sessions_join(&sessions, id, role, &here, &index);
}

/* As many as get in, of ids that start with the prefix. */
static unsigned fill(enum serin_role role, const char *prefix)
{
    unsigned count = 0;
    while (join_as(role, prefix, count) == SERIN_OK) {
        ck_assert_uint_lt(++count, PLACES + 1);
    }
    return count;
}

START_TEST(test_devices_and_gateways_leave_room_for_serind)
{
    fresh();
    ck_assert_uint_eq(fill(SERIN_ROLE_DEVICE, "d"), CAPACITY);
    ck_assert_uint_eq(fill(SERIN_ROLE_GATEWAY, "g"), GATEWAYS);
    ck_assert_uint_eq(fill(SERIN_ROLE_SERIND, "s"), SERINDS);
    ck_assert_uint_eq(sessions.used, PLACES);

    fresh(); /* gateways may use the places of all, but serind's stays, whoever asks for it */
    ck_assert_uint_eq(fill(SERIN_ROLE_GATEWAY, "g"), CAPACITY + GATEWAYS);
    ck_assert_uint_eq(fill(SERIN_ROLE_DEVICE, "d"), 0);
    ck_assert_uint_eq(fill(SERIN_ROLE_SERIND, "s"), SERINDS);

    fresh();
    ck_assert_uint_eq(fill(SERIN_ROLE_SERIND, "s"), PLACES);
    ck_assert_uint_eq(fill(SERIN_ROLE_DEVICE, "d") + fill(SERIN_ROLE_GATEWAY, "g"), 0);
}
END_TEST

/* At a site there is one gateway and no serind: its place is its own whatever the devices do. */
START_TEST(test_a_sites_gateway_always_gets_in)
{
    const struct serin_session_places places = {.any = CAPACITY, .gateway = 1};
    serin_sessions_init(&sessions, slots, heads, &places);
    ck_assert_uint_eq(fill(SERIN_ROLE_DEVICE, "d"), CAPACITY);
    ck_assert_int_eq(join_as(SERIN_ROLE_GATEWAY, "g", 0), SERIN_OK);
    for (int round = 0; round < 3; round++) {
        (void)serin_sessions_leave(&sessions, "g0", &here, round % 2 != 0);
        ck_assert_uint_eq(fill(SERIN_ROLE_DEVICE, "e"), 0);
        ck_assert_int_eq(join_as(SERIN_ROLE_GATEWAY, "g", 0), SERIN_OK);
    }
    /* A device that bears its name does not take it away. */
    serin_sessions_init(&sessions, slots, heads, &places);
    ck_assert_int_eq(join_as(SERIN_ROLE_DEVICE, "g", 0), SERIN_OK);
    ck_assert_uint_eq(fill(SERIN_ROLE_DEVICE, "d"), CAPACITY - 1);
    ck_assert_int_eq(join_as(SERIN_ROLE_GATEWAY, "g", 0), SERIN_OK);
}
END_TEST

/* serind's place is still serind's while it reconnects; a device takes no kept place but a
 * device's.
 */
START_TEST(test_kept_places_stay_with_their_role)
{
    fresh();
    (void)fill(SERIN_ROLE_DEVICE, "d");
    (void)fill(SERIN_ROLE_GATEWAY, "g");
    (void)fill(SERIN_ROLE_SERIND, "s");
    (void)serin_sessions_leave(&sessions, "s0", &here, true);
    (void)serin_sessions_leave(&sessions, "g0", &here, true);
    ck_assert_int_eq(join_as(SERIN_ROLE_DEVICE, "x", 0), SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(join_as(SERIN_ROLE_GATEWAY, "h", 0), SERIN_OK);
    ck_assert_int_eq(join_as(SERIN_ROLE_GATEWAY, "h", 1), SERIN_ERR_NO_SPACE);
    ck_assert_uint_eq(serin_sessions_find(&sessions, "g0"), SERIN_SESSION_NONE);
    ck_assert_uint_ne(serin_sessions_find(&sessions, "s0"), SERIN_SESSION_NONE);
    ck_assert_int_eq(join_as(SERIN_ROLE_SERIND, "s", 0), SERIN_OK);
    /* Another serind takes the kept place of a device rather than none. */
    ck_assert_int_eq(join_as(SERIN_ROLE_SERIND, "t", 0), SERIN_ERR_NO_SPACE);
    (void)serin_sessions_leave(&sessions, "d0", &here, true);
    ck_assert_int_eq(join_as(SERIN_ROLE_SERIND, "t", 0), SERIN_OK);
    ck_assert_uint_eq(serin_sessions_find(&sessions, "d0"), SERIN_SESSION_NONE);
    ck_assert_uint_eq(sessions.used, PLACES);
}
END_TEST

/* An id whose certificate has another role now counts for that, and cannot carry a place over. */
START_TEST(test_a_role_that_changes)
{
    fresh();
    ck_assert_int_eq(join_as(SERIN_ROLE_SERIND, "a", 0), SERIN_OK);
    ck_assert_uint_eq(fill(SERIN_ROLE_DEVICE, "d"), CAPACITY);
    ck_assert_int_eq(join_as(SERIN_ROLE_DEVICE, "a", 0), SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(join_as(SERIN_ROLE_GATEWAY, "a", 0), SERIN_OK);
    ck_assert_int_eq(join_as(SERIN_ROLE_SERIND, "d", 0), SERIN_OK);
    ck_assert_int_eq(join_as(SERIN_ROLE_DEVICE, "a", 0), SERIN_OK);
    ck_assert_uint_eq(fill(SERIN_ROLE_GATEWAY, "g"), GATEWAYS);
    (void)serin_sessions_leave(&sessions, "d0", &here, true);
    (void)serin_sessions_leave(&sessions, "a0", &here, true);
    ck_assert_int_eq(join_as(SERIN_ROLE_SERIND, "a", 0), SERIN_OK); /* with its own place */
    ck_assert_int_eq(join_as(SERIN_ROLE_DEVICE, "a", 0), SERIN_OK);
    ck_assert_uint_eq(fill(SERIN_ROLE_SERIND, "s"), SERINDS);
    ck_assert_uint_eq(serin_sessions_find(&sessions, "d0"), SERIN_SESSION_NONE);
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
                                  test_devices_and_gateways_leave_room_for_serind,
                                  test_a_sites_gateway_always_gets_in,
                                  test_kept_places_stay_with_their_role,
                                  test_a_role_that_changes,
                                  test_a_window_must_be_released_first,
                                  test_random_life,
                                  test_bucket,
                                  NULL};
    return check_run("plugin_session", tests);
}

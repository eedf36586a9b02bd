/*
 * The index of known devices, against a plain count: every id is found again as the tables grow,
 * limits hold.
 */
#include "check_main.h"

#include "fleet_index.h"

#include <stdio.h>
#include <string.h>

static void name(uint32_t i, char id[SERIN_ID_MAX + 1])
{
    (void)snprintf(id, SERIN_ID_MAX + 1, "sensor-%u", i * 2654435761u);
}

START_TEST(every_device_is_found_again)
{
    struct serind_index index;
    char id[SERIN_ID_MAX + 1];
    uint32_t number = 0;
    serind_index_init(&index, 100000);
    ck_assert_uint_eq(serind_index_find(&index, "nobody"), SERIND_NO_DEVICE);
    for (uint32_t i = 0; i < 20000; i++) {
        name(i, id);
        ck_assert_int_eq(serind_index_add(&index, id, &number), SERIN_OK);
        ck_assert_uint_eq(number, i);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        name(i, id);
        ck_assert_uint_eq(serind_index_find(&index, id), i);
        ck_assert_int_eq(serind_index_add(&index, id, &number), SERIN_OK);
        ck_assert_uint_eq(number, i);
        ck_assert_str_eq(index.list[i].id, id);
    }
    ck_assert_uint_eq(index.count, 20000);
    ck_assert_uint_eq(serind_index_find(&index, "nobody"), SERIND_NO_DEVICE);
    serind_index_free(&index);
}
END_TEST

START_TEST(the_limit_holds)
{
    struct serind_index index;
    uint32_t number = 0;
    serind_index_init(&index, 2);
    ck_assert_int_eq(serind_index_add(&index, "a", &number), SERIN_OK);
    ck_assert_int_eq(serind_index_add(&index, "b", &number), SERIN_OK);
    ck_assert_int_eq(serind_index_add(&index, "c", &number), SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(serind_index_add(&index, "a", &number), SERIN_OK);
    ck_assert_uint_eq(index.count, 2);
    serind_index_free(&index);
}
END_TEST

START_TEST(who_is_online_is_kept)
{
    struct serind_index index;
    uint32_t number = 0;
    serind_index_init(&index, 2);
    ck_assert_int_eq(serind_index_add(&index, "a", &number), SERIN_OK);
    ck_assert(!index.list[number].online);
    serind_index_online(&index, number, true);
    ck_assert(index.list[number].online);
    serind_index_online(&index, number, false);
    ck_assert(!index.list[number].online);
    serind_index_free(&index);
}
END_TEST

START_TEST(a_talkative_device_is_held_back_for_a_minute)
{
    struct serind_index index;
    uint32_t number = 0;
    serind_index_init(&index, 2);
    ck_assert_int_eq(serind_index_add(&index, "a", &number), SERIN_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert(serind_index_allow(&index, number, 0, 60000, 3));
    }
    ck_assert(!serind_index_allow(&index, number, 0, 119999, 3));
    ck_assert(serind_index_allow(&index, number, 1, 119999, 3)); /* beats are counted apart */
    ck_assert(serind_index_allow(&index, number, 0, 120000, 3));
    serind_index_free(&index);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        every_device_is_found_again,
        the_limit_holds,
        who_is_online_is_kept,
        a_talkative_device_is_held_back_for_a_minute,
        NULL,
    };
    return check_run("fleet_index", list);
}

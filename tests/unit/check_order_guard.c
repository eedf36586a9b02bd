/* The order guard: epochs before sequences, and three verdicts that fit each other. */
#include "check_main.h"

#include <serin/directive.h>
#include <serin/order_guard.h>

static const struct serin_order ascending[] = {{0, 0}, {0, 1},          {0, UINT32_MAX},
                                               {1, 0}, {1, 1},          {1, UINT32_MAX},
                                               {2, 1}, {UINT32_MAX, 0}, {UINT32_MAX, UINT32_MAX}};
#define COUNT ((int)(sizeof ascending / sizeof ascending[0]))

START_TEST(orders_compare_epoch_first)
{
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            int order = serin_order_compare(ascending[i], ascending[j]);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}
END_TEST

START_TEST(only_higher_orders_are_newer)
{
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            enum serin_order_verdict expected = i < j    ? SERIN_ORDER_NEWER
                                                : i == j ? SERIN_ORDER_SAME
                                                         : SERIN_ORDER_OLDER;
            ck_assert_int_eq(serin_order_judge(ascending[i], ascending[j]), expected);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {orders_compare_epoch_first, only_higher_orders_are_newer, NULL};
    return check_run("order_guard", tests);
}

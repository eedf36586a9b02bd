/* Firmware versions: their order, their text, and nothing that only looks like one. */
#include "check_main.h"

#include <serin/manifest.h>

#include <string.h>

START_TEST(order_is_major_minor_patch)
{
    const struct serin_version ascending[] = {
        {0, 0, 0}, {0, 0, 1}, {0, 0, 65535}, {0, 1, 0},     {0, 65535, 65535},
        {1, 0, 0}, {1, 2, 3}, {1, 10, 0},    {2, 0, 65535}, {65535, 65535, 65535}};
    const int count = sizeof ascending / sizeof ascending[0];
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            int order = serin_version_compare(ascending[i], ascending[j]);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}
END_TEST

START_TEST(text_goes_both_ways)
{
    const char *const good[] = {"0.0.0", "1.2.3", "10.20.30", "65535.65535.65535", "0.65535.7"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct serin_version version;
        char text[SERIN_VERSION_TEXT_SIZE];
        ck_assert_int_eq(serin_version_parse(good[i], &version), SERIN_OK);
        serin_version_format(version, text);
        ck_assert_str_eq(text, good[i]);
    }
}
END_TEST

START_TEST(anything_else_is_refused)
{
    const char *const wrong[] = {"",
                                 "1",
                                 "1.2",
                                 "1.2.",
                                 ".1.2",
                                 "1..2",
                                 "1.2.3.",
                                 "1.2.3.4",
                                 "v1.2.3",
                                 "1.2.3-rc1",
                                 " 1.2.3",
                                 "1.2.3 ",
                                 "01.2.3",
                                 "1.02.3",
                                 "1.2.03",
                                 "00.0.0",
                                 "09.0.0",
                                 "65536.0.0",
                                 "0.65536.0",
                                 "0.0.65536",
                                 "-1.0.0",
                                 "+1.0.0",
                                 "0x1.0.0",
                                 "1,2,3",
                                 "4294967297.0.0",
                                 "18446744073709551617.0.0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct serin_version version;
        ck_assert_msg(serin_version_parse(wrong[i], &version) == SERIN_ERR_FORMAT, "\"%s\"",
                      wrong[i]);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {order_is_major_minor_patch, text_goes_both_ways,
                                  anything_else_is_refused, NULL};
    return check_run("version", tests);
}

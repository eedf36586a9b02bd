/* Errors: each has a name and a sentence of its own, and what is outside the enum is still
 * printable. */
#include "check_main.h"

#include <serin/error.h>

#include <string.h>

START_TEST(every_error_has_its_own_words)
{
    for (int i = 0; i < SERIN_ERROR_COUNT; i++) {
        const char *name = serin_error_name((enum serin_error)i);
        const char *text = serin_error_text((enum serin_error)i);
        ck_assert_str_ne(name, "UNKNOWN");
        ck_assert_str_ne(text, "unknown error");
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(name, serin_error_name((enum serin_error)j));
            ck_assert_str_ne(text, serin_error_text((enum serin_error)j));
        }
    }
}
END_TEST

START_TEST(zero_is_success)
{
    ck_assert_int_eq(SERIN_OK, 0);
    ck_assert_str_eq(serin_error_name(SERIN_OK), "OK");
    ck_assert_str_eq(serin_error_name(SERIN_ERR_SIGNATURE), "SIGNATURE");
}
END_TEST

START_TEST(outside_the_enum_is_unknown)
{
    ck_assert_str_eq(serin_error_text(SERIN_ERROR_COUNT), "unknown error");
    ck_assert_str_eq(serin_error_text((enum serin_error) - 1), "unknown error");
    ck_assert_str_eq(serin_error_name((enum serin_error)100000), "UNKNOWN");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_error_has_its_own_words, zero_is_success,
                                  outside_the_enum_is_unknown, NULL};
    return check_run("error", tests);
}

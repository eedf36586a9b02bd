/* Names on the wire: every byte value, both lengths, and the roles of certificates. */
#include "check_main.h"

#include <serin/id.h>

#include <string.h>

START_TEST(the_alphabet_is_exact)
{
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool expected = c != 0 && strchr(allowed, c) != NULL;
        ck_assert_msg(serin_id_valid(text, 3) == expected, "byte %d", c);
        ck_assert_int_eq(serin_product_valid(text, 3), expected);
        ck_assert_int_eq(serin_channel_valid(text, 3), expected);
    }
}
END_TEST

START_TEST(lengths_are_bounded)
{
    char text[66];
    memset(text, 'a', sizeof text);
    for (size_t size = 0; size <= sizeof text; size++) {
        ck_assert_int_eq(serin_id_valid(text, size), size >= 1 && size <= 64);
        ck_assert_int_eq(serin_product_valid(text, size), size >= 1 && size <= 32);
        ck_assert_int_eq(serin_channel_valid(text, size), size >= 1 && size <= 32);
    }
}
END_TEST

START_TEST(roles_come_from_the_certificate)
{
    ck_assert_int_eq(serin_role_from_text(NULL), SERIN_ROLE_DEVICE);
    ck_assert_int_eq(serin_role_from_text(""), SERIN_ROLE_DEVICE);
    for (int role = SERIN_ROLE_DEVICE; role <= SERIN_ROLE_SERIND; role++) {
        const char *text = serin_role_text((enum serin_role)role);
        ck_assert_int_eq(serin_role_from_text(text), role);
    }
    const char *const wrong[] = {"invalid", "Serind", "serind ", "dev", "root", "serind2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(serin_role_from_text(wrong[i]), SERIN_ROLE_INVALID);
    }
    ck_assert_str_eq(serin_role_text((enum serin_role)99), "invalid");
    ck_assert_str_eq(serin_role_text((enum serin_role)(SERIN_ROLE_SERIND + 1)), "invalid");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_alphabet_is_exact, lengths_are_bounded,
                                  roles_come_from_the_certificate, NULL};
    return check_run("id", tests);
}

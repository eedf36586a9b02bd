/* "Did you mean …?": what is a slip, and what is another word. */
#include "check_main.h"

#include <serin/nearest.h>

#include <limits.h>
#include <string.h>

static const char *const words[] = {
    "soak", "stages", "windows", "max-devices", "a", "a-word-that-is-longer-than-any-key-is"};

static const char *near(const char *word)
{
    return serin_nearest_word(word, words, sizeof(words) / sizeof(words[0]));
}

START_TEST(a_slip_is_near)
{
    static const char *const slips[][2] = {
        {"soak", "soak"},
        {"sook", "soak"},
        {"soa", "soak"},
        {"soaks", "soak"},
        {"saok", "soak"},
        {"stage", "stages"},
        {"stgaes", "stages"},
        {"widnwos", "windows"},
        {"maxdevices", "max-devices"},
        {"max_devices", "max-devices"},
        {"mxa-devcies", "max-devices"},
    };
    for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
        const char *found = near(slips[i][0]);
        ck_assert_msg(found != NULL && strcmp(found, slips[i][1]) == 0, "'%s' is near '%s'",
                      slips[i][0], found != NULL ? found : "nothing");
    }
}
END_TEST

START_TEST(another_word_is_not)
{
    static const char *const others[] = {
        "",        "gates", "xy", "window-of-opportunity", "a-word-that-is-longer-than-any-key-i",
        "zzzzzzzz"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const char *found = near(others[i]);
        ck_assert_msg(found == NULL || (i == 1 && strcmp(found, "stages") == 0),
                      "'%s' is near '%s'", others[i], found != NULL ? found : "");
    }
    ck_assert_ptr_null(serin_nearest_word("soak", words, 0));
}
END_TEST

START_TEST(of_two_the_nearer_and_of_equals_the_first)
{
    static const char *const two[] = {"hold", "hood", "held"};
    ck_assert_str_eq(serin_nearest_word("hood", two, 3), "hood");
    ck_assert_str_eq(serin_nearest_word("hald", two, 3), "hold");
    ck_assert_uint_eq(serin_nearest_edits("hald", "hold"), 1);
    ck_assert_uint_eq(serin_nearest_edits("hlod", "hold"), 1);
    ck_assert_uint_eq(serin_nearest_edits("revert", "retry"), 3);
    ck_assert_uint_eq(serin_nearest_edits("a-word-that-is-longer-than-any-key", "hold"), UINT_MAX);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_slip_is_near, another_word_is_not,
                                  of_two_the_nearer_and_of_equals_the_first, NULL};
    return check_run("nearest", tests);
}

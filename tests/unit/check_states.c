/* States and reasons: frozen numbers, words, and every pair of states against the specification's
 * table. */
#include "check_main.h"

#include <serin/states.h>

#include <string.h>

/* docs/spec/states.md, section 3, written down a second time: what follows each state, in words. */
static const struct {
    const char *from;
    const char *next; /* separated and enclosed by spaces */
} table[] = {
    {"idle", " pending "},
    {"pending", " downloading failed rejected superseded cancelled "},
    {"downloading", " verifying failed rejected superseded cancelled "},
    {"verifying", " staged failed rejected superseded cancelled "},
    {"staged", " trial failed rejected superseded cancelled "},
    {"trial", " confirmed rolled_back "},
    {"confirmed", " regressed "},
};

static bool listed(const char *from, const char *to)
{
    char padded[32] = " ";
    strcat(strcat(padded, to), " ");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].from, from) == 0) {
            return strstr(table[i].next, padded) != NULL;
        }
    }
    return false;
}

START_TEST(every_pair_follows_the_table)
{
    for (int from = -1; from <= SERIN_STATE_COUNT + 40; from++) {
        for (int to = -1; to <= SERIN_STATE_COUNT + 40; to++) {
            bool expected = listed(serin_state_text((enum serin_state)from),
                                   serin_state_text((enum serin_state)to));
            ck_assert_msg(serin_state_allows((enum serin_state)from, (enum serin_state)to) ==
                              expected,
                          "%d to %d", from, to);
        }
    }
}
END_TEST

START_TEST(six_states_are_final)
{
    const char *final = " confirmed rolled_back failed rejected superseded cancelled ";
    for (int state = -1; state <= SERIN_STATE_COUNT + 40; state++) {
        char padded[32] = " ";
        strcat(strcat(padded, serin_state_text((enum serin_state)state)), " ");
        ck_assert_int_eq(serin_state_final((enum serin_state)state), strstr(final, padded) != NULL);
    }
}
END_TEST

START_TEST(numbers_are_frozen)
{
    const char *const states[] = {
        "invalid",   "idle",      "pending",     "downloading", "verifying", "staged",
        "trial",     "confirmed", "rolled_back", "failed",      "rejected",  "superseded",
        "cancelled", "unreached", "timed_out",   "regressed",   "reverted"};
    ck_assert_uint_eq(sizeof states / sizeof states[0], SERIN_STATE_COUNT);
    for (int i = 0; i < SERIN_STATE_COUNT; i++) {
        ck_assert_str_eq(serin_state_text((enum serin_state)i), states[i]);
    }
    const char *const reasons[] = {
        "invalid",   "none",          "signature",   "key",         "format",
        "feature",   "product",       "channel",     "hardware",    "counter",
        "too_large", "bootloader",    "not_newer",   "unavailable", "download",
        "crc",       "digest",        "piece_table", "flash",       "crash",
        "watchdog",  "not_confirmed", "boot_verify", "halted",      "newer_directive",
        "withdrawn", "health",        "other_image", "deadline",    "internal",
        "power",     "delta",         "site",        "lease"};
    ck_assert_uint_eq(sizeof reasons / sizeof reasons[0], SERIN_REASON_COUNT);
    for (int i = 0; i < SERIN_REASON_COUNT; i++) {
        ck_assert_str_eq(serin_reason_word((enum serin_reason)i), reasons[i]);
        ck_assert_uint_gt(strlen(serin_reason_text((enum serin_reason)i)), 0);
    }
}
END_TEST

START_TEST(numbers_outside_are_printable)
{
    const int outside[] = {-1, SERIN_STATE_COUNT, SERIN_REASON_COUNT, 1 << 30};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        if (outside[i] != SERIN_STATE_COUNT) {
            ck_assert_str_eq(serin_reason_word((enum serin_reason)outside[i]), "invalid");
        }
        ck_assert_str_eq(serin_state_text((enum serin_state)outside[i]), "invalid");
        ck_assert_ptr_nonnull(serin_reason_text((enum serin_reason)outside[i]));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_pair_follows_the_table, six_states_are_final,
                                  numbers_are_frozen, numbers_outside_are_printable, NULL};
    return check_run("states", tests);
}

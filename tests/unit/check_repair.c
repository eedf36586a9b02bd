/*
 * Orders and repair: every pair of what is held and what is seen, the bounds of unsigned claims,
 * the ends of the order space, what a restored store learns from a newer directive.
 */
#include "check_main.h"

#include <serin/orchestrator/repair.h>

#include <string.h>

#define KEEP    SERIN_REPAIR_KEEP
#define PUBLISH SERIN_REPAIR_PUBLISH
#define REISSUE SERIN_REPAIR_REISSUE
#define EPOCH   SERIN_REPAIR_NEW_EPOCH

START_TEST(every_pair_has_its_repair)
{
    static const enum serin_repair expected[2][SERIN_SIGHT_COUNT] = {
        /* nothing, same, older, fork, newer, foreign */
        {KEEP, KEEP, REISSUE, REISSUE, EPOCH, KEEP},
        {PUBLISH, KEEP, PUBLISH, EPOCH, EPOCH, PUBLISH},
    };
    for (int held = 0; held < 2; held++) {
        for (int sight = 0; sight < SERIN_SIGHT_COUNT; sight++) {
            ck_assert_int_eq(serin_repair_decide(held, (enum serin_sight)sight),
                             expected[held][sight]);
        }
    }
}
END_TEST

static const uint8_t ours[] = {1, 2, 3};
static const uint8_t theirs[] = {1, 2, 4};

static enum serin_sight look(bool held, const uint8_t *payload, size_t size, bool verified,
                             uint32_t epoch, uint32_t sequence)
{
    const struct serin_repair_own own = {
        .held = held,
        .payload = held ? ours : NULL,
        .payload_size = held ? sizeof ours : 0,
        .order = {2, 10},
    };
    return serin_repair_look(&own, payload, size, verified, (struct serin_order){epoch, sequence});
}

START_TEST(looking_compares_bytes_then_orders)
{
    ck_assert_int_eq(look(true, NULL, 0, false, 0, 0), SERIN_SIGHT_NOTHING);
    ck_assert_int_eq(look(true, ours, sizeof ours, true, 2, 10), SERIN_SIGHT_SAME);
    /* The same bytes are the same, whether or not the trust record still verifies them. */
    ck_assert_int_eq(look(true, ours, sizeof ours, false, 0, 0), SERIN_SIGHT_SAME);
    ck_assert_int_eq(look(true, theirs, sizeof theirs, true, 2, 9), SERIN_SIGHT_OLDER);
    ck_assert_int_eq(look(true, theirs, sizeof theirs, true, 1, 999), SERIN_SIGHT_OLDER);
    ck_assert_int_eq(look(true, theirs, sizeof theirs, true, 2, 10), SERIN_SIGHT_FORK);
    ck_assert_int_eq(look(true, theirs, sizeof theirs, true, 2, 11), SERIN_SIGHT_NEWER);
    ck_assert_int_eq(look(true, theirs, sizeof theirs, true, 3, 1), SERIN_SIGHT_NEWER);
    /* An order that nobody signed means nothing. */
    ck_assert_int_eq(look(true, theirs, sizeof theirs, false, 9, 9), SERIN_SIGHT_FOREIGN);
    ck_assert_int_eq(look(true, ours, sizeof ours - 1, true, 2, 10), SERIN_SIGHT_FORK);
    ck_assert_int_eq(look(false, NULL, 0, false, 0, 0), SERIN_SIGHT_NOTHING);
    ck_assert_int_eq(look(false, theirs, sizeof theirs, true, 2, 3), SERIN_SIGHT_OLDER);
    ck_assert_int_eq(look(false, theirs, sizeof theirs, true, 2, 11), SERIN_SIGHT_NEWER);
}
END_TEST

START_TEST(a_beat_can_raise_the_epoch_by_little)
{
    const struct serin_order given_out = {5, 100};
    const struct {
        struct serin_order claimed;
        bool is_signed;
        enum serin_claim claim;
    } claims[] = {
        {{5, 100}, false, SERIN_CLAIM_KNOWN},
        {{5, 99}, false, SERIN_CLAIM_KNOWN},
        {{4, 999999}, true, SERIN_CLAIM_KNOWN},
        {{5, 101}, false, SERIN_CLAIM_HIGHER},
        {{6, 1}, false, SERIN_CLAIM_HIGHER},
        {{5 + SERIN_CLAIM_EPOCHS_MAX, 1}, false, SERIN_CLAIM_HIGHER},
        {{6 + SERIN_CLAIM_EPOCHS_MAX, 1}, false, SERIN_CLAIM_ABSURD},
        {{UINT32_MAX, 1}, false, SERIN_CLAIM_ABSURD},
        {{UINT32_MAX, 1}, true, SERIN_CLAIM_HIGHER},
    };
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        ck_assert_int_eq(serin_claim_judge(given_out, claims[i].claimed, claims[i].is_signed),
                         claims[i].claim);
    }
}
END_TEST

/* One liar, heard as often as claims are granted, for a thousand years. */
START_TEST(a_liar_cannot_use_up_the_epochs)
{
    const uint64_t grants = UINT64_C(1000) * 366 * 24 * 3600 * 1000 / SERIN_CLAIM_REST_MS;
    ck_assert(grants * (SERIN_CLAIM_EPOCHS_MAX + 1) < UINT32_MAX);
}
END_TEST

START_TEST(orders_grow_until_there_are_none)
{
    struct serin_order next;
    ck_assert_int_eq(serin_order_next((struct serin_order){1, 0}, &next), SERIN_OK);
    ck_assert(next.epoch == 1 && next.sequence == 1);
    ck_assert_int_eq(serin_order_next((struct serin_order){1, UINT32_MAX}, &next), SERIN_OK);
    ck_assert(next.epoch == 2 && next.sequence == 1);
    ck_assert_int_eq(serin_order_next((struct serin_order){UINT32_MAX, UINT32_MAX}, &next),
                     SERIN_ERR_NO_SPACE);
}
END_TEST

START_TEST(a_new_epoch_is_above_both)
{
    struct serin_order start;
    ck_assert_int_eq(
        serin_order_new_epoch((struct serin_order){3, 7}, (struct serin_order){5, 2}, &start),
        SERIN_OK);
    ck_assert(start.epoch == 6 && start.sequence == 0);
    ck_assert_int_eq(
        serin_order_new_epoch((struct serin_order){3, 7}, (struct serin_order){0, 0}, &start),
        SERIN_OK);
    ck_assert(start.epoch == 4 && start.sequence == 0);
    ck_assert_int_eq(serin_order_new_epoch((struct serin_order){3, 7},
                                           (struct serin_order){UINT32_MAX, 2}, &start),
                     SERIN_ERR_NO_SPACE);
}
END_TEST

/* A rollout in `state` with threshold 100, and a directive that names it. */
static struct serin_rollout rollout_in(enum serin_rollout_state state)
{
    struct serin_rollout rollout = {
        .id = 1, .attempt = 2, .state = state, .threshold = 100, .salt = {7}};
    rollout.policy.offer_count = 1;
    rollout.policy.offers[0].manifest_id[0] = 9;
    return rollout;
}

static struct serin_directive directive_saying(enum serin_candidate_state state)
{
    struct serin_directive directive = {.candidate_state = state, .threshold = 100, .salt = {7}};
    directive.candidate.attempt = 2;
    directive.candidate.offer_count = 1;
    directive.candidate.offers[0].manifest_id[0] = 9;
    return directive;
}

static bool is_active(enum serin_rollout_state state)
{
    return state == SERIN_ROLLOUT_AWAITING || state == SERIN_ROLLOUT_ROLLING ||
           state == SERIN_ROLLOUT_SOAKING || state == SERIN_ROLLOUT_PAUSED;
}

/* Every state × what the directive says × whether it is newer. */
START_TEST(every_rollout_learns_what_it_was_told)
{
    for (int state = 1; state < SERIN_ROLLOUT_STATE_COUNT; state++) {
        for (int says = SERIN_CANDIDATE_NONE; says <= SERIN_CANDIDATE_HALTED; says++) {
            for (int newer = 0; newer < 2; newer++) {
                struct serin_rollout rollout = rollout_in((enum serin_rollout_state)state);
                struct serin_directive shown = directive_saying((enum serin_candidate_state)says);
                struct serin_lesson lesson = serin_repair_learn(&rollout, &shown, newer);
                bool active = is_active(rollout.state);
                bool pauses = newer && active && state != SERIN_ROLLOUT_PAUSED &&
                              (says == SERIN_CANDIDATE_PAUSED || says == SERIN_CANDIDATE_NONE);
                ck_assert_int_eq(lesson.event, active && says == SERIN_CANDIDATE_HALTED
                                                   ? SERIN_ROLLOUT_HALT
                                               : pauses ? SERIN_ROLLOUT_PAUSE
                                                        : SERIN_ROLLOUT_EVENT_INVALID);
                ck_assert_int_eq(lesson.unknown, active && newer && says == SERIN_CANDIDATE_NONE);
                ck_assert_uint_eq(lesson.threshold, 0);
            }
        }
    }
}
END_TEST

START_TEST(a_threshold_given_out_is_learned)
{
    struct serin_rollout rollout = rollout_in(SERIN_ROLLOUT_SOAKING);
    struct serin_directive shown = directive_saying(SERIN_CANDIDATE_ROLLING);
    shown.threshold = 101;
    struct serin_lesson lesson = serin_repair_learn(&rollout, &shown, false);
    ck_assert_uint_eq(lesson.threshold, 101);
    ck_assert(!serin_lesson_empty(&lesson));
    shown.threshold = 99;
    lesson = serin_repair_learn(&rollout, &shown, true);
    ck_assert(serin_lesson_empty(&lesson));
}
END_TEST

/* Salt, attempt and manifests name a rollout; with one of them another, it is not this one. */
START_TEST(another_rollout_s_halt_is_not_ours)
{
    struct serin_rollout rollout = rollout_in(SERIN_ROLLOUT_ROLLING);
    for (int which = 0; which < 4; which++) {
        struct serin_directive shown = directive_saying(SERIN_CANDIDATE_HALTED);
        shown.threshold = 200;
        if (which == 0) {
            shown.salt[0]++;
        } else if (which == 1) {
            shown.candidate.attempt++;
        } else if (which == 2) {
            shown.candidate.offers[0].manifest_id[0]++;
        } else {
            shown.candidate.offer_count++;
        }
        struct serin_lesson lesson = serin_repair_learn(&rollout, &shown, false);
        ck_assert(serin_lesson_empty(&lesson));
        lesson = serin_repair_learn(&rollout, &shown, true);
        ck_assert_int_eq(lesson.event, SERIN_ROLLOUT_PAUSE);
        ck_assert(lesson.unknown && lesson.threshold == 0);
    }
}
END_TEST

START_TEST(every_sight_has_a_text)
{
    for (int sight = 0; sight < SERIN_SIGHT_COUNT; sight++) {
        ck_assert_uint_gt(strlen(serin_sight_text((enum serin_sight)sight)), 0);
    }
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        every_pair_has_its_repair,
        looking_compares_bytes_then_orders,
        a_beat_can_raise_the_epoch_by_little,
        a_liar_cannot_use_up_the_epochs,
        orders_grow_until_there_are_none,
        a_new_epoch_is_above_both,
        every_rollout_learns_what_it_was_told,
        a_threshold_given_out_is_learned,
        another_rollout_s_halt_is_not_ours,
        every_sight_has_a_text,
        NULL,
    };
    return check_run("repair", list);
}

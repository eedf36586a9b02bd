/*
 * The judges of what devices are told, of what they may commit, and of the pace: for each, a state
 * in which it says nothing, and a fault planted in that state which it names.
 */
#include "check_main.h"
#include "sim_judged.h"

#include <string.h>

#define MINUTE_MS 60000u
#define HOUR_MS   3600000u
#define DAY_MIN   1440u

/* ---- what devices are told ---- */

/* A step that takes the rollout from one state to another without a word. */
static void turn(enum serin_rollout_state from, enum serin_rollout_state to)
{
    rollout.state = from;
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.state = to;
    judged_silent();
}

START_TEST(what_stops_devices_or_lets_them_go_on_is_told)
{
    judged_set_up();
    turn(SERIN_ROLLOUT_ROLLING, SERIN_ROLLOUT_PAUSED); /* before stage 1 nobody was told of it */
    judged_sound();
    rollout.state = SERIN_ROLLOUT_CREATED;
    judged_roll();
    rollout.policy.stages[0].soak_s = 0;
    turn(SERIN_ROLLOUT_ROLLING, SERIN_ROLLOUT_SOAKING);
    turn(SERIN_ROLLOUT_SOAKING, SERIN_ROLLOUT_AWAITING);
    turn(SERIN_ROLLOUT_ROLLING, SERIN_ROLLOUT_SUPERSEDED); /* the one that follows tells */
    judged_sound();
    turn(SERIN_ROLLOUT_ROLLING, SERIN_ROLLOUT_HALTED);
    judged_convicted(SERIN_SIM_TOLD);
    turn(SERIN_ROLLOUT_PAUSED, SERIN_ROLLOUT_HALTED);
    judged_convicted(SERIN_SIM_TOLD);
    turn(SERIN_ROLLOUT_ROLLING, SERIN_ROLLOUT_PAUSED);
    judged_convicted(SERIN_SIM_TOLD);
    turn(SERIN_ROLLOUT_PAUSED, SERIN_ROLLOUT_ROLLING);
    judged_convicted(SERIN_SIM_TOLD);
    turn(SERIN_ROLLOUT_SOAKING, SERIN_ROLLOUT_COMPLETED);
    judged_convicted(SERIN_SIM_TOLD);
    turn(SERIN_ROLLOUT_HALTED, SERIN_ROLLOUT_ABORTED);
    judged_convicted(SERIN_SIM_TOLD);
    rollout.state = SERIN_ROLLOUT_ROLLING;
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.attempt++;
    judged_silent();
    judged_convicted(SERIN_SIM_TOLD);
    judged_before(SERIN_ROLLOUT_TICK);
    list[STAGE - 1].state = SERIN_STATE_UNREACHED;
    rollout.threshold = list[STAGE].rank;
    rollout.tally.offered++;
    judged_silent();
    judged_convicted(SERIN_SIM_TOLD);
    judged_tear_down();
}
END_TEST

START_TEST(a_directive_says_how_the_rollout_stands)
{
    static const enum serin_candidate_state must[SERIN_ROLLOUT_STATE_COUNT] = {
        [SERIN_ROLLOUT_AWAITING] = SERIN_CANDIDATE_ROLLING,
        [SERIN_ROLLOUT_ROLLING] = SERIN_CANDIDATE_ROLLING,
        [SERIN_ROLLOUT_SOAKING] = SERIN_CANDIDATE_ROLLING,
        [SERIN_ROLLOUT_PAUSED] = SERIN_CANDIDATE_PAUSED,
        [SERIN_ROLLOUT_HALTED] = SERIN_CANDIDATE_HALTED,
        [SERIN_ROLLOUT_COMPLETED] = SERIN_CANDIDATE_NONE,
        [SERIN_ROLLOUT_ABORTED] = SERIN_CANDIDATE_NONE,
    };
    judged_set_up();
    judged_roll();
    for (int state = SERIN_ROLLOUT_AWAITING; state <= SERIN_ROLLOUT_ABORTED; state++) {
        rollout.state = (enum serin_rollout_state)state;
        struct serin_directive directive = judged_directive(1);
        directive.stable.offers[0].manifest_id[0] = state == SERIN_ROLLOUT_COMPLETED ? 2 : 1;
        for (int says = SERIN_CANDIDATE_NONE; says <= SERIN_CANDIDATE_HALTED; says++) {
            directive.candidate_state = (enum serin_candidate_state)says;
            sim_check_directive(&world, &directive, &rollout, &members);
            if (directive.candidate_state == must[state]) {
                judged_sound();
            } else {
                judged_convicted(SERIN_SIM_TOLD);
            }
        }
    }
    judged_tear_down();
}
END_TEST

/* Each field of the terms, one at a time. */
START_TEST(a_directive_has_the_terms_of_the_policy)
{
    judged_set_up();
    judged_roll();
    for (int field = 0; field <= 9; field++) {
        struct serin_directive directive = judged_directive(1);
        directive.candidate.attempt += field == 1 ? 1u : 0;
        directive.threshold += field == 2 ? 1u : 0;
        directive.candidate.offers[0].manifest_id[0] += field == 3 ? 1u : 0;
        directive.lease_s *= field == 4 ? 50u : 1u;
        directive.spread_s += field == 5 ? 1u : 0;
        directive.site_failures_max += field == 6 ? 1u : 0;
        directive.flags |= field == 7 ? SERIN_DIRECTIVE_EMERGENCY : 0;
        directive.candidate.flags |= field == 8 ? SERIN_RELEASE_REVERT : 0;
        directive.candidate.offer_count -= field == 9 ? 1u : 0;
        sim_check_directive(&world, &directive, &rollout, &members);
        if (field == 0) {
            judged_sound();
        } else {
            judged_convicted(SERIN_SIM_TOLD);
        }
    }
    judged_tear_down();
}
END_TEST

/* serind could publish since the first minute. */
static void look(uint64_t at_ms)
{
    world.now_ms = at_ms;
    sim_judge_shown(&world, &rollout, MINUTE_MS);
}

START_TEST(what_is_stored_is_published)
{
    judged_set_up();
    judged_roll();
    look(10 * MINUTE_MS); /* nothing was published */
    judged_sound();
    look(11 * MINUTE_MS);
    judged_convicted(SERIN_SIM_TOLD);
    judged_publish(1);
    look(12 * MINUTE_MS);
    look(22 * MINUTE_MS);
    judged_sound();
    rollout.state = SERIN_ROLLOUT_HALTED;
    look(30 * MINUTE_MS);
    look(30 * MINUTE_MS + 8000);
    judged_sound();
    look(30 * MINUTE_MS + 8001);
    judged_convicted(SERIN_SIM_TOLD);
    sim_judge_shown(&world, &rollout, SIM_NEVER_MS); /* it cannot */
    judged_sound();
    look(40 * MINUTE_MS);
    judged_sound(); /* it can again */
    judged_publish(2);
    look(50 * MINUTE_MS);
    judged_sound();
    rollout.threshold++;
    look(60 * MINUTE_MS);
    look(61 * MINUTE_MS);
    judged_convicted(SERIN_SIM_TOLD);
    rollout.threshold--;
    rollout.attempt++;
    look(62 * MINUTE_MS);
    look(63 * MINUTE_MS);
    judged_convicted(SERIN_SIM_TOLD);
    rollout.state = SERIN_ROLLOUT_ABORTED; /* what offers nothing has no attempt */
    look(64 * MINUTE_MS);
    look(65 * MINUTE_MS);
    judged_convicted(SERIN_SIM_TOLD);
    judged_publish(3);
    look(66 * MINUTE_MS);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(a_window_that_closed_is_published)
{
    judged_set_up();
    judged_roll();
    judged_publish(1);
    rollout.policy.window_count = 1; /* until one in the morning */
    rollout.policy.windows[0] = (struct serin_window){.days = 127, .from_min = 0, .until_min = 60};
    look(HOUR_MS - 1);
    look(HOUR_MS);
    judged_sound();
    look(HOUR_MS + MINUTE_MS);
    judged_convicted(SERIN_SIM_TOLD);
    rollout.closed = true;
    judged_publish(2);
    look(HOUR_MS + 2 * MINUTE_MS);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(what_a_gateway_holds_its_site_is_shown)
{
    const struct serin_order older = {1, 4};
    const struct serin_order newer = {1, 5};
    judged_set_up();
    sim_judge_site(&world, 0, newer, newer);
    sim_judge_site(&world, 0, older, newer); /* it came back from an older state */
    world.now_ms = HOUR_MS;
    sim_judge_site(&world, 0, newer, older);
    world.now_ms += 8000;
    sim_judge_site(&world, 0, newer, older);
    judged_sound();
    world.now_ms++;
    sim_judge_site(&world, 0, newer, older);
    judged_convicted(SERIN_SIM_TOLD);
    sim_check_site_link(&world, 0); /* its connection is a new one */
    sim_judge_site(&world, 0, newer, older);
    judged_sound();
    sim_judge_site(&world, 0, newer, newer);
    world.now_ms += HOUR_MS;
    sim_judge_site(&world, 0, newer, older);
    judged_sound();
    world.now_ms += HOUR_MS; /* nobody looked at that, and this one is newer still */
    sim_judge_site(&world, 0, (struct serin_order){2, 1}, newer);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(counters_are_committed_with_the_stable_release)
{
    judged_set_up();
    judged_roll();
    struct serin_directive directive = judged_directive(1);
    directive.candidate.flags |= SERIN_RELEASE_COMMIT;
    sim_check_directive(&world, &directive, &rollout, &members);
    judged_convicted(SERIN_SIM_COMMIT);
    directive = judged_directive(1);
    directive.stable.offers[0].manifest_id[0] = 2;
    sim_check_directive(&world, &directive, &rollout, &members);
    judged_convicted(SERIN_SIM_COMMIT);
    rollout.policy.revert = true; /* it is what devices go back to */
    directive.candidate.flags |= SERIN_RELEASE_REVERT;
    sim_check_directive(&world, &directive, &rollout, &members);
    judged_sound();
    rollout.policy.revert = false;
    judged_publish(2);
    nodes[3].counter = nodes[3].floor = 1;
    sim_check_boot(&world, 3, true);
    judged_convicted(SERIN_SIM_COMMIT);
    rollout.state = SERIN_ROLLOUT_COMPLETED;
    directive = judged_directive(3);
    sim_check_directive(&world, &directive, &rollout, &members);
    judged_convicted(SERIN_SIM_TOLD);
    directive.stable.offers[0].manifest_id[0] = 2;
    sim_check_directive(&world, &directive, &rollout, &members);
    sim_check_publish(&world, directive.order, false);
    sim_check_boot(&world, 3, true);
    judged_sound();
    judged_tear_down();
}
END_TEST

/* ---- the pace ---- */

/* The next stage opens for everyone, in a step for this event. */
static void open_next(enum serin_rollout_event_kind event)
{
    judged_before(event);
    rollout.stage = 2;
    rollout.state = SERIN_ROLLOUT_ROLLING;
    judged_told();
    rollout.stage = 1;
}

static void advance(enum serin_rollout_state state)
{
    rollout.state = state;
    judged_before(SERIN_ROLLOUT_ADVANCE);
    judged_silent();
    judged_sound();
}

START_TEST(a_stage_opens_with_approval_alone)
{
    judged_set_up();
    judged_roll();
    rollout.policy.stages[0].soak_s = 0;
    rollout.policy.stages[1].approval = true;
    rollout.state = SERIN_ROLLOUT_AWAITING;
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    advance(SERIN_ROLLOUT_SOAKING); /* the rest of the soak, and no more */
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    advance(SERIN_ROLLOUT_AWAITING);
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    sim_check_restored(&world, &rollout, &members); /* what was approved stays so */
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    sim_check_created(&world, &rollout, &members); /* another rollout */
    rollout.state = SERIN_ROLLOUT_AWAITING;
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    rollout.state = SERIN_ROLLOUT_AWAITING;
    open_next(SERIN_ROLLOUT_ADVANCE); /* approves and opens in one step */
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(the_first_stage_asks_too)
{
    judged_set_up();
    rollout.policy.stages[0].approval = true;
    rollout.state = SERIN_ROLLOUT_AWAITING;
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.stage = 1;
    judged_told();
    judged_convicted(SERIN_SIM_PACE);
    judged_tear_down();
}
END_TEST

static void wait_in(enum serin_rollout_state state, uint64_t for_ms)
{
    rollout.state = state;
    judged_before(SERIN_ROLLOUT_TICK);
    judged_silent();
    world.now_ms += for_ms;
    judged_before(SERIN_ROLLOUT_TICK);
    judged_silent();
    judged_sound();
}

START_TEST(a_stage_soaks_to_the_end)
{
    judged_set_up();
    judged_roll();
    wait_in(SERIN_ROLLOUT_ROLLING, HOUR_MS); /* no soak */
    wait_in(SERIN_ROLLOUT_SOAKING, 59999);
    sim_check_restored(&world, &rollout, &members);
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    wait_in(SERIN_ROLLOUT_SOAKING, 1);
    rollout.state = SERIN_ROLLOUT_SOAKING;
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    sim_check_created(&world, &rollout, &members); /* another rollout */
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    rollout.state = SERIN_ROLLOUT_SOAKING;
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.state = SERIN_ROLLOUT_COMPLETED;
    judged_told();
    judged_convicted(SERIN_SIM_PACE);
    rollout.policy.emergency = true;
    rollout.state = SERIN_ROLLOUT_SOAKING;
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    rollout.policy.emergency = false;
    advance(SERIN_ROLLOUT_SOAKING);
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    /* Of a rollout that another had followed the record is all that is known. */
    rollout.id = 7;
    rollout.soaked_ms = 59999;
    sim_check_restored(&world, &rollout, &members);
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    rollout.id = 8;
    rollout.soaked_ms = 60000;
    sim_check_restored(&world, &rollout, &members);
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    judged_tear_down();
}
END_TEST

/* Whether the policy's one window is open so many minutes after Thursday began. */
static bool is_open(uint8_t days, uint16_t from_min, uint16_t until_min, uint64_t at_min)
{
    struct serin_policy policy = {
        .window_count = 1,
        .windows = {{.days = days, .from_min = from_min, .until_min = until_min}}};
    return !sim_judge_closed(&policy, (SIM_START_S * 1000u) + at_min * MINUTE_MS);
}

START_TEST(windows_are_read_as_they_are_written)
{
    const uint8_t thursday = 1u << 3;
    const uint8_t sunday = 1u << 6;
    ck_assert(is_open(thursday, 60, 120, 60));
    ck_assert(is_open(thursday, 60, 120, 119));
    ck_assert(!is_open(thursday, 60, 120, 59));
    ck_assert(!is_open(thursday, 60, 120, 120));
    ck_assert(!is_open(thursday, 60, 120, DAY_MIN + 60));
    ck_assert(is_open(thursday, 60, 120, 7u * DAY_MIN + 60));
    ck_assert(is_open(127, 60, 120, 5u * DAY_MIN + 60));
    ck_assert(is_open(thursday, 1380, 60, 1380)); /* over midnight, into Friday */
    ck_assert(is_open(thursday, 1380, 60, DAY_MIN + 59));
    ck_assert(!is_open(thursday, 1380, 60, DAY_MIN + 60));
    ck_assert(!is_open(thursday, 1380, 60, 0));
    ck_assert(is_open(sunday, 1380, 60, 4u * DAY_MIN + 59)); /* over the end of the week */
    ck_assert(is_open(thursday, 0, DAY_MIN, 0));
    ck_assert(!is_open(thursday, 0, DAY_MIN, DAY_MIN));
}
END_TEST

START_TEST(nobody_is_offered_it_before_the_start_or_outside_of_the_windows)
{
    judged_set_up();
    judged_roll();
    rollout.policy.stages[0].soak_s = 0;
    rollout.policy.start_s = SIM_START_S + 60;
    world.now_ms = 58999;
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    world.now_ms = 59000; /* clocks of a second's difference are the same */
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    rollout.policy.window_count = 1;
    rollout.policy.windows[0] =
        (struct serin_window){.days = 127, .from_min = 60, .until_min = 120};
    rollout.closed = true;
    open_next(SERIN_ROLLOUT_TICK);
    judged_convicted(SERIN_SIM_PACE);
    wait_in(SERIN_ROLLOUT_ROLLING, 0);
    rollout.closed = false; /* an engine that knows no windows */
    judged_before(SERIN_ROLLOUT_TICK);
    judged_silent();
    judged_convicted(SERIN_SIM_PACE);
    rollout.closed = true;
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.state = SERIN_ROLLOUT_COMPLETED;
    judged_told();
    judged_convicted(SERIN_SIM_PACE);
    rollout.state = SERIN_ROLLOUT_ROLLING;
    world.now_ms = HOUR_MS;
    rollout.closed = false;
    open_next(SERIN_ROLLOUT_TICK);
    judged_sound();
    judged_tear_down();
}
END_TEST

/* The stage goes on to so many devices in all. */
static void widen(uint32_t offered)
{
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.threshold = list[offered - 1u].rank;
    rollout.tally.offered = offered;
    judged_told();
}

static void all_are(uint32_t count, enum serin_state state)
{
    for (uint32_t i = 0; i < count; i++) {
        list[i].state = (uint8_t)state;
    }
    sim_check_restored(&world, &rollout, &members);
}

START_TEST(no_more_are_in_flight_than_may_be)
{
    judged_set_up();
    judged_roll();
    rollout.policy.stages[0].permyriad = 10000; /* of everyone */
    rollout.policy.in_flight_max = 6;
    all_are(4, SERIN_STATE_DOWNLOADING);
    widen(6);
    judged_sound();
    widen(9);
    judged_convicted(SERIN_SIM_PACE);
    all_are(9, SERIN_STATE_CONFIRMED);
    widen(15);
    judged_sound();
    widen(21); /* nobody of the fifteen was heard: they may yet come */
    widen(27);
    widen(33);
    widen(39);
    judged_sound();
    rollout.policy.in_flight_max = 3;
    widen(40);
    judged_convicted(SERIN_SIM_PACE);
    all_are(40, SERIN_STATE_UNREACHED); /* these have had their patience */
    rollout.threshold = list[38].rank;
    widen(40);
    judged_sound();
    judged_tear_down();
}
END_TEST

/* An operator lets those try again that failed. */
static void retry(void)
{
    judged_before(SERIN_ROLLOUT_RETRY);
    rollout.attempt++;
    judged_told();
}

START_TEST(those_that_try_again_are_in_flight_and_of_the_rate)
{
    judged_set_up();
    judged_roll();
    for (int i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        rollout.policy.gates[i].max_permyriad = 10000;
    }
    all_are(4, SERIN_STATE_FAILED);
    list[0].state = SERIN_STATE_DOWNLOADING;
    rollout.policy.in_flight_max = 4;
    retry();
    judged_sound();
    rollout.policy.in_flight_max = 3;
    retry();
    judged_convicted(SERIN_SIM_PACE);
    rollout.policy.in_flight_max = 0;
    rollout.policy.rate_per_hour = 3;
    retry();
    judged_sound();
    retry();
    judged_convicted(SERIN_SIM_PACE);
    world.now_ms += HOUR_MS;
    retry();
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(no_more_are_offered_it_in_an_hour_than_may_be)
{
    judged_set_up();
    judged_roll();
    rollout.policy.stages[0].permyriad = 10000;
    rollout.policy.rate_per_hour = 10;
    widen(10);
    judged_sound();
    world.now_ms += HOUR_MS - MINUTE_MS;
    widen(14);
    judged_sound();
    widen(15);
    judged_convicted(SERIN_SIM_PACE);
    world.now_ms += MINUTE_MS; /* the first ones were an hour ago */
    widen(20);
    judged_sound();
    widen(21);
    judged_convicted(SERIN_SIM_PACE);
    world.jump_ms = HOUR_MS; /* serind's hour is over */
    widen(31);
    judged_sound();
    widen(32);
    judged_convicted(SERIN_SIM_PACE);
    sim_check_restored(&world, &rollout, &members); /* nobody knows what the lost one did */
    widen(40);
    judged_sound();
    judged_tear_down();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_stops_devices_or_lets_them_go_on_is_told,
        a_directive_says_how_the_rollout_stands,
        a_directive_has_the_terms_of_the_policy,
        what_is_stored_is_published,
        a_window_that_closed_is_published,
        what_a_gateway_holds_its_site_is_shown,
        counters_are_committed_with_the_stable_release,
        a_stage_opens_with_approval_alone,
        the_first_stage_asks_too,
        a_stage_soaks_to_the_end,
        windows_are_read_as_they_are_written,
        nobody_is_offered_it_before_the_start_or_outside_of_the_windows,
        no_more_are_in_flight_than_may_be,
        those_that_try_again_are_in_flight_and_of_the_rate,
        no_more_are_offered_it_in_an_hour_than_may_be,
        NULL,
    };
    return check_run("sim_pace", tests);
}

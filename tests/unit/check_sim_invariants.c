/*
 * The judges of the simulation: for each, a state in which it says nothing, and a fault planted in
 * that state which it names. A judge that nothing convicts before is no judge.
 */
#include "check_main.h"
#include "sim_judged.h"

#include <stdio.h>
#include <string.h>

static struct serin_attempt_report attempt_of(uint32_t number, size_t count,
                                              const enum serin_state *states)
{
    struct serin_attempt_report attempt = {
        .manifest_id = {2}, .attempt = number, .transition_count = count};
    for (size_t i = 0; i < count; i++) {
        attempt.transitions[i].state = states[i];
        attempt.transitions[i].reason = SERIN_REASON_NONE;
    }
    return attempt;
}

/* ---- devices ---- */

START_TEST(what_boots_is_signed_and_not_below_the_floor)
{
    judged_set_up();
    nodes[3].counter = nodes[3].floor = world.releases[SIM_STABLE].counter = 5;
    sim_check_boot(&world, 3, true);
    judged_sound();
    sim_check_boot(&world, 3, false);
    judged_convicted(SERIN_SIM_UNVERIFIED);
    nodes[3].running_release = SIM_RELEASES;
    sim_check_boot(&world, 3, true);
    judged_convicted(SERIN_SIM_UNVERIFIED);
    nodes[3].running_release = SIM_STABLE;
    nodes[3].counter = 4;
    sim_check_boot(&world, 3, true);
    judged_convicted(SERIN_SIM_BELOW_COUNTER);
    sim_check_bricked(&world, 3);
    judged_convicted(SERIN_SIM_BRICKED);
    judged_tear_down();
}
END_TEST

START_TEST(a_trial_begins_in_a_lease_that_nothing_forbids)
{
    judged_set_up();
    world.now_ms = 5000;
    const struct sim_heard good = {
        .any = true, .candidate_state = SERIN_CANDIDATE_ROLLING, .lease_end_ms = 5000};
    nodes[0].heard = good;
    sim_check_armed(&world, 0);
    judged_sound();
    nodes[0].heard.any = false;
    sim_check_armed(&world, 0);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    nodes[0].heard = good;
    nodes[0].heard.held = true;
    sim_check_armed(&world, 0);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    nodes[0].heard = good;
    nodes[0].heard.candidate_state = SERIN_CANDIDATE_HALTED;
    sim_check_armed(&world, 0);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    nodes[0].heard.candidate_state = SERIN_CANDIDATE_PAUSED;
    sim_check_armed(&world, 0);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    nodes[0].heard = good;
    nodes[0].heard.lease_end_ms = 4999;
    sim_check_armed(&world, 0);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    judged_tear_down();
}
END_TEST

/* What was armed may have been halted since. */
START_TEST(a_trial_that_boots_was_not_halted)
{
    judged_set_up();
    struct sim_node *node = &nodes[0];
    node->heard = (struct sim_heard){
        .order = {1, 5}, .candidate_state = SERIN_CANDIDATE_ROLLING, .candidate = {2}};
    node->agent.record.order[SERIN_AGENT_CHANNEL] = (struct serin_order){1, 5};
    sim_check_trial(&world, 0);
    judged_sound();
    node->heard.candidate_state = SERIN_CANDIDATE_HALTED;
    sim_check_trial(&world, 0);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    /* The power went before the halt was stored. */
    node->agent.record.order[SERIN_AGENT_CHANNEL].sequence = 4;
    sim_check_trial(&world, 0);
    judged_sound();
    /* It was the channel's, and the device has a directive of its own. */
    node->targeted = true;
    node->agent.record.order[SERIN_AGENT_OWN] = (struct serin_order){1, 5};
    sim_check_trial(&world, 0);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    node->heard.candidate[0] = 3; /* another release's halt */
    sim_check_trial(&world, 0);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(a_gateway_holds_where_too_many_failed)
{
    judged_set_up();
    struct serin_directive directive = {.candidate_state = SERIN_CANDIDATE_ROLLING,
                                        .candidate = {.offer_count = 1},
                                        .site_failures_max = 2};
    sim_check_site(&world, 0, &directive, 2, false);
    sim_check_site(&world, 0, &directive, 3, true);
    judged_sound();
    sim_check_site(&world, 0, &directive, 3, false);
    judged_convicted(SERIN_SIM_TRIAL_TOO_LATE);
    directive.candidate_state = SERIN_CANDIDATE_HALTED; /* the fleet is */
    sim_check_site(&world, 0, &directive, 3, false);
    directive.candidate_state = SERIN_CANDIDATE_ROLLING;
    directive.site_failures_max = 0; /* no limit */
    sim_check_site(&world, 0, &directive, 3, false);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(who_takes_the_candidate_was_offered_it_and_takes_it_once)
{
    static const enum serin_state accepted[] = {SERIN_STATE_PENDING};
    static const enum serin_state failed[] = {SERIN_STATE_PENDING, SERIN_STATE_FAILED};
    static const enum serin_state cancelled[] = {SERIN_STATE_PENDING, SERIN_STATE_CANCELLED};
    static const enum serin_state confirmed[] = {SERIN_STATE_PENDING,   SERIN_STATE_DOWNLOADING,
                                                 SERIN_STATE_VERIFYING, SERIN_STATE_STAGED,
                                                 SERIN_STATE_TRIAL,     SERIN_STATE_CONFIRMED};
    judged_set_up();
    judged_roll();
    struct serin_attempt_report attempt = attempt_of(1, 1, accepted);
    sim_check_transition(&world, 0, &attempt);
    judged_convicted(SERIN_SIM_COHORT); /* nothing was published yet */
    judged_publish(1);
    sim_check_transition(&world, STAGE - 1, &attempt);
    judged_sound();
    sim_check_transition(&world, STAGE, &attempt); /* the next in rank */
    judged_convicted(SERIN_SIM_COHORT);

    struct serin_attempt_report again = attempt_of(1, 2, cancelled);
    sim_check_transition(&world, 0, &again);
    sim_check_transition(&world, 0, &attempt);
    judged_sound(); /* what was cancelled may be offered again */
    again = attempt_of(1, 2, failed);
    sim_check_transition(&world, 0, &again);
    judged_sound();
    sim_check_transition(&world, 0, &attempt);
    judged_convicted(SERIN_SIM_TWICE);
    attempt.attempt = 2; /* a retry */
    sim_check_transition(&world, 0, &attempt);
    judged_sound();

    again = attempt_of(1, 6, confirmed);
    sim_check_transition(&world, 1, &again);
    attempt = attempt_of(1, 1, confirmed);
    sim_check_transition(&world, 1, &attempt);
    judged_convicted(SERIN_SIM_TWICE);
    again.manifest_id[0] = 1; /* it was taken back to the stable release meanwhile */
    sim_check_transition(&world, 1, &again);
    sim_check_transition(&world, 1, &attempt);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(no_device_leaves_an_end)
{
    static const enum serin_state back[] = {SERIN_STATE_PENDING, SERIN_STATE_FAILED,
                                            SERIN_STATE_DOWNLOADING};
    judged_set_up();
    judged_roll();
    judged_publish(1);
    struct serin_attempt_report attempt = attempt_of(1, 3, back);
    sim_check_transition(&world, 0, &attempt);
    judged_convicted(SERIN_SIM_FINAL_LEFT);
    judged_tear_down();
}
END_TEST

/* ---- serind ---- */

START_TEST(the_engine_and_the_ledger_leave_no_end)
{
    judged_set_up();
    judged_roll();
    judged_step(SERIN_ROLLOUT_MEMBER, 0, SERIN_STATE_CONFIRMED, SERIN_REASON_NONE);
    judged_step(SERIN_ROLLOUT_MEMBER, 0, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH);
    judged_sound();
    /* An engine that takes the failure back, and says so in order. */
    struct serin_rollout_actions actions = {
        .count = 1, .list = {{.kind = SERIN_ROLLOUT_ACT_SAVE_MEMBER, .member = 0}}};
    judged_before(SERIN_ROLLOUT_TICK);
    list[0].state = SERIN_STATE_CONFIRMED;
    sim_check_step(&world, &rollout, &members, &actions);
    judged_convicted(SERIN_SIM_FINAL_LEFT);

    sim_check_ledger(&world, 0, SERIN_STATE_CONFIRMED, SERIN_STATE_REVERTED);
    sim_check_ledger(&world, 0, SERIN_STATE_CANCELLED, SERIN_STATE_PENDING);
    judged_sound();
    sim_check_ledger(&world, 0, SERIN_STATE_FAILED, SERIN_STATE_CONFIRMED);
    judged_convicted(SERIN_SIM_FINAL_LEFT);
    judged_tear_down();
}
END_TEST

START_TEST(an_ack_is_of_what_was_committed)
{
    judged_set_up();
    const struct serin_report_cursor committed = {.incarnation = 7, .number = 3};
    struct serin_ack ack = {.incarnation = 7, .number = 3, .status = SERIN_ACK_STORED};
    sim_check_ack(&world, 0, &ack, &committed);
    judged_sound();
    ack.number = 4;
    sim_check_ack(&world, 0, &ack, &committed);
    judged_convicted(SERIN_SIM_ACK_EARLY);
    ack = (struct serin_ack){.incarnation = 8, .number = 1, .status = SERIN_ACK_STORED};
    sim_check_ack(&world, 0, &ack, &committed);
    judged_convicted(SERIN_SIM_ACK_EARLY);
    ack.status = SERIN_ACK_RESEND;
    sim_check_ack(&world, 0, &ack, &committed);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(a_step_publishes_once_and_an_order_goes_out_once)
{
    judged_set_up();
    judged_roll();
    struct serin_rollout_actions actions = {
        .count = 2,
        .list = {{.kind = SERIN_ROLLOUT_ACT_PUBLISH}, {.kind = SERIN_ROLLOUT_ACT_PUBLISH}}};
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.publishes += 2;
    sim_check_step(&world, &rollout, &members, &actions);
    judged_convicted(SERIN_SIM_PUBLISHES);
    judged_publish(1);
    sim_check_publish(&world, (struct serin_order){1, 1}, true); /* a repair */
    judged_publish(2);
    judged_sound();
    sim_check_publish(&world, (struct serin_order){1, 2}, false);
    judged_convicted(SERIN_SIM_PUBLISHES);
    /* A store that went back is told by the broker, but by one whose disk went back too. */
    sim_check_restored(&world, &rollout, &members);
    sim_check_publish(&world, (struct serin_order){1, 2}, false);
    judged_convicted(SERIN_SIM_PUBLISHES);
    result.came[SERIN_SIM_EVENT_BROKER_OLD] = 1;
    sim_check_publish(&world, (struct serin_order){1, 2}, false);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(books_agree_with_a_recount)
{
    judged_set_up();
    judged_roll();
    judged_step(SERIN_ROLLOUT_MEMBER, 0, SERIN_STATE_PENDING, SERIN_REASON_NONE);
    judged_step(SERIN_ROLLOUT_MEMBER, 1, SERIN_STATE_CONFIRMED, SERIN_REASON_NONE);
    sim_check_books(&world, &rollout, &members);
    judged_sound();
    uint32_t *const figures[] = {
        &rollout.tally.accepted, &rollout.tally.confirmed, &rollout.tally.failed,
        &rollout.tally.rejected, &rollout.tally.unreached, &rollout.tally.regressed,
        &rollout.tally.other,    &rollout.tally.offered,   &rollout.reasons[SERIN_REASON_CRASH],
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        ++*figures[i];
        sim_check_books(&world, &rollout, &members);
        judged_convicted(SERIN_SIM_BOOKS);
        --*figures[i];
    }
    sim_check_books(&world, &rollout, &members);
    judged_sound();
    /* Every hour, once, without being asked. */
    rollout.tally.confirmed++;
    world.now_ms = 3600000;
    sim_check_hour(&world, &rollout, &members);
    judged_convicted(SERIN_SIM_BOOKS);
    sim_check_hour(&world, &rollout, &members);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(nobody_is_lost)
{
    judged_set_up();
    judged_roll();
    judged_step(SERIN_ROLLOUT_MEMBER, 0, SERIN_STATE_PENDING, SERIN_REASON_NONE);
    list[1].state = SERIN_STATE_UNREACHED; /* and no step said so */
    sim_check_books(&world, &rollout, &members);
    judged_convicted(SERIN_SIM_LOST);
    list[1].state = SERIN_STATE_IDLE;
    members.count--;
    sim_check_books(&world, &rollout, &members);
    judged_convicted(SERIN_SIM_LOST);
    members.count++;
    /* At the end the server knows what the device knows, and has known for an hour. */
    static const enum serin_state confirmed[] = {SERIN_STATE_PENDING,   SERIN_STATE_DOWNLOADING,
                                                 SERIN_STATE_VERIFYING, SERIN_STATE_STAGED,
                                                 SERIN_STATE_TRIAL,     SERIN_STATE_CONFIRMED};
    const struct serin_attempt_report attempt = attempt_of(1, 6, confirmed);
    const uint64_t then_ms = 10000000;
    nodes[0].power = SIM_POWER_ON;
    nodes[0].connected = nodes[0].exposed = true;
    nodes[0].attempt = 1;
    nodes[0].state = SERIN_STATE_PENDING;
    world.now_ms = then_ms;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_sound();
    nodes[0].state = SERIN_STATE_CONFIRMED;
    sim_check_transition(&world, 0, &attempt);
    sim_check_known(&world, 0, 1, &list[0]);
    judged_sound();
    world.now_ms = then_ms + 3600000 - 1;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_sound();
    world.now_ms = then_ms + 3600000;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_convicted(SERIN_SIM_LOST);
    /* Over links that lose most of what they carry it may never have come, unless it did. */
    struct serin_agent_record *record = &nodes[0].agent.record;
    const struct serin_report told = {.incarnation = 5, .number = 6};
    record->incarnation = 5;
    record->number = 7;
    sim_check_heard(&world, 0, &told);
    config.scenario.drop = 200000;
    config.scenario.corrupt = 100000;
    result.broken = SERIN_SIM_SOUND;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_convicted(SERIN_SIM_LOST); /* no more than the soak's links lose every day */
    config.scenario.corrupt++;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_sound();
    record->number = 6;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_convicted(SERIN_SIM_LOST);
    record->incarnation = 4; /* of another stream nothing was heard */
    sim_check_known(&world, 0, 1, &list[0]);
    judged_sound();
    /* Weather counts where it was after the change. */
    config.scenario.drop = config.scenario.corrupt = 0;
    config.scenario.weather_count = 1;
    config.scenario.weather[0] =
        (struct serin_sim_weather){.from_ms = 0, .for_ms = then_ms, .drop = SERIN_SIM_ALL};
    sim_check_known(&world, 0, 1, &list[0]);
    judged_convicted(SERIN_SIM_LOST);
    config.scenario.weather[0].for_ms++;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_sound();
    config.scenario.weather_count = 0;
    nodes[0].deaf = true;
    sim_check_known(&world, 0, 1, &list[0]);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(cohorts_are_exact)
{
    judged_set_up();
    judged_roll();
    /* One too many: the threshold is the rank of the next. */
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.threshold = list[STAGE].rank;
    rollout.tally.offered++;
    judged_told();
    judged_convicted(SERIN_SIM_COHORT);
    /* Between two ranks: it reaches as many, and is nobody's. */
    rollout.tally.offered--;
    rollout.threshold = list[STAGE - 1].rank;
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.threshold++;
    judged_told();
    judged_convicted(SERIN_SIM_COHORT);
    /* It falls. */
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.threshold = list[0].rank;
    judged_told();
    judged_convicted(SERIN_SIM_COHORT);
    /* Everyone, in the first of two stages. */
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.threshold = SERIN_COHORT_EVERYONE;
    judged_told();
    judged_convicted(SERIN_SIM_COHORT);
    /* Somebody stands where his rank is not. */
    rollout.threshold = list[STAGE - 1].rank;
    list[7].rank = list[9].rank;
    sim_check_books(&world, &rollout, &members);
    judged_convicted(SERIN_SIM_COHORT);
    judged_tear_down();
}
END_TEST

START_TEST(replacements_are_within_the_stage)
{
    judged_set_up();
    judged_roll();
    /* One is out of reach: the next in rank takes its place, and no more. */
    judged_before(SERIN_ROLLOUT_TICK);
    list[2].state = SERIN_STATE_UNREACHED;
    rollout.tally.unreached++;
    rollout.threshold = list[STAGE].rank;
    rollout.tally.offered++;
    judged_told();
    judged_sound();
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.threshold = list[STAGE + 1].rank;
    rollout.tally.offered++;
    judged_told();
    judged_convicted(SERIN_SIM_COHORT);
    judged_tear_down();
}
END_TEST

/* However many are silent: each of them has the directive, and wakes up one day. */
START_TEST(a_search_ends_with_as_many_again)
{
    judged_set_up();
    judged_roll();
    for (uint32_t offered = STAGE; offered < STAGE + 17; offered++) {
        judged_before(SERIN_ROLLOUT_TICK);
        list[offered - 1].state = SERIN_STATE_UNREACHED;
        rollout.threshold = list[offered].rank;
        rollout.tally.offered = offered + 1;
        judged_told();
        if (offered < STAGE + 16) {
            judged_sound();
        }
    }
    judged_convicted(SERIN_SIM_COHORT);
    judged_tear_down();
}
END_TEST

START_TEST(silence_past_the_deadline_is_a_failure)
{
    judged_set_up();
    judged_roll();
    judged_step(SERIN_ROLLOUT_MEMBER, 0, SERIN_STATE_DOWNLOADING, SERIN_REASON_NONE);
    rollout.watch_ms = rollout.policy.deadline_s * 1000ull;
    sim_check_books(&world, &rollout, &members);
    judged_sound();
    rollout.watch_ms += 3600000; /* an engine that does not look */
    sim_check_books(&world, &rollout, &members);
    judged_convicted(SERIN_SIM_SILENCE);
    rollout.state = SERIN_ROLLOUT_PAUSED; /* deadlines stand */
    sim_check_books(&world, &rollout, &members);
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(a_publish_says_something_new)
{
    struct serin_rollout_actions publishes = {.count = 1,
                                              .list = {{.kind = SERIN_ROLLOUT_ACT_PUBLISH}}};
    judged_set_up();
    judged_roll();
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.publishes++;
    sim_check_step(&world, &rollout, &members, &publishes);
    judged_convicted(SERIN_SIM_PUBLISHES);
    rollout.policy.window_count = 1; /* from ten in the morning, and it is midnight */
    rollout.policy.windows[0] =
        (struct serin_window){.days = 127, .from_min = 600, .until_min = 660};
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.publishes++;
    rollout.closed = true;
    sim_check_step(&world, &rollout, &members, &publishes);
    judged_sound();
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.publishes++;
    rollout.attempt++;
    sim_check_step(&world, &rollout, &members, &publishes);
    judged_sound();
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.publishes++;
    rollout.state = SERIN_ROLLOUT_HALTED;
    sim_check_step(&world, &rollout, &members, &publishes);
    judged_sound();
    judged_tear_down();
}
END_TEST

/* Of all ways from one state of a rollout to another. */
START_TEST(a_rollout_does_not_leave_its_end)
{
    struct serin_rollout_actions none = {.count = 0};
    judged_set_up();
    for (int from = SERIN_ROLLOUT_AWAITING; from < SERIN_ROLLOUT_STATE_COUNT; from++) {
        for (int to = SERIN_ROLLOUT_AWAITING; to < SERIN_ROLLOUT_STATE_COUNT; to++) {
            bool ended = from == SERIN_ROLLOUT_HALTED || from == SERIN_ROLLOUT_COMPLETED ||
                         from == SERIN_ROLLOUT_ABORTED || from == SERIN_ROLLOUT_SUPERSEDED;
            bool aborts = from == SERIN_ROLLOUT_HALTED && to == SERIN_ROLLOUT_ABORTED;
            rollout.state = (enum serin_rollout_state)from;
            judged_before(SERIN_ROLLOUT_TICK);
            rollout.state = (enum serin_rollout_state)to;
            sim_check_step(&world, &rollout, &members, &none);
            if (ended && from != to && !aborts) {
                judged_convicted(SERIN_SIM_FINAL_LEFT);
            } else {
                judged_sound();
            }
        }
    }
    judged_tear_down();
}
END_TEST

START_TEST(an_engine_that_wants_ever_more_at_once_is_stopped)
{
    struct serin_rollout_actions none = {.count = 0};
    judged_set_up();
    judged_roll();
    for (int i = 0; i < 4096; i++) {
        judged_before(SERIN_ROLLOUT_TICK);
        sim_check_step(&world, &rollout, &members, &none);
    }
    judged_sound();
    world.now_ms += 60000;
    sim_check_step(&world, &rollout, &members, &none);
    judged_sound(); /* another minute */
    for (uint32_t i = 0; i < 4096u + 64u * config.devices; i++) {
        sim_check_step(&world, &rollout, &members, &none);
    }
    judged_convicted(SERIN_SIM_SPIN);
    judged_tear_down();
}
END_TEST

/* What became of the first devices, one letter each: c confirmed, f failed, r rolled back after a
 * crash, g regressed, t timed out, x rejected as older. The engine has told of the last of them,
 * and the judges have counted the others anew. */
static void become(const char *ends)
{
    static const struct {
        char letter;
        enum serin_state state;
        enum serin_reason reason;
    } kinds[] = {
        {'c', SERIN_STATE_CONFIRMED, SERIN_REASON_NONE},
        {'f', SERIN_STATE_FAILED, SERIN_REASON_DOWNLOAD},
        {'r', SERIN_STATE_ROLLED_BACK, SERIN_REASON_CRASH},
        {'g', SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH},
        {'t', SERIN_STATE_TIMED_OUT, SERIN_REASON_DEADLINE},
        {'x', SERIN_STATE_REJECTED, SERIN_REASON_NOT_NEWER},
    };
    struct serin_rollout_actions told = {.count = 1,
                                         .list = {{.kind = SERIN_ROLLOUT_ACT_SAVE_MEMBER}}};
    uint32_t count = (uint32_t)strlen(ends);
    for (uint32_t i = 0; i < DEVICES; i++) {
        list[i].state = SERIN_STATE_IDLE;
        list[i].reason = SERIN_REASON_NONE;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1u == count) {
            sim_check_restored(&world, &rollout, &members);
            judged_before(SERIN_ROLLOUT_TICK);
        }
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (kinds[k].letter == ends[i]) {
                list[i].state = (uint8_t)kinds[k].state;
                list[i].reason = (uint8_t)kinds[k].reason;
            }
        }
    }
    told.list[0].member = count - 1u;
    sim_check_step(&world, &rollout, &members, &told);
}

/* All are offered it, and one gate is on. */
static void limit(struct serin_gate_policy *gate, uint32_t max_permyriad, uint32_t minimum)
{
    judged_set_up();
    for (int i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        rollout.policy.gates[i].max_permyriad = 10000;
    }
    *gate = (struct serin_gate_policy){.max_permyriad = max_permyriad, .minimum = minimum};
    judged_roll();
    rollout.threshold = SERIN_COHORT_EVERYONE;
}

START_TEST(no_rollout_goes_on_above_its_limit)
{
    limit(&rollout.policy.gates[SERIN_GATE_FAILURES], 5000, 4);
    become("cfcf");
    judged_sound(); /* at the limit */
    become("cfrf");
    judged_convicted(SERIN_SIM_GATE);
    become("fffg");
    judged_convicted(SERIN_SIM_GATE);
    become("fff");
    judged_sound(); /* below the minimum */
    become("fffxc");
    judged_convicted(SERIN_SIM_GATE);
    become("fffx");
    judged_sound(); /* who runs something newer counts in nothing */
    become("ccfttttt");
    judged_sound(); /* the network may be why */
    become("cffttttt");
    judged_sound(); /* and is, with three that count */
    become("ccffftt");
    judged_convicted(SERIN_SIM_GATE); /* and may not be for these */
    rollout.state = SERIN_ROLLOUT_HALTED;
    become("ffff");
    judged_sound();
    judged_tear_down();
}
END_TEST

/* Caught: a quotient of all that were offered it; one limit read for another. */
START_TEST(every_limit_has_its_own_quotient)
{
    limit(&rollout.policy.gates[SERIN_GATE_ROLLBACKS], 2000, 5);
    become("ffffrc");
    judged_sound();
    become("ccccr");
    judged_sound(); /* at the limit */
    become("cccrr");
    judged_convicted(SERIN_SIM_GATE);
    become("ccccrrtttt");
    judged_sound(); /* a fifth, with those that the network may not excuse */
    become("ccccrrttt");
    judged_convicted(SERIN_SIM_GATE);
    judged_tear_down();
    limit(&rollout.policy.gates[SERIN_GATE_BOOTS], 2000, 5);
    become("ccccr");
    judged_sound();
    become("cccrrfff");
    judged_convicted(SERIN_SIM_GATE);
    become("gggrr");
    judged_convicted(SERIN_SIM_GATE); /* these booted, whatever became of them */
    become("fffrr");
    judged_sound(); /* nobody knows whether those would */
    judged_tear_down();
    limit(&rollout.policy.reasons[0].gate, 2000, 5);
    rollout.policy.reasons[0].reason = SERIN_REASON_DOWNLOAD;
    rollout.policy.reason_count = 1;
    become("ccccf");
    judged_sound();
    become("ccrff");
    judged_convicted(SERIN_SIM_GATE);
    become("ccrrr");
    judged_sound();
    judged_tear_down();
}
END_TEST

/* An operator who goes on after a pause may have accepted what failed. */
START_TEST(what_was_paused_may_be_accepted)
{
    limit(&rollout.policy.gates[SERIN_GATE_FAILURES], 5000, 4);
    rollout.state = SERIN_ROLLOUT_PAUSED;
    judged_before(SERIN_ROLLOUT_TICK);
    judged_silent();
    rollout.state = SERIN_ROLLOUT_ROLLING;
    become("ffff");
    judged_sound();
    sim_check_created(&world, &rollout, &members); /* another rollout */
    result.broken = SERIN_SIM_SOUND;
    become("ffff");
    judged_convicted(SERIN_SIM_GATE);
    judged_tear_down();
}
END_TEST

/* Stage 1 has confirmed, and passes in a step that these judge. */
static void pass_stage(void)
{
    struct serin_rollout_actions none = {.count = 0};
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.stage = 2;
    sim_check_step(&world, &rollout, &members, &none);
    rollout.stage = 1;
}

static struct serin_health health[DEVICES];

/* All have beaten each hour, the last time at the start; stage 1 has confirmed, and need not soak.
 */
static void confirm(void)
{
    judged_roll();
    for (uint32_t i = 0; i < DEVICES; i++) {
        health[i] = (struct serin_health){
            .beat_s = (uint32_t)(sim_wall_ms(&world) / 1000u), .gap_s = 3600, .rated = 24};
    }
    for (uint32_t i = 0; i < STAGE; i++) {
        judged_step(SERIN_ROLLOUT_MEMBER, i, SERIN_STATE_PENDING, SERIN_REASON_NONE);
        judged_step(SERIN_ROLLOUT_MEMBER, i, SERIN_STATE_CONFIRMED, SERIN_REASON_NONE);
    }
    members.health = health;
    ck_assert_uint_eq(rollout.stage, 1);
    ck_assert_uint_eq(rollout.tally.confirmed, STAGE);
    rollout.policy.stages[0].soak_s = 0;
    judged_sound();
}

START_TEST(no_stage_passes_on_figures_of_before_a_restart)
{
    judged_set_up();
    confirm();
    pass_stage();
    judged_sound();
    sim_check_restored(&world, &rollout, &members);
    pass_stage();
    judged_convicted(SERIN_SIM_STALE);
    rollout.comparison.at_ms = 1; /* of some time before */
    pass_stage();
    judged_convicted(SERIN_SIM_STALE);
    rollout.policy.gates[SERIN_GATE_SILENCE].max_permyriad = 10000;
    pass_stage(); /* the gate on errors asks as well */
    judged_convicted(SERIN_SIM_STALE);
    rollout.policy.gates[SERIN_GATE_ERRORS].max_permyriad = 10000;
    pass_stage(); /* nobody asks */
    judged_sound();
    rollout.policy.gates[SERIN_GATE_SILENCE].max_permyriad = 100;
    rollout.comparison.at_ms = sim_wall_ms(&world);
    pass_stage();
    judged_sound();
    rollout.comparison.at_ms = 1; /* once is enough */
    pass_stage();
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(nothing_is_completed_on_figures_of_before_a_restart)
{
    struct serin_rollout_actions none = {.count = 0};
    judged_set_up();
    confirm();
    sim_check_restored(&world, &rollout, &members);
    judged_before(SERIN_ROLLOUT_TICK);
    rollout.state = SERIN_ROLLOUT_COMPLETED;
    judged_told();
    judged_convicted(SERIN_SIM_STALE);
    judged_before(SERIN_ROLLOUT_TICK);
    sim_check_step(&world, &rollout, &members, &none); /* it was before */
    judged_sound();
    judged_tear_down();
}
END_TEST

/* Some hours later; who is not deaf has beaten. */
static void later(uint64_t hours)
{
    world.now_ms += hours * UINT64_C(3600000);
    for (uint32_t i = 0; i < DEVICES; i++) {
        if (!nodes[i].deaf) {
            health[i].beat_s = (uint32_t)(sim_wall_ms(&world) / 1000u);
        }
    }
}

#define DYING 12u /* the fewest of whom chance is no reason */

START_TEST(no_stage_follows_on_one_whose_devices_are_all_dead)
{
    judged_set_up();
    confirm();
    world.now_ms = 1000;
    rollout.policy.control_minimum = 20;
    rollout.threshold = list[DYING - 1].rank;
    for (uint32_t i = 0; i < DYING; i++) {
        list[i].state = SERIN_STATE_CONFIRMED;
        list[i].stage = 1;
        nodes[i].deaf = i > 0;
    }
    sim_judge_deaf(&world);
    later(6);
    pass_stage(); /* one lives */
    judged_sound();
    nodes[0].deaf = true;
    sim_judge_deaf(&world);
    later(3);
    pass_stage(); /* who died last was hardly missed yet */
    judged_sound();
    later(1);
    pass_stage();
    judged_convicted(SERIN_SIM_DEAD);
    list[0].stage = 2;
    pass_stage(); /* the others are too few */
    judged_sound();
    list[0].stage = 1;
    rollout.policy.control_minimum = DEVICES;
    pass_stage(); /* there is nobody to compare them with */
    judged_sound();
    rollout.policy.control_minimum = 20;
    for (uint32_t i = DYING; i < DYING + 5; i++) {
        health[i].beat_s -= 4 * 3600;
    }
    pass_stage(); /* the network may be dark */
    judged_sound();
    later(0);
    result.came[SERIN_SIM_EVENT_ADVANCE] = 1;
    pass_stage(); /* an operator may have wanted it */
    judged_sound();
    result.came[SERIN_SIM_EVENT_ADVANCE] = 0;
    config.scenario.event_count = 1;
    config.scenario.events[0] =
        (struct serin_sim_event){.kind = SERIN_SIM_EVENT_SERIND_CRASH, .for_ms = 3600000};
    pass_stage(); /* that was before */
    judged_convicted(SERIN_SIM_DEAD);
    config.scenario.events[0].at_ms = world.now_ms - 3600000;
    pass_stage(); /* nobody was heard for an hour of these */
    judged_sound();
    config.scenario.event_count = 0;
    rollout.policy.gates[SERIN_GATE_SILENCE].max_permyriad = 10000;
    pass_stage(); /* nobody asks */
    judged_sound();
    judged_tear_down();
}
END_TEST

START_TEST(every_invariant_has_its_words)
{
    for (int i = 0; i < SERIN_SIM_INVARIANT_COUNT; i++) {
        ck_assert_str_ne(serin_sim_invariant_text((enum serin_sim_invariant)i), "unknown");
    }
    ck_assert_str_eq(serin_sim_invariant_text(SERIN_SIM_INVARIANT_COUNT), "unknown");
}
END_TEST

/* The specification has one row for each, and its number. */
START_TEST(every_invariant_is_specified)
{
    static char page[1u << 17];
    FILE *file = fopen(SIMULATION_MD, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(page, 1, sizeof page - 1u, file);
    page[size] = '\0';
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_uint_lt(size, sizeof page - 1u);
    for (int i = 1; i <= SERIN_SIM_INVARIANT_COUNT; i++) {
        char row[64];
        bool known = i < SERIN_SIM_INVARIANT_COUNT;
        (void)snprintf(row, sizeof row, "\n| %d | ", i);
        ck_assert_msg((strstr(page, row) != NULL) == known, "row %d", i);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_boots_is_signed_and_not_below_the_floor,
        a_trial_begins_in_a_lease_that_nothing_forbids,
        a_trial_that_boots_was_not_halted,
        a_gateway_holds_where_too_many_failed,
        who_takes_the_candidate_was_offered_it_and_takes_it_once,
        no_device_leaves_an_end,
        the_engine_and_the_ledger_leave_no_end,
        an_ack_is_of_what_was_committed,
        a_step_publishes_once_and_an_order_goes_out_once,
        books_agree_with_a_recount,
        nobody_is_lost,
        cohorts_are_exact,
        replacements_are_within_the_stage,
        a_search_ends_with_as_many_again,
        silence_past_the_deadline_is_a_failure,
        a_publish_says_something_new,
        a_rollout_does_not_leave_its_end,
        an_engine_that_wants_ever_more_at_once_is_stopped,
        no_rollout_goes_on_above_its_limit,
        every_limit_has_its_own_quotient,
        what_was_paused_may_be_accepted,
        no_stage_passes_on_figures_of_before_a_restart,
        nothing_is_completed_on_figures_of_before_a_restart,
        no_stage_follows_on_one_whose_devices_are_all_dead,
        every_invariant_has_its_words,
        every_invariant_is_specified,
        NULL,
    };
    return check_run("sim_invariants", tests);
}

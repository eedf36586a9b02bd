/* The rollout under the judges' eyes (sim_judged.h). */
#include "sim_judged.h"

#include <check.h>
#include <string.h>

struct serin_sim_config config;
struct serin_sim_result result;
struct sim_node nodes[DEVICES];
struct sim world;
struct serin_member list[DEVICES];
struct serin_members members;
struct serin_rollout rollout;

void judged_set_up(void)
{
    static const uint8_t salt[SERIN_SALT_SIZE] = {1};
    memset(&result, 0, sizeof result);
    memset(nodes, 0, sizeof nodes);
    memset(&world, 0, sizeof world);
    config = (struct serin_sim_config){.devices = DEVICES, .check = true};
    serin_policy_default(&config.policy);
    strcpy(config.policy.product, "lamp");
    strcpy(config.policy.channel, "stable");
    config.policy.offer_count = 1;
    config.policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 9, .manifest_id = {2}};
    config.policy.stage_count = 2;
    config.policy.stages[0] = (struct serin_stage_policy){.permyriad = 1000, .soak_s = 60};
    config.policy.stages[1] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = 60};
    config.policy.ramp.first = 0;
    world.config = &config;
    world.result = &result;
    world.nodes = nodes;
    world.releases[SIM_CANDIDATE].manifest_id[0] = 2;
    ck_assert_int_eq(sim_invariants_open(&world), SERIN_OK);
    ck_assert_int_eq(serin_rollout_init(&rollout, 1, &config.policy, salt, 1, 1000), SERIN_OK);
    members = (struct serin_members){.list = list, .count = DEVICES};
    for (uint32_t i = 0; i < DEVICES; i++) {
        list[i] = serin_rollout_member(&rollout, (i + 1) * 1000u, i);
        nodes[i].gateway = SIM_NOBODY;
        nodes[i].hardware = 1 + (uint16_t)(i % 9u);
    }
    serin_rollout_rebuild(&rollout, &members);
    sim_check_created(&world, &rollout, &members);
}

void judged_tear_down(void)
{
    sim_invariants_close(&world);
}

void judged_sound(void)
{
    ck_assert_msg(result.broken == SERIN_SIM_SOUND, "%s", result.breach);
}

void judged_convicted(enum serin_sim_invariant invariant)
{
    ck_assert_msg(result.broken == invariant, "not %s but %s: %s",
                  serin_sim_invariant_text(invariant), serin_sim_invariant_text(result.broken),
                  result.breach);
    ck_assert(result.breach[0] != '\0');
    result.broken = SERIN_SIM_SOUND;
    result.breach[0] = '\0';
    world.over = false;
}

void judged_before(enum serin_rollout_event_kind event)
{
    sim_check_step_before(&world, &rollout, event);
}

void judged_silent(void)
{
    struct serin_rollout_actions none = {.count = 0};
    sim_check_step(&world, &rollout, &members, &none);
}

void judged_told(void)
{
    struct serin_rollout_actions publishes = {.count = 1,
                                              .list = {{.kind = SERIN_ROLLOUT_ACT_PUBLISH}}};
    rollout.publishes++;
    sim_check_step(&world, &rollout, &members, &publishes);
}

void judged_step(enum serin_rollout_event_kind kind, uint32_t member, enum serin_state state,
                 enum serin_reason reason)
{
    const struct serin_rollout_event event = {
        .kind = kind, .member = member, .state = state, .reason = reason};
    struct serin_rollout_actions actions;
    judged_before(kind);
    ck_assert_int_eq(serin_rollout_step(&rollout, &members, 2000, &event, &actions), SERIN_OK);
    sim_check_step(&world, &rollout, &members, &actions);
}

void judged_roll(void)
{
    judged_step(SERIN_ROLLOUT_START, 0, SERIN_STATE_IDLE, SERIN_REASON_NONE);
    judged_step(SERIN_ROLLOUT_REPORTS_UP, 0, SERIN_STATE_IDLE, SERIN_REASON_NONE);
    judged_step(SERIN_ROLLOUT_TICK, 0, SERIN_STATE_IDLE, SERIN_REASON_NONE);
    sim_check_books(&world, &rollout, &members);
    ck_assert_uint_eq(rollout.tally.offered, STAGE);
    judged_sound();
}

struct serin_directive judged_directive(uint32_t sequence)
{
    struct serin_directive directive = {
        .order = {1, sequence},
        .stable = {.offer_count = 1, .offers = {{.manifest_id = {1}}}},
    };
    serin_rollout_candidate(&rollout, &directive);
    return directive;
}

void judged_publish(uint32_t sequence)
{
    const struct serin_directive directive = judged_directive(sequence);
    sim_check_directive(&world, &directive, &rollout, &members);
    sim_check_publish(&world, directive.order, false);
    sim_judge_sent(&world, &directive);
}

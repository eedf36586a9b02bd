/* Rollouts come to be: the operator's, and the one that takes its devices back after a halt
 * (server.h; orchestrator/shell/create.c and revert.c have the rules). */
#include "server.h"

#include "invariants.h"

#include <stdio.h>
#include <string.h>

#define REVERT_ATTEMPT 2u /* the factory's installation was the first */

void server_members_changed(struct sim_server *server)
{
    const struct server_head *head = &server->store.head;
    server->members.count = head->has_rollout ? head->member_count : 0;
    for (uint32_t i = 0; i < server->store.count; i++) {
        server->places[i] = SIM_NOBODY;
    }
    for (uint32_t i = 0; i < server->members.count; i++) {
        server->places[server->members.list[i].device] = i;
    }
}

static bool is_for(const struct serin_policy *policy, uint16_t hardware)
{
    bool found = false;
    for (size_t i = 0; i < policy->offer_count; i++) {
        found =
            found || (hardware >= policy->offers[i].hw_min && hardware <= policy->offers[i].hw_max);
    }
    return found;
}

/* Everybody who is enrolled and to whose hardware there is an offer is a member; who runs what is
 * offered has it. */
static void gather(struct sim_server *server)
{
    struct sim *sim = server->sim;
    struct server_head *head = &server->store.head;
    struct serin_rollout *rollout = &head->rollout;
    const uint8_t *offered = rollout->policy.offers[0].manifest_id;
    head->member_count = 0;
    for (uint32_t i = 0; i < server->store.count; i++) {
        char id[SIM_ID_SIZE];
        if (!is_for(&rollout->policy, server->kinds[i].hardware)) {
            continue;
        }
        sim_node_id(i, id);
        uint64_t rank = serin_cohort_rank(sim->crypto, rollout->salt, id);
        struct serin_member member = serin_rollout_member(rollout, rank, i);
        if (memcmp(server->store.records[i].running.manifest_id, offered, SERIN_SHA256_SIZE) == 0) {
            member.state = SERIN_STATE_CONFIRMED;
            member.ran_before = 1;
            member.since_s = (uint32_t)server_now_s(server);
        }
        server->members.list[head->member_count++] = member;
    }
    server->members.count = head->member_count;
    serin_rollout_rebuild(rollout, &server->members);
    server_members_changed(server);
    sim_check_created(sim, rollout, &server->members);
}

/* Of a release for which the policy says no hardware it is all. */
static void offer(const struct sim *sim, struct serin_policy *policy, unsigned release)
{
    if (policy->offer_count == 0) {
        policy->offer_count = 1;
        policy->offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = UINT16_MAX};
    }
    for (size_t i = 0; i < policy->offer_count; i++) {
        memcpy(policy->offers[i].manifest_id, sim->releases[release].manifest_id,
               SERIN_SHA256_SIZE);
    }
}

static void begin(struct sim_server *server, uint64_t id, struct serin_policy *policy,
                  unsigned offered, const uint8_t salt[SERIN_SALT_SIZE], uint32_t attempt)
{
    struct sim *sim = server->sim;
    struct server_head *head = &server->store.head;
    offer(sim, policy, offered);
    enum serin_error error =
        serin_rollout_init(&head->rollout, id, policy, salt, attempt, sim_wall_ms(sim));
    if (error == SERIN_OK) {
        head->has_rollout = true;
        gather(server);
        const struct serin_rollout_event start = {.kind = SERIN_ROLLOUT_START};
        error = server_step(server, &start);
    }
    if (error != SERIN_OK) {
        sim_failed(sim, error);
    }
}

void server_create(struct sim_server *server)
{
    struct sim *sim = server->sim;
    struct serin_policy policy = sim->config->policy;
    uint8_t salt[SERIN_SALT_SIZE];
    serin_put_le64(salt, sim_dice(sim, SIM_DICE_SERVER, 0));
    serin_put_le64(salt + 8, sim_dice(sim, SIM_DICE_SERVER, 0));
    server_store_touch(&server->store);
    begin(server, 1, &policy, SIM_CANDIDATE, salt, ++server->store.head.last_attempt);
}

/* ---- going back ---- */

bool server_revert_due(const struct sim_server *server)
{
    const struct serin_rollout *rollout = &server->store.head.rollout;
    return server->store.head.has_rollout && rollout->state == SERIN_ROLLOUT_HALTED &&
           rollout->policy.on_halt == SERIN_ON_HALT_REVERT && !rollout->policy.revert &&
           rollout->stage > 0 && rollout->reverted_by == 0 && rollout->revert_why[0] == '\0' &&
           server->store.head.directive.halt; /* the halt is published first */
}

/* A device that committed a higher security counter would refuse the stable release. */
static bool devices_take_it(struct sim_server *server)
{
    struct serin_rollout *rollout = &server->store.head.rollout;
    uint32_t above = 0;
    for (uint32_t i = 0; i < server->store.count; i++) {
        const struct serin_running *running = &server->store.records[i].running;
        above += running->floor > server->sim->releases[SIM_STABLE].counter ? 1u : 0u;
    }
    if (above > 0) {
        (void)snprintf(rollout->revert_why, sizeof rollout->revert_why,
                       "%u devices committed a security counter above the stable release's", above);
    }
    return above == 0;
}

void server_revert(struct sim_server *server)
{
    struct server_head *head = &server->store.head;
    char text[SERIN_ROLLOUT_WHY_MAX];
    server_store_touch(&server->store);
    if (!devices_take_it(server)) {
        (void)snprintf(text, sizeof text, "no way back: %.120s", head->rollout.revert_why);
        sim_say(server->sim, text);
        return;
    }
    head->rollout.reverted_by = head->rollout.id + 1u;
    head->halted = head->rollout;
    head->halted_count = head->member_count;
    head->reverting = true;
    server->sim->result->revert.began_ms = server->sim->now_ms;
    /* As the halted one was; its hours and its start are not asked again. */
    struct serin_policy policy = head->halted.policy;
    policy.offer_count = 0; /* 1.0.0 is for all */
    policy.window_count = 0;
    memset(policy.windows, 0, sizeof policy.windows);
    policy.start_s = 0;
    policy.on_halt = SERIN_ON_HALT_HOLD;
    policy.revert = policy.supersede = true;
    sim_say(server->sim, "a rollout of the stable release takes the devices back");
    for (uint32_t i = 0; i < server->members.count; i++) {
        /* Should the store lose this, it has the members as they were. */
        (void)server_store_save_member(&server->store, i, &server->members.list[i]);
    }
    begin(server, head->halted.reverted_by, &policy, SIM_STABLE, head->halted.salt, REVERT_ATTEMPT);
}

/* Rollouts come to be: the operator's, and the one that takes its devices back after a halt
 * (server.h; orchestrator/shell/create.c and revert.c have the rules). */
#include "server.h"

#include "invariants.h"

#include <stdio.h>
#include <string.h>

#define REVERT_ATTEMPT 2u /* the factory's installation was the first */

/* Everybody who is enrolled is a member; who runs what is offered has it. */
static void gather(struct sim_server *server)
{
    struct sim *sim = server->sim;
    struct serin_rollout *rollout = &server->store.head.rollout;
    const uint8_t *offered = rollout->policy.offers[0].manifest_id;
    server->members.count = server->store.count;
    for (uint32_t i = 0; i < server->store.count; i++) {
        char id[SIM_ID_SIZE];
        sim_node_id(i, id);
        uint64_t rank = serin_cohort_rank(sim->crypto, rollout->salt, id);
        struct serin_member member = serin_rollout_member(rollout, rank, i);
        if (memcmp(server->store.records[i].running.manifest_id, offered, SERIN_SHA256_SIZE) == 0) {
            member.state = SERIN_STATE_CONFIRMED;
            member.ran_before = 1;
            member.since_s = (uint32_t)server_now_s(server);
        }
        server->members.list[i] = member;
    }
    serin_rollout_rebuild(rollout, &server->members);
    for (uint32_t i = 0; i < server->store.count; i++) {
        server->places[server->members.list[i].device] = i;
    }
    sim_check_created(sim, rollout, &server->members);
}

static void begin(struct sim_server *server, uint64_t id, struct serin_policy *policy,
                  unsigned offered, const uint8_t salt[SERIN_SALT_SIZE], uint32_t attempt)
{
    struct sim *sim = server->sim;
    struct server_head *head = &server->store.head;
    policy->offer_count = 1;
    policy->offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = UINT16_MAX};
    memcpy(policy->offers[0].manifest_id, sim->releases[offered].manifest_id, SERIN_SHA256_SIZE);
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
    head->reverting = true;
    server->sim->result->revert.began_ms = server->sim->now_ms;
    /* As the halted one was; its hours and its start are not asked again. */
    struct serin_policy policy = head->halted.policy;
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

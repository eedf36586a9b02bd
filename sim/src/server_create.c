/* Rollouts come to be: the operator's, and the one that takes its devices back after a halt
 * (server.h). Who enters, and who is taken back, is decided where serind has it decided, by
 * serin/orchestrator/way_back.h. */
#include "server.h"

#include "invariants.h"

#include <stdio.h>
#include <string.h>

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

void server_attempted(struct sim_server *server, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                      uint32_t attempt)
{
    struct server_head *head = &server->store.head;
    for (size_t i = 0; i < SIM_RELEASES; i++) {
        if (attempt > head->attempts[i] &&
            memcmp(manifest_id, server->sim->releases[i].manifest_id, SERIN_SHA256_SIZE) == 0) {
            server_store_touch(&server->store);
            head->attempts[i] = attempt;
        }
    }
}

static struct serin_entrant entrant_of(const struct sim_server *server, uint32_t device)
{
    const struct server_record *record = &server->store.records[device];
    const struct server_attempt *last = &record->attempts[0];
    return (struct serin_entrant){.hardware = server->kinds[device].hardware,
                                  .floor = record->running.floor,
                                  .running = record->running.manifest_id,
                                  .tried = last->manifest_id,
                                  .attempt = last->attempt,
                                  .final = last->final,
                                  .state = (enum serin_state)last->state};
}

/* Every device is enrolled. */
static void gather(struct sim_server *server)
{
    struct sim *sim = server->sim;
    struct server_head *head = &server->store.head;
    struct serin_rollout *rollout = &head->rollout;
    head->member_count = 0;
    for (uint32_t i = 0; i < server->store.count; i++) {
        char id[SIM_ID_SIZE];
        const struct serin_entrant entrant = entrant_of(server, i);
        enum serin_entry entry = serin_rollout_entry(&rollout->policy, &entrant);
        if (entry == SERIN_ENTRY_NONE) {
            continue;
        }
        sim_node_id(i, id);
        uint64_t rank = serin_cohort_rank(sim->crypto, rollout->salt, id);
        server->members.list[head->member_count++] = serin_rollout_entered(
            rollout, rank, i, entry == SERIN_ENTRY_CONFIRMED, server_now_s(server));
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
                  unsigned offered, const uint8_t salt[SERIN_SALT_SIZE])
{
    struct sim *sim = server->sim;
    struct server_head *head = &server->store.head;
    offer(sim, policy, offered);
    enum serin_error error = serin_rollout_init(&head->rollout, id, policy, salt,
                                                ++head->attempts[offered], sim_wall_ms(sim));
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
    begin(server, 1, &policy, SIM_CANDIDATE, salt);
}

/* ---- going back ---- */

bool server_revert_due(const struct sim_server *server)
{
    const struct server_head *head = &server->store.head;
    return head->has_rollout && head->directive.halt && /* the halt is published first */
           serin_way_back_due(&head->rollout, &server->way_back);
}

static enum serin_way_back_verdict look(const struct sim_server *server,
                                        struct serin_way_back *back)
{
    for (uint32_t i = 0; i < server->store.count; i++) {
        const struct serin_entrant entrant = entrant_of(server, i);
        (void)serin_way_back_look(back, &entrant);
    }
    return serin_way_back_judge(back);
}

static void hold(struct sim_server *server, const char *why)
{
    struct serin_rollout *rollout = &server->store.head.rollout;
    char text[SERIN_ROLLOUT_WHY_MAX];
    if (strcmp(rollout->revert_why, why) != 0) {
        (void)snprintf(rollout->revert_why, sizeof rollout->revert_why, "%s", why);
        (void)snprintf(text, sizeof text, "no way back: %.120s", why);
        sim_say(server->sim, text);
    }
    serin_way_back_saw(rollout, &server->way_back);
}

static void go_back(struct sim_server *server)
{
    struct server_head *head = &server->store.head;
    struct serin_policy policy;
    head->rollout.reverted_by = head->rollout.id + 1u;
    head->rollout.revert_why[0] = '\0';
    head->halted = head->rollout;
    head->halted_count = head->member_count;
    head->reverting = true;
    server->sim->result->revert.began_ms = server->sim->now_ms;
    serin_way_back_policy(&head->halted, &policy);
    sim_say(server->sim, "a rollout of the stable release takes the devices back");
    for (uint32_t i = 0; i < server->members.count; i++) {
        /* Should the store lose this, it has the members as they were. */
        (void)server_store_save_member(&server->store, i, &server->members.list[i]);
    }
    begin(server, head->halted.reverted_by, &policy, SIM_STABLE, head->halted.salt);
}

void server_revert(struct sim_server *server)
{
    const struct serin_way_back_offer stable = {.offer = {.hw_min = 1, .hw_max = UINT16_MAX},
                                                .security_counter =
                                                    server->sim->releases[SIM_STABLE].counter};
    struct serin_way_back back = {
        .halted = &server->store.head.rollout, .offers = &stable, .offer_count = 1};
    char why[SERIN_ROLLOUT_WHY_MAX];
    server_store_touch(&server->store);
    switch (look(server, &back)) {
    case SERIN_WAY_BACK_GO:
        go_back(server);
        break;
    case SERIN_WAY_BACK_NOBODY:
        hold(server, SERIN_WAY_BACK_NOBODY_TEXT);
        break;
    case SERIN_WAY_BACK_ABOVE:
        (void)snprintf(why, sizeof why,
                       "%u devices committed a security counter above the stable release's",
                       back.above);
        hold(server, why);
        break;
    case SERIN_WAY_BACK_WAIT:
        serin_way_back_saw(&server->store.head.rollout, &server->way_back);
        break;
    case SERIN_WAY_BACK_INVALID:
    case SERIN_WAY_BACK_NO_STABLE: /* 1.0.0 is for all */
    case SERIN_WAY_BACK_LOST:
    default:
        SERIN_ASSERT(false);
    }
}

/* The simulated serind: its turns, passes and steps (server.h). */
#include "server.h"

#include "invariants.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BACKUP_MS 60000u
#define PAST_BEATS      24u
#define DAY_S           86400u

enum { WAKE, BACKUP };

/* ---- the population ---- */

static uint32_t site_of(const void *sites, uint32_t device)
{
    const struct sim_server *server = sites;
    return server->kinds[device].site;
}

static const char *site_name(const void *sites, uint32_t site)
{
    const struct sim_server *server = sites;
    sim_gateway_id(site - 1u, server->scratch->site_name);
    return server->scratch->site_name;
}

static uint32_t site_most(const void *sites)
{
    const struct sim_server *server = sites;
    return server->site_most;
}

static uint16_t hardware_of(const void *sites, uint32_t device)
{
    const struct sim_server *server = sites;
    return server->kinds[device].hardware;
}

/* Devices of one revision at one site are compared with each other. */
static uint32_t stratum_of(const void *sites, uint32_t device)
{
    const struct sim_server *server = sites;
    const struct server_kind *kind = &server->kinds[device];
    return kind->site * SERIN_SIM_HARDWARE_MAX + kind->revision;
}

/* Close together, since the engine walks through all of them. */
static void gather_kinds(struct sim_server *server)
{
    const struct sim *sim = server->sim;
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    for (uint32_t i = 0; i < server->store.count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        struct server_kind *kind = &server->kinds[i];
        kind->site = node->gateway == SIM_NOBODY ? SERIN_SITE_DIRECT : node->gateway + 1u;
        kind->hardware = node->hardware;
        for (uint16_t j = 0; j < scenario->hardware_count; j++) {
            kind->revision = scenario->hardware[j].revision == node->hardware ? j : kind->revision;
        }
    }
    for (uint32_t b = 1; b <= sim->config->gateways; b++) {
        uint32_t nodes = sim->first[b + 1] - sim->first[b];
        server->site_most = nodes > server->site_most ? nodes : server->site_most;
    }
}

/* ---- their past ---- */

/* Where a device that sleeps by turns is awake: seconds since the start, which are negative. */
struct waking {
    int64_t wakes_s, sleeps_s;
};

/* The beat before the one at `at_s`. What falls due while a device sleeps it says when it wakes. */
static int64_t beat_before(int64_t at_s, int64_t interval_s, int64_t asleep_s,
                           struct waking *waking)
{
    if (at_s - interval_s >= waking->wakes_s) {
        return at_s - interval_s;
    }
    if (at_s > waking->wakes_s) {
        return waking->wakes_s;
    }
    int64_t awake_s = waking->sleeps_s - waking->wakes_s;
    waking->sleeps_s = waking->wakes_s - asleep_s;
    waking->wakes_s = waking->sleeps_s - awake_s;
    int64_t last_s = waking->sleeps_s - interval_s / 2;
    return last_s > waking->wakes_s ? last_s : waking->wakes_s;
}

/* When a device beat before the start, the last first. */
static void past_of(const struct sim *sim, const struct sim_node *node, uint32_t offset_s,
                    int64_t beats_s[PAST_BEATS])
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    int64_t interval_s = sim->beat_interval_s;
    int64_t asleep_s = (int64_t)(scenario->asleep_ms / 1000u);
    struct waking waking = {.wakes_s = INT64_MIN / 2, .sleeps_s = 0};
    int64_t at_s = (int64_t)offset_s - interval_s;
    if (node->sleeps) {
        waking.sleeps_s = (int64_t)(node->sleep_ms / 1000u);
        waking.wakes_s = waking.sleeps_s - (int64_t)(scenario->awake_ms / 1000u);
        while (at_s < waking.wakes_s || waking.wakes_s >= 0) {
            at_s = beat_before(waking.wakes_s, interval_s, asleep_s, &waking);
        }
    }
    for (size_t i = 0; i < PAST_BEATS; i++) {
        beats_s[i] = at_s;
        at_s = beat_before(at_s, interval_s, asleep_s, &waking);
    }
}

/* Every device is enrolled and has beaten, one that is always awake for a day where beats come
 * hourly: health is judged against a past. Those that are never reached have none. */
static void give_past(struct sim_server *server)
{
    const struct sim *sim = server->sim;
    int64_t beats_s[PAST_BEATS];
    for (uint32_t i = 0; i < server->store.count; i++) {
        server->store.records[i].running =
            (struct serin_running){.version = sim->releases[SIM_STABLE].version,
                                   .security_counter = sim->releases[SIM_STABLE].counter,
                                   .slot = 1};
        memcpy(server->store.records[i].running.manifest_id, sim->releases[SIM_STABLE].manifest_id,
               SERIN_SHA256_SIZE);
        uint64_t dice = sim_dice(server->sim, SIM_DICE_SERVER, 0);
        if (sim->nodes[i].offline) {
            continue;
        }
        past_of(sim, &sim->nodes[i], (uint32_t)(dice % sim->beat_interval_s), beats_s);
        for (size_t k = PAST_BEATS; k-- > 0;) {
            uint64_t since_s = (uint64_t)(beats_s[k] - beats_s[PAST_BEATS - 1u]);
            const struct serin_health_beat beat = {.interval_s = sim->beat_interval_s,
                                                   .uptime_s = DAY_S + since_s,
                                                   .errors = sim->config->scenario.errors_per_day *
                                                             since_s / DAY_S};
            serin_health_beat(&server->store.health[i],
                              (uint64_t)((int64_t)sim_unix_s(sim) + beats_s[k]), &beat, false);
        }
    }
}

static enum serin_error make(struct sim *sim, struct sim_server *server)
{
    uint32_t count = sim->config->devices;
    uint32_t strata = (sim->config->gateways + 1u) * SERIN_SIM_HARDWARE_MAX;
    enum serin_error error = server_store_init(&server->store, count);
    server->store.stored = sim->config->stored;
    server->places = calloc(count, sizeof *server->places);
    server->kinds = calloc(count, sizeof *server->kinds);
    server->scratch = calloc(1, sizeof *server->scratch);
    server->intake = calloc(SERVER_INTAKE_MAX, sizeof *server->intake);
    server->letters = calloc(SERVER_LETTERS_MAX, sizeof *server->letters);
    server->members = (struct serin_members){
        .list = server->store.members,
        .site = site_of,
        .site_name = site_name,
        .site_most = site_most,
        .sites = server,
        .hardware = hardware_of,
        .health = server->store.health,
        .stratum = stratum_of,
        .strata = calloc(strata, sizeof *server->members.strata),
        .stratum_count = strata,
    };
    bool made = server->places != NULL && server->kinds != NULL && server->scratch != NULL &&
                server->intake != NULL && server->letters != NULL && server->members.strata != NULL;
    return error == SERIN_OK && !made ? SERIN_ERR_MEMORY : error;
}

/* The store of the moment to which an event will go back is kept when it comes. */
static void plan_backups(struct sim *sim)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    for (uint32_t i = 0; i < scenario->event_count; i++) {
        const struct serin_sim_event *event = &scenario->events[i];
        if (event->kind == SERIN_SIM_EVENT_SERIND_RESTORE) {
            uint64_t at_ms = event->at_ms > event->back_ms ? event->at_ms - event->back_ms : 0;
            /* Nobody restores what was before there was anything to lose. */
            sim_at(sim, at_ms > FIRST_BACKUP_MS ? at_ms : FIRST_BACKUP_MS, SIM_SERVER, i, BACKUP);
        }
    }
}

enum serin_error sim_server_open(struct sim *sim)
{
    struct sim_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return SERIN_ERR_MEMORY;
    }
    sim->server = server;
    server->sim = sim;
    server->wake_ms = SIM_NEVER_MS;
    server->up = true;
    enum serin_error error = make(sim, server);
    if (error != SERIN_OK) {
        return error;
    }
    struct server_head *head = &server->store.head;
    head->order = (struct serin_order){.epoch = 1};
    head->stable = (struct serin_release){.offer_count = 1, .attempt = 1};
    head->attempts[SIM_STABLE] = 1; /* the factory's installation */
    head->stable.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = UINT16_MAX};
    memcpy(head->stable.offers[0].manifest_id, sim->releases[SIM_STABLE].manifest_id,
           SERIN_SHA256_SIZE);
    gather_kinds(server);
    give_past(server);
    plan_backups(sim);
    return SERIN_OK;
}

void sim_server_close(struct sim *sim)
{
    struct sim_server *server = sim->server;
    if (server != NULL) {
        server_store_free(&server->store);
        free(server->places);
        free(server->kinds);
        free(server->scratch);
        free(server->intake);
        free(server->letters);
        free(server->members.strata);
        free(server);
        sim->server = NULL;
    }
}

/* ---- the rollout ---- */

static void carry_out(struct sim_server *server, const struct serin_rollout_action *action)
{
    struct server_head *head = &server->store.head;
    const struct serin_member *member = &server->members.list[action->member];
    switch (action->kind) {
    case SERIN_ROLLOUT_ACT_SAVE_MEMBER:
        if (server_store_save_member(&server->store, action->member, &action->before) &&
            member->state == SERIN_STATE_TIMED_OUT) {
            server_fleet_expire(server, member->device);
        }
        break;
    case SERIN_ROLLOUT_ACT_PUBLISH:
        server_want(server);
        break;
    case SERIN_ROLLOUT_ACT_PROMOTE:
        serin_rollout_promote(&head->rollout, &head->stable);
        break;
    case SERIN_ROLLOUT_ACT_AUDIT:
        sim_say(server->sim, action->text);
        break;
    case SERIN_ROLLOUT_ACT_INVALID:
    default:
        SERIN_ASSERT(false);
    }
}

bool server_ended(enum serin_rollout_state state)
{
    return state == SERIN_ROLLOUT_HALTED || state == SERIN_ROLLOUT_COMPLETED ||
           state == SERIN_ROLLOUT_ABORTED || state == SERIN_ROLLOUT_SUPERSEDED;
}

static void note_end(struct sim_server *server, enum serin_rollout_state state)
{
    struct serin_sim_result *result = server->sim->result;
    if (state == SERIN_ROLLOUT_HALTED && result->halted_ms == 0) {
        result->halted_ms = server->sim->now_ms;
    }
    server->ended_ms = server_ended(state) ? server->sim->now_ms : 0;
}

enum serin_error server_step(struct sim_server *server, const struct serin_rollout_event *event)
{
    struct serin_rollout *rollout = &server->store.head.rollout;
    struct serin_rollout_actions actions;
    server_store_touch(&server->store);
    enum serin_rollout_state state = rollout->state;
    sim_check_step_before(server->sim, rollout, event->kind);
    enum serin_error error =
        serin_rollout_step(rollout, &server->members, sim_wall_ms(server->sim), event, &actions);
    if (error != SERIN_OK) {
        return error;
    }
    for (size_t i = 0; i < actions.count; i++) {
        carry_out(server, &actions.list[i]);
    }
    server_attempted(server, rollout->policy.offers[0].manifest_id, rollout->attempt); /* a retry */
    sim_check_step(server->sim, rollout, &server->members, &actions);
    if (rollout->state != state) {
        server->state_ms = server->sim->now_ms;
        note_end(server, rollout->state);
        sim_note(server->sim, SIM_NOTE_ROLLOUT, rollout->state, rollout->stage);
    }
    return SERIN_OK;
}

/* When the next TICK is due, in simulated time. A clock that was set back would let what the engine
 * waits for lie as far off: it is due at once then, so that the engine sees the jump. */
static uint64_t tick_due_ms(const struct sim_server *server)
{
    const struct serin_rollout *rollout = &server->store.head.rollout;
    uint64_t wall_ms = sim_wall_ms(server->sim);
    if (!server->store.head.has_rollout || server_revert_due(server) ||
        rollout->reports_up != (server->connected && server->settled)) {
        return server->sim->now_ms;
    }
    if (wall_ms + SERIN_ENGINE_SLEW_MS < rollout->last_ms) {
        return server->sim->now_ms;
    }
    uint64_t due_ms = serin_rollout_deadline_ms(rollout, &server->members);
    if (due_ms == UINT64_MAX) {
        return SIM_NEVER_MS;
    }
    return server->sim->now_ms + (due_ms > wall_ms ? due_ms - wall_ms : 0);
}

static void tick(struct sim_server *server)
{
    const struct serin_rollout *rollout = &server->store.head.rollout;
    bool reports_up = server->connected && server->settled;
    if (!server->store.head.has_rollout) {
        server_create(server);
    } else if (server_revert_due(server)) {
        server_revert(server);
    }
    if (rollout->reports_up != reports_up) {
        const struct serin_rollout_event told = {.kind = reports_up ? SERIN_ROLLOUT_REPORTS_UP
                                                                    : SERIN_ROLLOUT_REPORTS_DOWN};
        enum serin_error error = server_step(server, &told);
        SERIN_ASSERT(error == SERIN_OK);
    }
    const struct serin_rollout_event event = {.kind = SERIN_ROLLOUT_TICK};
    for (int i = 0; i < SERVER_TICKS && tick_due_ms(server) <= server->sim->now_ms; i++) {
        enum serin_error error = server_step(server, &event);
        SERIN_ASSERT(error == SERIN_OK);
    }
}

/* ---- passes ---- */

/* Retained messages may say more than the store, which may be a backup: nothing is decided before
 * they were heard once. */
static bool may_work(const struct sim_server *server)
{
    return server->up && server->heard && !server->committing;
}

static bool intake_due(const struct sim_server *server)
{
    return server->intake_count > 0 &&
           (server->urgent || server->intake_count >= SERVER_INTAKE_FULL ||
            server->sim->now_ms - server->oldest_ms >= SERVER_BEAT_WAIT_MS);
}

void server_begin(struct sim_server *server)
{
    server_store_begin(&server->store);
    server_learn(server);
}

/* The work is done: what it made waits for the commit. */
void server_end(struct sim_server *server)
{
    server_make(server);
    server->committing = true;
    server->commit_ms = server->sim->now_ms + SERVER_COMMIT_MS;
    if (server->store.failed) {
        sim_failed(server->sim, SERIN_ERR_MEMORY);
    }
}

void server_commit(struct sim_server *server)
{
    server->committing = false;
    if (server->store.failed) {
        return;
    }
    server_store_commit(&server->store);
    sim_note(server->sim, SIM_NOTE_COMMIT, 0, server->letter_count);
    server_publish(server);
    server_fleet_send(server);
}

static void pass(struct sim_server *server)
{
    server_begin(server);
    server_fleet_take(server);
    if (tick_due_ms(server) <= server->sim->now_ms) {
        tick(server);
    }
    if (server->renew) {
        server->renew = false;
        server_want(server);
    }
    server_end(server);
}

/* ---- turns ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline_ms(const struct sim_server *server)
{
    if (server->committing) {
        return server->commit_ms;
    }
    uint64_t at_ms = SIM_NEVER_MS;
    if (server->connected && !server->settled) {
        at_ms = sooner(server->connected_ms + SERVER_SETTLE_MS,
                       server->heard_ms + SERVER_SETTLE_MS / 2u);
        at_ms = at_ms > server->sim->now_ms ? at_ms : server->sim->now_ms + 1u;
    }
    if (!server->heard) {
        return at_ms;
    }
    if (server->intake_count > 0) {
        at_ms = sooner(at_ms, intake_due(server) ? server->sim->now_ms
                                                 : server->oldest_ms + SERVER_BEAT_WAIT_MS);
    }
    at_ms = sooner(at_ms, server_tend_deadline_ms(server));
    return sooner(at_ms, server_publish_due(server) ? server->sim->now_ms : tick_due_ms(server));
}

void server_wake(struct sim_server *server)
{
    if (!server->up) {
        return;
    }
    uint64_t at_ms = deadline_ms(server);
    at_ms = at_ms > server->sim->now_ms ? at_ms : server->sim->now_ms;
    if (at_ms < server->wake_ms) {
        server->wake_ms = at_ms;
        sim_at(server->sim, at_ms, SIM_SERVER, 0, WAKE);
    }
}

static void settle(struct sim_server *server)
{
    uint64_t now_ms = server->sim->now_ms;
    if (server->connected && !server->settled &&
        now_ms - server->connected_ms >= SERVER_SETTLE_MS &&
        now_ms - server->heard_ms >= SERVER_SETTLE_MS / 2u) {
        server->settled = server->heard = true;
        server->tend_ms = 0;
    }
}

static void turn(struct sim_server *server)
{
    if (server->committing && server->sim->now_ms >= server->commit_ms) {
        server_commit(server);
    }
    settle(server);
    server_tend(server);
    sim_check_hour(server->sim, &server->store.head.rollout, &server->members);
    if (may_work(server) && (intake_due(server) || server_publish_due(server) ||
                             tick_due_ms(server) <= server->sim->now_ms)) {
        pass(server);
    }
    server_wake(server);
}

void sim_server_due(struct sim *sim, uint32_t index, uint32_t what)
{
    struct sim_server *server = sim->server;
    if (what == BACKUP) {
        const struct serin_sim_event *event = &sim->config->scenario.events[index];
        uint64_t at_ms = event->at_ms > event->back_ms ? event->at_ms - event->back_ms : 0;
        enum serin_error error = server_store_backup(&server->store, index, at_ms);
        if (error != SERIN_OK) {
            sim_failed(sim, error);
        }
    } else if (server->up && sim->now_ms == server->wake_ms) {
        server->wake_ms = SIM_NEVER_MS;
        turn(server);
    }
}

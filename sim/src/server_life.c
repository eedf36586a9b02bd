/* What the world does to the simulated serind, and what it is asked (server.h). */
#include "server.h"

#include "invariants.h"
#include "world.h"

#include <string.h>

#define AGAIN_MS UINT64_C(600000)

/* ---- what the world does to it ---- */

static void publish_trust(struct sim *sim)
{
    const struct serin_trust_payload value = {.record = sim->trust_record,
                                              .record_size = sizeof sim->trust_record};
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
    size_t size = 0;
    enum serin_error error =
        sim->codec->encode_trust_payload(&value, payload, sizeof payload, &size);
    if (error != SERIN_OK) {
        sim_failed(sim, error);
        return;
    }
    sim_publish(sim, SIM_CLOUD, (struct sim_from){SIM_SERVER, 0},
                (struct sim_topic){SERIN_TOPIC_TRUST, SIM_NOBODY}, payload, size, true);
}

void sim_server_link(struct sim *sim, bool up)
{
    struct sim_server *server = sim->server;
    server->connected = up;
    server->settled = false;
    server->connected_ms = server->heard_ms = sim->now_ms;
    server->view = (struct server_view){.size = 0};
    server->tend_ms = 0;
    if (up) {
        publish_trust(sim);
    }
    server_wake(server);
}

void sim_server_message(struct sim *sim, struct sim_topic topic, const uint8_t *payload,
                        size_t size, bool retained)
{
    struct sim_server *server = sim->server;
    (void)retained;
    if (!server->up) {
        return;
    }
    if (topic.kind == SERIN_TOPIC_DIRECTIVE) {
        server->heard_ms = sim->now_ms;
        server_shown(server, payload, size);
    } else {
        server_fleet_heard(server, topic, payload, size);
    }
    server_wake(server);
}

/* What serind does of words from the future, when the clock was set back and at each start. */
static void set_back(struct sim_server *server)
{
    for (uint32_t i = 0; i < server->store.count; i++) {
        (void)serin_health_set_back(&server->store.health[i], server_now_s(server));
    }
}

/* Each beat is stored with its device, and with it what beats came to: it goes on from there. */
static void resume_health(struct sim_server *server)
{
    uint64_t newest_s = 0;
    for (uint32_t i = 0; i < server->store.count; i++) {
        uint64_t heard_s = server->store.health[i].beat_s;
        bool later = heard_s > newest_s && heard_s <= server_now_s(server);
        newest_s = later ? heard_s : newest_s;
    }
    for (uint32_t i = 0; i < server->store.count; i++) {
        serin_health_resume(&server->store.health[i], newest_s, server_now_s(server));
    }
    set_back(server);
}

static void judge_loaded(struct sim *sim)
{
    if (sim->server->store.lost != SERIN_OK) {
        sim_failed(sim, sim->server->store.lost);
    }
    sim_check_restored(sim, &sim->server->store.head.rollout, &sim->server->members);
}

void sim_server_crash(struct sim *sim)
{
    struct sim_server *server = sim->server;
    server_store_abort(&server->store, &server->members);
    server_members_changed(server);
    server->up = server->connected = server->settled = server->heard = false;
    server->committing = server->urgent = false;
    server->intake_count = server->letter_count = 0;
    server->ticket_count = 0;
    server->wake_ms = SIM_NEVER_MS;
    server_forget(server);
    judge_loaded(sim);
}

static void note_restart(struct sim *sim)
{
    struct sim_server *server = sim->server;
    struct serin_sim_restarts *restarts = &sim->result->restarts;
    enum serin_rollout_state state = server->store.head.rollout.state;
    bool again = server->revived_ms != 0 && sim->now_ms - server->revived_ms < AGAIN_MS;
    restarts->awaiting += state == SERIN_ROLLOUT_AWAITING ? 1u : 0u;
    restarts->soaking += state == SERIN_ROLLOUT_SOAKING ? 1u : 0u;
    restarts->again += again ? 1u : 0u;
    restarts->down += sim_broker_is_up(sim, SIM_CLOUD) ? 0u : 1u;
    server->revived_ms = sim->now_ms;
}

void sim_server_revive(struct sim *sim)
{
    struct sim_server *server = sim->server;
    note_restart(sim);
    server->up = true;
    server->agreed = false;
    server->claimant = 0;
    server->way_back = (struct serin_way_back_seen){.looked = false};
    server->claim_rest_ms = server->guard_rest_ms = 0;
    server_resume_time(server);
    resume_health(server);
    server_wake(server);
}

void sim_server_restore(struct sim *sim, uint64_t at_ms)
{
    /* Where none was made in time it comes back with what it has. */
    (void)server_store_restore(&sim->server->store, at_ms, &sim->server->members);
    server_members_changed(sim->server);
    sim_server_revive(sim);
    judge_loaded(sim);
}

void sim_server_jumped(struct sim *sim)
{
    sim->server->tend_ms = 0;
    set_back(sim->server);
    server_wake(sim->server);
}

static const enum serin_rollout_event_kind verbs[SERIN_SIM_EVENT_COUNT] = {
    [SERIN_SIM_EVENT_PAUSE] = SERIN_ROLLOUT_PAUSE,
    [SERIN_SIM_EVENT_RESUME] = SERIN_ROLLOUT_RESUME,
    [SERIN_SIM_EVENT_HALT] = SERIN_ROLLOUT_HALT,
    [SERIN_SIM_EVENT_ADVANCE] = SERIN_ROLLOUT_ADVANCE,
    [SERIN_SIM_EVENT_RETRY] = SERIN_ROLLOUT_RETRY,
    [SERIN_SIM_EVENT_ABORT] = SERIN_ROLLOUT_ABORT,
};

bool sim_server_verb(struct sim *sim, enum serin_sim_event_kind verb)
{
    struct sim_server *server = sim->server;
    const struct serin_rollout_event event = {.kind = verbs[verb], .note = "by the scenario"};
    SERIN_ASSERT(event.kind != SERIN_ROLLOUT_EVENT_INVALID);
    if (!server->up || !server->heard || !server->store.head.has_rollout) {
        return false;
    }
    if (server->committing) {
        server_commit(server);
    }
    server_begin(server);
    bool taken = server_step(server, &event) == SERIN_OK;
    server_end(server);
    server_wake(server);
    return taken;
}

/* ---- what it shows ---- */

/* Whether the scenario still has an operator's verb to come. */
static bool verb_to_come(const struct sim *sim)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    for (size_t i = 0; i < scenario->event_count; i++) {
        const struct serin_sim_event *event = &scenario->events[i];
        if (event->at_ms >= sim->now_ms && verbs[event->kind] != SERIN_ROLLOUT_EVENT_INVALID) {
            return true;
        }
    }
    return false;
}

bool sim_waits_for_approval(const struct serin_rollout *rollout)
{
    return rollout->state == SERIN_ROLLOUT_AWAITING && !rollout->held && !rollout->approved &&
           rollout->stage < rollout->policy.stage_count &&
           rollout->policy.stages[rollout->stage].approval;
}

/* For so long nothing came of a rollout that stands still before nothing will: whoever sleeps has
 * been awake twice by then. */
static uint64_t still_ms(const struct serin_sim_scenario *scenario)
{
    uint64_t turn_ms = scenario->asleep_ms + scenario->awake_ms;
    return SERVER_STILL_MS + (scenario->sleeping > 0 ? 2u * turn_ms : 0);
}

/* Nobody will come to whom a rollout that waits for an operator could matter: whatever else it
 * waits for, a window or the start, comes by itself. */
static bool stands_still(const struct sim *sim, const struct serin_rollout *rollout,
                         uint64_t since_ms)
{
    bool waits = rollout->state == SERIN_ROLLOUT_PAUSED ||
                 (rollout->state == SERIN_ROLLOUT_AWAITING && rollout->held) ||
                 sim_waits_for_approval(rollout);
    return waits && !verb_to_come(sim) &&
           sim->now_ms - since_ms >= still_ms(&sim->config->scenario);
}

/* When the last of what lasts, and has begun, is over: until then somebody is away who may have
 * more to say, or to hear. What the limit would come before is not waited for. */
static uint64_t all_back_ms(const struct sim *sim)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    uint64_t back_ms = 0;
    for (size_t i = 0; i < scenario->event_count; i++) {
        const struct serin_sim_event *event = &scenario->events[i];
        uint64_t end_ms = event->at_ms + event->for_ms;
        if (event->for_ms > 0 && event->at_ms <= sim->now_ms && end_ms <= sim->limit_ms) {
            back_ms = back_ms > end_ms ? back_ms : end_ms;
        }
    }
    for (size_t i = 0; i < scenario->weather_count; i++) {
        const struct serin_sim_weather *weather = &scenario->weather[i];
        uint64_t end_ms = weather->from_ms + weather->for_ms;
        if (weather->from_ms <= sim->now_ms && end_ms <= sim->limit_ms) {
            back_ms = back_ms > end_ms ? back_ms : end_ms;
        }
    }
    return back_ms;
}

bool sim_server_heard_all(const struct sim *sim, uint32_t device)
{
    const struct serin_agent_record *record = &sim->nodes[device].agent.record;
    const struct serin_report_cursor *cursor = &sim->server->store.committed[device];
    return record->attempt_count == 0 ||
           (cursor->incarnation == record->incarnation && cursor->number >= record->number);
}

/* Whether a device has an attempt in progress, or something to tell that serind has not heard. */
static bool devices_open(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        const struct sim_node *node = &sim->nodes[i];
        bool comes = !node->offline && !node->deaf && node->power != SIM_POWER_BRICKED;
        if (comes && (node->busy || !sim_server_heard_all(sim, i))) {
            return true;
        }
    }
    return false;
}

bool sim_server_over(const struct sim *sim)
{
    const struct sim_server *server = sim->server;
    const struct serin_rollout *rollout = &server->store.head.rollout;
    uint64_t back_ms = all_back_ms(sim);
    if (!server->store.head.has_rollout || server->committing || sim->now_ms < back_ms) {
        return false;
    }
    uint64_t begin_ms = back_ms > server->state_ms ? back_ms : server->state_ms;
    if (!server_ended(rollout->state)) {
        return stands_still(sim, rollout, begin_ms);
    }
    /* Those under way come to their own end, or to the deadline. */
    uint64_t since_ms = sim->now_ms - begin_ms;
    if (since_ms < SERVER_AFTER_MS) {
        return false;
    }
    const struct serin_tally *tally = &rollout->tally;
    uint32_t ends = tally->confirmed + tally->failed + tally->rejected + tally->other;
    bool open = tally->accepted > ends || sim->trial > 0 || devices_open(sim);
    return !open || since_ms >= (uint64_t)rollout->policy.deadline_s * 1000u + SERVER_AFTER_MS;
}

void sim_server_moment(const struct sim *sim, struct serin_sim_moment *moment)
{
    moment->rollout = &sim->server->store.head.rollout;
}

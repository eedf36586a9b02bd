/* The directive of the channel: made in a pass, published once it is committed, looked after on
 * the cloud's broker (server.h; orchestrator/shell/publisher.h has the rules). */
#include "server.h"

#include "invariants.h"

#include <serin/directive.h>
#include <serin/host/bundle.h>

#include <string.h>

/* ---- asking ---- */

void server_want(struct sim_server *server)
{
    server->want = true;
}

void server_want_epoch(struct sim_server *server, struct serin_order above)
{
    if (!server->want_epoch || serin_order_compare(above, server->want_above) > 0) {
        server->want_epoch = true;
        server->want_above = above;
    }
}

static void doubt(struct sim_server *server, struct serin_order order)
{
    if (serin_order_compare(order, server->doubted) > 0) {
        server->doubted = order;
    }
}

/* A broker that retained what the store holds says that the store is no backup: then it takes two
 * to say otherwise. */
static bool is_believed(struct sim_server *server, uint32_t witness)
{
    if (!server->agreed) {
        return true;
    }
    if (server->claimant != 0 && server->claimant != witness) {
        server->claimant = 0;
        return true;
    }
    server->claimant = witness;
    return false;
}

void server_claim(struct sim_server *server, uint32_t device, struct serin_order claimed)
{
    if (serin_claim_judge(server->store.head.order, claimed, false) != SERIN_CLAIM_HIGHER ||
        server->sim->now_ms < server->claim_rest_ms) {
        return;
    }
    uint32_t gateway = server->sim->nodes[device].gateway;
    /* A gateway can put words into the mouth of each of its nodes: together they are one. */
    uint32_t witness =
        gateway != SIM_NOBODY ? server->sim->config->devices + gateway + 1u : device + 1u;
    if (!is_believed(server, witness)) {
        return;
    }
    server->claim_rest_ms = server->sim->now_ms + SERIN_CLAIM_REST_MS;
    server_want_epoch(server, claimed);
    doubt(server, claimed);
}

/* ---- learning what a lost self knew ---- */

static struct serin_order own_order(const struct sim_server *server)
{
    const struct server_head *head = &server->store.head;
    return head->directive.held ? head->directive.order : head->order;
}

static bool read_directive(const struct sim_server *server, const uint8_t *payload, size_t size,
                           struct serin_directive *directive)
{
    return serin_directive_open(server->sim->crypto, server->sim->codec, &server->sim->trust,
                                payload, size, directive) == SERIN_OK;
}

static struct serin_lesson lesson_of(const struct sim_server *server,
                                     const struct serin_directive *directive)
{
    return serin_repair_learn(&server->store.head.rollout, directive,
                              serin_order_compare(directive->order, own_order(server)) >= 0);
}

static void step(struct sim_server *server, enum serin_rollout_event_kind kind)
{
    const struct serin_rollout_event event = {
        .kind = kind,
        .note = "a directive that the store knows nothing of was published before it was restored",
        .restored = true,
    };
    enum serin_error error = server_step(server, &event);
    if (error != SERIN_OK && error != SERIN_ERR_STATE) {
        sim_failed(server->sim, error);
    }
}

/* Who is covered by a threshold that a lost serind published is covered. */
static void raise_threshold(struct sim_server *server, uint64_t threshold)
{
    struct serin_rollout *rollout = &server->store.head.rollout;
    if (threshold <= rollout->threshold) {
        return;
    }
    server_store_touch(&server->store);
    rollout->threshold = threshold;
    if (rollout->stage > 0) {
        rollout->thresholds[rollout->stage - 1] = threshold;
        rollout->widened_watch_ms = rollout->watch_ms; /* they have their patience */
    }
    serin_rollout_rebuild(rollout, &server->members);
}

/* Attempt numbers that the lost self gave out. */
static void learn_attempts(struct sim_server *server, const struct serin_release *release)
{
    if (release->offer_count > 0) {
        server_attempted(server, release->offers[0].manifest_id, release->attempt);
    }
}

static void learn_view(struct sim_server *server)
{
    const struct server_head *head = &server->store.head;
    struct serin_directive directive;
    if (!server->view.teaches ||
        !read_directive(server, server->view.payload, server->view.size, &directive)) {
        return;
    }
    learn_attempts(server, &directive.candidate);
    learn_attempts(server, &directive.stable);
    struct serin_lesson lesson = {.event = SERIN_ROLLOUT_EVENT_INVALID};
    if (head->has_rollout) {
        lesson = lesson_of(server, &directive);
    }
    if (serin_lesson_empty(&lesson)) {
        return;
    }
    sim_say(server->sim, "the broker shows that the store is a backup");
    raise_threshold(server, lesson.threshold);
    if (lesson.event != SERIN_ROLLOUT_EVENT_INVALID) {
        step(server, lesson.event);
    }
}

static void learn_doubt(struct sim_server *server)
{
    const struct server_view *view = &server->view;
    bool shown = view->verified && serin_order_compare(view->order, server->doubted) >= 0;
    if (!server->store.head.has_rollout || server->doubted.epoch == 0 || shown) {
        return;
    }
    /* A directive that names nothing and is newer: all that is known of the lost one. */
    const struct serin_directive lost = {.candidate_state = SERIN_CANDIDATE_NONE};
    struct serin_lesson lesson = serin_repair_learn(&server->store.head.rollout, &lost, true);
    if (lesson.event != SERIN_ROLLOUT_EVENT_INVALID) {
        step(server, lesson.event);
    }
}

void server_learn(struct sim_server *server)
{
    learn_view(server);
    learn_doubt(server);
}

/* ---- making ---- */

static void start_epoch(struct sim_server *server)
{
    struct server_head *head = &server->store.head;
    struct serin_order start;
    server_learn(server); /* what this pass heard of orders above ours */
    enum serin_error error = serin_order_new_epoch(head->order, server->want_above, &start);
    if (error != SERIN_OK) {
        sim_failed(server->sim, error);
        return;
    }
    server_store_touch(&server->store);
    head->order = start;
    server->want = true;
    sim_say(server->sim, "a new epoch begins");
}

/* The time to sign with. */
static uint64_t signed_ms(const struct sim_server *server)
{
    return serin_signed_time_ms(&server->time, sim_wall_ms(server->sim), server->sim->now_ms);
}

static void heard_time(struct sim_server *server, uint64_t issued_s)
{
    serin_signed_time_heard(&server->time, issued_s, sim_wall_ms(server->sim), server->sim->now_ms);
}

void server_resume_time(struct sim_server *server)
{
    const struct server_head *head = &server->store.head;
    serin_signed_time_resume(&server->time, &head->signed_mark, sim_wall_ms(server->sim),
                             server->sim->now_ms);
    if (head->directive.held) {
        heard_time(server, head->directive.issued_s);
    }
}

static bool time_moved(const struct sim_server *server)
{
    return serin_signed_time_moved(&server->time, &server->store.head.signed_mark,
                                   sim_wall_ms(server->sim), server->sim->now_ms);
}

/* serind keeps it with each pass, and every ten minutes. Here it is kept where the head changes
 * anyway: another copy of that for each beat would cost more than all else. */
static void keep_time(struct sim_server *server)
{
    if (server->store.touched || time_moved(server)) {
        server_store_touch(&server->store);
        server->store.head.signed_mark =
            serin_signed_time_mark(&server->time, sim_wall_ms(server->sim), server->sim->now_ms);
    }
}

static void fill(const struct sim_server *server, struct serin_directive *directive)
{
    const struct server_head *head = &server->store.head;
    const struct serin_policy *policy = &server->sim->config->policy;
    *directive = (struct serin_directive){
        .issued_s = signed_ms(server) / 1000u,
        .lease_s = SERVER_LEASE_S,
        .order = head->order,
        .stable = head->stable,
        .candidate_state = SERIN_CANDIDATE_NONE,
    };
    memcpy(directive->product, policy->product, sizeof directive->product);
    memcpy(directive->channel, policy->channel, sizeof directive->channel);
    if (head->has_rollout) {
        serin_rollout_candidate(&head->rollout, directive);
    }
}

static void make(struct sim_server *server)
{
    struct server_head *head = &server->store.head;
    struct server_directive *made = &head->directive;
    struct serin_directive directive;
    const char *field = "";
    server_store_touch(&server->store);
    enum serin_error error = serin_order_next(head->order, &head->order);
    fill(server, &directive);
    if (error == SERIN_OK) {
        error = serin_directive_seal(server->sim->config->crypto, server->sim->config->codec,
                                     server->sim->config->director, &directive, made->payload,
                                     &made->size, &field);
    }
    if (error != SERIN_OK) {
        sim_failed(server->sim, error);
        return;
    }
    made->held = true;
    made->halt = directive.candidate_state == SERIN_CANDIDATE_HALTED;
    made->order = directive.order;
    made->issued_s = directive.issued_s;
    made->lease_s = directive.lease_s;
    heard_time(server, made->issued_s);
    server->made = true;
    sim_check_directive(server->sim, &directive, &head->rollout, &server->members);
}

void server_make(struct sim_server *server)
{
    if (server->want_epoch) {
        start_epoch(server);
    }
    if (server->want) {
        make(server);
    }
    keep_time(server);
}

/* ---- sending ---- */

static void send(struct sim_server *server, bool repair)
{
    const struct server_directive *held = &server->store.head.directive;
    if (!server->connected) {
        return;
    }
    sim_check_publish(server->sim, held->order, repair);
    sim_publish(server->sim, SIM_CLOUD, (struct sim_from){SIM_SERVER, 0},
                (struct sim_topic){SERIN_TOPIC_DIRECTIVE, SIM_NOBODY}, held->payload, held->size,
                true);
    server->view.in_flight = true;
    server->view.sent_ms = server->sim->now_ms;
    server->sim->result->publishes++;
    sim_note(server->sim, SIM_NOTE_PUBLISH, held->order.epoch, held->order.sequence);
}

void server_publish(struct sim_server *server)
{
    bool made = server->made;
    server->view.teaches = false;
    server_forget(server);
    if (made) {
        server->tend_ms = 0;
        server->view.unanswered = 0;
        if (server->heard) {
            send(server, false);
        }
    }
}

void server_forget(struct sim_server *server)
{
    server->want = server->made = server->renew = false;
    server->want_epoch = false;
    server->want_above = server->doubted = (struct serin_order){0, 0};
}

/* ---- what the broker shows ---- */

static bool shows_ours(const struct sim_server *server)
{
    const struct server_directive *held = &server->store.head.directive;
    return held->held && server->view.size == held->size &&
           memcmp(server->view.payload, held->payload, held->size) == 0;
}

static bool teaches(const struct sim_server *server, const struct serin_directive *directive)
{
    if (serin_order_compare(directive->order, own_order(server)) > 0) {
        return true; /* at least the number of its attempt */
    }
    if (!server->store.head.has_rollout) {
        return false;
    }
    struct serin_lesson lesson = lesson_of(server, directive);
    return !serin_lesson_empty(&lesson);
}

void server_shown(struct sim_server *server, const uint8_t *payload, size_t size)
{
    struct server_view *view = &server->view;
    struct serin_directive directive;
    if (size > sizeof view->payload) {
        return;
    }
    memcpy(view->payload, payload, size);
    view->size = size;
    view->teaches = false;
    server->tend_ms = 0;
    if (shows_ours(server) && !server->committing) {
        /* Only what was not just sent there says that broker and store remember the same. */
        server->agreed = server->agreed || view->sent_ms == 0;
        view->in_flight = false;
        view->unanswered = 0;
        view->verified = true;
        view->order = server->store.head.directive.order;
    } else {
        view->verified = size > 0 && read_directive(server, payload, size, &directive);
        view->order = view->verified ? directive.order : (struct serin_order){0, 0};
        if (view->verified) {
            heard_time(server, directive.issued_s);
        }
        view->teaches = view->verified && teaches(server, &directive);
    }
}

/* ---- repair ---- */

/* Whether an earlier publish may still be shown. */
static bool waits(struct sim_server *server)
{
    struct server_view *view = &server->view;
    if (!view->in_flight) {
        return false;
    }
    if (server->sim->now_ms - view->sent_ms < SERVER_ANSWER_MS) {
        return true;
    }
    view->in_flight = false;
    view->unanswered++;
    return false;
}

/* It takes what is sent and shows nothing of it: its order guard remembers a higher order. */
static bool outbid(struct sim_server *server)
{
    if (server->view.unanswered < SERIN_REPAIR_UNANSWERED_MAX) {
        return false;
    }
    server->view.unanswered = 0;
    if (server->sim->now_ms < server->guard_rest_ms) {
        return false;
    }
    server->guard_rest_ms = server->sim->now_ms + SERVER_REST_MS;
    server_want_epoch(server, own_order(server));
    if (!server->agreed) {
        doubt(server, (struct serin_order){UINT32_MAX, UINT32_MAX});
    }
    return true;
}

static void look_after(struct sim_server *server)
{
    struct server_view *view = &server->view;
    const struct server_directive *held = &server->store.head.directive;
    const struct serin_repair_own own = {
        .held = held->held,
        .payload = held->payload,
        .payload_size = held->size,
        .order = own_order(server),
    };
    enum serin_sight sight =
        serin_repair_look(&own, view->payload, view->size, view->verified, view->order);
    enum serin_repair repair = serin_repair_decide(held->held, sight);
    if (repair != SERIN_REPAIR_NEW_EPOCH && waits(server)) {
        return;
    }
    switch (repair) {
    case SERIN_REPAIR_PUBLISH:
        if (!outbid(server)) {
            send(server, true);
        }
        break;
    case SERIN_REPAIR_REISSUE:
        server->renew = true;
        break;
    case SERIN_REPAIR_NEW_EPOCH:
        server_want_epoch(server, view->order);
        break;
    case SERIN_REPAIR_KEEP:
    default:
        break;
    }
}

static bool lease_half_over(const struct sim_server *server)
{
    const struct server_directive *held = &server->store.head.directive;
    return held->held && signed_ms(server) / 1000u >= held->issued_s + held->lease_s / 2u;
}

void server_tend(struct sim_server *server)
{
    if (!server->settled || server->committing || server->sim->now_ms < server->tend_ms) {
        return;
    }
    serin_signed_time_look(&server->time, sim_wall_ms(server->sim), server->sim->now_ms);
    look_after(server);
    if (lease_half_over(server)) {
        server->renew = true;
    }
    /* What is shown is as it should be until a message or the lease says otherwise. */
    const struct server_directive *held = &server->store.head.directive;
    uint64_t half_ms = (held->issued_s + held->lease_s / 2u) * 1000u;
    uint64_t time_ms = signed_ms(server);
    uint64_t wait_ms = held->held && half_ms > time_ms ? half_ms - time_ms : SERVER_REST_MS;
    server->tend_ms =
        server->sim->now_ms + (shows_ours(server) || !held->held ? wait_ms : SERVER_TEND_MS);
}

bool server_publish_due(const struct sim_server *server)
{
    return server->want_epoch || server->renew || time_moved(server);
}

uint64_t server_tend_deadline_ms(const struct sim_server *server)
{
    if (!server->settled || server->committing) {
        return SIM_NEVER_MS;
    }
    return server->tend_ms > server->sim->now_ms ? server->tend_ms : server->sim->now_ms;
}

/* The drawn fleet (drawn.h). */
#define _POSIX_C_SOURCE 200809L
#include "drawn.h"

#include "drawn_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_MS      (UINT64_C(100) * 86400u * 1000u)
#define FAILING_MS    900000u
#define NEWS_MS       1000u /* how long a halt takes to reach a device */
#define SITES         100u  /* gateways that the devices of the fleet stand behind */
#define REVISIONS     3u
#define HELD_MS       (UINT64_C(24) * DRAWN_BEAT_MS)
#define LOOK_MS       UINT64_C(600000)
#define DOWN_MS       60000u  /* how long a restart takes */
#define TICKS_AT_ONCE 100000u /* more would be an engine that asks for ever */

static uint64_t between(uint64_t number, uint64_t least, uint64_t most)
{
    return least + number % (most - least + 1u);
}

/* ---- the fleet ---- */

enum fate { GOOD, FAILS, HANGS, REGRESSES, DEAF, ERRS };
enum step { ACCEPT, TRIAL, END, AFTER };

struct event {
    uint64_t at_ms;
    uint32_t device;
    uint8_t step;
};

struct drawn {
    const struct drawn_config *config;
    struct drawn_result *result;
    struct serin_rollout rollout;
    struct serin_members members;
    struct serin_rollout_actions actions;
    struct drawn_network network;
    uint32_t *place;  /* of a device among the members */
    uint8_t *exposed; /* by device */
    struct event *heap;
    uint32_t heap_count;
    uint32_t offered; /* to whom it was offered so far, in order of rank */
    uint64_t now_ms;
    uint64_t beats_ms; /* when the next slot beats */
    uint64_t held_ms;  /* when it was last not held */
    uint64_t up_ms;    /* when the engine's program is there again */
    uint32_t restarts; /* so far */
    bool out;          /* reports are down */
    const char *wrong;
};

static uint32_t site_of(const void *ctx, uint32_t device)
{
    (void)ctx;
    return 1u + device % SITES;
}

static uint32_t site_most(const void *ctx)
{
    const struct drawn *drawn = ctx;
    return drawn->config->devices / SITES + 1u;
}

static uint16_t hardware_of(const void *ctx, uint32_t device)
{
    (void)ctx;
    return (uint16_t)(1u + device / SITES % REVISIONS);
}

static uint32_t stratum_of(const void *ctx, uint32_t device)
{
    return (site_of(ctx, device) - 1u) * REVISIONS + hardware_of(ctx, device) - 1u;
}

static enum fate fate_of(const struct drawn *drawn, uint32_t device)
{
    const struct drawn_config *config = drawn->config;
    uint64_t number = drawn_dice(config, DRAWN_FATE, device) % DRAWN_ALL;
    if (drawn->place[device] < config->change_at) {
        return GOOD;
    }
    const struct {
        uint32_t share;
        enum fate fate;
    } fates[] = {{config->fails, FAILS},
                 {config->hangs, HANGS},
                 {config->regresses, REGRESSES},
                 {config->deaf, DEAF},
                 {config->errs, ERRS}};
    uint64_t below = 0;
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        below += fates[i].share;
        if (number < below) {
            return fates[i].fate;
        }
    }
    return GOOD;
}

static uint64_t wall_ms(const struct drawn *drawn)
{
    return drawn_wall_ms(drawn->config, drawn->now_ms);
}

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->device < b->device;
}

static void push(struct drawn *drawn, uint64_t at_ms, uint32_t device, enum step step)
{
    struct event event = {.at_ms = at_ms, .device = device, .step = (uint8_t)step};
    uint32_t i = drawn->heap_count++; /* one event a device: there is room */
    while (i > 0 && earlier(&event, &drawn->heap[(i - 1u) / 2u])) {
        drawn->heap[i] = drawn->heap[(i - 1u) / 2u];
        i = (i - 1u) / 2u;
    }
    drawn->heap[i] = event;
}

static struct event pop(struct drawn *drawn)
{
    struct event first = drawn->heap[0];
    struct event last = drawn->heap[--drawn->heap_count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2u * i + 1u;
        if (child >= drawn->heap_count) {
            break;
        }
        if (child + 1u < drawn->heap_count &&
            earlier(&drawn->heap[child + 1u], &drawn->heap[child])) {
            child++;
        }
        if (!earlier(&drawn->heap[child], &last)) {
            break;
        }
        drawn->heap[i] = drawn->heap[child];
        i = child;
    }
    drawn->heap[i] = last;
    return first;
}

static uint64_t heard_ms(const struct drawn *drawn, uint32_t device, uint64_t at_ms)
{
    return drawn_heard_ms(&drawn->network, device, at_ms);
}

static void boot(struct drawn *drawn, uint32_t device, uint64_t errs_ms)
{
    if (drawn->config->beats) {
        drawn_boot(&drawn->network, device, drawn->now_ms, errs_ms);
    }
}

/* ---- the engine ---- */

static bool is_live(const struct serin_rollout *rollout)
{
    return rollout->state != SERIN_ROLLOUT_HALTED && rollout->state != SERIN_ROLLOUT_ABORTED;
}

/* Offers to whom the directive now covers. */
static void published(struct drawn *drawn)
{
    const struct serin_rollout *rollout = &drawn->rollout;
    if (rollout->state == SERIN_ROLLOUT_HALTED && drawn->result->ended_ms == 0) {
        drawn->result->ended_ms = drawn->now_ms - DRAWN_START_MS;
    }
    while (is_live(rollout) && drawn->offered < rollout->tally.offered) {
        uint32_t device = drawn->members.list[drawn->offered++].device;
        uint64_t at_ms = heard_ms(
            drawn, device,
            drawn->now_ms + between(drawn_dice(drawn->config, DRAWN_ACCEPTS, device), 50, 30000));
        if (at_ms != DRAWN_NEVER_MS) {
            push(drawn, at_ms, device, ACCEPT);
        }
    }
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void send(struct drawn *drawn, const struct serin_rollout_event *event)
{
    double begin_s = drawn->config->timed ? seconds() : 0;
    enum serin_error error = serin_rollout_step(&drawn->rollout, &drawn->members, wall_ms(drawn),
                                                event, &drawn->actions);
    drawn->result->engine_s += drawn->config->timed ? seconds() - begin_s : 0;
    if (error != SERIN_OK) {
        drawn->wrong = "the engine refused an event";
        return;
    }
    for (size_t i = 0; i < drawn->actions.count; i++) {
        if (drawn->actions.list[i].kind == SERIN_ROLLOUT_ACT_PUBLISH) {
            published(drawn);
        }
    }
}

static void tell(struct drawn *drawn, uint32_t device, enum serin_state state,
                 enum serin_reason reason)
{
    drawn->result->reports++;
    if (drawn->config->beats) {
        serin_health_heard(&drawn->network.health[device], wall_ms(drawn) / 1000u);
    }
    send(drawn, &(struct serin_rollout_event){.kind = SERIN_ROLLOUT_MEMBER,
                                              .member = drawn->place[device],
                                              .state = state,
                                              .reason = reason});
}

/* ---- what devices do ---- */

static void then(struct drawn *drawn, uint32_t device, uint64_t wait_ms, enum step step)
{
    uint64_t at_ms = heard_ms(drawn, device, drawn->now_ms + wait_ms);
    if (at_ms != DRAWN_NEVER_MS) {
        push(drawn, at_ms, device, step);
    }
}

static bool stopped(const struct drawn *drawn)
{
    return drawn->rollout.state == SERIN_ROLLOUT_HALTED &&
           wall_ms(drawn) >= drawn->rollout.ended_ms + NEWS_MS;
}

static void accept(struct drawn *drawn, uint32_t device)
{
    if (stopped(drawn)) {
        return;
    }
    if (drawn->rollout.closed) { /* it is shown as paused: devices look again later */
        push(drawn, drawn->now_ms + LOOK_MS, device, ACCEPT);
        return;
    }
    drawn->exposed[device] = 1;
    drawn->result->exposed++;
    then(drawn, device, between(drawn_dice(drawn->config, DRAWN_DOWNLOADS, device), 60000, 300000),
         TRIAL);
    tell(drawn, device, SERIN_STATE_PENDING, SERIN_REASON_NONE);
}

static uint64_t later_ms_of(const struct drawn_config *config, uint32_t device)
{
    uint64_t least_ms = config->later_max_ms != 0 ? config->later_min_ms : 3600000u;
    uint64_t most_ms = config->later_max_ms != 0 ? config->later_max_ms : 6u * 3600000u;
    return between(drawn_dice(config, DRAWN_LATER, device), least_ms, most_ms);
}

static void start_trial(struct drawn *drawn, uint32_t device)
{
    if (stopped(drawn)) {
        tell(drawn, device, SERIN_STATE_CANCELLED, SERIN_REASON_HALTED);
        return;
    }
    uint64_t number = drawn_dice(drawn->config, DRAWN_ENDS, device);
    uint32_t failing_ms =
        drawn->config->failing_max_ms != 0 ? drawn->config->failing_max_ms : FAILING_MS;
    enum fate fate = fate_of(drawn, device);
    boot(drawn, device,
         fate == ERRS ? drawn->now_ms + later_ms_of(drawn->config, device) : DRAWN_NEVER_MS);
    if (fate == HANGS) {
        drawn->result->failed++;
    } else {
        then(drawn, device,
             fate == FAILS ? between(number, 30000, failing_ms) : between(number, 10000, 70000),
             END);
    }
    tell(drawn, device, SERIN_STATE_TRIAL, SERIN_REASON_NONE);
}

static void come_to_an_end(struct drawn *drawn, uint32_t device)
{
    static const enum serin_reason reasons[] = {SERIN_REASON_CRASH, SERIN_REASON_WATCHDOG,
                                                SERIN_REASON_NOT_CONFIRMED};
    enum fate fate = fate_of(drawn, device);
    uint64_t later_ms = later_ms_of(drawn->config, device);
    if (fate == FAILS) {
        /* The image that it ran before. */
        boot(drawn, device, drawn_errs_before_ms(drawn->config, device));
        drawn->result->failed++;
        tell(drawn, device, SERIN_STATE_ROLLED_BACK,
             reasons[drawn_dice(drawn->config, DRAWN_LATER, device) % 3u]);
        return;
    }
    if (fate == REGRESSES) {
        then(drawn, device, later_ms, AFTER);
    } else if (fate == DEAF) {
        drawn->network.deaf_ms[device] = drawn->now_ms + later_ms;
        drawn->result->failed++;
    }
    drawn->result->failed += fate == ERRS ? 1u : 0;
    tell(drawn, device, SERIN_STATE_CONFIRMED, SERIN_REASON_NONE);
}

static void happen(struct drawn *drawn, const struct event *event)
{
    if (drawn->now_ms < drawn->up_ms) { /* nobody hears it: devices say it again */
        push(drawn, drawn->up_ms, event->device, (enum step)event->step);
        return;
    }
    switch ((enum step)event->step) {
    case ACCEPT:
        accept(drawn, event->device);
        break;
    case TRIAL:
        start_trial(drawn, event->device);
        break;
    case END:
        come_to_an_end(drawn, event->device);
        break;
    case AFTER:
        drawn->result->failed++;
        tell(drawn, event->device, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH);
        break;
    }
}

/* ---- a run ---- */

static bool open_fleet(struct drawn *drawn)
{
    const struct drawn_config *config = drawn->config;
    uint32_t count = config->devices;
    drawn->members.list = calloc(count, sizeof *drawn->members.list);
    drawn->members.strata = calloc((size_t)SITES * REVISIONS, sizeof *drawn->members.strata);
    drawn->place = calloc(count, sizeof *drawn->place);
    drawn->exposed = calloc(count, sizeof *drawn->exposed);
    drawn->heap = calloc(count, sizeof *drawn->heap);
    const uint8_t salt[SERIN_SALT_SIZE] = {1};
    if (!drawn_network_open(&drawn->network, config) || drawn->members.list == NULL ||
        drawn->members.strata == NULL || drawn->place == NULL || drawn->exposed == NULL ||
        drawn->heap == NULL) {
        drawn->wrong = "memory is exhausted";
        return false;
    }
    if (serin_rollout_init(&drawn->rollout, 1, &config->policy, salt, 1, DRAWN_START_MS) !=
        SERIN_OK) {
        drawn->wrong = "the engine refused the policy";
        return false;
    }
    for (uint32_t device = 0; device < count; device++) {
        drawn->members.list[device] =
            serin_rollout_member(&drawn->rollout, drawn_dice(config, DRAWN_RANK, device), device);
    }
    drawn->members.count = count;
    drawn->members.site = site_of;
    drawn->members.site_most = site_most;
    drawn->members.hardware = hardware_of;
    drawn->members.sites = drawn;
    if (config->beats) {
        drawn->members.health = drawn->network.health;
        drawn->members.stratum = stratum_of;
        drawn->members.stratum_count = SITES * REVISIONS;
    }
    serin_rollout_rebuild(&drawn->rollout, &drawn->members);
    for (uint32_t i = 0; i < count; i++) {
        drawn->place[drawn->members.list[i].device] = i;
    }
    return true;
}

static void close_fleet(struct drawn *drawn)
{
    free(drawn->members.list);
    free(drawn->members.strata);
    free(drawn->place);
    free(drawn->exposed);
    free(drawn->heap);
    drawn_network_close(&drawn->network);
}

static bool is_over(const struct drawn *drawn)
{
    switch (drawn->rollout.state) {
    case SERIN_ROLLOUT_COMPLETED:
    case SERIN_ROLLOUT_ABORTED:
    case SERIN_ROLLOUT_SUPERSEDED:
    case SERIN_ROLLOUT_PAUSED:
        return true;
    case SERIN_ROLLOUT_HALTED:
        return drawn->heap_count == 0;
    case SERIN_ROLLOUT_AWAITING: /* what silence holds may be heard again, and goes on by itself */
        return drawn->rollout.held && drawn->heap_count == 0 &&
               (!drawn->config->beats || drawn->now_ms >= drawn->held_ms + HELD_MS);
    case SERIN_ROLLOUT_INVALID:
    case SERIN_ROLLOUT_CREATED:
    case SERIN_ROLLOUT_ROLLING:
    case SERIN_ROLLOUT_SOAKING:
    case SERIN_ROLLOUT_STATE_COUNT:
        break;
    }
    return false;
}

/* Those beat whose slot it is, and the next one is awaited. */
static void beat(struct drawn *drawn)
{
    if (drawn->now_ms >= drawn->up_ms) {
        drawn_beat_slot(&drawn->network, drawn->beats_ms);
    }
    drawn->beats_ms += DRAWN_SLOT_MS;
}

/* Before the first stage the devices have beaten for a day: their own past is known. */
static void warm_up(struct drawn *drawn)
{
    for (drawn->beats_ms = DRAWN_START_MS;
         drawn->config->beats && drawn->beats_ms < drawn->now_ms;) {
        beat(drawn);
    }
}

/* The engine's program ends, and begins anew with what it stored: that reports can arrive it says
 * once it is connected. */
static void restart(struct drawn *drawn)
{
    drawn->restarts++;
    drawn->up_ms = drawn->now_ms + DOWN_MS;
    if (drawn->config->stored(&drawn->rollout) != SERIN_OK) {
        drawn->wrong = "the rollout cannot be stored";
        return;
    }
    serin_rollout_rebuild(&drawn->rollout, &drawn->members);
    if (drawn->config->beats) {
        drawn_resume(&drawn->network, drawn->up_ms);
    }
    drawn->out = true;
}

/* When it does so next. */
static uint64_t restart_ms(const struct drawn *drawn)
{
    const struct drawn_config *config = drawn->config;
    bool more = config->stored != NULL && drawn->restarts < config->restarts;
    return more ? DRAWN_START_MS + config->restart_ms + drawn->restarts * config->restart_every_ms
                : DRAWN_NEVER_MS;
}

/* Time passes: as far as a beat, which there is every minute, where anything depends on it. */
static void pass(struct drawn *drawn, uint64_t at_ms)
{
    uint64_t span_ms = at_ms > drawn->now_ms ? at_ms - drawn->now_ms : 0;
    drawn->result->held_ms += drawn->rollout.held ? span_ms : 0;
    drawn->now_ms += span_ms;
    drawn->held_ms = drawn->rollout.held ? drawn->held_ms : drawn->now_ms;
    if (drawn->now_ms >= restart_ms(drawn)) {
        restart(drawn);
    }
    bool out = drawn->now_ms < drawn->up_ms || drawn_is_out(drawn->config, drawn->now_ms);
    if (out != drawn->out) {
        drawn->out = !drawn->out;
        send(drawn, &(struct serin_rollout_event){.kind = drawn->out ? SERIN_ROLLOUT_REPORTS_DOWN
                                                                     : SERIN_ROLLOUT_REPORTS_UP});
    }
}

/* When the engine wants its next TICK, by the time of the run. */
static uint64_t tick_ms(const struct drawn *drawn)
{
    uint64_t due_ms = serin_rollout_deadline_ms(&drawn->rollout, &drawn->members);
    int64_t ahead_ms = (int64_t)(wall_ms(drawn) - drawn->now_ms);
    if (wall_ms(drawn) + SERIN_ENGINE_SLEW_MS < drawn->rollout.last_ms) {
        return drawn->now_ms; /* its clock went back: as serind, it looks at once */
    }
    if (due_ms == DRAWN_NEVER_MS) {
        return DRAWN_NEVER_MS;
    }
    return (int64_t)due_ms > ahead_ms ? (uint64_t)((int64_t)due_ms - ahead_ms) : 0;
}

static void go_on(struct drawn *drawn)
{
    uint32_t ticks = 0;
    while (drawn->wrong == NULL && !is_over(drawn)) {
        uint64_t due_ms = tick_ms(drawn);
        uint64_t next_ms = drawn->heap_count > 0 ? drawn->heap[0].at_ms : DRAWN_NEVER_MS;
        uint64_t beats_ms = drawn->config->beats ? drawn->beats_ms : DRAWN_NEVER_MS;
        uint64_t at_ms = due_ms < next_ms ? due_ms : next_ms;
        at_ms = beats_ms < at_ms ? beats_ms : at_ms;
        ticks = at_ms > drawn->now_ms ? 0 : ticks + 1u;
        if (at_ms == DRAWN_NEVER_MS || at_ms > DRAWN_START_MS + LIMIT_MS || ticks > TICKS_AT_ONCE) {
            drawn->wrong = "the rollout does not come to an end";
            return;
        }
        pass(drawn, at_ms);
        if (at_ms == beats_ms) {
            beat(drawn);
        } else if (at_ms == next_ms) {
            struct event event = pop(drawn);
            happen(drawn, &event);
        } else {
            send(drawn, &(struct serin_rollout_event){.kind = SERIN_ROLLOUT_TICK});
        }
    }
}

bool drawn_run(const struct drawn_config *config, struct drawn_result *result)
{
    *result = (struct drawn_result){.stage = 0};
    struct drawn *drawn = calloc(1, sizeof *drawn);
    if (drawn == NULL) {
        return false;
    }
    drawn->config = config;
    drawn->result = result;
    if (open_fleet(drawn)) {
        drawn->now_ms = DRAWN_START_MS + (config->beats ? UINT64_C(24) * DRAWN_BEAT_MS : 0);
        drawn->rollout.last_ms = drawn->now_ms;
        warm_up(drawn);
        send(drawn, &(struct serin_rollout_event){.kind = SERIN_ROLLOUT_REPORTS_UP});
        send(drawn, &(struct serin_rollout_event){.kind = SERIN_ROLLOUT_START});
        go_on(drawn);
    }
    result->state = drawn->rollout.state;
    result->stage = drawn->rollout.stage;
    result->held = drawn->rollout.held;
    result->publishes = drawn->rollout.publishes;
    if (result->ended_ms == 0) {
        result->ended_ms = drawn->now_ms - DRAWN_START_MS;
    }
    (void)snprintf(result->why, sizeof result->why, "%s",
                   drawn->wrong != NULL ? drawn->wrong : drawn->rollout.why);
    bool sound = drawn->wrong == NULL;
    close_fleet(drawn);
    free(drawn);
    return sound;
}

/* ---- speed ---- */

double drawn_speed_mixed(const struct serin_policy *policy, uint32_t devices)
{
    const struct drawn_config config = {.policy = *policy,
                                        .devices = devices,
                                        .fails = DRAWN_ALL / 500u,
                                        .regresses = DRAWN_ALL / 1000u,
                                        .offline = DRAWN_ALL / 20u,
                                        .beats = true,
                                        .timed = true,
                                        .seed = 1};
    struct drawn_result result;
    bool sound = drawn_run(&config, &result) && result.state == SERIN_ROLLOUT_COMPLETED;
    return sound && result.engine_s > 0 ? (double)result.reports / result.engine_s : 0;
}

/* Every device says each of its states once, device by device in an order that is not the rank's:
 * as reports come in. */
double drawn_speed(uint32_t devices, uint64_t reports)
{
    static const enum serin_state states[] = {
        SERIN_STATE_PENDING, SERIN_STATE_DOWNLOADING, SERIN_STATE_VERIFYING,
        SERIN_STATE_STAGED,  SERIN_STATE_TRIAL,       SERIN_STATE_CONFIRMED,
    };
    double spent = 0;
    uint64_t handled = 0;
    for (uint64_t seed = 1; handled < reports; seed++) {
        struct drawn_config config = {.devices = devices, .seed = seed};
        struct drawn_result result = {.stage = 0};
        serin_policy_default(&config.policy);
        (void)snprintf(config.policy.product, sizeof config.policy.product, "lamp");
        (void)snprintf(config.policy.channel, sizeof config.policy.channel, "stable");
        config.policy.offer_count = 1;
        config.policy.offers[0] =
            (struct serin_offer){.hw_min = 1, .hw_max = 9, .manifest_id = {1}};
        config.policy.stage_count = 1;
        config.policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = 3600};
        config.policy.ramp.first = 0;
        struct drawn *drawn = calloc(1, sizeof *drawn);
        if (drawn == NULL) {
            return 0;
        }
        drawn->config = &config;
        drawn->result = &result;
        drawn->now_ms = DRAWN_START_MS;
        if (!open_fleet(drawn)) {
            close_fleet(drawn);
            free(drawn);
            return 0;
        }
        const struct serin_rollout_event up = {.kind = SERIN_ROLLOUT_REPORTS_UP};
        const struct serin_rollout_event start = {.kind = SERIN_ROLLOUT_START};
        enum serin_error error = serin_rollout_step(&drawn->rollout, &drawn->members, drawn->now_ms,
                                                    &up, &drawn->actions);
        if (error == SERIN_OK) {
            error = serin_rollout_step(&drawn->rollout, &drawn->members, drawn->now_ms, &start,
                                       &drawn->actions);
        }
        double begin = seconds();
        for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
            for (uint32_t device = 0; device < devices && error == SERIN_OK; device++) {
                const struct serin_rollout_event event = {.kind = SERIN_ROLLOUT_MEMBER,
                                                          .member = drawn->place[device],
                                                          .state = states[s],
                                                          .reason = SERIN_REASON_NONE};
                error = serin_rollout_step(&drawn->rollout, &drawn->members, drawn->now_ms + device,
                                           &event, &drawn->actions);
                handled++;
            }
        }
        spent += seconds() - begin;
        bool whole = error == SERIN_OK && drawn->rollout.tally.confirmed == devices;
        close_fleet(drawn);
        free(drawn);
        if (!whole) {
            return 0; /* it did not handle them at all */
        }
    }
    return (double)handled / spent;
}

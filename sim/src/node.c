/*
 * A device's life: power, boots, its link, its one timer. What it is and does otherwise is its
 * bootloader's, its agent's (node_boot.c) and its application's (node_app.c).
 */
#include "seat.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BOOT_MS  600000u /* the fleet is switched on within this time */
#define BOOT_MIN_MS    1000u   /* from the reset to the agent's start */
#define BOOT_MAX_MS    3000u
#define CONNECT_MIN_MS 500u
#define CONNECT_MAX_MS 5000u
#define COME_BACK_MIN  30000u /* after a link that dropped in the middle of a download */
#define COME_BACK_MS   120000u
#define OFF_MIN_MS     1000u
#define OFF_MAX_MS     120000u
#define RESET_MAX_MS   60000u /* an application finishes what it is at before it lets go */
#define RESET_WAITS    4u     /* one of so many does */
#define CUT_WITHIN_MS  60000u /* a cut that no flash operation meets comes anyway */
#define CUT_OPERATIONS 8u
#define TRIAL_LOOK_MS  10000u /* whether a trial that kept it awake is over */
#define YEAR_MS        (UINT64_C(365) * 86400000u)

static uint32_t index_of(const struct sim *sim, const struct sim_node *node)
{
    return (uint32_t)(node - sim->nodes);
}

/* ---- its timer ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t due_ms(const struct sim_node *node)
{
    uint64_t due = earlier(node->power_ms, node->sleep_ms);
    if (node->power == SIM_POWER_ON) {
        due = earlier(due, earlier(node->link_ms, node->reset_ms));
    }
    if (node->power == SIM_POWER_ON && !node->reset_asked) {
        due = earlier(due, earlier(node->app_ms, node->fault_ms));
    }
    if (node->power == SIM_POWER_ON && !node->hung) {
        uint64_t agent_ms = serin_agent_next_ms(&node->agent);
        due = earlier(due, agent_ms == UINT64_MAX ? SIM_NEVER_MS : node->boot_ms + agent_ms);
    } else if (node->power == SIM_POWER_BOOTING) {
        due = earlier(due, node->boot_ms);
    }
    return due;
}

/* Sees to it that the device is woken when it must be. A later alarm stays: it finds nothing due.
 */
static void arm(struct sim *sim, struct sim_node *node)
{
    uint64_t due = due_ms(node);
    due = due > sim->now_ms ? due : sim->now_ms + 1u;
    if (due < node->alarm_ms) {
        node->alarm_ms = due;
        sim_at(sim, due, SIM_NODE, index_of(sim, node), 0);
    }
}

/* ---- its power ---- */

static void stop(struct sim *sim, struct sim_node *node)
{
    uint32_t index = index_of(sim, node);
    sim_net_disconnect(sim, index);
    node->reset_asked = false;
    node->hung = false;
    node->link_ms = node->app_ms = node->reset_ms = SIM_NEVER_MS;
}

static void next_cut(struct sim *sim, struct sim_node *node)
{
    uint32_t cuts = sim->config->scenario.power_cuts_per_year;
    node->cut_armed = false;
    node->power_ms = SIM_NEVER_MS;
    if (cuts > 0) {
        node->power_ms = sim->now_ms + sim_dice_between(sim, SIM_DICE_POWER, index_of(sim, node), 1,
                                                        2u * YEAR_MS / cuts);
    }
}

static void lose_power(struct sim *sim, struct sim_node *node)
{
    stop(sim, node);
    node->power = SIM_POWER_OFF;
    node->flash.off = true;
    node->cut_armed = false;
    node->cause = SERIN_RESET_POWER;
    node->power_ms = sim->now_ms + node->off_for_ms;
    sim->result->power_cuts++;
    sim_note(sim, SIM_NOTE_POWER, index_of(sim, node), 0);
}

/* Lets the power go at one of the next flash operations, before, inside or after it. */
static void arm_cut(struct sim *sim, struct sim_node *node)
{
    static const enum serin_cut cuts[] = {SERIN_CUT_BEFORE, SERIN_CUT_INSIDE, SERIN_CUT_AFTER};
    uint64_t dice = sim_dice(sim, SIM_DICE_POWER, index_of(sim, node));
    sim_flash_cut(&node->flash, 1u + dice % CUT_OPERATIONS, cuts[(dice >> 32) % 3u]);
    node->cut_armed = true;
    node->power_ms = sim->now_ms + 1u + (dice >> 40) % CUT_WITHIN_MS;
    node->off_for_ms = (uint32_t)sim_dice_between(sim, SIM_DICE_POWER, index_of(sim, node),
                                                  OFF_MIN_MS, OFF_MAX_MS);
}

static void start_boot(struct sim *sim, struct sim_node *node, enum serin_reset_cause cause)
{
    node->power = SIM_POWER_BOOTING;
    node->cause = (uint8_t)cause;
    node->boot_ms = sim->now_ms + sim_dice_between(sim, SIM_DICE_BOOT, index_of(sim, node),
                                                   BOOT_MIN_MS, BOOT_MAX_MS);
}

static void power_up(struct sim *sim, struct sim_node *node)
{
    node->flash.off = false;
    sim_flash_cut(&node->flash, 1, SERIN_CUT_NONE);
    sim_note(sim, SIM_NOTE_POWER, index_of(sim, node), 1);
    start_boot(sim, node, SERIN_RESET_POWER);
    next_cut(sim, node);
}

static void power_due(struct sim *sim, struct sim_node *node)
{
    if (node->power == SIM_POWER_OFF) {
        power_up(sim, node);
    } else if (node->power == SIM_POWER_BRICKED) {
        node->power_ms = SIM_NEVER_MS;
    } else if (node->cut_armed) {
        lose_power(sim, node);
    } else {
        arm_cut(sim, node);
    }
}

void sim_node_cut(struct sim *sim, uint32_t index, uint64_t for_ms)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->power == SIM_POWER_ON || node->power == SIM_POWER_BOOTING) {
        node->off_for_ms = (uint32_t)for_ms;
        lose_power(sim, node);
        arm(sim, node);
    }
}

/* ---- its link ---- */

static bool may_connect(const struct sim_node *node)
{
    return node->power == SIM_POWER_ON && !node->offline && !node->asleep && !node->away &&
           !node->deaf && !node->connected;
}

static void connect_within(struct sim *sim, struct sim_node *node, uint64_t least_ms,
                           uint64_t most_ms)
{
    node->link_ms = may_connect(node)
                        ? sim->now_ms + sim_dice_between(sim, SIM_DICE_LINK, index_of(sim, node),
                                                         least_ms, most_ms)
                        : SIM_NEVER_MS;
}

void sim_node_drop(struct sim *sim, uint32_t index, uint64_t within_ms)
{
    struct sim_node *node = &sim->nodes[index];
    const struct serin_agent_event event = {.kind = SERIN_AGENT_DISCONNECTED};
    if (node->connected) {
        sim_net_disconnect(sim, index);
        if (!node->hung) {
            (void)sim_seat_step(sim, &event);
        }
    }
    node->link_ms = SIM_NEVER_MS;
    if (within_ms != SIM_NEVER_MS) {
        connect_within(sim, node, COME_BACK_MIN < within_ms ? COME_BACK_MIN : 0, within_ms);
    }
}

static void link_due(struct sim *sim, struct sim_node *node)
{
    const struct serin_agent_event event = {.kind = SERIN_AGENT_CONNECTED};
    node->link_ms = SIM_NEVER_MS; /* where the broker is down it will say when it is back */
    if (may_connect(node) && sim_net_connect(sim, index_of(sim, node)) && !node->hung) {
        (void)sim_seat_step(sim, &event);
    }
}

/* A device on trial stays awake, and one that sleeps wakes for it: it must be heard to confirm. */
static void sleep_due(struct sim *sim, struct sim_node *node)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    if (!node->asleep && node->trial) {
        node->sleep_ms = sim->now_ms + TRIAL_LOOK_MS;
        return;
    }
    node->asleep = !node->asleep;
    node->sleep_ms = sim->now_ms + (node->asleep ? scenario->asleep_ms : scenario->awake_ms);
    if (node->power != SIM_POWER_ON) {
        return;
    }
    if (node->asleep) {
        sim->result->sleeps++;
        sim_node_drop(sim, index_of(sim, node), SIM_NEVER_MS);
    } else {
        connect_within(sim, node, CONNECT_MIN_MS, CONNECT_MAX_MS);
    }
}

/* ---- what a step left behind ---- */

void sim_node_reset(struct sim *sim, uint32_t index, enum serin_reset_cause cause)
{
    struct sim_node *node = &sim->nodes[index];
    sim->result->crashes += cause == SERIN_RESET_CRASH || cause == SERIN_RESET_WATCHDOG ? 1u : 0u;
    stop(sim, node);
    start_boot(sim, node, cause);
}

/* A reset that the agent asks for may have to wait for the application. What is heard meanwhile is
 * heard: it may take the trial back that the reset is for. One that ends a trial does not wait. */
static void reset_due(struct sim *sim, struct sim_node *node)
{
    if (node->reset_ms == SIM_NEVER_MS) {
        uint64_t wait_ms = sim_dice_between(sim, SIM_DICE_BOOT, index_of(sim, node), 0,
                                            (uint64_t)RESET_WAITS * RESET_MAX_MS);
        node->reset_ms = sim->now_ms + (wait_ms < RESET_MAX_MS && !node->trial ? wait_ms : 0);
    }
    if (sim->now_ms >= node->reset_ms) {
        sim_node_reset(sim, index_of(sim, node), SERIN_RESET_REQUESTED);
    }
}

static void settle(struct sim *sim, struct sim_node *node)
{
    if (node->flash.off && node->power != SIM_POWER_OFF && node->power != SIM_POWER_BRICKED) {
        lose_power(sim, node); /* an armed cut met a flash operation */
    } else if (node->reset_asked) {
        reset_due(sim, node);
    }
    sim_seat_scratch(sim, node);
    arm(sim, node);
}

static void boot(struct sim *sim, struct sim_node *node)
{
    if (!sim_seat_boot(sim, (enum serin_reset_cause)node->cause)) {
        return; /* the power went, or nothing boots */
    }
    node->power = SIM_POWER_ON;
    if (node->trial && node->asleep) {
        node->asleep = false;
        node->sleep_ms = sim->now_ms + sim->config->scenario.awake_ms;
    }
    sim_app_booted(sim, node);
    connect_within(sim, node, CONNECT_MIN_MS, CONNECT_MAX_MS);
}

static void agent_due(struct sim *sim, struct sim_node *node)
{
    const struct serin_agent_event event = {.kind = SERIN_AGENT_TICK};
    if (sim->now_ms - node->boot_ms >= serin_agent_next_ms(&node->agent)) {
        (void)sim_seat_step(sim, &event);
    }
}

/* Whether its agent hears: the power stands, also where a reset waits for the application. */
static bool hears(const struct sim_node *node)
{
    return node->power == SIM_POWER_ON && !node->flash.off && !node->hung;
}

/* Whether what is due may go on: the power stands, and no reset waits. */
static bool runs(const struct sim_node *node)
{
    return node->power == SIM_POWER_ON && !node->flash.off && !node->reset_asked;
}

static void on_due(struct sim *sim, struct sim_node *node)
{
    if (node->power == SIM_POWER_ON && !node->flash.off && sim->now_ms >= node->link_ms) {
        link_due(sim, node);
    }
    if (runs(node) && sim->now_ms >= node->app_ms) {
        sim_app_due(sim, node);
    }
    if (runs(node) && !node->hung && sim->now_ms >= node->fault_ms) {
        sim_app_fault(sim, node);
    }
    if (hears(node)) {
        agent_due(sim, node);
    }
}

void sim_node_due(struct sim *sim, uint32_t index, uint32_t what)
{
    struct sim_node *node = &sim->nodes[index];
    (void)what;
    if (node->alarm_ms != sim->now_ms) {
        return; /* it was woken before, by an earlier alarm */
    }
    node->alarm_ms = SIM_NEVER_MS;
    (void)sim_seat(sim, index);
    if (sim->now_ms >= node->power_ms) {
        power_due(sim, node);
    }
    if (sim->now_ms >= node->sleep_ms) {
        sleep_due(sim, node);
    }
    if (node->power == SIM_POWER_BOOTING && sim->now_ms >= node->boot_ms) {
        boot(sim, node);
    }
    on_due(sim, node);
    settle(sim, node);
}

/* ---- what comes from outside ---- */

/* A download whose link drops at a part of the image, once. */
static void drop_download(struct sim *sim, struct sim_node *node)
{
    struct serin_agent_view view;
    serin_agent_inspect(&node->agent, &view);
    uint64_t at = (uint64_t)sim->image_size * sim->config->scenario.cut_at / SERIN_SIM_ALL;
    if (view.state == SERIN_STATE_DOWNLOADING && view.bytes_done >= at) {
        node->drops = false;
        sim->result->cuts++;
        sim_node_drop(sim, index_of(sim, node), COME_BACK_MS);
    }
}

void sim_node_message(struct sim *sim, uint32_t index, struct sim_topic topic,
                      const uint8_t *payload, size_t size, bool retained)
{
    struct sim_node *node = &sim->nodes[index];
    const struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                            .topic = topic.kind,
                                            .retained = retained,
                                            .payload = payload,
                                            .payload_size = size};
    if (!hears(node)) {
        return;
    }
    (void)sim_seat(sim, index);
    sim_heard_message(sim, node, topic, payload, size); /* before: the step may arm a trial */
    (void)sim_seat_step(sim, &event);
    if (node->drops && topic.kind == SERIN_TOPIC_DEV_BLOCK) {
        drop_download(sim, node);
    }
    settle(sim, node);
}

void sim_node_unlinked(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->connected) {
        (void)sim_seat(sim, index);
        sim_node_drop(sim, index, SIM_NEVER_MS);
        settle(sim, node);
    }
}

void sim_node_relink(struct sim *sim, uint32_t index, uint64_t within_ms)
{
    struct sim_node *node = &sim->nodes[index];
    if (may_connect(node)) {
        connect_within(sim, node, CONNECT_MIN_MS, CONNECT_MIN_MS + within_ms);
        arm(sim, node);
    }
}

void sim_node_away(struct sim *sim, uint32_t index, bool away)
{
    struct sim_node *node = &sim->nodes[index];
    node->away = away;
    sim->result->weathered += away ? 1u : 0u;
    if (away) {
        sim_node_unlinked(sim, index);
    } else {
        sim_node_relink(sim, index, COME_BACK_MS);
    }
}

/* ---- opening ---- */

static uint16_t hardware_of(struct sim *sim, uint32_t index)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    uint64_t total = 0;
    for (size_t i = 0; i < scenario->hardware_count; i++) {
        total += scenario->hardware[i].share;
    }
    if (total == 0) {
        return 1;
    }
    uint64_t dice = sim_dice_between(sim, SIM_DICE_LAYOUT, index, 0, total - 1u);
    size_t i = 0;
    while (dice >= scenario->hardware[i].share) {
        dice -= scenario->hardware[i].share;
        i++;
    }
    return scenario->hardware[i].revision;
}

static enum serin_error node_open(struct sim *sim, uint32_t index)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    struct sim_node *node = &sim->nodes[index];
    uint32_t gateways = sim->config->gateways;
    bool direct = gateways == 0 || sim_dice_share(sim, SIM_DICE_LAYOUT, index, scenario->direct);
    node->gateway = direct ? SIM_NOBODY : index % gateways;
    node->hardware = hardware_of(sim, index);
    node->clock = sim_dice_share(sim, SIM_DICE_LAYOUT, index, SERIN_SIM_ALL / 2u);
    node->offline = sim_dice_share(sim, SIM_DICE_LAYOUT, index, scenario->offline);
    sim->result->offline += node->offline ? 1u : 0u;
    node->sleeps = sim_dice_share(sim, SIM_DICE_LAYOUT, index, scenario->sleeping);
    node->running_release = SIM_RELEASES;
    node->state = SERIN_STATE_IDLE;
    node->reason = SERIN_REASON_NONE;
    node->alarm_ms = node->sleep_ms = node->link_ms = node->reset_ms = SIM_NEVER_MS;
    node->app_ms = node->fault_ms = node->hold_end_ms = SIM_NEVER_MS;
    node->power_ms = sim_dice_between(sim, SIM_DICE_BOOT, index, 0, FIRST_BOOT_MS);
    if (node->sleeps && scenario->asleep_ms + scenario->awake_ms > 0) {
        node->sleep_ms = sim_dice_between(sim, SIM_DICE_LAYOUT, index, 1,
                                          scenario->asleep_ms + scenario->awake_ms);
    }
    sim_app_choose(sim, node, index);
    return sim_factory_flash(sim, &node->flash, sim_dice(sim, SIM_DICE_POWER, index) >> 1);
}

/* The devices of each broker, in a row. */
static enum serin_error make_members(struct sim *sim)
{
    uint32_t brokers = sim->config->gateways + 1u;
    sim->members = calloc(sim->config->devices, sizeof *sim->members);
    sim->first = calloc(brokers + 2u, sizeof *sim->first);
    if (sim->members == NULL || sim->first == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        sim->first[sim_node_broker(&sim->nodes[i]) + 2u]++;
    }
    for (uint32_t b = 2; b <= brokers + 1u; b++) {
        sim->first[b] += sim->first[b - 1u];
    }
    /* Filled, each entry has moved on to the start of the next broker's. */
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        sim->members[sim->first[sim_node_broker(&sim->nodes[i]) + 1u]++] = i;
    }
    return SERIN_OK;
}

enum serin_error sim_nodes_open(struct sim *sim)
{
    size_t bytes = sim->config->devices * sizeof *sim->nodes;
    sim->nodes = aligned_alloc(SIM_LINE, bytes);
    if (sim->nodes == NULL) {
        return SERIN_ERR_MEMORY;
    }
    memset(sim->nodes, 0, bytes);
    enum serin_error error = SERIN_OK;
    for (uint32_t i = 0; error == SERIN_OK && i < sim->config->devices; i++) {
        error = node_open(sim, i);
    }
    if (error == SERIN_OK) {
        error = make_members(sim);
    }
    if (error == SERIN_OK) {
        error = sim_seat_open(sim);
    }
    for (uint32_t i = 0; error == SERIN_OK && i < sim->config->devices; i++) {
        sim->nodes[i].flash.off = true;
        arm(sim, &sim->nodes[i]);
    }
    return error;
}

void sim_nodes_close(struct sim *sim)
{
    for (uint32_t i = 0; sim->nodes != NULL && i < sim->config->devices; i++) {
        sim_flash_close(&sim->nodes[i].flash);
        free(sim->nodes[i].scratch);
    }
    sim_seat_close(sim);
    free(sim->nodes);
    free(sim->members);
    free(sim->first);
}

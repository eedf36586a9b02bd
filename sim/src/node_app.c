/* What a device's application does, and what the image does to it (sim.h, SERIN_SIM_FAULT_*). */
#include "seat.h"

#define START_MIN_MS   3000u /* from the boot to the application's word */
#define START_MAX_MS   10000u
#define SAY_AGAIN_MS   1000u
#define WATCHDOG_MS    16000u
#define DAY_MS         UINT64_C(86400000)
#define ERRORS_PER_DAY 240u /* of a device whose image counts errors */

static uint32_t index_of(const struct sim *sim, const struct sim_node *node)
{
    return (uint32_t)(node - sim->nodes);
}

/* ---- which fault ---- */

static bool at_site(const struct serin_sim_behaviour *rule, const struct sim_node *node)
{
    uint32_t site = node->gateway == SIM_NOBODY ? 0 : node->gateway + 1u;
    for (size_t i = 0; i < rule->site_count; i++) {
        if (rule->sites[i] == site) {
            return true;
        }
    }
    return rule->site_count == 0;
}

/* Which image a rule is about; SIM_RELEASES: one that nobody runs. */
static uint8_t release_of(const struct sim *sim, const struct serin_sim_behaviour *rule)
{
    uint8_t release = rule->has_version ? SIM_STABLE : SIM_CANDIDATE;
    while (rule->has_version && release < SIM_RELEASES &&
           serin_version_compare(rule->version, sim->releases[release].version) != 0) {
        release++;
    }
    return release;
}

void sim_app_choose(struct sim *sim, struct sim_node *node, uint32_t index)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    node->behaviour_release = SIM_CANDIDATE;
    for (size_t i = 0; i < scenario->behaviour_count; i++) {
        const struct serin_sim_behaviour *rule = &scenario->behaviours[i];
        uint8_t release = release_of(sim, rule);
        bool fits = release < SIM_RELEASES &&
                    (rule->hardware == 0 || rule->hardware == node->hardware) &&
                    at_site(rule, node);
        if (fits && sim_dice_share(sim, SIM_DICE_BEHAVIOUR, index, rule->share)) {
            node->behaviour = (uint8_t)rule->fault;
            node->behaviour_release = release;
            node->after_ms = rule->after_ms / 2u +
                             sim_dice_between(sim, SIM_DICE_BEHAVIOUR, index, 0, rule->after_ms);
            /* What the fleet begins with was confirmed long ago. */
            node->fault_ms = release == SIM_STABLE ? node->after_ms : node->fault_ms;
            return;
        }
    }
}

static void did(struct sim *sim, enum serin_sim_fault fault)
{
    sim->result->faults[fault]++;
}

static bool faulty(const struct sim_node *node, enum serin_sim_fault fault)
{
    return node->running_release == SIM_CANDIDATE && node->behaviour_release == SIM_CANDIDATE &&
           node->behaviour == fault;
}

/* ---- a trial ---- */

void sim_app_booted(struct sim *sim, struct sim_node *node)
{
    node->hung = false;
    node->app_ms = SIM_NEVER_MS;
    if (node->trial && faulty(node, SERIN_SIM_FAULT_NO_CONFIRM)) {
        did(sim, SERIN_SIM_FAULT_NO_CONFIRM);
    } else if (node->trial) {
        node->app_ms = sim->now_ms + sim_dice_between(sim, SIM_DICE_BOOT, index_of(sim, node),
                                                      START_MIN_MS, START_MAX_MS);
    }
}

static void say_healthy(struct sim *sim, struct sim_node *node)
{
    const struct serin_agent_event event = {.kind = SERIN_AGENT_CONFIRM};
    if (sim_seat_step(sim, &event) == SERIN_OK) {
        node->trial = false;
    } else {
        node->app_ms = sim->now_ms + SAY_AGAIN_MS;
    }
}

void sim_app_due(struct sim *sim, struct sim_node *node)
{
    uint32_t index = index_of(sim, node);
    node->app_ms = SIM_NEVER_MS;
    if (node->hung) {
        sim_node_reset(sim, index, SERIN_RESET_WATCHDOG);
    } else if (faulty(node, SERIN_SIM_FAULT_CRASH)) {
        did(sim, SERIN_SIM_FAULT_CRASH);
        sim_node_reset(sim, index, SERIN_RESET_CRASH);
    } else if (faulty(node, SERIN_SIM_FAULT_HANG)) {
        did(sim, SERIN_SIM_FAULT_HANG);
        node->hung = true; /* its connection stands until the reset, and nobody serves it */
        node->app_ms = sim->now_ms + WATCHDOG_MS;
    } else if (node->trial) {
        say_healthy(sim, node);
    }
}

/* ---- after the confirmation ---- */

void sim_app_confirmed(struct sim *sim, struct sim_node *node)
{
    bool later =
        node->behaviour == SERIN_SIM_FAULT_REGRESS || node->behaviour == SERIN_SIM_FAULT_ERRORS ||
        node->behaviour == SERIN_SIM_FAULT_DEAF || node->behaviour == SERIN_SIM_FAULT_REVERT;
    node->trial = false;
    if (later && node->behaviour_release == SIM_CANDIDATE && node->fault_ms == SIM_NEVER_MS) {
        node->fault_ms = sim->now_ms + node->after_ms;
    }
}

/* Somebody boots the old image: it is armed by hand, and confirmed as any other. */
static void revert(struct sim *sim, struct sim_node *node)
{
    enum serin_slot other = node->slot == SERIN_SLOT_A ? SERIN_SLOT_B : SERIN_SLOT_A;
    if (serin_boot_stage(&sim->seat->boot, other) == SERIN_OK) {
        node->reverted = true;
        sim_node_reset(sim, index_of(sim, node), SERIN_RESET_REQUESTED);
    }
}

void sim_app_fault(struct sim *sim, struct sim_node *node)
{
    const struct serin_agent_event unhealthy = {
        .kind = SERIN_AGENT_UNHEALTHY, .reason = SERIN_REASON_HEALTH, .detail = 1};
    node->fault_ms = SIM_NEVER_MS;
    if (node->running_release != node->behaviour_release) {
        return; /* the image that would have done it is gone */
    }
    did(sim, (enum serin_sim_fault)node->behaviour);
    if (node->behaviour == SERIN_SIM_FAULT_REGRESS) {
        (void)sim_seat_step(sim, &unhealthy);
    } else if (node->behaviour == SERIN_SIM_FAULT_ERRORS) {
        (void)sim_app_errors(sim, node); /* until now, at the old rate */
        node->erring = true;
    } else if (node->behaviour == SERIN_SIM_FAULT_DEAF) {
        node->deaf = true;
        sim_node_drop(sim, index_of(sim, node), SIM_NEVER_MS);
    } else if (node->behaviour == SERIN_SIM_FAULT_REVERT) {
        revert(sim, node);
    }
}

/* Whole errors at a rate, and a die for the part that is left. */
uint64_t sim_app_errors(struct sim *sim, struct sim_node *node)
{
    uint64_t rate = sim->config->scenario.errors_per_day;
    if (node->erring && node->running_release == node->behaviour_release) {
        rate += ERRORS_PER_DAY;
    }
    uint64_t due = (sim->now_ms - node->errors_ms) * rate;
    node->errors_ms = sim->now_ms;
    node->errors += due / DAY_MS;
    if (due % DAY_MS > 0 && sim_dice_between(sim, SIM_DICE_ERRORS, index_of(sim, node), 0,
                                             DAY_MS - 1u) < due % DAY_MS) {
        node->errors++;
    }
    return node->errors;
}

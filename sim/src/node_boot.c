/* A device's ports, its bootloader and the start of its agent: the real ones (seat.h). */
#include "seat.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BLOCKS    4u
#define REPORT_RETRY_MIN 5000u
#define REPORT_RETRY_MAX 3600000u
#define BLOCK_TIMEOUT_MS 5000u

/* ---- the ports ---- */

static enum serin_error link_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size)
{
    const struct sim_seat *seat = ctx;
    struct sim *sim = seat->sim;
    const struct sim_node *node = &sim->nodes[seat->index];
    const struct sim_from from = {.actor = SIM_NODE, .index = seat->index};
    const struct sim_topic topic = {.kind = kind, .index = seat->index};
    if (!node->connected) {
        return SERIN_ERR_AGAIN;
    }
    sim_publish(sim, sim_node_broker(node), from, topic, payload, size, false);
    return SERIN_OK;
}

static struct sim_node *who(const struct sim_seat *seat)
{
    return &seat->sim->nodes[seat->index];
}

static void platform_reset(void *ctx)
{
    who(ctx)->reset_asked = true;
}

static uint64_t platform_unix_time_s(void *ctx)
{
    const struct sim_seat *seat = ctx;
    return who(seat)->clock ? sim_unix_s(seat->sim) : 0;
}

static bool failed(enum serin_state state)
{
    return state == SERIN_STATE_ROLLED_BACK || state == SERIN_STATE_FAILED ||
           state == SERIN_STATE_REJECTED || state == SERIN_STATE_REGRESSED;
}

static void accepted(struct sim *sim, struct sim_node *node, uint32_t index,
                     const struct serin_attempt_report *attempt)
{
    sim->exposed += node->exposed ? 0u : 1u;
    node->exposed = true;
    node->attempt = attempt->attempt;
    node->attempt_order = attempt->order;
    node->taken++;
    node->reverted = false;
    node->accepted_ms = sim->now_ms;
    node->final_ms = 0;
    node->drops = sim_dice_share(sim, SIM_DICE_FAULT, index, sim->config->scenario.cut);
}

static void platform_transition(void *ctx, const struct serin_attempt_report *attempt)
{
    const struct sim_seat *seat = ctx;
    struct sim *sim = seat->sim;
    struct sim_node *node = who(seat);
    const struct serin_transition *last = &attempt->transitions[attempt->transition_count - 1u];
    const uint8_t *candidate = sim->releases[SIM_CANDIDATE].manifest_id;
    node->busy = !serin_state_final(last->state) && last->state != SERIN_STATE_REGRESSED;
    sim_note(sim, SIM_NOTE_STATE, seat->index,
             (uint64_t)last->state << 48 | (uint64_t)last->reason << 32 | attempt->attempt);
    if (memcmp(attempt->manifest_id, candidate, SERIN_SHA256_SIZE) == 0) {
        sim->trial -= node->state == SERIN_STATE_TRIAL ? 1u : 0u;
        sim->trial += last->state == SERIN_STATE_TRIAL ? 1u : 0u;
        node->state = last->state;
        node->reason = last->reason;
        if (last->state == SERIN_STATE_PENDING) {
            accepted(sim, node, seat->index, attempt);
        } else if (!node->busy) {
            node->final_ms = sim->now_ms;
        }
        if (failed(last->state) && sim->result->first_fail_ms == 0) {
            sim->result->first_fail_ms = sim->now_ms;
        }
        if (last->state == SERIN_STATE_CONFIRMED) {
            sim_app_confirmed(sim, node);
        }
    }
    if (sim->config->check) {
        sim_check_transition(sim, seat->index, attempt);
    }
}

/* The agent has armed the bootloader: a trial begins with the reset that it asks for next. */
static void platform_fault_point(void *ctx, const char *name)
{
    const struct sim_seat *seat = ctx;
    if (seat->sim->config->check && strcmp(name, "agent.armed") == 0) {
        sim_check_armed(seat->sim, seat->index);
    }
}

static size_t platform_counters(void *ctx, struct serin_counter *out, size_t max)
{
    const struct sim_seat *seat = ctx;
    if (max == 0) {
        return 0;
    }
    out[0] = (struct serin_counter){.id = SERIN_COUNTER_ERRORS,
                                    .value = sim_app_errors(seat->sim, who(seat))};
    return 1;
}

static const struct serin_link_ops link_ops = {.publish = link_publish};
static const struct serin_platform_ops platform_ops = {.reset = platform_reset,
                                                       .unix_time_s = platform_unix_time_s,
                                                       .transition = platform_transition,
                                                       .fault_point = platform_fault_point,
                                                       .counters = platform_counters};

/* ---- the seat ---- */

enum serin_error sim_seat_open(struct sim *sim)
{
    struct sim_seat *seat = calloc(1, sizeof *seat);
    sim->seat = seat;
    if (seat == NULL) {
        return SERIN_ERR_MEMORY;
    }
    seat->sim = sim;
    sim_flash_port(sim->pool, &seat->flash);
    seat->boot = (struct serin_boot){.crypto = sim->crypto,
                                     .flash = &seat->flash,
                                     .layout = &sim->layout,
                                     .root_key = sim->root_key,
                                     .identity = &seat->identity};
    struct serin_identity *identity = &seat->identity;
    identity->bootloader = 1;
    memcpy(identity->product, sim->config->policy.product, sizeof identity->product);
    memcpy(identity->channel, sim->config->policy.channel, sizeof identity->channel);
    seat->config = (struct serin_agent_config){.boot = &seat->boot,
                                               .codec = sim->codec,
                                               .link = &link_ops,
                                               .link_ctx = seat,
                                               .platform = &platform_ops,
                                               .platform_ctx = seat,
                                               .block_size = SIM_BLOCK_SIZE,
                                               .window_blocks = WINDOW_BLOCKS,
                                               .beat_interval_s = sim->beat_interval_s,
                                               .report_retry_min_ms = REPORT_RETRY_MIN,
                                               .report_retry_max_ms = REPORT_RETRY_MAX,
                                               .block_timeout_ms = BLOCK_TIMEOUT_MS,
                                               .confirm_needs_directive = true,
                                               .scratch = seat->common,
                                               .scratch_size = SERIN_PIECE_SIZE};
    return SERIN_OK;
}

void sim_seat_close(struct sim *sim)
{
    if (sim->seat == NULL) {
        return;
    }
    for (void *scratch = sim->seat->free_scratch, *next; scratch != NULL; scratch = next) {
        memcpy(&next, scratch, sizeof next);
        free(scratch);
    }
    free(sim->seat);
}

struct sim_node *sim_seat(struct sim *sim, uint32_t index)
{
    struct sim_seat *seat = sim->seat;
    struct sim_node *node = &sim->nodes[index];
    seat->index = index;
    seat->flash.ctx = &node->flash;
    seat->identity.hardware = node->hardware;
    sim_node_id(index, seat->identity.device_id);
    seat->config.scratch = node->scratch != NULL ? node->scratch : seat->common;
    sim->actor = (struct sim_from){.actor = SIM_NODE, .index = index};
    return node;
}

enum serin_error sim_seat_step(struct sim *sim, const struct serin_agent_event *event)
{
    struct sim_node *node = who(sim->seat);
    return serin_agent_step(&node->agent, sim->now_ms - node->boot_ms, event);
}

static void *scratch_take(struct sim *sim)
{
    void *scratch = sim->seat->free_scratch;
    if (scratch == NULL) {
        scratch = malloc(SERIN_PIECE_SIZE);
        if (scratch == NULL) {
            sim_failed(sim, SERIN_ERR_MEMORY);
        }
        return scratch;
    }
    memcpy(&sim->seat->free_scratch, scratch, sizeof sim->seat->free_scratch);
    return scratch;
}

void sim_seat_scratch(struct sim *sim, struct sim_node *node)
{
    struct sim_seat *seat = sim->seat;
    if (node->busy && node->scratch == NULL) {
        node->scratch = scratch_take(sim);
        if (node->scratch != NULL) {
            memcpy(node->scratch, seat->common, SERIN_PIECE_SIZE);
        }
    } else if (!node->busy && node->scratch != NULL) {
        memcpy(node->scratch, &seat->free_scratch, sizeof seat->free_scratch);
        seat->free_scratch = node->scratch;
        node->scratch = NULL;
    }
}

/* ---- booting ---- */

static uint8_t release_of(const struct sim *sim, const uint8_t id[SERIN_SHA256_SIZE])
{
    for (size_t i = 0; i < SIM_RELEASES; i++) {
        if (memcmp(sim->releases[i].manifest_id, id, SERIN_SHA256_SIZE) == 0) {
            return (uint8_t)i;
        }
    }
    return SIM_RELEASES;
}

/* What the bootloader decided, against the bytes that are really there. */
static void learn(struct sim *sim, struct sim_node *node, const struct serin_boot_choice *choice)
{
    struct serin_boot_state state;
    uint8_t release = release_of(sim, choice->manifest_id);
    bool begins = choice->trial && !node->trial;
    bool verified = release < SIM_RELEASES &&
                    sim_factory_verified(sim, &node->flash, choice->slot, &sim->releases[release]);
    sim->running -= node->running_release == SIM_CANDIDATE ? 1u : 0u;
    sim->running += release == SIM_CANDIDATE ? 1u : 0u;
    node->running = choice->manifest.version;
    node->running_release = release;
    node->touched = node->touched || release == SIM_CANDIDATE;
    node->slot = choice->slot;
    node->trial = choice->trial;
    node->counter = choice->manifest.security_counter;
    if (serin_boot_read(&sim->seat->boot, &state) == SERIN_OK && state.floor > node->floor) {
        node->floor = state.floor;
    }
    sim->result->boots++;
    sim_note(sim, SIM_NOTE_BOOT, sim->seat->index,
             (uint64_t)release << 16 | (uint64_t)choice->slot << 8 | (choice->trial ? 1u : 0u));
    if (sim->config->check) {
        sim_check_boot(sim, sim->seat->index, verified);
        if (begins && release == SIM_CANDIDATE) {
            sim_check_trial(sim, sim->seat->index);
        }
    }
}

static void brick(struct sim *sim, struct sim_node *node)
{
    sim->running -= node->running_release == SIM_CANDIDATE ? 1u : 0u;
    node->running_release = SIM_RELEASES;
    node->power = SIM_POWER_BRICKED;
    sim_note(sim, SIM_NOTE_BOOT, sim->seat->index, UINT64_MAX);
    if (sim->config->check) {
        sim_check_bricked(sim, sim->seat->index);
    }
}

/* A transition that was durable when the power went, before the agent could tell of it. */
static void catch_up(struct sim *sim, const struct sim_node *node)
{
    const struct serin_agent_record *record = &node->agent.record;
    if (record->attempt_count == 0) {
        return;
    }
    const struct serin_attempt_report *attempt = &record->attempts[record->attempt_count - 1u];
    const struct serin_transition *last = &attempt->transitions[attempt->transition_count - 1u];
    bool is_candidate = memcmp(attempt->manifest_id, sim->releases[SIM_CANDIDATE].manifest_id,
                               SERIN_SHA256_SIZE) == 0;
    if (is_candidate && (attempt->attempt != node->attempt || last->state != node->state)) {
        platform_transition(sim->seat, attempt);
    }
}

bool sim_seat_boot(struct sim *sim, enum serin_reset_cause cause)
{
    struct sim_node *node = who(sim->seat);
    struct serin_boot_choice choice;
    if (serin_boot_select(&sim->seat->boot, cause, &choice) != SERIN_OK) {
        if (!node->flash.off) {
            brick(sim, node);
        }
        return false;
    }
    if (node->flash.off) {
        return false;
    }
    learn(sim, node, &choice);
    node->boot_ms = sim->now_ms;
    node->errors = 0;
    node->errors_ms = sim->now_ms;
    sim_heard_reset(sim, node);
    const struct serin_agent_boot_info info = {
        .slot = choice.slot, .trial = choice.trial, .cause = cause};
    if (serin_agent_init(&node->agent, &sim->seat->config, &info, 0) != SERIN_OK) {
        if (!node->flash.off) {
            brick(sim, node);
        }
        return false;
    }
    /* An order whose record the power cut short was never taken in: it is new once more. */
    for (size_t i = 0; i < SERIN_AGENT_SOURCES; i++) {
        node->of[i].order = node->agent.record.order[i];
    }
    catch_up(sim, node);
    return !node->flash.off;
}

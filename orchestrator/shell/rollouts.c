/* Rollouts in memory: slots, members, steps, and the books of a pass (rollouts.h). */
#include "rollouts.h"

#include "pass.h"
#include "revert.h"
#include "serind.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKS_PER_PASS 16

bool serind_rollout_over(enum serin_rollout_state state)
{
    return state == SERIN_ROLLOUT_HALTED || state == SERIN_ROLLOUT_COMPLETED ||
           state == SERIN_ROLLOUT_ABORTED || state == SERIN_ROLLOUT_SUPERSEDED;
}

static void slot_free(struct serind_slot *slot)
{
    if (slot != NULL) {
        free(slot->members.list);
        free(slot->members_before);
        free(slot);
    }
}

void serind_rollouts_free(struct serind *serind)
{
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        slot_free(serind->rollouts.slots[i]);
    }
    serind->rollouts.count = 0;
}

struct serind_slot *serind_rollouts_latest(struct serind *serind, const char *product,
                                           const char *channel)
{
    struct serind_slot *latest = NULL;
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        struct serind_slot *slot = serind->rollouts.slots[i];
        if (strcmp(slot->rollout.policy.product, product) == 0 &&
            strcmp(slot->rollout.policy.channel, channel) == 0 &&
            (latest == NULL || slot->rollout.id > latest->rollout.id)) {
            latest = slot;
        }
    }
    return latest;
}

struct serind_slot *serind_rollouts_find(struct serind *serind, uint64_t id)
{
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        if (serind->rollouts.slots[i]->rollout.id == id) {
            return serind->rollouts.slots[i];
        }
    }
    return NULL;
}

bool serind_rollout_offers(const struct serin_rollout *rollout, const uint8_t manifest_id[32],
                           uint16_t hardware)
{
    return serin_policy_offers(&rollout->policy, manifest_id, hardware);
}

bool serind_rollout_attempts(const struct serin_rollout *rollout, const uint8_t manifest_id[32],
                             uint32_t attempt)
{
    return attempt >= rollout->attempt_first && attempt <= rollout->attempt &&
           serind_rollout_offers(rollout, manifest_id, 0);
}

static struct serind_slot *append(struct serind *serind, const struct serin_rollout *rollout)
{
    if (serind->rollouts.count == SERIND_SLOTS_MAX) {
        return NULL;
    }
    struct serind_slot *slot = calloc(1, sizeof *slot);
    if (slot != NULL) {
        slot->rollout = *rollout;
        serind_slot_attach(serind, slot);
        serind->rollouts.slots[serind->rollouts.count++] = slot;
    }
    return slot;
}

static void take_out(struct serind *serind, size_t position)
{
    struct serind_rollouts *rollouts = &serind->rollouts;
    slot_free(rollouts->slots[position]);
    rollouts->slots[position] = rollouts->slots[--rollouts->count];
}

enum serin_error serind_slot_touch(struct serind_slot *slot)
{
    if (slot->touched || slot->made) {
        slot->touched = true;
        return SERIN_OK;
    }
    if (slot->capacity_before < slot->members.count) {
        struct serin_member *grown = realloc(slot->members_before, slot->capacity * sizeof *grown);
        if (grown == NULL) {
            return SERIN_ERR_MEMORY;
        }
        slot->members_before = grown;
        slot->capacity_before = slot->capacity;
    }
    if (slot->members.count > 0) {
        memcpy(slot->members_before, slot->members.list,
               slot->members.count * sizeof *slot->members.list);
    }
    slot->count_before = slot->members.count;
    slot->before = slot->rollout;
    slot->touched = true;
    return SERIN_OK;
}

static enum serin_error push(struct serind_slot *slot, const struct serin_member *member)
{
    if (slot->members.count == slot->capacity) {
        uint32_t capacity = slot->capacity == 0 ? 64 : slot->capacity * 2;
        struct serin_member *grown = realloc(slot->members.list, capacity * sizeof *grown);
        if (grown == NULL) {
            return SERIN_ERR_MEMORY;
        }
        slot->members.list = grown;
        slot->capacity = capacity;
    }
    slot->members.list[slot->members.count++] = *member;
    slot->joined = true;
    return SERIN_OK;
}

static void settle(struct serind_slot *slot)
{
    if (slot->joined) {
        serin_rollout_rebuild(&slot->rollout, &slot->members);
        slot->joined = false;
    }
}

/* ---- loading ---- */

struct loading {
    struct serind *serind;
    struct serind_slot *slot;
    enum serin_error error;
};

static bool load_rollout(void *arg, const struct serin_rollout *rollout)
{
    struct loading *loading = arg;
    struct serind *serind = loading->serind;
    struct serind_slot *known =
        serind_rollouts_latest(serind, rollout->policy.product, rollout->policy.channel);
    if (known != NULL) {
        if (known->rollout.id < rollout->id) {
            known->rollout = *rollout;
        }
        return true;
    }
    if (append(serind, rollout) == NULL) {
        loading->error = SERIN_ERR_NO_SPACE;
    }
    return loading->error == SERIN_OK;
}

static bool load_member(void *arg, const struct serin_member_record *record)
{
    struct loading *loading = arg;
    struct serin_member member = record->member;
    loading->error = serind_index_add(&loading->serind->index, record->device_id, &member.device);
    if (loading->error == SERIN_OK) {
        loading->error = push(loading->slot, &member);
    }
    return loading->error == SERIN_OK;
}

enum serin_error serind_rollouts_load(struct serind *serind)
{
    struct loading loading = {.serind = serind};
    enum serin_error error =
        serind->store.ops->each_rollout(serind->store.ctx, load_rollout, &loading);
    if (error != SERIN_OK || loading.error != SERIN_OK) {
        return error != SERIN_OK ? error : loading.error;
    }
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        loading.slot = serind->rollouts.slots[i];
        error = serind->store.ops->each_member(serind->store.ctx, loading.slot->rollout.id,
                                               load_member, &loading);
        if (error != SERIN_OK || loading.error != SERIN_OK) {
            return error != SERIN_OK ? error : loading.error;
        }
        loading.slot->joined = true;
        settle(loading.slot);
    }
    return SERIN_OK;
}

/* ---- members ---- */

struct serind_slot *serind_rollouts_add(struct serind *serind, const struct serin_rollout *rollout)
{
    assert(serind->in_pass);
    struct serind_slot *slot = append(serind, rollout);
    if (slot != NULL) {
        slot->made = true;
        slot->touched = true;
        slot->joined = true;
    }
    return slot;
}

static void save_member(struct serind *serind, const struct serind_slot *slot,
                        const struct serin_member *member)
{
    struct serin_member_record record = {.rollout_id = slot->rollout.id, .member = *member};
    memcpy(record.device_id, serind->index.list[member->device].id, sizeof record.device_id);
    (void)serind_pass_check(serind, serind->store.ops->put_member(serind->store.ctx, &record));
}

enum serin_error serind_slot_hold(struct serind *serind, struct serind_slot *slot, uint32_t device,
                                  bool runs_it)
{
    enum serin_error error = serind_slot_touch(slot);
    if (error != SERIN_OK) {
        return error;
    }
    uint64_t rank =
        serin_cohort_rank(serind->crypto, slot->rollout.salt, serind->index.list[device].id);
    struct serin_member member =
        serin_rollout_entered(&slot->rollout, rank, device, runs_it, serind_now_s(serind));
    return push(slot, &member);
}

enum serin_error serind_slot_join(struct serind *serind, struct serind_slot *slot, uint32_t device,
                                  bool runs_it)
{
    enum serin_error error = serind_slot_hold(serind, slot, device, runs_it);
    if (error == SERIN_OK) {
        save_member(serind, slot, &slot->members.list[slot->members.count - 1]);
    }
    return error;
}

void serind_slot_save_members(struct serind *serind, const struct serind_slot *slot)
{
    for (uint32_t i = 0; i < slot->members.count && serind->pass_error == SERIN_OK; i++) {
        save_member(serind, slot, &slot->members.list[i]);
    }
}

uint32_t serind_slot_position(struct serind *serind, struct serind_slot *slot, uint32_t device)
{
    settle(slot);
    uint64_t rank =
        serin_cohort_rank(serind->crypto, slot->rollout.salt, serind->index.list[device].id);
    uint32_t low = 0;
    uint32_t high = slot->members.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct serin_member *member = &slot->members.list[middle];
        if (member->rank < rank || (member->rank == rank && member->device < device)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < slot->members.count && slot->members.list[low].device == device;
    return found ? low : UINT32_MAX;
}

/* ---- steps ---- */

/* The engine gave a device up: its record becomes final too. */
static void expire(struct serind *serind, const struct serind_slot *slot,
                   const struct serin_member *member)
{
    const struct serin_store_ops *ops = serind->store.ops;
    struct serin_device_record record;
    enum serin_error error =
        ops->get_device(serind->store.ctx, serind->index.list[member->device].id, &record);
    struct serin_attempt_record *attempt = &record.last_attempt;
    if (error == SERIN_ERR_NOT_FOUND ||
        (error == SERIN_OK &&
         !serind_rollout_attempts(&slot->rollout, attempt->manifest_id, attempt->attempt))) {
        return; /* it has moved on to another attempt; this one's record stays as it was */
    }
    bool changed = false;
    if (serind_pass_check(serind, error)) {
        serin_ledger_expire(attempt, serind_now_s(serind), &changed);
    }
    if (changed &&
        serind_pass_check(serind, ops->put_attempt(serind->store.ctx, record.id, attempt))) {
        (void)serind_pass_check(serind, ops->put_device(serind->store.ctx, &record));
    }
}

static void promote(struct serind *serind, const struct serind_slot *slot)
{
    const struct serin_policy *policy = &slot->rollout.policy;
    struct serin_stable_record stable;
    enum serin_error error =
        serind->store.ops->get_stable(serind->store.ctx, policy->product, policy->channel, &stable);
    if (error == SERIN_ERR_NOT_FOUND) {
        stable = (struct serin_stable_record){0};
        memcpy(stable.product, policy->product, sizeof stable.product);
        memcpy(stable.channel, policy->channel, sizeof stable.channel);
        error = SERIN_OK;
    }
    if (serind_pass_check(serind, error)) {
        serin_rollout_promote(&slot->rollout, &stable.release);
        (void)serind_pass_check(serind, serind->store.ops->put_stable(serind->store.ctx, &stable));
    }
}

static void carry_out(struct serind *serind, struct serind_slot *slot,
                      const struct serin_rollout_action *action)
{
    const struct serin_rollout *rollout = &slot->rollout;
    const struct serin_member *member = &slot->members.list[action->member];
    switch (action->kind) {
    case SERIN_ROLLOUT_ACT_SAVE_MEMBER:
        save_member(serind, slot, member);
        if (member->state == SERIN_STATE_TIMED_OUT) {
            expire(serind, slot, member);
        }
        break;
    case SERIN_ROLLOUT_ACT_PUBLISH:
        serind_publisher_want(serind, rollout->policy.product, rollout->policy.channel, rollout->id,
                              serin_rollout_state_text(rollout->state));
        break;
    case SERIN_ROLLOUT_ACT_PROMOTE:
        promote(serind, slot);
        break;
    case SERIN_ROLLOUT_ACT_AUDIT:
        serin_log(SERIN_LOG_INFO, "rollout id=%llu state=%s stage=%u: %s",
                  (unsigned long long)rollout->id, serin_rollout_state_text(rollout->state),
                  rollout->stage, action->text);
        serind_audit(serind, &(struct serind_audit_line){.what = "rollout", .rollout = rollout->id},
                     "%s", action->text);
        break;
    case SERIN_ROLLOUT_ACT_INVALID:
    default:
        assert(false);
    }
}

enum serin_error serind_rollouts_step(struct serind *serind, struct serind_slot *slot,
                                      const struct serin_rollout_event *event)
{
    assert(serind->in_pass);
    enum serin_error error = serind_slot_touch(slot);
    if (error != SERIN_OK) {
        (void)serind_pass_check(serind, error);
        return error;
    }
    settle(slot);
    serind_slot_attach(serind, slot);
    uint32_t stage = slot->rollout.stage;
    struct serin_rollout_actions actions;
    error = serin_rollout_step(&slot->rollout, &slot->members, serind->now_ms, event, &actions);
    if (error != SERIN_OK) {
        return error;
    }
    for (size_t i = 0; i < actions.count; i++) {
        carry_out(serind, slot, &actions.list[i]);
    }
    if (slot->rollout.stage != stage) {
        SERIN_FAULT_POINT("serind.stage.advanced");
    }
    return SERIN_OK;
}

void serind_rollouts_raise(struct serind *serind, struct serind_slot *slot, uint64_t threshold)
{
    assert(serind->in_pass);
    struct serin_rollout *rollout = &slot->rollout;
    if (threshold <= rollout->threshold || !serind_pass_check(serind, serind_slot_touch(slot))) {
        return;
    }
    rollout->threshold = threshold;
    if (rollout->stage > 0) {
        rollout->thresholds[rollout->stage - 1] = threshold;
        rollout->widened_watch_ms = rollout->watch_ms; /* who is covered by it has its patience */
    }
    slot->joined = true;
}

/* When the next TICK of one is due. A clock that was set back would let what the engine waits for
 * lie as far off: it is due at once then, so that the engine sees the jump and says so. */
static uint64_t due_at_ms(struct serind *serind, struct serind_slot *slot)
{
    serind_slot_attach(serind, slot);
    if (serind->now_ms + SERIN_ENGINE_SLEW_MS < slot->rollout.last_ms) {
        return serind->now_ms;
    }
    return serin_rollout_deadline_ms(&slot->rollout, &slot->members);
}

uint64_t serind_rollouts_deadline_ms(struct serind *serind)
{
    uint64_t deadline_ms = UINT64_MAX;
    bool up = serind_reports_up(serind);
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        struct serind_slot *slot = serind->rollouts.slots[i];
        uint64_t due_ms = slot->rollout.reports_up != up ? serind->now_ms : due_at_ms(serind, slot);
        deadline_ms = due_ms < deadline_ms ? due_ms : deadline_ms;
    }
    return deadline_ms;
}

void serind_rollouts_tick(struct serind *serind)
{
    bool up = serind_reports_up(serind);
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        struct serind_slot *slot = serind->rollouts.slots[i];
        if (slot->rollout.reports_up != up) {
            const struct serin_rollout_event told = {.kind = up ? SERIN_ROLLOUT_REPORTS_UP
                                                                : SERIN_ROLLOUT_REPORTS_DOWN};
            (void)serind_pass_check(serind, serind_rollouts_step(serind, slot, &told));
        }
        const struct serin_rollout_event tick = {.kind = SERIN_ROLLOUT_TICK};
        for (int n = 0; n < TICKS_PER_PASS && due_at_ms(serind, slot) <= serind->now_ms; n++) {
            (void)serind_pass_check(serind, serind_rollouts_step(serind, slot, &tick));
        }
    }
}

/* ---- the end of a pass ---- */

void serind_rollouts_store(struct serind *serind)
{
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        struct serind_slot *slot = serind->rollouts.slots[i];
        if (slot->touched) {
            settle(slot);
            (void)serind_pass_check(
                serind, serind->store.ops->put_rollout(serind->store.ctx, &slot->rollout));
        }
    }
}

void serind_rollouts_keep(struct serind *serind)
{
    for (size_t i = serind->rollouts.count; i > 0; i--) {
        struct serind_slot *slot = serind->rollouts.slots[i - 1];
        if (slot->touched && !slot->retired) { /* the one in its place speaks for both */
            serind_rollout_alarms(serind, &slot->rollout);
        }
        slot->touched = slot->made = false;
        if (slot->retired) {
            serind_revert_silence(serind, slot);
            take_out(serind, i - 1);
        }
    }
}

void serind_rollouts_undo(struct serind *serind)
{
    for (size_t i = serind->rollouts.count; i > 0; i--) {
        struct serind_slot *slot = serind->rollouts.slots[i - 1];
        if (slot->made) {
            take_out(serind, i - 1);
            continue;
        }
        if (slot->touched) {
            slot->rollout = slot->before;
            slot->members.count = slot->count_before;
            if (slot->count_before > 0) {
                memcpy(slot->members.list, slot->members_before,
                       slot->count_before * sizeof *slot->members.list);
            }
            slot->joined = false;
            slot->touched = false;
        }
        slot->retired = false;
    }
}

/* Rollouts whose place another has taken, read back from the store to be looked at (rollouts.h):
 * the evidence of a halt is asked for after the fleet was taken back, too. */
#include "rollouts.h"

#include "serind.h"

#include <stdlib.h>

struct recall {
    struct serind *serind;
    struct serind_slot *slot;
    enum serin_error error;
};

static bool take_member(void *arg, const struct serin_member_record *record)
{
    struct recall *recall = arg;
    struct serind_slot *slot = recall->slot;
    struct serin_member member = record->member;
    member.device = serind_index_find(&recall->serind->index, record->device_id);
    if (member.device == SERIND_NO_DEVICE) {
        return true; /* the store lost its record: it is counted nowhere else either */
    }
    if (slot->members.count == slot->capacity) {
        uint32_t capacity = slot->capacity == 0 ? 64 : slot->capacity * 2;
        struct serin_member *grown = realloc(slot->members.list, capacity * sizeof *grown);
        if (grown == NULL) {
            recall->error = SERIN_ERR_MEMORY;
            return false;
        }
        slot->members.list = grown;
        slot->capacity = capacity;
    }
    slot->members.list[slot->members.count++] = member;
    return true;
}

enum serin_error serind_rollout_recall(struct serind *serind, uint64_t id,
                                       struct serind_slot **slot)
{
    struct recall recall = {.serind = serind, .slot = calloc(1, sizeof *recall.slot)};
    *slot = NULL;
    if (recall.slot == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error =
        serind->store.ops->get_rollout(serind->store.ctx, id, &recall.slot->rollout);
    if (error == SERIN_OK) {
        error = serind->store.ops->each_member(serind->store.ctx, id, take_member, &recall);
    }
    error = error != SERIN_OK ? error : recall.error;
    if (error != SERIN_OK) {
        serind_rollout_let_go(recall.slot);
        return error;
    }
    serind_slot_attach(serind, recall.slot);
    serin_rollout_rebuild(&recall.slot->rollout, &recall.slot->members);
    *slot = recall.slot;
    return SERIN_OK;
}

void serind_rollout_let_go(struct serind_slot *slot)
{
    if (slot != NULL) {
        free(slot->members.list);
        free(slot);
    }
}

/* Orders and repair (serin/orchestrator/repair.h). */
#include <serin/orchestrator/repair.h>

#include <serin/directive.h>

#include <assert.h>
#include <string.h>

/* [held][sight]. A foreign directive moves no device, since none verifies it; ours goes over it
 * where we have one, and an operator is told either way. A topic that shows a directive of ours
 * which the store does not know was published by a serind whose memory is lost: a new directive
 * must withdraw it, or its devices would follow it for ever. */
static const enum serin_repair repairs[2][SERIN_SIGHT_COUNT] = {
    [false] =
        {
            [SERIN_SIGHT_NOTHING] = SERIN_REPAIR_KEEP,
            [SERIN_SIGHT_SAME] = SERIN_REPAIR_KEEP,
            [SERIN_SIGHT_OLDER] = SERIN_REPAIR_REISSUE,
            [SERIN_SIGHT_FORK] = SERIN_REPAIR_REISSUE,
            [SERIN_SIGHT_NEWER] = SERIN_REPAIR_NEW_EPOCH,
            [SERIN_SIGHT_FOREIGN] = SERIN_REPAIR_KEEP,
        },
    [true] =
        {
            [SERIN_SIGHT_NOTHING] = SERIN_REPAIR_PUBLISH,
            [SERIN_SIGHT_SAME] = SERIN_REPAIR_KEEP,
            [SERIN_SIGHT_OLDER] = SERIN_REPAIR_PUBLISH,
            [SERIN_SIGHT_FORK] = SERIN_REPAIR_NEW_EPOCH,
            [SERIN_SIGHT_NEWER] = SERIN_REPAIR_NEW_EPOCH,
            [SERIN_SIGHT_FOREIGN] = SERIN_REPAIR_PUBLISH,
        },
};

enum serin_sight serin_repair_look(const struct serin_repair_own *own, const uint8_t *payload,
                                   size_t payload_size, bool verified, struct serin_order seen)
{
    if (payload_size == 0) {
        return SERIN_SIGHT_NOTHING;
    }
    if (own->held && payload_size == own->payload_size &&
        memcmp(payload, own->payload, payload_size) == 0) {
        return SERIN_SIGHT_SAME;
    }
    if (!verified) {
        return SERIN_SIGHT_FOREIGN;
    }
    int order = serin_order_compare(seen, own->order);
    return order < 0 ? SERIN_SIGHT_OLDER : order > 0 ? SERIN_SIGHT_NEWER : SERIN_SIGHT_FORK;
}

enum serin_repair serin_repair_decide(bool held, enum serin_sight sight)
{
    assert(sight < SERIN_SIGHT_COUNT);
    return repairs[held][sight];
}

/* The attempt is one of a manifest, and the salt may be that of an earlier rollout: only all three
 * name the rollout. */
static bool names(const struct serin_directive *shown, const struct serin_rollout *rollout)
{
    const struct serin_release *candidate = &shown->candidate;
    bool same = shown->candidate_state != SERIN_CANDIDATE_NONE &&
                candidate->attempt == rollout->attempt &&
                candidate->offer_count == rollout->policy.offer_count &&
                memcmp(shown->salt, rollout->salt, SERIN_SALT_SIZE) == 0;
    for (size_t i = 0; same && i < candidate->offer_count; i++) {
        same = memcmp(candidate->offers[i].manifest_id, rollout->policy.offers[i].manifest_id,
                      SERIN_SHA256_SIZE) == 0;
    }
    return same;
}

/* [state]: nothing of it is decided yet. */
static const bool active[SERIN_ROLLOUT_STATE_COUNT] = {
    [SERIN_ROLLOUT_AWAITING] = true,
    [SERIN_ROLLOUT_ROLLING] = true,
    [SERIN_ROLLOUT_SOAKING] = true,
    [SERIN_ROLLOUT_PAUSED] = true,
};

struct serin_lesson serin_repair_learn(const struct serin_rollout *rollout,
                                       const struct serin_directive *shown, bool newer)
{
    struct serin_lesson lesson = {.event = SERIN_ROLLOUT_EVENT_INVALID};
    bool paused = rollout->state == SERIN_ROLLOUT_PAUSED;
    if (!active[rollout->state]) {
        return lesson;
    }
    if (!names(shown, rollout)) {
        lesson.unknown = newer;
        lesson.event = newer && !paused ? SERIN_ROLLOUT_PAUSE : SERIN_ROLLOUT_EVENT_INVALID;
        return lesson;
    }
    lesson.threshold = shown->threshold > rollout->threshold ? shown->threshold : 0;
    if (shown->candidate_state == SERIN_CANDIDATE_HALTED) {
        lesson.event = SERIN_ROLLOUT_HALT;
    } else if (shown->candidate_state == SERIN_CANDIDATE_PAUSED && newer && !paused) {
        lesson.event = SERIN_ROLLOUT_PAUSE;
    }
    return lesson;
}

bool serin_lesson_empty(const struct serin_lesson *lesson)
{
    return lesson->event == SERIN_ROLLOUT_EVENT_INVALID && !lesson->unknown &&
           lesson->threshold == 0;
}

enum serin_claim serin_claim_judge(struct serin_order given_out, struct serin_order claimed,
                                   bool is_signed)
{
    if (serin_order_compare(claimed, given_out) <= 0) {
        return SERIN_CLAIM_KNOWN;
    }
    if (!is_signed && claimed.epoch - given_out.epoch > SERIN_CLAIM_EPOCHS_MAX) {
        return SERIN_CLAIM_ABSURD;
    }
    return SERIN_CLAIM_HIGHER;
}

enum serin_error serin_order_next(struct serin_order order, struct serin_order *next)
{
    if (order.sequence < UINT32_MAX) {
        *next = (struct serin_order){order.epoch, order.sequence + 1};
        return SERIN_OK;
    }
    if (order.epoch == UINT32_MAX) {
        return SERIN_ERR_NO_SPACE;
    }
    *next = (struct serin_order){order.epoch + 1, 1};
    return SERIN_OK;
}

enum serin_error serin_order_new_epoch(struct serin_order given_out, struct serin_order seen,
                                       struct serin_order *start)
{
    uint32_t highest = given_out.epoch > seen.epoch ? given_out.epoch : seen.epoch;
    if (highest == UINT32_MAX) {
        return SERIN_ERR_NO_SPACE;
    }
    *start = (struct serin_order){highest + 1, 0};
    return SERIN_OK;
}

const char *serin_sight_text(enum serin_sight sight)
{
    static const char *const texts[SERIN_SIGHT_COUNT] = {
        [SERIN_SIGHT_NOTHING] = "nothing",
        [SERIN_SIGHT_SAME] = "the same",
        [SERIN_SIGHT_OLDER] = "an older directive of ours",
        [SERIN_SIGHT_FORK] = "another directive of ours with the same order",
        [SERIN_SIGHT_NEWER] = "a newer directive of ours",
        [SERIN_SIGHT_FOREIGN] = "a directive that is not signed by us",
    };
    assert(sight < SERIN_SIGHT_COUNT);
    return texts[sight];
}

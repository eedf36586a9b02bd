/* Reverts (revert.h). */
#include "revert.h"

#include "create.h"
#include "pass.h"
#include "serind.h"

#include <serin/adapters/log.h>
#include <serin/assert.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One that is looked into: the halted rollout and what would take its devices back. */
struct revert {
    struct serind *serind;
    const struct serind_slot *slot;
    struct serin_policy_file file;
    struct serin_release_record releases[SERIN_DIRECTIVE_OFFERS_MAX];
    struct serin_way_back_offer offers[SERIN_DIRECTIVE_OFFERS_MAX]; /* of the stable release */
    size_t count;
    struct serin_way_back back;
    /* One of the devices that stand in the way. */
    char above_id[SERIN_ID_MAX + 1], lost_id[SERIN_ID_MAX + 1];
    uint32_t floor; /* of the former */
    char why[SERIN_ROLLOUT_WHY_MAX];
};

static bool refuse(struct revert *revert, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Gives false, which stands for a revert that is not possible. */
static bool refuse(struct revert *revert, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(revert->why, sizeof revert->why, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- what there is to go back to ---- */

static bool overlap(const struct serin_offer *a, const struct serin_offer *b)
{
    return a->hw_min <= b->hw_max && b->hw_min <= a->hw_max;
}

/* The offers of the stable release for hardware that the halted one was offered to. */
static enum serin_error find_stable(struct revert *revert)
{
    const struct serin_policy *policy = &revert->slot->rollout.policy;
    struct serind *serind = revert->serind;
    struct serin_stable_record stable;
    enum serin_error error =
        serind->store.ops->get_stable(serind->store.ctx, policy->product, policy->channel, &stable);
    if (error == SERIN_ERR_NOT_FOUND) {
        return SERIN_OK;
    }
    for (size_t i = 0; error == SERIN_OK && i < stable.release.offer_count; i++) {
        const struct serin_offer *offer = &stable.release.offers[i];
        bool meant = false;
        for (size_t j = 0; j < policy->offer_count; j++) {
            meant |= overlap(offer, &policy->offers[j]);
        }
        if (meant) {
            error = serind->store.ops->get_release(serind->store.ctx, offer->manifest_id,
                                                   &revert->releases[revert->count]);
            revert->offers[revert->count] = (struct serin_way_back_offer){
                .offer = *offer,
                .security_counter = revert->releases[revert->count].manifest.security_counter};
            revert->count++;
        }
    }
    return error;
}

/* Whether the depot has all that devices would ask for. */
static bool stable_at_hand(struct revert *revert)
{
    for (size_t i = 0; i < revert->count; i++) {
        const struct serin_release_record *release = &revert->releases[i];
        const uint8_t *const parts[] = {release->manifest_id, release->manifest.pieces_sha256,
                                        release->manifest.image_sha256};
        char version[SERIN_VERSION_TEXT_SIZE];
        serin_version_format(release->manifest.version, version);
        for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
            uint32_t size = 0;
            if (serin_depot_size(revert->serind->depot, parts[p], &size) != SERIN_OK) {
                return refuse(revert,
                              "the stable release %s is not in the depot: publish its bundle "
                              "again, then create the rollout back",
                              version);
            }
        }
    }
    return true;
}

/* ---- whether devices would take it ---- */

static bool look_at_device(void *arg, const struct serin_device_record *record)
{
    struct revert *revert = arg;
    if (record->enrolment != SERIN_ENROLMENT_ENROLLED) {
        return true;
    }
    const struct serin_entrant entrant = serind_entrant(record);
    enum serin_way_back_stand stand = serin_way_back_look(&revert->back, &entrant);
    if (stand == SERIN_STAND_ABOVE) {
        revert->floor = record->running.floor;
        (void)snprintf(revert->above_id, sizeof revert->above_id, "%s", record->id);
    } else if (stand == SERIN_STAND_LOST) {
        (void)snprintf(revert->lost_id, sizeof revert->lost_id, "%s", record->id);
    }
    return true;
}

static bool refuse_above(struct revert *revert)
{
    uint32_t above = revert->back.above;
    char version[SERIN_VERSION_TEXT_SIZE];
    serin_version_format(revert->releases[0].manifest.version, version);
    return refuse(revert,
                  "%u device%s committed a security counter above that of stable %s and would "
                  "refuse it: %s is at %u",
                  above, above == 1 ? "" : "s", version, revert->above_id, revert->floor);
}

/* Whether there is a way; `why` is empty where it is too early to say. */
static bool decide(struct revert *revert)
{
    const struct serin_policy *policy = &revert->slot->rollout.policy;
    uint32_t lost = revert->back.lost;
    switch (serin_way_back_judge(&revert->back)) {
    case SERIN_WAY_BACK_WAIT:
        return false;
    case SERIN_WAY_BACK_NOBODY:
        return refuse(revert, "%s", SERIN_WAY_BACK_NOBODY_TEXT);
    case SERIN_WAY_BACK_NO_STABLE:
        return refuse(revert, "%s %s has no stable release to go back to", policy->product,
                      policy->channel);
    case SERIN_WAY_BACK_ABOVE:
        return refuse_above(revert);
    case SERIN_WAY_BACK_LOST:
        return refuse(revert,
                      "no stable release is for the hardware of %u device%s that run it, %s is one",
                      lost, lost == 1 ? "" : "s", revert->lost_id);
    case SERIN_WAY_BACK_GO:
        return stable_at_hand(revert);
    case SERIN_WAY_BACK_INVALID:
    default:
        SERIN_ASSERT(false);
        return false;
    }
}

/* Reads all that decides; inside a read transaction. False: it cannot be, or not yet, as `why`
 * says, or `*error` where the store could not be read. */
static bool judge(struct revert *revert, enum serin_error *error)
{
    const struct serin_policy *policy = &revert->slot->rollout.policy;
    struct serind *serind = revert->serind;
    *error = find_stable(revert);
    if (*error != SERIN_OK) {
        return false;
    }
    revert->back = (struct serin_way_back){
        .halted = &revert->slot->rollout, .offers = revert->offers, .offer_count = revert->count};
    *error = serind->store.ops->each_fleet_device(serind->store.ctx, policy->product,
                                                  policy->channel, NULL, look_at_device, revert);
    return *error == SERIN_OK && decide(revert);
}

/* ---- the rollout back ---- */

static void fill_policy(struct revert *revert)
{
    const struct serin_rollout *halted = &revert->slot->rollout;
    struct serin_policy_file *file = &revert->file;
    serin_way_back_policy(halted, &file->policy);
    file->from = halted->id;
    file->release_count = revert->count;
    for (size_t i = 0; i < revert->count; i++) {
        const struct serin_offer *offer = &revert->offers[i].offer;
        struct serin_policy_release *release = &file->releases[i];
        *release = (struct serin_policy_release){
            .has_hardware = true, .hw_min = offer->hw_min, .hw_max = offer->hw_max};
        serin_hex_encode(offer->manifest_id, SERIN_SHA256_SIZE, release->manifest);
    }
}

void serind_revert_made(struct serind *serind, struct serind_slot *slot,
                        const struct serind_slot *by)
{
    struct serin_rollout *rollout = &slot->rollout;
    uint32_t there = 0;
    for (uint32_t i = 0; i < by->members.count; i++) {
        there += by->members.list[i].state == SERIN_STATE_CONFIRMED ? 1 : 0;
    }
    if (serind_pass_check(serind, serind_slot_touch(slot))) {
        rollout->reverted_by = by->rollout.id;
        rollout->revert_why[0] = '\0'; /* somebody turned up on it after all */
        serind_audit(serind, &(struct serind_audit_line){.what = "revert", .rollout = rollout->id},
                     "rollout %llu takes its devices back to the stable release: %u of %u do not "
                     "run it, or may come off it",
                     (unsigned long long)by->rollout.id, by->members.count - there,
                     by->members.count);
    }
}

/* ---- or why there is none ---- */

static void alarm_key(const struct serind_slot *slot, char key[SERIND_ALARM_KEY_MAX])
{
    (void)snprintf(key, SERIND_ALARM_KEY_MAX, "revert:%s/%s", slot->rollout.policy.product,
                   slot->rollout.policy.channel);
}

void serind_revert_alarm(struct serind *serind, const struct serind_slot *slot)
{
    const struct serin_rollout *rollout = &slot->rollout;
    if (rollout->revert_why[0] != '\0' && !serin_way_back_needless(rollout)) {
        char key[SERIND_ALARM_KEY_MAX];
        alarm_key(slot, key);
        serind_alarm_raise(serind, key, "rollout %llu is halted and its devices stay on it: %s",
                           (unsigned long long)rollout->id, rollout->revert_why);
    }
}

void serind_revert_silence(struct serind *serind, const struct serind_slot *slot)
{
    char key[SERIND_ALARM_KEY_MAX];
    alarm_key(slot, key);
    serind_alarm_clear(serind, key);
}

/* There is none, and why; once. */
static void hold(struct serind *serind, struct serind_slot *slot, const char *why)
{
    if (strcmp(slot->rollout.revert_why, why) == 0) {
        serin_way_back_saw(&slot->rollout, &slot->way_back);
        return; /* it was said */
    }
    if (serind_pass_begin(serind) != SERIN_OK) {
        return; /* the alarm of the store stands; the next turn tries again */
    }
    if (serind_pass_check(serind, serind_slot_touch(slot))) {
        struct serin_rollout *rollout = &slot->rollout;
        (void)snprintf(rollout->revert_why, sizeof rollout->revert_why, "%s", why);
        serind_audit(
            serind, &(struct serind_audit_line){.what = "revert", .rollout = rollout->id}, "%s: %s",
            serin_way_back_needless(rollout) ? "none is made"
                                             : "refused, the devices stay on what they run",
            rollout->revert_why);
    }
    if (serind_pass_end(serind) == SERIN_OK) {
        serin_way_back_saw(&slot->rollout, &slot->way_back);
        serind_revert_alarm(serind, slot);
    }
}

/* ---- each turn ---- */

/* Errors that the operator can do nothing about but to mend the store: tried again. */
static bool is_store(enum serin_error error)
{
    return error == SERIN_ERR_IO || error == SERIN_ERR_NO_SPACE || error == SERIN_ERR_MEMORY;
}

static void run(struct serind *serind, struct serind_slot *slot)
{
    struct revert revert = {.serind = serind, .slot = slot};
    enum serin_error error = serind->store.ops->begin(serind->store.ctx, false);
    if (error != SERIN_OK) {
        return;
    }
    bool possible = judge(&revert, &error);
    serind->store.ops->abort(serind->store.ctx);
    if (possible) {
        struct serind_slot *made = NULL;
        struct serind_refusal refusal;
        fill_policy(&revert);
        error = serind_rollout_revert(serind, &revert.file, &made, &refusal);
        if (error == SERIN_OK) {
            serin_log(SERIN_LOG_INFO, "rollout id=%llu reverted_by=%llu",
                      (unsigned long long)revert.file.from, (unsigned long long)made->rollout.id);
            return;
        }
        (void)refuse(&revert, "%s", refusal.message);
    }
    if (error != SERIN_OK && is_store(error)) {
        serind->pass_retry_at_ms = serind->mono_ms + SERIND_PASS_RETRY_MS;
    } else if (error == SERIN_OK && revert.why[0] == '\0') {
        serin_way_back_saw(&slot->rollout, &slot->way_back); /* it is too early to say */
    } else {
        hold(serind, slot, revert.why[0] != '\0' ? revert.why : serin_error_text(error));
    }
}

void serind_revert_tend(struct serind *serind)
{
    if (serind_brokers_unheard(serind) || serind->mono_ms < serind->pass_retry_at_ms) {
        return;
    }
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        struct serind_slot *slot = serind->rollouts.slots[i];
        if (serin_way_back_due(&slot->rollout, &slot->way_back)) {
            run(serind, slot);
            return; /* slots have moved: the next one in the next turn */
        }
    }
}

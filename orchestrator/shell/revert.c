/* Reverts (revert.h). */
#include "revert.h"

#include "create.h"
#include "pass.h"
#include "serind.h"

#include <serin/adapters/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SUFFIX "-revert"

/* One that is looked into: the halted rollout and what would take its devices back. */
struct revert {
    struct serind *serind;
    const struct serind_slot *slot;
    struct serin_policy_file file;
    struct serin_release_record releases[SERIN_DIRECTIVE_OFFERS_MAX];
    struct serin_offer offers[SERIN_DIRECTIVE_OFFERS_MAX]; /* of the stable release */
    size_t count;
    /* Devices that stand in the way, and one of them. */
    uint32_t above, lost;
    char above_id[SERIN_ID_MAX + 1], lost_id[SERIN_ID_MAX + 1];
    uint32_t floor; /* of that one */
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
            revert->offers[revert->count++] = *offer;
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

static const struct serin_release_record *release_for(const struct revert *revert,
                                                      uint16_t hardware)
{
    for (size_t i = 0; i < revert->count; i++) {
        if (hardware >= revert->offers[i].hw_min && hardware <= revert->offers[i].hw_max) {
            return &revert->releases[i];
        }
    }
    return NULL;
}

/* Only who runs the halted release has a way to go: what others say of their floors stops nobody.
 */
static bool look_at_device(void *arg, const struct serin_device_record *record)
{
    struct revert *revert = arg;
    const struct serin_rollout *halted = &revert->slot->rollout;
    const struct serin_release_record *release = release_for(revert, record->hardware);
    if (record->enrolment != SERIN_ENROLMENT_ENROLLED ||
        !serind_rollout_offers(halted, record->running.manifest_id, record->hardware)) {
        return true;
    }
    if (release == NULL) {
        revert->lost++;
        (void)snprintf(revert->lost_id, sizeof revert->lost_id, "%s", record->id);
        return true;
    }
    if (record->running.floor > release->manifest.security_counter) {
        revert->above++;
        revert->floor = record->running.floor;
        (void)snprintf(revert->above_id, sizeof revert->above_id, "%s", record->id);
    }
    return true;
}

static bool devices_take_it(struct revert *revert)
{
    char version[SERIN_VERSION_TEXT_SIZE];
    serin_version_format(revert->releases[0].manifest.version, version);
    if (revert->above > 0) {
        return refuse(revert,
                      "%u device%s committed a security counter above that of stable %s and would "
                      "refuse it: %s is at %u",
                      revert->above, revert->above == 1 ? "" : "s", version, revert->above_id,
                      revert->floor);
    }
    if (revert->lost > 0) {
        return refuse(revert,
                      "no stable release is for the hardware of %u device%s that run it, %s is one",
                      revert->lost, revert->lost == 1 ? "" : "s", revert->lost_id);
    }
    return true;
}

/* Reads all that decides; inside a read transaction. False: it cannot be, and `why` says so, or
 * `*error` where the store could not be read. */
static bool judge(struct revert *revert, enum serin_error *error)
{
    const struct serin_policy *policy = &revert->slot->rollout.policy;
    struct serind *serind = revert->serind;
    *error = find_stable(revert);
    if (*error != SERIN_OK) {
        return false;
    }
    if (revert->count == 0) {
        return refuse(revert, "%s %s has no stable release to go back to", policy->product,
                      policy->channel);
    }
    *error = serind->store.ops->each_fleet_device(serind->store.ctx, policy->product,
                                                  policy->channel, NULL, look_at_device, revert);
    return *error == SERIN_OK && stable_at_hand(revert) && devices_take_it(revert);
}

/* ---- the rollout back ---- */

/* As the halted one was: its stages, gates, test and ramp. Its hours and its start are not asked
 * again, and it never reverts itself. */
static void fill_policy(struct revert *revert)
{
    const struct serin_rollout *halted = &revert->slot->rollout;
    struct serin_policy_file *file = &revert->file;
    struct serin_policy *policy = &file->policy;
    *policy = halted->policy;
    policy->offer_count = 0;
    memset(policy->offers, 0, sizeof policy->offers);
    size_t kept = sizeof policy->name - sizeof SUFFIX;
    (void)snprintf(policy->name, sizeof policy->name, "%.*s%s", (int)kept,
                   halted->policy.name[0] != '\0' ? halted->policy.name : "rollout", SUFFIX);
    policy->window_count = 0;
    memset(policy->windows, 0, sizeof policy->windows);
    policy->start_s = 0;
    policy->on_halt = SERIN_ON_HALT_HOLD;
    policy->revert = true;
    policy->supersede = true;
    file->from = halted->id;
    file->release_count = revert->count;
    for (size_t i = 0; i < revert->count; i++) {
        struct serin_policy_release *release = &file->releases[i];
        *release = (struct serin_policy_release){
            .has_hardware = true,
            .hw_min = revert->offers[i].hw_min,
            .hw_max = revert->offers[i].hw_max,
        };
        serin_hex_encode(revert->offers[i].manifest_id, SERIN_SHA256_SIZE, release->manifest);
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
    if (rollout->revert_why[0] != '\0') {
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

static void hold(struct serind *serind, struct serind_slot *slot, const char *why)
{
    if (serind_pass_begin(serind) != SERIN_OK) {
        return; /* the alarm of the store stands; the next turn tries again */
    }
    if (serind_pass_check(serind, serind_slot_touch(slot))) {
        struct serin_rollout *rollout = &slot->rollout;
        (void)snprintf(rollout->revert_why, sizeof rollout->revert_why, "%s", why);
        serind_audit(serind, &(struct serind_audit_line){.what = "revert", .rollout = rollout->id},
                     "refused, the devices stay on what they run: %s", rollout->revert_why);
    }
    if (serind_pass_end(serind) == SERIN_OK) {
        serind_revert_alarm(serind, slot);
    }
}

/* ---- each turn ---- */

static bool is_due(const struct serind_slot *slot)
{
    const struct serin_rollout *rollout = &slot->rollout;
    return rollout->state == SERIN_ROLLOUT_HALTED &&
           rollout->policy.on_halt == SERIN_ON_HALT_REVERT && !rollout->policy.revert &&
           rollout->stage > 0 && rollout->reverted_by == 0 && rollout->revert_why[0] == '\0';
}

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
    if (error == SERIN_OK || !is_store(error)) {
        hold(serind, slot, revert.why[0] != '\0' ? revert.why : serin_error_text(error));
    } else {
        serind->pass_retry_at_ms = serind->mono_ms + SERIND_PASS_RETRY_MS;
    }
}

void serind_revert_tend(struct serind *serind)
{
    if (serind_brokers_unheard(serind) || serind->mono_ms < serind->pass_retry_at_ms) {
        return;
    }
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        if (is_due(serind->rollouts.slots[i])) {
            run(serind, serind->rollouts.slots[i]);
            return; /* slots have moved: the next one in the next turn */
        }
    }
}

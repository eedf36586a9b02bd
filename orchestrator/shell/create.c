/* Creating rollouts (create.h). A creation checks first and changes after: what is refused
 * leaves no trace but its line in the audit log. */
#include "create.h"

#include "pass.h"
#include "policy_text.h"
#include "revert.h"
#include "serind.h"

#include <serin/adapters/log.h>
#include <serin/directive.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A creation under way. */
struct creation {
    struct serind *serind;
    struct serin_policy_file *file;
    const char *actor;  /* for the audit log */
    const char *source; /* the same: where the policy is from */
    bool reverts;       /* it takes back what the present rollout did */
    struct serin_release_record releases[SERIN_DIRECTIVE_OFFERS_MAX];
    struct serin_stable_record stable; /* offer_count 0: none */
    struct serind_slot *present;       /* the latest rollout there; NULL: none */
    uint32_t attempt;
    uint8_t salt[SERIN_SALT_SIZE];
    struct serind_slot *slot;
    struct serind_refusal *refusal;
};

static enum serin_error refuse(struct creation *creation, enum serin_error error, const char *field,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

static enum serin_error refuse(struct creation *creation, enum serin_error error, const char *field,
                               const char *format, ...)
{
    struct serind_refusal *refusal = creation->refusal;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(refusal->message, sizeof refusal->message, format, arguments);
    va_end(arguments);
    (void)snprintf(refusal->field, sizeof refusal->field, "%s", field);
    refusal->line = field[0] != '\0' && creation->file->document != NULL
                        ? serin_yaml_line(creation->file->document, field)
                        : 0;
    return error;
}

enum serin_error serind_refusal_store(struct serind_refusal *refusal, enum serin_error error)
{
    if (refusal->message[0] == '\0') {
        (void)snprintf(refusal->message, sizeof refusal->message,
                       "the store could not take it: %s; nothing was changed",
                       serin_error_text(error));
    }
    return error;
}

/* ---- checks ---- */

/* The manifest behind a stable offer that overlaps `offer`, if there is one. */
static enum serin_error stable_overlap(struct creation *creation, const struct serin_offer *offer,
                                       struct serin_release_record *found)
{
    const struct serin_release *stable = &creation->stable.release;
    for (size_t i = 0; i < stable->offer_count; i++) {
        if (stable->offers[i].hw_min <= offer->hw_max &&
            offer->hw_min <= stable->offers[i].hw_max) {
            return creation->serind->store.ops->get_release(creation->serind->store.ctx,
                                                            stable->offers[i].manifest_id, found);
        }
    }
    return SERIN_ERR_NOT_FOUND;
}

/* A device takes only what is newer than what it runs, unless told to revert, and never what lies
 * below its floor: a rollout of something else would end in a heap of refusals. */
static enum serin_error check_newer(struct creation *creation, size_t index,
                                    const struct serin_offer *offer)
{
    const struct serin_manifest *manifest = &creation->releases[index].manifest;
    struct serin_release_record stable;
    enum serin_error error = stable_overlap(creation, offer, &stable);
    if (error != SERIN_OK) {
        return error == SERIN_ERR_NOT_FOUND ? SERIN_OK : error;
    }
    char field[SERIN_YAML_FIELD_MAX];
    char ours[SERIN_VERSION_TEXT_SIZE];
    char theirs[SERIN_VERSION_TEXT_SIZE];
    (void)snprintf(field, sizeof field, "releases[%zu]", index);
    serin_version_format(manifest->version, ours);
    serin_version_format(stable.manifest.version, theirs);
    if (manifest->security_counter < stable.manifest.security_counter) {
        return refuse(creation, SERIN_ERR_COUNTER, field,
                      "version %s has security counter %u, below %u of the stable version %s: "
                      "devices that committed that one refuse it",
                      ours, manifest->security_counter, stable.manifest.security_counter, theirs);
    }
    if (!creation->file->policy.revert &&
        serin_version_compare(manifest->version, stable.manifest.version) <= 0) {
        return refuse(creation, SERIN_ERR_STATE, field,
                      "version %s is not newer than the stable version %s: to go back on purpose "
                      "set 'revert: true'",
                      ours, theirs);
    }
    return SERIN_OK;
}

static bool has_channel(const struct serin_manifest *manifest, const char *channel)
{
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS; i++) {
        if (strcmp(manifest->channels[i], channel) == 0) {
            return true;
        }
    }
    return false;
}

static enum serin_error resolve(struct creation *creation, size_t index)
{
    const struct serin_policy_release *wanted = &creation->file->releases[index];
    struct serin_policy *policy = &creation->file->policy;
    struct serin_release_record *record = &creation->releases[index];
    const struct serin_manifest *manifest = &record->manifest;
    char field[SERIN_YAML_FIELD_MAX];
    char why[SERIND_WHY_MAX];
    (void)snprintf(field, sizeof field, "releases[%zu]", index);
    enum serin_error error =
        serind_releases_find(creation->serind, policy->product, wanted, record, why);
    if (error != SERIN_OK) {
        return refuse(creation, error, field, "%s", why);
    }
    if (!has_channel(manifest, policy->channel)) {
        return refuse(creation, SERIN_ERR_CHANNEL, field,
                      "the release does not allow channel %s: pack it with --channels %s",
                      policy->channel, policy->channel);
    }
    struct serin_offer offer = {.hw_min = manifest->hw_min, .hw_max = manifest->hw_max};
    if (wanted->has_hardware) {
        if (wanted->hw_min < manifest->hw_min || wanted->hw_max > manifest->hw_max) {
            return refuse(creation, SERIN_ERR_HARDWARE, field,
                          "hardware %u-%u is not within the release's %u-%u", wanted->hw_min,
                          wanted->hw_max, manifest->hw_min, manifest->hw_max);
        }
        offer.hw_min = wanted->hw_min;
        offer.hw_max = wanted->hw_max;
    }
    memcpy(offer.manifest_id, record->manifest_id, SERIN_SHA256_SIZE);
    policy->offers[policy->offer_count++] = offer;
    if (record->last_attempt == UINT32_MAX) {
        return refuse(creation, SERIN_ERR_NO_SPACE, field, "its attempt numbers are used up");
    }
    creation->attempt =
        record->last_attempt >= creation->attempt ? record->last_attempt + 1 : creation->attempt;
    return check_newer(creation, index, &offer);
}

/* One rollout at a time on a product and channel. */
static enum serin_error check_alone(struct creation *creation)
{
    const struct serin_policy *policy = &creation->file->policy;
    creation->present = serind_rollouts_latest(creation->serind, policy->product, policy->channel);
    if (creation->present != NULL && !serind_rollout_over(creation->present->rollout.state) &&
        !policy->supersede) {
        return refuse(creation, SERIN_ERR_STATE, "channel",
                      "rollout %llu of %s %s is %s: wait for its end, abort it, or set "
                      "'supersede: true'",
                      (unsigned long long)creation->present->rollout.id, policy->product,
                      policy->channel, serin_rollout_state_text(creation->present->rollout.state));
    }
    if (serind_trusts_find(creation->serind, policy->product) == NULL) {
        return refuse(creation, SERIN_ERR_NOT_FOUND, "product",
                      "there is no trust record of product %s: publish it first", policy->product);
    }
    return SERIN_OK;
}

static enum serin_error choose_salt(struct creation *creation)
{
    const struct serin_policy_file *file = creation->file;
    struct serind *serind = creation->serind;
    if (file->from == 0) {
        return serind->crypto->ops->random(serind->crypto->ctx, creation->salt,
                                           sizeof creation->salt);
    }
    struct serin_rollout from;
    enum serin_error error = serind->store.ops->get_rollout(serind->store.ctx, file->from, &from);
    if (error == SERIN_ERR_NOT_FOUND) {
        return refuse(creation, error, "from", "there is no rollout %llu",
                      (unsigned long long)file->from);
    }
    if (error == SERIN_OK && (strcmp(from.policy.product, file->policy.product) != 0 ||
                              strcmp(from.policy.channel, file->policy.channel) != 0)) {
        return refuse(creation, SERIN_ERR_PRODUCT, "from", "rollout %llu was on %s %s",
                      (unsigned long long)file->from, from.policy.product, from.policy.channel);
    }
    if (error == SERIN_OK && from.state != SERIN_ROLLOUT_HALTED &&
        from.state != SERIN_ROLLOUT_ABORTED) {
        return refuse(creation, SERIN_ERR_STATE, "from", "rollout %llu is %s, not halted",
                      (unsigned long long)file->from, serin_rollout_state_text(from.state));
    }
    memcpy(creation->salt, from.salt, sizeof creation->salt);
    return error;
}

static enum serin_error check(struct creation *creation)
{
    struct serin_policy *policy = &creation->file->policy;
    struct serind *serind = creation->serind;
    enum serin_error error = check_alone(creation);
    if (error == SERIN_OK) {
        error = serind->store.ops->get_stable(serind->store.ctx, policy->product, policy->channel,
                                              &creation->stable);
        error = error == SERIN_ERR_NOT_FOUND ? SERIN_OK : error;
    }
    creation->attempt = 1;
    for (size_t i = 0; error == SERIN_OK && i < creation->file->release_count; i++) {
        error = resolve(creation, i);
    }
    if (error == SERIN_OK) {
        error = choose_salt(creation);
    }
    const char *field = "";
    if (error == SERIN_OK && serin_policy_check(policy, &field) != SERIN_OK) {
        error = refuse(creation, SERIN_ERR_INVALID, "", "the policy is not sound: %s", field);
    }
    return error;
}

/* ---- what was tried before ---- */

struct precedent {
    const struct serin_rollout *of;
    uint64_t id;
};

static bool take_precedent(void *arg, const struct serin_rollout *rollout)
{
    struct precedent *precedent = arg;
    const struct serin_policy *policy = &precedent->of->policy;
    /* An abort keeps the words of the halt. */
    bool halted = rollout->state == SERIN_ROLLOUT_HALTED ||
                  (rollout->state == SERIN_ROLLOUT_ABORTED &&
                   strncmp(rollout->why, "halted", strlen("halted")) == 0);
    for (size_t i = 0; halted && rollout->id < precedent->of->id && i < policy->offer_count; i++) {
        if (serind_rollout_offers(rollout, policy->offers[i].manifest_id, 0)) {
            precedent->id = rollout->id; /* the store walks from the oldest */
        }
    }
    return true;
}

uint64_t serind_rollout_halted_before(struct serind *serind, const struct serin_rollout *rollout)
{
    struct precedent precedent = {.of = rollout};
    enum serin_error error =
        serind->store.ops->each_rollout(serind->store.ctx, take_precedent, &precedent);
    return error == SERIN_OK ? precedent.id : 0;
}

/* ---- changes ---- */

struct serin_entrant serind_entrant(const struct serin_device_record *record)
{
    return (struct serin_entrant){.hardware = record->hardware,
                                  .floor = record->running.floor,
                                  .running = record->running.manifest_id,
                                  .tried = record->last_attempt.manifest_id,
                                  .attempt = record->last_attempt.attempt,
                                  .final = record->last_attempt.final,
                                  .state = record->last_attempt.state};
}

static bool enter_device(void *arg, const struct serin_device_record *record)
{
    struct creation *creation = arg;
    struct serind *serind = creation->serind;
    const struct serin_entrant entrant = serind_entrant(record);
    enum serin_entry entry = serin_rollout_entry(&creation->file->policy, &entrant);
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (entry == SERIN_ENTRY_NONE || record->enrolment != SERIN_ENROLMENT_ENROLLED ||
        device == SERIND_NO_DEVICE) {
        return true;
    }
    return serind_pass_check(
        serind, serind_slot_hold(serind, creation->slot, device, entry == SERIN_ENTRY_CONFIRMED));
}

/* The releases' attempt numbers are given out with the rollout, so that none is used twice. */
static void put_attempts(struct creation *creation)
{
    for (size_t i = 0; i < creation->file->release_count; i++) {
        creation->releases[i].last_attempt = creation->attempt;
        (void)serind_pass_check(
            creation->serind, creation->serind->store.ops->put_release(creation->serind->store.ctx,
                                                                       &creation->releases[i]));
    }
}

static enum serin_error supersede(struct creation *creation)
{
    struct serind_slot *present = creation->present;
    if (present == NULL) {
        return SERIN_OK;
    }
    present->retired = true;
    if (serind_rollout_over(present->rollout.state)) {
        return SERIN_OK;
    }
    const struct serin_rollout_event event = {.kind = SERIN_ROLLOUT_SUPERSEDE};
    return serind_rollouts_step(creation->serind, present, &event);
}

static enum serin_error begin(struct creation *creation)
{
    struct serind *serind = creation->serind;
    const struct serin_policy *policy = &creation->file->policy;
    uint64_t id = serind->meta.next_rollout_id;
    serind->meta.next_rollout_id = id + 1;
    struct serin_rollout rollout;
    enum serin_error error =
        serin_rollout_init(&rollout, id, policy, creation->salt, creation->attempt, serind->now_ms);
    if (error != SERIN_OK) {
        return error;
    }
    error = supersede(creation);
    creation->slot = error == SERIN_OK ? serind_rollouts_add(serind, &rollout) : NULL;
    if (creation->slot == NULL) {
        return error != SERIN_OK ? error : SERIN_ERR_MEMORY;
    }
    error = serind->store.ops->each_fleet_device(serind->store.ctx, policy->product,
                                                 policy->channel, NULL, enter_device, creation);
    if (error != SERIN_OK) {
        return error;
    }
    put_attempts(creation);
    serind_slot_save_members(serind, creation->slot);
    if (creation->reverts) {
        serind_revert_made(serind, creation->present, creation->slot);
    }
    char summary[SERIND_POLICY_TEXT_SIZE];
    serind_policy_text(policy, summary);
    serind_audit(
        serind,
        &(struct serind_audit_line){.actor = creation->actor, .what = "create", .rollout = id},
        "%s %s: %u device%s, attempt %u%s; %s; %s", policy->product, policy->channel,
        creation->slot->members.count, creation->slot->members.count == 1 ? "" : "s",
        creation->attempt, creation->file->from != 0 ? ", with the salt of an earlier rollout" : "",
        summary, creation->source);
    uint64_t halted = serind_rollout_halted_before(serind, &creation->slot->rollout);
    if (halted != 0) {
        serind_audit(
            serind,
            &(struct serind_audit_line){.actor = creation->actor, .what = "create", .rollout = id},
            "its release was halted before, in rollout %llu", (unsigned long long)halted);
    }
    const struct serin_rollout_event start = {.kind = SERIN_ROLLOUT_START};
    return serind_rollouts_step(serind, creation->slot, &start);
}

static enum serin_error run(struct creation *creation)
{
    struct serind *serind = creation->serind;
    enum serin_error error = serind_pass_begin(serind);
    if (error != SERIN_OK) {
        return error;
    }
    error = check(creation);
    if (error != SERIN_OK) {
        serind_pass_cancel(serind);
        return error;
    }
    error = begin(creation);
    (void)serind_pass_check(serind, error);
    return serind_pass_end(serind);
}

#define SOURCE_SIZE 96u

/* The hash of the file as it came, so that the one in the operator's hands can be recognised. */
static void source_text(const struct serind *serind, const char *text, size_t size,
                        char out[SOURCE_SIZE])
{
    uint8_t hash[SERIN_SHA256_SIZE];
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_sha256_of(serind->crypto, text, size, hash);
    serin_hex_encode(hash, sizeof hash, hex);
    (void)snprintf(out, SOURCE_SIZE, "policy sha256 %s", hex);
}

static enum serin_error make(struct creation *creation, struct serind_slot **slot)
{
    enum serin_error error = run(creation);
    *slot = error == SERIN_OK ? creation->slot : NULL;
    return error == SERIN_OK ? error : serind_refusal_store(creation->refusal, error);
}

enum serin_error serind_rollout_create(struct serind *serind, const char *text, size_t size,
                                       struct serind_slot **slot, struct serind_refusal *refusal)
{
    struct serin_policy_file file;
    struct serin_yaml_error wrong;
    char source[SOURCE_SIZE];
    source_text(serind, text, size, source);
    *slot = NULL;
    *refusal = (struct serind_refusal){.line = 0};
    enum serin_error error = serin_policy_file_open(&file, "policy", text, size, &wrong);
    if (error != SERIN_OK) {
        (void)snprintf(refusal->message, sizeof refusal->message, "%s", wrong.reason);
        (void)snprintf(refusal->field, sizeof refusal->field, "%s", wrong.field);
        refusal->line = wrong.line;
        (void)serind_refusal_store(refusal, error);
    } else {
        struct creation creation = {.serind = serind,
                                    .file = &file,
                                    .actor = "operator",
                                    .source = source,
                                    .refusal = refusal};
        error = make(&creation, slot);
        serin_policy_file_close(&file);
    }
    if (error != SERIN_OK) {
        serind_audit(serind, &(struct serind_audit_line){.actor = "operator", .what = "refused"},
                     "rollout create: %s; %s", refusal->message, source);
    }
    return error;
}

enum serin_error serind_rollout_revert(struct serind *serind, struct serin_policy_file *file,
                                       struct serind_slot **slot, struct serind_refusal *refusal)
{
    char source[SOURCE_SIZE];
    (void)snprintf(source, sizeof source, "the policy of rollout %llu",
                   (unsigned long long)file->from);
    struct creation creation = {.serind = serind,
                                .file = file,
                                .actor = "serind",
                                .source = source,
                                .reverts = true,
                                .refusal = refusal};
    *refusal = (struct serind_refusal){.line = 0};
    return make(&creation, slot);
}

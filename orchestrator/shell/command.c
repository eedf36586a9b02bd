/* The operator's verbs on rollouts (create.h): what is refused says what to do instead, and stays
 * in the audit log with what was asked. */
#include "create.h"

#include "pass.h"
#include "serind.h"

#include <stdio.h>
#include <string.h>

static void refuse_verb(const struct serin_rollout *rollout, enum serin_rollout_event_kind kind,
                        struct serind_refusal *refusal)
{
    static const char subject[] = "the rollout ";
    const char *instead = serin_rollout_refusal(rollout, kind);
    unsigned long long id = rollout->id;
    instead = instead != NULL ? instead : "that is not allowed now";
    if (rollout->state ==
        SERIN_ROLLOUT_HALTED) { /* the engine does not say how to go on by number */
        (void)snprintf(refusal->message, sizeof refusal->message,
                       "rollout %llu is halted for good: create one of a corrected release with "
                       "'from: %llu', or abort it",
                       id, id);
        return;
    }
    if (strncmp(instead, subject, strlen(subject)) == 0) { /* which one: it says itself how it is */
        (void)snprintf(refusal->message, sizeof refusal->message, "rollout %llu %s", id,
                       instead + strlen(subject));
        return;
    }
    (void)snprintf(refusal->message, sizeof refusal->message, "rollout %llu is %s: %s", id,
                   serin_rollout_state_text(rollout->state), instead);
}

/* Of a rollout whose product and channel have another by now. */
static void refuse_replaced(const struct serin_rollout *rollout, uint64_t by,
                            enum serin_rollout_event_kind kind, struct serind_refusal *refusal)
{
    unsigned long long id = rollout->id;
    int used = snprintf(refusal->message, sizeof refusal->message,
                        "rollout %llu is %s, and rollout %llu has taken its place: there is "
                        "nothing to %s",
                        id, serin_rollout_state_text(rollout->state), (unsigned long long)by,
                        serin_rollout_event_text(kind));
    if (rollout->state == SERIN_ROLLOUT_HALTED && used > 0 &&
        (size_t)used < sizeof refusal->message) {
        (void)snprintf(refusal->message + used, sizeof refusal->message - (size_t)used,
                       "; to go on create one of a corrected release with 'from: %llu'", id);
    }
}

/* No slot: another rollout has taken it since, or there never was one of this number. */
static enum serin_error not_at_hand(struct serind *serind, uint64_t id,
                                    enum serin_rollout_event_kind kind,
                                    struct serind_refusal *refusal)
{
    struct serin_rollout rollout;
    enum serin_error error = serind->store.ops->begin(serind->store.ctx, false);
    if (error == SERIN_OK) {
        error = serind->store.ops->get_rollout(serind->store.ctx, id, &rollout);
        serind->store.ops->abort(serind->store.ctx);
    }
    if (error == SERIN_OK) {
        const struct serind_slot *slot =
            serind_rollouts_latest(serind, rollout.policy.product, rollout.policy.channel);
        if (slot != NULL) {
            refuse_replaced(&rollout, slot->rollout.id, kind, refusal);
        } else {
            refuse_verb(&rollout, kind, refusal);
        }
        return SERIN_ERR_STATE;
    }
    if (error == SERIN_ERR_NOT_FOUND) {
        (void)snprintf(refusal->message, sizeof refusal->message, "there is no rollout %llu",
                       (unsigned long long)id);
        return error;
    }
    return serind_refusal_store(refusal, error);
}

/* What was asked, why, and why it was not done. */
static void audit_refusal(struct serind *serind, uint64_t id, enum serin_rollout_event_kind kind,
                          const char *reason, const struct serind_refusal *refusal)
{
    serind_audit(serind,
                 &(struct serind_audit_line){.actor = "operator", .what = "refused", .rollout = id},
                 "%s%s%s; %s", serin_rollout_event_text(kind), reason != NULL ? ": " : "",
                 reason != NULL ? reason : "", refusal->message);
}

enum serin_error serind_rollout_command(struct serind *serind, uint64_t id,
                                        enum serin_rollout_event_kind kind, const char *reason,
                                        struct serind_slot **slot, struct serind_refusal *refusal)
{
    *refusal = (struct serind_refusal){.line = 0};
    *slot = serind_rollouts_find(serind, id);
    enum serin_error error = SERIN_OK;
    if (*slot == NULL) {
        error = not_at_hand(serind, id, kind, refusal);
        audit_refusal(serind, id, kind, reason, refusal);
        return error;
    }
    error = serind_pass_begin(serind);
    if (error != SERIN_OK) {
        return serind_refusal_store(refusal, error);
    }
    const struct serin_rollout_event event = {.kind = kind, .note = reason};
    serind_audit(serind,
                 &(struct serind_audit_line){.actor = "operator", .what = "command", .rollout = id},
                 "%s%s%s", serin_rollout_event_text(kind), reason != NULL ? ": " : "",
                 reason != NULL ? reason : "");
    error = kind == SERIN_ROLLOUT_RETRY ? serind_rollouts_retry(serind, *slot, &event)
                                        : serind_rollouts_step(serind, *slot, &event);
    if (error == SERIN_ERR_STATE) {
        serind_pass_cancel(serind);
        refuse_verb(&(*slot)->rollout, kind, refusal);
        audit_refusal(serind, id, kind, reason, refusal);
        return error;
    }
    (void)serind_pass_check(serind, error);
    error = serind_pass_end(serind);
    return error == SERIN_OK ? error : serind_refusal_store(refusal, error);
}

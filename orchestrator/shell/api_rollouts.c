/* The API's rollouts. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#define FAILURES_MAX 100u
#define LIST_MAX     100u

/* ---- one rollout ---- */

/* The members of a rollout, wherever they are. */
struct census {
    struct serind *serind;
    uint32_t population;
    struct serin_json *failures; /* NULL: only count */
    size_t failure_count;
};

static bool went_wrong(enum serin_state state)
{
    return state == SERIN_STATE_ROLLED_BACK || state == SERIN_STATE_FAILED ||
           state == SERIN_STATE_REJECTED || state == SERIN_STATE_TIMED_OUT ||
           state == SERIN_STATE_REGRESSED || state == SERIN_STATE_REVERTED ||
           state == SERIN_STATE_UNREACHED;
}

static void take_member(struct census *census, const char *device,
                        const struct serin_member *member)
{
    enum serin_state state = (enum serin_state)member->state;
    enum serin_reason reason = (enum serin_reason)member->reason;
    census->population++;
    if (census->failures == NULL || !went_wrong(state) || census->failure_count == FAILURES_MAX) {
        return;
    }
    census->failure_count++;
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "device", device);
    serin_json_put_text(object, "state", serin_state_text(state));
    serin_json_put_text(object, "reason", serin_reason_word(reason));
    serin_json_put_text(object, "text", serin_reason_text(reason));
    serin_json_add(census->failures, object);
}

static bool take_record(void *arg, const struct serin_member_record *record)
{
    take_member(arg, record->device_id, &record->member);
    return true;
}

/* Inside a read transaction; `slot` as of serind_rollout_json. */
static void count_members(struct census *census, uint64_t id, const struct serind_slot *slot)
{
    struct serind *serind = census->serind;
    if (slot == NULL) {
        /* What is damaged was said when it was found; the rest is counted. */
        (void)serind->store.ops->each_member(serind->store.ctx, id, take_record, census);
        return;
    }
    for (uint32_t i = 0; i < slot->members.count; i++) {
        const struct serin_member *member = &slot->members.list[i];
        take_member(census, serind->index.list[member->device].id, member);
    }
}

/* The rollout that took the place of another: the next one of its product and channel. */
struct successor {
    const struct serin_rollout *of;
    uint64_t id; /* 0: none */
};

static bool succeeds(const struct serin_rollout *of, const struct serin_rollout *rollout)
{
    return rollout->id > of->id && strcmp(rollout->policy.product, of->policy.product) == 0 &&
           strcmp(rollout->policy.channel, of->policy.channel) == 0;
}

static bool take_successor(void *arg, const struct serin_rollout *rollout)
{
    struct successor *successor = arg;
    if (succeeds(successor->of, rollout)) {
        successor->id = rollout->id; /* the store walks from the oldest */
        return false;
    }
    return true;
}

static void put_successor(struct serin_json *object, uint64_t id)
{
    if (id != 0) {
        serin_json_put_number(object, "replaced_by", id);
    } else {
        serin_json_put_null(object, "replaced_by");
    }
}

/* The one in memory is the latest of its product and channel; of others the store is asked. */
static uint64_t successor_of(struct serind *serind, const struct serin_rollout *rollout)
{
    struct successor successor = {.of = rollout};
    if (serind_rollouts_find(serind, rollout->id) == NULL &&
        serind->store.ops->each_rollout(serind->store.ctx, take_successor, &successor) !=
            SERIN_OK) {
        return 0;
    }
    return successor.id;
}

static void answer_rollout(struct serind_call *call, unsigned status,
                           const struct serin_rollout *rollout, struct serind_slot *slot,
                           bool with_failures)
{
    struct census census = {
        .serind = call->serind,
        .failures = with_failures ? serin_json_array() : NULL,
    };
    count_members(&census, rollout->id, slot);
    struct serin_json *object = serind_rollout_json(call->serind, rollout, slot, census.population);
    put_successor(object, successor_of(call->serind, rollout));
    if (with_failures) {
        serin_json_put(object, "failures", census.failures);
    }
    serind_answer(call, status, object);
}

/* The id in the path; 0: not a number, and so no rollout. */
static uint64_t id_of(const struct serind_call *call)
{
    const char *text = call->argument[0];
    if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 18) {
        return 0;
    }
    return strtoull(text, NULL, 10);
}

void serind_get_rollout(struct serind_call *call)
{
    struct serind *serind = call->serind;
    struct serin_rollout rollout;
    if (!serind_read_begin(call)) {
        return;
    }
    struct serind_slot *slot = serind_rollouts_find(serind, id_of(call));
    struct serind_slot *recalled = NULL;
    enum serin_error error = SERIN_OK;
    if (slot == NULL) {
        error = serind_rollout_recall(serind, id_of(call), &recalled);
        slot = recalled;
    }
    if (slot != NULL) {
        rollout = slot->rollout;
    } else if (error != SERIN_ERR_NOT_FOUND) { /* a member is damaged: the rest is shown */
        error = serind->store.ops->get_rollout(serind->store.ctx, id_of(call), &rollout);
    }
    if (error == SERIN_OK) {
        answer_rollout(call, 200, &rollout, slot, true);
        serind_rollout_let_go(recalled);
    } else {
        serind_fail(call, error,
                    error == SERIN_ERR_NOT_FOUND ? "there is no rollout %s"
                                                 : "rollout %s cannot be read",
                    call->argument[0]);
    }
    serind_read_end(call);
}

/* ---- all of them ---- */

/* The newest LIST_MAX: the store walks from the oldest, so a ring keeps the last ones. */
struct listing {
    struct serin_rollout *ring;
    size_t count;
};

static bool list_rollout(void *arg, const struct serin_rollout *rollout)
{
    struct listing *listing = arg;
    listing->ring[listing->count++ % LIST_MAX] = *rollout;
    return true;
}

/* Of the n-th newest. */
static uint64_t listed_successor(const struct listing *listing, size_t n)
{
    const struct serin_rollout *of = &listing->ring[(listing->count - 1 - n) % LIST_MAX];
    for (size_t i = n; i-- > 0;) {
        const struct serin_rollout *newer = &listing->ring[(listing->count - 1 - i) % LIST_MAX];
        if (succeeds(of, newer)) {
            return newer->id;
        }
    }
    return 0;
}

/* Those that are in the store only are listed without what their members would tell. */
static struct serin_json *newest_first(struct serind *serind, const struct listing *listing)
{
    struct serin_json *array = serin_json_array();
    size_t kept = listing->count < LIST_MAX ? listing->count : LIST_MAX;
    for (size_t i = 0; i < kept; i++) {
        const struct serin_rollout *rollout = &listing->ring[(listing->count - 1 - i) % LIST_MAX];
        struct serind_slot *slot = serind_rollouts_find(serind, rollout->id);
        struct census census = {.serind = serind};
        count_members(&census, rollout->id, slot);
        struct serin_json *object = serind_rollout_json(
            serind, slot != NULL ? &slot->rollout : rollout, slot, census.population);
        put_successor(object, listed_successor(listing, i));
        serin_json_add(array, object);
    }
    return array;
}

void serind_get_rollouts(struct serind_call *call)
{
    struct serind *serind = call->serind;
    struct listing listing = {.ring = calloc(LIST_MAX, sizeof *listing.ring)};
    if (listing.ring == NULL) {
        serind_fail(call, SERIN_ERR_MEMORY, "memory is exhausted");
        return;
    }
    if (serind_read_begin(call)) {
        enum serin_error error =
            serind->store.ops->each_rollout(serind->store.ctx, list_rollout, &listing);
        if (error == SERIN_OK) {
            struct serin_json *object = serin_json_object();
            serin_json_put(object, "rollouts", newest_first(serind, &listing));
            serind_answer(call, 200, object);
        } else {
            serind_fail(call, error, "the rollouts cannot be read: %s", serin_error_text(error));
        }
        serind_read_end(call);
    }
    free(listing.ring);
}

/* ---- commands ---- */

/* A release that failed once is no secret to who rolls it out again. */
static void answer_created(struct serind_call *call, struct serind_slot *slot)
{
    struct census census = {.serind = call->serind};
    if (!serind_read_begin(call)) {
        return;
    }
    count_members(&census, slot->rollout.id, slot);
    struct serin_json *object =
        serind_rollout_json(call->serind, &slot->rollout, slot, census.population);
    uint64_t halted = serind_rollout_halted_before(call->serind, &slot->rollout);
    put_successor(object, 0);
    if (halted != 0) {
        serin_json_put_number(object, "halted_before", halted);
    } else {
        serin_json_put_null(object, "halted_before");
    }
    serind_answer(call, 201, object);
    serind_read_end(call);
}

static void answer_slot(struct serind_call *call, unsigned status, struct serind_slot *slot)
{
    if (serind_read_begin(call)) {
        answer_rollout(call, status, &slot->rollout, slot, false);
        serind_read_end(call);
    }
}

void serind_post_rollout(struct serind_call *call)
{
    struct serind_slot *slot = NULL;
    struct serind_refusal refusal;
    enum serin_error error = serind_rollout_create(call->serind, call->request->body,
                                                   call->request->body_size, &slot, &refusal);
    if (error == SERIN_OK) {
        answer_created(call, slot);
    } else {
        serind_fail_refusal(call, error, &refusal);
    }
}

/* The reason in the body, or NULL where there is none. False: the body is something else, and the
 * call is answered. */
static bool read_reason(struct serind_call *call, struct serin_json **body, const char **reason)
{
    char why[160];
    *body = NULL;
    *reason = NULL;
    if (call->request->body_size == 0) {
        return true;
    }
    enum serin_error error =
        serin_json_parse(call->request->body, call->request->body_size, body, why, sizeof why);
    if (error != SERIN_OK) {
        serind_fail(call, error, "the body is no JSON: %s", why);
        return false;
    }
    const struct serin_json *given = serin_json_get(*body, "reason");
    *reason = serin_json_as_text(given);
    if (!serin_json_is_object(*body) || (given != NULL && *reason == NULL)) {
        serind_fail(call, SERIN_ERR_FORMAT, "the body must be {\"reason\": \"…\"} or nothing");
        return false;
    }
    return true;
}

void serind_post_rollout_verb(struct serind_call *call)
{
    static const struct {
        const char *verb;
        enum serin_rollout_event_kind kind;
    } verbs[] = {
        {"pause", SERIN_ROLLOUT_PAUSE}, {"resume", SERIN_ROLLOUT_RESUME},
        {"halt", SERIN_ROLLOUT_HALT},   {"advance", SERIN_ROLLOUT_ADVANCE},
        {"abort", SERIN_ROLLOUT_ABORT}, {"retry", SERIN_ROLLOUT_RETRY},
    };
    enum serin_rollout_event_kind kind = SERIN_ROLLOUT_EVENT_INVALID;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].verb, call->argument[1]) == 0) {
            kind = verbs[i].kind;
        }
    }
    if (kind == SERIN_ROLLOUT_EVENT_INVALID) {
        serind_fail(call, SERIN_ERR_NOT_FOUND, "a rollout knows no command '%s'",
                    call->argument[1]);
        return;
    }
    struct serin_json *body = NULL;
    const char *reason = NULL;
    struct serind_slot *slot = NULL;
    struct serind_refusal refusal;
    if (read_reason(call, &body, &reason)) {
        enum serin_error error =
            serind_rollout_command(call->serind, id_of(call), kind, reason, &slot, &refusal);
        if (error == SERIN_OK) {
            answer_slot(call, 200, slot);
        } else {
            serind_fail_refusal(call, error, &refusal);
        }
    }
    serin_json_free(body);
}

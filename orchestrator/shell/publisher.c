/* The publisher: topics, directives made and sent (publisher.h). */
#include "publisher.h"

#include "pass.h"
#include "publisher_internal.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>
#include <serin/directive.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- topics ---- */

static struct serind_topic *topic_make(struct serind *serind, const struct serin_topic *topic)
{
    struct serind_publisher *publisher = &serind->publisher;
    if (publisher->count == SERIND_TOPICS_MAX) {
        serind_alarm_raise(serind, "topics", "more than %u topics: some are not looked after",
                           SERIND_TOPICS_MAX);
        return NULL;
    }
    struct serind_topic *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->topic = *topic;
        serin_topic_format(topic, made->name);
        publisher->topics[publisher->count++] = made;
    }
    return made;
}

struct serind_topic *serind_topic_find(struct serind *serind, const struct serin_topic *topic,
                                       bool make)
{
    for (size_t i = 0; i < serind->publisher.count; i++) {
        struct serind_topic *known = serind->publisher.topics[i];
        if (known->topic.kind == topic->kind && strcmp(known->topic.id, topic->id) == 0 &&
            strcmp(known->topic.product, topic->product) == 0 &&
            strcmp(known->topic.channel, topic->channel) == 0) {
            return known;
        }
    }
    return make ? topic_make(serind, topic) : NULL;
}

static void topic_free(struct serind_topic *topic)
{
    for (size_t i = 0; i < SERIN_SERIND_BROKERS_MAX; i++) {
        free(topic->views[i].payload);
    }
    free(topic->payload);
    free(topic);
}

/* Topics that nobody shows and we do not hold: others' names, gone again, must not take the room.
 */
void serind_topics_forget(struct serind *serind)
{
    struct serind_publisher *publisher = &serind->publisher;
    for (size_t i = publisher->count; i > 0; i--) {
        struct serind_topic *topic = publisher->topics[i - 1];
        bool is_needed = topic->held || topic->wanted || topic->renew;
        for (size_t b = 0; b < serind->broker_count; b++) {
            is_needed |= topic->views[b].payload != NULL || topic->views[b].in_flight;
        }
        if (!is_needed) {
            topic_free(topic);
            publisher->topics[i - 1] = publisher->topics[--publisher->count];
        }
    }
    if (publisher->count < SERIND_TOPICS_MAX) {
        serind_alarm_clear(serind, "topics");
    }
}

void serind_publisher_free(struct serind *serind)
{
    for (size_t i = 0; i < serind->publisher.count; i++) {
        topic_free(serind->publisher.topics[i]);
    }
    serind->publisher.count = 0;
}

/* What should be retained is this from now on. False: memory; nothing changed. */
static bool topic_set(struct serind *serind, struct serind_topic *topic, const uint8_t *payload,
                      size_t size)
{
    uint8_t *copy = malloc(size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, payload, size);
    free(topic->payload);
    topic->payload = copy;
    topic->payload_size = size;
    topic->held = true;
    topic->changed_at_ms = serind->mono_ms;
    for (size_t i = 0; i < serind->broker_count; i++) {
        topic->views[i].in_flight = false;
        topic->views[i].unanswered = 0;
    }
    serind->publisher.tend_at_ms = 0;
    return true;
}

/* ---- reading directives ---- */

bool serind_directive_read(const struct serind *serind, const struct serin_topic *topic,
                           const uint8_t *payload, size_t size, struct serin_directive *directive)
{
    for (size_t i = 0; i < serind->trusts.count; i++) {
        const struct serin_trust *trust = &serind->trusts.list[i]->trust;
        bool fits =
            topic->kind == SERIN_TOPIC_DEV_DIRECTIVE || strcmp(trust->product, topic->product) == 0;
        if (fits && serin_directive_open(serind->crypto, serind->codec, trust, payload, size,
                                         directive) == SERIN_OK) {
            return true;
        }
    }
    return false;
}

/* Whether a directive of our own store says that its candidate is halted. It was signed here, so
 * that it is read without a second look at the signature, whatever became of the trust record. */
static bool says_halted(const struct serind *serind, const uint8_t *payload, size_t size)
{
    struct serin_envelope envelope;
    struct serin_directive directive;
    return serind->codec->decode_envelope(payload, size, &envelope) == SERIN_OK &&
           serind->codec->decode_directive(envelope.body, envelope.body_size, &directive) ==
               SERIN_OK &&
           directive.candidate_state == SERIN_CANDIDATE_HALTED;
}

/* ---- loading ---- */

struct loading {
    struct serind *serind;
    enum serin_error error;
};

static bool load(void *arg, const struct serin_directive_record *record)
{
    struct loading *loading = arg;
    struct serind *serind = loading->serind;
    struct serin_topic parsed;
    if (serin_topic_parse(record->topic, &parsed) != SERIN_OK) {
        loading->error = SERIN_ERR_FORMAT;
        return false;
    }
    struct serind_topic *topic = serind_topic_find(serind, &parsed, true);
    if (topic == NULL || !topic_set(serind, topic, record->payload, record->payload_size)) {
        loading->error = SERIN_ERR_MEMORY;
        return false;
    }
    topic->own = *record;
    serind_signed_heard(serind, record->issued_s);
    topic->changed_at_ms = 0; /* an old halt that a broker does not show is an alarm at once */
    topic->halt = says_halted(serind, record->payload, record->payload_size);
    return true;
}

enum serin_error serind_publisher_load(struct serind *serind)
{
    struct loading loading = {.serind = serind};
    serind_signed_resume(serind);
    enum serin_error error = serind->store.ops->each_directive(serind->store.ctx, load, &loading);
    return error != SERIN_OK ? error : loading.error;
}

/* ---- asking ---- */

void serind_publisher_want(struct serind *serind, const char *product, const char *channel,
                           uint64_t rollout, const char *reason)
{
    assert(serind->in_pass);
    struct serin_topic wanted = {.kind = SERIN_TOPIC_DIRECTIVE};
    (void)serind_pass_check(serind,
                            serin_text_copy(wanted.product, sizeof wanted.product, product));
    (void)serind_pass_check(serind,
                            serin_text_copy(wanted.channel, sizeof wanted.channel, channel));
    struct serind_topic *topic = serind_topic_find(serind, &wanted, true);
    if (topic == NULL) {
        (void)serind_pass_check(serind, SERIN_ERR_MEMORY);
        return;
    }
    topic->wanted = true;
    topic->reason = reason;
    topic->rollout = rollout;
}

void serind_publisher_trust(struct serind *serind, const char *product, const uint8_t *record,
                            size_t size)
{
    struct serin_topic wanted = {.kind = SERIN_TOPIC_TRUST};
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
    size_t payload_size = 0;
    const struct serin_trust_payload value = {.record = record, .record_size = size};
    if (serin_text_copy(wanted.product, sizeof wanted.product, product) != SERIN_OK ||
        serind->codec->encode_trust_payload(&value, payload, sizeof payload, &payload_size) !=
            SERIN_OK) {
        serin_log(SERIN_LOG_ERROR, "the trust record cannot be sent product=%s", product);
        return;
    }
    struct serind_topic *topic = serind_topic_find(serind, &wanted, true);
    if (topic == NULL || !topic_set(serind, topic, payload, payload_size)) {
        serin_log(SERIN_LOG_ERROR, "no memory for the trust record product=%s", product);
    }
}

void serind_publisher_want_epoch(struct serind *serind, struct serin_order above,
                                 const char *format, ...)
{
    struct serind_publisher *publisher = &serind->publisher;
    if (publisher->want_epoch && serin_order_compare(above, publisher->want_above) <= 0) {
        return;
    }
    publisher->want_epoch = true;
    publisher->want_above = above;
    publisher->due = true;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(publisher->want_why, sizeof publisher->want_why, format, arguments);
    va_end(arguments);
}

/* A broker that retained what our store holds says that the store is no backup: then it takes two
 * devices to say otherwise, or anyone with a certificate could begin epochs. */
static bool is_believed(struct serind_publisher *publisher, const char *witness)
{
    if (!publisher->agreed) {
        return true;
    }
    if (publisher->claimant[0] != '\0' && strcmp(publisher->claimant, witness) != 0) {
        publisher->claimant[0] = '\0';
        return true;
    }
    (void)snprintf(publisher->claimant, sizeof publisher->claimant, "%s", witness);
    return false;
}

void serind_publisher_claim(struct serind *serind, const struct serin_device_record *device,
                            struct serin_order claimed)
{
    struct serind_publisher *publisher = &serind->publisher;
    enum serin_claim claim = serin_claim_judge(serind->meta.order, claimed, false);
    if (claim != SERIN_CLAIM_ABSURD && strcmp(publisher->absurd, device->id) == 0) {
        publisher->absurd[0] = '\0';
        serind_alarm_clear(serind, "claim");
    }
    switch (claim) {
    case SERIN_CLAIM_KNOWN:
        return;
    case SERIN_CLAIM_ABSURD:
        memcpy(publisher->absurd, device->id, sizeof publisher->absurd);
        serind_alarm_raise(
            serind, "claim",
            "device %s says that it accepted order %u.%u, far above ours (%u.%u): if "
            "that is true, start once with --new-epoch %u",
            device->id, claimed.epoch, claimed.sequence, serind->meta.order.epoch,
            serind->meta.order.sequence, claimed.epoch);
        return;
    case SERIN_CLAIM_HIGHER:
    default:
        break;
    }
    /* A gateway can put words into the mouth of each of its nodes: together they are one witness.
     */
    const char *witness = device->gateway[0] != '\0' ? device->gateway : device->id;
    if (serind->mono_ms < publisher->claim_rest_until_ms || !is_believed(publisher, witness)) {
        return;
    }
    serind->publisher.claim_rest_until_ms = serind->mono_ms + SERIN_CLAIM_REST_MS;
    serind_publisher_want_epoch(serind, claimed,
                                "device %s accepted order %u.%u, above what this store gave out",
                                device->id, claimed.epoch, claimed.sequence);
    struct serin_topic channel = {.kind = SERIN_TOPIC_DIRECTIVE};
    memcpy(channel.product, device->product, sizeof channel.product);
    memcpy(channel.channel, device->channel, sizeof channel.channel);
    struct serind_topic *topic = serind_topic_find(serind, &channel, false);
    if (topic != NULL) {
        serind_topic_doubt(topic, claimed);
    }
}

/* ---- making directives ---- */

/* The stable release and the candidate of a product and channel, as they stand in this pass. */
static enum serin_error fill(struct serind *serind, const struct serind_topic *topic,
                             struct serin_directive *directive)
{
    *directive = (struct serin_directive){
        .issued_s = serind_signed_ms(serind) / 1000u,
        .lease_s = SERIND_LEASE_S,
        .order = serind->meta.order,
        .candidate_state = SERIN_CANDIDATE_NONE,
    };
    memcpy(directive->product, topic->topic.product, sizeof directive->product);
    memcpy(directive->channel, topic->topic.channel, sizeof directive->channel);
    const struct serind_slot *slot =
        serind_rollouts_latest(serind, topic->topic.product, topic->topic.channel);
    if (slot != NULL) {
        serin_rollout_candidate(&slot->rollout, directive);
    }
    struct serin_stable_record stable;
    enum serin_error error = serind->store.ops->get_stable(serind->store.ctx, topic->topic.product,
                                                           topic->topic.channel, &stable);
    if (error == SERIN_OK) {
        directive->stable = stable.release;
    }
    return error == SERIN_ERR_NOT_FOUND ? SERIN_OK : error;
}

static enum serin_error make(struct serind *serind, struct serind_topic *topic)
{
    struct serin_directive directive;
    enum serin_error error = serin_order_next(serind->meta.order, &serind->meta.order);
    if (error == SERIN_OK) {
        error = fill(serind, topic, &directive);
    }
    struct serin_directive_record *next = &topic->next;
    const char *field = "";
    if (error == SERIN_OK) {
        error = serin_directive_seal(serind->crypto, serind->codec, &serind->director, &directive,
                                     next->payload, &next->payload_size, &field);
    }
    if (error != SERIN_OK) {
        serin_log(SERIN_LOG_ERROR, "no directive could be made topic=%s field=%s: %s", topic->name,
                  field, serin_error_text(error));
        return error;
    }
    memcpy(next->topic, topic->name, sizeof topic->name);
    next->order = directive.order;
    next->issued_s = directive.issued_s;
    next->lease_s = directive.lease_s;
    topic->next_halt = directive.candidate_state == SERIN_CANDIDATE_HALTED;
    SERIN_FAULT_POINT("serind.publish.before");
    return serind->store.ops->put_directive(serind->store.ctx, next);
}

/* Moves the order to a new epoch; every directive that there is, or should be, is made anew. */
static void start_epoch(struct serind *serind)
{
    struct serind_publisher *publisher = &serind->publisher;
    struct serin_order start;
    serind_publisher_learn(serind); /* what this pass heard of orders above ours */
    if (!serind_pass_check(
            serind, serin_order_new_epoch(serind->meta.order, publisher->want_above, &start))) {
        return;
    }
    serind->meta.order = start;
    serin_log(SERIN_LOG_WARN, "new epoch epoch=%u: %s", start.epoch, publisher->want_why);
    serind_audit(serind,
                 &(struct serind_audit_line){.what = "epoch", .order = publisher->want_above},
                 "epoch %u begins: %s", start.epoch, publisher->want_why);
    for (size_t i = 0; i < publisher->count; i++) {
        struct serind_topic *topic = publisher->topics[i];
        if (topic->topic.kind == SERIN_TOPIC_DIRECTIVE && !topic->wanted) {
            topic->wanted = true;
            topic->reason = "new epoch";
            topic->rollout = 0;
        }
    }
}

void serind_publisher_store(struct serind *serind)
{
    struct serind_publisher *publisher = &serind->publisher;
    if (publisher->want_epoch) {
        start_epoch(serind);
    }
    for (size_t i = 0; i < publisher->count && serind->pass_error == SERIN_OK; i++) {
        struct serind_topic *topic = publisher->topics[i];
        if (!topic->wanted || !serind_pass_check(serind, make(serind, topic))) {
            continue;
        }
        topic->pending = true;
        serind_audit(serind,
                     &(struct serind_audit_line){.what = "directive",
                                                 .rollout = topic->rollout,
                                                 .topic = topic->name,
                                                 .order = topic->next.order},
                     "directive made: %s", topic->reason);
    }
    serind_signed_store(serind);
}

/* ---- sending ---- */

bool serind_view_same(const struct serind_topic *topic, const struct serind_view *view)
{
    return topic->held && view->payload_size == topic->payload_size &&
           memcmp(view->payload, topic->payload, topic->payload_size) == 0;
}

enum serin_error serind_topic_send(struct serind *serind, struct serind_topic *topic, size_t broker)
{
    struct serind_view *view = &topic->views[broker];
    enum serin_error error =
        serin_mqtt_publish(serind->brokers[broker].mqtt, topic->name, topic->payload,
                           topic->payload_size, 1, true, &view->token);
    if (error != SERIN_OK) {
        return error;
    }
    view->in_flight = true;
    view->acked = false;
    view->sent_at_ms = serind->mono_ms;
    return SERIN_OK;
}

/* A directive that was just committed, to one broker; it is said only once the client took it. */
static void publish(struct serind *serind, struct serind_topic *topic, size_t broker)
{
    const char *uri = serind->brokers[broker].uri;
    enum serin_error error = serind_topic_send(serind, topic, broker);
    if (error != SERIN_OK) {
        serin_log(SERIN_LOG_WARN, "not published yet, it is tried again topic=%s broker=%s: %s",
                  topic->name, uri, serin_error_text(error));
        return;
    }
    serind_audit(serind,
                 &(struct serind_audit_line){.what = "publish",
                                             .rollout = topic->rollout,
                                             .topic = topic->name,
                                             .order = topic->own.order},
                 "directive published to %s: %s", uri, topic->reason);
}

void serind_publisher_keep(struct serind *serind)
{
    struct serind_publisher *publisher = &serind->publisher;
    publisher->want_epoch = false;
    publisher->due = false;
    publisher->kept_at_ms = serind->mono_ms;
    for (size_t i = 0; i < publisher->count; i++) {
        struct serind_topic *topic = publisher->topics[i];
        topic->wanted = false;
        topic->doubted = (struct serin_order){0, 0};
        for (size_t b = 0; b < serind->broker_count; b++) {
            topic->views[b].teaches = false;
        }
        if (!topic->pending) {
            continue;
        }
        topic->pending = false;
        topic->renew = false;
        char key[SERIND_ALARM_KEY_MAX];
        (void)snprintf(key, sizeof key, "memory:%s", topic->name);
        if (!topic_set(serind, topic, topic->next.payload, topic->next.payload_size)) {
            serind_alarm_raise(serind, key, "memory is exhausted for %s: restart serind",
                               topic->name);
            continue;
        }
        serind_alarm_clear(serind, key);
        topic->own = topic->next;
        serind_signed_heard(serind, topic->own.issued_s);
        topic->halt = topic->next_halt;
        SERIN_FAULT_POINT("serind.publish.after_persist");
        if (topic->halt) {
            SERIN_FAULT_POINT("serind.halt.before_publish");
        }
        serin_log(SERIN_LOG_INFO, "directive topic=%s order=%u.%u reason=\"%s\"", topic->name,
                  topic->own.order.epoch, topic->own.order.sequence, topic->reason);
        for (size_t b = 0; b < serind->broker_count; b++) {
            if (serind->brokers[b].connected && serind->brokers[b].heard) {
                publish(serind, topic, b);
            }
        }
        SERIN_FAULT_POINT("serind.publish.sent");
    }
}

void serind_publisher_undo(struct serind *serind)
{
    for (size_t i = 0; i < serind->publisher.count; i++) {
        serind->publisher.topics[i]->wanted = false;
        serind->publisher.topics[i]->pending = false;
    }
}

/* What a serind that was restored from a backup learns of its lost self (publisher.h;
 * docs/serind.md, "Orders, epochs and repair"). Outbidding the order that a broker shows is not
 * enough: what the newer directive said, a halt above all, must be true before the new epoch says
 * it anew. */
#include "pass.h"
#include "publisher_internal.h"
#include "releases.h"

#include <serin/directive.h>

#include <stdio.h>

typedef char note_text[SERIN_ROLLOUT_WHY_MAX];

struct serin_order serind_topic_order(const struct serind *serind, const struct serind_topic *topic)
{
    return topic->held ? topic->own.order : serind->meta.order;
}

static struct serind_slot *slot_of(struct serind *serind, const struct serind_topic *topic)
{
    return topic->topic.kind == SERIN_TOPIC_DIRECTIVE
               ? serind_rollouts_latest(serind, topic->topic.product, topic->topic.channel)
               : NULL;
}

static struct serin_lesson lesson_of(struct serind *serind, const struct serind_topic *topic,
                                     const struct serind_slot *slot,
                                     const struct serin_directive *directive)
{
    struct serin_order own = serind_topic_order(serind, topic);
    return serin_repair_learn(&slot->rollout, directive,
                              serin_order_compare(directive->order, own) >= 0);
}

bool serind_directive_teaches(struct serind *serind, const struct serind_topic *topic,
                              const struct serin_directive *directive)
{
    const struct serind_slot *slot = slot_of(serind, topic);
    if (serin_order_compare(directive->order, serind_topic_order(serind, topic)) > 0) {
        return true; /* at least the numbers of its attempts */
    }
    if (slot == NULL) {
        return false;
    }
    struct serin_lesson lesson = lesson_of(serind, topic, slot, directive);
    return !serin_lesson_empty(&lesson);
}

/* ---- what is not known ---- */

static void alarm_key(const struct serind_topic *topic, char key[SERIND_ALARM_KEY_MAX])
{
    (void)snprintf(key, SERIND_ALARM_KEY_MAX, "restored:%s", topic->name);
}

static void unknown_alarm(struct serind *serind, const struct serind_topic *topic,
                          const struct serind_slot *slot)
{
    char key[SERIND_ALARM_KEY_MAX];
    alarm_key(topic, key);
    serind_alarm_raise(serind, key,
                       "rollout %llu on %s is paused: the store is older than what was published, "
                       "and does not know what became of it: resume it, halt it or abort it",
                       (unsigned long long)slot->rollout.id, topic->name);
}

void serind_topic_doubt(struct serind_topic *topic, struct serin_order order)
{
    if (serin_order_compare(order, topic->doubted) > 0) {
        topic->doubted = order;
    }
}

void serind_topic_doubt_tend(struct serind *serind, const struct serind_topic *topic)
{
    char key[SERIND_ALARM_KEY_MAX];
    alarm_key(topic, key);
    const struct serind_slot *slot = slot_of(serind, topic);
    if (slot == NULL || slot->rollout.state != SERIN_ROLLOUT_PAUSED) {
        serind_alarm_clear(serind, key);
    }
}

/* ---- learning ---- */

static void step(struct serind *serind, struct serind_slot *slot,
                 enum serin_rollout_event_kind kind, const char *note)
{
    const struct serin_rollout_event event = {.kind = kind, .note = note, .restored = true};
    (void)serind_pass_check(serind, serind_rollouts_step(serind, slot, &event));
}

/* Attempt numbers that the lost self gave out. */
static void learn_attempts(struct serind *serind, const struct serin_release *release)
{
    for (size_t i = 0; i < release->offer_count; i++) {
        enum serin_error error = serind_releases_attempted(serind, release->offers[i].manifest_id,
                                                           release->attempt, UINT32_MAX);
        (void)serind_pass_check(serind, error == SERIN_ERR_NOT_FOUND ? SERIN_OK : error);
    }
}

static void learn_view(struct serind *serind, struct serind_topic *topic, size_t broker)
{
    const struct serind_view *view = &topic->views[broker];
    struct serind_slot *slot = slot_of(serind, topic);
    struct serin_directive directive;
    if (!serind_directive_read(serind, &topic->topic, view->payload, view->payload_size,
                               &directive)) {
        return;
    }
    learn_attempts(serind, &directive.candidate);
    learn_attempts(serind, &directive.stable);
    if (slot == NULL) {
        return;
    }
    struct serin_lesson lesson = lesson_of(serind, topic, slot, &directive);
    if (serin_lesson_empty(&lesson)) {
        return;
    }
    serind_audit(serind,
                 &(struct serind_audit_line){.what = "restored",
                                             .rollout = slot->rollout.id,
                                             .topic = topic->name,
                                             .order = view->order},
                 "%s shows a directive of ours that %s: the store is a backup%s",
                 serind->brokers[broker].uri,
                 lesson.unknown                        ? "does not name this rollout"
                 : lesson.event == SERIN_ROLLOUT_HALT  ? "halts this rollout"
                 : lesson.event == SERIN_ROLLOUT_PAUSE ? "pauses this rollout"
                                                       : "reaches further",
                 lesson.threshold != 0 ? ", and its threshold is taken" : "");
    serind_rollouts_raise(serind, slot, lesson.threshold);
    if (lesson.event != SERIN_ROLLOUT_EVENT_INVALID) {
        note_text note;
        (void)snprintf(note, sizeof note, "order %u.%u was published before the store was restored",
                       view->order.epoch, view->order.sequence);
        step(serind, slot, lesson.event, note);
    }
    if (lesson.unknown) {
        unknown_alarm(serind, topic, slot);
    }
}

/* Whether a broker shows the order that somebody took, or a later one: then it was learned. */
static bool is_shown(const struct serind *serind, const struct serind_topic *topic)
{
    for (size_t i = 0; i < serind->broker_count; i++) {
        const struct serind_view *view = &topic->views[i];
        if (view->verified && serin_order_compare(view->order, topic->doubted) >= 0) {
            return true;
        }
    }
    return false;
}

static void learn_doubt(struct serind *serind, struct serind_topic *topic)
{
    struct serind_slot *slot = slot_of(serind, topic);
    if (slot == NULL || topic->doubted.epoch == 0 || is_shown(serind, topic)) {
        return;
    }
    /* A directive that names nothing and is newer: all that is known of the lost one. */
    const struct serin_directive lost = {.candidate_state = SERIN_CANDIDATE_NONE};
    struct serin_lesson lesson = serin_repair_learn(&slot->rollout, &lost, true);
    if (lesson.event != SERIN_ROLLOUT_EVENT_INVALID) {
        step(serind, slot, lesson.event,
             "a higher order was taken that the store knows nothing of");
    }
    if (lesson.unknown) {
        unknown_alarm(serind, topic, slot);
    }
}

void serind_publisher_learn(struct serind *serind)
{
    for (size_t i = 0; i < serind->publisher.count; i++) {
        struct serind_topic *topic = serind->publisher.topics[i];
        for (size_t b = 0; b < serind->broker_count; b++) {
            if (topic->views[b].teaches) {
                learn_view(serind, topic, b);
            }
        }
        learn_doubt(serind, topic);
    }
}

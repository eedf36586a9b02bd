/* What nodes say: reports, beats and presence, as the site's plugin let them through. */
#include "words_internal.h"

#include <serin/adapters/log.h>

#include <stdlib.h>
#include <string.h>

void words_report_drop(struct words_node *node)
{
    free(node->report);
    node->report = NULL;
    node->report_size = 0;
}

void words_node_clear(struct words_node *node)
{
    words_report_drop(node);
    free(node->beat);
    *node = (struct words_node){.beat = NULL};
}

/* ---- nodes ---- */

/* Makes room by the longest unseen node that has nothing to say. */
static uint32_t replace(struct gateway *gateway, const char *id)
{
    struct gateway_words *words = gateway->words;
    uint32_t victim = serin_relay_victim(&words->relay);
    if (victim == SERIN_RELAY_NONE) {
        words->refused++;
        if (words_say(gateway, &words->refused_said_ms)) {
            serin_log(SERIN_LOG_WARN, "no room for a node: nodes_max=%u node=%s in_all=%llu",
                      gateway->config->nodes_max, id, (unsigned long long)words->refused);
        }
        return SERIN_RELAY_NONE;
    }
    char gone[SERIN_ID_MAX + 1];
    memcpy(gone, words->relay_nodes[victim].id, sizeof gone);
    serin_log(SERIN_LOG_INFO, "a node makes room for another node=%s for=%s", gone, id);
    words_flush(gateway); /* the place may stand among those to be stored */
    if (words->nodes[victim].dirty) {
        return SERIN_RELAY_NONE; /* the store is full: the new one comes again */
    }
    words->acks_owed -= words->nodes[victim].ack_owed ? 1u : 0u;
    words_node_clear(&words->nodes[victim]);
    serin_relay_remove(&words->relay, victim);
    serin_sent_forget(&words->sent, victim);
    gateway_forget_node(gateway, gone);
    words_gone(gateway, gone);
    return serin_relay_add(&words->relay, id);
}

/* The node of a message, learnt now if it is new; SERIN_RELAY_NONE: there is no room. */
static uint32_t learn(struct gateway *gateway, const char *id)
{
    struct gateway_words *words = gateway->words;
    uint32_t node = serin_relay_find(&words->relay, id);
    uint64_t now_s = gateway_words_signed_s(gateway);
    if (node == SERIN_RELAY_NONE) {
        node = serin_relay_add(&words->relay, id);
        if (node == SERIN_RELAY_NONE) {
            node = replace(gateway, id);
        }
        if (node == SERIN_RELAY_NONE) {
            return node;
        }
        serin_log(SERIN_LOG_INFO, "a node is new node=%s", id);
        words->nodes[node].first_seen_s = now_s;
        words_dirty(words, node);
        gateway_follow_node(gateway, id);
    }
    words->relay_nodes[node].seen_ms = gateway->mono_ms;
    words->relay_nodes[node].seen_s = now_s;
    if (now_s >= words->nodes[node].stored_seen_s + WORDS_SEEN_S) {
        words_dirty(words, node);
    }
    return node;
}

/* Who it is, as it says in every message. A new product, channel or hardware is stored. */
static void describe(struct gateway_words *words, uint32_t index, const char *product,
                     const char *channel, uint16_t hardware)
{
    struct words_node *node = &words->nodes[index];
    if (strcmp(node->product, product) != 0 || strcmp(node->channel, channel) != 0 ||
        node->hardware != hardware) {
        memcpy(node->product, product, strlen(product) + 1);
        memcpy(node->channel, channel, strlen(channel) + 1);
        node->hardware = hardware;
        words_dirty(words, index);
    }
}

/* ---- reports ---- */

static uint32_t transitions_of(const struct serin_report *report)
{
    uint32_t count = 0;
    for (size_t i = 0; i < report->attempt_count; i++) {
        count += (uint32_t)report->attempts[i].transition_count;
    }
    return count;
}

/* Transitions that were not told before: each takes the next number of its account (report.md,
 * section 3), and no more can be new than are told. */
static uint32_t new_transitions(const struct serin_relay_node *known,
                                const struct serin_report *report)
{
    uint64_t from = known->incarnation == report->incarnation ? known->number : 0;
    uint64_t steps = report->number > from ? report->number - from : 0;
    uint32_t told = transitions_of(report);
    return steps < told ? (uint32_t)steps : told;
}

/* What its attempts have come to, for the site's own halt. */
static void note_outcomes(struct gateway *gateway, uint32_t node, const struct serin_report *report)
{
    struct words_node *at = &gateway->words->nodes[node];
    for (size_t i = 0; i < report->attempt_count; i++) {
        const struct serin_attempt_report *attempt = &report->attempts[i];
        const struct serin_transition *last = &attempt->transitions[attempt->transition_count - 1];
        if (serin_relay_bad(last->state)) {
            words_failed(gateway, node, attempt->manifest_id, attempt->attempt, last->reason);
        }
        /* The current attempt is the last: one that came after a confirmed one may run its image
         * without a word against the other. */
        at->confirmed_attempt = last->state == SERIN_STATE_CONFIRMED ? attempt->attempt : 0;
        memcpy(at->confirmed_manifest, attempt->manifest_id, sizeof at->confirmed_manifest);
    }
}

/* Keeps the bytes in place of what was queued. */
static bool keep_report(struct words_node *node, const uint8_t *payload, size_t size)
{
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return false; /* the node repeats it */
    }
    memcpy(bytes, payload, size);
    words_report_drop(node);
    node->report = bytes;
    node->report_size = size;
    return true;
}

static enum serin_error take_report(struct gateway *gateway, const char *id, const uint8_t *payload,
                                    size_t size)
{
    struct gateway_words *words = gateway->words;
    struct serin_report report;
    enum serin_error error = gateway->codec->decode_report(payload, size, &report);
    if (error != SERIN_OK || strcmp(report.device_id, id) != 0) {
        return error != SERIN_OK ? error : SERIN_ERR_DEVICE;
    }
    uint32_t index = learn(gateway, id);
    if (index == SERIN_RELAY_NONE) {
        return SERIN_OK;
    }
    struct words_node *node = &words->nodes[index];
    const struct serin_relay_node *known = &words->relay_nodes[index];
    enum serin_relay_verdict verdict = serin_relay_judge(known, report.incarnation, report.number);
    if (verdict == SERIN_RELAY_DUPLICATE || verdict == SERIN_RELAY_OVERTAKEN ||
        !keep_report(node, payload, size)) {
        return SERIN_OK;
    }
    enum serin_relay_class kind = SERIN_RELAY_FINAL;
    if (verdict != SERIN_RELAY_REPEATED) {
        kind = serin_relay_classify(&report);
        gateway->meta.transitions += new_transitions(known, &report);
        gateway_meta_changed(gateway);
        node->transitions = transitions_of(&report);
        describe(words, index, report.product, report.channel, report.hardware);
        note_outcomes(gateway, index, &report);
    }
    if (known->state == SERIN_RELAY_IDLE) {
        node->queued_s = gateway_words_signed_s(gateway);
    }
    serin_relay_heard(&words->relay, index, report.incarnation, report.number, (uint32_t)size, kind,
                      gateway->mono_ms);
    words_dirty(words, index);
    return SERIN_OK;
}

/* ---- beats and presence ---- */

/* Whether it runs another image than the one that it said it had confirmed. Only a beat that knows
 * of no later report can say so. */
static bool reverted(const struct words_node *node, const struct serin_relay_node *known,
                     const struct serin_beat *beat)
{
    return node->confirmed_attempt != 0 && beat->incarnation == known->incarnation &&
           beat->last_number == known->number &&
           memcmp(beat->running.manifest_id, node->confirmed_manifest, SERIN_SHA256_SIZE) != 0;
}

static enum serin_error take_beat(struct gateway *gateway, const char *id, const uint8_t *payload,
                                  size_t size)
{
    struct gateway_words *words = gateway->words;
    struct serin_beat beat;
    enum serin_error error = gateway->codec->decode_beat(payload, size, &beat);
    if (error != SERIN_OK || strcmp(beat.device_id, id) != 0) {
        return error != SERIN_OK ? error : SERIN_ERR_DEVICE;
    }
    uint32_t index = learn(gateway, id);
    if (index == SERIN_RELAY_NONE) {
        return SERIN_OK;
    }
    struct words_node *node = &words->nodes[index];
    describe(words, index, beat.product, beat.channel, beat.hardware);
    if (reverted(node, &words->relay_nodes[index], &beat)) {
        words_failed(gateway, index, node->confirmed_manifest, node->confirmed_attempt,
                     SERIN_REASON_OTHER_IMAGE);
    }
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return SERIN_ERR_MEMORY; /* before the relay counts on it */
    }
    if (!serin_relay_beat(&words->relay, index, &beat, gateway->mono_ms)) {
        free(bytes);
        return SERIN_OK;
    }
    memcpy(bytes, payload, size);
    free(node->beat);
    node->beat = bytes;
    node->beat_size = size;
    return SERIN_OK;
}

static enum serin_error take_presence(struct gateway *gateway, const char *id,
                                      const uint8_t *payload, size_t size)
{
    struct gateway_words *words = gateway->words;
    struct serin_presence presence;
    enum serin_error error = gateway->codec->decode_presence(payload, size, &presence);
    if (error != SERIN_OK || size > SERIN_PRESENCE_MAX) {
        return error != SERIN_OK ? error : SERIN_ERR_TOO_LARGE;
    }
    /* The broker remembers everyone who ever was there: only who is there is learnt. */
    uint32_t index = presence.online ? learn(gateway, id) : serin_relay_find(&words->relay, id);
    if (index == SERIN_RELAY_NONE) {
        return SERIN_OK;
    }
    struct words_node *node = &words->nodes[index];
    memcpy(node->presence, payload, size);
    node->presence_size = size;
    (void)serin_relay_presence(&words->relay, index, presence.online, gateway->mono_ms);
    return SERIN_OK;
}

void gateway_words_node(struct gateway *gateway, const struct serin_topic *topic,
                        const uint8_t *payload, size_t size)
{
    struct gateway_words *words = gateway->words;
    enum serin_error error = SERIN_OK;
    if (strcmp(topic->id, gateway->config->id) == 0) {
        return; /* ourselves, at the site's broker */
    }
    if (topic->kind == SERIN_TOPIC_DEV_REPORT) {
        error = take_report(gateway, topic->id, payload, size);
    } else if (topic->kind == SERIN_TOPIC_DEV_BEAT) {
        error = take_beat(gateway, topic->id, payload, size);
    } else if (topic->kind == SERIN_TOPIC_PRESENCE) {
        error = take_presence(gateway, topic->id, payload, size);
    }
    /* The plugin refuses what is malformed; what comes through all the same is said. */
    if (error != SERIN_OK) {
        words->malformed++;
        if (words_say(gateway, &words->malformed_said_ms)) {
            serin_log(SERIN_LOG_WARN, "message refused node=%s in_all=%llu: %s", topic->id,
                      (unsigned long long)words->malformed, serin_error_text(error));
        }
    }
}

/* What publisher.c (topics, making and sending) and tend.c (watching, repair) share. */
#ifndef SERIND_PUBLISHER_INTERNAL_H
#define SERIND_PUBLISHER_INTERNAL_H

#include "serind.h"

/* Signed time (clock.c). The time to sign with, Unix milliseconds. */
uint64_t serind_signed_ms(const struct serind *serind);

/* Goes on from what the store keeps, once the meta record is loaded. */
void serind_signed_resume(struct serind *serind);

/* A directive of ours bears this time: it is committed, or the store or a broker has it. */
void serind_signed_heard(struct serind *serind, uint64_t issued_s);

/* The end of a pass: has the meta record keep it. */
void serind_signed_store(struct serind *serind);

/* Every look: asks for a pass where the store should be told of it; raises and clears the alarm. */
void serind_signed_tend(struct serind *serind);

/* Whether what the broker shows is what should be retained. */
bool serind_view_same(const struct serind_topic *topic, const struct serind_view *view);

/* Forgets topics that are nobody's any more; outside of passes. */
void serind_topics_forget(struct serind *serind);

/* Publishes what should be retained on a topic to one broker. An error: the client did not take it
 * now (SERIN_ERR_AGAIN and the others of serin_mqtt_publish), and the next look tries again. */
SERIN_MUST_USE enum serin_error serind_topic_send(struct serind *serind, struct serind_topic *topic,
                                                  size_t broker);

/* Opens a directive payload with the trust record of `topic`'s product, or of any product where
 * the topic is a device's own. False: not signed by a director of ours. */
bool serind_directive_read(const struct serind *serind, const struct serin_topic *topic,
                           const uint8_t *payload, size_t size, struct serin_directive *directive);

/* Whether a verified directive says of the rollout of `topic` what the store does not know. */
bool serind_directive_teaches(struct serind *serind, const struct serind_topic *topic,
                              const struct serin_directive *directive);

/* An order above ours was taken on the channel of `topic`; what it said is not known. */
void serind_topic_doubt(struct serind_topic *topic, struct serin_order order);

/* Clears the alarm of a rollout paused in doubt, once an operator decided. */
void serind_topic_doubt_tend(struct serind *serind, const struct serind_topic *topic);

/* The order against which what a broker shows on the topic is judged. */
struct serin_order serind_topic_order(const struct serind *serind,
                                      const struct serind_topic *topic);

/* The entry of a topic, made if `make`; NULL: there is none, or no room. */
struct serind_topic *serind_topic_find(struct serind *serind, const struct serin_topic *topic,
                                       bool make);

#endif

/*
 * Who may publish, subscribe and read what under serin/ (docs/broker-plugin.md, section 2): the
 * topic table of the design as an access list, [role][topic kind]. Pure.
 */
#ifndef SERIN_PLUGIN_ACL_H
#define SERIN_PLUGIN_ACL_H

#include <serin/topic.h>

#include <stdint.h>

/* How far a right reaches. */
enum serin_reach {
    SERIN_REACH_NONE,
    SERIN_REACH_OWN,   /* topics that carry the identity's own id; never by a wildcard */
    SERIN_REACH_NAMED, /* any topic of the kind, each named in full; never by a wildcard */
    SERIN_REACH_ANY    /* any topic of the kind, wildcards included */
};

/* The right to read covers subscribing: whoever may read a topic may subscribe to it, as far as the
 * reach goes. */
struct serin_right {
    enum serin_reach publish;
    enum serin_reach read;
};

/* How a topic of a kind must be published, by whomever. */
struct serin_topic_form {
    uint8_t qos; /* exactly this */
    bool retain; /* exactly this */
    uint32_t payload_max_bytes;
};

/* Programmer error: role or kind outside its enum. INVALID has no rights. */
struct serin_right serin_acl_right(enum serin_role role, enum serin_topic_kind kind);
struct serin_topic_form serin_acl_form(enum serin_topic_kind kind);

enum serin_acl_verdict {
    SERIN_ACL_ALLOW = 1,
    SERIN_ACL_DENY,
    SERIN_ACL_DEFER /* not a topic of Serin: others decide */
};

struct serin_acl_answer {
    enum serin_acl_verdict verdict;
    const char *why; /* of DENY, for the log; static storage */
};

/* A publish by `id` in `role`. On ALLOW `topic` is the parsed topic; the payload's content is still
 * to be checked. */
struct serin_acl_answer serin_acl_publish(enum serin_role role, const char *id, const char *text,
                                          uint8_t qos, bool retain, uint32_t payload_bytes,
                                          struct serin_topic *topic);

/* The delivery of a message on `text` to `id`. On ALLOW `topic` is the parsed topic. */
struct serin_acl_answer serin_acl_read(enum serin_role role, const char *id, const char *text,
                                       struct serin_topic *topic);

/* A subscription. A filter with wildcards is allowed when every topic of Serin that it can match is
 * within ANY; one that could match a single topic that the role may not read is denied as a whole.
 * Shared subscriptions ($share) are denied: they would take messages away from their reader. */
struct serin_acl_answer serin_acl_subscribe(enum serin_role role, const char *id,
                                            const char *filter);

/* Whether an MQTT topic filter matches a topic name (MQTT 3.1.1, section 4.7), `$` rule included.
 */
bool serin_filter_matches(const char *filter, const char *topic);

#endif

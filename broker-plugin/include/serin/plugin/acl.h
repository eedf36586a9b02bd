/*
 * Who may publish, subscribe and read what under serin/ (docs/broker-plugin.md, section 2): the
 * topic table of the design as an access list, [party][topic kind]. Pure.
 */
#ifndef SERIN_PLUGIN_ACL_H
#define SERIN_PLUGIN_ACL_H

#include <serin/topic.h>

#include <stdint.h>

/* Whose rights a client has. On the cloud's broker that is its role; on a site's broker
 * (docs/spec/site.md, section 1) the site's own gateway stands in for serind, and whoever is
 * neither that gateway nor a device is nobody. */
enum serin_party {
    SERIN_PARTY_NONE, /* has no rights */
    SERIN_PARTY_DEVICE,
    SERIN_PARTY_GATEWAY, /* on the cloud's broker */
    SERIN_PARTY_SERIND,
    SERIN_PARTY_SITE_GATEWAY, /* on its site's broker */
    SERIN_PARTY_COUNT
};

/* The party of `id` in `role`. `site_gateway` is the id of the gateway whose site the broker
 * serves, or NULL on the cloud's broker. */
enum serin_party serin_acl_party(enum serin_role role, const char *id, const char *site_gateway);

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

/* Programmer error: party or kind outside its enum. */
struct serin_right serin_acl_right(enum serin_party party, enum serin_topic_kind kind);
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

/* A publish by `id` as `party`. On ALLOW `topic` is the parsed topic; the payload's content is
 * still to be checked. */
struct serin_acl_answer serin_acl_publish(enum serin_party party, const char *id, const char *text,
                                          uint8_t qos, bool retain, uint32_t payload_bytes,
                                          struct serin_topic *topic);

/* The delivery of a message on `text` to `id`. On ALLOW `topic` is the parsed topic. */
struct serin_acl_answer serin_acl_read(enum serin_party party, const char *id, const char *text,
                                       struct serin_topic *topic);

/* A subscription. A filter with wildcards is allowed when every topic of Serin that it can match is
 * within ANY; one that could match a single topic that the party may not read is denied as a whole.
 * Shared subscriptions ($share) are denied: they would take messages away from their reader. */
struct serin_acl_answer serin_acl_subscribe(enum serin_party party, const char *id,
                                            const char *filter);

/* Whether an MQTT topic filter matches a topic name (MQTT 3.1.1, section 4.7), `$` rule included.
 */
bool serin_filter_matches(const char *filter, const char *topic);

#endif

/*
 * Who is here and who may do what: the broker's questions about publishing, subscribing and
 * reading, answered from identities, the access list, payloads and the order guard.
 *
 * Facts of Mosquitto 2.0 that shape this file: there is no event for a connection, so a client is
 * learnt at its first publish or subscription; while it is disconnected it has no certificate, but
 * its queue is still filled; its will is published after its DISCONNECT.
 */
#include "site.h"

#include <serin/adapters/fault.h>

#include <string.h>
#include <time.h>

static void tell_presence(struct shell *shell, const char *id, bool online)
{
    const struct serin_presence presence = {.online = online, .time_s = (uint64_t)time(NULL)};
    uint8_t payload[SERIN_PRESENCE_MAX];
    size_t size = 0;
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(SERIN_TOPIC_PRESENCE, id, topic);
    if (shell->ports.codec->encode_presence(&presence, payload, sizeof payload, &size) ==
        SERIN_OK) {
        SERIN_FAULT_POINT("plugin.presence.before");
        shell_retain(topic, payload, size);
    }
}

static enum serin_party party_of(const struct shell *shell, enum serin_role role, const char *id)
{
    return serin_acl_party(role, id, shell->options.gateway);
}

static const char *why_unknown(enum serin_error error)
{
    switch ((int)error) {
    case SERIN_ERR_NOT_FOUND:
        return "it shows no certificate now (a will, or a listener without require_certificate)";
    case SERIN_ERR_STATE:
        return "its client id is not its certificate's CN (set use_username_as_clientid true)";
    case SERIN_ERR_DENIED:
        return "its certificate's OU names no role";
    case SERIN_ERR_UNSUPPORTED:
        return "a site's broker is for its devices and its own gateway (plugin_opt_gateway)";
    case SERIN_ERR_NO_SPACE:
        return "too many clients of its role are connected (plugin_opt_clients_max)";
    default:
        return "its certificate's subject is not usable";
    }
}

/* The session of a client that publishes or subscribes; a connection that acts for the first time
 * is learnt. Who has no rights here at all takes no place in the table: so the one place that is
 * kept at a site for its gateway is always the gateway's. */
static enum serin_error session_of(struct shell *shell, const void *connection, uint32_t *session)
{
    const char *id = shell_client_id(connection);
    uint32_t found = id == NULL ? SERIN_SESSION_NONE : serin_sessions_find(&shell->sessions, id);
    if (found != SERIN_SESSION_NONE && serin_sessions_connected(&shell->sessions, id) &&
        shell->slots[found].connection == connection) {
        *session = found;
        return SERIN_OK;
    }
    struct serin_certificate_identity identity;
    enum serin_error error = shell_identify(connection, &identity);
    if (error != SERIN_OK) {
        return error;
    }
    if (party_of(shell, identity.role, identity.id) == SERIN_PARTY_NONE) {
        return SERIN_ERR_UNSUPPORTED;
    }
    if (found != SERIN_SESSION_NONE) {
        shell_release(shell, found);
    }
    return serin_sessions_join(&shell->sessions, identity.id, identity.role, connection, session);
}

static enum serin_acl_verdict deny(struct shell *shell, const void *connection, const char *what,
                                   const char *topic, const char *why)
{
    const char *id = shell_client_id(connection);
    shell_log_client(shell, "refused: %s by %s on %.160s: %s", what, id == NULL ? "?" : id, topic,
                     why);
    return SERIN_ACL_DENY;
}

enum serin_acl_verdict shell_subscribe(struct shell *shell, const void *connection,
                                       const char *filter)
{
    /* Whether a filter is ours does not depend on who asks; strangers to Serin must not fill the
     * table. */
    struct serin_acl_answer answer = serin_acl_subscribe(SERIN_PARTY_NONE, "", filter);
    if (answer.verdict == SERIN_ACL_DEFER) {
        return SERIN_ACL_DEFER;
    }
    uint32_t session = SERIN_SESSION_NONE;
    enum serin_error error = session_of(shell, connection, &session);
    if (error != SERIN_OK) {
        return deny(shell, connection, "subscription", filter, why_unknown(error));
    }
    const struct serin_session *who = &shell->slots[session];
    answer = serin_acl_subscribe(party_of(shell, who->role, who->id), who->id, filter);
    if (answer.verdict != SERIN_ACL_ALLOW) {
        return deny(shell, connection, "subscription", filter, answer.why);
    }
    if (serin_sessions_announce(&shell->sessions, session)) {
        tell_presence(shell, who->id, true);
    }
    return SERIN_ACL_ALLOW;
}

/* Remembers what a directive or trust topic is to say, before the broker takes it. */
static enum serin_error guard_publish(struct shell *shell, const struct shell_message *message,
                                      const struct serin_topic *topic,
                                      const struct serin_payload *payload)
{
    struct serin_guard_view view;
    switch ((int)topic->kind) {
    case SERIN_TOPIC_DIRECTIVE:
    case SERIN_TOPIC_DEV_DIRECTIVE:
        serin_guard_view_directive(&payload->directive, payload->content, &view);
        break;
    case SERIN_TOPIC_TRUST:
        serin_guard_view_trust(payload->trust_version, payload->content, &view);
        break;
    default:
        return SERIN_OK;
    }
    return serin_guard_accept(&shell->guard, message->topic, &view, message->payload,
                              message->payload_size);
}

static const char *why_guarded(enum serin_error error)
{
    switch ((int)error) {
    case SERIN_ERR_STATE:
        return "its order was given to another content before";
    case SERIN_ERR_INVALID:
        return "its order leaps too far above what is remembered (plugin_opt_leap_max)";
    default:
        return serin_error_text(error);
    }
}

/* Whether a client may say one more thing that travels up to serind. All nodes of a site share one
 * uplink, and each report of theirs goes before any firmware. */
static bool within_rate(struct shell *shell, uint32_t session, enum serin_topic_kind kind,
                        uint64_t now_ms)
{
    uint32_t rate = (uint32_t)shell->options.messages_per_second;
    return (kind != SERIN_TOPIC_DEV_REPORT && kind != SERIN_TOPIC_DEV_BEAT) ||
           serin_bucket_take(&shell->slots[session].messages, rate, 2u * rate, now_ms);
}

enum serin_acl_verdict shell_publish(struct shell *shell, const void *connection,
                                     const struct shell_message *message, uint64_t now_ms)
{
    if (!serin_topic_ours(message->topic)) {
        return SERIN_ACL_DEFER;
    }
    uint32_t session = SERIN_SESSION_NONE;
    enum serin_error error = session_of(shell, connection, &session);
    if (error != SERIN_OK) {
        return deny(shell, connection, "message", message->topic, why_unknown(error));
    }
    const struct serin_session *who = &shell->slots[session];
    struct serin_topic topic;
    struct serin_acl_answer answer =
        serin_acl_publish(party_of(shell, who->role, who->id), who->id, message->topic,
                          message->qos, message->retain, message->payload_size, &topic);
    if (answer.verdict != SERIN_ACL_ALLOW) {
        return deny(shell, connection, "message", message->topic, answer.why);
    }
    if (!within_rate(shell, session, topic.kind, now_ms)) {
        return deny(shell, connection, "message", message->topic,
                    "more reports and beats than it may send (plugin_opt_messages_per_second)");
    }
    struct serin_payload payload;
    error = serin_payload_check(&shell->ports, &topic, message->payload, message->payload_size,
                                &payload);
    if (error != SERIN_OK) {
        return deny(shell, connection, "message", message->topic, serin_error_text(error));
    }
    error = guard_publish(shell, message, &topic, &payload);
    if (error != SERIN_OK) {
        return deny(shell, connection, "message", message->topic, why_guarded(error));
    }
    return SERIN_ACL_ALLOW;
}

/* The party of a reader. A delivery never makes a session: it may go to a connection that has just
 * been taken over, or to a queue that waits for its client. */
static enum serin_party party_of_reader(struct shell *shell, const void *connection, const char *id)
{
    uint32_t session = serin_sessions_find(&shell->sessions, id);
    if (session != SERIN_SESSION_NONE && shell->slots[session].connection == connection) {
        return party_of(shell, shell->slots[session].role, id);
    }
    struct serin_certificate_identity identity;
    return shell_identify(connection, &identity) == SERIN_OK ? party_of(shell, identity.role, id)
                                                             : SERIN_PARTY_NONE;
}

/* Whether a message that the broker holds may still be believed: its database may be older than
 * what was published since. */
static bool current(struct shell *shell, const struct shell_message *message,
                    const struct serin_topic *topic)
{
    struct serin_payload payload;
    bool guarded = topic->kind == SERIN_TOPIC_DIRECTIVE || topic->kind == SERIN_TOPIC_TRUST ||
                   topic->kind == SERIN_TOPIC_DEV_DIRECTIVE;
    if (!guarded && topic->kind != SERIN_TOPIC_PRESENCE) {
        return true;
    }
    if (serin_payload_check(&shell->ports, topic, message->payload, message->payload_size,
                            &payload) != SERIN_OK) {
        return false;
    }
    if (topic->kind == SERIN_TOPIC_PRESENCE) {
        return !payload.presence.online || serin_sessions_connected(&shell->sessions, topic->id);
    }
    struct serin_order order = payload.directive.order;
    if (topic->kind == SERIN_TOPIC_TRUST) {
        order = (struct serin_order){.sequence = payload.trust_version};
    }
    return serin_guard_deliver(&shell->guard, message->topic, order) == SERIN_OK;
}

enum serin_acl_verdict shell_read(struct shell *shell, const void *connection,
                                  const struct shell_message *message)
{
    if (!serin_topic_ours(message->topic)) {
        return SERIN_ACL_DEFER;
    }
    const char *id = shell_client_id(connection);
    if (id == NULL) {
        return SERIN_ACL_DENY;
    }
    struct serin_topic topic;
    enum serin_party party = party_of_reader(shell, connection, id);
    if (serin_acl_read(party, id, message->topic, &topic).verdict != SERIN_ACL_ALLOW) {
        return SERIN_ACL_DENY;
    }
    if (current(shell, message, &topic)) {
        return SERIN_ACL_ALLOW;
    }
    /* A client that left before its presence was delivered is an everyday matter, and no news. */
    return topic.kind == SERIN_TOPIC_PRESENCE
               ? SERIN_ACL_DENY
               : deny(shell, connection, "delivery", message->topic, "out of date");
}

void shell_heard(struct shell *shell, const void *connection, const struct shell_message *message,
                 uint64_t now_ms)
{
    struct serin_topic topic;
    struct serin_payload payload;
    uint32_t session = SERIN_SESSION_NONE;
    if (!serin_topic_ours(message->topic) ||
        serin_topic_parse(message->topic, &topic) != SERIN_OK) {
        return;
    }
    switch ((int)topic.kind) {
    case SERIN_TOPIC_DEV_GET:
    case SERIN_TOPIC_GW_GET:
        if (session_of(shell, connection, &session) == SERIN_OK &&
            serin_payload_check(&shell->ports, &topic, message->payload, message->payload_size,
                                &payload) == SERIN_OK) {
            shell_serve(shell, session, &topic, &payload.get, now_ms);
        }
        break;
    case SERIN_TOPIC_DEPOT_HAVE:
        if (shell->site != NULL &&
            serin_payload_check(&shell->ports, &topic, message->payload, message->payload_size,
                                &payload) == SERIN_OK) {
            site_hear(shell, &payload.have, now_ms);
        }
        break;
    case SERIN_TOPIC_DIRECTIVE:
    case SERIN_TOPIC_DEV_DIRECTIVE:
        if (shell->site != NULL) {
            site_orders_changed(shell, now_ms);
        }
        break;
    default:
        break;
    }
}

void shell_left(struct shell *shell, const void *connection, bool keep)
{
    const char *id = shell_client_id(connection);
    uint32_t session = id == NULL ? SERIN_SESSION_NONE : serin_sessions_find(&shell->sessions, id);
    if (session == SERIN_SESSION_NONE || shell->slots[session].connection != connection) {
        return;
    }
    shell_release(shell, session);
    if (serin_sessions_leave(&shell->sessions, id, connection, keep)) {
        tell_presence(shell, id, false);
    }
}

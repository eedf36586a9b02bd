/*
 * serin_plugin.so: the composition root that Mosquitto loads. It turns the broker's events into
 * calls of the cores and their answers into results for the broker. Everything here runs in the
 * broker's one thread.
 *
 * Facts of Mosquitto 2.0 that shape this file: there is no event for a connection, so a client is
 * learnt at its first publish or subscription; while it is disconnected it has no certificate, but
 * its queue is still filled; its will is published after its DISCONNECT; any result other than
 * ACL_DENIED disconnects the client.
 */
#include "shell.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/openssl.h>
#include <serin/plugin/acl.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>

/* The module's symbols are hidden but for what the broker looks for. */
#pragma GCC visibility push(default)
#include <mosquitto_plugin.h>
#pragma GCC visibility pop

#define OPTIONS_MAX 32

static const int level_of_broker[] = {
    [SHELL_INFO] = MOSQ_LOG_INFO, [SHELL_WARNING] = MOSQ_LOG_WARNING, [SHELL_ERROR] = MOSQ_LOG_ERR};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void log_line(enum shell_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void log_line(enum shell_level level, const char *format, va_list arguments)
{
    char line[512];
    (void)vsnprintf(line, sizeof line, format, arguments);
    mosquitto_log_printf(level_of_broker[level], "serin: %s", line);
}

void shell_log(enum shell_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_line(level, format, arguments);
    va_end(arguments);
}

void shell_log_client(struct shell *shell, const char *format, ...)
{
    if (!serin_bucket_take(&shell->lines, SHELL_LINES_PER_S, SHELL_LINES_BURST, now_ms())) {
        shell->lines_dropped++;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    log_line(SHELL_WARNING, format, arguments);
    va_end(arguments);
}

uint8_t *shell_payload_new(size_t size)
{
    return mosquitto_malloc(size);
}

void shell_payload_free(uint8_t *payload)
{
    mosquitto_free(payload);
}

void shell_send(const char *id, const char *topic, uint8_t *payload, size_t size)
{
    if (mosquitto_broker_publish(id, topic, (int)size, payload, 0, false, NULL) !=
        MOSQ_ERR_SUCCESS) {
        mosquitto_free(payload);
    }
}

void shell_retain(const char *topic, const uint8_t *payload, size_t size)
{
    uint8_t *copy = mosquitto_malloc(size);
    if (copy == NULL) {
        shell_log(SHELL_ERROR, "no memory to publish on %s", topic);
        return;
    }
    memcpy(copy, payload, size);
    if (mosquitto_broker_publish(NULL, topic, (int)size, copy, 1, true, NULL) != MOSQ_ERR_SUCCESS) {
        mosquitto_free(copy);
    }
}

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

/* Who a connection is, by its certificate. SERIN_ERR_NOT_FOUND: it has none (a listener without
 * TLS, or a client that is gone). SERIN_ERR_STATE: its client id is not the certificate's CN. */
static enum serin_error identify(const struct mosquitto *client,
                                 struct serin_certificate_identity *identity)
{
    void *certificate = mosquitto_client_certificate(client);
    if (certificate == NULL) {
        return SERIN_ERR_NOT_FOUND;
    }
    enum serin_error error = serin_certificate_identity(certificate, identity);
    serin_certificate_free(certificate);
    if (error != SERIN_OK) {
        return error;
    }
    const char *id = mosquitto_client_id(client);
    return id != NULL && strcmp(id, identity->id) == 0 ? SERIN_OK : SERIN_ERR_STATE;
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
    case SERIN_ERR_NO_SPACE:
        return "too many clients of its role are connected (plugin_opt_clients_max)";
    default:
        return "its certificate's subject is not usable";
    }
}

/* The session of a client that publishes or subscribes; a connection that acts for the first time
 * is learnt. */
static enum serin_error session_of(struct shell *shell, const struct mosquitto *client,
                                   uint32_t *session)
{
    const char *id = mosquitto_client_id(client);
    uint32_t found = id == NULL ? SERIN_SESSION_NONE : serin_sessions_find(&shell->sessions, id);
    if (found != SERIN_SESSION_NONE && serin_sessions_connected(&shell->sessions, id) &&
        shell->slots[found].connection == client) {
        *session = found;
        return SERIN_OK;
    }
    struct serin_certificate_identity identity;
    enum serin_error error = identify(client, &identity);
    if (error != SERIN_OK) {
        return error;
    }
    if (found != SERIN_SESSION_NONE) {
        serin_supply_release(&shell->supply, found);
    }
    return serin_sessions_join(&shell->sessions, identity.id, identity.role, client, session);
}

static int deny(struct shell *shell, const struct mosquitto *client, const char *what,
                const char *topic, const char *why)
{
    const char *id = mosquitto_client_id(client);
    shell_log_client(shell, "refused: %s by %s on %.160s: %s", what, id == NULL ? "?" : id, topic,
                     why);
    return MOSQ_ERR_ACL_DENIED;
}

static int check_subscribe(struct shell *shell, const struct mosquitto_evt_acl_check *event)
{
    /* Whether a filter is ours does not depend on who asks; strangers to Serin must not fill the
     * table. */
    struct serin_acl_answer answer = serin_acl_subscribe(SERIN_ROLE_INVALID, "", event->topic);
    if (answer.verdict == SERIN_ACL_DEFER) {
        return MOSQ_ERR_PLUGIN_DEFER;
    }
    uint32_t session = SERIN_SESSION_NONE;
    enum serin_error error = session_of(shell, event->client, &session);
    if (error != SERIN_OK) {
        return deny(shell, event->client, "subscription", event->topic, why_unknown(error));
    }
    const struct serin_session *who = &shell->slots[session];
    answer = serin_acl_subscribe(who->role, who->id, event->topic);
    if (answer.verdict != SERIN_ACL_ALLOW) {
        return deny(shell, event->client, "subscription", event->topic, answer.why);
    }
    if (serin_sessions_announce(&shell->sessions, session)) {
        tell_presence(shell, who->id, true);
    }
    return MOSQ_ERR_SUCCESS;
}

/* Remembers what a directive or trust topic is to say, before the broker takes it. */
static enum serin_error guard_publish(struct shell *shell,
                                      const struct mosquitto_evt_acl_check *event,
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
    return serin_guard_accept(&shell->guard, event->topic, &view, event->payload,
                              event->payloadlen);
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

static int check_publish(struct shell *shell, const struct mosquitto_evt_acl_check *event)
{
    if (!serin_topic_ours(event->topic)) {
        return MOSQ_ERR_PLUGIN_DEFER;
    }
    uint32_t session = SERIN_SESSION_NONE;
    enum serin_error error = session_of(shell, event->client, &session);
    if (error != SERIN_OK) {
        return deny(shell, event->client, "message", event->topic, why_unknown(error));
    }
    const struct serin_session *who = &shell->slots[session];
    struct serin_topic topic;
    struct serin_acl_answer answer = serin_acl_publish(who->role, who->id, event->topic, event->qos,
                                                       event->retain, event->payloadlen, &topic);
    if (answer.verdict != SERIN_ACL_ALLOW) {
        return deny(shell, event->client, "message", event->topic, answer.why);
    }
    struct serin_payload payload;
    error = serin_payload_check(&shell->ports, &topic, event->payload, event->payloadlen, &payload);
    if (error != SERIN_OK) {
        return deny(shell, event->client, "message", event->topic, serin_error_text(error));
    }
    error = guard_publish(shell, event, &topic, &payload);
    if (error != SERIN_OK) {
        return deny(shell, event->client, "message", event->topic, why_guarded(error));
    }
    return MOSQ_ERR_SUCCESS;
}

/* The role of a reader. A delivery never makes a session: it may go to a connection that has just
 * been taken over, or to a queue that waits for its client. */
static enum serin_role role_of_reader(struct shell *shell, const struct mosquitto *client,
                                      const char *id)
{
    uint32_t session = serin_sessions_find(&shell->sessions, id);
    if (session != SERIN_SESSION_NONE && shell->slots[session].connection == client) {
        return shell->slots[session].role;
    }
    struct serin_certificate_identity identity;
    return identify(client, &identity) == SERIN_OK ? identity.role : SERIN_ROLE_INVALID;
}

/* Whether a message that the broker holds may still be believed: its database may be older than
 * what was published since. */
static bool current(struct shell *shell, const struct mosquitto_evt_acl_check *event,
                    const struct serin_topic *topic)
{
    struct serin_payload payload;
    bool guarded = topic->kind == SERIN_TOPIC_DIRECTIVE || topic->kind == SERIN_TOPIC_TRUST ||
                   topic->kind == SERIN_TOPIC_DEV_DIRECTIVE;
    if (!guarded && topic->kind != SERIN_TOPIC_PRESENCE) {
        return true;
    }
    if (serin_payload_check(&shell->ports, topic, event->payload, event->payloadlen, &payload) !=
        SERIN_OK) {
        return false;
    }
    if (topic->kind == SERIN_TOPIC_PRESENCE) {
        return !payload.presence.online || serin_sessions_connected(&shell->sessions, topic->id);
    }
    struct serin_order order = payload.directive.order;
    if (topic->kind == SERIN_TOPIC_TRUST) {
        order = (struct serin_order){.sequence = payload.trust_version};
    }
    return serin_guard_deliver(&shell->guard, event->topic, order) == SERIN_OK;
}

static int check_read(struct shell *shell, const struct mosquitto_evt_acl_check *event)
{
    if (!serin_topic_ours(event->topic)) {
        return MOSQ_ERR_PLUGIN_DEFER;
    }
    const char *id = mosquitto_client_id(event->client);
    if (id == NULL) {
        return MOSQ_ERR_ACL_DENIED;
    }
    struct serin_topic topic;
    enum serin_role role = role_of_reader(shell, event->client, id);
    if (serin_acl_read(role, id, event->topic, &topic).verdict != SERIN_ACL_ALLOW) {
        return MOSQ_ERR_ACL_DENIED;
    }
    if (current(shell, event, &topic)) {
        return MOSQ_ERR_SUCCESS;
    }
    /* A client that left before its presence was delivered is an everyday matter, and no news. */
    return topic.kind == SERIN_TOPIC_PRESENCE
               ? MOSQ_ERR_ACL_DENIED
               : deny(shell, event->client, "delivery", event->topic, "out of date");
}

static int on_acl_check(int kind, void *data, void *userdata)
{
    (void)kind;
    const struct mosquitto_evt_acl_check *event = data;
    switch (event->access) {
    case MOSQ_ACL_READ:
        return check_read(userdata, event);
    case MOSQ_ACL_WRITE:
        return check_publish(userdata, event);
    case MOSQ_ACL_SUBSCRIBE:
        return check_subscribe(userdata, event);
    default: /* ending a subscription harms nobody */
        return MOSQ_ERR_SUCCESS;
    }
}

/* The ACL check let the message pass a moment ago, so its session exists and its payload decodes.
 */
static int on_message(int kind, void *data, void *userdata)
{
    (void)kind;
    struct shell *shell = userdata;
    const struct mosquitto_evt_message *event = data;
    struct serin_topic topic;
    struct serin_payload payload;
    if (!serin_topic_ours(event->topic) || serin_topic_parse(event->topic, &topic) != SERIN_OK ||
        (topic.kind != SERIN_TOPIC_DEV_GET && topic.kind != SERIN_TOPIC_GW_GET)) {
        return MOSQ_ERR_SUCCESS;
    }
    uint32_t session = SERIN_SESSION_NONE;
    if (session_of(shell, event->client, &session) == SERIN_OK &&
        serin_payload_check(&shell->ports, &topic, event->payload, event->payloadlen, &payload) ==
            SERIN_OK) {
        shell_serve(shell, session, &topic, &payload.get, now_ms());
    }
    return MOSQ_ERR_SUCCESS;
}

static int on_disconnect(int kind, void *data, void *userdata)
{
    (void)kind;
    struct shell *shell = userdata;
    const struct mosquitto_evt_disconnect *event = data;
    const char *id = mosquitto_client_id(event->client);
    uint32_t session = id == NULL ? SERIN_SESSION_NONE : serin_sessions_find(&shell->sessions, id);
    if (session == SERIN_SESSION_NONE || shell->slots[session].connection != event->client) {
        return MOSQ_ERR_SUCCESS;
    }
    serin_supply_release(&shell->supply, session);
    bool keep = !mosquitto_client_clean_session(event->client);
    if (serin_sessions_leave(&shell->sessions, id, event->client, keep)) {
        tell_presence(shell, id, false);
    }
    return MOSQ_ERR_SUCCESS;
}

static int on_tick(int kind, void *data, void *userdata)
{
    (void)kind;
    (void)data;
    struct shell *shell = userdata;
    if (!shell->told_remembered) {
        shell->told_remembered = true;
        shell_publish_remembered(shell);
    }
    serin_supply_expire(&shell->supply, now_ms());
    if (shell->lines_dropped > 0 &&
        serin_bucket_take(&shell->lines, SHELL_LINES_PER_S, SHELL_LINES_BURST, now_ms())) {
        shell_log(SHELL_WARNING, "%llu more lines were left out",
                  (unsigned long long)shell->lines_dropped);
        shell->lines_dropped = 0;
    }
    return MOSQ_ERR_SUCCESS;
}

static void log_complaint(const struct serin_plugin_complaint *complaint)
{
    if (complaint->range == NULL) {
        shell_log(SHELL_ERROR, "plugin_opt_%s %s", complaint->key, complaint->what);
        return;
    }
    shell_log(SHELL_ERROR, "plugin_opt_%s %s: %llu to %llu", complaint->key, complaint->what,
              (unsigned long long)complaint->range->min, (unsigned long long)complaint->range->max);
}

static struct shell *open_with(const struct mosquitto_opt *options, int option_count)
{
    struct serin_plugin_option given[OPTIONS_MAX];
    struct serin_plugin_options read;
    struct serin_plugin_complaint complaint;
    if (option_count > OPTIONS_MAX) {
        shell_log(SHELL_ERROR, "more than %d options", OPTIONS_MAX);
        return NULL;
    }
    for (int i = 0; i < option_count; i++) {
        given[i] = (struct serin_plugin_option){options[i].key, options[i].value};
    }
    if (serin_plugin_options_read(given, (size_t)option_count, &read, &complaint) != SERIN_OK) {
        log_complaint(&complaint);
        return NULL;
    }
    return shell_open(&read);
}

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++) {
        if (supported_versions[i] == MOSQ_PLUGIN_VERSION) {
            return MOSQ_PLUGIN_VERSION;
        }
    }
    return -1;
}

static const struct {
    int event;
    MOSQ_FUNC_generic_callback callback;
} callbacks[] = {{MOSQ_EVT_ACL_CHECK, on_acl_check},
                 {MOSQ_EVT_MESSAGE, on_message},
                 {MOSQ_EVT_DISCONNECT, on_disconnect},
                 {MOSQ_EVT_TICK, on_tick}};
#define CALLBACK_COUNT (sizeof callbacks / sizeof callbacks[0])

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                          struct mosquitto_opt *options, int option_count)
{
    struct shell *shell = open_with(options, option_count);
    if (shell == NULL) {
        return MOSQ_ERR_INVAL;
    }
    shell->plugin_id = identifier;
    for (size_t i = 0; i < CALLBACK_COUNT; i++) {
        int result = mosquitto_callback_register(identifier, callbacks[i].event,
                                                 callbacks[i].callback, NULL, shell);
        if (result != MOSQ_ERR_SUCCESS) {
            shell_log(SHELL_ERROR, "the broker refuses event %d: %d", callbacks[i].event, result);
            (void)mosquitto_plugin_cleanup(shell, options, option_count);
            return result;
        }
    }
    *userdata = shell;
    shell_log(SHELL_INFO, "serving %s, remembering %u topics in %s", shell->options.depot,
              shell->guard.entry_count, shell->options.state);
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    (void)options;
    (void)option_count;
    struct shell *shell = userdata;
    if (shell == NULL) {
        return MOSQ_ERR_SUCCESS;
    }
    for (size_t i = 0; i < CALLBACK_COUNT; i++) {
        (void)mosquitto_callback_unregister(shell->plugin_id, callbacks[i].event,
                                            callbacks[i].callback, NULL);
    }
    shell_close(shell);
    return MOSQ_ERR_SUCCESS;
}

/*
 * serin_plugin.so: the composition root that Mosquitto loads. It turns the broker's events into
 * calls of the shell and their answers into results for the broker. Everything here runs in the
 * broker's one thread. Any result other than ACL_DENIED would disconnect a client.
 */
#include "shell.h"

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

const char *shell_client_id(const void *connection)
{
    return mosquitto_client_id(connection);
}

enum serin_error shell_identify(const void *connection, struct serin_certificate_identity *identity)
{
    void *certificate = mosquitto_client_certificate(connection);
    if (certificate == NULL) {
        return SERIN_ERR_NOT_FOUND;
    }
    enum serin_error error = serin_certificate_identity(certificate, identity);
    serin_certificate_free(certificate);
    if (error != SERIN_OK) {
        return error;
    }
    const char *id = mosquitto_client_id(connection);
    return id != NULL && strcmp(id, identity->id) == 0 ? SERIN_OK : SERIN_ERR_STATE;
}

static const int result_of_verdict[] = {[SERIN_ACL_ALLOW] = MOSQ_ERR_SUCCESS,
                                        [SERIN_ACL_DENY] = MOSQ_ERR_ACL_DENIED,
                                        [SERIN_ACL_DEFER] = MOSQ_ERR_PLUGIN_DEFER};

static int on_acl_check(int kind, void *data, void *userdata)
{
    (void)kind;
    const struct mosquitto_evt_acl_check *event = data;
    const struct shell_message message = {.topic = event->topic,
                                          .payload = event->payload,
                                          .payload_size = event->payloadlen,
                                          .qos = event->qos,
                                          .retain = event->retain};
    switch (event->access) {
    case MOSQ_ACL_READ:
        return result_of_verdict[shell_read(userdata, event->client, &message)];
    case MOSQ_ACL_WRITE:
        return result_of_verdict[shell_publish(userdata, event->client, &message, now_ms())];
    case MOSQ_ACL_SUBSCRIBE:
        return result_of_verdict[shell_subscribe(userdata, event->client, event->topic)];
    default: /* ending a subscription harms nobody */
        return MOSQ_ERR_SUCCESS;
    }
}

/* The ACL check let the message pass a moment ago, so its session exists and its payload decodes.
 */
static int on_message(int kind, void *data, void *userdata)
{
    (void)kind;
    const struct mosquitto_evt_message *event = data;
    const struct shell_message message = {.topic = event->topic,
                                          .payload = event->payload,
                                          .payload_size = event->payloadlen,
                                          .qos = event->qos,
                                          .retain = event->retain};
    shell_heard(userdata, event->client, &message, now_ms());
    return MOSQ_ERR_SUCCESS;
}

static int on_disconnect(int kind, void *data, void *userdata)
{
    (void)kind;
    const struct mosquitto_evt_disconnect *event = data;
    shell_left(userdata, event->client, !mosquitto_client_clean_session(event->client));
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
    shell_tick(shell, now_ms());
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
    shell_log(SHELL_INFO, "serving %s%s%s, remembering %u topics in %s", shell->options.depot,
              shell->site != NULL ? " at the site of " : "",
              shell->site != NULL ? shell->options.gateway : "", shell->guard.entry_count,
              shell->options.state);
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

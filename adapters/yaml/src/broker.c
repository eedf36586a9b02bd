/* A broker in a configuration (broker.h). */
#include "broker.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MIN_MS 10u
#define WAIT_MAX_MS 3600000u

/* TLS needs all three files; without TLS none has a meaning, and one that is written down would be
 * taken for protection that is not there. */
static enum serin_error check_files(const struct serin_yaml *document, const char *field,
                                    const struct yaml_broker *raw, struct serin_yaml_error *error)
{
    bool tls = strncmp(raw->uri, "ssl://", 6) == 0;
    if (!tls && strncmp(raw->uri, "tcp://", 6) != 0) {
        return serin_yaml_fail(document, error, field,
                               "must have a uri that starts with ssl:// or tcp://");
    }
    if (tls && (raw->ca == NULL || raw->certificate == NULL || raw->key == NULL)) {
        return serin_yaml_fail(document, error, field,
                               "must have ca, certificate and key, since its uri is ssl://");
    }
    if (!tls && (raw->ca != NULL || raw->certificate != NULL || raw->key != NULL)) {
        return serin_yaml_fail(document, error, field,
                               "has a key or certificate, but its uri is not ssl://");
    }
    return SERIN_OK;
}

enum serin_error yaml_broker_read(const struct serin_yaml *document, const char *field,
                                  const struct yaml_broker *raw, uint64_t *min_ms, uint64_t *max_ms,
                                  struct serin_yaml_error *error)
{
    char key[SERIN_YAML_FIELD_MAX];
    enum serin_error outcome = check_files(document, field, raw, error);
    if (outcome == SERIN_OK) {
        (void)snprintf(key, sizeof key, "%s.reconnect_min", field);
        outcome = serin_yaml_duration(document, key, raw->reconnect_min, WAIT_MIN_MS, WAIT_MAX_MS,
                                      min_ms, error);
    }
    if (outcome == SERIN_OK) {
        (void)snprintf(key, sizeof key, "%s.reconnect_max", field);
        outcome = serin_yaml_duration(document, key, raw->reconnect_max, WAIT_MIN_MS, WAIT_MAX_MS,
                                      max_ms, error);
    }
    if (outcome == SERIN_OK && *min_ms > *max_ms) {
        return serin_yaml_fail(document, error, key, "must not be shorter than reconnect_min");
    }
    return outcome;
}

/* What can be known of a configuration without starting (config_check.h). */
#include "config_check.h"

#include "serind.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/wolfcrypt.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEM_FILE_MAX ((size_t)1024 * 1024)

static enum serin_error wrong(char *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum serin_error wrong(char *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, SERIND_START_WHY_MAX, format, arguments);
    va_end(arguments);
    return SERIN_ERR_CONFIG;
}

/* Reads at most `capacity` bytes; a larger file is read as far as that. */
static bool read_some(const char *path, char *data, size_t capacity, size_t *size)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return false;
    }
    *size = fread(data, 1, capacity, file);
    bool sound = ferror(file) == 0;
    (void)fclose(file);
    return sound;
}

/* Whether the file at `path` holds a PEM block whose label ends in `label`. */
static enum serin_error check_pem(size_t broker, const char *key, const char *path,
                                  const char *label, char *why)
{
    char *text = malloc(PEM_FILE_MAX + 1);
    size_t size = 0;
    if (text == NULL) {
        return wrong(why, "memory is exhausted");
    }
    enum serin_error error = SERIN_OK;
    if (!read_some(path, text, PEM_FILE_MAX, &size)) {
        error = wrong(why, "brokers[%zu].%s: the file %s cannot be read: %s", broker, key, path,
                      strerror(errno));
    } else {
        text[size] = '\0';
        const char *begin = strstr(text, "-----BEGIN ");
        if (begin == NULL || strstr(begin, label) == NULL) {
            error = wrong(why, "brokers[%zu].%s: the file %s holds no PEM block of kind %s", broker,
                          key, path, label);
        }
    }
    free(text);
    return error;
}

/* "ssl://host:port" or "tcp://host:port". */
static bool uri_fits(const char *uri)
{
    const char *host = strstr(uri, "://");
    const char *colon = strrchr(uri, ':');
    if ((strncmp(uri, "ssl://", 6) != 0 && strncmp(uri, "tcp://", 6) != 0) || colon <= host + 3) {
        return false;
    }
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    return colon[1] >= '0' && colon[1] <= '9' && *end == '\0' && port >= 1 && port <= 65535;
}

static enum serin_error check_broker(const struct serin_serind_config *config, size_t index,
                                     char *why)
{
    const struct serin_serind_broker *broker = &config->brokers[index];
    if (!uri_fits(broker->uri)) {
        return wrong(why,
                     "brokers[%zu].uri: '%s' is not ssl://HOST:PORT with a port from 1 to 65535",
                     index, broker->uri);
    }
    if (strncmp(broker->uri, "tcp://", 6) == 0) {
        return SERIN_OK;
    }
    enum serin_error error = check_pem(index, "ca", broker->ca_file, "CERTIFICATE-----", why);
    if (error == SERIN_OK) {
        error = check_pem(index, "certificate", broker->certificate_file, "CERTIFICATE-----", why);
    }
    return error == SERIN_OK ? check_pem(index, "key", broker->key_file, "PRIVATE KEY-----", why)
                             : error;
}

static enum serin_error check_keys(const struct serin_serind_config *config,
                                   uint8_t roots[][SERIN_P256_PUBLIC_SIZE], char *why)
{
    struct serin_key_why key_why;
    struct serin_key_signer *director = NULL;
    if (serin_key_signer_open(&director, config->director_key_file, &key_why) != SERIN_OK) {
        return wrong(why, "director_key: %s", key_why.text);
    }
    serin_key_signer_close(director);
    for (size_t i = 0; i < config->root_key_count; i++) {
        if (serin_key_read_public(config->root_key_files[i], roots[i], &key_why) != SERIN_OK) {
            return wrong(why, "root_keys: %s", key_why.text);
        }
    }
    return SERIN_OK;
}

/* Whether one of the root keys signed the record. */
static enum serin_error check_trust(const struct serin_serind_config *config, const char *path,
                                    uint8_t roots[][SERIN_P256_PUBLIC_SIZE], char *why)
{
    uint8_t record[SERIN_TRUST_MAX + 1];
    struct serin_trust trust;
    size_t size = 0;
    if (!read_some(path, (char *)record, sizeof record, &size)) {
        return wrong(why, "trust: the file %s cannot be read: %s", path, strerror(errno));
    }
    enum serin_error error = SERIN_ERR_SIGNATURE;
    for (size_t i = 0; i < config->root_key_count; i++) {
        error = serin_trust_open(serin_wolfcrypt(), roots[i], record, size, &trust);
        if (error == SERIN_OK) {
            return SERIN_OK;
        }
        if (error != SERIN_ERR_KEY && error != SERIN_ERR_SIGNATURE) {
            return wrong(why, "trust: %s is no trust record: %s", path, serin_error_text(error));
        }
    }
    (void)wrong(why, "trust: %s is signed by none of the root keys", path);
    return error;
}

enum serin_error serind_check(const struct serin_serind_config *config,
                              char why[SERIND_START_WHY_MAX])
{
    uint8_t roots[SERIN_SERIND_FILES_MAX][SERIN_P256_PUBLIC_SIZE];
    if (!serin_http_listen_valid(config->api_listen)) {
        return wrong(why,
                     "api.listen: '%s' is no loopback address with a port, such as 127.0.0.1:8470",
                     config->api_listen);
    }
    if (!serin_id_valid(config->client_id, strlen(config->client_id))) {
        return wrong(why, "client_id: '%s' is not 1 to 64 of A-Z a-z 0-9 _ -", config->client_id);
    }
    enum serin_error error = check_keys(config, roots, why);
    for (size_t i = 0; error == SERIN_OK && i < config->trust_count; i++) {
        error = check_trust(config, config->trust_files[i], roots, why);
    }
    for (size_t i = 0; error == SERIN_OK && i < config->broker_count; i++) {
        error = check_broker(config, i, why);
    }
    return error;
}

/* What can be known of a configuration without starting (program.h). */
#include "program.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/wolfcrypt.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX ((size_t)256 * 1024)

static enum serin_error wrong(char *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum serin_error wrong(char *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, GATEWAY_CHECK_WHY_MAX, format, arguments);
    va_end(arguments);
    return SERIN_ERR_CONFIG;
}

/* The text of a file, at most FILE_SIZE_MAX bytes of it; the caller frees it. NULL: errno. */
static char *text_read(const char *path, size_t *size)
{
    char *text = NULL;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return NULL;
    }
    text = malloc(FILE_SIZE_MAX + 1);
    if (text != NULL) {
        *size = fread(text, 1, FILE_SIZE_MAX, file);
        text[*size] = '\0';
        if (ferror(file) != 0) {
            free(text);
            text = NULL;
        }
    }
    (void)fclose(file);
    return text;
}

/* A PEM file of a broker: it can be read, and holds what `label` names. */
static enum serin_error pem_check(const char *broker, const char *key, const char *path,
                                  const char *label, char *why)
{
    size_t size = 0;
    char *text = text_read(path, &size);
    if (text == NULL) {
        return wrong(why, "%s.%s: %s cannot be read: %s", broker, key, path, strerror(errno));
    }
    enum serin_error error = SERIN_OK;
    if (strstr(text, label) == NULL) {
        error = wrong(why, "%s.%s: %s holds no \"%s\"", broker, key, path, label);
    }
    free(text);
    return error;
}

/* The configuration has seen to the scheme, and to TLS having all three files. */
static enum serin_error broker_check(const char *name, const struct serin_gateway_broker *broker,
                                     char *why)
{
    const char *host = strstr(broker->uri, "://") + 3;
    const char *colon = strrchr(host, ':');
    char *end = NULL;
    unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
    if (colon == NULL || colon == host || colon[1] < '0' || colon[1] > '9' || *end != '\0' ||
        port < 1 || port > 65535) {
        return wrong(why, "%s.uri: '%s' has no HOST:PORT with a port from 1 to 65535", name,
                     broker->uri);
    }
    if (broker->ca == NULL) {
        return SERIN_OK;
    }
    enum serin_error error = pem_check(name, "ca", broker->ca, "-----BEGIN CERTIFICATE-----", why);
    if (error == SERIN_OK) {
        error =
            pem_check(name, "certificate", broker->certificate, "-----BEGIN CERTIFICATE-----", why);
    }
    return error == SERIN_OK ? pem_check(name, "key", broker->key, "PRIVATE KEY-----", why) : error;
}

static bool product_followed(const struct serin_gateway_config *config, const char *product)
{
    for (size_t i = 0; i < config->fleet_count; i++) {
        if (strcmp(config->fleets[i].product, product) == 0) {
            return true;
        }
    }
    return false;
}

static enum serin_error keys_check(const struct serin_gateway_config *config, char *why)
{
    struct serin_key_why key_why;
    struct serin_trust trust;
    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
    size_t size = 0;
    if (serin_key_read_public(config->root_key, root_key, &key_why) != SERIN_OK) {
        return wrong(why, "root_key: %s", key_why.text);
    }
    if (config->trust == NULL) {
        return SERIN_OK;
    }
    char *record = text_read(config->trust, &size);
    if (record == NULL) {
        return wrong(why, "trust: %s cannot be read: %s", config->trust, strerror(errno));
    }
    enum serin_error error =
        serin_trust_open(serin_wolfcrypt(), root_key, (const uint8_t *)record, size, &trust);
    free(record);
    if (error != SERIN_OK) {
        return wrong(why, "trust: %s is no trust record of root_key: %s", config->trust,
                     serin_error_text(error));
    }
    return product_followed(config, trust.product)
               ? SERIN_OK
               : wrong(why, "trust: %s is for the product %s, which is in none of the fleets",
                       config->trust, trust.product);
}

enum serin_error gateway_check(const struct serin_gateway_config *config,
                               char why[GATEWAY_CHECK_WHY_MAX])
{
    enum serin_error error = keys_check(config, why);
    if (error == SERIN_OK) {
        error = broker_check("uplink", &config->uplink, why);
    }
    return error == SERIN_OK ? broker_check("site", &config->site, why) : error;
}

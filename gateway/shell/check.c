/* What can be known of a configuration without starting (program.h). */
#define _POSIX_C_SOURCE 200809L
#include "program.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/adapters/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)256 * 1024)

#define FIELD_MAX     32u
#define PATH_SIZE_MAX 4096u
#define ROLE          "gateway" /* the OU of a gateway's certificates */

/* A configuration that is looked at, and what is wrong with it. */
struct look {
    const struct serin_gateway_config *config;
    struct serin_yaml_error *error;
};

#define WRONG(look, field, ...) \
    serin_yaml_fail((look)->config->document, (look)->error, field, __VA_ARGS__)

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

/* ---- brokers ---- */

static enum serin_error uri_check(const struct look *look, const char *field, const char *uri)
{
    const char *host = strstr(uri, "://") + 3; /* the loader has seen to the scheme */
    const char *colon = strrchr(host, ':');
    char *end = NULL;
    unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
    if (colon == NULL || colon == host || colon[1] < '0' || colon[1] > '9' || *end != '\0' ||
        port < 1 || port > 65535) {
        return WRONG(look, field, "has no HOST:PORT with a port from 1 to 65535: '%s'", uri);
    }
    return SERIN_OK;
}

/* A broker takes the gateway by these two names, and says no more than no to any other. */
static enum serin_error identity_check(const struct look *look, const char *field, const char *path)
{
    struct serin_x509_why why;
    struct serin_x509_identity identity;
    if (serin_x509_read(path, &identity, &why) != SERIN_OK) {
        return WRONG(look, field, "cannot be used: %s", why.text);
    }
    if (strcmp(identity.common_name, look->config->id) != 0) {
        return WRONG(look, field, "must have the gateway's id as CN, '%s': %s has '%s'",
                     look->config->id, path, identity.common_name);
    }
    return strcmp(identity.organisational_unit, ROLE) == 0
               ? SERIN_OK
               : WRONG(look, field, "must have the OU '" ROLE "': %s has '%s'", path,
                       identity.organisational_unit);
}

/* The loader has seen to TLS having all three files. */
static enum serin_error broker_check(const struct look *look, const char *name,
                                     const struct serin_gateway_broker *broker)
{
    const struct serin_x509_files files = {broker->certificate, broker->key};
    struct serin_x509_identity ca;
    struct serin_x509_why why;
    char field[FIELD_MAX];
    (void)snprintf(field, sizeof field, "%s.uri", name);
    enum serin_error error = uri_check(look, field, broker->uri);
    if (error != SERIN_OK || broker->ca == NULL) {
        return error;
    }
    (void)snprintf(field, sizeof field, "%s.ca", name);
    if (serin_x509_read(broker->ca, &ca, &why) != SERIN_OK) {
        return WRONG(look, field, "cannot be used: %s", why.text);
    }
    (void)snprintf(field, sizeof field, "%s.certificate", name);
    error = identity_check(look, field, broker->certificate);
    if (error != SERIN_OK) {
        return error;
    }
    (void)snprintf(field, sizeof field, "%s.key", name);
    return serin_x509_match(&files, &why) == SERIN_OK
               ? SERIN_OK
               : WRONG(look, field, "cannot be used: %s", why.text);
}

/* ---- keys ---- */

static bool product_followed(const struct serin_gateway_config *config, const char *product)
{
    for (size_t i = 0; i < config->fleet_count; i++) {
        if (strcmp(config->fleets[i].product, product) == 0) {
            return true;
        }
    }
    return false;
}

static enum serin_error trust_check(const struct look *look,
                                    const uint8_t root_key[SERIN_P256_PUBLIC_SIZE])
{
    const char *path = look->config->trust;
    struct serin_trust trust;
    size_t size = 0;
    char *record = text_read(path, &size);
    if (record == NULL) {
        return WRONG(look, "trust", "cannot be read: %s: %s", path, strerror(errno));
    }
    enum serin_error error =
        serin_trust_open(serin_wolfcrypt(), root_key, (const uint8_t *)record, size, &trust);
    free(record);
    if (error != SERIN_OK) {
        return WRONG(look, "trust", "is no trust record of root_key: %s: %s", path,
                     serin_error_text(error));
    }
    return product_followed(look->config, trust.product)
               ? SERIN_OK
               : WRONG(look, "trust", "is for the product %s, which is in none of the fleets: %s",
                       trust.product, path);
}

static enum serin_error keys_check(const struct look *look)
{
    struct serin_key_why why;
    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
    if (serin_key_read_public(look->config->root_key, root_key, &why) != SERIN_OK) {
        return WRONG(look, "root_key", "cannot be used: %s", why.text);
    }
    return look->config->trust == NULL ? SERIN_OK : trust_check(look, root_key);
}

/* ---- folders ---- */

/* The folder that a path stands in: "." for a bare name. */
static void parent_of(const char *path, char out[PATH_SIZE_MAX])
{
    size_t size = strnlen(path, PATH_SIZE_MAX - 1);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    while (size > 0 && path[size - 1] != '/') {
        size--;
    }
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    (void)snprintf(out, PATH_SIZE_MAX, "%.*s", size > 0 ? (int)size : 1, size > 0 ? path : ".");
}

/* Whether whoever asks may make files there: as root, everybody's answer is yes. */
static enum serin_error writable(const struct look *look, const char *field, const char *folder)
{
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0
               ? SERIN_OK
               : WRONG(look, field, "cannot be made or written: %s: %s", folder, strerror(errno));
}

static enum serin_error folder_check(const struct look *look, const char *field, const char *path)
{
    struct stat status;
    char parent[PATH_SIZE_MAX];
    if (stat(path, &status) == 0) {
        return S_ISDIR(status.st_mode) ? writable(look, field, path)
                                       : WRONG(look, field, "is no folder: %s", path);
    }
    parent_of(path, parent);
    return writable(look, field, parent);
}

/* Its folder may be made with the service, as systemd does; where it is there, it must do. */
static enum serin_error socket_check(const struct look *look)
{
    char parent[PATH_SIZE_MAX];
    parent_of(look->config->control_socket, parent);
    return access(parent, F_OK) == 0 ? writable(look, "control_socket", parent) : SERIN_OK;
}

enum serin_error gateway_check(const struct serin_gateway_config *config,
                               struct serin_yaml_error *wrong)
{
    const struct look look = {config, wrong};
    enum serin_error error = keys_check(&look);
    if (error == SERIN_OK) {
        error = broker_check(&look, "uplink", &config->uplink);
    }
    if (error == SERIN_OK) {
        error = broker_check(&look, "site", &config->site);
    }
    if (error == SERIN_OK) {
        error = folder_check(&look, "data", config->data_dir);
    }
    if (error == SERIN_OK) {
        error = folder_check(&look, "depot.path", config->depot_dir);
    }
    return error == SERIN_OK ? socket_check(&look) : error;
}

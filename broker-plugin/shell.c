/* Opening and closing the shell, and the guard's port to disk and depot. */
#include "site.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/protobufc.h>
#include <serin/piece.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPOT_PATH_MAX 4112u /* what the system takes, and a shelf; longer ones fail to open */

static enum serin_error save_record(void *ctx, const char *key, const uint8_t *record, size_t size)
{
    struct shell *shell = ctx;
    SERIN_FAULT_POINT("plugin.directive.before_persist");
    enum serin_error error = serin_records_save(shell->records, key, record, size);
    SERIN_FAULT_POINT("plugin.directive.persisted");
    if (error != SERIN_OK) {
        shell_log(SHELL_ERROR,
                  "cannot remember %s in %s: %s (%s); only a halt or a pause passes so", key,
                  shell->options.state, serin_error_text(error), strerror(errno));
    }
    return error;
}

/* A manifest's signature is not checked here: what a wrong one names is at worst refused, never
 * installed. */
static void lookup_manifest(void *ctx, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                            struct serin_guard_objects *objects)
{
    struct shell *shell = ctx;
    uint8_t body[SERIN_MANIFEST_BODY_SIZE];
    uint8_t id[SERIN_SHA256_SIZE];
    struct serin_manifest manifest;
    *objects = (struct serin_guard_objects){.known = false};
    if (serin_depot_read(shell->depot, manifest_id, 0, body, sizeof body) != SERIN_OK &&
        !(shell->site != NULL && site_manifest_body(shell, manifest_id, body))) {
        return;
    }
    serin_manifest_id(shell->ports.crypto, body, id);
    if (memcmp(id, manifest_id, sizeof id) != 0 ||
        serin_manifest_decode(body, sizeof body, &manifest) != SERIN_OK) {
        char hex[SERIN_SHA256_HEX_SIZE];
        serin_hex_encode(manifest_id, SERIN_SHA256_SIZE, hex);
        shell_log_client(shell, "the depot's manifest %s is damaged", hex);
        return;
    }
    *objects = (struct serin_guard_objects){.known = true,
                                            .image_size = manifest.image_size_bytes,
                                            .pieces_size =
                                                serin_piece_table_size(manifest.image_size_bytes)};
    memcpy(objects->image, manifest.image_sha256, SERIN_SHA256_SIZE);
    memcpy(objects->pieces, manifest.pieces_sha256, SERIN_SHA256_SIZE);
}

/* A route table is small, and stands in the depot or in the site's memory. */
static bool read_routes(void *ctx, const uint8_t name[SERIN_SHA256_SIZE],
                        struct serin_routes *routes)
{
    struct shell *shell = ctx;
    uint8_t data[SERIN_ROUTES_SIZE_MAX], digest[SERIN_SHA256_SIZE];
    uint32_t size = 0;
    enum serin_error error = serin_depot_size(shell->depot, name, &size);
    routes->route_count = 0;
    if (error == SERIN_OK && size > sizeof data) {
        return true;
    }
    if ((error != SERIN_OK || serin_depot_read(shell->depot, name, 0, data, size) != SERIN_OK) &&
        !(shell->site != NULL && site_routes(shell, name, data, &size))) {
        return false;
    }
    serin_sha256_of(shell->ports.crypto, data, size, digest);
    if (memcmp(digest, name, sizeof digest) != 0) {
        return false;
    }
    if (serin_routes_decode(data, size, routes) != SERIN_OK) {
        shell_log_client(shell, "a route table of the depot is none: it names no patch");
        routes->route_count = 0;
    }
    return true;
}

_Static_assert(SERIN_GUARD_RECORD_MAX <= SERIN_RECORDS_SIZE_MAX, "every record fits its file");

static const struct serin_guard_ops guard_ops = {
    .save = save_record, .lookup = lookup_manifest, .routes = read_routes};

/* A record's payload was checked before it was stored; one that no longer passes names nothing. */
static void restore_routes(struct shell *shell, const uint8_t *data, size_t size)
{
    char text[SERIN_TOPIC_MAX];
    const uint8_t *payload = NULL;
    size_t payload_size = 0;
    struct serin_topic topic;
    struct serin_payload checked = {.directive = {.has_route_table = false}};
    if (serin_guard_recall(data, size, text, &payload, &payload_size) == SERIN_OK &&
        serin_topic_parse(text, &topic) == SERIN_OK && topic.kind != SERIN_TOPIC_TRUST &&
        serin_payload_check(&shell->ports, &topic, payload, payload_size, &checked) == SERIN_OK &&
        checked.directive.has_route_table) {
        serin_guard_learn_routes(&shell->guard, text, checked.directive.route_table);
    }
}

static enum serin_error restore_record(void *ctx, const char *name, const uint8_t *data,
                                       size_t size)
{
    (void)name;
    struct shell *shell = ctx;
    enum serin_error error = serin_guard_restore(&shell->guard, data, size);
    if (error == SERIN_OK) {
        restore_routes(shell, data, size);
    }
    return error;
}

static enum serin_error publish_record(void *ctx, const char *name, const uint8_t *data,
                                       size_t size)
{
    (void)ctx;
    (void)name;
    char topic[SERIN_TOPIC_MAX];
    const uint8_t *payload = NULL;
    size_t payload_size = 0;
    enum serin_error error = serin_guard_recall(data, size, topic, &payload, &payload_size);
    if (error == SERIN_OK) {
        shell_retain(topic, payload, payload_size);
    }
    return error;
}

void shell_publish_remembered(struct shell *shell)
{
    char name[SERIN_RECORDS_NAME_MAX + 1];
    enum serin_error error = serin_records_each(shell->records, publish_record, shell, name);
    if (error != SERIN_OK) {
        shell_log(SHELL_ERROR, "cannot publish %s again: %s", name, serin_error_text(error));
    }
}

/* Whether this broker's user may read the depot. What it may not read would look like rot later.
 * Mosquitto has become that user by now. */
static bool depot_readable(const char *depot)
{
    static const char *const shelves[] = {"", "/objects", "/manifests", "/partial"};
    for (size_t i = 0; i < sizeof shelves / sizeof shelves[0]; i++) {
        char path[DEPOT_PATH_MAX];
        (void)snprintf(path, sizeof path, "%s%s", depot, shelves[i]);
        bool readable = faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) == 0;
        bool missing = !readable && errno == ENOENT;
        if (!readable && !(missing && i > 0)) { /* its shelves are the writer's to make */
            shell_log(SHELL_ERROR, "plugin_opt_depot: cannot open the folder %s: %s; %s", path,
                      strerror(errno),
                      missing ? "make it first" : "this broker's user must be able to read it");
            return false;
        }
    }
    return true;
}

static bool open_depot(struct shell *shell)
{
    const char *depot = shell->options.depot;
    if (!depot_readable(depot)) {
        return false;
    }
    enum serin_error error = serin_depot_open(&shell->depot, depot);
    if (error != SERIN_OK) {
        shell_log(SHELL_ERROR, "plugin_opt_depot: cannot open the folder %s: %s", depot,
                  serin_error_text(error));
    }
    return error == SERIN_OK;
}

static bool open_records(struct shell *shell)
{
    char name[SERIN_RECORDS_NAME_MAX + 1];
    const char *folder = shell->options.state;
    enum serin_error error = serin_records_open(&shell->records, folder);
    if (error == SERIN_ERR_BUSY) {
        shell_log(SHELL_ERROR, "plugin_opt_state: another broker uses the folder %s", folder);
        return false;
    }
    if (error != SERIN_OK) {
        shell_log(SHELL_ERROR, "plugin_opt_state: cannot write in the folder %s: %s", folder,
                  strerror(errno));
        return false;
    }
    error = serin_records_each(shell->records, restore_record, shell, name);
    if (error != SERIN_OK) {
        shell_log(
            SHELL_ERROR,
            "plugin_opt_state: the record %s/%s is not usable: %s; without it an old directive "
            "could pass, so decide yourself: restore it, or delete it and let serind publish again",
            folder, name, serin_error_text(error));
    }
    return error == SERIN_OK;
}

static bool allocate(struct shell *shell, uint32_t clients, uint32_t entries)
{
    shell->slots = calloc(clients, sizeof *shell->slots);
    shell->heads = calloc(clients, sizeof *shell->heads);
    shell->entries = calloc(entries, sizeof *shell->entries);
    shell->objects = calloc(entries, sizeof *shell->objects);
    if (shell->slots == NULL || shell->heads == NULL || shell->entries == NULL ||
        shell->objects == NULL) {
        shell_log(SHELL_ERROR, "no memory for %u clients and %u topics", clients, entries);
        return false;
    }
    return true;
}

static bool start(struct shell *shell)
{
    const struct serin_plugin_options *options = &shell->options;
    const struct serin_supply_limits limits = {
        .credit = {.window_bytes_max = (uint32_t)options->window_bytes,
                   .window_blocks_max = (uint32_t)options->window_blocks,
                   .forget_ms = (uint32_t)options->forget_ms,
                   .retry_ms = (uint32_t)options->retry_ms},
        .total_bytes_max = options->total_bytes,
        .gets_per_s = (uint32_t)options->gets_per_second,
        .gets_burst = (uint32_t)options->gets_per_second * 2};
    bool site = options->role == SERIN_PLUGIN_SITE;
    const struct serin_session_places places = {.any = (uint32_t)options->clients_max,
                                                .gateway = site ? SHELL_SITE_GATEWAY_PLACES
                                                                : SHELL_GATEWAY_PLACES,
                                                .serind = site ? 0 : SHELL_SERIND_PLACES};
    uint32_t clients = places.any + places.gateway + places.serind;
    /* A quarter of the guard's tables stays free. */
    uint32_t entries = (uint32_t)(options->directives_max * 4 / 3 + 4);
    if (!allocate(shell, clients, entries)) {
        return false;
    }
    shell->ports.codec = serin_protobufc();
    shell->ports.site_codec = serin_protobufc_site();
    shell->ports.crypto = serin_openssl_hashing();
    serin_sessions_init(&shell->sessions, shell->slots, shell->heads, &places);
    serin_supply_init(&shell->supply, &shell->sessions, &limits);
    serin_guard_init(&shell->guard, &guard_ops, shell, shell->entries, entries, shell->objects,
                     entries, (uint32_t)options->leap_max);
    if (site && !site_open(shell, clients)) {
        return false;
    }
    return open_depot(shell) && open_records(shell);
}

struct shell *shell_open(const struct serin_plugin_options *options)
{
    struct shell *shell = calloc(1, sizeof *shell);
    if (shell == NULL) {
        shell_log(SHELL_ERROR, "no memory");
        return NULL;
    }
    shell->options = *options;
    if (!start(shell)) {
        shell_close(shell);
        return NULL;
    }
    return shell;
}

void shell_close(struct shell *shell)
{
    if (shell == NULL) {
        return;
    }
    site_close(shell);
    serin_depot_close(shell->depot);
    serin_records_close(shell->records);
    free(shell->slots);
    free(shell->heads);
    free(shell->entries);
    free(shell->objects);
    free(shell);
}

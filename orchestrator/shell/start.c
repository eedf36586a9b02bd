/* Starting and ending serind (start.h). */
#define _POSIX_C_SOURCE 200809L
#include "start.h"

#include "api.h"
#include "beats.h"
#include "enrol.h"
#include "fleet.h"
#include "pass.h"
#include "revert.h"
#include "serind.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/lmdb_store.h>
#include <serin/adapters/log.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEEP_ALIVE_S    30u
#define QUEUE_MAX       16384u
#define CONNECTIONS_MAX 64u
#define IDLE_S          60u

static enum serin_error fail(char *why, enum serin_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum serin_error fail(char *why, enum serin_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, SERIND_START_WHY_MAX, format, arguments);
    va_end(arguments);
    return error;
}

/* ---- files ---- */

static enum serin_error open_store(struct serind *serind, char *why)
{
    const struct serin_serind_config *config = serind->config;
    if (mkdir(config->data_dir, 0700) != 0 && errno != EEXIST) {
        return fail(why, SERIN_ERR_CONFIG, "data: the folder %s cannot be made: %s",
                    config->data_dir, strerror(errno));
    }
    enum serin_error error =
        serin_lmdb_store_open(&serind->lmdb, config->data_dir, config->store_size_bytes);
    if (error == SERIN_ERR_BUSY) {
        return fail(why, error, "data: another serind has the store in %s", config->data_dir);
    }
    if (error != SERIN_OK) {
        return fail(why, error, "data: the store in %s cannot be opened: %s", config->data_dir,
                    serin_error_text(error));
    }
    serind->store = serin_lmdb_store_port(serind->lmdb);
    return SERIN_OK;
}

static enum serin_error open_files(struct serind *serind, char *why)
{
    const struct serin_serind_config *config = serind->config;
    enum serin_error error = open_store(serind, why);
    if (error != SERIN_OK) {
        return error;
    }
    error = serin_depot_create(&serind->depot, config->depot_dir, serind->crypto);
    if (error == SERIN_ERR_BUSY) {
        return fail(why, error, "depot: another process writes into %s", config->depot_dir);
    }
    if (error != SERIN_OK) {
        return fail(why, SERIN_ERR_CONFIG, "depot: the folder %s cannot be used: %s",
                    config->depot_dir, serin_error_text(error));
    }
    if (serind_audit_open(serind) != SERIN_OK) {
        return fail(why, SERIN_ERR_CONFIG, "audit: the file %s cannot be opened: %s",
                    config->audit_file, strerror(errno));
    }
    return SERIN_OK;
}

static enum serin_error open_keys(struct serind *serind, char *why)
{
    const struct serin_serind_config *config = serind->config;
    struct serin_key_why key_why;
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
    enum serin_error error =
        serin_key_signer_open(&serind->director_key, config->director_key_file, &key_why);
    if (error != SERIN_OK) {
        return fail(why, SERIN_ERR_CONFIG, "director_key: %s", key_why.text);
    }
    serind->director = serin_key_signer_port(serind->director_key);
    error = serind->director.ops->public_key(serind->director.ctx, public_key);
    if (error != SERIN_OK) {
        return fail(why, error, "director_key: it gives no public key");
    }
    serin_key_id(serind->crypto, public_key, serind->director_key_id);
    for (size_t i = 0; i < config->root_key_count; i++) {
        error = serin_key_read_public(config->root_key_files[i], serind->roots[i], &key_why);
        if (error != SERIN_OK) {
            return fail(why, SERIN_ERR_CONFIG, "root_keys: %s", key_why.text);
        }
        serind->root_count++;
    }
    return SERIN_OK;
}

/* ---- what the store holds ---- */

static enum serin_error load_meta(struct serind *serind)
{
    enum serin_error error = serind->store.ops->get_meta(serind->store.ctx, &serind->meta);
    if (error == SERIN_ERR_NOT_FOUND) {
        serind->meta = (struct serin_meta_record){.order = {.epoch = 1}, .next_rollout_id = 1};
        error = SERIN_OK;
    }
    return error;
}

static enum serin_error load(struct serind *serind, char *why)
{
    static const struct {
        const char *what;
        enum serin_error (*load)(struct serind *serind);
    } steps[] = {
        {"the order", load_meta},
        {"the trust records", serind_trusts_load},
        {"the gateways", serind_sites_load},
        {"the devices", serind_fleet_load},
        {"the health of the devices", serind_beats_load},
        {"the enrolments", serind_enrol_load},
        {"the rollouts", serind_rollouts_load},
        {"the directives", serind_publisher_load},
    };
    enum serin_error error = serind->store.ops->begin(serind->store.ctx, false);
    if (error != SERIN_OK) {
        return fail(why, error, "the store cannot be read: %s", serin_error_text(error));
    }
    for (size_t i = 0; error == SERIN_OK && i < sizeof steps / sizeof steps[0]; i++) {
        error = steps[i].load(serind);
        if (error != SERIN_OK) {
            (void)fail(why, error, "%s of the store cannot be loaded: %s", steps[i].what,
                       serin_error_text(error));
        }
    }
    serind->store.ops->abort(serind->store.ctx);
    if (error == SERIN_OK) {
        serind_audit_begin(serind); /* the store has said how far the audit log goes */
    }
    return error;
}

/* ---- trust records ---- */

static enum serin_error read_file(const char *path, uint8_t *data, size_t capacity, size_t *size)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return SERIN_ERR_IO;
    }
    *size = fread(data, 1, capacity, file);
    bool sound = ferror(file) == 0;
    (void)fclose(file);
    return sound ? SERIN_OK : SERIN_ERR_IO;
}

static enum serin_error take_trust_files(struct serind *serind, char *why)
{
    const struct serin_serind_config *config = serind->config;
    for (size_t i = 0; i < config->trust_count; i++) {
        const char *path = config->trust_files[i];
        uint8_t record[SERIN_TRUST_MAX + 1];
        size_t size = 0;
        struct serin_trust trust;
        char reason[512] = "";
        if (read_file(path, record, sizeof record, &size) != SERIN_OK) {
            return fail(why, SERIN_ERR_CONFIG, "trust: the file %s cannot be read: %s", path,
                        strerror(errno));
        }
        enum serin_error error =
            serind_trusts_take(serind, record, size, "serind", &trust, reason, sizeof reason);
        if (error == SERIN_ERR_STALE) {
            serin_log(SERIN_LOG_INFO, "trust file not used file=%s: %s", path, reason);
        } else if (error != SERIN_OK && error != SERIN_ERR_EXISTS) {
            return fail(why, error, "trust: %s: %s", path, reason);
        }
    }
    if (serind->trusts.count == 0) {
        serin_log(SERIN_LOG_WARN, "there is no trust record yet: publish one before any bundle");
    }
    return SERIN_OK;
}

/* ---- brokers ---- */

/* Directives and trust records come first, so that they are heard before the long row of presence;
 * they need no queue while we are away, since they are retained. */
static enum serin_error subscribe(struct serin_mqtt *mqtt)
{
    static const struct {
        const char *filter;
        int qos;
    } filters[] = {
        {"serin/1/directive/+/+", 0}, {"serin/1/dev/+/directive", 0}, {"serin/1/trust/+", 0},
        {"serin/1/dev/+/report", 1},  {"serin/1/dev/+/beat", 0},      {"serin/1/gw/+/reports", 1},
        {"serin/1/gw/+/status", 1},   {"serin/1/presence/+", 0},
    };
    enum serin_error error = SERIN_OK;
    for (size_t i = 0; error == SERIN_OK && i < sizeof filters / sizeof filters[0]; i++) {
        error = serin_mqtt_subscribe(mqtt, filters[i].filter, filters[i].qos);
    }
    return error;
}

static enum serin_error open_brokers(struct serind *serind, char *why)
{
    const struct serin_serind_config *config = serind->config;
    for (size_t i = 0; i < config->broker_count; i++) {
        const struct serin_serind_broker *broker = &config->brokers[i];
        const struct serin_mqtt_config mqtt = {
            .uri = broker->uri,
            .client_id = config->client_id,
            .ca_file = broker->ca_file,
            .cert_file = broker->certificate_file,
            .key_file = broker->key_file,
            .keep_alive_s = KEEP_ALIVE_S,
            .reconnect_min_ms = broker->reconnect_min_ms,
            .reconnect_max_ms = broker->reconnect_max_ms,
            .clean_session = false, /* reports wait at the broker while we are away */
            .queue_max = QUEUE_MAX,
        };
        struct serind_broker *at = &serind->brokers[i];
        at->uri = broker->uri;
        enum serin_error error = serin_mqtt_open(&at->mqtt, &mqtt);
        if (error != SERIN_OK) {
            return fail(why, error, "brokers[%zu]: the client for %s cannot be made: %s", i,
                        broker->uri, serin_error_text(error));
        }
        serind->broker_count++;
        error = subscribe(at->mqtt);
        if (error == SERIN_OK) {
            error = serin_mqtt_start(at->mqtt);
        }
        if (error != SERIN_OK) {
            return fail(why, error, "brokers[%zu]: %s", i, serin_error_text(error));
        }
    }
    return SERIN_OK;
}

/* ---- the API ---- */

static enum serin_error open_api(struct serind *serind, char *why)
{
    const struct serin_serind_config *config = serind->config;
    char path[4200];
    char token[SERIN_HTTP_TOKEN_MAX + 1];
    (void)snprintf(path, sizeof path, "%s/token", config->data_dir);
    const char *file = config->api_token_file != NULL ? config->api_token_file : path;
    enum serin_error error = serind_token(serind->crypto, file, token);
    if (error != SERIN_OK) {
        return fail(why, SERIN_ERR_CONFIG, "api.token_file: %s %s", file,
                    error == SERIN_ERR_DENIED   ? "may be read by others: chmod 600"
                    : error == SERIN_ERR_FORMAT ? "holds no token of 16 to 128 characters"
                                                : strerror(errno));
    }
    const struct serin_http_config http = {
        .listen = config->api_listen,
        .token = token,
        .upload_dir = config->data_dir,
        .connections_max = CONNECTIONS_MAX,
        .idle_timeout_s = IDLE_S,
    };
    const struct serin_http_handler handler = serind_api_handler(serind);
    char reason[256] = "";
    error = serin_http_open(&serind->http, &http, &handler, reason, sizeof reason);
    if (error != SERIN_OK) {
        return fail(why, error, "api: %s", reason);
    }
    serin_log(SERIN_LOG_INFO, "API listening address=%s token_file=%s",
              serin_http_address(serind->http), file);
    return SERIN_OK;
}

/* ---- all of it ---- */

/* The audit log begins each run with where the rollouts stand: a line that a power cut took from
 * its end is made good by this. */
static void say_start(struct serind *serind)
{
    serind_audit(serind, &(struct serind_audit_line){.what = "start", .order = serind->meta.order},
                 "serind " SERIND_VERSION " started with %u devices", serind->index.count);
    for (size_t i = 0; i < serind->rollouts.count; i++) {
        const struct serin_rollout *rollout = &serind->rollouts.slots[i]->rollout;
        serind_audit(serind, &(struct serind_audit_line){.what = "rollout", .rollout = rollout->id},
                     "at the start: %s, stage %u of %zu%s%s",
                     serin_rollout_state_text(rollout->state), rollout->stage,
                     rollout->policy.stage_count, rollout->why[0] != '\0' ? ": " : "",
                     rollout->why);
        serind_rollout_alarms(serind, rollout);
        serind_revert_alarm(serind, serind->rollouts.slots[i]);
    }
}

static enum serin_error open_all(struct serind *serind, const struct serind_start *start, char *why)
{
    enum serin_error error = serind_intake_init(serind);
    if (error == SERIN_OK) {
        error = serind_outbox_init(serind);
    }
    if (error != SERIN_OK) {
        return fail(why, error, "memory is exhausted");
    }
    static enum serin_error (*const steps[])(struct serind * serind, char *why) = {
        open_files, open_keys, load, take_trust_files, open_api, open_brokers,
    };
    for (size_t i = 0; error == SERIN_OK && i < sizeof steps / sizeof steps[0]; i++) {
        error = steps[i](serind, why);
    }
    if (error == SERIN_OK && start->new_epoch) {
        const struct serin_order above = {.epoch = start->epoch_above};
        serind_publisher_want_epoch(serind, above, "asked for with --new-epoch");
    }
    if (error == SERIN_OK) {
        say_start(serind);
        serind_publisher_ahead(serind, start->ahead_s);
    }
    return error;
}

enum serin_error serind_open(struct serind **serind, const struct serind_start *start,
                             char why[SERIND_START_WHY_MAX])
{
    *serind = NULL;
    struct serind *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return fail(why, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    made->config = start->config;
    made->crypto = serin_wolfcrypt();
    made->codec = serin_protobufc();
    made->site_codec = serin_protobufc_site();
    made->audit.file = -1;
    serind_clock(made);
    serind_index_init(&made->index, start->config->devices_max);
    serind_sites_init(made);
    enum serin_error error = open_all(made, start, why);
    if (error != SERIN_OK) {
        serind_close(made);
        return error;
    }
    *serind = made;
    return SERIN_OK;
}

void serind_close(struct serind *serind)
{
    serin_http_close(serind->http);
    for (size_t i = 0; i < serind->broker_count; i++) {
        serin_mqtt_close(serind->brokers[i].mqtt);
    }
    serind_rollouts_free(serind);
    serind_publisher_free(serind);
    serind_trusts_free(serind);
    serind_index_free(&serind->index);
    serind_sites_free(serind);
    serind_strata_free(&serind->strata);
    serind_intake_free(serind);
    serind_outbox_free(serind);
    serind_audit_close(serind);
    serin_key_signer_close(serind->director_key);
    if (serind->depot != NULL) {
        serin_depot_close(serind->depot);
    }
    serin_lmdb_store_close(serind->lmdb);
    free(serind);
}

/*
 * serind's configuration file (docs/serind.md, configs/serind.yaml).
 */
#ifndef SERIN_ADAPTERS_SERIND_CONFIG_H
#define SERIN_ADAPTERS_SERIND_CONFIG_H

#include <serin/adapters/yaml.h>

#define SERIN_SERIND_BROKERS_MAX 8u
#define SERIN_SERIND_FILES_MAX   64u /* trust records, and root keys */

/* How unknown devices are met, and unknown nodes of gateways. */
enum serin_enrolment_policy {
    SERIN_ENROL_AUTO,    /* taken in at once: whoever has a certificate belongs to the fleet */
    SERIN_ENROL_APPROVE, /* kept waiting until an operator approves */
    SERIN_ENROL_REFUSE   /* turned away */
};

struct serin_serind_broker {
    const char *uri; /* "ssl://host:port", "tcp://…" for tests */
    const char *ca_file, *certificate_file, *key_file; /* NULL with tcp:// */
    uint32_t reconnect_min_ms, reconnect_max_ms;
};

/* All text lives until the configuration is closed. Paths are as written. */
struct serin_serind_config {
    const char *data_dir, *depot_dir, *audit_file;
    const char *client_id; /* the CN of the certificates; "serind" */
    size_t broker_count;   /* 1 .. SERIN_SERIND_BROKERS_MAX */
    struct serin_serind_broker brokers[SERIN_SERIND_BROKERS_MAX];
    const char *director_key_file;
    size_t trust_count; /* may be 0: records also come through the API */
    const char *trust_files[SERIN_SERIND_FILES_MAX];
    size_t root_key_count; /* ≥ 1 */
    const char *root_key_files[SERIN_SERIND_FILES_MAX];
    const char *api_listen, *api_token_file;
    enum serin_enrolment_policy enrolment; /* of devices that speak for themselves */
    enum serin_enrolment_policy adoption;  /* of nodes, for which a gateway speaks */
    uint32_t gateway_nodes_max;            /* of one gateway; 1 .. 100,000 */
    uint32_t report_rate_per_minute;       /* of one device; 1 .. 60000 */
    uint32_t devices_max;                  /* 1 .. 4,000,000 */
    uint64_t store_size_bytes;             /* 1 MiB .. 1 TiB */
    struct serin_yaml *document;           /* for the lines of later complaints */
};

/* Reads the file. On success the caller closes `config`. Errors as serin_yaml_open_file; `error`
 * then says what and where, and nothing needs to be closed. */
SERIN_MUST_USE enum serin_error serin_serind_config_open(struct serin_serind_config *config,
                                                         const char *path,
                                                         struct serin_yaml_error *error);
void serin_serind_config_close(struct serin_serind_config *config);

#endif

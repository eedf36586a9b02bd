/*
 * The configuration of serin-gateway (configs/gateway.yaml; docs/serin-gateway.md).
 */
#ifndef SERIN_ADAPTERS_GATEWAY_CONFIG_H
#define SERIN_ADAPTERS_GATEWAY_CONFIG_H

#include <serin/adapters/yaml.h>
#include <serin/site.h>

#define SERIN_GATEWAY_HOURS_MAX 8u

struct serin_gateway_broker {
    const char *uri;                             /* ssl://host:port or tcp://host:port */
    const char *ca, *certificate, *key;          /* files; NULL with tcp:// only */
    uint32_t reconnect_min_ms, reconnect_max_ms; /* 10 ms .. 1 h; min ≤ max */
};

/* Local time of day in which bulk may be fetched, in minutes from midnight; `from` > `to` spans
 * midnight. */
struct serin_gateway_hours {
    uint16_t from_minute, to_minute; /* 0 .. 1439; to is exclusive */
};

struct serin_gateway_fleet {
    const char *product, *channel;
};

struct serin_gateway_config {
    struct serin_yaml *document; /* owns every text below */

    const char *id;     /* the CN of both certificates */
    size_t fleet_count; /* 1 .. SERIN_GW_FLEETS_MAX */
    struct serin_gateway_fleet fleets[SERIN_GW_FLEETS_MAX];
    const char *root_key; /* file */
    const char *trust;    /* file, or NULL: the retained record is waited for */
    const char *data_dir;
    const char *control_socket;

    struct serin_gateway_broker uplink, site;
    uint64_t rate_bytes_per_s; /* of bulk; 0: not limited. Written as "64kbit/s" */
    size_t hours_count;        /* 0: at any time */
    struct serin_gateway_hours hours[SERIN_GATEWAY_HOURS_MAX];

    const char *depot_dir;
    uint64_t depot_budget_bytes; /* 1 MiB .. 1 TiB */
    uint32_t scrub_s;            /* every object is read again within so long; 60 s .. 30 d */
    bool prefetch;               /* fetch what directives offer before a node asks */

    uint32_t batch_delay_ms;   /* a report waits so long for others; 0 .. 60 s */
    uint32_t beat_s;           /* a node's beat is passed up at most so often; 1 s .. 7 d */
    uint32_t status_s;         /* 1 s .. 1 d */
    uint32_t resend_ms;        /* a report that was not acknowledged goes out again; 1 s .. 1 h */
    uint32_t nodes_max;        /* 1 .. 10000 */
    uint64_t store_size_bytes; /* 1 MiB .. 1 GiB */
};

/* Reads and checks the file. Errors as serin_yaml_open_file; nothing is then to be closed. */
SERIN_MUST_USE enum serin_error serin_gateway_config_open(struct serin_gateway_config *config,
                                                          const char *path,
                                                          struct serin_yaml_error *error);
void serin_gateway_config_close(struct serin_gateway_config *config);

#endif

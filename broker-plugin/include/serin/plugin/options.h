/*
 * The options of the plugin (docs/broker-plugin.md, section 6), given as plugin_opt_<key> in
 * mosquitto.conf. Pure.
 */
#ifndef SERIN_PLUGIN_OPTIONS_H
#define SERIN_PLUGIN_OPTIONS_H

#include <serin/error.h>

#include <stddef.h>
#include <stdint.h>

/* Which broker the plugin serves. */
enum serin_plugin_role {
    SERIN_PLUGIN_ROLE_INVALID,
    SERIN_PLUGIN_CLOUD, /* serind's: it serves what stands in the depot */
    SERIN_PLUGIN_SITE   /* a site's: its gateway fills the depot while the plugin serves from it */
};

/* Texts point into the caller's strings. */
struct serin_plugin_options {
    const char *depot;   /* folder that serind or the gateway fills; required */
    const char *state;   /* folder of the plugin's own memory; required */
    const char *gateway; /* id of the site's gateway; NULL in the cloud role */
    enum serin_plugin_role role;
    uint64_t window_bytes;    /* most bytes in flight to one client */
    uint64_t window_blocks;   /* most blocks in flight to one client */
    uint64_t total_bytes;     /* most bytes in flight to all clients */
    uint64_t forget_ms;       /* a window that nobody acknowledges counts as lost after this time */
    uint64_t retry_ms;        /* what `busy` asks for at least */
    uint64_t gets_per_second; /* requests of one client; twice as many in a burst */
    uint64_t clients_max;     /* identities remembered at a time; gateways and serind have
                                 places beside these */
    uint64_t directives_max;  /* directive and trust topics remembered */
    uint64_t leap_max;        /* most that an epoch or a trust record's version rises at once */
    uint64_t park_ms;         /* how long a request waits for bytes that are not here yet; site */
    uint64_t messages_per_second; /* reports and beats of one device; twice as many in a burst */
};

/* A number's key, range and default. */
struct serin_plugin_range {
    const char *key;
    uint64_t min, max, initial;
};

/* What is wrong with which option; static strings or the caller's. */
struct serin_plugin_complaint {
    const char *key;
    const char *what;
    const struct serin_plugin_range *range; /* where a number is out of it; else NULL */
};

/* One option, as the broker gives it. */
struct serin_plugin_option {
    const char *key, *value;
};

/* Reads options. SERIN_ERR_CONFIG: unknown key, a key twice, no number, out of range, no role, no
 * id, a required one missing, or two that contradict each other; `complaint` then says which, and
 * the broker must not start. */
SERIN_MUST_USE enum serin_error serin_plugin_options_read(const struct serin_plugin_option *given,
                                                          size_t count,
                                                          struct serin_plugin_options *options,
                                                          struct serin_plugin_complaint *complaint);

/* The ranges, for documentation and tests. */
const struct serin_plugin_range *serin_plugin_ranges(size_t *count);

#endif

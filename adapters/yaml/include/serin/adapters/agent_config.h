/*
 * The configuration of serin-agent (configs/agent.yaml; docs/serin-agent.md).
 */
#ifndef SERIN_ADAPTERS_AGENT_CONFIG_H
#define SERIN_ADAPTERS_AGENT_CONFIG_H

#include <serin/adapters/yaml.h>
#include <serin/manifest.h>

#define SERIN_AGENT_ARGUMENTS_MAX 32u

struct serin_agent_settings {
    struct serin_yaml *document; /* owns every text below */

    struct serin_identity identity; /* bootloader is left 0: the program knows its own */

    struct {
        const char *uri;                             /* ssl://host:port or tcp://host:port */
        const char *ca, *certificate, *key;          /* files; NULL with tcp:// only */
        uint32_t reconnect_min_ms, reconnect_max_ms; /* 10 ms .. 1 h; min ≤ max */
    } broker;

    const char *root_key; /* file */

    struct {
        const char *file;
        uint32_t size_bytes, sector_size, write_unit; /* sizes as serin_flash wants them */
    } flash;

    const char *control_socket;

    struct {
        bool exec;
        const char *const *arguments; /* `argument_count` of them */
        size_t argument_count;        /* ≤ SERIN_AGENT_ARGUMENTS_MAX */
        uint32_t watchdog_ms;         /* 100 ms .. 1 h */
    } application;

    bool confirm_needs_directive, confirm_auto;
    uint32_t beat_s; /* 1 .. 604800 */

    struct {
        uint32_t block_size;    /* SERIN_BLOCK_DATA_MIN .. SERIN_BLOCK_DATA_MAX */
        uint32_t window_blocks; /* 1 .. 64 */
        uint32_t timeout_ms;    /* 100 ms .. 10 min */
    } download;

    struct {
        uint32_t retry_min_ms, retry_max_ms; /* 100 ms .. 1 d; min ≤ max */
    } report;
};

/* Loads and checks a whole file. Errors as serin_yaml_open_file; `settings` is then zero and
 * nothing is to be freed. */
SERIN_MUST_USE enum serin_error serin_agent_settings_load(struct serin_agent_settings *settings,
                                                          const char *path,
                                                          struct serin_yaml_error *error);

/* The same from `size` bytes of text; `name` stands for the file in errors. */
SERIN_MUST_USE enum serin_error serin_agent_settings_parse(struct serin_agent_settings *settings,
                                                           const char *name, const void *text,
                                                           size_t size,
                                                           struct serin_yaml_error *error);

/* Frees what was loaded; zero settings are fine. */
void serin_agent_settings_free(struct serin_agent_settings *settings);

#endif

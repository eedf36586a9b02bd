/*
 * The command line of serin-load.
 */
#ifndef SERIN_LOAD_OPTIONS_H
#define SERIN_LOAD_OPTIONS_H

#include <serin/manifest.h>

#define LOAD_NODES_MAX 5000u

/* Exit codes, as of all programs of Serin; 3 also where a limit of the machine is too low. */
enum load_exit {
    LOAD_EXIT_DONE = 0,
    LOAD_EXIT_FAILED = 1, /* not every node got there */
    LOAD_EXIT_USAGE = 2,
    LOAD_EXIT_CONFIG = 3
};

struct load_options {
    uint32_t nodes; /* 1 .. LOAD_NODES_MAX */
    uint32_t first; /* number of the first node */
    const char *id_prefix;
    char host[256];
    int port;
    const char *ca, *certs;
    const char *product, *channel;
    uint16_t hardware;
    const char *bundle, *trust, *root_key;
    uint32_t block_size; /* 0: mixed */
    uint32_t window_blocks;
    uint32_t flash_size;
    uint32_t start_spread_ms;
    bool start_spread_given;
    uint32_t beat_s, keep_alive_s;
    uint64_t timeout_ms, settle_ms;
    bool until_given;
    struct serin_version until;
    bool json, help;
};

/* Reads the command line; complains on stderr. Texts point into argv. */
enum load_exit load_options_read(struct load_options *options, int argc, char **argv);

/* The help, on stdout. */
void load_options_help(void);

/* Prints "serin-load: …" as one line on stderr; returns `code`. */
enum load_exit load_complain(enum load_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The block size of the node at `index`: the one asked for, or one of several in turn. */
uint32_t load_block_size(const struct load_options *options, uint32_t index);

#endif

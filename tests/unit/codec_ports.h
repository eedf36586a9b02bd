/*
 * The codecs that a test of the codec port (serin/codec.h) is run on, one after the other.
 */
#ifndef SERIN_TESTS_CODEC_PORTS_H
#define SERIN_TESTS_CODEC_PORTS_H

#include "check_main.h"

#include <serin/adapters/protobufc.h>
#include <serin/ports/nanopb.h>

#include <stdio.h>

struct codec_port {
    const char *name;
    const struct serin_codec *(*table)(void);
    /* Whether it works in bounded memory, and refuses as TOO_LARGE what does not fit there. */
    bool arena;
};

static const struct codec_port codec_ports[] = {
    {.name = "protobufc", .table = serin_protobufc, .arena = true},
    {.name = "nanopb", .table = serin_nanopb, .arena = false},
};

/* The one under test. */
static const struct codec_port *codec_port = &codec_ports[0];

static inline const struct serin_codec *codec_table(void)
{
    return codec_port->table();
}

/* Runs the tests of `list`, which ends with NULL, once on each codec. */
static inline int codec_ports_run(const char *name, const TTest *const list[])
{
    int status = EXIT_SUCCESS;
    for (size_t i = 0; i < sizeof(codec_ports) / sizeof(codec_ports[0]); i++) {
        char suite[64];
        codec_port = &codec_ports[i];
        snprintf(suite, sizeof(suite), "%s on %s", name, codec_port->name);
        if (check_run(suite, list) != EXIT_SUCCESS) {
            status = EXIT_FAILURE;
        }
    }
    return status;
}

#endif

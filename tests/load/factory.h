/*
 * The factory of a load tool's fleet: one device is provisioned; every node starts from a copy of
 * its flash.
 */
#ifndef SERIN_LOAD_FACTORY_H
#define SERIN_LOAD_FACTORY_H

#include "flash.h"
#include "options.h"

#include <serin/device/boot.h>

struct load_factory {
    struct load_pool *pool;
    struct load_flash *flash; /* of the provisioned device */
    struct serin_layout layout;
    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
};

/* Reads the inputs, verifies all of them, and provisions the first device. Complains. The factory
 * is closed in any case. */
enum load_exit load_factory_open(struct load_factory *factory, const struct load_options *options);

/* The nodes are closed. */
void load_factory_close(struct load_factory *factory);

/* The identity of a node: all but its id is every node's. `number` is that of --first on. */
void load_factory_identity(const struct load_options *options, uint32_t number,
                           struct serin_identity *identity);

#endif

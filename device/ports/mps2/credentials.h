/*
 * What the factory wrote into the application's part of the flash beside the identity: by what key
 * the device speaks to which broker, and its seed. Made by tools/credentials.py.
 */
#ifndef MPS2_CREDENTIALS_H
#define MPS2_CREDENTIALS_H

#include <serin/ports/seed.h>
#include <serin/ports/tls_stream.h>

struct board_credentials {
    uint8_t address[4]; /* of the broker, IPv4, first byte first */
    uint16_t port;
    char server_name[64]; /* in the broker's certificate */
    uint8_t seed[SERIN_SEED_SIZE];
    struct serin_tls_der ca, certificate, key; /* in the flash */
};

/* SERIN_ERR_NOT_FOUND: none are there; SERIN_ERR_CRC: rot; SERIN_ERR_FORMAT: a tool's mistake. */
SERIN_MUST_USE enum serin_error board_credentials_open(struct board_credentials *credentials);

#endif

/*
 * Starting and ending serind: everything opened in its order, and closed in the reverse one.
 */
#ifndef SERIND_START_H
#define SERIND_START_H

#include <serin/adapters/http.h>
#include <serin/adapters/serind_config.h>
#include <serin/crypto.h>

#include <stdbool.h>
#include <stdint.h>

struct serind;

struct serind_start {
    const struct serin_serind_config *config;
    bool new_epoch;       /* --new-epoch */
    uint32_t epoch_above; /* its number; 0: above our own */
    uint32_t ahead_s;     /* --signed-ahead; 0: not given */
};

#define SERIND_START_WHY_MAX 1024u

/* Opens store, depot, keys, trust records, brokers and the API. On an error everything is closed
 * again, `why` holds one sentence for the operator, and *serind is NULL. SERIN_ERR_CONFIG (a file
 * or folder of the configuration), SERIN_ERR_BUSY (another serind has the store or the depot),
 * SERIN_ERR_KEY and SERIN_ERR_SIGNATURE (keys and trust records that do not fit each other), and
 * errors of the adapters. */
SERIN_MUST_USE enum serin_error serind_open(struct serind **serind,
                                            const struct serind_start *start,
                                            char why[SERIND_START_WHY_MAX]);
void serind_close(struct serind *serind);

/* Runs until SIGTERM or SIGINT; SIGHUP opens the audit log again. The caller has blocked these
 * signals (serind_signals_block) before any thread was started. */
void serind_run(struct serind *serind);
void serind_signals_block(void);

/* The API's token: the content of the file, made with mode 0600 and random content where there is
 * none. SERIN_ERR_DENIED: others may read the file. SERIN_ERR_IO, SERIN_ERR_FORMAT. */
SERIN_MUST_USE enum serin_error serind_token(const struct serin_crypto *crypto, const char *path,
                                             char token[SERIN_HTTP_TOKEN_MAX + 1]);

#endif

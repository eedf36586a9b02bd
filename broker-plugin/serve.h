/* What serve.c and site.c share: a request on its way through the shell, and how it is answered. */
#ifndef SERIN_BROKER_SERVE_H
#define SERIN_BROKER_SERVE_H

#include "shell.h"

struct request {
    struct shell *shell;
    uint32_t session;
    const char *id;
    char topic[SERIN_TOPIC_MAX]; /* of the answer */
    const struct serin_get *get;
};

/* One block of the answer; its token is set here. Without memory it is dropped, as on a lossy
 * link. */
void serve_block(const struct request *request, const struct serin_block *block);

/* An answer without data, at the request's offset. */
void serve_status(const struct request *request, enum serin_block_status status,
                  uint32_t object_size, uint32_t retry_ms);

#endif

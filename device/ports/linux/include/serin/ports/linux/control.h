/*
 * The agent's control socket: how the application and scripts talk to serin-agent
 * (docs/serin-agent.md, section "Control socket"). The words; lines and clients are
 * serin/adapters/control.h's.
 *
 *   request                                               answer
 *   "alive"                the application lives          "ok"
 *   "confirm"              the image is healthy           "ok", or "error STATE …"
 *   "unhealthy" [SP text]  the image is not               "ok", or an error
 *   "errors" [SP count]    it counted so many more (1)    "ok", or an error
 *   "status"               what is going on               one line of JSON
 *
 * An unknown request is answered "error INVALID …". The application's own connections make room
 * last, so that idle clients cannot lock the application out.
 *
 * What is said counts for the boot in which its client connected: at the end of a boot the agent
 * hangs up on every client, so that the last words of an image that ended are not taken for those
 * of the next one. A script that is hung up on connects again.
 */
#ifndef SERIN_PORTS_LINUX_CONTROL_H
#define SERIN_PORTS_LINUX_CONTROL_H

#include <serin/adapters/control.h>

#define SERIN_AGENT_ANSWER_MAX 2048u
/* Errors that one word may tell of. */
#define SERIN_AGENT_ERRORS_MAX 1000000u

/* What the requests do. Called from within serin_control_serve. */
struct serin_agent_requests_ops {
    /* Whether `pid`, the other end of a connection, belongs to the application. */
    bool (*is_application)(void *ctx, pid_t pid);
    /* SERIN_ERR_DENIED: not the application. */
    enum serin_error (*alive)(void *ctx, pid_t pid);
    enum serin_error (*confirm)(void *ctx);
    /* `why` may be "". */
    enum serin_error (*unhealthy)(void *ctx, const char *why);
    /* `count`: 1 .. SERIN_AGENT_ERRORS_MAX. */
    enum serin_error (*errors)(void *ctx, uint32_t count);
    /* Writes one line of JSON without its end into `text` of `capacity` bytes. */
    void (*status)(void *ctx, char *text, size_t capacity);
};

struct serin_agent_requests {
    const struct serin_agent_requests_ops *ops;
    void *ctx;
};

/* serin_control_open with the agent's words. `requests` must outlive the socket. */
SERIN_MUST_USE enum serin_error serin_agent_control_open(struct serin_control **control,
                                                         const char *path,
                                                         struct serin_agent_requests *requests);

#endif

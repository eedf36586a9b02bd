/*
 * The control socket: how the application and scripts talk to serin-agent (docs/serin-agent.md,
 * section "Control socket").
 *
 *   request  = command LF                          answer
 *   "alive"               the application lives     "ok"
 *   "confirm"             the image is healthy      "ok", or "error STATE not allowed in the
 * present state" "unhealthy" [SP text] the image is not          "ok", or an error "status" what is
 * going on          one line of JSON
 *
 * A Unix stream socket, mode 0600. Lines end with LF (CR LF is fine too) and have at most
 * SERIN_CONTROL_LINE_MAX bytes. A client that sends a longer line is told so and dropped; an
 * unknown command is answered "error INVALID …". A client that does not read its answers is
 * dropped. Of more than SERIN_CONTROL_CLIENTS_MAX clients the one that has been silent for longest
 * makes room, the application's own connections last, so that idle clients cannot lock the
 * application out.
 *
 * What is said counts for the boot in which its client connected: at the end of a boot the agent
 * hangs up on every client, so that the last words of an image that ended are not taken for those
 * of the next one. A script that is hung up on connects again.
 */
#ifndef SERIN_PORTS_LINUX_CONTROL_H
#define SERIN_PORTS_LINUX_CONTROL_H

#include <serin/error.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SERIN_CONTROL_LINE_MAX    255u /* bytes of a request without its end */
#define SERIN_CONTROL_ANSWER_MAX  2048u
#define SERIN_CONTROL_CLIENTS_MAX 16u
#define SERIN_CONTROL_FDS_MAX     (SERIN_CONTROL_CLIENTS_MAX + 1u)

/* What the requests do. Called from within serin_control_serve. */
struct serin_control_ops {
    /* Whether `pid`, the other end of a connection, belongs to the application. */
    bool (*is_application)(void *ctx, pid_t pid);
    /* SERIN_ERR_DENIED: not the application. */
    enum serin_error (*alive)(void *ctx, pid_t pid);
    enum serin_error (*confirm)(void *ctx);
    /* `why` may be "". */
    enum serin_error (*unhealthy)(void *ctx, const char *why);
    /* Writes one line of JSON without its end into `text` of `capacity` bytes. */
    void (*status)(void *ctx, char *text, size_t capacity);
};

struct serin_control; /* opaque */

/* Listens at `path`, taking the place of a socket that nobody listens at. SERIN_ERR_BUSY: somebody
 * does. SERIN_ERR_EXISTS: something that is no socket stands there. SERIN_ERR_INVALID: the path is
 * too long. SERIN_ERR_IO, SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serin_control_open(struct serin_control **control, const char *path,
                                                   const struct serin_control_ops *ops, void *ctx);

/* Closes every connection and removes the socket. NULL is fine. */
void serin_control_close(struct serin_control *control);

/* Hangs up on every client, those that wait to be accepted included; what they said and nobody has
 * read yet is lost. Clients that connect afterwards are served. */
void serin_control_hang_up(struct serin_control *control);

/* Writes what to poll into `fds` of SERIN_CONTROL_FDS_MAX entries; returns how many. */
size_t serin_control_fds(const struct serin_control *control, struct pollfd *fds);

/* Handles what `fds`, filled by serin_control_fds and then by poll(2), says: bounded work, never
 * blocks. */
void serin_control_serve(struct serin_control *control, const struct pollfd *fds, size_t count,
                         uint64_t now_ms);

/* ---- the other end ---- */

/* Sends one request and waits for its answer, at most `timeout_ms`. `answer` is without its end.
 * SERIN_ERR_NOT_FOUND: no agent listens at `path`; SERIN_ERR_TIMEOUT; SERIN_ERR_IO;
 * SERIN_ERR_TOO_LARGE: the request is too long. */
SERIN_MUST_USE enum serin_error serin_control_ask(const char *path, const char *request,
                                                  char answer[SERIN_CONTROL_ANSWER_MAX],
                                                  int timeout_ms);

#endif

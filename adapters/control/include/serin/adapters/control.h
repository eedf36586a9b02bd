/*
 * Control sockets: how scripts and programs of one machine talk to a program of Serin.
 *
 *   request = line LF (CR LF is fine too)      answer = line LF
 *
 * A Unix stream socket, mode 0600. A line has at most SERIN_CONTROL_LINE_MAX bytes; what it means
 * is the owner's affair (docs/serin-agent.md, docs/serin-gateway.md). A client that sends a longer
 * line is told "error TOO_LARGE the line is too long" and dropped; one that does not read its
 * answers is dropped. Of more than SERIN_CONTROL_CLIENTS_MAX clients the one that has been silent
 * for longest makes room, those that the owner wants to keep last.
 *
 * One thread, non-blocking: poll what serin_control_fds gives, then call serin_control_serve.
 */
#ifndef SERIN_ADAPTERS_CONTROL_H
#define SERIN_ADAPTERS_CONTROL_H

#include <serin/error.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SERIN_CONTROL_LINE_MAX    255u   /* bytes of a request without its end */
#define SERIN_CONTROL_ANSWER_MAX  65536u /* largest answer that an owner may choose */
#define SERIN_CONTROL_CLIENTS_MAX 16u
#define SERIN_CONTROL_FDS_MAX     (SERIN_CONTROL_CLIENTS_MAX + 1u)

struct serin_control_ops {
    /* Answers `line` of the process `pid`: writes one line of text or JSON without its end, but
     * with a terminator, into `answer` of `capacity` bytes. A line that held a NUL comes as "".
     * Called from within serin_control_serve. */
    void (*answer)(void *ctx, pid_t pid, const char *line, char *answer, size_t capacity);
    /* Whether a connection of `pid` makes room only when all others have. NULL: none does. */
    bool (*keeps)(void *ctx, pid_t pid);
};

struct serin_control; /* opaque */

/* Listens at `path`, taking the place of a socket that nobody listens at. Answers have at most
 * `answer_max` bytes with their end, 256 .. SERIN_CONTROL_ANSWER_MAX. SERIN_ERR_BUSY: somebody
 * listens there. SERIN_ERR_EXISTS: something that is no socket stands there. SERIN_ERR_INVALID: the
 * path is too long. SERIN_ERR_IO, SERIN_ERR_MEMORY. After an error *control is NULL. */
SERIN_MUST_USE enum serin_error serin_control_open(struct serin_control **control, const char *path,
                                                   size_t answer_max,
                                                   const struct serin_control_ops *ops, void *ctx);

/* Closes every connection and removes the socket. NULL is fine. */
void serin_control_close(struct serin_control *control);

/* Hangs up on every client, those that wait to be accepted included; what they said and nobody has
 * read yet is lost. Clients that connect afterwards are served. */
void serin_control_hang_up(struct serin_control *control);

/* Writes what to poll into `fds` of SERIN_CONTROL_FDS_MAX entries; returns how many. */
size_t serin_control_fds(const struct serin_control *control, struct pollfd *fds);

/* Handles what `fds`, filled by serin_control_fds and then by poll(2), says: bounded work, never
 * blocks. `now_ms` orders clients by their silence; any monotonic clock. */
void serin_control_serve(struct serin_control *control, const struct pollfd *fds, size_t count,
                         uint64_t now_ms);

/* ---- the other end ---- */

/* Sends one request and waits for its answer, at most `timeout_ms` for each of its parts. `answer`
 * of `capacity` ≥ 1 bytes is then terminated and without its end. SERIN_ERR_NOT_FOUND: nobody
 * listens at `path`; SERIN_ERR_TIMEOUT; SERIN_ERR_IO: the other end hung up, or the answer does not
 * fit; SERIN_ERR_TOO_LARGE: the request or the path is too long. `answer` is unspecified after an
 * error. SERIN_ERR_DENIED: somebody may listen, but not to this user. */
SERIN_MUST_USE enum serin_error serin_control_ask(const char *path, const char *request,
                                                  char *answer, size_t capacity, int timeout_ms);

#endif

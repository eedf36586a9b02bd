/*
 * The launcher: runs the image of a slot as a child process, where a board would jump to it.
 *
 * The image is copied into a memory file, which is sealed, then hashed, then executed: only the
 * bytes that were verified run, whatever became of the flash since. The child has a process group
 * of its own, dies with the agent, inherits no descriptor but its standard ones, and its output
 * goes into the agent's log, line by line.
 *
 * One child at a time. One thread.
 */
#ifndef SERIN_PORTS_LINUX_LAUNCHER_H
#define SERIN_PORTS_LINUX_LAUNCHER_H

#include <serin/crypto.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SERIN_LAUNCHER_FDS_MAX         2u
#define SERIN_LAUNCHER_ARGUMENTS_MAX   64u
#define SERIN_LAUNCHER_ENVIRONMENT_MAX 16u
#define SERIN_LAUNCHER_LINE_MAX        512u /* longer lines of output are logged in parts */

struct serin_launcher; /* opaque */

/* What to run. All of it is needed during serin_launcher_start only. */
struct serin_launch {
    enum serin_error (*read)(void *ctx, uint32_t offset, void *out, size_t size); /* the image */
    void *ctx;
    uint32_t image_size;
    const uint8_t *sha256; /* of the image, SERIN_SHA256_SIZE bytes: from its signed manifest */
    const struct serin_crypto *crypto;
    const char *name; /* argv[0], and the name of the memory file */
    const char *const *arguments;
    size_t argument_count; /* < SERIN_LAUNCHER_ARGUMENTS_MAX - 1 */
    /* "NAME=VALUE": added to the agent's own environment, before which they win. */
    const char *const *environment;
    size_t environment_count; /* ≤ SERIN_LAUNCHER_ENVIRONMENT_MAX */
};

/* How a child ended. */
struct serin_launch_end {
    bool by_signal;
    int code; /* exit status, or number of the signal */
};

SERIN_MUST_USE enum serin_error serin_launcher_open(struct serin_launcher **launcher);

/* Kills a running child first. NULL is fine. */
void serin_launcher_close(struct serin_launcher *launcher);

/* Starts the child; none may run. The error of `read`; SERIN_ERR_DIGEST: what was read is not the
 * image of `sha256`, and no byte of it has run; SERIN_ERR_NO_SPACE, SERIN_ERR_MEMORY,
 * SERIN_ERR_IO: it could not be started. An image that the kernel does not take for a program ends
 * at once with exit status 127. */
SERIN_MUST_USE enum serin_error serin_launcher_start(struct serin_launcher *launcher,
                                                     const struct serin_launch *launch);

/* The child's process id; 0: none runs. */
pid_t serin_launcher_pid(const struct serin_launcher *launcher);

/* Whether `pid` is the child or of its process group. */
bool serin_launcher_owns(const struct serin_launcher *launcher, pid_t pid);

/* Writes what to poll into `fds` of SERIN_LAUNCHER_FDS_MAX entries; returns how many. */
size_t serin_launcher_fds(const struct serin_launcher *launcher, struct pollfd *fds);

/* Logs the child's output (a bounded part of it). True: the child has ended; the rest of its
 * process group is killed, all of it is reaped, and `end` says how. */
bool serin_launcher_serve(struct serin_launcher *launcher, struct serin_launch_end *end);

/* Ends the child: SIGTERM and up to `grace_ms` to follow it (0: none), then SIGKILL, to the whole
 * process group. Returns when it is gone. Without a child nothing happens. */
void serin_launcher_stop(struct serin_launcher *launcher, int grace_ms);

#endif

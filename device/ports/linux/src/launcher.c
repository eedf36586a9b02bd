/*
 * The launcher (serin/ports/linux/launcher.h).
 *
 * The agent has threads (its MQTT client's), so everything that allocates happens before fork;
 * between fork and exec the child calls only what is async-signal-safe.
 */
#define _GNU_SOURCE /* memfd_create, pidfd_open, pipe2, close_range */
#include <serin/ports/linux/launcher.h>

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct serin_launcher {
    pid_t pid;  /* 0: no child */
    int pidfd;  /* readable when the child has ended; -1: no child */
    int output; /* of the child; -1: none */
    size_t line_used;
    char line[SERIN_LAUNCHER_LINE_MAX + 1];
};

/* Everything the child needs between fork and exec. */
struct prepared {
    int image, null, output[2];
    bool script; /* "#!": the interpreter opens the image by its descriptor, which must stay open */
    pid_t parent;
    char *const *arguments;
    char *const *environment;
};

/* ---- before the fork ---- */

static enum serin_error image_copy(int fd, const struct serin_launch *launch, bool *script)
{
    uint8_t chunk[16384];
    for (uint32_t offset = 0; offset < launch->image_size;) {
        size_t part = launch->image_size - offset;
        part = part < sizeof chunk ? part : sizeof chunk;
        enum serin_error result = launch->read(launch->ctx, offset, chunk, part);
        if (result != SERIN_OK) {
            return result;
        }
        if (offset == 0) {
            *script = part >= 2 && chunk[0] == '#' && chunk[1] == '!';
        }
        for (size_t done = 0; done < part;) {
            ssize_t put = write(fd, chunk + done, part - done);
            if (put < 0 && errno != EINTR) {
                return errno == ENOSPC || errno == ENOMEM ? SERIN_ERR_NO_SPACE : SERIN_ERR_IO;
            }
            done += put > 0 ? (size_t)put : 0;
        }
        offset += (uint32_t)part;
    }
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    return fcntl(fd, F_ADD_SEALS, seals) == 0 ? SERIN_OK : SERIN_ERR_IO;
}

/* Whether the sealed copy is the image that was verified. The flash has been read again since then,
 * and only the copy can no longer change. */
static enum serin_error image_verify(int fd, const struct serin_launch *launch)
{
    const struct serin_crypto *crypto = launch->crypto;
    uint8_t chunk[16384], digest[SERIN_SHA256_SIZE];
    struct serin_sha256 sha;
    off_t size = 0;
    ssize_t got;
    crypto->ops->sha256_init(crypto->ctx, &sha);
    while ((got = pread(fd, chunk, sizeof chunk, size)) > 0) {
        crypto->ops->sha256_update(crypto->ctx, &sha, chunk, (size_t)got);
        size += got;
    }
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
    if (got < 0) {
        return SERIN_ERR_IO;
    }
    return size == (off_t)launch->image_size && memcmp(digest, launch->sha256, sizeof digest) == 0
               ? SERIN_OK
               : SERIN_ERR_DIGEST;
}

/* The agent's environment with the launch's entries first, of which getenv takes the first. NULL:
 * no memory. */
static char **environment_make(const struct serin_launch *launch)
{
    size_t inherited = 0;
    while (environ != NULL && environ[inherited] != NULL) {
        inherited++;
    }
    char **entries = calloc(launch->environment_count + inherited + 1, sizeof *entries);
    if (entries == NULL) {
        return NULL;
    }
    size_t count = 0;
    for (size_t i = 0; i < launch->environment_count; i++) {
        entries[count++] = (char *)(uintptr_t)launch->environment[i]; /* execve does not write */
    }
    for (size_t i = 0; i < inherited; i++) {
        size_t name_size = strcspn(environ[i], "=") + 1;
        bool replaced = false;
        for (size_t own = 0; own < launch->environment_count; own++) {
            replaced |= strncmp(launch->environment[own], environ[i], name_size) == 0;
        }
        if (!replaced) {
            entries[count++] = environ[i];
        }
    }
    return entries;
}

static void prepared_close(struct prepared *prepared)
{
    int fds[] = {prepared->image, prepared->null, prepared->output[0], prepared->output[1]};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

/* Opens what the child needs; prepared_close closes it again, also after an error. */
static enum serin_error prepare(struct prepared *prepared, const struct serin_launch *launch)
{
    prepared->image = memfd_create(launch->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    prepared->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (prepared->image < 0 || prepared->null < 0 || pipe2(prepared->output, O_CLOEXEC) != 0) {
        return SERIN_ERR_IO;
    }
    /* Only the agent's end: the child expects to block when the agent is slow, not to fail. */
    if (fcntl(prepared->output[0], F_SETFL, O_NONBLOCK) != 0) {
        return SERIN_ERR_IO;
    }
    enum serin_error result = image_copy(prepared->image, launch, &prepared->script);
    return result == SERIN_OK ? image_verify(prepared->image, launch) : result;
}

/* ---- between fork and exec: async-signal-safe calls only ---- */

static void child_say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) {
        /* The exit status still tells. */
    }
}

/* Marks every descriptor but the standard ones to be closed by exec: other threads may have opened
 * some without. */
static void child_descriptors(void)
{
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        for (int fd = 3; fd < 1024; fd++) {
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
}

static _Noreturn void child_run(const struct prepared *prepared)
{
    static const int defaulted[] = {SIGPIPE, SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t none;
    (void)sigemptyset(&none);
    for (size_t i = 0; i < sizeof defaulted / sizeof *defaulted; i++) {
        (void)signal(defaulted[i], SIG_DFL);
    }
    (void)setpgid(0, 0);
    /* The agent may have died before the call: then nobody will send the signal any more. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != prepared->parent) {
        _exit(126);
    }
    if (dup2(prepared->null, STDIN_FILENO) < 0 || dup2(prepared->output[1], STDOUT_FILENO) < 0 ||
        dup2(prepared->output[1], STDERR_FILENO) < 0) {
        _exit(126);
    }
    child_descriptors();
    if (prepared->script) {
        (void)fcntl(prepared->image, F_SETFD, 0);
    }
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)fexecve(prepared->image, prepared->arguments, prepared->environment);
    child_say("the image is not a program that this machine can run\n");
    _exit(127);
}

/* ---- starting ---- */

static enum serin_error child_fork(struct serin_launcher *launcher, struct prepared *prepared)
{
    prepared->parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return SERIN_ERR_MEMORY;
    }
    if (pid == 0) {
        child_run(prepared);
    }
    (void)setpgid(pid, pid); /* here too, so that the group exists whoever runs first */
    launcher->pidfd = pidfd_open(pid, 0);
    if (launcher->pidfd < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return SERIN_ERR_IO;
    }
    launcher->pid = pid;
    launcher->output = prepared->output[0];
    launcher->line_used = 0;
    prepared->output[0] = -1;
    SERIN_FAULT_POINT("launcher.child.started");
    return SERIN_OK;
}

enum serin_error serin_launcher_start(struct serin_launcher *launcher,
                                      const struct serin_launch *launch)
{
    assert(launcher->pid == 0);
    assert(launch->argument_count < SERIN_LAUNCHER_ARGUMENTS_MAX - 1);
    assert(launch->environment_count <= SERIN_LAUNCHER_ENVIRONMENT_MAX);
    char *arguments[SERIN_LAUNCHER_ARGUMENTS_MAX] = {(char *)(uintptr_t)launch->name};
    for (size_t i = 0; i < launch->argument_count; i++) {
        arguments[i + 1] = (char *)(uintptr_t)launch->arguments[i];
    }
    char **environment = environment_make(launch);
    if (environment == NULL) {
        return SERIN_ERR_MEMORY;
    }
    struct prepared prepared = {
        .image = -1,
        .null = -1,
        .output = {-1, -1},
        .arguments = arguments,
        .environment = environment,
    };
    enum serin_error result = prepare(&prepared, launch);
    if (result == SERIN_OK) {
        result = child_fork(launcher, &prepared);
    }
    prepared_close(&prepared);
    free(environment);
    return result;
}

enum serin_error serin_launcher_open(struct serin_launcher **launcher)
{
    *launcher = calloc(1, sizeof **launcher);
    if (*launcher == NULL) {
        return SERIN_ERR_MEMORY;
    }
    (*launcher)->pidfd = -1;
    (*launcher)->output = -1;
    return SERIN_OK;
}

void serin_launcher_close(struct serin_launcher *launcher)
{
    if (launcher != NULL) {
        serin_launcher_stop(launcher, 0);
        free(launcher);
    }
}

/* ---- running ---- */

pid_t serin_launcher_pid(const struct serin_launcher *launcher)
{
    return launcher->pid;
}

bool serin_launcher_owns(const struct serin_launcher *launcher, pid_t pid)
{
    return launcher->pid != 0 && pid > 0 && (pid == launcher->pid || getpgid(pid) == launcher->pid);
}

size_t serin_launcher_fds(const struct serin_launcher *launcher, struct pollfd *fds)
{
    size_t count = 0;
    if (launcher->pidfd >= 0) {
        fds[count++] = (struct pollfd){.fd = launcher->pidfd, .events = POLLIN};
    }
    if (launcher->output >= 0) {
        fds[count++] = (struct pollfd){.fd = launcher->output, .events = POLLIN};
    }
    return count;
}

static void line_flush(struct serin_launcher *launcher)
{
    if (launcher->line_used > 0) {
        launcher->line[launcher->line_used] = '\0';
        serin_log(SERIN_LOG_INFO, "application: %s", launcher->line);
        launcher->line_used = 0;
    }
}

static void output_take(struct serin_launcher *launcher, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' || launcher->line_used == SERIN_LAUNCHER_LINE_MAX) {
            line_flush(launcher);
        }
        if (text[i] != '\n') {
            launcher->line[launcher->line_used++] = text[i];
        }
    }
}

/* Reads at most `limit` bytes of output; closes it at its end. */
static void output_read(struct serin_launcher *launcher, size_t limit)
{
    char chunk[1024];
    for (size_t done = 0; launcher->output >= 0 && done < limit;) {
        ssize_t got = read(launcher->output, chunk, sizeof chunk);
        if (got > 0) {
            output_take(launcher, chunk, (size_t)got);
            done += (size_t)got;
        } else if (got < 0 && errno == EAGAIN) {
            return;
        } else if (got == 0 || errno != EINTR) {
            (void)close(launcher->output);
            launcher->output = -1;
        }
    }
}

/* The child is a zombie or about to be one: clears its group, takes its last words and its status.
 */
static void child_reap(struct serin_launcher *launcher, struct serin_launch_end *end)
{
    int status = 0;
    /* Before the wait: until then nobody else can get this group's number. */
    (void)kill(-launcher->pid, SIGKILL);
    while (waitpid(launcher->pid, &status, 0) < 0 && errno == EINTR) {
    }
    output_read(launcher, 65536);
    line_flush(launcher);
    if (launcher->output >= 0) {
        (void)close(launcher->output);
        launcher->output = -1;
    }
    (void)close(launcher->pidfd);
    launcher->pidfd = -1;
    launcher->pid = 0;
    end->by_signal = WIFSIGNALED(status);
    end->code = end->by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
}

static bool child_ended(const struct serin_launcher *launcher, int wait_ms)
{
    struct pollfd fd = {.fd = launcher->pidfd, .events = POLLIN};
    return poll(&fd, 1, wait_ms) == 1;
}

bool serin_launcher_serve(struct serin_launcher *launcher, struct serin_launch_end *end)
{
    if (launcher->pid == 0) {
        return false;
    }
    output_read(launcher, 16384);
    if (!child_ended(launcher, 0)) {
        return false;
    }
    child_reap(launcher, end);
    return true;
}

void serin_launcher_stop(struct serin_launcher *launcher, int grace_ms)
{
    if (launcher->pid == 0) {
        return;
    }
    struct serin_launch_end end;
    if (grace_ms > 0) {
        (void)kill(-launcher->pid, SIGTERM);
        (void)child_ended(launcher, grace_ms);
    }
    child_reap(launcher, &end);
}

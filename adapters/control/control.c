/*
 * The line socket's server and its other end (serin/adapters/control.h). A fixed table of clients,
 * one buffer for answers.
 */
#define _GNU_SOURCE /* struct ucred, accept4 */
#include <serin/adapters/control.h>

#include <serin/bytes.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 16
#define ANSWER_MIN     256u

struct client {
    int fd; /* -1: free */
    pid_t pid;
    uint64_t heard_ms; /* when it last sent something */
    size_t used;
    char line[SERIN_CONTROL_LINE_MAX + 2]; /* with CR LF */
};

struct serin_control {
    int listener;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    const struct serin_control_ops *ops;
    void *ctx;
    struct client clients[SERIN_CONTROL_CLIENTS_MAX];
    size_t answer_max;
    char answer[]; /* of the request being handled */
};

static void client_drop(struct client *client)
{
    (void)close(client->fd);
    client->fd = -1;
    client->used = 0;
}

/* Sends what stands in control->answer and its end. A client whose buffer is full does not read: it
 * is dropped. */
static void client_answer(struct serin_control *control, struct client *client)
{
    size_t size = strnlen(control->answer, control->answer_max - 2);
    control->answer[size++] = '\n';
    ssize_t sent = send(client->fd, control->answer, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != (ssize_t)size) {
        client_drop(client);
    }
}

/* ---- clients ---- */

/* Tells a client whose line is too long, and drops it: where its next line starts is not known. */
static void client_refuse(struct serin_control *control, struct client *client)
{
    (void)snprintf(control->answer, control->answer_max, "error TOO_LARGE the line is too long");
    client_answer(control, client);
    if (client->fd >= 0) {
        client_drop(client);
    }
}

/* Handles the first complete line of the client's buffer. False: there is none. */
static bool client_line(struct serin_control *control, struct client *client)
{
    char *end = memchr(client->line, '\n', client->used);
    if (end == NULL) {
        return false;
    }
    size_t size = (size_t)(end - client->line);
    char line[sizeof client->line];
    (void)memcpy(line, client->line, size);
    line[size] = '\0';
    client->used -= size + 1;
    (void)memmove(client->line, end + 1, client->used);
    if (size > 0 && line[size - 1] == '\r') {
        line[--size] = '\0';
    }
    if (size > SERIN_CONTROL_LINE_MAX) {
        client_refuse(control, client);
        return false;
    }
    if (strlen(line) != size) {
        line[0] = '\0'; /* a NUL must not make a request of what only starts like one */
    }
    control->answer[0] = '\0';
    control->ops->answer(control->ctx, client->pid, line, control->answer, control->answer_max - 1);
    client_answer(control, client);
    return client->fd >= 0;
}

static void client_read(struct serin_control *control, struct client *client, uint64_t now_ms)
{
    ssize_t got = recv(client->fd, client->line + client->used, sizeof client->line - client->used,
                       MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        client_drop(client);
        return;
    }
    client->heard_ms = now_ms;
    client->used += (size_t)got;
    while (client_line(control, client)) {
    }
    if (client->fd >= 0 && client->used == sizeof client->line) {
        client_refuse(control, client);
    }
}

static bool client_kept(const struct serin_control *control, const struct client *client)
{
    return control->ops->keeps != NULL && control->ops->keeps(control->ctx, client->pid);
}

/* A free place, or that of the client that can best be spared. */
static struct client *place_find(struct serin_control *control)
{
    struct client *spare = &control->clients[0];
    bool spare_kept = true;
    for (size_t i = 0; i < SERIN_CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->fd < 0) {
            return client;
        }
        bool kept = client_kept(control, client);
        if ((spare_kept && !kept) || (spare_kept == kept && client->heard_ms < spare->heard_ms)) {
            spare = client;
            spare_kept = kept;
        }
    }
    client_drop(spare);
    return spare;
}

static void client_accept(struct serin_control *control, uint64_t now_ms)
{
    int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return; /* it went away again */
    }
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        (void)close(fd);
        return;
    }
    struct client *client = place_find(control);
    client->fd = fd;
    client->pid = peer.pid;
    client->heard_ms = now_ms;
    client->used = 0;
}

size_t serin_control_fds(const struct serin_control *control, struct pollfd *fds)
{
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = control->listener, .events = POLLIN};
    for (size_t i = 0; i < SERIN_CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0) {
            fds[count++] = (struct pollfd){.fd = control->clients[i].fd, .events = POLLIN};
        }
    }
    return count;
}

void serin_control_serve(struct serin_control *control, const struct pollfd *fds, size_t count,
                         uint64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i].revents == 0 || fds[i].fd == control->listener) {
            continue;
        }
        for (size_t c = 0; c < SERIN_CONTROL_CLIENTS_MAX; c++) {
            if (control->clients[c].fd == fds[i].fd) {
                client_read(control, &control->clients[c], now_ms);
                break;
            }
        }
    }
    /* Last, so that a descriptor that was just closed cannot be mistaken for a new client's. */
    for (size_t i = 0; i < count; i++) {
        if (fds[i].fd == control->listener && fds[i].revents != 0) {
            client_accept(control, now_ms);
        }
    }
}

/* ---- opening ---- */

static bool address_make(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    return serin_text_copy(address->sun_path, sizeof address->sun_path, path) == SERIN_OK;
}

/* Removes a socket that nobody listens at any more. */
static enum serin_error stale_remove(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) {
        return SERIN_OK;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return SERIN_ERR_EXISTS;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return SERIN_ERR_IO;
    }
    bool answered = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 ||
                    errno == EAGAIN; /* its queue is full: it lives */
    (void)close(probe);
    if (answered) {
        return SERIN_ERR_BUSY;
    }
    return unlink(address->sun_path) == 0 ? SERIN_OK : SERIN_ERR_IO;
}

static int listener_make(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    /* On Linux the socket's own mode becomes that of its name: there is no moment at which others
     * could connect. */
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

enum serin_error serin_control_open(struct serin_control **control, const char *path,
                                    size_t answer_max, const struct serin_control_ops *ops,
                                    void *ctx)
{
    assert(answer_max >= ANSWER_MIN && answer_max <= SERIN_CONTROL_ANSWER_MAX);
    *control = NULL;
    struct sockaddr_un address;
    if (!address_make(path, &address)) {
        return SERIN_ERR_INVALID;
    }
    enum serin_error result = stale_remove(&address);
    if (result != SERIN_OK) {
        return result;
    }
    struct serin_control *made = calloc(1, sizeof *made + answer_max);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->listener = listener_make(&address);
    if (made->listener < 0) {
        free(made);
        return SERIN_ERR_IO;
    }
    (void)memcpy(made->path, address.sun_path, sizeof made->path);
    made->answer_max = answer_max;
    made->ops = ops;
    made->ctx = ctx;
    for (size_t i = 0; i < SERIN_CONTROL_CLIENTS_MAX; i++) {
        made->clients[i].fd = -1;
    }
    *control = made;
    return SERIN_OK;
}

static void clients_drop(struct serin_control *control)
{
    for (size_t i = 0; i < SERIN_CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0) {
            client_drop(&control->clients[i]);
        }
    }
}

void serin_control_hang_up(struct serin_control *control)
{
    clients_drop(control);
    /* Linux lets one more wait than it is told. The queue is in order: who was in it is out. */
    for (int i = 0; i < LISTEN_BACKLOG + 1; i++) {
        int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

void serin_control_close(struct serin_control *control)
{
    if (control == NULL) {
        return;
    }
    clients_drop(control);
    (void)close(control->listener);
    (void)unlink(control->path);
    free(control);
}

/* ---- the other end ---- */

/* Reads up to the end of a line. */
static enum serin_error answer_read(int fd, char *answer, size_t capacity)
{
    size_t used = 0;
    while (used < capacity) {
        ssize_t got = recv(fd, answer + used, capacity - used, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 && errno == EAGAIN ? SERIN_ERR_TIMEOUT : SERIN_ERR_IO;
        }
        char *end = memchr(answer + used, '\n', (size_t)got);
        if (end != NULL) {
            *end = '\0';
            return SERIN_OK;
        }
        used += (size_t)got;
    }
    return SERIN_ERR_IO;
}

enum serin_error serin_control_ask(const char *path, const char *request, char *answer,
                                   size_t capacity, int timeout_ms)
{
    char line[SERIN_CONTROL_LINE_MAX + 2];
    struct sockaddr_un address;
    int size = snprintf(line, sizeof line, "%s\n", request);
    if (!address_make(path, &address) || size >= (int)sizeof line) {
        return SERIN_ERR_TOO_LARGE;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return SERIN_ERR_IO;
    }
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000L};
    enum serin_error result = SERIN_ERR_IO;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0) {
        result = SERIN_ERR_IO;
    } else if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        result = errno == EAGAIN                     ? SERIN_ERR_TIMEOUT
                 : errno == EACCES || errno == EPERM ? SERIN_ERR_DENIED
                                                     : SERIN_ERR_NOT_FOUND;
    } else if (send(fd, line, (size_t)size, MSG_NOSIGNAL) == size) {
        result = answer_read(fd, answer, capacity);
    }
    (void)close(fd);
    return result;
}

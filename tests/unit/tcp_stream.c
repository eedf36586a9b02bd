/*
 * A stream on a socket that never waits (tcp_stream.h).
 */
#include "tcp_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void tcp_stream_init(struct tcp_stream *stream, uint16_t port)
{
    *stream = (struct tcp_stream){.port = port, .fd = -1};
}

static void tcp_close(void *ctx)
{
    struct tcp_stream *stream = ctx;
    if (stream->fd >= 0) {
        close(stream->fd);
        stream->fd = -1;
    }
}

static enum serin_error tcp_open(void *ctx)
{
    struct tcp_stream *stream = ctx;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(stream->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (stream->fd >= 0) {
        return SERIN_ERR_STATE;
    }
    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd < 0) {
        return SERIN_ERR_IO;
    }
    if (connect(stream->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS) {
        tcp_close(stream);
        return SERIN_ERR_NETWORK;
    }
    return SERIN_OK;
}

/* ENOTCONN: the connection is under way. */
static enum serin_error outcome(ssize_t count, size_t *out)
{
    *out = count > 0 ? (size_t)count : 0;
    if (count >= 0 || errno == EAGAIN || errno == EINTR || errno == ENOTCONN) {
        return SERIN_OK;
    }
    return SERIN_ERR_NETWORK;
}

static enum serin_error tcp_send(void *ctx, const uint8_t *data, size_t size, size_t *sent)
{
    struct tcp_stream *stream = ctx;
    return outcome(send(stream->fd, data, size, MSG_NOSIGNAL), sent);
}

static enum serin_error tcp_receive(void *ctx, uint8_t *out, size_t capacity, size_t *received)
{
    struct tcp_stream *stream = ctx;
    if (stream->receive_piece > 0 && capacity > stream->receive_piece) {
        capacity = stream->receive_piece;
    }
    ssize_t count = recv(stream->fd, out, capacity, 0);
    *received = 0;
    return count == 0 ? SERIN_ERR_NETWORK : outcome(count, received);
}

const struct serin_stream_ops tcp_stream_ops = {
    .open = tcp_open, .send = tcp_send, .receive = tcp_receive, .close = tcp_close};

/*
 * The byte-stream port (serin/device/stream.h) on a plain TCP connection of this host, for tests.
 */
#ifndef SERIN_TESTS_TCP_STREAM_H
#define SERIN_TESTS_TCP_STREAM_H

#include <serin/device/stream.h>

#include <stdbool.h>

struct tcp_stream {
    uint16_t port;        /* of 127.0.0.1 */
    size_t receive_piece; /* most bytes given at once; 0: any number */
    int fd;               /* -1: closed */
};

void tcp_stream_init(struct tcp_stream *stream, uint16_t port);

extern const struct serin_stream_ops tcp_stream_ops;

#endif

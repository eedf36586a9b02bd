/*
 * The byte-stream port (serin/device/stream.h) on lwIP's raw API: one TCP connection to one
 * address.
 *
 * lwIP runs without an operating system (NO_SYS): the board hands it frames and calls its timers
 * from the loop that also calls the port, and from no interrupt. What came and was not received yet
 * stays in lwIP's buffers, and closes the window: the other side waits.
 */
#ifndef SERIN_PORTS_TCP_STREAM_H
#define SERIN_PORTS_TCP_STREAM_H

#include <serin/device/stream.h>

#include <lwip/ip_addr.h>

#include <stdbool.h>

struct pbuf;
struct tcp_pcb;

enum serin_tcp_stream_state {
    SERIN_TCP_STREAM_CLOSED,
    SERIN_TCP_STREAM_CONNECTING,
    SERIN_TCP_STREAM_OPEN,
    SERIN_TCP_STREAM_ENDED,  /* the other side sends no more; what came may still be received */
    SERIN_TCP_STREAM_FAILED, /* refused, reset, or given up by lwIP */
    SERIN_TCP_STREAM_STATE_COUNT
};

/* The caller's memory; it stays where it is while a connection is open. Fields are private. */
struct serin_tcp_stream {
    ip_addr_t address;
    uint16_t port;
    enum serin_tcp_stream_state state;
    struct tcp_pcb *pcb; /* lwIP's; NULL once lwIP has freed it */
    struct pbuf *came;   /* not received yet; NULL: nothing */
};

/* The port; its `ctx` is a struct serin_tcp_stream. `open` begins the connection, and answers
 * SERIN_ERR_NETWORK where there is no way to the address, SERIN_ERR_MEMORY where lwIP has no room.
 * It sends and receives nothing by itself: the board polls lwIP. */
extern const struct serin_stream_ops serin_tcp_stream_ops;

/* Prepares a stream to `address`, in lwIP's form, and `port` (1 .. 65535). Closed until `open`. */
void serin_tcp_stream_init(struct serin_tcp_stream *stream, const ip_addr_t *address,
                           uint16_t port);

#endif

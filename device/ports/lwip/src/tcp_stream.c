/*
 * TCP on lwIP's raw API as a byte stream.
 *
 * lwIP calls back from within the board's polling; the callbacks only note what happened, and the
 * port's functions answer by the notes. After its error callback a connection is freed, so that is
 * where the stream forgets it.
 */
#include <serin/ports/tcp_stream.h>

#include <serin/assert.h>

#include <lwip/pbuf.h>
#include <lwip/tcp.h>

#include <string.h>

enum event { BEGUN, CONNECTED, FIN, BROKEN, CLOSE, EVENT_COUNT };

/* What is not listed is 0, CLOSED, and comes from CLOSE alone; lwIP tells nothing of a connection
 * that it was not given, or that it has freed. */
static const uint8_t transition[SERIN_TCP_STREAM_STATE_COUNT][EVENT_COUNT] = {
    [SERIN_TCP_STREAM_CLOSED] = {[BEGUN] = SERIN_TCP_STREAM_CONNECTING},
    [SERIN_TCP_STREAM_CONNECTING] = {[CONNECTED] = SERIN_TCP_STREAM_OPEN,
                                     [FIN] = SERIN_TCP_STREAM_ENDED,
                                     [BROKEN] = SERIN_TCP_STREAM_FAILED},
    [SERIN_TCP_STREAM_OPEN] = {[FIN] = SERIN_TCP_STREAM_ENDED, [BROKEN] = SERIN_TCP_STREAM_FAILED},
    [SERIN_TCP_STREAM_ENDED] = {[FIN] = SERIN_TCP_STREAM_ENDED, [BROKEN] = SERIN_TCP_STREAM_FAILED},
    [SERIN_TCP_STREAM_FAILED] = {[BROKEN] = SERIN_TCP_STREAM_FAILED},
};

static void step(struct serin_tcp_stream *stream, enum event event)
{
    stream->state = (enum serin_tcp_stream_state)transition[stream->state][event];
    SERIN_ASSERT(event == CLOSE || stream->state != SERIN_TCP_STREAM_CLOSED);
}

static err_t on_connected(void *ctx, struct tcp_pcb *pcb, err_t error)
{
    struct serin_tcp_stream *stream = ctx;
    (void)pcb;
    (void)error; /* lwIP gives ERR_OK here, always; failures come by on_error */
    step(stream, CONNECTED);
    return ERR_OK;
}

static err_t on_received(void *ctx, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct serin_tcp_stream *stream = ctx;
    (void)pcb;
    (void)error;
    if (packet == NULL) {
        step(stream, FIN);
    } else if (stream->came == NULL) {
        stream->came = packet;
    } else {
        pbuf_cat(stream->came, packet); /* bounded by the window, TCP_WND */
    }
    return ERR_OK;
}

static void on_error(void *ctx, err_t error)
{
    struct serin_tcp_stream *stream = ctx;
    (void)error;
    stream->pcb = NULL;
    step(stream, BROKEN);
}

/* Ends the connection, towards lwIP, too, and forgets what came. */
static void release(struct serin_tcp_stream *stream)
{
    if (stream->came != NULL) {
        pbuf_free(stream->came);
        stream->came = NULL;
    }
    if (stream->pcb != NULL) {
        struct tcp_pcb *pcb = stream->pcb;
        stream->pcb = NULL;
        tcp_arg(pcb, NULL);
        tcp_recv(pcb, NULL);
        tcp_err(pcb, NULL);
        if (tcp_close(pcb) != ERR_OK) {
            tcp_abort(pcb); /* no room for a FIN: a reset says it, too */
        }
    }
    step(stream, CLOSE);
}

static enum serin_error tcp_stream_open(void *ctx)
{
    struct serin_tcp_stream *stream = ctx;
    if (stream->state != SERIN_TCP_STREAM_CLOSED && stream->state != SERIN_TCP_STREAM_FAILED) {
        return SERIN_ERR_STATE;
    }
    release(stream);
    stream->pcb = tcp_new_ip_type(IP_GET_TYPE(&stream->address));
    if (stream->pcb == NULL) {
        return SERIN_ERR_MEMORY;
    }
    tcp_arg(stream->pcb, stream);
    tcp_recv(stream->pcb, on_received);
    tcp_err(stream->pcb, on_error);
    tcp_nagle_disable(stream->pcb); /* messages are whole when they come here */
    err_t error = tcp_connect(stream->pcb, &stream->address, stream->port, on_connected);
    if (error != ERR_OK) {
        release(stream);
        return error == ERR_MEM ? SERIN_ERR_MEMORY : SERIN_ERR_NETWORK;
    }
    step(stream, BEGUN);
    return SERIN_OK;
}

static enum serin_error tcp_stream_send(void *ctx, const uint8_t *data, size_t size, size_t *sent)
{
    struct serin_tcp_stream *stream = ctx;
    *sent = 0;
    if (stream->state == SERIN_TCP_STREAM_CONNECTING) {
        return SERIN_OK;
    }
    if (stream->state != SERIN_TCP_STREAM_OPEN) {
        return SERIN_ERR_NETWORK;
    }
    size_t room = tcp_sndbuf(stream->pcb);
    if (size > room) {
        size = room;
    }
    if (size == 0) {
        return SERIN_OK;
    }
    err_t error = tcp_write(stream->pcb, data, (u16_t)size, TCP_WRITE_FLAG_COPY);
    if (error == ERR_MEM) {
        return SERIN_OK; /* no buffer now; acknowledgements free some */
    }
    if (error != ERR_OK) {
        return SERIN_ERR_NETWORK;
    }
    *sent = size;
    (void)tcp_output(stream->pcb); /* what finds no buffer goes out by lwIP's timer */
    return SERIN_OK;
}

static enum serin_error tcp_stream_receive(void *ctx, uint8_t *out, size_t capacity,
                                           size_t *received)
{
    struct serin_tcp_stream *stream = ctx;
    *received = 0;
    if (stream->came != NULL) {
        u16_t size = stream->came->tot_len;
        if (size > capacity) {
            size = (u16_t)capacity;
        }
        *received = pbuf_copy_partial(stream->came, out, size, 0);
        stream->came = pbuf_free_header(stream->came, size);
        if (stream->pcb != NULL) {
            tcp_recved(stream->pcb, size);
        }
        return SERIN_OK;
    }
    bool lives =
        stream->state == SERIN_TCP_STREAM_CONNECTING || stream->state == SERIN_TCP_STREAM_OPEN;
    return lives ? SERIN_OK : SERIN_ERR_NETWORK;
}

static void tcp_stream_close(void *ctx)
{
    release(ctx);
}

void serin_tcp_stream_init(struct serin_tcp_stream *stream, const ip_addr_t *address, uint16_t port)
{
    SERIN_ASSERT(port != 0);
    memset(stream, 0, sizeof *stream);
    ip_addr_copy(stream->address, *address);
    stream->port = port;
    stream->state = SERIN_TCP_STREAM_CLOSED;
}

const struct serin_stream_ops serin_tcp_stream_ops = {.open = tcp_stream_open,
                                                      .send = tcp_stream_send,
                                                      .receive = tcp_stream_receive,
                                                      .close = tcp_stream_close};

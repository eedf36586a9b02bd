/*
 * The byte-stream port: one connection that carries bytes in their order, as TCP does, or TLS above
 * it. The board's MQTT client (serin/ports/mqtt.h) talks through it; device/ports/lwip supplies it.
 *
 * Where to and by which key is the port's own matter: `ctx` was told before. No function waits, and
 * none calls back; all are called from one thread.
 */
#ifndef SERIN_DEVICE_STREAM_H
#define SERIN_DEVICE_STREAM_H

#include <serin/error.h>

#include <stddef.h>
#include <stdint.h>

struct serin_stream_ops {
    /* Begins a new connection. SERIN_OK: it stands, or is under way (names, TCP and handshake go on
     * by the calls below and the port's own polling). SERIN_ERR_STATE: one is open already. Any
     * other error: none was begun, and close() is not needed. */
    enum serin_error (*open)(void *ctx);
    /* Takes as many of `size` bytes as there is room for, 0 too, and says how many; they are copied
     * and sent without another call. SERIN_OK; it takes 0 as long as the connection does not stand
     * yet. SERIN_ERR_NETWORK: there is no connection, it failed, or the other side was not the one
     * expected; it stays so until open(). */
    enum serin_error (*send)(void *ctx, const uint8_t *data, size_t size, size_t *sent);
    /* Gives up to `capacity` bytes of what came, 0 where nothing is there. SERIN_OK.
     * SERIN_ERR_NETWORK as for send(), and where the other side ended it: once all that came before
     * was given out. */
    enum serin_error (*receive)(void *ctx, uint8_t *out, size_t capacity, size_t *received);
    /* Ends the connection, and frees what it held; what was taken by send() goes out if that needs
     * no waiting. Nothing happens where none is open. */
    void (*close)(void *ctx);
};

#endif

/*
 * The heap of TLS: the C library's, with a limit and a count. Nothing else of a board's program
 * need use it, so that what a handshake needs is there when it begins: all of it is given back when
 * the connection closes, but for what serin_tls_stream_init holds. One thread.
 */
#ifndef SERIN_PORTS_TLS_HEAP_H
#define SERIN_PORTS_TLS_HEAP_H

#include <stddef.h>

/* What TLS may hold at a time, bytes. A handshake needs 6.3 KB, records of 4 KiB no more. */
#ifndef SERIN_TLS_HEAP_MAX
#define SERIN_TLS_HEAP_MAX 10240u
#endif

struct serin_tls_heap_usage {
    size_t used, peak; /* bytes, heads included */
};

/* `size` bytes, aligned to 8; NULL: no room. */
void *serin_tls_heap_take(size_t size);
/* `memory` with its first bytes in a place of `size`; NULL: no room, and it stays as it was. */
void *serin_tls_heap_resize(void *memory, size_t size);
/* NULL is fine. */
void serin_tls_heap_give(void *memory);

struct serin_tls_heap_usage serin_tls_heap_usage(void);

#endif

/* Listening on a loopback address, apart from the HTTP library so that its errors are told in
 * words. */
#ifndef SERIN_ADAPTERS_HTTP_LISTEN_H
#define SERIN_ADAPTERS_HTTP_LISTEN_H

#include <serin/error.h>

#include <stddef.h>

#define SERIN_HTTP_ADDRESS_SIZE 64u

/* Listens on `text` ("127.0.0.1:8470", "[::1]:0"); gives the socket (non-blocking, close-on-exec;
 * the caller closes it) and the address with its real port. SERIN_ERR_CONFIG: not such an address.
 * SERIN_ERR_NETWORK: it cannot be had. `why` then holds a sentence. */
SERIN_MUST_USE enum serin_error serin_http_listen(const char *text, int *socket_out,
                                                  char address[SERIN_HTTP_ADDRESS_SIZE], char *why,
                                                  size_t why_size);

#endif

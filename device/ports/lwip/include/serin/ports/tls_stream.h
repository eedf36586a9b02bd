/*
 * TLS 1.3 (RFC 8446) by wolfSSL as a byte stream (serin/device/stream.h) above another one.
 *
 * The device is a client with a certificate of its own, and takes no server but one whose
 * certificate is signed by the one CA that it was given and bears the name that it was told. A
 * board has no clock that it could trust, so validity dates are not looked at: a leaked broker key
 * is answered with a new CA, that is with a release. Signatures use the nonces of RFC 6979, so that
 * a generator that repeats itself, on a board without one of its own, does not give the key away.
 *
 * A handshake computes one key, one agreement, one signature, and verifies two, in one or two calls
 * of open, send, receive or poll: 100 million instructions on a Cortex-M3. What it takes
 * of the heap, wolfSSL takes by XMALLOC (user_settings.h), and gives back at close.
 */
#ifndef SERIN_PORTS_TLS_STREAM_H
#define SERIN_PORTS_TLS_STREAM_H

#include <serin/device/stream.h>

#include <stdbool.h>

struct WOLFSSL;
struct WOLFSSL_CTX;

/* A run of bytes in DER, the caller's. */
struct serin_tls_der {
    const uint8_t *data;
    size_t size;
};

struct serin_tls_stream_config {
    const struct serin_stream_ops *lower; /* what carries the records */
    void *lower_ctx;
    struct serin_tls_der ca;          /* X.509, P-256: the one that signed the server's */
    struct serin_tls_der certificate; /* the device's own, and */
    struct serin_tls_der key;         /* its P-256 private key (RFC 5915) */
    const char *server_name;          /* in the server's certificate: a DNS name */
};

/* Records wait here until the lower stream takes them: as much as a small one takes at once. */
#define SERIN_TLS_STREAM_OUT_SIZE 1280u

enum serin_tls_stream_state {
    SERIN_TLS_STREAM_CLOSED,
    SERIN_TLS_STREAM_HANDSHAKE,
    SERIN_TLS_STREAM_OPEN,
    SERIN_TLS_STREAM_FAILED, /* also: ended by the other side */
    SERIN_TLS_STREAM_STATE_COUNT
};

/* The caller's memory; it stays where it is from init to deinit. Fields are private. */
struct serin_tls_stream {
    const struct serin_tls_stream_config *config;
    struct WOLFSSL_CTX *context;
    struct WOLFSSL *session; /* NULL: no connection */
    enum serin_tls_stream_state state;
    int why;
    bool mute; /* the lower stream takes no more; what it still gives says why */
    size_t out_size;
    uint8_t out[SERIN_TLS_STREAM_OUT_SIZE];
};

/* The port; its `ctx` is a struct serin_tls_stream. `open` answers what the lower stream does, and
 * SERIN_ERR_MEMORY. */
extern const struct serin_stream_ops serin_tls_stream_ops;

/* Reads the certificates and the key, once. `config` stays, and what it points to but for the DER,
 * which is copied. SERIN_ERR_MEMORY; SERIN_ERR_KEY: the key is none; SERIN_ERR_FORMAT: a
 * certificate is none. Whether the key is the certificate's, servers find out: the factory looks.
 * After an error there is nothing to deinit. */
SERIN_MUST_USE enum serin_error serin_tls_stream_init(struct serin_tls_stream *stream,
                                                      const struct serin_tls_stream_config *config);

/* Closes, and gives all memory back. */
void serin_tls_stream_deinit(struct serin_tls_stream *stream);

/* Goes on with the handshake, and brings to the lower stream what waits for it. To be called in
 * each turn of the board's loop. Nothing happens where no connection is open. */
void serin_tls_stream_poll(struct serin_tls_stream *stream);

/* Whether the handshake is done: the other side is the server that was named. */
bool serin_tls_stream_ready(const struct serin_tls_stream *stream);

/* wolfSSL's number of the error that ended the last connection (wolfssl/error-ssl.h,
 * wolfcrypt/error-crypt.h), for a log; 0: TLS ended none, the lower stream or the other side did.
 * It stays until `open`. */
int serin_tls_stream_why(const struct serin_tls_stream *stream);

#endif

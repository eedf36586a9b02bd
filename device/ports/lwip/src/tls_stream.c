/*
 * TLS by wolfSSL as a byte stream above another.
 *
 *   send ──▶ wolfSSL_write ──▶ write_record ──▶ out[] ──flush──▶ lower
 *   receive ◀── wolfSSL_read ◀── read_record ◀────────────────── lower
 *
 * wolfSSL wants a write that found no room repeated with the same bytes, and a byte stream promises
 * no such thing. So plain text is given to it only while out[] is empty and has room for all of its
 * record: no write is ever repeated.
 */
#ifndef WOLFSSL_USER_SETTINGS
#include <wolfssl/options.h>
#endif

#include <serin/ports/tls_stream.h>

#include <serin/assert.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include <string.h>

/* A record adds 22 bytes to its text (RFC 8446, section 5.2); an alert or a key update may stand
 * before it. */
#define RECORD_MARGIN 128u
#define TEXT_MAX      (SERIN_TLS_STREAM_OUT_SIZE - RECORD_MARGIN)

enum event { BEGUN, DONE, BROKEN, CLOSE, EVENT_COUNT };

/* What is not listed is 0, CLOSED, and comes from CLOSE alone. */
static const uint8_t transition[SERIN_TLS_STREAM_STATE_COUNT][EVENT_COUNT] = {
    [SERIN_TLS_STREAM_CLOSED] = {[BEGUN] = SERIN_TLS_STREAM_HANDSHAKE},
    [SERIN_TLS_STREAM_HANDSHAKE] =
        {[DONE] = SERIN_TLS_STREAM_OPEN, [BROKEN] = SERIN_TLS_STREAM_FAILED},
    [SERIN_TLS_STREAM_OPEN] = {[BROKEN] = SERIN_TLS_STREAM_FAILED},
};

static void step(struct serin_tls_stream *stream, enum event event)
{
    stream->state = (enum serin_tls_stream_state)transition[stream->state][event];
    SERIN_ASSERT(event == CLOSE || stream->state != SERIN_TLS_STREAM_CLOSED);
}

/* ---- what wolfSSL calls ---- */

static int read_record(WOLFSSL *session, char *out, int capacity, void *ctx)
{
    struct serin_tls_stream *stream = ctx;
    const struct serin_tls_stream_config *config = stream->config;
    (void)session;
    size_t received = 0;
    if (config->lower->receive(config->lower_ctx, (uint8_t *)out, (size_t)capacity, &received) !=
        SERIN_OK) {
        return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    }
    return received > 0 ? (int)received : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int write_record(WOLFSSL *session, char *data, int size, void *ctx)
{
    struct serin_tls_stream *stream = ctx;
    (void)session;
    size_t room = sizeof stream->out - stream->out_size;
    size_t taken = (size_t)size < room ? (size_t)size : room;
    memcpy(stream->out + stream->out_size, data, taken);
    stream->out_size += taken;
    return taken > 0 ? (int)taken : WOLFSSL_CBIO_ERR_WANT_WRITE;
}

/* Signs as wolfSSL would, but for the nonce, which is that of RFC 6979. */
static int sign(WOLFSSL *session, const unsigned char *digest, unsigned digest_size,
                unsigned char *out, word32 *out_size, const unsigned char *key_der,
                unsigned key_size, void *ctx)
{
    (void)ctx;
    ecc_key key;
    word32 index = 0;
    int error = wc_ecc_init(&key);
    if (error != 0) {
        return error;
    }
    error = wc_EccPrivateKeyDecode(key_der, &index, &key, key_size);
    if (error == 0) {
        error = wc_ecc_set_deterministic(&key, 1);
    }
    if (error == 0) {
        error = wc_ecc_sign_hash(digest, digest_size, out, out_size, wolfSSL_GetRNG(session), &key);
    }
    wc_ecc_free(&key);
    return error;
}

/* ---- the connection ---- */

/* Brings what waits to the lower stream, as far as it takes it. */
static void flush(struct serin_tls_stream *stream)
{
    const struct serin_tls_stream_config *config = stream->config;
    size_t sent = 0;
    if (stream->out_size == 0) {
        return;
    }
    if (!stream->mute &&
        config->lower->send(config->lower_ctx, stream->out, stream->out_size, &sent) != SERIN_OK) {
        stream->mute = true; /* an alert may still wait to be read */
    }
    if (stream->mute) {
        sent = stream->out_size;
    }
    memmove(stream->out, stream->out + sent, stream->out_size - sent);
    stream->out_size -= sent;
}

static void release(struct serin_tls_stream *stream, enum event event)
{
    flush(stream); /* the last words: an alert, or that this is the end */
    wolfSSL_free(stream->session);
    stream->session = NULL;
    stream->config->lower->close(stream->config->lower_ctx);
    stream->out_size = 0;
    step(stream, event);
}

/* What follows from a call of wolfSSL that did not do what was asked. */
static enum serin_error judge(struct serin_tls_stream *stream, int result)
{
    int error = wolfSSL_get_error(stream->session, result);
    if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE) {
        return SERIN_OK;
    }
    bool ended = error == WOLFSSL_ERROR_ZERO_RETURN || error == SOCKET_PEER_CLOSED_E ||
                 error == SOCKET_ERROR_E;
    stream->why = ended ? 0 : error;
    release(stream, BROKEN);
    return SERIN_ERR_NETWORK;
}

/* Goes on with the handshake. SERIN_ERR_NETWORK: there is no connection. */
static enum serin_error advance(struct serin_tls_stream *stream)
{
    enum serin_error error = SERIN_OK;
    if (stream->session == NULL) {
        return SERIN_ERR_NETWORK;
    }
    flush(stream);
    if (stream->state == SERIN_TLS_STREAM_HANDSHAKE) {
        int result = wolfSSL_connect(stream->session);
        if (result == WOLFSSL_SUCCESS) {
            step(stream, DONE);
        } else {
            error = judge(stream, result);
        }
        flush(stream);
    }
    return error;
}

static enum serin_error session_begin(struct serin_tls_stream *stream)
{
    stream->session = wolfSSL_new(stream->context);
    if (stream->session == NULL) {
        return SERIN_ERR_MEMORY;
    }
    wolfSSL_SetIOReadCtx(stream->session, stream);
    wolfSSL_SetIOWriteCtx(stream->session, stream);
    /* Records of 4 KiB at most come, so that one fits a small heap. */
    if (wolfSSL_check_domain_name(stream->session, stream->config->server_name) !=
            WOLFSSL_SUCCESS ||
        wolfSSL_UseMaxFragment(stream->session, WOLFSSL_MFL_2_12) != WOLFSSL_SUCCESS) {
        wolfSSL_free(stream->session);
        stream->session = NULL;
        return SERIN_ERR_MEMORY;
    }
    return SERIN_OK;
}

static enum serin_error tls_stream_open(void *ctx)
{
    struct serin_tls_stream *stream = ctx;
    if (stream->session != NULL) {
        return SERIN_ERR_STATE;
    }
    if (stream->state != SERIN_TLS_STREAM_CLOSED) {
        step(stream, CLOSE);
    }
    stream->why = 0;
    stream->mute = false;
    stream->out_size = 0;
    enum serin_error error = session_begin(stream);
    if (error == SERIN_OK) {
        error = stream->config->lower->open(stream->config->lower_ctx);
        if (error != SERIN_OK) {
            wolfSSL_free(stream->session);
            stream->session = NULL;
        }
    }
    if (error == SERIN_OK) {
        step(stream, BEGUN);
    }
    return error;
}

static enum serin_error tls_stream_send(void *ctx, const uint8_t *data, size_t size, size_t *sent)
{
    struct serin_tls_stream *stream = ctx;
    *sent = 0;
    enum serin_error error = advance(stream);
    if (error != SERIN_OK || stream->state != SERIN_TLS_STREAM_OPEN || stream->out_size > 0 ||
        stream->mute || size == 0) {
        return error;
    }
    int text = (int)(size < TEXT_MAX ? size : TEXT_MAX);
    int result = wolfSSL_write(stream->session, data, text);
    if (result != text) {
        stream->why = wolfSSL_get_error(stream->session, result);
        release(stream, BROKEN);
        return SERIN_ERR_NETWORK;
    }
    *sent = (size_t)text;
    flush(stream);
    return SERIN_OK;
}

static enum serin_error tls_stream_receive(void *ctx, uint8_t *out, size_t capacity,
                                           size_t *received)
{
    struct serin_tls_stream *stream = ctx;
    *received = 0;
    enum serin_error error = advance(stream);
    if (error != SERIN_OK || stream->state != SERIN_TLS_STREAM_OPEN || capacity == 0) {
        return error;
    }
    int result = wolfSSL_read(stream->session, out, capacity < 0x4000 ? (int)capacity : 0x4000);
    if (result <= 0) {
        return judge(stream, result);
    }
    *received = (size_t)result;
    return SERIN_OK;
}

static void tls_stream_close(void *ctx)
{
    struct serin_tls_stream *stream = ctx;
    if (stream->state == SERIN_TLS_STREAM_OPEN) {
        flush(stream);
        (void)wolfSSL_shutdown(stream->session);
    }
    if (stream->session != NULL) {
        release(stream, CLOSE);
    } else if (stream->state != SERIN_TLS_STREAM_CLOSED) {
        step(stream, CLOSE);
    }
}

const struct serin_stream_ops serin_tls_stream_ops = {.open = tls_stream_open,
                                                      .send = tls_stream_send,
                                                      .receive = tls_stream_receive,
                                                      .close = tls_stream_close};

/* ---- the device's side of it, once ---- */

static enum serin_error credentials_load(WOLFSSL_CTX *context,
                                         const struct serin_tls_stream_config *config)
{
    if (wolfSSL_CTX_load_verify_buffer(context, config->ca.data, (long)config->ca.size,
                                       WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_certificate_buffer(context, config->certificate.data,
                                           (long)config->certificate.size,
                                           WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        return SERIN_ERR_FORMAT;
    }
    if (wolfSSL_CTX_use_PrivateKey_buffer(context, config->key.data, (long)config->key.size,
                                          WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        return SERIN_ERR_KEY;
    }
    return SERIN_OK;
}

enum serin_error serin_tls_stream_init(struct serin_tls_stream *stream,
                                       const struct serin_tls_stream_config *config)
{
    memset(stream, 0, sizeof *stream);
    stream->config = config;
    if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
        return SERIN_ERR_CRYPTO;
    }
    stream->context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    if (stream->context == NULL) {
        (void)wolfSSL_Cleanup();
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = credentials_load(stream->context, config);
    if (error != SERIN_OK) {
        serin_tls_stream_deinit(stream);
        return error;
    }
    wolfSSL_CTX_set_verify(stream->context, WOLFSSL_VERIFY_PEER, NULL);
    wolfSSL_CTX_SetIORecv(stream->context, read_record);
    wolfSSL_CTX_SetIOSend(stream->context, write_record);
    wolfSSL_CTX_SetEccSignCb(stream->context, sign);
    return SERIN_OK;
}

void serin_tls_stream_deinit(struct serin_tls_stream *stream)
{
    tls_stream_close(stream);
    wolfSSL_CTX_free(stream->context);
    stream->context = NULL;
    (void)wolfSSL_Cleanup();
}

void serin_tls_stream_poll(struct serin_tls_stream *stream)
{
    (void)advance(stream);
}

bool serin_tls_stream_ready(const struct serin_tls_stream *stream)
{
    return stream->state == SERIN_TLS_STREAM_OPEN;
}

int serin_tls_stream_why(const struct serin_tls_stream *stream)
{
    return stream->why;
}

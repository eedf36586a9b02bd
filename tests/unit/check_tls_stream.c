/*
 * TLS for boards, against a server of the host's wolfSSL in the same process: whatever pieces the
 * lower stream carries bytes in, wherever it breaks, and whomever it must not take.
 */
#include <serin/adapters/x509.h>
#include <serin/ports/tls_stream.h>

#include "check_main.h"
#include "program.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include <stdio.h>
#include <string.h>

#define WIRE_SIZE 65536u
#define DATA_SIZE 40000u
#define NO_BREAK  SIZE_MAX
#define TURNS_MAX 400000

/* ---- the wire: what one side has sent and the other not received yet ---- */

struct wire {
    uint8_t bytes[WIRE_SIZE];
    size_t size;
};

static struct {
    struct wire up, down; /* to the server, to the device */
    size_t piece;         /* bytes that the lower stream moves at once */
    size_t breaks_after;  /* bytes in all, both ways; NO_BREAK: never */
    size_t moved;
    bool stuck; /* takes nothing */
    bool deaf;  /* fails to take, and still gives */
    bool open;
    unsigned opened, closed;
} lower;

static size_t wire_put(struct wire *wire, const void *data, size_t size)
{
    size_t room = WIRE_SIZE - wire->size;
    size = size < room ? size : room;
    memcpy(wire->bytes + wire->size, data, size);
    wire->size += size;
    return size;
}

static size_t wire_take(struct wire *wire, void *out, size_t size)
{
    size = size < wire->size ? size : wire->size;
    memcpy(out, wire->bytes, size);
    memmove(wire->bytes, wire->bytes + size, wire->size - size);
    wire->size -= size;
    return size;
}

static bool broken(void)
{
    return !lower.open || lower.moved >= lower.breaks_after;
}

static enum serin_error lower_open(void *ctx)
{
    (void)ctx;
    ck_assert(!lower.open);
    lower.open = true;
    lower.opened++;
    return SERIN_OK;
}

static enum serin_error lower_send(void *ctx, const uint8_t *data, size_t size, size_t *sent)
{
    (void)ctx;
    *sent = 0;
    if (broken() || lower.deaf) {
        return SERIN_ERR_NETWORK;
    }
    if (!lower.stuck) {
        *sent = wire_put(&lower.up, data, size < lower.piece ? size : lower.piece);
        lower.moved += *sent;
    }
    return SERIN_OK;
}

static enum serin_error lower_receive(void *ctx, uint8_t *out, size_t capacity, size_t *received)
{
    (void)ctx;
    *received = 0;
    if (broken()) {
        return SERIN_ERR_NETWORK;
    }
    *received = wire_take(&lower.down, out, capacity < lower.piece ? capacity : lower.piece);
    lower.moved += *received;
    return SERIN_OK;
}

static void lower_close(void *ctx)
{
    (void)ctx;
    lower.closed += lower.open ? 1 : 0;
    lower.open = false;
}

static const struct serin_stream_ops lower_ops = {
    .open = lower_open, .send = lower_send, .receive = lower_receive, .close = lower_close};

/* ---- certificates, and both sides ---- */

static char folder[64];
static char paths[10][80];
enum { CA, OTHER, SERVER, DEVICE, STRANGER };

static struct serin_x509_files files_of(int who)
{
    return (struct serin_x509_files){.certificate = paths[2 * who], .key = paths[2 * who + 1]};
}

#define DER_MAX 2048
static uint8_t der_bytes[5][2][DER_MAX];

/* A certificate, or its key in the form of RFC 5915. */
static struct serin_tls_der der_of(int who, int key)
{
    uint8_t pem[4096], *der = der_bytes[who][key];
    int pem_size = (int)file_read(paths[2 * who + key], pem, sizeof pem);
    int size = key ? wc_KeyPemToDer(pem, pem_size, der, DER_MAX, NULL)
                   : wc_CertPemToDer(pem, pem_size, der, DER_MAX, CERT_TYPE);
    ck_assert_int_gt(size, 0);
    return (struct serin_tls_der){.data = der, .size = (size_t)size};
}

static struct serin_tls_der ders[5][2];

static void once_setup(void)
{
    static const char *const names[] = {"broker.test", "localhost"};
    const struct serin_x509_subject server = {
        .common_name = "broker", .server = true, .names = names, .name_count = 2, .days = 1};
    const struct serin_x509_subject device = {.common_name = "sensor-01", .days = 1};
    const struct serin_x509_files ca = {paths[0], paths[1]}, other = {paths[2], paths[3]};
    folder_make(folder);
    for (int i = 0; i < 10; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d", folder, i);
    }
    struct serin_x509_files files[5];
    for (int i = 0; i < 5; i++) {
        files[i] = files_of(i);
    }
    ck_assert_int_eq(serin_x509_make_ca(&ca, "CA", 1, NULL), SERIN_OK);
    ck_assert_int_eq(serin_x509_make_ca(&other, "other", 1, NULL), SERIN_OK);
    ck_assert_int_eq(serin_x509_issue(&ca, &server, &files[SERVER], NULL), SERIN_OK);
    ck_assert_int_eq(serin_x509_issue(&ca, &device, &files[DEVICE], NULL), SERIN_OK);
    ck_assert_int_eq(serin_x509_issue(&other, &device, &files[STRANGER], NULL), SERIN_OK);
    for (int i = 0; i < 5; i++) {
        ders[i][0] = der_of(i, 0);
        ders[i][1] = der_of(i, 1);
    }
}

static void once_teardown(void)
{
    folder_remove(folder);
}

static struct serin_tls_stream_config config;
static struct serin_tls_stream stream;
static WOLFSSL_CTX *server_context;
static WOLFSSL *server;

static int server_read(WOLFSSL *session, char *out, int size, void *ctx)
{
    (void)session;
    (void)ctx;
    size_t taken = wire_take(&lower.up, out, (size_t)size);
    if (taken == 0 && !lower.open) {
        return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    }
    return taken > 0 ? (int)taken : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int server_write(WOLFSSL *session, char *data, int size, void *ctx)
{
    (void)session;
    (void)ctx;
    size_t put = wire_put(&lower.down, data, (size_t)size);
    return put > 0 ? (int)put : WOLFSSL_CBIO_ERR_WANT_WRITE;
}

static void server_session(void)
{
    wolfSSL_free(server);
    server = wolfSSL_new(server_context);
    ck_assert_ptr_nonnull(server);
    lower.up.size = lower.down.size = 0;
}

/* A server with TLS 1.3, or another method, that asks for a certificate of CA. */
static void server_start(WOLFSSL_METHOD *method)
{
    server_context = wolfSSL_CTX_new(method);
    ck_assert_ptr_nonnull(server_context);
    ck_assert_int_eq(
        wolfSSL_CTX_use_certificate_file(server_context, paths[2 * SERVER], WOLFSSL_FILETYPE_PEM),
        WOLFSSL_SUCCESS);
    ck_assert_int_eq(wolfSSL_CTX_use_PrivateKey_file(server_context, paths[2 * SERVER + 1],
                                                     WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
    ck_assert_int_eq(wolfSSL_CTX_load_verify_locations(server_context, paths[2 * CA], NULL),
                     WOLFSSL_SUCCESS);
    wolfSSL_CTX_set_verify(server_context,
                           WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    wolfSSL_CTX_SetIORecv(server_context, server_read);
    wolfSSL_CTX_SetIOSend(server_context, server_write);
    server_session();
}

static void setup(void)
{
    memset(&lower, 0, sizeof lower);
    lower.piece = WIRE_SIZE;
    lower.breaks_after = NO_BREAK;
    wolfSSL_Init();
    config = (struct serin_tls_stream_config){.lower = &lower_ops,
                                              .ca = ders[CA][0],
                                              .certificate = ders[DEVICE][0],
                                              .key = ders[DEVICE][1],
                                              .server_name = "broker.test"};
}

static void begin(void)
{
    server_start(wolfTLSv1_3_server_method());
    ck_assert_int_eq(serin_tls_stream_init(&stream, &config), SERIN_OK);
}

static void teardown(void)
{
    if (stream.context != NULL) {
        serin_tls_stream_deinit(&stream);
    }
    wolfSSL_free(server);
    server = NULL;
    wolfSSL_CTX_free(server_context);
    server_context = NULL;
    wolfSSL_Cleanup();
    ck_assert_uint_eq(lower.opened, lower.closed);
}

static const struct serin_stream_ops *const ops = &serin_tls_stream_ops;

/* The handshake, turn by turn; false: the device's side failed. The server's own failures show
 * there. */
static bool shake(void)
{
    bool accepted = false;
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        size_t none = 0;
        serin_tls_stream_poll(&stream);
        if (!accepted) {
            accepted = wolfSSL_accept(server) == WOLFSSL_SUCCESS;
        }
        if (accepted && serin_tls_stream_ready(&stream)) {
            return true;
        }
        /* A refusal comes after the device's own handshake is done (RFC 8446, section 4.4.2.4). */
        if (ops->receive(&stream, (uint8_t[1]){0}, 1, &none) != SERIN_OK) {
            return false;
        }
    }
    ck_abort_msg("the handshake never ends");
    return false;
}

static uint8_t data_at(size_t position)
{
    return (uint8_t)(position * 7 + position / 256);
}

/* Brings DATA_SIZE bytes to the server and back, in pieces of all sizes. */
static void echo(void)
{
    static uint8_t data[DATA_SIZE], back[DATA_SIZE], heard[DATA_SIZE];
    size_t sent = 0, came = 0, returned = 0, step = 1;
    for (size_t i = 0; i < DATA_SIZE; i++) {
        data[i] = data_at(i);
    }
    for (int turn = 0; returned < DATA_SIZE; turn++) {
        ck_assert_int_lt(turn, TURNS_MAX);
        size_t size = 0, part = DATA_SIZE - sent < step ? DATA_SIZE - sent : step;
        ck_assert_int_eq(ops->send(&stream, data + sent, part, &size), SERIN_OK);
        ck_assert_uint_le(size, part);
        sent += size;
        step = step % 5000 + 97;
        int got = wolfSSL_read(server, back + came, (int)(DATA_SIZE - came));
        if (got > 0) {
            ck_assert_int_eq(wolfSSL_write(server, back + came, got), got);
            came += (size_t)got;
        }
        ck_assert_int_eq(ops->receive(&stream, heard + returned, DATA_SIZE - returned, &size),
                         SERIN_OK);
        returned += size;
        serin_tls_stream_poll(&stream);
    }
    ck_assert_mem_eq(heard, data, DATA_SIZE);
}

/* ---- what it carries ---- */

static const size_t pieces[] = {1, 2, 7, 100, 1279, 1280, 1281, WIRE_SIZE};

START_TEST(test_bytes_come_whole_in_pieces_of_any_size)
{
    begin();
    lower.piece = pieces[_i];
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert(shake());
    echo();
    ops->close(&stream);
    /* The server hears that this is the end, not that the line is dead. */
    char rest;
    int result = -1;
    while ((result = wolfSSL_read(server, &rest, 1)) > 0) {
    }
    ck_assert(_i + 1u < sizeof pieces / sizeof pieces[0] ||
              wolfSSL_get_error(server, result) == WOLFSSL_ERROR_ZERO_RETURN);
}
END_TEST

START_TEST(test_nothing_is_taken_before_the_handshake_is_done)
{
    const uint8_t byte = 1;
    size_t size = 1;
    uint8_t out;
    begin();
    ck_assert_int_eq(ops->send(&stream, &byte, 1, &size), SERIN_ERR_NETWORK);
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert_int_eq(ops->open(&stream), SERIN_ERR_STATE);
    ck_assert_int_eq(ops->send(&stream, &byte, 1, &size), SERIN_OK);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(ops->receive(&stream, &out, 1, &size), SERIN_OK);
    ck_assert_uint_eq(size, 0);
    ck_assert(!serin_tls_stream_ready(&stream));
    ck_assert(shake());
    ops->close(&stream);
    ops->close(&stream);
    ck_assert_int_eq(ops->receive(&stream, &out, 1, &size), SERIN_ERR_NETWORK);
}
END_TEST

START_TEST(test_what_finds_no_room_is_not_taken_and_not_lost)
{
    static uint8_t data[3000], back[3000];
    size_t sent = 0, came = 0;
    begin();
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert(shake());
    lower.stuck = true;
    for (int turn = 0; turn < 100; turn++) {
        size_t size = 0;
        ck_assert_int_eq(ops->send(&stream, data + sent, sizeof data - sent, &size), SERIN_OK);
        sent += size;
    }
    ck_assert_uint_gt(sent, 0);
    ck_assert_uint_le(sent, SERIN_TLS_STREAM_OUT_SIZE);
    lower.stuck = false;
    memset(data + sent, 0xAA, sizeof data - sent); /* other bytes than were offered before */
    for (int turn = 0; turn < 100 && came < sizeof back; turn++) {
        size_t size = 0;
        ck_assert_int_eq(ops->send(&stream, data + sent, sizeof data - sent, &size), SERIN_OK);
        sent += size;
        int got = wolfSSL_read(server, back + came, (int)(sizeof back - came));
        came += got > 0 ? (size_t)got : 0;
    }
    ck_assert_mem_eq(back, data, sizeof data);
}
END_TEST

/* So that a record fits a small heap (RFC 6066, section 4). */
START_TEST(test_no_record_is_larger_than_was_asked_for)
{
    static uint8_t data[16384];
    size_t records = 0;
    begin();
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert(shake());
    lower.down.size = 0;
    ck_assert_int_eq(wolfSSL_write(server, data, sizeof data), sizeof data);
    for (size_t at = 0; at < lower.down.size; records++) {
        size_t size = (size_t)lower.down.bytes[at + 3] << 8 | lower.down.bytes[at + 4];
        ck_assert_uint_le(size, 4096 + 256);
        at += 5 + size;
    }
    ck_assert_uint_ge(records, 4);
}
END_TEST

/* ---- where it ends ---- */

/* The line dies after each so many bytes: the device is told, keeps nothing, and connects anew. */
START_TEST(test_a_line_that_dies_anywhere_is_told_and_left)
{
    begin();
    size_t whole = 0;
    for (size_t bytes = 0; whole == 0; bytes += 13) {
        uint8_t out;
        size_t size = 0;
        server_session();
        lower.moved = 0;
        lower.breaks_after = bytes;
        ck_assert_int_eq(ops->open(&stream), SERIN_OK);
        if (shake()) {
            whole = bytes;
            break;
        }
        ck_assert_int_eq(ops->receive(&stream, &out, 1, &size), SERIN_ERR_NETWORK);
        ck_assert_int_eq(ops->send(&stream, &out, 1, &size), SERIN_ERR_NETWORK);
        ck_assert_ptr_null(stream.session);
        ck_assert(!lower.open);
        ck_assert_int_eq(serin_tls_stream_why(&stream), 0);
    }
    ck_assert_uint_gt(whole, 1000); /* what a handshake moves, with two certificates */
    ops->close(&stream);
    server_session();
    lower.breaks_after = NO_BREAK;
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert(shake());
    echo();
}
END_TEST

/* What came before the end is given out first. */
START_TEST(test_the_end_comes_after_what_came_before)
{
    uint8_t out[8];
    size_t size = 0;
    begin();
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert(shake());
    ck_assert_int_eq(wolfSSL_write(server, "last", 4), 4);
    (void)wolfSSL_shutdown(server);
    ck_assert_int_eq(ops->receive(&stream, out, sizeof out, &size), SERIN_OK);
    ck_assert_uint_eq(size, 4);
    ck_assert_int_eq(ops->receive(&stream, out, sizeof out, &size), SERIN_ERR_NETWORK);
    ck_assert_int_eq(serin_tls_stream_why(&stream), 0);
}
END_TEST

/* A byte that is changed on the way ends the connection: none of it is given out. */
START_TEST(test_a_changed_byte_ends_it)
{
    uint8_t out[8];
    size_t size = 0;
    begin();
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert(shake());
    lower.down.size = 0;
    ck_assert_int_eq(wolfSSL_write(server, "text", 4), 4);
    lower.down.bytes[7] ^= 1;
    ck_assert_int_eq(ops->receive(&stream, out, sizeof out, &size), SERIN_ERR_NETWORK);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_ne(serin_tls_stream_why(&stream), 0);
}
END_TEST

/* ---- whom it takes ---- */

static void expect_refused(void)
{
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    ck_assert(!shake());
    ck_assert_int_ne(serin_tls_stream_why(&stream), 0);
}

START_TEST(test_a_server_of_another_ca_is_refused)
{
    config.ca = ders[OTHER][0];
    begin();
    expect_refused();
}
END_TEST

START_TEST(test_a_server_with_another_name_is_refused)
{
    config.server_name = "broker.test.example";
    begin();
    expect_refused();
}
END_TEST

START_TEST(test_an_older_protocol_is_refused)
{
    server_start(wolfTLSv1_2_server_method());
    ck_assert_int_eq(serin_tls_stream_init(&stream, &config), SERIN_OK);
    expect_refused();
}
END_TEST

START_TEST(test_a_device_that_is_refused_learns_it)
{
    config.certificate = ders[STRANGER][0];
    config.key = ders[STRANGER][1];
    begin();
    expect_refused();
}
END_TEST

/* The server resets the line behind its alert: the alert is what counts. */
START_TEST(test_an_alert_is_heard_though_nothing_is_taken_any_more)
{
    uint8_t byte = 0;
    size_t size = 0;
    config.certificate = ders[STRANGER][0];
    config.key = ders[STRANGER][1];
    begin();
    ck_assert_int_eq(ops->open(&stream), SERIN_OK);
    for (int turn = 0; turn < 10; turn++) {
        serin_tls_stream_poll(&stream);
        (void)wolfSSL_accept(server);
    }
    ck_assert(serin_tls_stream_ready(&stream));
    lower.deaf = true;
    for (int turn = 0; turn < 3; turn++) {
        ck_assert_int_eq(ops->send(&stream, &byte, 1, &size), SERIN_OK);
    }
    ck_assert_int_eq(ops->receive(&stream, &byte, 1, &size), SERIN_ERR_NETWORK);
    ck_assert_int_ne(serin_tls_stream_why(&stream), 0);
}
END_TEST

/* ---- a heap that is too small ---- */

#define BLOCKS_MAX 4096

/* Blocks that are held, in a table, so that what the library itself forgets can be told apart. */
static struct {
    bool armed;         /* the device's side is at work, */
    unsigned long left; /* and has so many allocations before they fail */
    bool failed;
    void *blocks[BLOCKS_MAX];
    size_t sizes[BLOCKS_MAX];
} heap;

static void *heap_take(size_t size)
{
    if (heap.armed && heap.left == 0) {
        heap.failed = true;
        return NULL;
    }
    heap.left -= heap.armed ? 1 : 0;
    for (int i = 0; i < BLOCKS_MAX; i++) {
        if (heap.blocks[i] == NULL) {
            heap.blocks[i] = malloc(size);
            heap.sizes[i] = size;
            return heap.blocks[i];
        }
    }
    return NULL;
}

static void heap_give(void *memory)
{
    for (int i = 0; memory != NULL && i < BLOCKS_MAX; i++) {
        if (heap.blocks[i] == memory) {
            heap.blocks[i] = NULL;
        }
    }
    free(memory);
}

static void *heap_resize(void *memory, size_t size)
{
    void *moved = heap_take(size);
    for (int i = 0; moved != NULL && memory != NULL && i < BLOCKS_MAX; i++) {
        if (heap.blocks[i] == memory) {
            memcpy(moved, memory, size < heap.sizes[i] ? size : heap.sizes[i]);
        }
    }
    if (moved != NULL) {
        heap_give(memory);
    }
    return moved;
}

static int heap_held(void)
{
    int held = 0;
    wc_ecc_fp_free(); /* points that a host's library keeps */
    for (int i = 0; i < BLOCKS_MAX; i++) {
        held += heap.blocks[i] != NULL ? 1 : 0;
    }
    return held;
}

#define MANY 100000ul

/* One connection in which the device's side has so many allocations; whether it came to be. */
static bool connect_with(unsigned long allocations)
{
    bool done = false;
    heap.left = allocations;
    heap.failed = false;
    heap.armed = true;
    enum serin_error error = ops->open(&stream);
    for (int turn = 0; error == SERIN_OK && !done && turn < 50; turn++) {
        uint8_t byte;
        size_t size = 0;
        heap.armed = false;
        (void)wolfSSL_accept(server);
        heap.armed = true;
        error = ops->receive(&stream, &byte, 1, &size);
        done = serin_tls_stream_ready(&stream);
    }
    heap.armed = false;
    ck_assert_msg(done || error != SERIN_OK, "it hangs with %lu allocations", allocations);
    ops->close(&stream);
    return done;
}

/* The connection fails, nothing else does, and nothing is left of it, but for one number where
 * Debian's library was signing: it was built without WOLFSSL_ECDSA_SET_K, which a board's has. */
START_TEST(test_a_heap_that_is_too_small_fails_the_connection_alone)
{
    teardown();
    ck_assert_int_eq(wolfSSL_SetAllocators(heap_take, heap_give, heap_resize), 0);
    setup();
    begin();
    ck_assert(connect_with(MANY));
    unsigned long needed = MANY - heap.left;
    ck_assert_uint_gt(needed, 100);
    for (unsigned long left = 0; left < needed; left += left < 100 ? 1 : 7) {
        server_session();
        int held = heap_held();
        ck_assert(!connect_with(left) || heap.failed); /* some failures a handshake gets over */
        server_session();
        ck_assert_int_le(heap_held(), held + 1);
    }
    server_session();
    ck_assert(connect_with(MANY));
}
END_TEST

START_TEST(test_a_certificate_with_another_key_is_refused)
{
    config.key = ders[STRANGER][1];
    begin();
    expect_refused();
}
END_TEST

START_TEST(test_credentials_that_are_none_are_named)
{
    static const uint8_t garbage[64] = {0x30, 62};
    const struct serin_tls_der none = {.data = garbage, .size = sizeof garbage};
    config.ca = none;
    ck_assert_int_eq(serin_tls_stream_init(&stream, &config), SERIN_ERR_FORMAT);
    config.ca = ders[CA][0];
    config.certificate = none;
    ck_assert_int_eq(serin_tls_stream_init(&stream, &config), SERIN_ERR_FORMAT);
    config.certificate = ders[DEVICE][0];
    config.key = none;
    ck_assert_int_eq(serin_tls_stream_init(&stream, &config), SERIN_ERR_KEY);
    ck_assert_ptr_null(stream.context);
}
END_TEST

int main(void)
{
    const int sizes = (int)(sizeof pieces / sizeof pieces[0]);
    Suite *suite = suite_create("tls_stream");
    TCase *tests = tcase_create("tls_stream");
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, once_setup, once_teardown);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_bytes_come_whole_in_pieces_of_any_size, 0, sizes);
    tcase_add_test(tests, test_nothing_is_taken_before_the_handshake_is_done);
    tcase_add_test(tests, test_what_finds_no_room_is_not_taken_and_not_lost);
    tcase_add_test(tests, test_no_record_is_larger_than_was_asked_for);
    tcase_add_test(tests, test_a_line_that_dies_anywhere_is_told_and_left);
    tcase_add_test(tests, test_the_end_comes_after_what_came_before);
    tcase_add_test(tests, test_a_changed_byte_ends_it);
    tcase_add_test(tests, test_a_server_of_another_ca_is_refused);
    tcase_add_test(tests, test_a_server_with_another_name_is_refused);
    tcase_add_test(tests, test_an_older_protocol_is_refused);
    tcase_add_test(tests, test_a_device_that_is_refused_learns_it);
    tcase_add_test(tests, test_an_alert_is_heard_though_nothing_is_taken_any_more);
    tcase_add_test(tests, test_a_heap_that_is_too_small_fails_the_connection_alone);
    tcase_add_test(tests, test_a_certificate_with_another_key_is_refused);
    tcase_add_test(tests, test_credentials_that_are_none_are_named);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

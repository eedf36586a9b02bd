/*
 * The shell of the plugin: the cores, their memory, and the adapters they work with.
 *
 *   plugin.c ──┬─ access.c ── who is here, who may do what; every message finds its answer
 *              ├─ serve.c ─── requests for blocks; from the depot, in the cloud
 *              ├─ site.c ──── the site role: parked requests, the gateway's depot/have
 *              │    └─ verify.c  bytes that were checked before they go out
 *              └─ shell.c ─── opening and closing; the guard's port to disk and depot
 *
 * plugin.c alone talks to the broker. Everything runs in the broker's one thread.
 */
#ifndef SERIN_BROKER_SHELL_H
#define SERIN_BROKER_SHELL_H

#include <serin/adapters/depot.h>
#include <serin/adapters/openssl.h>
#include <serin/adapters/records.h>
#include <serin/plugin/acl.h>
#include <serin/plugin/guard.h>
#include <serin/plugin/options.h>
#include <serin/plugin/payload.h>
#include <serin/plugin/supply.h>

/* Places for clients beside plugin_opt_clients_max, so that no number of devices keeps out who must
 * be able to halt them: in the cloud serind and gateways, at a site its one gateway. */
#define SHELL_GATEWAY_PLACES      256u
#define SHELL_SERIND_PLACES       16u
#define SHELL_SITE_GATEWAY_PLACES 1u

struct site; /* site.h */

struct shell {
    void *plugin_id; /* plugin.c's handle of itself at the broker */
    struct serin_plugin_options options;
    struct serin_payload_ports ports;
    struct serin_sessions sessions;
    struct serin_supply supply;
    struct serin_guard guard;
    struct serin_depot *depot;
    struct serin_records *records;
    struct site *site; /* NULL in the cloud role */
    /* The cores' memory. */
    struct serin_session *slots;
    uint32_t *heads;
    struct serin_guard_entry *entries;
    struct serin_guard_object *objects;
    /* One block on its way to its payload. */
    uint8_t block[SERIN_BLOCK_DATA_MAX];
    /* Lines in the log about what clients do wrong; they must not be able to fill the disk. */
    struct serin_bucket lines;
    uint64_t lines_dropped;
    bool told_remembered;
};

/* Opens the depot and the memory of orders. NULL: it cannot start, and a line in the log says why.
 */
struct shell *shell_open(const struct serin_plugin_options *options);
void shell_close(struct shell *shell); /* NULL is fine */

/* Publishes every remembered directive and trust record again, so that what a killed broker forgot
 * or brought back is mended before serind comes. From a callback of the broker, once. */
void shell_publish_remembered(struct shell *shell);

/* ---- access.c ---- */

/* A message on its way through the broker. Nothing of it is kept. */
struct shell_message {
    const char *topic;
    const void *payload;
    uint32_t payload_size;
    uint8_t qos;
    bool retain;
};

/* The broker's questions. A connection is the broker's handle of a client: compared, and passed to
 * the functions of plugin.c below. */
enum serin_acl_verdict shell_subscribe(struct shell *shell, const void *connection,
                                       const char *filter);
enum serin_acl_verdict shell_publish(struct shell *shell, const void *connection,
                                     const struct shell_message *message, uint64_t now_ms);
enum serin_acl_verdict shell_read(struct shell *shell, const void *connection,
                                  const struct shell_message *message);

/* A message that shell_publish let pass: requests for blocks are answered. */
void shell_heard(struct shell *shell, const void *connection, const struct shell_message *message,
                 uint64_t now_ms);

/* The end of a connection; `keep`: the broker goes on filling its queue. */
void shell_left(struct shell *shell, const void *connection, bool keep);

/* ---- serve.c ---- */

/* Answers a request for blocks by a client that may make it. */
void shell_serve(struct shell *shell, uint32_t session, const struct serin_topic *topic,
                 const struct serin_get *get, uint64_t now_ms);

/* The session's connection is gone: nothing is in flight to it, and nothing waits for it. */
void shell_release(struct shell *shell, uint32_t session);

/* Now and then, several times a second. */
void shell_tick(struct shell *shell, uint64_t now_ms);

/* ---- provided by plugin.c ---- */

/* A connection's client id; NULL: it has none. */
const char *shell_client_id(const void *connection);
/* Who a connection is, by its certificate. SERIN_ERR_NOT_FOUND: it has none (a listener without
 * TLS, or a client that is gone). SERIN_ERR_STATE: its client id is not the certificate's CN.
 * SERIN_ERR_FORMAT, SERIN_ERR_DENIED: the certificate names no id, or no role. */
enum serin_error shell_identify(const void *connection,
                                struct serin_certificate_identity *identity);

enum shell_level { SHELL_INFO, SHELL_WARNING, SHELL_ERROR };

/* One line in the broker's log. */
void shell_log(enum shell_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for what a client causes: at most SHELL_LINES_PER_S, and the rest is counted. */
#define SHELL_LINES_PER_S 20u
#define SHELL_LINES_BURST 200u
void shell_log_client(struct shell *shell, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Memory for a payload, counted by the broker: its memory_limit would otherwise drift. NULL: none.
 */
uint8_t *shell_payload_new(size_t size);
void shell_payload_free(uint8_t *payload);

/* Publishes a retained message with QoS 1 to all. */
void shell_retain(const char *topic, const uint8_t *payload, size_t size);

/* Sends a payload (of shell_payload_new, taken over in any case) to one client. */
void shell_send(const char *id, const char *topic, uint8_t *payload, size_t size);

#endif

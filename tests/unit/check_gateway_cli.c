/*
 * serin-gateway as a program, between two real brokers: its command line, its configuration check,
 * one at a time, its status, and orders that go down whatever dies.
 */
#include "broker.h"
#include "check_main.h"
#include "program.h"
#include "test_keys.h"

#include <serin/adapters/json.h>
#include <serin/adapters/mqtt.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/adapters/x509.h>
#include <serin/host/bundle.h>
#include <serin/topic.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LAMP    "serin/1/directive/lamp/stable"
#define TRUST   "serin/1/trust/lamp"
#define WAIT_MS 15000

static char folder[64];
static struct broker cloud, site;
static pid_t gateway; /* 0: none runs */

/* ---- the bench ---- */

static void pause_ms(long ms)
{
    const struct timespec moment = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&moment, NULL);
}

static void config_write(const char *name, const char *more)
{
    char path[128];
    char text[2048];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)snprintf(
        text, sizeof text,
        "gateway: gw-1\nfleets: [{product: lamp, channel: stable}]\n"
        "root_key: root.pub\ndata: data\ncontrol_socket: control\n"
        "depot: {path: depot, budget: 8MiB}\n"
        "uplink: {uri: 'tcp://127.0.0.1:%u', reconnect_min: 50ms, reconnect_max: 200ms}\n"
        "site: {uri: 'tcp://127.0.0.1:%u', reconnect_min: 50ms, reconnect_max: 200ms}\n"
        "relay: {status: 1s}\n%s",
        cloud.port, site.port, more);
    file_write(path, text, strlen(text));
}

/* Replaces the first `from` of gateway.yaml. */
static void config_change(const char *from, const char *to)
{
    char path[128];
    char text[4096];
    char changed[4096];
    (void)snprintf(path, sizeof path, "%s/gateway.yaml", folder);
    text[file_read(path, text, sizeof text - 1)] = '\0';
    const char *at = strstr(text, from);
    ck_assert_ptr_nonnull(at);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                   at + strlen(from));
    file_write(path, changed, strlen(changed));
}

/* Of one CA: the gateway's, another gateway's, and one that is no gateway's. */
static void certificates_make(void)
{
    static const struct {
        const char *id, *unit, *name;
    } made[] = {{"gw-1", "gateway", "gw-1"}, {"gw-2", "gateway", "gw-2"}, {"gw-1", NULL, "node"}};
    char paths[4][128];
    (void)snprintf(paths[0], sizeof paths[0], "%s/ca.pem", folder);
    (void)snprintf(paths[1], sizeof paths[1], "%s/ca.key", folder);
    const struct serin_x509_files ca = {paths[0], paths[1]};
    ck_assert_int_eq(serin_x509_make_ca(&ca, "test CA", 1, NULL), SERIN_OK);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        const struct serin_x509_subject subject = {
            .common_name = made[i].id, .organisational_unit = made[i].unit, .days = 1};
        const struct serin_x509_files files = {paths[2], paths[3]};
        (void)snprintf(paths[2], sizeof paths[2], "%s/%s.pem", folder, made[i].name);
        (void)snprintf(paths[3], sizeof paths[3], "%s/%s.key", folder, made[i].name);
        ck_assert_int_eq(serin_x509_issue(&ca, &subject, &files, NULL), SERIN_OK);
    }
}

static void setup(void)
{
    char path[128];
    char pem[SERIN_KEY_PEM_MAX];
    folder_make(folder);
    cloud = site = (struct broker){0};
    broker_folder(&cloud);
    broker_folder(&site);
    cloud.port = free_port();
    do { /* one that was free may be given twice */
        site.port = free_port();
    } while (site.port == cloud.port);
    (void)snprintf(path, sizeof path, "%s/root.pub", folder);
    ck_assert_int_eq(serin_key_public_pem(test_keys[TEST_ROOT].public_key, pem), SERIN_OK);
    file_write(path, pem, strlen(pem));
    config_write("gateway.yaml", "");
}

static void gateway_end(int signal, int expected)
{
    int status = 0;
    if (gateway > 0) {
        ck_assert_int_eq(kill(gateway, signal), 0);
        ck_assert_int_eq(waitpid(gateway, &status, 0), gateway);
        gateway = 0;
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        ck_assert_int_eq(code, expected);
    }
}

static void teardown(void)
{
    gateway_end(SIGKILL, 128 + SIGKILL);
    broker_end(&cloud);
    broker_end(&site);
    folder_remove(folder);
}

/* Runs the program to its end in the folder. */
static const struct program_result *run(const char *const *arguments)
{
    const char *argv[PROGRAM_ARGS_MAX] = {GATEWAY};
    for (size_t i = 0; arguments[i] != NULL; i++) {
        argv[i + 1] = arguments[i];
    }
    return program_run(folder, NULL, argv);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

/* Starts the gateway and waits until it answers. */
static void gateway_start(const char *fault)
{
    gateway = fork();
    ck_assert_int_ge(gateway, 0);
    if (gateway == 0) {
        char log[128];
        (void)snprintf(log, sizeof log, "%s/log", folder);
        int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)dup2(file, STDERR_FILENO);
        if (fault != NULL) {
            (void)setenv("SERIN_FAULT", fault, 1);
        }
        if (chdir(folder) == 0) {
            execl(GATEWAY, GATEWAY, "run", "--config", "gateway.yaml", (char *)NULL);
        }
        _exit(127);
    }
    for (int i = 0; fault == NULL && i < WAIT_MS / 50; i++) {
        if (RUN("status", "--socket", "control")->status == 0) {
            return;
        }
        pause_ms(50);
    }
    ck_assert_msg(fault != NULL, "the gateway does not answer; its log is in %s", folder);
}

/* The status as JSON, once `key` of it is true. */
static struct serin_json *status_when(const char *key)
{
    for (int i = 0; i < WAIT_MS / 50; i++) {
        const struct program_result *result = RUN("status", "--config", "gateway.yaml", "--json");
        struct serin_json *json = NULL;
        char why[128];
        bool truth = false;
        ck_assert_int_eq(result->status, 0);
        ck_assert_int_eq(serin_json_parse(result->out, strlen(result->out), &json, why, sizeof why),
                         SERIN_OK);
        if (serin_json_as_bool(serin_json_get(json, key), &truth) && truth) {
            return json;
        }
        serin_json_free(json);
        pause_ms(50);
    }
    ck_abort_msg("'%s' stays false", key);
    return NULL;
}

/* ---- the other ends ---- */

static struct serin_mqtt *client(const struct broker *broker, const char *filter)
{
    static char uri[64];
    (void)snprintf(uri, sizeof uri, "tcp://127.0.0.1:%u", broker->port);
    const struct serin_mqtt_config config = {
        .uri = uri,
        .client_id = broker == &cloud ? "serind" : "d-1",
        .keep_alive_s = 30,
        .reconnect_min_ms = 20,
        .reconnect_max_ms = 100,
        .clean_session = true,
        .queue_max = 1024,
    };
    struct serin_mqtt *mqtt = NULL;
    ck_assert_int_eq(serin_mqtt_open(&mqtt, &config), SERIN_OK);
    if (filter != NULL) {
        ck_assert_int_eq(serin_mqtt_subscribe(mqtt, filter, 1), SERIN_OK);
    }
    ck_assert_int_eq(serin_mqtt_start(mqtt), SERIN_OK);
    return mqtt;
}

/* Waits for an event of a kind, and of a topic where that is not NULL; skips others. */
static struct serin_mqtt_event expect(struct serin_mqtt *mqtt, enum serin_mqtt_event_kind kind,
                                      const char *topic)
{
    struct serin_mqtt_event event;
    for (int waited = 0; waited < WAIT_MS; waited += 100) {
        struct pollfd file = {.fd = serin_mqtt_fd(mqtt), .events = POLLIN};
        (void)poll(&file, 1, 100);
        while (serin_mqtt_next(mqtt, &event)) {
            if (event.kind == kind && (topic == NULL || strcmp(event.topic, topic) == 0)) {
                return event;
            }
            serin_mqtt_event_free(&event);
        }
    }
    ck_abort_msg("nothing came on %s", topic != NULL ? topic : "the connection");
    return event;
}

static void publish_retained(const char *topic, const void *payload, size_t size)
{
    struct serin_mqtt *mqtt = client(&cloud, NULL);
    int token = 0;
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_CONNECTED, NULL);
    serin_mqtt_event_free(&event);
    ck_assert_int_eq(serin_mqtt_publish(mqtt, topic, payload, size, 1, true, &token), SERIN_OK);
    event = expect(mqtt, SERIN_MQTT_DELIVERED, NULL);
    serin_mqtt_event_free(&event);
    serin_mqtt_close(mqtt);
}

static uint8_t trust_payload[SERIN_TRUST_PAYLOAD_MAX];
static uint8_t directive_payload[SERIN_DIRECTIVE_MAX];
static size_t trust_size, directive_size;

/* What serind would have retained at the cloud's broker. */
static void cloud_fill(uint32_t sequence)
{
    struct serin_trust trust;
    uint8_t record[SERIN_TRUST_SIZE_P256];
    const struct serin_trust_payload outer = {.record = record, .record_size = sizeof record};
    test_trust(&trust, "lamp");
    ck_assert_int_eq(
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record),
        SERIN_OK);
    ck_assert_int_eq(serin_protobufc()->encode_trust_payload(&outer, trust_payload,
                                                             sizeof trust_payload, &trust_size),
                     SERIN_OK);
    const struct serin_directive directive = {
        .product = "lamp",
        .channel = "stable",
        .order = {1, sequence},
        .issued_s = 1767225600,
        .lease_s = 21600,
        .candidate_state = SERIN_CANDIDATE_NONE,
    };
    ck_assert_int_eq(serin_directive_seal(serin_wolfcrypt(), serin_protobufc(),
                                          &test_keys[TEST_DIRECTOR].signer, &directive,
                                          directive_payload, &directive_size, NULL),
                     SERIN_OK);
    publish_retained(TRUST, trust_payload, trust_size);
    publish_retained(LAMP, directive_payload, directive_size);
}

/* The site's broker shows a payload, byte for byte and retained, to whoever comes. */
static void expect_at_site(const char *topic, const void *payload, size_t size)
{
    struct serin_mqtt *mqtt = client(&site, topic);
    struct serin_mqtt_event event = {0};
    do {
        serin_mqtt_event_free(&event);
        event = expect(mqtt, SERIN_MQTT_MESSAGE, topic);
    } while (event.payload_size != size || memcmp(event.payload, payload, size) != 0);
    serin_mqtt_event_free(&event);
    serin_mqtt_close(mqtt);
}

/* ---- the command line ---- */

static const struct {
    const char *arguments[6];
    int status;
    const char *says; /* on standard error, or on standard output where the status is 0 */
} lines[] = {
    {{"--help"}, 0, "serin-gateway status --config FILE | --socket PATH"},
    {{"run", "--help"}, 0, "Exit status"},
    {{"--version"}, 0, "serin-gateway 0"},
    {{"--version", "extra"}, 2, "'extra' is one argument too many"},
    {{"help"}, 0, "serin-gateway status --config FILE | --socket PATH"},
    {{"--help", "run"}, 2, "'run' is one argument too many"},
    {{NULL}, 2, "a command is missing"},
    {{"start"}, 2, "there is no command 'start'"},
    {{"run"}, 2, "run needs --config FILE"},
    {{"check"}, 2, "check needs --config FILE"},
    {{"status"}, 2, "either --config or --socket is needed"},
    {{"status", "--config", "gateway.yaml", "--socket", "x"}, 2, "either --config or --socket"},
    {{"run", "--config"}, 2, "requires an argument"},
    {{"run", "--config", "gateway.yaml", "--json"}, 2, "run does not know one of the options"},
    {{"check", "--config", "gateway.yaml", "--nodes"}, 2, "check does not know"},
    {{"run", "--quick"}, 2, "--quick"},
    {{"run", "--config", "gateway.yaml", "twice"}, 2, "'twice' is one argument too many"},
    {{"run", "--config", "gateway.yaml", "--log-level", "loud"}, 2, "--log-level takes debug"},
    {{"run", "--config", "none.yaml"}, 3, "none.yaml: No such file"},
    {{"check", "--config", "none.yaml"}, 3, "none.yaml: No such file"},
    {{"status", "--config", "none.yaml"}, 3, "none.yaml: No such file"},
    {{"check", "--config", "gateway.yaml"}, 0, "gateway.yaml: good"},
    {{"status", "--config", "gateway.yaml"}, 4, "no gateway answers at control"},
    {{"status", "--socket", "elsewhere"}, 4, "no gateway answers at elsewhere"},
};

START_TEST(each_line_has_its_status)
{
    const struct program_result *result = run(lines[_i].arguments);
    ck_assert_msg(result->status == lines[_i].status, "status %d: %s", result->status, result->err);
    const char *text = lines[_i].status == 0 ? result->out : result->err;
    ck_assert_msg(strstr(text, lines[_i].says) != NULL, "it says: %s", text);
    ck_assert_str_eq(lines[_i].status == 0 ? result->err : result->out, "");
}
END_TEST

/* A configuration whose files are wrong: run refuses it as check does, before anything is opened.
 */
#define TLS(certificate, key) \
    "uri: 'tcp:", "ca: ca.pem, certificate: " certificate ", key: " key ", uri: 'ssl:"

static const struct {
    const char *file, *content; /* written over before; NULL: none */
    const char *from, *to;      /* replaced in gateway.yaml */
    const char *says;
} wrong[] = {
    {"root.pub", "no key", NULL, NULL, "gateway.yaml:3: 'root_key' cannot be used"},
    {NULL, NULL, "root.pub", "gone.pub", "gateway.yaml:3: 'root_key' cannot be used"},
    {NULL, NULL, "data: data", "data: data\ntrust: gone.bin",
     "gateway.yaml:5: 'trust' cannot be read: gone.bin"},
    {"t.bin", "no record", "data: data", "data: data\ntrust: t.bin",
     "'trust' is no trust record of root_key: t.bin"},
    {NULL, NULL, "tcp://127.0.0.1:", "tcp://127.0.0.1/",
     "gateway.yaml:7: 'uplink.uri' has no HOST:PORT"},
    {NULL, NULL, "tcp://127.0.0.1:", "tcp://127.0.0.1:0", NULL},
    {NULL, NULL, "uri: 'tcp:", "ca: gone.pem, certificate: b, key: c, uri: 'ssl:",
     "'uplink.ca' cannot be used: gone.pem: No such file"},
    {"a.pem", "-----BEGIN CERTIFICATE-----",
     "uri: 'tcp:", "ca: a.pem, certificate: b, key: c, uri: 'ssl:",
     "'uplink.ca' cannot be used: a.pem: no certificate"},
    {NULL, NULL, TLS("root.pub", "gw-1.key"), "'uplink.certificate' cannot be used: root.pub: no"},
    {NULL, NULL, TLS("gw-1.pem", "root.pub"), "'uplink.key' cannot be used: root.pub: no private"},
    {NULL, NULL, TLS("gw-1.pem", "gw-2.key"), "gw-2.key is not the key of gw-1.pem"},
    {NULL, NULL, TLS("gw-2.pem", "gw-2.key"),
     "gateway.yaml:7: 'uplink.certificate' must have the gateway's id as CN, 'gw-1': gw-2.pem"},
    {NULL, NULL, TLS("node.pem", "node.key"),
     "gateway.yaml:7: 'uplink.certificate' must have the OU 'gateway': node.pem has ''"},
    {NULL, NULL, TLS("gw-1.pem", "gw-1.key"), NULL},
    {NULL, NULL, "data: data", "data: none/data",
     "gateway.yaml:4: 'data' cannot be made or written: none: No such file"},
    {NULL, NULL, "data: data", "data: root.pub", "'data' is no folder: root.pub"},
    {NULL, NULL, "path: depot", "path: none/depot",
     "gateway.yaml:6: 'depot.path' cannot be made or written: none"},
    {NULL, NULL, "budget: 8MiB", "budget: 8MB", "gateway.yaml:6: 'depot.budget' must be a size"},
};

START_TEST(a_wrong_file_is_named)
{
    char path[128];
    certificates_make();
    if (wrong[_i].from != NULL) {
        config_change(wrong[_i].from, wrong[_i].to);
    }
    if (wrong[_i].file != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, wrong[_i].file);
        file_write(path, wrong[_i].content, strlen(wrong[_i].content));
    }
    bool good = wrong[_i].says == NULL; /* as a port with a leading zero */
    for (int i = 0; i < 2 && !(good && i == 1); i++) {
        const struct program_result *result =
            RUN(i == 0 ? "check" : "run", "--config", "gateway.yaml");
        ck_assert_int_eq(result->status, good ? 0 : 3);
        ck_assert_msg(good || strstr(result->err, wrong[_i].says) != NULL, "%s", result->err);
    }
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/data", folder);
    ck_assert_int_ne(stat(path, &info), 0);
}
END_TEST

/* ---- running ---- */

START_TEST(one_runs_at_a_time_and_ends_in_order)
{
    struct stat info;
    char path[128];
    gateway_start(NULL); /* without any broker */
    const struct program_result *result = RUN("run", "--config", "gateway.yaml");
    ck_assert_int_eq(result->status, 4);
    ck_assert_ptr_nonnull(strstr(result->err, "another gateway"));
    result = RUN("status", "--config", "gateway.yaml", "--nodes");
    ck_assert_int_eq(result->status, 0);
    ck_assert_ptr_nonnull(strstr(result->out, "uplink     AWAY"));
    ck_assert_ptr_nonnull(strstr(result->out, "site       AWAY"));
    ck_assert_ptr_nonnull(strstr(result->out, "lamp/stable"));
    ck_assert_ptr_nonnull(strstr(result->out, "NODE"));
    ck_assert_int_eq(kill(gateway, SIGHUP), 0);
    pause_ms(100);
    ck_assert_int_eq(RUN("status", "--socket", "control")->status, 0); /* SIGHUP ends nothing */
    gateway_end(SIGTERM, 0);
    (void)snprintf(path, sizeof path, "%s/control", folder);
    ck_assert_int_ne(stat(path, &info), 0);
    gateway_start(NULL);
    gateway_end(SIGINT, 0);
}
END_TEST

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Waits until the log holds `words`. */
static void log_wait(const char *words)
{
    char path[128];
    static char text[65536];
    (void)snprintf(path, sizeof path, "%s/log", folder);
    for (int i = 0; i < WAIT_MS / 50; i++) {
        text[file_read(path, text, sizeof text - 1)] = '\0';
        if (strstr(text, words) != NULL) {
            return;
        }
        pause_ms(50);
    }
    ck_abort_msg("the log does not say '%s': %s", words, text);
}

/* `status`, asked by nobody in particular; what it says is in the file `said`. */
static void ask_as_nobody(const char *said)
{
    static char socket[128];
    char *argv[] = {"serin-gateway", "status", "--socket", socket, NULL};
    char *environment[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
    (void)snprintf(socket, sizeof socket, "%s/control", folder);
    int program = open(GATEWAY, O_RDONLY | O_CLOEXEC); /* its folder may be closed to others */
    int file = open(said, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (dup2(file, STDERR_FILENO) == STDERR_FILENO && setgid(65534) == 0 && setuid(65534) == 0) {
        (void)fexecve(program, argv, environment);
    }
    _exit(127);
}

/* It is not said to be down, nor that it should be started. */
START_TEST(who_may_not_ask_is_told_so)
{
    char said[128];
    char text[1024];
    int status = 0;
    if (geteuid() != 0) {
        (void)printf("left out: not root\n");
        return;
    }
    gateway_start(NULL);
    ck_assert_int_eq(chmod(folder, 0755), 0); /* so that it is the socket that refuses */
    (void)snprintf(said, sizeof said, "%s/said", folder);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        ask_as_nobody(said);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    text[file_read(said, text, sizeof text - 1)] = '\0';
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 4, "%x: %s", status, text);
    ck_assert_msg(strstr(text, "permission denied; ask as the gateway's user") != NULL, "%s", text);
}
END_TEST

/* At the log level as delivered, and once however often it is tried. */
START_TEST(a_broker_that_was_never_there_is_told)
{
    char path[128];
    static char text[65536];
    gateway_start(NULL);
    log_wait("WARN not connected broker=uplink: ");
    log_wait("WARN not connected broker=site: ");
    pause_ms(1200); /* several attempts, of 200 ms at most */
    (void)snprintf(path, sizeof path, "%s/log", folder);
    text[file_read(path, text, sizeof text - 1)] = '\0';
    ck_assert_uint_eq(count_of(text, "not connected broker=uplink"), 1);
    const struct program_result *result = RUN("status", "--config", "gateway.yaml");
    const char *site_row = strstr(result->out, "site       AWAY         for ");
    ck_assert_msg(site_row != NULL, "%s", result->out);
    ck_assert_ptr_nonnull(strstr(result->out, "                        for "));
    result = RUN("status", "--config", "gateway.yaml", "--json");
    ck_assert_uint_eq(count_of(result->out, "_why\":\""), 2);
    ck_assert_uint_eq(count_of(result->out, "_away_s\":"), 2);
    ck_assert_uint_eq(count_of(result->out, "_away_s\":0"), 0);
    broker_start(&site, false, NULL);
    struct serin_json *json = status_when("site_connected");
    ck_assert(serin_json_as_text(serin_json_get(json, "site_why")) == NULL);
    serin_json_free(json);
}
END_TEST

START_TEST(another_socket_does_not_help_a_second_one)
{
    gateway_start(NULL);
    char path[128];
    char text[4096];
    (void)snprintf(path, sizeof path, "%s/gateway.yaml", folder);
    text[file_read(path, text, sizeof text - 1)] = '\0';
    memcpy(strstr(text, "control_socket: control"), "control_socket: another", 23);
    (void)snprintf(path, sizeof path, "%s/second.yaml", folder);
    file_write(path, text, strlen(text));
    const struct program_result *result = RUN("run", "--config", "second.yaml");
    ck_assert_int_eq(result->status, 4);
    ck_assert_ptr_nonnull(strstr(result->err, "data: another gateway has the store"));
}
END_TEST

START_TEST(orders_go_down_and_status_goes_up)
{
    broker_start(&cloud, false, NULL);
    broker_start(&site, false, NULL);
    cloud_fill(7);
    struct serin_mqtt *serind = client(&cloud, "serin/1/gw/gw-1/status");
    gateway_start(NULL);
    expect_at_site(TRUST, trust_payload, trust_size);
    expect_at_site(LAMP, directive_payload, directive_size);
    struct serin_gw_status status = {0};
    for (int i = 0; i < 5 && status.fleets[0].order.sequence != 7; i++) {
        struct serin_mqtt_event event = expect(serind, SERIN_MQTT_MESSAGE, NULL);
        ck_assert_int_eq(
            serin_protobufc_site()->decode_gw_status(event.payload, event.payload_size, &status),
            SERIN_OK);
        serin_mqtt_event_free(&event);
    }
    ck_assert_uint_eq(status.fleets[0].order.sequence, 7);
    ck_assert_str_eq(status.gateway, "gw-1");
    ck_assert_str_eq(status.fleets[0].product, "lamp");
    ck_assert_uint_ne(status.incarnation, 0);
    ck_assert_uint_ge(status.uplink_got, trust_size + directive_size);
    serin_mqtt_close(serind);

    struct serin_json *json = status_when("uplink_connected");
    const struct serin_json *fleet = serin_json_at(serin_json_get(json, "fleets"), 0);
    uint64_t sequence = 0;
    ck_assert(serin_json_as_number(serin_json_get(serin_json_get(fleet, "order"), "sequence"),
                                   &sequence));
    ck_assert_uint_eq(sequence, 7);
    serin_json_free(json);
    const struct program_result *result = RUN("status", "--config", "gateway.yaml");
    ck_assert_ptr_nonnull(strstr(result->out, "1.7"));
    ck_assert_ptr_nonnull(strstr(result->out, "connected"));
}
END_TEST

/* What the site's broker may say: `count` nodes that are online. */
static void nodes_come(unsigned count)
{
    const struct serin_presence presence = {.online = true, .time_s = 1767225600};
    uint8_t payload[SERIN_PRESENCE_MAX];
    size_t size = 0;
    struct serin_mqtt *mqtt = client(&site, NULL);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_CONNECTED, NULL);
    serin_mqtt_event_free(&event);
    ck_assert_int_eq(serin_protobufc()->encode_presence(&presence, payload, sizeof payload, &size),
                     SERIN_OK);
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        char topic[SERIN_TOPIC_MAX];
        int token = 0;
        (void)snprintf(id, sizeof id, "node-%u", i);
        serin_topic_device(SERIN_TOPIC_PRESENCE, id, topic);
        ck_assert_int_eq(serin_mqtt_publish(mqtt, topic, payload, size, 1, true, &token), SERIN_OK);
        event = expect(mqtt, SERIN_MQTT_DELIVERED, NULL);
        serin_mqtt_event_free(&event);
    }
    serin_mqtt_close(mqtt);
}

/* More than a page of them. */
START_TEST(nodes_are_listed_page_by_page)
{
    broker_start(&site, false, NULL);
    gateway_start(NULL);
    nodes_come(320);
    unsigned seen = 0;
    for (int i = 0; i < WAIT_MS / 50 && seen != 320; i++) {
        pause_ms(50);
        seen = count_of(RUN("status", "--config", "gateway.yaml", "--nodes")->out, " online ");
        seen -= seen > 0 ? 1 : 0; /* the line that counts them */
    }
    ck_assert_uint_eq(seen, 320);
    const struct program_result *result =
        RUN("status", "--config", "gateway.yaml", "--nodes", "--json");
    ck_assert_uint_eq(count_of(result->out, "\"node\":"), 320);
    ck_assert_uint_eq(count_of(result->out, "\"node\":\"node-319\""), 1);
    ck_assert_uint_eq(count_of(result->out, "\"next\":"), 2);
    ck_assert_uint_eq(count_of(result->out, "\n"), 4);
}
END_TEST

/* Something stands where a file of the gateway's should be: it is named, and what was opened before
 * is closed again. */
static const struct {
    const char *file; /* made as a plain file before; NULL: none */
    const char *from, *to;
    const char *says;
} obstacles[] = {
    {"control", NULL, NULL, "control_socket: something that is no socket stands at control"},
    {NULL, "control_socket: control", "control_socket: none/control",
     "control_socket: none/control cannot be made"},
    {"depot", NULL, NULL, "depot"},
};

START_TEST(what_stands_in_the_way_is_named)
{
    char path[128];
    if (obstacles[_i].file != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, obstacles[_i].file);
        file_write(path, "x", 1);
    } else {
        config_change(obstacles[_i].from, obstacles[_i].to);
    }
    const struct program_result *result = RUN("run", "--config", "gateway.yaml");
    ck_assert_msg(result->status == 3, "status %d: %s", result->status, result->err);
    ck_assert_msg(strstr(result->err, obstacles[_i].says) != NULL, "%s", result->err);
}
END_TEST

/* The site's broker forgets, the uplink is away, the gateway was killed: its nodes are told anyway.
 */
START_TEST(a_killed_gateway_tells_its_site_without_the_uplink)
{
    broker_start(&cloud, false, NULL);
    broker_start(&site, false, NULL);
    cloud_fill(3);
    gateway_start(NULL);
    expect_at_site(LAMP, directive_payload, directive_size);
    gateway_end(SIGKILL, 128 + SIGKILL);
    broker_kill(&cloud);
    broker_kill(&site);
    broker_start(&site, false, NULL);
    gateway_start(NULL); /* the socket of the killed one is in its way */
    expect_at_site(TRUST, trust_payload, trust_size);
    expect_at_site(LAMP, directive_payload, directive_size);
    broker_kill(&site);
    broker_start(&site, false, NULL); /* and again, while it runs */
    expect_at_site(LAMP, directive_payload, directive_size);
}
END_TEST

#ifdef SERIN_FAULT_POINTS
static const char *const faults[] = {
    "gateway.started:1",         "gateway.order.before_persist:1",
    "gateway.order.persisted:1", "gateway.order.before_persist:2",
    "gateway.order.persisted:2",
};

START_TEST(a_kill_at_any_point_is_made_good)
{
    int status = 0;
    broker_start(&cloud, false, NULL);
    broker_start(&site, false, NULL);
    cloud_fill(5);
    gateway_start(faults[_i]);
    ck_assert_int_eq(waitpid(gateway, &status, 0), gateway);
    gateway = 0;
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it did not die of %s",
                  faults[_i]);
    gateway_start(NULL);
    expect_at_site(TRUST, trust_payload, trust_size);
    expect_at_site(LAMP, directive_payload, directive_size);
    gateway_end(SIGTERM, 0);
}
END_TEST
#endif

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    test_keys_open();
    Suite *suite = suite_create("gateway_cli");
    TCase *tests = tcase_create("gateway_cli");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, each_line_has_its_status, 0, COUNT_OF(lines));
    tcase_add_loop_test(tests, a_wrong_file_is_named, 0, COUNT_OF(wrong));
    tcase_add_test(tests, one_runs_at_a_time_and_ends_in_order);
    tcase_add_test(tests, who_may_not_ask_is_told_so);
    tcase_add_test(tests, a_broker_that_was_never_there_is_told);
    tcase_add_test(tests, another_socket_does_not_help_a_second_one);
    tcase_add_test(tests, orders_go_down_and_status_goes_up);
    tcase_add_test(tests, nodes_are_listed_page_by_page);
    tcase_add_loop_test(tests, what_stands_in_the_way_is_named, 0, COUNT_OF(obstacles));
    tcase_add_test(tests, a_killed_gateway_tells_its_site_without_the_uplink);
#ifdef SERIN_FAULT_POINTS
    tcase_add_loop_test(tests, a_kill_at_any_point_is_made_good, 0, COUNT_OF(faults));
#endif
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

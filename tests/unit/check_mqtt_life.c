/*
 * The life of the MQTT adapter's connection, against a real Mosquitto: lost brokers, restarts,
 * wills, closing in every state, and TLS.
 */
#include "mqtt_bench.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(reconnects_after_the_broker_died)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, "a/#");
    expect_connected(mqtt);
    for (int round = 0; round < 2; round++) {
        broker_kill(&broker);
        struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
        ck_assert_str_ne(event.why, "");
        ck_assert(!serin_mqtt_connected(mqtt));
        ck_assert_int_eq(serin_mqtt_publish(mqtt, "a/b", "x", 1, 1, false, NULL), SERIN_ERR_AGAIN);
        /* Attempts on a dead broker fail, say so, and do not end. */
        event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
        broker_start(&broker, false, NULL);
        expect_connected(mqtt);
        /* The subscription stands again. */
        publish(mqtt, "a/b", "again", 0, false);
        event = expect(mqtt, SERIN_MQTT_MESSAGE);
        serin_mqtt_event_free(&event);
    }
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(restart_makes_a_new_connection)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, "a/#");
    serin_mqtt_restart(mqtt); /* before the first connection stands */
    expect_connected(mqtt);
    publish(mqtt, "a/kept", "kept", 1, true);
    pause_ms(1500);
    /* The echo and the acknowledgement of the old connection are gone; the retained message comes
     * anew. */
    serin_mqtt_restart(mqtt);
    expect_connected(mqtt);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
    ck_assert(event.retained);
    serin_mqtt_event_free(&event);
    ck_assert(!wait_event(mqtt, &event, 300));
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(tells_why_the_broker_refuses)
{
    broker_start(&broker, false, "allow_anonymous false");
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
    ck_assert_str_eq(event.why, "the broker does not authorise this client");
    serin_mqtt_close(mqtt);
}
END_TEST

/* A process with a will that is killed: the broker publishes it. One that closes: it does not. */
START_TEST(will_speaks_for_the_dead_only)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("mortal");
    config.will_topic = "will/mortal";
    config.will_payload = (const uint8_t *)"gone";
    config.will_size = 4;
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct serin_mqtt *mqtt = open_client(&config, NULL);
        expect_connected(mqtt);
        (void)!write(ready[1], "!", 1);
        pause();
    }
    char byte;
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    struct serin_mqtt_config reader_config = plain_config("reader");
    struct serin_mqtt *reader = open_client(&reader_config, "will/#");
    expect_connected(reader);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    struct serin_mqtt_event event = expect(reader, SERIN_MQTT_MESSAGE);
    ck_assert_mem_eq(event.payload, "gone", 4);
    serin_mqtt_event_free(&event);
    /* It is retained: who comes later hears it too. */
    reader_config = plain_config("late");
    struct serin_mqtt *late = open_client(&reader_config, "will/#");
    expect_connected(late);
    event = expect(late, SERIN_MQTT_MESSAGE);
    ck_assert(event.retained);
    serin_mqtt_event_free(&event);
    serin_mqtt_close(late);

    struct serin_mqtt *tidy = open_client(&config, NULL);
    expect_connected(tidy);
    serin_mqtt_close(tidy);
    ck_assert(!wait_event(reader, &event, 500));
    serin_mqtt_close(reader);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

START_TEST(closes_in_every_state)
{
    struct serin_mqtt *mqtt = NULL;
    struct serin_mqtt_event event;

    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    serin_mqtt_close(NULL);
    ck_assert_int_eq(serin_mqtt_open(&mqtt, &config), SERIN_OK);
    serin_mqtt_restart(mqtt); /* means nothing yet */
    ck_assert(!serin_mqtt_next(mqtt, &event));
    serin_mqtt_close(mqtt);                        /* idle */
    serin_mqtt_close(open_client(&config, "a/#")); /* waiting */
    for (int delay_ms = 0; delay_ms <= 1500; delay_ms += 150) {
        mqtt = open_client(&config, "a/#"); /* connecting, subscribing, up */
        while (serin_mqtt_next(mqtt, &event)) {
        }
        pause_ms(delay_ms);
        serin_mqtt_close(mqtt);
    }
    mqtt = open_client(&config, "a/#");
    expect_connected(mqtt);
    ck_assert_int_eq(serin_mqtt_start(mqtt), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_mqtt_subscribe(mqtt, "b", 1), SERIN_ERR_STATE);
    for (int i = 0; i < 50; i++) {
        publish(mqtt, "a/b", "in flight", 1, false);
    }
    serin_mqtt_close(mqtt); /* up, with publishes in flight and events in the queue */

    uint16_t port = 0;
    char uri[64];
    int hole = black_hole(&port);
    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%u", port);
    config.uri = uri;
    mqtt = open_client(&config, NULL);
    ck_assert(!wait_event(mqtt, &event, 1500));
    serin_mqtt_close(mqtt); /* connected, but never accepted */
    close(hole);
}
END_TEST

/* How many threads this process has. */
static unsigned threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;

    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    closedir(tasks);
    return count;
}

START_TEST(the_last_client_leaves_no_thread)
{
    broker_start(&broker, false, NULL);
    /* A client that lived and died first: a sanitizer adds a thread of its own to the first that a
     * program starts, and keeps it. */
    struct serin_mqtt_config config = plain_config("first");
    struct serin_mqtt *first = open_client(&config, NULL);
    expect_connected(first);
    serin_mqtt_close(first);
    unsigned before = threads();
    config = plain_config("one");
    struct serin_mqtt *one = open_client(&config, NULL);
    config = plain_config("two");
    struct serin_mqtt *two = open_client(&config, NULL);
    expect_connected(one);
    expect_connected(two);
    ck_assert_uint_gt(threads(), before);
    serin_mqtt_close(one);
    ck_assert_uint_gt(threads(), before);
    publish(two, "a", "still here", 1, false);
    expect(two, SERIN_MQTT_DELIVERED);
    serin_mqtt_close(two);
    ck_assert_uint_eq(threads(), before);
}
END_TEST

/* ---- TLS ---- */

/* A certificate for `name` with its key, signed by `ca` (or by itself, where NULL), in the folder.
 */
static void make_certificate(const char *name, const char *ca, const char *extension)
{
    char command[1024];
    char signer[128] = "";

    if (ca != NULL) {
        snprintf(signer, sizeof(signer), "-CA %s.pem -CAkey %s.key", ca, ca);
    }
    snprintf(command, sizeof(command),
             "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
             "-days 2 -subj '/CN=%s' %s -addext '%s' -keyout %s.key -out %s.pem 2>/dev/null",
             broker.folder, name, signer, extension, name, name);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

struct tls_files {
    char uri[64], ca[128], certificate[128], key[128];
};

static struct serin_mqtt_config tls_config(struct tls_files *files, const char *ca,
                                           const char *name)
{
    struct serin_mqtt_config config = plain_config(name);

    snprintf(files->uri, sizeof(files->uri), "ssl://127.0.0.1:%u", broker.tls_port);
    snprintf(files->ca, sizeof(files->ca), "%s/%s.pem", broker.folder, ca);
    snprintf(files->certificate, sizeof(files->certificate), "%s/%s.pem", broker.folder, name);
    snprintf(files->key, sizeof(files->key), "%s/%s.key", broker.folder, name);
    config.uri = files->uri;
    config.ca_file = files->ca;
    config.cert_file = files->certificate;
    config.key_file = files->key;
    return config;
}

START_TEST(connects_with_a_client_certificate)
{
    struct tls_files files;

    make_certificate("ca", NULL, "keyUsage=keyCertSign");
    make_certificate("broker", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    make_certificate("one", "ca", "extendedKeyUsage=clientAuth");
    make_certificate("stranger", NULL, "extendedKeyUsage=clientAuth");
    broker_start(&broker, true, NULL);

    struct serin_mqtt_config config = tls_config(&files, "ca", "one");
    struct serin_mqtt *mqtt = open_client(&config, "a/#");
    expect_connected(mqtt);
    publish(mqtt, "a/b", "secret", 0, false);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
    ck_assert_mem_eq(event.payload, "secret", 6);
    serin_mqtt_event_free(&event);
    broker_kill(&broker);
    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    broker_start(&broker, true, NULL);
    expect_connected(mqtt);
    serin_mqtt_close(mqtt);

    /* A client that the broker's CA did not sign. */
    config = tls_config(&files, "ca", "stranger");
    mqtt = open_client(&config, NULL);
    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    serin_mqtt_close(mqtt);

    /* A broker that the client's CA did not sign. */
    config = tls_config(&files, "stranger", "one");
    mqtt = open_client(&config, NULL);
    event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
    ck_assert_msg(strstr(event.why, "certificate") != NULL, "no reason in: %s", event.why);
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(refuses_a_broker_with_another_name)
{
    struct tls_files files;

    make_certificate("ca", NULL, "keyUsage=keyCertSign");
    make_certificate("broker", "ca", "subjectAltName=DNS:elsewhere.example");
    make_certificate("one", "ca", "extendedKeyUsage=clientAuth");
    broker_start(&broker, true, NULL);
    struct serin_mqtt_config config = tls_config(&files, "ca", "one");
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    serin_mqtt_close(mqtt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_life");
    TCase *plain = tcase_create("plain");
    TCase *tls = tcase_create("tls");

    tcase_add_checked_fixture(plain, setup, teardown);
    tcase_add_checked_fixture(tls, setup, teardown);
    tcase_set_timeout(plain, 60);
    tcase_set_timeout(tls, 60);
    tcase_add_test(plain, reconnects_after_the_broker_died);
    tcase_add_test(plain, restart_makes_a_new_connection);
    tcase_add_test(plain, tells_why_the_broker_refuses);
    tcase_add_test(plain, will_speaks_for_the_dead_only);
    tcase_add_test(plain, closes_in_every_state);
    tcase_add_test(plain, the_last_client_leaves_no_thread);
    tcase_add_test(tls, connects_with_a_client_certificate);
    tcase_add_test(tls, refuses_a_broker_with_another_name);
    suite_add_tcase(suite, plain);
    suite_add_tcase(suite, tls);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

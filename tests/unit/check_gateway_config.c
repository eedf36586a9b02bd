/*
 * The configuration of serin-gateway: the shipped example loads, defaults are as documented, each
 * wrong value is one exact line.
 */
#define _POSIX_C_SOURCE 200809L
#include "check_main.h"

#include <serin/adapters/gateway_config.h>

#include <stdio.h>
#include <string.h>

#define HEAD   "gateway: gw-1\n"
#define FLEETS "fleets:\n  - {product: lamp, channel: stable}\n"
#define FILES  "root_key: r\ndata: d\ncontrol_socket: s\n"
#define UPLINK "uplink: {uri: 'ssl://c:1', ca: c, certificate: e, key: k}\n"
#define SITE   "site: {uri: 'tcp://127.0.0.1:2'}\n"
#define DEPOT  "depot: {path: o, budget: 1MiB}\n"
#define WHOLE  HEAD FLEETS FILES UPLINK SITE DEPOT /* 9 lines */

static enum serin_error parse(struct serin_gateway_config *config, const char *text,
                              struct serin_yaml_error *error)
{
    char path[] = "/tmp/serin-gateway-config-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    enum serin_error result = serin_gateway_config_open(config, path, error);
    unlink(path);
    return result;
}

START_TEST(defaults_are_as_documented)
{
    struct serin_gateway_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&config, WHOLE, &error), SERIN_OK);
    ck_assert_str_eq(config.id, "gw-1");
    ck_assert_uint_eq(config.fleet_count, 1);
    ck_assert_str_eq(config.fleets[0].product, "lamp");
    ck_assert_str_eq(config.fleets[0].channel, "stable");
    ck_assert_str_eq(config.root_key, "r");
    ck_assert_ptr_null(config.trust);
    ck_assert_str_eq(config.data_dir, "d");
    ck_assert_str_eq(config.control_socket, "s");
    ck_assert_str_eq(config.uplink.uri, "ssl://c:1");
    ck_assert_str_eq(config.uplink.certificate, "e");
    ck_assert_uint_eq(config.uplink.reconnect_min_ms, 1000);
    ck_assert_uint_eq(config.uplink.reconnect_max_ms, 300000);
    ck_assert_str_eq(config.site.uri, "tcp://127.0.0.1:2");
    ck_assert_ptr_null(config.site.ca);
    ck_assert_uint_eq(config.site.reconnect_min_ms, 200);
    ck_assert_uint_eq(config.site.reconnect_max_ms, 5000);
    ck_assert_uint_eq(config.rate_bytes_per_s, 0);
    ck_assert_uint_eq(config.hours_count, 0);
    ck_assert_str_eq(config.depot_dir, "o");
    ck_assert_uint_eq(config.depot_budget_bytes, 1 << 20);
    ck_assert_uint_eq(config.scrub_s, 86400);
    ck_assert(!config.prefetch);
    ck_assert_uint_eq(config.batch_delay_ms, 2000);
    ck_assert_uint_eq(config.beat_s, 300);
    ck_assert_uint_eq(config.status_s, 60);
    ck_assert_uint_eq(config.resend_ms, 30000);
    ck_assert_uint_eq(config.nodes_max, 1000);
    ck_assert_uint_eq(config.store_size_bytes, 64u << 20);
    serin_gateway_config_close(&config);
}
END_TEST

/* The shipped example says the defaults that it names, and loads with its comments taken off. */
START_TEST(the_shipped_example_loads)
{
    struct serin_gateway_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(serin_gateway_config_open(&config, GATEWAY_YAML, &error), SERIN_OK);
    ck_assert_str_eq(config.id, "gw-1");
    ck_assert_str_eq(config.depot_dir, "/var/lib/serin/depot");
    ck_assert_uint_eq(config.depot_budget_bytes, 256u << 20);
    ck_assert_uint_eq(config.scrub_s, 86400);
    ck_assert_uint_eq(config.uplink.reconnect_max_ms, 300000);
    ck_assert_uint_eq(config.batch_delay_ms, 2000);
    ck_assert_uint_eq(config.beat_s, 300);
    ck_assert_uint_eq(config.status_s, 60);
    ck_assert_uint_eq(config.resend_ms, 30000);
    ck_assert_uint_eq(config.nodes_max, 1000);
    ck_assert_uint_eq(config.store_size_bytes, 64u << 20);
    serin_gateway_config_close(&config);

    static char text[32768];
    FILE *file = fopen(GATEWAY_YAML, "r");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    size_t offered = 0;
    for (char *at = text; (at = strchr(at, '#')) != NULL; at++) {
        bool key = at[1] >= 'a' && at[1] <= 'z' && strchr(at, ':') < strchr(at, '\n');
        if (key) {
            memmove(at, at + 1, strlen(at));
            offered++;
        }
    }
    ck_assert_uint_eq(offered, 3); /* trust, rate, hours */
    ck_assert_int_eq(parse(&config, text, &error), SERIN_OK);
    ck_assert_str_eq(config.trust, "/etc/serin/trust.bin");
    ck_assert_uint_eq(config.rate_bytes_per_s, 8000);
    ck_assert_uint_eq(config.hours_count, 1);
    serin_gateway_config_close(&config);
}
END_TEST

START_TEST(every_key_is_read)
{
    struct serin_gateway_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(
        parse(&config,
              HEAD FILES
              "trust: t\nstore_size: 2MiB\nnodes_max: 10000\n"
              "fleets: [{product: a, channel: b}, {product: a, channel: c}]\n"
              "uplink: {uri: 'tcp://c:1', reconnect_min: 2s, reconnect_max: 2s, rate: 8KiB/s, "
              "hours: ['22:00-05:30', '12:00-24:00', '00:00-00:01']}\n"
              "site: {uri: 'ssl://s:1', ca: c, certificate: e, key: k, reconnect_min: 10ms, "
              "reconnect_max: 20ms}\n"
              "depot: {path: o, budget: 1GiB, scrub: 60s, prefetch: true}\n"
              "relay: {batch_delay: 0, beats: 1s, status: 1d, resend: 1h}\n",
              &error),
        SERIN_OK);
    ck_assert_str_eq(config.trust, "t");
    ck_assert_uint_eq(config.fleet_count, 2);
    ck_assert_str_eq(config.fleets[1].channel, "c");
    ck_assert_uint_eq(config.uplink.reconnect_max_ms, 2000);
    ck_assert_uint_eq(config.site.reconnect_min_ms, 10);
    ck_assert_str_eq(config.site.key, "k");
    ck_assert_uint_eq(config.rate_bytes_per_s, 8192);
    ck_assert_uint_eq(config.hours_count, 3);
    ck_assert_uint_eq(config.hours[0].from_minute, 22 * 60);
    ck_assert_uint_eq(config.hours[0].to_minute, 5 * 60 + 30);
    ck_assert_uint_eq(config.hours[1].from_minute, 12 * 60);
    ck_assert_uint_eq(config.hours[1].to_minute, 0);
    ck_assert_uint_eq(config.hours[2].to_minute, 1);
    ck_assert(config.prefetch);
    ck_assert_uint_eq(config.scrub_s, 60);
    ck_assert_uint_eq(config.batch_delay_ms, 0);
    ck_assert_uint_eq(config.beat_s, 1);
    ck_assert_uint_eq(config.status_s, 86400);
    ck_assert_uint_eq(config.resend_ms, 3600000);
    ck_assert_uint_eq(config.nodes_max, 10000);
    ck_assert_uint_eq(config.store_size_bytes, 2u << 20);
    serin_gateway_config_close(&config);
}
END_TEST

static const struct {
    const char *text;
    uint64_t bytes_per_s; /* 0: refused */
} rates[] = {
    {"64kbit/s", 8000},
    {"1kbit/s", 125},
    {"1000bit/s", 125},
    {"2Mbit/s", 250000},
    {"10Gbit/s", 1250000000},
    {"8KiB/s", 8192},
    {"3MiB/s", 3u << 20},
    {"125B/s", 125},
    {"124B/s", 0},
    {"999bit/s", 0},
    {"11Gbit/s", 0},
    {"0", 0},
    {"64", 0},
    {"64kbit", 0},
    {"64 kbit/s", 0},
    {"64Kbit/s", 0},
    {"-1kbit/s", 0},
    {"1.5Mbit/s", 0},
    {"kbit/s", 0},
    {"9999999999bit/s", 0},
    {"18446744073709551616B/s", 0},
};

START_TEST(rates_are_read_to_the_byte)
{
    struct serin_gateway_config config;
    struct serin_yaml_error error;
    char text[1024];
    (void)snprintf(text, sizeof text,
                   HEAD FLEETS FILES SITE DEPOT "uplink:\n  uri: tcp://c:1\n  rate: %s\n",
                   rates[_i].text);
    enum serin_error result = parse(&config, text, &error);
    ck_assert_int_eq(result, rates[_i].bytes_per_s > 0 ? SERIN_OK : SERIN_ERR_CONFIG);
    if (result == SERIN_OK) {
        ck_assert_uint_eq(config.rate_bytes_per_s, rates[_i].bytes_per_s);
        serin_gateway_config_close(&config);
    } else {
        ck_assert_str_eq(error.field, "uplink.rate");
        ck_assert_uint_eq(error.line, 11);
    }
}
END_TEST

static const char *const wrong_hours[] = {
    "22:00",       "22:00-",      "22:00-05:60", "24:01-05:00",
    "24:00-05:00", "2:00-05:00",  "22:00-5:00",  "22:00-05:300",
    "22-05",       "00:00-24:00", "08:00-08:00", "22:00-05:30 ",
    "22:00 05:30", "x",           "-1:00-02:00", "022:00-05:00"};

START_TEST(wrong_hours_are_refused)
{
    struct serin_gateway_config config;
    struct serin_yaml_error error;
    char text[1024];
    (void)snprintf(text, sizeof text,
                   HEAD FLEETS FILES SITE DEPOT
                   "uplink:\n  uri: tcp://c:1\n  hours:\n    - 01:00-02:00\n    - '%s'\n",
                   wrong_hours[_i]);
    ck_assert_int_eq(parse(&config, text, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "uplink.hours[1]");
    ck_assert_uint_eq(error.line, 13);
}
END_TEST

/* Each document and the reason that it must be refused for, with its line. */
static const struct {
    const char *text, *reason;
    unsigned line;
} wrong[] = {
    {FLEETS FILES UPLINK SITE DEPOT, "'gateway' is missing", 0},
    {HEAD FILES UPLINK SITE DEPOT, "'fleets' is missing", 0},
    {HEAD FLEETS FILES SITE DEPOT, "'uplink' is missing", 0},
    {HEAD FLEETS FILES UPLINK DEPOT, "'site' is missing", 0},
    {HEAD FLEETS FILES UPLINK SITE, "'depot' is missing", 0},
    {HEAD FLEETS FILES UPLINK SITE "depot: {path: o}\n", "'budget' is missing in 'depot'", 9},
    {WHOLE "quickly: true\n", "unknown key 'quickly'", 10},
    {WHOLE "realy: {beats: 1s}\n", "unknown key 'realy'; did you mean 'relay'?", 10},
    {WHOLE "relay: {batch_deley: 1s}\n",
     "unknown key 'batch_deley' in 'relay'; did you mean 'batch_delay'?", 10},
    {HEAD "fleets: [{product: lamp, chanel: stable}]\n" FILES UPLINK SITE DEPOT,
     "unknown key 'chanel' in 'fleets[0]'; did you mean 'channel'?", 2},
    {WHOLE "relay: {jitter: 1s}\n",
     "unknown key 'jitter' in 'relay'; its keys are batch_delay, beats, status, resend", 10},
    {FLEETS FILES UPLINK SITE DEPOT "gateway: gw/1\n",
     "'gateway' may contain letters, digits, '_' and '-' only", 9},
    {HEAD "fleets: [{product: 'a b', channel: c}]\n" FILES UPLINK SITE DEPOT,
     "'fleets[0].product' may contain letters, digits, '_' and '-' only", 2},
    {HEAD "fleets:\n  - {product: a, channel: c}\n  - {product: a, channel: c}\n" FILES UPLINK SITE
         DEPOT,
     "'fleets[1]' stands twice", 4},
    {HEAD FLEETS FILES UPLINK SITE "depot: {path: d, budget: 1MiB}\n",
     "'data' must be another folder than depot.path", 5},
    {HEAD FLEETS FILES SITE DEPOT "uplink: {uri: 'http://c'}\n",
     "'uplink' must have a uri that starts with ssl:// or tcp://", 9},
    {HEAD FLEETS FILES UPLINK DEPOT "site: {uri: 'ssl://s', ca: c}\n",
     "'site' must have ca, certificate and key, since its uri is ssl://", 9},
    {HEAD FLEETS FILES UPLINK DEPOT "site: {uri: 'tcp://s', key: k}\n",
     "'site' has a key or certificate, but its uri is not ssl://", 9},
    {HEAD FLEETS FILES DEPOT "uplink: {uri: 'tcp://s'}\nsite: {uri: 'tcp://s'}\n",
     "'site.uri' must be another broker than uplink.uri", 9},
    {HEAD FLEETS FILES SITE DEPOT "uplink: {uri: 'tcp://c', reconnect_max: 500ms}\n",
     "'uplink.reconnect_max' must not be shorter than reconnect_min", 9},
    {WHOLE "nodes_max: 0\n", "'nodes_max' must be a whole number from 1 to 10000, not '0'", 10},
    {WHOLE "nodes_max: 10001\n", "'nodes_max' must be a whole number from 1 to 10000, not '10001'",
     10},
    {WHOLE "nodes_max: 010\n", "'nodes_max' must be a whole number from 1 to 10000, not '010'", 10},
    {WHOLE "nodes_max: 9.5\n", "'nodes_max' must be a whole number from 1 to 10000, not '9.5'", 10},
    {WHOLE "store_size: 1023KiB\n", "'store_size' must be from 1MiB to 1GiB, not '1023KiB'", 10},
    {HEAD FLEETS FILES UPLINK SITE "depot: {path: o, budget: 1048575}\n",
     "'depot.budget' must be from 1MiB to 1024GiB, not '1048575'", 9},
    {HEAD FLEETS FILES UPLINK SITE "depot: {path: o, budget: 1MiB, scrub: 59s}\n",
     "'depot.scrub' must be from 1m to 30d, not '59s'", 9},
    {HEAD FLEETS FILES UPLINK SITE "depot: {path: o, budget: 1MiB, prefetch: yes}\n",
     "'depot.prefetch' must be true or false, not 'yes'", 9},
    {WHOLE "relay: {batch_delay: 61s}\n", "'relay.batch_delay' must be from 0 to 1m, not '61s'",
     10},
    {WHOLE "relay: {beats: 1500ms}\n", "'relay.beats' must be whole seconds", 10},
    {WHOLE "relay: {beats: 8d}\n", "'relay.beats' must be from 1s to 7d, not '8d'", 10},
    {WHOLE "relay: {status: 999ms}\n", "'relay.status' must be from 1s to 1d, not '999ms'", 10},
    {WHOLE "relay: {resend: 2h}\n", "'relay.resend' must be from 1s to 1h, not '2h'", 10},
};

START_TEST(each_wrong_value_is_one_clear_line)
{
    struct serin_gateway_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&config, wrong[_i].text, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.reason, wrong[_i].reason);
    if (wrong[_i].line != 0) {
        ck_assert_uint_eq(error.line, wrong[_i].line);
    }
}
END_TEST

START_TEST(lists_and_paths_are_bounded)
{
    struct serin_gateway_config config;
    struct serin_yaml_error error;
    char text[4096] = HEAD FILES UPLINK SITE DEPOT "fleets:\n";
    for (int i = 0; i < 9; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "  - {product: p%d, channel: c}\n", i);
    }
    ck_assert_int_eq(parse(&config, text, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "fleets");
    ck_assert_int_eq(parse(&config, HEAD FILES UPLINK SITE DEPOT "fleets: []\n", &error),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "fleets");
    (void)snprintf(text, sizeof text,
                   HEAD FLEETS UPLINK SITE DEPOT "root_key: r\ndata: d\ncontrol_socket: %0108d\n",
                   0);
    ck_assert_int_eq(parse(&config, text, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "control_socket");
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("gateway_config");
    TCase *tests = tcase_create("gateway_config");
    tcase_add_test(tests, defaults_are_as_documented);
    tcase_add_test(tests, the_shipped_example_loads);
    tcase_add_test(tests, every_key_is_read);
    tcase_add_loop_test(tests, rates_are_read_to_the_byte, 0, COUNT_OF(rates));
    tcase_add_loop_test(tests, wrong_hours_are_refused, 0, COUNT_OF(wrong_hours));
    tcase_add_loop_test(tests, each_wrong_value_is_one_clear_line, 0, COUNT_OF(wrong));
    tcase_add_test(tests, lists_and_paths_are_bounded);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

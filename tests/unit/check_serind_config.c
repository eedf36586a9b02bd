/*
 * The configuration of serind: the shipped example loads, defaults are as documented, each wrong
 * value is one exact line.
 */
#define _POSIX_C_SOURCE 200809L
#include "check_main.h"

#include <serin/adapters/serind_config.h>

#include <stdio.h>
#include <string.h>

#define PATHS  "data: d\ndepot: o\naudit: a\n"
#define BROKER "brokers:\n  - {uri: 'ssl://h:1', ca: c, certificate: e, key: k}\n"
#define KEYS   "director_key: dk\nroot_keys: [r]\n"
#define ENROL  "enrolment: auto\n"
#define WHOLE  PATHS BROKER KEYS ENROL

static char path[] = "/tmp/serin-serind-config-XXXXXX";

static enum serin_error parse(struct serin_serind_config *config, const char *text,
                              struct serin_yaml_error *error)
{
    strcpy(path + sizeof path - 7, "XXXXXX");
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    enum serin_error result = serin_serind_config_open(config, path, error);
    unlink(path);
    return result;
}

START_TEST(defaults_are_as_documented)
{
    struct serin_serind_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&config, WHOLE, &error), SERIN_OK);
    ck_assert_str_eq(config.data_dir, "d");
    ck_assert_str_eq(config.depot_dir, "o");
    ck_assert_str_eq(config.audit_file, "a");
    ck_assert_str_eq(config.client_id, "serind");
    ck_assert_uint_eq(config.broker_count, 1);
    ck_assert_str_eq(config.brokers[0].uri, "ssl://h:1");
    ck_assert_str_eq(config.brokers[0].key_file, "k");
    ck_assert_uint_eq(config.brokers[0].reconnect_min_ms, 200);
    ck_assert_uint_eq(config.brokers[0].reconnect_max_ms, 5000);
    ck_assert_uint_eq(config.trust_count, 0);
    ck_assert_uint_eq(config.root_key_count, 1);
    ck_assert_str_eq(config.root_key_files[0], "r");
    ck_assert_str_eq(config.api_listen, "127.0.0.1:8470");
    ck_assert_ptr_null(config.api_token_file);
    ck_assert_int_eq(config.enrolment, SERIN_ENROL_AUTO);
    ck_assert_int_eq(config.adoption, SERIN_ENROL_APPROVE);
    ck_assert_uint_eq(config.gateway_nodes_max, 1000);
    ck_assert_uint_eq(config.report_rate_per_minute, 60);
    ck_assert_uint_eq(config.devices_max, 1000000);
    ck_assert_uint_eq(config.store_size_bytes, UINT64_C(1) << 30);
    serin_serind_config_close(&config);
}
END_TEST

START_TEST(the_shipped_example_loads)
{
    struct serin_serind_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(serin_serind_config_open(&config, SERIND_YAML, &error), SERIN_OK);
    ck_assert_str_eq(config.trust_files[0], "/etc/serin/pki/trust.bin");
    ck_assert_str_eq(config.api_token_file, "/var/lib/serin/serind/token");
    ck_assert_int_eq(config.enrolment, SERIN_ENROL_APPROVE);
    serin_serind_config_close(&config);
}
END_TEST

START_TEST(two_brokers_and_tests_without_tls)
{
    struct serin_serind_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(
        parse(&config,
              PATHS KEYS "enrolment: refuse\nadoption: auto\ngateway_nodes_max: 100000\nbrokers:\n"
                         "  - {uri: 'tcp://h:1', reconnect_min: 1s, reconnect_max: 1s}\n"
                         "  - {uri: 'tcp://h:2'}\n",
              &error),
        SERIN_OK);
    ck_assert_uint_eq(config.broker_count, 2);
    ck_assert_ptr_null(config.brokers[0].ca_file);
    ck_assert_uint_eq(config.brokers[0].reconnect_max_ms, 1000);
    ck_assert_str_eq(config.brokers[1].uri, "tcp://h:2");
    ck_assert_int_eq(config.enrolment, SERIN_ENROL_REFUSE);
    ck_assert_int_eq(config.adoption, SERIN_ENROL_AUTO);
    ck_assert_uint_eq(config.gateway_nodes_max, 100000);
    serin_serind_config_close(&config);
}
END_TEST

/* Each document and the reason that it must be refused for, with its line. */
static const struct {
    const char *text, *reason;
    unsigned line;
} wrong[] = {
    {PATHS BROKER KEYS, "'enrolment' is missing", 0},
    {WHOLE "speed: 3\n", "unknown key 'speed'", 9},
    {WHOLE "api: {port: 1}\n", "unknown key 'port' in 'api'; its keys are listen, token_file", 9},
    {PATHS BROKER KEYS "enrolment: maybe\n",
     "'enrolment' must be auto, approve or refuse, not 'maybe'", 8},
    {WHOLE "adoption: perhaps\n", "'adoption' must be auto, approve or refuse, not 'perhaps'", 9},
    {WHOLE "gateway_nodes_max: 0\n",
     "'gateway_nodes_max' must be a whole number from 1 to 100000, not '0'", 9},
    {WHOLE "gateway_nodes_max: 0x10\n",
     "'gateway_nodes_max' must be a whole number from 1 to 100000, not '0x10'", 9},
    {WHOLE "report_rate_per_minute: 1.5\n",
     "'report_rate_per_minute' must be a whole number from 1 to 60000, not '1.5'", 9},
    {WHOLE "devices_max: 010\n",
     "'devices_max' must be a whole number from 1 to 4000000, not '010'", 9},
    {WHOLE "gateway_nodes_max: 100001\n",
     "'gateway_nodes_max' must be a whole number from 1 to 100000, not '100001'", 9},
    {PATHS KEYS ENROL "brokers:\n  - {uri: 'http://h'}\n",
     "'brokers[0]' must have a uri that starts with ssl:// or tcp://", 8},
    {PATHS KEYS ENROL "brokers:\n  - {uri: 'ssl://h', ca: c}\n",
     "'brokers[0]' must have ca, certificate and key, since its uri is ssl://", 8},
    {PATHS KEYS ENROL "brokers:\n  - {uri: 'tcp://h', key: k}\n",
     "'brokers[0]' has a key or certificate, but its uri is not ssl://", 8},
    {PATHS KEYS ENROL "brokers:\n  - {uri: 'tcp://h'}\n  - {uri: 'tcp://h'}\n",
     "'brokers[1].uri' stands twice", 9},
    {PATHS KEYS ENROL "brokers:\n  - uri: tcp://h\n    reconnect_max: 100ms\n",
     "'brokers[0].reconnect_max' must not be shorter than reconnect_min", 9},
    {WHOLE "report_rate_per_minute: 0\n",
     "'report_rate_per_minute' must be a whole number from 1 to 60000, not '0'", 9},
    {WHOLE "devices_max: 4000001\n",
     "'devices_max' must be a whole number from 1 to 4000000, not '4000001'", 9},
};

START_TEST(each_wrong_value_is_one_clear_line)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct serin_serind_config config;
        struct serin_yaml_error error;
        ck_assert_int_eq(parse(&config, wrong[i].text, &error), SERIN_ERR_CONFIG);
        ck_assert_str_eq(error.reason, wrong[i].reason);
        if (wrong[i].line != 0) {
            ck_assert_uint_eq(error.line, wrong[i].line);
        }
    }
}
END_TEST

START_TEST(a_size_and_a_list_out_of_range_name_their_field)
{
    struct serin_serind_config config;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&config, WHOLE "store_size: 1KiB\n", &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "store_size");
    ck_assert_int_eq(parse(&config, PATHS KEYS ENROL "brokers: []\n", &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "brokers");
    ck_assert_int_eq(parse(&config, PATHS BROKER ENROL "director_key: k\nroot_keys: []\n", &error),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "root_keys");
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        defaults_are_as_documented,
        the_shipped_example_loads,
        two_brokers_and_tests_without_tls,
        each_wrong_value_is_one_clear_line,
        a_size_and_a_list_out_of_range_name_their_field,
        NULL,
    };
    return check_run("serind_config", list);
}

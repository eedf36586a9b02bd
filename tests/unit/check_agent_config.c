/*
 * The configuration of serin-agent: the shipped example loads, defaults are as documented, each
 * wrong value is one exact line.
 */
#define _POSIX_C_SOURCE 200809L
#include <serin/adapters/agent_config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE "device: {id: a-1, product: lamp, channel: stable, hardware: 2}\n"
#define BROKER "broker: {uri: 'ssl://h:1', ca: c, certificate: d, key: e}\n"
#define FLASH  "flash: {file: f, size: 1MiB}\n"
#define REST   "root_key: r\ncontrol_socket: s\n"
#define WHOLE  DEVICE BROKER FLASH REST

static enum serin_error parse(struct serin_agent_settings *settings, const char *text,
                              struct serin_yaml_error *error)
{
    return serin_agent_settings_parse(settings, "agent.yaml", text, strlen(text), error);
}

START_TEST(defaults_are_as_documented)
{
    struct serin_agent_settings settings;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&settings, WHOLE, &error), SERIN_OK);
    ck_assert_str_eq(settings.identity.device_id, "a-1");
    ck_assert_str_eq(settings.identity.product, "lamp");
    ck_assert_str_eq(settings.identity.channel, "stable");
    ck_assert_uint_eq(settings.identity.hardware, 2);
    ck_assert_str_eq(settings.broker.uri, "ssl://h:1");
    ck_assert_str_eq(settings.broker.key, "e");
    ck_assert_uint_eq(settings.broker.reconnect_min_ms, 1000);
    ck_assert_uint_eq(settings.broker.reconnect_max_ms, 60000);
    ck_assert_uint_eq(settings.flash.size_bytes, 1048576);
    ck_assert_uint_eq(settings.flash.sector_size, 4096);
    ck_assert_uint_eq(settings.flash.write_unit, 8);
    ck_assert(settings.application.exec);
    ck_assert_uint_eq(settings.application.argument_count, 0);
    ck_assert_uint_eq(settings.application.watchdog_ms, 10000);
    ck_assert(settings.confirm_needs_directive);
    ck_assert(!settings.confirm_auto);
    ck_assert_uint_eq(settings.beat_s, 3600);
    ck_assert_uint_eq(settings.download.block_size, 16384);
    ck_assert_uint_eq(settings.download.window_blocks, 4);
    ck_assert_uint_eq(settings.download.timeout_ms, 5000);
    ck_assert_uint_eq(settings.report.retry_min_ms, 5000);
    ck_assert_uint_eq(settings.report.retry_max_ms, 3600000);
    serin_agent_settings_free(&settings);
    serin_agent_settings_free(&settings);
}
END_TEST

START_TEST(every_key_is_taken)
{
    struct serin_agent_settings settings;
    struct serin_yaml_error error;
    static const char text[] =
        DEVICE "broker: {uri: 'tcp://h:1', reconnect_min: 100ms, reconnect_max: 2s}\n"
               "flash: {file: f, size: 128KiB, sector: 1KiB, write_unit: 16}\n" REST
               "application: {exec: false, arguments: [--fast, two], watchdog: 2s}\n"
               "confirm: {needs_directive: false, auto: true}\n"
               "beat: 2m\n"
               "download: {block: 1KiB, window: 9, timeout: 700ms}\n"
               "report: {retry_min: 500ms, retry_max: 2s}\n";
    ck_assert_int_eq(parse(&settings, text, &error), SERIN_OK);
    ck_assert_ptr_null(settings.broker.ca);
    ck_assert_uint_eq(settings.broker.reconnect_min_ms, 100);
    ck_assert_uint_eq(settings.flash.size_bytes, 131072);
    ck_assert_uint_eq(settings.flash.sector_size, 1024);
    ck_assert_uint_eq(settings.flash.write_unit, 16);
    ck_assert(!settings.application.exec);
    ck_assert_uint_eq(settings.application.argument_count, 2);
    ck_assert_str_eq(settings.application.arguments[1], "two");
    ck_assert_uint_eq(settings.application.watchdog_ms, 2000);
    ck_assert(!settings.confirm_needs_directive);
    ck_assert(settings.confirm_auto);
    ck_assert_uint_eq(settings.beat_s, 120);
    ck_assert_uint_eq(settings.download.block_size, 1024);
    ck_assert_uint_eq(settings.download.window_blocks, 9);
    ck_assert_uint_eq(settings.download.timeout_ms, 700);
    ck_assert_uint_eq(settings.report.retry_min_ms, 500);
    ck_assert_uint_eq(settings.report.retry_max_ms, 2000);
    serin_agent_settings_free(&settings);
}
END_TEST

static const struct {
    const char *document, *text;
} wrong[] = {
    {WHOLE "foo: 1\n", "agent.yaml:6: unknown key 'foo'"},
    {BROKER FLASH REST, "agent.yaml: 'device' is missing"},
    {DEVICE FLASH REST, "agent.yaml: 'broker' is missing"},
    {DEVICE BROKER REST, "agent.yaml: 'flash' is missing"},
    {DEVICE BROKER FLASH "root_key: r\n", "agent.yaml: 'control_socket' is missing"},
    {DEVICE BROKER FLASH "control_socket: r\n", "agent.yaml: 'root_key' is missing"},
    {"device: {id: a b, product: p, channel: c, hardware: 1}\n" BROKER FLASH REST,
     "agent.yaml:1: 'device.id' may contain only letters, digits, '-' and '_'"},
    {"device: {id: a, product: p/q, channel: c, hardware: 1}\n" BROKER FLASH REST,
     "agent.yaml:1: 'device.product' may contain only letters, digits, '-' and '_'"},
    {"device: {id: a, product: p, channel: +, hardware: 1}\n" BROKER FLASH REST,
     "agent.yaml:1: 'device.channel' may contain only letters, digits, '-' and '_'"},
    {"device: {id: a, product: p, channel: c, hardware: 0}\n" BROKER FLASH REST,
     "agent.yaml:1: 'device.hardware' must be a whole number from 1 to 65535, not '0'"},
    {"device: {id: a, product: p, channel: c, hardware: 0x10}\n" BROKER FLASH REST,
     "agent.yaml:1: 'device.hardware' must be a whole number from 1 to 65535, not '0x10'"},
    {"device: {id: a, product: p, channel: c, hardware: 1.5}\n" BROKER FLASH REST,
     "agent.yaml:1: 'device.hardware' must be a whole number from 1 to 65535, not '1.5'"},
    {"device: {id: a, product: p, channel: c}\n" BROKER FLASH REST,
     "agent.yaml:1: 'hardware' is missing in 'device'"},
    {DEVICE "broker: {uri: 'http://h'}\n" FLASH REST,
     "agent.yaml:2: 'broker.uri' must be ssl://HOST:PORT, or tcp://HOST:PORT for a test without "
     "TLS"},
    {DEVICE "broker: {uri: 'ssl://h:1', ca: c, key: e}\n" FLASH REST,
     "agent.yaml:2: 'broker.certificate' is needed with ssl://"},
    {DEVICE "broker: {uri: 'tcp://h:1', reconnect_min: 2s, reconnect_max: 1s}\n" FLASH REST,
     "agent.yaml:2: 'broker.reconnect_min' must not be above broker.reconnect_max"},
    {DEVICE "broker: {uri: 'tcp://h:1', reconnect_min: soon}\n" FLASH REST,
     "agent.yaml:2: 'broker.reconnect_min' must be a duration such as 500ms, 10s, 5m, 6h or 1d, "
     "not 'soon'"},
    {DEVICE BROKER "flash: {file: f, size: 1MB}\n" REST,
     "agent.yaml:3: 'flash.size' must be a size such as 4096, 16KiB, 2MiB or 1GiB, not '1MB'"},
    {DEVICE BROKER "flash: {file: f, size: 1000000}\n" REST,
     "agent.yaml:3: 'flash.size' must be a multiple of flash.sector"},
    {DEVICE BROKER "flash: {file: f, size: 1MiB, sector: 3000}\n" REST,
     "agent.yaml:3: 'flash.sector' must be a power of two"},
    {DEVICE BROKER "flash: {file: f, size: 1MiB, write_unit: 3}\n" REST,
     "agent.yaml:3: 'flash.write_unit' must be a power of two"},
    {DEVICE BROKER "flash: {file: f, size: 1MiB, sector: 256, write_unit: 512}\n" REST,
     "agent.yaml:3: 'flash.write_unit' must not be larger than flash.sector"},
    {WHOLE "application: {exec: yes}\n",
     "agent.yaml:6: 'application.exec' must be true or false, not 'yes'"},
    {WHOLE "application:\n  watchdog: 1h30m\n",
     "agent.yaml:7: 'application.watchdog' must be a duration such as 500ms, 10s, 5m, 6h or 1d, "
     "not '1h30m'"},
    {WHOLE "application:\n  watchdog: 0\n",
     "agent.yaml:7: 'application.watchdog' must be from 100ms to 1h, not '0'"},
    {WHOLE "confirm: {automatic: true}\n",
     "agent.yaml:6: unknown key 'automatic' in 'confirm'; its keys are needs_directive, auto"},
    {WHOLE "beat: 8d\n", "agent.yaml:6: 'beat' must be from 1s to 7d, not '8d'"},
    {WHOLE "download: {window: 0}\n",
     "agent.yaml:6: 'download.window' must be a whole number from 1 to 64, not '0'"},
    {WHOLE "download: {window: 010}\n",
     "agent.yaml:6: 'download.window' must be a whole number from 1 to 64, not '010'"},
    {WHOLE "download: {block: 128}\n",
     "agent.yaml:6: 'download.block' must be from 256 to 64KiB, not '128'"},
    {WHOLE "report: {retry_min: 2h}\n",
     "agent.yaml:6: 'report.retry_min' must not be above report.retry_max"},
    {DEVICE BROKER FLASH "root_key: r\ncontrol_socket: "
                         "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
                         "ssssssssssssssssssssssssssssssssssss\n",
     "agent.yaml:5: 'control_socket' must have at most 107 characters: it is a Unix socket"},
};

START_TEST(wrong_value_is_explained)
{
    struct serin_agent_settings settings;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&settings, wrong[_i].document, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.text, wrong[_i].text);
    ck_assert_ptr_null(settings.document);
}
END_TEST

START_TEST(shipped_example_loads)
{
    struct serin_agent_settings settings;
    struct serin_yaml_error error;
    enum serin_error result = serin_agent_settings_load(&settings, AGENT_YAML, &error);
    ck_assert_msg(result == SERIN_OK, "%s", error.text);
    ck_assert_str_eq(settings.identity.product, "lamp");
    serin_agent_settings_free(&settings);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent_config");
    TCase *tests = tcase_create("agent_config");
    tcase_add_test(tests, defaults_are_as_documented);
    tcase_add_test(tests, every_key_is_taken);
    tcase_add_loop_test(tests, wrong_value_is_explained, 0, (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(tests, shipped_example_loads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

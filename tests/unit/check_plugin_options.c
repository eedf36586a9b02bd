/* The plugin's options: defaults, ranges, and each way to get them wrong. */
#include "check_main.h"

#include <serin/plugin/options.h>

#include <stdio.h>
#include <string.h>

static struct serin_plugin_options options;
static struct serin_plugin_complaint complaint;

static enum serin_error read_with(const char *key, const char *value)
{
    const struct serin_plugin_option given[] = {{"depot", "/d"}, {"state", "/s"}, {key, value}};
    memset(&complaint, 0, sizeof complaint);
    return serin_plugin_options_read(given, key == NULL ? 2 : 3, &options, &complaint);
}

static void wrong(const char *key, const char *value, const char *what)
{
    ck_assert_int_eq(read_with(key, value), SERIN_ERR_CONFIG);
    ck_assert_str_eq(complaint.key, key);
    ck_assert_str_eq(complaint.what, what);
}

START_TEST(test_defaults)
{
    ck_assert_int_eq(read_with(NULL, NULL), SERIN_OK);
    ck_assert_str_eq(options.depot, "/d");
    ck_assert_str_eq(options.state, "/s");
    ck_assert_uint_eq(options.window_bytes, 256 * 1024);
    ck_assert_uint_eq(options.total_bytes, 256 * 1024 * 1024);
    ck_assert_uint_eq(options.directives_max, 16384);
    ck_assert_uint_eq(options.leap_max, 64);
    ck_assert_uint_eq(options.clients_max, 250000); /* well above a fleet of 100,000 */
    ck_assert_uint_eq(options.park_ms, 3000);
    ck_assert_uint_eq(options.messages_per_second, 20);
    ck_assert_int_eq(options.role, SERIN_PLUGIN_CLOUD);
    ck_assert_ptr_null(options.gateway);
}
END_TEST

START_TEST(test_every_range)
{
    size_t count;
    const struct serin_plugin_range *ranges = serin_plugin_ranges(&count);
    ck_assert_uint_eq(count, 11);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        ck_assert(ranges[i].min <= ranges[i].initial && ranges[i].initial <= ranges[i].max);
        snprintf(text, sizeof text, "%llu", (unsigned long long)ranges[i].min - 1);
        wrong(ranges[i].key, text, "is out of its range");
        ck_assert_ptr_eq(complaint.range, &ranges[i]);
        snprintf(text, sizeof text, "%llu", (unsigned long long)ranges[i].max + 1);
        wrong(ranges[i].key, text, "is out of its range");
        static const char *const texts[] = {"",   "x",  "-1",   "+1",           "1.5",
                                            " 1", "1 ", "0x10", "9999999999999"};
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            wrong(ranges[i].key, texts[t], "is not a whole number");
        }
        /* At their ends, each with the other that it depends on. */
        const char *partner =
            strcmp(ranges[i].key, "window_bytes") == 0 ? "total_bytes" : "window_bytes";
        const char *value = partner[0] == 't' ? "4294967296" : "65536";
        for (int end = 0; end < 2; end++) {
            snprintf(text, sizeof text, "%llu",
                     (unsigned long long)(end ? ranges[i].max : ranges[i].min));
            const struct serin_plugin_option given[] = {
                {"state", "/s"}, {ranges[i].key, text}, {"depot", "/d"}, {partner, value}};
            ck_assert_msg(serin_plugin_options_read(given, 4, &options, &complaint) == SERIN_OK,
                          "%s %s", ranges[i].key, text);
        }
    }
}
END_TEST

START_TEST(test_wrong_ones)
{
    wrong("windowbytes", "1", "is not an option of the Serin plugin");
    wrong("depot", "/e", "is given twice");
    wrong("state", "/e", "is given twice");
    wrong("retry_ms", NULL, "has no value");
    wrong("total_bytes", "65536", "must not be less than window_bytes");
    const struct serin_plugin_option relative[] = {{"depot", "d"}};
    ck_assert_int_eq(serin_plugin_options_read(relative, 1, &options, &complaint),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(complaint.what, "must be an absolute path");
    const struct serin_plugin_option twice[] = {{"retry_ms", "10"}, {"retry_ms", "10"}};
    ck_assert_int_eq(serin_plugin_options_read(twice, 2, &options, &complaint), SERIN_ERR_CONFIG);
    ck_assert_str_eq(complaint.what, "is given twice");
    const struct serin_plugin_option depot_only[] = {{"depot", "/d"}};
    ck_assert_int_eq(serin_plugin_options_read(depot_only, 1, &options, &complaint),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(complaint.key, "state");
    ck_assert_int_eq(serin_plugin_options_read(NULL, 0, &options, &complaint), SERIN_ERR_CONFIG);
    ck_assert_str_eq(complaint.key, "depot");
}
END_TEST

static enum serin_error read_site(const char *role, const char *gateway, const char *again)
{
    const struct serin_plugin_option given[] = {
        {"depot", "/d"}, {"state", "/s"}, {"role", role}, {"gateway", gateway}, {"gateway", again}};
    memset(&complaint, 0, sizeof complaint);
    size_t count = again != NULL ? 5 : gateway != NULL ? 4 : 3;
    return serin_plugin_options_read(given, count, &options, &complaint);
}

START_TEST(test_roles)
{
    ck_assert_int_eq(read_site("cloud", NULL, NULL), SERIN_OK);
    ck_assert_int_eq(options.role, SERIN_PLUGIN_CLOUD);
    ck_assert_int_eq(read_site("site", "gw-1", NULL), SERIN_OK);
    ck_assert_int_eq(options.role, SERIN_PLUGIN_SITE);
    ck_assert_str_eq(options.gateway, "gw-1");

    static const struct {
        const char *role, *gateway, *again, *key, *what;
    } cases[] = {
        {"site", NULL, NULL, "gateway", "is missing: the role is site"},
        {"cloud", "gw-1", NULL, "gateway", "is of the role site alone"},
        {"Site", "gw-1", NULL, "role", "must be cloud or site"},
        {"", NULL, NULL, "role", "must be cloud or site"},
        {"site", "", NULL, "gateway", "is not an id"},
        {"site", "gw/1", NULL, "gateway", "is not an id"},
        {"site", "+", NULL, "gateway", "is not an id"},
        {"site", "01234567890123456789012345678901234567890123456789012345678901234", NULL,
         "gateway", "is not an id"},
        {"site", "gw-1", "gw-1", "gateway", "is given twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(read_site(cases[i].role, cases[i].gateway, cases[i].again),
                         SERIN_ERR_CONFIG);
        ck_assert_str_eq(complaint.key, cases[i].key);
        ck_assert_str_eq(complaint.what, cases[i].what);
    }
    wrong("gateway", "gw-1", "is of the role site alone"); /* cloud is the role of old files */
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_defaults, test_every_range, test_wrong_ones, test_roles,
                                  NULL};
    return check_run("plugin_options", tests);
}

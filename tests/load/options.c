/* The command line of serin-load (options.h). */
#include "options.h"

#include <serin/adapters/yaml.h>
#include <serin/device/flash.h>
#include <serin/wire.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD_PER_NODE_MS 20u /* 50 connections a second: a broker's backlog is 100 */
#define DAY_MS             86400000u
#define COUNT_OF(array)    (sizeof(array) / sizeof *(array))

static const char *const help =
    "serin-load: a fleet of devices in one process, to size a site or a broker with\n"
    "\n"
    "Each node runs the real device core (bootloader and agent) on flash in memory and has a TLS\n"
    "connection with a certificate of its own. It boots the image of --provision, takes what\n"
    "directives offer, verifies it, resets, boots it on trial and confirms it.\n"
    "\n"
    "Usage:\n"
    "  serin-load --broker HOST:PORT --ca FILE --certs DIR --product P --provision BUNDLE\n"
    "             --trust FILE --root-key FILE [options]\n"
    "\n"
    "The fleet:\n"
    "  --nodes N             how many nodes (300; at most 5000)\n"
    "  --first I             number of the first one (1)\n"
    "  --id-prefix TEXT      what stands before the number (node-): node-01, node-02, …\n"
    "  --product P           what the nodes are\n"
    "  --channel C           which channel they follow (stable)\n"
    "  --hardware N          their hardware revision (1)\n"
    "  --provision BUNDLE    what they run at first\n"
    "  --trust FILE          the trust record that the factory gave them\n"
    "  --root-key FILE       the public root key that the factory gave them\n"
    "  --flash SIZE          of each node, two slots (4MiB); costs memory only where written\n"
    "\n"
    "The broker:\n"
    "  --broker HOST:PORT    an address rather than a name: each connection looks a name up\n"
    "  --ca FILE             who signed the broker's certificate\n"
    "  --certs DIR           node-01.pem and node-01.key, and so on\n"
    "  --keep-alive TIME     of MQTT (30s)\n"
    "  --start-spread TIME   nodes wake at random within this time (20ms a node)\n"
    "\n"
    "What they ask:\n"
    "  --block SIZE|mixed    bytes of a block, 256 to 64KiB (4KiB); mixed: 256, 512, 1KiB, 4KiB,\n"
    "                        16KiB and 64KiB in turn\n"
    "  --window N            blocks in one request (4)\n"
    "  --beat TIME           how often a node tells that it is there (1m)\n"
    "\n"
    "The end:\n"
    "  --until VERSION       ends when every node has confirmed it, or has failed\n"
    "  --settle TIME         after that, wait so long at most for the acks of serind (30s)\n"
    "  --timeout TIME        ends in any case (10m); without --until this is how long it runs\n"
    "  --json                the result as JSON, with each node, instead of a table\n"
    "\n"
    "Exit status: 0 every node confirmed the version of --until; 1 not every one; 2 usage; 3 an\n"
    "input is wrong, or a limit of this machine is too low.\n"
    "\n"
    "How much a site needs: run the site's broker, plugin and gateway as they will be, then\n"
    "  ulimit -n 20000       three descriptors a node, and some\n"
    "  serin pki init pki --product lamp --devices \"$(seq -f node-%02g -s, 300)\"\n"
    "  serin-load --nodes 300 --broker 127.0.0.1:8883 --ca pki/ca.pem --certs pki/devices\n"
    "      --product lamp --provision 1.0.0.serin --trust pki/trust.bin\n"
    "      --root-key pki/keys/root.pub --until 2.0.0 --json >result.json\n"
    "and start the rollout of 2.0.0 when the nodes are connected. A node costs about 100 KiB of\n"
    "memory here; images exist once. tests/load/README.md explains the result.\n";

enum load_exit load_complain(enum load_exit code, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "serin-load: %s\n", text);
    return code;
}

void load_options_help(void)
{
    (void)fputs(help, stdout);
}

uint32_t load_block_size(const struct load_options *options, uint32_t index)
{
    static const uint32_t mixed[] = {256, 512, 1024, 4096, 16384, 65536};
    return options->block_size != 0 ? options->block_size : mixed[index % COUNT_OF(mixed)];
}

/* ---- values ---- */

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    unsigned long long number = strtoull(text, &end, 10);
    *value = number;
    return *end == '\0' && number >= min && number <= max;
}

static bool read_duration(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    return serin_duration_parse(text, value) && *value >= min && *value <= max;
}

static bool read_size(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    return serin_size_parse(text, value) && *value >= min && *value <= max;
}

static bool read_broker(const char *text, struct load_options *options)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    size_t size = colon == NULL ? 0 : (size_t)(colon - text);
    if (size == 0 || size >= sizeof options->host || !read_number(colon + 1, 1, 65535, &port)) {
        return false;
    }
    memcpy(options->host, text, size);
    options->host[size] = '\0';
    options->port = (int)port;
    return true;
}

static bool read_block(const char *text, uint64_t *value)
{
    *value = 0;
    return strcmp(text, "mixed") == 0 ||
           (read_size(text, SERIN_BLOCK_DATA_MIN, SERIN_BLOCK_DATA_MAX, value) && *value % 8 == 0);
}

static bool read_prefix(const char *text)
{
    return strlen(text) <= SERIN_ID_MAX - 10u && serin_id_valid(text, strlen(text));
}

/* ---- the table ---- */

enum option_id {
    OPTION_NODES = 1,
    OPTION_FIRST,
    OPTION_PREFIX,
    OPTION_BROKER,
    OPTION_CA,
    OPTION_CERTS,
    OPTION_PRODUCT,
    OPTION_CHANNEL,
    OPTION_HARDWARE,
    OPTION_PROVISION,
    OPTION_TRUST,
    OPTION_ROOT_KEY,
    OPTION_FLASH,
    OPTION_BLOCK,
    OPTION_WINDOW,
    OPTION_SPREAD,
    OPTION_BEAT,
    OPTION_KEEP_ALIVE,
    OPTION_UNTIL,
    OPTION_SETTLE,
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option table[] = {
    {"nodes", required_argument, NULL, OPTION_NODES},
    {"first", required_argument, NULL, OPTION_FIRST},
    {"id-prefix", required_argument, NULL, OPTION_PREFIX},
    {"broker", required_argument, NULL, OPTION_BROKER},
    {"ca", required_argument, NULL, OPTION_CA},
    {"certs", required_argument, NULL, OPTION_CERTS},
    {"product", required_argument, NULL, OPTION_PRODUCT},
    {"channel", required_argument, NULL, OPTION_CHANNEL},
    {"hardware", required_argument, NULL, OPTION_HARDWARE},
    {"provision", required_argument, NULL, OPTION_PROVISION},
    {"trust", required_argument, NULL, OPTION_TRUST},
    {"root-key", required_argument, NULL, OPTION_ROOT_KEY},
    {"flash", required_argument, NULL, OPTION_FLASH},
    {"block", required_argument, NULL, OPTION_BLOCK},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"start-spread", required_argument, NULL, OPTION_SPREAD},
    {"beat", required_argument, NULL, OPTION_BEAT},
    {"keep-alive", required_argument, NULL, OPTION_KEEP_ALIVE},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"settle", required_argument, NULL, OPTION_SETTLE},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char *option_name(int id)
{
    return table[id - OPTION_NODES].name;
}

/* Options that are texts of their own form; NULL: taken. Else what is expected. */
static const char *take_text(struct load_options *options, int id, const char *text)
{
    switch (id) {
    case OPTION_PREFIX:
        options->id_prefix = text;
        return read_prefix(text) ? NULL : "letters, digits, - and _, at most 54 of them";
    case OPTION_BROKER:
        return read_broker(text, options) ? NULL : "HOST:PORT";
    case OPTION_CA:
        options->ca = text;
        return NULL;
    case OPTION_CERTS:
        options->certs = text;
        return NULL;
    case OPTION_PRODUCT:
        options->product = text;
        return serin_product_valid(text, strlen(text)) ? NULL : "a product's name";
    case OPTION_CHANNEL:
        options->channel = text;
        return serin_channel_valid(text, strlen(text)) ? NULL : "a channel's name";
    case OPTION_PROVISION:
        options->bundle = text;
        return NULL;
    case OPTION_TRUST:
        options->trust = text;
        return NULL;
    case OPTION_ROOT_KEY:
        options->root_key = text;
        return NULL;
    case OPTION_UNTIL:
        options->until_given = true;
        return serin_version_parse(text, &options->until) == SERIN_OK ? NULL : "a version: 1.2.3";
    default:
        return "no value";
    }
}

/* Options that are numbers. */
static const char *take_number(struct load_options *options, int id, const char *text)
{
    uint64_t value = 0;
    const char *expected = NULL;
    switch (id) {
    case OPTION_NODES:
        expected = read_number(text, 1, LOAD_NODES_MAX, &value) ? NULL : "1 to 5000";
        options->nodes = (uint32_t)value;
        return expected;
    case OPTION_FIRST:
        expected = read_number(text, 0, 1000000, &value) ? NULL : "0 to 1000000";
        options->first = (uint32_t)value;
        return expected;
    case OPTION_HARDWARE:
        expected = read_number(text, 1, UINT16_MAX, &value) ? NULL : "1 to 65535";
        options->hardware = (uint16_t)value;
        return expected;
    case OPTION_FLASH:
        expected = read_size(text, 65536, SERIN_FLASH_SIZE_MAX, &value) ? NULL : "64KiB to 2GiB";
        options->flash_size = (uint32_t)(value / 4096u * 4096u);
        return expected;
    case OPTION_BLOCK:
        expected = read_block(text, &value) ? NULL : "mixed, or a multiple of 8, 256 to 64KiB";
        options->block_size = (uint32_t)value;
        return expected;
    case OPTION_WINDOW:
        expected = read_number(text, 1, 1024, &value) ? NULL : "1 to 1024";
        options->window_blocks = (uint32_t)value;
        return expected;
    default:
        return take_text(options, id, text);
    }
}

/* Options that are times. */
static const char *take_time(struct load_options *options, int id, const char *text)
{
    uint64_t value = 0;
    const char *expected = NULL;
    switch (id) {
    case OPTION_SPREAD:
        expected = read_duration(text, 0, DAY_MS, &value) ? NULL : "a time of 0 to 1d, as 30s";
        options->start_spread_ms = (uint32_t)value;
        options->start_spread_given = true;
        return expected;
    case OPTION_BEAT:
        expected = read_duration(text, 1000, DAY_MS, &value) ? NULL : "a time of 1s to 1d";
        options->beat_s = (uint32_t)(value / 1000u);
        return expected;
    case OPTION_KEEP_ALIVE:
        expected = read_duration(text, 5000, 65535000, &value) ? NULL : "a time of 5s to 18h";
        options->keep_alive_s = (uint32_t)(value / 1000u);
        return expected;
    case OPTION_SETTLE:
        expected = read_duration(text, 0, DAY_MS, &value) ? NULL : "a time of 0 to 1d";
        options->settle_ms = value;
        return expected;
    case OPTION_TIMEOUT:
        expected = read_duration(text, 1000, DAY_MS, &value) ? NULL : "a time of 1s to 1d";
        options->timeout_ms = value;
        return expected;
    default:
        return take_number(options, id, text);
    }
}

/* ---- reading ---- */

static enum load_exit check_whole(struct load_options *options)
{
    const struct {
        const char *value;
        int id;
    } needed[] = {
        {options->host[0] != '\0' ? options->host : NULL, OPTION_BROKER},
        {options->ca, OPTION_CA},
        {options->certs, OPTION_CERTS},
        {options->product, OPTION_PRODUCT},
        {options->bundle, OPTION_PROVISION},
        {options->trust, OPTION_TRUST},
        {options->root_key, OPTION_ROOT_KEY},
    };
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (needed[i].value == NULL) {
            return load_complain(LOAD_EXIT_USAGE, "--%s is needed; try serin-load --help",
                                 option_name(needed[i].id));
        }
    }
    if (!options->start_spread_given) {
        options->start_spread_ms = options->nodes * SPREAD_PER_NODE_MS;
    }
    return LOAD_EXIT_DONE;
}

enum load_exit load_options_read(struct load_options *options, int argc, char **argv)
{
    int id = 0;
    *options = (struct load_options){
        .nodes = 300,
        .first = 1,
        .id_prefix = "node-",
        .channel = "stable",
        .hardware = 1,
        .block_size = 4096,
        .window_blocks = 4,
        .flash_size = 4u * 1024u * 1024u,
        .beat_s = 60,
        .keep_alive_s = 30,
        .timeout_ms = 600000,
        .settle_ms = 30000,
    };
    while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (id == '?') {
            return LOAD_EXIT_USAGE; /* getopt has complained */
        }
        options->help |= id == OPTION_HELP;
        options->json |= id == OPTION_JSON;
        if (options->help) {
            return LOAD_EXIT_DONE;
        }
        const char *expected = id == OPTION_JSON ? NULL : take_time(options, id, optarg);
        if (expected != NULL) {
            return load_complain(LOAD_EXIT_USAGE, "--%s takes %s, not '%s'", option_name(id),
                                 expected, optarg);
        }
    }
    if (optind < argc) {
        return load_complain(LOAD_EXIT_USAGE, "'%s' is one argument too many; try --help",
                             argv[optind]);
    }
    return check_whole(options);
}

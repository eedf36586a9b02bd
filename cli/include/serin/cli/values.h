/*
 * Values of options: their kinds, and the one parser for each.
 */
#ifndef SERIN_CLI_VALUES_H
#define SERIN_CLI_VALUES_H

#include <serin/manifest.h>

#define SERIN_CLI_LIST_MAX     64u
#define SERIN_CLI_CHANNELS_MAX SERIN_MANIFEST_CHANNELS

enum serin_cli_kind {
    SERIN_CLI_FLAG = 1,
    SERIN_CLI_TEXT,  /* anything but nothing */
    SERIN_CLI_FILE,  /* a path; as TEXT */
    SERIN_CLI_FILES, /* one or more paths; may be repeated; takes what follows up to the next option
                      */
    SERIN_CLI_NUMBER,    /* decimal or 0x…, within min .. max */
    SERIN_CLI_DURATION,  /* "60s", "24h", "0"; milliseconds within min .. max */
    SERIN_CLI_VERSION,   /* "1.2.3" */
    SERIN_CLI_HARDWARE,  /* "2" or "1-3", 1 .. 65535 */
    SERIN_CLI_NAME,      /* a product, vendor or component */
    SERIN_CLI_CHANNELS,  /* "stable,beta" */
    SERIN_CLI_IDS,       /* "sensor-1,sensor-2": ids of devices or gateways */
    SERIN_CLI_ID,        /* one of them */
    SERIN_CLI_SLOTS,     /* "a", "b" or "ab" */
    SERIN_CLI_STATE,     /* "rolled_back": a word of serin/states.h */
    SERIN_CLI_ENROLMENT, /* "pending", "enrolled" or "refused" */
    SERIN_CLI_RAM,       /* "8k" or "16k": 8 or 16 */
    SERIN_CLI_REASON     /* a line of text, at most 160 bytes */
};

#define SERIN_CLI_DIRECT "direct" /* in place of a gateway's id: none */

#define SERIN_CLI_EXPECTED_SIZE 256u /* what a value is expected to be, in words */

/* A parsed value; the members of its kind are set. Texts point into argv. */
struct serin_cli_value {
    const char *text;                      /* as it was written; the last one of FILES */
    const char *texts[SERIN_CLI_LIST_MAX]; /* FILES */
    size_t text_count;                     /* FILES */
    uint64_t number;                       /* NUMBER, DURATION (ms), SLOTS (mask), RAM (KiB) */
    struct serin_version version;          /* VERSION */
    uint16_t hw_min, hw_max;               /* HARDWARE */
    size_t channel_count;                  /* CHANNELS */
    char channels[SERIN_CLI_CHANNELS_MAX][SERIN_CHANNEL_MAX + 1];
};

/* Reads `text` as a value of `kind` into `value`; FLAG has no text. FILES appends. False:
 * `expected` (of `expected_size` bytes) tells what is taken, as in "takes …". */
bool serin_cli_value_parse(enum serin_cli_kind kind, uint64_t min, uint64_t max, const char *text,
                           struct serin_cli_value *value, char *expected, size_t expected_size);

/* Whole numbers: decimal without sign, or 0x and hexadecimal digits. */
bool serin_cli_parse_number(const char *text, uint64_t *number);

/* A whole number and ms, s, m, h or d; or 0. In milliseconds. */
bool serin_cli_parse_duration(const char *text, uint64_t *ms);

/* The next name of a comma-separated list: its start in *text and its size; moves *text behind it.
 * False: the list is over. "a,,b" has an empty name, "" has one. */
bool serin_cli_next_name(const char **text, const char **name, size_t *size);

#endif

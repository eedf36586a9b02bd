/*
 * The options of each command (options.h). Bounds are those of the formats.
 */
#include "options.h"

#include <serin/adapters/x509.h>
#include <serin/orchestrator/engine.h>
#include <serin/sim/scenario.h>
#include <serin/states.h>

/* ---- the words of those that take a few ---- */

static const char *device_state(size_t number)
{
    return number + 1 < SERIN_STATE_COUNT ? serin_state_text((enum serin_state)(number + 1)) : NULL;
}

static const char *rollout_state(size_t number)
{
    return number + 1 < SERIN_ROLLOUT_STATE_COUNT
               ? serin_rollout_state_text((enum serin_rollout_state)(number + 1))
               : NULL;
}

static const char *enrolment(size_t number)
{
    static const char *const words[] = {"pending", "enrolled", "refused", NULL};
    return words[number];
}

static const char *ram_word(size_t number)
{
    static const char *const words[] = {"8k", "16k", NULL};
    return words[number];
}

/* ---- the options ---- */

#define DAYS                                                              \
    {                                                                     \
        .name = "days", .kind = SERIN_CLI_NUMBER, .value = "N", .min = 1, \
        .max = SERIN_X509_DAYS_MAX, .fallback = "3650",                   \
        .help = "how long the certificates are valid"                     \
    }

const struct serin_cli_option serin_cli_options_pki_init[] = {
    {.name = "product",
     .required = true,
     .kind = SERIN_CLI_NAME,
     .value = "P",
     .help = "the product that the trust record is for"},
    {.name = "devices",
     .kind = SERIN_CLI_IDS,
     .value = "ID,ID…",
     .help = "devices to make certificates for"},
    {.name = "device-count",
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .min = 0,
     .max = 10000,
     .fallback = "0",
     .help = "or so many of them, numbered from 01"},
    {.name = "device-prefix",
     .kind = SERIN_CLI_TEXT,
     .value = "TEXT",
     .fallback = "sensor-",
     .help = "what stands before the number"},
    {.name = "gateways",
     .kind = SERIN_CLI_IDS,
     .value = "ID,ID…",
     .help = "site gateways to make certificates for"},
    {.name = "broker-name",
     .kind = SERIN_CLI_TEXT,
     .value = "HOST",
     .fallback = "localhost",
     .help = "the broker's name or address, besides localhost and loopback"},
    DAYS,
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_pki_device[] = {
    DAYS,
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_key_public[] = {
    {.name = "output",
     .letter = 'o',
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "write it there, never over another file, instead of printing it"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_trust_make[] = {
    {.name = "root",
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "KEY",
     .help = "the root's private key, which signs"},
    {.name = "product",
     .required = true,
     .kind = SERIN_CLI_NAME,
     .value = "P",
     .help = "the product that the record is for"},
    {.name = "version",
     .required = true,
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .min = 1,
     .max = UINT32_MAX,
     .help = "higher than that of the record it replaces"},
    {.name = "release",
     .required = true,
     .kind = SERIN_CLI_FILES,
     .value = "PUB…",
     .help = "public keys that may sign releases"},
    {.name = "director",
     .required = true,
     .kind = SERIN_CLI_FILES,
     .value = "PUB…",
     .help = "public keys that may sign directives"},
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the record; never written over another"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_trust_show[] = {
    {.name = "root",
     .kind = SERIN_CLI_FILE,
     .value = "PUB",
     .help = "verify it with the root's public key"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_pack[] = {
    {.name = "product",
     .required = true,
     .kind = SERIN_CLI_NAME,
     .value = "P",
     .help = "devices of this product take it"},
    {.name = "version",
     .required = true,
     .kind = SERIN_CLI_VERSION,
     .value = "1.2.3",
     .help = "its version; devices take what is newer"},
    {.name = "image",
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the firmware image, as it is to stand in the slot"},
    {.name = "key",
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the private release key, which signs the manifest"},
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the bundle; an older one is replaced, no other file is"},
    {.name = "vendor",
     .kind = SERIN_CLI_NAME,
     .value = "V",
     .fallback = "serin",
     .help = "who made it"},
    {.name = "component",
     .kind = SERIN_CLI_NAME,
     .value = "C",
     .fallback = "app",
     .help = "which part of the device it is"},
    {.name = "counter",
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .max = UINT32_MAX,
     .fallback = "0",
     .help = "security counter; once committed, no device goes below it"},
    {.name = "hw",
     .kind = SERIN_CLI_HARDWARE,
     .value = "1-3",
     .fallback = "1",
     .help = "hardware revisions it runs on"},
    {.name = "channels",
     .kind = SERIN_CLI_CHANNELS,
     .value = "A,B",
     .fallback = "stable",
     .help = "channels it may be offered on"},
    {.name = "confirm-window",
     .kind = SERIN_CLI_DURATION,
     .value = "60s",
     .min = 1000,
     .max = SERIN_MANIFEST_WINDOW_MAX_S * UINT64_C(1000),
     .fallback = "60s",
     .help = "time in which a new image must confirm itself"},
    {.name = "confirm-tries",
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .min = 1,
     .max = SERIN_MANIFEST_TRIES_MAX,
     .fallback = "3",
     .help = "boots in which it must do so"},
    {.name = "load-address",
     .kind = SERIN_CLI_NUMBER,
     .value = "0x…",
     .max = UINT32_MAX,
     .fallback = "0",
     .help = "where the board loads it"},
    {.name = "entry",
     .kind = SERIN_CLI_NUMBER,
     .value = "0x…",
     .max = UINT32_MAX,
     .fallback = "0",
     .help = "where the board starts it"},
    {.name = "slots",
     .kind = SERIN_CLI_SLOTS,
     .value = "a|b|ab",
     .fallback = "ab",
     .help = "slots it can run from"},
    {.name = "bootloader-min",
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .max = UINT32_MAX,
     .fallback = "0",
     .help = "oldest bootloader that can start it"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_verify[] = {
    {.name = "trust",
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the trust record with the release keys"},
    {.name = "root",
     .kind = SERIN_CLI_FILE,
     .value = "PUB",
     .help = "the root's public key, to verify the trust record itself"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_delta_make[] = {
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the patch"},
    {.name = "ram",
     .kind = SERIN_CLI_RAM,
     .value = "SIZE",
     .fallback = "16k",
     .word = ram_word,
     .help = "what a device spends on the decoder"},
    {.name = "no-base", .kind = SERIN_CLI_FLAG, .help = "from no old image: NEW alone, compressed"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_delta_apply[] = {
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "the new image; never written over another file"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_policy_check[] = {
    {.name = "devices",
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .min = 1,
     .max = 1000000,
     .help = "devices of the product on the channel"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_rollout_create[] = {
    {.name = "policy",
     .required = true,
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "what to roll out, in which stages (docs/spec/policy.md)"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_simulate[] = {
    {.name = "devices",
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .min = 1,
     .max = SERIN_SIM_DEVICES_MAX,
     .fallback = "1000",
     .help = "size of the fleet"},
    {.name = "gateways",
     .kind = SERIN_CLI_NUMBER,
     .value = "N",
     .min = 0,
     .max = SERIN_SIM_GATEWAYS_MAX,
     .fallback = "10",
     .help = "sites that it stands behind; 0: all devices are direct"},
    {.name = "seed",
     .kind = SERIN_CLI_NUMBER,
     .value = "S",
     .min = 0,
     .max = INT64_MAX,
     .help = "what chance begins with; without it a new one, which is printed"},
    {.name = "scenario",
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "what befalls the fleet (docs/spec/scenario.md); without it nothing does"},
    {.name = "timeline",
     .kind = SERIN_CLI_FILE,
     .value = "FILE",
     .help = "write what happened when, as CSV"},
    {.name = "expect",
     .kind = SERIN_CLI_TEXT,
     .value = "STATE",
     .word = rollout_state,
     .help = "exit status 4 where the rollout ends in another state"},
    {.name = "image-size",
     .kind = SERIN_CLI_TEXT,
     .value = "SIZE",
     .fallback = "8KiB",
     .help = "size of the image that each device fetches, 256 to 16MiB"},
    {.name = "beat",
     .kind = SERIN_CLI_DURATION,
     .value = "TIME",
     .min = 60000,
     .max = 86400000,
     .fallback = "1h",
     .help = "how often a device says how it is"},
    {.name = "limit",
     .kind = SERIN_CLI_DURATION,
     .value = "TIME",
     .min = 1000,
     .max = SERIN_SIM_TIME_MAX_MS,
     .fallback = "60d",
     .help = "when a rollout that has not come to its end is left alone"},
    {.name = "raises-counter",
     .kind = SERIN_CLI_FLAG,
     .help = "the release raises the security counter: a device that committed it takes nothing "
             "older, and no halt takes it back"},
    {.name = "unchecked",
     .kind = SERIN_CLI_FLAG,
     .help = "do not check the invariants, to see what that costs"},
    {.name = "verbose",
     .letter = 'v',
     .kind = SERIN_CLI_FLAG,
     .help = "say what the run cost, on standard error"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_reason[] = {
    {.name = "reason",
     .kind = SERIN_CLI_REASON,
     .value = "TEXT",
     .help = "why, for the audit log; `show` tells that of a pause, a halt and an abort"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_device_list[] = {
    {.name = "product", .kind = SERIN_CLI_NAME, .value = "P", .help = "only of this product"},
    {.name = "channel", .kind = SERIN_CLI_NAME, .value = "C", .help = "only on this channel"},
    {.name = "state",
     .kind = SERIN_CLI_STATE,
     .value = "STATE",
     .word = device_state,
     .help = "only those whose latest attempt is in this state"},
    {.name = "enrolment",
     .kind = SERIN_CLI_ENROLMENT,
     .value = "WORD",
     .word = enrolment,
     .help = "only those; pending ones wait for approval"},
    {.name = "gateway", .kind = SERIN_CLI_ID, .value = "GW", .help = "only nodes of this gateway"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_device_decide[] = {
    {.name = "gateway",
     .kind = SERIN_CLI_ID,
     .value = "GW",
     .help = "all devices that wait behind this gateway"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_device_move[] = {
    {.name = "to",
     .required = true,
     .kind = SERIN_CLI_ID,
     .value = "GW|direct",
     .help = "the gateway that speaks for it from now on, or direct: itself"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_audit_list[] = {
    {.name = "follow", .letter = 'f', .kind = SERIN_CLI_FLAG, .help = "go on as lines are added"},
    SERIN_CLI_END,
};

const struct serin_cli_option serin_cli_options_audit_verify[] = {
    {.name = "head",
     .kind = SERIN_CLI_TEXT,
     .value = "SEQ:HASH",
     .help = "a head that was kept elsewhere: what ends before it, or has another hash, is found"},
    {.name = "live", .kind = SERIN_CLI_FLAG, .help = "ask serind for its head, not --head"},
    {.name = "whole", .kind = SERIN_CLI_FLAG, .help = "the chain must begin with its first line"},
    SERIN_CLI_END,
};

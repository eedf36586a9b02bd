/*
 * What the commands of serin-agent share: exit codes, options, and the device that the
 * configuration describes.
 */
#ifndef SERIN_AGENT_PROGRAM_H
#define SERIN_AGENT_PROGRAM_H

#include <serin/adapters/agent_config.h>
#include <serin/device/boot.h>
#include <serin/ports/linux/file_flash.h>

/* Exit codes, the same for all programs of Serin (docs/serin-agent.md). */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,  /* a configuration or input file is wrong */
    EXIT_REFUSED = 4, /* verification, authorisation or state */
    EXIT_UNREACHABLE = 5,
    EXIT_NOT_FOUND = 6
};

/* The exit code that tells of `error`. */
enum exit_code exit_code_of(enum serin_error error);

/* Prints "serin-agent: …" as one line on stderr; returns `code`. */
enum exit_code complain(enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What the command line said; NULL and false where it said nothing. */
struct options {
    const char *config, *bundle, *trust, *socket, *slot, *output, *log;
    bool force, json;
    const char *operand; /* the first argument that is no option */
};

/* The device of a configuration: its flash file opened, its keys read. */
struct device {
    struct serin_agent_settings settings;
    struct serin_file_flash *flash; /* NULL before device_flash_open */
    struct serin_layout layout;
    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
    struct serin_boot boot; /* points into this structure: do not move it */
};

/* Loads the configuration and the root key. Complains and returns the exit code; the device is
 * closed in any case with device_close. */
enum exit_code device_load(struct device *device, const char *config);

/* Opens the flash file and checks that its layout is usable. */
enum exit_code device_flash_open(struct device *device, enum serin_file_flash_mode mode);

/* Takes an opened flash over and lays it out. */
enum exit_code device_flash_take(struct device *device, struct serin_file_flash *flash);

struct serin_file_flash_geometry device_geometry(const struct device *device);

void device_close(struct device *device);

/* The commands. */
enum exit_code command_provision(const struct options *options);
enum exit_code command_run(const struct options *options);
enum exit_code command_status(const struct options *options);
enum exit_code command_confirm(const struct options *options);
enum exit_code command_unhealthy(const struct options *options);
enum exit_code command_dump(const struct options *options);

#endif

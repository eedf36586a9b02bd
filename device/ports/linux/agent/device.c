/*
 * The device that a configuration describes (agent.h).
 */
#include "agent.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/wolfcrypt.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The version of this program in its role as bootloader; manifests may ask for a minimum. */
#define BOOTLOADER_VERSION 1u

enum exit_code exit_code_of(enum serin_error error)
{
    switch ((int)error) {
    case SERIN_ERR_OK:
        return EXIT_DONE;
    case SERIN_ERR_SIGNATURE:
    case SERIN_ERR_KEY:
    case SERIN_ERR_PRODUCT:
    case SERIN_ERR_CHANNEL:
    case SERIN_ERR_HARDWARE:
    case SERIN_ERR_DEVICE:
    case SERIN_ERR_COUNTER:
    case SERIN_ERR_BOOTLOADER:
    case SERIN_ERR_DIGEST:
    case SERIN_ERR_CRC:
    case SERIN_ERR_STATE:
    case SERIN_ERR_DENIED:
    case SERIN_ERR_EXISTS:
        return EXIT_REFUSED;
    case SERIN_ERR_CONFIG:
    case SERIN_ERR_FORMAT:
    case SERIN_ERR_TRUNCATED:
    case SERIN_ERR_TOO_LARGE:
    case SERIN_ERR_RESERVED:
    case SERIN_ERR_VERSION:
    case SERIN_ERR_FEATURE:
    case SERIN_ERR_INVALID:
    case SERIN_ERR_LAYOUT:
    case SERIN_ERR_UNSUPPORTED:
        return EXIT_CONFIG;
    case SERIN_ERR_NOT_FOUND:
        return EXIT_NOT_FOUND;
    default:
        return EXIT_FAILED;
    }
}

enum exit_code complain(enum exit_code code, const char *format, ...)
{
    char text[1536];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "serin-agent: %s\n", text);
    return code;
}

enum exit_code device_load(struct device *device, const char *config)
{
    struct serin_yaml_error error;
    struct serin_key_why why;
    *device = (struct device){0};
    if (serin_agent_settings_load(&device->settings, config, &error) != SERIN_OK) {
        return complain(EXIT_CONFIG, "%s", error.text);
    }
    device->settings.identity.bootloader = BOOTLOADER_VERSION;
    if (serin_key_read_public(device->settings.root_key, device->root_key, &why) != SERIN_OK) {
        return complain(EXIT_CONFIG, "%s", why.text);
    }
    return EXIT_DONE;
}

struct serin_file_flash_geometry device_geometry(const struct device *device)
{
    return (struct serin_file_flash_geometry){
        .size_bytes = device->settings.flash.size_bytes,
        .sector_size = device->settings.flash.sector_size,
        .write_unit = device->settings.flash.write_unit,
    };
}

enum exit_code device_flash_take(struct device *device, struct serin_file_flash *flash)
{
    const struct serin_flash *port = serin_file_flash_port(flash);
    const char *what = "flash.size is too small for two slots";
    device->flash = flash;
    if (serin_layout_default(port, &device->layout) != SERIN_OK ||
        serin_layout_check(port, &device->layout, &what) != SERIN_OK) {
        return complain(EXIT_CONFIG, "%s: the flash cannot be laid out: %s",
                        device->settings.flash.file, what);
    }
    device->boot = (struct serin_boot){
        .crypto = serin_wolfcrypt(),
        .flash = port,
        .layout = &device->layout,
        .root_key = device->root_key,
        .identity = &device->settings.identity,
    };
    return EXIT_DONE;
}

enum exit_code device_flash_open(struct device *device, enum serin_file_flash_mode mode)
{
    struct serin_file_flash_geometry geometry = device_geometry(device);
    struct serin_file_flash *flash = NULL;
    char why[SERIN_FILE_FLASH_WHY_SIZE];
    enum serin_error result =
        serin_file_flash_open(&flash, device->settings.flash.file, mode, &geometry, why);
    if (result == SERIN_ERR_NOT_FOUND) {
        return complain(EXIT_NOT_FOUND, "%s; make it with serin-agent provision", why);
    }
    if (result != SERIN_OK) {
        return complain(result == SERIN_ERR_BUSY ? EXIT_REFUSED : exit_code_of(result), "%s", why);
    }
    return device_flash_take(device, flash);
}

void device_close(struct device *device)
{
    serin_file_flash_close(device->flash);
    serin_agent_settings_free(&device->settings);
}

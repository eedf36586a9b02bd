/* Starting and ending the gateway (gateway.h). */
#define _POSIX_C_SOURCE 200809L
#include "gateway.h"

#include <serin/adapters/gateway_store.h>
#include <serin/adapters/log.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

enum serin_error gateway_fail(struct gateway *gateway, enum serin_error error, const char *format,
                              ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(gateway->why, sizeof gateway->why, format, arguments);
    va_end(arguments);
    return error;
}

/* Which boot of the machine this is: "6e2a0f0c-…", a UUID. Without it no boot is the one that
 * anything was heard in, so that leases count as over. */
static enum serin_error boot_id_read(struct gateway *gateway)
{
    char text[64] = "";
    char digits[2 * SERIN_BOOT_ID_SIZE + 1] = "";
    size_t count = 0;
    FILE *file = fopen(BOOT_ID_FILE, "re");
    if (file != NULL) {
        size_t size = fread(text, 1, sizeof text - 1, file);
        text[size] = '\0';
        (void)fclose(file);
    }
    for (const char *at = text; *at != '\0' && count < sizeof digits - 1; at++) {
        if (*at != '-') {
            digits[count++] = *at;
        }
    }
    if (serin_hex_decode(digits, gateway->boot_id, SERIN_BOOT_ID_SIZE) == SERIN_OK) {
        return SERIN_OK;
    }
    serin_log(SERIN_LOG_WARN, BOOT_ID_FILE " names no boot: every start counts as one");
    return gateway->crypto->ops->random(gateway->crypto->ctx, gateway->boot_id,
                                        SERIN_BOOT_ID_SIZE) == SERIN_OK
               ? SERIN_OK
               : gateway_fail(gateway, SERIN_ERR_CRYPTO, "no random bytes can be had");
}

static enum serin_error store_open(struct gateway *gateway)
{
    const struct serin_gateway_config *config = gateway->config;
    enum serin_error error =
        serin_lmdb_gateway_open(&gateway->lmdb, config->data_dir, config->store_size_bytes);
    switch ((int)error) {
    case SERIN_OK:
        gateway->store = serin_lmdb_gateway_port(gateway->lmdb);
        return SERIN_OK;
    case SERIN_ERR_BUSY:
        return gateway_fail(gateway, error, "data: another gateway has the store in %s",
                            config->data_dir);
    case SERIN_ERR_NOT_FOUND:
        return gateway_fail(gateway, SERIN_ERR_CONFIG, "data: the parent folder of %s is missing",
                            config->data_dir);
    default:
        return gateway_fail(gateway, error, "data: the store in %s cannot be opened: %s",
                            config->data_dir, serin_error_text(error));
    }
}

/* In this order, since words follow nodes on the uplink, and ask what orders are held. */
static enum serin_error open_all(struct gateway *gateway)
{
    static enum serin_error (*const steps[])(struct gateway * gateway) = {
        boot_id_read,       store_open,          gateway_meta_load,
        gateway_links_open, gateway_orders_open, gateway_bytes_open,
        gateway_words_open, gateway_status_open, gateway_links_start,
    };
    enum serin_error error = SERIN_OK;
    for (size_t i = 0; error == SERIN_OK && i < sizeof steps / sizeof steps[0]; i++) {
        error = steps[i](gateway);
    }
    if (error != SERIN_OK && gateway->why[0] == '\0') {
        (void)gateway_fail(gateway, error, "the start failed: %s", serin_error_text(error));
    }
    return error;
}

enum serin_error gateway_open(struct gateway *gateway, const struct serin_gateway_config *config)
{
    *gateway = (struct gateway){
        .config = config,
        .crypto = serin_wolfcrypt(),
        .codec = serin_protobufc(),
        .site_codec = serin_protobufc_site(),
    };
    gateway_clock(gateway);
    gateway->started_ms = gateway->mono_ms;
    enum serin_error error = open_all(gateway);
    if (error != SERIN_OK) {
        gateway_close(gateway);
    }
    return error;
}

void gateway_close(struct gateway *gateway)
{
    gateway_status_close(gateway);
    gateway_words_close(gateway);
    gateway_bytes_close(gateway);
    gateway_orders_close(gateway);
    gateway_links_close(gateway);
    if (gateway->lmdb != NULL) {
        gateway_meta_tick(gateway, true);
    }
    serin_lmdb_gateway_close(gateway->lmdb);
    gateway->lmdb = NULL;
}

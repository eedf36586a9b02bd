/*
 * `serin pack`: an image becomes a signed bundle (docs/spec/bundle.md).
 */
#include "commands.h"
#include "document.h"
#include "file.h"
#include "format.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/json.h>
#include <serin/adapters/keys.h>
#include <serin/host/bundle.h>

#include <stdlib.h>
#include <string.h>

static void fill_manifest(const struct serin_cli *cli, struct serin_manifest *manifest)
{
    const struct serin_cli_value *hardware = serin_cli_value(cli, "hw");
    const struct serin_cli_value *channels = serin_cli_value(cli, "channels");

    *manifest = (struct serin_manifest){
        .hw_min = hardware->hw_min,
        .hw_max = hardware->hw_max,
        .version = serin_cli_value(cli, "version")->version,
        .security_counter = (uint32_t)serin_cli_number(cli, "counter"),
        .load_address = (uint32_t)serin_cli_number(cli, "load-address"),
        .entry_address = (uint32_t)serin_cli_number(cli, "entry"),
        .slot_mask = (uint32_t)serin_cli_number(cli, "slots"),
        .bootloader_min = (uint32_t)serin_cli_number(cli, "bootloader-min"),
        .confirm_window_s = (uint16_t)(serin_cli_number(cli, "confirm-window") / 1000),
        .confirm_tries = (uint8_t)serin_cli_number(cli, "confirm-tries"),
        .created_s = cli->world->unix_time_s(),
    };
    (void)snprintf(manifest->product, sizeof(manifest->product), "%s",
                   serin_cli_text(cli, "product"));
    (void)snprintf(manifest->vendor, sizeof(manifest->vendor), "%s", serin_cli_text(cli, "vendor"));
    (void)snprintf(manifest->component, sizeof(manifest->component), "%s",
                   serin_cli_text(cli, "component"));
    memcpy(manifest->channels, channels->channels, sizeof(manifest->channels));
}

static void report(const struct serin_cli *cli, const struct serin_manifest *manifest,
                   const uint8_t id[SERIN_SHA256_SIZE], size_t bundle_size)
{
    const char *output = serin_cli_text(cli, "output");
    char hex[SERIN_SHA256_HEX_SIZE];
    char version[SERIN_VERSION_TEXT_SIZE];
    char size[SERIN_CLI_SHORT_SIZE];

    serin_hex_encode(id, SERIN_SHA256_SIZE, hex);
    serin_version_format(manifest->version, version);
    if (cli->json) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "file", output);
        serin_json_put_text(json, "manifest_id", hex);
        serin_json_put_text(json, "product", manifest->product);
        serin_json_put_text(json, "version", version);
        serin_json_put_number(json, "image_size", manifest->image_size_bytes);
        serin_json_put_number(json, "bundle_size", bundle_size);
        serin_cli_print_json(cli, json);
        return;
    }
    serin_cli_format_size(manifest->image_size_bytes, size);
    serin_cli_print(cli, "%s: %s %s, %s, manifest %s\n", output, manifest->product, version, size,
                    hex);
}

/* A slip behind -o must not cost a key or an image: only an older bundle is replaced. Told before
 * anything is signed. */
static enum serin_cli_exit check_output(const struct serin_cli *cli)
{
    static const char *const inputs[] = {"image", "key"};
    const char *output = serin_cli_text(cli, "output");

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        if (serin_cli_same_file(output, serin_cli_text(cli, inputs[i]))) {
            return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                                  "%s is the file of --%s; it is not overwritten", output,
                                  inputs[i]);
        }
    }
    if (serin_cli_exists(output) && !serin_cli_begins_with(output, SERIN_CLI_BUNDLE_MAGIC)) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                              "%s exists and is no bundle; it is not overwritten", output);
    }
    return SERIN_CLI_DONE;
}

/* Joins prefix and image in one file. */
static enum serin_cli_exit write_bundle(const struct serin_cli *cli, const uint8_t *prefix,
                                        size_t prefix_size, const uint8_t *image, size_t image_size)
{
    uint8_t *whole = malloc(prefix_size + image_size);

    if (whole == NULL) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "memory is exhausted");
    }
    memcpy(whole, prefix, prefix_size);
    memcpy(whole + prefix_size, image, image_size);
    SERIN_FAULT_POINT("cli.pack.signed");
    enum serin_cli_exit exit =
        serin_cli_write(cli, serin_cli_text(cli, "output"), whole, prefix_size + image_size, true);
    SERIN_FAULT_POINT("cli.pack.written");
    free(whole);
    return exit;
}

/* Signs the image with the key of --key and writes the bundle. */
static enum serin_cli_exit sign(const struct serin_cli *cli, struct serin_key_signer *key,
                                const uint8_t *image, size_t image_size)
{
    struct serin_signer port = serin_key_signer_port(key);
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    const char *field = "";
    uint8_t *prefix = NULL;
    size_t prefix_size = 0;

    fill_manifest(cli, &manifest);
    enum serin_error error = serin_bundle_build(cli->crypto, &port, &manifest, image, image_size,
                                                &prefix, &prefix_size, &field);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "cannot make the bundle: %s%s%s",
                              field, field[0] != '\0' ? ": " : "", serin_error_text(error));
    }
    serin_manifest_id(cli->crypto, prefix + SERIN_BUNDLE_HEADER_SIZE, id);
    enum serin_cli_exit exit = write_bundle(cli, prefix, prefix_size, image, image_size);
    if (exit == SERIN_CLI_DONE) {
        report(cli, &manifest, id, prefix_size + image_size);
    }
    free(prefix);
    return exit;
}

enum serin_cli_exit serin_cli_run_pack(struct serin_cli *cli)
{
    struct serin_key_why why = {.text = ""};
    struct serin_key_signer *key = NULL;
    uint8_t *image = NULL;
    size_t size = 0;

    enum serin_cli_exit exit = check_output(cli);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    enum serin_error error = serin_key_signer_open(&key, serin_cli_text(cli, "key"), &why);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
    }
    exit = serin_cli_read(cli, serin_cli_text(cli, "image"), (size_t)SERIN_IMAGE_SIZE_MAX, &image,
                          &size);
    if (exit == SERIN_CLI_DONE) {
        exit = sign(cli, key, image, size);
    }
    free(image);
    serin_key_signer_close(key);
    return exit;
}

/*
 * `serin inspect`: what a bundle, a manifest or a trust record says, without believing it.
 */
#include "commands.h"
#include "document.h"
#include "format.h"
#include "trust.h"

#include <serin/adapters/json.h>

#include <stdlib.h>
#include <string.h>

/* A manifest as texts. */
struct view {
    const struct serin_manifest *manifest;
    char id[SERIN_SHA256_HEX_SIZE], image[SERIN_SHA256_HEX_SIZE], pieces[SERIN_SHA256_HEX_SIZE];
    char version[SERIN_VERSION_TEXT_SIZE];
    char created[SERIN_CLI_TIME_SIZE];
    char signer[SERIN_CLI_KEY_SIZE];
    char crc32[9];
    char channels[SERIN_MANIFEST_CHANNELS * (SERIN_CHANNEL_MAX + 2)];
};

static void make_view(const struct serin_cli *cli, const struct serin_manifest *manifest,
                      const uint8_t *bytes, const struct serin_signature_area *area,
                      struct view *view)
{
    uint8_t id[SERIN_SHA256_SIZE];
    size_t used = 0;

    *view = (struct view){.manifest = manifest};
    serin_manifest_id(cli->crypto, bytes, id);
    serin_hex_encode(id, sizeof(id), view->id);
    serin_hex_encode(manifest->image_sha256, SERIN_SHA256_SIZE, view->image);
    serin_hex_encode(manifest->pieces_sha256, SERIN_SHA256_SIZE, view->pieces);
    serin_hex_encode(area->key_id, SERIN_KEY_ID_SIZE, view->signer);
    serin_version_format(manifest->version, view->version);
    serin_cli_format_time(manifest->created_s, view->created);
    (void)snprintf(view->crc32, sizeof(view->crc32), "%08x", manifest->image_crc32);
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS && manifest->channels[i][0] != '\0'; i++) {
        used += (size_t)snprintf(view->channels + used, sizeof(view->channels) - used, "%s%s",
                                 i > 0 ? ", " : "", manifest->channels[i]);
    }
}

static const char *slots_text(uint32_t mask)
{
    static const char *const texts[] = {"none", "A", "B", "A, B"};

    return texts[mask & 3u];
}

static void print_json(const struct serin_cli *cli, const struct serin_cli_document *document,
                       const struct view *view)
{
    const struct serin_manifest *manifest = view->manifest;
    struct serin_json *json = serin_json_object();
    struct serin_json *channels = serin_json_array();

    serin_json_put_text(json, "kind", serin_cli_document_kind_text(document->kind));
    serin_json_put_text(json, "manifest_id", view->id);
    serin_json_put_text(json, "product", manifest->product);
    serin_json_put_text(json, "vendor", manifest->vendor);
    serin_json_put_text(json, "component", manifest->component);
    serin_json_put_text(json, "version", view->version);
    serin_json_put_number(json, "security_counter", manifest->security_counter);
    serin_json_put_number(json, "hw_min", manifest->hw_min);
    serin_json_put_number(json, "hw_max", manifest->hw_max);
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS && manifest->channels[i][0] != '\0'; i++) {
        serin_json_add(channels, serin_json_text(manifest->channels[i]));
    }
    serin_json_put(json, "channels", channels);
    serin_json_put_number(json, "image_size", manifest->image_size_bytes);
    serin_json_put_text(json, "image_sha256", view->image);
    serin_json_put_text(json, "image_crc32", view->crc32);
    serin_json_put_text(json, "pieces_sha256", view->pieces);
    serin_json_put_number(json, "load_address", manifest->load_address);
    serin_json_put_number(json, "entry_address", manifest->entry_address);
    serin_json_put_text(json, "slots", slots_text(manifest->slot_mask));
    serin_json_put_number(json, "bootloader_min", manifest->bootloader_min);
    serin_json_put_number(json, "confirm_window_s", manifest->confirm_window_s);
    serin_json_put_number(json, "confirm_tries", manifest->confirm_tries);
    serin_json_put_text(json, "created", view->created);
    serin_json_put_text(json, "signed_by", view->signer);
    serin_cli_print_json(cli, json);
}

static void print_text(const struct serin_cli *cli, const struct serin_cli_document *document,
                       const struct view *view)
{
    const struct serin_manifest *manifest = view->manifest;

    serin_cli_print(cli, "kind              %s\n", serin_cli_document_kind_text(document->kind));
    serin_cli_print(cli, "manifest id       %s\n", view->id);
    serin_cli_print(cli, "product           %s\n", manifest->product);
    serin_cli_print(cli, "vendor            %s\n", manifest->vendor);
    serin_cli_print(cli, "component         %s\n", manifest->component);
    serin_cli_print(cli, "version           %s\n", view->version);
    serin_cli_print(cli, "security counter  %u\n", manifest->security_counter);
    serin_cli_print(cli, "hardware          %u to %u\n", manifest->hw_min, manifest->hw_max);
    serin_cli_print(cli, "channels          %s\n", view->channels);
    serin_cli_print(cli, "image             %u bytes, CRC-32 %s\n", manifest->image_size_bytes,
                    view->crc32);
    serin_cli_print(cli, "  SHA-256         %s\n", view->image);
    serin_cli_print(cli, "piece table       %s\n", view->pieces);
    serin_cli_print(cli, "load, entry       0x%08x, 0x%08x\n", manifest->load_address,
                    manifest->entry_address);
    serin_cli_print(cli, "slots             %s\n", slots_text(manifest->slot_mask));
    serin_cli_print(cli, "bootloader        at least %u\n", manifest->bootloader_min);
    serin_cli_print(cli, "confirmation      within %us or %u boots\n", manifest->confirm_window_s,
                    manifest->confirm_tries);
    serin_cli_print(cli, "created           %s\n", view->created);
    serin_cli_print(cli, "signed by         %s (not verified here; see 'serin verify')\n",
                    view->signer);
}

static enum serin_cli_exit show_manifest(const struct serin_cli *cli,
                                         const struct serin_cli_document *document)
{
    const uint8_t *bytes = document->bundle.manifest;
    size_t size = document->bundle.manifest_size;
    struct serin_signature_area area;
    struct serin_manifest manifest;
    struct view view;

    enum serin_error error =
        serin_signature_area_decode(bytes, size, SERIN_MANIFEST_BODY_SIZE, &area);
    if (error == SERIN_OK) {
        error = serin_manifest_decode(bytes, SERIN_MANIFEST_BODY_SIZE, &manifest);
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s: the manifest is not sound: %s",
                              document->path, serin_error_text(error));
    }
    make_view(cli, &manifest, bytes, &area, &view);
    if (cli->json) {
        print_json(cli, document, &view);
    } else {
        print_text(cli, document, &view);
    }
    return SERIN_CLI_DONE;
}

static enum serin_cli_exit show_trust(const struct serin_cli *cli,
                                      const struct serin_cli_document *document)
{
    struct serin_signature_area area = {.key_id = {0}};
    struct serin_trust trust = {.version = 0};

    enum serin_cli_exit exit =
        serin_cli_trust_open(cli, document->path, document->data, document->size, NULL, &trust);
    if (exit == SERIN_CLI_DONE &&
        serin_signature_area_decode(document->data, document->size, SERIN_TRUST_BODY_SIZE, &area) ==
            SERIN_OK) {
        serin_cli_trust_print(cli, &trust, area.key_id);
    }
    return exit;
}

enum serin_cli_exit serin_cli_run_inspect(struct serin_cli *cli)
{
    struct serin_cli_document document;
    enum serin_cli_exit exit = serin_cli_document_open(cli, cli->args.operands[0], &document);

    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    exit = document.kind == SERIN_CLI_TRUST_RECORD ? show_trust(cli, &document)
                                                   : show_manifest(cli, &document);
    serin_cli_document_close(&document);
    return exit;
}

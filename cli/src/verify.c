/*
 * `serin verify`: whether a device that trusts a record would take a file.
 */
#include "commands.h"
#include "document.h"
#include "file.h"
#include "format.h"
#include "trust.h"

#include <serin/adapters/json.h>
#include <serin/adapters/keys.h>

#include <stdlib.h>
#include <string.h>

static enum serin_cli_exit read_trust(const struct serin_cli *cli, struct serin_trust *trust)
{
    const char *path = serin_cli_text(cli, "trust");
    uint8_t *data = NULL;
    size_t size = 0;

    enum serin_cli_exit exit = serin_cli_read(cli, path, SERIN_TRUST_MAX, &data, &size);
    if (exit == SERIN_CLI_DONE) {
        exit = serin_cli_trust_open(cli, path, data, size, serin_cli_text(cli, "root"), trust);
    }
    free(data);
    return exit;
}

/* The verdict, in both forms. `what` names the part that failed, or is NULL. */
static enum serin_cli_exit tell(const struct serin_cli *cli,
                                const struct serin_cli_document *document, enum serin_error error,
                                const char *what)
{
    if (cli->json) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "kind", serin_cli_document_kind_text(document->kind));
        serin_json_put_bool(json, "valid", error == SERIN_OK);
        if (error != SERIN_OK) {
            serin_json_put_text(json, "code", serin_error_name(error));
            serin_json_put_text(json, "message", serin_error_text(error));
        }
        if (error != SERIN_OK && what != NULL) {
            serin_json_put_text(json, "part", what);
        }
        serin_cli_print_json(cli, json);
    }
    if (error == SERIN_OK) {
        return SERIN_CLI_DONE;
    }
    return serin_cli_fail(cli, serin_cli_exit_of(error), "%s is refused: %s%s%s", document->path,
                          what != NULL && what[0] != '\0' ? what : "",
                          what != NULL && what[0] != '\0' ? ": " : "", serin_error_text(error));
}

static void print_good(const struct serin_cli *cli, const struct serin_cli_document *document,
                       const struct serin_manifest *manifest, const uint8_t id[SERIN_SHA256_SIZE],
                       const struct serin_trust *trust)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    char version[SERIN_VERSION_TEXT_SIZE];

    if (cli->json) {
        return; /* told already */
    }
    serin_hex_encode(id, SERIN_SHA256_SIZE, hex);
    serin_version_format(manifest->version, version);
    serin_cli_print(cli, "%s: good: %s %s, manifest %s, signed by a key of trust record %u\n",
                    document->path, manifest->product, version, hex, trust->version);
}

static enum serin_cli_exit verify_manifest(const struct serin_cli *cli,
                                           const struct serin_cli_document *document)
{
    struct serin_trust trust;
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    const char *what = NULL;
    enum serin_error error = SERIN_OK;

    if (serin_cli_text(cli, "trust") == NULL) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "--trust FILE is missing: a %s is verified with "
                              "the keys of a trust record",
                              serin_cli_document_kind_text(document->kind));
    }
    enum serin_cli_exit exit = read_trust(cli, &trust);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    if (document->kind == SERIN_CLI_BUNDLE) {
        error = serin_bundle_verify(cli->crypto, &trust, &document->bundle, &manifest, id, &what);
    } else {
        error =
            serin_manifest_open(cli->crypto, &trust, document->data, document->size, &manifest, id);
    }
    exit = tell(cli, document, error, what);
    if (exit == SERIN_CLI_DONE) {
        print_good(cli, document, &manifest, id, &trust);
        if (serin_cli_text(cli, "root") == NULL) {
            serin_cli_note(cli, "%s itself is not verified; give --root to do so",
                           serin_cli_text(cli, "trust"));
        }
    }
    return exit;
}

static enum serin_cli_exit verify_trust(const struct serin_cli *cli,
                                        const struct serin_cli_document *document)
{
    struct serin_key_why why = {.text = ""};
    struct serin_trust trust;
    uint8_t root[SERIN_P256_PUBLIC_SIZE];
    const char *path = serin_cli_text(cli, "root");

    if (path == NULL) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "--root FILE is missing: a trust record is verified with the root's "
                              "public key");
    }
    enum serin_error error = serin_key_read_public(path, root, &why);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
    }
    error = serin_trust_open(cli->crypto, root, document->data, document->size, &trust);
    enum serin_cli_exit exit = tell(cli, document, error, NULL);
    if (exit == SERIN_CLI_DONE && !cli->json) {
        serin_cli_print(cli, "%s: good: trust record %u for %s with %zu keys\n", document->path,
                        trust.version, trust.product, trust.key_count);
    }
    return exit;
}

enum serin_cli_exit serin_cli_run_verify(struct serin_cli *cli)
{
    struct serin_cli_document document;
    enum serin_cli_exit exit = serin_cli_document_open(cli, cli->args.operands[0], &document);

    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    exit = document.kind == SERIN_CLI_TRUST_RECORD ? verify_trust(cli, &document)
                                                   : verify_manifest(cli, &document);
    serin_cli_document_close(&document);
    return exit;
}

/*
 * Opens bundles, manifests and trust records (document.h).
 */
#include "document.h"

#include "file.h"

#include <stdlib.h>
#include <string.h>

const char *serin_cli_document_kind_text(enum serin_cli_document_kind kind)
{
    static const char *const texts[] = {[SERIN_CLI_BUNDLE] = "bundle",
                                        [SERIN_CLI_MANIFEST] = "manifest",
                                        [SERIN_CLI_TRUST_RECORD] = "trust record"};

    return texts[kind];
}

static bool tell_kind(struct serin_cli_document *document)
{
    static const struct {
        char magic[5];
        enum serin_cli_document_kind kind;
    } kinds[] = {{SERIN_CLI_BUNDLE_MAGIC, SERIN_CLI_BUNDLE},
                 {"SRNM", SERIN_CLI_MANIFEST},
                 {"SRNT", SERIN_CLI_TRUST_RECORD}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (document->size >= 4 && memcmp(document->data, kinds[i].magic, 4) == 0) {
            document->kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

enum serin_cli_exit serin_cli_document_open(const struct serin_cli *cli, const char *path,
                                            struct serin_cli_document *document)
{
    *document = (struct serin_cli_document){.path = path};
    enum serin_cli_exit exit =
        serin_cli_read(cli, path, SERIN_CLI_DOCUMENT_MAX, &document->data, &document->size);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    if (!tell_kind(document)) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT,
                              "%s is neither a bundle nor a manifest nor a trust record", path);
    } else if (document->kind == SERIN_CLI_BUNDLE) {
        enum serin_error error =
            serin_bundle_split(document->data, document->size, &document->bundle);
        if (error != SERIN_OK) {
            exit = serin_cli_fail(cli, serin_cli_exit_of(error), "%s: not a sound bundle: %s", path,
                                  serin_error_text(error));
        }
    } else {
        document->bundle.manifest = document->data;
        document->bundle.manifest_size = document->size;
    }
    if (exit != SERIN_CLI_DONE) {
        serin_cli_document_close(document);
    }
    return exit;
}

void serin_cli_document_close(struct serin_cli_document *document)
{
    free(document->data);
    document->data = NULL;
}

/*
 * The three signed files that the release desk handles, told apart by their magic.
 */
#ifndef SERIN_CLI_DOCUMENT_H
#define SERIN_CLI_DOCUMENT_H

#include <serin/cli/cli.h>
#include <serin/host/bundle.h>

/* A bundle of the largest image, and its piece table and manifest. */
#define SERIN_CLI_DOCUMENT_MAX ((size_t)SERIN_IMAGE_SIZE_MAX / 128u * 129u + 65536u)

/* What a bundle begins with (docs/spec/bundle.md). */
#define SERIN_CLI_BUNDLE_MAGIC "SRNB"

enum serin_cli_document_kind {
    SERIN_CLI_BUNDLE = 1,
    SERIN_CLI_MANIFEST, /* alone, as in a depot */
    SERIN_CLI_TRUST_RECORD
};

struct serin_cli_document {
    enum serin_cli_document_kind kind;
    const char *path;
    uint8_t *data;
    size_t size;
    struct serin_bundle bundle; /* BUNDLE; of a MANIFEST its manifest alone */
};

/* Reads a file and splits it; nothing is verified. Complains. */
enum serin_cli_exit serin_cli_document_open(const struct serin_cli *cli, const char *path,
                                            struct serin_cli_document *document);
void serin_cli_document_close(struct serin_cli_document *document);

/* "bundle", "manifest", "trust record". */
const char *serin_cli_document_kind_text(enum serin_cli_document_kind kind);

#endif

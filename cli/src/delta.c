/*
 * `serin delta`: makes, applies and shows patches (docs/spec/delta.md).
 */
#include "commands.h"
#include "file.h"
#include "format.h"

#include <serin/adapters/divsufsort.h>
#include <serin/adapters/json.h>
#include <serin/host/delta.h>
#include <serin/manifest.h>

#include <stdlib.h>
#include <string.h>

#define PREFIX_HEX_SIZE (2u * SERIN_DELTA_PREFIX_SIZE + 1u)
#define PATCH_MAGIC     "SRND"
#define IMAGE_MAX       ((size_t)SERIN_IMAGE_SIZE_MAX)
#define PATCH_MAX       (2 * IMAGE_MAX)

/* A file in memory. */
struct content {
    uint8_t *bytes;
    size_t size;
};

static enum serin_cli_exit read_content(const struct serin_cli *cli, size_t operand, size_t max,
                                        struct content *content)
{
    return serin_cli_read(cli, cli->args.operands[operand], max, &content->bytes, &content->size);
}

static void prefix_of(const struct serin_cli *cli, const uint8_t *bytes, size_t size,
                      uint8_t prefix[SERIN_DELTA_PREFIX_SIZE])
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_sha256_of(cli->crypto, bytes, size, digest);
    memcpy(prefix, digest, SERIN_DELTA_PREFIX_SIZE);
}

static struct serin_json *header_json(const struct serin_delta_header *header)
{
    struct serin_json *json = serin_json_object();
    char hex[PREFIX_HEX_SIZE];

    serin_json_put_text(json, "back_end", serin_delta_backend_name(header->backend));
    serin_json_put_text(json, "architecture", serin_delta_arch_name(header->arch));
    serin_json_put_number(json, "ram", serin_delta_memory(header->backend));
    serin_json_put_number(json, "old_size", header->base_size);
    serin_hex_encode(header->base, SERIN_DELTA_PREFIX_SIZE, hex);
    serin_json_put_text(json, "old_sha256_prefix", hex);
    serin_json_put_number(json, "new_size", header->target_size);
    serin_hex_encode(header->target, SERIN_DELTA_PREFIX_SIZE, hex);
    serin_json_put_text(json, "new_sha256_prefix", hex);
    serin_json_put_number(json, "patch_size",
                          SERIN_DELTA_HEADER_SIZE + (uint64_t)header->patch_size);
    return json;
}

/* ---- make ---- */

/* A slip behind -o must not cost an image: only an older patch is replaced. */
static enum serin_cli_exit check_output(const struct serin_cli *cli)
{
    const char *output = serin_cli_text(cli, "output");

    for (size_t i = 0; i < cli->args.operand_count; i++) {
        if (serin_cli_same_file(output, cli->args.operands[i])) {
            return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                                  "%s is one of the images; it is not overwritten", output);
        }
    }
    if (serin_cli_exists(output) && !serin_cli_begins_with(output, PATCH_MAGIC)) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                              "%s exists and is no patch; it is not overwritten", output);
    }
    return SERIN_CLI_DONE;
}

static void report_made(const struct serin_cli *cli, const struct serin_delta_patch *patch)
{
    const char *output = serin_cli_text(cli, "output");
    char size[SERIN_CLI_SHORT_SIZE];

    if (cli->json) {
        struct serin_json *json = header_json(&patch->header);
        serin_json_put_text(json, "file", output);
        serin_cli_print_json(cli, json);
        return;
    }
    serin_cli_format_size(patch->size, size);
    serin_cli_print(
        cli, "%s: %s, %.2f %% of the image, back end %s, architecture %s\n", output, size,
        patch->header.target_size > 0
            ? 100.0 * (double)patch->size / (double)patch->header.target_size
            : 100.0,
        serin_delta_backend_name(patch->header.backend), serin_delta_arch_name(patch->header.arch));
}

static enum serin_cli_exit make(const struct serin_cli *cli, const struct content *old,
                                const struct content *new)
{
    struct serin_delta_job job = {.old = old->bytes,
                                  .new = new->bytes,
                                  .old_size = (uint32_t)old->size,
                                  .new_size = (uint32_t) new->size,
                                  .ram = serin_cli_number(cli, "ram") == 8 ? SERIN_DELTA_RAM_8K
                                                                           : SERIN_DELTA_RAM_16K,
                                  .suffixes = &serin_divsufsort};
    struct serin_delta_patch patch;

    prefix_of(cli, old->bytes, old->size, job.base);
    prefix_of(cli, new->bytes, new->size, job.target);
    enum serin_error error = serin_delta_make(&job, &patch);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "cannot make the patch: %s",
                              serin_error_text(error));
    }
    enum serin_cli_exit exit =
        serin_cli_write(cli, serin_cli_text(cli, "output"), patch.bytes, patch.size, true);
    if (exit == SERIN_CLI_DONE) {
        report_made(cli, &patch);
    }
    free(patch.bytes);
    return exit;
}

/* An old image is left out on purpose only: an empty file, or a word forgotten, is a slip. */
static enum serin_cli_exit check_operands(const struct serin_cli *cli, bool alone)
{
    if (cli->args.operand_count == (alone ? 1u : 2u)) {
        return SERIN_CLI_DONE;
    }
    return serin_cli_fail(cli, SERIN_CLI_USAGE,
                          alone ? "--no-base takes the new image alone"
                                : "the new image is missing; or is it to be compressed alone, with "
                                  "--no-base?");
}

enum serin_cli_exit serin_cli_run_delta_make(struct serin_cli *cli)
{
    struct content old = {0};
    struct content new = {0};
    bool alone = serin_cli_has(cli, "no-base");

    enum serin_cli_exit exit = check_operands(cli, alone);
    if (exit == SERIN_CLI_DONE) {
        exit = check_output(cli);
    }
    if (exit == SERIN_CLI_DONE && !alone) {
        exit = read_content(cli, 0, IMAGE_MAX, &old);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = read_content(cli, cli->args.operand_count - 1u, IMAGE_MAX, &new);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = make(cli, &old, &new);
    }
    free(old.bytes);
    free(new.bytes);
    return exit;
}

/* ---- apply, info ---- */

/* Reads a patch, and its header. Complains. */
static enum serin_cli_exit read_patch(const struct serin_cli *cli, size_t operand,
                                      struct content *patch, struct serin_delta_header *header)
{
    const char *path = cli->args.operands[operand];
    enum serin_cli_exit exit = read_content(cli, operand, PATCH_MAX, patch);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    if (patch->size < SERIN_DELTA_HEADER_SIZE ||
        memcmp(patch->bytes, PATCH_MAGIC, strlen(PATCH_MAGIC)) != 0) {
        return serin_cli_fail(cli, SERIN_CLI_INPUT, "%s is no patch", path);
    }
    enum serin_error error = serin_delta_header_read(patch->bytes, header);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_INPUT, "%s: %s", path, serin_error_text(error));
    }
    size_t whole = SERIN_DELTA_HEADER_SIZE + (size_t)header->patch_size;
    if (patch->size != whole) {
        return serin_cli_fail(cli, SERIN_CLI_INPUT, "%s has %zu bytes, where its header tells %zu",
                              path, patch->size, whole);
    }
    return SERIN_CLI_DONE;
}

/* Runs the decoder over files in memory: `image` has room for the new image. */
static enum serin_error decode(struct serin_delta *delta, const struct content *old,
                               const struct content *patch, uint8_t *image)
{
    size_t fed = SERIN_DELTA_HEADER_SIZE;
    size_t made = 0;
    for (;;) {
        enum serin_delta_want want;
        uint32_t from;
        uint32_t count;
        size_t size;
        const uint8_t *bytes;
        enum serin_error error = serin_delta_run(delta, &want);
        if (error != SERIN_OK) {
            return error;
        }
        switch (want) {
        case SERIN_DELTA_WANT_PATCH:
            fed += serin_delta_feed(delta, patch->bytes + fed, patch->size - fed);
            break;
        case SERIN_DELTA_WANT_OLD:
            serin_delta_old_want(delta, &from, &count);
            serin_delta_old(delta, old->bytes + from);
            break;
        case SERIN_DELTA_WANT_OUTPUT:
            bytes = serin_delta_output(delta, &size);
            memcpy(image + made, bytes, size);
            made += size;
            serin_delta_written(delta);
            break;
        case SERIN_DELTA_WANT_END:
        default:
            return SERIN_OK;
        }
    }
}

/* Makes the new image, and holds it against what the header says of it. */
static enum serin_error rebuild(const struct serin_cli *cli,
                                const struct serin_delta_header *header, const struct content *old,
                                const struct content *patch, struct content *image)
{
    uint8_t prefix[SERIN_DELTA_PREFIX_SIZE];
    size_t size = serin_delta_memory(header->backend);
    void *memory = malloc(size);
    struct serin_delta *delta;

    image->size = header->target_size;
    image->bytes = malloc(image->size + 1);
    enum serin_error error = SERIN_ERR_MEMORY;
    if (memory != NULL && image->bytes != NULL) {
        error = serin_delta_init(memory, size, header, (uint32_t)IMAGE_MAX, &delta);
    }
    if (error == SERIN_OK) {
        error = decode(delta, old, patch, image->bytes);
    }
    if (error == SERIN_OK) {
        prefix_of(cli, image->bytes, image->size, prefix);
        error = memcmp(prefix, header->target, sizeof prefix) == 0 ? SERIN_OK : SERIN_ERR_DIGEST;
    }
    free(memory);
    return error;
}

static enum serin_cli_exit apply(const struct serin_cli *cli,
                                 const struct serin_delta_header *header, const struct content *old,
                                 const struct content *patch)
{
    const char *output = serin_cli_text(cli, "output");
    uint8_t prefix[SERIN_DELTA_PREFIX_SIZE];
    struct content image = {0};
    char size[SERIN_CLI_SHORT_SIZE];

    const char *path = cli->args.operands[cli->args.operand_count - 1u];

    prefix_of(cli, old->bytes, old->size, prefix);
    if (old->size != header->base_size || memcmp(prefix, header->base, sizeof prefix) != 0) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED, "%s was made for another image than %s", path,
                              old->bytes != NULL ? cli->args.operands[0] : "none");
    }
    enum serin_error error = rebuild(cli, header, old, patch, &image);
    enum serin_cli_exit exit = SERIN_CLI_DONE;
    bool damaged = error == SERIN_ERR_FORMAT || error == SERIN_ERR_DIGEST;
    if (error != SERIN_OK) {
        exit = serin_cli_fail(cli, damaged ? SERIN_CLI_INPUT : serin_cli_exit_of(error), "%s%s: %s",
                              path, damaged ? " is damaged" : "", serin_error_text(error));
    } else {
        exit = serin_cli_write(cli, output, image.bytes, image.size, false);
    }
    if (exit == SERIN_CLI_DONE && !cli->json) {
        serin_cli_format_size(image.size, size);
        serin_cli_print(cli, "%s: %s\n", output, size);
    } else if (exit == SERIN_CLI_DONE) {
        struct serin_json *json = header_json(header);
        serin_json_put_text(json, "file", output);
        serin_cli_print_json(cli, json);
    }
    free(image.bytes);
    return exit;
}

enum serin_cli_exit serin_cli_run_delta_apply(struct serin_cli *cli)
{
    struct serin_delta_header header = {.backend = SERIN_DELTA_STORE};
    struct content old = {0};
    struct content patch = {0};

    if (serin_cli_exists(serin_cli_text(cli, "output"))) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED, "%s exists already; it is not overwritten",
                              serin_cli_text(cli, "output"));
    }
    size_t last = cli->args.operand_count - 1u;
    enum serin_cli_exit exit = read_patch(cli, last, &patch, &header);
    if (exit == SERIN_CLI_DONE && last == 0 && header.base_size > 0) {
        exit = serin_cli_fail(cli, SERIN_CLI_USAGE, "%s needs the old image that it was made for",
                              cli->args.operands[last]);
    }
    if (exit == SERIN_CLI_DONE && last > 0) {
        exit = read_content(cli, 0, IMAGE_MAX, &old);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = apply(cli, &header, &old, &patch);
    }
    free(old.bytes);
    free(patch.bytes);
    return exit;
}

enum serin_cli_exit serin_cli_run_delta_info(struct serin_cli *cli)
{
    struct serin_delta_header header = {.backend = SERIN_DELTA_STORE};
    struct content patch = {0};
    char base[PREFIX_HEX_SIZE];
    char target[PREFIX_HEX_SIZE];

    enum serin_cli_exit exit = read_patch(cli, 0, &patch, &header);
    if (exit == SERIN_CLI_DONE && cli->json) {
        serin_cli_print_json(cli, header_json(&header));
    } else if (exit == SERIN_CLI_DONE) {
        serin_hex_encode(header.base, SERIN_DELTA_PREFIX_SIZE, base);
        serin_hex_encode(header.target, SERIN_DELTA_PREFIX_SIZE, target);
        serin_cli_print(cli, "back end      %s, %zu bytes of RAM\n",
                        serin_delta_backend_name(header.backend),
                        serin_delta_memory(header.backend));
        serin_cli_print(cli, "architecture  %s\n", serin_delta_arch_name(header.arch));
        serin_cli_print(cli, "patch         %zu bytes\n", patch.size);
        if (header.base_size > 0) {
            serin_cli_print(cli, "old image     %u bytes, SHA-256 %s…\n", header.base_size, base);
        } else {
            serin_cli_print(cli, "old image     none: the new one, compressed\n");
        }
        serin_cli_print(cli, "new image     %u bytes, SHA-256 %s…\n", header.target_size, target);
    }
    free(patch.bytes);
    return exit;
}

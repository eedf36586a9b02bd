/*
 * `serin publish`, `serin trust publish`, `serin release list`: what the release desk hands to
 * serind.
 */
#include "api.h"
#include "commands.h"
#include "document.h"
#include "format.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/json.h>
#include <serin/cli/table.h>

#include <stdlib.h>
#include <string.h>

#define BAR_WIDTH 30u

/* A bar that redraws only when a tenth of a percent has changed. */
struct bar {
    const struct serin_cli *cli;
    unsigned shown; /* permille + 1; 0: nothing yet */
};

static void draw(void *ctx, uint64_t sent, uint64_t size)
{
    struct bar *bar = ctx;
    unsigned permille = size > 0 ? (unsigned)(sent * 1000 / size) : 1000;
    unsigned filled = permille * BAR_WIDTH / 1000;
    char text[BAR_WIDTH * 3 + 1] = "";
    char total[SERIN_CLI_SHORT_SIZE];

    if (permille + 1 == bar->shown) {
        return;
    }
    bar->shown = permille + 1;
    for (size_t i = 0; i < BAR_WIDTH; i++) {
        memcpy(text + i * 3, i < filled ? "\u2588" : "\u2591", 4); /* three bytes and the end */
    }
    serin_cli_format_size(size, total);
    (void)fprintf(bar->cli->world->err, "\r%s %3u.%u %% of %s", text, permille / 10, permille % 10,
                  total);
    (void)fflush(bar->cli->world->err);
}

/* A log's one line, written when the first bytes have gone: before that nobody is reached. */
struct announcement {
    const struct serin_cli *cli;
    const char *path;
    bool made;
};

static void announce(void *ctx, uint64_t sent, uint64_t size)
{
    struct announcement *announcement = ctx;
    char text[SERIN_CLI_SHORT_SIZE];

    if (sent > 0 && !announcement->made) {
        announcement->made = true;
        serin_cli_format_size(size, text);
        serin_cli_print(announcement->cli, "sending %s, %s\n", announcement->path, text);
    }
}

/* Sends a file. The bar is drawn on a terminal only; a log gets one line. */
static enum serin_cli_exit put(struct serin_cli *cli, const char *path,
                               const struct serin_cli_document *document,
                               struct serin_cli_answer *answer)
{
    struct bar bar = {.cli = cli};
    struct announcement announcement = {.cli = cli, .path = document->path};
    struct serin_cli_request request = {.method = "PUT",
                                        .path = path,
                                        .content_type = "application/octet-stream",
                                        .body = document->data,
                                        .body_size = document->size};

    if (cli->world->err_terminal && !cli->json) {
        request.progress = draw;
        request.progress_ctx = &bar;
    } else if (!cli->json) {
        request.progress = announce;
        request.progress_ctx = &announcement;
    }
    SERIN_FAULT_POINT("cli.publish.before");
    enum serin_cli_exit exit = serin_cli_ask(cli, &request, answer);
    SERIN_FAULT_POINT("cli.publish.answered");
    if (bar.shown != 0) {
        (void)fprintf(cli->world->err, "\r\x1b[K");
    }
    return exit;
}

/* A file that is broken here need not travel: serind would refuse it too, after the upload. */
static enum serin_cli_exit check_bundle(const struct serin_cli *cli,
                                        const struct serin_cli_document *document)
{
    struct serin_manifest manifest;
    const char *what = "";

    enum serin_error error =
        serin_bundle_verify(cli->crypto, NULL, &document->bundle, &manifest, NULL, &what);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s is damaged: %s: %s",
                              document->path, what, serin_error_text(error));
    }
    return SERIN_CLI_DONE;
}

enum serin_cli_exit serin_cli_run_publish(struct serin_cli *cli)
{
    struct serin_cli_document document;
    struct serin_cli_answer answer = {.text = NULL};

    enum serin_cli_exit exit = serin_cli_document_open(cli, cli->args.operands[0], &document);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    if (document.kind != SERIN_CLI_BUNDLE) {
        exit = serin_cli_fail(
            cli, SERIN_CLI_INPUT, "%s is a %s, not a bundle%s", document.path,
            serin_cli_document_kind_text(document.kind),
            document.kind == SERIN_CLI_TRUST_RECORD ? "; see 'serin trust publish'" : "");
    } else {
        exit = check_bundle(cli, &document);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = put(cli, "/v1/bundles", &document, &answer);
    }
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        serin_cli_print(cli, "published ");
        serin_cli_print_foreign(cli, serin_cli_member(answer.json, "product"), 0);
        serin_cli_print(cli, " ");
        serin_cli_print_foreign(cli, serin_cli_member(answer.json, "version"), 0);
        serin_cli_print(cli, ", manifest ");
        serin_cli_print_foreign(cli, serin_cli_member(answer.json, "manifest_id"), 0);
        serin_cli_print(cli, "\n");
    }
    serin_cli_answer_close(&answer);
    serin_cli_document_close(&document);
    return exit;
}

enum serin_cli_exit serin_cli_run_trust_publish(struct serin_cli *cli)
{
    struct serin_cli_document document;
    struct serin_cli_answer answer = {.text = NULL};

    enum serin_cli_exit exit = serin_cli_document_open(cli, cli->args.operands[0], &document);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    if (document.kind != SERIN_CLI_TRUST_RECORD) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT, "%s is a %s, not a trust record", document.path,
                              serin_cli_document_kind_text(document.kind));
    } else {
        exit = put(cli, "/v1/trust", &document, &answer);
    }
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        serin_cli_print(cli, "published\n");
    }
    serin_cli_answer_close(&answer);
    serin_cli_document_close(&document);
    return exit;
}

static void list_channels(const struct serin_json *release, char *out, size_t size)
{
    const struct serin_json *channels = serin_json_get(release, "channels");

    out[0] = '\0';
    for (size_t i = 0; i < serin_json_count(channels); i++) {
        size_t used = strlen(out);
        const char *channel = serin_json_as_text(serin_json_at(channels, i));
        (void)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "",
                       channel != NULL ? channel : "?");
    }
}

enum serin_cli_exit serin_cli_run_release_list(struct serin_cli *cli)
{
    static const struct serin_cli_column columns[] = {
        {.title = "MANIFEST"}, {.title = "PRODUCT"},  {.title = "VERSION", .right = true},
        {.title = "HARDWARE"}, {.title = "CHANNELS"}, {.title = "SIZE", .right = true},
        {.title = "PUBLISHED"}};
    struct serin_cli_answer answer;

    enum serin_cli_exit exit = serin_cli_get(cli, "/v1/releases", &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        const struct serin_json *releases = serin_json_get(answer.json, "releases");
        struct serin_cli_grid *grid = serin_cli_grid_open(columns, 7);
        for (size_t i = 0; i < serin_json_count(releases); i++) {
            const struct serin_json *release = serin_json_at(releases, i);
            char channels[160];
            char size[SERIN_CLI_SHORT_SIZE];
            list_channels(release, channels, sizeof(channels));
            serin_cli_format_size(serin_cli_count(release, "image_size"), size);
            serin_cli_grid_format(grid, "%.16s", serin_cli_member(release, "manifest_id"));
            serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(release, "product"));
            serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, serin_cli_member(release, "version"));
            serin_cli_grid_format(grid, "%u-%u", (unsigned)serin_cli_count(release, "hw_min"),
                                  (unsigned)serin_cli_count(release, "hw_max"));
            serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, channels);
            serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, size);
            serin_cli_grid_cell(grid, SERIN_CLI_DIM, serin_cli_member(release, "published"));
        }
        serin_cli_grid_print(cli, grid);
    }
    serin_cli_answer_close(&answer);
    return exit;
}

/*
 * Lists that come in pages (pages.h).
 */
#include "pages.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 10000u /* ten million elements; a server that pages for ever ends here */

static bool append(char path[SERIN_CLI_PATH_SIZE], const char *key, const char *value)
{
    size_t used = strlen(path);

    (void)snprintf(path + used, SERIN_CLI_PATH_SIZE - used, "&%s=", key);
    return serin_cli_encode(path, SERIN_CLI_PATH_SIZE, value);
}

bool serin_cli_add_filter(const struct serin_cli *cli, const char *option,
                          char path[SERIN_CLI_PATH_SIZE])
{
    const char *value = serin_cli_text(cli, option);

    return value == NULL || append(path, option, value);
}

/* Asks for the page after `after`, which becomes the next; "" when there is none. */
static enum serin_cli_exit ask_page(struct serin_cli *cli, const char *path, char after[256],
                                    struct serin_cli_answer *answer)
{
    char next[SERIN_CLI_PATH_SIZE];

    (void)snprintf(next, sizeof(next), "%s", path);
    if (after[0] != '\0' && !append(next, "after", after)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "the filters are too long");
    }
    enum serin_cli_exit exit = serin_cli_get(cli, next, answer);
    after[0] = '\0';
    if (exit == SERIN_CLI_DONE) {
        (void)snprintf(after, 256, "%s", serin_cli_member(answer->json, "next"));
    }
    return exit;
}

enum serin_cli_exit
serin_cli_each(struct serin_cli *cli, const char *path, const char *key,
               enum serin_cli_exit (*take)(void *ctx, const struct serin_json *element), void *ctx)
{
    enum serin_cli_exit exit = SERIN_CLI_DONE;
    char after[256] = "";
    bool more = true;

    for (size_t pages = 0; more && pages < PAGES_MAX; pages++) {
        struct serin_cli_answer answer = {.text = NULL};
        exit = ask_page(cli, path, after, &answer);
        const struct serin_json *elements =
            exit == SERIN_CLI_DONE ? serin_json_get(answer.json, key) : NULL;
        for (size_t i = 0; exit == SERIN_CLI_DONE && i < serin_json_count(elements); i++) {
            exit = take(ctx, serin_json_at(elements, i));
        }
        serin_cli_answer_close(&answer);
        more = exit == SERIN_CLI_DONE && after[0] != '\0';
    }
    return exit;
}

/* ---- lists ---- */

struct printing {
    struct serin_cli *cli;
    const struct serin_cli_list *list;
    struct serin_cli_grid *grid;
    size_t shown;
};

/* Into the table, or as an element of a JSON array. */
static enum serin_cli_exit print_element(void *ctx, const struct serin_json *element)
{
    struct printing *printing = ctx;

    if (printing->cli->json) {
        serin_cli_print_element(printing->cli, printing->list->key, printing->shown, element);
    } else {
        printing->list->row(printing->grid, element);
    }
    printing->shown++;
    return SERIN_CLI_DONE;
}

void serin_cli_print_element(const struct serin_cli *cli, const char *key, size_t shown,
                             const struct serin_json *element)
{
    char *text = element != NULL ? serin_json_print(element, NULL) : NULL;

    if (shown == 0) {
        serin_cli_print(cli, "{\"%s\":[", key);
    }
    if (text != NULL) {
        serin_cli_print(cli, "%s%s", shown == 0 ? "" : ",", text);
    }
    free(text);
}

enum serin_cli_exit serin_cli_print_list(struct serin_cli *cli, const struct serin_cli_list *list)
{
    struct printing printing = {.cli = cli, .list = list};

    printing.grid = serin_cli_grid_open(list->columns, list->column_count);
    enum serin_cli_exit exit = serin_cli_each(cli, list->path, list->key, print_element, &printing);
    if (exit == SERIN_CLI_DONE && !cli->json) {
        serin_cli_grid_print(cli, printing.grid);
        return exit;
    }
    if (exit == SERIN_CLI_DONE) {
        serin_cli_print_element(cli, list->key, printing.shown, NULL);
        serin_cli_print(cli, "],\"next\":null}\n");
    }
    serin_cli_grid_free(printing.grid);
    return exit;
}

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

/* One page: into the table, or as elements of a JSON array. */
static void take_page(const struct serin_cli *cli, const struct serin_cli_list *list,
                      struct serin_cli_grid *grid, const struct serin_json *elements, size_t *shown)
{
    for (size_t i = 0; i < serin_json_count(elements); i++, (*shown)++) {
        const struct serin_json *element = serin_json_at(elements, i);
        if (cli->json) {
            char *text = serin_json_print(element, NULL);
            serin_cli_print(cli, "%s%s", *shown == 0 ? "" : ",", text);
            free(text);
        } else {
            list->row(grid, element);
        }
    }
}

/* Asks for the page after `after`, which becomes the next; "" when there is none. */
static enum serin_cli_exit ask_page(struct serin_cli *cli, const struct serin_cli_list *list,
                                    struct serin_cli_grid *grid, char after[256], size_t *shown)
{
    struct serin_cli_answer answer = {.text = NULL};
    char path[SERIN_CLI_PATH_SIZE];
    bool first = after[0] == '\0';

    (void)snprintf(path, sizeof(path), "%s", list->path);
    if (!first && !append(path, "after", after)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "the filters are too long");
    }
    enum serin_cli_exit exit = serin_cli_get(cli, path, &answer);
    if (exit == SERIN_CLI_DONE) {
        if (first && cli->json) {
            serin_cli_print(cli, "{\"%s\":[", list->key);
        }
        take_page(cli, list, grid, serin_json_get(answer.json, list->key), shown);
        (void)snprintf(after, 256, "%s", serin_cli_member(answer.json, "next"));
    }
    serin_cli_answer_close(&answer);
    return exit;
}

enum serin_cli_exit serin_cli_print_list(struct serin_cli *cli, const struct serin_cli_list *list)
{
    struct serin_cli_grid *grid = serin_cli_grid_open(list->columns, list->column_count);
    char after[256] = "";
    size_t shown = 0;
    enum serin_cli_exit exit = ask_page(cli, list, grid, after, &shown);

    for (size_t pages = 1; exit == SERIN_CLI_DONE && after[0] != '\0' && pages < PAGES_MAX;
         pages++) {
        exit = ask_page(cli, list, grid, after, &shown);
    }
    if (exit == SERIN_CLI_DONE && cli->json) {
        serin_cli_print(cli, "],\"next\":null}\n");
    } else if (exit == SERIN_CLI_DONE) {
        serin_cli_grid_print(cli, grid);
        return exit;
    }
    serin_cli_grid_free(grid);
    return exit;
}

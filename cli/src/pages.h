/*
 * Lists of the API that come in pages (docs/spec/http-api.md): asked for page by page, shown as
 * one.
 */
#ifndef SERIN_CLI_PAGES_H
#define SERIN_CLI_PAGES_H

#include "api.h"

#include <serin/cli/table.h>

#define SERIN_CLI_PAGE      1000u
#define SERIN_CLI_PATH_SIZE 512u

struct serin_cli_list {
    const char *key;  /* of the array in the answers: "devices" */
    const char *path; /* with a query: what follows is "&after=…" */
    const struct serin_cli_column *columns;
    size_t column_count;
    void (*row)(struct serin_cli_grid *grid, const struct serin_json *element);
};

/* Appends "&key=value" to `path` where the option of that name is given. False: it does not fit. */
bool serin_cli_add_filter(const struct serin_cli *cli, const char *option,
                          char path[SERIN_CLI_PATH_SIZE]);

/* Asks for the pages of `path`, which has a query, and hands on the elements of the array `key`,
 * until there are no more or `take` gives anything but DONE, which is the result. */
enum serin_cli_exit
serin_cli_each(struct serin_cli *cli, const char *path, const char *key,
               enum serin_cli_exit (*take)(void *ctx, const struct serin_json *element), void *ctx);

/* Prints an element of a JSON array `key`, of which `shown` were printed before: the first one
 * opens an object for it, which the caller closes. NULL prints no element. */
void serin_cli_print_element(const struct serin_cli *cli, const char *key, size_t shown,
                             const struct serin_json *element);

/* Asks for all pages and prints them as a table, with --json as one object. */
enum serin_cli_exit serin_cli_print_list(struct serin_cli *cli, const struct serin_cli_list *list);

#endif

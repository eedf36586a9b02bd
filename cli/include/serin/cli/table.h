/*
 * A table of text with aligned columns. Memory exhaustion ends the process with a message, as in
 * serin/adapters/json.h.
 */
#ifndef SERIN_CLI_TABLE_H
#define SERIN_CLI_TABLE_H

#include <serin/cli/cli.h>

#define SERIN_CLI_COLUMNS_MAX 12u

struct serin_cli_column {
    const char *title;
    bool right; /* numbers stand right */
};

struct serin_cli_grid; /* opaque */

/* `columns` stay the caller's and outlive the grid; 1 .. SERIN_CLI_COLUMNS_MAX of them. */
struct serin_cli_grid *serin_cli_grid_open(const struct serin_cli_column *columns, size_t count);
/* Adds the next cell, row by row. Control characters become '?'; NULL and "" become "-". */
void serin_cli_grid_cell(struct serin_cli_grid *grid, enum serin_cli_colour colour,
                         const char *text);
__attribute__((format(printf, 2, 3))) void serin_cli_grid_format(struct serin_cli_grid *grid,
                                                                 const char *format, ...);
/* Prints title and rows (nothing but the title where there are none) and frees the grid. The last
 * row must be complete. */
void serin_cli_grid_print(const struct serin_cli *cli, struct serin_cli_grid *grid);

void serin_cli_grid_free(struct serin_cli_grid *grid); /* without printing */

/* How many columns of a terminal a UTF-8 text takes, for the alphabets that Serin prints: one each
 * code point. */
size_t serin_cli_width(const char *text);

#endif

/*
 * Aligned tables (serin/cli/table.h).
 */
#include <serin/assert.h>
#include <serin/cli/table.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 512u

struct cell {
    char *text;
    enum serin_cli_colour colour;
};

struct serin_cli_grid {
    const struct serin_cli_column *columns;
    size_t column_count;
    struct cell *cells;
    size_t count, capacity;
};

static void *must_have(void *memory)
{
    if (memory == NULL) {
        (void)fputs("serin: memory is exhausted\n", stderr);
        abort();
    }
    return memory;
}

struct serin_cli_grid *serin_cli_grid_open(const struct serin_cli_column *columns, size_t count)
{
    struct serin_cli_grid *grid = must_have(calloc(1, sizeof(*grid)));

    SERIN_ASSERT(count >= 1 && count <= SERIN_CLI_COLUMNS_MAX);
    grid->columns = columns;
    grid->column_count = count;
    return grid;
}

void serin_cli_grid_cell(struct serin_cli_grid *grid, enum serin_cli_colour colour,
                         const char *text)
{
    const char *shown = text != NULL && text[0] != '\0' ? text : "-";
    size_t size = strlen(shown);

    if (grid->count == grid->capacity) {
        grid->capacity = grid->capacity == 0 ? 64 : grid->capacity * 2;
        grid->cells = must_have(realloc(grid->cells, grid->capacity * sizeof(*grid->cells)));
    }
    char *copy = must_have(malloc(size + 1));
    for (size_t i = 0; i <= size; i++) {
        unsigned char byte = (unsigned char)shown[i];
        copy[i] = shown[i];
        if ((byte < 0x20 && byte != 0) || byte == 0x7f) {
            copy[i] = '?';
        }
    }
    grid->cells[grid->count++] = (struct cell){.text = copy, .colour = colour};
}

void serin_cli_grid_format(struct serin_cli_grid *grid, const char *format, ...)
{
    char text[CELL_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, text);
}

size_t serin_cli_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0u) != 0x80u ? 1 : 0;
    }
    return width;
}

static void measure(const struct serin_cli_grid *grid, size_t widths[SERIN_CLI_COLUMNS_MAX])
{
    for (size_t i = 0; i < grid->column_count; i++) {
        widths[i] = serin_cli_width(grid->columns[i].title);
    }
    for (size_t i = 0; i < grid->count; i++) {
        size_t width = serin_cli_width(grid->cells[i].text);
        size_t column = i % grid->column_count;
        widths[column] = width > widths[column] ? width : widths[column];
    }
}

/* One cell with its padding; the last one of a row has none behind it. */
static void print_cell(const struct serin_cli *cli, const struct serin_cli_grid *grid,
                       size_t column, size_t width, const struct cell *cell)
{
    int padding = (int)(width - serin_cli_width(cell->text));
    bool right = grid->columns[column].right;
    bool last = column + 1 == grid->column_count;
    bool coloured = cell->colour != SERIN_CLI_PLAIN;

    serin_cli_print(cli, "%*s%s%s%s%*s%s", right ? padding : 0, "",
                    coloured ? serin_cli_colour(cli, cell->colour) : "", cell->text,
                    coloured ? serin_cli_colour(cli, SERIN_CLI_PLAIN) : "",
                    right || last ? 0 : padding, "", last ? "\n" : "  ");
}

void serin_cli_grid_print(const struct serin_cli *cli, struct serin_cli_grid *grid)
{
    size_t widths[SERIN_CLI_COLUMNS_MAX];

    SERIN_ASSERT(grid->count % grid->column_count == 0);
    measure(grid, widths);
    for (size_t i = 0; i < grid->column_count; i++) {
        char title[64];
        (void)snprintf(title, sizeof(title), "%s", grid->columns[i].title);
        struct cell cell = {.text = title, .colour = SERIN_CLI_BOLD};
        print_cell(cli, grid, i, widths[i], &cell);
    }
    for (size_t i = 0; i < grid->count; i++) {
        size_t column = i % grid->column_count;
        print_cell(cli, grid, column, widths[column], &grid->cells[i]);
    }
    serin_cli_grid_free(grid);
}

void serin_cli_grid_free(struct serin_cli_grid *grid)
{
    for (size_t i = 0; i < grid->count; i++) {
        free(grid->cells[i].text);
    }
    free(grid->cells);
    free(grid);
}

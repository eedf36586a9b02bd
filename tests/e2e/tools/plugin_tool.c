/* Errors and files of the tools of the plugin's tests. */
#include "plugin_tool.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

void must(enum serin_error error, const char *what)
{
    if (error != SERIN_OK) {
        fail(what, serin_error_text(error));
    }
}

uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail(path, "cannot be read");
    }
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size + 1);
    if (data == NULL || fread(data, 1, *size, file) != *size) {
        fail(path, "cannot be read");
    }
    fclose(file);
    return data;
}

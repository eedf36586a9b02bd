/* What the tools of the plugin's tests share (plugin_tool.c). An error ends the program with a
 * line. */
#ifndef SERIN_TESTS_PLUGIN_TOOL_H
#define SERIN_TESTS_PLUGIN_TOOL_H

#include <serin/bytes.h>

_Noreturn void fail(const char *what, const char *why);
void must(enum serin_error error, const char *what);

/* A whole file, on the heap. */
uint8_t *read_file(const char *path, size_t *size);

/* plugin_payload.c: writes a payload of a kind to stdout, with options KEY=VALUE. Signatures in it
 * are not valid: the plugin does not check them, devices do. Returns the exit status. */
int payload(const char *kind, int count, char **given);

#endif

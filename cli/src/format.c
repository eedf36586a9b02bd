/*
 * Small texts (format.h).
 */
#include "format.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define BAR_WIDTH 20u
#define TIME_MAX  253402300799ull /* the last second of the year 9999 */

void serin_cli_format_time(uint64_t unix_s, char text[SERIN_CLI_TIME_SIZE])
{
    struct tm parts;
    time_t time = (time_t)unix_s;

    if (unix_s == 0 || unix_s > TIME_MAX || gmtime_r(&time, &parts) == NULL ||
        strftime(text, SERIN_CLI_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        (void)snprintf(text, SERIN_CLI_TIME_SIZE, "-");
    }
}

void serin_cli_format_size(uint64_t bytes, char text[SERIN_CLI_SHORT_SIZE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    double size = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        (void)snprintf(text, SERIN_CLI_SHORT_SIZE, "%u bytes", (unsigned)bytes);
        return;
    }
    while (size >= 1024 && unit < 2) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(text, SERIN_CLI_SHORT_SIZE, "%.1f %s", size, units[unit]);
}

void serin_cli_format_seconds(uint64_t seconds, char text[SERIN_CLI_SHORT_SIZE])
{
    static const struct {
        uint64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    const size_t count = sizeof(units) / sizeof(units[0]);
    size_t first = 0;

    /* The two largest units that are not zero tell enough. */
    while (first + 1 < count && seconds < units[first].seconds) {
        first++;
    }
    uint64_t whole = seconds / units[first].seconds;
    uint64_t rest = seconds % units[first].seconds;
    if (first + 1 < count && rest >= units[first + 1].seconds) {
        (void)snprintf(text, SERIN_CLI_SHORT_SIZE, "%llu%c %llu%c", (unsigned long long)whole,
                       units[first].unit, (unsigned long long)(rest / units[first + 1].seconds),
                       units[first + 1].unit);
    } else {
        (void)snprintf(text, SERIN_CLI_SHORT_SIZE, "%llu%c", (unsigned long long)whole,
                       units[first].unit);
    }
}

void serin_cli_print_bar(const struct serin_cli *cli, uint64_t part, uint64_t whole,
                         enum serin_cli_colour colour)
{
    double share = whole > 0 ? (double)part / (double)whole : 0;

    serin_cli_print(cli, "%s", serin_cli_colour(cli, colour));
    for (unsigned i = 0; i < BAR_WIDTH; i++) {
        serin_cli_print(cli, "%s", i + 1 <= share * BAR_WIDTH ? "\u2588" : "\u2591");
    }
    serin_cli_print(cli, "%s", serin_cli_colour(cli, SERIN_CLI_PLAIN));
}

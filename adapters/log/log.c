/*
 * The log on standard error (serin/adapters/log.h).
 */
#include <serin/adapters/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;  /* in configuration */
    const char *label; /* in the line */
} log_levels[] = {
    [SERIN_LOG_DEBUG] = {"debug", "DEBUG"},
    [SERIN_LOG_INFO] = {"info", "INFO"},
    [SERIN_LOG_WARN] = {"warn", "WARN"},
    [SERIN_LOG_ERROR] = {"error", "ERROR"},
};

static atomic_int log_lowest = SERIN_LOG_INFO;

void serin_log_level(enum serin_log_level level)
{
    atomic_store(&log_lowest, (int)level);
}

bool serin_log_level_text(const char *name)
{
    for (size_t i = 0; i < sizeof log_levels / sizeof *log_levels; i++) {
        if (strcmp(name, log_levels[i].name) == 0) {
            serin_log_level((enum serin_log_level)i);
            return true;
        }
    }
    return false;
}

bool serin_log_enabled(enum serin_log_level level)
{
    return (int)level >= atomic_load(&log_lowest);
}

/* Writes "2026-01-31T12:00:00.123Z INFO " and returns its length. */
static size_t log_prefix(enum serin_log_level level, char *line, size_t capacity)
{
    struct timespec now = {0};
    struct tm utc = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, capacity, "%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + used, capacity - used, ".%03dZ %s ", (int)(now.tv_nsec / 1000000),
                        log_levels[level].label);
    return used + (more > 0 ? (size_t)more : 0);
}

void serin_log(enum serin_log_level level, const char *format, ...)
{
    if (!serin_log_enabled(level)) {
        return;
    }
    int saved_errno = errno;
    char line[SERIN_LOG_LINE_MAX];
    size_t capacity = sizeof line - 1; /* for the newline */
    size_t start = log_prefix(level, line, capacity);

    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(line + start, capacity - start, format, arguments);
    va_end(arguments);
    size_t size = wanted > 0 ? (size_t)wanted : 0;
    size = size < capacity - start ? size : capacity - start - 1;

    for (char *p = line + start; p < line + start + size; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            *p = '?';
        }
    }
    line[start + size] = '\n';
    if (write(STDERR_FILENO, line, start + size + 1) < 0) {
        /* There is nowhere left to say so. */
    }
    errno = saved_errno;
}

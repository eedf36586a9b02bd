/*
 * The log: one line on standard error for each message.
 *
 *   2026-01-31T12:00:00.123Z INFO rollout started id=7 product=lamp
 *
 * Thread-safe. A line is written with a single write(2), so that lines of threads and of processes
 * that share a pipe or a file opened for appending do not mix. Control characters of the message
 * are shown as '?', so that hostile text cannot forge a second line. A line that is longer than
 * SERIN_LOG_LINE_MAX is cut. A line that cannot be written is lost: logging never fails, never
 * blocks longer than write(2) does, and keeps errno.
 */
#ifndef SERIN_ADAPTERS_LOG_H
#define SERIN_ADAPTERS_LOG_H

#include <stdbool.h>

#define SERIN_LOG_LINE_MAX 2048 /* bytes, with time, level and newline */

enum serin_log_level { SERIN_LOG_DEBUG, SERIN_LOG_INFO, SERIN_LOG_WARN, SERIN_LOG_ERROR };

/* Messages below `level` are dropped from now on; INFO at the start. */
void serin_log_level(enum serin_log_level level);

/* Sets the level by name: "debug", "info", "warn" or "error". False: another name; the level is
 * unchanged. */
bool serin_log_level_text(const char *name);

/* Whether a message of `level` would be written: for callers whose message is costly to make. */
bool serin_log_enabled(enum serin_log_level level);

/* Logs a message, printf-style, without newline. Text first, then key=value pairs. */
void serin_log(enum serin_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

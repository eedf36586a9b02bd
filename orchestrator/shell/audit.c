/* The audit log (audit.h). */
#define _POSIX_C_SOURCE 200809L
#include "audit.h"

#include "serind.h"
#include "text.h"

#include <serin/adapters/json.h>
#include <serin/adapters/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_MS  2000u
#define ALARM_KEY "audit"

static int open_file(const struct serind *serind)
{
    return open(serind->config->audit_file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

enum serin_error serind_audit_open(struct serind *serind)
{
    serind->audit = (struct serind_audit){.file = open_file(serind)};
    return serind->audit.file >= 0 ? SERIN_OK : SERIN_ERR_IO;
}

void serind_audit_reopen(struct serind *serind)
{
    serind_audit_flush(serind);
    int file = open_file(serind);
    if (file < 0) {
        serin_log(SERIN_LOG_ERROR, "cannot reopen the audit log file=%s: %s",
                  serind->config->audit_file, strerror(errno));
        return;
    }
    (void)close(serind->audit.file);
    serind->audit.file = file;
    serin_log(SERIN_LOG_INFO, "audit log reopened file=%s", serind->config->audit_file);
}

void serind_audit_close(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    if (audit->file >= 0) {
        serind_audit_flush(serind);
        (void)close(audit->file);
        audit->file = -1;
    }
    free(audit->held);
    audit->held = NULL;
    audit->held_size = audit->held_capacity = 0;
}

/* Appends a line with its newline to what is held; lines past the bound are counted, not kept. */
static void hold(struct serind_audit *audit, const char *line, size_t size)
{
    if (audit->held_size + size + 1 > SERIND_AUDIT_HELD_MAX) {
        audit->lost++;
        return;
    }
    if (audit->held_size + size + 1 > audit->held_capacity) {
        size_t capacity = (audit->held_size + size + 1) * 2;
        char *grown = realloc(audit->held, capacity);
        if (grown == NULL) {
            audit->lost++;
            return;
        }
        audit->held = grown;
        audit->held_capacity = capacity;
    }
    memcpy(audit->held + audit->held_size, line, size);
    audit->held_size += size;
    audit->held[audit->held_size++] = '\n';
}

void serind_audit(struct serind *serind, const struct serind_audit_line *line, const char *format,
                  ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    char time[SERIND_TIME_SIZE];
    serind_time_ms(serind->now_ms, time);
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "time", time);
    serin_json_put_text(object, "actor", line->actor != NULL ? line->actor : "serind");
    serin_json_put_text(object, "what", line->what);
    if (line->rollout != 0) {
        serin_json_put_number(object, "rollout", line->rollout);
    }
    if (line->device != NULL) {
        serin_json_put_text(object, "device", line->device);
    }
    if (line->topic != NULL) {
        serin_json_put_text(object, "topic", line->topic);
    }
    serin_json_put_text(object, "text", text);
    if (line->order.sequence != 0) {
        serin_json_put(object, "order", serind_order_json(line->order));
    }
    size_t size = 0;
    char *printed = serin_json_print(object, &size);
    hold(&serind->audit, printed, size);
    free(printed);
    serin_json_free(object);
}

/* Writes all that is held. What a failed write left behind of a line is made a line of its own by
 * the newline that goes before the next try; a reader skips what is no JSON. */
static bool write_out(struct serind_audit *audit)
{
    size_t done = 0;
    while (done < audit->held_size) {
        ssize_t written = write(audit->file, audit->held + done, audit->held_size - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            break;
        }
        done += (size_t)written;
    }
    if (done == audit->held_size) {
        audit->held_size = 0;
        return fdatasync(audit->file) == 0;
    }
    int reason = errno;
    /* Keep whole lines only: back to the start of the line that was cut. */
    while (done > 0 && audit->held[done - 1] != '\n') {
        done--;
    }
    memmove(audit->held, audit->held + done, audit->held_size - done);
    audit->held_size -= done;
    struct stat status;
    if (fstat(audit->file, &status) == 0 && status.st_size > 0) {
        (void)!write(audit->file, "\n", 1);
    }
    errno = reason;
    return false;
}

void serind_audit_flush(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    if (audit->held_size == 0 || audit->file < 0 || serind->mono_ms < audit->retry_at_ms) {
        return;
    }
    if (!write_out(audit)) {
        audit->retry_at_ms = serind->mono_ms + RETRY_MS;
        serind_alarm_raise(serind, ALARM_KEY,
                           "the audit log %s cannot be written (%s): make room or change its place",
                           serind->config->audit_file, strerror(errno));
        return;
    }
    audit->retry_at_ms = 0;
    if (serind_alarm_stands(serind, ALARM_KEY)) {
        uint64_t lost = audit->lost;
        audit->lost = 0;
        if (lost > 0) {
            serind_audit(serind, &(struct serind_audit_line){.what = "audit"},
                         "%llu lines were lost while the log could not be written",
                         (unsigned long long)lost);
        }
        serind_alarm_clear(serind, ALARM_KEY);
        (void)write_out(audit);
    }
}

void serind_audit_mark(struct serind *serind)
{
    serind->audit.mark = serind->audit.held_size;
}

void serind_audit_drop(struct serind *serind)
{
    serind->audit.held_size = serind->audit.mark;
}

/* Reads a stretch of the file that ends with a whole line. */
static enum serin_error read_stretch(const struct serind *serind, uint64_t after, char *buffer,
                                     size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity) {
        ssize_t got =
            pread(serind->audit.file, buffer + *size, capacity - *size, (off_t)(after + *size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return SERIN_ERR_IO;
        }
        if (got == 0) {
            break;
        }
        *size += (size_t)got;
    }
    while (*size > 0 && buffer[*size - 1] != '\n') {
        (*size)--;
    }
    return SERIN_OK;
}

enum serin_error serind_audit_read(const struct serind *serind, uint64_t after, unsigned limit,
                                   char **text, uint64_t *next)
{
    struct stat status;
    if (fstat(serind->audit.file, &status) != 0) {
        return SERIN_ERR_IO;
    }
    if (after > (uint64_t)status.st_size) {
        after = 0;
    }
    size_t capacity = (size_t)limit * 512u + SERIND_AUDIT_LINE_MAX;
    char *buffer = malloc(capacity + 1);
    if (buffer == NULL) {
        return SERIN_ERR_MEMORY;
    }
    size_t size = 0;
    enum serin_error error = read_stretch(serind, after, buffer, capacity, &size);
    if (error != SERIN_OK) {
        free(buffer);
        return error;
    }
    size_t end = 0;
    for (unsigned lines = 0; lines < limit && end < size; lines++) {
        end = (size_t)((char *)memchr(buffer + end, '\n', size - end) - buffer) + 1;
    }
    buffer[end] = '\0';
    *text = buffer;
    *next = after + end;
    return SERIN_OK;
}

/* The audit log (audit.h). */
#define _POSIX_C_SOURCE 200809L
#include "audit.h"

#include "serind.h"
#include "text.h"

#include <serin/adapters/fault.h>
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
#define STORE_MS  1000u
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

/* The new file's first line goes on with the chain. What was torn in the old one, and could not be
 * said there for want of room, is vouched for in the new one. */
static void change_file(struct serind *serind, int file)
{
    struct serind_audit *audit = &serind->audit;
    struct stat old, new;
    char last = '\n';
    bool known = fstat(audit->file, &old) == 0 && fstat(file, &new) == 0;
    if (known && (old.st_ino != new.st_ino || old.st_dev != new.st_dev)) {
        audit->newline_due =
            new.st_size > 0 && pread(file, &last, 1, new.st_size - 1) == 1 && last != '\n';
        audit->rest_at = (uint64_t) new.st_size;
    }
    (void)close(audit->file);
    audit->file = file;
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
    change_file(serind, file);
    serind_alarm_clear(serind, SERIND_AUDIT_CHAIN_KEY);
    serin_log(SERIN_LOG_INFO, "audit log reopened file=%s", serind->config->audit_file);
}

void serind_audit_close(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    if (audit->file >= 0) {
        audit->store_at_ms = 0;
        serind_audit_tend(serind);
        (void)close(audit->file);
        audit->file = -1;
    }
    free(audit->held);
    audit->held = NULL;
    audit->held_size = audit->held_capacity = 0;
}

/* ---- saying ---- */

/* Appends a line with its newline to what is held; lines past the bounds are counted, not kept. */
static void hold(struct serind_audit *audit, const char *line, size_t size)
{
    if (size > SERIN_AUDIT_OBJECT_MAX || audit->held_size + size + 1 > SERIND_AUDIT_HELD_MAX) {
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

static struct serin_json *line_json(const struct serind *serind,
                                    const struct serind_audit_line *line, const char *text)
{
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
    return object;
}

void serind_audit(struct serind *serind, const struct serind_audit_line *line, const char *format,
                  ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    size_t size = 0;
    struct serin_json *object = line_json(serind, line, text);
    char *printed = serin_json_print(object, &size);
    hold(&serind->audit, printed, size);
    free(printed);
    serin_json_free(object);
}

/* ---- writing ---- */

/* Takes a part of a line away again that a full disk left, so that no line is torn by it. Where the
 * file only ever grows (an append-only attribute) the next line vouches for it instead. */
static void cut_back(struct serind *serind, uint64_t at)
{
    struct serind_audit *audit = &serind->audit;
    bool newline_within = false;
    int reason = errno;
    struct stat status;
    bool longer = fstat(audit->file, &status) == 0 && (uint64_t)status.st_size > at;
    if (longer && ftruncate(audit->file, (off_t)at) != 0) {
        uint64_t from = audit->rest_due ? audit->rest_at : at;
        audit->rest_old = false;
        if (serind_audit_measure(serind, from, &newline_within) != SERIN_OK) {
            serin_log(SERIN_LOG_ERROR, "cannot read the end of the audit log: %s", strerror(errno));
        }
    }
    errno = reason;
}

/* Appends all of it or, but for what cut_back() says, nothing. */
static bool append(struct serind *serind, const char *bytes, size_t size)
{
    struct stat status;
    size_t done = 0;
    if (fstat(serind->audit.file, &status) != 0) {
        return false;
    }
    while (done < size) {
        ssize_t written = write(serind->audit.file, bytes + done, size - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            if (done > 0) {
                cut_back(serind, (uint64_t)status.st_size);
            }
            return false;
        }
        done += (size_t)written;
    }
    return true;
}

/* Gives a line its place in the chain and appends it, in one write with what must go before it. */
static bool append_line(struct serind *serind, const char *object, size_t size,
                        const struct serin_audit_rest *rest)
{
    struct serind_audit *audit = &serind->audit;
    struct serin_audit_head after;
    char line[1 + SERIND_AUDIT_LINE_MAX];
    size_t line_size = 0;
    size_t before = audit->newline_due ? 1 : 0;
    line[0] = '\n';
    if (serin_audit_seal(serind->crypto, object, size, rest, &audit->head, line + before,
                         &line_size, &after) != SERIN_OK) {
        errno = EMSGSIZE; /* hold() keeps none that is so long */
        return false;
    }
    line[before + line_size] = '\n';
    if (!append(serind, line, before + line_size + 1)) {
        return false;
    }
    audit->newline_due = false;
    audit->head = after;
    return true;
}

/* Says what stands before the next line, with a line that vouches for it. */
static bool append_rest(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    const struct serind_audit_line line = {.what = audit->rest_old ? "audit" : "torn"};
    char text[160];
    (void)snprintf(text, sizeof text,
                   audit->rest_old ? "the chain of this log begins here: %llu bytes before have no "
                                     "hashes"
                                   : "a crash or a full disk left %llu bytes of a line before this",
                   (unsigned long long)audit->rest.size);
    size_t size = 0;
    struct serin_json *object = line_json(serind, &line, text);
    char *printed = serin_json_print(object, &size);
    bool sound = append_line(serind, printed, size, &audit->rest);
    free(printed);
    serin_json_free(object);
    audit->rest_due = audit->rest_due && !sound;
    return sound;
}

/* Before a sound line that lacks its newline alone: by itself, so that no tear can begin with it.
 */
static bool append_newline(struct serind *serind)
{
    serind->audit.newline_due = !append(serind, "\n", 1);
    return !serind->audit.newline_due;
}

/* Writes all that is held; what cannot be written stays held, in whole lines. */
static bool write_out(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    size_t done = 0;
    bool sound =
        audit->rest_due ? append_rest(serind) : !audit->newline_due || append_newline(serind);
    while (sound && done < audit->held_size) {
        const char *line = audit->held + done;
        size_t size = (size_t)((const char *)memchr(line, '\n', audit->held_size - done) - line);
        sound = append_line(serind, line, size, NULL);
        done += sound ? size + 1 : 0;
    }
    int reason = errno;
    SERIN_FAULT_POINT("serind.audit.written");
    memmove(audit->held, audit->held + done, audit->held_size - done);
    audit->held_size -= done;
    if (fdatasync(audit->file) == 0) {
        audit->durable = audit->head;
        errno = reason;
        return sound;
    }
    return false;
}

void serind_audit_flush(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    if (!audit->begun || audit->held_size == 0 || serind->mono_ms < audit->retry_at_ms) {
        return;
    }
    if (!write_out(serind)) {
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
        (void)write_out(serind);
    }
}

/* ---- how far it goes ---- */

void serind_audit_put_head(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    if (!audit->begun) {
        return;
    }
    serind->meta.audit_seq = audit->durable.seq;
    memcpy(serind->meta.audit_hash, audit->durable.hash, sizeof audit->durable.hash);
    audit->store_at_ms = serind->mono_ms + STORE_MS;
}

/* A store that takes nothing now is asked again: its alarm is raised by the passes. */
static void store_head(struct serind *serind)
{
    const struct serin_store *store = &serind->store;
    const struct serin_meta_record before = serind->meta;
    serind_audit_put_head(serind);
    enum serin_error error = store->ops->begin(store->ctx, true);
    if (error == SERIN_OK) {
        error = store->ops->put_meta(store->ctx, &serind->meta);
        if (error == SERIN_OK) {
            error = store->ops->commit(store->ctx);
        } else {
            store->ops->abort(store->ctx);
        }
    }
    if (error != SERIN_OK) {
        serind->meta = before;
    }
}

void serind_audit_tend(struct serind *serind)
{
    const struct serind_audit *audit = &serind->audit;
    serind_audit_flush(serind);
    if (audit->begun && serind->mono_ms >= audit->store_at_ms &&
        audit->durable.seq != serind->meta.audit_seq) {
        store_head(serind);
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

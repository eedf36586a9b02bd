/*
 * Taking up the chain of the audit log (audit.h; docs/spec/audit.md, "At the start").
 *
 *   file … sound line, rest        the store's head S, the file's last sound line L
 *   ─────────────────────────────┬──────────────────────────────────────────────────────────────
 *   L.seq ≥ S.seq, no rest       │ go on behind L
 *   L.seq ≥ S.seq, torn rest     │ go on behind L, with a line that vouches for the rest
 *   L.seq < S.seq                │ lines are missing: alarm, and go on behind S: the gap stays
 *   no chained line, S.seq = 0   │ begin with seq 1, with a line that vouches for the old lines
 *   a fault, or S is another     │ alarm; nothing that was altered is vouched for
 */
#define _POSIX_C_SOURCE 200809L
#include "serind.h"

#include <serin/adapters/log.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALARM_KEY  SERIND_AUDIT_CHAIN_KEY
#define BLOCK_SIZE ((size_t)64 * 1024)
#define CHECK_MAX  ((uint64_t)64 * 1024 * 1024) /* of the file's end, judged at each start */

/* Gives the file's bytes from `from` on to `take`, in blocks. SERIN_ERR_IO, SERIN_ERR_MEMORY. */
static enum serin_error walk(int file, uint64_t from,
                             void (*take)(void *ctx, const char *bytes, size_t size), void *ctx)
{
    char *block = malloc(BLOCK_SIZE);
    if (block == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (;;) {
        ssize_t got = pread(file, block, BLOCK_SIZE, (off_t)from);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            free(block);
            return got == 0 ? SERIN_OK : SERIN_ERR_IO;
        }
        take(ctx, block, (size_t)got);
        from += (uint64_t)got;
    }
}

/* ---- the rest ---- */

/* A newline waits to be hashed until more comes: the last one ends the rest. */
struct rest_walk {
    const struct serin_crypto *crypto;
    struct serin_sha256 sha;
    uint64_t size;
    bool newline_waits, newline_within;
};

static void rest_update(struct rest_walk *walk, const char *bytes, size_t size)
{
    walk->crypto->ops->sha256_update(walk->crypto->ctx, &walk->sha, bytes, size);
    walk->size += size;
}

static void take_rest(void *ctx, const char *bytes, size_t size)
{
    struct rest_walk *walk = ctx;
    if (walk->newline_waits) {
        rest_update(walk, "\n", 1);
        walk->newline_within = true;
    }
    walk->newline_waits = bytes[size - 1] == '\n';
    size -= walk->newline_waits ? 1 : 0;
    walk->newline_within = walk->newline_within || memchr(bytes, '\n', size) != NULL;
    rest_update(walk, bytes, size);
}

enum serin_error serind_audit_measure(struct serind *serind, uint64_t from, bool *newline_within)
{
    struct serind_audit *audit = &serind->audit;
    struct rest_walk rest = {.crypto = serind->crypto};
    struct stat status;
    char last = '\n';
    rest.crypto->ops->sha256_init(rest.crypto->ctx, &rest.sha);
    if (fstat(audit->file, &status) != 0 || walk(audit->file, from, take_rest, &rest) != SERIN_OK ||
        (status.st_size > 0 && pread(audit->file, &last, 1, status.st_size - 1) != 1)) {
        return SERIN_ERR_IO;
    }
    *newline_within = rest.newline_within || rest.newline_waits;
    audit->newline_due = last != '\n';
    audit->rest_due = rest.size > 0 || rest.newline_waits;
    audit->rest_at = from;
    audit->rest.size = rest.size;
    rest.crypto->ops->sha256_final(rest.crypto->ctx, &rest.sha, audit->rest.sha256);
    return SERIN_OK;
}

/* ---- judging the file ---- */

static void take_lines(void *ctx, const char *bytes, size_t size)
{
    serin_audit_verifier_feed(ctx, bytes, size);
}

/* Where the last CHECK_MAX bytes begin with a whole line; 0 where that is all of the file. */
static uint64_t check_from(int file)
{
    struct stat status;
    char bytes[SERIN_AUDIT_LINE_MAX + 1];
    if (fstat(file, &status) != 0 || (uint64_t)status.st_size <= CHECK_MAX) {
        return 0;
    }
    uint64_t from = (uint64_t)status.st_size - CHECK_MAX;
    ssize_t got = pread(file, bytes, sizeof bytes, (off_t)from);
    const char *newline = got > 0 ? memchr(bytes, '\n', (size_t)got) : NULL;
    return newline != NULL ? from + (uint64_t)(newline - bytes) + 1 : 0;
}

static enum serin_error judge(struct serind *serind, const struct serin_audit_head *known,
                              uint64_t from, struct serin_audit_verdict *verdict)
{
    struct serin_audit_verifier *verifier = NULL;
    enum serin_error error =
        serin_audit_verifier_open(&verifier, serind->crypto, known->seq > 0 ? known : NULL);
    if (error != SERIN_OK) {
        return error;
    }
    serin_audit_verifier_file(verifier);
    error = walk(serind->audit.file, from, take_lines, verifier);
    *verdict = *serin_audit_verifier_end(verifier);
    verdict->sound_end += from;
    serin_audit_verifier_close(verifier);
    return error;
}

/* The end of the file is enough, unless what is looked for stands before it, or something is wrong:
 * that may be for want of what stands before it, such as the beginning of a log without hashes. */
static enum serin_error judge_end(struct serind *serind, const struct serin_audit_head *known,
                                  struct serin_audit_verdict *verdict)
{
    uint64_t from = check_from(serind->audit.file);
    enum serin_error error = judge(serind, known, from, verdict);
    if (error == SERIN_OK && from > 0 &&
        (verdict->fault_count > 0 || verdict->place == SERIN_AUDIT_HEAD_BEFORE)) {
        error = judge(serind, known, 0, verdict);
    }
    return error;
}

/* ---- what it means ---- */

/* The first fault that a crash cannot explain; NULL: there is none. */
static const struct serin_audit_fault *first_fault(const struct serin_audit_verdict *verdict)
{
    size_t kept = verdict->fault_count < SERIN_AUDIT_FAULTS_MAX ? verdict->fault_count
                                                                : SERIN_AUDIT_FAULTS_MAX;
    for (size_t i = 0; i < kept; i++) {
        enum serin_audit_fault_kind kind = verdict->faults[i].kind;
        if (kind != SERIN_AUDIT_TORN && kind != SERIN_AUDIT_BARE) {
            return &verdict->faults[i];
        }
    }
    return NULL;
}

static void say_fault(struct serind *serind, const struct serin_audit_fault *fault)
{
    char text[SERIN_AUDIT_TEXT_SIZE];
    serin_audit_fault_text(fault, text);
    serind_alarm_raise(serind, ALARM_KEY,
                       "the audit log is not as it was written: %s; see 'serin audit verify %.80s'",
                       text, serind->config->audit_file);
}

static void say_unreadable(struct serind *serind, enum serin_error error)
{
    serind_alarm_raise(serind, ALARM_KEY, "the audit log %.80s cannot be read: %s",
                       serind->config->audit_file, serin_error_text(error));
}

static void say_missing(struct serind *serind, const struct serin_audit_head *known,
                        const struct serin_audit_verdict *verdict, bool empty)
{
    uint64_t seq = known->seq;
    if (empty) {
        serind_alarm_raise(serind, ALARM_KEY,
                           "the audit log %.80s is new, and seq 1 to %llu were written before: "
                           "look whether they were rotated away or removed",
                           serind->config->audit_file, (unsigned long long)seq);
    } else {
        serind_alarm_raise(serind, ALARM_KEY,
                           "the audit log %.80s ends with seq %llu, and seq %llu was written: its "
                           "end was removed",
                           serind->config->audit_file, (unsigned long long)verdict->head.seq,
                           (unsigned long long)seq);
    }
}

/* Whether the next line may vouch for the rest: one line that a crash tore, or all of a log of
 * before there were hashes. Never what may have been altered. */
static bool may_vouch(const struct serin_audit_head *known,
                      const struct serin_audit_verdict *verdict, bool newline_within)
{
    if (verdict->lines == 0) {
        return known->seq == 0;
    }
    return verdict->head.seq >= known->seq && !newline_within;
}

static void take_up(struct serind *serind, const struct serin_audit_head *known,
                    const struct serin_audit_verdict *verdict)
{
    struct serind_audit *audit = &serind->audit;
    bool newline_within = false;
    bool behind = known->seq > verdict->head.seq;
    audit->head = behind ? *known : verdict->head;
    if (serind_audit_measure(serind, verdict->sound_end, &newline_within) != SERIN_OK) {
        say_unreadable(serind, SERIN_ERR_IO);
        return;
    }
    bool empty = verdict->lines == 0 && !audit->rest_due;
    audit->rest_due = audit->rest_due && may_vouch(known, verdict, newline_within);
    audit->rest_old = verdict->lines == 0;
    const struct serin_audit_fault *fault = first_fault(verdict);
    if (behind) {
        say_missing(serind, known, verdict, empty);
    } else if (fault != NULL) {
        say_fault(serind, fault);
    } else if (verdict->place == SERIN_AUDIT_HEAD_DIFFERS) {
        serind_alarm_raise(serind, ALARM_KEY,
                           "the audit log %.80s was written anew: seq %llu is not the line that "
                           "serind wrote",
                           serind->config->audit_file, (unsigned long long)known->seq);
    }
    serin_log(SERIN_LOG_INFO, "audit log taken up seq=%llu torn_bytes=%llu",
              (unsigned long long)audit->head.seq,
              (unsigned long long)(audit->rest_due ? audit->rest.size : 0));
}

void serind_audit_begin(struct serind *serind)
{
    struct serind_audit *audit = &serind->audit;
    struct serin_audit_head known = {.seq = serind->meta.audit_seq};
    struct serin_audit_verdict verdict;
    assert(!audit->begun && audit->file >= 0);
    memcpy(known.hash, serind->meta.audit_hash, sizeof known.hash);
    audit->begun = true;
    enum serin_error error = judge_end(serind, &known, &verdict);
    if (error == SERIN_OK) {
        take_up(serind, &known, &verdict);
    } else {
        audit->head = known;
        say_unreadable(serind, error);
    }
    audit->durable = audit->head;
}

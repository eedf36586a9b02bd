/*
 * The audit log's chain. The first byte chooses:
 *
 *   'r'  the rest is a log as it stands: judged the same in whatever pieces it comes, within bounds
 *   else the rest is what happens to a log, one byte each: lines, tears, rotations, harm. A log
 * that nobody harmed is sound, and harm is found.
 */
#include "fuzz.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/host/audit_chain.h>

#include <string.h>

#define STEPS_MAX 200u

static const struct serin_audit_verdict *judge_whole(struct serin_audit_verifier *verifier,
                                                     const uint8_t *data, size_t size)
{
    serin_audit_verifier_file(verifier);
    serin_audit_verifier_feed(verifier, data, size);
    return serin_audit_verifier_end(verifier);
}

static const struct serin_audit_verdict *judge_pieces(struct serin_audit_verifier *verifier,
                                                      const uint8_t *data, size_t size)
{
    serin_audit_verifier_file(verifier);
    for (size_t at = 0; at < size;) {
        size_t piece = 1 + data[at] % 61u;
        piece = piece < size - at ? piece : size - at;
        serin_audit_verifier_feed(verifier, data + at, piece);
        at += piece;
    }
    return serin_audit_verifier_end(verifier);
}

static void check_bounds(const struct serin_audit_verdict *verdict, size_t size)
{
    char text[SERIN_AUDIT_TEXT_SIZE];
    SERIN_ASSERT(verdict->sound_end <= size);
    SERIN_ASSERT((verdict->lines == 0) == (verdict->seq_first == 0));
    SERIN_ASSERT(verdict->fault_count > 0 ||
                 verdict->head.seq - verdict->seq_first + 1 == verdict->lines);
    for (size_t i = 0; i < verdict->fault_count && i < SERIN_AUDIT_FAULTS_MAX; i++) {
        serin_audit_fault_text(&verdict->faults[i], text);
        const char *word = serin_audit_fault_word(verdict->faults[i].kind);
        SERIN_ASSERT(strncmp(text, word, strlen(word)) == 0);
    }
}

static void check_same(const struct serin_audit_verdict *a, const struct serin_audit_verdict *b)
{
    SERIN_ASSERT(a->lines == b->lines && a->unchained == b->unchained && a->torn == b->torn);
    SERIN_ASSERT(a->seq_first == b->seq_first && a->head.seq == b->head.seq);
    SERIN_ASSERT(memcmp(a->head.hash, b->head.hash, sizeof a->head.hash) == 0);
    SERIN_ASSERT(a->sound_end == b->sound_end && a->fault_count == b->fault_count);
    for (size_t i = 0; i < a->fault_count && i < SERIN_AUDIT_FAULTS_MAX; i++) {
        SERIN_ASSERT(a->faults[i].kind == b->faults[i].kind);
        SERIN_ASSERT(a->faults[i].line == b->faults[i].line);
        SERIN_ASSERT(a->faults[i].seq_first == b->faults[i].seq_first);
        SERIN_ASSERT(a->faults[i].seq_last == b->faults[i].seq_last);
    }
}

static void raw(const uint8_t *data, size_t size)
{
    struct serin_audit_verifier *one = NULL;
    struct serin_audit_verifier *other = NULL;
    SERIN_ASSERT(serin_audit_verifier_open(&one, serin_wolfcrypt(), NULL) == SERIN_OK);
    SERIN_ASSERT(serin_audit_verifier_open(&other, serin_wolfcrypt(), NULL) == SERIN_OK);
    const struct serin_audit_verdict *whole = judge_whole(one, data, size);
    const struct serin_audit_verdict *pieces = judge_pieces(other, data, size);
    check_same(whole, pieces);
    check_bounds(whole, size);
    serin_audit_verifier_close(one);
    serin_audit_verifier_close(other);
}

/* ---- a log and what happens to it ---- */

struct story {
    struct serin_audit_verifier *verifier;
    struct serin_audit_head head;
    bool begun, harmed;
    size_t line_size, last_size;
    char line[SERIN_AUDIT_LINE_MAX + 1]; /* sealed last, with its newline */
    char last[SERIN_AUDIT_LINE_MAX + 1]; /* written last */
};

static void feed(struct story *story, const void *bytes, size_t size)
{
    serin_audit_verifier_feed(story->verifier, bytes, size);
}

static void seal(struct story *story, uint8_t byte, const struct serin_audit_rest *rest)
{
    char object[] = "{\"time\":\"2026-01-31T12:00:00.000Z\",\"text\":\"?\"}";
    struct serin_audit_head after;
    object[sizeof object - 4] = (char)('a' + byte % 26);
    SERIN_ASSERT(serin_audit_seal(serin_wolfcrypt(), object, sizeof object - 1, rest, &story->head,
                                  story->line, &story->line_size, &after) == SERIN_OK);
    story->line[story->line_size++] = '\n';
    story->head = after;
}

static void write_line(struct story *story)
{
    feed(story, story->line, story->line_size);
    memcpy(story->last, story->line, story->line_size);
    story->last_size = story->line_size;
    story->begun = true;
}

/* A write that a crash cut, closed by a newline at the next start, with the line that says so. */
static void tear(struct story *story, uint8_t byte)
{
    const struct serin_audit_head before = story->head;
    struct serin_audit_rest rest;
    seal(story, byte, NULL);
    rest.size = 1 + byte % (story->line_size - 2);
    serin_sha256_of(serin_wolfcrypt(), story->line, (size_t)rest.size, rest.sha256);
    feed(story, story->line, (size_t)rest.size);
    feed(story, "\n", 1);
    story->head = before;
    seal(story, byte, &rest);
    write_line(story);
}

static void act(struct story *story, uint8_t byte)
{
    switch (byte % 8) {
    case 0: /* a line is removed; before the first one that is no harm */
        seal(story, byte, NULL);
        story->harmed = story->harmed || story->begun;
        break;
    case 1: /* a line stands twice */
        if (story->begun) {
            feed(story, story->last, story->last_size);
            story->harmed = true;
        }
        break;
    case 2:
        seal(story, byte, NULL);
        story->line[byte % story->line_size] =
            (char)(story->line[byte % story->line_size] ^ (1 + byte % 127));
        write_line(story);
        story->harmed = true;
        break;
    case 3:
        tear(story, byte);
        break;
    case 4:
        serin_audit_verifier_file(story->verifier);
        break;
    default:
        seal(story, byte, NULL);
        write_line(story);
        break;
    }
}

static void happen(const uint8_t *data, size_t size)
{
    static struct story story;
    memset(&story, 0, sizeof story);
    SERIN_ASSERT(serin_audit_verifier_open(&story.verifier, serin_wolfcrypt(), NULL) == SERIN_OK);
    serin_audit_verifier_file(story.verifier);
    for (size_t i = 0; i < size && i < STEPS_MAX; i++) {
        act(&story, data[i]);
    }
    seal(&story, 0, NULL);
    write_line(&story);
    const struct serin_audit_verdict *verdict = serin_audit_verifier_end(story.verifier);
    SERIN_ASSERT((verdict->fault_count > 0) == story.harmed);
    SERIN_ASSERT(story.harmed || verdict->head.seq == story.head.seq);
    serin_audit_verifier_close(story.verifier);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'r') {
        raw(data + 1, size - 1);
    } else if (size > 0) {
        happen(data + 1, size - 1);
    }
    return 0;
}

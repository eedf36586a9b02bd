/*
 * Judging files of the audit log, line by line in bounded memory (serin/host/audit_chain.h).
 *
 * Bytes that are no sound line are gathered as "bare" until a sound line comes, which vouches for
 * them or not. Lines that are missing where they should stand are kept as gaps: one that comes
 * later was reordered, and what no line fills was removed.
 */
#include <serin/host/audit_chain.h>

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

#define GAPS_MAX 64u

/* Where something stands. */
struct spot {
    unsigned file;
    uint64_t line;
};

struct gap {
    uint64_t first, last;
    struct spot at;
};

/* Bytes since the last sound line that are none. */
struct bare {
    bool any, open; /* open: no newline ends them */
    uint64_t lines, size;
    struct spot first, last;
    struct serin_sha256 sha;
};

struct serin_audit_verifier {
    const struct serin_crypto *crypto;
    struct serin_audit_head known;
    bool known_given;

    struct spot at; /* of the line under way */
    unsigned files;
    char line[SERIN_AUDIT_LINE_MAX];
    size_t line_size;
    bool overlong; /* the line is longer than any of ours, and goes to `bare` as it comes */
    uint64_t offset;

    bool begun;      /* a sound line came */
    bool bare_files; /* files of before the chain had lines */
    struct bare bare;
    size_t gap_count;
    struct gap gaps[GAPS_MAX];
    struct serin_audit_verdict verdict;
};

enum serin_error serin_audit_verifier_open(struct serin_audit_verifier **verifier,
                                           const struct serin_crypto *crypto,
                                           const struct serin_audit_head *known)
{
    struct serin_audit_verifier *made = calloc(1, sizeof *made);
    *verifier = made;
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->crypto = crypto;
    if (known != NULL) {
        made->known = *known;
        made->known_given = true;
        made->verdict.place = SERIN_AUDIT_HEAD_MISSING;
    }
    return SERIN_OK;
}

void serin_audit_verifier_close(struct serin_audit_verifier *verifier)
{
    free(verifier);
}

/* ---- faults ---- */

/* In the order of the files; those that are found late (gaps) go to their place. */
static void add_fault(struct serin_audit_verifier *v, struct serin_audit_fault fault)
{
    struct serin_audit_verdict *verdict = &v->verdict;
    size_t kept = verdict->fault_count < SERIN_AUDIT_FAULTS_MAX ? verdict->fault_count
                                                                : SERIN_AUDIT_FAULTS_MAX;
    size_t place = kept;
    while (place > 0 && (verdict->faults[place - 1].file > fault.file ||
                         (verdict->faults[place - 1].file == fault.file &&
                          verdict->faults[place - 1].line > fault.line))) {
        place--;
    }
    verdict->fault_count++;
    if (place == SERIN_AUDIT_FAULTS_MAX) {
        return;
    }
    size_t behind = (kept < SERIN_AUDIT_FAULTS_MAX ? kept : SERIN_AUDIT_FAULTS_MAX - 1) - place;
    memmove(&verdict->faults[place + 1], &verdict->faults[place],
            behind * sizeof verdict->faults[0]);
    verdict->faults[place] = fault;
}

static void fault_here(struct serin_audit_verifier *v, enum serin_audit_fault_kind kind,
                       uint64_t seq_first, uint64_t seq_last)
{
    add_fault(v, (struct serin_audit_fault){.kind = kind,
                                            .file = v->at.file,
                                            .line = v->at.line,
                                            .line_last = v->at.line,
                                            .seq_first = seq_first,
                                            .seq_last = seq_last});
}

static void fault_bare(struct serin_audit_verifier *v, enum serin_audit_fault_kind kind,
                       uint64_t seq_first, uint64_t seq_last)
{
    const struct bare *bare = &v->bare;
    bool one_file = bare->last.file == bare->first.file;
    add_fault(v,
              (struct serin_audit_fault){.kind = kind,
                                         .file = bare->first.file,
                                         .line = bare->first.line,
                                         .line_last = one_file ? bare->last.line : bare->first.line,
                                         .seq_first = seq_first,
                                         .seq_last = seq_last});
}

/* ---- gaps ---- */

static void report_gap(struct serin_audit_verifier *v, const struct gap *gap)
{
    add_fault(v, (struct serin_audit_fault){.kind = SERIN_AUDIT_REMOVED,
                                            .file = gap->at.file,
                                            .line = gap->at.line,
                                            .line_last = gap->at.line,
                                            .seq_first = gap->first,
                                            .seq_last = gap->last});
}

/* Past the bound a gap is reported at once: a line of it that comes later is a fault of its own. */
static void add_gap(struct serin_audit_verifier *v, uint64_t first, uint64_t last)
{
    const struct gap gap = {.first = first, .last = last, .at = v->at};
    if (v->gap_count == GAPS_MAX) {
        report_gap(v, &gap);
        return;
    }
    v->gaps[v->gap_count++] = gap;
}

/* Takes a line that came late out of the gap that waited for it. */
static void fill_gap(struct serin_audit_verifier *v, uint64_t seq)
{
    for (size_t i = 0; i < v->gap_count; i++) {
        struct gap *gap = &v->gaps[i];
        if (seq < gap->first || seq > gap->last) {
            continue;
        }
        const struct gap upper = {.first = seq + 1, .last = gap->last, .at = gap->at};
        if (seq > gap->first) {
            gap->last = seq - 1;
        } else {
            *gap = v->gaps[--v->gap_count];
        }
        if (upper.first <= upper.last && v->gap_count < GAPS_MAX) {
            v->gaps[v->gap_count++] = upper;
        } else if (upper.first <= upper.last) {
            report_gap(v, &upper);
        }
        return;
    }
}

/* ---- bytes that are no line ---- */

static void bare_update(struct serin_audit_verifier *v, const char *bytes, size_t size)
{
    v->crypto->ops->sha256_update(v->crypto->ctx, &v->bare.sha, bytes, size);
    v->bare.size += size;
}

/* Goes on with the newline that separates two such lines, or begins. */
static void bare_begin(struct serin_audit_verifier *v)
{
    struct bare *bare = &v->bare;
    if (!bare->any) {
        *bare = (struct bare){.any = true, .first = v->at};
        v->crypto->ops->sha256_init(v->crypto->ctx, &bare->sha);
    } else {
        bare_update(v, "\n", 1);
    }
    bare->lines++;
    bare->last = v->at;
}

static bool bare_matches(struct serin_audit_verifier *v, const struct serin_audit_sealed *line)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    v->crypto->ops->sha256_final(v->crypto->ctx, &v->bare.sha, digest);
    return line->vouches && line->rest.size == v->bare.size &&
           serin_bytes_equal(digest, line->rest.sha256, sizeof digest);
}

/* A sound line stands behind bare bytes. The result is how many lines these may have been. */
static uint64_t settle(struct serin_audit_verifier *v, const struct serin_audit_sealed *line)
{
    uint64_t lines = v->bare.lines;
    uint64_t next = v->verdict.head.seq + 1;
    if (bare_matches(v, line)) {
        bool old = !v->begun && line->head.seq == 1; /* of before there were hashes */
        v->verdict.unchained += old ? lines : 0;
        v->verdict.torn += old ? 0 : 1;
        lines = 0;
    } else if (v->begun && line->head.seq > next) {
        fault_bare(v, SERIN_AUDIT_ALTERED, next, line->head.seq - 1);
    } else {
        fault_bare(v, SERIN_AUDIT_ALTERED, 0, 0);
    }
    v->bare.any = false;
    return lines;
}

/* ---- sound lines ---- */

static void look_for_known(struct serin_audit_verifier *v, const struct serin_audit_head *head)
{
    if (v->known_given && v->known.seq == head->seq) {
        v->verdict.place = memcmp(v->known.hash, head->hash, sizeof head->hash) == 0
                               ? SERIN_AUDIT_HEAD_MATCHED
                               : SERIN_AUDIT_HEAD_DIFFERS;
    }
}

static void begin(struct serin_audit_verifier *v, const struct serin_audit_sealed *line)
{
    struct serin_audit_verdict *verdict = &v->verdict;
    struct serin_audit_head before = {.seq = line->head.seq - 1};
    memcpy(before.hash, line->prev, sizeof before.hash);
    bool first = serin_bytes_all(line->prev, sizeof line->prev, 0);
    if (first != (before.seq == 0)) {
        fault_here(v, SERIN_AUDIT_FORGED, line->head.seq, line->head.seq);
    } else if (v->bare_files && before.seq > 0) {
        fault_here(v, SERIN_AUDIT_REMOVED, 1, before.seq);
    }
    v->begun = true;
    verdict->seq_first = line->head.seq;
    verdict->file_first = v->at.file;
    verdict->line_first = v->at.line;
    memcpy(verdict->prev_first, line->prev, sizeof line->prev);
    memcpy(verdict->time_first, line->time, sizeof line->time);
    look_for_known(v, &before);
}

/* A line at or above the place where the chain goes on. `bare_lines` unsound ones stand before it.
 */
static void go_on(struct serin_audit_verifier *v, const struct serin_audit_sealed *line,
                  uint64_t bare_lines)
{
    const struct serin_audit_head *head = &v->verdict.head;
    if (line->head.seq > head->seq + 1) {
        if (bare_lines == 0) {
            add_gap(v, head->seq + 1, line->head.seq - 1);
        }
    } else if (memcmp(line->prev, head->hash, sizeof head->hash) != 0) {
        fault_here(v, SERIN_AUDIT_FORGED, line->head.seq, line->head.seq);
    }
}

/* Whether the bytes that a line vouches for should have come: not before the first line of the
 * first file, where they are in a file that was not given, and not where the lines before it are a
 * fault themselves. */
static bool bytes_expected(const struct serin_audit_verifier *v,
                           const struct serin_audit_sealed *line)
{
    return v->begun ? line->head.seq == v->verdict.head.seq + 1 : v->at.file > 0 || v->at.line > 1;
}

static void take_line(struct serin_audit_verifier *v, const struct serin_audit_sealed *line)
{
    struct serin_audit_verdict *verdict = &v->verdict;
    uint64_t bare_lines = 0;
    if (v->bare.any) {
        bare_lines = settle(v, line);
    } else if (line->vouches && bytes_expected(v, line)) {
        fault_here(v, SERIN_AUDIT_REMOVED, 0, 0);
    }
    verdict->lines++;
    if (v->begun && line->head.seq <= verdict->head.seq) {
        fault_here(v, SERIN_AUDIT_REORDERED, line->head.seq, verdict->head.seq);
        fill_gap(v, line->head.seq);
        look_for_known(v, &line->head);
        return;
    }
    if (v->begun) {
        go_on(v, line, bare_lines);
    } else {
        begin(v, line);
    }
    verdict->head = line->head;
    memcpy(verdict->time_last, line->time, sizeof line->time);
    look_for_known(v, &line->head);
}

/* ---- bytes to lines ---- */

static void end_line(struct serin_audit_verifier *v, bool newline)
{
    struct serin_audit_sealed line;
    v->at.line++;
    if (!v->overlong && serin_audit_read(v->crypto, v->line, v->line_size, &line) == SERIN_OK) {
        take_line(v, &line);
        v->verdict.sound_end = v->offset;
    } else if (!v->overlong) {
        bare_begin(v);
        bare_update(v, v->line, v->line_size);
        v->bare.open = !newline;
    } else {
        v->bare.open = !newline;
    }
    v->line_size = 0;
    v->overlong = false;
}

/* A part of a line. Its spot counts from the line's end, so an overlong one is placed ahead. */
static void add_part(struct serin_audit_verifier *v, const char *bytes, size_t size)
{
    if (!v->overlong && size > SERIN_AUDIT_LINE_MAX - v->line_size) {
        v->at.line++;
        bare_begin(v);
        v->at.line--;
        bare_update(v, v->line, v->line_size);
        v->overlong = true;
    }
    if (v->overlong) {
        bare_update(v, bytes, size);
        return;
    }
    memcpy(v->line + v->line_size, bytes, size);
    v->line_size += size;
}

void serin_audit_verifier_feed(struct serin_audit_verifier *verifier, const void *data, size_t size)
{
    const char *bytes = data;
    SERIN_ASSERT(verifier->files > 0);
    while (size > 0) {
        const char *newline = memchr(bytes, '\n', size);
        size_t part = newline != NULL ? (size_t)(newline - bytes) : size;
        add_part(verifier, bytes, part);
        part += newline != NULL ? 1 : 0;
        verifier->offset += part;
        if (newline != NULL) {
            end_line(verifier, true);
        }
        bytes += part;
        size -= part;
    }
}

static void end_file(struct serin_audit_verifier *v)
{
    if (v->line_size > 0 || v->overlong) {
        end_line(v, false);
    }
}

void serin_audit_verifier_file(struct serin_audit_verifier *verifier)
{
    struct serin_audit_verifier *v = verifier;
    end_file(v);
    if (!v->begun && v->bare.any) { /* a whole file of before the chain: nobody vouches for it */
        v->verdict.unchained += v->bare.lines;
        v->bare_files = true;
        v->bare.any = false;
    }
    v->at = (struct spot){.file = v->files++};
    v->offset = 0;
    v->verdict.sound_end = 0;
}

/* ---- the verdict ---- */

static void end_bare(struct serin_audit_verifier *v)
{
    if (v->bare.any && v->begun) {
        bool torn = v->bare.open && v->bare.lines == 1;
        fault_bare(v, torn ? SERIN_AUDIT_TORN : SERIN_AUDIT_ALTERED, 0, 0);
    } else if (v->bare.any) {
        v->verdict.unchained += v->bare.lines;
    }
    v->bare.any = false;
}

static void place_known(struct serin_audit_verifier *v)
{
    struct serin_audit_verdict *verdict = &v->verdict;
    if (verdict->place != SERIN_AUDIT_HEAD_MISSING) {
        return;
    }
    if (v->known.seq > verdict->head.seq) {
        verdict->place = SERIN_AUDIT_HEAD_BEHIND;
    } else if (v->known.seq + 1 < verdict->seq_first) {
        verdict->place = SERIN_AUDIT_HEAD_BEFORE;
    }
}

const struct serin_audit_verdict *serin_audit_verifier_end(struct serin_audit_verifier *verifier)
{
    struct serin_audit_verifier *v = verifier;
    end_file(v);
    end_bare(v);
    for (size_t i = 0; i < v->gap_count; i++) {
        report_gap(v, &v->gaps[i]);
    }
    v->gap_count = 0;
    if (!v->begun) {
        add_fault(v, (struct serin_audit_fault){.kind = SERIN_AUDIT_BARE});
    }
    place_known(v);
    return &v->verdict;
}

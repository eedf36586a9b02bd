/*
 * Faults of the audit log in words (serin/host/audit_chain.h).
 */
#include <serin/host/audit_chain.h>

#include <serin/assert.h>

#include <inttypes.h>
#include <stdio.h>

const char *serin_audit_fault_word(enum serin_audit_fault_kind kind)
{
    static const char *const words[SERIN_AUDIT_FAULT_COUNT] = {
        [SERIN_AUDIT_ALTERED] = "altered",     [SERIN_AUDIT_REMOVED] = "removed",
        [SERIN_AUDIT_REORDERED] = "reordered", [SERIN_AUDIT_FORGED] = "forged",
        [SERIN_AUDIT_TORN] = "torn",           [SERIN_AUDIT_BARE] = "unchained",
    };
    SERIN_ASSERT(kind > 0 && kind < SERIN_AUDIT_FAULT_COUNT);
    return words[kind];
}

/* "seq 12", "seq 12 to 14". */
static void print_span(const struct serin_audit_fault *fault, char text[64])
{
    int size = snprintf(text, 64, "seq %" PRIu64, fault->seq_first);
    if (fault->seq_last > fault->seq_first) {
        (void)snprintf(text + size, 64 - (size_t)size, " to %" PRIu64, fault->seq_last);
    }
}

static void text_altered(const struct serin_audit_fault *fault, const char *span, char *text)
{
    bool known = fault->seq_first != 0;
    if (fault->line_last > fault->line) {
        (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE,
                       "altered: from here to line %" PRIu64 " no line has the hash of its "
                       "bytes%s%s%s",
                       fault->line_last, known ? "; " : "", known ? span : "",
                       known ? " missing" : "");
    } else {
        (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE,
                       "altered: the line has not the hash of its bytes%s%s%s", known ? "; " : "",
                       known ? span : "", known ? " missing" : "");
    }
}

static void text_removed(const struct serin_audit_fault *fault, const char *span, char *text)
{
    (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE, "removed: %s missing before this line",
                   fault->seq_first != 0 ? span : "the bytes that it vouches for are");
}

static void text_reordered(const struct serin_audit_fault *fault, char *text)
{
    if (fault->seq_first == fault->seq_last) {
        (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE, "reordered: seq %" PRIu64 " stands here again",
                       fault->seq_first);
        return;
    }
    (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE,
                   "reordered: seq %" PRIu64 " stands behind seq %" PRIu64, fault->seq_first,
                   fault->seq_last);
}

void serin_audit_fault_text(const struct serin_audit_fault *fault, char text[SERIN_AUDIT_TEXT_SIZE])
{
    char span[64];
    print_span(fault, span);
    switch (fault->kind) {
    case SERIN_AUDIT_ALTERED:
        text_altered(fault, span, text);
        break;
    case SERIN_AUDIT_REMOVED:
        text_removed(fault, span, text);
        break;
    case SERIN_AUDIT_REORDERED:
        text_reordered(fault, text);
        break;
    case SERIN_AUDIT_FORGED:
        (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE,
                       "forged: seq %" PRIu64 " is not chained to the line before it",
                       fault->seq_first);
        break;
    case SERIN_AUDIT_TORN:
        (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE,
                       "torn: the file ends within a line; serind says so at its next start");
        break;
    case SERIN_AUDIT_BARE:
    case SERIN_AUDIT_FAULT_COUNT:
        (void)snprintf(text, SERIN_AUDIT_TEXT_SIZE, "unchained: no line has a hash");
        break;
    }
}

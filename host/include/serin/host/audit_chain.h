/*
 * The hash chain of the audit log (docs/spec/audit.md): sealing a line, reading one, and judging
 * whole files.
 *
 *   {"time":"…", … ,"seq":12,"prev":"<64 digits>","hash":"<64 digits>"}\n
 *   └──────────── hashed: the bytes as they stand ──┘
 *
 *   line     = object [ "," rest ] "," seq "," prev "," hash "}" "\n"
 *   rest     = "unchained":{"size":NUMBER,"sha256":"HEX"}
 *   seq      = "seq":NUMBER            from 1, one more than in the line before
 *   prev     = "prev":"HEX"            the hash of the line before; of the first line 64 zeros
 *   hash     = "hash":"HEX"            SHA-256("serin/audit/1\0" ‖ the line up to and without
 * ,"hash":) NUMBER   = decimal without leading zeros, at most 2^63 - 1; HEX = 64 lower-case digits
 *
 * A reader never re-serialises JSON: what is hashed is what is on the disk. Members end a line, so
 * that they are found from its end, whatever stands before them.
 *
 * Bytes that are no such line (what a crash left of one, or a log of before there were hashes) are
 * accepted where the next line vouches for them: its `unchained` gives their size and hash, without
 * the newline that ends them.
 */
#ifndef SERIN_HOST_AUDIT_CHAIN_H
#define SERIN_HOST_AUDIT_CHAIN_H

#include <serin/crypto.h>

#define SERIN_AUDIT_LINE_MAX    ((size_t)8192) /* without its newline */
#define SERIN_AUDIT_TRAILER_MAX ((size_t)384)  /* what sealing adds at most */
#define SERIN_AUDIT_OBJECT_MAX  (SERIN_AUDIT_LINE_MAX - SERIN_AUDIT_TRAILER_MAX)
#define SERIN_AUDIT_TIME_SIZE   32u
#define SERIN_AUDIT_FAULTS_MAX  32u
#define SERIN_AUDIT_TEXT_SIZE   256u
#define SERIN_AUDIT_HEAD_SIZE   88u /* of "SEQ:HASH" with its terminator */

/* How far a chain goes: its last line. All zero: no line yet. */
struct serin_audit_head {
    uint64_t seq;
    uint8_t hash[SERIN_SHA256_SIZE];
};

/* Bytes before a line that are no line themselves. */
struct serin_audit_rest {
    uint64_t size;
    uint8_t sha256[SERIN_SHA256_SIZE];
};

/* What a line says of its place in the chain. */
struct serin_audit_sealed {
    struct serin_audit_head head; /* its own */
    uint8_t prev[SERIN_SHA256_SIZE];
    bool vouches; /* for `rest` */
    struct serin_audit_rest rest;
    char time[SERIN_AUDIT_TIME_SIZE]; /* of its first member; "" where that is no time */
};

/* Seals a JSON object of at least one member and at most SERIN_AUDIT_OBJECT_MAX bytes as the line
 * behind `before`, which vouches for `rest` unless that is NULL. `line` holds it without a newline,
 * and `*after` is its head; nothing is chained until the caller has written it.
 * SERIN_ERR_TOO_LARGE. Anything but an object is a programmer error. */
SERIN_MUST_USE enum serin_error serin_audit_seal(const struct serin_crypto *crypto,
                                                 const char *object, size_t size,
                                                 const struct serin_audit_rest *rest,
                                                 const struct serin_audit_head *before,
                                                 char line[SERIN_AUDIT_LINE_MAX], size_t *line_size,
                                                 struct serin_audit_head *after);

/* Reads a line without its newline. SERIN_ERR_FORMAT: it is no chained line. SERIN_ERR_DIGEST: it
 * has the form of one, and not the hash. `sealed` is then unspecified. */
SERIN_MUST_USE enum serin_error serin_audit_read(const struct serin_crypto *crypto,
                                                 const char *line, size_t size,
                                                 struct serin_audit_sealed *sealed);

/* "SEQ:HASH" and back. SERIN_ERR_FORMAT. */
void serin_audit_head_print(const struct serin_audit_head *head, char text[SERIN_AUDIT_HEAD_SIZE]);
SERIN_MUST_USE enum serin_error serin_audit_head_parse(const char *text,
                                                       struct serin_audit_head *head);

/* ---- judging files ---- */

enum serin_audit_fault_kind {
    SERIN_AUDIT_ALTERED = 1, /* bytes that are no chained line, and that no line vouches for */
    SERIN_AUDIT_REMOVED,     /* lines seq_first .. seq_last are missing before this line */
    SERIN_AUDIT_REORDERED,   /* line seq_first stands behind line seq_last, or a second time */
    SERIN_AUDIT_FORGED,      /* line seq_first is sound by itself, and not chained to its place */
    SERIN_AUDIT_TORN,        /* the last file ends within a line */
    SERIN_AUDIT_BARE,        /* no line is chained at all */
    SERIN_AUDIT_FAULT_COUNT
};

struct serin_audit_fault {
    enum serin_audit_fault_kind kind;
    unsigned file;                /* 0: the first */
    uint64_t line, line_last;     /* from 1 in that file; line 0 of a file that lacks it */
    uint64_t seq_first, seq_last; /* 0: not known */
};

/* Where a head that the caller knows from elsewhere stands in the files. */
enum serin_audit_place {
    SERIN_AUDIT_HEAD_NONE,    /* none was given */
    SERIN_AUDIT_HEAD_MATCHED, /* the line is there, and it is this one */
    SERIN_AUDIT_HEAD_DIFFERS, /* the line is there with another hash */
    SERIN_AUDIT_HEAD_BEHIND,  /* the files end before it: their end was cut off */
    SERIN_AUDIT_HEAD_BEFORE,  /* the files begin after it: nothing can be said */
    SERIN_AUDIT_HEAD_MISSING  /* the line is among those that are missing */
};

struct serin_audit_verdict {
    uint64_t lines;     /* chained and sound */
    uint64_t unchained; /* lines from before the chain began */
    uint64_t torn;      /* places that a crash tore, each vouched for */
    uint64_t seq_first; /* 0: no chained line */
    uint8_t prev_first[SERIN_SHA256_SIZE];
    unsigned file_first; /* where the chain begins */
    uint64_t line_first;
    struct serin_audit_head head; /* the highest */
    char time_first[SERIN_AUDIT_TIME_SIZE], time_last[SERIN_AUDIT_TIME_SIZE];
    uint64_t sound_end; /* bytes of the last file up to the end of its last sound line */
    enum serin_audit_place place;
    size_t fault_count; /* the first SERIN_AUDIT_FAULTS_MAX are in `faults`, in the files' order */
    struct serin_audit_fault faults[SERIN_AUDIT_FAULTS_MAX];
};

struct serin_audit_verifier; /* opaque; its size does not depend on the files */

/* Opens a verifier that looks for `known` (NULL: for no head). SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serin_audit_verifier_open(struct serin_audit_verifier **verifier,
                                                          const struct serin_crypto *crypto,
                                                          const struct serin_audit_head *known);
/* Begins a file; its bytes follow, in pieces of any size. Files come in the order of their making.
 */
void serin_audit_verifier_file(struct serin_audit_verifier *verifier);
void serin_audit_verifier_feed(struct serin_audit_verifier *verifier, const void *data,
                               size_t size);
/* The end of the last file: the verdict, lent until the verifier is closed. */
const struct serin_audit_verdict *serin_audit_verifier_end(struct serin_audit_verifier *verifier);
void serin_audit_verifier_close(struct serin_audit_verifier *verifier); /* NULL is fine */

/* The word of a kind, such as "removed"; and a fault as a sentence without its file and line. */
const char *serin_audit_fault_word(enum serin_audit_fault_kind kind);
void serin_audit_fault_text(const struct serin_audit_fault *fault,
                            char text[SERIN_AUDIT_TEXT_SIZE]);

#endif

/*
 * What the life of a device needs, signed once: releases, trust records, directives. A life that is
 * lived a hundred thousand times signs nothing.
 */
#ifndef SERIN_TESTS_CUTS_GOODS_H
#define SERIN_TESTS_CUTS_GOODS_H

#include <serin/directive.h>
#include <serin/manifest.h>
#include <serin/trust.h>

#define CUTS_RELEASES    5u /* their minor versions and security counters are 1 .. 5 */
#define CUTS_TRUSTS      4u /* their versions are 1 .. 4 */
#define CUTS_CHAPTERS    10u
#define CUTS_MESSAGE_MAX 1024u

struct cuts_release {
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    uint8_t manifest_bytes[SERIN_MANIFEST_SIZE_P256];
    uint8_t *image, *table;
    uint32_t table_size;
};

struct cuts_message {
    uint8_t bytes[CUTS_MESSAGE_MAX];
    size_t size; /* 0: there is none */
};

/* What a directive offers: minor versions, 0 for none. */
struct cuts_offer {
    unsigned stable, candidate;
    uint32_t attempt; /* of the candidate */
};

/* How the application of a candidate behaves. */
enum cuts_app { CUTS_GOOD, CUTS_CRASH, CUTS_HANG, CUTS_SILENT };

/* What somebody does to the flash in a chapter. */
enum cuts_rot {
    CUTS_ROT_NONE,
    CUTS_ROT_TRIAL,  /* the image that waits for its trial, once it is armed */
    CUTS_ROT_ACTIVE, /* what runs, at the chapter's start */
    CUTS_ROT_PIECE   /* the first piece of the download, once the second one is in the journal */
};

/* A part of the story: what is published at its start, and where it must end. */
struct cuts_chapter {
    const char *name;
    struct cuts_offer first; /* published before `offer`, where stable is not 0: until its second
                                piece is in the journal, or the power goes, or it takes long */
    struct cuts_offer offer; /* published where stable is not 0 */
    bool restart;            /* the application crashes once the download of `offer` has begun */
    uint32_t spoiled;        /* pieces that arrive damaged the first time, a bit each */
    unsigned trust;          /* version published at the start; 0: none */
    unsigned bad_trust;      /* version published at the first trial, which must be refused */
    enum cuts_app app;       /* of the candidate */
    enum cuts_rot rot;
    enum serin_state end; /* of the candidate's attempt; INVALID: there is none */
    enum serin_reason reason;
    unsigned running;  /* minor version at the end */
    uint32_t floor;    /* at the end, and the highest that is allowed from the start on */
    bool like_another; /* its download is, operation by operation */
    bool mirrored;     /* both slots must hold what runs */
    unsigned trusts;   /* version of the trust record at the end */
};
extern const struct cuts_chapter cuts_story[CUTS_CHAPTERS];

struct cuts_goods {
    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
    struct cuts_release releases[CUTS_RELEASES];               /* [minor - 1] */
    uint8_t trust_records[CUTS_TRUSTS][SERIN_TRUST_SIZE_P256]; /* [version - 1] */
    struct cuts_message trusts[CUTS_TRUSTS];                   /* the same as payloads */
    struct cuts_message firsts[CUTS_CHAPTERS];     /* what each chapter offers first; size 0: */
    struct cuts_message directives[CUTS_CHAPTERS]; /* nothing; and what it offers then */
};

/* Makes keys, releases and trust records. False: says why on stderr. */
bool cuts_goods_make(struct cuts_goods *goods);
void cuts_goods_free(struct cuts_goods *goods);

/* The release that a manifest's bytes, or its id, belong to; 0: none. */
unsigned cuts_release_of_id(const struct cuts_goods *goods, const uint8_t *id);
unsigned cuts_release_of_manifest(const struct cuts_goods *goods, const uint8_t *bytes);

#endif

/*
 * What the files of the gateway's bytes share (docs/spec/site.md, sections 2, 3 and 5).
 *
 *   bytes.c ──┬─ bytes_offer.c ─── which objects the held directives offer, and what each is
 *             ├─ bytes_depot.c ─── what stands in the depot, its budget, who has to go
 *             ├─ bytes_object.c ── the planner's hands: describe, open, store, keep, finish
 *             └─ bytes_scrub.c ─── reading everything again; what the plugin says has rotted
 *
 * What to ask for and when is the planner's to say (serin/gateway/fill.h).
 */
#ifndef SERIN_GATEWAY_BYTES_INTERNAL_H
#define SERIN_GATEWAY_BYTES_INTERNAL_H

#include "gateway.h"

#include <serin/adapters/depot.h>
#include <serin/gateway/evict.h>
#include <serin/gateway/fill.h>
#include <serin/gateway/uplink.h>

#define BYTES_OFFERS_MAX    16384u /* objects on offer */
#define BYTES_ENTRIES_MAX   4096u  /* files of the depot that are kept account of */
#define BYTES_TABLES_MAX    SERIN_FILL_OBJECTS
#define BYTES_TABLES_BYTES  4194304u /* of piece tables in memory */
#define BYTES_SPARES_MAX    72u      /* kept in memory: manifests, and tables */
#define BYTES_SPARE_TABLES  8u
#define BYTES_SPARES_BYTES  1048576u /* of tables; a manifest has a place in any case */
#define BYTES_POSTPONED_MAX 16u
#define BYTES_VERDICTS_MAX  16u
#define BYTES_SCRUB_STEP    262144u /* bytes that are read again at a time: 64 pieces */
#define BYTES_BLOCK_SIZE    4096u   /* of a file system, near enough for a budget */
#define BYTES_MINUTE_MS     60000u  /* part files are taken up again so often */
#define BYTES_RESCAN_MS     3600000u

/* What an offered object is. */
enum bytes_sort {
    BYTES_MANIFEST = 1,
    BYTES_TABLE,
    BYTES_IMAGE, /* also a patch of several pieces: it is filled and checked as an image is */
    BYTES_ROUTES,
    BYTES_PATCH /* of one piece: verified as a whole */
};

struct bytes_offer {
    uint8_t name[SERIN_SHA256_SIZE];
    enum bytes_sort sort;
    uint8_t under[SERIN_SHA256_SIZE]; /* TABLE: its manifest, or its route table; IMAGE: its piece
                                         table */
    uint32_t size;                    /* TABLE, IMAGE, PATCH; else 0 */
    /* MANIFEST: what it names, once it has been read; kept while it is offered, also when its file
     * is lost, since what it names stays pinned. */
    bool known;
    bool unproven; /* the trust record at hand does not know its key */
    uint32_t image_size;
    uint8_t table[SERIN_SHA256_SIZE], image[SERIN_SHA256_SIZE];
    char product[SERIN_PRODUCT_MAX + 1];
    bool emergency;
    bool blocked;  /* only a candidate that this site has halted needs it */
    bool withheld; /* TABLE, IMAGE: only unproven manifests name it; pinned, and not to be had */
};

/* A file of the depot. */
struct bytes_entry {
    uint8_t name[SERIN_SHA256_SIZE];
    enum serin_depot_kind kind;
    uint64_t disk;     /* bytes that it takes */
    uint64_t promised; /* bytes that it may take: of a part file that is being filled, all of it */
    uint64_t used_s;   /* of the gateway's clock of use */
    bool verified;     /* MANIFEST: its signature was verified by this program */
    uint32_t trust_version; /* MANIFEST: of the record that verified it last; 0: none */
    bool seen;              /* by the present scan */
};

/* A piece table in use by the planner. */
struct bytes_table {
    uint8_t image[SERIN_SHA256_SIZE];
    uint8_t *data; /* heap; NULL: the place is free */
    uint32_t size;
};

/* A manifest or table that the disk had no room for. */
struct bytes_spare {
    uint8_t name[SERIN_SHA256_SIZE];
    uint8_t *data; /* heap; NULL: the place is free */
    uint32_t size;
    bool manifest;
    uint64_t turn;
};

/* An object that the plugin takes for absent, as it was told. */
struct bytes_verdict {
    uint8_t name[SERIN_SHA256_SIZE];
    uint64_t until_ms;
};

struct bytes_scrub {
    bool running;
    uint8_t name[SERIN_SHA256_SIZE]; /* the entry that is being read, or was last */
    enum serin_depot_kind kind;
    uint32_t offset, size;
    struct serin_sha256 sha;
    uint64_t due_ms;
};

struct gateway_bytes {
    struct serin_depot *depot;
    struct serin_fill fill;
    struct serin_fill_counts counted; /* of fill.counts: what is in the gateway's meta already */
    struct serin_uplink uplink;
    uint8_t *whole; /* SERIN_SITE_WHOLE_MAX bytes */

    size_t offer_count, offer_capacity;
    struct bytes_offer *offers; /* ascending by name */
    size_t directive_count;     /* when the offers were made */
    bool offers_stale;
    bool blind;  /* what some offered manifest names is not known: nothing may leave the depot */
    bool missed; /* being blind stood in the way: such manifests are fetched unasked */
    uint32_t halted; /* bit i: fleet i of the configuration has been halted here */

    size_t entry_count;
    struct bytes_entry *entries; /* ascending by name; BYTES_ENTRIES_MAX of them */
    bool scanned;
    uint64_t start_s; /* wall clock at the start: the clock of use goes on from there */

    struct bytes_table tables[BYTES_TABLES_MAX];
    struct bytes_spare spares[BYTES_SPARES_MAX];
    uint32_t spare_bytes; /* BYTES_SPARES_BYTES */
    uint64_t full_ms;     /* a table found room nowhere: none is fetched before */
    uint64_t turn;

    /* Wants that another object has to come before; they are heard again when one has. */
    bool needs; /* the last description said so */
    bool replay;
    size_t postponed_count;
    struct serin_want postponed[BYTES_POSTPONED_MAX];

    struct bytes_verdict verdicts[BYTES_VERDICTS_MAX];

    struct bytes_scrub scrub;
    uint64_t minute_ms, rescan_ms; /* when those are due */
    uint64_t said_ms;              /* a warning that repeats */
};

/* Whether a warning that repeats may be said (again). */
bool bytes_say(struct gateway *gateway);

/* The plugin has heard this: its verdict ends when orders change. */
void bytes_told(struct gateway *gateway, const struct serin_have *have);

/* ---- bytes_offer.c ---- */

/* Gathers what the held directives offer. */
void bytes_offers_make(struct gateway *gateway);
/* NULL: nothing offers it. */
const struct bytes_offer *bytes_offer_find(const struct gateway_bytes *bytes, const uint8_t *name);
/* An offered manifest, or else route table, that is not here and may be had, or NULL. */
const struct bytes_offer *bytes_offer_unread(const struct gateway *gateway);
/* Whether the bytes are the manifest of that name, signed by a release key of its product.
 * SERIN_ERR_KEY: of that name, but no trust record is here that knows its key. */
SERIN_MUST_USE enum serin_error bytes_manifest_verify(const struct gateway *gateway,
                                                      const struct bytes_offer *offer,
                                                      const uint8_t *data, size_t size,
                                                      struct serin_manifest *manifest);
/* Whether that error means that the file is rotten: not where its key is unknown, as another trust
 * record may come, unless the record at hand has known it. */
bool bytes_manifest_rotten(const struct gateway *gateway, const struct bytes_offer *offer,
                           enum serin_error error);
/* Marks a manifest's file as verified now. */
void bytes_verified(const struct gateway *gateway, struct bytes_entry *entry);
/* Which fleets the site has halted by itself. */
uint32_t bytes_halted(const struct gateway *gateway);

/* ---- bytes_depot.c ---- */

/* Brings the account in line with the folder. SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error bytes_scan(struct gateway *gateway);
struct bytes_entry *bytes_entry_find(struct gateway_bytes *bytes, const uint8_t *name);
/* The entry of a file that was stored or begun; the account is bounded: the file that was used
 * least recently leaves the depot for it. NULL: everything is pinned. */
struct bytes_entry *bytes_entry_add(struct gateway *gateway, const uint8_t *name,
                                    enum serin_depot_kind kind);
/* Takes a file out of the depot. False: it is still there. */
bool bytes_remove(struct gateway *gateway, const uint8_t *name);
/* It was of use now. */
void bytes_touch(struct gateway *gateway, const uint8_t *name);
/* Makes room for `needed` more bytes, within the budget and on the disk. SERIN_ERR_NO_SPACE: there
 * is none. */
SERIN_MUST_USE enum serin_error bytes_room(struct gateway *gateway, uint64_t needed);
/* Reads a manifest or table, from the depot or from memory, into `out`. SERIN_ERR_NOT_FOUND,
 * SERIN_ERR_TOO_LARGE, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error bytes_read(struct gateway *gateway, const uint8_t *name,
                                           uint8_t *out, uint32_t capacity, uint32_t *size);
const struct bytes_spare *bytes_spare_find(const struct gateway_bytes *bytes, const uint8_t *name);
/* Whether a table of such a size, or a manifest, can be kept in memory: tables whose images are
 * being filled stay, others make room. */
bool bytes_spare_room(const struct gateway_bytes *bytes, bool manifest, uint32_t size);
/* Keeps a copy in memory, in the place of older ones of its kind. False: there is no room. */
bool bytes_spare_keep(struct gateway_bytes *bytes, const uint8_t *name, bool manifest,
                      const uint8_t *data, uint32_t size);
void bytes_spare_drop(struct gateway_bytes *bytes, const uint8_t *name);
/* Bytes on the disk, and whole files. */
uint64_t bytes_on_disk(const struct gateway_bytes *bytes);
uint32_t bytes_whole_files(const struct gateway_bytes *bytes);

/* ---- bytes_object.c ---- */

extern const struct serin_fill_ops bytes_fill_ops;
/* Reads the piece table of an image and verifies it. SERIN_ERR_DIGEST: it is rotten, and has left
 * the depot. SERIN_ERR_NOT_FOUND, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error bytes_table_read(struct gateway *gateway,
                                                 const struct bytes_offer *image, uint8_t *data,
                                                 uint32_t size);
void bytes_tables_free(struct gateway_bytes *bytes);
/* Stores what is kept in memory, as far as there is room now. */
void bytes_spares_store(struct gateway *gateway);
/* The rotten object goes back to being filled, or away where it is verified as a whole. */
void bytes_rotten(struct gateway *gateway, const uint8_t *name);

/* ---- bytes_scrub.c ---- */

/* A bounded step, when it is due. */
void bytes_scrub_step(struct gateway *gateway);
/* The plugin read something that did not verify, of an object that is not being filled. */
void bytes_want_rotten(struct gateway *gateway, const struct serin_want *want);

#endif

/*
 * Values of every kind that only hosts say to each other: `small` ones with as little as is legal,
 * `large` ones with every field at its longest. As wire_values.h, for serin/site.h.
 */
#ifndef SERIN_TESTS_SITE_VALUES_H
#define SERIN_TESTS_SITE_VALUES_H

#include <serin/site_codec.h>

struct site_kind {
    const char *name;
    size_t limit;      /* largest payload, bytes */
    size_t value_size; /* of the struct */
    bool versioned;
    /* Fills `value`; what it points to is static. */
    void (*small)(void *value);
    void (*large)(void *value);
    enum serin_error (*encode)(const void *value, uint8_t *out, size_t capacity, size_t *size);
    enum serin_error (*decode)(const uint8_t *data, size_t size, void *value);
};

/* "have_part" is a have with all the ranges that there may be; "have" is one with data. */
#define SITE_KIND_COUNT 7u
extern const struct site_kind site_kinds[SITE_KIND_COUNT];

union site_value {
    struct serin_batch batch;
    struct serin_batch_items batch_items;
    struct serin_ack_batch ack_batch;
    struct serin_gw_status gw_status;
    struct serin_want want;
    struct serin_have have;
    struct serin_have have_part;
};

#define SITE_PAYLOAD_MAX SERIN_BATCH_PLAIN_MAX

/* The kind of this name; asserts that there is one. */
const struct site_kind *site_kind_named(const char *name);

#endif

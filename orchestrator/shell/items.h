/*
 * Items: reports, beats and presence on their way into the store, each from a message of its device
 * or from the batch of a gateway. What is here was decoded and checked; whether its sender may
 * speak for the device is not known yet.
 */
#ifndef SERIND_ITEMS_H
#define SERIND_ITEMS_H

#include <serin/codec.h>
#include <serin/site_codec.h>

enum serind_item_kind { SERIND_ITEM_REPORT, SERIND_ITEM_BEAT, SERIND_ITEM_PRESENCE };

struct serind_item {
    enum serind_item_kind kind;
    size_t broker;   /* where it came from, and where its ack goes */
    uint32_t site;   /* the gateway that it came through (sites.h); 0: the device's own message */
    uint32_t ticket; /* the batch that it came in (batches.h); 0: none, or one without a ticket */
    uint32_t device; /* filled in by the fleet; SERIND_NO_DEVICE: turned away, or nothing to do */
    bool joins;      /* filled in by the fleet: it joins the running rollout */
    char id[SERIN_ID_MAX + 1];
    union {
        struct serin_report report;
        struct serin_beat beat;
        struct serin_presence presence;
    };
};

/* What reports and beats have in common; a programmer error for presence. */
const char *serind_item_product(const struct serind_item *item);
const char *serind_item_channel(const struct serind_item *item);
uint16_t serind_item_hardware(const struct serind_item *item);
uint64_t serind_item_incarnation(const struct serind_item *item);
const struct serin_running *serind_item_running(const struct serind_item *item);

/* Decodes a message about the device `id` into kind, id and content of `item`. Errors of the codec;
 * SERIN_ERR_DEVICE: the message names another device. After an error `item` is unspecified. */
SERIN_MUST_USE enum serin_error serind_item_decode(const struct serin_codec *codec,
                                                   enum serind_item_kind kind, const char *id,
                                                   const uint8_t *payload, size_t size,
                                                   struct serind_item *item);

/* What unpacking a batch needs. */
struct serind_unpacked {
    struct serin_batch batch;
    struct serin_batch_items items; /* point into `plain`, or into the payload */
    uint8_t plain[SERIN_BATCH_PLAIN_MAX];
};

/* Unpacks the payload of gw/<gw>/reports (docs/spec/batch.md, section 1); hostile bytes are met
 * with bounded memory and time. The items' payloads live as long as `payload` and `unpacked` do.
 * Errors of the codec and of inflating. */
SERIN_MUST_USE enum serin_error serind_batch_unpack(const struct serin_site_codec *codec,
                                                    const uint8_t *payload, size_t size,
                                                    struct serind_unpacked *unpacked);

/* Decodes one item of a batch. SERIN_ERR_UNSUPPORTED: its kind is not known here; else as
 * serind_item_decode. */
SERIN_MUST_USE enum serin_error serind_batch_item(const struct serin_codec *codec,
                                                  const struct serin_batch_item *from,
                                                  struct serind_item *item);

#endif

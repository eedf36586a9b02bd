/*
 * Topics under serin/1/ (docs/spec/topics.md): parsing and formatting. Who may publish and read
 * what is the plugin's to enforce.
 */
#ifndef SERIN_TOPIC_H
#define SERIN_TOPIC_H

#include <serin/error.h>
#include <serin/id.h>

#define SERIN_TOPIC_PREFIX "serin/1/"
#define SERIN_TOPIC_MAX    160u /* longest topic with its terminator */

enum serin_topic_kind {
    SERIN_TOPIC_INVALID,
    SERIN_TOPIC_DIRECTIVE,     /* directive/<product>/<channel> */
    SERIN_TOPIC_DEV_DIRECTIVE, /* dev/<id>/directive */
    SERIN_TOPIC_DEV_REPORT,    /* dev/<id>/report */
    SERIN_TOPIC_DEV_ACK,       /* dev/<id>/ack */
    SERIN_TOPIC_DEV_BEAT,      /* dev/<id>/beat */
    SERIN_TOPIC_DEV_GET,       /* dev/<id>/get */
    SERIN_TOPIC_DEV_BLOCK,     /* dev/<id>/block */
    SERIN_TOPIC_GW_REPORTS,    /* gw/<gw>/reports */
    SERIN_TOPIC_GW_ACKS,       /* gw/<gw>/acks */
    SERIN_TOPIC_GW_STATUS,     /* gw/<gw>/status */
    SERIN_TOPIC_GW_GET,        /* gw/<gw>/get */
    SERIN_TOPIC_GW_BLOCK,      /* gw/<gw>/block */
    SERIN_TOPIC_TRUST,         /* trust/<product> */
    SERIN_TOPIC_HOLD,          /* hold/<product> */
    SERIN_TOPIC_DEPOT_HAVE,    /* depot/have */
    SERIN_TOPIC_DEPOT_WANT,    /* depot/want */
    SERIN_TOPIC_PRESENCE,      /* presence/<id> */
    SERIN_TOPIC_COUNT
};

struct serin_topic {
    enum serin_topic_kind kind;
    char id[SERIN_ID_MAX + 1];           /* device or gateway id; "" where the kind has none */
    char product[SERIN_PRODUCT_MAX + 1]; /* "" where the kind has none */
    char channel[SERIN_CHANNEL_MAX + 1]; /* "" where the kind has none */
};

/* Whether `text` is in Serin's space: equals "serin" or starts with "serin/". Others are none of
 * our business. */
bool serin_topic_ours(const char *text);

/* Parses a full topic name (no wildcards). SERIN_ERR_FORMAT: not one of the table; `topic` is then
 * INVALID. */
SERIN_MUST_USE enum serin_error serin_topic_parse(const char *text, struct serin_topic *topic);

/* Formats `topic` into `text`, which holds SERIN_TOPIC_MAX bytes. Programmer error: an invalid
 * name. */
void serin_topic_format(const struct serin_topic *topic, char *text);

/* Shorthands for the above. */
void serin_topic_directive(const char *product, const char *channel, char *text);
void serin_topic_device(enum serin_topic_kind kind, const char *id, char *text);
void serin_topic_trust(const char *product, char *text);

#endif

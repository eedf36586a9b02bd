/*
 * What bulk may take of the uplink (docs/spec/site.md, section 2): a rate, as a token bucket, and
 * hours of the day. Pure; time is passed in.
 *
 * The bucket is charged with what arrives, not with what is asked for: one window is under way at a
 * time, so this is the same but for windows that are lost, which cost nothing.
 */
#ifndef SERIN_GATEWAY_UPLINK_H
#define SERIN_GATEWAY_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIN_UPLINK_HOURS_MAX 8u
#define SERIN_UPLINK_DAY_MIN   1440u
/* The bucket holds two seconds of the rate, and never less than this: four pieces. */
#define SERIN_UPLINK_BURST_MIN 16384u

/* Local time of day, in minutes from midnight; from > to spans midnight, from = to is the whole
 * day. */
struct serin_uplink_hours {
    uint16_t from_minute, to_minute; /* 0 .. 1439; to is exclusive */
};

struct serin_uplink_limits {
    uint64_t rate_bytes_per_s; /* 0: not limited */
    size_t hours_count;        /* 0: at any time */
    struct serin_uplink_hours hours[SERIN_UPLINK_HOURS_MAX];
};

struct serin_uplink {
    struct serin_uplink_limits limits;
    uint64_t burst_bytes;
    int64_t tokens; /* thousandths of a byte; below 0 when more came than was there */
    uint64_t refilled_ms;
};

/* Programmer error: limits outside their ranges. The bucket is full. */
void serin_uplink_init(struct serin_uplink *uplink, const struct serin_uplink_limits *limits,
                       uint64_t now_ms);

/* Whether the minute of the day (0 .. 1439) is within the hours. */
bool serin_uplink_open(const struct serin_uplink *uplink, unsigned minute_of_day);

/* Bytes that may be asked for now; UINT32_MAX where nothing limits. */
uint32_t serin_uplink_room(struct serin_uplink *uplink, uint64_t now_ms);

/* Books what arrived. */
void serin_uplink_take(struct serin_uplink *uplink, uint64_t bytes, uint64_t now_ms);

/* When `bytes` (at most the burst counts) will be there, by the rate alone; now_ms: now. */
uint64_t serin_uplink_next_ms(const struct serin_uplink *uplink, uint64_t now_ms, uint32_t bytes);

#endif

/* Small texts that several files of the shell make: times, orders, manifest ids. */
#ifndef SERIND_TEXT_H
#define SERIND_TEXT_H

#include <serin/adapters/json.h>
#include <serin/wire.h>

#define SERIND_TIME_SIZE 32u

/* RFC 3339 in UTC: "2026-01-31T12:00:00Z", and with milliseconds. */
void serind_time_s(uint64_t unix_s, char text[SERIND_TIME_SIZE]);
void serind_time_ms(uint64_t unix_ms, char text[SERIND_TIME_SIZE]);

/* Sets `key` to a time, or to null where it is 0. */
void serind_put_time(struct serin_json *object, const char *key, uint64_t unix_s);

/* {"epoch": …, "sequence": …} */
struct serin_json *serind_order_json(struct serin_order order);

/* Sets `key` to the hexadecimal digits of 32 bytes, or to null where all are zero. */
void serind_put_hash(struct serin_json *object, const char *key, const uint8_t hash[32]);

void serind_put_version(struct serin_json *object, const char *key, struct serin_version version);

#endif

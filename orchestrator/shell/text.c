/* Small texts (text.h). */
#define _POSIX_C_SOURCE 200809L
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Times beyond the year 9999 come from devices without a sound clock; they are shown as its end. */
#define LAST_SECOND UINT64_C(253402300799)

static void format(uint64_t unix_s, struct tm *parts)
{
    time_t seconds = (time_t)(unix_s < LAST_SECOND ? unix_s : LAST_SECOND);
    if (gmtime_r(&seconds, parts) == NULL) {
        memset(parts, 0, sizeof *parts);
    }
}

void serind_time_s(uint64_t unix_s, char text[SERIND_TIME_SIZE])
{
    struct tm parts;
    format(unix_s, &parts);
    (void)strftime(text, SERIND_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

void serind_time_ms(uint64_t unix_ms, char text[SERIND_TIME_SIZE])
{
    struct tm parts;
    format(unix_ms / 1000, &parts);
    size_t size = strftime(text, SERIND_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + size, SERIND_TIME_SIZE - size, ".%03uZ", (unsigned)(unix_ms % 1000));
}

void serind_put_time(struct serin_json *object, const char *key, uint64_t unix_s)
{
    char text[SERIND_TIME_SIZE];
    if (unix_s == 0) {
        serin_json_put_null(object, key);
        return;
    }
    serind_time_s(unix_s, text);
    serin_json_put_text(object, key, text);
}

struct serin_json *serind_order_json(struct serin_order order)
{
    struct serin_json *object = serin_json_object();
    serin_json_put_number(object, "epoch", order.epoch);
    serin_json_put_number(object, "sequence", order.sequence);
    return object;
}

void serind_put_hash(struct serin_json *object, const char *key, const uint8_t hash[32])
{
    char text[SERIN_SHA256_HEX_SIZE];
    if (serin_bytes_all(hash, SERIN_SHA256_SIZE, 0)) {
        serin_json_put_null(object, key);
        return;
    }
    serin_hex_encode(hash, SERIN_SHA256_SIZE, text);
    serin_json_put_text(object, key, text);
}

void serind_put_version(struct serin_json *object, const char *key, struct serin_version version)
{
    char text[SERIN_VERSION_TEXT_SIZE];
    serin_version_format(version, text);
    serin_json_put_text(object, key, text);
}

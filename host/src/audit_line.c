/*
 * One line of the audit log: sealing and reading (serin/host/audit_chain.h has the grammar).
 */
#include <serin/host/audit_chain.h>

#include <serin/assert.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEX_SIZE ((size_t)2 * SERIN_SHA256_SIZE)

static const char domain[] = "serin/audit/1"; /* its terminator is hashed too */

static void line_hash(const struct serin_crypto *crypto, const char *bytes, size_t size,
                      uint8_t hash[SERIN_SHA256_SIZE])
{
    struct serin_sha256 sha;
    crypto->ops->sha256_init(crypto->ctx, &sha);
    crypto->ops->sha256_update(crypto->ctx, &sha, domain, sizeof domain);
    crypto->ops->sha256_update(crypto->ctx, &sha, bytes, size);
    crypto->ops->sha256_final(crypto->ctx, &sha, hash);
}

/* ---- sealing ---- */

/* Members without the brace that closes the line; the result has their size. */
static size_t print_rest(const struct serin_audit_rest *rest, char *out, size_t capacity)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(rest->sha256, SERIN_SHA256_SIZE, hex);
    int size = snprintf(out, capacity, ",\"unchained\":{\"size\":%" PRIu64 ",\"sha256\":\"%s\"}",
                        rest->size, hex);
    SERIN_ASSERT(size > 0 && (size_t)size < capacity);
    return (size_t)size;
}

static size_t print_place(const struct serin_audit_head *before, char *out, size_t capacity)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(before->hash, SERIN_SHA256_SIZE, hex);
    int size =
        snprintf(out, capacity, ",\"seq\":%" PRIu64 ",\"prev\":\"%s\"", before->seq + 1, hex);
    SERIN_ASSERT(size > 0 && (size_t)size < capacity);
    return (size_t)size;
}

enum serin_error serin_audit_seal(const struct serin_crypto *crypto, const char *object,
                                  size_t size, const struct serin_audit_rest *rest,
                                  const struct serin_audit_head *before,
                                  char line[SERIN_AUDIT_LINE_MAX], size_t *line_size,
                                  struct serin_audit_head *after)
{
    SERIN_ASSERT(size > 2 && object[0] == '{' && object[size - 1] == '}');
    if (size > SERIN_AUDIT_OBJECT_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    size_t used = size - 1;
    memcpy(line, object, used);
    if (rest != NULL) {
        used += print_rest(rest, line + used, SERIN_AUDIT_LINE_MAX - used);
    }
    used += print_place(before, line + used, SERIN_AUDIT_LINE_MAX - used);
    *after = (struct serin_audit_head){.seq = before->seq + 1};
    line_hash(crypto, line, used, after->hash);

    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(after->hash, SERIN_SHA256_SIZE, hex);
    int end = snprintf(line + used, SERIN_AUDIT_LINE_MAX - used, ",\"hash\":\"%s\"}", hex);
    SERIN_ASSERT(end > 0 && (size_t)end < SERIN_AUDIT_LINE_MAX - used);
    *line_size = used + (size_t)end;
    return SERIN_OK;
}

/* ---- reading, from the end ---- */

/* What of the line is not read yet. */
struct tail {
    const char *bytes;
    size_t size;
};

static bool take_text(struct tail *tail, const char *text)
{
    size_t size = strlen(text);
    if (tail->size < size || memcmp(tail->bytes + tail->size - size, text, size) != 0) {
        return false;
    }
    tail->size -= size;
    return true;
}

/* One form only, so that no byte can be changed for another of the same meaning. */
static bool take_hex(struct tail *tail, uint8_t hash[SERIN_SHA256_SIZE])
{
    char text[SERIN_SHA256_HEX_SIZE];
    if (tail->size < HEX_SIZE) {
        return false;
    }
    tail->size -= HEX_SIZE;
    memcpy(text, tail->bytes + tail->size, HEX_SIZE);
    text[HEX_SIZE] = '\0';
    return strspn(text, "0123456789abcdef") == HEX_SIZE &&
           serin_hex_decode(text, hash, SERIN_SHA256_SIZE) == SERIN_OK;
}

static bool take_number(struct tail *tail, uint64_t *number)
{
    uint64_t scale = 1;
    size_t digits = 0;
    char first = '\0';
    *number = 0;
    while (tail->size > 0 && tail->bytes[tail->size - 1] >= '0' &&
           tail->bytes[tail->size - 1] <= '9') {
        if (digits == 19) {
            return false; /* no number of 19 digits overflows 64 bits */
        }
        first = tail->bytes[--tail->size];
        *number += scale * (uint64_t)(first - '0');
        scale *= 10;
        digits++;
    }
    return digits > 0 && (first != '0' || digits == 1) && *number <= INT64_MAX;
}

/* The rest that the line vouches for, where it does. */
static void take_rest(struct tail *tail, struct serin_audit_sealed *sealed)
{
    struct tail at = *tail;
    sealed->vouches = take_text(&at, "\"}") && take_hex(&at, sealed->rest.sha256) &&
                      take_text(&at, ",\"sha256\":\"") && take_number(&at, &sealed->rest.size) &&
                      take_text(&at, ",\"unchained\":{\"size\":");
    if (sealed->vouches) {
        *tail = at;
    }
}

static void read_time(const char *line, size_t size, char time[SERIN_AUDIT_TIME_SIZE])
{
    static const char begin[] = "{\"time\":\"";
    size_t at = sizeof begin - 1;
    time[0] = '\0';
    if (size <= at + SERIN_AUDIT_TIME_SIZE || memcmp(line, begin, at) != 0) {
        return;
    }
    char text[SERIN_AUDIT_TIME_SIZE];
    memcpy(text, line + at, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    size_t digits = strspn(text, "0123456789-:.TZ");
    if (text[digits] == '"') {
        memcpy(time, text, digits);
        time[digits] = '\0';
    }
}

enum serin_error serin_audit_read(const struct serin_crypto *crypto, const char *line, size_t size,
                                  struct serin_audit_sealed *sealed)
{
    struct tail tail = {.bytes = line, .size = size};
    memset(sealed, 0, sizeof *sealed);
    if (!take_text(&tail, "\"}") || !take_hex(&tail, sealed->head.hash) ||
        !take_text(&tail, ",\"hash\":\"")) {
        return SERIN_ERR_FORMAT;
    }
    size_t hashed = tail.size;
    if (!take_text(&tail, "\"") || !take_hex(&tail, sealed->prev) ||
        !take_text(&tail, ",\"prev\":\"") || !take_number(&tail, &sealed->head.seq) ||
        !take_text(&tail, ",\"seq\":") || sealed->head.seq == 0) {
        return SERIN_ERR_FORMAT;
    }
    take_rest(&tail, sealed);
    if (tail.size < 2 || line[0] != '{') {
        return SERIN_ERR_FORMAT;
    }
    uint8_t hash[SERIN_SHA256_SIZE];
    line_hash(crypto, line, hashed, hash);
    read_time(line, size, sealed->time);
    return serin_bytes_equal(hash, sealed->head.hash, sizeof hash) ? SERIN_OK : SERIN_ERR_DIGEST;
}

/* ---- heads as text ---- */

void serin_audit_head_print(const struct serin_audit_head *head, char text[SERIN_AUDIT_HEAD_SIZE])
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(head->hash, SERIN_SHA256_SIZE, hex);
    (void)snprintf(text, SERIN_AUDIT_HEAD_SIZE, "%" PRIu64 ":%s", head->seq, hex);
}

enum serin_error serin_audit_head_parse(const char *text, struct serin_audit_head *head)
{
    struct tail tail = {.bytes = text, .size = strlen(text)};
    *head = (struct serin_audit_head){.seq = 0};
    return take_hex(&tail, head->hash) && take_text(&tail, ":") && take_number(&tail, &head->seq) &&
                   tail.size == 0
               ? SERIN_OK
               : SERIN_ERR_FORMAT;
}

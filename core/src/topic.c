/* Topics under serin/1/: one table of patterns, read by the parser and by the formatter. */
#include <serin/topic.h>

#include <serin/assert.h>
#include <serin/bytes.h>

#include <string.h>

#define SEGMENTS_MAX 3u

/* What stands between two slashes. */
enum segment_kind { SEGMENT_END, SEGMENT_WORD, SEGMENT_ID, SEGMENT_PRODUCT, SEGMENT_CHANNEL };

struct segment {
    enum segment_kind kind;
    const char *word; /* of WORD */
};

/* clang-format off */
#define WORD(text) {.kind = SEGMENT_WORD, .word = (text)}
#define ID         {.kind = SEGMENT_ID}
#define PRODUCT    {.kind = SEGMENT_PRODUCT}
#define CHANNEL    {.kind = SEGMENT_CHANNEL}

static const struct segment patterns[SERIN_TOPIC_COUNT][SEGMENTS_MAX] = {
    [SERIN_TOPIC_DIRECTIVE]     = {WORD("directive"), PRODUCT, CHANNEL},
    [SERIN_TOPIC_DEV_DIRECTIVE] = {WORD("dev"), ID, WORD("directive")},
    [SERIN_TOPIC_DEV_REPORT]    = {WORD("dev"), ID, WORD("report")},
    [SERIN_TOPIC_DEV_ACK]       = {WORD("dev"), ID, WORD("ack")},
    [SERIN_TOPIC_DEV_BEAT]      = {WORD("dev"), ID, WORD("beat")},
    [SERIN_TOPIC_DEV_GET]       = {WORD("dev"), ID, WORD("get")},
    [SERIN_TOPIC_DEV_BLOCK]     = {WORD("dev"), ID, WORD("block")},
    [SERIN_TOPIC_GW_REPORTS]    = {WORD("gw"), ID, WORD("reports")},
    [SERIN_TOPIC_GW_ACKS]       = {WORD("gw"), ID, WORD("acks")},
    [SERIN_TOPIC_GW_STATUS]     = {WORD("gw"), ID, WORD("status")},
    [SERIN_TOPIC_GW_GET]        = {WORD("gw"), ID, WORD("get")},
    [SERIN_TOPIC_GW_BLOCK]      = {WORD("gw"), ID, WORD("block")},
    [SERIN_TOPIC_TRUST]         = {WORD("trust"), PRODUCT},
    [SERIN_TOPIC_HOLD]          = {WORD("hold"), PRODUCT},
    [SERIN_TOPIC_DEPOT_HAVE]    = {WORD("depot"), WORD("have")},
    [SERIN_TOPIC_DEPOT_WANT]    = {WORD("depot"), WORD("want")},
    [SERIN_TOPIC_PRESENCE]      = {WORD("presence"), ID},
};
/* clang-format on */

bool serin_topic_ours(const char *text)
{
    return strncmp(text, "serin", 5) == 0 && (text[5] == '\0' || text[5] == '/');
}

/* Where the segment of `kind` is kept in `topic`; NULL for words. */
static char *name_field(struct serin_topic *topic, enum segment_kind kind)
{
    switch (kind) {
    case SEGMENT_ID:
        return topic->id;
    case SEGMENT_PRODUCT:
        return topic->product;
    case SEGMENT_CHANNEL:
        return topic->channel;
    case SEGMENT_END:
    case SEGMENT_WORD:
        break;
    }
    return NULL;
}

static bool name_valid(enum segment_kind kind, const char *text, size_t size)
{
    switch (kind) {
    case SEGMENT_ID:
        return serin_id_valid(text, size);
    case SEGMENT_PRODUCT:
        return serin_product_valid(text, size);
    case SEGMENT_CHANNEL:
        return serin_channel_valid(text, size);
    case SEGMENT_END:
    case SEGMENT_WORD:
        break;
    }
    return false;
}

/* Takes one segment of `size` characters; whether it is what the pattern asks for. */
static bool take_segment(const struct segment *segment, const char *text, size_t size,
                         struct serin_topic *topic)
{
    if (segment->kind == SEGMENT_WORD) {
        return strlen(segment->word) == size && memcmp(segment->word, text, size) == 0;
    }
    if (!name_valid(segment->kind, text, size)) {
        return false;
    }
    char *field = name_field(topic, segment->kind);
    memcpy(field, text, size);
    field[size] = '\0';
    return true;
}

/* Whether the whole of `text` follows the pattern. */
static bool matches(const struct segment pattern[SEGMENTS_MAX], const char *text,
                    struct serin_topic *topic)
{
    for (size_t i = 0; i < SEGMENTS_MAX && pattern[i].kind != SEGMENT_END; i++) {
        if (i > 0 && *text++ != '/') {
            return false;
        }
        size_t size = strcspn(text, "/");
        if (!take_segment(&pattern[i], text, size, topic)) {
            return false;
        }
        text += size;
    }
    return *text == '\0';
}

enum serin_error serin_topic_parse(const char *text, struct serin_topic *topic)
{
    const size_t prefix_size = sizeof SERIN_TOPIC_PREFIX - 1;
    if (strncmp(text, SERIN_TOPIC_PREFIX, prefix_size) == 0) {
        for (int kind = SERIN_TOPIC_INVALID + 1; kind < SERIN_TOPIC_COUNT; kind++) {
            *topic = (struct serin_topic){.kind = (enum serin_topic_kind)kind};
            if (matches(patterns[kind], text + prefix_size, topic)) {
                return SERIN_OK;
            }
        }
    }
    *topic = (struct serin_topic){.kind = SERIN_TOPIC_INVALID};
    return SERIN_ERR_FORMAT;
}

/* Appends `size` characters at `at`; SERIN_TOPIC_MAX holds the longest pattern with the longest
 * names. */
static char *append(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

void serin_topic_format(const struct serin_topic *topic, char *text)
{
    SERIN_ASSERT(topic->kind > SERIN_TOPIC_INVALID && topic->kind < SERIN_TOPIC_COUNT);
    struct serin_topic names = *topic;
    char *at = append(text, SERIN_TOPIC_PREFIX, sizeof SERIN_TOPIC_PREFIX - 1);
    const struct segment *pattern = patterns[topic->kind];
    for (size_t i = 0; i < SEGMENTS_MAX && pattern[i].kind != SEGMENT_END; i++) {
        if (i > 0) {
            at = append(at, "/", 1);
        }
        if (pattern[i].kind == SEGMENT_WORD) {
            at = append(at, pattern[i].word, strlen(pattern[i].word));
            continue;
        }
        const char *name = name_field(&names, pattern[i].kind);
        size_t size = strlen(name);
        SERIN_ASSERT(name_valid(pattern[i].kind, name, size));
        at = append(at, name, size);
    }
    *at = '\0';
}

void serin_topic_directive(const char *product, const char *channel, char *text)
{
    struct serin_topic topic = {.kind = SERIN_TOPIC_DIRECTIVE};
    SERIN_ASSERT(serin_text_copy(topic.product, sizeof topic.product, product) == SERIN_OK);
    SERIN_ASSERT(serin_text_copy(topic.channel, sizeof topic.channel, channel) == SERIN_OK);
    serin_topic_format(&topic, text);
}

void serin_topic_device(enum serin_topic_kind kind, const char *id, char *text)
{
    struct serin_topic topic = {.kind = kind};
    SERIN_ASSERT(serin_text_copy(topic.id, sizeof topic.id, id) == SERIN_OK);
    serin_topic_format(&topic, text);
}

void serin_topic_trust(const char *product, char *text)
{
    struct serin_topic topic = {.kind = SERIN_TOPIC_TRUST};
    SERIN_ASSERT(serin_text_copy(topic.product, sizeof topic.product, product) == SERIN_OK);
    serin_topic_format(&topic, text);
}

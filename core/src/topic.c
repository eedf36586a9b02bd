/* Topics under serin/1/: one table of patterns, read by the parser and by the formatter. */
#include <serin/topic.h>

#include <serin/assert.h>
#include <serin/bytes.h>

#include <string.h>

/* What follows the prefix; a capital stands for a name. Devices carry this table, too: it is small.
 */
#define PATTERN_MAX 16u
#define ID          'I'
#define PRODUCT     'P'
#define CHANNEL     'C'

static const char patterns[SERIN_TOPIC_COUNT][PATTERN_MAX] = {
    [SERIN_TOPIC_DIRECTIVE] = "directive/P/C", [SERIN_TOPIC_DEV_DIRECTIVE] = "dev/I/directive",
    [SERIN_TOPIC_DEV_REPORT] = "dev/I/report", [SERIN_TOPIC_DEV_ACK] = "dev/I/ack",
    [SERIN_TOPIC_DEV_BEAT] = "dev/I/beat",     [SERIN_TOPIC_DEV_GET] = "dev/I/get",
    [SERIN_TOPIC_DEV_BLOCK] = "dev/I/block",   [SERIN_TOPIC_GW_REPORTS] = "gw/I/reports",
    [SERIN_TOPIC_GW_ACKS] = "gw/I/acks",       [SERIN_TOPIC_GW_STATUS] = "gw/I/status",
    [SERIN_TOPIC_GW_GET] = "gw/I/get",         [SERIN_TOPIC_GW_BLOCK] = "gw/I/block",
    [SERIN_TOPIC_TRUST] = "trust/P",           [SERIN_TOPIC_HOLD] = "hold/P",
    [SERIN_TOPIC_DEPOT_HAVE] = "depot/have",   [SERIN_TOPIC_DEPOT_WANT] = "depot/want",
    [SERIN_TOPIC_PRESENCE] = "presence/I",
};

bool serin_topic_ours(const char *text)
{
    return strncmp(text, "serin", 5) == 0 && (text[5] == '\0' || text[5] == '/');
}

typedef bool name_rule(const char *text, size_t size);

/* Where the name that `mark` stands for is kept in `topic`, and its rule; NULL: it is no mark. */
static char *name_of(struct serin_topic *topic, char mark, name_rule **valid)
{
    switch (mark) {
    case ID:
        *valid = serin_id_valid;
        return topic->id;
    case PRODUCT:
        *valid = serin_product_valid;
        return topic->product;
    case CHANNEL:
        *valid = serin_channel_valid;
        return topic->channel;
    default:
        return NULL;
    }
}

/* Whether the whole of `text` follows the pattern. */
static bool matches(const char *pattern, const char *text, struct serin_topic *topic)
{
    for (; *pattern != '\0'; pattern++) {
        name_rule *valid;
        char *name = name_of(topic, *pattern, &valid);
        if (name == NULL) {
            if (*text++ != *pattern) {
                return false;
            }
            continue;
        }
        size_t size = strcspn(text, "/");
        if (!valid(text, size)) {
            return false;
        }
        memcpy(name, text, size);
        name[size] = '\0';
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

/* SERIN_TOPIC_MAX holds the longest pattern with the longest names. */
void serin_topic_format(const struct serin_topic *topic, char *text)
{
    SERIN_ASSERT(topic->kind > SERIN_TOPIC_INVALID && topic->kind < SERIN_TOPIC_COUNT);
    struct serin_topic names = *topic;
    memcpy(text, SERIN_TOPIC_PREFIX, sizeof SERIN_TOPIC_PREFIX - 1);
    text += sizeof SERIN_TOPIC_PREFIX - 1;
    for (const char *pattern = patterns[topic->kind]; *pattern != '\0'; pattern++) {
        name_rule *valid;
        const char *name = name_of(&names, *pattern, &valid);
        if (name == NULL) {
            *text++ = *pattern;
            continue;
        }
        size_t size = strlen(name);
        SERIN_ASSERT(valid(name, size));
        memcpy(text, name, size);
        text += size;
    }
    *text = '\0';
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

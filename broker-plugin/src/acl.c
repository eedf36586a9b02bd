/* The topic table as an access list, and the reasoning about wildcards. */
#include <serin/plugin/acl.h>

#include <serin/assert.h>
#include <serin/site.h>

#include <string.h>

/* clang-format off */
static const struct serin_topic_form forms[SERIN_TOPIC_COUNT] = {
    /*                             QoS retained largest payload */
    [SERIN_TOPIC_DIRECTIVE]     = {1, true,  SERIN_DIRECTIVE_MAX},
    [SERIN_TOPIC_DEV_DIRECTIVE] = {1, true,  SERIN_DIRECTIVE_MAX},
    [SERIN_TOPIC_DEV_REPORT]    = {1, false, SERIN_REPORT_MAX},
    [SERIN_TOPIC_DEV_ACK]       = {1, false, SERIN_ACK_MAX},
    [SERIN_TOPIC_DEV_BEAT]      = {0, false, SERIN_BEAT_MAX},
    [SERIN_TOPIC_DEV_GET]       = {0, false, SERIN_GET_MAX},
    [SERIN_TOPIC_DEV_BLOCK]     = {0, false, SERIN_BLOCK_MAX},
    [SERIN_TOPIC_GW_REPORTS]    = {1, false, SERIN_BATCH_MAX},
    [SERIN_TOPIC_GW_ACKS]       = {1, false, SERIN_ACK_BATCH_MAX},
    [SERIN_TOPIC_GW_STATUS]     = {1, false, SERIN_GW_STATUS_MAX},
    [SERIN_TOPIC_GW_GET]        = {0, false, SERIN_GET_MAX},
    [SERIN_TOPIC_GW_BLOCK]      = {0, false, SERIN_BLOCK_MAX},
    [SERIN_TOPIC_TRUST]         = {1, true,  SERIN_TRUST_PAYLOAD_MAX},
    [SERIN_TOPIC_HOLD]          = {1, true,  SERIN_HOLD_MAX},
    [SERIN_TOPIC_DEPOT_HAVE]    = {0, false, SERIN_HAVE_MAX},
    [SERIN_TOPIC_DEPOT_WANT]    = {0, false, SERIN_WANT_MAX},
    [SERIN_TOPIC_PRESENCE]      = {1, true,  SERIN_PRESENCE_MAX},
};

#define NONE  SERIN_REACH_NONE
#define OWN   SERIN_REACH_OWN
#define NAMED SERIN_REACH_NAMED
#define ANY   SERIN_REACH_ANY

/* What a party has no line for it may neither publish nor read. Blocks, presence and depot/want are
 * published by the plugin alone; requests and depot/have are read by it alone. The topics local to a
 * site (hold, depot) have no publisher on the cloud's broker. */
static const struct serin_right rights[SERIN_PARTY_COUNT][SERIN_TOPIC_COUNT] = {
    [SERIN_PARTY_DEVICE] = {
        /*                             publish read */
        [SERIN_TOPIC_DIRECTIVE]     = {NONE, NAMED},
        [SERIN_TOPIC_DEV_DIRECTIVE] = {NONE, OWN},
        [SERIN_TOPIC_DEV_REPORT]    = {OWN,  NONE},
        [SERIN_TOPIC_DEV_ACK]       = {NONE, OWN},
        [SERIN_TOPIC_DEV_BEAT]      = {OWN,  NONE},
        [SERIN_TOPIC_DEV_GET]       = {OWN,  NONE},
        [SERIN_TOPIC_DEV_BLOCK]     = {NONE, OWN},
        [SERIN_TOPIC_TRUST]         = {NONE, NAMED},
        [SERIN_TOPIC_HOLD]          = {NONE, NAMED},
    },
    [SERIN_PARTY_GATEWAY] = {
        [SERIN_TOPIC_DIRECTIVE]     = {NONE, NAMED},
        [SERIN_TOPIC_DEV_DIRECTIVE] = {NONE, NAMED},
        [SERIN_TOPIC_GW_REPORTS]    = {OWN,  NONE},
        [SERIN_TOPIC_GW_ACKS]       = {NONE, OWN},
        [SERIN_TOPIC_GW_STATUS]     = {OWN,  NONE},
        [SERIN_TOPIC_GW_GET]        = {OWN,  NONE},
        [SERIN_TOPIC_GW_BLOCK]      = {NONE, OWN},
        [SERIN_TOPIC_TRUST]         = {NONE, NAMED},
    },
    [SERIN_PARTY_SERIND] = {
        [SERIN_TOPIC_DIRECTIVE]     = {ANY,  ANY},
        [SERIN_TOPIC_DEV_DIRECTIVE] = {ANY,  ANY},
        [SERIN_TOPIC_DEV_REPORT]    = {NONE, ANY},
        [SERIN_TOPIC_DEV_ACK]       = {ANY,  NONE},
        [SERIN_TOPIC_DEV_BEAT]      = {NONE, ANY},
        [SERIN_TOPIC_GW_REPORTS]    = {NONE, ANY},
        [SERIN_TOPIC_GW_ACKS]       = {ANY,  NONE},
        [SERIN_TOPIC_GW_STATUS]     = {NONE, ANY},
        [SERIN_TOPIC_TRUST]         = {ANY,  ANY},
        [SERIN_TOPIC_PRESENCE]      = {NONE, ANY},
    },
    /* It passes on what serind signed, and reads it back to compare. */
    [SERIN_PARTY_SITE_GATEWAY] = {
        [SERIN_TOPIC_DIRECTIVE]     = {ANY,  ANY},
        [SERIN_TOPIC_DEV_DIRECTIVE] = {ANY,  ANY},
        [SERIN_TOPIC_DEV_REPORT]    = {NONE, ANY},
        [SERIN_TOPIC_DEV_ACK]       = {ANY,  NONE},
        [SERIN_TOPIC_DEV_BEAT]      = {NONE, ANY},
        [SERIN_TOPIC_TRUST]         = {ANY,  ANY},
        [SERIN_TOPIC_HOLD]          = {ANY,  ANY},
        [SERIN_TOPIC_DEPOT_HAVE]    = {ANY,  NONE},
        [SERIN_TOPIC_DEPOT_WANT]    = {NONE, ANY},
        [SERIN_TOPIC_PRESENCE]      = {NONE, ANY},
    },
};
#undef NONE
#undef OWN
#undef NAMED
#undef ANY
/* clang-format on */

static const struct serin_acl_answer allow = {.verdict = SERIN_ACL_ALLOW};
static const struct serin_acl_answer defer = {.verdict = SERIN_ACL_DEFER};

static struct serin_acl_answer deny(const char *why)
{
    return (struct serin_acl_answer){.verdict = SERIN_ACL_DENY, .why = why};
}

enum serin_party serin_acl_party(enum serin_role role, const char *id, const char *site_gateway)
{
    switch (role) {
    case SERIN_ROLE_DEVICE:
        return SERIN_PARTY_DEVICE;
    case SERIN_ROLE_GATEWAY:
        if (site_gateway == NULL) {
            return SERIN_PARTY_GATEWAY;
        }
        return strcmp(id, site_gateway) == 0 ? SERIN_PARTY_SITE_GATEWAY : SERIN_PARTY_NONE;
    case SERIN_ROLE_SERIND:
        return site_gateway == NULL ? SERIN_PARTY_SERIND : SERIN_PARTY_NONE;
    case SERIN_ROLE_INVALID:
        break;
    }
    return SERIN_PARTY_NONE;
}

struct serin_right serin_acl_right(enum serin_party party, enum serin_topic_kind kind)
{
    SERIN_ASSERT(party < SERIN_PARTY_COUNT && kind < SERIN_TOPIC_COUNT);
    return rights[party][kind];
}

struct serin_topic_form serin_acl_form(enum serin_topic_kind kind)
{
    SERIN_ASSERT(kind < SERIN_TOPIC_COUNT);
    return forms[kind];
}

static bool reaches(enum serin_reach reach, const char *id, const struct serin_topic *topic)
{
    switch (reach) {
    case SERIN_REACH_OWN:
        return strcmp(topic->id, id) == 0;
    case SERIN_REACH_NAMED:
    case SERIN_REACH_ANY:
        return true;
    case SERIN_REACH_NONE:
        break;
    }
    return false;
}

struct serin_acl_answer serin_acl_publish(enum serin_party party, const char *id, const char *text,
                                          uint8_t qos, bool retain, uint32_t payload_bytes,
                                          struct serin_topic *topic)
{
    if (!serin_topic_ours(text)) {
        return defer;
    }
    if (serin_topic_parse(text, topic) != SERIN_OK) {
        return deny("no such topic");
    }
    if (!reaches(serin_acl_right(party, topic->kind).publish, id, topic)) {
        return deny("this identity may not publish there");
    }
    struct serin_topic_form form = serin_acl_form(topic->kind);
    if (qos != form.qos) {
        return deny("wrong QoS for the topic");
    }
    if (retain != form.retain) {
        return deny(form.retain ? "must be retained" : "must not be retained");
    }
    if (payload_bytes == 0) {
        return deny("empty payload");
    }
    return payload_bytes > form.payload_max_bytes ? deny("payload too large for the topic") : allow;
}

struct serin_acl_answer serin_acl_read(enum serin_party party, const char *id, const char *text,
                                       struct serin_topic *topic)
{
    if (!serin_topic_ours(text)) {
        return defer;
    }
    if (serin_topic_parse(text, topic) != SERIN_OK) {
        return deny("no such topic");
    }
    return reaches(serin_acl_right(party, topic->kind).read, id, topic)
               ? allow
               : deny("this identity may not read there");
}

/* One level of a topic or a filter, without its slash. */
struct level {
    const char *text;
    size_t size;
};

static struct level level_at(const char *text)
{
    return (struct level){.text = text, .size = strcspn(text, "/")};
}

static bool level_is(struct level level, const char *text)
{
    return level.size == strlen(text) && memcmp(level.text, text, level.size) == 0;
}

bool serin_filter_matches(const char *filter, const char *topic)
{
    if (topic[0] == '$' && filter[0] != '$') {
        return false; /* wildcards do not reach topics of the broker's own */
    }
    for (;;) {
        struct level want = level_at(filter);
        struct level have = level_at(topic);
        if (level_is(want, "#")) {
            return true;
        }
        bool same = want.size == have.size && memcmp(want.text, have.text, want.size) == 0;
        if (!same && !level_is(want, "+")) {
            return false;
        }
        filter = want.text + want.size;
        topic = have.text + have.size;
        if (*topic == '\0') {
            return *filter == '\0' || strcmp(filter, "/#") == 0; /* "a/#" matches "a" too */
        }
        if (*filter == '\0') {
            return false;
        }
        filter++;
        topic++;
    }
}

static bool has_wildcard(const char *filter)
{
    return strpbrk(filter, "+#") != NULL;
}

/* Copies level `index` of the filter into `name` where it is a literal that `valid` takes; else
 * `name` stays. */
static void borrow_name(const char *filter, unsigned index, char *name, size_t room,
                        bool (*valid)(const char *text, size_t size))
{
    struct level level = level_at(filter);
    for (unsigned i = 0; i < index; i++) {
        if (level.text[level.size] == '\0') {
            return;
        }
        level = level_at(level.text + level.size + 1);
    }
    if (level.size < room && valid(level.text, level.size)) {
        memcpy(name, level.text, level.size);
        name[level.size] = '\0';
    }
}

/* Whether a filter can match any topic of a kind. Names stand at fixed levels
 * (serin/1/<word>/<name>[/<channel>]), so the topic of the kind that takes its names from the
 * filter is matched if any is. */
static bool can_match(const char *filter, enum serin_topic_kind kind)
{
    struct serin_topic topic = {.kind = kind, .id = "x", .product = "x", .channel = "x"};
    borrow_name(filter, 3, topic.id, sizeof topic.id, serin_id_valid);
    borrow_name(filter, 3, topic.product, sizeof topic.product, serin_product_valid);
    borrow_name(filter, 4, topic.channel, sizeof topic.channel, serin_channel_valid);
    char text[SERIN_TOPIC_MAX];
    serin_topic_format(&topic, text);
    return serin_filter_matches(filter, text);
}

/* A filter with wildcards: `allowed` says whether each kind that it can match is within ANY,
 * `touched` whether there is one at all. */
static bool wildcard_allowed(enum serin_party party, const char *filter, bool *touched)
{
    bool allowed = true;
    *touched = false;
    for (int i = SERIN_TOPIC_INVALID + 1; i < SERIN_TOPIC_COUNT; i++) {
        enum serin_topic_kind kind = (enum serin_topic_kind)i;
        if (can_match(filter, kind)) {
            *touched = true;
            allowed = allowed && serin_acl_right(party, kind).read == SERIN_REACH_ANY;
        }
    }
    return allowed;
}

static struct serin_acl_answer subscribe_shared(enum serin_party party, const char *filter)
{
    const char *group = strchr(filter, '/');
    const char *shared = group == NULL ? NULL : strchr(group + 1, '/');
    bool touched = false;
    if (shared != NULL) {
        (void)wildcard_allowed(party, shared + 1, &touched);
    }
    return touched || (shared != NULL && serin_topic_ours(shared + 1))
               ? deny("shared subscriptions are not allowed here")
               : defer;
}

struct serin_acl_answer serin_acl_subscribe(enum serin_party party, const char *id,
                                            const char *filter)
{
    if (strncmp(filter, "$share", 6) == 0) {
        return subscribe_shared(party, filter);
    }
    if (!has_wildcard(filter)) {
        struct serin_topic topic;
        return serin_acl_read(party, id, filter, &topic);
    }
    bool touched = false;
    bool allowed = wildcard_allowed(party, filter, &touched);
    if (!touched) {
        return serin_topic_ours(filter) ? deny("no such topic") : defer;
    }
    return allowed ? allow : deny("the filter covers topics that this identity may not read");
}

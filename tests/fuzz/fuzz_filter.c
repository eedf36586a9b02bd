/*
 * Subscription filters: whatever is not denied matches no topic that its party may not read, and
 * what is left to others matches none of Serin's at all.
 */
#include "fuzz.h"

#include <serin/plugin/acl.h>

#include <stdlib.h>
#include <string.h>

/* The topic of a kind that is the client's own, or another's. */
static void topic_of(enum serin_topic_kind kind, const char *id, char *text)
{
    struct serin_topic topic = {.kind = kind, .product = "lamp", .channel = "stable"};
    memcpy(topic.id, id, strlen(id) + 1);
    serin_topic_format(&topic, text);
}

/* The filter that decides, behind "$share/<group>/". */
static const char *inner(const char *filter)
{
    const char *group = strncmp(filter, "$share", 6) == 0 ? strchr(filter, '/') : NULL;
    const char *shared = group != NULL ? strchr(group + 1, '/') : NULL;
    return shared != NULL ? shared + 1 : filter;
}

static void try_party(enum serin_party party, const char *filter)
{
    enum serin_acl_verdict verdict = serin_acl_subscribe(party, "me", filter).verdict;
    SERIN_ASSERT(verdict != SERIN_ACL_ALLOW || strncmp(filter, "$share", 6) != 0);
    for (int i = SERIN_TOPIC_INVALID + 1; i < SERIN_TOPIC_COUNT; i++) {
        for (int own = 0; own < 2; own++) {
            char text[SERIN_TOPIC_MAX];
            struct serin_topic topic;
            topic_of((enum serin_topic_kind)i, own ? "me" : "other", text);
            if (verdict == SERIN_ACL_DENY || !serin_filter_matches(inner(filter), text)) {
                continue;
            }
            SERIN_ASSERT(verdict == SERIN_ACL_ALLOW);
            SERIN_ASSERT(serin_acl_read(party, "me", text, &topic).verdict == SERIN_ACL_ALLOW);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *filter = malloc(size + 1);
    if (filter == NULL) {
        return 0;
    }
    memcpy(filter, data, size);
    filter[size] = '\0';
    if (strpbrk(filter, "+#") == NULL) {
        SERIN_ASSERT(serin_filter_matches(filter, filter));
    }
    for (int party = SERIN_PARTY_NONE; party < SERIN_PARTY_COUNT; party++) {
        try_party((enum serin_party)party, filter);
    }
    free(filter);
    return 0;
}

/* The topic table as an access list: every party × topic kind × access, and filters with wildcards.
 */
#include "check_main.h"

#include <serin/plugin/acl.h>
#include <serin/wire.h>

#include <stdio.h>
#include <string.h>

/* Who may do what, written down a second time, by hand, from the design's topic table: publish and
 * read for device, gateway, serind, and the site's gateway on its own broker. '-' nobody, 'o' its
 * own, 'n' any by full name, '*' any with wildcards too. */
struct expected {
    enum serin_topic_kind kind;
    const char *device, *gateway, *serind, *site;
    uint8_t qos;
    bool retain;
    uint32_t max;
};
static const struct expected table[] = {
    {SERIN_TOPIC_DIRECTIVE, "-n", "-n", "**", "**", 1, true, 512},
    {SERIN_TOPIC_DEV_DIRECTIVE, "-o", "-n", "**", "**", 1, true, 512},
    {SERIN_TOPIC_DEV_REPORT, "o-", "--", "-*", "-*", 1, false, 2048},
    {SERIN_TOPIC_DEV_ACK, "-o", "--", "*-", "*-", 1, false, 128},
    {SERIN_TOPIC_DEV_BEAT, "o-", "--", "-*", "-*", 0, false, 1024},
    {SERIN_TOPIC_DEV_GET, "o-", "--", "--", "--", 0, false, 128},
    {SERIN_TOPIC_DEV_BLOCK, "-o", "--", "--", "--", 0, false, 65664},
    {SERIN_TOPIC_GW_REPORTS, "--", "o-", "-*", "--", 1, false, 65536},
    {SERIN_TOPIC_GW_ACKS, "--", "-o", "*-", "--", 1, false, 16384},
    {SERIN_TOPIC_GW_STATUS, "--", "o-", "-*", "--", 1, false, 4096},
    {SERIN_TOPIC_GW_GET, "--", "o-", "--", "--", 0, false, 128},
    {SERIN_TOPIC_GW_BLOCK, "--", "-o", "--", "--", 0, false, 65664},
    {SERIN_TOPIC_TRUST, "-n", "-n", "**", "**", 1, true, 4096},
    {SERIN_TOPIC_HOLD, "-n", "--", "--", "**", 1, true, 256},
    {SERIN_TOPIC_DEPOT_HAVE, "--", "--", "--", "*-", 0, false, 8192},
    {SERIN_TOPIC_DEPOT_WANT, "--", "--", "--", "-*", 0, false, 128},
    {SERIN_TOPIC_PRESENCE, "--", "--", "-*", "-*", 1, true, 64},
};
#define TABLE_COUNT (sizeof table / sizeof table[0])

static const char *rights_of(const struct expected *row, enum serin_party party)
{
    switch (party) {
    case SERIN_PARTY_DEVICE:
        return row->device;
    case SERIN_PARTY_GATEWAY:
        return row->gateway;
    case SERIN_PARTY_SERIND:
        return row->serind;
    case SERIN_PARTY_SITE_GATEWAY:
        return row->site;
    default:
        return "--";
    }
}

static bool has_id(enum serin_topic_kind kind)
{
    struct serin_topic topic = {.kind = kind, .id = "Z", .product = "p", .channel = "c"};
    char text[SERIN_TOPIC_MAX];
    serin_topic_format(&topic, text);
    return strstr(text, "Z") != NULL;
}

static void topic_of(enum serin_topic_kind kind, const char *id, char *text)
{
    struct serin_topic topic = {.kind = kind, .product = "lamp", .channel = "stable"};
    memcpy(topic.id, id, strlen(id) + 1);
    serin_topic_format(&topic, text);
}

static bool allowed(struct serin_acl_answer answer)
{
    ck_assert_int_ne(answer.verdict, SERIN_ACL_DEFER);
    ck_assert(answer.verdict == SERIN_ACL_ALLOW || answer.why != NULL);
    return answer.verdict == SERIN_ACL_ALLOW;
}

/* Who is who: every role, in the cloud and at the site of "me". */
START_TEST(test_parties)
{
    static const struct {
        enum serin_role role;
        const char *id;
        enum serin_party cloud, site;
    } cases[] = {
        {SERIN_ROLE_INVALID, "me", SERIN_PARTY_NONE, SERIN_PARTY_NONE},
        {SERIN_ROLE_DEVICE, "other", SERIN_PARTY_DEVICE, SERIN_PARTY_DEVICE},
        {SERIN_ROLE_DEVICE, "me", SERIN_PARTY_DEVICE, SERIN_PARTY_DEVICE},
        {SERIN_ROLE_GATEWAY, "me", SERIN_PARTY_GATEWAY, SERIN_PARTY_SITE_GATEWAY},
        {SERIN_ROLE_GATEWAY, "other", SERIN_PARTY_GATEWAY, SERIN_PARTY_NONE},
        {SERIN_ROLE_GATEWAY, "me2", SERIN_PARTY_GATEWAY, SERIN_PARTY_NONE},
        {SERIN_ROLE_GATEWAY, "m", SERIN_PARTY_GATEWAY, SERIN_PARTY_NONE},
        {SERIN_ROLE_SERIND, "me", SERIN_PARTY_SERIND, SERIN_PARTY_NONE},
        {SERIN_ROLE_SERIND, "serind", SERIN_PARTY_SERIND, SERIN_PARTY_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(serin_acl_party(cases[i].role, cases[i].id, NULL), cases[i].cloud);
        ck_assert_int_eq(serin_acl_party(cases[i].role, cases[i].id, "me"), cases[i].site);
    }
}
END_TEST

START_TEST(test_every_kind_is_in_the_table)
{
    ck_assert_uint_eq(TABLE_COUNT, SERIN_TOPIC_COUNT - 1);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        ck_assert_uint_eq(table[i].kind, i + 1);
    }
}
END_TEST

START_TEST(test_party_kind_access)
{
    for (enum serin_party party = SERIN_PARTY_NONE; party < SERIN_PARTY_COUNT; party++) {
        for (size_t i = 0; i < TABLE_COUNT; i++) {
            const struct expected *row = &table[i];
            const char *rights = rights_of(row, party);
            for (int own = 0; own < 2; own++) {
                char text[SERIN_TOPIC_MAX];
                struct serin_topic topic;
                topic_of(row->kind, own ? "me" : "other", text);
                bool own_counts = own || !has_id(row->kind);
                bool publish = rights[0] == '*' || (rights[0] == 'o' && own_counts);
                bool read =
                    rights[1] == '*' || rights[1] == 'n' || (rights[1] == 'o' && own_counts);
                ck_assert_msg(allowed(serin_acl_publish(party, "me", text, row->qos, row->retain, 1,
                                                        &topic)) == publish,
                              "party %d publishes on %s", party, text);
                ck_assert_msg(allowed(serin_acl_read(party, "me", text, &topic)) == read,
                              "party %d reads %s", party, text);
                ck_assert_msg(allowed(serin_acl_subscribe(party, "me", text)) == read,
                              "party %d subscribes to %s", party, text);
            }
        }
    }
}
END_TEST

/* Replaces the given level of a topic by "+". */
static void with_plus(const char *text, unsigned level, char *filter)
{
    unsigned at = 0;
    bool in_plus = false;
    for (; *text != '\0'; text++) {
        if (*text == '/') {
            at++;
            in_plus = false;
        } else if (at == level) {
            if (!in_plus) {
                *filter++ = '+';
            }
            in_plus = true;
            continue;
        }
        *filter++ = *text;
    }
    *filter = '\0';
}

START_TEST(test_wildcard_in_place_of_a_name)
{
    for (enum serin_party party = SERIN_PARTY_NONE; party < SERIN_PARTY_COUNT; party++) {
        for (size_t i = 0; i < TABLE_COUNT; i++) {
            char text[SERIN_TOPIC_MAX];
            char filter[SERIN_TOPIC_MAX];
            topic_of(table[i].kind, "me", text);
            if (strncmp(text, "serin/1/depot/", 14) == 0) {
                continue; /* the wildcard would stand in place of a word */
            }
            with_plus(text, 3, filter);
            ck_assert_msg(allowed(serin_acl_subscribe(party, "me", filter)) ==
                              (rights_of(&table[i], party)[1] == '*'),
                          "party %d subscribes to %s", party, filter);
        }
    }
}
END_TEST

START_TEST(test_form_is_exact)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct expected *row = &table[i];
        enum serin_party party = SERIN_PARTY_NONE;
        for (enum serin_party p = SERIN_PARTY_DEVICE; p < SERIN_PARTY_COUNT; p++) {
            party = rights_of(row, p)[0] != '-' ? p : party;
        }
        if (party == SERIN_PARTY_NONE) {
            continue;
        }
        char text[SERIN_TOPIC_MAX];
        struct serin_topic topic;
        topic_of(row->kind, "me", text);
        for (uint8_t qos = 0; qos < 3; qos++) {
            for (int retain = 0; retain < 2; retain++) {
                ck_assert_int_eq(
                    allowed(serin_acl_publish(party, "me", text, qos, retain, 1, &topic)),
                    qos == row->qos && (retain != 0) == row->retain);
            }
        }
        ck_assert(
            allowed(serin_acl_publish(party, "me", text, row->qos, row->retain, row->max, &topic)));
        ck_assert(!allowed(
            serin_acl_publish(party, "me", text, row->qos, row->retain, row->max + 1, &topic)));
        ck_assert(!allowed(serin_acl_publish(party, "me", text, row->qos, row->retain, 0, &topic)));
        ck_assert(!allowed(
            serin_acl_publish(party, "me", text, row->qos, row->retain, UINT32_MAX, &topic)));
    }
}
END_TEST

/* Filters that a snooper would try; 'd' denied, 'a' allowed, '>' deferred, for device, gateway,
 * serind, the site's gateway. */
static const struct {
    const char *filter;
    const char *verdicts;
} filters[] = {
    {"#", "dddd"},
    {"+/#", "dddd"},
    {"+", ">>>>"},
    {"+/+", ">>>>"},
    {"serin", "dddd"},
    {"serin/#", "dddd"},
    {"serin/+", "dddd"},
    {"serin/1/#", "dddd"},
    {"serin/2/#", "dddd"},
    {"serin/+/#", "dddd"},
    {"+/1/#", "dddd"},
    {"+/1/dev/me/ack", "dddd"},
    {"+/1/dev/+/report", "ddaa"},
    {"+/+/dev/+/beat", "ddaa"},
    {"+/+/+/+/+", "dddd"},
    {"+/+/+/+", "dddd"},
    {"+/+/+", ">>>>"},
    {"serin/1/dev/#", "dddd"},
    {"serin/1/dev/me/#", "dddd"},
    {"serin/1/dev/me/+", "dddd"},
    {"serin/1/dev/me/ack/#", "dddd"},
    {"serin/1/dev/+/report", "ddaa"},
    {"serin/1/dev/+/beat", "ddaa"},
    {"serin/1/dev/+/ack", "dddd"},
    {"serin/1/dev/+/get", "dddd"},
    {"serin/1/dev/+/block", "dddd"},
    {"serin/1/dev/+/directive", "ddaa"},
    {"serin/1/directive/#", "ddaa"},
    {"serin/1/directive/+/+", "ddaa"},
    {"serin/1/directive/lamp/+", "ddaa"},
    {"serin/1/directive/lamp/#", "ddaa"},
    {"serin/1/directive/lamp/stable/#", "ddaa"},
    {"serin/1/directive/lamp/stable", "aaaa"},
    {"serin/1/directive/lamp", "dddd"},
    {"serin/1/trust/+", "ddaa"},
    {"serin/1/trust/lamp", "aaaa"},
    {"serin/1/presence/+", "ddaa"},
    {"serin/1/presence/#", "ddaa"},
    {"serin/1/presence/me", "ddaa"},
    {"serin/1/gw/+/reports", "ddad"},
    {"serin/1/gw/+/status", "ddad"},
    {"serin/1/gw/+/acks", "dddd"},
    {"serin/1/gw/+/+", "dddd"},
    {"serin/1/hold/lamp", "adda"},
    {"serin/1/hold/+", "ddda"},
    {"serin/1/depot/+", "dddd"},
    {"serin/1/depot/want", "ddda"},
    {"serin/1/depot/have", "dddd"},
    {"serin/1/hold/#", "ddda"},
    {"serin/1/+/lamp", "ddda"},
    {"serin/1/nonsense/+", "dddd"},
    {"serin/1/dev/b.d/+", "dddd"},
    {"serin//dev/+/report", "dddd"},
    {"serinx/#", ">>>>"},
    {"other/#", ">>>>"},
    {"other/topic", ">>>>"},
    {"$SYS/#", ">>>>"},
    {"$share/g/serin/1/dev/+/report", "dddd"},
    {"$share/g/serin/1/directive/lamp/stable", "dddd"},
    {"$share/g/#", "dddd"},
    {"$share/g/other/#", ">>>>"},
    {"$share/g", ">>>>"},
};

START_TEST(test_filters)
{
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        for (enum serin_party party = SERIN_PARTY_DEVICE; party < SERIN_PARTY_COUNT; party++) {
            enum serin_acl_verdict verdict =
                serin_acl_subscribe(party, "me", filters[i].filter).verdict;
            char shown = verdict == SERIN_ACL_ALLOW ? 'a' : verdict == SERIN_ACL_DENY ? 'd' : '>';
            ck_assert_msg(shown == filters[i].verdicts[party - SERIN_PARTY_DEVICE],
                          "%s by party %d: %c", filters[i].filter, party, shown);
        }
    }
}
END_TEST

/* The proof behind the list above: whatever filter is allowed, it matches no topic that the party
 * may not read. Filters are drawn from parts that topics are made of. */
START_TEST(test_no_allowed_filter_reveals_more)
{
    static const char *const parts[] = {
        "serin", "1",   "dev",   "gw",        "me",    "other",  "report",   "ack",
        "beat",  "get", "block", "directive", "lamp",  "stable", "presence", "+",
        "+",     "+",   "hold",  "trust",     "depot", "have",   "#",        "status"};
    uint32_t seed = 20260131;
    unsigned matched = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char filter[SERIN_TOPIC_MAX] = "";
        seed = seed * 1664525u + 1013904223u;
        unsigned levels = 1 + (seed >> 16) % 5;
        for (unsigned i = 0; i < levels; i++) {
            seed = seed * 1664525u + 1013904223u;
            /* Most filters start as ours do, or little of interest would be met. */
            unsigned pick = (seed >> 16) % (sizeof parts / sizeof parts[0]);
            const char *part = i < 2 && (seed & 0xC000u) != 0 ? parts[i] : parts[pick];
            strcat(strcat(filter, i > 0 ? "/" : ""), part);
            if (strcmp(part, "#") == 0) {
                break;
            }
        }
        for (enum serin_party party = SERIN_PARTY_DEVICE; party < SERIN_PARTY_COUNT; party++) {
            if (serin_acl_subscribe(party, "me", filter).verdict == SERIN_ACL_DENY) {
                continue;
            }
            for (size_t i = 0; i < TABLE_COUNT; i++) {
                for (int own = 0; own < 2; own++) {
                    char text[SERIN_TOPIC_MAX];
                    struct serin_topic topic;
                    topic_of(table[i].kind, own ? "me" : "other", text);
                    if (serin_filter_matches(filter, text)) {
                        matched++;
                        ck_assert_msg(serin_acl_read(party, "me", text, &topic).verdict ==
                                          SERIN_ACL_ALLOW,
                                      "%s lets party %d read %s", filter, party, text);
                    }
                }
            }
        }
    }
    ck_assert_uint_gt(matched, 100); /* else the parts were badly chosen and nothing was proved */
}
END_TEST

START_TEST(test_matching)
{
    static const struct {
        const char *filter, *topic;
        bool match;
    } cases[] = {
        {"a/b", "a/b", true},     {"a/b", "a/c", false},      {"a/+", "a/b", true},
        {"a/+", "a", false},      {"a/+", "a/", true},        {"a/#", "a", true},
        {"a/#", "a/b/c", true},   {"#", "a/b", true},         {"#", "$SYS/x", false},
        {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"+", "a/b", false},
        {"+/+", "a/b", true},     {"a/b/c", "a/b", false},    {"a", "a/b", false},
        {"+/+", "/b", true},      {"/+", "/b", true},         {"ab", "a", false},
        {"a", "ab", false},       {"a/+/c", "a//c", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(serin_filter_matches(cases[i].filter, cases[i].topic) == cases[i].match,
                      "%s on %s", cases[i].filter, cases[i].topic);
    }
}
END_TEST

START_TEST(test_others_are_deferred)
{
    struct serin_topic topic;
    for (enum serin_party party = SERIN_PARTY_NONE; party < SERIN_PARTY_COUNT; party++) {
        ck_assert_int_eq(serin_acl_publish(party, "me", "house/light", 2, true, 9, &topic).verdict,
                         SERIN_ACL_DEFER);
        ck_assert_int_eq(serin_acl_read(party, "me", "serinx/1", &topic).verdict, SERIN_ACL_DEFER);
        ck_assert_int_eq(serin_acl_publish(party, "me", "serin/1/x", 0, false, 9, &topic).verdict,
                         SERIN_ACL_DENY);
        ck_assert_int_eq(serin_acl_read(party, "me", "serin", &topic).verdict, SERIN_ACL_DENY);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_parties,
                                  test_every_kind_is_in_the_table,
                                  test_party_kind_access,
                                  test_wildcard_in_place_of_a_name,
                                  test_form_is_exact,
                                  test_filters,
                                  test_no_allowed_filter_reveals_more,
                                  test_matching,
                                  test_others_are_deferred,
                                  NULL};
    return check_run("plugin_acl", tests);
}

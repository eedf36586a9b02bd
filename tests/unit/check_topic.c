/* Topics: the whole table both ways, and everything that is close to a topic but is none. */
#include "check_main.h"

#include <serin/topic.h>

#include <string.h>

static const struct {
    enum serin_topic_kind kind;
    const char *text;
} table[] = {
    {SERIN_TOPIC_DIRECTIVE, "serin/1/directive/lamp/stable"},
    {SERIN_TOPIC_DEV_DIRECTIVE, "serin/1/dev/d-7/directive"},
    {SERIN_TOPIC_DEV_REPORT, "serin/1/dev/d-7/report"},
    {SERIN_TOPIC_DEV_ACK, "serin/1/dev/d-7/ack"},
    {SERIN_TOPIC_DEV_BEAT, "serin/1/dev/d-7/beat"},
    {SERIN_TOPIC_DEV_GET, "serin/1/dev/d-7/get"},
    {SERIN_TOPIC_DEV_BLOCK, "serin/1/dev/d-7/block"},
    {SERIN_TOPIC_GW_REPORTS, "serin/1/gw/d-7/reports"},
    {SERIN_TOPIC_GW_ACKS, "serin/1/gw/d-7/acks"},
    {SERIN_TOPIC_GW_STATUS, "serin/1/gw/d-7/status"},
    {SERIN_TOPIC_GW_GET, "serin/1/gw/d-7/get"},
    {SERIN_TOPIC_GW_BLOCK, "serin/1/gw/d-7/block"},
    {SERIN_TOPIC_TRUST, "serin/1/trust/lamp"},
    {SERIN_TOPIC_HOLD, "serin/1/hold/lamp"},
    {SERIN_TOPIC_DEPOT_HAVE, "serin/1/depot/have"},
    {SERIN_TOPIC_DEPOT_WANT, "serin/1/depot/want"},
    {SERIN_TOPIC_PRESENCE, "serin/1/presence/d-7"},
};
#define TABLE_COUNT (sizeof table / sizeof table[0])

START_TEST(every_kind_goes_both_ways)
{
    ck_assert_uint_eq(TABLE_COUNT + 1, SERIN_TOPIC_COUNT); /* all but INVALID */
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct serin_topic topic;
        char text[SERIN_TOPIC_MAX];
        ck_assert_int_eq(serin_topic_parse(table[i].text, &topic), SERIN_OK);
        ck_assert_int_eq(topic.kind, table[i].kind);
        ck_assert(strcmp(topic.id, "") == 0 || strcmp(topic.id, "d-7") == 0);
        ck_assert_int_eq(topic.id[0] != '\0', strstr(table[i].text, "d-7") != NULL);
        ck_assert_int_eq(topic.product[0] != '\0', strstr(table[i].text, "lamp") != NULL);
        ck_assert_int_eq(topic.channel[0] != '\0', strstr(table[i].text, "stable") != NULL);
        serin_topic_format(&topic, text);
        ck_assert_str_eq(text, table[i].text);
    }
}
END_TEST

START_TEST(prefixes_and_tails_are_refused)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct serin_topic topic;
        char text[SERIN_TOPIC_MAX];
        size_t length = strlen(table[i].text);
        for (size_t cut = 0; cut < length;
             cut++) { /* every prefix: a shorter name may still be one */
            memcpy(text, table[i].text, cut);
            text[cut] = '\0';
            if (serin_topic_parse(text, &topic) == SERIN_OK) {
                ck_assert_int_eq(topic.kind, table[i].kind);
                ck_assert_uint_gt(cut, strlen(table[i].text) - strlen("stable"));
            } else {
                ck_assert_int_eq(topic.kind, SERIN_TOPIC_INVALID);
                ck_assert_str_eq(topic.id, "");
            }
        }
        const char *const tails[] = {"/", "/x", "#", "/#", "/+", " ", "\n", "\x7f", "\xc3\xa4"};
        for (size_t j = 0; j < sizeof tails / sizeof tails[0]; j++) {
            strcat(strcpy(text, table[i].text), tails[j]);
            ck_assert_msg(serin_topic_parse(text, &topic) == SERIN_ERR_FORMAT, "%s", text);
        }
    }
}
END_TEST

START_TEST(near_misses_are_refused)
{
    const char *const wrong[] = {"",
                                 "serin",
                                 "serin/",
                                 "serin/1",
                                 "serin/1/",
                                 "serin/2/presence/d",
                                 "Serin/1/presence/d",
                                 "/serin/1/presence/d",
                                 "serin//1/presence/d",
                                 "serin/1//presence/d",
                                 "serin/1/presence/",
                                 "serin/1/presence//",
                                 "serin/1/presence/+",
                                 "serin/1/presence/#",
                                 "serin/1/presence/d.e",
                                 "serin/1/dev//report",
                                 "serin/1/dev/d/reports",
                                 "serin/1/dev/d/Report",
                                 "serin/1/dev/d",
                                 "serin/1/dev/d/report/x",
                                 "serin/1/gw/d/report",
                                 "serin/1/gw/d/directive",
                                 "serin/1/directive/lamp",
                                 "serin/1/directive/lamp/",
                                 "serin/1/directive//stable",
                                 "serin/1/directive/lamp/stable/x",
                                 "serin/1/directives/lamp/stable",
                                 "serin/1/depot/d",
                                 "serin/1/depot/have/d",
                                 "$SYS/broker/load"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct serin_topic topic = {.kind = SERIN_TOPIC_HOLD};
        ck_assert_msg(serin_topic_parse(wrong[i], &topic) == SERIN_ERR_FORMAT, "%s", wrong[i]);
        ck_assert_int_eq(topic.kind, SERIN_TOPIC_INVALID);
    }
}
END_TEST

START_TEST(the_longest_names_fit)
{
    char id[66];
    char name[34];
    char text[SERIN_TOPIC_MAX];
    struct serin_topic topic;
    memset(id, 'i', 64);
    memset(name, 'n', 32);
    id[64] = name[32] = '\0';
    for (int kind = SERIN_TOPIC_INVALID + 1; kind < SERIN_TOPIC_COUNT; kind++) {
        struct serin_topic longest = {.kind = (enum serin_topic_kind)kind};
        strcpy(longest.id, id);
        strcpy(longest.product, name);
        strcpy(longest.channel, name);
        serin_topic_format(&longest, text);
        ck_assert_uint_lt(strlen(text), SERIN_TOPIC_MAX);
        ck_assert_int_eq(serin_topic_parse(text, &topic), SERIN_OK);
        ck_assert_int_eq(topic.kind, kind);
    }
    strcat(strcpy(text, "serin/1/presence/"), id);
    strcat(text, "i");
    ck_assert_int_eq(serin_topic_parse(text, &topic), SERIN_ERR_FORMAT);
    strcat(strcpy(text, "serin/1/trust/"), name);
    strcat(text, "n");
    ck_assert_int_eq(serin_topic_parse(text, &topic), SERIN_ERR_FORMAT);
}
END_TEST

START_TEST(shorthands_format_the_same)
{
    char text[SERIN_TOPIC_MAX];
    serin_topic_directive("lamp", "stable", text);
    ck_assert_str_eq(text, "serin/1/directive/lamp/stable");
    serin_topic_device(SERIN_TOPIC_DEV_ACK, "d-7", text);
    ck_assert_str_eq(text, "serin/1/dev/d-7/ack");
    serin_topic_trust("lamp", text);
    ck_assert_str_eq(text, "serin/1/trust/lamp");
}
END_TEST

START_TEST(our_space_is_recognised)
{
    ck_assert(serin_topic_ours("serin"));
    ck_assert(serin_topic_ours("serin/"));
    ck_assert(serin_topic_ours("serin/9/anything/#"));
    ck_assert(!serin_topic_ours("serinus/1"));
    ck_assert(!serin_topic_ours("seri"));
    ck_assert(!serin_topic_ours(""));
    ck_assert(!serin_topic_ours("/serin/1"));
    ck_assert(!serin_topic_ours("$SYS/serin/"));
}
END_TEST

static struct serin_topic wrong;

static void format_wrong(void)
{
    char text[SERIN_TOPIC_MAX];
    serin_topic_format(&wrong, text);
}

static void format_long_id(void)
{
    char text[SERIN_TOPIC_MAX];
    serin_topic_device(SERIN_TOPIC_DEV_ACK,
                       "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii", text);
}

START_TEST(wrong_names_stop_the_formatter)
{
    wrong = (struct serin_topic){.kind = SERIN_TOPIC_PRESENCE, .id = "d-7"};
    ck_assert(!check_dies(format_wrong));
    wrong.id[0] = '+';
    ck_assert(check_dies(format_wrong));
    wrong.id[0] = '\0';
    ck_assert(check_dies(format_wrong));
    wrong = (struct serin_topic){.kind = SERIN_TOPIC_INVALID};
    ck_assert(check_dies(format_wrong));
    wrong.kind = SERIN_TOPIC_COUNT;
    ck_assert(check_dies(format_wrong));
    ck_assert(check_dies(format_long_id));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_kind_goes_both_ways,      prefixes_and_tails_are_refused,
                                  near_misses_are_refused,        the_longest_names_fit,
                                  shorthands_format_the_same,     our_space_is_recognised,
                                  wrong_names_stop_the_formatter, NULL};
    return check_run("topic", tests);
}

/* The tables of docs/spec/topics.md, read from the page and compared with the access list, so that
 * neither can drift from the other. */
#include "check_main.h"

#include <serin/plugin/acl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How the page calls a kind in section 1, by its form, and in section 4, by its rights. */
static const struct {
    const char *form, *rights;
} names[SERIN_TOPIC_COUNT] = {
    [SERIN_TOPIC_DIRECTIVE] = {"directive/<product>/<channel>", "directive/…"},
    [SERIN_TOPIC_DEV_DIRECTIVE] = {"dev/<id>/directive", "dev/…/directive"},
    [SERIN_TOPIC_DEV_REPORT] = {"dev/<id>/report", "dev/…/report"},
    [SERIN_TOPIC_DEV_ACK] = {"dev/<id>/ack", "dev/…/ack"},
    [SERIN_TOPIC_DEV_BEAT] = {"dev/<id>/beat", "dev/…/beat"},
    [SERIN_TOPIC_DEV_GET] = {"dev/<id>/get", "dev/…/get"},
    [SERIN_TOPIC_DEV_BLOCK] = {"dev/<id>/block", "dev/…/block"},
    [SERIN_TOPIC_GW_REPORTS] = {"gw/<gw>/reports", "gw/…/reports"},
    [SERIN_TOPIC_GW_ACKS] = {"gw/<gw>/acks", "gw/…/acks"},
    [SERIN_TOPIC_GW_STATUS] = {"gw/<gw>/status", "gw/…/status"},
    [SERIN_TOPIC_GW_GET] = {"gw/<gw>/get", "gw/…/get"},
    [SERIN_TOPIC_GW_BLOCK] = {"gw/<gw>/block", "gw/…/block"},
    [SERIN_TOPIC_TRUST] = {"trust/<product>", "trust/…"},
    [SERIN_TOPIC_HOLD] = {"hold/<product>", "hold/…"},
    [SERIN_TOPIC_DEPOT_HAVE] = {"depot/have", "depot/have"},
    [SERIN_TOPIC_DEPOT_WANT] = {"depot/want", "depot/want"},
    [SERIN_TOPIC_PRESENCE] = {"presence/<id>", "presence/…"},
};

#define CELLS_MAX 8u
struct row {
    char line[512];
    char cells[CELLS_MAX][128]; /* of "| a | b | |", without the blanks around them */
    unsigned count;
};

static void cut_row(struct row *row)
{
    const char *at = row->line;
    for (row->count = 0; *at == '|' && at[1] != '\n'; row->count++) {
        at += 1 + strspn(at + 1, " ");
        size_t size = strcspn(at, "|\n");
        const char *next = at + size;
        while (size > 0 && at[size - 1] == ' ') {
            size--;
        }
        ck_assert(row->count < CELLS_MAX && size < sizeof row->cells[0]);
        memcpy(row->cells[row->count], at, size);
        row->cells[row->count][size] = '\0';
        at = next;
    }
}

/* Calls `take` with each row of the section's tables that begins with a topic, once for each topic
 * that its first cell names. Returns how many those are. */
static unsigned each_topic(char section, void (*take)(const struct row *row, const char *topic,
                                                      size_t topic_size, unsigned index))
{
    struct row row;
    char here = '0';
    unsigned count = 0;
    FILE *page = fopen(SERIN_TOPICS_PAGE, "r");
    ck_assert_msg(page != NULL, "cannot read %s", SERIN_TOPICS_PAGE);
    while (fgets(row.line, sizeof row.line, page) != NULL) {
        if (strncmp(row.line, "## ", 3) == 0) {
            here = row.line[3];
        }
        if (here != section || strncmp(row.line, "| `", 3) != 0) {
            continue;
        }
        cut_row(&row);
        const char *at = strchr(row.cells[0], '`');
        for (unsigned index = 0; at != NULL; index++, count++) {
            size_t size = strcspn(at + 1, "`");
            take(&row, at + 1, size, index);
            at = strchr(at + 1 + size + 1, '`');
        }
    }
    fclose(page);
    return count;
}

static enum serin_topic_kind kind_called(const char *topic, size_t size, bool by_form)
{
    for (int i = SERIN_TOPIC_INVALID + 1; i < SERIN_TOPIC_COUNT; i++) {
        const char *name = by_form ? names[i].form : names[i].rights;
        if (strlen(name) == size && memcmp(name, topic, size) == 0) {
            return (enum serin_topic_kind)i;
        }
    }
    ck_abort_msg("the page has an unknown topic: %.*s", (int)size, topic);
}

static enum serin_reach reach_called(const char *text)
{
    static const char *const texts[] = {[SERIN_REACH_NONE] = "",
                                        [SERIN_REACH_OWN] = "own",
                                        [SERIN_REACH_NAMED] = "named",
                                        [SERIN_REACH_ANY] = "any"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(text, texts[i]) == 0) {
            return (enum serin_reach)i;
        }
    }
    ck_abort_msg("the page has an unknown right: %s", text);
}

static unsigned seen[SERIN_TOPIC_COUNT];

/* The two tables of section 4, told apart by their columns: two for each party. */
static const struct rights_table {
    const char *broker;
    unsigned columns;
    unsigned parties;
    enum serin_party list[3];
} tables[] = {
    {"the cloud's", 7, 3, {SERIN_PARTY_DEVICE, SERIN_PARTY_GATEWAY, SERIN_PARTY_SERIND}},
    {"a site's", 5, 2, {SERIN_PARTY_DEVICE, SERIN_PARTY_SITE_GATEWAY}},
};
static const struct rights_table *table;

static void compare_rights(const struct row *row, const char *topic, size_t size, unsigned index)
{
    (void)index;
    enum serin_topic_kind kind = kind_called(topic, size, false);
    ck_assert_msg(row->count == tables[0].columns || row->count == tables[1].columns,
                  "a row of %u columns: %.*s", row->count, (int)size, topic);
    if (row->count != table->columns) {
        return;
    }
    for (unsigned i = 0; i < table->parties; i++) {
        struct serin_right right = serin_acl_right(table->list[i], kind);
        ck_assert_msg(right.publish == reach_called(row->cells[1 + 2 * i]),
                      "party %d publishes on %.*s on %s broker", table->list[i], (int)size, topic,
                      table->broker);
        ck_assert_msg(right.read == reach_called(row->cells[2 + 2 * i]),
                      "party %d reads %.*s on %s broker", table->list[i], (int)size, topic,
                      table->broker);
    }
    seen[kind]++;
}

static void compare_table(void)
{
    memset(seen, 0, sizeof seen);
    ck_assert_uint_gt(each_topic('4', compare_rights), 0);
    for (int kind = SERIN_TOPIC_INVALID + 1; kind < SERIN_TOPIC_COUNT; kind++) {
        ck_assert_msg(seen[kind] <= 1, "kind %d stands there %u times", kind, seen[kind]);
        /* What does not stand there is nobody's. */
        for (unsigned i = 0; seen[kind] == 0 && i < table->parties; i++) {
            struct serin_right right = serin_acl_right(table->list[i], (enum serin_topic_kind)kind);
            ck_assert_msg(right.publish == SERIN_REACH_NONE && right.read == SERIN_REACH_NONE,
                          "%s broker: kind %d is missing", table->broker, kind);
        }
    }
}

START_TEST(test_the_page_tells_the_rights)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        table = &tables[i];
        compare_table();
    }
}
END_TEST

/* The largest payload in "4 KiB", or in "128 B, 65664 B" the one of the topic's place. */
static unsigned long at_most(const char *text, unsigned index)
{
    for (; index > 0 && strchr(text, ',') != NULL; index--) {
        text = strchr(text, ',') + 1;
    }
    char *unit = NULL;
    unsigned long value = strtoul(text, &unit, 10);
    return strncmp(unit, " KiB", 4) == 0 ? value * 1024 : value;
}

static void compare_form(const struct row *row, const char *topic, size_t size, unsigned index)
{
    enum serin_topic_kind kind = kind_called(topic, size, true);
    struct serin_topic_form form = serin_acl_form(kind);
    ck_assert_uint_eq(row->count, 6);
    ck_assert_msg(row->cells[2][0] == '0' + form.qos, "QoS of %.*s", (int)size, topic);
    ck_assert_msg(strcmp(row->cells[3], form.retain ? "yes" : "no") == 0, "retained: %.*s",
                  (int)size, topic);
    ck_assert_msg(at_most(row->cells[5], index) == form.payload_max_bytes, "most of %.*s",
                  (int)size, topic);
    seen[kind]++;
}

START_TEST(test_the_page_tells_the_forms)
{
    memset(seen, 0, sizeof seen);
    ck_assert_uint_eq(each_topic('1', compare_form), SERIN_TOPIC_COUNT - 1);
    for (int i = SERIN_TOPIC_INVALID + 1; i < SERIN_TOPIC_COUNT; i++) {
        ck_assert_msg(seen[i] == 1, "kind %d stands there %u times", i, seen[i]);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_the_page_tells_the_rights, test_the_page_tells_the_forms,
                                  NULL};
    return check_run("plugin_acl_page", tests);
}

/*
 * The line index of a YAML document (index.h).
 *
 * Nodes lie in one array in the order of the document. A node is a key of a mapping, or an entry of
 * a list, and knows the node that contains it; node 0 is the document's root.
 */
#include "index.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct node {
    size_t parent;
    char *key;       /* of a mapping's key; NULL: an entry of a list */
    size_t position; /* of a list's entry */
    unsigned line;
};

struct yaml_index {
    size_t count;
    struct node nodes[SERIN_YAML_NODES_MAX];
};

/* A container that is being read. */
struct level {
    size_t node; /* what contains the entries */
    bool mapping;
    bool key_next;      /* a mapping expects a key */
    size_t value_node;  /* the key whose value comes next */
    size_t entry_count; /* of a list */
};

struct reading {
    struct yaml_index *index;
    struct level levels[SERIN_YAML_DEPTH_MAX];
    size_t depth;
    unsigned documents;
    unsigned line;
    char *reason;
};

static enum serin_error refuse(struct reading *reading, const char *reason)
{
    (void)snprintf(reading->reason, SERIN_YAML_REASON_MAX, "%s", reason);
    return SERIN_ERR_CONFIG;
}

static enum serin_error node_add(struct reading *reading, size_t parent, const char *key,
                                 size_t position, size_t *added)
{
    struct yaml_index *index = reading->index;
    if (index->count == SERIN_YAML_NODES_MAX) {
        return refuse(reading, "there are too many entries");
    }
    char *copy = NULL;
    if (key != NULL) {
        copy = strdup(key);
        if (copy == NULL) {
            return SERIN_ERR_MEMORY;
        }
    }
    index->nodes[index->count] =
        (struct node){.parent = parent, .key = copy, .position = position, .line = reading->line};
    *added = index->count++;
    return SERIN_OK;
}

/* The child of `parent` with this key, or with key NULL the list entry at `position`; 0: there is
 * none. */
static size_t node_find(const struct yaml_index *index, size_t parent, const char *key,
                        size_t key_size, size_t position)
{
    for (size_t i = parent + 1; i < index->count; i++) {
        const struct node *node = &index->nodes[i];
        if (node->parent != parent || (node->key == NULL) != (key == NULL)) {
            continue;
        }
        if (key == NULL ? node->position == position
                        : strlen(node->key) == key_size && memcmp(node->key, key, key_size) == 0) {
            return i;
        }
    }
    return 0;
}

static enum serin_error key_read(struct reading *reading, struct level *level, const char *key)
{
    size_t twin = node_find(reading->index, level->node, key, strlen(key), 0);
    if (twin != 0) {
        (void)snprintf(reading->reason, SERIN_YAML_REASON_MAX,
                       "'%.64s' stands twice; it is already in line %u", key,
                       reading->index->nodes[twin].line);
        return SERIN_ERR_CONFIG;
    }
    level->key_next = false;
    return node_add(reading, level->node, key, 0, &level->value_node);
}

/* A value starts: finds or makes the node that stands for it. */
static enum serin_error value_place(struct reading *reading, size_t *node)
{
    if (reading->depth == 0) {
        return node_add(reading, 0, NULL, 0, node);
    }
    struct level *level = &reading->levels[reading->depth - 1];
    if (!level->mapping) {
        return node_add(reading, level->node, NULL, level->entry_count++, node);
    }
    *node = level->value_node;
    level->key_next = true;
    return SERIN_OK;
}

static enum serin_error container_open(struct reading *reading, bool mapping)
{
    if (reading->depth > 0) {
        const struct level *level = &reading->levels[reading->depth - 1];
        if (level->mapping && level->key_next) {
            return refuse(reading, "a key must be a plain word");
        }
    }
    size_t node = 0;
    enum serin_error result = value_place(reading, &node);
    if (result != SERIN_OK) {
        return result;
    }
    if (reading->depth == SERIN_YAML_DEPTH_MAX) {
        return refuse(reading, "it is nested too deeply");
    }
    reading->levels[reading->depth++] =
        (struct level){.node = node, .mapping = mapping, .key_next = mapping};
    return SERIN_OK;
}

static enum serin_error scalar_read(struct reading *reading, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        return refuse(reading, "a value contains a NUL character");
    }
    if (reading->depth > 0) {
        struct level *level = &reading->levels[reading->depth - 1];
        if (level->mapping && level->key_next) {
            return key_read(reading, level, text);
        }
    }
    size_t node = 0;
    return value_place(reading, &node);
}

static bool anchored(const yaml_event_t *event)
{
    return (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor != NULL) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor != NULL) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor != NULL);
}

static enum serin_error event_take(struct reading *reading, const yaml_event_t *event)
{
    reading->line = (unsigned)event->start_mark.line + 1;
    if (event->type == YAML_ALIAS_EVENT || anchored(event)) {
        return refuse(reading, "anchors and aliases are not allowed");
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++reading->documents > 1 ? refuse(reading, "a second document is not allowed")
                                        : SERIN_OK;
    case YAML_SCALAR_EVENT:
        return scalar_read(reading, event);
    case YAML_MAPPING_START_EVENT:
        return container_open(reading, true);
    case YAML_SEQUENCE_START_EVENT:
        return container_open(reading, false);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        assert(reading->depth > 0);
        reading->depth--;
        return SERIN_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_ALIAS_EVENT:
    default:
        return SERIN_OK;
    }
}

static enum serin_error events_read(struct reading *reading, yaml_parser_t *parser)
{
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            reading->line = (unsigned)parser->problem_mark.line + 1;
            return refuse(reading, parser->problem != NULL ? parser->problem : "it is not YAML");
        }
        more = event.type != YAML_STREAM_END_EVENT;
        enum serin_error result = event_take(reading, &event);
        yaml_event_delete(&event);
        if (result != SERIN_OK) {
            return result;
        }
    }
    if (reading->documents == 0) {
        reading->line = 0;
        return refuse(reading, "it is empty");
    }
    return SERIN_OK;
}

enum serin_error yaml_index_make(struct yaml_index **index, const void *text, size_t size,
                                 unsigned *line, char *reason)
{
    *index = NULL;
    *line = 0;
    yaml_parser_t parser;
    struct reading reading = {.index = calloc(1, sizeof **index)};
    reading.reason = reason;
    if (reading.index == NULL || yaml_parser_initialize(&parser) == 0) {
        free(reading.index);
        return SERIN_ERR_MEMORY;
    }
    yaml_parser_set_input_string(&parser, text, size);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    enum serin_error result = events_read(&reading, &parser);
    yaml_parser_delete(&parser);
    if (result != SERIN_OK) {
        *line = reading.line;
        yaml_index_free(reading.index);
        return result;
    }
    *index = reading.index;
    return SERIN_OK;
}

void yaml_index_free(struct yaml_index *index)
{
    if (index == NULL) {
        return;
    }
    for (size_t i = 0; i < index->count; i++) {
        free(index->nodes[i].key);
    }
    free(index);
}

/* Splits the first part off the path at *field: a key, or with *key NULL the position in "[n]". */
static void path_next(const char **field, const char **key, size_t *key_size, size_t *position)
{
    const char *p = *field;
    if (*p == '[') {
        char *end = NULL;
        *key = NULL;
        *key_size = 0;
        *position = strtoul(p + 1, &end, 10);
        if (end == p + 1 || *end != ']') {
            *position = SIZE_MAX; /* no number: there is no such entry */
        }
        p = end + strcspn(end, "]");
        p += *p == ']' ? 1 : 0;
    } else {
        *key = p;
        *key_size = strcspn(p, ".[");
        *position = 0;
        p += *key_size;
    }
    *field = *p == '.' ? p + 1 : p;
}

unsigned yaml_index_line(const struct yaml_index *index, const char *field, bool *exact)
{
    size_t node = 0;
    *exact = true;
    while (*field != '\0') {
        const char *key = NULL;
        size_t key_size = 0, position = 0;
        path_next(&field, &key, &key_size, &position);
        size_t child = node_find(index, node, key, key_size, position);
        if (child == 0) {
            *exact = false;
            break;
        }
        node = child;
    }
    return node == 0 ? 0 : index->nodes[node].line;
}

/*
 * Where each key and list entry of a YAML document stands. libcyaml names lines only roughly (an
 * unknown key by the line before it) and accepts what a configuration should not contain; this pass
 * over libyaml's events gives exact lines and refuses the rest.
 */
#ifndef SERIN_YAML_INDEX_H
#define SERIN_YAML_INDEX_H

#include <serin/adapters/yaml.h>

struct yaml_index; /* opaque */

/* Reads a whole document. SERIN_ERR_CONFIG: *line and `reason` (SERIN_YAML_REASON_MAX bytes) say
 * why; SERIN_ERR_MEMORY. After an error *index is NULL. */
SERIN_MUST_USE enum serin_error yaml_index_make(struct yaml_index **index, const void *text,
                                                size_t size, unsigned *line, char *reason);
void yaml_index_free(struct yaml_index *index);

/* The line of `field`, or where it is absent (*exact is then false) that of the nearest key around
 * it, else 0. */
unsigned yaml_index_line(const struct yaml_index *index, const char *field, bool *exact);

#endif

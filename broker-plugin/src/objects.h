/*
 * The objects that remembered directives name: an index that follows from the guard's entries and
 * the manifests in the depot, and is rebuilt as a whole when either may have changed.
 */
#ifndef SERIN_PLUGIN_OBJECTS_H
#define SERIN_PLUGIN_OBJECTS_H

#include <serin/plugin/guard.h>

/* Rebuilds the index when it is stale, or incomplete and old enough. */
void guard_objects_refresh(struct serin_guard *guard, uint64_t now_ms);

/* The object, or NULL: no remembered directive names it. */
const struct serin_guard_object *guard_objects_find(const struct serin_guard *guard,
                                                    const uint8_t name[SERIN_SHA256_SIZE]);

/* Whether a view offers the object as stable or as a candidate that is not halted, by itself or
 * through a manifest; OFFERED with what the object is, NOT_OFFERED, or UNSURE. */
struct serin_guard_answer guard_view_offers(const struct serin_guard *guard,
                                            const struct serin_guard_view *view,
                                            const uint8_t name[SERIN_SHA256_SIZE]);

#endif

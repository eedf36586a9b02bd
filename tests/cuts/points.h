/*
 * Points: which faults of an operation are tried, which were tried already, and the line that
 * replays one.
 *
 *   part=nor8 until=3 operation=117 kind=program-prefix at=12 torn=unstable seed=7
 *   part=nor8 until=3 operation=117 kind=before | operation=121 kind=after
 *   part=nor8 until=3 step=40 operation=117 kind=rot at=4711 mask=16
 *   part=nor8 until=3 step=2 event=crash operation=117 kind=after
 *   part=nor8 until=3 step=40 event=lose-trust
 */
#ifndef SERIN_TESTS_CUTS_POINTS_H
#define SERIN_TESTS_CUTS_POINTS_H

#include "totals.h"

/* One or two faults in one life, which ends with chapter `until`, or an event, or both. */
struct cuts_point {
    struct cuts_geometry geometry;
    unsigned until;
    enum cuts_event event;
    unsigned step; /* of the event (life.h); without one: rot is armed before this step */
    unsigned count;
    struct serin_flash_fault faults[2];
    const char *places[2]; /* that they strike, in static storage; no part of the line */
};

/* The last fault of a point; without one of kind NONE. */
const struct serin_flash_fault *cuts_point_last(const struct cuts_point *point);
/* What an event is called in lines and tables; in static storage. */
const char *cuts_event_name(enum cuts_event event);

void cuts_point_print(const struct cuts_point *point, char line[CUTS_REPLAY_MAX]);
/* False: it is no such line. */
bool cuts_point_parse(const char *line, struct cuts_point *point);

/* Takes what stands between `word` and the next space; moves `*line` behind that. False: `*line`
 * begins otherwise, or it is too long or more than `most`. */
bool cuts_line_word(const char **line, const char *word, char *value, size_t size);
bool cuts_line_number(const char **line, const char *word, unsigned long most, unsigned *number);

/* The points that were tried; bounded: a full set forgets all of them. */
struct cuts_keys {
    uint64_t *keys;
    size_t capacity, count; /* capacity: a power of two */
    uint64_t forgotten;     /* how often it was full */
};
bool cuts_keys_open(struct cuts_keys *set, size_t capacity);
void cuts_keys_close(struct cuts_keys *set);
/* False: it is among them. */
bool cuts_keys_add(struct cuts_keys *set, const struct cuts_point *point);

/* How many faults of an operation are tried. */
struct cuts_quota {
    unsigned each;     /* of each (kind, torn, again): so many places, evenly spaced; */
    unsigned one_in;   /* at one in so many operations, drawn for each */
    unsigned prefixes; /* of stable prefixes; all of them where the operation is not larger */
    uint64_t salt;     /* moves the places */
};

#define CUTS_CHOSEN_MAX 4096u

/* Those that are tried of `operation`; returns how many of CUTS_CHOSEN_MAX. */
unsigned cuts_choose(const struct serin_flash_emulator *emulator,
                     const struct serin_flash_operation *operation, const struct cuts_quota *quota,
                     struct serin_flash_fault *chosen);

#endif

/* The memory of verified pieces: what was used last stays, against a plain model. */
#include "check_main.h"

#include <serin/plugin/pieces.h>

#include <string.h>

#define PLACES SERIN_PIECES_PLACES

static struct serin_pieces pieces;
static uint8_t data[SERIN_PIECE_SIZE];
static const uint32_t size = 1000 * SERIN_PIECE_SIZE + 100;

static const uint8_t *name_of(uint32_t object)
{
    static uint8_t name[SERIN_SHA256_SIZE];
    serin_put_le32(name, object * 2654435761u);
    serin_put_le32(name + 4, object);
    return name;
}

static void put(uint32_t object, uint32_t index)
{
    memset(data, (int)(object * 7 + index), sizeof data);
    const struct serin_pieces_place *place =
        serin_pieces_put(&pieces, name_of(object), size, index, data);
    ck_assert_uint_eq(place->index, index);
}

/* Whether it is there; then it must be the right one. */
static bool holds(uint32_t object, uint32_t index)
{
    const struct serin_pieces_place *place = serin_pieces_find(&pieces, name_of(object), index);
    if (place == NULL) {
        return false;
    }
    ck_assert_uint_eq(place->object_size, size);
    ck_assert(
        serin_bytes_all(place->data, serin_piece_size(size, index), (uint8_t)(object * 7 + index)));
    return true;
}

START_TEST(test_found_by_object_and_index)
{
    serin_pieces_init(&pieces);
    ck_assert(!holds(1, 0));
    put(1, 0);
    put(1, 5);
    put(2, 5);
    ck_assert(holds(1, 0) && holds(1, 5) && holds(2, 5));
    ck_assert(!holds(2, 0) && !holds(1, 1));
    put(1, 256); /* as many pieces on as there are chains: the same chain */
    ck_assert(holds(1, 256) && holds(1, 0) && !holds(1, 512));
    put(1, 1000); /* the short last one */
    ck_assert(holds(1, 1000));
    put(1, 5); /* again: no second place */
    ck_assert_uint_eq(pieces.count, 5);
}
END_TEST

START_TEST(test_the_longest_unused_gives_way)
{
    serin_pieces_init(&pieces);
    for (uint32_t i = 0; i < PLACES; i++) {
        put(1, i);
    }
    ck_assert(holds(1, 0)); /* a use */
    put(1, 1);              /* and another */
    put(2, 0);
    ck_assert(!holds(1, 2));
    ck_assert(holds(1, 0) && holds(1, 1) && holds(2, 0));
    for (uint32_t i = 3; i < PLACES; i++) {
        ck_assert(holds(1, i));
    }
    ck_assert_uint_eq(pieces.count, PLACES);
}
END_TEST

/* A window of pieces stays whole while it is sent, whatever came before. */
START_TEST(test_the_last_ones_stay)
{
    serin_pieces_init(&pieces);
    uint32_t seed = 1;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 50; i++) {
            seed = seed * 1664525u + 1013904223u;
            put(seed % 5, (seed >> 8) % 1000);
        }
        for (uint32_t i = 0; i < PLACES - 1; i++) {
            if (!holds(9, round + i)) {
                put(9, round + i);
            }
        }
        for (uint32_t i = 0; i < PLACES - 1; i++) {
            ck_assert(holds(9, round + i));
        }
    }
}
END_TEST

/* What is held without being verified is marked, takes no verified one's place, and is gone when it
 * is judged wrong. */
START_TEST(test_held_until_judged)
{
    serin_pieces_init(&pieces);
    memset(data, 1 * 7 + 4, sizeof data);
    serin_pieces_hold(&pieces, name_of(1), size, 4, data);
    ck_assert(holds(1, 4) && !serin_pieces_find(&pieces, name_of(1), 4)->verified);
    serin_pieces_settle(&pieces, name_of(1), 4, true);
    ck_assert(holds(1, 4) && serin_pieces_find(&pieces, name_of(1), 4)->verified);
    memset(data, 0xEE, sizeof data);
    serin_pieces_hold(&pieces, name_of(1), size, 4, data);
    ck_assert(holds(1, 4) && serin_pieces_find(&pieces, name_of(1), 4)->verified);

    serin_pieces_hold(&pieces, name_of(1), size, 5, data);
    serin_pieces_settle(&pieces, name_of(1), 5, false);
    ck_assert_ptr_null(serin_pieces_find(&pieces, name_of(1), 5));
    put(1, 5);
    ck_assert(holds(1, 5) && serin_pieces_find(&pieces, name_of(1), 5)->verified);
    /* The place of the forgotten one is used again when it is the oldest, and its chain lives on.
     */
    for (uint32_t i = 0; i < 2 * PLACES; i++) {
        put(2, i);
        ck_assert(holds(2, i));
    }
    ck_assert(!holds(1, 4) && !holds(1, 5));
}
END_TEST

START_TEST(test_random_life)
{
    static struct {
        uint32_t object, index;
    } model[PLACES]; /* by last use, oldest first */
    unsigned count = 0;
    uint32_t seed = 99;
    serin_pieces_init(&pieces);
    for (unsigned round = 0; round < 50000; round++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t object = (seed >> 8) % 3;
        uint32_t index = (seed >> 12) % 150;
        unsigned at = 0;
        while (at < count && (model[at].object != object || model[at].index != index)) {
            at++;
        }
        bool known = at < count;
        bool found = (seed >> 28) < 8 && holds(object, index);
        ck_assert((seed >> 28) >= 8 || found == known);
        if ((seed >> 28) >= 8) {
            put(object, index);
        } else if (!found) {
            continue;
        }
        if (known || count == PLACES) {
            at = known ? at : 0;
            memmove(&model[at], &model[at + 1], (count - at - 1) * sizeof model[0]);
            count--;
        }
        model[count].object = object;
        model[count++].index = index;
        ck_assert_uint_eq(pieces.count, count);
    }
    ck_assert_uint_eq(count, PLACES); /* else nothing ever gave way */
}
END_TEST

static void put_outside(void)
{
    serin_pieces_init(&pieces);
    put(1, 1001);
}

static void settle_none(void)
{
    serin_pieces_init(&pieces);
    serin_pieces_settle(&pieces, name_of(1), 0, true);
}

static void settle_twice(void)
{
    serin_pieces_init(&pieces);
    put(1, 0);
    serin_pieces_settle(&pieces, name_of(1), 0, true);
}

START_TEST(test_programmer_errors)
{
    ck_assert(check_dies(settle_none));
    ck_assert(check_dies(settle_twice));
    ck_assert(check_dies(put_outside));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_found_by_object_and_index,
                                  test_the_longest_unused_gives_way,
                                  test_the_last_ones_stay,
                                  test_held_until_judged,
                                  test_random_life,
                                  test_programmer_errors,
                                  NULL};
    return check_run("plugin_pieces", tests);
}

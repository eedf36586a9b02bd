/* Eviction: what goes, what stays, and what is left alone when nothing would do. */
#include "check_main.h"

#include <serin/gateway/evict.h>

#include <string.h>

START_TEST(test_oldest_first)
{
    struct serin_evict_entry entries[] = {
        {.bytes = 100, .used = 30}, {.bytes = 100, .used = 10}, {.bytes = 100, .used = 20}};
    ck_assert(serin_evict(entries, 3, 300, 0));
    ck_assert(!entries[0].goes && !entries[1].goes && !entries[2].goes);
    ck_assert(serin_evict(entries, 3, 300, 1));
    ck_assert(!entries[0].goes && entries[1].goes && !entries[2].goes);
    ck_assert(serin_evict(entries, 3, 300, 101));
    ck_assert(!entries[0].goes && entries[1].goes && entries[2].goes);
    ck_assert(serin_evict(entries, 3, 300, 300));
    ck_assert(entries[0].goes && entries[1].goes && entries[2].goes);
    ck_assert(serin_evict(entries, 0, 300, 300));
}
END_TEST

START_TEST(test_pins)
{
    struct serin_evict_entry entries[] = {{.bytes = 100, .used = 1, .pinned = true},
                                          {.bytes = 100, .used = 2},
                                          {.bytes = 100, .used = 3}};
    ck_assert(serin_evict(entries, 3, 300, 150));
    ck_assert(!entries[0].goes && entries[1].goes && entries[2].goes);
    /* Nothing goes for what would not fit anyway. */
    ck_assert(!serin_evict(entries, 3, 300, 201));
    ck_assert(!entries[0].goes && !entries[1].goes && !entries[2].goes);
    /* A budget that was lowered is reached as far as pins allow. */
    ck_assert(!serin_evict(entries, 3, 200, 150));
    ck_assert(!entries[0].goes && entries[1].goes && !entries[2].goes);
    ck_assert(!serin_evict(entries, 3, 50, 0));
    ck_assert(!entries[0].goes && entries[1].goes && entries[2].goes);
}
END_TEST

START_TEST(test_large_numbers)
{
    struct serin_evict_entry entries[] = {{.bytes = UINT64_MAX, .used = 1, .pinned = true},
                                          {.bytes = UINT64_MAX, .used = 2}};
    ck_assert(!serin_evict(entries, 2, 1000, UINT64_MAX));
    ck_assert(!entries[0].goes && entries[1].goes);
    ck_assert(!serin_evict(entries, 2, 1000, 1));
    ck_assert(!serin_evict(entries, 0, 1000, UINT64_MAX));
}
END_TEST

/* Against the plain rule, on many small depots: nothing pinned goes, nothing goes that was used
 * later than something that stays, and no more than is needed. */
START_TEST(test_rule)
{
    uint32_t seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        struct serin_evict_entry entries[8];
        uint64_t total = 0, left = 0, pinned = 0, last_gone = 0;
        for (size_t i = 0; i < 8; i++) {
            seed = seed * 1664525u + 1013904223u;
            entries[i] = (struct serin_evict_entry){.bytes = 1 + (seed >> 24) % 100,
                                                    .used = (seed >> 16) % 50,
                                                    .pinned = (seed >> 12) % 4 == 0};
            total += entries[i].bytes;
            pinned += entries[i].pinned ? entries[i].bytes : 0;
        }
        uint64_t budget = (seed >> 8) % 600, needed = seed % 300;
        bool fits = serin_evict(entries, 8, budget, needed);
        ck_assert_int_eq(fits, pinned + needed <= budget);
        for (size_t i = 0; i < 8; i++) {
            ck_assert(!(entries[i].pinned && entries[i].goes));
            left += entries[i].goes ? 0 : entries[i].bytes;
            last_gone =
                entries[i].goes && entries[i].used > last_gone ? entries[i].used : last_gone;
        }
        uint64_t most = fits ? budget - needed : budget;
        ck_assert(left <= most || left == pinned);
        uint64_t last_bytes = 0; /* of the one that went last */
        for (size_t i = 0; i < 8; i++) {
            if (!entries[i].goes && !entries[i].pinned) {
                ck_assert(left == total || entries[i].used >= last_gone);
            }
            if (entries[i].goes && entries[i].used == last_gone) {
                last_bytes = entries[i].bytes;
            }
        }
        ck_assert(left == total || left + last_bytes > most);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_oldest_first, test_pins, test_large_numbers, test_rule,
                                  NULL};
    return check_run("gateway_evict", tests);
}

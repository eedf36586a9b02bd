/* Cohorts: golden ranks, exact counts, and nesting of stages. */
#include "check_main.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/cohort.h>

#include <stdio.h>
#include <string.h>

/* printf '<salt><id>' | sha256sum, the first 16 digits. */
START_TEST(ranks_are_frozen)
{
    const struct {
        const char *salt, *id;
        uint64_t rank;
    } golden[] = {
        {"0123456789abcdef", "d-1", UINT64_C(0x666c61970655e3f1)},
        {"0123456789abcdef", "device-00042", UINT64_C(0xab0175d756568a53)},
        {"0123456789abcdef", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         UINT64_C(0xdcd0228b8a6e99ed)},
        {"0123456789abcdef", "_", UINT64_C(0xbcd458cd68c96a9f)},
        {"serinus-canaria-", "d-1", UINT64_C(0x2bfdcf375dd1cbf0)},
        {"serinus-canaria-", "device-00042", UINT64_C(0x57cfaa8c2264e27a)},
        {"serinus-canaria-", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         UINT64_C(0xb764bee1a5306502)},
        {"serinus-canaria-", "_", UINT64_C(0x3d9973b9cd580ff6)},
    };
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        uint64_t rank =
            serin_cohort_rank(serin_wolfcrypt(), (const uint8_t *)golden[i].salt, golden[i].id);
        ck_assert_uint_eq(rank, golden[i].rank);
    }
}
END_TEST

START_TEST(membership_includes_the_threshold)
{
    ck_assert(serin_cohort_member(0, 0));
    ck_assert(serin_cohort_member(5, 5));
    ck_assert(!serin_cohort_member(6, 5));
    ck_assert(serin_cohort_member(UINT64_MAX, SERIN_COHORT_EVERYONE));
    ck_assert(!serin_cohort_member(UINT64_MAX, UINT64_MAX - 1));
}
END_TEST

START_TEST(counts_are_exact_and_round_up)
{
    const struct {
        uint32_t population, permyriad, count;
    } cases[] = {{0, 1, 0},
                 {0, 10000, 0},
                 {1, 1, 1},
                 {10, 100, 1},
                 {10, 1000, 1},
                 {10, 5000, 5},
                 {10, 10000, 10},
                 {11, 1000, 2},
                 {100000, 100, 1000},
                 {100001, 100, 1001},
                 {100000, 1, 10},
                 {9999, 1, 1},
                 {10001, 1, 2},
                 {UINT32_MAX, 10000, UINT32_MAX},
                 {UINT32_MAX, 1, 429497},
                 {UINT32_MAX, 9999, 4294537799u}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_uint_eq(serin_cohort_count(cases[i].population, cases[i].permyriad),
                          cases[i].count);
    }
}
END_TEST

START_TEST(a_stage_never_exceeds_the_population_and_never_shrinks)
{
    for (uint32_t population = 1; population <= 300; population++) {
        uint32_t last = 0;
        for (uint32_t permyriad = 1; permyriad <= 10000; permyriad += 33) {
            uint32_t count = serin_cohort_count(population, permyriad);
            ck_assert(count >= 1 && count <= population && count >= last);
            last = count;
        }
    }
}
END_TEST

START_TEST(ranks_spread_evenly)
{
    const uint8_t salt[SERIN_SALT_SIZE] = {1};
    unsigned low = 0;
    for (int i = 0; i < 10000; i++) {
        char id[24];
        snprintf(id, sizeof id, "device-%d", i);
        low += serin_cohort_rank(serin_wolfcrypt(), salt, id) <= UINT64_MAX / 10;
    }
    ck_assert(low > 850 && low < 1150); /* five standard deviations around 1000 */
}
END_TEST

static void no_share(void)
{
    (void)serin_cohort_count(10, 0);
}

static void too_large_a_share(void)
{
    (void)serin_cohort_count(10, 10001);
}

START_TEST(shares_outside_the_range_stop_the_program)
{
    ck_assert(check_dies(no_share));
    ck_assert(check_dies(too_large_a_share));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {ranks_are_frozen,
                                  membership_includes_the_threshold,
                                  counts_are_exact_and_round_up,
                                  a_stage_never_exceeds_the_population_and_never_shrinks,
                                  ranks_spread_evenly,
                                  shares_outside_the_range_stop_the_program,
                                  NULL};
    return check_run("cohort", tests);
}

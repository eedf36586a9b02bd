/* Which patches a rollout is worth: what fits, what most devices want, and where it ends. */
#include "check_main.h"

#include <serin/orchestrator/deltas.h>

#include <stdio.h>
#include <string.h>

static struct serin_manifest release(uint16_t major, uint16_t minor, uint8_t image)
{
    struct serin_manifest manifest = {
        .hw_min = 2, .hw_max = 4, .version = {.major = major, .minor = minor}};
    snprintf(manifest.vendor, sizeof manifest.vendor, "acme");
    snprintf(manifest.product, sizeof manifest.product, "meter");
    snprintf(manifest.component, sizeof manifest.component, "app");
    memset(manifest.image_sha256, image, sizeof manifest.image_sha256);
    return manifest;
}

static struct serin_deltas_wish wishes[SERIN_DELTAS_MAX];

static size_t count_of(const struct serin_manifest *base)
{
    struct serin_manifest target = release(2, 9, 200);
    struct serin_deltas_run run = {.manifest = base, .best_count = 3};
    return serin_deltas_choose(&target, &run, 1, wishes);
}

START_TEST(test_fits)
{
    struct serin_manifest base = release(2, 8, 1);
    ck_assert_uint_eq(count_of(&base), 1);
    base = release(2, 10, 1); /* the way back */
    ck_assert_uint_eq(count_of(&base), 1);
    base = release(1, 8, 1); /* another major version */
    ck_assert_uint_eq(count_of(&base), 0);
    base = release(2, 8, 200); /* the same image */
    ck_assert_uint_eq(count_of(&base), 0);
    base = release(2, 8, 1);
    base.product[0] = 'x';
    ck_assert_uint_eq(count_of(&base), 0);
    base = release(2, 8, 1);
    base.vendor[0] = 'x';
    ck_assert_uint_eq(count_of(&base), 0);
    base = release(2, 8, 1);
    base.component[0] = 'x';
    ck_assert_uint_eq(count_of(&base), 0);
    static const uint16_t hardware[][3] = {{1, 1, 0}, {1, 2, 1}, {3, 3, 1}, {4, 9, 1}, {5, 9, 0}};
    for (size_t i = 0; i < sizeof hardware / sizeof hardware[0]; i++) {
        base.component[0] = 'a';
        base.hw_min = hardware[i][0];
        base.hw_max = hardware[i][1];
        ck_assert_uint_eq(count_of(&base), hardware[i][2]);
    }
}
END_TEST

START_TEST(test_back_ends)
{
    struct serin_manifest target = release(2, 9, 200);
    struct serin_manifest bases[] = {release(2, 1, 1), release(2, 2, 2), release(2, 3, 3),
                                     release(2, 4, 1)};
    /* The last one has the image of the first; nobody takes patches from the second. */
    struct serin_deltas_run runs[] = {{.manifest = &bases[0], .best_count = 4},
                                      {.manifest = &bases[1]},
                                      {.manifest = &bases[2], .best_count = 3, .small_count = 2},
                                      {.manifest = &bases[3], .best_count = 1, .small_count = 6}};
    ck_assert_uint_eq(serin_deltas_choose(&target, runs, 4, wishes), 4);
    static const struct {
        uint8_t image;
        enum serin_delta_backend backend;
        uint32_t devices;
    } wanted[] = {{1, SERIN_DELTA_BEST, 5},
                  {1, SERIN_DELTA_SMALL, 6},
                  {3, SERIN_DELTA_BEST, 3},
                  {3, SERIN_DELTA_SMALL, 2}};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(wishes[i].base[31], wanted[i].image);
        ck_assert_int_eq(wishes[i].backend, wanted[i].backend);
        ck_assert_uint_eq(wishes[i].device_count, wanted[i].devices);
    }
    runs[0].best_count = UINT32_MAX;
    ck_assert_uint_eq(serin_deltas_choose(&target, runs, 4, wishes), 4);
    ck_assert_uint_eq(wishes[0].device_count, UINT32_MAX);
}
END_TEST

/* Forty images in both orders of the store: the sixteen with most devices, in one order. */
START_TEST(test_bounded)
{
    enum { COUNT = 40 };
    struct serin_manifest target = release(2, 9, 200);
    struct serin_manifest bases[COUNT];
    struct serin_deltas_run runs[COUNT], turned[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        bases[i] = release(2, 1, (uint8_t)(i * 7 % COUNT + 1));
        runs[i] = (struct serin_deltas_run){&bases[i], 1u + (uint32_t)(i % 8), 1};
        turned[COUNT - 1 - i] = runs[i];
    }
    ck_assert_uint_eq(serin_deltas_choose(&target, runs, COUNT, wishes), SERIN_DELTAS_MAX);
    uint64_t last = UINT64_MAX;
    for (size_t i = 0; i < SERIN_DELTAS_MAX; i += 2) {
        ck_assert_uint_le(wishes[i].device_count, last);
        ck_assert_uint_ge(wishes[i].device_count, 5);
        ck_assert(i == 0 || wishes[i].device_count < last ||
                  wishes[i].base[0] > wishes[i - 2].base[0]);
        last = wishes[i].device_count;
    }
    struct serin_deltas_wish other[SERIN_DELTAS_MAX];
    ck_assert_uint_eq(serin_deltas_choose(&target, turned, COUNT, other), SERIN_DELTAS_MAX);
    for (size_t i = 0; i < SERIN_DELTAS_MAX; i++) {
        ck_assert_uint_eq(other[i].base[0], wishes[i].base[0]);
        ck_assert_int_eq(other[i].backend, wishes[i].backend);
    }
}
END_TEST

START_TEST(test_limit)
{
    ck_assert_uint_eq(serin_deltas_limit(1), 0);
    ck_assert_uint_eq(serin_deltas_limit(10), 8);
    ck_assert_uint_eq(serin_deltas_limit(11), 9);
    ck_assert_uint_eq(serin_deltas_limit(SERIN_IMAGE_SIZE_MAX), 241591910);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_fits, test_back_ends, test_bounded, test_limit, NULL};
    return check_run("deltas", tests);
}

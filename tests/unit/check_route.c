/* The route table: what is encoded decodes, what is wrong is refused, a device finds the smallest
 * patch that it can decode. */
#include "check_main.h"

#include <serin/route.h>

#include <stdio.h>
#include <string.h>

#define IMAGE_SIZE 600000u

static uint8_t digests[256][SERIN_SHA256_SIZE];

static void fill(uint8_t digest[SERIN_SHA256_SIZE], uint8_t with)
{
    memset(digest, with, SERIN_SHA256_SIZE);
}

static void add(struct serin_routes *routes, uint8_t target, uint8_t base, uint8_t backend,
                uint32_t size)
{
    struct serin_route *route = &routes->routes[routes->route_count++];
    *route = (struct serin_route){
        .target = target, .base = base, .backend = backend, .size_bytes = size};
    fill(route->object, (uint8_t)(100u + routes->route_count));
    fill(route->pieces_sha256, (uint8_t)(200u + routes->route_count));
}

/* Two targets, two bases; compressed images, and a base that `small` alone leads from. */
static struct serin_routes sample(void)
{
    struct serin_routes routes = {.target_count = 2, .base_count = 2};
    for (unsigned i = 0; i < 256; i++) {
        fill(digests[i], (uint8_t)i);
    }
    fill(routes.targets[0], 1);
    fill(routes.targets[1], 2);
    fill(routes.bases[0], 11);
    fill(routes.bases[1], 12);
    add(&routes, 0, 0, 1, 300);
    add(&routes, 0, 0, 2, 250);
    add(&routes, 0, 1, 1, 5000);
    add(&routes, 0, SERIN_ROUTE_NO_BASE, 1, 200000);
    add(&routes, 0, SERIN_ROUTE_NO_BASE, 2, 180000);
    add(&routes, 1, 0, 2, IMAGE_SIZE);
    return routes;
}

static size_t encoded(uint8_t out[SERIN_ROUTES_SIZE_MAX])
{
    const struct serin_routes routes = sample();
    size_t size = 0;
    ck_assert_int_eq(serin_routes_encode(&routes, out, &size), SERIN_OK);
    return size;
}

START_TEST(what_is_encoded_decodes)
{
    const struct serin_routes routes = sample();
    struct serin_routes back;
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX], again[SERIN_ROUTES_SIZE_MAX];
    size_t size = encoded(bytes), twice = 0;
    ck_assert_uint_eq(size, 8 + 4 * 32 + 6 * 72);
    memset(&back, 0, sizeof back);
    ck_assert_int_eq(serin_routes_decode(bytes, size, &back), SERIN_OK);
    ck_assert_mem_eq(&back, &routes, sizeof back);
    ck_assert_int_eq(serin_routes_encode(&back, again, &twice), SERIN_OK);
    ck_assert_uint_eq(twice, size);
    ck_assert_mem_eq(again, bytes, size);
}
END_TEST

/* Byte for byte, as docs/spec/routes.md draws it: nobody's reader may change with the code. */
START_TEST(bytes_stand_where_the_spec_says)
{
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX];
    (void)encoded(bytes);
    const uint8_t head[] = {'S', 'R', 'N', 'R', 1, 2, 2, 6};
    ck_assert_mem_eq(bytes, head, sizeof head);
    ck_assert_mem_eq(bytes + 8, digests[1], 32);
    ck_assert_mem_eq(bytes + 40, digests[2], 32);
    ck_assert_mem_eq(bytes + 72, digests[11], 32);
    ck_assert_mem_eq(bytes + 104, digests[12], 32);
    const uint8_t fifth[] = {0, 255, 2, 0, 0x20, 0xbf, 0x02, 0};
    ck_assert_mem_eq(bytes + 136 + 4 * 72, fifth, sizeof fifth);
    ck_assert_mem_eq(bytes + 136 + 4 * 72 + 8, digests[105], 32);
    ck_assert_mem_eq(bytes + 136 + 4 * 72 + 40, digests[205], 32);
}
END_TEST

START_TEST(the_golden_table_is_as_it_was)
{
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX], golden[SERIN_ROUTES_SIZE_MAX + 1];
    FILE *file = fopen(SERIN_VECTORS "/routes.bin", "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(golden, 1, sizeof golden, file);
    (void)fclose(file);
    ck_assert_uint_eq(size, encoded(bytes));
    ck_assert_mem_eq(golden, bytes, size);
}
END_TEST

START_TEST(a_device_finds_the_smallest_it_can_decode)
{
    static const struct {
        uint8_t target, base; /* 0: it has none */
        uint32_t takes, image_size;
        enum serin_error error;
        uint32_t size;
    } cases[] = {
        {1, 11, SERIN_TAKES_SMALL, IMAGE_SIZE, SERIN_OK, 300},
        {1, 11, SERIN_TAKES_SMALL | SERIN_TAKES_BEST, IMAGE_SIZE, SERIN_OK, 250},
        {1, 11, SERIN_TAKES_BEST, IMAGE_SIZE, SERIN_OK, 250},
        {1, 11, 0, IMAGE_SIZE, SERIN_ERR_NOT_FOUND, 0},
        {1, 11, 0xf9, IMAGE_SIZE, SERIN_ERR_NOT_FOUND, 0},
        {1, 12, SERIN_TAKES_SMALL | SERIN_TAKES_BEST, IMAGE_SIZE, SERIN_OK, 5000},
        {1, 12, SERIN_TAKES_BEST, IMAGE_SIZE, SERIN_OK, 180000},
        {1, 13, SERIN_TAKES_SMALL, IMAGE_SIZE, SERIN_OK, 200000},
        {1, 0, SERIN_TAKES_BEST, IMAGE_SIZE, SERIN_OK, 180000},
        {1, 0, SERIN_TAKES_BEST, 180000, SERIN_ERR_NOT_FOUND, 0},
        {1, 0, SERIN_TAKES_BEST, 180001, SERIN_OK, 180000},
        {2, 11, SERIN_TAKES_BEST, IMAGE_SIZE, SERIN_ERR_NOT_FOUND, 0},
        {2, 11, SERIN_TAKES_BEST, IMAGE_SIZE + 1, SERIN_OK, IMAGE_SIZE},
        {3, 11, SERIN_TAKES_BEST, IMAGE_SIZE, SERIN_ERR_NOT_FOUND, 0},
    };
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX];
    size_t size = encoded(bytes);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serin_route route = {.size_bytes = 0};
        const uint8_t *base = cases[i].base != 0 ? digests[cases[i].base] : NULL;
        ck_assert_int_eq(serin_routes_find(bytes, size, digests[cases[i].target], base,
                                           cases[i].takes, cases[i].image_size, &route),
                         cases[i].error);
        ck_assert_uint_eq(route.size_bytes, cases[i].size);
    }
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum serin_error error;
    } cases[] = {
        {0, 'X', SERIN_ERR_FORMAT},         {4, 2, SERIN_ERR_VERSION},
        {5, 0, SERIN_ERR_INVALID},          {5, 5, SERIN_ERR_INVALID},
        {6, 65, SERIN_ERR_INVALID},         {6, 3, SERIN_ERR_TRUNCATED},
        {7, 0, SERIN_ERR_INVALID},          {7, 57, SERIN_ERR_INVALID},
        {7, 5, SERIN_ERR_TOO_LARGE},        {7, 7, SERIN_ERR_TRUNCATED},
        {136 + 3, 1, SERIN_ERR_RESERVED},   {136, 2, SERIN_ERR_INVALID},
        {136 + 1, 2, SERIN_ERR_INVALID},    {136 + 2, 0, SERIN_ERR_INVALID},
        {136 + 2, 3, SERIN_ERR_INVALID},    {136 + 2, 2, SERIN_ERR_INVALID}, /* twice */
        {136 + 7, 0x11, SERIN_ERR_INVALID}, {136 + 360, 0, SERIN_ERR_INVALID},
    };
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX];
    struct serin_routes routes;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = encoded(bytes);
        bytes[cases[i].at] = cases[i].value;
        ck_assert_int_eq(serin_routes_decode(bytes, size, &routes), cases[i].error);
    }
    size_t size = encoded(bytes);
    for (size_t cut = 0; cut < size; cut++) {
        ck_assert_int_eq(serin_routes_decode(bytes, cut, &routes), SERIN_ERR_TRUNCATED);
    }
    memcpy(bytes + 104, bytes + 72, 32); /* a base twice */
    ck_assert_int_eq(serin_routes_decode(bytes, size, &routes), SERIN_ERR_INVALID);
    size = encoded(bytes);
    memset(bytes + 40, 0, 32); /* no manifest has this id */
    ck_assert_int_eq(serin_routes_decode(bytes, size, &routes), SERIN_ERR_INVALID);
    size = encoded(bytes);
    memset(bytes + 136 + 4, 0, 4); /* a patch of no byte */
    ck_assert_int_eq(serin_routes_decode(bytes, size, &routes), SERIN_ERR_INVALID);
}
END_TEST

START_TEST(a_base_that_nothing_leads_from_is_refused)
{
    struct serin_routes routes = sample();
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX];
    size_t size = 0;
    fill(routes.bases[routes.base_count++], 13);
    ck_assert_int_eq(serin_routes_encode(&routes, bytes, &size), SERIN_ERR_INVALID);
    ck_assert_uint_eq(size, 0);
}
END_TEST

START_TEST(the_largest_table_fits_and_one_more_does_not)
{
    struct serin_routes routes = {.target_count = 1};
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX];
    size_t size = 0;
    fill(routes.targets[0], 1);
    for (uint8_t i = 0; i < 39; i++) {
        ck_assert_uint_le(serin_routes_size(&routes), SERIN_ROUTES_SIZE_MAX);
        fill(routes.bases[routes.base_count++], (uint8_t)(10u + i));
        add(&routes, 0, i, 2, 1000);
    }
    ck_assert_uint_eq(serin_routes_size(&routes), 4096);
    ck_assert_int_eq(serin_routes_encode(&routes, bytes, &size), SERIN_OK);
    ck_assert_uint_eq(size, 4096);
    add(&routes, 0, SERIN_ROUTE_NO_BASE, 2, 1000);
    ck_assert_int_eq(serin_routes_encode(&routes, bytes, &size), SERIN_ERR_TOO_LARGE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_encoded_decodes,
                                  bytes_stand_where_the_spec_says,
                                  the_golden_table_is_as_it_was,
                                  a_device_finds_the_smallest_it_can_decode,
                                  what_is_wrong_is_refused,
                                  a_base_that_nothing_leads_from_is_refused,
                                  the_largest_table_fits_and_one_more_does_not,
                                  NULL};
    return check_run("route", tests);
}

/* Block credit: one bounded window in flight, and no length that wraps at 2^32. */
#include "check_main.h"

#include <serin/credit.h>

static const struct serin_credit_limits limits = {
    .window_bytes_max = 65536, .window_blocks_max = 8, .forget_ms = 10000, .retry_ms = 250};

static struct serin_get request(uint32_t offset, uint32_t length, uint32_t block_size,
                                uint32_t token, uint32_t done_token)
{
    return (struct serin_get){.offset = offset,
                              .length = length,
                              .block_size = block_size,
                              .token = token,
                              .done_token = done_token};
}

START_TEST(a_window_is_the_smallest_bound)
{
    const struct {
        uint32_t offset, length, block_size, object_size, end;
    } cases[] = {
        {0, 1, 256, 1000, 1},                   /* what was asked for */
        {0, 1000, 256, 1000, 1000},             /* all of it */
        {10, UINT32_MAX, 65536, 1000, 1000},    /* the object's end */
        {0, UINT32_MAX, 65536, 1 << 20, 65536}, /* the bytes of a window */
        {0, UINT32_MAX, 256, 1 << 20, 8 * 256}, /* the blocks of a window */
        {999, UINT32_MAX, 65536, 1000, 1000},   /* the last byte */
        {UINT32_MAX - 1, UINT32_MAX, 65536, UINT32_MAX, UINT32_MAX},
        {UINT32_MAX - 65537, UINT32_MAX, 65536, UINT32_MAX, UINT32_MAX - 1},
        {0x80000000u, 0x80000000u, 65536, UINT32_MAX, 0x80010000u},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serin_credit credit = {0};
        struct serin_get get = request(cases[i].offset, cases[i].length, cases[i].block_size, 1, 0);
        struct serin_grant grant =
            serin_credit_request(&credit, &limits, &get, cases[i].object_size, 5);
        ck_assert_int_eq(grant.status, SERIN_BLOCK_DATA);
        ck_assert_uint_eq(grant.offset, cases[i].offset);
        ck_assert_uint_eq(grant.end, cases[i].end);
        ck_assert_uint_eq(credit.token, 1);
        ck_assert_uint_eq(credit.in_flight, cases[i].end - cases[i].offset);
        ck_assert_uint_eq(credit.started_ms, 5);
    }
}
END_TEST

START_TEST(huge_limits_do_not_wrap)
{
    const struct serin_credit_limits huge = {
        .window_bytes_max = UINT32_MAX, .window_blocks_max = UINT32_MAX, .forget_ms = UINT32_MAX};
    struct serin_credit credit = {0};
    struct serin_get get = request(1, UINT32_MAX, 65536, 1, 0);
    struct serin_grant grant = serin_credit_request(&credit, &huge, &get, UINT32_MAX, 0);
    ck_assert_int_eq(grant.status, SERIN_BLOCK_DATA);
    ck_assert_uint_eq(grant.end, UINT32_MAX);
    ck_assert_uint_eq(credit.in_flight, UINT32_MAX - 1);
}
END_TEST

START_TEST(at_or_past_the_end_is_a_range_error)
{
    const struct {
        uint32_t offset, object_size;
    } cases[] = {{0, 0},         {1, 0}, {1000, 1000}, {1001, 1000}, {UINT32_MAX, UINT32_MAX},
                 {UINT32_MAX, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serin_credit credit = {0};
        struct serin_get get = request(cases[i].offset, 1, 256, 1, 0);
        struct serin_grant grant =
            serin_credit_request(&credit, &limits, &get, cases[i].object_size, 0);
        ck_assert_int_eq(grant.status, SERIN_BLOCK_RANGE);
        ck_assert_uint_eq(credit.token, 0);
    }
}
END_TEST

START_TEST(one_window_in_flight)
{
    struct serin_credit credit = {0};
    struct serin_get first = request(0, 4096, 4096, 1, 0);
    ck_assert_int_eq(serin_credit_request(&credit, &limits, &first, 9000, 0).status,
                     SERIN_BLOCK_DATA);

    /* Not acknowledged, acknowledged wrongly, repeated: busy, and the window stays as it is. */
    const struct serin_get refused[] = {request(4096, 4096, 4096, 2, 0),
                                        request(4096, 4096, 4096, 2, 3), first,
                                        request(0, 4096, 4096, 1, 1)};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct serin_grant grant = serin_credit_request(&credit, &limits, &refused[i], 9000, 9999);
        ck_assert_int_eq(grant.status, SERIN_BLOCK_BUSY);
        ck_assert_uint_eq(grant.retry_ms, limits.retry_ms);
        ck_assert_uint_eq(credit.token, 1);
        ck_assert_uint_eq(credit.in_flight, 4096);
    }

    struct serin_get next = request(4096, 4096, 4096, 2, 1);
    ck_assert_int_eq(serin_credit_request(&credit, &limits, &next, 9000, 9999).status,
                     SERIN_BLOCK_DATA);
    ck_assert_uint_eq(credit.token, 2);
}
END_TEST

START_TEST(a_lost_window_is_forgotten_in_time)
{
    struct serin_credit credit = {0};
    struct serin_get first = request(0, 4096, 4096, 1, 0);
    struct serin_get again = request(0, 4096, 4096, 2, 0);
    ck_assert_int_eq(serin_credit_request(&credit, &limits, &first, 9000, 500).status,
                     SERIN_BLOCK_DATA);
    ck_assert_int_eq(serin_credit_request(&credit, &limits, &again, 9000, 499).status,
                     SERIN_BLOCK_BUSY); /* a clock that ran backwards */
    ck_assert_int_eq(serin_credit_request(&credit, &limits, &again, 9000, 10499).status,
                     SERIN_BLOCK_BUSY);
    ck_assert_int_eq(serin_credit_request(&credit, &limits, &again, 9000, 10500).status,
                     SERIN_BLOCK_DATA);
    ck_assert_uint_eq(credit.token, 2);
    ck_assert_uint_eq(credit.started_ms, 10500);
}
END_TEST

START_TEST(every_answer_settles_the_last_window)
{
    struct serin_credit credit = {.token = 1, .in_flight = 10};
    struct serin_get past = request(9000, 1, 256, 2, 1);
    ck_assert_int_eq(serin_credit_request(&credit, &limits, &past, 9000, 0).status,
                     SERIN_BLOCK_RANGE);
    ck_assert_uint_eq(credit.token, 0);

    credit = (struct serin_credit){.token = 1, .in_flight = 10};
    serin_credit_settle(&credit, 0);
    serin_credit_settle(&credit, 2);
    ck_assert_uint_eq(credit.token, 1);
    serin_credit_settle(&credit, 1);
    ck_assert_uint_eq(credit.token, 0);
    ck_assert_uint_eq(credit.in_flight, 0);
    serin_credit_settle(&credit, 0);
    ck_assert_uint_eq(credit.token, 0);
}
END_TEST

START_TEST(a_client_that_follows_the_rules_gets_everything)
{
    struct serin_credit credit = {0};
    uint32_t token = 0;
    uint32_t offset = 0;
    const uint32_t object_size = 300001;
    while (offset < object_size) {
        struct serin_get get = request(offset, 20000, 1024, token + 1, token);
        struct serin_grant grant = serin_credit_request(&credit, &limits, &get, object_size, token);
        ck_assert_int_eq(grant.status, SERIN_BLOCK_DATA);
        ck_assert_uint_gt(grant.end, offset);
        ck_assert_uint_le(grant.end - offset, 8 * 1024);
        offset = grant.end;
        token++;
    }
    ck_assert_uint_eq(offset, object_size);
}
END_TEST

/* What a checked request and sane limits never are. */
static struct serin_get broken_get;
static struct serin_credit_limits broken_limits;

static void ask(void)
{
    struct serin_credit credit = {0};
    (void)serin_credit_request(&credit, &broken_limits, &broken_get, 1000, 0);
}

static void make_sane(void)
{
    broken_limits = limits;
    broken_get = request(0, 1, 256, 1, 0);
}

START_TEST(broken_promises_stop_the_program)
{
    make_sane();
    ck_assert(!check_dies(ask));
    broken_limits.window_bytes_max = SERIN_BLOCK_DATA_MAX;
    ck_assert(!check_dies(ask));
    broken_limits.window_bytes_max = SERIN_BLOCK_DATA_MAX - 1;
    ck_assert(check_dies(ask));
    make_sane();
    broken_limits.window_blocks_max = 0;
    ck_assert(check_dies(ask));
    make_sane();
    broken_get.token = 0;
    ck_assert(check_dies(ask));
    make_sane();
    broken_get.length = 0;
    ck_assert(check_dies(ask));
    make_sane();
    broken_get.block_size = SERIN_BLOCK_DATA_MIN - 1;
    ck_assert(check_dies(ask));
    broken_get.block_size = SERIN_BLOCK_DATA_MAX + 1;
    ck_assert(check_dies(ask));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_window_is_the_smallest_bound,
                                  huge_limits_do_not_wrap,
                                  at_or_past_the_end_is_a_range_error,
                                  one_window_in_flight,
                                  a_lost_window_is_forgotten_in_time,
                                  every_answer_settles_the_last_window,
                                  a_client_that_follows_the_rules_gets_everything,
                                  broken_promises_stop_the_program,
                                  NULL};
    return check_run("credit", tests);
}

/* The folder of records: replaced whole, locked, and honest about what it cannot read. */
#include "check_main.h"

#include <serin/adapters/records.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char all[] =
    "/tmp/serin-records.XXXXXX"; /* removed by the program, whatever its tests did */
static char base[64];
static char folder[96];

/* Each test runs in a process of its own, with a folder of its own below that of the program. */
static void setup(void)
{
    snprintf(base, sizeof base, "%s/%d", all, (int)getpid());
    ck_assert_int_eq(mkdir(base, 0700), 0);
    snprintf(folder, sizeof folder, "%s/state", base);
}

static struct serin_records *opened(void)
{
    struct serin_records *records;
    ck_assert_int_eq(serin_records_open(&records, folder), SERIN_OK);
    return records;
}

struct found {
    unsigned count;
    char text[64];
    enum serin_error answer;
};

static enum serin_error visit(void *ctx, const char *name, const uint8_t *data, size_t size)
{
    struct found *found = ctx;
    found->count++;
    snprintf(found->text, sizeof found->text, "%s=%.*s", name, (int)size, (const char *)data);
    return found->answer;
}

static struct found walk(struct serin_records *records, enum serin_error expected)
{
    struct found found = {.answer = SERIN_OK};
    char name[SERIN_RECORDS_NAME_MAX + 1];
    ck_assert_int_eq(serin_records_each(records, visit, &found, name), expected);
    return found;
}

START_TEST(test_save_and_walk)
{
    setup();
    struct serin_records *records = opened();
    ck_assert_uint_eq(walk(records, SERIN_OK).count, 0);
    ck_assert_int_eq(serin_records_save(records, "dev.a.directive", "one", 3), SERIN_OK);
    ck_assert_int_eq(serin_records_save(records, "dev.a.directive", "second", 6), SERIN_OK);
    struct found found = walk(records, SERIN_OK);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_str_eq(found.text, "dev.a.directive=second");
    serin_records_close(records);
    records = opened();
    /* A process that died while it wrote has left more than is written next. */
    char path[128];
    snprintf(path, sizeof path, "%s/.writing", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq((int)write(fd, "left over", 9), 9);
    close(fd);
    ck_assert_int_eq(serin_records_save(records, "dev.a.directive", "third", 5), SERIN_OK);
    ck_assert_str_eq(walk(records, SERIN_OK).text, "dev.a.directive=third");
    ck_assert_int_eq(serin_records_save(records, "b", "", 0), SERIN_OK);
    ck_assert_uint_eq(walk(records, SERIN_OK).count, 2);
    serin_records_close(records);
}
END_TEST

START_TEST(test_a_visitor_stops_the_walk)
{
    setup();
    struct serin_records *records = opened();
    ck_assert_int_eq(serin_records_save(records, "bad", "x", 1), SERIN_OK);
    struct found found = {.answer = SERIN_ERR_CRC};
    char name[SERIN_RECORDS_NAME_MAX + 1];
    ck_assert_int_eq(serin_records_each(records, visit, &found, name), SERIN_ERR_CRC);
    ck_assert_str_eq(name, "bad");
    serin_records_close(records);
}
END_TEST

START_TEST(test_too_large)
{
    setup();
    struct serin_records *records = opened();
    char path[128];
    snprintf(path, sizeof path, "%s/large", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(ftruncate(fd, SERIN_RECORDS_SIZE_MAX), 0);
    (void)walk(records, SERIN_OK);
    ck_assert_int_eq(ftruncate(fd, SERIN_RECORDS_SIZE_MAX + 1), 0);
    (void)walk(records, SERIN_ERR_TOO_LARGE);
    close(fd);
    serin_records_close(records);
}
END_TEST

START_TEST(test_opening)
{
    setup();
    struct serin_records *records = opened();
    struct serin_records *second;
    ck_assert_int_eq(serin_records_open(&second, folder), SERIN_ERR_BUSY);
    ck_assert_ptr_null(second);
    serin_records_close(records);
    char deep[128];
    snprintf(deep, sizeof deep, "%s/no/state", base);
    ck_assert_int_eq(serin_records_open(&second, deep), SERIN_ERR_NOT_FOUND);
    snprintf(deep, sizeof deep, "%s/state/.lock", base);
    ck_assert_int_eq(serin_records_open(&second, deep), SERIN_ERR_IO);
    serin_records_close(NULL);
}
END_TEST

START_TEST(test_full_disk_keeps_the_old_record)
{
    setup();
    signal(SIGXFSZ, SIG_IGN);
    struct serin_records *records = opened();
    ck_assert_int_eq(serin_records_save(records, "a", "old", 3), SERIN_OK);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit none = {.rlim_cur = 2, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    enum serin_error error = serin_records_save(records, "a", "newer", 5);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(error, SERIN_ERR_NO_SPACE);
    ck_assert_str_eq(walk(records, SERIN_OK).text, "a=old");
    serin_records_close(records);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_save_and_walk, test_a_visitor_stops_the_walk,       test_too_large,
        test_opening,       test_full_disk_keeps_the_old_record, NULL};
    if (mkdtemp(all) == NULL) {
        return EXIT_FAILURE;
    }
    int status = check_run("records", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", all);
    return system(command) == 0 ? status : EXIT_FAILURE;
}

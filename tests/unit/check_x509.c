/*
 * Certificates: what is refused, and what is left behind. That OpenSSL accepts them is tried in
 * check_cli.
 */
#include "program.h"

#include <serin/adapters/x509.h>

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static char paths[6][128];
static struct serin_x509_files ca, files;
static struct serin_x509_why why;

static void setup(void)
{
    static const char *const names[] = {"ca.pem", "ca.key", "a.pem", "a.key", "b.pem", "b.key"};

    folder_make(folder);
    for (size_t i = 0; i < 6; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, names[i]);
    }
    ca = (struct serin_x509_files){.certificate = paths[0], .key = paths[1]};
    files = (struct serin_x509_files){.certificate = paths[2], .key = paths[3]};
    ck_assert_int_eq(serin_x509_make_ca(&ca, "test CA", 30, &why), SERIN_OK);
}

static void teardown(void)
{
    folder_remove(folder);
}

static void expect_refused(const struct serin_x509_subject *subject, enum serin_error expected)
{
    why.text[0] = '\0';
    enum serin_error error = serin_x509_issue(&ca, subject, &files, &why);
    ck_assert_msg(error == expected, "%s: %s", serin_error_text(error), why.text);
    ck_assert_str_ne(why.text, "");
    ck_assert_int_ne(access(files.certificate, F_OK), 0);
    ck_assert_int_ne(access(files.key, F_OK), 0);
}

START_TEST(refuses_names_and_days)
{
    static const char *const bad_names[] = {"",     "a,DNS:evil",    "a b",
                                            "a\nb", "*.example.com", "::g"};
    const char *many[SERIN_X509_NAMES_MAX + 1];
    char longest[SERIN_X509_NAME_MAX + 2];
    struct serin_x509_subject subject = {.common_name = "", .days = 1};

    expect_refused(&subject, SERIN_ERR_INVALID);
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    subject.common_name = longest;
    expect_refused(&subject, SERIN_ERR_INVALID);
    subject.common_name = "a";
    subject.organisational_unit = longest;
    expect_refused(&subject, SERIN_ERR_INVALID);
    subject.organisational_unit = NULL;
    subject.days = 0;
    expect_refused(&subject, SERIN_ERR_INVALID);
    subject.days = SERIN_X509_DAYS_MAX + 1;
    expect_refused(&subject, SERIN_ERR_INVALID);
    subject.days = 1;
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        subject.names = &bad_names[i];
        subject.name_count = 1;
        expect_refused(&subject, SERIN_ERR_INVALID);
    }
    for (size_t i = 0; i <= SERIN_X509_NAMES_MAX; i++) {
        many[i] = "a.example";
    }
    subject.names = many;
    subject.name_count = SERIN_X509_NAMES_MAX + 1;
    expect_refused(&subject, SERIN_ERR_INVALID);
    subject.name_count = SERIN_X509_NAMES_MAX;
    longest[SERIN_X509_NAME_MAX] = '\0';
    subject.common_name = longest;
    subject.days = SERIN_X509_DAYS_MAX;
    ck_assert_msg(serin_x509_issue(&ca, &subject, &files, &why) == SERIN_OK, "%s", why.text);
}
END_TEST

START_TEST(never_overwrites)
{
    const struct serin_x509_subject subject = {.common_name = "a", .days = 1};
    char before[4096] = "";
    char after[4096] = "";

    ck_assert_int_eq(serin_x509_issue(&ca, &subject, &files, &why), SERIN_OK);
    file_read(files.key, before, sizeof(before) - 1);
    ck_assert_int_eq(serin_x509_issue(&ca, &subject, &files, &why), SERIN_ERR_EXISTS);
    ck_assert_int_eq(serin_x509_make_ca(&ca, "again", 1, &why), SERIN_ERR_EXISTS);
    file_read(files.key, after, sizeof(after) - 1);
    ck_assert_str_eq(before, after);
    /* With the certificate there and the key gone, no new key is left behind. */
    ck_assert_int_eq(unlink(files.key), 0);
    ck_assert_int_eq(serin_x509_issue(&ca, &subject, &files, &why), SERIN_ERR_EXISTS);
    ck_assert_int_ne(access(files.key, F_OK), 0);
}
END_TEST

START_TEST(reads_whose_it_is)
{
    const struct serin_x509_subject subject = {
        .common_name = "gw-1", .organisational_unit = "gateway", .days = 1};
    const struct serin_x509_subject plain = {.common_name = "d-1", .days = 1};
    struct serin_x509_files other = {.certificate = paths[4], .key = paths[5]};
    struct serin_x509_identity identity;

    ck_assert_int_eq(serin_x509_issue(&ca, &subject, &files, &why), SERIN_OK);
    ck_assert_int_eq(serin_x509_issue(&ca, &plain, &other, &why), SERIN_OK);
    ck_assert_int_eq(serin_x509_read(files.certificate, &identity, &why), SERIN_OK);
    ck_assert_str_eq(identity.common_name, "gw-1");
    ck_assert_str_eq(identity.organisational_unit, "gateway");
    ck_assert_int_eq(serin_x509_read(other.certificate, &identity, &why), SERIN_OK);
    ck_assert_str_eq(identity.organisational_unit, "");
    ck_assert_int_eq(serin_x509_match(&files, &why), SERIN_OK);
    other.certificate = files.certificate;
    ck_assert_int_eq(serin_x509_match(&other, &why), SERIN_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(why.text, "b.key is not the key of"));
    ck_assert_int_eq(serin_x509_read(other.key, &identity, &why), SERIN_ERR_FORMAT);
    ck_assert_int_eq(serin_x509_read("gone", &identity, &why), SERIN_ERR_NOT_FOUND);
}
END_TEST

START_TEST(refuses_what_is_no_ca)
{
    const struct serin_x509_subject subject = {.common_name = "a", .days = 1};
    struct serin_x509_files good = ca;
    struct serin_x509_files second = {.certificate = paths[4], .key = paths[5]};

    ca.certificate = "/nonexistent/ca.pem";
    expect_refused(&subject, SERIN_ERR_NOT_FOUND);
    ca = good;
    ca.certificate = good.key;
    expect_refused(&subject, SERIN_ERR_FORMAT);
    ca = good;
    ca.key = good.certificate;
    expect_refused(&subject, SERIN_ERR_FORMAT);
    ca = good;
    /* A certificate that may not sign; a key of another CA. */
    ck_assert_int_eq(serin_x509_issue(&ca, &subject, &second, &why), SERIN_OK);
    ca = second;
    expect_refused(&subject, SERIN_ERR_FORMAT);
    ca = good;
    ca.key = second.key;
    expect_refused(&subject, SERIN_ERR_FORMAT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("x509");
    TCase *tests = tcase_create("certificates");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, refuses_names_and_days);
    tcase_add_test(tests, never_overwrites);
    tcase_add_test(tests, reads_whose_it_is);
    tcase_add_test(tests, refuses_what_is_no_ca);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

/*
 * The YAML loader: every error is one exact line with file, line and key, and what is fine is
 * loaded.
 */
#define _POSIX_C_SOURCE 200809L
#include <serin/adapters/yaml.h>

#include <check.h>
#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fields.h"

struct broker {
    char *uri;
    uint16_t port;
};

struct sample {
    char *id;
    uint8_t level;
    int16_t offset;
    bool exec;
    int mode;
    struct broker *brokers;
    uint32_t brokers_count;
    char **words;
    uint32_t words_count;
    struct broker main;
    char *wait;
    char *room;
};

static const cyaml_schema_field_t broker_fields[] = {
    YAML_FIELD_TEXT("uri", CYAML_FLAG_DEFAULT, struct broker, uri, 1, 16),
    CYAML_FIELD_UINT("port", CYAML_FLAG_OPTIONAL, struct broker, port),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t broker_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct broker, broker_fields),
};
static const cyaml_schema_value_t word_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, 4),
};
static const cyaml_strval_t modes[] = {{"auto", 1}, {"approve", 2}, {"refuse", 3}};
static const cyaml_schema_field_t sample_fields[] = {
    YAML_FIELD_TEXT("id", CYAML_FLAG_DEFAULT, struct sample, id, 1, 8),
    CYAML_FIELD_UINT("level", CYAML_FLAG_OPTIONAL, struct sample, level),
    CYAML_FIELD_INT("offset", CYAML_FLAG_OPTIONAL, struct sample, offset),
    YAML_FIELD_BOOL("exec", CYAML_FLAG_OPTIONAL, struct sample, exec),
    CYAML_FIELD_ENUM("mode", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct sample, mode, modes,
                     3),
    CYAML_FIELD_SEQUENCE("brokers", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sample,
                         brokers, &broker_schema, 1, 2),
    CYAML_FIELD_SEQUENCE("words", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sample, words,
                         &word_schema, 0, 3),
    CYAML_FIELD_MAPPING("main", CYAML_FLAG_OPTIONAL, struct sample, main, broker_fields),
    YAML_FIELD_TEXT("wait", CYAML_FLAG_OPTIONAL, struct sample, wait, 1, 20),
    YAML_FIELD_TEXT("room", CYAML_FLAG_OPTIONAL, struct sample, room, 1, 20),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t sample_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sample, sample_fields),
};

/* A wrong document, the error it must give, and the field and line that the error must name. */
static const struct {
    const char *document, *text, *field;
    unsigned line;
} wrong[] = {
    {"id: a\nmain:\n  uri: x\n  foo: 1\n",
     "a.yaml:4: unknown key 'foo' in 'main'; its keys are uri, port", "main.foo", 4},
    {"# nothing\n\nfoo: 1\n", "a.yaml:3: unknown key 'foo'", "foo", 3},
    {"id: a\nbrokers:\n  - uri: x\n  - uri: y\n    bar: 2\n",
     "a.yaml:5: unknown key 'bar' in 'brokers[1]'; its keys are uri, port", "brokers[1].bar", 5},
    {"id: a\nbrokers:\n  - port: 1\n", "a.yaml:3: 'uri' is missing in 'brokers[0]'",
     "brokers[0].uri", 3},
    {"level: 1\n", "a.yaml: 'id' is missing", "id", 0},
    {"id: a\nmain: {}\n", "a.yaml:2: 'uri' is missing in 'main'", "main.uri", 2},
    {"id: a\nlevel: abc\n", "a.yaml:2: 'level' must be a whole number from 0 to 255, not 'abc'",
     "level", 2},
    {"id: a\n\nlevel: 256\n", "a.yaml:3: 'level' must be a whole number from 0 to 255, not '256'",
     "level", 3},
    {"id: a\nlevel: -1\n", "a.yaml:2: 'level' must be a whole number from 0 to 255, not '-1'",
     "level", 2},
    {"id: a\nlevel: [1]\n", "a.yaml:2: 'level' must be a whole number from 0 to 255", "level", 2},
    {"id: a\noffset: 40000\n",
     "a.yaml:2: 'offset' must be a whole number from -32768 to 32767, not '40000'", "offset", 2},
    {"id: a\nexec: maybe\n", "a.yaml:2: 'exec' must be true or false, not 'maybe'", "exec", 2},
    {"id: a\nmode: never\n", "a.yaml:2: 'mode' must be auto, approve or refuse, not 'never'",
     "mode", 2},
    {"id: a\nmode: 1\n", "a.yaml:2: 'mode' must be auto, approve or refuse, not '1'", "mode", 2},
    {"id: 123456789\n", "a.yaml:1: 'id' must have 1 to 8 characters", "id", 1},
    {"id:\n", "a.yaml:1: 'id' must have 1 to 8 characters", "id", 1},
    {"id: a\nmain: x\n",
     "a.yaml:2: 'main' must be a mapping of keys to values; its keys are uri, port", "main", 2},
    {"id: a\nbrokers: x\n", "a.yaml:2: 'brokers' must be a list of 1 to 2 entries", "brokers", 2},
    {"id: a\nbrokers: []\n", "a.yaml:2: 'brokers' must be a list of 1 to 2 entries", "brokers", 2},
    {"id: a\nbrokers:\n - uri: x\n - uri: y\n - uri: z\n",
     "a.yaml:2: 'brokers' must be a list of 1 to 2 entries", "brokers", 2},
    {"id: a\nwords: [a, b,\n  ccccc]\n", "a.yaml:3: 'words[2]' must have 1 to 4 characters",
     "words[2]", 3},
    {"id: a\nwords: [a, [b]]\n", "a.yaml:2: 'words[1]' must have 1 to 4 characters", "words[1]", 2},
    {"id: a\nbrokers:\n  - uri: x\n    port: 99999\n",
     "a.yaml:4: 'brokers[0].port' must be a whole number from 0 to 65535, not '99999'",
     "brokers[0].port", 4},
    {"id: a\nid: b\n", "a.yaml:2: 'id' stands twice; it is already in line 1", "", 2},
    {"id: a\n\tlevel: 1\n", "a.yaml:2: found a tab character that violates indentation", "", 2},
    {"id: a\nmain: *x\n", "a.yaml:2: anchors and aliases are not allowed", "", 2},
    {"id: &x a\n", "a.yaml:1: anchors and aliases are not allowed", "", 1},
    {"id: a\n---\nid: b\n", "a.yaml:2: a second document is not allowed", "", 2},
    {"", "a.yaml: it is empty", "", 0},
    {"# only a comment\n", "a.yaml: it is empty", "", 0},
    {"- a\n", "a.yaml: it must be a mapping of keys to values", "", 0},
    {"[a, b]: c\n", "a.yaml:1: a key must be a plain word", "", 1},
    {"id: \"a\\0b\"\n", "a.yaml:1: a value contains a NUL character", "", 1},
    {"id: a\nwords: [[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]\n", "a.yaml:2: it is nested too deeply", "",
     2},
};

START_TEST(wrong_document_is_explained)
{
    struct serin_yaml *yaml = NULL;
    struct serin_yaml_error error;
    enum serin_error result = serin_yaml_open(&yaml, "a.yaml", wrong[_i].document,
                                              strlen(wrong[_i].document), &sample_schema, &error);
    ck_assert_int_eq(result, SERIN_ERR_CONFIG);
    ck_assert_ptr_null(yaml);
    ck_assert_str_eq(error.text, wrong[_i].text);
    ck_assert_str_eq(error.field, wrong[_i].field);
    ck_assert_uint_eq(error.line, wrong[_i].line);
    ck_assert_ptr_nonnull(strstr(error.text, error.reason));
}
END_TEST

static const char fine[] = "id: dev-1\n"
                           "level: 7\n"
                           "exec: false\n"
                           "mode: approve\n"
                           "brokers:\n"
                           "  - uri: one\n"
                           "  - uri: two\n"
                           "    port: 8883\n"
                           "wait: 90s\n"
                           "room: 16KiB\n";

START_TEST(fine_document_is_loaded_with_its_lines)
{
    struct serin_yaml *yaml = NULL;
    struct serin_yaml_error error;
    ck_assert_int_eq(
        serin_yaml_open(&yaml, "a.yaml", fine, sizeof fine - 1, &sample_schema, &error), SERIN_OK);
    const struct sample *sample = serin_yaml_value(yaml);
    ck_assert_str_eq(sample->id, "dev-1");
    ck_assert_uint_eq(sample->level, 7);
    ck_assert(!sample->exec);
    ck_assert_int_eq(sample->mode, 2);
    ck_assert_uint_eq(sample->brokers_count, 2);
    ck_assert_str_eq(sample->brokers[1].uri, "two");
    ck_assert_uint_eq(sample->brokers[1].port, 8883);
    ck_assert_ptr_null(sample->words);

    ck_assert_uint_eq(serin_yaml_line(yaml, "brokers[1].port"), 8);
    ck_assert_uint_eq(serin_yaml_line(yaml, "brokers[1].absent"), 7);
    ck_assert_uint_eq(serin_yaml_line(yaml, "brokers[2].uri"), 5);
    ck_assert_uint_eq(serin_yaml_line(yaml, "absent"), 0);
    ck_assert(serin_yaml_has(yaml, "brokers[0].uri"));
    ck_assert(!serin_yaml_has(yaml, "brokers[0].port"));
    ck_assert(!serin_yaml_has(yaml, "brokers[x"));

    ck_assert_int_eq(serin_yaml_fail(yaml, &error, "brokers[1].uri", "must not be '%s'", "two"),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.text, "a.yaml:7: 'brokers[1].uri' must not be 'two'");
    ck_assert_str_eq(error.field, "brokers[1].uri");
    serin_yaml_close(yaml);
}
END_TEST

START_TEST(units_of_fields_are_checked)
{
    struct serin_yaml *yaml = NULL;
    struct serin_yaml_error error;
    uint64_t value = 5;
    ck_assert_int_eq(
        serin_yaml_open(&yaml, "a.yaml", fine, sizeof fine - 1, &sample_schema, &error), SERIN_OK);
    ck_assert_int_eq(serin_yaml_duration(yaml, "wait", NULL, 1, 10, &value, &error), SERIN_OK);
    ck_assert_uint_eq(value, 5);
    ck_assert_int_eq(serin_yaml_duration(yaml, "wait", "90s", 0, 100000, &value, &error), SERIN_OK);
    ck_assert_uint_eq(value, 90000);
    ck_assert_int_eq(serin_yaml_duration(yaml, "wait", "10 s", 0, 100000, &value, &error),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(
        error.text,
        "a.yaml:9: 'wait' must be a duration such as 500ms, 10s, 5m, 6h or 1d, not '10 s'");
    ck_assert_int_eq(serin_yaml_duration(yaml, "wait", "2d", 1000, 86400000, &value, &error),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.text, "a.yaml:9: 'wait' must be from 1s to 1d, not '2d'");
    ck_assert_uint_eq(value, 90000);

    ck_assert_int_eq(serin_yaml_size(yaml, "room", "16KiB", 0, 65536, &value, &error), SERIN_OK);
    ck_assert_uint_eq(value, 16384);
    ck_assert_int_eq(serin_yaml_size(yaml, "room", "16k", 0, 65536, &value, &error),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(
        error.text,
        "a.yaml:10: 'room' must be a size such as 4096, 16KiB, 2MiB or 1GiB, not '16k'");
    ck_assert_int_eq(serin_yaml_size(yaml, "room", "0", 256, 65536, &value, &error),
                     SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.text, "a.yaml:10: 'room' must be from 256 to 64KiB, not '0'");
    serin_yaml_close(yaml);
}
END_TEST

static const struct {
    const char *text;
    bool valid;
    uint64_t ms;
} durations[] = {
    {"0", true, 0},
    {"500ms", true, 500},
    {"10s", true, 10000},
    {"5m", true, 300000},
    {"6h", true, 21600000},
    {"1d", true, 86400000},
    {"0s", true, 0},
    {"007s", true, 7000},
    {"", false, 0},
    {"10", false, 0},
    {"s", false, 0},
    {"-1s", false, 0},
    {"1.5s", false, 0},
    {"10 s", false, 0},
    {"10s ", false, 0},
    {" 10s", false, 0},
    {"10S", false, 0},
    {"10sec", false, 0},
    {"+1s", false, 0},
    {"1m30s", false, 0},
    {"213503982335d", false, 0},
    {"18446744073709551615ms", true, UINT64_MAX},
    {"18446744073709551616ms", false, 0},
};

START_TEST(duration_is_read)
{
    uint64_t ms = 42;
    ck_assert_int_eq(serin_duration_parse(durations[_i].text, &ms), durations[_i].valid);
    ck_assert_uint_eq(ms, durations[_i].valid ? durations[_i].ms : 42);
}
END_TEST

static const struct {
    const char *text;
    unsigned decimals;
    bool valid;
    uint32_t value;
} percents[] = {
    {"0", 2, true, 0},
    {"100", 2, true, 10000},
    {"12.5", 2, true, 1250},
    {"0.01", 2, true, 1},
    {"100.00", 2, true, 10000},
    {"007", 2, true, 700},
    {"100.01", 2, false, 0},
    {"0.001", 2, false, 0},
    {"101", 2, false, 0},
    {"", 2, false, 0},
    {".5", 2, false, 0},
    {"5.", 2, false, 0},
    {"1.2.3", 2, false, 0},
    {"-1", 2, false, 0},
    {"1e1", 2, false, 0},
    {"1 ", 2, false, 0},
    {"0.0001", 4, true, 1},
    {"100.0000", 4, true, 1000000},
    {"100.0001", 4, false, 0},
    {"0.00001", 4, false, 0},
    {"7", 0, true, 7},
    {"7.0", 0, false, 0},
    {"100", 7, true, 1000000000},
    {"429496730", 2, false, 0},
    {"18446744073709551617", 2, false, 0},
};

/* Caught: a limit that is taken at one digit more; an overflow; decimals not filled up. */
START_TEST(percentages_are_exact)
{
    uint32_t value = 77;
    ck_assert_int_eq(serin_percent_parse(percents[_i].text, percents[_i].decimals, &value),
                     percents[_i].valid);
    ck_assert_uint_eq(value, percents[_i].valid ? percents[_i].value : 77);
}
END_TEST

static const struct {
    const char *text;
    bool valid;
    uint64_t bytes;
} sizes[] = {
    {"0", true, 0},
    {"4096", true, 4096},
    {"16KiB", true, 16384},
    {"2MiB", true, 2097152},
    {"1GiB", true, UINT64_C(1) << 30},
    {"", false, 0},
    {"KiB", false, 0},
    {"1K", false, 0},
    {"1kib", false, 0},
    {"1 MiB", false, 0},
    {"-1", false, 0},
    {"0x10", false, 0},
    {"17179869184GiB", false, 0},
};

START_TEST(size_is_read)
{
    uint64_t bytes = 42;
    ck_assert_int_eq(serin_size_parse(sizes[_i].text, &bytes), sizes[_i].valid);
    ck_assert_uint_eq(bytes, sizes[_i].valid ? sizes[_i].bytes : 42);
}
END_TEST

START_TEST(units_are_written_shortest)
{
    char text[SERIN_UNITS_TEXT_SIZE];
    serin_duration_format(90000, text);
    ck_assert_str_eq(text, "90s");
    serin_duration_format(3600000, text);
    ck_assert_str_eq(text, "1h");
    serin_duration_format(UINT64_MAX, text);
    ck_assert_str_eq(text, "18446744073709551615ms");
    serin_size_format(1000, text);
    ck_assert_str_eq(text, "1000");
    serin_size_format(3u << 20, text);
    ck_assert_str_eq(text, "3MiB");
}
END_TEST

START_TEST(file_errors_name_the_file)
{
    struct serin_yaml *yaml = NULL;
    struct serin_yaml_error error;
    char folder[] = "/tmp/serin-yaml-XXXXXX", path[64], expected[128];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a.yaml", folder);

    ck_assert_int_eq(serin_yaml_open_file(&yaml, path, &sample_schema, &error),
                     SERIN_ERR_NOT_FOUND);
    (void)snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    ck_assert_str_eq(error.text, expected);
    ck_assert_int_eq(serin_yaml_open_file(&yaml, folder, &sample_schema, &error), SERIN_ERR_IO);

    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(fprintf(file, "id: a\nlevel: x\n"), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(serin_yaml_open_file(&yaml, path, &sample_schema, &error), SERIN_ERR_CONFIG);
    ck_assert_uint_eq(error.line, 2);

    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i <= SERIN_YAML_SIZE_MAX; i++) {
        ck_assert_int_eq(fputc('#', file), '#');
    }
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(serin_yaml_open_file(&yaml, path, &sample_schema, &error),
                     SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(too_many_entries_are_refused)
{
    size_t count = SERIN_YAML_NODES_MAX + 1;
    char *text = malloc(count * 2 + 16), *p = text;
    ck_assert_ptr_nonnull(text);
    p += sprintf(p, "words: [a");
    for (size_t i = 0; i < count; i++) {
        *p++ = ',';
        *p++ = 'a';
    }
    *p++ = ']';
    struct serin_yaml *yaml = NULL;
    struct serin_yaml_error error;
    ck_assert_int_eq(
        serin_yaml_open(&yaml, "a.yaml", text, (size_t)(p - text), &sample_schema, &error),
        SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.text, "a.yaml:1: there are too many entries");
    free(text);
}
END_TEST

/* Random damage never crashes the loader and always leaves either a document or an error text. */
START_TEST(damaged_documents_are_survived)
{
    srand(20260131);
    for (int round = 0; round < 3000; round++) {
        char text[sizeof fine];
        memcpy(text, fine, sizeof fine);
        for (int i = 0; i < 4; i++) {
            text[(size_t)rand() % (sizeof fine - 1)] = (char)(rand() % 256);
        }
        struct serin_yaml *yaml = NULL;
        struct serin_yaml_error error;
        enum serin_error result =
            serin_yaml_open(&yaml, "a.yaml", text, sizeof fine - 1, &sample_schema, &error);
        ck_assert((result == SERIN_OK) == (yaml != NULL));
        ck_assert(result == SERIN_OK || error.text[0] != '\0');
        serin_yaml_close(yaml);
    }
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("yaml");
    TCase *tests = tcase_create("yaml");
    tcase_add_loop_test(tests, wrong_document_is_explained, 0, COUNT_OF(wrong));
    tcase_add_test(tests, fine_document_is_loaded_with_its_lines);
    tcase_add_test(tests, units_of_fields_are_checked);
    tcase_add_loop_test(tests, duration_is_read, 0, COUNT_OF(durations));
    tcase_add_loop_test(tests, percentages_are_exact, 0, COUNT_OF(percents));
    tcase_add_loop_test(tests, size_is_read, 0, COUNT_OF(sizes));
    tcase_add_test(tests, units_are_written_shortest);
    tcase_add_test(tests, file_errors_name_the_file);
    tcase_add_test(tests, too_many_entries_are_refused);
    tcase_add_test(tests, damaged_documents_are_survived);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

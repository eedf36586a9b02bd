/*
 * JSON values: what is built prints as it should, what is read is what was written, foreign bytes
 * do no harm.
 */
#include "check_main.h"

#include <serin/adapters/json.h>

#include <string.h>

START_TEST(values_print_in_order)
{
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "b", "x\"y\n");
    serin_json_put_number(object, "a", INT64_MAX);
    serin_json_put_real(object, "r", 0.1);
    serin_json_put_bool(object, "t", true);
    serin_json_put_null(object, "n");
    struct serin_json *array = serin_json_array();
    serin_json_add(array, serin_json_number(1));
    serin_json_add(array, serin_json_text("z"));
    serin_json_put(object, "list", array);
    size_t size = 0;
    char *text = serin_json_print(object, &size);
    ck_assert_str_eq(text, "{\"b\":\"x\\\"y\\n\",\"a\":9223372036854775807,\"r\":0.1,\"t\":true,"
                           "\"n\":null,\"list\":[1,\"z\"]}");
    ck_assert_uint_eq(size, strlen(text));
    free(text);
    serin_json_free(object);
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_shown_as_question_marks)
{
    struct serin_json *value = serin_json_text("a\xff\xc3z");
    char *text = serin_json_print(value, NULL);
    ck_assert_str_eq(text, "\"a??z\"");
    free(text);
    serin_json_free(value);
}
END_TEST

START_TEST(what_is_read_is_what_was_written)
{
    static const char text[] = "{\"reason\": \"tired\", \"n\": 7, \"minus\": -1, \"list\": [1, 2]}";
    struct serin_json *value = NULL;
    char why[100];
    uint64_t number = 0;
    ck_assert_int_eq(serin_json_parse(text, sizeof text - 1, &value, why, sizeof why), SERIN_OK);
    ck_assert(serin_json_is_object(value));
    ck_assert_str_eq(serin_json_as_text(serin_json_get(value, "reason")), "tired");
    ck_assert(serin_json_as_number(serin_json_get(value, "n"), &number));
    ck_assert_uint_eq(number, 7);
    ck_assert(!serin_json_as_number(serin_json_get(value, "minus"), &number));
    ck_assert(!serin_json_as_number(serin_json_get(value, "reason"), &number));
    ck_assert_ptr_null(serin_json_as_text(serin_json_get(value, "n")));
    ck_assert_ptr_null(serin_json_get(value, "nothing"));
    ck_assert_ptr_null(serin_json_get(serin_json_get(value, "n"), "inside"));
    ck_assert_uint_eq(serin_json_count(serin_json_get(value, "list")), 2);
    ck_assert(serin_json_as_number(serin_json_at(serin_json_get(value, "list"), 1), &number));
    ck_assert_uint_eq(number, 2);
    ck_assert_uint_eq(serin_json_count(NULL), 0);
    serin_json_free(value);
    serin_json_free(NULL);
}
END_TEST

START_TEST(what_is_no_json_is_refused_with_its_line)
{
    static const char *const wrong[] = {"", "{", "{\"a\":1,\"a\":2}", "[1] x", "{\"a\":\"\xff\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct serin_json *value = NULL;
        char why[100] = "";
        ck_assert_int_eq(serin_json_parse(wrong[i], strlen(wrong[i]), &value, why, sizeof why),
                         SERIN_ERR_FORMAT);
        ck_assert_ptr_null(value);
        ck_assert_ptr_nonnull(strstr(why, "line "));
    }
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        values_print_in_order,
        bytes_that_are_no_utf8_are_shown_as_question_marks,
        what_is_read_is_what_was_written,
        what_is_no_json_is_refused_with_its_line,
        NULL,
    };
    return check_run("json", list);
}

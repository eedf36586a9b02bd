/*
 * The HTTP client: tokens, bodies, progress, bounds, and a server that is not there.
 */
#include "api_server.h"
#include "program.h"

#include <serin/adapters/http_client.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];
static struct api_server server;
static struct serin_http_client_why why;

static void setup(void)
{
    memset(&server, 0, sizeof(server));
    folder_make(folder);
}

static void teardown(void)
{
    api_server_stop(&server);
    folder_remove(folder);
}

static struct serin_http_client *open_client(const char *token)
{
    struct serin_http_client *client = NULL;

    ck_assert_int_eq(serin_http_client_open(&client, server.url, token, &why), SERIN_OK);
    return client;
}

START_TEST(asks_with_the_token)
{
    const struct api_answer answers[] = {{"GET /a?b=c", 200, "{\"x\":1}"},
                                         {"POST /p", 409, "no"},
                                         {"GET /empty", 204, ""},
                                         {NULL, 0, NULL}};
    struct serin_http_client_request request = {.method = "GET", .path = "/a?b=c"};
    struct serin_http_client_answer answer;

    api_server_start(&server, folder, answers);
    struct serin_http_client *client = open_client("secret");
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_OK);
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_uint_eq(answer.body_size, 7);
    ck_assert_str_eq(answer.body, "{\"x\":1}");
    free(answer.body);
    request = (struct serin_http_client_request){
        .method = "POST", .path = "/p", .body = "text", .body_size = 4, .content_type = "a/b"};
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_OK);
    ck_assert_uint_eq(answer.status, 409);
    free(answer.body);
    request = (struct serin_http_client_request){.method = "POST", .path = "/p"};
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_OK);
    free(answer.body);
    request = (struct serin_http_client_request){.method = "GET", .path = "/empty"};
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_OK);
    ck_assert_str_eq(answer.body, "");
    free(answer.body);
    serin_http_client_close(client);
    ck_assert_str_eq(api_server_log(&server),
                     "GET /a?b=c\ntoken=secret\ntype=\nbody=\n\n"
                     "POST /p\ntoken=secret\ntype=a/b\nbody=text\n\n"
                     "POST /p\ntoken=secret\ntype=application/x-www-form-urlencoded\nbody=\n\n"
                     "GET /empty\ntoken=secret\ntype=\nbody=\n\n");
}
END_TEST

static uint64_t last_sent;
static unsigned calls;

static void note_progress(void *ctx, uint64_t sent, uint64_t size)
{
    ck_assert_ptr_eq(ctx, &calls);
    ck_assert_uint_ge(sent, last_sent);
    ck_assert_uint_le(sent, size);
    last_sent = sent;
    calls++;
}

START_TEST(uploads_and_tells_progress)
{
    const struct api_answer answers[] = {{"PUT /big", 201, "{}"}, {NULL, 0, NULL}};
    const size_t size = 5 * 1024 * 1024;
    struct serin_http_client_answer answer;
    char *body = calloc(1, size);

    api_server_start(&server, folder, answers);
    struct serin_http_client *client = open_client("secret");
    const struct serin_http_client_request request = {.method = "PUT",
                                                      .path = "/big",
                                                      .body = body,
                                                      .body_size = size,
                                                      .progress = note_progress,
                                                      .progress_ctx = &calls};
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_OK);
    ck_assert_uint_eq(answer.status, 201);
    ck_assert_uint_eq(last_sent, size);
    ck_assert_uint_gt(calls, 1);
    free(answer.body);
    free(body);
    serin_http_client_close(client);
    ck_assert_ptr_nonnull(strstr(api_server_log(&server), "body=5242880 bytes\n"));
}
END_TEST

START_TEST(says_when_nobody_answers)
{
    const struct api_answer answers[] = {{"GET /cut", 0, NULL}, {NULL, 0, NULL}};
    struct serin_http_client_request request = {.method = "GET", .path = "/cut"};
    struct serin_http_client_answer answer;

    api_server_start(&server, folder, answers);
    struct serin_http_client *client = open_client("secret");
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_ERR_NETWORK);
    ck_assert_ptr_null(answer.body);
    api_server_stop(&server);
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_ERR_NETWORK);
    ck_assert_ptr_nonnull(strstr(why.text, server.url));
    /* The same client goes on when the server is back. */
    const struct api_answer back[] = {{"GET /cut", 200, "{}"}, {NULL, 0, NULL}};
    api_server_start(&server, folder, back);
    ck_assert_int_eq(serin_http_client_ask(client, &request, &answer, &why), SERIN_OK);
    free(answer.body);
    serin_http_client_close(client);
}
END_TEST

START_TEST(guards_the_token)
{
    static const struct {
        const char *server, *token;
        enum serin_error error;
    } cases[] = {
        {"http://127.0.0.1:1", "t", SERIN_OK},
        {"http://127.1.2.3:1/", "t", SERIN_OK},
        {"http://localhost:1", "t", SERIN_OK},
        {"http://[::1]:1", "t", SERIN_OK},
        {"https://serind.example:8470", "t", SERIN_OK},
        {"http://serind.example:8470", NULL, SERIN_OK},
        {"http://serind.example:8470", "t", SERIN_ERR_CONFIG},
        {"http://10.0.0.1:1", "t", SERIN_ERR_CONFIG},
        {"http://127.evil.example", "t", SERIN_ERR_CONFIG},
        {"http://127.0.0.1@evil.example", "t", SERIN_ERR_CONFIG},
        {"http://127.0.0.1:1/path", "t", SERIN_ERR_CONFIG},
        {"ftp://127.0.0.1", "t", SERIN_ERR_CONFIG},
        {"127.0.0.1:8470", "t", SERIN_ERR_CONFIG},
        {"", "t", SERIN_ERR_CONFIG},
        {"http://127.0.0.1:1", "two\nlines", SERIN_ERR_CONFIG},
        {"http://127.0.0.1:1", "a space", SERIN_ERR_CONFIG},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct serin_http_client *client = NULL;
        why.text[0] = '\0';
        enum serin_error error =
            serin_http_client_open(&client, cases[i].server, cases[i].token, &why);
        ck_assert_msg(error == cases[i].error, "%s: %s", cases[i].server, serin_error_text(error));
        ck_assert((client != NULL) == (error == SERIN_OK));
        ck_assert((why.text[0] != '\0') == (error != SERIN_OK));
        serin_http_client_close(client);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_client");
    TCase *tests = tcase_create("client");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, asks_with_the_token);
    tcase_add_test(tests, uploads_and_tells_progress);
    tcase_add_test(tests, says_when_nobody_answers);
    tcase_add_test(tests, guards_the_token);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

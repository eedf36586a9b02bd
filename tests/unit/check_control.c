/*
 * The control socket with real clients: its protocol, garbage, over-long and torn lines, silent and
 * greedy clients, more clients than places, and the socket's own rights.
 */
#define _GNU_SOURCE
#include <serin/ports/linux/control.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], path[96];
static struct serin_control *control;

/* What the requests did. */
static struct {
    int alive, confirmed, unhealthy, asked;
    uint32_t errors;
    char why[512];
    enum serin_error answer;
    pid_t application; /* 0: every client */
} world;

static bool is_application(void *ctx, pid_t pid)
{
    (void)ctx;
    return world.application == 0 || pid == world.application;
}

static enum serin_error alive(void *ctx, pid_t pid)
{
    ck_assert_ptr_eq(ctx, &world);
    ck_assert_int_eq(pid, getpid());
    world.alive++;
    return world.answer;
}

static enum serin_error confirm(void *ctx)
{
    (void)ctx;
    world.confirmed++;
    return world.answer;
}

static enum serin_error unhealthy(void *ctx, const char *why)
{
    (void)ctx;
    world.unhealthy++;
    (void)snprintf(world.why, sizeof world.why, "%s", why);
    return world.answer;
}

static enum serin_error errors(void *ctx, uint32_t count)
{
    (void)ctx;
    world.errors += count;
    return world.answer;
}

static void status(void *ctx, char *text, size_t capacity)
{
    (void)ctx;
    world.asked++;
    (void)snprintf(text, capacity, "{\"state\":\"idle\"}");
}

static const struct serin_agent_requests_ops ops = {
    .is_application = is_application,
    .alive = alive,
    .confirm = confirm,
    .unhealthy = unhealthy,
    .errors = errors,
    .status = status,
};

static struct serin_agent_requests requests = {.ops = &ops, .ctx = &world};

static void setup(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/serin-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/control", folder);
    memset(&world, 0, sizeof world);
    ck_assert_int_eq(serin_agent_control_open(&control, path, &requests), SERIN_OK);
}

static void teardown(void)
{
    serin_control_close(control);
    ck_assert_int_ne(access(path, F_OK), 0); /* it cleans up after itself */
    ck_assert_int_eq(rmdir(folder), 0);
}

/* Serves everything that is ready now. */
static void serve_at(uint64_t now_ms)
{
    for (int round = 0; round < 64; round++) {
        struct pollfd fds[SERIN_CONTROL_FDS_MAX];
        size_t count = serin_control_fds(control, fds);
        ck_assert_uint_le(count, SERIN_CONTROL_FDS_MAX);
        if (poll(fds, (nfds_t)count, 0) <= 0) {
            return;
        }
        serin_control_serve(control, fds, count, now_ms);
    }
}

static int client(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text, size_t size)
{
    ck_assert_int_eq(send(fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
    serve_at(1000);
}

/* What has come back so far, "<closed>" appended when the agent hung up. */
static const char *heard(int fd)
{
    static char text[8192];
    size_t used = 0;
    ssize_t got = 0;
    while (used < sizeof text - 16 &&
           (got = recv(fd, text + used, sizeof text - 16 - used, MSG_DONTWAIT)) > 0) {
        used += (size_t)got;
    }
    (void)snprintf(text + used, sizeof text - used, "%s",
                   got == 0 || (got < 0 && errno == ECONNRESET) ? "<closed>" : "");
    return text;
}

#define SAY(fd, text) say(fd, text, strlen(text))

START_TEST(requests_are_answered)
{
    int fd = client();
    SAY(fd, "alive\n");
    ck_assert_str_eq(heard(fd), "ok\n");
    SAY(fd, "confirm\r\n");
    ck_assert_str_eq(heard(fd), "ok\n");
    SAY(fd, "unhealthy sensor does not answer\n");
    ck_assert_str_eq(heard(fd), "ok\n");
    ck_assert_str_eq(world.why, "sensor does not answer");
    SAY(fd, "unhealthy\n");
    ck_assert_str_eq(world.why, "");
    ck_assert_str_eq(heard(fd), "ok\n");
    SAY(fd, "status\n");
    ck_assert_str_eq(heard(fd), "{\"state\":\"idle\"}\n");
    ck_assert_int_eq(world.alive, 1);
    ck_assert_int_eq(world.confirmed, 1);
    ck_assert_int_eq(world.unhealthy, 2);
    ck_assert_int_eq(world.asked, 1);
    (void)close(fd);
}
END_TEST

START_TEST(errors_are_counted)
{
    static const struct {
        const char *line;
        uint32_t count; /* 0: refused */
    } cases[] = {
        {"errors\n", 1},         {"errors 1\n", 1},
        {"errors 70\r\n", 70},   {"errors 1000000\n", 1000000},
        {"errors 1000001\n", 0}, {"errors 99999999999\n", 0},
        {"errors 0\n", 0},       {"errors 07\n", 0},
        {"errors -1\n", 0},      {"errors +1\n", 0},
        {"errors 1.5\n", 0},     {"errors 1 \n", 0},
        {"errors  1\n", 0},      {"errors one\n", 0},
    };
    int fd = client();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        world.errors = 0;
        SAY(fd, cases[c].line);
        ck_assert_uint_eq(world.errors, cases[c].count);
        ck_assert_str_eq(heard(fd), cases[c].count > 0
                                        ? "ok\n"
                                        : "error INVALID errors takes a whole number from 1 to "
                                          "1000000, or nothing for 1\n");
    }
    (void)close(fd);
}
END_TEST

START_TEST(errors_are_named)
{
    int fd = client();
    world.answer = SERIN_ERR_STATE;
    SAY(fd, "confirm\n");
    ck_assert_str_eq(heard(fd), "error STATE not allowed in the present state\n");
    world.answer = SERIN_ERR_DENIED;
    SAY(fd, "alive\n");
    ck_assert_str_eq(heard(fd), "error DENIED not permitted\n");
    (void)close(fd);
}
END_TEST

static const char *const garbage[] = {
    "\n",         "hello\n",          "confirm now\n", "alive \n",       "Confirm\n",
    " confirm\n", "confirmconfirm\n", "status x\n",    "\x01\xff\xfe\n",
};

START_TEST(garbage_is_answered_and_does_nothing)
{
    int fd = client();
    SAY(fd, garbage[_i]);
    ck_assert_str_eq(heard(fd),
                     "error INVALID no such request; use alive, confirm, unhealthy, errors or "
                     "status\n");
    ck_assert_int_eq(world.alive + world.confirmed + world.unhealthy + world.asked, 0);
    SAY(fd, "status\n");
    ck_assert_str_eq(heard(fd), "{\"state\":\"idle\"}\n");
    (void)close(fd);
}
END_TEST

START_TEST(zero_bytes_do_not_hide_anything)
{
    int fd = client();
    say(fd, "confirm\0x\n", 10);
    (void)heard(fd);
    say(fd, "\0\0\n", 3);
    ck_assert_str_eq(heard(fd),
                     "error INVALID no such request; use alive, confirm, unhealthy, errors or "
                     "status\n");
    ck_assert_int_eq(world.confirmed, 0);
    (void)close(fd);
}
END_TEST

START_TEST(torn_and_joined_lines_are_put_right)
{
    int fd = client();
    SAY(fd, "con");
    ck_assert_str_eq(heard(fd), "");
    SAY(fd, "fir");
    SAY(fd, "m\nali");
    ck_assert_str_eq(heard(fd), "ok\n");
    SAY(fd, "ve\nalive\nalive\nst");
    ck_assert_str_eq(heard(fd), "ok\nok\nok\n");
    SAY(fd, "atus\n");
    ck_assert_str_eq(heard(fd), "{\"state\":\"idle\"}\n");
    ck_assert_int_eq(world.alive, 3);
    ck_assert_int_eq(world.confirmed, 1);
    (void)close(fd);
}
END_TEST

START_TEST(longest_line_is_taken_longer_is_refused)
{
    char line[600];
    memset(line, 'x', sizeof line);
    memcpy(line, "unhealthy ", 10);
    for (size_t size = SERIN_CONTROL_LINE_MAX - 2; size < SERIN_CONTROL_LINE_MAX + 4; size++) {
        for (int with_cr = 0; with_cr < 2; with_cr++) {
            int fd = client();
            char request[600];
            memcpy(request, line, size);
            int more = snprintf(request + size, sizeof request - size, with_cr ? "\r\n" : "\n");
            world.unhealthy = 0;
            say(fd, request, size + (size_t)more);
            if (size <= SERIN_CONTROL_LINE_MAX) {
                ck_assert_str_eq(heard(fd), "ok\n");
                ck_assert_uint_eq(strlen(world.why), size - 10);
            } else {
                ck_assert_str_eq(heard(fd), "error TOO_LARGE the line is too long\n<closed>");
                ck_assert_int_eq(world.unhealthy, 0);
            }
            (void)close(fd);
        }
    }
    int fd = client();
    say(fd, line, sizeof line); /* and never an end */
    const char *answer = heard(fd);
    ck_assert_ptr_nonnull(strstr(answer, "error TOO_LARGE"));
    ck_assert_ptr_nonnull(strstr(answer, "<closed>"));
    (void)close(fd);
}
END_TEST

/* A client that asks and never reads is dropped before it can hold anything up. */
START_TEST(greedy_client_is_dropped)
{
    int fd = client();
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    bool dropped = false;
    for (int i = 0; i < 200000 && !dropped; i++) {
        dropped = send(fd, "status\n", 7, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
        serve_at(1000);
    }
    ck_assert(dropped);
    (void)close(fd);
}
END_TEST

START_TEST(clients_come_and_go)
{
    for (int i = 0; i < 200; i++) {
        int fd = client();
        if (i % 3 == 0) {
            SAY(fd, "alive\n");
            ck_assert_str_eq(heard(fd), "ok\n");
        } else if (i % 3 == 1) {
            SAY(fd, "ali");
        }
        (void)close(fd);
        serve_at(1000);
    }
    struct pollfd fds[SERIN_CONTROL_FDS_MAX];
    ck_assert_uint_eq(serin_control_fds(control, fds), 1);
}
END_TEST

/* More silent clients than places: the one that was silent for longest goes, the newcomer is
 * served. */
START_TEST(idle_clients_make_room)
{
    int fds[SERIN_CONTROL_CLIENTS_MAX + 1];
    for (size_t i = 0; i < SERIN_CONTROL_CLIENTS_MAX; i++) {
        fds[i] = client();
        serve_at(100 + i);
    }
    ck_assert_int_eq(send(fds[0], "alive\n", 6, MSG_NOSIGNAL), 6);
    serve_at(500); /* now the second is the most silent */
    fds[SERIN_CONTROL_CLIENTS_MAX] = client();
    serve_at(600);
    ck_assert_str_eq(heard(fds[0]), "ok\n");
    ck_assert_str_eq(heard(fds[1]), "<closed>");
    ck_assert_str_eq(heard(fds[2]), "");
    SAY(fds[SERIN_CONTROL_CLIENTS_MAX], "status\n");
    ck_assert_str_eq(heard(fds[SERIN_CONTROL_CLIENTS_MAX]), "{\"state\":\"idle\"}\n");
    for (size_t i = 0; i <= SERIN_CONTROL_CLIENTS_MAX; i++) {
        (void)close(fds[i]);
    }
}
END_TEST

/* The application's connection stays, however old, while others crowd in. */
START_TEST(application_keeps_its_place)
{
    int ready[2], go[2];
    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(go), 0);
    int own = client();
    serve_at(1);
    world.application = getpid();
    pid_t crowd = fork();
    if (crowd == 0) {
        char byte;
        for (size_t i = 0; i < 3 * SERIN_CONTROL_CLIENTS_MAX; i++) {
            struct sockaddr_un address = {.sun_family = AF_UNIX};
            (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);
            if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
                write(ready[1], "+", 1) != 1 || read(go[0], &byte, 1) != 1) {
                _exit(1);
            }
        }
        _exit(0);
    }
    char byte;
    for (size_t i = 0; i < 3 * SERIN_CONTROL_CLIENTS_MAX; i++) {
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        serve_at(1000 + i);
        ck_assert_int_eq(write(go[1], "+", 1), 1);
    }
    SAY(own, "alive\n");
    ck_assert_str_eq(heard(own), "ok\n");
    (void)close(own);
    (void)close(ready[0]);
    (void)close(ready[1]);
    (void)close(go[0]);
    (void)close(go[1]);
}
END_TEST

/* A boot ends: what was said before it and not read yet is not heard, by whomever it was said. */
START_TEST(hanging_up_forgets_what_was_said)
{
    int held = client(), waiting[17];
    SAY(held, "status\n");
    ck_assert_str_eq(heard(held), "{\"state\":\"idle\"}\n");
    ck_assert_int_eq(send(held, "confirm\n", 8, MSG_NOSIGNAL), 8);
    for (size_t i = 0; i < 17; i++) { /* as many as Linux lets wait */
        waiting[i] = client();
        ck_assert_int_eq(send(waiting[i], "unhealthy\n", 10, MSG_NOSIGNAL), 10);
    }
    serin_control_hang_up(control);
    serve_at(1000);
    ck_assert_int_eq(world.confirmed + world.unhealthy, 0);
    ck_assert_str_eq(heard(held), "<closed>");
    (void)close(held);
    for (size_t i = 0; i < 17; i++) {
        ck_assert_str_eq(heard(waiting[i]), "<closed>");
        (void)close(waiting[i]);
    }
    int next = client();
    SAY(next, "confirm\n");
    ck_assert_str_eq(heard(next), "ok\n");
    ck_assert_int_eq(world.confirmed, 1);
    (void)close(next);
}
END_TEST

START_TEST(socket_is_private_and_single)
{
    struct stat info;
    struct serin_control *second = NULL;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(serin_agent_control_open(&second, path, &requests), SERIN_ERR_BUSY);
    ck_assert_ptr_null(second);
}
END_TEST

START_TEST(stale_socket_is_replaced_other_files_are_not)
{
    char other[100];
    struct serin_control *second = NULL;
    (void)snprintf(other, sizeof other, "%.90s.second", path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", other);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd); /* as after kill -9 */
    ck_assert_int_eq(serin_agent_control_open(&second, other, &requests), SERIN_OK);
    serin_control_close(second);

    fd = open(other, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_int_eq(serin_agent_control_open(&second, other, &requests), SERIN_ERR_EXISTS);
    ck_assert_int_eq(access(other, F_OK), 0);
    ck_assert_int_eq(unlink(other), 0);

    char longest[200];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(serin_agent_control_open(&second, longest, &requests), SERIN_ERR_INVALID);
}
END_TEST

static atomic_bool asking;

static void *server(void *argument)
{
    (void)argument;
    while (atomic_load(&asking)) {
        serve_at(1000);
        (void)usleep(1000);
    }
    return NULL;
}

START_TEST(asking_gets_the_answer)
{
    char answer[SERIN_AGENT_ANSWER_MAX], longest[400], absent[128];
    pthread_t thread;
    atomic_store(&asking, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, server, NULL), 0);
    ck_assert_int_eq(serin_control_ask(path, "status", answer, sizeof answer, 5000), SERIN_OK);
    ck_assert_str_eq(answer, "{\"state\":\"idle\"}");
    ck_assert_int_eq(serin_control_ask(path, "confirm", answer, sizeof answer, 5000), SERIN_OK);
    ck_assert_str_eq(answer, "ok");
    atomic_store(&asking, false);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(serin_control_ask(path, "status", answer, sizeof answer, 100),
                     SERIN_ERR_TIMEOUT);

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(serin_control_ask(path, longest, answer, sizeof answer, 100),
                     SERIN_ERR_TOO_LARGE);
    (void)snprintf(absent, sizeof absent, "%s.absent", path);
    ck_assert_int_eq(serin_control_ask(absent, "status", answer, sizeof answer, 100),
                     SERIN_ERR_NOT_FOUND);
}
END_TEST

/* ---- the socket without the agent's words ---- */

#define LONG_ANSWER_MAX 60000u

/* Answers as many letters as the line says. */
static void letters(void *ctx, pid_t pid, const char *line, char *answer, size_t capacity)
{
    (void)ctx;
    (void)pid;
    size_t size = (size_t)strtoul(line, NULL, 10);
    size = size < capacity ? size : capacity - 1;
    memset(answer, 'a', size);
    answer[size] = '\0';
}

static struct serin_control *agents;

/* The fixture's socket makes way for one that knows no words and keeps nobody. */
static void setup_letters(void)
{
    static const struct serin_control_ops letters_ops = {.answer = letters};
    setup();
    agents = control;
    (void)snprintf(path, sizeof path, "%s/letters", folder);
    ck_assert_int_eq(serin_control_open(&control, path, LONG_ANSWER_MAX, &letters_ops, NULL),
                     SERIN_OK);
}

static void teardown_letters(void)
{
    serin_control_close(agents);
    teardown();
}

/* Answers go whole up to the size that the owner chose, and are cut there. */
START_TEST(long_answers_go_whole)
{
    static const struct {
        const char *line;
        size_t size;
    } cases[] = {{"0", 0}, {"1", 1}, {"59998", 59998}, {"59999", 59998}, {"65000", 59998}};
    static char answer[LONG_ANSWER_MAX];
    pthread_t thread;
    atomic_store(&asking, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, server, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(serin_control_ask(path, cases[i].line, answer, sizeof answer, 5000),
                         SERIN_OK);
        ck_assert_uint_eq(strlen(answer), cases[i].size);
    }
    char small[16];
    ck_assert_int_eq(serin_control_ask(path, "16", small, sizeof small, 5000), SERIN_ERR_IO);
    ck_assert_int_eq(serin_control_ask(path, "15", small, sizeof small, 5000), SERIN_OK);
    atomic_store(&asking, false);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(nobody_is_kept_where_the_owner_keeps_none)
{
    int fds[SERIN_CONTROL_CLIENTS_MAX + 1];
    for (size_t i = 0; i <= SERIN_CONTROL_CLIENTS_MAX; i++) {
        fds[i] = client();
        serve_at(100 + i);
    }
    ck_assert_str_eq(heard(fds[0]), "<closed>");
    ck_assert_str_eq(heard(fds[1]), "");
    for (size_t i = 0; i <= SERIN_CONTROL_CLIENTS_MAX; i++) {
        (void)close(fds[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tests = tcase_create("control");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, requests_are_answered);
    tcase_add_test(tests, errors_are_counted);
    tcase_add_test(tests, errors_are_named);
    tcase_add_loop_test(tests, garbage_is_answered_and_does_nothing, 0,
                        (int)(sizeof garbage / sizeof *garbage));
    tcase_add_test(tests, zero_bytes_do_not_hide_anything);
    tcase_add_test(tests, torn_and_joined_lines_are_put_right);
    tcase_add_test(tests, longest_line_is_taken_longer_is_refused);
    tcase_add_test(tests, greedy_client_is_dropped);
    tcase_add_test(tests, clients_come_and_go);
    tcase_add_test(tests, idle_clients_make_room);
    tcase_add_test(tests, application_keeps_its_place);
    tcase_add_test(tests, hanging_up_forgets_what_was_said);
    tcase_add_test(tests, socket_is_private_and_single);
    tcase_add_test(tests, stale_socket_is_replaced_other_files_are_not);
    tcase_add_test(tests, asking_gets_the_answer);
    suite_add_tcase(suite, tests);
    TCase *bare = tcase_create("bare");
    tcase_set_timeout(bare, 30);
    tcase_add_checked_fixture(bare, setup_letters, teardown_letters);
    tcase_add_test(bare, long_answers_go_whole);
    tcase_add_test(bare, nobody_is_kept_where_the_owner_keeps_none);
    suite_add_tcase(suite, bare);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

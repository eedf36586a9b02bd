/*
 * Starts and stops a real Mosquitto (broker.h).
 */
#include "broker.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

uint16_t free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

void broker_folder(struct broker *broker)
{
    strcpy(broker->folder, "/tmp/serin-broker-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(broker->folder));
}

static void write_config(const struct broker *broker, const char *extra)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/mosquitto.conf", broker->folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "allow_anonymous true\npersistence false\nlog_dest file %s/log\n",
            broker->folder);
    if (getuid() == 0) {
        fprintf(file, "user root\n"); /* or it could not read the folder */
    }
    fprintf(file, "%s\nlistener %u 127.0.0.1\n", extra != NULL ? extra : "", broker->port);
    if (broker->tls_port != 0) {
        fprintf(file,
                "listener %u 127.0.0.1\ncafile %s/ca.pem\ncertfile %s/broker.pem\n"
                "keyfile %s/broker.key\nrequire_certificate true\n",
                broker->tls_port, broker->folder, broker->folder, broker->folder);
    }
    ck_assert_int_eq(fclose(file), 0);
}

static bool listens(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return connected;
}

static void wait_listening(const struct broker *broker)
{
    const struct timespec moment = {.tv_nsec = 20000000};

    for (int i = 0; i < 500; i++) {
        int status = 0;
        if (listens(broker->port) && (broker->tls_port == 0 || listens(broker->tls_port))) {
            return;
        }
        if (waitpid(broker->pid, &status, WNOHANG) == broker->pid) {
            ck_abort_msg("mosquitto ended with status %d; its log is in %s", status,
                         broker->folder);
        }
        nanosleep(&moment, NULL);
    }
    ck_abort_msg("mosquitto does not listen on port %u", broker->port);
}

void broker_start(struct broker *broker, bool tls, const char *extra)
{
    char path[128];

    if (broker->port == 0) {
        broker->port = free_port();
        broker->tls_port = tls ? free_port() : 0;
    }
    write_config(broker, extra);
    snprintf(path, sizeof(path), "%s/mosquitto.conf", broker->folder);
    broker->pid = fork();
    ck_assert_int_ge(broker->pid, 0);
    if (broker->pid == 0) {
        /* Debian keeps it in sbin, which is not on everyone's path. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin", 1);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("mosquitto", "mosquitto", "-c", path, (char *)NULL);
        _exit(127);
    }
    wait_listening(broker);
}

void broker_kill(struct broker *broker)
{
    if (broker->pid > 0) {
        kill(broker->pid, SIGKILL);
        while (waitpid(broker->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        broker->pid = 0;
    }
}

void broker_end(struct broker *broker)
{
    char command[160];

    broker_kill(broker);
    snprintf(command, sizeof(command), "rm -rf '%s'", broker->folder);
    ck_assert_int_eq(system(command), 0);
}

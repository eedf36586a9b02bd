/*
 * linkcut: a TCP relay on loopback that cuts the link once, at a chosen number of bytes, and for a
 * chosen time.
 *
 *   linkcut LISTEN_PORT TARGET_PORT CUT_BYTES OUTAGE_MS
 *
 * A CUT_BYTES of 0 never cuts. After each connection it says "relayed N bytes": all from the target
 * to the client so far.
 *
 * After CUT_BYTES from the target to the client it resets the connection in the middle of whatever
 * was on its way, refuses new ones for OUTAGE_MS, and then relays freely. It says "cut after N
 * bytes" and "restored" on stdout, so that a test can prove that its fault happened. One client at
 * a time: a device has one connection.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_SIZE 16384u

struct relay {
    uint16_t listen_port, target_port;
    uint64_t cut_bytes, seen_bytes;
    uint32_t outage_ms;
    bool has_cut;
};

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return address;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4) != 0) {
        perror("linkcut: listen");
        exit(1);
    }
    return fd;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done <= 0) {
            return false;
        }
        data += done;
        size -= (size_t)done;
    }
    return true;
}

/* Closes with a reset: what was queued is lost, as on a link that goes away. */
static void reset_close(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* Relays one chunk from `from` to `to`; false ends the connection. */
static bool relay_chunk(struct relay *relay, int from, int to, bool downstream)
{
    char buffer[BUFFER_SIZE];
    ssize_t got = read(from, buffer, sizeof buffer);
    if (got <= 0) {
        return false;
    }
    size_t size = (size_t)got;
    if (downstream && relay->cut_bytes > 0 && !relay->has_cut &&
        relay->seen_bytes + size >= relay->cut_bytes) {
        size = (size_t)(relay->cut_bytes - relay->seen_bytes);
        (void)!write_all(to, buffer, size);
        relay->seen_bytes += size;
        relay->has_cut = true;
        return false;
    }
    if (downstream) {
        relay->seen_bytes += size;
    }
    return write_all(to, buffer, size);
}

static void serve(struct relay *relay, int client)
{
    struct sockaddr_in address = loopback(relay->target_port);
    int target = socket(AF_INET, SOCK_STREAM, 0);
    if (target < 0 || connect(target, (struct sockaddr *)&address, sizeof address) != 0) {
        close(client);
        if (target >= 0) {
            close(target);
        }
        return;
    }
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = target, .events = POLLIN}};
    bool open = true;
    while (open && poll(fds, 2, -1) > 0) {
        if (fds[0].revents != 0) {
            open = relay_chunk(relay, client, target, false);
        }
        if (open && fds[1].revents != 0) {
            open = relay_chunk(relay, target, client, true);
        }
    }
    reset_close(client);
    reset_close(target);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: linkcut LISTEN_PORT TARGET_PORT CUT_BYTES OUTAGE_MS\n");
        return 2;
    }
    struct relay relay = {.listen_port = (uint16_t)atoi(argv[1]),
                          .target_port = (uint16_t)atoi(argv[2]),
                          .cut_bytes = strtoull(argv[3], NULL, 10),
                          .outage_ms = (uint32_t)atoi(argv[4])};
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a side that goes away in a write ends its connection, not the relay */
    int listener = listen_on(relay.listen_port);
    bool told = false;
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0 && errno != EINTR) {
            perror("linkcut: accept");
            return 1;
        }
        if (client >= 0) {
            serve(&relay, client);
            printf("relayed %llu bytes\n", (unsigned long long)relay.seen_bytes);
        }
        if (relay.has_cut && !told) {
            told = true;
            printf("cut after %llu bytes\n", (unsigned long long)relay.seen_bytes);
            close(listener);
            struct timespec outage = {.tv_sec = relay.outage_ms / 1000,
                                      .tv_nsec = (long)(relay.outage_ms % 1000) * 1000000};
            nanosleep(&outage, NULL);
            listener = listen_on(relay.listen_port);
            printf("restored\n");
        }
    }
}

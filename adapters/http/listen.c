/* Listening on a loopback address (listen.h). */
#define _GNU_SOURCE
#include "listen.h"

#include <serin/adapters/http.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
};

/* Reads the decimal port after the colon. */
static bool read_port(const char *text, in_port_t *port)
{
    char *end = NULL;
    if (*text < '0' || *text > '9') {
        return false;
    }
    unsigned long value = strtoul(text, &end, 10);
    *port = htons((uint16_t)value);
    return *end == '\0' && value <= 65535;
}

/* Splits "host:port" or "[host]:port" and reads both; only 127.0.0.0/8 and ::1 will do. */
static bool read_loopback(const char *text, union address *address, socklen_t *size)
{
    const char *colon = strrchr(text, ':');
    char host[48];
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    size_t host_size = (size_t)(colon - text);
    bool bracketed = host_size >= 2 && text[0] == '[' && text[host_size - 1] == ']';
    (void)snprintf(host, sizeof host, "%.*s", (int)(bracketed ? host_size - 2 : host_size),
                   text + (bracketed ? 1 : 0));
    memset(address, 0, sizeof *address);
    if (bracketed) {
        address->v6.sin6_family = AF_INET6;
        *size = sizeof address->v6;
        return inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1 &&
               IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr) &&
               read_port(colon + 1, &address->v6.sin6_port);
    }
    address->v4.sin_family = AF_INET;
    *size = sizeof address->v4;
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1 &&
           ntohl(address->v4.sin_addr.s_addr) >> 24 == 127 &&
           read_port(colon + 1, &address->v4.sin_port);
}

static void write_address(const union address *address, char text[SERIN_HTTP_ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        (void)snprintf(text, SERIN_HTTP_ADDRESS_SIZE, "[%s]:%u", host,
                       ntohs(address->v6.sin6_port));
    } else {
        (void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        (void)snprintf(text, SERIN_HTTP_ADDRESS_SIZE, "%s:%u", host, ntohs(address->v4.sin_port));
    }
}

enum serin_error serin_http_listen(const char *text, int *socket_out,
                                   char address[SERIN_HTTP_ADDRESS_SIZE], char *why,
                                   size_t why_size)
{
    union address wanted;
    socklen_t size = 0;
    if (!read_loopback(text, &wanted, &size)) {
        (void)snprintf(why, why_size,
                       "'%s' is no loopback address with a port, such as 127.0.0.1:8470", text);
        return SERIN_ERR_CONFIG;
    }
    int on = 1;
    int fd = socket(wanted.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, &wanted.any, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &wanted.any, &size) != 0) {
        (void)snprintf(why, why_size, "cannot listen on %s: %s%s", text, strerror(errno),
                       errno == EADDRINUSE ? " (is another serind running?)" : "");
        if (fd >= 0) {
            (void)close(fd);
        }
        return SERIN_ERR_NETWORK;
    }
    write_address(&wanted, address);
    *socket_out = fd;
    return SERIN_OK;
}

bool serin_http_listen_valid(const char *listen)
{
    union address address;
    socklen_t size = 0;
    return listen != NULL && read_loopback(listen, &address, &size);
}

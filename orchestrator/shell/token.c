/* The API's token file (start.h). */
#define _POSIX_C_SOURCE 200809L
#include "start.h"

#include <serin/adapters/log.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_BYTES 32u

/* Writes a new token; the file must not be there. */
static enum serin_error make(const struct serin_crypto *crypto, const char *path)
{
    uint8_t random[TOKEN_BYTES];
    char text[2 * TOKEN_BYTES + 2];
    enum serin_error error = crypto->ops->random(crypto->ctx, random, sizeof random);
    if (error != SERIN_OK) {
        return error;
    }
    serin_hex_encode(random, sizeof random, text);
    text[sizeof text - 2] = '\n';
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        return SERIN_ERR_IO;
    }
    bool sound =
        write(file, text, sizeof text - 1) == (ssize_t)(sizeof text - 1) && fsync(file) == 0;
    if (close(file) != 0 || !sound) {
        (void)unlink(path);
        return SERIN_ERR_IO;
    }
    serin_log(SERIN_LOG_INFO, "made the API's token file=%s", path);
    return SERIN_OK;
}

static enum serin_error read_token(int file, char token[SERIN_HTTP_TOKEN_MAX + 1])
{
    struct stat status;
    if (fstat(file, &status) != 0) {
        return SERIN_ERR_IO;
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return SERIN_ERR_DENIED;
    }
    char text[SERIN_HTTP_TOKEN_MAX + 2];
    ssize_t size = read(file, text, sizeof text - 1);
    if (size < 0) {
        return SERIN_ERR_IO;
    }
    text[size] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return serin_text_copy(token, SERIN_HTTP_TOKEN_MAX + 1, text) == SERIN_OK ? SERIN_OK
                                                                              : SERIN_ERR_FORMAT;
}

enum serin_error serind_token(const struct serin_crypto *crypto, const char *path,
                              char token[SERIN_HTTP_TOKEN_MAX + 1])
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) {
        enum serin_error error = make(crypto, path);
        if (error != SERIN_OK) {
            return error;
        }
        file = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (file < 0) {
        return SERIN_ERR_IO;
    }
    enum serin_error error = read_token(file, token);
    (void)close(file);
    return error;
}

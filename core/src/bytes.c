/* Comparison, hexadecimal text and bounded copies of serin/bytes.h. */
#include <serin/bytes.h>

#include <string.h>

bool serin_bytes_all(const uint8_t *p, size_t size, uint8_t value)
{
    /* Each byte is the one before it: the library compares words at a time. */
    return size == 0 || (p[0] == value && memcmp(p, p + 1, size - 1) == 0);
}

bool serin_bytes_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    }
    return difference == 0;
}

void serin_hex_encode(const uint8_t *bytes, size_t size, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 0x0f];
    }
    text[2 * size] = '\0';
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

enum serin_error serin_hex_decode(const char *text, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = digit_value(text[2 * i]);
        if (high < 0) {
            return SERIN_ERR_FORMAT; /* also stops at an early terminator */
        }
        int low = digit_value(text[2 * i + 1]);
        if (low < 0) {
            return SERIN_ERR_FORMAT;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * size] == '\0' ? SERIN_OK : SERIN_ERR_FORMAT;
}

enum serin_error serin_text_copy(char *out, size_t capacity, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > capacity) {
        if (capacity > 0) {
            out[0] = '\0';
        }
        return SERIN_ERR_TOO_LARGE;
    }
    memcpy(out, text, size);
    return SERIN_OK;
}

enum serin_error serin_field_get(const uint8_t *field, size_t size, char *out)
{
    size_t length = 0;
    while (length < size && field[length] != 0) {
        length++;
    }
    memcpy(out, field, length);
    out[length] = '\0';
    return serin_bytes_all(field + length, size - length, 0) ? SERIN_OK : SERIN_ERR_RESERVED;
}

enum serin_error serin_field_put(uint8_t *field, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length > size) {
        return SERIN_ERR_TOO_LARGE;
    }
    for (size_t i = 0; i < size; i++) {
        field[i] = i < length ? (uint8_t)text[i] : 0;
    }
    return SERIN_OK;
}

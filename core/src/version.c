/* Firmware versions: their order and their text. */
#include <serin/manifest.h>

static int compare(uint16_t a, uint16_t b)
{
    return a < b ? -1 : a > b;
}

int serin_version_compare(struct serin_version a, struct serin_version b)
{
    if (a.major != b.major) {
        return compare(a.major, b.major);
    }
    return a.minor != b.minor ? compare(a.minor, b.minor) : compare(a.patch, b.patch);
}

/* Reads a decimal number without leading zeros at *text and moves *text behind it. */
static bool take_number(const char **text, uint16_t *number)
{
    const char *at = *text;
    uint32_t value = 0;
    if (at[0] == '0' && at[1] >= '0' && at[1] <= '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (uint32_t)(*at - '0');
        if (value > UINT16_MAX) {
            return false;
        }
    }
    bool any = at != *text;
    *text = at;
    *number = (uint16_t)value;
    return any;
}

enum serin_error serin_version_parse(const char *text, struct serin_version *version)
{
    bool good = take_number(&text, &version->major) && *text++ == '.' &&
                take_number(&text, &version->minor) && *text++ == '.' &&
                take_number(&text, &version->patch) && *text == '\0';
    return good ? SERIN_OK : SERIN_ERR_FORMAT;
}

static char *put_number(char *at, uint16_t number)
{
    char digits[5];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number = (uint16_t)(number / 10);
    } while (number > 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

void serin_version_format(struct serin_version version, char text[SERIN_VERSION_TEXT_SIZE])
{
    text = put_number(text, version.major);
    *text++ = '.';
    text = put_number(text, version.minor);
    *text++ = '.';
    text = put_number(text, version.patch);
    *text = '\0';
}

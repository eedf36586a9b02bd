/*
 * Reads the values of options (serin/cli/values.h).
 */
#include <serin/assert.h>
#include <serin/cli/values.h>
#include <serin/states.h>

#include <stdio.h>
#include <string.h>

#define REASON_MAX 160u

static bool digit_value(char digit, unsigned base, unsigned *value)
{
    if (digit >= '0' && digit <= '9') {
        *value = (unsigned)(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
        *value = (unsigned)(digit - 'a') + 10;
    } else if (digit >= 'A' && digit <= 'F') {
        *value = (unsigned)(digit - 'A') + 10;
    } else {
        return false;
    }
    return *value < base;
}

/* Reads digits up to the first other character, which *end tells. False: no digit, or an overflow.
 */
static bool read_digits(const char *text, unsigned base, uint64_t *number, const char **end)
{
    unsigned value = 0;

    *number = 0;
    *end = text;
    while (digit_value(**end, base, &value)) {
        if (*number > (UINT64_MAX - value) / base) {
            return false;
        }
        *number = *number * base + value;
        (*end)++;
    }
    return *end != text;
}

bool serin_cli_parse_number(const char *text, uint64_t *number)
{
    const char *end = NULL;
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

    return read_digits(hexadecimal ? text + 2 : text, hexadecimal ? 16 : 10, number, &end) &&
           *end == '\0';
}

bool serin_cli_parse_duration(const char *text, uint64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    const char *end = NULL;

    if (!read_digits(text, 10, ms, &end)) {
        return false;
    }
    if (*end == '\0') {
        return *ms == 0;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            bool fits = *ms <= UINT64_MAX / units[i].ms;
            *ms = fits ? *ms * units[i].ms : 0;
            return fits;
        }
    }
    return false;
}

static bool parse_hardware(const char *text, struct serin_cli_value *value)
{
    const char *end = NULL;
    uint64_t low = 0;
    uint64_t high = 0;

    if (!read_digits(text, 10, &low, &end)) {
        return false;
    }
    high = low;
    if (*end == '-' && !read_digits(end + 1, 10, &high, &end)) {
        return false;
    }
    if (*end != '\0' || low < 1 || low > high || high > UINT16_MAX) {
        return false;
    }
    value->hw_min = (uint16_t)low;
    value->hw_max = (uint16_t)high;
    return true;
}

bool serin_cli_next_name(const char **text, const char **name, size_t *size)
{
    if (*text == NULL) {
        return false;
    }
    *name = *text;
    *size = strcspn(*text, ",");
    *text = (*text)[*size] == ',' ? *text + *size + 1 : NULL;
    return true;
}

static bool parse_channels(const char *text, struct serin_cli_value *value)
{
    const char *name = NULL;
    size_t size = 0;

    value->channel_count = 0;
    while (serin_cli_next_name(&text, &name, &size)) {
        if (!serin_channel_valid(name, size) || value->channel_count == SERIN_CLI_CHANNELS_MAX) {
            return false;
        }
        for (size_t i = 0; i < value->channel_count; i++) {
            if (strlen(value->channels[i]) == size && memcmp(value->channels[i], name, size) == 0) {
                return false;
            }
        }
        memcpy(value->channels[value->channel_count], name, size);
        value->channels[value->channel_count][size] = '\0';
        value->channel_count++;
    }
    return true;
}

static bool ids_valid(const char *text)
{
    const char *name = NULL;
    size_t size = 0;

    while (serin_cli_next_name(&text, &name, &size)) {
        if (!serin_id_valid(name, size)) {
            return false;
        }
    }
    return true;
}

static bool parse_ram(const char *text, struct serin_cli_value *value)
{
    value->number = strcmp(text, "8k") == 0 ? 8 : 16;
    return value->number == 8 || strcmp(text, "16k") == 0;
}

static bool parse_slots(const char *text, struct serin_cli_value *value)
{
    static const struct {
        const char *text;
        uint64_t mask;
    } masks[] = {{"a", SERIN_SLOT_MASK_A},
                 {"b", SERIN_SLOT_MASK_B},
                 {"ab", SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B}};

    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        if (strcmp(text, masks[i].text) == 0) {
            value->number = masks[i].mask;
            return true;
        }
    }
    return false;
}

static bool state_known(const char *text)
{
    for (unsigned state = SERIN_STATE_INVALID + 1; state < SERIN_STATE_COUNT; state++) {
        if (strcmp(text, serin_state_text((enum serin_state)state)) == 0) {
            return true;
        }
    }
    return false;
}

static bool enrolment_known(const char *text)
{
    return strcmp(text, "pending") == 0 || strcmp(text, "enrolled") == 0 ||
           strcmp(text, "refused") == 0;
}

static bool reason_valid(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return size >= 1 && size <= REASON_MAX;
}

static bool append_file(const char *text, struct serin_cli_value *value)
{
    if (text[0] == '\0' || value->text_count == SERIN_CLI_LIST_MAX) {
        return false;
    }
    value->texts[value->text_count++] = text;
    return true;
}

#define STATE_WORD(number, name, text) " " text

/* What the help and the complaints say of a kind. */
static const char *const expectations[] = {
    [SERIN_CLI_FLAG] = "no value",
    [SERIN_CLI_TEXT] = "a text",
    [SERIN_CLI_FILE] = "a file",
    [SERIN_CLI_FILES] = "one or more files (at most 64)",
    [SERIN_CLI_VERSION] = "a version such as 1.2.3",
    [SERIN_CLI_HARDWARE] = "a hardware revision or a range of them, such as 2 or 1-3 (1 to 65535)",
    [SERIN_CLI_NAME] = "a name of 1 to 32 of A-Z a-z 0-9 _ -",
    [SERIN_CLI_CHANNELS] = "1 to 4 different channels such as stable,beta",
    [SERIN_CLI_IDS] = "ids such as sensor-1,sensor-2 (each 1 to 64 of A-Z a-z 0-9 _ -)",
    [SERIN_CLI_ID] = "an id of 1 to 64 of A-Z a-z 0-9 _ -",
    [SERIN_CLI_SLOTS] = "a, b or ab",
    [SERIN_CLI_STATE] = "a state of devices, one of" SERIN_STATE_LIST(STATE_WORD),
    [SERIN_CLI_ENROLMENT] = "pending, enrolled or refused",
    [SERIN_CLI_RAM] = "8k or 16k",
    [SERIN_CLI_REASON] = "one line of 1 to 160 characters",
};

/* A bound in its largest whole unit. */
static void format_bound(uint64_t ms, char *out, size_t size)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'d', 86400000}, {'h', 3600000}, {'m', 60000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            (void)snprintf(out, size, "%llu%c", (unsigned long long)(ms / units[i].ms),
                           units[i].unit);
            return;
        }
    }
    (void)snprintf(out, size, "%llus", (unsigned long long)ms / 1000);
}

static void tell_expected(enum serin_cli_kind kind, uint64_t min, uint64_t max, char *out,
                          size_t size)
{
    if (kind == SERIN_CLI_NUMBER) {
        (void)snprintf(out, size, "a number from %llu to %llu", (unsigned long long)min,
                       (unsigned long long)max);
    } else if (kind == SERIN_CLI_DURATION) {
        char least[32];
        char most[32];
        format_bound(min, least, sizeof(least));
        format_bound(max, most, sizeof(most));
        (void)snprintf(out, size, "a duration from %s to %s, such as 60s or 5m", least, most);
    } else {
        (void)snprintf(out, size, "%s", expectations[kind]);
    }
}

static bool parse(enum serin_cli_kind kind, uint64_t min, uint64_t max, const char *text,
                  struct serin_cli_value *value)
{
    switch (kind) {
    case SERIN_CLI_TEXT:
    case SERIN_CLI_FILE:
        return text[0] != '\0';
    case SERIN_CLI_FILES:
        return append_file(text, value);
    case SERIN_CLI_NUMBER:
        return serin_cli_parse_number(text, &value->number) && value->number >= min &&
               value->number <= max;
    case SERIN_CLI_DURATION:
        return serin_cli_parse_duration(text, &value->number) && value->number >= min &&
               value->number <= max;
    case SERIN_CLI_VERSION:
        return serin_version_parse(text, &value->version) == SERIN_OK;
    case SERIN_CLI_HARDWARE:
        return parse_hardware(text, value);
    case SERIN_CLI_NAME:
        return serin_product_valid(text, strlen(text));
    case SERIN_CLI_CHANNELS:
        return parse_channels(text, value);
    case SERIN_CLI_IDS:
        return ids_valid(text);
    case SERIN_CLI_ID:
        return serin_id_valid(text, strlen(text));
    case SERIN_CLI_SLOTS:
        return parse_slots(text, value);
    case SERIN_CLI_STATE:
        return state_known(text);
    case SERIN_CLI_ENROLMENT:
        return enrolment_known(text);
    case SERIN_CLI_RAM:
        return parse_ram(text, value);
    case SERIN_CLI_REASON:
        return reason_valid(text);
    case SERIN_CLI_FLAG:
        break;
    }
    SERIN_ASSERT(false);
    return false;
}

bool serin_cli_value_parse(enum serin_cli_kind kind, uint64_t min, uint64_t max, const char *text,
                           struct serin_cli_value *value, char *expected, size_t expected_size)
{
    value->text = text;
    if (parse(kind, min, max, text, value)) {
        return true;
    }
    tell_expected(kind, min, max, expected, expected_size);
    return false;
}

/* Values that stand in several parts of a policy (policy_parts.h). */
#include "policy_parts.h"

#include <stdio.h>

#define SECOND_MS UINT64_C(1000)
#define DECIMALS  2u

void serin_percent_format(uint32_t permyriad, char text[SERIN_PERCENT_SIZE])
{
    uint32_t cents = permyriad % 100;
    if (cents == 0) {
        (void)snprintf(text, SERIN_PERCENT_SIZE, "%u", permyriad / 100);
    } else if (cents % 10 == 0) {
        (void)snprintf(text, SERIN_PERCENT_SIZE, "%u.%u", permyriad / 100, cents / 10);
    } else {
        (void)snprintf(text, SERIN_PERCENT_SIZE, "%u.%02u", permyriad / 100, cents);
    }
}

enum serin_error policy_percent(const struct policy_reader *reader, const char *field,
                                const char *text, uint32_t min, uint32_t max, uint32_t *permyriad)
{
    uint32_t value = 0;
    if (text == NULL) {
        return SERIN_OK;
    }
    if (!serin_percent_parse(text, DECIMALS, &value) || value < min || value > max) {
        char low[SERIN_PERCENT_SIZE], high[SERIN_PERCENT_SIZE];
        serin_percent_format(min, low);
        serin_percent_format(max, high);
        return serin_yaml_fail(reader->file->document, reader->error, field,
                               "must be from %s to %s, with at most two decimals, not '%s'", low,
                               high, text);
    }
    *permyriad = value;
    return SERIN_OK;
}

enum serin_error policy_seconds(const struct policy_reader *reader, const char *field,
                                const char *text, uint64_t min_ms, uint64_t max_ms,
                                uint32_t *seconds)
{
    uint64_t ms = *seconds * SECOND_MS;
    enum serin_error error = serin_yaml_duration(reader->file->document, field, text, min_ms,
                                                 max_ms, &ms, reader->error);
    if (error != SERIN_OK) {
        return error;
    }
    if (ms % SECOND_MS != 0) {
        return serin_yaml_fail(reader->file->document, reader->error, field,
                               "must be whole seconds");
    }
    *seconds = (uint32_t)(ms / SECOND_MS);
    return SERIN_OK;
}

enum serin_error policy_number(const struct policy_reader *reader, const char *field,
                               const char *text, uint32_t min, uint32_t max, uint32_t *number)
{
    uint64_t value = *number;
    enum serin_error error =
        serin_yaml_number(reader->file->document, field, text, min, max, &value, reader->error);
    *number = (uint32_t)value;
    return error;
}

/* A rollout through its record and back (stored_rollout.h). */
#include <serin/adapters/stored_rollout.h>

#include "record.h"

enum serin_error serin_stored_rollout(struct serin_rollout *rollout)
{
    static const struct record_key key = {.size = 1, .bytes = "r"};
    union record_value value = {.rollout = *rollout};
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    enum serin_error error = record_encode(RECORD_ROLLOUT, &key, &value, bytes, &size);
    if (error == SERIN_OK) {
        error = record_decode(RECORD_ROLLOUT, key.bytes, key.size, bytes, size, &value);
    }
    if (error == SERIN_OK) {
        *rollout = value.rollout;
    }
    return error;
}

/* Texts and names of errors, both from the one list of serin/error.h. */
#include <serin/error.h>

#include <stddef.h>

struct error_row {
    const char *name;
    const char *text;
};

static const struct error_row rows[SERIN_ERROR_COUNT] = {
#define SERIN_ERROR_ROW(error, sentence) [SERIN_ERR_##error] = {.name = #error, .text = (sentence)},
    SERIN_ERROR_LIST(SERIN_ERROR_ROW)
#undef SERIN_ERROR_ROW
};

static const struct error_row unknown = {.name = "UNKNOWN", .text = "unknown error"};

static const struct error_row *row_of(enum serin_error error)
{
    return (size_t)error < SERIN_ERROR_COUNT ? &rows[error] : &unknown;
}

const char *serin_error_text(enum serin_error error)
{
    return row_of(error)->text;
}

const char *serin_error_name(enum serin_error error)
{
    return row_of(error)->name;
}

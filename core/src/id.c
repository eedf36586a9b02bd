/* Names on the wire: one alphabet, two lengths; and roles of certificates. */
#include <serin/id.h>

#include <stdint.h>
#include <string.h>

/* Not isalnum(): the alphabet must not depend on a locale. */
static bool in_alphabet(char c)
{
    unsigned code = (unsigned char)c;
    return (code | 0x20u) - 'a' < 26 || code - '0' < 10 || c == '-' || c == '_';
}

static bool name_valid(const char *text, size_t size, size_t max)
{
    if (size == 0 || size > max) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!in_alphabet(text[i])) {
            return false;
        }
    }
    return true;
}

bool serin_id_valid(const char *text, size_t size)
{
    return name_valid(text, size, SERIN_ID_MAX);
}

bool serin_product_valid(const char *text, size_t size)
{
    return name_valid(text, size, SERIN_PRODUCT_MAX);
}

bool serin_channel_valid(const char *text, size_t size)
{
    return name_valid(text, size, SERIN_CHANNEL_MAX);
}

bool serin_product_held(const char product[SERIN_PRODUCT_MAX + 1])
{
    size_t size = 0;
    while (size < SERIN_PRODUCT_MAX && in_alphabet(product[size])) {
        size++;
    }
    return size > 0 && product[size] == '\0';
}

static const char *const role_texts[] = {
    [SERIN_ROLE_INVALID] = "invalid",
    [SERIN_ROLE_DEVICE] = "device",
    [SERIN_ROLE_GATEWAY] = "gateway",
    [SERIN_ROLE_SERIND] = "serind",
};
#define ROLE_COUNT (sizeof role_texts / sizeof role_texts[0])

enum serin_role serin_role_from_text(const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return SERIN_ROLE_DEVICE;
    }
    for (size_t role = SERIN_ROLE_DEVICE; role < ROLE_COUNT; role++) {
        if (strcmp(text, role_texts[role]) == 0) {
            return (enum serin_role)role;
        }
    }
    return SERIN_ROLE_INVALID;
}

const char *serin_role_text(enum serin_role role)
{
    return role_texts[(size_t)role < ROLE_COUNT ? (size_t)role : SERIN_ROLE_INVALID];
}

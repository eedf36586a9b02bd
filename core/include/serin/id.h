/*
 * Names on the wire (docs/spec/topics.md, section 2): device and gateway ids, products and
 * channels.
 */
#ifndef SERIN_ID_H
#define SERIN_ID_H

#include <stdbool.h>
#include <stddef.h>

/* Most characters: of a device or gateway id [A-Za-z0-9_-]{1,64}; of a product, vendor, component
 * or channel [A-Za-z0-9_-]{1,32}. */
#define SERIN_ID_MAX      64u
#define SERIN_PRODUCT_MAX 32u
#define SERIN_CHANNEL_MAX 32u

/* What an identity may do; a certificate's OU names it (none means device). */
enum serin_role { SERIN_ROLE_INVALID, SERIN_ROLE_DEVICE, SERIN_ROLE_GATEWAY, SERIN_ROLE_SERIND };

/* Whether `text` of `size` characters (no terminator needed) is one of the names above. */
bool serin_id_valid(const char *text, size_t size);
bool serin_product_valid(const char *text, size_t size);
bool serin_channel_valid(const char *text, size_t size);

/* Whether a struct holds one of them, with its terminator. */
bool serin_product_held(const char product[SERIN_PRODUCT_MAX + 1]);

/* The role that the OU `text` names: "device", "gateway", "serind"; NULL or "" means device; else
 * INVALID. */
enum serin_role serin_role_from_text(const char *text);
const char *serin_role_text(enum serin_role role);

#endif

/* All that core/ and device/ take from a C library, beside headers of the compiler: a board brings
 * these, whatever library it has. */
#ifndef SERIN_TESTS_MCU_STRING_H
#define SERIN_TESTS_MCU_STRING_H

#include <stddef.h>

void *memchr(const void *bytes, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int strcmp(const char *a, const char *b);
size_t strcspn(const char *text, const char *stops);
size_t strlen(const char *text);
int strncmp(const char *a, const char *b, size_t size);

#endif

/* The functions of string.h that both programs need, small. */
#include <string.h>

#define KEPT __attribute__((used, optimize("no-tree-loop-distribute-patterns")))

KEPT void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    while (size-- > 0) {
        *t++ = *f++;
    }
    return to;
}

KEPT void *memset(void *to, int value, size_t size)
{
    unsigned char *t = to;
    while (size-- > 0) {
        *t++ = (unsigned char)value;
    }
    return to;
}

KEPT int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (; size > 0; size--, left++, right++) {
        if (*left != *right) {
            return *left - *right;
        }
    }
    return 0;
}

KEPT void *memchr(const void *from, int value, size_t size)
{
    const unsigned char *f = from;
    for (; size > 0; size--, f++) {
        if (*f == (unsigned char)value) {
            return (void *)(unsigned long)f;
        }
    }
    return 0;
}

KEPT int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

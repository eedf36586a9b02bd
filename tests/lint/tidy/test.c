/* Planted faults for lint.tidy.planted that the cheap checks find in tests. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

int seen(int *count);

void the_semicolon(int *count, int wanted)
{
    if (*count == wanted)
        ; /* names bugprone-suspicious-semicolon */
    (void)seen(count);
}

void the_same_twice(int a, int b, int *count)
{
    if (a < b && a < b) { /* names misc-redundant-expression */
        (void)seen(count);
    }
}

void without_end(int wanted)
{
    int i = 0;
    while (i < wanted) { /* names bugprone-infinite-loop */
    }
}

void never_told(char *text, const char *other)
{
    if (strcmp(text, other) == 2) { /* names bugprone-suspicious-string-compare */
        text[0] = 0;
    }
}

void filled(int *numbers)
{
    memset(numbers, '0', 16); /* names bugprone-suspicious-memset-usage */
}

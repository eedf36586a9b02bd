/* Planted faults for lint.tidy.planted, each behind calls, as they are in what ships: the line that
 * bears a name must be named. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    uint8_t *bytes;
    size_t size;
};

bool opened(int number);

static size_t size_of(const struct piece *piece)
{
    return piece->size; /* names clang-analyzer-core.NullDereference */
}

size_t null_behind_calls(const struct piece *pieces, size_t count)
{
    const struct piece *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (opened((int)i)) {
            found = &pieces[i];
        }
    }
    return size_of(found);
}

/* Sets the size on one of its two ways. */
static bool measure(int number, size_t *size)
{
    if (opened(number)) {
        *size = 1;
        return true;
    }
    return number > 3;
}

size_t never_set(int number)
{
    size_t size;
    if (!measure(number, &size)) {
        return 0;
    }
    return size + 1; /* names clang-analyzer-core.UndefinedBinaryOperatorResult */
}

static void release(struct piece *piece)
{
    free(piece->bytes);
}

uint8_t used_after_release(struct piece *piece)
{
    release(piece);
    return piece->bytes[0]; /* names clang-analyzer-unix.Malloc */
}

bool kept_for_good(size_t size)
{
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return false;
    }
    if (opened((int)size)) {
        return false; /* names clang-analyzer-unix.Malloc */
    }
    free(bytes);
    return true;
}

static uint32_t share(uint32_t all, uint32_t parts)
{
    return all / parts; /* names clang-analyzer-core.DivideZero */
}

uint32_t divided(uint32_t all, uint32_t parts)
{
    return parts == 0 ? share(all, parts) : 0;
}

size_t size_of_a_size(void)
{
    return sizeof(sizeof(struct piece)); /* names bugprone-sizeof-expression */
}

uint64_t widened_too_late(uint32_t sectors)
{
    return sectors * 4096u; /* names bugprone-implicit-widening-of-multiplication-result */
}

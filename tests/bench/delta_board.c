/*
 * What the delta decoder does on an emulated Cortex-M3 (QEMU, mps2-an385): it applies the patch
 * that bench-delta.sh puts into the image beside the old and the new one, and says how many
 * instructions that took, and how deep its calls went. Under -icount shift=0 QEMU lets a nanosecond
 * pass with each instruction, so that the 25 MHz of SysTick count every fortieth.
 */
#include <serin/delta.h>

#include <string.h>

#define TICK_INSTRUCTIONS 40u
#define TICKS_MAX         0x00ffffffu
#define STACK_SIZE        4096u
#define PAINT             0xa5u

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xe000e010u)
#define SYSTICK_RELOAD  (*(volatile uint32_t *)0xe000e014u)
#define SYSTICK_VALUE   (*(volatile uint32_t *)0xe000e018u)

#define IMAGE(name, path)                                                                  \
    __asm__(".section .images, \"a\"\n.balign 4\n" #name ":\n.incbin \"" path "\"\n" #name \
            "_end:\n.previous\n");                                                         \
    extern const uint8_t name[], name##_end[]

IMAGE(old_image, SERIN_OLD);
IMAGE(new_image, SERIN_NEW);
IMAGE(patch_file, SERIN_PATCH);

static uint8_t stack[STACK_SIZE] __attribute__((aligned(8)));
static uint8_t memory[16384] __attribute__((aligned(8)));

void reset(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    stack + STACK_SIZE, (const void *)(uintptr_t)reset};

static void semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void say(const char *text)
{
    semihost(0x04, text); /* SYS_WRITE0 */
}

static void say_number(uint64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    say(at);
    say(" ");
}

/* Instructions since the last call, which is never as long ago as SysTick takes to come round. */
static uint64_t instructions(void)
{
    static uint32_t before; /* how far it had counted down */
    uint32_t last = TICKS_MAX - before;
    uint32_t now = SYSTICK_VALUE;
    uint32_t ticks = (last - now) & TICKS_MAX;
    before = TICKS_MAX - now;
    return (uint64_t)ticks * TICK_INSTRUCTIONS;
}

/* Applies the patch. False: what comes out is not the new image. */
static bool apply(struct serin_delta *delta, uint64_t *spent)
{
    const uint8_t *patch = patch_file + SERIN_DELTA_HEADER_SIZE;
    const uint8_t *made = new_image;
    for (;;) {
        enum serin_delta_want want;
        uint32_t from;
        uint32_t count;
        size_t size;
        *spent += instructions();
        if (serin_delta_run(delta, &want) != SERIN_OK) {
            return false;
        }
        if (want == SERIN_DELTA_WANT_PATCH) {
            patch += serin_delta_feed(delta, patch, (size_t)(patch_file_end - patch));
        } else if (want == SERIN_DELTA_WANT_OLD) {
            serin_delta_old_want(delta, &from, &count);
            serin_delta_old(delta, old_image + from);
        } else if (want == SERIN_DELTA_WANT_OUTPUT) {
            const uint8_t *bytes = serin_delta_output(delta, &size);
            if (memcmp(bytes, made, size) != 0) {
                return false;
            }
            made += size;
            serin_delta_written(delta);
        } else {
            return made == new_image_end;
        }
    }
}

__attribute__((noinline)) static void measure(void)
{
    struct serin_delta_header header;
    struct serin_delta *delta;
    uint64_t spent = 0;
    SYSTICK_RELOAD = TICKS_MAX;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 5; /* the processor's clock, no interrupt */
    bool applied =
        serin_delta_header_read(patch_file, &header) == SERIN_OK &&
        serin_delta_init(memory, sizeof memory, &header, UINT32_MAX, &delta) == SERIN_OK &&
        apply(delta, &spent);
    uint32_t free_size = 0;
    while (free_size < STACK_SIZE && stack[free_size] == PAINT) {
        free_size++;
    }
    if (!applied) {
        say("failed\n");
    } else {
        say_number(spent);
        say_number(header.target_size);
        say_number(serin_delta_memory(header.backend));
        say_number(STACK_SIZE - free_size);
        say("\n");
    }
}

/* The stack below the pointer is painted, to see later how much of it was used. */
void reset(void)
{
    const uint8_t *here = __builtin_frame_address(0);
    for (uint8_t *at = stack; at < here - 64; at++) {
        *(volatile uint8_t *)at = PAINT;
    }
    measure();
    semihost(0x18, (const void *)0x20026u); /* SYS_EXIT, the application's own */
    for (;;) {
    }
}

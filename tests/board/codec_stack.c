/*
 * How deep the calls of the boards' codec go: each is made once beside a painted stack, on the
 * largest payload of its kind (payloads.h, of the golden vectors), and tells by semihosting how
 * much of the paint is gone. A program of its own for an emulated mps2-an385; parts.sh builds and
 * runs it.
 */
#include <serin/ports/nanopb.h>

#include <string.h>

#include "payloads.h"

#define STACK_TOP  0x20020000u
#define STACK_SIZE 0x4000u
#define PAINT      0xa5u

/* ---- the board ---- */

enum { SEMIHOSTING_WRITE0 = 0x04, SEMIHOSTING_EXIT = 0x18, EXIT_APPLICATION = 0x20026 };

static void semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void say(const char *text)
{
    semihosting(SEMIHOSTING_WRITE0, text);
}

static void end(void)
{
    semihosting(SEMIHOSTING_EXIT, (const void *)EXIT_APPLICATION);
    for (;;) {
    }
}

static void fault(void)
{
    say("a fault\n");
    end();
}

static int run(void);
extern uint8_t bss_start[], bss_end[];

void start(void);
void start(void)
{
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    say(run() == 0 ? "done\n" : "a payload was refused\n");
    end();
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    (const void *)STACK_TOP, (const void *)start, (const void *)fault, (const void *)fault,
    (const void *)fault,     (const void *)fault, (const void *)fault};

/* ---- the stack ---- */

static uint8_t *stack_pointer(void)
{
    uint8_t *sp = NULL;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

static uint8_t *painted_to;

__attribute__((noinline)) static void paint(void)
{
    painted_to = stack_pointer();
    for (volatile uint8_t *at = (uint8_t *)(STACK_TOP - STACK_SIZE); at < painted_to - 32; at++) {
        *at = PAINT;
    }
}

/* From where the caller of paint() stood, to a few bytes. */
__attribute__((noinline)) static unsigned depth(void)
{
    const volatile uint8_t *at = (const uint8_t *)(STACK_TOP - STACK_SIZE);
    while (*at == PAINT) {
        at++;
    }
    return (unsigned)(painted_to - at);
}

static void tell(const char *what)
{
    char digits[12];
    size_t at = sizeof digits - 1;
    unsigned left = depth();
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    say(what);
    say(&digits[at]);
    say("\n");
}

/* ---- the calls ---- */

static union {
    struct serin_envelope envelope;
    struct serin_directive directive;
    struct serin_trust_payload trust_payload;
    struct serin_report report;
    struct serin_ack ack;
    struct serin_beat beat;
    struct serin_get get;
    struct serin_block block;
    struct serin_hold hold;
} value;
static uint8_t out[SERIN_REPORT_MAX];

#define DECODE(kind)                                                                          \
    paint();                                                                                  \
    failed |=                                                                                 \
        codec->decode_##kind(kind##_payload, sizeof kind##_payload, &value.kind) != SERIN_OK; \
    tell("decode " #kind " ");
#define ENCODE(kind)                                                                 \
    paint();                                                                         \
    failed |= codec->encode_##kind(&value.kind, out, sizeof out, &size) != SERIN_OK; \
    tell("encode " #kind " ");

static int run(void)
{
    const struct serin_codec *codec = serin_nanopb();
    size_t size = 0;
    int failed = 0;
    DECODE(envelope)
    DECODE(directive)
    DECODE(trust_payload)
    DECODE(ack)
    DECODE(block)
    DECODE(hold)
    DECODE(report)
    ENCODE(report)
    DECODE(beat)
    ENCODE(beat)
    DECODE(get)
    ENCODE(get)
    return failed;
}

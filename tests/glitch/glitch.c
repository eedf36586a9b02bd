/* Glitches by breakpoint, each in a child of its own (glitch.h). */
#define _GNU_SOURCE
#include "glitch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE_MAX      (96u * 1024u)
#define CHILD_MS      400 /* of processor time; a trial takes a millisecond */
#define LAST_HITS_MAX 400u
#define TRAP_FLAG     0x100
#define BREAKPOINT    0xCCu

const char *const glitch_kinds[GLITCH_KINDS] = {"skip", "take", "return", "zero"};
const char *const glitch_ends[GLITCH_ENDS] = {"refused", "good", "breach", "trap", "hang"};

struct instruction {
    uint32_t size;           /* 0: none begins here */
    uint32_t target;         /* of a conditional jump, else 0: offset in the range */
    bool jump, call, leaves; /* `leaves`: a call, or a jump that may be one at a function's end */
};

/* What parent and children share. */
struct shared {
    uint32_t hits[CODE_MAX];
    bool fired;
};

static struct {
    uint8_t *code; /* of glitch_first */
    size_t size;
    struct instruction instructions[CODE_MAX];
    struct shared *shared;
} all;

/* The glitch of this child. */
static struct {
    bool counting;
    enum glitch_kind kind;
    uint8_t *at;
    uint8_t byte;
    unsigned left; /* passes before it strikes */
    bool stepping;
    uintptr_t last;
    uint8_t *resume; /* where counting goes on, NULL: it does */
} now;

/* ---- the code ---- */

static bool starts_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static void note_instruction(size_t offset, const char *text, uint64_t first)
{
    struct instruction *instruction = &all.instructions[offset];
    instruction->size = 1; /* until the next one is seen */
    instruction->call = starts_with(text, "call");
    instruction->leaves = instruction->call || starts_with(text, "jmp");
    instruction->jump = text[0] == 'j' && !starts_with(text, "jmp");
    if (instruction->jump) {
        const char *operand = strpbrk(text, " \t");
        uint64_t target = operand == NULL ? 0 : strtoull(operand, NULL, 16);
        instruction->jump = target >= first && target < first + all.size;
        instruction->target = instruction->jump ? (uint32_t)(target - first) : 0;
    }
}

static bool read_listing(FILE *listing, uint64_t first)
{
    char line[512];
    size_t last = SIZE_MAX;
    while (fgets(line, sizeof line, listing) != NULL) {
        char *end;
        uint64_t address = strtoull(line, &end, 16);
        if (line[0] != ' ' || *end != ':' || address < first || address > first + all.size) {
            continue;
        }
        size_t offset = (size_t)(address - first);
        if (last != SIZE_MAX) {
            all.instructions[last].size = (uint32_t)(offset - last);
        }
        if (offset < all.size) {
            note_instruction(offset, end + 1 + strspn(end + 1, " \t"), first);
        }
        last = offset;
    }
    return last != SIZE_MAX;
}

/* Where the program's file has glitch_first. */
static uint64_t address_in_file(const char *program)
{
    char line[512], command[1200];
    uint64_t found = 0;
    (void)snprintf(command, sizeof command, "nm '%s'", program);
    FILE *symbols = popen(command, "r");
    while (symbols != NULL && fgets(line, sizeof line, symbols) != NULL) {
        if (strstr(line, " T glitch_first\n") != NULL) {
            found = strtoull(line, NULL, 16);
        }
    }
    if (symbols != NULL) {
        (void)pclose(symbols);
    }
    return found;
}

bool glitch_open(const char *program, const char **why)
{
    char command[1200];
    all.code = (uint8_t *)(uintptr_t)glitch_first;
    all.size = (size_t)((uint8_t *)(uintptr_t)glitch_last - all.code);
    all.shared =
        mmap(NULL, sizeof *all.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t first = address_in_file(program);
    *why = "nm finds no glitch_first in it";
    if (first == 0 || all.shared == MAP_FAILED) {
        return false;
    }
    *why = "the linker did not keep the order of the objects";
    if (all.size == 0 || (uintptr_t)glitch_first > (uintptr_t)glitch_last) {
        return false;
    }
    *why = "its code is larger than CODE_MAX";
    if (all.size > CODE_MAX) {
        return false;
    }
    (void)snprintf(
        command, sizeof command,
        "objdump -d -w --no-show-raw-insn --start-address=%#llx --stop-address=%#llx '%s'",
        (unsigned long long)first, (unsigned long long)(first + all.size + 1), program);
    FILE *listing = popen(command, "r");
    *why = "objdump does not list it";
    bool read = listing != NULL && read_listing(listing, first);
    return listing != NULL && pclose(listing) == 0 && read;
}

/* ---- in the child ---- */

static _Noreturn void child_ends(enum glitch_end end)
{
    _exit((int)end);
}

static void on_fault(int number)
{
    child_ends(number == SIGVTALRM ? GLITCH_HANG : GLITCH_TRAP);
}

/* Brings the glitch about, at the breakpoint's instruction. */
static void strike(greg_t *registers)
{
    const struct instruction *instruction = &all.instructions[now.at - all.code];
    uintptr_t at = (uintptr_t)now.at;
    all.shared->fired = true;
    switch (now.kind) {
    case GLITCH_RETURN:
        registers[REG_RAX] = 0;
        registers[REG_RIP] = (greg_t)(at + instruction->size);
        break;
    case GLITCH_TAKE:
        registers[REG_RIP] = (greg_t)((uintptr_t)all.code + instruction->target);
        break;
    case GLITCH_ZERO:
        registers[REG_RAX] = 0;
        registers[REG_RIP] = (greg_t)at;
        break;
    case GLITCH_SKIP:
    case GLITCH_KINDS:
    default:
        registers[REG_RIP] = (greg_t)(at + instruction->size);
        break;
    }
}

static bool in_range(uintptr_t address)
{
    return address - (uintptr_t)all.code < all.size;
}

/* Counts the instruction that comes next. What the code under test calls elsewhere runs at full
 * speed, up to a breakpoint where it returns to. */
static void count(greg_t *registers)
{
    uintptr_t at = (uintptr_t)registers[REG_RIP];
    if (now.resume != NULL && at == (uintptr_t)now.resume + 1) {
        *now.resume = now.byte;
        at = (uintptr_t)now.resume;
        now.resume = NULL;
        registers[REG_RIP] = (greg_t)at;
        registers[REG_EFL] |= TRAP_FLAG;
    }
    bool was_inside = in_range(now.last);
    const uintptr_t back = *(const uintptr_t *)(uintptr_t)registers[REG_RSP];
    /* A repeated string instruction traps once for each of its rounds. */
    if (in_range(at) && at != now.last) {
        all.shared->hits[at - (uintptr_t)all.code]++;
    } else if (!in_range(at) && was_inside && in_range(back) &&
               all.instructions[now.last - (uintptr_t)all.code].leaves) {
        now.resume = all.code + (back - (uintptr_t)all.code);
        now.byte = *now.resume;
        *now.resume = BREAKPOINT;
        registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    }
    now.last = at;
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t at = (uintptr_t)registers[REG_RIP];
    if (now.counting) {
        count(registers);
        return;
    }
    if (now.stepping) {
        /* The instruction was executed: the breakpoint waits for the next pass. */
        now.stepping = false;
        registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        *now.at = BREAKPOINT;
        return;
    }
    if (at != (uintptr_t)now.at + 1) {
        child_ends(GLITCH_TRAP);
    }
    *now.at = now.byte;
    if (now.left > 0) {
        now.left--;
        now.stepping = true;
        registers[REG_RIP] = (greg_t)(uintptr_t)now.at;
        registers[REG_EFL] |= TRAP_FLAG;
        return;
    }
    strike(registers);
}

/* Signals on a stack of their own: a glitch may take the other one away. */
static void child_prepare(void)
{
    static uint8_t stack[65536];
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGVTALRM};
    struct sigaction action = {.sa_flags = SA_ONSTACK, .sa_handler = on_fault};
    (void)sigaltstack(&own, NULL);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        (void)sigaction(faults[i], &action, NULL);
    }
    action = (struct sigaction){.sa_flags = SA_ONSTACK | SA_SIGINFO, .sa_sigaction = on_trap};
    (void)sigaction(SIGTRAP, &action, NULL);
}

static void set_trap_flag(bool on)
{
    if (on) {
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
    } else {
        __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "cc", "memory");
    }
}

/* Lets breakpoints be written into [from, from + size). */
static void make_writable(const uint8_t *from, size_t size)
{
    uintptr_t page = (uintptr_t)from & ~(uintptr_t)4095;
    size = (size_t)((uintptr_t)from - page) + size;
    if (mprotect((void *)page, size, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
        _exit(99);
    }
}

static _Noreturn void child_counts(const struct glitch_trial *trial)
{
    child_prepare();
    make_writable(all.code, all.size);
    now.counting = true;
    now.last = 0;
    now.resume = NULL;
    set_trap_flag(true);
    enum glitch_end end = trial->attempt(trial->ctx);
    set_trap_flag(false);
    child_ends(end);
}

static _Noreturn void child_glitches(const struct glitch_trial *trial)
{
    const struct itimerval limit = {.it_value = {.tv_usec = CHILD_MS * 1000L}};
    /* For what spins in the kernel, whose time the timer does not count. */
    const struct rlimit kill = {.rlim_cur = 2, .rlim_max = 2};
    child_prepare();
    (void)close(STDERR_FILENO); /* a heap that a glitch has spoiled says so before it traps */
    (void)setrlimit(RLIMIT_CPU, &kill);
    (void)setitimer(ITIMER_VIRTUAL, &limit, NULL);
    make_writable(now.at, 1);
    now.byte = *now.at;
    *now.at = BREAKPOINT;
    child_ends(trial->attempt(trial->ctx));
}

/* ---- in the parent ---- */

/* How a child ended; what it cannot have said itself is a trap. */
static enum glitch_end child_await(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99) {
        (void)fprintf(stderr, "glitch: the code cannot be made writable\n");
        exit(2);
    }
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU)) {
        return GLITCH_HANG;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) < GLITCH_ENDS
               ? (enum glitch_end)WEXITSTATUS(status)
               : GLITCH_TRAP;
}

enum glitch_end glitch_play(const struct glitch_trial *trial, enum glitch_kind kind, size_t offset,
                            unsigned nth, bool *fired)
{
    all.shared->fired = false;
    now.counting = false;
    now.stepping = false;
    now.kind = kind;
    now.at = all.code + offset;
    now.left = nth - 1;
    pid_t child = fork();
    if (child == 0) {
        child_glitches(trial);
    }
    enum glitch_end end = child_await(child);
    *fired = all.shared->fired;
    return end;
}

static bool applies(enum glitch_kind kind, const struct instruction *instruction)
{
    switch (kind) {
    case GLITCH_TAKE:
        return instruction->jump;
    case GLITCH_RETURN:
        return instruction->call;
    case GLITCH_SKIP:
    case GLITCH_ZERO:
    case GLITCH_KINDS:
    default:
        return true;
    }
}

static void try_one(const struct glitch_trial *trial, enum glitch_kind kind, size_t offset,
                    unsigned nth, struct glitch_totals *totals)
{
    bool fired;
    enum glitch_end end = glitch_play(trial, kind, offset, nth, &fired);
    totals->points++;
    totals->ends[end]++;
    totals->unfired += fired ? 0 : 1;
    if ((end == GLITCH_BREACH && !trial->weak) || !fired) {
        printf("%s %s: --play %s:%s:%zu:%u\n", fired ? "BREACH" : "NOT FIRED", trial->name,
               trial->name, glitch_kinds[kind], offset, nth);
    }
}

bool glitch_sweep(const struct glitch_trial *trial, const struct glitch_effort *effort,
                  struct glitch_totals *totals)
{
    memset(all.shared, 0, sizeof *all.shared);
    pid_t child = fork();
    if (child == 0) {
        child_counts(trial);
    }
    enum glitch_end end = child_await(child);
    if (end != trial->expected) {
        printf("%s: ends with \"%s\" without a glitch\n", trial->name, glitch_ends[end]);
        return false;
    }
    if (end == GLITCH_BREACH) {
        totals->ends[end]++;
        return true;
    }
    unsigned hits = effort->hits;
    static uint32_t passes[CODE_MAX];
    memcpy(passes, all.shared->hits, sizeof passes);
    for (size_t offset = 0; offset < all.size; offset++) {
        if (passes[offset] == 0) {
            continue;
        }
        totals->instructions++;
        for (enum glitch_kind kind = 0; kind < GLITCH_KINDS; kind++) {
            if (!applies(kind, &all.instructions[offset]) ||
                (kind == GLITCH_ZERO && !effort->zero)) {
                continue;
            }
            for (unsigned nth = 1; nth <= hits && nth <= passes[offset]; nth++) {
                try_one(trial, kind, offset, nth, totals);
            }
            if (passes[offset] > hits && passes[offset] <= LAST_HITS_MAX) {
                try_one(trial, kind, offset, passes[offset], totals);
            }
        }
    }
    return true;
}

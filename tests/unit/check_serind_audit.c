/*
 * The audit log of serind over restarts, crashes, full disks and rotations: its chain stays whole
 * where nobody touched it, and says what was done to it where somebody did.
 *
 * Each test names the mutation that it was seen to catch.
 */
#define _GNU_SOURCE
#include "check_main.h"
#include "serind_bench.h"
#include "shell/policy_text.h"
#include "test_keys.h"

#include <serin/adapters/wolfcrypt.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LOG_MAX 65536u
#define CHAIN   SERIND_AUDIT_CHAIN_KEY

static struct serind_bench bench;
static struct serind *const serind = &bench.serind;
static struct serin_audit_verdict verdict;

static void say(const char *text)
{
    serind_audit(serind, &(struct serind_audit_line){.what = "test"}, "%s", text);
}

static void say_and_flush(const char *text)
{
    say(text);
    serind_audit_flush(serind);
}

static size_t read_log(char bytes[LOG_MAX])
{
    FILE *file = fopen(bench.audit, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(bytes, 1, LOG_MAX, file);
    fclose(file);
    ck_assert_uint_lt(size, LOG_MAX);
    return size;
}

static void write_log(const char *bytes, size_t size)
{
    FILE *file = fopen(bench.audit, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* The verdict on a file before (NULL: none) and the log, with what the store has for its head. */
static void judge_files(const char *before)
{
    struct serin_audit_head known = {.seq = serind->meta.audit_seq};
    struct serin_audit_verifier *verifier = NULL;
    const char *paths[] = {before, bench.audit};
    memcpy(known.hash, serind->meta.audit_hash, sizeof known.hash);
    ck_assert_int_eq(serin_audit_verifier_open(&verifier, serin_wolfcrypt(), &known), SERIN_OK);
    for (size_t i = before != NULL ? 0 : 1; i < 2; i++) {
        char block[4096];
        size_t got = 0;
        FILE *file = fopen(paths[i], "rb");
        ck_assert_ptr_nonnull(file);
        serin_audit_verifier_file(verifier);
        while ((got = fread(block, 1, sizeof block, file)) > 0) {
            serin_audit_verifier_feed(verifier, block, got);
        }
        fclose(file);
    }
    verdict = *serin_audit_verifier_end(verifier);
    serin_audit_verifier_close(verifier);
}

static void judge(void)
{
    judge_files(NULL);
}

static void expect_sound(void)
{
    char text[SERIN_AUDIT_TEXT_SIZE] = "";
    judge();
    if (verdict.fault_count > 0) {
        serin_audit_fault_text(&verdict.faults[0], text);
    }
    ck_assert_msg(verdict.fault_count == 0, "line %u: %s", (unsigned)verdict.faults[0].line, text);
    ck_assert_int_eq(verdict.place, SERIN_AUDIT_HEAD_MATCHED);
}

static void load_meta(void)
{
    ck_assert_int_eq(serind->store.ops->begin(serind->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind->store.ops->get_meta(serind->store.ctx, &serind->meta), SERIN_OK);
    serind->store.ops->abort(serind->store.ctx);
}

/* Ends as a kill does: nothing more is written, to the log or to the store. */
static void kill_it(void)
{
    close(serind->audit.file);
    free(serind->audit.held);
    serind->audit = (struct serind_audit){.file = -1};
    serind->alarms.count = 0;
}

static void start_it(void)
{
    load_meta();
    ck_assert_int_eq(serind_audit_open(serind), SERIN_OK);
    serind_audit_begin(serind);
}

static void stop_it(void)
{
    serind_audit_close(serind);
    kill_it();
}

/* A log of three lines, of which the store knows. */
static void open_bench(void)
{
    serind_bench_open(&bench);
    for (int i = 0; i < 3; i++) {
        say("one of three");
    }
    serind->mono_ms += 1000;
    serind_audit_tend(serind);
    ck_assert_uint_eq(serind->meta.audit_seq, 3);
}

/* Caught: places given when a line is said; the head not stored with the pass, or not at the end.
 */
START_TEST(a_chain_goes_on_over_passes_and_restarts)
{
    open_bench();
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(serind_pass_begin(serind), SERIN_OK);
        say("dropped");
        serind_pass_cancel(serind);
        say_and_flush("refused");
        uint64_t written = serind->audit.durable.seq;
        ck_assert_int_eq(serind_pass_begin(serind), SERIN_OK);
        say("kept");
        ck_assert_int_eq(serind_pass_end(serind), SERIN_OK);
        /* The commit of the pass has what was written before it. */
        ck_assert_uint_eq(serind->meta.audit_seq, written);
        ck_assert_uint_eq(serind->audit.durable.seq, written + 1);
        stop_it();
        start_it();
        ck_assert_uint_eq(serind->meta.audit_seq, serind->audit.head.seq);
        ck_assert_uint_eq(serind->alarms.count, 0);
    }
    ck_assert_uint_eq(serind_bench_audited(&bench, "dropped"), 0);
    expect_sound();
    ck_assert_uint_eq(verdict.lines, 3 + 5 * 2);
    ck_assert_uint_eq(verdict.torn, 0);
    serind_bench_close(&bench);
}
END_TEST

/* Once a second and not in every turn. Caught: stored whenever there is something. */
START_TEST(the_store_learns_within_a_second)
{
    open_bench();
    uint64_t seq = serind->meta.audit_seq;
    say("a line");
    serind_audit_tend(serind);
    ck_assert_uint_eq(serind->audit.durable.seq, seq + 1);
    ck_assert_uint_eq(serind->meta.audit_seq, seq);
    serind->mono_ms += 1000;
    serind_audit_tend(serind);
    ck_assert_uint_eq(serind->meta.audit_seq, seq + 1);
    load_meta();
    ck_assert_uint_eq(serind->meta.audit_seq, seq + 1);
    ck_assert_mem_eq(serind->meta.audit_hash, serind->audit.durable.hash, SERIN_SHA256_SIZE);
    serind_bench_close(&bench);
}
END_TEST

/* A crash in the middle of a line, at each of its bytes: the log is sound all the same, and says
 * what happened. Caught: the rest not vouched for; its newline counted. */
START_TEST(a_torn_line_is_said)
{
    static char bytes[LOG_MAX];
    open_bench();
    say_and_flush("torn");
    size_t size = read_log(bytes);
    size_t start = size - 1;
    while (bytes[start - 1] != '\n') {
        start--;
    }
    for (size_t cut = start; cut <= size; cut++) {
        kill_it();
        write_log(bytes, cut);
        start_it();
        ck_assert_uint_eq(serind->alarms.count, 0);
        say_and_flush("after the crash");
        expect_sound();
        bool torn = cut > start && cut < size - 1;
        ck_assert_uint_eq(verdict.torn, torn ? 1 : 0);
        ck_assert_uint_eq(verdict.head.seq, 3 + (torn ? 2 : cut == start ? 1 : 2));
        ck_assert_uint_eq(serind_bench_audited(&bench, "\"what\":\"torn\""), torn ? 1 : 0);
    }
    serind_bench_close(&bench);
}
END_TEST

/* Cut off behind the back of the store: alarm, and the gap stays for good. Caught: the store's head
 * not compared; the chain taken up at what is left. */
START_TEST(a_removed_end_is_an_alarm)
{
    static char bytes[LOG_MAX];
    open_bench();
    size_t size = read_log(bytes);
    for (size_t keep = 1; keep < 3; keep++) {
        kill_it();
        char *end = bytes;
        for (size_t i = 0; i < keep; i++) {
            end = (char *)memchr(end, '\n', size) + 1;
        }
        write_log(bytes, (size_t)(end - bytes));
        start_it();
        ck_assert(serind_alarm_stands(serind, CHAIN));
        serind_audit_flush(serind);
        judge();
        ck_assert_uint_eq(verdict.fault_count, 1);
        ck_assert_int_eq(verdict.faults[0].kind, SERIN_AUDIT_REMOVED);
        ck_assert_uint_eq(verdict.faults[0].seq_first, keep + 1);
        ck_assert_uint_eq(verdict.faults[0].seq_last, 3);
        ck_assert_uint_eq(verdict.head.seq, 4);
        ck_assert_uint_eq(serind_bench_audited(&bench, "its end was removed"), 1);
        /* And at each start after it. */
        kill_it();
        start_it();
        ck_assert(serind_alarm_stands(serind, CHAIN));
    }
    serind_bench_close(&bench);
}
END_TEST

START_TEST(a_removed_file_is_an_alarm)
{
    open_bench();
    kill_it();
    ck_assert_int_eq(unlink(bench.audit), 0);
    start_it();
    ck_assert(serind_alarm_stands(serind, CHAIN));
    say_and_flush("a line");
    judge();
    ck_assert_uint_eq(verdict.fault_count, 0);
    ck_assert_uint_eq(verdict.seq_first, 4);
    ck_assert_int_eq(verdict.place, SERIN_AUDIT_HEAD_MATCHED); /* by what its first line names */
    /* An operator who has looked says so by SIGHUP. */
    serind_audit_reopen(serind);
    ck_assert(!serind_alarm_stands(serind, CHAIN));
    serind_bench_close(&bench);
}
END_TEST

/* Any line altered while serind was away, the last one too: alarm, and nothing vouches for it.
 * Caught: a last line without its hash taken for a torn one. */
START_TEST(an_altered_line_is_an_alarm)
{
    static char bytes[LOG_MAX];
    open_bench();
    say_and_flush("beyond what the store knows");
    size_t size = read_log(bytes);
    size_t line = 0;
    for (size_t at = 0; at < size; at++) {
        bool early = at % 97 == 5 || at == size - 2;
        line += bytes[at] == '\n' ? 1 : 0;
        if (!early || bytes[at] == '\n') {
            continue;
        }
        kill_it();
        bytes[at] ^= 1;
        write_log(bytes, size);
        bytes[at] ^= 1;
        start_it();
        ck_assert_msg(serind_alarm_stands(serind, CHAIN), "byte %zu", at);
        say_and_flush("a line");
        judge();
        ck_assert_uint_ge(verdict.fault_count, 1);
        ck_assert_int_eq(verdict.faults[0].kind, SERIN_AUDIT_ALTERED);
        ck_assert_uint_eq(verdict.faults[0].line, line + 1);
        ck_assert_uint_eq(verdict.torn, 0);
    }
    ck_assert_uint_eq(line, 4);
    serind_bench_close(&bench);
}
END_TEST

/* Sealed anew from the first line on: sound by itself, and not what the store knows. */
START_TEST(a_log_that_was_written_anew_is_an_alarm)
{
    open_bench();
    struct serin_meta_record meta = serind->meta;
    kill_it();
    ck_assert_int_eq(unlink(bench.audit), 0);
    memset(&serind->meta.audit_hash, 0, sizeof meta.audit_hash);
    serind->meta.audit_seq = 0;
    ck_assert_int_eq(serind_audit_open(serind), SERIN_OK);
    serind_audit_begin(serind);
    for (int i = 0; i < 5; i++) {
        say_and_flush("forged");
    }
    kill_it();
    start_it();
    ck_assert_uint_eq(serind->meta.audit_seq, meta.audit_seq);
    ck_assert(serind_alarm_stands(serind, CHAIN));
    ck_assert_ptr_nonnull(strstr(serind->alarms.list[0].text, "written anew"));
    serind_bench_close(&bench);
}
END_TEST

/* A store from a backup is behind the log, before or after a rotation: no alarm. */
START_TEST(an_older_store_is_no_alarm)
{
    char old[96];
    open_bench();
    say_and_flush("later");
    kill_it();
    start_it();
    ck_assert_uint_eq(serind->alarms.count, 0);
    ck_assert_uint_eq(serind->audit.head.seq, 4);
    snprintf(old, sizeof old, "%s.1", bench.audit);
    ck_assert_int_eq(rename(bench.audit, old), 0);
    serind_audit_reopen(serind);
    say_and_flush("in the new file");
    say_and_flush("and more");
    kill_it();
    start_it();
    ck_assert_uint_eq(serind->alarms.count, 0);
    ck_assert_uint_eq(serind->audit.head.seq, 6);
    judge_files(old);
    ck_assert_uint_eq(verdict.fault_count, 0);
    ck_assert_uint_eq(verdict.lines, 6);
    judge();
    ck_assert_uint_eq(verdict.fault_count, 0);
    ck_assert_uint_eq(verdict.seq_first, 5);
    unlink(old);
    serind_bench_close(&bench);
}
END_TEST

/* Lines of before there were hashes are vouched for as a whole, once. */
START_TEST(an_old_log_is_gone_on_with)
{
    static const char old[] = "{\"time\":\"a\",\"what\":\"start\"}\n{\"what\":\"stop\"}\n{\"ti";
    for (size_t cut = 3; cut < 5; cut++) { /* its last line whole, and torn */
        size_t size = cut == 3 ? sizeof old - 1 - 4 : sizeof old - 1;
        serind_bench_open(&bench);
        kill_it();
        write_log(old, size);
        ck_assert_int_eq(serind_audit_open(serind), SERIN_OK);
        serind_audit_begin(serind);
        ck_assert_uint_eq(serind->alarms.count, 0);
        say("a line");
        serind->mono_ms += 1000;
        serind_audit_tend(serind);
        expect_sound();
        ck_assert_uint_eq(verdict.unchained, cut - 1);
        ck_assert_uint_eq(verdict.seq_first, 1);
        ck_assert_uint_eq(verdict.line_first, cut);
        ck_assert_uint_eq(serind_bench_audited(&bench, "the chain of this log begins here"), 1);
        stop_it();
        serind_bench_close(&bench);
    }
}
END_TEST

/* A log that is larger than what a start looks at by itself. Caught: the end judged as if it were
 * all. */
START_TEST(a_large_old_log_is_gone_on_with)
{
    static const char line[] = "{\"time\":\"2026-01-31T12:00:00.000Z\",\"what\":\"old\"}\n";
    serind_bench_open(&bench);
    kill_it();
    FILE *file = fopen(bench.audit, "wb");
    ck_assert_ptr_nonnull(file);
    for (size_t size = 0; size < (size_t)65 * 1024 * 1024; size += sizeof line - 1) {
        ck_assert_uint_eq(fwrite(line, 1, sizeof line - 1, file), sizeof line - 1);
    }
    fclose(file);
    ck_assert_int_eq(serind_audit_open(serind), SERIN_OK);
    serind_audit_begin(serind);
    say("a line");
    serind->mono_ms += 1000;
    serind_audit_tend(serind);
    kill_it();
    start_it();
    ck_assert_uint_eq(serind->alarms.count, 0);
    ck_assert_uint_eq(serind->audit.head.seq, 2);
    expect_sound();
    serind_bench_close(&bench);
}
END_TEST

/* ---- a full disk ---- */

/* Files grow by `more` bytes only, from the log's size on. */
static void limit_file(uint64_t more)
{
    struct stat status;
    ck_assert_int_eq(fstat(serind->audit.file, &status), 0);
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    limit.rlim_cur = more == UINT64_MAX ? RLIM_INFINITY : (rlim_t)status.st_size + (rlim_t)more;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Lines that found no room come later, in their order, and nothing torn is left. Caught: a part of
 * a line not cut back; the place of a line that was not written kept. */
START_TEST(a_full_disk_tears_nothing)
{
    open_bench();
    struct stat status;
    for (uint64_t more = 0; more < 700; more += 23) {
        say("found no room");
        say("nor this");
        limit_file(more);
        serind_audit_flush(serind);
        limit_file(UINT64_MAX);
        if (more < 200) {
            ck_assert(serind_alarm_stands(serind, "audit"));
            judge();
            ck_assert_uint_eq(verdict.fault_count, 0);
            ck_assert_int_eq(fstat(serind->audit.file, &status), 0);
            ck_assert_uint_eq(verdict.sound_end, (uint64_t)status.st_size);
        }
        serind->mono_ms += 2000;
        serind_audit_flush(serind);
        ck_assert(!serind_alarm_stands(serind, "audit"));
        ck_assert_uint_eq(serind->audit.held_size, 0);
    }
    expect_sound();
    ck_assert_uint_eq(verdict.torn, 0);
    ck_assert_uint_eq(serind_bench_audited(&bench, "found no room"), 31);
    ck_assert_uint_eq(serind_bench_audited(&bench, "nor this"), 31);
    serind_bench_close(&bench);
}
END_TEST

/* A file that may only grow: what is torn cannot be cut back, and is vouched for, however often the
 * disk is full before that succeeds. */
START_TEST(a_file_that_only_grows_is_vouched_for)
{
    open_bench();
    int file = memfd_create("audit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(fcntl(file, F_SETFL, O_APPEND), 0);
    ck_assert_int_eq(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    close(serind->audit.file);
    serind->audit.file = file;
    for (int round = 0; round < 3; round++) {
        for (uint64_t more = 1; more < 60; more += 7) { /* each try leaves a little more */
            say("found no room");
            limit_file(more);
            serind_audit_flush(serind);
            limit_file(UINT64_MAX);
            serind->mono_ms += 2000;
        }
        ck_assert(serind->audit.rest_due);
        serind_audit_flush(serind);
        ck_assert(!serind->audit.rest_due);
        say_and_flush("room again");
    }
    static char bytes[LOG_MAX];
    ssize_t size = pread(file, bytes, sizeof bytes, 0);
    ck_assert_int_gt(size, 0);
    write_log(bytes, (size_t)size);
    judge();
    ck_assert_uint_eq(verdict.fault_count, 0);
    ck_assert_uint_eq(verdict.torn, 3);
    ck_assert_uint_eq(verdict.seq_first, 4);
    serind_bench_close(&bench);
}
END_TEST

/* The longest text of the worst characters makes a line that is still taken and read. */
START_TEST(the_longest_line_is_whole)
{
    char text[2000];
    char *page = NULL;
    uint64_t next = 0;
    open_bench();
    memset(text, 1, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    say_and_flush(text);
    ck_assert_uint_eq(serind->audit.lost, 0);
    expect_sound();
    ck_assert_uint_eq(verdict.lines, 4);
    ck_assert_int_eq(serind_audit_read(serind, 0, 4, &page, &next), SERIN_OK);
    ck_assert_uint_eq(next, verdict.sound_end);
    free(page);
    serind_bench_close(&bench);
}
END_TEST

/* A gate that says the least success says it in the log as the policy does. Seen to catch: what is
 * kept, the most failures, written in its place. */
START_TEST(a_policy_is_said_as_it_was_written)
{
    char text[SERIND_POLICY_TEXT_SIZE];
    struct serin_policy policy;
    serin_policy_default(&policy);
    policy.gates[SERIN_GATE_BOOTS].max_permyriad = 1250; /* min_percent: 87.5 */
    policy.stages[1].approval = true;
    serind_policy_text(&policy, text);
    ck_assert_msg(strstr(text, ", boot_success 87.50 % of 30,") != NULL, "%s", text);
    ck_assert_msg(strstr(text, ", rollbacks 10.00 % of 30,") != NULL, "%s", text);
    ck_assert_msg(strstr(text, " s asks for approval, ") != NULL, "%s", text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_chain_goes_on_over_passes_and_restarts,
        the_store_learns_within_a_second,
        a_torn_line_is_said,
        a_removed_end_is_an_alarm,
        a_removed_file_is_an_alarm,
        an_altered_line_is_an_alarm,
        a_log_that_was_written_anew_is_an_alarm,
        an_older_store_is_no_alarm,
        an_old_log_is_gone_on_with,
        a_large_old_log_is_gone_on_with,
        a_full_disk_tears_nothing,
        a_file_that_only_grows_is_vouched_for,
        the_longest_line_is_whole,
        a_policy_is_said_as_it_was_written,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_audit", tests);
    test_keys_close();
    return status;
}

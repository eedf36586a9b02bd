/*
 * `serin audit verify`: whether the files of an audit log are as serind wrote them
 * (docs/spec/audit.md).
 */
#include "api.h"
#include "commands.h"
#include "file.h"

#include <serin/host/audit_chain.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_SIZE 65536u

/* ---- the head to compare with ---- */

static enum serin_cli_exit ask_head(struct serin_cli *cli, struct serin_audit_head *head)
{
    struct serin_cli_answer answer;
    enum serin_cli_exit exit = serin_cli_get(cli, "/v1/audit/head", &answer);

    if (exit == SERIN_CLI_DONE &&
        serin_audit_head_parse(serin_cli_member(answer.json, "head"), head) != SERIN_OK) {
        exit = serin_cli_fail(cli, SERIN_CLI_FAILED, "the server's answer has no head");
    }
    serin_cli_answer_close(&answer);
    return exit;
}

/* `*given`: whether there is one. serind is asked before the files are read, so that they have all
 * that it tells of. */
static enum serin_cli_exit known_head(struct serin_cli *cli, struct serin_audit_head *head,
                                      bool *given)
{
    const char *text = serin_cli_text(cli, "head");
    bool live = serin_cli_has(cli, "live");
    enum serin_cli_exit exit = SERIN_CLI_DONE;

    if (text != NULL && live) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "--head and --live exclude each other");
    }
    if (text != NULL && serin_audit_head_parse(text, head) != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "--head takes SEQ:HASH, as 'serin audit head' prints it");
    }
    if (live) {
        exit = ask_head(cli, head);
    }
    *given = (text != NULL || live) && head->seq > 0;
    return exit;
}

/* ---- reading ---- */

/* What was read, in all files. */
struct seen {
    bool any;    /* a byte */
    bool object; /* the first one begins a JSON object, as each line of a log does */
};

static enum serin_cli_exit feed_file(const struct serin_cli *cli, const char *path,
                                     struct serin_audit_verifier *verifier, struct seen *seen)
{
    static char block[BLOCK_SIZE];
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    size_t got = 0;
    struct stat info;
    enum serin_cli_exit exit = SERIN_CLI_DONE;

    if (file == NULL) {
        return serin_cli_fail_path(cli, path);
    }
    if (fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT, "%s: not a plain file", path);
        (void)fclose(file);
        return exit;
    }
    serin_audit_verifier_file(verifier);
    while ((got = fread(block, 1, sizeof(block), file)) > 0) {
        seen->object = seen->any ? seen->object : block[0] == '{';
        seen->any = true;
        serin_audit_verifier_feed(verifier, block, got);
    }
    if (ferror(file) != 0) {
        exit = serin_cli_fail_path(cli, path);
    }
    if (!standard) {
        (void)fclose(file);
    }
    return exit;
}

/* ---- the verdict ---- */

struct report {
    const struct serin_audit_verdict *verdict;
    struct serin_audit_head known;
    struct seen seen;
    bool head_given;
    const char *head_fault; /* what is wrong with the head or the beginning; NULL: nothing */
    char text[SERIN_AUDIT_TEXT_SIZE];
};

static void judge_head(const struct serin_cli *cli, struct report *report)
{
    const struct serin_audit_verdict *verdict = report->verdict;
    char *text = report->text;
    unsigned long long known = report->known.seq;

    report->head_fault = text;
    switch (verdict->place) {
    case SERIN_AUDIT_HEAD_DIFFERS:
        (void)snprintf(text, sizeof(report->text),
                       "forged: seq %llu is not the line of the head; it was written anew", known);
        return;
    case SERIN_AUDIT_HEAD_BEHIND:
        (void)snprintf(text, sizeof(report->text),
                       "removed: the files end with seq %llu, and the head is seq %llu",
                       (unsigned long long)verdict->head.seq, known);
        return;
    case SERIN_AUDIT_HEAD_BEFORE:
        (void)snprintf(text, sizeof(report->text),
                       "not compared: the head is seq %llu, and the files begin with seq %llu: "
                       "give older ones too",
                       known, (unsigned long long)verdict->seq_first);
        return;
    case SERIN_AUDIT_HEAD_MISSING:
        (void)snprintf(text, sizeof(report->text),
                       "removed: the line of the head, seq %llu, is missing", known);
        return;
    case SERIN_AUDIT_HEAD_NONE:
    case SERIN_AUDIT_HEAD_MATCHED:
        break;
    }
    if (serin_cli_has(cli, "whole") && verdict->seq_first > 1) {
        (void)snprintf(text, sizeof(report->text),
                       "removed: the files begin with seq %llu, and not with the first line",
                       (unsigned long long)verdict->seq_first);
        return;
    }
    report->head_fault = NULL;
}

static bool sound(const struct report *report)
{
    return report->verdict->fault_count == 0 && report->head_fault == NULL;
}

static size_t kept_faults(const struct serin_audit_verdict *verdict)
{
    return verdict->fault_count < SERIN_AUDIT_FAULTS_MAX ? verdict->fault_count
                                                         : SERIN_AUDIT_FAULTS_MAX;
}

/* Up to which line the head vouches for the files; 0: there is none, and lines that were cut off at
 * the end would not show. */
static uint64_t proven_to(const struct report *report)
{
    return report->verdict->place == SERIN_AUDIT_HEAD_MATCHED ? report->known.seq : 0;
}

/* ---- as JSON ---- */

static struct serin_json *fault_json(const struct serin_cli *cli,
                                     const struct serin_audit_fault *fault)
{
    char text[SERIN_AUDIT_TEXT_SIZE];
    struct serin_json *json = serin_json_object();

    serin_audit_fault_text(fault, text);
    serin_json_put_text(json, "file", cli->args.operands[fault->file]);
    serin_json_put_number(json, "line", fault->line);
    serin_json_put_number(json, "line_last", fault->line_last);
    serin_json_put_text(json, "kind", serin_audit_fault_word(fault->kind));
    if (fault->seq_first > 0) {
        serin_json_put_number(json, "seq_first", fault->seq_first);
        serin_json_put_number(json, "seq_last", fault->seq_last);
    }
    serin_json_put_text(json, "text", text);
    return json;
}

static void print_json(const struct serin_cli *cli, const struct report *report)
{
    static const char *const places[] = {
        [SERIN_AUDIT_HEAD_NONE] = "none",       [SERIN_AUDIT_HEAD_MATCHED] = "matched",
        [SERIN_AUDIT_HEAD_DIFFERS] = "differs", [SERIN_AUDIT_HEAD_BEHIND] = "behind",
        [SERIN_AUDIT_HEAD_BEFORE] = "before",   [SERIN_AUDIT_HEAD_MISSING] = "missing",
    };
    const struct serin_audit_verdict *verdict = report->verdict;
    char hex[SERIN_SHA256_HEX_SIZE];
    char head[SERIN_AUDIT_HEAD_SIZE];
    struct serin_json *json = serin_json_object();
    struct serin_json *faults = serin_json_array();

    serin_hex_encode(verdict->prev_first, SERIN_SHA256_SIZE, hex);
    serin_audit_head_print(&verdict->head, head);
    for (size_t i = 0; i < kept_faults(verdict); i++) {
        serin_json_add(faults, fault_json(cli, &verdict->faults[i]));
    }
    serin_json_put_bool(json, "valid", sound(report));
    serin_json_put_number(json, "lines", verdict->lines);
    serin_json_put_number(json, "unchained", verdict->unchained);
    serin_json_put_number(json, "torn", verdict->torn);
    serin_json_put_number(json, "seq_first", verdict->seq_first);
    serin_json_put_text(json, "prev_first", hex);
    serin_json_put_text(json, "time_first", verdict->time_first);
    serin_json_put_text(json, "time_last", verdict->time_last);
    serin_json_put_text(json, "head", head);
    serin_json_put_text(json, "known", places[verdict->place]);
    serin_json_put_number(json, "proven_to", proven_to(report));
    if (report->head_fault != NULL) {
        serin_json_put_text(json, "message", report->head_fault);
    }
    serin_json_put_number(json, "fault_count", verdict->fault_count);
    serin_json_put(json, "faults", faults);
    serin_cli_print_json(cli, json);
}

/* ---- as text ---- */

static void print_faults(const struct serin_cli *cli, const struct report *report)
{
    const struct serin_audit_verdict *verdict = report->verdict;
    char text[SERIN_AUDIT_TEXT_SIZE];

    for (size_t i = 0; i < kept_faults(verdict); i++) {
        const struct serin_audit_fault *fault = &verdict->faults[i];
        serin_audit_fault_text(fault, text);
        serin_cli_print_foreign(cli, cli->args.operands[fault->file], 0);
        if (fault->line > 0) {
            serin_cli_print(cli, ":%llu", (unsigned long long)fault->line);
        }
        serin_cli_print(cli, ": %s\n", text);
    }
    if (verdict->fault_count > SERIN_AUDIT_FAULTS_MAX) {
        serin_cli_print(cli, "and %zu more\n", verdict->fault_count - SERIN_AUDIT_FAULTS_MAX);
    }
    if (report->head_fault != NULL) {
        serin_cli_print(cli, "%s\n", report->head_fault);
    }
}

/* Where the chain begins, unless it is the first line of the first file. */
static void print_beginning(const struct serin_cli *cli, const struct serin_audit_verdict *verdict)
{
    char hex[SERIN_SHA256_HEX_SIZE];

    if (verdict->unchained > 0) {
        serin_cli_print(cli, "%-10s%llu lines, before the chain begins at ", "unchained",
                        (unsigned long long)verdict->unchained);
        serin_cli_print_foreign(cli, cli->args.operands[verdict->file_first], 0);
        serin_cli_print(cli, ":%llu\n", (unsigned long long)verdict->line_first);
    }
    if (verdict->seq_first > 1) {
        serin_hex_encode(verdict->prev_first, SERIN_SHA256_SIZE, hex);
        serin_cli_print(cli, "%-10sat seq %llu, chained to %llu:%s\n", "begins",
                        (unsigned long long)verdict->seq_first,
                        (unsigned long long)verdict->seq_first - 1, hex);
    }
}

/* A chain without its last lines is as sound as with them: that is said where nothing disproves it.
 */
static void print_end(const struct serin_cli *cli, const struct report *report)
{
    uint64_t proven = proven_to(report);

    if (!report->head_given) {
        serin_cli_print(cli,
                        "%-10snot proven, lines cut off there do not show: give --live or "
                        "--head\n",
                        "end");
    } else if (proven > 0 && proven < report->verdict->head.seq) {
        serin_cli_print(cli, "%-10sproven up to seq %llu, where the head that was given stands\n",
                        "end", (unsigned long long)proven);
    }
}

static void print_figures(const struct serin_cli *cli, const struct report *report)
{
    const struct serin_audit_verdict *verdict = report->verdict;
    char head[SERIN_AUDIT_HEAD_SIZE];

    serin_audit_head_print(&verdict->head, head);
    serin_cli_print(cli, "%-10s%llu, seq %llu to %llu\n", "lines",
                    (unsigned long long)verdict->lines, (unsigned long long)verdict->seq_first,
                    (unsigned long long)verdict->head.seq);
    print_beginning(cli, verdict);
    if (verdict->torn > 0) {
        serin_cli_print(cli, "%-10s%llu places, by a crash; the lines behind them say so\n", "torn",
                        (unsigned long long)verdict->torn);
    }
    serin_cli_print(cli, "%-10s%s to %s\n", "time", verdict->time_first, verdict->time_last);
    serin_cli_print(
        cli, "%-10s%s%s\n", "head", head,
        verdict->place == SERIN_AUDIT_HEAD_MATCHED ? "; the head that was given is in it" : "");
    print_end(cli, report);
}

/* Why the files are no log at all; NULL: they are one, sound or not. Where a head is known the log
 * has been there, and what is in its place is a fault. */
static const char *no_log(const struct report *report)
{
    if (report->verdict->lines > 0 || report->head_given) {
        return NULL;
    }
    return !report->seen.any      ? "there is nothing to verify: not a line is in"
           : !report->seen.object ? "this is no audit log:"
                                  : NULL;
}

static enum serin_cli_exit tell(const struct serin_cli *cli, const struct report *report)
{
    const struct serin_audit_verdict *verdict = report->verdict;
    const char *why = no_log(report);

    if (cli->json) {
        print_json(cli, report);
    } else if (why == NULL) {
        print_faults(cli, report);
        if (verdict->lines > 0) {
            print_figures(cli, report);
        }
    }
    if (why != NULL) {
        (void)fflush(cli->world->out);
        return serin_cli_fail(cli, SERIN_CLI_INPUT, "%s %s%s", why, cli->args.operands[0],
                              cli->args.operand_count > 1 ? " and the others" : "");
    }
    if (sound(report)) {
        return SERIN_CLI_DONE;
    }
    for (size_t i = 0; i < kept_faults(verdict); i++) {
        const struct serin_audit_fault *fault = &verdict->faults[i];
        if (fault->kind == SERIN_AUDIT_REORDERED && fault->file > 0 && fault->line == 1) {
            serin_cli_note(cli, "rotated files are given oldest first");
        }
    }
    (void)fflush(cli->world->out);
    size_t faults = verdict->fault_count + (report->head_fault != NULL ? 1 : 0);
    return serin_cli_fail(cli, SERIN_CLI_REFUSED, "the audit log does not hold: %zu fault%s",
                          faults, faults > 1 ? "s" : "");
}

enum serin_cli_exit serin_cli_run_audit_verify(struct serin_cli *cli)
{
    struct report report = {.verdict = NULL};
    struct serin_audit_verifier *verifier = NULL;
    enum serin_cli_exit exit = known_head(cli, &report.known, &report.head_given);

    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    if (serin_audit_verifier_open(&verifier, cli->crypto,
                                  report.head_given ? &report.known : NULL) != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "memory is exhausted");
    }
    for (size_t i = 0; exit == SERIN_CLI_DONE && i < cli->args.operand_count; i++) {
        exit = feed_file(cli, cli->args.operands[i], verifier, &report.seen);
    }
    if (exit == SERIN_CLI_DONE) {
        report.verdict = serin_audit_verifier_end(verifier);
        judge_head(cli, &report);
        exit = tell(cli, &report);
    }
    serin_audit_verifier_close(verifier);
    return exit;
}

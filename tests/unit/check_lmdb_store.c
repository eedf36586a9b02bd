/*
 * The fleet store on LMDB in good times: records, transactions, walks, and who may open it. What
 * happens to it in bad ones is in check_lmdb_harm.c.
 *
 * Each test names the mutation that it was seen to catch.
 */
#define _GNU_SOURCE
#include "check_main.h"
#include "store_bench.h"

#include <serin/crc32.h>

#include <fcntl.h>
#include <lmdb.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- records ---- */

#define ck_same(kind, get, value)                         \
    do {                                                  \
        static struct kind found;                         \
        memset(&found, 0, sizeof found);                  \
        ck_assert_int_eq(get, SERIN_OK);                  \
        ck_assert_mem_eq(&found, &(value), sizeof found); \
    } while (0)

/* Caught: a field left out of a layout; a key that leaves out the attempt. */
START_TEST(every_kind_survives_a_restart)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct serin_meta_record meta = sample_meta(seed);
        struct serin_device_record device = sample_device(seed, "lamp-7", seed % 2 == 0);
        struct serin_attempt_record attempt = sample_attempt(seed, seed % 2 == 0);
        struct serin_release_record release = sample_release(seed);
        struct serin_stable_record stable = sample_stable(seed, "lamp", "beta");
        struct serin_rollout rollout = sample_rollout(seed, seed);
        struct serin_directive_record directive = sample_directive(seed, "serin/1/directive/l/b");
        struct serin_gateway_record gateway = sample_gateway(seed, "gw-1", seed % 2 == 0);
        uint8_t trust[SERIN_TRUST_PAYLOAD_MAX] = {(uint8_t)seed, 1, 2, 3}, got[8];
        size_t size = 0;
        begin(true);
        ck_assert_int_eq(store.ops->put_meta(store.ctx, &meta), SERIN_OK);
        ck_assert_int_eq(store.ops->put_device(store.ctx, &device), SERIN_OK);
        ck_assert_int_eq(store.ops->put_attempt(store.ctx, "lamp-7", &attempt), SERIN_OK);
        ck_assert_int_eq(store.ops->put_release(store.ctx, &release), SERIN_OK);
        ck_assert_int_eq(store.ops->put_stable(store.ctx, &stable), SERIN_OK);
        ck_assert_int_eq(store.ops->put_rollout(store.ctx, &rollout), SERIN_OK);
        ck_assert_int_eq(store.ops->put_directive(store.ctx, &directive), SERIN_OK);
        ck_assert_int_eq(store.ops->put_gateway(store.ctx, &gateway), SERIN_OK);
        ck_assert_int_eq(store.ops->put_trust(store.ctx, "lamp", trust, 4), SERIN_OK);
        commit();
        reopen();
        begin(false);
        ck_same(serin_meta_record, store.ops->get_meta(store.ctx, &found), meta);
        ck_same(serin_device_record, store.ops->get_device(store.ctx, "lamp-7", &found), device);
        ck_same(serin_attempt_record,
                store.ops->get_attempt(store.ctx, "lamp-7", attempt.manifest_id, attempt.attempt,
                                       &found),
                attempt);
        ck_same(serin_release_record,
                store.ops->get_release(store.ctx, release.manifest_id, &found), release);
        ck_same(serin_stable_record, store.ops->get_stable(store.ctx, "lamp", "beta", &found),
                stable);
        ck_same(serin_rollout, store.ops->get_rollout(store.ctx, seed, &found), rollout);
        ck_same(serin_directive_record,
                store.ops->get_directive(store.ctx, "serin/1/directive/l/b", &found), directive);
        ck_same(serin_gateway_record, store.ops->get_gateway(store.ctx, "gw-1", &found), gateway);
        ck_assert_int_eq(store.ops->get_trust(store.ctx, "lamp", got, sizeof got, &size), SERIN_OK);
        ck_assert_uint_eq(size, 4);
        ck_assert_mem_eq(got, trust, 4);
        ck_assert_int_eq(store.ops->get_trust(store.ctx, "lamp", got, 3, &size),
                         SERIN_ERR_TOO_LARGE);
        commit();
    }
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    uint8_t id[32] = {1};
    size_t size;
    static struct serin_meta_record meta;
    static struct serin_device_record device;
    static struct serin_attempt_record attempt;
    static struct serin_release_record release;
    static struct serin_stable_record stable;
    static struct serin_rollout rollout;
    static struct serin_directive_record directive;
    static struct serin_gateway_record gateway;
    begin(false);
    ck_assert_int_eq(store.ops->get_meta(store.ctx, &meta), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_device(store.ctx, "a", &device), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_attempt(store.ctx, "a", id, 1, &attempt), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_release(store.ctx, id, &release), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_stable(store.ctx, "a", "b", &stable), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_rollout(store.ctx, 1, &rollout), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_directive(store.ctx, "t", &directive), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_gateway(store.ctx, "a", &gateway), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_trust(store.ctx, "a", id, 32, &size), SERIN_ERR_NOT_FOUND);
    ck_assert_str_eq(serin_lmdb_store_trouble(lmdb), "");
    commit();
}
END_TEST

/* Caught: a field of a device left out, which shows only where whole records are compared. */
START_TEST(a_transaction_is_all_or_nothing)
{
    begin(true);
    ck_assert_int_eq(put_device("a", 1), SERIN_OK);
    ck_assert(device_is("a", 1));
    store.ops->abort(store.ctx);
    begin(false);
    ck_assert(device_is("a", 0));
    commit();
    begin(true);
    ck_assert_int_eq(put_device("a", 2), SERIN_OK);
    ck_assert_int_eq(put_device("a", 3), SERIN_OK);
    commit();
    reopen();
    begin(false);
    ck_assert(device_is("a", 3));
    store.ops->abort(store.ctx);
}
END_TEST

/* Caught: an error that is not kept; one that is kept beyond its transaction. */
START_TEST(a_failed_put_ends_its_transaction)
{
    begin(true);
    ck_assert_int_eq(put_device("a", 1), SERIN_OK);
    struct serin_device_record bad = sample_device(1, "b", false);
    bad.counter_count = SERIN_BEAT_COUNTERS_MAX + 1;
    ck_assert_int_eq(store.ops->put_device(store.ctx, &bad), SERIN_ERR_INVALID);
    ck_assert_int_eq(put_device("c", 1), SERIN_ERR_INVALID);
    ck_assert_int_eq(store.ops->get_device(store.ctx, "a", &bad), SERIN_ERR_INVALID);
    ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_ERR_INVALID);
    begin(true);
    ck_assert(device_is("a", 0));
    ck_assert_int_eq(put_device("a", 1), SERIN_OK);
    commit();
}
END_TEST

/* ---- walks ---- */

static bool note_attempt(void *arg, const struct serin_attempt_record *record)
{
    struct list *list = arg;
    char text[32];
    snprintf(text, sizeof text, "%02x.%u ", record->manifest_id[0], record->attempt);
    strcat(list->text, text);
    return --list->left != 0;
}

static bool note_member(void *arg, const struct serin_member_record *record)
{
    struct list *list = arg;
    strcat(strcat(list->text, record->device_id), " ");
    return --list->left != 0;
}

static bool note_rollout(void *arg, const struct serin_rollout *rollout)
{
    struct list *list = arg;
    char text[32];
    snprintf(text, sizeof text, "%llu ", (unsigned long long)rollout->id);
    strcat(list->text, text);
    return --list->left != 0;
}

static const char *fleet(const char *product, const char *channel, const char *after, int left)
{
    static struct list list;
    list = (struct list){.left = left};
    ck_assert_int_eq(
        store.ops->each_fleet_device(store.ctx, product, channel, after, note_device, &list),
        SERIN_OK);
    return list.text;
}

/* Caught: `after` visited again; an end of the prefix that is not seen; the index left behind when
 * a device moves. */
START_TEST(walks_are_ranges_in_order)
{
    begin(true);
    put_placed("c", "lamp", "beta");
    put_placed("a", "lamp", "stable");
    put_placed("b", "lamp", "beta");
    put_placed("ab", "lamp", "bet");
    put_placed("d", "lam", "beta");
    commit();
    begin(true);
    ck_assert_str_eq(devices(NULL, 0), "a ab b c d ");
    ck_assert_str_eq(devices("ab", 0), "b c d ");
    ck_assert_str_eq(devices("aa", 2), "ab b ");
    ck_assert_str_eq(devices("d", 0), "");
    ck_assert_str_eq(fleet("lamp", "beta", NULL, 0), "b c ");
    ck_assert_str_eq(fleet("lamp", "beta", NULL, 1), "b ");
    ck_assert_str_eq(fleet("lamp", "beta", "b", 0), "c ");
    ck_assert_str_eq(fleet("lamp", "bet", NULL, 0), "ab ");
    ck_assert_str_eq(fleet("lam", "beta", NULL, 0), "d ");
    ck_assert_str_eq(fleet("la", "beta", NULL, 0), "");
    put_placed("b", "lamp", "stable");
    ck_assert_str_eq(fleet("lamp", "beta", NULL, 0), "c ");
    ck_assert_str_eq(fleet("lamp", "stable", NULL, 0), "a b ");
    commit();
}
END_TEST

static bool note_trust(void *arg, const uint8_t *record, size_t size)
{
    struct list *list = arg;
    char text[64];
    snprintf(text, sizeof text, "%u:%zu ", record[0], size);
    strcat(list->text, text);
    return --list->left != 0;
}

/* Caught: a trust record of no size stored. */
START_TEST(trust_records_are_walked)
{
    char longest[SERIN_PRODUCT_MAX + 1];
    memset(longest, 'z', SERIN_PRODUCT_MAX);
    longest[SERIN_PRODUCT_MAX] = '\0';
    uint8_t record[3] = {7};
    begin(true);
    ck_assert_int_eq(store.ops->put_trust(store.ctx, longest, record, 1), SERIN_OK);
    ck_assert_int_eq(store.ops->put_trust(store.ctx, "lamp", record, 3), SERIN_OK);
    ck_assert_int_eq(store.ops->put_trust(store.ctx, "la", record, 2), SERIN_OK);
    struct list list = {.left = 0};
    ck_assert_int_eq(store.ops->each_trust(store.ctx, note_trust, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "7:2 7:3 7:1 ");
    list = (struct list){.left = 1};
    ck_assert_int_eq(store.ops->each_trust(store.ctx, note_trust, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "7:2 ");
    ck_assert_int_eq(store.ops->put_trust(store.ctx, "lamp", record, 0), SERIN_ERR_INVALID);
    ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_ERR_INVALID);
}
END_TEST

START_TEST(members_and_attempts_keep_to_their_own)
{
    static const uint64_t rollouts[] = {256, 1, 2, 255, UINT64_MAX};
    begin(true);
    for (size_t i = 0; i < 5; i++) {
        struct serin_rollout rollout = sample_rollout(i + 1, rollouts[i]);
        ck_assert_int_eq(store.ops->put_rollout(store.ctx, &rollout), SERIN_OK);
        char id[8];
        snprintf(id, sizeof id, "m%zu", i);
        for (int twice = 0; twice < 2; twice++) {
            struct serin_member_record member = sample_member(i + 1, rollouts[i], id);
            ck_assert_int_eq(store.ops->put_member(store.ctx, &member), SERIN_OK);
            strcpy(id, "same");
        }
    }
    static const struct {
        const char *device;
        uint8_t manifest;
        uint32_t attempt;
    } attempts[] = {{"a", 2, 1}, {"a", 1, 300}, {"a", 1, 2}, {"ab", 1, 1}, {"b", 1, 1}};
    for (size_t i = 0; i < 5; i++) {
        struct serin_attempt_record record = sample_attempt(i + 1, false);
        memset(record.manifest_id, attempts[i].manifest, 32);
        record.attempt = attempts[i].attempt;
        ck_assert_int_eq(store.ops->put_attempt(store.ctx, attempts[i].device, &record), SERIN_OK);
    }
    commit();
    begin(false);
    struct list list = {.left = 0};
    ck_assert_int_eq(store.ops->each_rollout(store.ctx, note_rollout, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "1 2 255 256 18446744073709551615 ");
    for (size_t i = 0; i < 5; i++) {
        char want[16];
        snprintf(want, sizeof want, "m%zu same ", i);
        list = (struct list){.left = 0};
        ck_assert_int_eq(store.ops->each_member(store.ctx, rollouts[i], note_member, &list),
                         SERIN_OK);
        ck_assert_str_eq(list.text, want);
    }
    list = (struct list){.left = 0};
    ck_assert_int_eq(store.ops->each_attempt(store.ctx, "a", note_attempt, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "01.2 01.300 02.1 ");
    commit();
    uint8_t manifest[32];
    memset(manifest, 1, sizeof manifest);
    begin(true);
    uint64_t used = 0;
    ck_assert_int_eq(store.ops->used_bytes(store.ctx, &used), SERIN_OK);
    ck_assert_uint_gt(used, 0);
    ck_assert_uint_lt(used, 64 * MIB);
    ck_assert_int_eq(store.ops->delete_attempt(store.ctx, "a", manifest, 300), SERIN_OK);
    ck_assert_int_eq(store.ops->delete_attempt(store.ctx, "a", manifest, 300), SERIN_ERR_NOT_FOUND);
    commit();
    begin(false);
    list = (struct list){.left = 0};
    ck_assert_int_eq(store.ops->each_attempt(store.ctx, "a", note_attempt, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "01.2 02.1 ");
    commit();
}
END_TEST

/* ---- one process ---- */

/* Caught: the lock taken shared. */
START_TEST(a_second_process_is_refused)
{
    struct serin_lmdb_store *other = (void *)folder;
    ck_assert_int_eq(serin_lmdb_store_open(&other, folder, 64 * MIB), SERIN_ERR_BUSY);
    ck_assert_ptr_null(other);
    pid_t child = fork();
    if (child == 0) {
        _exit(serin_lmdb_store_open(&other, folder, 64 * MIB) == SERIN_ERR_BUSY ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    reopen();
}
END_TEST

START_TEST(opening_says_what_is_wrong)
{
    struct serin_lmdb_store *other = NULL;
    ck_assert_int_eq(serin_lmdb_store_open(&other, "/tmp/serin-none/x", MIB), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_lmdb_store_open(&other, folder, MIB - 1), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_lmdb_store_open(&other, folder, SERIN_LMDB_MAP_MAX + 1),
                     SERIN_ERR_INVALID);
    char path[128];
    serin_lmdb_store_close(lmdb);
    lmdb = NULL;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    int fd = open(path, O_RDWR | O_TRUNC);
    ck_assert_int_ge(fd, 0);
    char noise[8192];
    memset(noise, 0x5A, sizeof noise);
    ck_assert_int_eq(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    ck_assert_int_eq(serin_lmdb_store_open(&lmdb, folder, MIB), SERIN_ERR_FORMAT);
    ck_assert_ptr_null(lmdb);
}
END_TEST

/* ---- stores of older versions ---- */

/* Turns the record of a direct device into one of version 1, which ends before the gateway: its
 * empty text is one byte, its own account sixteen, and then comes what is stored of its health. */
static void make_older(MDB_txn *txn, MDB_dbi table, char *id)
{
    MDB_val key = {.mv_size = strlen(id), .mv_data = id};
    MDB_val found;
    uint8_t bytes[2048];
    ck_assert_int_eq(mdb_get(txn, table, &key, &found), MDB_SUCCESS);
    size_t body = found.mv_size - 4 - 1 - offsetof(struct serin_health, resumed_s) - 16 - 1;
    ck_assert_uint_lt(body + 4, sizeof bytes);
    memcpy(bytes, found.mv_data, body);
    ck_assert_uint_eq(((const uint8_t *)found.mv_data)[body], 0);
    bytes[1] = 1;
    serin_put_le32(bytes + body, serin_crc32(serin_crc32(0, id, strlen(id)), bytes, body));
    MDB_val older = {.mv_size = body + 4, .mv_data = bytes};
    ck_assert_int_eq(mdb_put(txn, table, &key, &older, 0), MDB_SUCCESS);
}

/* Makes the store one of before there were gateways: their table is gone, devices are of version 1.
 */
static void make_store_older(char *id)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi gateways, table;
    serin_lmdb_store_close(lmdb);
    ck_assert_int_eq(mdb_env_create(&env), MDB_SUCCESS);
    ck_assert_int_eq(mdb_env_set_mapsize(env, 64 * MIB), MDB_SUCCESS);
    ck_assert_int_eq(mdb_env_set_maxdbs(env, 16), MDB_SUCCESS);
    ck_assert_int_eq(mdb_env_open(env, folder, MDB_NOTLS, 0600), MDB_SUCCESS);
    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), MDB_SUCCESS);
    ck_assert_int_eq(mdb_dbi_open(txn, "gateways", 0, &gateways), MDB_SUCCESS);
    ck_assert_int_eq(mdb_drop(txn, gateways, 1), MDB_SUCCESS);
    ck_assert_int_eq(mdb_dbi_open(txn, "devices", 0, &table), MDB_SUCCESS);
    make_older(txn, table, id);
    ck_assert_int_eq(mdb_txn_commit(txn), MDB_SUCCESS);
    mdb_env_close(env);
    open_store(64 * MIB);
}

/* Caught: the new table not made; the new field read from an older record. */
START_TEST(a_store_of_before_gateways_goes_on)
{
    char id[] = "lamp-7";
    struct serin_device_record device = sample_device(3, id, true);
    struct serin_gateway_record gateway = sample_gateway(3, "gw-1", true);
    device.gateway[0] = '\0';
    memset(device.gateway, 0, sizeof device.gateway);
    memset(&device.own, 0, sizeof device.own);
    memset(&device.health, 0, sizeof device.health);
    device.takes = 0;
    begin(true);
    ck_assert_int_eq(store.ops->put_device(store.ctx, &device), SERIN_OK);
    commit();
    make_store_older(id);
    begin(true);
    ck_same(serin_device_record, store.ops->get_device(store.ctx, id, &found), device);
    strcpy(device.gateway, "gw-1");
    ck_assert_int_eq(store.ops->put_device(store.ctx, &device), SERIN_OK);
    ck_assert_int_eq(store.ops->put_gateway(store.ctx, &gateway), SERIN_OK);
    commit();
    reopen();
    begin(false);
    ck_same(serin_device_record, store.ops->get_device(store.ctx, id, &found), device);
    ck_same(serin_gateway_record, store.ops->get_gateway(store.ctx, "gw-1", &found), gateway);
    commit();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_kind_survives_a_restart,   what_is_not_there_is_not_found,
        a_transaction_is_all_or_nothing, a_failed_put_ends_its_transaction,
        walks_are_ranges_in_order,       members_and_attempts_keep_to_their_own,
        trust_records_are_walked,        a_second_process_is_refused,
        opening_says_what_is_wrong,      a_store_of_before_gateways_goes_on,
    };
    Suite *suite = suite_create("lmdb_store");
    TCase *each = tcase_create("each");
    tcase_set_timeout(each, 60);
    tcase_add_checked_fixture(each, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(each, tests[i]);
    }
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

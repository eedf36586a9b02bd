/*
 * The gateway's store on LMDB: what is committed is there after anything that can happen to the
 * process, and whatever is wrong with a record's bytes is found and named. Disks that fail under
 * the shared environment are check_lmdb_harm.c's.
 *
 * Each test names the mutation that it was seen to catch.
 */
#define _GNU_SOURCE
#include "check_killed.h"
#include "gateway_record.h"

#include <serin/adapters/gateway_store.h>
#include <serin/adapters/lmdb_store.h>
#include <serin/bytes.h>
#include <serin/crc32.h>

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static char folder[64];
static struct serin_lmdb_gateway *lmdb;
static struct serin_gateway_store store;

/* ---- the bench ---- */

static void open_store(uint64_t size)
{
    enum serin_error error = serin_lmdb_gateway_open(&lmdb, folder, size);
    ck_assert_msg(error == SERIN_OK, "open: %s", serin_error_text(error));
    store = serin_lmdb_gateway_port(lmdb);
}

static void reopen(void)
{
    serin_lmdb_gateway_close(lmdb);
    open_store(16 * MIB);
}

static void setup(void)
{
    strcpy(folder, "/tmp/serin-gateway-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    open_store(16 * MIB);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

static void teardown(void)
{
    serin_lmdb_gateway_close(lmdb);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void begin(bool write)
{
    ck_assert_int_eq(store.ops->begin(store.ctx, write), SERIN_OK);
}

static void commit(void)
{
    ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_OK);
}

/* ---- records from a seed ---- */

static uint64_t dice(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return z ^ z >> 31;
}

static void fill(uint64_t *seed, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)dice(seed);
    }
}

static struct serin_gateway_meta sample_meta(uint64_t seed)
{
    struct serin_gateway_meta meta;
    memset(&meta, 0, sizeof meta);
    meta.incarnation = 1 + dice(&seed) / 2;
    meta.batch_number = dice(&seed);
    meta.queue_number = dice(&seed);
    meta.signed_s = dice(&seed);
    meta.signed_at_ms = dice(&seed);
    fill(&seed, meta.boot_id, sizeof meta.boot_id);
    meta.fetched_bytes = dice(&seed);
    meta.refetched_bytes = dice(&seed);
    meta.uplink_sent = dice(&seed);
    meta.uplink_got = dice(&seed);
    meta.uplink_messages = dice(&seed);
    meta.transitions = dice(&seed);
    meta.rotten = (uint32_t)dice(&seed);
    meta.served_bytes = dice(&seed);
    meta.served_heard = dice(&seed);
    return meta;
}

static struct serin_node_record sample_node(uint64_t seed, const char *id, bool queued)
{
    struct serin_node_record node;
    memset(&node, 0, sizeof node);
    strcpy(node.id, id);
    snprintf(node.product, sizeof node.product, "lamp-%d", (int)(dice(&seed) % 1000));
    snprintf(node.channel, sizeof node.channel, "beta-%d", (int)(dice(&seed) % 1000));
    node.hardware = (uint16_t)dice(&seed);
    node.first_seen_s = dice(&seed);
    node.last_seen_s = dice(&seed);
    node.standing = (enum serin_ack_status)(dice(&seed) % 5);
    node.incarnation = dice(&seed);
    node.number = dice(&seed);
    node.acked_number = dice(&seed);
    node.transitions = (uint32_t)dice(&seed);
    fill(&seed, node.failed_manifest, sizeof node.failed_manifest);
    node.failed_attempt = (uint32_t)dice(&seed);
    node.failed_reason = (enum serin_reason)(dice(&seed) % SERIN_REASON_COUNT);
    fill(&seed, node.confirmed_manifest, sizeof node.confirmed_manifest);
    node.confirmed_attempt = (uint32_t)dice(&seed);
    if (queued) {
        node.queue_number = 1 + dice(&seed) / 2;
        node.queued_s = dice(&seed);
        node.report_size = 1 + dice(&seed) % SERIN_REPORT_MAX;
        fill(&seed, node.report, node.report_size);
    }
    return node;
}

static struct serin_order_record sample_order(uint64_t seed, const char *topic)
{
    struct serin_order_record order;
    memset(&order, 0, sizeof order);
    strcpy(order.topic, topic);
    order.taken_at_ms = dice(&seed);
    fill(&seed, order.boot_id, sizeof order.boot_id);
    order.payload_size = seed % 3 == 0 ? sizeof order.payload : 1 + dice(&seed) % 512;
    fill(&seed, order.payload, order.payload_size);
    return order;
}

static void put_node(const char *id, uint64_t seed)
{
    struct serin_node_record node = sample_node(seed, id, true);
    ck_assert_int_eq(store.ops->put_node(store.ctx, &node), SERIN_OK);
}

static bool node_is(const char *id, uint64_t seed)
{
    static struct serin_node_record found;
    struct serin_node_record want = sample_node(seed, id, true);
    return store.ops->get_node(store.ctx, id, &found) == SERIN_OK &&
           memcmp(&found, &want, sizeof want) == 0;
}

/* ---- good times ---- */

/* Caught: a field left out of a layout; the report's size not written. */
START_TEST(every_record_survives_a_restart)
{
    static struct serin_node_record found_node;
    static struct serin_order_record found_order;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct serin_gateway_meta meta = sample_meta(seed), found_meta;
        struct serin_node_record node = sample_node(seed, "n-1", seed % 2 == 0);
        struct serin_order_record order = sample_order(seed, "serin/1/directive/lamp/stable");
        begin(true);
        ck_assert_int_eq(store.ops->put_meta(store.ctx, &meta), SERIN_OK);
        ck_assert_int_eq(store.ops->put_node(store.ctx, &node), SERIN_OK);
        ck_assert_int_eq(store.ops->put_order(store.ctx, &order), SERIN_OK);
        commit();
        reopen();
        begin(false);
        memset(&found_meta, 0, sizeof found_meta);
        ck_assert_int_eq(store.ops->get_meta(store.ctx, &found_meta), SERIN_OK);
        ck_assert_mem_eq(&found_meta, &meta, sizeof meta);
        ck_assert_int_eq(store.ops->get_node(store.ctx, "n-1", &found_node), SERIN_OK);
        ck_assert_mem_eq(&found_node, &node, sizeof node);
        ck_assert_int_eq(
            store.ops->get_order(store.ctx, "serin/1/directive/lamp/stable", &found_order),
            SERIN_OK);
        ck_assert_mem_eq(&found_order, &order, sizeof order);
        commit();
    }
}
END_TEST

struct list {
    char text[256];
    int left;
};

static bool note_node(void *arg, const struct serin_node_record *record)
{
    static struct serin_node_record other;
    struct list *list = arg;
    /* A visitor may read: what it is shown stays. */
    (void)store.ops->get_node(store.ctx, "a", &other);
    strcat(strcat(list->text, record->id), " ");
    return --list->left != 0;
}

static bool note_order(void *arg, const struct serin_order_record *record)
{
    struct list *list = arg;
    strcat(strcat(list->text, record->topic), " ");
    return --list->left != 0;
}

/* Caught: a walk that does not stop; a visitor's read that changes what it is shown. */
START_TEST(walks_go_in_order_and_stop)
{
    struct list list = {.left = 0};
    struct serin_order_record order = sample_order(1, "t-2");
    begin(true);
    put_node("c", 1);
    put_node("a", 2);
    put_node("b", 3);
    ck_assert_int_eq(store.ops->put_order(store.ctx, &order), SERIN_OK);
    strcpy(order.topic, "t-1");
    ck_assert_int_eq(store.ops->put_order(store.ctx, &order), SERIN_OK);
    ck_assert_int_eq(store.ops->each_node(store.ctx, note_node, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "a b c ");
    list = (struct list){.left = 2};
    ck_assert_int_eq(store.ops->each_node(store.ctx, note_node, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "a b ");
    list = (struct list){.left = 0};
    ck_assert_int_eq(store.ops->each_order(store.ctx, note_order, &list), SERIN_OK);
    ck_assert_str_eq(list.text, "t-1 t-2 ");
    commit();
}
END_TEST

/* Caught: a delete that ends the transaction when there is nothing to delete. */
START_TEST(deleted_nodes_are_gone)
{
    static struct serin_node_record node;
    static struct serin_gateway_meta meta;
    static struct serin_order_record order;
    begin(true);
    put_node("a", 1);
    ck_assert_int_eq(store.ops->delete_node(store.ctx, "b"), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->delete_node(store.ctx, "a"), SERIN_OK);
    put_node("b", 2);
    commit();
    begin(false);
    ck_assert_int_eq(store.ops->get_node(store.ctx, "a", &node), SERIN_ERR_NOT_FOUND);
    ck_assert(node_is("b", 2));
    ck_assert_int_eq(store.ops->get_meta(store.ctx, &meta), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(store.ops->get_order(store.ctx, "t", &order), SERIN_ERR_NOT_FOUND);
    commit();
}
END_TEST

/* Caught: the lock not taken; a fleet store taken for a gateway's. */
START_TEST(a_second_opener_and_another_store_are_refused)
{
    struct serin_lmdb_gateway *second = NULL;
    struct serin_lmdb_store *fleet = NULL;
    ck_assert_int_eq(serin_lmdb_gateway_open(&second, folder, 16 * MIB), SERIN_ERR_BUSY);
    ck_assert_ptr_null(second);
    serin_lmdb_gateway_close(lmdb);
    lmdb = NULL;
    ck_assert_int_eq(serin_lmdb_store_open(&fleet, folder, 16 * MIB), SERIN_ERR_FORMAT);
    open_store(16 * MIB);
    ck_assert_int_eq(serin_lmdb_gateway_open(&second, "/nowhere/at/all", 16 * MIB),
                     SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_lmdb_gateway_open(&second, folder, MIB - 1), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_lmdb_gateway_open(&second, folder, (MIB << 10) + 1), SERIN_ERR_INVALID);
}
END_TEST

/* Changes each run of `from` in the file, while the store is closed. */
static int patch(const void *from, const void *to, size_t size)
{
    char path[96];
    serin_lmdb_gateway_close(lmdb);
    lmdb = NULL;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    int fd = open(path, O_RDWR), places = 0;
    ck_assert_int_ge(fd, 0);
    off_t end = lseek(fd, 0, SEEK_END);
    char *data = malloc((size_t)end);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(pread(fd, data, (size_t)end, 0), end);
    for (size_t at = 0; at + size < (size_t)end; at++) {
        if (memcmp(data + at, from, size) == 0) {
            memcpy(data + at, to, size);
            places++;
        }
    }
    ck_assert_int_eq(pwrite(fd, data, (size_t)end, 0), end);
    free(data);
    close(fd);
    return places;
}

/* Caught: the version of the whole not compared. */
START_TEST(a_later_stores_format_is_refused_as_such)
{
    ck_assert_int_ge(patch("format\1\0\1", "format\2\0\1", 9), 1);
    ck_assert_int_eq(serin_lmdb_gateway_open(&lmdb, folder, 16 * MIB), SERIN_ERR_VERSION);
    ck_assert_ptr_null(lmdb);
}
END_TEST

/* ---- bad times ---- */

/* Whether a process that opens the store and does `work` is killed; the store is open anew then. */
static bool dies(void (*work)(void), const char *fault)
{
    serin_lmdb_gateway_close(lmdb);
    lmdb = NULL;
    bool killed = check_killed(work, fault);
    open_store(16 * MIB);
    return killed;
}

static void write_nodes(uint64_t seed)
{
    begin(true);
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "n-%d", i);
        put_node(id, seed + (uint64_t)i);
    }
}

static void die_between(void)
{
    open_store(16 * MIB);
    write_nodes(1000);
    raise(SIGKILL);
}

static void die_at_the_fault_point(void)
{
    open_store(16 * MIB);
    write_nodes(1000);
    (void)store.ops->commit(store.ctx);
}

static uint64_t nodes_seed(void)
{
    begin(false);
    uint64_t seed = node_is("n-0", 1000) ? 1000 : 1;
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "n-%d", i);
        ck_assert_msg(node_is(id, seed + (uint64_t)i), "%s is not of %d", id, (int)seed);
    }
    commit();
    return seed;
}

/* Caught: a commit for every record. */
START_TEST(a_killed_gateway_leaves_the_last_commit)
{
    write_nodes(1);
    commit();
    ck_assert(dies(die_between, ""));
    ck_assert_uint_eq(nodes_seed(), 1);
#ifdef SERIN_FAULT_POINTS
    ck_assert(dies(die_at_the_fault_point, "store.commit.before:1"));
    ck_assert_uint_eq(nodes_seed(), 1);
    ck_assert(dies(die_at_the_fault_point, "store.commit.after:1"));
    ck_assert_uint_eq(nodes_seed(), 1000);
#endif
    (void)die_at_the_fault_point;
}
END_TEST

/* Caught: the failure of a put forgotten by the commit. */
START_TEST(a_full_map_refuses_and_goes_on)
{
    serin_lmdb_gateway_close(lmdb);
    open_store(MIB);
    write_nodes(1);
    commit();
    enum serin_error error = SERIN_OK;
    begin(true);
    for (int i = 0; error == SERIN_OK && i < 10000; i++) {
        char id[24];
        snprintf(id, sizeof id, "more-%d", i);
        struct serin_node_record node = sample_node(7, id, true);
        error = store.ops->put_node(store.ctx, &node);
    }
    ck_assert_int_eq(error, SERIN_ERR_NO_SPACE);
    ck_assert_str_ne(serin_lmdb_gateway_trouble(lmdb), "");
    ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_ERR_NO_SPACE);
    ck_assert_uint_eq(nodes_seed(), 1);
    begin(true);
    ck_assert_int_eq(store.ops->delete_node(store.ctx, "n-99"), SERIN_OK);
    put_node("n-99", 100); /* what is known is still taken: records are replaced */
    commit();
    ck_assert_uint_eq(nodes_seed(), 1);
}
END_TEST

/* Caught: the CRC not compared; a walk that stops at the damage, or that hides it. */
/* ---- a disk that is full from the start ---- */

/* Takes one page of it: the smallest has none left. */
static void page_fill(const char *place)
{
    static const char page[4096];
    char path[128];
    (void)snprintf(path, sizeof path, "%s/filler", place);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, page, sizeof page), sizeof page);
    ck_assert_int_eq(close(fd), 0);
}

/* Opens and closes the store in `place`; dies of what a full disk does to a mapped file. */
static enum serin_error open_in_child(const char *place)
{
    int status = 0;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct serin_lmdb_gateway *opened = NULL;
        (void)signal(SIGBUS, SIG_DFL); /* a sanitizer would make an exit of it */
        enum serin_error error = serin_lmdb_gateway_open(&opened, place, MIB);
        serin_lmdb_gateway_close(opened);
        _exit((int)error);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    return (enum serin_error)WEXITSTATUS(status);
}

/* Seen to catch: no room made for lock.mdb (SIGBUS), a short write told as EIO, what is left of a
 * store that could not be made kept (it is no store at the next start). */
START_TEST(a_disk_too_small_for_a_store_is_told)
{
    char place[96];
    unsigned refused = 0;
    (void)snprintf(place, sizeof place, "%s/small", folder);
    ck_assert_int_eq(mkdir(place, 0700), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", place, "tmpfs", 0, "size=4k") != 0) {
        (void)printf("left out: may not mount a tmpfs\n");
        return;
    }
    for (unsigned kib = 4; kib <= 128; kib += 4) {
        char size[32];
        ck_assert_int_eq(umount(place), 0);
        (void)snprintf(size, sizeof size, "size=%uk", kib);
        ck_assert_int_eq(mount("none", place, "tmpfs", 0, size), 0);
        page_fill(place);
        enum serin_error error = open_in_child(place);
        ck_assert_msg(error == SERIN_OK || error == SERIN_ERR_NO_SPACE, "%u KiB: %s", kib,
                      serin_error_text(error));
        refused += error == SERIN_ERR_NO_SPACE;
        ck_assert_int_eq(mount("none", place, "tmpfs", MS_REMOUNT, "size=1m"), 0);
        error = open_in_child(place);
        ck_assert_msg(error == SERIN_OK, "%u KiB, then room: %s", kib, serin_error_text(error));
    }
    ck_assert_int_eq(umount(place), 0);
    ck_assert_uint_ge(refused, 3);
    ck_assert_uint_lt(refused, 32);
}
END_TEST

START_TEST(a_damaged_record_is_named_and_the_rest_lives)
{
    static struct serin_node_record record;
    begin(true);
    put_node("node-1", 1);
    put_node("node-2-rots", 2);
    put_node("node-3", 3);
    commit();
    /* The kind, the version and the id of its record, as they stand behind the key. */
    ck_assert_int_ge(patch("rots\2\1\13node", "rots\2\1\13nope", 11), 1);
    open_store(16 * MIB);
    begin(true);
    ck_assert_int_eq(store.ops->get_node(store.ctx, "node-2-rots", &record), SERIN_ERR_FORMAT);
    ck_assert_str_eq(serin_lmdb_gateway_trouble(lmdb),
                     "record nodes/node-2-rots: a CRC does not match");
    struct list list = {.left = 0};
    ck_assert_int_eq(store.ops->each_node(store.ctx, note_node, &list), SERIN_ERR_FORMAT);
    ck_assert_str_eq(list.text, "node-1 node-3 ");
    put_node("node-2-rots", 4); /* a sound record takes its place */
    list = (struct list){.left = 0};
    ck_assert_int_eq(store.ops->each_node(store.ctx, note_node, &list), SERIN_OK);
    commit();
}
END_TEST

/* ---- records as bytes ---- */

static const struct record_key key = {.size = 3, .bytes = "n-1"};

static size_t encoded(enum gateway_kind kind, uint8_t bytes[RECORD_MAX])
{
    static union gateway_value value;
    size_t size = 0;
    memset(&value, 0, sizeof value);
    if (kind == GATEWAY_META) {
        value.meta = sample_meta(3);
    } else if (kind == GATEWAY_NODE) {
        value.node = sample_node(3, "n-1", true);
    } else {
        value.order = sample_order(4, "topic");
    }
    ck_assert_int_eq(gateway_record_encode(kind, &key, &value, bytes, &size), SERIN_OK);
    return size;
}

static enum serin_error decode(enum gateway_kind kind, const uint8_t *bytes, size_t size)
{
    static union gateway_value value;
    uint8_t *copy = malloc(size > 0 ? size : 1); /* exact, for the sanitizer */
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    enum serin_error error = gateway_record_decode(kind, key.bytes, key.size, copy, size, &value);
    free(copy);
    return error;
}

static void reseal(uint8_t *bytes, size_t size)
{
    uint32_t crc = serin_crc32(serin_crc32(0, key.bytes, key.size), bytes, size - 4);
    serin_put_le32(bytes + size - 4, crc);
}

/* Caught: the CRC not compared, or the key left out of it; a cut not seen. */
START_TEST(every_damage_is_found)
{
    uint8_t bytes[RECORD_MAX];
    static union gateway_value value;
    for (int kind = GATEWAY_META; kind < GATEWAY_KIND_COUNT; kind++) {
        size_t size = encoded((enum gateway_kind)kind, bytes);
        ck_assert_int_eq(decode((enum gateway_kind)kind, bytes, size), SERIN_OK);
        for (size_t bit = 0; bit < size * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            ck_assert_int_eq(decode((enum gateway_kind)kind, bytes, size), SERIN_ERR_CRC);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t cut = 0; cut < size; cut++) {
            ck_assert_int_ne(decode((enum gateway_kind)kind, bytes, cut), SERIN_OK);
        }
        ck_assert_int_eq(
            gateway_record_decode((enum gateway_kind)kind, "n-2", 3, bytes, size, &value),
            SERIN_ERR_CRC);
        /* Sealed anew, only the fields can give it away. */
        for (size_t cut = 6; cut < size; cut++) {
            uint8_t part[RECORD_MAX];
            memcpy(part, bytes, cut);
            reseal(part, cut);
            ck_assert_int_ne(decode((enum gateway_kind)kind, part, cut), SERIN_OK);
        }
        uint8_t version = bytes[1];
        bytes[1]++;
        reseal(bytes, size);
        ck_assert_int_eq(decode((enum gateway_kind)kind, bytes, size), SERIN_ERR_VERSION);
        bytes[1] = 0;
        reseal(bytes, size);
        ck_assert_int_eq(decode((enum gateway_kind)kind, bytes, size), SERIN_ERR_FORMAT);
        bytes[1] = version;
        bytes[0] ^= 1;
        reseal(bytes, size);
        ck_assert_int_eq(decode((enum gateway_kind)kind, bytes, size), SERIN_ERR_FORMAT);
        bytes[0] ^= 1;
        bytes[size] = 0; /* one byte more than its fields */
        reseal(bytes, size + 1);
        ck_assert_int_eq(decode((enum gateway_kind)kind, bytes, size + 1), SERIN_ERR_FORMAT);
    }
}
END_TEST

/* Caught: the fields of version 2 asked for in a record of version 1; a value from nowhere. */
START_TEST(the_gateways_record_of_version_1_is_read)
{
    uint8_t bytes[RECORD_MAX];
    union gateway_value value;
    const struct serin_gateway_meta meta = sample_meta(3);
    size_t size = encoded(GATEWAY_META, bytes);
    ck_assert_int_eq(bytes[1], 2);
    bytes[1] = 1;
    reseal(bytes, size);
    ck_assert_int_eq(decode(GATEWAY_META, bytes, size), SERIN_ERR_FORMAT);
    size -= 16;
    reseal(bytes, size);
    memset(&value, 0xa5, sizeof value);
    ck_assert_int_eq(gateway_record_decode(GATEWAY_META, key.bytes, key.size, bytes, size, &value),
                     SERIN_OK);
    ck_assert_uint_eq(value.meta.incarnation, meta.incarnation);
    ck_assert_uint_eq(value.meta.rotten, meta.rotten);
    ck_assert_uint_eq(value.meta.served_bytes, 0);
    ck_assert_uint_eq(value.meta.served_heard, 0);
}
END_TEST

/* What decodes at all is a record that this code could have written. Caught: a field that is read
 * without a bound, or otherwise than it is written. */
START_TEST(noise_decodes_to_what_can_be_written_or_not_at_all)
{
    static union gateway_value value;
    uint8_t bytes[RECORD_MAX], again[RECORD_MAX];
    uint64_t seed = 9;
    unsigned sound = 0;
    for (int turn = 0; turn < 30000; turn++) {
        enum gateway_kind kind = (enum gateway_kind)(GATEWAY_META + turn % 3);
        size_t size = encoded(kind, bytes), written = 0;
        for (uint64_t changes = 1 + dice(&seed) % 4; changes > 0; changes--) {
            bytes[2 + dice(&seed) % (size - 6)] = (uint8_t)dice(&seed);
        }
        reseal(bytes, size);
        if (gateway_record_decode(kind, key.bytes, key.size, bytes, size, &value) == SERIN_OK) {
            ck_assert_int_eq(gateway_record_encode(kind, &key, &value, again, &written), SERIN_OK);
            ck_assert_uint_eq(written, size);
            ck_assert_mem_eq(again, bytes, size);
            sound++;
        }
    }
    ck_assert_uint_gt(sound, 1000);
}
END_TEST

/* Caught: a bound left out of a layout. */
START_TEST(values_outside_their_bounds_are_not_stored)
{
    static struct serin_node_record node;
    static struct serin_order_record order;
    struct serin_gateway_meta meta = sample_meta(1);
    meta.incarnation = 0;
    begin(true);
    ck_assert_int_eq(store.ops->put_meta(store.ctx, &meta), SERIN_ERR_INVALID);
    ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_ERR_INVALID);
    for (int wrong = 0; wrong < 5; wrong++) {
        node = sample_node(2, "n-1", true);
        order = sample_order(2, "t");
        enum serin_error error = SERIN_OK;
        begin(true);
        if (wrong == 0) {
            node.report_size = SERIN_REPORT_MAX + 1;
            error = store.ops->put_node(store.ctx, &node);
        } else if (wrong == 1) {
            node.queue_number = 0; /* bytes without a place */
            error = store.ops->put_node(store.ctx, &node);
        } else if (wrong == 2) {
            node.standing = (enum serin_ack_status)5;
            error = store.ops->put_node(store.ctx, &node);
        } else if (wrong == 3) {
            order.payload_size = 0;
            error = store.ops->put_order(store.ctx, &order);
        } else {
            order.payload_size = sizeof order.payload + 1;
            error = store.ops->put_order(store.ctx, &order);
        }
        ck_assert_msg(error == SERIN_ERR_INVALID, "case %d", wrong);
        ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_ERR_INVALID);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_record_survives_a_restart,
        walks_go_in_order_and_stop,
        deleted_nodes_are_gone,
        a_second_opener_and_another_store_are_refused,
        a_later_stores_format_is_refused_as_such,
        a_killed_gateway_leaves_the_last_commit,
        a_full_map_refuses_and_goes_on,
        a_disk_too_small_for_a_store_is_told,
        a_damaged_record_is_named_and_the_rest_lives,
        every_damage_is_found,
        the_gateways_record_of_version_1_is_read,
        noise_decodes_to_what_can_be_written_or_not_at_all,
        values_outside_their_bounds_are_not_stored,
    };
    Suite *suite = suite_create("gateway_store");
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

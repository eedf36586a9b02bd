/*
 * serin at the release desk, as a real program in a temporary folder: keys, certificates, bundles,
 * and every refusal with its exit status.
 */
#include "check_main.h"
#include "program.h"

#include <serin/cli/args.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SIZE 10000

static char folder[64];
static const struct program_result *result;

/* Runs serin with the words of a line; no quotes. */
static int serin(const char *format, ...)
{
    static char line[1024];
    const char *argv[PROGRAM_ARGS_MAX] = {SERIN_PROGRAM};
    size_t argc = 1;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    result = program_run(folder, NULL, argv);
    ck_assert_msg(strstr(result->err, "Sanitizer") == NULL, "%s", result->err);
    return result->status;
}

#define SUCCEEDS(...) \
    ck_assert_msg(serin(__VA_ARGS__) == SERIN_CLI_DONE, "%d: %s", result->status, result->err)
/* The status, one line on standard error that begins with the program's name, and a part of it. */
#define FAILS(status_, part, ...)                                                              \
    do {                                                                                       \
        ck_assert_msg(serin(__VA_ARGS__) == (status_), "%d: %s", result->status, result->err); \
        ck_assert_msg(strncmp(result->err, "serin", 5) == 0, "%s", result->err);               \
        ck_assert_msg(strstr(result->err, (part)) != NULL, "'%s' not in: %s", (part),          \
                      result->err);                                                            \
    } while (0)

static const char *path_of(const char *name)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void flip(const char *name, size_t offset)
{
    static unsigned char data[65536];
    size_t size = file_read(path_of(name), data, sizeof(data));

    ck_assert_uint_lt(offset, size);
    data[offset] ^= 1;
    file_write(path_of(name), data, size);
}

static void copy(const char *from, const char *to, size_t size_max)
{
    static unsigned char data[65536];
    size_t size = file_read(path_of(from), data, sizeof(data));

    file_write(path_of(to), data, size < size_max ? size : size_max);
}

static void shell(const char *format, ...)
{
    char command[1024];
    char inner[800];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(inner, sizeof(inner), format, arguments);
    va_end(arguments);
    snprintf(command, sizeof(command), "cd '%s' && %s", folder, inner);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

static unsigned mode_of(const char *name)
{
    struct stat info;

    ck_assert_msg(lstat(path_of(name), &info) == 0, "%s is missing", name);
    return info.st_mode & 07777u;
}

/* A PKI and an image: what most checks begin with. */
static void setup(void)
{
    static unsigned char image[IMAGE_SIZE];

    umask(022);
    folder_make(folder);
    for (size_t i = 0; i < sizeof(image); i++) {
        image[i] = (unsigned char)(i * 7 + i / 256);
    }
    file_write(path_of("fw.bin"), image, sizeof(image));
    SUCCEEDS("pki init pki --product lamp --devices sensor-01,sensor-02");
    SUCCEEDS("pack --product lamp --version 1.2.3 --image fw.bin --key pki/keys/release.key "
             "-o fw.serin");
}

static void teardown(void)
{
    folder_remove(folder);
}

START_TEST(pki_is_whole_and_private)
{
    static const char *const keys[] = {"ca.key",
                                       "broker.key",
                                       "serind.key",
                                       "devices/sensor-01.key",
                                       "devices/sensor-02.key",
                                       "keys/root.key",
                                       "keys/release.key",
                                       "keys/director.key"};
    char name[64];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(name, sizeof(name), "pki/%s", keys[i]);
        ck_assert_msg(mode_of(name) == 0600, "%s has mode %o", name, mode_of(name));
    }
    ck_assert_uint_eq(mode_of("pki/keys"), 0700);
    /* What anyone may have, anyone may read, as far as the umask lets them. */
    ck_assert_uint_eq(mode_of("pki/trust.bin"), mode_of("pki/keys/root.pub"));
    ck_assert_uint_eq(mode_of("pki/trust.bin"), 0644);
    SUCCEEDS("verify pki/trust.bin --root pki/keys/root.pub");
    SUCCEEDS("trust show pki/trust.bin --root pki/keys/root.pub --json");
    ck_assert_ptr_nonnull(strstr(result->out, "\"product\":\"lamp\""));
    ck_assert_ptr_nonnull(strstr(result->out, "\"version\":1"));
    ck_assert_ptr_nonnull(strstr(result->out, "\"role\":\"release\""));
    ck_assert_ptr_nonnull(strstr(result->out, "\"role\":\"director\""));
}
END_TEST

START_TEST(openssl_takes_the_certificates)
{
    shell("openssl verify -CAfile pki/ca.pem -purpose sslserver pki/broker.pem >/dev/null");
    shell("openssl verify -CAfile pki/ca.pem -purpose sslclient pki/serind.pem "
          "pki/devices/sensor-01.pem pki/devices/sensor-02.pem >/dev/null");
    shell("openssl verify -x509_strict -CAfile pki/ca.pem pki/ca.pem pki/broker.pem >/dev/null");
    shell("! openssl verify -CAfile pki/ca.pem -purpose sslserver pki/serind.pem 2>/dev/null >&2");
    shell("! openssl verify -CAfile pki/ca.pem -purpose sslclient pki/broker.pem 2>/dev/null >&2");
    shell("openssl verify -CAfile pki/ca.pem -verify_hostname localhost pki/broker.pem >/dev/null");
    shell("openssl verify -CAfile pki/ca.pem -verify_ip 127.0.0.1 pki/broker.pem >/dev/null");
    shell("openssl verify -CAfile pki/ca.pem -verify_ip ::1 pki/broker.pem >/dev/null");
    shell("[ \"$(openssl x509 -in pki/serind.pem -noout -subject -nameopt multiline,-esc_msb | "
          "grep -c "
          "'= serind$')\" = 2 ]");
    shell("openssl x509 -in pki/devices/sensor-01.pem -noout -subject | grep -qx 'subject=CN = "
          "sensor-01'");
    shell(
        "openssl x509 -in pki/devices/sensor-01.pem -noout -text | grep -q 'ASN1 OID: prime256v1'");
    shell("openssl x509 -in pki/devices/sensor-01.pem -noout -text | grep -q 'CA:FALSE'");
    shell("openssl x509 -in pki/ca.pem -noout -text | grep -q 'CA:TRUE, pathlen:0'");
    shell("[ \"$(openssl x509 -in pki/broker.pem -noout -serial)\" != \"$(openssl x509 -in "
          "pki/serind.pem -noout -serial)\" ]");
}
END_TEST

START_TEST(pki_never_overwrites)
{
    FAILS(SERIN_CLI_REFUSED, "not overwritten", "pki init pki --product lamp");
    FAILS(SERIN_CLI_REFUSED, "not overwritten", "pki init pki/ --product lamp");
    FAILS(SERIN_CLI_REFUSED, "sensor-01", "pki device pki sensor-03 sensor-01");
    shell("openssl verify -CAfile pki/ca.pem pki/devices/sensor-03.pem >/dev/null");
    FAILS(SERIN_CLI_USAGE, "is no device id", "pki device pki sensor/04");
    FAILS(SERIN_CLI_NOT_FOUND, "ca.pem", "pki device nowhere sensor-04");
    FAILS(SERIN_CLI_NOT_FOUND, "nowhere/pki", "pki init nowhere/pki --product lamp");
    /* An empty folder is fine; what failed leaves nothing behind. */
    shell("mkdir empty");
    SUCCEEDS("pki init empty --product lamp --device-count 3 --device-prefix d-");
    shell(
        "[ \"$(ls empty/devices | tr '\\n' ' ')\" = 'd-01.key d-01.pem d-02.key d-02.pem d-03.key "
        "d-03.pem ' ]");
    FAILS(SERIN_CLI_INPUT, "server's name",
          "pki init bad --product lamp --broker-name a,DNS:evil.example");
    FAILS(SERIN_CLI_USAGE, "device-prefix",
          "pki init bad --product lamp --device-count 1 --device-prefix a/");
    shell("[ -z \"$(ls -d bad* 2>/dev/null)\" ]");
    /* The CA's key of another PKI does not sign here. */
    shell("cp pki/ca.key empty/ca.key");
    FAILS(SERIN_CLI_INPUT, "is not the key of", "pki device empty d-04");
    shell("[ ! -e empty/devices/d-04.key ]");
}
END_TEST

START_TEST(gateways_have_certificates_of_their_role)
{
    SUCCEEDS("pki init site --product lamp --devices n-1 --gateways gw-1,gw-2 --json");
    ck_assert_ptr_nonnull(strstr(result->out, "\"gateways\":[\"gw-1\",\"gw-2\"]"));
    ck_assert_uint_eq(mode_of("site/gateways/gw-2.key"), 0600);
    shell("openssl verify -CAfile site/ca.pem -purpose sslclient site/gateways/gw-1.pem "
          "site/gateways/gw-2.pem >/dev/null");
    shell("openssl x509 -in site/gateways/gw-1.pem -noout -subject -nameopt RFC2253 | "
          "grep -Eqx 'subject=(OU=gateway,CN=gw-1|CN=gw-1,OU=gateway)'");
    SUCCEEDS("pki gateway site gw-3");
    shell("[ -e site/gateways/gw-3.pem ] && [ -e site/gateways/gw-3.key ]");
    FAILS(SERIN_CLI_REFUSED, "gw-1", "pki gateway site gw-1");
    FAILS(SERIN_CLI_USAGE, "is no gateway id", "pki gateway site gw/4");
    FAILS(SERIN_CLI_USAGE, "cannot be a gateway's", "pki gateway site serind");
    FAILS(SERIN_CLI_USAGE, "means none", "pki gateway site direct");
    FAILS(SERIN_CLI_NOT_FOUND, "ca.pem", "pki gateway nowhere gw-1");
    /* On a broker one name is one client. */
    FAILS(SERIN_CLI_REFUSED, "throw each other off", "pki gateway site n-1");
    FAILS(SERIN_CLI_REFUSED, "throw each other off", "pki device site gw-1");
    FAILS(SERIN_CLI_REFUSED, "throw each other off",
          "pki init bad --product lamp --devices x --gateways x");
    shell("[ -z \"$(ls -d bad* 2>/dev/null)\" ]");
    /* A PKI of before there were gateways gets their folder. */
    shell("rmdir pki/gateways");
    SUCCEEDS("pki gateway pki gw-1");
    ck_assert_uint_eq(mode_of("pki/gateways"), 0700);
}
END_TEST

START_TEST(no_device_takes_the_name_of_a_host)
{
    static const char *const names[] = {"serind", "broker"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        FAILS(SERIN_CLI_USAGE, "is a host's name", "pki device pki %s", names[i]);
        ck_assert_ptr_nonnull(strstr(result->err, names[i]));
        FAILS(SERIN_CLI_USAGE, "is a host's name", "pki init bad --product lamp --devices d-1,%s",
              names[i]);
    }
    shell("[ ! -e pki/devices/serind.pem ] && [ ! -e pki/devices/broker.pem ]");
    shell("[ -z \"$(ls -d bad* 2>/dev/null)\" ]");
    /* Names that only begin so, as a prefix makes them, are nobody else's. */
    SUCCEEDS("pki device pki serind-1 Broker");
    SUCCEEDS("pki init good --product lamp --device-count 1 --device-prefix serind");
    shell("[ \"$(ls good/devices | tr '\\n' ' ')\" = 'serind01.key serind01.pem ' ]");
}
END_TEST

START_TEST(keys_are_private_and_never_overwritten)
{
    SUCCEEDS("key new desk.key");
    ck_assert_uint_eq(mode_of("desk.key"), 0600);
    FAILS(SERIN_CLI_REFUSED, "desk.key", "key new desk.key");
    SUCCEEDS("key public desk.key");
    char pem[1024] = "";
    file_read(path_of("desk.pub"), pem, sizeof(pem) - 1);
    ck_assert_str_eq(result->out, pem);
    SUCCEEDS("key public desk.key -o again.pub");
    FAILS(SERIN_CLI_REFUSED, "again.pub", "key public desk.key -o again.pub");
    FAILS(SERIN_CLI_NOT_FOUND, "none.key", "key public none.key");
    /* Files that all may read, and rightly. */
    shell("chmod 644 desk.pub fw.bin pki/ca.pem && : >empty && chmod 644 empty");
    FAILS(SERIN_CLI_INPUT, "desk.pub: a public key", "key public desk.pub");
    FAILS(SERIN_CLI_INPUT, "fw.bin: not text", "key public fw.bin");
    FAILS(SERIN_CLI_INPUT, "pki/ca.pem: a certificate", "key public pki/ca.pem");
    FAILS(SERIN_CLI_INPUT, "empty: the file is empty", "key public empty");
    shell(
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key 2>/dev/null; "
        "chmod 600 p384.key");
    FAILS(SERIN_CLI_INPUT, "p384.key", "key public p384.key");
    shell("chmod 644 desk.key");
    FAILS(SERIN_CLI_REFUSED, "desk.key", "key public desk.key");
}
END_TEST

START_TEST(a_missing_folder_is_not_found_whatever_is_written)
{
    FAILS(SERIN_CLI_NOT_FOUND, "nodir/k", "key new nodir/k");
    FAILS(SERIN_CLI_NOT_FOUND, "nodir/p", "key public pki/keys/root.key -o nodir/p");
    FAILS(SERIN_CLI_NOT_FOUND, "nodir/t",
          "trust make --root pki/keys/root.key --product lamp --version 2 --release "
          "pki/keys/release.pub --director pki/keys/director.pub -o nodir/t");
    FAILS(SERIN_CLI_NOT_FOUND, "nodir/x",
          "pack --product lamp --version 1.0.0 --image fw.bin --key pki/keys/release.key "
          "-o nodir/x");
    FAILS(SERIN_CLI_NOT_FOUND, "nodir/pki", "pki init nodir/pki --product lamp");
    shell("rm -r pki/devices");
    FAILS(SERIN_CLI_NOT_FOUND, "pki/devices/d", "pki device pki d");
}
END_TEST

START_TEST(bundle_says_what_was_packed)
{
    SUCCEEDS(
        "pack --product lamp --version 10.20.30 --image fw.bin --key pki/keys/release.key -o x "
        "--vendor acme --component radio --counter 7 --hw 2-5 --channels beta,stable "
        "--confirm-window 90s --confirm-tries 5 --load-address 0x20000000 --entry 0x20000101 "
        "--slots a --bootloader-min 3");
    ck_assert_int_eq(serin("pack --help"), SERIN_CLI_DONE);
    ck_assert_ptr_nonnull(strstr(result->out, "Any P-256 key can sign"));
    ck_assert_ptr_nonnull(strstr(result->out, "'serin verify FILE --trust TRUST'"));
    SUCCEEDS("inspect x --json");
    static const char *const members[] = {"\"kind\":\"bundle\"",
                                          "\"product\":\"lamp\"",
                                          "\"version\":\"10.20.30\"",
                                          "\"vendor\":\"acme\"",
                                          "\"component\":\"radio\"",
                                          "\"security_counter\":7",
                                          "\"hw_min\":2",
                                          "\"hw_max\":5",
                                          "\"channels\":[\"beta\",\"stable\"]",
                                          "\"image_size\":10000",
                                          "\"confirm_window_s\":90",
                                          "\"confirm_tries\":5",
                                          "\"load_address\":536870912",
                                          "\"entry_address\":536871169",
                                          "\"slots\":\"A\"",
                                          "\"bootloader_min\":3"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        ck_assert_msg(strstr(result->out, members[i]) != NULL, "%s not in %s", members[i],
                      result->out);
    }
    shell("'%s' inspect x --json | grep -q \"$(sha256sum fw.bin | cut -c1-64)\"", SERIN_PROGRAM);
    SUCCEEDS("verify x --trust pki/trust.bin --root pki/keys/root.pub");
    ck_assert_str_eq(result->err, "");
    SUCCEEDS("inspect x");
    ck_assert_ptr_nonnull(strstr(result->out, "10.20.30"));
    SUCCEEDS("inspect pki/trust.bin");
    ck_assert_ptr_nonnull(strstr(result->out, "trust record"));
    /* The manifest alone, as a depot keeps it, is a document too. */
    shell("dd if=fw.serin of=fw.manifest bs=1 skip=32 count=592 status=none");
    SUCCEEDS("inspect fw.manifest --json");
    ck_assert_ptr_nonnull(strstr(result->out, "\"kind\":\"manifest\""));
    SUCCEEDS("verify fw.manifest --trust pki/trust.bin --root pki/keys/root.pub");
}
END_TEST

START_TEST(pack_refuses)
{
    FAILS(SERIN_CLI_NOT_FOUND, "none.bin",
          "pack --product lamp --version 1.0.0 --image none.bin --key pki/keys/release.key -o x");
    FAILS(SERIN_CLI_NOT_FOUND, "none.key",
          "pack --product lamp --version 1.0.0 --image fw.bin --key none.key -o x");
    FAILS(SERIN_CLI_INPUT, "release.pub: a public key",
          "pack --product lamp --version 1.0.0 --image fw.bin --key pki/keys/release.pub -o x");
    FAILS(
        SERIN_CLI_NOT_FOUND, "none/x",
        "pack --product lamp --version 1.0.0 --image fw.bin --key pki/keys/release.key -o none/x");
    FAILS(SERIN_CLI_INPUT, "not a plain file",
          "pack --product lamp --version 1.0.0 --image pki --key pki/keys/release.key -o x");
    shell(": >empty.bin");
    FAILS(SERIN_CLI_INPUT, "empty",
          "pack --product lamp --version 1.0.0 --image empty.bin --key pki/keys/release.key -o x");
    shell("truncate -s 268435457 huge.bin");
    FAILS(SERIN_CLI_INPUT, "larger",
          "pack --product lamp --version 1.0.0 --image huge.bin --key pki/keys/release.key -o x");
    FAILS(SERIN_CLI_USAGE, "--key", "pack --product lamp --version 1.0.0 --image fw.bin -o x");
    shell("[ ! -e x ] && [ -z \"$(ls -A | grep '^\\.x')\" ]");
}
END_TEST

START_TEST(pack_replaces_bundles_only)
{
    static const struct {
        const char *output, *part;
    } cases[] = {
        {"pki/keys/release.key", "is the file of --key"},
        {"pki/../pki/keys/release.key", "is the file of --key"},
        {"fw.bin", "is the file of --image"},
        {"soft", "is the file of --key"},
        {"hard", "is the file of --image"},
        {"pki/keys/root.key", "is no bundle"},
        {"pki/trust.bin", "is no bundle"},
        {"short", "is no bundle"},
        {"empty", "is no bundle"},
        {"nowhere", "is no bundle"},
        {"pipe", "is no bundle"},
        {"pki", "is no bundle"},
    };

    shell("cp -a pki kept && cp fw.bin kept.bin && printf SRN >short && : >empty && mkfifo pipe && "
          "ln -s pki/keys/release.key soft && ln fw.bin hard && ln -s none nowhere");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FAILS(SERIN_CLI_REFUSED, cases[i].part,
              "pack --product lamp --version 2.0.0 --image fw.bin --key pki/keys/release.key -o %s",
              cases[i].output);
        ck_assert_ptr_nonnull(strstr(result->err, cases[i].output));
        shell("diff -r pki kept && cmp fw.bin kept.bin && [ -L soft ] && [ -L nowhere ] && "
              "[ -p pipe ] && [ $(stat -c %%s short) = 3 ] && [ ! -s empty ]");
    }
    /* A bundle is replaced, even one that a cut left too short to be of use. */
    copy("fw.serin", "cut", 100);
    SUCCEEDS(
        "pack --product lamp --version 2.0.0 --image fw.bin --key pki/keys/release.key -o cut");
    SUCCEEDS("verify cut --trust pki/trust.bin --root pki/keys/root.pub");
}
END_TEST

START_TEST(verify_refuses_what_was_changed)
{
    const char *verify = "verify bad --trust pki/trust.bin --root pki/keys/root.pub";
    /* Header, manifest body, signature, piece table, image: a flipped bit anywhere. */
    static const struct {
        size_t offset;
        int status;
    } flips[] = {
        {0, SERIN_CLI_INPUT},                      /* magic */
        {9, SERIN_CLI_REFUSED},                    /* a size, under the header's CRC */
        {24, SERIN_CLI_REFUSED},                   /* reserved */
        {32, SERIN_CLI_REFUSED},                   /* the manifest's magic, under the signature */
        {152, SERIN_CLI_REFUSED},                  /* version */
        {400, SERIN_CLI_REFUSED},                  /* reserved bytes of the body */
        {32 + 516, SERIN_CLI_REFUSED},             /* key id */
        {32 + 530, SERIN_CLI_REFUSED},             /* signature */
        {32 + 592 + 5, SERIN_CLI_REFUSED},         /* piece table */
        {32 + 592 + 96 + 1, SERIN_CLI_REFUSED},    /* first piece */
        {32 + 592 + 96 + 9999, SERIN_CLI_REFUSED}, /* last byte */
    };

    for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
        copy("fw.serin", "bad", SIZE_MAX);
        flip("bad", flips[i].offset);
        ck_assert_msg(serin("%s", verify) == flips[i].status, "offset %zu: %d: %s", flips[i].offset,
                      result->status, result->err);
        SUCCEEDS("verify fw.serin --trust pki/trust.bin --root pki/keys/root.pub");
    }
    for (size_t size = 1; size < 32 + 592 + 96 + IMAGE_SIZE; size += 997) {
        copy("fw.serin", "bad", size);
        FAILS(SERIN_CLI_INPUT, "bad", "%s", verify);
    }
    shell("cat fw.serin fw.bin >bad");
    FAILS(SERIN_CLI_INPUT, "bad", "%s", verify);
    FAILS(SERIN_CLI_INPUT, "neither", "verify fw.bin --trust pki/trust.bin");
    FAILS(SERIN_CLI_INPUT, "neither", "inspect fw.bin");
    FAILS(SERIN_CLI_NOT_FOUND, "none", "inspect none");
    copy("fw.serin", "bad", SIZE_MAX);
    flip("bad", 32 + 592 + 96 + 1);
    ck_assert_int_eq(serin("%s --json", verify), SERIN_CLI_REFUSED);
    ck_assert_ptr_nonnull(strstr(result->out, "\"valid\":false"));
    ck_assert_ptr_nonnull(strstr(result->out, "\"code\":\"DIGEST\""));
}
END_TEST

START_TEST(verify_refuses_foreign_keys)
{
    SUCCEEDS("pki init other --product lamp");
    SUCCEEDS("pki init fan --product fan");
    FAILS(SERIN_CLI_REFUSED, "key", "verify fw.serin --trust other/trust.bin");
    FAILS(SERIN_CLI_REFUSED, "key",
          "verify fw.serin --trust pki/trust.bin --root other/keys/root.pub");
    FAILS(SERIN_CLI_REFUSED, "key", "verify pki/trust.bin --root other/keys/root.pub");
    /* The director's key signs no release. */
    SUCCEEDS("pack --product lamp --version 1.0.0 --image fw.bin --key pki/keys/director.key -o d");
    FAILS(SERIN_CLI_REFUSED, "lacks the role", "verify d --trust pki/trust.bin");
    /* A release key signs no trust record. */
    FAILS(SERIN_CLI_REFUSED, "one key has one role",
          "trust make --root pki/keys/release.key --product lamp --version 2 --release "
          "pki/keys/release.pub --director pki/keys/director.pub -o t");
    SUCCEEDS("trust make --root other/keys/root.key --product lamp --version 2 --release "
             "pki/keys/release.pub --director pki/keys/director.pub -o t");
    FAILS(SERIN_CLI_REFUSED, "key", "verify t --root pki/keys/root.pub");
    /* The same key for another product. */
    SUCCEEDS("trust make --root fan/keys/root.key --product fan --version 2 --release "
             "pki/keys/release.pub --director fan/keys/director.pub -o fan.bin");
    FAILS(SERIN_CLI_REFUSED, "another product",
          "verify fw.serin --trust fan.bin --root fan/keys/root.pub");
    FAILS(SERIN_CLI_USAGE, "--trust", "verify fw.serin");
    FAILS(SERIN_CLI_USAGE, "--root", "verify pki/trust.bin");
    FAILS(SERIN_CLI_INPUT, "larger", "verify fw.serin --trust fw.serin");
    shell("head -c 784 fw.serin >bad");
    FAILS(SERIN_CLI_INPUT, "trust record refused", "verify fw.serin --trust bad");
    FAILS(SERIN_CLI_INPUT, "release.key",
          "verify fw.serin --trust pki/trust.bin --root pki/keys/release.key");
}
END_TEST

START_TEST(trust_records_are_made_and_kept)
{
    const char *make = "trust make --root pki/keys/root.key --product lamp --version 2";

    SUCCEEDS("key new two.key");
    SUCCEEDS("%s --release pki/keys/release.pub two.pub --director pki/keys/director.pub -o t",
             make);
    SUCCEEDS("verify t --root pki/keys/root.pub");
    ck_assert_ptr_nonnull(strstr(result->out, "trust record 2 for lamp with 3 keys"));
    SUCCEEDS("pack --product lamp --version 1.0.0 --image fw.bin --key two.key -o two.serin");
    SUCCEEDS("verify two.serin --trust t --root pki/keys/root.pub");
    FAILS(SERIN_CLI_REFUSED, "key", "verify two.serin --trust pki/trust.bin");
    FAILS(SERIN_CLI_REFUSED, "not overwritten",
          "%s --release two.pub --director pki/keys/director.pub -o t", make);
    FAILS(SERIN_CLI_REFUSED, "already, as release", "%s --release two.pub --director two.pub -o u",
          make);
    FAILS(SERIN_CLI_REFUSED, "one key has one role",
          "%s --release two.pub pki/keys/root.pub --director pki/keys/director.pub -o u", make);
    for (int i = 1; i <= 8; i++) {
        SUCCEEDS("key new k%d.key", i);
    }
    FAILS(SERIN_CLI_USAGE, "at most 8 keys",
          "%s --release k1.pub k2.pub k3.pub k4.pub k5.pub k6.pub k7.pub k8.pub --director "
          "pki/keys/director.pub -o u",
          make);
    shell("[ ! -e u ]");
}
END_TEST

#ifdef SERIN_FAULT_POINTS
START_TEST(a_killed_run_leaves_nothing_half)
{
    static const char *const points[] = {"cli.pki.hosts_made", "cli.pki.keys_made",
                                         "cli.pki.before_rename"};
    char fault[64];
    const char *environment[] = {fault, NULL};
    const char *init[] = {SERIN_PROGRAM, "pki", "init", "half", "--product", "lamp", NULL};
    const char *pack[] = {SERIN_PROGRAM, "pack",     "--product", "lamp",  "--version",
                          "9.0.0",       "--image",  "fw.bin",    "--key", "pki/keys/release.key",
                          "-o",          "fw.serin", NULL};

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        snprintf(fault, sizeof(fault), "SERIN_FAULT=%s:1", points[i]);
        result = program_run(folder, environment, init);
        ck_assert_msg(result->status == 128 + 9, "%s did not fire: %d", points[i], result->status);
        shell("[ ! -e half ]");
    }
    SUCCEEDS("pki init half --product lamp");
    shell("cp fw.serin before");
    snprintf(fault, sizeof(fault), "SERIN_FAULT=cli.pack.signed:1");
    ck_assert_int_eq(program_run(folder, environment, pack)->status, 128 + 9);
    shell("cmp fw.serin before");
    snprintf(fault, sizeof(fault), "SERIN_FAULT=cli.pack.written:1");
    ck_assert_int_eq(program_run(folder, environment, pack)->status, 128 + 9);
    SUCCEEDS("verify fw.serin --trust pki/trust.bin --root pki/keys/root.pub");
    ck_assert_ptr_nonnull(strstr(result->out, "9.0.0"));
}
END_TEST
#endif

/* What bash offers behind a line; the words of a blank end are "". */
static const char *completed(const char *line)
{
    static const char script[] =
        ". \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _serin; echo \" ${COMPREPLY[*]} \"";
    const char *argv[PROGRAM_ARGS_MAX] = {"/bin/bash", "-c", script, SERIN_COMPLETION,
                                          SERIN_PROGRAM};
    static char words[256];
    size_t argc = 5;

    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = strcmp(word, "''") == 0 ? "" : word;
    }
    result = program_run(folder, NULL, argv);
    ck_assert_str_eq(result->err, "");
    return result->out;
}

/* Caught: a list that ends with its first line; words of the option after it; 'help' taken for a
 * command without any below it; the options of a group that is a command too left out. */
START_TEST(completion_knows_words_and_options)
{
    ck_assert_ptr_nonnull(strstr(completed("help ''"), " policy "));
    ck_assert_ptr_nonnull(strstr(completed("help rollout ''"), " advance "));
    ck_assert_str_eq(completed("rollout re"), " resume retry \n");
    ck_assert_str_eq(completed("help policy ''"), " check \n");
    ck_assert_str_eq(completed("device list --enrolment ''"), " pending enrolled refused \n");
    ck_assert_str_eq(completed("device list --state re"), " rejected regressed reverted \n");
    ck_assert_str_eq(completed("device list --state i"), " idle \n");
    ck_assert_str_eq(completed("simulate policy.yaml --expect h"), " halted \n");
    ck_assert_str_eq(completed("simulate policy.yaml --expect a"), " awaiting aborted \n");
    ck_assert_str_eq(completed("audit --js"), " --json \n");
    ck_assert_str_eq(completed("audit --fo"), " --follow \n");
    ck_assert_str_eq(completed("audit verify --wh"), " --whole \n");
    ck_assert_ptr_nonnull(strstr(completed("pack --product ''"), " fw.bin "));
}
END_TEST

/* Caught: an exit status that the help does not tell; a walk-through without the rehearsal. */
START_TEST(the_help_tells_the_way_and_every_status)
{
    SUCCEEDS("--help");
    ck_assert_ptr_nonnull(strstr(result->out, "\n  serin policy check policy.yaml "));
    ck_assert_ptr_nonnull(strstr(result->out, "\n  serin simulate policy.yaml "));
    for (int status = SERIN_CLI_DONE; status <= SERIN_CLI_BREACH; status++) {
        char words[16];
        snprintf(words, sizeof(words), "%d ", status);
        ck_assert_msg(strstr(strstr(result->out, "Exit status:"), words) != NULL, "%s", words);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {pki_is_whole_and_private,
                                  openssl_takes_the_certificates,
                                  pki_never_overwrites,
                                  gateways_have_certificates_of_their_role,
                                  no_device_takes_the_name_of_a_host,
                                  keys_are_private_and_never_overwritten,
                                  a_missing_folder_is_not_found_whatever_is_written,
                                  bundle_says_what_was_packed,
                                  pack_refuses,
                                  pack_replaces_bundles_only,
                                  verify_refuses_what_was_changed,
                                  verify_refuses_foreign_keys,
                                  trust_records_are_made_and_kept,
                                  completion_knows_words_and_options,
                                  the_help_tells_the_way_and_every_status,
#ifdef SERIN_FAULT_POINTS
                                  a_killed_run_leaves_nothing_half,
#endif
                                  NULL};
    Suite *suite = suite_create("cli");
    TCase *desk = tcase_create("release desk");
    tcase_add_checked_fixture(desk, setup, teardown);
    tcase_set_timeout(desk, 60);
    for (size_t i = 0; tests[i] != NULL; i++) {
        tcase_add_test(desk, tests[i]);
    }
    suite_add_tcase(suite, desk);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

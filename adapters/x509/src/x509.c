/*
 * Certificates by OpenSSL's libcrypto. The key files are made by adapters/keys, so that one place
 * knows how a private key is written.
 */
#include <serin/adapters/keys.h>
#include <serin/adapters/x509.h>
#include <serin/assert.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SERIAL_BITS    127
#define BACKDATE_S     3600L
#define ALT_NAMES_SIZE 2048u

__attribute__((format(printf, 3, 4))) static enum serin_error
explain(struct serin_x509_why *why, enum serin_error error, const char *format, ...)
{
    va_list arguments;

    if (why != NULL) {
        va_start(arguments, format);
        (void)vsnprintf(why->text, sizeof(why->text), format, arguments);
        va_end(arguments);
    }
    return error;
}

static enum serin_error check_subject(const struct serin_x509_subject *subject,
                                      struct serin_x509_why *why)
{
    const char *const texts[] = {subject->common_name, subject->organisational_unit};

    for (size_t i = 0; i < 2; i++) {
        if (texts[i] != NULL && (texts[i][0] == '\0' || strlen(texts[i]) > SERIN_X509_NAME_MAX)) {
            return explain(why, SERIN_ERR_INVALID, "'%.80s' is no name of 1 to %u characters",
                           texts[i], SERIN_X509_NAME_MAX);
        }
    }
    if (subject->days < 1 || subject->days > SERIN_X509_DAYS_MAX) {
        return explain(why, SERIN_ERR_INVALID, "a certificate is valid for 1 to %u days, not %u",
                       SERIN_X509_DAYS_MAX, subject->days);
    }
    if (subject->name_count > SERIN_X509_NAMES_MAX) {
        return explain(why, SERIN_ERR_INVALID, "a server has at most %u names",
                       SERIN_X509_NAMES_MAX);
    }
    return SERIN_OK;
}

/* ---- reading ---- */

static enum serin_error read_key(const char *path, EVP_PKEY **key, struct serin_x509_why *why)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        enum serin_error error = errno == ENOENT ? SERIN_ERR_NOT_FOUND : SERIN_ERR_IO;
        return explain(why, error, "%s: %s", path, strerror(errno));
    }
    /* With a passphrase given OpenSSL does not ask the terminal for one. */
    *key = PEM_read_PrivateKey(file, NULL, NULL, (void *)"");
    (void)fclose(file);
    return *key != NULL ? SERIN_OK
                        : explain(why, SERIN_ERR_FORMAT, "%s: no private key in PEM", path);
}

static enum serin_error read_certificate(const char *path, X509 **certificate,
                                         struct serin_x509_why *why)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        enum serin_error error = errno == ENOENT ? SERIN_ERR_NOT_FOUND : SERIN_ERR_IO;
        return explain(why, error, "%s: %s", path, strerror(errno));
    }
    *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    return *certificate != NULL ? SERIN_OK
                                : explain(why, SERIN_ERR_FORMAT, "%s: no certificate in PEM", path);
}

/* ---- the certificate ---- */

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool done = number != NULL &&
                BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

    BN_free(number);
    return done;
}

static bool set_name(X509_NAME *name, const char *field, const char *text)
{
    return text == NULL || X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                                      (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool set_validity(X509 *certificate, uint32_t days)
{
    return X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_S) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, 0, NULL) != NULL;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

/* "IP:127.0.0.1,DNS:localhost". A name with a comma would smuggle in another one; such a name is
 * not valid in DNS either. False: a name is not usable, or they are too long. */
static bool format_names(const struct serin_x509_subject *subject, char out[ALT_NAMES_SIZE])
{
    size_t used = 0;

    for (size_t i = 0; i < subject->name_count; i++) {
        unsigned char address[sizeof(struct in6_addr)];
        const char *name = subject->names[i];
        bool ip = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
        if (name[0] == '\0' || (!ip && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                         "0123456789.-")] != '\0')) {
            return false;
        }
        int size = snprintf(out + used, ALT_NAMES_SIZE - used, "%s%s:%s", i > 0 ? "," : "",
                            ip ? "IP" : "DNS", name);
        if (size < 0 || (size_t)size >= ALT_NAMES_SIZE - used) {
            return false;
        }
        used += (size_t)size;
    }
    return true;
}

static bool add_ca_extensions(X509 *certificate)
{
    return add_extension(certificate, certificate, NID_basic_constraints,
                         "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
}

static bool add_leaf_extensions(X509 *certificate, X509 *issuer,
                                const struct serin_x509_subject *subject, const char *names)
{
    return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, issuer, NID_ext_key_usage,
                         subject->server ? "serverAuth" : "clientAuth") &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           (subject->name_count == 0 ||
            add_extension(certificate, issuer, NID_subject_alt_name, names));
}

/* Everything but issuer, extensions and signature. NULL: OpenSSL failed. */
static X509 *start(const struct serin_x509_subject *subject, EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    if (certificate == NULL) {
        return NULL;
    }
    X509_NAME *name = X509_get_subject_name(certificate);
    if (X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
        set_validity(certificate, subject->days) &&
        set_name(name, "OU", subject->organisational_unit) &&
        set_name(name, "CN", subject->common_name) && X509_set_pubkey(certificate, key) == 1) {
        return certificate;
    }
    X509_free(certificate);
    return NULL;
}

/* ---- writing ---- */

static enum serin_error write_certificate(const char *path, X509 *certificate,
                                          struct serin_x509_why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0) {
        enum serin_error error = errno == EEXIST ? SERIN_ERR_EXISTS : SERIN_ERR_IO;
        return explain(why, error, "%s: %s%s", path, strerror(errno),
                       errno == EEXIST ? "; it is not overwritten" : "");
    }
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        (void)close(fd);
        (void)unlink(path);
        return explain(why, SERIN_ERR_MEMORY, "%s: memory is exhausted", path);
    }
    bool written = PEM_write_X509(file, certificate) == 1 && fflush(file) == 0 && fsync(fd) == 0;
    written = fclose(file) == 0 && written;
    if (!written) {
        int reason = errno;
        (void)unlink(path);
        return explain(why, SERIN_ERR_IO, "%s: cannot write: %s", path, strerror(reason));
    }
    return SERIN_OK;
}

static enum serin_error make_key(const char *path, EVP_PKEY **key, struct serin_x509_why *why)
{
    struct serin_key_why key_why = {.text = ""};
    enum serin_error error = serin_key_generate(path, NULL, &key_why);

    if (error != SERIN_OK) {
        return explain(why, error, "%s", key_why.text);
    }
    error = read_key(path, key, why);
    if (error != SERIN_OK) {
        (void)unlink(path);
    }
    return error;
}

enum serin_error serin_x509_make_ca(const struct serin_x509_files *ca, const char *common_name,
                                    uint32_t days, struct serin_x509_why *why)
{
    const struct serin_x509_subject subject = {.common_name = common_name, .days = days};
    EVP_PKEY *key = NULL;

    enum serin_error error = check_subject(&subject, why);
    if (error == SERIN_OK) {
        error = make_key(ca->key, &key, why);
    }
    if (error != SERIN_OK) {
        return error;
    }
    X509 *certificate = start(&subject, key);
    if (certificate == NULL ||
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1 ||
        !add_ca_extensions(certificate) || X509_sign(certificate, key, EVP_sha256()) == 0) {
        error = explain(why, SERIN_ERR_CRYPTO, "OpenSSL cannot make the CA's certificate");
    } else {
        error = write_certificate(ca->certificate, certificate, why);
    }
    if (error != SERIN_OK) {
        (void)unlink(ca->key);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return error;
}

/* Reads the CA and proves that its two files belong together. */
static enum serin_error read_ca(const struct serin_x509_files *ca, X509 **certificate,
                                EVP_PKEY **key, struct serin_x509_why *why)
{
    enum serin_error error = read_certificate(ca->certificate, certificate, why);

    if (error == SERIN_OK) {
        error = read_key(ca->key, key, why);
    }
    if (error == SERIN_OK && X509_check_private_key(*certificate, *key) != 1) {
        error = explain(why, SERIN_ERR_FORMAT, "%s is not the key of %s", ca->key, ca->certificate);
    }
    if (error == SERIN_OK && X509_check_ca(*certificate) != 1) {
        error = explain(why, SERIN_ERR_FORMAT, "%s is no CA", ca->certificate);
    }
    return error;
}

static enum serin_error sign_leaf(X509 *issuer, EVP_PKEY *issuer_key, EVP_PKEY *key,
                                  const struct serin_x509_subject *subject, const char *path,
                                  struct serin_x509_why *why)
{
    char names[ALT_NAMES_SIZE] = "";
    enum serin_error error = SERIN_OK;

    if (!format_names(subject, names)) {
        return explain(
            why, SERIN_ERR_INVALID,
            "a server's name is neither an address nor a name of letters, digits, '.' and '-'");
    }
    X509 *certificate = start(subject, key);
    if (certificate == NULL ||
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
        !add_leaf_extensions(certificate, issuer, subject, names) ||
        X509_sign(certificate, issuer_key, EVP_sha256()) == 0) {
        error = explain(why, SERIN_ERR_CRYPTO, "OpenSSL cannot make the certificate of %s",
                        subject->common_name);
    } else {
        error = write_certificate(path, certificate, why);
    }
    X509_free(certificate);
    return error;
}

enum serin_error serin_x509_issue(const struct serin_x509_files *ca,
                                  const struct serin_x509_subject *subject,
                                  const struct serin_x509_files *files, struct serin_x509_why *why)
{
    X509 *issuer = NULL;
    EVP_PKEY *issuer_key = NULL;
    EVP_PKEY *key = NULL;

    SERIN_ASSERT(subject->common_name != NULL);
    enum serin_error error = check_subject(subject, why);
    if (error == SERIN_OK) {
        error = read_ca(ca, &issuer, &issuer_key, why);
    }
    if (error == SERIN_OK) {
        error = make_key(files->key, &key, why);
    }
    if (error == SERIN_OK) {
        error = sign_leaf(issuer, issuer_key, key, subject, files->certificate, why);
        if (error != SERIN_OK) {
            (void)unlink(files->key);
        }
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    X509_free(issuer);
    return error;
}

/* ---- what a certificate says ---- */

/* False: it stands there and is no text that fits. */
static bool name_read(const X509 *certificate, int nid, char out[SERIN_X509_NAME_MAX + 1])
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);
    unsigned char *text = NULL;

    out[0] = '\0';
    if (at < 0) {
        return true;
    }
    int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool fits =
        size >= 0 && size <= (int)SERIN_X509_NAME_MAX && memchr(text, '\0', (size_t)size) == NULL;
    if (fits) {
        memcpy(out, text, (size_t)size);
        out[size] = '\0';
    }
    OPENSSL_free(text);
    return fits;
}

enum serin_error serin_x509_read(const char *certificate, struct serin_x509_identity *identity,
                                 struct serin_x509_why *why)
{
    X509 *read = NULL;
    enum serin_error error = read_certificate(certificate, &read, why);

    if (error == SERIN_OK &&
        (!name_read(read, NID_commonName, identity->common_name) ||
         !name_read(read, NID_organizationalUnitName, identity->organisational_unit))) {
        error = explain(why, SERIN_ERR_FORMAT, "%s: its CN or OU is no text of %u characters",
                        certificate, SERIN_X509_NAME_MAX);
    }
    X509_free(read);
    return error;
}

enum serin_error serin_x509_match(const struct serin_x509_files *files, struct serin_x509_why *why)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    enum serin_error error = read_certificate(files->certificate, &certificate, why);

    if (error == SERIN_OK) {
        error = read_key(files->key, &key, why);
    }
    if (error == SERIN_OK && X509_check_private_key(certificate, key) != 1) {
        error = explain(why, SERIN_ERR_INVALID, "%s is not the key of %s", files->key,
                        files->certificate);
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
    return error;
}

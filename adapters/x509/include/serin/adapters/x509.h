/*
 * X.509 certificates of a private CA (docs/spec/topics.md: the CN is the id, the OU the role).
 *
 * Version 3, ECDSA P-256 with SHA-256, random 127-bit serial numbers, valid from an hour before
 * they are made (for clocks that are behind). Each call makes a key and a certificate and writes
 * both as PEM: the key as PKCS#8 with mode 0600, the certificate with mode 0644, never over a file
 * that exists.
 *
 * Two more read what was made here or elsewhere.
 *
 * Every function fills `why` on an error with one sentence for the operator; `why` may be NULL.
 * After an error neither of the two files is left behind by the call.
 */
#ifndef SERIN_ADAPTERS_X509_H
#define SERIN_ADAPTERS_X509_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIN_X509_WHY_SIZE  512u
#define SERIN_X509_NAME_MAX  64u    /* characters of a CN or OU: the bound of RFC 5280 */
#define SERIN_X509_NAMES_MAX 16u    /* names of a server */
#define SERIN_X509_DAYS_MAX  36500u /* a hundred years */

struct serin_x509_why {
    char text[SERIN_X509_WHY_SIZE]; /* "" after success */
};

/* What a certificate says. */
struct serin_x509_subject {
    const char *common_name;         /* 1 .. SERIN_X509_NAME_MAX characters */
    const char *organisational_unit; /* NULL: none */
    bool server;                     /* proves a server to clients; else a client to servers */
    /* Subject alternative names of a server: an IPv4 or IPv6 address becomes one, anything else is
     * a DNS name. */
    const char *const *names;
    size_t name_count; /* 0 .. SERIN_X509_NAMES_MAX */
    uint32_t days;     /* 1 .. SERIN_X509_DAYS_MAX */
};

/* A certificate and its key, by their files. */
struct serin_x509_files {
    const char *certificate;
    const char *key;
};

/* Makes a CA: self-signed, may sign certificates but no further CA. SERIN_ERR_INVALID (subject),
 * SERIN_ERR_EXISTS, SERIN_ERR_IO, SERIN_ERR_CRYPTO. */
SERIN_MUST_USE enum serin_error serin_x509_make_ca(const struct serin_x509_files *ca,
                                                   const char *common_name, uint32_t days,
                                                   struct serin_x509_why *why);

/* Makes a certificate that `ca` signs. Errors as above; SERIN_ERR_NOT_FOUND, SERIN_ERR_FORMAT: the
 * CA's files are not there, not what they should be, or do not belong together. */
SERIN_MUST_USE enum serin_error serin_x509_issue(const struct serin_x509_files *ca,
                                                 const struct serin_x509_subject *subject,
                                                 const struct serin_x509_files *files,
                                                 struct serin_x509_why *why);

/* Whose a certificate is; "" where it does not say. */
struct serin_x509_identity {
    char common_name[SERIN_X509_NAME_MAX + 1];
    char organisational_unit[SERIN_X509_NAME_MAX + 1];
};

/* Reads the first certificate of a PEM file. SERIN_ERR_NOT_FOUND, SERIN_ERR_IO; SERIN_ERR_FORMAT:
 * it holds none. Whether the certificate is valid is not looked at. */
SERIN_MUST_USE enum serin_error serin_x509_read(const char *certificate,
                                                struct serin_x509_identity *identity,
                                                struct serin_x509_why *why);

/* Whether the key is the certificate's; one with a passphrase cannot be read. Errors as above;
 * SERIN_ERR_INVALID: it is another one's. */
SERIN_MUST_USE enum serin_error serin_x509_match(const struct serin_x509_files *files,
                                                 struct serin_x509_why *why);

#endif

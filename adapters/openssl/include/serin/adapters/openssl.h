/*
 * What the broker plugin needs of OpenSSL, which Mosquitto has loaded already: names in a client's
 * certificate, and SHA-256. The plugin does not link wolfSSL: a second TLS library in the broker's
 * process would be one too many, and its GPL does not go with the broker's licence.
 */
#ifndef SERIN_ADAPTERS_OPENSSL_H
#define SERIN_ADAPTERS_OPENSSL_H

#include <serin/crypto.h>
#include <serin/id.h>

/* Who a certificate's subject says it is. */
struct serin_certificate_identity {
    char id[SERIN_ID_MAX + 1]; /* the CN */
    enum serin_role role;      /* of the OU; device where there is none */
};

/* Reads a certificate (an X509 *, not freed here) whose chain the TLS layer has verified.
 * SERIN_ERR_FORMAT: not exactly one CN, more than one OU, or a CN that is no id (embedded NUL
 * included). SERIN_ERR_DENIED: the OU names no role. */
SERIN_MUST_USE enum serin_error
serin_certificate_identity(const void *x509, struct serin_certificate_identity *identity);

/* Frees an X509 * that the broker handed out; NULL is fine. */
void serin_certificate_free(void *x509);

/* The crypto port with SHA-256 alone: verifying and random bytes answer SERIN_ERR_UNSUPPORTED.
 * Static storage; thread-safe. */
const struct serin_crypto *serin_openssl_hashing(void);

#endif

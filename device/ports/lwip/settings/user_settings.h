/*
 * wolfSSL for a board: a client of TLS 1.3 on P-256, SHA-256 and ChaCha20-Poly1305, and no more;
 * small before fast. The crypto port of an image (adapters/wolfcrypt) is built with these, too; a
 * bootloader, which knows no TLS, has settings of its own.
 *
 * The board supplies board_seed, and the heap supplies serin_tls_heap.h.
 */
#ifndef SERIN_LWIP_USER_SETTINGS_H
#define SERIN_LWIP_USER_SETTINGS_H

#include <serin/ports/tls_heap.h>

/* The platform: no operating system, files, clock, or text. */
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define NO_WRITEV
#define NO_MAIN_DRIVER
#define NO_ASN_TIME /* no clock that could be trusted */
#define NO_ERROR_STRINGS
#define WOLFSSL_USER_IO
#define WOLFSSL_NO_PEM
#define NO_CODING
#define WOLFSSL_IGNORE_FILE_WARN
#define SIZEOF_LONG_LONG          8
#define WOLFSSL_GENERAL_ALIGNMENT 4

/* The heap. What fits the stack is there (no WOLFSSL_SMALL_STACK): 0.3 KB more of it, and hashing
 * does not fail for want of heap. */
#define XMALLOC_OVERRIDE
#define XMALLOC(size, heap, type) ((void)(heap), (void)(type), serin_tls_heap_take(size))
#define XFREE(memory, heap, type) ((void)(heap), (void)(type), serin_tls_heap_give(memory))
#define XREALLOC(memory, n, heap, type) \
    ((void)(heap), (void)(type), serin_tls_heap_resize(memory, n))

/* Randomness: wolfCrypt's Hash-DRBG (SP 800-90A), seeded by the board. 0: `out` is filled. */
#define HAVE_HASHDRBG
#define CUSTOM_RAND_GENERATE_SEED board_seed
int board_seed(unsigned char *out, unsigned int size);

/* The protocol. */
#define NO_WOLFSSL_SERVER
#define NO_OLD_TLS
#define WOLFSSL_NO_TLS12
#define WOLFSSL_TLS13
#define HAVE_HKDF
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_MAX_FRAGMENT
#define NO_SESSION_CACHE
#define NO_PSK

/* The primitives. */
#define HAVE_ECC
#define ECC_USER_CURVES /* P-256 alone */
#define ECC_TIMING_RESISTANT
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_MATH
#define WOLFSSL_SP_SMALL
#define WOLFSSL_SP_NO_MALLOC
#define WOLFSSL_ECDSA_DETERMINISTIC_K /* RFC 6979, for which TLS asks by a callback: */
#define WOLFSSL_ECDSA_SET_K           /* without it wc_ecc_free leaves that nonce allocated */
#define HAVE_PK_CALLBACKS
/* In less text than AES-GCM, in constant time, and on a processor without AES five times as fast as
 * the smallest. */
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH
#define NO_AES
#define USE_SLOW_SHA256
#define NO_SIG_WRAPPER
#define NO_RSA
#define NO_DSA
#define NO_DH
#define NO_DES3
#define NO_RC4
#define NO_MD4
#define NO_MD5
#define NO_SHA
#define NO_PWDBASED
#define NO_PKCS8
#define NO_PKCS12

#endif

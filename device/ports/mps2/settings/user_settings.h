/* wolfCrypt as the bootloader needs it: SHA-256, and the verification of P-256 in single precision,
 * small, without heap. */
#ifndef MPS2_BOOTLOADER_USER_SETTINGS_H
#define MPS2_BOOTLOADER_USER_SETTINGS_H

#define WOLFCRYPT_ONLY
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define WOLFSSL_USER_IO
#define WC_NO_RNG
#define NO_WOLFSSL_MEMORY
#define NO_ERROR_STRINGS
#define NO_SIG_WRAPPER
#define NO_ASN
#define NO_AES
#define NO_DES3
#define NO_DH
#define NO_DSA
#define NO_HMAC
#define NO_MD4
#define NO_MD5
#define NO_PWDBASED
#define NO_RC4
#define NO_RSA
#define NO_SHA
#define USE_SLOW_SHA256 /* one round in a loop: 2 KB less than eight in a row */

#define HAVE_ECC
#define NO_ECC_SIGN
#define NO_ECC_DHE
#define NO_ECC_KEY_EXPORT
#define WOLFSSL_HAVE_SP_ECC /* P-256 alone */
#define WOLFSSL_SP_MATH
#define WOLFSSL_SP_SMALL
#define WOLFSSL_SP_NO_MALLOC
#define SP_INT_DIGITS 8 /* numbers of 256 bits: nothing multiplies in them */
/* Nothing secret is computed with. */
#define WC_NO_HARDEN

#endif

/* The bootloader's P-256 on a host: reads "key digest signature verdict" in hexadecimal, a line
 * each, verdict 1 for valid, and tells the lines that came out otherwise. For tests/board/p256.sh.
 */
#include <serin/adapters/wolfcrypt_sp.h>

#include <stdio.h>

static int read_hex(const char *text, uint8_t *out, size_t size)
{
    return serin_hex_decode(text, out, size) == SERIN_OK;
}

int main(void)
{
    const struct serin_crypto_ops *ops = serin_wolfcrypt_sp.ops;
    char key[129], digest[65], signature[129];
    uint8_t k[64], d[32], s[64];
    int wanted, wrong = 0, valid = 0, count = 0;
    while (scanf("%128s %64s %128s %d", key, digest, signature, &wanted) == 4) {
        if (!read_hex(key, k, sizeof k) || !read_hex(digest, d, sizeof d) ||
            !read_hex(signature, s, sizeof s)) {
            return 2;
        }
        uint32_t first = ops->p256_verify(NULL, SERIN_RUN_FIRST, k, d, s);
        uint32_t second = ops->p256_verify(NULL, SERIN_RUN_SECOND, k, d, s);
        uint32_t right = wanted == 1 ? SERIN_VERDICT_VALID : SERIN_VERDICT_INVALID;
        count++;
        valid += first == SERIN_VERDICT_VALID;
        if (first != right || second != ~right) {
            wrong++;
            printf("p256: line %d: %08x %08x\n", count, (unsigned)first, (unsigned)second);
        }
    }
    printf("p256: %d signatures, %d of them valid, %d wrong verdicts\n", count, valid, wrong);
    return wrong != 0 || valid == 0 || valid == count;
}

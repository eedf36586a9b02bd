#!/usr/bin/env python3
"""Signatures for tests/board/p256.sh, right and wrong ones, judged here by the definition (FIPS 186-4, section 6.4) in plain arithmetic:
small and large keys, digests and nonces, r and s at their limits, keys off the curve or out of range, sums that meet in a point or at
infinity, and x between n and p. The base point as a key, and its negative, verify nothing (serin/adapters/wolfcrypt_sp.h)."""
import random

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def add(a, b):
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    total = None
    while k:
        if k & 1:
            total = add(total, point)
        point = add(point, point)
        k >>= 1
    return total


def holds(key, e, r, s):
    if not (0 < r < N and 0 < s < N and key[0] < P and key[1] < P) or (key[1] ** 2 - key[0] ** 3 + 3 * key[0] - B) % P or key[0] == G[0]:
        return False
    w = pow(s, -1, N)
    total = add(times(e * w % N, G), times(r * w % N, key))
    return total is not None and total[0] % N == r


def case(key, e, r, s):
    mask = 2**256 - 1
    print(f"{key[0] & mask:064x}{key[1] & mask:064x} {e:064x} {r & mask:064x}{s & mask:064x} {int(holds(key, e, r & mask, s & mask))}")


def sign(d, e, k):
    r = times(k, G)[0] % N
    return r, pow(k, -1, N) * (e + r * d) % N


def main():
    dice = random.Random(7)
    for d in [1, 2, 3, N - 1, N - 2, (N + 1) // 2] + [dice.randrange(1, N) for _ in range(4)]:
        key = times(d, G)
        for e in [0, 1, N - 1, N, N + 1, 2**256 - 1] + [dice.getrandbits(256) for _ in range(2)]:
            for k in (1, 2, N - 1, dice.randrange(1, N)):
                r, s = sign(d, e, k)
                if s:
                    case(key, e, r, s)
                    case(key, e, r, N - s)
                    case(key, e, r, (s + 1) % N)
                    case(key, e, (r + 1) % N, s)
        e = dice.getrandbits(256)
        r, s = sign(d, e, dice.randrange(1, N))
        limits = ((0, 0), (N, N), (r, 0), (0, s), (r + N, s), (r, s + N), (N, s), (r, N), (1, 1), (N - 1, N - 1), (2**256 - 1, s), (r, 2**256 - 1))
        for r_wrong, s_wrong in limits:
            case(key, e, r_wrong, s_wrong)
        for wrong in ((key[0], key[1] ^ 1), (key[0] + P if key[0] + P < 2**256 else key[0] ^ 1, key[1]), (0, 0), (P, key[1])):
            case(wrong, e, r, s)
        r = dice.randrange(1, N)
        case(key, -r * d % N, r, dice.randrange(1, N))  # the sum is infinity
    x, found = N, 0
    while found < 3:  # x of the sum is n or more: r is x - n
        x += 1
        square = (x ** 3 - 3 * x + B) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P == square:
            r, e, s = x - N, dice.getrandbits(256), dice.randrange(1, N)
            base = times(e % N, G)
            key = times(pow(r, -1, N), add(times(s, (x, y)), (base[0], -base[1] % P)))
            case(key, e, r, s)
            case(key, e, r + 1, s)
            found += 1


main()

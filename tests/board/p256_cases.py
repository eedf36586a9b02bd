#!/usr/bin/env python3
"""Signatures for tests/board/p256.sh, right and wrong ones, judged here by the definition (FIPS 186-4, section 6.4) in plain arithmetic:
small and large keys, digests and nonces, r and s at their limits, keys off the curve or out of range, sums that meet in a point or at
infinity, and x between n and p. Then those that no signer makes, for keys of which nobody knows the private one, by choosing the scalars
u1 and u2: 0, 1, n - 1, equal, opposite, and patterns in the digits of 29 bits, on points whose coordinates are 0, small, or just below p;
and what a verifier takes that forgets to look at the curve, or at p.
The base point as a key, and its negative, verify nothing (serin/adapters/wolfcrypt_sp.h)."""
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
            case(key, e, x, s)  # as it is, out of range
            found += 1
    chosen(dice)


def on_curve(x):
    """A point of that x, or None."""
    square = (x ** 3 - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    return (x, y) if y * y % P == square else None


def roots_of_cubic(value):
    """The x of points with y^2 = value, by the gcd of x^P - x and the cubic; one is enough."""
    def product(a, b):
        out = [0] * 5
        for i, left in enumerate(a):
            for j, right in enumerate(b):
                out[i + j] = (out[i + j] + left * right) % P
        for i in (4, 3):  # x^3 = 3x - B + value
            out[i - 2], out[i - 3] = (out[i - 2] + 3 * out[i]) % P, (out[i - 3] + (value - B) * out[i]) % P
        return out[:3]

    power, base, exponent = [1, 0, 0], [0, 1, 0], P
    while exponent:
        if exponent & 1:
            power = product(power, base)
        base, exponent = product(base, base), exponent >> 1
    a, b = [(B - value) % P, P - 3, 0, 1], [power[0], (power[1] - 1) % P, power[2]]
    while any(b):
        while b and not b[-1]:
            b.pop()
        while len(a) >= len(b):
            factor = a[-1] * pow(b[-1], -1, P) % P
            for i, digit in enumerate(b):
                a[len(a) - len(b) + i] = (a[len(a) - len(b) + i] - factor * digit) % P
            a.pop()
        a, b = b, a
    while a and not a[-1]:
        a.pop()
    return -a[0] * pow(a[1], -1, P) % P if len(a) == 2 else None


def chosen(dice):
    """Keys with edges in their coordinates, and u1, u2 with edges in their bits: r = x(u1 G + u2 key), s = r / u2, e = u1 s."""
    keys = [point for point in map(on_curve, [0, 1, 2, 5, 2**32, 2**224, 2**255, P - 1, P - 3, P - 5, 2**29 - 1, 2**232 - 1]) if point]
    for y in (1, 2, 3, P - 1, (P + 1) // 2):  # (P + 1) / 2: z of the double is 1
        x = roots_of_cubic(y * y % P)
        if x is not None:
            keys.append((x, y))
    ones, thin = 2**256 - 1, sum(1 << 29 * i for i in range(9))
    scalars = [0, 1, 2, 3, N - 1, N - 2, 2**255, 2**32, 2**224, N >> 1, (N >> 1) + 1, ones << 29 * 4 & ones, thin, thin << 28 & ones, dice.randrange(N)]
    for number, key in enumerate(keys):
        for u1 in scalars[number % 4::4]:
            u2 = scalars[(scalars.index(u1) * 7 + number) % len(scalars)] % N or 1
            total = add(times(u1 % N, G), times(u2, key))
            if total is None or not total[0] % N:
                case(key, u1, 1, u2)
                continue
            r = total[0] % N
            s = r * pow(u2, -1, N) % N
            e = u1 * s % N
            case(key, e, r, s)
        if e + N < 2**256:
            case(key, e + N, r, s)  # a digest of n or more is the same number
        case((key[0], P - key[1]), e, r, s)
        for u1, u2 in ((1, 1), (N - 1, 1)):
            total = add(times(u1, G), times(u2, key))
            r = total[0] % N
            case(key, u1 * r * pow(u2, -1, N) % N, r, r * pow(u2, -1, N) % N)
    for x in (0, 5, 2**32):  # r and n come to x and p: x is not r modulo n, though it is r + n modulo p
        r, e, s = x + P - N, dice.getrandbits(256), dice.randrange(1, N)
        base = times(e * pow(s, -1, N) % N, G)
        case(times(s * pow(r, -1, N) % N, add(on_curve(x), (base[0], -base[1] % P))), e, r, s)
    for s in (1, 3, 2**200):  # numbers so small that they fit with n or p on top, and are out of range then
        d, k = dice.randrange(1, N), dice.randrange(1, N)
        r = times(k, G)[0] % N
        case(times(d, G), (s * k - r * d) % N, r, s)
        case(times(d, G), (s * k - r * d) % N, r, s + N)
    y = next(y for y in range(1, 99) if roots_of_cubic(y * y % P) is not None)
    for key, large in ((on_curve(5), (P, 0)), ((roots_of_cubic(y * y % P), y), (0, P))):
        u1, u2 = dice.randrange(1, N), dice.randrange(1, N)
        r = add(times(u1, G), times(u2, key))[0] % N
        s = r * pow(u2, -1, N) % N
        case(key, u1 * s % N, r, s)
        case((key[0] + large[0], key[1] + large[1]), u1 * s % N, r, s)
    for e in (0, N):  # with u1 = 0 a key off the curve signs as one of its own curve, b of which nothing computes with
        key, u2 = (7, 11), dice.randrange(1, N)
        r = times(u2, key)[0] % N
        case(key, e, r, r * pow(u2, -1, N) % N)


if __name__ == "__main__":
    main()

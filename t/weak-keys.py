"""Requests with keys that nobody should certify. weak-keys.py KIND: a CERTIFICATE REQUEST whose signature is none.

weak-keys.py --key KIND: a PUBLIC KEY. weak-keys.py --hashes N: a list of N blocked keys.
"""
import base64
import hashlib
import math
import random
import sys

random.seed(4711)  # the same keys each time


def tlv(tag, content):
    n = len(content)
    if n < 128:
        return bytes([tag, n]) + content
    size = (n.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + n.to_bytes(size, "big") + content


def integer(v):
    return tlv(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))


def is_prime(n):
    if any(n % p == 0 for p in PRIMES):
        return n in PRIMES
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for _ in range(8):
        x = pow(random.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


PRIMES = [p for p in range(2, 2000) if all(p % q for q in range(2, int(p**0.5) + 1))]


def prime(bits, start=None):
    p = (start or random.getrandbits(bits) | 3 << (bits - 2)) | 1
    while not is_prime(p):
        p += 2
    return p


def roca_prime(bits):
    m = 1
    for p in PRIMES[:126]:  # for moduli of 1984 to 3936 bits
        m *= p
    while True:
        k = (random.getrandbits(bits) | 3 << (bits - 2)) // m
        p = k * m + pow(65537, random.randrange(m), m)
        if p.bit_length() == bits and is_prime(p):
            return p


def rsa(n, e=65537):
    key = tlv(0x30, integer(n) + integer(e))
    return tlv(0x30, bytes.fromhex("300d06092a864886f70d0101010500") + tlv(3, b"\0" + key))


def ec(point, curve="06082a8648ce3d030107"):
    alg = tlv(0x30, bytes.fromhex("06072a8648ce3d0201" + curve))
    return tlv(0x30, alg + tlv(3, b"\0" + point))


def ed25519(y):
    return tlv(0x30, bytes.fromhex("300506032b6570") + tlv(3, b"\0" + y.to_bytes(32, "little")))


def p256(x, y):
    return b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


P = 2**256 - 2**224 + 2**192 + 2**96 - 1
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
# a point whose x is small enough that x + p still has 32 octets: 5
X5, Y5 = 5, pow((5**3 - 15 + 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B) % P, (P + 1) // 4, P)
ED = 2**255 - 19
ORDER8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


def good():
    return prime(1024) * prime(1024)


def close(rounds):  # of Fermat's method until it finds the primes
    p = prime(1024)
    return p * prime(1024, p + 2 + math.isqrt(8 * rounds * p))


KEYS = {
    "good": lambda: rsa(good()),
    "roca": lambda: rsa(roca_prime(1024) * roca_prime(1024)),
    "half-roca": lambda: rsa(roca_prime(1024) * prime(1024)),
    "close": lambda: rsa(close(0)),
    "close-95": lambda: rsa(close(95)),
    "close-120": lambda: rsa(close(120)),
    "square": lambda: rsa(prime(1024) ** 2),
    "factor-3": lambda: rsa(3 * prime(2046)),
    "factor-751": lambda: rsa(751 * prime(2038)),
    "factor-757": lambda: rsa(757 * prime(2038)),
    "even": lambda: rsa(2 * prime(2047)),
    "short": lambda: rsa(prime(1023) * prime(1024)),
    "long": lambda: rsa(random.getrandbits(8193) | 1 << 8192 | 1),
    "e-even": lambda: rsa(good(), 65538),
    "e-1": lambda: rsa(good(), 1),
    "e-3": lambda: rsa(good(), 3),
    "e-65535": lambda: rsa(good(), 65535),
    "e-65539": lambda: rsa(good(), 65539),
    "e-65-bits": lambda: rsa(good(), 2**64 + 13),
    "p256": lambda: ec(p256(GX, GY)),
    "off-curve": lambda: ec(p256(GX, GY + 1)),
    "origin": lambda: ec(p256(0, 0)),
    "five": lambda: ec(p256(X5, Y5)),
    "x-range": lambda: ec(p256(X5 + P, Y5)),
    "y-range": lambda: ec(p256(GX, P)),
    "infinity": lambda: ec(b"\0"),
    "compressed": lambda: ec(b"\3" + p256(GX, GY)[1:33]),
    "hybrid": lambda: ec(b"\7" + p256(GX, GY)[1:]),
    "explicit": lambda: ec(p256(GX, GY), "3003020101"),
    "secp256k1": lambda: ec(p256(GX, GY), "06052b8104000a"),
    "ed25519": lambda: ed25519(4 * pow(5, -1, ED) % ED),
    "ed-0": lambda: ed25519(0),
    "ed-1": lambda: ed25519(1),
    "ed-1-sign": lambda: ed25519(1 | 1 << 255),
    "ed-minus-1": lambda: ed25519(ED - 1),
    "ed-8": lambda: ed25519(ORDER8),
    "ed-8-other": lambda: ed25519((ED - ORDER8) | 1 << 255),
    "ed-p": lambda: ed25519(ED),
    "ed-p-plus-3": lambda: ed25519(ED + 3 | 1 << 255),
    "ed-off": lambda: ed25519(2),
}


def pem(label, der):
    text = base64.encodebytes(der).decode().replace("\n", "")
    print("-----BEGIN %s-----" % label)
    for i in range(0, len(text), 64):
        print(text[i : i + 64])
    print("-----END %s-----" % label)


def request(spki):
    name = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550405") + tlv(0x13, b"4711"))))
    info = tlv(0x30, bytes.fromhex("020100") + name + spki + bytes.fromhex("a000"))
    return tlv(0x30, info + bytes.fromhex("300a06082a8648ce3d040302") + tlv(3, b"\0\x30\x06\2\1\1\2\1\1"))


if sys.argv[1] == "--hashes":
    sys.stdout.write("".join(hashlib.sha256(b"%d" % i).hexdigest() + "\n" for i in range(int(sys.argv[2]))))
elif sys.argv[1] == "--key":
    pem("PUBLIC KEY", KEYS[sys.argv[2]]())
else:
    pem("CERTIFICATE REQUEST", request(KEYS[sys.argv[1]]()))

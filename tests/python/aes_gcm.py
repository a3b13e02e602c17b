"""AES-256-GCM in plain Python (FIPS 197, NIST SP 800-38D), so that the decoder shares no code with
the product. Slow, and not constant time: for verification only, not for keeping secrets."""

import hmac


def _tables():
    """Returns the S-box, and its bytes doubled in GF(2^8), which is all that MixColumns needs."""
    exp, log, x = [0] * 256, [0] * 256, 1
    for power in range(255):
        exp[power], log[x] = x, power
        x ^= (x << 1) ^ (0x11B if x & 0x80 else 0)
        x &= 0xFF
    sbox = []
    for byte in range(256):
        inverse = 0 if byte == 0 else exp[(255 - log[byte]) % 255]
        value = 0x63
        for turn in range(5):
            value ^= ((inverse << turn) | (inverse >> (8 - turn))) & 0xFF
        sbox.append(value)
    doubled = [((byte << 1) ^ (0x11B if byte & 0x80 else 0)) & 0xFF for byte in range(256)]
    return sbox, doubled


SBOX, DOUBLED = _tables()
# ShiftRows on a state of four columns: where each byte comes from.
SHIFTED = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11]


class Aes256:
    """The forward cipher; counter mode uses no other."""

    def __init__(self, key):
        if len(key) != 32:
            raise ValueError("an AES-256 key is 32 bytes")
        words = [key[at : at + 4] for at in range(0, 32, 4)]
        rcon = 1
        for nth in range(8, 60):
            word = words[-1]
            if nth % 8 == 0:
                word = bytes(SBOX[byte] for byte in word[1:] + word[:1])
                word = bytes([word[0] ^ rcon]) + word[1:]
                rcon = DOUBLED[rcon]
            elif nth % 8 == 4:
                word = bytes(SBOX[byte] for byte in word)
            words.append(bytes(a ^ b for a, b in zip(words[nth - 8], word)))
        self.round_keys = [b"".join(words[at : at + 4]) for at in range(0, 60, 4)]

    def encrypt(self, block):
        """Encrypts one block of 16 bytes."""
        state = [a ^ b for a, b in zip(block, self.round_keys[0])]
        for round_key in self.round_keys[1:14]:
            s = [SBOX[state[at]] for at in SHIFTED]
            mixed = []
            for at in range(0, 16, 4):
                a, b, c, d = s[at : at + 4]
                mixed.append(DOUBLED[a] ^ DOUBLED[b] ^ b ^ c ^ d)
                mixed.append(a ^ DOUBLED[b] ^ DOUBLED[c] ^ c ^ d)
                mixed.append(a ^ b ^ DOUBLED[c] ^ DOUBLED[d] ^ d)
                mixed.append(DOUBLED[a] ^ a ^ b ^ c ^ DOUBLED[d])
            state = [a ^ b for a, b in zip(mixed, round_key)]
        last = [SBOX[state[at]] for at in SHIFTED]
        return bytes(a ^ b for a, b in zip(last, self.round_keys[14]))


def _multiply(x, y):
    """Returns the product in GF(2^128), with bits in the order of GCM."""
    product = 0
    for bit in range(127, -1, -1):
        if (x >> bit) & 1:
            product ^= y
        y = (y >> 1) ^ (0xE1 << 120 if y & 1 else 0)
    return product


def _ghash(h, aad, ciphertext):
    digest = 0
    for part in (aad, ciphertext):
        for at in range(0, len(part), 16):
            block = part[at : at + 16].ljust(16, b"\0")
            digest = _multiply(digest ^ int.from_bytes(block, "big"), h)
    lengths = (len(aad) * 8) << 64 | len(ciphertext) * 8
    return _multiply(digest ^ lengths, h)


def _counter_mode(cipher, nonce, text):
    out = bytearray()
    for nth, at in enumerate(range(0, len(text), 16)):
        pad = cipher.encrypt(nonce + (nth + 2).to_bytes(4, "big"))
        out += bytes(a ^ b for a, b in zip(text[at : at + 16], pad))
    return bytes(out)


def _tag(cipher, nonce, aad, ciphertext):
    h = int.from_bytes(cipher.encrypt(bytes(16)), "big")
    mask = int.from_bytes(cipher.encrypt(nonce + b"\0\0\0\1"), "big")
    return (_ghash(h, aad, ciphertext) ^ mask).to_bytes(16, "big")


def open_gcm(key, nonce, aad, sealed):
    """Decrypts ciphertext and tag; returns None if the tag does not match."""
    if len(nonce) != 12 or len(sealed) < 16:
        return None
    cipher, ciphertext = Aes256(key), sealed[:-16]
    if not hmac.compare_digest(_tag(cipher, nonce, aad, ciphertext), sealed[-16:]):
        return None
    return _counter_mode(cipher, nonce, ciphertext)


def seal_gcm(key, nonce, aad, plaintext):
    """Returns ciphertext and tag; used to make vectors, and to test this file with the standard's."""
    cipher = Aes256(key)
    ciphertext = _counter_mode(cipher, nonce, plaintext)
    return ciphertext + _tag(cipher, nonce, aad, ciphertext)


def self_test():
    """Test cases 13 to 16 of the GCM specification (McGrew and Viega), AES-256."""
    unhex = bytes.fromhex
    assert seal_gcm(bytes(32), bytes(12), b"", b"") == unhex("530f8afbc74536b9a963b4f1c4cb738b")
    assert seal_gcm(bytes(32), bytes(12), b"", bytes(16)) == unhex(
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
    )
    key = unhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = unhex("cafebabefacedbaddecaf888")
    aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain = unhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = unhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert seal_gcm(key, nonce, aad, plain) == sealed
    assert open_gcm(key, nonce, aad, sealed) == plain
    assert open_gcm(key, nonce, aad, sealed[:-1] + b"\0") is None

"""An independent reader of the files of access exports: the format age-encryption.org/v1 for a
passphrase, in plain Python, and the zip in it. Written from the specification and not from the
product's source. Slow: for verification only.

age.py FILE: prints a JSON object with the base64 text of each file in the zip. The passphrase is in
the environment variable AGE_PASSPHRASE. Exits with 4 if the file does not open."""

import base64
import hashlib
import hmac
import io
import json
import os
import struct
import sys
import zipfile

CHUNK = 64 << 10


class Refused(Exception):
    """The file does not open with this passphrase, or was changed."""


def unpadded(text):
    if "=" in text:
        raise Refused("padding")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def hkdf(key, salt, info):
    """Returns one block of HKDF-SHA-256 (RFC 5869)."""
    extracted = hmac.new(salt or bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def chacha20(key, counter, nonce, data):
    """ChaCha20 of RFC 8439."""
    constants = struct.unpack("<4I", b"expand 32-byte k")
    words = struct.unpack("<8I", key)
    tail = struct.unpack("<3I", nonce)
    out = bytearray()
    mask = 0xFFFFFFFF
    columns = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
    diagonals = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
    for at in range(0, len(data), 64):
        start = [*constants, *words, counter, *tail]
        s = list(start)
        for _ in range(10):
            for a, b, c, d in columns + diagonals:
                s[a] = (s[a] + s[b]) & mask
                s[d] ^= s[a]
                s[d] = (s[d] << 16 | s[d] >> 16) & mask
                s[c] = (s[c] + s[d]) & mask
                s[b] ^= s[c]
                s[b] = (s[b] << 12 | s[b] >> 20) & mask
                s[a] = (s[a] + s[b]) & mask
                s[d] ^= s[a]
                s[d] = (s[d] << 8 | s[d] >> 24) & mask
                s[c] = (s[c] + s[d]) & mask
                s[b] ^= s[c]
                s[b] = (s[b] << 7 | s[b] >> 25) & mask
        stream = struct.pack("<16I", *((x + y) & mask for x, y in zip(s, start)))
        out += bytes(x ^ y for x, y in zip(data[at : at + 64], stream))
        counter += 1
    return bytes(out)


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s, total = int.from_bytes(key[16:], "little"), 0
    for at in range(0, len(message), 16):
        block = message[at : at + 16] + b"\x01"
        total = (total + int.from_bytes(block, "little")) * r % ((1 << 130) - 5)
    return ((total + s) & ((1 << 128) - 1)).to_bytes(16, "little")


def open_aead(key, nonce, sealed):
    data, tag = sealed[:-16], sealed[-16:]
    once = chacha20(key, 0, nonce, bytes(32))
    padded = data + bytes(-len(data) % 16) + struct.pack("<QQ", 0, len(data))
    if len(sealed) < 16 or not hmac.compare_digest(poly1305(once, padded), tag):
        raise Refused("the tag differs")
    return chacha20(key, 1, nonce, data)


def decrypt(file, passphrase):
    lines = []
    at = 0
    while True:
        end = file.index(b"\n", at)
        lines.append(file[at:end].decode("ascii"))
        at = end + 1
        if lines[-1].startswith("---"):
            break
    version, stanza, body, last = lines
    kind, salt, cost = stanza.split(" ")[1:]
    if version != "age-encryption.org/v1" or kind != "scrypt" or int(cost) > 18:
        raise Refused("another format")
    salt = b"age-encryption.org/v1/scrypt" + unpadded(salt)
    wrapping = hashlib.scrypt(
        passphrase.encode(), salt=salt, n=1 << int(cost), r=8, p=1, dklen=32, maxmem=1 << 30
    )
    file_key = open_aead(wrapping, bytes(12), unpadded(body))
    header = "\n".join([version, stanza, body, "---"]).encode()
    mac = hmac.new(hkdf(file_key, b"", b"header"), header, hashlib.sha256).digest()
    if not hmac.compare_digest(mac, unpadded(last.split(" ")[1])):
        raise Refused("the header was changed")
    key = hkdf(file_key, file[at : at + 16], b"payload")
    payload, plain = file[at + 16 :], bytearray()
    pieces = [payload[at : at + CHUNK + 16] for at in range(0, len(payload), CHUNK + 16)]
    for nth, piece in enumerate(pieces):
        is_last = nth + 1 == len(pieces)
        nonce = nth.to_bytes(11, "big") + bytes([is_last])
        plain += open_aead(key, nonce, piece)
    if not pieces:
        raise Refused("no last chunk")
    return bytes(plain)


def main():
    with open(sys.argv[1], "rb") as file:
        sealed = file.read()
    try:
        plain = decrypt(sealed, os.environ["AGE_PASSPHRASE"])
    except Refused as why:
        print(why, file=sys.stderr)
        sys.exit(4)
    with zipfile.ZipFile(io.BytesIO(plain)) as bundle:
        if bundle.testzip() is not None:
            raise ValueError("a file of the zip is damaged")
        read = {name: base64.b64encode(bundle.read(name)).decode() for name in bundle.namelist()}
    json.dump(read, sys.stdout)


if __name__ == "__main__":
    main()

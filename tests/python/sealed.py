"""An independent reader of the formats of docs/sealing.md: keys, sections, content digests, leaves.

Written from that page and not from the product's source. `Refused` is the `Corrupt` of the product:
the bytes differ from what was sealed, or were sealed for another context."""

import hashlib
import hmac
import shutil
import subprocess
from pathlib import Path
from uuid import UUID

from aes_gcm import Aes256, open_gcm


class Refused(Exception):
    """The sealed bytes do not open."""


class CannotRun(Exception):
    """A requirement of the check is missing on this machine; the ledger was not checked."""


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(salt, key, *info):
    """Returns one block of HKDF-SHA-256 (RFC 5869)."""
    return mac(mac(salt, key), *info, b"\x01")


def derived(key, label):
    """Derives from an epoch key the key for one purpose."""
    return hkdf(b"call-ledger", key, label)


# --- codecs: the compression of a section's content before sealing -----------------------------


DICTIONARIES = Path(__file__).parents[2] / "ledger-store" / "dictionaries"


def _zstd(data, dictionary=None):
    path = DICTIONARIES / f"{dictionary}.zdict" if dictionary else None
    try:
        from compression import zstd  # Python 3.14

        return zstd.decompress(data, zstd.ZstdDict(path.read_bytes()) if path else None)
    except ImportError:
        pass
    try:
        import zstandard

        words = zstandard.ZstdCompressionDict(path.read_bytes()) if path else None
        return zstandard.ZstdDecompressor(dict_data=words).decompressobj().decompress(data)
    except ImportError:
        pass
    command = shutil.which("zstd")
    if command is None:
        raise CannotRun("no zstd: install the Debian package zstd, or Python 3.14")
    words = ["-D", str(path)] if path else []
    command = [command, "-d", "-c", "-q", *words]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise Refused("the content does not decompress")
    return done.stdout


# One line per codec byte.
CODECS = {
    0: lambda data: data,
    1: _zstd,
    2: lambda data: _zstd(data, "sections-1"),
}


# --- keys ---------------------------------------------------------------------------------------


def open_small(key, place, sealed):
    """Opens bytes of the form: nonce of 12 bytes, ciphertext, tag."""
    plain = open_gcm(key, sealed[:12], place, sealed[12:])
    if plain is None:
        raise Refused("it does not open under this key for this place")
    return plain


def root_key(text):
    """Parses the root key file: 64 hexadecimal digits."""
    key = bytes.fromhex(text.strip())
    if len(key) != 32:
        raise Refused("a root key is 32 bytes")
    return key


def root_id(root):
    return hashlib.sha256(b"cl/root/1" + root).digest()[:8]


def key_file(root, tenant_id, name, contents):
    """Returns the key in `keyring/<tenant>/<name>`."""
    if contents[:4] != b"CLK1":
        raise Refused("it is no key file")
    if contents[4:12] != root_id(root):
        raise Refused("another root key wrapped it")
    place = b"CLK1" + UUID(tenant_id).bytes + name.encode()
    key = open_small(root, place, contents[12:])
    if len(key) != 32:
        raise Refused("a key is 32 bytes")
    return key


def check_value(epoch_key, scheme=1):
    """Returns the value that recognizes an epoch key and the scheme of its blind indexes."""
    return mac(derived(epoch_key, f"cl/check/{scheme}".encode()), b"check")[:16]


def lookup_key(epoch_key):
    return derived(epoch_key, b"cl/lookup/1")


def value_digest(lookup, kind, value):
    kind = kind.encode()
    return mac(lookup, len(kind).to_bytes(8, "big"), kind, value.encode())[:16]


def blind_index(epoch_key, kind, value):
    """Returns a blind index of scheme 1."""
    return value_digest(lookup_key(epoch_key), kind, value)


def encrypted_index(epoch_key, lookup, kind, value):
    """Returns a blind index of scheme 2, with the lookup key that the epochs of a tenant share."""
    return Aes256(derived(epoch_key, b"cl/index/2")).encrypt(value_digest(lookup, kind, value))


def subject_key(epoch_key, tenant_id, subject_id, generation, epoch, wrapped):
    """Opens the key of a subject from its row in vault.subject_keys."""
    place = b"CLW1" + UUID(tenant_id).bytes + UUID(subject_id).bytes
    place += generation.to_bytes(4, "big") + epoch.to_bytes(4, "big")
    key = open_small(derived(epoch_key, b"cl/wrap/1"), place, wrapped)
    if len(key) != 32:
        raise Refused("a key is 32 bytes")
    return key


def secret(epoch_key, place, sealed):
    """Opens sealed data without a subject: the secret of a source, or a body in quarantine."""
    return open_small(derived(epoch_key, b"cl/misc/1"), place, sealed)


def fingerprint(key):
    return hashlib.sha256(b"cl/fpr/1" + key).digest()


def content_name(canonical):
    """Returns the content digest of a message: the hash of its canonical form."""
    return hashlib.sha256(canonical.encode()).digest()


def content_digest(digest_key, content):
    return mac(digest_key, content)


# --- sections -----------------------------------------------------------------------------------


class Section:
    """Opens a section. Its header is authenticated only by the successful opening."""

    def __init__(self, data):
        self.data, self.at = data, 0
        if self.take(2) != b"\x01\x01":
            raise Refused("its version or key kind is not known")
        self.subject_id = str(UUID(bytes=self.take(16)))
        self.generation = int.from_bytes(self.take(4), "big")
        self.event_id = str(UUID(bytes=self.take(16)))
        self.event_type = self.text()
        self.schema_version = int.from_bytes(self.take(2), "big", signed=True)
        self.codec = self.take(1)[0]
        self.name = self.text()
        self.header = data[: self.at]
        self.salt = self.take(32)
        self.commitment = self.take(32)
        self.body = data[self.at :]

    def take(self, count):
        taken = self.data[self.at : self.at + count]
        if len(taken) != count:
            raise Refused("it is too short")
        self.at += count
        return taken

    def text(self):
        try:
            return self.take(self.take(1)[0]).decode()
        except UnicodeDecodeError as error:
            raise Refused("a name in it is no text") from error

    def open(self, key, tenant_id):
        aad = b"CLS1" + UUID(tenant_id).bytes + self.header
        commitment = hkdf(self.salt, key, b"cl/commit/1", aad)
        if not hmac.compare_digest(commitment, self.commitment):
            raise Refused("it is not under this key, or not for this place")
        content_key = hkdf(self.salt, key, b"cl/enc/1", aad)
        content = open_gcm(content_key, bytes(12), aad, self.body)
        if content is None:
            raise Refused("its content was altered")
        if self.codec not in CODECS:
            raise Refused(f"codec {self.codec} is not known")
        return CODECS[self.codec](content)


def column(data):
    """Splits a column into its sections, each of which follows its length."""
    sections = []
    while data:
        length = int.from_bytes(data[:4], "big")
        if len(data) < 4 + length:
            raise Refused("the lengths do not add up")
        sections.append(data[4 : 4 + length])
        data = data[4 + length :]
    return sections


# --- leaves -------------------------------------------------------------------------------------


def section_digests(row):
    """Returns for each section the byte of its column and the SHA-256 of its bytes. A column that
    does not split into sections has one digest, with 0x80 added to its byte."""
    digests = b""
    for place, name in ((1, "sections"), (2, "bulk")):
        if row[name] is None:
            continue
        data = bytes.fromhex(row[name])
        try:
            sections = column(data)
        except Refused:
            place, sections = place | 0x80, [data]
        for section in sections:
            digests += bytes([place]) + hashlib.sha256(section).digest()
    return digests


def leaf_hash(row):
    """Returns SHA-256 over the stored fields of a row, with the length before each field. A row
    without digests has the first format, over the bytes of its sections."""
    stored = row.get("section_digests")
    sections = [
        None if row["sections"] is None else bytes.fromhex(row["sections"]),
        None if row["bulk"] is None else bytes.fromhex(row["bulk"]),
    ]
    if stored is not None:
        sections = [section_digests(row)]
        if bytes.fromhex(stored) != sections[0]:
            raise Refused("the sections do not have their digests")
    micros = lambda name: int(row[name]).to_bytes(8, "big", signed=True)
    fields = [
        b"call-ledger/leaf/1" if stored is None else b"call-ledger/leaf/2",
        UUID(row["tenant_id"]).bytes,
        UUID(row["stream_id"]).bytes,
        row["stream_kind"].encode(),
        UUID(row["event_id"]).bytes,
        row["event_type"].encode(),
        int(row["schema_version"]).to_bytes(2, "big", signed=True),
        micros("occurred_at_micros"),
        micros("recorded_at_micros"),
        row["facts"].encode(),
        row["meta"].encode(),
        b"".join(UUID(subject).bytes for subject in row["subjects"] or []),
        *sections,
    ]
    digest = hashlib.sha256()
    for field in fields:
        # The length of an absent column has all bits set.
        digest.update((2**64 - 1 if field is None else len(field)).to_bytes(8, "big"))
        digest.update(field or b"")
    return digest.digest()

#!/usr/bin/env python3
"""Opens sealed data of the call ledger without code of the call ledger.

    open_sealed.py vectors FILE   checks that each golden vector opens, and fails with any byte altered
    open_sealed.py ledger FILE    opens an exported ledger, starting at its root key; prints plaintexts

Prints JSON. Exits with 1 and the name of the failed check, or with 3 if a requirement is missing.
Needs Python 3.9 or newer with its standard library, and zstd as a module or command."""

import json
import sys

import sealed
from aes_gcm import self_test
from sealed import CannotRun, Refused, Section

unhex = bytes.fromhex


def expect(name, found, wanted):
    if found != wanted:
        raise AssertionError(f"{name}: {found!r} is not {wanted!r}")


def refuses(name, attempt):
    try:
        opened = attempt()
    except Refused:
        return
    raise AssertionError(f"{name} opened to {len(opened)} bytes")


def flips(data):
    """Yields for each index the bytes with a changed byte there."""
    for at in range(len(data)):
        yield at, data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]


# --- golden vectors -----------------------------------------------------------------------------


def check_root(v):
    root = sealed.root_key(v["file"])
    expect("id", sealed.root_id(root), unhex(v["id"]))


def check_key_file(v):
    root, contents = unhex(v["root"]), unhex(v["contents"])
    read = lambda data: sealed.key_file(root, v["tenant_id"], v["file"], data)
    expect("key", read(contents), unhex(v["key"]))
    for at, flipped in flips(contents):
        refuses(f"byte {at}", lambda: read(flipped))


def check_epoch(v):
    key = unhex(v["key"])
    expect("check value", sealed.check_value(key), unhex(v["check_value"]))
    expect("lookup key", sealed.lookup_key(key), unhex(v["lookup_key"]))


def check_blind_index(v):
    found = sealed.blind_index(unhex(v["epoch_key"]), v["kind"], v["value"])
    expect("blind index", found, unhex(v["blind_index"]))


def check_encrypted_index(v):
    epoch_key, lookup = unhex(v["epoch_key"]), unhex(v["lookup_key"])
    found = sealed.encrypted_index(epoch_key, lookup, v["kind"], v["value"])
    expect("blind index", bytes(found), unhex(v["blind_index"]))
    expect("check value", sealed.check_value(epoch_key, 2), unhex(v["check_value"]))


def check_subject_key(v):
    def read(wrapped):
        place = (v["tenant_id"], v["subject_id"], v["generation"], v["epoch"])
        return sealed.subject_key(unhex(v["epoch_key"]), *place, wrapped)

    wrapped = unhex(v["wrapped"])
    expect("key", read(wrapped), unhex(v["key"]))
    expect("fingerprint", sealed.fingerprint(unhex(v["key"])), unhex(v["fingerprint"]))
    for at, flipped in flips(wrapped):
        refuses(f"byte {at}", lambda: read(flipped))


def check_secret(v):
    key, place = unhex(v["epoch_key"]), unhex(v["place"])
    expect("secret", sealed.secret(key, place, unhex(v["sealed"])), unhex(v["secret"]))


def check_digest(v):
    found = sealed.content_digest(unhex(v["digest_key"]), unhex(v["content"]))
    expect("digest", found, unhex(v["digest"]))


def check_section(v):
    data, key = unhex(v["section"]), unhex(v["key"])
    section = Section(data)
    for field in ("subject_id", "generation", "event_id", "event_type", "schema_version"):
        expect(field, getattr(section, field), v[field])
    expect("section name", section.name, v["section_name"])
    expect("codec", section.codec, v["codec"])
    expect("salt", section.salt, unhex(v["salt"]))
    expect("plaintext", section.open(key, v["tenant_id"]), unhex(v["plaintext"]))
    for at, flipped in flips(data):
        refuses(f"byte {at}", lambda: Section(flipped).open(key, v["tenant_id"]))


def check_column(v):
    found = [data.hex() for data in sealed.column(unhex(v["column"]))]
    expect("sections", found, v["sections"])


def check_leaf(v):
    expect("leaf hash", sealed.leaf_hash(v), unhex(v["leaf_hash"]))


KINDS = {
    "root_keys": check_root,
    "key_files": check_key_file,
    "epochs": check_epoch,
    "blind_indexes": check_blind_index,
    "encrypted_indexes": check_encrypted_index,
    "subject_keys": check_subject_key,
    "secrets": check_secret,
    "content_digests": check_digest,
    "sections": check_section,
    "columns": check_column,
    "leaves": check_leaf,
}


def vectors(file):
    unknown = set(file) - set(KINDS) - {"about"}
    expect("kinds of vectors nobody checks", unknown, set())
    checked = {}
    for kind, check in KINDS.items():
        for vector in file[kind]:
            try:
                check(vector)
            except (AssertionError, Refused) as error:
                raise AssertionError(f"{kind}: {vector['name']}: {error}") from error
        checked[kind] = len(file[kind])
    return {"checked": checked}


# --- a ledger, starting at its root key -------------------------------------------------------------


def ledger(export):
    """Opens every key, look-up and section of one tenant and checks every leaf, from stored bytes."""
    tenant_id = export["tenant_id"]
    root = sealed.root_key(export["root_key"])
    keys = {
        name: sealed.key_file(root, tenant_id, name, unhex(contents))
        for name, contents in export["key_files"].items()
    }
    for row in export["epochs"]:
        found = sealed.check_value(keys[f"{row['epoch']}.tek"])
        expect(f"check value of epoch {row['epoch']}", found, unhex(row["check_value"]))
    subjects = {}
    for row in export["subject_keys"]:
        place = (tenant_id, row["subject_id"], row["generation"], row["epoch"])
        key = sealed.subject_key(keys[f"{row['epoch']}.tek"], *place, unhex(row["wrapped"]))
        expect("fingerprint", sealed.fingerprint(key), unhex(row["fingerprint"]))
        subjects[row["subject_id"], row["generation"]] = key
    lookups = {}
    for one in export["look_up"]:
        index = sealed.blind_index(keys["1.tek"], one["kind"], one["value"]).hex()
        found = [row["subject_id"] for row in export["lookups"] if row["blind_index"] == index]
        lookups[one["value"]] = found
    events = []
    for row in export["events"]:
        expect(f"leaf hash at {row['position']}", sealed.leaf_hash(row).hex(), row["leaf_hash"])
        events.append({"position": row["position"], "sections": open_row(row, tenant_id, subjects)})
    digests = {
        content: sealed.content_digest(keys["digest.key"], sealed.content_name(content)).hex()
        for content in export["contents"]
    }
    return {"lookups": lookups, "events": events, "digests": digests}


def open_row(row, tenant_id, subjects):
    opened = []
    for where in ("sections", "bulk"):
        for data in sealed.column(unhex(row[where] or "")):
            section = Section(data)
            expect("event", section.event_id, row["event_id"])
            expect("type", section.event_type, row["event_type"])
            expect("version", section.schema_version, int(row["schema_version"]))
            plain = section.open(subjects[section.subject_id, section.generation], tenant_id)
            found = {"column": where, "name": section.name, "codec": section.codec}
            opened.append({**found, "plaintext": plain.decode()})
    return opened


def main():
    command, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        read = json.load(file)
    self_test()
    try:
        answer = {"vectors": vectors, "ledger": ledger}[command](read)
    except (AssertionError, Refused) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    except CannotRun as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 3
    json.dump(answer, sys.stdout, ensure_ascii=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

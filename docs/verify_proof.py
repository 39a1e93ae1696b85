"""Check a proof of `specspan ledger prove` or `consistency`: python verify_proof.py PUBLIC_KEY FILE.

Needs the package `cryptography` and nothing of specspan. RFC 6962; RFC 9162, 2.1.3.2 and 2.1.4.2; c2sp.org/signed-note.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def open_checkpoint(note: str, key: str) -> tuple[str, int, bytes]:
    """Return origin, size and root, if the key signed for them."""
    name, key_id, encoded = key.split("+", 2)
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        signature = base64.b64decode(line.split(" ")[2])
        if line.startswith(f"— {name} ") and signature[:4].hex() == key_id:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
            public.verify(signature[4:], f"{text}\n".encode())
            origin, size, root = text.split("\n")[:3]
            return origin, int(size), base64.b64decode(root)
    sys.exit("FAILED: the checkpoint is not signed by this key")


def climb(node: int, last: int, hashes: list[bytes], proof: list[bytes]) -> list[bytes]:
    """Return the roots that hashes lead to: one at the left is below all of them, one at the right below the last."""
    for sibling in proof:
        if last == 0:
            sys.exit("FAILED: the proof is too long")
        if node % 2 or node == last:
            hashes = [hashlib.sha256(b"\1" + sibling + each).digest() for each in hashes]
            while node and not node % 2:
                node, last = node // 2, last // 2
        else:
            hashes[-1] = hashlib.sha256(b"\1" + hashes[-1] + sibling).digest()
        node, last = node // 2, last // 2
    return hashes if last == 0 else sys.exit("FAILED: the proof is too short")


key, given = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
origin, size, root = open_checkpoint(given.get("checkpoint") or given["new"], key)
proof = [bytes.fromhex(each) for each in given["proof"]]
if "record" in given:
    index, leaf = given["index"], hashlib.sha256(b"\0" + given["record"].encode()).digest()
    holds = 0 <= index < size and climb(index, size - 1, [leaf], proof) == [root]
    said = f"record {index} is one of the {size} of {origin}"
else:
    old_origin, old_size, old_root = open_checkpoint(given["old"], key)
    step = (old_size & -old_size).bit_length() - 1  # the levels that the older tree is complete in
    start = old_root if old_size == 1 << step or old_size == size else proof.pop(0)
    last = (size - 1) >> step if old_size != size else 0
    holds = old_origin == origin and climb((old_size - 1) >> step, last, [start, start], proof) == [old_root, root]
    said = f"the {size} records of {origin} continue its first {old_size}"
print(f"OK: {said}" if holds else f"FAILED: not proved that {said}")
sys.exit(not holds)

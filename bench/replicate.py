"""Makes a tree of VGGFace2's layout larger: every identity again under other names.

Pixels are hard links where the file system allows it, else copies; the metadata is written anew.
"""

import csv
import os
import shutil
from pathlib import Path

SUBSETS = ("train", "test")
TABLES = [f"bb_landmark/loose_{kind}_{s}.csv" for kind in ("bb", "landmark") for s in SUBSETS]


def link(src, dst):
    try:
        os.link(src, dst)
    except OSError:
        shutil.copyfile(src, dst)


def identities(root):
    """(subset, identity) of a tree, in the order of the names."""
    return [(s, d.name) for s in SUBSETS for d in sorted((root / s).iterdir()) if d.is_dir()]


def replicate(root, dst, copies):
    """Writes copies of the tree at root into one tree at dst; returns a list with a map from old
    to new identity for each copy."""
    root, dst = Path(root), Path(dst)
    people = identities(root)
    if copies * len(people) > 999_999:
        raise ValueError("identities have six digits")
    names = [{p: f"n{c * len(people) + i + 1:06d}" for i, (_, p) in enumerate(people)} for c in range(copies)]
    for d in ("meta", "bb_landmark"):
        (dst / d).mkdir(parents=True)
    files = {p: sorted((root / s / p).glob("*.jpg")) for s, p in people}
    for new in names:
        for s, p in people:
            to = dst / s / new[p]
            to.mkdir(parents=True)
            for f in files[p]:
                link(f, to / f.name)
    for s in SUBSETS:
        lines = [f"{p}/{f.name}" for t, p in people if t == s for f in files[p]]
        with open(dst / "meta" / f"{s}_list.txt", "w") as w:
            for new in names:
                w.writelines(f"{new[line[:7]]}{line[7:]}\n" for line in lines)
    for t in TABLES:
        head, *rows = (root / t).read_text().splitlines()
        rows = [r.split('"', 2)[1:] for r in rows if r.startswith('"')]
        with open(dst / t, "w") as w:
            w.write(head + "\n")
            for new in names:
                w.writelines(f'"{new[key[:7]]}{key[7:]}"{rest}\n' for key, rest in rows if key[:7] in new)
    with open(root / "meta" / "identity_meta.csv", newline="") as f:
        meta = {r[0]: r for r in csv.reader(f, skipinitialspace=True) if r}
    with open(dst / "meta" / "identity_meta.csv", "w") as w:
        w.write("Class_ID, Name, Sample_Num, Flag, Gender\n")
        for new in names:
            for s, p in people:
                gender = meta[p][4].strip() if p in meta else ""
                w.write(f'{new[p]}, "{new[p]}", {len(files[p])}, {int(s == "train")}, {gender}\n')
    return names

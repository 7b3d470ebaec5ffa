"""Makes templates_golden.json: the template protocols of synthetic sets, judged by NumPy and scikit-learn,
and searches with many ties, judged from their distances.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    for p in ijba ijbb ijbc vggface2-templates; do
        vf2prep synth --protocol $p --out sets/$p --identities 60 --width 16 --missing 0.02 --seed 7
    done
    python templates_golden.py sets > templates_golden.json

It shares no code with package eval: it reads the files itself, by csv and str.split.
"""
import csv
import json
import os
import sys

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

root = sys.argv[1]


def embeddings(name):
    x = np.load(f"{root}/{name}/embeddings.npy").astype(np.float64)
    x = (x / np.sqrt((x**2).sum(1, keepdims=True))).astype(np.float32).astype(np.float64)
    keys = open(f"{root}/{name}/embeddings.keys.txt").read().split("\n")[:-1]
    return dict(zip(keys, x))


def unit(v):
    return v / np.linalg.norm(v)


def pool(faces, pooling):
    """faces: list of (medium, vector); None without a vector."""
    if not faces:
        return None
    if pooling == "mean":
        return unit(np.mean([v for _, v in faces], 0))
    media = {}
    for m, v in faces:
        media.setdefault(m, []).append(v)
    means = [np.mean(v, 0) for v in media.values()]
    return unit(np.sum([unit(m) for m in means] if pooling == "unit-media" else means, 0))


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def templates(rs, e, pooling, sighting):
    subject, faces, owners = {}, {}, {}
    for r in rs:
        owners.setdefault(r["FILE"], set()).add(r["SUBJECT_ID"])
    for r in rs:
        t = int(r["TEMPLATE_ID"])
        subject[t] = r["SUBJECT_ID"]
        faces.setdefault(t, [])
        alone = len(owners[r["FILE"]]) == 1
        v = None
        if sighting:
            v = e.get(r["FILE"] + "#" + r["SIGHTING_ID"])
            if v is None and alone:
                v = e.get(r["FILE"])
        elif alone:
            v = e.get(r["FILE"])
        if v is not None:
            faces[t].append((r["MEDIA_ID"], v))
    return subject, {t: pool(f, pooling) for t, f in faces.items()}


def verification(genuine, impostor):
    y = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    s = np.r_[genuine, impostor]
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    out = {"auc": roc_auc_score(y, s)}
    for k in range(1, len(fpr)):
        a, b = fpr[k - 1] - (1 - tpr[k - 1]), fpr[k] - (1 - tpr[k])
        if b >= 0:
            out["eer"] = fpr[k - 1] + (fpr[k] - fpr[k - 1]) * (-a / (b - a))
            break
    for k in range(1, 7):
        far = 10.0**-k
        ok = far * len(impostor) >= 1 - 1e-9
        out[f"tar_at_far_1e-{k}"] = tpr[fpr <= far + 1e-12].max() if ok else None
    return out


def over(splits, std=True):
    out = {}
    for name in splits[0]:
        v = [s[name] for s in splits]
        none = any(x is None for x in v)
        out[name] = None if none else float(np.mean(v))
        out[name + "_std"] = None if none or not std or len(v) < 2 else float(np.std(v))
    return out


def search(d, mates):
    """d: probes x subjects; mates: column of the mate, -1 for none."""
    ranks, score, y = [], [], []
    for row, m in zip(d, mates):
        if m < 0:
            score.append(-row.min())
            y.append(0)
            continue
        rank = 1 + sum(row[k] <= row[m] for k in range(len(row)) if k != m)
        ranks.append(rank)
        score.append(-row[m] if rank == 1 else -1e9)
        y.append(1)
    ranks = np.array(ranks)
    out = {f"rank{k}": float(np.mean(ranks <= k)) for k in (1, 5, 10)}
    fpr, tpr, thr = roc_curve(y, score, drop_intermediate=False)
    for f in (0.1, 0.01):
        ok = f * y.count(0) >= 1 - 1e-9
        keep = (fpr <= f + 1e-12) & (thr > -1e9)
        out[f"tpir_at_fpir_{f}"] = float(tpr[keep].max()) if ok else None
    return out


def gallery_search(gallery, probes, subject, vectors):
    mates_of = {subject[t] for t in gallery}
    names = sorted({subject[t] for t in gallery if vectors.get(t) is not None})
    columns = {s: [t for t in gallery if subject[t] == s and vectors.get(t) is not None] for s in names}
    d, mates, left = [], [], 0
    for p in probes:
        if vectors.get(p) is None or subject[p] in mates_of and subject[p] not in names:
            left += 1
            continue
        d.append([min(np.sum((vectors[p] - vectors[t]) ** 2) for t in columns[s]) for s in names])
        mates.append(names.index(subject[p]) if subject[p] in names else -1)
    return search(np.array(d), mates), left


cases = []


def case(protocol, meta, result, **options):
    cases.append({"protocol": protocol, "meta": meta, "options": options, "result": result})


for sighting in (False, True):
    for pooling in ("media", "unit-media", "mean"):
        e = embeddings("ijba")
        options = {"pooling": pooling, "key_with": "sighting" if sighting else "file"}
        splits, left, total = [], 0, 0
        for n in range(1, 11):
            d = f"{root}/ijba/IJB-A_11_sets/split{n}"
            subject, v = templates(rows(f"{d}/verify_metadata_{n}.csv"), e, pooling, sighting)
            genuine, impostor = [], []
            for a, b in csv.reader(open(f"{d}/verify_comparisons_{n}.csv")):
                a, b = int(a), int(b)
                total += 1
                if v[a] is None or v[b] is None:
                    left += 1
                    continue
                (genuine if subject[a] == subject[b] else impostor).append(float(v[a] @ v[b]))
            splits.append(verification(genuine, impostor))
        case("ijba-compare", "ijba", over(splits) | {"pairs_left_out": left, "pairs_total": total}, **options)
        splits, left = [], 0
        for n in range(1, 11):
            d = f"{root}/ijba/IJB-A_1N_sets/split{n}"
            g, p = rows(f"{d}/search_gallery_{n}.csv"), rows(f"{d}/search_probe_{n}.csv")
            subject, v = templates(g + p, e, pooling, sighting)
            ids = lambda rs: list(dict.fromkeys(int(r["TEMPLATE_ID"]) for r in rs))
            r, l = gallery_search(ids(g), ids(p), subject, v)
            splits.append(r)
            left += l
        case("ijba-search", "ijba", over(splits) | {"searches_left_out": left}, **options)

for name, letter in (("ijbb", "S"), ("ijbc", "G")):
    e = embeddings(name)
    meta = f"{root}/{name}/meta/{name}"
    for pooling in ("media", "unit-media", "mean"):
        faces = {}
        for line in open(f"{meta}_face_tid_mid.txt"):
            image, t, m = line.split()
            faces.setdefault(int(t), [])
            if image in e:
                faces[int(t)].append((m, e[image]))
        v = {t: pool(f, pooling) for t, f in faces.items()}
        genuine, impostor, left = [], [], 0
        for line in open(f"{meta}_template_pair_label.txt"):
            a, b, y = map(int, line.split())
            if v[a] is None or v[b] is None:
                left += 1
                continue
            (genuine if y else impostor).append(float(v[a] @ v[b]))
        case(f"{name}-1:1", name, over([verification(genuine, impostor)]) | {"pairs_left_out": left}, pooling=pooling)
        lists = [rows(f"{meta}_1N_{k}.csv") for k in (f"gallery_{letter}1", f"gallery_{letter}2", "probe_mixed")]
        subject = {int(r["TEMPLATE_ID"]): r["SUBJECT_ID"] for l in lists for r in l}
        both, left = [], 0
        for g in lists[:2]:
            r, l = gallery_search(list(dict.fromkeys(int(r["TEMPLATE_ID"]) for r in g)),
                                  list(dict.fromkeys(int(r["TEMPLATE_ID"]) for r in lists[2])), subject, v)
            both.append(r)
            left += l
        case(f"{name}-1:n", name, over(both, std=False) | {"searches_left_out": left}, pooling=pooling)

e = embeddings("vggface2-templates")
for kind, groups in (("pose", ["frontal", "three_quarter", "profile"]), ("age", ["young", "mature"])):
    meta = f"vggface2-templates/meta/test_{kind}temp_imglist.txt"
    lines = open(f"{root}/{meta}").read().split()
    ids = list(dict.fromkeys(l.split("/")[0] for l in lines))
    cells = {}
    used = 0
    for i in ids:
        mine = [l for l in lines if l.startswith(i + "/")]
        t = []
        for k in range(0, len(mine), 5):
            got = [e[l[:-4]] for l in mine[k : k + 5] if l[:-4] in e]
            t.append(unit(np.sum(got, 0)) if got else None)
        if any(x is None for x in t):
            continue
        used += 1
        for a in range(len(groups)):
            for b in range(a, len(groups)):
                if a == b:
                    c = [t[2 * a] @ t[2 * a + 1]]
                else:
                    c = [t[2 * a + x] @ t[2 * b + y] for x in (0, 1) for y in (0, 1)]
                cells.setdefault(f"{groups[a]}_{groups[b]}", []).append(np.mean(c))
    result = {"identities": used}
    for n, c in cells.items():
        result |= {n: float(np.mean(c)), n + "_std": float(np.std(c))}
    case("vggface2-templates", meta, result, pooling="media")

rng = np.random.default_rng(1)
ties = []
for subjects, probes, known in [(3, 40, 2), (12, 300, 8), (40, 120, 40), (1, 20, 1), (25, 400, 10)]:
    d = np.clip(np.round(rng.normal(1.2, 0.3, (probes, subjects)) * 16) / 16, 0, 4)
    mates = np.where(rng.random(probes) < 0.6, rng.integers(0, known, probes), -1)
    for p, m in enumerate(mates):
        if m >= 0:
            d[p, m] = max(0, d[p, m] - np.round(rng.random() * 16) / 16)
    ties.append({"distances": d.tolist(), "mates": mates.tolist(), "result": search(d, mates.tolist())})

print(json.dumps({"cases": cases, "ties": ties}))

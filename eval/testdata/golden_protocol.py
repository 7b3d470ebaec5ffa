"""Makes golden_protocol.json: held-out folds, resampled people and cosine distances, judged by
scikit-learn and NumPy.

    pip install scikit-learn==1.9.1
    python golden_protocol.py > golden_protocol.json

Distances are multiples of 1/64 so that there are many ties. A resampled person k comes w[k] times;
a pair of k and l weighs w[k] * w[l], a pair of one person w[k].
"""
import json

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.metrics.pairwise import paired_cosine_distances

rng = np.random.default_rng(20180209)
GRID = np.array([i / 100 for i in range(401)])


def accuracy(y, d, w, t, balanced):
    right = (d <= t) == (y == 1)
    if balanced:
        g, i = y == 1, y == 0
        return (w[g & right].sum() / w[g].sum() + w[i & right].sum() / w[i].sum()) / 2
    return w[right].sum() / w.sum()


def best(y, d, w, balanced):
    a = np.array([accuracy(y, d, w, t, balanced) for t in GRID])
    # Equal accuracies can differ by a rounding: the smallest threshold of those within 1e-12.
    return GRID[np.flatnonzero(a > a.max() - 1e-12)[0]]


def held_out(y, d, w, fold, balanced):
    used = [f for f in np.unique(fold) if f >= 0 and w[(fold == f) & (y == 1)].sum() > 0 and w[(fold == f) & (y == 0)].sum() > 0]
    out = []
    for f in used:
        test = fold == f
        train = np.isin(fold, [g for g in used if g != f]) if len(used) > 1 else test
        out.append(accuracy(y[test], d[test], w[test], best(y[train], d[train], w[train], balanced), balanced))
    return out


def eer(fpr, tpr):
    for k in range(1, len(fpr)):
        a, b = fpr[k - 1] - (1 - tpr[k - 1]), fpr[k] - (1 - tpr[k])
        if b >= 0:
            return fpr[k - 1] + (fpr[k] - fpr[k - 1]) * (-a / (b - a))


def numbers(y, d, w, fold, balanced):
    fpr, tpr, _ = roc_curve(y, -d, sample_weight=w, drop_intermediate=False)
    tar = {k: float(tpr[fpr <= 10.0**-k + 1e-15].max()) for k in range(1, 7)}
    return [float(np.mean(held_out(y, d, w, fold, balanced))), float(roc_auc_score(y, -d, sample_weight=w)), float(eer(fpr, tpr))] + [tar[k] for k in range(1, 7)]


cases = []
for people, genuine, impostor, folds, gap, balanced in [(12, 60, 60, 5, 0.5, False), (20, 90, 900, 10, 0.8, True), (9, 40, 200, 3, 0.2, True), (30, 300, 300, 10, 1.0, False)]:
    home = rng.integers(0, folds, people)
    a = rng.integers(0, people, genuine + impostor)
    b = a.copy()
    y = np.r_[np.ones(genuine), np.zeros(impostor)].astype(int)
    for k in range(genuine, genuine + impostor):
        while b[k] == a[k]:
            b[k] = rng.integers(0, people)
    fold = np.where(home[a] == home[b], home[a], -1) if balanced else rng.integers(0, folds, genuine + impostor)
    d = np.r_[rng.normal(1.0, 0.35, genuine), rng.normal(1.0 + gap, 0.35, impostor)]
    d = np.round(np.clip(d, 0, 4) * 64) / 64
    one = np.ones(len(y))
    use = [held_out(y, d, one, fold, balanced)]
    samples = []
    while len(samples) < 12:
        w = np.bincount(rng.integers(0, people, people), minlength=people)
        weight = np.where(a == b, w[a], w[a] * w[b]).astype(float)
        # scikit-learn drops points of no weight; so does nobody need them.
        if not held_out(y, d, weight, fold, balanced) or weight[y == 1].sum() == 0 or weight[y == 0].sum() == 0:
            continue
        keep = weight > 0
        samples.append({"w": w.tolist(), "numbers": numbers(y[keep], d[keep], weight[keep], fold[keep], balanced)})
    draws = rng.normal(0, 1, 41)
    cases.append({
        "people": people, "folds": folds, "balanced": balanced,
        "a": a.tolist(), "b": b.tolist(), "same": y.tolist(), "fold": fold.tolist(), "distance": d.tolist(),
        "accuracies": [float(v) for v in use[0]], "mean": float(np.mean(use[0])), "std": float(np.std(use[0])),
        "samples": samples,
        "draws": draws.tolist(), "low": float(np.percentile(draws, 2.5)), "high": float(np.percentile(draws, 97.5)),
    })

u, v = rng.normal(0, 2, (50, 7)).astype(np.float32), rng.normal(0, 0.1, (50, 7)).astype(np.float32)
v[:5] = u[:5] * np.float32(0.5)
print(json.dumps({
    "cases": cases,
    "u": u.astype(float).tolist(), "v": v.astype(float).tolist(),
    "cosine": paired_cosine_distances(u.astype(float), v.astype(float)).tolist(),
    "squared": ((u.astype(float) - v.astype(float)) ** 2).sum(axis=1).tolist(),
}))

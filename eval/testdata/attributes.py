"""Makes attributes.json: the same ages and genders judged by numpy and scikit-learn.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    python attributes.py > attributes.json

Half of the cases have whole years only, so that errors of exactly five years and ties abound.
"""
import json

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, mean_absolute_error

rng = np.random.default_rng(20180406)
cases = []
for n, whole in [(1, True), (2, True), (13, False), (60, False), (100, True), (140, True)]:
    truth = rng.integers(0, 101, n).astype(float)
    estimate = truth + rng.normal(0.8, 6, n)
    if whole:
        estimate = np.round(estimate)
    sigma = rng.uniform(0.5, 7, n)
    gender = (rng.random(n) < 0.3).astype(int)
    if n > 1:
        gender[:2] = 0, 1
    said = np.where(rng.random(n) < 0.15, 1 - gender, gender)
    older = rng.random((min(n, 30), 12)) < np.linspace(0.97, 0.03, 12)
    error = estimate - truth
    both = len(set(gender.tolist())) == 2
    cases.append({
        "truth": truth.tolist(), "estimate": estimate.tolist(), "sigma": sigma.tolist(),
        "gender": gender.tolist(), "said": said.tolist(), "older": older.tolist(),
        "mae": float(mean_absolute_error(truth, estimate)),
        "bias": float(error.mean()),
        "cs": [float((np.abs(error) <= k).mean()) for k in range(31)],
        "epsilon": float((1 - np.exp(-error**2 / (2 * sigma**2))).mean()),
        "constant": float(np.abs(truth - np.median(truth)).mean()),
        "decade": {str(d): float(np.abs(error[truth // 10 == d]).mean()) for d in sorted(set((truth // 10).astype(int).tolist()))},
        "accuracy": float(accuracy_score(gender, said)),
        "balanced": float(balanced_accuracy_score(gender, said)) if both else None,
        "confusion": confusion_matrix(gender, said, labels=[0, 1]).tolist(),
        # a no at i and a yes at j > i, from the whole table of pairs
        "inversions": [int((np.triu(np.outer(~row, row), 1)).sum()) for row in older],
        "percentiles": np.percentile(error, [2.5, 97.5]).tolist(),
    })
print(json.dumps(cases))

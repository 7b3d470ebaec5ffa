"""Makes golden.json: the same distances judged by scikit-learn and SciPy.

    pip install scikit-learn==1.9.1
    python golden.py > golden.json

Distances are multiples of 1/64 so that there are many ties. scikit-learn accepts at a score of
at least the threshold; our distances are its scores with the sign turned.
"""
import json

import numpy as np
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

rng = np.random.default_rng(20180208)
cases = []
for genuine, impostor, gap in [(40, 60, 0.6), (7, 300, 0.3), (200, 5, 0.0), (500, 2000, 0.9), (1, 1, -0.5)]:
    g = np.round(np.clip(rng.normal(1.0, 0.35, genuine), 0, 4) * 64) / 64
    i = np.round(np.clip(rng.normal(1.0 + gap, 0.35, impostor), 0, 4) * 64) / 64
    y = np.r_[np.ones(genuine), np.zeros(impostor)]
    d = np.r_[g, i]
    fpr, tpr, thresholds = roc_curve(y, -d, drop_intermediate=False)
    eer = brentq(lambda x: 1.0 - x - interp1d(fpr, tpr)(x), 0.0, 1.0, xtol=1e-15) if len(set(fpr)) == len(fpr) else None
    if eer is None:
        # interp1d needs one TAR a FAR: walk the polyline instead, with the same meaning.
        for k in range(1, len(fpr)):
            a, b = fpr[k - 1] - (1 - tpr[k - 1]), fpr[k] - (1 - tpr[k])
            if b >= 0:
                eer = fpr[k - 1] + (fpr[k] - fpr[k - 1]) * (-a / (b - a))
                break
    cases.append({
        "genuine": g.tolist(),
        "impostor": i.tolist(),
        "threshold": (-thresholds[1:]).tolist(),
        "far": fpr[1:].tolist(),
        "tar": tpr[1:].tolist(),
        "auc": float(roc_auc_score(y, -d)),
        "eer": float(eer),
        "tar_at_far": {f"1e-{k}": float(tpr[fpr <= 10.0 ** -k + 1e-15].max()) for k in (1, 2, 3)},
    })
print(json.dumps(cases))

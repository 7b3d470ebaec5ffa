"""Writes optimizers.json: what PyTorch's SGD and Adadelta make of given gradients.

    python3 optimizers.py > optimizers.json

Made with PyTorch 1.13. Two parameters, the second without weight decay, as biases are treated.
"""

import json

import torch

STEPS = 6
torch.manual_seed(1)
weights = [torch.randn(7), torch.randn(3)]
# From vanishing to large, and a zero: Adadelta's roots behave differently at each end.
scale = torch.tensor([1e-6, 1e-3, 0.1, 1.0, 10.0, 1000.0, 0.0])
grads = [[torch.randn(7) * scale, torch.randn(3)] for _ in range(STEPS)]


def run(make):
    params = [torch.nn.Parameter(w.clone()) for w in weights]
    opt = make(params)
    out = []
    for g in grads:
        for p, d in zip(params, g):
            p.grad = d.clone()
        opt.step()
        out.append([p.detach().tolist() for p in params])
    return out


def groups(params, decay):
    return [{"params": params[:1], "weight_decay": decay}, {"params": params[1:], "weight_decay": 0.0}]


cases = []
for rate, mu, decay in [(0.01, 0.9, 0.0), (0.1, 0.9, 5e-4), (0.05, 0.0, 0.01)]:
    cases.append({
        "config": {"optimizer": "sgd", "learning_rate": rate, "momentum": mu, "weight_decay": decay},
        "weights": run(lambda p: torch.optim.SGD(groups(p, decay), lr=rate, momentum=mu)),
    })
for rate, rho, eps, decay in [(1.0, 0.95, 1e-7, 0.0), (0.5, 0.9, 1e-6, 5e-4)]:
    cases.append({
        "config": {"optimizer": "adadelta", "learning_rate": rate, "rho": rho, "epsilon": eps, "weight_decay": decay},
        "weights": run(lambda p: torch.optim.Adadelta(groups(p, decay), lr=rate, rho=rho, eps=eps)),
    })
print(json.dumps({
    "start": [w.tolist() for w in weights],
    "grads": [[d.tolist() for d in g] for g in grads],
    "cases": cases,
}, indent=1))

"""Writes optimizers.json: what PyTorch's optimisers make of given gradients, how it
clips gradients, and its learning rates.

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
for rate, beta1, beta2, eps, decay in [(0.001, 0.9, 0.999, 1e-8, 0.0), (0.1, 0.8, 0.99, 1e-4, 5e-4)]:
    cases.append({
        "config": {"optimizer": "adam", "learning_rate": rate, "beta1": beta1, "beta2": beta2, "epsilon": eps, "weight_decay": decay},
        "weights": run(lambda p: torch.optim.Adam(groups(p, decay), lr=rate, betas=(beta1, beta2), eps=eps)),
    })


def clipped(grads, most):
    params = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
    for p, g in zip(params, grads):
        p.grad = g.clone()
    torch.nn.utils.clip_grad_norm_(params, most)
    return [p.grad.tolist() for p in params]


def rates(config, make):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config["learning_rate"])
    schedule, out = make(opt), []
    for _ in range(12):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return {"config": config, "rates": out}


lr = torch.optim.lr_scheduler
schedules = [
    # Both of 12 epochs with one step each.
    rates({"learning_rate": 0.1, "schedule": "step", "milestones": "3,7", "gamma": 0.2, "epochs": 12},
          lambda o: lr.MultiStepLR(o, [3, 7], gamma=0.2)),
    rates({"learning_rate": 0.1, "schedule": "cosine", "min_lr": 0.01, "epochs": 12},
          lambda o: lr.CosineAnnealingLR(o, T_max=12, eta_min=0.01)),
]
print(json.dumps({
    "start": [w.tolist() for w in weights],
    "grads": [[d.tolist() for d in g] for g in grads],
    "cases": cases,
    "clips": [{"most": most, "grads": clipped(grads[0], most)} for most in (0.5, 100.0, 1e4)],
    "schedules": schedules,
}, indent=1))

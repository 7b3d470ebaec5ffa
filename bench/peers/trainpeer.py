"""One turn of a peer in the training benchmark: forward, backward and update, step after step.

    trainpeer.py HOW ARCH HEIGHT WIDTH CLASSES BATCH OPTIMIZER SECONDS

HOW: default, tuned or compiled for PyTorch; keras. After two steps that do not count it takes steps for
SECONDS, two at least, and prints the median milliseconds of a step, those of CPU time, and MiB of memory:
before there was a network, and at its peak. Threads are as many as CPUs that the process may use.
"""

import os
import resource
import statistics
import sys
import time

THREADS = len(os.sched_getaffinity(0))
RATE, MOMENTUM, DECAY, RHO, EPSILON = 0.001, 0.9, 5e-4, 0.95, 1e-7


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def torch_optimizer(torch, name, tuned):
    if name == "adadelta":
        return lambda p: torch.optim.Adadelta(p, lr=RATE, rho=RHO, eps=EPSILON)
    how = {"momentum": MOMENTUM, "weight_decay": DECAY} if name == "momentum" else {}
    if tuned and int(torch.__version__.split(".")[0]) >= 2:
        how["fused"] = True
    return lambda p: torch.optim.SGD(p, lr=RATE, **how)


def torch_step(how, arch, height, width, classes, batch, optimizer):
    import torch

    import torchnets

    start = peak()
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    net = torchnets.build(arch, height, width, classes).train()
    x = torch.rand(batch, 3, height, width)
    labels = torch.randint(classes, (batch,))
    if how != "default":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    sgd = torch_optimizer(torch, optimizer, how != "default")(net.parameters())
    loss, update = lambda: torch.nn.functional.cross_entropy(net(x), labels), sgd.step
    if how == "compiled":
        loss = torch.compile(loss)
        update = torch.compile(update) if optimizer == "adadelta" else update  # SGD is fused as it is

    def step():
        sgd.zero_grad(set_to_none=True)
        loss().backward()
        update()

    return step, start


def keras_step(arch, height, width, classes, batch, optimizer):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import tensorflow as tf
    from tensorflow import keras

    start = peak()
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    keras.utils.set_random_seed(1)
    conv = lambda x, c, stride=1, act="relu": keras.layers.Conv2D(c, 3, stride, "same", activation=act)(x)
    if arch != "seed-resnet":
        raise ValueError(f"no network {arch!r}")
    image = keras.Input((height, width, 3))
    x = conv(image, 16)
    for channels in 16, 32:
        for first in True, False:
            shortcut = conv(x, channels, 2) if first else x
            main = conv(conv(x, channels), channels, 2 if first else 1, None)
            x = keras.layers.add([main, shortcut])
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(7)(x))
    net = keras.Model(image, keras.layers.Dense(classes, activation="softmax")(x))
    rule = {
        "sgd": keras.optimizers.SGD(RATE),
        "adadelta": keras.optimizers.Adadelta(RATE, rho=RHO, epsilon=EPSILON),
    }[optimizer]
    net.compile(rule, "sparse_categorical_crossentropy")
    draw = np.random.default_rng(1)
    images = tf.constant(draw.random((batch, height, width, 3), np.float32))
    labels = tf.constant(draw.integers(classes, size=batch))
    return lambda: net.train_on_batch(images, labels), start


def main():
    how, arch, *sizes, optimizer, seconds = sys.argv[1:]
    sizes = map(int, sizes)  # height, width, classes, batch
    if how == "keras":
        step, start = keras_step(arch, *sizes, optimizer)
    else:
        step, start = torch_step(how, arch, *sizes, optimizer)
    step()
    step()
    clock, cpu = [], []
    while len(clock) < 2 or sum(clock) < float(seconds):
        began, used = time.perf_counter(), time.process_time()
        step()
        clock.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    print(statistics.median(clock) * 1e3, statistics.median(cpu) * 1e3, start, peak())


if __name__ == "__main__":
    main()

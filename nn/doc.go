// Package nn holds the networks: layers, parameters by name, a training step, inference, and the
// weights on disk. A network is a Gorgonia graph: Gorgonia differentiates it and its tape machine runs it.
//
// The package knows no optimiser, no schedule, no file but weights, and not where pixels come
// from: x is what loader gives, N x C x H x W float32.
//
// # Own operators, own gradients
//
// Gorgonia v0.9.18's graph and tape machine are sound and cost almost nothing. Its operators are
// slow (the first network here allocated 871 MB a step) and some give wrong results: AveragePool2D,
// forward and gradient; the gradient of GlobalAveragePool2D, which panics; Mean and Sum over the last
// two of four axes; LogSumExp; Conv2d with padding that differs at the two ends, as TensorFlow's
// "same" does; two SoftMax or Dropout nodes of one input, which become one node; BatchNorm's running
// statistics, which a second machine loses. So every operator in these graphs is ours, on package
// nn/kernel, and so are the gradients' nodes: each layer makes its own, which lets it add to a gradient as it is
// computed, work in place, and fuse normalisation, shortcut and ReLU. Operators run in the order in which they
// are made, so each array has its place in one arena just as long as somebody needs it.
// See docs/adr/0002 and 0007.
//
// # Guarantees
//
// The same weights and input give the same bits, whatever GOMAXPROCS is. Weights from the same
// seed are the same on every machine.
//
// A step allocates nothing in proportion to its data. Training and inference share parameters
// and the arena, and take memory only once they are called.
//
// Parameter names, shapes and order of values are PyTorch's, so that load_state_dict takes the
// files as they are. Load changes nothing unless everything fits.
//
// A Network must not be used by two goroutines at once; inside, it uses GOMAXPROCS threads.
package nn

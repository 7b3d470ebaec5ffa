// Package nn holds the networks: layers, parameters by name, a training step, inference, and the
// weights on disk. A network is a Gorgonia graph: Gorgonia differentiates it and its tape machine runs it.
//
// The package knows no optimiser, no schedule, no file but weights, and not where pixels come
// from: x is what loader gives, N x C x H x W float32.
//
// # Own operators
//
// Gorgonia v0.9.18's graph, differentiation and tape machine are sound and cost almost nothing.
// Its operators are slow (the first network here allocated 871 MB a step) and some give wrong
// results: AveragePool2D, forward and gradient; the gradient of GlobalAveragePool2D, which panics;
// Mean and Sum over the last two of four axes; LogSumExp; Conv2d with padding that differs at the
// two ends, as TensorFlow's "same" does; two SoftMax or Dropout nodes of one input, which become
// one node; BatchNorm's running statistics, which a second machine loses. So every operator in
// these graphs is ours, on package nn/kernel, and each is checked by numeric gradient. The one exception
// is the addition of two gradients of one node, which Gorgonia inserts itself and gets right.
// See docs/adr/0002-own-operators-on-gorgonia.md.
//
// # Guarantees
//
// The same weights and input give the same bits, whatever GOMAXPROCS is. Weights from the same
// seed are the same on every machine.
//
// A step allocates nothing in proportion to its data. Training and inference share parameters
// and activations; gradients take memory only once Step is called.
//
// Parameter names, shapes and order of values are PyTorch's, so that load_state_dict takes the
// files as they are. Load changes nothing unless everything fits.
//
// A Network must not be used by two goroutines at once; inside, it uses GOMAXPROCS threads.
package nn

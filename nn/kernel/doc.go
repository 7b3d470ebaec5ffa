// Package kernel holds the loops that networks spend their time in: convolution, pooling, fully
// connected layers, activations and the loss, forward and backward, on float32.
//
// The package knows arrays and shapes. It knows no graph, no layer and no parameter name; nn
// strings the kernels together.
//
// # Layout
//
// Maps between layers are stored in blocks of 16 channels with a frame of zeros around them
// ([Layout]); a window that reaches over the image's edge reads zeros there and needs no test.
// Weights and everything flat keep PyTorch's order: convolutions [out, in, height, width],
// fully connected layers [out, in], features [sample, channel, row, column].
//
// # Guarantees
//
// A kernel writes all of its output except the frame, which it leaves as it is, and reads nothing
// of what the output held before. No kernel allocates in proportion to its data once it is built.
//
// Work is divided between goroutines by output, or a sum in parts that shapes alone decide, and each sum
// has one fixed order: any number of threads gives the same bits. Between kinds of CPU results differ within
// rounding, since some fuse a multiplication and an addition, and AVX-512 takes Winograd's way through
// most 3x3 convolutions of stride 1.
//
// A caller's mistake, such as a slice of the wrong length, panics with the prefix "kernel:".
package kernel

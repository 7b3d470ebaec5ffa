// Package pixel makes images of fixed shape out of decoded photos: affine warps with
// antialiasing that sample a JPEG's own planes, never building an RGB image of the photo, and
// the numbers that networks read.
//
// It knows nothing of files or faces. Output is planar, C x H x W, 8 bits a value.
//
// # Guarantees
//
// All arithmetic after the map's coefficients is integer, so every CPU gives the same bits.
// Kernels in assembly for AVX2 and AVX-512 do the sums of the portable ones, which define the
// result; [CPU] tells which are in force. Nothing outside the planes is read.
// Mistakes of the caller, such as a buffer of the wrong length, panic.
//
// # How a sample is made
//
// Each plane is sampled at its own resolution. An output value is a weighted sum of the bytes
// about its point: rows of 4, 6, 8 ... bytes by as many rows, or 2 x 2 of subsampled chroma. The
// weights are a cubic kernel (linear for subsampled chroma) convolved with a box as wide as an
// output pixel is in the plane, at 32 positions between two bytes. A map that only moves whole
// pixels, a crop, has no box and keeps them as they are.
//
// The kernels in assembly are written by the module in asm; go generate runs it.
package pixel

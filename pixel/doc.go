// Package pixel makes images of fixed shape out of decoded photos: affine warps with
// antialiasing that sample a JPEG's own planes, never building an RGB image of the photo.
//
// It knows nothing of files or faces. Output is planar, C x H x W, 8 bits a value.
//
// # Guarantees
//
// All arithmetic after the map's coefficients is integer, so every CPU gives the same bits.
// Mistakes of the caller, such as a buffer of the wrong length, panic.
package pixel

// Package jpeg reads JPEG files as face data sets hold them: small, mostly baseline, now and then
// grey, CMYK, progressive, cut off or no JPEG at all.
//
// [ReadHeader] tells size, components, coding and EXIF orientation from the first bytes without
// decoding. [Decoder] decodes the part of a baseline JPEG that is wanted, to planes at their own
// sampling, and reads past the rest; [Decode] decodes the whole of any kind with the standard
// library's decoder. The package knows bytes and pixels; it knows nothing of files, faces or data sets.
//
// # Guarantees
//
// Input is not trusted: nothing is allocated for what a header merely claims, no input makes the
// package panic or loop, and every fault is an error wrapping [ErrFormat] or [ErrShort]. What
// Decoder finds wrong without harm to the pixels it counts as warnings; it never guesses pixels.
//
// Decoder's samples are those of libjpeg's accurate integer inverse DCT, on every machine. Kernels in
// assembly for AVX2 and AVX-512 do the sums of the portable code; VF2PREP_CPU chooses among them as
// in package pixel. The module in asm writes them; go generate runs it.
//
// EXIF orientation is reported, never applied: boxes and landmarks refer to pixels as stored.
package jpeg

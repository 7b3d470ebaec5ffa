// Package jpeg reads JPEG files as face data sets hold them: small, mostly baseline, now and then
// grey, CMYK, progressive, cut off or no JPEG at all.
//
// [ReadHeader] tells size, components, coding and EXIF orientation from the first bytes without
// decoding. The package knows bytes and pixels; it knows nothing of files, faces or data sets.
//
// # Guarantees
//
// Input is not trusted: nothing is allocated for what a header merely claims, no input makes the
// package panic, and every fault is an error wrapping [ErrFormat] or [ErrShort].
//
// EXIF orientation is reported, never applied: boxes and landmarks refer to pixels as stored.
package jpeg

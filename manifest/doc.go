// Package manifest says what a VGGFace2 tree holds: one record an image, joined by NAME_ID from
// the directories, the list files, loose boxes, loose landmarks, identity_meta.csv, ages and
// attributes, kept in one Parquet file. Trees of other layouts, a folder an identity or UTKFace,
// give the same records; see [Layout].
//
// The package knows the formats of those files as they are found in the wild and the header of a
// JPEG. It decodes no pixels, and it does not decide which image is used for what: that is the
// business of package split.
//
// # Guarantees
//
// Nothing is dropped in silence. What does not fit is a problem: on the image's own record where
// there is one ([Record.Problems]), and counted with examples in the [Summary].
//
// The same inputs give the same bytes, whatever the number of workers; the file holds no time
// stamp, host name or absolute path, but a digest of every input file.
//
// A manifest appears under its name only when it is complete.
//
// A manifest that is read is not trusted: sizes are bounded before anything is allocated, and
// damage is an error wrapping [ErrCorrupt].
//
// docs/manifest-format.md describes the columns.
package manifest

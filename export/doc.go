// Package export writes a shard set, or the photos of a split, in the formats of other programs:
// WebDataset's tar archives, TensorFlow's record files, Parquet for Hugging Face, folders of images,
// plain arrays. [Describe] describes the outcome as Croissant.
//
// A [Format] knows how one sample's bytes look and how files begin and end. All else is done here,
// the same for every format: which samples go into which file is planned before the first byte is
// written; workers read, check and encode samples side by side; one writer puts their bytes into
// files in order. So a new format is one file that holds a Format and a line in formats.go.
//
// A piece is what a format writes at once, such as one archive: samples From to To of one part. An
// export directory holds the pieces' files and
//
//	export.json     what was exported, from what, how, every file's SHA-256; "complete": true
//	rejects.csv     samples that could not be read: image,part,stage,reason,detail
//	export.journal  while it is under way: pieces that are safely on the disk
//	export.lock     while a process works on it
//
// # Guarantees
//
// The same samples and options give the same bytes on every machine, with any number of workers and
// after any number of interruptions. There is no time, host or path in a file.
//
// A file has its name only when it is whole and synced, and export.json says "complete" only when
// all files are. An export that was killed goes on behind the last finished piece; one of another
// source or with other options in the same directory is refused.
//
// Samples are checked by their checksums as they are read. One that is damaged is a reject, recorded
// with its reason, never wrong pixels. Names of identities and keys are not trusted: no file is
// written outside the directory, whatever they say.
package export

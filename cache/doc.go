// Package cache makes fixed-shape samples of photos and stores them in shards.
//
// A [Recipe] says how: the whole image stretched, a crop about the box, or a similarity that puts
// the five landmarks on a template; size, sampling and order of channels. [Build] applies it to
// every image of a split and writes one shard set per part, samples in a seeded shuffled order.
//
// # Guarantees
//
// The same manifest, split, recipe, seed and photos give the same bytes on every machine and
// with any number of workers.
//
// A build that was killed at any moment goes on where it stopped: a shard appears under its
// final name only when it is complete, and what is complete and sound is not made again.
//
// No image is dropped silently. One that can't be made becomes a row of rejects.csv (image,
// part, stage, reason, detail); the number of rejects decides whether the build succeeded.
//
// What a list of tombstones names never becomes a sample, and [Forget] takes it out of a set without
// touching anything else; [FindTraces] proves that nothing of it is left.
//
// Photos are untrusted: they are opened below the root only, and their size in bytes and pixels
// is capped before memory is taken for them.
//
// The package does not know who goes where (split) or how networks read samples (loader).
package cache

// Package loader turns shards into batches: seeded, resumable, and the same whatever the
// number of workers.
//
// A batch depends on the set, the options, the epoch and the step alone. What augmentation does
// to a sample is drawn from the stream of (seed, epoch, key), and the order of an epoch is one
// of these, each computed and never remembered, so a run can go on at any (epoch, step) and
// sees what it would have seen:
//
//	sequential  the shards' order
//	shuffled    a permutation of all samples, from the stream (seed, "shuffle", epoch)
//	chunks      runs of consecutive samples of 2 MiB in random order; the samples of each 128
//	            runs, 256 MiB, permuted. Streams (seed, "chunks", epoch) and (seed, "window",
//	            epoch, window)
//	identity    P identities a batch, K samples of each, one identity after the other
//
// The first three visit each sample once an epoch. A disk with a head reads runs tens of times
// faster than single samples; for it, and for sets much larger than memory, there is chunks.
//
// An epoch of identity has as many batches as hold the part's labelled samples once. Identities
// are dealt like cards: none comes again before all others came, and never twice in a batch.
// So are the samples of an identity; one with fewer than K repeats them. All identities weigh
// the same, so an epoch need not come to every sample of one that has many.
//
// What comes next is read from the disk ahead of its use: windows of chunks one ahead, at
// most two of them in memory; single samples if they are not in memory yet. A sample's checksum
// is checked when it is first read.
//
// Pixels become x/127.5 - 1, in [-1, 1]; their order of channels is the shard set's.
//
// The package knows nothing of networks.
package loader

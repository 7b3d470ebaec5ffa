// Package loader turns shards into batches: seeded, resumable, and the same whatever the
// number of workers.
//
// A batch depends on the set, the seed, the epoch and the step alone. Epoch e visits every
// sample once, in an order drawn from the stream (seed, "shuffle", e), and what augmentation
// does to a sample is drawn from the stream of (seed, epoch, key). So a run can go on at any
// (epoch, step) and sees what it would have seen.
//
// Pixels become x/127.5 - 1, in [-1, 1]; their order of channels is the shard set's.
//
// The package knows nothing of networks.
package loader

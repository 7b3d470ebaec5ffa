// Package curate looks after a data set's contents.
//
// [Forget] takes identities and images out on request: of the manifest, splits and shard sets, and of the
// photos themselves. It keeps the list of what must not come back, which every stage that makes
// data takes, a record of what it did, and says which trainings had seen what is gone.
//
// # Guarantees
//
// What is not to be forgotten does not change by a bit, no label moves, and files that hold nothing of
// it are not written. A process that is killed at any moment leaves a state from which the same command
// ends as if nothing had happened; its record is the same too.
package curate

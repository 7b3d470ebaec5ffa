// Package curate finds what makes a data set less than it seems: images that come twice, labels that
// are wrong; and takes out what must go.
//
// # Duplicates
//
// Every image is shrunk to 32x32 pixels and described by 64 bits, its perceptual hash ([Hash]). Images
// whose hashes differ in few bits are candidates; their small pictures, freed of brightness and
// contrast, are then compared pixel by pixel, so that two faces that are merely posed alike are no
// duplicates. Images of the same bytes are exact duplicates.
//
// Candidates are found by an index that misses none (see [Near]), not by comparing all with all:
// 3.3 million hashes take a minute. Hashing takes as long as decoding, and no image is hashed twice: a journal
// keeps hashes by the images' digests.
//
// # Leaks
//
// People of a benchmark are found by their names in any spelling, images as duplicates are ([FindLeaks]).
//
// # Noise
//
// Embeddings of any system say how alike faces are: which images are like their identity as a stranger is,
// which are more like another, which identities are two people and which two are one ([FindNoise]).
//
// # Takedown
//
// [Forget] takes identities and images out on request: of the manifest, splits and shard sets, and of the
// photos themselves. It keeps the list of what must not come back, which every stage that makes
// data takes, a record of what it did, and says which trainings had seen what is gone. What is not to be forgotten
// does not change by a bit, no label moves, and files that hold nothing of it are not written. A process that is
// killed at any moment leaves a state from which the same command ends as if nothing had happened.
//
// # Guarantees
//
// The same images and options give the same files, whatever the number of workers. An image that
// can't be decoded is listed with its reason, and everything that was looked at is counted.
package curate

// Package split decides which image goes where: train, val (validation), test or excluded.
//
// A split is a function of the names in a manifest, the strategy and the seed; whether a file
// can be decoded does not matter, so a damaged copy on one machine moves nothing. The official
// test identities stay test in every strategy.
//
// # Strategies
//
// first-n: the first N images of each train identity, by image number, then face number, are
// validation; the rest train. This is the order that readers of VGGFace2 mean by "the first 20";
// the order of a directory is up to the file system.
//
// ratio: a share of each train identity's images, drawn by seed.
//
// identity: a share of the train identities, drawn by seed, is validation with all its images;
// train and validation share nobody.
//
// random: every image of the train identities is drawn for itself, whoever it shows. It is the only
// strategy for manifests whose images show nobody in particular; their split has no classes.
//
// In ratio and identity every identity is drawn from its own random stream, and in random every
// image, so that adding one moves no other. The share that identity and random reach is therefore
// near the one asked for, not equal to it.
//
// # Files
//
// A split is a directory: train_list.txt, val_list.txt and test_list.txt in VGGFace2's own list
// format ("n000002/0001_01.jpg" a line), excluded.csv with a reason for each image left out, and
// split.json, which holds strategy, seed, counts, the classes in the order of their labels and
// the digests of the manifest and of the lists.
package split

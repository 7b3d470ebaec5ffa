// Package split decides which image goes where: train, val (validation), test or excluded.
//
// A split is a function of the names in a manifest, the strategy and the seed; whether a file
// can be decoded does not matter, so a damaged copy on one machine moves nothing. The official
// test identities stay test in every strategy. Where it is asked for a split goes also by lists, of
// duplicates and of what to leave out, and by the manifest's ages, genders and landmarks.
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
// random: every image of the train identities is drawn for itself, whoever it shows. The strategy for
// manifests whose images show nobody in particular; their split has no classes.
//
// k-fold: K splits of which each image validates in one. Each identity's images are dealt to the
// folds, or whole identities are drawn.
//
// The unit of a draw is an image, with Group Photo a photo with all its faces. Strata are balanced
// within an identity, each to less than one unit from its share; the shares of whatever is drawn
// for itself, identities and the images of random, are near the ones asked for, not equal to them.
//
// # Stability
//
// In ratio, identity and k-fold every identity is drawn from its own random streams, and in random every
// photo or image. Lists come after the draw. So an identity that comes or goes, or images that one
// gains or loses, move no image of an identity with which it shares no component of duplicates;
// and to exclude an image moves no other outside its component, though an identity may be left with
// fewer training images than MinTrain.
//
// # Order
//
// Draw; exclude what tombstones and the exclusion list name; put each component of duplicates where
// its first image went and exclude what can't be there; exclude identities with fewer than MinTrain
// training images, of k-fold in any fold. Folds agree about all that is excluded.
//
// # Files
//
// A split is a directory: train_list.txt, val_list.txt and test_list.txt in VGGFace2's own list
// format ("n000002/0001_01.jpg" a line), excluded.csv with a reason for each image left out,
// duplicates.csv with the components where there were duplicates to go by, and
// split.json, which holds strategy, options, seed, counts, the classes in the order of their labels and
// the digests of the manifest, of the lists that were given and of the files.
package split

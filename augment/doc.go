// Package augment changes samples at random while a network trains: flip, crop, monochrome,
// colour jitter and blur.
//
// What happens to a sample depends on (seed, epoch, key) alone, drawn from a named random
// stream; never on the number of workers, on timing or on other samples.
//
// Samples are planar, C x H x W, 8 bits a value, 3 channels in the order R, G, B or B, G, R, or 1.
// All arithmetic on pixels is integer, so every CPU gives the same bits.
//
// The package knows nothing of shards, labels or networks.
package augment

// Package eval turns a network's outputs into the numbers and reports of the field:
// identification (is it who the label says?), verification (are two images one person?), and the
// same of templates, sets of images that stand for a person.
//
// It knows images by key, identities by name and a network as a [Model]: something that turns
// pixels into class scores and embeddings. Which network that is, and how it was trained, it
// does not know. Every number's definition and source stands in docs/evaluation.md.
//
// # Guarantees
//
// A number is exact for the pairs that it names: ROC, AUC, EER and TAR at FAR are counted, not
// read off a grid, and pairs at equal distance are accepted or refused together.
// Of very large sets a seeded sample of pairs is used, and the result says so.
//
// Nothing is dropped silently: every image or pair that a result leaves out is counted by
// reason and listed in a file beside it. A value that is NaN or infinite is an error that names
// the sample. A rate that the number of pairs can't resolve is "not reachable", never a guess.
//
// The same inputs give the same files, byte for byte, whatever the number of CPUs.
package eval

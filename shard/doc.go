// Package shard stores samples of one fixed shape in a few large files.
//
// A shard set is a directory: index.json and train-00000-of-00064.safetensors and so on.
// The package knows bytes, keys and labels; it knows nothing of faces or photos, and what
// recipe made the pixels is text to it.
//
// Each shard is a safetensors file, so numpy, PyTorch, JAX and others map it without our code.
// Its tensors, for N samples of C channels, H rows and W columns, in the order of the bytes:
//
//	key_offsets I64 [N+1]      key i is the bytes key[key_offsets[i]:key_offsets[i+1]]
//	crc32c      I64 [N]        CRC-32C (Castagnoli) of sample i's bytes in image
//	label       I32 [N]        class, an index into index.json's "classes"; -1 none
//	age         F32 [N]        years; NaN unknown
//	landmarks   F32 [N,5,2]    x, y in pixels of the sample; NaN unknown
//	gender      I8  [N]        0 male, 1 female, -1 unknown
//	key         U8  [K]        the keys one after another, then zeros so that image starts
//	                           at a multiple of 64 bytes
//	image       U8  [N,C,H,W]  planes in the order that index.json's "channels" says
//
// Where samples are kept as JPEGs, image_offsets I64 [N+1] comes second and says where each
// begins in image U8 [B].
//
// Rows of image start at multiples of 64 bytes wherever C*H*W is one. The header's
// __metadata__ says part, number and recipe, the digests of what the shard was made from, the
// CRC-32C of each small tensor and of the header itself, and which planned samples are missing
// and why.
//
// # Guarantees
//
// The same samples in the same order give the same bytes on every machine.
// A shard appears under its final name only when it is complete.
// Damage is reported as an error wrapping [ErrCorrupt], never as wrong pixels: a shard's header
// and small tensors are checked when it is opened, a sample when it is first read. So is a shard
// of another set under a right name.
package shard

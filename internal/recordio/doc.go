// Package recordio reads and writes MXNet's record files: RecordIO, which frames records, and the
// header that image records begin with.
//
// A file is a sequence of parts, each at a multiple of 4 bytes, numbers little endian:
//
//	offset 0  uint32  0xced7230a
//	       4  uint32  kind << 29 | length of the data
//	       8          the data, and zeros up to a multiple of 4 bytes
//
// Kind 0 is a whole record. A record whose data holds 0xced7230a at a multiple of 4 is cut there, the
// number left out: its first part is of kind 1, its last of kind 3, those between of kind 2. So the number
// stands at the beginning of parts alone, and a reader finds the next one behind damage.
//
// An image record begins with a header of 24 bytes:
//
//	offset 0  uint32   flag: how many labels follow the header; 0: the label is in it
//	       4  float32  label
//	       8  uint64   number
//	      16  uint64   second number
//	      24  float32  flag times
//
// and the rest is an image file. dmlc-core, recordio.h; MXNet, python/mxnet/recordio.py.
package recordio

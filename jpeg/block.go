package jpeg

import "encoding/binary"

// zigzag maps a coefficient's place in the stream to its place in the block, row by row (ITU-T
// T.81, figure A.6).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// dequantizer holds for each place in the stream
//
//	bits  0-15  the place in the coefficients, in words
//	bits 16-31  the quantiser
//
// Places from 64 on, which an end of block reaches with a value of 0 and otherwise damage alone,
// lead to a coefficient behind the block.
type dequantizer [128]uint32

func (q *dequantizer) set(table *[64]uint16, l level) {
	for i := range q {
		q[i] = 1<<16 | uint32(64*l.lanes())
		if i < 64 {
			q[i] = uint32(table[i])<<16 | uint32(places[l][i])
		}
	}
}

// places has for each level where the coefficients are, in the order of the stream.
var places = func() (p [avx512 + 1][64]uint8) {
	for l := range p {
		for i, k := range zigzag {
			p[l][i] = uint8(level(l).place(int(k)))
		}
	}
	return p
}()

// coefficients are those of a block, dequantised, at the places of a dequantizer; the one behind
// the block is 0 but for damage, and the last ones make bounds checks unnecessary.
type coefficients [512]int16

// maxLanes is the largest number of blocks that go through the inverse DCT together, ring that of
// blocks that wait for it: a unit's and what is left of the ones before.
const (
	maxLanes = 4
	ring     = 16
)

// group holds the coefficients of blocks that wait.
type group [64 * ring]int16

// slots has for each level where a group's blocks begin, in words, twice around the ring.
var slots = func() (s [avx512 + 1][2 * ring]int) {
	for l := range s {
		n := level(l).lanes()
		for i := range s[l] {
			s[l][i] = i%ring/n*64*n + i%n*8
		}
	}
	return s
}()

// target is where a block's samples go: the offset of the first, and bytes from row to row.
type target = [2]int

// unitBlock is what reading a block of a unit takes: the first entries of tables, and the DC
// coefficient before.
type unitBlock struct {
	dc, ac, q *uint32
	pred      *int32
}

// spot is where a block of unit (x, y) of the region goes: at + x*dx + y*dy.
type spot struct{ at, dx, dy, stride int }

// What decodes a block returns the bitwise or of the places of its AC coefficients (so that
// shape&shapeAC is 0 without any, shape&shapeRight is 0 if the right four columns are empty and
// shape&shapeLower if the lower four rows are), with shapeWide set where a coefficient is so
// large that [idct]'s shorter arithmetic might overflow. Negative values are faults.
const (
	shapeAC    = 63
	shapeRight = 4
	shapeLower = 32
	shapeWide  = 1 << 8

	faultCode  = -1 // no code of the table
	faultRange = -2 // more than 64 coefficients
)

// A block counts as wide unless its DC coefficient is less than wideDC and the sum of its AC
// coefficients, both without signs, less than wideAC+63. See idct.
const (
	wideDC = 1 << 11
	wideAC = 1 << 12
)

// bits reads a segment of coded data from its first bit. The data must be padded with zeros by
// the most that can be read before the caller looks at used.
type bits struct {
	buf  uint64 // the next bits, from the top
	n    uint   // how many of them count
	pos  int    // of the next byte to go into buf
	data []byte
}

// used returns the number of bits consumed.
func (b *bits) used() int { return 8*b.pos - int(b.n) }

// A refill leaves 56 to 63 bits in the buffer, so that a code of 16 and a value of 15 bits can be
// taken from at least 32. The bits below the n counted ones are right too: or-ing the next byte
// over them changes nothing.
//
// Both functions, whose twins in assembly are decodeBlocks and skipBlocks, repeat the same few lines, and call nothing: the compiler would inline none of
// it, and keep the state in memory around every call. This is what the time goes to.

// block decodes one block: its DC difference, added to pred, and AC coefficients. c must be clear.
func (b *bits) block(dc, ac *huffman, q *dequantizer, c *coefficients, pred *int32) int {
	buf, n, pos := b.buf, b.n, b.pos
	buf |= binary.BigEndian.Uint64(b.data[pos:]) >> (n & 63)
	pos += int((63 - n) >> 3)
	n |= 56

	e := dc.fast[buf>>(64-lutBits)]
	if e&63 == 0 {
		if e = dc.rest[e>>16*restSize+uint32(buf>>48)%restSize]; e == 0 {
			b.n, b.pos = n, pos
			return faultCode
		}
	}
	v := int32(e) >> 16
	buf <<= e & 63
	n -= uint(e & 63)
	if e&entryPart != 0 {
		size := uint(v)
		v = value(buf, size)
		buf <<= size & 63
		n -= size
	}
	*pred += v
	v = *pred * int32(q[0]>>16)
	large := uint64(uint32(v^v>>31)) / wideDC * wideAC
	shape := uint32(0)
	c[q[0]&511] = int16(v)
	c[q[127]&511] = 0
	for k := 1; k < 64; {
		if n < 32 {
			buf |= binary.BigEndian.Uint64(b.data[pos:]) >> (n & 63)
			pos += int((63 - n) >> 3)
			n |= 56
		}
		e := ac.fast[buf>>(64-lutBits)]
		if e&63 == 0 {
			if e = ac.rest[e>>16*restSize+uint32(buf>>48)%restSize]; e == 0 {
				b.n, b.pos = n, pos
				return faultCode
			}
		}
		v := int32(e) >> 16
		buf <<= e & 63
		n -= uint(e & 63)
		if e&entryPart != 0 {
			size := uint(v & 15)
			v = value(buf, size)
			buf <<= size & 63
			n -= size
		}
		k += int(e >> 8 & 127)
		w := q[(k-1)&127]
		v *= int32(w >> 16)
		large += uint64(uint32(v ^ v>>31)) // one less than -v for negative v
		shape |= w
		c[w&511] = int16(v)
	}
	b.buf, b.n, b.pos = buf, n, pos
	if c[q[127]&511] != 0 {
		return faultRange
	}
	shape &= shapeAC
	if large >= wideAC {
		shape |= shapeWide
	}
	return int(shape)
}

// skip reads a block for its DC difference alone.
func (b *bits) skip(dc, ac *huffman, pred *int32) int {
	buf, n, pos := b.buf, b.n, b.pos
	buf |= binary.BigEndian.Uint64(b.data[pos:]) >> (n & 63)
	pos += int((63 - n) >> 3)
	n |= 56

	e := dc.fast[buf>>(64-lutBits)]
	if e&63 == 0 {
		if e = dc.rest[e>>16*restSize+uint32(buf>>48)%restSize]; e == 0 {
			b.n, b.pos = n, pos
			return faultCode
		}
	}
	v := int32(e) >> 16
	buf <<= e & 63
	n -= uint(e & 63)
	if e&entryPart != 0 {
		size := uint(v)
		v = value(buf, size)
		buf <<= size & 63
		n -= size
	}
	*pred += v
	k := 1
	last := uint32(entryZero)
	for k < 64 {
		if n < 32 {
			buf |= binary.BigEndian.Uint64(b.data[pos:]) >> (n & 63)
			pos += int((63 - n) >> 3)
			n |= 56
		}
		if e := uint32(ac.skip[buf>>(64-lutBits)]); e != 0 && k < ac.together {
			buf <<= e & 63
			n -= uint(e & 63)
			k += int(e >> 6 & 127)
			last = e
			continue
		}
		e := ac.fast[buf>>(64-lutBits)]
		if e&63 == 0 {
			if e = ac.rest[e>>16*restSize+uint32(buf>>48)%restSize]; e == 0 {
				b.n, b.pos = n, pos
				return faultCode
			}
		}
		size := uint(0)
		if e&entryPart != 0 {
			size = uint(e >> 16 & 15)
		}
		buf <<= (uint(e)&63 + size) & 63
		n -= uint(e)&63 + size
		k += int(e >> 8 & 127)
		last = 0
		if e>>16 == 0 {
			last = entryZero
		}
	}
	b.buf, b.n, b.pos = buf, n, pos
	if k > 64 && last&entryZero == 0 {
		return faultRange
	}
	return 0
}

// value is extend of the top size bits of buf, without a branch; size is at most 15.
func value(buf uint64, size uint) int32 {
	v := int32(buf >> 1 >> ((63 - size) & 63))
	// A first bit of 0 means a negative value.
	return v + int32(^buf>>63)*(1-int32(1)<<(size&31))
}

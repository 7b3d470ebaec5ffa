package jpeg

import (
	"encoding/binary"
	mathbits "math/bits"
	"slices"
)

// forward holds a block of [fdct]'s coefficients row by row, each 8 times too large and plus bias,
// as 16 bits with the lower byte first, so that four can be looked at together.
type forward [128]byte

// bias makes coefficients positive: without it, their magnitude is less than 1<<14.
const bias = 1 << 14

func (f *forward) at(place uint8) int32 {
	return int32(binary.LittleEndian.Uint16(f[2*(place&63):])) - bias
}

// fdct is libjpeg's "islow" forward DCT, bit for bit: the transpose of [idct], rows first, with
// the same constants. The samples are 8 rows of pix, stride bytes apart.
func fdct(pix []uint8, stride int, ws *workspace, out *forward) {
	for y := range 8 {
		p := (*[8]uint8)(pix[y*stride:])
		w := (*[8]int32)(ws[8*y : 8*y+8])
		p0, p1, p2, p3 := int32(p[0]), int32(p[1]), int32(p[2]), int32(p[3])
		p4, p5, p6, p7 := int32(p[4]), int32(p[5]), int32(p[6]), int32(p[7])
		s0, s1, s2, s3 := p0+p7, p1+p6, p2+p5, p3+p4
		d0, d1, d2, d3 := p0-p7, p1-p6, p2-p5, p3-p4

		t0, t3, t1, t2 := s0+s3, s0-s3, s1+s2, s1-s2
		w[0] = (t0 + t1 - 8*128) << passBits // the level shift
		w[4] = (t0 - t1) << passBits
		z1 := (t2+t3)*fix0541 + colRound
		w[2] = (z1 + t3*fix0765) >> colShift
		w[6] = (z1 - t2*fix1847) >> colShift

		z5 := (d0+d1+d2+d3)*fix1175 + colRound
		z1 = (d3 + d0) * -fix0899
		z2 := (d2 + d1) * -fix2562
		z3 := z5 - (d3+d1)*fix1961
		z4 := z5 - (d2+d0)*fix0390
		w[7] = (d3*fix0298 + z1 + z3) >> colShift
		w[5] = (d2*fix2053 + z2 + z4) >> colShift
		w[3] = (d1*fix3072 + z2 + z3) >> colShift
		w[1] = (d0*fix1501 + z1 + z4) >> colShift
	}
	const (
		shift = constBits + passBits
		round = 1<<(shift-1) + bias<<shift
		evens = 1<<(passBits-1) + bias<<passBits
	)
	for x := range 8 {
		s0, s1, s2, s3 := ws[x]+ws[56+x], ws[8+x]+ws[48+x], ws[16+x]+ws[40+x], ws[24+x]+ws[32+x]
		d0, d1, d2, d3 := ws[x]-ws[56+x], ws[8+x]-ws[48+x], ws[16+x]-ws[40+x], ws[24+x]-ws[32+x]

		t0, t3, t1, t2 := s0+s3, s0-s3, s1+s2, s1-s2
		binary.LittleEndian.PutUint16(out[2*x:], uint16((t0+t1+evens)>>passBits))
		binary.LittleEndian.PutUint16(out[2*x+64:], uint16((t0-t1+evens)>>passBits))
		z1 := (t2+t3)*fix0541 + round
		binary.LittleEndian.PutUint16(out[2*x+32:], uint16((z1+t3*fix0765)>>shift))
		binary.LittleEndian.PutUint16(out[2*x+96:], uint16((z1-t2*fix1847)>>shift))

		z5 := (d0+d1+d2+d3)*fix1175 + round
		z1 = (d3 + d0) * -fix0899
		z2 := (d2 + d1) * -fix2562
		z3 := z5 - (d3+d1)*fix1961
		z4 := z5 - (d2+d0)*fix0390
		binary.LittleEndian.PutUint16(out[2*x+112:], uint16((d3*fix0298+z1+z3)>>shift))
		binary.LittleEndian.PutUint16(out[2*x+80:], uint16((d2*fix2053+z2+z4)>>shift))
		binary.LittleEndian.PutUint16(out[2*x+48:], uint16((d1*fix3072+z2+z3)>>shift))
		binary.LittleEndian.PutUint16(out[2*x+16:], uint16((d0*fix1501+z1+z4)>>shift))
	}
}

// fdctRow is fdct for n blocks that lie side by side.
func fdctRow(pix []uint8, stride int, ws *workspace, out []forward, n int) {
	for i := range n {
		fdct(pix[8*i:], stride, ws, &out[i])
	}
}

// quantizer holds what quantising takes, in the order of the stream where nothing else is said.
type quantizer struct {
	steps [64]uint8
	half  [64]int32 // of a step, and of the 8 that coefficients are too large by
	// over and under find the coefficients that are not quantised to 0, those of half a step or
	// more: added to the same four of a forward block, which goes row by row, over sets the upper
	// bit of those that are positive, under clears it for those that are negative.
	over, under [16]uint64
	// inverse is 1/(8*step), rounded up, with 32 bits of fraction. The product with a coefficient
	// of less than 1<<15 is too large by less than 1<<15 * 8*255/1<<32 of a step, which is less
	// than 1/(8*step): its whole part is right.
	inverse [64]uint64
}

// set scales a table for the quality as libjpeg does.
func (q *quantizer) set(table *[64]uint8, quality int) {
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	for k, place := range zigzag {
		step := min(max((int(table[place])*scale+50)/100, 1), 255)
		q.steps[k] = uint8(step)
		q.half[k] = int32(4 * step)
		word, at := place/4, place%4*16
		q.over[word] = q.over[word]&^(0xffff<<at) | uint64(1<<15-bias-4*step)<<at
		q.under[word] = q.under[word]&^(0xffff<<at) | uint64(1<<15-bias-1+4*step)<<at
		q.inverse[k] = 1<<32/uint64(8*step) + 1
	}
}

// quantize returns coefficient v, the k-th of the stream, in steps, rounded to the nearest and
// halves away from zero.
func (q *quantizer) quantize(v int32, k int) int32 {
	sign := v >> 31
	n := uint64(uint32(v^sign-sign+q.half[k&63])) * q.inverse[k&63] >> 32
	return int32(n) ^ sign - sign
}

// codedBits is coded data being written.
type codedBits struct {
	b   []byte
	acc uint64 // the last n bits, at the bottom; others above count no more
	n   uint   // less than 32 between symbols
}

// reserve makes room for some blocks: 64 codes of 16 bits with values of 11 each, and as many
// stuffed bytes.
func (w *codedBits) reserve(blocks int) { w.b = slices.Grow(w.b, blocks*2*64*27/8+16) }

// block writes a block of fdct's coefficients. Room must have been reserved.
func (w *codedBits) block(c *forward, q *quantizer, codes *codeTables, pred *int32) {
	// A bit for each coefficient that isn't quantised to 0: first 16 times the place in a word of
	// four, plus the word; then in the order of the stream.
	const upper = 0x8000800080008000
	found := uint64(0)
	for i := range 16 {
		v := binary.LittleEndian.Uint64(c[8*i:])
		found = found>>1 | (v+q.over[i]|^(v+q.under[i]))&upper
	}
	mask := uint64(0)
	for found &^= 1; found != 0; found &= found - 1 {
		mask |= 1 << (streamOrder[mathbits.TrailingZeros64(found)&63] & 63)
	}

	b, at := w.b[:cap(w.b)], len(w.b)
	dc := q.quantize(c.at(0), 0)
	v := dc - *pred
	*pred = dc
	sign := v >> 31
	size := uint(mathbits.Len32(uint32(v^sign-sign))) & 31
	e := codes.dc[size&15]
	acc := w.acc<<(e&31)<<size | uint64(e>>5<<size|uint32(v+sign)&(1<<size-1))
	n := w.n + uint(e&31) + size
	if n >= 32 {
		n -= 32
		at = write(b, at, uint32(acc>>(n&63)))
	}
	last := 0
	for ; mask != 0; mask &= mask - 1 {
		k := mathbits.TrailingZeros64(mask)
		run := k - last - 1
		for ; run > 15; run -= 16 {
			e := codes.ac[0xf0]
			acc = acc<<(e&31) | uint64(e>>5)
			if n += uint(e & 31); n >= 32 {
				n -= 32
				at = write(b, at, uint32(acc>>(n&63)))
			}
		}
		last = k
		v := c.at(zigzag[k&63])
		sign := v >> 31
		v = int32(uint64(uint32(v^sign-sign+q.half[k&63])) * q.inverse[k&63] >> 32)
		size := uint(mathbits.Len32(uint32(v))) & 31
		e := codes.ac[(uint(run)<<4|size)&255]
		acc = acc<<(uint(e&31)+size) | uint64(e>>5<<size|uint32(v^sign)&(1<<size-1))
		if n += uint(e&31) + size; n >= 32 {
			n -= 32
			at = write(b, at, uint32(acc>>(n&63)))
		}
	}
	if last < 63 {
		e := codes.ac[0]
		acc = acc<<(e&31) | uint64(e>>5)
		if n += uint(e & 31); n >= 32 {
			n -= 32
			at = write(b, at, uint32(acc>>(n&63)))
		}
	}
	w.b, w.acc, w.n = b[:at], acc, n
}

// filler writes a block that lies outside the image: the one before without its AC coefficients,
// which costs least. Room must have been reserved.
func (w *codedBits) filler(codes *codeTables) {
	for _, e := range [2]uint32{codes.dc[0], codes.ac[0]} {
		w.acc = w.acc<<(e&31) | uint64(e>>5)
		if w.n += uint(e & 31); w.n >= 32 {
			w.n -= 32
			w.b = w.b[:write(w.b[:cap(w.b)], len(w.b), uint32(w.acc>>(w.n&63)))]
		}
	}
}

// finish fills up the last byte with ones and returns all bytes. Room must have been reserved.
func (w *codedBits) finish() []byte {
	fill := -w.n & 7
	w.acc, w.n = w.acc<<fill|(1<<fill-1), w.n+fill
	for w.n > 0 {
		w.n -= 8
		v := byte(w.acc >> w.n)
		w.b = append(w.b, v)
		if v == 0xff {
			w.b = append(w.b, 0)
		}
	}
	return w.b
}

// streamOrder turns the places in [codedBits.block]'s first set of bits into those of the stream.
var streamOrder = func() (t [64]uint8) {
	for k, place := range zigzag {
		t[place%4*16+place/4] = uint8(k)
	}
	return t
}()

// write writes four bytes at a place of b, a zero behind each of 0xff, and returns the next place.
func write(b []byte, at int, v uint32) int {
	binary.BigEndian.PutUint32(b[at:], v)
	if (^v-0x01010101)&v&0x80808080 == 0 { // none is 0xff
		return at + 4
	}
	for i := 24; i >= 0; i -= 8 {
		b[at] = byte(v >> i)
		at++
		if byte(v>>i) == 0xff {
			b[at] = 0
			at++
		}
	}
	return at
}

package jpeg

import "encoding/binary"

// RGB to full-range YCbCr, ITU-T T.871 (2011), section 7, with 16 bits of fraction, rounded so that
// the weights of Y add up to 1 and those of Cb and Cr to 0, as in libjpeg:
//
//	Y  =  0.299 R    + 0.587 G    + 0.114 B
//	Cb = -0.168736 R - 0.331264 G + 0.5 B      + 128
//	Cr =  0.5 R      - 0.418688 G - 0.081312 B + 128
const (
	yR, yG, yB = 19595, 38470, 7471
	cbR, cbG   = 11059, 21709
	crG, crB   = 27439, 5329
	half       = 1 << (colorBits - 1)
	colorBits  = 16

	both    = 1<<32 + 1 // times this, a constant is in both halves
	lanes8  = 0x000000ff000000ff
	lanes16 = 0x0000ffff0000ffff
)

// Colours are converted two at a time, in the halves of 64 bits. Weights are less than 1, so a
// half never spills into the other: differences are positive once the rounding constant, which
// holds the 128, is added, and before that only the sum of both counts, modulo 2^64.

// lumaPair converts the pixels in bytes 0 and 4.
func lumaPair(r, g, b uint64) uint64 {
	return ((r&lanes8)*yR + (g&lanes8)*yG + (b&lanes8)*yB + half*both) >> colorBits & lanes8
}

// luma converts eight pixels.
func luma(r, g, b uint64) uint64 {
	return lumaPair(r, g, b) | lumaPair(r>>8, g>>8, b>>8)<<8 |
		lumaPair(r>>16, g>>16, b>>16)<<16 | lumaPair(r>>24, g>>24, b>>24)<<24
}

// Where Cb or Cr lies half way between two values it is rounded down, Y is rounded up.

// bluePair and redPair return Cb and Cr of two pixels, or of two sums of 1<<more pixels, in the
// lower bits of each half.
func bluePair(r, g, b uint64, more uint) uint64 {
	return (b*half - r*cbR - g*cbG + (128<<colorBits+half-1)<<more*both) >> (colorBits + more) & lanes8
}

func redPair(r, g, b uint64, more uint) uint64 {
	return (r*half - g*crG - b*crB + (128<<colorBits+half-1)<<more*both) >> (colorBits + more) & lanes8
}

// convert444 converts n pixels of a row, a multiple of 8.
func convert444(y, cb, cr, r, g, b []uint8, n int) {
	y, cb, cr, r, g, b = y[:n], cb[:n], cr[:n], r[:n], g[:n], b[:n]
	for i := 0; i+8 <= n; i += 8 {
		rr, gg, bb := binary.LittleEndian.Uint64(r[i:]), binary.LittleEndian.Uint64(g[i:]), binary.LittleEndian.Uint64(b[i:])
		r0, g0, b0 := rr&lanes8, gg&lanes8, bb&lanes8
		r1, g1, b1 := rr>>8&lanes8, gg>>8&lanes8, bb>>8&lanes8
		r2, g2, b2 := rr>>16&lanes8, gg>>16&lanes8, bb>>16&lanes8
		r3, g3, b3 := rr>>24&lanes8, gg>>24&lanes8, bb>>24&lanes8
		binary.LittleEndian.PutUint64(y[i:], lumaPair(r0, g0, b0)|lumaPair(r1, g1, b1)<<8|lumaPair(r2, g2, b2)<<16|lumaPair(r3, g3, b3)<<24)
		binary.LittleEndian.PutUint64(cb[i:], bluePair(r0, g0, b0, 0)|bluePair(r1, g1, b1, 0)<<8|bluePair(r2, g2, b2, 0)<<16|bluePair(r3, g3, b3, 0)<<24)
		binary.LittleEndian.PutUint64(cr[i:], redPair(r0, g0, b0, 0)|redPair(r1, g1, b1, 0)<<8|redPair(r2, g2, b2, 0)<<16|redPair(r3, g3, b3, 0)<<24)
	}
}

// convert420 converts a pair of rows of n pixels, a multiple of 8, to two rows of y, n apart, and
// one of cb and cr.
func convert420(y, cb, cr []uint8, rgb *[3][2][]uint8, n int) {
	y0, y1, cb, cr := y[:n], y[n:2*n], cb[:n/2], cr[:n/2]
	r0, g0, b0, r1, g1, b1 := rgb[0][0][:n], rgb[1][0][:n], rgb[2][0][:n], rgb[0][1][:n], rgb[1][1][:n], rgb[2][1][:n]
	for i := 0; i+8 <= n; i += 8 {
		ra, ga, ba := binary.LittleEndian.Uint64(r0[i:]), binary.LittleEndian.Uint64(g0[i:]), binary.LittleEndian.Uint64(b0[i:])
		binary.LittleEndian.PutUint64(y0[i:], luma(ra, ga, ba))
		rb, gb, bb := binary.LittleEndian.Uint64(r1[i:]), binary.LittleEndian.Uint64(g1[i:]), binary.LittleEndian.Uint64(b1[i:])
		binary.LittleEndian.PutUint64(y1[i:], luma(rb, gb, bb))
		// Sums 0 and 2, then 1 and 3.
		r, g, b := sum4(ra, rb), sum4(ga, gb), sum4(ba, bb)
		re, ge, be := r&lanes16, g&lanes16, b&lanes16
		ro, og, bo := r>>16&lanes16, g>>16&lanes16, b>>16&lanes16
		binary.LittleEndian.PutUint32(cb[i/2:], interleave(bluePair(re, ge, be, 2), bluePair(ro, og, bo, 2)))
		binary.LittleEndian.PutUint32(cr[i/2:], interleave(redPair(re, ge, be, 2), redPair(ro, og, bo, 2)))
	}
}

// sum4 adds up the four squares of two by two bytes, to 16 bits each.
func sum4(a, b uint64) uint64 {
	const even = 0x00ff00ff00ff00ff
	return a&even + a>>8&even + b&even + b>>8&even
}

// interleave packs bytes 0 and 4 of each, the first of a first.
func interleave(a, b uint64) uint32 {
	a |= b << 8
	return uint32(a) | uint32(a>>16)
}

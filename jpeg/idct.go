package jpeg

import "encoding/binary"

// The inverse DCT is libjpeg's "islow", bit for bit: C. Loeffler, A. Ligtenberg, G. Moschytz,
// "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989, in integers of 13
// fractional bits, 2 of which are kept between the two passes. Columns first.
const (
	constBits = 13
	passBits  = 2

	// Fractions times 1<<13, rounded, as in jidctint.c.
	fix0298 = 2446
	fix0390 = 3196
	fix0541 = 4433
	fix0765 = 6270
	fix0899 = 7373
	fix1175 = 9633
	fix1501 = 12299
	fix1847 = 15137
	fix1961 = 16069
	fix2053 = 16819
	fix2562 = 20995
	fix3072 = 25172

	colShift = constBits - passBits
	colRound = 1 << (colShift - 1)
	rowShift = constBits + passBits + 3
	// Rounding, and the level shift of 128 on top.
	rowRound = 1<<(rowShift-1) + 128<<rowShift
)

// workspace holds a block between the two passes, row by row.
type workspace [64]int32

// idct writes the samples of a block to the 8 rows of out, stride bytes apart. shape is what
// bits.block said of it; ws need not be empty, and is left in any state.
//
// All of the arithmetic is of 32 bits, as in libjpeg. libjpeg-turbo's vector code keeps the sums
// of two coefficients and the result of the first pass in 16, so that damaged or contrived
// coefficients give other samples there. In a block that isn't wide neither can overflow: where
// coefficients c lie in columns, a column yields at most 4*1.3870*sum(|c|) anywhere, the DC
// coefficient counting without the 1.3870, so that any two columns of the workspace add up to
// 4*(2047+1.3870*4158) = 31257 at most, which is less than 32768. Wide blocks are left to
// idctWide, which does as the vector code does.
func idct(c *coefficients, shape int, ws *workspace, out []uint8, stride int) {
	if shape&shapeAC == 0 {
		idctDC(c[0], out, stride)
		return
	}
	if shape&shapeWide != 0 {
		idctWide(c, out, stride)
		return
	}
	columns := 8
	if shape&shapeRight == 0 {
		columns = 4
	}
	if shape&shapeLower == 0 {
		columns4(c, ws, columns)
	} else {
		columns8(c, ws, columns)
	}
	if shape&shapeRight == 0 {
		rows4(ws, out, stride)
	} else {
		rows8(ws, out, stride)
	}
}

// idctDC is idct of a block without AC coefficients.
func idctDC(dc int16, out []uint8, stride int) {
	w := int32(dc << passBits) // wraps, as the vector code does
	v := clamp((w+16)>>5 + 128)
	row := uint64(v) * 0x0101010101010101
	for y := range 8 {
		binary.LittleEndian.PutUint64(out[y*stride:], row)
	}
}

func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^v >> 31)
	}
	return uint8(v)
}

// columns8 is the first pass, over the first n columns.
func columns8(c *coefficients, ws *workspace, n int) {
	for i := 0; i < n && i < 8; i++ {
		c0, c1, c2, c3 := int32(c[i]), int32(c[8+i]), int32(c[16+i]), int32(c[24+i])
		c4, c5, c6, c7 := int32(c[32+i]), int32(c[40+i]), int32(c[48+i]), int32(c[56+i])

		z1 := (c2 + c6) * fix0541
		t2 := z1 - c6*fix1847
		t3 := z1 + c2*fix0765
		t0 := (c0+c4)<<constBits + colRound
		t1 := (c0-c4)<<constBits + colRound
		e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

		z5 := (c7 + c3 + c5 + c1) * fix1175
		z3 := z5 - (c7+c3)*fix1961
		z4 := z5 - (c5+c1)*fix0390
		z1 = (c7 + c1) * -fix0899
		z2 := (c5 + c3) * -fix2562
		o0 := c7*fix0298 + z1 + z3
		o1 := c5*fix2053 + z2 + z4
		o2 := c3*fix3072 + z2 + z3
		o3 := c1*fix1501 + z1 + z4

		ws[i] = (e0 + o3) >> colShift
		ws[56+i] = (e0 - o3) >> colShift
		ws[8+i] = (e1 + o2) >> colShift
		ws[48+i] = (e1 - o2) >> colShift
		ws[16+i] = (e2 + o1) >> colShift
		ws[40+i] = (e2 - o1) >> colShift
		ws[24+i] = (e3 + o0) >> colShift
		ws[32+i] = (e3 - o0) >> colShift
	}
}

// columns4 is columns8 of a block whose lower four rows are empty.
func columns4(c *coefficients, ws *workspace, n int) {
	for i := 0; i < n && i < 8; i++ {
		c0, c1, c2, c3 := int32(c[i]), int32(c[8+i]), int32(c[16+i]), int32(c[24+i])

		t0 := c0<<constBits + colRound
		t2 := c2 * fix0541
		t3 := c2 * (fix0541 + fix0765)
		e0, e3, e1, e2 := t0+t3, t0-t3, t0+t2, t0-t2

		z5 := (c3 + c1) * fix1175
		z3 := z5 - c3*fix1961
		z4 := z5 - c1*fix0390
		o0 := z3 - c1*fix0899
		o1 := z4 - c3*fix2562
		o2 := z3 + c3*(fix3072-fix2562)
		o3 := z4 + c1*(fix1501-fix0899)

		ws[i] = (e0 + o3) >> colShift
		ws[56+i] = (e0 - o3) >> colShift
		ws[8+i] = (e1 + o2) >> colShift
		ws[48+i] = (e1 - o2) >> colShift
		ws[16+i] = (e2 + o1) >> colShift
		ws[40+i] = (e2 - o1) >> colShift
		ws[24+i] = (e3 + o0) >> colShift
		ws[32+i] = (e3 - o0) >> colShift
	}
}

// rows8 is the second pass.
func rows8(ws *workspace, out []uint8, stride int) {
	for y := range 8 {
		w := (*[8]int32)(ws[8*y : 8*y+8])
		c0, c1, c2, c3, c4, c5, c6, c7 := w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]

		z1 := (c2 + c6) * fix0541
		t2 := z1 - c6*fix1847
		t3 := z1 + c2*fix0765
		t0 := (c0+c4)<<constBits + rowRound
		t1 := (c0-c4)<<constBits + rowRound
		e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

		z5 := (c7 + c3 + c5 + c1) * fix1175
		z3 := z5 - (c7+c3)*fix1961
		z4 := z5 - (c5+c1)*fix0390
		z1 = (c7 + c1) * -fix0899
		z2 := (c5 + c3) * -fix2562
		o0 := c7*fix0298 + z1 + z3
		o1 := c5*fix2053 + z2 + z4
		o2 := c3*fix3072 + z2 + z3
		o3 := c1*fix1501 + z1 + z4

		p := (*[8]uint8)(out[y*stride:])
		v0, v7 := (e0+o3)>>rowShift, (e0-o3)>>rowShift
		v1, v6 := (e1+o2)>>rowShift, (e1-o2)>>rowShift
		v2, v5 := (e2+o1)>>rowShift, (e2-o1)>>rowShift
		v3, v4 := (e3+o0)>>rowShift, (e3-o0)>>rowShift
		// One test serves all eight where none is to be clamped, as in most rows.
		if uint32(v0|v1|v2|v3|v4|v5|v6|v7) > 255 {
			*p = [8]uint8{clamp(v0), clamp(v1), clamp(v2), clamp(v3), clamp(v4), clamp(v5), clamp(v6), clamp(v7)}
			continue
		}
		p[0], p[1], p[2], p[3] = uint8(v0), uint8(v1), uint8(v2), uint8(v3)
		p[4], p[5], p[6], p[7] = uint8(v4), uint8(v5), uint8(v6), uint8(v7)
	}
}

// rows4 is the second pass over a workspace whose right half is zero, and not read.
func rows4(ws *workspace, out []uint8, stride int) {
	for y := range 8 {
		w := (*[4]int32)(ws[8*y : 8*y+4])
		c0, c1, c2, c3 := w[0], w[1], w[2], w[3]

		t0 := c0<<constBits + rowRound
		t2 := c2 * fix0541
		t3 := c2 * (fix0541 + fix0765)
		e0, e3, e1, e2 := t0+t3, t0-t3, t0+t2, t0-t2

		z5 := (c3 + c1) * fix1175
		z3 := z5 - c3*fix1961
		z4 := z5 - c1*fix0390
		o0 := z3 - c1*fix0899
		o1 := z4 - c3*fix2562
		o2 := z3 + c3*(fix3072-fix2562)
		o3 := z4 + c1*(fix1501-fix0899)

		p := (*[8]uint8)(out[y*stride:])
		v0, v7 := (e0+o3)>>rowShift, (e0-o3)>>rowShift
		v1, v6 := (e1+o2)>>rowShift, (e1-o2)>>rowShift
		v2, v5 := (e2+o1)>>rowShift, (e2-o1)>>rowShift
		v3, v4 := (e3+o0)>>rowShift, (e3-o0)>>rowShift
		// One test serves all eight where none is to be clamped, as in most rows.
		if uint32(v0|v1|v2|v3|v4|v5|v6|v7) > 255 {
			*p = [8]uint8{clamp(v0), clamp(v1), clamp(v2), clamp(v3), clamp(v4), clamp(v5), clamp(v6), clamp(v7)}
			continue
		}
		p[0], p[1], p[2], p[3] = uint8(v0), uint8(v1), uint8(v2), uint8(v3)
		p[4], p[5], p[6], p[7] = uint8(v4), uint8(v5), uint8(v6), uint8(v7)
	}
}

// idctWide is idct for coefficients of any size. It does what libjpeg-turbo's SSE2 and AVX2 code
// does, that is, it wraps sums of two inputs to 16 bits, and saturates a pass's results to 16
// bits unless the block has no coefficient outside its first row.
func idctWide(c *coefficients, out []uint8, stride int) {
	var ws [64]int16
	empty := int16(0)
	for _, v := range c[8:64] {
		empty |= v
	}
	for i := range 8 {
		if empty == 0 {
			for y := range 8 {
				ws[8*y+i] = c[i] << passBits
			}
			continue
		}
		o := butterfly(c[i], c[8+i], c[16+i], c[24+i], c[32+i], c[40+i], c[48+i], c[56+i])
		for y, v := range o {
			ws[8*y+i] = saturate((v + colRound) >> colShift)
		}
	}
	for y := range 8 {
		w := (*[8]int16)(ws[8*y : 8*y+8])
		o := butterfly(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
		for i, v := range o {
			out[y*stride+i] = clamp((v+1<<(rowShift-1))>>rowShift + 128)
		}
	}
}

func saturate(v int32) int16 { return int16(min(max(v, -1<<15), 1<<15-1)) }

// butterfly is a pass over one column or row before rounding.
func butterfly(c0, c1, c2, c3, c4, c5, c6, c7 int16) [8]int32 {
	t0, t1 := int32(c0+c4)<<constBits, int32(c0-c4)<<constBits
	t2 := int32(c2)*fix0541 + int32(c6)*(fix0541-fix1847)
	t3 := int32(c2)*(fix0541+fix0765) + int32(c6)*fix0541
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	s, t := int32(c7+c3), int32(c5+c1)
	z3 := s*(fix1175-fix1961) + t*fix1175
	z4 := s*fix1175 + t*(fix1175-fix0390)
	o0 := int32(c7)*(fix0298-fix0899) - int32(c1)*fix0899 + z3
	o1 := int32(c5)*(fix2053-fix2562) - int32(c3)*fix2562 + z4
	o2 := int32(c3)*(fix3072-fix2562) - int32(c5)*fix2562 + z3
	o3 := int32(c1)*(fix1501-fix0899) - int32(c7)*fix0899 + z4
	return [8]int32{e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3}
}

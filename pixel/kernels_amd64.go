package pixel

import "golang.org/x/sys/cpu"

//go:generate go run -C asm . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg pixel

// best returns the most that this CPU and its operating system can do.
func best() level {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA:
		return portable
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL:
		return avx512
	}
	return avx2
}

// fast writes columns from..to, at least lanes, whose windows of 4 groups by taps bytes lie in
// the plane, and those of its twin, if any. x and y are the coordinates of column 0. Its sums are
// 256 times those of the portable kernel.
func (s *sampler) fast(l level, dst *values, other *sampler, second *values, from, to int, x, y int64) {
	x0, y0, dx, dy := int32(x+int64(from)*s.dx), int32(y+int64(from)*s.dy), int32(s.dx), int32(s.dy)
	n, pix, stride := to-from, &s.plane.Pix[0], s.plane.Stride
	wx, groups, wy, pairs := &s.fx.packed[0], s.fx.groups(), &s.fy.packed[0], s.fy.taps/2
	shift := uint32(s.shift) + 8
	round := uint32(1) << (shift - 1)
	switch {
	case other == nil && l == avx512:
		affineAVX512(&dst[from], n, pix, stride, x0, y0, dx, dy, wx, groups, wy, pairs, shift, round)
	case other == nil:
		affineAVX2(&dst[from], n, pix, stride, x0, y0, dx, dy, wx, groups, wy, pairs, shift, round)
	case l == avx512:
		affinePairAVX512(&dst[from], n, pix, stride, x0, y0, dx, dy, wx, groups, wy, pairs, shift, round, &second[from], &other.plane.Pix[0])
	default:
		affinePairAVX2(&dst[from], n, pix, stride, x0, y0, dx, dy, wx, groups, wy, pairs, shift, round, &second[from], &other.plane.Pix[0])
	}
}

// fastRow filters the columns of one row whose words all lie in the plane.
func fastRow(l level, dst *[segment]int32, row []uint8, c *cache, groups int) {
	n := c.to - c.from
	if l == avx512 {
		rowAVX512(&dst[c.from], n, &row[0], &c.at[c.from], &c.packed[0][c.from], groups)
		return
	}
	rowAVX2(&dst[c.from], n, &row[0], &c.at[c.from], &c.packed[0][c.from], groups)
}

// fastColumns writes n values, each a weighted sum over the rows. It works on whole vectors:
// a segment holds what it writes beyond n.
func fastColumns(l level, dst *values, c *cache, n, taps int, shift uint) {
	n = (n + lanes - 1) / lanes * lanes
	if l == avx512 {
		columnsAVX512(&dst[0], n, &c.rows[0], &c.weights[0], taps, uint32(shift), 1<<(shift-1))
		return
	}
	columnsAVX2(&dst[0], n, &c.rows[0], &c.weights[0], taps, uint32(shift), 1<<(shift-1))
}

// fastPaeth is the rest of a row of paeth, at least 32 bytes.
func fastPaeth(dst, row, left, above, corner []uint8) {
	paethAVX2(&dst[0], &row[0], &left[0], &above[0], &corner[0], len(dst))
}

func fastRGB(_ level, r, g, b []uint8, y, cb, cr *values) {
	rgbAVX2(&r[0], &g[0], &b[0], len(r), &y[0], &cb[0], &cr[0])
}

// fastRows is NormalizeRows of at least one row of at least lanes bytes. For a stream dst begins
// a line of the cache, and so does every row.
func fastRows(l level, dst []float32, src []uint8, r Rows) {
	kernel := normalizeAVX2
	switch {
	case l == avx512 && r.Flip && r.Stream:
		kernel = normalizeFlippedStreamAVX512
	case l == avx512 && r.Flip:
		kernel = normalizeFlippedAVX512
	case l == avx512 && r.Stream:
		kernel = normalizeStreamAVX512
	case l == avx512:
		kernel = normalizeAVX512
	case r.Flip && r.Stream:
		kernel = normalizeFlippedStreamAVX2
	case r.Flip:
		kernel = normalizeFlippedAVX2
	case r.Stream:
		kernel = normalizeStreamAVX2
	}
	var next *uint8
	if len(r.Next) > 0 {
		next = &r.Next[0]
	}
	kernel(&dst[0], &src[0], r.W, r.N, r.Stride, next)
}

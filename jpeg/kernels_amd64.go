package jpeg

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go run -C asm . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg jpeg

// best returns the most that this CPU and its operating system can do. It asks for what package
// pixel's kernels need too, so that both are of one level.
func best() level {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasBMI1 || !cpu.X86.HasBMI2:
		return portable
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL:
		return avx512
	}
	return avx2
}

// fastIDCT writes the samples of as many blocks as l takes, whose coefficients c begins with, and
// clears the latter.
func fastIDCT(l level, c []int16, pix []uint8, to *[maxLanes]target) {
	if l == avx512 {
		idctAVX512(&c[0], &pix[0], to)
	} else {
		idctAVX2(&c[0], &pix[0], to)
	}
}

// convert444 is the function of that name, of the level.
func (l level) convert444(y, cb, cr, r, g, b []uint8, n int) {
	fast := 0
	if l != portable {
		fast = n &^ 15
	}
	if fast > 0 {
		_, _, _, _, _, _ = y[fast-1], cb[fast-1], cr[fast-1], r[fast-1], g[fast-1], b[fast-1]
		convert444AVX2(&y[0], &cb[0], &cr[0], &r[0], &g[0], &b[0], fast)
	}
	convert444(y[fast:], cb[fast:], cr[fast:], r[fast:], g[fast:], b[fast:], n-fast)
}

// fdcts is fdct for n blocks that lie side by side. What is behind them, up to whole vectors, is read and
// written too.
func (l level) fdcts(pix []uint8, stride int, ws *workspace, out []forward, n int) {
	if l == portable {
		fdctRow(pix, stride, ws, out, n)
		return
	}
	n = (n + l.lanes() - 1) &^ (l.lanes() - 1)
	_, _ = pix[7*stride+8*n-1], out[n-1]
	if l == avx512 {
		fdctAVX512(&pix[0], stride, &out[0][0], n)
	} else {
		fdctAVX2(&pix[0], stride, &out[0][0], n)
	}
}

// Where assembly finds fields: a constant beyond its type is an error.
const (
	_ = -unsafe.Offsetof(huffman{}.fast)
	_ = -(unsafe.Offsetof(huffman{}.skip) ^ 4<<lutBits)
	_ = -(unsafe.Offsetof(huffman{}.together) ^ 6<<lutBits)
	_ = -(unsafe.Offsetof(huffman{}.rest) ^ (6<<lutBits + 8))
	_ = -(unsafe.Offsetof(unitBlock{}.ac) ^ 8)
	_ = -(unsafe.Offsetof(unitBlock{}.q) ^ 16)
	_ = -(unsafe.Offsetof(unitBlock{}.pred) ^ 24)
	_ = -(unsafe.Sizeof(unitBlock{}) ^ 32)
	_ = -unsafe.Offsetof(bits{}.buf)
	_ = -(unsafe.Offsetof(bits{}.n) ^ 8)
	_ = -(unsafe.Offsetof(bits{}.pos) ^ 16)
	_ = -(unsafe.Offsetof(bits{}.data) ^ 24)
)

// fastBlocks is bits.block for the blocks of a unit. Their coefficients must be clear, and are left
// at these slots.
func (b *bits) fastBlocks(list []unitBlock, g *group, slot *[maxMCU]int) int {
	return decodeBlocks(&b.buf, &list[0].dc, len(list), &g[0], &slot[0])
}

// fastSkip is bits.skip for the blocks of a unit.
func (b *bits) fastSkip(list []unitBlock) int {
	return skipBlocks(&b.buf, &list[0].dc, len(list))
}

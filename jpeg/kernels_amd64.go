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

// fastIDCT writes the samples of a group of as many blocks as l takes, and clears its coefficients.
func fastIDCT(l level, g *group, pix []uint8, to *[maxLanes]target) {
	if l == avx512 {
		idctAVX512(&g[0], &pix[0], to)
	} else {
		idctAVX2(&g[0], &pix[0], to)
	}
}

// Where assembly finds fields: a constant beyond its type is an error.
const (
	_ = -(unsafe.Offsetof(huffman{}.fast) ^ 0)
	_ = -(unsafe.Offsetof(huffman{}.skip) ^ 4<<lutBits)
	_ = -(unsafe.Offsetof(huffman{}.together) ^ 6<<lutBits)
	_ = -(unsafe.Offsetof(huffman{}.rest) ^ (6<<lutBits + 8))
	_ = -(unsafe.Offsetof(bits{}.buf) ^ 0)
	_ = -(unsafe.Offsetof(bits{}.n) ^ 8)
	_ = -(unsafe.Offsetof(bits{}.pos) ^ 16)
	_ = -(unsafe.Offsetof(bits{}.data) ^ 24)
)

// fastBlock is bits.block for the levels with kernels.
func (b *bits) fastBlock(dc, ac *huffman, q *dequantizer, c *coefficients, pred *int32) int {
	return decodeBlock(&b.buf, &dc.fast[0], &ac.fast[0], &q[0], &c[0], pred)
}

// fastSkip is bits.skip for the levels with kernels.
func (b *bits) fastSkip(dc, ac *huffman, pred *int32) int {
	return skipBlock(&b.buf, &dc.fast[0], &ac.fast[0], pred)
}

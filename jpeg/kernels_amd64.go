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

package jpeg

import "golang.org/x/sys/cpu"

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

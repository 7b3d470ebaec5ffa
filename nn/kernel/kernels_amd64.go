package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go run -C asm . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg kernel

func best() level {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return portable
	case x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512BW:
		return avx512
	}
	return avx2
}

// compute computes a tile. Its calls are direct, so that nothing escapes to the heap.
func (t *tile) compute(l level, windows, channels int) {
	p := (*uintptr)(unsafe.Pointer(t))
	if l == avx2 {
		switch windows {
		case 6:
			conv256_6x16(p)
		case 4:
			conv256_4x16(p)
		case 2:
			conv256_2x16(p)
		default:
			conv256_1x16(p)
		}
		return
	}
	if channels == 32 {
		switch windows {
		case 14:
			conv512_14x32(p)
		case 7:
			conv512_7x32(p)
		case 4:
			conv512_4x32(p)
		case 2:
			conv512_2x32(p)
		default:
			conv512_1x32(p)
		}
		return
	}
	switch windows {
	case 28:
		conv512_28x16(p)
	case 14:
		conv512_14x16(p)
	case 7:
		conv512_7x16(p)
	case 4:
		conv512_4x16(p)
	case 2:
		conv512_2x16(p)
	default:
		conv512_1x16(p)
	}
}

// compute sums a tile of so many values and returns how many it took.
func (t *outerTile) compute(l level, values int) int {
	p := (*uintptr)(unsafe.Pointer(t))
	if l == avx2 {
		switch {
		case values >= 6:
			outer256_6(p)
			return 6
		case values >= 4:
			outer256_4(p)
			return 4
		}
		outer256_1(p)
		return 1
	}
	switch {
	case values >= 16:
		outer512_16(p)
		return 16
	case values >= 8:
		outer512_8(p)
		return 8
	case values >= 4:
		outer512_4(p)
		return 4
	}
	outer512_1(p)
	return 1
}

package kernel

import (
	"os"

	"golang.org/x/sys/cpu"
)

//go:generate go run -C asm . -out ../inner_amd64.s -stubs ../inner_stubs_amd64.go -pkg kernel

// useAVX2 is whether the AVX2 twins run. VF2PREP_CPU=portable turns them off; avx2 and avx512
// mean these, there are no wider ones yet.
var useAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA && os.Getenv("VF2PREP_CPU") != "portable"

const float = 4 // bytes

func correlateFast(x []float32, step, plane, row, blocks, rows, run int, w [][lanes]float32, sums [][lanes]float32) bool {
	if !useAVX2 {
		return false
	}
	// Direct calls, so that nothing escapes to the heap.
	xs, ws, ss := &x[0], &w[0][0], &sums[0][0]
	stepB, planeB, rowB := uintptr(step*float), uintptr(plane*float), uintptr(row*float)
	switch len(sums) {
	case 12:
		correlate12(xs, stepB, planeB, rowB, blocks, rows, run, ws, ss)
	case 4:
		correlate4(xs, stepB, planeB, rowB, blocks, rows, run, ws, ss)
	case 1:
		correlate1(xs, stepB, planeB, rowB, blocks, rows, run, ws, ss)
	default:
		return false
	}
	return true
}

func outerFast(x []float32, xStep int, g []float32, gStep, n int, sums [][lanes]float32) bool {
	if !useAVX2 {
		return false
	}
	for l := 0; l < len(sums); {
		if len(sums)-l >= 8 {
			outerRow8(&x[l], uintptr(xStep*float), &g[0], uintptr(gStep*float), n, &sums[l][0])
			l += 8
			continue
		}
		outerRow1(&x[l], uintptr(xStep*float), &g[0], uintptr(gStep*float), n, &sums[l][0])
		l++
	}
	return true
}

package kernel

import "fmt"

// The two inner loops of every convolution. Each has a portable twin, below, and one in AVX2;
// a twin fuses each multiplication with its addition, so the two agree within float32's rounding
// and not to the bit. Within one twin a window's sum has the same bits whatever is computed
// beside it.

// maxWindows is the most windows that are summed at once.
const maxWindows = 12

// windowsAtOnce returns how many windows of those that are left are summed together.
func windowsAtOnce(left int) int {
	switch {
	case left >= maxWindows:
		return maxWindows
	case left >= 4:
		return 4
	}
	return 1
}

// correlateWindows adds to each sum one window's products; the windows are step numbers apart.
// See correlate for the rest.
func correlateWindows(x []float32, step, plane, row, blocks, rows, run int, w [][lanes]float32, sums [][lanes]float32) {
	if last := (len(sums)-1)*step + (blocks-1)*plane + (rows-1)*row + run; last > len(x) || blocks*rows*run > len(w) || min(blocks, rows, run) < 1 {
		panic(fmt.Sprintf("kernel: windows reach to %d of %d numbers, %d of %d weights", last, len(x), blocks*rows*run, len(w)))
	}
	if correlateFast(x, step, plane, row, blocks, rows, run, w, sums) {
		return
	}
	for k := range sums {
		correlate(x[k*step:], plane, row, blocks, rows, run, w, &sums[k])
	}
}

// correlate adds to sum one window's products: for each of the blocks, plane numbers apart, for
// each of the window's rows, row numbers apart, a run of x times eight weights each.
// One run covers all taps and channels of a row, since a block's channels lie side by side.
func correlate(x []float32, plane, row, blocks, rows, run int, w [][lanes]float32, sum *[lanes]float32) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	s4, s5, s6, s7 := sum[4], sum[5], sum[6], sum[7]
	for b := range blocks {
		for r := range rows {
			from := b*plane + r*row
			xs := x[from : from+run]
			ws := w[:len(xs)]
			w = w[len(xs):]
			for i, v := range xs {
				k := &ws[i]
				s0 += v * k[0]
				s1 += v * k[1]
				s2 += v * k[2]
				s3 += v * k[3]
				s4 += v * k[4]
				s5 += v * k[5]
				s6 += v * k[6]
				s7 += v * k[7]
			}
		}
	}
	*sum = [lanes]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

// outerRows adds to sums[l] the products of n values x[l], xStep apart, with eight values of g
// each, gStep apart. Each row is summed by itself first.
func outerRows(x []float32, xStep int, g []float32, gStep, n int, sums [][lanes]float32) {
	if n < 1 || len(sums) < 1 {
		return
	}
	if (n-1)*xStep+len(sums) > len(x) || (n-1)*gStep+lanes > len(g) {
		panic(fmt.Sprintf("kernel: %d values %d and %d apart in %d and %d numbers", n, xStep, gStep, len(x), len(g)))
	}
	if outerFast(x, xStep, g, gStep, n, sums) {
		return
	}
	for l := range sums {
		outerRow(x[l:], xStep, g, gStep, n, &sums[l])
	}
}

// outerRow is outerRows for one value of x.
func outerRow(x []float32, xStep int, g []float32, gStep, n int, sum *[lanes]float32) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	xi, gi := 0, 0
	for range n {
		v := x[xi]
		k := (*[lanes]float32)(g[gi:])
		s0 += v * k[0]
		s1 += v * k[1]
		s2 += v * k[2]
		s3 += v * k[3]
		s4 += v * k[4]
		s5 += v * k[5]
		s6 += v * k[6]
		s7 += v * k[7]
		xi += xStep
		gi += gStep
	}
	sum[0] += s0
	sum[1] += s1
	sum[2] += s2
	sum[3] += s3
	sum[4] += s4
	sum[5] += s5
	sum[6] += s6
	sum[7] += s7
}

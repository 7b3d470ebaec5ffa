package kernel

// tile is what a convolution's micro-kernel computes: some windows side by side, times 16 or 32
// channels. It is what the assembly reads; distances are in bytes.
//
// The sum of a window goes over its blocks, in each over the rows, in each over a run of numbers
// that lie side by side: all taps of the row, and all channels of the block for each. Each
// channel's sum has the same order whatever is computed beside it.
type tile struct {
	x    *float32 // first number of the first window; the assembly moves it
	w    *float32 // the weights of all the numbers of a window, 16 or 32 for each
	y    *float32 // the first window's output
	bias *float32 // what sums begin with, 16 or 32
	xStep,
	xRow,
	xPlane uintptr // from window to window, row to row, block to block
	blocks, // counted down by the assembly
	rows,
	run uintptr
	yStep  uintptr // from window to window
	yBlock uintptr // to the second block of channels
	flags  uintptr
}

const (
	tileReLU = 1 // outputs are at least 0
	tileAdd  = 2 // sums begin with what y holds, not with bias
)

// windowSizes lists the numbers of windows that a level computes at once.
func windowSizes(l level, channels int) []int {
	switch {
	case l == avx512 && channels == 32:
		return sizes512x32
	case l == avx512:
		return sizes512x16
	case l == avx2:
		return sizes256
	}
	return sizesPortable
}

var (
	sizes512x32   = []int{14, 7, 4, 2, 1}
	sizes512x16   = []int{28, 14, 7, 4, 2, 1}
	sizes256      = []int{6, 4, 2, 1}
	sizesPortable = []int{1}
)

// outerTile is what a micro-kernel of the gradient of weights computes: the products of some
// values of x, side by side, with a block of g, summed over columns, rows and images and added to
// sum. Distances are in bytes.
type outerTile struct {
	x, g           *float32 // the assembly moves them
	sum            *float32
	xStep          uintptr // from pixel to pixel; g's lie side by side
	xRow, gRow     uintptr
	cols, rows     uintptr
	images         uintptr // counted down by the assembly
	xImage, gImage uintptr
}

// correlate adds to sum one window's products, as a tile does.
func correlate(x []float32, plane, row, blocks, rows, run int, w []float32, sum *[BlockSize]float32) {
	for half := 0; half < BlockSize; half += 8 {
		s := sum[half : half+8]
		s0, s1, s2, s3, s4, s5, s6, s7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		at := half
		for b := range blocks {
			for r := range rows {
				for _, v := range x[b*plane+r*row:][:run] {
					k := (*[8]float32)(w[at:])
					s0 += v * k[0]
					s1 += v * k[1]
					s2 += v * k[2]
					s3 += v * k[3]
					s4 += v * k[4]
					s5 += v * k[5]
					s6 += v * k[6]
					s7 += v * k[7]
					at += BlockSize
				}
			}
		}
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = s0, s1, s2, s3, s4, s5, s6, s7
	}
}

// outerRow adds to sum the products of n values x, xStep apart, with blocks of g, side by side.
func outerRow(x []float32, xStep int, g []float32, n int, sum *[BlockSize]float32) {
	for half := 0; half < BlockSize; half += 8 {
		s := sum[half : half+8]
		s0, s1, s2, s3, s4, s5, s6, s7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		xi, gi := 0, half
		for range n {
			v := x[xi]
			k := (*[8]float32)(g[gi:])
			s0 += v * k[0]
			s1 += v * k[1]
			s2 += v * k[2]
			s3 += v * k[3]
			s4 += v * k[4]
			s5 += v * k[5]
			s6 += v * k[6]
			s7 += v * k[7]
			xi += xStep
			gi += BlockSize
		}
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = s0, s1, s2, s3, s4, s5, s6, s7
	}
}

package pixel

import (
	"math"
	"sync/atomic"
)

// A sample of a plane is a weighted sum of taps x taps of its bytes, one filter for the columns
// and one for the rows. A filter is a kernel convolved with a box as wide as an output pixel is
// in the plane, taken at 32 positions between two bytes (as OpenCV's warps do) and rounded to
// weights of 8 bits.
//
// A turned pixel is a turned box, whose variance along the plane's axes is that of the upright
// box of the same size; so the filter depends on the scale along each axis alone.

const (
	phaseBits = 5
	phases    = 1 << phaseBits
	// scaleSteps is the number of box widths per unit that have a filter of their own.
	scaleSteps = 32
	// maxScale is the widest box: beyond it, at 7,000 source pixels for 112, bytes are skipped.
	maxScale = 60
	maxTaps  = maxScale + 2
)

// kernel is what a plane is taken to be between its bytes.
type kernel int8

const (
	// cubic is sharp: R. Keys, "Cubic convolution interpolation for digital image processing",
	// IEEE TASSP 29(6), 1981, with a = -1/2.
	cubic kernel = iota
	// linear is what decoders use to enlarge subsampled chroma.
	linear
	kernels
)

// filter is the weights of one axis.
type filter struct {
	taps int  // even
	bits uint // the weights of one phase add up to 1<<bits
	// weights of phase p are weights[p*taps : (p+1)*taps]; phase p lies p/phases after the byte
	// that is tap taps/2 - 1.
	weights []int8
	// packed has the same, four taps in one word, the first lowest: word g*phases + p is taps
	// 4g .. 4g+3 of phase p. Where there are fewer, the weights are 0.
	packed []uint32
}

// groups returns the number of words that hold the weights of a phase.
func (f *filter) groups() int { return (f.taps + 3) / 4 }

// filters keeps what newFilter made, by kernel and width in 1/scaleSteps.
var filters [kernels][maxScale*scaleSteps + 1]atomic.Pointer[filter]

// filterOf returns the filter of a kernel and a box of that width, rounded to 1/scaleSteps.
func filterOf(k kernel, width float64) *filter {
	step := maxScale * scaleSteps
	if width < maxScale { // false for NaN
		step = int(math.Floor(float64(width*scaleSteps) + 0.5))
	}
	kept := &filters[k][step]
	if f := kept.Load(); f != nil {
		return f
	}
	f := newFilter(k, float64(step)/scaleSteps)
	kept.Store(f) // two goroutines may make the same one: it has no state
	return f
}

func newFilter(k kernel, width float64) *filter {
	f := &filter{taps: k.taps(width)}
	f.weights = make([]int8, phases*f.taps)
	// 7 bits where they suffice: a weight must hold in a signed byte, the products of two with
	// bytes in 16 bits (PMADDUBSW), and the sum over both axes, times 256, in 32 bits.
	for f.bits = 7; !f.round(k, width); f.bits-- {
	}
	f.packed = make([]uint32, phases*f.groups())
	for p := range phases {
		for i, w := range f.weights[p*f.taps : (p+1)*f.taps] {
			f.packed[i/4*phases+p] |= uint32(uint8(w)) << (i % 4 * 8)
		}
	}
	return f
}

// round fills the weights and reports whether they stay in their limits, as with 6 bits they do.
func (f *filter) round(k kernel, width float64) bool {
	exact := make([]float64, f.taps)
	for p := range phases {
		sum := 0.0
		for i := range exact {
			exact[i] = k.boxed(float64(i-(f.taps/2-1))-float64(p)/phases, width)
			sum += exact[i]
		}
		w := f.weights[p*f.taps : (p+1)*f.taps]
		rest, size := 1<<f.bits, 0
		for i := range exact {
			exact[i] = exact[i] / sum * float64(int(1)<<f.bits)
			v := int(math.Floor(exact[i] + 0.5))
			if v > math.MaxInt8 {
				return false
			}
			w[i] = int8(v)
			rest -= v
		}
		for ; rest != 0; rest -= sign(rest) { // the weight that was rounded away most takes it
			worst, by := 0, math.Inf(-1)
			for i := range exact {
				if e := (exact[i] - float64(w[i])) * float64(sign(rest)); e > by {
					worst, by = i, e
				}
			}
			w[worst] += int8(sign(rest))
		}
		for i, v := range w {
			if v == math.MaxInt8 || i%2 == 1 && max(int(v), 0)+max(int(w[i-1]), 0) > 128 {
				return false
			}
			size += max(int(v), -int(v))
		}
		if size > 160 {
			return false
		}
	}
	return true
}

func sign(v int) int {
	if v < 0 {
		return -1
	}
	return 1
}

// taps returns how many bytes a side are weighed; what lies beyond is below a fiftieth in all.
func (k kernel) taps(width float64) int {
	if k == linear {
		return max(2, 2*int(math.Ceil((width+0.5)/2)))
	}
	return 2*max(1, int(math.Ceil(width/2-0.1))) + 2
}

// boxed returns the kernel's mean over a width about t.
func (k kernel) boxed(t, width float64) float64 {
	if width == 0 {
		return k.at(math.Abs(t))
	}
	return (k.integral(t+width/2) - k.integral(t-width/2)) / width
}

// at returns the kernel at t >= 0. Products are rounded before they are added, on every CPU.
func (k kernel) at(t float64) float64 {
	t2 := float64(t * t)
	t3 := float64(t2 * t)
	switch {
	case k == linear:
		return max(0, 1-t)
	case t < 1:
		return float64(1.5*t3) - float64(2.5*t2) + 1
	case t < 2:
		return float64(-0.5*t3) + float64(2.5*t2) - float64(4*t) + 2
	}
	return 0
}

// integral returns the kernel's integral from 0 to t.
func (k kernel) integral(t float64) float64 {
	if t < 0 {
		return -k.integral(-t)
	}
	t2 := float64(t * t)
	t3 := float64(t2 * t)
	t4 := float64(t2 * t2)
	switch {
	case k == linear && t < 1:
		return t - t2/2
	case k == cubic && t < 1:
		return float64(0.375*t4) - float64(5*t3)/6 + t
	case k == cubic && t < 2:
		return float64(-0.125*t4) + float64(5*t3)/6 - float64(2*t2) + float64(2*t) - 1.0/6
	}
	return 0.5
}

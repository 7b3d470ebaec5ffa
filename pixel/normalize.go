package pixel

import "unsafe"

// normal holds x/127.5 - 1 for every byte.
var normal = func() (t [256]float32) {
	for i := range t {
		t[i] = float32(float64(i)/127.5 - 1)
	}
	return t
}()

// Normalize writes x/127.5 - 1 of every byte of src to dst, which has the same length.
func Normalize(dst []float32, src []uint8) { normalize(inForce, dst, src) }

func normalize(l level, dst []float32, src []uint8) {
	normalizeRows(l, dst, src, Rows{W: len(src), N: 1, Stride: len(src)})
}

// NormalizeFlipped is [Normalize] with every row of w bytes turned end for end; the length is a
// multiple of w.
func NormalizeFlipped(dst []float32, src []uint8, w int) { normalizeFlipped(inForce, dst, src, w) }

func normalizeFlipped(l level, dst []float32, src []uint8, w int) {
	if w < 1 || len(src)%w != 0 {
		panic("pixel: length mismatch")
	}
	normalizeRows(l, dst, src, Rows{W: w, N: len(src) / w, Stride: w, Flip: true})
}

// Rows says which bytes [NormalizeRows] reads, N rows of W bytes that begin Stride bytes apart,
// and how it writes them.
type Rows struct {
	W, N, Stride int
	Flip         bool // each row end for end
	// Stream writes past the caches where the CPU can, which is faster for a destination that
	// does not fit in them and slower for one that does. The values are the same.
	Stream bool
	// Next is what will be read afterwards, if anything: its beginning is fetched meanwhile.
	Next []uint8
}

// NormalizeRows writes x/127.5 - 1 of rows of src to dst without gaps: W*N values. It panics
// where one of the two has another length; src ends with the last row or goes on behind it.
func NormalizeRows(dst []float32, src []uint8, r Rows) { normalizeRows(inForce, dst, src, r) }

func normalizeRows(l level, dst []float32, src []uint8, r Rows) {
	if r.W < 0 || r.N < 0 || r.Stride < r.W || len(dst) != r.W*r.N {
		panic("pixel: length mismatch")
	}
	if len(dst) == 0 {
		return
	}
	src = src[:(r.N-1)*r.Stride+r.W]
	if r.Stride == r.W && !r.Flip {
		r.W, r.N = len(dst), 1
	}
	if l == portable || r.W < lanes {
		portableRows(dst, src, r)
		return
	}
	// Only whole lines of the cache can be streamed, so all rows have to begin with one; the ends
	// of a single row are written as usual.
	head := int(-uintptr(unsafe.Pointer(&dst[0])) % line / 4)
	if r.N == 1 && !r.Flip && r.Stream && r.W >= 2*lanes {
		body := (r.W - head) &^ (lanes - 1)
		table(dst[:head], src[:head])
		table(dst[head+body:], src[head+body:])
		dst, src, r.W = dst[head:head+body], src[head:head+body], body
	} else {
		r.Stream = r.Stream && head == 0 && r.W%lanes == 0
	}
	fastRows(l, dst, src, r)
}

// line is the size of a line of the caches, bytes; it holds one group of lanes.
const line = 4 * lanes

func portableRows(dst []float32, src []uint8, r Rows) {
	for y := range r.N {
		from, to := src[y*r.Stride:][:r.W], dst[y*r.W:][:r.W]
		if !r.Flip {
			table(to, from)
			continue
		}
		for i := range to {
			to[i] = normal[from[len(from)-1-i]]
		}
	}
}

func table(dst []float32, src []uint8) {
	for i, v := range src {
		dst[i] = normal[v]
	}
}

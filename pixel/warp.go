package pixel

import "sync"

// Sampling says how a source is read.
type Sampling int8

const (
	// Antialias weighs all that an output pixel covers, with a cubic kernel stretched by the
	// scale, so that nothing is skipped where the source shrinks and edges stay sharp where not.
	Antialias Sampling = iota
	// Bilinear takes one bilinear sample, as OpenCV's INTER_LINEAR does; it aliases where the
	// source shrinks by more than 2.
	Bilinear
)

// Warp fills dst, 3 planes of h x w bytes, with what src shows under the map m: output point
// (x, y) is the source's point (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), both counted
// from the centre of the first pixel. Outside the source all is black.
//
// The planes are R, G, B, or B, G, R where bgr is set.
func Warp(dst []uint8, w, h int, src Planes, m [6]float64, s Sampling, bgr bool) {
	warp(inForce, dst, w, h, src, m, s, bgr)
}

// segment is the number of columns that are made at a time. A row's coordinates are stepped
// with 16 bits of fraction inside it and start again from 32 at the next one.
const segment = 256

// values is a segment of one plane, with valueBits of fraction.
type values [segment]int16

// valueBits is the binary fraction that a sample keeps until it is a byte.
const valueBits = 6

// work is what a Warp needs besides its arguments; too large for the stack.
type work struct {
	sampler [3]sampler
	row     [3]values
}

var works = sync.Pool{New: func() any { return new(work) }}

func warp(l level, dst []uint8, w, h int, src Planes, m [6]float64, s Sampling, bgr bool) {
	if len(dst) != 3*w*h || len(src.Channel) != 3 {
		panic("pixel: length mismatch")
	}
	if w == 0 || h == 0 {
		return
	}
	k := works.Get().(*work)
	defer k.free()
	n := w * h
	out := [3][]uint8{dst[:n], dst[n : 2*n], dst[2*n:]}
	if bgr {
		out[0], out[2] = out[2], out[0]
	}
	switch {
	case src.YCbCr:
		for c, p := range src.Channel {
			border := int32(0)
			if c > 0 {
				border = 128
			}
			k.sampler[c].reset(p, m, s, border)
		}
		k.planes(l, w, h, out, 3)
	case same(src.Channel[0], src.Channel[1]) && same(src.Channel[0], src.Channel[2]): // grey
		k.sampler[0].reset(src.Channel[0], m, s, 0)
		k.planes(l, w, h, out, 1)
	default:
		for c, p := range src.Channel {
			k.sampler[0].reset(p, m, s, 0)
			k.planes(l, w, h, [3][]uint8{out[c], out[c], out[c]}, 1)
		}
	}
}

// free returns k for the next Warp, without holding on to the photo.
func (k *work) free() {
	for i := range k.sampler {
		k.sampler[i].plane = Plane{}
	}
	works.Put(k)
}

// planes fills out from the first n samplers: one of Y, or three of Y, Cb and Cr.
func (k *work) planes(l level, w, h int, out [3][]uint8, n int) {
	for c := n; c < 3; c++ {
		for i := range k.row[c] {
			k.row[c][i] = 128 << valueBits
		}
	}
	twins := k.sampler[1].twins(&k.sampler[2])
	for x := 0; x < w; x += segment {
		count := min(segment, w-x)
		for c := range n {
			k.sampler[c].columns(x, count)
		}
		for y := range h {
			k.sampler[0].row(l, &k.row[0], x, y, count)
			switch {
			case n == 3 && twins:
				k.sampler[1].rows(l, &k.row[1], &k.sampler[2], &k.row[2], x, y, count)
			case n == 3:
				k.sampler[1].row(l, &k.row[1], x, y, count)
				k.sampler[2].row(l, &k.row[2], x, y, count)
			}
			at := y*w + x
			toRGB(l, out[0][at:at+count], out[1][at:at+count], out[2][at:at+count], &k.row[0], &k.row[1], &k.row[2])
		}
	}
}

// same reports whether two planes are one.
func same(a, b Plane) bool {
	return len(a.Pix) > 0 && len(b.Pix) > 0 && &a.Pix[0] == &b.Pix[0] && a.Stride == b.Stride && a.W == b.W && a.H == b.H && a.DX == b.DX && a.DY == b.DY
}

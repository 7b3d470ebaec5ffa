package augment

import (
	"math"
	"sync"
)

// affine maps steps in the changed sample to steps in its source, in 1/65536 pixel: one column on
// is (a, b) columns and rows, one row on is (-b, a).
type affine struct{ a, b int64 }

const one = 1 << 16

func (t affine) none() bool { return t == affine{a: one} }

// turned enlarges by a factor and turns by degrees, at most 45, clockwise as seen.
func turned(zoom, degrees float64) affine {
	sin, cos := circle(float64(degrees * (math.Pi / 180)))
	step := func(v float64) int64 { return int64(math.Floor(float64(v/zoom*one) + 0.5)) }
	return affine{a: step(cos), b: step(-sin)}
}

// circle returns sine and cosine of -0.8 to 0.8 to eight digits: Taylor's series with every
// product rounded before it is added to, so that all CPUs agree.
func circle(x float64) (sin, cos float64) {
	y := float64(x * x)
	s := 1 - float64(y/72)
	s = 1 - float64(y/42*s)
	s = 1 - float64(y/20*s)
	s = 1 - float64(y/6*s)
	c := 1 - float64(y/90)
	c = 1 - float64(y/56*c)
	c = 1 - float64(y/30*c)
	c = 1 - float64(y/12*c)
	c = 1 - float64(y/2*c)
	return float64(x * s), c
}

// tap is where one pixel comes from: a row and column and what the next ones weigh, of 256.
type tap struct {
	at, right, down int32 // offsets within a plane
	fx, fy          int32
}

var tapScratch = sync.Pool{New: func() any { return new([]tap) }}

// crop is the function crop with the window turned and enlarged about its middle; bilinear.
func (t affine) crop(dst, src []uint8, c, h, w, ch, cw, y, x int, flip bool) {
	scratch := tapScratch.Get().(*[]tap)
	defer tapScratch.Put(scratch)
	if cap(*scratch) < cw {
		*scratch = make([]tap, cw)
	}
	taps := (*scratch)[:cw]
	// Twice the distances from the middle are whole numbers.
	midX, midY := int64(2*x+cw-1)*(one/2), int64(2*y+ch-1)*(one/2)
	for j := range ch {
		dy := int64(2*j - (ch - 1))
		for i := range taps {
			dx := int64(2*i - (cw - 1))
			if flip {
				dx = -dx
			}
			taps[i] = at(midX+(t.a*dx-t.b*dy)>>1, midY+(t.b*dx+t.a*dy)>>1, h, w)
		}
		for k := range c {
			plane := src[k*h*w : (k+1)*h*w]
			out := dst[(k*ch+j)*cw:][:cw]
			for i, p := range taps {
				up := int32(plane[p.at])*(256-p.fx) + int32(plane[p.at+p.right])*p.fx
				low := int32(plane[p.at+p.down])*(256-p.fx) + int32(plane[p.at+p.down+p.right])*p.fx
				out[i] = uint8((up*(256-p.fy) + low*p.fy + 1<<15) >> 16)
			}
		}
	}
}

// at finds the pixels about a point in 1/65536 pixel; outside, the edge goes on.
func at(x, y int64, h, w int) tap {
	x, y = min(max(x, 0), int64(w-1)<<16), min(max(y, 0), int64(h-1)<<16)
	col, row := int(x>>16), int(y>>16)
	p := tap{at: int32(row*w + col), fx: int32(x>>8) & 255, fy: int32(y>>8) & 255}
	if col+1 < w {
		p.right = 1
	}
	if row+1 < h {
		p.down = int32(w)
	}
	return p
}

const midGrey = 128

// erase makes a rectangle grey: first row and column, rows, columns.
func erase(pix []uint8, c, h, w int, hole [4]int) {
	for k := range c {
		for j := range hole[2] {
			row := pix[(k*h+hole[0]+j)*w+hole[1]:][:hole[3]]
			for i := range row {
				row[i] = midGrey
			}
		}
	}
}

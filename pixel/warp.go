package pixel

import "math"

// Sampling says how a source is read where it shrinks.
type Sampling int8

const (
	// Antialias averages as many bilinear samples a side as the source has pixels for one of the
	// output, so that nothing is skipped.
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
	if len(dst) != 3*w*h || len(src.Channel) != 3 {
		panic("pixel: length mismatch")
	}
	n := w * h
	if !src.YCbCr {
		for c, p := range src.Channel {
			at := c
			if bgr {
				at = 2 - c
			}
			k := newKernel(p, m, s, 0)
			out := dst[at*n : (at+1)*n]
			for y := range h {
				row := out[y*w : (y+1)*w]
				for x := range row {
					row[x] = uint8((k.at(x, y) + 1<<(valueBits-1)) >> valueBits)
				}
			}
		}
		return
	}
	luma := newKernel(src.Channel[0], m, s, 0)
	cb := newKernel(src.Channel[1], m, s, 128)
	cr := newKernel(src.Channel[2], m, s, 128)
	r, g, b := dst[:n], dst[n:2*n], dst[2*n:]
	if bgr {
		r, b = b, r
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			r[i], g[i], b[i] = toRGB(luma.at(x, y), cb.at(x, y), cr.at(x, y))
		}
	}
}

// valueBits is the binary fraction that a sample keeps until it is a byte.
const valueBits = 6

// toRGB converts full-range JFIF values with valueBits of fraction.
//
// ITU-T T.871 (2011), section 7: R = Y + 1.402 Cr', G = Y - 0.344136 Cb' - 0.714136 Cr',
// B = Y + 1.772 Cb'; the constants are those times 2^16.
func toRGB(y, cb, cr int32) (r, g, b uint8) {
	const half = 128 << valueBits
	yy := int64(y) << 16
	u, v := int64(cb-half), int64(cr-half)
	return toByte(yy + 91881*v), toByte(yy - 22554*u - 46802*v), toByte(yy + 116130*u)
}

func toByte(v int64) uint8 {
	v = (v + 1<<(15+valueBits)) >> (16 + valueBits)
	return uint8(max(0, min(255, v)))
}

// kernel samples one plane. Coordinates are fixed point with coordBits of fraction; they hold
// any photo below 2^20 pixels a side.
type kernel struct {
	plane              Plane
	border             int32
	x0, y0             int64 // source point of the first sub-sample of output (0, 0)
	xx, xy, yx, yy     int64 // its change for a step in x (xx, yx) and in y (xy, yy)
	nx, ny             int   // sub-samples a pixel in each direction
	sxx, sxy, syx, syy int64 // change for a step to the next sub-sample
	scale              int64 // 2^scaleBits / (nx ny)
}

const (
	coordBits  = 32
	weightBits = 10
	scaleBits  = 16
	// The average of 16 x 16 sub-samples is exact enough for any photo under the pixel cap.
	maxSub = 16
)

func newKernel(p Plane, m [6]float64, s Sampling, border int32) *kernel {
	// A plane with fewer samples than the image: its sample i covers pixels DX i .. DX i + DX-1,
	// so point x of the image is point (x + 0.5)/DX - 0.5 of the plane.
	dx, dy := float64(p.DX), float64(p.DY)
	a, b, c := m[0]/dx, m[1]/dx, (m[2]+0.5)/dx-0.5
	d, e, f := m[3]/dy, m[4]/dy, (m[5]+0.5)/dy-0.5
	k := &kernel{plane: p, border: border, nx: 1, ny: 1}
	if s == Antialias {
		k.nx = subSamples(math.Sqrt(float64(a*a) + float64(d*d)))
		k.ny = subSamples(math.Sqrt(float64(b*b) + float64(e*e)))
	}
	nx, ny := float64(k.nx), float64(k.ny)
	// Sub-sample i of n lies at (i + 0.5)/n - 0.5 of a pixel from its centre.
	ox, oy := 0.5/nx-0.5, 0.5/ny-0.5
	k.x0 = fixed(c + float64(a*ox) + float64(b*oy))
	k.y0 = fixed(f + float64(d*ox) + float64(e*oy))
	k.xx, k.xy, k.yx, k.yy = fixed(a), fixed(b), fixed(d), fixed(e)
	k.sxx, k.sxy, k.syx, k.syy = fixed(a/nx), fixed(b/ny), fixed(d/nx), fixed(e/ny)
	k.scale = (1<<scaleBits + int64(k.nx*k.ny)/2) / int64(k.nx*k.ny)
	return k
}

// subSamples returns how many samples a side an output pixel needs that covers scale source
// pixels. A bilinear sample already covers one pixel and a quarter without visible aliasing.
func subSamples(scale float64) int {
	return max(1, min(maxSub, int(math.Ceil(scale-0.25))))
}

// fixed clamps to what the coordinates can hold: far outside any image is far enough.
func fixed(v float64) int64 {
	const far = 1 << 20
	return int64(math.RoundToEven(max(-far, min(far, v)) * (1 << coordBits)))
}

// at returns the value of output pixel (x, y) with valueBits of fraction.
func (k *kernel) at(x, y int) int32 {
	px := k.x0 + int64(x)*k.xx + int64(y)*k.xy
	py := k.y0 + int64(x)*k.yx + int64(y)*k.yy
	if k.nx == 1 && k.ny == 1 {
		return k.sample(px, py)
	}
	var sum int64
	for range k.ny {
		qx, qy := px, py
		for range k.nx {
			sum += int64(k.sample(qx, qy))
			qx += k.sxx
			qy += k.syx
		}
		px += k.sxy
		py += k.syy
	}
	return int32((sum*k.scale + 1<<(scaleBits-1)) >> scaleBits)
}

// sample returns the bilinear value at a point; beyond the plane lies the border's value.
func (k *kernel) sample(x, y int64) int32 {
	const one = 1 << weightBits
	// Rounding the coordinate to the weights' precision first keeps the four weights' sum exact.
	x += 1 << (coordBits - weightBits - 1)
	y += 1 << (coordBits - weightBits - 1)
	ix, iy := int(x>>coordBits), int(y>>coordBits)
	fx := int32(x>>(coordBits-weightBits)) & (one - 1)
	fy := int32(y>>(coordBits-weightBits)) & (one - 1)
	p := &k.plane
	var v00, v10, v01, v11 int32
	if ix >= 0 && iy >= 0 && ix < p.W-1 && iy < p.H-1 {
		at := iy*p.Stride + ix
		r0, r1 := p.Pix[at:at+2], p.Pix[at+p.Stride:at+p.Stride+2]
		v00, v10, v01, v11 = int32(r0[0]), int32(r0[1]), int32(r1[0]), int32(r1[1])
	} else if ix < -1 || iy < -1 || ix >= p.W || iy >= p.H {
		return k.border << valueBits
	} else {
		v00, v10, v01, v11 = k.pixel(ix, iy), k.pixel(ix+1, iy), k.pixel(ix, iy+1), k.pixel(ix+1, iy+1)
	}
	top := v00*(one-fx) + v10*fx
	bottom := v01*(one-fx) + v11*fx
	return int32((int64(top)*int64(one-fy) + int64(bottom)*int64(fy) + 1<<(2*weightBits-valueBits-1)) >> (2*weightBits - valueBits))
}

func (k *kernel) pixel(x, y int) int32 {
	if x < 0 || y < 0 || x >= k.plane.W || y >= k.plane.H {
		return k.border
	}
	return int32(k.plane.Pix[y*k.plane.Stride+x])
}

package pixel

import "math"

// sampler reads one plane under a map.
type sampler struct {
	plane  Plane
	border int32
	fx, fy *filter
	// The plane's point of the first tap of output (0, 0), 32 bits of fraction, and its change
	// for a step in x (xx, yx) and in y (xy, yy).
	x0, y0, xx, xy, yx, yy int64
	dx, dy                 int64 // xx and yx with 16 bits of fraction
	shift                  uint  // from a sum of products to a value
	small                  bool  // coordinates and offsets hold in 32 bits

	aligned bool // columns depend on x alone and rows on y alone
	cache   cache
}

const (
	coordBits = 32
	stepBits  = 16
)

// reset makes s the sampler of a plane that lies beneath an image as m does.
func (s *sampler) reset(p Plane, m [6]float64, how Sampling, border int32) {
	// A plane with fewer samples than the image: its sample i covers pixels DX i .. DX i + DX-1,
	// so point x of the image is point (x + 0.5)/DX - 0.5 of the plane.
	dx, dy := float64(p.DX), float64(p.DY)
	a, b, c := m[0]/dx, m[1]/dx, (m[2]+0.5)/dx-0.5
	d, e, f := m[3]/dy, m[4]/dy, (m[5]+0.5)/dy-0.5
	s.plane, s.border = p, border
	if moves(m) {
		s.fx, s.fy = kernelOf(how, p.DX, 0), kernelOf(how, p.DY, 0)
	} else {
		s.fx = kernelOf(how, p.DX, math.Sqrt(float64(a*a)+float64(b*b)))
		s.fy = kernelOf(how, p.DY, math.Sqrt(float64(d*d)+float64(e*e)))
	}
	// Values are rounded to the nearest phase: half a phase is added before they are cut.
	const half = 0.5 / phases
	s.x0 = fixed(c - float64(s.fx.taps/2-1) + half)
	s.y0 = fixed(f - float64(s.fy.taps/2-1) + half)
	s.xx, s.xy, s.yx, s.yy = fixed(a), fixed(b), fixed(d), fixed(e)
	s.dx, s.dy = cut(s.xx), cut(s.yx)
	s.shift = s.fx.bits + s.fy.bits - valueBits
	const limit = 1 << 15
	s.small = p.W < limit && p.H < limit && p.Stride > 0 && p.Stride <= math.MaxInt32/limit && p.W <= p.Stride && len(p.Pix) >= (p.H-1)*p.Stride+p.W
	s.aligned = s.xy == 0 && s.yx == 0
}

// moves reports whether a map only takes pixels to other pixels, as a crop or a flip does; then
// none are mixed.
func moves(m [6]float64) bool {
	return math.Abs(m[0]) == 1 && m[1] == 0 && m[3] == 0 && math.Abs(m[4]) == 1 && m[2] == math.Trunc(m[2]) && m[5] == math.Trunc(m[5])
}

// kernelOf returns the filter along one axis of a plane, where an output pixel is width samples
// wide and a sample is subsampled pixels of the image.
func kernelOf(how Sampling, subsampled int, width float64) *filter {
	switch {
	case how == Bilinear:
		return filterOf(linear, 0)
	case subsampled > 1:
		return filterOf(linear, width)
	}
	return filterOf(cubic, width)
}

// fixed clamps to what the coordinates can hold: far outside any image is far enough.
func fixed(v float64) int64 {
	const far = 1 << 18
	return int64(math.RoundToEven(max(-far, min(far, v)) * (1 << coordBits)))
}

// cut rounds a coordinate to stepBits of fraction.
func cut(v int64) int64 {
	return (v + 1<<(coordBits-stepBits-1)) >> (coordBits - stepBits)
}

// columns prepares n columns from x on; row is then called for these.
func (s *sampler) columns(x, n int) {
	if s.aligned {
		s.cache.reset(s, x, n)
	}
}

// row writes the values of n columns of output row y, from x on, a multiple of segment.
func (s *sampler) row(l level, dst *values, x, y, n int) { s.rows(l, dst, nil, nil, x, y, n) }

// rows is row of two planes that are twins; other is nil for s alone.
func (s *sampler) rows(l level, dst *values, other *sampler, second *values, x, y, n int) {
	if s.aligned {
		s.alignedRow(l, dst, y, n)
		if other != nil {
			other.alignedRow(l, second, y, n)
		}
		return
	}
	px := cut(s.x0 + int64(x)*s.xx + int64(y)*s.xy)
	py := cut(s.y0 + int64(x)*s.yx + int64(y)*s.yy)
	// Kernels and inside read whole words of four bytes and never look whether they are in the
	// plane: they get the columns whose words all are.
	from, to := clip(0, n, px, s.dx, s.plane.W-4*s.fx.groups())
	from, to = clip(from, to, py, s.dy, s.plane.H-s.fy.taps)
	fast := l > portable && s.small && to-from >= lanes
	if fast {
		s.fast(l, dst, other, second, from, to, px, py)
	}
	for {
		s.anywhere(dst, 0, from, px, py)
		if !fast {
			s.inside(dst, from, to, px, py)
		}
		s.anywhere(dst, to, n, px, py)
		if other == nil {
			return
		}
		s, dst, other = other, second, nil
	}
}

// twins reports whether two planes differ in their bytes alone.
func (s *sampler) twins(o *sampler) bool {
	p, q := s.plane, o.plane
	return p.W == q.W && p.H == q.H && p.Stride == q.Stride && p.DX == q.DX && p.DY == q.DY && s.small == o.small
}

// clip narrows columns from..to to those i whose coordinate c + i d has an integer part of 0 to
// last. It returns an empty range where there are none.
func clip(from, to int, c, d int64, last int) (int, int) {
	if to <= from || last < 0 {
		return 0, 0
	}
	end := (int64(last) + 1) << stepBits // the first coordinate beyond
	first, final := c+int64(from)*d, c+int64(to-1)*d
	if first >= 0 && final >= 0 && first < end && final < end {
		return from, to
	}
	switch {
	case d > 0:
		from = max(from, int(min(ceilDiv(-c, d), int64(to))))
		to = min(to, int(max(ceilDiv(end-c, d), int64(from))))
	case d < 0:
		from = max(from, int(min(ceilDiv(c-end+1, -d), int64(to))))
		to = min(to, int(max(ceilDiv(c+1, -d), int64(from))))
	default:
		return 0, 0
	}
	return from, max(from, to)
}

// ceilDiv returns a/b rounded up; b > 0.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// inside is the portable kernel for columns whose taps all lie in the plane.
func (s *sampler) inside(dst *values, from, to int, px, py int64) {
	round := int32(1) << (s.shift - 1)
	pix, stride := s.plane.Pix, s.plane.Stride
	for i := from; i < to; i++ {
		cx, cy := px+int64(i)*s.dx, py+int64(i)*s.dy
		at := int(cy>>stepBits)*stride + int(cx>>stepBits)
		wx, wy := s.fx.phase(cx), s.fy.phase(cy)
		sum := round
		switch len(wx) {
		case 2:
			w0, w1 := int32(wx[0]), int32(wx[1])
			for _, v := range wy {
				q := (*[2]uint8)(pix[at:])
				sum += int32(v) * (w0*int32(q[0]) + w1*int32(q[1]))
				at += stride
			}
		case 4:
			w0, w1, w2, w3 := int32(wx[0]), int32(wx[1]), int32(wx[2]), int32(wx[3])
			for _, v := range wy {
				q := (*[4]uint8)(pix[at:])
				sum += int32(v) * (w0*int32(q[0]) + w1*int32(q[1]) + w2*int32(q[2]) + w3*int32(q[3]))
				at += stride
			}
		default:
			for _, v := range wy {
				row := int32(0)
				for j, q := range pix[at:][:len(wx)] {
					row += int32(wx[j]) * int32(q)
				}
				sum += int32(v) * row
				at += stride
			}
		}
		dst[i] = int16(sum >> s.shift)
	}
}

// anywhere is the portable kernel that knows the border.
func (s *sampler) anywhere(dst *values, from, to int, px, py int64) {
	round := int32(1) << (s.shift - 1)
	for i := from; i < to; i++ {
		cx, cy := px+int64(i)*s.dx, py+int64(i)*s.dy
		ix, iy := int(cx>>stepBits), int(cy>>stepBits)
		if ix <= -s.fx.taps || iy <= -s.fy.taps || ix >= s.plane.W || iy >= s.plane.H {
			dst[i] = int16(s.border << valueBits)
			continue
		}
		dst[i] = int16((s.edge(ix, iy, s.fx.phase(cx), s.fy.phase(cy)) + round) >> s.shift)
	}
}

// phase returns the weights at a coordinate.
func (f *filter) phase(c int64) []int8 {
	at := int(c>>(stepBits-phaseBits)&(phases-1)) * f.taps
	return f.weights[at : at+f.taps]
}

// edge weighs bytes of which some may lie outside, where the border's value is. Weights add up
// to a constant, so only the difference from that value counts.
func (s *sampler) edge(ix, iy int, wx, wy []int8) (sum int32) {
	p := &s.plane
	i0, i1 := max(0, -ix), min(len(wx), p.W-ix)
	j0, j1 := max(0, -iy), min(len(wy), p.H-iy)
	for j := j0; j < j1; j++ {
		row := int32(0)
		for i := i0; i < i1; i++ {
			row += int32(wx[i]) * (int32(p.Pix[(iy+j)*p.Stride+ix+i]) - s.border)
		}
		sum += int32(wy[j]) * row
	}
	return sum + s.border<<(s.fx.bits+s.fy.bits)
}

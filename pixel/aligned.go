package pixel

import "math"

// Where the map neither turns nor shears, a resize or a crop, all columns of a row have the same
// filter along y, and a column has the same one along x in all rows. So a row of the plane is
// filtered along x once, kept, and serves every output row that it is a tap of. The sums are
// the same integers as the general way's, only added in another order.

// cache holds filtered rows of a plane for one segment of columns.
type cache struct {
	from, to int                                // columns whose words all lie in the plane
	at       [segment]int32                     // a column's first tap
	phase    [segment]uint8                     // and its phase
	packed   [(maxTaps + 3) / 4][segment]uint32 // its weights, as filter.packed has them
	kept     [maxRing]int                       // the row of the plane that a slot holds
	rows     [maxTaps]*[segment]int32           // the slots of an output row's taps
	weights  [maxTaps]int32                     // and their weights
	slot     [maxRing][segment]int32
}

// maxRing is the power of two that holds the taps of any filter.
const maxRing = 64

// none is no row of a plane.
const none = math.MinInt

// reset prepares columns x .. x+n-1.
func (c *cache) reset(s *sampler, x, n int) {
	px := cut(s.x0 + int64(x)*s.xx)
	c.from, c.to = clip(0, n, px, s.dx, s.plane.W-4*s.fx.groups())
	if !s.small || c.to-c.from < lanes {
		c.from, c.to = 0, 0
	}
	for i := range n {
		cx := px + int64(i)*s.dx
		// Far outside is anywhere outside.
		c.at[i] = int32(max(-maxTaps-1, min(int64(s.plane.W), cx>>stepBits)))
		p := int(cx >> (stepBits - phaseBits) & (phases - 1))
		c.phase[i] = uint8(p)
		for g := range s.fx.groups() {
			c.packed[g][i] = s.fx.packed[g*phases+p]
		}
	}
	for i := range c.kept {
		c.kept[i] = none
	}
}

// alignedRow writes n values of output row y.
func (s *sampler) alignedRow(l level, dst *values, y, n int) {
	c := &s.cache
	cy := cut(s.y0 + int64(y)*s.yy)
	iy := int(cy >> stepBits)
	if iy <= -s.fy.taps || iy >= s.plane.H {
		for i := range dst[:n] {
			dst[i] = int16(s.border << valueBits)
		}
		return
	}
	ring := 2
	for ring < s.fy.taps {
		ring *= 2
	}
	for j, w := range s.fy.phase(cy) {
		at := (iy + j) & (ring - 1)
		c.rows[j], c.weights[j] = &c.slot[at], int32(w)
		if c.kept[at] != iy+j {
			c.kept[at] = iy + j
			s.filterRow(l, &c.slot[at], iy+j, n)
		}
	}
	if l > portable {
		fastColumns(l, dst, c, n, s.fy.taps, s.shift)
		return
	}
	round := int32(1) << (s.shift - 1)
	for i := range dst[:n] {
		sum := round
		for j, row := range c.rows[:s.fy.taps] {
			sum += c.weights[j] * row[i]
		}
		dst[i] = int16(sum >> s.shift)
	}
}

// filterRow filters row y of the plane along x.
func (s *sampler) filterRow(l level, dst *[segment]int32, y, n int) {
	c := &s.cache
	outside := s.border << s.fx.bits
	if y < 0 || y >= s.plane.H {
		for i := range dst[:n] {
			dst[i] = outside
		}
		return
	}
	row := s.plane.Pix[y*s.plane.Stride:][:s.plane.W]
	from, to := 0, 0
	if l > portable && c.to > c.from {
		from, to = c.from, c.to
		fastRow(l, dst, row, c, s.fx.groups())
	}
	for i := 0; i < n; i++ {
		if i == from {
			i = to
			if i >= n {
				break
			}
		}
		w := s.fx.weights[int(c.phase[i])*s.fx.taps:][:s.fx.taps]
		at := int(c.at[i])
		sum := int32(0)
		if at >= 0 && at+len(w) <= len(row) {
			for j, v := range row[at:][:len(w)] {
				sum += int32(w[j]) * int32(v)
			}
		} else {
			for j := max(0, -at); j < min(len(w), len(row)-at); j++ {
				sum += int32(w[j]) * (int32(row[at+j]) - s.border)
			}
			sum += outside
		}
		dst[i] = sum
	}
}

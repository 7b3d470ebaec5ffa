package synth

import "math"

// paint is what a shape is filled with.
type paint struct {
	colour rgb
	alpha  float64
	lit    bool    // by the light on the surface below
	at     float64 // depth in units; what stands nearer stays. Ignored unless hidden
	hidden bool
	light  float64 // the fill's own light where it isn't lit by the surface; 0 is plain
}

// subRows is how many scan lines of fill go to a pixel's height.
const subRows = 4

// fill paints the inside of a closed outline, in canvas pixels, with soft edges: exact coverage
// along a line, subRows lines a pixel. Coverage is summed as signed area, in integers, as in
// R. Levien's font-rs, 2016; where an outline winds twice it still covers once.
func (c *canvas) fill(p paint, outline []vec) {
	if len(outline) < 3 || p.alpha <= 0 {
		return
	}
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, q := range outline {
		x0, x1 = min(x0, q.x), max(x1, q.x)
		y0, y1 = min(y0, q.y), max(y1, q.y)
	}
	left, right := max(0, int(math.Floor(max(x0, 0)))), min(c.w, int(math.Floor(min(x1, float64(c.w))))+1)
	up, down := max(0, int(math.Floor(max(y0, 0)))), min(c.h, int(math.Floor(min(y1, float64(c.h))))+1)
	if left >= right || up >= down {
		return
	}
	stride := right - left + 2
	c.cover = grow(c.cover, stride*(down-up))
	clear(c.cover)
	for i, a := range outline {
		b := outline[(i+1)%len(outline)]
		c.edge(a, b, left, right, up, down, stride)
	}
	c.blend(p, left, right, up, down, stride)
}

// edge adds one edge's signed coverage.
func (c *canvas) edge(a, b vec, left, right, up, down, stride int) {
	const one = 256
	dir := int32(1)
	if a.y > b.y {
		a, b, dir = b, a, -1
	}
	// Scan lines lie at (k + 1/2) / subRows.
	first := max(up*subRows, int(math.Ceil(clamp(float64(a.y*subRows)-0.5, -1e6, 1e6))))
	last := min(down*subRows, int(math.Ceil(clamp(float64(b.y*subRows)-0.5, -1e6, 1e6))))
	if first >= last {
		return
	}
	slope := (b.x - a.x) / (b.y - a.y)
	for k := first; k < last; k++ {
		y := (float64(k) + 0.5) / subRows
		x := a.x + float64((y-a.y)*slope)
		fx := int(math.Floor(mul(clamp(x-float64(left), 0, float64(right-left)), one)))
		row := c.cover[(k/subRows-up)*stride:]
		px, part := fx/one, int32(fx%one)
		row[px] += dir * (one - part)
		row[px+1] += dir * part
	}
}

func (c *canvas) blend(p paint, left, right, up, down, stride int) {
	const full = 256 * subRows
	alpha := int32(mul(clamp(p.alpha, 0, 1), 256))
	r, g, b := colourInt(p.colour, p.light)
	limit := int32(farAway)
	if p.hidden {
		limit = int32(math.Floor(mul(clamp(p.at, -100, 100), unitDepth)))
	}
	for y := up; y < down; y++ {
		row := c.cover[(y-up)*stride : (y-up+1)*stride]
		sum := int32(0)
		at := y*c.w + left
		for x := range right - left {
			sum += row[x]
			k := sum
			if k < 0 {
				k = -k
			}
			if k == 0 {
				continue
			}
			i := at + x
			if p.hidden && c.depth[i] > limit {
				continue
			}
			k = min(k, full) * alpha / full // 0..256
			px := c.pix[4*i : 4*i+3 : 4*i+3]
			if p.lit {
				l := int32(c.light[i])
				px[0] = mixByte(px[0], min(r*l>>8, 255), k)
				px[1] = mixByte(px[1], min(g*l>>8, 255), k)
				px[2] = mixByte(px[2], min(b*l>>8, 255), k)
			} else {
				px[0] = mixByte(px[0], min(r, 255), k)
				px[1] = mixByte(px[1], min(g, 255), k)
				px[2] = mixByte(px[2], min(b, 255), k)
			}
		}
	}
}

func mixByte(old uint8, colour, k int32) uint8 {
	return uint8(int32(old) + ((colour-int32(old))*k+128)>>8)
}

func colourInt(c rgb, light float64) (r, g, b int32) {
	if light != 0 {
		c = c.times(light)
	}
	return int32(clamp(c.r, 0, 255)), int32(clamp(c.g, 0, 255)), int32(clamp(c.b, 0, 255))
}

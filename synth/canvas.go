package synth

import (
	"encoding/binary"
	"image"
	"math"
)

// canvas is the picture being painted, ss times as wide and high as the image will be.
// Colours are as if lit by plain white light; light holds how bright the light on the surface
// under each pixel is, so that what is painted onto the skin later is lit like it.
type canvas struct {
	w, h, ss int
	pix      []uint8  // r, g, b, unused
	light    []uint16 // 256 is plain
	depth    []int32  // towards the viewer, 1/4096 unit
	cover    []int32  // scratch of fill
	quads    []corner // scratch of sheet
	half     []uint8  // scratch of finish
}

const (
	farAway   = math.MinInt32
	unitDepth = 4096
)

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// reset gives the canvas its size: w x h pixels of the final image.
func (c *canvas) reset(w, h int) {
	c.ss = 2
	switch area := w * h; {
	case area < 12000:
		c.ss = 3
	case area > 90000:
		c.ss = 1 // a large image is smoothed by its own blur
	}
	c.w, c.h = w*c.ss, h*c.ss
	n := c.w * c.h
	c.pix = grow(c.pix, 4*n)
	c.light = grow(c.light, n)
	c.depth = grow(c.depth, n)
	for i := range c.light {
		c.light[i] = 256
	}
	for i := range c.depth {
		c.depth[i] = farAway
	}
}

// paint is what a shape is filled with.
type paint struct {
	colour rgb
	alpha  float64
	lit    bool    // by the light on the surface below
	at     float64 // depth in units; what stands nearer stays. Ignored unless hidden
	hidden bool
	light  float64 // the fill's own light where it isn't lit by the surface; 0 is plain
}

// scan lines a pixel row in fill
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

// corner is a vertex of a sheet: place in 1/16 canvas pixel, depth in 1/unitDepth, colour in
// 1/256 levels with the light in it, light in 1/256.
type corner struct {
	x, y, z, r, g, b, l int32
}

// sheet draws a grid of corners, row by row, each quad as two triangles that face the viewer.
func (c *canvas) sheet(grid []corner, columns int) {
	rows := len(grid) / columns
	for j := 0; j+1 < rows; j++ {
		for i := 0; i+1 < columns; i++ {
			a, b := &grid[j*columns+i], &grid[j*columns+i+1]
			d, e := &grid[(j+1)*columns+i], &grid[(j+1)*columns+i+1]
			c.triangle(a, b, d)
			c.triangle(b, e, d)
		}
	}
}

// triangle draws a, b, c when they turn clockwise as seen (y down). A pixel belongs to it when
// its centre does; a centre on an edge belongs to the left or upper side, so that sheets have
// neither gaps nor double pixels.
func (c *canvas) triangle(v0, v1, v2 *corner) {
	ax, ay := int64(v1.x-v0.x), int64(v1.y-v0.y)
	bx, by := int64(v2.x-v0.x), int64(v2.y-v0.y)
	area := ax*by - ay*bx
	if area <= 0 {
		return
	}
	x0, x1 := min(v0.x, v1.x, v2.x), max(v0.x, v1.x, v2.x)
	y0, y1 := min(v0.y, v1.y, v2.y), max(v0.y, v1.y, v2.y)
	// Pixel centres lie at 16 k + 8.
	px0, px1 := max(0, int(x0+7)>>4), min(c.w-1, int(x1-8)>>4)
	py0, py1 := max(0, int(y0+7)>>4), min(c.h-1, int(y1-8)>>4)
	if px0 > px1 || py0 > py1 {
		return
	}
	// Edge functions w_i >= 0 inside; w1 and w2 weigh v1 and v2.
	sx, sy := int64(16*px0+8), int64(16*py0+8)
	e0, e0x, e0y := edgeFunc(v1, v2, sx, sy)
	e1, e1x, e1y := edgeFunc(v2, v0, sx, sy)
	e2, e2x, e2y := edgeFunc(v0, v1, sx, sy)
	// Depth, colour and light change evenly: values in 1/4096 of their unit, steps for a pixel.
	t := slope{ax, ay, bx, by, sx - int64(v0.x), sy - int64(v0.y), 1 / float64(area)}
	z, zx, zy := t.of(v0.z, v1.z, v2.z)
	r, rx, ry := t.of(v0.r, v1.r, v2.r)
	g, gx, gy := t.of(v0.g, v1.g, v2.g)
	b, bxx, byy := t.of(v0.b, v1.b, v2.b)
	l, lx, ly := t.of(v0.l, v1.l, v2.l)
	for y := py0; y <= py1; y++ {
		w0, w1, w2 := e0, e1, e2
		i := y*c.w + px0
		for n := range int64(px1 - px0 + 1) {
			if w0|w1|w2 >= 0 {
				if d := int32((z + n*zx) >> 12); d > c.depth[i] {
					c.depth[i] = d
					px := c.pix[4*i : 4*i+3 : 4*i+3]
					px[0] = uint8(min(max((r+n*rx)>>20, 0), 255))
					px[1] = uint8(min(max((g+n*gx)>>20, 0), 255))
					px[2] = uint8(min(max((b+n*bxx)>>20, 0), 255))
					c.light[i] = uint16(min(max((l+n*lx)>>12, 0), 1023))
				}
			}
			w0 += e0x
			w1 += e1x
			w2 += e2x
			i++
		}
		e0 += e0y
		e1 += e1y
		e2 += e2y
		z += zy
		r += ry
		g += gy
		b += byy
		l += ly
	}
}

// slope finds how a value changes over a triangle: two edges from its first vertex, the first
// pixel from there, all in 1/16 pixel, and one over the area.
type slope struct {
	ax, ay, bx, by, ox, oy int64
	inv                    float64
}

// of returns a vertex value at the first pixel and its steps to the right and down. The
// products are exact and the one rounded factor is the same everywhere.
func (t *slope) of(v0, v1, v2 int32) (at, dx, dy int64) {
	p, q := int64(v1-v0)<<12, int64(v2-v0)<<12
	gx := int64(mul(float64(p*t.by-q*t.ay), t.inv))
	gy := int64(mul(float64(q*t.ax-p*t.bx), t.inv))
	return int64(v0)<<12 + gx*t.ox + gy*t.oy, gx * 16, gy * 16
}

// edgeFunc returns the edge function of a to b at (x, y), biased by the fill rule, and its steps
// for one pixel to the right and down.
func edgeFunc(a, b *corner, x, y int64) (w, dx, dy int64) {
	ex, ey := int64(b.x-a.x), int64(b.y-a.y)
	w = ex*(y-int64(a.y)) - ey*(x-int64(a.x))
	if !(ey < 0 || ey == 0 && ex > 0) {
		w--
	}
	return w, -ey * 16, ex * 16
}

// finish writes the canvas, averaged down to size, softened, toned and with noise, into out.
func (c *canvas) finish(ph *photo, out *image.RGBA) {
	w, h := c.w/c.ss, c.h/c.ss
	for y := range h {
		c.shrinkRow(out.Pix[y*out.Stride:y*out.Stride+4*w], y)
	}
	passes := ph.blur
	if c.ss == 1 {
		passes = max(passes, 2)
	}
	for range passes {
		c.soften(out.Pix, w, h, out.Stride)
	}
	c.tone(ph, out.Pix)
}

// shrinkRow averages row y of the image from ss rows of the canvas.
func (c *canvas) shrinkRow(dst []uint8, y int) {
	ss := c.ss
	if ss == 1 {
		copy(dst, c.pix[4*y*c.w:])
	}
	if ss == 2 {
		// Two pixels in a word; bytes of every other channel in lanes of 16 bits.
		const lanes = 0x00ff00ff00ff00ff
		a, b := c.pix[8*y*c.w:][:4*c.w], c.pix[(8*y+4)*c.w:][:4*c.w]
		for i := 0; i+4 <= len(dst); i += 4 {
			u, v := binary.LittleEndian.Uint64(a[2*i:]), binary.LittleEndian.Uint64(b[2*i:])
			rb := u&lanes + v&lanes
			g := u>>8&lanes + v>>8&lanes
			rb, g = (rb+rb>>32+0x00020002)>>2, (g+g>>32+2)>>2
			dst[i], dst[i+1], dst[i+2] = uint8(rb), uint8(g), uint8(rb>>16)
		}
	}
	if ss > 2 {
		div := int32(ss * ss)
		for x := range len(dst) / 4 {
			var r, g, b int32
			for j := range ss {
				row := c.pix[4*((y*ss+j)*c.w+x*ss):]
				for i := range ss {
					r += int32(row[4*i])
					g += int32(row[4*i+1])
					b += int32(row[4*i+2])
				}
			}
			dst[4*x] = uint8((r + div/2) / div)
			dst[4*x+1] = uint8((g + div/2) / div)
			dst[4*x+2] = uint8((b + div/2) / div)
		}
	}
	for i := 3; i < len(dst); i += 4 {
		dst[i] = 255
	}
}

// soften is one pass of the filter 1 2 1 along rows and columns.
func (c *canvas) soften(pix []uint8, w, h, stride int) {
	if w < 3 || h < 3 {
		return
	}
	c.half = grow(c.half, len(pix))
	for y := range h {
		src, dst := pix[y*stride:y*stride+4*w], c.half[y*stride:y*stride+4*w]
		copy(dst[:4], src)
		copy(dst[4*w-4:], src[4*w-4:])
		for i := 4; i < 4*w-4; i++ {
			dst[i] = uint8((uint32(src[i-4]) + 2*uint32(src[i]) + uint32(src[i+4]) + 2) >> 2)
		}
	}
	copy(pix[:stride], c.half)
	copy(pix[(h-1)*stride:], c.half[(h-1)*stride:h*stride])
	for y := 1; y < h-1; y++ {
		a, b, d := c.half[(y-1)*stride:y*stride], c.half[y*stride:(y+1)*stride], c.half[(y+1)*stride:]
		dst := pix[y*stride : y*stride+4*w]
		for i := range dst {
			dst[i] = uint8((uint32(a[i]) + 2*uint32(b[i]) + uint32(d[i]) + 2) >> 2)
		}
	}
}

// tone applies the light's tint, exposure and contrast by table, then the sensor's noise.
func (c *canvas) tone(ph *photo, pix []uint8) {
	var table [3][256]int32
	for k, tint := range [3]float64{ph.tint.r, ph.tint.g, ph.tint.b} {
		for v := range table[k] {
			x := mul(mul(float64(v), tint), ph.gain)
			table[k][v] = int32(math.Floor(clamp(128+float64((x-128)*ph.contrast), 0, 255)))
		}
	}
	state := uint64(ph.seed)<<1 | 1
	n := int32(ph.noise)
	for i := 0; i+3 < len(pix); i += 4 {
		r, g, b := table[0][pix[i]], table[1][pix[i+1]], table[2][pix[i+2]]
		if ph.grey {
			r = (77*r + 150*g + 29*b) >> 8
			g, b = r, r
		}
		if n > 0 {
			// PCG's multiplier; the upper bits of a linear congruential generator are good enough here.
			state = state*6364136223846793005 + 1442695040888963407
			luma := noiseOf(state>>48, n)
			r += luma
			g += luma
			b += luma
			if !ph.grey {
				r += noiseOf(state>>32&0xffff, n) / 2
				b += noiseOf(state>>40&0xffff, n) / 2
			}
		}
		pix[i], pix[i+1], pix[i+2] = uint8(min(max(r, 0), 255)), uint8(min(max(g, 0), 255)), uint8(min(max(b, 0), 255))
	}
}

// noiseOf turns 16 random bits into a triangular deviation within +-n.
func noiseOf(bits uint64, n int32) int32 {
	a, b := int32(bits&0xff), int32(bits>>8&0xff)
	return (a + b - 255) * n >> 8
}

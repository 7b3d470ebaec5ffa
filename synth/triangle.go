package synth

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

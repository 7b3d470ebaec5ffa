package synth

import "math"

// painter paints photos; its scratch memory is used again from one to the next.
type painter struct {
	canvas
	ph      *photo
	eye     view // the photo's view in canvas pixels
	spot    []vec
	tints   []rgb
	columns int
	outline []vec
}

// lightOn is how brightly the photo's light falls on a surface that looks along n (as seen).
func (ph *photo) lightOn(n vec) float64 {
	d := n.dot(ph.sun)
	// The light wraps round a little, as under a large lamp or a sky.
	d = max(0, (d+0.25)/1.25)
	sky := mul(ph.ambient, 1-float64(0.22*n.y))
	return sky + mul(ph.diffuse, d)
}

// gloss is the highlight of moist or oily surfaces.
func (ph *photo) gloss(n vec) float64 {
	half := ph.sun.add(vec{0, 0, 1}).unit()
	d := max(0, n.dot(half))
	d = float64(d * d)
	d = float64(d * d)
	d = float64(d * d)
	return mul(float64(d*d), ph.diffuse)
}

// begin starts a sheet of so many columns.
func (p *painter) begin(columns int) {
	p.columns = columns
	p.spot, p.tints = p.spot[:0], p.tints[:0]
}

// point adds a vertex, row by row, in the head's frame.
func (p *painter) point(at vec, c rgb) {
	p.spot = append(p.spot, at)
	p.tints = append(p.tints, c)
}

// draw lights and draws the sheet as v sees it. shine is the strength of highlights.
func (p *painter) draw(v *view, shine float64) {
	n := p.columns
	rows := len(p.spot) / n
	p.quads = grow(p.quads, len(p.spot))
	for j := range rows {
		for i := range n {
			k := j*n + i
			l, r := p.spot[j*n+max(i-1, 0)], p.spot[j*n+min(i+1, n-1)]
			u, d := p.spot[max(j-1, 0)*n+i], p.spot[min(j+1, rows-1)*n+i]
			normal := v.turn(r.sub(l).cross(d.sub(u)).unit())
			bright := p.ph.lightOn(normal)
			c := p.tints[k].times(bright)
			if shine > 0 {
				c = c.mix(rgb{255, 255, 255}, mul(shine, p.ph.gloss(normal)))
			}
			at := v.project(p.spot[k])
			p.quads[k] = corner{
				x: fixed(at.x, 16), y: fixed(at.y, 16), z: fixed(at.z, unitDepth),
				r: fixed(c.r, 256), g: fixed(c.g, 256), b: fixed(c.b, 256), l: fixed(bright, 256),
			}
		}
	}
	p.sheet(p.quads[:len(p.spot)], n)
}

// fixed rounds x in units of 1/one; what lies far outside any picture is held at its bounds.
func fixed(x, one float64) int32 {
	return int32(math.Floor(clamp(float64(x*one)+0.5, -1e8, 1e8)))
}

// ball draws an ellipsoid; colour may depend on the column and row of its grid.
func (p *painter) ball(v *view, middle, radius vec, shine float64, colour func(i, j int) rgb) {
	const columns, rows = 17, 13
	p.begin(columns)
	for j := range rows {
		lat := float64(float64(j)/(rows-1)*math.Pi) - halfPi
		y, ring := sin(lat), cos(lat)
		for i := range columns {
			a := float64((float64(i)/(columns-1) - 0.5) * 1.24 * math.Pi)
			p.point(middle.add(vec{
				float64(radius.x * ring * sin(a)), float64(radius.y * y), float64(radius.z * ring * cos(a)),
			}), colour(i, j))
		}
	}
	p.draw(v, shine)
}

// pillar draws a standing shape: at height y from top to bottom its half width, half depth and
// middle are what cut says.
func (p *painter) pillar(v *view, top, bottom float64, rows int, shine float64,
	cut func(y float64) (middle vec, rx, rz float64), colour func(a, y float64, i, j int) rgb) {
	const columns = 25
	p.begin(columns)
	for j := range rows {
		y := lerp(top, bottom, float64(j)/float64(rows-1))
		m, rx, rz := cut(y)
		for i := range columns {
			a := float64((float64(i)/(columns-1) - 0.5) * 1.3 * math.Pi)
			p.point(vec{m.x + float64(rx*sin(a)), m.y, m.z + float64(rz*cos(a))}, colour(a, y, i, j))
		}
	}
	p.draw(v, shine)
}

// flat fills an outline given on the face as seen from straight ahead, laid onto the skin and
// lifted by so much. It fades out where the skin turns away.
func (p *painter) flat(colour rgb, alpha, lift float64, places ...vec) {
	p.onFace(paint{colour: colour, alpha: alpha, lit: true}, lift, places)
}

func (p *painter) onFace(fill paint, lift float64, places []vec) {
	h := &p.ph.head
	p.outline = p.outline[:0]
	var mid vec
	z := 0.0
	for _, q := range places {
		mid = mid.add(q)
		s := h.surface(q.x, q.y)
		s.z += lift
		at := p.eye.project(s)
		z += at.z
		p.outline = append(p.outline, at)
	}
	n := float64(len(places))
	fill.alpha = mul(fill.alpha, smooth(0.02, 0.25, p.eye.zAxis.dot(h.facing(mid.x/n, mid.y/n))))
	fill.hidden, fill.at = true, z/n+0.09
	p.fill(fill, p.outline)
}

// stroke draws a line on the skin through places, so wide in the middle and tapering to both
// ends by taper (1 to a point, 0 not at all).
func (p *painter) stroke(colour rgb, alpha, width, taper float64, places ...vec) {
	n := len(places)
	shape := make([]vec, 0, 2*n)
	for side := -1.0; side <= 1; side += 2 {
		for k := range n {
			i := k
			if side > 0 {
				i = n - 1 - k
			}
			d := places[min(i+1, n-1)].sub(places[max(i-1, 0)]).unit()
			t := float64(2*float64(i)/float64(n-1)) - 1
			w := mul(mul(width/2, side), 1-mul(taper, float64(t*t)))
			shape = append(shape, vec{places[i].x - float64(d.y*w), places[i].y + float64(d.x*w), 0})
		}
	}
	p.flat(colour, alpha, 0, shape...)
}

// ellipse returns an ellipse's outline, tilted by so many radians.
func ellipse(x, y, rx, ry, tilt float64, n int) []vec {
	out := make([]vec, n)
	s, c := sin(tilt), cos(tilt)
	for i := range out {
		a := float64((float64(i)/float64(n) - 0.5) * 2 * math.Pi)
		ex, ey := mul(rx, cos(a)), mul(ry, sin(a))
		out[i] = vec{x + float64(ex*c) - float64(ey*s), y + float64(ex*s) + float64(ey*c), 0}
	}
	return out
}

// clip cuts the outline to the inside of a convex one that turns clockwise (y down).
// I. Sutherland and G. Hodgman, "Reentrant polygon clipping", CACM 17(1), 1974.
func clip(outline, convex []vec) []vec {
	out := outline
	for i, a := range convex {
		b := convex[(i+1)%len(convex)]
		side := func(q vec) float64 {
			return float64((b.x-a.x)*(q.y-a.y)) - float64((b.y-a.y)*(q.x-a.x))
		}
		var next []vec
		for j, q := range out {
			r := out[(j+1)%len(out)]
			sq, sr := side(q), side(r)
			if sq >= 0 {
				next = append(next, q)
			}
			if sq < 0 != (sr < 0) {
				next = append(next, q.towards(r, sq/(sq-sr)))
			}
		}
		out = next
	}
	return out
}

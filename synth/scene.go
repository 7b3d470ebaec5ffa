package synth

import (
	"encoding/binary"
	"image"

	"github.com/vf2prep/vf2prep/rng"
)

// paint draws the photo into out, which it sizes. r gives what no metadata tells: the backdrop
// and the clothes.
func (p *painter) paint(ph *photo, out *image.RGBA, r *rng.Rand) {
	p.reset(ph.w, ph.h)
	p.ph = ph
	p.eye = ph.sight
	ss := float64(p.ss)
	p.eye.scale, p.eye.cx, p.eye.cy = mul(p.eye.scale, ss), mul(p.eye.cx, ss), mul(p.eye.cy, ss)

	p.backdrop(r)
	if ph.neighbour {
		p.stranger(r)
	}
	p.portrait(r)

	out.Pix = grow(out.Pix, 4*ph.w*ph.h)
	out.Stride = 4 * ph.w
	out.Rect = image.Rect(0, 0, ph.w, ph.h)
	p.finish(ph, out)
}

// portrait draws one person from back to front.
func (p *painter) portrait(r *rng.Rand) {
	ph := p.ph
	p.hairBehind()
	p.body(r)
	p.neck()
	p.ears()
	p.skull()
	p.features()
	if ph.glasses || ph.shades {
		p.spectacles(ph.shades)
	}
	p.hairBefore()
}

// stranger puts another head beside the main one, further back, as photos of two people have.
func (p *painter) stranger(r *rng.Rand) {
	main, eye := p.ph, p.eye
	who := newPerson(r, r.Bool(0.45))
	var other photo
	other.take(&who, r)
	other.sun, other.ambient, other.diffuse = main.sun, main.ambient, main.diffuse
	side := 1.0
	if r.Bool(0.5) {
		side = -1
	}
	p.ph = &other
	scale := mul(eye.scale, r.Between(0.75, 0.95))
	p.eye = other.sight
	p.eye.scale = scale
	p.eye.cx = eye.cx + mul(eye.scale, float64(side*r.Between(1.6, 2.1)))
	p.eye.cy = eye.cy + mul(eye.scale, r.Between(-0.5, 0.4))
	p.portrait(r)
	for i := range p.depth { // the main person stands in front
		p.depth[i] = farAway
	}
	p.ph, p.eye = main, eye
}

// backdrop is a wall, a landscape of soft blobs, stripes or panels.
func (p *painter) backdrop(r *rng.Rand) {
	c := rgb{r.Between(20, 235), r.Between(20, 235), r.Between(20, 235)}
	grey := float64((c.r + c.g + c.b) / 3)
	c = c.mix(rgb{grey, grey, grey}, r.Between(0.1, 0.9))
	d := c.times(r.Between(0.55, 1.2))
	slant := r.Between(-0.5, 0.5)
	for y := range p.h {
		t := float64(y) / float64(p.h)
		r0, g0, b0 := colourInt(c.mix(d, t), 0)
		r1, g1, b1 := colourInt(c.mix(d, clamp(t+slant, 0, 1)), 0)
		row := p.pix[4*y*p.w : 4*(y+1)*p.w]
		// From the left colour to the right one in 16.16 steps.
		n := int32(p.w)
		ar, ag, ab := r0<<16, g0<<16, b0<<16
		sr, sg, sb := (r1-r0)<<16/n, (g1-g0)<<16/n, (b1-b0)<<16/n
		for i := 0; i+3 < len(row); i += 4 {
			binary.LittleEndian.PutUint32(row[i:], uint32(ar>>16)|uint32(ag>>16)<<8|uint32(ab>>16)<<16)
			ar, ag, ab = ar+sr, ag+sg, ab+sb
		}
	}
	w, h := float64(p.w), float64(p.h)
	tint := func() rgb {
		return rgb{r.Between(10, 245), r.Between(10, 245), r.Between(10, 245)}.mix(c, r.Between(0.2, 0.8))
	}
	switch r.IntN(4) {
	case 0: // a wall, plain
	case 1: // blobs, like leaves or lamps out of focus
		for range 5 + r.IntN(9) {
			s := r.Between(0.05, 0.35)
			e := ellipse(mul(r.Float64(), w), mul(r.Float64(), h), float64(s*w), float64(s*w), 0, 18)
			p.fill(paint{colour: tint(), alpha: r.Between(0.25, 0.8)}, e)
		}
	case 2: // stripes
		x := 0.0
		step := r.Between(0.06, 0.3)
		lean := mul(r.Between(-0.3, 0.3), w)
		two := [2]rgb{tint(), tint()}
		for k := 0; x < 1.4; k++ {
			a, b := mul(x-0.2, w), mul(x-0.2+step/2, w)
			p.fill(paint{colour: two[k%2], alpha: 0.7}, []vec{{a, 0, 0}, {b, 0, 0}, {b + lean, h, 0}, {a + lean, h, 0}})
			x += step
		}
	default: // panels: shelves, doors, posters
		for range 2 + r.IntN(6) {
			a, b := mul(r.Between(-0.2, 1), w), mul(r.Between(-0.2, 1), h)
			ww, hh := mul(r.Between(0.1, 0.6), w), mul(r.Between(0.1, 0.7), h)
			p.fill(paint{colour: tint(), alpha: r.Between(0.4, 1)}, []vec{{a, b, 0}, {a + ww, b, 0}, {a + ww, b + hh, 0}, {a, b + hh, 0}})
		}
	}
}

// body is shoulders and clothes, upright whatever the head does.
func (p *painter) body(r *rng.Rand) {
	ph, h := p.ph, &p.ph.head
	s := p.eye.scale
	// The neck's foot lies below and behind the head.
	foot := p.eye.project(vec{0, 1.25, -0.15})
	broad := 1.9
	if !h.female {
		broad = 2.15
	}
	at := func(x, y float64) vec { return vec{foot.x + float64(x*s), foot.y + float64(y*s), 0} }
	cloth := cloths[r.IntN(len(cloths))].mix(rgb{r.Between(0, 255), r.Between(0, 255), r.Between(0, 255)}, r.Between(0, 0.5))
	light := ph.lightOn(vec{0, -0.35, 0.94})
	shape := []vec{at(-broad-0.1, 4), at(-broad, 1.2), at(-broad+0.12, 0.85), at(-broad+0.45, 0.58), at(-1.0, 0.36), at(-0.56, 0.08), at(-0.42, -0.1),
		at(0.42, -0.1), at(0.56, 0.08), at(1.0, 0.36), at(broad-0.45, 0.58), at(broad-0.12, 0.85), at(broad, 1.2), at(broad+0.1, 4)}
	p.fill(paint{colour: cloth, alpha: 1, light: light}, shape)
	skin := paint{colour: h.skin.times(0.92), alpha: 1, light: light}
	switch r.IntN(4) {
	case 0: // round neck
		p.fill(skin, ellipse(foot.x, foot.y-float64(0.02*s), float64(0.52*s), float64(0.3*s), 0, 20))
	case 1: // open collar
		p.fill(skin, []vec{at(-0.46, -0.12), at(0.46, -0.12), at(0, 0.85)})
		p.fill(paint{colour: cloth.times(1.25), alpha: 1, light: light}, []vec{at(-0.56, -0.06), at(-0.44, -0.14), at(0.02, 0.8), at(-0.2, 0.62)})
		p.fill(paint{colour: cloth.times(1.25), alpha: 1, light: light}, []vec{at(0.56, -0.06), at(0.44, -0.14), at(-0.02, 0.8), at(0.2, 0.62)})
	case 2: // suit, shirt and tie
		shirt := rgb{226, 228, 234}.mix(cloths[r.IntN(len(cloths))], r.Between(0, 0.3))
		p.fill(paint{colour: shirt, alpha: 1, light: light}, []vec{at(-0.5, -0.16), at(0.5, -0.16), at(0.34, 0.6), at(0, 1.7), at(-0.34, 0.6)})
		p.fill(paint{colour: cloths[r.IntN(len(cloths))], alpha: 1, light: light}, []vec{at(-0.1, 0.12), at(0.1, 0.12), at(0.17, 1.3), at(0, 1.6), at(-0.17, 1.3)})
		p.fill(paint{colour: cloth.times(0.75), alpha: 1, light: light}, []vec{at(-0.56, 0.02), at(-0.46, -0.06), at(0, 1.7), at(-0.42, 0.9)})
		p.fill(paint{colour: cloth.times(0.75), alpha: 1, light: light}, []vec{at(0.56, 0.02), at(0.46, -0.06), at(0, 1.7), at(0.42, 0.9)})
	default: // high neck
		p.fill(paint{colour: cloth.times(0.85), alpha: 1, light: light}, []vec{at(-0.54, -0.25), at(0.54, -0.25), at(0.62, 0.22), at(0, 0.36), at(-0.62, 0.22)})
	}
}

func (p *painter) neck() {
	h := &p.ph.head
	skin := h.skin
	p.pillar(&p.eye, 0.45, 1.42, 12, 0, func(y float64) (vec, float64, float64) {
		flare := mul(0.10, smooth(1.1, 1.5, y))
		return vec{0, y, -0.20 - float64(0.12*(y-0.5))}, h.neckW + flare, 0.38 + flare
	}, func(a, y float64, i, j int) rgb {
		return skin.times(0.66 + float64(0.26*smooth(0.95, 1.4, y))) // in the chin's shadow
	})
}

func (p *painter) ears() {
	h := &p.ph.head
	for _, s := range [2]float64{-1, 1} {
		x := mul(s, h.width(0.1)+float64(0.4*h.earOut))
		skin := h.skin.mix(rgb{200, 90, 80}, 0.12)
		p.ball(&p.eye, vec{x, h.eyeY + 0.14, -0.04}, vec{0.06 + h.earOut, h.earSize, 0.11}, 0, func(i, j int) rgb {
			if j > 3 && j < 9 && i > 5 && i < 11 {
				return skin.times(0.8)
			}
			return skin
		})
	}
}

// hairBehind is what falls or stands behind the head.
func (p *painter) hairBehind() {
	ph, w := p.ph, &p.ph.who
	c := newCover(ph)
	strand := func(a, y float64, i, j int) rgb {
		return c.hair.times(0.82 + mul(c.rough, grain(i, 5, w.seed)) + mul(0.5*c.rough, grain(i, j, w.seed)))
	}
	switch {
	case w.style == hairAfro && !ph.hat:
		p.ball(&p.eye, vec{0, -0.42, -0.30}, vec{1.06, 0.98, 0.85}, 0, func(i, j int) rgb {
			return c.hair.times(1 + mul(c.rough, grain(i, j, w.seed)))
		})
	case w.style == hairBun && !ph.hat:
		p.ball(&p.eye, vec{0, -1.12, -0.35}, vec{0.34, 0.30, 0.34}, 0.1, func(i, j int) rgb { return strand(0, 0, i, j) })
	case w.style.long():
		end, wide := p.hairEnd()
		p.pillar(&p.eye, -0.75, end, 20, 0.08, func(y float64) (vec, float64, float64) {
			grow := smooth(-1.05, -0.3, y)
			rx := mul(wide, grow)
			if w.style == hairWavy {
				rx += mul(0.05, sin(float64(y*9)+float64(w.seed&7)))
			}
			return vec{0, y, -0.34 - float64(0.1*smooth(0.2, 0.9, y))}, rx, mul(lerp(0.62, 0.25, smooth(0.1, 0.7, y)), grow)
		}, strand)
	}
}

// hairEnd is how far long hair falls and how wide it spreads.
func (p *painter) hairEnd() (end, wide float64) {
	w := &p.ph.who
	wide = w.headW + w.volume + 0.03
	switch w.style {
	case hairBob:
		return 0.75 + float64(1.8*w.volume), wide + 0.06
	case hairWavy:
		return 1.5 + float64(3*w.volume), wide + 0.10
	}
	return 1.8 + float64(3*w.volume), wide
}

// hairBefore is what falls beside the face in front of the ears.
func (p *painter) hairBefore() {
	ph, w := p.ph, &p.ph.who
	if !w.style.long() {
		return
	}
	c := newCover(ph)
	end, wide := p.hairEnd()
	for _, s := range [2]float64{-1, 1} {
		p.pillar(&p.eye, -0.85, end-0.05, 20, 0.08, func(y float64) (vec, float64, float64) {
			full := smooth(-0.95, -0.1, y)
			x := mul(s, lerp(mul(0.80, p.ph.head.width(y)), wide-0.12, smooth(-0.85, 0, y)))
			if w.style == hairWavy {
				x += mul(0.04, sin(float64(y*9)+float64(w.seed&7)))
			}
			thin := 1 - float64(0.5*smooth(end-0.5, end, y))
			return vec{x, y, 0.12}, mul(0.18*full, thin) + 0.02, 0.22
		}, func(a, y float64, i, j int) rgb {
			return c.hair.times(0.95 + mul(c.rough, grain(i, 9, w.seed)))
		})
	}
}

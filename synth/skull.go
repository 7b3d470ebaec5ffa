package synth

import "math"

// The grid of the head: columns go round from behind the left ear to behind the right one,
// rows from the top of the skull to the chin, closer together where the outline curves.
const (
	headColumns = 61
	headRows    = 66
)

// skull draws skin, and the hair that lies on the head, as one sheet.
func (p *painter) skull() {
	ph, h := p.ph, &p.ph.head
	var angle, sine, cosine [headColumns]float64
	for i := range angle {
		angle[i] = float64((float64(i)/(headColumns-1) - 0.5) * 1.42 * math.Pi)
		sine[i], cosine[i] = sin(angle[i]), cos(angle[i])
	}
	c := newCover(ph)
	p.begin(headColumns)
	var near []bump
	for j := range headRows {
		y := h.row(j)
		w, d := h.width(y), h.depth(y)
		back := d + float64(0.2*smooth(h.top, skullWide, y))
		near = near[:0]
		for _, b := range h.bumps {
			if math.Abs(y-b.y) < b.ry {
				near = append(near, b)
			}
		}
		low := h.lower(y)
		for i := range angle {
			x := mul(w, sine[i])
			z := 0.0
			if cosine[i] > 0 {
				z = mul(d, cosine[i]) + relief(near, x, y)
			} else {
				z = mul(back, cosine[i])
			}
			at := vec{x, low, z}
			skin := c.skinAt(h, x, y, angle[i])
			if m := c.hairAt(y, angle[i], sine[i], i, j); m > 0 {
				out := at.sub(vec{0, -0.2, -0.1}).unit().times(mul(c.thick(y, angle[i], i, j), m))
				at = at.add(out)
				skin = skin.mix(c.strand(i, j), min(1, mul(m, c.dense)))
			}
			p.point(at, skin)
		}
	}
	p.draw(&p.eye, 0.10+float64(0.08*float64(ph.seed>>8&7)/7))
}

// row is the height of row j of the grid.
func (h *head) row(j int) float64 {
	const capRows, chinRows = 16, 20
	top, bottom := h.top+0.0005, h.chinY-0.0005
	switch {
	case j < capRows:
		return lerp(skullWide, top, cos(float64(float64(j)/capRows*halfPi)))
	case j >= headRows-chinRows:
		t := float64(j-(headRows-chinRows)) / (chinRows - 1)
		return lerp(0.45, bottom, sin(float64(t*halfPi)))
	}
	return lerp(skullWide, 0.45, float64(j-capRows)/(headRows-chinRows-capRows))
}

// cover is what lies on the skin of one photo: hair or a hat, beard, blush.
type cover struct {
	ph       *photo
	hat      bool
	cloth    rgb
	hair     rgb
	line     [headColumns]float64 // the hair line's height at each column
	thickTop float64
	dense    float64
	rough    float64
	curly    bool
	bald     bool
	buzz     bool
	beard    float64
	mask     [3]float64 // beard on the upper lip, chin, cheeks
}

var cloths = []rgb{{40, 42, 50}, {70, 78, 96}, {128, 40, 44}, {44, 74, 120}, {52, 96, 72}, {150, 150, 152},
	{216, 212, 204}, {196, 160, 60}, {110, 62, 120}, {90, 70, 54}, {26, 28, 30}, {180, 96, 110}}

func newCover(ph *photo) *cover {
	p := &ph.who
	c := &cover{ph: ph, hat: ph.hat, hair: p.hair, dense: 1, rough: 0.16}
	c.cloth = cloths[ph.seed>>12%uint32(len(cloths))]
	c.thickTop = p.volume
	switch p.style {
	case hairBald:
		c.bald, c.thickTop, c.dense = true, 0.02, 0.8
	case hairBuzz:
		c.buzz, c.thickTop, c.dense, c.rough = true, 0.012, 0.72, 0.08
	case hairShort:
		c.thickTop = mul(c.thickTop, 0.7)
	case hairCurly:
		c.curly, c.thickTop, c.rough = true, float64(c.thickTop*1.1)+0.04, 0.3
	case hairAfro:
		c.curly, c.thickTop, c.rough = true, 0.2, 0.3
	case hairBun:
		c.thickTop = 0.03
	}
	for i := range c.line {
		a := float64((float64(i)/(headColumns-1) - 0.5) * 1.42 * math.Pi)
		c.line[i] = c.hairLine(a, i)
	}
	switch p.beard {
	case beardStubble:
		c.beard, c.mask = 0.38, [3]float64{1, 1, 1}
	case beardMoustache:
		c.beard, c.mask = 0.9, [3]float64{1, 0, 0}
	case beardGoatee:
		c.beard, c.mask = 0.85, [3]float64{0.8, 1, 0}
	case beardFull:
		c.beard, c.mask = 0.92, [3]float64{1, 1, 1}
	}
	c.beard = mul(c.beard, ph.stubble)
	return c
}

// hairLine is the height above which hair grows at azimuth a.
func (c *cover) hairLine(a float64, column int) float64 {
	p := &c.ph.who
	q := math.Abs(a) / halfPi // 0 in front, 1 at the ear
	if c.hat {
		return lerp(-0.50, 0.0, smooth(0.5, 1.2, q))
	}
	front := p.forehead
	front -= mul(0.22, mul(p.recede, float64(smooth(0.15, 0.4, q)*smooth(0.8, 0.5, q))))
	front -= float64(0.1 * p.recede)
	if p.fringe > 0 && p.style != hairBald && p.style != hairBuzz && p.style != hairBun {
		ragged := mul(0.035, grain(column, 3, p.seed))
		low := lerp(p.forehead, -0.24, p.fringe) + ragged + float64(0.10*p.part*sin(a))
		front = lerp(low, front, smooth(0.5, 0.75, q))
	} else if p.style == hairSwept || p.style == hairShort {
		front += mul(0.10, mul(p.part, sin(a))) // combed to one side
	}
	side := 0.12
	if p.style.long() {
		side = 0.35
	} else if p.female {
		side = -0.05
	}
	line := lerp(front, side, smooth(0.62, 0.86, q))
	return lerp(line, 0.6, smooth(1.05, 1.25, q))
}

// hairAt is how much of the skin at a vertex is hair, 0..1.
func (c *cover) hairAt(y, a, q float64, i, j int) float64 {
	if y > 0.62 {
		return 0
	}
	soft := 0.05
	if c.buzz {
		soft = 0.10
	}
	// Where the line falls steeply from column to column, a sharp edge would be a staircase.
	steep := math.Abs(c.line[min(i+1, headColumns-1)] - c.line[max(i-1, 0)])
	soft += float64(0.45 * steep)
	m := smooth(c.line[i]+float64(0.3*steep)+0.01, c.line[i]-soft, y)
	if m > 0 && c.bald && !c.hat {
		m = mul(m, mul(smooth(1.05, 1.5, math.Abs(a)), smooth(-0.62, -0.35, y)))
	}
	return m
}

// thick is how far hair stands off the head.
func (c *cover) thick(y, a float64, i, j int) float64 {
	if c.hat {
		return 0.09 + mul(0.02, smooth(-0.45, -0.55, y))
	}
	t := mul(c.thickTop, 0.35+float64(0.65*smooth(0.1, -0.8, y)))
	if c.ph.who.style.long() {
		t = c.thickTop
	}
	wild := 0.15 + float64(0.35*c.ph.tossed)
	if c.curly {
		wild = 0.5
		return t + mul(mul(t, wild), grain(i/2, j/2, c.ph.who.seed))
	}
	return t + mul(mul(t, wild), grain(i, 0, c.ph.who.seed^uint32(j/9)))
}

// strand is the hair's (or hat's) colour at a vertex.
func (c *cover) strand(i, j int) rgb {
	if c.hat {
		if j%3 == 0 {
			return c.cloth.times(0.88)
		}
		return c.cloth
	}
	if c.curly {
		return c.hair.times(1 + float64(c.rough*grain(i, j, c.ph.who.seed)))
	}
	n := float64(0.7*grain(i, 1, c.ph.who.seed)) + float64(0.3*grain(i, j, c.ph.who.seed))
	return c.hair.times(1 + float64(c.rough*n))
}

// skinAt is the colour of the skin, with blush, shadowed eyes and beard, at a vertex.
func (c *cover) skinAt(h *head, x, y, a float64) rgb {
	p := &c.ph.who
	s := p.skin
	if math.Abs(a) > 1.9 || y < -0.75 {
		return s
	}
	dab := func(cx, cy, r float64) float64 {
		dx, dy := (x-cx)/r, (y-cy)/r
		k := max(0, 1-float64(dx*dx)-float64(dy*dy))
		return float64(k * k)
	}
	side := math.Copysign(1, x)
	red := mul(0.16+float64(0.25*p.makeup), dab(mul(side, 0.42), 0.3, 0.3)) + float64(0.22*dab(0, h.noseY, 0.2))
	s = s.mix(rgb{float64(s.r * 0.95), float64(s.g * 0.68), float64(s.b * 0.66)}, red)
	tired := 0.16 + float64(0.14*c.ph.old)
	s = s.times(1 - mul(tired, dab(mul(side, h.eyeX), h.eyeY+0.03, 0.24)))
	// Old skin is uneven.
	blotch := mul(0.10*c.ph.old, grain(int(math.Floor(float64(x*22))), int(math.Floor(float64(y*22))), p.seed))
	s = s.times(1 + blotch)
	if p.makeup > 0.3 {
		s = s.mix(rgb{110, 70, 90}, mul(0.5*p.makeup, dab(mul(side, h.eyeX), h.eyeY-0.05, 0.17)))
	}
	if c.beard > 0 {
		if m := c.beardAt(h, x, y, a); m > 0 {
			s = s.mix(p.hair.times(0.9+float64(0.2*grain(int(float64(x*80)), int(float64(y*80)), p.seed))), min(1, m))
		}
	}
	return s
}

// beardAt is how much beard covers a place of the face.
func (c *cover) beardAt(h *head, x, y, a float64) float64 {
	q := math.Abs(x)
	lip := mul(smooth(h.mouthW+0.06, h.mouthW-0.03, q), mul(smooth(h.noseY+0.085, h.noseY+0.13, y), smooth(h.mouthY+0.03, h.mouthY-0.01, y)))
	chin := mul(smooth(0.34, 0.26, q), smooth(h.mouthY+0.06, h.mouthY+0.14, y))
	chin = max(chin, mul(mul(smooth(h.mouthW-0.02, h.mouthW+0.03, q), smooth(h.mouthW+0.14, h.mouthW+0.06, q)), smooth(h.mouthY-0.10, h.mouthY, y)))
	edge := lerp(0.60, 0.10, smooth(0.25, 0.62, q))
	cheek := mul(smooth(0.26, 0.36, q), smooth(edge, edge+0.12, y))
	m := max(mul(lip, c.mask[0]), mul(chin, c.mask[1]), mul(cheek, c.mask[2]))
	return mul(m, c.beard)
}

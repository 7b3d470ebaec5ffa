package synth

// features paints eyes, brows, nose and mouth onto the skin, and what the years left there.
func (p *painter) features() {
	h := &p.ph.head
	p.lines()
	p.nose()
	p.mouth()
	for _, side := range [2]float64{-1, 1} {
		p.oneEye(side)
		p.brow(side)
	}
	for _, m := range h.moles {
		p.flat(h.skin.times(0.45), 0.85, 0, ellipse(m.x, m.y, m.r, m.r, 0, 8)...)
	}
	if h.freckles > 0.1 {
		for k := range 26 {
			x, y := mul(0.5, grain(k, 1, h.seed)), 0.22+mul(0.18, grain(k, 2, h.seed))
			p.flat(h.skin.mix(rgb{120, 60, 30}, 0.5), float64(0.6*h.freckles), 0, ellipse(x, y, 0.014, 0.014, 0, 6)...)
		}
	}
}

// oneEye paints the left (-1) or right (1) eye.
func (p *painter) oneEye(side float64) {
	ph, h := p.ph, &p.ph.head
	cx, cy := mul(side, h.eyeX), h.eyeY
	const n = 9
	var white, upper, lower []vec
	open := max(mul(h.eyeH, h.lids), 0.006)
	for i := range n {
		t := float64(2*float64(i)/(n-1)) - 1 // -1 left .. 1 right
		in := float64(t * side)              // 1 is the outer corner
		arch := 1 - float64(t*t)
		lift := float64(h.eyeTilt * in)
		x := cx + float64(t*h.eyeW)
		upper = append(upper, vec{x, cy - mul(open, arch*(1-float64(0.18*in))) - lift, 0})
		lower = append(lower, vec{x, cy + mul(open, 0.72*arch*(1+float64(0.18*in))) - lift, 0})
	}
	for i := n - 1; i >= 0; i-- {
		white = append(white, lower[i])
	}
	white = append(append([]vec{}, upper...), white[1:n-1]...)

	shadow := h.skin.mix(rgb{70, 36, 30}, 0.55)
	// The fold above the eye and the shadow below.
	fold := make([]vec, n)
	for i, q := range upper {
		fold[i] = vec{q.x, q.y - 0.026 - float64(0.012*h.eyeH/0.06), 0}
	}
	p.stroke(shadow, 0.55, 0.020, 0.9, fold[1:n-1]...)
	p.flat(rgb{238, 234, 230}, 1, 0, white...)
	gx := cx + float64(ph.gazeX*0.06)
	gy := cy - float64(0.10*h.eyeH) + float64(ph.gazeY*0.06)
	if iris := clip(ellipse(gx, gy, h.irisR, h.irisR, 0, 16), white); len(iris) > 2 {
		p.flat(h.iris.times(0.55), 1, 0, iris...)
	}
	if iris := clip(ellipse(gx, gy, float64(h.irisR*0.8), float64(h.irisR*0.8), 0, 14), white); len(iris) > 2 {
		p.flat(h.iris.times(1.1), 1, 0, iris...)
	}
	if pupil := clip(ellipse(gx, gy, 0.027, 0.027, 0, 10), white); len(pupil) > 2 {
		p.flat(rgb{14, 12, 12}, 1, 0, pupil...)
	}
	if h.lids > 0.4 {
		glint := ellipse(gx+mul(0.03, ph.sun.x), gy+mul(0.03, ph.sun.y), 0.014, 0.014, 0, 8)
		p.onFace(paint{colour: rgb{255, 255, 255}, alpha: 0.9}, 0, glint)
	}
	// The upper lid's shade on the eyeball, then the lashes.
	lash := 0.016 + float64(0.022*h.lashes) + float64(0.010*h.makeup)
	p.stroke(rgb{34, 22, 20}, 0.92, lash, 0.55, upper...)
	if h.lashes > 0.45 {
		tip := upper[n-1]
		if side < 0 {
			tip = upper[0]
		}
		p.stroke(rgb{30, 20, 20}, 0.85, 0.018, 1, vec{tip.x - float64(0.03*side), tip.y - 0.012, 0}, tip,
			vec{tip.x + float64(0.035*side), tip.y - 0.026, 0})
	}
	p.stroke(shadow, 0.6, 0.012, 0.8, lower...)
}

func (p *painter) brow(side float64) {
	h := &p.ph.head
	hair := h.hair.times(0.72).mix(rgb{60, 44, 36}, 0.25)
	y := h.eyeY - h.browY - h.browLift
	const n = 9
	mid := mul(side, h.eyeX+0.005+h.browGap)
	shape := make([]vec, 2*n)
	for i := range n {
		t := float64(2*float64(i)/(n-1)) - 1 // -1 inner .. 1 outer
		x := mid + mul(side, float64(t*h.browW))
		at := y - mul(h.browArch, 1-mul(t-0.3, t-0.3)) - float64(h.browTilt*t)
		thick := mul(h.browT, 0.5+float64(0.5*smooth(1, -0.2, t)))
		shape[i] = vec{x, at - thick/2, 0}
		shape[2*n-1-i] = vec{x, at + thick/2, 0}
	}
	p.flat(hair, 0.88, 0.01, shape...)
}

func (p *painter) nose() {
	h := &p.ph.head
	dark := h.skin.times(0.36).mix(rgb{60, 20, 16}, 0.35)
	for _, side := range [2]float64{-1, 1} {
		p.flat(dark, 0.85, 0, ellipse(mul(side, 0.45*h.noseW), h.noseY+0.072, float64(0.27*h.noseW), 0.02, mul(side, 0.3), 10)...)
		wing := mul(side, h.noseW)
		p.stroke(h.skin.times(0.62), 0.55, 0.022, 0.9,
			vec{wing - float64(0.02*side), h.noseY - 0.03, 0}, vec{wing + float64(0.012*side), h.noseY + 0.02, 0},
			vec{wing - float64(0.006*side), h.noseY + 0.065, 0}, vec{wing - float64(0.045*side), h.noseY + 0.085, 0})
	}
}

func (p *painter) mouth() {
	h := &p.ph.head
	lip := h.lip.mix(rgb{170, 30, 52}, mul(0.65, h.makeup))
	w, y := h.mouthW, h.mouthY
	const n = 13
	var top, upIn, lowIn, bottom [n]vec
	gap := mul(0.11, h.open)
	for i := range n {
		t := float64(2*float64(i)/(n-1)) - 1
		arch := 1 - float64(t*t)
		rise := mul(0.045*h.smile, float64(t*t*1.6)-0.6) // corners up, middle a little down
		x := float64(t * w)
		line := y - rise
		// The cupid's bow: two humps beside a dip.
		hump := mul(h.bow, max(0, 1-float64(t*t*26)))
		up := mul(h.lipUp, mul(arch, 1.12-float64(hump*0.6)))
		upIn[i] = vec{x, line - mul(gap*0.35, arch), 0}
		top[i] = vec{x, upIn[i].y - up, 0}
		lowIn[i] = vec{x, line + mul(gap*0.65, arch), 0}
		bottom[i] = vec{x, lowIn[i].y + mul(h.lipLow, mul(arch, 1.05)), 0}
	}
	ring := func(a, b *[n]vec) []vec {
		out := append([]vec{}, a[:]...)
		for i := n - 2; i > 0; i-- {
			out = append(out, b[i])
		}
		return out
	}
	if gap > 0.006 {
		p.flat(rgb{64, 20, 22}, 1, 0, ring(&upIn, &lowIn)...)
		if h.smile > 0.2 || h.open > 0.5 {
			teeth := lowIn
			for i := range teeth {
				teeth[i] = upIn[i].towards(lowIn[i], 0.62)
			}
			p.flat(rgb{236, 230, 220}, 0.95, 0, ring(&upIn, &teeth)...)
		}
	}
	p.flat(lip.times(0.86), 0.92, 0, ring(&top, &upIn)...)
	p.flat(lip, 0.92, 0, ring(&lowIn, &bottom)...)
	p.flat(lip.mix(rgb{255, 255, 255}, 0.35), 0.4, 0, ellipse(0, bottom[n/2].y-float64(0.55*h.lipLow), float64(0.3*w), float64(0.16*h.lipLow), 0, 10)...)
	p.stroke(rgb{70, 26, 26}, 0.75, 0.016, 0.7, upIn[:]...)
	if h.smile > 0.1 {
		for _, s := range [2]float64{-1, 1} {
			x := mul(s, w)
			p.stroke(h.skin.times(0.55), mul(0.6, h.smile), 0.018, 0.9,
				vec{x - float64(0.01*s), upIn[0].y - 0.03, 0}, vec{x + float64(0.02*s), upIn[0].y, 0}, vec{x + float64(0.01*s), upIn[0].y + 0.035, 0})
		}
	}
}

// lines are folds and wrinkles: a little with every smile, the rest with the years.
func (p *painter) lines() {
	ph, h := p.ph, &p.ph.head
	age := float64(ph.age)
	years := mul(clamp((age-24)/45, 0, 1.3), h.wrinkle)
	dark := h.skin.times(0.52).mix(rgb{96, 48, 40}, 0.2)
	for _, s := range [2]float64{-1, 1} {
		// From the nose to the corner of the mouth.
		k := clamp(float64(0.85*years)+float64(0.35*h.smile), 0, 0.9)
		x := mul(s, h.noseW)
		m := mul(s, h.mouthW+0.06)
		p.stroke(dark, k, 0.022+float64(0.018*years), 0.8, vec{x + float64(0.02*s), h.noseY + 0.03, 0},
			vec{lerp(x, m, 0.6) + float64(0.03*s), h.noseY + 0.13, 0}, vec{m + float64(0.02*s), h.mouthY - 0.06, 0}, vec{m, h.mouthY + 0.04, 0})
		if years <= 0.05 {
			continue
		}
		e := mul(s, h.eyeX)
		// Bags below the eyes and crow's feet beside them.
		p.stroke(dark, mul(0.8, years), 0.032, 0.9, vec{e - float64(0.12*s), h.eyeY + 0.085, 0}, vec{e, h.eyeY + 0.125, 0}, vec{e + float64(0.12*s), h.eyeY + 0.09, 0})
		for k := range 3 {
			o := mul(s, h.eyeX+h.eyeW+0.03)
			dy := float64(0.045 * float64(k-1))
			p.stroke(dark, mul(0.9, years-0.15), 0.018, 0.9, vec{o, h.eyeY + dy/2, 0}, vec{o + float64(0.05*s), h.eyeY + dy, 0}, vec{o + float64(0.09*s), h.eyeY + float64(1.6*dy), 0})
		}
		// Folds from the mouth down.
		p.stroke(dark, mul(0.9, years-0.25), 0.030, 0.9, vec{m - float64(0.03*s), h.mouthY + 0.07, 0}, vec{m, h.mouthY + 0.15, 0}, vec{m - float64(0.01*s), h.mouthY + 0.22, 0})
	}
	if brow := years - 0.1 + float64(8*h.browLift); brow > 0.05 {
		for k := range 3 {
			y := h.eyeY - 0.33 - float64(0.075*float64(k))
			bend := mul(0.02, grain(k, 7, h.seed))
			p.stroke(dark, min(mul(0.75, brow), 0.8), 0.024, 0.9, vec{-0.32, y + 0.02, 0}, vec{-0.12, y - bend, 0}, vec{0.12, y + bend, 0}, vec{0.32, y + 0.02, 0})
		}
	}
	if years > 0.25 { // between the brows
		for _, s := range [2]float64{-0.035, 0.035} {
			p.stroke(dark, mul(0.8, years-0.2), 0.022, 0.9, vec{s, h.eyeY - 0.20, 0}, vec{float64(1.2 * s), h.eyeY - 0.14, 0}, vec{s, h.eyeY - 0.08, 0})
		}
	}
	if years > 0.7 { // spots
		for k := range 8 {
			x, y := mul(0.5, grain(k, 4, h.seed)), -0.1+mul(0.5, grain(k, 5, h.seed))
			p.flat(h.skin.times(0.7), mul(0.7, years-0.5), 0, ellipse(x, y, 0.026, 0.02, 0, 8)...)
		}
	}
}

// spectacles draws glasses, dark ones for the sun.
func (p *painter) spectacles(dark bool) {
	h := &p.ph.head
	lift := 0.07
	for _, s := range [2]float64{-1, 1} {
		x, y := mul(s, h.eyeX+0.005), h.eyeY+0.02
		var lens []vec
		switch h.frame {
		case 0: // round
			lens = ellipse(x, y, 0.185, 0.175, 0, 20)
		case 1: // square with rounded corners
			for _, q := range ellipse(0, 0, 1, 1, 0, 24) {
				lens = append(lens, vec{x + mul(0.215, clamp(float64(1.3*q.x), -1, 1)), y + mul(0.145, clamp(float64(1.3*q.y), -1, 1)), 0})
			}
		default: // narrow
			lens = ellipse(x, y, 0.205, 0.115, mul(s, -0.08), 20)
		}
		rim := append([]vec{}, lens...)
		rim = append(rim, rim[0])
		for i := len(lens); i >= 0; i-- {
			q := lens[i%len(lens)]
			rim = append(rim, vec{q.x + mul(q.x-x, -0.13), q.y + mul(q.y-y, -0.15), 0})
		}
		if dark {
			p.onFace(paint{colour: rgb{24, 22, 26}, alpha: 0.93}, lift, lens)
		} else {
			p.onFace(paint{colour: rgb{225, 235, 245}, alpha: 0.10}, lift, lens)
		}
		glint := []vec{{x - 0.10, y - 0.02, 0}, {x - 0.02, y - 0.09, 0}, {x + 0.0, y - 0.07, 0}, {x - 0.08, y + 0.0, 0}}
		p.onFace(paint{colour: rgb{255, 255, 255}, alpha: 0.45}, lift, glint)
		p.onFace(paint{colour: h.frameTint, alpha: 1}, lift, rim)
		// The arm to the ear.
		a := p.eye.project(h.surface(mul(s, h.eyeX+0.20), y-0.03).add(vec{0, 0, lift}))
		b := p.eye.project(vec{mul(s, h.headW+0.03), y, 0.02})
		t := mul(0.018, p.eye.scale)
		if mul(s, p.eye.zAxis.x) > -0.25 { // else the head hides it
			p.fill(paint{colour: h.frameTint, alpha: 1, hidden: true, at: 0.35}, []vec{{a.x, a.y - t, 0}, {b.x, b.y - t, 0}, {b.x, b.y + t, 0}, {a.x, a.y + t, 0}})
		}
	}
	y := h.eyeY
	p.onFace(paint{colour: h.frameTint, alpha: 1}, lift, []vec{{-h.eyeX + 0.17, y - 0.03, 0}, {0, y - 0.06, 0}, {h.eyeX - 0.17, y - 0.03, 0}, {h.eyeX - 0.17, y, 0}, {0, y - 0.03, 0}, {-h.eyeX + 0.17, y, 0}})
}

package synth

import "math"

// head is the surface of one head in one photo: a person's shape with an age and an expression.
// Its frame has the origin in the middle of the head, x to the viewer's right, y down, z
// out of the face. A horizontal cut is an ellipse of half width width(y) and depth depth(y);
// the nose, lips, brows and so on are bumps on it along z.
type head struct {
	*person
	top, chinY             float64
	headW, cheekW, jawW    float64
	squareness             float64
	drop                   float64 // how far an open mouth lowers the chin
	eyeX, eyeY, eyeW, eyeH float64
	lids                   float64 // opening of the eyes, 1 usual
	browLift               float64
	noseY, noseW           float64
	mouthY, mouthW         float64
	smile, open            float64
	lipUp, lipLow          float64
	bumps                  []bump
}

// bump raises the surface by h (1 - r^2)^2 inside an ellipse.
type bump struct{ x, y, rx, ry, h float64 }

const skullWide = -0.35 // the y at which the skull is widest

// shape fills h for a person at an age with an expression.
func (h *head) shape(p *person, age, smile, open, browLift, lids float64) {
	child := smooth(17, 3, age)
	old := clamp((age-30)/52, 0, 1.1)
	h.person = p
	h.top = -1.12 - float64(0.05*child)
	h.chinY = 1 + float64(p.chin*0.5) - float64(0.15*child)
	h.headW = p.headW + float64(0.03*child)
	h.cheekW = p.cheekW + float64(0.035*child) - float64(0.015*old)
	h.jawW = p.jawW + float64(0.01*child) + float64(0.045*old)
	h.squareness = lerp(p.square, 0.15, child)
	h.drop = float64(open * 0.11)
	h.eyeX = p.eyeX
	h.eyeY = p.eyeY + float64(0.12*child)
	grown := 1 + float64(0.45*child) - float64(0.20*old)
	h.eyeW = mul(p.eyeW, 1+float64(0.18*child))
	h.lids = mul(lids, 1-float64(0.22*old)-float64(0.18*smile))
	h.eyeH = mul(p.eyeH, grown)
	h.browLift = browLift - float64(0.03*old)
	h.noseY = p.noseY + float64(0.02*child) + float64(0.02*old)
	h.noseW = mul(p.noseW, 1-float64(0.12*child)+float64(0.18*old))
	h.mouthY = p.mouthY - float64(0.03*child)
	h.mouthW = mul(p.mouthW, 1+float64(0.22*smile)-float64(0.06*open)-float64(0.12*child))
	h.smile, h.open = smile, open
	thin := 1 - float64(0.45*old) - float64(0.15*smile)
	h.lipUp, h.lipLow = mul(p.lipUp, thin), mul(p.lipLow, thin)

	out := mul(p.noseOut, 1-float64(0.45*child))
	h.bumps = append(h.bumps[:0],
		bump{0, h.noseY - 0.20, p.bridge + 0.03, 0.40, float64(out * 0.6)},
		bump{0, h.noseY, float64(h.noseW * 1.1), 0.17, float64(out * 0.9)},
		bump{-float64(h.noseW * 0.8), h.noseY + 0.035, 0.075, 0.075, 0.055},
		bump{float64(h.noseW * 0.8), h.noseY + 0.035, 0.075, 0.075, 0.055},
		bump{-h.eyeX, h.eyeY, 0.24, 0.16, -0.075},
		bump{h.eyeX, h.eyeY, 0.24, 0.16, -0.075},
		bump{-0.22, h.eyeY - 0.2, 0.30, 0.14, p.ridge + 0.01},
		bump{0.22, h.eyeY - 0.2, 0.30, 0.14, p.ridge + 0.01},
		bump{-0.43, 0.24, 0.28, 0.25, p.cheekBone + float64(0.05*smile)},
		bump{0.43, 0.24, 0.28, 0.25, p.cheekBone + float64(0.05*smile)},
		// Hollow cheeks above, jowls and bags below.
		bump{-0.42, 0.50, 0.20, 0.20, float64(-0.09 * old)},
		bump{0.42, 0.50, 0.20, 0.20, float64(-0.09 * old)},
		bump{-0.40, 0.78, 0.18, 0.16, float64(0.06 * old)},
		bump{0.40, 0.78, 0.18, 0.16, float64(0.06 * old)},
		bump{-h.eyeX, h.eyeY + 0.13, 0.15, 0.06, float64(0.035 * old)},
		bump{h.eyeX, h.eyeY + 0.13, 0.15, 0.06, float64(0.035 * old)},
		bump{0, h.mouthY, h.mouthW, 0.17, 0.055},
		bump{0, h.mouthY + 0.17, 0.22, 0.07, -0.03},
		bump{0, h.chinY - 0.11, 0.22, 0.15, p.chin},
	)
}

// width is the half width of the head at height y.
func (h *head) width(y float64) float64 {
	switch {
	case y <= h.top || y >= h.chinY:
		return 0
	case y < skullWide:
		t := (skullWide - y) / (skullWide - h.top)
		return mul(h.headW, math.Sqrt(1-mul(float64(t*t), lerp(1, t, 0.5))))
	}
	w := 0.0
	if y < 0.2 {
		w = lerp(h.headW, h.cheekW, smooth(skullWide, 0.2, y))
	} else {
		w = lerp(h.cheekW, h.jawW, smooth(0.2, 0.7, y))
	}
	if y > 0.40 {
		t := (y - 0.40) / (h.chinY - 0.40)
		t2 := float64(t * t)
		w = mul(w, math.Sqrt(1-lerp(t2, float64(t2*t2*t2), h.squareness)))
	}
	return w
}

// depth is how far the front of the face stands out at height y, without bumps.
func (h *head) depth(y float64) float64 {
	switch {
	case y <= h.top || y >= h.chinY:
		return 0.3
	case y < skullWide:
		t := (skullWide - y) / (skullWide - h.top)
		return mul(0.76, math.Sqrt(1-float64(t*t*0.95)))
	case y > 0.40:
		t := (y - 0.40) / (h.chinY - 0.40)
		t2 := float64(t * t)
		return mul(0.76, math.Sqrt(1-float64(t2*t2*0.25)))
	}
	return 0.76
}

// relief is the sum of the bumps.
func relief(bumps []bump, x, y float64) float64 {
	z := 0.0
	for i := range bumps {
		b := &bumps[i]
		dx, dy := (x-b.x)/b.rx, (y-b.y)/b.ry
		k := 1 - float64(dx*dx) - float64(dy*dy)
		if k > 0 {
			z += float64(b.h * k * k)
		}
	}
	return z
}

// lower moves what lies below the mouth down as it opens.
func (h *head) lower(y float64) float64 {
	return y + mul(h.drop, smooth(h.mouthY-0.04, h.mouthY+0.2, y))
}

// surface is the place of the face's skin seen from straight ahead at (x, y).
func (h *head) surface(x, y float64) vec {
	w := max(h.width(y), 0.05)
	q := clamp(x/w, -0.985, 0.985)
	z := mul(h.depth(y), math.Sqrt(1-float64(q*q))) + relief(h.bumps, x, y)
	return vec{mul(q, w), h.lower(y), z}
}

// facing is the direction of the surface at (x, y), without the bumps.
func (h *head) facing(x, y float64) vec {
	w := max(h.width(y), 0.05)
	q := clamp(x/w, -0.985, 0.985)
	return vec{q / w, float64(0.25 * y), math.Sqrt(1-float64(q*q)) / 0.76}.unit()
}

// view is where a head stands in a picture: turned, scaled and moved.
type view struct {
	xAxis, yAxis, zAxis vec     // rows of the rotation
	scale               float64 // pixels a unit
	cx, cy              float64 // the head's origin; the first pixel's corner is (0, 0)
}

// distance of the camera in half face heights: 8 is about a metre.
const distance = 9

// look turns a head: yaw to the viewer's right, pitch downwards, roll clockwise, in radians.
func look(yaw, pitch, roll float64) view {
	sy, cy := sin(yaw), cos(yaw)
	sp, cp := sin(pitch), cos(pitch)
	sr, cr := sin(roll), cos(roll)
	// First yaw about y, then pitch about x, then roll about z.
	x := vec{cy, 0, sy}
	y := vec{float64(sp * -sy), cp, float64(sp * cy)}
	z := vec{float64(cp * -sy), -sp, float64(cp * cy)}
	return view{
		xAxis: x.times(cr).sub(y.times(sr)),
		yAxis: x.times(sr).add(y.times(cr)),
		zAxis: z,
		scale: 1,
	}
}

// turn rotates without moving.
func (v *view) turn(p vec) vec { return vec{v.xAxis.dot(p), v.yAxis.dot(p), v.zAxis.dot(p)} }

// project returns the place in the picture; z is in units and grows towards the viewer.
func (v *view) project(p vec) vec {
	t := v.turn(p)
	s := mul(v.scale, distance) / (distance - t.z)
	return vec{v.cx + float64(t.x*s), v.cy + float64(t.y*s), t.z}
}

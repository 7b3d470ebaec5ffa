package synth

import (
	"math"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/rng"
)

// photo is all that differs between two images of one identity, and where the face ended up.
type photo struct {
	who   person
	age   int // years, whole as in a table of ages
	sight view
	head  head
	yaw   float64 // radians

	w, h      int // stored image, pixels
	box       face.Box
	landmarks face.Landmarks

	// Light: direction it comes from, strengths, tint; then the camera's tone.
	sun              vec
	ambient, diffuse float64
	tint             rgb
	gain, contrast   float64
	grey             bool
	blur             int // passes of a 1 2 1 filter
	noise            int // largest deviation, levels
	quality          int // of the JPEG

	gazeX, gazeY float64
	glasses      bool
	shades       bool // sunglasses
	hat          bool
	old          float64 // 0 at 30, 1 at 82
	stubble      float64 // how much of the beard is there, 0..1
	tossed       float64 // disorder of the hair
	neighbour    bool
	seed         uint32
}

// take draws the photo of who in r's numbers. It decides all that metadata tells, and no pixel.
func (ph *photo) take(who *person, r *rng.Rand) {
	p := *who
	ph.age = round(clamp(p.age+float64(clamp(r.Norm(), -2.2, 2.2)*min(7, float64(p.age*0.16))), 3, 90))
	age := float64(ph.age)
	ph.seed = uint32(r.Uint64())

	ph.yaw = mul(clamp(r.Norm(), -2.6, 2.6), 20*degree)
	if r.Bool(0.12) { // towards profile
		ph.yaw = math.Copysign(r.Between(35, 58), ph.yaw)
		ph.yaw = mul(ph.yaw, degree)
	}
	pitch := mul(clamp(r.Norm(), -2.5, 2.5), 7*degree)
	roll := mul(clamp(r.Norm(), -2.5, 2.5), 7*degree)
	smile := clamp(r.Between(-0.7, 1.1), 0, 1)
	open := max(0, r.Between(-1.5, 1))
	if smile > 0 && r.Bool(0.5) {
		open = max(open, float64(smile*0.45))
	}
	lift := r.Between(-0.025, 0.035)
	lids := r.Between(0.8, 1.15)
	if r.Bool(0.03) {
		lids = 0.12 // a blink
	}
	ph.gazeX, ph.gazeY = mul(r.Norm(), 0.25), mul(r.Norm(), 0.12)

	ph.sun = vec{mul(r.Norm(), 0.8), r.Between(-1.4, 0.15), r.Between(0.35, 1.3)}.unit()
	hard := r.Float64()
	ph.ambient, ph.diffuse = lerp(0.78, 0.38, hard), lerp(0.30, 0.80, hard)
	warm := r.Norm()
	ph.tint = rgb{1 + float64(warm*0.045), 1 + mul(r.Norm(), 0.015), 1 - float64(warm*0.06)}
	ph.gain = exp(mul(r.Norm(), 0.16))
	ph.contrast = r.Between(0.82, 1.15)
	ph.grey = r.Bool(0.04)
	ph.noise = int(float64(r.Float64() * r.Float64() * 16))
	ph.quality = 70 + r.IntN(27)

	ph.glasses = r.Bool(p.glasses)
	ph.shades = r.Bool(0.03)
	ph.hat = r.Bool(0.04)
	ph.stubble = 1
	if r.Bool(0.2) {
		ph.stubble = r.Between(0, 0.6)
	}
	ph.tossed = r.Float64()
	p.volume = mul(p.volume, r.Between(0.8, 1.25))
	if r.Bool(0.12) { // another day's hair
		switch {
		case p.style == hairLong || p.style == hairWavy:
			p.style = []hairStyle{hairBun, hairLong, hairWavy}[r.IntN(3)]
		case p.style == hairShort:
			p.style = hairSwept
		}
		if p.female {
			p.hair = p.hair.mix(hairs[r.IntN(len(hairs))], 0.6)
		}
	}
	ph.neighbour = r.Bool(0.08)

	// Grey hair comes with the years, for everyone at another age.
	p.hair = p.hair.mix(rgb{196, 194, 192}, mul(0.92, smooth(p.greyFrom, p.greyFrom+20, age)))
	child := smooth(18, 12, age)
	p.recede = mul(p.recede, smooth(22, 62, age))
	p.browT = mul(p.browT, 1-float64(0.35*child))
	p.makeup = mul(p.makeup, 1-child)
	// Ears grow, hair thins and skin pales.
	old := clamp((age-30)/52, 0, 1.1)
	p.earSize = mul(p.earSize, 1+float64(0.25*old))
	p.volume = mul(p.volume, 1-float64(0.35*old))
	pale := float64((p.skin.r + p.skin.g + p.skin.b) / 3)
	p.skin = p.skin.mix(rgb{pale, pale, pale}, float64(0.28*old))
	ph.old = old
	if age < 18 {
		p.beard = beardNone
		if p.style == hairBald {
			p.style = hairBuzz
		}
	}
	ph.who = p
	ph.head.shape(&ph.who, age, smile, open, lift, lids)
	ph.frame(pitch, roll, r)
}

// frame decides the size and clipping of the stored image as VGGFace2's authors did: the
// detector's box extended by 1.0, its width at least 0.875 of its height, cut where the photo ends.
func (ph *photo) frame(pitch, roll float64, r *rng.Rand) {
	h := &ph.head
	v := look(ph.yaw, pitch, roll)
	// A detector such as MTCNN frames the face from the forehead to the chin; both are the
	// outermost of these places on the skin.
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, at := range [...][2]float64{{0, -0.60}, {-0.60, -0.45}, {0.60, -0.45}, {-0.66, 0.1}, {0.66, 0.1},
		{-0.50, 0.55}, {0.50, 0.55}, {-0.2, 0.93}, {0.2, 0.93}, {0, h.chinY - 0.01}, {0, h.noseY}} {
		q := v.project(h.surface(at[0], at[1]))
		x0, x1 = min(x0, q.x), max(x1, q.x)
		y0, y1 = min(y0, q.y), max(y1, q.y)
	}

	height := clamp(mul(84, exp(mul(r.Norm(), 0.48))), 12, 330) // of the box, pixels
	v.scale = height / (y1 - y0)
	w, hh := max(4, round(mul(x1-x0, v.scale))), max(4, round(height))
	wide := max(2*w, round(mul(0.875, float64(2*hh))))
	left, top := (wide-w)/2, hh/2
	ph.w, ph.h = wide, 2*hh
	x, y := left, top
	// The photo's edge: heads are near the top of photos, sometimes cut.
	cut := func(p float64, room int) int {
		if !r.Bool(p) {
			return 0
		}
		share := r.Float64()
		return int(float64(share * float64(room) * 1.03)) // a little more than the room: into the box
	}
	cl, cr := cut(0.25, left), cut(0.25, wide-left-w)
	ct, cb := cut(0.5, top), cut(0.12, 2*hh-top-hh)
	x, y = x-cl, y-ct
	ph.w -= cl + cr
	ph.h -= ct + cb
	ph.box = face.Box{X: float64(x), Y: float64(y), W: float64(w), H: float64(hh)}
	v.cx = float64(x) - mul(x0, v.scale)
	v.cy = float64(y) - mul(y0, v.scale)
	ph.sight = v

	for i, at := range [5]vec{
		h.surface(-h.eyeX, h.eyeY), h.surface(h.eyeX, h.eyeY),
		h.surface(0, h.noseY),
		h.corner(-1), h.corner(1),
	} {
		q := v.project(at)
		ph.landmarks[i] = face.Point{X: q.x - 0.5, Y: q.y - 0.5} // points count from a pixel's centre
	}
	// The longer the side, the softer the photo: few are sharp at 500 pixels.
	ph.blur = int(float64(r.Float64() * r.Float64() * (1.5 + float64(float64(ph.h)/90))))
}

// corner is the left (-1) or right (1) corner of the mouth.
func (h *head) corner(side float64) vec {
	return h.surface(mul(side, h.mouthW), h.mouthY-float64(0.045*h.smile))
}

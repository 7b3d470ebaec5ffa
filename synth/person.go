package synth

import "github.com/vf2prep/vf2prep/rng"

// person is what stays with an identity from photo to photo. Lengths are in half face heights:
// the chin is 1 below the middle of the head and the top of the skull about 1.1 above.
type person struct {
	female bool
	age    float64 // mean over the person's photos, years
	seed   uint32  // of marks and of the hair's texture

	headW, cheekW, jawW    float64 // half widths at the temples, cheek bones and jaw
	square                 float64 // jaw: 0 pointed .. 1 angular
	cheekBone, chin, ridge float64 // how far they stand out
	forehead               float64 // height of the hair line

	eyeX, eyeY, eyeW, eyeH, eyeTilt float64
	iris                            rgb
	irisR                           float64
	lashes                          float64
	browY, browW, browT             float64 // height above the eye, half width, thickness
	browArch, browTilt, browGap     float64
	noseY, noseW, noseOut, bridge   float64
	mouthY, mouthW, lipUp, lipLow   float64
	bow                             float64 // depth of the cupid's bow
	lip                             rgb
	earSize, earOut                 float64
	neckW                           float64

	skin     rgb
	freckles float64
	moles    []mark

	hair      rgb
	style     hairStyle
	volume    float64
	fringe    float64 // 0 none .. 1 down to the brows
	part      float64 // where the parting is, -1..1
	greyFrom  float64 // age at which hair begins to grey
	recede    float64 // how strongly the hair line goes back with age
	beard     beardStyle
	glasses   float64 // share of photos with glasses
	frame     int     // their shape
	frameTint rgb
	makeup    float64
	wrinkle   float64 // how early the skin ages, about 1
}

// mark is a mole at a place on the face.
type mark struct{ x, y, r float64 }

type hairStyle int

const (
	hairBald hairStyle = iota
	hairBuzz
	hairShort
	hairSwept
	hairCurly
	hairAfro
	hairBob
	hairLong
	hairWavy
	hairBun
)

// long says whether hair falls below the ears.
func (s hairStyle) long() bool { return s == hairBob || s == hairLong || s == hairWavy }

type beardStyle int

const (
	beardNone beardStyle = iota
	beardStubble
	beardMoustache
	beardGoatee
	beardFull
)

// The palettes are the author's choice by eye, from light to dark.
var (
	skins = []rgb{{250, 220, 198}, {240, 198, 166}, {226, 176, 138}, {202, 146, 104}, {158, 104, 70}, {104, 68, 48}}
	hairs = []rgb{{30, 26, 26}, {62, 44, 34}, {100, 70, 46}, {142, 104, 68}, {206, 172, 110}, {232, 212, 166}, {156, 74, 36}, {108, 50, 34}}
	irids = []rgb{{58, 36, 24}, {96, 62, 34}, {120, 100, 50}, {82, 116, 78}, {86, 128, 164}, {128, 144, 154}}
	lipss = rgb{186, 92, 88}
)

// newPerson draws an identity. Women and men differ in the mean of many traits by one to two
// standard deviations, as people do, so that gender is learnable but not from one trait alone.
func newPerson(r *rng.Rand, female bool) person {
	g := -1.0 // the sign of the trait's mean for men
	if female {
		g = 1
	}
	// trait draws a normal number about mean + g*shift, cut at 2.5 deviations.
	trait := func(mean, shift, dev float64) float64 {
		return mean + float64(g*shift) + float64(clamp(r.Norm(), -2.5, 2.5)*dev)
	}
	p := person{female: female, seed: uint32(r.Uint64())}
	p.age = clamp(trait(40, -3, 14), 6, 84)

	p.headW = trait(0.72, -0.01, 0.035)
	p.cheekW = trait(0.685, -0.005, 0.04)
	p.jawW = trait(0.60, -0.035, 0.05)
	p.square = clamp(trait(0.35, -0.16, 0.2), 0, 1)
	p.cheekBone = trait(0.03, 0.01, 0.02)
	p.chin = trait(0.06, -0.015, 0.03)
	p.ridge = trait(0.025, -0.02, 0.015)
	p.forehead = trait(-0.60, 0, 0.06)

	p.eyeX = trait(0.295, 0, 0.026)
	p.eyeY = trait(-0.03, 0, 0.03)
	p.eyeW = trait(0.142, 0.006, 0.012)
	p.eyeH = trait(0.062, 0.006, 0.012)
	p.eyeTilt = trait(0.01, 0.008, 0.02)
	p.irisR = trait(0.064, 0.001, 0.004)
	p.lashes = clamp(trait(0.3, 0.25, 0.15), 0, 1)
	p.browY = trait(0.165, 0.02, 0.025)
	p.browW = trait(0.185, -0.005, 0.02)
	p.browT = clamp(trait(0.034, -0.012, 0.009), 0.012, 0.07)
	p.browArch = trait(0.03, 0.015, 0.018)
	p.browTilt = trait(0, 0.01, 0.025)
	p.browGap = trait(0, 0, 0.02)
	p.noseY = trait(0.335, -0.01, 0.04)
	p.noseW = trait(0.135, -0.012, 0.02)
	p.noseOut = trait(0.21, -0.02, 0.035)
	p.bridge = trait(0.085, -0.006, 0.015)
	p.mouthY = trait(0.635, 0, 0.03)
	p.mouthW = trait(0.255, -0.006, 0.026)
	p.lipUp = clamp(trait(0.042, 0.008, 0.012), 0.012, 0.09)
	p.lipLow = clamp(trait(0.062, 0.008, 0.014), 0.02, 0.11)
	p.bow = clamp(trait(0.35, 0.1, 0.2), 0, 0.8)
	p.earSize = trait(0.21, -0.012, 0.02)
	p.earOut = clamp(trait(0.05, -0.01, 0.03), 0, 0.14)
	p.neckW = trait(0.385, -0.045, 0.03)

	p.colours(r)
	for n := r.IntN(4) - 1; n > 0; n-- {
		p.moles = append(p.moles, mark{r.Between(-0.5, 0.5), r.Between(-0.4, 0.85), r.Between(0.012, 0.024)})
	}
	p.freckles = max(0, r.Between(-0.8, 0.8))
	p.hairdo(r)
	if r.Bool(0.35) {
		p.glasses = r.Between(0.3, 0.95)
	} else {
		p.glasses = 0.03
	}
	p.frame = r.IntN(3)
	p.frameTint = []rgb{{24, 22, 24}, {92, 54, 30}, {150, 150, 156}, {120, 24, 30}, {34, 46, 90}}[r.IntN(5)]
	p.wrinkle = clamp(trait(1, 0, 0.15), 0.6, 1.4)
	return p
}

func (p *person) colours(r *rng.Rand) {
	tone := r.Float64()
	tone = float64(tone * (0.25 + float64(0.75*tone))) // more light than dark, as in VGGFace2
	at := float64(tone * float64(len(skins)-1))
	i := min(int(at), len(skins)-2)
	p.skin = skins[i].mix(skins[i+1], at-float64(i))
	p.skin.r += r.Between(-6, 6)
	p.skin.g += r.Between(-6, 6)
	p.skin.b += r.Between(-10, 10)

	dark := at > 2.6
	k := r.IntN(len(hairs))
	if dark {
		k = r.IntN(2)
	} else if r.Bool(0.3) {
		k = r.IntN(3)
	}
	p.hair = hairs[k].mix(hairs[max(0, k-1)], r.Between(0, 0.35)).times(r.Between(0.85, 1.12))
	k = r.IntN(len(irids))
	if dark {
		k = r.IntN(2)
	}
	p.iris = irids[k].mix(irids[max(0, k-1)], r.Between(0, 0.5))
	p.lip = lipss.mix(p.skin, r.Between(0.25, 0.6)).mix(rgb{140, 50, 60}, r.Between(0, 0.3))
	if p.female {
		p.makeup = clamp(r.Between(-0.3, 1), 0, 1)
	}
	p.greyFrom = r.Between(36, 52)
}

func (p *person) hairdo(r *rng.Rand) {
	p.volume = r.Between(0.05, 0.17)
	p.part = r.Between(-0.8, 0.8)
	u := r.Float64()
	switch {
	case p.female && u < 0.12:
		p.style = []hairStyle{hairShort, hairSwept, hairCurly}[r.IntN(3)]
	case p.female:
		p.style = []hairStyle{hairBob, hairLong, hairLong, hairWavy, hairWavy, hairBun, hairAfro}[r.IntN(7)]
	case u < 0.10:
		p.style = []hairStyle{hairLong, hairWavy, hairBob}[r.IntN(3)]
	default:
		p.style = []hairStyle{hairBald, hairBuzz, hairShort, hairShort, hairShort, hairSwept, hairSwept, hairCurly}[r.IntN(8)]
	}
	if p.style == hairAfro && p.hair.r > 110 {
		p.style = hairCurly
	}
	p.fringe = 0
	fringed := 0.15
	if p.female {
		fringed = 0.35
	}
	if r.Bool(fringed) {
		p.fringe = r.Between(0.5, 1)
	}
	if !p.female {
		p.recede = clamp(r.Between(-0.3, 1), 0, 1)
		if r.Bool(0.45) {
			p.beard = beardStyle(1 + r.IntN(4))
		}
	}
}

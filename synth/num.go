package synth

import "math"

// Every product of floats in this package is rounded by a conversion before it is added to
// anything, for a CPU with a fused multiply-add would otherwise round once instead of twice and
// draw other pixels. TestNoFusedProducts reads the source and finds what forgets it.

func mul(x, y float64) float64 { return float64(x * y) }

func lerp(a, b, t float64) float64 { return a + float64((b-a)*t) }

func clamp(x, lo, hi float64) float64 { return min(max(x, lo), hi) }

// smooth rises from 0 at a to 1 at b without a kink; a may lie above b.
func smooth(a, b, x float64) float64 {
	t := clamp((x-a)/(b-a), 0, 1)
	return float64(t * t * (3 - float64(2*t)))
}

const (
	degree  = math.Pi / 180
	halfPi  = math.Pi / 2
	natural = 1.4426950408889634 // log2(e)
)

// sin is the Taylor series to the 13th power, within 1e-9 for |x| <= pi. The library's own may
// be assembly that differs from one CPU to another.
func sin(x float64) float64 {
	for x > math.Pi {
		x -= 2 * math.Pi
	}
	for x < -math.Pi {
		x += 2 * math.Pi
	}
	if x > halfPi {
		x = math.Pi - x
	} else if x < -halfPi {
		x = -math.Pi - x
	}
	s := float64(x * x)
	p := 1 - float64(s/156)
	p = 1 - float64(p*s/110)
	p = 1 - float64(p*s/72)
	p = 1 - float64(p*s/42)
	p = 1 - float64(p*s/20)
	p = 1 - float64(p*s/6)
	return float64(x * p)
}

func cos(x float64) float64 { return sin(x + halfPi) }

// exp is e to the x, |x| <= 20: a power of two and a Taylor series.
func exp(x float64) float64 {
	y := float64(x * natural)
	n := math.Floor(y)
	f := float64((y - n) * math.Ln2)
	p := 1 + float64(f/10)
	for k := 9.0; k >= 1; k-- {
		p = 1 + float64(p*f/k)
	}
	return math.Ldexp(p, int(n))
}

// round returns the nearest integer, halves upwards; x is far from the ends of int.
func round(x float64) int { return int(math.Floor(x + 0.5)) }

// vec is a place or a direction: x right, y down, z towards the viewer.
type vec struct{ x, y, z float64 }

func (a vec) add(b vec) vec                { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec                { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) times(k float64) vec          { return vec{float64(a.x * k), float64(a.y * k), float64(a.z * k)} }
func (a vec) dot(b vec) float64            { return float64(a.x*b.x) + float64(a.y*b.y) + float64(a.z*b.z) }
func (a vec) towards(b vec, t float64) vec { return a.add(b.sub(a).times(t)) }

func (a vec) cross(b vec) vec {
	return vec{
		float64(a.y*b.z) - float64(a.z*b.y),
		float64(a.z*b.x) - float64(a.x*b.z),
		float64(a.x*b.y) - float64(a.y*b.x),
	}
}

func (a vec) unit() vec {
	n := math.Sqrt(a.dot(a))
	if n == 0 {
		return vec{0, 0, 1}
	}
	return vec{a.x / n, a.y / n, a.z / n}
}

// rgb is a colour, 0..255 a channel, in the display's own scale.
type rgb struct{ r, g, b float64 }

func (c rgb) mix(d rgb, t float64) rgb {
	return rgb{lerp(c.r, d.r, t), lerp(c.g, d.g, t), lerp(c.b, d.b, t)}
}

func (c rgb) times(k float64) rgb {
	return rgb{float64(c.r * k), float64(c.g * k), float64(c.b * k)}
}

// hash spreads the bits of x (the finaliser of MurmurHash3): cheap noise for textures.
func hash(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	return x ^ x>>16
}

// grain is noise in [-1, 1] at a place of a lattice.
func grain(x, y int, seed uint32) float64 {
	h := hash(uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77 ^ seed)
	return float64(h>>8)/(1<<23) - 1
}

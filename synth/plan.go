package synth

import (
	"fmt"
	"math"

	"github.com/vf2prep/vf2prep/rng"
)

// identity is one person of the set and the images that there are.
type identity struct {
	id     string
	name   string
	test   bool
	female bool
	count  int
}

// slot is an image's number in its identity's folder: photo and face.
type slot struct{ image, face int }

// plan decides who is in the set, from the options or from a list of identities.
func plan(o *Options) ([]identity, error) {
	if o.IdentityMeta != "" {
		return planFrom(o)
	}
	r := rng.Stream(o.Seed, "synth plan")
	n := o.Identities
	people := make([]identity, n)
	female := make([]bool, n)
	number := 0
	for i := range people {
		number++
		for r.Bool(0.06) { // the real numbering has 163 gaps in 9,294
			number++
		}
		female[i] = i%5 == 1 || i%5 == 3 // 40 %, as in VGGFace2
		people[i] = identity{id: fmt.Sprintf("n%06d", number), female: female[i], count: o.Images}
		if o.Spread > 0 {
			share := 1 + mul(o.Spread, r.Between(-1, 1))
			people[i].count = max(1, int(math.Floor(mul(float64(o.Images), share)+0.5)))
		}
	}
	for _, i := range r.Perm(n)[:o.TestIdentities] {
		people[i].test = true
	}
	for i, name := range names(o.Seed, female) {
		people[i].name = name
	}
	return people, nil
}

func planFrom(o *Options) ([]identity, error) {
	people, err := readIdentityMeta(o.IdentityMeta)
	if err != nil {
		return nil, err
	}
	for i := range people {
		if people[i].count < 0 {
			people[i].count = o.Images
		}
	}
	return people, nil
}

// slots gives an identity's images their numbers: rising, with gaps where the real set's authors
// dropped a photo, now and then another face of a photo than the first, and sometimes two.
func (p *identity) slots(seed uint64, out []slot) []slot {
	r := rng.Stream(seed, "synth slots", p.id)
	out = out[:0]
	image := 0
	for len(out) < p.count {
		image++
		if r.Bool(0.12) {
			image += 1 + r.IntN(3)
		}
		s := slot{image, 1}
		if u := r.Float64(); u < 0.04 && len(out)+1 < p.count {
			out = append(out, s)
			s.face = 2 // a collage: the same person twice
		} else if u > 0.9 {
			s.face = 2 + r.IntN(3)
		}
		out = append(out, s)
	}
	return out
}

// person draws the identity's face.
func (p *identity) person(seed uint64) person {
	return newPerson(rng.Stream(seed, "synth person", p.id), p.female)
}

// take draws all but the pixels of one image.
func (p *identity) take(ph *photo, who *person, seed uint64, s slot) {
	ph.take(who, rng.Stream(seed, "synth photo", p.id, s.image, s.face))
}

// folder is "train" or "test".
func (p *identity) folder() string {
	if p.test {
		return "test"
	}
	return "train"
}

// appendID appends the NAME_ID, "n000002/0001_01".
func (s slot) appendID(b []byte, id string) []byte {
	b = append(append(b, id...), '/')
	b = appendPadded(b, s.image, 4)
	return appendPadded(append(b, '_'), s.face, 2)
}

func appendPadded(b []byte, v, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for ; v > 0 || i > len(digits)-width; v /= 10 {
		i--
		digits[i] = '0' + byte(v%10)
	}
	return append(b, digits[i:]...)
}

package split

import (
	"fmt"
	"math"
	"strings"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/manifest"
)

// Bounds between the poses, as |t - 1/2| of [poseOf]. A nose as far before the eyes as 0.8 of half the
// distance between them is at 0.12 when the head is turned by 17 degrees and at 0.4 by 45.
const (
	frontalBelow      = 0.12
	threeQuarterBelow = 0.4
)

// The classes of each trait; 0 is unknown.
var (
	ageNames    = []string{"unknown", "0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+"}
	genderNames = []string{"unknown", "f", "m"}
	poseNames   = []string{"unknown", "frontal", "three-quarter", "profile"}
)

// stratum numbers the classes of a record in the traits t.
func stratum(r *manifest.Record, t Traits) uint8 {
	n := 0
	if t&Age != 0 {
		n = ageOf(r.Age)
	}
	n *= len(genderNames)
	if t&Gender != 0 {
		switch r.Gender {
		case manifest.Female:
			n++
		case manifest.Male:
			n += 2
		}
	}
	n *= len(poseNames)
	if t&Pose != 0 && r.HasLandmarks {
		n += poseOf(&r.Landmarks)
	}
	return uint8(n) // below 11*3*4
}

// stratumName is "age=20-29 pose=frontal" of a number.
func stratumName(n uint8, t Traits) string {
	pose, rest := int(n)%len(poseNames), int(n)/len(poseNames)
	gender, age := rest%len(genderNames), rest/len(genderNames)
	var out []string
	for i, name := range []string{ageNames[age], genderNames[gender], poseNames[pose]} {
		if t>>i&1 == 1 {
			out = append(out, traitNames[i]+"="+name)
		}
	}
	return strings.Join(out, " ")
}

func ageOf(years float32) int {
	if !(years >= 0) || math.IsInf(float64(years), 0) {
		return 0
	}
	return 1 + int(min(years/10, float32(len(ageNames)-2)))
}

// poseOf tells how far a head is turned by where the nose is between the eyes. With the eyes at L and R and the nose
// at N,
//
//	t = (N - L) . (R - L) / |R - L|^2
//
// is 0 below the left eye, 1 below the right one and 1/2 in the middle, wherever the head is inclined to.
// |t - 1/2| grows with the tangent of the head's turn: frontal is below 0.12, three-quarter below
// 0.4, profile the rest. Eyes in one place tell nothing: 0.
func poseOf(l *face.Landmarks) int {
	if !l.Finite() {
		return 0
	}
	ex, ey := l[1].X-l[0].X, l[1].Y-l[0].Y
	nx, ny := l[2].X-l[0].X, l[2].Y-l[0].Y
	// Products are rounded before they are added, so that all CPUs agree.
	square := float64(ex*ex) + float64(ey*ey)
	along := float64(nx*ex) + float64(ny*ey)
	if !(square > 0) || math.IsInf(square, 0) {
		return 0
	}
	switch off := math.Abs(along/square - 0.5); {
	case off < frontalBelow:
		return 1
	case off < threeQuarterBelow:
		return 2
	case off >= threeQuarterBelow:
		return 3
	}
	return 0
}

// checkTraits says which trait a manifest knows of no image.
func checkTraits(m *manifest.Reader, t Traits) error {
	c := m.Counts()
	for i, n := range []int64{c.Ages, c.Genders, c.Landmarks} {
		if t>>i&1 == 1 && n == 0 {
			return fmt.Errorf("%w: strata by %s, but the manifest has %s of no image", ErrOption, traitNames[i], []string{"the age", "the gender", "landmarks"}[i])
		}
	}
	return nil
}

// Stratum is one stratum's images in train and val.
type Stratum struct {
	Name  string `json:"stratum"` // "age=20-29 gender=f"
	Train int    `json:"train_images"`
	Val   int    `json:"val_images"`
}

// shares counts the strata that have images in train or val, in the order of the classes.
func (a *Assignment) shares() []Stratum {
	if a.strata == nil {
		return nil
	}
	var count [256][2]int
	for i, r := range a.Rows {
		if r.Part == Train || r.Part == Val {
			count[a.strata[i]][r.Part]++
		}
	}
	var out []Stratum
	for n, c := range count {
		if c[Train]+c[Val] > 0 {
			out = append(out, Stratum{stratumName(uint8(n), a.Options.Stratify), c[Train], c[Val]})
		}
	}
	return out
}

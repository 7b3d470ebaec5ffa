package face

import (
	"errors"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

func TestEstimateSimilarityRecoversTheMap(t *testing.T) {
	r := rng.Stream(1, "similarity")
	for range 200 {
		angle, scale := r.Between(-math.Pi, math.Pi), r.Between(0.05, 20)
		want := Affine{
			scale * math.Cos(angle), -scale * math.Sin(angle), r.Between(-500, 500),
			scale * math.Sin(angle), scale * math.Cos(angle), r.Between(-500, 500),
		}
		var dst Landmarks
		for i, p := range ArcFace {
			dst[i] = want.Apply(p)
		}
		got, err := EstimateSimilarity(ArcFace, dst)
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(got, want); d > 1e-9 {
			t.Fatalf("EstimateSimilarity = %v, want %v", got, want)
		}
	}
}

// Any small change of the estimate must make the squared distance larger.
func TestEstimateSimilarityIsTheLeast(t *testing.T) {
	r := rng.Stream(2, "least")
	for range 50 {
		var src Landmarks
		for i := range src {
			src[i] = Point{ArcFace[i].X + 6*r.Norm(), ArcFace[i].Y + 6*r.Norm()}
		}
		m, err := EstimateSimilarity(src, ArcFace)
		if err != nil {
			t.Fatal(err)
		}
		if m.A*m.E-m.B*m.D <= 0 {
			t.Fatalf("%v mirrors", m)
		}
		best := misfit(m, src, ArcFace)
		for range 20 {
			da, db := 1e-3*r.Norm(), 1e-3*r.Norm()
			n := Affine{m.A + da, m.B - db, m.C + r.Norm(), m.D + db, m.E + da, m.F + r.Norm()}
			if got := misfit(n, src, ArcFace); got < best {
				t.Fatalf("misfit %v is below the estimate's %v", got, best)
			}
		}
	}
}

func TestEstimateSimilarityDegenerate(t *testing.T) {
	nan := ArcFace
	nan[2].X = math.NaN()
	one := Landmarks{{3, 3}, {3, 3}, {3, 3}, {3, 3}, {3, 3}}
	for name, pair := range map[string][2]Landmarks{
		"not finite":  {nan, ArcFace},
		"src a point": {one, ArcFace},
		"dst a point": {ArcFace, one},
	} {
		if _, err := EstimateSimilarity(pair[0], pair[1]); !errors.Is(err, ErrDegenerate) {
			t.Errorf("%s: error %v, want ErrDegenerate", name, err)
		}
	}
}

func TestBoxToSizeMapsEdges(t *testing.T) {
	m, err := BoxToSize(Box{-10, 20, 40, 80}, 20, 20)
	if err != nil {
		t.Fatal(err)
	}
	// The box's first column of pixels has its centre at x = -10, and two of them make one.
	if got, want := m.Apply(Point{-9.5, 21.5}), (Point{0, 0}); math.Hypot(got.X-want.X, got.Y-want.Y) > 1e-12 {
		t.Errorf("first pixel's centre maps to %v, want %v", got, want)
	}
	back, err := m.Invert()
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Apply(Point{19.5, 19.5}); math.Hypot(got.X-29.5, got.Y-99.5) > 1e-12 {
		t.Errorf("last edge maps back to %v, want {29.5 99.5}", got)
	}
	if _, err := BoxToSize(Box{0, 0, 0, 5}, 1, 1); !errors.Is(err, ErrDegenerate) {
		t.Errorf("empty box: error %v, want ErrDegenerate", err)
	}
}

func TestBoxShapes(t *testing.T) {
	b := Box{10, 20, 50, 100}
	for _, c := range []struct {
		name      string
		got, want Box
	}{
		{"Extend", b.Extend(0.3), Box{2.5, 5, 65, 130}},
		{"Floor", b.Floor(0.875), Box{-8.75, 20, 87.5, 100}},
		{"Floor of a wide box", b.Floor(0.4), b},
		{"Square", b.Square(), Box{-15, 20, 100, 100}},
		{"Intersect", b.Intersect(Box{0, 0, 30, 30}), Box{10, 20, 20, 10}},
		{"Intersect apart", b.Intersect(Box{100, 0, 30, 30}), Box{}},
	} {
		if c.got != c.want {
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
}

func misfit(m Affine, src, dst Landmarks) (sum float64) {
	for i := range src {
		p := m.Apply(src[i])
		sum += (p.X-dst[i].X)*(p.X-dst[i].X) + (p.Y-dst[i].Y)*(p.Y-dst[i].Y)
	}
	return sum
}

func distance(a, b Affine) float64 {
	d := 0.0
	for _, v := range []float64{a.A - b.A, a.B - b.B, a.C - b.C, a.D - b.D, a.E - b.E, a.F - b.F} {
		d = max(d, math.Abs(v))
	}
	return d
}

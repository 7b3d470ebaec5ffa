package pixel

import (
	"encoding/csv"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/vf2prep/vf2prep/face"
)

// aligned is a real photo and the map that moves its landmarks onto ArcFace's template.
type aligned struct {
	path  string
	m     [6]float64
	scale float64 // photo pixels per output pixel
}

// realFaces lists every image of vf2real with landmarks, and skips the test where it is absent.
func realFaces(t testing.TB) []aligned {
	t.Helper()
	data := os.Getenv("VF2PREP_DATA")
	if data == "" {
		data = "../../shared/data"
	}
	root := filepath.Join(data, "vf2real")
	var out []aligned
	for _, part := range []string{"train", "test"} {
		f, err := os.Open(filepath.Join(root, "bb_landmark", "loose_landmark_"+part+".csv"))
		if err != nil {
			t.Skipf("no real faces: %v", err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			var at face.Landmarks
			for i := range at {
				at[i].X, _ = strconv.ParseFloat(row[1+2*i], 64)
				at[i].Y, _ = strconv.ParseFloat(row[2+2*i], 64)
			}
			to, err := face.EstimateSimilarity(at, face.ArcFace)
			if err != nil {
				continue
			}
			b, err := to.Invert()
			if err != nil {
				continue
			}
			out = append(out, aligned{filepath.Join(root, part, row[0]+".jpg"), [6]float64{b.A, b.B, b.C, b.D, b.E, b.F}, math.Hypot(b.A, b.D)})
		}
	}
	return out
}

func (a aligned) planes(t testing.TB) Planes {
	t.Helper()
	f, err := os.Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return FromImage(img)
}

// photo is an RGB image in floating point: what a decoder with linear chroma makes of planes.
type photo struct {
	w, h int
	v    [][3]float64
}

func newPhoto(p Planes) *photo {
	g := &photo{p.W, p.H, make([][3]float64, p.W*p.H)}
	for y := range p.H {
		for x := range p.W {
			var v [3]float64
			for c, pl := range p.Channel {
				at := func(i, j int) float64 {
					return float64(pl.Pix[max(0, min(pl.H-1, j))*pl.Stride+max(0, min(pl.W-1, i))])
				}
				sx, sy := (float64(x)+0.5)/float64(pl.DX)-0.5, (float64(y)+0.5)/float64(pl.DY)-0.5
				i, j := int(math.Floor(sx)), int(math.Floor(sy))
				a, b := sx-float64(i), sy-float64(j)
				v[c] = (1-b)*((1-a)*at(i, j)+a*at(i+1, j)) + b*((1-a)*at(i, j+1)+a*at(i+1, j+1))
			}
			if p.YCbCr {
				yy, cb, cr := v[0], v[1]-128, v[2]-128
				v = [3]float64{yy + 1.402*cr, yy - 0.344136*cb - 0.714136*cr, yy + 1.772*cb}
			}
			for c := range v {
				v[c] = max(0, min(255, v[c]))
			}
			g.v[y*p.W+x] = v
		}
	}
	return g
}

// warp returns 3 x n x n values, each the mean of sub x sub samples: cubic, or bilinear ones.
func (g *photo) warp(n, sub int, m [6]float64, bilinear bool) []float64 {
	out := make([]float64, 3*n*n)
	k := cubic
	if bilinear {
		k = linear
	}
	for i := range n * n {
		var sum [3]float64
		for q := range sub * sub {
			x := float64(i%n) + (float64(q%sub)+0.5)/float64(sub) - 0.5
			y := float64(i/n) + (float64(q/sub)+0.5)/float64(sub) - 0.5
			sx, sy := m[0]*x+m[1]*y+m[2], m[3]*x+m[4]*y+m[5]
			ix, iy := int(math.Floor(sx)), int(math.Floor(sy))
			var wx [4]float64
			for a := range wx {
				wx[a] = k.at(math.Abs(float64(ix+a-1) - sx))
			}
			for b := iy - 1; b <= iy+2; b++ {
				wy := k.at(math.Abs(float64(b) - sy))
				if b < 0 || b >= g.h || wy == 0 {
					continue // black
				}
				for a, w := range wx {
					if a += ix - 1; a >= 0 && a < g.w {
						v := &g.v[b*g.w+a]
						w *= wy
						sum[0] += w * v[0]
						sum[1] += w * v[1]
						sum[2] += w * v[2]
					}
				}
			}
		}
		for c, v := range sum {
			out[c*n*n+i] = max(0, min(255, v/float64(sub*sub)))
		}
	}
	return out
}

// Real faces, aligned, must come close to 6 x 6 cubic samples a pixel, and closer than one
// bilinear sample does, which is OpenCV's INTER_LINEAR, at every scale.
func TestQualityOnRealFaces(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	bands := []float64{0, 0.75, 1, 1.5, 2, 3, 4, math.Inf(1)} // source pixels per output pixel
	const each = 4                                            // photos a band
	var chosen [][]aligned
	for range bands[1:] {
		chosen = append(chosen, nil)
	}
	faces := realFaces(t)
	for i := range faces {
		a := faces[i*787%len(faces)] // spread over the identities
		b := 0
		for a.scale >= bands[b+1] {
			b++
		}
		if len(chosen[b]) < each {
			chosen[b] = append(chosen[b], a)
		}
	}
	type total struct{ ours, twin, n float64 }
	totals := make([]total, len(chosen))
	var group sync.WaitGroup
	for b := range chosen {
		group.Go(func() {
			for _, a := range chosen[b] {
				const n = 112
				src := a.planes(t)
				g := newPhoto(src)
				want, twin := g.warp(n, 6, a.m, false), g.warp(n, 1, a.m, true)
				got := make([]uint8, 3*n*n)
				Warp(got, n, n, src, a.m, Antialias, false)
				for i, v := range want {
					totals[b].ours += square(float64(got[i]) - v)
					totals[b].twin += square(math.Round(twin[i]) - v)
				}
				totals[b].n += float64(len(want))
			}
		})
	}
	group.Wait()
	decibel := func(sum, n float64) float64 { return 10 * math.Log10(255*255*n/sum) }
	var all total
	for b, v := range totals {
		ours, twin := decibel(v.ours, v.n), decibel(v.twin, v.n)
		t.Logf("scale %4.2f to %4.2f: %.1f dB, bilinear %.1f dB (%d photos)", bands[b], bands[b+1], ours, twin, len(chosen[b]))
		if ours <= twin {
			t.Errorf("scale %v to %v: %.1f dB, want more than bilinear's %.1f", bands[b], bands[b+1], ours, twin)
		}
		if bands[b] >= 2 && ours < 48 {
			t.Errorf("scale %v to %v: %.1f dB, want at least 48", bands[b], bands[b+1], ours)
		}
		all.ours, all.twin, all.n = all.ours+v.ours, all.twin+v.twin, all.n+v.n
	}
	ours := decibel(all.ours, all.n)
	t.Logf("all: %.1f dB, bilinear %.1f dB", ours, decibel(all.twin, all.n))
	if ours < 45 {
		t.Errorf("all: %.1f dB, want at least 45", ours)
	}
}

func square(v float64) float64 { return v * v }

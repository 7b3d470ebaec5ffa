package cache

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/face"
)

// drawn draws a grey JPEG with a white square of 8x8 pixels about each point.
func drawn(t *testing.T, w, h int, points ...face.Point) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = 60
	}
	for _, p := range points {
		for y := int(p.Y) - 4; y < int(p.Y)+4; y++ {
			for x := int(p.X) - 4; x < int(p.X)+4; x++ {
				if x >= 0 && y >= 0 && x < w && y < h {
					img.Pix[y*w+x] = 250
				}
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 98}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func recipe(t *testing.T, name string) *Recipe {
	t.Helper()
	r, err := LoadRecipe(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// centroid returns the centre of the bright pixels within 12 of p in the first plane.
func centroid(r *Recipe, dst []uint8, p face.Point) face.Point {
	var sum, sx, sy float64
	for y := max(0, int(p.Y)-12); y < min(r.Height, int(p.Y)+12); y++ {
		for x := max(0, int(p.X)-12); x < min(r.Width, int(p.X)+12); x++ {
			if v := float64(dst[y*r.Width+x]); v > 120 {
				sum += v
				sx += v * float64(x)
				sy += v * float64(y)
			}
		}
	}
	return face.Point{X: sx / sum, Y: sy / sum}
}

func TestSimilarityPutsLandmarksOnTheTemplate(t *testing.T) {
	for _, size := range []string{"", "224x224", "112x96"} {
		r, err := LoadRecipe("arcface-112", size)
		if err != nil {
			t.Fatal(err)
		}
		var l face.Landmarks
		angle := 0.3
		for i, p := range face.ArcFace {
			l[i] = face.Point{
				X: 120 + 1.6*(p.X*math.Cos(angle)-p.Y*math.Sin(angle)),
				Y: 20 + 1.6*(p.X*math.Sin(angle)+p.Y*math.Cos(angle)),
			}
		}
		dst := make([]uint8, 3*r.Height*r.Width)
		to, err := r.Transform(drawn(t, 300, 260, l[0], l[1]), nil, &l, dst)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range r.template() {
			if got := to.Apply(l[i]); math.Hypot(got.X-want.X, got.Y-want.Y) > 1e-6 {
				t.Errorf("%s: landmark %d maps to %v, want %v", r.Name, i, got, want)
			}
		}
		for i := range 2 { // the pixels are where the map says; the square is half a pixel off its point
			want := to.Apply(face.Point{X: math.Floor(l[i].X) - 0.5, Y: math.Floor(l[i].Y) - 0.5})
			if got := centroid(r, dst, want); math.Hypot(got.X-want.X, got.Y-want.Y) > 0.4 {
				t.Errorf("%s: square %d is at %v, want %v", r.Name, i, got, want)
			}
		}
	}
}

func TestBoxRecipe(t *testing.T) {
	r := recipe(t, "vggface2-256")
	// 80 wide, 100 high: widened to 87.5, then 1.3 times as long: 130 high, so 130 square.
	if got, want := r.crop(face.Box{X: 100, Y: 50, W: 80, H: 100}), (face.Box{X: 75, Y: 35, W: 130, H: 130}); got != want {
		t.Errorf("crop = %v, want %v", got, want)
	}
	dst := make([]uint8, 3*256*256)
	box := face.Box{X: -20, Y: 10, W: 60, H: 60}
	if _, err := r.Transform(drawn(t, 120, 120), &box, nil, dst); err != nil {
		t.Fatal(err)
	}
	if dst[128*256] != 0 || dst[128*256+255] < 50 {
		t.Errorf("left of the photo %d, want black; inside %d, want grey", dst[128*256], dst[128*256+255])
	}
}

func TestTransformRejects(t *testing.T) {
	good := drawn(t, 60, 60)
	l := face.ArcFace
	far := l
	for i := range far {
		far[i].X += 1000
	}
	outside := face.Box{X: 200, Y: 0, W: 20, H: 20}
	for _, c := range []struct {
		recipe string
		img    []byte
		box    *face.Box
		l      *face.Landmarks
		want   string
	}{
		{"arcface-112", nil, nil, &l, "decode: empty file"},
		{"arcface-112", []byte("no picture"), nil, &l, "decode: damaged or no JPEG"},
		{"arcface-112", good[:len(good)/2], nil, &l, "decode: damaged or no JPEG"},
		{"arcface-112", good, nil, nil, "geometry: no landmarks"},
		{"arcface-112", good, nil, &face.Landmarks{}, "geometry: degenerate"},
		{"arcface-112", good, nil, &far, "geometry: landmarks outside the image"},
		{"vggface2-256", good, nil, &l, "geometry: no box"},
		{"vggface2-256", good, &outside, nil, "geometry: box outside the image"},
	} {
		r := recipe(t, c.recipe)
		_, err := r.Transform(c.img, c.box, c.l, make([]uint8, 3*r.Height*r.Width))
		rejection := (*Rejection)(nil)
		if !errors.As(err, &rejection) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want a rejection %q", err, c.want)
		}
	}
}

func TestRecipes(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range Recipes() {
		r := recipe(t, n)
		back, err := ParseRecipe(r.Text())
		if err != nil || *back != *r {
			t.Errorf("%s reads back as %+v, %v", n, back, err)
		}
		seen[r.Digest()] = true
	}
	if len(seen) != len(Recipes()) {
		t.Errorf("%d digests of %d recipes", len(seen), len(Recipes()))
	}
	path := filepath.Join(t.TempDir(), "mine.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("name: mine\ngeometry: box\nheight: 64\nwidth: 48\nmargin: 0.2\n")
	r, err := LoadRecipe(path, "")
	if err != nil || r.Margin != 0.2 || r.Fit != "square" || r.Sampling != "antialias" {
		t.Errorf("recipe %+v, %v", r, err)
	}
	for _, bad := range []string{
		"name: mine\ngeometry: box\nheight: 64\n", "geometry: box\nheight: 64\nwidth: 48\n",
		"name: x\ngeometry: cube\nheight: 1\nwidth: 1\n", "name: x\ngeometry: whole\nheight: 1\nwidth: 1\ncolour: red\n",
		"name: x\ngeometry: box\nheight: 9\nwidth: 9\nmargin: .nan\n", "\t",
		"name: x\ngeometry: whole\nheight: 100000\nwidth: 1\n",
	} {
		write(bad)
		if _, err := LoadRecipe(path, ""); err == nil {
			t.Errorf("recipe %q is taken", bad)
		}
	}
	if _, err := LoadRecipe("arcface-113", ""); err == nil || !strings.Contains(err.Error(), "arcface-112") {
		t.Errorf("unknown recipe: %v, want the known ones", err)
	}
	if _, err := LoadRecipe("arcface-112", "64"); err == nil {
		t.Error("size 64 is taken")
	}
}

func TestAllowance(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want int
	}{{"0", 100, 0}, {"25", 100, 25}, {"1%", 250, 2}, {"100%", 7, 7}, {"0.5%", 1000, 5}} {
		a, err := ParseAllowance(c.text)
		if err != nil || a.Of(c.n) != c.want {
			t.Errorf("%s of %d = %d, %v, want %d", c.text, c.n, a.Of(c.n), err, c.want)
		}
	}
	for _, bad := range []string{"", "-1", "x", "101%", "NaN%"} {
		if _, err := ParseAllowance(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzParseRecipe(f *testing.F) {
	f.Add([]byte("name: mine\ngeometry: box\nheight: 64\nwidth: 48\nmargin: 0.2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRecipe(b); err == nil && (r.Height > maxSide || r.Width > maxSide) {
			t.Fatal(fmt.Sprint(r))
		}
	})
}

package synth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/rng"
)

func draw(t *testing.T, o Options) *Result {
	t.Helper()
	res, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// tree returns the digest of every file.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)], err = digest.File(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWorkersChangeNoByte(t *testing.T) {
	one, many := t.TempDir(), t.TempDir()
	o := Options{Out: one, Identities: 6, TestIdentities: 2, Images: 4, Spread: 0.5, Seed: 3, Workers: 1}
	draw(t, o)
	o.Out, o.Workers = many, 5
	draw(t, o)
	if d := cmp.Diff(tree(t, one), tree(t, many)); d != "" {
		t.Errorf("1 and 5 workers (-1 +5):\n%s", d)
	}
}

func TestRunGoesOn(t *testing.T) {
	dir := t.TempDir()
	o := Options{Out: dir, Identities: 3, TestIdentities: 1, Images: 3, Seed: 5}
	draw(t, o)
	want := tree(t, dir)
	var images []string
	for name := range want {
		if strings.HasSuffix(name, ".jpg") {
			images = append(images, filepath.Join(dir, name))
		}
	}
	if len(images) != 9 {
		t.Fatalf("%d images, want 9", len(images))
	}
	// One image is missing, one was cut by a loss of power, a list is gone.
	os.Remove(images[0])
	if err := os.Truncate(images[1], 100); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "meta", "train_list.txt"))
	res := draw(t, o)
	if res.Drawn != 2 || res.Kept != 7 {
		t.Errorf("drew %d and kept %d, want 2 and 7", res.Drawn, res.Kept)
	}
	if d := cmp.Diff(want, tree(t, dir)); d != "" {
		t.Errorf("after going on (-straight +resumed):\n%s", d)
	}
}

func TestForeignDirectoryIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := Options{Out: dir, Identities: 1, TestIdentities: 0, Images: 1}
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrForeign) {
		t.Errorf("Run = %v, want ErrForeign", err)
	}
	o.Force = true
	draw(t, o)
	o.Force, o.Seed = false, 9
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrForeign) {
		t.Errorf("Run over another seed's set = %v, want ErrForeign", err)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Identities: 1, Images: 1},
		{Out: "x", Images: 1},
		{Out: "x", Identities: 1},
		{Out: "x", Identities: 1, TestIdentities: 2, Images: 1},
		{Out: "x", Identities: 1, Images: 1, Spread: math.NaN()},
		{Out: "x", Identities: 400000, Images: 1000},
	} {
		if _, err := Run(context.Background(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("Run(%+v) = %v, want ErrOptions", o, err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := Options{Out: t.TempDir(), Identities: 2, Images: 2}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want context.Canceled", err)
	}
	o.MetadataOnly, o.Out = true, t.TempDir()
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Run of metadata = %v, want context.Canceled", err)
	}
}

// What was drawn once is drawn for ever: a change of these digests changes every set that was
// made from a seed, and needs a new markerFormat. Pixels, not JPEG bytes, which belong to Go's
// encoder.
func TestGolden(t *testing.T) {
	pixels := digest.New()
	var p painter
	var ph photo
	var out image.RGBA
	for i := range 12 {
		who := newPerson(rng.Stream(1, "person", i), i%2 == 0)
		ph.take(&who, rng.Stream(1, "photo", i))
		p.paint(&ph, &out, rng.Stream(1, "paint", i))
		pixels.Write(out.Pix)
	}
	people, err := plan(&Options{Identities: 5, TestIdentities: 1, Images: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	text := digest.New()
	writeIdentityMeta(text, people)
	for i := range people {
		for _, b := range people[i].rows(1, 8) {
			text.Write(b)
		}
	}
	const wantPixels, wantText = "xxh3-128:a706dc356e242aaf298248df3db4864a", "xxh3-128:98f3a5238b52cc007138e7f1510919e4"
	if got := pixels.String(); got != wantPixels {
		t.Errorf("pixels = %s, want %s", got, wantPixels)
	}
	if got := text.String(); got != wantText {
		t.Errorf("metadata = %s, want %s", got, wantText)
	}
}

// The stored image is the box extended by 1.0, width at least 0.875 of the height, clipped; the
// landmarks lie on the face and in their order.
func TestGeometry(t *testing.T) {
	var ph photo
	outside := 0
	for i := range 2000 {
		who := newPerson(rng.Stream(7, "person", i), i%2 == 0)
		ph.take(&who, rng.Stream(7, "photo", i))
		b := ph.box
		wide := max(2*int(b.W), round(0.875*2*b.H))
		if ph.w > wide || ph.h > 2*int(b.H) || ph.w < 4 || ph.h < 4 {
			t.Fatalf("photo %d: %dx%d pixels for box %v", i, ph.w, ph.h, b)
		}
		if b.X < 0 || b.Y < 0 || b.X+b.W > float64(ph.w) || b.Y+b.H > float64(ph.h) {
			outside++
		}
		l := ph.landmarks
		if !l.Finite() || !(l[0].Y < l[3].Y && l[1].Y < l[4].Y && l[0].X < l[1].X+b.W/4) {
			t.Fatalf("photo %d: landmarks %v", i, l)
		}
		for k, q := range l {
			if q.X < b.X-0.15*b.W-1 || q.X > b.X+1.15*b.W+1 || q.Y < b.Y-0.1*b.H-1 || q.Y > b.Y+1.1*b.H+1 {
				t.Errorf("photo %d: landmark %d %v is far from box %v", i, k, q, b)
			}
		}
	}
	if outside < 5 || outside > 100 {
		t.Errorf("%d of 2000 boxes leave the image; a few do in the real set", outside)
	}
}

// The pupils are where the landmarks say: paint one face with red irises and find them.
func TestLandmarksMeetThePixels(t *testing.T) {
	found := 0
	for i := range 200 {
		who := newPerson(rng.Stream(11, "person", i), i%2 == 0)
		var ph photo
		ph.take(&who, rng.Stream(11, "photo", i))
		if ph.h < 150 || math.Abs(ph.yaw) > 0.4 || ph.head.lids < 0.7 {
			continue
		}
		ph.glasses, ph.shades, ph.grey, ph.noise, ph.blur, ph.gazeX, ph.gazeY = false, false, false, 0, 0, 0, 0
		ph.who.iris = rgb{0, 400, 0}
		ph.who.skin, ph.who.lip = rgb{200, 100, 100}, rgb{200, 0, 0}
		ph.tint, ph.gain, ph.contrast = rgb{1, 1, 1}, 1, 1
		var p painter
		var out image.RGBA
		p.paint(&ph, &out, rng.Stream(11, "paint", i))
		for _, eye := range ph.landmarks[:2] {
			var sx, sy, n float64
			r := ph.sight.scale * 0.08
			for y := int(eye.Y - 3*r); y <= int(eye.Y+3*r); y++ {
				for x := int(eye.X - 2*r); x <= int(eye.X+2*r); x++ {
					if !(image.Point{X: x, Y: y}).In(out.Rect) {
						continue
					}
					c := out.RGBAAt(x, y)
					if green := float64(c.G) - float64(max(c.R, c.B)); green > 40 {
						sx, sy, n = sx+green*float64(x), sy+green*float64(y), n+green
					}
				}
			}
			if n == 0 {
				continue // hidden by hair
			}
			found++
			if dx, dy := sx/n-eye.X, sy/n-eye.Y; math.Hypot(dx, dy) > 0.07*ph.sight.scale {
				t.Errorf("photo %d: iris is (%.1f, %.1f) pixels off, the face is %.0f high", i, dx, dy, 2*ph.sight.scale)
			}
		}
	}
	if found < 40 {
		t.Errorf("found %d irises, want at least 40", found)
	}
}

func TestFilesAgree(t *testing.T) {
	dir := t.TempDir()
	draw(t, Options{Out: dir, Identities: 7, TestIdentities: 2, Images: 5, Seed: 2})
	for _, s := range []string{"train", "test"} {
		list := strings.Fields(read(t, dir, "meta", s+"_list.txt"))
		boxes := strings.Split(strings.TrimSpace(read(t, dir, "bb_landmark", "loose_bb_"+s+".csv")), "\n")[1:]
		marks := strings.Split(strings.TrimSpace(read(t, dir, "bb_landmark", "loose_landmark_"+s+".csv")), "\n")[1:]
		if len(list) != map[string]int{"train": 25, "test": 10}[s] || len(boxes) != len(list) || len(marks) != len(list) {
			t.Fatalf("%s: %d list, %d box, %d landmark rows", s, len(list), len(boxes), len(marks))
		}
		for i, name := range list {
			id := `"` + strings.TrimSuffix(name, ".jpg") + `",`
			if !strings.HasPrefix(boxes[i], id) || !strings.HasPrefix(marks[i], id) {
				t.Errorf("row %d: %s, %s, %s", i, name, boxes[i], marks[i])
			}
			b, err := os.ReadFile(filepath.Join(dir, s, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if a := read(t, dir, "attributes", "01-Male.txt"); strings.Count(a, "\r\n") != 35 || strings.Count(a, "\t") != 35 {
		t.Errorf("01-Male.txt has %d lines, want 35", strings.Count(a, "\r\n"))
	}
	if a := read(t, dir, "meta", "image_age.csv"); strings.Count(a, "\n") != 36 {
		t.Errorf("image_age.csv has %d lines, want 36", strings.Count(a, "\n"))
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMetadataOnlyAgreesWithDrawing(t *testing.T) {
	drawn, bare := t.TempDir(), t.TempDir()
	o := Options{Out: drawn, Identities: 4, TestIdentities: 1, Images: 3, Seed: 8}
	draw(t, o)
	o.Out, o.MetadataOnly = bare, true
	draw(t, o)
	want := tree(t, drawn)
	for name := range want {
		if strings.HasSuffix(name, ".jpg") || name == markerName {
			delete(want, name)
		}
	}
	got := tree(t, bare)
	delete(got, markerName)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metadata (-drawn +only):\n%s", d)
	}
}

func TestNumbers(t *testing.T) {
	for i := range 10001 {
		x := (float64(i)/5000 - 1) * math.Pi
		if d := math.Abs(sin(x) - math.Sin(x)); d > 1e-8 {
			t.Fatalf("sin(%g) is %g off", x, d)
		}
		if d := math.Abs(exp(3*x)/math.Exp(3*x) - 1); d > 1e-9 {
			t.Fatalf("exp(%g) is %g off", 3*x, d)
		}
	}
	for _, c := range []struct {
		x    float64
		want string
	}{{75.812534, "75.81253"}, {110.20771, "110.2077"}, {100, "100"}, {137.667, "137.667"}, {-3.25, "-3.25"}, {0.5, "0.5"}, {12345678, "1.234568e+07"}} {
		if got := string(appendG7(nil, c.x)); got != c.want {
			t.Errorf("appendG7(%v) = %s, want %s", c.x, got, c.want)
		}
	}
}

func TestNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range names(1, make([]bool, 20000)) {
		if seen[n] || strings.ContainsAny(n, "\"\n ") {
			t.Fatalf("name %q", n)
		}
		seen[n] = true
	}
}

func TestIdentityMetaVariants(t *testing.T) {
	dir := os.Getenv("VF2PREP_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "vggface2_meta", "identity_meta*.csv"))
	if len(paths) == 0 {
		t.Skip("no real identity_meta.csv: set VF2PREP_DATA")
	}
	for _, path := range paths {
		people, err := readIdentityMeta(path)
		if err != nil {
			t.Error(err)
			continue
		}
		images, lost, test, female := 0, 0, 0, 0
		for _, p := range people {
			if p.count < 0 {
				lost++
			} else {
				images += p.count
			}
			test += b2i(p.test)
			female += b2i(p.female)
		}
		if len(people) != 9131 || test != 500 || female != 3679 || lost != 0 && lost != 6640 || lost == 0 && images != 3311286 {
			t.Errorf("%s: %d identities, %d test, %d women, %d images, %d without Sample_Num", filepath.Base(path), len(people), test, female, images, lost)
		}
	}
}

func TestIdentityMetaErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "1: no identities",
		"n000001, \"A\", many, 1, m":    `1: Sample_Num: "many", want a number of images`,
		"n000001, \"A\", 3, 2, m":       `1: Flag: "2", want 0 or 1`,
		"n000001, \"A\", 3, 1, x":       `1: Gender: "x", want m or f`,
		"n000001, \"A\"":                "1: 0 fields after the name, want Sample_Num, Flag, Gender",
		"Class_ID\nsomething, A, 1,1,m": `2: Class_ID: "something", want an identity such as n000002`,
	} {
		if _, err := parseIdentityMeta([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("parseIdentityMeta(%q) = %v, want %s", text, err, want)
		}
	}
}

func FuzzIdentityMeta(f *testing.F) {
	f.Add([]byte("Class_ID, Name, Sample_Num, Flag, Gender\nn000658, \"Anne,_Princess_Royal\", 440, 0, f\n"))
	f.Add([]byte("\xef\xbb\xbfn000001,\" \"\"14th_Dalai_Lama\"\"\",424,0, m,\r\n"))
	f.Add([]byte("n000659,\" \"\"Anne-Marie_Duff\"\"\",0, f,\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		people, err := parseIdentityMeta(text)
		if err != nil {
			return
		}
		for _, p := range people {
			if len(p.id) != 7 || p.count < -1 || p.count > maxSamples {
				t.Fatal(fmt.Sprint(p))
			}
		}
	})
}

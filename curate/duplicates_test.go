package curate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	imagedraw "image/draw"
	"image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/realdata"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
)

// drawn is a picture of smooth waves, another for each number.
func drawn(n int) *image.RGBA {
	r := rng.Stream(uint64(n), "picture")
	m := image.NewRGBA(image.Rect(0, 0, 90, 100))
	var waves [8][4]float64
	for i := range waves {
		waves[i] = [4]float64{r.Between(0.01, 0.08), r.Between(0.01, 0.08), r.Between(0, 6), r.Between(10, 40)}
	}
	for y := range 100 {
		for x := range 90 {
			v := 128.0
			for _, w := range waves {
				d := float64(x)*w[0] + float64(y)*w[1] + w[2]
				v += w[3] * (2*float64(int(d)%2) - 1) * (d - float64(int(d)))
			}
			i := m.PixOffset(x, y)
			m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = uint8(min(max(v, 0), 255)), uint8(min(max(v*0.8, 0), 255)), uint8(min(max(255-v, 0), 255)), 255
		}
	}
	return m
}

func encoded(t *testing.T, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The bits of a hash are kept in journals and must not change.
func TestHashIsFixed(t *testing.T) {
	var hashes []uint64
	for n := range 6 {
		var small thumb
		if _, err := thumbRecipe.Transform(encoded(t, drawn(n), 90), nil, nil, small[:]); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, Hash(small[:]))
	}
	const want = "xxh3-128:b238134ed8be9677f29a6aa2af0fa45e"
	if got := digest.Bytes(fmt.Appendf(nil, "%016x", hashes)); got != want {
		t.Errorf("digest of %016x = %s, want %s", hashes, got, want)
	}
	for v := range 256 {
		if h := Hash(bytes.Repeat([]byte{uint8(v)}, 3*side*side)); h != 0 {
			t.Errorf("one colour, %d: %016x, want 0", v, h)
		}
	}
}

// photoSet is a data set of VGGFace2's form with its manifest.
func photoSet(t *testing.T, files map[string][]byte) (root string, m *manifest.Reader) {
	t.Helper()
	root = t.TempDir()
	for name, b := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "m.parquet")
	if _, err := manifest.Build(context.Background(), manifest.BuildOptions{Root: root, Out: out}); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return root, m
}

func TestDuplicatesOfPhotos(t *testing.T) {
	files := map[string][]byte{}
	for n := range 30 {
		files[fmt.Sprintf("train/n%06d/%04d_01.jpg", 2+n/10, n%10+1)] = encoded(t, drawn(n), 92)
	}
	files["train/n000004/0011_01.jpg"] = files["train/n000002/0001_01.jpg"]                                                 // the same bytes under another name
	files["test/n000009/0001_01.jpg"] = encoded(t, drawn(1), 50)                                                            // re-encoded, into another part
	files["train/n000003/0011_01.jpg"] = encoded(t, imaging.Resize(drawn(12), 50, 55, imaging.Lanczos), 85)                 // smaller
	files["train/n000003/0012_01.jpg"] = encoded(t, imaging.AdjustContrast(imaging.AdjustBrightness(drawn(13), 8), 12), 90) // brighter
	files["train/n000003/0013_01.jpg"] = []byte("no photo")
	for n := range 40 { // many of one hash, of which pictures differ in pairs only
		files[fmt.Sprintf("test/n000010/%04d_01.jpg", n+1)] = encoded(t, image.NewGray(image.Rect(0, 0, 40+n%2, 40)), 90)
	}
	root, m := photoSet(t, files)
	o := DuplicateOptions{Manifest: m, Root: root, Distance: UsualDistance, Difference: UsualDifference, Out: t.TempDir(), Sheet: 5}
	d, err := FindDuplicates(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, x := range d.List {
		found[x.A+" "+x.B] = x.Kind
	}
	for pair, kind := range map[string]string{
		"n000002/0001_01 n000004/0011_01": Exact, "n000002/0002_01 n000009/0001_01": Alike,
		"n000003/0003_01 n000003/0011_01": Alike, "n000003/0004_01 n000003/0012_01": Alike,
	} {
		if found[pair] != kind {
			t.Errorf("%s: %q, want %s", pair, found[pair], kind)
		}
	}
	black := 0
	for pair := range found {
		if pair[:7] == "n000010" {
			black++
		}
	}
	if black < 39 || black > 39*manyAlike || d.Pairs != black+4 || d.Images != 75 || d.Rejected != 1 || d.AcrossParts != 1 || d.AcrossIdentities != 2 || d.Groups != 5 || d.Extra != 43 {
		t.Errorf("%d pairs of black images, %+v", black, d)
	}
	if d.List[0].B != "n000009/0001_01" {
		t.Errorf("the worst pair is %+v, want the one across parts", d.List[0])
	}
	want := filesOf(t, o.Out)
	for _, name := range []string{duplicatesCSV, groupsCSV, duplicatesJSON, rejectsCSV, duplicatesPNG} {
		if len(want[name]) == 0 {
			t.Errorf("%s is missing or empty", name)
		}
	}

	// One worker, and a journal that is cut anywhere, end in the same files.
	journal := want[hashesName]
	for _, cut := range []int{0, 5, len(journal) / 2, len(journal) - 1} {
		again := o
		again.Out = t.TempDir()
		if err := os.WriteFile(filepath.Join(again.Out, hashesName), journal[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		old := runtime.GOMAXPROCS(1 + cut%3)
		_, err := FindDuplicates(context.Background(), again)
		runtime.GOMAXPROCS(old)
		if got := filesOf(t, again.Out); err != nil || !maps.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("journal of %d bytes: %v, other files", cut, err)
		}
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	o.Out = t.TempDir()
	if _, err := FindDuplicates(stopped, o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v, want Canceled", err)
	}
}

// With --box one face in photos that are cut otherwise is found; without it is not. An image without a box is a
// reject.
func TestDuplicatesOfBoxes(t *testing.T) {
	framed := func(face, frame, x, y int) []byte {
		m := image.NewRGBA(image.Rect(0, 0, 200, 220))
		imagedraw.Draw(m, m.Bounds(), imaging.Resize(drawn(frame), 200, 220, imaging.Linear), image.Point{}, imagedraw.Src)
		imagedraw.Draw(m, image.Rect(x, y, x+90, y+100), drawn(face), image.Point{}, imagedraw.Src)
		return encoded(t, m, 88)
	}
	root, m := photoSet(t, map[string][]byte{
		"train/n000002/0001_01.jpg":      framed(1, 11, 30, 40),
		"train/n000003/0001_01.jpg":      framed(1, 12, 71, 83),
		"train/n000003/0002_01.jpg":      framed(2, 12, 50, 50),
		"train/n000003/0003_01.jpg":      framed(1, 12, 71, 83),
		"bb_landmark/loose_bb_train.csv": []byte("NAME_ID,X,Y,W,H\n\"n000002/0001_01\",30,40,90,100\n\"n000003/0001_01\",71,83,90,100\n\"n000003/0002_01\",50,50,90,100\n"),
	})
	for _, box := range []bool{false, true} {
		d, err := FindDuplicates(context.Background(), DuplicateOptions{Manifest: m, Root: root, Distance: 8, Difference: 12, Box: box, Out: t.TempDir(), Sheet: 1})
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{false: "n000003/0001_01 n000003/0003_01 exact same-identity, 0 rejected, photo", true: "n000002/0001_01 n000003/0001_01 near across-identities, 1 rejected, box"}[box]
		got := ""
		for _, x := range d.List {
			got += fmt.Sprintf("%s %s %s %s, ", x.A, x.B, x.Kind, x.Scope)
		}
		if got += fmt.Sprintf("%d rejected, %s", d.Rejected, d.Looked); got != want {
			t.Errorf("box %v: %s, want %s", box, got, want)
		}
	}
}

// Images that show nobody in particular have no identities that differ.
func TestDuplicatesOfNobody(t *testing.T) {
	root := t.TempDir()
	for name, b := range map[string][]byte{"26_1_0_20170116174525125.jpg": encoded(t, drawn(1), 90), "27_1_0_20170116174525126.jpg": encoded(t, drawn(1), 60)} {
		if err := os.WriteFile(filepath.Join(root, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "m.parquet")
	if _, err := manifest.Build(context.Background(), manifest.BuildOptions{Root: root, Out: out, Layout: manifest.UTKFace}); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d, err := FindDuplicates(context.Background(), DuplicateOptions{Manifest: m, Root: root, Distance: UsualDistance, Difference: UsualDifference, Out: t.TempDir()})
	if err != nil || d.Pairs != 1 || d.List[0].Scope != UnknownIdentity || d.AcrossIdentities != 0 {
		t.Errorf("%+v, %v, want a pair of unknown identity", d, err)
	}
}

// Of a group the test part's image stays, then val's, then the largest, then the first.
func TestKeeper(t *testing.T) {
	p := &photoPictures{}
	for i, x := range []struct {
		part   string
		pixels int
	}{{"train", 100}, {"train", 300}, {"val", 50}, {"train", 300}, {"test", 20}, {"excluded", 900}} {
		key := fmt.Sprintf("n000002/%04d_01", i+1)
		if err := p.add(key, "train/"+key+".jpg", x.part, uint64(i), x.pixels, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		members []int
		want    int
	}{{[]int{0, 1, 2, 3, 4}, 4}, {[]int{0, 1, 2, 3}, 2}, {[]int{0, 1, 3}, 1}, {[]int{0, 3}, 3}, {[]int{0, 5}, 0}} {
		if got := keeper(c.members, p); got != c.want {
			t.Errorf("keeper of %d = %d, want %d", c.members, got, c.want)
		}
	}
}

func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, n := range names {
		if out[filepath.Base(n)], err = os.ReadFile(n); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// copied is a photo re-encoded, shrunk or brightened.
func copied(t *testing.T, photo []byte, how int) []byte {
	t.Helper()
	m, err := imaging.Decode(bytes.NewReader(photo))
	if err != nil {
		t.Fatal(err)
	}
	switch how % 3 {
	case 0:
		return encoded(t, m, 60)
	case 1:
		return encoded(t, imaging.Resize(m, max(1, m.Bounds().Dx()*6/10), 0, imaging.Lanczos), 90)
	}
	return encoded(t, imaging.AdjustBrightness(m, 10), 90)
}

// Copies of real faces: re-encoded, shrunk, brightened, each under another identity. All are found, and
// nothing that was not planted is paired with another identity.
func TestDuplicatesOfRealFaces(t *testing.T) {
	real := realdata.Dir(t, "vf2real")
	names, err := filepath.Glob(filepath.Join(real, "train", "*", "*.jpg"))
	if err != nil || len(names) < 600 {
		t.Fatalf("%d photos, %v", len(names), err)
	}
	files := map[string][]byte{}
	planted := map[string]string{}
	for i := 0; i < 600; i++ {
		b, err := os.ReadFile(names[i])
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.ToSlash(names[i][len(real)+1:])
		files[name] = b
		if i%10 != 0 {
			continue
		}
		key := fmt.Sprintf("n999999/%04d_01", i/10+1)
		files["train/"+key+".jpg"] = copied(t, b, i/10)
		planted[name[len("train/"):len(name)-len(".jpg")]+" "+key] = ""
	}
	root, m := photoSet(t, files)
	d, err := FindDuplicates(context.Background(), DuplicateOptions{Manifest: m, Root: root, Distance: UsualDistance, Difference: UsualDifference, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	hits, wrong := 0, []string{}
	for _, x := range d.List {
		if _, ok := planted[x.A+" "+x.B]; ok {
			hits++
		} else if identity(x.A) != "n999999" && identity(x.B) != "n999999" && !x.SameIdentity {
			wrong = append(wrong, x.A+" "+x.B)
		}
	}
	t.Logf("%d of %d planted copies found, %d pairs in all, %d of two other identities", hits, len(planted), d.Pairs, len(wrong))
	if hits != len(planted) || len(wrong) > 0 {
		t.Errorf("%d of %d planted copies found; false ones: %v", hits, len(planted), slices.Compact(wrong))
	}
}

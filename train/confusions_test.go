package train

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConfusions(t *testing.T) {
	rec := &Record{}
	c := confusions{}
	for i := range 30 {
		rec.Classes = append(rec.Classes, fmt.Sprintf("n%06d", i+2))
		c[pair{int32(i), int32(i)}] = 5
	}
	dir := t.TempDir()
	if err := drawConfusions(dir, rec, c); err != nil {
		t.Fatal(err)
	}
	if got, want := string(read(t, filepath.Join(dir, ConfusionsCSV))), "identity,taken_for,images,of\n"; got != want {
		t.Errorf("without a mistake: %q, want %q", got, want)
	}
	right := read(t, filepath.Join(dir, ConfusionsPNG))

	c[pair{7, 3}], c[pair{3, 7}], c[pair{3, 1}] = 2, 2, 4
	if err := drawConfusions(dir, rec, c); err != nil {
		t.Fatal(err)
	}
	want := `identity,taken_for,images,of
n000005,n000003,4,11
n000005,n000009,2,11
n000009,n000005,2,7
`
	if got := string(read(t, filepath.Join(dir, ConfusionsCSV))); got != want {
		t.Errorf("pairs\n%swant\n%s", got, want)
	}
	few := read(t, filepath.Join(dir, ConfusionsPNG))
	if bytes.Equal(few, right) {
		t.Error("mistakes don't change the picture")
	}

	for i := range 25 { // more than the picture has room for
		c[pair{int32(i), int32(i + 5)}] = 1 + i%3
	}
	var first []byte
	for range 3 {
		if err := drawConfusions(dir, rec, c); err != nil {
			t.Fatal(err)
		}
		b := read(t, filepath.Join(dir, ConfusionsPNG))
		if first == nil {
			first = b
		}
		if !bytes.Equal(b, first) {
			t.Error("two drawings differ")
		}
	}
	if img, err := png.Decode(bytes.NewReader(first)); err != nil || img.Bounds().Dx() != 240+36*21 {
		t.Errorf("picture of 20 identities and others: %v, %v", img.Bounds(), err)
	}
}

func TestWorst(t *testing.T) {
	made, met := map[int32]int{9: 1, 4: 3, 2: 3, 3: 3}, map[int32]int{4: 1, 7: 8}
	if got, want := worst(made, met), []int32{4, 2, 3, 9, 7}; !slices.Equal(got, want) {
		t.Errorf("worst = %v, want %v", got, want)
	}
	for i := range int32(30) {
		made[100+i] = 2
	}
	if got := worst(made, met); len(got) != maxWorst || got[3] != 100 || got[19] != 116 {
		t.Errorf("worst = %v, want three and 100 to 116", got)
	}
}

// The list says of the kept weights what validation's top-1 says.
func TestConfusionsOfARun(t *testing.T) {
	o := usual(t)
	o.Epochs = 2
	r := mustRun(t, o)
	wrong := 0
	lines := strings.Split(strings.TrimSpace(string(read(t, filepath.Join(o.Out, ConfusionsCSV)))), "\n")
	for _, line := range lines[1:] {
		var n, of int
		if _, err := fmt.Sscanf(strings.ReplaceAll(line[len("n000002,n000003,"):], ",", " "), "%d %d", &n, &of); err != nil || of != 2 {
			t.Fatalf("%q: %v, want counts of 2 images", line, err)
		}
		wrong += n
	}
	if want := float64(6-wrong) / 6; *r.ValTop1 != want {
		t.Errorf("top-1 %v, %d of 6 images in %s", *r.ValTop1, wrong, ConfusionsCSV)
	}
	if len(read(t, filepath.Join(o.Out, ConfusionsPNG))) == 0 {
		t.Error("no picture")
	}
}

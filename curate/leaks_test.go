package curate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/realdata"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/split"
)

func TestReadPeople(t *testing.T) {
	dir := t.TempDir()
	for file, c := range map[string]struct {
		text, column string
		want         []string
		says         string
	}{
		"people.txt": {"2\nAaron_Eckhart\t1\nAaron_Guiel\t1\n", "", []string{"Aaron_Eckhart", "Aaron_Guiel"}, ""},
		"pairs.txt":  {"1\t2\nA_B\t1\t4\nC_D\t1\tE_F\t2\n", "", []string{"A_B", "C_D", "E_F"}, ""},
		"files.txt":  {"A_B_0001.jpg\nA_B_0002.JPG\r\n# nobody\n", "", []string{"A_B"}, ""},
		"blanks.txt": {"10 300\r\nA_B 1 4\nMadonna 2 Cher 3\nLouis 14\nJane Doe\n", "", []string{"A_B", "Cher", "Jane Doe", "Louis 14", "Madonna"}, ""},
		"splits.txt": {"split number, pair number, first name, second name, is same, is same name\n1 , 1 , Ann_Ex/0, Ben_Ex/3, 0 , 0\n", "",
			[]string{"Ann_Ex", "Ben_Ex", "split number, pair number, first name, second name, is same, is same name"}, ""},
		"pairs.csv": {"n000001/0001_01,n000002/0004_02.jpg,1,3\nlfw/Ann_Ex/Ann_Ex_0001.jpg,x/Ben/b.png,0,1\n", "", []string{"Ann_Ex", "Ben", "n000001", "n000002"}, ""},
		"webface":   {"0000045 Michael_Douglas\n0000099 Kate_W\n", "", []string{"Kate_W", "Michael_Douglas"}, ""},
		"slash.txt": {"AC/DC\n", "", []string{"AC/DC"}, ""},
		"comma.txt": {"Eckhart, Aaron\n", "", []string{"Eckhart, Aaron"}, ""},
		"meta.csv":  {"\ufeffClass_ID, Name, N\nn000002, \"Doe, Jane\", 3\nn000003, X\n", "name", []string{"Doe, Jane", "X"}, ""},
		"other.csv": {"a,b\n1,2\n", "name", nil, `1: columns ["a" "b"], want "name"`},
		"empty.txt": {"1\n2\n", "", nil, "no name in it"},
		"binary":    {"ok\n\xff\xfe\n", "", nil, "2: "},
		"long.txt":  {strings.Repeat("a", 5000), "", nil, "1: bufio.Scanner: token too long"},
	} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPeople(path, c.column)
		if c.says == "" && (err != nil || !slices.Equal(got, c.want)) {
			t.Errorf("%s: %q, %v, want %q", file, got, err, c.want)
		}
		if c.says != "" && (!errors.Is(err, ErrNames) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: error %v, want ErrNames and %q", file, err, c.says)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "lfw", "Aaron_Eckhart"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPeople(filepath.Join(dir, "lfw"), ""); err != nil || !slices.Equal(got, []string{"Aaron_Eckhart"}) {
		t.Errorf("a folder: %q, %v", got, err)
	}
}

func FuzzReadPeople(f *testing.F) {
	f.Add([]byte("2\nAaron_Eckhart\t1\n"))
	f.Add([]byte("\ufeffname,b\n\"x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, read := range []func() ([]string, error){
			func() ([]string, error) { return readNameLines(bytes.NewReader(b)) },
			func() ([]string, error) { return readNameColumn(bytes.NewReader(b), "name") },
		} {
			list, err := read()
			if err != nil && !errors.Is(err, ErrNames) {
				t.Errorf("error %v wraps no ErrNames", err)
			}
			for _, n := range list {
				if len(n) > maxNameLine {
					t.Errorf("a name of %d bytes", len(n))
				}
			}
		}
	})
}

func TestLeaks(t *testing.T) {
	files, bench := map[string][]byte{}, t.TempDir()
	for n := range 20 {
		files[fmt.Sprintf("train/n%06d/%04d_01.jpg", 2+n/5, n%5+1)] = encoded(t, drawn(n), 92)
	}
	for n := range 12 { // of which two are the data set's, one re-encoded
		b := encoded(t, drawn(100+n), 92)
		if n == 4 {
			b = files["train/n000003/0002_01.jpg"]
		} else if n == 7 {
			b = encoded(t, drawn(11), 55)
		}
		path := filepath.Join(bench, "X", fmt.Sprintf("X_%04d.jpg", n))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, m := photoSet(t, files)
	l, err := FindLeaks(context.Background(), LeakOptions{
		Names:   map[string]string{"n000002": "Beyoncé_Knowles", "n000003": "Jet_Li", "n000004": "Nobody_Else", "n000005": "ÅSA MÜLLER"},
		Against: []string{"Asa_Muller", "BEYONCE KNOWLES", "Beyonce\u0301 Knowles", "Li, Jet", "Somebody"},
		Data:    DuplicateOptions{Manifest: m, Root: root, Distance: UsualDistance, Difference: UsualDifference},
		Images:  bench, Out: t.TempDir() + "/out",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range l.List {
		got = append(got, fmt.Sprintf("%s %s %s (%s)", x.Kind, x.What, x.Benchmark, x.Differs))
	}
	want := []string{"name n000002 Beyonce\u0301 Knowles ()", "name n000005 Asa_Muller (case and accents)", "words n000003 Li, Jet (order)",
		"image n000003/0002_01 X/X_0004.jpg ()", "image n000004/0002_01 X/X_0007.jpg ()"}
	if !slices.Equal(got, want) {
		t.Errorf("leaks %q, want %q", got, want)
	}
	if l.Names != 2 || l.Spelled != 1 || l.Words != 1 || l.SameImages != 2 || l.Images != 20 || l.BenchmarkImages != 12 || l.Identities != 4 || l.Against != 5 {
		t.Errorf("counts %+v", l)
	}
}

// What leaks finds between the real photos and LFW, split make takes.
func TestLeaksOfRealPeople(t *testing.T) {
	real, lfw := realdata.Dir(t, "vf2real"), realdata.Dir(t, "lfw_folds1-5")
	names, err := manifest.Names(context.Background(), filepath.Join(real, "meta", "identity_meta.csv"))
	if err != nil {
		t.Fatal(err)
	}
	against, err := ReadPeople(filepath.Join(lfw, "pairs.txt"), "")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	l, err := FindLeaks(context.Background(), LeakOptions{Names: names, Against: against, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if l.Names+l.Words < 40 {
		t.Errorf("%d + %d of %d people are in LFW, want at least 40", l.Names, l.Words, l.Identities)
	}
	x, err := split.ReadExclusions(filepath.Join(out, excludeTxt))
	if err != nil || x.Len() != l.Names+l.Words {
		t.Errorf("%d exclusions, %v, want %d", x.Len(), err, l.Names+l.Words)
	}
}

// Photos of vf2real hidden in a folder of LFW's, re-encoded, shrunk or brightened: all are found.
func TestLeaksOfRealPhotos(t *testing.T) {
	real, lfw := realdata.Dir(t, "vf2real"), realdata.Dir(t, "lfw_folds1-5")
	ours, err := filepath.Glob(filepath.Join(real, "train", "*", "*.jpg"))
	if err != nil || len(ours) < 300 {
		t.Fatalf("%d photos, %v", len(ours), err)
	}
	theirs, err := filepath.Glob(filepath.Join(lfw, "lfw-deepfunneled", "*", "*.jpg"))
	if err != nil || len(theirs) < 200 {
		t.Fatalf("%d photos of LFW, %v", len(theirs), err)
	}
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files, planted, bench := map[string][]byte{}, map[string]string{}, t.TempDir()
	hide := func(name string, b []byte) {
		path := filepath.Join(bench, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for i, path := range ours[:300] {
		name := filepath.ToSlash(path[len(real)+1:])
		files[name] = read(path)
		if i%10 == 0 {
			to := fmt.Sprintf("Hidden/Hidden_%04d.jpg", i)
			hide(to, copied(t, files[name], i/10))
			planted[to] = strings.TrimSuffix(strings.TrimPrefix(name, "train/"), ".jpg")
		}
	}
	for _, path := range theirs[:200] {
		hide(filepath.ToSlash(path[len(filepath.Join(lfw, "lfw-deepfunneled"))+1:]), read(path))
	}
	root, m := photoSet(t, files)
	l, err := FindLeaks(context.Background(), LeakOptions{Data: DuplicateOptions{Manifest: m, Root: root, Distance: UsualDistance, Difference: UsualDifference}, Images: bench, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for _, x := range l.List {
		if planted[x.Benchmark] == x.What {
			hits++
		}
	}
	t.Logf("%d of %d hidden photos found, %d pairs in all", hits, len(planted), l.SameImages)
	if hits != len(planted) {
		t.Errorf("%d of %d hidden photos found, want all", hits, len(planted))
	}
}

package split

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/manifest"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadExclusions(t *testing.T) {
	x, err := ReadExclusions(write(t, "x.txt", "\ufeff# people\r\nn000002\t # asked to,\tby letter\r\n\r\nn000003/0001_01.jpg\n n000003/0001_01 #again\nAnne_#2\nn000002\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []exclusion{{"n000002", 2, "listed: asked to, by letter"}, {"n000003/0001_01", 4, "listed"}, {"Anne_#2", 6, "listed"}}
	if !slices.Equal(x.entries, want) || x.File != "x.txt" || !strings.HasPrefix(x.Digest, "xxh3-128:") {
		t.Errorf("%+v", x)
	}
	if want := []string{"x.txt:5: n000003/0001_01 is listed twice, first in line 4", "x.txt:7: n000002 is listed twice, first in line 2"}; !slices.Equal(x.Repeated, want) {
		t.Errorf("repeated %q", x.Repeated)
	}
	long := listedReason + ": " + strings.Repeat("é", maxReason/2)
	if x, err = ReadExclusions(write(t, "x.txt", "n1 # "+strings.Repeat("é", maxReason))); err != nil || x.entries[0].reason != long {
		t.Errorf("%v, %+v", err, x)
	}
	for text, want := range map[string]string{
		"n000002\nn000002/1_1\n":         `x.txt:2: "n000002/1_1" is no image such as n000002/0001_01`,
		"n000002/0001_01/x":              "is no image",
		"a:b":                            `x.txt:1: "a:b" is no identity such as n000002`,
		strings.Repeat("x", 300):         "is no identity",
		"\n" + strings.Repeat("y", 5000): "x.txt:2: ",
	} {
		if _, err := ReadExclusions(write(t, "x.txt", text)); !errors.Is(err, ErrList) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
	if _, err := ReadExclusions(t.TempDir()); !errors.Is(err, ErrList) {
		t.Errorf("a directory: %v", err)
	}
}

func TestReadTombstones(t *testing.T) {
	x, err := ReadTombstones(write(t, "t.csv", "what,when,why,state\nn000002,2026-01-02,\"asked, twice\",found\nn000003/0001_01,2026-01-02,,unknown\nn000002,2026-01-03,,found\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []exclusion{{"n000002", 2, "forgotten"}, {"n000003/0001_01", 3, "forgotten"}}; !slices.Equal(x.entries, want) || len(x.Repeated) != 1 {
		t.Errorf("%+v", x)
	}
	for text, want := range map[string]string{
		"":                              `t.csv:1: header "" has no column what`,
		"what,why\nn1,x\n":              "t.csv:1: header \"what,why\" has no column when",
		"what,when,why\nn1,x\n":         "t.csv:2: wrong number of fields",
		"what,when,why\n\n\"n1\n,x,y\n": "t.csv:",
		"what,when,why\n../x,,\n":       `t.csv:2: "../x" is no image`,
	} {
		if _, err := ReadTombstones(write(t, "t.csv", text)); !errors.Is(err, ErrList) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestReadDuplicates(t *testing.T) {
	d, err := ReadDuplicates(write(t, "d.csv", "\ufeffkind,b,a\r\nexact,n1/0001_01,n2/0003_01.jpg\r\nnear,\"n,3/0001_01\",n1/0001_01\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []manifest.ImageID{{Identity: "n2", Image: 3, Face: 1}, {Identity: "n1", Image: 1, Face: 1}, {Identity: "n,3", Image: 1, Face: 1}}
	if !slices.Equal(d.images, want) || d.Pairs() != 2 || d.pairs[1][0] != d.pairs[0][1] {
		t.Errorf("%+v", d)
	}
	for text, want := range map[string]string{
		"a,c\nn1/0001_01,n1/0001_02\n": `d.csv:1: header "a,c" has no column b`,
		"a,b\nn1/0001_01,n1\n":         `d.csv:2: "n1" is no image such as n000002/0001_01`,
		"a,b\nn1/0001_01\n":            "d.csv:2: wrong number of fields",
	} {
		if _, err := ReadDuplicates(write(t, "d.csv", text)); !errors.Is(err, ErrList) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What a list names and the manifest has not is an error that names it, unless that is allowed.
func TestUnknown(t *testing.T) {
	w := &world{}
	for _, id := range []string{"n1", "n2"} {
		for i := range 4 {
			w.records = append(w.records, manifest.Record{ID: manifest.ImageID{Identity: id, Image: int32(i + 1), Face: 1}, Subset: manifest.Train})
		}
	}
	o := Options{Strategy: FirstN, Val: 1, MinTrain: 1}
	make := func(in Inputs) (*Assignment, error) {
		in.named = func(id string) bool { return id == "n7" } // the identity table has one without images
		return assign(w.all(), "d", false, o, in)
	}
	w.exclude = []string{"n7", "n9", "n1/0001_01", "n1/0009_01"}
	in := Inputs{Exclude: w.inputs(t).Exclude}
	if _, err := make(in); !errors.Is(err, ErrUnknown) || err.Error() != "exclude.txt: n9 (line 2), n1/0009_01 (line 4): not in the manifest" {
		t.Errorf("exclude: %v", err)
	}
	in.AllowUnknown = true
	a, err := make(in)
	if err != nil || a.listed != 1 || a.Inputs[0].Unknown != 2 || a.Rows[0].Reason != "listed" {
		t.Errorf("exclude: %v, %+v", err, a)
	}
	// One that is gone connects others still; n2/0001_01 follows n1/0002_01.
	w.duplicates = []string{"n1/0002_01,n3/0001_01", "n3/0001_01,n2/0001_01"}
	in = Inputs{Duplicates: w.inputs(t).Duplicates}
	if _, err := make(in); !errors.Is(err, ErrUnknown) || err.Error() != "d.csv: n3/0001_01 (line 2): not in the manifest" {
		t.Errorf("duplicates: %v", err)
	}
	in.AllowUnknown = true
	a, err = make(in)
	if err != nil || a.Rows[4].Part != Train || a.together.Moved != 1 || a.Counts().Val != 1 {
		t.Errorf("duplicates: %v, %+v", err, a)
	}
	// Tombstones name what is gone: no error.
	w.tombstones = []string{"n9,2026-01-02,", "n1,2026-01-02,"}
	a, err = make(Inputs{Tombstones: w.inputs(t).Tombstones})
	if err != nil || a.forgotten != 4 || a.Inputs[0].Unknown != 1 || len(a.Dropped) != 0 || !slices.Equal(a.Classes, []string{"n2"}) {
		t.Errorf("tombstones: %v, %+v", err, a)
	}
}

func FuzzReadLists(f *testing.F) {
	f.Add([]byte("# who\nn000002 # why\nn000003/0001_01.jpg\nn000002\n"))
	f.Add([]byte("what,when,why\nn000002,2026-01-02,\"a \"\"b\"\"\"\n"))
	f.Add([]byte("a,b,kind,distance\nn000002/0001_01,n000003/0002_01,near,3\n"))
	f.Add([]byte("\ufeffx,b,a\r\n1,\"n,2/0001_01\",n,2/0001_02\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func(*Exclusions) error{
			func(x *Exclusions) error { return parseExclusions(x, bytes.NewReader(b)) },
			func(x *Exclusions) error { return parseTombstones(x, bytes.NewReader(b)) },
		} {
			x := newExclusions("f")
			if err := parse(x); err != nil && !errors.Is(err, ErrList) {
				t.Errorf("%v, want an error that wraps ErrList", err)
			}
			if len(x.entries) != len(x.identities)+len(x.images) {
				t.Errorf("%d entries, %d identities, %d images", len(x.entries), len(x.identities), len(x.images))
			}
			for _, e := range x.entries { // an entry can be read again, and a reason is one line
				y := newExclusions("g")
				if err := y.add(e.what, e.reason, 1); err != nil || y.entries[0].what != e.what || strings.ContainsAny(e.reason, "\r\n") {
					t.Errorf("entry %+v: %v", e, err)
				}
			}
		}
		d := newDuplicates("f")
		if err := d.parse(bytes.NewReader(b)); err != nil && !errors.Is(err, ErrList) {
			t.Errorf("%v, want an error that wraps ErrList", err)
		}
		for i, id := range d.images {
			if again, err := parseKey(id.String()); err != nil || again != id || d.index[id] != int32(i) {
				t.Errorf("image %d is %v, again %v, %v", i, id, again, err)
			}
		}
	})
}

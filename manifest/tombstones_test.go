package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTombstonesSurviveTheirFile(t *testing.T) {
	var list Tombstones
	for _, s := range []Tombstone{
		{"n000123", "2026-11-27", "request 17", false},
		{"n000456/0007_01", "2026-11-27", `she said: "me, too"`, false},
		{"Anne, Princess", "2026-11-28", "", true},
		{"n000123", "2026-11-29", "again", false},
	} {
		list.Add(s)
	}
	path := filepath.Join(t.TempDir(), "t.csv")
	if err := list.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTombstones(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(list.All(), got.All()); d != "" || got.Len() != 3 {
		t.Errorf("written and read (-want +got):\n%s", d)
	}
	for key, want := range map[string]string{
		"n000123/0001_01": "n000123", "n000456/0007_01": "n000456/0007_01", "Anne, Princess/0001_01": "Anne, Princess",
		"n000456/0007_02": "", "n0001234/0001_01": "", "n000123": "", "": "",
	} {
		if by := got.By(key); by != want || got.Covers(key) != (want != "") {
			t.Errorf("By(%q) = %q, want %q", key, by, want)
		}
	}
	if got.Add(Tombstone{What: "Anne, Princess", When: "2026-11-30"}); got.All()[2].Unknown {
		t.Error("what was found later is still unknown")
	}
	classes := []string{"Anne, Princess", "n000001", "n000123"}
	if d := cmp.Diff([]string{".forgotten-0", "n000001", ".forgotten-2"}, got.Classes(classes)); d != "" {
		t.Errorf("classes:\n%s", d)
	}
}

// A line that can't be read is an error, never somebody who is not forgotten.
func TestTombstonesAreReadWholeOrNotAtAll(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "header",
		"a,b,c\n":                             "header",
		"what,when,why\nn000001,2026-11-27\n": "wrong number of fields",
		"what,when,why\nn000001/1_1,2026-11-27,x\n":         "no image",
		"what,when,why\n../up,2026-11-27,x\n":               "no image",
		"what,when,why\n.hidden,2026-11-27,x\n":             "no identity",
		"what,when,why\n\"\",2026-11-27,x\n":                "no identity",
		"what,when,why\nn000001,yesterday,x\n":              "no date",
		"what,when,why\nn000001,2026-13-01,x\n":             "no date",
		"what,when,why\nn000001,2026-11-27,\"x\ny\"\n":      "one line",
		"what,when,why\nn000001,2026-11-27,\"x\n":           "quote",
		"what,when,why,state\nn000001,2026-11-27,x,a,b\n":   "wrong number of fields",
		"what,when,why\nn1,2026-11-27,\xff\n":               "one line",
		"what,when,why\nn1,2026-11-27," + long + "\n":       "one line",
		"what,when,why\n" + long + ",2026-11-27,x\n":        "no identity",
		"what,when,why\n" + long + "/0001_01,2026-11-27,\n": "no image",
	} {
		_, err := parseTombstones(strings.NewReader(text))
		if !errors.Is(err, ErrTombstones) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{"what,when,why\n", "\ufeffwhat,when,why,state,more\r\nn000001,2026-11-27,x,found,y\r\n"} {
		if _, err := parseTombstones(strings.NewReader(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

var long = strings.Repeat("x", maxTombstoneText+1)

func FuzzTombstones(f *testing.F) {
	f.Add([]byte("what,when,why\nn000001,2026-11-27,x\n"))
	f.Add([]byte("\ufeffwhat,when,why,state\r\nn000001/0001_01,2026-11-27,\"a,\"\"b\",unknown\r\n"))
	f.Add([]byte("what,when,why\nn000001/1,2026-11-27,x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseTombstones(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrTombstones) {
				t.Fatalf("%v does not wrap ErrTombstones", err)
			}
			return
		}
		path := filepath.Join(t.TempDir(), "t.csv")
		if err := list.Write(path); err != nil {
			t.Fatal(err)
		}
		again, err := ReadTombstones(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(list.All(), again.All()) {
			t.Fatalf("%v became %v", list.All(), again.All())
		}
		for _, s := range list.All() {
			if key := s.What; !list.Covers(key) && !list.Covers(key+"/0001_01") {
				t.Fatalf("%q covers nothing", key)
			}
		}
	})
}

// A manifest without some images is the manifest of a data set that is built without them, and one with
// nothing to forget is not touched.
func TestForgetIsBuildingWithout(t *testing.T) {
	m := randomManifest(rand.New(rand.NewPCG(5, 6)), rowGroupRows+999)
	for i := range 9 {
		m.Identities = append(m.Identities, Identity{ID: fmt.Sprintf("n%06d", i), Name: fmt.Sprintf("Name_%d", i), Samples: 300, Subset: Train, Gender: Male, Age: unknownAge()})
	}
	path := filepath.Join(t.TempDir(), "m.parquet")
	if err := Write(path, m); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list Tombstones
	list.Add(Tombstone{What: "n999999", When: "2026-11-27"})
	if f, err := Forget(path, &list); err != nil || f.Images != 0 || f.Before != f.After {
		t.Fatalf("nothing to forget: %+v, %v", f, err)
	}
	first, last := m.Records[0].ID, m.Records[len(m.Records)-1].ID
	list.Add(Tombstone{What: first.Identity, When: "2026-11-27"})
	list.Add(Tombstone{What: last.String(), When: "2026-11-27"})
	f, err := Forget(path, &list)
	if err != nil {
		t.Fatal(err)
	}
	gone := func(r Record) bool { return r.ID.Identity == first.Identity || r.ID == last }
	want := *m
	want.Records = slices.DeleteFunc(slices.Clone(m.Records), gone)
	want.Identities = slices.DeleteFunc(slices.Clone(m.Identities), func(id Identity) bool { return id.ID == first.Identity })
	want.Counts.Forgotten = int64(len(m.Records) - len(want.Records))
	twin := filepath.Join(t.TempDir(), "twin.parquet")
	if err := Write(twin, &want); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(twin)
	if f.Images != want.Counts.Forgotten || f.Images == 0 || !bytes.Equal(a, b) || bytes.Equal(a, whole) {
		t.Errorf("%d of %d rows forgotten; the bytes are those of a manifest without them: %v", f.Images, len(m.Records), bytes.Equal(a, b))
	}
	if f, err = Forget(path, &list); err != nil || f.Images != 0 || f.Identities != 0 {
		t.Errorf("again: %+v, %v", f, err)
	}
	if h, err := Hold(path, &list); err != nil || len(h.What) != 0 || len(h.Paths) != 0 {
		t.Errorf("what is left: %+v, %v", h, err)
	}
}

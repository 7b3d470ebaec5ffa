package split

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
)

// records yields n images of each identity, sorted as a manifest is.
func records(train, test map[string]int) iter.Seq2[*manifest.Record, error] {
	return func(yield func(*manifest.Record, error) bool) {
		for _, s := range []struct {
			subset manifest.Subset
			ids    map[string]int
		}{{manifest.Train, train}, {manifest.Test, test}} {
			var names []string
			for id := range s.ids {
				names = append(names, id)
			}
			slices.Sort(names)
			for _, id := range names {
				for i := range s.ids[id] {
					r := &manifest.Record{ID: manifest.ImageID{Identity: id, Image: int32(1 + i/2), Face: int32(1 + i%2)}, Subset: s.subset}
					if !yield(r, nil) {
						return
					}
				}
			}
		}
	}
}

func mustAssign(t *testing.T, o Options, train, test map[string]int) *Assignment {
	t.Helper()
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	a, err := assign(records(train, test), "d", false, o, Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFirstN(t *testing.T) {
	train := map[string]int{"n000002": 5, "n000003": 3, "n000005": 1, "n000006": 4}
	a := mustAssign(t, Options{Strategy: FirstN, Val: 3, MinTrain: 1}, train, map[string]int{"n000001": 2})
	want := Counts{
		Train: 3, Val: 6, Test: 2, Excluded: 4, TrainIdentities: 2, ValIdentities: 2, TestIdentities: 1,
		Untrained: []string{}, Dropped: []string{"n000003", "n000005"},
	}
	if d := cmp.Diff(want, a.Counts()); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"n000002", "n000006"}, a.Classes); d != "" {
		t.Errorf("classes (-want +got):\n%s", d)
	}
	for i, want := range []Part{Val, Val, Val, Train, Train} { // by image number, then face number
		if a.Rows[i].Part != want {
			t.Errorf("row %d %s is %s, want %s", i, a.Rows[i].ID, a.Rows[i].Part, want)
		}
	}
	a = mustAssign(t, Options{Strategy: FirstN, Val: 3, MinTrain: 0}, train, nil)
	if got := a.Counts(); got.Val != 10 || len(got.Untrained) != 2 || got.Excluded != 0 {
		t.Errorf("to the letter: %+v", got)
	}
}

// An identity more moves no other, whatever the strategy.
func TestGrowthMovesNobody(t *testing.T) {
	r := rng.Stream(1, "growth")
	for _, o := range []Options{
		{Strategy: FirstN, Val: 4, MinTrain: 1},
		{Strategy: Ratio, Ratio: 0.2, Seed: 5, MinTrain: 1},
		{Strategy: ByIdentity, Ratio: 0.3, Seed: 5, MinTrain: 1},
		{Strategy: Random, Ratio: 0.3, Seed: 5},
	} {
		ids := map[string]int{}
		before := map[manifest.ImageID]Part{}
		for i := range 30 {
			ids[fmt.Sprintf("n%06d", r.IntN(9999)+10000*(i%3))] = 1 + r.IntN(12)
			now := map[manifest.ImageID]Part{}
			for _, row := range mustAssign(t, o, ids, nil).Rows {
				now[row.ID] = row.Part
			}
			for id, p := range before {
				if q, ok := now[id]; ok && p != q && ids[id.Identity] == countOf(before, id.Identity) {
					t.Fatalf("%s: %s moves from %s to %s", o.Strategy, id, p, q)
				}
			}
			before = now
		}
	}
}

func countOf(m map[manifest.ImageID]Part, id string) (n int) {
	for k := range m {
		if k.Identity == id {
			n++
		}
	}
	return n
}

func TestRatioAndIdentity(t *testing.T) {
	ids := map[string]int{}
	for i := range 100 {
		ids[fmt.Sprintf("n%06d", i)] = 10
	}
	ids["n100000"] = 1
	a := mustAssign(t, Options{Strategy: Ratio, Ratio: 0.2, Seed: 1, MinTrain: 1}, ids, nil)
	if n := a.Counts(); n.Val != 200 || n.Train != 801 {
		t.Errorf("ratio: %d train, %d val, want 801 and 200", n.Train, n.Val)
	}
	a = mustAssign(t, Options{Strategy: ByIdentity, Ratio: 0.2, Seed: 1, MinTrain: 1}, ids, nil)
	train, val := map[string]bool{}, map[string]bool{}
	for _, r := range a.Rows {
		if r.Part == Train {
			train[r.ID.Identity] = true
		} else {
			val[r.ID.Identity] = true
		}
	}
	for id := range val {
		if train[id] {
			t.Errorf("identity: %s trains and validates", id)
		}
	}
	if len(val) < 8 || len(val) > 35 {
		t.Errorf("identity: %d of 101 identities validate, want about 20", len(val))
	}
	if len(a.Untrained) != 0 {
		t.Errorf("identity: untrained %v", a.Untrained)
	}
}

// Random draws each image for itself; an identity that is left without a training image has no
// class.
func TestRandom(t *testing.T) {
	a := mustAssign(t, Options{Strategy: Random, Ratio: 0.2, Seed: 1, MinTrain: 1}, map[string]int{"a": 4000, "b": 6000}, map[string]int{"c": 50})
	if n := a.Counts(); n.Val < 1900 || n.Val > 2100 || n.Train+n.Val != 10000 || n.Test != 50 || len(a.Classes) != 2 {
		t.Errorf("%+v, want about 2000 of 10000 in val", n)
	}
	b := mustAssign(t, Options{Strategy: Random, Ratio: 0.2, Seed: 2, MinTrain: 1}, map[string]int{"a": 4000, "b": 6000}, nil)
	same := 0
	for i := range b.Rows {
		if a.Rows[i].Part == Val && b.Rows[i].Part == Val {
			same++
		}
	}
	if same < 300 || same > 500 {
		t.Errorf("%d images in val with both seeds, want about 400", same)
	}
	ids := map[string]int{}
	for i := range 100 {
		ids[fmt.Sprint("n", i)] = 1
	}
	a = mustAssign(t, Options{Strategy: Random, Ratio: 0.5, Seed: 1}, ids, nil)
	if n := a.Counts(); len(a.Classes) != n.Train || len(n.Untrained) != n.Val || n.Excluded != 0 {
		t.Errorf("%+v, %d classes", n, len(a.Classes))
	}
}

// Images without identities are split, but get no class, whatever --min-train says.
func TestAnonymous(t *testing.T) {
	m := &manifest.Manifest{Layout: manifest.UTKFace}
	for i := range 1000 {
		id := manifest.ImageID{Identity: fmt.Sprintf("20_0_0_%04d", i), Image: 1, Face: 1}
		m.Records = append(m.Records, manifest.Record{ID: id, Subset: manifest.Train, Path: id.Identity + ".jpg"})
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "m.parquet")
	if err := manifest.Write(path, m); err != nil {
		t.Fatal(err)
	}
	r, err := manifest.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, o := range []Options{{Strategy: FirstN, Val: 20}, {Strategy: Ratio, Ratio: 0.2}, {Strategy: ByIdentity, Ratio: 0.2}} {
		if _, err := Make(r, o); !errors.Is(err, ErrOption) {
			t.Errorf("%s: %v, want ErrOption", o.Strategy, err)
		}
	}
	a, err := Make(r, Options{Strategy: Random, Ratio: 0.2, Seed: 3, MinTrain: 9})
	if err != nil {
		t.Fatal(err)
	}
	if n := a.Counts(); n.Train+n.Val != 1000 || n.Val < 150 || n.Val > 250 || n.TrainIdentities+n.ValIdentities+len(n.Untrained)+len(a.Classes) != 0 {
		t.Errorf("%+v, classes %v", n, a.Classes)
	}
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	rep, err := Check(dir, r)
	if err != nil || len(rep.Problems) > 0 || rep.Images != 1000 {
		t.Errorf("check: %v, %+v", err, rep)
	}
}

func TestFilesRoundTrip(t *testing.T) {
	dir := t.TempDir()
	a := mustAssign(t, Options{Strategy: FirstN, Val: 2, MinTrain: 1}, map[string]int{"n000002": 5, "n000009": 2}, map[string]int{"n000001": 2})
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	s, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.Counts(), s.Counts); d != "" || s.Manifest != "d" || s.Options != a.Options {
		t.Errorf("split %+v, counts (-want +got):\n%s", s, d)
	}
	var back [parts][]manifest.ImageID
	for _, r := range a.Rows {
		back[r.Part] = append(back[r.Part], r.ID)
	}
	if d := cmp.Diff(back, s.Parts); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
	text, err := os.ReadFile(filepath.Join(dir, "val_list.txt"))
	if err != nil || string(text) != "n000002/0001_01.jpg\nn000002/0001_02.jpg\n" {
		t.Errorf("val_list.txt = %q, %v", text, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "val_list.txt"), []byte(strings.Replace(string(text), "0001_02", "0001_03", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); !errors.Is(err, ErrCorrupt) {
		t.Errorf("changed list: error %v, want ErrCorrupt", err)
	}
}

// A list streamed is the list read, and Join gives every image of the manifest its part.
func TestEachAndJoin(t *testing.T) {
	m := &manifest.Manifest{}
	for r := range records(map[string]int{"n000002": 5, "n000003": 1, "n000009": 4}, map[string]int{"n000001": 2}) {
		r.Path = string(r.Subset) + "/" + r.ID.String() + ".jpg"
		m.Records = append(m.Records, *r)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "m.parquet")
	if err := manifest.Write(path, m); err != nil {
		t.Fatal(err)
	}
	r, err := manifest.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a, err := Make(r, Options{Strategy: FirstN, Val: 2, MinTrain: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	want, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for p := range parts {
		var got []manifest.ImageID
		for id, err := range s.Each(p) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, id)
		}
		if d := cmp.Diff(want.Parts[p], got); d != "" {
			t.Errorf("%s (-want +got):\n%s", p, d)
		}
	}
	i := 0
	for q, err := range s.Join(r) {
		if err != nil {
			t.Fatal(err)
		}
		if q.Record.ID != a.Rows[i].ID || q.Part != a.Rows[i].Part {
			t.Errorf("row %d: %s in %s, want %s in %s", i, q.Record.ID, q.Part, a.Rows[i].ID, a.Rows[i].Part)
		}
		i++
	}
	if i != len(a.Rows) {
		t.Errorf("%d rows, want %d", i, len(a.Rows))
	}
	joined := func(s *Split) (err error) {
		for _, err = range s.Join(r) {
		}
		return err
	}
	other := *s
	other.Manifest = "another"
	if err := joined(&other); !errors.Is(err, ErrMismatch) {
		t.Errorf("another manifest: %v, want ErrMismatch", err)
	}
	// Lists whose digests are right but that are not of this manifest.
	for _, c := range []struct {
		name   string
		change func(rows []Row) []Row
	}{
		{"an image less", func(rows []Row) []Row { return rows[1:] }},
		{"an image more", func(rows []Row) []Row {
			return append(slices.Clone(rows), Row{ID: manifest.ImageID{Identity: "n000077", Image: 1, Face: 1}, Part: Test})
		}},
		{"another order", func(rows []Row) []Row {
			rows = slices.Clone(rows)
			rows[0], rows[1] = rows[1], rows[0]
			return rows
		}},
	} {
		forged := &Assignment{Options: a.Options, Manifest: a.Manifest, Rows: c.change(a.Rows), Classes: a.Classes}
		dir := t.TempDir()
		if err := forged.Write(dir); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := joined(s); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v, want ErrMismatch", c.name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "test_list.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for id, err := range s.Each(Test) {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("changed list: %v, %v, want ErrCorrupt", id, err)
		}
	}
	if err := joined(s); !errors.Is(err, ErrCorrupt) {
		t.Errorf("changed list: %v, want ErrCorrupt", err)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte("n000002/0001_01.jpg\nn000002/0001_02.jpg\n"), false)
	f.Add([]byte("image,reason\nn000002/0001_01,\"too few\"\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, excluded bool) {
		p := Train
		if excluded {
			p = Excluded
		}
		l := newList(bytes.NewReader(b), "f", p)
		for n := 0; ; n++ {
			id, err := l.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("%v, want an error that wraps ErrCorrupt", err)
				}
				break
			}
			if again, err := manifest.ParseImageID(id.String()); err != nil || again != id || n > len(b)/minLine {
				t.Errorf("image %d is %v, again %v, %v", n, id, again, err)
			}
		}
		_, _ = parseDocument(b)
	})
}

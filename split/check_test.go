package split

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/manifest"
)

// checkWorld has two people with two photos of two faces each and four of one, and a test person.
func checkWorld(t *testing.T) (*world, *manifest.Reader) {
	t.Helper()
	w := &world{}
	add := func(id string, subset manifest.Subset, image, face int32) {
		r := manifest.Record{ID: manifest.ImageID{Identity: id, Image: image, Face: face}, Subset: subset, Gender: manifest.Male, HasLandmarks: true, Landmarks: face5(0.5)}
		r.Path = string(subset) + "/" + r.ID.String() + ".jpg"
		w.records = append(w.records, r)
	}
	for _, id := range []string{"n000002", "n000003"} {
		for image := range int32(6) {
			add(id, manifest.Train, image+1, 1)
			if image < 2 {
				add(id, manifest.Train, image+1, 2)
			}
		}
	}
	add("n000001", manifest.Test, 1, 1)
	w.sort()
	path := filepath.Join(t.TempDir(), "m.parquet")
	if err := manifest.Write(path, &manifest.Manifest{Records: w.records}); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	w.duplicates = []string{"n000002/0005_01,n000003/0006_01", "n000003/0004_01,n000001/0001_01"}
	w.exclude = []string{"n000003/0005_01 # blurred, \"very\""}
	w.tombstones = []string{"n000002/0006_01,2026-01-02,"}
	return w, m
}

// Files whose digests are right but that break a promise are found out.
func TestCheckFindsForgery(t *testing.T) {
	w, m := checkWorld(t)
	o := Options{Strategy: FirstN, Val: 3, MinTrain: 1, Group: Photo}
	row := func(a *Assignment, key string) *Row {
		return &a.Rows[slices.IndexFunc(a.Rows, func(r Row) bool { return r.ID.String() == key })]
	}
	for _, c := range []struct {
		want  string
		forge func(a *Assignment)
	}{
		{"", func(*Assignment) {}},
		{"n000002/0001_02 of train and n000002/0001_01 of val are faces of one photo", func(a *Assignment) { row(a, "n000002/0001_02").Part = Train }},
		{"n000003/0006_01 of train and n000002/0005_01 of val are duplicates", func(a *Assignment) { row(a, "n000002/0005_01").Part = Val }},
		{"n000001/0001_01 of test and n000003/0004_01 of train are duplicates", func(a *Assignment) { *row(a, "n000003/0004_01") = Row{ID: row(a, "n000003/0004_01").ID} }},
		{"train: strategy first-n puts", func(a *Assignment) { row(a, "n000003/0003_01").Part = Val }},
		{`n000003/0004_01 is excluded because of "why not", want "duplicate of n000001/0001_01"`, func(a *Assignment) { row(a, "n000003/0004_01").Reason = "why not" }},
		{"split.json counts", func(a *Assignment) { a.forgotten = 5 }},
	} {
		a, err := MakeWith(m, o, w.inputs(t))
		if err != nil {
			t.Fatal(err)
		}
		c.forge(a)
		dir := t.TempDir()
		if err := a.Write(dir); err != nil {
			t.Fatal(err)
		}
		r, err := Check(dir, m)
		if err != nil || (c.want == "") != (len(r.Problems) == 0) || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
			t.Errorf("%v, problems %q, want %q", err, r.Problems, c.want)
		}
	}
}

// The lists given to a check have to be those of the split.
func TestCheckWithLists(t *testing.T) {
	w, m := checkWorld(t)
	in := w.inputs(t)
	in.Exclude.Digest, in.Duplicates.Digest = "x", "y"
	a, err := MakeWith(m, Options{Strategy: FirstN, Val: 3, MinTrain: 1}, Inputs{Exclude: in.Exclude, Duplicates: in.Duplicates})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	if r, err := CheckWith(dir, m, Inputs{Exclude: in.Exclude, Duplicates: in.Duplicates}); err != nil || len(r.Problems) > 0 {
		t.Errorf("%v, %+v", err, r)
	}
	text, err := os.ReadFile(filepath.Join(dir, "excluded.csv"))
	if want := "image,reason\nn000003/0004_01,\"duplicate of n000001/0001_01\"\nn000003/0005_01,\"listed: blurred, \"\"very\"\"\"\n"; err != nil || string(text) != want {
		t.Errorf("excluded.csv = %s, %v, want %s", text, err, want)
	}
	text, err = os.ReadFile(filepath.Join(dir, "duplicates.csv"))
	if want := "a,b\nn000003/0006_01,n000002/0005_01\nn000001/0001_01,n000003/0004_01\n"; err != nil || string(text) != want {
		t.Errorf("duplicates.csv = %s, %v, want %s", text, err, want)
	}
	other := w.inputs(t)
	other.Exclude.Digest = "z"
	r, err := CheckWith(dir, m, Inputs{Exclude: other.Exclude, Tombstones: in.Tombstones})
	if want := []string{"exclude.txt: digest z, the split was made with exclude x", "t.csv: the split was made without tombstones"}; err != nil || !slices.Equal(r.Problems, want) {
		t.Errorf("%v, %q, want %q", err, r.Problems, want)
	}
	// A split without duplicates in the same place leaves none behind.
	if a, err = Make(m, Options{Strategy: FirstN, Val: 3, MinTrain: 1}); err != nil {
		t.Fatal(err)
	}
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "duplicates.csv")); !os.IsNotExist(err) {
		t.Errorf("duplicates.csv of the split before: %v", err)
	}
}

func TestFoldsOnDisk(t *testing.T) {
	w, m := checkWorld(t)
	o := Options{Strategy: KFold, Folds: 3, FoldBy: FoldImages, Seed: 2, MinTrain: 1, Group: Photo, Stratify: Gender | Pose}
	a, err := MakeWith(m, o, w.inputs(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n, err := a.WriteFolds(dir)
	if err != nil || len(n) != 3 || n[0].Val+n[1].Val+n[2].Val != 13 { // of 17, less a test image, its duplicate and two listed
		t.Errorf("%v, %+v", err, n)
	}
	r, err := CheckWith(dir, m, Inputs{})
	if err != nil || len(r.Problems) > 0 || r.Folds != 3 || r.Images != 17 {
		t.Errorf("%v, %+v", err, r)
	}
	s, err := Open(FoldDir(dir, 2))
	if err != nil || s.Options != (Options{Strategy: KFold, Folds: 3, Fold: 2, FoldBy: FoldImages, Seed: 2, MinTrain: 1, Group: Photo, Stratify: Gender | Pose}) || len(s.Inputs) != 3 {
		t.Errorf("%v, %+v", err, s)
	}
	// A fold of another seed is none of them.
	o.Seed, o.Fold = 3, 1
	b, err := MakeWith(m, o, w.inputs(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(FoldDir(dir, 1)); err != nil {
		t.Fatal(err)
	}
	if r, err = Check(dir, m); err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "fold-1: made by") {
		t.Errorf("%v, %q", err, r.Problems)
	}
	a.Options.Folds = 2
	if _, err := a.WriteFolds(dir); err == nil || !strings.Contains(err.Error(), "fold-2 is there") {
		t.Errorf("fewer folds: %v", err)
	}
	if _, err := a.WriteFolds(FoldDir(dir, 0)); err == nil || !strings.Contains(err.Error(), "is a split itself") {
		t.Errorf("in a split: %v", err)
	}
}

func TestPose(t *testing.T) {
	for want, offsets := range map[int][]float64{1: {0.5, 0.39, 0.61}, 2: {0.37, 0.63, 0.11, 0.89}, 3: {0.09, 0.91, -0.3, 2}} {
		for _, off := range offsets {
			l := face5(off)
			if got := poseOf(&l); got != want {
				t.Errorf("nose at %v: %s, want %s", off, poseNames[got], poseNames[want])
			}
			for i, p := range l { // lying on its side, and larger
				l[i].X, l[i].Y = -3*p.Y, 3*p.X
			}
			if got := poseOf(&l); got != want {
				t.Errorf("inclined, nose at %v: %s, want %s", off, poseNames[got], poseNames[want])
			}
		}
	}
	l := face5(0.5)
	l[1] = l[0]
	if got := poseOf(&l); got != 0 {
		t.Errorf("eyes in one place: %s", poseNames[got])
	}
}

func TestStrata(t *testing.T) {
	r := manifest.Record{Age: 34.9, Gender: manifest.Female, HasLandmarks: true, Landmarks: face5(0.5)}
	for traits, want := range map[Traits]string{
		Age: "age=30-39", Age | Gender: "age=30-39 gender=f", Gender | Pose: "gender=f pose=frontal", Age | Gender | Pose: "age=30-39 gender=f pose=frontal",
	} {
		if got := stratumName(stratum(&r, traits), traits); got != want {
			t.Errorf("%s: %s, want %s", traits, got, want)
		}
		if again, err := ParseTraits(traits.String()); err != nil || again != traits {
			t.Errorf("%s: %v, %v", traits, again, err)
		}
	}
	r = manifest.Record{Age: 116, Gender: manifest.GenderUnknown}
	if got := stratumName(stratum(&r, allTraits-1), allTraits-1); got != "age=90+ gender=unknown pose=unknown" {
		t.Error(got)
	}
	if _, err := ParseTraits("age,,pose"); err == nil {
		t.Error("no error")
	}
}

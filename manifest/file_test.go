package manifest

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/face"
)

func sampleManifest() *Manifest {
	names := []string{"Male", "maad_Young"}
	rec := func(id string, image, fc int32, s Subset) Record {
		r := Record{ID: ImageID{id, image, fc}, Subset: s, Gender: GenderUnknown, Age: unknownAge(), Attributes: Attributes{names: names}}
		r.Path = string(s) + "/" + r.ID.String() + ".jpg"
		return r
	}
	full := rec("n000002", 1, 1, Train)
	full.Width, full.Height, full.Components, full.Format, full.Bytes, full.XXH3 = 137, 180, 3, "jpeg", 11907, math.MaxUint64
	full.HasBox, full.Box = true, face.Box{X: 0, Y: -7, W: 79, H: 109}
	full.HasLandmarks, full.Landmarks = true, face.Landmarks{{X: 0, Y: 1.5}, {X: 3, Y: 4}, {X: 5, Y: 6}, {X: 7, Y: 8}, {X: 9, Y: 10}}
	full.Gender, full.Age, full.AgeSource = Female, 0, "image:ages.csv"
	full.Attributes.known, full.Attributes.yes = 3, 2
	two := rec("n000002", 10000, 55, Train)
	two.Problems = []string{NoBox, NoImage}
	three := rec("n000001", 3, 2, Test)
	three.Problems = []string{ZeroByte}
	three.Gender = Male
	return &Manifest{
		Records:    []Record{three, two, full},
		Attributes: names,
		Identities: []Identity{
			{"n000002", "Anne,_Princess_Royal", 3, Train, Female, 29},
			{"n000001", "", -1, Test, Male, unknownAge()},
		},
		Inputs: []Input{{"boxes", "bb_landmark/loose_bb_train.csv", 12, "xxh3-128:00"}},
		Counts: Counts{Scanned: true, Listed: 2, ProblemCounts: map[string]int64{BadLine: 2}},
	}
}

func TestWriteAndLoadAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.parquet")
	m := sampleManifest()
	if err := Write(path, m); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{m.Records[2], m.Records[1], m.Records[0]}
	opts := cmp.Options{cmp.AllowUnexported(Attributes{}), cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b })}
	if d := cmp.Diff(want, got.Records, opts); d != "" {
		t.Errorf("records differ (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Identity{m.Identities[1], m.Identities[0]}, got.Identities, opts); d != "" {
		t.Errorf("identities differ (-want +got):\n%s", d)
	}
	if d := cmp.Diff(m.Inputs, got.Inputs); d != "" {
		t.Errorf("inputs differ (-want +got):\n%s", d)
	}
	wantCounts := Counts{
		Images: 3, TrainImages: 2, TestImages: 1, UsableImages: 1, ProblemImages: 2, Identities: 2, TrainIdentities: 1,
		TestIdentities: 1, Listed: 2, Boxes: 1, Landmarks: 1, Ages: 1, Genders: 2, Male: 1, Female: 1, Scanned: true,
		Problems: 5, ProblemCounts: map[string]int64{NoImage: 1, NoBox: 1, ZeroByte: 1, BadLine: 2},
	}
	if d := cmp.Diff(wantCounts, got.Counts); d != "" {
		t.Errorf("counts differ (-want +got):\n%s", d)
	}
	if yes, ok := got.Records[0].Attributes.Get("maad_Young"); !yes || !ok {
		t.Errorf("Get(maad_Young) = %v, %v, want true, true", yes, ok)
	}
}

func TestSameRecordsSameBytes(t *testing.T) {
	dir := t.TempDir()
	m := sampleManifest()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := Write(a, m); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(m.Records)
	slices.Reverse(m.Identities)
	if err := Write(b, m); err != nil {
		t.Fatal(err)
	}
	x, _ := os.ReadFile(a)
	y, _ := os.ReadFile(b)
	if !bytes.Equal(x, y) {
		t.Error("the order of the records given changed the bytes")
	}
}

func TestManyRowGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 270,000 rows")
	}
	m := &Manifest{}
	for i := range int32(2*rowGroupRows + 5000) {
		id := ImageID{Identity: "n0001", Image: i, Face: 1}
		m.Records = append(m.Records, Record{ID: id, Subset: Train, Path: "train/" + id.String() + ".jpg", Gender: GenderUnknown, Age: unknownAge()})
	}
	path := filepath.Join(t.TempDir(), "m.parquet")
	if err := Write(path, m); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Records) != len(m.Records) || got.Records[rowGroupRows+7].ID != m.Records[rowGroupRows+7].ID {
		t.Errorf("%d records, want %d", len(got.Records), len(m.Records))
	}
}

// Every damaged copy must be refused or give records that hold together; none may crash.
func TestDamageIsAnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.parquet")
	if err := Write(path, sampleManifest()); err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(path)
	want, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	records := cmp.Options{cmp.AllowUnexported(Attributes{}), sameAge}
	for i := 0; i < len(good); i += 29 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x55
		os.WriteFile(path, bad, 0o600)
		m, err := Load(path)
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Fatalf("byte %d changed: %v, want an error that wraps ErrCorrupt", i, err)
		}
		if err == nil && !cmp.Equal(m.Records, want.Records, records) {
			t.Errorf("byte %d changed: other records and no error", i)
		}
	}
	for _, n := range []int{0, 3, 11, len(good) / 2, len(good) - 1} {
		os.WriteFile(path, good[:n], 0o600)
		if _, err := Load(path); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v, want ErrCorrupt", n, err)
		}
	}
}

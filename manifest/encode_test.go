package manifest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/face"
)

// randomManifest has n rows in which whatever may be unknown is so now and then, in runs and alone.
func randomManifest(r *rand.Rand, n int) *Manifest {
	m := &Manifest{Attributes: []string{"Male", "Young", "Bald"}}
	maybe := func(i int) bool { return r.IntN(3) > 0 || i%1000 < 500 && i%7000 < 4000 }
	for i := range n {
		id := ImageID{Identity: fmt.Sprintf("n%06d", i/300), Image: int32(i % 300), Face: 1}
		rec := Record{ID: id, Subset: Train, Gender: GenderUnknown, Age: unknownAge(), Attributes: Attributes{names: m.Attributes}}
		if i > n/2 {
			rec.Subset = Test
		}
		rec.Path = string(rec.Subset) + "/" + id.String() + ".jpg"
		if maybe(i) {
			rec.Bytes, rec.XXH3, rec.Width, rec.Height = 1+r.Int64N(1e6), r.Uint64()|1, 1+r.Int32N(999), 1+r.Int32N(999)
			rec.Components, rec.Format = int8(1+r.IntN(4)), formats[1+r.IntN(3)]
		}
		if maybe(i) {
			rec.HasBox, rec.Box = true, face.Box{X: float64(r.IntN(99) - 50), Y: 1, W: float64(r.IntN(5)), H: 3}
		}
		if maybe(i) {
			rec.HasLandmarks = true
			for k := range rec.Landmarks {
				rec.Landmarks[k] = face.Point{X: float64(r.Float32()), Y: -float64(r.Float32())}
			}
		}
		if maybe(i) {
			rec.Gender, rec.Age, rec.AgeSource = Gender(i/300%2), float32(r.IntN(90)), "image:a.csv"
		}
		if i%5000 > 3000 {
			rec.Attributes.known = uint64(r.IntN(8))
			rec.Attributes.yes = rec.Attributes.known & uint64(r.IntN(8))
		}
		for _, code := range []string{BoxEmpty, NoImage, Unlisted} { // sorted
			if !maybe(i) {
				rec.Problems = append(rec.Problems, code)
			}
		}
		m.Records = append(m.Records, rec)
	}
	return m
}

// What a library of others reads is what was written, over pages and row groups and at their edges.
func TestRandomRecordsSurvive(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200,000 rows")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 8, batchRows + 1, rowGroupRows + pageRows + 77} {
		m := randomManifest(r, n)
		path := filepath.Join(t.TempDir(), "m.parquet")
		if err := Write(path, m); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		if len(got.Records) != n {
			t.Fatalf("%d records, want %d", len(got.Records), n)
		}
		for i := range got.Records {
			if d := cmp.Diff(m.Records[i], got.Records[i], cmp.AllowUnexported(Attributes{}), sameAge); d != "" {
				t.Fatalf("%d rows: record %d (-want +got):\n%s", n, i, d)
			}
		}
	}
}

func TestRowGroupWorkersDoNotChangeTheBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 1,300,000 rows")
	}
	m := randomManifest(rand.New(rand.NewPCG(3, 4)), 3*rowGroupRows+999)
	var want []byte
	var counts Counts
	for _, workers := range []int{1, 2, 9} {
		var got bytes.Buffer
		w := newWriter(&got, VGGFace2, m.Attributes, m.Identities)
		if err := w.groups(workers, len(m.Records), func(first int, g *group) error {
			return g.add(m.Records[first:min(first+rowGroupRows, len(m.Records))])
		}); err != nil {
			t.Fatal(err)
		}
		if err := w.close(m.Inputs, m.Counts); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want, counts = got.Bytes(), w.counts
		}
		if !bytes.Equal(got.Bytes(), want) || !cmp.Equal(w.counts, counts) {
			t.Errorf("%d workers wrote other bytes or counts than 1", workers)
		}
	}
	if counts.Images != int64(len(m.Records)) || counts.Identities != (len(m.Records)+299)/300 {
		t.Errorf("%+v", counts)
	}
}

// unpackRuns is the obvious reader of what hybrid writes.
func unpackRuns(b []byte, width, n int) (v []uint32) {
	for len(b) > 0 {
		head, k := binary.Uvarint(b)
		b = b[k:]
		size := int(head>>1) * width
		if head&1 == 0 {
			size = (width + 7) / 8
		}
		bit := func(i int) uint32 { return uint32(b[i/8] >> (i % 8) & 1) }
		number := func(i int) (x uint32) {
			for j := range width {
				x |= bit(i*width+j) << j
			}
			return x
		}
		if head&1 == 0 {
			for range head >> 1 {
				v = append(v, number(0))
			}
		} else {
			for i := range int(head>>1) * 8 {
				v = append(v, number(i))
			}
		}
		b = b[size:]
	}
	return v[:n]
}

func FuzzHybrid(f *testing.F) {
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, 3}, uint8(2))
	f.Add([]byte("mississippi"), uint8(7))
	f.Fuzz(func(t *testing.T, b []byte, width uint8) {
		w := 1 + int(width)%20
		v := make([]uint32, len(b))
		for i, c := range b {
			v[i] = uint32(c) * 2654435761 >> 7 & (1<<w - 1)
		}
		packed := hybrid(nil, v, w)
		if err := checkRuns(packed, w, len(v)); err != nil {
			t.Fatal(err)
		}
		if got := unpackRuns(packed, w, len(v)); len(v) > 0 && !cmp.Equal(got, v) {
			t.Errorf("%v became %v", v, got)
		}
	})
}

// Names of columns and places of pages have no other checksum.
func TestDamagedFooterIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.parquet")
	if err := Write(path, sampleManifest()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(good) - 8 - int(binary.LittleEndian.Uint32(good[len(good)-8:])); i < len(good)-8; i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 4
		key := bytes.Index(good, []byte(keyFooter))
		if _, err := open(bytes.NewReader(bad), int64(len(bad))); err == nil && (i < key || i >= key+len(keyFooter)) {
			t.Errorf("byte %d changed: no error", i)
		}
	}
}

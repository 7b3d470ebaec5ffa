package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vf2prep/vf2prep/rng"
)

var shape = Shape{3, 5, 7}

func samples(n int) []Sample {
	r := rng.Stream(1, "samples")
	out := make([]Sample, n)
	for i := range out {
		s := Sample{
			Key:   fmt.Sprintf("n%06d/%04d_01", i/3, i),
			Label: int32(i/3) - 1, Age: float32(math.NaN()), Gender: int8(i%3) - 1,
			Data: make([]uint8, shape.Bytes()),
		}
		if i%2 == 0 {
			s.Age = float32(r.Between(1, 90))
		}
		for j := range s.Landmarks {
			s.Landmarks[j] = [2]float32{float32(r.Norm()), float32(math.NaN())}
		}
		for j := range s.Data {
			s.Data[j] = uint8(r.Uint64())
		}
		out[i] = s
	}
	return out
}

// write makes a set of one part in shards of five planned samples; every seventh is rejected.
func write(t *testing.T, dir string, all []Sample) []Sample {
	t.Helper()
	const per = 5
	n := (len(all) + per - 1) / per
	part := PartIndex{Planned: len(all)}
	var kept []Sample
	for k := range n {
		chunk := all[k*per : min((k+1)*per, len(all))]
		w, err := NewWriter(dir, "train", k, n, shape, len(chunk), map[string]string{"manifest": "m"})
		if err != nil {
			t.Fatal(err)
		}
		for slot, s := range chunk {
			if (k*per+slot)%7 == 6 {
				w.Reject(slot, Reject{Key: s.Key, Stage: "decode", Reason: "damaged"})
				part.Rejected++
				continue
			}
			copy(w.Buffer(slot), s.Data)
			w.Put(slot, s)
			kept = append(kept, s)
		}
		info, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		part.Samples += info.Samples
		part.Shards = append(part.Shards, info)
	}
	err := WriteIndex(dir, Index{Shape: shape, Channels: "rgb", RecipeText: []byte("{}"), Parts: map[string]PartIndex{"train": part}})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestSetRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := write(t, dir, samples(23))
	set, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	part, err := set.Part("train")
	if err != nil {
		t.Fatal(err)
	}
	var got []Sample
	for i := range part.Len() {
		s, err := part.Sample(i)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("samples differ (-want +got):\n%s", d)
	}
	f, err := OpenFile(filepath.Join(dir, FileName("train", 1, 5)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Rejects) != 1 || f.Rejects[0].Reason != "damaged" || f.Planned != 5 {
		t.Errorf("rejects = %v of %d planned, want one of 5", f.Rejects, f.Planned)
	}
	if image, _ := f.head.Lookup("image"); (f.head.DataStart+image.Offset)%64 != 0 {
		t.Errorf("image starts at %d, want a multiple of 64", f.head.DataStart+image.Offset)
	}
	if _, err := set.Part("other"); err == nil {
		t.Error("a part that is not there opens")
	}
}

// A byte flipped anywhere is found, and its place is named.
func TestVerifyNamesTheFlippedByte(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, samples(23))
	path := filepath.Join(dir, FileName("train", 2, 5))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		offset  int64
		section string
		sample  int
	}
	places := []place{{3, "header", -1}, {20, "header", -1}, {f.head.DataStart - 1, "header", -1}}
	for _, s := range f.head.Tensors {
		sample := -1
		if s.Name == "image" {
			sample = 2
		}
		places = append(places, place{f.head.DataStart + s.Offset + 2*int64(shape.Bytes())*int64(boolToInt(s.Name == "image")) + 1, s.Name, sample})
	}
	f.Close()
	for _, p := range places {
		bad := bytes.Clone(good)
		bad[p.offset] ^= 0x10
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Verify(context.Background(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Faults) != 1 || c.Faults[0].Section != p.section || c.Faults[0].Sample != p.sample || c.Faults[0].Shard != filepath.Base(path) {
			t.Errorf("byte %d: faults %+v, want section %s, sample %d", p.offset, c.Faults, p.section, p.sample)
		}
		// A reader never gets wrong pixels, and no byte of header and small tensors is believed.
		if p.section != "image" {
			if _, err := OpenFile(path); !errors.Is(err, ErrCorrupt) {
				t.Errorf("byte %d: OpenFile: %v, want ErrCorrupt", p.offset, err)
			}
		}
		set, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		part, _ := set.Part("train")
		for i := range part.Len() {
			s, err := part.Sample(i)
			if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Errorf("byte %d: error %v, want ErrCorrupt", p.offset, err)
			}
			if err == nil && len(s.Data) != shape.Bytes() {
				t.Errorf("byte %d: sample of %d bytes", p.offset, len(s.Data))
			}
		}
		if p.section == "image" {
			if _, err := part.Sample(10 - 1 + p.sample); !errors.Is(err, ErrCorrupt) {
				t.Errorf("damaged sample reads with error %v, want ErrCorrupt", err)
			}
		}
		set.Close()
	}
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(context.Background(), dir, nil); err != nil || len(c.Faults) != 0 {
		t.Errorf("the good set: %+v, %v", c, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(context.Background(), dir, nil); err != nil || len(c.Faults) != 1 || c.Faults[0].Section != "file" {
		t.Errorf("missing shard: %+v, %v", c, err)
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestSameSamplesSameBytes(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	all := samples(5)
	one, err := NewWriter(a, "val", 0, 1, shape, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := NewWriter(b, "val", 0, 1, shape, 5, nil)
	for i := range all {
		j := len(all) - 1 - i // another order of finishing
		copy(one.Buffer(i), all[i].Data)
		one.Put(i, all[i])
		copy(two.Buffer(j), all[j].Data)
		two.Put(j, all[j])
	}
	x, err := one.Close()
	if err != nil {
		t.Fatal(err)
	}
	y, err := two.Close()
	if err != nil {
		t.Fatal(err)
	}
	if x != y {
		t.Errorf("digests differ: %v and %v", x, y)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":        `hello`,
		"other format":   `{"format":"vf2prep.shards/9"}`,
		"shape":          `{"format":"vf2prep.shards/1","shape":[3,0,5],"channels":"rgb"}`,
		"huge shape":     `{"format":"vf2prep.shards/1","shape":[3,100000,100000],"channels":"rgb"}`,
		"channels":       `{"format":"vf2prep.shards/1","shape":[3,5,5],"channels":"hsv"}`,
		"path":           `{"format":"vf2prep.shards/1","shape":[3,5,5],"channels":"rgb","parts":{"train":{"shards":[{"file":"../x"}]}}}`,
		"path in a part": `{"format":"vf2prep.shards/1","shape":[3,5,5],"channels":"rgb","parts":{"../a":{"shards":[{"file":"../a-00000-of-00001.safetensors"}]}}}`,
		"sum":            `{"format":"vf2prep.shards/1","shape":[3,5,5],"channels":"rgb","parts":{"train":{"samples":3,"shards":[]}}}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, IndexName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: error %v, want ErrCorrupt or ErrVersion", name, err)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty directory: error %v, want ErrNotExist", err)
	}
}

// A reject's text can't be taken for the header's checksum, and no flip of its bytes passes.
func TestHeaderChecksum(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, "val", 0, 1, Shape{1, 2, 2}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Reject(0, Reject{Key: sumPending, Reason: headerSum})
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName("val", 0, 1))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.Rejects[0].Key != sumPending {
		t.Errorf("reject %+v", f.Rejects[0])
	}
	n := len(f.front)
	f.Close()
	for i := range n {
		for _, mask := range []byte{0x01, 0x20, 0x80, 0x2a} { // 0x2a turns a space of the padding into a line feed
			bad := bytes.Clone(good)
			bad[i] ^= mask
			if s, err := parse("x", bad); err == nil && s.checkHeader() == nil {
				t.Fatalf("byte %d with %02x flipped passes", i, mask)
			}
		}
	}
}

// An index over the shards of another build, or shards that changed places, are no set.
func TestForeignShards(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, samples(23))
	set, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	x := set.Index()
	set.Close()
	first := func(dir string) error {
		set, err := Open(dir)
		if err != nil {
			return err
		}
		defer set.Close()
		part, err := set.Part("train")
		if err != nil {
			return err
		}
		_, err = part.Sample(0)
		return err
	}
	if err := first(dir); err != nil {
		t.Fatal(err)
	}
	x.Build = "another"
	if err := WriteIndex(dir, x); err != nil {
		t.Fatal(err)
	}
	if err := first(dir); !errors.Is(err, ErrCorrupt) {
		t.Errorf("index of another build: error %v, want ErrCorrupt", err)
	}
	x.Build = ""
	if err := WriteIndex(dir, x); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, FileName("train", 2, 5)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName("train", 0, 5)), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := first(dir); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a shard in another's place: error %v, want ErrCorrupt", err)
	}
}

func FuzzParse(f *testing.F) {
	dir := f.TempDir()
	w, err := NewWriter(dir, "val", 0, 1, Shape{1, 2, 2}, 2, nil)
	if err != nil {
		f.Fatal(err)
	}
	w.Put(0, Sample{Key: "a"})
	w.Reject(1, Reject{Key: "b"})
	if _, err := w.Close(); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, FileName("val", 0, 1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parse("x", b)
		if err != nil {
			return
		}
		_ = s.checkHeader()
		if s.checkSections() != nil {
			return
		}
		for i := range s.Len() {
			if _, err := s.Sample(i); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
	})
}

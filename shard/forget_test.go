package shard

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A shard without a sample is the shard that was written without it, wherever the sample and other
// rejects were, in both encodings.
func TestForgetIsWritingWithout(t *testing.T) {
	const n = 4
	write := func(dir string, encoded bool, forgotten map[int]bool) string {
		w, err := NewWriter(dir, "train", 0, 1, Shape{3, 4, 4}, n, map[string]string{"build": "b", "channels": "rgb"})
		if err != nil {
			t.Fatal(err)
		}
		if encoded {
			w.Encode()
		}
		for i := range n {
			s := Sample{Key: fmt.Sprintf("n%06d/0001_01", i), Label: int32(i), Age: float32(20 + i), Data: bytes.Repeat([]byte{byte(i)}, 48+i)}
			switch {
			case forgotten[i]:
				w.Reject(i, Forgotten())
			case i == 1:
				w.Reject(i, Reject{Key: s.Key, Stage: "read", Reason: "no such file"})
			default:
				copy(w.Buffer(i), s.Data)
				w.Put(i, s)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, FileName("train", 0, 1))
	}
	for _, encoded := range []bool{false, true} {
		for set := range 1 << n {
			forgotten, keys := map[int]bool{}, map[string]bool{}
			for i := range n {
				if set>>i&1 == 1 {
					forgotten[i], keys[fmt.Sprintf("n%06d/0001_01", i)] = true, true
				}
			}
			path, want := write(t.TempDir(), encoded, nil), write(t.TempDir(), encoded, forgotten)
			of := func(key string) bool { return keys[key] }
			for range 2 { // once more changes nothing
				info, rejects, err := Forget(path, of)
				if err != nil {
					t.Fatal(err)
				}
				a, _ := os.ReadFile(path)
				b, _ := os.ReadFile(want)
				if !bytes.Equal(a, b) || info.Bytes != int64(len(a)) || CountForgotten(rejects) != len(forgotten) {
					t.Fatalf("encoded %v, without %v: the bytes are not those of a shard written so; %d forgotten", encoded, keys, CountForgotten(rejects))
				}
			}
			f, err := OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if f.Holds(of) || f.Loose() != "" {
				t.Errorf("without %v: holds %v, loose %q", keys, f.Holds(of), f.Loose())
			}
			f.Close()
		}
	}
}

// Bytes that no sample owns are named, though every checksum is right.
func TestLooseBytes(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, "train", 0, 1, Shape{3, 4, 4}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Encode()
	w.Put(0, Sample{Key: "n000001/0001_01", Data: []byte("abcdef")})
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(filepath.Join(dir, FileName("train", 0, 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []string
	for _, change := range []func(f *File){
		func(f *File) {},
		func(f *File) { f.keys[len(f.keys)-1] = 'x' },
		func(f *File) { f.offsets[0] = 1 },
		func(f *File) { f.imageOffsets[0] = 1 },
		func(f *File) { f.imageOffsets[8] = 5 },
	} {
		g := &File{n: 1, jpeg: true, head: f.head, keys: bytes.Clone(f.keys), offsets: bytes.Clone(f.offsets), imageOffsets: bytes.Clone(f.imageOffsets), images: f.images}
		change(g)
		got = append(got, g.Loose())
	}
	want := []string{"", "key: bytes behind the last key", "key: bytes before the first key", "image: bytes before the first sample", "image: bytes behind the last sample"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFloatsRoundTrip(t *testing.T) {
	want := []Floats{
		{"fc.weight", []int{2, 3}, []float32{1, -2, float32(math.Inf(1)), 0, 1e-40, 3}},
		{"fc.bias", []int{2}, []float32{7, 8}},
		{"scalar", nil, []float32{9}},
	}
	var b bytes.Buffer
	if err := WriteFloats(&b, want, map[string]string{"z": "1", "a": "2"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	got, meta, err := ReadFloats(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("arrays differ (-want +got):\n%s", d)
	}
	if meta["a"] != "2" || meta["z"] != "1" {
		t.Errorf("metadata = %v", meta)
	}
	if start := 8 + binary.LittleEndian.Uint64(b.Bytes()); start%Align != 0 {
		t.Errorf("data starts at %d, want a multiple of %d", start, Align)
	}
}

func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, data)...)
}

func TestReadHeaderRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":            {},
		"huge header":      {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, '{'},
		"negative header":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"no JSON":          file("hello", 0),
		"hole":             file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3),
		"overlap":          file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3),
		"short data":       file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 7),
		"trailing bytes":   file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 9),
		"shape and offset": file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8),
		"overflow":         file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0),
		"negative shape":   file(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}`, 0),
		"unknown dtype":    file(`{"a":{"dtype":"Q3","shape":[1],"data_offsets":[0,1]}}`, 1),
	} {
		if _, err := ReadHeader(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: error %v, want ErrFormat", name, err)
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"__metadata__":{"k":"v"}}`, 2))
	f.Add(file(`{}`, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		end := h.DataStart
		for _, tensor := range h.Tensors {
			end += tensor.Size
		}
		if end != int64(len(b)) {
			t.Fatalf("tensors end at %d of %d bytes", end, len(b))
		}
	})
}

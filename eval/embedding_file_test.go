package eval

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/rng"
)

func drawEmbeddings(t testing.TB, n, width int) *Embeddings {
	t.Helper()
	r := rng.Stream(4, "embeddings", n, width)
	e := &Embeddings{Width: width, Origin: EmbeddingsOrigin{Provenance: Provenance{Run: "first", Weights: "xxh3-128:w", Recipe: "box-112"}, Part: "test", FlipSum: true}}
	v := make([]float32, width)
	for i := range n {
		for j := range v {
			v[j] = float32(r.Norm())
		}
		if _, err := e.add(fmt.Sprintf("n%06d/%04d_01", i/3, i%3), v); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestEmbeddingsAreReadAsTheyWereSaved(t *testing.T) {
	e := drawEmbeddings(t, 7, 5)
	for _, name := range []string{"a.npy", "a.safetensors"} {
		var files []map[string]string
		for range 2 {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := e.Save(path); err != nil {
				t.Fatal(err)
			}
			got, err := OpenEmbeddings(path)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("%s: read %+v, want %+v", name, got, e)
			}
			texts := map[string]string{}
			all, _ := filepath.Glob(filepath.Join(dir, "*"))
			for _, f := range all {
				texts[filepath.Base(f)] = readText(t, f)
			}
			files = append(files, texts)
		}
		if !reflect.DeepEqual(files[0], files[1]) {
			t.Errorf("%s: saved twice gives other bytes", name)
		}
	}
}

// npy builds a file as numpy.save does.
func npy(version byte, dict string, data []byte) []byte {
	out := append([]byte(npyMagic), version, 0)
	if version == 1 {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(dict)))
	} else {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(dict)))
	}
	return append(append(out, dict...), data...)
}

func float32s(v ...float32) []byte {
	var b bytes.Buffer
	writeFloats(&b, v)
	return b.Bytes()
}

func float64s(v ...float64) (out []byte) {
	for _, x := range v {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	return out
}

func writeFile(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNPYOfOtherWriters(t *testing.T) {
	for name, b := range map[string][]byte{
		"version 1":    npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }      \n", float32s(3, 4, 0, 0, 0, -2)),
		"version 2":    npy(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}\n", float32s(3, 4, 0, 0, 0, -2)),
		"version 3":    npy(3, `{"shape":(3L,2L,),"fortran_order":False,"descr":"<f8"}`, float64s(3, 4, 0, 0, 0, -2)),
		"double, long": npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }", float64s(math.Ldexp(3, 100), math.Ldexp(4, 100), 0, 0, 0, -2e-30)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := writeFile(t, filepath.Join(dir, "e_float32.npy"), b)
			writeFile(t, filepath.Join(dir, "e_index.txt"), []byte("\xef\xbb\xbfa/1\r\na/2\r\nb/1"))
			e, err := OpenEmbeddings(path)
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"a/1", "b/1"}; !reflect.DeepEqual(e.Keys, want) || !reflect.DeepEqual(e.Data, []float32{0.6, 0.8, 0, -1}) {
				t.Errorf("keys %v, data %v", e.Keys, e.Data)
			}
			if len(e.Skips) != 1 || e.Skips[0].Item != "a/2" || e.Skips[0].Reason != zeroEmbedding {
				t.Errorf("skipped %v, want a/2", e.Skips)
			}
			raw, err := ReadEmbeddings(path, EmbeddingsOptions{Raw: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := raw.Data[0]; got != 3 && got != float32(math.Ldexp(3, 100)) || !raw.Raw {
				t.Errorf("raw: first value %v, want 3 or 3 * 2^100", got)
			}
		})
	}
}

func TestDamagedEmbeddings(t *testing.T) {
	const good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
	data, keys := float32s(3, 4, 1, 0), "a/1\nb/1\n"
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		name string
		npy  []byte
		keys string
		want string
	}{
		{"empty", nil, keys, "magic"},
		{"no magic", []byte("PK\x03\x04 more than ten bytes"), keys, "magic"},
		{"version", npy(4, good, data), keys, "version 4.0, want 1 to 3"},
		{"huge header", append([]byte(npyMagic), 2, 0, 255, 255, 255, 255), keys, "header of 4294967295 bytes, at most"},
		{"cut header", npy(1, good, data)[:40], keys, "cut off"},
		{"big endian", npy(1, strings.ReplaceAll(good, "<", ">"), data), keys, `type ">f4", want float32 or float64`},
		{"fortran", npy(1, strings.ReplaceAll(good, "False", "True"), data), keys, "Fortran order"},
		{"fields", npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }", data), keys, "several fields"},
		{"one side", npy(1, strings.ReplaceAll(good, "(2, 2)", "(4,)"), data), keys, "shape [4], want [N,D]"},
		{"no width", npy(1, strings.ReplaceAll(good, "(2, 2)", "(2, 0)"), nil), keys, "shape [2 0]"},
		{"huge", npy(1, strings.ReplaceAll(good, "(2, 2)", "(9223372036854775807, 2)"), data), keys, "want [N,D] with up to"},
		{"negative", npy(1, strings.ReplaceAll(good, "(2, 2)", "(-2, 2)"), data), keys, "no length"},
		{"short", npy(1, good, data[:12]), keys, "12 bytes of data, shape [2 2] takes 16"},
		{"long", npy(1, good, append(data, 0)), keys, "17 bytes of data"},
		{"nan", npy(1, good, float32s(3, 4, 1, nan)), keys, "b/1: embedding value 1 is NaN"},
		{"inf", npy(1, good, float32s(inf, 4, 1, 0)), keys, "a/1: embedding value 0 is -Inf"},
		{"beyond float32", npy(1, strings.ReplaceAll(good, "f4", "f8"), float64s(1e300, 4, 1, 0)), keys, "a/1: embedding value 0 is +Inf"},
		{"zeros", npy(1, good, float32s(0, 0, 0, 0)), keys, "none of 2 vectors can be used"},
		{"few keys", npy(1, good, data), "a/1\n", "2 vectors and 1 keys"},
		{"twice", npy(1, good, data), "a/1\na/1\n", "vectors 1 and 2 have the same key a/1"},
		{"empty key", npy(1, good, data), "a/1\n\n", "e.keys.txt:2: an empty key"},
		{"binary key", npy(1, good, data), "a/1\n\xff\xfe\n", "e.keys.txt:2: key"},
		{"long key", npy(1, good, data), strings.Repeat("x", 2000) + "\n", "e.keys.txt:1: "},
		{"no keys", npy(1, good, data), "", "no keys beside it; want"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := writeFile(t, filepath.Join(dir, "e.npy"), c.npy)
			if c.keys != "" {
				writeFile(t, filepath.Join(dir, "e.keys.txt"), []byte(c.keys))
			}
			for _, raw := range []bool{false, true} {
				_, err := ReadEmbeddings(path, EmbeddingsOptions{Raw: raw})
				if !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
					t.Errorf("raw=%v: error %v, want ErrEmbeddings with %q and the file's name", raw, err, c.want)
				}
			}
		})
	}
}

func TestSavedEmbeddingsNoticeMixUps(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "e.npy")
	e := drawEmbeddings(t, 6, 4)
	if err := e.Save(path); err != nil {
		t.Fatal(err)
	}
	keys := readText(t, filepath.Join(dir, "e.keys.txt"))
	writeFile(t, filepath.Join(dir, "e.keys.txt"), []byte(strings.Replace(keys, "n000001", "n000009", 1)))
	if _, err := OpenEmbeddings(path); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), "the keys are other ones") {
		t.Errorf("other keys: %v", err)
	}
	writeFile(t, filepath.Join(dir, "e.keys.txt"), []byte(keys))
	b := []byte(readText(t, path))
	b[len(b)-3] ^= 1
	writeFile(t, path, b)
	if _, err := OpenEmbeddings(path); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), "the values are other ones") {
		t.Errorf("other values: %v", err)
	}
	e.Keys[1] = e.Keys[0]
	if err := e.Save(path); !errors.Is(err, ErrEmbeddings) {
		t.Errorf("saving a key twice: %v, want ErrEmbeddings", err)
	}
	e.Keys[1] = "a\nb"
	if err := e.Save(path); !errors.Is(err, ErrEmbeddings) {
		t.Errorf("saving a key of two lines: %v, want ErrEmbeddings", err)
	}
}

func TestForeignSafetensors(t *testing.T) {
	dir := t.TempDir()
	write := func(tensor string, keys bool) string {
		t.Helper()
		tensors := []safetensors.Tensor{{Name: tensor, DType: safetensors.F32, Shape: []int64{2, 2}}}
		data := float32s(3, 4, 0, 5)
		if keys {
			tensors = append(tensors, safetensors.Tensor{Name: "key_offsets", DType: safetensors.I64, Shape: []int64{3}},
				safetensors.Tensor{Name: "key", DType: safetensors.U8, Shape: []int64{6}})
			data = append(data, "\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00a/1b/1"...)
		}
		_, head, err := safetensors.NewHeader(tensors, nil)
		if err != nil {
			t.Fatal(err)
		}
		return writeFile(t, filepath.Join(dir, "f.safetensors"), append(head, data...))
	}
	check := func(path string) {
		t.Helper()
		e, err := OpenEmbeddings(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(e.Keys, []string{"a/1", "b/1"}) || !reflect.DeepEqual(e.Data, []float32{0.6, 0.8, 0, 1}) {
			t.Errorf("keys %v, data %v", e.Keys, e.Data)
		}
	}
	check(write("embedding", true))
	path := write("embedding", false)
	if _, err := OpenEmbeddings(path); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), "no keys beside it") {
		t.Errorf("without keys: %v", err)
	}
	writeFile(t, filepath.Join(dir, "f.keys.txt"), []byte("a/1\nb/1\n"))
	check(path)
	if _, err := OpenEmbeddings(write("features", true)); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), "want one named embedding") {
		t.Errorf("another tensor: %v", err)
	}
	b := []byte(readText(t, write("embedding", true)))
	b[len(b)-6-8] = 7 // the last offset
	if _, err := OpenEmbeddings(writeFile(t, path, b)); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), "entry 2, 7, is out of range") {
		t.Errorf("offset: %v", err)
	}
}

func FuzzReadNPYHead(f *testing.F) {
	f.Add(npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", nil))
	f.Add(npy(3, `{"shape":(3L,),"descr":"<f8","fortran_order":True}`, nil))
	f.Add(npyHeader(2925, 128))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readNPYHead(bytes.NewReader(b))
		if err == nil && (h.size > int64(len(b)) || h.size > maxNPYHeader+12) {
			t.Errorf("a header of %d bytes in %d", h.size, len(b))
		}
	})
}

func FuzzOpenEmbeddings(f *testing.F) {
	dir := f.TempDir()
	e := drawEmbeddings(f, 3, 4)
	for _, name := range []string{"a.npy", "a.safetensors"} {
		if err := e.Save(filepath.Join(dir, name)); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte("a/1\nb/1\nc/1\n"), name == "a.npy")
	}
	f.Fuzz(func(t *testing.T, b, keys []byte, isNPY bool) {
		dir := t.TempDir()
		name := "e.safetensors"
		if isNPY {
			name = "e.npy"
		}
		path := writeFile(t, filepath.Join(dir, name), b)
		writeFile(t, filepath.Join(dir, "e.keys.txt"), keys)
		e, err := OpenEmbeddings(path)
		if err != nil {
			return
		}
		if len(e.Data) != len(e.Keys)*e.Width || len(e.Keys) == 0 {
			t.Errorf("%d values for %d keys of width %d", len(e.Data), len(e.Keys), e.Width)
		}
		for i := range e.Keys {
			sum := 0.0
			for _, x := range e.Vector(i) {
				sum += float64(x) * float64(x)
			}
			if !(math.Abs(sum-1) < 1e-2) {
				t.Errorf("%s: squared length %v, want 1", e.Keys[i], sum)
			}
		}
	})
}

package eval

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// Row by row and all at once are the same, from every format.
func TestEmbeddingRowsEqualEmbeddings(t *testing.T) {
	dir := t.TempDir()
	r := rng.Stream(1, "rows")
	for _, raw := range []bool{false, true} {
		e := &Embeddings{Width: 5, Raw: raw}
		for i := range 9 {
			v := make([]float32, e.Width)
			for j := range v {
				if v[j] = float32(r.Norm()); i == 4 && raw {
					v[j] = 0
				}
			}
			if !raw {
				if _, err := normalize(v); err != nil {
					t.Fatal(err)
				}
			}
			e.Keys, e.Data = append(e.Keys, "n000001/"+string(rune('a'+i))), append(e.Data, v...)
		}
		for _, name := range []string{"e.npy", "e.safetensors"} {
			path := filepath.Join(dir, name)
			if err := e.Save(path); err != nil {
				t.Fatal(err)
			}
			want, err := OpenEmbeddings(path)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := OpenEmbeddingRows(path, "")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			got := make([]float32, 7*rows.Width)
			if err := rows.Read(2, 7, got); err != nil {
				t.Fatal(err)
			}
			for i := range 7 {
				v := got[i*5 : (i+1)*5]
				row := slices.Index(want.Keys, rows.Keys[2+i])
				if row < 0 {
					if !slices.Equal(v, make([]float32, 5)) {
						t.Errorf("%s raw=%v: row %d = %v, want zeros", name, raw, 2+i, v)
					}
				} else if !slices.Equal(v, want.Vector(row)) {
					t.Errorf("%s raw=%v: row %d = %v, want %v", name, raw, 2+i, v, want.Vector(row))
				}
			}
			bytes := 0
			p, err := rows.Provenance(func(n int) { bytes += n })
			if q, _ := EmbeddingsProvenance(path, want); err != nil || p != q {
				t.Errorf("%s: provenance %+v, want %+v (%v)", name, p, q, err)
			}
			if info, _ := os.Stat(path); int64(bytes) != info.Size() {
				t.Errorf("%s: %d bytes read of %d", name, bytes, info.Size())
			}
		}
	}
}

func TestEmbeddingRowsRefuse(t *testing.T) {
	dir := t.TempDir()
	e := &Embeddings{Width: 2, Raw: true, Keys: []string{"a/1", "a/2"}, Data: []float32{1, 2, 3, 4}}
	path := filepath.Join(dir, "e.npy")
	if err := e.Save(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1], b[len(b)-2] = 0x7f, 0xc0 // NaN
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	rows, err := OpenEmbeddingRows(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	v := make([]float32, 4)
	if err := rows.Read(0, 2, v); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), "a/2: embedding value 1 is NaN") {
		t.Errorf("error %v", err)
	}
	if err := rows.Read(0, 1, v); err != nil || math.Abs(float64(v[0])-1/math.Sqrt(5)) > 1e-7 {
		t.Errorf("row 0 = %v (%v)", v, err)
	}
	if _, err := rows.Provenance(func(int) {}); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), "the values are other ones") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "e.keys.txt"), []byte("a/1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{path: "2 vectors and 1 keys", filepath.Join(dir, "e.keys.txt"): "want a name that ends in"} {
		if _, err := OpenEmbeddingRows(path, ""); !errors.Is(err, ErrEmbeddings) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

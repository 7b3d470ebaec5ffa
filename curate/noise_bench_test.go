package curate

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// BenchmarkNoise searches VF2PREP_NOISE_ROWS (by default 20,000) vectors of 128 numbers, 100 images an identity;
// VF2PREP_NOISE_WIDTH is another width.
func BenchmarkNoise(b *testing.B) {
	rows, width := number64(b, "VF2PREP_NOISE_ROWS", 20_000), number64(b, "VF2PREP_NOISE_WIDTH", 128)
	dir := b.TempDir()
	path := filepath.Join(dir, "embeddings.npy")
	writeRows(b, path, rows, width)
	runtime.GC()
	b.ResetTimer()
	for range b.N {
		r, err := FindNoise(context.Background(), options(path, filepath.Join(dir, "out")))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Judged), "images")
		b.ReportMetric(float64(len(r.Skips)), "skipped")
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "images/s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/1e6, "MB-of-system")
}

func number64(b *testing.B, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// writeRows writes a file without holding it in memory: a few rows are drawn, and the others are mixtures of a
// person's and one of these.
func writeRows(b *testing.B, path string, rows, width int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	keys, err := os.Create(filepath.Join(filepath.Dir(path), "embeddings.keys.txt"))
	if err != nil {
		b.Fatal(err)
	}
	defer keys.Close()
	head := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + strconv.Itoa(rows) + ", " + strconv.Itoa(width) + "), }\n"
	buf := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	buf = append(buf, head...)
	r := rng.Stream(1, "bench")
	spread := make([][]float64, 4096)
	for i := range spread {
		spread[i] = direction(width, r)
	}
	text := []byte{}
	var c []float64
	for i := range rows {
		if i%100 == 0 {
			c = direction(width, rng.Stream(1, "bench-person", i/100))
		}
		d, e := spread[r.IntN(len(spread))], spread[r.IntN(len(spread))]
		for j := range width {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(float32(c[j]*0.7+d[j]*0.5+e[j]*0.5)))
		}
		text = append(text, id(i/100)+"/"+strconv.Itoa(i%100)+"\n"...)
		if len(buf) > 1<<20 || i == rows-1 {
			if _, err := f.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := keys.Write(text); err != nil {
				b.Fatal(err)
			}
			buf, text = buf[:0], text[:0]
		}
	}
}

package pixel

import (
	"fmt"
	"testing"
)

func TestNormalizeRowsRefusesWrongLengths(t *testing.T) {
	for name, r := range map[string]Rows{
		"short":           {W: 20, N: 3, Stride: 20},
		"long":            {W: 20, N: 1, Stride: 20},
		"overlapping":     {W: 20, N: 2, Stride: 19},
		"beyond the rows": {W: 20, N: 2, Stride: 90},
		"negative":        {W: -20, N: -2, Stride: 20},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: %+v of 40 values and 60 bytes did not panic", name, r)
				}
			}()
			NormalizeRows(make([]float32, 40), make([]uint8, 60), r)
		}()
	}
	NormalizeRows(nil, nil, Rows{})
}

// Samples of 3x112x112 into a batch that fits in the caches and one that does not.
func BenchmarkNormalizeRows(b *testing.B) {
	const n, samples = 3 * 112 * 112, 4096
	src := make([]uint8, n*samples)
	for i := range src {
		src[i] = uint8(i) // else all rows would be one page of zeros
	}
	for _, batch := range []int{8, 256} {
		dst := make([]float32, n*batch)
		for _, l := range levels() {
			for _, r := range []Rows{{}, {Flip: true}, {Stream: true}, {Flip: true, Stream: true}} {
				r.W, r.N, r.Stride = 112, 3*112, 112
				b.Run(fmt.Sprintf("batch=%d/%s/flip=%v/stream=%v", batch, levelNames[l], r.Flip, r.Stream), func(b *testing.B) {
					i := 0
					for b.Loop() {
						from := i * 1031 % samples * n
						normalizeRows(l, dst[i%batch*n:][:n], src[from:from+n], r)
						i++
					}
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "samples/s")
				})
			}
		}
	}
}

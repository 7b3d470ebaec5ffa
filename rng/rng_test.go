package rng

import (
	"math"
	"testing"
)

// The first numbers of a stream are part of every file made with it.
func TestStreamIsFixed(t *testing.T) {
	r := Stream(1, "augment", 3, "n000002/0001_01")
	want := []uint64{0x2101dcc95fba8837, 0x62002f78ae3372c4, 0x1446c93b113079ec}
	for i, w := range want {
		if got := r.Uint64(); got != w {
			t.Errorf("number %d = %#x, want %#x", i, got, w)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	for name, r := range map[string]*Rand{
		"seed 1":       Stream(1, "a"),
		"seed 2":       Stream(2, "a"),
		"name":         Stream(1, "b"),
		"key":          Stream(1, "a", 0),
		"other key":    Stream(1, "a", 1),
		"ab,c":         Stream(1, "a", "ab", "c"),
		"a,bc":         Stream(1, "a", "a", "bc"),
		"key as text":  Stream(1, "a", "0"),
		"negative key": Stream(1, "a", -1),
	} {
		v := r.Uint64()
		if other, ok := seen[v]; ok {
			t.Errorf("%s and %s give the same number", name, other)
		}
		seen[v] = name
	}
}

func TestIntNIsUniform(t *testing.T) {
	r := Stream(7, "uniform")
	var count [6]int
	const n = 60000
	for range n {
		count[r.IntN(6)]++
	}
	for i, c := range count {
		if math.Abs(float64(c)-n/6) > 500 { // five standard deviations
			t.Errorf("%d came %d times, want about %d", i, c, n/6)
		}
	}
}

func TestNorm(t *testing.T) {
	r := Stream(7, "norm")
	var sum, sq float64
	const n = 100000
	for range n {
		v := r.Norm()
		sum += v
		sq += v * v
	}
	mean, dev := sum/n, math.Sqrt(sq/n)
	if math.Abs(mean) > 0.02 || math.Abs(dev-1) > 0.02 {
		t.Errorf("mean %.3f and deviation %.3f, want 0 and 1", mean, dev)
	}
}

func TestPermHoldsEveryNumber(t *testing.T) {
	seen := map[int]bool{}
	for _, v := range Stream(3, "perm").Perm(1000) {
		seen[v] = true
	}
	if len(seen) != 1000 {
		t.Errorf("Perm(1000) holds %d numbers, want 1000", len(seen))
	}
}

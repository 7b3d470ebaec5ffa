// Package rng gives named random streams: numbers that depend on what they are for, never on
// when or where they are drawn.
//
// A stream is found by a seed, a name and keys: Stream(seed, "augment", epoch, "n000002/0001_01").
// The same words give the same numbers on every machine, whatever else was drawn before,
// so that one worker and sixteen workers do the same thing to the same sample.
//
// # Guarantees
//
// Every method is integer arithmetic or exact floating point, so all CPUs agree to the bit.
// The sequence of a stream is part of the file formats that were made with it and never changes.
package rng

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/zeebo/xxh3"
)

// Rand is one stream. It must not be used by two goroutines at once.
type Rand struct {
	src rand.PCG
}

// Stream returns the stream of seed, name and keys. A key is an int, int32, int64, uint64 or
// string; any other type is a programming mistake and panics.
func Stream(seed uint64, name string, keys ...any) *Rand {
	b := make([]byte, 0, 64)
	b = binary.LittleEndian.AppendUint64(b, seed)
	b = appendString(b, name)
	for _, k := range keys {
		switch v := k.(type) {
		case int:
			b = appendInt(b, uint64(v))
		case int32:
			b = appendInt(b, uint64(int64(v)))
		case int64:
			b = appendInt(b, uint64(v))
		case uint64:
			b = appendInt(b, v)
		case string:
			b = appendString(b, v)
		default:
			panic(fmt.Sprintf("rng: key of type %T", k))
		}
	}
	h := xxh3.Hash128(b)
	r := &Rand{}
	r.src.Seed(h.Hi, h.Lo)
	return r
}

// Each key carries its kind and, for text, its length: ("ab", "c") and ("a", "bc") differ.
func appendInt(b []byte, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, 'i'), v)
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, 's'), uint64(len(s)))
	return append(b, s...)
}

// Uint64 returns 64 random bits.
func (r *Rand) Uint64() uint64 { return r.src.Uint64() }

// IntN returns a number in [0, n), each equally likely. It panics when n <= 0.
//
// D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29(1), 2019.
func (r *Rand) IntN(n int) int {
	if n <= 0 {
		panic("rng: IntN of nothing")
	}
	un := uint64(n)
	hi, lo := bits.Mul64(r.src.Uint64(), un)
	if lo < un {
		for limit := -un % un; lo < limit; {
			hi, lo = bits.Mul64(r.src.Uint64(), un)
		}
	}
	return int(hi)
}

// Float64 returns a multiple of 2^-53 in [0, 1).
func (r *Rand) Float64() float64 { return float64(r.src.Uint64()>>11) / (1 << 53) }

// Between returns a number in [lo, hi).
func (r *Rand) Between(lo, hi float64) float64 { return lo + float64((hi-lo)*r.Float64()) }

// Norm returns a number of mean 0 and variance 1, within +-6: the sum of twelve uniform
// numbers. The logarithm of the usual methods differs between CPUs in the last bit.
func (r *Rand) Norm() float64 {
	var s uint64
	for range 6 {
		u := r.src.Uint64()
		s += u>>32 + u&0xffffffff
	}
	return float64(s)/(1<<32) - 6
}

// Bool returns true with probability p.
func (r *Rand) Bool(p float64) bool { return r.Float64() < p }

// Perm returns the numbers 0..n-1 in random order.
func (r *Rand) Perm(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	r.Shuffle(n, func(i, j int) { p[i], p[j] = p[j], p[i] })
	return p
}

// Shuffle puts n things in random order by calling swap (Fisher and Yates, from the end).
func (r *Rand) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.IntN(i+1))
	}
}

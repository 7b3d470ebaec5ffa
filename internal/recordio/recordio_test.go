package recordio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/rng"
)

// drawn returns records of many kinds: empty, of no whole words, with the number that begins parts in
// every place, and longer than a block.
func drawn(r interface{ Uint64() uint64 }, n int) (all [][]byte) {
	for i := range n {
		size := int(r.Uint64() % 200)
		if i%50 == 49 {
			size = blockSize - 20 + int(r.Uint64()%40)
		}
		b := make([]byte, size)
		for i := range min(size, 300) {
			b[i] = byte(r.Uint64())
		}
		for range r.Uint64() % 4 {
			if at := int(r.Uint64() % 220); at+4 <= len(b) {
				binary.LittleEndian.PutUint32(b[at:], magic)
			}
		}
		all = append(all, b)
	}
	return all
}

// read reads all records and all damage.
func read(t testing.TB, b []byte, most int) (all [][]byte, damage []*Damage) {
	t.Helper()
	r := NewReader(bytes.NewReader(b), int64(len(b)), most)
	last := int64(-1)
	for {
		record, at, err := r.Next()
		if err == io.EOF {
			return all, damage
		}
		if at <= last || r.Offset() <= at {
			t.Fatalf("record at %d after %d, the next at %d", at, last, r.Offset())
		}
		last = at
		var d *Damage
		switch {
		case errors.As(err, &d):
			damage = append(damage, d)
		case err != nil:
			t.Fatal(err)
		case len(record) > most:
			t.Fatalf("record of %d bytes, at most %d were asked for", len(record), most)
		default:
			all = append(all, bytes.Clone(record))
		}
	}
}

func file(t testing.TB, records [][]byte) (b []byte, ends []int) {
	t.Helper()
	for _, x := range records {
		var err error
		if b, err = Append(b, x); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(b))
	}
	return b, ends
}

func TestRecordsComeBack(t *testing.T) {
	want := drawn(rng.Stream(1, "recordio"), 600)
	b, _ := file(t, want)
	have, damage := read(t, b, MaxRecord)
	if len(damage) > 0 {
		t.Fatal(damage[0])
	}
	if !slices.EqualFunc(want, have, bytes.Equal) {
		t.Errorf("%d records came back of %d, or other ones", len(have), len(want))
	}
}

// What MXNet wrote: a record that holds the number that begins parts, and an image's header.
func TestKnownBytes(t *testing.T) {
	b, err := Append(nil, []byte("ab\x00\x00\x0a\x23\xd7\xcexyz"))
	if err != nil {
		t.Fatal(err)
	}
	want := "\x0a\x23\xd7\xce\x04\x00\x00\x20ab\x00\x00" + "\x0a\x23\xd7\xce\x03\x00\x00\x60xyz\x00"
	if string(b) != want {
		t.Errorf("%q, want %q", b, want)
	}
	h := AppendHeader(nil, Header{Labels: []float32{2}, ID: 7})
	if want := "\x00\x00\x00\x00\x00\x00\x00\x40\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"; string(h) != want {
		t.Errorf("%q, want %q", h, want)
	}
}

// A byte that is wrong anywhere costs at most the two records beside it.
func TestDamageIsPassedOver(t *testing.T) {
	r := rng.Stream(2, "recordio")
	for range 2000 {
		records := drawn(r, 12)
		b, ends := file(t, records)
		at := int(r.Uint64() % uint64(len(b)))
		b[at] ^= byte(1 << (r.Uint64() % 8))
		hit := 0
		for ends[hit] <= at {
			hit++
		}
		have, damage := read(t, b, MaxRecord)
		for i, want := range records {
			found := false
			for _, x := range have {
				found = found || bytes.Equal(x, want)
			}
			if !found && i != hit {
				t.Fatalf("a bit of record %d of %d is wrong: record %d is lost (%v)", hit, len(records), i, damage)
			}
		}
		if len(have) > len(records)+1 {
			t.Fatalf("%d records of %d", len(have), len(records))
		}
	}
}

func TestTruncatedFileEndsWithDamage(t *testing.T) {
	records := [][]byte{[]byte("first record"), []byte("second")}
	b, ends := file(t, records)
	for n := range b {
		have, damage := read(t, b[:n], MaxRecord)
		whole := 0
		for whole < 2 && n >= ends[whole]-(-len(records[whole])&3) { // without its padding it is whole
			whole++
		}
		if len(have) != whole {
			t.Fatalf("%d bytes: %d records, want %d (%v)", n, len(have), whole, damage)
		}
	}
}

func TestLongRecordsAreRefused(t *testing.T) {
	b, _ := file(t, [][]byte{make([]byte, 100), make([]byte, 10)})
	have, damage := read(t, b, 50)
	if len(have) != 1 || len(damage) != 1 || damage[0].Offset != 0 {
		t.Errorf("%d records, %v", len(have), damage)
	}
	if _, err := Append(nil, make([]byte, MaxRecord+1)); err == nil {
		t.Error("a record that no part can tell the length of was written")
	}
}

func TestHeadersComeBack(t *testing.T) {
	for _, h := range []Header{
		{Labels: []float32{3}, ID: 5, ID2: 6},
		{Labels: []float32{3, 1}, Array: true, ID: math.MaxUint64},
		{Labels: []float32{float32(math.Inf(1))}, Array: true},
	} {
		got, rest, err := CutHeader(append(AppendHeader(nil, h), "image"...), nil)
		if err != nil || string(rest) != "image" {
			t.Fatal(err, rest)
		}
		if diff := cmp.Diff(h, got); diff != "" {
			t.Error(diff)
		}
	}
	for _, b := range [][]byte{nil, make([]byte, 23), append([]byte{2}, make([]byte, 30)...), append([]byte{255, 255, 255, 255}, make([]byte, 90)...)} {
		if _, _, err := CutHeader(b, nil); err == nil {
			t.Errorf("%v was taken for a header", b)
		}
	}
}

func FuzzReader(f *testing.F) {
	for i := range 4 {
		b, _ := file(f, drawn(rng.Stream(uint64(i), "fuzz"), 5))
		f.Add(b[:min(len(b), 4096)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		have, _ := read(t, b, 1000)
		for _, x := range have {
			_, _, _ = CutHeader(x, nil)
		}
		// What was read is written and read again.
		again, _ := file(t, have)
		same, damage := read(t, again, 1000)
		if len(damage) > 0 || !slices.EqualFunc(have, same, bytes.Equal) {
			t.Fatalf("%d records, %d again, %v", len(have), len(same), damage)
		}
	})
}

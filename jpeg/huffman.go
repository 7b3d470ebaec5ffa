package jpeg

import (
	"bytes"
	"fmt"
)

// lutBits is the width of a Huffman look-up table's index. Ten bits hold nearly every code of a
// photo together with its value, and the four tables of a colour image stay in a 32 KiB cache.
const lutBits = 10

// maxTables bounds a Decoder's cache of Huffman tables: two images' worth, since an image can
// have eight at a time. The four tables of ITU-T T.81, annex K serve most files.
const maxTables = 16

// An entry of huffman.fast is
//
//	bits  0-5   bits to drop: the code's, and the value's too where entryWhole is set
//	bits  8-14  coefficients to move on: run + 1, 16 for ZRL, 64 for EOB (AC only)
//	bit  15     entryWhole: the value is in the entry
//	bits 16-31  the value, signed; or the symbol where entryWhole is not set
//
// and 0 where the code is longer than lutBits, is not in the table or has a symbol that
// sequential coding doesn't know.
const entryWhole = 1 << 15

// huffman is a Huffman table ready for decoding.
type huffman struct {
	fast [1 << lutBits]uint32
	// limit[l] is the first code longer than l bits, aligned to the left of 16 bits.
	limit [17]uint32
	// first[l] is the index in vals of l-bit code 0, were there one.
	first [17]int32
	vals  [256]uint8
	ac    bool
	spec  []byte // what it was made from: 16 counts and the symbols, as in a DHT segment
	used  uint64 // Decoder.clock of the last use
}

// build makes the table from a DHT segment's 16 counts and symbols, whose number is right.
func (h *huffman) build(spec []byte, ac bool) error {
	h.spec = append(h.spec[:0], spec...)
	h.ac = ac
	clear(h.fast[:])
	clear(h.vals[:])
	copy(h.vals[:], spec[16:])
	code, k := uint32(0), 0
	for l := 1; l <= 16; l++ {
		h.first[l] = int32(k) - int32(code)
		n := int(spec[l-1])
		if code+uint32(n) > 1<<l {
			return fmt.Errorf("%d Huffman codes of %d bits, at most %d are left: %w", n, l, 1<<l-code, ErrFormat)
		}
		for range n {
			if l <= lutBits {
				h.enter(code, l, h.vals[k])
			}
			code++
			k++
		}
		h.limit[l] = code << (16 - l)
		code <<= 1
	}
	return nil
}

// enter fills the entries of fast that begin with a code of l bits.
func (h *huffman) enter(code uint32, l int, symbol uint8) {
	if !h.known(symbol) {
		return
	}
	size := int(symbol & 15)
	advance := uint32(symbol>>4) + 1
	if h.ac && symbol == 0 {
		advance = 64
	}
	free := lutBits - l
	run := h.fast[code<<free : (code+1)<<free]
	for j := range run {
		if size > free {
			run[j] = uint32(l) | advance<<8 | uint32(symbol)<<16
			continue
		}
		v := extend(uint32(j)>>(free-size), size)
		run[j] = uint32(l+size) | advance<<8 | entryWhole | uint32(uint16(v))<<16
	}
}

// known reports whether sequential coding has the symbol: DC differences have a size alone, AC
// coefficients a size of 1 to 15 after any run, or are EOB or ZRL.
func (h *huffman) known(symbol uint8) bool {
	if h.ac {
		return symbol&15 != 0 || symbol == 0 || symbol == 0xf0
	}
	return symbol < 16
}

// extend turns the size bits that follow a code into the signed value they stand for (ITU-T T.81,
// F.2.2.1).
func extend(v uint32, size int) int32 {
	if size > 0 && v < 1<<(size-1) {
		return int32(v) - 1<<size + 1
	}
	return int32(v)
}

// long looks up a code at the top of buf that fast doesn't hold. It returns 0 bits where there is
// none.
func (h *huffman) long(buf uint64) (symbol uint8, n uint) {
	w := uint32(buf >> 48)
	if w < h.limit[lutBits] {
		return 0, 0 // a short code that build left out
	}
	for l := lutBits + 1; l <= 16; l++ {
		if w < h.limit[l] {
			symbol = h.vals[uint8(int32(w>>(16-l))+h.first[l])]
			if !h.known(symbol) {
				return 0, 0
			}
			return symbol, uint(l)
		}
	}
	return 0, 0
}

// table returns the table of a DHT segment's counts and symbols, from the cache if it was built
// before.
func (d *Decoder) table(spec []byte, ac bool) (*huffman, error) {
	d.clock++
	for _, h := range d.tables {
		if h.ac == ac && bytes.Equal(h.spec, spec) {
			h.used = d.clock
			return h, nil
		}
	}
	h := d.freeTable()
	h.used = d.clock
	if err := h.build(spec, ac); err != nil {
		h.spec = h.spec[:0] // never found again
		return nil, err
	}
	return h, nil
}

// freeTable returns a new table, or the one unused for longest that the image at hand doesn't use.
func (d *Decoder) freeTable() *huffman {
	if len(d.tables) < maxTables {
		h := new(huffman)
		d.tables = append(d.tables, h)
		return h
	}
	var oldest *huffman
	for _, h := range d.tables {
		inUse := false
		for i := range d.dc {
			inUse = inUse || d.dc[i] == h || d.ac[i] == h
		}
		if !inUse && (oldest == nil || h.used < oldest.used) {
			oldest = h
		}
	}
	return oldest
}

// huffmanTables reads the body of a DHT segment.
func (d *Decoder) huffmanTables(s []byte) error {
	for len(s) > 0 {
		if len(s) < 17 {
			return fmt.Errorf("%d bytes left for a Huffman table, want 17 at least: %w", len(s), ErrFormat)
		}
		class, id := s[0]>>4, s[0]&15
		if class > 1 || id > 3 {
			return fmt.Errorf("table %d of Huffman class %d, want 0 to 3 of 0 or 1: %w", id, class, ErrFormat)
		}
		n := 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		if n > 256 || len(s) < 17+n {
			return fmt.Errorf("a Huffman table of %d codes in %d bytes: %w", n, len(s)-17, ErrFormat)
		}
		h, err := d.table(s[1:17+n], class == 1)
		if err != nil {
			return err
		}
		if class == 1 {
			d.ac[id] = h
		} else {
			d.dc[id] = h
		}
		s = s[17+n:]
	}
	return nil
}

package jpeg

import (
	"bytes"
	"fmt"
)

// lutBits is the width of a Huffman look-up table's index. Ten bits hold nearly every code of a
// photo together with its value, and the four tables of a colour image stay in a 32 KiB cache.
const lutBits = 10

// maxTables bounds a Decoder's cache of Huffman tables: two images' worth, since an image can
// have eight at a time. The four tables of ITU-T T.81, annex K serve most files. A table takes 7 KB
// to 280 KB, the latter in contrived files.
const maxTables = 16

// An entry of huffman.fast or huffman.rest is
//
//	bits  0-5   bits to drop: the code's, and the value's too where the entry holds it
//	bit   7     entryPart: it doesn't. So it is in a DC table, where a branch would fail too often
//	bits  8-14  coefficients to move on: run + 1, 16 for ZRL, 64 for EOB (AC only)
//	bits 16-31  the value, signed; or the symbol where entryPart is set
//
// With no bits to drop, one of fast has in its upper half the number of the restSize entries of
// rest where codes that begin like this are found, and entryPart; and one of rest is 0 and stands
// for no code.
const (
	entryPart = 1 << 7
	restSize  = 1 << (16 - lutBits)
)

// An entry of huffman.skip takes several symbols of a block at once where their codes are in the
// index, the last one's value perhaps beyond it:
//
//	bits  0-5   bits to drop, values included
//	bits  6-12  coefficients to move on
//	bit  13     entryZero: the last symbol is EOB or ZRL
//
// and 0 where fast must be asked.
const entryZero = 1 << 13

// huffman is a Huffman table ready for decoding.
type huffman struct {
	fast [1 << lutBits]uint32
	skip [1 << lutBits]uint16
	// together is the first coefficient for which skip can't be used, since the symbols before
	// an entry's last might end the block. 0 while skip is not filled.
	together int
	// rest is indexed by what follows the first lutBits of a code of up to 16. Its first
	// restSize entries are 0, for what begins no code.
	rest []uint32
	ac   bool
	spec []byte // what it was made from: 16 counts and the symbols, as in a DHT segment
	used uint64 // Decoder.clock of the last use
}

// build makes the table from a DHT segment's 16 counts and symbols, whose number is right.
func (h *huffman) build(spec []byte, ac bool) error {
	h.spec = append(h.spec[:0], spec...)
	h.ac = ac
	h.together = 0
	for i := range h.fast {
		h.fast[i] = entryPart
	}
	h.rest = append(h.rest[:0], make([]uint32, restSize)...)
	code, symbols := uint32(0), spec[16:]
	for l := 1; l <= 16; l++ {
		n := int(spec[l-1])
		if code+uint32(n) > 1<<l {
			return fmt.Errorf("%d Huffman codes of %d bits, at most %d are left: %w", n, l, 1<<l-code, ErrFormat)
		}
		for _, symbol := range symbols[:n] {
			if h.known(symbol) {
				h.enter(code, l, symbol)
			}
			code++
		}
		symbols = symbols[n:]
		code <<= 1
	}
	return nil
}

// enter fills the entries that begin with a code of l bits.
func (h *huffman) enter(code uint32, l int, symbol uint8) {
	size := int(symbol & 15)
	advance := uint32(symbol>>4) + 1
	if h.ac && symbol == 0 {
		advance = 64
	}
	free := lutBits - l // bits of the index that are left for the value
	var run []uint32
	if free >= 0 {
		run = h.fast[code<<free : (code+1)<<free]
	} else {
		first := &h.fast[code>>-free]
		if *first == entryPart {
			*first = uint32(len(h.rest)/restSize)<<16 | entryPart
			h.rest = append(h.rest, make([]uint32, restSize)...)
		}
		free = 16 - l
		at := *first>>16*restSize + code<<free%restSize
		run = h.rest[at : at+1<<free]
	}
	for j := range run {
		if size > free || !h.ac {
			run[j] = uint32(l) | entryPart | advance<<8 | uint32(symbol)<<16
			continue
		}
		v := extend(uint32(j)>>(free-size), size)
		run[j] = uint32(l+size) | advance<<8 | uint32(uint16(v))<<16
	}
}

// group fills skip. It takes some microseconds, which pays where another file has the table too.
func (h *huffman) group() {
	longest := 0 // way of an entry but for its last symbol
	for i := range h.skip {
		used, way, before, entry := 0, 0, 0, 0
		for used < lutBits {
			// Bits from beyond the index come in as zeros; a code must do without them.
			e := h.fast[i<<used&(1<<lutBits-1)]
			l, advance := int(e&63), int(e>>8&127)
			if l == 0 || used+l > lutBits || way+advance > 127 {
				break
			}
			before = way
			used, way = used+l, way+advance
			if e&entryPart != 0 {
				used += int(e >> 16 & 15)
			}
			entry = used | way<<6
			if e>>16 == 0 {
				entry |= entryZero
			}
			longest = max(longest, before)
			if advance == 64 {
				break
			}
		}
		h.skip[i] = uint16(entry)
	}
	h.together = max(64-longest, 1)
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

// table returns the table of a DHT segment's counts and symbols, from the cache if it was built
// before.
func (d *Decoder) table(spec []byte, ac bool) (*huffman, error) {
	d.clock++
	for _, h := range d.tables {
		if h.ac == ac && bytes.Equal(h.spec, spec) {
			h.used = d.clock
			if ac && h.together == 0 {
				h.group()
			}
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

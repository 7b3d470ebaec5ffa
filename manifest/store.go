package manifest

import (
	"cmp"
	"math"
	"slices"
)

// row is one image while a manifest is built. There are 3.3 M of them for the full data set, so
// it holds no pointer and is 80 bytes long.
type row struct {
	key       uint64 // image number, face number
	box       [4]float32
	marks     [10]float32
	age       float32
	attr      uint32 // 1 + index into person.attrs; 0 none
	problems  uint32 // bits by rowCodes
	flags     uint16
	ageSource uint8 // index into store.ageSources
	ext       uint8 // index into exts
}

// fileInfo is what a scan finds out about a row's file.
type fileInfo struct {
	xxh3          uint64
	bytes         int64
	width, height uint16
	format        uint8 // index into formats
	components    uint8
}

// What is known of a row.
const (
	onDiskTrain uint16 = 1 << iota
	onDiskTest
	listedTrain
	listedTest
	labelTrain // named in a train file of boxes or landmarks
	labelTest
	hasBox
	hasMarks
	isLink
	isTest  // its subset, once all inputs are read
	hasFile = onDiskTrain | onDiskTest
)

type attrBits struct{ known, yes uint64 }

func rowKey(image, fc int32) uint64 { return uint64(image)<<32 | uint64(fc) }

func (r *row) is(flag uint16) bool { return r.flags&flag != 0 }

// set gives the row a problem.
func (r *row) set(code string) { r.problems |= codeBit(code) }

func (r *row) has(code string) bool { return r.problems&codeBit(code) != 0 }

func codeBit(code string) uint32 {
	i := slices.Index(rowCodes[:], code)
	if i < 0 {
		panic("manifest: " + code + " is no problem of an image")
	}
	return 1 << i
}

// person is one identity and its rows.
type person struct {
	Identity
	listed    bool  // in identity_meta.csv
	ageSource uint8 // of Identity.Age
	rows      []row
	files     []fileInfo // of each row; nil where nothing was scanned
	names     []string   // of each row's file, below b.dir; nil for layout VGGFace2, which numbers tell
	order     []int32    // rows sorted by name, once it is asked for
	attrs     []attrBits
	test      int // rows that are isTest

	// Files name images in order nearly always: next is the row after the one found last. While
	// index is nil the rows are sorted by key.
	next  int
	index map[uint64]int32
}

// file returns what is known of the file of row i.
func (p *person) file(i int) fileInfo {
	if p.files == nil {
		return fileInfo{}
	}
	return p.files[i]
}

// find returns the row, or nil. It is valid until the next add.
func (p *person) find(key uint64) *row {
	if p.next < len(p.rows) && p.rows[p.next].key == key {
		p.next++
		return &p.rows[p.next-1]
	}
	i, ok := 0, false
	if p.index != nil {
		var at int32
		at, ok = p.index[key]
		i = int(at)
	} else {
		i, ok = slices.BinarySearchFunc(p.rows, key, func(r row, k uint64) int { return cmp.Compare(r.key, k) })
	}
	if !ok {
		return nil
	}
	p.next = i + 1
	return &p.rows[i]
}

// add returns the row, made where it is missing.
func (p *person) add(key uint64) *row {
	if n := len(p.rows); n > 0 && p.rows[n-1].key >= key || p.index != nil {
		if r := p.find(key); r != nil {
			return r
		}
		if p.index == nil {
			p.index = make(map[uint64]int32, 2*len(p.rows))
			for i := range p.rows {
				p.index[p.rows[i].key] = int32(i)
			}
		}
		p.index[key] = int32(len(p.rows))
	}
	if p.rows == nil && p.Samples > 0 {
		p.rows = make([]row, 0, min(p.Samples, 4096)) // no more memory than the data set says
	}
	p.rows = append(p.rows, row{key: key, age: float32(math.NaN())})
	p.next = len(p.rows)
	return &p.rows[p.next-1]
}

func (p *person) sort() {
	if p.index != nil {
		slices.SortFunc(p.rows, func(a, b row) int { return cmp.Compare(a.key, b.key) })
		p.index = nil
	}
	p.next = 0
}

// store collects what the inputs say.
type store struct {
	people     []*person
	index      map[string]int32
	last       *person
	ageSources []string // [0] is ""
	attributes []string
}

func newStore() *store {
	return &store{index: map[string]int32{}, ageSources: []string{""}}
}

// person returns the identity, made where it is missing and make is set, else nil.
func (s *store) person(id []byte, create bool) *person {
	if s.last != nil && s.last.ID == string(id) {
		return s.last
	}
	i, ok := s.index[string(id)]
	if !ok {
		if !create {
			return nil
		}
		i = int32(len(s.people))
		s.people = append(s.people, &person{Identity: Identity{ID: string(id), Samples: -1, Gender: GenderUnknown, Age: unknownAge()}})
		s.index[s.people[i].ID] = i
	}
	s.last = s.people[i]
	return s.last
}

// row returns the image's row, or nil where there is none and create is not set.
func (s *store) row(identity []byte, image, fc int32, create bool) (*person, *row) {
	p := s.person(identity, create)
	if p == nil {
		return nil, nil
	}
	if create {
		return p, p.add(rowKey(image, fc))
	}
	return p, p.find(rowKey(image, fc))
}

// attribute returns the attribute's bit, made where it is missing.
func (s *store) attribute(name string) (int, bool) {
	i := slices.Index(s.attributes, name)
	if i < 0 {
		i = len(s.attributes)
		if i == maxAttributes {
			return 0, false
		}
		s.attributes = append(s.attributes, name)
	}
	return i, true
}

func (p *person) setAttributes(r *row, known, yes uint64) {
	if r.attr == 0 {
		p.attrs = append(p.attrs, attrBits{})
		r.attr = uint32(len(p.attrs))
	}
	a := &p.attrs[r.attr-1]
	a.yes = a.yes&^known | yes
	a.known |= known
}

// sort brings people and rows into the order of the manifest.
func (s *store) sort() {
	slices.SortFunc(s.people, func(a, b *person) int { return cmp.Compare(a.ID, b.ID) })
	for i, p := range s.people {
		s.index[p.ID] = int32(i)
		p.sort()
	}
}

// intern returns the index of text in list, which holds at most 256 entries; beyond, the last
// one stands for the rest.
func intern(list *[]string, text string) uint8 {
	i := slices.Index(*list, text)
	if i < 0 {
		if len(*list) == 256 {
			return 255
		}
		i = len(*list)
		*list = append(*list, text)
	}
	return uint8(i)
}

package manifest

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Metadata of layouts other than VGGFace2's names images by path, relative to the root, with the
// file's extension or without. Directories before the last two elements, or of UTKFace before the
// last, are passed over.

// lostCodes say, by the kind of input, that it names an image which is not there.
var lostCodes = map[string]string{
	kindBoxes: BoxNoImage, kindLandmarks: LandmarksNoImage, kindAges: AgeNoImage, kindAttributes: AttributeNoImage,
}

// findPath returns the image that a path names. identity is valid as long as the store. It may
// write to b.
func (b *builder) findPath(text []byte) (identity []byte, image, fc int32, ok bool) {
	text = bytes.Trim(text, " \t\"")
	for i := range text {
		if text[i] == '\\' {
			text[i] = '/'
		}
	}
	last := bytes.LastIndexByte(text, '/')
	file := string(text[last+1:])
	var p *person
	i := 0
	if b.o.Layout == UTKFace {
		n, err := parseUTKName(file)
		if err != nil {
			n, err = parseUTKName(file + exts[0])
		}
		if err != nil {
			return nil, 0, 0, false
		}
		p = b.store.person([]byte(n.stem), false)
	} else {
		if last < 0 {
			return nil, 0, 0, false
		}
		first := bytes.LastIndexByte(text[:last], '/') + 1
		if p = b.store.person(text[first:last], false); p != nil {
			i, ok = p.fileNamed(file)
			if !ok {
				return nil, 0, 0, false
			}
		}
	}
	if p == nil || len(p.rows) == 0 {
		return nil, 0, 0, false
	}
	key := p.rows[i].key
	return []byte(p.ID), int32(key >> 32), int32(uint32(key)), true
}

// fileNamed returns the row of a file's name, or of a name without its extension that only one
// file has.
func (p *person) fileNamed(name string) (row int, ok bool) {
	if p.order == nil {
		p.order = make([]int32, len(p.names))
		for i := range p.order {
			p.order[i] = int32(i)
		}
		slices.SortFunc(p.order, func(a, b int32) int { return cmp.Compare(p.names[a], p.names[b]) })
	}
	find := func(s string) (at int, ok bool) {
		return slices.BinarySearchFunc(p.order, s, func(i int32, s string) int { return cmp.Compare(p.names[i], s) })
	}
	if at, ok := find(name); ok {
		return int(p.order[at]), true
	}
	row = -1
	for _, ext := range exts {
		if at, ok := find(name + ext); ok {
			if row >= 0 {
				return 0, false
			}
			row = int(p.order[at])
		}
	}
	return max(row, 0), row >= 0
}

// id reads the image that a field or line names. Where it says no, missing or reject tells why.
func (s *source) id(b []byte) (identity []byte, image, fc int32, ok bool) {
	if s.find != nil {
		return s.find(b)
	}
	return parseLooseID(b)
}

// missing counts a line about an image that is not there, where images are known by their paths.
func (s *source) missing(b []byte) bool {
	if s.find == nil {
		return false
	}
	s.note(s.lost, "%q is no image below the root, or more than one", b[:min(len(b), 2*maxDetail)])
	return true
}

// person accepts an identity's name of the layout.
func (s *source) person(b []byte) bool {
	return validIdentity(b) || s.find != nil && validName(b)
}

// header reports whether a line begins as the header of a table of images does.
func (s *source) header(field []byte, names ...string) bool {
	return isHeader(field, names...) ||
		s.find != nil && isHeader(field, "name_id", "path", "file", "filename", "file_name", "image")
}

// columnsAgree reports whether a header names the columns, the first one being a matter of taste
// where images are known by their paths.
func (s *source) columnsAgree(got [][]byte, want []string) bool {
	if s.find != nil && len(got) > 0 {
		got, want = got[1:], want[1:]
	}
	return strings.EqualFold(joinFields(got), strings.Join(want, ","))
}

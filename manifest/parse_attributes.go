package manifest

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
)

// attributeName returns "Male" for "attributes/01-Male.txt". VGGFace2's eleven files are called
// NN-Name.txt.
func attributeName(file string) (string, error) {
	base := strings.TrimSuffix(path.Base(strings.ReplaceAll(file, "\\", "/")), ".txt")
	if num, name, ok := strings.Cut(base, "-"); ok && strings.Trim(num, "0123456789") == "" {
		base = name
	}
	if !validAttribute(base) {
		return "", fmt.Errorf("%s: %q is no attribute's name", file, base)
	}
	return base, nil
}

// validAttribute accepts what can stand in a column's name everywhere.
func validAttribute(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// parseAttribute reads one NN-Name.txt, "n000002/0032_01.jpg<TAB>0" a line: 1 yes, 0 no.
func parseAttribute(r io.Reader, name string, log *problemLog, each func(line int, identity []byte, image, fc int32, yes bool)) error {
	s := newSource(r, name, log)
	for {
		b, err := s.next()
		if err != nil {
			return s.end(err)
		}
		b = bytes.TrimSpace(b)
		cut := bytes.LastIndexAny(b, "\t ,")
		if cut < 0 {
			s.reject("%q has no value", b)
			continue
		}
		value := b[cut+1:]
		text := bytes.TrimRight(b[:cut], "\t ,")
		identity, image, fc, ok := s.id(text)
		if !ok && s.missing(text) {
			continue
		}
		if !ok {
			s.reject("%q is no image such as n000002/0001_01.jpg", b[:cut])
			continue
		}
		if string(value) != "0" && string(value) != "1" {
			s.reject("%q is neither 0 nor 1", value)
			continue
		}
		s.good++
		each(s.lines.n, identity, image, fc, string(value) == "1")
	}
}

// maadPrefix keeps MAAD-Face's attributes apart from those of VGGFace2's own that have the same
// name: they were made by other means.
const maadPrefix = "maad_"

// parseMAAD reads MAAD_Face.csv, "Filename,Identity,Male,Young,...": 1 yes, -1 no, 0 undefined
// (P. Terhörst et al., "MAAD-Face", IEEE TIFS 16, 2021). header is called once with the names;
// bit i of known and yes is the i-th of them.
func parseMAAD(r io.Reader, name string, log *problemLog, header func(names []string) error, each func(line int, identity []byte, image, fc int32, known, yes uint64)) error {
	s := newSource(r, name, log)
	var names []string
	first := 2
scan:
	for {
		f, err := s.nextFields()
		if err != nil {
			return s.end(err)
		}
		if isHeader(f[0], "filename") {
			if names != nil {
				s.note(SecondHeader, "header in mid-file")
				continue
			}
			if len(f) > 1 && !isHeader(f[1], "identity") {
				first = 1
			}
			for _, x := range f[min(first, len(f)):] {
				if !validAttribute(string(x)) {
					return Problem{File: s.name, Line: s.lines.n, Detail: fmt.Sprintf("%q is no attribute's name", x)}.err()
				}
				names = append(names, maadPrefix+string(x))
			}
			if len(names) == 0 || len(names) > maxAttributes {
				return Problem{File: s.name, Line: s.lines.n, Detail: fmt.Sprintf("%d attributes, want 1 to %d", len(names), maxAttributes)}.err()
			}
			if err := header(names); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			continue
		}
		if names == nil {
			return Problem{File: s.name, Line: s.lines.n, Detail: "no header Filename,Identity,..."}.err()
		}
		identity, image, fc, ok := s.id(f[0])
		if !ok && s.missing(f[0]) {
			continue
		}
		if !ok {
			s.reject("Filename: %q is no image such as n000002/0001_01.jpg", f[0])
			continue
		}
		if len(f) != first+len(names) {
			s.reject("%d fields, want %d", len(f), first+len(names))
			continue
		}
		var known, yes uint64
		for i, x := range f[first:] {
			switch string(x) {
			case "1", "1.0":
				known |= 1 << i
				yes |= 1 << i
			case "-1", "-1.0":
				known |= 1 << i
			case "0", "0.0":
			default:
				s.reject("%s: %q is none of 1, 0, -1", names[i], x)
				continue scan
			}
		}
		s.good++
		each(s.lines.n, identity, image, fc, known, yes)
	}
}

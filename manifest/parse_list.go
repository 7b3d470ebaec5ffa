package manifest

import (
	"bytes"
	"io"
)

// eachImage is called for every good line; identity is valid during the call only.
type eachImage func(line int, identity []byte, image, fc int32)

var listShape = shape{ext: ".jpg"}

// parseList reads train_list.txt and its kin: "n000002/0001_01.jpg" a line, no header. What
// follows the name behind a blank, tab or comma, such as a label, is passed over.
func parseList(r io.Reader, name string, log *problemLog, each eachImage) error {
	s := newSource(r, name, log)
	s.blank = true // a list of no images: a set without test identities has one
	return s.run(r, &listShape, func(identity []byte, l *line, _ []float32) bool {
		each(s.lines.n, identity, l.image, l.face)
		return true
	}, func(b []byte) error {
		b = bytes.TrimLeft(b, " \t")
		if i := bytes.IndexAny(b, " \t,"); i >= 0 {
			b = b[:i]
		}
		identity, image, fc, ok := parseLooseID(b)
		if !ok {
			s.reject("%q is no image such as n000002/0001_01.jpg", b)
			return nil
		}
		s.good++
		each(s.lines.n, identity, image, fc)
		return nil
	})
}

package manifest

import (
	"errors"
	"fmt"
	"io"
)

// source is one text file being parsed. Its lines that can't be read are counted, and a file
// without a single good one is an error: then it is not what it was taken for.
type source struct {
	name   string // as problems and errors show it
	lines  *lines
	fields [][]byte
	log    *problemLog
	seen   int  // lines that are not blank
	blank  bool // a file with nothing in it is fine
	good   int
	bad    int
	first  Problem // the first bad line

	find func(text []byte) (identity []byte, image, fc int32, ok bool) // see inputFile
	lost string
}

func newSource(r io.Reader, name string, log *problemLog) *source {
	s := &source{name: name, lines: newLines(r), log: log}
	if in, ok := r.(*inputFile); ok {
		s.find, s.lost = in.find, in.lost
	}
	return s
}

// next returns the next line that is not blank, or io.EOF.
func (s *source) next() ([]byte, error) {
	for {
		b, err := s.lines.next()
		switch {
		case errors.Is(err, errLong):
			s.seen++
			s.reject("%v", err)
			continue
		case errors.Is(err, io.EOF):
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("%s:%d: %w", s.name, s.lines.n+1, err)
		}
		if !blank(b) {
			s.seen++
			return b, nil
		}
	}
}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// nextFields returns the fields of the next line that holds any, or io.EOF.
func (s *source) nextFields() ([][]byte, error) {
	for {
		b, err := s.next()
		if err != nil {
			return nil, err
		}
		if s.fields, err = split(s.fields, b); err != nil {
			s.reject("%v", err)
			continue
		}
		if len(s.fields) > 0 {
			return s.fields, nil
		}
	}
}

// reject counts the line that was read last as unreadable.
func (s *source) reject(format string, args ...any) {
	if s.bad++; s.bad == 1 {
		s.first = Problem{BadLine, s.name, s.lines.n, fmt.Sprintf(format, args...)}
	}
	s.log.add(BadLine, s.name, s.lines.n, format, args...)
}

// note counts a problem with the line that was read last.
func (s *source) note(code, format string, args ...any) {
	s.log.add(code, s.name, s.lines.n, format, args...)
}

// end returns the parser's error: err unless it is io.EOF, or the first bad line of a file that
// has no good one.
func (s *source) end(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if s.good == 0 && s.bad > 0 {
		return fmt.Errorf("%v (and no line of the file can be read)", s.first)
	}
	if s.seen == 0 && !s.blank {
		s.log.add(EmptyFile, s.name, 0, "has no line, not even a header")
	}
	return nil
}

package eval

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// textLines reads a text line by line, up to a number of bytes. LF, CRLF, a byte order mark, blank
// lines and spaces around a line are accepted.
type textLines struct {
	s     *bufio.Scanner
	line  int // of the line read last, from 1
	size  int64
	limit int64 // bytes of the text
	kind  error // that errors wrap
}

func newTextLines(r io.Reader, limit int64, kind error) *textLines {
	l := &textLines{s: bufio.NewScanner(io.LimitReader(r, limit+1)), limit: limit, kind: kind}
	l.s.Buffer(make([]byte, 0, 4096), 1<<16)
	return l
}

// next returns the next line that is not blank, nil at the end; it is valid until the next call.
func (l *textLines) next() []byte {
	for l.s.Scan() {
		l.line++
		b := l.s.Bytes()
		l.size += int64(len(b)) + 1
		if l.line == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		if b = bytes.TrimSpace(b); len(b) > 0 {
			return b
		}
	}
	return nil
}

// fail says where an error is.
func (l *textLines) fail(err error) error { return fmt.Errorf("%d: %w: %w", l.line, err, l.kind) }

// failf is fail with a text.
func (l *textLines) failf(format string, args ...any) error {
	return l.fail(fmt.Errorf(format, args...))
}

// end returns the error that stopped the reading, or none at the file's end; n of what was read must
// not be 0.
func (l *textLines) end(n int, what string) error {
	switch {
	case l.s.Err() != nil:
		l.line++
		return l.fail(l.s.Err())
	case l.size > l.limit+1: // the last line may lack its end
		return l.failf("more than %d bytes", l.limit)
	case n == 0:
		return l.failf("no %s", what)
	}
	return nil
}

// commaFields splits a line of CSV; the fields of these formats hold no commas.
func commaFields(b []byte) []string {
	f := strings.Split(string(b), ",")
	for i, s := range f {
		s = strings.TrimSpace(s)
		if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
			s = strings.TrimSpace(s[1 : len(s)-1])
		}
		f[i] = s
	}
	return f
}

// localPath lets no path through that would leave the folder of images.
func localPath(p string) error {
	switch {
	case p == "":
		return errors.New("an empty path")
	case len(p) > maxKey:
		return fmt.Errorf("a path of %d bytes, at most %d are read", len(p), maxKey)
	case strings.ContainsAny(p, "\\\x00") || !filepath.IsLocal(filepath.FromSlash(p)) || p == ".":
		return fmt.Errorf("path %.60q is not below the folder of images", p)
	}
	return nil
}

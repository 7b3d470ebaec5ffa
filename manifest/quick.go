package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The metadata of the full data set is 600 MB of lines that look all alike. They are cut into
// blocks, and workers read the lines that have the regular shape; all others are left to the
// parsers, which know every variant. So quick may say no to any line, but where it says yes the
// parser must find the same.

// blockSize is larger than maxLine, so a block without an end of line is too long a line.
const blockSize = 256 << 10

// shape is what a regular line of a file looks like.
type shape struct {
	ext     string // of the image, as in lists
	numbers int    // behind the NAME_ID, each after a comma
	low     float64
	high    float64 // bounds of the numbers
}

const (
	lineOdd  = iota // for the parser
	lineGood        // of regular shape
	lineLong        // of maxLine bytes or more
)

// line is one line of a block; start, end, id and slash are offsets.
type line struct {
	start, end  int32 // without the line's end
	id, slash   int32 // the identity
	image, face int32
	kind        uint8
}

// block is some whole lines of a file.
type block struct {
	buf    []byte
	n      int   // bytes of the lines
	err    error // that ended the file behind them
	lines  []line
	values []float32 // shape.numbers for each good line
}

// blocks cuts a file into blocks.
type blocks struct {
	r    io.Reader
	rest []byte // read, but not handed out
	err  error
}

// next fills b and reports whether it holds anything, be it an error.
func (bs *blocks) next(b *block) bool {
	if bs.err != nil {
		return false
	}
	if b.buf == nil {
		b.buf = make([]byte, blockSize+1) // and a byte that ends a number
	}
	n := copy(b.buf[:blockSize], bs.rest)
	if n < blockSize {
		var k int
		k, bs.err = io.ReadFull(bs.r, b.buf[n:blockSize])
		if errors.Is(bs.err, io.ErrUnexpectedEOF) {
			bs.err = io.EOF
		}
		n += k
	}
	b.n, b.err, bs.rest = n, bs.err, bs.rest[:0]
	if errors.Is(b.err, io.EOF) {
		return true
	}
	end := bytes.LastIndexByte(b.buf[:n], '\n') + 1
	switch {
	case end > 0:
		b.n = end
		bs.rest = append(bs.rest, b.buf[end:n]...)
	case b.err != nil:
		b.n = 0 // the file breaks off in mid-line
	default:
		b.err = bs.skipLine()
	}
	return true
}

// skipLine passes over the rest of a line that fills a block. The end of the file is no error yet.
func (bs *blocks) skipLine() error {
	buf := make([]byte, blockSize)
	for {
		n, err := bs.r.Read(buf)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			bs.rest = append(bs.rest, buf[i+1:n]...)
			return nil // the next read tells of the error again
		}
		if err != nil {
			bs.err = err
			return err
		}
	}
}

// scan finds the lines of the block and reads those of the shape.
func (b *block) scan(s *shape) {
	b.lines, b.values = b.lines[:0], b.values[:0]
	b.buf[b.n] = 0
	buf := b.buf[:b.n+1]
	var prefix []byte // identity and slash of the line before
	for at := 0; at < b.n; {
		l := line{start: int32(at)}
		if end, ok := b.quick(buf, at, s, prefix, &l); ok {
			l.kind = lineGood
			prefix = buf[l.id : l.slash+1]
			b.lines = append(b.lines, l)
			at = end
			continue
		}
		end := bytes.IndexByte(buf[at:b.n], '\n')
		next := at + end + 1
		if end < 0 {
			end = b.n - at
			next = b.n
		}
		if end >= maxLine {
			l.kind = lineLong
		}
		if end > 0 && buf[at+end-1] == '\r' {
			end--
		}
		l.end = int32(at + end)
		b.lines = append(b.lines, l)
		at = next
	}
}

// quick reads the line at i, which ends with the byte 0 at the latest, and returns where the next
// one begins. A line with an image and numbers only is regular: "n000001/0001_01",60,60.5.
func (b *block) quick(buf []byte, i int, s *shape, prefix []byte, l *line) (next int, ok bool) {
	quoted := s.ext == "" && buf[i] == '"'
	if quoted {
		i++
	}
	l.id = int32(i)
	if len(prefix) > 0 && len(buf)-i > len(prefix) && string(buf[i:i+len(prefix)]) == string(prefix) {
		i += len(prefix)
	} else {
		for buf[i] != '/' {
			if !wordByte[buf[i]] {
				return 0, false
			}
			i++
		}
		if !validIdentity(buf[l.id:i]) {
			return 0, false
		}
		i++
	}
	l.slash = int32(i - 1)
	if l.image, i, ok = quickPadded(buf, i, 4); !ok || buf[i] != '_' {
		return 0, false
	}
	if l.face, i, ok = quickPadded(buf, i+1, 2); !ok {
		return 0, false
	}
	if quoted {
		if buf[i] != '"' {
			return 0, false
		}
		i++
	}
	if n := len(s.ext); n > 0 {
		if len(buf)-i <= n || string(buf[i:i+n]) != s.ext {
			return 0, false
		}
		i += n
	}
	have := len(b.values)
	for range s.numbers {
		if buf[i] != ',' {
			break // the end of the line is missed below
		}
		i++
		neg := buf[i] == '-'
		if neg {
			i++
		}
		var m uint64
		from := i
		for c := buf[i] - '0'; c <= 9; c = buf[i] - '0' {
			m = m*10 + uint64(c)
			i++
		}
		digits, places := i-from, 0
		if buf[i] == '.' {
			i++
			from = i
			for c := buf[i] - '0'; c <= 9; c = buf[i] - '0' {
				m = m*10 + uint64(c)
				i++
			}
			places = i - from
			digits += places
		}
		if digits == 0 || digits > 15 {
			break
		}
		v := float64(m) // as parseNumber does
		if places > 0 {
			v /= pow10[places]
		}
		if neg {
			v = -v
		}
		if v < s.low || v > s.high {
			break
		}
		b.values = append(b.values, float32(v))
	}
	if len(b.values)-have == s.numbers {
		l.end = int32(i)
		if buf[i] == '\r' {
			i++
		}
		if buf[i] == '\n' {
			return i + 1, true
		}
	}
	b.values = b.values[:have]
	return 0, false
}

// quickPadded reads what parsePadded does.
func quickPadded(buf []byte, i, width int) (v int32, end int, ok bool) {
	from := i
	for c := buf[i] - '0'; c <= 9; c = buf[i] - '0' {
		v = v*10 + int32(c)
		if i++; i-from > 9 {
			return 0, 0, false
		}
	}
	n := i - from
	return v, i, n >= width && (n == width || buf[from] != '0')
}

// wordByte tells the bytes of which an identity consists.
var wordByte = func() (t [256]bool) {
	for c := range t {
		t[c] = validIdentity([]byte{'n', byte(c)})
	}
	return t
}()

// run reads a file block by block. For a regular line good is called with the identity, which is
// valid during the call only, and the numbers; it may say no. All other lines that are not blank
// go to odd, which may write to them.
func (s *source) run(r io.Reader, sh *shape, good func(identity []byte, l *line, values []float32) bool, odd func(b []byte) error) error {
	workers := 1
	if in, ok := r.(*inputFile); ok {
		workers = in.workers
	}
	from := &blocks{r: r}
	held := make([]block, max(workers, 1))
	err := ordered(workers, func(w int) bool {
		return from.next(&held[w])
	}, func(w int) {
		held[w].scan(sh)
	}, func(w int) error {
		b := &held[w]
		values := b.values
		for i := range b.lines {
			l := &b.lines[i]
			s.lines.n++
			if l.kind == lineGood && s.find == nil {
				v := values[:sh.numbers]
				values = values[sh.numbers:]
				if good(b.buf[l.id:l.slash], l, v) {
					s.seen++
					s.good++
					continue
				}
			}
			if l.kind == lineLong {
				s.seen++
				s.reject("%v", errLong)
				continue
			}
			text := b.buf[l.start:l.end]
			if s.lines.n == 1 {
				text = bytes.TrimPrefix(text, []byte(byteOrderMark))
			}
			if blank(text) {
				continue
			}
			s.seen++
			if err := odd(text); err != nil {
				return err
			}
		}
		if b.err != nil && !errors.Is(b.err, io.EOF) {
			return fmt.Errorf("%s:%d: %w", s.name, s.lines.n+1, b.err)
		}
		return nil
	})
	return s.end(err)
}

// cut returns the fields of a line; none where it is rejected or holds none.
func (s *source) cut(b []byte) [][]byte {
	var err error
	if s.fields, err = split(s.fields, b); err != nil {
		s.reject("%v", err)
		return nil
	}
	return s.fields
}

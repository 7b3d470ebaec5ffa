package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

const maxLine = 1 << 16 // bytes; MAAD-Face's lines, the longest that are known, have 150

var errLong = fmt.Errorf("line of more than %d bytes", maxLine)

const byteOrderMark = "\xef\xbb\xbf"

// lines reads a text file line by line: LF or CRLF, a byte order mark or none.
type lines struct {
	r *bufio.Reader
	n int // number of the line that next returned last, from 1
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, maxLine)} }

// next returns the next line without its end. It is valid until the next call and may be written
// to. A line that is too long gives errLong and the reader goes on behind it; the end is io.EOF.
func (l *lines) next() ([]byte, error) {
	b, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.n++
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, errLong
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(b) == 0) {
		return nil, err
	}
	l.n++
	if l.n == 1 {
		b = bytes.TrimPrefix(b, []byte(byteOrderMark))
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r")), nil
}

var errQuote = errors.New("a quote that is not closed, or text behind a closed one")

// split cuts a CSV line into fields, trims blanks around them, takes quotes off and drops empty
// fields at the end. It writes to line where a quoted field holds quotes.
func split(fields [][]byte, line []byte) ([][]byte, error) {
	fields = fields[:0]
	for i := 0; ; i++ {
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		if i < len(line) && line[i] == '"' {
			start := i + 1
			out := start
			for i++; ; i++ {
				if i >= len(line) {
					return fields, errQuote
				}
				if line[i] == '"' {
					if i+1 == len(line) || line[i+1] != '"' {
						break
					}
					i++
				}
				line[out] = line[i]
				out++
			}
			fields = append(fields, line[start:out])
			for i++; i < len(line) && (line[i] == ' ' || line[i] == '\t'); i++ {
			}
			if i < len(line) && line[i] != ',' {
				return fields, errQuote
			}
		} else {
			end := bytes.IndexByte(line[i:], ',')
			if end < 0 {
				end = len(line)
			} else {
				end += i
			}
			fields = append(fields, bytes.TrimRight(line[i:end], " \t"))
			i = end
		}
		if i >= len(line) {
			break
		}
	}
	for len(fields) > 0 && len(fields[len(fields)-1]) == 0 {
		fields = fields[:len(fields)-1]
	}
	return fields, nil
}

// parseLooseID reads a NAME_ID as files spell it: perhaps quoted, with an extension, with
// directories before it or with backslashes. It may write to b.
func parseLooseID(b []byte) (identity []byte, image, fc int32, ok bool) {
	b = bytes.Trim(b, " \t\"'")
	if dot := bytes.LastIndexByte(b, '.'); dot > 0 && isImageExt(b[dot:]) {
		b = b[:dot]
	}
	if identity, image, fc, ok = parseNameID(b); ok && validIdentity(identity) {
		return identity, image, fc, ok
	}
	for i := range b {
		if b[i] == '\\' {
			b[i] = '/'
		}
	}
	last := bytes.LastIndexByte(b, '/')
	if last < 0 {
		return nil, 0, 0, false
	}
	first := bytes.LastIndexByte(b[:last], '/') + 1
	identity, image, fc, ok = parseNameID(b[first:])
	return identity, image, fc, ok && validIdentity(identity)
}

func isImageExt(b []byte) bool {
	return len(b) == 4 && bytes.EqualFold(b, []byte(".jpg")) || len(b) == 5 && bytes.EqualFold(b, []byte(".jpeg"))
}

// pow10 holds the powers of ten that a float64 represents exactly.
var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseNumber reads a decimal number; it takes no NaN, infinity or hexadecimal.
//
// Up to 15 digits the quotient of two exact numbers is the correctly rounded value (W. Clinger,
// "How to read floating point numbers accurately", PLDI 1990); the rest is for strconv.
func parseNumber(b []byte) (float64, bool) {
	i, digits, places := 0, 0, -1
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		i++
	}
	var m uint64
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && places < 0 {
			places = 0
			continue
		}
		if c < '0' || c > '9' {
			return parseOddNumber(b)
		}
		if digits++; digits > 15 {
			return parseOddNumber(b)
		}
		m = m*10 + uint64(c-'0')
		if places >= 0 {
			places++
		}
	}
	if digits == 0 {
		return 0, false
	}
	v := float64(m)
	if places > 0 {
		v /= pow10[places]
	}
	if neg {
		v = -v
	}
	return v, true
}

func parseOddNumber(b []byte) (float64, bool) {
	if len(b) == 0 || len(b) > 64 || bytes.ContainsFunc(b, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) {
		return 0, false
	}
	v, err := strconv.ParseFloat(unsafe.String(&b[0], len(b)), 64)
	return v, err == nil && !math.IsInf(v, 0)
}

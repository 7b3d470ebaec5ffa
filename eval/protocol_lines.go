package eval

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/capped"
)

// ErrProtocolFile says that a file is not in the format of a template protocol.
var ErrProtocolFile = errors.New("not in the protocol's format")

// Bounds of protocol files that are believed. The largest real one is IJB-C's list of 15.7
// million pairs, 200 MB.
const (
	maxProtocolFile  = 1 << 30 // bytes
	maxProtocolFaces = 8_000_000
	maxProtocolPairs = 64_000_000
	maxProtocolID    = 1<<31 - 1
	maxFaceFile      = 1000 // bytes of a file's name
)

// protocolLines reads a text line by line. LF, CRLF, a byte order mark, blank lines and spaces
// around a line are accepted.
type protocolLines struct {
	s    *bufio.Scanner
	line int
	size int64
}

func newProtocolLines(r io.Reader) *protocolLines {
	p := &protocolLines{s: bufio.NewScanner(io.LimitReader(r, maxProtocolFile+1))}
	p.s.Buffer(make([]byte, 0, 4096), 1<<16)
	return p
}

// next returns the next line that is not blank, nil at the end; it is valid until the next call.
func (p *protocolLines) next() []byte {
	for p.s.Scan() {
		p.line++
		b := p.s.Bytes()
		p.size += int64(len(b)) + 1
		if p.line == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		if b = bytes.TrimSpace(b); len(b) > 0 {
			return b
		}
	}
	return nil
}

// fail says where an error is.
func (p *protocolLines) fail(err error) error {
	return fmt.Errorf("%d: %w: %w", p.line, err, ErrProtocolFile)
}

// end returns the error that stopped the reading, or none at the file's end; n is the rows read.
func (p *protocolLines) end(n int) error {
	switch {
	case p.s.Err() != nil:
		p.line++
		return p.fail(p.s.Err())
	case p.size > maxProtocolFile:
		return p.fail(fmt.Errorf("more than %d bytes", maxProtocolFile))
	case n == 0:
		return p.fail(errors.New("no rows"))
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

func protocolID(s, what string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %.40q is not a number from 0 to %d", what, s, maxProtocolID)
	}
	return int(n), nil
}

// checkFaceFile accepts the relative, slash-separated name of an image below the set's folder.
func checkFaceFile(name string) error {
	switch {
	case name == "":
		return errors.New("file: an empty name")
	case len(name) > maxFaceFile:
		return fmt.Errorf("file: a name of %d bytes, at most %d are read", len(name), maxFaceFile)
	case strings.ContainsAny(name, "\\\x00\r\n") || !filepath.IsLocal(filepath.FromSlash(name)):
		return fmt.Errorf("file: %.60q leads out of the set's folder", name)
	}
	return nil
}

// openProtocol opens a file below root and hands it to read; errors begin with its path. No
// symbolic link leads out of the root.
func openProtocol(root *os.Root, name string, read func(io.Reader) error) error {
	path := filepath.Join(root.Name(), filepath.FromSlash(name))
	f, _, err := capped.OpenIn(root, name, maxProtocolFile, ErrProtocolFile)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s:%w", path, err)
	}
	return nil
}

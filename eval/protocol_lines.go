package eval

import (
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

func newProtocolLines(r io.Reader) *textLines {
	return newTextLines(r, maxProtocolFile, ErrProtocolFile)
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

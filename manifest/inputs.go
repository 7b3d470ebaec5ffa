package manifest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/digest"
)

// The kinds of input files, as [Input].Kind.
const (
	kindIdentityMeta = "identity-meta"
	kindList         = "list"
	kindBoxes        = "boxes"
	kindLandmarks    = "landmarks"
	kindIdentityAges = "identity-ages"
	kindAges         = "ages"
	kindAttributes   = "attributes"
)

// None, given instead of a file, switches a kind of input off.
const None = "none"

// metaDirs are the directories below the root in which metadata is looked for, the likeliest first.
var metaDirs = []string{"meta", "bb_landmark", "attributes", "maad", ".", "data", "data/meta", "data/bb_landmark", "data/attributes"}

// find returns the files that a kind of input consists of: those given, or those found in the
// directories. Of alternatives, each list of names holds what belongs together; the first
// alternative with a file wins.
func find(root string, given []string, alternatives ...[]string) ([]string, error) {
	if len(given) > 0 {
		if slices.Contains(given, None) {
			return nil, nil
		}
		return given, nil
	}
	for _, names := range alternatives {
		var found []string
		for _, name := range names {
			for _, dir := range metaDirs {
				files, err := filepath.Glob(filepath.Join(escapeGlob(filepath.Join(root, filepath.FromSlash(dir))), name))
				if err != nil {
					return nil, err
				}
				if len(files) > 0 {
					found = append(found, files...)
					break
				}
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// escapeGlob protects a directory's name from being read as a pattern. Windows has no escapes.
func escapeGlob(dir string) string {
	if filepath.Separator == '\\' {
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// inputFile is an open input whose digest is taken as it is read.
type inputFile struct {
	ctx   context.Context // ends reading; a full-size file takes seconds
	f     *os.File
	hash  *digest.Hash
	n     int64
	kind  string
	shown string // how problems, errors and the manifest call it

	workers int // that may parse its lines; 0 is one

	// find looks up the image that a path names, and lost is the problem of one that is not there;
	// nil and "" for layout VGGFace2, whose files name images by NAME_ID.
	find func(text []byte) (identity []byte, image, fc int32, ok bool)
	lost string
}

// openInput opens a file and decides what it is called: relative to the root, else by its base
// name, never by an absolute path.
func openInput(ctx context.Context, root, kind, path string) (*inputFile, error) {
	shown := filepath.Base(path)
	if root != "" {
		if a, err := filepath.Abs(root); err == nil {
			if b, err := filepath.Abs(path); err == nil {
				if rel, err := filepath.Rel(a, b); err == nil && filepath.IsLocal(rel) {
					shown = filepath.ToSlash(rel)
				}
			}
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, cause(err))
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("is a directory, want a file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", shown, cause(err))
	}
	return &inputFile{ctx: ctx, f: f, hash: digest.New(), kind: kind, shown: shown}, nil
}

func (in *inputFile) Read(b []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.f.Read(b)
	in.hash.Write(b[:n])
	in.n += int64(n)
	return n, err
}

// Seek goes back to the start, for a second look at a file.
func (in *inputFile) Seek(offset int64, whence int) (int64, error) {
	in.hash, in.n = digest.New(), 0
	return in.f.Seek(offset, whence)
}

// close reads what the parser left, so that the digest is of the whole file.
func (in *inputFile) close() (Input, error) {
	defer in.f.Close()
	if _, err := io.Copy(io.Discard, in); err != nil {
		return Input{}, fmt.Errorf("%s: %w", in.shown, cause(err))
	}
	return Input{Kind: in.kind, Path: in.shown, Bytes: in.n, Digest: in.hash.String()}, nil
}

// subsetOf tells from a file's name whether it is about train or test; "" is not known.
func subsetOf(path string) Subset {
	base := strings.ToLower(filepath.Base(path))
	train, test := strings.Contains(base, "train"), strings.Contains(base, "test")
	switch {
	case train && !test:
		return Train
	case test && !train:
		return Test
	}
	return ""
}

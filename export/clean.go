package export

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/internal/journal"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// clean takes away what an export left in a directory, complete or not, and nothing else. It says
// whether there was one.
func clean(dir string) (was bool, err error) {
	x, err := ReadIndex(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: it can't be told what belongs to the export: take it away by hand", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return true, err
	}
	defer root.Close()
	var names []string
	for _, f := range x.Files {
		names = append(names, f.Name)
	}
	if !x.Complete {
		_, err := journal.Read(filepath.Join(dir, journalName), x.Export, func(fact []byte) error {
			var e entry
			if err := json.Unmarshal(fact, &e); err != nil {
				return err
			}
			names = append(names, e.Closing...)
			for _, f := range e.Files {
				names = append(names, f.Name)
			}
			for _, s := range e.Spans {
				names = append(names, s.Name, s.Name+partialSuffix)
			}
			return nil
		})
		if err != nil {
			return true, err
		}
	}
	remove := func(name string) error {
		if err := root.Remove(filepath.FromSlash(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	for _, name := range names {
		if localName(name) != nil && name != RejectsName {
			continue
		}
		if err := remove(name); err != nil {
			return true, err
		}
	}
	for _, d := range append(x.Dirs, sumsDir) {
		if err := root.RemoveAll(filepath.FromSlash(d)); err != nil {
			return true, err
		}
	}
	if err := sweep(root); err != nil {
		return true, err
	}
	for _, name := range []string{CroissantName, RejectsName, journalName, IndexName} { // the index last: it says what is whose
		if err := remove(name); err != nil {
			return true, err
		}
	}
	return true, nil
}

// sweep removes half files that were not in the journal yet.
func sweep(root *os.Root) error {
	names, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Type().IsRegular() && (isTemporary(n.Name()) || strings.HasSuffix(n.Name(), partialSuffix)) {
			if err := root.Remove(n.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// verify holds every file of a complete export against its digest.
func verify(ctx context.Context, dir string, x *Index, report progress.Reporter) error {
	total := int64(0)
	for _, f := range x.Files {
		total += f.Bytes
	}
	report.Start(total, "verify")
	defer report.Done()
	for _, f := range x.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := verifyFile(dir, f.Name, f.SHA256); err != nil {
			return err
		}
		if f.Name == SumsName {
			if err := verifyLoose(ctx, dir); err != nil {
				return err
			}
		}
		report.Add(f.Bytes)
	}
	return nil
}

func verifyFile(dir, name, want string) error {
	got, err := sumFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err == nil && got != want {
		err = fmt.Errorf("%s: SHA-256 %s, want %s", name, got, want)
	}
	if err != nil {
		return fmt.Errorf("the export was complete, but is damaged: %w: make it anew with --restart", err)
	}
	return nil
}

// verifyLoose holds the files that [SumsName] lists against it.
func verifyLoose(ctx context.Context, dir string) error {
	f, err := os.Open(filepath.Join(dir, SumsName))
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if err := ctx.Err(); err != nil {
			return err
		}
		sum, name, ok := strings.Cut(s.Text(), "  ")
		if err := localName(name); !ok || err != nil {
			return fmt.Errorf("%s: %q is no line of sha256sum", SumsName, s.Text())
		}
		if err := verifyFile(dir, name, sum); err != nil {
			return err
		}
	}
	return s.Err()
}

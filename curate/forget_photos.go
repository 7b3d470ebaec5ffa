package curate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/manifest"
)

// findPhotos returns the files below a data set's root that are of what is to be forgotten, sorted: those
// that the manifest names, and in layout VGGFace2 and folders also what lies where such files lie.
func findPhotos(root *os.Root, h *manifest.Holding, t *manifest.Tombstones) ([]string, error) {
	found := map[string]bool{}
	add := func(name string) error {
		info, err := root.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0: // of a link the link goes
			found[name] = true
		}
		return nil
	}
	for _, name := range h.Paths {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	parents := []string{"train", "test", "data/train", "data/test"}
	switch h.Layout {
	case manifest.Folders:
		parents = []string{"."}
	case manifest.UTKFace:
		parents = nil // its files lie anywhere
	}
	for _, s := range t.All() {
		identity, image, one := strings.Cut(s.What, "/")
		if one && h.Layout != manifest.VGGFace2 {
			continue // the number need not be in the file's name
		}
		for _, parent := range parents {
			dir := path.Join(parent, identity)
			entries, err := fs.ReadDir(root.FS(), dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				stem := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
				if one && stem != image || e.IsDir() {
					continue
				}
				if err := add(path.Join(dir, e.Name())); err != nil {
					return nil, err
				}
			}
		}
	}
	var out []string
	for name := range found {
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

// deletePhotos deletes files below a root, and the directories of identities that are empty then. What is
// gone already is passed over; of before, which a run that was cut off deleted, only the directories count.
func deletePhotos(root *os.Root, photos, before []string, t *manifest.Tombstones) error {
	dirs := map[string]bool{}
	for _, name := range photos {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("photos: %w", err)
		}
		dirs[path.Dir(name)] = true
	}
	for _, name := range before {
		dirs[path.Dir(name)] = true
	}
	for dir := range dirs {
		if t.Has(path.Base(dir)) {
			_ = root.Remove(dir) // one that is not empty stays
		}
		if d, err := root.Open(path.Dir(dir)); err == nil {
			_ = d.Sync() // as far as the system can
			d.Close()
		}
		if d, err := root.Open(dir); err == nil {
			_ = d.Sync()
			d.Close()
		}
	}
	return nil
}

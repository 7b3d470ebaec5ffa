package curate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/train"
)

// RunsName is the table of trainings that had seen what is forgotten, beside the list of tombstones.
const RunsName = "runs.csv"

// Run is a training that had seen what is forgotten.
type Run struct {
	Run string `json:"run"` // directory below the one that was searched
	// How it is known: "shards", its shard set held it; "manifest" or "split", its shard set is not known, but
	// was made from what held it; "weights", it began with the weights of another one in the list.
	How    string   `json:"how"`
	Digest string   `json:"digest"` // of the input that tells
	What   []string `json:"what"`
}

// history is how files with digests became others without something.
type history []step

type step struct {
	path          string
	kind          string // "index.json", "split.json" or "manifest"
	before, after string
	what          []string
}

const (
	manifestKind = "manifest"
	splitKind    = "split.json"
)

// newHistory reads what the record says of manifests, splits and shard sets.
func newHistory(log []Entry) (h history) {
	at := map[[2]string]int{}
	for _, e := range log {
		for _, f := range e.Files {
			kind := path.Base(f.Path)
			if kind != shard.IndexName && kind != splitKind {
				kind = manifestKind
			}
			if len(f.What) == 0 { // a shard, a list
				continue
			}
			key := [2]string{fmt.Sprint(e.ID), f.Path}
			if i, ok := at[key]; ok {
				h[i].after, h[i].what = f.After, f.What
				continue
			}
			at[key] = len(h)
			h = append(h, step{f.Path, kind, f.Before, f.After, f.What})
		}
	}
	return h
}

// held returns what a file of some kind with a digest held that is forgotten since, and whether the record
// knows the digest at all.
func (h history) held(kind, sum string) (what []string, known bool) {
	seen := map[string]bool{}
	for sum != "" && !seen[sum] {
		seen[sum] = true
		next := ""
		for _, s := range h {
			switch {
			case s.kind != kind:
			case s.before == sum:
				known, next = true, s.after
				what = append(what, s.what...)
			case s.after == sum:
				known = true
			}
		}
		sum = next
	}
	slices.Sort(what)
	return slices.Compact(what), known
}

// before returns the digests from which a file came to have the digest sum, the latest first.
func (h history) before(path, sum string) (out []string) {
	for i := len(h) - 1; i >= 0; i-- {
		if s := h[i]; s.path == path && (s.after == sum || s.after == "" || slices.Contains(out, s.after)) {
			out = append(out, s.before)
		}
	}
	return out
}

// findRuns lists the trainings below some directories that had seen what is forgotten, sorted.
func findRuns(dirs []string, h history) ([]Run, error) {
	type found struct {
		dir string
		rec *train.Record
	}
	all := map[string]found{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() != train.RecordName {
				return err
			}
			rec, err := train.ReadRecord(filepath.Dir(p))
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, filepath.Dir(p))
			if err != nil {
				return err
			}
			all[path.Join(filepath.Base(dir), filepath.ToSlash(name))] = found{filepath.Dir(p), rec}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	runs := map[string]Run{}
	init := false
	for name, r := range all {
		in := r.rec.Inputs
		init = init || in.Init != ""
		what, known := h.held(shard.IndexName, in.Shards)
		how, sum := "shards", in.Shards
		if !known {
			how, sum = "manifest", in.Manifest
			if what, _ = h.held(manifestKind, in.Manifest); len(what) == 0 {
				how, sum = "split", in.Split
				what, _ = h.held(splitKind, in.Split)
			}
		}
		if len(what) > 0 {
			runs[name] = Run{name, how, sum, what}
		}
	}
	weights := map[string][]string{} // what is in weights, by their digest
	for grown := init; grown; {
		grown = false
		for name, r := range runs {
			files, err := weightFiles(all[name].dir)
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				sum, err := digest.File(f)
				if err != nil && !errors.Is(err, fs.ErrNotExist) { // a training may be at work
					return nil, err
				}
				weights[sum] = r.What
			}
		}
		for name, r := range all {
			if _, listed := runs[name]; listed {
				continue
			}
			if what, ok := weights[r.rec.Inputs.Init]; ok && r.rec.Inputs.Init != "" {
				runs[name] = Run{name, "weights", r.rec.Inputs.Init, what}
				grown = true
			}
		}
	}
	out := []Run{}
	for _, r := range runs {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Run) int { return strings.Compare(a.Run, b.Run) })
	return out, nil
}

func weightFiles(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && strings.HasPrefix(e.Name(), "checkpoint-"):
			inside, err := os.ReadDir(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, f := range inside {
				if strings.HasSuffix(f.Name(), ".safetensors") {
					files = append(files, filepath.Join(name, f.Name()))
				}
			}
		case strings.HasSuffix(e.Name(), ".safetensors"):
			files = append(files, name)
		}
	}
	return files, err
}

// writeRuns writes the table of trainings.
func writeRuns(path string, runs []Run) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		_ = c.Write([]string{"run", "how", "digest", "what"}) // Error tells
		for _, r := range runs {
			_ = c.Write([]string{r.Run, r.How, r.Digest, strings.Join(r.What, " ")})
		}
		c.Flush()
		return c.Error()
	})
}

package report

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/train"
)

// run is a run directory.
type run struct {
	dir     string
	name    string
	record  *train.Record
	summary train.Summary
	history *train.History
	weights string // digest of the kept weights; "" where there are none yet
}

func readRun(dir string) (*run, error) {
	c, err := train.Compare(dir)
	if err != nil {
		return nil, err
	}
	r := &run{dir: dir, name: filepath.Base(filepath.Clean(dir)), summary: c.Runs[0]}
	if r.record, err = train.ReadRecord(dir); err != nil {
		return nil, err
	}
	if r.history, err = train.ReadHistory(dir); err != nil {
		return nil, err
	}
	r.weights, err = digest.File(filepath.Join(dir, train.BestName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return r, nil
}

// settings are a run's configuration and input, by name.
func (r *run) settings() map[string]string {
	out := map[string]string{}
	for _, v := range []any{r.record.Config, r.record.Input} {
		text, err := json.Marshal(v)
		if err != nil {
			continue
		}
		var m map[string]json.RawMessage
		if json.Unmarshal(text, &m) == nil {
			for name, value := range m {
				var s string
				if json.Unmarshal(value, &s) == nil {
					out[name] = s
				} else {
					out[name] = string(value)
				}
			}
		}
	}
	return out
}

// same says whether two runs were trained and validated on the same images.
func (r *run) same(other *run) bool {
	a, b := r.record.Inputs, other.record.Inputs
	return a.Split == b.Split && a.Shards == b.Shards
}

// collect reads the paths: run directories with the evaluations inside, and evaluation folders.
func collect(paths []string) (runs []*run, results []*result, err error) {
	seen := map[string]bool{}
	add := func(dir string, of *run) error {
		if seen[clean(dir)] {
			return nil
		}
		seen[clean(dir)] = true
		r, err := readResult(dir)
		if err != nil {
			return err
		}
		r.run = of
		results = append(results, r)
		return nil
	}
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(path, train.RecordName)); err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, nil, err
			}
			if err := add(path, nil); errors.Is(err, fs.ErrNotExist) {
				return nil, nil, &fs.PathError{Op: "report", Path: path, Err: errNeither}
			} else if err != nil {
				return nil, nil, err
			}
			continue
		}
		if seen[clean(path)] {
			continue
		}
		seen[clean(path)] = true
		r, err := readRun(path)
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, r)
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range entries { // sorted by name
			if !e.IsDir() {
				continue
			}
			if err := add(filepath.Join(path, e.Name()), r); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, nil, err
			}
		}
	}
	for _, r := range results { // an evaluation folder beside its run, on the command line
		for _, run := range runs {
			if w := r.text("weights"); r.run == nil && w != "" && w == run.weights {
				r.run = run
			}
		}
	}
	name(runs, results)
	return runs, results, nil
}

var errNeither = errors.New("neither a run (run.json) nor an evaluation (result.json)")

func clean(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// name tells runs and results of equal names apart by the folder that they lie in.
func name(runs []*run, results []*result) {
	count := map[string]int{}
	for _, r := range runs {
		count[r.name]++
	}
	for _, r := range runs {
		if count[r.name] > 1 {
			r.name = filepath.Base(filepath.Dir(clean(r.dir))) + "/" + r.name
		}
	}
	asked := map[string]int{}
	for _, r := range results {
		if r.run != nil {
			r.name = r.run.name
		}
		asked[r.called()]++
	}
	for _, r := range results {
		if asked[r.called()] > 1 {
			r.alias = r.name + "/" + filepath.Base(clean(r.dir))
		}
	}
	for _, r := range results {
		if r.alias != "" {
			r.name = r.alias
		}
	}
}

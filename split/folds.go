package split

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/manifest"
)

// FoldDir is where fold i of a k-fold split is, where all are in dir.
func FoldDir(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("fold-%d", i)) }

// WriteFolds writes every fold of a k-fold split, each as a split of its own, into fold-0, fold-1 and
// so on in dir, and returns what they come to. It refuses a directory that holds a split itself, or
// folds beyond those.
func (a *Assignment) WriteFolds(dir string) ([]Counts, error) {
	if _, err := os.Stat(filepath.Join(dir, jsonName)); err == nil {
		return nil, fmt.Errorf("%s is a split itself, want another directory for the folds", dir)
	}
	for i := a.Options.Folds; i < maxFolds; i++ {
		if _, err := os.Stat(FoldDir(dir, i)); err == nil {
			return nil, fmt.Errorf("%s is there, want no more than %d folds: remove it", FoldDir(dir, i), a.Options.Folds)
		}
	}
	var out []Counts
	for i := range a.Options.Folds {
		fold := a.Fold(i)
		if err := fold.Write(FoldDir(dir, i)); err != nil {
			return nil, err
		}
		out = append(out, fold.Counts())
	}
	return out, nil
}

// checkFolds checks the folds in dir, and that they are those of one split.
func checkFolds(dir string, m *manifest.Reader, in Inputs) (*Report, error) {
	r := &Report{Problems: []string{}}
	var first *Split
	validated := map[manifest.ImageID]int{}    // number of folds
	excludedFrom := map[manifest.ImageID]int{} //
	for i := 0; first == nil || i < first.Options.Folds; i++ {
		path := FoldDir(dir, i)
		s, err := r.check(path, m, in)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = s
		}
		want := first.Options
		want.Fold = i
		if s.Options != want || s.Options.Strategy != KFold {
			r.add("%s: made by %+v, want %+v", path, s.Options, want)
			return r, nil
		}
		for _, id := range s.Parts[Val] {
			validated[id]++
		}
		for _, id := range s.Parts[Excluded] {
			excludedFrom[id]++
		}
		r.Folds++
	}
	for rec, err := range m.All() {
		if err != nil {
			return nil, err
		}
		n, out := validated[rec.ID], excludedFrom[rec.ID]
		if n+out/r.Folds != 1 && rec.Subset != manifest.Test || out%r.Folds != 0 {
			r.add("%s validates in %d folds and is excluded from %d of %d", rec.ID, n, out, r.Folds)
		}
	}
	return r, nil
}

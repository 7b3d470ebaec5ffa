package curate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
)

// The files that a search for noise may write. Those that this one does not write are removed, so that an old
// list never stays beside a new result.
var noiseFiles = []string{
	"outliers.csv", "mislabelled.csv", "merged.csv", "split.csv", "skipped.csv", "exclude.txt",
	"outliers.png", "mislabelled.png", "merged.png", "split.png",
}

// noiseJSON is written last: where it is, the other files belong to it.
const noiseJSON = "noise.json"

func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', 6, 64)
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

func (n *noise) write(ctx context.Context) error {
	if err := os.MkdirAll(n.Out, 0o755); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(n.Out, noiseJSON)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r := n.r
	r.Files = []string{}
	images := func(name string, list []Image) error {
		return n.table(name, []string{"image", "identity", "similarity", "usual", "nearest", "other_similarity", "margin", "flagged"}, len(list), func(i int) []string {
			x := &list[i]
			return []string{x.Key, x.Identity, number(x.Similarity), number(x.Usual), x.Nearest, number(x.Other), number(x.Margin()), yes(x.Flagged)}
		})
	}
	if err := images("outliers.csv", r.outliers); err != nil {
		return err
	}
	if err := images("mislabelled.csv", r.mislabelled); err != nil {
		return err
	}
	err := n.table("merged.csv", []string{"identity", "images_a", "images_b", "likeness", "across", "within_a", "within_b", "p", "nearest_b", "other_similarity", "flagged"}, len(r.merged), func(i int) []string {
		m := &r.merged[i]
		return []string{m.Identity, strconv.Itoa(m.Images[0]), strconv.Itoa(m.Images[1]), number(m.Likeness), number(m.Across),
			number(m.Within[0]), number(m.Within[1]), number(m.P), m.Nearest, number(m.Other), yes(m.Flagged)}
	})
	if err != nil {
		return err
	}
	err = n.table("split.csv", []string{"a", "b", "images_a", "images_b", "likeness", "across", "within_a", "within_b", "flagged"}, len(r.split), func(i int) []string {
		p := &r.split[i]
		return []string{p.A, p.B, strconv.Itoa(p.ImagesA), strconv.Itoa(p.ImagesB), number(p.Likeness), number(p.Across), number(p.WithinA), number(p.WithinB), yes(p.Flagged)}
	})
	if err != nil {
		return err
	}
	if err := n.sheets(ctx); err != nil {
		return err
	}
	err = n.table("skipped.csv", []string{"item", "reason", "detail"}, len(r.Skips), func(i int) []string {
		return []string{r.Skips[i].Item, r.Skips[i].Reason, r.Skips[i].Detail}
	})
	if err != nil {
		return err
	}
	if err := n.exclude(); err != nil {
		return err
	}
	for _, name := range noiseFiles {
		if slices.Contains(r.Files, name) {
			continue
		}
		if err := os.Remove(filepath.Join(n.Out, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return atomicfile.Write(filepath.Join(n.Out, noiseJSON), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	})
}

func (n *noise) file(name string, fill func(w io.Writer) error) error {
	n.r.Files = append(n.r.Files, name)
	return atomicfile.Write(filepath.Join(n.Out, name), fill)
}

func (n *noise) table(name string, head []string, rows int, row func(i int) []string) error {
	n.r.Files = append(n.r.Files, name)
	return atomicfile.CSV(filepath.Join(n.Out, name), head, rows, row)
}

// exclude writes what is to be left out: flagged images, identities of two people, and of two identities of one
// person the one with fewer images.
func (n *noise) exclude() error {
	if len(n.Exclude) == 0 {
		return nil
	}
	why := map[string]string{} // by what is excluded
	put := func(item, reason string) bool {
		if _, ok := why[item]; ok {
			return false
		}
		why[item] = reason
		return true
	}
	for _, kind := range NoiseKinds {
		if !slices.Contains(n.Exclude, kind) {
			continue
		}
		switch kind {
		case Outliers, Mislabelled:
			for _, x := range map[string][]Image{Outliers: n.r.outliers, Mislabelled: n.r.mislabelled}[kind] {
				if x.Flagged && put(x.Key, kind) {
					n.r.ExcludedImages++
				}
			}
		case Merged:
			for _, m := range n.r.merged {
				if m.Flagged && put(m.Identity, kind) {
					n.r.ExcludedIdentities++
				}
			}
		case Split:
			for _, p := range n.r.split {
				drop := p.B
				if p.ImagesA < p.ImagesB {
					drop = p.A
				}
				if _, gone := why[p.A]; gone { // of three identities of one person one stays
					continue
				}
				if _, gone := why[p.B]; gone {
					continue
				}
				if p.Flagged && put(drop, kind) {
					n.r.ExcludedIdentities++
				}
			}
		}
	}
	return n.file("exclude.txt", func(w io.Writer) error {
		b := bufio.NewWriter(w)
		items := make([]string, 0, len(why))
		for item := range why {
			items = append(items, item)
		}
		slices.Sort(items)
		for _, kind := range NoiseKinds {
			if slices.Contains(n.Exclude, kind) {
				fmt.Fprintf(b, "# %s\n", kind)
			}
			for _, item := range items {
				if why[item] == kind {
					fmt.Fprintln(b, item)
				}
			}
		}
		return b.Flush()
	})
}

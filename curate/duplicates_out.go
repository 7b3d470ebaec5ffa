package curate

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/sheet"
)

// remove takes away what an earlier search left.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write leaves the results in o.Out. The JSON goes first and comes last: where it is, the others belong to it.
func (d *Duplicates) write(o DuplicateOptions, list pictures, h *hashed) error {
	if err := remove(filepath.Join(o.Out, duplicatesJSON)); err != nil {
		return err
	}
	table := func(name string, head []string, rows func(add func(...string))) error {
		return atomicfile.Write(filepath.Join(o.Out, name), func(w io.Writer) error {
			c := csv.NewWriter(w)
			c.Write(head)
			rows(func(row ...string) { c.Write(row) })
			c.Flush()
			return c.Error()
		})
	}
	err := table(duplicatesCSV, []string{"a", "b", "kind", "distance", "difference", "scope", "identity", "part_a", "part_b"}, func(add func(...string)) {
		for _, x := range d.List {
			who := map[bool]string{true: "same", false: "other"}[x.SameIdentity]
			if d.nobody {
				who = ""
			}
			add(x.A, x.B, x.Kind, strconv.Itoa(x.Distance), fmt.Sprintf("%.3f", x.Difference), x.Scope, who, x.PartA, x.PartB)
		}
	})
	if err != nil {
		return err
	}
	err = table(groupsCSV, []string{"group", "key", "part", "keep"}, func(add func(...string)) {
		for g, members := range d.Members {
			keep := keeper(members, list)
			for _, i := range members {
				add(strconv.Itoa(g+1), list.key(i), list.part(i), map[bool]string{true: "yes", false: "no"}[i == keep])
			}
		}
	})
	if err != nil {
		return err
	}
	err = table(rejectsCSV, []string{"image", "stage", "reason", "detail"}, func(add func(...string)) {
		for _, i := range slices.Sorted(maps.Keys(h.rejected)) {
			r := h.rejected[i]
			add(list.key(i), r.Stage, r.Reason, r.Detail)
		}
	})
	if err != nil {
		return err
	}
	if err := d.draw(o, list); err != nil {
		return err
	}
	text, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.Bytes(filepath.Join(o.Out, duplicatesJSON), append(text, '\n'))
}

// keeper proposes which image of a group to keep: one of the test part, which others must not leak into, else
// of val; one that was excluded last; of several the one with the most pixels, since a smaller one was made of it; of
// several the first.
func keeper(members []int, list pictures) int {
	rank := func(i int) int { return slices.Index([]string{"excluded", "train", "val", "test"}, list.part(i)) }
	return slices.MinFunc(members, func(a, b int) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(list.pixels(b), list.pixels(a)), cmp.Compare(a, b))
	})
}

// draw writes the contact sheet: a pair a row, the worst first.
func (d *Duplicates) draw(o DuplicateOptions, list pictures) error {
	rows := min(o.Sheet, len(d.List))
	if rows == 0 {
		return remove(filepath.Join(o.Out, duplicatesPNG))
	}
	page := &sheet.Sheet{Side: 128, Heading: []string{
		fmt.Sprintf("%d of %d pairs; %d across parts, %d across identities", rows, d.Pairs, d.AcrossParts, d.AcrossIdentities),
	}}
	for _, x := range d.List[:rows] {
		var row []sheet.Cell
		for _, one := range []struct {
			i         int
			key, part string
			words     string
		}{{x.a, x.A, x.PartA, x.Kind}, {x.b, x.B, x.PartB, fmt.Sprintf("%d bits, %.1f", x.Distance, x.Difference)}} {
			picture, err := list.show(one.i)
			if err != nil {
				return fmt.Errorf("%s: %w", one.key, err)
			}
			row = append(row, sheet.Cell{Picture: picture, Words: []string{one.key, one.part + ", " + one.words}})
		}
		page.Rows = append(page.Rows, row)
	}
	return atomicfile.Write(filepath.Join(o.Out, duplicatesPNG), func(w io.Writer) error {
		_, err := page.Write(w)
		return err
	})
}

// Print says in a few lines what was found.
func (d *Duplicates) Print(w io.Writer) {
	fmt.Fprintf(w, "images     %d, %d rejected; hashes of %d were there\n", d.Images, d.Rejected, d.Resumed)
	fmt.Fprintf(w, "pairs      %d: %d exact, %d near (of %d candidates)\n", d.Pairs, d.Exact, d.Near, d.Candidates)
	fmt.Fprintf(w, "across     ")
	if !d.nobody {
		fmt.Fprintf(w, "%d pairs of two identities, ", d.AcrossIdentities)
	}
	fmt.Fprintf(w, "%d of two parts\n", d.AcrossParts)
	if d.Crowded > 0 {
		fmt.Fprintf(w, "crowded    %d images of a hash that very many have were compared with %d of these only\n", d.Crowded, mostLeaders)
	}
	fmt.Fprintf(w, "groups     %d, %d images more than one of each\n", d.Groups, d.Extra)
}

package curate

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"io"
	"slices"

	"github.com/vf2prep/vf2prep/internal/sheet"
)

const (
	sheetSide    = 112 // pixels of a picture
	sheetTypical = 4   // pictures of an identity
	// MaxSheet is the most rows that a contact sheet has.
	MaxSheet = 100
)

// sheetRow is a row of pictures, some with a word more.
type sheetRow struct {
	rows  []int
	words map[int]string // by row of the embeddings
}

// sheets draws the worst of each kind, each beside typical images of the identities that it is about.
func (n *noise) sheets(ctx context.Context) error {
	if n.Sheet == 0 || n.Shards == nil && (n.Manifest == nil || n.Root == "") {
		return nil
	}
	at := make(map[string]int, len(n.people))
	for k := range n.people {
		at[n.people[k].id] = k
	}
	pages := map[string][]sheetRow{}
	put := func(kind string, r sheetRow) { pages[kind] = append(pages[kind], r) }
	for _, x := range n.r.outliers[:min(n.Sheet, len(n.r.outliers))] {
		put(Outliers, sheetRow{append([]int{x.Row}, n.typical(at[x.Identity], x.Row)...),
			map[int]string{x.Row: fmt.Sprintf("%s%.3f", flag(x.Flagged), x.Similarity)}})
	}
	for _, x := range n.r.mislabelled[:min(n.Sheet, len(n.r.mislabelled))] {
		put(Mislabelled, sheetRow{slices.Concat([]int{x.Row}, n.typical(at[x.Identity], x.Row), n.typical(at[x.Nearest], x.Row)),
			map[int]string{x.Row: fmt.Sprintf("%s%.3f / %.3f", flag(x.Flagged), x.Similarity, x.Other)}})
	}
	for _, m := range n.r.merged[:min(n.Sheet, len(n.r.merged))] {
		first, second := n.typicalParts(m.k)
		put(Merged, sheetRow{slices.Concat(first, second), map[int]string{first[0]: fmt.Sprintf("%s%.3f", flag(m.Flagged), m.Likeness)}})
	}
	for _, p := range n.r.split[:min(n.Sheet, len(n.r.split))] {
		first := n.typical(p.a, -1)
		put(Split, sheetRow{slices.Concat(first, n.typical(p.b, -1)), map[int]string{first[0]: fmt.Sprintf("%s%.3f", flag(p.Flagged), p.Likeness)}})
	}
	rows := map[int]bool{}
	for _, page := range pages {
		for _, r := range page {
			for _, row := range r.rows {
				rows[row] = true
			}
		}
	}
	pictures, err := n.picturesOf(rows)
	if err != nil {
		return err
	}
	heading := map[string]string{
		Outliers:    "images unlike their identity (similarity), and typical images of it",
		Mislabelled: "images nearer to another identity (similarity to own / other), typical images of the own, then of the other",
		Merged:      "identities that may be two people (likeness of the parts): images of one part, then of the other",
		Split:       "pairs of identities that may be one person (likeness): typical images of one, then of the other",
	}
	for _, kind := range NoiseKinds {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(pages[kind]) == 0 {
			continue
		}
		page := &sheet.Sheet{Side: sheetSide, Heading: []string{heading[kind], "! flagged"}}
		for _, r := range pages[kind] {
			page.Rows = append(page.Rows, n.cells(r, pictures))
		}
		if err := n.file(kind+".png", func(w io.Writer) error {
			_, err := page.Write(w)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func flag(flagged bool) string {
	if flagged {
		return "! "
	}
	return ""
}

func (n *noise) cells(r sheetRow, pictures map[int]image.Image) []sheet.Cell {
	out := make([]sheet.Cell, len(r.rows))
	for i, row := range r.rows {
		key := []rune(n.key(row))
		words := []string{string(key[max(0, len(key)-24):])}
		if w := r.words[row]; w != "" {
			words = append(words, w)
		}
		out[i] = sheet.Cell{Picture: pictures[row], Words: words}
	}
	return out
}

// typical returns the images of a person that are most like the centre, without one.
func (n *noise) typical(k, without int) []int {
	return n.most(n.people[k].rows, func(i int) bool { return n.people[k].rows[i] != without })
}

// typicalParts returns images of each part of a person.
func (n *noise) typicalParts(k int) (first, second []int) {
	p := &n.people[k]
	return n.most(p.rows, func(i int) bool { return !p.second[i] }), n.most(p.rows, func(i int) bool { return p.second[i] })
}

func (n *noise) most(rows []int, want func(i int) bool) []int {
	var out []int
	for i, row := range rows {
		if want(i) {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b int) int { return cmp.Or(cmp.Compare(n.own[b], n.own[a]), n.compareRows(a, b)) })
	return out[:min(sheetTypical, len(out))]
}

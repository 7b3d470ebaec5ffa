package split

import (
	"fmt"
	"slices"
)

// DuplicateCounts are what duplicates come to.
type DuplicateCounts struct {
	Components int `json:"components"`       // of two images of the manifest or more
	Images     int `json:"images"`           // in them
	Moved      int `json:"moved_images"`     // that would validate and train, or the other way round
	Excluded   int `json:"excluded_images"`  // since they can't be where their component is
	WithTest   int `json:"components_test"`  // that have an official test image
	ByTest     int `json:"excluded_by_test"` // images of these that were excluded
}

// keepTogether puts the images of each component of duplicates into one part.
//
// A component is what pairs connect and, with Group Photo, the photos of its images as a whole. It
// goes where its first image in the manifest's order was drawn to. Where that can't be it is
// excluded: an image of a component with a test image, which stays; and where train and validation may
// share nobody, an image of an identity that went elsewhere. What a list excluded connects
// others, but decides nothing.
func (a *Assignment) keepTogether(in Inputs) error {
	d := in.Duplicates
	if d == nil {
		return nil
	}
	row := make([]int32, len(d.images)) // of each image
	for i := range row {
		row[i] = -1
	}
	for i, r := range a.Rows {
		if n, ok := d.index[r.ID]; ok {
			row[n] = int32(i)
		}
	}
	var unknown []string
	for n, i := range row {
		if i < 0 {
			unknown = append(unknown, fmt.Sprintf("%s (line %d)", d.images[n], d.lines[n]))
		}
	}
	if len(unknown) > 0 && !in.AllowUnknown {
		return unknownError(d.File, unknown)
	}
	a.Inputs = append(a.Inputs, Input{Kind: "duplicates", File: d.File, Digest: d.Digest, Entries: len(d.pairs), Unknown: len(unknown)})
	a.together = &DuplicateCounts{}

	connected := newSets(len(d.images)) // images that the manifest has not connect too
	for _, p := range d.pairs {
		connected.join(p[0], p[1])
	}
	components := map[int32][]int32{} // rows by root
	for n, i := range row {
		if root := connected.root(int32(n)); i >= 0 {
			components[root] = append(components[root], i)
		}
	}
	var lists [][]int32
	for _, rows := range components {
		if len(rows) > 1 {
			slices.Sort(rows)
			lists = append(lists, rows)
		}
	}
	slices.SortFunc(lists, func(a, b []int32) int { return int(a[0] - b[0]) })
	for _, rows := range lists {
		a.together.Components++
		a.together.Images += len(rows)
		for _, i := range rows[1:] {
			a.stars = append(a.stars, [2]int32{i, rows[0]})
		}
	}
	slices.SortFunc(a.stars, func(x, y [2]int32) int { return int(x[0] - y[0]) })
	if a.Options.Group == Photo {
		lists = a.wholePhotos(lists)
	}
	for _, rows := range lists {
		a.settle(rows)
	}
	return nil
}

// wholePhotos adds the other faces of their photos to components, and joins those that share one.
func (a *Assignment) wholePhotos(lists [][]int32) [][]int32 {
	joined := newSets(len(lists))
	owner := map[int32]int32{} // component by the first row of a photo
	for n, rows := range lists {
		for _, i := range rows {
			head := a.photo(i)
			if m, ok := owner[head]; ok {
				joined.join(m, int32(n))
			} else {
				owner[head] = int32(n)
			}
		}
	}
	out := make([][]int32, len(lists))
	for head, n := range owner {
		root := joined.root(n)
		for i := head; int(i) < len(a.Rows) && a.photo(i) == head; i++ {
			out[root] = append(out[root], i)
		}
	}
	for _, rows := range out {
		slices.Sort(rows)
	}
	return slices.DeleteFunc(out, func(rows []int32) bool { return len(rows) == 0 })
}

// photo returns the first row of a row's photo.
func (a *Assignment) photo(i int32) int32 {
	for i > 0 && int(i) != a.test && samePhoto(a.Rows[i].ID, a.Rows[i-1].ID) {
		i--
	}
	return i
}

// settle puts one component, whose rows are sorted, into one part.
func (a *Assignment) settle(rows []int32) {
	kept := slices.DeleteFunc(slices.Clone(rows), func(i int32) bool { return a.Rows[i].Part == Excluded })
	if len(kept) == 0 {
		return
	}
	exclude := func(i, because int32) {
		a.Rows[i].Part, a.Rows[i].Reason = Excluded, duplicateReason+a.Rows[because].ID.String()
		a.together.Excluded++
	}
	if t := slices.IndexFunc(kept, func(i int32) bool { return int(i) >= a.test }); t >= 0 {
		a.together.WithTest++
		for _, i := range kept[:t] {
			exclude(i, kept[t])
			a.together.ByTest++
		}
		return
	}
	first := kept[0]
	for _, i := range kept[1:] {
		switch {
		case a.cells[i] == a.cells[first]:
		case a.Options.wholeIdentities():
			exclude(i, first)
		default:
			a.cells[i] = a.cells[first]
			a.together.Moved++
		}
	}
}

package eval

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sort"

	"github.com/vf2prep/vf2prep/rng"
)

// Enrolment is VGGFace2's identification of people whom the network was not trained on: of each
// test identity some images are to be named, the rest say what the identity looks like. It is
// written as result.json, one flat object.
type Enrolment struct {
	TemplateInput

	Rank1     float64 `json:"rank1"`
	Rank1Low  float64 `json:"rank1_low"` // 95 % score interval, images taken as independent
	Rank1High float64 `json:"rank1_high"`
	Rank5     float64 `json:"rank5"`
	Rank5Low  float64 `json:"rank5_low"`
	Rank5High float64 `json:"rank5_high"`
	Chance    float64 `json:"chance"` // rank-1 of guessing

	Identities        int       `json:"identities"` // used
	IdentitiesTotal   int       `json:"identities_total"`
	IdentitiesLeftOut int       `json:"identities_left_out"`
	TestImages        int       `json:"test_images"`  // of each identity
	N                 int       `json:"n"`            // images named
	Enrolled          int       `json:"enrol_images"` // the rest
	Seed              uint64    `json:"seed"`         // which are which
	Classifier        string    `json:"classifier"`   // "nearest-class-mean"
	ListGiven         bool      `json:"list_given"`   // else every image that has an embedding
	CMC               []float64 `json:"-"`
}

// LeftOut returns how many identities could not be judged.
func (e *Enrolment) LeftOut() (int, int, string) {
	return e.IdentitiesLeftOut, e.IdentitiesTotal, "identities"
}

// enrol names images by the nearest mean: the unit vector along the sum of an identity's other
// unit vectors. Which images are named is drawn for each identity from a stream of its own, so
// that it depends on the seed, the identity and its images alone. Identities that are equally
// near as the right one rank before it.
//
// Q. Cao et al., "VGGFace2", FG 2018, section V: 50 images of each of the 500 test identities
// are named. The authors train a classifier on the rest; a mean needs no training.
func enrol(ctx context.Context, o TemplateOptions) (TemplateResult, error) {
	if o.TestImages <= 0 {
		o.TestImages = defaultEnrolTestImages
	}
	r := &Enrolment{TestImages: o.TestImages, Seed: o.Seed, Classifier: "nearest-class-mean", ListGiven: o.Meta != ""}
	rows, err := r.rows(o)
	if err != nil {
		return nil, err
	}
	e := o.Embeddings
	names := make([]string, 0, len(rows))
	for id := range rows {
		names = append(names, id)
	}
	sort.Strings(names)
	r.IdentitiesTotal = len(names)

	var tests []int // rows of the embeddings
	var labels []int
	means := &templateVectors{at: map[int32]int{}, width: e.Width}
	for _, id := range names {
		mine := rows[id]
		if len(mine) <= o.TestImages {
			r.IdentitiesLeftOut++
			r.Skips = append(r.Skips, Skip{id, tooFewImages, fmt.Sprintf("%s, want at least %d", plural(len(mine), "image"), o.TestImages+1)})
			continue
		}
		order := rng.Stream(o.Seed, "eval-enrol", id).Perm(len(mine))
		v := make([]float64, e.Width)
		for _, k := range order[o.TestImages:] {
			for i, x := range e.Vector(mine[k]) {
				v[i] += float64(x)
			}
		}
		if !unit64(v) {
			r.IdentitiesLeftOut++
			r.Skips = append(r.Skips, Skip{id, templateNoLength, "the embeddings add up to zero"})
			continue
		}
		for _, k := range order[:o.TestImages] {
			tests, labels = append(tests, mine[k]), append(labels, r.Identities)
		}
		means.data = append(means.data, v...)
		r.Enrolled += len(mine) - o.TestImages
		r.Identities++
	}
	if r.Identities < 2 {
		return nil, fmt.Errorf("%d of %d identities have more than %d images, want at least 2: %w", r.Identities, len(names), o.TestImages, ErrNoPairs)
	}
	ranks := make([]int, len(tests))
	o.Progress.Start(int64(len(tests)), "name images")
	defer o.Progress.Done()
	err = eachBlock(ctx, len(tests), 32, o.Progress, func(from, to int) {
		v := make([]float64, e.Width)
		score := make([]float64, r.Identities)
		for n := from; n < to; n++ {
			for i, x := range e.Vector(tests[n]) {
				v[i] = float64(x)
			}
			for k := range score {
				score[k] = dot(v, means.vector(k))
			}
			ranks[n] = 1
			for k := range score {
				if k != labels[n] && score[k] >= score[labels[n]] {
					ranks[n]++
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	r.N, r.Faces, r.Templates = len(tests), len(tests)+r.Enrolled, r.Identities
	s := Searches{Subjects: r.Identities}
	first, five := 0, 0
	for _, k := range ranks {
		s.Mated = append(s.Mated, Mate{Rank: k})
		if k == 1 {
			first++
		}
		if k <= 5 {
			five++
		}
	}
	r.CMC = s.CMC(searchRanks)
	r.Rank1, r.Rank5, r.Chance = float64(first)/float64(r.N), float64(five)/float64(r.N), 1/float64(r.Identities)
	r.Rank1Low, r.Rank1High = Wilson(first, r.N)
	r.Rank5Low, r.Rank5High = Wilson(five, r.N)
	return r, nil
}

// rows returns the rows of each identity's embeddings in the order of the keys: of the images of
// the list o.Meta, or of all.
func (r *Enrolment) rows(o TemplateOptions) (map[string][]int, error) {
	e := o.Embeddings
	out := map[string][]int{}
	if o.Meta == "" {
		order := make([]int, len(e.Keys))
		for i := range order {
			order[i] = i
		}
		sort.Slice(order, func(a, b int) bool { return e.Keys[order[a]] < e.Keys[order[b]] })
		for _, i := range order {
			id := identityOf(e.Keys[i])
			out[id] = append(out[id], i)
		}
		return out, nil
	}
	tree, err := openTree(filepath.Dir(o.Meta))
	if err != nil {
		return nil, err
	}
	defer tree.close()
	var names []string
	err = tree.read(filepath.Base(o.Meta), func(list io.Reader) error {
		names, err = readImageList(list)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.ProtocolFiles = tree.sum.String()
	find := newKeyFinder(e)
	sort.Strings(names)
	by := map[int]string{} // the name that a row was found by
	for i, n := range names {
		if i > 0 && names[i-1] == n {
			return nil, fmt.Errorf("%s: %s comes twice: %w", o.Meta, n, ErrProtocolFile)
		}
		id := identityOf(n)
		row := find.row(n)
		if before, ok := by[row]; ok && row >= 0 {
			return nil, fmt.Errorf("%s: %s and %s are one image: %w", o.Meta, before, n, ErrProtocolFile)
		}
		by[row] = n
		if row < 0 {
			r.FacesMissing++
			r.Skips = append(r.Skips, Skip{n, missingEmbedding, ""})
			if _, ok := out[id]; !ok {
				out[id] = nil
			}
			continue
		}
		out[id] = append(out[id], row)
	}
	if r.FacesMissing == len(names) {
		return nil, fmt.Errorf("%s: %w", o.Meta, noneFound(e, names[0]))
	}
	return out, nil
}

// readImageList reads VGGFace2's list format: "n000002/0001_01.jpg" a line.
func readImageList(r io.Reader) ([]string, error) {
	return readPaths(newProtocolLines(r), maxTemplateLines, checkFaceFile)
}

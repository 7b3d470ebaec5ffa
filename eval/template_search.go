package eval

import (
	"context"
	"fmt"
)

// TemplateSearch is how well templates are identified in a gallery, 1:N, as an open set. It is
// written as result.json, one flat object: the mean over IJB-A's splits with its deviation
// (divided by n), or over the two galleries of IJB-B and IJB-C.
type TemplateSearch struct {
	TemplateInput

	Rank1     *float64 `json:"rank1"`
	Rank1Std  *float64 `json:"rank1_std"`
	Rank5     *float64 `json:"rank5"`
	Rank5Std  *float64 `json:"rank5_std"`
	Rank10    *float64 `json:"rank10"`
	Rank10Std *float64 `json:"rank10_std"`

	TPIR1    *float64 `json:"tpir_at_fpir_0.1"`
	TPIR1Std *float64 `json:"tpir_at_fpir_0.1_std"`
	TPIR2    *float64 `json:"tpir_at_fpir_0.01"`
	TPIR2Std *float64 `json:"tpir_at_fpir_0.01_std"`
	// The FPIRs above that the impostor searches of some gallery can't resolve.
	NotReachable []string `json:"fpir_not_reachable"`

	Galleries        int `json:"galleries"`         // splits, or S1 and S2
	GalleriesMissing int `json:"galleries_missing"` // of IJB-A's ten splits
	Subjects         int `json:"gallery_subjects"`  // of all galleries
	Mated            int `json:"mated_searches"`    // used, of all galleries
	NonMated         int `json:"impostor_searches"`
	SearchesTotal    int `json:"searches_total"` // in the files
	SearchesLeftOut  int `json:"searches_left_out"`
	LeftNoFace       int `json:"left_out_template_without_face"`
	LeftNoLength     int `json:"left_out_template_without_direction"`
	LeftUnknown      int `json:"left_out_unknown_template"`
	LeftNoMate       int `json:"left_out_mate_without_face"`

	PerGallery []GallerySearch `json:"-"`
}

// GallerySearch is one gallery of a [TemplateSearch].
type GallerySearch struct {
	Name     string // "split 1", "S1"
	Searches *Searches
	CMC      []float64 // shares at rank 1, 2, ..
	Rates    []Rate    // at FPIR 0.1 and 0.01
	LeftOut  int
}

// searchRanks is how far a CMC is written.
const searchRanks = 50

// LeftOut returns how many searches could not be judged.
func (s *TemplateSearch) LeftOut() (int, int, string) {
	return s.SearchesLeftOut, s.SearchesTotal, "searches"
}

// add searches for the probes in one gallery.
func (s *TemplateSearch) add(ctx context.Context, o TemplateOptions, name string, galleryIDs, probeIDs []int32, t *templateVectors) error {
	out, skips, err := newGallery(galleryIDs, t).search(ctx, probeIDs, t, o.Progress)
	if err != nil {
		return err
	}
	none := t.len() == 0 && len(skips) == len(probeIDs) // nothing has an embedding: all of it is left out
	if !none && (out.Subjects == 0 || len(out.Mated) == 0) {
		return fmt.Errorf("%s: %s: %d subjects in the gallery and %d searches for one of them, %d left out: %w", o.Meta, name, out.Subjects, len(out.Mated), len(skips), ErrNoPairs)
	}
	for i := range skips {
		skips[i].Detail = name
		switch skips[i].Reason {
		case templateNoFace:
			s.LeftNoFace++
		case templateNoLength:
			s.LeftNoLength++
		case mateNotInGallery:
			s.LeftNoMate++
		default:
			s.LeftUnknown++
		}
	}
	s.Skips = append(s.Skips, skips...)
	s.SearchesTotal += len(probeIDs)
	s.SearchesLeftOut += len(skips)
	if none {
		return nil
	}
	s.Subjects += out.Subjects
	s.Mated += len(out.Mated)
	s.NonMated += len(out.NonMated)
	s.PerGallery = append(s.PerGallery, GallerySearch{name, out, out.CMC(searchRanks),
		[]Rate{out.TPIRAtFPIR(0.1), out.TPIRAtFPIR(0.01)}, len(skips)})
	return nil
}

// finish fills in means; a deviation says something of IJB-A's ten splits alone.
func (s *TemplateSearch) finish(deviation bool) {
	s.Galleries = len(s.PerGallery)
	s.NotReachable = []string{}
	for _, n := range []struct {
		mean, std **float64
		of        func(g GallerySearch) float64
		fpir      string
	}{
		{&s.Rank1, &s.Rank1Std, func(g GallerySearch) float64 { return g.CMC[0] }, ""},
		{&s.Rank5, &s.Rank5Std, func(g GallerySearch) float64 { return g.CMC[4] }, ""},
		{&s.Rank10, &s.Rank10Std, func(g GallerySearch) float64 { return g.CMC[9] }, ""},
		{&s.TPIR1, &s.TPIR1Std, func(g GallerySearch) float64 { return g.Rates[0].TAR }, "0.1"},
		{&s.TPIR2, &s.TPIR2Std, func(g GallerySearch) float64 { return g.Rates[1].TAR }, "0.01"},
	} {
		var v []float64
		for _, g := range s.PerGallery {
			v = append(v, n.of(g))
		}
		*n.mean, *n.std = overSplits(v)
		if !deviation {
			*n.std = nil
		}
		if *n.mean == nil {
			s.NotReachable = append(s.NotReachable, n.fpir)
		}
	}
}

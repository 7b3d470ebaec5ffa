package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

func (s *TemplateSearch) write(dir string) error {
	type row struct {
		name string
		p    CurvePoint
	}
	var rows []row
	for _, g := range s.PerGallery {
		for _, p := range g.Searches.Curve() {
			rows = append(rows, row{g.Name, p})
		}
	}
	err := atomicfile.CSV(filepath.Join(dir, "roc.csv"), []string{"gallery", "threshold", "fpir", "tpir"}, len(rows), func(i int) []string {
		p := rows[i].p
		return []string{rows[i].name, exact(p.Threshold), exact(p.FAR), exact(p.TAR)}
	})
	if err != nil {
		return err
	}
	mean := make([]float64, searchRanks)
	for _, g := range s.PerGallery {
		for k := range mean {
			mean[k] += g.CMC[k] / float64(len(s.PerGallery))
		}
	}
	err = atomicfile.CSV(filepath.Join(dir, "cmc.csv"), []string{"gallery", "rank", "share"}, len(s.PerGallery)*searchRanks, func(i int) []string {
		g := s.PerGallery[i/searchRanks]
		return []string{g.Name, strconv.Itoa(i%searchRanks + 1), exact(g.CMC[i%searchRanks])}
	})
	if err != nil {
		return err
	}
	if err := s.draw(dir, mean); err != nil {
		return err
	}
	sec := Section{Title: "1:N identification", Pictures: s.Pictures,
		Text: "A search is mated when the probe's subject is in the gallery; the others are an impostor's. Ranks are of mated searches alone. FPIR is the share of impostor searches that find somebody within the threshold, TPIR that of mated searches whose subject is found first and within it.",
		Facts: append([]Fact{
			{"galleries", fmt.Sprintf("%d, %d missing", s.Galleries, s.GalleriesMissing)},
			{"subjects in them", strconv.Itoa(s.Subjects)},
			{"searches", fmt.Sprintf("%d mated, %d an impostor's", s.Mated, s.NonMated)},
			{"searches left out", fmt.Sprintf("%d of %d", s.SearchesLeftOut, s.SearchesTotal)},
		}, s.facts()...)}
	t := Table{Title: "Mean over the galleries", Head: []string{"measure", "value"}}
	for _, f := range s.measures() {
		t.Rows = append(t.Rows, []string{f.Name, f.Value})
	}
	per := Table{Title: "Galleries", Head: []string{"gallery", "rank 1", "rank 5", "rank 10", "TPIR at FPIR 0.1", "at 0.01", "subjects", "left out"}}
	for _, g := range s.PerGallery {
		per.Rows = append(per.Rows, []string{g.Name, percent(g.CMC[0]), percent(g.CMC[4]), percent(g.CMC[9]), percent(g.Rates[0].TAR), percent(g.Rates[1].TAR), strconv.Itoa(g.Searches.Subjects), strconv.Itoa(g.LeftOut)})
	}
	sec.Tables = []Table{t, per}
	return s.writeAll(dir, s, nil, Report{
		Title:    "Template search",
		Lead:     "Who is it, of those in the gallery, or is it nobody of them? Protocol " + s.Protocol + ".",
		Numbers:  []Fact{{"rank 1", shareText(s.Rank1, nil)}, {"TPIR at FPIR 0.1", shareText(s.TPIR1, nil)}, {"TPIR at FPIR 0.01", shareText(s.TPIR2, nil)}, {"searches left out", strconv.Itoa(s.SearchesLeftOut)}},
		Sections: []Section{sec},
	})
}

func (s *TemplateSearch) measures() []Fact {
	return []Fact{
		{"rank 1", shareText(s.Rank1, s.Rank1Std)},
		{"rank 5", shareText(s.Rank5, s.Rank5Std)},
		{"rank 10", shareText(s.Rank10, s.Rank10Std)},
		{"TPIR at FPIR 0.1", shareText(s.TPIR1, s.TPIR1Std)},
		{"TPIR at FPIR 0.01", shareText(s.TPIR2, s.TPIR2Std)},
	}
}

func (s *TemplateSearch) draw(dir string, mean []float64) error {
	p, err := drawCMC(dir, mean, "share of mated searches with at most this rank")
	if err != nil {
		return err
	}
	s.Pictures = []Picture{p}
	impostors := math.MaxInt
	for _, g := range s.PerGallery {
		impostors = min(impostors, len(g.Searches.NonMated))
	}
	least := leastRate(impostors)
	var at []func(fpir float64) Rate
	for _, g := range s.PerGallery {
		roc, share := g.Searches.roc()
		at = append(at, func(fpir float64) Rate { return g.Searches.rate(roc, share, fpir) })
	}
	line := meanCurve(least, func(fpir float64) float64 {
		sum := 0.0
		for _, rate := range at {
			sum += rate(fpir).TAR
		}
		return sum / float64(len(at))
	})
	if len(line.X) == 0 {
		return nil
	}
	plot, err := chart.Lines(chart.Axes{Title: "Open set", X: "false positive identification rate", Y: "true positive identification rate", LogX: true, XMin: least, XMax: 1, YMin: 0, YMax: 1}, line)
	if err != nil {
		return err
	}
	p, err = drawBoth(dir, "roc", plot, "true positive identification rate by false positive identification rate", fmt.Sprintf("Mean of the TPIR of %d galleries at each FPIR.", s.Galleries))
	s.Pictures = append(s.Pictures, p)
	return err
}

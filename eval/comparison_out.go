package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

func (c *Comparison) write(dir string) error {
	type row struct {
		split int
		p     CurvePoint
	}
	var rows []row
	for _, s := range c.PerSplit {
		for _, p := range s.ROC.Curve() {
			rows = append(rows, row{s.Split, p})
		}
	}
	err := atomicfile.CSV(filepath.Join(dir, "roc.csv"), []string{"split", "threshold", "far", "tar"}, len(rows), func(i int) []string {
		p := rows[i].p
		return []string{strconv.Itoa(rows[i].split), exact(p.Threshold), exact(p.FAR), exact(p.TAR)}
	})
	if err != nil {
		return err
	}
	if err := c.draw(dir); err != nil {
		return err
	}
	s := Section{Title: "1:1 verification", Pictures: c.Pictures, Facts: append([]Fact{
		{"AUC", shareText(c.AUC, c.AUCStd)},
		{"EER", shareText(c.EER, c.EERStd)},
		{"splits", fmt.Sprintf("%d, %d missing", c.Splits, c.SplitsMissing)},
		{"pairs", fmt.Sprintf("%d genuine, %d impostor", c.GenuinePairs, c.ImpostorPairs)},
		{"pairs left out", fmt.Sprintf("%d of %d", c.PairsLeftOut, c.PairsTotal)},
	}, c.facts()...)}
	t := Table{Title: "TAR at FAR", Head: []string{"FAR", "TAR"}}
	for k, r := range c.rates() {
		t.Rows = append(t.Rows, []string{farName(math.Pow10(-k - 1)), shareText(*r[0], *r[1])})
	}
	s.Tables = append(s.Tables, t)
	if c.Splits > 1 {
		t := Table{Title: "Splits", Head: []string{"split", "TAR at 1e-3", "at 1e-2", "at 1e-1", "EER", "AUC", "left out"}}
		for _, p := range c.PerSplit {
			t.Rows = append(t.Rows, []string{strconv.Itoa(p.Split), percent(p.Rates[2].TAR), percent(p.Rates[1].TAR), percent(p.Rates[0].TAR), percent(p.EER), decimal(p.AUC, 4), strconv.Itoa(p.LeftOut)})
		}
		s.Tables = append(s.Tables, t)
	}
	return c.writeAll(dir, c, c.left, Report{
		Title:    "Template verification",
		Lead:     "Are two templates, sets of images and video frames, one subject? Protocol " + c.Protocol + ".",
		Numbers:  []Fact{{"TAR at FAR 1e-3", shareText(c.TAR3, nil)}, {"TAR at FAR 1e-2", shareText(c.TAR2, nil)}, {"EER", shareText(c.EER, nil)}, {"pairs left out", strconv.Itoa(c.PairsLeftOut)}},
		Sections: []Section{s},
	})
}

func (c *Comparison) draw(dir string) error {
	impostors := math.MaxInt
	for _, s := range c.PerSplit {
		impostors = min(impostors, s.ROC.Impostor())
	}
	least := leastRate(impostors)
	line := meanCurve(least, func(far float64) float64 {
		sum := 0.0
		for _, s := range c.PerSplit {
			sum += s.ROC.TARAtFAR(far).TAR
		}
		return sum / float64(len(c.PerSplit))
	})
	plot, err := chart.Lines(chart.Axes{Title: "ROC", X: "false accept rate", Y: "true accept rate", LogX: true, XMin: least, XMax: 1, YMin: 0, YMax: 1}, line)
	if err != nil {
		return err
	}
	note := ""
	if c.Splits > 1 {
		note = fmt.Sprintf("Mean of the TAR of %d splits at each FAR.", c.Splits)
	}
	p, err := drawBoth(dir, "roc", plot, "true accept rate by false accept rate", note)
	c.Pictures = []Picture{p}
	return err
}

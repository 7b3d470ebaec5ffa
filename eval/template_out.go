package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

// writeAll writes what all template protocols have in common, with the pairs that were left out.
func (x *TemplateInput) writeAll(dir string, result any, left []leftPair, r Report) error {
	n := len(x.Skips)
	err := atomicfile.CSV(filepath.Join(dir, "skipped.csv"), []string{"item", "reason", "detail"}, n+len(left), func(i int) []string {
		if i < n {
			return []string{x.Skips[i].Item, x.Skips[i].Reason, x.Skips[i].Detail}
		}
		p := left[i-n]
		return []string{fmt.Sprintf("pair %d %d", p.a, p.b), p.reason, fmt.Sprintf("split %d", p.split+1)}
	})
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "result.json"), result); err != nil {
		return err
	}
	facts := []Fact{{"protocol", x.Protocol}}
	if x.ProtocolFiles != "" {
		facts = append(facts, Fact{"protocol's files", x.ProtocolFiles})
	}
	facts = append(append(facts, Fact{"embeddings", x.Embeddings}), x.Provenance.facts()...)
	if x.Left > 0 {
		facts = append(facts, Fact{"embeddings left out by list", fmt.Sprint(x.Left)})
	}
	if len(x.Skips) > 0 {
		t := Table{Head: []string{"item", "reason", "detail"}}
		for _, s := range x.Skips[:min(len(x.Skips), shownRows)] {
			t.Rows = append(t.Rows, []string{s.Item, s.Reason, s.Detail})
		}
		r.Sections = append(r.Sections, Section{Title: "Left out",
			Text:   "These count neither as right nor as wrong: " + x.leftText() + ". All are listed in skipped.csv, and so are the pairs that lack a template.",
			Tables: []Table{t}})
	}
	r.Sections = append(r.Sections, Section{Title: "Made from", Facts: facts})
	return WriteReport(filepath.Join(dir, "report.html"), r)
}

func (x *TemplateInput) leftText() string {
	names, count := reasons(x.Skips)
	var parts []string
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%d %s", count[n], n))
	}
	return strings.Join(parts, ", ")
}

// facts says what was compared.
func (x *TemplateInput) facts() []Fact {
	pool := map[Pooling]string{
		PoolMedia:     "mean of each medium, sum over the media, length 1",
		PoolUnitMedia: "mean of each medium made length 1, sum over the media, length 1",
		PoolMean:      "mean of all images, length 1",
	}[x.Pooling]
	return []Fact{
		{"templates", fmt.Sprintf("%d, %d left out without a face", x.Templates, x.TemplatesLeftOut)},
		{"template", pool},
		{"faces", fmt.Sprintf("%d; %d without an embedding, %d in a photo of several subjects", x.Faces, x.FacesMissing, x.FacesShared)},
	}
}

// shareText writes a share as percent with its deviation.
func shareText(v, std *float64) string {
	switch {
	case v == nil:
		return "not reachable"
	case std == nil:
		return percent(*v)
	}
	return fmt.Sprintf("%.2f ± %.2f %%", 100**v, 100**std)
}

// meanCurve samples a rate by its bound on a logarithmic grid from least to 1, 30 points a
// decade. Bounds that can't be reached are left out.
func meanCurve(least float64, at func(bound float64) float64) chart.Series {
	var s chart.Series
	decades := -math.Log10(least)
	n := int(math.Round(30 * decades))
	for k := range n + 1 {
		x := math.Pow(10, -decades*(1-float64(k)/float64(n)))
		if y := at(x); !math.IsNaN(y) {
			s.X, s.Y = append(s.X, x), append(s.Y, y)
		}
	}
	return s
}

// leastRate is the smallest power of ten, at most 0.1, that n impostors can show.
func leastRate(n int) float64 {
	return math.Min(0.1, math.Pow10(int(math.Floor(-math.Log10(float64(max(n, 1)))))))
}

func drawCMC(dir string, cmc []float64, y string) (Picture, error) {
	ranks := make([]float64, len(cmc))
	for i := range ranks {
		ranks[i] = float64(i + 1)
	}
	c, err := chart.Lines(chart.Axes{Title: "CMC", X: "rank", Y: y, YMin: 0, YMax: 1}, chart.Series{X: ranks, Y: cmc})
	if err != nil {
		return Picture{}, err
	}
	return drawBoth(dir, "cmc", c, y+", by rank", "")
}

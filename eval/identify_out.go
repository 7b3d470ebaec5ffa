package eval

import (
	"fmt"
	"path/filepath"
	"sort"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

// maxBars is up to how many identities each get a bar of their own.
const maxBars = 60

// shownRows is how many rows a report's table has.
const shownRows = 20

func (r *Identification) write(o IdentifyOptions) error {
	classes := o.Set.Index().Classes
	err := atomicfile.CSV(filepath.Join(o.Out, "predictions.csv"),
		[]string{"image", "identity", "predicted", "rank", "probability", "loss"}, len(r.Predictions), func(i int) []string {
			p := r.Predictions[i]
			return []string{p.Key, classes[p.Label], classes[p.Predicted], strconv.Itoa(p.Rank), decimal(p.Probability, 6), decimal(p.Loss, 6)}
		})
	if err != nil {
		return err
	}
	err = atomicfile.CSV(filepath.Join(o.Out, "identities.csv"), []string{"identity", "images", "correct", "top1"}, len(r.PerIdentity), func(i int) []string {
		a := r.PerIdentity[i]
		return []string{a.Identity, strconv.Itoa(a.N), strconv.Itoa(a.Correct), decimal(float64(a.Correct)/float64(a.N), 6)}
	})
	if err != nil {
		return err
	}
	err = atomicfile.CSV(filepath.Join(o.Out, "confusions.csv"), []string{"identity", "taken_for", "images", "of"}, len(r.Confusions), func(i int) []string {
		c := r.Confusions[i]
		return []string{c.Identity, c.TakenFor, strconv.Itoa(c.Count), strconv.Itoa(c.Of)}
	})
	if err != nil {
		return err
	}
	err = atomicfile.CSV(filepath.Join(o.Out, "cmc.csv"), []string{"rank", "share"}, len(r.CMC), func(i int) []string {
		return []string{strconv.Itoa(i + 1), exact(r.CMC[i])}
	})
	if err != nil {
		return err
	}
	if err := writeSkipped(o.Out, r.Skips); err != nil {
		return err
	}
	if err := r.draw(o.Out); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(o.Out, "result.json"), r); err != nil {
		return err
	}
	curves, err := curvesSection(o.Curves)
	if err != nil {
		return err
	}
	return WriteReport(filepath.Join(o.Out, "report.html"), Report{
		Title:    "Identification",
		Lead:     fmt.Sprintf("Is the right identity, of %d, the one with the highest score? Asked of every labelled image of the part %q.", r.Classes, r.Part),
		Numbers:  r.Numbers(),
		Sections: append(append(r.Sections(), curves...), Section{Title: "Made from", Facts: r.Provenance.facts()}),
	})
}

func (r *Identification) draw(dir string) error {
	ranks := make([]float64, len(r.CMC))
	for i := range ranks {
		ranks[i] = float64(i + 1)
	}
	c, err := chart.Lines(chart.Axes{Title: "Rank of the right identity", X: "rank", Y: "share of images with at most this rank", YMin: 0, YMax: 1},
		chart.Series{X: ranks, Y: r.CMC})
	if err != nil {
		return err
	}
	cmc, err := drawBoth(dir, "cmc", c, "share of images whose right identity has at most a rank, by rank", "")
	if err != nil {
		return err
	}
	c, err = r.identityChart()
	if err != nil {
		return err
	}
	per, err := drawBoth(dir, "identities", c, "top-1 accuracy of the identities", "")
	r.Pictures = []Picture{cmc, per}
	return err
}

func (r *Identification) identityChart() (*chart.Chart, error) {
	list := append([]IdentityAccuracy(nil), r.PerIdentity...)
	share := func(a IdentityAccuracy) float64 { return float64(a.Correct) / float64(a.N) }
	if len(list) > maxBars {
		var v []float64
		for _, a := range list {
			v = append(v, share(a))
		}
		return chart.Histogram(chart.Axes{Title: "Top-1 accuracy of the identities", X: "top-1 accuracy", Y: "identities", XMin: 0, XMax: 1}, 20, chart.Series{Y: v})
	}
	sort.SliceStable(list, func(i, j int) bool { return share(list[i]) > share(list[j]) })
	var names []string
	var v []float64
	for _, a := range list {
		names, v = append(names, a.Identity), append(v, share(a))
	}
	return chart.Bars(chart.Axes{Title: "Top-1 accuracy by identity", Y: "top-1 accuracy", YMin: 0, YMax: 1}, names, v)
}

// Numbers returns the few numbers that a report shows large.
func (r *Identification) Numbers() []Fact {
	return []Fact{
		{"top-1", percent(r.Top1)},
		{"top-5", percent(r.Top5)},
		{"chance", percent(r.Chance)},
		{"images", strconv.Itoa(r.N)},
		{"skipped", strconv.Itoa(r.Skipped)},
	}
}

// Sections returns the result as parts of a report.
func (r *Identification) Sections() []Section {
	s := Section{
		Title: "Identification",
		Text:  "Every labelled image counts once. The intervals hold the true share with 95 % confidence if images were independent (Wilson 1927); images of one identity are not quite, so they are a little too narrow.",
		Facts: []Fact{
			{"top-1", fmt.Sprintf("%s (95 %%: %s to %s)", percent(r.Top1), percent(r.Top1Low), percent(r.Top1High))},
			{"top-5", fmt.Sprintf("%s (95 %%: %s to %s)", percent(r.Top5), percent(r.Top5Low), percent(r.Top5High))},
			{"mean over identities", percent(r.IdentityAccuracy)},
			{"loss", decimal(r.Loss, 4) + " nats a sample"},
			{"chance", fmt.Sprintf("%s (1 of %d)", percent(r.Chance), r.Classes)},
			{"images", fmt.Sprintf("%d of %d identities, part %q", r.N, r.Identities, r.Part)},
			{"skipped", fmt.Sprintf("%d without a label", r.SkippedNoLabel)},
			{"rejected by cache", strconv.Itoa(r.Rejected)},
		},
		Pictures: r.Pictures,
	}
	worst := append([]IdentityAccuracy(nil), r.PerIdentity...)
	sort.SliceStable(worst, func(i, j int) bool {
		a, b := worst[i], worst[j]
		return a.Correct*b.N < b.Correct*a.N
	})
	t := Table{Title: "Hardest identities", Head: []string{"identity", "top-1", "correct", "images"}}
	for _, a := range worst[:min(len(worst), shownRows)] {
		t.Rows = append(t.Rows, []string{a.Identity, percent(float64(a.Correct) / float64(a.N)), strconv.Itoa(a.Correct), strconv.Itoa(a.N)})
	}
	s.Tables = append(s.Tables, t)
	if len(r.Confusions) > 0 {
		t := Table{Title: "Most frequent confusions", Head: []string{"identity", "taken for", "images", "of"}}
		for _, c := range r.Confusions[:min(len(r.Confusions), shownRows)] {
			t.Rows = append(t.Rows, []string{c.Identity, c.TakenFor, strconv.Itoa(c.Count), strconv.Itoa(c.Of)})
		}
		s.Tables = append(s.Tables, t)
	}
	return []Section{s}
}

package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/chart"
)

func (v *Verification) write(o VerifyOptions) error {
	if err := writeSkipped(o.Out, append(append([]Skip(nil), v.Skips...), v.PairsLeftOut...)); err != nil {
		return err
	}
	if err := writeHardest(o.Out, v.HardGenuine, v.HardImpostor); err != nil {
		return err
	}
	err := writeCSV(filepath.Join(o.Out, "roc.csv"), []string{"threshold", "far", "tar"}, len(v.Curve), func(i int) []string {
		p := v.Curve[i]
		return []string{exact(p.Threshold), exact(p.FAR), exact(p.TAR)}
	})
	if err != nil {
		return err
	}
	if v.Protocol == ProtocolLFW {
		err := writeCSV(filepath.Join(o.Out, "pairs.csv"), []string{"line", "fold", "a", "b", "same", "distance", "status"}, len(v.judgements), func(i int) []string {
			j := v.judgements[i]
			distance, same := "", "0"
			if j.status == used {
				distance = exact(j.distance)
			}
			if j.Genuine {
				same = "1"
			}
			return []string{strconv.Itoa(j.Line), strconv.Itoa(j.Fold + 1), j.A.Path(), j.B.Path(), same, distance, j.status}
		})
		if err != nil {
			return err
		}
	}
	if err := v.draw(o.Out); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(o.Out, "result.json"), v); err != nil {
		return err
	}
	curves, err := curvesSection(o.Curves)
	if err != nil {
		return err
	}
	facts := v.Provenance.facts()
	if v.Pairs != "" {
		facts = append(facts, Fact{"pairs file", v.Pairs}, Fact{"images", o.Crop.String()})
	}
	return WriteReport(filepath.Join(o.Out, "report.html"), Report{
		Title:    "Verification",
		Lead:     "Do two images show one person? A pair is accepted when the squared Euclidean distance of its embeddings, made length 1, is at most a threshold.",
		Numbers:  v.Numbers(),
		Sections: append(append(v.Sections(), curves...), Section{Title: "Made from", Facts: facts}),
	})
}

func (v *Verification) draw(dir string) error {
	// The smallest FAR that this many impostor pairs can show, as a power of ten.
	least := math.Pow10(int(math.Floor(-math.Log10(float64(v.ImpostorPairs)))))
	least = math.Min(least, 0.1)
	curve := chart.Series{Name: "network"}
	start := 0.0
	for _, p := range v.Curve {
		if p.FAR == 0 {
			start = p.TAR
			continue
		}
		if len(curve.X) == 0 { // what is accepted before the first impostor pair
			curve.X, curve.Y = append(curve.X, least), append(curve.Y, start)
			curve.X, curve.Y = append(curve.X, p.FAR), append(curve.Y, start)
		}
		curve.X, curve.Y = append(curve.X, p.FAR), append(curve.Y, p.TAR)
	}
	chance := chart.Series{Name: "chance", Dashed: true}
	for k := range 101 {
		x := math.Pow(least, 1-float64(k)/100)
		chance.X, chance.Y = append(chance.X, x), append(chance.Y, x)
	}
	c, err := chart.Lines(chart.Axes{Title: "ROC", X: "false accept rate", Y: "true accept rate", LogX: true, XMin: least, XMax: 1, YMin: 0, YMax: 1}, curve, chance)
	if err != nil {
		return err
	}
	roc, err := drawBoth(dir, "roc", c, "true accept rate by false accept rate", fmt.Sprintf("AUC %.4f, EER %s", v.AUC, percent(v.EER)))
	if err != nil {
		return err
	}
	c, err = chart.Histogram(chart.Axes{Title: "Distances", X: "squared Euclidean distance", Y: "share of each, %", XMin: 0, XMax: v.histogramEnd()}, int(v.histogramEnd()*binsPerUnit+0.5),
		chart.Series{Name: fmt.Sprintf("genuine (%d pairs)", v.GenuinePairs), Y: v.genuineBins.middle, Weight: v.genuineBins.count},
		chart.Series{Name: fmt.Sprintf("impostor (%d pairs)", v.ImpostorPairs), Y: v.impostorBins.middle, Weight: v.impostorBins.count})
	if err != nil {
		return err
	}
	scores, err := drawBoth(dir, "distances", c, "distances of genuine and of impostor pairs", fmt.Sprintf("Best threshold %.2f.", v.Threshold))
	v.Pictures = []Picture{roc, scores}
	return err
}

// histogramEnd returns where the distances end, at a fifth.
func (v *Verification) histogramEnd() float64 {
	last := 0
	for i := range v.genuineBins.count {
		if v.genuineBins.count[i]+v.impostorBins.count[i] > 0 {
			last = i + 1
		}
	}
	const fifth = binsPerUnit / 5
	return float64((last+fifth-1)/fifth) / 5
}

// Numbers returns the few numbers that a report shows large.
func (v *Verification) Numbers() []Fact {
	return []Fact{
		{"EER", percent(v.EER)},
		{"AUC", decimal(v.AUC, 4)},
		{"accuracy", percent(v.Accuracy)},
		{"genuine pairs", strconv.Itoa(v.GenuinePairs)},
		{"impostor pairs", strconv.Itoa(v.ImpostorPairs)},
	}
}

func (v *Verification) accuracyText() string {
	if v.AccuracyStd == nil {
		return percent(v.Accuracy)
	}
	return fmt.Sprintf("%.2f ± %.2f %%", 100*v.Accuracy, 100**v.AccuracyStd)
}

// Sections returns the result as parts of a report.
func (v *Verification) Sections() []Section {
	s := Section{Title: "Verification", Text: v.story(), Pictures: v.Pictures}
	left := strconv.Itoa(v.Skipped)
	if v.Skipped > 0 {
		names, count := reasons(v.Skips)
		var parts []string
		for _, n := range names {
			parts = append(parts, fmt.Sprintf("%d %s", count[n], n))
		}
		left += " (" + strings.Join(parts, ", ") + ")"
	}
	s.Facts = []Fact{
		{"EER", fmt.Sprintf("%s, at distance %.4f", percent(v.EER), v.EERThreshold)},
		{"AUC", decimal(v.AUC, 6)},
		{"accuracy", fmt.Sprintf("%s (%s, %s)", v.accuracyText(), v.AccuracyKind, v.foldsText())},
		{"best threshold", decimal(v.Threshold, 2)},
		{"VAL at FAR 1e-3", v.valText()},
		{"genuine pairs", fmt.Sprintf("%d of %d", v.GenuinePairs, v.GenuinePairsAll)},
		{"impostor pairs", fmt.Sprintf("%d of %d", v.ImpostorPairs, v.ImpostorPairsAll)},
		{"pairs left out", strconv.Itoa(v.MissingPairs)},
		{"images", fmt.Sprintf("%d of %d identities", v.Images, v.Identities)},
		{"images skipped", left},
	}
	if v.Protocol == ProtocolAllPairs {
		s.Facts = append(s.Facts, Fact{"rejected by cache", strconv.Itoa(v.Rejected)}, Fact{"seen in training", v.overlapText()})
	}
	t := Table{Title: "TAR at FAR", Head: []string{"FAR", "TAR", "threshold"}}
	for _, r := range v.Rates {
		threshold := "not reachable"
		if r.Reachable {
			threshold = decimal(r.Threshold, 4)
			if math.IsNaN(r.Threshold) {
				threshold = "none accepted"
			}
		}
		t.Rows = append(t.Rows, []string{farName(r.FAR), percent(r.TAR), threshold})
	}
	s.Tables = append(s.Tables, t)
	hard := Section{Title: "Hardest pairs", Text: "Where the network errs most; also where a wrong label in the data shows first."}
	for _, h := range []struct {
		title string
		list  []Hard
	}{{"Genuine pairs that are farthest apart", v.HardGenuine}, {"Impostor pairs that are nearest", v.HardImpostor}} {
		t := Table{Title: h.title, Head: []string{"image", "image", "squared distance"}}
		for _, p := range h.list {
			t.Rows = append(t.Rows, []string{p.A, p.B, decimal(p.Distance, 4)})
		}
		hard.Tables = append(hard.Tables, t)
	}
	out := []Section{s, hard}
	if len(v.PairsLeftOut) > 0 {
		t := Table{Head: []string{"pair", "reason", "detail"}}
		for _, p := range v.PairsLeftOut[:min(len(v.PairsLeftOut), shownRows)] {
			t.Rows = append(t.Rows, []string{p.Item, p.Reason, p.Detail})
		}
		out = append(out, Section{Title: "Pairs left out",
			Text: fmt.Sprintf("%d pairs could not be judged; they count neither as right nor as wrong. All are listed in skipped.csv.", v.MissingPairs), Tables: []Table{t}})
	}
	return out
}

func (v *Verification) story() string {
	var b strings.Builder
	switch v.Protocol {
	case ProtocolLFW:
		fmt.Fprintf(&b, "The pairs of the file, in its %s.", plural(v.Folds+v.FoldsLeftOut, "fold"))
	default:
		fmt.Fprintf(&b, "Every image of the part %q against every other.", v.Part)
		if v.Sampled {
			fmt.Fprintf(&b, " There are too many pairs to compare all: a sample was drawn with seed %d, every pair being equally likely.", v.Seed)
		}
		b.WriteString(" Balanced accuracy is the mean of the shares of genuine and of impostor pairs decided rightly, so guessing has 50 %.")
	}
	if len(v.NotReachable) > 0 {
		fmt.Fprintf(&b, "\n\nA FAR of %s is not reachable: %d impostor pairs can't show less than one false accept in %d.",
			strings.Join(v.NotReachable, ", "), v.ImpostorPairs, v.ImpostorPairs)
	}
	return b.String()
}

func (v *Verification) foldsText() string {
	text := fmt.Sprintf("threshold held out over %s", plural(v.Folds, "fold"))
	if v.Folds == 1 {
		text = "threshold chosen on the same pairs"
	}
	if v.FoldsLeftOut > 0 {
		text += fmt.Sprintf(", %d left out without pairs of both kinds", v.FoldsLeftOut)
	}
	return text
}

func (v *Verification) valText() string {
	switch {
	case v.VAL == nil:
		return "not reachable"
	case v.VALStd == nil:
		return fmt.Sprintf("%s at FAR %.5f", percent(*v.VAL), *v.VALFAR)
	}
	return fmt.Sprintf("%.2f ± %.2f %% at FAR %.5f", 100**v.VAL, 100**v.VALStd, *v.VALFAR)
}

func (v *Verification) overlapText() string {
	if v.Overlap == 0 {
		return "none of the identities"
	}
	return fmt.Sprintf("%d of the identities (%s), whose pairs are easier", v.Overlap, strings.Join(v.overlapSample[:min(len(v.overlapSample), 10)], ", "))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

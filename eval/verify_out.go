package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

func (v *Verification) write(o VerifyOptions) error {
	if err := writeSkipped(o.Out, append(append([]Skip(nil), v.Skips...), v.PairsLeftOut...)); err != nil {
		return err
	}
	if err := writeHardest(o.Out, v.HardGenuine, v.HardImpostor); err != nil {
		return err
	}
	err := atomicfile.CSV(filepath.Join(o.Out, "roc.csv"), []string{"threshold", "far", "tar"}, len(v.Curve), func(i int) []string {
		p := v.Curve[i]
		return []string{exact(p.Threshold), exact(p.FAR), exact(p.TAR)}
	})
	if err != nil {
		return err
	}
	if v.judgements != nil {
		err := atomicfile.CSV(filepath.Join(o.Out, "pairs.csv"), []string{"line", "fold", "a", "b", "same", "distance", "status"}, len(v.judgements), func(i int) []string {
			j := v.judgements[i]
			distance, same := "", "0"
			if j.status == used {
				distance = exact(j.distance)
			}
			if j.Genuine {
				same = "1"
			}
			return []string{strconv.Itoa(j.Line), strconv.Itoa(j.Fold + 1), j.A, j.B, same, distance, j.status}
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
		facts = append(facts, Fact{"pairs file", v.Pairs})
	}
	if o.Crop != nil {
		facts = append(facts, Fact{"images", o.Crop.String()})
	}
	return WriteReport(filepath.Join(o.Out, "report.html"), Report{
		Title:    "Verification",
		Lead:     v.lead(),
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
	end, n := v.histogramEnd()
	c, err = chart.Histogram(chart.Axes{Title: "Distances", X: v.Metric.title(), Y: "share of each, %", XMin: 0, XMax: end}, n,
		chart.Series{Name: fmt.Sprintf("genuine (%d pairs)", v.GenuinePairs), Y: v.genuineBins.middle, Weight: v.genuineBins.count},
		chart.Series{Name: fmt.Sprintf("impostor (%d pairs)", v.ImpostorPairs), Y: v.impostorBins.middle, Weight: v.impostorBins.count})
	if err != nil {
		return err
	}
	scores, err := drawBoth(dir, "distances", c, "distances of genuine and of impostor pairs", fmt.Sprintf("Best threshold %s.", decimal(v.Threshold, v.places())))
	v.Pictures = []Picture{roc, scores}
	return err
}

// histogramEnd returns where the distances end, at a multiple of ten bins, and after how many.
func (v *Verification) histogramEnd() (end float64, n int) {
	last := 0
	for i := range v.genuineBins.count {
		if v.genuineBins.count[i]+v.impostorBins.count[i] > 0 {
			last = i + 1
		}
	}
	n = (last + 9) / 10 * 10
	return float64(n) / v.genuineBins.perUnit, n
}

func (v *Verification) lead() string {
	length := ", made length 1,"
	if !v.Normalized {
		length = ", with the lengths that they come with,"
	}
	of := "images"
	if v.Protocol.Name == ProtocolYTF {
		of = "videos"
	}
	return fmt.Sprintf("Do two %s show one person? A pair is accepted when the %s of its embeddings%s is at most a threshold.", of, v.Metric.title(), length)
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
		{"EER", fmt.Sprintf("%s, at distance %.4f%s", percent(v.EER), v.EERThreshold, v.between(v.EERLow, v.EERHigh))},
		{"AUC", decimal(v.AUC, 6) + v.between(v.AUCLow, v.AUCHigh)},
		{"accuracy", fmt.Sprintf("%s (%s, %s)%s", v.accuracyText(), v.AccuracyKind, v.foldsText(), v.between(v.AccuracyLow, v.AccuracyHigh))},
		{v.thresholdName(), decimal(v.Threshold, v.places())},
		{"VAL at FAR 1e-3", v.valText()},
		{"genuine pairs", fmt.Sprintf("%d of %d", v.GenuinePairs, v.GenuinePairsAll)},
		{"impostor pairs", fmt.Sprintf("%d of %d", v.ImpostorPairs, v.ImpostorPairsAll)},
		{"pairs left out", strconv.Itoa(v.MissingPairs)},
		{"images", fmt.Sprintf("%d of %d identities", v.Images, v.Identities)},
		{"images skipped", left},
	}
	if v.Protocol.Name == ProtocolAllPairs {
		s.Facts = append(s.Facts, Fact{"rejected by cache", strconv.Itoa(v.Rejected)})
	}
	s.Facts = append(s.Facts, Fact{"seen in training", v.overlapText()}, Fact{"people left out", v.excludedText()}, Fact{"images left out by list", strconv.Itoa(v.ExcludedImages)}, Fact{"protocol digest", v.ProtocolDigest})
	if v.Replicates > 0 {
		s.Facts = append(s.Facts, Fact{"95 % intervals", fmt.Sprintf("bootstrap over %d identities, %d of %d samples used", v.Intervals.Identities, v.Used, v.Replicates)})
	}
	t := Table{Title: "TAR at FAR", Head: []string{"FAR", "TAR", "95 % interval", "threshold"}}
	for k, r := range v.Rates {
		threshold := "not reachable"
		if r.Reachable {
			threshold = decimal(r.Threshold, 4)
			if math.IsNaN(r.Threshold) {
				threshold = "none accepted"
			}
		}
		t.Rows = append(t.Rows, []string{farName(r.FAR), percent(r.TAR), strings.TrimSpace(v.between(v.tarInterval(k))), threshold})
	}
	s.Tables = append(s.Tables, t)
	hard := Section{Title: "Hardest pairs", Text: "Where the network errs most; also where a wrong label in the data shows first."}
	for _, h := range []struct {
		title string
		list  []Hard
	}{{"Genuine pairs that are farthest apart", v.HardGenuine}, {"Impostor pairs that are nearest", v.HardImpostor}} {
		t := Table{Title: h.title, Head: []string{"image", "image", "distance"}}
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
			Text: fmt.Sprintf("%d pairs were left out; they count neither as right nor as wrong. All are listed in skipped.csv.", len(v.PairsLeftOut)), Tables: []Table{t}})
	}
	return out
}

func (v *Verification) story() string {
	var b strings.Builder
	switch v.Protocol.Name {
	case ProtocolLFW, ProtocolLFW1:
		fmt.Fprintf(&b, "The pairs of the file, in its %s. LFW has 7 known label errors, which are left in, as in every published figure.", plural(v.Folds+v.FoldsLeftOut, "fold"))
	case ProtocolYTF:
		fmt.Fprintf(&b, "The pairs of videos of the file, in its %s. A video is the mean of its frames' embeddings.", plural(v.Folds+v.FoldsLeftOut, "split"))
	case ProtocolPairs:
		fmt.Fprintf(&b, "The pairs of the file, in its %s.", plural(v.Folds+v.FoldsLeftOut, "fold"))
	default:
		what := "embedding"
		if v.Part != "" {
			what = fmt.Sprintf("image of the part %q", v.Part)
		}
		fmt.Fprintf(&b, "Every %s against every other.", what)
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
	switch {
	case v.ThresholdFrom != "":
		text = "threshold chosen on other pairs"
	case v.Folds == 1:
		text = "threshold chosen on the same pairs"
	}
	if v.FoldsLeftOut > 0 {
		text += fmt.Sprintf(", %d left out without pairs of both kinds", v.FoldsLeftOut)
	}
	return text
}

func (v *Verification) thresholdName() string {
	if v.ThresholdFrom != "" {
		return "threshold"
	}
	return "best threshold"
}

// places is how many decimals the thresholds of the grid need.
func (v *Verification) places() int {
	if v.Metric == Cosine || !v.Normalized {
		return 4
	}
	return 2
}

// between writes an interval, "" where there is none.
func (v *Verification) between(low, high *float64) string {
	if low == nil || high == nil {
		return ""
	}
	return fmt.Sprintf(" (95 %%: %.4f to %.4f)", *low, *high)
}

// tarInterval returns that of the TAR at FAR 1e-1 for k = 0, 1e-2 for 1, ..
func (v *Verification) tarInterval(k int) (low, high *float64) {
	x := &v.Intervals
	all := [][2]*float64{{x.TAR1Low, x.TAR1High}, {x.TAR2Low, x.TAR2High}, {x.TAR3Low, x.TAR3High},
		{x.TAR4Low, x.TAR4High}, {x.TAR5Low, x.TAR5High}, {x.TAR6Low, x.TAR6High}}
	return all[k][0], all[k][1]
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
	by := map[string]string{"": "not known: whom the network was trained on is not said", "id": "none of the identities, by id",
		"id-and-name": "none of the identities, by id and name"}[v.OverlapBy]
	if v.Overlap == 0 {
		return by
	}
	easier := ", whose pairs are easier"
	if v.WithoutOverlap {
		easier = ", left out"
	}
	return fmt.Sprintf("%d of the identities (%s)%s", v.Overlap, strings.Join(v.overlapSample[:min(len(v.overlapSample), 10)], ", "), easier)
}

func (v *Verification) excludedText() string {
	text := strconv.Itoa(v.ExcludedIdentities)
	if n := v.ExcludedPairs + v.OverlapPairs; n > 0 {
		text += fmt.Sprintf(", with %d pairs: %d of excluded people and images, %d of people trained on", n, v.ExcludedPairs, v.OverlapPairs)
	}
	return text
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

package eval

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

func (r *Attributes) write(o AttributeOptions) error {
	number := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return exact(v)
	}
	err := atomicfile.CSV(filepath.Join(o.Out, "predictions.csv"),
		[]string{"key", "age", "gender", "gender_probability", "inversions", "age_label", "gender_label", "age_sigma"}, len(r.Estimates), func(i int) []string {
			e := r.Estimates[i]
			inversions := ""
			if e.Inversions >= 0 {
				inversions = strconv.Itoa(e.Inversions)
			}
			return []string{e.Key, number(e.Age), genderName(e.Gender), number(e.Probability), inversions, number(e.AgeLabel), genderName(e.GenderLabel), number(e.Sigma)}
		})
	if err != nil {
		return err
	}
	err = atomicfile.CSV(filepath.Join(o.Out, "age_groups.csv"), []string{"by", "group", "images", "mae", "bias", "cs5"}, len(r.Groups), func(i int) []string {
		g := r.Groups[i]
		return []string{g.By, g.Group, strconv.Itoa(g.N), exact(g.MAE), exact(g.Bias), exact(g.CS5)}
	})
	if err != nil {
		return err
	}
	err = atomicfile.CSV(filepath.Join(o.Out, "cs.csv"), []string{"years", "share"}, len(r.Curve), func(i int) []string {
		return []string{strconv.Itoa(i), exact(r.Curve[i])}
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
	facts := r.Provenance.facts()
	if r.Predictions != "" {
		facts = append(facts, Fact{"predictions file", r.Predictions})
	}
	facts = append(facts, Fact{"labels", r.LabelDigest})
	return WriteReport(filepath.Join(o.Out, "report.html"), Report{
		Title:    "Age and gender",
		Lead:     "How far from the label is the estimated age, and how often is the gender right? A face counts for the question whose label it has.",
		Numbers:  r.Numbers(),
		Sections: append(append(r.Sections(), curves...), Section{Title: "Made from", Facts: facts}),
	})
}

func (r *Attributes) draw(dir string) error {
	add := func(name string, c *chart.Chart, err error, alt, note string) error {
		if err != nil {
			return err
		}
		p, err := drawBoth(dir, name, c, alt, note)
		r.Pictures = append(r.Pictures, p)
		return err
	}
	var x, y, errors []float64
	end := 10.0
	for _, e := range r.Estimates {
		if !math.IsNaN(e.Age) && !math.IsNaN(e.AgeLabel) {
			x, y, errors = append(x, e.AgeLabel), append(y, e.Age), append(errors, e.Age-e.AgeLabel)
			end = math.Max(end, 10*math.Ceil((math.Max(e.Age, e.AgeLabel)+0.5)/10))
		}
	}
	end = math.Min(end, maxAgeLabel)
	if r.AgeN > 0 {
		c, err := chart.Scatter(chart.Axes{Title: "Age", X: "label, years", Y: "estimate, years", XMin: 0, XMax: end, YMin: 0, YMax: end}, int(end), true, chart.Series{X: x, Y: y})
		if err := add("age", c, err, "estimated age by label", fmt.Sprintf("A cell is a year by a year, the darker the more of the %d images lie in it.", r.AgeN)); err != nil {
			return err
		}
		c, err = chart.Histogram(chart.Axes{Title: "Errors of age", X: "estimate - label, years", Y: "images", XMin: -40, XMax: 40}, 80, chart.Series{Y: errors})
		if err := add("age-errors", c, err, "how often each error of age comes", "Bias "+years(r.AgeBias)); err != nil {
			return err
		}
		curve := chart.Series{Y: r.Curve}
		for k := range r.Curve {
			curve.X = append(curve.X, float64(k))
		}
		c, err = chart.Lines(chart.Axes{Title: "Cumulative score", X: "at most so many years off", Y: "share of images", YMax: 1}, curve)
		if err := add("age-cs", c, err, "share of images by the largest error allowed", "CS(5) "+maybe(r.AgeCS5, percent)); err != nil {
			return err
		}
		var names []string
		var values []float64
		for _, g := range r.Groups {
			if g.By == "decade" {
				names, values = append(names, g.Group), append(values, g.MAE)
			}
		}
		c, err = chart.Bars(chart.Axes{Title: "Error by age", X: "label, years", Y: "mean absolute error, years"}, names, values)
		if err := add("age-decades", c, err, "mean absolute error by decade of the label", ""); err != nil {
			return err
		}
	}
	if r.GenderN == 0 {
		return nil
	}
	g := r.Genders
	c, err := chart.Matrix(chart.Axes{Title: "Gender", X: "taken for", Y: "label"}, []string{"male", "female"}, []string{"male", "female"}, [][]int{g[0][:], g[1][:]})
	return add("gender", c, err, "genders by what they were taken for", fmt.Sprintf("%d images", r.GenderN))
}

// Numbers returns the few numbers that a report shows large.
func (r *Attributes) Numbers() (out []Fact) {
	if r.AgeN > 0 {
		out = append(out, Fact{"age MAE", years(r.AgeMAE)}, Fact{"CS(5)", maybe(r.AgeCS5, percent)})
	}
	if r.GenderN > 0 {
		out = append(out, Fact{"gender", maybe(r.GenderAccuracy, percent)})
	}
	return append(out, Fact{"images", strconv.Itoa(r.Images)}, Fact{"skipped", strconv.Itoa(r.Skipped)})
}

// Sections returns the result as parts of a report.
func (r *Attributes) Sections() []Section {
	s := Section{Title: "Age and gender", Pictures: r.Pictures,
		Text: fmt.Sprintf("The intervals hold the true value with 95 %% confidence: percentiles of %d draws of as many %s as there are, with replacement (seed %d).", r.Resamples, r.IntervalOver, r.Seed)}
	if r.heads.age {
		s.Facts = append(s.Facts,
			Fact{"age MAE", withInterval(r.AgeMAE, r.AgeMAELow, r.AgeMAEHigh, yearsText)},
			Fact{"always the median", years(r.AgeConstant)},
			Fact{"bias", withInterval(r.AgeBias, r.AgeBiasLow, r.AgeBiasHigh, yearsText)},
			Fact{"CS(5)", withInterval(r.AgeCS5, r.AgeCS5Low, r.AgeCS5High, percent)},
			Fact{"epsilon error", r.epsilonText()},
			Fact{"ages compared", fmt.Sprintf("%d; skipped: %d without a label, %d without an estimate", r.AgeN, r.AgeNoLabel, r.AgeNoEstimate)})
	}
	if r.heads.gender {
		s.Facts = append(s.Facts,
			Fact{"gender accuracy", withInterval(r.GenderAccuracy, r.GenderAccuracyLow, r.GenderAccuracyHigh, percent)},
			Fact{"always the more frequent", maybe(r.GenderMajority, percent)},
			Fact{"balanced accuracy", withInterval(r.GenderBalanced, r.GenderBalancedLow, r.GenderBalancedHigh, percent)},
			Fact{"genders compared", fmt.Sprintf("%d; skipped: %d without a label, %d without an estimate", r.GenderN, r.GenderNoLabel, r.GenderNoEstimate)})
	}
	if r.RankN > 0 {
		s.Facts = append(s.Facts, Fact{"consistent ranks", fmt.Sprintf("%s of %d images; %s inversions an image", maybe(r.RankConsistent, percent), r.RankN, decimal(*r.RankInversions, 2))})
	}
	s.Facts = append(s.Facts,
		Fact{"images", fmt.Sprintf("%d of %s", r.Images, plurals(r.Identities, "identity", "identities"))},
		Fact{"skipped", fmt.Sprintf("%d of which nothing could be judged; %d predictions for other images", r.Skipped, r.Unknown)},
		Fact{"rejected by cache", strconv.Itoa(r.Rejected)},
		Fact{"seen in training", r.overlapText()})
	t := Table{Title: "Error of age by group", Head: []string{"by", "group", "images", "MAE, years", "bias, years", "CS(5)"}}
	for _, g := range r.Groups {
		t.Rows = append(t.Rows, []string{g.By, g.Group, strconv.Itoa(g.N), decimal(g.MAE, 2), decimal(g.Bias, 2), percent(g.CS5)})
	}
	c := Table{Title: "Gender", Head: []string{"label", "taken for male", "taken for female", "right"}}
	for k, name := range []string{"male", "female"} {
		if n := r.Genders[k]; n[0]+n[1] > 0 {
			c.Rows = append(c.Rows, []string{name, strconv.Itoa(n[0]), strconv.Itoa(n[1]), percent(r.Genders.Recall(int8(k)))})
		}
	}
	s.Tables = []Table{t, c}
	return []Section{s}
}

func (r *Attributes) epsilonText() string {
	if r.AgeEpsilon == nil {
		return "the labels have no deviation"
	}
	text := withInterval(r.AgeEpsilon, r.AgeEpsilonLow, r.AgeEpsilonHigh, func(v float64) string { return decimal(v, 4) }) + fmt.Sprintf(", %d images", r.AgeEpsilonN)
	if r.AgeSigma != nil {
		text += fmt.Sprintf(", sigma %g years where a label has none", *r.AgeSigma)
	}
	return text
}

func (r *Attributes) overlapText() string {
	if r.Overlap == nil {
		return "not known"
	}
	return fmt.Sprintf("%d of %s", *r.Overlap, plurals(r.Identities, "identity", "identities"))
}

// Print writes the result for a terminal.
func (r *Attributes) Print(w io.Writer) {
	if r.AgeN > 0 {
		fmt.Fprintf(w, "age MAE   %s; always the median: %s\n", withInterval(r.AgeMAE, r.AgeMAELow, r.AgeMAEHigh, yearsText), years(r.AgeConstant))
		fmt.Fprintf(w, "bias      %s\n", years(r.AgeBias))
		fmt.Fprintf(w, "CS(5)     %s\n", maybe(r.AgeCS5, percent))
	}
	if r.AgeEpsilon != nil {
		fmt.Fprintf(w, "epsilon   %s  (%s)\n", decimal(*r.AgeEpsilon, 4), plural(r.AgeEpsilonN, "image"))
	}
	if r.GenderN > 0 {
		fmt.Fprintf(w, "gender    %s; balanced %s; always the more frequent: %s\n", withInterval(r.GenderAccuracy, r.GenderAccuracyLow, r.GenderAccuracyHigh, percent), maybe(r.GenderBalanced, percent), maybe(r.GenderMajority, percent))
	}
	if r.RankN > 0 {
		fmt.Fprintf(w, "ranks     %s consistent, %s inversions an image\n", maybe(r.RankConsistent, percent), decimal(*r.RankInversions, 2))
	}
	fmt.Fprintf(w, "images    %d of %s; intervals over %s\n", r.Images, plurals(r.Identities, "identity", "identities"), r.IntervalOver)
	fmt.Fprintf(w, "left out  age: %d without a label, %d without an estimate; gender: %d and %d; %s for other images\n",
		r.AgeNoLabel, r.AgeNoEstimate, r.GenderNoLabel, r.GenderNoEstimate, plural(r.Unknown, "prediction"))
	if r.Report != "" {
		fmt.Fprintf(w, "report    %s\n", r.Report)
	}
}

func yearsText(v float64) string { return decimal(v, 2) + " years" }

func years(v *float64) string { return maybe(v, yearsText) }

// maybe writes a number that may not exist.
func maybe(v *float64, text func(float64) string) string {
	if v == nil {
		return "none"
	}
	return text(*v)
}

// withInterval adds the interval of a number where there is one.
func withInterval(v, low, high *float64, text func(float64) string) string {
	if v == nil || low == nil || high == nil {
		return maybe(v, text)
	}
	return fmt.Sprintf("%s (95 %%: %s to %s)", text(*v), text(*low), text(*high))
}

package report

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/chart"
	"github.com/vf2prep/vf2prep/train"
)

// The size of a chart, in pixels: small, so that its letters can be read on a phone.
const (
	chartWidth  = 400
	chartHeight = 270
)

// pictures collects charts; the first error stays.
type pictures struct {
	list []eval.Picture
	err  error
}

func (p *pictures) add(c *chart.Chart, err error, alt, note string) {
	if p.err != nil {
		return
	}
	if p.err = err; err != nil {
		return
	}
	pic, err := eval.ChartPicture(c, chartWidth, chartHeight, alt, note)
	p.err = err
	p.list = append(p.list, pic)
}

// lines draws series, unless none has a point.
func (p *pictures) lines(a chart.Axes, alt, note string, series ...chart.Series) {
	if !slices.ContainsFunc(series, func(s chart.Series) bool { return len(s.X) > 0 }) {
		return
	}
	c, err := chart.Lines(a, series...)
	p.add(c, err, alt, note)
}

// training draws the curves of runs on the same data, a line a run.
func training(runs []*run) ([]eval.Picture, error) {
	p := &pictures{}
	byEpoch := func(value func(e train.EpochLine) *float64, name string) (out []chart.Series) {
		for _, r := range runs {
			s := chart.Series{Name: r.name + name}
			for _, e := range r.history.Epochs {
				if v := value(e); v != nil {
					s.X, s.Y = append(s.X, float64(e.Epoch)), append(s.Y, *v)
				}
			}
			out = append(out, s)
		}
		return out
	}
	loss := byEpoch(func(e train.EpochLine) *float64 { return &e.TrainLoss }, "")
	valLoss := byEpoch(func(e train.EpochLine) *float64 { return e.ValLoss }, "")
	if len(runs) == 1 {
		loss[0].Name, valLoss[0].Name = "training", "validation"
		p.lines(chart.Axes{Title: "Loss", X: "epoch", Y: "loss, nats"}, "training and validation loss by epoch", "", append(loss, valLoss...)...)
	} else {
		p.lines(chart.Axes{Title: "Training loss", X: "epoch", Y: "loss, nats"}, "training loss by epoch, a line a run", "", loss...)
		p.lines(chart.Axes{Title: "Validation loss", X: "epoch", Y: "loss, nats"}, "validation loss by epoch, a line a run", "", valLoss...)
	}
	names := func(s []chart.Series) []chart.Series { // of runs that name identities
		for i := range s {
			if runs[i].summary.ValTop1 == nil {
				s[i].X, s[i].Y = nil, nil
			}
		}
		return s
	}
	top1 := names(byEpoch(func(e train.EpochLine) *float64 { return e.ValTop1 }, ""))
	if len(runs) == 1 {
		top1[0].Name = "validation"
		taken := names(byEpoch(func(e train.EpochLine) *float64 { return &e.TrainAccuracy }, ""))
		taken[0].Name = "training"
		top1 = append(taken, top1...)
	}
	p.lines(chart.Axes{Title: "Top-1 accuracy", X: "epoch", Y: "share of images"}, "top-1 accuracy by epoch", "", top1...)
	p.lines(chart.Axes{Title: "Validation age error", X: "epoch", Y: "mean absolute error, years"}, "validation's age error by epoch", "",
		byEpoch(func(e train.EpochLine) *float64 { return e.ValAge }, "")...)
	p.lines(chart.Axes{Title: "Validation gender", X: "epoch", Y: "share of images"}, "validation's gender accuracy by epoch", "",
		byEpoch(func(e train.EpochLine) *float64 { return e.ValGender }, "")...)
	var rates []chart.Series
	for _, r := range runs {
		s := chart.Series{Name: r.name}
		if len(runs) == 1 {
			s.Name = ""
		}
		for _, l := range r.history.Lines {
			s.X, s.Y = append(s.X, float64(l.Step)), append(s.Y, l.Rate)
		}
		rates = append(rates, s)
	}
	p.lines(chart.Axes{Title: "Learning rate", X: "step", Y: "learning rate"}, "learning rate by step", "", rates...)
	return p.list, p.err
}

// pictures draws what the results of a question have in common, over one another.
func (g *group) pictures() ([]eval.Picture, error) {
	p := &pictures{}
	g.roc(p)
	var cmc []chart.Series
	for _, r := range g.results {
		x, y := r.meanCMC()
		cmc = append(cmc, chart.Series{Name: r.name, X: x, Y: y})
	}
	p.lines(chart.Axes{Title: "CMC", X: "rank", Y: "share of images"}, "share of images whose own identity has at most a rank", "", cmc...)
	for _, r := range g.results {
		r.scores(p)
	}
	if g.first().kind() == attributes {
		g.ages(p)
	}
	return p.list, p.err
}

// roc draws the ROC and, with errors on both axes, the DET curve.
//
// A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997; here
// on logarithmic axes rather than those of normal deviates.
func (g *group) roc(p *pictures) {
	var roc, det []chart.Series
	least, lowest := 0.1, 0.1
	note := ""
	rates := g.first().rates
	for _, r := range g.results {
		if r.rates != rates {
			return
		}
		for _, name := range []string{"impostor_pairs", "impostor_searches"} {
			if n, ok := r.number(name); ok && n > 0 {
				least = math.Min(least, math.Pow10(-int(math.Floor(math.Log10(n/float64(max(1, len(r.roc))))))))
			}
		}
		if n, ok := r.number("genuine_pairs"); ok && n > 0 {
			lowest = math.Min(lowest, math.Pow10(-int(math.Floor(math.Log10(n)))))
		}
		if len(r.roc) > 1 {
			note = "Mean of the splits at equal false accept rates."
		}
	}
	for _, r := range g.results {
		a, b := chart.Series{Name: r.name}, chart.Series{Name: r.name}
		a.X, a.Y = r.drawn(least)
		for i := range a.X {
			if frr := 1 - a.Y[i]; frr >= lowest {
				b.X, b.Y = append(b.X, a.X[i]), append(b.Y, frr)
			}
		}
		roc, det = append(roc, a), append(det, b)
	}
	if rates == "fpir,tpir" {
		p.lines(chart.Axes{Title: "Open-set search", X: "FPIR, searches of strangers that find somebody", Y: "TPIR", LogX: true, XMin: least, XMax: 1, YMax: 1},
			"true positive identification rate by false positive identification rate", strings.ReplaceAll(note, "splits at equal false accept rates", "galleries at equal FPIR"), roc...)
		return
	}
	p.lines(chart.Axes{Title: "ROC", X: "false accept rate", Y: "true accept rate", LogX: true, XMin: least, XMax: 1, YMax: 1},
		"true accept rate by false accept rate", note, roc...)
	p.lines(chart.Axes{Title: "DET", X: "false accept rate", Y: "false reject rate", LogX: true, LogY: true, XMin: least, XMax: 1, YMin: lowest, YMax: 1},
		"false reject rate by false accept rate, both logarithmic", note, det...)
}

const scoreBins = 60

// scores draws how distances are spread, from the steps of the curve, which is exact to 1/2000.
func (r *result) scores(p *pictures) {
	if len(r.roc) != 1 || r.rates != "far,tar" || p.err != nil {
		return
	}
	points := r.roc[0]
	genuine, impostor := chart.Series{Name: "genuine"}, chart.Series{Name: "impostor"}
	last := curvePoint{}
	for _, c := range points {
		for _, s := range []struct {
			to   *chart.Series
			mass float64
		}{{&genuine, c.tar - last.tar}, {&impostor, c.far - last.far}} {
			s.to.Y, s.to.Weight = append(s.to.Y, c.threshold), append(s.to.Weight, s.mass)
		}
		last = c
	}
	lo, hi := math.Min(0, points[0].threshold), points[len(points)-1].threshold
	if !(lo < hi) {
		return
	}
	metric := r.text("metric")
	if metric == "" {
		metric = "squared Euclidean distance"
	}
	c, err := chart.Histogram(chart.Axes{Title: "Scores: " + r.name, X: metric, XMin: lo, XMax: hi}, scoreBins, genuine, impostor)
	p.add(c, err, "distances of genuine and impostor pairs, "+r.name, "")
}

// ages draws a scatter a result and the curves of cumulative scores.
func (g *group) ages(p *pictures) {
	var curves []chart.Series
	for _, r := range g.results {
		list, err := eval.LoadPredictions(filepath.Join(r.dir, "predictions.csv"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			p.err = errors.Join(p.err, err)
			return
		}
		s := chart.Series{}
		end := 10.0
		for _, e := range list.List {
			if !math.IsNaN(e.Age) && !math.IsNaN(e.AgeLabel) {
				s.X, s.Y = append(s.X, e.AgeLabel), append(s.Y, e.Age)
				end = math.Max(end, 10*math.Ceil((math.Max(e.Age, e.AgeLabel)+0.5)/10))
			}
		}
		if len(s.X) == 0 {
			continue
		}
		end = math.Min(end, 150)
		c, err := chart.Scatter(chart.Axes{Title: "Age: " + r.name, X: "label, years", Y: "estimate, years", XMax: end, YMax: end}, int(end), true, s)
		p.add(c, err, "estimated age by label, "+r.name, fmt.Sprintf("%d images; the darker a cell, the more of them.", len(s.X)))
		curve := chart.Series{Name: r.name}
		for k := range 31 {
			curve.X, curve.Y = append(curve.X, float64(k)), append(curve.Y, eval.CumulativeScore(s.Y, s.X, float64(k)))
		}
		curves = append(curves, curve)
	}
	p.lines(chart.Axes{Title: "Cumulative score", X: "at most so many years off", Y: "share of images", YMax: 1}, "share of images by the largest age error allowed", "", curves...)
}

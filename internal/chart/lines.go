package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines draws each series as a line through its points in the given order. A short series gets
// dots too, so that a single point can be seen.
func Lines(a Axes, series ...Series) (*Chart, error) {
	all := 0
	for i, s := range series {
		if len(s.X) != len(s.Y) {
			return nil, fmt.Errorf("%w: lines: series %q: %d X for %d Y", ErrData, s.Name, len(s.X), len(s.Y))
		}
		if err := check("lines", i, s, a.LogX, a.LogY); err != nil {
			return nil, err
		}
		all += len(s.X)
	}
	if all == 0 {
		return nil, fmt.Errorf("%w: lines: no points", ErrData)
	}
	series = clone(series)
	whole := wholeX(series)
	return &Chart{axes: a, legend: legendOf(series, false), fill: func(p *plot.Plot, scale float64) error {
		if !a.LogX {
			p.X.Tick.Marker = linearTicks{count: 6, whole: whole}
		}
		for i, s := range series {
			if len(s.X) == 0 {
				continue
			}
			pts := thin(s.X, s.Y, a.LogX)
			line, err := plotter.NewLine(pts)
			if err != nil {
				return fmt.Errorf("%w: lines: %w", ErrData, err)
			}
			line.LineStyle = lineStyle(i, s.Dashed, scale)
			p.Add(line)
			if len(s.X) > dotsUpTo {
				continue
			}
			dots, err := plotter.NewScatter(pts)
			if err != nil {
				return fmt.Errorf("%w: lines: %w", ErrData, err)
			}
			dots.GlyphStyle = draw.GlyphStyle{Color: colour(i), Radius: vg.Length(2.2 * scale), Shape: draw.CircleGlyph{}}
			p.Add(dots)
		}
		switch {
		case !a.LogY:
			p.Y.Min, p.Y.Max = roomy(p.Y.Min, p.Y.Max, 0.05)
		case p.Y.Min == p.Y.Max:
			p.Y.Min, p.Y.Max = p.Y.Min/2, p.Y.Max*2
		}
		switch {
		case p.X.Min == p.X.Max && a.LogX:
			p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
		case p.X.Min == p.X.Max:
			p.X.Min, p.X.Max = p.X.Min-1, p.X.Max+1
		case !a.LogX && all <= dotsUpTo:
			d := (p.X.Max - p.X.Min) * 0.02 // so that no dot is cut by the axis
			p.X.Min, p.X.Max = p.X.Min-d, p.X.Max+d
		}
		return nil
	}}, nil
}

// dotsUpTo is the longest series whose points are marked.
const dotsUpTo = 30

// clone keeps a Chart from changing when the caller goes on to use its slices.
func clone(series []Series) []Series {
	out := make([]Series, len(series))
	for i, s := range series {
		s.X = append([]float64(nil), s.X...)
		s.Y = append([]float64(nil), s.Y...)
		s.Weight = append([]float64(nil), s.Weight...)
		out[i] = s
	}
	return out
}

func wholeX(series []Series) bool {
	for _, s := range series {
		for _, x := range s.X {
			if x != math.Trunc(x) {
				return false
			}
		}
	}
	return true
}

// columns is how many steps of X thin tells apart: more than a picture has pixels across.
const columns = 2000

// thin leaves out points of a long series that can't be seen: of consecutive points in one
// column it keeps the first, the lowest, the highest and the last. A ROC of a million pairs
// then stays an SVG of some kilobytes.
//
// U. Jugel, Z. Jerzak, G. Hackenbroich, V. Markl, "M4: A visualization-oriented time series data
// aggregation", PVLDB 7(10), 2014.
func thin(x, y []float64, log bool) plotter.XYs {
	if len(x) <= 2*columns {
		out := make(plotter.XYs, len(x))
		for i := range x {
			out[i].X, out[i].Y = x[i], y[i]
		}
		return out
	}
	place := func(v float64) float64 { return v }
	if log {
		place = math.Log
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range x {
		lo, hi = math.Min(lo, place(v)), math.Max(hi, place(v))
	}
	column := func(v float64) int {
		if hi == lo {
			return 0
		}
		return int((place(v) - lo) / (hi - lo) * columns)
	}
	var out plotter.XYs
	for from := 0; from < len(x); {
		to, low, high := from, from, from
		for at := column(x[from]); to < len(x) && column(x[to]) == at; to++ {
			if y[to] < y[low] {
				low = to
			}
			if y[to] > y[high] {
				high = to
			}
		}
		last := -1
		for _, i := range []int{from, min(low, high), max(low, high), to - 1} {
			if i > last {
				out = append(out, plotter.XY{X: x[i], Y: y[i]})
				last = i
			}
		}
		from = to
	}
	return out
}

package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Histogram counts the values in Series.Y (weighted by Series.Weight where given; X is not
// used) in equally wide bins, equally wide in the logarithm under LogX. One series shows
// counts; several show each bin's share of its own series in per cent, so that thousands
// of genuine pairs can be seen beside millions of impostor pairs. The bins span XMin to XMax or
// else all the values; what lies outside is not shown but counts in the shares. The last bin
// holds its upper end.
func Histogram(a Axes, bins int, series ...Series) (*Chart, error) {
	if bins < 1 || bins > 10000 {
		return nil, fmt.Errorf("chart: histogram of %d bins, want 1 to 10000", bins)
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, s := range series {
		if err := check("histogram", i, Series{Name: s.Name, X: s.Y}, a.LogX, false); err != nil {
			return nil, err
		}
		if s.Weight != nil && len(s.Weight) != len(s.Y) {
			return nil, fmt.Errorf("%w: histogram: series %q: %d weights for %d values", ErrData, s.Name, len(s.Weight), len(s.Y))
		}
		for j, w := range s.Weight {
			if !finite(w) || w < 0 {
				return nil, fmt.Errorf("%w: histogram: series %q: weight %d is %v", ErrData, s.Name, j, w)
			}
		}
		for _, v := range s.Y {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	if hi < lo {
		return nil, fmt.Errorf("%w: histogram: no values", ErrData)
	}
	if a.XMin != 0 || a.XMax != 0 {
		lo, hi = a.XMin, a.XMax
	} else if lo == hi {
		if a.LogX {
			lo, hi = lo/2, hi*2
		} else {
			lo, hi = lo-0.5, hi+0.5
		}
	}
	if !(lo < hi) || a.LogX && lo <= 0 || !finite(hi-lo) {
		return nil, fmt.Errorf("%w: histogram: X axis from %v to %v", ErrData, lo, hi)
	}
	h := histogram{lo: lo, hi: hi, log: a.LogX, edges: edges(lo, hi, bins, a.LogX)}
	for i, s := range series {
		h.add(i, s, bins, len(series) > 1)
	}
	if a.Y == "" {
		a.Y = "count"
		if len(series) > 1 {
			a.Y = "share of each, %"
		}
	}
	return &Chart{axes: a, legend: legendOf(series, true), fill: func(p *plot.Plot, scale float64) error {
		h := h
		h.scale = scale
		p.Add(h)
		return nil
	}}, nil
}

type histogram struct {
	lo, hi float64
	log    bool
	edges  []float64
	groups []group
	scale  float64
}

type group struct {
	colour  int
	heights []float64
}

func edges(lo, hi float64, bins int, log bool) []float64 {
	e := make([]float64, bins+1)
	for i := range e {
		t := float64(i) / float64(bins)
		if log {
			e[i] = lo * math.Pow(hi/lo, t)
		} else {
			e[i] = lo + (hi-lo)*t
		}
	}
	e[bins] = hi
	return e
}

func (h *histogram) add(index int, s Series, bins int, share bool) {
	heights := make([]float64, bins)
	total := 0.0
	for j, v := range s.Y {
		w := 1.0
		if s.Weight != nil {
			w = s.Weight[j]
		}
		total += w
		if v < h.lo || v > h.hi {
			continue
		}
		t := (v - h.lo) / (h.hi - h.lo)
		if h.log {
			t = math.Log(v/h.lo) / math.Log(h.hi/h.lo)
		}
		heights[min(max(int(t*float64(bins)), 0), bins-1)] += w
	}
	if total == 0 {
		return
	}
	if share {
		for i := range heights {
			heights[i] *= 100 / total
		}
	}
	h.groups = append(h.groups, group{index, heights})
}

// DataRange spans the bins, and the counts from zero.
func (h histogram) DataRange() (xmin, xmax, ymin, ymax float64) {
	for _, g := range h.groups {
		for _, v := range g.heights {
			ymax = math.Max(ymax, v)
		}
	}
	if ymax == 0 {
		ymax = 1
	}
	return h.lo, h.hi, 0, ymax * 1.06
}

// Plot draws each group as a filled outline, so that one can be seen through the other.
func (h histogram) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, g := range h.groups {
		outline := []vg.Point{{X: x(h.edges[0]), Y: y(0)}}
		for i, v := range g.heights {
			outline = append(outline, vg.Point{X: x(h.edges[i]), Y: y(v)}, vg.Point{X: x(h.edges[i+1]), Y: y(v)})
		}
		outline = append(outline, vg.Point{X: x(h.hi), Y: y(0)})
		c.FillPolygon(soft(colour(g.colour)), c.ClipPolygonXY(outline))
		c.StrokeLines(draw.LineStyle{Color: colour(g.colour), Width: vg.Length(1.2 * h.scale)}, c.ClipLinesXY(outline)...)
	}
}

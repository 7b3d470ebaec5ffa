package chart

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatter draws points as cells of 1/cells of each axis, the darker the more points fall into them,
// over the line Y = X where diagonal says so: a million points are as readable, and as small a file,
// as a thousand. Points outside the axes' spans, which must be given, lie in the cells at the edge.
func Scatter(a Axes, cells int, diagonal bool, s Series) (*Chart, error) {
	if cells < 1 || cells > 500 {
		return nil, fmt.Errorf("chart: scatter of %d cells, want 1 to 500", cells)
	}
	if len(s.X) != len(s.Y) || len(s.X) == 0 {
		return nil, fmt.Errorf("%w: scatter: %d X for %d Y", ErrData, len(s.X), len(s.Y))
	}
	if err := check("scatter", 0, s, false, false); err != nil {
		return nil, err
	}
	if a.LogX || !(a.XMin < a.XMax) || !(a.YMin < a.YMax) || !finite(a.XMax-a.XMin) || !finite(a.YMax-a.YMin) {
		return nil, fmt.Errorf("%w: scatter: axes from %v to %v and %v to %v", ErrData, a.XMin, a.XMax, a.YMin, a.YMax)
	}
	d := scatter{axes: a, cells: cells, counts: make([]int, cells*cells), diagonal: diagonal}
	place := func(v, lo, hi float64) int {
		return int(math.Min(math.Max((v-lo)/(hi-lo)*float64(cells), 0), float64(cells-1)))
	}
	for i := range s.X {
		k := place(s.Y[i], a.YMin, a.YMax)*cells + place(s.X[i], a.XMin, a.XMax)
		d.counts[k]++
		d.most = max(d.most, d.counts[k])
	}
	return &Chart{axes: a, fill: func(p *plot.Plot, scale float64) error {
		d := d
		d.scale = scale
		p.Add(d)
		return nil
	}}, nil
}

type scatter struct {
	axes     Axes
	cells    int
	counts   []int // by row of Y, then X
	most     int
	diagonal bool
	scale    float64
}

// DataRange is the axes' own.
func (d scatter) DataRange() (xmin, xmax, ymin, ymax float64) {
	return d.axes.XMin, d.axes.XMax, d.axes.YMin, d.axes.YMax
}

// Plot draws the cells; one point alone is well visible, and more darken it by their logarithm.
func (d scatter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	a := d.axes
	if d.diagonal {
		lo, hi := math.Max(a.XMin, a.YMin), math.Min(a.XMax, a.YMax)
		if lo < hi {
			c.StrokeLine2(draw.LineStyle{Color: faint, Width: vg.Length(d.scale), Dashes: []vg.Length{vg.Length(5 * d.scale), vg.Length(3 * d.scale)}}, x(lo), y(lo), x(hi), y(hi))
		}
	}
	w, h := (a.XMax-a.XMin)/float64(d.cells), (a.YMax-a.YMin)/float64(d.cells)
	for k, n := range d.counts {
		if n == 0 {
			continue
		}
		share := 1.0
		if d.most > 1 {
			share = 0.35 + 0.65*math.Log(float64(n))/math.Log(float64(d.most))
		}
		base := colour(0)
		l, b := a.XMin+w*float64(k%d.cells), a.YMin+h*float64(k/d.cells)
		c.FillPolygon(color.NRGBA{base.R, base.G, base.B, uint8(255 * share)},
			[]vg.Point{{X: x(l), Y: y(b)}, {X: x(l + w), Y: y(b)}, {X: x(l + w), Y: y(b + h)}, {X: x(l), Y: y(b + h)}})
	}
}

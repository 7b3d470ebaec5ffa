package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars draws one bar a value, from zero, in the given order, with its label below. When the
// labels don't fit side by side they are turned, and of very many only some are written.
func Bars(a Axes, labels []string, values []float64) (*Chart, error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("%w: bars: no values", ErrData)
	}
	if len(labels) != len(values) {
		return nil, fmt.Errorf("%w: bars: %d labels for %d values", ErrData, len(labels), len(values))
	}
	if a.LogX {
		return nil, fmt.Errorf("%w: bars: a logarithmic X axis", ErrData)
	}
	if err := check("bars", 0, Series{Name: a.Title, Y: values}, false, false); err != nil {
		return nil, err
	}
	b := bars{labels: append([]string(nil), labels...), values: append([]float64(nil), values...)}
	return &Chart{axes: a, nominal: true, fill: func(p *plot.Plot, scale float64) error {
		b := b
		b.scale = scale
		p.Add(b)
		p.X.Tick.Marker = b.ticks(&p.X, scale)
		return nil
	}}, nil
}

type bars struct {
	labels []string
	values []float64
	scale  float64
}

// DataRange makes the bars 0, 1, 2.. wide enough for half a bar on either side.
func (b bars) DataRange() (xmin, xmax, ymin, ymax float64) {
	for _, v := range b.values {
		ymin, ymax = math.Min(ymin, v), math.Max(ymax, v)
	}
	if ymin == ymax {
		ymax = 1
	}
	lo, hi := roomy(ymin, ymax, 0.06)
	return -0.6, float64(len(b.values)) - 0.4, lo, hi
}

// Plot draws the bars.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, v := range b.values {
		from, to := y(0), y(v)
		l, r := x(float64(i)-0.38), x(float64(i)+0.38)
		shape := c.ClipPolygonXY([]vg.Point{{X: l, Y: from}, {X: r, Y: from}, {X: r, Y: to}, {X: l, Y: to}})
		c.FillPolygon(colour(0), shape)
	}
	if p.Y.Min < 0 {
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: vg.Length(0.8 * b.scale)}, c.Min.X, y(0), c.Max.X, y(0))
	}
}

// maxLabels is how many turned labels can still be read side by side.
const maxLabels = 48

func (b bars) ticks(axis *plot.Axis, scale float64) plot.ConstantTicks {
	letters := 0
	for _, l := range b.labels {
		letters += len(l) + 1
	}
	every := 1
	if letters > 80 { // about what fits below a picture
		axis.Tick.Label.Rotation = math.Pi / 2
		axis.Tick.Label.XAlign = text.XRight
		axis.Tick.Label.YAlign = text.YCenter
		every = (len(b.labels) + maxLabels - 1) / maxLabels
	}
	var ticks plot.ConstantTicks
	for i, l := range b.labels {
		if i%every == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: l})
		}
	}
	return ticks
}

package chart

import (
	"image/color"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	paper = color.RGBA{255, 255, 255, 255}
	ink   = color.RGBA{34, 34, 34, 255}
	faint = color.RGBA{96, 96, 96, 255}
	grid  = color.RGBA{226, 226, 226, 255}
)

// palette can be told apart with any kind of colour vision and in print.
//
// M. Okabe and K. Ito, "Color Universal Design", 2008, with the yellow (too light on white)
// replaced by a violet and the black by a grey.
var palette = []color.RGBA{
	{0, 114, 178, 255},
	{213, 94, 0, 255},
	{0, 158, 115, 255},
	{204, 121, 167, 255},
	{230, 159, 0, 255},
	{86, 180, 233, 255},
	{117, 81, 171, 255},
	{102, 102, 102, 255},
}

func colour(i int) color.RGBA { return palette[i%len(palette)] }

// soft is c with the opacity that an area under a line has.
func soft(c color.RGBA) color.Color {
	return color.NRGBA{c.R, c.G, c.B, 70}
}

func sans(size float64, bold bool) font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return f
}

// textStyle is left-aligned on the baseline.
func textStyle(size float64, bold bool, c color.Color) draw.TextStyle {
	return draw.TextStyle{Color: c, Font: sans(size, bold), Handler: plot.DefaultTextHandler}
}

func lineStyle(i int, dashed bool, scale float64) draw.LineStyle {
	s := draw.LineStyle{Color: colour(i), Width: vg.Length(1.6 * scale)}
	if dashed {
		s.Dashes = []vg.Length{vg.Length(5 * scale), vg.Length(3 * scale)}
	}
	return s
}

// newPlot returns axes and a grid in the house's style, without data; upright grid lines only
// where places along X mean something.
func newPlot(a Axes, upright bool, scale float64) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the canvas has its own
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.LineStyle = draw.LineStyle{Color: faint, Width: vg.Length(0.8 * scale)}
		axis.Tick.LineStyle = axis.LineStyle
		axis.Tick.Length = vg.Length(4 * scale)
		axis.Tick.Label.Font = sans(9.5*scale, false)
		axis.Tick.Label.Color = ink
		axis.Label.TextStyle.Font = sans(10.5*scale, false)
		axis.Label.TextStyle.Color = ink
		axis.Label.Padding = vg.Length(4 * scale)
		axis.Padding = 0
		axis.Tick.Marker = linearTicks{count: 6}
	}
	p.X.Label.Text, p.Y.Label.Text = a.X, a.Y
	if a.LogX {
		p.X.Scale = plot.LogScale{}
		p.X.Tick.Marker = logTicks{}
	}
	if a.LogY {
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = logTicks{}
	}
	g := plotter.NewGrid()
	g.Vertical = draw.LineStyle{Color: grid, Width: vg.Length(0.6 * scale)}
	g.Horizontal = g.Vertical
	if !upright {
		g.Vertical.Color = nil
	}
	p.Add(g)
	return p
}

// roomy widens a range of values by a share of it on both sides, but not across zero: a loss
// does not look as if it could be negative.
func roomy(min, max, share float64) (float64, float64) {
	if min == max {
		d := math.Abs(min) / 2
		if d == 0 {
			d = 1
		}
		return min - d, max + d
	}
	d := (max - min) * share
	lo, hi := min-d, max+d
	if min >= 0 && lo < 0 {
		lo = 0
	}
	if max <= 0 && hi > 0 {
		hi = 0
	}
	return lo, hi
}

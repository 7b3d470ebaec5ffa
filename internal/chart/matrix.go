package chart

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Matrix draws a table of counts, counts[row][column], the first row on top. A cell is the darker
// the larger its share of its row, in one colour where row and column have the same name and in
// another elsewhere; zeros stay empty.
func Matrix(a Axes, rows, columns []string, counts [][]int) (*Chart, error) {
	if len(rows) == 0 || len(columns) == 0 {
		return nil, fmt.Errorf("%w: matrix: %d rows and %d columns", ErrData, len(rows), len(columns))
	}
	if len(counts) != len(rows) {
		return nil, fmt.Errorf("%w: matrix: %d rows of counts for %d names", ErrData, len(counts), len(rows))
	}
	m := matrix{rows: append([]string(nil), rows...), columns: append([]string(nil), columns...)}
	for i, row := range counts {
		if len(row) != len(columns) {
			return nil, fmt.Errorf("%w: matrix: row %q: %d counts for %d columns", ErrData, rows[i], len(row), len(columns))
		}
		for j, n := range row {
			if n < 0 {
				return nil, fmt.Errorf("%w: matrix: row %q, column %q: count %d", ErrData, rows[i], columns[j], n)
			}
		}
		m.counts = append(m.counts, append([]int(nil), row...))
	}
	return &Chart{axes: a, nominal: true, fill: func(p *plot.Plot, scale float64) error {
		m := m
		m.scale = scale
		p.Add(m)
		p.X.Tick.Length, p.Y.Tick.Length = 0, 0
		p.X.Tick.Marker = names(m.columns, func(i int) float64 { return float64(i) })
		p.X.Tick.Label.Rotation = math.Pi / 2
		p.X.Tick.Label.XAlign = text.XRight
		p.X.Tick.Label.YAlign = text.YCenter
		p.Y.Tick.Marker = names(m.rows, m.y)
		return nil
	}}, nil
}

type matrix struct {
	rows, columns []string
	counts        [][]int
	scale         float64
}

func names(list []string, at func(int) float64) (ticks plot.ConstantTicks) {
	for i, name := range list {
		ticks = append(ticks, plot.Tick{Value: at(i), Label: name + "  "}) // keeps its distance from the cells
	}
	return ticks
}

// y is where a row lies: the axis grows upwards.
func (m matrix) y(row int) float64 { return float64(len(m.rows) - 1 - row) }

// DataRange gives each cell a square of side 1 around its place.
func (m matrix) DataRange() (xmin, xmax, ymin, ymax float64) {
	return -0.5, float64(len(m.columns)) - 0.5, -0.5, float64(len(m.rows)) - 0.5
}

// Plot draws the cells.
func (m matrix) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := textStyle(8.5*m.scale, false, ink)
	style.XAlign, style.YAlign = text.XCenter, text.YCenter
	for i, row := range m.counts {
		sum := 0
		for _, n := range row {
			sum += n
		}
		for j, n := range row {
			l, r := x(float64(j)-0.5), x(float64(j)+0.5)
			b, t := y(m.y(i)-0.5), y(m.y(i)+0.5)
			corners := []vg.Point{{X: l, Y: b}, {X: r, Y: b}, {X: r, Y: t}, {X: l, Y: t}}
			fill := paper
			if n > 0 && m.rows[i] == m.columns[j] {
				fill = tint(colour(0), float64(n)/float64(sum))
			} else if n > 0 {
				fill = tint(colour(1), float64(n)/float64(sum))
			}
			c.FillPolygon(fill, corners)
			c.StrokeLines(draw.LineStyle{Color: grid, Width: vg.Length(0.6 * m.scale)}, append(corners, corners[0]))
			if n > 0 {
				c.FillText(style, vg.Point{X: (l + r) / 2, Y: (b + t) / 2}, strconv.Itoa(n))
			}
		}
	}
}

// tint mixes c with white, so that dark text on it can be read even at a share of 1.
func tint(c color.RGBA, share float64) color.RGBA {
	k := 0.12 + 0.63*share
	mix := func(v uint8) uint8 { return uint8(math.Round(255 - k*float64(255-v))) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

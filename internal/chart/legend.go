package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legendItem is one entry above the picture: a piece of line, or a filled box.
type legendItem struct {
	name   string
	index  int // of the colour
	dashed bool
	box    bool
}

// drawHead writes the title and the legend above the axes, where they cover no data, and
// returns the height that is left, from the bottom.
func (c *Chart) drawHead(dc draw.Canvas, scale float64) vg.Length {
	width := dc.Max.X - dc.Min.X
	y := dc.Max.Y
	if c.axes.Title != "" {
		size := 13 * scale
		style := textStyle(size, true, ink)
		if w := style.Width(c.axes.Title); w > width { // a long title is set smaller
			size *= float64(width / w)
			style = textStyle(size, true, ink)
		}
		y -= vg.Length(size)
		dc.FillText(style, vg.Point{X: dc.Min.X, Y: y}, c.axes.Title)
		y -= vg.Length(7 * scale)
	}
	if len(c.legend) > 0 {
		y = c.drawLegend(dc, y, scale)
	}
	return y - vg.Length(4*scale)
}

func (c *Chart) drawLegend(dc draw.Canvas, y vg.Length, scale float64) vg.Length {
	var (
		style  = textStyle(9.5*scale, false, ink)
		sample = vg.Length(20 * scale)
		gap    = vg.Length(5 * scale)
		row    = vg.Length(14 * scale)
		x      = dc.Min.X
	)
	y -= row
	for _, item := range c.legend {
		need := sample + gap + style.Width(item.name)
		if x > dc.Min.X && x+need > dc.Max.X {
			x = dc.Min.X
			y -= row
		}
		middle := y + vg.Length(3.2*scale)
		if item.box {
			half := vg.Length(4 * scale)
			corners := []vg.Point{{X: x, Y: middle - half}, {X: x + sample, Y: middle - half}, {X: x + sample, Y: middle + half}, {X: x, Y: middle + half}}
			dc.FillPolygon(soft(colour(item.index)), corners)
			dc.StrokeLines(draw.LineStyle{Color: colour(item.index), Width: vg.Length(1.2 * scale)}, append(corners, corners[0]))
		} else {
			dc.StrokeLine2(lineStyle(item.index, item.dashed, scale), x, middle, x+sample, middle)
		}
		dc.FillText(style, vg.Point{X: x + sample + gap, Y: y}, item.name)
		x += need + vg.Length(24*scale)
	}
	return y
}

// legendOf lists the named series, when there is anything to tell apart.
func legendOf(series []Series, box bool) []legendItem {
	var items []legendItem
	for i, s := range series {
		if s.Name != "" {
			items = append(items, legendItem{s.Name, i, s.Dashed, box})
		}
	}
	return items
}

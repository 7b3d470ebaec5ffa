// Package sheet composes contact sheets: rows of pictures with a word under each and a heading,
// for people to look at.
//
// Pictures are placed as they are, enlarged by whole factors only when they are small, so that
// what is seen is what a network sees; one that is larger than the cell is shrunk.
// The same pictures and words give the same bytes.
package sheet

import (
	"image"
	"image/color"
	"image/png"
	"io"

	"github.com/disintegration/imaging"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Cell is one picture and the words under it, a line each.
type Cell struct {
	Picture image.Image // nil leaves the place empty
	Words   []string
}

// Sheet is a page of cells.
type Sheet struct {
	Heading []string // lines
	Rows    [][]Cell
	Side    int // longest side of a picture on the page, pixels; 0: 128
}

const (
	margin  = 8
	line    = 13 // height of basicfont.Face7x13
	advance = 7  // its width
	// maxPage bounds a page, in pixels.
	maxPage = 100 << 20
)

var (
	paper = color.NRGBA{250, 250, 248, 255}
	ink   = color.NRGBA{40, 40, 44, 255}
)

// Draw returns the page.
func (s *Sheet) Draw() *image.NRGBA {
	side := s.Side
	if side <= 0 {
		side = 128
	}
	// A column is as wide as its widest picture or word, a row as high as its highest cell.
	var widths, heights []int
	pictures := make([][]image.Image, len(s.Rows))
	for j, row := range s.Rows {
		high, words := 0, 0
		for i, cell := range row {
			p := fit(cell.Picture, side)
			pictures[j] = append(pictures[j], p)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if p != nil {
				widths[i] = max(widths[i], p.Bounds().Dx())
				high = max(high, p.Bounds().Dy())
			}
			for _, w := range cell.Words {
				widths[i] = max(widths[i], advance*len([]rune(w)))
			}
			words = max(words, len(cell.Words))
		}
		heights = append(heights, high+words*line+margin/2)
	}
	w, h := margin, margin+len(s.Heading)*line+margin/2
	for _, x := range widths {
		w += x + margin
	}
	for _, text := range s.Heading {
		w = max(w, 2*margin+advance*len([]rune(text)))
	}
	for _, x := range heights {
		h += x + margin
	}
	if w*h > maxPage {
		panic("sheet: the page is too large")
	}
	page := imaging.New(w, h, paper)
	for i, text := range s.Heading {
		write(page, text, margin, margin+(i+1)*line-3)
	}
	y := margin + len(s.Heading)*line + margin/2
	for j, row := range s.Rows {
		x, high := margin, 0
		for _, p := range pictures[j] {
			if p != nil {
				high = max(high, p.Bounds().Dy())
			}
		}
		for i, cell := range row {
			if p := pictures[j][i]; p != nil {
				paste(page, p, x, y)
			}
			for k, text := range cell.Words {
				write(page, text, x, y+high+(k+1)*line-1)
			}
			x += widths[i] + margin
		}
		y += heights[j] + margin
	}
	return page
}

// Fits reports whether a page of so many rows and columns of pictures can be drawn.
func Fits(rows, columns, side int) bool {
	return rows > 0 && columns > 0 && side > 0 && side <= 4096 &&
		rows <= maxPage/(side+4*line)/columns/(side+40*advance)
}

// Write writes the page as PNG and returns its size in pixels.
func (s *Sheet) Write(w io.Writer) (image.Point, error) {
	page := s.Draw()
	return page.Rect.Size(), png.Encode(w, page)
}

// fit enlarges a small picture by a whole factor and shrinks one that is larger than side.
func fit(p image.Image, side int) image.Image {
	if p == nil || p.Bounds().Empty() {
		return nil
	}
	w, h := p.Bounds().Dx(), p.Bounds().Dy()
	switch k := side / max(w, h); {
	case k > 1:
		return imaging.Resize(p, k*w, k*h, imaging.NearestNeighbor)
	case k == 0:
		return imaging.Fit(p, side, side, imaging.Box)
	}
	return p
}

func paste(page *image.NRGBA, p image.Image, x, y int) {
	q := imaging.Clone(p) // as NRGBA, from any kind of image
	for j := range q.Rect.Dy() {
		copy(page.Pix[page.PixOffset(x, y+j):], q.Pix[j*q.Stride:j*q.Stride+4*q.Rect.Dx()])
	}
}

func write(page *image.NRGBA, text string, x, y int) {
	d := font.Drawer{Dst: page, Src: image.NewUniform(ink), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(text)
}

// Planes is a sample of one or three planes (C,H,W) as a picture. order is "rgb" or "bgr"; with
// any other number of planes the first alone is shown, in grey.
func Planes(data []uint8, c, h, w int, order string) image.Image {
	if c != 3 {
		g := image.NewGray(image.Rect(0, 0, w, h))
		copy(g.Pix, data[:h*w])
		return g
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	r, g, b := data[:h*w], data[h*w:2*h*w], data[2*h*w:3*h*w]
	if order == "bgr" {
		r, b = b, r
	}
	for i := range r {
		out.Pix[4*i], out.Pix[4*i+1], out.Pix[4*i+2], out.Pix[4*i+3] = r[i], g[i], b[i], 255
	}
	return out
}

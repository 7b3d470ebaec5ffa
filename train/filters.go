package train

import (
	"fmt"
	"image"
	"io"
	"math"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/sheet"
	"github.com/vf2prep/vf2prep/nn"
)

// FiltersPNG shows the filters of the kept weights' first convolution.
const FiltersPNG = "filters.png"

// filterSide is how large a filter is drawn at most, in pixels; it is enlarged by a whole factor.
const filterSide = 48

// drawFilters draws the filters of the first convolution, the first network parameter with rows
// and columns, such as conv1.weight or features.0.weight. order is that of the pixels' planes.
func drawFilters(run string, params []nn.Param, order string) error {
	for _, p := range params {
		if len(p.Shape) != 4 {
			continue
		}
		page := filterSheet(p, order)
		return atomicfile.Write(filepath.Join(run, FiltersPNG), func(w io.Writer) error {
			_, err := page.Write(w)
			return err
		})
	}
	return nil
}

// filterSheet lays the filters out in a square, row by row. One of three planes is in colour; of
// others the first plane is shown.
func filterSheet(p nn.Param, order string) *sheet.Sheet {
	n, c, h, w := p.Shape[0], p.Shape[1], p.Shape[2], p.Shape[3]
	page := &sheet.Sheet{Heading: []string{p.Name, fmt.Sprintf("%d filters, %dx%d", n, h, w)}, Side: max(filterSide, h, w)}
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	var row []sheet.Cell
	for i := range n {
		row = append(row, sheet.Cell{Picture: filterPicture(p.Data[i*c*h*w:(i+1)*c*h*w], c, h, w, order)})
		if len(row) == columns || i == n-1 {
			page.Rows = append(page.Rows, row)
			row = nil
		}
	}
	return page
}

// filterPicture scales a filter's weights so that the smallest is black and the largest white, all
// planes alike; equal ones are grey.
func filterPicture(weights []float32, c, h, w int, order string) image.Image {
	if c != 3 {
		weights = weights[:h*w]
	}
	lo, hi := weights[0], weights[0]
	for _, v := range weights {
		lo, hi = min(lo, v), max(hi, v)
	}
	bytes := make([]uint8, len(weights))
	for i, v := range weights {
		bytes[i] = 128
		if hi > lo {
			bytes[i] = uint8(math.Round(255 * (float64(v) - float64(lo)) / (float64(hi) - float64(lo))))
		}
	}
	return sheet.Planes(bytes, c, h, w, order)
}

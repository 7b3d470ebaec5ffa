package train

import (
	"cmp"
	"encoding/csv"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
	"github.com/vf2prep/vf2prep/internal/sheet"
)

// What the kept weights took validation's identities for.
const (
	ConfusionsPNG = "confusions.png" // the identities with the most mistakes
	ConfusionsCSV = "confusions.csv" // all pairs
)

// maxWorst is how many identities the picture has: as many as can be read.
const maxWorst = 20

// pair is an image's class and the class that it was taken for.
type pair struct{ is, taken int32 }

// confusions counts validation's labelled images, those that are right included.
type confusions map[pair]int

// drawConfusions writes the list and the picture anew. Without a head that names identities there
// are none.
func drawConfusions(run string, rec *Record, c confusions) error {
	if len(c) == 0 {
		return nil
	}
	images, made, met := map[int32]int{}, map[int32]int{}, map[int32]int{}
	var wrong []pair
	for p, n := range c {
		images[p.is] += n
		if p.is != p.taken {
			made[p.is] += n
			met[p.taken] += n
			wrong = append(wrong, p)
		}
	}
	slices.SortFunc(wrong, func(a, b pair) int {
		return cmp.Or(cmp.Compare(c[b], c[a]), cmp.Compare(a.is, b.is), cmp.Compare(a.taken, b.taken))
	})
	err := atomicfile.Write(filepath.Join(run, ConfusionsCSV), func(w io.Writer) error {
		out := csv.NewWriter(w)
		_ = out.Write([]string{"identity", "taken_for", "images", "of"}) // Error below has what went wrong
		for _, p := range wrong {
			_ = out.Write([]string{rec.Classes[p.is], rec.Classes[p.taken], strconv.Itoa(c[p]), strconv.Itoa(images[p.is])})
		}
		out.Flush()
		return out.Error()
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(run, ConfusionsPNG), func(w io.Writer) error {
		if len(wrong) == 0 { // a picture of earlier weights must not stay
			page := sheet.Sheet{Heading: []string{"every validation image was named right"}}
			_, err := page.Write(w)
			return err
		}
		return c.write(w, rec.Classes, worst(made, met))
	})
}

// worst lists the classes with the most mistakes made about their images, these first. Places that
// are left go to classes that others are taken for.
func worst(made, met map[int32]int) (classes []int32) {
	for class := range made {
		classes = append(classes, class)
	}
	for class := range met {
		if made[class] == 0 {
			classes = append(classes, class)
		}
	}
	slices.SortFunc(classes, func(a, b int32) int {
		return cmp.Or(cmp.Compare(made[b], made[a]), cmp.Compare(met[b], met[a]), cmp.Compare(a, b))
	})
	return classes[:min(len(classes), maxWorst)]
}

// write draws some classes against each other; what they were taken for besides is in one column.
func (c confusions) write(w io.Writer, names []string, classes []int32) error {
	n := len(classes)
	place := map[int32]int{}
	counts := make([][]int, n)
	var rows []string
	for i, class := range classes {
		place[class] = i
		counts[i] = make([]int, n+1)
		rows = append(rows, names[class])
	}
	others := 0
	for p, count := range c {
		i, ok := place[p.is]
		if !ok {
			continue
		}
		j, ok := place[p.taken]
		if !ok {
			j = n
			others += count
		}
		counts[i][j] += count
	}
	columns := append(slices.Clone(rows), "others")
	if others == 0 {
		columns = columns[:n]
		for i := range counts {
			counts[i] = counts[i][:n]
		}
	}
	m, err := chart.Matrix(chart.Axes{Title: "Identities with the most mistakes", X: "taken for", Y: "identity"}, rows, columns, counts)
	if err != nil {
		return err
	}
	// The names take some 240 pixels, a cell with its number 36.
	return m.Write(w, "png", max(480, 240+36*len(columns)), max(360, 240+28*n))
}

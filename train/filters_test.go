package train

import (
	"bytes"
	"image/color"
	"image/png"
	"path/filepath"
	"testing"

	"github.com/vf2prep/vf2prep/nn"
)

func TestFilterPicture(t *testing.T) {
	// Three planes of 1x2: blue from least to most, the others between.
	bgr := []float32{-1, 3, 1, 1, 0, 2}
	p := filterPicture(bgr, 3, 1, 2, "bgr")
	for x, want := range []color.NRGBA{{64, 128, 0, 255}, {191, 128, 255, 255}} {
		if got := p.At(x, 0); got != want {
			t.Errorf("pixel %d is %v, want %v", x, got, want)
		}
	}
	grey := filterPicture([]float32{5, 5, -9, 9}, 2, 1, 2, "rgb") // the second plane is not shown
	if got := grey.At(1, 0); got != (color.Gray{128}) {
		t.Errorf("a filter of equal weights is %v, want grey", got)
	}
}

func TestFilterSheet(t *testing.T) {
	page := filterSheet(nn.Param{Name: "features.0.weight", Shape: []int{7, 3, 3, 3}, Data: make([]float32, 7*27)}, "rgb")
	if len(page.Rows) != 3 || len(page.Rows[0]) != 3 || len(page.Rows[2]) != 1 {
		t.Errorf("7 filters in rows of %d, %d and %d, want 3, 3 and 1", len(page.Rows[0]), len(page.Rows[1]), len(page.Rows[2]))
	}
}

// The picture is one of the weights that are kept, also where nothing is validated, and the same
// with any number of threads.
func TestFiltersOfARun(t *testing.T) {
	o := usual(t)
	o.Epochs, o.EMA = 2, 0.9
	check := func() []byte {
		t.Helper()
		mustRun(t, o)
		got := read(t, filepath.Join(o.Out, FiltersPNG))
		p, err := OpenRun(o.Out, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		dir := t.TempDir()
		if err := drawFilters(dir, p.net.Params(), p.rec.Input.Order); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, read(t, filepath.Join(dir, FiltersPNG))) {
			t.Error("the picture is not one of the kept weights")
		}
		if _, err := png.Decode(bytes.NewReader(got)); err != nil {
			t.Error(err)
		}
		return got
	}
	one := check()
	o = o.in(t)
	o.Threads = 4
	if !bytes.Equal(check(), one) {
		t.Error("other threads give another picture")
	}
	o = o.in(t)
	o.Shards = makeShards(t, filepath.Join(t.TempDir(), "shards"), 3, faces("train", 3, 10))
	check()
}

package sheet

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

func TestSheet(t *testing.T) {
	red := []uint8{255, 255, 0, 0, 0, 0}
	s := &Sheet{
		Heading: []string{"two samples"},
		Side:    20,
		Rows: [][]Cell{
			{{Picture: Planes(red, 3, 1, 2, "rgb"), Words: []string{"a"}}, {Picture: Planes(red, 3, 1, 2, "bgr"), Words: []string{"b"}}},
			{{}, {Picture: image.NewGray(image.Rect(0, 0, 100, 50)), Words: []string{"shrunk"}}},
		},
	}
	var a, b bytes.Buffer
	if _, err := s.Write(&a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the same sheet gives other bytes (%v)", err)
	}
	page, err := png.Decode(&a)
	if err != nil {
		t.Fatal(err)
	}
	// Enlarged ten times: 20x10 pixels at the margin below the heading.
	top := margin + line + margin/2
	if c := color.NRGBAModel.Convert(page.At(margin+19, top+9)); c != (color.NRGBA{255, 0, 0, 255}) {
		t.Errorf("rgb sample is %v, want red", c)
	}
	if c := color.NRGBAModel.Convert(page.At(margin+20+margin, top)); c != (color.NRGBA{0, 0, 255, 255}) {
		t.Errorf("bgr sample is %v, want blue", c)
	}
	if c := color.NRGBAModel.Convert(page.At(0, 0)); c != paper {
		t.Errorf("margin is %v, want %v", c, paper)
	}
	dark := 0
	for x := range page.Bounds().Dx() {
		for y := range top {
			if color.NRGBAModel.Convert(page.At(x, y)) == ink {
				dark++
			}
		}
	}
	if dark < 40 {
		t.Errorf("the heading has %d dark pixels", dark)
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		rows, columns, side int
		want                bool
	}{{8, 9, 256, true}, {0, 1, 10, false}, {1, 1, 5000, false}, {1000000, 1000000, 100, false}} {
		if got := Fits(c.rows, c.columns, c.side); got != c.want {
			t.Errorf("Fits(%d, %d, %d) = %v, want %v", c.rows, c.columns, c.side, got, c.want)
		}
	}
}

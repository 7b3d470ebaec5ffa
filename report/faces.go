package report

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/image/draw"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/shard"
)

const (
	hardShown = 6   // pairs of each kind
	faceSide  = 112 // pixels at most
	maxPhoto  = 64 << 20
	maxPixels = 1 << 26
)

// hardPair is a row of hardest.csv.
type hardPair struct {
	a, b     string
	genuine  bool
	distance float64
}

// hardest reads the pairs that a result found hardest, those of one person first.
func hardest(dir string) (list []hardPair, err error) {
	err = readTable(filepath.Join(dir, "hardest.csv"), func(head, row []string) error {
		if len(row) != 4 || head[0] != "a" || head[2] != "same" {
			return errors.New("columns, want a,b,same,distance")
		}
		d, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			return fmt.Errorf("distance: %q is not a number", row[3])
		}
		list = append(list, hardPair{row[0], row[1], row[2] == "1", d})
		return nil
	})
	return list, err
}

// faces finds the pictures of images by key.
type faces struct {
	set    *shard.Set
	images *os.Root
	places map[string]map[string]int // by part: the place of each key
}

// show makes the section of a question's hardest pairs; nil where there are none or no faces are to
// be shown. A face that is not found is counted in the text.
func (f *faces) show(g *group) (*eval.Section, error) {
	s := &eval.Section{Title: "Hardest pairs",
		Text: "Pairs of one person that are farthest apart and pairs of two that are nearest: where a network errs most, and where a wrong label shows first."}
	absent := 0
	for _, r := range g.results {
		list, err := hardest(r.dir)
		if err != nil {
			return nil, err
		}
		for _, genuine := range []bool{true, false} {
			rows := eval.FacePairs{Title: r.name + ": one person, yet far apart"}
			if !genuine {
				rows.Title = r.name + ": two persons, yet near"
			}
			n := 0
			for _, p := range list {
				if p.genuine != genuine || n == hardShown {
					continue
				}
				n++
				a, err := f.find(r, p.a)
				if err != nil {
					return nil, err
				}
				b, err := f.find(r, p.b)
				if err != nil {
					return nil, err
				}
				if a == nil || b == nil {
					absent++
					continue
				}
				rows.Pairs = append(rows.Pairs, eval.FacePair{A: eval.Picture{Alt: p.a, JPEG: a}, B: eval.Picture{Alt: p.b, JPEG: b},
					Note: fmt.Sprintf("%s and %s, distance %.4f", p.a, p.b, p.distance)})
			}
			if len(rows.Pairs) > 0 {
				s.Faces = append(s.Faces, rows)
			}
		}
	}
	if absent > 0 {
		s.Text += fmt.Sprintf("\n\nOf %d pairs the images are not in the shards or folder given, or can't be read.", absent)
	}
	if len(s.Faces) == 0 {
		return nil, nil
	}
	return s, nil
}

// find returns an image as a small JPEG; nil where it is not there or can't be read.
func (f *faces) find(r *result, key string) ([]byte, error) {
	if f.set != nil && r.text("shards") == f.set.Digest() {
		// The embeddings of embed --part all are of several parts, a result on image files is of none.
		for _, part := range strings.Split(r.text("part"), ",") {
			if _, ok := f.set.Index().Parts[part]; !ok {
				continue
			}
			if b, err := f.sample(part, key); b != nil || err != nil {
				return b, err
			}
		}
	}
	if f.images == nil {
		return nil, nil
	}
	for _, path := range []string{key, key + ".jpg"} {
		if b, err := f.photo(path); err == nil {
			return b, nil
		}
	}
	return nil, nil
}

// sample takes a face from the shards.
func (f *faces) sample(name, key string) ([]byte, error) {
	part, err := f.set.Part(name)
	if err != nil {
		return nil, err
	}
	if f.places[name] == nil {
		at := make(map[string]int, part.Len())
		for i := range part.Len() {
			k, err := part.Key(i)
			if err != nil {
				return nil, err
			}
			at[k] = i
		}
		f.places[name] = at
	}
	i, ok := f.places[name][key]
	if !ok {
		return nil, nil
	}
	s, err := part.Sample(i)
	if err != nil {
		return nil, err
	}
	c, h, w := f.set.Index().Shape[0], f.set.Index().Shape[1], f.set.Index().Shape[2]
	if c != 1 && c != 3 {
		return nil, nil
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			at := func(plane int) uint8 { return s.Data[(min(plane, c-1)*h+y)*w+x] }
			p := color.RGBA{at(0), at(1), at(2), 255}
			if f.set.Index().Channels == "bgr" {
				p.R, p.B = p.B, p.R
			}
			img.SetRGBA(x, y, p)
		}
	}
	return small(img)
}

// photo takes a face from a folder of JPEGs; no path leads out of it.
func (f *faces) photo(path string) ([]byte, error) {
	file, _, err := capped.OpenIn(f.images, path, maxPhoto, nil)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxPhoto))
	if err != nil {
		return nil, err
	}
	head, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err == nil && head.Width*head.Height > maxPixels {
		err = fmt.Errorf("%dx%d pixels", head.Width, head.Height)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return small(img)
}

// small shrinks an image to at most [faceSide] pixels a side; its metadata is not kept.
func small(img image.Image) ([]byte, error) {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	if side := max(w, h); side > faceSide {
		to := image.NewRGBA(image.Rect(0, 0, max(1, w*faceSide/side), max(1, h*faceSide/side)))
		draw.CatmullRom.Scale(to, to.Bounds(), img, img.Bounds(), draw.Src, nil)
		img = to
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85})
	return b.Bytes(), err
}

package curate

import (
	"fmt"
	"image"
	"io"
	"os"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/sheet"
	"github.com/vf2prep/vf2prep/jpeg"
)

// maxPhoto is the longest photo that is read, in bytes.
const maxPhoto = 64 << 20

// boxMargin is the share of the box's side that a picture shows beyond it on each side.
const boxMargin = 0.3

// picturesOf returns the pictures of some rows; what can't be shown is skipped with its reason.
func (n *noise) picturesOf(rows map[int]bool) (map[int]image.Image, error) {
	name := make(map[string]int, len(rows))
	for row := range rows {
		name[n.key(row)] = row
	}
	out := map[int]image.Image{}
	var err error
	if n.Shards != nil {
		err = n.fromShards(name, out)
	} else {
		err = n.fromPhotos(name, out)
	}
	return out, err
}

func (n *noise) fromShards(name map[string]int, out map[int]image.Image) error {
	x := n.Shards.Index()
	for _, p := range n.Shards.Parts() {
		part, err := n.Shards.Part(p)
		if err != nil {
			return err
		}
		for i := range part.Len() {
			key, err := part.Key(i)
			if err != nil {
				return err
			}
			row, ok := name[key]
			if !ok {
				continue
			}
			s, err := part.Sample(i)
			if err != nil {
				return err
			}
			out[row] = sheet.Planes(s.Data, x.Shape[0], x.Shape[1], x.Shape[2], x.Channels)
		}
	}
	return nil
}

func (n *noise) fromPhotos(name map[string]int, out map[int]image.Image) error {
	root, err := os.OpenRoot(n.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	for rec, err := range n.Manifest.All() {
		if err != nil {
			return err
		}
		row, ok := name[rec.ID.String()]
		if !ok {
			continue
		}
		var box *face.Box
		if rec.BoxUsable() {
			b := rec.Box.Extend(boxMargin)
			box = &b
		}
		picture, err := photo(root, rec.Path, box)
		if err != nil {
			n.skip(rec.ID.String(), "no-picture", err.Error())
			n.r.NoPicture++
			continue
		}
		out[row] = picture
	}
	return nil
}

// photo decodes a JPEG below root, and of it the box, where there is one.
func photo(root *os.Root, path string, box *face.Box) (image.Image, error) {
	f, _, err := capped.OpenIn(root, path, maxPhoto, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPhoto))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	whole, err := jpeg.Decode(data, jpeg.MaxPixels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if box == nil {
		return whole, nil
	}
	at := image.Rect(int(box.X), int(box.Y), int(box.X+box.W), int(box.Y+box.H)).Intersect(whole.Bounds())
	part, ok := whole.(interface {
		SubImage(r image.Rectangle) image.Image
	})
	if !ok || at.Empty() {
		return whole, nil
	}
	return part.SubImage(at), nil
}

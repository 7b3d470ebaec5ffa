package curate

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/split"
)

// photoPictures are photos below a directory, about 55 bytes each in memory for keys of VGGFace2's kind, 75
// where boxes are looked at.
type photoPictures struct {
	root   *os.Root
	from   map[string]string
	nobody bool

	keys  texts
	paths texts // "" where it is dirs[dir]/key.jpg
	dir   []uint8
	parts []uint8 // places in names
	names []string
	ids   []uint64
	sizes []uint32     // pixels
	known []bool       // the id holds the file's digest
	boxes [][4]float32 // where boxes are looked at; NaN for none
	heavy sync.Mutex   // photos of many pixels are decoded one at a time
}

var dirs = []string{string(manifest.Train), string(manifest.Test)}

// newPhotoPictures lists the photos that a manifest has files of. split is the directory of a split of it, or
// "". With box only the faces' boxes are looked at.
func newPhotoPictures(m *manifest.Reader, rootDir, splitDir string, box bool) (*photoPictures, error) {
	p := &photoPictures{from: map[string]string{"manifest": m.Digest()}, nobody: m.Anonymous()}
	unknown := xxh3.HashString(m.Digest()) // stands for a file's digest
	add := func(r *manifest.Record, part string) error {
		if r.Missing() {
			return nil
		}
		key, known := r.ID.String(), r.XXH3
		if known == 0 {
			known = unknown
		}
		var looked *[4]float32
		if box {
			b := [4]float32{float32(math.NaN())}
			if r.HasBox {
				b = [4]float32{float32(r.Box.X), float32(r.Box.Y), float32(r.Box.W), float32(r.Box.H)}
			}
			p.boxes, looked = append(p.boxes, b), &b
		}
		return p.add(key, r.Path, part, idOf(key, known, looked), int(r.Width)*int(r.Height), r.XXH3 != 0)
	}
	err := eachPlaced(m, splitDir, p.from, add)
	if err != nil {
		return nil, err
	}
	p.root, err = os.OpenRoot(rootDir)
	return p, err
}

// eachPlaced gives add every record with its part, and notes the split's digest.
func eachPlaced(m *manifest.Reader, splitDir string, from map[string]string, add func(*manifest.Record, string) error) error {
	if splitDir == "" {
		for r, err := range m.All() {
			if err == nil {
				err = add(r, string(r.Subset))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	s, err := split.Open(splitDir)
	if err != nil {
		return err
	}
	from["split"] = s.Digest
	for placed, err := range s.Join(m) {
		if err == nil {
			err = add(placed.Record, placed.Part.String())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newFolderPictures lists the JPEGs below a folder; a key is a path. A file whose length or time differs is another.
func newFolderPictures(dir string) (*photoPictures, error) {
	list, err := eval.ListImages(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	p := &photoPictures{root: root, from: map[string]string{"list": digest.Bytes([]byte(strings.Join(list, "\n")))}}
	for _, name := range list {
		state := uint64(0)
		if info, err := root.Stat(name); err == nil { // else shrink says it
			state = xxh3.HashString(fmt.Sprint(info.Size(), info.ModTime().UnixNano()))
		}
		if err := p.add(name, name, "", idOf(name, state, nil), 0, false); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return p, nil
}

func (p *photoPictures) add(key, file, part string, id uint64, pixels int, known bool) error {
	at := slices.Index(p.names, part)
	if at < 0 {
		at, p.names = len(p.names), append(p.names, part)
	}
	dir, _, _ := strings.Cut(file, "/")
	in := slices.Index(dirs, dir)
	if in >= 0 && file == dir+"/"+key+".jpg" {
		file = ""
	}
	p.dir, p.parts, p.ids = append(p.dir, uint8(max(in, 0))), append(p.parts, uint8(at)), append(p.ids, id)
	p.sizes, p.known = append(p.sizes, uint32(min(pixels, math.MaxUint32))), append(p.known, known)
	return errors.Join(p.keys.add(key), p.paths.add(file))
}

func (p *photoPictures) inputs() map[string]string { return p.from }
func (p *photoPictures) anonymous() bool           { return p.nobody }
func (p *photoPictures) len() int                  { return len(p.ids) }
func (p *photoPictures) key(i int) string          { return p.keys.at(i) }
func (p *photoPictures) part(i int) string         { return p.names[p.parts[i]] }
func (p *photoPictures) pixels(i int) int          { return int(p.sizes[i]) }
func (p *photoPictures) id(i int) uint64           { return p.ids[i] }
func (p *photoPictures) close()                    { p.root.Close() }

func (p *photoPictures) path(i int) string {
	if file := p.paths.at(i); file != "" {
		return file
	}
	return path.Join(dirs[p.dir[i]], p.key(i)+".jpg")
}

// box returns the face's box of image i, nil where all is looked at or there is none.
func (p *photoPictures) box(i int) *face.Box {
	if p.boxes == nil || p.boxes[i][0] != p.boxes[i][0] {
		return nil
	}
	b := p.boxes[i]
	return &face.Box{X: float64(b[0]), Y: float64(b[1]), W: float64(b[2]), H: float64(b[3])}
}

func (p *photoPictures) looked(i int) *[4]float32 {
	if p.boxes == nil {
		return nil
	}
	return &p.boxes[i]
}

// Photos of more bytes or pixels than this are rare in sets of faces.
const (
	heavyBytes  = 4 << 20
	heavyPixels = 1 << 20
)

var photoBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (p *photoPictures) shrink(i int, t *thumb) (uint64, error) {
	f, size, err := capped.OpenIn(p.root, p.path(i), maxPhoto, nil)
	if err != nil {
		return 0, unreadable(err)
	}
	defer f.Close()
	buf := photoBuffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= heavyBytes {
			photoBuffers.Put(buf)
		}
	}()
	*buf = slices.Grow((*buf)[:0], int(size))[:size]
	if _, err := io.ReadFull(f, *buf); err != nil {
		return 0, unreadable(err)
	}
	sum := xxh3.Hash(*buf)
	if p.known[i] && idOf(p.key(i), sum, p.looked(i)) != p.ids[i] {
		return 0, rejection(stageRead, "changed since the manifest", fmt.Sprintf("XXH3 %016x", sum))
	}
	if h, err := jpeg.ReadHeader(*buf); err == nil && int64(h.Width)*int64(h.Height) > heavyPixels {
		p.heavy.Lock()
		defer p.heavy.Unlock()
	}
	recipe := thumbRecipe
	if p.boxes != nil {
		recipe = boxRecipe
		sum = idOf("", sum, p.looked(i))
	}
	if _, err := recipe.Transform(*buf, p.box(i), nil, t[:]); err != nil {
		return 0, err
	}
	return sum, nil
}

// unreadable is a rejection, but for what is the machine's fault.
func unreadable(err error) error {
	for _, machine := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, machine) {
			return err
		}
	}
	return rejection(stageRead, "can't be read", err.Error())
}

func (p *photoPictures) show(i int) (image.Image, error) { return photo(p.root, p.path(i), p.box(i)) }

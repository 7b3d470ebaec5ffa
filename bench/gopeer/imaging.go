//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/disintegration/imaging"
)

// prepare decodes with image/jpeg, crops to the box around the aligned sample and resizes to
// 112x112 with Lanczos, which has no aliasing, as vf2prep has none. It keeps the protocol of
// bench/harness.py.
func prepare(args []string) error {
	if err := want(args, 4); err != nil {
		return err
	}
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[i+1]); err != nil {
			return err
		}
	}
	part, parts, images := n[0], n[1], n[2]
	photos, err := readList(args[0], part, parts, images)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400) // garbage is not what is measured
	for _, p := range photos[:min(len(photos), 50)] {
		if err := p.resize(); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	start := cpuSeconds()
	for _, p := range photos {
		if err := p.resize(); err != nil {
			return err
		}
	}
	fmt.Println("done", len(photos), cpuSeconds()-start)
	return nil
}

type photo struct {
	path string
	box  image.Rectangle
}

func (p photo) resize() error {
	b, err := os.ReadFile(p.path)
	if err != nil {
		return err
	}
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	if out := imaging.Resize(imaging.Crop(img, p.box), 112, 112, imaging.Lanczos); out.Rect.Dx() != 112 {
		return fmt.Errorf("%s: resized to %v", p.path, out.Rect)
	}
	return nil
}

func readList(path string, part, parts, images int) (photos []photo, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for i := 0; i < images && lines.Scan(); i++ {
		if i%parts != part {
			continue
		}
		field := strings.Split(lines.Text(), "\t")
		if len(field) != 15 {
			return nil, fmt.Errorf("%s:%d: %d fields, want 15", path, i+1, len(field))
		}
		var v [4]int
		for k := range v {
			if v[k], err = strconv.Atoi(field[11+k]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
			}
		}
		photos = append(photos, photo{field[0], image.Rect(v[0], v[1], v[2], v[3])})
	}
	return photos, lines.Err()
}

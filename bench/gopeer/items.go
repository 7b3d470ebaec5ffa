//go:build unix

package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/manifest"
)

// items prints, for every usable image, what the recipes compute of box and landmarks, so that the
// peers needn't: path; the affine map from points of the arcface-112 sample to points of the
// photo; the crop of vggface2-256 and the box around the aligned sample, both cut at the photo's
// edge, as x0, y0, x1, y1.
func items(args []string) error {
	if err := want(args, 2); err != nil {
		return err
	}
	m, err := manifest.Open(args[0])
	if err != nil {
		return err
	}
	defer m.Close()
	w := bufio.NewWriter(os.Stdout)
	for r, err := range m.All() {
		if err != nil {
			return err
		}
		if !r.Usable() || !r.HasBox || !r.HasLandmarks {
			continue
		}
		to, err := face.EstimateSimilarity(r.Landmarks, face.ArcFace)
		if err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
		back, err := to.Invert()
		if err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
		fmt.Fprintf(w, "%s\t%g\t%g\t%g\t%g\t%g\t%g", filepath.Join(args[1], filepath.FromSlash(r.Path)),
			back.A, back.B, back.C, back.D, back.E, back.F)
		photo := face.Box{W: float64(r.Width), H: float64(r.Height)}
		crop := r.Box.Floor(0.875).Extend(0.3).Square()
		for _, b := range []face.Box{crop, around(back)} {
			b = b.Intersect(photo)
			x0, y0 := math.Floor(b.X), math.Floor(b.Y)
			fmt.Fprintf(w, "\t%d\t%d\t%d\t%d", int(x0), int(y0),
				int(min(photo.W, max(x0+1, math.Ceil(b.X+b.W)))), int(min(photo.H, max(y0+1, math.Ceil(b.Y+b.H)))))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// around is the upright box of the photo that holds the 112x112 sample.
func around(back face.Affine) face.Box {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, c := range []face.Point{{X: -0.5, Y: -0.5}, {X: 111.5, Y: -0.5}, {X: -0.5, Y: 111.5}, {X: 111.5, Y: 111.5}} {
		p := back.Apply(c)
		x0, y0, x1, y1 = min(x0, p.X), min(y0, p.Y), max(x1, p.X), max(y1, p.Y)
	}
	return face.Box{X: x0 + 0.5, Y: y0 + 0.5, W: x1 - x0, H: y1 - y0}
}

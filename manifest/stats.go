package manifest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

// Spread describes a list of numbers; all are 0 for an empty one.
type Spread struct {
	N                      int64
	Min, Median, Mean, Max float64
}

// Stats is a manifest, or an identity_meta.csv alone, in numbers.
type Stats struct {
	Counts
	ImagesPerIdentity Spread
	Width, Height     Spread // pixels
	Bytes             Spread
	Age               Spread // years; of images, or of identities where there is no tree
	SmallImages       int64  // shorter side below 32 pixels
	MaleImages        int64
	FemaleImages      int64
	MissingSampleNum  int64
	Attributes        int
	Anonymous         bool   // images show nobody in particular: there are no identities to count
	Digest            string // of the manifest, or of the identity_meta.csv
	Examples          map[string][]Problem

	perIdentity, widths, heights, ages []float64
}

// smallSide is where a face image is called small, in pixels: under 1 % of VGGFace2 is.
const smallSide = 32

// FileStats counts what a manifest holds.
func FileStats(ctx context.Context, path string) (*Stats, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	s := &Stats{Counts: r.Counts(), Attributes: len(r.Attributes()), Anonymous: r.Anonymous(), Digest: r.Digest()}
	s.MissingSampleNum = s.ProblemCounts[MissingSampleNum]
	var bytes []float64
	var last ImageID
	var subset Subset
	var rows int64
	for rec, err := range r.All() {
		if err != nil {
			return nil, err
		}
		if rows%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !s.Anonymous && (rows == 0 || rec.ID.Identity != last.Identity || rec.Subset != subset) {
			s.perIdentity = append(s.perIdentity, 0)
		}
		rows++
		last, subset = rec.ID, rec.Subset
		if !s.Anonymous {
			s.perIdentity[len(s.perIdentity)-1]++
		}
		if rec.Width > 0 {
			s.widths = append(s.widths, float64(rec.Width))
			s.heights = append(s.heights, float64(rec.Height))
			bytes = append(bytes, float64(rec.Bytes))
			if min(rec.Width, rec.Height) < smallSide {
				s.SmallImages++
			}
		}
		if rec.Age == rec.Age {
			s.ages = append(s.ages, float64(rec.Age))
		}
		switch rec.Gender {
		case Male:
			s.MaleImages++
		case Female:
			s.FemaleImages++
		}
	}
	s.Bytes = spread(bytes)
	s.spreads()
	return s, nil
}

// MetaStats counts what an identity_meta.csv says. Images are the sum of Sample_Num, as far as
// rows have one.
func MetaStats(ctx context.Context, path string) (*Stats, error) {
	in, err := openInput(ctx, "", kindIdentityMeta, path)
	if err != nil {
		return nil, err
	}
	s := &Stats{}
	log := newProblemLog()
	known := map[string]bool{}
	perr := parseIdentityMeta(in, in.shown, log, func(line int, id Identity) {
		if known[id.ID] {
			log.add(DuplicateIdentity, in.shown, line, "%s is named again", id.ID)
			return
		}
		known[id.ID] = true
		n := int64(max(id.Samples, 0))
		s.Identities++
		s.Images += n
		if id.Subset == Train {
			s.TrainIdentities++
			s.TrainImages += n
		} else {
			s.TestIdentities++
			s.TestImages += n
		}
		if id.Samples < 0 {
			s.MissingSampleNum++
		} else {
			s.perIdentity = append(s.perIdentity, float64(id.Samples))
		}
		switch id.Gender {
		case Male:
			s.Male++
			s.MaleImages += n
		case Female:
			s.Female++
			s.FemaleImages += n
		}
		if id.Age == id.Age {
			s.ages = append(s.ages, float64(id.Age))
		}
	})
	input, err := in.close()
	if perr != nil {
		return nil, perr
	}
	if err != nil {
		return nil, err
	}
	s.Digest = input.Digest
	s.Listed = s.Identities
	s.ProblemCounts, s.Examples = log.counts, log.examples
	for _, n := range log.counts {
		s.Problems += n
	}
	s.spreads()
	return s, nil
}

func (s *Stats) spreads() {
	s.ImagesPerIdentity = spread(s.perIdentity)
	s.Width, s.Height, s.Age = spread(s.widths), spread(s.heights), spread(s.ages)
}

func spread(v []float64) Spread {
	if len(v) == 0 {
		return Spread{}
	}
	v = slices.Clone(v)
	slices.Sort(v)
	var sum float64
	for _, x := range v {
		sum += x
	}
	n := len(v)
	return Spread{int64(n), v[0], (v[(n-1)/2] + v[n/2]) / 2, sum / float64(n), v[n-1]}
}

// Plot draws the distributions into dir as PNG and SVG: images_per_identity, sizes, ages and
// gender, each where there is data. It returns the files' names.
func (s *Stats) Plot(dir string) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	draw := func(name string, c *chart.Chart, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, format := range []string{"png", "svg"} {
			file := filepath.Join(dir, name+"."+format)
			if err := atomicfile.Write(file, func(w io.Writer) error { return c.Write(w, format, 800, 500) }); err != nil {
				return err
			}
			files = append(files, file)
		}
		return nil
	}
	if len(s.perIdentity) > 0 {
		c, err := chart.Histogram(chart.Axes{Title: "Images per identity", X: "images", Y: "identities"}, 50,
			chart.Series{Name: "identities", Y: s.perIdentity})
		if err := draw("images_per_identity", c, err); err != nil {
			return files, err
		}
	}
	if len(s.widths) > 0 {
		c, err := chart.Histogram(chart.Axes{Title: "Size of the stored images", X: "pixels", Y: "share of images (%)"}, 60,
			chart.Series{Name: "width", Y: s.widths}, chart.Series{Name: "height", Y: s.heights, Dashed: true})
		if err := draw("sizes", c, err); err != nil {
			return files, err
		}
	}
	if len(s.ages) > 0 {
		of := "images"
		if len(s.widths) == 0 && s.Ages == 0 {
			of = "identities"
		}
		c, err := chart.Histogram(chart.Axes{Title: "Age", X: "years", Y: of}, 40, chart.Series{Name: of, Y: s.ages})
		if err := draw("ages", c, err); err != nil {
			return files, err
		}
	}
	male, female, all, of := int64(s.Male), int64(s.Female), int64(s.Identities), "identities"
	if s.Anonymous {
		male, female, all, of = s.MaleImages, s.FemaleImages, s.Images, "images"
	}
	if male+female > 0 {
		unknown := all - male - female
		labels, values := []string{"male", "female"}, []float64{float64(male), float64(female)}
		if unknown > 0 {
			labels, values = append(labels, "unknown"), append(values, float64(unknown))
		}
		c, err := chart.Bars(chart.Axes{Title: "Gender", Y: of}, labels, values)
		if err := draw("gender", c, err); err != nil {
			return files, err
		}
	}
	return files, nil
}

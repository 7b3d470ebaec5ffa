package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/split"
)

// report puts the whole way on one page: what was there, what became of it, how well it did.
func report(o Options, r *Result, built *manifest.Summary, n split.Counts, named *eval.Identification, told *eval.Verification, run string) eval.Report {
	percent := func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
	page := eval.Report{
		Title: "vf2prep on a drawn VGGFace2",
		Lead:  "Nobody in this data set exists: the faces are drawn. The same commands prepare the real one.",
		Numbers: []eval.Fact{
			{Name: "images", Value: fmt.Sprint(r.Images)},
			{Name: "top-1", Value: percent(r.Top1)},
			{Name: "chance", Value: percent(r.Chance)},
			{Name: "EER", Value: percent(r.EER)},
			{Name: "seconds", Value: fmt.Sprintf("%.0f", r.Seconds)},
		},
		Sections: []eval.Section{{
			Title: "Preparation",
			Facts: []eval.Fact{
				{Name: "manifest", Value: fmt.Sprintf("%d images of %d identities, %s", built.Images, built.Identities, built.Digest)},
				{Name: "train", Value: fmt.Sprintf("%d images of %d identities", n.Train, n.TrainIdentities)},
				{Name: "validation", Value: fmt.Sprintf("%d images, the first %d of each identity", n.Val, o.Val)},
				{Name: "test", Value: fmt.Sprintf("%d images of %d other identities", n.Test, n.TestIdentities)},
				{Name: "cache", Value: fmt.Sprintf("%d samples of %s, %.0f images/s", r.Samples, strings.ReplaceAll(o.Size, "x", " x "), r.CacheImagesPerSecond)},
			},
		}},
	}
	training := eval.Section{Title: "Training", Facts: []eval.Fact{
		{Name: "network", Value: fmt.Sprintf("seed-resnet-relu, Adadelta, batch %d, %d epochs, %.0f images/s", o.Batch, o.Epochs, r.TrainImagesPerSecond)},
	}}
	if svg, err := os.ReadFile(filepath.Join(run, "curves.svg")); err == nil {
		training.Pictures = append(training.Pictures, eval.Picture{Alt: "loss and accuracy of training and validation by epoch", SVG: svg})
	}
	page.Sections = append(page.Sections, training)
	page.Sections = append(page.Sections, named.Sections()...)
	page.Sections = append(page.Sections, told.Sections()...)
	return page
}

package report

import (
	"fmt"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
)

// figure is a number from the literature.
type figure struct {
	system, what, value string
	protocol            string // that a result must have
	of                  string // for people
	source              string
	field               string // of the result
	needs               map[string]float64
}

const (
	vggface2 = "Q. Cao et al., VGGFace2, FG 2018"
	vggFace  = "O. M. Parkhi et al., Deep Face Recognition, BMVC 2015"
	dex      = "R. Rothe et al., DEX, IJCV 2018"
)

var (
	// The ten splits with all their pairs.
	wholeIJBA = map[string]float64{"splits": 10, "splits_missing": 0, "pairs_left_out": 0, "templates_left_out": 0, "faces_missing_embedding": 0}
	// View 2 of LFW and YouTube Faces, of ten folds with every pair judged.
	wholeLFW = map[string]float64{"folds": 10, "genuine_pairs": 3000, "impostor_pairs": 3000, "missing_pairs": 0}
	wholeYTF = map[string]float64{"folds": 10, "genuine_pairs": 2500, "impostor_pairs": 2500, "missing_pairs": 0}
)

var published = []figure{
	{"VGGFace2, ResNet-50 from scratch", "TAR at FAR 1e-3", "89.5 %", "ijba-compare", "IJB-A 1:1", vggface2, "tar_at_far_1e-3", wholeIJBA},
	{"VGGFace2, ResNet-50 fine-tuned", "TAR at FAR 1e-3", "90.8 %", "ijba-compare", "IJB-A 1:1", vggface2, "tar_at_far_1e-3", wholeIJBA},
	{"VGGFace2, SE-ResNet-50 from scratch", "TAR at FAR 1e-3", "90.4 %", "ijba-compare", "IJB-A 1:1", vggface2, "tar_at_far_1e-3", wholeIJBA},
	{"VGGFace2, SE-ResNet-50 fine-tuned", "TAR at FAR 1e-3", "92.1 %", "ijba-compare", "IJB-A 1:1", vggface2, "tar_at_far_1e-3", wholeIJBA},
	{"VGG-Face", "accuracy", "98.95 %", "lfw-pairs", "LFW View 2", vggFace, "accuracy", wholeLFW},
	{"VGG-Face", "accuracy", "97.3 %", "ytf-splits", "YouTube Faces", vggFace, "accuracy", wholeYTF},
	// A result says which labels it was judged by, but not that these are all of a published set.
	{"DEX", "age MAE", "3.09 years", "fg-net", "FG-NET, leaving out one person", dex, "age_mae", nil},
	{"DEX", "age MAE", "2.68 years", "morph", "MORPH II", dex, "age_mae", nil},
}

// misfit says why a result can't stand beside a figure; "" where it can.
func (f *figure) misfit(r *result) string {
	for _, name := range []string{"folds", "splits", "splits_missing", "genuine_pairs", "impostor_pairs", "missing_pairs", "pairs_left_out", "templates_left_out", "faces_missing_embedding"} {
		want, asked := f.needs[name]
		if !asked {
			continue
		}
		if got, ok := r.number(name); !ok || got != want {
			return fmt.Sprintf("%s has %s %s, the protocol %g", r.name, strings.ReplaceAll(name, "_", " "), r.shown(name), want)
		}
	}
	if r.text("threshold_from") != "" {
		return r.name + " has its threshold from other pairs"
	}
	if _, ok := r.number(f.field); !ok {
		return fmt.Sprintf("%s has no %s", r.name, f.field)
	}
	return ""
}

// beside sets published figures beside the results of the same protocol; the others it names
// without their value.
func beside(results []*result) (t eval.Table, apart []string) {
	t = eval.Table{Title: "Beside results of the same protocol", Head: []string{"published", "protocol", "figure", "value", "here", "source"}, Wide: true}
	said := map[string]bool{}
	for _, f := range published {
		var here, why []string
		for _, r := range results {
			if r.protocol() != f.protocol {
				continue
			}
			if m := f.misfit(r); m != "" {
				why = append(why, m)
				continue
			}
			here = append(here, r.name+" "+share(r, f.field))
		}
		if len(here) > 0 {
			t.Rows = append(t.Rows, []string{f.system, f.of, f.what, f.value, strings.Join(here, ", "), f.source})
			continue
		}
		if len(why) == 0 {
			why = []string{"no result here follows that protocol"}
		}
		line := fmt.Sprintf("%s by %s (%s): %s.", f.of, strings.SplitN(f.system, ",", 2)[0], f.source, strings.Join(why, "; "))
		if !said[line] {
			apart = append(apart, line)
		}
		said[line] = true
	}
	return t, apart
}

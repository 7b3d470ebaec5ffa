package report

import (
	"fmt"
	"strconv"
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
	needs               map[string]span
}

const (
	vggface2 = "Q. Cao et al., VGGFace2, FG 2018"
	vggFace  = "O. M. Parkhi et al., Deep Face Recognition, BMVC 2015"
	dex      = "R. Rothe et al., DEX, IJCV 2018"
)

// span is from and to, both included.
type span struct{ low, high float64 }

func exactly(v float64) span { return span{v, v} }

// What a result must have to be of the whole of a protocol, and not of another data set in its files'
// format; only names that are listed in [figure.misfit] count.
var (
	// Ten splits of 11,748 pairs on average (B. F. Klare et al., IJB-A, CVPR 2015; the average is not
	// exact), all judged.
	wholeIJBA = map[string]span{"splits": exactly(10), "splits_missing": exactly(0), "pairs_total": {116_000, 119_000}, "pairs_left_out": exactly(0),
		"templates_left_out": exactly(0), "faces_missing_embedding": exactly(0)}
	// View 2: ten folds of 600 pairs among 7,701 images of 4,281 people, all judged.
	wholeLFW = map[string]span{"folds": exactly(10), "genuine_pairs": exactly(3000), "impostor_pairs": exactly(3000), "missing_pairs": exactly(0),
		"images": exactly(7701), "identities": exactly(4281)}
	// Ten splits of 500 pairs of videos, all judged.
	wholeYTF = map[string]span{"folds": exactly(10), "genuine_pairs": exactly(2500), "impostor_pairs": exactly(2500), "missing_pairs": exactly(0)}
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
	for _, name := range []string{"folds", "splits", "splits_missing", "pairs_total", "genuine_pairs", "impostor_pairs", "missing_pairs",
		"pairs_left_out", "templates_left_out", "faces_missing_embedding", "images", "identities"} {
		want, asked := f.needs[name]
		if !asked {
			continue
		}
		if got, ok := r.number(name); !ok || got < want.low || got > want.high {
			text := strconv.FormatFloat(want.low, 'f', -1, 64)
			if want.low != want.high {
				text += " to " + strconv.FormatFloat(want.high, 'f', -1, 64)
			}
			return fmt.Sprintf("%s has %s %s, the protocol %s", r.name, strings.ReplaceAll(name, "_", " "), r.shown(name), text)
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

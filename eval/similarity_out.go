package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
)

func (s *TemplateSimilarity) write(dir string) error {
	sec := Section{Title: "Similarity of templates",
		Text:  "Mean cosine of two templates of one identity. Within a group there is one pair of templates an identity, between two groups there are four. The deviation is over the identities.",
		Facts: append([]Fact{{"identities", fmt.Sprintf("%d of %d, %d left out", s.Identities, s.IdentitiesTotal, s.IdentitiesLeftOut)}}, s.facts()...)}
	type row struct{ a, b int }
	var rows []row
	t := Table{Title: "Mean cosine", Head: append([]string{""}, groupNames(s.Groups)...)}
	for a, name := range groupNames(s.Groups) {
		r := []string{name}
		for b := range s.Groups {
			r = append(r, cosineText(s.Mean[a][b], s.Std[a][b]))
			rows = append(rows, row{a, b})
		}
		t.Rows = append(t.Rows, r)
	}
	sec.Tables = []Table{t}
	err := atomicfile.CSV(filepath.Join(dir, "similarity.csv"), []string{"a", "b", "cosine", "std"}, len(rows), func(i int) []string {
		a, b := rows[i].a, rows[i].b
		std := ""
		if !math.IsNaN(s.Std[a][b]) {
			std = exact(s.Std[a][b])
		}
		return []string{s.Groups[a], s.Groups[b], exact(s.Mean[a][b]), std}
	})
	if err != nil {
		return err
	}
	last := len(s.Groups) - 1
	names := groupNames(s.Groups)
	return s.writeAll(dir, s, nil, Report{
		Title: "Similarity across " + strings.TrimPrefix(s.Protocol, "vggface2-"),
		Lead:  "How alike are templates of one person in different poses or at different ages? Protocol " + s.Protocol + ".",
		Numbers: []Fact{{names[0] + ", " + names[0], decimal(s.Mean[0][0], 4)}, {names[0] + ", " + names[last], decimal(s.Mean[0][last], 4)},
			{names[last] + ", " + names[last], decimal(s.Mean[last][last], 4)}, {"identities left out", strconv.Itoa(s.IdentitiesLeftOut)}},
		Sections: []Section{sec},
	})
}

func groupNames(groups []string) (out []string) {
	for _, g := range groups {
		out = append(out, strings.ReplaceAll(g, "_", "-"))
	}
	return out
}

func cosineText(mean, std float64) string {
	if math.IsNaN(std) {
		return decimal(mean, 4)
	}
	return decimal(mean, 4) + " ± " + decimal(std, 4)
}

func (e *Enrolment) write(dir string) error {
	err := atomicfile.CSV(filepath.Join(dir, "cmc.csv"), []string{"rank", "share"}, len(e.CMC), func(i int) []string {
		return []string{strconv.Itoa(i + 1), exact(e.CMC[i])}
	})
	if err != nil {
		return err
	}
	p, err := drawCMC(dir, e.CMC, "share of images with at most this rank")
	if err != nil {
		return err
	}
	e.Pictures = []Picture{p}
	return e.writeAll(dir, e, nil, Report{
		Title: "Identification of new people",
		Lead:  fmt.Sprintf("Of %d identities, %d images each are named by the nearest mean of the others. Protocol %s.", e.Identities, e.TestImages, e.Protocol),
		Numbers: []Fact{{"rank 1", percent(e.Rank1)}, {"rank 5", percent(e.Rank5)}, {"chance", percent(e.Chance)}, {"images", strconv.Itoa(e.N)},
			{"identities left out", strconv.Itoa(e.IdentitiesLeftOut)}},
		Sections: []Section{{Title: "Identification", Pictures: e.Pictures, Facts: []Fact{
			{"rank 1", fmt.Sprintf("%s (95 %%: %s to %s)", percent(e.Rank1), percent(e.Rank1Low), percent(e.Rank1High))},
			{"rank 5", fmt.Sprintf("%s (95 %%: %s to %s)", percent(e.Rank5), percent(e.Rank5Low), percent(e.Rank5High))},
			{"chance", percent(e.Chance)},
			{"images named", strconv.Itoa(e.N)},
			{"images enrolled", strconv.Itoa(e.Enrolled)},
			{"identities", fmt.Sprintf("%d of %d, %d left out", e.Identities, e.IdentitiesTotal, e.IdentitiesLeftOut)},
			{"classifier", e.Classifier},
			{"seed", strconv.FormatUint(e.Seed, 10)},
		}}},
	})
}

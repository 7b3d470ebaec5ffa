package eval

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
)

// TemplateSimilarity is how alike templates of one identity are across poses or across ages: the
// mean cosine over the identities, by pair of groups. It is written as result.json, one flat
// object.
type TemplateSimilarity struct {
	TemplateInput
	Identities        int `json:"identities"` // used: all their templates have a vector
	IdentitiesTotal   int `json:"identities_total"`
	IdentitiesLeftOut int `json:"identities_left_out"`
	*PoseSimilarity
	*AgeSimilarity

	Groups []string    `json:"-"`
	Mean   [][]float64 `json:"-"` // Mean[a][b] = Mean[b][a]
	Std    [][]float64 `json:"-"` // over the identities; NaN of a single one
}

// PoseSimilarity is the cells of the matrix of poses, with deviations over the identities.
type PoseSimilarity struct {
	FrontalFrontal  *float64 `json:"frontal_frontal"`
	FrontalQuarter  *float64 `json:"frontal_three_quarter"`
	FrontalProfile  *float64 `json:"frontal_profile"`
	QuarterQuarter  *float64 `json:"three_quarter_three_quarter"`
	QuarterProfile  *float64 `json:"three_quarter_profile"`
	ProfileProfile  *float64 `json:"profile_profile"`
	FrontalFrontalD *float64 `json:"frontal_frontal_std"`
	FrontalQuarterD *float64 `json:"frontal_three_quarter_std"`
	FrontalProfileD *float64 `json:"frontal_profile_std"`
	QuarterQuarterD *float64 `json:"three_quarter_three_quarter_std"`
	QuarterProfileD *float64 `json:"three_quarter_profile_std"`
	ProfileProfileD *float64 `json:"profile_profile_std"`
}

// AgeSimilarity is the cells of the matrix of ages.
type AgeSimilarity struct {
	YoungYoung   *float64 `json:"young_young"`
	YoungMature  *float64 `json:"young_mature"`
	MatureMature *float64 `json:"mature_mature"`
	YoungYoungD  *float64 `json:"young_young_std"`
	YoungMatureD *float64 `json:"young_mature_std"`
	MatureD      *float64 `json:"mature_mature_std"`
}

// LeftOut returns how many identities could not be judged.
func (s *TemplateSimilarity) LeftOut() (int, int, string) {
	return s.IdentitiesLeftOut, s.IdentitiesTotal, "identities"
}

// similarTemplates compares the templates of each identity of a VGGFace2 list with one another.
// Within a group there is one pair of templates, between two groups there are four.
//
// Q. Cao et al., "VGGFace2", FG 2018, section V: probing across pose and age.
func similarTemplates(ctx context.Context, o TemplateOptions) (TemplateResult, error) {
	list, sum, err := openTemplateList(o.Meta)
	if err != nil {
		return nil, err
	}
	s := &TemplateSimilarity{Groups: list.Kind.Groups, IdentitiesTotal: len(list.Identities)}
	s.Protocol, s.ProtocolFiles = "vggface2-"+list.Kind.Name, sum
	// Templates are numbered through: identity, group, template. An image is a medium.
	groups := len(list.Kind.Groups)
	each := groups * templatesAGroup
	var templates []Template
	for i, id := range list.Identities {
		for k := range each {
			tpl := Template{ID: i*each + k, Subject: id}
			for n, name := range list.Template(i, k/templatesAGroup, k%templatesAGroup) {
				tpl.Faces = append(tpl.Faces, TemplateFace{Key: name, Media: n})
			}
			templates = append(templates, tpl)
		}
	}
	t, err := buildTemplates(templates, o.Embeddings, newKeyFinder(o.Embeddings), o.Pooling)
	if err != nil {
		return nil, err
	}
	for i := range t.skips {
		t.skips[i] = nameTemplate(t.skips[i], list)
	}
	s.add(t, "")
	if s.Faces == 0 {
		return nil, fmt.Errorf("%s: %w", o.Meta, noneFound(o.Embeddings, list.Images[0][0]))
	}
	cells := make([][]float64, groups*groups)
	for i, id := range list.Identities {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		at, ok := t.identity(i, each)
		if !ok {
			s.IdentitiesLeftOut++
			s.Skips = append(s.Skips, Skip{id, identityNoFace, "at least one of its templates has no vector"})
			continue
		}
		s.Identities++
		for a := range groups {
			for b := a; b < groups; b++ {
				cells[a*groups+b] = append(cells[a*groups+b], t.meanCosine(at, a, b))
			}
		}
	}
	if s.Identities == 0 {
		return nil, fmt.Errorf("%s: none of %d identities has all its templates: %w", o.Meta, len(list.Identities), ErrNoPairs)
	}
	s.fill(cells)
	return s, nil
}

// nameTemplate says which template a number means.
func nameTemplate(s Skip, list *TemplateList) Skip {
	var id int
	each := len(list.Kind.Groups) * templatesAGroup
	name := func() string {
		k := id % each
		return fmt.Sprintf("%s %s template %d", list.Identities[id/each], list.Kind.Groups[k/templatesAGroup], k%templatesAGroup+1)
	}
	if _, err := fmt.Sscanf(s.Item, "template %d", &id); err == nil {
		s.Item = name()
	} else if _, err := fmt.Sscanf(s.Detail, "of template %d", &id); err == nil {
		s.Detail = "of " + name()
	}
	return s
}

func openTemplateList(path string) (*TemplateList, string, error) {
	tree, err := openTree(filepath.Dir(path))
	if err != nil {
		return nil, "", err
	}
	defer tree.close()
	var list *TemplateList
	err = tree.read(filepath.Base(path), func(r io.Reader) error {
		list, err = ReadTemplateList(r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return list, tree.sum.String(), nil
}

// identity returns the places of identity i's templates; false where one has no vector.
func (t *templateVectors) identity(i, each int) ([]int, bool) {
	var at []int
	for k := range each {
		p, ok := t.at[int32(i*each+k)]
		if !ok {
			return nil, false
		}
		at = append(at, p)
	}
	return at, true
}

// meanCosine is the mean over the pairs of different templates of groups a and b.
func (t *templateVectors) meanCosine(at []int, a, b int) float64 {
	sum, n := 0.0, 0
	for i := range templatesAGroup {
		for j := range templatesAGroup {
			if a == b && i >= j {
				continue
			}
			sum += dot(t.vector(at[a*templatesAGroup+i]), t.vector(at[b*templatesAGroup+j]))
			n++
		}
	}
	return sum / float64(n)
}

func (s *TemplateSimilarity) fill(cells [][]float64) {
	n := len(s.Groups)
	var mean, std []*float64
	for range n {
		s.Mean, s.Std = append(s.Mean, make([]float64, n)), append(s.Std, make([]float64, n))
	}
	for a := range n {
		for b := a; b < n; b++ {
			m, d := overSplits(cells[a*n+b])
			mean, std = append(mean, m), append(std, d)
			s.Mean[a][b], s.Std[a][b] = *m, math.NaN()
			if d != nil {
				s.Std[a][b] = *d
			}
			s.Mean[b][a], s.Std[b][a] = s.Mean[a][b], s.Std[a][b]
		}
	}
	if n == len(PoseTemplates.Groups) {
		s.PoseSimilarity = &PoseSimilarity{mean[0], mean[1], mean[2], mean[3], mean[4], mean[5], std[0], std[1], std[2], std[3], std[4], std[5]}
	} else {
		s.AgeSimilarity = &AgeSimilarity{mean[0], mean[1], mean[2], std[0], std[1], std[2]}
	}
}

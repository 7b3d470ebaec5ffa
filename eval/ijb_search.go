package eval

import (
	"context"
	"fmt"
	"strings"
)

// idsOf returns the template ids of rows of metadata, each once, in the order of the rows.
func idsOf(faces []Face) []int32 {
	seen := map[int]bool{}
	var out []int32
	for _, f := range faces {
		if !seen[f.Template] {
			seen[f.Template] = true
			out = append(out, int32(f.Template))
		}
	}
	return out
}

// searchIJBA runs IJB-A's "search" protocol: of each split the probes of search_probe_N.csv in the
// gallery of search_gallery_N.csv.
func searchIJBA(ctx context.Context, o TemplateOptions) (TemplateResult, error) {
	tree, err := openTree(o.Meta)
	if err != nil {
		return nil, err
	}
	defer tree.close()
	find := newKeyFinder(o.Embeddings)
	s := &TemplateSearch{}
	example := ""
	for n := 1; n <= ijbaSplits; n++ {
		galleryFile := tree.find(ijbaNames("1N", n, "search_gallery_%d.csv")...)
		probeFile := tree.find(ijbaNames("1N", n, "search_probe_%d.csv")...)
		if galleryFile == "" && probeFile == "" {
			s.GalleriesMissing++
			continue
		}
		if galleryFile == "" || probeFile == "" {
			return nil, fmt.Errorf("%s: split %d has only one of search_gallery_%d.csv and search_probe_%d.csv: %w", o.Meta, n, n, n, ErrProtocolFile)
		}
		faces, err := tree.facesOf(galleryFile, probeFile)
		if err != nil {
			return nil, err
		}
		t, err := s.build(o, find, fmt.Sprintf("split %d", n), faces)
		if err != nil {
			return nil, fmt.Errorf("%s: split %d: line %w", o.Meta, n, err)
		}
		example = faces[0][0].File
		if err := s.add(ctx, o, fmt.Sprintf("split %d", n), idsOf(faces[0]), idsOf(faces[1]), t); err != nil {
			return nil, err
		}
	}
	if s.GalleriesMissing == ijbaSplits {
		return nil, fmt.Errorf("%s: no IJB-A_1N_sets/split1/search_gallery_1.csv and no other split: %w", o.Meta, ErrProtocolFile)
	}
	if s.Faces == 0 {
		return nil, fmt.Errorf("%s: %w", o.Meta, noneFound(o.Embeddings, example))
	}
	s.ProtocolFiles = tree.sum.String()
	s.finish(true)
	return s, nil
}

// facesOf reads the metadata of several files.
func (tree *protocolTree) facesOf(names ...string) ([][]Face, error) {
	out := make([][]Face, len(names))
	for i, name := range names {
		var err error
		if out[i], err = tree.faces(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// build makes the templates of galleries and probes together: a photo may be in both.
func (s *TemplateSearch) build(o TemplateOptions, find keyFinder, where string, faces [][]Face) (*templateVectors, error) {
	var all []Face
	for _, f := range faces {
		all = append(all, f...)
	}
	list, skips, err := templatesOf(all, o.KeyWith)
	if err != nil {
		return nil, err
	}
	s.skip(skips, where)
	t, err := buildTemplates(list, o.Embeddings, find, o.Pooling)
	if err != nil {
		return nil, err
	}
	s.TemplateInput.add(t, where)
	return t, nil
}

// searchIJB runs the 1:N protocol of IJB-B or IJB-C: the mixed probes in each of two galleries of
// different subjects, so that a probe whose subject is in the other gallery is an impostor's. The
// faces of the templates are those of *_face_tid_mid.txt where it exists, else the files of the
// galleries and probes themselves.
func searchIJB(ctx context.Context, o TemplateOptions) (TemplateResult, error) {
	tree, err := openTree(o.Meta)
	if err != nil {
		return nil, err
	}
	defer tree.close()
	set := o.Protocol[:4]
	var names []string
	for _, list := range [][]string{{"_1N_gallery_S1.csv", "_1N_gallery_G1.csv"}, {"_1N_gallery_S2.csv", "_1N_gallery_G2.csv"}, {"_1N_probe_mixed.csv"}} {
		var at []string
		for _, n := range list {
			at = append(at, set+n, "meta/"+set+n)
		}
		name, err := tree.need(at...)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	faces, err := tree.facesOf(names...)
	if err != nil {
		return nil, err
	}
	subjects := map[int]string{}
	for k, list := range faces {
		for _, f := range list {
			id := fmt.Sprint(f.Subject)
			if old, ok := subjects[f.Template]; ok && old != id {
				return nil, fmt.Errorf("%s/%s:%d: template %d is of subject %s here and of %s before: %w", o.Meta, names[k], f.Line, f.Template, id, old, ErrProtocolFile)
			}
			subjects[f.Template] = id
		}
	}
	s := &TemplateSearch{}
	t, ok, err := tree.croppedTemplates(o, set, &s.TemplateInput, subjects)
	if err != nil {
		return nil, err
	}
	if !ok {
		if t, err = s.build(o, newKeyFinder(o.Embeddings), "", faces); err != nil {
			return nil, fmt.Errorf("%s/{%s}: line %w", o.Meta, strings.Join(names, ","), err)
		}
	}
	if t.len() == 0 {
		return nil, fmt.Errorf("%s: %w", o.Meta, noneFound(o.Embeddings, faces[0][0].File))
	}
	for k, name := range []string{"gallery 1", "gallery 2"} {
		if err := s.add(ctx, o, name, idsOf(faces[k]), idsOf(faces[2]), t); err != nil {
			return nil, err
		}
	}
	s.ProtocolFiles = tree.sum.String()
	s.finish(false)
	return s, nil
}
